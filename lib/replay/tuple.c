/* SPDX-License-Identifier: BSD-3-Clause */
/* tuple: the replay address and port of a session, and the way back from a response to it. */
#include <errno.h>
#include <stdlib.h>

#include "engine.h"

/* Linux keeps TIME-WAIT for 60 s: within it a SYN without newer timestamps needs a higher ISN. */
#define TIME_WAIT_US (60 * SC_US_PER_S)

static uint32_t
pool_hash(const struct sc_addr *a)
{
	return sc_hash(a, sizeof(*a), 0x900d);
}

/* The pool by family: a target's tuples are made of addresses of its own IP version. */
static int
split_pool(struct sc_replay *e)
{
	const struct sc_pool *pool = e->cfg.clients;

	e->pool[0] = calloc(pool->nb, sizeof(struct sc_addr));
	e->pool[1] = calloc(pool->nb, sizeof(struct sc_addr));
	if (e->pool[0] == NULL || e->pool[1] == NULL
			|| sc_index_init(&e->by_pool, pool->nb, -1) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < pool->nb; i++) {
		int v = sc_addr_is_v4(&pool->addr[i]) ? 0 : 1;

		e->pool[v][e->nb_pool[v]] = pool->addr[i];
		if (sc_index_insert(&e->by_pool, pool_hash(&pool->addr[i]), e->nb_pool[v]++) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* One slot allocator a target. */
int
tuples_init(struct sc_replay *e, struct sc_err *err)
{
	if (e->cfg.clients == NULL || e->cfg.clients->nb == 0)
		return 0;
	if (split_pool(e) < 0)
		return sc_err_set(err, -ENOMEM, "no memory for the index of %u pool addresses",
				e->cfg.clients->nb);
	for (unsigned int i = 0; i < e->cfg.nb_targets; i++) {
		const struct sc_replay_target *t = &e->cfg.targets[i];
		int v = sc_addr_is_v4(&t->addr) ? 0 : 1;
		char where[SC_ENDPOINT_STRLEN];

		if (e->nb_pool[v] == 0)
			return sc_err_set(err, -EINVAL,
					"target %s is IPv%d, but --clients names no IPv%d address",
					sc_endpoint_format(&t->addr, t->port, where),
					v == 0 ? 4 : 6, v == 0 ? 4 : 6);
		e->tuples[i] = sc_tuples_create(e->cfg.steer, e->cfg.worker, e->pool[v],
				e->nb_pool[v], &t->addr, t->port);
		if (e->tuples[i] == NULL)
			return sc_err_set(err, -errno,
					"no memory for the tuples of %u pool addresses: 16 bytes a "
					"tuple, 1 MB an address; use a smaller pool",
					e->nb_pool[v]);
	}
	return 0;
}

/* Does an earlier rule name the same target? */
static bool
is_named_before(const struct sc_replay_cfg *cfg, unsigned int rule)
{
	for (unsigned int i = 0; i < rule; i++)
		if (cfg->rules[i].target_port == cfg->rules[rule].target_port
				&& sc_addr_eq(&cfg->rules[i].target, &cfg->rules[rule].target))
			return true;
	return false;
}

/* Bytes of one worker's tuples and of its pool's addresses. */
uint64_t
tuples_size(const struct sc_replay_cfg *cfg, unsigned int nb_workers)
{
	uint32_t nb[2] = {0, 0};
	uint64_t size;

	if (cfg->clients == NULL || cfg->clients->nb == 0)
		return 0;
	for (uint32_t i = 0; i < cfg->clients->nb; i++)
		nb[sc_addr_is_v4(&cfg->clients->addr[i]) ? 0 : 1]++;
	size = sc_index_size(cfg->clients->nb) + 2 * sizeof(struct sc_addr) * cfg->clients->nb;
	for (unsigned int i = 0; i < cfg->nb_rules; i++)
		if (!is_named_before(cfg, i))
			size += sc_tuples_size(nb[sc_addr_is_v4(&cfg->rules[i].target) ? 0 : 1],
					nb_workers);
	return size;
}

void
tuples_fini(struct sc_replay *e)
{
	for (unsigned int i = 0; i < SC_TARGETS_MAX; i++)
		sc_tuples_destroy(e->tuples[i]);
	sc_index_free(&e->by_pool);
	free(e->pool[0]);
	free(e->pool[1]);
}

const struct sc_addr *
replay_addr(const struct sc_replay *e, const struct sc_session *s)
{
	if (s->flags & SC_SESS_POOL)
		return &e->pool[sc_addr_is_v4(&target_of(e, s)->addr) ? 0 : 1][s->addr_idx];
	return &flow_of(e, s)->client;
}

/* Without timestamps on either side the ISN must lie above the predecessor's last number. */
static void
raise_isn(const struct sc_replay *e, struct sc_session *s, uint32_t last_seq, bool had_ts)
{
	if ((flow_of(e, s)->opts & SC_OPT_TS) && had_ts)
		return;
	if (sc_seq_leq(s->una, last_seq)) {
		uint32_t up = last_seq + 1 - s->una;

		s->una += up;
		s->offset += up;
	}
}

static int
pool_take(struct sc_replay *e, uint32_t si)
{
	struct sc_session *s = session_at(e, si);
	struct sc_tuple tuple;
	int ret = sc_tuples_take(e->tuples[s->target], si, e->now_us, &tuple);

	if (ret < 0)
		return ret;
	s->flags |= SC_SESS_POOL;
	s->addr_idx = tuple.addr_idx;
	s->port = tuple.port;
	if (tuple.has_seq)
		raise_isn(e, s, tuple.last_seq, tuple.had_ts);
	return 0;
}

static struct rest_entry *
rest_of(struct sc_replay *e, uint32_t hash)
{
	return &e->rest[hash & (REST_ENTRIES - 1)];
}

static int
kept_take(struct sc_replay *e, uint32_t si)
{
	struct sc_session *s = session_at(e, si);
	const struct sc_flow *f = flow_of(e, s);
	const struct sc_prod *p = &e->t.prod[f->prod];
	const struct sc_replay_target *t = target_of(e, s);
	uint16_t fold = sc_fold_tuple(&f->client, &p->addr, f->cport, p->port);
	struct sc_tuple_key k = {.addr = f->client, .target = s->target};
	const struct rest_entry *r;
	unsigned int n = 0;
	uint32_t hash;

	for (;;) {
		k.port = sc_steer_kept_port(e->cfg.steer, e->cfg.worker, &f->client, &t->addr,
				t->port, f->cport, fold, &n);
		if (k.port == 0)
			return -EAGAIN;
		hash = sc_tuple_hash(&k);
		if (k.port == s->port || sc_session_find(&e->t, &k, hash) != SC_NONE)
			continue; /* another connection of this session wants another tuple */
		s->port = k.port;
		break;
	}
	if (sc_session_index(&e->t, si, hash) < 0)
		return -EAGAIN;
	r = rest_of(e, hash);
	/* Within one tick of the clock a timestamp is not newer, and cannot tell the two apart. */
	if (r->hash == hash && e->now_us - r->us < TIME_WAIT_US)
		raise_isn(e, s, r->seq, r->had_ts && sc_clock_tsval(r->us) != e->tsval);
	return 0;
}

/* A flow is about to open: the bucket of the tuple that it will most likely have is wanted. */
void
tuple_expect(const struct sc_replay *e, uint32_t fi)
{
	const struct sc_flow *f = &e->t.flow[fi];
	struct sc_tuple_key k = {.addr = f->client, .port = f->cport};

	k.target = e->t.prod[f->prod].target;
	if (e->tuples[k.target] == NULL)
		sc_index_prefetch(&e->t.by_tuple, sc_tuple_hash(&k));
}

/* 0, or -EAGAIN when no tuple is free (or none has rested for 2 s). May raise the ISN (una) and offset. */
int
tuple_take(struct sc_replay *e, uint32_t si)
{
	e->tuple_generation++;
	return e->tuples[session_at(e, si)->target] != NULL ? pool_take(e, si) : kept_take(e, si);
}

void
tuple_put(struct sc_replay *e, uint32_t si)
{
	struct sc_session *s = session_at(e, si);
	bool had_ts = has_flag(s, SC_SESS_TS);
	struct sc_tuple_key k;
	uint32_t hash;

	e->tuple_generation++;
	if (s->flags & SC_SESS_POOL) {
		struct sc_tuples *t = e->tuples[s->target];

		sc_tuples_put(t, sc_tuples_slot(t, s->addr_idx, s->port), e->now_us, s->max,
				had_ts);
		s->flags &= ~SC_SESS_POOL;
		return;
	}
	k.addr = flow_of(e, s)->client;
	k.port = s->port;
	k.target = s->target;
	hash = sc_tuple_hash(&k);
	sc_session_unindex(&e->t, si, hash);
	*rest_of(e, hash) = (struct rest_entry){
			.hash = hash, .seq = s->max, .us = e->now_us, .had_ts = had_ts};
}

static bool
pool_eq(const void *arg, uint32_t value, const void *key)
{
	const struct sc_replay *e = arg;
	int v = sc_addr_is_v4(key) ? 0 : 1;

	return value < e->nb_pool[v] && sc_addr_eq(&e->pool[v][value], key);
}

static uint32_t
pool_find(struct sc_replay *e, const struct sc_record *rec)
{
	uint32_t addr_idx;

	addr_idx = sc_index_find(&e->by_pool, pool_hash(&rec->client), &rec->client, pool_eq, e);
	if (addr_idx == SC_INDEX_NONE)
		return SC_NONE;
	return sc_tuples_find(e->tuples[rec->target], addr_idx, rec->port);
}

/* It stands in the record. */
static const struct sc_tuple_key *
tuple_key(const struct sc_record *rec)
{
	_Static_assert(offsetof(struct sc_record, port) - offsetof(struct sc_record, client)
					== offsetof(struct sc_tuple_key, port),
			"address and port");
	_Static_assert(offsetof(struct sc_record, target) - offsetof(struct sc_record, client)
					== offsetof(struct sc_tuple_key, target),
			"and target");
	return (const struct sc_tuple_key *)(const void *)&rec->client;
}

/* The session that a response to a target of ours belongs to, or SC_NONE. */
uint32_t
tuple_find(struct sc_replay *e, const struct sc_record *rec)
{
	const struct sc_tuple_key *k = tuple_key(rec);

	if (e->tuples[rec->target] != NULL)
		return pool_find(e, rec);
	return sc_session_find(&e->t, k, sc_tuple_hash(k));
}

/* Is what tuple_find() returned a while ago still its answer? False for SC_NONE. */
bool
tuple_is(const struct sc_replay *e, uint32_t si, const struct sc_record *rec)
{
	const struct sc_session *s;

	if (si == SC_NONE || e->tuples[rec->target] != NULL)
		return false;
	s = &e->t.session[si];
	return s->state != SC_CONN_FREE && s->state != SC_CONN_BETWEEN && s->port == rec->port
			&& s->target == rec->target
			&& sc_addr_eq(&flow_of(e, s)->client, &rec->client);
}

/* The same for up to 32 at once; what will be touched of the sessions is on its way to the cache. */
void
tuple_find_bulk(struct sc_replay *e, const struct sc_record *rec, uint32_t n, uint32_t *si)
{
	if (e->tuples[rec[0].target] != NULL) {
		for (uint32_t i = 0; i < n; i++) {
			si[i] = pool_find(e, &rec[i]);
			if (si[i] == SC_NONE)
				continue;
			sc_session_prefetch(&e->t, si[i]);
			sc_flow_prefetch(&e->t, sc_session_flow(&e->t, si[i]));
		}
		return;
	}
	sc_session_find_bulk(&e->t, tuple_key(rec), sizeof(*rec), n, si);
}
