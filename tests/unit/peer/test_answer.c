/* SPDX-License-Identifier: BSD-3-Clause */
/* What the peer answers, and when: production's bytes, turn by turn. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bed.h"
#include "sc_test.h"
#include "test_eal.h"

#define ACK SC_TCP_ACK
#define FIN_ACK (SC_TCP_FIN | SC_TCP_ACK)

static void
test_one_turn(void **state)
{
	const struct sc_peer_stats *st;
	struct client c;
	struct bed b;
	struct tape t;

	bed_open(&b);
	t = tape_new(b.f, 0);
	tape_handshake(&t);
	tape_client(&t, ACK, "GET /");
	tape_prod(&t, ACK, "hello");
	bed_start(&b, NULL);
	c = client_new(&b, 0);
	client_connect(&c);
	client_expect_none(&c);
	client_send(&c, ACK, "GET");
	client_expect_none(&c); /* two bytes are missing */
	client_send(&c, ACK, " /");
	client_expect(&c, ACK, "hello");
	client_send(&c, ACK, "");
	client_expect_none(&c);
	st = bed_stats(&b);
	assert_int_equal(st->syn, 1);
	assert_int_equal(st->accepted, 1);
	assert_int_equal(st->closed, 0);
	assert_int_equal(st->bytes_in, 5);
	assert_int_equal(st->bytes_in_ok, 5);
	assert_int_equal(st->bytes_in_differ, 0);
	assert_int_equal(st->bytes_out, 5);
	assert_int_equal(st->turns, 1);
	assert_int_equal(st->early, 0);
	bed_close(&b);
}

/* A banner, then three questions; one answer in two segments, one overlapping resend. */
static void
test_turns(void **state)
{
	struct client c;
	struct bed b;
	struct tape t;

	bed_open(&b);
	t = tape_new(b.f, 0);
	tape_handshake(&t);
	tape_prod(&t, ACK, "220 ready\r\n");
	tape_client(&t, ACK, "HELO");
	tape_prod(&t, ACK, "250-a");
	tape_prod(&t, ACK, "250 b");
	tape_raw(&t, false,
			&(struct test_frame){.flags = ACK,
					.seq = t.pseq - 3,
					.ack = t.cseq,
					.payload = "0 bXY",
					.len = 5});
	t.pseq += 2;
	tape_client(&t, ACK, "QUIT");
	tape_prod(&t, ACK, "221 bye");
	bed_start(&b, NULL);
	c = client_new(&b, 0);
	client_connect(&c);
	client_expect(&c, ACK, "220 ready\r\n");
	client_send(&c, ACK, "HELO");
	client_expect(&c, ACK, "250-a250 bXY");
	client_send(&c, ACK, "");
	client_expect_none(&c);
	client_send(&c, ACK, "QUIT");
	client_expect(&c, ACK, "221 bye");
	assert_int_equal(bed_stats(&b)->turns, 3);
	assert_int_equal(b.st.early, 0);
	bed_close(&b);
}

/* The second request comes before the first answer was sent: nothing hangs, it is counted. */
static void
test_early(void **state)
{
	struct client c;
	struct bed b;
	struct tape t;

	bed_open(&b);
	t = tape_new(b.f, 0);
	tape_handshake(&t);
	tape_client(&t, ACK, "one");
	tape_prod(&t, ACK, "1");
	tape_client(&t, ACK, "three");
	tape_prod(&t, ACK, "3");
	bed_start(&b, NULL);
	c = client_new(&b, 0);
	client_connect(&c);
	client_send(&c, ACK, "onethree");
	client_expect(&c, ACK, "13");
	assert_int_equal(bed_stats(&b)->early, 5);
	assert_int_equal(b.st.bytes_in_ok, 8);
	bed_close(&b);
}

static void
test_other_bytes(void **state)
{
	struct client c;
	struct bed b;
	struct tape t;

	bed_open(&b);
	t = tape_new(b.f, 0);
	tape_handshake(&t);
	tape_client(&t, ACK, "abcd");
	tape_prod(&t, ACK, "x");
	bed_start(&b, NULL);
	c = client_new(&b, 0);
	client_connect(&c);
	client_send(&c, ACK, "aXcdZZ");
	client_expect(&c, ACK, "x");
	assert_int_equal(bed_stats(&b)->bytes_in, 6);
	assert_int_equal(b.st.bytes_in_ok, 3);
	assert_int_equal(b.st.bytes_in_differ, 3);
	bed_close(&b);
}

/* The server answers at EOF: its ACK covers the client's FIN. */
static void
test_half_close(void **state)
{
	struct client c;
	struct bed b;
	struct tape t;

	bed_open(&b);
	t = tape_new(b.f, 0);
	tape_handshake(&t);
	tape_client(&t, ACK, "sum");
	tape_client(&t, FIN_ACK, "");
	tape_prod(&t, ACK, "42");
	tape_prod(&t, FIN_ACK, "");
	bed_start(&b, NULL);
	c = client_new(&b, 0);
	client_connect(&c);
	client_send(&c, ACK, "sum");
	client_expect_none(&c);
	client_send(&c, FIN_ACK, "");
	client_expect(&c, FIN_ACK, "42");
	client_send(&c, ACK, "");
	client_expect_none(&c);
	assert_int_equal(bed_stats(&b)->closed, 1);
	assert_int_equal(b.st.bytes_out, 2);
	/* It is gone: what still comes gets a RST. */
	client_send(&c, ACK, "");
	client_expect(&c, SC_TCP_RST, "");
	bed_close(&b);
}

/* Production closed only when the client had. */
static void
test_client_closes_first(void **state)
{
	struct client c;
	struct bed b;
	struct tape t;

	bed_open(&b);
	t = tape_new(b.f, 0);
	tape_handshake(&t);
	tape_client(&t, ACK, "q");
	tape_prod(&t, ACK, "a");
	tape_client(&t, FIN_ACK, "");
	tape_prod(&t, FIN_ACK, "");
	bed_start(&b, NULL);
	c = client_new(&b, 0);
	client_connect(&c);
	client_send(&c, ACK, "q");
	client_expect(&c, ACK, "a");
	client_send(&c, ACK, "");
	client_expect_none(&c);
	client_send(&c, FIN_ACK, "");
	client_expect(&c, FIN_ACK, "");
	assert_int_equal(bed_stats(&b)->closed, 0);
	client_send(&c, ACK, "");
	client_expect_none(&c);
	assert_int_equal(bed_stats(&b)->closed, 1);
	bed_close(&b);
}

static void
test_production_closes_first(void **state)
{
	struct client c;
	struct bed b;
	struct tape t;

	bed_open(&b);
	t = tape_new(b.f, 0);
	tape_handshake(&t);
	tape_client(&t, ACK, "q");
	tape_prod(&t, ACK, "answer");
	tape_prod(&t, FIN_ACK, "");
	tape_client(&t, FIN_ACK, "");
	bed_start(&b, NULL);
	c = client_new(&b, 0);
	client_connect(&c);
	client_send(&c, ACK, "q");
	client_expect(&c, FIN_ACK, "answer");
	client_send(&c, ACK, "");
	client_expect_none(&c);
	assert_int_equal(bed_stats(&b)->closed, 0);
	client_send(&c, FIN_ACK, "");
	client_expect(&c, ACK, "");
	assert_int_equal(bed_stats(&b)->closed, 1);
	/* TIME-WAIT answers the FIN again, then is over. */
	c.seq--;
	client_send(&c, FIN_ACK, "");
	client_expect(&c, ACK, "");
	bed_wait(&b, 5100000);
	c.seq--;
	client_send(&c, FIN_ACK, "");
	client_expect(&c, SC_TCP_RST, "");
	bed_close(&b);
}

/* The capture ends before production closed: at the end of what it reads, the peer does. */
static void
test_never_closed(void **state)
{
	struct client c;
	struct bed b;
	struct tape t;

	bed_open(&b);
	t = tape_new(b.f, 0);
	tape_handshake(&t);
	tape_client(&t, ACK, "q");
	tape_prod(&t, ACK, "a");
	tape_client(&t, FIN_ACK, "");
	bed_start(&b, NULL);
	c = client_new(&b, 0);
	client_connect(&c);
	client_send(&c, ACK, "q");
	client_expect(&c, ACK, "a");
	client_send(&c, FIN_ACK, "");
	client_expect(&c, FIN_ACK, "");
	client_send(&c, ACK, "");
	client_expect_none(&c);
	assert_int_equal(bed_stats(&b)->closed, 1);
	assert_int_equal(b.st.bytes_out, 1);
	assert_int_equal(b.st.turns, 1);
	bed_close(&b);
}

/*
 * A replay that is stopped closes in the middle of what was captured: what production had said by
 * then is sent, then the peer closes, too. It has nothing to wait for.
 */
static void
test_cut_short(void **state)
{
	struct client c;
	struct bed b;
	struct tape t;

	bed_open(&b);
	t = tape_new(b.f, 0);
	tape_handshake(&t);
	tape_client(&t, ACK, "one");
	tape_prod(&t, ACK, "1");
	tape_client(&t, ACK, "two");
	tape_prod(&t, ACK, "22");
	tape_client(&t, ACK, "three");
	tape_prod(&t, FIN_ACK, "333");
	tape_client(&t, FIN_ACK, "");
	bed_start(&b, NULL);
	c = client_new(&b, 0);
	client_connect(&c);
	client_send(&c, ACK, "one");
	client_expect(&c, ACK, "1");
	client_send(&c, FIN_ACK, "two");
	client_expect(&c, FIN_ACK, "22");
	client_send_at(&c, c.seq - 4, FIN_ACK, "two"); /* our FIN was lost: it comes again */
	client_expect(&c, ACK, "");
	bed_wait(&b, 300000);
	c.ack -= 3;
	client_expect(&c, FIN_ACK, "22");
	client_send(&c, ACK, "");
	client_expect_none(&c);
	assert_int_equal(bed_stats(&b)->closed, 1);
	assert_int_equal(b.st.bytes_out, 3);
	assert_int_equal(b.st.bytes_in_ok, 6);
	bed_close(&b);
}

static void
test_production_resets(void **state)
{
	struct client c;
	struct bed b;
	struct tape t;

	bed_open(&b);
	t = tape_new(b.f, 0);
	tape_handshake(&t);
	tape_client(&t, ACK, "q");
	tape_prod(&t, ACK, "partial");
	tape_client(&t, ACK, "more");
	tape_prod(&t, SC_TCP_RST | ACK, "");
	bed_start(&b, NULL);
	c = client_new(&b, 0);
	client_connect(&c);
	client_send(&c, ACK, "q");
	client_expect(&c, ACK, "partial");
	client_send(&c, ACK, "");
	client_expect_none(&c);
	client_send(&c, ACK, "more");
	client_expect(&c, SC_TCP_RST | ACK, "");
	assert_int_equal(bed_stats(&b)->rst_out, 1);
	assert_int_equal(b.st.closed, 1);
	bed_close(&b);
}

static void
test_production_refused(void **state)
{
	struct client c;
	struct bed b;
	struct tape t;

	bed_open(&b);
	t = tape_new(b.f, 0);
	tape_client(&t, SC_TCP_SYN, "");
	tape_prod(&t, SC_TCP_RST | ACK, "");
	bed_start(&b, NULL);
	c = client_new(&b, 0);
	client_send(&c, SC_TCP_SYN, "");
	c.ack = 0;
	client_expect(&c, SC_TCP_RST | ACK, "");
	assert_int_equal(bed_stats(&b)->rst_out, 1);
	assert_int_equal(b.st.refused_unknown, 0);
	assert_int_equal(b.st.accepted, 0);
	bed_close(&b);
}

/* The engine moved the ISN: the first bytes tell, and of two equal ones the unused. */
static void
test_unknown_isn(void **state)
{
	static const char *const answer[] = {"A", "B", "C"};
	struct client c;
	struct bed b;
	struct tape t;

	bed_open(&b);
	for (unsigned int i = 0; i < 3; i++) {
		t = tape_new(b.f, i);
		tape_handshake(&t);
		tape_client(&t, ACK, i == 2 ? "GET /third" : "GET /same");
		tape_prod(&t, ACK, answer[i]);
	}
	bed_start(&b, NULL);
	for (unsigned int i = 0; i < 3; i++) {
		c = client_new(&b, i);
		c.seq += 77777;
		client_connect(&c);
		client_expect_none(&c);
		client_send(&c, ACK, i == 2 ? "GET /third" : "GET /same");
		client_expect(&c, ACK, answer[i]);
	}
	assert_int_equal(bed_stats(&b)->refused_unknown, 0);
	c = client_new(&b, 9);
	client_connect(&c);
	client_send(&c, ACK, "PUT /none");
	client_expect(&c, SC_TCP_RST | ACK, "");
	assert_int_equal(bed_stats(&b)->refused_unknown, 1);
	assert_int_equal(b.st.closed, 1);
	assert_int_equal(b.st.bytes_in_ok, 9 + 9 + 10);
	bed_close(&b);
}

/* Too few bytes at first to tell one from another; and a client that never says enough. */
static void
test_unknown_in_pieces(void **state)
{
	static const char head[] = "GET /a/path/that/all/of/them/have/in/common/at/least/to/here/";
	struct client c;
	struct bed b;
	struct tape t;
	char text[80];

	bed_open(&b);
	for (unsigned int i = 0; i < 2; i++) {
		t = tape_new(b.f, i);
		tape_handshake(&t);
		snprintf(text, sizeof(text), "%s%u tail", head, i);
		tape_client(&t, ACK, text);
		tape_prod(&t, ACK, i == 0 ? "zero" : "one");
	}
	bed_start(&b, NULL);
	c = client_new(&b, 5);
	client_connect(&c);
	client_send_bytes(&c, ACK, text, 10);
	client_expect_none(&c);
	client_send_bytes(&c, ACK, text + 10, 40);
	client_expect(&c, ACK, "");
	client_send(&c, ACK, text + 50);
	client_expect(&c, ACK, "one");
	assert_int_equal(bed_stats(&b)->bytes_in, strlen(text));
	assert_int_equal(b.st.bytes_in_ok, strlen(text));
	c = client_new(&b, 6);
	client_connect(&c);
	client_send_bytes(&c, ACK, text, 10);
	client_expect_none(&c);
	client_send(&c, FIN_ACK, "");
	client_expect(&c, SC_TCP_RST | ACK, "");
	assert_int_equal(bed_stats(&b)->refused_unknown, 1);
	assert_int_equal(b.st.bytes_in, strlen(text));
	bed_close(&b);
}

/* Copies share the ISN. */
static void
test_copies(void **state)
{
	struct client c[3];
	struct bed b;
	struct tape t;

	bed_open(&b);
	t = tape_new(b.f, 0);
	tape_handshake(&t);
	tape_client(&t, ACK, "q");
	tape_prod(&t, ACK, "a");
	bed_start(&b, NULL);
	for (unsigned int i = 0; i < 3; i++) {
		c[i] = client_new(&b, 0);
		c[i].sport = (uint16_t)(50000 + i);
		client_connect(&c[i]);
	}
	for (unsigned int i = 0; i < 3; i++) {
		client_send(&c[i], ACK, "q");
		client_expect(&c[i], ACK, "a");
	}
	assert_int_equal(bed_stats(&b)->accepted, 3);
	assert_int_equal(b.st.turns, 3);
	bed_close(&b);
}

/* The capture begins inside the connection: joined at its first segment, or at its second turn. */
static void
test_mid_stream(void **state)
{
	struct client c;
	struct bed b;
	struct tape t;

	bed_open(&b);
	t = tape_new(b.f, 0);
	tape_prod(&t, ACK, "tail of an old answer");
	tape_client(&t, ACK, "first");
	tape_prod(&t, ACK, "1");
	tape_client(&t, ACK, "second");
	tape_prod(&t, ACK, "2");
	bed_start(&b, NULL);
	c = client_new(&b, 0);
	c.seq--;
	client_connect(&c);
	client_expect_none(&c);
	client_send(&c, ACK, "first");
	client_expect(&c, ACK, "1");
	c = client_new(&b, 0);
	c.sport++;
	c.seq += 4;
	client_connect(&c);
	client_expect_none(&c);
	client_send(&c, ACK, "second");
	client_expect(&c, ACK, "2");
	assert_int_equal(bed_stats(&b)->bytes_in_ok, 11);
	assert_int_equal(b.st.early, 0);
	bed_close(&b);
}

static void
test_v6(void **state)
{
	struct client c;
	struct got g;
	struct bed b;
	struct tape t;

	bed_open(&b);
	t = tape_new6(b.f, 0);
	tape_handshake(&t);
	tape_client(&t, ACK, "q");
	tape_prod(&t, ACK, "six");
	tape_prod(&t, FIN_ACK, "");
	bed_start(&b, NULL);
	c = client_new6(&b, 0);
	client_send(&c, SC_TCP_SYN, "");
	assert_true(bed_get(&b, &g));
	assert_int_equal(g.seg.mss, 1440);
	c.ack = g.seg.seq + 1;
	client_send(&c, ACK, "q");
	client_expect(&c, FIN_ACK, "six");
	client_send(&c, FIN_ACK, "");
	client_expect(&c, ACK, "");
	assert_int_equal(bed_stats(&b)->closed, 1);
	bed_close(&b);
}

/* The capture lost a piece of the answer: the rest is sent, and nothing waits for it. */
static void
test_hole(void **state)
{
	struct client c;
	struct bed b;
	struct tape t;

	bed_open(&b);
	t = tape_new(b.f, 0);
	tape_handshake(&t);
	tape_client(&t, ACK, "q");
	tape_prod(&t, ACK, "begin");
	t.pseq += 100;
	tape_prod(&t, ACK, "end");
	tape_client(&t, ACK, "next");
	tape_prod(&t, FIN_ACK, "n");
	bed_start(&b, NULL);
	c = client_new(&b, 0);
	client_connect(&c);
	client_send(&c, ACK, "q");
	client_expect(&c, ACK, "beginend");
	client_send(&c, ACK, "next");
	client_expect(&c, FIN_ACK, "n");
	assert_int_equal(bed_stats(&b)->early, 0);
	bed_close(&b);
}

/* The capture changes under the peer: no made-up bytes. */
static void
test_short_read(void **state)
{
	struct client c;
	struct bed b;
	struct tape t;

	bed_open(&b);
	t = tape_new(b.f, 0);
	tape_handshake(&t);
	tape_client(&t, ACK, "q");
	tape_prod(&t, ACK, "answer");
	bed_start(&b, NULL);
	c = client_new(&b, 0);
	client_connect(&c);
	assert_int_equal(truncate(b.path, 24), 0);
	client_send(&c, ACK, "q");
	client_expect(&c, SC_TCP_RST | ACK, "");
	assert_int_equal(bed_stats(&b)->rst_out, 1);
	assert_int_equal(b.st.closed, 1);
	bed_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_one_turn),
			cmocka_unit_test(test_turns),
			cmocka_unit_test(test_early),
			cmocka_unit_test(test_other_bytes),
			cmocka_unit_test(test_half_close),
			cmocka_unit_test(test_client_closes_first),
			cmocka_unit_test(test_production_closes_first),
			cmocka_unit_test(test_never_closed),
			cmocka_unit_test(test_cut_short),
			cmocka_unit_test(test_production_resets),
			cmocka_unit_test(test_production_refused),
			cmocka_unit_test(test_unknown_isn),
			cmocka_unit_test(test_unknown_in_pieces),
			cmocka_unit_test(test_copies),
			cmocka_unit_test(test_mid_stream),
			cmocka_unit_test(test_v6),
			cmocka_unit_test(test_hole),
			cmocka_unit_test(test_short_read),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
