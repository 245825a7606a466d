/* SPDX-License-Identifier: BSD-3-Clause */
/* ilcore: the loop of an intercept lcore. */
#include <errno.h>
#include <stdlib.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>

#include <sc_worker.h>

#define BURST 64

struct sc_ilcore {
	struct sc_box *box;
	struct sc_intercept *ic;
	struct sc_stats_cell *stats;
	struct sc_tx tx;
	struct sc_idler idler;
	uint16_t index;
	uint64_t tick_us;
};

struct sc_ilcore *
sc_ilcore_create(struct sc_box *box, uint16_t index, struct sc_intercept *ic,
		struct sc_stats_cell *stats, struct sc_err *err)
{
	struct sc_ilcore *l = calloc(1, sizeof(*l));

	if (l == NULL) {
		sc_err_set(err, -ENOMEM, "no memory for intercept lcore %u", index);
		return NULL;
	}
	l->box = box;
	l->index = index;
	l->ic = ic;
	l->stats = stats;
	l->idler.mode = box->cfg->idle;
	sc_tx_init(&l->tx, box, &stats->live, box->nb_workers + index,
			box->nb_workers + box->nb_intercepts, SC_TX_NEIGHBOUR);
	return l;
}

void
sc_ilcore_destroy(struct sc_ilcore *l)
{
	if (l == NULL)
		return;
	sc_tx_abandon(&l->tx);
	free(l);
}

/* A peer inside the process waits while a record ring is full; a real port must be polled. */
static bool
should_wait(const struct sc_ilcore *l)
{
	if (!l->box->test.is_ring)
		return false;
	for (uint16_t w = 0; w < l->box->nb_workers; w++)
		if (rte_ring_free_count(l->box->records[l->index][w]) < BURST)
			return true;
	return false;
}

uint32_t
sc_ilcore_poll(struct sc_ilcore *l)
{
	uint64_t now_us = sc_clock_us(l->box->clock, rte_rdtsc());
	struct rte_mbuf *m[BURST];
	uint32_t done = 0;
	uint16_t n;

	for (uint16_t q = l->index; q < l->box->test.nb_rxq; q += l->box->nb_intercepts) {
		if (should_wait(l))
			break;
		n = rte_eth_rx_burst(l->box->test.id, q, m, BURST);
		if (n == 0)
			continue;
		sc_intercept_burst(l->ic, m, n, now_us);
		done += n;
	}
	if (now_us >= l->tick_us) {
		l->tick_us = now_us + SC_US_PER_MS;
		sc_intercept_tick(l->ic, now_us);
	}
	n = sc_intercept_tx(l->ic, m, BURST);
	if (n > 0)
		sc_tx_send(&l->tx, m, n);
	else
		sc_tx_flush(&l->tx);
	l->stats->live.c[SC_C_LOOPS]++;
	l->stats->live.c[SC_C_LOOPS_BUSY] += done > 0;
	sc_stats_publish(l->stats);
	return done;
}

int
sc_ilcore_run(void *ilcore)
{
	struct sc_ilcore *l = ilcore;

	while (atomic_load_explicit(&l->box->phase, memory_order_relaxed) != SC_PHASE_STOP)
		sc_idle(&l->idler, sc_ilcore_poll(l), SC_US_PER_MS);
	return 0;
}
