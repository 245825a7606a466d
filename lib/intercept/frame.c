/* SPDX-License-Identifier: BSD-3-Clause */
/* The link layer, in and out: classification of what is not TCP, and frames of our own. */
#include <netinet/in.h>
#include <string.h>

#include <rte_arp.h>

#include "ic.h"

#define FRAME_MIN 60 /* without FCS; not every device pads */
#define VLAN_TAGS_MAX 2
#define IPV4_HDR_MIN 20
#define IPV6_HDR 40
#define ICMP_HDR 8
#define ICMP4_ECHO 8
#define ICMP6_ECHO 128
#define ICMP6_ND_FIRST 133 /* router solicitation .. redirect (RFC 4861 section 4) */
#define ICMP6_ND_LAST 137

static bool
l2_parse(struct rte_mbuf *m, struct ic_l2 *l2)
{
	uint8_t buf[14];
	const uint8_t *p = rte_pktmbuf_read(m, 0, 14, buf);

	if (p == NULL)
		return false;
	memcpy(l2->dst, p, 6);
	memcpy(l2->src, p + 6, 6);
	l2->type = ic_get16(p + 12);
	l2->off = 14;
	/* A driver may have taken the tag out of the frame. */
	l2->vid = (m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0 ? m->vlan_tci & 0xfff : 0;
	for (int i = 0; i < VLAN_TAGS_MAX; i++) {
		if (l2->type != RTE_ETHER_TYPE_VLAN && l2->type != RTE_ETHER_TYPE_QINQ)
			return true;
		p = rte_pktmbuf_read(m, l2->off, 4, buf);
		if (p == NULL)
			return false;
		l2->vid = ic_get16(p) & 0xfff;
		l2->type = ic_get16(p + 2);
		l2->off += 4;
	}
	return true;
}

static enum sc_reason
view_arp(struct ic_view *v)
{
	if (v->len < sizeof(struct rte_arp_hdr))
		return SC_R_SHORT_FRAME;
	v->kind = IC_KIND_ARP;
	return SC_R_NONE;
}

static enum sc_reason
view_icmp(struct ic_view *v, uint32_t room, enum sc_reason why)
{
	if (v->len < IPV4_HDR_MIN)
		return SC_R_SHORT_FRAME;
	v->ip_hdr = (v->p[0] & 0x0f) * 4;
	v->ip_len = ic_get16(v->p + 2);
	if (v->p[9] != IPPROTO_ICMP || v->ip_hdr < IPV4_HDR_MIN)
		return why;
	if ((ic_get16(v->p + 6) & 0x3fff) != 0)
		return SC_R_IP_FRAGMENT;
	if (v->ip_len < v->ip_hdr + ICMP_HDR || v->ip_len > room)
		return SC_R_TRUNCATED_FRAME;
	if (v->p[v->ip_hdr] != ICMP4_ECHO || v->p[v->ip_hdr + 1] != 0)
		return why;
	v->kind = IC_KIND_ECHO4;
	return SC_R_NONE;
}

static enum sc_reason
view_icmp6(struct ic_view *v, uint32_t room, enum sc_reason why)
{
	uint32_t payload;
	uint8_t type;

	if (v->len < IPV6_HDR)
		return SC_R_SHORT_FRAME;
	if (v->p[6] != IPPROTO_ICMPV6)
		return why;
	payload = ic_get16(v->p + 4);
	if (payload < ICMP_HDR || payload > SC_MIN(room, UINT16_MAX) - IPV6_HDR)
		return SC_R_TRUNCATED_FRAME;
	v->ip_hdr = IPV6_HDR;
	v->ip_len = (uint16_t)(payload + IPV6_HDR);
	type = v->p[IPV6_HDR];
	if (type == ICMP6_ECHO)
		v->kind = IC_KIND_ECHO6;
	else if (type >= ICMP6_ND_FIRST && type <= ICMP6_ND_LAST)
		v->kind = IC_KIND_ND;
	else
		return why;
	return SC_R_NONE;
}

enum sc_reason
ic_view_make(struct ic_view *v, struct rte_mbuf *m, enum sc_reason why)
{
	uint32_t room;

	v->m = m;
	if (!l2_parse(m, &v->l2))
		return SC_R_SHORT_FRAME;
	room = rte_pktmbuf_pkt_len(m) - v->l2.off;
	v->len = (uint16_t)SC_MIN(room, IC_VIEW_MAX);
	/* DPDK walks off the end of a chain for no bytes at its end. */
	v->p = v->len > 0 ? rte_pktmbuf_read(m, v->l2.off, v->len, v->buf) : v->buf;
	if (v->p == NULL)
		return SC_R_SHORT_FRAME;
	switch (v->l2.type) {
	case RTE_ETHER_TYPE_ARP:
		return view_arp(v);
	case RTE_ETHER_TYPE_IPV4:
		return view_icmp(v, room, why);
	case RTE_ETHER_TYPE_IPV6:
		return view_icmp6(v, room, why);
	default:
		return why;
	}
}

uint16_t
ic_frame_room(const struct sc_intercept *ic)
{
	return IC_OUT_MAX - ic->nb_out;
}

uint8_t *
ic_frame_new(struct sc_intercept *ic, const uint8_t dst[6], uint16_t type, uint16_t len,
		struct rte_mbuf **m)
{
	uint16_t tci = ic->cfg.vlan_tci, l2 = tci != 0 ? 18 : 14;
	uint32_t total = SC_MAX((uint32_t)l2 + len, FRAME_MIN);
	uint8_t *p;

	if (ic_frame_room(ic) == 0 || total > UINT16_MAX)
		return NULL;
	*m = rte_pktmbuf_alloc(ic->cfg.pool);
	if (*m == NULL)
		return NULL;
	p = (uint8_t *)rte_pktmbuf_append(*m, (uint16_t)total);
	if (p == NULL) {
		rte_pktmbuf_free(*m);
		return NULL;
	}
	memset(p, 0, total);
	memcpy(p, dst, 6);
	memcpy(p + 6, ic->cfg.port->mac, 6);
	if (tci != 0) {
		ic_put16(p + 12, RTE_ETHER_TYPE_VLAN);
		ic_put16(p + 14, tci);
	}
	ic_put16(p + l2 - 2, type);
	return p + l2;
}

void
ic_frame_send(struct sc_intercept *ic, struct rte_mbuf *m)
{
	ic->out[(ic->out_head + ic->nb_out) % IC_OUT_MAX] = m;
	ic->nb_out++;
}

uint16_t
sc_intercept_tx(struct sc_intercept *ic, struct rte_mbuf **m, uint16_t max)
{
	uint16_t n = SC_MIN(ic->nb_out, max);

	for (uint16_t i = 0; i < n; i++) {
		m[i] = ic->out[ic->out_head];
		ic->out_head = (ic->out_head + 1) % IC_OUT_MAX;
	}
	ic->nb_out -= n;
	return n;
}
