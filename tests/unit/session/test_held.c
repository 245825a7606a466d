/* SPDX-License-Identifier: BSD-3-Clause */
/* Client bytes read back out of chunks and frames, cut, and summed. */
#include <frame.h>
#include <string.h>
#include <test_eal.h>

#include <sc_session.h>

#include "sc_test.h"

#define LEN 9001

static struct rte_mempool *pool;
static struct sc_tables t;
static uint8_t text[LEN];

static int
setup(void **state)
{
	const struct sc_tables_cfg cfg = {
			.max_flows = 1,
			.copies = 1,
			.max_tombs = 1,
			.max_held = 8,
			.max_chunks = 100,
			.max_refs = 100,
	};
	struct sc_rng rng;

	if (test_eal_setup(state) < 0)
		return -1;
	pool = test_pool("held", 127, 2048);
	sc_rng_seed(&rng, 11);
	for (size_t i = 0; i < LEN; i++)
		text[i] = (uint8_t)sc_rng_next(&rng);
	return sc_tables_init(&t, &cfg, NULL);
}

static int
teardown(void **state)
{
	bool is_whole = t.free_held.nb == 8 && t.free_chunk.nb == 100 && t.nb_refs == 0
			&& rte_mempool_avail_count(pool) == 127;

	sc_tables_fini(&t);
	return test_eal_teardown(state) < 0 || !is_whole ? -1 : 0;
}

static uint16_t
normal(uint16_t sum)
{
	return sum == 0xffff ? 0 : sum; /* one value, two ways to write it */
}

/* The held segment's bytes are text[from, from + len), in any piece, and its sum is theirs. */
static void
check_held(const struct sc_held *h, uint32_t from, uint32_t len)
{
	static uint8_t got[LEN];

	assert_int_equal(h->len, len);
	sc_held_copy(&t, h, 0, len, got);
	assert_memory_equal(got, text + from, len);
	assert_int_equal(normal(h->sum), normal(test_sum16(text + from, len, 0)));
	for (uint32_t off = 0; off < len; off += 239) {
		uint32_t n = SC_MIN(len - off, 300u);

		memset(got, 0, sizeof(got));
		sc_held_copy(&t, h, off, n, got);
		assert_memory_equal(got, text + from + off, n);
		assert_int_equal(got[n], 0);
		assert_int_equal(normal(sc_held_sum(&t, h, off, n)),
				normal(test_sum16(text + from + off, n, 0)));
	}
}

static void
parse(struct sc_seg *seg, size_t cut)
{
	static uint8_t frame[TEST_FRAME_MAX];
	struct test_frame f = {.flags = SC_TCP_ACK, .payload = text, .len = LEN};
	size_t len = test_frame_bytes(&f, frame, sizeof(frame));

	assert_int_equal(sc_packet_parse(test_mbuf_from(pool, frame, len, cut), SC_LINK_ETHER, seg),
			SC_R_NONE);
	assert_int_equal(seg->payload_len, LEN);
}

/* A super frame over a chain: the whole of it and parts, copied and by reference. */
static void
super_frame(void **state)
{
	static const size_t cuts[] = {0, 1500, 257, 255};

	for (unsigned int i = 0; i < SC_ARRAY_SIZE(cuts); i++) {
		struct sc_seg seg;
		uint32_t whole, part, copied;
		bool took;

		parse(&seg, cuts[i]);
		copied = sc_held_take(&t, &seg, 0, LEN, UINT32_MAX, &took);
		assert_false(took);
		check_held(&t.held[copied], 0, LEN);
		part = sc_held_take(&t, &seg, 1234, 3001, UINT32_MAX, &took);
		assert_false(took);
		check_held(&t.held[part], 1234, 3001);
		whole = sc_held_take(&t, &seg, 0, LEN, 512, &took);
		assert_true(took);
		check_held(&t.held[whole], 0, LEN);
		sc_held_give(&t, whole);
		check_held(&t.held[copied], 0, LEN); /* of its own */
		sc_held_give(&t, part);
		sc_held_give(&t, copied);
	}
}

/* Lengths around the edges of chunks. */
static void
chunk_edges(void **state)
{
	static const uint32_t lens[] = {1, 2, 255, 256, 257, 511, 512, 513, 767, 768, 769};
	struct sc_seg seg;

	parse(&seg, 0);
	for (unsigned int i = 0; i < SC_ARRAY_SIZE(lens); i++) {
		bool took;
		uint32_t h = sc_held_take(&t, &seg, i, lens[i], UINT32_MAX, &took);

		assert_int_equal(100 - t.free_chunk.nb, (lens[i] + 255) / 256);
		check_held(&t.held[h], i, lens[i]);
		sc_held_give(&t, h);
	}
	rte_pktmbuf_free(seg.mbuf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(super_frame),
			cmocka_unit_test(chunk_edges),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
