/* SPDX-License-Identifier: BSD-3-Clause */
#include "parsed.h"

#include <string.h>

#include "sc_test.h"
#include "test_eal.h"

#define V6_SRC "2001:db8::1"
#define V6_DST "2001:db8:0:1::2"

struct rte_mempool *parsed_pool;
uint8_t parsed_bytes[TEST_FRAME_MAX];

int
parsed_setup(void **state)
{
	if (test_eal_setup(state) < 0)
		return -1;
	parsed_pool = test_pool("parse", 255, 2048);
	return 0;
}

int
parsed_teardown(void **state)
{
	assert_int_equal(rte_mempool_in_use_count(parsed_pool), 0);
	rte_mempool_free(parsed_pool);
	return test_eal_teardown(state);
}

enum sc_reason
parse_bytes(enum sc_link link, size_t len, size_t cut, struct sc_seg *seg)
{
	struct rte_mbuf *m = test_mbuf_from(parsed_pool, parsed_bytes, len, cut);
	enum sc_reason r;

	memset(seg, 0x5a, sizeof(*seg));
	r = sc_packet_parse(m, link, seg);
	assert_ptr_equal(seg->mbuf, m);
	rte_pktmbuf_free(m);
	return r;
}

enum sc_reason
parse(const struct test_frame *f, struct sc_seg *seg)
{
	return parse_bytes(
			f->link, test_frame_bytes(f, parsed_bytes, sizeof(parsed_bytes)), 0, seg);
}

enum sc_reason
parse_first(const struct test_frame *f, size_t len)
{
	struct sc_seg seg;

	assert_true(len <= test_frame_bytes(f, parsed_bytes, sizeof(parsed_bytes)));
	return parse_bytes(f->link, len, 0, &seg);
}

enum sc_reason
parse_poked(const struct test_frame *f, size_t at, uint8_t value)
{
	size_t len = test_frame_bytes(f, parsed_bytes, sizeof(parsed_bytes));
	struct sc_seg seg;

	assert_true(at < len);
	parsed_bytes[at] = value;
	return parse_bytes(f->link, len, 0, &seg);
}

static void
assert_addr(const struct sc_addr *a, const char *text)
{
	struct sc_addr want;

	assert_int_equal(sc_addr_parse(text, &want), 0);
	assert_true(sc_addr_eq(a, &want));
}

struct test_frame
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

void
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
