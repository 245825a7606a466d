/* SPDX-License-Identifier: BSD-3-Clause */
/* The owner table against DPDK's software RSS, and the ports of kept addresses. */
#include <errno.h>
#include <string.h>

#include <rte_thash.h>

#include <sc_steer.h>

#include "sc_test.h"

#define NB_FOLDS 65536u

static const uint32_t virtual_sizes[] = {64, 128, 512, 65536};
static struct sc_steer steer;

static void
random_addr(struct sc_rng *rng, bool is_v4, struct sc_addr *a)
{
	if (is_v4) {
		sc_addr_from_v4(a, (uint32_t)sc_rng_next(rng));
		return;
	}
	a->u64[0] = sc_rng_next(rng);
	a->u64[1] = sc_rng_next(rng);
}

/* The tuple as a NIC feeds it to the hash, in host-order words; returns their number. */
static uint32_t
nic_input(uint32_t *words, const struct sc_addr *src, const struct sc_addr *dst, uint16_t sport,
		uint16_t dport)
{
	uint32_t first = sc_addr_is_v4(src) ? 3 : 0, n = 0;

	for (uint32_t i = first; i < 4; i++)
		words[n++] = rte_be_to_cpu_32(src->u32[i]);
	for (uint32_t i = first; i < 4; i++)
		words[n++] = rte_be_to_cpu_32(dst->u32[i]);
	words[n++] = (uint32_t)sport << 16 | dport;
	return n;
}

static void
check_hash(struct sc_rng *rng, bool is_v4, const uint8_t *key, const uint8_t *key_be)
{
	uint16_t sport = (uint16_t)sc_rng_next(rng), dport = (uint16_t)sc_rng_next(rng), fold;
	struct sc_addr src, dst;
	uint32_t words[9], n, hash;

	random_addr(rng, is_v4, &src);
	random_addr(rng, is_v4, &dst);
	fold = sc_fold_tuple(&src, &dst, sport, dport);
	hash = steer.toeplitz[fold] | (uint32_t)steer.toeplitz[fold] << 16;
	n = nic_input(words, &src, &dst, sport, dport);
	assert_int_equal(rte_softrss(words, n, key), hash);
	assert_int_equal(rte_softrss_be(words, n, key_be), hash);
	/* The response: ends exchanged. */
	assert_int_equal(sc_fold_tuple(&dst, &src, dport, sport), fold);
	n = nic_input(words, &dst, &src, dport, sport);
	assert_int_equal(rte_softrss(words, n, key), hash);
}

static void
test_table_is_the_hash_of_a_nic(void **state)
{
	uint8_t key[40], key_be[40];
	struct sc_rng rng;

	sc_steer_rss_key(key, sizeof(key));
	rte_convert_rss_key((const uint32_t *)key, (uint32_t *)key_be, sizeof(key));
	assert_int_equal(sc_steer_init(&steer, 3, 128, NULL), 0);
	sc_rng_seed(&rng, 1);
	for (int i = 0; i < 50000; i++) {
		check_hash(&rng, true, key, key_be);
		check_hash(&rng, false, key, key_be);
	}
	sc_steer_free(&steer);
}

static void
test_fold_of_known_addresses(void **state)
{
	struct sc_addr v4, v6, other4, other6;

	assert_int_equal(sc_addr_parse("10.1.2.3", &v4), 0);
	assert_int_equal(sc_fold_addr(&v4), 0x0a01 ^ 0x0203);
	assert_int_equal(sc_addr_parse("2001:db8::1:2", &v6), 0);
	assert_int_equal(sc_fold_addr(&v6), 0x2001 ^ 0x0db8 ^ 1 ^ 2);
	assert_int_equal(sc_fold_tuple(&v4, &v4, 80, 1), 81);
	assert_int_equal(sc_addr_parse("192.168.77.254", &other4), 0);
	assert_int_equal(sc_addr_parse("fd00:9::7", &other6), 0);
	assert_int_equal(sc_fold_tuple(&v4, &other4, 80, 50000),
			sc_fold_addr(&v4) ^ sc_fold_addr(&other4) ^ 80 ^ 50000);
	assert_int_equal(sc_fold_tuple(&v6, &other6, 80, 50000),
			sc_fold_addr(&v6) ^ sc_fold_addr(&other6) ^ 80 ^ 50000);
}

static void
test_key_of_every_length(void **state)
{
	uint8_t key[256];

	for (unsigned int len = 0; len <= 255; len++) {
		memset(key, 0xee, sizeof(key));
		sc_steer_rss_key(key, (uint8_t)len);
		for (unsigned int i = 0; i < len; i++)
			assert_int_equal(key[i], i % 2 == 0 ? 0x6d : 0x5a);
		assert_int_equal(key[len], 0xee);
	}
}

static void
test_table_is_linear_and_a_bijection(void **state)
{
	static uint8_t seen[NB_FOLDS];
	struct sc_rng rng;

	memset(seen, 0, sizeof(seen));
	assert_int_equal(sc_steer_init(&steer, 1, 1, NULL), 0);
	for (uint32_t f = 0; f < NB_FOLDS; f++)
		seen[steer.toeplitz[f]]++;
	for (uint32_t f = 0; f < NB_FOLDS; f++)
		assert_int_equal(seen[f], 1);
	sc_rng_seed(&rng, 2);
	for (int i = 0; i < 100000; i++) {
		uint16_t a = (uint16_t)sc_rng_next(&rng), b = (uint16_t)sc_rng_next(&rng);

		assert_int_equal(steer.toeplitz[a ^ b], steer.toeplitz[a] ^ steer.toeplitz[b]);
	}
	sc_steer_free(&steer);
}

/* F_w is sorted, rank is its inverse, owner is V of the hash, and all folds are somewhere. */
static void
check_sets(uint16_t nb_workers, uint32_t v)
{
	uint32_t total = 0, nb_wrong = 0;

	for (uint16_t w = 0; w < nb_workers; w++) {
		for (uint32_t i = 0; i < steer.nb_folds[w]; i++) {
			uint16_t f = steer.folds[w][i];

			nb_wrong += sc_steer_owner(&steer, f) != w || steer.rank[f] != i
					|| (i > 0 && steer.folds[w][i - 1] >= f)
					|| (steer.toeplitz[f] & (v - 1)) % nb_workers != w;
		}
		total += steer.nb_folds[w];
		/* Balanced to one RETA entry. */
		assert_in_range(steer.nb_folds[w], v / nb_workers * (NB_FOLDS / v),
				(v / nb_workers + 1) * (NB_FOLDS / v));
	}
	assert_int_equal(nb_wrong, 0);
	assert_int_equal(total, NB_FOLDS);
}

/* A port with a longer RETA than v steers as one with v: the NIC takes more bits of the hash. */
static void
check_retas(uint32_t v)
{
	for (uint32_t size = v; size <= 4 * v; size *= 2) {
		uint32_t nb_wrong = 0;

		for (uint32_t f = 0; f < NB_FOLDS; f++)
			nb_wrong += sc_steer_reta(&steer, steer.toeplitz[f] & (size - 1))
					!= sc_steer_owner(&steer, (uint16_t)f);
		assert_int_equal(nb_wrong, 0);
	}
}

static void
test_owner_sets(void **state)
{
	for (uint16_t w = 1; w <= SC_STEER_WORKERS_MAX; w++) {
		for (unsigned int i = 0; i < SC_ARRAY_SIZE(virtual_sizes); i++) {
			uint32_t v = virtual_sizes[i];

			assert_int_equal(sc_steer_init(&steer, w, v, NULL), 0);
			check_sets(w, v);
			check_retas(v);
			sc_steer_free(&steer);
		}
	}
}

static void
test_init_refusals(void **state)
{
	static const uint32_t bad[] = {0, 3, 96, 511, 1024, 32768, 65535, 65537, 131072};
	struct sc_err err;

	for (unsigned int i = 0; i < SC_ARRAY_SIZE(bad); i++) {
		assert_int_equal(sc_steer_init(&steer, 2, bad[i], &err), -EINVAL);
		assert_non_null(strstr(err.text, "power of two"));
		assert_int_equal(sc_steer_init(&steer, 2, bad[i], NULL), -EINVAL);
	}
	assert_int_equal(sc_steer_init(&steer, 0, 128, &err), -EINVAL);
	assert_string_equal(err.text, "0 workers: there can be 1 to 16");
	assert_int_equal(sc_steer_init(&steer, 17, 128, &err), -EINVAL);
	for (uint32_t v = 1; v <= 512; v *= 2) {
		assert_int_equal(sc_steer_init(&steer, 16, v, &err), 0);
		sc_steer_free(&steer);
		sc_steer_free(&steer);
	}
}

/* ---- kept addresses ---- */

struct kept {
	struct sc_addr client, production, target;
	uint16_t pport, tport;
};

static void
random_kept(struct sc_rng *rng, struct kept *k)
{
	bool is_v4 = sc_rng_below(rng, 2) == 0;

	random_addr(rng, is_v4, &k->client);
	random_addr(rng, is_v4, &k->production);
	random_addr(rng, is_v4, &k->target);
	k->pport = (uint16_t)(1 + sc_rng_below(rng, 65535));
	k->tport = (uint16_t)(1 + sc_rng_below(rng, 65535));
}

static uint8_t
response_owner(const struct kept *k, uint16_t port)
{
	return sc_steer_owner(&steer, sc_fold_tuple(&k->target, &k->client, k->tport, port));
}

/* All candidates of one flow: come home, are allowed, are different, and come to an end. */
static void
check_candidates(const struct kept *k, uint16_t port)
{
	uint16_t fold = sc_fold_tuple(&k->client, &k->production, port, k->pport);
	uint8_t w = sc_steer_owner(&steer, fold);
	uint16_t got[16];
	unsigned int n = 0, nb = 0;

	for (;;) {
		uint16_t p = sc_steer_kept_port(
				&steer, w, &k->client, &k->target, k->tport, port, fold, &n);

		if (p == 0)
			break;
		assert_in_range(p, SC_STEER_PORT_MIN, 65535);
		assert_int_equal(response_owner(k, p), w);
		for (unsigned int i = 0; i < nb; i++)
			assert_int_not_equal(p, got[i]);
		got[nb++] = p;
		assert_in_range(nb, 1, 10);
	}
	/* One or two may lie below 1024, or be the client's own port once more. */
	assert_in_range(nb, 6, 10);
	if (port >= SC_STEER_PORT_MIN && response_owner(k, port) == w)
		assert_int_equal(got[0], port);
	assert_int_equal(sc_steer_kept_port(&steer, w, &k->client, &k->target, k->tport, port, fold,
					 &n),
			0);
}

static void
test_kept_candidates(void **state)
{
	struct sc_rng rng;
	struct kept k;

	sc_rng_seed(&rng, 3);
	for (uint16_t w = 1; w <= SC_STEER_WORKERS_MAX; w++) {
		for (unsigned int i = 0; i < SC_ARRAY_SIZE(virtual_sizes); i++) {
			assert_int_equal(sc_steer_init(&steer, w, virtual_sizes[i], NULL), 0);
			for (int j = 0; j < 200; j++) {
				random_kept(&rng, &k);
				check_candidates(&k, (uint16_t)sc_rng_next(&rng));
			}
			sc_steer_free(&steer);
		}
	}
}

/* The port that keeps the fold, for n = 1 alone: own port < 1024 or not owned makes it first. */
static uint16_t
fold_keeping_port(const struct kept *k, uint16_t port)
{
	uint16_t fold = sc_fold_tuple(&k->client, &k->production, port, k->pport);
	unsigned int n = 1;
	uint16_t p = sc_steer_kept_port(&steer, sc_steer_owner(&steer, fold), &k->client,
			&k->target, k->tport, port, fold, &n);

	if (n != 2)
		return 0; /* skipped: below 1024, or the client's own */
	assert_int_equal(sc_fold_tuple(&k->target, &k->client, k->tport, p), fold);
	return p;
}

static void
test_kept_port_of_equal_fold_is_a_bijection(void **state)
{
	static uint8_t seen[65536];
	struct sc_rng rng;
	struct kept k;

	sc_rng_seed(&rng, 4);
	assert_int_equal(sc_steer_init(&steer, 7, 128, NULL), 0);
	for (int round = 0; round < 8; round++) {
		uint32_t nb = 0;

		random_kept(&rng, &k);
		memset(seen, 0, sizeof(seen));
		for (uint32_t port = 0; port < 65536; port++) {
			uint16_t p = fold_keeping_port(&k, (uint16_t)port);

			if (p == 0)
				continue;
			assert_int_equal(seen[p]++, 0);
			nb++;
		}
		/* All but the ports that may not be used. */
		assert_int_equal(nb, 65536 - SC_STEER_PORT_MIN);
	}
	sc_steer_free(&steer);
}

/* The target stands for production at the same place of the fold: the own port, offered once. */
static void
test_kept_own_port_is_not_repeated(void **state)
{
	struct kept k;
	uint16_t fold;
	unsigned int n = 0;

	assert_int_equal(sc_addr_parse("10.0.0.1", &k.client), 0);
	assert_int_equal(sc_addr_parse("10.0.0.2", &k.production), 0);
	k.target = k.production;
	assert_int_equal(sc_steer_init(&steer, 4, 128, NULL), 0);
	fold = sc_fold_tuple(&k.client, &k.production, 40000, 80);
	assert_int_equal(sc_steer_kept_port(&steer, sc_steer_owner(&steer, fold), &k.client,
					 &k.target, 80, 40000, fold, &n),
			40000);
	assert_int_equal(n, 1);
	assert_int_not_equal(sc_steer_kept_port(&steer, sc_steer_owner(&steer, fold), &k.client,
					     &k.target, 80, 40000, fold, &n),
			40000);
	assert_int_equal(n, 3); /* n = 1 was the own port again */
	sc_steer_free(&steer);
}

/* A worker that does not own the flow's fold gets the own port at most, never a stranger's. */
static void
test_kept_port_of_a_strange_flow(void **state)
{
	struct sc_rng rng;
	struct kept k;

	sc_rng_seed(&rng, 5);
	assert_int_equal(sc_steer_init(&steer, 3, 64, NULL), 0);
	for (int i = 0; i < 1000; i++) {
		uint16_t port = (uint16_t)(1024 + sc_rng_below(&rng, 64512)), fold, p;
		unsigned int n = 0;
		uint8_t w;

		random_kept(&rng, &k);
		fold = sc_fold_tuple(&k.client, &k.production, port, k.pport);
		w = (sc_steer_owner(&steer, fold) + 1) % 3;
		p = sc_steer_kept_port(&steer, w, &k.client, &k.target, k.tport, port, fold, &n);
		assert_int_equal(p, response_owner(&k, port) == w ? port : 0);
		if (p != 0)
			assert_int_equal(sc_steer_kept_port(&steer, w, &k.client, &k.target,
							 k.tport, port, fold, &n),
					0);
	}
	sc_steer_free(&steer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_table_is_the_hash_of_a_nic),
			cmocka_unit_test(test_fold_of_known_addresses),
			cmocka_unit_test(test_key_of_every_length),
			cmocka_unit_test(test_table_is_linear_and_a_bijection),
			cmocka_unit_test(test_owner_sets),
			cmocka_unit_test(test_init_refusals),
			cmocka_unit_test(test_kept_candidates),
			cmocka_unit_test(test_kept_port_of_equal_fold_is_a_bijection),
			cmocka_unit_test(test_kept_own_port_is_not_repeated),
			cmocka_unit_test(test_kept_port_of_a_strange_flow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
