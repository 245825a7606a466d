/* SPDX-License-Identifier: BSD-3-Clause */
#include "test_eal.h"

#include <rte_eal.h>
#include <rte_mbuf.h>

#include <sc_packet.h>

#include "sc_test.h"

int
test_eal_setup(void **state)
{
	char *argv[] = {"test", "--no-huge", "--no-shconf", "--no-telemetry", "-m", "64",
			"--no-pci", "--lcores=0@(0-1),1@(0-1),2@(0-1),3@(0-1)",
			"--log-level=lib.eal:error", NULL};

	(void)state;
	if (rte_eal_init((int)(sizeof(argv) / sizeof(argv[0])) - 1, argv) < 0)
		return -1;
	return sc_mbuf_init() < 0 ? -1 : 0;
}

int
test_eal_teardown(void **state)
{
	(void)state;
	return rte_eal_cleanup();
}

struct rte_mempool *
test_pool(const char *name, unsigned int n, unsigned int room)
{
	struct rte_mempool *mp;

	mp = rte_pktmbuf_pool_create(name, n, 0, 0, room + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
	assert_non_null(mp);
	return mp;
}
