/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Next hops: asked for until they answer, verified while they are used. A MAC that changes is
 * believed only when the old one is silent and the new one has answered us itself.
 */
#include <string.h>

#include "ic.h"

#define TRIES 3 /* MAX_MULTICAST_SOLICIT and MAX_UNICAST_SOLICIT of RFC 4861 section 10 */
#define RETRY_US SC_US_PER_S
#define FAILED_RETRY_US (5 * SC_US_PER_S)
#define VERIFY_US (30 * SC_US_PER_S)

#define MAC_FMT "%02x:%02x:%02x:%02x:%02x:%02x"
#define MAC_ARG(m) (m)[0], (m)[1], (m)[2], (m)[3], (m)[4], (m)[5]

static void
enter(struct sc_intercept *ic, struct ic_hop *hop, enum ic_phase phase, uint64_t due_us)
{
	hop->phase = (uint8_t)phase;
	hop->tries = 0;
	hop->due_us = due_us;
	ic->hops_due_us = SC_MIN(ic->hops_due_us, due_us);
}

static struct sc_nexthop *
public_of(const struct sc_intercept *ic, const struct ic_hop *hop)
{
	return &ic->cfg.targets->nexthop[hop - ic->hop];
}

/* The hop's MAC is proven: by its own answer to us. */
static void
adopt(struct sc_intercept *ic, struct ic_hop *hop, const uint8_t mac[6], uint64_t now_us)
{
	struct sc_nexthop *nh = public_of(ic, hop);
	bool is_new = !hop->has_mac || memcmp(hop->mac, mac, 6) != 0;
	char text[SC_ADDR_STRLEN];

	if (is_new && hop->has_mac)
		sc_log(SC_LOG_WARN, IC_AREA,
				"next hop %s moved from " MAC_FMT ", which is silent, to " MAC_FMT,
				sc_addr_format(&nh->addr, text), MAC_ARG(hop->mac), MAC_ARG(mac));
	else if (is_new || atomic_load(&nh->word) >> 56 == SC_NEIGH_FAILED)
		sc_log(SC_LOG_NOTICE, IC_AREA, "next hop %s is at " MAC_FMT,
				sc_addr_format(&nh->addr, text), MAC_ARG(mac));
	memmove(hop->mac, mac, 6);
	hop->has_mac = true;
	ic_nexthop_set(nh, SC_NEIGH_REACHABLE, hop->mac);
	if (is_new)
		atomic_fetch_add(&nh->version, 1);
	enter(ic, hop, IC_KNOWN, now_us + VERIFY_US);
}

/* Another MAC than the known one claims the address. */
static void
contend(struct sc_intercept *ic, struct ic_hop *hop, const struct ic_msg *msg, uint64_t now_us)
{
	if (msg->mac_is_guess)
		return;
	if (hop->phase == IC_CHALLENGE || hop->phase == IC_CONFIRM)
		return;
	/* At most one challenge a second, whatever is claimed. */
	if (hop->challenged_us != 0 && now_us - hop->challenged_us < RETRY_US)
		return;
	hop->challenged_us = now_us;
	memcpy(hop->candidate, msg->mac, 6);
	ic_nexthop_set(public_of(ic, hop), SC_NEIGH_STALE, hop->mac);
	enter(ic, hop, IC_CHALLENGE, now_us);
}

/* The known MAC answered us. */
static void
confirm(struct sc_intercept *ic, struct ic_hop *hop, uint64_t now_us)
{
	struct sc_nexthop *nh = public_of(ic, hop);
	char text[SC_ADDR_STRLEN];

	if (hop->phase == IC_KNOWN)
		return;
	if (hop->phase == IC_CHALLENGE || hop->phase == IC_CONFIRM)
		sc_log(SC_LOG_WARN, IC_AREA,
				"address_conflict: next hop %s is claimed by " MAC_FMT
				" and " MAC_FMT ": the first is used, because it still answers",
				sc_addr_format(&nh->addr, text), MAC_ARG(hop->mac),
				MAC_ARG(hop->candidate));
	adopt(ic, hop, hop->mac, now_us);
}

static void
resolving_seen(struct sc_intercept *ic, struct ic_hop *hop, const struct ic_msg *msg,
		uint64_t now_us)
{
	/* RFC 4861 section 7.2.5: an answer without link-layer address resolves nothing. */
	if (msg->to_us && !msg->mac_is_guess)
		adopt(ic, hop, msg->mac, now_us);
	else if (!msg->to_us && hop->tries > TRIES)
		enter(ic, hop, IC_RESOLVE, now_us); /* it lives: ask at once */
}

static struct ic_hop *
find_hop(struct sc_intercept *ic, const struct sc_addr *addr)
{
	const struct sc_targets *ts = ic->cfg.targets;

	for (unsigned int i = 0; i < ts->nb_nexthops; i++)
		if (sc_addr_eq(&ts->nexthop[i].addr, addr))
			return &ic->hop[i];
	return NULL;
}

void
ic_hop_seen(struct sc_intercept *ic, const struct ic_msg *msg, uint64_t now_us)
{
	struct ic_hop *hop = ic->cfg.targets->is_static ? NULL : find_hop(ic, &msg->sender);
	bool is_answer_of_candidate;

	if (hop == NULL)
		return;
	is_answer_of_candidate = hop->phase == IC_CONFIRM && msg->to_us
			&& memcmp(hop->candidate, msg->mac, 6) == 0;
	if (hop->phase == IC_RESOLVE) {
		resolving_seen(ic, hop, msg, now_us);
	} else if (memcmp(hop->mac, msg->mac, 6) == 0) {
		if (msg->to_us)
			confirm(ic, hop, now_us);
	} else if (is_answer_of_candidate) {
		adopt(ic, hop, msg->mac, now_us);
	} else {
		contend(ic, hop, msg, now_us);
	}
}

static void
log_failed(const struct sc_intercept *ic, const struct sc_nexthop *nh, const struct sc_addr *box)
{
	bool is_v4 = sc_addr_is_v4(&nh->addr);
	char hop[SC_ADDR_STRLEN], own[SC_ADDR_STRLEN];

	sc_log(SC_LOG_WARN, IC_AREA,
			"next hop %s does not answer %s requests from %s on port %s: is it up, in "
			"the "
			"same network, and is the VLAN right? It is asked every 5 s",
			sc_addr_format(&nh->addr, hop), is_v4 ? "ARP" : "neighbour discovery",
			sc_addr_format(box, own), ic->cfg.port->name);
}

/* All tries of a phase are used up. */
static void
give_up(struct sc_intercept *ic, struct ic_hop *hop, const struct sc_addr *box, uint64_t now_us)
{
	struct sc_nexthop *nh = public_of(ic, hop);

	if (hop->phase == IC_RESOLVE) {
		if (atomic_load(&nh->word) >> 56 != SC_NEIGH_FAILED)
			log_failed(ic, nh, box);
		ic_nexthop_set(nh, SC_NEIGH_FAILED, hop->mac);
	} else {
		enter(ic, hop, hop->phase == IC_CHALLENGE ? IC_CONFIRM : IC_RESOLVE, now_us);
	}
}

static void
hop_due(struct sc_intercept *ic, struct ic_hop *hop, uint64_t now_us)
{
	struct sc_nexthop *nh = public_of(ic, hop);
	const struct sc_addr *box = ic_box_for(ic->cfg.targets, &nh->addr);
	const uint8_t *mac;

	if (hop->phase == IC_KNOWN) {
		ic_nexthop_set(nh, SC_NEIGH_STALE, hop->mac);
		enter(ic, hop, IC_VERIFY, now_us);
	} else if (hop->tries == TRIES) {
		give_up(ic, hop, box, now_us);
	}
	mac = hop->phase == IC_CONFIRM ? hop->candidate : hop->mac;
	if (!ic_ask(ic, box, &nh->addr, hop->phase == IC_RESOLVE ? NULL : mac))
		return; /* no frame to be had: the next tick tries again */
	hop->tries = (uint8_t)SC_MIN(hop->tries + 1, TRIES + 1);
	hop->due_us = now_us + (hop->tries > TRIES ? FAILED_RETRY_US : RETRY_US);
}

void
ic_hops_tick(struct sc_intercept *ic, uint64_t now_us)
{
	const struct sc_targets *ts = ic->cfg.targets;
	uint64_t next = UINT64_MAX;

	if (ts->is_static || now_us < ic->hops_due_us)
		return;
	for (unsigned int i = 0; i < ts->nb_nexthops; i++) {
		if (ic->hop[i].due_us <= now_us)
			hop_due(ic, &ic->hop[i], now_us);
		next = SC_MIN(next, ic->hop[i].due_us);
	}
	ic->hops_due_us = next;
}
