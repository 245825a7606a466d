/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include <sc_stats.h>

#include "sc_test.h"

static void
test_map_sum(void **state)
{
	static struct sc_stats s;

	s.m[SC_M_FLOW_REFUSED][SC_R_NEVER_OPENED] = 3;
	s.m[SC_M_FLOW_REFUSED][SC_R_NONE] = 5;
	s.m[SC_M_FLOW_REFUSED][SC_R_COUNT - 1] = 7;
	s.m[SC_M_FLOW_ENDED][SC_R_COMPLETE] = 11;
	assert_int_equal(sc_stats_map_sum(&s, SC_M_FLOW_REFUSED), 15);
	assert_int_equal(sc_stats_map_sum(&s, SC_M_FLOW_ENDED), 11);
	assert_int_equal(sc_stats_map_sum(&s, SC_M_RESP_STRAY), 0);
}

static void
test_map_sum_wraps(void **state)
{
	static struct sc_stats s;

	s.m[SC_M_RESP_STRAY][SC_R_RECORD_RING_FULL] = UINT64_MAX;
	s.m[SC_M_RESP_STRAY][SC_R_STRAY_UNKNOWN] = 2;
	assert_int_equal(sc_stats_map_sum(&s, SC_M_RESP_STRAY), 1);
}

/* Every word of a block takes part in an addition, and the source stays as it was. */
static void
test_add_takes_every_word(void **state)
{
	static struct sc_stats a, b, b_before;
	uint64_t *pa = (uint64_t *)&a, *pb = (uint64_t *)&b;

	for (size_t i = 0; i < sizeof(a) / sizeof(uint64_t); i++) {
		pa[i] = 1000 + i;
		pb[i] = 7 * i;
	}
	b_before = b;
	sc_stats_add(&a, &b);
	for (size_t i = 0; i < sizeof(a) / sizeof(uint64_t); i++)
		assert_int_equal(pa[i], 1000 + 8 * i);
	assert_memory_equal(&b, &b_before, sizeof(b));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_map_sum),
			cmocka_unit_test(test_map_sum_wraps),
			cmocka_unit_test(test_add_takes_every_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
