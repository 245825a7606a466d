/* SPDX-License-Identifier: BSD-3-Clause */
/* lookup: keys, hashes and comparisons behind the indices. */
#include <errno.h>
#include <string.h>

#include <rte_prefetch.h>

#include "index_find.h"

#define TOMBS_AHEAD 4 /* evicted, a tombstone leaves a bucket that nobody has touched for long */

_Static_assert(offsetof(struct sc_flow_key, prod) == 18, "keys are compared as bytes");
_Static_assert(offsetof(struct sc_tuple_key, target) == 18, "keys are compared as bytes");
_Static_assert(offsetof(struct sc_flow, prod) == 18, "a flow begins with its key");
_Static_assert(offsetof(struct sc_tomb, prod) == 18, "a tombstone begins with its key");

/* Of a flow or a tombstone, which begin with it. */
static inline uint32_t
hash_of(const void *key)
{
	return sc_hash(key, SC_KEY_SIZE, SC_KEY_SEED);
}

static const void *
key_of(const struct sc_tables *t, uint32_t value)
{
	if (value & SC_TOMB_BIT)
		return &t->tomb[value & ~SC_TOMB_BIT];
	return &t->flow[value];
}

static bool
flow_eq(const void *arg, uint32_t value, const void *key)
{
	return memcmp(key_of(arg, value), key, SC_KEY_SIZE) == 0;
}

static void
flow_prefetch(const void *arg, uint32_t value)
{
	if (value & SC_TOMB_BIT)
		rte_prefetch0(key_of(arg, value));
	else
		sc_flow_prefetch(arg, value);
}

uint32_t
sc_flow_find(const struct sc_tables *t, const struct sc_flow_ref *ref)
{
	return sc_index_find(&t->by_key, ref->hash, &ref->key, flow_eq, t);
}

void
sc_flow_find_bulk(const struct sc_tables *t, const struct sc_flow_ref *ref, size_t stride,
		uint32_t n, uint32_t *out)
{
	const struct sc_index_bulk bulk = {.nb = n,
			.keys = &ref->key,
			.key_stride = stride,
			.hashes = &ref->hash,
			.hash_stride = stride,
			.is_expected = true,
			.values = out};

	index_find_bulk(&t->by_key, &bulk, flow_eq, flow_prefetch, t);
}

bool
sc_flow_may_be(const struct sc_tables *t, uint32_t hash)
{
	const struct sc_index_bucket *b = &t->by_key.buckets[sc_index_home(&t->by_key, hash)];

	return match_mask(b, signature(hash)) != 0 || has_passed(b);
}

/* The hash of a flow or tombstone whose entry is about to change: see sc_flow_has_changed(). */
static inline uint32_t
hash_changing(struct sc_tables *t, const void *key)
{
	uint32_t hash = hash_of(key);

	t->changed |= UINT64_C(1) << (hash >> 26);
	return hash;
}

int
sc_flow_index(struct sc_tables *t, uint32_t flow)
{
	return sc_index_insert(&t->by_key, hash_changing(t, &t->flow[flow]), flow);
}

void
sc_flow_unindex(struct sc_tables *t, uint32_t flow)
{
	sc_index_remove(&t->by_key, hash_changing(t, &t->flow[flow]), flow);
}

void
sc_flow_expect_end(const struct sc_tables *t, uint32_t flow)
{
	sc_index_prefetch(&t->by_key, hash_of(&t->flow[flow]));
}

void
sc_tomb_remove(struct sc_tables *t, uint32_t tomb)
{
	struct sc_tomb *b = &t->tomb[tomb];

	if (!b->in_use)
		return;
	sc_index_remove(&t->by_key, hash_changing(t, b), tomb | SC_TOMB_BIT);
	b->in_use = false;
}

/* Write a tombstone in the oldest one's place. Returns its index. */
static uint32_t
tomb_write(struct sc_tables *t, const struct sc_tomb *tomb, struct sc_tomb *evicted)
{
	uint32_t i = t->tomb_next, soon = i + TOMBS_AHEAD;
	struct sc_tomb *b = &t->tomb[i];

	*evicted = *b;
	sc_tomb_remove(t, i);
	t->tomb_next = i + 1 == t->nb_tombs ? 0 : i + 1;
	*b = *tomb;
	if (soon < t->nb_tombs && t->tomb[soon].in_use)
		sc_index_prefetch(&t->by_key, hash_of(&t->tomb[soon]));
	return i;
}

void
sc_tomb_add(struct sc_tables *t, const struct sc_tomb *tomb, struct sc_tomb *evicted)
{
	uint32_t i = tomb_write(t, tomb, evicted), hash = hash_changing(t, tomb);

	t->tomb[i].in_use = sc_index_insert(&t->by_key, hash, i | SC_TOMB_BIT) == 0;
}

void
sc_flow_bury(struct sc_tables *t, uint32_t flow, const struct sc_tomb *tomb,
		struct sc_tomb *evicted)
{
	uint32_t i = tomb_write(t, tomb, evicted), hash = hash_changing(t, tomb);

	t->tomb[i].in_use = sc_index_replace(&t->by_key, hash, flow, i | SC_TOMB_BIT) == 0;
}

/* ---- production endpoints ---- */

static bool
prod_eq(const void *arg, uint32_t value, const void *key)
{
	const struct sc_tables *t = arg;
	const struct sc_prod *want = key;

	return sc_addr_eq(&t->prod[value].addr, &want->addr) && t->prod[value].port == want->port;
}

static uint32_t
prod_hash(const struct sc_prod *p)
{
	return sc_hash(&p->addr, sizeof(p->addr), p->port);
}

uint32_t
sc_prod_find(const struct sc_tables *t, const struct sc_addr *addr, uint16_t port)
{
	struct sc_prod p = {.addr = *addr, .port = port};

	return sc_index_find(&t->by_endpoint, prod_hash(&p), &p, prod_eq, t);
}

uint32_t
sc_prod_add(struct sc_tables *t, const struct sc_addr *addr, uint16_t port, uint16_t target)
{
	struct sc_prod p = {.addr = *addr, .port = port, .target = target};
	uint32_t i = t->nb_prods;

	if (i >= SC_PRODS_MAX || sc_index_insert(&t->by_endpoint, prod_hash(&p), i) < 0)
		return SC_NONE;
	t->prod[i] = p;
	t->nb_prods++;
	return i;
}

/* ---- sessions with kept addresses, by their replay tuple ---- */

static bool
tuple_eq(const void *arg, uint32_t value, const void *key)
{
	const struct sc_tables *t = arg;
	const struct sc_session *s = &t->session[value];
	const struct sc_tuple_key *k = key;

	return s->port == k->port && s->target == k->target
			&& sc_addr_eq(&t->flow[sc_session_flow(t, value)].client, &k->addr);
}

uint32_t
sc_session_find(const struct sc_tables *t, const struct sc_tuple_key *k, uint32_t hash)
{
	return sc_index_find(&t->by_tuple, hash, k, tuple_eq, t);
}

static void
tuple_prefetch(const void *arg, uint32_t value)
{
	const struct sc_tables *t = arg;

	sc_session_prefetch(t, value);
	sc_flow_prefetch(t, sc_session_flow(t, value));
}

void
sc_session_find_bulk(const struct sc_tables *t, const struct sc_tuple_key *k, size_t stride,
		uint32_t n, uint32_t *out)
{
	uint32_t hash[SC_INDEX_BULK_MAX] = {0};
	const struct sc_index_bulk bulk = {.nb = n,
			.keys = k,
			.key_stride = stride,
			.hashes = hash,
			.hash_stride = sizeof(hash[0]),
			.values = out};

	for (uint32_t i = 0; i < n; i++)
		hash[i] = sc_tuple_hash((const void *)((const uint8_t *)k + i * stride));
	index_find_bulk(&t->by_tuple, &bulk, tuple_eq, tuple_prefetch, t);
}

int
sc_session_index(struct sc_tables *t, uint32_t session, uint32_t hash)
{
	return sc_index_insert(&t->by_tuple, hash, session);
}

void
sc_session_unindex(struct sc_tables *t, uint32_t session, uint32_t hash)
{
	sc_index_remove(&t->by_tuple, hash, session);
}
