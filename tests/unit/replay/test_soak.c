/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What counts in 32 bits must not notice when they wrap, and what is counted must not stop there.
 *
 * What is really run: the engine in virtual time, which is set forward. Milliseconds (TSval) wrap 3
 * times, ticks of the wheel 10 times, microseconds 2,700 times, 5 of these with a conversation going
 * on; sequence numbers of both sides wrap, those of the answer over a whole 4 GB of one connection.
 * 2^32 frames are not sent: the counters begin just below 2^32, balanced, and the ledger goes on
 * from there. SC_SOAK_GB=N in the environment: N GB of requests, byte by byte (about 10 s each).
 */
#include <stdlib.h>
#include <test_eal.h>

#include "bed.h"

#define MINUTE (60 * BED_S)
#define DAY (24 * 60 * MINUTE)
#define MS_WRAP ((396ull << 32) * BED_MS) /* in 2023; the low 32 bits of microseconds are 0, too */
#define BELOW ((1ull << 32) - 3)          /* where counters begin */

static void
tune(struct bed *b)
{
	b->cfg.now_us = MS_WRAP - 20 * BED_S;
	b->cfg.session_timeout_s = UINT32_MAX / 2;
}

/* One turn, target and production alike; all of it is acknowledged at its end. */
static void
turn(struct conv *c, uint32_t question, uint16_t answer)
{
	conv_say(c, question);
	conv_expect(c, SC_TCP_ACK, question);
	c->b->now_us += BED_MS;
	conv_answer(c, answer);
	conv_target_answer(c, answer);
	bed_run(c->b, 50 * BED_MS);
	conv_expect(c, SC_TCP_ACK, 0);
	bed_silent(c->b);
}

/* A request is lost 100 ms before all clocks wrap: it is sent again behind that, on time. */
static void
deadline_across_wrap(void **state)
{
	struct bed *b = bed_new(*state, tune);
	struct conv *c = bed_conv(b);

	conv_open(c);
	turn(c, 100, 100);
	b->now_us = MS_WRAP - 100 * BED_MS;
	sc_replay_timers(b->e, b->now_us);
	conv_say(c, 50);
	conv_expect(c, SC_TCP_ACK, 50);
	bed_run(b, 150 * BED_MS);
	bed_silent(b);
	bed_run(b, 400 * BED_MS);
	conv_expect_one(c, SC_TCP_ACK, c->tack - 50, 50, __LINE__);
	bed_forget(b);
	assert_in_range(COUNT(b, RTO_EXPIRED), 1, 2);
	conv_target_ack(c);
	turn(c, 60, 70);
	conv_close(c);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, COMPLETE), 1);
	bed_end(b);
}

/* Six hours with a turn every 4 minutes. */
static void
hours(void **state)
{
	struct bed *b = bed_new(*state, tune);
	struct conv *c = bed_conv(b);

	conv_open(c);
	for (unsigned int i = 0; i < 90; i++) {
		turn(c, 100 + i, (uint16_t)(200 + i));
		b->now_us += 4 * MINUTE;
		sc_replay_timers(b->e, b->now_us);
		bed_collect(b);
		bed_silent(b);
	}
	assert_true(b->now_us - MS_WRAP > 5ull << 32);
	assert_int_equal(COUNT(b, GATE_EXACT), 89);
	assert_int_equal(COUNT(b, TX_RETRANSMIT), 0);
	conv_close(c);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, COMPLETE), 1);
	bed_end(b);
}

/* A session that says something every 5 days, for more than 4 months. */
static void
months(void **state)
{
	struct bed *b = bed_new(*state, tune);
	struct conv *c = bed_conv(b);

	conv_open(c);
	for (unsigned int i = 0; i < 27; i++) {
		turn(c, 100, 200);
		b->now_us += 5 * DAY;
		sc_replay_timers(b->e, b->now_us);
		bed_collect(b);
		bed_silent(b);
	}
	assert_true((b->now_us - MS_WRAP) / BED_MS > 2ull << 32);
	assert_int_equal(COUNT(b, TX_RETRANSMIT), 0);
	conv_close(c);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, COMPLETE), 1);
	bed_end(b);
}

/* Nobody has said anything for longer than the 32 bits of its clock: it ends by its life time. */
static void
idle_across_wraps(void **state)
{
	struct bed *b = bed_new(*state, tune);
	struct conv *c = bed_conv(b);

	b->cfg.session_timeout_s = UINT32_MAX / 2;
	conv_open(c);
	turn(c, 100, 200);
	for (unsigned int i = 0; i < 60; i++) {
		b->now_us += 10 * 60 * MINUTE;
		sc_replay_timers(b->e, b->now_us);
		bed_collect(b);
		bed_silent(b);
	}
	turn(c, 100, 200);
	assert_int_equal(COUNT(b, CONNS_OPEN_NOW), 1);
	bed_end(b);
}

/* Just under 4 GB of answer on one connection, over 4 GB with what was never seen of it. */
static void
long_answer(void **state)
{
	struct bed *b = bed_new(*state, tune);
	struct conv *c = bed_conv(b);
	uint64_t bytes = 0;

	conv_open_said(c, 100);
	for (unsigned int i = 0; bytes + 60000 <= 1ull << 32; i++, bytes += 60000) {
		if (i % 1000 == 999)
			c->tnxt += 1000; /* lost on the way, acknowledged all the same */
		conv_target_answer(c, 60000);
		b->now_us += BED_MS;
		if (i % 64 == 0)
			sc_replay_timers(b->e, b->now_us);
		bed_collect(b);
		bed_forget(b);
	}
	assert_int_equal(COUNT(b, ANSWER_NEW), bytes);
	assert_in_range(COUNT(b, ANSWER_HOLE), 71000, 72000);
	conv_target_rst(c);
	bed_forget(b);
	bed_end(b);
	assert_int_equal(COUNT(b, ANSWER_SPAN), bytes + COUNT(b, ANSWER_HOLE));
}

/* Balanced counters just below 2^32: a box that has run for a while. */
static void
age(struct sc_stats *st)
{
	static const enum sc_counter pairs[] = {SC_C_MIRROR_POLLED, SC_C_FRAMES_CLIENT,
			SC_C_FLOWS_SEEN, SC_C_FLOWS_ADMITTED, SC_C_SESSIONS_WANTED,
			SC_C_SESSIONS_STARTED, SC_C_CONNS_OPENED, SC_C_CONNS_ESTABLISHED,
			SC_C_BYTES_SEEN, SC_C_BYTES_ACCEPTED, SC_C_BYTES_ACCEPTED_COPIES,
			SC_C_BYTES_DELIVERED, SC_C_SPAN_BYTES, SC_C_TURNS_SEEN, SC_C_TURNS_ANSWERED,
			SC_C_GATE_EXACT, SC_C_TX_BUILT, SC_C_TX_TAKEN, SC_C_TX_PAYLOAD,
			SC_C_TX_PAYLOAD_FIRST, SC_C_TX_ACK, SC_C_REC_TAKEN, SC_C_REC_MATCHED,
			SC_C_ANSWER_BYTES, SC_C_ANSWER_NEW, SC_C_ANSWER_SPAN};

	for (unsigned int i = 0; i < SC_ARRAY_SIZE(pairs); i++)
		st->c[pairs[i]] += BELOW;
	st->m[SC_M_FLOW_ENDED][SC_R_COMPLETE] += BELOW;
	st->m[SC_M_SESSION_ENDED][SC_R_COMPLETE] += BELOW;
	st->m[SC_M_CONN_CLOSED][SC_R_CLOSED_FIN] += BELOW;
}

/* Ten connections take every counter over 2^32; the ledger is checked after each frame. */
static void
counters(void **state)
{
	struct bed *b = bed_new(*state, tune);
	static struct sc_stats young, old;

	for (unsigned int round = 0; round < 2; round++) {
		struct sc_stats before;

		if (round == 1)
			age(&b->st);
		before = b->st;
		for (unsigned int i = 0; i < 10; i++) {
			struct conv *c = bed_conv(b);

			conv_open(c);
			turn(c, 500, 600);
			turn(c, 700, 800);
			conv_close(c);
		}
		old = b->st;
		for (unsigned int i = 0; i < SC_C_COUNT; i++)
			old.c[i] -= before.c[i];
		for (unsigned int r = 0; r < SC_R_COUNT; r++)
			old.m[SC_M_FLOW_ENDED][r] -= before.m[SC_M_FLOW_ENDED][r];
		if (round == 0)
			young = old;
	}
	assert_memory_equal(old.c, young.c, sizeof(old.c));
	assert_int_equal(old.m[SC_M_FLOW_ENDED][SC_R_COMPLETE], 10);
	assert_true(COUNT(b, FLOWS_SEEN) == BELOW + 20);
	assert_true(COUNT(b, BYTES_DELIVERED) == BELOW + 24000);
	assert_true(sc_ledger_fidelity(&b->st) == 1);
	bed_end(b);
}

/* For a human: SC_SOAK_GB GB of requests through one connection, in segments of 1,388 bytes. */
static void
long_requests(void **state)
{
	const char *gb = getenv("SC_SOAK_GB");
	uint64_t want = gb == NULL ? 2000000 : strtoull(gb, NULL, 10) * 1000000000;
	struct bed *b = bed_new(*state, tune);
	struct conv *c = bed_conv(b);
	uint64_t said = 0;

	conv_open(c);
	for (; said < want; said += 1388) {
		conv_say(c, 1388);
		conv_expect(c, SC_TCP_ACK, 1388);
		b->now_us += 100;
		conv_target_ack(c);
	}
	assert_int_equal(COUNT(b, BYTES_DELIVERED), said);
	conv_close(c);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, COMPLETE), 1);
	bed_end(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			BOTH(deadline_across_wrap),
			BOTH(hours),
			BOTH(months),
			BOTH(idle_across_wraps),
			BOTH(long_answer),
			BOTH(counters),
			BOTH(long_requests),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
