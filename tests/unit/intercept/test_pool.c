/* SPDX-License-Identifier: BSD-3-Clause */
/* On-link client addresses: probing, answers, conflicts, limits. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ic_fix.h"
#include "sc_test.h"

static void
drop_hops(struct fix *f)
{
	f->ts.is_static = true; /* no resolution between the frames that are looked at */
}

/* A pool that has been probed. */
static struct fix *
probed(const char *pool)
{
	struct fix *f = fix_new();

	drop_hops(f);
	fix_start_pool(f, pool);
	for (int i = 0; i < 4; i++) {
		assert_false(sc_intercept_is_ready(f->ic));
		fix_tick(f, i == 0 ? 0 : 200);
		fix_flush(f);
	}
	assert_true(sc_intercept_is_ready(f->ic));
	return f;
}

static void
feed_ask(struct fix *f, const uint8_t *mac, const char *asker, const char *addr)
{
	fix_feed_arp(f,
			&(struct fix_arp){.op = 1,
					.src = mac,
					.dst = FIX_ALL,
					.sip = asker,
					.tip = addr});
}

static void
test_probing(void **state)
{
	struct fix *f = fix_new();
	struct sent s;

	(void)state;
	drop_hops(f);
	fix_start_pool(f, "10.9.0.100-101");
	for (int round = 0; round < 3; round++) {
		fix_tick(f, round == 0 ? 0 : 200);
		assert_true(fix_sent(f, &s));
		fix_assert_arp(&s, 1, FIX_ALL, "0.0.0.0", "10.9.0.100");
		assert_true(fix_sent(f, &s));
		fix_assert_arp(&s, 1, FIX_ALL, "0.0.0.0", "10.9.0.101");
		fix_tick(f, 199);
		fix_assert_silent(f);
		feed_ask(f, FIX_TARGET, "10.9.0.2", "10.9.0.100"); /* not ours yet */
		fix_assert_silent(f);
		assert_false(sc_intercept_is_ready(f->ic));
		f->now -= 199 * SC_US_PER_MS;
	}
	fix_tick(f, 200);
	assert_true(sc_intercept_is_ready(f->ic));
	fix_assert_silent(f); /* nothing gratuitous */
	fix_tick(f, 60000);
	fix_assert_silent(f);
	feed_ask(f, FIX_TARGET, "10.9.0.2", "10.9.0.100");
	assert_true(fix_sent(f, &s));
	fix_assert_arp(&s, 2, FIX_TARGET, "10.9.0.100", "10.9.0.2");
	fix_free(f);
}

static void
test_who_is_answered(void **state)
{
	struct fix *f = probed("10.9.0.100-101");
	struct sent s;

	(void)state;
	feed_ask(f, FIX_OTHER, "10.9.0.254", "10.9.0.101"); /* a next hop */
	assert_true(fix_sent(f, &s));
	fix_assert_arp(&s, 2, FIX_OTHER, "10.9.0.101", "10.9.0.254");
	feed_ask(f, FIX_OTHER, "10.9.0.77", "10.9.0.100"); /* a stranger of our network */
	feed_ask(f, FIX_OTHER, "0.0.0.0", "10.9.0.100");   /* a probe */
	feed_ask(f, FIX_TARGET, "10.9.0.2", "10.9.0.102"); /* not of the pool */
	fix_assert_silent(f);
	assert_int_equal(sc_intercept_conflicts(f->ic), 0); /* a probe takes nothing away */
	fix_free(f);
}

static void
test_who_is_answered_v6(void **state)
{
	static const uint8_t group[6] = {0x33, 0x33, 0xff, 0, 1, 0};
	struct fix *f = probed("fd00:9::100");
	struct fix_nd ask = {.type = 135,
			.opt = 1,
			.src = FIX_TARGET,
			.dst = group,
			.sip = "fd00:9::2",
			.dip = "ff02::1:ff00:100",
			.target = "fd00:9::100"};
	struct sent s;

	(void)state;
	fix_feed_nd(f, &ask);
	assert_true(fix_sent(f, &s));
	fix_assert_nd(&s, 136, FIX_TARGET, "fd00:9::100", "fd00:9::2", "fd00:9::100");
	assert_int_equal(s.p[44], 0x40);
	ask.sip = "fd00:9::77";
	fix_feed_nd(f, &ask);
	ask.sip = "fe80::2"; /* somebody's, as long as no next hop has this MAC */
	fix_feed_nd(f, &ask);
	ask.sip = "::";
	ask.opt = 0;
	fix_feed_nd(f, &ask);
	fix_assert_silent(f);
	f->ts.is_static = false;
	fix_feed_nd(f,
			&(struct fix_nd){.type = 136,
					.flags = 0x40,
					.opt = 2,
					.src = FIX_TARGET,
					.dst = FIX_BOX,
					.sip = "fd00:9::2",
					.dip = "fd00:9::1",
					.target = "fd00:9::2"});
	ask.sip = "fe80::2"; /* now it is the target's, by its MAC */
	ask.opt = 1;
	fix_feed_nd(f, &ask);
	assert_true(fix_sent(f, &s));
	fix_assert_nd(&s, 136, FIX_TARGET, "fd00:9::100", "fe80::2", "fd00:9::100");
	ask.src = FIX_OTHER;
	fix_feed_nd(f, &ask);
	fix_assert_silent(f);
	fix_free(f);
}

static void
test_probing_v6(void **state)
{
	static const uint8_t group[6] = {0x33, 0x33, 0xff, 0, 1, 0};
	struct fix *f = fix_new();
	struct sent s;

	(void)state;
	drop_hops(f);
	fix_start_pool(f, "fd00:9::100");
	for (int round = 0; round < 3; round++) {
		fix_tick(f, round == 0 ? 0 : 200);
		assert_true(fix_sent(f, &s));
		fix_assert_nd(&s, 135, group, "::", "ff02::1:ff00:100", "fd00:9::100");
		assert_int_equal(s.p[5], 24); /* no option (RFC 4862 section 5.4.2) */
		fix_assert_silent(f);
	}
	fix_feed_nd(f,
			&(struct fix_nd){.type = 136,
					.flags = 0x20,
					.opt = 2,
					.src = FIX_OTHER,
					.dst = group,
					.sip = "fd00:9::100",
					.dip = "ff02::1",
					.target = "fd00:9::100"});
	assert_int_equal(sc_intercept_conflicts(f->ic), 1);
	fix_tick(f, 200);
	assert_true(sc_intercept_is_ready(f->ic));
	fix_free(f);
}

/* Each of these makes an address somebody else's while it is probed. */
static void
test_conflict_while_probing(void **state)
{
	struct fix *f = fix_new();

	(void)state;
	drop_hops(f);
	fix_start_pool(f, "10.9.0.100-103");
	fix_tick(f, 0);
	assert_int_equal(fix_flush(f), 4);
	fix_feed_arp(f,
			&(struct fix_arp){.op = 2, /* an answer to our probe */
					.src = FIX_OTHER,
					.dst = FIX_BOX,
					.sip = "10.9.0.100",
					.tip = "0.0.0.0"});
	feed_ask(f, FIX_OTHER, "0.0.0.0", "10.9.0.101");    /* probed by another, too */
	feed_ask(f, FIX_OTHER, "10.9.0.102", "10.9.0.254"); /* in use */
	feed_ask(f, FIX_BOX, "0.0.0.0", "10.9.0.103");      /* our own, sent back */
	assert_int_equal(sc_intercept_conflicts(f->ic), 3);
	assert_int_equal(fix_warnings, 3);
	assert_non_null(strstr(fix_log,
			"address_conflict: client address 10.9.0.102 is used by "
			"02:00:00:00:00:77"));
	fix_tick(f, 200);
	assert_int_equal(fix_flush(f), 1);
	fix_tick(f, 200);
	fix_flush(f);
	fix_tick(f, 200);
	assert_true(sc_intercept_is_ready(f->ic));
	for (int i = 100; i < 104; i++) {
		char addr[16];

		snprintf(addr, sizeof(addr), "10.9.0.%d", i);
		feed_ask(f, FIX_TARGET, "10.9.0.2", addr);
		assert_int_equal(fix_flush(f), i == 103 ? 1 : 0);
	}
	fix_free(f);
}

static void
test_conflict_later(void **state)
{
	struct fix *f = probed("10.9.0.100-101");

	(void)state;
	for (int i = 0; i < 3; i++)
		feed_ask(f, FIX_OTHER, "10.9.0.100", "10.9.0.100"); /* gratuitous */
	assert_int_equal(fix_warnings, 1);
	assert_int_equal(sc_intercept_conflicts(f->ic), 1);
	fix_assert_silent(f); /* not defended */
	feed_ask(f, FIX_TARGET, "10.9.0.2", "10.9.0.100");
	fix_assert_silent(f);
	feed_ask(f, FIX_TARGET, "10.9.0.2", "10.9.0.101");
	assert_int_equal(fix_flush(f), 1);
	fix_free(f);
}

/* 900 addresses: the queue of frames is never full, and all are probed three times. */
static void
test_pacing(void **state)
{
	struct fix *f = fix_new();
	unsigned int all = 0, ticks = 0;

	(void)state;
	fix_start_pool(f, "10.9.1.1-255,10.9.2.0-255,10.9.3.0-255,10.9.4.0-132");
	assert_int_equal(f->on_link.nb, 900);
	f->ts.is_static = true;
	while (!sc_intercept_is_ready(f->ic) && ticks++ < 1000) {
		fix_tick(f, 10);
		if (ticks % 2 == 0) /* a sender that is slower than the ticks */
			all += fix_flush(f);
	}
	assert_int_equal(all, 2700);
	assert_in_range(ticks, 60, 120);
	fix_free(f);
}

static void
test_refusals(void **state)
{
	static const char *const taken[] = {"10.9.0.2", "10.9.0.1", "10.9.0.254", "fd00:9::2"};
	struct fix *f = fix_new();
	struct sc_err err;

	(void)state;
	f->cfg.on_link = &f->on_link;
	for (size_t i = 0; i < SC_ARRAY_SIZE(taken); i++) {
		assert_int_equal(sc_pool_parse(taken[i], &f->on_link, &err), 0);
		assert_null(sc_intercept_create(&f->cfg, &err));
		assert_int_equal(errno, EINVAL);
		assert_non_null(strstr(err.text, taken[i]));
		sc_pool_free(&f->on_link);
		memset(&f->on_link, 0, sizeof(f->on_link));
	}
	f->cfg.neighbour_limit = 2;
	assert_int_equal(sc_pool_parse("10.9.0.100-102", &f->on_link, &err), 0);
	assert_null(sc_intercept_create(&f->cfg, &err));
	assert_int_equal(errno, E2BIG);
	assert_non_null(strstr(err.text, "neighbour_limit 2"));
	f->cfg.do_neighbours = false; /* then the pool is another's business */
	fix_start(f);
	assert_true(sc_intercept_is_ready(f->ic));
	fix_free(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_probing),
			cmocka_unit_test(test_who_is_answered),
			cmocka_unit_test(test_who_is_answered_v6),
			cmocka_unit_test(test_probing_v6),
			cmocka_unit_test(test_conflict_while_probing),
			cmocka_unit_test(test_conflict_later),
			cmocka_unit_test(test_pacing),
			cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, fix_group_setup, fix_group_teardown);
}
