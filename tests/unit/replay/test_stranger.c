/* SPDX-License-Identifier: BSD-3-Clause */
/* A tuple's next connection, whose SYN the mirror lost: no hole of megabytes in the one before. */
#include <test_eal.h>

#include "bed.h"

#define LATER 26000000u /* what ISNs rise by in 1.7 s */

/* The next connection on the tuple of `old`; both its ISNs are so much further. */
static struct conv *
reuse(struct conv *old, uint32_t by)
{
	struct conv *c = bed_conv(old->b);

	c->cport = old->cport;
	c->cisn = old->cisn + by;
	c->cnxt = c->cisn + 1;
	c->pnxt = old->pnxt + by;
	return c;
}

/* A flow whose FIN the mirror has lost, with one turn behind it. */
static struct conv *
open_one(struct bed *b)
{
	struct conv *c = bed_conv(b);

	conv_open_said(c, 100);
	conv_answer(c, 40);
	conv_target_answer(c, 40);
	conv_ack(c);
	bed_run(b, 50 * BED_MS);
	conv_expect(c, SC_TCP_ACK, 0);
	return c;
}

/* What the second frame of another connection leaves behind: the old flow is closed. */
static void
expect_closed(struct conv *c)
{
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	conv_target_fin(c);
	conv_expect(c, SC_TCP_ACK, 0);
	assert_int_equal(COUNT_BY(c->b, FLOW_ENDED, COMPLETE_OPEN), 1);
	assert_int_equal(COUNT(c->b, BYTES_MISSING), 0);
}

static void
syn_lost(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *old = open_one(b), *new = reuse(old, LATER);

	conv_ack(new);
	bed_silent(b);
	conv_say(new, 50);
	expect_closed(old);
	assert_int_equal(COUNT(b, FLOWS_MIDSTREAM), 1);
	conv_answer(new, 70);
	conv_say(new, 60); /* a proven boundary */
	conv_take_syn(new);
	conv_target_synack(new);
	conv_expect(new, SC_TCP_ACK, 60);
	assert_int_equal(COUNT(b, BYTES_MISSING), 0);
	bed_end(b);
}

/* Its production's frames, seen first, are none of the old flow's either. */
static void
production_first(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *old = open_one(b), *new = reuse(old, LATER);

	new->cnxt += 50;
	conv_prod_ack(new);
	conv_answer(new, 70);
	bed_silent(b);
	conv_say(new, 60);
	expect_closed(old);
	bed_end(b);
}

static void
client_only(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *old = bed_conv(b), *new;

	conv_syn(old);
	conv_ack(old);
	conv_take_syn(old);
	conv_target_synack(old);
	conv_expect(old, SC_TCP_ACK, 0);
	new = reuse(old, LATER);
	conv_ack(new);
	conv_say(new, 50);
	expect_closed(old);
	bed_end(b);
}

/* ISNs of other systems may be anywhere: not taken for bytes sent again. */
static void
behind(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *old = open_one(b), *new = reuse(old, 0u - LATER);

	new->pnxt = old->pnxt + LATER;
	conv_say(new, 50);
	conv_say(new, 50);
	assert_int_equal(COUNT_BY(b, BYTES_DUPLICATE, DUP_RETRANSMIT), 0);
	expect_closed(old);
	bed_end(b);
}

/* Its FIN, or RST, ends nothing beyond a hole. */
static void
end_lost_in_between(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *old = open_one(b), *new = reuse(old, LATER);

	conv_fin(new);
	conv_prod_ack(new);
	bed_run(b, 11 * BED_S);
	assert_int_equal(COUNT(b, BYTES_MISSING), 0);
	conv_say(old, 10);
	conv_expect(old, SC_TCP_ACK, 10);
	new->cnxt += 10;
	conv_rst(new);
	expect_closed(old);
	assert_int_equal(COUNT(b, FLOWS_SEEN), 1);
	bed_end(b);
}

/* The first frame of a connection may be far from its SYN only if another one's was lost. */
static void
embryonic(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *old = bed_conv(b), *new;

	conv_syn(old);
	new = reuse(old, LATER);
	conv_ack(new);
	conv_say(new, 50);
	bed_silent(b);
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, NEVER_OPENED), 1);
	assert_int_equal(COUNT(b, BYTES_MISSING), 0);
	bed_end(b);
}

/* One frame from nowhere, twice on the mirror, and another one from elsewhere, change nothing. */
static void
forged(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = open_one(b), *far = reuse(c, LATER), *farther = reuse(c, 3 * LATER);

	conv_frame(far, SC_HALF_CLIENT, SC_TCP_ACK, far->cnxt, far->pnxt, 50);
	conv_frame(far, SC_HALF_CLIENT, SC_TCP_ACK, far->cnxt, far->pnxt, 50);
	conv_say(farther, 50);
	assert_int_equal(COUNT_BY(b, BYTES_REFUSED, BEYOND_WINDOW), 150);
	conv_say(c, 10);
	conv_expect(c, SC_TCP_ACK, 10);
	assert_int_equal(COUNT(b, FLOWS_SEEN), 1);
	bed_end(b);
}

/* More than any window, but next to each other. */
static void
far_beyond(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = open_one(b);

	c->cnxt += 1u << 30;
	conv_say(c, 50);
	conv_say(c, 50);
	assert_int_equal(COUNT(b, FLOWS_MIDSTREAM), 1);
	expect_closed(c);
	bed_end(b);
}

/* Much of one half alone may be lost: the connection is the same. */
static void
long_holes(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = open_one(b);

	c->pnxt += 2u << 20;
	conv_say(c, 50);
	conv_target_answer(c, 30000);
	bed_run(b, 10 * BED_S);
	bed_forget(b);
	c->cnxt += 1u << 20;
	conv_say(c, 60);
	conv_say(c, 70);
	conv_answer(c, 10);
	conv_say(c, 80);
	bed_run(b, 100 * BED_MS);
	assert_int_equal(COUNT(b, BYTES_MISSING), 1u << 20);
	assert_int_equal(COUNT(b, FLOWS_SEEN), 1);
	bed_end(b);
}

/* Production says itself that there is another connection. */
static void
synack(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *old = open_one(b), *new = reuse(old, 65700);

	conv_synack(new);
	expect_closed(old);
	conv_say(new, 50);
	assert_int_equal(COUNT(b, FLOWS_MIDSTREAM), 1);
	bed_end(b);
}

static void
synack_after_end(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *old = bed_conv(b), *new;

	conv_open_said(old, 10);
	conv_close(old);
	new = reuse(old, LATER);
	conv_synack(old); /* late: of the flow that is over */
	conv_say(new, 50);
	assert_int_equal(COUNT_BY(b, BYTES_REFUSED, AFTER_END), 50);
	conv_synack(new);
	conv_say(new, 50);
	assert_int_equal(COUNT(b, FLOWS_MIDSTREAM), 1);
	bed_end(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			BOTH(syn_lost),
			BOTH(production_first),
			BOTH(client_only),
			BOTH(behind),
			BOTH(end_lost_in_between),
			BOTH(embryonic),
			BOTH(forged),
			BOTH(far_beyond),
			BOTH(long_holes),
			BOTH(synack),
			BOTH(synack_after_end),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
