/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * path: one direction of the wire between us and the peer: frames by the time they are due, and
 * what happens to them on the way. Owned by the polling thread.
 */
#ifndef PEER_PATH_H
#define PEER_PATH_H

#include <rte_mbuf.h>

#include <sc_base.h>
#include <sc_peer.h>

#define PATH_MAX_FRAMES 32768u
#define PATH_HELD_MAX 8u
#define PATH_HOLD_US 2000u
#define WIRE_RULES_MAX 16u

/* What a frame is to the one-shot rules: the first that fits, from the top. */
enum wire_kind {
	WIRE_RST,    /* either side's */
	WIRE_SYN,    /* the client's */
	WIRE_SYNACK, /* ours */
	WIRE_FIN,    /* either side's, counted together; with or without payload */
	WIRE_DATA,   /* the client's payload */
	WIRE_ANSWER, /* our payload */
	WIRE_ACK,    /* neither payload nor flag but ACK; either side's, counted together */
	WIRE_KINDS
};

struct wire_zero {
	uint64_t bytes;
	uint64_t us;
};

/* One-shot rules, each good once per connection. */
struct wire_rules {
	struct {
		enum wire_kind kind;
		uint32_t nth; /* from 1 */
	} drop[WIRE_RULES_MAX];
	unsigned int nb_drop;
	struct wire_zero zero[WIRE_RULES_MAX]; /* by bytes */
	unsigned int nb_zero;
};

/* "drop:KIND:N,zerowin:BYTES:MS" -> *rules. -EINVAL and a sentence. */
int wire_rules_parse(const char *text, struct wire_rules *rules, struct sc_err *err);

/* Frames seen per connection, for the drop rules; a bounded table, the oldest is forgotten. */
struct wire_track;

struct wire_track *wire_track_create(const struct wire_rules *rules, uint32_t nb_conns);
void wire_track_free(struct wire_track *t);
/* Count a frame of the connection `hash`; is there a rule that drops it? */
bool wire_track_drops(struct wire_track *t, uint64_t hash, enum wire_kind kind, uint32_t seq,
		uint64_t now_us);

struct path_item {
	uint64_t due_us, order;
	struct rte_mbuf *mbuf;
};

struct path {
	const struct sc_impair *im;
	struct rte_mempool *pool; /* of duplicates */
	uint64_t *impaired;       /* counter */
	struct sc_rng rng;
	uint64_t order;
	uint32_t nb;
	struct path_item *heap; /* by due_us, then order */
	struct {
		struct rte_mbuf *mbuf;
		uint64_t until_us;
		uint32_t left; /* frames that still have to overtake it */
	} held[PATH_HELD_MAX];
	uint32_t nb_held;
};

/* 0 or -ENOMEM. */
int path_init(struct path *p, uint64_t seed);
/* Frees the frames, too. */
void path_free(struct path *p);
/* Takes the frame. */
void path_put(struct path *p, struct rte_mbuf *m, uint64_t now_us);
/* The frame that is due next, still in the path; NULL if none is due. */
struct rte_mbuf *path_head(struct path *p, uint64_t now_us);
/* Take the frame that path_head() returned. */
struct rte_mbuf *path_take(struct path *p);

#endif
