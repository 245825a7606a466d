/* SPDX-License-Identifier: BSD-3-Clause */
/* Link layers, VLAN tags, captured lengths, chains. */
#include <string.h>

#include "parsed.h"
#include "sc_test.h"

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
	size_t len = test_frame_bytes(&f, parsed_bytes, sizeof(parsed_bytes));
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
			whole = test_frame_bytes(&f, parsed_bytes, sizeof(parsed_bytes));
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
		len = test_frame_bytes(&f, parsed_bytes, sizeof(parsed_bytes));
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
	len = test_frame_bytes(&f, parsed_bytes, sizeof(parsed_bytes));
	for (size_t cut = 0; cut < 2048; cut += 211) {
		struct rte_mbuf *m = test_mbuf_from(parsed_pool, parsed_bytes, len, cut);

		assert_ptr_not_equal(rte_pktmbuf_read(m, 0, len, before), NULL);
		assert_int_equal(sc_packet_parse(m, SC_LINK_ETHER, &seg), SC_R_NONE);
		for (unsigned int i = 0; i < 200; i++) {
			uint32_t off = sc_rng_below(&rng, sizeof(payload) + 1);
			uint32_t n = sc_rng_below(&rng, sizeof(payload) - off + 1);

			sc_packet_copy_payload(&seg, off, n, out);
			assert_memory_equal(out, payload + off, n);
		}
		assert_ptr_equal(rte_pktmbuf_read(m, 0, len, after), after);
		assert_memory_equal(after, parsed_bytes, len);
		rte_pktmbuf_free(m);
	}
}

/* Where the IP header begins, for whoever needs it of a frame that was refused. */
static void
test_find_ip(void **state)
{
	static const enum sc_link links[] = {SC_LINK_ETHER, SC_LINK_SLL, SC_LINK_SLL2, SC_LINK_RAW};

	(void)state;
	for (size_t i = 0; i < 2 * SC_ARRAY_SIZE(links); i++) {
		struct test_frame f = full_frame(i % 2);
		uint32_t head = i % 2 ? 40 : 20, off = 0;
		struct rte_mbuf *m;
		size_t len, l3;

		f.link = links[i / 2];
		f.nb_vlan = f.link == SC_LINK_RAW ? 0 : 2;
		l3 = test_frame_l3_off(&f);
		len = test_frame_bytes(&f, parsed_bytes, sizeof(parsed_bytes));
		m = test_mbuf_from(parsed_pool, parsed_bytes, len, 7);
		assert_int_equal(sc_packet_find_ip(m, f.link, &off), i % 2 ? 6 : 4);
		assert_int_equal(off, l3);
		rte_pktmbuf_free(m);
		m = test_mbuf_from(parsed_pool, parsed_bytes, l3 + head - 1, 0);
		assert_int_equal(sc_packet_find_ip(m, f.link, &off), 0);
		rte_pktmbuf_free(m);
		if (f.link == SC_LINK_RAW)
			continue;
		parsed_bytes[l3 - 1] = 0x35; /* not IP */
		m = test_mbuf_from(parsed_pool, parsed_bytes, len, 0);
		assert_int_equal(sc_packet_find_ip(m, f.link, &off), 0);
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
			cmocka_unit_test(test_chained_headers),
			cmocka_unit_test(test_copy_payload),
			cmocka_unit_test(test_find_ip),
	};

	return cmocka_run_group_tests(tests, parsed_setup, parsed_teardown);
}
