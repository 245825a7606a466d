/* SPDX-License-Identifier: BSD-3-Clause */
/* sc_mbuf_free_burst(): whatever kind the frames are, all come back to their pools, and only once. */
#include <sc_packet.h>

#include "sc_test.h"
#include "test_eal.h"

#define NB_MAX 64
#define POOL_SIZE 1023

static struct rte_mempool *pool[2];

static int
setup(void **state)
{
	if (test_eal_setup(state) < 0)
		return -1;
	pool[0] = test_pool("free0", POOL_SIZE, 256);
	pool[1] = test_pool("free1", POOL_SIZE, 256);
	return 0;
}

static int
teardown(void **state)
{
	rte_mempool_free(pool[0]);
	rte_mempool_free(pool[1]);
	return test_eal_teardown(state);
}

static struct rte_mbuf *
alloc(unsigned int i)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool[i]);

	assert_non_null(m);
	return m;
}

/* A frame of a kind; *held: another reference that is left. */
static struct rte_mbuf *
any_frame(struct sc_rng *rng, struct rte_mbuf **held)
{
	struct rte_mbuf *m = alloc(sc_rng_below(rng, 2)), *other;

	*held = NULL;
	switch (sc_rng_below(rng, 6)) {
	case 0:
		assert_int_equal(rte_pktmbuf_chain(m, alloc(sc_rng_below(rng, 2))), 0);
		break;
	case 1:
		rte_mbuf_refcnt_update(m, 1);
		*held = m;
		break;
	case 2: /* attached to the memory of another */
		other = alloc(sc_rng_below(rng, 2));
		rte_pktmbuf_attach(m, other);
		*held = other;
		break;
	default:
		break;
	}
	return m;
}

static void
assert_whole(void)
{
	assert_int_equal(rte_mempool_in_use_count(pool[0]), 0);
	assert_int_equal(rte_mempool_in_use_count(pool[1]), 0);
}

static void
test_all_come_back(void **state)
{
	struct rte_mbuf *m[NB_MAX], *held[NB_MAX], *seen[POOL_SIZE];
	struct sc_rng rng;

	(void)state;
	sc_rng_seed(&rng, 31);
	for (unsigned int round = 0; round < 2000; round++) {
		unsigned int n = sc_rng_below(&rng, NB_MAX + 1);

		for (unsigned int i = 0; i < n; i++)
			m[i] = any_frame(&rng, &held[i]);
		sc_mbuf_free_burst(m, n);
		for (unsigned int i = 0; i < n; i++) {
			if (held[i] == NULL)
				continue;
			assert_int_equal(rte_mbuf_refcnt_read(held[i]), 1);
			rte_pktmbuf_free(held[i]);
		}
		assert_whole();
	}
	/* each is there once, and as an allocation expects it */
	for (unsigned int k = 0; k < 2; k++) {
		assert_int_equal(rte_pktmbuf_alloc_bulk(pool[k], seen, POOL_SIZE), 0);
		for (unsigned int i = 0; i < POOL_SIZE; i++) {
			assert_int_equal(rte_mbuf_refcnt_read(seen[i]), 1);
			assert_null(seen[i]->next);
			assert_int_equal(seen[i]->nb_segs, 1);
			assert_int_equal(seen[i]->ol_flags, 0);
			rte_mbuf_refcnt_set(seen[i], 2); /* twice in the pool would be seen */
		}
		for (unsigned int i = 0; i < POOL_SIZE; i++)
			rte_mbuf_refcnt_set(seen[i], 1);
		rte_pktmbuf_free_bulk(seen, POOL_SIZE);
	}
	assert_whole();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_all_come_back),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
