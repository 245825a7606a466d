/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The short ways. sc_packet_parse() takes whole contiguous frames by it: the same bytes in two mbufs go
 * the long way. Both must say the same, field by field, of seeded mutations of plain frames.
 * sc_packet_build() writes headers without tags by it: but for their tag, the same ones with a tag must
 * be the same bytes.
 */
#include <errno.h>
#include <string.h>

#include <sc_packet.h>

#include "frame.h"
#include "sc_test.h"
#include "test_eal.h"

#define NB_ROUNDS 200000
#define ROOM 512

static uint8_t whole_mem[ROOM], first_mem[ROOM], rest_mem[ROOM];
static struct rte_mbuf whole, first, rest;

static void
mbuf_make(struct rte_mbuf *m, uint8_t *mem, const uint8_t *bytes, size_t len)
{
	memset(m, 0, sizeof(*m));
	memcpy(mem, bytes, len);
	m->buf_addr = mem;
	m->buf_len = ROOM;
	m->data_len = (uint16_t)len;
	m->pkt_len = (uint32_t)len;
	m->nb_segs = 1;
}

static void
both_make(const uint8_t *bytes, size_t len, size_t cut, uint64_t flags)
{
	mbuf_make(&whole, whole_mem, bytes, len);
	mbuf_make(&first, first_mem, bytes, cut);
	mbuf_make(&rest, rest_mem, bytes + cut, len - cut);
	first.next = &rest;
	first.nb_segs = 2;
	first.pkt_len = (uint32_t)len;
	whole.ol_flags = first.ol_flags = flags;
}

/* Parse the bytes both ways. */
static enum sc_reason
parse_both(const uint8_t *bytes, size_t len, size_t cut, uint64_t flags, struct sc_seg *seg)
{
	struct sc_seg other;
	enum sc_reason r;

	both_make(bytes, len, cut, flags);
	memset(seg, 0x5a, sizeof(*seg));
	memset(&other, 0xa5, sizeof(other));
	r = sc_packet_parse(&whole, SC_LINK_ETHER, seg);
	assert_int_equal(sc_packet_parse(&first, SC_LINK_ETHER, &other), r);
	assert_ptr_equal(seg->mbuf, &whole);
	assert_ptr_equal(other.mbuf, &first);
	assert_int_equal(seg->nb_vlan, other.nb_vlan);
	if (r == SC_R_NONE || r == SC_R_BAD_L4_CHECKSUM)
		test_seg_same(seg, &other);
	return r;
}

/* A frame of the kind that goes the short way, or nearly so. */
static size_t
plain_frame(struct sc_rng *rng, uint8_t *bytes, struct test_frame *f)
{
	static uint8_t opts[40], payload[64];
	static const enum test_csum sums[] = {
			TEST_CSUM_GOOD, TEST_CSUM_GOOD, TEST_CSUM_PARTIAL, TEST_CSUM_BAD};
	size_t len = 0;

	*f = (struct test_frame){
			.src = "192.0.2.1",
			.dst = "198.51.100.254",
			.ip_id = (uint16_t)sc_rng_next(rng),
			.ip_frag = sc_rng_below(rng, 2) != 0 ? 0x4000 : 0,
			.sport = (uint16_t)(sc_rng_next(rng) | 1),
			.dport = (uint16_t)(sc_rng_next(rng) | 1),
			.seq = (uint32_t)sc_rng_next(rng),
			.ack = (uint32_t)sc_rng_next(rng),
			.wnd = (uint16_t)sc_rng_next(rng),
			.urg = (uint16_t)sc_rng_next(rng),
			.flags = (uint8_t)sc_rng_next(rng),
			.csum = sums[sc_rng_below(rng, 4)],
			.ip_csum_bad = sc_rng_below(rng, 16) == 0,
			.ip_len_zero = sc_rng_below(rng, 64) == 0,
			.payload = payload,
			.len = sc_rng_below(rng, 3) == 0 ? 0
							 : sc_rng_below(rng, sizeof(payload) + 1),
			.trailer = sc_rng_below(rng, 4) == 0 ? sc_rng_below(rng, 8) : 0,
			.opts = opts,
	};
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)sc_rng_next(rng);
	if (sc_rng_below(rng, 6) == 0) { /* of a SYN */
		test_opt(opts, &len, 2, 4, sc_rng_next(rng));
		test_opt(opts, &len, 4, 2, 0);
		test_opt(opts, &len, 8, 10, sc_rng_next(rng));
		test_opt(opts, &len, 1, 1, 0);
		test_opt(opts, &len, 3, 3, sc_rng_next(rng));
	} else if (sc_rng_below(rng, 3) != 0) {
		test_opt(opts, &len, 1, 1, 0);
		test_opt(opts, &len, 1, 1, 0);
		test_opt(opts, &len, 8, 10, sc_rng_next(rng));
	}
	f->opts_len = len;
	return test_frame_bytes(f, bytes, ROOM);
}

static uint64_t
nic_flags(struct sc_rng *rng)
{
	static const uint64_t ip[] = {RTE_MBUF_F_RX_IP_CKSUM_GOOD, RTE_MBUF_F_RX_IP_CKSUM_GOOD,
			RTE_MBUF_F_RX_IP_CKSUM_UNKNOWN, RTE_MBUF_F_RX_IP_CKSUM_BAD,
			RTE_MBUF_F_RX_IP_CKSUM_NONE};
	static const uint64_t l4[] = {RTE_MBUF_F_RX_L4_CKSUM_GOOD, RTE_MBUF_F_RX_L4_CKSUM_GOOD,
			RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN, RTE_MBUF_F_RX_L4_CKSUM_BAD,
			RTE_MBUF_F_RX_L4_CKSUM_NONE};

	return ip[sc_rng_below(rng, SC_ARRAY_SIZE(ip))] | l4[sc_rng_below(rng, SC_ARRAY_SIZE(l4))]
			| (sc_rng_below(rng, 8) == 0 ? RTE_MBUF_F_RX_LRO : 0)
			| (sc_rng_below(rng, 2) == 0 ? RTE_MBUF_F_RX_RSS_HASH : 0);
}

/* Both ways say of a good frame what it was made from. */
static void
test_good(void **state)
{
	uint8_t bytes[ROOM];
	struct test_frame f;
	struct sc_seg seg;
	struct sc_rng rng;

	(void)state;
	sc_rng_seed(&rng, 11);
	for (unsigned int i = 0; i < 20000; i++) {
		uint64_t flags = i % 2 ? RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD
				       : 0;
		size_t len = plain_frame(&rng, bytes, &f);

		f.csum = TEST_CSUM_GOOD;
		f.ip_csum_bad = f.ip_len_zero = false;
		len = test_frame_bytes(&f, bytes, sizeof(bytes));
		assert_int_equal(parse_both(bytes, len, sc_rng_below(&rng, (uint32_t)len + 1),
						 flags, &seg),
				SC_R_NONE);
		assert_int_equal(seg.sport, f.sport);
		assert_int_equal(seg.dport, f.dport);
		assert_int_equal(seg.seq, f.seq);
		assert_int_equal(seg.ack, f.ack);
		assert_int_equal(seg.wnd, f.wnd);
		assert_int_equal(seg.flags, f.flags);
		assert_int_equal(seg.urg, f.urg);
		assert_int_equal(seg.ip_id, f.ip_id);
		assert_int_equal(seg.opts & SC_OPT_TS, f.opts_len > 0 ? SC_OPT_TS : 0);
		assert_int_equal(seg.opts & SC_OPT_SACK_OK, f.opts_len > 12 ? SC_OPT_SACK_OK : 0);
		assert_int_equal(seg.payload_len, f.len);
		assert_int_equal(seg.payload_off, test_frame_l4_off(&f) + test_frame_tcp_len(&f));
		assert_int_equal(
				seg.payload_sum % 0xffff, test_sum16(f.payload, f.len, 0) % 0xffff);
	}
}

/* One to four bytes changed, headers above all, cut anywhere, whatever the NIC says. */
static void
test_mutants(void **state)
{
	unsigned int seen[SC_R_COUNT] = {0};
	uint8_t bytes[ROOM];
	struct test_frame f;
	struct sc_seg seg;
	struct sc_rng rng;

	(void)state;
	sc_rng_seed(&rng, 12);
	for (unsigned int i = 0; i < NB_ROUNDS; i++) {
		size_t len = plain_frame(&rng, bytes, &f);

		for (unsigned int k = sc_rng_below(&rng, 4); k > 0; k--) {
			size_t at = sc_rng_below(&rng, (uint32_t)SC_MIN(len, 70u));

			bytes[at] = sc_rng_below(&rng, 2) ? (uint8_t)sc_rng_next(&rng)
							  : bytes[at] ^ 1 << sc_rng_below(&rng, 8);
		}
		if (sc_rng_below(&rng, 4) == 0)
			len = sc_rng_below(&rng, (uint32_t)len + 1);
		seen[parse_both(bytes, len, sc_rng_below(&rng, (uint32_t)len + 1), nic_flags(&rng),
				&seg)]++;
	}
	assert_true(seen[SC_R_NONE] > NB_ROUNDS / 4);
	assert_true(seen[SC_R_BAD_L4_CHECKSUM] > 100);
	assert_true(seen[SC_R_BAD_IP_CHECKSUM] > 100);
	assert_true(seen[SC_R_TRUNCATED_FRAME] > 100);
	assert_true(seen[SC_R_BAD_TCP_HEADER] > 100);
}

/* Each single bit of the headers of a frame with and without timestamps. */
static void
test_every_bit(void **state)
{
	const uint64_t good = RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	const uint64_t flags[] = {good, 0, good | RTE_MBUF_F_RX_LRO, RTE_MBUF_F_RX_IP_CKSUM_GOOD};
	uint8_t bytes[ROOM];
	struct test_frame f;
	struct sc_seg seg;
	struct sc_rng rng;

	(void)state;
	sc_rng_seed(&rng, 13);
	for (unsigned int i = 0; i < 16; i++) {
		size_t len = plain_frame(&rng, bytes, &f);

		for (size_t bit = 0; bit < 8 * SC_MIN(len, 66u); bit++) {
			bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
			for (size_t k = 0; k < SC_ARRAY_SIZE(flags); k++)
				parse_both(bytes, len, 0, flags[k], &seg);
			bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
}

/* Each length of the mbuf and each length that the IP header may say. */
static void
test_every_length(void **state)
{
	const uint64_t flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	uint8_t bytes[ROOM];
	struct test_frame f;
	struct sc_seg seg;
	struct sc_rng rng;

	(void)state;
	sc_rng_seed(&rng, 14);
	for (unsigned int i = 0; i < 16; i++) {
		size_t len = plain_frame(&rng, bytes, &f);

		for (size_t n = 0; n <= len; n++)
			parse_both(bytes, n, n / 2, flags, &seg);
		for (unsigned int total = 0; total < 256; total++) {
			bytes[16] = 0;
			bytes[17] = (uint8_t)total;
			parse_both(bytes, len, 0, flags, &seg);
		}
	}
}

/* ---- building ---- */

static uint32_t
any_word(struct sc_rng *rng)
{
	static const uint32_t edges[] = {0, 1, 0xffff, 0xfffe, 0xffff0000, 0xffffffff, 0xfffffffe};

	return sc_rng_below(rng, 3) == 0 ? edges[sc_rng_below(rng, SC_ARRAY_SIZE(edges))]
					 : (uint32_t)sc_rng_next(rng);
}

static struct sc_tx_hdr
any_header(struct sc_rng *rng, const struct sc_l2_tmpl *l2)
{
	struct sc_tx_hdr h = {.l2 = l2};

	sc_addr_from_v4(&h.src, any_word(rng));
	sc_addr_from_v4(&h.dst, any_word(rng));
	h.sport = (uint16_t)any_word(rng);
	h.dport = (uint16_t)any_word(rng);
	h.seq = any_word(rng);
	h.ack = any_word(rng);
	h.wnd = (uint16_t)any_word(rng);
	h.flags = (uint8_t)sc_rng_next(rng);
	h.pad = (uint8_t)sc_rng_next(rng);
	h.tsval = any_word(rng);
	h.tsecr = any_word(rng);
	h.opts = (uint8_t)sc_rng_below(rng, 16);
	h.wscale = (uint8_t)sc_rng_below(rng, 15);
	h.mss = (uint16_t)any_word(rng);
	h.urg = (uint16_t)any_word(rng);
	h.payload_sum = (uint16_t)any_word(rng);
	return h;
}

/* `len` bytes of payload, of which one is in the first mbuf, behind `room` bytes for headers. */
static void
payload_make(struct rte_mbuf *m, uint8_t *mem, uint32_t len, uint16_t room)
{
	memset(m, 0, sizeof(*m));
	memset(mem, 0x5a, ROOM);
	m->buf_addr = mem;
	m->buf_len = ROOM;
	m->data_off = room;
	m->data_len = 1;
	m->pkt_len = len;
	m->nb_segs = 1;
	m->ol_flags = RTE_MBUF_F_INDIRECT | RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	m->vlan_tci = m->vlan_tci_outer = 77;
	m->tx_offload = UINT64_MAX;
}

static void
assert_same_but_tag(const struct rte_mbuf *m, const struct rte_mbuf *tagged)
{
	const uint8_t *a = rte_pktmbuf_mtod(m, const uint8_t *);
	const uint8_t *b = rte_pktmbuf_mtod(tagged, const uint8_t *);

	assert_int_equal(m->data_off, tagged->data_off);
	assert_int_equal(m->data_len + 4, tagged->data_len);
	assert_int_equal(m->pkt_len + 4, tagged->pkt_len);
	assert_memory_equal(a, b, 12);
	assert_memory_equal(a + 12, b + 16, m->data_len - 12u);
	assert_int_equal(m->ol_flags, tagged->ol_flags);
	assert_int_equal(m->vlan_tci, 0);
	assert_int_equal(m->vlan_tci_outer, 0);
	assert_int_equal(m->l2_len + 4, tagged->l2_len);
	assert_int_equal(m->tx_offload >> RTE_MBUF_L2_LEN_BITS,
			tagged->tx_offload >> RTE_MBUF_L2_LEN_BITS);
}

static void
test_build_both(void **state)
{
	static const uint32_t lens[] = {1, 2, 1460, 65535 - 52, 65535 - 51, 65535 - 40, 65535 - 39};
	static struct sc_l2_tmpl l2, l2_tagged;
	unsigned int nb_built = 0, nb_short = 0, nb_long = 0;
	struct sc_rng rng;

	(void)state;
	sc_rng_seed(&rng, 15);
	for (size_t i = 0; i < sizeof(l2.dst) + sizeof(l2.src); i++)
		((uint8_t *)&l2)[i] = (uint8_t)(17 * i);
	l2_tagged = l2;
	l2_tagged.nb_vlan = 1;
	for (unsigned int i = 0; i < NB_ROUNDS; i++) {
		struct sc_tx_hdr h = any_header(&rng, &l2), tagged = h;
		uint32_t len = sc_rng_below(&rng, 2)
				? sc_rng_below(&rng, 2000) + 1
				: lens[sc_rng_below(&rng, SC_ARRAY_SIZE(lens))];
		uint16_t room = (uint16_t)(sc_rng_below(&rng, 4) == 0 ? 48 + sc_rng_below(&rng, 40)
								      : 128);
		int rc;

		tagged.l2 = &l2_tagged;
		payload_make(&whole, whole_mem, len, room);
		payload_make(&first, first_mem, len, (uint16_t)(room + 4));
		rc = sc_packet_build(&whole, &h);
		assert_int_equal(sc_packet_build(&first, &tagged), rc);
		nb_built += rc == 0;
		nb_short += rc == -ENOSPC;
		nb_long += rc == -EMSGSIZE;
		if (rc == 0)
			assert_same_but_tag(&whole, &first);
		else
			assert_int_equal(whole.data_off, room);
	}
	assert_true(nb_built > NB_ROUNDS / 2 && nb_short > 1000 && nb_long > 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_good),
			cmocka_unit_test(test_mutants),
			cmocka_unit_test(test_every_bit),
			cmocka_unit_test(test_every_length),
			cmocka_unit_test(test_build_both),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
