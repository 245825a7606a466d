/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guard: looks at every frame before it leaves: a mistake anywhere else must not reach a host that is
 * not a target. There is no switch for it.
 */
#include "guard.h"

#include <string.h>

#include <rte_arp.h>
#include <rte_tcp.h>

#define SLOTS_MIN 64u /* four cache lines of sources: most frames then meet a free slot at once */
#define ICMP_ECHO_REPLY 0
#define ICMP6_ECHO_REPLY 129
#define ICMP6_ND_SOLICIT 135
#define ICMP6_ND_ADVERT 136

/* Where the network header begins; 0 when the frame is too short. */
static uint16_t
skip_tags(const struct rte_mbuf *m, uint16_t *ether_type)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	uint16_t off = 12;

	do {
		if (off + 2u + 40u > m->data_len && off + 2u + 28u > m->data_len)
			return 0;
		*ether_type = (uint16_t)(p[off] << 8 | p[off + 1]);
		off += *ether_type == RTE_ETHER_TYPE_VLAN || *ether_type == RTE_ETHER_TYPE_QINQ ? 4
												: 2;
	} while ((*ether_type == RTE_ETHER_TYPE_VLAN || *ether_type == RTE_ETHER_TYPE_QINQ)
			&& off < 22);
	return off;
}

struct ends {
	struct sc_addr src, dst;
	uint16_t dport;
	uint8_t proto, icmp_type;
};

/* Addresses, protocol and port of a frame of ours: no options, no extension headers. */
static bool
read_ends(const struct rte_mbuf *m, uint16_t off, uint16_t ether_type, struct ends *e)
{
	const uint8_t *p = rte_pktmbuf_mtod_offset(m, const uint8_t *, off);
	bool is_v4 = ether_type == RTE_ETHER_TYPE_IPV4;
	uint16_t l4 = is_v4 ? 20 : 40;

	if (!is_v4 && ether_type != RTE_ETHER_TYPE_IPV6)
		return false;
	if (off + l4 + 4u > m->data_len)
		return false;
	if (is_v4 ? p[0] != 0x45 : p[0] >> 4 != 6)
		return false;
	if (is_v4) {
		const struct rte_ipv4_hdr *ip = (const void *)p;

		sc_addr_from_v4(&e->src, ip->src_addr);
		sc_addr_from_v4(&e->dst, ip->dst_addr);
		e->proto = ip->next_proto_id;
	} else {
		memcpy(e->src.b, p + 8, 16);
		memcpy(e->dst.b, p + 24, 16);
		e->proto = p[6];
	}
	e->icmp_type = p[l4];
	e->dport = (uint16_t)(p[l4 + 2] << 8 | p[l4 + 3]);
	return true;
}

static bool
is_bad_source(const struct sc_targets *ts, const struct sc_addr *src)
{
	if (sc_addr_is_no_host(src))
		return true;
	if (sc_addr_is_v4(src) && sc_addr_v4_be(src) == UINT32_MAX)
		return true;
	for (unsigned int i = 0; i < ts->nb; i++)
		if (sc_addr_eq(&ts->t[i].addr, src))
			return true;
	for (unsigned int i = 0; i < ts->nb_nexthops; i++)
		if (sc_addr_eq(&ts->nexthop[i].addr, src))
			return true;
	for (unsigned int i = 0; i < ts->nb_box; i++)
		if (sc_addr_eq(&ts->box[i].addr, src))
			return true;
	return false;
}

static bool
is_production(const struct sc_config *cfg, const struct sc_addr *src)
{
	for (unsigned int i = 0; i < cfg->nb_rules; i++)
		if (cfg->rule[i].has_prod && sc_addr_eq(&cfg->rule[i].prod, src))
			return true;
	return false;
}

enum sc_reason
guard_replay(const struct sc_box *box, const struct rte_mbuf *m)
{
	const struct sc_targets *ts = box->targets;
	uint16_t ether_type, off = skip_tags(m, &ether_type);
	struct ends e;
	static const uint8_t none[6] = {0}; /* of a next hop that never answered */
	uint8_t mac[6];
	int t;

	if (off == 0 || !read_ends(m, off, ether_type, &e) || e.proto != IPPROTO_TCP)
		return SC_R_GUARD_TARGET;
	t = sc_targets_find(ts, &e.dst, e.dport);
	if (t < 0)
		return SC_R_GUARD_TARGET;
	if (sc_nexthop_get(&ts->nexthop[ts->t[t].nexthop], mac) == SC_NEIGH_NONE
			|| memcmp(mac, none, 6) == 0
			|| memcmp(mac, rte_pktmbuf_mtod(m, const uint8_t *), 6) != 0)
		return SC_R_GUARD_NEXT_HOP;
	if (is_bad_source(ts, &e.src) || is_production(box->cfg, &e.src))
		return SC_R_GUARD_SOURCE;
	return SC_R_NONE;
}

enum sc_reason
guard_neighbour(const struct rte_mbuf *m)
{
	uint16_t ether_type, off = skip_tags(m, &ether_type);
	struct ends e;

	if (off == 0)
		return SC_R_GUARD_TARGET;
	if (ether_type == RTE_ETHER_TYPE_ARP)
		return SC_R_NONE;
	if (!read_ends(m, off, ether_type, &e))
		return SC_R_GUARD_TARGET;
	if (e.proto == IPPROTO_ICMP && e.icmp_type == ICMP_ECHO_REPLY)
		return SC_R_NONE;
	if (e.proto == IPPROTO_ICMPV6
			&& (e.icmp_type == ICMP6_ECHO_REPLY || e.icmp_type == ICMP6_ND_SOLICIT
					|| e.icmp_type == ICMP6_ND_ADVERT))
		return SC_R_NONE;
	return SC_R_GUARD_TARGET;
}

/* ---- what guard_passes() looks up ---- */

_Static_assert(SC_GUARD_TARGETS > 2 * SC_TARGETS_MAX, "see mask_for()");
_Static_assert(SC_GUARD_SOURCES > 2
						* (SC_TARGETS_MAX + SC_NEXTHOPS_MAX
								+ SC_BOX_ADDRS_MAX + SC_RULES_MAX),
		"see mask_for()");

/* A power of two of slots, at least half of them free: a search ends soon. */
static uint32_t
mask_for(unsigned int nb)
{
	return rte_align32pow2(SC_MAX(2 * nb + 1, SLOTS_MIN)) - 1;
}

const struct sc_guard_target *
guard_find(const struct sc_guard *g, uint64_t key, uint32_t i)
{
	for (; g->target[i].key != GUARD_NO_KEY; i = (i + 1) & g->target_mask)
		if (g->target[i].key == key)
			return &g->target[i];
	return NULL;
}

bool
guard_is_taken(const struct sc_guard *g, uint32_t src, uint32_t i)
{
	for (; g->source[i] != 0; i = (i + 1) & g->source_mask)
		if (g->source[i] == src)
			return true;
	return false;
}

static void
add_source(struct sc_guard *g, const struct sc_addr *a)
{
	uint32_t src, i;

	if (!sc_addr_is_v4(a) || sc_addr_is_zero(a))
		return;
	src = sc_addr_v4_be(a);
	i = guard_slot(src, g->source_mask);
	if (guard_is_taken(g, src, i))
		return;
	while (g->source[i] != 0)
		i = (i + 1) & g->source_mask;
	g->source[i] = src;
}

static void
add_target(struct sc_guard *g, const struct sc_targets *ts, const struct sc_target *t)
{
	uint8_t dst_and_ports[8] = {0};
	uint32_t dst = sc_addr_v4_be(&t->addr), i;
	uint64_t key;

	if (!sc_addr_is_v4(&t->addr))
		return;
	memcpy(dst_and_ports, &dst, sizeof(dst));
	dst_and_ports[6] = (uint8_t)(t->port >> 8);
	dst_and_ports[7] = (uint8_t)t->port;
	key = guard_key(dst_and_ports);
	i = guard_slot(key, g->target_mask);
	while (g->target[i].key != GUARD_NO_KEY)
		i = (i + 1) & g->target_mask;
	g->target[i].key = key;
	g->target[i].hop = &ts->nexthop[t->nexthop].word;
}

void
guard_init(struct sc_guard *g, const struct sc_targets *ts, const struct sc_config *cfg)
{
	memset(g, 0, sizeof(*g));
	for (size_t i = 0; i < SC_ARRAY_SIZE(g->target); i++)
		g->target[i].key = GUARD_NO_KEY;
	g->target_mask = mask_for(ts->nb);
	for (unsigned int i = 0; i < ts->nb; i++)
		add_target(g, ts, &ts->t[i]);
	g->source_mask = mask_for(ts->nb + ts->nb_nexthops + ts->nb_box + cfg->nb_rules);
	for (unsigned int i = 0; i < ts->nb; i++)
		add_source(g, &ts->t[i].addr);
	for (unsigned int i = 0; i < ts->nb_nexthops; i++)
		add_source(g, &ts->nexthop[i].addr);
	for (unsigned int i = 0; i < ts->nb_box; i++)
		add_source(g, &ts->box[i].addr);
	for (unsigned int i = 0; i < cfg->nb_rules; i++)
		if (cfg->rule[i].has_prod)
			add_source(g, &cfg->rule[i].prod);
}
