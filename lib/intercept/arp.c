/* SPDX-License-Identifier: BSD-3-Clause */
/* ARP (RFC 826), its probes (RFC 5227): bytes to message and back. */
#include <string.h>

#include <rte_arp.h>

#include "ic.h"

static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

void
ic_arp_input(struct sc_intercept *ic, const struct ic_view *v, uint64_t now_us)
{
	struct ic_msg msg = {0};
	struct sc_addr told;
	struct rte_arp_hdr arp;
	uint16_t op;

	memcpy(&arp, v->p, sizeof(arp));
	op = rte_be_to_cpu_16(arp.arp_opcode);
	if (arp.arp_hardware != RTE_BE16(RTE_ARP_HRD_ETHER)
			|| arp.arp_protocol != RTE_BE16(RTE_ETHER_TYPE_IPV4)
			|| arp.arp_hlen != sizeof(msg.mac) || arp.arp_plen != sizeof(uint32_t)
			|| (op != RTE_ARP_OP_REQUEST && op != RTE_ARP_OP_REPLY))
		return;
	memcpy(msg.mac, arp.arp_data.arp_sha.addr_bytes, sizeof(msg.mac));
	sc_addr_from_v4(&msg.sender, arp.arp_data.arp_sip);
	sc_addr_from_v4(&told, arp.arp_data.arp_tip);
	msg.is_ask = op == RTE_ARP_OP_REQUEST;
	msg.target = msg.is_ask ? told : msg.sender;
	msg.to_us = !msg.is_ask && ic_is_box(ic->cfg.targets, &told)
			&& memcmp(v->l2.dst, ic->cfg.port->mac, sizeof(v->l2.dst)) == 0;
	ic_message(ic, &msg, now_us);
}

static bool
arp_send(struct sc_intercept *ic, const uint8_t dst[6], const struct rte_arp_hdr *arp)
{
	struct rte_mbuf *m;
	uint8_t *p = ic_frame_new(ic, dst, RTE_ETHER_TYPE_ARP, sizeof(*arp), &m);

	if (p == NULL)
		return false;
	memcpy(p, arp, sizeof(*arp));
	ic_frame_send(ic, m);
	return true;
}

static struct rte_arp_hdr
arp_new(const struct sc_intercept *ic, uint16_t op)
{
	struct rte_arp_hdr arp = {.arp_hardware = RTE_BE16(RTE_ARP_HRD_ETHER),
			.arp_protocol = RTE_BE16(RTE_ETHER_TYPE_IPV4),
			.arp_hlen = 6,
			.arp_plen = 4,
			.arp_opcode = rte_cpu_to_be_16(op)};

	memcpy(arp.arp_data.arp_sha.addr_bytes, ic->cfg.port->mac, 6);
	return arp;
}

bool
ic_arp_ask(struct sc_intercept *ic, const struct sc_addr *sender, const struct sc_addr *target,
		const uint8_t *mac)
{
	struct rte_arp_hdr arp = arp_new(ic, RTE_ARP_OP_REQUEST);

	arp.arp_data.arp_sip = sender != NULL ? sc_addr_v4_be(sender) : 0;
	arp.arp_data.arp_tip = sc_addr_v4_be(target);
	return arp_send(ic, mac != NULL ? mac : broadcast, &arp);
}

void
ic_arp_answer(struct sc_intercept *ic, const struct ic_msg *msg)
{
	struct rte_arp_hdr arp = arp_new(ic, RTE_ARP_OP_REPLY);

	arp.arp_data.arp_sip = sc_addr_v4_be(&msg->target);
	arp.arp_data.arp_tip = sc_addr_v4_be(&msg->sender);
	memcpy(arp.arp_data.arp_tha.addr_bytes, msg->mac, 6);
	arp_send(ic, msg->mac, &arp);
}
