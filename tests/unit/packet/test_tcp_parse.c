/* SPDX-License-Identifier: BSD-3-Clause */
/* The TCP header and its options, well and badly formed. */
#include <string.h>

#include <sc_packet.h>

#include "frame.h"
#include "sc_test.h"
#include "test_eal.h"

static struct rte_mempool *pool;

static int
setup(void **state)
{
	if (test_eal_setup(state) < 0)
		return -1;
	pool = test_pool("tcp", 255, 512);
	return 0;
}

static int
teardown(void **state)
{
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
	rte_mempool_free(pool);
	return test_eal_teardown(state);
}

static enum sc_reason
parse(const struct test_frame *f, struct sc_seg *seg)
{
	struct rte_mbuf *m = test_frame_mbuf(pool, f);
	enum sc_reason r;

	memset(seg, 0x5a, sizeof(*seg));
	r = sc_packet_parse(m, f->link, seg);
	rte_pktmbuf_free(m);
	return r;
}

/* The options that `opts` gives, in a SYN whose payload looks like options and must not be read. */
static uint8_t
parse_opts(const uint8_t *opts, size_t len, struct sc_seg *seg)
{
	struct test_frame f = {.flags = SC_TCP_SYN, .opts = opts, .opts_len = len};

	f.payload = "\1\1\1\1\1\4\2\3\3\11";
	f.len = 10;
	assert_int_equal(parse(&f, seg), SC_R_NONE);
	assert_int_equal(seg->payload_len, 10);
	assert_int_equal(seg->payload_sum, test_sum16(f.payload, 10, 0));
	return seg->opts;
}

static void
test_no_options(void **state)
{
	struct sc_seg seg;

	(void)state;
	assert_int_equal(parse_opts(NULL, 0, &seg), 0);
	assert_int_equal(seg.mss, 0);
	assert_int_equal(seg.wscale, 0);
	assert_int_equal(seg.tsval, 0);
	assert_int_equal(seg.tsecr, 0);
}

static void
test_all_options(void **state)
{
	uint8_t opts[40];
	size_t len = 0;
	struct sc_seg seg;

	(void)state;
	test_opt(opts, &len, 2, 4, 1460);
	test_opt(opts, &len, 4, 2, 0);
	test_opt(opts, &len, 8, 10, 0x89abcdef01234567);
	test_opt(opts, &len, 1, 1, 0);
	test_opt(opts, &len, 3, 3, 7);
	assert_int_equal(len, 20);
	assert_int_equal(parse_opts(opts, len, &seg),
			SC_OPT_MSS | SC_OPT_SACK_OK | SC_OPT_TS | SC_OPT_WSCALE);
	assert_int_equal(seg.mss, 1460);
	assert_int_equal(seg.wscale, 7);
	assert_int_equal(seg.tsval, 0x89abcdef);
	assert_int_equal(seg.tsecr, 0x01234567);
}

static void
test_each_option_alone(void **state)
{
	static const struct {
		uint8_t kind, len, bit;
	} cases[] = {
			{2, 4, SC_OPT_MSS},
			{3, 3, SC_OPT_WSCALE},
			{4, 2, SC_OPT_SACK_OK},
			{8, 10, SC_OPT_TS},
			{5, 10, 0},
			{14, 3, 0},
			{19, 18, 0},
			{34, 10, 0},
			{254, 40, 0},
			{253, 2, 0},
	};
	struct sc_seg seg;

	(void)state;
	for (size_t i = 0; i < SC_ARRAY_SIZE(cases); i++) {
		uint8_t opts[40];
		size_t len = 0;

		test_opt(opts, &len, cases[i].kind, cases[i].len, 0x0101010101010101);
		assert_int_equal(len, cases[i].len);
		assert_int_equal(parse_opts(opts, len, &seg), cases[i].bit);
	}
}

/* In a segment without SYN, too: what was there is said, the engine judges it. */
static void
test_timestamps_in_data(void **state)
{
	static const uint8_t opts[] = {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2};
	struct test_frame f = {.flags = SC_TCP_ACK, .opts = opts, .opts_len = sizeof(opts)};
	struct sc_seg seg;

	(void)state;
	assert_int_equal(parse(&f, &seg), SC_R_NONE);
	assert_int_equal(seg.opts, SC_OPT_TS);
	assert_int_equal(seg.tsval, 1);
	assert_int_equal(seg.tsecr, 2);
}

/* Lengths that are not the kind's own: the option counts as absent, the next one stands. */
static void
test_wrong_length_is_skipped(void **state)
{
	static const struct {
		uint8_t kind, len;
	} cases[] = {{2, 2}, {2, 3}, {2, 5}, {3, 2}, {3, 4}, {4, 3}, {4, 10}, {8, 2}, {8, 9},
			{8, 11}, {8, 18}};
	struct sc_seg seg;

	(void)state;
	for (size_t i = 0; i < SC_ARRAY_SIZE(cases); i++) {
		uint8_t opts[40];
		size_t len = 0;
		bool is_mss = cases[i].kind == 2;

		test_opt(opts, &len, cases[i].kind, cases[i].len, 0x0808080808080808);
		test_opt(opts, &len, is_mss ? 3 : 2, is_mss ? 3 : 4, 9);
		assert_int_equal(parse_opts(opts, len, &seg), is_mss ? SC_OPT_WSCALE : SC_OPT_MSS);
	}
}

/* A length of 0 or 1, or one beyond the header, ends the list; what came before it stands. */
static void
test_impossible_length_ends_the_list(void **state)
{
	static const uint8_t kinds[] = {2, 3, 4, 5, 8, 30, 255};
	static const uint8_t lens[] = {0, 1, 9, 41, 128, 255};
	struct sc_seg seg;

	(void)state;
	for (size_t k = 0; k < SC_ARRAY_SIZE(kinds); k++) {
		for (size_t i = 0; i < SC_ARRAY_SIZE(lens); i++) {
			/* 12 bytes of options: MSS, then 8 of which the bad one claims more */
			uint8_t opts[12] = {2, 4, 5, 0xb4, kinds[k], lens[i], 3, 3, 7, 4, 2, 1};

			assert_int_equal(parse_opts(opts, sizeof(opts), &seg), SC_OPT_MSS);
			assert_int_equal(seg.mss, 1460);
			assert_int_equal(seg.wscale, 0);
		}
	}
}

/* A kind without a length byte in the header's last byte. */
static void
test_kind_in_last_byte(void **state)
{
	static const uint8_t kinds[] = {2, 3, 4, 8, 200};
	struct sc_seg seg;

	(void)state;
	for (size_t k = 0; k < SC_ARRAY_SIZE(kinds); k++) {
		uint8_t opts[8] = {3, 3, 5, 1, 1, 1, 1, kinds[k]};

		assert_int_equal(parse_opts(opts, sizeof(opts), &seg), SC_OPT_WSCALE);
		assert_int_equal(seg.wscale, 5);
	}
}

static void
test_end_of_list(void **state)
{
	static const uint8_t then_wscale[] = {2, 4, 5, 0xb4, 0, 3, 3, 7};
	static const uint8_t then_length[] = {2, 4, 5, 0xb4, 0, 2, 3, 3, 7, 1, 1, 1};
	struct sc_seg seg;

	(void)state;
	assert_int_equal(parse_opts(then_wscale, sizeof(then_wscale), &seg), SC_OPT_MSS);
	assert_int_equal(parse_opts(then_length, sizeof(then_length), &seg), SC_OPT_MSS);
}

static void
test_only_nops(void **state)
{
	uint8_t opts[40];
	struct sc_seg seg;

	(void)state;
	memset(opts, 1, sizeof(opts));
	for (size_t len = 4; len <= sizeof(opts); len += 4)
		assert_int_equal(parse_opts(opts, len, &seg), 0);
}

static void
test_values_are_bounded(void **state)
{
	struct sc_seg seg;

	(void)state;
	for (unsigned int w = 0; w < 256; w++) {
		uint8_t opts[4] = {3, 3, (uint8_t)w, 1};

		assert_int_equal(parse_opts(opts, sizeof(opts), &seg), SC_OPT_WSCALE);
		assert_int_equal(seg.wscale, w > 14 ? 14 : w);
	}
	/* an MSS of 0 says nothing */
	assert_int_equal(parse_opts((const uint8_t[4]){2, 4, 0, 0}, 4, &seg), 0);
	assert_int_equal(seg.mss, 0);
	assert_int_equal(parse_opts((const uint8_t[4]){2, 4, 0xff, 0xff}, 4, &seg), SC_OPT_MSS);
	assert_int_equal(seg.mss, 65535);
}

static void
test_repeated_option_last_wins(void **state)
{
	static const uint8_t opts[] = {2, 4, 1, 0, 2, 4, 2, 0};
	struct sc_seg seg;

	(void)state;
	assert_int_equal(parse_opts(opts, sizeof(opts), &seg), SC_OPT_MSS);
	assert_int_equal(seg.mss, 0x200);
}

/* What RFC 9293 section 3.2 and RFC 7323 say of a list, one option after the other. */
static void
read_slowly(const uint8_t *opt, size_t len, struct sc_seg *seg)
{
	size_t step;

	*seg = (struct sc_seg){0};
	for (size_t i = 0; i < len && opt[i] != 0; i += step) {
		const uint8_t *v = &opt[i + 2];
		unsigned int kind = opt[i], n;

		step = 1;
		if (kind == 1)
			continue;
		if (i + 1 == len || opt[i + 1] < 2 || opt[i + 1] > len - i)
			return;
		step = n = opt[i + 1];
		if (kind == 2 && n == 4 && (v[0] | v[1]) != 0) {
			seg->opts |= SC_OPT_MSS;
			seg->mss = (uint16_t)(v[0] << 8 | v[1]);
		} else if (kind == 3 && n == 3) {
			seg->opts |= SC_OPT_WSCALE;
			seg->wscale = SC_MIN(v[0], 14);
		} else if (kind == 4 && n == 2) {
			seg->opts |= SC_OPT_SACK_OK;
		} else if (kind == 8 && n == 10) {
			seg->opts |= SC_OPT_TS;
			seg->ts = 0;
			for (unsigned int k = 0; k < 8; k++)
				seg->ts = seg->ts << 8 | v[k];
		}
	}
}

/* Lists of up to 40 bytes, of options well and badly formed in any order, cut anywhere. */
static void
test_any_list(void **state)
{
	static const uint8_t words[][4] = {{2, 4, 5, 0xb4}, {1, 3, 3, 7}, {1, 1, 8, 10},
			{4, 2, 8, 10}, {1, 1, 4, 2}, {3, 3, 9, 1}, {1, 1, 5, 10}, {3, 3, 20, 0},
			{8, 10, 1, 2}, {2, 4, 0, 0}};
	struct sc_seg seg, want;
	struct sc_rng rng;
	uint8_t opts[40];

	(void)state;
	sc_rng_seed(&rng, 17);
	for (unsigned int i = 0; i < 100000; i++) {
		size_t len = sc_rng_below(&rng, 11) * 4;

		for (size_t at = 0; at < len; at += 4)
			memcpy(opts + at, words[sc_rng_below(&rng, SC_ARRAY_SIZE(words))], 4);
		for (unsigned int k = sc_rng_below(&rng, 3); k > 0 && len > 0; k--)
			opts[sc_rng_below(&rng, (uint32_t)len)] = (uint8_t)sc_rng_below(&rng, 12);
		parse_opts(opts, len, &seg);
		read_slowly(opts, len, &want);
		assert_int_equal(seg.opts, want.opts);
		assert_int_equal(seg.mss, want.mss);
		assert_int_equal(seg.wscale, want.wscale);
		assert_int_equal(seg.tsval, want.tsval);
		assert_int_equal(seg.tsecr, want.tsecr);
	}
}

static void
test_every_flag(void **state)
{
	struct sc_seg seg;

	(void)state;
	for (unsigned int flags = 0; flags < 256; flags++) {
		struct test_frame f = {.flags = (uint8_t)flags};

		assert_int_equal(parse(&f, &seg), SC_R_NONE);
		assert_int_equal(seg.flags, flags);
	}
}

/*
 * Every data offset against every length of the IP payload (0 would mean the frame's), with nothing
 * behind it.
 */
static void
test_header_length(void **state)
{
	static const char zeros[64];

	(void)state;
	for (size_t len = 1; len <= 60; len++) {
		struct test_frame f = {.src = "fd00::1", .dst = "fd00::2", .payload = zeros};

		f.len = len < 20 ? 0 : len - 20;
		for (unsigned int words = 0; words < 16; words++) {
			struct rte_mbuf *m = test_frame_mbuf(pool, &f);
			uint8_t *ip = rte_pktmbuf_mtod_offset(m, uint8_t *, 14);
			bool fits = words >= 5 && words * 4 <= len;
			struct sc_seg seg;
			enum sc_reason r;

			rte_pktmbuf_trim(m, (uint16_t)(20 + f.len - len));
			ip[5] = (uint8_t)len;
			if (len > 12)
				ip[40 + 12] = (uint8_t)(words << 4);
			r = sc_packet_parse(m, SC_LINK_ETHER, &seg);
			if (!fits)
				assert_int_equal(r, SC_R_BAD_TCP_HEADER);
			else
				assert_int_equal(seg.payload_len, len - words * 4);
			rte_pktmbuf_free(m);
		}
	}
}

/* The four reserved bits beside the data offset are not part of it (RFC 9293 section 3.1). */
static void
test_reserved_bits(void **state)
{
	struct test_frame f = {.flags = SC_TCP_ACK};
	struct rte_mbuf *m = test_frame_mbuf(pool, &f);
	uint8_t *tcp = rte_pktmbuf_mtod_offset(m, uint8_t *, 34);
	struct sc_seg seg;

	(void)state;
	tcp[12] |= 0x0f;
	m->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	assert_int_equal(sc_packet_parse(m, SC_LINK_ETHER, &seg), SC_R_NONE);
	assert_int_equal(seg.payload_len, 0);
	rte_pktmbuf_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_no_options),
			cmocka_unit_test(test_all_options),
			cmocka_unit_test(test_each_option_alone),
			cmocka_unit_test(test_timestamps_in_data),
			cmocka_unit_test(test_wrong_length_is_skipped),
			cmocka_unit_test(test_impossible_length_ends_the_list),
			cmocka_unit_test(test_kind_in_last_byte),
			cmocka_unit_test(test_end_of_list),
			cmocka_unit_test(test_only_nops),
			cmocka_unit_test(test_values_are_bounded),
			cmocka_unit_test(test_repeated_option_last_wins),
			cmocka_unit_test(test_any_list),
			cmocka_unit_test(test_every_flag),
			cmocka_unit_test(test_header_length),
			cmocka_unit_test(test_reserved_bits),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
