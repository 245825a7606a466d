/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sieve: under overload most frames belong to flows that are left out. To parse them, look them up and
 * keep a tombstone of each flow would take the time that the others need. A NIC that hashes with the
 * box's key says which flows a frame may be of: is none of them admitted or known, then the frame goes
 * unread. Of other frames a few bytes are looked at: is its flow not admitted, and does the
 * index know nothing of it, then it is counted and gone. All but plain TCP over IP of mapped endpoints
 * takes the long way.
 */
#include <netinet/in.h>
#include <string.h>

#include "engine.h"

#define ETHER_LEN 14
#define VLAN_LEN 4
#define V4_LEN 20
#define V6_LEN 40
#define TCP_LEN 20
#define UNREAD_BELOW (ADMIT_ALL / 16 * 15) /* while few are left out, their flows are counted */

/* What a few bytes tell of a frame. */
struct glance {
	const uint8_t *tcp; /* NULL: it takes the long way */
	uint32_t len;       /* of TCP, header and payload */
	uint32_t hash;      /* of the flow's key */
	bool is_client;
};

/* The endpoint of production that was found last, as in an IPv4 header. */
struct memo {
	uint32_t addr;
	uint16_t port, prod;
	bool is_set;
};

/* What a burst counted. */
struct tally {
	uint32_t frames, syns, bytes;
};

/* ---- a look at a frame ---- */

/*
 * Did the NIC hash both ports? Then it is no fragment; and no tunnel, whose inner packet might have
 * been hashed, too.
 */
static inline bool
is_hashed(const struct rte_mbuf *m)
{
	return ((m->ol_flags & RTE_MBUF_F_RX_RSS_HASH) != 0)
			& ((m->packet_type & (RTE_PTYPE_L4_MASK | RTE_PTYPE_TUNNEL_MASK))
					== RTE_PTYPE_L4_TCP);
}

static inline uint16_t
load_be16(const uint8_t *p)
{
	return rte_be_to_cpu_16(sc_mem16(p));
}

/* Whose frame is it? False: the long way tells. */
static bool
key_of(const struct sc_replay *e, const struct sc_addr *src, const struct sc_addr *dst,
		const uint8_t *tcp, struct sc_flow_key *k)
{
	uint16_t sport = load_be16(tcp), dport = load_be16(tcp + 2);
	uint32_t prod = prod_remembered(e, dst, dport);
	bool is_client = prod != SC_NONE;

	if (!is_client)
		prod = prod_remembered(e, src, sport);
	if (prod == SC_NONE)
		return false;
	k->prod = (uint16_t)prod;
	k->client = is_client ? *src : *dst;
	k->cport = is_client ? sport : dport;
	return true;
}

/* The key that a flow of an IPv4 client has, in whole words: it is hashed at once. */
static inline void
key_v4(struct sc_flow_key *k, uint32_t client, uint16_t cport, uint16_t prod)
{
	k->client.u64[0] = 0;
	k->client.u64[1] = (uint64_t)client << 32 | RTE_BE32(0xffff);
	k->cport = cport;
	k->prod = prod;
}

/* The long way to a key, which finds the endpoint for the frames that follow. */
static bool
key_first(const struct sc_replay *e, const uint8_t *ip, struct memo *m, struct sc_flow_key *k)
{
	struct sc_addr src, dst;
	const uint8_t *tcp = ip + V4_LEN;

	sc_addr_from_v4(&src, sc_mem32(ip + 12));
	sc_addr_from_v4(&dst, sc_mem32(ip + 16));
	if (!key_of(e, &src, &dst, tcp, k))
		return false;
	m->is_set = true;
	m->prod = k->prod;
	m->addr = sc_addr_v4_be(&e->t.prod[k->prod].addr);
	m->port = rte_cpu_to_be_16(e->t.prod[k->prod].port);
	return true;
}

/* Is the flow this worker's, and left out if it is new? */
static inline bool
is_out(const struct sc_replay *e, uint16_t fold)
{
	return !is_admitted(e, place_of_fold(e, fold))
			&& sc_steer_owner(e->cfg.steer, fold) == e->cfg.worker;
}

/* IPv4 without options, TCP, no fragment. */
static inline void
glance_v4(const struct sc_replay *e, const uint8_t *ip, struct memo *m, struct glance *g)
{
	uint32_t src = sc_mem32(ip + 12), dst = sc_mem32(ip + 16), x = src ^ dst;
	const uint8_t *tcp = ip + V4_LEN;
	uint16_t sport = sc_mem16(tcp), dport = sc_mem16(tcp + 2);
	struct sc_flow_key k;

	if (ip[0] != 0x45 || (sc_mem32(ip + 6) & RTE_BE32(0x3fff00ff)) != RTE_BE32(IPPROTO_TCP)
			|| !is_out(e, rte_be_to_cpu_16((uint16_t)(x ^ x >> 16) ^ sport ^ dport)))
		return;
	if (m->is_set && dst == m->addr && dport == m->port)
		key_v4(&k, src, rte_be_to_cpu_16(sport), m->prod);
	else if (m->is_set && src == m->addr && sport == m->port)
		key_v4(&k, dst, rte_be_to_cpu_16(dport), m->prod);
	else if (!key_first(e, ip, m, &k))
		return;
	g->tcp = tcp;
	g->len = (uint32_t)load_be16(ip + 2) - V4_LEN;
	g->hash = sc_flow_hash(&k);
	g->is_client = sc_addr_v4_be(&k.client) == src && k.cport == rte_be_to_cpu_16(sport);
}

static void
glance_v6(const struct sc_replay *e, const uint8_t *ip, struct glance *g)
{
	const uint8_t *tcp = ip + V6_LEN;
	struct sc_addr src, dst;
	struct sc_flow_key k;

	if (ip[0] >> 4 != 6 || ip[6] != IPPROTO_TCP)
		return;
	memcpy(&src, ip + 8, sizeof(src));
	memcpy(&dst, ip + 24, sizeof(dst));
	if (!is_out(e, sc_fold_tuple(&src, &dst, load_be16(tcp), load_be16(tcp + 2)))
			|| !key_of(e, &src, &dst, tcp, &k))
		return;
	g->tcp = tcp;
	g->len = load_be16(ip + 4);
	g->hash = sc_flow_hash(&k);
	g->is_client = sc_addr_eq(&k.client, &src) && k.cport == load_be16(tcp);
}

/* The flow of a frame that is left out if the index does not know it; or tcp is NULL. */
static inline void
glance(const struct sc_replay *e, const struct rte_mbuf *m, struct memo *memo, struct glance *g)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *), *end = p + m->data_len;
	uint16_t type;

	if (m->data_len < ETHER_LEN + V4_LEN + TCP_LEN)
		return;
	type = sc_mem16(p + ETHER_LEN - 2);
	p += ETHER_LEN;
	if (type == RTE_BE16(RTE_ETHER_TYPE_VLAN)) {
		type = sc_mem16(p + VLAN_LEN - 2);
		p += VLAN_LEN;
	}
	if (type == RTE_BE16(RTE_ETHER_TYPE_IPV4) && p + V4_LEN + TCP_LEN <= end)
		glance_v4(e, p, memo, g);
	else if (type == RTE_BE16(RTE_ETHER_TYPE_IPV6) && p + V6_LEN + TCP_LEN <= end)
		glance_v6(e, p, g);
}

/* The port's hash says that the flow is one of those that are admitted. */
static inline bool
is_admitted_by_hash(const struct sc_replay *e, const struct rte_mbuf *m)
{
	return is_hashed(m) && is_admitted(e, place_of_hash(m->hash.rss));
}

/* A look at each; what the index would be asked is on its way. */
static void
glance_all(const struct sc_replay *e, struct rte_mbuf **m, struct glance *g, uint16_t n,
		bool has_hash)
{
	struct memo memo = {0};

	for (uint16_t i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(m[i], void *));
	for (uint16_t i = 0; i < n; i++) {
		g[i].tcp = NULL;
		if (!has_hash || !is_admitted_by_hash(e, m[i]))
			glance(e, m[i], &memo, &g[i]);
		if (g[i].tcp != NULL)
			sc_index_prefetch(&e->t.by_key, g[i].hash);
	}
}

/* ---- what is left out ---- */

/* A flow is counted by its SYN; one that the mirror shows twice counts twice. */
static inline bool
is_left_out(const struct sc_replay *e, const struct rte_mbuf *m, const struct glance *g,
		struct tally *t)
{
	uint32_t hdr = (g->tcp[12] >> 4) * 4u;
	uint32_t off = (uint32_t)(g->tcp - rte_pktmbuf_mtod(m, const uint8_t *));

	if (hdr < TCP_LEN || g->len < hdr || g->len > m->pkt_len - off
			|| sc_flow_may_be(&e->t, g->hash))
		return false;
	t->frames++;
	if (!g->is_client)
		return true;
	t->syns += (g->tcp[13] & (SC_TCP_SYN | SC_TCP_ACK | SC_TCP_RST)) == SC_TCP_SYN;
	t->bytes += g->len - hdr;
	return true;
}

static void
count(struct sc_replay *e, const struct tally *t)
{
	M(e, FRAME_REFUSED, SC_R_SHED_ADMISSION) += t->frames;
	C(e, FLOWS_SEEN) += t->syns;
	M(e, FLOW_REFUSED, SC_R_SHED_ADMISSION) += t->syns;
	C(e, BYTES_SEEN) += t->bytes;
	M(e, BYTES_REFUSED, SC_R_SHED_ADMISSION) += t->bytes;
}

/* A whole frame in an mbuf that nobody else has a hold of. */
static inline bool
is_plain(const struct rte_mbuf *m)
{
	return (m->nb_segs == 1) & RTE_MBUF_DIRECT(m) & (rte_mbuf_refcnt_read(m) == 1);
}

/* As rte_pktmbuf_free_bulk(), which reads the second line of each. are_plain: all, of one pool. */
static void
free_all(struct rte_mbuf **m, uint32_t n, bool are_plain)
{
	if (are_plain)
		rte_mempool_put_bulk(m[0]->pool, (void **)m, n);
	else
		rte_pktmbuf_free_bulk(m, n);
}

/* ---- unread ---- */

/* No branch depends on a frame: when half of them go, a CPU would guess wrong half of the time. */
uint16_t
sc_replay_sieve_unread(struct sc_replay *e, struct rte_mbuf **m, uint16_t n, uint64_t now_us)
{
	struct rte_mbuf *out[SC_INDEX_BULK_MAX];
	uint32_t nb = 0, nb_plain = 0;
	uint64_t bytes = 0;
	uint16_t kept = 0;

	if (e->admit.share > UNREAD_BELOW || n > SC_INDEX_BULK_MAX)
		return n;
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *f = m[i];
		uint32_t place = place_of_hash(f->hash.rss);
		uint32_t is_gone = (uint32_t)!is_admitted(e, place) & !is_place_known(e, place)
				& is_hashed(f);

		out[nb] = m[kept] = f;
		nb_plain += is_gone & is_plain(f) & (f->pool == out[0]->pool);
		bytes += f->pkt_len & -is_gone;
		nb += is_gone;
		kept += 1 - is_gone;
	}
	if (nb == 0)
		return n;
	set_now(e, now_us);
	admit_shed(e);
	C(e, MIRROR_BYTES) += bytes;
	M(e, FRAME_REFUSED, SC_R_SHED_UNREAD) += nb;
	free_all(out, nb, nb_plain == nb);
	return kept;
}

/* ---- a few bytes read ---- */

uint16_t
sc_replay_sieve(struct sc_replay *e, struct rte_mbuf **m, uint16_t n, bool has_hash,
		uint64_t now_us)
{
	struct rte_mbuf *out[SC_INDEX_BULK_MAX];
	struct glance g[SC_INDEX_BULK_MAX];
	struct tally t = {0};
	bool are_plain = true;
	uint16_t kept = 0;

	if (e->admit.share == ADMIT_ALL || n > SC_INDEX_BULK_MAX)
		return n;
	glance_all(e, m, g, n, has_hash);
	for (uint16_t i = 0; i < n; i++) {
		if (g[i].tcp == NULL || !is_left_out(e, m[i], &g[i], &t)) {
			m[kept++] = m[i];
			continue;
		}
		out[t.frames - 1] = m[i];
		are_plain &= is_plain(m[i]) && m[i]->pool == out[0]->pool;
	}
	if (t.frames == 0)
		return kept;
	set_now(e, now_us);
	admit_shed(e);
	count(e, &t);
	free_all(out, t.frames, are_plain);
	return kept;
}
