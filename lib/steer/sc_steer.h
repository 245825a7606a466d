/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * steer: which worker owns a packet, and which client ports bring the target's responses home.
 *
 * With the 16-bit periodic symmetric RSS key (6d 5a repeated) a Toeplitz hash depends only on
 * fold(tuple), the XOR of all 16-bit words of both addresses and both ports.
 *
 * Threads: struct sc_steer is built at start and read-only after; tuple slots belong to one worker.
 */
#ifndef SC_STEER_H
#define SC_STEER_H

#include <sc_base.h>

#define SC_STEER_WORKERS_MAX 16
#define SC_STEER_RETA_MAX 512
#define SC_STEER_PORT_MIN 1024 /* lower ports are never used for a replay */

/* Folds are in host order of the 16-bit network words: fold of port p is p. */
static inline uint16_t
sc_fold_addr(const struct sc_addr *a)
{
	uint64_t x = sc_addr_is_v4(a) ? a->u32[3] : (a->u64[0] ^ a->u64[1]);

	x ^= x >> 32;
	x ^= x >> 16;
	return (uint16_t)((x << 8 & 0xff00) | (x >> 8 & 0xff)); /* words are big-endian in memory */
}

/* Both addresses are of one family: what marks them as IPv4 falls out. */
static inline uint16_t
sc_fold_tuple(const struct sc_addr *a, const struct sc_addr *b, uint16_t pa, uint16_t pb)
{
	uint64_t x = a->u64[0] ^ a->u64[1] ^ b->u64[0] ^ b->u64[1];

	x ^= x >> 32;
	x ^= x >> 16;
	return rte_be_to_cpu_16((uint16_t)x) ^ pa ^ pb;
}

struct sc_steer {
	uint16_t nb_workers;
	uint32_t nb_virtual; /* v: the smallest RETA in use, at most 512; 65,536 when all ports are sharded in software */
	uint8_t owner[65536];                    /* owner[fold] */
	uint16_t toeplitz[65536];                /* T[fold], the low 16 bits of the hash */
	uint32_t nb_folds[SC_STEER_WORKERS_MAX]; /* |F_w| */
	uint16_t *folds[SC_STEER_WORKERS_MAX];   /* F_w, ascending */
	uint16_t rank[65536];                    /* index of a fold in its owner's F_w */
};

/* Fill `key` with 6d 5a repeated; len is the port's hash_key_size (40 when it says 0). */
void sc_steer_rss_key(uint8_t *key, uint8_t len);

/*
 * Build the box's owner table. nb_virtual: a power of two in 1..512 or 65,536. -EINVAL for other
 * values or workers outside 1..16, -ENOMEM. sc_steer_free() undoes it.
 */
int sc_steer_init(struct sc_steer *s, uint16_t nb_workers, uint32_t nb_virtual, struct sc_err *err);
void sc_steer_free(struct sc_steer *s);

static inline uint8_t
sc_steer_owner(const struct sc_steer *s, uint16_t fold)
{
	return s->owner[fold];
}

/* RETA entry i of a port whose table has `size` entries: the queue (= worker). */
uint16_t sc_steer_reta(const struct sc_steer *s, uint32_t i);

/*
 * Client addresses kept: the n-th candidate port for a session of worker `w` whose flow has client
 * port `port`, replay address `src`, towards target:tport; flow_fold is the captured tuple's fold.
 * n = 0: the client's own port, if w owns the response; n = 1: the port that keeps the fold
 * unchanged; n = 2..9: further members of F_w, stepped from the captured fold. Candidates below
 * 1024 or that repeat an earlier one are skipped. Returns the port, or 0 when n is exhausted.
 * *n is advanced past the candidate returned.
 */
uint16_t sc_steer_kept_port(const struct sc_steer *s, uint8_t w, const struct sc_addr *src,
		const struct sc_addr *target, uint16_t tport, uint16_t port, uint16_t flow_fold,
		unsigned int *n);

/* ---- tuple slots of a pool: one allocator per (worker, target) ---- */

struct sc_tuples;

/* What a freed tuple remembers for its next user (2 s rest; RFC 6191, RFC 9293 3.10.7.4). */
struct sc_tuple {
	uint32_t slot;
	uint32_t last_seq; /* last sequence number its predecessor used; only with has_seq */
	uint16_t addr_idx; /* index into the pool */
	uint16_t port;
	bool has_seq; /* it had a predecessor */
	bool had_ts;  /* the predecessor used timestamps */
};

#define SC_TUPLE_REST_US (2 * SC_US_PER_S)
#define SC_TUPLE_FREE UINT32_MAX

/*
 * The tuples of worker w over `pool` (nb addresses, kept by reference) towards target:tport.
 * Memory: 16 bytes a tuple. NULL with errno ENOMEM or EINVAL.
 */
struct sc_tuples *sc_tuples_create(const struct sc_steer *s, uint8_t w, const struct sc_addr *pool,
		uint32_t nb, const struct sc_addr *target, uint16_t tport);
void sc_tuples_destroy(struct sc_tuples *t);
/* Bytes that the tuples of one of nb_workers workers take. */
uint64_t sc_tuples_size(uint32_t nb_addrs, unsigned int nb_workers);
uint64_t sc_tuples_count(const struct sc_tuples *t); /* all tuples, free and taken */

/*
 * Take the tuple that has rested longest for session `owner` (!= SC_TUPLE_FREE); O(1).
 * 0, or -EAGAIN when none is free or the oldest has not rested 2 s at now_us.
 */
int sc_tuples_take(struct sc_tuples *t, uint32_t owner, uint64_t now_us, struct sc_tuple *out);
/* The slot of a tuple that was taken: it follows from the tuple. */
uint32_t sc_tuples_slot(const struct sc_tuples *t, uint32_t addr_idx, uint16_t port);
void sc_tuples_put(struct sc_tuples *t, uint32_t slot, uint64_t now_us, uint32_t last_seq,
		bool had_ts);
/* What a later sc_tuples_take() can hope for. */
struct sc_tuples_outlook {
	uint32_t ready;  /* tuples that could be taken at now_us, as far as `want` were asked for */
	bool is_resting; /* fewer than `want`, but another one is free and has to rest */
	uint32_t taken;  /* tuples that sessions hold */
};

/* O(want); nothing changes. */
void sc_tuples_look(const struct sc_tuples *t, uint32_t want, uint64_t now_us,
		struct sc_tuples_outlook *out);
/* The session that holds (addr_idx, port), or SC_TUPLE_FREE. */
uint32_t sc_tuples_find(const struct sc_tuples *t, uint32_t addr_idx, uint16_t port);

/*
 * How many tuples a pool of nb addresses gives each worker at least, towards one target:
 * for the check at start of copies x expected flows.
 */
uint64_t sc_steer_pool_capacity(const struct sc_steer *s, uint32_t nb_addrs);

/* ---- an ethdev port, as workers and intercept lcores see it ---- */

enum sc_port_role {
	SC_PORT_MIRROR,
	SC_PORT_TEST
};

struct sc_port {
	char name[64];
	uint16_t id;        /* ethdev port number */
	uint8_t role;       /* enum sc_port_role */
	bool is_ring;       /* one of ours: mbufs carry struct sc_mbuf_meta */
	bool is_file;       /* the source waits: never shed, back-pressure instead of loss */
	bool is_hw_steered; /* RSS key and RETA hold the owner table: queue q is worker q */
	bool has_rss_hash;  /* mbufs bring the Toeplitz hash under the box's key */
	bool has_multi_segs;
	bool has_imissed; /* the driver counts what it lost */
	uint16_t nb_rxq, nb_txq;
	uint16_t rx_desc, tx_desc;
	uint16_t mtu;
	uint32_t reta_size; /* 0: none */
	uint32_t nb_kept;   /* mbufs of its pool that the driver may keep when it is closed */
	uint64_t rx_csum;   /* RTE_ETH_RX_OFFLOAD_*_CKSUM in use */
	uint8_t mac[6];
};

#endif
