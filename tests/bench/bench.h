/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench: the real worker and the real intercept between ring ports, fed with generated frames and
 * answered by a reflector that stands for the target. One process measures one workload; what it
 * measured goes to standard output as JSON, and scripts/bench makes a table of it.
 *
 * Feed, worker, intercept and reflector take turns on one lcore, groups of bursts at a time, each
 * timed apart. Time for the worker is virtual: it goes on by a fixed step a round, so that a run
 * does the same work however busy the machine is.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdio.h>

#include <rte_cycles.h>
#include <rte_ip.h>

#include <sc_peer.h>
#include <sc_worker.h>

#define BURST 32 /* frames of a round: what the worker takes from a mirror queue at once */
#define ROUNDS 8 /* of a group */
#define GROUP (BURST * ROUNDS)
#define GROUP_MAX \
	8128 /* what the mirror's ring takes: the first ones have left the L2 cache then */
#define MSS 1448
#define PORTS 16      /* client ports of an address */
#define LIFE_SHIFT 24 /* a connection's sequence numbers, before its tuple's next one begins */
#define PAUSE_CYCLES 300000 /* a round above it was interrupted: the machine is shared */
#define BENCH_START_US (1700000000ull * SC_US_PER_S)

/* ---- traffic: what is the same for feed and reflector ---- */

struct traffic {
	const char *name;
	uint32_t req, ans;   /* bytes of a turn */
	uint32_t turns;      /* of a short flow; 0: sessions live on */
	bool has_production; /* its half is mirrored, too */
	bool is_acks;        /* only bare ACKs of production */
	uint32_t turn_ms;    /* between two turns of a session that lives on */
};

/* A connection of the generated traffic: tuple number, and how often the tuple was used before. */
struct conn {
	uint32_t tuple, life;
};

struct ends {
	rte_be32_t addr;
	uint16_t port;
};

/* Production, target and clients; 16-bit words chosen so that a flow and its replay fold alike. */
#define PRODUCTION RTE_IPV4(172, 16, 0, 10)
#define PRODUCTION_PORT 80
#define TARGET RTE_IPV4(192, 168, 99, 2)
#define TARGET_PORT 4064
#define CLIENTS RTE_IPV4(10, 0, 1, 0)
#define RULE "172.16.0.10:80-192.168.99.2:4064"

static inline uint32_t
mix(uint32_t x)
{
	x = (x ^ x >> 16) * 0x7feb352du;
	x = (x ^ x >> 15) * 0x846ca68bu;
	return x ^ x >> 16;
}

static inline uint32_t
client_isn(struct conn c)
{
	return mix(c.tuple + 1) + (c.life << LIFE_SHIFT);
}

static inline uint32_t
production_isn(struct conn c)
{
	return mix(c.tuple ^ 0x5a5a5a5a) + (c.life << LIFE_SHIFT);
}

static inline uint32_t
target_isn(struct conn c)
{
	return mix(c.tuple ^ 0x33cc33cc) + (c.life << LIFE_SHIFT);
}

/* ---- frames ---- */

#define HDR_LEN (14 + 20 + 32)
#define SYN_HDR_LEN (14 + 20 + 40)

struct frame {
	rte_be32_t src, dst;
	uint16_t sport, dport;
	uint32_t seq, ack, tsval, tsecr;
	uint16_t len; /* payload */
	uint8_t flags;
	bool is_hollow; /* its payload is not written: what stands there nobody reads */
};

/* Write a frame into an empty mbuf; its checksums are right, and the mbuf says so. */
void frame_put(struct rte_mbuf *m, const struct frame *f);
/* Read one that spancopy built: IPv4, no VLAN. */
void frame_get(const struct rte_mbuf *m, struct frame *f);

/* ---- the box ---- */

#define LANES 2 /* workers at most */

struct bench_box {
	uint16_t nb_workers; /* 1 with an intercept lcore, or up to LANES that intercept inline */
	bool is_inline, is_real_time;
	bool is_hashed;      /* under overload: frames of the mirror bring their RSS hash */
	const char *capture; /* NULL: generated traffic; otherwise `peer` is behind the test port */
	struct sc_peer *peer;
	uint16_t floor_port; /* its TX rings are tx[] */
	struct sc_config cfg;
	struct sc_clock clock; /* unless is_real_time it stands still: time is base_us */
	struct sc_steer steer;
	struct sc_targets targets;
	struct sc_box box;
	struct rte_mempool *feed_pool, *tx_pool, *target_pool;
	struct rte_ring *mirror[LANES], *rx[LANES], *tx[LANES + 1];
	struct sc_stats_cell cell[LANES + 1]; /* workers, intercept lcore */
	struct sc_intercept *ic[LANES];
	struct sc_ilcore *il;
	struct sc_worker *w[LANES];
	struct sc_replay_cfg replay;
};

/* Everything but the workers; the first four fields are set. 0 or -1 with a sentence on standard error. */
int box_start(struct bench_box *b, uint32_t max_flows);
int box_start_workers(struct bench_box *b);
/* Stop and free. False, said on standard error: the ledger does not balance, or memory is missing. */
bool box_stop(struct bench_box *b);
/* Is every equation of the ledger true? Says on standard error what is not. */
bool box_check(struct bench_box *b);

/* ---- feed ---- */

struct step {
	bool is_production;
	uint8_t flags;
	int32_t at; /* in the client's bytes: where the segment begins, or what is acknowledged */
	int32_t peer_at; /* the same in production's bytes */
	uint32_t len;
};

#define STEPS_MAX 256

struct script {
	unsigned int nb;
	uint32_t turns; /* of a position */
	struct step step[STEPS_MAX];
};

/* Positions [first, last) of an endless list of turns or flows; step k of a position comes k * lag later. */
struct feed {
	const struct traffic *t;
	const struct script *script;
	const uint32_t *order; /* of sessions; NULL: short flows, one after the other */
	uint32_t nb;           /* sessions, or tuples of short flows */
	uint32_t first_tuple;
	uint32_t stride; /* from a short flow's tuple to the next one's; prime to nb, or 0: 1 */
	uint64_t first, last, lag;
	uint64_t at; /* next position to begin with */
	unsigned int step;
	uint64_t frames, client_bytes;
	struct rte_mempool *pool;
	const struct sc_steer *rss; /* the port hashes as NICs do, and says so; NULL: not */
	bool has_hollow_answers;    /* a NIC does not write frames through this CPU's L2 cache */
};

void script_open(struct script *s, const struct traffic *t);
void script_turn(struct script *s, const struct traffic *t);
void script_flow(struct script *s, const struct traffic *t);
void script_acks(struct script *s);
/* Make up to n frames. Returns how many; 0: the list is over, or the pool is empty. */
uint16_t feed_make(struct feed *f, struct rte_mbuf **m, uint16_t n, uint64_t now_us);
/* Leave out the next n frames: the mirror lost them. Returns how many; fewer: the list is over. */
uint32_t feed_skip(struct feed *f, uint32_t n);
void script_pair(struct script *s, const struct traffic *t);
/* The first n tuples whose flows worker `lane` owns, shuffled; NULL without memory. */
uint32_t *feed_order(const struct sc_steer *steer, uint16_t lane, uint32_t n);
void ends_of(uint32_t tuple, struct ends *e);
uint32_t tuple_of(const struct ends *e);

/* ---- reflector ---- */

struct reflector {
	const struct traffic *t;
	struct rte_mempool *pool;
	uint64_t frames, bytes, answers, answer_bytes, syns, fins, resets;
	uint64_t strange; /* frames that this traffic does not bring */
};

/* Answer one frame. At most `max` frames into out; returns their number. The frame stays the caller's. */
uint16_t reflect(struct reflector *r, const struct rte_mbuf *m, struct rte_mbuf **out, uint16_t max,
		uint64_t now_us);

/* ---- the loop ---- */

/* Rounds or groups; the cycles are those of the ones that were not interrupted. */
struct timed {
	uint64_t cycles, nb, disturbed;
};

struct spent {
	struct timed worker, intercept, feed, reflector;
};

void timed_add(struct timed *t, uint64_t cycles);
/* What all took between two moments, if the interrupted ones took as long as the others. */
double timed_cycles(const struct timed *before, const struct timed *after);

struct loop {
	struct bench_box *b;
	uint16_t lane; /* of the box's workers */
	struct feed feed;
	struct reflector reflector;
	struct spent spent;
	uint64_t step_ns, time_ns; /* a round, and all rounds so far */
	uint64_t start_us;
	uint32_t group; /* frames that are fed before the worker sees the first; 0: GROUP */
};

/* What is to be fed next: positions [first, last) of a script. */
void loop_begin(struct loop *l, const struct script *s, uint64_t first, uint64_t last);
/* Put the next group on the mirror's ring; 0: all has been fed. */
uint32_t loop_feed(void *loop);
/* Feed it, poll until nothing moves any more. */
void loop_run(struct loop *l);
/* The same with another feed than the loop's own, which returns 0 when it has no more. */
void loop_run_by(struct loop *l, uint32_t (*feed)(void *arg), void *arg);
/* The same, for what counts: by its name callgrind knows where to begin and to end. */
void loop_measured(struct loop *l);

/* What had been counted and spent at some moment. */
struct run {
	struct spent spent;
	uint64_t mirror, sent, responses, turns, flows, bytes;
};

void run_look(struct run *r, const struct loop *l);
/* What came between two moments, as a JSON object. */
void run_print(const struct run *a, const struct run *b, double floor);

/* One group of rounds; rounds without work are not counted. Returns the work done. */
uint32_t loop_worker(struct loop *l);
/* Was all replayed that was fed, and nothing else? Says on standard error what was not. */
bool loop_check(const struct loop *l, uint32_t sessions);
/* Open sessions [0, n) of the feed's order: the first alone, which proves the way back. */
void loop_open(struct loop *l, uint32_t n);

/* ---- two lcores, real time: each prints one member of the JSON object ---- */

/* Feed, worker and reflector on each of two lcores: ,"scale":[...] */
bool scale_measure(struct bench_box *b, const struct traffic *t, uint32_t sessions, uint32_t runs,
		uint64_t turns);
/* Worker on one, intercept and reflector on the other: "delay":[...] */
bool delay_measure(struct bench_box *b, const struct traffic *t, uint32_t sessions, uint32_t runs,
		uint32_t rate);
/* A number in a file of /proc, by the word it stands behind; 0: there is none. */
uint64_t meminfo(const char *file, const char *word);
/* So many frames, bare ACKs mostly; memory and cycles are looked at a hundred times: "soak":[...] */
bool soak_measure(struct bench_box *b, const struct traffic *t, uint32_t sessions, uint64_t frames);
/*
 * Short flows, so many percent of what the worker can do; a table of so many flows. On one lcore,
 * time is the worker's: "overload":[...]
 */
bool overload_measure(
		struct bench_box *b, const struct traffic *t, uint32_t flows, uint32_t percent);
/* Requests at a rate, without and with one flow that takes all the worker gives: "elephant":[...] */
bool elephant_measure(
		struct bench_box *b, const struct traffic *t, uint32_t sessions, uint32_t rate);
/* A capture instead of generated traffic, against the peer that answers with its bytes. */
bool recorded_measure(struct bench_box *b, const char *path, uint32_t runs);
/* Keep the CPU for this thread while it is measured, if the system allows; false: it does not. */
bool rt_begin(void);
void rt_end(void);

/*
 * The forwarder that only swaps addresses: cycles a frame, same ports and feed. feed(arg) puts frames
 * on the mirror's ring and returns their number; 0: no more.
 */
double floor_run(struct loop *l, uint32_t (*feed)(void *arg), void *arg);

#endif
