/* SPDX-License-Identifier: BSD-3-Clause */
/* What the production half tells, and what it must not disturb. */
#include <engine.h>
#include <test_eal.h>

#include "bed.h"

static void
no_flow(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_synack(c);
	conv_answer(c, 100);
	assert_int_equal(COUNT_BY(b, FRAME_REFUSED, NO_FLOW), 2);
	bed_end(b);
}

/* Frames of refused flows count under their reason, those of ended ones as production's. */
static void
tombstones(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b), *d = bed_conv(b);
	uint64_t frames;

	conv_syn(c);
	conv_rst(c);
	conv_answer(c, 100);
	assert_int_equal(COUNT_BY(b, FRAME_REFUSED, NEVER_OPENED), 1);
	conv_open_said(d, 10);
	conv_close(d);
	frames = COUNT(b, FRAMES_PRODUCTION);
	conv_answer(d, 100);
	assert_int_equal(COUNT(b, FRAMES_PRODUCTION), frames + 1);
	bed_end(b);
}

/* Retransmissions and mirror duplicates are neither bytes nor pauses. */
static void
duplicates(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 10);
	conv_answer(c, 100);
	b->now_us += 300 * BED_MS;
	conv_frame(c, SC_HALF_PRODUCTION, SC_TCP_ACK, c->pnxt - 100, c->cnxt, 100);
	conv_frame(c, SC_HALF_PRODUCTION, SC_TCP_ACK, c->pnxt - 50, c->cnxt, 50);
	assert_int_equal(COUNT(b, FRAMES_DUPLICATE), 2);
	assert_int_equal(b->e->t.flow[0].pause, 0);
	bed_end(b);
}

/* Time to first byte, longest pause, latencies. */
static void
times(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	conv_say(c, 10);
	conv_expect(c, SC_TCP_ACK, 10);
	b->now_us += 70 * BED_MS;
	conv_answer(c, 100);
	b->now_us += 30 * BED_MS;
	conv_answer(c, 100);
	b->now_us += 10 * BED_MS;
	conv_answer(c, 100);
	assert_int_equal(b->e->t.flow[0].first, sc_us16(70 * BED_MS));
	assert_int_equal(b->e->t.flow[0].pause, sc_us16(30 * BED_MS));
	conv_target_answer(c, 300);
	conv_say(c, 10);
	assert_int_equal(sc_replay_hist_production(b->e)->count, 1);
	assert_int_equal(sc_replay_hist_production(b->e)->sum, sc_us16_us(sc_us16(70 * BED_MS)));
	assert_int_equal(sc_replay_hist_target(b->e)->count, 1);
	assert_int_equal(sc_replay_hist_target(b->e)->sum, 110 * BED_MS);
	bed_end(b);
}

/* Production's RST ends the flow: what is held is sent, then we close. */
static void
reset(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 10);
	conv_answer(c, 100);
	conv_say(c, 20);
	conv_frame(c, SC_HALF_PRODUCTION, SC_TCP_RST, c->pnxt, 0, 0);
	bed_silent(b);
	conv_target_answer(c, 100);
	conv_expect(c, SC_TCP_ACK, 20);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	conv_say(c, 5);
	assert_int_equal(COUNT_BY(b, BYTES_REFUSED, COMPLETE), 5);
	conv_target_fin(c);
	conv_expect(c, SC_TCP_ACK, 0);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, COMPLETE), 1);
	bed_end(b);
}

/* A RST that was captured ahead of client bytes which it acknowledges: they are late, not lost. */
static void
reset_ahead(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 10);
	conv_frame(c, SC_HALF_PRODUCTION, SC_TCP_RST | SC_TCP_ACK, c->pnxt, c->cnxt + 20, 0);
	bed_run(b, 15 * BED_MS);
	bed_silent(b);
	conv_say(c, 20);
	conv_expect(c, SC_TCP_ACK, 20);
	bed_run(b, 10 * BED_MS);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	conv_target_fin(c);
	conv_expect(c, SC_TCP_ACK, 0);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, COMPLETE), 1);
	assert_int_equal(COUNT(b, BYTES_DELIVERED), 30);
	bed_end(b);
}

/* They never come: missing, and the flow is not complete. */
static void
reset_beyond(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b), *d = bed_conv(b);

	conv_open_said(c, 10);
	conv_frame(c, SC_HALF_PRODUCTION, SC_TCP_RST | SC_TCP_ACK, c->pnxt, c->cnxt + 20, 0);
	bed_run(b, 25 * BED_MS);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	conv_target_fin(c);
	conv_expect(c, SC_TCP_ACK, 0);
	assert_int_equal(COUNT(b, BYTES_MISSING), 20);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, CAPTURE_GAP), 1);
	conv_open_said(d, 10); /* one number more may be a FIN that was lost */
	conv_frame(d, SC_HALF_PRODUCTION, SC_TCP_RST | SC_TCP_ACK, d->pnxt, d->cnxt + 1, 0);
	conv_expect(d, SC_TCP_FIN | SC_TCP_ACK, 0);
	conv_target_fin(d);
	conv_expect(d, SC_TCP_ACK, 0);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, COMPLETE), 1);
	bed_end(b);
}

/* The last SYN-ACK counts for the client's RTT. */
static void
synack_again(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_syn(c);
	conv_synack(c);
	b->now_us += BED_S;
	c->pnxt--;
	conv_synack(c);
	b->now_us += 25 * BED_MS;
	conv_ack(c);
	assert_int_equal(b->e->t.flow[0].rtt, sc_us16(25 * BED_MS));
	bed_end(b);
}

/* The client's RTT falls to the shortest data-to-ACK time seen. */
static void
running_rtt(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 10);
	assert_int_equal(b->e->t.flow[0].rtt, sc_us16(10 * BED_MS));
	conv_answer(c, 100);
	b->now_us += 4 * BED_MS;
	conv_ack(c);
	assert_int_equal(b->e->t.flow[0].rtt, sc_us16(4 * BED_MS));
	conv_answer(c, 100);
	b->now_us += 8 * BED_MS;
	conv_ack(c);
	assert_int_equal(b->e->t.flow[0].rtt, sc_us16(4 * BED_MS));
	bed_end(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			BOTH(no_flow),
			BOTH(tombstones),
			BOTH(duplicates),
			BOTH(times),
			BOTH(reset),
			BOTH(reset_ahead),
			BOTH(reset_beyond),
			BOTH(synack_again),
			BOTH(running_rtt),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
