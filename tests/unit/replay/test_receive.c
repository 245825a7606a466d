/* SPDX-License-Identifier: BSD-3-Clause */
/* Segments of the target: acceptance, acknowledgement, resets. */
#include <test_eal.h>

#include "bed.h"

/* ---- the handshake ---- */

/* A SYN-ACK that does not acknowledge our SYN is answered by RST, and changes nothing. */
static void
wrong_synack(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_shake(c);
	conv_take_syn(c);
	conv_record(c, SC_TCP_SYN | SC_TCP_ACK, c->tisn, c->tack + 1, 0);
	conv_expect_at(c, SC_TCP_RST, c->tack + 1, 0);
	conv_record(c, SC_TCP_SYN, c->tisn, 0, 0);
	bed_silent(b);
	conv_target_synack(c);
	conv_expect(c, SC_TCP_ACK, 0);
	bed_end(b);
}

static void
synack_again(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	conv_record(c, SC_TCP_SYN | SC_TCP_ACK, c->tisn, c->tack, 0);
	conv_expect(c, SC_TCP_ACK, 0);
	assert_int_equal(COUNT(b, CONNS_ESTABLISHED), 1);
	bed_end(b);
}

/* Without an MSS option a target takes 536 (IPv4) or 1,220 bytes (IPv6). */
static void
default_mss(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);
	uint32_t mss = b->v6 ? 1220 : 536;

	c->opts = 0;
	c->tmss = 0;
	c->twnd = 60000;
	conv_open(c);
	conv_say(c, 1300);
	conv_expect(c, SC_TCP_ACK, mss);
	conv_expect(c, SC_TCP_ACK, SC_MIN(mss, 1300 - mss));
	bed_end(b);
}

/* A target without window scale: its window is as it says, and ours is 65,535. */
static void
no_window_scale(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_shake(c);
	conv_take_syn(c);
	c->opts = SC_OPT_TS;
	conv_target_synack(c);
	conv_expect(c, SC_TCP_ACK, 0);
	c->twnd = 300;
	conv_target_ack(c);
	conv_say(c, 500);
	conv_expect(c, SC_TCP_ACK, 300);
	bed_silent(b);
	conv_record(c, SC_TCP_ACK, c->tnxt + 65535, c->tack, 10);
	assert_int_equal(COUNT(b, ANSWER_OUT_OF_WINDOW), 10);
	bed_end(b);
}

/* A target without timestamps: none from us. */
static void
no_timestamps(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_shake(c);
	assert_true(conv_take_syn(c)->seg.opts & SC_OPT_TS);
	c->opts &= ~SC_OPT_TS;
	conv_target_synack(c);
	conv_expect(c, SC_TCP_ACK, 0);
	bed_end(b);
}

/* RFC 7323: TSecr is the TSval of the segment that moved the left edge. */
static void
timestamp_echo(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);
	uint32_t t1;

	conv_open_said(c, 10);
	b->now_us += BED_S;
	t1 = sc_clock_tsval(b->now_us) + 77;
	conv_target_answer(c, 10);
	b->now_us += BED_S;
	conv_target_answer(c, 600);
	/* the delayed ACK answers the first one's timestamp */
	assert_int_equal(conv_expect(c, SC_TCP_ACK, 0)->seg.tsecr, t1);
	/* one that lies beyond a hole is no echo */
	b->now_us += BED_S;
	conv_record(c, SC_TCP_ACK, c->tnxt + 1000, c->tack, 1);
	c->tnxt += 1001;
	assert_int_equal(conv_expect(c, SC_TCP_ACK, 0)->seg.tsecr, t1);
	bed_end(b);
}

/* ---- acknowledging ---- */

/* Every second segment at once, a single one after 40 ms. */
static void
delayed_ack(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 10);
	conv_target_answer(c, 1000);
	bed_silent(b);
	conv_target_answer(c, 1000);
	conv_expect(c, SC_TCP_ACK, 0);
	conv_target_answer(c, 1000);
	bed_run(b, 39 * BED_MS);
	bed_silent(b);
	bed_run(b, 2 * BED_MS);
	conv_expect(c, SC_TCP_ACK, 0);
	bed_run(b, BED_S);
	bed_silent(b);
	bed_end(b);
}

/* Small segments are none of those every second of which is acknowledged at once. */
static void
small_answers(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 10);
	conv_target_answer(c, 240);
	conv_target_answer(c, 100);
	conv_target_answer(c, 196);
	bed_silent(b);
	conv_target_answer(c, 1);
	conv_expect(c, SC_TCP_ACK, 0);
	conv_target_answer(c, 240);
	conv_target_answer(c, 100);
	bed_run(b, 39 * BED_MS);
	bed_silent(b);
	bed_run(b, 2 * BED_MS);
	conv_expect(c, SC_TCP_ACK, 0);
	bed_end(b);
}

/* Data that leaves carries the ACK. */
static void
piggyback(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 10);
	conv_answer(c, 1000);
	conv_target_answer(c, 1000);
	conv_say(c, 20);
	conv_expect(c, SC_TCP_ACK, 20);
	conv_target_ack(c);
	bed_run(b, BED_S);
	bed_silent(b);
	bed_end(b);
}

/* A hole inside our window is acknowledged to its end, and named. */
static void
hole(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 10);
	c->tnxt += 700;
	conv_target_answer(c, 100);
	conv_expect(c, SC_TCP_ACK, 0);
	assert_int_equal(COUNT(b, ANSWER_HOLE), 700);
	assert_int_equal(COUNT(b, ANSWER_NEW), 100);
	/* what is late then is a duplicate */
	conv_record(c, SC_TCP_ACK, c->tnxt - 800, c->tack, 700);
	conv_expect(c, SC_TCP_ACK, 0);
	assert_int_equal(COUNT(b, ANSWER_DUPLICATE), 700);
	conv_close(c);
	bed_end(b);
}

/* A bare ACK from beyond a lost FIN acknowledges nothing for us: the FIN must come again. */
static void
bare_ack_beyond(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 10);
	conv_record(c, SC_TCP_ACK, c->tnxt + 1, c->tack, 0);
	bed_run(b, BED_S);
	bed_silent(b);
	assert_int_equal(COUNT(b, ANSWER_HOLE), 0);
	conv_record(c, SC_TCP_ACK | SC_TCP_FIN, c->tnxt, c->tack, 0);
	c->tnxt++;
	bed_run(b, 42 * BED_MS);
	conv_expect(c, SC_TCP_ACK, 0);
	bed_end(b);
}

/* A segment that is partly old. */
static void
partly_old(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 10);
	conv_target_answer(c, 600);
	c->tnxt += 30;
	conv_record(c, SC_TCP_ACK, c->tnxt - 80, c->tack, 80);
	conv_expect(c, SC_TCP_ACK, 0);
	assert_int_equal(COUNT(b, ANSWER_NEW), 630);
	assert_int_equal(COUNT(b, ANSWER_DUPLICATE), 50);
	conv_close(c);
	bed_end(b);
}

/* Retransmissions, keepalives and window probes are answered at once. */
static void
below_the_window(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 10);
	conv_target_answer(c, 100);
	bed_run(b, 50 * BED_MS);
	conv_expect(c, SC_TCP_ACK, 0);
	conv_record(c, SC_TCP_ACK, c->tnxt - 100, c->tack, 100);
	conv_expect(c, SC_TCP_ACK, 0);
	conv_record(c, SC_TCP_ACK, c->tnxt - 1, c->tack, 0); /* keepalive */
	conv_expect(c, SC_TCP_ACK, 0);
	conv_record(c, SC_TCP_ACK, c->tnxt - 1, c->tack, 1); /* with an old byte */
	conv_expect(c, SC_TCP_ACK, 0);
	assert_int_equal(COUNT(b, ANSWER_DUPLICATE), 101);
	assert_int_equal(COUNT(b, ANSWER_NEW), 100);
	bed_end(b);
}

/* ---- RFC 5961 ---- */

/* Far ahead: an ACK, at most one per 500 ms, and nothing moves. */
static void
forged_far_ahead(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);
	uint32_t window = 65535u << 7;

	conv_open_said(c, 10);
	conv_record(c, SC_TCP_ACK, c->tnxt + window, c->tack, 100);
	conv_expect(c, SC_TCP_ACK, 0);
	conv_record(c, SC_TCP_ACK, c->tnxt + window, c->tack, 100);
	bed_run(b, 400 * BED_MS);
	conv_record(c, SC_TCP_ACK, c->tnxt + window, c->tack, 100);
	bed_silent(b);
	bed_run(b, 101 * BED_MS);
	conv_record(c, SC_TCP_ACK, c->tnxt + window, c->tack, 100);
	conv_expect(c, SC_TCP_ACK, 0);
	assert_int_equal(COUNT(b, ANSWER_OUT_OF_WINDOW), 400);
	conv_target_answer(c, 10);
	assert_int_equal(COUNT(b, ANSWER_NEW), 10);
	bed_end(b);
}

/* An ACK of what was never sent, or from before the largest window, or none at all. */
static void
forged_ack(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 10);
	conv_record(c, SC_TCP_ACK, c->tnxt, c->tack + 1, 100);
	conv_expect(c, SC_TCP_ACK, 0);
	b->now_us += BED_S;
	conv_record(c, SC_TCP_ACK, c->tnxt, c->tack - (512 << 7) - 1, 100);
	conv_expect(c, SC_TCP_ACK, 0);
	b->now_us += BED_S;
	conv_record(c, 0, c->tnxt, c->tack, 100);
	bed_silent(b); /* RFC 9293 section 3.10.7.4, fifth step: dropped */
	assert_int_equal(COUNT(b, ANSWER_OUT_OF_WINDOW), 300);
	assert_int_equal(COUNT(b, ANSWER_NEW), 0);
	bed_end(b);
}

/* Only a RST at exactly RCV.NXT counts; others draw one challenge ACK per 500 ms. */
static void
forged_reset(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 10);
	conv_record(c, SC_TCP_RST, c->tnxt + 1, c->tack, 0);
	conv_expect(c, SC_TCP_ACK, 0);
	conv_record(c, SC_TCP_RST, c->tnxt - 1, c->tack, 0);
	bed_silent(b);
	assert_int_equal(COUNT(b, CONNS_OPEN_NOW), 1);
	conv_record(c, SC_TCP_RST, c->tnxt, c->tack, 0);
	assert_int_equal(COUNT(b, CONNS_OPEN_NOW), 0);
	assert_int_equal(COUNT_BY(b, CONN_CLOSED, CLOSED_RST_RECEIVED), 1);
	bed_end(b);
}

/* A FIN moves the end: what lies behind it is outside. */
static void
behind_target_fin(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 10);
	conv_target_fin(c);
	conv_record(c, SC_TCP_ACK, c->tnxt, c->tack, 50);
	conv_expect(c, SC_TCP_ACK, 0);
	assert_int_equal(COUNT(b, ANSWER_OUT_OF_WINDOW), 50);
	conv_record(c, SC_TCP_ACK | SC_TCP_FIN, c->tnxt - 1, c->tack, 0);
	conv_expect(c, SC_TCP_ACK, 0);
	bed_end(b);
}

/* ---- ack_resync ---- */

/* A forged segment inside the window had raised RCV.NXT; the target's next bare ACK sets it right. */
static void
resync(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 10);
	conv_target_answer(c, 100);
	conv_record(c, SC_TCP_ACK, c->tnxt + 5000, c->tack, 100);
	bed_forget(b);
	conv_say(c, 20);
	bed_forget(b);
	c->tack += 20;
	conv_target_ack(c);
	assert_int_equal(COUNT(b, ACK_RESYNC), 1);
	conv_target_answer(c, 50);
	conv_target_answer(c, 50);
	conv_expect(c, SC_TCP_ACK, 0);
	conv_close(c);
	assert_int_equal(COUNT(b, ANSWER_SPAN), 200);
	assert_int_equal(COUNT(b, ANSWER_SPAN_BACK), 5100);
	bed_end(b);
}

/* Not below the connection's first byte: that would be no ACK of this connection. */
static void
no_resync_before_start(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	conv_target_answer(c, 100);
	conv_say(c, 20);
	bed_forget(b);
	c->tack += 20;
	conv_record(c, SC_TCP_ACK, c->tisn - 1000, c->tack, 0);
	conv_expect(c, SC_TCP_ACK, 0);
	assert_int_equal(COUNT(b, ACK_RESYNC), 0);
	conv_record(c, SC_TCP_ACK, c->tisn + 1, c->tack, 0); /* nothing in flight any more */
	conv_expect(c, SC_TCP_ACK, 0);
	assert_int_equal(COUNT(b, ACK_RESYNC), 0);
	bed_end(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			BOTH(wrong_synack),
			BOTH(synack_again),
			BOTH(default_mss),
			BOTH(no_window_scale),
			BOTH(no_timestamps),
			BOTH(timestamp_echo),
			BOTH(delayed_ack),
			BOTH(small_answers),
			BOTH(piggyback),
			BOTH(hole),
			BOTH(bare_ack_beyond),
			BOTH(partly_old),
			BOTH(below_the_window),
			BOTH(forged_far_ahead),
			BOTH(forged_ack),
			BOTH(forged_reset),
			BOTH(behind_target_fin),
			BOTH(resync),
			BOTH(no_resync_before_start),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
