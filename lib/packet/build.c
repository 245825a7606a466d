/* SPDX-License-Identifier: BSD-3-Clause */
/* A replayed segment becomes a frame: headers in front of the payload. */
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include <rte_ip.h>
#include <rte_tcp.h>

#include "internal.h"

#define VLAN_HDR 4
#define IPV4_HDR 20
#define IPV6_HDR 40
#define IP_LEN_MAX 65535
#define HOP_LIMIT 64
#define IPV4_DF 0x4000
#define TCP_FLAGS_SENT (SC_TCP_FIN | SC_TCP_SYN | SC_TCP_RST | SC_TCP_PSH | SC_TCP_ACK | SC_TCP_URG)
/* What of ol_flags says whose memory the mbuf is; the rest is about the frame. */
#define OL_FLAGS_OWNER (RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL)

uint16_t
sc_packet_tcp_len(uint8_t opts)
{
	uint16_t len = TCP_HDR_MIN;

	if ((opts & SC_OPT_MSS) != 0)
		len += TCP_OPT_MSS_LEN;
	if ((opts & SC_OPT_TS) != 0)
		len += TCP_OPT_TS_LEN + 2; /* two NOPs, or SACK-permitted, in front */
	else if ((opts & SC_OPT_SACK_OK) != 0)
		len += TCP_OPT_SACK_OK_LEN + 2;
	if ((opts & SC_OPT_WSCALE) != 0)
		len += TCP_OPT_WSCALE_LEN + 1;
	return len;
}

/* All but timestamps belong to the SYN (RFC 9293 section 3.7.1, RFC 7323, RFC 2018). */
static uint8_t
opts_sent(const struct sc_tx_hdr *h)
{
	return (h->flags & SC_TCP_SYN) != 0 ? h->opts : h->opts & SC_OPT_TS;
}

static uint16_t
l2_len(const struct sc_tx_hdr *h)
{
	return (uint16_t)(RTE_ETHER_HDR_LEN + VLAN_HDR * h->l2->nb_vlan);
}

static uint16_t
l3_len(const struct sc_tx_hdr *h)
{
	return sc_addr_is_v4(&h->src) ? IPV4_HDR : IPV6_HDR;
}

uint16_t
sc_packet_hdr_len(const struct sc_tx_hdr *h)
{
	return l2_len(h) + l3_len(h) + sc_packet_tcp_len(opts_sent(h));
}

static void
write_l2(uint8_t *p, const struct sc_l2_tmpl *l2, uint16_t ip_type)
{
	memcpy(p, l2->dst.addr_bytes, RTE_ETHER_ADDR_LEN);
	memcpy(p + 6, l2->src.addr_bytes, RTE_ETHER_ADDR_LEN);
	p += 12;
	for (unsigned int i = 0; i < l2->nb_vlan; i++, p += VLAN_HDR) {
		bool outer_of_two = i + 1u < l2->nb_vlan;

		set_be16(p, outer_of_two ? RTE_ETHER_TYPE_QINQ : RTE_ETHER_TYPE_VLAN);
		set_be16(p + 2, l2->vlan_tci[i]);
	}
	set_be16(p, ip_type);
}

/* Fixed fields, as they lie in memory; identification 0 is free with DF (RFC 6864 section 4.1). */
static void
write_ipv4(uint8_t *p, const struct sc_tx_hdr *h, uint32_t l4_len)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)p;
	uint64_t sum;

	ip->version_ihl = 0x45;
	ip->type_of_service = 0;
	ip->total_length = rte_cpu_to_be_16((uint16_t)(IPV4_HDR + l4_len));
	ip->packet_id = 0;
	ip->fragment_offset = rte_cpu_to_be_16(IPV4_DF);
	ip->time_to_live = HOP_LIMIT;
	ip->next_proto_id = IPPROTO_TCP;
	ip->src_addr = sc_addr_v4_be(&h->src);
	ip->dst_addr = sc_addr_v4_be(&h->dst);
	sum = (uint64_t)rte_cpu_to_be_16(0x4500) + ip->total_length + ip->fragment_offset
			+ rte_cpu_to_be_16(HOP_LIMIT << 8 | IPPROTO_TCP) + ip->src_addr
			+ ip->dst_addr;
	ip->hdr_checksum = (uint16_t)~packet_fold(sum);
}

static void
write_ipv6(uint8_t *p, const struct sc_tx_hdr *h, uint32_t l4_len)
{
	set_be32(p, 0x60000000);
	set_be16(p + 4, (uint16_t)l4_len);
	p[6] = IPPROTO_TCP;
	p[7] = HOP_LIMIT;
	memcpy(p + 8, h->src.b, sizeof(h->src.b));
	memcpy(p + 24, h->dst.b, sizeof(h->dst.b));
}

/*
 * Linux's order, each group padded to 4 bytes: a target sees nothing that its clients don't send.
 */
static void
write_options(uint8_t *p, const struct sc_tx_hdr *h)
{
	uint8_t opts = opts_sent(h);

	if (opts == SC_OPT_TS) { /* all segments but the SYN */
		set_be32(p, TCP_TS_ALIGNED);
		set_be32(p + 4, h->tsval);
		set_be32(p + 8, h->tsecr);
		return;
	}
	if ((opts & SC_OPT_MSS) != 0) {
		set_be32(p, TCP_OPT_MSS << 24 | TCP_OPT_MSS_LEN << 16 | h->mss);
		p += TCP_OPT_MSS_LEN;
	}
	if ((opts & (SC_OPT_TS | SC_OPT_SACK_OK)) == (SC_OPT_TS | SC_OPT_SACK_OK))
		set_be32(p, TCP_SACK_TS_ALIGNED);
	else if ((opts & SC_OPT_TS) != 0)
		set_be32(p, TCP_TS_ALIGNED);
	else if ((opts & SC_OPT_SACK_OK) != 0)
		set_be32(p, TCP_SACK_OK_ALIGNED);
	if ((opts & (SC_OPT_TS | SC_OPT_SACK_OK)) != 0)
		p += 4;
	if ((opts & SC_OPT_TS) != 0) {
		set_be32(p, h->tsval);
		set_be32(p + 4, h->tsecr);
		p += 8;
	}
	if ((opts & SC_OPT_WSCALE) != 0)
		set_be32(p,
				TCP_OPT_NOP << 24 | TCP_OPT_WSCALE << 16 | TCP_OPT_WSCALE_LEN << 8
						| h->wscale);
}

static void
write_tcp(uint8_t *p, const struct sc_tx_hdr *h, uint32_t l4_len, uint16_t hdr_len)
{
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)p;
	uint8_t flags = h->flags & TCP_FLAGS_SENT;
	uint16_t sum;

	tcp->src_port = rte_cpu_to_be_16(h->sport);
	tcp->dst_port = rte_cpu_to_be_16(h->dport);
	tcp->sent_seq = rte_cpu_to_be_32(h->seq);
	tcp->recv_ack = rte_cpu_to_be_32(h->ack);
	tcp->data_off = (uint8_t)(hdr_len / 4 << 4);
	tcp->tcp_flags = flags;
	tcp->rx_win = rte_cpu_to_be_16(h->wnd);
	tcp->cksum = 0;
	tcp->tcp_urp = (flags & SC_TCP_URG) != 0 ? rte_cpu_to_be_16(h->urg) : 0;
	if (hdr_len > TCP_HDR_MIN)
		write_options(p + TCP_HDR_MIN, h);
	sum = packet_head_sum(&h->src, &h->dst, l4_len, p, hdr_len);
	tcp->cksum = rte_cpu_to_be_16((uint16_t)~sum_plus(sum, h->payload_sum));
}

/* Built anew at each send: nothing of what the mbuf said when it was received may stay. */
static void
set_tx_metadata(struct rte_mbuf *m, uint16_t l2, uint16_t l3, uint16_t l4)
{
	m->ol_flags &= OL_FLAGS_OWNER;
	m->vlan_tci = 0;
	m->vlan_tci_outer = 0;
	m->tx_offload = rte_mbuf_tx_offload(l2, l3, l4, 0, 0, 0, 0);
}

/* Headers of any form. */
static __rte_noinline int
build_any(struct rte_mbuf *m, const struct sc_tx_hdr *h)
{
	bool v4 = sc_addr_is_v4(&h->src);
	uint16_t l2 = l2_len(h), l3 = v4 ? IPV4_HDR : IPV6_HDR;
	uint16_t l4 = sc_packet_tcp_len(opts_sent(h));
	uint32_t l4_len = l4 + rte_pktmbuf_pkt_len(m);
	uint8_t *p;

	assert(v4 == sc_addr_is_v4(&h->dst));
	if (l4_len > IP_LEN_MAX - (v4 ? IPV4_HDR : 0))
		return -EMSGSIZE;
	p = (uint8_t *)rte_pktmbuf_prepend(m, l2 + l3 + l4);
	if (p == NULL)
		return -ENOSPC;
	write_l2(p, h->l2, v4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6);
	p += l2;
	if (v4)
		write_ipv4(p, h, l4_len);
	else
		write_ipv6(p, h, l4_len);
	write_tcp(p + l3, h, l4_len, l4);
	set_tx_metadata(m, l2, l3, l4);
	return 0;
}

/* ---- the short way ---- */

#define PLAIN_HDR (RTE_ETHER_HDR_LEN + IPV4_HDR)
/* Of the IPv4 header: what is the same in all. */
#define PLAIN_IP_SUM (RTE_BE16(0x4500) + RTE_BE16(IPV4_DF) + RTE_BE16(HOP_LIMIT << 8 | IPPROTO_TCP))
/* Of sc_tx_hdr.ack_wnd: what is sent as it stands. */
#define ACK_WND_SENT (UINT64_C(0xffffffff) << 32 | (uint64_t)TCP_FLAGS_SENT << 16 | 0xffff)

/* Nearly all frames: IPv4 without tags and urgent data. */
static inline bool
is_plain(const struct sc_tx_hdr *h)
{
	return h->l2->nb_vlan == 0 && (h->flags & SC_TCP_URG) == 0 && sc_addr_is_v4(&h->src)
			&& sc_addr_is_v4(&h->dst);
}

/* Write aligned timestamps; their sum is added to `sum`. */
static __rte_always_inline uint64_t
build_ts(uint8_t *p, const struct sc_tx_hdr *h, uint64_t sum)
{
	uint64_t ts = rte_cpu_to_be_64(h->ts);

	put32(p, RTE_BE32(TCP_TS_ALIGNED));
	put64(p + 4, ts);
	return carry_add(sum + RTE_BE32(TCP_TS_ALIGNED), ts);
}

/* Write tcp_len - 20 bytes of a SYN's options; their sum is added to `sum`. */
static __rte_always_inline uint64_t
build_options(uint8_t *p, const struct sc_tx_hdr *h, uint16_t tcp_len, uint64_t sum)
{
	write_options(p, h);
	for (uint16_t i = TCP_HDR_MIN; i < tcp_len; i += 4, p += 4)
		sum = carry_add(sum, sc_mem32(p));
	return sum;
}

/*
 * What build_any() writes, from values and not from what has been written. All sums are of words as
 * they lie in memory; `total` stands for the pseudo-header's length, too, which is 20 less.
 */
static __rte_always_inline int
build_plain(struct rte_mbuf *m, const struct sc_tx_hdr *h, uint16_t tcp_len, bool is_syn)
{
	uint32_t total_len = IPV4_HDR + tcp_len + rte_pktmbuf_pkt_len(m);
	uint32_t total = rte_cpu_to_be_32(total_len) >> 16;
	uint32_t src = sc_addr_v4_be(&h->src), dst = sc_addr_v4_be(&h->dst);
	uint64_t ends = (uint64_t)src + dst + total, first, second, sum;
	uint8_t *p;

	if (total_len > IP_LEN_MAX)
		return -EMSGSIZE;
	p = (uint8_t *)rte_pktmbuf_prepend(m, PLAIN_HDR + tcp_len);
	if (p == NULL)
		return -ENOSPC;
	memcpy(p, h->l2, 2 * RTE_ETHER_ADDR_LEN);
	put32(p + 12, RTE_BE32(RTE_ETHER_TYPE_IPV4 << 16 | 0x4500));
	put32(p + 16, total); /* and identification 0 */
	put32(p + 20, RTE_BE32(IPV4_DF << 16 | HOP_LIMIT << 8 | IPPROTO_TCP));
	put16(p + 24, (uint16_t)~packet_fold(ends + PLAIN_IP_SUM));
	put32(p + 26, src);
	put32(p + 30, dst);
	sum = ends + RTE_BE16(IPPROTO_TCP) + RTE_BE16(UINT16_MAX - IPV4_HDR)
			+ rte_cpu_to_be_32(h->payload_sum);
	p += PLAIN_HDR;
	if (is_syn)
		sum = build_options(p + TCP_HDR_MIN, h, tcp_len, sum);
	else if (tcp_len == TCP_HDR_TS)
		sum = build_ts(p + TCP_HDR_MIN, h, sum);
	first = rte_cpu_to_be_64(h->ports_seq);
	put64(p, first);
	sum = carry_add(sum, first);
	second = rte_cpu_to_be_64((h->ack_wnd & ACK_WND_SENT) | (uint64_t)tcp_len / 4 << 28);
	put64(p + 8, second);
	put32(p + 16, packet_fold(carry_add(sum, second)) ^ UINT16_MAX); /* and no urgent pointer */
	set_tx_metadata(m, RTE_ETHER_HDR_LEN, IPV4_HDR, tcp_len);
	return 0;
}

static __rte_noinline int
build_syn(struct rte_mbuf *m, const struct sc_tx_hdr *h)
{
	return build_plain(m, h, sc_packet_tcp_len(h->opts), true);
}

int
sc_packet_build(struct rte_mbuf *m, const struct sc_tx_hdr *h)
{
	if (!is_plain(h))
		return build_any(m, h);
	if ((h->flags & SC_TCP_SYN) != 0)
		return build_syn(m, h);
	return (h->opts & SC_OPT_TS) != 0 ? build_plain(m, h, TCP_HDR_TS, false)
					  : build_plain(m, h, TCP_HDR_MIN, false);
}
