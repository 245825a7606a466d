/* SPDX-License-Identifier: BSD-3-Clause */
/* The line of time over records: distances are kept, it never goes back, leaps are left out. */
#include <sc_base.h>

#include "../../../drivers/capture/timeline.h"
#include "sc_test.h"

#define S 1000000000ull
#define T0 (1700000000 * S)

static void
test_keeps_distances(void **state)
{
	struct timeline t = {0};

	assert_int_equal(timeline_map(&t, T0, 0), 0);
	assert_int_equal(timeline_map(&t, T0 + 7, 0), 7);
	assert_int_equal(timeline_map(&t, T0 + 24 * 3600 * S, 0), 24 * 3600 * S);
	assert_int_equal(timeline_map(&t, T0 + 30 * 3600 * S, 1), 30 * 3600 * S);
}

static void
test_a_little_back_waits(void **state)
{
	struct timeline t = {0};

	timeline_map(&t, T0, 0);
	assert_int_equal(timeline_map(&t, T0 + 5 * S, 0), 5 * S);
	assert_int_equal(timeline_map(&t, T0 + 5 * S - 400, 0), 5 * S);
	assert_int_equal(timeline_map(&t, T0 + 4 * S, 0), 5 * S);
	assert_int_equal(timeline_map(&t, T0 + 5 * S + 1, 0), 5 * S + 1); /* no drift stays */
}

static void
test_far_back_goes_on_after(void **state)
{
	struct timeline t = {0};

	timeline_map(&t, T0, 0);
	timeline_map(&t, T0 + 9 * S, 0);
	assert_int_equal(timeline_map(&t, T0 + 2 * S, 0), 9 * S);
	assert_int_equal(timeline_map(&t, T0 + 3 * S, 0), 10 * S);
}

static void
test_earlier_file_goes_on_after(void **state)
{
	struct timeline t = {0};

	timeline_map(&t, T0, 0);
	timeline_map(&t, T0 + S, 0);
	assert_int_equal(timeline_map(&t, T0 + S - 500, 1), S);
	assert_int_equal(timeline_map(&t, T0 + S, 1), S + 500);
	assert_int_equal(timeline_map(&t, 0, 2), S + 500);
	assert_int_equal(timeline_map(&t, 10, 2), S + 510);
}

static void
test_leap_is_left_out(void **state)
{
	struct timeline t = {0};

	timeline_map(&t, T0, 0);
	assert_int_equal(timeline_map(&t, T0 + 3600 * 24 * S + 1, 0), 0);
	assert_int_equal(timeline_map(&t, T0 + 3600 * 24 * S + 3, 0), 2);
	/* A damaged stamp in 2116, and back. */
	assert_int_equal(timeline_map(&t, INT64_MAX / 2, 0), 2);
	assert_int_equal(timeline_map(&t, T0 + 3600 * 24 * S + 4, 0), 2);
	assert_int_equal(timeline_map(&t, T0 + 3600 * 24 * S + 9, 0), 7);
}

static void
test_never_back_nor_over(void **state)
{
	/* Any time stamps: under UBSan no overflow, and the line only rises. */
	struct timeline t = {0};
	struct sc_rng rng;
	uint64_t last = 0, now, ts = T0;

	sc_rng_seed(&rng, 7);
	for (unsigned int i = 0; i < 400000; i++) {
		if (i % 2000 == 0)
			ts = sc_rng_next(&rng) % (INT64_MAX / 2 + 1ull);
		else if (i % 2) /* climbs as fast as it may, falls back for free */
			ts = SC_MIN(ts + 23 * 3600 * S, INT64_MAX / 2ull);
		else
			ts -= SC_MIN(ts, 23 * 3600 * S);
		now = timeline_map(&t, ts, i / 100000);
		assert_true(now >= last);
		last = now;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_keeps_distances),
			cmocka_unit_test(test_a_little_back_waits),
			cmocka_unit_test(test_far_back_goes_on_after),
			cmocka_unit_test(test_earlier_file_goes_on_after),
			cmocka_unit_test(test_leap_is_left_out),
			cmocka_unit_test(test_never_back_nor_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
