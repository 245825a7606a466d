/* SPDX-License-Identifier: BSD-3-Clause */
#include "mutate.h"

#include <frame.h>
#include <string.h>

#include <sc_base.h>
#include <sc_packet.h>

#define FILE_HEAD 24
#define RECORD_HEAD 16
#define RECORDS_MAX 512
#define FRAME_MAX 4096  /* what a frame grows to by mutation */
#define HEADERS_LEN 80u /* where changes do most */
#define WRONG_ONE_IN 8  /* mutations that leave checksums wrong */

struct pcap {
	uint8_t *data;
	size_t size, max_size;
	struct sc_rng rng;
	unsigned int nb;
	size_t at[RECORDS_MAX + 1]; /* offsets of the records; the last: the end */
};

static uint32_t
get(const struct pcap *p, size_t at)
{
	uint32_t n;

	memcpy(&n, p->data + at, sizeof(n));
	return n;
}

static void
put(struct pcap *p, size_t at, uint32_t n)
{
	memcpy(p->data + at, &n, sizeof(n));
}

static uint32_t
frame_len(const struct pcap *p, unsigned int i)
{
	return (uint32_t)(p->at[i + 1] - p->at[i] - RECORD_HEAD);
}

static uint8_t *
frame_at(const struct pcap *p, unsigned int i)
{
	return p->data + p->at[i] + RECORD_HEAD;
}

/* Find the records; what follows the last whole one is cut off. False: there is none. */
static bool
scan(struct pcap *p)
{
	size_t at = FILE_HEAD;

	p->nb = 0;
	if (p->size < FILE_HEAD || (get(p, 0) != 0xa1b2c3d4 && get(p, 0) != 0xa1b23c4d))
		return false;
	while (p->nb < RECORDS_MAX && p->size - at >= RECORD_HEAD
			&& get(p, at + 8) <= p->size - at - RECORD_HEAD) {
		p->at[p->nb++] = at;
		at += RECORD_HEAD + get(p, at + 8);
	}
	p->at[p->nb] = p->size = at;
	return p->nb > 0;
}

/* Make the bytes from `from` on begin at `to`; false: no room. */
static bool
shift(struct pcap *p, size_t from, size_t to)
{
	size_t size = p->size - from + to;

	if (size > p->max_size)
		return false;
	memmove(p->data + to, p->data + from, p->size - from);
	p->size = size;
	return true;
}

/* ---- what is done to records ---- */

static void
copy_record(struct pcap *p, unsigned int from, unsigned int to)
{
	uint8_t record[RECORD_HEAD + FRAME_MAX];
	size_t len = p->at[from + 1] - p->at[from];

	if (len > sizeof(record))
		return;
	memcpy(record, p->data + p->at[from], len);
	/* the time of the place where it goes */
	memcpy(record, p->data + p->at[SC_MIN(to, p->nb - 1)], 8);
	if (shift(p, p->at[to], p->at[to] + len))
		memcpy(p->data + p->at[to], record, len);
}

static void
change_bytes(struct pcap *p, unsigned int i, uint32_t from)
{
	uint8_t frame[FRAME_MAX];
	uint32_t len = frame_len(p, i), n;

	if (len > FRAME_MAX || from >= len)
		return;
	memcpy(frame, frame_at(p, i), len);
	n = from + (uint32_t)LLVMFuzzerMutate(frame + from, len - from, FRAME_MAX - from);
	if (!shift(p, p->at[i + 1], p->at[i] + RECORD_HEAD + n))
		return;
	memcpy(frame_at(p, i), frame, n);
	put(p, p->at[i] + 8, n);
	put(p, p->at[i] + 12, n);
}

static void
change_time(struct pcap *p, unsigned int i)
{
	uint32_t s = get(p, p->at[i]);
	uint32_t move = 1u << sc_rng_below(&p->rng, 12);

	/* all that follow move with it, mostly */
	for (; i < p->nb; i++) {
		put(p, p->at[i], get(p, p->at[i]) + move);
		if (sc_rng_below(&p->rng, 64) == 0)
			return;
	}
	put(p, p->at[0], SC_MIN(s, get(p, p->at[0])));
}

static uint32_t
be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void
put_be32(uint8_t *p, uint32_t n)
{
	for (int i = 3; i >= 0; i--, n >>= 8)
		p[i] = (uint8_t)n;
}

/* Where IP and TCP begin in a frame of the file's link type, and TCP's length; 0: no TCP in it. */
static unsigned int
find_tcp(struct pcap *p, unsigned int i, uint32_t *ip_off, uint32_t *tcp_off)
{
	struct rte_mbuf m = {.buf_addr = frame_at(p, i),
			.data_len = (uint16_t)frame_len(p, i),
			.pkt_len = frame_len(p, i),
			.nb_segs = 1};
	enum sc_link link = get(p, 20) == 101 ? SC_LINK_RAW
			: get(p, 20) == 113   ? SC_LINK_SLL
			: get(p, 20) == 276   ? SC_LINK_SLL2
					      : SC_LINK_ETHER;
	unsigned int version;

	if (frame_len(p, i) > UINT16_MAX)
		return 0;
	version = sc_packet_find_ip(&m, link, ip_off);
	if (version == 0)
		return 0;
	*tcp_off = *ip_off + (version == 4 ? (frame_at(p, i)[*ip_off] & 15u) * 4 : 40u);
	return *tcp_off + 20 <= frame_len(p, i) ? version : 0;
}

/* A number of the TCP header: a little more or less, or at the edge of a window. */
static void
change_field(struct pcap *p, unsigned int i)
{
	static const uint32_t steps[] = {1, 2, 100, 1448, 65535, 65536, 1u << 20, 1u << 31};
	uint32_t ip, tcp, by = steps[sc_rng_below(&p->rng, SC_ARRAY_SIZE(steps))];
	uint8_t *h;

	if (find_tcp(p, i, &ip, &tcp) == 0)
		return;
	h = frame_at(p, i) + tcp;
	if (sc_rng_below(&p->rng, 2) == 0)
		by = -by;
	switch (sc_rng_below(&p->rng, 4)) {
	case 0:
		put_be32(h + 4, be32(h + 4) + by);
		return;
	case 1:
		put_be32(h + 8, be32(h + 8) + by);
		return;
	case 2:
		h[13] ^= (uint8_t)(1u << sc_rng_below(&p->rng, 6));
		return;
	default:
		put_be32(h, be32(h) ^ 1u << sc_rng_below(&p->rng, 32));
	}
}

static void
change_one(struct pcap *p)
{
	unsigned int i = sc_rng_below(&p->rng, p->nb);

	switch (sc_rng_below(&p->rng, 8)) {
	case 0:
		copy_record(p, i, sc_rng_below(&p->rng, p->nb + 1));
		return;
	case 1:
		if (p->nb > 1)
			shift(p, p->at[i + 1], p->at[i]);
		return;
	case 2:
		change_time(p, i);
		return;
	case 3:
		change_bytes(p, i, sc_rng_below(&p->rng, SC_MIN(frame_len(p, i), HEADERS_LEN) + 1));
		return;
	case 4:
		p->data[8] = (uint8_t)sc_rng_below(&p->rng, 4);
		return;
	default:
		change_field(p, i);
	}
}

/* ---- checksums ---- */

static void
put_sum(uint8_t *p, uint16_t sum)
{
	p[0] = (uint8_t)(~sum >> 8);
	p[1] = (uint8_t)~sum;
}

/* The sums of a whole IPv4 or IPv6 packet with TCP; the lengths in it stay what they are. */
static void
put_right(struct pcap *p, unsigned int i)
{
	uint32_t ip_off, tcp_off, len;
	unsigned int version = find_tcp(p, i, &ip_off, &tcp_off);
	uint8_t *ip = frame_at(p, i) + ip_off, *tcp = frame_at(p, i) + tcp_off;
	uint16_t sum;

	if (version == 0)
		return;
	len = version == 4 ? (uint32_t)(ip[2] << 8 | ip[3]) - (tcp_off - ip_off)
			   : (uint32_t)(ip[4] << 8 | ip[5]);
	if (len > frame_len(p, i) - tcp_off || len < 20)
		return;
	if (version == 4) {
		put_be32(ip + 8, be32(ip + 8) & 0xffff0000);
		put_sum(ip + 10, test_sum16(ip, tcp_off - ip_off, 0));
	}
	tcp[16] = tcp[17] = 0;
	sum = version == 4 ? test_sum16(ip + 12, 8, 6 + len) : test_sum16(ip + 8, 32, 6 + len);
	put_sum(tcp + 16, test_sum16(tcp, len, sum));
}

size_t
mutate_pcap(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	struct pcap p = {.data = data, .size = size, .max_size = max_size};
	unsigned int nb;

	sc_rng_seed(&p.rng, seed);
	if (!scan(&p))
		return LLVMFuzzerMutate(data, size, max_size);
	for (nb = 1 + sc_rng_below(&p.rng, 3); nb > 0; nb--) {
		change_one(&p);
		if (!scan(&p))
			return p.size;
	}
	if (sc_rng_below(&p.rng, WRONG_ONE_IN) != 0)
		for (unsigned int i = 0; i < p.nb; i++)
			put_right(&p, i);
	return p.size;
}
