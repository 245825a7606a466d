/* SPDX-License-Identifier: BSD-3-Clause */
/* What the frames of the client half mean for their flow. */
#include <test_eal.h>

#include "bed.h"

/* From the first SYN to both FINs: nothing but what the client said, and every counter at rest. */
static void
whole_life(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 300);
	conv_answer(c, 5000);
	conv_ack(c);
	bed_silent(b); /* pure ACKs are information */
	conv_target_answer(c, 5000);
	bed_run(b, 50 * BED_MS);
	conv_expect(c, SC_TCP_ACK, 0);
	conv_prod_fin(c);
	conv_close(c);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, COMPLETE), 1);
	assert_int_equal(COUNT_BY(b, CONN_CLOSED, CLOSED_FIN), 1);
	assert_int_equal(COUNT(b, BYTES_DELIVERED), 300);
	assert_int_equal(COUNT(b, ANSWER_NEW), 5000);
	assert_true(sc_ledger_fidelity(&b->st) == 1.0);
	assert_true(sc_replay_is_idle(b->e));
	bed_end(b);
}

static void
syn_sent_again(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_syn(c);
	b->now_us += BED_S;
	conv_syn(c);
	bed_silent(b);
	conv_synack(c);
	conv_ack(c);
	conv_take_syn(c);
	bed_silent(b);
	assert_int_equal(COUNT(b, FLOWS_SEEN), 1);
	bed_end(b);
}

/* A SYN alone is not replayed: refused after 10 s. */
static void
embryonic_timeout(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_syn(c);
	conv_synack(c);
	bed_run(b, 9 * BED_S);
	assert_int_equal(COUNT(b, FLOWS_EMBRYONIC_NOW), 1);
	bed_run(b, 4 * BED_S);
	assert_int_equal(COUNT(b, FLOWS_EMBRYONIC_NOW), 0);
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, NEVER_OPENED), 1);
	bed_silent(b);
	bed_end(b);
}

static void
reset_before_opening(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b), *d = bed_conv(b);

	conv_syn(c);
	conv_synack(c);
	conv_rst(c);
	conv_syn(d);
	conv_frame(d, SC_HALF_PRODUCTION, SC_TCP_RST | SC_TCP_ACK, 0, d->cnxt, 0);
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, NEVER_OPENED), 2);
	bed_silent(b);
	bed_end(b);
}

static void
unknown_connection(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_ack(c);
	conv_rst(c);
	conv_answer(c, 10);
	assert_int_equal(COUNT_BY(b, FRAME_REFUSED, NO_FLOW), 3);
	assert_int_equal(COUNT(b, FLOWS_SEEN), 0);
	bed_end(b);
}

/* Payload in a SYN is the first data, sent once the flow opens. */
static void
data_in_syn(void **state)
{
	for (uint32_t n = 1; n <= 40; n += 39) {
		struct bed *b = bed_new(*state, NULL);
		struct conv *c = bed_conv(b);

		c->pnxt = 0x90000000; /* no ACK number is "0" seen from here */
		conv_frame(c, SC_HALF_CLIENT, SC_TCP_SYN, c->cisn, 0, n);
		c->cnxt = c->cisn + 1 + n;
		conv_synack(c);
		conv_ack(c);
		conv_take_syn(c);
		conv_target_synack(c);
		/* the pattern stood at the SYN's own number, one below the byte's */
		c->shift = 1;
		conv_expect(c, SC_TCP_ACK, n);
		assert_int_equal(COUNT(b, BYTES_ACCEPTED), n);
		bed_end(b);
	}
}

/* Frames behind the end count as after_end; they do not come back as a new flow. */
static void
after_the_end(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 100);
	conv_close(c);
	conv_ack(c);
	conv_say(c, 30);
	conv_answer(c, 10);
	bed_silent(b);
	assert_int_equal(COUNT(b, FLOWS_SEEN), 1);
	assert_int_equal(COUNT_BY(b, BYTES_REFUSED, AFTER_END), 30);
	bed_end(b);
}

/* The same port with a new ISN: a new flow at once, while the old one goes on to its end. */
static void
port_reused_live(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *old = bed_conv(b), *new = bed_conv(b);

	conv_open(old);
	conv_say(old, 100);
	conv_expect(old, SC_TCP_ACK, 100);
	new->cport = old->cport;
	conv_syn(new);
	conv_synack(new);
	/* the old one is closed behind what it had to say */
	conv_expect(old, SC_TCP_FIN | SC_TCP_ACK, 0);
	conv_ack(new);
	conv_take_syn(new);
	assert_int_not_equal(new->rport, old->rport);
	conv_target_synack(new);
	conv_expect(new, SC_TCP_ACK, 0);
	conv_say(new, 10);
	conv_expect(new, SC_TCP_ACK, 10);
	conv_target_fin(old);
	conv_expect(old, SC_TCP_ACK, 0);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, COMPLETE_OPEN), 1);
	assert_int_equal(COUNT(b, FLOWS_LIVE_NOW), 1);
	conv_say(new, 10);
	conv_expect(new, SC_TCP_ACK, 10);
	bed_end(b);
}

static void
port_reused_embryonic(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_syn(c);
	c->cisn += 100000;
	conv_shake(c);
	conv_take_syn(c);
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, NEVER_OPENED), 1);
	assert_int_equal(COUNT(b, FLOWS_SEEN), 2);
	bed_end(b);
}

/* Behind a tombstone: the old ISN is an echo of the old flow, a new one is a new flow. */
static void
port_reused_after_end(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 100);
	conv_close(c);
	conv_frame(c, SC_HALF_CLIENT, SC_TCP_SYN, c->cisn, 0, 0);
	assert_int_equal(COUNT(b, FLOWS_SEEN), 1);
	c->cisn += 100000;
	b->now_us += 3 * BED_S;
	conv_open_said(c, 50);
	assert_int_equal(COUNT(b, FLOWS_SEEN), 2);
	bed_end(b);
}

/* A burst may hold a flow's whole life: look-ups made for the burst must not be used when stale. */
static void
whole_burst(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b), *d = bed_conv(b);

	b->is_batched = true;
	conv_syn(c);
	conv_synack(c);
	conv_syn(d);
	conv_ack(c);
	conv_say(c, 10);
	conv_rst(d);
	d->cisn += 5000;
	conv_syn(d);
	conv_synack(d);
	conv_ack(d);
	bed_flush(b);
	b->is_batched = false;
	conv_take_syn(c);
	conv_take_syn(d);
	bed_silent(b);
	assert_int_equal(COUNT(b, FLOWS_SEEN), 3);
	conv_target_synack(c);
	conv_expect(c, SC_TCP_ACK, 10);
	bed_end(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			BOTH(whole_life),
			BOTH(syn_sent_again),
			BOTH(embryonic_timeout),
			BOTH(reset_before_opening),
			BOTH(unknown_connection),
			BOTH(data_in_syn),
			BOTH(after_the_end),
			BOTH(port_reused_live),
			BOTH(port_reused_embryonic),
			BOTH(port_reused_after_end),
			BOTH(whole_burst),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
