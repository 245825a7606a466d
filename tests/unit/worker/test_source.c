/* SPDX-License-Identifier: BSD-3-Clause */
/* The source of captures: whole packets to their owners, in the order of the capture. */
#include <reached.h>
#include <string.h>
#include <test_eal.h>

#include <sc_worker.h>

#include "frame.h"
#include "sc_test.h"

#define POOL_SIZE 2047
#define WORKERS 4
#define T0 (1700000000ull * SC_US_PER_S)
#define HEAD 34u /* Ethernet and IPv4 */
#define CUT 512u

static struct rte_mempool *mp;
static struct sc_steer steer;
static struct sc_stats_cell cell;
static struct sc_source *source;
static uint64_t nb_polled; /* frames that workers would have polled */
static uint8_t text[1200];

static int
start(void **state)
{
	struct sc_err err;

	memset(&cell, 0, sizeof(cell));
	nb_polled = 0;
	assert_int_equal(sc_steer_init(&steer, WORKERS, 65536, &err), 0);
	source = sc_source_create(&steer, &cell, &err);
	assert_non_null(source);
	return 0;
}

static void
check(void)
{
	struct sc_ledger_result res;

	test_reached(&cell.live);
	if (!sc_ledger_check_one(&cell.live, &res))
		fail_msg("%s: %llu is not %llu", res.fault[0].equation,
				(unsigned long long)res.fault[0].left,
				(unsigned long long)res.fault[0].right);
}

static int
stop(void **state)
{
	sc_source_drop(source);
	check();
	assert_int_equal(cell.live.c[SC_C_FRAGMENTS_NOW], 0);
	sc_source_destroy(source);
	sc_steer_free(&steer);
	assert_int_equal(rte_mempool_avail_count(mp), POOL_SIZE);
	return 0;
}

static size_t
whole(uint16_t port, uint16_t id, uint8_t *buf)
{
	struct test_frame f = {.sport = port,
			.flags = SC_TCP_ACK,
			.ip_id = id,
			.payload = text,
			.len = sizeof(text)};

	return test_frame_bytes(&f, buf, TEST_FRAME_MAX);
}

static uint16_t
owner(uint16_t port)
{
	struct sc_addr a, b;

	assert_int_equal(sc_addr_parse("10.0.0.1", &a), 0);
	assert_int_equal(sc_addr_parse("10.0.0.2", &b), 0);
	return sc_steer_owner(&steer, sc_fold_tuple(&a, &b, port, 80));
}

/* Piece number n of a packet; -1: all of it. */
static struct rte_mbuf *
piece(uint16_t port, uint16_t id, int n, uint64_t cap_us)
{
	static uint8_t buf[TEST_FRAME_MAX];
	size_t len = whole(port, id, buf);
	struct rte_mbuf *m;

	if (n >= 0) {
		size_t off = (size_t)n * CUT, part = SC_MIN(len - HEAD - off, (size_t)CUT);
		uint16_t frag = (uint16_t)(off / 8 | (HEAD + off + part < len ? 0x2000 : 0));
		uint16_t sum;

		memmove(buf + HEAD, buf + HEAD + off, part);
		len = HEAD + part;
		buf[16] = (uint8_t)((20 + part) >> 8);
		buf[17] = (uint8_t)(20 + part);
		buf[20] = (uint8_t)(frag >> 8);
		buf[21] = (uint8_t)frag;
		buf[24] = buf[25] = 0;
		sum = (uint16_t)~test_sum16(buf + 14, 20, 0);
		buf[24] = (uint8_t)(sum >> 8);
		buf[25] = (uint8_t)sum;
	}
	m = test_mbuf_from(mp, buf, len, 0);
	*sc_mbuf_meta(m) = (struct sc_mbuf_meta){.cap_us = cap_us, .link = SC_LINK_ETHER};
	return m;
}

/* What comes out must be a good segment with its whole payload, for the queue of its owner. */
static void
expect(struct rte_mbuf *m, uint16_t port, uint64_t cap_us)
{
	uint8_t got[sizeof(text)];
	struct sc_seg seg;
	uint16_t queue = UINT16_MAX;

	m = sc_source_route(source, m, &queue);
	assert_non_null(m);
	assert_int_equal(queue, owner(port));
	assert_int_equal(sc_packet_parse(m, SC_LINK_ETHER, &seg), SC_R_NONE);
	assert_int_equal(seg.payload_len, sizeof(text));
	sc_packet_copy_payload(&seg, 0, sizeof(text), got);
	assert_memory_equal(got, text, sizeof(text));
	assert_int_equal(sc_mbuf_meta(m)->cap_us, cap_us);
	assert_int_equal(sc_mbuf_meta(m)->link, SC_LINK_ETHER);
	nb_polled++;
	rte_pktmbuf_free(m);
	check();
}

static void
expect_none(struct rte_mbuf *m)
{
	uint16_t queue;

	assert_null(sc_source_route(source, m, &queue));
	check();
}

/* Whole frames pass; pieces wait for the last of them, in any order. All four owners are met. */
static void
test_owners(void **state)
{
	bool is_met[WORKERS] = {false};

	for (uint16_t i = 0; i < 64; i++) {
		uint16_t port = (uint16_t)(40000 + i);
		int first = i % 3;

		expect(piece(port, i, -1, T0 + i), port, T0 + i);
		expect_none(piece(port, (uint16_t)(100 + i), first, T0 + i));
		expect_none(piece(port, (uint16_t)(100 + i), (first + 1) % 3, T0 + i + 1));
		expect(piece(port, (uint16_t)(100 + i), (first + 2) % 3, T0 + i + 2), port,
				T0 + i + 2);
		is_met[owner(port)] = true;
	}
	for (unsigned int w = 0; w < WORKERS; w++)
		assert_true(is_met[w]);
	/* Of three pieces two are counted here; the packet counts where it is polled. */
	assert_int_equal(cell.live.c[SC_C_FRAGMENTS_MERGED], 2 * 64);
	assert_int_equal(cell.live.c[SC_C_MIRROR_POLLED] + nb_polled, 64 + 3 * 64);
}

/* What is no TCP segment goes to the first queue, whose worker names the reason. */
static void
test_strangers(void **state)
{
	struct test_frame f = {.proto = 17};
	struct rte_mbuf *m = test_frame_mbuf(mp, &f);
	uint16_t queue = UINT16_MAX;

	assert_ptr_equal(sc_source_route(source, m, &queue), m);
	assert_int_equal(queue, 0);
	rte_pktmbuf_free(m);
	assert_int_equal(cell.live.c[SC_C_MIRROR_POLLED], 0);
}

/* A second of captured time is what a piece waits, however fast the capture is read. */
static void
test_lost(void **state)
{
	expect_none(piece(40000, 1, 0, T0));
	expect_none(piece(40000, 1, 2, T0));
	expect_none(piece(40000, 2, 0, T0 + 2 * SC_US_PER_S));
	assert_int_equal(cell.live.m[SC_M_FRAME_REFUSED][SC_R_IP_FRAGMENT], 2);
	expect_none(piece(40000, 2, 1, T0 + 2 * SC_US_PER_S));
	expect(piece(40000, 2, 2, T0 + 2 * SC_US_PER_S), 40000, T0 + 2 * SC_US_PER_S);
	expect_none(piece(40000, 3, 1, T0 + 2 * SC_US_PER_S));
	assert_int_equal(cell.live.c[SC_C_FRAGMENTS_NOW], 1);
}

static int
setup(void **state)
{
	for (unsigned int i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * 7 + 3);
	if (test_eal_setup(state) < 0)
		return -1;
	mp = test_pool("source", POOL_SIZE, 2048);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(test_owners, start, stop),
			cmocka_unit_test_setup_teardown(test_strangers, start, stop),
			cmocka_unit_test_setup_teardown(test_lost, start, stop),
	};

	return cmocka_run_group_tests(tests, setup, test_eal_teardown);
}
