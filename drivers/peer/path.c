/* SPDX-License-Identifier: BSD-3-Clause */
/* The path: loss, duplicates, reordering, delay, and rules that drop one chosen frame. */
#include "path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- frames counted per connection ---- */

#define TRACK_PROBES 16u

struct track_entry {
	uint64_t hash; /* of the tuple; 0: free */
	uint64_t last_us;
	uint32_t isn;
	uint16_t nb[WIRE_KINDS];
};

struct wire_track {
	const struct wire_rules *rules;
	uint32_t mask;
	struct track_entry entry[];
};

struct wire_track *
wire_track_create(const struct wire_rules *rules, uint32_t nb_conns)
{
	struct wire_track *t;
	uint32_t size = TRACK_PROBES;

	while (size < nb_conns && size < 1u << 29)
		size *= 2;
	size *= 2;
	t = calloc(1, sizeof(*t) + size * sizeof(t->entry[0]));
	if (t == NULL)
		return NULL;
	t->rules = rules;
	t->mask = size - 1;
	return t;
}

void
wire_track_free(struct wire_track *t)
{
	free(t);
}

static struct track_entry *
track_find(struct wire_track *t, uint64_t hash)
{
	struct track_entry *e, *oldest = NULL;

	for (uint32_t i = 0; i < TRACK_PROBES; i++) {
		e = &t->entry[(hash + i) & t->mask];
		if (e->hash == hash)
			return e;
		if (oldest == NULL || e->last_us < oldest->last_us)
			oldest = e;
	}
	memset(oldest, 0, sizeof(*oldest));
	oldest->hash = hash;
	return oldest;
}

bool
wire_track_drops(struct wire_track *t, uint64_t hash, enum wire_kind kind, uint32_t seq,
		uint64_t now_us)
{
	struct track_entry *e = track_find(t, hash | 1);

	/* Another SYN is another connection of the tuple. */
	if (kind == WIRE_SYN && e->isn != seq) {
		memset(e->nb, 0, sizeof(e->nb));
		e->isn = seq;
	}
	e->last_us = now_us;
	if (e->nb[kind] < UINT16_MAX)
		e->nb[kind]++;
	for (unsigned int i = 0; i < t->rules->nb_drop; i++)
		if (t->rules->drop[i].kind == kind && t->rules->drop[i].nth == e->nb[kind])
			return true;
	return false;
}

/* ---- frames by time ---- */

int
path_init(struct path *p, uint64_t seed)
{
	sc_rng_seed(&p->rng, seed);
	p->heap = malloc(PATH_MAX_FRAMES * sizeof(*p->heap));
	return p->heap == NULL ? -ENOMEM : 0;
}

void
path_free(struct path *p)
{
	for (uint32_t i = 0; i < p->nb; i++)
		rte_pktmbuf_free(p->heap[i].mbuf);
	for (uint32_t i = 0; i < p->nb_held; i++)
		rte_pktmbuf_free(p->held[i].mbuf);
	free(p->heap);
	p->heap = NULL;
	p->nb = p->nb_held = 0;
}

static bool
is_sooner(const struct path_item *a, const struct path_item *b)
{
	return a->due_us < b->due_us || (a->due_us == b->due_us && a->order < b->order);
}

static bool
has_chance(struct path *p, double pct)
{
	return pct > 0 && sc_rng_below(&p->rng, 1000000) < pct * 10000;
}

static void
drop(struct path *p, struct rte_mbuf *m)
{
	rte_pktmbuf_free(m);
	(*p->impaired)++;
}

/* Into the heap, due after the path's delay. */
static void
schedule(struct path *p, struct rte_mbuf *m, uint64_t now_us)
{
	struct path_item it = {now_us + p->im->delay_us, p->order++, m};
	uint32_t i, up;

	if (p->nb == PATH_MAX_FRAMES) {
		drop(p, m);
		return;
	}
	if (p->im->jitter_us > 0)
		it.due_us += sc_rng_below(&p->rng, p->im->jitter_us + 1);
	for (i = p->nb++; i > 0; i = up) {
		up = (i - 1) / 2;
		if (!is_sooner(&it, &p->heap[up]))
			break;
		p->heap[i] = p->heap[up];
	}
	p->heap[i] = it;
}

/* Let go of held frames that were overtaken, or waited long enough. */
static void
release_held(struct path *p, uint64_t now_us)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < p->nb_held; i++) {
		if (p->held[i].left == 0 || p->held[i].until_us <= now_us)
			schedule(p, p->held[i].mbuf, now_us);
		else
			p->held[kept++] = p->held[i];
	}
	p->nb_held = kept;
}

void
path_put(struct path *p, struct rte_mbuf *m, uint64_t now_us)
{
	struct rte_mbuf *copy;

	if (has_chance(p, p->im->loss_pct)) {
		drop(p, m);
		return;
	}
	if (has_chance(p, p->im->dup_pct)) {
		copy = rte_pktmbuf_copy(m, p->pool, 0, UINT32_MAX);
		if (copy != NULL) {
			schedule(p, copy, now_us);
			(*p->impaired)++;
		}
	}
	if (p->nb_held < PATH_HELD_MAX && has_chance(p, p->im->reorder_pct)) {
		p->held[p->nb_held].mbuf = m;
		p->held[p->nb_held].until_us = now_us + PATH_HOLD_US;
		p->held[p->nb_held++].left = 1 + sc_rng_below(&p->rng, 3);
		(*p->impaired)++;
		return;
	}
	schedule(p, m, now_us);
	for (uint32_t i = 0; i < p->nb_held; i++)
		p->held[i].left--;
	release_held(p, now_us);
}

struct rte_mbuf *
path_head(struct path *p, uint64_t now_us)
{
	if (p->nb_held > 0)
		release_held(p, now_us);
	return p->nb > 0 && p->heap[0].due_us <= now_us ? p->heap[0].mbuf : NULL;
}

struct rte_mbuf *
path_take(struct path *p)
{
	struct rte_mbuf *m = p->heap[0].mbuf;
	struct path_item it = p->heap[--p->nb];
	uint32_t i = 0, down;

	for (down = 1; down < p->nb; down = 2 * i + 1) {
		if (down + 1 < p->nb && is_sooner(&p->heap[down + 1], &p->heap[down]))
			down++;
		if (!is_sooner(&p->heap[down], &it))
			break;
		p->heap[i] = p->heap[down];
		i = down;
	}
	p->heap[i] = it;
	return m;
}
