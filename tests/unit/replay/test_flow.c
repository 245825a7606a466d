/* SPDX-License-Identifier: BSD-3-Clause */
/* A flow among others: superseded, finished without memory, remembered by its tombstone. */
#include <engine.h>
#include <test_eal.h>

#include "bed.h"

static void
tune_unproven(struct bed *b)
{
	atomic_store(&b->path[0].state, SC_PATH_UNPROVEN);
	atomic_store(&b->path[1].state, SC_PATH_UNPROVEN);
}

/* A waiting flow whose port is used again still gets its turn, and so does the new one. */
static void
superseded_while_waiting(void **state)
{
	struct bed *b = bed_new(*state, tune_unproven);
	struct conv *prober = bed_conv(b), *old = bed_conv(b), *new = bed_conv(b);

	conv_shake(prober);
	conv_shake(old);
	conv_say(old, 30);
	new->cport = old->cport;
	conv_shake(new);
	conv_say(new, 40);
	conv_take_syn(prober);
	bed_silent(b);
	assert_int_equal(COUNT(b, FLOWS_EMBRYONIC_NOW), 2);
	conv_target_synack(prober);
	conv_expect(prober, SC_TCP_ACK, 0);
	bed_run(b, 5 * BED_MS);
	conv_take_syn(old);
	conv_take_syn(new);
	conv_target_synack(old);
	conv_expect(old, SC_TCP_ACK, 30);
	conv_expect(old, SC_TCP_FIN | SC_TCP_ACK, 0);
	conv_target_fin(old);
	conv_expect(old, SC_TCP_ACK, 0);
	conv_target_synack(new);
	conv_expect(new, SC_TCP_ACK, 40);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, COMPLETE_OPEN), 1);
	bed_end(b);
}

/* With an open hole the old flow gives up what lies beyond it. */
static void
superseded_with_hole(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *old = bed_conv(b), *new = bed_conv(b);

	conv_open(old);
	old->cnxt += 10;
	conv_say(old, 30);
	new->cport = old->cport;
	conv_syn(new);
	conv_expect(old, SC_TCP_FIN | SC_TCP_ACK, 0);
	assert_int_equal(COUNT(b, BYTES_MISSING), 10);
	conv_target_fin(old);
	conv_expect(old, SC_TCP_ACK, 0);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, CAPTURE_GAP), 1);
	bed_end(b);
}

static void
tune_tiny(struct bed *b)
{
	b->cfg.max_flows = 2;
	b->cfg.held_bytes = 4096;
}

#define DESCRIPTORS_MAX 256

/* Descriptors of held segments that somebody else has. */
static struct {
	uint32_t held[DESCRIPTORS_MAX];
	uint32_t nb;
} taken;

static void
take_descriptors(struct bed *b)
{
	assert_in_range(b->e->t.free_held.nb, 1, DESCRIPTORS_MAX);
	for (taken.nb = 0; b->e->t.free_held.nb > 0; taken.nb++)
		taken.held[taken.nb] = sc_held_take_empty(&b->e->t);
}

static void
give_descriptors(struct bed *b)
{
	while (taken.nb > 0)
		sc_held_give(&b->e->t, taken.held[--taken.nb]);
}

/* Not even a descriptor for our own FIN: the sessions end at once. */
static void
no_descriptor(void **state)
{
	struct bed *b = bed_new(*state, tune_tiny);
	struct conv *c = bed_conv(b);

	conv_open(c);
	c->twnd = 0;
	conv_target_ack(c);
	conv_say(c, 200);
	take_descriptors(b);
	conv_say(c, 10);
	conv_expect(c, SC_TCP_RST | SC_TCP_ACK, 0);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, NO_MEMORY), 1);
	assert_int_equal(COUNT_BY(b, BYTES_REFUSED, HELD_FULL), 10);
	assert_int_equal(COUNT_BY(b, BYTES_ABANDONED, NO_MEMORY), 200);
	give_descriptors(b);
	bed_end(b);
}

/* A FIN or RST without a descriptor ends the flow the same way. */
static void
no_descriptor_for_fin(void **state)
{
	for (int is_rst = 0; is_rst < 2; is_rst++) {
		struct bed *b = bed_new(*state, tune_tiny);
		struct conv *c = bed_conv(b);

		conv_open(c);
		c->twnd = 0;
		conv_target_ack(c);
		conv_say(c, 10);
		take_descriptors(b);
		if (is_rst)
			conv_rst(c);
		else
			conv_fin(c);
		conv_expect(c, SC_TCP_RST | SC_TCP_ACK, 0);
		assert_int_equal(COUNT_BY(b, FLOW_ENDED, NO_MEMORY), 1);
		give_descriptors(b);
		bed_end(b);
	}
}

/* Sampling is by the whole tuple: half of many flows, and always the same ones. */
static void
tune_half(struct bed *b)
{
	b->cfg.sample_pct = 50;
	b->cfg.max_flows = 64;
}

static void
half_sampled(void **state)
{
	uint64_t refused[2];

	for (int i = 0; i < 2; i++) {
		struct bed *b = bed_new(*state, tune_half);

		for (int n = 0; n < 30; n++)
			conv_syn(bed_conv(b));
		refused[i] = COUNT_BY(b, FLOW_REFUSED, SAMPLED_OUT);
		bed_end(b);
	}
	assert_in_range(refused[0], 6, 24);
	assert_int_equal(refused[0], refused[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			BOTH(superseded_while_waiting),
			BOTH(superseded_with_hole),
			BOTH(no_descriptor),
			BOTH(no_descriptor_for_fin),
			BOTH(half_sampled),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
