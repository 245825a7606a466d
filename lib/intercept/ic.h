/* SPDX-License-Identifier: BSD-3-Clause */
/* ic: what the files of this room share. Everything belongs to the intercept's lcore. */
#ifndef IC_H
#define IC_H

#include "sc_intercept.h"

#define IC_AREA "neighbour"
#define IC_STAGE_MAX 256 /* records staged for one worker */
#define IC_OUT_MAX 256   /* neighbour frames that wait for sc_intercept_tx() */

/* ---- records on their way (rings.c) ---- */

struct ic_stage {
	uint16_t nb;
	uint16_t nb_counted; /* of those, counted as records (inline shape) */
	struct sc_record rec[IC_STAGE_MAX];
};

/* Make room in the full stage of a worker. NULL: it cannot be flushed. */
struct ic_stage *ic_stage_drain(struct sc_intercept *ic, uint16_t worker);
/* Put what is staged on the rings, and count it. */
void ic_stage_flush(struct sc_intercept *ic);

/* ---- frames ---- */

/* The link layer of a frame that is not TCP. */
struct ic_l2 {
	uint8_t dst[6], src[6];
	uint16_t type;
	uint16_t vid; /* 0: untagged */
	uint16_t off; /* where the payload begins */
};

enum ic_kind {
	IC_KIND_ARP,
	IC_KIND_ND,
	IC_KIND_ECHO4,
	IC_KIND_ECHO6
};

#define IC_VIEW_MAX 256

/* A frame of neighbour work: its first bytes behind the link layer in one piece. */
struct ic_view {
	struct rte_mbuf *m;
	enum ic_kind kind;
	struct ic_l2 l2;
	const uint8_t *p;
	uint16_t len;    /* bytes at p */
	uint16_t ip_hdr; /* length of the IP header */
	uint16_t ip_len; /* by the IP header: all of the packet */
	uint8_t buf[IC_VIEW_MAX];
};

/* What kind of frame is it? SC_R_NONE and *v, or the reason it is refused for (`why` if it is of no
 * kind of ours). */
enum sc_reason ic_view_make(struct ic_view *v, struct rte_mbuf *m, enum sc_reason why);
/* Do what a frame of neighbour work asks for. */
void ic_view_handle(struct sc_intercept *ic, const struct ic_view *v, uint64_t now_us);

/*
 * A new frame with its link layer written and `len` zeroed bytes behind it; returns these. NULL
 * when the queue of frames is full or no mbuf is free. ic_frame_send() queues it.
 */
uint8_t *ic_frame_new(struct sc_intercept *ic, const uint8_t dst[6], uint16_t type, uint16_t len,
		struct rte_mbuf **m);
void ic_frame_send(struct sc_intercept *ic, struct rte_mbuf *m);
/* Frames that the queue still takes. */
uint16_t ic_frame_room(const struct sc_intercept *ic);

static inline uint16_t
ic_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline void
ic_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* ---- neighbours ---- */

/* An ARP or ND message, without its bytes. */
struct ic_msg {
	bool is_ask;           /* request or solicitation; else reply or advertisement */
	bool to_us;            /* an answer to our own request, not just overheard */
	bool mac_is_guess;     /* advertisement without link-layer option: mac is the frame's */
	struct sc_addr sender; /* unspecified: a probe (RFC 5227) or DAD (RFC 4862) */
	struct sc_addr target; /* the address asked for or told of */
	uint8_t mac[6];        /* link-layer address of the sender */
};

/* The decisions on a message: conflicts, next hops, answers (input.c). */
void ic_message(struct sc_intercept *ic, const struct ic_msg *msg, uint64_t now_us);

void ic_arp_input(struct sc_intercept *ic, const struct ic_view *v, uint64_t now_us);
/* sender NULL: a probe of RFC 5227; mac NULL: to all stations. False: no frame to be had. */
bool ic_arp_ask(struct sc_intercept *ic, const struct sc_addr *sender, const struct sc_addr *target,
		const uint8_t *mac);
void ic_arp_answer(struct sc_intercept *ic, const struct ic_msg *msg);

void ic_nd_input(struct sc_intercept *ic, const struct ic_view *v, uint64_t now_us);
bool ic_nd_ask(struct sc_intercept *ic, const struct sc_addr *sender, const struct sc_addr *target,
		const uint8_t *mac);
void ic_nd_answer(struct sc_intercept *ic, const struct ic_msg *msg);
/* Folded sum of an ICMPv6 message with its pseudo-header; len bytes behind the IPv6 header at ip. */
uint16_t ic_icmp6_sum(const uint8_t *ip, uint16_t len);

void ic_echo_input(struct sc_intercept *ic, const struct ic_view *v);

/* ARP or ND, by the target's family. */
bool ic_ask(struct sc_intercept *ic, const struct sc_addr *sender, const struct sc_addr *target,
		const uint8_t *mac);

/* ---- next hops (neighbour.c) ---- */

enum ic_phase {
	IC_RESOLVE,   /* asking all stations */
	IC_KNOWN,     /* until the next verification */
	IC_VERIFY,    /* asking the known MAC */
	IC_CHALLENGE, /* another MAC claims the address: asking the old one */
	IC_CONFIRM,   /* the old one is silent: asking the new one */
};

struct ic_hop {
	uint8_t phase; /* enum ic_phase */
	uint8_t tries; /* unanswered in this phase */
	bool has_mac;
	uint8_t mac[6], candidate[6];
	uint64_t due_us;
	uint64_t challenged_us;
};

void ic_hops_tick(struct sc_intercept *ic, uint64_t now_us);
/* The station that claims to be addr; does nothing if that is no next hop. */
void ic_hop_seen(struct sc_intercept *ic, const struct ic_msg *msg, uint64_t now_us);

/* ---- on-link addresses (probe.c) ---- */

enum ic_own_state {
	IC_OWN_PROBING,
	IC_OWN_OURS,
	IC_OWN_WITHDRAWN
};

struct ic_pool {
	const struct sc_pool *pool; /* NULL: none */
	uint32_t *slot;             /* hash of address -> index + 1 */
	uint32_t mask;
	uint8_t *state; /* enum ic_own_state by index */
	uint32_t cursor;
	uint8_t round;
	uint64_t due_us;
	_Atomic uint32_t nb_withdrawn;
	_Atomic bool is_done;
};

/* 0 or -ENOMEM; also -EINVAL with a sentence for an address that is somebody's already. */
int ic_pool_init(struct sc_intercept *ic, struct sc_err *err);
void ic_pool_free(struct ic_pool *p);
void ic_pool_tick(struct sc_intercept *ic, uint64_t now_us);
/* May we answer for it? */
bool ic_pool_is_ours(const struct ic_pool *p, const struct sc_addr *a);
/* Another station uses the address, or (is_probe) is about to. */
void ic_pool_claimed(
		struct ic_pool *p, const struct sc_addr *a, const uint8_t mac[6], bool is_probe);

/* ---- the target table ---- */

void ic_nexthop_set(struct sc_nexthop *nh, enum sc_neigh_state state, const uint8_t mac[6]);
bool ic_is_box(const struct sc_targets *ts, const struct sc_addr *a);
bool ic_is_on_link(const struct sc_targets *ts, const struct sc_addr *a);
/* The box address that speaks to peer: of its network, or else of its family; NULL: none. */
const struct sc_addr *ic_box_for(const struct sc_targets *ts, const struct sc_addr *peer);
/* A target or next hop, by address; a link-local asker by its MAC. */
bool ic_is_asker(const struct sc_targets *ts, const struct sc_addr *a, const uint8_t mac[6]);

static inline uint32_t
ic_hash(const struct sc_addr *a, uint16_t port)
{
	uint64_t x = a->u64[0] ^ (a->u64[1] + port);

	x = (x ^ x >> 32) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(x >> 32);
}

struct sc_intercept {
	struct sc_intercept_cfg cfg;
	struct ic_stage *stage[SC_STEER_WORKERS_MAX];
	int last_target; /* most responses come in runs from one target */

	struct rte_mbuf *out[IC_OUT_MAX]; /* a ring */
	uint16_t out_head, nb_out;
	struct ic_hop hop[SC_NEXTHOPS_MAX];
	uint64_t hops_due_us;
	struct ic_pool pool;
	bool box_conflict[SC_BOX_ADDRS_MAX]; /* said once */
};

/* The stage of a worker, with room for a record, or NULL. */
static inline struct ic_stage *
ic_stage_for(struct sc_intercept *ic, uint16_t worker)
{
	struct ic_stage *s = ic->stage[worker];

	return s->nb < IC_STAGE_MAX ? s : ic_stage_drain(ic, worker);
}

#endif
