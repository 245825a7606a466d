/* SPDX-License-Identifier: BSD-3-Clause */
/* capture: the bytes of a capture file, read record by record, and surveyed. */
#include <string.h>

#include <sc_capture.h>

#include "fuzz.h"
#include "reader.h"
#include "timeline.h"

#define FILE_MAX (1 << 20)
#define RECORD_MIN 12 /* bytes that a record of any format takes at least */
#define SURVEY_ONE_IN 16

static uint8_t copy[READER_CAPLEN_MAX];
static struct sc_survey survey;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_begin();
	return 0;
}

static void
check_packet(const struct sc_capture_pkt *p, const uint8_t *file, size_t size)
{
	assert_true(p->caplen <= READER_CAPLEN_MAX);
	assert_true(p->ts_ns <= READER_TS_MAX);
	assert_true(p->offset <= size && p->caplen <= size - p->offset);
	memcpy(copy, p->data, p->caplen);
	assert_memory_equal(copy, file + p->offset, p->caplen);
}

/* Every record stands in the file, behind the one before; the time line never goes back. */
static size_t
read_all(struct sc_capture_reader *r, const uint8_t *data, size_t size)
{
	struct timeline line = {0};
	uint64_t end = 0, last_ns = 0;
	struct sc_capture_pkt pkt;
	struct sc_err err = {""};
	size_t nb = 0;
	int rc;

	while ((rc = sc_capture_reader_next(r, &pkt, &err)) > 0) {
		uint64_t ns = timeline_map(&line, pkt.ts_ns, pkt.file);

		check_packet(&pkt, data, size);
		assert_true(pkt.offset >= end);
		assert_true(ns >= last_ns);
		end = pkt.offset + pkt.caplen;
		last_ns = ns;
		assert_true(++nb <= size / RECORD_MIN);
	}
	if (rc < 0) {
		assert_true(err.text[0] != '\0');
		assert_int_equal(sc_capture_reader_next(r, &pkt, &err), 0);
	}
	return nb;
}

static void
run_survey(const char *path, size_t nb)
{
	struct sc_err err = {""};
	uint64_t sum = 0;

	if (sc_survey_run(&path, 1, NULL, 0, &survey, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(survey.frames, nb);
	for (unsigned int r = 0; r < SC_R_COUNT; r++)
		sum += survey.refused[r];
	assert_true(sum <= nb && survey.tcp <= nb);
	assert_int_equal(survey.all.nb, survey.all.with_syn + survey.all.mid_stream);
	assert_int_equal(survey.all.nb,
			survey.all.both + survey.all.client_only + survey.all.server_only
					+ survey.all.silent);
	sc_survey_is_fit(&survey);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sc_capture_reader *r;
	const char *path;
	struct sc_err err = {""};
	unsigned int mix = 0;
	size_t nb;

	if (size > FILE_MAX)
		return 0;
	path = fuzz_file(data, size);
	r = sc_capture_reader_open(&path, 1, &err);
	if (r == NULL) {
		assert_true(err.text[0] != '\0');
		return 0;
	}
	nb = read_all(r, data, size);
	sc_capture_reader_close(r);
	for (size_t i = 0; i < size; i++)
		mix = mix * 31 + data[i];
	/* It takes 10 MiB and most of the time; which inputs it sees is chance, but theirs alone. */
	if (mix % SURVEY_ONE_IN == 0)
		run_survey(path, nb);
	return 0;
}
