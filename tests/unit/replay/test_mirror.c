/* SPDX-License-Identifier: BSD-3-Clause */
/* What mirrors do to frames: every one twice, in another order, one direction only. */
#include <engine.h>
#include <test_eal.h>

#include "bed.h"

#define TURNS 3
#define QUESTION 700 /* kept by reference */
#define ANSWER 300

static struct bed *
bed_new_twice(const void *is_v6, bed_tune_fn tune)
{
	struct bed *b = bed_new(is_v6, tune);

	b->is_twice = true;
	return b;
}

/* One turn at production and at the target; conv_expect() sees each frame of ours once. */
static void
turn(struct conv *c, uint32_t question)
{
	c->b->now_us += 50 * BED_MS;
	conv_say(c, question);
	conv_expect(c, SC_TCP_ACK, question);
	conv_target_ack(c);
	c->b->now_us += 3 * BED_MS;
	conv_prod_ack(c);
	conv_answer(c, ANSWER);
	conv_ack(c);
	conv_target_answer(c, ANSWER);
	bed_run(c->b, 50 * BED_MS);
	conv_expect(c, SC_TCP_ACK, 0);
	bed_silent(c->b);
}

static void
check_twice(struct bed *b, uint32_t bytes)
{
	assert_int_equal(COUNT(b, BYTES_ACCEPTED), bytes);
	assert_int_equal(COUNT(b, BYTES_DELIVERED), bytes);
	assert_int_equal(COUNT(b, BYTES_SEEN), 2 * bytes);
	assert_int_equal(COUNT_BY(b, BYTES_DUPLICATE, DUP_MIRROR), bytes);
	assert_int_equal(COUNT(b, BYTES_MISSING), 0);
	assert_int_equal(COUNT(b, ILLEGAL_EVENT), 0);
	assert_int_equal(COUNT(b, FLOWS_SEEN), 1);
	assert_int_equal(COUNT(b, CONNS_OPENED), 1);
}

static void
whole(void **state)
{
	struct bed *b = bed_new_twice(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	for (int i = 0; i < TURNS; i++)
		turn(c, QUESTION + (uint32_t)i);
	b->now_us += 50 * BED_MS;
	conv_close(c);
	conv_prod_fin(c);
	conv_ack(c);
	check_twice(b, TURNS * QUESTION + 3);
	assert_int_equal(COUNT(b, FRAMES_DUPLICATE), 2 * TURNS);
	assert_int_equal(COUNT(b, TURNS_SEEN), TURNS);
	assert_int_equal(COUNT(b, TURNS_ANSWERED), TURNS);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, COMPLETE), 1);
	assert_int_equal(COUNT_BY(b, CONN_CLOSED, CLOSED_FIN), 1);
	bed_end(b);
}

/* Without timestamps and with small payloads; the last data brings the FIN. */
static void
plain_options(void **state)
{
	struct bed *b = bed_new_twice(*state, NULL);
	struct conv *c = bed_conv(b);

	c->opts = SC_OPT_MSS;
	conv_open(c);
	turn(c, 5);
	b->now_us += 50 * BED_MS;
	conv_frame(c, SC_HALF_CLIENT, SC_TCP_FIN | SC_TCP_ACK | SC_TCP_PSH, c->cnxt, c->pnxt, 9);
	conv_expect(c, SC_TCP_ACK, 9);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	bed_silent(b);
	conv_target_fin(c);
	conv_expect(c, SC_TCP_ACK, 0);
	check_twice(b, 14);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, COMPLETE), 1);
	bed_end(b);
}

static void
production_closes_first(void **state)
{
	struct bed *b = bed_new_twice(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	turn(c, QUESTION);
	conv_prod_fin(c);
	conv_target_fin(c);
	bed_silent(b);
	b->now_us += BED_MS;
	conv_ack(c);
	conv_fin(c);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	conv_target_ack(c);
	bed_silent(b);
	check_twice(b, QUESTION);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, COMPLETE), 1);
	bed_end(b);
}

static void
client_resets(void **state)
{
	struct bed *b = bed_new_twice(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	turn(c, QUESTION);
	b->now_us += BED_MS;
	conv_rst(c);
	conv_expect(c, SC_TCP_RST | SC_TCP_ACK, 0);
	bed_silent(b);
	check_twice(b, QUESTION);
	assert_int_equal(COUNT_BY(b, CONN_CLOSED, CLOSED_RST_SENT), 1);
	bed_end(b);
}

static void
on_syn(struct bed *b)
{
	b->cfg.open_on_syn = true;
}

static void
opened_on_syn(void **state)
{
	struct bed *b = bed_new_twice(*state, on_syn);
	struct conv *c = bed_conv(b);

	conv_syn(c);
	conv_take_syn(c);
	bed_silent(b);
	conv_synack(c);
	conv_ack(c);
	conv_target_synack(c);
	conv_expect(c, SC_TCP_ACK, 0);
	turn(c, QUESTION);
	check_twice(b, QUESTION);
	bed_end(b);
}

/* A scan's SYN and RST leave one refused flow behind, not two. */
static void
never_opened(void **state)
{
	struct bed *b = bed_new_twice(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_syn(c);
	conv_rst(c);
	bed_silent(b);
	assert_int_equal(COUNT(b, FLOWS_SEEN), 1);
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, NEVER_OPENED), 1);
	bed_end(b);
}

/* ---- another order ---- */

/* n client bytes that stand `ahead` bytes further in the stream. */
static void
say_at(struct conv *c, uint32_t ahead, uint32_t n)
{
	conv_frame(c, SC_HALF_CLIENT, SC_TCP_ACK | SC_TCP_PSH, c->cnxt + ahead, c->pnxt, n);
}

static void
reordered(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	say_at(c, 200, 100);
	say_at(c, 100, 100);
	bed_silent(b);
	b->now_us += 19 * BED_MS;
	say_at(c, 0, 100);
	conv_expect(c, SC_TCP_ACK, 100);
	conv_expect(c, SC_TCP_ACK, 100);
	conv_expect(c, SC_TCP_ACK, 100);
	assert_int_equal(COUNT(b, SEGMENTS_REORDERED), 2);
	assert_int_equal(COUNT(b, BYTES_MISSING), 0);
	bed_end(b);
}

/* What comes after 20 ms was lost on the client's way, and sent again: no fault of the mirror. */
static void
sent_again(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	say_at(c, 100, 100);
	b->now_us += 25 * BED_MS;
	say_at(c, 0, 100);
	conv_expect(c, SC_TCP_ACK, 100);
	conv_expect(c, SC_TCP_ACK, 100);
	assert_int_equal(COUNT(b, SEGMENTS_REORDERED), 0);
	bed_end(b);
}

/* A part of the bytes beyond the hole follows; what lies beyond a second hole is not counted yet. */
static void
two_holes(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	say_at(c, 100, 100);
	say_at(c, 300, 100);
	say_at(c, 0, 100);
	assert_int_equal(COUNT(b, SEGMENTS_REORDERED), 1);
	say_at(c, 200, 100);
	assert_int_equal(COUNT(b, SEGMENTS_REORDERED), 2);
	for (int i = 0; i < 4; i++)
		conv_expect(c, SC_TCP_ACK, 100);
	bed_end(b);
}

/* Frames that came by two queues of a file: a time before the one it follows is no time at all. */
static void
times_swapped(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	conv_say(c, 100);
	b->is_batched = true;
	conv_answer(c, ANSWER);
	conv_answer(c, ANSWER);
	b->batch[0].seg.cap_us -= BED_MS;
	b->batch[1].seg.cap_us -= 2 * BED_MS;
	bed_flush(b);
	assert_int_equal(b->e->t.flow[0].first, 1);
	assert_int_equal(b->e->t.flow[0].pause, 0);
	conv_ack(c);
	b->batch[0].seg.cap_us -= 3 * BED_MS;
	bed_flush(b);
	assert_int_equal(b->e->t.flow[0].rtt, 1);
	bed_end(b);
}

/* A client that thinks for an hour does so. */
static void
long_think(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 100);
	conv_answer(c, ANSWER);
	b->is_batched = true;
	conv_say(c, 100);
	b->batch[0].seg.cap_us += 3600 * BED_S;
	bed_flush(b);
	assert_int_equal(held_last(b->e, &b->e->t.flow[0])->think_us, 3600 * BED_S);
	bed_end(b);
}

/* ---- one direction only ---- */

static void
client_only(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b), *d = bed_conv(b);

	conv_syn(c);
	c->pnxt++;
	conv_ack(c);
	conv_take_syn(c);
	conv_target_synack(c);
	conv_expect(c, SC_TCP_ACK, 0);
	conv_close(c);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, COMPLETE), 1);
	assert_int_equal(COUNT(b, FLOWS_CLIENT_ONLY), 1);
	conv_open(d);
	conv_close(d);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, COMPLETE), 2);
	assert_int_equal(COUNT(b, FLOWS_CLIENT_ONLY), 1);
	bed_end(b);
}

/* The SYN-ACK overtakes the SYN: no connection without a client. */
static void
synack_first(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	c->cnxt = c->cisn + 1;
	conv_synack(c);
	conv_syn(c);
	conv_ack(c);
	conv_take_syn(c);
	conv_prod_ack(c);
	conv_answer(c, ANSWER);
	assert_int_equal(COUNT(b, FLOWS_PRODUCTION_ONLY), 1);
	assert_int_equal(COUNT(b, FLOWS_NO_SYNACK), 1);
	bed_end(b);
}

static void
production_only(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b), *d = bed_conv(b);

	conv_synack(c);
	conv_answer(c, 100);
	assert_int_equal(COUNT(b, FLOWS_PRODUCTION_ONLY), 1);
	conv_shake(d);
	conv_take_syn(d);
	conv_answer(d, ANSWER);
	assert_int_equal(COUNT(b, FLOWS_PRODUCTION_ONLY), 1);
	assert_int_equal(COUNT(b, FLOWS_NO_SYNACK), 0);
	bed_end(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			BOTH(whole),
			BOTH(plain_options),
			BOTH(production_closes_first),
			BOTH(client_resets),
			BOTH(opened_on_syn),
			BOTH(never_opened),
			BOTH(reordered),
			BOTH(sent_again),
			BOTH(two_holes),
			BOTH(times_swapped),
			BOTH(long_think),
			BOTH(client_only),
			BOTH(synack_first),
			BOTH(production_only),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
