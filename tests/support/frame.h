/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * frame: crafts TCP frames for tests, byte by byte, independent of sc_packet_build().
 *
 *	struct test_frame f = {.flags = SC_TCP_ACK, .seq = 1, .payload = "hello", .len = 5};
 *	struct rte_mbuf *m = test_frame_mbuf(pool, &f);
 *
 * A zeroed struct is a valid Ethernet/IPv4 frame 10.0.0.1:40000 -> 10.0.0.2:80 without flags.
 * All numbers are in host order. What does not fit asserts (cmocka).
 */
#ifndef TEST_FRAME_H
#define TEST_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include <sc_packet.h>

/* Room for the longest frame: 4 tags, 60-byte IP and TCP headers, 64 KB of payload, a trailer. */
#define TEST_FRAME_MAX 66560

enum test_csum {
	TEST_CSUM_GOOD,
	TEST_CSUM_PARTIAL, /* folded pseudo-header sum, not inverted */
	TEST_CSUM_BAD,     /* the good one plus 1 */
};

/* One IPv6 extension header of 8 x (units + 1) bytes, all 0: Pad1 options, or no segments left. */
struct test_ext {
	uint8_t type;
	uint8_t units;
};

struct test_frame {
	enum sc_link link;
	/* SLL, SLL2 and Ethernet; without tpid a tag is 0x8100 */
	unsigned int nb_vlan;
	uint16_t vlan_tci[8];
	uint16_t vlan_tpid[8];
	uint8_t dst_mac[6], src_mac[6]; /* all zero: 02:00:00:00:00:02 and :01 */

	const char *src, *dst;   /* text, both of one family; NULL: 10.0.0.1 and 10.0.0.2 */
	const uint8_t *ip_opts;  /* IPv4 only */
	size_t ip_opts_len;      /* a multiple of 4, up to 40 */
	struct test_ext ext[10]; /* IPv6 only */
	unsigned int nb_ext;
	uint16_t ip_id;
	uint16_t ip_frag; /* IPv4 flags and fragment offset as in the header; 0x4000 is DF */
	uint8_t proto;    /* 0: TCP (6) */
	bool ip_len_zero; /* TSO super frame: IP length field 0 */
	bool ip_csum_bad;

	uint16_t sport, dport; /* 0: 40000 and 80 */
	uint32_t seq, ack;
	uint16_t wnd, urg;
	uint8_t flags;       /* SC_TCP_* */
	const uint8_t *opts; /* raw TCP options, padded with 0 to a multiple of 4 */
	size_t opts_len;     /* up to 40 */
	enum test_csum csum;

	const void *payload;
	size_t len;
	size_t trailer; /* bytes 0xee behind the IP packet */
};

/* Craft into buf (TEST_FRAME_MAX is always enough); returns the frame's length. */
size_t test_frame_bytes(const struct test_frame *f, uint8_t *buf, size_t room);
/* Where the IP and TCP headers begin in the frame that f describes, and how long TCP's is. */
size_t test_frame_l3_off(const struct test_frame *f);
size_t test_frame_l4_off(const struct test_frame *f);
size_t test_frame_tcp_len(const struct test_frame *f);

/* The frame in an mbuf, chained where one is too small; its metadata says f->link. Caller frees. */
struct rte_mbuf *test_frame_mbuf(struct rte_mempool *mp, const struct test_frame *f);
/* Any bytes in an mbuf chain whose segments hold at most `cut` bytes (0: as many as fit). */
struct rte_mbuf *test_mbuf_from(
		struct rte_mempool *mp, const uint8_t *bytes, size_t len, size_t cut);
/* The same for segments of given lengths; the last length repeats. */
struct rte_mbuf *test_mbuf_cut(struct rte_mempool *mp, const uint8_t *bytes, size_t len,
		const size_t *cuts, size_t nb_cuts);

/* Sum of big-endian 16-bit words, folded (RFC 1071), one byte at a time. */
uint16_t test_sum16(const void *data, size_t len, uint32_t start);

/* Two ways to parse one frame that is taken must say the same of it. */
void test_seg_same(const struct sc_seg *a, const struct sc_seg *b);

/*
 * TCP options in the usual forms, appended to buf at *len: test_opt(buf, &len, kind, len, value).
 * value is written big-endian into the option's body; NOP and EOL (kind 1 and 0) take one byte.
 */
void test_opt(uint8_t *buf, size_t *len, uint8_t kind, uint8_t opt_len, uint64_t value);

#endif
