/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes the mirror lost: when they are declared so, and where the replay may go on. */
#include <engine.h>
#include <test_eal.h>

#include "bed.h"

static void
tune_copies(struct bed *b)
{
	b->cfg.copies = 2;
}

/* The client sends n bytes that the mirror does not show. */
static void
lose(struct conv *c, uint32_t n)
{
	c->cnxt += n;
}

/* Reordering is no hole: within 20 ms the missing bytes may come. */
static void
late_segment(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	lose(c, 100);
	conv_say(c, 50);
	conv_answer(c, 10); /* production has it all */
	bed_run(b, 15 * BED_MS);
	bed_silent(b);
	conv_frame(c, SC_HALF_CLIENT, SC_TCP_ACK, c->cnxt - 150, c->pnxt - 10, 100);
	conv_expect(c, SC_TCP_ACK, 100);
	conv_expect(c, SC_TCP_ACK, 50);
	assert_int_equal(COUNT(b, BYTES_MISSING), 0);
	bed_run(b, 30 * BED_S);
	assert_int_equal(COUNT(b, BYTES_MISSING), 0);
	bed_end(b);
}

/* A hole behind another one has its own 20 ms. */
static void
second_hole_later(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	lose(c, 100);
	conv_say(c, 50);
	bed_run(b, 15 * BED_MS);
	lose(c, 70);
	conv_answer(c, 10); /* production has all of it: the next segment is a boundary */
	conv_say(c, 60);
	conv_frame(c, SC_HALF_CLIENT, SC_TCP_ACK, c->cnxt - 280, c->pnxt - 10, 100);
	conv_expect(c, SC_TCP_ACK, 100);
	conv_expect(c, SC_TCP_ACK, 50);
	bed_run(b, 15 * BED_MS);
	bed_silent(b);
	conv_frame(c, SC_HALF_CLIENT, SC_TCP_ACK, c->cnxt - 130, c->pnxt - 10, 70);
	conv_expect(c, SC_TCP_ACK, 70);
	assert_int_equal(COUNT(b, BYTES_MISSING), 0);
	bed_end(b);
}

/* As long as production has not acknowledged them, missing bytes are on their way. */
static void
not_acknowledged(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	lose(c, 100);
	conv_say(c, 50);
	bed_run(b, 9 * BED_S);
	assert_int_equal(COUNT(b, BYTES_MISSING), 0);
	conv_frame(c, SC_HALF_CLIENT, SC_TCP_ACK, c->cnxt - 150, c->pnxt, 100);
	conv_expect(c, SC_TCP_ACK, 100);
	conv_expect(c, SC_TCP_ACK, 50);
	bed_end(b);
}

/*
 * The session goes on at a proven boundary: the rest of the broken request is skipped, the sequence
 * offset closes the gap, and the target never sees it.
 */
static void
resumed(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 40);
	conv_answer(c, 10);
	conv_target_answer(c, 10);
	bed_run(b, 50 * BED_MS);
	conv_expect(c, SC_TCP_ACK, 0);
	lose(c, 100);
	conv_say(c, 50);
	conv_answer(c, 300);
	conv_say(c, 70);
	bed_silent(b);
	/* the answer to what is missing is not waited for */
	bed_run(b, 30 * BED_MS);
	assert_int_equal(COUNT(b, BYTES_MISSING), 100);
	assert_int_equal(COUNT_BY(b, BYTES_SKIPPED, CAPTURE_GAP), 50);
	c->shift = 0u - 150;
	conv_expect(c, SC_TCP_ACK, 70);
	conv_target_ack(c);
	conv_target_answer(c, 20);
	bed_run(b, 50 * BED_MS);
	conv_expect(c, SC_TCP_ACK, 0);
	conv_close(c);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, CAPTURE_GAP), 1);
	assert_int_equal(COUNT(b, BYTES_DELIVERED), 110);
	bed_end(b);
}

/*
 * The hole cuts off the end of a message whose begin was sent: the boundary behind it must not reach
 * the target as that end. The connection dies with the message, another one goes on.
 */
static void
torn(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 40);
	lose(c, 100);
	conv_say(c, 50);
	conv_answer(c, 300);
	conv_say(c, 70);
	bed_silent(b);
	bed_run(b, 30 * BED_MS);
	assert_int_equal(COUNT(b, BYTES_MISSING), 100);
	assert_int_equal(COUNT_BY(b, BYTES_SKIPPED, CAPTURE_GAP), 50);
	bed_silent(b); /* the target may still answer what it was asked before */
	bed_run(b, 190 * BED_MS);
	conv_expect(c, SC_TCP_RST | SC_TCP_ACK, 0);
	conv_take_syn(c);
	bed_silent(b);
	conv_target_synack(c);
	c->shift = 0u - 150;
	conv_expect(c, SC_TCP_ACK, 70);
	conv_target_ack(c);
	conv_answer(c, 30);
	conv_say(c, 20);
	bed_silent(b);
	conv_target_answer(c, 30);
	conv_expect(c, SC_TCP_ACK, 20);
	conv_target_ack(c);
	conv_close(c);
	assert_int_equal(COUNT_BY(b, CONN_CLOSED, CLOSED_REOPENED), 1);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, CAPTURE_GAP), 1);
	assert_int_equal(COUNT(b, BYTES_DELIVERED), 130);
	bed_end(b);
}

static void
resumed_with_copies(void **state)
{
	struct bed *b = bed_new(*state, tune_copies);
	struct conv *c = bed_conv(b), d;

	conv_shake(c);
	d = *c;
	conv_take_syn(c);
	conv_take_syn(&d);
	conv_target_synack(c);
	conv_target_synack(&d);
	bed_forget(b);
	lose(c, 100);
	conv_say(c, 50);
	conv_answer(c, 300);
	conv_say(c, 70);
	conv_target_answer(c, 300);
	bed_run(b, 50 * BED_MS);
	assert_int_equal(COUNT(b, BYTES_MISSING), 100);
	assert_int_equal(COUNT_BY(b, BYTES_SKIPPED, CAPTURE_GAP), 100);
	conv_target_answer(&d, 300);
	bed_run(b, BED_S);
	assert_int_equal(COUNT(b, BYTES_IN_FLIGHT_NOW), 140);
	bed_end(b);
}

/* No boundary within 10 s: what lies beyond the hole is skipped, and the flow ends. */
static void
no_boundary(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 40);
	lose(c, 100);
	conv_say(c, 50);
	conv_prod_ack(c);
	bed_run(b, 9900 * BED_MS);
	bed_silent(b);
	bed_run(b, 200 * BED_MS);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	conv_target_fin(c);
	conv_expect(c, SC_TCP_ACK, 0);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, CAPTURE_GAP), 1);
	assert_int_equal(COUNT_BY(b, BYTES_SKIPPED, CAPTURE_GAP), 50);
	assert_int_equal(COUNT(b, BYTES_MISSING), 100);
	bed_end(b);
}

/* "The ACK rose" is no boundary: production was still sending when the segment left. */
static void
answer_in_flight(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 40);
	lose(c, 100);
	conv_answer(c, 300);
	conv_frame(c, SC_HALF_CLIENT, SC_TCP_ACK, c->cnxt, c->pnxt - 100, 50);
	bed_run(b, 11 * BED_S);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	bed_end(b);
}

/* A conversation of which the mirror shows the client half only. */
static struct conv *
client_only(struct bed *b)
{
	struct conv *c = bed_conv(b);

	conv_syn(c);
	c->pnxt++;
	conv_ack(c);
	conv_take_syn(c);
	conv_target_synack(c);
	conv_expect(c, SC_TCP_ACK, 0);
	return c;
}

static void
client_only_time(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = client_only(b);

	lose(c, 100);
	conv_say(c, 50);
	bed_run(b, 2950 * BED_MS);
	bed_silent(b);
	bed_run(b, 100 * BED_MS);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	assert_int_equal(COUNT(b, BYTES_MISSING), 100);
	bed_end(b);
}

static void
client_only_bytes(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = client_only(b);

	lose(c, 100);
	for (int i = 0; i < 3; i++)
		conv_say(c, 20000);
	bed_run(b, 100 * BED_MS);
	bed_silent(b);
	conv_say(c, 5536);
	bed_run(b, 10 * BED_MS);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	bed_end(b);
}

/* A later segment acknowledges an answer: production had what we miss. */
static void
client_only_turn(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = client_only(b);

	lose(c, 100);
	conv_say(c, 50);
	bed_run(b, 100 * BED_MS);
	bed_silent(b);
	c->pnxt += 500;
	conv_say(c, 50);
	bed_run(b, 10 * BED_MS);
	assert_int_equal(COUNT(b, BYTES_MISSING), 100);
	assert_int_equal(COUNT_BY(b, BYTES_SKIPPED, CAPTURE_GAP), 100);
	bed_run(b, 5 * BED_S); /* the target owes that answer, and nothing asked for it */
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	bed_end(b);
}

/* The end of the connection decides about an open hole at once. */
static void
reset_with_hole(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b), *d = bed_conv(b);

	conv_open(c);
	lose(c, 100);
	conv_say(c, 50);
	conv_rst(c);
	bed_run(b, 15 * BED_MS); /* the bytes may just be late */
	bed_silent(b);
	bed_run(b, 15 * BED_MS);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	conv_open(d);
	lose(d, 100);
	conv_say(d, 50);
	conv_frame(d, SC_HALF_PRODUCTION, SC_TCP_RST, d->pnxt, 0, 0);
	bed_run(b, 15 * BED_MS);
	bed_silent(b);
	bed_run(b, 15 * BED_MS);
	conv_expect(d, SC_TCP_FIN | SC_TCP_ACK, 0);
	assert_int_equal(COUNT(b, BYTES_MISSING), 200);
	assert_int_equal(COUNT_BY(b, BYTES_SKIPPED, CAPTURE_GAP), 100);
	bed_end(b);
}

/* A bare ACK of production inside a request, with its SYN-ACK lost, proves no boundary. */
static void
no_boundary_in_request(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_syn(c);
	conv_ack(c);
	conv_take_syn(c);
	conv_target_synack(c);
	conv_expect(c, SC_TCP_ACK, 0);
	lose(c, 100);
	conv_say(c, 100);
	conv_frame(c, SC_HALF_PRODUCTION, SC_TCP_ACK, c->pnxt, c->cnxt, 0);
	conv_say(c, 28);
	conv_answer(c, 50);
	bed_run(b, 100 * BED_MS);
	bed_silent(b);
	bed_run(b, 11 * BED_S);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	assert_int_equal(COUNT_BY(b, BYTES_SKIPPED, CAPTURE_GAP), 128);
	bed_end(b);
}

/* A lost FIN's worth: bytes before a FIN are missing, so the FIN is ours. */
static void
fin_behind_hole(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	lose(c, 100);
	conv_fin(c);
	conv_prod_ack(c);
	bed_run(b, 30 * BED_MS);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	conv_target_fin(c);
	conv_expect(c, SC_TCP_ACK, 0);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, CAPTURE_GAP), 1);
	bed_end(b);
}

/*
 * The end of a request is lost, and the client's FIN is not: production acknowledged all of it, so
 * nothing will come any more, and a target that has half a request will not answer.
 */
static void
fin_behind_torn(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 100);
	lose(c, 50);
	conv_answer(c, 300);
	conv_ack(c);
	conv_fin(c);
	conv_prod_ack(c);
	bed_run(b, 30 * BED_MS);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	conv_target_fin(c);
	conv_expect(c, SC_TCP_ACK, 0);
	assert_int_equal(COUNT(b, BYTES_MISSING), 50);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, CAPTURE_GAP), 1);
	bed_end(b);
}

/* Where only the client is mirrored, nobody knows which answer was to what: the target's silence tells. */
static void
fin_behind_torn_client_only(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_syn(c);
	conv_ack(c);
	conv_take_syn(c);
	conv_target_synack(c);
	conv_expect(c, SC_TCP_ACK, 0);
	conv_say(c, 100);
	conv_expect(c, SC_TCP_ACK, 100);
	conv_target_ack(c);
	lose(c, 50);
	c->pnxt += 300;
	conv_ack(c);
	conv_fin(c);
	bed_run(b, 190 * BED_MS);
	bed_silent(b);
	bed_run(b, 30 * BED_MS);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	bed_end(b);
}

/* The last bytes are lost, and production acknowledged them: the flow is not whole, however it ends. */
static void
lost_at_the_end(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b), *d = bed_conv(b);

	conv_open_said(c, 10);
	conv_open_said(d, 10);
	lose(c, 20);
	conv_prod_ack(c);
	lose(d, 1); /* may be a FIN */
	conv_prod_ack(d);
	sc_replay_drain(b->e, b->now_us);
	bed_run(b, 300 * BED_MS);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	conv_target_fin(c);
	bed_forget(b);
	assert_int_equal(COUNT(b, BYTES_MISSING), 20);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, CAPTURE_GAP), 1);
	bed_end(b);
	b = bed_new(*state, NULL);
	c = bed_conv(b);
	conv_open_said(c, 10);
	lose(c, 20);
	conv_prod_ack(c);
	c->cisn += 100000; /* another connection on the tuple */
	conv_syn(c);
	assert_int_equal(COUNT(b, BYTES_MISSING), 20);
	bed_forget(b);
	bed_end(b);
}

/* A request is lost, and the client acknowledges its answer before it says more: that is not waited for. */
static void
answer_acknowledged(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 40);
	conv_answer(c, 10);
	conv_target_answer(c, 10);
	bed_run(b, 50 * BED_MS);
	conv_expect(c, SC_TCP_ACK, 0);
	lose(c, 100);
	conv_prod_ack(c);
	conv_answer(c, 300);
	conv_ack(c);
	conv_say(c, 70);
	bed_run(b, 30 * BED_MS);
	c->shift = 0u - 100;
	conv_expect(c, SC_TCP_ACK, 70);
	assert_int_equal(COUNT(b, BYTES_MISSING), 100);
	bed_end(b);
}

/* Holes in two flows at once, one closes by itself: the list of watched flows stays right. */
static void
several_holes(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c[3];

	for (int i = 0; i < 3; i++) {
		c[i] = bed_conv(b);
		conv_open(c[i]);
		lose(c[i], 10);
		conv_say(c[i], 5);
		conv_prod_ack(c[i]);
	}
	conv_frame(c[1], SC_HALF_CLIENT, SC_TCP_ACK, c[1]->cnxt - 15, c[1]->pnxt, 10);
	conv_expect(c[1], SC_TCP_ACK, 10);
	conv_expect(c[1], SC_TCP_ACK, 5);
	conv_target_ack(c[1]);
	bed_run(b, 11 * BED_S);
	conv_expect(c[0], SC_TCP_FIN | SC_TCP_ACK, 0);
	bed_forget(b);
	assert_int_equal(COUNT(b, BYTES_MISSING), 20);
	lose(c[1], 10);
	conv_say(c[1], 5);
	conv_prod_ack(c[1]);
	bed_run(b, 11 * BED_S);
	assert_int_equal(COUNT(b, BYTES_MISSING), 30);
	bed_end(b);
}

static void
tune_two(struct bed *b)
{
	b->cfg.max_flows = 2;
}

/*
 * Flows with holes come and go faster than the list of holes is walked. It has room for each flow
 * there can be, so the next hole is watched, too, and does not wait for ever.
 */
static void
many_come_and_go(void **state)
{
	struct bed *b = bed_new(*state, tune_two);
	struct conv *first = bed_conv(b), *c;

	conv_open(first);
	for (unsigned int i = 0; i < 6; i++) {
		c = bed_conv(b);
		conv_shake(c);
		conv_take_syn(c);
		lose(c, 100);
		conv_say(c, 50);
		conv_target_rst(c);
		assert_int_equal(COUNT_BY(b, FLOW_ENDED, TARGET_REFUSED), i + 1);
	}
	lose(first, 100);
	conv_say(first, 50);
	conv_answer(first, 10);
	bed_run(b, 11 * BED_S);
	bed_forget(b);
	assert_int_equal(COUNT(b, BYTES_OOO_NOW), 0);
	assert_int_equal(COUNT(b, BYTES_MISSING), 100);
	bed_end(b);
}

/* The engine has closed the connection by itself, and the target follows. */
static void
close_ours(struct conv *c)
{
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	conv_target_fin(c);
	conv_expect(c, SC_TCP_ACK, 0);
}

/* As many flows have a hole as may: the next one ends by name instead of waiting for ever. */
static void
too_many_holes(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c[3];

	b->e->t.max_holes = 2;
	for (int i = 0; i < 3; i++) {
		c[i] = bed_conv(b);
		conv_open_said(c[i], 100);
		lose(c[i], 50);
		conv_say(c[i], 100);
	}
	assert_int_equal(b->e->t.nb_holes, 2);
	assert_int_equal(COUNT_BY(b, BYTES_REFUSED, HELD_FULL), 100);
	close_ours(c[2]);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, NO_MEMORY), 1);
	bed_run(b, 11 * BED_S);
	bed_forget(b);
	for (int i = 0; i < 2; i++) {
		c[i]->tack++; /* our FIN */
		conv_target_fin(c[i]);
		bed_forget(b);
	}
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, CAPTURE_GAP), 2);
	assert_int_equal(b->e->t.nb_holes, 0);
	bed_end(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			BOTH(late_segment),
			BOTH(second_hole_later),
			BOTH(not_acknowledged),
			BOTH(resumed),
			BOTH(torn),
			BOTH(resumed_with_copies),
			BOTH(no_boundary),
			BOTH(answer_in_flight),
			BOTH(client_only_time),
			BOTH(client_only_bytes),
			BOTH(client_only_turn),
			BOTH(reset_with_hole),
			BOTH(no_boundary_in_request),
			BOTH(fin_behind_hole),
			BOTH(fin_behind_torn),
			BOTH(fin_behind_torn_client_only),
			BOTH(lost_at_the_end),
			BOTH(answer_acknowledged),
			BOTH(several_holes),
			BOTH(too_many_holes),
			BOTH(many_come_and_go),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
