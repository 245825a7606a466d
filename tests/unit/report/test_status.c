/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "report_fixture.h"
#include "sc_test.h"

static void
test_number(void **state)
{
	static const struct {
		uint64_t value;
		const char *text;
	} row[] = {
			{0, "0"},
			{999, "999"},
			{1000, "1,000"},
			{123456, "123,456"},
			{1234567, "1,234,567"},
			{UINT64_MAX, "18,446,744,073,709,551,615"},
	};
	char buf[SC_REPORT_NUMBER_LEN];

	for (size_t i = 0; i < SC_ARRAY_SIZE(row); i++)
		assert_string_equal(sc_report_number(row[i].value, buf), row[i].text);
}

static void
test_rates(void **state)
{
	static struct sc_stats before, now;
	struct sc_report_tick t = {&before, &now, 2.0, 61.2};
	char buf[256];

	before.c[SC_C_FLOWS_SEEN] = 1000;
	now.c[SC_C_FLOWS_SEEN] = 1200;
	now.c[SC_C_FLOWS_LIVE_NOW] = 7;
	now.m[SC_M_FLOW_REFUSED][SC_R_NO_BOUNDARY] = 3;
	now.c[SC_C_TURNS_SEEN] = 50;
	before.c[SC_C_BYTES_DELIVERED] = 1000;
	now.c[SC_C_BYTES_DELIVERED] = 501000;
	now.c[SC_C_ANSWER_BYTES] = 249990000;
	now.c[SC_C_BYTES_ACCEPTED_COPIES] = 501001;
	assert_string_equal(sc_report_status_line(&t, buf, sizeof(buf)),
			"   61 s  flows 1,200 (+100/s, 7 live, 3 refused)  turns 25/s  "
			"client 2.0 Mbit/s  answers 1.0 Gbit/s  fidelity 99.99 %");
}

static void
test_no_interval(void **state)
{
	static struct sc_stats before, now;
	struct sc_report_tick t = {&before, &now, 0, 0};
	char buf[256];

	before.c[SC_C_TURNS_SEEN] = 9; /* of an earlier run: it never goes below 0 */
	now.c[SC_C_FLOWS_SEEN] = 5;
	assert_string_equal(sc_report_status_line(&t, buf, sizeof(buf)),
			"    0 s  flows 5 (+0/s, 0 live, 0 refused)  turns 0/s  "
			"client 0.0 bit/s  answers 0.0 bit/s  fidelity 100.00 %");
	t.interval_s = 1;
	assert_non_null(strstr(sc_report_status_line(&t, buf, sizeof(buf)), "turns 0/s"));
}

static void
test_small_buffer(void **state)
{
	static struct sc_stats before, now;
	struct sc_report_tick t = {&before, &now, 1, 1};
	char buf[10];

	memset(buf, 'x', sizeof(buf));
	assert_string_equal(sc_report_status_line(&t, buf, sizeof(buf)), "    1 s  ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_number),
			cmocka_unit_test(test_rates),
			cmocka_unit_test(test_no_interval),
			cmocka_unit_test(test_small_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
