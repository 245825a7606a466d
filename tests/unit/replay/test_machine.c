/* SPDX-License-Identifier: BSD-3-Clause */
/* Events that a state does not know, stale tuples, and the order of deadlines. */
#include <test_eal.h>

#include "bed.h"

/*
 * A challenge ACK answers our SYN: the target still has an old connection there. RST at the number
 * it expects, then the SYN again after at least 1 ms.
 */
static void
stale_tuple_cleared(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_shake(c);
	conv_take_syn(c);
	c->opts |= SC_OPT_TS;
	conv_record(c, SC_TCP_ACK, 12345, 777777, 0);
	assert_int_equal(conv_expect_at(c, SC_TCP_RST, 777777, 0)->seg.flags, SC_TCP_RST);
	bed_silent(b);
	bed_run(b, 900);
	bed_silent(b);
	bed_run(b, 500);
	conv_take_syn(c);
	conv_target_synack(c);
	conv_expect(c, SC_TCP_ACK, 0);
	assert_int_equal(COUNT(b, STALE_RST), 1);
	bed_end(b);
}

/* Three times, then another tuple; with the third tuple the session ends by that name. */
static void
stale_tuple_kept(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_shake(c);
	for (int i = 0; i < 12; i++) {
		uint16_t port = c->rport;

		conv_take_syn(c);
		if (i > 0)
			assert_int_equal(c->rport != port, i % 4 == 0);
		conv_record(c, SC_TCP_ACK, 12345, 777777, 0);
		conv_expect_at(c, SC_TCP_RST, 777777, 0);
		bed_run(b, 500 * BED_MS);
	}
	bed_silent(b);
	assert_int_equal(COUNT(b, STALE_RST), 12);
	assert_int_equal(COUNT_BY(b, CONN_CLOSED, CLOSED_UNOPENED), 3);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, STALE_TUPLE), 1);
	bed_end(b);
}

/* After a challenge ACK the SYN's own tries still come to an end. */
static void
stale_then_silent(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_shake(c);
	conv_take_syn(c);
	conv_record(c, SC_TCP_ACK, 12345, 777777, 0);
	bed_run(b, 70 * BED_S);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, TARGET_UNANSWERED), 1);
	assert_int_equal(COUNT(b, TX_SYN), 7);
	bed_end(b);
}

/* A bare ACK of our SYN without a SYN is no challenge. */
static void
ack_of_syn_only(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_shake(c);
	conv_take_syn(c);
	conv_record(c, SC_TCP_ACK, c->tisn + 1, c->tack, 0);
	bed_silent(b);
	assert_int_equal(COUNT(b, STALE_RST), 0);
	conv_target_synack(c);
	conv_expect(c, SC_TCP_ACK, 0);
	bed_end(b);
}

/* A SYN-ACK after our FIN: a challenge ACK in every synchronized state (RFC 5961 section 4.2). */
static void
synack_after_fin(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 10);
	conv_fin(c);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	conv_record(c, SC_TCP_SYN | SC_TCP_ACK, c->tisn, c->tack - 11, 0);
	conv_expect(c, SC_TCP_ACK, 0); /* FIN-WAIT-1: our ACK was lost */
	conv_target_ack(c);
	conv_record(c, SC_TCP_SYN | SC_TCP_ACK, c->tisn, c->tack, 7);
	conv_expect(c, SC_TCP_ACK, 0); /* FIN-WAIT-2 */
	bed_silent(b);
	assert_int_equal(COUNT(b, ILLEGAL_EVENT), 0);
	assert_int_equal(COUNT(b, ANSWER_DUPLICATE), 7);
	bed_end(b);
}

/* Payload of a target that answers before the handshake is done is no answer yet. */
static void
payload_in_synack(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_shake(c);
	conv_take_syn(c);
	conv_record(c, SC_TCP_SYN | SC_TCP_ACK, c->tisn, c->tack, 30);
	c->tnxt = c->tisn + 1;
	conv_expect(c, SC_TCP_ACK, 0);
	assert_int_equal(COUNT(b, ANSWER_OUT_OF_WINDOW), 30);
	conv_target_answer(c, 30);
	assert_int_equal(COUNT(b, ANSWER_NEW), 30);
	bed_end(b);
}

/* Several deadlines of one session: each comes at its own time. */
static void
deadlines(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);
	uint32_t first;

	conv_open(c);
	first = c->tack;
	conv_say(c, 50);
	conv_expect(c, SC_TCP_ACK, 50);
	c->tack -= 50;
	conv_target_answer(c, 10); /* owes an ACK at 40 ms, a retransmission at 200 ms */
	c->tack += 50;
	bed_run(b, 42 * BED_MS);
	conv_expect(c, SC_TCP_ACK, 0);
	bed_run(b, 150 * BED_MS);
	bed_silent(b);
	bed_run(b, 15 * BED_MS);
	conv_expect_at(c, SC_TCP_ACK, first, 50);
	bed_end(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			BOTH(stale_tuple_cleared),
			BOTH(stale_tuple_kept),
			BOTH(stale_then_silent),
			BOTH(ack_of_syn_only),
			BOTH(synack_after_fin),
			BOTH(payload_in_synack),
			BOTH(deadlines),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
