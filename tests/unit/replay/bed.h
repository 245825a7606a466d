/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bed: one engine in virtual time between a made-up mirror and a made-up target.
 *
 *	struct bed *b = bed_new(*state, NULL);
 *	struct conv *c = bed_conv(b);
 *	conv_open(c);                    handshake on both sides
 *	conv_say(c, 100);                the client sends 100 bytes on the mirror
 *	conv_expect(c, SC_TCP_ACK, 100); and we send them to the target
 *	bed_end(b);
 *
 * Targets: IPv4 10.9.0.2:8080 and IPv6 fd09::2:8080, for production port 80 of their own family;
 * production port 81 of either family goes to the IPv4 target. After every step the ledger and the
 * walk of the tables must agree, and at the end every mbuf must be back.
 */
#ifndef BED_H
#define BED_H

#include <frame.h>

#include <sc_replay.h>

#include "sc_test.h"

#define BED_SENT_MAX 2048
#define BED_PAYLOAD_MAX 2048
#define BED_CONVS_MAX 64
#define BED_MS 1000ull
#define BED_S 1000000ull

/* A frame that the engine sent, as the target would see it. */
struct sent {
	struct sc_seg seg; /* mbuf is not valid any more */
	uint64_t at_us;
	uint8_t payload[BED_PAYLOAD_MAX];
};

struct bed;

/* One captured connection and what its replay's target would know. */
struct conv {
	struct bed *b;
	bool v6;
	char client[SC_ADDR_STRLEN], server[SC_ADDR_STRLEN];
	uint16_t cport, sport;
	uint32_t cnxt, pnxt;  /* captured: next sequence numbers of client and production */
	uint32_t cisn;        /* the client's initial sequence number */
	uint8_t opts;         /* SC_OPT_* that client, production and target use */
	uint16_t mss;         /* of the client's SYN */
	uint16_t ip_id;       /* of the next frame on the mirror */
	uint16_t urg;         /* of the next client segment with URG */
	uint32_t tsval;       /* of the client */
	uint8_t fill;         /* added to the pattern of the next payload */
	struct sc_addr raddr; /* replay client, as seen on the target's side */
	uint16_t rport;
	uint16_t target;
	uint32_t tnxt, tisn; /* the target's sequence numbers */
	uint32_t tack;       /* what the target has received in order */
	uint32_t shift;      /* wire sequence number = captured + shift */
	uint16_t twnd;       /* its window field */
	uint16_t tmss;       /* its MSS option; 0: none */
	uint8_t twscale;
};

struct bed {
	struct sc_replay *e;
	struct sc_replay_cfg cfg;
	struct sc_stats st;
	struct sc_steer steer;
	struct sc_path path[2];
	struct sc_l2_tmpl l2;
	struct sc_replay_target target[2];
	struct sc_rule rule[4];
	struct sc_pool clients;
	uint64_t now_us;
	uint64_t cap_us; /* capture time of mirror frames; 0: now */
	bool v6;
	bool is_batched; /* mirror frames wait for bed_flush() */
	bool is_twice;   /* the mirror shows each frame twice */
	bool is_sieved;  /* frames pass the sieve first */
	bool is_hashed;  /* and before, the one that knows them by the NIC's hash */
	struct sc_mirror_seg batch[32];
	uint16_t nb_batch;
	struct conv conv[BED_CONVS_MAX];
	unsigned int nb_convs;
	struct sent *sent; /* frames taken from the engine and not yet looked at */
	unsigned int nb_sent;
	unsigned int pool_free; /* mbufs at the start */
};

/* What a test changes of the configuration before the engine is made. */
typedef void (*bed_tune_fn)(struct bed *b);

/* *is_v6 (a bool; NULL: false) is the family of the conversations. */
struct bed *bed_new(const void *is_v6, bed_tune_fn tune);
/* Stop, check that nothing is left, free. */
void bed_end(struct bed *b);
/* Ledger and audit; called by every step. */
void bed_check(struct bed *b);
/* Let time pass: deadlines run as they come. */
void bed_run(struct bed *b, uint64_t us);
/* Frames of the engine to b->sent; called by every step. */
void bed_collect(struct bed *b);
/* The oldest frame not looked at; fails when there is none. Valid until the next bed_take(). */
struct sent *bed_take_from(struct bed *b, int line);
#define bed_take(b) bed_take_from(b, __LINE__)
/* Nothing has been sent (that was not looked at). */
void bed_silent_at(struct bed *b, int line);
#define bed_silent(b) bed_silent_at(b, __LINE__)
void bed_forget(struct bed *b); /* drop what was sent and not looked at */
void bed_flush(struct bed *b);
uint64_t bed_c(struct bed *b, enum sc_counter c);
uint64_t bed_m(struct bed *b, enum sc_map m, enum sc_reason r);
#define COUNT(b, name) bed_c(b, SC_C_##name)
#define COUNT_BY(b, map, reason) bed_m(b, SC_M_##map, SC_R_##reason)

/* A conversation of the bed's family; each has its own client port. */
void bed_hash(const struct bed *b, struct rte_mbuf *m);
struct conv *bed_conv(struct bed *b);

/* ---- mirror ---- */

/* Any frame of one half; seq and ack as they stand, payload is a pattern over the sequence space. */
enum sc_reason conv_frame(struct conv *c, enum sc_half half, uint8_t flags, uint32_t seq,
		uint32_t ack, uint32_t len);
/* The same with given payload. */
enum sc_reason conv_frame_with(struct conv *c, enum sc_half half, struct test_frame *f);
void conv_syn(struct conv *c);
void conv_synack(struct conv *c);
void conv_ack(struct conv *c);                /* client's pure ACK of everything production sent */
void conv_say(struct conv *c, uint32_t n);    /* client data, PSH, acknowledging everything */
void conv_answer(struct conv *c, uint32_t n); /* production data, acknowledging everything */
void conv_fin(struct conv *c);                /* the client's FIN */
void conv_rst(struct conv *c);
void conv_prod_fin(struct conv *c);
void conv_prod_ack(struct conv *c);
/* What byte `seq` of a client holds. */
uint8_t conv_byte(uint32_t seq);

/* ---- target ---- */

/* A record of the target to this conversation's replay. */
void conv_record(struct conv *c, uint8_t flags, uint32_t seq, uint32_t ack, uint16_t len);
/* The SYN-ACK to the SYN that is taken from the sent frames; learns the replay tuple. */
struct sent *conv_take_syn(struct conv *c);
void conv_target_synack(struct conv *c);
void conv_target_ack(struct conv *c);                /* acknowledges all received in order */
void conv_target_answer(struct conv *c, uint16_t n); /* n bytes, acknowledging all received */
void conv_target_fin(struct conv *c);
void conv_target_rst(struct conv *c);

/* Take one frame: these flags, these many payload bytes; sequence, ACK number and bytes are right. */
#define conv_expect(c, flags, len) conv_expect_next(c, flags, len, __LINE__)
/* A frame that may lie anywhere in the stream. */
#define conv_expect_at(c, flags, seq, len) conv_expect_one(c, flags, seq, len, __LINE__)
struct sent *conv_expect_next(struct conv *c, uint8_t flags, uint32_t len, int line);
struct sent *conv_expect_one(struct conv *c, uint8_t flags, uint32_t seq, uint32_t len, int line);

/* ---- common ways ---- */

void conv_shake(struct conv *c); /* the captured handshake only */
/* Captured handshake, then ours; both the SYN and the ACK of the SYN-ACK are taken. */
void conv_open(struct conv *c);
/* conv_open() with a request of n bytes sent and acknowledged. */
void conv_open_said(struct conv *c, uint32_t n);
/* Both sides close: the client first; the session is over. */
void conv_close(struct conv *c);

/* Every test runs for both families. */
extern const bool bed_v4, bed_v6;
#define BOTH(f)                                                     \
	{#f "/v4", f, NULL, NULL, (void *)(uintptr_t)&bed_v4},      \
	{                                                           \
#f "/v6", f, NULL, NULL, (void *)(uintptr_t)&bed_v6 \
	}

#endif
