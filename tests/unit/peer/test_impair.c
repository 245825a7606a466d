/* SPDX-License-Identifier: BSD-3-Clause */
/* The words of impairments, the path they make, and one-shot rules on a connection. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bed.h"
#include "path.h"
#include "sc_test.h"
#include "test_eal.h"

#define SYN SC_TCP_SYN
#define ACK SC_TCP_ACK
#define FIN_ACK (SC_TCP_FIN | SC_TCP_ACK)
#define SYN_ACK (SC_TCP_SYN | SC_TCP_ACK)

static void
test_parse(void **state)
{
	struct sc_impair im;

	assert_int_equal(sc_impair_parse("", &im, NULL), 0);
	assert_int_equal(im.loss_pct == 0 && im.window == 0 && im.rules[0] == '\0', 1);
	assert_int_equal(sc_impair_parse("loss=1,dup=0.5%, reorder=2,delay=2ms,jitter=500us,"
					 "window=4096,drop:data:5,zerowin:20000:300,drop:syn:1",
					 &im, NULL),
			0);
	assert_true(im.loss_pct == 1 && im.dup_pct == 0.5 && im.reorder_pct == 2);
	assert_int_equal(im.delay_us, 2000);
	assert_int_equal(im.jitter_us, 500);
	assert_int_equal(im.window, 4096);
	assert_string_equal(im.rules, "drop:data:5,zerowin:20000:300,drop:syn:1");
	assert_int_equal(sc_impair_parse("delay=10s", &im, NULL), 0);
	assert_int_equal(im.delay_us, 10000000);
	assert_int_equal(im.window, 0);
}

static void
test_parse_refuses(void **state)
{
	/* the text, and what the sentence must quote */
	static const char *const bad[][2] = {{"los=1", "\"los=1\""}, {"loss", "\"loss\""},
			{"loss=101", "percentage"}, {"loss=x", "percentage"},
			{"dup=-1", "percentage"}, {"reorder=1%%", "percentage"}, {"delay=2", "2ms"},
			{"delay=11s", "at most 10s"}, {"jitter=2 ms x", "\"jitter=2 ms x\""},
			{"window=0", "1 to"}, {"window=8388481", "1 to 8388480"},
			{"drop:data", "1 to 65535"}, {"drop:data:0", "1 to 65535"},
			{"drop:data:65536", "1 to 65535"}, {"drop:push:1", "synack"},
			{"drop::1", "KIND"}, {"zerowin:100", "BYTES"}, {"zerowin:100:0", "BYTES"},
			{"zerowin:4294967296:1", "BYTES"}, {"zerowin:1:600001", "600000"},
			{"loss=1,,oops", "\"oops\""}};
	struct sc_impair im;
	struct sc_err err;
	char many[512] = "";

	for (size_t i = 0; i < SC_ARRAY_SIZE(bad); i++) {
		assert_int_equal(sc_impair_parse(bad[i][0], &im, &err), -EINVAL);
		if (strstr(err.text, bad[i][1]) == NULL)
			fail_msg("\"%s\" gave \"%s\"", bad[i][0], err.text);
	}
	memset(many, 'x', 100);
	assert_int_equal(sc_impair_parse(many, &im, &err), -EINVAL);
	many[0] = '\0';
	for (unsigned int i = 0; i < 17; i++)
		strcat(many, "drop:rst:1,");
	assert_int_equal(sc_impair_parse(many, &im, &err), -EINVAL);
	assert_non_null(strstr(err.text, "at most 16"));
	many[0] = '\0';
	for (unsigned int i = 0; i < 16; i++)
		strcat(many, "zerowin:4000000000:600000,");
	assert_int_equal(sc_impair_parse(many, &im, &err), -EINVAL);
	assert_non_null(strstr(err.text, "255 characters"));
}

static void
test_rules_sorted(void **state)
{
	struct wire_rules r;

	assert_int_equal(wire_rules_parse("zerowin:30:2,drop:ack:3,zerowin:10:1", &r, NULL), 0);
	assert_int_equal(r.nb_zero, 2);
	assert_int_equal(r.zero[0].bytes, 10);
	assert_int_equal(r.zero[1].us, 2000);
	assert_int_equal(r.nb_drop, 1);
	assert_int_equal(r.drop[0].kind, WIRE_ACK);
	assert_int_equal(wire_rules_parse("loss=1", &r, NULL), -EINVAL);
}

static void
test_track(void **state)
{
	struct wire_track *t;
	struct wire_rules r;

	assert_int_equal(wire_rules_parse("drop:data:2", &r, NULL), 0);
	t = wire_track_create(&r, 4);
	assert_non_null(t);
	for (uint64_t conn = 0; conn < 3; conn++) {
		assert_false(wire_track_drops(t, conn * 2, WIRE_SYN, 100, 1));
		assert_false(wire_track_drops(t, conn * 2, WIRE_DATA, 101, 1));
		assert_false(wire_track_drops(t, conn * 2, WIRE_ACK, 101, 1));
		assert_true(wire_track_drops(t, conn * 2, WIRE_DATA, 101, 1));
		assert_false(wire_track_drops(t, conn * 2, WIRE_DATA, 101, 1));
		/* The SYN again is the same connection, another ISN another one. */
		assert_false(wire_track_drops(t, conn * 2, WIRE_SYN, 100, 1));
		assert_false(wire_track_drops(t, conn * 2, WIRE_DATA, 101, 1));
		assert_false(wire_track_drops(t, conn * 2, WIRE_SYN, 200, 1));
		assert_false(wire_track_drops(t, conn * 2, WIRE_DATA, 201, 1));
		assert_true(wire_track_drops(t, conn * 2, WIRE_DATA, 201, 1));
	}
	/* More than fit: the oldest are forgotten, nothing else happens. */
	for (uint64_t i = 0; i < 1000; i++)
		assert_false(wire_track_drops(t, i << 8, WIRE_DATA, 1, 2 + i));
	wire_track_free(t);
}

/* ---- the path ---- */

struct lane {
	struct rte_mempool *pool;
	struct sc_impair im;
	struct path path;
	uint64_t impaired;
};

static void
lane_open(struct lane *l, const char *text)
{
	static unsigned int serial;
	char name[16];

	memset(l, 0, sizeof(*l));
	snprintf(name, sizeof(name), "lane%u", serial++);
	l->pool = test_pool(name, 2047, 128);
	assert_int_equal(sc_impair_parse(text, &l->im, NULL), 0);
	l->path.im = &l->im;
	l->path.pool = l->pool;
	l->path.impaired = &l->impaired;
	assert_int_equal(path_init(&l->path, 5), 0);
}

static void
lane_close(struct lane *l)
{
	path_free(&l->path);
	assert_int_equal(rte_mempool_avail_count(l->pool), 2047);
	rte_mempool_free(l->pool);
}

static void
lane_put(struct lane *l, uint32_t no, uint64_t now)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(l->pool);

	assert_non_null(m);
	memcpy(rte_pktmbuf_append(m, sizeof(no)), &no, sizeof(no));
	path_put(&l->path, m, now);
}

/* The number of the frame that is due, or -1. */
static int
lane_get(struct lane *l, uint64_t now)
{
	struct rte_mbuf *m = path_head(&l->path, now);
	uint32_t no;

	if (m == NULL)
		return -1;
	assert_ptr_equal(path_take(&l->path), m);
	no = *rte_pktmbuf_mtod(m, uint32_t *);
	rte_pktmbuf_free(m);
	return (int)no;
}

static void
test_path_plain(void **state)
{
	struct lane l;

	lane_open(&l, "");
	for (uint32_t i = 0; i < 100; i++)
		lane_put(&l, i, 10);
	for (int i = 0; i < 100; i++)
		assert_int_equal(lane_get(&l, 10), i);
	assert_int_equal(lane_get(&l, 10), -1);
	assert_int_equal(l.impaired, 0);
	lane_put(&l, 7, 10); /* freed by path_free() */
	lane_close(&l);
}

static void
test_path_delay(void **state)
{
	unsigned int nb = 0;
	struct lane l;

	lane_open(&l, "delay=2ms");
	lane_put(&l, 1, 1000);
	lane_put(&l, 2, 1500);
	assert_int_equal(lane_get(&l, 2999), -1);
	assert_int_equal(lane_get(&l, 3000), 1);
	assert_int_equal(lane_get(&l, 3000), -1);
	assert_int_equal(lane_get(&l, 3500), 2);
	lane_close(&l);
	lane_open(&l, "delay=2ms,jitter=1ms");
	for (uint32_t i = 0; i < 200; i++)
		lane_put(&l, i, 0);
	assert_int_equal(lane_get(&l, 1999), -1);
	while (lane_get(&l, 2500) >= 0)
		nb++;
	assert_in_range(nb, 60, 140);
	while (lane_get(&l, 3000) >= 0)
		nb++;
	assert_int_equal(nb, 200);
	lane_close(&l);
}

static void
test_path_loss_and_dup(void **state)
{
	unsigned int nb = 0;
	struct lane l;

	lane_open(&l, "loss=10");
	for (uint32_t i = 0; i < 1000; i++)
		lane_put(&l, i, 0);
	while (lane_get(&l, 0) >= 0)
		nb++;
	assert_in_range(nb, 860, 940);
	assert_int_equal(l.impaired, 1000 - nb);
	lane_close(&l);
	lane_open(&l, "dup=10");
	for (uint32_t i = 0; i < 1000; i++)
		lane_put(&l, i, 0);
	for (nb = 0; lane_get(&l, 0) >= 0;)
		nb++;
	assert_in_range(nb, 1060, 1140);
	assert_int_equal(l.impaired, nb - 1000);
	lane_close(&l);
	lane_open(&l, "loss=100");
	lane_put(&l, 1, 0);
	assert_int_equal(lane_get(&l, 1000000), -1);
	lane_close(&l);
}

static void
test_path_reorder(void **state)
{
	unsigned int late = 0;
	struct lane l;
	int no;

	lane_open(&l, "reorder=10");
	for (uint32_t i = 0; i < 1000; i++)
		lane_put(&l, i, i);
	for (int want = 0; want < 1000 - 8; want++) {
		no = lane_get(&l, 1000);
		/* Overtaken by at most three frames, and by held ones released together. */
		assert_in_range(no, want - 11 < 0 ? 0 : want - 11, want + 11);
		late += no != want;
	}
	assert_true(late > 50);
	assert_in_range(l.impaired, 70, 130);
	while (lane_get(&l, 10000) >= 0)
		;
	lane_close(&l);
	/* With nothing behind it, a held frame goes on after 2 ms. */
	lane_open(&l, "reorder=100");
	lane_put(&l, 3, 500);
	assert_int_equal(lane_get(&l, 2499), -1);
	assert_int_equal(lane_get(&l, 2500), 3);
	lane_put(&l, 4, 500); /* freed while held */
	lane_close(&l);
}

static void
test_path_bound(void **state)
{
	struct sc_impair im = {.delay_us = 1000};
	uint64_t impaired = 0;
	struct path p = {.im = &im, .impaired = &impaired};
	struct rte_mempool *mp = rte_pktmbuf_pool_create(
			"bound", PATH_MAX_FRAMES + 2, 0, 0, 0, SOCKET_ID_ANY);
	struct rte_mbuf *m;

	assert_non_null(mp);
	assert_int_equal(path_init(&p, 1), 0);
	for (uint32_t i = 0; i < PATH_MAX_FRAMES + 2; i++) {
		m = rte_pktmbuf_alloc(mp);
		assert_non_null(m);
		path_put(&p, m, 0);
	}
	assert_int_equal(impaired, 2);
	path_free(&p);
	assert_int_equal(rte_mempool_avail_count(mp), PATH_MAX_FRAMES + 2);
	rte_mempool_free(mp);
}

/* ---- rules on a connection ---- */

static void
test_drop_handshake(void **state)
{
	struct client c;
	struct got g;
	struct bed b;

	bed_start_text(&b, "q", "drop:syn:1,drop:synack:1");
	c = client_new(&b, 0);
	client_send(&c, SYN, "");
	client_expect_none(&c);
	assert_int_equal(bed_stats(&b)->syn, 0);
	client_send_at(&c, BED_ISN, SYN, "");
	client_expect_none(&c);
	assert_int_equal(bed_stats(&b)->syn, 1);
	assert_int_equal(b.st.impaired, 2);
	bed_wait(&b, 1000000);
	assert_true(bed_get(&b, &g));
	assert_int_equal(g.seg.flags, SYN_ACK);
	bed_close(&b);
}

static void
test_drop_data(void **state)
{
	struct client c;
	struct bed b;

	bed_start_text(&b, "abc", "drop:data:2,drop:answer:1,drop:ack:3");
	c = client_new(&b, 0);
	client_connect(&c); /* ack 1 */
	client_send(&c, ACK, "a");
	client_expect_none(&c);
	bed_wait(&b, 40000);
	client_expect(&c, ACK, ""); /* ack 2 */
	client_send(&c, ACK, "b");
	bed_wait(&b, 100000);
	client_expect_none(&c);
	client_send_at(&c, c.seq - 1, ACK, "bc");
	c.seq++;
	client_expect_none(&c); /* the answer was dropped */
	assert_int_equal(bed_stats(&b)->bytes_in, 3);
	assert_int_equal(b.st.impaired, 2);
	bed_wait(&b, 201000);
	client_expect(&c, ACK, "a");
	client_send(&c, ACK, ""); /* ack 3 */
	client_expect_none(&c);
	assert_int_equal(bed_stats(&b)->bytes_out, 0);
	assert_int_equal(b.st.impaired, 3);
	assert_int_equal(b.st.retransmitted, 1);
	bed_close(&b);
}

static void
test_drop_close(void **state)
{
	struct client c;
	struct bed b;

	bed_start_long(&b, 0, "drop:fin:2,drop:rst:1");
	c = client_new(&b, 0);
	client_connect(&c);
	client_send(&c, ACK, "q");
	client_expect(&c, FIN_ACK, "");
	client_send(&c, FIN_ACK, "");
	client_expect_none(&c);
	client_send_at(&c, c.seq - 1, FIN_ACK, "");
	client_expect(&c, ACK, "");
	assert_int_equal(bed_stats(&b)->closed, 1);
	bed_wait(&b, 5100000);
	client_send(&c, ACK, "");
	client_expect_none(&c);
	assert_int_equal(bed_stats(&b)->rst_out, 1);
	client_send(&c, ACK, "");
	client_expect(&c, SC_TCP_RST, "");
	bed_close(&b);
}

static void
test_delay_both_ways(void **state)
{
	struct client c;
	struct got g;
	struct bed b;

	bed_start_text(&b, "q", "delay=5ms");
	c = client_new(&b, 0);
	client_send(&c, SYN, "");
	client_expect_none(&c);
	bed_wait(&b, 9000);
	client_expect_none(&c);
	bed_wait(&b, 1000);
	assert_true(bed_get(&b, &g));
	assert_int_equal(sc_peer_poll(b.peer, b.now), 0);
	bed_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_parse),
			cmocka_unit_test(test_parse_refuses),
			cmocka_unit_test(test_rules_sorted),
			cmocka_unit_test(test_track),
			cmocka_unit_test(test_path_plain),
			cmocka_unit_test(test_path_delay),
			cmocka_unit_test(test_path_loss_and_dup),
			cmocka_unit_test(test_path_reorder),
			cmocka_unit_test(test_path_bound),
			cmocka_unit_test(test_drop_handshake),
			cmocka_unit_test(test_drop_data),
			cmocka_unit_test(test_drop_close),
			cmocka_unit_test(test_delay_both_ways),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
