/* SPDX-License-Identifier: BSD-3-Clause */
/* The wheel against a plain array of deadlines, in virtual time. */
#include <stdlib.h>
#include <string.h>

#include <sc_timer.h>

#include "sc_test.h"

#define TICK_US (1ull << SC_WHEEL_TICK_SHIFT)
#define HORIZON_US (SC_WHEEL_SLOTS * TICK_US)
#define DAY_US (86400 * SC_US_PER_S)
#define NOW_US (1700000000 * SC_US_PER_S)

#define NB_ITEMS 500

struct run {
	struct sc_wheel wheel;
	char before[20];
	struct sc_wheel_node node[NB_ITEMS];
	char after[32];
	bool is_armed[NB_ITEMS];
	uint64_t due_us[NB_ITEMS];
	uint64_t now_us;
	struct sc_rng rng;
	uint32_t nb_fired;
};

static struct run r;

static void
run_init(uint64_t now_us, uint64_t seed)
{
	memset(&r, 0, sizeof(r));
	memset(r.before, 0x5c, sizeof(r.before));
	memset(r.after, 0x5c, sizeof(r.after));
	r.now_us = now_us;
	sc_rng_seed(&r.rng, seed);
	sc_wheel_init(&r.wheel, r.node, NB_ITEMS, now_us);
}

static void
arm(uint32_t i, uint64_t due_us)
{
	sc_wheel_arm(&r.wheel, i, due_us);
	r.is_armed[i] = true;
	r.due_us[i] = due_us;
	assert_true(sc_wheel_is_armed(&r.wheel, i));
}

static void
cancel(uint32_t i)
{
	sc_wheel_cancel(&r.wheel, i);
	r.is_armed[i] = false;
	assert_false(sc_wheel_is_armed(&r.wheel, i));
}

/* Whatever fires was armed, is due, and is idle now. Returns their number. */
static uint32_t
expire(uint32_t max)
{
	uint32_t due[NB_ITEMS], nb = sc_wheel_expire(&r.wheel, r.now_us, due, max);

	assert_in_range(nb, 0, max);
	for (uint32_t k = 0; k < nb; k++) {
		assert_in_range(due[k], 0, NB_ITEMS - 1);
		assert_true(r.is_armed[due[k]]);
		assert_true(r.due_us[due[k]] <= r.now_us);
		assert_false(sc_wheel_is_armed(&r.wheel, due[k]));
		r.is_armed[due[k]] = false;
	}
	r.nb_fired += nb;
	return nb;
}

/* After a complete run nothing is left that was due one tick ago. */
static void
assert_nothing_late(void)
{
	for (uint32_t i = 0; i < NB_ITEMS; i++)
		if (r.is_armed[i] && r.due_us[i] + TICK_US <= r.now_us)
			fail_msg("node %u, due %lu us ago", i, r.now_us - r.due_us[i]);
}

static uint64_t
random_due(void)
{
	switch (sc_rng_below(&r.rng, 8)) {
	case 0:
		return r.now_us - sc_rng_below(&r.rng, 10000);
	case 1:
		return r.now_us + sc_rng_below(&r.rng, 500);
	case 2:
		return r.now_us + HORIZON_US + sc_rng_below(&r.rng, 10 * HORIZON_US);
	case 3: /* whole laps */
		return r.now_us + HORIZON_US * (1 + sc_rng_below(&r.rng, 4));
	default:
		return r.now_us + sc_rng_below(&r.rng, HORIZON_US);
	}
}

static uint64_t
random_step(void)
{
	switch (sc_rng_below(&r.rng, 16)) {
	case 0:
		return sc_rng_below(&r.rng, 3 * HORIZON_US);
	case 1:
		return 0;
	case 2:
		return sc_wheel_next(&r.wheel, r.now_us);
	default:
		return sc_rng_below(&r.rng, 3000);
	}
}

static void
random_ops(void)
{
	for (uint32_t k = sc_rng_below(&r.rng, 20); k > 0; k--) {
		uint32_t i = sc_rng_below(&r.rng, NB_ITEMS);

		if (sc_rng_below(&r.rng, 4) == 0)
			cancel(i);
		else
			arm(i, random_due());
	}
}

static void
random_run(uint64_t start_us, uint64_t seed)
{
	run_init(start_us, seed);
	for (uint32_t round = 0; round < 3000; round++) {
		bool is_small = sc_rng_below(&r.rng, 3) == 0;

		random_ops();
		assert_true(sc_wheel_validate(&r.wheel));
		r.now_us += random_step();
		if (is_small) { /* a run may be cut short, the next go on */
			expire(1 + sc_rng_below(&r.rng, 5));
			assert_true(sc_wheel_validate(&r.wheel));
			random_ops();
		}
		if (!is_small || sc_rng_below(&r.rng, 2)) {
			while (sc_wheel_next(&r.wheel, r.now_us) == 0)
				expire(7);
			expire(NB_ITEMS);
			assert_nothing_late();
		}
		assert_true(sc_wheel_validate(&r.wheel));
	}
	assert_true(r.nb_fired > 5000);
}

static void
test_random_against_a_model(void **state)
{
	for (uint64_t seed = 1; seed <= 8; seed++)
		random_run(NOW_US + seed * 12345, seed);
}

static void
test_random_at_time_zero(void **state)
{
	random_run(20000, 21);
}

/* Ticks pass 2^32 (and, for the signed differences, 2^31) in the middle of the run. */
static void
test_random_across_tick_wrap(void **state)
{
	uint64_t wrap_us = TICK_US << 32;

	random_run(wrap_us - 30 * SC_US_PER_S, 31);
	assert_true(r.now_us > wrap_us);
	random_run(wrap_us / 2 - 30 * SC_US_PER_S, 32);
	assert_true(r.now_us > wrap_us / 2);
	random_run(1000 * wrap_us - 30 * SC_US_PER_S, 33);
	assert_true(r.now_us > 1000 * wrap_us);
}

/* Never early, at most a tick late, for each offset within a tick. */
static void
test_precision(void **state)
{
	uint32_t due[1];

	for (uint64_t offset = 0; offset < 2 * TICK_US; offset++) {
		uint64_t at = NOW_US + 5000 + offset, fires = at;

		run_init(NOW_US, 0);
		sc_wheel_arm(&r.wheel, 3, at);
		while (sc_wheel_expire(&r.wheel, fires, due, 1) == 0)
			fires++;
		assert_int_equal(due[0], 3);
		assert_in_range(fires, at, at + TICK_US - 1);

		run_init(NOW_US, 0);
		sc_wheel_arm(&r.wheel, 3, at);
		assert_int_equal(sc_wheel_expire(&r.wheel, at - 1, due, 1), 0);
	}
}

static void
test_lazy_later_and_moved_earlier(void **state)
{
	run_init(NOW_US, 0);
	arm(1, NOW_US + 10 * TICK_US);
	arm(1, NOW_US + 50 * TICK_US); /* stays in slot 10 */
	assert_int_equal(sc_wheel_next(&r.wheel, NOW_US), 10 * TICK_US);
	r.now_us = NOW_US + 10 * TICK_US;
	assert_int_equal(expire(4), 0);
	assert_int_equal(sc_wheel_next(&r.wheel, r.now_us), 40 * TICK_US);
	arm(1, NOW_US + 20 * TICK_US); /* moves */
	assert_int_equal(sc_wheel_next(&r.wheel, r.now_us), 10 * TICK_US);
	assert_int_equal(r.wheel.nb_queued, 1);
	r.now_us = NOW_US + 20 * TICK_US;
	assert_int_equal(expire(4), 1);
	assert_int_equal(r.wheel.nb_queued, 0);
}

static void
test_next(void **state)
{
	run_init(NOW_US, 0);
	assert_int_equal(sc_wheel_next(&r.wheel, NOW_US), HORIZON_US);
	arm(0,
			NOW_US + 100 * HORIZON_US
					+ 7 * TICK_US); /* the next slot, though not the due time */
	assert_int_equal(sc_wheel_next(&r.wheel, NOW_US), 7 * TICK_US);
	assert_int_equal(sc_wheel_next(&r.wheel, NOW_US + 100), 7 * TICK_US - 100);
	cancel(0);
	cancel(0);
	arm(0, NOW_US + HORIZON_US);
	assert_int_equal(sc_wheel_next(&r.wheel, NOW_US), HORIZON_US);
	assert_int_equal(sc_wheel_next(&r.wheel, NOW_US + 3 * HORIZON_US), 0);
	arm(2, NOW_US);
	assert_int_equal(sc_wheel_next(&r.wheel, NOW_US), 0);
	assert_int_equal(expire(2), 1);
}

/* All nodes due at once, and laps in the same slot: each call looks at `max` of them, no more. */
static void
test_work_is_bounded(void **state)
{
	uint32_t nb_calls = 0;

	run_init(NOW_US, 0);
	for (uint32_t i = 0; i < NB_ITEMS; i++)
		arm(i, NOW_US + 5 * TICK_US + (i % 2) * 3 * HORIZON_US);
	r.now_us = NOW_US + 9 * TICK_US;
	while (sc_wheel_next(&r.wheel, r.now_us) == 0) {
		uint32_t was = r.wheel.nb_queued;

		expire(10);
		assert_true(sc_wheel_validate(&r.wheel));
		assert_in_range(was - r.wheel.nb_queued, 0, 10);
		nb_calls++;
	}
	assert_int_equal(nb_calls, NB_ITEMS / 10);
	assert_int_equal(r.nb_fired, NB_ITEMS / 2);
	assert_int_equal(expire(0), 0);
}

/* A pause of hours costs one turn of the wheel; a run cut short within it loses nothing. */
static void
test_long_pause(void **state)
{
	run_init(NOW_US, 0);
	for (uint32_t i = 0; i < NB_ITEMS; i++)
		arm(i, NOW_US + i * 1000003ull);
	r.now_us = NOW_US + 3600 * SC_US_PER_S;
	while (r.nb_fired < NB_ITEMS) {
		assert_int_equal(expire(25), 25);
		assert_true(sc_wheel_validate(&r.wheel));
		r.now_us += 900;
	}
	for (uint32_t day = 0; day < 1000; day++) { /* tick by tick this would take minutes */
		arm(0, r.now_us + DAY_US / 2);
		arm(1, r.now_us + 2 * DAY_US); /* keeps the wheel turning */
		r.now_us += DAY_US;
		assert_int_equal(expire(10), 1);
	}
	run_init(NOW_US, 0);
	r.now_us += 1000 * DAY_US; /* nothing queued: any time may pass */
	assert_int_equal(expire(1), 0);
	arm(0, r.now_us + 1);
	r.now_us += TICK_US;
	assert_int_equal(expire(1), 1);
}

static void
test_deadlines_too_far_to_tell(void **state)
{
	uint32_t due[2];

	run_init(NOW_US, 0);
	sc_wheel_arm(&r.wheel, 0, UINT64_MAX);
	sc_wheel_arm(&r.wheel, 1, NOW_US + 400 * DAY_US);
	assert_true(sc_wheel_validate(&r.wheel));
	for (uint64_t t = 0; t < 3 * DAY_US; t += DAY_US / 8)
		assert_int_equal(sc_wheel_expire(&r.wheel, NOW_US + t, due, 2), 0);
	assert_int_equal(sc_wheel_expire(&r.wheel, NOW_US + 4 * DAY_US, due, 2), 2);
}

/* A clock that steps back stops the wheel, it does not turn it. */
static void
test_time_steps_back(void **state)
{
	run_init(NOW_US, 0);
	arm(0, NOW_US + 3000);
	r.now_us = NOW_US - 5 * HORIZON_US;
	assert_int_equal(expire(1), 0);
	assert_int_equal(r.wheel.tick, NOW_US / TICK_US);
	assert_true(sc_wheel_validate(&r.wheel));
	r.now_us = NOW_US + 3000 + TICK_US;
	assert_int_equal(expire(1), 1);
}

/* validate() must see what it is for. */
static void
test_validate_sees_damage(void **state)
{
	struct sc_wheel_node saved;

	run_init(NOW_US, 0);
	arm(4, NOW_US + 1000);
	arm(5, NOW_US + 1000);
	arm(6, NOW_US + 90000);
	assert_true(sc_wheel_validate(&r.wheel));
	saved = r.node[4];
	r.node[4].due_tick -= 2; /* its slot comes too late */
	assert_false(sc_wheel_validate(&r.wheel));
	r.node[4] = saved;
	r.node[4].prev = 6;
	assert_false(sc_wheel_validate(&r.wheel));
	r.node[4] = saved;
	r.node[4].next = 4; /* a circle */
	assert_false(sc_wheel_validate(&r.wheel));
	r.node[4].next = NB_ITEMS;
	assert_false(sc_wheel_validate(&r.wheel));
	r.node[4] = saved;
	r.wheel.nb_queued++;
	assert_false(sc_wheel_validate(&r.wheel));
	r.wheel.nb_queued--;
	r.node[7].next = SC_TIMER_NONE; /* armed, but nowhere */
	assert_false(sc_wheel_validate(&r.wheel));
}

/* The wheel touches nothing but its nodes. */
static void
test_neighbours_stay_untouched(void **state)
{
	run_init(NOW_US, 41);
	for (uint32_t round = 0; round < 1000; round++) {
		random_ops();
		r.now_us += random_step();
		expire(NB_ITEMS);
	}
	for (unsigned int k = 0; k < sizeof(r.before); k++)
		assert_int_equal(r.before[k], 0x5c);
	for (unsigned int k = 0; k < sizeof(r.after); k++)
		assert_int_equal(r.after[k], 0x5c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_random_against_a_model),
			cmocka_unit_test(test_random_at_time_zero),
			cmocka_unit_test(test_random_across_tick_wrap),
			cmocka_unit_test(test_precision),
			cmocka_unit_test(test_lazy_later_and_moved_earlier),
			cmocka_unit_test(test_next),
			cmocka_unit_test(test_work_is_bounded),
			cmocka_unit_test(test_long_pause),
			cmocka_unit_test(test_deadlines_too_far_to_tell),
			cmocka_unit_test(test_time_steps_back),
			cmocka_unit_test(test_validate_sees_damage),
			cmocka_unit_test(test_neighbours_stay_untouched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
