/* SPDX-License-Identifier: BSD-3-Clause */
/* Ones' complement sums (RFC 1071) and what they say of a captured segment. */
#include <netinet/in.h>
#include <string.h>

#include <rte_byteorder.h>

#include "internal.h"

/* Folded, in host order: byte order commutes with the sum. */
static uint16_t
fold(uint64_t sum)
{
	return rte_be_to_cpu_16(packet_fold(sum));
}

/*
 * The last bytes, fewer than 16, in words that have zeroes behind them. With 16 bytes or more in all they
 * are cut out of the last 16: a copy of so many bytes is a call, and words are slow to read from it.
 */
static void
load_tail(const uint8_t *p, size_t len, bool has_16, uint64_t word[2])
{
	unsigned int gone = 8 * (16 - (unsigned int)len);
	uint64_t low, high;

	if (!has_16) {
		word[0] = word[1] = 0;
		memcpy(word, p, len);
		return;
	}
	low = rte_le_to_cpu_64(sc_mem64(p + len - 16));
	high = rte_le_to_cpu_64(sc_mem64(p + len - 8));
	low = gone < 64 ? low >> gone | high << 1 << (63 - gone) : high >> (gone - 64);
	high = gone < 64 ? high >> gone : 0;
	word[0] = rte_cpu_to_le_64(low);
	word[1] = rte_cpu_to_le_64(high);
}

uint16_t
sc_packet_sum(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t even = 0, odd = 0, word[2];
	bool has_16 = len >= sizeof(word);

	/* 64-bit words are added as 32-bit halves: no carry is lost below 2^32 words. */
	for (; len >= sizeof(word); len -= sizeof(word), p += sizeof(word)) {
		memcpy(word, p, sizeof(word));
		even += (word[0] & 0xffffffff) + (word[0] >> 32);
		odd += (word[1] & 0xffffffff) + (word[1] >> 32);
	}
	if (len > 0) {
		load_tail(p, len, has_16, word);
		even += (word[0] & 0xffffffff) + (word[0] >> 32);
		odd += (word[1] & 0xffffffff) + (word[1] >> 32);
	}
	return fold(even + odd);
}

uint16_t
sc_packet_sum_add(uint16_t a, size_t len_a, uint16_t b)
{
	/* RFC 1071 section 2(B): behind an odd number of bytes every word stands swapped. */
	return sum_plus(a, len_a % 2 == 0 ? b : rte_bswap16(b));
}

uint16_t
packet_mbuf_sum(const struct rte_mbuf *m, uint32_t off, uint32_t len)
{
	uint16_t sum = 0;
	uint32_t done = 0;

	while (off >= m->data_len && m->next != NULL) {
		off -= m->data_len;
		m = m->next;
	}
	while (done < len && m != NULL) {
		uint32_t n = SC_MIN(len - done, m->data_len - off);

		sum = sc_packet_sum_add(sum, done,
				sc_packet_sum(rte_pktmbuf_mtod_offset(m, const uint8_t *, off), n));
		done += n;
		off = 0;
		m = m->next;
	}
	return sum;
}

static uint64_t
addr_sum(const struct sc_addr *a)
{
	if (sc_addr_is_v4(a))
		return sc_addr_v4_be(a);
	return (uint64_t)a->u32[0] + a->u32[1] + a->u32[2] + a->u32[3];
}

/* In memory order, not folded. */
static uint64_t
pseudo_words(const struct sc_addr *src, const struct sc_addr *dst, uint32_t l4_len)
{
	return addr_sum(src) + addr_sum(dst) + rte_cpu_to_be_32(l4_len)
			+ rte_cpu_to_be_32(IPPROTO_TCP);
}

uint16_t
packet_pseudo_sum(const struct sc_addr *src, const struct sc_addr *dst, uint32_t l4_len)
{
	return fold(pseudo_words(src, dst, l4_len));
}

uint16_t
packet_head_sum(const struct sc_addr *src, const struct sc_addr *dst, uint32_t l4_len,
		const uint8_t *tcp, uint32_t hdr_len)
{
	uint64_t sum = pseudo_words(src, dst, l4_len);

	for (; hdr_len >= 8; hdr_len -= 8, tcp += 8)
		sum = carry_add(sum, sc_mem64(tcp));
	if (hdr_len > 0)
		sum = carry_add(sum, sc_mem32(tcp));
	return fold(sum);
}

/*
 * The NIC's word is enough if it saw the frame as it was on the wire. With LRO it merged several,
 * and the checksum field is that of one of them.
 */
static bool
nic_says_good(const struct rte_mbuf *m, const struct l4_span *l4)
{
	return (m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD
			&& (m->ol_flags & RTE_MBUF_F_RX_LRO) == 0 && !l4->len_unknown;
}

bool
packet_judge(const struct rte_mbuf *m, const struct l4_span *l4, const uint8_t *tcp,
		struct sc_seg *seg)
{
	bool is_good = nic_says_good(m, l4);
	uint16_t head, pseudo, field;

	seg->csum = SC_CSUM_GOOD;
	seg->payload_sum = 0;
	if (is_good && seg->payload_len == 0)
		return true;
	head = packet_head_sum(&seg->src, &seg->dst, l4->len, tcp, l4->len - seg->payload_len);
	if (is_good) {
		/* All sums to 0xffff, so the payload's is what the headers leave: no pass over it. */
		seg->payload_sum = (uint16_t)~head;
		return true;
	}
	seg->payload_sum = packet_mbuf_sum(m, seg->payload_off, seg->payload_len);
	if (sum_plus(head, seg->payload_sum) == 0xffff)
		return true;
	pseudo = packet_pseudo_sum(&seg->src, &seg->dst, l4->len);
	field = get_be16(tcp + 16);
	seg->csum = SC_CSUM_BAD;
	/* Where the NIC was to write the length, it was to add it to the pseudo-header's sum, too. */
	if (field == pseudo
			|| (l4->len_unknown && field == packet_pseudo_sum(&seg->src, &seg->dst, 0)))
		seg->csum = SC_CSUM_PARTIAL;
	return seg->csum != SC_CSUM_BAD;
}
