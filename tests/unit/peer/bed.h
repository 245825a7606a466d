/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bed: a capture written call by call, a peer that reads it, and a client at its port, all in
 * virtual time.
 */
#ifndef PEER_BED_H
#define PEER_BED_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ethdev.h>

#include <sc_packet.h>
#include <sc_peer.h>

#include "frame.h"
#include "pcapfile.h"

#define BED_PROD "10.9.0.1"
#define BED_PROD6 "2001:db8::1"
#define BED_CLIENT "10.1.0.1"
#define BED_CLIENT6 "2001:db8:1::5"
#define BED_TARGET "198.18.0.1"
#define BED_TARGET6 "2001:2::1"
#define BED_ISN 1000u
#define BED_PROD_ISN 900000u

/* ---- a captured connection ---- */

struct tape {
	struct pcapfile *f;
	uint64_t ts_ns;
	const char *client, *prod;
	uint16_t cport, pport;
	uint32_t cseq, pseq; /* next of each side; ACKs follow the other side's unless set */
};

/* Connection number n of a capture: client port 40000 + n, ISN BED_ISN + n * 1,000,000. */
struct tape tape_new(struct pcapfile *f, unsigned int n);
struct tape tape_new6(struct pcapfile *f, unsigned int n);
void tape_handshake(struct tape *t);
/* One segment, from the client or from production; SEQ moves on. */
void tape_client(struct tape *t, uint8_t flags, const char *text);
void tape_prod(struct tape *t, uint8_t flags, const char *text);
/* The same with every number given. */
void tape_raw(struct tape *t, bool is_client, const struct test_frame *f);

/* ---- bed ---- */

struct bed {
	char path[64];
	struct pcapfile *f;
	struct rte_mempool *pool;
	struct sc_peer *peer;
	struct sc_peer_cfg cfg;
	const char *paths[1];
	struct sc_rule rules[8];
	uint64_t now;
	struct sc_peer_stats st; /* by bed_stats() */
};

/* A segment that came out of the port; payload is cut at 2,048 bytes. */
struct got {
	struct sc_seg seg;
	char data[2049];
};

void bed_open(struct bed *b);
/* The capture is complete: start the peer. impair: words of sc_impair_parse() or NULL. */
void bed_start(struct bed *b, const char *impair);
/*
 * Open and start with one question "q" and an answer of nb bytes, production closes; or with one
 * client saying `text` and the answer "a" at its end.
 */
void bed_start_long(struct bed *b, unsigned int nb, const char *impair);
void bed_start_text(struct bed *b, const char *text, const char *impair);
/* Destroys the peer; all mbufs must be back. */
void bed_close(struct bed *b);
/* Polls at now + us, once for each ms on the way. */
void bed_wait(struct bed *b, uint64_t us);
/* The next segment, polling once if none is there; false: none. */
bool bed_get(struct bed *b, struct got *g);
const struct sc_peer_stats *bed_stats(struct bed *b);

/* ---- a client that does as it is told ---- */

struct client {
	struct bed *b;
	const char *src, *dst;
	uint16_t sport, dport;
	uint32_t seq, ack;
	uint16_t wnd;
	bool has_ts, has_ws;
	uint32_t tsval, tsecr;
};

struct client client_new(struct bed *b, unsigned int n);
struct client client_new6(struct bed *b, unsigned int n);
/* One segment with the client's numbers; seq moves over what it carries. */
void client_send(struct client *c, uint8_t flags, const char *text);
void client_send_bytes(struct client *c, uint8_t flags, const void *data, size_t len);
/* The same at another SEQ; seq stays. */
void client_send_at(struct client *c, uint32_t seq, uint8_t flags, const char *text);
/* SYN, SYN-ACK, ACK; asserts. */
void client_connect(struct client *c);
/* Expect a segment with these flags (PSH apart) and text; ack moves over it. */
void client_expect(struct client *c, uint8_t flags, const char *text);
void client_expect_none(struct client *c);
/* Take all *nb segments that are there; returns payload bytes, and the last segment in *g. */
uint32_t client_take_all(struct client *c, struct got *g, unsigned int *nb);

#endif
