/* SPDX-License-Identifier: BSD-3-Clause */
/* A worker between ring ports: whole conversations, hand-over, phases. */
#include <string.h>
#include <test_eal.h>

#include "bed.h"

#define CELL(b, i, name) ((b)->cell[i].live.c[SC_C_##name])

/* What a whole conversation must leave behind. */
static void
check_complete(struct bed *b, const struct conv *c, unsigned int nb)
{
	assert_int_equal(SUM_BY(b, FLOW_ENDED, COMPLETE), nb);
	assert_int_equal(SUM(b, FLOWS_LIVE_NOW), 0);
	assert_int_equal(SUM(b, BYTES_DELIVERED), SUM(b, BYTES_ACCEPTED));
	assert_int_equal(bed_conn(b)->bytes, c->said);
	assert_int_equal(b->nb_strange, 0);
	assert_int_equal(sc_stats_map_sum(&b->cell[0].live, SC_M_GUARD_REFUSED), 0);
	assert_int_equal(sc_box_handover_count(&b->box), 0);
	assert_int_equal(sc_box_record_count(&b->box), 0);
}

/* Three turns, as they come, a few rounds for each. */
static void
converse(struct conv *c)
{
	conv_open(c);
	bed_run(c->b, 5);
	for (unsigned int i = 0; i < 3; i++) {
		conv_say(c, 100 + 200 * i); /* below the MSS that no option means: 536 */
		bed_run(c->b, 2);
		conv_answer(c);
		bed_run(c->b, 4);
	}
	conv_close(c);
	bed_run(c->b, 20);
}

static void
test_conversation(void **state)
{
	struct bed *b = bed_new();
	struct conv c;

	bed_start(b);
	c = conv_new(b, 0, false);
	converse(&c);
	check_complete(b, &c, 1);
	assert_int_equal(c.said, 100 + 300 + 500);
	assert_int_equal(SUM(b, MIRROR_POLLED), SUM(b, FRAMES_CLIENT) + SUM(b, FRAMES_PRODUCTION));
	assert_int_equal(SUM(b, ANSWER_NEW), 3 * BED_ANSWER);
	assert_int_equal(SUM(b, TURNS_ANSWERED), 3);
	assert_int_equal(b->nb_hops_seen[0], SUM(b, TX_TAKEN));
	assert_int_equal(SUM(b, MISROUTED), 0);
	assert_int_equal(CELL(b, 0, LOOPS), 5 + 3 * 6 + 20);
	assert_true(CELL(b, 0, LOOPS_BUSY) < CELL(b, 0, LOOPS));
	bed_end(b);
}

static void
test_conversation_v6(void **state)
{
	struct bed *b = bed_new();
	struct conv c;

	bed_start(b);
	c = conv_new(b, 0, true);
	converse(&c);
	check_complete(b, &c, 1);
	assert_int_equal(b->nb_hops_seen[1], SUM(b, TX_TAKEN));
	bed_end(b);
}

/* ---- two workers ---- */

/* Each flow on its owner's queue: nobody hands over, and the answers come to the same worker. */
static void
test_two_workers(void **state)
{
	struct bed *b = bed_new();
	struct conv c[2];

	b->nb_workers = 2;
	bed_start(b);
	for (uint16_t w = 0; w < 2; w++) {
		c[w] = conv_new(b, w, w == 1);
		converse(&c[w]);
		assert_int_equal(CELL(b, w, FLOWS_ADMITTED), 1);
		assert_int_equal(CELL(b, w, REC_MATCHED), CELL(b, w, REC_TAKEN));
		assert_int_equal(CELL(b, w, ANSWER_NEW), 3 * BED_ANSWER);
		assert_int_equal(CELL(b, w, MISROUTED) + CELL(b, w, HANDED_IN), 0);
	}
	check_complete(b, &c[0], 2);
	bed_end(b);
}

/* Frames on the wrong queue: counted there, replayed by the owner. */
static void
test_misrouted(void **state)
{
	struct bed *b = bed_new();
	uint64_t nb;
	struct conv c;

	b->nb_workers = 2;
	bed_start(b);
	c = conv_new(b, 1, false);
	c.queue = 0;
	converse(&c);
	check_complete(b, &c, 1);
	nb = CELL(b, 0, MIRROR_POLLED);
	assert_true(nb > 10);
	assert_int_equal(CELL(b, 0, MISROUTED), nb);
	assert_int_equal(CELL(b, 0, HANDED_OUT), nb);
	assert_int_equal(CELL(b, 1, HANDED_IN), nb);
	assert_int_equal(CELL(b, 1, MIRROR_POLLED), 0);
	assert_int_equal(CELL(b, 0, FLOWS_SEEN), 0);
	assert_int_equal(CELL(b, 1, FLOWS_SEEN), 1);
	bed_end(b);
}

/* One queue, sharded in software: half of the flows are handed over. */
static void
test_one_queue(void **state)
{
	struct bed *b = bed_new();
	struct conv c[6];

	b->nb_workers = 2;
	b->nb_mirrorq = 1;
	bed_start(b);
	for (unsigned int i = 0; i < 6; i++) {
		c[i] = conv_new(b, i % 2, i >= 4);
		c[i].queue = 0;
		converse(&c[i]);
	}
	check_complete(b, &c[0], 6);
	for (uint16_t w = 0; w < 2; w++)
		assert_int_equal(CELL(b, w, FLOWS_ADMITTED), 3);
	assert_int_equal(CELL(b, 1, MIRROR_POLLED), 0);
	assert_int_equal(CELL(b, 1, MISROUTED), 0);
	assert_int_equal(CELL(b, 0, MISROUTED), CELL(b, 1, HANDED_IN));
	assert_int_equal(CELL(b, 0, MIRROR_POLLED), 2 * CELL(b, 0, MISROUTED));
	bed_end(b);
}

/* A frame that is refused after its hand-over counts where it was handed to. */
static void
test_handed_and_refused(void **state)
{
	struct bed *b = bed_new();
	struct conv c;

	b->nb_workers = 2;
	bed_start(b);
	c = conv_new(b, 1, false);
	c.queue = 0;
	conv_say(&c, 10); /* no SYN: the owner waits for a boundary, or has no flow */
	c.server = "10.2.0.2";
	conv_say(&c, 10); /* no rule: refused where it arrives */
	bed_run(b, 5);
	assert_int_equal(b->cell[0].live.m[SC_M_FRAME_REFUSED][SC_R_NOT_MAPPED], 1);
	assert_int_equal(CELL(b, 0, HANDED_OUT), 1);
	assert_int_equal(CELL(b, 1, HANDED_IN), 1);
	bed_end(b);
}

/* ---- a full hand-over ring ---- */

#define NB_SAID 200u

/* 200 segments for worker 1 wait at worker 0; worker 1 does not poll. */
static struct conv
stuffed(struct bed *b, bool is_file)
{
	struct conv c;

	b->nb_workers = 2;
	b->nb_mirrorq = 1;
	b->hand_slots = 64;
	b->is_file = is_file;
	bed_start(b);
	c = conv_new(b, 1, false);
	c.queue = 0;
	conv_open(&c);
	bed_run(b, 5);
	for (unsigned int i = 0; i < NB_SAID; i++)
		conv_say(&c, 10);
	return c;
}

static void
poll_first(struct bed *b, unsigned int rounds)
{
	for (; rounds > 0; rounds--, b->clock.base_us += BED_MS) {
		sc_worker_poll(b->w[0]);
		bed_check(b);
	}
}

/* A live port keeps the frames for 20 ms; then those of the slow owner are lost, and counted. */
static void
test_handover_full_live(void **state)
{
	struct bed *b = bed_new();
	struct conv c = stuffed(b, false);

	poll_first(b, 15);
	assert_int_equal(sc_box_handover_count(&b->box), 32);
	assert_int_equal(CELL(b, 0, HANDOVER_FULL), 0);
	assert_int_equal(rte_ring_count(b->mirror[0]), NB_SAID - 32);
	poll_first(b, 30);
	assert_int_equal(rte_ring_count(b->mirror[0]), 0);
	assert_int_equal(sc_box_handover_count(&b->box), 63);
	assert_int_equal(CELL(b, 0, HANDOVER_FULL), NB_SAID - 63);
	assert_int_equal(CELL(b, 0, HANDED_OUT), 3 + 63);
	bed_run(b, 20);
	assert_int_equal(bed_conn(b)->bytes, 63 * 10);
	conv_close(&c);
	bed_run(b, 100);
	assert_true(SUM_BY(b, FLOW_ENDED, CAPTURE_GAP) + SUM(b, FLOWS_LIVE_NOW) == 1);
	bed_end(b);
}

/* As soon as the owner is back nothing is lost any more: the patience of 20 ms begins anew. */
static void
test_handover_recovers(void **state)
{
	struct bed *b = bed_new();
	struct conv c = stuffed(b, false);

	poll_first(b, 10);
	for (unsigned int i = 0; i < 10; i++) {
		bed_run(b, 1);
		poll_first(b, 10);
	}
	bed_run(b, 20);
	assert_int_equal(CELL(b, 0, HANDOVER_FULL), 0);
	conv_answer(&c);
	conv_close(&c);
	bed_run(b, 100);
	check_complete(b, &c, 1);
	bed_end(b);
}

/* A file waits as long as it takes. */
static void
test_handover_full_file(void **state)
{
	struct bed *b = bed_new();
	struct conv c = stuffed(b, true);

	poll_first(b, 200);
	assert_int_equal(CELL(b, 0, HANDOVER_FULL), 0);
	assert_int_equal(sc_box_handover_count(&b->box), 32);
	assert_int_equal(rte_ring_count(b->mirror[0]), NB_SAID - 32);
	bed_run(b, 40);
	assert_int_equal(bed_conn(b)->bytes, NB_SAID * 10);
	conv_answer(&c);
	conv_close(&c);
	bed_run(b, 40);
	check_complete(b, &c, 1);
	assert_int_equal(CELL(b, 0, HANDOVER_FULL), 0);
	bed_end(b);
}

/* ---- frames that must not be replayed ---- */

static void
feed_mac(struct bed *b, const uint8_t *dst, const uint8_t *src)
{
	struct test_frame f = {.src = "10.1.0.5",
			.dst = "10.2.0.1",
			.seq = 1,
			.wnd = 501,
			.flags = SC_TCP_SYN};

	memcpy(f.dst_mac, dst, 6);
	memcpy(f.src_mac, src, 6);
	bed_feed(b, 0, &f);
	bed_run(b, 1);
}

static void
test_own_mac(void **state)
{
	const uint8_t other[6] = {2, 0, 0, 0, 0, 0x55};
	struct bed *b = bed_new();

	b->is_ring_mirror = false;
	bed_start(b);
	feed_mac(b, other, BED_MAC);
	assert_int_equal(SUM_BY(b, FRAME_REFUSED, MIRROR_LOOP), 1);
	feed_mac(b, BED_MAC, other);
	assert_int_equal(SUM_BY(b, FRAME_REFUSED, MIRROR_LOOP), 2);
	assert_int_equal(SUM(b, FLOWS_SEEN), 0);
	feed_mac(b, other, other);
	assert_int_equal(SUM_BY(b, FRAME_REFUSED, MIRROR_LOOP), 2);
	assert_int_equal(SUM(b, FLOWS_SEEN), 1);
	bed_end(b);
}

/* A capture may have been made on this very box: its MACs say nothing. */
static void
test_own_mac_in_capture(void **state)
{
	const uint8_t other[6] = {2, 0, 0, 0, 0, 0x55};
	struct bed *b = bed_new();

	bed_start(b);
	feed_mac(b, BED_MAC, other);
	assert_int_equal(SUM_BY(b, FRAME_REFUSED, MIRROR_LOOP), 0);
	assert_int_equal(SUM(b, FLOWS_SEEN), 1);
	bed_end(b);
}

/* Our own replay on the mirror: a target's address at either end. */
static void
test_replay_on_mirror(void **state)
{
	struct test_frame f = {.src = "10.1.0.5",
			.dst = "10.9.0.2",
			.dport = 8080,
			.wnd = 501,
			.flags = SC_TCP_SYN};
	struct test_frame back = {.src = "10.9.0.2",
			.dst = "10.1.0.5",
			.sport = 8080,
			.dport = 40000,
			.wnd = 501,
			.flags = SC_TCP_SYN | SC_TCP_ACK};
	struct bed *b = bed_new();

	bed_start(b);
	bed_feed(b, 0, &f);
	bed_feed(b, 0, &back);
	bed_run(b, 1);
	assert_int_equal(SUM_BY(b, FRAME_REFUSED, MIRROR_LOOP), 2);
	bed_end(b);
}

static void
test_refused_frames(void **state)
{
	struct test_frame udp = {.proto = 17}, broken = {.csum = TEST_CSUM_BAD},
			  strange = {.dst = "10.2.0.9", .flags = SC_TCP_SYN};
	struct bed *b = bed_new();

	bed_start(b);
	bed_feed(b, 0, &udp);
	bed_feed(b, 0, &broken);
	bed_feed(b, 0, &strange);
	bed_run(b, 2);
	assert_int_equal(SUM_BY(b, FRAME_REFUSED, NOT_TCP), 1);
	assert_int_equal(SUM_BY(b, FRAME_REFUSED, BAD_L4_CHECKSUM), 1);
	assert_int_equal(SUM_BY(b, FRAME_REFUSED, NOT_MAPPED), 1);
	assert_int_equal(SUM(b, MIRROR_POLLED), 3);
	bed_end(b);
}

/* A kernel that leaves the checksum to its NIC: the mirror shows what was there before. */
static void
test_partial_checksum(void **state)
{
	struct bed *b = bed_new();
	struct test_frame f = {.src = "10.1.0.5",
			.dst = "10.2.0.1",
			.sport = 40000,
			.dport = 80,
			.flags = SC_TCP_SYN,
			.csum = TEST_CSUM_PARTIAL};

	bed_start(b);
	bed_feed(b, 0, &f);
	f.csum = TEST_CSUM_GOOD;
	f.sport++;
	bed_feed(b, 0, &f);
	bed_run(b, 2);
	assert_int_equal(SUM(b, CSUM_PARTIAL), 1);
	assert_int_equal(SUM(b, FLOWS_EMBRYONIC_NOW), 2);
	bed_end(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_conversation),
			cmocka_unit_test(test_conversation_v6),
			cmocka_unit_test(test_two_workers),
			cmocka_unit_test(test_misrouted),
			cmocka_unit_test(test_one_queue),
			cmocka_unit_test(test_handed_and_refused),
			cmocka_unit_test(test_handover_full_live),
			cmocka_unit_test(test_handover_recovers),
			cmocka_unit_test(test_handover_full_file),
			cmocka_unit_test(test_own_mac),
			cmocka_unit_test(test_own_mac_in_capture),
			cmocka_unit_test(test_replay_on_mirror),
			cmocka_unit_test(test_refused_frames),
			cmocka_unit_test(test_partial_checksum),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
