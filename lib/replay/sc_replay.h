/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * replay: the engine of one worker. Parsed segments of the mirror, response records of the target
 * and the time go in; frames to send, counters and the next deadline come out. It does no I/O and
 * reads no clock. Same input and seed give the same output.
 *
 * Thread: the owning worker. struct sc_path is shared by all workers and says so.
 * Times: now_us is the box's clock, microseconds, never falling.
 */
#ifndef SC_REPLAY_H
#define SC_REPLAY_H

#include <stdatomic.h>

#include <rte_mempool.h>

#include <sc_base.h>
#include <sc_filter.h>
#include <sc_packet.h>
#include <sc_session.h>
#include <sc_stats.h>
#include <sc_steer.h>

enum sc_replay_latency {
	SC_REPLAY_LATENCY_NONE,
	SC_REPLAY_LATENCY_ORIGINAL,
	SC_REPLAY_LATENCY_FIXED
};
enum sc_replay_gate {
	SC_REPLAY_GATE_ANSWER,
	SC_REPLAY_GATE_OFF,
	SC_REPLAY_GATE_TIME
};

/* ---- is the way back from a target proven? One per target, shared by all workers ---- */

enum sc_path_state {
	SC_PATH_UNPROVEN,
	SC_PATH_PROBING, /* one session is being opened alone */
	SC_PATH_OPEN,    /* its SYN-ACK came to the test port */
	SC_PATH_CLOSED,  /* three SYNs unanswered */
};

/*
 * Written by any worker, atomically. The counters are of the running window of 5 s; a worker adds what
 * it has counted every few milliseconds.
 */
struct sc_path {
	_Atomic uint32_t state;
	_Atomic uint32_t syns, answers;
	_Atomic uint64_t window_us; /* start of the window */
	_Atomic uint64_t closed_us; /* when it was closed: probed again after 5 s */
	_Atomic uint64_t nb_closed; /* how often */
};

/* One target as the engine sees it. */
struct sc_replay_target {
	struct sc_addr addr;
	uint16_t port;
	const struct sc_l2_tmpl *l2; /* kept up to date by the worker; addresses of the next hop */
	struct sc_path *path;
};

struct sc_replay_cfg {
	uint8_t worker;
	const struct sc_steer *steer;
	const struct sc_rule *rules;
	unsigned int nb_rules;
	const struct sc_replay_target *targets; /* read-only but for *l2 and *path */
	unsigned int nb_targets;
	const struct sc_prefix *
			test_nets; /* prefixes of the test network: kept clients inside are refused */
	unsigned int nb_test_nets;
	const struct sc_pool *clients; /* empty: client addresses are kept */
	struct rte_mempool *pool;      /* frames to send */
	struct sc_stats *stats;
	uint32_t max_flows, max_tombs;
	uint64_t held_bytes; /* budget: a quarter by reference, the rest in chunks */
	uint32_t copy_below;
	uint32_t copies;
	double sample_pct;
	bool only_full;
	bool open_on_syn;
	bool is_file; /* the source waits: nothing is ended for lagging */
	bool pace_think;
	enum sc_replay_latency latency;
	uint32_t latency_us;
	enum sc_replay_gate gate;
	uint32_t gate_quiet_min_us;
	uint16_t mtu;
	uint32_t max_lag_us;
	uint32_t session_timeout_s;
	double speed; /* production's own times are divided by it; 0: flat out */
	int socket;   /* NUMA node of its lcore; -1: any */
	uint64_t now_us;
	bool is_general; /* no short cut for plain packets: for tests that compare both ways */
};

struct sc_replay;

struct sc_replay *sc_replay_create(const struct sc_replay_cfg *cfg, struct sc_err *err);
/* Frees everything; sessions that are still open end as `stopped`. */
void sc_replay_destroy(struct sc_replay *e);
/*
 * Bytes of memory that the engines of nb_workers workers with this configuration take besides mbufs.
 * Of targets it asks the rules: none need be resolved.
 */
uint64_t sc_replay_size(const struct sc_replay_cfg *cfg, unsigned int nb_workers);
/* Tombstones that go with so many flows. */
uint32_t sc_replay_max_tombs(uint32_t max_flows);
/* mbufs that held client bytes may pin. */
uint32_t sc_replay_max_refs(const struct sc_replay_cfg *cfg);

/* ---- mirror ---- */

/* Which half of a conversation a frame belongs to. */
enum sc_half {
	SC_HALF_CLIENT,
	SC_HALF_PRODUCTION
};

/* A frame with the flow it belongs to, as sc_replay_classify() has found. */
struct sc_mirror_seg {
	struct sc_seg seg;
	struct sc_flow_ref flow;
	uint8_t half;
};

/*
 * Which flow and half? The bucket of its index is on its way to the cache then. SC_R_NONE, or not_mapped, mirror_loop, bad_client,
 * production_table_full.
 */
enum sc_reason sc_replay_classify(struct sc_replay *e, struct sc_mirror_seg *ms);

/*
 * Offer up to 32 classified segments. Takes every mbuf over: it is freed or held. Each is counted
 * once as client, production or refused.
 */
void sc_replay_mirror(struct sc_replay *e, struct sc_mirror_seg *ms, uint16_t n, uint64_t now_us);

/*
 * Under overload, before frames are parsed: free those of new flows that are left out, and count
 * them as shed_admission. Up to 32 Ethernet frames, of any worker; has_hash: the port has hashed them
 * with the key of sc_steer_rss_key(). Returns how many of m[] are left, in their order.
 */
uint16_t sc_replay_sieve(struct sc_replay *e, struct rte_mbuf **m, uint16_t n, bool has_hash,
		uint64_t now_us);

/*
 * The same for frames of a port that has hashed them, if no flow of a frame's hash is admitted or
 * known. Those frames are counted as shed_unread, and in mirror_bytes; they are not read, so their
 * flows and payload are not counted. To be called first.
 */
uint16_t sc_replay_sieve_unread(
		struct sc_replay *e, struct rte_mbuf **m, uint16_t n, uint64_t now_us);

/*
 * While held, flows are taken in but none is opened: they wait as they do for the return path. For
 * the time in which next hops are resolved and pool addresses probed.
 */
void sc_replay_hold(struct sc_replay *e, bool is_held);

/* ---- responses and time ---- */

/* Take n records; mbufs in them are freed. */
void sc_replay_records(
		struct sc_replay *e, const struct sc_record *rec, uint16_t n, uint64_t now_us);

/* How busy the caller has been for a while. */
struct sc_replay_load {
	uint32_t us;   /* so long */
	uint32_t used; /* of 1,000 parts of it, for work; 0: unknown */
	uint32_t load; /* of what can be done, in parts per thousand; beyond 1,000 frames were lost */
};

/*
 * Held bytes are added here. Decides every 100 ms: from the third time in a row at 800 on the share of
 * new flows that are admitted is lowered, below 600 it is raised. Beyond 1,000 it is divided by the
 * load at once, and not again for 50 ms. What new flows cost tells how many can be afforded: when many
 * more come, the share is lowered before they do harm. At 950 of held bytes the flows that lag most
 * end as shed_lag. Nothing for a file.
 */
void sc_replay_load(struct sc_replay *e, const struct sc_replay_load *load, uint64_t now_us);

/* Run due deadlines and a slice of housekeeping; bounded. Returns the number of things done. */
uint32_t sc_replay_timers(struct sc_replay *e, uint64_t now_us);

/* Microseconds until the next deadline, at most one second; 0: due now. */
uint64_t sc_replay_next(const struct sc_replay *e, uint64_t now_us);

/* ---- frames to send ---- */

#define SC_REPLAY_TX_MAX 512

/* The frames built since the last call: the caller owns them. At most max; the rest stays. */
uint16_t sc_replay_tx(struct sc_replay *e, struct rte_mbuf **m, uint16_t max);
/* How many frames sc_replay_tx() would give. */
uint32_t sc_replay_tx_waiting(const struct sc_replay *e);
/* No room for another burst of frames: drain before offering more. */
bool sc_replay_is_tx_full(const struct sc_replay *e);
/* A file source should wait: held bytes or flows are nearly used up. */
bool sc_replay_should_wait(const struct sc_replay *e);

/* ---- the end ---- */

/*
 * The source has ended (file), or the box is stopping: no frame will come any more. Open flows are
 * finished: what was captured is sent, then the connections are closed.
 */
void sc_replay_drain(struct sc_replay *e, uint64_t now_us);
/* Nothing is live any more. */
bool sc_replay_is_idle(const struct sc_replay *e);
/*
 * End what is still live as `stopped`. False: the frames to send (RSTs) must be taken first; call
 * again then.
 */
bool sc_replay_stop(struct sc_replay *e, uint64_t now_us);

/*
 * Count gauges by walking the tables. True if they agree with the counters; otherwise `what` names
 * the first that does not. Slow: not on the packet path.
 */
bool sc_replay_audit(const struct sc_replay *e, struct sc_err *what);

/* Latencies from request to first answer byte: production's and the target's, us. */
const struct sc_hist *sc_replay_hist_production(const struct sc_replay *e);
const struct sc_hist *sc_replay_hist_target(const struct sc_replay *e);

#endif
