/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory of one worker: free lists, what is taken and given back, what is refused. */
#include <errno.h>
#include <frame.h>
#include <stdio.h>
#include <string.h>
#include <test_eal.h>

#include <sc_session.h>

#include "sc_test.h"

static struct rte_mempool *pool;
static struct sc_tables t;

static const struct sc_tables_cfg small = {
		.max_flows = 5,
		.copies = 2,
		.max_tombs = 3,
		.max_holes = 3,
		.max_held = 6,
		.max_chunks = 8,
		.max_refs = 2,
		.by_address = true,
		.now_us = 1000000,
};

static int
setup(void **state)
{
	struct sc_err err;

	if (pool == NULL)
		pool = test_pool("tables", 255, 2048);
	return sc_tables_init(&t, &small, &err);
}

/* Whatever was taken is back. */
static int
teardown(void **state)
{
	bool is_whole = t.free_flow.nb == small.max_flows && t.free_held.nb == small.max_held
			&& t.free_chunk.nb == small.max_chunks && t.nb_refs == 0
			&& rte_mempool_avail_count(pool) == 255;

	sc_tables_fini(&t);
	return is_whole ? 0 : -1;
}

static void
refused_configuration(void **state)
{
	static const size_t must[] = {
			offsetof(struct sc_tables_cfg, max_flows),
			offsetof(struct sc_tables_cfg, copies),
			offsetof(struct sc_tables_cfg, max_tombs),
			offsetof(struct sc_tables_cfg, max_held),
	};
	struct sc_tables other;
	struct sc_err err;

	for (unsigned int i = 0; i < SC_ARRAY_SIZE(must); i++) {
		struct sc_tables_cfg cfg = small;

		memset((uint8_t *)&cfg + must[i], 0, 4);
		assert_int_equal(sc_tables_init(&other, &cfg, &err), -EINVAL);
		assert_non_null(strstr(err.text, "at least one"));
	}
}

/* Too much memory is refused with a sentence that names the sum, and leaves nothing behind. */
static void
no_memory(void **state)
{
	struct sc_tables_cfg cfg = small;
	struct sc_tables other;
	FILE *f = fopen("/proc/sys/vm/overcommit_memory", "r");
	int mode = f == NULL ? '1' : fgetc(f);
	struct sc_err err;

	if (f != NULL)
		fclose(f);
	if (mode == '1') { /* the kernel would promise anything */
		skip();
		return;
	}
	cfg.max_chunks = UINT32_MAX;
	assert_true(sc_tables_size(&cfg) > 1ull << 40);
	assert_int_equal(sc_tables_init(&other, &cfg, &err), -ENOMEM);
	assert_non_null(strstr(err.text, "MiB wanted"));
	assert_null(other.flow);
	sc_tables_fini(&other);
}

/* A wheel node has no room for more. */
static void
too_many_sessions(void **state)
{
	struct sc_tables_cfg cfg = small;
	struct sc_tables other;
	struct sc_err err;

	cfg.max_flows = 1u << 20;
	cfg.copies = 1u << 11;
	assert_int_equal(sc_tables_init(&other, &cfg, &err), -EINVAL);
	assert_non_null(strstr(err.text, "at most 2147483647"));
}

/* Without chunks and kept addresses there are none. */
static void
smallest(void **state)
{
	struct sc_tables_cfg cfg = {.max_flows = 1, .copies = 1, .max_tombs = 1, .max_held = 1};
	struct sc_tables other;
	struct sc_err err;

	assert_int_equal(sc_tables_init(&other, &cfg, &err), 0);
	assert_null(other.by_tuple.buckets);
	assert_int_equal(other.free_chunk.nb, 0);
	assert_int_equal(sc_held_fill(&other), 0);
	sc_tables_fini(&other);
	sc_tables_fini(&other); /* twice is fine */
}

/* Lowest first, each once, zeroed, and SC_NONE at the end. */
static void
flows(void **state)
{
	for (uint32_t i = 0; i < 5; i++) {
		assert_int_equal(sc_flow_take(&t), i);
		assert_int_equal(t.flow[i].held_head, SC_NONE);
		assert_int_equal(t.flow[i].hole, SC_HOLE_NONE);
		t.flow[i].nxt = 77;
		t.flow[i].state = SC_FLOW_LIVE;
		sc_sweep_touch(&t.sweep, i, 1);
	}
	assert_int_equal(sc_flow_take(&t), SC_NONE);
	sc_flow_give(&t, 3);
	assert_int_equal(t.flow[3].state, SC_FLOW_FREE);
	assert_int_equal(t.sweep.last_seen[3], 0);
	assert_int_equal(sc_flow_take(&t), 3);
	assert_int_equal(t.flow[3].nxt, 0);
	for (uint32_t i = 0; i < 5; i++)
		sc_flow_give(&t, i);
}

/* Each flow finds its own hole, whichever others are given back; so does one that is over. */
static void
holes(void **state)
{
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(sc_flow_take(&t), i);
	assert_true(sc_hole_take(&t, 4));
	assert_true(sc_hole_take(&t, 1));
	assert_true(sc_hole_take(&t, 2));
	assert_false(sc_hole_take(&t, 0));
	assert_int_equal(t.flow[0].hole, SC_HOLE_NONE);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(t.flow[t.hole[i].flow].hole, i);
		assert_int_equal(t.hole[i].head, SC_NONE);
		t.hole[i].ack = t.hole[i].flow;
	}
	sc_hole_give(&t, 4);
	assert_int_equal(t.flow[4].hole, SC_HOLE_NONE);
	sc_flow_give(&t, 1);
	assert_int_equal(t.nb_holes, 1);
	assert_int_equal(t.hole[t.flow[2].hole].ack, 2);
	sc_hole_give(&t, 2);
	assert_int_equal(t.nb_holes, 0);
	assert_int_equal(sc_flow_take(&t), 1);
	assert_int_equal(t.flow[1].hole, SC_HOLE_NONE);
	for (uint32_t i = 0; i < 5; i++)
		sc_flow_give(&t, i);
}

/* 0 and what lies below 2 ms are themselves; above, a thousandth is lost at most, and order is kept. */
static void
short_times(void **state)
{
	uint16_t before = 0;

	for (uint32_t us = 0; us < 2048; us++)
		assert_int_equal(sc_us16_us(sc_us16(us)), us);
	for (uint64_t us = 1; us <= UINT32_MAX; us += us / 700 + 1) {
		uint16_t v = sc_us16((uint32_t)us);

		assert_true(v >= before);
		assert_in_range(sc_us16_us(v), us - us / 1000, us);
		before = v;
	}
	assert_in_range(sc_us16_us(sc_us16(UINT32_MAX)), UINT32_MAX - UINT32_MAX / 1000,
			UINT32_MAX);
}

/* A session that is given back is out of the wheel. */
static void
sessions(void **state)
{
	uint32_t due[4];

	assert_int_equal(t.nb_sessions, 10);
	assert_int_equal(sc_session_first(&t, 0), SC_NONE);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(sc_session_take(&t, i / 2, i % 2), i);
		assert_int_equal(sc_session_flow(&t, i), i / 2);
		assert_int_equal(t.session[i].cur_una, SC_NONE);
		assert_int_equal(t.session[i].cur_nxt, SC_NONE);
		t.session[i].state = SC_CONN_OPEN;
		sc_wheel_arm(&t.wheel, i, 1000000 + 1000);
	}
	assert_int_equal(sc_session_first(&t, 1), 2);
	assert_int_equal(sc_session_next(&t, 2), 3);
	assert_int_equal(sc_session_next(&t, 3), SC_NONE);
	sc_session_give(&t, 2);
	assert_int_equal(sc_session_first(&t, 1), 3);
	assert_int_equal(t.session[2].state, SC_CONN_FREE);
	assert_false(sc_wheel_is_armed(&t.wheel, 2));
	assert_int_equal(sc_session_take(&t, 1, 0), 2);
	assert_false(sc_wheel_is_armed(&t.wheel, 2));
	assert_true(sc_wheel_validate(&t.wheel));
	assert_int_equal(sc_wheel_expire(&t.wheel, 1000000 + 5000, due, 4), 3);
	for (uint32_t i = 0; i < 4; i++)
		sc_session_give(&t, i);
}

/* ---- held bytes ---- */

static uint8_t text[4000];

static void
parse(struct sc_seg *seg, size_t len, size_t cut)
{
	static uint8_t frame[TEST_FRAME_MAX];
	struct test_frame f = {.flags = SC_TCP_ACK, .payload = text, .len = len};

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * 7 + i / 256);
	assert_int_equal(sc_packet_parse(test_mbuf_from(pool, frame,
							 test_frame_bytes(&f, frame, sizeof(frame)),
							 cut),
					 SC_LINK_ETHER, seg),
			SC_R_NONE);
}

/* Up to copy_below bytes are copied, more stay in their frame. */
static void
copy_or_reference(void **state)
{
	struct sc_seg seg;
	uint32_t a, b;
	bool took;

	parse(&seg, 1000, 0);
	a = sc_held_take(&t, &seg, 0, 512, 512, &took);
	assert_false(took);
	assert_false(t.held[a].flags & SC_HELD_REF);
	assert_int_equal(t.free_chunk.nb, 6);
	b = sc_held_take(&t, &seg, 0, 513, 512, &took);
	assert_true(took);
	assert_true(t.held[b].flags & SC_HELD_REF);
	assert_int_equal(t.free_chunk.nb, 6);
	assert_int_equal(t.nb_refs, 1);
	sc_held_give(&t, a);
	assert_int_equal(t.free_chunk.nb, 8);
	sc_held_give(&t, b); /* and the frame with it */
	assert_int_equal(t.nb_refs, 0);
}

/* Over the budget for references bytes are copied; a chain counts each of its mbufs. */
static void
reference_budget(void **state)
{
	struct sc_seg one, chain;
	uint32_t a, b;
	bool took;

	parse(&one, 1000, 0);
	parse(&chain, 1000, 600);
	assert_int_equal(chain.mbuf->nb_segs, 2);
	a = sc_held_take(&t, &one, 0, 1000, 512, &took);
	assert_true(took);
	b = sc_held_take(&t, &chain, 0, 1000, 512, &took);
	assert_false(took);
	assert_int_equal(t.free_chunk.nb, 4);
	sc_held_give(&t, a);
	sc_held_give(&t, b);
	b = sc_held_take(&t, &chain, 0, 1000, 512, &took);
	assert_true(took);
	assert_int_equal(t.nb_refs, 2);
	sc_held_give(&t, b);
}

/* No descriptor, or too few chunks: SC_NONE, and nothing has changed. */
static void
pools_empty(void **state)
{
	struct sc_seg seg;
	uint32_t i[6];
	bool took = true;

	parse(&seg, 2000, 0);
	i[0] = sc_held_take(&t, &seg, 0, 1900, 4000, &took); /* all 8 chunks */
	assert_int_equal(t.free_chunk.nb, 0);
	assert_int_equal(sc_held_fill(&t), 1000);
	assert_int_equal(sc_held_take(&t, &seg, 0, 1, 4000, &took), SC_NONE);
	assert_false(took);
	assert_int_equal(t.free_held.nb, 5);
	sc_held_give(&t, i[0]);
	for (int k = 0; k < 6; k++)
		i[k] = sc_held_take_empty(&t);
	assert_int_equal(sc_held_take_empty(&t), SC_NONE);
	assert_int_equal(sc_held_take(&t, &seg, 0, 1, 4000, &took), SC_NONE);
	assert_int_equal(t.free_chunk.nb, 8);
	assert_int_equal(sc_held_fill(&t), 1000);
	sc_held_give(&t, i[5]);
	assert_int_equal(sc_held_fill(&t), 833);
	for (int k = 0; k < 5; k++)
		sc_held_give(&t, i[k]);
	assert_int_equal(sc_held_fill(&t), 0);
	rte_pktmbuf_free(seg.mbuf);
}

static void
take_empty(void **state)
{
	uint32_t i = sc_held_take_empty(&t);

	assert_int_equal(t.held[i].len, 0);
	assert_int_equal(t.held[i].next, SC_NONE);
	assert_int_equal(sc_held_sum(&t, &t.held[i], 0, 0), 0);
	sc_held_give(&t, i);
	assert_int_equal(t.free_chunk.nb, 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(refused_configuration),
			cmocka_unit_test(no_memory),
			cmocka_unit_test(too_many_sessions),
			cmocka_unit_test(smallest),
			cmocka_unit_test(short_times),
			cmocka_unit_test_setup_teardown(flows, setup, teardown),
			cmocka_unit_test_setup_teardown(holes, setup, teardown),
			cmocka_unit_test_setup_teardown(sessions, setup, teardown),
			cmocka_unit_test_setup_teardown(copy_or_reference, setup, teardown),
			cmocka_unit_test_setup_teardown(reference_budget, setup, teardown),
			cmocka_unit_test_setup_teardown(pools_empty, setup, teardown),
			cmocka_unit_test_setup_teardown(take_empty, setup, teardown),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
