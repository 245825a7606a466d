/* SPDX-License-Identifier: BSD-3-Clause */
/* Admission, the return path, SYN and its options. */
#include <string.h>
#include <test_eal.h>

#include "bed.h"

static struct sc_path *
path(struct bed *b)
{
	return &b->path[b->v6];
}

/* ---- refusals of flows ---- */

static void
tune_unsampled(struct bed *b)
{
	b->cfg.sample_pct = 0.000001;
}

static void
sampled_out(void **state)
{
	struct bed *b = bed_new(*state, tune_unsampled);
	struct conv *c = bed_conv(b);

	conv_shake(c);
	conv_say(c, 30);
	bed_silent(b);
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, SAMPLED_OUT), 1);
	assert_int_equal(COUNT_BY(b, BYTES_REFUSED, SAMPLED_OUT), 30);
	assert_int_equal(COUNT_BY(b, FRAME_REFUSED, SAMPLED_OUT), 4);
	bed_end(b);
}

static struct sc_prefix test_net;

static void
tune_net(struct bed *b)
{
	assert_int_equal(sc_prefix_parse(b->v6 ? "fd09::/64" : "10.9.0.0/24", &test_net), 0);
	b->cfg.test_nets = &test_net;
	b->cfg.nb_test_nets = 1;
}

/* A kept address inside the target's network would be answered past us. */
static void
client_on_link(void **state)
{
	struct bed *b = bed_new(*state, tune_net);
	struct conv *c = bed_conv(b), *d = bed_conv(b);

	strcpy(c->client, b->v6 ? "fd09::77" : "10.9.0.77");
	conv_shake(c);
	bed_silent(b);
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, CLIENT_ON_LINK), 1);
	conv_open(d);
	bed_end(b);
}

static void
family_mismatch(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	c->sport = b->v6 ? 81 : 82;
	conv_shake(c);
	bed_silent(b);
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, FAMILY_MISMATCH), 1);
	bed_end(b);
}

static void
not_selected(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	c->sport = 443;
	assert_int_equal(conv_frame(c, SC_HALF_CLIENT, SC_TCP_SYN, 1, 0, 0), SC_R_NOT_MAPPED);
	c->sport = 80;
	strcpy(c->server, b->v6 ? "fd02::9" : "10.2.0.9");
	assert_int_equal(conv_frame(c, SC_HALF_CLIENT, SC_TCP_SYN, 1, 0, 0), SC_R_NOT_MAPPED);
	strcpy(c->server, b->v6 ? "fd09::2" : "10.9.0.2");
	c->sport = 8080;
	assert_int_equal(conv_frame(c, SC_HALF_CLIENT, SC_TCP_SYN, 1, 0, 0), SC_R_MIRROR_LOOP);
	assert_int_equal(conv_frame(c, SC_HALF_PRODUCTION, SC_TCP_ACK, 1, 0, 0), SC_R_MIRROR_LOOP);
	strcpy(c->server, b->v6 ? "fd02::1" : "10.2.0.1");
	c->sport = 80;
	strcpy(c->client, b->v6 ? "ff02::1" : "224.0.0.1");
	assert_int_equal(conv_frame(c, SC_HALF_CLIENT, SC_TCP_SYN, 1, 0, 0), SC_R_BAD_CLIENT);
	strcpy(c->client, b->v6 ? "::1" : "127.0.0.1");
	assert_int_equal(conv_frame(c, SC_HALF_CLIENT, SC_TCP_SYN, 1, 0, 0), SC_R_BAD_CLIENT);
	strcpy(c->client, c->server);
	assert_int_equal(conv_frame(c, SC_HALF_CLIENT, SC_TCP_SYN, 1, 0, 0), SC_R_BAD_CLIENT);
	strcpy(c->client, b->v6 ? "::" : "0.0.0.0");
	assert_int_equal(conv_frame(c, SC_HALF_PRODUCTION, SC_TCP_ACK, 1, 0, 0), SC_R_BAD_CLIENT);
	assert_int_equal(COUNT(b, FLOWS_SEEN), 0);
	bed_end(b);
}

static void
tune_four(struct bed *b)
{
	b->cfg.max_flows = 4;
}

static void
flow_table_full(void **state)
{
	struct bed *b = bed_new(*state, tune_four);

	for (int i = 0; i < 6; i++)
		conv_shake(bed_conv(b));
	assert_int_equal(COUNT(b, FLOWS_LIVE_NOW), 4);
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, FLOW_TABLE_FULL), 2);
	bed_end(b);
}

static void
embryonic_quota(void **state)
{
	struct bed *b = bed_new(*state, tune_four);

	for (int i = 0; i < 3; i++)
		conv_syn(bed_conv(b));
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, EMBRYONIC_FULL), 1);
	assert_int_equal(COUNT(b, FLOWS_EMBRYONIC_NOW), 2);
	bed_end(b);
}

/* ---- the return path ---- */

static void
tune_unproven(struct bed *b)
{
	atomic_store(&b->path[0].state, SC_PATH_UNPROVEN);
	atomic_store(&b->path[1].state, SC_PATH_UNPROVEN);
}

/* One session opens alone; the others wait, and are not lost. */
static void
path_proven(void **state)
{
	struct bed *b = bed_new(*state, tune_unproven);
	struct conv *c[3];

	for (int i = 0; i < 3; i++) {
		c[i] = bed_conv(b);
		conv_shake(c[i]);
		conv_say(c[i], 20);
	}
	conv_take_syn(c[0]);
	bed_run(b, 500 * BED_MS);
	bed_silent(b);
	assert_int_equal(COUNT(b, FLOWS_EMBRYONIC_NOW), 2);
	conv_target_synack(c[0]);
	conv_expect(c[0], SC_TCP_ACK, 20);
	assert_int_equal(atomic_load(&path(b)->state), SC_PATH_OPEN);
	bed_run(b, 5 * BED_MS);
	conv_take_syn(c[2]);
	conv_take_syn(c[1]);
	conv_target_synack(c[1]);
	conv_expect(c[1], SC_TCP_ACK, 20);
	bed_end(b);
}

/* Three SYNs unanswered: closed, the waiting flows are refused; probed again 5 s later. */
static void
path_unproven(void **state)
{
	struct bed *b = bed_new(*state, tune_unproven);
	struct conv *c[4];

	for (int i = 0; i < 3; i++) {
		c[i] = bed_conv(b);
		conv_shake(c[i]);
		conv_say(c[i], 20);
	}
	bed_run(b, 2900 * BED_MS);
	for (int i = 0; i < 3; i++)
		conv_take_syn(c[0]);
	bed_silent(b);
	assert_int_equal(atomic_load(&path(b)->state), SC_PATH_PROBING);
	bed_run(b, 200 * BED_MS);
	assert_int_equal(atomic_load(&path(b)->state), SC_PATH_CLOSED);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, TARGET_UNANSWERED), 1);
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, RETURN_PATH_UNPROVEN), 2);
	assert_int_equal(COUNT_BY(b, BYTES_ABANDONED, RETURN_PATH_UNPROVEN), 40);
	c[3] = bed_conv(b);
	conv_shake(c[3]);
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, RETURN_PATH_UNPROVEN), 3);
	bed_silent(b);
	bed_run(b, 5 * BED_S);
	c[3]->cisn += 1000000;
	conv_shake(c[3]);
	conv_take_syn(c[3]);
	conv_target_synack(c[3]);
	conv_expect(c[3], SC_TCP_ACK, 0);
	assert_int_equal(atomic_load(&path(b)->state), SC_PATH_OPEN);
	bed_end(b);
}

/* A RST proves the way back as well; the prober's flow ends as refused. */
static void
path_proven_by_reset(void **state)
{
	struct bed *b = bed_new(*state, tune_unproven);
	struct conv *c = bed_conv(b);

	conv_shake(c);
	conv_take_syn(c);
	conv_record(c, SC_TCP_RST | SC_TCP_ACK, 0, c->tack, 0);
	assert_int_equal(atomic_load(&path(b)->state), SC_PATH_OPEN);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, TARGET_REFUSED), 1);
	bed_end(b);
}

static void
tune_unproven_copies(struct bed *b)
{
	tune_unproven(b);
	b->cfg.copies = 3;
}

/* Copies of the probing flow wait for session 0. */
static void
path_probed_by_one_copy(void **state)
{
	struct bed *b = bed_new(*state, tune_unproven_copies);
	struct conv *c = bed_conv(b);

	conv_shake(c);
	conv_take_syn(c);
	bed_run(b, 500 * BED_MS);
	bed_silent(b);
	conv_target_synack(c);
	conv_expect(c, SC_TCP_ACK, 0);
	bed_run(b, 21 * BED_MS);
	assert_int_equal(bed_take(b)->seg.flags, SC_TCP_SYN);
	assert_int_equal(bed_take(b)->seg.flags, SC_TCP_SYN);
	bed_end(b);
}

/* The breaker: under half of at least 20 SYNs in 5 s answered, and it must be proven anew. */
static void
circuit_breaker(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c;

	conv_shake(bed_conv(b)); /* begins the window */
	for (int i = 0; i < 20; i++) {
		c = bed_conv(b);
		conv_shake(c);
		b->nb_sent = 0;
	}
	assert_int_equal(atomic_load(&path(b)->state), SC_PATH_OPEN);
	b->now_us += 5 * BED_S;
	conv_shake(bed_conv(b));
	assert_int_equal(atomic_load(&path(b)->state), SC_PATH_UNPROVEN);
	bed_forget(b);
	c = bed_conv(b);
	conv_shake(c); /* the next prober */
	assert_int_equal(atomic_load(&path(b)->state), SC_PATH_PROBING);
	bed_end(b);
}

/* ---- SYN ---- */

static void
syn_options(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b), *d = bed_conv(b), *f = bed_conv(b);
	struct sent *s;

	conv_shake(c);
	s = conv_take_syn(c);
	assert_int_equal(s->seg.seq, c->cisn);
	assert_int_equal(s->seg.opts, SC_OPT_MSS | SC_OPT_WSCALE | SC_OPT_TS);
	assert_int_equal(s->seg.mss, 1400);
	assert_int_equal(s->seg.wscale, 7);
	assert_int_equal(s->seg.tsval, sc_clock_tsval(b->now_us));
	assert_int_equal(s->seg.tsecr, 0);
	d->mss = 9000; /* more than the test network carries */
	conv_shake(d);
	assert_int_equal(conv_take_syn(d)->seg.mss, b->v6 ? 1440 : 1460);
	f->opts = 0;
	conv_shake(f);
	assert_int_equal(conv_take_syn(f)->seg.opts, 0);
	bed_end(b);
}

/* ECN bits of the client are not passed on (check_frame looks at every frame). */
static void
syn_with_ecn(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_frame(c, SC_HALF_CLIENT, SC_TCP_SYN | SC_TCP_ECE | SC_TCP_CWR, c->cisn, 0, 0);
	c->cnxt = c->cisn + 1;
	conv_synack(c);
	conv_ack(c);
	conv_take_syn(c);
	bed_end(b);
}

/* RFC 6298: 1, 2, 4, 8, 16 s, then given up. */
static void
syn_retransmitted(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);
	uint64_t at, wait = BED_S;

	conv_shake(c);
	at = conv_take_syn(c)->at_us;
	for (int i = 0; i < 5; i++, wait *= 2) {
		uint64_t next;

		bed_run(b, wait + 2 * BED_MS);
		next = conv_take_syn(c)->at_us;
		assert_in_range(next - at, wait, wait + 2 * BED_MS);
		at = next;
	}
	bed_run(b, 33 * BED_S);
	bed_silent(b);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, TARGET_UNANSWERED), 1);
	assert_int_equal(COUNT_BY(b, CONN_CLOSED, CLOSED_UNOPENED), 1);
	bed_end(b);
}

static void
target_refused(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_shake(c);
	conv_say(c, 30);
	conv_take_syn(c);
	conv_record(c, SC_TCP_RST | SC_TCP_ACK, 0, c->tack + 5, 0); /* not for this SYN */
	conv_record(c, SC_TCP_RST, 0, 0, 0);
	assert_int_equal(COUNT(b, FLOWS_LIVE_NOW), 1);
	assert_int_equal(COUNT(b, ILLEGAL_EVENT), 2);
	conv_record(c, SC_TCP_RST | SC_TCP_ACK, 0, c->tack, 0);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, TARGET_REFUSED), 1);
	assert_int_equal(COUNT_BY(b, BYTES_ABANDONED, TARGET_REFUSED), 30);
	assert_int_equal(COUNT(b, CONNS_REOPENED), 0);
	conv_say(c, 30);
	bed_silent(b);
	bed_end(b);
}

static void
tune_on_syn(struct bed *b)
{
	b->cfg.open_on_syn = true;
}

/* open: syn opens at once; answers are counted from production's ISN all the same. */
static void
open_on_syn(void **state)
{
	struct bed *b = bed_new(*state, tune_on_syn);
	struct conv *c = bed_conv(b);

	conv_syn(c);
	conv_take_syn(c);
	conv_target_synack(c);
	conv_expect(c, SC_TCP_ACK, 0);
	conv_synack(c);
	conv_ack(c);
	conv_say(c, 30);
	conv_expect(c, SC_TCP_ACK, 30);
	conv_target_ack(c);
	conv_answer(c, 200);
	conv_say(c, 31);
	bed_silent(b);
	conv_target_answer(c, 200);
	conv_expect(c, SC_TCP_ACK, 31);
	assert_int_equal(COUNT(b, GATE_EXACT), 1);
	bed_end(b);
}

/* The same without production's half: the client's first ACK number is the base. */
static void
open_on_syn_client_only(void **state)
{
	struct bed *b = bed_new(*state, tune_on_syn);
	struct conv *c = bed_conv(b);

	conv_syn(c);
	c->pnxt++;
	conv_ack(c);
	conv_say(c, 30);
	conv_take_syn(c);
	conv_target_synack(c);
	conv_expect(c, SC_TCP_ACK, 30);
	bed_end(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			BOTH(sampled_out),
			BOTH(client_on_link),
			BOTH(family_mismatch),
			BOTH(not_selected),
			BOTH(flow_table_full),
			BOTH(embryonic_quota),
			BOTH(path_proven),
			BOTH(path_unproven),
			BOTH(path_proven_by_reset),
			BOTH(path_probed_by_one_copy),
			BOTH(circuit_breaker),
			BOTH(syn_options),
			BOTH(syn_with_ecn),
			BOTH(syn_retransmitted),
			BOTH(target_refused),
			BOTH(open_on_syn),
			BOTH(open_on_syn_client_only),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
