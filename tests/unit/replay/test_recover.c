/* SPDX-License-Identifier: BSD-3-Clause */
/* Retransmission: RFC 6298, 5681, 6582. */
#include <engine.h>
#include <test_eal.h>

#include "bed.h"

/* An ACK of what was in order so far, without moving on. */
static void
same_ack(struct conv *c, uint32_t ack)
{
	conv_record(c, SC_TCP_ACK, c->tnxt, ack, 0);
}

/* The RTO doubles with every try, the segment is the same; given up with a RST after eight. */
static void
back_off(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);
	uint64_t at, gap = 200 * BED_MS;
	uint32_t first;

	conv_open(c);
	conv_say(c, 300);
	first = c->tack;
	at = conv_expect(c, SC_TCP_ACK, 300)->at_us;
	for (int i = 0; i < 8; i++) {
		struct sent *s;

		bed_run(b, gap + 2 * BED_MS);
		s = conv_expect_at(c, SC_TCP_ACK, first, 300);
		assert_in_range(s->at_us - at, gap, gap + 2 * BED_MS);
		at = s->at_us;
		gap *= 2;
		bed_silent(b);
	}
	assert_int_equal(COUNT(b, TX_PAYLOAD_AGAIN), 8 * 300);
	assert_int_equal(COUNT(b, TX_RETRANSMIT), 8);
	bed_run(b, gap + 2 * BED_MS);
	conv_expect_at(c, SC_TCP_RST | SC_TCP_ACK, first + 300, 0);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, TARGET_TIMEOUT), 1);
	assert_int_equal(COUNT(b, BYTES_UNCONFIRMED), 300);
	assert_int_equal(COUNT_BY(b, CONN_CLOSED, CLOSED_ABORTED), 1);
	bed_end(b);
}

/* After a timeout everything unacknowledged goes again, slowly at first, and nothing is skipped. */
static void
go_back(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);
	uint32_t first;

	conv_open(c);
	first = c->tack;
	for (int i = 0; i < 5; i++) {
		conv_say(c, 1000);
		conv_expect(c, SC_TCP_ACK, 1000);
	}
	bed_run(b, 202 * BED_MS);
	conv_expect_at(c, SC_TCP_ACK, first, 1000);
	bed_silent(b);
	same_ack(c, first + 1000);
	conv_expect_at(c, SC_TCP_ACK, first + 1000, 1000);
	conv_expect_at(c, SC_TCP_ACK, first + 2000, 1000);
	bed_silent(b);
	same_ack(c, first + 5000); /* the rest had arrived the first time */
	bed_silent(b);
	assert_int_equal(COUNT(b, BYTES_DELIVERED), 5000);
	bed_run(b, 5 * BED_S);
	bed_silent(b);
	bed_end(b);
}

/* Three duplicate ACKs: the first segment at once; more of them let new data out. */
static void
fast_retransmit(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);
	uint32_t first;

	conv_open(c);
	first = c->tack;
	for (int i = 0; i < 6; i++) {
		conv_say(c, 1000);
		conv_expect(c, SC_TCP_ACK, 1000);
	}
	same_ack(c, first + 1000); /* also a window update: no duplicate */
	same_ack(c, first + 1000);
	same_ack(c, first + 1000);
	bed_silent(b);
	same_ack(c, first + 1000);
	conv_expect_at(c, SC_TCP_ACK, first + 1000, 1000);
	bed_silent(b);
	assert_int_equal(COUNT(b, FAST_RETRANSMIT), 1);
	/* RFC 6582: a partial ACK means that the next one is lost as well */
	same_ack(c, first + 2000);
	conv_expect_at(c, SC_TCP_ACK, first + 2000, 1000);
	bed_silent(b);
	same_ack(c, first + 6000);
	bed_silent(b);
	assert_int_equal(COUNT(b, BYTES_DELIVERED), 6000);
	assert_int_equal(COUNT(b, RTO_EXPIRED), 0);
	conv_say(c, 1000);
	conv_expect(c, SC_TCP_ACK, 1000);
	bed_end(b);
}

/* Answers, window updates and ACKs with nothing in flight are no duplicate ACKs. */
static void
not_duplicates(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);
	uint32_t first;

	conv_open(c);
	first = c->tack;
	for (int i = 0; i < 5; i++)
		same_ack(c, first);
	conv_say(c, 1000);
	conv_expect(c, SC_TCP_ACK, 1000);
	for (int i = 0; i < 5; i++) {
		c->twnd++;
		same_ack(c, first);
	}
	for (int i = 0; i < 5; i++) {
		c->tnxt += 10;
		conv_record(c, SC_TCP_ACK, c->tnxt - 10, first, 10);
	}
	assert_int_equal(COUNT(b, FAST_RETRANSMIT), 0);
	assert_int_equal(COUNT(b, TX_RETRANSMIT), 0);
	bed_end(b);
}

static void
fin_retransmitted(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 100);
	conv_fin(c);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	bed_run(b, 202 * BED_MS);
	conv_expect_at(c, SC_TCP_FIN | SC_TCP_ACK, c->tack - 1, 0);
	conv_target_ack(c);
	bed_run(b, 5 * BED_S);
	bed_silent(b);
	conv_target_fin(c);
	conv_expect(c, SC_TCP_ACK, 0);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, COMPLETE), 1);
	bed_end(b);
}

/* FIN does not wait for the ACK of the data before it, and both come again. */
static void
data_and_fin_lost(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);
	uint32_t first;

	conv_open(c);
	first = c->tack;
	conv_say(c, 100);
	conv_expect(c, SC_TCP_ACK, 100);
	conv_fin(c);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	bed_run(b, 202 * BED_MS);
	conv_expect_at(c, SC_TCP_ACK, first, 100);
	conv_expect_at(c, SC_TCP_FIN | SC_TCP_ACK, first + 100, 0);
	conv_target_fin(c);
	conv_expect(c, SC_TCP_ACK, 0);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, COMPLETE), 1);
	bed_end(b);
}

/* The RTO follows the measured round trip; a segment sent twice measures nothing (Karn). */
static void
round_trip(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);
	uint32_t first;
	uint64_t at;

	conv_shake(c);
	conv_take_syn(c);
	bed_run(b, 300 * BED_MS);
	conv_target_synack(c);
	conv_expect(c, SC_TCP_ACK, 0);
	conv_say(c, 100);
	first = c->tack;
	at = conv_expect(c, SC_TCP_ACK, 100)->at_us;
	bed_run(b, 850 * BED_MS);
	bed_silent(b); /* 300 + 4 x 150 ms */
	bed_run(b, 55 * BED_MS);
	assert_in_range(conv_expect_at(c, SC_TCP_ACK, first, 100)->at_us - at, 900 * BED_MS,
			902 * BED_MS);
	conv_target_ack(c);
	assert_int_equal(b->e->t.session[0].srtt_us, 300 * BED_MS);
	bed_end(b);
}

/* A target that opens its window after many probes gets its full tries afterwards. */
static void
loss_after_persist(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);
	uint32_t first;

	conv_open(c);
	c->twnd = 0;
	conv_target_ack(c);
	conv_say(c, 500);
	while (COUNT(b, PERSIST_PROBES) < 9)
		bed_run(b, BED_S);
	bed_forget(b);
	c->twnd = 512;
	conv_target_ack(c);
	first = c->tack;
	conv_expect(c, SC_TCP_ACK, 500);
	bed_run(b, 205 * BED_MS);
	conv_expect_at(c, SC_TCP_ACK, first, 500);
	conv_target_ack(c);
	assert_int_equal(COUNT(b, BYTES_DELIVERED), 500);
	bed_end(b);
}

/* The window closes while data is out: it is asked for with that data. */
static void
window_closed_on_data(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);
	uint32_t first;

	conv_open(c);
	first = c->tack;
	conv_say(c, 500);
	conv_expect(c, SC_TCP_ACK, 500);
	c->twnd = 0;
	same_ack(c, first);
	conv_say(c, 100);
	bed_silent(b);
	bed_run(b, 205 * BED_MS);
	conv_expect_at(c, SC_TCP_ACK, first, 500);
	bed_silent(b);
	same_ack(c, first + 500);
	c->twnd = 512;
	same_ack(c, first + 500);
	conv_expect(c, SC_TCP_ACK, 100);
	bed_end(b);
}

/* A shut window that is answered for, with data out: it may stay so, and is not a dead target. */
static void
window_shut_for_long(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);
	uint32_t first;

	conv_open(c);
	first = c->tack;
	conv_say(c, 500);
	conv_expect(c, SC_TCP_ACK, 500);
	c->twnd = 0;
	for (unsigned int i = 0; i < 30; i++) {
		same_ack(c, first);
		bed_run(b, 20 * BED_S);
	}
	assert_int_equal(COUNT(b, SESSIONS_LIVE_NOW), 1);
	assert_true(COUNT(b, RTO_EXPIRED) > 8);
	bed_forget(b);
	c->twnd = 512;
	same_ack(c, first);
	conv_expect_at(c, SC_TCP_ACK, first, 500);
	same_ack(c, first + 500);
	assert_int_equal(COUNT(b, BYTES_DELIVERED), 500);
	bed_end(b);
}

/* ACKs within a segment: the rest of it is what is sent again. */
static void
partial_ack(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);
	uint32_t first;

	conv_open(c);
	first = c->tack;
	conv_say(c, 1000);
	conv_expect(c, SC_TCP_ACK, 1000);
	same_ack(c, first + 300);
	assert_int_equal(COUNT(b, BYTES_IN_FLIGHT_NOW), 700);
	bed_run(b, 205 * BED_MS);
	conv_expect_at(c, SC_TCP_ACK, first + 300, 700);
	bed_end(b);
}

/* 2 GB after the last loss its mark seems to lie ahead: nobody may ask for it any more. */
static void
recovery_point_far_behind(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);
	uint32_t first;

	conv_open_said(c, 100);
	b->e->t.session[0].mark = b->e->t.session[0].una - 0x7ffffc00u;
	for (int i = 0; i < 2; i++) {
		conv_say(c, 1000);
		conv_expect(c, SC_TCP_ACK, 1000);
		conv_target_ack(c);
	}
	first = c->tack;
	for (int i = 0; i < 5; i++) {
		conv_say(c, 1000);
		conv_expect(c, SC_TCP_ACK, 1000);
	}
	for (int i = 0; i < 3; i++)
		same_ack(c, first);
	conv_expect_at(c, SC_TCP_ACK, first, 1000);
	assert_int_equal(COUNT(b, FAST_RETRANSMIT), 1);
	bed_end(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			BOTH(back_off),
			BOTH(go_back),
			BOTH(fast_retransmit),
			BOTH(recovery_point_far_behind),
			BOTH(not_duplicates),
			BOTH(fin_retransmitted),
			BOTH(data_and_fin_lost),
			BOTH(round_trip),
			BOTH(loss_after_persist),
			BOTH(window_closed_on_data),
			BOTH(window_shut_for_long),
			BOTH(partial_ack),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
