/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * index: a hash table from a key the caller holds to a 32-bit value (an index into its states).
 *
 * 64-byte buckets of 8 signatures and 8 values; a full bucket overflows into the next one. The
 * top bits of a bucket's signatures count the entries that passed over it, so a search knows when
 * to stop and a removal leaves nothing behind. The bucket is the scaled hash: no rounding to a
 * power of two, 13.4 bytes an entry when `capacity` entries are in.
 *
 * Thread: the owning worker. Hashes: CRC32 of the whole tuple, or anything that spreads as well.
 */
#ifndef SC_INDEX_H
#define SC_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_prefetch.h>

#define SC_INDEX_NONE UINT32_MAX
#define SC_INDEX_WAYS 8
#define SC_INDEX_BULK_MAX 32
#define SC_INDEX_REACH 32 /* an entry is in one of this many buckets from its home on */

struct sc_index_bucket {
	uint32_t sig[SC_INDEX_WAYS]; /* 31 bits of the hash, 0: empty; bit 31: see above */
	uint32_t value[SC_INDEX_WAYS];
} __attribute__((aligned(64)));

struct sc_index {
	struct sc_index_bucket *buckets;
	uint32_t nb_buckets;
	uint32_t nb_used; /* entries in the table */
	size_t bytes;     /* of memory, as mapped */
};

/* Does `value` belong to `key`? */
typedef bool (*sc_index_eq_fn)(const void *arg, uint32_t value, const void *key);
/* Prefetch what eq will read of `value`. */
typedef void (*sc_index_prefetch_fn)(const void *arg, uint32_t value);

/*
 * Make an index that is about 60 % full with `capacity` entries. All memory is touched here, in
 * huge pages where the kernel has them, near NUMA node `socket` (-1: anywhere; a preference).
 * -EINVAL for capacity 0, -ENOMEM.
 */
int sc_index_init(struct sc_index *ix, uint32_t capacity, int socket);
void sc_index_free(struct sc_index *ix); /* also fine after a failed init, and twice */

/*
 * Keys are not compared: inserting one twice gives two entries. 0, -EINVAL for SC_INDEX_NONE, -ENOSPC when the buckets within reach are full: once in
 * 10^13 buckets while 60 % full, to be expected from about 80 % on.
 */
int sc_index_insert(struct sc_index *ix, uint32_t hash, uint32_t value);
/* 0 or -ENOENT. */
int sc_index_remove(struct sc_index *ix, uint32_t hash, uint32_t value);

/* The value of `key`, or SC_INDEX_NONE. */
uint32_t sc_index_find(const struct sc_index *ix, uint32_t hash, const void *key, sc_index_eq_fn eq,
		const void *arg);

struct sc_index_bulk {
	unsigned int nb; /* at most SC_INDEX_BULK_MAX */
	const uint32_t *hashes;
	const void *const *keys;
	uint32_t *values; /* out: as sc_index_find() */
};

/*
 * Find nb keys: prefetches the buckets, then what `prefetch` names (NULL: nothing), then compares.
 */
void sc_index_find_bulk(const struct sc_index *ix, const struct sc_index_bulk *bulk,
		sc_index_eq_fn eq, sc_index_prefetch_fn prefetch, const void *arg);

/*
 * The bucket where a search for `hash` begins. A CRC is linear, and so is the choice of a worker
 * (T[fold]): the keys that one worker sees can share CRC bits, and would crowd in some buckets.
 * The product is not linear (2^32 over the golden ratio; odd, so no hash is lost).
 */
static inline uint32_t
sc_index_home(const struct sc_index *ix, uint32_t hash)
{
	return (uint32_t)((uint64_t)(hash * 0x9e3779b1u) * ix->nb_buckets >> 32);
}

static inline void
sc_index_prefetch(const struct sc_index *ix, uint32_t hash)
{
	rte_prefetch0(&ix->buckets[sc_index_home(ix, hash)]);
}

#endif
