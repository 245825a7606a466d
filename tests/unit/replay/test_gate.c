/* SPDX-License-Identifier: BSD-3-Clause */
/* The release gate, row by row of its table. */
#include <test_eal.h>

#include "bed.h"

/* A turn of the capture: a request of 50 bytes, `answer` bytes of production; the next one waits. */
static struct conv *
next_request(struct bed *b, uint32_t answer, uint32_t pause_us)
{
	struct conv *c = bed_conv(b);

	conv_open_said(c, 50);
	b->now_us += BED_MS;
	conv_answer(c, answer / 2);
	b->now_us += pause_us;
	conv_answer(c, answer - answer / 2);
	conv_say(c, 60);
	bed_silent(b);
	return c;
}

/* A not above base: the same turn goes at once. */
static void
same_turn(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	for (int i = 0; i < 3; i++) {
		conv_say(c, 100);
		conv_expect(c, SC_TCP_ACK, 100);
	}
	bed_silent(b);
	assert_int_equal(COUNT(b, GATE_EXACT), 0);
	assert_int_equal(COUNT(b, TURNS_SEEN), 1);
	bed_end(b);
}

/* d = 0: at the byte that completes production's length, not one earlier. */
static void
exact(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = next_request(b, 1000, 0);

	conv_target_answer(c, 999);
	bed_silent(b);
	conv_target_answer(c, 1);
	conv_expect(c, SC_TCP_ACK, 60);
	bed_silent(b);
	assert_int_equal(COUNT(b, GATE_EXACT), 1);
	assert_int_equal(COUNT(b, TURNS_ANSWERED), 1);
	bed_end(b);
}

/* d > 0: after 20 ms of quiet, counted from the target's latest packet. */
static void
longer(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = next_request(b, 1000, 0);

	conv_target_answer(c, 1100);
	bed_run(b, 15 * BED_MS);
	bed_silent(b);
	conv_target_answer(c, 100);
	conv_expect(c, SC_TCP_ACK, 0); /* the second segment is acknowledged at once */
	bed_run(b, 19 * BED_MS);
	bed_silent(b);
	bed_run(b, 2 * BED_MS);
	conv_expect(c, SC_TCP_ACK, 60);
	assert_int_equal(COUNT(b, GATE_LONGER), 1);
	bed_end(b);
}

/* q1 grows with production's own longest pause: 2 gp. */
static void
longer_with_pause(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = next_request(b, 1000, 100 * BED_MS);

	conv_target_answer(c, 600);
	conv_target_answer(c, 600);
	conv_expect(c, SC_TCP_ACK, 0);
	bed_run(b, 198 * BED_MS);
	bed_silent(b);
	bed_run(b, 3 * BED_MS);
	conv_expect(c, SC_TCP_ACK, 60);
	bed_end(b);
}

/* A target that never falls quiet holds a turn for 5 s after d reached 0. */
static void
longer_without_quiet(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = next_request(b, 1000, 0);

	conv_target_answer(c, 1001);
	for (int i = 0; i < 499; i++) {
		bed_run(b, 10 * BED_MS);
		conv_target_answer(c, 600);
	}
	assert_int_equal(COUNT(b, GATE_LONGER), 0);
	bed_forget(b); /* our ACKs */
	bed_run(b, 11 * BED_MS);
	assert_int_equal(COUNT(b, GATE_LONGER), 1);
	conv_expect(c, SC_TCP_ACK, 60);
	bed_end(b);
}

/* d < 0: after gate_quiet_min when bytes came. */
static void
shorter(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = next_request(b, 1000, 0);

	conv_target_answer(c, 900);
	bed_run(b, 39 * BED_MS);
	bed_silent(b);
	bed_run(b, 2 * BED_MS);
	conv_expect(c, SC_TCP_ACK, 0); /* delayed ACK: quiet begins anew */
	bed_run(b, 198 * BED_MS);
	bed_silent(b);
	bed_run(b, 3 * BED_MS);
	conv_expect(c, SC_TCP_ACK, 60);
	assert_int_equal(COUNT(b, GATE_SHORTER), 1);
	bed_end(b);
}

/* q2 never exceeds 2 s, however long production paused. */
static void
shorter_after_long_pause(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 50);
	conv_answer(c, 500);
	conv_target_answer(c, 400);
	bed_run(b, 5 * BED_S);
	conv_expect(c, SC_TCP_ACK, 0);
	conv_answer(c, 500);
	conv_target_answer(c, 500);
	bed_run(b, 50 * BED_MS);
	conv_expect(c, SC_TCP_ACK, 0);
	conv_say(c, 60);
	bed_run(b, 1950 * BED_MS);
	bed_silent(b);
	bed_run(b, 60 * BED_MS);
	conv_expect(c, SC_TCP_ACK, 60);
	bed_end(b);
}

/* A release by quiet moves delta: the next turn of the same difference is exact. */
static void
difference_is_carried(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = next_request(b, 1000, 0);

	conv_target_answer(c, 900);
	bed_run(b, 300 * BED_MS);
	conv_expect(c, SC_TCP_ACK, 0);
	conv_expect(c, SC_TCP_ACK, 60);
	conv_target_ack(c);
	conv_answer(c, 500);
	conv_say(c, 70);
	bed_silent(b);
	conv_target_answer(c, 500);
	conv_expect(c, SC_TCP_ACK, 70);
	assert_int_equal(COUNT(b, GATE_EXACT), 1);
	bed_end(b);
}

/* No byte at all: T0 = 5 s since our last byte was acknowledged; then strikes. */
static void
silent_target(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = next_request(b, 1000, 0);

	conv_answer(c, 10);
	conv_say(c, 61);
	conv_answer(c, 10);
	b->now_us += 300 * BED_MS;
	conv_say(c, 62);
	bed_run(b, 4690 * BED_MS);
	bed_silent(b);
	bed_run(b, 20 * BED_MS);
	conv_expect(c, SC_TCP_ACK, 60);
	conv_target_ack(c);
	assert_int_equal(COUNT(b, GATE_TIMEOUT), 1);
	bed_run(b, 4990 * BED_MS);
	bed_silent(b);
	bed_run(b, 20 * BED_MS);
	conv_expect(c, SC_TCP_ACK, 61);
	conv_target_ack(c);
	assert_int_equal(COUNT(b, GATE_TIMEOUT), 2);
	/* two strikes: production's own spacing from now on */
	bed_run(b, 280 * BED_MS);
	bed_silent(b);
	bed_run(b, 30 * BED_MS);
	conv_expect(c, SC_TCP_ACK, 62);
	assert_int_equal(COUNT(b, GATE_TIMEOUT), 2);
	assert_int_equal(COUNT(b, GATE_TIME), 1);
	/* until the target answers again */
	conv_target_answer(c, 5);
	conv_answer(c, 5);
	conv_say(c, 63);
	bed_run(b, 30 * BED_MS);
	bed_silent(b);
	bed_end(b);
}

/* T0 follows production's time to first byte: 10 L. */
static void
slow_production(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 50);
	bed_run(b, 800 * BED_MS);
	conv_answer(c, 100);
	conv_say(c, 60);
	bed_run(b, 7100 * BED_MS);
	bed_silent(b);
	bed_run(b, 200 * BED_MS);
	conv_expect(c, SC_TCP_ACK, 60);
	bed_end(b);
}

/* While our bytes are not acknowledged, T0 does not run: retransmission is what is due. */
static void
unacknowledged_request(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	conv_say(c, 50);
	conv_expect(c, SC_TCP_ACK, 50);
	conv_answer(c, 100);
	conv_say(c, 60);
	bed_run(b, 8 * BED_S);
	assert_int_equal(COUNT(b, GATE_TIMEOUT), 0);
	while (b->nb_sent > 0)
		conv_expect_at(c, SC_TCP_ACK, c->tack - 50, 50);
	assert_true(COUNT(b, RTO_EXPIRED) >= 3);
	bed_end(b);
}

/* Full duplex: production sent beyond A before it saw C, so d >= 0 is enough and delta stays. */
static void
duplex(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);
	uint32_t ack;

	conv_open_said(c, 50);
	conv_answer(c, 1000);
	ack = c->pnxt - 400;
	conv_frame(c, SC_HALF_CLIENT, SC_TCP_ACK, c->cnxt, ack, 60);
	c->cnxt += 60;
	conv_target_answer(c, 599);
	bed_silent(b);
	conv_target_answer(c, 300);
	conv_expect(c, SC_TCP_ACK, 60);
	assert_int_equal(COUNT(b, GATE_DUPLEX), 1);
	/* delta has not moved: 1,000 bytes are the exact length still */
	conv_target_answer(c, 101);
	conv_say(c, 70);
	conv_expect(c, SC_TCP_ACK, 70);
	assert_int_equal(COUNT(b, GATE_EXACT), 1);
	bed_end(b);
}

/* A server that speaks first: turn 0 waits for its greeting. */
static void
server_first(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	conv_answer(c, 80);
	conv_say(c, 50);
	bed_silent(b);
	conv_target_answer(c, 80);
	conv_expect(c, SC_TCP_ACK, 50);
	assert_int_equal(COUNT(b, GATE_EXACT), 1);
	bed_end(b);
}

/* A client-only mirror: the client's own ACK numbers carry the answer's length. */
static void
client_only(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_syn(c);
	c->pnxt++; /* the SYN-ACK that the mirror does not show */
	conv_ack(c);
	conv_take_syn(c);
	conv_target_synack(c);
	conv_expect(c, SC_TCP_ACK, 0);
	conv_say(c, 50);
	conv_expect(c, SC_TCP_ACK, 50);
	conv_target_ack(c);
	c->pnxt += 777;
	conv_say(c, 60);
	conv_target_answer(c, 776);
	bed_silent(b);
	conv_target_answer(c, 1);
	conv_expect(c, SC_TCP_ACK, 60);
	assert_int_equal(COUNT(b, GATE_EXACT), 1);
	bed_end(b);
}

/* Production's FIN takes a number and no answer byte: the client's FIN is exact behind it. */
static void
production_fin_is_no_byte(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 50);
	conv_answer(c, 100);
	conv_prod_fin(c);
	conv_fin(c);
	bed_silent(b);
	conv_target_answer(c, 100);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	assert_int_equal(COUNT(b, GATE_EXACT), 1);
	bed_end(b);
}

/* FIN is gated by its own ACK number: half-close does not wait for the last answer. */
static void
half_close(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 50);
	conv_fin(c);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	bed_end(b);
}

static void
tune_off(struct bed *b)
{
	b->cfg.gate = SC_REPLAY_GATE_OFF;
}

static void
gate_off(void **state)
{
	struct bed *b = bed_new(*state, tune_off);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 50);
	conv_answer(c, 100);
	conv_say(c, 60);
	conv_expect(c, SC_TCP_ACK, 60);
	bed_end(b);
}

static void
tune_time(struct bed *b)
{
	b->cfg.gate = SC_REPLAY_GATE_TIME;
	b->cfg.speed = 2;
}

/* gate: time is production's spacing, at the replay's speed. */
static void
gate_time(void **state)
{
	struct bed *b = bed_new(*state, tune_time);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 50);
	conv_answer(c, 100);
	b->is_batched = true;
	b->now_us += 100 * BED_MS;
	conv_say(c, 60);
	b->now_us -= 100 * BED_MS; /* a file runs ahead of the clock */
	bed_flush(b);
	bed_silent(b);
	bed_run(b, 49 * BED_MS);
	bed_silent(b);
	bed_run(b, 3 * BED_MS);
	conv_expect(c, SC_TCP_ACK, 60);
	assert_int_equal(COUNT(b, GATE_TIME), 1);
	bed_end(b);
}

static void
tune_think(struct bed *b)
{
	b->cfg.pace_think = true;
}

/* pace: think waits the client's think time behind the target's answer. */
static void
think_time(void **state)
{
	struct bed *b = bed_new(*state, tune_think);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 50);
	conv_answer(c, 100);
	b->now_us += 30 * BED_MS;
	conv_say(c, 60);
	conv_target_answer(c, 100);
	bed_run(b, 29 * BED_MS);
	bed_silent(b);
	bed_run(b, 2 * BED_MS);
	conv_expect(c, SC_TCP_ACK, 60);
	bed_end(b);
}

static void
tune_original(struct bed *b)
{
	b->cfg.latency = SC_REPLAY_LATENCY_ORIGINAL;
}

/* latency: original holds ACKs and next requests for the client's own RTT (10 ms in the capture). */
static void
latency_original(void **state)
{
	struct bed *b = bed_new(*state, tune_original);
	struct conv *c = bed_conv(b);

	conv_shake(c);
	conv_take_syn(c);
	conv_target_synack(c);
	bed_run(b, 9 * BED_MS);
	bed_silent(b);
	bed_run(b, 2 * BED_MS);
	conv_expect(c, SC_TCP_ACK, 0);
	conv_say(c, 50);
	conv_expect(c, SC_TCP_ACK, 50);
	conv_answer(c, 100);
	b->now_us += 10 * BED_MS;
	conv_say(c, 60);
	conv_target_answer(c, 100);
	bed_run(b, 9 * BED_MS);
	bed_silent(b);
	bed_run(b, 2 * BED_MS);
	conv_expect(c, SC_TCP_ACK, 60);
	bed_end(b);
}

/*
 * A client that took 3 s for its handshake: no ACK is held back for more than 500 ms (RFC 5681
 * section 4.2), or the target would send its SYN-ACK again.
 */
static void
latency_of_a_slow_client(void **state)
{
	struct bed *b = bed_new(*state, tune_original);
	struct conv *c = bed_conv(b);

	conv_syn(c);
	conv_synack(c);
	b->now_us += 3 * BED_S;
	conv_ack(c);
	conv_take_syn(c);
	conv_target_synack(c);
	bed_run(b, 499 * BED_MS);
	bed_silent(b);
	bed_run(b, 2 * BED_MS);
	conv_expect(c, SC_TCP_ACK, 0);
	bed_end(b);
}

static void
tune_fixed(struct bed *b)
{
	b->cfg.latency = SC_REPLAY_LATENCY_FIXED;
	b->cfg.latency_us = 300 * BED_MS;
}

static void
latency_fixed(void **state)
{
	struct bed *b = bed_new(*state, tune_fixed);
	struct conv *c = bed_conv(b);

	conv_shake(c);
	conv_take_syn(c);
	conv_target_synack(c);
	bed_run(b, 299 * BED_MS);
	bed_silent(b);
	bed_run(b, 2 * BED_MS);
	conv_expect(c, SC_TCP_ACK, 0);
	bed_end(b);
}

/* g: the 95th percentile of the longest pause in the target's answers, from 20 of them on. */
static void
learned_pause(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 50);
	for (int i = 0; i < 21; i++) {
		conv_answer(c, 100);
		conv_say(c, 60);
		conv_target_answer(c, 50);
		bed_run(b, 100 * BED_MS);
		bed_forget(b); /* the delayed ACK */
		conv_target_answer(c, 50);
		conv_expect(c, SC_TCP_ACK, 60);
		conv_target_ack(c);
	}
	/* 100 ms falls into the bucket that ends at 128 ms: q2 = 4 x 128 ms */
	conv_answer(c, 100);
	conv_say(c, 60);
	conv_target_answer(c, 50);
	bed_run(b, 41 * BED_MS);
	conv_expect(c, SC_TCP_ACK, 0);
	bed_run(b, 505 * BED_MS);
	bed_silent(b);
	bed_run(b, 10 * BED_MS);
	conv_expect(c, SC_TCP_ACK, 60);
	bed_end(b);
}

/*
 * Pipelined requests: the target has answered two before the turn that acknowledges the first. What it
 * sent early is not missed later: the next turn waits for quiet, not for a byte of its own.
 */
static void
answered_ahead(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 50);
	conv_say(c, 50);
	conv_expect(c, SC_TCP_ACK, 50);
	conv_target_answer(c, 300);
	conv_target_answer(c, 300);
	conv_expect(c, SC_TCP_ACK, 0);
	conv_answer(c, 300);
	conv_say(c, 60);
	bed_run(b, 30 * BED_MS);
	conv_expect(c, SC_TCP_ACK, 60);
	assert_int_equal(COUNT(b, GATE_LONGER), 1);
	conv_target_ack(c);
	conv_answer(c, 300);
	conv_say(c, 70);
	bed_run(b, 190 * BED_MS);
	bed_silent(b);
	bed_run(b, 20 * BED_MS);
	conv_expect(c, SC_TCP_ACK, 70);
	assert_int_equal(COUNT(b, GATE_SHORTER), 1);
	bed_end(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			BOTH(same_turn),
			BOTH(exact),
			BOTH(longer),
			BOTH(answered_ahead),
			BOTH(longer_with_pause),
			BOTH(longer_without_quiet),
			BOTH(shorter),
			BOTH(shorter_after_long_pause),
			BOTH(difference_is_carried),
			BOTH(silent_target),
			BOTH(slow_production),
			BOTH(unacknowledged_request),
			BOTH(duplex),
			BOTH(server_first),
			BOTH(client_only),
			BOTH(production_fin_is_no_byte),
			BOTH(half_close),
			BOTH(gate_off),
			BOTH(gate_time),
			BOTH(think_time),
			BOTH(latency_original),
			BOTH(latency_of_a_slow_client),
			BOTH(latency_fixed),
			BOTH(learned_pause),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
