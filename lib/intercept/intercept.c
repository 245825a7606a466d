/* SPDX-License-Identifier: BSD-3-Clause */
/* Making, ending, and the slow clock of an intercept. */
#include <errno.h>
#include <stdlib.h>

#include "ic.h"

#define HANDED_PER_TICK 64

static int
check_limit(const struct sc_intercept_cfg *cfg, struct sc_err *err)
{
	if (cfg->on_link->nb <= cfg->neighbour_limit)
		return 0;
	return sc_err_set(err, -E2BIG,
			"%u on-link client addresses are more than neighbour_limit %u: a target's "
			"neighbour table overflows (Linux: net.ipv4.neigh.default.gc_thresh3); "
			"tune the "
			"target and raise the limit, use fewer, or route the pool to this box",
			cfg->on_link->nb, cfg->neighbour_limit);
}

static int
fill(struct sc_intercept *ic, struct sc_err *err)
{
	for (uint16_t w = 0; w < ic->cfg.nb_workers; w++) {
		ic->stage[w] = calloc(1, sizeof(*ic->stage[w]));
		if (ic->stage[w] == NULL)
			return sc_err_set(err, -ENOMEM, "no memory to stage response records");
	}
	if (!ic->cfg.do_neighbours || ic->cfg.on_link == NULL)
		return 0;
	return check_limit(&ic->cfg, err) < 0 ? -E2BIG : ic_pool_init(ic, err);
}

struct sc_intercept *
sc_intercept_create(const struct sc_intercept_cfg *cfg, struct sc_err *err)
{
	struct sc_intercept *ic = calloc(1, sizeof(*ic));
	int rc;

	if (ic == NULL) {
		errno = -sc_err_set(err, -ENOMEM, "no memory for an intercept");
		return NULL;
	}
	ic->cfg = *cfg;
	rc = fill(ic, err);
	if (rc == 0)
		return ic;
	sc_intercept_destroy(ic);
	errno = -rc;
	return NULL;
}

static void
drain_handed(struct sc_intercept *ic)
{
	void *m;

	if (!ic->cfg.do_neighbours || ic->cfg.neigh_ring == NULL)
		return;
	while (rte_ring_sc_dequeue(ic->cfg.neigh_ring, &m) == 0)
		rte_pktmbuf_free(m);
}

void
sc_intercept_destroy(struct sc_intercept *ic)
{
	struct rte_mbuf *m;

	if (ic == NULL)
		return;
	drain_handed(ic);
	for (; ic->nb_out > 0; ic->nb_out--) {
		m = ic->out[ic->out_head];
		ic->out_head = (ic->out_head + 1) % IC_OUT_MAX;
		rte_pktmbuf_free(m);
	}
	for (uint16_t w = 0; w < ic->cfg.nb_workers && ic->stage[w] != NULL; w++) {
		for (uint16_t i = 0; i < ic->stage[w]->nb; i++)
			rte_pktmbuf_free(ic->stage[w]->rec[i].mbuf);
		free(ic->stage[w]);
	}
	ic_pool_free(&ic->pool);
	free(ic);
}

static void
take_handed(struct sc_intercept *ic, uint64_t now_us)
{
	void *m[HANDED_PER_TICK];
	unsigned int n;

	if (ic->cfg.neigh_ring == NULL)
		return;
	n = rte_ring_sc_dequeue_burst(ic->cfg.neigh_ring, m, HANDED_PER_TICK, NULL);
	for (unsigned int i = 0; i < n; i++) {
		struct ic_view v;

		if (ic_view_make(&v, m[i], SC_R_NOT_TCP) == SC_R_NONE)
			ic_view_handle(ic, &v, now_us);
		rte_pktmbuf_free(m[i]);
	}
}

void
sc_intercept_tick(struct sc_intercept *ic, uint64_t now_us)
{
	if (!ic->cfg.do_neighbours)
		return;
	take_handed(ic, now_us);
	ic_hops_tick(ic, now_us);
	ic_pool_tick(ic, now_us);
}

bool
sc_intercept_is_ready(const struct sc_intercept *ic)
{
	return ic->pool.pool == NULL || atomic_load(&ic->pool.is_done);
}

uint32_t
sc_intercept_conflicts(const struct sc_intercept *ic)
{
	return atomic_load(&ic->pool.nb_withdrawn);
}
