/* SPDX-License-Identifier: BSD-3-Clause */
/* Replay addresses and ports, and the way back from a response to its session. */
#include <string.h>
#include <test_eal.h>

#include "bed.h"

static void
own_port(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);
	struct sc_addr client;

	conv_open(c);
	assert_int_equal(sc_addr_parse(c->client, &client), 0);
	assert_true(sc_addr_eq(&c->raddr, &client));
	assert_int_equal(c->rport, c->cport);
	bed_end(b);
}

/* One client port to two production servers that share a target: the second gets another port. */
static void
port_taken(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b), *d = bed_conv(b);

	conv_open(c);
	d->cport = c->cport;
	d->sport = b->v6 ? 82 : 81;
	conv_open(d);
	assert_int_not_equal(d->rport, c->rport);
	assert_true(d->rport >= SC_STEER_PORT_MIN);
	conv_say(d, 20);
	conv_expect(d, SC_TCP_ACK, 20);
	conv_say(c, 20);
	conv_expect(c, SC_TCP_ACK, 20);
	bed_end(b);
}

static void
tune_twelve(struct bed *b)
{
	b->cfg.copies = 12;
}

/* Ten ports can be tried for a kept address; further copies are refused, and their bytes named. */
static void
no_tuple(void **state)
{
	struct bed *b = bed_new(*state, tune_twelve);
	struct conv *c = bed_conv(b);
	uint16_t ports[10];

	b->is_batched = true;
	conv_syn(c);
	conv_synack(c);
	conv_say(c, 30);
	bed_flush(b);
	for (int i = 0; i < 10; i++) {
		ports[i] = bed_take(b)->seg.sport;
		for (int k = 0; k < i; k++)
			assert_int_not_equal(ports[i], ports[k]);
	}
	bed_silent(b);
	assert_int_equal(COUNT(b, SESSIONS_STARTED), 10);
	assert_int_equal(COUNT_BY(b, SESSION_REFUSED, NO_TUPLE), 2);
	assert_int_equal(COUNT_BY(b, BYTES_ABANDONED, NO_TUPLE), 60);
	bed_end(b);
}

/* ---- pools ---- */

static void
tune_pool(struct bed *b)
{
	assert_int_equal(sc_pool_parse("10.50.0.1-3,fd50::1,fd50::2", &b->clients, NULL), 0);
	b->cfg.clients = &b->clients;
	b->cfg.copies = 2;
}

/* Copies come from the pool, address by address, each with its own way back. */
static void
pool(void **state)
{
	struct bed *b = bed_new(*state, tune_pool);
	struct conv *c = bed_conv(b), d;

	conv_shake(c);
	d = *c;
	conv_take_syn(c);
	conv_take_syn(&d);
	assert_true(sc_pool_contains(&b->clients, &c->raddr));
	assert_true(sc_pool_contains(&b->clients, &d.raddr));
	assert_false(sc_addr_eq(&c->raddr, &d.raddr));
	conv_target_synack(c);
	conv_expect(c, SC_TCP_ACK, 0);
	conv_say(c, 20);
	conv_expect(c, SC_TCP_ACK, 20);
	bed_silent(b);
	conv_target_synack(&d);
	conv_expect(&d, SC_TCP_ACK, 20);
	bed_end(b);
}

/* With a pool the client's family does not matter. */
static void
pool_across_families(void **state)
{
	struct bed *b = bed_new(*state, tune_pool);
	struct conv *c = bed_conv(b);

	c->sport = b->v6 ? 81 : 82;
	conv_shake(c);
	assert_int_equal(sc_addr_is_v4(&bed_take(b)->seg.src), b->v6);
	assert_int_equal(sc_addr_is_v4(&bed_take(b)->seg.src), b->v6);
	bed_end(b);
}

static void
tune_short_pool(struct bed *b)
{
	sc_steer_free(&b->steer);
	assert_int_equal(sc_steer_init(&b->steer, 16, 65536, NULL), 0);
	b->cfg.worker = 5;
	assert_int_equal(sc_pool_parse("10.50.0.1,fd50::1", &b->clients, NULL), 0);
	b->cfg.clients = &b->clients;
	b->cfg.copies = 4200;
}

/*
 * A worker's share of one address is used up; and a session that loses its connection finds no
 * tuple that has rested.
 */
static void
pool_used_up(void **state)
{
	struct bed *b = bed_new(*state, tune_short_pool);
	struct conv *c = bed_conv(b);
	uint64_t started;

	c->opts = SC_OPT_MSS;
	conv_shake(c);
	started = COUNT(b, SESSIONS_STARTED);
	assert_in_range(started, 3900, 4095);
	assert_int_equal(COUNT_BY(b, SESSION_REFUSED, NO_TUPLE), 4200 - started);
	conv_take_syn(c);
	bed_forget(b);
	conv_target_synack(c);
	conv_expect(c, SC_TCP_ACK, 0);
	conv_say(c, 30);
	conv_expect(c, SC_TCP_ACK, 30);
	conv_target_answer(c, 10);
	conv_target_fin(c);
	bed_forget(b);
	conv_answer(c, 10);
	conv_say(c, 31); /* the next turn wants another connection */
	assert_int_equal(COUNT_BY(b, SESSION_ENDED, NO_TUPLE), 1);
	assert_int_equal(COUNT_BY(b, BYTES_ABANDONED, NO_TUPLE), (4200 - started) * 61 + 31);
	bed_end(b);
}

static void
tune_one_address(struct bed *b)
{
	tune_short_pool(b);
	b->cfg.copies = 1;
}

/* ---- tuples used before ---- */

/* Without timestamps the ISN lies above the predecessor's last number; payload moves along. */
static void
isn_raised(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);
	uint32_t last;

	c->opts = SC_OPT_MSS;
	conv_open_said(c, 1000);
	conv_close(c);
	last = c->tack;
	b->now_us += 3 * BED_S;
	c->cisn += 100; /* below what was used */
	c->tisn += 500000;
	conv_shake(c);
	assert_int_equal(conv_take_syn(c)->seg.seq, last + 1);
	c->shift = last + 1 - c->cisn;
	conv_target_synack(c);
	conv_expect(c, SC_TCP_ACK, 0);
	conv_say(c, 100);
	conv_expect(c, SC_TCP_ACK, 100);
	conv_target_ack(c);
	conv_close(c);
	bed_end(b);
}

/* With timestamps on both sides the ISN stays: the TSval is newer. */
static void
isn_kept_with_timestamps(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 1000);
	conv_close(c);
	b->now_us += 3 * BED_S;
	c->cisn += 100;
	conv_shake(c);
	assert_int_equal(conv_take_syn(c)->seg.seq, c->cisn);
	bed_end(b);
}

/* Used again within the millisecond, the TSval is not newer: the number must be. */
static void
isn_raised_within_a_tick(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);
	uint64_t closed;

	conv_open_said(c, 1000);
	conv_close(c);
	closed = b->now_us;
	c->cisn += 100;
	conv_syn(c);
	conv_synack(c);
	conv_ack(c);
	assert_int_equal(sc_clock_tsval(b->now_us), sc_clock_tsval(closed));
	assert_true(sc_seq_geq(conv_take_syn(c)->seg.seq, c->cisn + 900));
	bed_end(b);
}

/* After a minute nobody remembers: nor do we. */
static void
isn_kept_after_time_wait(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	c->opts = SC_OPT_MSS;
	conv_open_said(c, 1000);
	conv_close(c);
	b->now_us += 61 * BED_S;
	c->cisn += 100;
	conv_shake(c);
	assert_int_equal(conv_take_syn(c)->seg.seq, c->cisn);
	bed_end(b);
}

/* Timestamps in our SYN are worth nothing if the predecessor had none. */
static void
isn_raised_after_one_without(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	c->opts = SC_OPT_MSS;
	conv_open_said(c, 1000);
	conv_close(c);
	b->now_us += 3 * BED_S;
	c->cisn += 100;
	c->opts = SC_OPT_MSS | SC_OPT_TS;
	conv_shake(c);
	assert_true(sc_seq_geq(conv_take_syn(c)->seg.seq, c->cisn + 900));
	bed_end(b);
}

/* ---- responses without a session ---- */

static void
stray(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 100);
	conv_close(c);
	conv_target_answer(c, 100);
	bed_silent(b);
	assert_int_equal(COUNT_BY(b, RESP_STRAY, STRAY_UNKNOWN), 1);
	/* its FIN again: our last ACK was lost, and it must leave LAST-ACK */
	c->tnxt -= 101;
	conv_record(c, SC_TCP_FIN | SC_TCP_ACK, c->tnxt, c->tack, 0);
	c->tnxt++;
	conv_expect(c, SC_TCP_ACK, 0);
	assert_int_equal(COUNT_BY(b, RESP_STRAY, STRAY_UNKNOWN), 2);
	c->target = 7; /* none of ours */
	conv_record(c, SC_TCP_FIN | SC_TCP_ACK, c->tnxt, c->tack, 0);
	bed_silent(b);
	bed_end(b);
}

static void
stray_pool(void **state)
{
	struct bed *b = bed_new(*state, tune_one_address);
	struct conv *c = bed_conv(b);

	conv_shake(c);
	conv_take_syn(c);
	c->rport ^= 1;
	conv_target_synack(c);
	c->raddr.b[15] ^= 4;
	conv_target_synack(c);
	assert_int_equal(COUNT_BY(b, RESP_STRAY, STRAY_UNKNOWN), 2);
	bed_silent(b);
	bed_end(b);
}

/* The pool must offer addresses of the target's family. */
static void
pool_without_family(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct sc_replay_cfg cfg = b->cfg;
	struct sc_err err;

	assert_int_equal(sc_pool_parse(b->v6 ? "10.50.0.1" : "fd50::1", &b->clients, NULL), 0);
	cfg.clients = &b->clients;
	assert_null(sc_replay_create(&cfg, &err));
	assert_non_null(strstr(err.text, b->v6 ? "no IPv6 address" : "no IPv4 address"));
	bed_end(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			BOTH(own_port),
			BOTH(port_taken),
			BOTH(no_tuple),
			BOTH(pool),
			BOTH(pool_across_families),
			BOTH(pool_used_up),
			BOTH(isn_raised),
			BOTH(isn_raised_within_a_tick),
			BOTH(isn_kept_with_timestamps),
			BOTH(isn_kept_after_time_wait),
			BOTH(isn_raised_after_one_without),
			BOTH(stray),
			BOTH(stray_pool),
			BOTH(pool_without_family),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
