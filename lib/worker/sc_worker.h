/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker: the poll loops. A worker takes frames from its mirror queues, hands strangers to their
 * owner, feeds its engine and transmits; an intercept lcore turns responses into records.
 *
 * Threads: a worker or intercept lcore is created by main, then belongs to the lcore that runs it.
 * struct sc_box is shared: its atomics say who writes.
 */
#ifndef SC_WORKER_H
#define SC_WORKER_H

#include <stdatomic.h>

#include <rte_ring.h>
#include <rte_spinlock.h>

#include <sc_base.h>
#include <sc_config.h>
#include <sc_intercept.h>
#include <sc_replay.h>
#include <sc_stats.h>
#include <sc_steer.h>

#define SC_HANDOVER_RING 1024      /* mbufs, between workers that all have a mirror queue */
#define SC_HANDOVER_RING_SOFT 8192 /* mbufs, from a worker that shards a port in software */
#define SC_RECORD_RING 4096        /* records */
#define SC_FRAGMENTS_MAX 1024      /* mbufs that wait for the rest of their packet, per worker */
#define SC_TX_BACKLOG 512          /* frames that wait for a full TX ring, per worker */

enum sc_phase {
	SC_PHASE_HOLD, /* neighbours are being resolved: flows are taken in and wait */
	SC_PHASE_RUN,
	SC_PHASE_DRAIN, /* nothing is taken from the mirror any more; open sessions go on to their end */
	SC_PHASE_STOP, /* leave the loop */
};

/* What all lcores share. Fixed at start but for the atomics. */
struct sc_box {
	const struct sc_config *cfg;
	const struct sc_clock *clock;
	const struct sc_steer *steer;
	struct sc_targets *targets;
	struct sc_path path[SC_TARGETS_MAX];
	struct sc_port mirror[SC_PORTS_MAX];
	unsigned int nb_mirror;
	struct sc_port test;
	uint16_t nb_workers, nb_intercepts;
	bool is_inline;
	struct rte_mempool *rx_pool; /* mirror and test ports */
	struct rte_ring *handover[SC_STEER_WORKERS_MAX][SC_STEER_WORKERS_MAX]; /* [from][to] */
	struct rte_ring *records[SC_STEER_WORKERS_MAX]
				[SC_STEER_WORKERS_MAX]; /* [intercept][worker] */
	rte_spinlock_t tx_lock[SC_STEER_WORKERS_MAX + SC_INTERCEPTS_MAX];
	_Atomic uint32_t phase;     /* enum sc_phase; written by main */
	_Atomic uint64_t nb_missed; /* frames that mirror ports had no room for; written by main */
};

/* ---- transmitting: the only way to a port ---- */

enum sc_tx_kind {
	SC_TX_REPLAY,
	SC_TX_NEIGHBOUR
};

#define SC_GUARD_TARGETS 1024 /* slots, powers of two: more than twice as many as there can be */
#define SC_GUARD_SOURCES 2048

/* What the guard looks up for IPv4, by hash; as the tables of the box are at sc_tx_init(). */
struct sc_guard_target {
	uint64_t key;                /* address and port; GUARD_NO_KEY: free */
	const _Atomic uint64_t *hop; /* of sc_nexthop: the MAC as it is now */
};

struct sc_guard {
	uint32_t target_mask, source_mask;
	struct sc_guard_target target[SC_GUARD_TARGETS];
	uint32_t source[SC_GUARD_SOURCES]; /* targets, next hops, box, production; 0: free */
};

struct sc_tx {
	struct sc_box *box;
	struct sc_stats *stats;
	uint16_t port, queue;
	rte_spinlock_t *lock; /* NULL: the queue is ours alone */
	enum sc_tx_kind kind;
	uint32_t nb_backlog;
	struct rte_mbuf *backlog[SC_TX_BACKLOG + 64];
	struct sc_guard guard;
};

/*
 * The TX queue of user `i` of `users`, shared by lock where the test port has fewer queues. Targets and
 * rules of the box stay as they are from here on.
 */
void sc_tx_init(struct sc_tx *tx, struct sc_box *box, struct sc_stats *stats, uint16_t i,
		uint16_t users, enum sc_tx_kind kind);
/*
 * Send n (at most 64) frames after the guard has looked at each: destination MAC, address and port
 * must be those of a target, the source must not be a target, production-side special or the box.
 * Takes all mbufs over; what the driver refuses waits in the backlog.
 */
void sc_tx_send(struct sc_tx *tx, struct rte_mbuf **m, uint16_t n);
/* Try the backlog again. True when it is empty. */
bool sc_tx_flush(struct sc_tx *tx);
/* Drop what still waits, counted as abandoned. */
void sc_tx_abandon(struct sc_tx *tx);

/* ---- workers ---- */

struct sc_worker;

struct sc_worker_cfg {
	struct sc_box *box;
	uint16_t index;
	struct sc_replay_cfg replay; /* targets, stats and times are filled in by the worker */
	struct sc_intercept *inline_intercept; /* NULL unless intercept is inline */
	struct sc_stats_cell *stats;           /* its only writer is the worker */
};

struct sc_worker *sc_worker_create(const struct sc_worker_cfg *cfg, struct sc_err *err);
void sc_worker_destroy(struct sc_worker *w);
/* One round. Returns the work done; 0: idle. */
uint32_t sc_worker_poll(struct sc_worker *w);
/* lcore function: rounds until SC_PHASE_STOP. */
int sc_worker_run(void *worker);
/* For main, when no lcore runs any more: end what is live, send what can be sent, drop the rest. */
void sc_worker_stop(struct sc_worker *w);
/* For main, while the loop does not run: the engine. */
struct sc_replay *sc_worker_engine(struct sc_worker *w);
/* Written by the worker's lcore once nothing is live while draining; any thread reads. */
bool sc_worker_is_drained(const struct sc_worker *w);
/* Frames handed over that were not taken yet, records likewise: for the ledger across lcores. */
uint64_t sc_box_handover_count(const struct sc_box *box);
uint64_t sc_box_record_count(const struct sc_box *box);

/* ---- intercept lcores ---- */

struct sc_ilcore;

struct sc_ilcore *sc_ilcore_create(struct sc_box *box, uint16_t index, struct sc_intercept *ic,
		struct sc_stats_cell *stats, struct sc_err *err);
void sc_ilcore_destroy(struct sc_ilcore *l);
uint32_t sc_ilcore_poll(struct sc_ilcore *l);
int sc_ilcore_run(void *ilcore);

/* ---- the source: the lcore that reads captures for all workers ---- */

struct sc_source;

/* Counts in *cell, which the lcore of the source writes. NULL with a sentence. */
struct sc_source *sc_source_create(
		const struct sc_steer *steer, struct sc_stats_cell *cell, struct sc_err *err);
/* Only when nothing waits. */
void sc_source_destroy(struct sc_source *s);
/*
 * The frame to deliver in place of m, which is taken over, and the queue of its owner. NULL: it was
 * an IP fragment that waits for others, or was refused and counted. Reads sc_mbuf_meta().
 */
struct rte_mbuf *sc_source_route(void *source, struct rte_mbuf *m, uint16_t *queue);
/* No more will come: refuse what waits. */
void sc_source_drop(struct sc_source *s);

/* ---- idling ---- */

struct sc_idler {
	enum sc_idle mode;
	uint32_t empty;    /* rounds without work in a row */
	uint32_t work;     /* done since the last sleep */
	uint32_t sleep_us; /* the last sleep */
};

/* After a round: pause, yield or sleep (at most max_us) when nothing was done. True: it slept. */
bool sc_idle(struct sc_idler *i, uint32_t done, uint64_t max_us);

#endif
