/* SPDX-License-Identifier: BSD-3-Clause */
/* Files that were cut off or changed: all that is readable comes, then a sentence; never a crash. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sc_capture.h>

#include "pcapfile.h"
#include "sc_test.h"

#define T0 1700000000123456000ull
#define NB 6
#define FILE_MAX 4096

/* A small capture and where each record ends in it. */
struct sample {
	uint8_t bytes[FILE_MAX];
	size_t len;
	size_t header;  /* bytes of the shortest file that can be opened */
	size_t end[NB]; /* a file of this length holds this record whole */
	bool is_ng;
};

static uint8_t data[64];

static void
sample_make(struct sample *s, enum pcapfile_format format, bool is_big)
{
	struct pcapfile *f;
	char path[64];
	FILE *in;

	pcapfile_temp(path);
	f = pcapfile_open(path, format, is_big, PCAPFILE_ETHER);
	s->is_ng = format == PCAPFILE_NG;
	s->header = s->is_ng ? 28 : 24;
	for (unsigned int i = 0; i < NB; i++) {
		if (s->is_ng && i == 3) {
			pcapfile_section(f, !is_big);
			pcapfile_interface(f, PCAPFILE_RAW, 9, 3);
			pcapfile_block(f, 5, data, 20);
		}
		pcapfile_packet(f, T0 + i * 1000, data, 20 + i * 7, 64);
		s->end[i] = pcapfile_size(f);
	}
	pcapfile_close(f);
	in = fopen(path, "rb");
	assert_non_null(in);
	s->len = fread(s->bytes, 1, FILE_MAX, in);
	fclose(in);
	unlink(path);
}

static void
file_write(const char *path, const uint8_t *bytes, size_t len)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	fclose(f);
}

/* Read to the end; returns the records, *last the last error of next (0 none). */
static unsigned int
read_all(const char *path, int *last, struct sc_err *err)
{
	struct sc_capture_reader *r = sc_capture_reader_open(&path, 1, err);
	struct sc_capture_pkt pkt;
	unsigned int nb = 0, sum = 0;
	int rc;

	*last = 0;
	if (r == NULL) {
		*last = -errno;
		return 0;
	}
	while ((rc = sc_capture_reader_next(r, &pkt, err)) != 0) {
		if (rc < 0) {
			*last = rc;
			continue;
		}
		nb++;
		for (uint32_t i = 0; i < pkt.caplen; i++) /* the sanitizer sees every byte */
			sum += pkt.data[i];
		assert_true(nb < FILE_MAX);
	}
	sc_capture_reader_close(r);
	return nb + (sum & 0);
}

static void
cut_everywhere(const struct sample *s)
{
	unsigned int whole, got;
	struct sc_err err;
	char path[64];
	int rc;

	pcapfile_temp(path);
	for (size_t n = 0; n < s->len; n++) {
		file_write(path, s->bytes, n);
		got = read_all(path, &rc, &err);
		for (whole = 0; whole < NB && s->end[whole] <= n; whole++)
			;
		assert_int_equal(got, whole);
		if (n < s->header)
			assert_int_equal(rc, -EBADMSG);
		else if (rc == 0) /* silent only between two records or blocks */
			assert_true(n == s->header || (whole > 0 && n == s->end[whole - 1])
					|| (s->is_ng && n % 4 == 0));
		else
			assert_non_null(strstr(err.text, "at byte"));
	}
	unlink(path);
}

static void
test_cut_everywhere(void **state)
{
	struct sample s;

	for (int big = 0; big <= 1; big++) {
		sample_make(&s, PCAPFILE_US, big);
		cut_everywhere(&s);
		sample_make(&s, PCAPFILE_NS, big);
		cut_everywhere(&s);
		sample_make(&s, PCAPFILE_NG, big);
		cut_everywhere(&s);
	}
}

static void
test_mutations(void **state)
{
	static const uint8_t nasty[] = {0, 1, 0x7f, 0x80, 0xff, 4, 6, 0x0a};
	struct sample s;
	struct sc_err err;
	struct sc_rng rng;
	uint8_t copy[FILE_MAX];
	char path[64];
	size_t at;
	int rc;

	pcapfile_temp(path);
	sc_rng_seed(&rng, 20240607);
	for (unsigned int round = 0; round < 6000; round++) {
		if (round % 1000 == 0)
			sample_make(&s, round / 1000 % 3, round >= 3000);
		memcpy(copy, s.bytes, s.len);
		for (uint32_t k = sc_rng_below(&rng, 6) + 1; k > 0; k--) {
			at = sc_rng_below(&rng, (uint32_t)s.len);
			copy[at] = sc_rng_below(&rng, 2) ? nasty[sc_rng_below(&rng, 8)]
							 : (uint8_t)sc_rng_next(&rng);
		}
		file_write(path, copy, s.len - sc_rng_below(&rng, 30));
		memset(&err, 0, sizeof(err));
		read_all(path, &rc, &err);
		if (rc != 0)
			assert_true(strlen(err.text) > 20);
	}
	unlink(path);
}

static void
damage_is(const struct sample *s, unsigned int records, const char *word)
{
	struct sc_err err = {0};
	char path[64];
	int rc;

	pcapfile_temp(path);
	file_write(path, s->bytes, s->len);
	assert_int_equal(read_all(path, &rc, &err), records);
	assert_int_equal(rc, -EBADMSG);
	if (strstr(err.text, word) == NULL || strstr(err.text, path) == NULL)
		fail_msg("'%s' says neither '%s' nor the file", err.text, word);
	unlink(path);
}

static void
put32(uint8_t *p, uint32_t v)
{
	for (unsigned int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static void
test_sentences(void **state)
{
	struct sample s, good;
	char word[64];

	sample_make(&good, PCAPFILE_US, false);
	s = good;
	put32(s.bytes + s.end[1] + 8, 262145);
	snprintf(word, sizeof(word), "at byte %zu: a record says 262145", s.end[1]);
	damage_is(&s, 2, word);

	sample_make(&good, PCAPFILE_NG, false);
	s = good;
	put32(s.bytes + s.end[0] + 8, 7); /* interface */
	snprintf(word, sizeof(word), "at byte %zu: a packet of interface 7", s.end[0]);
	damage_is(&s, 1, word);
	s = good;
	put32(s.bytes + s.end[0] + 20, 29); /* more captured bytes than the block holds */
	damage_is(&s, 1, "29 captured bytes, which do not fit");
	s = good;
	put32(s.bytes + s.end[0] + 4, 61);
	damage_is(&s, 1, "61 bytes, which no block can have");
	s = good;
	put32(s.bytes + s.end[0] + 4, 8);
	damage_is(&s, 1, "8 bytes, which no block can have");
	s = good;
	put32(s.bytes + s.end[0] + 4, 1u << 20);
	damage_is(&s, 1, "says 1048576 bytes, at most");
	s = good;
	put32(s.bytes + s.end[1] - 4, 4);
	damage_is(&s, 1, "ends with 4");
	s = good;
	put32(s.bytes + s.end[0], 0x7777); /* of a type that is passed over, length of 4 GiB */
	put32(s.bytes + s.end[0] + 4, 0xfffffffc);
	damage_is(&s, 1, "4294967292 bytes, and the file ends before");
}

static void
test_goes_on_with_next_file(void **state)
{
	char path[2][64];
	const char *paths[2] = {path[0], path[1]};
	struct sc_capture_reader *r;
	struct sc_capture_pkt pkt;
	struct sample s;
	struct sc_err err;

	sample_make(&s, PCAPFILE_US, false);
	pcapfile_temp(path[0]);
	pcapfile_temp(path[1]);
	file_write(path[0], s.bytes, s.end[0] + 20);
	file_write(path[1], s.bytes, s.len);
	r = sc_capture_reader_open(paths, 2, &err);
	assert_non_null(r);
	assert_int_equal(sc_capture_reader_next(r, &pkt, &err), 1);
	assert_int_equal(sc_capture_reader_next(r, &pkt, &err), -EBADMSG);
	for (unsigned int i = 0; i < NB; i++) {
		assert_int_equal(sc_capture_reader_next(r, &pkt, &err), 1);
		assert_int_equal(pkt.file, 1);
	}
	assert_int_equal(sc_capture_reader_next(r, &pkt, &err), 0);
	sc_capture_reader_close(r);

	/* A file that goes away after open is the next call's error, and the other is still read. */
	r = sc_capture_reader_open(paths, 2, &err);
	assert_non_null(r);
	unlink(path[0]);
	assert_int_equal(sc_capture_reader_next(r, &pkt, &err), -ENOENT);
	assert_int_equal(sc_capture_reader_next(r, &pkt, &err), 1);
	sc_capture_reader_close(r);
	unlink(path[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_cut_everywhere),
			cmocka_unit_test(test_mutations),
			cmocka_unit_test(test_sentences),
			cmocka_unit_test(test_goes_on_with_next_file),
	};

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i + 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
