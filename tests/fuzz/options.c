/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * options: the options of a TCP header, against a second reading of RFC 9293. Input: length of the
 * frame's first segment (1 byte), flags (1 byte), up to 40 bytes of options.
 */
#include <frame.h>
#include <string.h>

#include <sc_packet.h>

#include "fuzz.h"

#define HEAD 2
#define OPTIONS_MAX 40

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_begin();
	return 0;
}

/* Where the next option begins; len: there is none. */
static size_t
behind(const uint8_t *opt, size_t len, size_t at)
{
	if (opt[at] == 1)
		return at + 1;
	if (opt[at] == 0 || at + 1 == len || opt[at + 1] < 2 || at + opt[at + 1] > len)
		return len;
	return at + opt[at + 1];
}

static uint32_t
number(const uint8_t *p, unsigned int bytes)
{
	uint32_t n = 0;

	while (bytes-- > 0)
		n = n << 8 | *p++;
	return n;
}

/* The last well-formed option of `kind` with `opt_len` bytes, or NULL. */
static const uint8_t *
last_of(const uint8_t *opt, size_t len, uint8_t kind, uint8_t opt_len)
{
	const uint8_t *found = NULL;

	for (size_t at = 0; at < len; at = behind(opt, len, at)) {
		bool is_whole = at + opt_len <= len && opt[at] == kind && opt[at + 1] == opt_len;

		if (is_whole && !(kind == 2 && number(opt + at + 2, 2) == 0))
			found = opt + at + 2;
	}
	return found;
}

static void
compare(const struct sc_seg *s, const uint8_t *opt, size_t len)
{
	const uint8_t *mss = last_of(opt, len, 2, 4), *wscale = last_of(opt, len, 3, 3);
	const uint8_t *sack = last_of(opt, len, 4, 2), *ts = last_of(opt, len, 8, 10);
	uint8_t want = (uint8_t)((mss != NULL ? SC_OPT_MSS : 0)
			| (wscale != NULL ? SC_OPT_WSCALE : 0) | (ts != NULL ? SC_OPT_TS : 0)
			| (sack != NULL ? SC_OPT_SACK_OK : 0));

	assert_int_equal(s->opts, want);
	assert_int_equal(s->mss, mss != NULL ? number(mss, 2) : 0);
	assert_int_equal(s->wscale, wscale == NULL ? 0 : *wscale > 14 ? 14 : *wscale);
	assert_int_equal(s->tsval, ts != NULL ? number(ts, 4) : 0);
	assert_int_equal(s->tsecr, ts != NULL ? number(ts + 4, 4) : 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t frame[128], opts[OPTIONS_MAX] = {0}, cuts[FUZZ_CUTS] = {0};
	struct test_frame f = {.link = SC_LINK_RAW, .opts = opts};
	struct fuzz_chain chain;
	struct sc_seg seg;

	if (size < HEAD || size - HEAD > OPTIONS_MAX)
		return 0;
	f.opts_len = size - HEAD;
	memcpy(opts, data + HEAD, f.opts_len);
	cuts[0] = data[0];
	f.flags = data[1];
	fuzz_chain_make(&chain, frame, test_frame_bytes(&f, frame, sizeof(frame)), cuts);
	assert_int_equal(sc_packet_parse(chain.m, SC_LINK_RAW, &seg), SC_R_NONE);
	assert_int_equal(seg.flags, f.flags);
	assert_int_equal(seg.payload_len, 0);
	/* padded with 0 to whole words, which ends the list */
	compare(&seg, opts, (f.opts_len + 3) / 4 * 4);
	fuzz_chain_free(&chain);
	return 0;
}
