/* SPDX-License-Identifier: BSD-3-Clause */
/* The n-th allocation of a report fails, n = 1, 2, ...: no report comes of it, and nothing leaks. */
#include <errno.h>
#include <stdlib.h>

#include "report_fixture.h"

#define CALLS_MAX 20000

static unsigned int nb_calls, fail_at;
static int nb_live;

static void *
take(size_t size)
{
	if (++nb_calls == fail_at)
		return NULL;
	nb_live++;
	return malloc(size);
}

static void
give(void *p)
{
	nb_live -= p != NULL;
	free(p);
}

/*
 * A report without one of its parts would be worse than none. Of a text alone a second try may do,
 * and nothing is missing then.
 */
static void
sweep(json_t *(*make)(const struct sc_report_in *in), const struct sc_report_in *in)
{
	json_t *whole = make(in), *obj;
	unsigned int nb_failed = 0;

	assert_non_null(whole);
	json_set_alloc_funcs(take, give);
	for (fail_at = 1; fail_at < CALLS_MAX; fail_at++) {
		nb_calls = 0;
		nb_live = 0;
		obj = make(in);
		if (obj != NULL)
			assert_true(json_equal(obj, whole));
		nb_failed += obj == NULL;
		json_decref(obj);
		assert_int_equal(nb_live, 0);
		if (nb_calls < fail_at)
			break;
	}
	json_set_alloc_funcs(malloc, free);
	json_decref(whole);
	assert_in_range(nb_failed, 20, CALLS_MAX - 2);
}

static void
report(void **state)
{
	struct fixture f;

	fixture_init(&f);
	fixture_unbalance(&f);
	f.in.damage = "a.pcap, at byte 24: cut";
	sweep(sc_report_object, &f.in);
}

static void
ledger(void **state)
{
	struct fixture f;

	fixture_init(&f);
	fixture_unbalance(&f);
	sweep(sc_report_ledger, &f.in);
}

static void
status(void **state)
{
	struct fixture f;

	fixture_init(&f);
	sweep(sc_report_status, &f.in);
}

/* The stream has no half of a report. */
static void
stream(void **state)
{
	struct fixture f;
	FILE *out = tmpfile();

	assert_non_null(out);
	fixture_init(&f);
	json_set_alloc_funcs(take, give);
	for (fail_at = 1; fail_at < 200; fail_at++) {
		nb_calls = 0;
		assert_int_equal(sc_report_json(&f.in, out), -ENOMEM);
	}
	json_set_alloc_funcs(malloc, free);
	assert_int_equal(ftell(out), 0);
	fclose(out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(report),
			cmocka_unit_test(ledger),
			cmocka_unit_test(status),
			cmocka_unit_test(stream),
	};

	return cmocka_run_group_tests_name("report/nomem", tests, NULL, NULL);
}
