/* SPDX-License-Identifier: BSD-3-Clause */
/* Neighbour discovery (RFC 4861) and duplicate address detection (RFC 4862): bytes to message. */
#include <netinet/in.h>
#include <string.h>

#include "ic.h"

#define IPV6_HDR 40
#define ND_SOLICIT 135
#define ND_ADVERT 136
#define ND_LEN 24 /* type, code, checksum, flags, target */
#define ND_SOLICITED 0x40
#define OPT_SOURCE 1
#define OPT_TARGET 2
#define OPT_LEN 8 /* a link-layer address of Ethernet */

static const struct sc_addr all_nodes = {.b = {[0] = 0xff, [1] = 0x02, [15] = 0x01}};

uint16_t
ic_icmp6_sum(const uint8_t *ip, uint16_t len)
{
	/* The addresses stand right before the message; length and next header are added. */
	uint32_t sum = sc_packet_sum(ip + 8, 32u + len) + (uint32_t)len + IPPROTO_ICMPV6;

	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* The link-layer option of this type; false if the options are malformed. */
static bool
find_option(const uint8_t *p, uint16_t len, uint8_t type, const uint8_t **mac)
{
	*mac = NULL;
	while (len > 0) {
		uint16_t opt_len;

		if (len < 2)
			return false;
		opt_len = p[1] * 8;
		if (opt_len == 0 || opt_len > len)
			return false;
		if (p[0] == type && opt_len == OPT_LEN && *mac == NULL)
			*mac = p + 2;
		p += opt_len;
		len -= opt_len;
	}
	return true;
}

/* RFC 4861 sections 7.1.1 and 7.1.2: what must be so in both kinds of message. */
static bool
is_valid(const struct ic_view *v)
{
	const uint8_t *icmp = v->p + IPV6_HDR;
	uint16_t len = v->ip_len - IPV6_HDR;

	return v->ip_len <= v->len && len >= ND_LEN && v->p[7] == 255 && icmp[1] == 0
			&& icmp[8] != 0xff && ic_icmp6_sum(v->p, len) == 0xffff;
}

static void
solicited_node(const struct sc_addr *target, struct sc_addr *group)
{
	*group = (struct sc_addr){.b = {[0] = 0xff, [1] = 0x02, [11] = 0x01, [12] = 0xff}};
	memcpy(group->b + 13, target->b + 13, 3);
}

static bool
read_solicit(const struct ic_view *v, struct ic_msg *msg)
{
	const uint8_t *icmp = v->p + IPV6_HDR, *option;
	struct sc_addr dst, group;

	if (!find_option(icmp + ND_LEN, v->ip_len - IPV6_HDR - ND_LEN, OPT_SOURCE, &option))
		return false;
	msg->is_ask = true;
	memcpy(msg->sender.b, v->p + 8, 16);
	memcpy(msg->mac, option != NULL ? option : v->l2.src, 6);
	if (!sc_addr_is_zero(&msg->sender))
		return true;
	memcpy(dst.b, v->p + 24, 16);
	solicited_node(&msg->target, &group);
	return option == NULL && sc_addr_eq(&dst, &group);
}

static bool
read_advert(const struct sc_intercept *ic, const struct ic_view *v, struct ic_msg *msg)
{
	const uint8_t *icmp = v->p + IPV6_HDR, *option;
	bool is_solicited = (icmp[4] & ND_SOLICITED) != 0;
	struct sc_addr dst;

	if (!find_option(icmp + ND_LEN, v->ip_len - IPV6_HDR - ND_LEN, OPT_TARGET, &option))
		return false;
	memcpy(dst.b, v->p + 24, 16);
	if (sc_addr_is_multicast(&dst) && is_solicited)
		return false;
	msg->sender = msg->target;
	msg->mac_is_guess = option == NULL;
	memcpy(msg->mac, option != NULL ? option : v->l2.src, 6);
	msg->to_us = is_solicited && ic_is_box(ic->cfg.targets, &dst);
	return true;
}

void
ic_nd_input(struct sc_intercept *ic, const struct ic_view *v, uint64_t now_us)
{
	struct ic_msg msg = {0};
	uint8_t type = v->p[IPV6_HDR];
	bool is_good;

	if ((type != ND_SOLICIT && type != ND_ADVERT) || !is_valid(v))
		return;
	memcpy(msg.target.b, v->p + IPV6_HDR + 8, 16);
	is_good = type == ND_SOLICIT ? read_solicit(v, &msg) : read_advert(ic, v, &msg);
	/* An IPv4-mapped address has no place on the wire; here it would pass for an IPv4 one. */
	if (is_good && !sc_addr_is_v4(&msg.target) && !sc_addr_is_v4(&msg.sender))
		ic_message(ic, &msg, now_us);
}

/* What a message of ours says. */
struct nd_out {
	uint8_t type, flags, opt_type; /* opt_type 0: no link-layer option */
	const struct sc_addr *src, *dst, *target;
	const uint8_t *mac; /* where to; NULL: the multicast of dst */
};

static bool
nd_send(struct sc_intercept *ic, const struct nd_out *o)
{
	uint16_t len = ND_LEN + (o->opt_type != 0 ? OPT_LEN : 0);
	uint8_t group[6] = {0x33, 0x33};
	struct rte_mbuf *m;
	uint8_t *ip, *icmp;

	memcpy(group + 2, o->dst->b + 12, 4); /* RFC 2464 section 7 */
	ip = ic_frame_new(ic, o->mac != NULL ? o->mac : group, RTE_ETHER_TYPE_IPV6, IPV6_HDR + len,
			&m);
	if (ip == NULL)
		return false;
	ip[0] = 0x60;
	ic_put16(ip + 4, len);
	ip[6] = IPPROTO_ICMPV6;
	ip[7] = 255;
	if (o->src != NULL)
		memcpy(ip + 8, o->src->b, 16);
	memcpy(ip + 24, o->dst->b, 16);
	icmp = ip + IPV6_HDR;
	icmp[0] = o->type;
	icmp[4] = o->flags;
	memcpy(icmp + 8, o->target->b, 16);
	if (o->opt_type != 0) {
		icmp[ND_LEN] = o->opt_type;
		icmp[ND_LEN + 1] = 1;
		memcpy(icmp + ND_LEN + 2, ic->cfg.port->mac, 6);
	}
	ic_put16(icmp + 2, (uint16_t)~ic_icmp6_sum(ip, len));
	ic_frame_send(ic, m);
	return true;
}

bool
ic_nd_ask(struct sc_intercept *ic, const struct sc_addr *sender, const struct sc_addr *target,
		const uint8_t *mac)
{
	struct sc_addr group;
	struct nd_out o = {.type = ND_SOLICIT,
			.opt_type = sender != NULL ? OPT_SOURCE : 0,
			.src = sender,
			.dst = mac != NULL ? target : &group,
			.target = target,
			.mac = mac};

	solicited_node(target, &group);
	return nd_send(ic, &o);
}

void
ic_nd_answer(struct sc_intercept *ic, const struct ic_msg *msg)
{
	/* Duplicate address detection is answered to all nodes (RFC 4861 section 7.2.4). */
	bool is_dad = sc_addr_is_zero(&msg->sender);
	struct nd_out o = {.type = ND_ADVERT,
			.flags = is_dad ? 0 : ND_SOLICITED, /* never Override */
			.opt_type = OPT_TARGET,
			.src = &msg->target,
			.dst = is_dad ? &all_nodes : &msg->sender,
			.target = &msg->target,
			.mac = is_dad ? NULL : msg->mac};

	nd_send(ic, &o);
}
