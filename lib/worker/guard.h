/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guard: may a frame leave? It is asked for every frame, of the bytes as they stand in memory; what
 * the builder of the frame meant does not count.
 */
#ifndef GUARD_H
#define GUARD_H

#include <rte_ip.h>

#include <sc_worker.h>

/* What must be looked up, from the tables of the box: once they are as they will stay. */
void guard_init(struct sc_guard *g, const struct sc_targets *ts, const struct sc_config *cfg);
/* A replayed frame of any form: SC_R_NONE or the reason it is refused for. */
enum sc_reason guard_replay(const struct sc_box *box, const struct rte_mbuf *m);
/* ARP, neighbour discovery, echo replies: nothing else leaves by this way. */
enum sc_reason guard_neighbour(const struct rte_mbuf *m);

#define GUARD_IPV4 RTE_ETHER_HDR_LEN
#define GUARD_TCP (GUARD_IPV4 + sizeof(struct rte_ipv4_hdr))
#define GUARD_LEN_MIN (GUARD_TCP + 8)
#define GUARD_NO_KEY \
	0x0000ffff00000000 /* marks a free slot; the bits are those of the source port */

static inline uint32_t
guard_slot(uint64_t key, uint32_t mask)
{
	return (uint32_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & mask;
}

/* Destination address, source and destination port as they lie in memory; without the source port. */
static inline uint64_t
guard_key(const uint8_t *dst_and_ports)
{
	uint64_t key;

	memcpy(&key, dst_and_ports, sizeof(key));
	return key & rte_cpu_to_le_64(~GUARD_NO_KEY);
}

/* The slot of a target of IPv4 by its key, from slot i on; NULL: there is none. */
const struct sc_guard_target *guard_find(const struct sc_guard *g, uint64_t key, uint32_t i);
/* Is the source among those that must not be replayed, from slot i on? */
bool guard_is_taken(const struct sc_guard *g, uint32_t src, uint32_t i);

/*
 * Is it a frame as nearly all are, without tags, IPv4, and passes guard_replay()? False: that one has
 * to look.
 */
static inline bool
guard_passes(const struct sc_guard *g, const struct rte_mbuf *m)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *), *ip = p + GUARD_IPV4;
	const struct sc_guard_target *t;
	uint32_t type, src, i;
	uint64_t key, mac, word;

	if (m->data_len < GUARD_LEN_MIN)
		return false;
	memcpy(&type, p + 12, sizeof(type));
	if ((type & RTE_BE32(0xffffff00)) != RTE_BE32(RTE_ETHER_TYPE_IPV4 << 16 | 0x4500)
			|| ip[9] != IPPROTO_TCP)
		return false;
	key = guard_key(ip + 16);
	i = guard_slot(key, g->target_mask);
	t = g->target[i].key == key ? &g->target[i] : guard_find(g, key, i);
	if (t == NULL)
		return false;
	memcpy(&mac, p, sizeof(mac));
	/* What differs must be the state alone, which is not none. */
	word = atomic_load_explicit(t->hop, memory_order_acquire) ^ rte_be_to_cpu_64(mac) >> 16;
	if (word == (uint64_t)SC_NEIGH_NONE << 56 || word << 8 != 0)
		return false;
	if (mac << 16 == 0) /* of a next hop that never answered */
		return false;
	/* 0.0.0.0/8, loopback, multicast and what is above it: some of them are refused */
	if (ip[12] == 0 || ip[12] == 127 || ip[12] >= 224)
		return false;
	memcpy(&src, ip + 12, sizeof(src));
	i = guard_slot(src, g->source_mask);
	return g->source[i] == 0 || !guard_is_taken(g, src, i);
}

#endif
