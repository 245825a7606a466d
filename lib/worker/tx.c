/* SPDX-License-Identifier: BSD-3-Clause */
/* tx: the one place that transmits. The guard looks at every frame. */
#include <string.h>

#include <rte_ethdev.h>

#include "guard.h"

void
sc_tx_init(struct sc_tx *tx, struct sc_box *box, struct sc_stats *stats, uint16_t i, uint16_t users,
		enum sc_tx_kind kind)
{
	uint16_t nb = SC_MAX(box->test.nb_txq, 1);

	tx->box = box;
	tx->stats = stats;
	tx->port = box->test.id;
	tx->queue = i % nb;
	tx->lock = users > nb ? &box->tx_lock[tx->queue] : NULL;
	tx->kind = kind;
	tx->nb_backlog = 0;
	guard_init(&tx->guard, box->targets, box->cfg);
}

static uint16_t
transmit(struct sc_tx *tx, struct rte_mbuf **m, uint16_t n)
{
	uint64_t bytes = 0;
	uint16_t sent;

	for (uint16_t i = 0; i < n; i++)
		bytes += m[i]->pkt_len;
	if (tx->lock != NULL)
		rte_spinlock_lock(tx->lock);
	sent = rte_eth_tx_burst(tx->port, tx->queue, m, n);
	if (tx->lock != NULL)
		rte_spinlock_unlock(tx->lock);
	for (uint16_t i = sent; i < n; i++)
		bytes -= m[i]->pkt_len;
	if (tx->kind == SC_TX_REPLAY) {
		tx->stats->c[SC_C_TX_TAKEN] += sent;
		tx->stats->c[SC_C_TX_BYTES] += bytes;
	} else {
		tx->stats->c[SC_C_NEIGH_TX] += sent;
	}
	return sent;
}

bool
sc_tx_flush(struct sc_tx *tx)
{
	uint32_t done = 0;

	while (done < tx->nb_backlog) {
		uint16_t n = (uint16_t)SC_MIN(tx->nb_backlog - done, 64u);
		uint16_t sent = transmit(tx, tx->backlog + done, n);

		done += sent;
		if (sent < n)
			break;
	}
	tx->nb_backlog -= done;
	memmove(tx->backlog, tx->backlog + done, tx->nb_backlog * sizeof(tx->backlog[0]));
	return tx->nb_backlog == 0;
}

/* What did not pass at first sight, or finds no room: look closer; count and free it, or let it go. */
static __rte_noinline bool
is_let_through(struct sc_tx *tx, struct rte_mbuf *m)
{
	enum sc_reason r = tx->kind == SC_TX_REPLAY ? guard_replay(tx->box, m) : guard_neighbour(m);

	if (r == SC_R_NONE && tx->nb_backlog < SC_ARRAY_SIZE(tx->backlog))
		return true;
	if (r != SC_R_NONE && tx->kind == SC_TX_REPLAY)
		tx->stats->m[SC_M_GUARD_REFUSED][r]++;
	else if (tx->kind == SC_TX_REPLAY)
		tx->stats->c[SC_C_TX_ABANDONED]++;
	rte_pktmbuf_free(m);
	return false;
}

void
sc_tx_send(struct sc_tx *tx, struct rte_mbuf **m, uint16_t n)
{
	bool has_room = tx->nb_backlog + n <= SC_ARRAY_SIZE(tx->backlog);
	bool is_replay = tx->kind == SC_TX_REPLAY && has_room;

	for (uint16_t i = 0; i < n; i++)
		if ((is_replay && guard_passes(&tx->guard, m[i])) || is_let_through(tx, m[i]))
			tx->backlog[tx->nb_backlog++] = m[i];
	sc_tx_flush(tx);
}

void
sc_tx_abandon(struct sc_tx *tx)
{
	if (tx->kind == SC_TX_REPLAY)
		tx->stats->c[SC_C_TX_ABANDONED] += tx->nb_backlog;
	rte_pktmbuf_free_bulk(tx->backlog, tx->nb_backlog);
	tx->nb_backlog = 0;
}
