/* SPDX-License-Identifier: BSD-3-Clause */
#include <time.h>

#include <rte_cycles.h>

#include <sc_base.h>

#include "sc_test.h"
#include "test_eal.h"

#define BASE_US 1700000000000000ull

/* A clock of a given rate, as sc_clock_init() makes it. */
static struct sc_clock
clock_of(uint64_t hz)
{
	struct sc_clock c = {
			.base_us = BASE_US,
			.base_tsc = 123456789,
			.tsc_hz = hz,
			.mul = (SC_US_PER_S << 32) / hz,
	};

	return c;
}

static void
test_starts_at_wall_clock(void **state)
{
	struct timespec before, after;
	struct sc_clock c;
	uint64_t lo, hi;

	(void)state;
	clock_gettime(CLOCK_REALTIME, &before);
	sc_clock_init(&c);
	clock_gettime(CLOCK_REALTIME, &after);
	lo = (uint64_t)before.tv_sec * SC_US_PER_S + (uint64_t)before.tv_nsec / 1000;
	hi = (uint64_t)after.tv_sec * SC_US_PER_S + (uint64_t)after.tv_nsec / 1000;
	assert_true(c.base_us >= lo && c.base_us <= hi);
	assert_int_equal(c.tsc_hz, rte_get_tsc_hz());
	assert_int_equal(sc_clock_us(&c, c.base_tsc), c.base_us);
	/* one second of ticks, by the rate that EAL measured */
	assert_in_range(sc_clock_us(&c, c.base_tsc + c.tsc_hz), c.base_us + SC_US_PER_S - 2,
			c.base_us + SC_US_PER_S);
}

static void
test_rate(void **state)
{
	static const uint64_t rates[] = {1000000, 25000000, 999999937, 2600000000, 5123456789};
	/* up to three years: no overflow, and an error below 1 in 10^6 */
	static const uint64_t secs[] = {1, 60, 86400, 100ull * 86400, 1000ull * 86400};

	(void)state;
	for (size_t i = 0; i < SC_ARRAY_SIZE(rates); i++) {
		struct sc_clock c = clock_of(rates[i]);

		assert_int_equal(sc_clock_us(&c, c.base_tsc), BASE_US);
		for (size_t k = 0; k < SC_ARRAY_SIZE(secs); k++) {
			uint64_t want = secs[k] * SC_US_PER_S;
			uint64_t got = sc_clock_us(&c, c.base_tsc + secs[k] * rates[i]) - BASE_US;

			assert_true(got <= want && want - got <= want / 1000000 + 1);
		}
	}
}

static void
test_never_goes_back(void **state)
{
	struct sc_clock c = clock_of(2600000000);
	struct sc_rng rng;
	uint64_t tsc = c.base_tsc, last = 0;

	(void)state;
	sc_rng_seed(&rng, 1);
	for (unsigned int i = 0; i < 100000; i++) {
		uint64_t us = sc_clock_us(&c, tsc);

		assert_true(us >= last);
		last = us;
		tsc += sc_rng_below(&rng, 1u << (i % 31));
	}
}

/* The TSC itself may wrap; the difference counts. */
static void
test_tsc_wraps(void **state)
{
	struct sc_clock c = clock_of(1000000000);

	(void)state;
	c.base_tsc = UINT64_MAX - 499999999;
	assert_in_range(sc_clock_us(&c, 500000000) - BASE_US, 999998, 1000000);
}

static void
test_tsval(void **state)
{
	(void)state;
	assert_int_equal(sc_clock_tsval(0), 0);
	assert_int_equal(sc_clock_tsval(999), 0);
	assert_int_equal(sc_clock_tsval(1000), 1);
	assert_int_equal(sc_clock_tsval(4294967296ull * 1000 + 5000), 5); /* modulo 2^32 */
	assert_true(sc_seq_gt(sc_clock_tsval(BASE_US + 1000), sc_clock_tsval(BASE_US)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_starts_at_wall_clock),
			cmocka_unit_test(test_rate),
			cmocka_unit_test(test_never_goes_back),
			cmocka_unit_test(test_tsc_wraps),
			cmocka_unit_test(test_tsval),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
