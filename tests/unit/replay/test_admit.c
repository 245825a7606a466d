/* SPDX-License-Identifier: BSD-3-Clause */
/* Overload: which flows are left out, when, and which are ended. */
#include <engine.h>
#include <test_eal.h>

#include "bed.h"

#define PERIOD (100 * BED_MS)
#define FLOWS 20

static void
tune(struct bed *b)
{
	b->cfg.max_flows = 256;
}

static void
tell(struct bed *b, uint32_t load)
{
	sc_replay_load(b->e, &(struct sc_replay_load){.us = PERIOD, .load = load}, b->now_us);
}

/* Let n decisions pass at this load. */
static void
load_for(struct bed *b, uint32_t load, int n)
{
	for (; n > 0; n--) {
		bed_run(b, PERIOD);
		tell(b, load);
		bed_collect(b);
		bed_check(b);
	}
}

/* How many of the bed's flows are refused now; the same ones each time. */
static uint64_t
nb_refused(struct bed *b)
{
	uint64_t before = COUNT_BY(b, FLOW_REFUSED, SHED_ADMISSION);

	for (int i = 0; i < FLOWS; i++)
		conv_syn(bed_conv(b));
	return COUNT_BY(b, FLOW_REFUSED, SHED_ADMISSION) - before;
}

/* Two periods of load are a burst; from the third on it is less each time, by more while it lasts. */
static void
lowered(void **state)
{
	static const uint32_t share[] = {63488, 59520, 52080, 39060, 29295};
	struct bed *b = bed_new(*state, tune);

	load_for(b, 1000, 2);
	assert_int_equal(COUNT(b, ADMISSION_LOWERED), 0);
	load_for(b, 799, 1);
	load_for(b, 1000, 2);
	assert_int_equal(nb_refused(b), 0);
	for (unsigned int i = 0; i < SC_ARRAY_SIZE(share); i++) {
		load_for(b, 800, 1);
		assert_int_equal(COUNT(b, ADMISSION_LOWERED), i + 1);
		assert_int_equal(b->e->admit.share, share[i]);
	}
	assert_in_range(nb_refused(b), FLOWS / 4, FLOWS - 1);
	bed_end(b);
}

/* Frames that are lost say at once how much is too much; and not again until that can show. */
static void
cut_for_losses(void **state)
{
	struct bed *b = bed_new(*state, tune);

	bed_run(b, 50 * BED_MS);
	tell(b, 5000);
	assert_int_equal(b->e->admit.share, 65536 / 25);
	bed_run(b, 49 * BED_MS);
	tell(b, 1200);
	assert_int_equal(b->e->admit.share, 65536 / 25);
	bed_run(b, BED_MS);
	tell(b, 1200);
	assert_int_equal(b->e->admit.share, 65536 / 30);
	assert_int_equal(COUNT(b, ADMISSION_LOWERED), 2);
	bed_end(b);
}

/* Between the marks nothing changes; below the lower one it is more each time. */
static void
raised(void **state)
{
	struct bed *b = bed_new(*state, tune);

	load_for(b, 1000, 3);
	load_for(b, 600, 50);
	assert_int_equal(b->e->admit.share, 63488);
	load_for(b, 599, 1);
	assert_int_equal(b->e->admit.share, 63488 + 63488 / 32 + 1);
	load_for(b, 599, 1);
	assert_int_equal(b->e->admit.share, 65536);
	assert_int_equal(nb_refused(b), 0);
	bed_end(b);
}

/* Far below the mark it grows by a half each time, but never by more than a tenth of all. */
static void
raised_soon(void **state)
{
	struct bed *b = bed_new(*state, tune);

	b->e->admit.share = 4096;
	load_for(b, 300, 1);
	assert_int_equal(b->e->admit.share, 4096 + 128 + 1);
	b->e->admit.share = 4096;
	load_for(b, 299, 2);
	assert_in_range(b->e->admit.share, 4096 * 9 / 4, 4096 * 9 / 4 + 4);
	b->e->admit.share = 32768;
	load_for(b, 299, 1);
	assert_int_equal(b->e->admit.share, 32768 + 6553);
	bed_end(b);
}

/* However long it lasts, a few flows are admitted; a flow that was is not touched. */
static void
floor_of_share(void **state)
{
	struct bed *b = bed_new(*state, tune);
	struct conv *c = bed_conv(b);

	conv_open(c);
	load_for(b, 1000, 40);
	assert_int_equal(b->e->admit.share, 64);
	load_for(b, 0, 130);
	assert_int_equal(b->e->admit.share, 65536);
	conv_say(c, 10);
	conv_expect(c, SC_TCP_ACK, 10);
	bed_end(b);
}

/* What a flow that was left out sends later counts under its reason and does not join it. */
static void
stays_out(void **state)
{
	struct bed *b = bed_new(*state, tune);
	struct conv *c = NULL;

	load_for(b, 1000, 20);
	while (COUNT_BY(b, FLOW_REFUSED, SHED_ADMISSION) == 0) {
		c = bed_conv(b);
		conv_syn(c);
	}
	load_for(b, 0, 30);
	conv_say(c, 25);
	assert_int_equal(COUNT_BY(b, BYTES_REFUSED, SHED_ADMISSION), 25);
	assert_int_equal(COUNT(b, FLOWS_MIDSTREAM), 0);
	bed_end(b);
}

/* A connection that was under way, and would not have been left out, is joined as ever. */
static void
others_join(void **state)
{
	struct bed *b = bed_new(*state, tune);
	uint64_t shed;

	load_for(b, 1000, 5);
	while (COUNT_BY(b, FLOW_REFUSED, SHED_ADMISSION) == 0)
		conv_syn(bed_conv(b));
	load_for(b, 0, 30);
	shed = COUNT_BY(b, FRAME_REFUSED, SHED_ADMISSION);
	for (int i = 0; i < FLOWS; i++) {
		conv_say(bed_conv(b), 25);
		conv_answer(&b->conv[b->nb_convs - 1], 10);
	}
	shed = COUNT_BY(b, FRAME_REFUSED, SHED_ADMISSION) - shed;
	assert_in_range(shed, 2, 2 * FLOWS - 2);
	assert_int_equal(shed / 2 + COUNT(b, FLOWS_MIDSTREAM), FLOWS);
	bed_end(b);
}

/* Asked more often than every 100 ms, it decides no more often. */
static void
one_decision_a_period(void **state)
{
	struct bed *b = bed_new(*state, tune);

	bed_run(b, PERIOD);
	for (int i = 0; i < 10; i++)
		tell(b, 1000);
	assert_int_equal(COUNT(b, ADMISSION_LOWERED), 0);
	bed_end(b);
}

static void
tune_file(struct bed *b)
{
	b->cfg.is_file = true;
}

static void
file_waits(void **state)
{
	struct bed *b = bed_new(*state, tune_file);

	load_for(b, 1000, 20);
	assert_int_equal(COUNT(b, ADMISSION_LOWERED), 0);
	bed_end(b);
}

static void
tune_tight(struct bed *b)
{
	b->cfg.held_bytes = 64 << 10; /* 192 chunks */
}

/* Held bytes nearly gone: the flow that waits longest ends by name, one that has just come goes on. */
static void
laggard(void **state)
{
	struct bed *b = bed_new(*state, tune_tight);
	struct conv *old = bed_conv(b), *young = bed_conv(b);

	conv_open(old);
	conv_open(young);
	old->twnd = young->twnd = 0;
	conv_target_ack(old);
	conv_target_ack(young);
	for (int i = 0; i < 90; i++)
		conv_say(old, 500); /* two chunks */
	bed_run(b, 10 * PERIOD);
	while (sc_held_fill(&b->e->t) < 950)
		conv_say(young, 100);
	bed_forget(b);
	load_for(b, 0, 1);
	bed_run(b, 10 * BED_MS);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, SHED_LAG), 1);
	assert_int_equal(COUNT_BY(b, BYTES_ABANDONED, SHED_LAG), 90 * 500);
	assert_int_equal(COUNT(b, FLOWS_LIVE_NOW), 1);
	assert_true(sc_held_fill(&b->e->t) < 950);
	bed_end(b);
}

static void
tune_many(struct bed *b)
{
	b->cfg.max_flows = 20000;
	b->cfg.max_tombs = 64;
	tune_tight(b);
}

/* Of many flows a round looks at few; the one that lags most is found all the same. */
static void
laggard_in_slices(void **state)
{
	struct bed *b = bed_new(*state, tune_many);
	struct conv *c = bed_conv(b);
	uint32_t left = 2 * 16384;

	conv_open(c);
	c->twnd = 0;
	conv_target_ack(c);
	while (sc_held_fill(&b->e->t) < 950)
		conv_say(c, 500);
	bed_forget(b);
	load_for(b, 0, 1);
	assert_int_equal(b->e->admit.lag_left, left);
	for (; b->e->admit.lag_left > 0; left -= 128) {
		assert_int_equal(sc_replay_next(b->e, b->now_us), 0);
		sc_replay_timers(b->e, ++b->now_us);
		assert_in_range(b->e->admit.lag_left, left - 128, left);
	}
	bed_collect(b);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, SHED_LAG), 1);
	bed_end(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			BOTH(lowered),
			BOTH(cut_for_losses),
			BOTH(raised),
			BOTH(raised_soon),
			BOTH(floor_of_share),
			BOTH(stays_out),
			BOTH(others_join),
			BOTH(one_decision_a_period),
			BOTH(file_waits),
			BOTH(laggard),
			BOTH(laggard_in_slices),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
