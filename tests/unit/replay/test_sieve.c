/* SPDX-License-Identifier: BSD-3-Clause */
/* Overload: frames of flows that are left out are gone before they are parsed, and counted. */
#include <engine.h>
#include <test_eal.h>

#include "bed.h"

static void
tune(struct bed *b)
{
	b->cfg.max_flows = 256;
}

/* A conversation that is admitted before the share falls to the least; then all pass the sieve. */
static struct conv *
overloaded(void **state, struct bed **b)
{
	struct conv *c;

	*b = bed_new(*state, tune);
	c = bed_conv(*b);
	conv_open(c);
	(*b)->e->admit.share = 64;
	(*b)->is_sieved = true;
	return c;
}

/* Of a flow that is left out every frame of both halves; bytes are the client's. */
static void
left_out(void **state)
{
	struct bed *b;
	struct conv *c;

	overloaded(state, &b);
	c = bed_conv(b);
	conv_syn(c);
	conv_synack(c);
	conv_ack(c);
	conv_say(c, 100);
	conv_answer(c, 300);
	conv_fin(c);
	conv_prod_fin(c);
	conv_rst(c);
	bed_silent(b);
	assert_int_equal(COUNT_BY(b, FRAME_REFUSED, SHED_ADMISSION), 8);
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, SHED_ADMISSION), 1);
	assert_int_equal(COUNT_BY(b, BYTES_REFUSED, SHED_ADMISSION), 100);
	assert_int_equal(COUNT(b, FLOWS_SEEN), 2);
	bed_end(b);
}

/* A flow that lives is not touched, from its next byte to its end; what comes behind it is. */
static void
goes_on(void **state)
{
	struct bed *b;
	struct conv *c = overloaded(state, &b);

	conv_say(c, 50);
	conv_expect(c, SC_TCP_ACK, 50);
	conv_target_ack(c);
	conv_close(c);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, COMPLETE), 1);
	assert_int_equal(COUNT_BY(b, FRAME_REFUSED, SHED_ADMISSION), 0);
	conv_ack(c); /* its tombstone knows it */
	assert_int_equal(COUNT_BY(b, FRAME_REFUSED, SHED_ADMISSION), 0);
	bed_end(b);
}

/* Among many flows some are still admitted, as many as the share says, and they stay whole. */
static void
share_of_flows(void **state)
{
	struct bed *b = bed_new(*state, tune);
	unsigned int nb = 0;

	conv_open(bed_conv(b));
	b->is_sieved = true;
	b->e->admit.share = ADMIT_ALL / 2;
	for (unsigned int i = 0; i < 40; i++) {
		struct conv *c = bed_conv(b);
		uint64_t before = COUNT_BY(b, FLOW_REFUSED, SHED_ADMISSION);

		conv_syn(c);
		if (COUNT_BY(b, FLOW_REFUSED, SHED_ADMISSION) > before)
			continue;
		nb++;
		conv_synack(c);
		conv_ack(c);
		conv_take_syn(c);
	}
	assert_in_range(nb, 10, 30);
	assert_int_equal(COUNT_BY(b, FRAME_REFUSED, SHED_ADMISSION), 40 - nb);
	assert_int_equal(COUNT(b, FLOWS_ADMITTED), nb + 1);
	bed_forget(b);
	bed_end(b);
}

/* For a minute later frames of what was left out are no connection to join; then they are. */
static void
not_joined(void **state)
{
	struct bed *b;
	struct conv *c;

	overloaded(state, &b);
	c = bed_conv(b);
	conv_syn(c);
	b->e->admit.share = ADMIT_ALL;
	conv_synack(c);
	conv_ack(c);
	conv_say(c, 10);
	assert_int_equal(COUNT_BY(b, FRAME_REFUSED, SHED_ADMISSION), 4);
	assert_int_equal(COUNT_BY(b, BYTES_REFUSED, SHED_ADMISSION), 10);
	assert_int_equal(COUNT(b, FLOWS_MIDSTREAM), 0);
	bed_run(b, 61 * BED_S);
	conv_say(c, 10);
	assert_int_equal(COUNT(b, FLOWS_MIDSTREAM), 1);
	bed_end(b);
}

/* Through the sieve alone: does it take the frame? The ledger is none of this. */
static bool
takes(struct bed *b, struct test_frame *f)
{
	struct rte_mbuf *m = test_frame_mbuf(b->cfg.pool, f);

	if (sc_replay_sieve(b->e, &m, 1, b->now_us) == 0)
		return true;
	rte_pktmbuf_free(m);
	return false;
}

/* What is not plain, or not mapped, takes the long way, which names it. */
static void
long_way(void **state)
{
	static const uint8_t nops[4] = {1, 1, 1, 1};
	struct bed *b;
	const struct conv *c = overloaded(state, &b);
	const struct test_frame plain = {.src = b->v6 ? "fd01::77" : "10.1.0.77",
			.dst = c->server,
			.flags = SC_TCP_ACK,
			.payload = "xyz",
			.len = 3};
	struct test_frame f = plain;

	assert_true(takes(b, &f));
	f.nb_vlan = 1;
	assert_true(takes(b, &f));
	f.nb_vlan = 2;
	assert_false(takes(b, &f));
	f = plain;
	f.proto = 17;
	assert_false(takes(b, &f));
	f = plain;
	f.dport = 9999;
	assert_false(takes(b, &f));
	f = plain;
	f.dst = b->v6 ? "fd01::78" : "10.1.0.78";
	assert_false(takes(b, &f));
	f = plain;
	f.ip_frag = 0x2000;
	assert_true(b->v6 || !takes(b, &f));
	f = plain;
	f.ip_opts = nops;
	f.ip_opts_len = 4;
	assert_true(b->v6 || !takes(b, &f));
	f = plain;
	f.ip_len_zero = true;
	assert_false(takes(b, &f));
	b->st.m[SC_M_FRAME_REFUSED][SC_R_SHED_ADMISSION] = 0;
	bed_end(b);
}

/* Cut anywhere, a frame is never read beyond its end. */
static void
cut_short(void **state)
{
	struct bed *b;
	const struct conv *c = overloaded(state, &b);
	const struct test_frame f = {.src = b->v6 ? "fd01::77" : "10.1.0.77",
			.dst = c->server,
			.flags = SC_TCP_ACK,
			.payload = "xyz",
			.len = 3};
	uint8_t buf[128];
	size_t len = test_frame_bytes(&f, buf, sizeof(buf));

	for (size_t n = 1; n < len; n++) {
		struct rte_mbuf *m = test_mbuf_from(b->cfg.pool, buf, n, 0);

		assert_int_equal(sc_replay_sieve(b->e, &m, 1, b->now_us), 1);
		rte_pktmbuf_free(m);
	}
	bed_end(b);
}

static void
tune_workers(struct bed *b)
{
	tune(b);
	sc_steer_free(&b->steer);
	assert_int_equal(sc_steer_init(&b->steer, 2, 512, NULL), 0);
}

/* Another worker's frames are left to it. */
static void
others(void **state)
{
	struct bed *b = bed_new(*state, tune_workers);
	unsigned int nb = 0;

	conv_open(bed_conv(b)); /* the endpoint is known then */
	b->e->admit.share = 64;
	for (uint16_t port = 0; port < 64; port++) {
		struct test_frame f = {.src = b->v6 ? "fd01::77" : "10.1.0.77",
				.dst = b->v6 ? "fd02::1" : "10.2.0.1",
				.sport = (uint16_t)(30000 + port),
				.flags = SC_TCP_ACK};

		nb += takes(b, &f);
	}
	assert_in_range(nb, 16, 48);
	b->st.m[SC_M_FRAME_REFUSED][SC_R_SHED_ADMISSION] = 0;
	bed_end(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			BOTH(left_out),
			BOTH(goes_on),
			BOTH(share_of_flows),
			BOTH(not_joined),
			BOTH(long_way),
			BOTH(cut_short),
			BOTH(others),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
