/* SPDX-License-Identifier: BSD-3-Clause */
/* One part of the box is slow, or too much comes: who suffers, and is it named? */
#include <string.h>
#include <test_eal.h>

#include "bed.h"

#define CELL(b, i, name) ((b)->cell[i].live.c[SC_C_##name])
#define CONVS 8
#define FLOOD 64 /* frames a round: two bursts */

/* One round without worker 1, or without the intercept. */
static void
round_without(struct bed *b, bool worker_1, bool intercept)
{
	sc_worker_poll(b->w[0]);
	if (!worker_1 && b->nb_workers > 1)
		sc_worker_poll(b->w[1]);
	if (!intercept)
		sc_ilcore_poll(b->il);
	bed_target(b);
	bed_check(b);
	b->clock.base_us += BED_MS;
}

static void
open_all(struct bed *b, struct conv *c, unsigned int nb)
{
	for (unsigned int i = 0; i < nb; i++)
		conv_open(&c[i]);
	bed_run(b, 10);
}

static void
close_all(struct bed *b, struct conv *c, unsigned int nb)
{
	for (unsigned int i = 0; i < nb; i++) {
		conv_answer(&c[i]);
		conv_close(&c[i]);
	}
	bed_run(b, 100);
}

/*
 * Worker 1 stands still while its sessions' responses come: its ring is full, the rest is lost, and
 * named. Worker 0 sees nothing of it. Then retransmissions bring everything.
 */
static void
record_ring_full(void **state)
{
	struct bed *b = bed_new();
	struct conv c[CONVS + CONVS / 2];

	b->nb_workers = 2;
	b->record_slots = 8; /* 7 are usable */
	b->is_ring_test = false;
	bed_start(b);
	for (unsigned int i = 0; i < SC_ARRAY_SIZE(c); i++)
		c[i] = conv_new(b, i % 3 != 0, false);
	for (unsigned int i = 0; i < SC_ARRAY_SIZE(c); i++)
		open_all(b, &c[i], 1);
	for (unsigned int i = 0; i < SC_ARRAY_SIZE(c); i++)
		conv_say(&c[i], 100);
	sc_worker_poll(b->w[0]);
	sc_worker_poll(b->w[1]); /* requests of both are sent */
	for (unsigned int i = 0; i < 50; i++)
		round_without(b, true, false);
	assert_int_equal(CELL(b, 0, BYTES_DELIVERED), CONVS / 2 * 100);
	assert_int_equal(SUM_BY(b, RESP_REFUSED, RECORD_RING_FULL), 1);
	assert_int_equal(rte_ring_count(b->box.records[0][1]), 7);
	bed_run(b, 2000);
	close_all(b, c, SC_ARRAY_SIZE(c));
	/* This target sends no answer twice: its session waits for the one that was lost. */
	assert_int_equal(SUM_BY(b, FLOW_ENDED, COMPLETE), SC_ARRAY_SIZE(c) - 1);
	bed_run(b, 40000);
	assert_int_equal(SUM(b, BYTES_DELIVERED), SC_ARRAY_SIZE(c) * 100);
	assert_int_equal(SUM_BY(b, FLOW_ENDED, COMPLETE), SC_ARRAY_SIZE(c));
	assert_int_equal(CELL(b, 0, TX_RETRANSMIT), 0);
	assert_true(CELL(b, 1, TX_RETRANSMIT) > 0);
	bed_end(b);
}

/* The only intercept lcore stands still for 0.3 s: sessions wait, and none is lost. */
static void
slow_intercept(void **state)
{
	struct bed *b = bed_new();
	struct conv c[CONVS];

	bed_start(b);
	for (unsigned int i = 0; i < CONVS; i++)
		c[i] = conv_new(b, 0, i % 2);
	open_all(b, c, CONVS);
	for (unsigned int i = 0; i < CONVS; i++)
		conv_say(&c[i], 200);
	for (unsigned int i = 0; i < 300; i++)
		round_without(b, false, true);
	assert_int_equal(SUM(b, BYTES_DELIVERED), 0);
	close_all(b, c, CONVS);
	bed_run(b, 1000);
	assert_int_equal(SUM(b, BYTES_DELIVERED), CONVS * 200);
	assert_int_equal(SUM_BY(b, FLOW_ENDED, COMPLETE), CONVS);
	bed_end(b);
}

/* One target is silent for 3 s: flows of the other end in the meantime, its own when it is back. */
static void
silent_target(void **state)
{
	struct bed *b = bed_new();
	struct conv c[CONVS];
	uint64_t sent_again;

	bed_start(b);
	for (unsigned int i = 0; i < CONVS; i++)
		c[i] = conv_new(b, 0, i % 2);
	open_all(b, c, CONVS);
	b->is_v6_silent = true;
	for (unsigned int i = 0; i < CONVS; i++)
		conv_say(&c[i], 100);
	close_all(b, c, CONVS);
	assert_int_equal(SUM_BY(b, FLOW_ENDED, COMPLETE), CONVS / 2);
	assert_int_equal(SUM(b, BYTES_DELIVERED), CONVS / 2 * 100);
	assert_int_equal(SUM(b, BYTES_IN_FLIGHT_NOW), CONVS / 2 * 100);
	bed_run(b, 2900);
	sent_again = SUM(b, TX_RETRANSMIT);
	assert_in_range(sent_again, CONVS / 2, CONVS / 2 * 8);
	b->is_v6_silent = false;
	bed_run(b, 8000);
	assert_int_equal(SUM_BY(b, FLOW_ENDED, COMPLETE), CONVS);
	assert_int_equal(SUM(b, BYTES_DELIVERED), CONVS * 100);
	bed_end(b);
}

/* ---- more than the worker takes ---- */

#define SLOW_HZ SC_US_PER_S /* a CPU on which every round takes more than the ms between two */

/* SYNs of new connections, as long as the port has room. */
static void
flood(struct bed *b, unsigned int n)
{
	static uint32_t nb;

	for (; n > 0 && rte_ring_free_count(b->mirror[0]) > 0; n--, nb++) {
		char client[SC_ADDR_STRLEN];
		struct test_frame f = {.src = client,
				.dst = "10.2.0.1",
				.sport = (uint16_t)(1024 + nb % 60000),
				.dport = 80,
				.seq = nb,
				.flags = SC_TCP_SYN};

		snprintf(client, sizeof(client), "10.1.1.%u", nb / 60000 % 250 + 1);
		bed_feed(b, 0, &f);
	}
}

static void
flooded(struct bed *b, unsigned int rounds)
{
	for (; rounds > 0; rounds--) {
		flood(b, FLOOD);
		bed_round(b);
	}
}

/* The port is never empty for half a second: new flows are left out; one that lives is not touched. */
static void
flood_is_shed(void **state)
{
	struct bed *b = bed_new();
	uint64_t before;
	struct conv c;

	b->is_ring_mirror = false;
	bed_start(b);
	b->clock.tsc_hz = SLOW_HZ;
	c = conv_new(b, 0, false);
	open_all(b, &c, 1);
	flooded(b, 250);
	assert_int_equal(SUM_BY(b, FLOW_REFUSED, SHED_ADMISSION), 0);
	/* A period in which this machine had others to run says nothing. */
	for (int i = 0; i < 60 && SUM(b, ADMISSION_LOWERED) < 5; i++)
		flooded(b, 100);
	assert_true(SUM(b, ADMISSION_LOWERED) >= 5);
	before = SUM_BY(b, FLOW_REFUSED, SHED_ADMISSION);
	flooded(b, 100);
	assert_true(SUM_BY(b, FLOW_REFUSED, SHED_ADMISSION) > before + 100);
	conv_say(&c, 100);
	flooded(b, 50);
	bed_run(b, 50); /* what is before it on the port */
	close_all(b, &c, 1);
	assert_int_equal(SUM(b, BYTES_DELIVERED), 100);
	assert_int_equal(SUM_BY(b, FLOW_ENDED, COMPLETE), 1);
	bed_run(b, 9000);
	flooded(b, 1);
	assert_int_equal(SUM(b, ADMISSION_LOWERED), bed_sum(b, SC_C_ADMISSION_LOWERED));
	bed_end(b);
}

/* The port loses frames for some 10 ms: from then on fewer flows are taken. */
static void
missed_is_shed(void **state)
{
	struct bed *b = bed_new();

	b->is_ring_mirror = false;
	bed_start(b);
	b->clock.tsc_hz = SLOW_HZ;
	for (int i = 0; i < 20 && SUM(b, ADMISSION_LOWERED) == 0; i++) {
		atomic_fetch_add(&b->box.nb_missed, 400);
		flooded(b, 10);
	}
	assert_int_equal(SUM(b, ADMISSION_LOWERED), 1);
	flooded(b, 100);
	assert_true(SUM_BY(b, FLOW_REFUSED, SHED_ADMISSION) > 0);
	bed_end(b);
}

/* --shed=no, and a file, which waits. */
static void
never_shed(void **state)
{
	for (int is_file = 0; is_file < 2; is_file++) {
		struct bed *b = bed_new();

		b->is_file = is_file;
		b->cfg.shed = is_file;
		b->is_ring_mirror = is_file;
		bed_start(b);
		flooded(b, 500);
		atomic_fetch_add(&b->box.nb_missed, 1000000);
		flooded(b, 500);
		assert_int_equal(SUM(b, ADMISSION_LOWERED), 0);
		assert_int_equal(SUM_BY(b, FLOW_REFUSED, SHED_ADMISSION), 0);
		bed_end(b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(record_ring_full),
			cmocka_unit_test(slow_intercept),
			cmocka_unit_test(silent_target),
			cmocka_unit_test(flood_is_shed),
			cmocka_unit_test(missed_is_shed),
			cmocka_unit_test(never_shed),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
