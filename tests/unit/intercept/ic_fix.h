/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ic_fix: an intercept with two workers, three targets and its frames, for the tests of this room.
 *
 *	box 10.9.0.1/24, fd00:9::1/64 at 02:00:00:00:00:99
 *	targets 10.9.0.2:80, [fd00:9::2]:80, 10.50.0.5:8080 by gateway 10.9.0.254
 */
#ifndef IC_FIX_H
#define IC_FIX_H

#include <sc_intercept.h>

#define FIX_WORKERS 2
#define FIX_FRAME_MAX 2048
#define FIX_T0 UINT64_C(1700000000000000)

struct fix {
	struct sc_targets ts;
	struct sc_steer steer;
	struct sc_port port;
	struct sc_stats_cell stats;
	struct sc_intercept_cfg cfg;
	struct sc_intercept *ic;
	struct rte_mempool *pool;
	struct rte_ring *ring[FIX_WORKERS];
	_Atomic uint8_t want[65536];
	struct sc_pool on_link;
	uint64_t now;
};

/* A frame that was sent: its bytes, and its place behind Ethernet and tags. */
struct sent {
	uint8_t b[FIX_FRAME_MAX];
	size_t len;
	uint16_t type, vid;
	const uint8_t *p;
};

extern const uint8_t FIX_BOX[6], FIX_TARGET[6], FIX_OTHER[6], FIX_ALL[6];
/* The last message at WARN or above, and how many there were. */
extern char fix_log[1024];
extern unsigned int fix_warnings;

int fix_group_setup(void **state);
int fix_group_teardown(void **state);

/* Defaults in f; change f->cfg, then fix_start(). fix_start_pool(): with on-link addresses. */
struct fix *fix_new(void);
void fix_start(struct fix *f);
void fix_start_pool(struct fix *f, const char *pool);
/* Checks the equation and that no mbuf is lost. */
void fix_free(struct fix *f);
void fix_check(const struct fix *f);

void fix_feed(struct fix *f, const uint8_t *bytes, size_t len);
void fix_feed_mbuf(struct fix *f, struct rte_mbuf *m);
/* Advance the clock and tick. */
void fix_tick(struct fix *f, uint64_t ms);
bool fix_sent(struct fix *f, struct sent *s);
void fix_assert_silent(struct fix *f);
/* Drop everything that is to be sent; returns how many frames that were. */
unsigned int fix_flush(struct fix *f);
uint64_t fix_refused(const struct fix *f, enum sc_reason r);

struct sc_addr fix_addr(const char *text);

/* ---- frames ---- */

struct fix_arp {
	uint16_t op;
	const uint8_t *src, *dst; /* Ethernet; src is also the sender's address */
	const char *sip, *tip;
	uint16_t vid;
};
void fix_feed_arp(struct fix *f, const struct fix_arp *a);

struct fix_nd {
	uint8_t type, flags, opt; /* opt: type of a link-layer option with src, 0: none */
	const uint8_t *src, *dst;
	const char *sip, *dip, *target;
	uint8_t hops;   /* 0: 255 */
	bool is_broken; /* wrong checksum */
	uint16_t len;   /* of the message, 0: what it needs; more is one option of a strange type */
};
void fix_feed_nd(struct fix *f, const struct fix_nd *n);

/* An IP packet with this message behind it; the checksums are made right. */
struct fix_icmp {
	const uint8_t *src, *dst;
	const char *sip, *dip;
	uint8_t type, code;
	size_t data; /* bytes of data behind id and sequence number */
	bool is_broken;
	size_t cut; /* bytes of each mbuf segment, 0: as many as fit */
};
void fix_feed_icmp(struct fix *f, const struct fix_icmp *i);

/* What a sent frame says, asserted. */
void fix_assert_arp(const struct sent *s, uint16_t op, const uint8_t *dst, const char *sip,
		const char *tip);
void fix_assert_nd(const struct sent *s, uint8_t type, const uint8_t *dst, const char *sip,
		const char *dip, const char *target);

#endif
