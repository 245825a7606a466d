/* SPDX-License-Identifier: BSD-3-Clause */
#include "pieces.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ip.h>

#include "index.h"

#define SETS 256u
#define WAYS 4u
#define TTL_NS 1000000000ull
#define TWICE_NS 5000000ull /* so long after a packet became whole its pieces are copies */
#define HDR_MAX 60u
#define PACKET_MAX 65535u
#define EXT_LEN sizeof(struct rte_ipv6_fragment_ext)

/* Which packet it is a piece of (RFC 791 section 3.2, RFC 8200 section 4.5). */
struct key {
	struct sc_addr src, dst;
	uint32_t id;
	uint32_t proto;
};

struct piece {
	uint32_t off, len; /* in what IP carries */
	uint64_t pos;
	uint8_t *bytes; /* owned by the packet */
};

struct packet {
	struct key key;
	uint64_t ns; /* of its first piece, or when it became whole; 0: free */
	bool is_whole;
	uint8_t hdr[HDR_MAX]; /* IP's, of the piece at offset 0 */
	uint32_t hdr_len;     /* 0: that piece is missing */
	uint32_t total, got; /* bytes that IP carries: total is 0 while the last piece is missing */
	unsigned int nb;
	struct piece piece[PIECES_MAX]; /* by off */
};

struct pieces {
	struct packet packet[SETS][WAYS];
	uint8_t bytes[HDR_MAX + PACKET_MAX];
};

/* A record, read. */
struct record {
	struct key key;
	const uint8_t *hdr, *bytes;
	uint32_t hdr_len, off, len;
	bool has_more;
	uint8_t next; /* IPv6: what the fragment header says comes behind it */
};

struct pieces *
pieces_new(void)
{
	return calloc(1, sizeof(struct pieces));
}

static void
packet_free(struct packet *k)
{
	for (unsigned int i = 0; i < k->nb; i++)
		free(k->piece[i].bytes);
	memset(k, 0, sizeof(*k));
}

void
pieces_free(struct pieces *p)
{
	if (p == NULL)
		return;
	for (unsigned int s = 0; s < SETS; s++)
		for (unsigned int w = 0; w < WAYS; w++)
			packet_free(&p->packet[s][w]);
	free(p);
}

/* ---- reading a record ---- */

static bool
read_v4(const uint8_t *ip, uint32_t room, struct record *r)
{
	const struct rte_ipv4_hdr *h = (const void *)ip;
	uint16_t frag = rte_be_to_cpu_16(h->fragment_offset);
	uint32_t total = rte_be_to_cpu_16(h->total_length);

	r->hdr_len = (h->version_ihl & RTE_IPV4_HDR_IHL_MASK) * RTE_IPV4_IHL_MULTIPLIER;
	if (total > room || total <= r->hdr_len)
		return false;
	sc_addr_from_v4(&r->key.src, h->src_addr);
	sc_addr_from_v4(&r->key.dst, h->dst_addr);
	r->key.id = h->packet_id;
	r->key.proto = h->next_proto_id;
	r->off = (frag & RTE_IPV4_HDR_OFFSET_MASK) * RTE_IPV4_HDR_OFFSET_UNITS;
	r->has_more = (frag & RTE_IPV4_HDR_MF_FLAG) != 0;
	r->bytes = ip + r->hdr_len;
	r->len = total - r->hdr_len;
	return true;
}

static bool
read_v6(const uint8_t *ip, uint32_t room, struct record *r)
{
	const struct rte_ipv6_hdr *h = (const void *)ip;
	const struct rte_ipv6_fragment_ext *ext = (const void *)(h + 1);
	uint32_t payload = rte_be_to_cpu_16(h->payload_len);
	uint16_t frag;

	if (h->proto != IPPROTO_FRAGMENT || payload <= EXT_LEN || sizeof(*h) + payload > room)
		return false;
	memcpy(r->key.src.b, h->src_addr, sizeof(r->key.src.b));
	memcpy(r->key.dst.b, h->dst_addr, sizeof(r->key.dst.b));
	memcpy(&r->key.id, &ext->id, sizeof(r->key.id));
	frag = rte_be_to_cpu_16(ext->frag_data);
	r->off = frag & RTE_IPV6_EHDR_FO_MASK;
	r->has_more = (frag & RTE_IPV6_EHDR_MF_MASK) != 0;
	r->hdr_len = sizeof(*h);
	r->next = ext->next_header;
	r->bytes = ip + sizeof(*h) + EXT_LEN;
	r->len = payload - EXT_LEN;
	return true;
}

/* Pieces that are not the last end at a multiple of 8 bytes; none reaches beyond the longest packet. */
static bool
record_read(const struct sc_capture_pkt *pkt, struct record *r)
{
	uint32_t off;
	unsigned int version = peer_view_ip(pkt, &off);
	bool is_read;

	memset(r, 0, sizeof(*r));
	if (version == 0)
		return false;
	r->hdr = pkt->data + off;
	is_read = version == 4 ? read_v4(r->hdr, pkt->caplen - off, r)
			       : read_v6(r->hdr, pkt->caplen - off, r);
	return is_read && (!r->has_more || r->len % 8 == 0)
			&& r->hdr_len + r->off + r->len <= PACKET_MAX;
}

/* ---- the table ---- */

static bool
is_over(const struct packet *k, uint64_t ns)
{
	return k->ns == 0 || ns - k->ns > (k->is_whole ? TWICE_NS : TTL_NS);
}

/* The packet of a piece: the one that waits for it, or a new one in place of the oldest. */
static struct packet *
packet_of(struct pieces *p, const struct record *r, uint64_t ns)
{
	struct packet *set = p->packet[sc_hash(&r->key, sizeof(r->key), 0) % SETS];
	struct packet *oldest = &set[0];

	for (unsigned int i = 0; i < WAYS; i++) {
		if (!is_over(&set[i], ns) && memcmp(&set[i].key, &r->key, sizeof(r->key)) == 0)
			return &set[i];
		if (set[i].ns < oldest->ns)
			oldest = &set[i];
	}
	packet_free(oldest);
	oldest->key = r->key;
	oldest->ns = SC_MAX(ns, 1u);
	return oldest;
}

/* Put a piece in its place. False: it is there already, or does not fit. */
static bool
packet_add(struct packet *k, const struct record *r, uint64_t pos)
{
	unsigned int i = 0;
	uint8_t *bytes;

	while (i < k->nb && k->piece[i].off < r->off)
		i++;
	if (k->nb == PIECES_MAX || (i < k->nb && k->piece[i].off < r->off + r->len)
			|| (i > 0 && k->piece[i - 1].off + k->piece[i - 1].len > r->off))
		return false;
	bytes = malloc(r->len);
	if (bytes == NULL)
		return false;
	memcpy(bytes, r->bytes, r->len);
	memmove(&k->piece[i + 1], &k->piece[i], (k->nb - i) * sizeof(k->piece[0]));
	k->piece[i] = (struct piece){.off = r->off, .len = r->len, .pos = pos, .bytes = bytes};
	k->nb++;
	k->got += r->len;
	if (!r->has_more)
		k->total = r->off + r->len;
	if (r->off != 0)
		return true;
	memcpy(k->hdr, r->hdr, r->hdr_len);
	k->hdr_len = r->hdr_len;
	if (r->hdr[0] >> 4 == 6)
		((struct rte_ipv6_hdr *)(void *)k->hdr)->proto = r->next;
	return true;
}

/* ---- whole packets ---- */

/* The header of the whole packet, in front of its bytes. */
static void
write_header(uint8_t *at, const struct packet *k)
{
	struct rte_ipv4_hdr *v4 = (void *)at;
	struct rte_ipv6_hdr *v6 = (void *)at;

	memcpy(at, k->hdr, k->hdr_len);
	if (at[0] >> 4 == 6) {
		v6->payload_len = rte_cpu_to_be_16((uint16_t)k->total);
		return;
	}
	v4->total_length = rte_cpu_to_be_16((uint16_t)(k->hdr_len + k->total));
	v4->fragment_offset = 0;
	v4->hdr_checksum = 0;
	v4->hdr_checksum = (uint16_t)~rte_raw_cksum(at, k->hdr_len);
}

/* Where the payload stands: what each piece holds behind the TCP header. */
static void
list_parts(const struct packet *k, struct whole *w)
{
	uint32_t front = w->seg.payload_off - k->hdr_len, end = front + w->seg.payload_len;

	w->nb = 0;
	for (unsigned int i = 0; i < k->nb; i++) {
		const struct piece *c = &k->piece[i];
		uint32_t from = SC_MAX(c->off, front), to = SC_MIN(c->off + c->len, end);

		if (from < to)
			w->part[w->nb++] = (struct part){.pos = c->pos + (from - c->off),
					.off = from - front,
					.len = to - from};
	}
}

static bool
parse(struct pieces *p, const struct packet *k, struct whole *w)
{
	struct sc_capture_pkt pkt = {.data = p->bytes,
			.caplen = k->hdr_len + k->total,
			.len = k->hdr_len + k->total,
			.link = SC_LINK_RAW,
			.is_known_link = true};

	write_header(p->bytes, k);
	for (unsigned int i = 0; i < k->nb; i++)
		memcpy(p->bytes + k->hdr_len + k->piece[i].off, k->piece[i].bytes, k->piece[i].len);
	if (peer_view_parse(&pkt, &w->seg) != SC_R_NONE)
		return false;
	list_parts(k, w);
	return true;
}

bool
pieces_take(struct pieces *p, const struct sc_capture_pkt *pkt, struct whole *w)
{
	struct record r;
	struct packet *k;
	bool is_good;

	if (!record_read(pkt, &r))
		return false;
	k = packet_of(p, &r, pkt->ts_ns);
	if (k->is_whole
			|| !packet_add(k, &r,
					(uint64_t)pkt->file << PEER_POS_BITS
							| (pkt->offset
									+ (uint64_t)(r.bytes
											- pkt->data))))
		return false;
	if (k->hdr_len == 0 || k->total == 0 || k->got != k->total)
		return false;
	is_good = parse(p, k, w);
	packet_free(k);
	k->key = r.key;
	k->ns = SC_MAX(pkt->ts_ns, 1u);
	k->is_whole = true;
	return is_good;
}
