/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "report_fixture.h"
#include "sc_test.h"

/* The text report; valid until the next call. */
static const char *
text_of(const struct sc_report_in *in, bool verbose)
{
	static char text[65536];
	FILE *out = fmemopen(text, sizeof(text), "w");

	assert_non_null(out);
	assert_int_equal(sc_report_text(in, out, verbose), 0);
	assert_true(ftell(out) < (long)sizeof(text) - 1);
	fclose(out);
	return text;
}

static void
show(const char *text, const char *part)
{
	fputs(text, stderr);
	fputs(part, stderr);
}

static void
check_has(const char *text, const char *part)
{
	if (strstr(text, part) != NULL)
		return;
	show(text, part);
	fail_msg("the last line is not in the report above");
}

static void
check_has_not(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		return;
	show(text, part);
	fail_msg("the last line is in the report above");
}

static void
test_short_form(void **state)
{
	static struct fixture f;
	const char *text;

	fixture_init(&f);
	text = text_of(&f.in, false);
	check_has(text,
			"spancopy replay: 12.5 s, fidelity 95.00 %\n"
			"left out of it: 65 flows refused, 20 client bytes refused\n\n");
	check_has(text, "flows                                  1,234,567\n");
	check_has(text, "      complete                         1,234,400\n");
	check_has(text, "target_reset                           100  the target reset");
	check_has(text, "port net_ring0 (mirror): received 1,200, sent 0, missed 7\n");
	check_has(text,
			"port net_af_packet0 (test): received 90, sent 80, missed unknown, errors "
			"3\n");
	check_has(text, "warning: the mirror port has no counter of missed frames\n");
	check_has(text, "ledger balanced: all 17 equations hold\n");
	check_has(text, "latency, us");
	check_has_not(text, "capture damaged");
	check_has_not(text, "bytes_in");
	check_has_not(text, "holds: ");
	check_has_not(text, "waiting");
	check_has_not(text, "unconfirmed");
}

static void
test_verbose_form(void **state)
{
	static struct fixture f;
	const char *text;

	fixture_init(&f);
	f.sum.c[SC_C_TX_SYN] = 77;
	f.in.damage = "a.pcap: record at offset 24 is cut short";
	text = text_of(&f.in, true);
	check_has(text, "bytes_in                                   3,456\n");
	check_has(text, "holds: flows: flows_seen = ");
	check_has(text, "SYN                                       77\n");
	check_has(text, "capture damaged: a.pcap: record at offset 24 is cut short\n");
	check_has(text, sc_reason_text(SC_R_COMPLETE));
}

static void
test_faults_are_named(void **state)
{
	static struct fixture f;
	const char *text;

	fixture_init(&f);
	fixture_unbalance(&f);
	text = text_of(&f.in, true);
	check_has(text, "ledger NOT balanced");
	check_has(text, sc_ledger_equation(1, NULL));
	check_has(text, "left 1,500, right 1,501\n");
	check_has_not(text, "ledger balanced");
	check_has_not(text, "holds: flows: ");
	check_has(text, "holds: frames: ");
}

static void
test_empty_run(void **state)
{
	static struct sc_stats sum;
	static struct sc_ledger_result ledger;
	struct sc_report_in in = {.sum = &sum, .ledger = &ledger};
	const char *text = text_of(&in, false);

	check_has(text, "fidelity 100.00 %");
	check_has(text, "ledger balanced");
	check_has_not(text, "latency");
}

static void
test_full_disk(void **state)
{
	static struct fixture f;
	FILE *out = fopen("/dev/full", "w");

	assert_non_null(out);
	fixture_init(&f);
	assert_int_equal(sc_report_text(&f.in, out, false), -EIO);
	fclose(out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_short_form),
			cmocka_unit_test(test_verbose_form),
			cmocka_unit_test(test_faults_are_named),
			cmocka_unit_test(test_empty_run),
			cmocka_unit_test(test_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
