/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * index_find: the search of an index, for the compiler to put in place where it knows how keys
 * compare: two calls a key are a good part of what a search costs.
 */
#ifndef SC_INDEX_FIND_H
#define SC_INDEX_FIND_H

#include <assert.h>

#include <sc_session.h>

#define SIG_MASK 0x7fffffffu

/* Four ways at a time, in the compiler's own vectors: a third of the cycles of a loop. */
typedef uint32_t lanes __attribute__((vector_size(16), may_alias));

/* All of the hash but one bit; 0 means empty. */
static inline uint32_t
signature(uint32_t hash)
{
	uint32_t sig = hash & SIG_MASK;

	return sig == 0 ? 1 : sig;
}

/* Lanes are all ones or all zeroes: one bit a way. */
static inline uint32_t
mask_of(lanes low, lanes high)
{
	const lanes low_bits = {1, 2, 4, 8}, high_bits = {16, 32, 64, 128};
	lanes bits = (low & low_bits) | (high & high_bits);

	return bits[0] | bits[1] | bits[2] | bits[3];
}

/* The ways whose signature is `sig`. */
static inline uint32_t
match_mask(const struct sc_index_bucket *b, uint32_t sig)
{
	const lanes *ways = (const lanes *)(const void *)b->sig;

	return mask_of((lanes)((ways[0] & SIG_MASK) == sig), (lanes)((ways[1] & SIG_MASK) == sig));
}

/* How many entries lie beyond this bucket whose search comes through it. */
static inline uint32_t
passed_get(const struct sc_index_bucket *b)
{
	const lanes *ways = (const lanes *)(const void *)b->sig;

	return mask_of((lanes)(ways[0] > SIG_MASK), (lanes)(ways[1] > SIG_MASK));
}

static inline uint32_t
next_bucket(const struct sc_index *ix, uint32_t b)
{
	return b + 1 == ix->nb_buckets ? 0 : b + 1;
}

static inline uint32_t
reach(const struct sc_index *ix)
{
	return ix->nb_buckets < SC_INDEX_REACH ? ix->nb_buckets : SC_INDEX_REACH;
}

struct index_query {
	uint32_t home;
	uint32_t sig;
	uint32_t mask; /* candidates in the home bucket */
	const void *key;
};

static inline __attribute__((always_inline)) uint32_t
index_search(const struct sc_index *ix, const struct index_query *q, sc_index_eq_fn eq,
		const void *arg)
{
	uint32_t b = q->home, mask = q->mask;

	for (uint32_t n = reach(ix);;) {
		const struct sc_index_bucket *bucket = &ix->buckets[b];

		for (; mask != 0; mask &= mask - 1) {
			uint32_t value = bucket->value[__builtin_ctz(mask)];

			if (eq(arg, value, q->key))
				return value;
		}
		if (passed_get(bucket) == 0 || --n == 0)
			return SC_INDEX_NONE;
		b = next_bucket(ix, b);
		mask = match_mask(&ix->buckets[b], q->sig);
	}
}

static inline __attribute__((always_inline)) void
index_find_bulk(const struct sc_index *ix, const struct sc_index_bulk *bulk, sc_index_eq_fn eq,
		sc_index_prefetch_fn prefetch, const void *arg)
{
	struct index_query q[SC_INDEX_BULK_MAX];
	unsigned int i;

	assert(bulk->nb <= SC_INDEX_BULK_MAX);
	for (i = 0; i < bulk->nb; i++) {
		q[i].home = sc_index_home(ix, bulk->hashes[i]);
		q[i].sig = signature(bulk->hashes[i]);
		q[i].key = bulk->keys[i];
		rte_prefetch0(&ix->buckets[q[i].home]);
	}
	for (i = 0; i < bulk->nb; i++) {
		const struct sc_index_bucket *bucket = &ix->buckets[q[i].home];

		q[i].mask = match_mask(bucket, q[i].sig);
		if (q[i].mask != 0 && prefetch != NULL)
			prefetch(arg, bucket->value[__builtin_ctz(q[i].mask)]);
	}
	for (i = 0; i < bulk->nb; i++)
		bulk->values[i] = index_search(ix, &q[i], eq, arg);
}

#endif
