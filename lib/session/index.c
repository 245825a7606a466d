/* SPDX-License-Identifier: BSD-3-Clause */
/* index: 8-way signature buckets with counted overflow. */
#include <errno.h>
#include <string.h>

#include <sc_session.h>

#include "index_find.h"

static_assert(sizeof(struct sc_index_bucket) == 64, "a bucket is one cache line");
/* Entries beyond a bucket but from it or before it lie in the REACH - 1 buckets that follow. */
static_assert((SC_INDEX_REACH - 1) * SC_INDEX_WAYS < 1 << SC_INDEX_WAYS,
		"the overflow count of a bucket cannot wrap");

static void
passed_set(struct sc_index_bucket *b, uint32_t passed)
{
	for (unsigned int i = 0; i < SC_INDEX_WAYS; i++)
		b->sig[i] = (b->sig[i] & SIG_MASK) | (passed >> i & 1) << 31;
}

/* Add `delta` to the overflow counts of the n buckets from `home` on. */
static void
passed_add(struct sc_index *ix, uint32_t home, uint32_t n, int delta)
{
	for (uint32_t b = home; n > 0; n--, b = next_bucket(ix, b)) {
		struct sc_index_bucket *bucket = &ix->buckets[b];

		passed_set(bucket, passed_get(bucket) + delta);
	}
}

/* 28 entries in 5 buckets of 8 ways: 70 %. */
static uint32_t
nb_buckets(uint32_t capacity)
{
	return (uint32_t)(((uint64_t)capacity * 5 + 27) / 28);
}

uint64_t
sc_index_size(uint32_t capacity)
{
	return sc_mem_size(nb_buckets(capacity), sizeof(struct sc_index_bucket));
}

int
sc_index_init(struct sc_index *ix, uint32_t capacity, int socket)
{
	memset(ix, 0, sizeof(*ix));
	if (capacity == 0)
		return -EINVAL;
	ix->nb_buckets = nb_buckets(capacity);
	ix->buckets = sc_mem_map(ix->nb_buckets, sizeof(*ix->buckets), socket);
	if (ix->buckets != NULL)
		return 0;
	memset(ix, 0, sizeof(*ix));
	return -ENOMEM;
}

void
sc_index_free(struct sc_index *ix)
{
	sc_mem_unmap(ix->buckets, ix->nb_buckets, sizeof(*ix->buckets));
	memset(ix, 0, sizeof(*ix));
}

int
sc_index_insert(struct sc_index *ix, uint32_t hash, uint32_t value)
{
	uint32_t home = sc_index_home(ix, hash), b = home;

	if (value == SC_INDEX_NONE)
		return -EINVAL;
	for (uint32_t n = 0; n < reach(ix); n++, b = next_bucket(ix, b)) {
		struct sc_index_bucket *bucket = &ix->buckets[b];
		uint32_t empty = match_mask(bucket, 0);
		unsigned int i;

		if (empty == 0)
			continue;
		i = (unsigned int)__builtin_ctz(empty);
		bucket->sig[i] |= signature(hash);
		bucket->value[i] = value;
		passed_add(ix, home, n, 1);
		ix->nb_used++;
		return 0;
	}
	return -ENOSPC;
}

/* The way of `value` among the candidates in `mask`, or -1. */
static int
way_of(const struct sc_index_bucket *b, uint32_t mask, uint32_t value)
{
	for (; mask != 0; mask &= mask - 1) {
		int i = __builtin_ctz(mask);

		if (b->value[i] == value)
			return i;
	}
	return -1;
}

/* The bucket that has `value`, or NULL; *way in it; *nb_passed: how far it is from its home. */
static inline struct sc_index_bucket *
bucket_of(struct sc_index *ix, uint32_t hash, uint32_t value, int *way, uint32_t *nb_passed)
{
	uint32_t b = sc_index_home(ix, hash), sig = signature(hash);

	for (uint32_t n = 0; n < reach(ix); n++, b = next_bucket(ix, b)) {
		struct sc_index_bucket *bucket = &ix->buckets[b];

		*way = way_of(bucket, match_mask(bucket, sig), value);
		*nb_passed = n;
		if (*way >= 0)
			return bucket;
		if (!has_passed(bucket))
			break;
	}
	return NULL;
}

int
sc_index_remove(struct sc_index *ix, uint32_t hash, uint32_t value)
{
	uint32_t nb_passed;
	int way;
	struct sc_index_bucket *bucket = bucket_of(ix, hash, value, &way, &nb_passed);

	if (bucket == NULL)
		return -ENOENT;
	bucket->sig[way] &= ~SIG_MASK;
	bucket->value[way] = 0;
	passed_add(ix, sc_index_home(ix, hash), nb_passed, -1);
	ix->nb_used--;
	return 0;
}

int
sc_index_replace(struct sc_index *ix, uint32_t hash, uint32_t value, uint32_t by)
{
	uint32_t nb_passed;
	int way;
	struct sc_index_bucket *bucket = bucket_of(ix, hash, value, &way, &nb_passed);

	if (bucket == NULL)
		return -ENOENT;
	bucket->value[way] = by;
	return 0;
}

uint32_t
sc_index_find(const struct sc_index *ix, uint32_t hash, const void *key, sc_index_eq_fn eq,
		const void *arg)
{
	return index_search(ix, hash, key, eq, arg);
}

void
sc_index_find_bulk(const struct sc_index *ix, const struct sc_index_bulk *bulk, sc_index_eq_fn eq,
		sc_index_prefetch_fn prefetch, const void *arg)
{
	index_find_bulk(ix, bulk, eq, prefetch, arg);
}
