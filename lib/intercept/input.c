/* SPDX-License-Identifier: BSD-3-Clause */
/* What a neighbour's message means to us: a next hop, a conflict, or a question. */
#include <string.h>

#include "ic.h"

bool
ic_ask(struct sc_intercept *ic, const struct sc_addr *sender, const struct sc_addr *target,
		const uint8_t *mac)
{
	if (sc_addr_is_v4(target))
		return ic_arp_ask(ic, sender, target, mac);
	return ic_nd_ask(ic, sender, target, mac);
}

static void
answer(struct sc_intercept *ic, const struct ic_msg *msg)
{
	if (sc_addr_is_v4(&msg->target))
		ic_arp_answer(ic, msg);
	else
		ic_nd_answer(ic, msg);
}

/* A station's MAC: neither a group nor nothing, and not ours (a switch may send us our own). */
static bool
is_foreign_mac(const struct sc_intercept *ic, const uint8_t mac[6])
{
	static const uint8_t zero[6];

	return (mac[0] & 1) == 0 && memcmp(mac, zero, 6) != 0
			&& memcmp(mac, ic->cfg.port->mac, 6) != 0;
}

static void
box_claimed(struct sc_intercept *ic, const struct ic_msg *msg)
{
	const struct sc_targets *ts = ic->cfg.targets;
	char text[SC_ADDR_STRLEN];

	for (unsigned int i = 0; i < ts->nb_box; i++) {
		if (ic->box_conflict[i] || !sc_addr_eq(&ts->box[i].addr, &msg->sender))
			continue;
		ic->box_conflict[i] = true;
		sc_log(SC_LOG_ERR, IC_AREA,
				"address_conflict: %s of --test-address is also used by "
				"%02x:%02x:%02x:%02x:%02x:%02x: give the test port another one",
				sc_addr_format(&msg->sender, text), msg->mac[0], msg->mac[1],
				msg->mac[2], msg->mac[3], msg->mac[4], msg->mac[5]);
	}
}

/* May the asker have an answer? */
static bool
is_answered(const struct sc_intercept *ic, const struct ic_msg *msg)
{
	const struct sc_targets *ts = ic->cfg.targets;

	if (ic_is_box(ts, &msg->target))
		return sc_addr_is_zero(&msg->sender) || ic_is_on_link(ts, &msg->sender);
	return ic_pool_is_ours(&ic->pool, &msg->target) && ic_is_asker(ts, &msg->sender, msg->mac);
}

void
ic_message(struct sc_intercept *ic, const struct ic_msg *msg, uint64_t now_us)
{
	if (!is_foreign_mac(ic, msg->mac))
		return;
	if (sc_addr_is_zero(&msg->sender)) {
		ic_pool_claimed(&ic->pool, &msg->target, msg->mac, true);
	} else {
		box_claimed(ic, msg);
		ic_pool_claimed(&ic->pool, &msg->sender, msg->mac, false);
		ic_hop_seen(ic, msg, now_us);
	}
	if (msg->is_ask && is_answered(ic, msg))
		answer(ic, msg);
}

void
ic_view_handle(struct sc_intercept *ic, const struct ic_view *v, uint64_t now_us)
{
	bool is_for_us = (v->l2.dst[0] & 1) != 0 || memcmp(v->l2.dst, ic->cfg.port->mac, 6) == 0;

	if (!is_for_us || v->l2.vid != (ic->cfg.vlan_tci & 0xfff))
		return;
	if (v->kind == IC_KIND_ARP)
		ic_arp_input(ic, v, now_us);
	else if (v->kind == IC_KIND_ND)
		ic_nd_input(ic, v, now_us);
	else
		ic_echo_input(ic, v);
}
