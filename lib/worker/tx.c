/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tx: the one place that transmits. The guard looks at every frame: a mistake anywhere else must not
 * reach a host that is not a target. There is no switch for it.
 */
#include <string.h>

#include <rte_arp.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_tcp.h>

#include <sc_worker.h>

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

/* A replayed frame. */
static enum sc_reason
guard_replay(const struct sc_tx *tx, const struct rte_mbuf *m)
{
	const struct sc_targets *ts = tx->box->targets;
	uint16_t ether_type, off = skip_tags(m, &ether_type);
	struct ends e;
	uint8_t mac[6];
	int t;

	if (off == 0 || !read_ends(m, off, ether_type, &e) || e.proto != IPPROTO_TCP)
		return SC_R_GUARD_TARGET;
	t = sc_targets_find(ts, &e.dst, e.dport);
	if (t < 0)
		return SC_R_GUARD_TARGET;
	if (sc_nexthop_get(&ts->nexthop[ts->t[t].nexthop], mac) == SC_NEIGH_NONE
			|| memcmp(mac, rte_pktmbuf_mtod(m, const uint8_t *), 6) != 0)
		return SC_R_GUARD_NEXT_HOP;
	if (is_bad_source(ts, &e.src) || is_production(tx->box->cfg, &e.src))
		return SC_R_GUARD_SOURCE;
	return SC_R_NONE;
}

/* ARP, neighbour discovery, echo replies: nothing else leaves by this way. */
static enum sc_reason
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

void
sc_tx_init(struct sc_tx *tx, struct sc_box *box, struct sc_stats *stats, uint16_t i, uint16_t users,
		enum sc_tx_kind kind)
{
	uint16_t nb = SC_MAX(box->test.nb_txq, 1);

	tx->box = box;
	tx->stats = stats;
	tx->port = box->test.id;
	tx->queue = i % nb;
	tx->lock = users > nb ? &box->tx_lock[tx->queue] : NULL;
	tx->kind = kind;
	tx->nb_backlog = 0;
}

static uint16_t
transmit(struct sc_tx *tx, struct rte_mbuf **m, uint16_t n)
{
	uint64_t bytes = 0;
	uint16_t sent;

	for (uint16_t i = 0; i < n; i++)
		bytes += m[i]->pkt_len;
	if (tx->lock != NULL)
		rte_spinlock_lock(tx->lock);
	sent = rte_eth_tx_burst(tx->port, tx->queue, m, n);
	if (tx->lock != NULL)
		rte_spinlock_unlock(tx->lock);
	for (uint16_t i = sent; i < n; i++)
		bytes -= m[i]->pkt_len;
	if (tx->kind == SC_TX_REPLAY) {
		tx->stats->c[SC_C_TX_TAKEN] += sent;
		tx->stats->c[SC_C_TX_BYTES] += bytes;
	} else {
		tx->stats->c[SC_C_NEIGH_TX] += sent;
	}
	return sent;
}

bool
sc_tx_flush(struct sc_tx *tx)
{
	uint32_t done = 0;

	while (done < tx->nb_backlog) {
		uint16_t n = (uint16_t)SC_MIN(tx->nb_backlog - done, 64u);
		uint16_t sent = transmit(tx, tx->backlog + done, n);

		done += sent;
		if (sent < n)
			break;
	}
	tx->nb_backlog -= done;
	memmove(tx->backlog, tx->backlog + done, tx->nb_backlog * sizeof(tx->backlog[0]));
	return tx->nb_backlog == 0;
}

void
sc_tx_send(struct sc_tx *tx, struct rte_mbuf **m, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		enum sc_reason r = tx->kind == SC_TX_REPLAY ? guard_replay(tx, m[i])
							    : guard_neighbour(m[i]);

		if (r == SC_R_NONE && tx->nb_backlog < SC_ARRAY_SIZE(tx->backlog)) {
			tx->backlog[tx->nb_backlog++] = m[i];
			continue;
		}
		if (r != SC_R_NONE && tx->kind == SC_TX_REPLAY)
			tx->stats->m[SC_M_GUARD_REFUSED][r]++;
		else if (tx->kind == SC_TX_REPLAY)
			tx->stats->c[SC_C_TX_ABANDONED]++;
		rte_pktmbuf_free(m[i]);
	}
	sc_tx_flush(tx);
}

void
sc_tx_abandon(struct sc_tx *tx)
{
	if (tx->kind == SC_TX_REPLAY)
		tx->stats->c[SC_C_TX_ABANDONED] += tx->nb_backlog;
	rte_pktmbuf_free_bulk(tx->backlog, tx->nb_backlog);
	tx->nb_backlog = 0;
}
