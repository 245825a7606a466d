/* SPDX-License-Identifier: BSD-3-Clause */
/* Fragments of the mirror: put together, repeated, incomplete, refused; every mbuf is accounted for. */
#include <frag.h>
#include <string.h>
#include <test_eal.h>

#include "bed.h"

#define POOL_SIZE 2047
#define PAYLOAD 1200
#define START 5000000ull

static struct rte_mempool *mp;
static struct sc_stats st;
static struct frags *fr;
static unsigned int nb_free;
static uint64_t nb_in, nb_out; /* mbufs given to the table, whole packets taken back */
static uint8_t text[4096];

/* ---- cutting frames into pieces ---- */

struct cut {
	uint8_t bytes[TEST_FRAME_MAX];
	size_t len, l3, l4; /* of the whole */
	bool is_v6;
	enum sc_link link;
	uint32_t id;
};

static struct cut
cut_new(const struct test_frame *f)
{
	static struct cut c;

	memset(&c, 0, sizeof(c));
	c.len = test_frame_bytes(f, c.bytes, sizeof(c.bytes));
	c.l3 = test_frame_l3_off(f);
	c.l4 = test_frame_l4_off(f);
	c.is_v6 = f->src != NULL && strchr(f->src, ':') != NULL;
	c.link = f->link;
	c.id = f->ip_id;
	return c;
}

static void
put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* [off, off + len) of what IP carries, as a frame of its own. */
static struct rte_mbuf *
piece(const struct cut *c, size_t off, size_t len)
{
	static uint8_t out[TEST_FRAME_MAX];
	size_t head = c->l4, more = c->l4 + off + len < c->len;
	struct rte_mbuf *m;

	memcpy(out, c->bytes, head);
	if (c->is_v6) {
		uint8_t *ext = out + head;

		memset(ext, 0, 8);
		ext[0] = out[c->l3 + 6];
		out[c->l3 + 6] = 44;
		put16(ext + 2, off | more);
		put16(ext + 6, c->id);
		head += 8;
		put16(out + c->l3 + 4, len + 8);
	} else {
		put16(out + c->l3 + 2, c->l4 - c->l3 + len);
		put16(out + c->l3 + 6, more << 13 | off >> 3);
		put16(out + c->l3 + 10, 0);
		put16(out + c->l3 + 10, 0xffff & ~test_sum16(out + c->l3, c->l4 - c->l3, 0));
	}
	memcpy(out + head, c->bytes + c->l4 + off, len);
	m = test_mbuf_from(mp, out, head + len, 0);
	sc_mbuf_meta(m)->link = (uint8_t)c->link;
	return m;
}

/* What IP carries behind its header. */
static size_t
carried(const struct cut *c)
{
	return c->len - c->l4;
}

/* ---- the table ---- */

static void
open_table(void)
{
	memset(&st, 0, sizeof(st));
	if (mp == NULL)
		mp = test_pool("frag", POOL_SIZE, 2048);
	fr = frags_create(&st);
	assert_non_null(fr);
	nb_free = rte_mempool_avail_count(mp);
	nb_in = nb_out = 0;
}

static uint64_t
refused(enum sc_reason r)
{
	return st.m[SC_M_FRAME_REFUSED][r];
}

static void
check_count(void)
{
	assert_int_equal(nb_in,
			nb_out + st.c[SC_C_FRAGMENTS_MERGED] + st.c[SC_C_FRAGMENTS_NOW]
					+ sc_stats_map_sum(&st, SC_M_FRAME_REFUSED));
}

static struct rte_mbuf *
give(struct rte_mbuf *m, uint64_t us)
{
	enum sc_link link = (enum sc_link)sc_mbuf_meta(m)->link;
	struct rte_mbuf *whole;
	struct sc_seg seg;

	assert_int_equal(sc_packet_parse(m, link, &seg), SC_R_IP_FRAGMENT);
	whole = frags_take(fr, m, link, us, us);
	nb_in++;
	nb_out += whole != NULL;
	check_count();
	return whole;
}

static void
close_table(void)
{
	frags_drop(fr);
	check_count();
	assert_int_equal(st.c[SC_C_FRAGMENTS_NOW], 0);
	frags_destroy(fr);
	assert_int_equal(rte_mempool_avail_count(mp), nb_free);
}

/* The chain parses, with a good checksum, to the frame that was cut. */
static void
check_whole(struct rte_mbuf *m, const struct cut *c, uint64_t us)
{
	uint8_t got[4096];
	struct sc_seg seg;

	assert_non_null(m);
	assert_int_equal(sc_packet_parse(m, c->link, &seg), SC_R_NONE);
	assert_int_equal(seg.csum, SC_CSUM_GOOD);
	assert_int_equal(seg.payload_len, PAYLOAD);
	sc_packet_copy_payload(&seg, 0, PAYLOAD, got);
	assert_memory_equal(got, text, PAYLOAD);
	assert_int_equal(sc_mbuf_meta(m)->cap_us, us);
	assert_int_equal(m->pkt_len, c->len);
	rte_pktmbuf_free(m);
}

static struct test_frame
frame_of(bool is_v6)
{
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * 7 + i / 256);
	return (struct test_frame){
			.src = is_v6 ? "fd01::5" : "10.1.0.5",
			.dst = is_v6 ? "fd02::1" : "10.2.0.1",
			.flags = SC_TCP_ACK | SC_TCP_PSH,
			.seq = 77,
			.wnd = 501,
			.ip_id = 4711,
			.payload = text,
			.len = PAYLOAD,
	};
}

/* Three pieces in the given order; the last completes the packet. */
static void
check_order(const struct test_frame *f, const int order[3])
{
	struct cut c = cut_new(f);
	struct rte_mbuf *m = NULL;

	open_table();
	for (int i = 0; i < 3; i++) {
		size_t off = (size_t)order[i] * 512;

		assert_null(m);
		m = give(piece(&c, off, SC_MIN(carried(&c) - off, 512u)), START + (uint64_t)i);
	}
	check_whole(m, &c, START + 2);
	assert_int_equal(st.c[SC_C_FRAGMENTS_MERGED], 2);
	assert_int_equal(st.c[SC_C_FRAGMENTS_NOW], 0);
	close_table();
}

static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

static void
test_every_order(void **state)
{
	for (int v6 = 0; v6 < 2; v6++) {
		for (size_t i = 0; i < SC_ARRAY_SIZE(orders); i++) {
			struct test_frame f = frame_of(v6);

			check_order(&f, orders[i]);
		}
	}
}

static void
test_links_and_tags(void **state)
{
	static const enum sc_link links[] = {SC_LINK_SLL, SC_LINK_SLL2, SC_LINK_RAW};

	for (int v6 = 0; v6 < 2; v6++) {
		struct test_frame f = frame_of(v6);

		for (f.nb_vlan = 1; f.nb_vlan <= 4; f.nb_vlan++)
			check_order(&f, orders[3]);
		f.nb_vlan = 0;
		for (size_t i = 0; i < SC_ARRAY_SIZE(links); i++) {
			f.link = links[i];
			check_order(&f, orders[4]);
		}
	}
}

static void
test_ip_options(void **state)
{
	static const uint8_t opts[8] = {1, 1, 1, 1, 1, 1, 1, 1};
	struct test_frame f = frame_of(false);

	f.ip_opts = opts;
	f.ip_opts_len = sizeof(opts);
	check_order(&f, orders[5]);
}

/* The TCP header itself in two pieces (RFC 1858 calls it an attack; production decides). */
static void
test_tiny_first_piece(void **state)
{
	struct test_frame f = frame_of(false);
	struct cut c = cut_new(&f);

	open_table();
	assert_null(give(piece(&c, 0, 8), START));
	check_whole(give(piece(&c, 8, carried(&c) - 8), START), &c, START);
	close_table();
}

/* The NIC's word about a piece is not one about the whole. */
static void
test_flags_are_cleared(void **state)
{
	struct test_frame f = frame_of(false);
	struct rte_mbuf *m;
	struct sc_seg seg;
	struct cut c;

	f.csum = TEST_CSUM_BAD;
	c = cut_new(&f);
	open_table();
	m = piece(&c, 0, 512);
	m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD | RTE_MBUF_F_RX_IP_CKSUM_GOOD;
	assert_null(give(m, START));
	m = give(piece(&c, 512, carried(&c) - 512), START);
	assert_int_equal(sc_packet_parse(m, SC_LINK_ETHER, &seg), SC_R_BAD_L4_CHECKSUM);
	rte_pktmbuf_free(m);
	close_table();
}

/* A mirror of two points of the way: each piece twice, one behind the other, or the packet again. */
static void
test_mirrored_twice(void **state)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct test_frame f = frame_of(v6);
		struct cut c = cut_new(&f);
		size_t rest = carried(&c) - 512;

		open_table();
		assert_null(give(piece(&c, 0, 512), START));
		assert_null(give(piece(&c, 0, 512), START + 10));
		check_whole(give(piece(&c, 512, rest), START + 20), &c, START + 20);
		assert_null(give(piece(&c, 512, rest), START + 30));
		assert_null(give(piece(&c, 0, 512), START + 40));
		assert_int_equal(st.c[SC_C_FRAMES_DUPLICATE], 3);
		assert_int_equal(st.c[SC_C_FRAGMENTS_NOW], 0);
		assert_int_equal(sc_stats_map_sum(&st, SC_M_FRAME_REFUSED), 0);
		close_table();
	}
}

/* The same numbers later are another packet: identifications wrap. */
static void
test_same_id_later(void **state)
{
	struct test_frame f = frame_of(false);
	struct cut c = cut_new(&f);

	open_table();
	for (uint64_t us = START; us < START + 30000; us += 10000) {
		assert_null(give(piece(&c, 0, 512), us));
		check_whole(give(piece(&c, 512, carried(&c) - 512), us), &c, us);
	}
	assert_int_equal(st.c[SC_C_FRAMES_DUPLICATE], 0);
	close_table();
}

/* RFC 5722: of pieces that overlap none is to be believed. */
static void
test_overlap(void **state)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct test_frame f = frame_of(v6);
		struct cut c = cut_new(&f);

		open_table();
		assert_null(give(piece(&c, 0, 512), START));
		assert_null(give(piece(&c, 504, 512), START));
		assert_null(give(piece(&c, 1016, carried(&c) - 1016), START));
		assert_int_equal(refused(SC_R_IP_FRAGMENT), 3);
		assert_int_equal(st.c[SC_C_FRAGMENTS_NOW], 0);
		close_table();
	}
}

/* Pieces that add up to the whole and leave a hole: none is chained and forgotten. */
static void
test_hole_and_overlap(void **state)
{
	struct test_frame f = frame_of(false);
	struct cut c = cut_new(&f);

	open_table();
	assert_null(give(piece(&c, 0, 512), START));
	assert_null(give(piece(&c, 256, 256), START));
	assert_null(give(piece(&c, 768, 256), START));
	assert_null(give(piece(&c, 1024, carried(&c) - 1024), START));
	assert_int_equal(refused(SC_R_IP_FRAGMENT), 4);
	close_table();
}

static void
test_never_completed(void **state)
{
	struct test_frame f = frame_of(false);
	struct cut c = cut_new(&f);

	open_table();
	assert_null(give(piece(&c, 0, 512), START));
	frags_expire(fr, START + 900 * SC_US_PER_MS);
	assert_int_equal(st.c[SC_C_FRAGMENTS_NOW], 1);
	frags_expire(fr, START + 1100 * SC_US_PER_MS);
	assert_int_equal(st.c[SC_C_FRAGMENTS_NOW], 0);
	assert_int_equal(refused(SC_R_IP_FRAGMENT), 1);
	/* The rest comes too late. */
	assert_null(give(piece(&c, 512, carried(&c) - 512), START + 1200 * SC_US_PER_MS));
	assert_int_equal(st.c[SC_C_FRAGMENTS_NOW], 1);
	close_table();
	assert_int_equal(refused(SC_R_IP_FRAGMENT), 2);
}

/* A flood of first pieces: bounded, and over after a second. */
static void
test_table_full(void **state)
{
	struct test_frame f = frame_of(false);

	open_table();
	for (unsigned int i = 0; i < SC_FRAGMENTS_MAX + 200; i++) {
		struct cut c;

		f.ip_id = (uint16_t)i;
		c = cut_new(&f);
		assert_null(give(piece(&c, 0, 512), START));
	}
	assert_true(st.c[SC_C_FRAGMENTS_NOW] <= SC_FRAGMENTS_MAX);
	assert_true(st.c[SC_C_FRAGMENTS_NOW] > SC_FRAGMENTS_MAX / 2);
	for (unsigned int i = 0; i < 100; i++)
		frags_expire(fr, START + 2 * SC_US_PER_S + i * 200 * SC_US_PER_MS);
	assert_int_equal(st.c[SC_C_FRAGMENTS_NOW], 0);
	assert_int_equal(refused(SC_R_IP_FRAGMENT), SC_FRAGMENTS_MAX + 200);
	close_table();
}

/* More pieces than rte_ip_frag has room for. */
static void
test_many_pieces(void **state)
{
	struct test_frame f = frame_of(false);
	struct cut c = cut_new(&f);

	open_table();
	for (size_t off = 0; off < carried(&c); off += 64)
		assert_null(give(piece(&c, off, SC_MIN(carried(&c) - off, 64u)), START));
	assert_true(refused(SC_R_IP_FRAGMENT) >= 9);
	close_table();
}

/* Refused at once: none of these can ever be part of a packet. */
static void
test_impossible(void **state)
{
	struct test_frame f = frame_of(false), f6 = frame_of(true);
	struct cut c = cut_new(&f), c6 = cut_new(&f6);
	struct rte_mbuf *m;

	open_table();
	assert_null(give(piece(&c, 0, 515), START)); /* not the last, and no multiple of 8 */
	assert_null(give(piece(&c6, 0, 515), START));
	m = piece(&c, 0, 512); /* beyond 65,535 bytes */
	put16(rte_pktmbuf_mtod_offset(m, uint8_t *, c.l3 + 6), 0x1fff);
	put16(rte_pktmbuf_mtod_offset(m, uint8_t *, c.l3 + 10), 0);
	m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD;
	assert_null(give(m, START));
	m = piece(&c6, 0, 512);
	rte_pktmbuf_mtod_offset(m, uint8_t *, c6.l4 + 2)[0] = 0xff;
	assert_null(give(m, START));
	assert_int_equal(refused(SC_R_IP_FRAGMENT), 4);
	m = piece(&c, 0, 512);
	rte_pktmbuf_trim(m, 1);
	assert_null(give(m, START));
	m = piece(&c6, 0, 512);
	rte_pktmbuf_trim(m, 1);
	assert_null(give(m, START));
	assert_int_equal(refused(SC_R_TRUNCATED_FRAME), 2);
	m = piece(&c6, 0, 512); /* IPv6 says only in the fragment header that it is UDP */
	*rte_pktmbuf_mtod_offset(m, uint8_t *, c6.l4) = 17;
	assert_null(give(m, START));
	assert_int_equal(refused(SC_R_NOT_TCP), 1);
	assert_int_equal(st.c[SC_C_FRAGMENTS_NOW], 0);
	close_table();
}

/* RFC 6946: a fragment header around a whole packet. */
static void
test_atomic(void **state)
{
	struct test_frame f = frame_of(true);
	struct cut c = cut_new(&f);

	open_table();
	check_whole(give(piece(&c, 0, carried(&c)), START), &c, START);
	assert_int_equal(st.c[SC_C_FRAGMENTS_MERGED], 0);
	close_table();
}

/* ---- through a worker ---- */

/* A request of one connection in pieces, taken by worker 0, owned by worker 1: delivered whole. */
static void
test_through_workers(void **state)
{
	struct bed *b = bed_new();
	struct test_frame f = frame_of(false);
	struct conv c;
	struct cut whole;

	open_table();
	b->nb_workers = 2;
	b->is_file = true;
	bed_start(b);
	c = conv_new(b, 1, false);
	conv_open(&c);
	bed_run(b, 3);
	f.src = c.client;
	f.dst = c.server;
	f.sport = c.cport;
	f.dport = 80;
	f.seq = c.cnxt;
	f.ack = c.pnxt;
	whole = cut_new(&f);
	for (size_t off = 0; off < carried(&whole); off += 512)
		assert_int_equal(rte_ring_enqueue(b->mirror[0],
						 piece(&whole, off,
								 SC_MIN(carried(&whole) - off,
										 512u))),
				0);
	assert_int_equal(rte_ring_enqueue(b->mirror[0], piece(&whole, 0, 256)), 0);
	c.cnxt += PAYLOAD;
	bed_run(b, 3);
	conv_answer(&c);
	conv_close(&c);
	bed_run(b, 300);
	assert_int_equal(SUM(b, FRAGMENTS_MERGED), 2);
	assert_int_equal(SUM(b, FRAGMENTS_NOW), 1);
	assert_int_equal(SUM(b, BYTES_DELIVERED), PAYLOAD);
	assert_int_equal(bed_conn(b)->bytes, PAYLOAD);
	assert_int_equal(SUM_BY(b, FLOW_ENDED, COMPLETE), 1);
	bed_end(b);
	assert_int_equal(SUM(b, FRAGMENTS_NOW), 0);
	assert_int_equal(SUM_BY(b, FRAME_REFUSED, IP_FRAGMENT), 1);
	close_table();
}

/* Pieces that nobody completes leave the worker's table by themselves. */
static void
test_worker_lets_go(void **state)
{
	struct bed *b = bed_new();
	struct test_frame f = frame_of(false);
	struct cut c = cut_new(&f);

	open_table();
	bed_start(b);
	assert_int_equal(rte_ring_enqueue(b->mirror[0], piece(&c, 0, 512)), 0);
	bed_run(b, 900);
	assert_int_equal(SUM(b, FRAGMENTS_NOW), 1);
	bed_run(b, 300);
	assert_int_equal(SUM(b, FRAGMENTS_NOW), 0);
	assert_int_equal(SUM_BY(b, FRAME_REFUSED, IP_FRAGMENT), 1);
	bed_end(b);
	close_table();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_every_order),
			cmocka_unit_test(test_links_and_tags),
			cmocka_unit_test(test_ip_options),
			cmocka_unit_test(test_tiny_first_piece),
			cmocka_unit_test(test_flags_are_cleared),
			cmocka_unit_test(test_mirrored_twice),
			cmocka_unit_test(test_same_id_later),
			cmocka_unit_test(test_overlap),
			cmocka_unit_test(test_hole_and_overlap),
			cmocka_unit_test(test_never_completed),
			cmocka_unit_test(test_table_full),
			cmocka_unit_test(test_many_pieces),
			cmocka_unit_test(test_impossible),
			cmocka_unit_test(test_atomic),
			cmocka_unit_test(test_through_workers),
			cmocka_unit_test(test_worker_lets_go),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
