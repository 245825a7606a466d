/* SPDX-License-Identifier: BSD-3-Clause */
/* The life-time sweep: everything too old is found once a turn, nothing else is. */
#include <errno.h>
#include <string.h>

#include <sc_timer.h>

#include "sc_test.h"

#define NB 1000
#define TTL_S 30
#define NOW_S 1700000000ull

static uint64_t
us(uint64_t s)
{
	return s * SC_US_PER_S;
}

static void
test_border_of_the_life_time(void **state)
{
	struct sc_sweep s;
	uint32_t out[4];

	assert_int_equal(sc_sweep_init(&s, NB, -1), 0);
	s.ttl_s = TTL_S;
	sc_sweep_touch(&s, 17, NOW_S);
	assert_int_equal(sc_sweep_run(&s, us(NOW_S + TTL_S) + 999999, NB, out, 4), 0);
	assert_int_equal(sc_sweep_run(&s, us(NOW_S + TTL_S + 1), NB, out, 4), 1);
	assert_int_equal(out[0], 17);
	/* It stays in use until the caller forgets it. */
	assert_int_equal(sc_sweep_run(&s, us(NOW_S + TTL_S + 1), NB, out, 4), 1);
	sc_sweep_forget(&s, 17);
	assert_int_equal(sc_sweep_run(&s, us(NOW_S + TTL_S + 1), NB, out, 4), 0);
	/* Seen again: not old. Seen in the future: not old either. */
	sc_sweep_touch(&s, 17, NOW_S + TTL_S);
	sc_sweep_touch(&s, 18, NOW_S + 10000);
	assert_int_equal(sc_sweep_run(&s, us(NOW_S + TTL_S + 1), NB, out, 4), 0);
	s.ttl_s = UINT32_MAX;
	assert_int_equal(sc_sweep_run(&s, us(NOW_S + TTL_S + 1), NB, out, 4), 0);
	sc_sweep_free(&s);
	assert_null(s.last_seen);
}

/* Each entry has one of two life times, and keeps it when it is seen again. */
static void
test_two_life_times(void **state)
{
	struct sc_sweep s;
	uint32_t out[4];

	assert_int_equal(sc_sweep_init(&s, NB, -1), 0);
	s.ttl_s = TTL_S;
	s.long_s = 10 * TTL_S;
	sc_sweep_touch(&s, 17, NOW_S);
	sc_sweep_touch(&s, 18, NOW_S - 1);
	sc_sweep_lengthen(&s, 18);
	sc_sweep_touch(&s, 18, NOW_S);
	assert_int_equal(sc_sweep_seen_s(&s, 18), NOW_S);
	assert_int_equal(sc_sweep_run(&s, us(NOW_S + 10 * TTL_S), NB, out, 4), 1);
	assert_int_equal(out[0], 17);
	assert_int_equal(sc_sweep_run(&s, us(NOW_S + 10 * TTL_S + 1), NB, out, 4), 2);
	assert_int_equal(out[1], 18);
	sc_sweep_forget(&s, 18); /* the next one in its place has the shorter one again */
	sc_sweep_touch(&s, 18, NOW_S);
	assert_int_equal(sc_sweep_run(&s, us(NOW_S + TTL_S + 1), NB, out, 4), 2);
	sc_sweep_free(&s);
}

static void
test_virtual_time_from_zero(void **state)
{
	struct sc_sweep s;
	uint32_t out[4];

	assert_int_equal(sc_sweep_init(&s, NB, -1), 0);
	s.ttl_s = TTL_S;
	sc_sweep_touch(&s, 3, 0);
	assert_int_equal(sc_sweep_run(&s, us(TTL_S), NB, out, 4), 0);
	assert_int_equal(sc_sweep_run(&s, us(TTL_S + 2), NB, out, 4), 1);
	assert_int_equal(out[0], 3);
	sc_sweep_free(&s);
}

/* In slices of any size and with little room, a turn finds each old entry exactly once. */
static void
check_turn(uint32_t slice, uint32_t max)
{
	uint32_t out[NB], found[NB] = {0}, calls = 0, nb_found = 0;
	struct sc_sweep s;

	assert_int_equal(sc_sweep_init(&s, NB, -1), 0);
	s.ttl_s = TTL_S;
	for (uint32_t i = 0; i < NB; i++)
		if (i % 3 != 0)
			sc_sweep_touch(&s, i, i % 3 == 1 ? NOW_S - 100 : NOW_S);
	for (; calls < 10 * NB && nb_found < 333; calls++) {
		uint32_t nb = sc_sweep_run(&s, us(NOW_S), slice, out, max);

		assert_in_range(nb, 0, SC_MIN(slice, max));
		for (uint32_t k = 0; k < nb; k++) {
			assert_int_equal(out[k] % 3, 1);
			found[out[k]]++;
			sc_sweep_forget(&s, out[k]); /* a slice may reach into the next turn */
		}
		nb_found += nb;
	}
	assert_int_equal(nb_found, 333);
	for (uint32_t i = 0; i < NB; i++)
		assert_int_equal(found[i], i % 3 == 1);
	/* No more calls than room or slice make necessary. */
	assert_in_range(calls, 1, SC_MAX(NB / slice + 1, 333 / max + 1));
	sc_sweep_free(&s);
}

static void
test_slices_and_room(void **state)
{
	check_turn(64, 64);
	check_turn(7, 64);
	check_turn(1, 1);
	check_turn(NB, 2);
	check_turn(NB, NB);
}

/* A slice longer than the array looks at nothing twice. */
static void
test_slice_longer_than_the_array(void **state)
{
	struct sc_sweep s;
	uint32_t out[64];

	assert_int_equal(sc_sweep_init(&s, 5, -1), 0);
	s.ttl_s = TTL_S;
	for (uint32_t i = 0; i < 5; i++)
		sc_sweep_touch(&s, i, 1);
	assert_int_equal(sc_sweep_run(&s, us(NOW_S), 64, out, 64), 5);
	assert_int_equal(sc_sweep_run(&s, us(NOW_S), 64, out, 0), 0);
	assert_int_equal(sc_sweep_run(&s, us(NOW_S), 0, out, 64), 0);
	sc_sweep_free(&s);
}

static void
test_empty_array(void **state)
{
	struct sc_sweep s;
	uint32_t out[1];

	assert_int_equal(sc_sweep_init(&s, 0, -1), 0);
	assert_int_equal(sc_sweep_run(&s, us(NOW_S), 64, out, 1), 0);
	sc_sweep_free(&s);
	sc_sweep_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_border_of_the_life_time),
			cmocka_unit_test(test_two_life_times),
			cmocka_unit_test(test_virtual_time_from_zero),
			cmocka_unit_test(test_slices_and_room),
			cmocka_unit_test(test_slice_longer_than_the_array),
			cmocka_unit_test(test_empty_array),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
