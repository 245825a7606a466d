/* SPDX-License-Identifier: BSD-3-Clause */
/* Link layer and IP. Every read goes through rte_pktmbuf_read(), which knows the frame's end. */
#include <netinet/in.h>
#include <string.h>

#include "internal.h"

#define VLAN_TAGS_MAX 4
#define IPV4_HDR_MIN 20
#define IPV4_HDR_MAX 60
#define IPV4_MORE_OR_OFFSET 0x3fff /* more-fragments bit and fragment offset */
#define IPV6_HDR 40
#define IPV6_EXT_MAX 8
#define IP_LEN_MAX 65535
#define PLAIN_TCP (RTE_ETHER_HDR_LEN + IPV4_HDR_MIN) /* where TCP begins in a plain frame */

/* Where the headers read so far end. */
struct place {
	uint32_t off;
	uint16_t type; /* Ethernet type of what follows */
};

static bool
is_vlan_type(uint16_t type)
{
	/* 0x9100: QinQ before IEEE 802.1ad */
	return type == RTE_ETHER_TYPE_VLAN || type == RTE_ETHER_TYPE_QINQ
			|| type == RTE_ETHER_TYPE_QINQ1;
}

static enum sc_reason
parse_raw(struct rte_mbuf *m, struct place *at)
{
	uint8_t buf;
	const uint8_t *p = rte_pktmbuf_read(m, 0, 1, &buf);

	if (p == NULL)
		return SC_R_SHORT_FRAME;
	at->off = 0;
	switch (p[0] >> 4) {
	case 4:
		at->type = RTE_ETHER_TYPE_IPV4;
		return SC_R_NONE;
	case 6:
		at->type = RTE_ETHER_TYPE_IPV6;
		return SC_R_NONE;
	default:
		return SC_R_NOT_IP;
	}
}

static enum sc_reason
parse_link(struct rte_mbuf *m, enum sc_link link, struct place *at, uint8_t *nb_vlan)
{
	static const struct {
		uint8_t len, type_off;
	} links[] = {
			[SC_LINK_ETHER] = {14, 12},
			[SC_LINK_SLL] = {16, 14},
			[SC_LINK_SLL2] = {20, 0},
	};
	uint8_t buf[20];
	const uint8_t *p;

	*nb_vlan = 0;
	if (link == SC_LINK_RAW)
		return parse_raw(m, at);
	if ((unsigned int)link >= SC_ARRAY_SIZE(links))
		return SC_R_UNKNOWN_LINK;
	p = rte_pktmbuf_read(m, 0, links[link].len, buf);
	if (p == NULL)
		return SC_R_SHORT_FRAME;
	at->off = links[link].len;
	at->type = get_be16(p + links[link].type_off);
	for (; is_vlan_type(at->type) && *nb_vlan < VLAN_TAGS_MAX; (*nb_vlan)++) {
		p = rte_pktmbuf_read(m, at->off, 4, buf);
		if (p == NULL)
			return SC_R_SHORT_FRAME;
		at->off += 4;
		at->type = get_be16(p + 2);
	}
	return SC_R_NONE;
}

/*
 * The header's own sum. A sender that leaves the length to its NIC (total length 0) leaves the
 * checksum to it, too.
 */
static bool
is_ipv4_sum_good(const struct rte_mbuf *m, const uint8_t *ip, uint32_t hdr_len)
{
	if ((m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_GOOD)
		return true;
	return get_be16(ip + 2) == 0 || sc_packet_sum(ip, hdr_len) == 0xffff;
}

/* Whole, in one store: what is compared and hashed next reads them in halves. */
static inline void
take_v4_addr(struct sc_addr *a, const uint8_t *addr)
{
	typedef uint32_t words __attribute__((vector_size(sizeof(*a))));
	words w = {0, 0, RTE_BE32(0xffff), sc_mem32(addr)};

	memcpy(a, &w, sizeof(*a));
}

static inline void
take_ipv4(const uint8_t *ip, struct sc_seg *seg)
{
	take_v4_addr(&seg->src, ip + 12);
	take_v4_addr(&seg->dst, ip + 16);
	seg->ip_id = get_be16(ip + 4);
}

static enum sc_reason
parse_ipv4(struct rte_mbuf *m, uint32_t off, struct sc_seg *seg, struct l4_span *l4)
{
	uint8_t buf[IPV4_HDR_MAX];
	const uint8_t *ip = rte_pktmbuf_read(m, off, IPV4_HDR_MIN, buf);
	uint32_t room = rte_pktmbuf_pkt_len(m) - off;
	uint32_t hdr_len, total;

	if (ip == NULL)
		return SC_R_SHORT_FRAME;
	hdr_len = (ip[0] & 0x0f) * 4u;
	if (ip[0] >> 4 != 4 || hdr_len < IPV4_HDR_MIN)
		return SC_R_BAD_IP_HEADER;
	if (hdr_len > room)
		return SC_R_SHORT_FRAME;
	total = get_be16(ip + 2);
	l4->len_unknown = total == 0;
	if (l4->len_unknown)
		total = room;
	if (total < hdr_len || total > IP_LEN_MAX)
		return SC_R_BAD_IP_HEADER;
	if (hdr_len > IPV4_HDR_MIN)
		ip = rte_pktmbuf_read(m, off, hdr_len, buf);
	if (!is_ipv4_sum_good(m, ip, hdr_len))
		return SC_R_BAD_IP_CHECKSUM;
	if (ip[9] != IPPROTO_TCP)
		return SC_R_NOT_TCP;
	if ((get_be16(ip + 6) & IPV4_MORE_OR_OFFSET) != 0)
		return SC_R_IP_FRAGMENT;
	if (total > room)
		return SC_R_TRUNCATED_FRAME;
	take_ipv4(ip, seg);
	l4->off = off + hdr_len;
	l4->len = total - hdr_len;
	return SC_R_NONE;
}

/*
 * Step over the extension headers from *off on, none of which may reach beyond `end`, to TCP. The
 * pseudo-header holds the final destination (RFC 8200 section 8.1), so a packet whose routing
 * header has hops left fails its checksum.
 */
static enum sc_reason
skip_ipv6_exts(struct rte_mbuf *m, uint8_t next, uint32_t *off, uint32_t end)
{
	uint8_t buf[2];
	const uint8_t *ext;
	unsigned int nb_ext;
	uint32_t len;

	for (nb_ext = 0; next != IPPROTO_TCP; nb_ext++) {
		if (next == IPPROTO_FRAGMENT)
			return SC_R_IP_FRAGMENT;
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS)
			return SC_R_NOT_TCP;
		/* RFC 8200 section 4.1: hop-by-hop only directly behind the IPv6 header. */
		if (nb_ext == IPV6_EXT_MAX || (next == IPPROTO_HOPOPTS && nb_ext > 0))
			return SC_R_BAD_IP_HEADER;
		if (end - *off < 8)
			return SC_R_BAD_IP_HEADER;
		ext = rte_pktmbuf_read(m, *off, 2, buf);
		if (ext == NULL)
			return SC_R_TRUNCATED_FRAME;
		len = 8u * (ext[1] + 1u);
		if (end - *off < len)
			return SC_R_BAD_IP_HEADER;
		*off += len;
		next = ext[0];
	}
	return SC_R_NONE;
}

static enum sc_reason
parse_ipv6(struct rte_mbuf *m, uint32_t off, struct sc_seg *seg, struct l4_span *l4)
{
	uint8_t buf[IPV6_HDR];
	const uint8_t *ip = rte_pktmbuf_read(m, off, IPV6_HDR, buf);
	uint32_t room = rte_pktmbuf_pkt_len(m) - off;
	uint32_t payload, end;
	enum sc_reason r;

	if (ip == NULL)
		return SC_R_SHORT_FRAME;
	payload = get_be16(ip + 4);
	l4->len_unknown = payload == 0;
	if (l4->len_unknown)
		payload = room - IPV6_HDR;
	if (ip[0] >> 4 != 6 || payload > IP_LEN_MAX)
		return SC_R_BAD_IP_HEADER;
	memcpy(seg->src.b, ip + 8, sizeof(seg->src.b));
	memcpy(seg->dst.b, ip + 24, sizeof(seg->dst.b));
	/* On the wire they would pass for IPv4 ones everywhere behind this point. */
	if (sc_addr_is_v4(&seg->src) || sc_addr_is_v4(&seg->dst))
		return SC_R_BAD_IP_HEADER;
	seg->ip_id = 0;
	l4->off = off + IPV6_HDR;
	end = l4->off + payload;
	r = skip_ipv6_exts(m, ip[6], &l4->off, end);
	if (r != SC_R_NONE)
		return r;
	if (end - off > room)
		return SC_R_TRUNCATED_FRAME;
	l4->len = end - l4->off;
	return SC_R_NONE;
}

/* Every frame, however it looks. */
static __rte_noinline enum sc_reason
parse_any(struct rte_mbuf *m, enum sc_link link, struct sc_seg *seg)
{
	struct place at;
	struct l4_span l4;
	enum sc_reason r;

	r = parse_link(m, link, &at, &seg->nb_vlan);
	if (r != SC_R_NONE)
		return r;
	switch (at.type) {
	case RTE_ETHER_TYPE_IPV4:
		r = parse_ipv4(m, at.off, seg, &l4);
		break;
	case RTE_ETHER_TYPE_IPV6:
		r = parse_ipv6(m, at.off, seg, &l4);
		break;
	default:
		return SC_R_NOT_IP;
	}
	return r == SC_R_NONE ? packet_parse_tcp(m, &l4, seg) : r;
}

/* ---- the short way ---- */

/*
 * What nearly every frame is: Ethernet, IPv4 without options, TCP, all in one piece. `end` is where the packet at p ends by its IP header. Returns the length of its
 * TCP header; 0: anything else, or anything odd: the long way looks closer.
 */
static inline uint32_t
plain_tcp_len(const struct rte_mbuf *m, const uint8_t *p, uint32_t *end)
{
	uint32_t len;

	if (m->data_len < PLAIN_TCP + TCP_HDR_MIN)
		return 0;
	if ((sc_mem32(p + 12) & RTE_BE32(0xffffff00))
			!= RTE_BE32(RTE_ETHER_TYPE_IPV4 << 16 | 0x4500))
		return 0;
	if ((sc_mem32(p + 20) & RTE_BE32(IPV4_MORE_OR_OFFSET << 16 | 0xff))
			!= RTE_BE32(IPPROTO_TCP))
		return 0;
	*end = RTE_ETHER_HDR_LEN + (uint32_t)get_be16(p + 16);
	if (*end > m->data_len)
		return 0;
	len = (p[PLAIN_TCP + 12] >> 4) * 4u;
	return len < TCP_HDR_MIN || *end < PLAIN_TCP + len ? 0 : len;
}

static inline bool
nic_says_all_good(const struct rte_mbuf *m)
{
	return (m->ol_flags
			       & (RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK
					       | RTE_MBUF_F_RX_LRO))
			== (RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD);
}

/* As packet_judge() does where the NIC says good. The addresses stand right before the TCP header. */
static inline uint16_t
plain_payload_sum(const uint8_t *tcp, uint32_t l4_len, uint32_t hdr_len)
{
	uint64_t sum = rte_cpu_to_be_32(l4_len + IPPROTO_TCP);

	for (uint32_t i = 0; i < 8 + hdr_len / 8 * 8; i += 8)
		sum = carry_add(sum, sc_mem64(tcp - 8 + i));
	if (hdr_len % 8 != 0)
		sum = carry_add(sum, sc_mem32(tcp + hdr_len / 8 * 8));
	return rte_be_to_cpu_16((uint16_t)~packet_fold(sum));
}

/* A plain frame whose sums are ours to check. */
static __rte_noinline enum sc_reason
judge_plain(const struct rte_mbuf *m, struct sc_seg *seg)
{
	const uint8_t *ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, RTE_ETHER_HDR_LEN);
	struct l4_span l4 = {
			.off = PLAIN_TCP, .len = seg->payload_off + seg->payload_len - PLAIN_TCP};

	if (!is_ipv4_sum_good(m, ip, IPV4_HDR_MIN))
		return SC_R_BAD_IP_CHECKSUM;
	return packet_judge(m, &l4, ip + IPV4_HDR_MIN, seg) ? SC_R_NONE : SC_R_BAD_L4_CHECKSUM;
}

/* The frame at p with a TCP header of hdr_len bytes, but for its options. */
static __rte_always_inline void
take_plain(const uint8_t *p, uint32_t end, uint32_t hdr_len, struct sc_seg *seg)
{
	const struct l4_span l4 = {.off = PLAIN_TCP, .len = end - PLAIN_TCP};

	take_ipv4(p + RTE_ETHER_HDR_LEN, seg);
	take_fixed(p + PLAIN_TCP, &l4, hdr_len, seg);
	seg->csum = SC_CSUM_GOOD;
	seg->nb_vlan = 0;
	seg->payload_sum = 0;
	if (l4.len > hdr_len)
		seg->payload_sum = plain_payload_sum(p + PLAIN_TCP, l4.len, hdr_len);
}

/* With other options than timestamps, or with sums that nobody has checked. */
static __rte_noinline enum sc_reason
parse_plain(const struct rte_mbuf *m, uint32_t end, uint32_t hdr_len, struct sc_seg *seg)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);

	take_plain(p, end, hdr_len, seg);
	packet_parse_options(p + PLAIN_TCP + TCP_HDR_MIN, hdr_len - TCP_HDR_MIN, seg);
	return nic_says_all_good(m) ? SC_R_NONE : judge_plain(m, seg);
}

enum sc_reason
sc_packet_parse(struct rte_mbuf *m, enum sc_link link, struct sc_seg *seg)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	const uint8_t *opt = p + PLAIN_TCP + TCP_HDR_MIN;
	uint32_t end, hdr_len;

	seg->mbuf = m;
	hdr_len = link == SC_LINK_ETHER ? plain_tcp_len(m, p, &end) : 0;
	if (hdr_len == 0)
		return parse_any(m, link, seg);
	if (!nic_says_all_good(m))
		return parse_plain(m, end, hdr_len, seg);
	if (hdr_len == TCP_HDR_TS && sc_mem32(opt) == RTE_BE32(TCP_TS_ALIGNED)) {
		take_plain(p, end, TCP_HDR_TS, seg);
		seg->ts = get_be64(opt + 4);
		seg->opts = SC_OPT_TS;
	} else if (hdr_len == TCP_HDR_MIN) {
		take_plain(p, end, TCP_HDR_MIN, seg);
		seg->ts = 0;
		seg->opts = 0;
	} else {
		return parse_plain(m, end, hdr_len, seg);
	}
	seg->wscale = 0;
	seg->mss = 0;
	return SC_R_NONE;
}

unsigned int
sc_packet_find_ip(struct rte_mbuf *m, enum sc_link link, uint32_t *off)
{
	uint8_t nb_vlan;
	struct place at;

	if (parse_link(m, link, &at, &nb_vlan) != SC_R_NONE)
		return 0;
	*off = at.off;
	if (at.type == RTE_ETHER_TYPE_IPV4 && at.off + IPV4_HDR_MIN <= rte_pktmbuf_pkt_len(m))
		return 4;
	if (at.type == RTE_ETHER_TYPE_IPV6 && at.off + IPV6_HDR <= rte_pktmbuf_pkt_len(m))
		return 6;
	return 0;
}

void
sc_packet_copy_payload(const struct sc_seg *seg, uint32_t off, uint32_t len, void *dst)
{
	const void *p;

	if (len == 0) /* rte_pktmbuf_read() runs off a chain's end when asked for nothing there */
		return;
	p = rte_pktmbuf_read(seg->mbuf, seg->payload_off + off, len, dst);
	if (p != dst)
		memcpy(dst, p, len);
}
