/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * session: the tables of one worker: flows, sessions, tombstones, held client bytes, production
 * endpoints, and the indices over them. All memory is taken at creation; taking and giving back is
 * O(1) and never allocates.
 *
 * Threads: everything here belongs to the worker that created it.
 * Times: u32 microseconds of the box's clock (low 32 bits); compare with sc_us_* only.
 */
#ifndef SC_SESSION_H
#define SC_SESSION_H

#include <stddef.h>

#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include <sc_base.h>
#include <sc_packet.h>
#include <sc_stats.h>
#include <sc_timer.h>

#define SC_NONE UINT32_MAX

/*
 * The index: a hash table from a key the caller holds to a 32-bit value (an index into its states).
 *
 * 64-byte buckets of 8 signatures and 8 values; a full bucket overflows into the next one. The
 * top bits of a bucket's signatures count the entries that passed over it, so a search knows when
 * to stop and a removal leaves nothing behind. The bucket is the scaled hash: no rounding to a
 * power of two, 11.5 bytes an entry when `capacity` entries are in.
 *
 * Thread: the owning worker. Hashes: CRC32 of the whole tuple, or anything that spreads as well.
 */

#define SC_INDEX_NONE UINT32_MAX
#define SC_INDEX_WAYS 8
#define SC_INDEX_BULK_MAX 32
#define SC_INDEX_REACH 32 /* an entry is in one of this many buckets from its home on */

struct sc_index_bucket {
	uint32_t sig[SC_INDEX_WAYS]; /* 31 bits of the hash, 0: empty; bit 31: see above */
	uint32_t value[SC_INDEX_WAYS];
} __attribute__((aligned(64)));

struct sc_index {
	struct sc_index_bucket *buckets;
	uint32_t nb_buckets;
	uint32_t nb_used; /* entries in the table */
};

/* Does `value` belong to `key`? */
typedef bool (*sc_index_eq_fn)(const void *arg, uint32_t value, const void *key);
/* Prefetch what eq will read of `value`. */
typedef void (*sc_index_prefetch_fn)(const void *arg, uint32_t value);

/*
 * Make an index that is about 70 % full with `capacity` entries. All memory is touched here, in
 * huge pages where the kernel has them, near NUMA node `socket` (-1: anywhere; a preference).
 * -EINVAL for capacity 0, -ENOMEM.
 */
int sc_index_init(struct sc_index *ix, uint32_t capacity, int socket);
uint64_t sc_index_size(uint32_t capacity); /* bytes that it takes */
void sc_index_free(struct sc_index *ix);   /* also fine after a failed init, and twice */

/*
 * Keys are not compared: inserting one twice gives two entries. 0, -EINVAL for SC_INDEX_NONE, -ENOSPC when the buckets within reach are full: once in
 * 10^13 buckets while 60 % full, never seen in 6 M insertions at 75 %, twice at 78 %.
 */
int sc_index_insert(struct sc_index *ix, uint32_t hash, uint32_t value);
/* 0 or -ENOENT. */
int sc_index_remove(struct sc_index *ix, uint32_t hash, uint32_t value);
/* Another value for the same key. 0 or -ENOENT. */
int sc_index_replace(struct sc_index *ix, uint32_t hash, uint32_t value, uint32_t by);

/* The value of `key`, or SC_INDEX_NONE. */
uint32_t sc_index_find(const struct sc_index *ix, uint32_t hash, const void *key, sc_index_eq_fn eq,
		const void *arg);

struct sc_index_bulk {
	unsigned int nb; /* at most SC_INDEX_BULK_MAX */
	const void *keys;
	size_t key_stride; /* bytes from one to the next */
	const uint32_t *hashes;
	size_t hash_stride;
	bool is_expected; /* sc_index_prefetch() was called for each a while ago */
	uint32_t *values; /* out: as sc_index_find() */
};

/*
 * Find nb keys: prefetches the buckets, then what `prefetch` names (NULL: nothing), then compares.
 */
void sc_index_find_bulk(const struct sc_index *ix, const struct sc_index_bulk *bulk,
		sc_index_eq_fn eq, sc_index_prefetch_fn prefetch, const void *arg);

/*
 * The bucket where a search for `hash` begins. A CRC is linear, and so is the choice of a worker
 * (T[fold]): the keys that one worker sees can share CRC bits, and would crowd in some buckets.
 * The product is not linear (2^32 over the golden ratio; odd, so no hash is lost).
 */
static inline uint32_t
sc_index_home(const struct sc_index *ix, uint32_t hash)
{
	return (uint32_t)((uint64_t)(hash * 0x9e3779b1u) * ix->nb_buckets >> 32);
}

static inline void
sc_index_prefetch(const struct sc_index *ix, uint32_t hash)
{
	rte_prefetch0(&ix->buckets[sc_index_home(ix, hash)]);
}

/* ---- short times ---- */

static inline bool
sc_us_is_due(uint32_t due, uint32_t now)
{
	return (int32_t)(now - due) >= 0;
}

static inline uint32_t
sc_us_later(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) >= 0 ? a : b;
}

/* Microseconds in 16 bits: exact below 2 ms, then to a thousandth and below. */
static inline uint16_t
sc_us16(uint32_t us)
{
	unsigned int shift = us < 2048 ? 0 : 21 - (unsigned int)__builtin_clz(us);

	return (uint16_t)(shift << 11 | us >> shift);
}

static inline uint32_t
sc_us16_us(uint16_t v)
{
	return (uint32_t)(v & 2047) << (v >> 11);
}

/* ---- held client bytes: they belong to the flow, once; each session has a cursor into them ---- */

enum sc_held_kind {
	SC_HELD_DATA,
	SC_HELD_FIN, /* takes one sequence number */
	SC_HELD_RST, /* takes none */
};

#define SC_HELD_TURN 0x01   /* opens a turn: its ACK number is above that of the segment before */
#define SC_HELD_DUPLEX 0x02 /* production was sending beyond its ACK when it left */
#define SC_HELD_BOUNDARY \
	0x04               /* proven: all of production's bytes acknowledged, nothing in flight */
#define SC_HELD_SYNTH 0x08 /* ours: the capture ended before the client closed */
#define SC_HELD_REF 0x10   /* payload stands in its frame; otherwise in chunks */
#define SC_HELD_PSH 0x20
#define SC_HELD_URG 0x40
#define SC_HELD_TORN 0x80 /* with gap: the bytes before the hole are a message without its end */

struct sc_held {
	uint32_t next;
	uint32_t seq;     /* captured */
	uint32_t len;     /* payload bytes */
	uint32_t ack;     /* captured ACK number, production's FIN taken off */
	uint32_t gap_ack; /* with gap: the client's ACK number before the hole */
	uint32_t gap;     /* bytes missing right before it (a declared hole) */
	uint32_t cap_us;
	uint32_t think_us; /* since production's last byte; 0 unknown */
	uint32_t pause_us; /* longest pause inside the answer before it (gp) */
	uint32_t first_us; /* time to first byte of that answer (L); 0 unknown */
	uint16_t refs;     /* sessions that still need it */
	uint16_t sum;      /* of the payload, as if at an even offset */
	uint16_t urg;
	uint8_t kind, flags;
	uint32_t off;  /* REF: offset of the payload in the frame; chunks: first chunk */
	uint32_t tail; /* of a flow's first held segment: the last one */
	struct rte_mbuf *mbuf;
};

#define SC_CHUNK_SIZE 256

/* ---- flows ---- */

enum sc_flow_state {
	SC_FLOW_FREE,
	SC_FLOW_EMBRYONIC, /* SYN seen, nothing after it */
	SC_FLOW_JOINING,   /* mid-stream, no proven boundary yet */
	SC_FLOW_WAITING,   /* would open, but the target's return path is not proven yet */
	SC_FLOW_LIVE,      /* admitted: has sessions */
};

#define SC_FLOW_MIDSTREAM 0x01
#define SC_FLOW_PROD_SEEN 0x02 /* production frames were seen: prod_* are valid */
#define SC_FLOW_PROD_FIN 0x04  /* production's FIN was seen: at prod_nxt */
#define SC_FLOW_FIN 0x08       /* the client's FIN is in the stream */
#define SC_FLOW_RST 0x10       /* the client's RST is in the stream */
#define SC_FLOW_DETACHED 0x20  /* its tuple has a newer flow: not in the index any more */
#define SC_FLOW_ENDED 0x40     /* nothing more is taken from the mirror (FIN, gap, stop) */
#define SC_FLOW_BASE 0x80      /* prod_base is valid */

/*
 * A flow: its key, then what each frame of it reads. Numbers are captured sequence numbers where
 * nothing else is said, times the low 32 bits of the capture's microseconds.
 */
struct sc_flow {
	struct sc_addr client;
	uint16_t cport;
	uint16_t prod; /* index into the production dictionary */
	uint32_t isn;
	uint32_t nxt;       /* the next one expected in order */
	uint32_t held_head; /* held segments in order; of a free flow: the next free one */
	uint32_t cack;      /* highest ACK number of the client */
	uint32_t turn_ack;  /* ACK number of the newest turn's first segment */
	uint32_t prod_base; /* production's first byte: ACK numbers are counted from here */
	uint32_t prod_nxt;  /* end of production's newest byte seen, or its FIN's number */
	uint32_t prod_ack;  /* ACK number on the segment that carried it */
	uint32_t prod_cack; /* highest ACK number production sent */
	uint32_t prod_us; /* has_data: of that newest byte; before: of SYN or, once seen, SYN-ACK */
	uint32_t client_us;  /* of the client's newest data; 0: none */
	uint32_t hole : 24;  /* its entry among those with a hole, or SC_HOLE_NONE */
	uint32_t reason : 8; /* enum sc_reason: how it must end; SC_R_NONE: as its sessions do */
	uint16_t pause;      /* sc_us16: longest pause in production's answer of this turn */
	uint16_t first;      /* sc_us16: its time to first byte; 0: none came */
	uint16_t rtt;        /* sc_us16: the client's; 0 unknown */
	uint16_t mss;
	uint8_t wscale : 4, opts : 4; /* of the SYN: SC_OPT_* */
	uint8_t state : 6;
	uint8_t is_mid : 1;   /* production has not answered after exactly the bytes before nxt */
	uint8_t has_data : 1; /* production has sent a byte */
	uint8_t flags;
	uint8_t outcome; /* that of session 0; of another copy while 0 is alive */
} __attribute__((aligned(16)));
_Static_assert(sizeof(struct sc_flow) == 80, "a flow lies in two cache lines wherever it begins");

#define SC_HOLE_NONE 0xffffffu

/* What a flow has besides while client bytes are missing in it. */
struct sc_hole {
	uint32_t flow;
	uint32_t head;  /* held segments beyond the hole, in order; SC_NONE: closed again */
	uint32_t bytes; /* of those */
	uint32_t nb;    /* their number */
	uint32_t ack;   /* the client's ACK number when the hole was noticed */
	uint32_t us;    /* when it was noticed, by the clock that frames are late by */
};

/* ---- sessions ---- */

/* States of a session's connection to the target. */
enum sc_conn_state {
	SC_CONN_FREE,
	SC_CONN_SYN_SENT,
	SC_CONN_OPEN,      /* ESTABLISHED, or CLOSE-WAIT when the target's FIN came */
	SC_CONN_FIN_SENT,  /* FIN-WAIT-1, CLOSING or LAST-ACK */
	SC_CONN_FIN_ACKED, /* FIN-WAIT-2: the target has not closed yet */
	SC_CONN_BETWEEN,   /* closed by the target; opens again at the next turn */
	SC_CONN_COUNT
};

#define SC_SESS_POOL 0x0001 /* tuple from a pool: addr_idx is valid */
#define SC_SESS_TS 0x0002   /* timestamps on this connection */
#define SC_SESS_TARGET_FIN 0x0004
#define SC_SESS_PROBER 0x0008   /* its SYN proves the return path */
#define SC_SESS_RECOVERY 0x0010 /* NewReno fast recovery (RFC 6582); LOST is set, too */
#define SC_SESS_TIMED 0x0020    /* mark, rtt_us are of a segment that is timed; LOST is not set */
#define SC_SESS_ANSWERED 0x0040 /* the target sent a byte in this turn */
#define SC_SESS_AT_ZERO 0x0080  /* zero is valid */
#define SC_SESS_LOST \
	0x0100             /* mark is where a loss was noticed: not all before it is acknowledged */
#define SC_SESS_RTO 0x0200 /* rto_us is armed: retransmission */
#define SC_SESS_ACK 0x0400 /* ack_us is armed */
#define SC_SESS_GATE 0x0800    /* gate_us is armed */
#define SC_SESS_PERSIST 0x1000 /* rto_us is armed: window probe, or end of FIN-WAIT-2 */
#define SC_SESS_BEGUN 0x2000   /* the target acknowledged a byte of this connection */
#define SC_SESS_TURN 0x4000    /* a turn is open: counted in turns_seen */
#define SC_SESS_HEARD 0x8000   /* the target sent a byte since the newest turn was released */

#define SC_ZERO_SHIFT 8       /* zero: units of 256 us, modulo 16 s */
#define SC_CHALLENGE_SHIFT 10 /* challenge: units of 1 ms, modulo 67 s */

/*
 * A session. The first line has what each segment reads, the second mostly what it writes. Numbers
 * are sequence numbers on the wire where nothing else is said.
 */
struct sc_session {
	uint16_t addr_idx, port; /* the replay tuple: address of the pool (SC_SESS_POOL), port */
	uint16_t target;
	uint16_t flags;
	uint8_t state;
	uint8_t unacked_segs; /* received, full-sized or not, since our last ACK */
	uint8_t loss;         /* enum sc_reason: why not all client bytes were delivered */
	uint8_t snd_wscale : 4, rcv_wscale : 4;
	uint8_t retries : 4;  /* of a SYN, a segment or a probe */
	uint8_t stale : 4;    /* bare ACKs that answered a SYN */
	uint8_t dup_acks : 2; /* in a row; 3 and more */
	uint8_t reopens : 2;
	uint8_t strikes : 3;  /* turns without an answer, or in SYN-SENT: SYNs refused */
	uint8_t was_open : 1; /* a connection of it was established */
	uint16_t mss;         /* of the target; in SYN-SENT: ours */
	uint32_t offset;      /* sequence number on the wire = captured + offset */
	uint32_t una;         /* unacknowledged; in SYN-SENT: our ISN */
	uint32_t nxt, max;    /* next to send, highest sent */
	union {
		uint32_t cur_una;   /* held segment that una stands in; SC_NONE: at the end */
		uint32_t wait_next; /* session 0 of a flow in SC_FLOW_WAITING: the next of them */
	};
	uint32_t cur_nxt;      /* the same for nxt */
	uint32_t rcv_nxt, irs; /* of the target */
	uint32_t acked;        /* last RCV.NXT that we sent */
	uint32_t wnd;          /* the target's, in bytes */
	uint32_t cwnd;         /* bytes */
	uint32_t ts_recent;    /* the target's newest TSval, its unit */

	uint32_t base;      /* captured: A of the newest released turn */
	uint32_t delta;     /* running difference target - production, bytes */
	uint32_t ssthresh;  /* bytes */
	uint32_t srtt_us;   /* 0: no sample yet */
	uint32_t rttvar_us; /* RFC 6298 section 2 */
	uint32_t mark;      /* SC_SESS_TIMED: what is timed; SC_SESS_LOST: `recover` of RFC 6582 */
	uint32_t rtt_us;    /* when what is timed was sent */
	uint32_t rto_us;    /* deadline of SC_SESS_RTO or SC_SESS_PERSIST: never both */
	uint32_t ack_us, gate_us; /* deadlines */
	uint32_t quiet_us;    /* latest of: last response, our last ACK, all of ours acknowledged */
	uint32_t resp_us;     /* last answer byte */
	uint32_t sent_us;     /* when new data, or the SYN, was sent last */
	uint32_t last_cap_us; /* capture time of that data */
	uint16_t max_wnd;     /* largest window, in units of the target's scale */
	uint16_t pause_ms;    /* longest pause inside the target's answer of this turn */
	uint16_t zero;        /* when d first reached 0 or more in this turn: SC_ZERO_SHIFT */
	uint16_t challenge;   /* last out-of-window ACK: SC_CHALLENGE_SHIFT; 0: none */
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct sc_session) == 128, "a session is two cache lines");
_Static_assert(offsetof(struct sc_session, base) == 64, "the second line begins here");

/* ---- tombstones: what is remembered of refused and ended flows ---- */

struct sc_tomb {
	struct sc_addr client;
	uint16_t cport, prod; /* the first 20 bytes are the key, as in sc_flow */
	uint32_t isn;
	uint32_t seen_s;
	uint8_t reason; /* enum sc_reason */
	bool was_admitted;
	bool in_use;
};

/* ---- production endpoints ---- */

struct sc_prod {
	struct sc_addr addr;
	uint16_t port;
	uint16_t target; /* index into the target table */
};

#define SC_PRODS_MAX 65534

#define SC_KEY_SIZE 20 /* of flows and sessions in their indices */
#define SC_KEY_SEED 0x5ca1ab1e

/* The key of a flow in the index. */
struct sc_flow_key {
	struct sc_addr client;
	uint16_t cport, prod;
};

static inline uint32_t
sc_flow_hash(const struct sc_flow_key *k)
{
	return sc_hash(k, SC_KEY_SIZE, SC_KEY_SEED);
}

/* A key and its hash. */
struct sc_flow_ref {
	struct sc_flow_key key;
	uint32_t hash;
};

/* ---- the tables ---- */

/* An index value with this bit is a tombstone. */
#define SC_TOMB_BIT 0x80000000u

struct sc_tables_cfg {
	uint32_t max_flows;
	uint32_t copies; /* sessions a flow */
	uint32_t max_tombs;
	uint32_t max_held;   /* held segments */
	uint32_t max_holes;  /* flows that may have a hole at a time */
	uint32_t max_chunks; /* of 256 bytes */
	uint32_t max_refs;   /* mbufs that may be held by reference */
	bool by_address;     /* sessions keep client addresses: index them by tuple */
	int socket;          /* NUMA node of the worker; -1: any */
	uint64_t now_us;
};

struct sc_freelist {
	uint32_t *item;
	uint32_t nb; /* free ones */
	uint32_t total;
};

/* Free flows are linked by their held_head: none has a place of its own in a list. */
struct sc_flow_pool {
	uint32_t first; /* the one that was given back last */
	uint32_t nb;
	uint32_t total;
};

struct sc_tables {
	struct sc_flow *flow;
	struct sc_session *session;
	struct sc_tomb *tomb;
	struct sc_held *held;
	struct sc_hole *hole; /* the first nb_holes */
	uint8_t (*chunk)[SC_CHUNK_SIZE];
	uint32_t *chunk_next;
	uint32_t copies, nb_sessions; /* of a flow; in all */
	uint32_t nb_holes, max_holes;
	struct sc_flow_pool free_flow;
	struct sc_freelist free_held, free_chunk;
	uint32_t tomb_next;         /* the next one to be used, oldest first */
	uint32_t nb_tombs;          /* size of tomb[] */
	uint32_t max_refs, nb_refs; /* mbufs held by reference: limit, now */
	struct sc_index by_key;     /* captured tuple -> flow or tombstone */
	uint64_t changed;           /* see sc_flow_has_changed() */
	struct sc_index by_tuple;   /* replay tuple -> session; only with by_address */
	struct sc_prod *prod;
	uint32_t nb_prods;
	struct sc_index by_endpoint;
	struct sc_wheel_node *node; /* one a session */
	struct sc_wheel wheel;
	struct sc_sweep sweep; /* last_seen of flows */
};

/* 0, or -ENOMEM with a sentence saying how much was wanted. sc_tables_fini() undoes it. */
int sc_tables_init(struct sc_tables *t, const struct sc_tables_cfg *cfg, struct sc_err *err);
void sc_tables_fini(struct sc_tables *t);
/* Bytes that the tables of this configuration take. */
uint64_t sc_tables_size(const struct sc_tables_cfg *cfg);

/* Index of a zeroed entry, or SC_NONE when the pool is empty. */
uint32_t sc_flow_take(struct sc_tables *t);
void sc_flow_give(struct sc_tables *t, uint32_t i);

/*
 * The sessions of a flow stand side by side: copy 0 to copies - 1. Taking one zeroes it; giving it
 * back takes it out of the wheel.
 */
static inline uint32_t
sc_session_of(const struct sc_tables *t, uint32_t flow, uint32_t copy)
{
	return flow * t->copies + copy;
}

static inline uint32_t
sc_session_flow(const struct sc_tables *t, uint32_t session)
{
	return t->copies == 1 ? session : session / t->copies;
}

uint32_t sc_session_take(struct sc_tables *t, uint32_t flow, uint32_t copy);
void sc_session_give(struct sc_tables *t, uint32_t i);
/* The first of [i, end) that is alive, or SC_NONE. */
static inline uint32_t
sc_session_alive(const struct sc_tables *t, uint32_t i, uint32_t end)
{
	for (; i < end; i++)
		if (t->session[i].state != SC_CONN_FREE)
			return i;
	return SC_NONE;
}

/* How many sessions of a flow are. */
static inline uint16_t
sc_session_nb_alive(const struct sc_tables *t, uint32_t flow)
{
	uint16_t nb = 0;

	for (uint32_t i = flow * t->copies; i < (flow + 1) * t->copies; i++)
		nb += t->session[i].state != SC_CONN_FREE;
	return nb;
}

/* The flow's sessions that are alive, one after the other; SC_NONE at the end. */
static inline uint32_t
sc_session_first(const struct sc_tables *t, uint32_t flow)
{
	return sc_session_alive(t, flow * t->copies, (flow + 1) * t->copies);
}

static inline uint32_t
sc_session_next(const struct sc_tables *t, uint32_t session)
{
	if (t->copies == 1)
		return SC_NONE;
	return sc_session_alive(t, session + 1, (session / t->copies + 1) * t->copies);
}

/* What will be read and written of a session, or of a flow: all lines. */
static inline void
sc_session_prefetch(const struct sc_tables *t, uint32_t session)
{
	const uint8_t *p = (const uint8_t *)&t->session[session];

	for (size_t off = 0; off < sizeof(struct sc_session); off += 64)
		rte_prefetch0(p + off);
	rte_prefetch0(&t->node[session]);
}

static inline void
sc_flow_prefetch(const struct sc_tables *t, uint32_t flow)
{
	const uint8_t *p = (const uint8_t *)&t->flow[flow];

	for (size_t off = 0; off < sizeof(struct sc_flow); off += 64)
		rte_prefetch0(p + off);
	rte_prefetch0(&t->sweep.last_seen[flow]);
}

/*
 * Give the flow an entry for a hole, or take it from it: then another flow's entry moves to its place.
 * False: all are in use.
 */
bool sc_hole_take(struct sc_tables *t, uint32_t flow);
void sc_hole_give(struct sc_tables *t, uint32_t flow);

/* Flow index, tombstone index | SC_TOMB_BIT, or SC_NONE. */
uint32_t sc_flow_find(const struct sc_tables *t, const struct sc_flow_ref *ref);
/*
 * May what sc_flow_find() returned not be its answer any more? True of some keys whose entry has not
 * changed, too. All that changes adds to t->changed; the caller sets it to 0 before it looks.
 */
static inline bool
sc_flow_has_changed(const struct sc_tables *t, const struct sc_flow_ref *ref)
{
	return t->changed >> (ref->hash >> 26) & 1;
}

/* It will be looked for soon. */
static inline void
sc_flow_expect(const struct sc_tables *t, const struct sc_flow_ref *ref)
{
	sc_index_prefetch(&t->by_key, ref->hash);
}

/*
 * The same for up to 32 that are expected, `stride` bytes from one to the next; flows are on their way
 * to the cache.
 */
void sc_flow_find_bulk(const struct sc_tables *t, const struct sc_flow_ref *ref, size_t stride,
		uint32_t n, uint32_t *out);
/* May a flow or tombstone with this sc_flow_hash() be there? False: none is. */
bool sc_flow_may_be(const struct sc_tables *t, uint32_t hash);
/* 0 or -ENOSPC. */
int sc_flow_index(struct sc_tables *t, uint32_t flow);
void sc_flow_unindex(struct sc_tables *t, uint32_t flow);
/* The flow will be buried, or taken out of the index, soon. */
void sc_flow_expect_end(const struct sc_tables *t, uint32_t flow);

/*
 * Remember a flow that is refused or over; takes the oldest tombstone's place when all are used.
 * *evicted is what stood there, in_use if it was still to be found.
 */
void sc_tomb_add(struct sc_tables *t, const struct sc_tomb *tomb, struct sc_tomb *evicted);
/* The same, in the place of a flow that is in the index: it no longer is. */
void sc_flow_bury(struct sc_tables *t, uint32_t flow, const struct sc_tomb *tomb,
		struct sc_tomb *evicted);
void sc_tomb_remove(struct sc_tables *t, uint32_t tomb);

/* Index of the production endpoint, or SC_NONE. */
uint32_t sc_prod_find(const struct sc_tables *t, const struct sc_addr *addr, uint16_t port);
/* Add one; SC_NONE when the dictionary is full. */
uint32_t sc_prod_add(
		struct sc_tables *t, const struct sc_addr *addr, uint16_t port, uint16_t target);

/* The replay tuple of a session with a kept address. */
struct sc_tuple_key {
	struct sc_addr addr;
	uint16_t port, target;
};

static inline uint32_t
sc_tuple_hash(const struct sc_tuple_key *k)
{
	return sc_hash(k, SC_KEY_SIZE, SC_KEY_SEED);
}

/* Session index or SC_NONE. hash, here and below: sc_tuple_hash() of the session's tuple. */
uint32_t sc_session_find(const struct sc_tables *t, const struct sc_tuple_key *k, uint32_t hash);
/*
 * The same for up to 32 keys, `stride` bytes from one to the next; sessions and their flows are on
 * their way to the cache.
 */
void sc_session_find_bulk(const struct sc_tables *t, const struct sc_tuple_key *k, size_t stride,
		uint32_t n, uint32_t *out);
int sc_session_index(struct sc_tables *t, uint32_t session, uint32_t hash); /* 0 or -ENOSPC */
void sc_session_unindex(struct sc_tables *t, uint32_t session, uint32_t hash);

/* ---- held bytes ---- */

/*
 * Keep len payload bytes of seg from payload offset off. Up to copy_below bytes, or when the budget
 * for references is used up, they are copied into chunks; *took_mbuf tells whether seg->mbuf now
 * belongs to the held segment. SC_NONE when a pool is empty (nothing changed).
 */
uint32_t sc_held_take(struct sc_tables *t, const struct sc_seg *seg, uint32_t off, uint32_t len,
		uint32_t copy_below, bool *took_mbuf);
/*
 * The same for the whole payload of a segment without SYN, at most SC_CHUNK_SIZE bytes that stand in
 * one piece, for one session: seq, refs and next are set, too.
 */
uint32_t sc_held_take_chunk(struct sc_tables *t, const struct sc_seg *seg);
/* One without payload (FIN, RST). */
uint32_t sc_held_take_empty(struct sc_tables *t);
void sc_held_give(struct sc_tables *t, uint32_t i);
/* Copy len bytes from offset off of its payload. */
void sc_held_copy(const struct sc_tables *t, const struct sc_held *h, uint32_t off, uint32_t len,
		void *dst);
/* Folded sum of a part of its payload. */
uint16_t sc_held_sum(
		const struct sc_tables *t, const struct sc_held *h, uint32_t off, uint32_t len);
/* Parts per thousand of the scarcest held pool in use: 0..1000. */
uint32_t sc_held_fill(const struct sc_tables *t);

#endif
