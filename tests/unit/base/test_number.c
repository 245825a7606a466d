/* SPDX-License-Identifier: BSD-3-Clause */
/* Sequence numbers, the seeded generator, small macros. */
#include <sc_base.h>

#include "sc_test.h"

static void
assert_before(uint32_t a, uint32_t b)
{
	assert_true(sc_seq_lt(a, b));
	assert_true(sc_seq_leq(a, b));
	assert_false(sc_seq_gt(a, b));
	assert_false(sc_seq_geq(a, b));
	assert_false(sc_seq_lt(b, a));
	assert_true(sc_seq_gt(b, a));
	assert_true(sc_seq_geq(b, a));
	assert_int_equal(sc_seq_max(a, b), b);
	assert_int_equal(sc_seq_max(b, a), b);
}

static void
test_sequence_order(void **state)
{
	static const uint32_t at[] = {0, 1, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};

	(void)state;
	for (size_t i = 0; i < SC_ARRAY_SIZE(at); i++) {
		uint32_t a = at[i];

		assert_true(sc_seq_leq(a, a) && sc_seq_geq(a, a));
		assert_false(sc_seq_lt(a, a) || sc_seq_gt(a, a));
		assert_int_equal(sc_seq_max(a, a), a);
		for (unsigned int shift = 0; shift < 31; shift++)
			assert_before(a, a + (1u << shift));
		assert_before(a, a + 0x7fffffff);
	}
}

static void
test_clamp(void **state)
{
	(void)state;
	assert_int_equal(SC_MIN(1, 2), 1);
	assert_int_equal(SC_MAX(1, 2), 2);
	assert_int_equal(SC_CLAMP(5, 1, 9), 5);
	assert_int_equal(SC_CLAMP(-5, 1, 9), 1);
	assert_int_equal(SC_CLAMP(50, 1, 9), 9);
}

/* The same numbers on every machine: simulations are named by their seed. */
static void
test_rng_is_fixed(void **state)
{
	struct sc_rng a, b;
	uint64_t s;

	(void)state;
	sc_rng_seed(&a, 42);
	sc_rng_seed(&b, 42);
	s = 42 * 0x9e3779b97f4a7c15ull + 0x632be59bd9b4e019ull;
	for (unsigned int i = 0; i < 100; i++) {
		/* xorshift64*: shifts 12, 25, 27, then the multiplier */
		s ^= s >> 12;
		s ^= s << 25;
		s ^= s >> 27;
		assert_true(sc_rng_next(&a) == s * 0x2545f4914f6cdd1dull);
		assert_true(sc_rng_next(&b) == s * 0x2545f4914f6cdd1dull);
	}
	sc_rng_seed(&b, 43);
	assert_true(sc_rng_next(&a) != sc_rng_next(&b));
}

/* xorshift would stay at 0 for ever. */
static void
test_rng_never_starts_at_zero(void **state)
{
	/* the seed that makes the sum 0: -c times the inverse of the odd multiplier */
	uint64_t mul = 0x9e3779b97f4a7c15ull, inverse = mul;
	struct sc_rng r;

	(void)state;
	for (unsigned int i = 0; i < 6; i++) /* Newton: each step doubles the right bits */
		inverse *= 2 - mul * inverse;
	assert_true(mul * inverse == 1);
	sc_rng_seed(&r, (0 - 0x632be59bd9b4e019ull) * inverse);
	assert_true(r.s == 1);
	assert_true(sc_rng_next(&r) != 0);
}

static void
test_rng_below(void **state)
{
	unsigned int count[10] = {0};
	struct sc_rng r;

	(void)state;
	sc_rng_seed(&r, 1);
	for (unsigned int i = 0; i < 100000; i++) {
		uint32_t n = sc_rng_below(&r, 10);

		assert_true(n < 10);
		count[n]++;
		assert_int_equal(sc_rng_below(&r, 1), 0);
		assert_true(sc_rng_below(&r, UINT32_MAX) < UINT32_MAX);
	}
	for (unsigned int i = 0; i < 10; i++)
		assert_in_range(count[i], 9500, 10500);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_sequence_order),
			cmocka_unit_test(test_clamp),
			cmocka_unit_test(test_rng_is_fixed),
			cmocka_unit_test(test_rng_never_starts_at_zero),
			cmocka_unit_test(test_rng_below),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
