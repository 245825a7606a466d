/* SPDX-License-Identifier: BSD-3-Clause */
/* What the sources of this room share. Sums are host-order values, folded, not inverted. */
#ifndef SC_PACKET_INTERNAL_H
#define SC_PACKET_INTERNAL_H

#include <string.h>

#include <sc_packet.h>

#define TCP_HDR_MIN 20
#define TCP_HDR_MAX 60

/* Kinds of TCP options (IANA), and their lengths in bytes, kind and length included. */
#define TCP_OPT_END 0
#define TCP_OPT_NOP 1
#define TCP_OPT_MSS 2
#define TCP_OPT_WSCALE 3
#define TCP_OPT_SACK_OK 4
#define TCP_OPT_TS 8
#define TCP_OPT_MSS_LEN 4
#define TCP_OPT_WSCALE_LEN 3
#define TCP_OPT_SACK_OK_LEN 2
#define TCP_OPT_TS_LEN 10
/* NOP, NOP, timestamps: how nearly all stacks send them. */
#define TCP_TS_ALIGNED 0x0101080a
/* In a SYN: SACK-permitted instead of the NOPs; and SACK-permitted behind two of them. */
#define TCP_SACK_TS_ALIGNED 0x0402080a
#define TCP_SACK_OK_ALIGNED 0x01010402

/* A header with no other option than these. */
#define TCP_HDR_TS (TCP_HDR_MIN + 2 + TCP_OPT_TS_LEN)

#define WSCALE_MAX 14 /* RFC 7323 section 2.3 */

/* Where IP says that its payload is. All of it lies inside the frame. */
struct l4_span {
	uint32_t off; /* from the start of the frame */
	uint32_t len;
	bool len_unknown; /* the IP header gave no length: a sender's offload has yet to write it */
};

/* Big-endian fields at any alignment. */
static inline uint16_t
get_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t
get_be32(const uint8_t *p)
{
	return rte_be_to_cpu_32(sc_mem32(p));
}

static inline uint64_t
get_be64(const uint8_t *p)
{
	return rte_be_to_cpu_64(sc_mem64(p));
}

/* Words as they lie in memory. */
static inline void
put16(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, sizeof(v));
}

static inline void
put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
}

static inline void
put64(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, sizeof(v));
}

static inline void
set_be16(uint8_t *p, uint16_t v)
{
	put16(p, rte_cpu_to_be_16(v));
}

static inline void
set_be32(uint8_t *p, uint32_t v)
{
	put32(p, rte_cpu_to_be_32(v));
}

/*
 * Fold sums of words as they lie in memory; so is the result. Each half is added to the other: the
 * upper one of the sum then holds the carry of the lower one, too.
 */
static inline uint16_t
fold32(uint32_t sum)
{
	sum += sum << 16 | sum >> 16;
	return (uint16_t)(sum >> 16);
}

static inline uint16_t
packet_fold(uint64_t sum)
{
	sum += sum << 32 | sum >> 32;
	return fold32((uint32_t)(sum >> 32));
}

/* Add a word to a sum: the carry goes in at the other end (RFC 1071 section 2(C)). */
static inline uint32_t
carry_add32(uint32_t sum, uint32_t word)
{
	sum += word;
	if (sum < word)
		sum++;
	return sum;
}

static inline uint64_t
carry_add(uint64_t sum, uint64_t word)
{
	sum += word;
	if (sum < word)
		sum++;
	return sum;
}

/* Sum of two folded sums. */
static inline uint16_t
sum_plus(uint16_t a, uint16_t b)
{
	uint32_t s = (uint32_t)a + b;

	return (uint16_t)(s + (s >> 16));
}

/* Sum of the TCP pseudo-header (RFC 9293 section 3.1, RFC 8200 section 8.1). */
uint16_t packet_pseudo_sum(const struct sc_addr *src, const struct sc_addr *dst, uint32_t l4_len);
/* The same and the TCP header's own words; hdr_len is a multiple of 4. */
uint16_t packet_head_sum(const struct sc_addr *src, const struct sc_addr *dst, uint32_t l4_len,
		const uint8_t *tcp, uint32_t hdr_len);
/* Sum of len bytes of the frame from off on; the range must lie inside. */
uint16_t packet_mbuf_sum(const struct rte_mbuf *m, uint32_t off, uint32_t len);
/*
 * Judge the TCP segment at l4, whose header of hdr_len bytes stands at tcp. Sets seg->csum and
 * seg->payload_sum; needs the addresses and payload_off and payload_len in seg. False: bad.
 */
bool packet_judge(const struct rte_mbuf *m, const struct l4_span *l4, const uint8_t *tcp,
		struct sc_seg *seg);

/* All of a TCP header but the options. */
static inline void
take_fixed(const uint8_t *tcp, const struct l4_span *l4, uint32_t hdr_len, struct sc_seg *seg)
{
	seg->ports_seq = get_be64(tcp);
	seg->ack_wnd = get_be64(tcp + 8);
	seg->urg = get_be16(tcp + 18);
	seg->payload_off = l4->off + hdr_len;
	seg->payload_len = l4->len - hdr_len;
}

/* Sets opts, mss, wscale and ts of seg. */
void packet_parse_options(const uint8_t *opt, uint32_t len, struct sc_seg *seg);
/* Parse the TCP segment at l4 into seg, which already has its addresses. */
enum sc_reason packet_parse_tcp(struct rte_mbuf *m, const struct l4_span *l4, struct sc_seg *seg);

#endif
