/* SPDX-License-Identifier: BSD-3-Clause */
/* Connections that began before the capture. */
#include <test_eal.h>

#include "bed.h"

/* A conversation of which only the middle is seen. */
static struct conv *
mid(struct bed *b)
{
	struct conv *c = bed_conv(b);

	c->cnxt += 5000;
	c->pnxt += 9000;
	return c;
}

/* The first request seen is before the boundary; the one behind production's answer is joined. */
static void
joined(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = mid(b);
	struct sent *s;

	conv_say(c, 30);
	bed_silent(b);
	conv_answer(c, 500);
	conv_say(c, 40);
	s = conv_take_syn(c);
	assert_int_equal(s->seg.seq, c->cnxt - 41);
	assert_int_equal(s->seg.opts, SC_OPT_MSS | SC_OPT_WSCALE | SC_OPT_TS);
	conv_target_synack(c);
	conv_expect(c, SC_TCP_ACK, 40);
	conv_target_ack(c);
	conv_answer(c, 100);
	conv_say(c, 41);
	bed_silent(b);
	conv_target_answer(c, 100);
	conv_expect(c, SC_TCP_ACK, 41);
	assert_int_equal(COUNT(b, GATE_EXACT), 1);
	assert_int_equal(COUNT_BY(b, BYTES_REFUSED, BEFORE_JOIN), 30);
	assert_int_equal(COUNT(b, FLOWS_MIDSTREAM), 1);
	bed_end(b);
}

/* What was sent before the join comes again, alone and with bytes that the replay has or wants. */
static void
sent_again(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = mid(b);
	uint32_t join;

	conv_say(c, 30);
	conv_answer(c, 500);
	join = c->cnxt;
	conv_say(c, 40);
	conv_take_syn(c);
	conv_target_synack(c);
	conv_expect(c, SC_TCP_ACK, 40);
	conv_target_ack(c);
	conv_frame(c, SC_HALF_CLIENT, SC_TCP_ACK, join - 30, c->pnxt, 30);
	assert_int_equal(COUNT_BY(b, BYTES_REFUSED, BEFORE_JOIN), 60);
	conv_frame(c, SC_HALF_CLIENT, SC_TCP_ACK, join - 30, c->pnxt, 50);
	assert_int_equal(COUNT_BY(b, BYTES_REFUSED, BEFORE_JOIN), 90);
	assert_int_equal(COUNT_BY(b, BYTES_DUPLICATE, DUP_OVERLAP), 20);
	bed_silent(b);
	conv_frame(c, SC_HALF_CLIENT, SC_TCP_ACK, join - 10, c->pnxt, 75);
	c->cnxt += 25;
	conv_expect(c, SC_TCP_ACK, 25);
	assert_int_equal(COUNT_BY(b, BYTES_REFUSED, BEFORE_JOIN), 100);
	assert_int_equal(COUNT_BY(b, BYTES_DUPLICATE, DUP_OVERLAP), 60);
	assert_int_equal(COUNT_BY(b, BYTES_DUPLICATE, DUP_RETRANSMIT), 0);
	assert_int_equal(COUNT(b, BYTES_ACCEPTED), 65);
	bed_end(b);
}

/* Without timestamps in the segment there are none in the SYN. */
static void
joined_without_timestamps(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = mid(b);

	c->opts = 0;
	conv_say(c, 30);
	conv_answer(c, 500);
	conv_say(c, 40);
	assert_int_equal(conv_take_syn(c)->seg.opts, SC_OPT_MSS | SC_OPT_WSCALE);
	bed_end(b);
}

/* Production had not seen the segment before when it sent its newest byte: no boundary. */
static void
no_boundary(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = mid(b), *d = mid(b);

	conv_say(c, 30);
	conv_say(c, 30);
	conv_frame(c, SC_HALF_PRODUCTION, SC_TCP_ACK, c->pnxt, c->cnxt - 30, 100);
	c->pnxt += 100;
	conv_say(c, 30);
	conv_fin(c);
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, NO_BOUNDARY), 1);
	assert_int_equal(COUNT_BY(b, BYTES_REFUSED, BEFORE_JOIN), 90);
	conv_say(d, 30);
	conv_rst(d);
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, NO_BOUNDARY), 2);
	conv_say(d, 30); /* its tombstone remembers */
	assert_int_equal(COUNT_BY(b, BYTES_REFUSED, NO_BOUNDARY), 30);
	assert_int_equal(COUNT(b, FLOWS_SEEN), 2);
	bed_silent(b);
	bed_end(b);
}

/* With the client's half alone nothing can be proven. */
static void
client_only(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = mid(b);

	for (int i = 0; i < 5; i++) {
		conv_say(c, 30);
		c->pnxt += 100;
		bed_run(b, BED_S);
	}
	bed_silent(b);
	bed_run(b, 13 * BED_S);
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, NO_BOUNDARY), 1);
	bed_end(b);
}

static void
production_resets(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = mid(b);

	conv_say(c, 30);
	conv_frame(c, SC_HALF_PRODUCTION, SC_TCP_RST, c->pnxt, 0, 0);
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, NO_BOUNDARY), 1);
	bed_end(b);
}

static void
new_connection_while_joining(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = mid(b);

	conv_say(c, 30);
	c->cisn += 50000;
	conv_open(c);
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, NO_BOUNDARY), 1);
	bed_end(b);
}

static void
tune_full(struct bed *b)
{
	b->cfg.only_full = true;
}

static void
only_full(void **state)
{
	struct bed *b = bed_new(*state, tune_full);
	struct conv *c = mid(b), *d = bed_conv(b);

	conv_say(c, 30);
	conv_answer(c, 500);
	conv_say(c, 40);
	bed_silent(b);
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, NOT_FULL), 1);
	assert_int_equal(COUNT_BY(b, BYTES_REFUSED, NOT_FULL), 70);
	conv_open(d);
	bed_end(b);
}

static void
tune_tombs(struct bed *b)
{
	b->cfg.max_tombs = 2;
}

/* Young tombstones were pushed out: what they would have refused must not join as mid-stream. */
static void
tombstones_full(void **state)
{
	struct bed *b = bed_new(*state, tune_tombs);
	struct conv *c[4];

	for (int i = 0; i < 3; i++) {
		c[i] = bed_conv(b);
		conv_syn(c[i]);
		conv_rst(c[i]);
	}
	c[3] = mid(b);
	conv_say(c[3], 30);
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, TOMBSTONES_FULL), 1);
	bed_run(b, 61 * BED_S);
	c[3]->cport++;
	conv_say(c[3], 30);
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, TOMBSTONES_FULL), 1);
	assert_int_equal(COUNT_BY(b, BYTES_REFUSED, BEFORE_JOIN), 30);
	bed_end(b);
}

/* Connections that came to their end are over: after 10 s a place of theirs tells nothing. */
static void
tombstones_of_ended(void **state)
{
	struct bed *b = bed_new(*state, tune_tombs);
	struct conv *c;

	for (int i = 0; i < 3; i++) {
		c = bed_conv(b);
		conv_open_said(c, 10);
		conv_close(c);
		bed_run(b, 6 * BED_S);
	}
	c = mid(b);
	conv_say(c, 30);
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, TOMBSTONES_FULL), 0);
	for (int i = 0; i < 3; i++) {
		c = bed_conv(b);
		conv_open_said(c, 10);
		conv_close(c);
	}
	c = mid(b);
	conv_say(c, 30);
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, TOMBSTONES_FULL), 1);
	bed_run(b, 11 * BED_S);
	c = mid(b);
	conv_say(c, 30);
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, TOMBSTONES_FULL), 1);
	bed_end(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			BOTH(joined),
			BOTH(sent_again),
			BOTH(joined_without_timestamps),
			BOTH(no_boundary),
			BOTH(client_only),
			BOTH(production_resets),
			BOTH(new_connection_while_joining),
			BOTH(only_full),
			BOTH(tombstones_full),
			BOTH(tombstones_of_ended),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
