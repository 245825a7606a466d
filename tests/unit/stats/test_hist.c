/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include <sc_stats.h>

#include "sc_test.h"

static void
test_empty(void **state)
{
	struct sc_hist h = {0};

	assert_int_equal(sc_hist_quantile(&h, 0), 0);
	assert_int_equal(sc_hist_quantile(&h, 1), 0);
}

static void
test_bucket_edges(void **state)
{
	static const struct {
		uint64_t value;
		unsigned int bucket;
	} row[] = {
			{0, 0},
			{1, 1},
			{2, 2},
			{3, 2},
			{4, 3},
			{1023, 10},
			{1024, 11},
			{(1ull << 46) - 1, 46},
			{1ull << 46, 47},
			{1ull << 47, 47},
			{UINT64_MAX, 47},
	};

	for (size_t i = 0; i < SC_ARRAY_SIZE(row); i++) {
		struct sc_hist h = {0};

		sc_hist_add(&h, row[i].value);
		assert_int_equal(h.n[row[i].bucket], 1);
		assert_int_equal(h.count, 1);
		assert_int_equal(h.sum, row[i].value);
		assert_int_equal(h.max, row[i].value);
	}
}

static void
test_quantiles(void **state)
{
	struct sc_hist h = {0};

	/* 90 values of 3 (edge 4), 9 of 100 (edge 128), 1 of 5,000 (edge 8,192). */
	for (int i = 0; i < 90; i++)
		sc_hist_add(&h, 3);
	for (int i = 0; i < 9; i++)
		sc_hist_add(&h, 100);
	sc_hist_add(&h, 5000);
	assert_int_equal(sc_hist_quantile(&h, 0), 4);
	assert_int_equal(sc_hist_quantile(&h, 0.5), 4);
	assert_int_equal(sc_hist_quantile(&h, 0.90), 4);
	assert_int_equal(sc_hist_quantile(&h, 0.901), 128);
	assert_int_equal(sc_hist_quantile(&h, 0.99), 128);
	assert_int_equal(sc_hist_quantile(&h, 0.995), 8192);
	assert_int_equal(sc_hist_quantile(&h, 1), 8192);
	assert_int_equal(sc_hist_quantile(&h, 7), 8192);
}

static void
test_zero_and_overflow(void **state)
{
	struct sc_hist h = {0};

	sc_hist_add(&h, 0);
	assert_int_equal(sc_hist_quantile(&h, 1), 0);
	sc_hist_add(&h, 1ull << 50);
	assert_int_equal(sc_hist_quantile(&h, 1), 1ull << 50);
}

/* A quantile is never below the value it stands for, and less than twice as large. */
static void
test_quantile_bounds_value(void **state)
{
	struct sc_rng rng;

	sc_rng_seed(&rng, 7);
	for (int i = 0; i < 10000; i++) {
		struct sc_hist h = {0};
		uint64_t v = 1 + (sc_rng_next(&rng) >> (18 + sc_rng_below(&rng, 40)));

		sc_hist_add(&h, v);
		assert_true(sc_hist_quantile(&h, 0.5) > v);
		assert_true(sc_hist_quantile(&h, 0.5) <= 2 * v);
	}
}

static void
test_merge(void **state)
{
	struct sc_hist a = {0}, b = {0}, both = {0};

	for (uint64_t v = 0; v < 300; v++) {
		sc_hist_add(v % 3 == 0 ? &a : &b, v);
		sc_hist_add(&both, v);
	}
	sc_hist_merge(&a, &b);
	assert_memory_equal(&a, &both, sizeof(a));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_empty),
			cmocka_unit_test(test_bucket_edges),
			cmocka_unit_test(test_quantiles),
			cmocka_unit_test(test_zero_and_overflow),
			cmocka_unit_test(test_quantile_bounds_value),
			cmocka_unit_test(test_merge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
