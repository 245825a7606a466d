/* SPDX-License-Identifier: BSD-3-Clause */
/* The target table: who may answer us, and through which next hop it is reached. */
#include <errno.h>
#include <string.h>

#include "ic.h"

static uint32_t
slot_of(const struct sc_addr *addr, uint16_t port)
{
	return ic_hash(addr, port) & (SC_TARGET_SLOTS - 1);
}

int
sc_targets_find(const struct sc_targets *ts, const struct sc_addr *addr, uint16_t port)
{
	uint32_t at = slot_of(addr, port);

	for (; ts->slot[at] != 0; at = (at + 1) & (SC_TARGET_SLOTS - 1)) {
		const struct sc_target *t = &ts->t[ts->slot[at] - 1];

		if (t->port == port && sc_addr_eq(&t->addr, addr))
			return ts->slot[at] - 1;
	}
	return -1;
}

enum sc_neigh_state
sc_nexthop_get(const struct sc_nexthop *nh, uint8_t mac[6])
{
	uint64_t word = atomic_load_explicit(&nh->word, memory_order_acquire);

	for (int i = 0; i < 6; i++)
		mac[i] = (uint8_t)(word >> (40 - 8 * i));
	return (enum sc_neigh_state)(word >> 56);
}

void
ic_nexthop_set(struct sc_nexthop *nh, enum sc_neigh_state state, const uint8_t mac[6])
{
	uint64_t word = (uint64_t)state << 56;

	for (int i = 0; i < 6; i++)
		word |= (uint64_t)mac[i] << (40 - 8 * i);
	atomic_store_explicit(&nh->word, word, memory_order_release);
}

static bool
is_link_local(const struct sc_addr *a)
{
	return !sc_addr_is_v4(a) && a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

bool
ic_is_box(const struct sc_targets *ts, const struct sc_addr *a)
{
	for (unsigned int i = 0; i < ts->nb_box; i++)
		if (sc_addr_eq(&ts->box[i].addr, a))
			return true;
	return false;
}

bool
ic_is_on_link(const struct sc_targets *ts, const struct sc_addr *a)
{
	for (unsigned int i = 0; i < ts->nb_box; i++)
		if (sc_prefix_contains(&ts->box[i], a))
			return true;
	return is_link_local(a);
}

const struct sc_addr *
ic_box_for(const struct sc_targets *ts, const struct sc_addr *peer)
{
	const struct sc_addr *same_family = NULL;

	for (unsigned int i = 0; i < ts->nb_box; i++) {
		if (sc_prefix_contains(&ts->box[i], peer))
			return &ts->box[i].addr;
		if (same_family == NULL && sc_addr_is_v4(&ts->box[i].addr) == sc_addr_is_v4(peer))
			same_family = &ts->box[i].addr;
	}
	return same_family;
}

bool
ic_is_asker(const struct sc_targets *ts, const struct sc_addr *a, const uint8_t mac[6])
{
	uint8_t known[6];

	for (unsigned int i = 0; i < ts->nb; i++)
		if (sc_addr_eq(&ts->t[i].addr, a))
			return true;
	for (unsigned int i = 0; i < ts->nb_nexthops; i++) {
		if (sc_addr_eq(&ts->nexthop[i].addr, a))
			return true;
		/*
		 * Routers, and hosts that probe a neighbour's reachability, ask from their
		 * link-local address (RFC 4861 section 7.3.3): such a one is told by its MAC.
		 */
		if (is_link_local(a) && sc_nexthop_get(&ts->nexthop[i], known) != SC_NEIGH_NONE
				&& memcmp(known, mac, sizeof(known)) == 0)
			return true;
	}
	return false;
}

/* What sc_targets_build() is given, and its words for errors. */
struct build {
	struct sc_targets *ts;
	const struct sc_addr *gateways;
	unsigned int nb_gateways;
	const uint8_t *static_mac;
	struct sc_err *err;
};

static const char *
family(const struct sc_addr *a)
{
	return sc_addr_is_v4(a) ? "IPv4" : "IPv6";
}

/* The gateway of the target's family that is on our link. */
static const struct sc_addr *
gateway_for(const struct build *b, const struct sc_addr *target)
{
	for (unsigned int i = 0; i < b->nb_gateways; i++) {
		const struct sc_addr *gw = &b->gateways[i];

		if (sc_addr_is_v4(gw) == sc_addr_is_v4(target) && ic_is_on_link(b->ts, gw))
			return gw;
	}
	return NULL;
}

/* 0 and *hop, or a sentence. */
static int
choose_hop(const struct build *b, const struct sc_rule *r, const struct sc_addr **hop)
{
	char text[SC_ENDPOINT_STRLEN];

	sc_endpoint_format(&r->target, r->target_port, text);
	*hop = &r->target;
	if (ic_is_box(b->ts, &r->target))
		return sc_err_set(b->err, -EINVAL,
				"target %s is the test port's own address: give the target's",
				text);
	if (b->static_mac != NULL)
		return 0;
	if (ic_box_for(b->ts, &r->target) == NULL)
		return sc_err_set(b->err, -EINVAL,
				"target %s: the test port has no %s address: add one with "
				"--test-address",
				text, family(&r->target));
	if (ic_is_on_link(b->ts, &r->target))
		return 0;
	*hop = gateway_for(b, &r->target);
	if (*hop == NULL)
		return sc_err_set(b->err, -EINVAL,
				"target %s lies in no network of --test-address, and no %s gateway "
				"inside one is given: add it, or correct the prefix length",
				text, family(&r->target));
	return 0;
}

static uint16_t
add_hop(const struct build *b, const struct sc_addr *addr)
{
	struct sc_targets *ts = b->ts;
	struct sc_nexthop *nh;

	for (unsigned int i = 0; i < ts->nb_nexthops; i++)
		if (sc_addr_eq(&ts->nexthop[i].addr, addr))
			return (uint16_t)i;
	nh = &ts->nexthop[ts->nb_nexthops];
	nh->addr = *addr;
	if (b->static_mac != NULL) {
		ic_nexthop_set(nh, SC_NEIGH_REACHABLE, b->static_mac);
		atomic_store(&nh->version, 1);
	}
	return (uint16_t)ts->nb_nexthops++;
}

static int
add_target(const struct build *b, const struct sc_rule *r)
{
	struct sc_targets *ts = b->ts;
	const struct sc_addr *hop;
	uint32_t at;
	int rc;

	if (sc_targets_find(ts, &r->target, r->target_port) >= 0)
		return 0;
	if (ts->nb == SC_TARGETS_MAX)
		return sc_err_set(b->err, -E2BIG, "more than %d targets in --map", SC_TARGETS_MAX);
	rc = choose_hop(b, r, &hop);
	if (rc < 0)
		return rc;
	ts->t[ts->nb] = (struct sc_target){
			.addr = r->target, .port = r->target_port, .nexthop = add_hop(b, hop)};
	at = slot_of(&r->target, r->target_port);
	while (ts->slot[at] != 0)
		at = (at + 1) & (SC_TARGET_SLOTS - 1);
	ts->slot[at] = (uint16_t)++ts->nb;
	return 0;
}

int
sc_targets_build(struct sc_targets *ts, const struct sc_rule *rules, unsigned int nb_rules,
		const struct sc_prefix *box, unsigned int nb_box, const struct sc_addr *gateways,
		unsigned int nb_gateways, const uint8_t *static_mac, struct sc_err *err)
{
	const struct build b = {ts, gateways, nb_gateways, static_mac, err};

	memset(ts, 0, sizeof(*ts));
	if (nb_box > SC_BOX_ADDRS_MAX)
		return sc_err_set(err, -E2BIG, "%u addresses for the test port: at most %d", nb_box,
				SC_BOX_ADDRS_MAX);
	for (unsigned int i = 0; i < nb_box; i++)
		ts->box[i] = box[i];
	ts->nb_box = nb_box;
	ts->is_static = static_mac != NULL;
	for (unsigned int i = 0; i < nb_rules; i++) {
		int rc = add_target(&b, &rules[i]);

		if (rc < 0)
			return rc;
	}
	return 0;
}
