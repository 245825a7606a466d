/* SPDX-License-Identifier: BSD-3-Clause */
/* Life times of many flows: looked at in small slices, and kept all the same. */
#include <engine.h>
#include <test_eal.h>

#include "bed.h"

#define FLOWS 100000u
#define SLICE 2048u

static void
tune_many(struct bed *b)
{
	b->cfg.max_flows = FLOWS;
	b->cfg.max_tombs = 64;
	b->cfg.session_timeout_s = 20;
}

/* Rounds of `step_us` for so long; no slice is large. Returns the entries looked at. */
static uint64_t
rounds(struct bed *b, uint64_t us, uint64_t step_us)
{
	uint64_t sum = 0;

	for (uint64_t t = 0; t < us; t += step_us) {
		uint32_t before = b->e->t.sweep.cursor, n;

		b->now_us += step_us;
		sc_replay_timers(b->e, b->now_us);
		n = (b->e->t.sweep.cursor + FLOWS - before) % FLOWS;
		assert_in_range(n, 0, SLICE);
		sum += n;
	}
	bed_collect(b);
	return sum;
}

/* All flows once a second, whether rounds are short or the lcore sleeps. */
static void
once_a_second(void **state)
{
	struct bed *b = bed_new(*state, tune_many);

	assert_in_range(rounds(b, BED_S, 20), FLOWS - SLICE, FLOWS + SLICE);
	assert_in_range(rounds(b, BED_S, 400), FLOWS - SLICE, FLOWS + SLICE);
	assert_in_range(rounds(b, BED_S, 4000), FLOWS - SLICE, FLOWS + SLICE);
	b->now_us += 3600 * BED_S; /* nobody has asked for long: one second of it is made up for */
	assert_in_range(rounds(b, BED_S, 20), 2 * FLOWS - 2 * SLICE, 2 * FLOWS + SLICE);
	bed_end(b);
}

/* A live flow, or one that opens, ends within a second or so of its time. */
static void
in_time(void **state)
{
	struct bed *b = bed_new(*state, tune_many);
	struct conv *c = bed_conv(b), *d = bed_conv(b);

	conv_open_said(c, 10);
	conv_syn(d);
	rounds(b, 10 * BED_S, 100);
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, NEVER_OPENED), 0);
	rounds(b, 2500 * BED_MS, 100);
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, NEVER_OPENED), 1);
	rounds(b, 7500 * BED_MS, 100);
	assert_int_equal(COUNT(b, FLOWS_LIVE_NOW), 1);
	rounds(b, 2500 * BED_MS, 100);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, IDLE_TIMEOUT), 1);
	bed_forget(b);
	bed_end(b);
}

/* The end of the source finds the few flows there are without looking at all places at once. */
static void
drained_in_slices(void **state)
{
	struct bed *b = bed_new(*state, tune_many);
	struct conv *c = bed_conv(b);
	uint32_t before = 0;

	conv_open_said(c, 10);
	sc_replay_drain(b->e, b->now_us);
	while (b->e->drain_cursor < FLOWS) {
		assert_int_equal(sc_replay_next(b->e, b->now_us), 0);
		sc_replay_timers(b->e, ++b->now_us);
		assert_in_range(b->e->drain_cursor, before + 1, before + 1024);
		before = b->e->drain_cursor;
	}
	bed_collect(b);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	bed_end(b);
}

static void
tune_four(struct bed *b)
{
	b->cfg.max_flows = 4;
}

/* Flows whose end the mirror lost keep places that others want: the silent ones go, and only then. */
static void
silent_make_room(void **state)
{
	struct bed *b = bed_new(*state, tune_four);
	struct conv *c[4], *late = NULL;

	for (int i = 0; i < 4; i++) {
		c[i] = bed_conv(b);
		conv_open_said(c[i], 10);
	}
	bed_run(b, 100 * BED_S);
	assert_int_equal(COUNT(b, FLOWS_LIVE_NOW), 4);
	conv_say(c[0], 10); /* one that is in use */
	conv_expect(c[0], SC_TCP_ACK, 10);
	conv_target_ack(c[0]);
	for (int i = 0; i < 3; i++) {
		late = bed_conv(b);
		conv_syn(late);
		bed_run(b, BED_S);
	}
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, FLOW_TABLE_FULL), 3);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, SHED_IDLE), 3);
	assert_int_equal(COUNT(b, FLOWS_LIVE_NOW), 1);
	bed_forget(b);
	late = bed_conv(b);
	conv_open(late);
	bed_run(b, 60 * BED_S); /* nobody waits any more: they may be silent as long as ever */
	bed_forget(b);
	assert_int_equal(COUNT(b, FLOWS_LIVE_NOW), 2);
	bed_run(b, 600 * BED_S);
	bed_forget(b);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, IDLE_TIMEOUT), 2);
	bed_end(b);
}

static void
tune_file(struct bed *b)
{
	b->cfg.max_flows = 16;
	b->cfg.is_file = true;
}

/*
 * A file read at once has all of its scans in the tables: they have nearly all places, and what was
 * captured more than 10 s ago makes room at once.
 */
static void
scans_in_a_file(void **state)
{
	struct bed *b = bed_new(*state, tune_file);
	struct conv *c;

	b->cap_us = b->now_us;
	for (int i = 0; i < 14; i++)
		conv_syn(bed_conv(b));
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, EMBRYONIC_FULL), 0);
	conv_syn(bed_conv(b));
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, EMBRYONIC_FULL), 1);
	b->cap_us += 11 * BED_S;
	c = bed_conv(b);
	conv_open(c);
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, EMBRYONIC_FULL), 1);
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, NEVER_OPENED), 14);
	bed_end(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			BOTH(once_a_second),
			BOTH(in_time),
			BOTH(drained_in_slices),
			BOTH(silent_make_room),
			BOTH(scans_in_a_file),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
