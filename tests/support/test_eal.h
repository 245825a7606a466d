/* SPDX-License-Identifier: BSD-3-Clause */
/* test_eal: EAL for unit tests: no root, no hugepages, no network. */
#ifndef TEST_EAL_H
#define TEST_EAL_H

#include <rte_mempool.h>

/* cmocka group set-up: start EAL once with 4 lcores that may share CPUs. 0 or -1. */
int test_eal_setup(void **state);
int test_eal_teardown(void **state);

/* A mempool of n mbufs with `room` bytes of data room behind the usual headroom; asserts success. */
struct rte_mempool *test_pool(const char *name, unsigned int n, unsigned int room);

#endif
