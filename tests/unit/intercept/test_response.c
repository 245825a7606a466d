/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "frame.h"
#include "ic_fix.h"
#include "sc_test.h"

static struct test_frame
response(void)
{
	return (struct test_frame){.src = "10.9.0.2",
			.dst = "192.0.2.7",
			.sport = 80,
			.dport = 40123,
			.seq = 0x11223344,
			.ack = 0x55667788,
			.wnd = 501,
			.flags = SC_TCP_ACK};
}

static uint16_t
fold_of(const struct test_frame *t)
{
	struct sc_addr src = fix_addr(t->src), dst = fix_addr(t->dst);

	return sc_fold_tuple(&src, &dst, t->sport, t->dport);
}

/* Records on the ring of the owner of t, into rec; asserts that the other ring is empty. */
static unsigned int
take(struct fix *f, const struct test_frame *t, struct sc_record *rec, unsigned int max)
{
	uint8_t w = sc_steer_owner(&f->steer, fold_of(t));

	assert_int_equal(rte_ring_count(f->ring[1 - w]), 0);
	return rte_ring_dequeue_burst_elem(f->ring[w], rec, sizeof(*rec), max, NULL);
}

static void
test_v4_record(void **state)
{
	struct fix *f = fix_new();
	struct test_frame t = response();
	uint8_t opts[40];
	struct sc_record rec;
	struct sc_addr client = fix_addr("192.0.2.7");

	(void)state;
	fix_start(f);
	t.opts = opts;
	test_opt(opts, &t.opts_len, 8, 10, 0xaabbccdd00112233);
	t.payload = "answer";
	t.len = 6;
	t.flags |= SC_TCP_PSH | SC_TCP_FIN;
	fix_feed_mbuf(f, test_frame_mbuf(f->pool, &t));
	assert_int_equal(take(f, &t, &rec, 1), 1);
	assert_int_equal(rec.rx_us, f->now);
	assert_null(rec.mbuf);
	assert_true(sc_addr_eq(&rec.client, &client));
	assert_int_equal(rec.port, 40123);
	assert_int_equal(rec.target, 0);
	assert_int_equal(rec.seq, 0x11223344);
	assert_int_equal(rec.ack, 0x55667788);
	assert_int_equal(rec.tsval, 0xaabbccdd);
	assert_int_equal(rec.tsecr, 0x00112233);
	assert_int_equal(rec.len, 6);
	assert_int_equal(rec.wnd, 501);
	assert_int_equal(rec.fold, fold_of(&t));
	assert_int_equal(rec.flags, SC_TCP_ACK | SC_TCP_PSH | SC_TCP_FIN);
	assert_int_equal(rec.segs, SC_REC_TS | 1);
	assert_int_equal(rec.syn_bits, 0);
	assert_int_equal(f->stats.live.c[SC_C_RESP_RECORDS], 1);
	assert_int_equal(f->stats.live.c[SC_C_RESP_BYTES], 14 + 20 + 20 + 12 + 6);
	fix_free(f);
}

static void
test_v6_syn_ack(void **state)
{
	struct fix *f = fix_new();
	struct test_frame t = response();
	uint8_t opts[40];
	struct sc_record rec;
	struct sc_addr client = fix_addr("2001:db8::7");

	(void)state;
	fix_start(f);
	t.src = "fd00:9::2";
	t.dst = "2001:db8::7";
	t.flags = SC_TCP_SYN | SC_TCP_ACK;
	t.opts = opts;
	test_opt(opts, &t.opts_len, 2, 4, 1440);
	test_opt(opts, &t.opts_len, 4, 2, 0);
	test_opt(opts, &t.opts_len, 3, 3, 7);
	fix_feed_mbuf(f, test_frame_mbuf(f->pool, &t));
	assert_int_equal(take(f, &t, &rec, 1), 1);
	assert_true(sc_addr_eq(&rec.client, &client));
	assert_int_equal(rec.target, 1);
	assert_int_equal(rec.syn_bits, SC_REC_MSS | SC_REC_SACK_OK | SC_REC_WSCALE);
	assert_int_equal(rec.mss, 1440);
	assert_int_equal(rec.wscale, 7);
	assert_int_equal(rec.segs, 1); /* no timestamp */
	fix_free(f);
}

static void
test_refusals(void **state)
{
	struct fix *f = fix_new();
	struct test_frame t = response();
	uint8_t junk[14] = {0};

	(void)state;
	fix_start(f);
	t.sport = 81;
	fix_feed_mbuf(f, test_frame_mbuf(f->pool, &t));
	t = response();
	t.src = "10.9.0.3";
	fix_feed_mbuf(f, test_frame_mbuf(f->pool, &t));
	assert_int_equal(fix_refused(f, SC_R_NOT_FROM_TARGET), 2);
	t = response();
	t.csum = TEST_CSUM_BAD;
	fix_feed_mbuf(f, test_frame_mbuf(f->pool, &t));
	assert_int_equal(fix_refused(f, SC_R_BAD_L4_CHECKSUM), 1);
	t = response();
	t.proto = 17;
	fix_feed_mbuf(f, test_frame_mbuf(f->pool, &t));
	assert_int_equal(fix_refused(f, SC_R_NOT_TCP), 1);
	t = response();
	t.ip_frag = 0x2000;
	fix_feed_mbuf(f, test_frame_mbuf(f->pool, &t));
	assert_int_equal(fix_refused(f, SC_R_IP_FRAGMENT), 1);
	fix_feed(f, junk, 13);
	assert_int_equal(fix_refused(f, SC_R_SHORT_FRAME), 1);
	junk[12] = 0x88;
	junk[13] = 0xcc; /* LLDP */
	fix_feed(f, junk, 14);
	assert_int_equal(fix_refused(f, SC_R_NOT_IP), 1);
	assert_int_equal(f->stats.live.c[SC_C_RESP_RECORDS], 0);
	fix_free(f);
}

/* A target whose kernel leaves the checksum to a NIC that is not there (veth). */
static void
test_partial_checksum(void **state)
{
	struct fix *f = fix_new();
	struct test_frame t = response();
	struct sc_record rec;

	(void)state;
	fix_start(f);
	t.csum = TEST_CSUM_PARTIAL;
	fix_feed_mbuf(f, test_frame_mbuf(f->pool, &t));
	assert_int_equal(take(f, &t, &rec, 1), 1);
	fix_free(f);
}

static void
test_payload_wanted(void **state)
{
	struct fix *f = fix_new();
	struct test_frame t = response();
	struct sc_record rec;

	(void)state;
	fix_start(f);
	f->want[fold_of(&t)] = 1;
	fix_feed_mbuf(f, test_frame_mbuf(f->pool, &t)); /* a bare ACK has none */
	assert_int_equal(take(f, &t, &rec, 1), 1);
	assert_null(rec.mbuf);
	t.payload = "answer";
	t.len = 6;
	fix_feed_mbuf(f, test_frame_mbuf(f->pool, &t));
	assert_int_equal(take(f, &t, &rec, 1), 1);
	assert_non_null(rec.mbuf);
	assert_memory_equal(rte_pktmbuf_mtod_offset(rec.mbuf, char *, 54), "answer", 6);
	rte_pktmbuf_free(rec.mbuf);
	t.dport++; /* another fold */
	fix_feed_mbuf(f, test_frame_mbuf(f->pool, &t));
	assert_int_equal(take(f, &t, &rec, 1), 1);
	assert_null(rec.mbuf);
	fix_free(f);
}

static void
test_ring_full(void **state)
{
	struct fix *f = fix_new();
	struct test_frame t = response();
	struct sc_record rec[8];
	struct rte_mbuf *m[5];
	struct rte_ring *small[FIX_WORKERS];

	(void)state;
	for (unsigned int w = 0; w < FIX_WORKERS; w++) {
		small[w] = rte_ring_create_elem(w == 0 ? "small0" : "small1", sizeof(*rec), 4,
				SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
		f->cfg.ring[w] = small[w];
	}
	fix_start(f);
	f->want[fold_of(&t)] = 1;
	t.payload = "answer";
	t.len = 6;
	for (unsigned int i = 0; i < 5; i++, t.seq++)
		m[i] = test_frame_mbuf(f->pool, &t);
	sc_intercept_burst(f->ic, m, 5, f->now);
	fix_check(f);
	assert_int_equal(f->stats.live.c[SC_C_RESP_RECORDS], 3);
	assert_int_equal(fix_refused(f, SC_R_RECORD_RING_FULL), 2);
	assert_int_equal(rte_ring_dequeue_burst_elem(small[sc_steer_owner(&f->steer, fold_of(&t))],
					 rec, sizeof(*rec), 8, NULL),
			3);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(rec[i].seq, 0x11223344 + i); /* the first ones, in order */
		rte_pktmbuf_free(rec[i].mbuf);
	}
	for (unsigned int w = 0; w < FIX_WORKERS; w++)
		rte_ring_free(small[w]);
	fix_free(f);
}

static void
test_big_burst(void **state)
{
	struct fix *f = fix_new();
	struct test_frame t = response();
	struct rte_mbuf *m[300];
	struct sc_record rec;
	uint32_t want_seq = t.seq;

	(void)state;
	fix_start(f);
	for (unsigned int i = 0; i < 300; i++, t.seq++)
		m[i] = test_frame_mbuf(f->pool, &t);
	sc_intercept_burst(f->ic, m, 300, f->now);
	fix_check(f);
	assert_int_equal(f->stats.live.c[SC_C_RESP_RECORDS], 300);
	for (unsigned int i = 0; i < 300; i++) {
		assert_int_equal(take(f, &t, &rec, 1), 1);
		assert_int_equal(rec.seq, want_seq++);
	}
	fix_free(f);
}

static void
test_inline(void **state)
{
	struct fix *f = fix_new();
	struct test_frame t = response();
	struct sc_record rec[SC_REC_TS];
	struct rte_mbuf *m[300];
	uint8_t w = sc_steer_owner(&f->steer, fold_of(&t));
	uint16_t all = 0, n;

	(void)state;
	memset(f->cfg.ring, 0, sizeof(f->cfg.ring));
	fix_start(f);
	fix_feed_mbuf(f, test_frame_mbuf(f->pool, &t));
	assert_int_equal(sc_intercept_take(f->ic, 1 - w, rec, 8), 0);
	assert_int_equal(sc_intercept_take(f->ic, w, rec, 8), 1);
	assert_int_equal(sc_intercept_take(f->ic, w, rec, 8), 0);
	for (unsigned int i = 0; i < 300; i++, t.seq++)
		m[i] = test_frame_mbuf(f->pool, &t);
	sc_intercept_burst(f->ic, m, 300, f->now); /* nobody takes: 256 stay */
	fix_check(f);
	assert_int_equal(fix_refused(f, SC_R_RECORD_RING_FULL), 300 - 256);
	assert_int_equal(f->stats.live.c[SC_C_RESP_RECORDS], 1 + 256);
	while ((n = sc_intercept_take(f->ic, w, rec, 100)) > 0) {
		for (uint16_t i = 0; i < n; i++)
			assert_int_equal(rec[i].seq, 0x11223344 + all + i);
		all += n;
		if (all == 100) {
			fix_feed_mbuf(f, test_frame_mbuf(f->pool, &(struct test_frame){0}));
			fix_check(f);
		}
	}
	assert_int_equal(all, 256);
	f->want[fold_of(&t)] = 1; /* left behind at the end: freed with the intercept */
	t.payload = "x";
	t.len = 1;
	fix_feed_mbuf(f, test_frame_mbuf(f->pool, &t));
	fix_free(f);
}

static void
test_lro_segments(void **state)
{
	struct fix *f = fix_new();
	struct test_frame t = response();
	static const uint8_t data[1400];
	struct sc_record rec;
	struct rte_mbuf *m;

	(void)state;
	fix_start(f);
	t.payload = data;
	t.len = sizeof(data);
	m = test_frame_mbuf(f->pool, &t);
	m->ol_flags |= RTE_MBUF_F_RX_LRO;
	m->tso_segsz = 500;
	fix_feed_mbuf(f, m);
	assert_int_equal(take(f, &t, &rec, 1), 1);
	assert_int_equal(rec.segs, 3);
	assert_int_equal(rec.len, 1400);
	fix_free(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_v4_record),
			cmocka_unit_test(test_v6_syn_ack),
			cmocka_unit_test(test_refusals),
			cmocka_unit_test(test_partial_checksum),
			cmocka_unit_test(test_payload_wanted),
			cmocka_unit_test(test_ring_full),
			cmocka_unit_test(test_big_burst),
			cmocka_unit_test(test_inline),
			cmocka_unit_test(test_lro_segments),
	};

	return cmocka_run_group_tests(tests, fix_group_setup, fix_group_teardown);
}
