/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory for tables: zeroed, aligned for huge pages, refused when there cannot be so much. */
#include <errno.h>

#include <sc_base.h>

#include "sc_test.h"

#define HUGE_PAGE ((size_t)2 << 20)

static void
sizes(void **state)
{
	static const size_t nb[] = {0, 1, 4096, 4097, HUGE_PAGE - 1, HUGE_PAGE, 3 * HUGE_PAGE + 1};

	for (unsigned int i = 0; i < SC_ARRAY_SIZE(nb); i++) {
		uint8_t *mem = sc_mem_map(nb[i], 1, 0);
		size_t any = 0;

		assert_non_null(mem);
		assert_true(sc_mem_size(nb[i], 1) >= nb[i]);
		assert_int_equal((uintptr_t)mem % (nb[i] >= HUGE_PAGE ? HUGE_PAGE : 4096), 0);
		for (size_t k = 0; k < nb[i]; k++)
			any |= mem[k];
		assert_int_equal(any, 0);
		if (nb[i] > 0)
			mem[nb[i] - 1] = 1;
		sc_mem_unmap(mem, nb[i], 1);
	}
	assert_int_equal(sc_mem_size(1, 4096), 4096);
	assert_int_equal(sc_mem_size(HUGE_PAGE, 2), 2 * HUGE_PAGE);
	sc_mem_unmap(NULL, 5, 7);
}

static void
refused(void **state)
{
	errno = 0;
	assert_null(sc_mem_map(SIZE_MAX / 2, 3, -1));
	assert_int_equal(errno, ENOMEM);
	errno = 0;
	assert_null(sc_mem_map(SIZE_MAX - 4096, 1, -1));
	assert_int_equal(errno, ENOMEM);
	errno = 0;
	assert_null(sc_mem_map(1ull << 50, 8, -1)); /* beyond any address space */
	assert_int_equal(errno, ENOMEM);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(sizes),
			cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
