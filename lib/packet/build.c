/* SPDX-License-Identifier: BSD-3-Clause */
/* A replayed segment becomes a frame: headers in front of the payload. */
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

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

static void
write_ipv4(uint8_t *p, const struct sc_tx_hdr *h, uint32_t l4_len)
{
	uint32_t src = sc_addr_v4_be(&h->src), dst = sc_addr_v4_be(&h->dst);

	set_be16(p, 0x4500);
	set_be16(p + 2, (uint16_t)(IPV4_HDR + l4_len));
	set_be16(p + 4, 0); /* identification: free to be 0 with DF (RFC 6864 section 4.1) */
	set_be16(p + 6, IPV4_DF);
	p[8] = HOP_LIMIT;
	p[9] = IPPROTO_TCP;
	set_be16(p + 10, 0);
	memcpy(p + 12, &src, sizeof(src));
	memcpy(p + 16, &dst, sizeof(dst));
	set_be16(p + 10, (uint16_t)~sc_packet_sum(p, IPV4_HDR));
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

	if ((opts & SC_OPT_MSS) != 0) {
		*p++ = TCP_OPT_MSS;
		*p++ = TCP_OPT_MSS_LEN;
		set_be16(p, h->mss);
		p += 2;
	}
	if ((opts & (SC_OPT_TS | SC_OPT_SACK_OK)) == (SC_OPT_TS | SC_OPT_SACK_OK)) {
		*p++ = TCP_OPT_SACK_OK;
		*p++ = TCP_OPT_SACK_OK_LEN;
	} else if ((opts & (SC_OPT_TS | SC_OPT_SACK_OK)) != 0) {
		*p++ = TCP_OPT_NOP;
		*p++ = TCP_OPT_NOP;
	}
	if ((opts & SC_OPT_TS) != 0) {
		*p++ = TCP_OPT_TS;
		*p++ = TCP_OPT_TS_LEN;
		set_be32(p, h->tsval);
		set_be32(p + 4, h->tsecr);
		p += 8;
	} else if ((opts & SC_OPT_SACK_OK) != 0) {
		*p++ = TCP_OPT_SACK_OK;
		*p++ = TCP_OPT_SACK_OK_LEN;
	}
	if ((opts & SC_OPT_WSCALE) != 0) {
		*p++ = TCP_OPT_NOP;
		*p++ = TCP_OPT_WSCALE;
		*p++ = TCP_OPT_WSCALE_LEN;
		*p++ = h->wscale;
	}
}

static void
write_tcp(uint8_t *p, const struct sc_tx_hdr *h, uint32_t l4_len)
{
	uint16_t hdr_len = sc_packet_tcp_len(opts_sent(h));
	uint8_t flags = h->flags & TCP_FLAGS_SENT;
	uint16_t sum;

	set_be16(p, h->sport);
	set_be16(p + 2, h->dport);
	set_be32(p + 4, h->seq);
	set_be32(p + 8, h->ack);
	p[12] = (uint8_t)(hdr_len / 4 << 4);
	p[13] = flags;
	set_be16(p + 14, h->wnd);
	set_be16(p + 16, 0);
	set_be16(p + 18, (flags & SC_TCP_URG) != 0 ? h->urg : 0);
	write_options(p + TCP_HDR_MIN, h);
	sum = sum_plus(packet_pseudo_sum(&h->src, &h->dst, l4_len), sc_packet_sum(p, hdr_len));
	set_be16(p + 16, (uint16_t)~sum_plus(sum, h->payload_sum));
}

/* Built anew at each send: nothing of what the mbuf said when it was received may stay. */
static void
set_tx_metadata(struct rte_mbuf *m, const struct sc_tx_hdr *h)
{
	m->ol_flags &= OL_FLAGS_OWNER;
	m->vlan_tci = 0;
	m->vlan_tci_outer = 0;
	m->tx_offload = 0;
	m->l2_len = l2_len(h);
	m->l3_len = l3_len(h);
	m->l4_len = sc_packet_tcp_len(opts_sent(h));
}

int
sc_packet_build(struct rte_mbuf *m, const struct sc_tx_hdr *h)
{
	bool v4 = sc_addr_is_v4(&h->src);
	uint32_t l4_len = sc_packet_tcp_len(opts_sent(h)) + rte_pktmbuf_pkt_len(m);
	uint8_t *p;

	assert(v4 == sc_addr_is_v4(&h->dst));
	if (l4_len > IP_LEN_MAX - (v4 ? IPV4_HDR : 0))
		return -EMSGSIZE;
	p = (uint8_t *)rte_pktmbuf_prepend(m, sc_packet_hdr_len(h));
	if (p == NULL)
		return -ENOSPC;
	write_l2(p, h->l2, v4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6);
	p += l2_len(h);
	if (v4)
		write_ipv4(p, h, l4_len);
	else
		write_ipv6(p, h, l4_len);
	write_tcp(p + l3_len(h), h, l4_len);
	set_tx_metadata(m, h);
	return 0;
}
