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

/* Is any? */
static inline bool
has_passed(const struct sc_index_bucket *b)
{
	typedef uint64_t halves __attribute__((vector_size(16), may_alias));
	const lanes *ways = (const lanes *)(const void *)b->sig;
	halves tops = (halves)((ways[0] | ways[1]) & ~SIG_MASK);

	return (tops[0] | tops[1]) != 0;
}

/* The value of `key`, in its home bucket or in one of those that it overflowed into. */
static inline __attribute__((always_inline)) uint32_t
index_search(const struct sc_index *ix, uint32_t hash, const void *key, sc_index_eq_fn eq,
		const void *arg)
{
	uint32_t b = sc_index_home(ix, hash), sig = signature(hash);

	for (uint32_t n = reach(ix); n > 0; n--, b = next_bucket(ix, b)) {
		const struct sc_index_bucket *bucket = &ix->buckets[b];

		for (uint32_t mask = match_mask(bucket, sig); mask != 0; mask &= mask - 1) {
			uint32_t value = bucket->value[__builtin_ctz(mask)];

			if (eq(arg, value, key))
				return value;
		}
		if (!has_passed(bucket))
			break;
	}
	return SC_INDEX_NONE;
}

static inline const void *
bulk_key(const struct sc_index_bulk *bulk, uint32_t i)
{
	return (const uint8_t *)bulk->keys + i * bulk->key_stride;
}

static inline uint32_t
bulk_hash(const struct sc_index_bulk *bulk, uint32_t i)
{
	const uint8_t *hashes = (const uint8_t *)bulk->hashes;

	return *(const uint32_t *)(const void *)(hashes + i * bulk->hash_stride);
}

/* What `hash` is likely to stand for: the first value with its signature, here or in the next bucket. */
static inline uint32_t
index_guess(const struct sc_index *ix, uint32_t hash)
{
	const struct sc_index_bucket *bucket = &ix->buckets[sc_index_home(ix, hash)];
	uint32_t mask = match_mask(bucket, signature(hash));

	if (mask == 0 && has_passed(bucket)) {
		bucket = &ix->buckets[next_bucket(ix, sc_index_home(ix, hash))];
		mask = match_mask(bucket, signature(hash));
	}
	return mask == 0 ? SC_INDEX_NONE : bucket->value[__builtin_ctz(mask)];
}

/* Nearly always the first one with the signature is it; otherwise the search begins again. */
static inline __attribute__((always_inline)) void
index_find_bulk(const struct sc_index *ix, const struct sc_index_bulk *bulk, sc_index_eq_fn eq,
		sc_index_prefetch_fn prefetch, const void *arg)
{
	unsigned int i;

	assert(bulk->nb <= SC_INDEX_BULK_MAX);
	for (i = 0; !bulk->is_expected && i < bulk->nb; i++)
		sc_index_prefetch(ix, bulk_hash(bulk, i));
	for (i = 0; i < bulk->nb; i++) {
		bulk->values[i] = index_guess(ix, bulk_hash(bulk, i));
		if (bulk->values[i] != SC_INDEX_NONE && prefetch != NULL)
			prefetch(arg, bulk->values[i]);
	}
	for (i = 0; i < bulk->nb; i++) {
		uint32_t value = bulk->values[i];

		if (value == SC_INDEX_NONE || !eq(arg, value, bulk_key(bulk, i)))
			bulk->values[i] = index_search(
					ix, bulk_hash(bulk, i), bulk_key(bulk, i), eq, arg);
	}
}

#endif
