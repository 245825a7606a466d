/* SPDX-License-Identifier: BSD-3-Clause */
/* IPv4 and IPv6 headers: what is taken, and every reason to refuse. */
#include <string.h>

#include "parsed.h"
#include "sc_test.h"

static void
test_ipv4_options(void **state)
{
	uint8_t opts[40];
	struct sc_seg seg;

	(void)state;
	memset(opts, 1, sizeof(opts)); /* NOP */
	for (size_t len = 0; len <= sizeof(opts); len += 4) {
		struct test_frame f = full_frame(false);

		f.ip_opts = opts;
		f.ip_opts_len = len;
		assert_int_equal(parse(&f, &seg), SC_R_NONE);
		assert_full(&f, &seg);
		f.ip_csum_bad = true;
		assert_int_equal(parse(&f, &seg), SC_R_BAD_IP_CHECKSUM);
	}
	/* the options' bytes are part of the sum */
	struct test_frame f = full_frame(false);

	f.ip_opts = opts;
	f.ip_opts_len = 40;
	assert_int_equal(parse_poked(&f, 14 + 59, 2), SC_R_BAD_IP_CHECKSUM);
	/* captured bytes end within the options */
	assert_int_equal(parse_first(&f, 14 + 59), SC_R_SHORT_FRAME);
	assert_int_equal(parse_first(&f, 14 + 60), SC_R_TRUNCATED_FRAME);
}

static void
test_bad_ipv4_header(void **state)
{
	struct test_frame f = full_frame(false);

	(void)state;
	assert_int_equal(parse_poked(&f, 14, 0x55), SC_R_BAD_IP_HEADER); /* version 5 */
	assert_int_equal(parse_poked(&f, 14, 0x65), SC_R_BAD_IP_HEADER);
	assert_int_equal(parse_poked(&f, 14, 0x44), SC_R_BAD_IP_HEADER); /* 16 bytes long */
	assert_int_equal(parse_poked(&f, 14, 0x40), SC_R_BAD_IP_HEADER);
	/* total length 19: less than the header */
	assert_int_equal(parse_poked(&f, 17, 19), SC_R_BAD_IP_HEADER);
	/* a header of 60 bytes in a packet of 58 */
	assert_int_equal(parse_poked(&f, 14, 0x4f), SC_R_SHORT_FRAME);
	f.trailer = 10;
	assert_int_equal(parse_poked(&f, 14, 0x4f), SC_R_BAD_IP_HEADER);
}

static void
test_bad_ipv4_checksum(void **state)
{
	struct test_frame f = full_frame(false);
	struct rte_mbuf *m;
	struct sc_seg seg;

	(void)state;
	f.ip_csum_bad = true;
	assert_int_equal(parse(&f, &seg), SC_R_BAD_IP_CHECKSUM);
	/* the NIC's word counts where it says good, and only there */
	m = test_frame_mbuf(parsed_pool, &f);
	m->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD;
	assert_int_equal(sc_packet_parse(m, SC_LINK_ETHER, &seg), SC_R_NONE);
	m->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_NONE;
	assert_int_equal(sc_packet_parse(m, SC_LINK_ETHER, &seg), SC_R_BAD_IP_CHECKSUM);
	rte_pktmbuf_free(m);
	f.ip_csum_bad = false;
	m = test_frame_mbuf(parsed_pool, &f);
	m->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_BAD;
	assert_int_equal(sc_packet_parse(m, SC_LINK_ETHER, &seg), SC_R_NONE);
	rte_pktmbuf_free(m);
}

static void
test_ipv4_fragments(void **state)
{
	static const struct {
		uint16_t frag;
		enum sc_reason want;
	} cases[] = {
			{0x4000, SC_R_NONE},        /* DF */
			{0x8000, SC_R_NONE},        /* the reserved bit */
			{0x2000, SC_R_IP_FRAGMENT}, /* first */
			{0x2001, SC_R_IP_FRAGMENT},
			{0x0001, SC_R_IP_FRAGMENT}, /* last */
			{0x1fff, SC_R_IP_FRAGMENT},
	};
	struct sc_seg seg;

	(void)state;
	for (size_t i = 0; i < SC_ARRAY_SIZE(cases); i++) {
		struct test_frame f = full_frame(false);

		f.ip_frag = cases[i].frag;
		assert_int_equal(parse(&f, &seg), cases[i].want);
		/* what isn't TCP is none of ours, whole or in pieces */
		f.proto = 17;
		assert_int_equal(parse(&f, &seg), SC_R_NOT_TCP);
	}
}

static void
test_not_tcp(void **state)
{
	static const uint8_t protos[] = {1, 17, 47, 50, 51, 58, 59, 132, 139, 255};
	struct sc_seg seg;

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		for (size_t i = 0; i < SC_ARRAY_SIZE(protos); i++) {
			struct test_frame f = full_frame(v6);

			f.proto = protos[i];
			assert_int_equal(parse(&f, &seg), SC_R_NOT_TCP);
			/* cut short, too: the reason is not the snap length */
			assert_int_equal(parse_first(&f, test_frame_l4_off(&f)), SC_R_NOT_TCP);
		}
	}
}

static void
test_length_zero_takes_the_frame(void **state)
{
	static uint8_t payload[60001];
	struct sc_seg seg;

	(void)state;
	memset(payload, 0xa7, sizeof(payload));
	for (int v6 = 0; v6 < 2; v6++) {
		struct test_frame f = full_frame(v6);

		f.ip_len_zero = true;
		f.payload = payload;
		f.len = sizeof(payload);
		assert_int_equal(parse(&f, &seg), SC_R_NONE);
		assert_full(&f, &seg);
	}
	/* its checksum is the NIC's to write, as the length is */
	struct test_frame f = full_frame(false);

	f.ip_len_zero = true;
	f.ip_csum_bad = true;
	assert_int_equal(parse(&f, &seg), SC_R_NONE);
	/* more than an IP length can say */
	f.payload = payload;
	f.len = 60000;
	f.trailer = 5496;
	assert_int_equal(parse(&f, &seg), SC_R_BAD_IP_HEADER);
	f = full_frame(true);
	f.ip_len_zero = true;
	f.payload = payload;
	f.len = 60000;
	f.trailer = 5516;
	assert_int_equal(parse(&f, &seg), SC_R_BAD_IP_HEADER);
}

static void
test_ipv6_extension_headers(void **state)
{
	static const uint8_t types[] = {0, 43, 60};
	struct sc_seg seg;

	(void)state;
	for (size_t i = 0; i < SC_ARRAY_SIZE(types); i++) {
		for (unsigned int units = 0; units < 256; units += units < 3 ? 1 : 63) {
			struct test_frame f = full_frame(true);

			f.nb_ext = 1;
			f.ext[0] = (struct test_ext){types[i], (uint8_t)units};
			assert_int_equal(parse(&f, &seg), SC_R_NONE);
			assert_full(&f, &seg);
		}
	}
}

static void
test_ipv6_extension_chains(void **state)
{
	struct test_frame f = full_frame(true);
	struct sc_seg seg;

	(void)state;
	f.nb_ext = 4;
	f.ext[0] = (struct test_ext){0, 1};
	f.ext[1] = (struct test_ext){60, 0};
	f.ext[2] = (struct test_ext){43, 2};
	f.ext[3] = (struct test_ext){60, 0};
	assert_int_equal(parse(&f, &seg), SC_R_NONE);
	assert_full(&f, &seg);
	for (unsigned int i = 0; i < 9; i++)
		f.ext[i] = (struct test_ext){60, 0};
	f.nb_ext = 8;
	assert_int_equal(parse(&f, &seg), SC_R_NONE);
	assert_full(&f, &seg);
	f.nb_ext = 9;
	assert_int_equal(parse(&f, &seg), SC_R_BAD_IP_HEADER);
	/* hop-by-hop anywhere but first */
	f.nb_ext = 2;
	f.ext[1].type = 0;
	assert_int_equal(parse(&f, &seg), SC_R_BAD_IP_HEADER);
}

static void
test_ipv6_refused_extensions(void **state)
{
	static const struct {
		uint8_t type;
		enum sc_reason want;
	} cases[] = {
			{44, SC_R_IP_FRAGMENT}, {50, SC_R_NOT_TCP}, /* ESP */
			{51, SC_R_NOT_TCP},                         /* AH */
			{135, SC_R_NOT_TCP}, {140, SC_R_NOT_TCP},   /* mobility, shim6 */
			{139, SC_R_NOT_TCP}, {253, SC_R_NOT_TCP},   /* HIP, experiments */
			{59, SC_R_NOT_TCP},                         /* no next header */
	};
	struct sc_seg seg;

	(void)state;
	for (size_t i = 0; i < SC_ARRAY_SIZE(cases); i++) {
		struct test_frame f = full_frame(true);

		f.nb_ext = 1;
		f.ext[0].type = cases[i].type;
		assert_int_equal(parse(&f, &seg), cases[i].want);
		f.nb_ext = 2;
		f.ext[0].type = 0;
		f.ext[1].type = cases[i].type;
		assert_int_equal(parse(&f, &seg), cases[i].want);
	}
}

/* Extension headers that reach beyond the IP packet, or beyond the captured bytes. */
static void
test_ipv6_extension_bounds(void **state)
{
	struct test_frame f = full_frame(true);
	struct sc_seg seg;
	size_t len;

	(void)state;
	f.nb_ext = 1;
	f.ext[0] = (struct test_ext){60, 0};
	/* length field says 256 x 8 bytes */
	assert_int_equal(parse_poked(&f, 14 + 41, 255), SC_R_BAD_IP_HEADER);
	/* ends with the packet: no byte is left for TCP */
	assert_int_equal(parse_poked(&f, 14 + 5, 8), SC_R_BAD_TCP_HEADER);
	/* the packet has not even 8 bytes for it */
	assert_int_equal(parse_poked(&f, 14 + 5, 7), SC_R_BAD_IP_HEADER);
	/* one byte less than the header says */
	f.ext[0].units = 1;
	assert_int_equal(parse_poked(&f, 14 + 5, 15), SC_R_BAD_IP_HEADER);
	assert_int_equal(parse_poked(&f, 14 + 5, 16), SC_R_BAD_TCP_HEADER);
	f.ext[0].units = 0;
	for (len = 14 + 40; len < 14 + 48; len++)
		assert_int_equal(parse_first(&f, len), SC_R_TRUNCATED_FRAME);
	/* the next header's type is known, its bytes are not captured */
	f.nb_ext = 2;
	f.ext[1] = (struct test_ext){60, 0};
	assert_int_equal(parse_first(&f, 14 + 48), SC_R_TRUNCATED_FRAME);
	/* one header that ends beyond the captured bytes */
	f.nb_ext = 1;
	f.ext[0].units = 20;
	assert_int_equal(parse_first(&f, 14 + 60), SC_R_TRUNCATED_FRAME);
	len = test_frame_bytes(&f, parsed_bytes, sizeof(parsed_bytes));
	assert_int_equal(parse_bytes(SC_LINK_ETHER, len, 0, &seg), SC_R_NONE);
}

static void
test_bad_ipv6_header(void **state)
{
	struct test_frame f = full_frame(true);
	struct sc_seg seg;

	(void)state;
	assert_int_equal(parse_poked(&f, 14, 0x40), SC_R_BAD_IP_HEADER);
	assert_int_equal(parse_poked(&f, 14, 0x70), SC_R_BAD_IP_HEADER);
	f.src = "::ffff:10.0.0.1";
	assert_int_equal(parse(&f, &seg), SC_R_BAD_IP_HEADER);
	f = full_frame(true);
	f.dst = "::ffff:10.0.0.1";
	assert_int_equal(parse(&f, &seg), SC_R_BAD_IP_HEADER);
}

/* Traffic class and flow label are none of ours. */
static void
test_ipv6_first_word(void **state)
{
	struct test_frame f = full_frame(true);

	(void)state;
	assert_int_equal(parse_poked(&f, 14, 0x6f), SC_R_NONE);
	assert_int_equal(parse_poked(&f, 15, 0xff), SC_R_NONE);
	assert_int_equal(parse_poked(&f, 14 + 7, 1), SC_R_NONE); /* hop limit */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_ipv4_options),
			cmocka_unit_test(test_bad_ipv4_header),
			cmocka_unit_test(test_bad_ipv4_checksum),
			cmocka_unit_test(test_ipv4_fragments),
			cmocka_unit_test(test_not_tcp),
			cmocka_unit_test(test_length_zero_takes_the_frame),
			cmocka_unit_test(test_ipv6_extension_headers),
			cmocka_unit_test(test_ipv6_extension_chains),
			cmocka_unit_test(test_ipv6_refused_extensions),
			cmocka_unit_test(test_ipv6_extension_bounds),
			cmocka_unit_test(test_bad_ipv6_header),
			cmocka_unit_test(test_ipv6_first_word),
	};

	return cmocka_run_group_tests(tests, parsed_setup, parsed_teardown);
}
