/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * frag: the bounded table of fragments (RFC 791 section 3.2, RFC 8200 section 4.5) around
 * rte_ip_frag. That takes a repeated first or last piece for an attack and throws the packet away;
 * a mirror of two points of the way repeats every piece, so repeats are left out before it.
 */
#include "frag.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ip.h>
#include <rte_ip_frag.h>

#include <sc_worker.h>

#define PACKETS_MAX 1024 /* incomplete ones */
#define BUCKET 4
#define TTL_US SC_US_PER_S
#define EXPIRE_US (100 * SC_US_PER_MS)
#define RECENT 1024 /* pieces seen lately, to find those that were mirrored twice */
#define TWICE_US (5 * SC_US_PER_MS)
#define PACKET_MAX 65535
#define EXT_LEN sizeof(struct rte_ipv6_fragment_ext)

/* What tells a piece from all others for 5 ms. */
struct piece {
	struct sc_addr src, dst;
	uint32_t id;
	uint16_t place; /* offset and more-fragments bit */
	uint16_t len;
};

struct recent {
	struct piece piece;
	uint64_t us;
};

struct frags {
	struct rte_ip_frag_tbl *tbl;
	struct sc_stats *stats;
	uint64_t expire_us;
	struct rte_ip_frag_death_row dr;
	struct recent recent[RECENT];
};

struct frags *
frags_create(struct sc_stats *stats)
{
	struct frags *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->stats = stats;
	/* The table compares times only: its cycles are our microseconds. */
	f->tbl = rte_ip_frag_table_create(
			PACKETS_MAX / BUCKET, BUCKET, PACKETS_MAX, TTL_US, SOCKET_ID_ANY);
	if (f->tbl != NULL)
		return f;
	free(f);
	return NULL;
}

void
frags_destroy(struct frags *f)
{
	if (f == NULL)
		return;
	rte_ip_frag_table_destroy(f->tbl);
	free(f);
}

static struct rte_mbuf *
refuse(struct frags *f, struct rte_mbuf *m, enum sc_reason r)
{
	f->stats->m[SC_M_FRAME_REFUSED][r]++;
	rte_pktmbuf_free(m);
	return NULL;
}

/* What the table threw away. Held frames have one segment each, chained ones one for each frame. */
static void
bury(struct frags *f)
{
	for (uint32_t i = 0; i < f->dr.cnt; i++) {
		f->stats->m[SC_M_FRAME_REFUSED][SC_R_IP_FRAGMENT] += f->dr.row[i]->nb_segs;
		f->stats->c[SC_C_FRAGMENTS_NOW] -= f->dr.row[i]->nb_segs;
	}
	rte_ip_frag_free_death_row(&f->dr, 0);
}

/* ---- reading a piece; the parser has checked the IPv4 header, its checksum, and that it is TCP ---- */

static enum sc_reason
read_v4(struct rte_mbuf *m, struct piece *p)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, const void *, m->l2_len);
	uint16_t total = rte_be_to_cpu_16(ip->total_length);

	m->l3_len = (ip->version_ihl & RTE_IPV4_HDR_IHL_MASK) * RTE_IPV4_IHL_MULTIPLIER;
	if (m->l2_len + total > m->data_len)
		return SC_R_TRUNCATED_FRAME;
	if (total <= m->l3_len)
		return SC_R_IP_FRAGMENT;
	sc_addr_from_v4(&p->src, ip->src_addr);
	sc_addr_from_v4(&p->dst, ip->dst_addr);
	p->id = ip->packet_id;
	p->place = (uint16_t)(rte_be_to_cpu_16(ip->fragment_offset) << 3);
	if (ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_MF_FLAG))
		p->place |= 1;
	p->len = total - m->l3_len;
	return SC_R_NONE;
}

/* The fragment header must come first: rte_ip_frag cannot step over others. */
static enum sc_reason
read_v6(struct rte_mbuf *m, struct piece *p)
{
	const struct rte_ipv6_hdr *ip = rte_pktmbuf_mtod_offset(m, const void *, m->l2_len);
	const struct rte_ipv6_fragment_ext *ext = (const void *)(ip + 1);
	uint16_t payload = rte_be_to_cpu_16(ip->payload_len);

	m->l3_len = sizeof(*ip) + EXT_LEN;
	if (ip->proto != IPPROTO_FRAGMENT || payload <= EXT_LEN)
		return SC_R_IP_FRAGMENT;
	if (m->l2_len + sizeof(*ip) + payload > m->data_len)
		return SC_R_TRUNCATED_FRAME;
	if (ext->next_header != IPPROTO_TCP && ext->next_header != IPPROTO_DSTOPTS)
		return SC_R_NOT_TCP;
	memcpy(p->src.b, ip->src_addr, sizeof(p->src.b));
	memcpy(p->dst.b, ip->dst_addr, sizeof(p->dst.b));
	memcpy(&p->id, &ext->id, sizeof(p->id));
	p->place = rte_be_to_cpu_16(ext->frag_data)
			& (RTE_IPV6_EHDR_FO_MASK | RTE_IPV6_EHDR_MF_MASK);
	p->len = payload - EXT_LEN;
	return SC_R_NONE;
}

static bool
has_more(const struct piece *p)
{
	return (p->place & 1) != 0;
}

/*
 * Fill *p and the lengths that rte_ip_frag reads from the mbuf. Pieces that are not the last end at
 * a multiple of 8 bytes, and none reaches beyond the longest packet.
 */
static enum sc_reason
read_piece(struct rte_mbuf *m, enum sc_link link, struct piece *p, bool *is_v4)
{
	uint32_t off;
	unsigned int version = sc_packet_find_ip(m, link, &off);
	enum sc_reason r;

	memset(p, 0, sizeof(*p));
	*is_v4 = version == 4;
	if (version == 0 || m->nb_segs != 1)
		return SC_R_IP_FRAGMENT;
	m->l2_len = off;
	r = *is_v4 ? read_v4(m, p) : read_v6(m, p);
	if (r != SC_R_NONE)
		return r;
	if ((has_more(p) && p->len % 8 != 0) || (p->place & ~7u) + p->len + m->l3_len > PACKET_MAX)
		return SC_R_IP_FRAGMENT;
	return SC_R_NONE;
}

/* Has this piece been seen within 5 ms? Remembers it if not. */
static bool
is_twice(struct frags *f, const struct piece *p, uint64_t cap_us)
{
	struct recent *e = &f->recent[sc_hash(p, sizeof(*p), 0) % RECENT];

	if (e->us != 0 && memcmp(&e->piece, p, sizeof(*p)) == 0 && cap_us - e->us <= TWICE_US)
		return true;
	e->piece = *p;
	e->us = cap_us;
	return false;
}

/* ---- whole packets ---- */

/* The only piece of its packet (RFC 6946): take the fragment header out. */
static void
unwrap(struct rte_mbuf *m)
{
	struct rte_ipv6_hdr *ip = rte_pktmbuf_mtod_offset(m, void *, m->l2_len);
	const struct rte_ipv6_fragment_ext *ext = (const void *)(ip + 1);
	uint8_t *front = rte_pktmbuf_mtod(m, uint8_t *);

	ip->proto = ext->next_header;
	ip->payload_len = rte_cpu_to_be_16(rte_be_to_cpu_16(ip->payload_len) - EXT_LEN);
	memmove(front + EXT_LEN, front, m->l2_len + sizeof(*ip));
	rte_pktmbuf_adj(m, EXT_LEN);
}

/* A NIC saw only pieces: what it says of checksums is no word about the whole. */
static void
finish(struct rte_mbuf *m, bool is_v4)
{
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, void *, m->l2_len);

	m->ol_flags &= ~(RTE_MBUF_F_RX_L4_CKSUM_MASK | RTE_MBUF_F_RX_IP_CKSUM_MASK
			| RTE_MBUF_F_TX_IP_CKSUM);
	if (!is_v4)
		return;
	ip->hdr_checksum = 0;
	ip->hdr_checksum = (uint16_t)~rte_raw_cksum(ip, m->l3_len);
}

static struct rte_mbuf *
reassemble(struct frags *f, struct rte_mbuf *m, bool is_v4, uint64_t now_us)
{
	void *ip = rte_pktmbuf_mtod_offset(m, void *, m->l2_len);

	if (is_v4)
		return rte_ipv4_frag_reassemble_packet(f->tbl, &f->dr, m, now_us, ip);
	return rte_ipv6_frag_reassemble_packet(
			f->tbl, &f->dr, m, now_us, ip, (void *)((struct rte_ipv6_hdr *)ip + 1));
}

struct rte_mbuf *
frags_take(struct frags *f, struct rte_mbuf *m, enum sc_link link, uint64_t now_us, uint64_t cap_us)
{
	struct sc_stats *st = f->stats;
	struct piece p;
	bool is_v4;
	enum sc_reason r = read_piece(m, link, &p, &is_v4);

	if (r != SC_R_NONE)
		return refuse(f, m, r);
	if (is_twice(f, &p, cap_us)) {
		st->c[SC_C_FRAGMENTS_MERGED]++;
		st->c[SC_C_FRAMES_DUPLICATE]++;
		rte_pktmbuf_free(m);
		return NULL;
	}
	if (p.place == 0) {
		unwrap(m);
		sc_mbuf_meta(m)->cap_us = cap_us;
		finish(m, is_v4);
		return m;
	}
	if (st->c[SC_C_FRAGMENTS_NOW] >= SC_FRAGMENTS_MAX)
		return refuse(f, m, SC_R_IP_FRAGMENT);
	st->c[SC_C_FRAGMENTS_NOW]++;
	m = reassemble(f, m, is_v4, now_us);
	bury(f);
	if (m == NULL)
		return NULL;
	st->c[SC_C_FRAGMENTS_NOW] -= m->nb_segs;
	st->c[SC_C_FRAGMENTS_MERGED] += m->nb_segs - 1;
	sc_mbuf_meta(m)->cap_us = cap_us; /* production had the packet when its last piece came */
	finish(m, is_v4);
	return m;
}

void
frags_expire(struct frags *f, uint64_t now_us)
{
	if (f->stats->c[SC_C_FRAGMENTS_NOW] == 0 || now_us < f->expire_us)
		return;
	f->expire_us = now_us + EXPIRE_US;
	rte_ip_frag_table_del_expired_entries(f->tbl, &f->dr, now_us);
	bury(f);
}

void
frags_drop(struct frags *f)
{
	uint64_t left;

	/* The death row takes a few packets at a time. */
	do {
		left = f->stats->c[SC_C_FRAGMENTS_NOW];
		rte_ip_frag_table_del_expired_entries(f->tbl, &f->dr, UINT64_MAX);
		bury(f);
	} while (f->stats->c[SC_C_FRAGMENTS_NOW] < left);
}
