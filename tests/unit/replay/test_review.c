/* SPDX-License-Identifier: BSD-3-Clause */
/* Corners: what flows, sources and limits do to each other. */
#include <string.h>
#include <test_eal.h>

#include "bed.h"

/* ---- the return path ---- */

static void
tune_unproven(struct bed *b)
{
	atomic_store(&b->path[0].state, SC_PATH_UNPROVEN);
	atomic_store(&b->path[1].state, SC_PATH_UNPROVEN);
}

/* Whatever a target says to our tuple came by the return path: it need not be a SYN-ACK. */
static void
stale_proves_path(void **state)
{
	struct bed *b = bed_new(*state, tune_unproven);
	struct conv *c = bed_conv(b);

	conv_shake(c);
	conv_take_syn(c);
	conv_record(c, SC_TCP_ACK, c->tisn, c->tack + 5000, 0);
	assert_int_equal(atomic_load(&b->path[b->v6].state), SC_PATH_OPEN);
	bed_end(b);
}

/* ---- file sources: who waits for whom ---- */

static void
tune_small_file(struct bed *b)
{
	b->cfg.is_file = true;
	b->cfg.max_flows = 8;
}

/* A full table is worth a wait only when something in it ends without another frame. */
static void
file_waits_for_ends(void **state)
{
	struct bed *b = bed_new(*state, tune_small_file);
	struct conv *c = NULL;

	for (int i = 0; i < 7; i++)
		conv_open(bed_conv(b));
	assert_false(sc_replay_should_wait(b->e));
	c = &b->conv[3];
	conv_fin(c);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	assert_true(sc_replay_should_wait(b->e));
	conv_record(c, SC_TCP_FIN | SC_TCP_ACK, c->tnxt, c->tack, 0);
	assert_int_equal(COUNT(b, FLOWS_LIVE_NOW), 6);
	bed_forget(b);
	assert_false(sc_replay_should_wait(b->e));
	conv_open(bed_conv(b));
	conv_open(bed_conv(b));
	conv_shake(bed_conv(b));
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, FLOW_TABLE_FULL), 1);
	bed_end(b);
}

/* The source may stand still between a SYN and its next frame. */
static void
file_keeps_embryonic(void **state)
{
	struct bed *b = bed_new(*state, tune_small_file);
	struct conv *c = bed_conv(b), *d = bed_conv(b);
	uint64_t at_us = b->now_us;

	conv_syn(c);
	conv_syn(d);
	conv_synack(d);
	bed_run(b, 30 * BED_S);
	assert_int_equal(COUNT(b, FLOWS_EMBRYONIC_NOW), 2);
	b->cap_us = at_us + 5 * BED_S;
	conv_ack(d);
	b->cap_us = 0;
	conv_take_syn(d);
	bed_run(b, 2 * BED_S);
	assert_int_equal(COUNT(b, FLOWS_EMBRYONIC_NOW), 1);
	conv_ack(d); /* captured 32 s later */
	bed_run(b, 2 * BED_S);
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, NEVER_OPENED), 1);
	bed_forget(b);
	bed_end(b);
}

static void
tune_path_file(struct bed *b)
{
	tune_unproven(b);
	b->cfg.is_file = true;
}

/* While a path is probed a file has time. */
static void
file_waits_for_path(void **state)
{
	struct bed *b = bed_new(*state, tune_path_file);
	struct conv *c = bed_conv(b), *d = bed_conv(b);

	conv_shake(c);
	conv_take_syn(c);
	assert_false(sc_replay_should_wait(b->e));
	conv_shake(d);
	bed_silent(b);
	assert_true(sc_replay_should_wait(b->e));
	conv_target_synack(c);
	conv_expect(c, SC_TCP_ACK, 0);
	bed_run(b, 10 * BED_MS);
	conv_take_syn(d);
	assert_false(sc_replay_should_wait(b->e));
	bed_end(b);
}

#define FLOW_TUPLES 2500 /* copies: more than half of a worker's tuples */

/* One address, and this worker has a sixteenth of its ports. */
static void
tune_scarce(struct bed *b)
{
	sc_steer_free(&b->steer);
	assert_int_equal(sc_steer_init(&b->steer, 16, 65536, NULL), 0);
	assert_int_equal(sc_pool_parse("10.50.0.1,fd50::1", &b->clients, NULL), 0);
	b->cfg.clients = &b->clients;
	b->cfg.is_file = true;
	b->cfg.copies = FLOW_TUPLES;
}

static void
tune_too_scarce(struct bed *b)
{
	tune_scarce(b);
	b->cfg.copies = 2 * FLOW_TUPLES;
}

/* Answer every SYN by RST. */
static void
refuse_all(struct bed *b, struct conv *c)
{
	for (int i = 0; i < 40; i++) {
		for (unsigned int k = 0; k < b->nb_sent; k++) {
			const struct sc_seg *s = &b->sent[k].seg;

			assert_int_equal(s->flags, SC_TCP_SYN);
			c->raddr = s->src;
			c->rport = s->sport;
			conv_record(c, SC_TCP_RST | SC_TCP_ACK, 0, s->seq + 1, 0);
		}
		bed_forget(b);
		bed_run(b, 300);
	}
}

/* A flow of a file waits until tuples have come back and rested. */
static void
file_waits_for_tuples(void **state)
{
	struct bed *b = bed_new(*state, tune_scarce);
	struct conv *c = bed_conv(b), *d = bed_conv(b);

	conv_shake(c);
	conv_shake(d);
	assert_int_equal(COUNT(b, FLOWS_ADMITTED), 1);
	assert_false(sc_replay_should_wait(b->e)); /* the first flow needs more frames to end */
	refuse_all(b, c);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, TARGET_REFUSED), 1);
	assert_true(sc_replay_should_wait(b->e));
	bed_run(b, BED_S);
	assert_int_equal(COUNT(b, FLOWS_ADMITTED), 1);
	for (int i = 0; i < 5000; i++) {
		bed_run(b, 200);
		refuse_all(b, d);
		if (COUNT(b, FLOWS_LIVE_NOW) + COUNT(b, FLOWS_EMBRYONIC_NOW) == 0)
			break;
	}
	assert_int_equal(COUNT(b, SESSIONS_STARTED), 2 * FLOW_TUPLES);
	assert_int_equal(COUNT_BY(b, SESSION_REFUSED, NO_TUPLE), 0);
	assert_false(sc_replay_should_wait(b->e));
	bed_end(b);
}

/* A pool that never could do is no reason to wait. */
static void
file_with_small_pool(void **state)
{
	struct bed *b = bed_new(*state, tune_too_scarce);
	struct conv *c = bed_conv(b);

	conv_shake(c);
	assert_int_equal(COUNT(b, FLOWS_ADMITTED), 1);
	assert_true(COUNT_BY(b, SESSION_REFUSED, NO_TUPLE) > 0);
	refuse_all(b, c);
	assert_int_equal(COUNT(b, FLOWS_LIVE_NOW), 0);
	bed_end(b);
}

/* A reopening waits for a tuple, too. */
static void
file_reopens_later(void **state)
{
	struct bed *b = bed_new(*state, tune_too_scarce);
	struct conv *c = bed_conv(b), others;

	conv_shake(c);
	others = *c;
	conv_take_syn(c);
	refuse_all(b, &others);
	assert_int_equal(COUNT(b, SESSIONS_LIVE_NOW), 1);
	conv_target_synack(c);
	conv_expect(c, SC_TCP_ACK, 0);
	conv_say(c, 20);
	conv_expect(c, SC_TCP_ACK, 20);
	conv_target_answer(c, 10);
	conv_answer(c, 10);
	conv_target_fin(c);
	bed_forget(b);
	conv_say(c, 30);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	bed_run(b, BED_S);
	bed_silent(b);
	bed_run(b, BED_S);
	conv_take_syn(c);
	conv_target_synack(c);
	conv_expect(c, SC_TCP_ACK, 30);
	assert_int_equal(COUNT(b, CONNS_REOPENED), 1);
	bed_end(b);
}

/* ---- live sources ---- */

/* Between two requests a connection that was open before the start may be idle for a while. */
static void
join_after_idle(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	c->cnxt = c->cisn;
	conv_say(c, 30);
	conv_answer(c, 100);
	bed_run(b, 40 * BED_S);
	conv_say(c, 30);
	conv_take_syn(c);
	bed_run(b, BED_MS);
	bed_end(b);
}

/* What begins while the box stops is not begun. */
static void
no_start_while_draining(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	sc_replay_drain(b->e, b->now_us);
	bed_run(b, 10 * BED_MS);
	conv_shake(c);
	conv_say(c, 10);
	bed_silent(b);
	assert_int_equal(COUNT(b, FLOWS_SEEN), 0);
	assert_true(sc_replay_is_idle(b->e));
	assert_int_equal(COUNT_BY(b, FRAME_REFUSED, STOPPED), 2);
	bed_end(b);
}

static void
tune_lag(struct bed *b)
{
	b->cfg.max_lag_us = 5 * BED_S;
}

/* Bytes that cannot leave in time end their session, however busy the connection is. */
static void
shed_for_lag(void **state)
{
	struct bed *b = bed_new(*state, tune_lag);
	struct conv *c = bed_conv(b), *d = bed_conv(b);

	conv_open(c);
	c->twnd = 0;
	conv_target_ack(c);
	conv_say(c, 100);
	conv_open_said(d, 40); /* waits for the client, not the client for it */
	bed_forget(b);
	for (int i = 0; i < 48; i++) {
		bed_run(b, 100 * BED_MS);
		conv_target_answer(c, 10);
	}
	assert_int_equal(COUNT(b, SESSIONS_LIVE_NOW), 2);
	bed_forget(b);
	bed_run(b, 300 * BED_MS);
	assert_int_equal(COUNT_BY(b, SESSION_ENDED, SHED_LAG), 1);
	assert_int_equal(COUNT_BY(b, BYTES_ABANDONED, SHED_LAG), 100);
	assert_int_equal(COUNT(b, TX_RST), 1);
	assert_int_equal(COUNT(b, SESSIONS_LIVE_NOW), 1);
	conv_say(c, 30);
	assert_int_equal(COUNT_BY(b, BYTES_REFUSED, SHED_LAG), 30);
	bed_end(b);
}

static void
tune_lag_file(struct bed *b)
{
	tune_lag(b);
	b->cfg.is_file = true;
}

static void
file_is_never_shed(void **state)
{
	struct bed *b = bed_new(*state, tune_lag_file);
	struct conv *c = bed_conv(b);

	conv_open(c);
	c->twnd = 0;
	conv_target_ack(c);
	conv_say(c, 100);
	bed_run(b, 20 * BED_S);
	bed_forget(b);
	c->twnd = 512;
	conv_target_ack(c);
	conv_expect(c, SC_TCP_ACK, 100);
	bed_end(b);
}

/* The FIN that we make at the stop has not lagged, however old the client's last word is. */
static void
no_shedding_of_ends(void **state)
{
	struct bed *b = bed_new(*state, tune_lag);
	struct conv *c = bed_conv(b);

	conv_open(c);
	conv_say(c, 40);
	conv_expect(c, SC_TCP_ACK, 40);
	bed_run(b, 3 * BED_S);
	conv_target_ack(c); /* it has 5 s from here for its first byte */
	bed_forget(b);
	conv_answer(c, 100);
	conv_ack(c);
	bed_run(b, 2500 * BED_MS);
	sc_replay_drain(b->e, b->now_us);
	bed_run(b, BED_S);
	bed_silent(b);
	conv_target_answer(c, 100);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	conv_target_fin(c);
	assert_int_equal(COUNT_BY(b, SESSION_ENDED, COMPLETE_OPEN), 1);
	bed_forget(b);
	bed_end(b);
}

static void
tune_many(struct bed *b)
{
	assert_int_equal(sc_pool_parse("10.50.0.1,fd50::1", &b->clients, NULL), 0);
	b->cfg.clients = &b->clients;
	b->cfg.copies = 400;
}

/* More connections than frames fit: each of them gets its RST. */
static void
stop_of_many(void **state)
{
	struct bed *b = bed_new(*state, tune_many);
	struct conv *c = bed_conv(b);
	unsigned int rounds = 0;

	conv_shake(c);
	assert_int_equal(b->nb_sent, 400);
	for (unsigned int i = 0; i < 400; i++) {
		c->raddr = b->sent[i].seg.src;
		c->rport = b->sent[i].seg.sport;
		c->tack = b->sent[i].seg.seq + 1;
		conv_target_synack(c);
	}
	bed_forget(b);
	while (!sc_replay_stop(b->e, b->now_us)) {
		bed_collect(b);
		rounds++;
	}
	assert_int_equal(rounds, 1);
	assert_int_equal(COUNT(b, TX_RST), 400);
	bed_end(b);
}

/* A target that keeps its half open after our FIN is no reason to call the replay incomplete. */
static void
stop_of_half_closed(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b), *d = bed_conv(b);

	conv_open_said(c, 40);
	conv_open_said(d, 40);
	sc_replay_drain(b->e, b->now_us);
	bed_run(b, BED_MS);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	conv_expect(d, SC_TCP_FIN | SC_TCP_ACK, 0);
	conv_target_ack(c);
	bed_run(b, 10 * BED_MS);
	assert_true(sc_replay_stop(b->e, b->now_us));
	bed_collect(b);
	conv_expect(c, SC_TCP_RST | SC_TCP_ACK, 0);
	assert_int_equal(COUNT_BY(b, SESSION_ENDED, COMPLETE_OPEN), 1);
	assert_int_equal(COUNT_BY(b, SESSION_ENDED, STOPPED), 1);
	bed_forget(b);
	bed_end(b);
}

/* The transmit guard never lets a production server's address pass: such a client is refused. */
static void
server_as_client(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b), *d = bed_conv(b);

	c->sport = d->sport = b->v6 ? 82 : 81; /* of any server */
	strcpy(c->server, b->v6 ? "fd02::7" : "10.2.0.7");
	strcpy(d->server, c->server);
	strcpy(c->client, b->v6 ? "fd02::1" : "10.2.0.1");
	conv_shake(c);
	strcpy(d->client, b->v6 ? "fd09::2" : "10.9.0.2");
	conv_shake(d);
	bed_silent(b);
	assert_int_equal(COUNT_BY(b, FLOW_REFUSED, BAD_CLIENT), 2);
	bed_end(b);
}

/* A breaker that opens while live sessions hold every tuple must not stop the source for good. */
static void
file_goes_on_unproven(void **state)
{
	struct bed *b = bed_new(*state, tune_scarce);
	struct conv *c = bed_conv(b), *d = bed_conv(b);

	conv_shake(c);
	conv_shake(d);
	assert_int_equal(COUNT(b, FLOWS_ADMITTED), 1);
	tune_unproven(b);
	assert_false(sc_replay_should_wait(b->e));
	bed_forget(b);
	for (int i = 0; i < 20; i++) {
		bed_run(b, 300);
		bed_forget(b);
	}
	bed_end(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			BOTH(stale_proves_path),
			BOTH(file_waits_for_ends),
			BOTH(file_keeps_embryonic),
			BOTH(file_waits_for_path),
			BOTH(file_waits_for_tuples),
			BOTH(file_with_small_pool),
			BOTH(file_reopens_later),
			BOTH(join_after_idle),
			BOTH(no_start_while_draining),
			BOTH(shed_for_lag),
			BOTH(file_is_never_shed),
			BOTH(no_shedding_of_ends),
			BOTH(stop_of_many),
			BOTH(stop_of_half_closed),
			BOTH(server_as_client),
			BOTH(file_goes_on_unproven),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
