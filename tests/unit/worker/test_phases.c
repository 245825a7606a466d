/* SPDX-License-Identifier: BSD-3-Clause */
/* Phases, full rings, the inline shape, neighbours. */
#include <string.h>
#include <test_eal.h>

#include "bed.h"

#define CELL(b, i, name) ((b)->cell[i].live.c[SC_C_##name])

static void
set_phase(struct bed *b, enum sc_phase phase)
{
	atomic_store(&b->box.phase, phase);
}

/* ---- phases ---- */

static void
test_hold(void **state)
{
	struct bed *b = bed_new();
	struct conv c;

	bed_start(b);
	set_phase(b, SC_PHASE_HOLD);
	c = conv_new(b, 0, false);
	conv_open(&c);
	bed_run(b, 10);
	assert_int_equal(SUM(b, MIRROR_POLLED), 3); /* taken in, waiting */
	assert_int_equal(SUM(b, FLOWS_EMBRYONIC_NOW), 1);
	assert_int_equal(SUM(b, TX_BUILT), 0);
	assert_int_equal(CELL(b, 0, LOOPS), 10);
	assert_false(sc_worker_is_drained(b->w[0]));
	set_phase(b, SC_PHASE_RUN);
	bed_run(b, 10);
	assert_int_equal(SUM(b, MIRROR_POLLED), 3);
	assert_int_equal(SUM(b, CONNS_ESTABLISHED), 1);
	bed_end(b);
}

/* Nothing is taken from the mirror any more, and what was captured goes to its end. */
static void
test_drain(void **state)
{
	struct bed *b = bed_new();
	struct conv c, late;

	bed_start(b);
	c = conv_new(b, 0, false);
	conv_open(&c);
	bed_run(b, 5);
	conv_say(&c, 300);
	bed_run(b, 1);
	set_phase(b, SC_PHASE_DRAIN);
	late = conv_new(b, 0, false);
	conv_open(&late);
	bed_run(b, 200);
	assert_true(sc_worker_is_drained(b->w[0]));
	assert_int_equal(SUM(b, FLOWS_SEEN), 1);
	assert_int_equal(SUM(b, FLOWS_LIVE_NOW), 0);
	assert_int_equal(rte_ring_count(b->mirror[0]), 3);
	assert_int_equal(bed_conn(b)->bytes, 300);
	assert_int_equal(SUM_BY(b, FLOW_ENDED, COMPLETE_OPEN), 1);
	bed_end(b);
}

/* Nothing is live any more, but the last ACK waits for a full TX ring: not drained yet. */
static void
test_drain_waits_for_tx(void **state)
{
	struct bed *b = bed_new();
	struct rte_mbuf *stopper;
	struct conv c;

	b->tx_slots = 2; /* 1 usable */
	bed_start(b);
	c = conv_new(b, 0, false);
	conv_open(&c);
	bed_run(b, 5);
	conv_close(&c);
	while (b->conn[0].has_fin == 0)
		bed_round(b);
	stopper = rte_pktmbuf_alloc(b->pool);
	assert_int_equal(rte_ring_enqueue(b->tx[0], stopper), 0);
	sc_ilcore_poll(b->il); /* the target's FIN */
	sc_worker_poll(b->w[0]);
	assert_int_equal(SUM(b, FLOWS_LIVE_NOW), 0);
	assert_int_equal(SUM(b, TX_WAITING_NOW), 1);
	set_phase(b, SC_PHASE_DRAIN);
	for (unsigned int i = 0; i < 5; i++)
		sc_worker_poll(b->w[0]);
	assert_false(sc_worker_is_drained(b->w[0]));
	assert_ptr_equal(bed_take(b, 0), stopper);
	rte_pktmbuf_free(stopper);
	bed_run(b, 3);
	assert_true(sc_worker_is_drained(b->w[0]));
	bed_end(b);
}

static void
test_stop_phase(void **state)
{
	struct bed *b = bed_new();

	bed_start(b);
	set_phase(b, SC_PHASE_STOP);
	assert_int_equal(sc_worker_run(b->w[0]), 0);
	assert_int_equal(sc_ilcore_run(b->il), 0);
	assert_int_equal(CELL(b, 0, LOOPS), 0);
	bed_end(b);
}

/* A stop in the middle: what waits is abandoned by name, the ledger holds (bed_end). */
static void
test_stop_amid(void **state)
{
	struct bed *b = bed_new();
	struct conv c;

	bed_start(b);
	c = conv_new(b, 0, false);
	conv_open(&c);
	bed_run(b, 5);
	conv_say(&c, 300);
	conv_say(&c, 300);
	sc_worker_poll(b->w[0]);
	sc_worker_stop(b->w[0]);
	bed_check(b);
	assert_int_equal(SUM_BY(b, FLOW_ENDED, STOPPED), 1);
	assert_int_equal(SUM(b, FLOWS_LIVE_NOW), 0);
	bed_end(b);
}

/* ---- a full TX ring ---- */

#define NB_CONVS 6u

/* The first two SYNs fill the TX ring: nothing more is taken in until there is room again. */
static void
test_tx_full(void **state)
{
	struct bed *b = bed_new();
	struct conv c[NB_CONVS];
	uint64_t polled;

	b->tx_slots = 4; /* 3 usable */
	bed_start(b);
	atomic_store(&b->box.path[0].state, SC_PATH_OPEN);
	for (unsigned int i = 0; i < NB_CONVS; i++) {
		c[i] = conv_new(b, 0, false);
		conv_open(&c[i]);
	}
	sc_worker_poll(b->w[0]);
	polled = SUM(b, MIRROR_POLLED);
	assert_int_equal(SUM(b, TX_TAKEN), 3);
	assert_int_equal(SUM(b, TX_WAITING_NOW), SUM(b, TX_BUILT) - 3);
	assert_true(SUM(b, TX_WAITING_NOW) > 0);
	bed_check(b);
	for (unsigned int i = 0; i < NB_CONVS; i++)
		conv_say(&c[i], 100);
	for (unsigned int i = 0; i < 10; i++)
		sc_worker_poll(b->w[0]);
	assert_int_equal(SUM(b, MIRROR_POLLED), polled);
	bed_check(b);
	bed_run(b, 60);
	assert_int_equal(SUM(b, TX_WAITING_NOW), 0);
	assert_int_equal(SUM(b, BYTES_DELIVERED), NB_CONVS * 100);
	assert_int_equal(SUM(b, TX_ABANDONED), 0);
	bed_end(b);
}

static void
test_tx_full_at_stop(void **state)
{
	struct bed *b = bed_new();
	uint64_t waiting;
	struct conv c;

	b->tx_slots = 4;
	bed_start(b);
	atomic_store(&b->box.path[0].state, SC_PATH_OPEN);
	for (unsigned int i = 0; i < NB_CONVS; i++) {
		c = conv_new(b, 0, false);
		conv_open(&c);
	}
	sc_worker_poll(b->w[0]);
	waiting = SUM(b, TX_WAITING_NOW);
	assert_true(waiting > 0);
	sc_worker_stop(b->w[0]);
	assert_true(SUM(b, TX_ABANDONED) >= waiting);
	assert_int_equal(SUM(b, TX_WAITING_NOW), 0);
	bed_check(b);
	bed_end(b);
}

/* ---- the next hop ---- */

/*
 * Between a change and the worker's next look the guard refuses what was built for the old MAC;
 * the resend goes to the new one.
 */
static void
test_next_hop_changes(void **state)
{
	const uint8_t *mac = bed_hop_mac(2);
	struct bed *b = bed_new();
	unsigned int before;
	struct conv c;

	bed_start(b);
	c = conv_new(b, 0, false);
	conv_open(&c);
	bed_run(b, 5);
	before = b->nb_hops_seen[0];
	assert_true(before > 0);
	conv_say(&c, 100);
	b->clock.base_us -= BED_MS; /* the worker has looked at this very moment */
	bed_set_hop(b, 0, mac);
	sc_worker_poll(b->w[0]);
	bed_check(b);
	assert_int_equal(SUM_BY(b, GUARD_REFUSED, GUARD_NEXT_HOP), 1);
	assert_int_equal(bed_target(b), 0);
	b->clock.base_us += 2 * BED_MS;
	bed_run(b, 1500);
	assert_int_equal(bed_conn(b)->bytes, 100);
	assert_int_equal(b->nb_hops_seen[0], before);
	assert_true(b->nb_hops_seen[2] > 0);
	assert_int_equal(SUM_BY(b, GUARD_REFUSED, GUARD_NEXT_HOP), 1);
	bed_end(b);
}

/* ---- inline ---- */

static void
whole(struct bed *b, struct conv *c)
{
	conv_open(c);
	bed_run(b, 5);
	conv_say(c, 200);
	bed_run(b, 2);
	conv_answer(c);
	bed_run(b, 3);
	conv_close(c);
	bed_run(b, 20);
}

static void
test_inline(void **state)
{
	struct bed *b = bed_new();
	struct conv c;

	b->is_inline = true;
	b->nb_workers = 2;
	bed_start(b);
	for (uint16_t i = 0; i < 4; i++) {
		c = conv_new(b, i % 2, i > 1);
		whole(b, &c);
	}
	assert_int_equal(SUM_BY(b, FLOW_ENDED, COMPLETE), 4);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(CELL(b, i, RESP_RECORDS), CELL(b, i, RESP_POLLED));
		assert_int_equal(CELL(b, i, REC_TAKEN), CELL(b, i, RESP_RECORDS));
		assert_int_equal(CELL(b, i, ANSWER_NEW), 2 * BED_ANSWER);
	}
	assert_int_equal(SUM(b, MISROUTED), 0);
	bed_end(b);
}

/* A response on the wrong queue of the test port goes to its owner over a ring. */
static void
test_inline_misrouted(void **state)
{
	struct bed *b = bed_new();
	struct rte_mbuf *m;
	struct conv c;

	b->is_inline = true;
	b->nb_workers = 2;
	bed_start(b);
	c = conv_new(b, 1, false);
	conv_open(&c);
	for (unsigned int i = 0; i < 10; i++) {
		bed_round(b);
		while (rte_ring_dequeue(b->rx[1], (void **)&m) == 0)
			assert_int_equal(rte_ring_enqueue(b->rx[0], m), 0);
	}
	assert_int_equal(CELL(b, 0, RESP_RECORDS), 1);
	assert_int_equal(CELL(b, 1, REC_MATCHED), 1);
	assert_int_equal(SUM(b, CONNS_ESTABLISHED), 1);
	bed_end(b);
}

/* ---- neighbours, before anything else goes ---- */

/* The ARP reply of the host at this address. */
static void
feed_arp_reply(struct bed *b, const uint8_t ip[4], const uint8_t mac[6])
{
	uint8_t p[60] = {0};

	memcpy(p, BED_MAC, 6);
	memcpy(p + 6, mac, 6);
	memcpy(p + 12, (const uint8_t[]){8, 6, 0, 1, 8, 0, 6, 4, 0, 2}, 10);
	memcpy(p + 22, mac, 6);
	memcpy(p + 28, ip, 4);
	memcpy(p + 32, BED_MAC, 6);
	memcpy(p + 38, (const uint8_t[]){10, 9, 0, 1}, 4);
	assert_int_equal(rte_ring_enqueue(b->rx[0], test_mbuf_from(b->pool, p, sizeof(p), 0)), 0);
}

/* The ARP requests that wait on the neighbours' queue, answered for the target 10.9.0.2. */
static unsigned int
answer_arp(struct bed *b)
{
	unsigned int n = 0;
	struct rte_mbuf *m;

	for (; (m = bed_take(b, b->nb_workers)) != NULL; n++) {
		const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
		bool is_arp = p[12] == 8 && p[13] == 6;

		if (is_arp && memcmp(p + 38, (const uint8_t[]){10, 9, 0, 2}, 4) == 0)
			feed_arp_reply(b, p + 38, bed_hop_mac(0));
		rte_pktmbuf_free(m);
	}
	return n;
}

static void
resolve(struct bed *b)
{
	unsigned int asked = 0;
	uint8_t mac[6];
	struct conv c;

	b->is_unresolved = true;
	bed_start(b);
	set_phase(b, SC_PHASE_HOLD);
	for (unsigned int i = 0; i < 20; i++) {
		sc_worker_poll(b->w[0]);
		if (b->il != NULL)
			sc_ilcore_poll(b->il);
		asked += answer_arp(b);
		bed_check(b);
		b->clock.base_us += BED_MS;
	}
	assert_true(asked >= BED_HOPS);
	assert_int_equal(SUM(b, NEIGH_TX), asked);
	assert_int_equal(sc_nexthop_get(&b->targets.nexthop[0], mac), SC_NEIGH_REACHABLE);
	assert_memory_equal(mac, bed_hop_mac(0), 6);
	assert_int_equal(SUM(b, RESP_NEIGHBOUR), 1);
	set_phase(b, SC_PHASE_RUN);
	c = conv_new(b, 0, false);
	conv_open(&c);
	for (unsigned int i = 0; i < 10; i++) {
		answer_arp(b); /* the other next hops are asked for again and again */
		bed_round(b);
	}
	assert_int_equal(SUM(b, CONNS_ESTABLISHED), 1);
	assert_int_equal(b->nb_hops_seen[0], SUM(b, TX_TAKEN));
	bed_end(b);
}

static void
test_resolve_lcore(void **state)
{
	resolve(bed_new());
}

static void
test_resolve_inline(void **state)
{
	struct bed *b = bed_new();

	b->is_inline = true;
	resolve(b);
}

/* A full queue: the requests go out as it drains, not only with the next one. */
static void
wait_for_room(struct bed *b)
{
	unsigned int asked = 0;

	b->is_unresolved = true;
	b->tx_slots = 2; /* 1 usable */
	bed_start(b);
	set_phase(b, SC_PHASE_HOLD);
	for (unsigned int i = 0; i < 20; i++) {
		sc_worker_poll(b->w[0]);
		if (b->il != NULL)
			sc_ilcore_poll(b->il);
		asked += answer_arp(b);
		b->clock.base_us += BED_MS;
	}
	assert_true(asked >= BED_HOPS);
	assert_int_equal(SUM(b, NEIGH_TX), asked);
	bed_end(b);
}

static void
test_neighbour_backlog(void **state)
{
	wait_for_room(bed_new());
}

static void
test_neighbour_backlog_inline(void **state)
{
	struct bed *b = bed_new();

	b->is_inline = true;
	wait_for_room(b);
}

/* ---- full record rings ---- */

/* 200 stray responses for the worker, which does not poll. */
static struct bed *
flooded(bool is_ring_test)
{
	struct test_frame f = {.src = "10.9.0.2",
			.dst = "10.1.0.5",
			.sport = 8080,
			.dport = 50000,
			.wnd = 501,
			.flags = SC_TCP_ACK};
	struct bed *b = bed_new();

	b->record_slots = 128; /* 127 usable */
	b->is_ring_test = is_ring_test;
	bed_start(b);
	memcpy(f.dst_mac, BED_MAC, 6);
	for (unsigned int i = 0; i < 200; i++)
		assert_int_equal(rte_ring_enqueue(b->rx[0], test_frame_mbuf(b->pool, &f)), 0);
	for (unsigned int i = 0; i < 10; i++)
		sc_ilcore_poll(b->il);
	bed_check(b);
	return b;
}

/* An embedded peer waits: no record is lost. */
static void
test_records_full_ring(void **state)
{
	struct bed *b = flooded(true);

	assert_int_equal(sc_box_record_count(&b->box), 64);
	assert_int_equal(SUM_BY(b, RESP_REFUSED, RECORD_RING_FULL), 0);
	bed_run(b, 10);
	assert_int_equal(SUM(b, REC_TAKEN), 200);
	assert_int_equal(SUM_BY(b, RESP_STRAY, STRAY_UNKNOWN), 200);
	bed_end(b);
}

/* A real port must be polled: what does not fit is counted. */
static void
test_records_full_nic(void **state)
{
	struct bed *b = flooded(false);

	assert_int_equal(rte_ring_count(b->rx[0]), 0);
	assert_int_equal(sc_box_record_count(&b->box), 127);
	assert_int_equal(SUM_BY(b, RESP_REFUSED, RECORD_RING_FULL), 73);
	bed_run(b, 10);
	assert_int_equal(SUM(b, REC_TAKEN), 127);
	bed_end(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_hold),
			cmocka_unit_test(test_drain),
			cmocka_unit_test(test_drain_waits_for_tx),
			cmocka_unit_test(test_stop_phase),
			cmocka_unit_test(test_stop_amid),
			cmocka_unit_test(test_tx_full),
			cmocka_unit_test(test_tx_full_at_stop),
			cmocka_unit_test(test_next_hop_changes),
			cmocka_unit_test(test_inline),
			cmocka_unit_test(test_inline_misrouted),
			cmocka_unit_test(test_resolve_lcore),
			cmocka_unit_test(test_resolve_inline),
			cmocka_unit_test(test_neighbour_backlog),
			cmocka_unit_test(test_neighbour_backlog_inline),
			cmocka_unit_test(test_records_full_ring),
			cmocka_unit_test(test_records_full_nic),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
