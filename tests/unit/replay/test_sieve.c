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

	if (sc_replay_sieve(b->e, &m, 1, b->is_hashed, b->now_us) == 0)
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

		assert_int_equal(sc_replay_sieve(b->e, &m, 1, b->is_hashed, b->now_us), 1);
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

/* ---- unread ---- */

static struct conv *
overloaded_and_hashed(void **state, struct bed **b)
{
	struct conv *c = overloaded(state, b);

	(*b)->is_hashed = true;
	return c;
}

/* Nothing of a flow is read when no flow of its hash is admitted: frames and their length are all. */
static void
unread(void **state)
{
	struct bed *b;
	struct conv *c;

	overloaded_and_hashed(state, &b);
	c = bed_conv(b);
	conv_syn(c);
	conv_synack(c);
	conv_ack(c);
	conv_say(c, 100);
	conv_answer(c, 300);
	conv_fin(c);
	bed_silent(b);
	assert_int_equal(COUNT_BY(b, FRAME_REFUSED, SHED_UNREAD), 6);
	assert_int_equal(COUNT_BY(b, FRAME_REFUSED, SHED_ADMISSION), 0);
	assert_int_equal(COUNT(b, FLOWS_SEEN), 1);
	assert_true(COUNT(b, MIRROR_BYTES) >= 6 * (b->v6 ? 74 : 54) + 400);
	bed_end(b);
}

/* A flow that lives is read to its end; then its place is empty. */
static void
read_while_known(void **state)
{
	struct bed *b;
	struct conv *c = overloaded_and_hashed(state, &b);

	conv_say(c, 50);
	conv_expect(c, SC_TCP_ACK, 50);
	conv_target_ack(c);
	conv_close(c);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, COMPLETE), 1);
	assert_int_equal(COUNT_BY(b, FRAME_REFUSED, SHED_UNREAD), 0);
	conv_ack(c);
	assert_int_equal(COUNT_BY(b, FRAME_REFUSED, SHED_UNREAD), 1);
	bed_end(b);
}

/* Two flows at one place: it is known until both have ended. */
static void
shared_place(void **state)
{
	struct bed *b = bed_new(*state, tune);
	struct conv *c = bed_conv(b), *d = bed_conv(b);

	conv_open(c);
	conv_open(d);
	for (uint32_t p = 0; p < ADMIT_ALL; p++) {
		assert_true(b->e->admit.known[p] <= 2);
		assert_int_equal(is_place_known(b->e, p), b->e->admit.known[p] > 0);
	}
	admit_know(b->e, flow_at(b->e, 0));
	admit_forget(b->e, flow_at(b->e, 0));
	assert_true(is_place_known(b->e, admit_place(b->e, flow_at(b->e, 0))));
	bed_end(b);
}

/* What is not said to be TCP with a hash of its ports is read; so is all while few are left out. */
static void
must_be_read(void **state)
{
	struct bed *b;
	const struct conv *c = overloaded(state, &b);
	const struct test_frame f = {.src = b->v6 ? "fd01::77" : "10.1.0.77",
			.dst = c->server,
			.dport = c->sport,
			.sport = 12345,
			.flags = SC_TCP_ACK};
	struct rte_mbuf *m = test_frame_mbuf(b->cfg.pool, &f);

	assert_int_equal(sc_replay_sieve_unread(b->e, &m, 1, b->now_us), 1); /* no hash */
	bed_hash(b, m);
	m->packet_type = RTE_PTYPE_L4_UDP;
	assert_int_equal(sc_replay_sieve_unread(b->e, &m, 1, b->now_us), 1);
	m->packet_type = RTE_PTYPE_L4_FRAG;
	assert_int_equal(sc_replay_sieve_unread(b->e, &m, 1, b->now_us), 1);
	m->packet_type = RTE_PTYPE_TUNNEL_GRE | RTE_PTYPE_INNER_L4_TCP;
	assert_int_equal(sc_replay_sieve_unread(b->e, &m, 1, b->now_us), 1);
	m->packet_type = RTE_PTYPE_UNKNOWN;
	assert_int_equal(sc_replay_sieve_unread(b->e, &m, 1, b->now_us), 1);
	m->packet_type = RTE_PTYPE_L4_TCP;
	b->e->admit.share = ADMIT_ALL - 1;
	assert_int_equal(sc_replay_sieve_unread(b->e, &m, 1, b->now_us), 1);
	b->e->admit.share = 64;
	assert_int_equal(sc_replay_sieve_unread(b->e, &m, 1, b->now_us), 0);
	b->st.m[SC_M_FRAME_REFUSED][SC_R_SHED_UNREAD] = 0;
	bed_end(b);
}

/* Of a whole burst those that stay keep their order; an mbuf that another holds is let go alike. */
static void
burst(void **state)
{
	struct bed *b;
	const struct conv *c = overloaded(state, &b);
	struct rte_mbuf *m[32], *in[32], *other = NULL;
	uint16_t n, k = 0;

	for (uint16_t i = 0; i < 32; i++) {
		struct test_frame f = {.src = b->v6 ? "fd01::77" : "10.1.0.77",
				.dst = c->server,
				.dport = c->sport,
				.sport = (uint16_t)(20000 + i * 77),
				.flags = SC_TCP_ACK};

		in[i] = m[i] = test_frame_mbuf(b->cfg.pool, &f);
		bed_hash(b, m[i]);
	}
	b->e->admit.share = ADMIT_ALL / 2;
	for (uint16_t i = 0; i < 32 && other == NULL; i++)
		if (!is_admitted(b->e, place_of_hash(m[i]->hash.rss)))
			rte_mbuf_refcnt_update(other = m[i], 1);
	n = sc_replay_sieve_unread(b->e, m, 32, b->now_us);
	assert_in_range(n, 6, 26);
	assert_int_equal(COUNT_BY(b, FRAME_REFUSED, SHED_UNREAD), 32 - n);
	for (uint16_t i = 0; i < 32 && k < n; i++)
		k += m[k] == in[i];
	assert_int_equal(k, n);
	assert_int_equal(rte_mbuf_refcnt_read(other), 1);
	rte_pktmbuf_free(other);
	rte_pktmbuf_free_bulk(m, n);
	b->st.m[SC_M_FRAME_REFUSED][SC_R_SHED_UNREAD] = 0;
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
			BOTH(unread),
			BOTH(read_while_known),
			BOTH(shared_place),
			BOTH(must_be_read),
			BOTH(burst),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
