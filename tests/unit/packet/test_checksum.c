/* SPDX-License-Identifier: BSD-3-Clause */
/* Sums, and what a segment's checksum field is judged to be. */
#include <stdlib.h>
#include <string.h>

#include <sc_packet.h>

#include "frame.h"
#include "sc_test.h"
#include "test_eal.h"

static struct rte_mempool *pool;
static uint8_t bytes[TEST_FRAME_MAX];
static uint8_t payload[65515];

static int
setup(void **state)
{
	struct sc_rng rng;

	if (test_eal_setup(state) < 0)
		return -1;
	pool = test_pool("csum", 1023, 512);
	sc_rng_seed(&rng, 11);
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

static struct test_frame
frame(bool v6, size_t len)
{
	struct test_frame f = {
			.src = v6 ? "2001:db8::ffff:1" : "192.0.2.1",
			.dst = v6 ? "2001:db8::ffff:2" : "198.51.100.2",
			.flags = SC_TCP_ACK,
			.seq = 0x12345678,
			.ack = 0x9abcdef0,
			.wnd = 501,
			.payload = payload,
			.len = len,
	};

	return f;
}

static void
test_sum(void **state)
{
	static const uint8_t rfc1071[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
	static const uint8_t ones[3] = {0xff, 0xff, 0xff};

	(void)state;
	/* the example of RFC 1071 section 3: 2ddf0 folds to ddf2 */
	assert_int_equal(sc_packet_sum(rfc1071, sizeof(rfc1071)), 0xddf2);
	assert_int_equal(sc_packet_sum(NULL, 0), 0);
	assert_int_equal(sc_packet_sum("\x12", 1), 0x1200);
	assert_int_equal(sc_packet_sum("\x12\x34", 2), 0x1234);
	assert_int_equal(sc_packet_sum("\x12\x34\x56", 3), 0x1234 + 0x5600);
	assert_int_equal(sc_packet_sum(ones, 2), 0xffff);
	assert_int_equal(sc_packet_sum(ones, 3), 0xff00);
	/* any length at any alignment */
	for (size_t len = 0; len < 200; len++) {
		for (size_t off = 0; off < 17; off++)
			assert_int_equal(sc_packet_sum(payload + off, len),
					test_sum16(payload + off, len, 0));
	}
	assert_int_equal(sc_packet_sum(payload, 65515), test_sum16(payload, 65515, 0));
}

/* The most carries that memory can make. */
static void
test_sum_of_ones(void **state)
{
	size_t len = 1u << 20;
	uint8_t *p = malloc(len);

	(void)state;
	assert_non_null(p);
	memset(p, 0xff, len);
	assert_int_equal(sc_packet_sum(p, len), 0xffff);
	assert_int_equal(sc_packet_sum(p, len - 1), 0xff00);
	free(p);
}

static void
test_sum_add(void **state)
{
	struct sc_rng rng;

	(void)state;
	sc_rng_seed(&rng, 5);
	for (unsigned int i = 0; i < 2000; i++) {
		size_t a = sc_rng_below(&rng, 300), b = sc_rng_below(&rng, 300);

		assert_int_equal(sc_packet_sum_add(sc_packet_sum(payload, a), a,
						 sc_packet_sum(payload + a, b)),
				test_sum16(payload, a + b, 0));
	}
	assert_int_equal(sc_packet_sum_add(0xffff, 2, 0xffff), 0xffff);
	assert_int_equal(sc_packet_sum_add(0x8000, 0, 0x8000), 0x0001);
	assert_int_equal(sc_packet_sum_add(0, 1, 0x1234), 0x3412);
}

/* The judgement, and in every case the whole segment: a bad one is filled in, too. */
static void
assert_judged(const struct test_frame *f, size_t cut, enum sc_csum want)
{
	size_t len = test_frame_bytes(f, bytes, sizeof(bytes));
	struct rte_mbuf *m = test_mbuf_from(pool, bytes, len, cut);
	struct sc_seg seg;
	enum sc_reason r = sc_packet_parse(m, f->link, &seg);

	assert_int_equal(r, want == SC_CSUM_BAD ? SC_R_BAD_L4_CHECKSUM : SC_R_NONE);
	assert_int_equal(seg.csum, want);
	assert_int_equal(seg.seq, 0x12345678);
	assert_int_equal(seg.payload_len, f->len);
	assert_int_equal(seg.payload_sum, test_sum16(f->payload, f->len, 0));
	rte_pktmbuf_free(m);
}

static void
test_good_partial_bad(void **state)
{
	static const enum sc_csum want[] = {
			[TEST_CSUM_GOOD] = SC_CSUM_GOOD,
			[TEST_CSUM_PARTIAL] = SC_CSUM_PARTIAL,
			[TEST_CSUM_BAD] = SC_CSUM_BAD,
	};

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		for (unsigned int csum = 0; csum < SC_ARRAY_SIZE(want); csum++) {
			for (size_t len = 0; len < 70; len++) {
				struct test_frame f = frame(v6, len);

				f.csum = csum;
				assert_judged(&f, 0, want[csum]);
				f.trailer = 7;
				assert_judged(&f, 0, want[csum]);
			}
		}
	}
}

/* Odd and even boundaries between segments, in all three judgements. */
static void
test_chained(void **state)
{
	static const size_t cuts[] = {1, 2, 3, 7, 13, 54, 55, 57, 101, 255, 256, 511, 512};

	(void)state;
	for (size_t i = 0; i < SC_ARRAY_SIZE(cuts); i++) {
		for (int v6 = 0; v6 < 2; v6++) {
			struct test_frame f = frame(v6, 601 + i % 2);

			assert_judged(&f, cuts[i], SC_CSUM_GOOD);
			f.csum = TEST_CSUM_PARTIAL;
			assert_judged(&f, cuts[i], SC_CSUM_PARTIAL);
			f.csum = TEST_CSUM_BAD;
			assert_judged(&f, cuts[i], SC_CSUM_BAD);
		}
	}
}

static void
test_uneven_chains(void **state)
{
	struct sc_rng rng;
	struct sc_seg seg;

	(void)state;
	sc_rng_seed(&rng, 9);
	for (unsigned int round = 0; round < 500; round++) {
		struct test_frame f = frame(round % 2, sc_rng_below(&rng, 3000));
		size_t len = test_frame_bytes(&f, bytes, sizeof(bytes)), cuts[64];
		struct rte_mbuf *m;

		for (size_t i = 0; i < SC_ARRAY_SIZE(cuts); i++)
			cuts[i] = sc_rng_below(&rng, 200); /* 0: an empty segment */
		cuts[63] = 512;
		m = test_mbuf_cut(pool, bytes, len, cuts, SC_ARRAY_SIZE(cuts));
		assert_int_equal(sc_packet_parse(m, SC_LINK_ETHER, &seg), SC_R_NONE);
		assert_int_equal(seg.csum, SC_CSUM_GOOD);
		assert_int_equal(seg.payload_sum, test_sum16(payload, f.len, 0));
		rte_pktmbuf_free(m);
	}
}

static void
test_super_frames(void **state)
{
	static const size_t lens[] = {60000, 60001, 65495};

	(void)state;
	for (size_t i = 0; i < SC_ARRAY_SIZE(lens); i++) {
		for (int v6 = 0; v6 < 2; v6++) {
			struct test_frame f = frame(v6, lens[i]);

			assert_judged(&f, 0, SC_CSUM_GOOD);
			assert_judged(&f, 333, SC_CSUM_GOOD);
			f.csum = TEST_CSUM_PARTIAL;
			assert_judged(&f, 512, SC_CSUM_PARTIAL);
			f.csum = TEST_CSUM_BAD;
			assert_judged(&f, 511, SC_CSUM_BAD);
		}
	}
	struct test_frame f = frame(true, 65515);

	assert_judged(&f, 0, SC_CSUM_GOOD);
}

/* Super frames without an IP length: the pseudo-header's sum may lack the length, too. */
static void
test_partial_without_length(void **state)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct test_frame f = frame(v6, 40000);
		size_t len = test_frame_bytes(&f, bytes, sizeof(bytes));
		size_t l3 = test_frame_l3_off(&f), l4 = test_frame_l4_off(&f);
		uint16_t sum = test_sum16(bytes + l3 + (v6 ? 8 : 12), v6 ? 32 : 8, 6);
		struct rte_mbuf *m;
		struct sc_seg seg;

		(void)state;
		bytes[l4 + 16] = (uint8_t)(sum >> 8);
		bytes[l4 + 17] = (uint8_t)sum;
		m = test_mbuf_from(pool, bytes, len, 0);
		assert_int_equal(sc_packet_parse(m, SC_LINK_ETHER, &seg), SC_R_BAD_L4_CHECKSUM);
		rte_pktmbuf_free(m);
		memset(bytes + l3 + (v6 ? 4 : 2), 0, 2);
		m = test_mbuf_from(pool, bytes, len, 0);
		assert_int_equal(sc_packet_parse(m, SC_LINK_ETHER, &seg), SC_R_NONE);
		assert_int_equal(seg.csum, SC_CSUM_PARTIAL);
		rte_pktmbuf_free(m);
	}
}

/* Any single changed byte is found, in the payload and in the headers it covers. */
static void
test_every_byte_counts(void **state)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct test_frame f = frame(v6, 33);
		size_t len = test_frame_bytes(&f, bytes, sizeof(bytes));
		size_t l4 = test_frame_l4_off(&f);
		struct sc_seg seg;

		(void)state;
		for (size_t at = v6 ? 22 : l4; at < len; at++) {
			struct rte_mbuf *m = test_mbuf_from(pool, bytes, len, 0);
			uint8_t *p = rte_pktmbuf_mtod_offset(m, uint8_t *, at);

			*p ^= 0x08;
			if (at != l4 + 12) /* the data offset moves the payload */
				assert_int_equal(sc_packet_parse(m, SC_LINK_ETHER, &seg),
						SC_R_BAD_L4_CHECKSUM);
			rte_pktmbuf_free(m);
		}
	}
}

/* The sum of a segment that the NIC calls good follows from its headers. */
static void
test_nic_good(void **state)
{
	struct sc_seg seg;

	(void)state;
	for (size_t len = 0; len < 300; len++) {
		for (int v6 = 0; v6 < 2; v6++) {
			struct test_frame f = frame(v6, len);
			struct rte_mbuf *m = test_frame_mbuf(pool, &f);

			m->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_GOOD;
			assert_int_equal(sc_packet_parse(m, SC_LINK_ETHER, &seg), SC_R_NONE);
			assert_int_equal(seg.csum, SC_CSUM_GOOD);
			assert_int_equal(seg.payload_sum, test_sum16(payload, len, 0));
			rte_pktmbuf_free(m);
		}
	}
}

/* The sum that a NIC's word gives must lead to the checksum that the bytes lead to. */
static void
test_nic_good_zero_payload(void **state)
{
	static const uint8_t zeros[64];
	struct test_frame f = frame(false, sizeof(zeros));
	struct rte_mbuf *m;
	struct sc_seg seg;

	(void)state;
	f.payload = zeros;
	m = test_frame_mbuf(pool, &f);
	m->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	assert_int_equal(sc_packet_parse(m, SC_LINK_ETHER, &seg), SC_R_NONE);
	assert_int_equal(seg.payload_sum % 0xffff, 0);
	rte_pktmbuf_free(m);
}

/* Should a NIC be wrong about an empty segment, its sum is still that of nothing. */
static void
test_nic_good_without_payload(void **state)
{
	struct test_frame f = frame(false, 0);
	struct rte_mbuf *m;
	struct sc_seg seg;

	(void)state;
	f.csum = TEST_CSUM_BAD;
	m = test_frame_mbuf(pool, &f);
	m->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	assert_int_equal(sc_packet_parse(m, SC_LINK_ETHER, &seg), SC_R_NONE);
	assert_int_equal(seg.payload_sum, 0);
	rte_pktmbuf_free(m);
}

/* Where the NIC's word says nothing about the bytes as they stand, they are looked at. */
static void
test_nic_word_that_does_not_count(void **state)
{
	static const uint64_t flags[] = {
			RTE_MBUF_F_RX_L4_CKSUM_BAD,
			RTE_MBUF_F_RX_L4_CKSUM_NONE,
			RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN,
			RTE_MBUF_F_RX_IP_CKSUM_GOOD,
			RTE_MBUF_F_RX_L4_CKSUM_GOOD | RTE_MBUF_F_RX_LRO,
	};
	struct sc_seg seg;

	(void)state;
	for (size_t i = 0; i < SC_ARRAY_SIZE(flags); i++) {
		for (unsigned int csum = 0; csum < 3; csum++) {
			struct test_frame f = frame(i % 2, 77);
			struct rte_mbuf *m;

			f.csum = csum;
			m = test_frame_mbuf(pool, &f);
			m->ol_flags = flags[i];
			assert_int_equal(sc_packet_parse(m, SC_LINK_ETHER, &seg),
					csum == TEST_CSUM_BAD ? SC_R_BAD_L4_CHECKSUM : SC_R_NONE);
			assert_int_equal(seg.csum, csum); /* the two enums count alike */
			assert_int_equal(seg.payload_sum, test_sum16(payload, 77, 0));
			rte_pktmbuf_free(m);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_sum),
			cmocka_unit_test(test_sum_of_ones),
			cmocka_unit_test(test_sum_add),
			cmocka_unit_test(test_good_partial_bad),
			cmocka_unit_test(test_chained),
			cmocka_unit_test(test_uneven_chains),
			cmocka_unit_test(test_super_frames),
			cmocka_unit_test(test_partial_without_length),
			cmocka_unit_test(test_every_byte_counts),
			cmocka_unit_test(test_nic_good),
			cmocka_unit_test(test_nic_good_zero_payload),
			cmocka_unit_test(test_nic_good_without_payload),
			cmocka_unit_test(test_nic_word_that_does_not_count),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
