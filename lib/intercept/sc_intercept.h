/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * intercept: frames of the test port become records on their owners' rings; ARP, ND and echo are
 * answered; next hops are resolved. One struct sc_intercept per polled test-port queue.
 *
 * Threads: an sc_intercept belongs to its lcore. The target table's neighbour words are written by
 * the intercept lcore that owns neighbour work (do_neighbours) and read by any worker.
 */
#ifndef SC_INTERCEPT_H
#define SC_INTERCEPT_H

#include <stdatomic.h>

#include <rte_mempool.h>
#include <rte_ring.h>

#include <sc_base.h>
#include <sc_filter.h>
#include <sc_packet.h>
#include <sc_stats.h>
#include <sc_steer.h>

#define SC_INTERCEPTS_MAX 4
#define SC_NEXTHOPS_MAX SC_TARGETS_MAX
#define SC_BOX_ADDRS_MAX 8
#define SC_TARGET_SLOTS 1024 /* power of two, 4 x SC_TARGETS_MAX */

/* State of a next hop, in the top byte of sc_nexthop.word; the MAC is in the low 48 bits. */
enum sc_neigh_state {
	SC_NEIGH_NONE, /* not resolved yet */
	SC_NEIGH_REACHABLE,
	SC_NEIGH_STALE,  /* known, being verified: still used */
	SC_NEIGH_FAILED, /* no answer to repeated requests */
};

struct sc_nexthop {
	struct sc_addr addr;      /* fixed at start */
	_Atomic uint64_t word;    /* state << 56 | mac; any thread reads */
	_Atomic uint32_t version; /* rises when the MAC changes */
};

struct sc_target {
	struct sc_addr addr;
	uint16_t port;
	uint16_t nexthop; /* index into sc_targets.nexthop */
};

/* Built at start; fixed but for the atomics. */
struct sc_targets {
	struct sc_target t[SC_TARGETS_MAX];
	unsigned int nb;
	struct sc_nexthop nexthop[SC_NEXTHOPS_MAX];
	unsigned int nb_nexthops;
	struct sc_prefix box[SC_BOX_ADDRS_MAX]; /* --test-address, with its prefix */
	unsigned int nb_box;
	bool is_static; /* next hops were given, not resolved: never asked for or verified */
	uint16_t slot[SC_TARGET_SLOTS]; /* hash of addr:port -> index + 1, 0: free */
};

/*
 * Build the table from the rules: each target:port once, in the rules' order; next hop is the target
 * itself when it lies in a box prefix, else the on-link gateway of its family. Errors: a target
 * without box address of its family, off-link without gateway, or equal to a box address: -EINVAL
 * with a sentence. ts is large: keep it off small stacks.
 * static_mac (ring peers): non-NULL makes every target its own next hop, reachable at that MAC at
 * once; box addresses are not needed then.
 */
int sc_targets_build(struct sc_targets *ts, const struct sc_rule *rules, unsigned int nb_rules,
		const struct sc_prefix *box, unsigned int nb_box, const struct sc_addr *gateways,
		unsigned int nb_gateways, const uint8_t *static_mac, struct sc_err *err);
/* Index of addr:port, or -1. */
int sc_targets_find(const struct sc_targets *ts, const struct sc_addr *addr, uint16_t port);
/* The MAC of a next hop; returns its state. */
enum sc_neigh_state sc_nexthop_get(const struct sc_nexthop *nh, uint8_t mac[6]);

struct sc_intercept_cfg {
	struct sc_targets *targets;
	const struct sc_steer *steer;
	const struct sc_port *port;
	const struct sc_clock *clock;
	struct rte_mempool *pool;                    /* for the frames it sends */
	struct rte_ring *ring[SC_STEER_WORKERS_MAX]; /* SPSC rings of struct sc_record to worker w;
						      * NULL: records for w stay staged for
						      * sc_intercept_take() */
	const _Atomic uint8_t
			*want_payload; /* [65536] by fold, set by owners; NULL: nobody wants any */
	const struct sc_pool *on_link; /* addresses to answer ARP/ND for; NULL: none */
	struct sc_stats_cell *stats;
	uint16_t nb_workers;
	uint16_t vlan_tci; /* 0: untagged */
	uint32_t neighbour_limit; /* most on-link addresses answered for (900 unless the target was tuned) */
	bool do_neighbours; /* this one resolves, probes and answers */
	/*
	 * Several intercepts on one port: NICs and kernel fan-out may bring ARP, ND and echo to any
	 * queue. Those without do_neighbours put such frames (mbuf pointers) on this ring, many
	 * producers; the one with it takes them in its tick. NULL: they end where they arrive.
	 */
	struct rte_ring *neigh_ring;
};

struct sc_intercept;

/* NULL and a sentence when memory is short or the on-link pool is above neighbour_limit. */
struct sc_intercept *sc_intercept_create(const struct sc_intercept_cfg *cfg, struct sc_err *err);
void sc_intercept_destroy(struct sc_intercept *ic);

/*
 * Take over n frames of the test port. Every mbuf is freed, or travels in a record. Records are
 * staged per worker and flushed to the rings at the end of the call; what a full ring refuses is
 * counted record_ring_full and freed. The mbuf of a record is the frame as it was received: parse
 * it again for the place of its payload. After the call, RESP_POLLED = RESP_NEIGHBOUR + sum of
 * RESP_REFUSED + RESP_RECORDS.
 */
void sc_intercept_burst(struct sc_intercept *ic, struct rte_mbuf **m, uint16_t n, uint64_t now_us);
/* Inline shape: take the staged records of worker w (one whose ring is NULL). Returns their number. */
uint16_t sc_intercept_take(
		struct sc_intercept *ic, uint16_t w, struct sc_record *rec, uint16_t max);

/*
 * Resolution, address probing (RFC 5227 section 2.1.1, RFC 4862 section 5.4), re-verification: call
 * at least every 10 ms; cheap when nothing is due.
 */
void sc_intercept_tick(struct sc_intercept *ic, uint64_t now_us);
/* Frames (ARP, ND, echo replies) that want to be sent; the caller owns them then. */
uint16_t sc_intercept_tx(struct sc_intercept *ic, struct rte_mbuf **m, uint16_t max);
/* True once every on-link address has been probed (or there is none): replay may begin. Any thread. */
bool sc_intercept_is_ready(const struct sc_intercept *ic);
/* On-link addresses withdrawn because another station claims them; any thread. */
uint32_t sc_intercept_conflicts(const struct sc_intercept *ic);

#endif
