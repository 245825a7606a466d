/* SPDX-License-Identifier: BSD-3-Clause */
/* A loop that sleeps sends what a wake-up brought together; others send in every round. */
#include <test_eal.h>

#include "bed.h"

#define BURST 32        /* frames of the mirror in a round */
#define GATHER_ROUNDS 8 /* that frames wait at most */

/* A box with an open session, and its conversation. */
static struct conv
opened(struct bed *b, enum sc_idle idle, bool is_inline)
{
	struct conv c;

	b->cfg.idle = idle;
	b->is_inline = is_inline;
	bed_start(b);
	c = conv_new(b, 0, false);
	conv_open(&c);
	bed_run(b, 5);
	assert_int_equal(rte_ring_count(b->tx[0]), 0);
	return c;
}

/* Frames that nobody wants. */
static void
feed_others(struct bed *b, unsigned int n)
{
	struct test_frame f = {.dst = "10.2.0.9", .flags = SC_TCP_SYN};

	while (n-- > 0)
		bed_feed(b, 0, &f);
}

static unsigned int
poll_once(struct bed *b)
{
	sc_worker_poll(b->w[0]);
	bed_check(b);
	return rte_ring_count(b->tx[0]);
}

static void
test_gathers(void **state)
{
	struct bed *b = bed_new();
	struct conv c = opened(b, SC_IDLE_SLEEP, false);

	conv_say(&c, 10);
	feed_others(b, BURST - 1);
	conv_say(&c, 10);
	feed_others(b, 5);
	assert_int_equal(poll_once(b), 0);
	assert_int_equal(SUM(b, TX_WAITING_NOW), 1);
	assert_int_equal(poll_once(b), 2);
	assert_int_equal(SUM(b, TX_WAITING_NOW), 0);
	bed_end(b);
}

/* However much stands on the mirror, a frame does not wait for ever. */
static void
test_gathers_not_long(void **state)
{
	struct bed *b = bed_new();
	struct conv c = opened(b, SC_IDLE_SLEEP, false);

	conv_say(&c, 10);
	feed_others(b, (GATHER_ROUNDS + 4) * BURST);
	for (unsigned int i = 0; i < GATHER_ROUNDS; i++)
		assert_int_equal(poll_once(b), 0);
	assert_int_equal(poll_once(b), 1);
	conv_say(&c, 10);
	bed_end(b);
}

/* A full burst of answers is no less a reason. */
static void
test_gathers_behind_answers(void **state)
{
	struct test_frame f = {.src = "10.9.0.2",
			.dst = "10.1.0.5",
			.sport = 8080,
			.dport = 40000,
			.flags = SC_TCP_ACK};
	struct bed *b = bed_new();
	struct conv c = opened(b, SC_IDLE_SLEEP, true);

	for (unsigned int i = 0; i < BURST; i++)
		assert_int_equal(rte_ring_enqueue(b->rx[0], test_frame_mbuf(b->pool, &f)), 0);
	conv_say(&c, 10);
	assert_int_equal(poll_once(b), 0);
	assert_int_equal(poll_once(b), 1);
	bed_end(b);
}

/* Who polls without rest sends in the same round: the frame waits for nothing. */
static void
test_busy_sends_at_once(void **state)
{
	struct bed *b = bed_new();
	struct conv c = opened(b, SC_IDLE_BUSY, false);

	conv_say(&c, 10);
	feed_others(b, 2 * BURST);
	assert_int_equal(poll_once(b), 1);
	bed_end(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_gathers),
			cmocka_unit_test(test_gathers_not_long),
			cmocka_unit_test(test_gathers_behind_answers),
			cmocka_unit_test(test_busy_sends_at_once),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
