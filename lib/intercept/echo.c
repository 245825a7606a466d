/* SPDX-License-Identifier: BSD-3-Clause */
/* Echo replies (RFC 792, RFC 4443 section 4.2) for the box's own addresses. Nothing else of ICMP. */
#include <netinet/in.h>
#include <string.h>

#include <rte_mbuf.h>

#include "ic.h"

#define IPV4_HDR 20
#define IPV6_HDR 40
#define TTL 64
#define ICMP6_ECHO_REPLY 129

/* Is it to us and from somebody to whom an answer can go? */
static bool
is_answerable(const struct sc_intercept *ic, const struct ic_view *v, const struct sc_addr *src,
		const struct sc_addr *dst)
{
	/* Half of the queue is for ARP and ND: a flood of echo must not cut us off. */
	return ic_frame_room(ic) > IC_OUT_MAX / 2 && ic_is_box(ic->cfg.targets, dst)
			&& memcmp(v->l2.dst, ic->cfg.port->mac, 6) == 0 && !sc_addr_is_no_host(src)
			&& !ic_is_box(ic->cfg.targets, src);
}

/* A frame with room for hdr bytes of IP and the message of the request copied behind them. */
static uint8_t *
reply_new(struct sc_intercept *ic, const struct ic_view *v, uint16_t hdr, struct rte_mbuf **m)
{
	uint16_t len = v->ip_len - v->ip_hdr;
	uint8_t *ip = ic_frame_new(ic, v->l2.src, v->l2.type, hdr + len, m);
	const void *data;

	if (ip == NULL)
		return NULL;
	data = rte_pktmbuf_read(v->m, v->l2.off + v->ip_hdr, len, ip + hdr);
	if (data != ip + hdr)
		memcpy(ip + hdr, data, len);
	return ip;
}

static void
echo4(struct sc_intercept *ic, const struct ic_view *v)
{
	uint16_t len = v->ip_len - v->ip_hdr;
	struct sc_addr src, dst;
	struct rte_mbuf *m;
	uint32_t addr;
	uint8_t *ip;

	memcpy(&addr, v->p + 12, 4);
	sc_addr_from_v4(&src, addr);
	memcpy(&addr, v->p + 16, 4);
	sc_addr_from_v4(&dst, addr);
	if (!is_answerable(ic, v, &src, &dst))
		return;
	ip = reply_new(ic, v, IPV4_HDR, &m);
	if (ip == NULL)
		return;
	if (sc_packet_sum(ip + IPV4_HDR, len) != 0xffff) {
		rte_pktmbuf_free(m);
		return;
	}
	ip[0] = 0x45;
	ic_put16(ip + 2, IPV4_HDR + len);
	ic_put16(ip + 6, 0x4000);
	ip[8] = TTL;
	ip[9] = IPPROTO_ICMP;
	memcpy(ip + 12, &dst.u32[3], 4);
	memcpy(ip + 16, &src.u32[3], 4);
	ic_put16(ip + 10, (uint16_t)~sc_packet_sum(ip, IPV4_HDR));
	ip[IPV4_HDR] = 0; /* echo reply */
	ic_put16(ip + IPV4_HDR + 2, 0);
	ic_put16(ip + IPV4_HDR + 2, (uint16_t)~sc_packet_sum(ip + IPV4_HDR, len));
	ic_frame_send(ic, m);
}

static void
echo6(struct sc_intercept *ic, const struct ic_view *v)
{
	uint16_t len = v->ip_len - IPV6_HDR;
	struct sc_addr src, dst;
	struct rte_mbuf *m;
	uint8_t *ip;

	memcpy(src.b, v->p + 8, 16);
	memcpy(dst.b, v->p + 24, 16);
	if (!is_answerable(ic, v, &src, &dst))
		return;
	ip = reply_new(ic, v, IPV6_HDR, &m);
	if (ip == NULL)
		return;
	ip[0] = 0x60;
	ic_put16(ip + 4, len);
	ip[6] = IPPROTO_ICMPV6;
	ip[7] = TTL;
	memcpy(ip + 8, dst.b, 16);
	memcpy(ip + 24, src.b, 16);
	/* The pseudo-header's sum is the same both ways, so this judges the request. */
	if (ic_icmp6_sum(ip, len) != 0xffff) {
		rte_pktmbuf_free(m);
		return;
	}
	ip[IPV6_HDR] = ICMP6_ECHO_REPLY;
	ic_put16(ip + IPV6_HDR + 2, 0);
	ic_put16(ip + IPV6_HDR + 2, (uint16_t)~ic_icmp6_sum(ip, len));
	ic_frame_send(ic, m);
}

void
ic_echo_input(struct sc_intercept *ic, const struct ic_view *v)
{
	if (v->kind == IC_KIND_ECHO4)
		echo4(ic, v);
	else
		echo6(ic, v);
}
