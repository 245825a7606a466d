/* SPDX-License-Identifier: BSD-3-Clause */
/* The peer as a TCP sender: RFC 5681, 6298, 6582, the client's window. */
#include <string.h>

#include "bed.h"
#include "sc_test.h"
#include "test_eal.h"

#define ACK SC_TCP_ACK
#define RST SC_TCP_RST
#define FIN_ACK (SC_TCP_FIN | SC_TCP_ACK)

static void
test_rto(void **state)
{
	struct client c;
	struct bed b;
	uint32_t ack;

	bed_start_text(&b, "q", NULL);
	c = client_new(&b, 0);
	client_connect(&c);
	client_send(&c, ACK, "q");
	client_expect(&c, ACK, "a");
	ack = c.ack;
	for (uint64_t ms = 200; ms <= 1600; ms *= 2) {
		bed_wait(&b, ms * 1000 - 2000);
		client_expect_none(&c);
		bed_wait(&b, 2000);
		c.ack = ack - 1;
		client_expect(&c, ACK, "a");
	}
	assert_int_equal(bed_stats(&b)->retransmitted, 4);
	assert_int_equal(b.st.turns, 1);
	assert_int_equal(b.st.bytes_out, 0);
	client_send(&c, ACK, "");
	bed_wait(&b, 10000000);
	client_expect_none(&c);
	assert_int_equal(bed_stats(&b)->bytes_out, 1);
	bed_close(&b);
}

static void
test_rto_gives_up(void **state)
{
	struct client c;
	struct got g;
	unsigned int nb;
	struct bed b;

	bed_start_text(&b, "q", NULL);
	c = client_new(&b, 0);
	client_connect(&c);
	client_send(&c, ACK, "q");
	client_expect(&c, ACK, "a");
	bed_wait(&b, 400000000);
	client_take_all(&c, &g, &nb);
	assert_int_equal(nb, 11);
	assert_int_equal(g.seg.flags, RST | ACK);
	assert_int_equal(bed_stats(&b)->closed, 1);
	bed_close(&b);
}

static void
test_initial_window(void **state)
{
	struct client c;
	struct got g;
	unsigned int nb;
	struct bed b;

	bed_start_long(&b, 100000, NULL);
	c = client_new(&b, 0);
	c.has_ws = true;
	client_connect(&c);
	client_send(&c, ACK, "q");
	assert_int_equal(client_take_all(&c, &g, &nb), 14600);
	/* Slow start: each ACK of a segment lets two out. */
	c.ack += 1460;
	client_send(&c, ACK, "");
	assert_int_equal(client_take_all(&c, &g, &nb), 2920);
	c.ack += 1460;
	client_send(&c, ACK, "");
	assert_int_equal(client_take_all(&c, &g, &nb), 2920);
	bed_close(&b);
}

static void
test_fast_retransmit(void **state)
{
	struct client c;
	struct got g;
	unsigned int nb;
	struct bed b;

	bed_start_long(&b, 100000, NULL);
	c = client_new(&b, 0);
	c.has_ws = true;
	client_connect(&c);
	client_send(&c, ACK, "q");
	assert_int_equal(client_take_all(&c, &g, &nb), 14600);
	c.ack += 1460;
	client_send(&c, ACK, "");
	client_take_all(&c, &g, &nb);
	/* The second segment was lost: the third duplicate brings it, at once. */
	for (unsigned int i = 0; i < 2; i++) {
		client_send(&c, ACK, "");
		client_expect_none(&c);
	}
	client_send(&c, ACK, "");
	assert_true(bed_get(&b, &g));
	assert_int_equal(g.seg.seq, c.ack);
	assert_int_equal(g.seg.payload_len, 1460);
	assert_int_equal(bed_stats(&b)->retransmitted, 1);
	/* A partial ACK brings the next hole (RFC 6582). */
	c.ack += 2920;
	client_send(&c, ACK, "");
	assert_true(bed_get(&b, &g));
	assert_int_equal(g.seg.seq, c.ack);
	assert_int_equal(bed_stats(&b)->retransmitted, 2);
	bed_close(&b);
}

static void
test_client_window(void **state)
{
	struct client c;
	struct got g;
	unsigned int nb;
	struct bed b;

	bed_start_long(&b, 20000, NULL);
	c = client_new(&b, 0);
	c.wnd = 3000;
	client_connect(&c);
	client_send(&c, ACK, "q");
	assert_int_equal(client_take_all(&c, &g, &nb), 2920);
	assert_int_equal(nb, 2);
	/* Closed: probes of one byte, further and further apart, for ever. */
	c.ack += 2920;
	c.wnd = 0;
	client_send(&c, ACK, "");
	client_expect_none(&c);
	for (uint64_t ms = 200; ms <= 3200; ms *= 2) {
		bed_wait(&b, ms * 1000 - 2000);
		client_expect_none(&c);
		bed_wait(&b, 2000);
		assert_true(bed_get(&b, &g));
		assert_int_equal(g.seg.payload_len, 1);
		assert_int_equal(g.seg.seq, c.ack);
		client_send(&c, ACK, "");
		client_expect_none(&c);
	}
	c.wnd = 1000;
	client_send(&c, ACK, "");
	assert_int_equal(client_take_all(&c, &g, &nb), 1000);
	assert_int_equal(g.seg.seq, c.ack);
	c.ack += 1000;
	c.wnd = 60000;
	client_send(&c, ACK, "");
	assert_true(client_take_all(&c, &g, &nb) >= 2920);
	bed_close(&b);
}

static void
test_mss(void **state)
{
	struct client c;
	struct got g;
	struct bed b;

	bed_start_long(&b, 3000, NULL);
	c = client_new(&b, 0);
	c.has_ts = true;
	client_connect(&c);
	client_send(&c, ACK, "q");
	assert_true(bed_get(&b, &g));
	assert_int_equal(g.seg.payload_len, 1448);
	assert_int_equal(g.seg.flags & SC_TCP_PSH, 0);
	assert_int_equal(g.data[999], 'a');
	assert_int_equal(g.data[1000], 'b');
	assert_true(bed_get(&b, &g));
	assert_int_equal(g.seg.payload_len, 1448);
	assert_true(bed_get(&b, &g));
	assert_int_equal(g.seg.payload_len, 104);
	assert_int_equal(g.seg.flags, SC_TCP_PSH | FIN_ACK);
	bed_close(&b);
}

static void
test_close_with_data_out(void **state)
{
	struct client c;
	struct got g, ack;
	unsigned int nb;
	struct bed b;

	bed_start_long(&b, 50000, NULL);
	c = client_new(&b, 0);
	client_connect(&c);
	client_send(&c, ACK, "q");
	assert_int_equal(client_take_all(&c, &g, &nb), 14600);
	client_send(&c, FIN_ACK, "");
	assert_true(bed_get(&b, &ack));
	assert_int_equal(ack.seg.flags, ACK);
	assert_int_equal(ack.seg.ack, c.seq);
	for (unsigned int i = 0; i < 40 && (g.seg.flags & SC_TCP_FIN) == 0; i++) {
		c.ack = g.seg.seq + g.seg.payload_len;
		client_send(&c, ACK, "");
		client_take_all(&c, &g, &nb);
	}
	assert_int_equal(g.seg.flags & SC_TCP_FIN, SC_TCP_FIN);
	assert_int_equal(g.seg.ack, c.seq);
	c.ack = g.seg.seq + g.seg.payload_len + 1;
	client_send(&c, ACK, "");
	client_expect_none(&c);
	assert_int_equal(bed_stats(&b)->closed, 1);
	assert_int_equal(b.st.bytes_out, 50000);

	c = client_new(&b, 0);
	c.sport++;
	client_connect(&c);
	client_send(&c, ACK, "q");
	assert_int_equal(client_take_all(&c, &g, &nb), 14600);
	client_send(&c, RST, "");
	client_expect_none(&c);
	assert_int_equal(bed_stats(&b)->closed, 2);
	/* A third is still sending when the peer is destroyed. */
	c = client_new(&b, 0);
	c.sport += 2;
	client_connect(&c);
	client_send(&c, ACK, "q");
	client_send_at(&c, c.seq + 5, ACK, "zzz");
	sc_peer_poll(b.peer, b.now);
	bed_close(&b);
}

static void
test_no_room(void **state)
{
	struct rte_mbuf *hold[4095];
	unsigned int nb, nb_all = 0;
	uint32_t bytes = 0;
	struct client c;
	struct got g;
	struct bed b;

	bed_start_long(&b, 14000, NULL);
	c = client_new(&b, 0);
	client_connect(&c);
	client_send(&c, ACK, "q");
	nb = rte_mempool_avail_count(b.pool);
	assert_int_equal(rte_pktmbuf_alloc_bulk(b.pool, hold, nb), 0);
	for (unsigned int i = 0; i < 3; i++)
		sc_peer_poll(b.peer, b.now);
	for (unsigned int i = 0; i < nb; i++)
		rte_pktmbuf_free(hold[i]);
	bytes = client_take_all(&c, &g, &nb_all);
	assert_int_equal(bytes, 14000);
	assert_int_equal(g.seg.flags & SC_TCP_FIN, SC_TCP_FIN);
	assert_int_equal(bed_stats(&b)->retransmitted, 0);
	bed_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_rto),
			cmocka_unit_test(test_rto_gives_up),
			cmocka_unit_test(test_initial_window),
			cmocka_unit_test(test_fast_retransmit),
			cmocka_unit_test(test_client_window),
			cmocka_unit_test(test_mss),
			cmocka_unit_test(test_close_with_data_out),
			cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
