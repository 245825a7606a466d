/* SPDX-License-Identifier: BSD-3-Clause */
/* How connections end, and when a session gets another one. */
#include <test_eal.h>

#include "bed.h"

/* A turn: request of n bytes, answered in full by both sides. */
static void
turn(struct conv *c, uint32_t n)
{
	conv_say(c, n);
	conv_expect(c, SC_TCP_ACK, n);
	conv_answer(c, 100);
	conv_target_answer(c, 100);
}

/* The target closes first; the client's FIN follows, and acknowledges the target's. */
static void
target_first(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 10);
	conv_target_fin(c);
	bed_silent(b);
	conv_prod_fin(c);
	conv_fin(c);
	assert_int_equal(conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0)->seg.ack, c->tnxt);
	assert_int_equal(COUNT(b, FLOWS_LIVE_NOW), 1);
	conv_target_ack(c);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, COMPLETE), 1);
	bed_silent(b);
	bed_end(b);
}

/* It does not follow for long: the target's FIN is acknowledged as data is. */
static void
target_first_waits(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 10);
	conv_target_fin(c);
	bed_run(b, 38 * BED_MS);
	bed_silent(b);
	bed_run(b, 4 * BED_MS);
	assert_int_equal(conv_expect(c, SC_TCP_ACK, 0)->seg.ack, c->tnxt);
	bed_silent(b);
	bed_end(b);
}

/* Both at once: CLOSING. */
static void
simultaneous(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 10);
	conv_fin(c);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	c->tack--;
	conv_target_fin(c);
	c->tack++;
	conv_expect(c, SC_TCP_ACK, 0);
	assert_int_equal(COUNT(b, FLOWS_LIVE_NOW), 1);
	conv_target_ack(c);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, COMPLETE), 1);
	bed_end(b);
}

/* The target goes on answering behind our FIN: counted, acknowledged. */
static void
answer_after_half_close(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 10);
	conv_fin(c);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	conv_target_answer(c, 1000);
	conv_target_answer(c, 1000);
	conv_expect(c, SC_TCP_ACK, 0);
	bed_run(b, 29 * BED_S);
	conv_target_answer(c, 1000);
	bed_run(b, 29 * BED_S); /* each packet is a sign of life */
	conv_expect(c, SC_TCP_ACK, 0);
	assert_int_equal(COUNT(b, FLOWS_LIVE_NOW), 1);
	conv_target_fin(c);
	conv_expect(c, SC_TCP_ACK, 0);
	assert_int_equal(COUNT(b, ANSWER_SPAN), 3000);
	bed_end(b);
}

/* A target that never closes its half is left after 30 s. */
static void
target_lingers(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 10);
	conv_fin(c);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	conv_target_ack(c);
	bed_run(b, 29 * BED_S);
	assert_int_equal(COUNT(b, FLOWS_LIVE_NOW), 1);
	bed_run(b, 2 * BED_S);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, COMPLETE), 1);
	bed_end(b);
}

/* The client's RST leaves at the same point of the answer, behind all of its data. */
static void
client_reset(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	conv_say(c, 10);
	conv_expect(c, SC_TCP_ACK, 10);
	conv_answer(c, 500);
	conv_rst(c);
	conv_target_answer(c, 499);
	bed_silent(b);
	conv_target_answer(c, 1);
	conv_expect(c, SC_TCP_RST | SC_TCP_ACK, 0);
	bed_silent(b);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, COMPLETE), 1);
	assert_int_equal(COUNT_BY(b, CONN_CLOSED, CLOSED_RST_SENT), 1);
	bed_end(b);
}

static void
client_reset_waits_for_ack(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	conv_say(c, 10);
	conv_expect(c, SC_TCP_ACK, 10);
	conv_rst(c);
	bed_silent(b);
	conv_target_ack(c);
	conv_expect(c, SC_TCP_RST | SC_TCP_ACK, 0);
	bed_end(b);
}

/* The target's FIN: the next turn opens another connection, and its answers count from there. */
static void
reopened(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	turn(c, 10);
	conv_target_fin(c);
	conv_say(c, 20);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	assert_true(sc_seq_geq(conv_take_syn(c)->seg.seq, c->cnxt - 21));
	bed_silent(b);
	conv_target_synack(c);
	conv_expect(c, SC_TCP_ACK, 20);
	conv_answer(c, 300);
	conv_say(c, 30);
	bed_silent(b);
	conv_target_answer(c, 300);
	conv_expect(c, SC_TCP_ACK, 30);
	assert_int_equal(COUNT(b, CONNS_REOPENED), 1);
	assert_int_equal(COUNT_BY(b, CONN_CLOSED, CLOSED_REOPENED), 1);
	conv_target_ack(c);
	conv_close(c);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, COMPLETE), 1);
	assert_int_equal(COUNT(b, BYTES_DELIVERED), 60);
	bed_end(b);
}

/* The target closed in the middle of its answers: the report must say that something is missing. */
static void
reopened_unanswered(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	conv_say(c, 10);
	conv_expect(c, SC_TCP_ACK, 10);
	conv_answer(c, 100);
	conv_target_answer(c, 40);
	conv_target_fin(c);
	conv_say(c, 20);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	conv_take_syn(c);
	assert_int_equal(COUNT(b, GATE_SHORTER), 1);
	assert_int_equal(COUNT(b, GATE_EXACT), 0);
	conv_target_synack(c);
	conv_expect(c, SC_TCP_ACK, 20);
	bed_end(b);
}

/* The target is being started anew: the SYN that reopens is tried again, for 7.75 s. */
static void
reopened_refused(void **state)
{
	for (int refusals = 1; refusals <= 6; refusals++) {
		struct bed *b = bed_new(*state, NULL);
		struct conv *c = bed_conv(b);

		conv_open(c);
		turn(c, 10);
		conv_target_rst(c);
		conv_say(c, 20);
		for (int i = 0; i < refusals; i++) {
			conv_take_syn(c);
			conv_record(c, SC_TCP_RST | SC_TCP_ACK, 0, c->tack, 0);
			bed_silent(b);
			bed_run(b, (249 * BED_MS) << i);
			bed_silent(b);
			bed_run(b, (2 * BED_MS) << i);
		}
		assert_int_equal(COUNT(b, SYN_REFUSED), SC_MIN(refusals, 5));
		if (refusals == 6) {
			bed_silent(b);
			assert_int_equal(COUNT_BY(b, FLOW_ENDED, TARGET_REFUSED), 1);
			assert_int_equal(COUNT_BY(b, BYTES_ABANDONED, TARGET_REFUSED), 20);
		} else {
			conv_take_syn(c);
			conv_target_synack(c);
			conv_expect(c, SC_TCP_ACK, 20);
		}
		bed_end(b);
	}
}

/* The new connection has another tuple: the old one's TIME-WAIT is not met. */
static void
reopened_elsewhere(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);
	uint16_t port;

	c->opts = SC_OPT_MSS;
	conv_open(c);
	turn(c, 10);
	port = c->rport;
	conv_target_fin(c);
	conv_say(c, 20);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	conv_take_syn(c);
	assert_int_not_equal(c->rport, port);
	c->shift = c->tack - (c->cnxt - 20);
	conv_target_synack(c);
	conv_expect(c, SC_TCP_ACK, 20);
	bed_end(b);
}

/* A request that the target's FIN crossed is finished first; the turn behind it reopens. */
static void
fin_before_our_bytes(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	conv_say(c, 10);
	conv_expect(c, SC_TCP_ACK, 10);
	conv_answer(c, 100);
	conv_say(c, 20);
	c->tack -= 10;
	c->tnxt += 101;
	/* the answer and FIN without an ACK of the request */
	conv_record(c, SC_TCP_FIN | SC_TCP_ACK, c->tnxt - 101, c->tack, 100);
	c->tack += 10;
	bed_silent(b);
	conv_target_ack(c);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	conv_take_syn(c);
	conv_target_synack(c);
	conv_expect(c, SC_TCP_ACK, 20);
	bed_end(b);
}

/* Three connections in a row that the target closes unanswered are enough. */
static void
reopen_limit(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	turn(c, 10);
	for (int i = 0; i < 3; i++) {
		conv_target_fin(c);
		conv_say(c, 20);
		conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
		conv_take_syn(c);
		conv_target_synack(c);
		conv_expect(c, SC_TCP_ACK, 20);
		conv_target_ack(c);
		conv_answer(c, 100);
	}
	conv_target_fin(c);
	conv_say(c, 20);
	/* the target must not keep half a connection */
	conv_expect(c, SC_TCP_RST | SC_TCP_ACK, 0);
	bed_silent(b);
	assert_int_equal(COUNT(b, CONNS_REOPENED), 3);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, TARGET_CLOSED), 1);
	assert_int_equal(COUNT_BY(b, BYTES_ABANDONED, TARGET_CLOSED), 20);
	bed_end(b);
}

/* A reset in the middle of a request: its rest is skipped by name, the next turn reopens. */
static void
reset_in_request(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	conv_say(c, 10);
	conv_expect(c, SC_TCP_ACK, 10);
	c->twnd = 0;
	conv_record(c, SC_TCP_ACK, c->tnxt, c->tack - 4, 0);
	conv_say(c, 15); /* does not go */
	bed_silent(b);
	conv_record(c, SC_TCP_RST | SC_TCP_ACK, c->tnxt, c->tack - 4, 0);
	assert_int_equal(COUNT(b, BYTES_UNCONFIRMED), 4);
	assert_int_equal(COUNT_BY(b, BYTES_SKIPPED, TARGET_RESET), 15);
	conv_say(c, 16); /* still the broken request */
	bed_silent(b);
	assert_int_equal(COUNT_BY(b, BYTES_SKIPPED, TARGET_RESET), 31);
	conv_answer(c, 100);
	conv_say(c, 20);
	conv_take_syn(c);
	conv_target_synack(c);
	c->twnd = 512;
	conv_expect(c, SC_TCP_ACK, 20);
	conv_target_ack(c);
	conv_close(c);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, TARGET_RESET), 1);
	bed_end(b);
}

/* A reset with everything delivered and nothing to follow but the client's FIN. */
static void
reset_then_fin(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	turn(c, 10);
	conv_target_rst(c);
	assert_int_equal(COUNT(b, FLOWS_LIVE_NOW), 1);
	conv_fin(c);
	bed_silent(b);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, TARGET_RESET), 1);
	assert_int_equal(COUNT(b, BYTES_DELIVERED), 10);
	bed_end(b);
}

/* A reset that answers our FIN is a close. */
static void
reset_of_fin(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 10);
	conv_fin(c);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	conv_target_rst(c);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, COMPLETE), 1);
	assert_int_equal(COUNT_BY(b, CONN_CLOSED, CLOSED_RST_RECEIVED), 1);
	bed_end(b);
}

static void
reset_of_data_and_fin(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	conv_say(c, 10);
	conv_fin(c);
	bed_forget(b);
	conv_target_rst(c);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, TARGET_RESET), 1);
	assert_int_equal(COUNT(b, BYTES_UNCONFIRMED), 10);
	bed_end(b);
}

static void
tune_short(struct bed *b)
{
	b->cfg.session_timeout_s = 60;
}

static void
idle_timeout(void **state)
{
	struct bed *b = bed_new(*state, tune_short);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 10);
	bed_run(b, 59 * BED_S);
	assert_int_equal(COUNT(b, FLOWS_LIVE_NOW), 1);
	bed_run(b, 5 * BED_S);
	conv_expect(c, SC_TCP_RST | SC_TCP_ACK, 0);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, IDLE_TIMEOUT), 1);
	bed_end(b);
}

static void
from_file(struct bed *b)
{
	tune_short(b);
	b->cfg.is_file = true;
}

/* From a file, frames wait with their source: idle is a flow that the capture shows no more. */
static void
idle_file(void **state)
{
	struct bed *b = bed_new(*state, from_file);
	struct conv *c = bed_conv(b), *d = bed_conv(b);

	b->cap_us = b->now_us;
	conv_open_said(c, 10);
	bed_run(b, 130 * BED_S);
	bed_silent(b);
	b->cap_us += 61 * BED_S;
	conv_syn(d);
	bed_run(b, 2 * BED_S);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, IDLE_TIMEOUT), 1);
	bed_forget(b);
	bed_end(b);
}

/* The capture ends: what is open is closed in order, what waits is sent first. */
static void
drained(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b), *d = bed_conv(b), *f = bed_conv(b), *g = bed_conv(b);

	conv_open_said(c, 10);
	conv_open(d);
	d->cnxt += 10;
	conv_say(d, 10); /* beyond a hole */
	conv_syn(f);
	conv_say(g, 10); /* mid-stream */
	sc_replay_drain(b->e, b->now_us);
	bed_run(b, 10 * BED_MS);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	conv_expect(d, SC_TCP_FIN | SC_TCP_ACK, 0);
	conv_target_fin(c);
	conv_expect(c, SC_TCP_ACK, 0);
	conv_target_fin(d);
	conv_expect(d, SC_TCP_ACK, 0);
	assert_true(sc_replay_is_idle(b->e));
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, COMPLETE_OPEN), 1);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, CAPTURE_GAP), 1);
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, NEVER_OPENED), 1);
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, NO_BOUNDARY), 1);
	bed_end(b);
}

static void
stopped(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b), *d = bed_conv(b);

	conv_open(c);
	conv_say(c, 10);
	conv_expect(c, SC_TCP_ACK, 10);
	conv_shake(d);
	conv_take_syn(d);
	conv_say(d, 20);
	sc_replay_stop(b->e, b->now_us);
	bed_collect(b);
	conv_expect(c, SC_TCP_RST | SC_TCP_ACK, 0);
	bed_silent(b);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, STOPPED), 2);
	assert_int_equal(COUNT_BY(b, BYTES_ABANDONED, STOPPED), 20);
	assert_int_equal(COUNT(b, BYTES_UNCONFIRMED), 10);
	bed_end(b);
}

static void
tune_copies(struct bed *b)
{
	b->cfg.copies = 3;
}

/* A flow ends as its session 0 does, whenever the others end. */
static void
outcome_of_copies(void **state)
{
	struct bed *b = bed_new(*state, tune_copies);
	struct conv *c = bed_conv(b), d, f;

	conv_shake(c);
	conv_say(c, 10);
	f = d = *c;
	conv_take_syn(c);
	conv_take_syn(&d);
	conv_take_syn(&f);
	conv_target_synack(c);
	conv_expect(c, SC_TCP_ACK, 10);
	conv_record(&d, SC_TCP_RST | SC_TCP_ACK, 0, d.tack, 0);
	conv_target_ack(c);
	conv_close(c);
	conv_record(&f, SC_TCP_RST | SC_TCP_ACK, 0, f.tack, 0);
	assert_int_equal(COUNT_BY(b, SESSION_ENDED, TARGET_REFUSED), 2);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, COMPLETE), 1);
	assert_int_equal(COUNT_BY(b, BYTES_ABANDONED, TARGET_REFUSED), 20);
	bed_end(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			BOTH(target_first),
			BOTH(target_first_waits),
			BOTH(simultaneous),
			BOTH(answer_after_half_close),
			BOTH(target_lingers),
			BOTH(client_reset),
			BOTH(client_reset_waits_for_ack),
			BOTH(reopened),
			BOTH(reopened_unanswered),
			BOTH(reopened_refused),
			BOTH(reopened_elsewhere),
			BOTH(fin_before_our_bytes),
			BOTH(reopen_limit),
			BOTH(reset_in_request),
			BOTH(reset_then_fin),
			BOTH(reset_of_fin),
			BOTH(reset_of_data_and_fin),
			BOTH(idle_timeout),
			BOTH(idle_file),
			BOTH(drained),
			BOTH(stopped),
			BOTH(outcome_of_copies),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
