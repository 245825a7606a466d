/* SPDX-License-Identifier: BSD-3-Clause */
/* A surge of new flows: how many can be afforded, and what is done about more. */
#include <engine.h>
#include <test_eal.h>

#include "bed.h"

#define PERIOD (100 * BED_MS)

/* A period in which so many flows began, and so much of the time was used. */
static void
learn(struct bed *b, uint32_t nb, uint32_t used)
{
	b->e->admit.nb_new += nb;
	surge_learn(b->e, &(struct sc_replay_load){.us = PERIOD, .used = used});
}

/* New flows at so many a second, for so long; the steps are 100 us. */
static void
come(struct bed *b, uint64_t per_s, uint64_t us)
{
	uint64_t from = b->e->now_us, nb = 0;

	for (; b->e->now_us < from + us; b->e->now_us += 100)
		for (; nb < (b->e->now_us - from) * per_s / SC_US_PER_S; nb++)
			surge_note(b->e);
}

/* Flows that take half of what may be taken: twice as many, and as much again for larger bursts. */
static void
learnt(void **state)
{
	struct bed *b = bed_new(*state, NULL);

	learn(b, 10000, 470);
	assert_int_equal(b->e->admit.rate, 400000);
	learn(b, 10000, 940);
	assert_int_equal(b->e->admit.rate, 375000); /* older knowledge counts seven times */
	bed_end(b);
}

/* Nothing to be learnt: few flows, an idle box, a short while, or one in which flows are left out. */
static void
not_learnt(void **state)
{
	struct bed *b = bed_new(*state, NULL);

	learn(b, 99, 900);
	learn(b, 10000, 299);
	b->e->admit.nb_new += 10000;
	surge_learn(b->e, &(struct sc_replay_load){.us = PERIOD - 1, .used = 900});
	b->e->admit.share = ADMIT_ALL / 2;
	learn(b, 10000, 900);
	b->e->admit.share = ADMIT_ALL;
	assert_int_equal(b->e->admit.rate, 0);
	come(b, 10000000, PERIOD);
	assert_int_equal(b->e->admit.share, ADMIT_ALL);
	bed_end(b);
}

/* As many as can be afforded may come for ever, and a few thousand at once. */
static void
afforded(void **state)
{
	struct bed *b = bed_new(*state, NULL);

	b->e->admit.rate = 500000;
	come(b, 500000, 20 * PERIOD);
	b->e->now_us += PERIOD;
	for (int i = 0; i < 4096; i++)
		surge_note(b->e);
	b->e->now_us += PERIOD;
	come(b, 900000, 11 * BED_MS);
	assert_int_equal(b->e->admit.share, ADMIT_ALL);
	assert_int_equal(COUNT(b, ADMISSION_LOWERED), 0);
	bed_end(b);
}

/* Five times as many: within milliseconds only a part is taken, less than could be. */
static void
cut(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	uint64_t from;

	b->e->admit.rate = 500000;
	from = b->e->now_us;
	come(b, 2500000, 3 * BED_MS);
	assert_int_equal(COUNT(b, ADMISSION_LOWERED), 1);
	assert_in_range(b->e->admit.share, ADMIT_ALL * 5 / 100, ADMIT_ALL * 7 / 100);
	come(b, 250000, 10 * PERIOD); /* what is left of them */
	assert_int_equal(COUNT(b, ADMISSION_LOWERED), 1);
	assert_true(b->e->admit.cut_us > from);
	bed_end(b);
}

/* However many come, and however suddenly: not below a 16th at once. */
static void
not_to_nothing(void **state)
{
	struct bed *b = bed_new(*state, NULL);

	b->e->admit.rate = 1000;
	b->e->now_us += 10 * SC_US_PER_S;
	for (int i = 0; i < 5000; i++)
		surge_note(b->e);
	assert_int_equal(COUNT(b, ADMISSION_LOWERED), 1);
	assert_int_equal(b->e->admit.share, ADMIT_ALL / 16);
	bed_end(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			BOTH(learnt),
			BOTH(not_learnt),
			BOTH(afforded),
			BOTH(cut),
			BOTH(not_to_nothing),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
