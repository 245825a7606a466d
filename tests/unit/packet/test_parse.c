/* SPDX-License-Identifier: BSD-3-Clause */
/* Link layers, VLAN tags, IPv4 and IPv6: what is taken, and every reason to refuse. */
#include <string.h>

#include <sc_packet.h>

#include "frame.h"
#include "sc_test.h"
#include "test_eal.h"

#define V6_SRC "2001:db8::1"
#define V6_DST "2001:db8:0:1::2"

static struct rte_mempool *pool;
static uint8_t bytes[TEST_FRAME_MAX];

static int
setup(void **state)
{
	if (test_eal_setup(state) < 0)
		return -1;
	pool = test_pool("parse", 255, 2048);
	return 0;
}

static int
teardown(void **state)
{
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
	rte_mempool_free(pool);
	return test_eal_teardown(state);
}

static enum sc_reason
parse_bytes(enum sc_link link, size_t len, size_t cut, struct sc_seg *seg)
{
	struct rte_mbuf *m = test_mbuf_from(pool, bytes, len, cut);
	enum sc_reason r;

	memset(seg, 0x5a, sizeof(*seg));
	r = sc_packet_parse(m, link, seg);
	assert_ptr_equal(seg->mbuf, m);
	rte_pktmbuf_free(m);
	return r;
}

static enum sc_reason
parse(const struct test_frame *f, struct sc_seg *seg)
{
	return parse_bytes(f->link, test_frame_bytes(f, bytes, sizeof(bytes)), 0, seg);
}

/* The frame of f, cut to len bytes. */
static enum sc_reason
parse_first(const struct test_frame *f, size_t len)
{
	struct sc_seg seg;

	assert_true(len <= test_frame_bytes(f, bytes, sizeof(bytes)));
	return parse_bytes(f->link, len, 0, &seg);
}

/* The frame of f with one byte set. */
static enum sc_reason
parse_poked(const struct test_frame *f, size_t at, uint8_t value)
{
	size_t len = test_frame_bytes(f, bytes, sizeof(bytes));
	struct sc_seg seg;

	assert_true(at < len);
	bytes[at] = value;
	return parse_bytes(f->link, len, 0, &seg);
}

static void
assert_addr(const struct sc_addr *a, const char *text)
{
	struct sc_addr want;

	assert_int_equal(sc_addr_parse(text, &want), 0);
	assert_true(sc_addr_eq(a, &want));
}

/* A frame with all fields told apart. */
static struct test_frame
full_frame(bool v6)
{
	struct test_frame f = {
			.src = v6 ? V6_SRC : "192.0.2.1",
			.dst = v6 ? V6_DST : "198.51.100.2",
			.ip_id = 0x1234,
			.sport = 54321,
			.dport = 443,
			.seq = 0xfedcba98,
			.ack = 0x89abcdef,
			.wnd = 0xabcd,
			.urg = 0x4321,
			.flags = SC_TCP_ACK | SC_TCP_PSH | SC_TCP_URG | SC_TCP_CWR,
			.payload = "GET / HTTP/1.1\r\n\r\n",
			.len = 18,
	};

	return f;
}

static void
assert_full(const struct test_frame *f, const struct sc_seg *seg)
{
	bool v6 = strchr(f->src, ':') != NULL;

	assert_addr(&seg->src, f->src);
	assert_addr(&seg->dst, f->dst);
	assert_int_equal(seg->sport, 54321);
	assert_int_equal(seg->dport, 443);
	assert_int_equal(seg->seq, 0xfedcba98);
	assert_int_equal(seg->ack, 0x89abcdef);
	assert_int_equal(seg->wnd, 0xabcd);
	assert_int_equal(seg->urg, 0x4321);
	assert_int_equal(seg->flags, SC_TCP_ACK | SC_TCP_PSH | SC_TCP_URG | SC_TCP_CWR);
	assert_int_equal(seg->opts, 0);
	assert_int_equal(seg->csum, SC_CSUM_GOOD);
	assert_int_equal(seg->ip_id, v6 ? 0 : 0x1234);
	assert_int_equal(seg->payload_len, f->len);
	assert_int_equal(seg->payload_off, test_frame_l4_off(f) + test_frame_tcp_len(f));
	assert_int_equal(seg->payload_sum, test_sum16(f->payload, f->len, 0));
	assert_int_equal(seg->nb_vlan, f->nb_vlan);
}

static void
test_links_and_tags(void **state)
{
	static const enum sc_link links[] = {SC_LINK_ETHER, SC_LINK_SLL, SC_LINK_SLL2, SC_LINK_RAW};
	static const uint16_t tpids[] = {0x88a8, 0x9100, 0x8100, 0x8100};
	struct sc_seg seg;

	(void)state;
	for (size_t i = 0; i < SC_ARRAY_SIZE(links); i++) {
		unsigned int max = links[i] == SC_LINK_RAW ? 0 : 4;

		for (unsigned int tags = 0; tags <= max; tags++) {
			for (int v6 = 0; v6 < 2; v6++) {
				struct test_frame f = full_frame(v6);

				f.link = links[i];
				f.nb_vlan = tags;
				f.vlan_tci[0] = 0xe001;
				if (tags > 1)
					memcpy(f.vlan_tpid, tpids, sizeof(tpids));
				assert_int_equal(parse(&f, &seg), SC_R_NONE);
				assert_full(&f, &seg);
			}
		}
	}
}

static void
test_one_tag_of_each_type(void **state)
{
	static const uint16_t tpids[] = {0x8100, 0x88a8, 0x9100};
	struct test_frame f = full_frame(false);
	struct sc_seg seg;

	(void)state;
	f.nb_vlan = 1;
	for (size_t i = 0; i < SC_ARRAY_SIZE(tpids); i++) {
		f.vlan_tpid[0] = tpids[i];
		assert_int_equal(parse(&f, &seg), SC_R_NONE);
		assert_full(&f, &seg);
	}
	f.vlan_tpid[0] = 0x8101;
	assert_int_equal(parse(&f, &seg), SC_R_NOT_IP);
	assert_int_equal(seg.nb_vlan, 0);
}

static void
test_five_tags_are_refused(void **state)
{
	struct test_frame f = full_frame(false);
	struct sc_seg seg;

	(void)state;
	f.nb_vlan = 5;
	assert_int_equal(parse(&f, &seg), SC_R_NOT_IP);
	assert_int_equal(seg.nb_vlan, 4);
}

static void
test_not_ip(void **state)
{
	struct test_frame f = full_frame(false);

	(void)state;
	assert_int_equal(parse_poked(&f, 13, 0x06), SC_R_NOT_IP); /* ARP */
	assert_int_equal(parse_poked(&f, 12, 0x00), SC_R_NOT_IP); /* 802.3 length */
	f.link = SC_LINK_SLL;
	assert_int_equal(parse_poked(&f, 15, 0x06), SC_R_NOT_IP);
	f.link = SC_LINK_SLL2;
	assert_int_equal(parse_poked(&f, 1, 0x06), SC_R_NOT_IP);
	f.link = SC_LINK_RAW;
	assert_int_equal(parse_poked(&f, 0, 0x55), SC_R_NOT_IP);
	assert_int_equal(parse_poked(&f, 0, 0x00), SC_R_NOT_IP);
}

static void
test_unknown_link(void **state)
{
	struct test_frame f = full_frame(false);
	size_t len = test_frame_bytes(&f, bytes, sizeof(bytes));
	struct sc_seg seg;

	(void)state;
	assert_int_equal(parse_bytes((enum sc_link)4, len, 0, &seg), SC_R_UNKNOWN_LINK);
	assert_int_equal(parse_bytes((enum sc_link)255, len, 0, &seg), SC_R_UNKNOWN_LINK);
}

/* Every length below the whole: short up to the IP header's end, then truncated. */
static void
test_every_short_length(void **state)
{
	static const enum sc_link links[] = {SC_LINK_ETHER, SC_LINK_SLL, SC_LINK_SLL2, SC_LINK_RAW};

	(void)state;
	for (size_t i = 0; i < SC_ARRAY_SIZE(links); i++) {
		for (int v6 = 0; v6 < 2; v6++) {
			struct test_frame f = full_frame(v6);
			size_t whole, l4;

			f.link = links[i];
			f.nb_vlan = links[i] == SC_LINK_RAW ? 0 : 2;
			whole = test_frame_bytes(&f, bytes, sizeof(bytes));
			l4 = test_frame_l4_off(&f);
			for (size_t len = 0; len < whole; len++)
				assert_int_equal(parse_first(&f, len),
						len < l4 ? SC_R_SHORT_FRAME : SC_R_TRUNCATED_FRAME);
			assert_int_equal(parse_first(&f, whole), SC_R_NONE);
		}
	}
}

static void
test_trailer_is_cut(void **state)
{
	struct sc_seg seg;

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct test_frame f = full_frame(v6);

		f.trailer = 13;
		assert_int_equal(parse(&f, &seg), SC_R_NONE);
		assert_full(&f, &seg);
	}
	/* a bare ACK, padded to 60 bytes by the sender's NIC */
	struct test_frame ack = {.flags = SC_TCP_ACK, .trailer = 6};

	assert_int_equal(parse(&ack, &seg), SC_R_NONE);
	assert_int_equal(seg.payload_len, 0);
	assert_int_equal(seg.payload_sum, 0);
}

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
	m = test_frame_mbuf(pool, &f);
	m->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD;
	assert_int_equal(sc_packet_parse(m, SC_LINK_ETHER, &seg), SC_R_NONE);
	m->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_NONE;
	assert_int_equal(sc_packet_parse(m, SC_LINK_ETHER, &seg), SC_R_BAD_IP_CHECKSUM);
	rte_pktmbuf_free(m);
	f.ip_csum_bad = false;
	m = test_frame_mbuf(pool, &f);
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
	len = test_frame_bytes(&f, bytes, sizeof(bytes));
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

/* Headers that straddle segments: the same frame in pieces of every size. */
static void
test_chained_headers(void **state)
{
	uint8_t opts[40];
	struct sc_seg seg;

	(void)state;
	memset(opts, 1, sizeof(opts));
	for (int v6 = 0; v6 < 2; v6++) {
		struct test_frame f = full_frame(v6);
		size_t len;

		f.nb_vlan = 3;
		f.trailer = 3;
		f.opts = opts;
		f.opts_len = 40;
		if (v6) {
			f.nb_ext = 2;
			f.ext[0].type = 0;
			f.ext[1].type = 60;
		} else {
			f.ip_opts = opts;
			f.ip_opts_len = 40;
		}
		len = test_frame_bytes(&f, bytes, sizeof(bytes));
		for (size_t cut = 1; cut <= len; cut++) {
			assert_int_equal(parse_bytes(SC_LINK_ETHER, len, cut, &seg), SC_R_NONE);
			assert_full(&f, &seg);
		}
	}
}

/* No mbuf is changed, and the payload comes out as it went in. */
static void
test_copy_payload(void **state)
{
	static uint8_t payload[5000], out[5000], before[TEST_FRAME_MAX], after[TEST_FRAME_MAX];
	struct test_frame f = full_frame(false);
	struct sc_rng rng;
	struct sc_seg seg;
	size_t len;

	(void)state;
	sc_rng_seed(&rng, 3);
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)sc_rng_next(&rng);
	f.payload = payload;
	f.len = sizeof(payload);
	len = test_frame_bytes(&f, bytes, sizeof(bytes));
	for (size_t cut = 0; cut < 2048; cut += 211) {
		struct rte_mbuf *m = test_mbuf_from(pool, bytes, len, cut);

		assert_ptr_not_equal(rte_pktmbuf_read(m, 0, len, before), NULL);
		assert_int_equal(sc_packet_parse(m, SC_LINK_ETHER, &seg), SC_R_NONE);
		for (unsigned int i = 0; i < 200; i++) {
			uint32_t off = sc_rng_below(&rng, sizeof(payload) + 1);
			uint32_t n = sc_rng_below(&rng, sizeof(payload) - off + 1);

			sc_packet_copy_payload(&seg, off, n, out);
			assert_memory_equal(out, payload + off, n);
		}
		assert_ptr_equal(rte_pktmbuf_read(m, 0, len, after), after);
		assert_memory_equal(after, bytes, len);
		rte_pktmbuf_free(m);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_links_and_tags),
			cmocka_unit_test(test_one_tag_of_each_type),
			cmocka_unit_test(test_five_tags_are_refused),
			cmocka_unit_test(test_not_ip),
			cmocka_unit_test(test_unknown_link),
			cmocka_unit_test(test_every_short_length),
			cmocka_unit_test(test_trailer_is_cut),
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
			cmocka_unit_test(test_chained_headers),
			cmocka_unit_test(test_copy_payload),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
