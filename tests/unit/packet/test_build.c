/* SPDX-License-Identifier: BSD-3-Clause */
/* Built frames: byte for byte what an independent writer makes of the same fields, and parsed. */
#include <errno.h>
#include <string.h>

#include <sc_packet.h>

#include "frame.h"
#include "sc_test.h"
#include "test_eal.h"

static struct rte_mempool *pool;
static uint8_t payload[65535];
static uint8_t want[TEST_FRAME_MAX], got[TEST_FRAME_MAX];

static const struct sc_l2_tmpl l2_plain = {
		.dst.addr_bytes = {2, 0xaa, 0xbb, 0xcc, 0xdd, 0xee},
		.src.addr_bytes = {2, 1, 2, 3, 4, 5},
};

static int
setup(void **state)
{
	struct sc_rng rng;

	if (test_eal_setup(state) < 0)
		return -1;
	pool = test_pool("build", 255, 2048);
	sc_rng_seed(&rng, 13);
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)sc_rng_next(&rng);
	return 0;
}

static int
teardown(void **state)
{
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
	rte_mempool_free(pool);
	return test_eal_teardown(state);
}

static struct sc_tx_hdr
header(bool v6, uint8_t flags, uint8_t opts)
{
	struct sc_tx_hdr h = {
			.l2 = &l2_plain,
			.sport = 50123,
			.dport = 8080,
			.seq = 0xfffffff0,
			.ack = 0x01020304,
			.wnd = 0xfedc,
			.urg = 0x1122,
			.flags = flags,
			.opts = opts,
			.wscale = 9,
			.mss = 8960,
			.tsval = 0x89abcdef,
			.tsecr = 0x76543210,
	};

	assert_int_equal(sc_addr_parse(v6 ? "2001:db8::1" : "192.0.2.1", &h.src), 0);
	assert_int_equal(sc_addr_parse(v6 ? "fd00::99" : "203.0.113.9", &h.dst), 0);
	return h;
}

/* The options that Linux would write, by hand. */
static size_t
linux_options(uint8_t flags, uint8_t opts, uint8_t *buf)
{
	size_t len = 0;
	bool syn = (flags & SC_TCP_SYN) != 0;
	bool ts = (opts & SC_OPT_TS) != 0, sack = syn && (opts & SC_OPT_SACK_OK) != 0;

	if (syn && (opts & SC_OPT_MSS) != 0)
		test_opt(buf, &len, 2, 4, 8960);
	if (ts && sack) {
		test_opt(buf, &len, 4, 2, 0);
	} else if (ts || sack) {
		test_opt(buf, &len, 1, 1, 0);
		test_opt(buf, &len, 1, 1, 0);
	}
	if (ts)
		test_opt(buf, &len, 8, 10, 0x89abcdef76543210);
	else if (sack)
		test_opt(buf, &len, 4, 2, 0);
	if (syn && (opts & SC_OPT_WSCALE) != 0) {
		test_opt(buf, &len, 1, 1, 0);
		test_opt(buf, &len, 3, 3, 9);
	}
	return len;
}

/* What the frame of h with `len` bytes of payload must be; its length. */
static size_t
expected(const struct sc_tx_hdr *h, size_t len)
{
	bool v6 = !sc_addr_is_v4(&h->src);
	uint8_t opts[40];
	struct test_frame f = {
			.src = v6 ? "2001:db8::1" : "192.0.2.1",
			.dst = v6 ? "fd00::99" : "203.0.113.9",
			.nb_vlan = h->l2->nb_vlan,
			.vlan_tci = {h->l2->vlan_tci[0], h->l2->vlan_tci[1]},
			.vlan_tpid = {h->l2->nb_vlan == 2 ? 0x88a8 : 0x8100, 0x8100},
			.ip_frag = 0x4000,
			.sport = 50123,
			.dport = 8080,
			.seq = 0xfffffff0,
			.ack = 0x01020304,
			.wnd = 0xfedc,
			.flags = h->flags & 0x3f,
			.opts = opts,
			.payload = payload,
			.len = len,
	};

	f.urg = (h->flags & SC_TCP_URG) != 0 ? 0x1122 : 0;
	f.opts_len = linux_options(h->flags, h->opts, opts);
	memcpy(f.dst_mac, l2_plain.dst.addr_bytes, 6);
	memcpy(f.src_mac, l2_plain.src.addr_bytes, 6);
	return test_frame_bytes(&f, want, sizeof(want));
}

static void
assert_metadata(const struct rte_mbuf *m, const struct sc_tx_hdr *h)
{
	assert_int_equal(m->ol_flags, 0);
	assert_int_equal(m->vlan_tci, 0);
	assert_int_equal(m->vlan_tci_outer, 0);
	assert_int_equal(m->l2_len, 14 + 4 * h->l2->nb_vlan);
	assert_int_equal(m->l3_len, sc_addr_is_v4(&h->src) ? 20 : 40);
	assert_int_equal(m->l2_len + m->l3_len + m->l4_len, sc_packet_hdr_len(h));
	assert_int_equal(m->tso_segsz, 0);
}

/* Build with `len` bytes of payload, in segments of `cut`; compare with expected(). */
static void
assert_built(struct sc_tx_hdr *h, size_t len, size_t cut)
{
	struct rte_mbuf *m = test_mbuf_from(pool, payload, len, cut);
	size_t total = expected(h, len);
	const uint8_t *p;

	h->payload_sum = sc_packet_sum(payload, len);
	m->ol_flags = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_RSS_HASH
			| RTE_MBUF_F_TX_TCP_SEG;
	m->vlan_tci = 77;
	m->vlan_tci_outer = 78;
	m->tx_offload = UINT64_MAX;
	assert_int_equal(sc_packet_build(m, h), 0);
	rte_mbuf_sanity_check(m, 1);
	assert_int_equal(rte_pktmbuf_pkt_len(m), len + sc_packet_hdr_len(h));
	assert_int_equal(rte_pktmbuf_pkt_len(m), total);
	p = rte_pktmbuf_read(m, 0, (uint32_t)total, got);
	assert_memory_equal(p, want, total);
	assert_metadata(m, h);
	rte_pktmbuf_free(m);
}

static void
test_every_option_set(void **state)
{
	static const uint8_t flags[] = {SC_TCP_SYN, SC_TCP_SYN | SC_TCP_ACK, SC_TCP_ACK, SC_TCP_RST,
			SC_TCP_FIN | SC_TCP_ACK | SC_TCP_PSH};

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		for (size_t i = 0; i < SC_ARRAY_SIZE(flags); i++) {
			for (uint8_t opts = 0; opts < 16; opts++) {
				struct sc_tx_hdr h = header(v6, flags[i], opts);

				assert_built(&h, 0, 0);
				assert_built(&h, 1, 0);
				assert_built(&h, 100, 0);
			}
		}
	}
}

static void
test_vlan_tags(void **state)
{
	struct sc_l2_tmpl l2 = l2_plain;

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		for (uint8_t nb = 0; nb <= 2; nb++) {
			struct sc_tx_hdr h = header(v6, SC_TCP_ACK, SC_OPT_TS);

			l2.nb_vlan = nb;
			l2.vlan_tci[0] = 0x6123;
			l2.vlan_tci[1] = 0x0fff;
			h.l2 = &l2;
			assert_built(&h, 33, 0);
		}
	}
}

static void
test_flags(void **state)
{
	(void)state;
	for (unsigned int flags = 0; flags < 256; flags++) {
		struct sc_tx_hdr h = header(flags & 1, (uint8_t)flags, SC_OPT_TS);

		assert_built(&h, 7, 0);
	}
}

static void
test_payload_lengths(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct sc_tx_hdr h = header(v6, SC_TCP_ACK, 0);

		for (size_t len = 0; len < 200; len++)
			assert_built(&h, len, 0);
		assert_built(&h, 1460, 0);
		assert_built(&h, 1460, 13);
		assert_built(&h, 9001, 999);
		assert_built(&h, 60000, 0);
	}
}

/* A 16-bit length is the limit: 65,535 with the header for IPv4, without it for IPv6. */
static void
test_longest_payload(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct sc_tx_hdr h = header(v6, SC_TCP_ACK, SC_OPT_TS);
		size_t max = 65535 - 32 - (v6 ? 0 : 20);
		struct rte_mbuf *m;

		assert_built(&h, max, 0);
		m = test_mbuf_from(pool, payload, max + 1, 0);
		assert_int_equal(sc_packet_build(m, &h), -EMSGSIZE);
		assert_int_equal(rte_pktmbuf_pkt_len(m), max + 1);
		rte_pktmbuf_free(m);
	}
}

static void
test_headroom(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct sc_tx_hdr h = header(v6, SC_TCP_SYN, 15);
		uint16_t need = sc_packet_hdr_len(&h);

		for (int missing = 0; missing < 2; missing++) {
			struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
			struct rte_mbuf before;

			assert_non_null(m);
			m->data_off = (uint16_t)(need - missing);
			rte_pktmbuf_append(m, 10);
			m->ol_flags = RTE_MBUF_F_RX_RSS_HASH;
			before = *m;
			assert_int_equal(sc_packet_build(m, &h), missing ? -ENOSPC : 0);
			if (missing)
				assert_memory_equal(m, &before, sizeof(before));
			else
				assert_int_equal(m->data_off, 0);
			rte_pktmbuf_free(m);
		}
	}
}

static void
test_lengths_agree(void **state)
{
	static const uint16_t lens[16] = {
			[0] = 20,
			[1] = 24,
			[2] = 24,
			[3] = 28,
			[4] = 32,
			[5] = 36,
			[6] = 36,
			[7] = 40,
			[8] = 24,
			[9] = 28,
			[10] = 28,
			[11] = 32,
			[12] = 32,
			[13] = 36,
			[14] = 36,
			[15] = 40,
	};
	struct sc_l2_tmpl l2 = {.nb_vlan = 2};

	(void)state;
	for (uint8_t opts = 0; opts < 16; opts++) {
		struct sc_tx_hdr h = header(true, SC_TCP_SYN, opts);

		assert_int_equal(sc_packet_tcp_len(opts), lens[opts]);
		assert_int_equal(sc_packet_hdr_len(&h), 14 + 40 + lens[opts]);
		h.l2 = &l2;
		assert_int_equal(sc_packet_hdr_len(&h), 14 + 8 + 40 + lens[opts]);
		assert_true(sc_packet_hdr_len(&h) <= SC_TX_HDR_MAX);
		h.flags = SC_TCP_ACK;
		assert_int_equal(sc_packet_hdr_len(&h), 14 + 8 + 40 + lens[opts & SC_OPT_TS]);
	}
}

/* Whose memory an mbuf is must survive: a cleared flag would free it to the wrong pool. */
static void
test_owner_flags_stay(void **state)
{
	struct sc_tx_hdr h = header(false, SC_TCP_ACK, 0);
	struct rte_mbuf *direct = test_mbuf_from(pool, payload, 300, 0);
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	(void)state;
	assert_non_null(m);
	rte_pktmbuf_attach(m, direct);
	m->ol_flags |= RTE_MBUF_F_RX_RSS_HASH;
	h.payload_sum = sc_packet_sum(payload, 300);
	assert_int_equal(sc_packet_build(m, &h), 0);
	assert_int_equal(m->ol_flags, RTE_MBUF_F_INDIRECT);
	rte_pktmbuf_free(m);
	assert_int_equal(rte_mbuf_refcnt_read(direct), 1);
	rte_pktmbuf_free(direct);
}

static void
assert_same(const struct sc_seg *seg, const struct sc_tx_hdr *h, size_t len)
{
	bool syn = (h->flags & SC_TCP_SYN) != 0;

	assert_true(sc_addr_eq(&seg->src, &h->src));
	assert_true(sc_addr_eq(&seg->dst, &h->dst));
	assert_int_equal(seg->sport, h->sport);
	assert_int_equal(seg->dport, h->dport);
	assert_int_equal(seg->seq, h->seq);
	assert_int_equal(seg->ack, h->ack);
	assert_int_equal(seg->wnd, h->wnd);
	assert_int_equal(seg->flags, h->flags & 0x3f);
	assert_int_equal(seg->opts, syn ? h->opts : h->opts & SC_OPT_TS);
	assert_int_equal(seg->mss, (seg->opts & SC_OPT_MSS) != 0 ? h->mss : 0);
	assert_int_equal(seg->wscale, (seg->opts & SC_OPT_WSCALE) != 0 ? h->wscale : 0);
	assert_int_equal(seg->tsval, (seg->opts & SC_OPT_TS) != 0 ? h->tsval : 0);
	assert_int_equal(seg->tsecr, (seg->opts & SC_OPT_TS) != 0 ? h->tsecr : 0);
	assert_int_equal(seg->csum, SC_CSUM_GOOD);
	assert_int_equal(seg->payload_len, len);
	assert_int_equal(seg->payload_off, sc_packet_hdr_len(h));
	assert_int_equal(seg->payload_sum, h->payload_sum);
	assert_int_equal(seg->nb_vlan, h->l2->nb_vlan);
}

/* A seeded walk through all fields: what is built is parsed as it was meant. */
static void
test_round_trip(void **state)
{
	struct sc_l2_tmpl l2 = l2_plain;
	struct sc_rng rng;
	struct sc_seg seg;

	(void)state;
	sc_rng_seed(&rng, 17);
	for (unsigned int i = 0; i < 5000; i++) {
		struct sc_tx_hdr h = header(i % 2, (uint8_t)sc_rng_next(&rng), i / 2 % 16);
		size_t len = sc_rng_below(&rng, i % 50 == 0 ? 30000 : 1500);
		struct rte_mbuf *m = test_mbuf_from(
				pool, payload, len, i % 3 == 0 ? 200 + sc_rng_below(&rng, 799) : 0);

		h.sport = (uint16_t)sc_rng_next(&rng);
		h.dport = (uint16_t)sc_rng_next(&rng);
		h.seq = (uint32_t)sc_rng_next(&rng);
		h.ack = (uint32_t)sc_rng_next(&rng);
		h.tsval = (uint32_t)sc_rng_next(&rng);
		h.tsecr = (uint32_t)sc_rng_next(&rng);
		h.wnd = (uint16_t)sc_rng_next(&rng);
		h.mss = (uint16_t)(1 + sc_rng_below(&rng, 65535));
		h.wscale = (uint8_t)sc_rng_below(&rng, 15);
		h.payload_sum = sc_packet_sum(payload, len);
		l2.nb_vlan = (uint8_t)sc_rng_below(&rng, 3);
		h.l2 = &l2;
		assert_int_equal(sc_packet_build(m, &h), 0);
		assert_int_equal(sc_packet_parse(m, SC_LINK_ETHER, &seg), SC_R_NONE);
		assert_same(&seg, &h, len);
		rte_pktmbuf_free(m);
	}
}

/* A captured sum, wrong or not, is what the new checksum is made of: an error is not hidden. */
static void
test_wrong_payload_sum_shows(void **state)
{
	struct sc_tx_hdr h = header(false, SC_TCP_ACK, SC_OPT_TS);
	struct rte_mbuf *m = test_mbuf_from(pool, payload, 100, 0);
	struct sc_seg seg;

	(void)state;
	h.payload_sum = (uint16_t)(sc_packet_sum(payload, 100) ^ 1);
	assert_int_equal(sc_packet_build(m, &h), 0);
	assert_int_equal(sc_packet_parse(m, SC_LINK_ETHER, &seg), SC_R_BAD_L4_CHECKSUM);
	rte_pktmbuf_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_every_option_set),
			cmocka_unit_test(test_vlan_tags),
			cmocka_unit_test(test_flags),
			cmocka_unit_test(test_payload_lengths),
			cmocka_unit_test(test_longest_payload),
			cmocka_unit_test(test_headroom),
			cmocka_unit_test(test_lengths_agree),
			cmocka_unit_test(test_owner_flags_stay),
			cmocka_unit_test(test_round_trip),
			cmocka_unit_test(test_wrong_payload_sum_shows),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
