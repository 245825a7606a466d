/* SPDX-License-Identifier: BSD-3-Clause */
/* What a loop does without work, and for how long it sleeps. */
#include <sys/resource.h>

#include <sc_worker.h>

#include "sc_test.h"

/* How often this process gave the CPU away to wait: nanosleep() does, pause and yield do not. */
static long
nb_sleeps(void)
{
	struct rusage u;

	assert_int_equal(getrusage(RUSAGE_SELF, &u), 0);
	return u.ru_nvcsw;
}

static void
test_work_resets(void **state)
{
	struct sc_idler i = {.mode = SC_IDLE_BUSY};

	for (unsigned int k = 1; k <= 5; k++) {
		sc_idle(&i, 0, 0);
		assert_int_equal(i.empty, k);
	}
	sc_idle(&i, 1, 0);
	assert_int_equal(i.empty, 0);
	sc_idle(&i, 0, 0);
	assert_int_equal(i.empty, 1);
}

static void
test_busy_never_sleeps(void **state)
{
	struct sc_idler i = {.mode = SC_IDLE_BUSY};
	long before = nb_sleeps();

	for (unsigned int k = 0; k < 5000; k++)
		sc_idle(&i, 0, SC_US_PER_S);
	assert_int_equal(nb_sleeps(), before);
	assert_int_equal(i.empty, 5000);
}

/* AUTO is chosen before the loops start; where it was not, it must not sleep on a NIC. */
static void
test_auto_never_sleeps(void **state)
{
	struct sc_idler i = {.mode = SC_IDLE_AUTO};
	long before = nb_sleeps();

	for (unsigned int k = 0; k < 5000; k++)
		sc_idle(&i, 0, SC_US_PER_S);
	assert_int_equal(nb_sleeps(), before);
}

/* The first empty rounds only pause, and so do all when a deadline is due. */
static void
test_sleep_waits_first(void **state)
{
	struct sc_idler i = {.mode = SC_IDLE_SLEEP};
	long before = nb_sleeps();

	for (unsigned int k = 0; k < 3; k++)
		sc_idle(&i, 0, SC_US_PER_S);
	for (unsigned int k = 0; k < 1000; k++)
		sc_idle(&i, 0, 0);
	assert_int_equal(nb_sleeps(), before);
	sc_idle(&i, 1, 0);
	assert_int_equal(i.empty, 0);
	for (unsigned int k = 0; k < 3; k++)
		sc_idle(&i, 0, SC_US_PER_S);
	assert_int_equal(nb_sleeps(), before);
}

/* Until it sleeps once; for how long it meant to. */
static uint32_t
sleep_after(struct sc_idler *i, uint32_t work, uint64_t max_us)
{
	long before = nb_sleeps();
	bool has_slept = false;

	if (work > 0)
		assert_false(sc_idle(i, work, max_us));
	for (unsigned int k = 0; k < 4 && !has_slept; k++)
		has_slept = sc_idle(i, 0, max_us);
	assert_true(has_slept);
	assert_int_equal(nb_sleeps(), before + 1);
	return i->sleep_us;
}

/* Short after little work; longer after more, or none; shorter where rings could run full. */
static void
test_sleep_follows_work(void **state)
{
	struct sc_idler i = {.mode = SC_IDLE_SLEEP};

	assert_int_equal(sleep_after(&i, 1, SC_US_PER_S), 50);
	assert_int_equal(sleep_after(&i, 0, SC_US_PER_S), 100);
	assert_int_equal(sleep_after(&i, 16, SC_US_PER_S), 200);
	assert_int_equal(sleep_after(&i, 255, SC_US_PER_S), 400);
	assert_int_equal(sleep_after(&i, 16, SC_US_PER_S), 800);
	assert_int_equal(sleep_after(&i, 16, SC_US_PER_S), 800);
	assert_int_equal(sleep_after(&i, UINT32_MAX, SC_US_PER_S), 400);
	assert_int_equal(sleep_after(&i, 256, 1), 200);
	assert_int_equal(sleep_after(&i, 15, SC_US_PER_S), 50);
	for (unsigned int k = 0; k < 5; k++)
		sleep_after(&i, 0, SC_US_PER_S);
	assert_int_equal(i.sleep_us, 400);
}

static void
test_yield_counts(void **state)
{
	struct sc_idler i = {.mode = SC_IDLE_YIELD};

	for (unsigned int k = 0; k < 20; k++)
		sc_idle(&i, 0, SC_US_PER_S);
	assert_int_equal(i.empty, 20);
	sc_idle(&i, 1, SC_US_PER_S);
	assert_int_equal(i.empty, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_work_resets),
			cmocka_unit_test(test_busy_never_sleeps),
			cmocka_unit_test(test_auto_never_sleeps),
			cmocka_unit_test(test_sleep_waits_first),
			cmocka_unit_test(test_sleep_follows_work),
			cmocka_unit_test(test_yield_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
