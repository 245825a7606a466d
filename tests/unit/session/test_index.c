/* SPDX-License-Identifier: BSD-3-Clause */
/* The session index against a model: every entry found, none invented, nothing left behind. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_hash_crc.h>

#include <sc_base.h>
#include <sc_session.h>
#include <sc_steer.h>

#include "sc_test.h"

/* A state per value: its key. The hash is taken from the key so that tests can choose it. */
struct states {
	uint64_t *key;
	uint32_t nb_eq;       /* comparisons made */
	uint32_t nb_prefetch; /* states prefetched */
};

static uint32_t
hash_of(uint64_t key)
{
	key = (key ^ key >> 33) * 0xff51afd7ed558ccdull;
	key = (key ^ key >> 33) * 0xc4ceb9fe1a85ec53ull;
	return (uint32_t)(key >> 32);
}

/* The hash whose place in the table is `place` of 2^32. */
static uint32_t
hash_at(uint32_t place)
{
	uint32_t inverse = 1;

	for (int i = 0; i < 5; i++) /* Newton: each step doubles the right bits */
		inverse *= 2 - 0x9e3779b1u * inverse;
	return place * inverse;
}

static bool
eq(const void *arg, uint32_t value, const void *key)
{
	struct states *s = (struct states *)(uintptr_t)arg;

	s->nb_eq++;
	return s->key[value] == *(const uint64_t *)key;
}

static void
prefetch(const void *arg, uint32_t value)
{
	struct states *s = (struct states *)(uintptr_t)arg;

	(void)s->key[value]; /* value is one that was inserted: ASan checks the bound */
	s->nb_prefetch++;
}

static bool
is_all_zero(const struct sc_index *ix)
{
	const uint8_t *b = (const uint8_t *)ix->buckets;

	for (size_t i = 0; i < (size_t)ix->nb_buckets * sizeof(*ix->buckets); i++)
		if (b[i] != 0)
			return false;
	return true;
}

/* ---- the model ---- */

struct model {
	struct sc_index ix;
	struct states st;
	uint32_t nb;    /* values 0..nb-1 */
	uint32_t *live; /* values in use */
	uint32_t *idle; /* values not in use */
	uint32_t nb_live, nb_idle;
	uint64_t next_key; /* keys are never used twice */
	struct sc_rng rng;
};

static void
model_init(struct model *m, uint32_t capacity, uint32_t nb)
{
	memset(m, 0, sizeof(*m));
	assert_int_equal(sc_index_init(&m->ix, capacity, -1), 0);
	m->nb = nb;
	m->nb_idle = nb;
	m->next_key = 1;
	m->st.key = calloc(nb, sizeof(*m->st.key));
	m->live = calloc(nb, sizeof(*m->live));
	m->idle = calloc(nb, sizeof(*m->idle));
	for (uint32_t i = 0; i < nb; i++)
		m->idle[i] = i;
	sc_rng_seed(&m->rng, nb);
}

static void
model_free(struct model *m)
{
	sc_index_free(&m->ix);
	free(m->st.key);
	free(m->live);
	free(m->idle);
}

static void
model_insert(struct model *m)
{
	uint32_t k = sc_rng_below(&m->rng, m->nb_idle), v = m->idle[k];

	m->st.key[v] = m->next_key++;
	assert_int_equal(sc_index_insert(&m->ix, hash_of(m->st.key[v]), v), 0);
	m->idle[k] = m->idle[--m->nb_idle];
	m->live[m->nb_live++] = v;
}

static void
model_remove(struct model *m)
{
	uint32_t k = sc_rng_below(&m->rng, m->nb_live), v = m->live[k];
	uint64_t key = m->st.key[v];

	assert_int_equal(sc_index_remove(&m->ix, hash_of(key), v), 0);
	assert_int_equal(sc_index_remove(&m->ix, hash_of(key), v), -ENOENT);
	assert_int_equal(sc_index_find(&m->ix, hash_of(key), &key, eq, &m->st), SC_INDEX_NONE);
	m->live[k] = m->live[--m->nb_live];
	m->idle[m->nb_idle++] = v;
}

static void
model_find(struct model *m)
{
	uint32_t v = m->live[sc_rng_below(&m->rng, m->nb_live)];
	uint64_t key = m->st.key[v], absent = m->next_key + sc_rng_below(&m->rng, 1u << 30);

	assert_int_equal(sc_index_find(&m->ix, hash_of(key), &key, eq, &m->st), v);
	assert_int_equal(
			sc_index_find(&m->ix, hash_of(absent), &absent, eq, &m->st), SC_INDEX_NONE);
}

static void
model_find_bulk(struct model *m)
{
	uint64_t key[SC_INDEX_BULK_MAX];
	uint32_t hash[SC_INDEX_BULK_MAX], want[SC_INDEX_BULK_MAX], got[SC_INDEX_BULK_MAX];
	struct sc_index_bulk bulk = {.nb = sc_rng_below(&m->rng, SC_INDEX_BULK_MAX + 1),
			.keys = key,
			.key_stride = sizeof(key[0]),
			.hashes = hash,
			.hash_stride = sizeof(hash[0]),
			.is_expected = sc_rng_below(&m->rng, 2) != 0,
			.values = got};

	for (unsigned int i = 0; i < bulk.nb; i++) {
		want[i] = SC_INDEX_NONE;
		key[i] = m->next_key + i;
		if (sc_rng_below(&m->rng, 4) != 0) {
			want[i] = m->live[sc_rng_below(&m->rng, m->nb_live)];
			key[i] = m->st.key[want[i]];
		}
		hash[i] = hash_of(key[i]);
	}
	sc_index_find_bulk(&m->ix, &bulk, eq, prefetch, &m->st);
	for (unsigned int i = 0; i < bulk.nb; i++)
		assert_int_equal(got[i], want[i]);
}

static void
model_check_all(struct model *m)
{
	assert_int_equal(m->ix.nb_used, m->nb_live);
	for (uint32_t i = 0; i < m->nb_live; i++) {
		uint64_t key = m->st.key[m->live[i]];

		assert_int_equal(sc_index_find(&m->ix, hash_of(key), &key, eq, &m->st), m->live[i]);
	}
}

/* One million operations while the table stays at `fill` entries. */
static void
churn(uint32_t capacity, uint32_t fill)
{
	struct model m;

	model_init(&m, capacity, fill + 64);
	while (m.nb_live < fill)
		model_insert(&m);
	for (uint32_t op = 0; op < 250000; op++) {
		if (m.nb_idle > 0 && (m.nb_live < fill - 64 || sc_rng_below(&m.rng, 2) == 0))
			model_insert(&m);
		else
			model_remove(&m);
		model_find(&m);
		if (op % 16 == 0)
			model_find_bulk(&m);
	}
	model_check_all(&m);
	while (m.nb_live > 0)
		model_remove(&m);
	assert_int_equal(m.ix.nb_used, 0);
	assert_true(is_all_zero(&m.ix)); /* no overflow count may outlive its entries */
	model_free(&m);
}

static void
test_churn_at_95_percent_of_capacity(void **state)
{
	churn(20000, 19000);
}

/* 77 % of the ways instead of 70: three of four buckets overflow. */
static void
test_churn_far_over_capacity(void **state)
{
	churn(20000, 22000);
}

static void
test_size_is_as_promised(void **state)
{
	struct sc_index ix;

	assert_int_equal(sc_index_init(&ix, 240000, -1), 0);
	assert_int_equal(ix.nb_buckets, 42858);
	assert_in_range(sc_index_size(240000), 2742912, 2742912 + (2 << 20));
	assert_true((double)ix.nb_buckets * sizeof(*ix.buckets) / 240000 <= 11.5);
	assert_int_equal((uintptr_t)ix.buckets % 64, 0);
	sc_index_free(&ix);
	assert_null(ix.buckets);
	sc_index_free(&ix);
}

static void
test_refusals(void **state)
{
	struct sc_index ix;

	assert_int_equal(sc_index_init(&ix, 0, -1), -EINVAL);
	sc_index_free(&ix);
	assert_int_equal(sc_index_init(&ix, 1, 0), 0);
	assert_int_equal(sc_index_insert(&ix, 1, SC_INDEX_NONE), -EINVAL);
	assert_int_equal(sc_index_remove(&ix, 1, 1), -ENOENT);
	sc_index_free(&ix);
}

/* The smallest table wraps onto itself and takes exactly its eight ways. */
static void
test_one_bucket(void **state)
{
	uint64_t keys[9] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
	struct states st = {.key = keys};
	struct sc_index ix;

	assert_int_equal(sc_index_init(&ix, 1, -1), 0);
	assert_int_equal(ix.nb_buckets, 1);
	for (uint32_t v = 0; v < 8; v++)
		assert_int_equal(sc_index_insert(&ix, hash_of(keys[v]), v), 0);
	assert_int_equal(sc_index_insert(&ix, hash_of(keys[8]), 8), -ENOSPC);
	for (uint32_t v = 0; v < 8; v++)
		assert_int_equal(sc_index_find(&ix, hash_of(keys[v]), &keys[v], eq, &st), v);
	sc_index_free(&ix);
}

/*
 * All entries in one home bucket, next to the end of the table: they overflow round to its
 * start, the reach is bounded, and a hole made in the middle does not hide what lies beyond.
 */
static void
test_one_home_bucket(void **state)
{
	enum {
		MAX = SC_INDEX_REACH * SC_INDEX_WAYS
	};
	uint64_t keys[MAX + 1];
	struct states st = {.key = keys};
	const uint32_t hash = hash_at(UINT32_MAX);
	struct sc_index ix;

	assert_int_equal(sc_index_init(&ix, 1000, -1), 0);
	assert_int_equal(sc_index_home(&ix, hash), ix.nb_buckets - 1);
	for (uint32_t v = 0; v <= MAX; v++)
		keys[v] = 1000 + v;
	for (uint32_t v = 0; v < MAX; v++)
		assert_int_equal(sc_index_insert(&ix, hash, v), 0);
	assert_int_equal(sc_index_insert(&ix, hash, MAX), -ENOSPC);
	assert_int_equal(ix.nb_used, MAX);
	for (unsigned int b = 0; b < SC_INDEX_REACH - 1; b++)
		assert_int_equal(ix.buckets[b].sig[0] & INT32_MAX, hash & INT32_MAX);
	assert_int_equal(sc_index_find(&ix, hash, &keys[MAX], eq, &st), SC_INDEX_NONE);
	for (uint32_t v = 0; v < MAX / 2; v++)
		assert_int_equal(sc_index_remove(&ix, hash, v), 0);
	for (uint32_t v = 0; v < MAX; v++)
		assert_int_equal(sc_index_find(&ix, hash, &keys[v], eq, &st),
				v < MAX / 2 ? SC_INDEX_NONE : v);
	for (uint32_t v = MAX / 2; v < MAX; v++)
		assert_int_equal(sc_index_remove(&ix, hash, v), 0);
	assert_true(is_all_zero(&ix));
	sc_index_free(&ix);
}

/*
 * Two full buckets, each with an entry of the other: every bucket says "go on", and a search for
 * what is not there ends all the same.
 */
static void
test_overflow_in_a_circle(void **state)
{
	uint64_t keys[17], absent = 99;
	struct states st = {.key = keys};
	struct sc_index ix;

	for (uint32_t v = 0; v < 17; v++)
		keys[v] = v;
	assert_int_equal(sc_index_init(&ix, 9, -1), 0);
	assert_int_equal(ix.nb_buckets, 2);
	for (uint32_t v = 0; v < 9; v++) /* 8 in the second bucket, one in the first */
		assert_int_equal(sc_index_insert(&ix, hash_at(UINT32_MAX - v), v), 0);
	for (uint32_t v = 9; v < 16; v++)
		assert_int_equal(sc_index_insert(&ix, hash_at(v), v), 0);
	assert_int_equal(sc_index_remove(&ix, hash_at(UINT32_MAX), 0), 0);
	assert_int_equal(sc_index_insert(&ix, hash_at(16), 16), 0); /* goes where value 0 was */
	assert_int_equal(sc_index_insert(&ix, hash_at(17), 17), -ENOSPC);
	for (uint32_t v = 1; v < 17; v++)
		assert_int_equal(sc_index_find(&ix, hash_at(v < 9 ? UINT32_MAX - v : v), &keys[v],
						 eq, &st),
				v);
	assert_int_equal(sc_index_find(&ix, hash_at(12345), &absent, eq, &st), SC_INDEX_NONE);
	assert_int_equal(sc_index_find(&ix, hash_at(UINT32_MAX - 12345), &absent, eq, &st),
			SC_INDEX_NONE);
	assert_int_equal(sc_index_remove(&ix, hash_at(12345), 1), -ENOENT);
	sc_index_free(&ix);
}

/* Hash 0 and hash 1 share a signature, 0 stands for "empty": the key decides. */
static void
test_equal_signatures_are_told_apart_by_key(void **state)
{
	uint64_t keys[3] = {10, 11, 12};
	struct states st = {.key = keys};
	struct sc_index ix;

	assert_int_equal(sc_index_init(&ix, 1, -1), 0);
	assert_int_equal(sc_index_insert(&ix, 0, 0), 0);
	assert_int_equal(sc_index_insert(&ix, 1, 1), 0);
	assert_int_equal(sc_index_insert(&ix, 0, 2), 0);
	assert_int_equal(sc_index_find(&ix, 0, &keys[0], eq, &st), 0);
	assert_int_equal(sc_index_find(&ix, 1, &keys[1], eq, &st), 1);
	assert_int_equal(sc_index_find(&ix, 0, &keys[2], eq, &st), 2);
	assert_int_equal(sc_index_remove(&ix, 0, 0), 0);
	assert_int_equal(sc_index_find(&ix, 0, &keys[0], eq, &st), SC_INDEX_NONE);
	assert_int_equal(sc_index_find(&ix, 0, &keys[2], eq, &st), 2);
	sc_index_free(&ix);
}

/* At the promised fill a found key costs little more than one comparison, an absent one none. */
static void
test_comparisons_are_few(void **state)
{
	struct model m;

	model_init(&m, 100000, 100000);
	while (m.nb_idle > 0)
		model_insert(&m);
	m.st.nb_eq = 0;
	model_check_all(&m);
	assert_true(m.st.nb_eq < 101000);
	m.st.nb_eq = 0;
	for (uint32_t i = 0; i < 100000; i++) {
		uint64_t key = m.next_key + i;

		assert_int_equal(
				sc_index_find(&m.ix, hash_of(key), &key, eq, &m.st), SC_INDEX_NONE);
	}
	assert_true(m.st.nb_eq < 1000);
	model_free(&m);
}

/* Hops of all entries from their home buckets to where they are. */
static uint64_t
hops(const struct sc_index *ix)
{
	uint64_t sum = 0;

	for (uint32_t b = 0; b < ix->nb_buckets; b++)
		for (unsigned int i = 0; i < SC_INDEX_WAYS; i++)
			sum += (uint64_t)(ix->buckets[b].sig[i] >> 31) << i;
	return sum;
}

/* The flows of one worker, hashed with CRC32 as the tables do: as few hops as at random. */
static void
test_flows_of_one_worker_spread(void **state)
{
	struct sc_addr key[2]; /* address; port and endpoint */
	static struct sc_steer steer;
	struct sc_addr production;
	struct sc_index ix;

	assert_int_equal(sc_addr_parse("172.16.0.1", &production), 0);
	assert_int_equal(sc_steer_init(&steer, 4, 128, NULL), 0);
	assert_int_equal(sc_index_init(&ix, 50 * 28000 / 4, -1), 0);
	memset(key, 0, sizeof(key));
	for (uint32_t i = 0; i < 50 * 28000; i++) {
		uint16_t port = (uint16_t)(32768 + i % 28000);

		sc_addr_from_v4(&key[0], rte_cpu_to_be_32(0x0a000001 + i / 28000));
		memcpy(&key[1], &port, sizeof(port));
		if (steer.owner[sc_fold_tuple(&key[0], &production, port, 80)] == 0)
			assert_int_equal(sc_index_insert(&ix, rte_hash_crc(key, 20, 1), i), 0);
	}
	assert_in_range(ix.nb_used, 49 * 7000, 51 * 7000);
	assert_in_range(hops(&ix), 1, ix.nb_used / 4); /* 0.23 to 0.26 each at random */
	sc_index_free(&ix);
	sc_steer_free(&steer);
}

static void
test_bulk_prefetches_candidates_only(void **state)
{
	uint64_t keys[2] = {5, 6};
	struct states st = {.key = keys};
	uint32_t hashes[2] = {hash_of(5), hash_of(6)}, values[2];
	struct sc_index_bulk bulk = {
			2, keys, sizeof(keys[0]), hashes, sizeof(hashes[0]), false, values};
	struct sc_index ix;

	assert_int_equal(sc_index_init(&ix, 1000, -1), 0);
	assert_int_equal(sc_index_insert(&ix, hashes[1], 1), 0);
	sc_index_prefetch(&ix, hashes[1]);
	sc_index_find_bulk(&ix, &bulk, eq, prefetch, &st);
	assert_int_equal(values[0], SC_INDEX_NONE);
	assert_int_equal(values[1], 1);
	assert_int_equal(st.nb_prefetch, 1);
	sc_index_find_bulk(&ix, &bulk, eq, NULL, &st);
	assert_int_equal(values[1], 1);
	bulk.nb = 0;
	values[1] = 77;
	sc_index_find_bulk(&ix, &bulk, eq, prefetch, &st);
	assert_int_equal(values[1], 77);
	sc_index_free(&ix);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_churn_at_95_percent_of_capacity),
			cmocka_unit_test(test_churn_far_over_capacity),
			cmocka_unit_test(test_size_is_as_promised),
			cmocka_unit_test(test_refusals),
			cmocka_unit_test(test_one_bucket),
			cmocka_unit_test(test_one_home_bucket),
			cmocka_unit_test(test_overflow_in_a_circle),
			cmocka_unit_test(test_equal_signatures_are_told_apart_by_key),
			cmocka_unit_test(test_comparisons_are_few),
			cmocka_unit_test(test_flows_of_one_worker_spread),
			cmocka_unit_test(test_bulk_prefetches_candidates_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
