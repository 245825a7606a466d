/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bed: a box of workers between ring ports that the test feeds and drains, in virtual time, polled
 * by hand.
 *
 *	struct bed *b = bed_new();
 *	b->nb_workers = 2;               change what is not to be as usual
 *	bed_start(b);
 *	conv_feed(&c, ...);              frames to the mirror
 *	bed_run(b, 50);                  rounds of 1 ms: workers, intercept, target
 *	bed_end(b);                      ledger, pools
 *
 * Box 10.9.0.1/24 and fd09::1/64 at 02:00:00:00:00:99. Rules: production 10.2.0.1:80 to target
 * 10.9.0.2:8080, [fd02::1]:80 to [fd09::2]:8080, any :81 to 10.50.0.5:8081 behind 10.9.0.254.
 */
#ifndef WORKER_BED_H
#define WORKER_BED_H

#include <frame.h>

#include <sc_worker.h>

#include "sc_test.h"

#define BED_WORKERS 2
#define BED_ANSWER 50 /* bytes that production and target answer to a question */
#define BED_MS 1000ull
#define BED_HOPS 3
#define BED_CONNS 256

/* A connection as the scripted target sees it. */
struct peer_conn {
	struct sc_addr src, dst;
	uint16_t sport, dport;
	uint32_t rcv, snd; /* next sequence numbers */
	uint32_t bytes;    /* received in order */
	bool has_fin;
};

struct bed {
	/* what a test may change before bed_start() */
	uint16_t nb_workers;
	uint16_t nb_mirrorq;   /* 0: one a worker */
	uint16_t nb_txq;       /* 0: one more than workers */
	unsigned int tx_slots; /* of a TX ring of the test port; one less is usable */
	unsigned int hand_slots, record_slots;
	bool is_file, is_ring_mirror, is_ring_test, is_inline, is_unresolved;

	struct sc_config cfg;
	struct sc_clock clock; /* stands still: time is base_us */
	struct sc_steer steer;
	struct sc_targets targets;
	struct sc_box box;
	struct rte_mempool *pool;
	unsigned int pool_free;
	struct rte_ring *mirror[BED_WORKERS], *rx[BED_WORKERS], *tx[BED_WORKERS + 1];
	struct sc_stats_cell cell[BED_WORKERS + 1]; /* the last: the intercept lcore */
	struct sc_intercept *ic[BED_WORKERS];
	struct sc_ilcore *il;
	struct sc_worker *w[BED_WORKERS];
	struct peer_conn conn[BED_CONNS];
	unsigned int nb_conns;
	unsigned int nb_hops_seen[BED_HOPS]; /* frames by the next hop's MAC */
	unsigned int nb_strange;             /* frames to another MAC */
	bool is_v6_silent;                   /* the IPv6 target takes and does not answer */
};

extern const uint8_t BED_MAC[6];

/* Configuration, targets and pool. One bed at a time. */
struct bed *bed_new(void);
/* Only the test port and the box: for tests of sc_tx alone. */
void bed_start_ports(struct bed *b);
/* Everything. */
void bed_start(struct bed *b);
/* Stop the workers; the ledger must balance and every mbuf be back. */
void bed_end(struct bed *b);
/*
 * The same, but ports and rings stay, empty; bed_again() puts new workers on them, with b->is_file as
 * it is then: many runs, quickly.
 */
void bed_halt(struct bed *b);
void bed_again(struct bed *b);
/* Ledger of every cell and of the box. */
void bed_check(struct bed *b);
/* One round of every worker and of the intercept, then the target; time goes on by 1 ms. */
void bed_round(struct bed *b);
void bed_run(struct bed *b, unsigned int rounds);
/* The target takes and answers what was sent. Returns the frames. */
unsigned int bed_target(struct bed *b);
/* Take one frame of a TX queue, NULL: none. */
struct rte_mbuf *bed_take(struct bed *b, uint16_t queue);
void bed_set_hop(struct bed *b, unsigned int hop, const uint8_t mac[6]);
/* The MAC of a next hop as bed_new() sets it. */
const uint8_t *bed_hop_mac(unsigned int hop);
/* A frame of a mirror's queue as it is. */
void bed_feed(struct bed *b, uint16_t queue, const struct test_frame *f);
uint64_t bed_sum(const struct bed *b, enum sc_counter c);
uint64_t bed_sum_by(const struct bed *b, enum sc_map m, enum sc_reason r);
#define SUM(b, name) bed_sum(b, SC_C_##name)
#define SUM_BY(b, map, reason) bed_sum_by(b, SC_M_##map, SC_R_##reason)

/* ---- a captured conversation ---- */

struct conv {
	struct bed *b;
	const char *client, *server;
	uint16_t cport;
	uint32_t cnxt, pnxt;
	uint32_t said;  /* bytes of the client */
	uint16_t queue; /* of the mirror port */
};

/* A client port that makes worker `owner` its flow's owner; frames go to its own queue. */
struct conv conv_new(struct bed *b, uint16_t owner, bool is_v6);
void conv_open(struct conv *c);
void conv_say(struct conv *c, uint32_t n);
/* Production's BED_ANSWER bytes. */
void conv_answer(struct conv *c);
void conv_close(struct conv *c);
/* The target's connection that has received most of all; fails without one. */
const struct peer_conn *bed_conn(const struct bed *b);

#endif
