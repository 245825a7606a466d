/* SPDX-License-Identifier: BSD-3-Clause */
/* The peer as a TCP server: handshake, acceptance, its window (RFC 9293, 5961, 7323). */
#include <stdio.h>
#include <string.h>

#include "bed.h"
#include "sc_test.h"
#include "test_eal.h"

#define SYN SC_TCP_SYN
#define ACK SC_TCP_ACK
#define RST SC_TCP_RST
#define FIN_ACK (SC_TCP_FIN | SC_TCP_ACK)
#define SYN_ACK (SC_TCP_SYN | SC_TCP_ACK)

static void
test_syn_ack(void **state)
{
	struct client c;
	struct got g;
	struct bed b;

	bed_start_text(&b, "q", NULL);
	c = client_new(&b, 0);
	client_send(&c, SYN, "");
	assert_true(bed_get(&b, &g));
	assert_int_equal(g.seg.flags, SYN_ACK);
	assert_int_equal(g.seg.opts, SC_OPT_MSS);
	assert_int_equal(g.seg.mss, 1460);
	assert_int_equal(g.seg.wnd, 65535);
	c = client_new(&b, 0);
	c.sport++;
	c.has_ts = c.has_ws = true;
	c.tsval = 12345;
	client_send(&c, SYN, "");
	assert_true(bed_get(&b, &g));
	assert_int_equal(g.seg.opts, SC_OPT_MSS | SC_OPT_TS | SC_OPT_WSCALE);
	assert_int_equal(g.seg.wscale, 7);
	assert_int_equal(g.seg.tsecr, 12345);
	/* What a scale of 7 cannot say is not promised either. */
	assert_int_equal(g.seg.wnd, 65535 / 128 * 128);
	bed_close(&b);
}

static void
test_syn_ack_again(void **state)
{
	static const uint64_t wait_ms[] = {1000, 2000, 4000, 8000, 16000};
	struct client c;
	struct got g, again;
	struct bed b;

	bed_start_text(&b, "q", NULL);
	c = client_new(&b, 0);
	client_send(&c, SYN, "");
	assert_true(bed_get(&b, &g));
	for (unsigned int i = 0; i < 5; i++) {
		bed_wait(&b, wait_ms[i] * 1000 - 2000);
		client_expect_none(&c);
		bed_wait(&b, 2000);
		assert_true(bed_get(&b, &again));
		assert_int_equal(again.seg.flags, SYN_ACK);
		assert_int_equal(again.seg.seq, g.seg.seq);
	}
	assert_int_equal(bed_stats(&b)->retransmitted, 5);
	bed_wait(&b, 40000000);
	client_expect_none(&c);
	/* It gave up: the ACK comes too late. */
	c.ack = g.seg.seq + 1;
	client_send(&c, ACK, "");
	client_expect(&c, RST, "");
	assert_int_equal(bed_stats(&b)->syn, 1);
	assert_int_equal(b.st.accepted, 0);
	assert_int_equal(b.st.closed, 0);
	bed_close(&b);
}

static void
test_syn_again(void **state)
{
	struct client c;
	struct got g, again;
	struct bed b;

	bed_start_text(&b, "q", NULL);
	c = client_new(&b, 0);
	client_send(&c, SYN, "");
	assert_true(bed_get(&b, &g));
	client_send_at(&c, c.seq - 1, SYN, "");
	assert_true(bed_get(&b, &again));
	assert_int_equal(again.seg.flags, SYN_ACK);
	assert_int_equal(again.seg.seq, g.seg.seq);
	/* An ACK of something else resets (RFC 9293 section 3.10.7.4), and the connection lives. */
	c.ack = g.seg.seq + 5;
	client_send(&c, ACK, "");
	client_expect(&c, RST, "");
	c.ack = g.seg.seq + 1;
	client_send(&c, ACK, "q");
	client_expect(&c, ACK, "a");
	assert_int_equal(bed_stats(&b)->syn, 1);
	assert_int_equal(b.st.accepted, 1);
	bed_close(&b);
}

static void
test_challenge(void **state)
{
	struct client c;
	struct bed b;

	bed_start_text(&b, "q", NULL);
	c = client_new(&b, 0);
	client_connect(&c);
	/* RFC 5961: a SYN, in the window and outside; a RST that is not exact; a far ACK. */
	client_send_at(&c, c.seq + 10, SYN, "");
	client_expect(&c, ACK, "");
	bed_wait(&b, 60000);
	client_send_at(&c, c.seq - 100000, SYN, "");
	client_expect(&c, ACK, "");
	bed_wait(&b, 60000);
	client_send_at(&c, c.seq + 1, RST, "");
	client_expect(&c, ACK, "");
	client_send_at(&c, c.seq - 1, RST, "");
	client_expect_none(&c);
	bed_wait(&b, 60000);
	c.ack += 1000;
	client_send(&c, ACK, "");
	c.ack -= 1000;
	client_expect(&c, ACK, "");
	/* At a bounded rate. */
	client_send_at(&c, c.seq + 10, SYN, "");
	client_expect_none(&c);
	assert_int_equal(bed_stats(&b)->rst_in, 0);
	client_send(&c, RST, "");
	client_expect_none(&c);
	assert_int_equal(bed_stats(&b)->rst_in, 1);
	assert_int_equal(b.st.closed, 1);
	client_send(&c, ACK, "q");
	client_expect(&c, RST, "");
	bed_close(&b);
}

static void
test_strangers(void **state)
{
	struct test_frame f = {.src = "10.77.0.1",
			.dst = BED_TARGET,
			.sport = 50000,
			.dport = 8080,
			.seq = BED_ISN,
			.flags = SYN,
			.csum = TEST_CSUM_PARTIAL};
	struct rte_mbuf *m;
	struct client c;
	struct bed b;

	bed_start_text(&b, "q", NULL);
	c = client_new(&b, 0);
	c.dport = 8081;
	client_send(&c, SYN, "");
	client_expect(&c, RST | ACK, "");
	assert_int_equal(bed_stats(&b)->refused_unknown, 1);
	/* Neither SYN nor connection; a RST is never answered. */
	c = client_new(&b, 0);
	c.ack = 4711;
	client_send(&c, ACK, "data");
	client_expect(&c, RST, "");
	client_send(&c, RST, "");
	client_expect_none(&c);
	/* A checksum left to a NIC that does not exist; another host's MAC. */
	memcpy(f.dst_mac, sc_peer_mac(b.peer), sizeof(f.dst_mac));
	m = test_frame_mbuf(b.pool, &f);
	assert_int_equal(rte_eth_tx_burst(sc_peer_port(b.peer)->id, 0, &m, 1), 1);
	client_expect_none(&c);
	f.csum = TEST_CSUM_GOOD;
	f.dst_mac[5] ^= 1;
	m = test_frame_mbuf(b.pool, &f);
	assert_int_equal(rte_eth_tx_burst(sc_peer_port(b.peer)->id, 0, &m, 1), 1);
	client_expect_none(&c);
	assert_int_equal(bed_stats(&b)->syn, 1);
	bed_close(&b);
}

static void
test_delayed_ack(void **state)
{
	struct client c;
	struct bed b;

	bed_start_text(&b, "one two three four", NULL);
	c = client_new(&b, 0);
	client_connect(&c);
	client_send(&c, ACK, "one ");
	client_expect_none(&c);
	bed_wait(&b, 38000);
	client_expect_none(&c);
	bed_wait(&b, 2000);
	client_expect(&c, ACK, "");
	client_send(&c, ACK, "two ");
	client_expect_none(&c);
	client_send(&c, ACK, "three ");
	client_expect(&c, ACK, "");
	client_expect_none(&c);
	client_send(&c, ACK, "four");
	client_expect(&c, ACK, "a");
	bed_wait(&b, 100000);
	client_expect_none(&c); /* the answer carried the ACK, and the client's is still out */
	bed_close(&b);
}

static void
test_out_of_order(void **state)
{
	struct client c;
	uint32_t seq;
	struct bed b;

	bed_start_text(&b, "abcdefghij", NULL);
	c = client_new(&b, 0);
	client_connect(&c);
	seq = c.seq;
	client_send_at(&c, seq + 8, FIN_ACK, "ij");
	client_expect(&c, ACK, "");
	client_send_at(&c, seq + 3, ACK, "def");
	client_expect(&c, ACK, "");
	client_send_at(&c, seq + 3, ACK, "def");
	client_expect(&c, ACK, "");
	client_send_at(&c, seq + 4, ACK, "efg");
	client_expect(&c, ACK, "");
	client_send_at(&c, seq, ACK, "abcd");
	c.seq = seq + 7;
	client_expect(&c, ACK, "");
	/* A keepalive and an old segment: answered, not read. */
	client_send_at(&c, c.seq - 1, ACK, "g");
	client_expect(&c, ACK, "");
	client_send_at(&c, seq, ACK, "abcdefg");
	client_expect(&c, ACK, "");
	client_send_at(&c, seq + 6, ACK, "gh");
	c.seq = seq + 11;
	client_expect(&c, FIN_ACK, "a");
	assert_int_equal(bed_stats(&b)->bytes_in, 10);
	assert_int_equal(b.st.bytes_in_ok, 10);
	bed_close(&b);
}

/* What is kept out of order has a bound: the rest the client has to send again. */
static void
test_out_of_order_bound(void **state)
{
	struct client c;
	struct bed b;

	bed_start_text(&b, "abcdefghij", NULL);
	c = client_new(&b, 0);
	client_connect(&c);
	for (uint32_t i = 0; i < 200; i++) {
		client_send_at(&c, c.seq + 1 + i, ACK, "x");
		client_expect(&c, ACK, "");
	}
	assert_int_equal(bed_stats(&b)->bytes_in, 0);
	client_send_at(&c, c.seq, ACK, "a");
	c.seq += 65;
	client_expect(&c, ACK, "a");
	/* And freed with the connection. */
	client_send_at(&c, c.seq + 5, ACK, "x");
	client_expect(&c, ACK, "");
	bed_close(&b);
}

static void
test_paws(void **state)
{
	struct client c;
	struct bed b;

	bed_start_text(&b, "qr", NULL);
	c = client_new(&b, 0);
	c.has_ts = true;
	c.tsval = 5000;
	client_connect(&c);
	c.tsval = 4999;
	client_send_at(&c, c.seq, ACK, "q");
	client_expect(&c, ACK, "");
	assert_int_equal(bed_stats(&b)->bytes_in, 0);
	/* Without the option it is not of this connection (RFC 7323 section 3.2). */
	c.has_ts = false;
	client_send_at(&c, c.seq, ACK, "q");
	client_expect_none(&c);
	c.has_ts = true;
	c.tsval = 5001;
	client_send(&c, ACK, "qr");
	client_expect(&c, ACK, "a");
	assert_int_equal(bed_stats(&b)->bytes_in_ok, 2);
	bed_close(&b);
}

/* RFC 6298: 3 s after an untimed handshake is not due here; 200 ms at least, doubled each time. */
/* Nobody is there any more: a RST and a free place. */
/* MSS of the SYN less the timestamp option; the peer cuts and joins production's segments. */
/* Our window: data beyond its right edge is not taken. */
static void
test_own_window(void **state)
{
	char text[1001];
	struct client c;
	struct got g;
	struct bed b;

	memset(text, 'x', 1000);
	text[1000] = '\0';
	bed_start_text(&b, text, "window=600");
	c = client_new(&b, 0);
	c.has_ws = true;
	client_send(&c, SYN, "");
	assert_true(bed_get(&b, &g));
	assert_int_equal(g.seg.wnd, 600);
	c.ack = g.seg.seq + 1;
	client_send_at(&c, c.seq, ACK, text);
	bed_wait(&b, 50000);
	assert_true(bed_get(&b, &g));
	assert_int_equal(g.seg.ack, c.seq + 600);
	assert_int_equal(g.seg.wnd, 600);
	assert_int_equal(bed_stats(&b)->bytes_in, 600);
	bed_close(&b);
}

static void
test_zero_window(void **state)
{
	char text[3001];
	struct client c;
	struct got g;
	struct bed b;

	memset(text, 'x', 3000);
	text[3000] = '\0';
	bed_start_text(&b, text, "zerowin:2000:300");
	c = client_new(&b, 0);
	c.has_ws = true;
	client_send(&c, SYN, "");
	assert_true(bed_get(&b, &g));
	assert_int_equal(g.seg.wnd, 2000);
	c.ack = g.seg.seq + 1;
	client_send_bytes(&c, ACK, text, 1000);
	client_send_bytes(&c, ACK, text, 1000);
	assert_true(bed_get(&b, &g));
	assert_int_equal(g.seg.ack, c.seq);
	assert_int_equal(g.seg.wnd, 0);
	/* A probe is answered and not taken. */
	client_send_at(&c, c.seq, ACK, "x");
	assert_true(bed_get(&b, &g));
	assert_int_equal(g.seg.ack, c.seq);
	assert_int_equal(g.seg.wnd, 0);
	bed_wait(&b, 295000);
	client_expect_none(&c);
	bed_wait(&b, 10000);
	assert_true(bed_get(&b, &g));
	assert_int_equal(g.seg.ack, c.seq);
	assert_true(g.seg.wnd > 500);
	client_send_bytes(&c, ACK, text, 1000);
	client_expect(&c, ACK, "a");
	assert_int_equal(bed_stats(&b)->bytes_in_ok, 3000);
	bed_close(&b);
}

/* With the window full or closed, what a segment acknowledges still counts. */
static void
test_acks_at_the_edge(void **state)
{
	struct client c;
	struct got g;
	struct bed b;
	struct tape t;

	bed_open(&b);
	t = tape_new(b.f, 0);
	tape_handshake(&t);
	tape_prod(&t, ACK, "banner");
	tape_client(&t, ACK, "abcdefgh");
	bed_start(&b, "zerowin:4:300");
	c = client_new(&b, 0);
	client_connect(&c);
	client_expect(&c, ACK, "banner");
	/* The segment before was lost: SEQ is the right edge. */
	client_send_at(&c, c.seq + 4, ACK, "");
	client_expect_none(&c);
	assert_int_equal(bed_stats(&b)->bytes_out, 6);
	bed_close(&b);

	bed_open(&b);
	t = tape_new(b.f, 0);
	tape_handshake(&t);
	tape_client(&t, ACK, "abcd");
	tape_prod(&t, ACK, "answer");
	tape_client(&t, ACK, "efgh");
	bed_start(&b, "zerowin:4:300");
	c = client_new(&b, 0);
	client_connect(&c);
	client_send(&c, ACK, "abcd");
	client_expect(&c, ACK, "answer");
	client_send_at(&c, c.seq, ACK, "e");
	assert_true(bed_get(&b, &g));
	assert_int_equal(g.seg.wnd, 0);
	assert_int_equal(g.seg.ack, c.seq);
	assert_int_equal(bed_stats(&b)->bytes_out, 6);
	assert_int_equal(b.st.bytes_in, 4);
	bed_close(&b);
}

static void
test_table_full(void **state)
{
	struct client c[5];
	struct bed b;
	struct tape t;

	bed_open(&b);
	b.cfg.max_conns = 4;
	for (unsigned int i = 0; i < 5; i++) {
		t = tape_new(b.f, i);
		tape_handshake(&t);
		tape_client(&t, ACK, "q");
		tape_prod(&t, FIN_ACK, "a");
	}
	bed_start(&b, NULL);
	for (unsigned int i = 0; i < 4; i++) {
		c[i] = client_new(&b, i);
		client_connect(&c[i]);
	}
	c[4] = client_new(&b, 4);
	client_send(&c[4], SYN, "");
	client_expect(&c[4], RST | ACK, "");
	assert_int_equal(bed_stats(&b)->rst_out, 1);
	assert_int_equal(b.st.refused_unknown, 0);
	/* A connection in TIME-WAIT makes room. */
	client_send(&c[0], ACK, "q");
	client_expect(&c[0], FIN_ACK, "a");
	client_send(&c[0], FIN_ACK, "");
	client_expect(&c[0], ACK, "");
	c[4] = client_new(&b, 4);
	client_connect(&c[4]);
	client_send(&c[4], ACK, "q");
	client_expect(&c[4], FIN_ACK, "a");
	assert_int_equal(bed_stats(&b)->accepted, 5);
	bed_close(&b);
}

/* A SYN ends TIME-WAIT if it is newer: by timestamp, or by sequence number. */
static void
test_time_wait_reuse(void **state)
{
	struct client c;
	struct bed b;
	struct tape t;

	bed_open(&b);
	t = tape_new(b.f, 0);
	tape_handshake(&t);
	tape_client(&t, ACK, "q");
	tape_prod(&t, FIN_ACK, "a");
	bed_start(&b, NULL);
	for (unsigned int i = 0; i < 3; i++) {
		c = client_new(&b, 0);
		c.has_ts = i < 2;
		c.tsval = 100 + i;
		c.seq += i == 2 ? 1000 : 0;
		client_connect(&c);
		client_send(&c, ACK, "q");
		client_expect(&c, FIN_ACK, "a");
		client_send(&c, FIN_ACK, "");
		client_expect(&c, ACK, "");
	}
	assert_int_equal(bed_stats(&b)->accepted, 3);
	/* An old one does not: it gets an ACK. */
	client_send_at(&c, BED_ISN, SYN, "");
	client_expect(&c, ACK, "");
	assert_int_equal(bed_stats(&b)->syn, 3);
	bed_close(&b);
}

/* The client closes, and resets, while the answer is under way. */
static void
test_vlan(void **state)
{
	struct test_frame f = {.src = "10.77.0.1",
			.dst = BED_TARGET,
			.sport = 50000,
			.dport = 8080,
			.seq = BED_ISN,
			.flags = SYN,
			.nb_vlan = 2,
			.vlan_tci = {100, 0x2007},
			.vlan_tpid = {0x88a8, 0x8100}};
	uint16_t id, want[] = {0x88a8, 100, 0x8100, 0x2007}, got;
	struct rte_mbuf *m;
	struct bed b;

	bed_start_text(&b, "q", NULL);
	id = sc_peer_port(b.peer)->id;
	memcpy(f.dst_mac, sc_peer_mac(b.peer), sizeof(f.dst_mac));
	m = test_frame_mbuf(b.pool, &f);
	assert_int_equal(rte_eth_tx_burst(id, 0, &m, 1), 1);
	sc_peer_poll(b.peer, b.now);
	assert_int_equal(rte_eth_rx_burst(id, 0, &m, 1), 1);
	for (unsigned int i = 0; i < 4; i++) {
		memcpy(&got, rte_pktmbuf_mtod_offset(m, uint8_t *, 12 + 2 * i), 2);
		assert_int_equal(rte_be_to_cpu_16(got), want[i]);
	}
	rte_pktmbuf_free(m);
	bed_close(&b);
}

static uint16_t
queue_three(void *arg, struct rte_mbuf *m)
{
	(void)m;
	return *(uint16_t *)arg;
}

static void
test_queues(void **state)
{
	uint16_t queue = 3;
	struct rte_mbuf *m;
	struct client c;
	struct bed b;
	struct tape t;

	bed_open(&b);
	b.cfg.nb_rx_queues = 4;
	b.cfg.queue_of = queue_three;
	b.cfg.arg = &queue;
	t = tape_new(b.f, 0);
	tape_handshake(&t);
	bed_start(&b, NULL);
	assert_int_equal(sc_peer_port(b.peer)->nb_rxq, 4);
	assert_int_equal(sc_peer_port(b.peer)->role, SC_PORT_TEST);
	c = client_new(&b, 0);
	client_send(&c, SYN, "");
	sc_peer_poll(b.peer, b.now);
	assert_int_equal(rte_eth_rx_burst(sc_peer_port(b.peer)->id, 3, &m, 1), 1);
	rte_pktmbuf_free(m);
	/* A queue that does not exist is queue 0. */
	queue = 4;
	client_send_at(&c, c.seq - 1, SYN, "");
	sc_peer_poll(b.peer, b.now);
	assert_int_equal(rte_eth_rx_burst(sc_peer_port(b.peer)->id, 0, &m, 1), 1);
	rte_pktmbuf_free(m);
	bed_close(&b);
}

/* Two peers with one seed say the same; with another, another ISN. */
static void
test_seed(void **state)
{
	uint32_t iss[3];
	struct client c;
	struct got g;
	struct bed b;

	for (unsigned int i = 0; i < 3; i++) {
		struct tape t;

		bed_open(&b);
		b.cfg.seed = i < 2 ? 1 : 2;
		t = tape_new(b.f, 0);
		tape_handshake(&t);
		bed_start(&b, NULL);
		c = client_new(&b, 0);
		client_send(&c, SYN, "");
		assert_true(bed_get(&b, &g));
		iss[i] = g.seg.seq;
		bed_close(&b);
	}
	assert_int_equal(iss[0], iss[1]);
	assert_int_not_equal(iss[0], iss[2]);
}

/* No mbufs: the answer waits. Nobody takes the responses: nothing is lost. */
static void
test_create_refuses(void **state)
{
	struct sc_err err = {""};
	struct sc_peer_cfg cfg;
	struct bed b;

	bed_open(&b);
	pcapfile_close(b.f);
	cfg = b.cfg;
	cfg.nb_rx_queues = 17;
	assert_null(sc_peer_create(&cfg, &err));
	assert_non_null(strstr(err.text, "17 RX"));
	cfg = b.cfg;
	cfg.max_conns = 0;
	assert_null(sc_peer_create(&cfg, &err));
	cfg = b.cfg;
	b.paths[0] = "/nonexistent/file.pcap";
	assert_null(sc_peer_create(&cfg, &err));
	assert_non_null(strstr(err.text, "/nonexistent/file.pcap"));
	b.paths[0] = b.path;
	snprintf(cfg.impair.rules, sizeof(cfg.impair.rules), "drop:nothing:1");
	assert_null(sc_peer_create(&cfg, &err));
	assert_non_null(strstr(err.text, "drop:nothing:1"));
	bed_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_syn_ack),
			cmocka_unit_test(test_syn_ack_again),
			cmocka_unit_test(test_syn_again),
			cmocka_unit_test(test_challenge),
			cmocka_unit_test(test_strangers),
			cmocka_unit_test(test_delayed_ack),
			cmocka_unit_test(test_out_of_order),
			cmocka_unit_test(test_out_of_order_bound),
			cmocka_unit_test(test_paws),
			cmocka_unit_test(test_own_window),
			cmocka_unit_test(test_zero_window),
			cmocka_unit_test(test_acks_at_the_edge),
			cmocka_unit_test(test_table_full),
			cmocka_unit_test(test_time_wait_reuse),
			cmocka_unit_test(test_vlan),
			cmocka_unit_test(test_queues),
			cmocka_unit_test(test_seed),
			cmocka_unit_test(test_create_refuses),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
