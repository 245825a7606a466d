/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <string.h>

#include <sc_stats.h>

#include "sc_test.h"

typedef const char *(*name_fn)(unsigned int i);

static const char *
reason(unsigned int i)
{
	return sc_reason_name((enum sc_reason)i);
}

static const char *
counter(unsigned int i)
{
	return sc_counter_name((enum sc_counter)i);
}

static const char *
map(unsigned int i)
{
	return sc_map_name((enum sc_map)i);
}

/* Names are keys of the report: lower case words, none twice. */
static void
check_names(name_fn name, unsigned int nb)
{
	for (unsigned int i = 0; i < nb; i++) {
		assert_non_null(name(i));
		assert_true(islower(name(i)[0]));
		for (const char *p = name(i); *p != '\0'; p++)
			assert_true(islower(*p) || isdigit(*p) || *p == '_');
		for (unsigned int k = 0; k < i; k++)
			assert_string_not_equal(name(i), name(k));
	}
	assert_string_equal(name(nb), "?");
	assert_string_equal(name((unsigned int)-1), "?");
}

static void
test_names(void **state)
{
	check_names(reason, SC_R_COUNT);
	check_names(counter, SC_C_COUNT);
	check_names(map, SC_M_COUNT);
}

static void
test_texts(void **state)
{
	for (unsigned int i = 0; i < SC_R_COUNT; i++)
		assert_true(strlen(sc_reason_text((enum sc_reason)i)) > 5);
	for (unsigned int i = 0; i < SC_C_COUNT; i++)
		assert_true(strlen(sc_counter_help((enum sc_counter)i)) > 3);
	assert_string_equal(sc_reason_text(SC_R_COUNT), "?");
	assert_string_equal(sc_counter_help(SC_C_COUNT), "?");
}

/* The report's readers rely on these words. */
static void
test_well_known(void **state)
{
	assert_string_equal(sc_reason_name(SC_R_COMPLETE), "complete");
	assert_string_equal(sc_reason_name(SC_R_COMPLETE_OPEN), "complete_open");
	assert_string_equal(sc_reason_name(SC_R_MIRROR_LOOP), "mirror_loop");
	assert_string_equal(sc_map_name(SC_M_FLOW_REFUSED), "flows_refused");
	assert_string_equal(sc_map_name(SC_M_RESP_STRAY), "responses_stray");
	assert_string_equal(sc_counter_name(SC_C_MIRROR_POLLED), "mirror_polled");
	assert_string_equal(sc_counter_name(SC_C_GATE_EXACT), "gate_exact");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_names),
			cmocka_unit_test(test_texts),
			cmocka_unit_test(test_well_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
