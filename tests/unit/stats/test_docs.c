/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * docs/drop-reasons.md and docs/ledger.md say what the lists and the equations say. After a change
 * of those: SC_REWRITE_DOCS=1 test_stats_docs writes the pages anew.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sc_stats.h>

#include "sc_test.h"

static void
print_reasons(FILE *f)
{
	fputs("# Why something was refused, and how it ended\n\n"
	      "Every frame, flow, session, connection, response and byte that spancopy refuses or\n"
	      "lets go has one of these names. The report counts them, `spancopyctl reasons` "
	      "prints\n"
	      "them. This page is generated from `lib/stats/drop_reasons.def`.\n",
			f);
#define SC_REASON_SECTION(heading) \
	fprintf(f, "\n## %s\n\n| name | what it means |\n|---|---|\n", heading);
#define SC_REASON(sym, name, text) fprintf(f, "| `%s` | %s |\n", name, text);
#include "drop_reasons.def"
#undef SC_REASON
}

static void
print_equations(FILE *f, bool want_box)
{
	bool is_box;

	for (unsigned int i = 0; sc_ledger_equation(i, &is_box) != NULL; i++)
		if (is_box == want_box)
			fprintf(f, "* %s\n", sc_ledger_equation(i, NULL));
}

static void
print_ledger(FILE *f)
{
	fputs("# The ledger\n\n"
	      "What is counted, and the equations that must hold between the counts. They are\n"
	      "checked while spancopy runs and at its end; a report says `balanced` or names each\n"
	      "equation that does not hold. This page is generated from `lib/stats`.\n\n"
	      "## Equations of each worker and intercept lcore\n\n",
			f);
	print_equations(f, false);
	fputs("\n## Equations between lcores\n\n"
	      "`rings_handover` and `rings_records` are the elements on rings at that moment.\n\n",
			f);
	print_equations(f, true);
	fputs("\n## Counters\n\nA name that ends in `_now` is a gauge and may fall.\n\n"
	      "| name | what it counts |\n|---|---|\n",
			f);
	for (unsigned int c = 0; c < SC_C_COUNT; c++)
		fprintf(f, "| `%s` | %s |\n", sc_counter_name((enum sc_counter)c),
				sc_counter_help((enum sc_counter)c));
	fputs("\n## Maps\n\n"
	      "Counts by reason (see [drop-reasons.md](drop-reasons.md)): ",
			f);
	for (unsigned int m = 0; m < SC_M_COUNT; m++)
		fprintf(f, "%s`%s`", m == 0 ? "" : ",\n", sc_map_name((enum sc_map)m));
	fputs(".\n", f);
}

static void
check_page(const char *path, void (*print)(FILE *f))
{
	char *want = NULL, *have = NULL;
	size_t nb_want = 0, nb_have = 0;
	FILE *f = open_memstream(&want, &nb_want);

	assert_non_null(f);
	print(f);
	assert_int_equal(fclose(f), 0);
	if (getenv("SC_REWRITE_DOCS") != NULL) {
		f = fopen(path, "w");
		assert_non_null(f);
		assert_int_equal(fwrite(want, 1, nb_want, f), nb_want);
		assert_int_equal(fclose(f), 0);
	}
	f = fopen(path, "r");
	if (f == NULL)
		fail_msg("%s is missing: run with SC_REWRITE_DOCS=1", path);
	have = calloc(1, nb_want + 2);
	assert_non_null(have);
	nb_have = fread(have, 1, nb_want + 1, f);
	fclose(f);
	if (nb_have != nb_want || memcmp(have, want, nb_want) != 0)
		fail_msg("%s is out of date: run with SC_REWRITE_DOCS=1", path);
	free(have);
	free(want);
}

static void
test_drop_reasons(void **state)
{
	check_page(SC_DOCS_DIR "/drop-reasons.md", print_reasons);
}

static void
test_ledger(void **state)
{
	check_page(SC_DOCS_DIR "/ledger.md", print_ledger);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_drop_reasons),
			cmocka_unit_test(test_ledger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
