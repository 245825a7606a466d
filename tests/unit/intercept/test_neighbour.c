/* SPDX-License-Identifier: BSD-3-Clause */
/* Next hops: resolution, verification, changed MACs; answers for the box's own addresses. */
#include <string.h>

#include "ic_fix.h"
#include "sc_test.h"

#define HOP_V4 0 /* 10.9.0.2, the order of the rules */
#define HOP_V6 1 /* fd00:9::2 */
#define HOP_GW 2 /* 10.9.0.254 */

static enum sc_neigh_state
state_of(const struct fix *f, unsigned int hop)
{
	uint8_t mac[6];

	return sc_nexthop_get(&f->ts.nexthop[hop], mac);
}

static void
assert_mac(const struct fix *f, unsigned int hop, const uint8_t mac[6])
{
	uint8_t got[6];

	sc_nexthop_get(&f->ts.nexthop[hop], got);
	assert_memory_equal(got, mac, 6);
}

static void
feed_arp_reply(struct fix *f, const char *addr, const uint8_t *mac)
{
	fix_feed_arp(f,
			&(struct fix_arp){.op = 2,
					.src = mac,
					.dst = FIX_BOX,
					.sip = addr,
					.tip = "10.9.0.1"});
}

static void
feed_na(struct fix *f, const uint8_t *mac)
{
	fix_feed_nd(f,
			&(struct fix_nd){.type = 136,
					.flags = 0x60,
					.opt = 2,
					.src = mac,
					.dst = FIX_BOX,
					.sip = "fd00:9::2",
					.dip = "fd00:9::1",
					.target = "fd00:9::2"});
}

/* A next hop announces itself to all: only a claim. */
static void
feed_claim(struct fix *f, const uint8_t *mac)
{
	fix_feed_arp(f,
			&(struct fix_arp){.op = 1,
					.src = mac,
					.dst = FIX_ALL,
					.sip = "10.9.0.2",
					.tip = "10.9.0.2"});
}

static const uint8_t GATEWAY[6] = {2, 0, 0, 0, 0, 0xfe};

/* An intercept whose three next hops have answered; due again 30 s later. */
static struct fix *
resolved(void)
{
	struct fix *f = fix_new();

	fix_start(f);
	fix_tick(f, 0);
	assert_int_equal(fix_flush(f), 3);
	feed_arp_reply(f, "10.9.0.2", FIX_TARGET);
	feed_arp_reply(f, "10.9.0.254", GATEWAY);
	feed_na(f, FIX_TARGET);
	fix_assert_silent(f);
	return f;
}

static void
test_resolution(void **state)
{
	struct fix *f = fix_new();
	static const uint8_t group[6] = {0x33, 0x33, 0xff, 0, 0, 2};
	struct sent s;

	(void)state;
	fix_start(f);
	assert_true(sc_intercept_is_ready(f->ic)); /* no pool to probe */
	fix_tick(f, 0);
	assert_true(fix_sent(f, &s));
	fix_assert_arp(&s, 1, FIX_ALL, "10.9.0.1", "10.9.0.2");
	assert_true(fix_sent(f, &s));
	fix_assert_nd(&s, 135, group, "fd00:9::1", "ff02::1:ff00:2", "fd00:9::2");
	assert_int_equal(s.p[64], 1); /* source link-layer address */
	assert_memory_equal(s.p + 66, FIX_BOX, 6);
	assert_true(fix_sent(f, &s));
	fix_assert_arp(&s, 1, FIX_ALL, "10.9.0.1", "10.9.0.254");
	fix_assert_silent(f);
	assert_int_equal(state_of(f, HOP_V4), SC_NEIGH_NONE);

	feed_arp_reply(f, "10.9.0.2", FIX_TARGET);
	feed_na(f, FIX_TARGET);
	for (unsigned int hop = HOP_V4; hop <= HOP_V6; hop++) {
		assert_int_equal(state_of(f, hop), SC_NEIGH_REACHABLE);
		assert_mac(f, hop, FIX_TARGET);
		assert_int_equal(f->ts.nexthop[hop].version, 1);
	}
	fix_tick(f, 1000); /* the gateway has not answered yet */
	assert_true(fix_sent(f, &s));
	fix_assert_arp(&s, 1, FIX_ALL, "10.9.0.1", "10.9.0.254");
	fix_assert_silent(f);
	assert_int_equal(f->stats.live.c[SC_C_RESP_NEIGHBOUR], 2);
	assert_int_equal(f->stats.live.c[SC_C_NEIGH_TX], 0); /* who transmits them counts */
	fix_free(f);
}

static void
test_no_answer(void **state)
{
	struct fix *f = fix_new();

	(void)state;
	fix_start(f);
	for (int i = 0; i < 3; i++) {
		fix_tick(f, i == 0 ? 0 : 1000);
		assert_int_equal(fix_flush(f), 3);
		fix_tick(f, 0);
		fix_assert_silent(f);
		assert_int_equal(state_of(f, HOP_V4), SC_NEIGH_NONE);
	}
	fix_tick(f, 1000);
	assert_int_equal(fix_flush(f), 3);
	assert_int_equal(state_of(f, HOP_V4), SC_NEIGH_FAILED);
	assert_int_equal(state_of(f, HOP_V6), SC_NEIGH_FAILED);
	assert_int_equal(fix_warnings, 3);
	assert_non_null(strstr(fix_log, "does not answer ARP requests from 10.9.0.1"));
	fix_tick(f, 4999);
	fix_assert_silent(f);
	fix_tick(f, 1);
	assert_int_equal(fix_flush(f), 3);
	assert_int_equal(fix_warnings, 3); /* said once */

	feed_claim(f, FIX_TARGET); /* overheard: not believed, but asked at once */
	assert_int_equal(state_of(f, HOP_V4), SC_NEIGH_FAILED);
	fix_tick(f, 1);
	assert_int_equal(fix_flush(f), 1);
	feed_arp_reply(f, "10.9.0.2", FIX_TARGET);
	assert_int_equal(state_of(f, HOP_V4), SC_NEIGH_REACHABLE);
	fix_free(f);
}

/* What does not resolve: answers to others, from nobody's MAC, without option, or not valid. */
static void
test_not_believed(void **state)
{
	static const uint8_t group_mac[6] = {3, 0, 0, 0, 0, 1};
	struct fix *f = fix_new();
	struct fix_nd na = {.type = 136,
			.flags = 0x60,
			.opt = 2,
			.src = FIX_TARGET,
			.dst = FIX_BOX,
			.sip = "fd00:9::2",
			.dip = "fd00:9::1",
			.target = "fd00:9::2"};

	(void)state;
	fix_start(f);
	fix_tick(f, 0);
	feed_claim(f, FIX_TARGET);
	feed_arp_reply(f, "10.9.0.2", group_mac);
	feed_arp_reply(f, "10.9.0.2", FIX_BOX);
	fix_feed_arp(f,
			&(struct fix_arp){.op = 2,
					.src = FIX_TARGET,
					.dst = FIX_OTHER,
					.sip = "10.9.0.2",
					.tip = "10.9.0.9"});
	fix_feed_arp(f,
			&(struct fix_arp){.op = 2,
					.src = FIX_TARGET,
					.dst = FIX_BOX,
					.sip = "10.9.0.2",
					.tip = "10.9.0.1",
					.vid = 5});
	assert_int_equal(state_of(f, HOP_V4), SC_NEIGH_NONE);
	na.hops = 254;
	fix_feed_nd(f, &na);
	na.hops = 0;
	na.is_broken = true;
	fix_feed_nd(f, &na);
	na.is_broken = false;
	na.opt = 0;
	fix_feed_nd(f, &na);
	na.opt = 2;
	na.flags = 0x20; /* not solicited */
	fix_feed_nd(f, &na);
	assert_int_equal(state_of(f, HOP_V6), SC_NEIGH_NONE);
	assert_int_equal(f->stats.live.c[SC_C_RESP_NEIGHBOUR], 9);
	na.flags = 0x40;
	fix_feed_nd(f, &na);
	assert_int_equal(state_of(f, HOP_V6), SC_NEIGH_REACHABLE);
	fix_free(f);
}

static void
test_verification(void **state)
{
	struct fix *f = resolved();
	struct sent s;

	(void)state;
	fix_tick(f, 29999);
	fix_assert_silent(f);
	fix_tick(f, 1);
	assert_true(fix_sent(f, &s));
	fix_assert_arp(&s, 1, FIX_TARGET, "10.9.0.1", "10.9.0.2"); /* unicast */
	assert_true(fix_sent(f, &s));
	fix_assert_nd(&s, 135, FIX_TARGET, "fd00:9::1", "fd00:9::2", "fd00:9::2");
	assert_int_equal(fix_flush(f), 1);
	assert_int_equal(state_of(f, HOP_V4), SC_NEIGH_STALE);
	assert_mac(f, HOP_V4, FIX_TARGET); /* still used */
	feed_arp_reply(f, "10.9.0.2", FIX_TARGET);
	feed_arp_reply(f, "10.9.0.254", GATEWAY);
	/* RFC 4861 section 4.4: a unicast answer may leave the option out. */
	fix_feed_nd(f,
			&(struct fix_nd){.type = 136,
					.flags = 0x40,
					.src = FIX_TARGET,
					.dst = FIX_BOX,
					.sip = "fd00:9::2",
					.dip = "fd00:9::1",
					.target = "fd00:9::2"});
	for (unsigned int hop = HOP_V4; hop <= HOP_GW; hop++) {
		assert_int_equal(state_of(f, hop), SC_NEIGH_REACHABLE);
		assert_int_equal(f->ts.nexthop[hop].version, 1);
	}
	fix_tick(f, 29999);
	fix_assert_silent(f);
	fix_free(f);
}

/* A target that was replaced while nothing was said: found by verification. */
static void
test_silent_replacement(void **state)
{
	struct fix *f = resolved();
	struct sent s;

	(void)state;
	fix_tick(f, 30000);
	fix_flush(f);
	feed_arp_reply(f, "10.9.0.254", GATEWAY);
	feed_na(f, FIX_TARGET);
	for (int i = 0; i < 2; i++) {
		fix_tick(f, 1000);
		assert_true(fix_sent(f, &s));
		fix_assert_arp(&s, 1, FIX_TARGET, "10.9.0.1", "10.9.0.2");
		fix_assert_silent(f);
	}
	fix_tick(f, 1000);
	assert_true(fix_sent(f, &s));
	fix_assert_arp(&s, 1, FIX_ALL, "10.9.0.1", "10.9.0.2");
	assert_int_equal(state_of(f, HOP_V4), SC_NEIGH_STALE);
	feed_arp_reply(f, "10.9.0.2", FIX_OTHER);
	assert_int_equal(state_of(f, HOP_V4), SC_NEIGH_REACHABLE);
	assert_mac(f, HOP_V4, FIX_OTHER);
	assert_int_equal(f->ts.nexthop[HOP_V4].version, 2);
	assert_non_null(strstr(
			fix_log, "02:00:00:00:00:02, which is silent, to 02:00:00:00:00:77"));
	fix_free(f);
}

/* Another station claims a next hop that is still there: the old MAC stays. */
static void
test_claim_refuted(void **state)
{
	struct fix *f = resolved();
	struct sent s;

	(void)state;
	feed_claim(f, FIX_OTHER);
	assert_int_equal(state_of(f, HOP_V4), SC_NEIGH_STALE);
	fix_tick(f, 1);
	assert_true(fix_sent(f, &s));
	fix_assert_arp(&s, 1, FIX_TARGET, "10.9.0.1", "10.9.0.2"); /* the old one is asked */
	assert_mac(f, HOP_V4, FIX_TARGET);
	feed_claim(f, FIX_OTHER);
	feed_arp_reply(f, "10.9.0.2", FIX_OTHER); /* not asked, not believed */
	assert_mac(f, HOP_V4, FIX_TARGET);
	feed_arp_reply(f, "10.9.0.2", FIX_TARGET);
	assert_int_equal(state_of(f, HOP_V4), SC_NEIGH_REACHABLE);
	assert_mac(f, HOP_V4, FIX_TARGET);
	assert_int_equal(f->ts.nexthop[HOP_V4].version, 1);
	assert_non_null(strstr(fix_log, "address_conflict: next hop 10.9.0.2"));
	feed_claim(f, FIX_OTHER); /* within the second: not even looked into */
	fix_tick(f, 1);
	fix_assert_silent(f);
	fix_free(f);
}

static void
test_claim_confirmed(void **state)
{
	struct fix *f = resolved();
	struct sent s;

	(void)state;
	feed_claim(f, FIX_OTHER);
	for (int i = 0; i < 3; i++) {
		fix_tick(f, i == 0 ? 0 : 1000);
		assert_true(fix_sent(f, &s));
		fix_assert_arp(&s, 1, FIX_TARGET, "10.9.0.1", "10.9.0.2");
		fix_assert_silent(f);
	}
	fix_tick(f, 1000);
	assert_true(fix_sent(f, &s));
	fix_assert_arp(&s, 1, FIX_OTHER, "10.9.0.1", "10.9.0.2");
	assert_mac(f, HOP_V4, FIX_TARGET); /* not used before it has answered */
	feed_arp_reply(f, "10.9.0.2", FIX_OTHER);
	assert_mac(f, HOP_V4, FIX_OTHER);
	assert_int_equal(state_of(f, HOP_V4), SC_NEIGH_REACHABLE);
	assert_int_equal(f->ts.nexthop[HOP_V4].version, 2);
	fix_free(f);
}

/* Neither the old nor the claimed MAC answers: asked for from the start, and at last given up. */
static void
test_claim_of_nobody(void **state)
{
	struct fix *f = resolved();
	struct sent s;

	(void)state;
	feed_claim(f, FIX_OTHER);
	for (int i = 0; i < 6; i++) {
		fix_tick(f, i == 0 ? 0 : 1000);
		assert_true(fix_sent(f, &s));
		fix_assert_arp(&s, 1, i < 3 ? FIX_TARGET : FIX_OTHER, "10.9.0.1", "10.9.0.2");
	}
	for (int i = 0; i < 3; i++) {
		fix_tick(f, 1000);
		assert_true(fix_sent(f, &s));
		fix_assert_arp(&s, 1, FIX_ALL, "10.9.0.1", "10.9.0.2");
		assert_int_equal(state_of(f, HOP_V4), SC_NEIGH_STALE);
	}
	fix_tick(f, 1000);
	assert_int_equal(state_of(f, HOP_V4), SC_NEIGH_FAILED);
	fix_flush(f);
	feed_arp_reply(f, "10.9.0.2", FIX_TARGET);
	assert_int_equal(state_of(f, HOP_V4), SC_NEIGH_REACHABLE);
	assert_int_equal(f->ts.nexthop[HOP_V4].version, 1); /* it is where it was */
	fix_free(f);
}

static void
test_box_is_answered_for(void **state)
{
	struct fix *f = resolved();
	struct fix_arp ask = {.op = 1,
			.src = FIX_OTHER,
			.dst = FIX_ALL,
			.sip = "10.9.0.77",
			.tip = "10.9.0.1"};
	struct sent s;

	(void)state;
	fix_feed_arp(f, &ask);
	assert_true(fix_sent(f, &s));
	fix_assert_arp(&s, 2, FIX_OTHER, "10.9.0.1", "10.9.0.77");
	assert_memory_equal(s.p + 18, FIX_OTHER, 6);
	ask.dst = FIX_BOX; /* unicast, to verify us */
	fix_feed_arp(f, &ask);
	assert_true(fix_sent(f, &s));
	ask.dst = FIX_ALL;
	ask.sip = "0.0.0.0"; /* a probe: the address is ours, and defended */
	fix_feed_arp(f, &ask);
	assert_true(fix_sent(f, &s));
	fix_assert_arp(&s, 2, FIX_OTHER, "10.9.0.1", "0.0.0.0");
	ask.sip = "10.8.0.77"; /* not of our network */
	fix_feed_arp(f, &ask);
	ask.sip = "10.9.0.77";
	ask.tip = "10.9.0.5"; /* not ours */
	fix_feed_arp(f, &ask);
	ask.tip = "10.9.0.1";
	ask.vid = 9; /* another network */
	fix_feed_arp(f, &ask);
	ask.vid = 0;
	ask.dst = FIX_OTHER; /* flooded by the switch */
	fix_feed_arp(f, &ask);
	ask.dst = FIX_ALL;
	ask.op = 8; /* InARP */
	fix_feed_arp(f, &ask);
	fix_assert_silent(f);
	fix_free(f);
}

static void
test_box_is_answered_for_v6(void **state)
{
	static const uint8_t group[6] = {0x33, 0x33, 0xff, 0, 0, 1};
	static const uint8_t all[6] = {0x33, 0x33, 0, 0, 0, 1};
	struct fix *f = resolved();
	struct fix_nd ask = {.type = 135,
			.opt = 1,
			.src = FIX_OTHER,
			.dst = group,
			.sip = "fd00:9::77",
			.dip = "ff02::1:ff00:1",
			.target = "fd00:9::1"};
	struct sent s;

	(void)state;
	fix_feed_nd(f, &ask);
	assert_true(fix_sent(f, &s));
	fix_assert_nd(&s, 136, FIX_OTHER, "fd00:9::1", "fd00:9::77", "fd00:9::1");
	assert_int_equal(s.p[44], 0x40); /* solicited, not override, no router */
	assert_int_equal(s.p[64], 2);
	assert_memory_equal(s.p + 66, FIX_BOX, 6);
	ask.sip = "fe80::77";
	fix_feed_nd(f, &ask);
	assert_true(fix_sent(f, &s));
	fix_assert_nd(&s, 136, FIX_OTHER, "fd00:9::1", "fe80::77", "fd00:9::1");
	ask.sip = "::"; /* duplicate address detection with an option is not valid */
	fix_feed_nd(f, &ask);
	fix_assert_silent(f);
	ask.opt = 0;
	fix_feed_nd(f, &ask);
	assert_true(fix_sent(f, &s));
	fix_assert_nd(&s, 136, all, "fd00:9::1", "ff02::1", "fd00:9::1");
	assert_int_equal(s.p[44], 0);
	ask.dip = "fd00:9::1";
	ask.dst = FIX_BOX;
	fix_feed_nd(f, &ask); /* DAD goes to the solicited node */
	ask.opt = 1;
	ask.sip = "fd00:8::77"; /* not of our network */
	fix_feed_nd(f, &ask);
	ask.sip = "fd00:9::77";
	ask.target = "fd00:9::5";
	fix_feed_nd(f, &ask);
	fix_assert_silent(f);
	fix_free(f);
}

/* Too short, with unknown options, and longer than anything that is looked into. */
static void
test_nd_lengths(void **state)
{
	static const uint8_t group[6] = {0x33, 0x33, 0xff, 0, 0, 1};
	static const struct {
		uint16_t len;
		unsigned int answers;
	} rows[] = {{8, 0}, {16, 0}, {23, 0}, {28, 0}, {32, 1}, {40, 1}, {216, 1}, {224, 0},
			{400, 0}};
	struct fix *f = resolved();

	(void)state;
	for (size_t i = 0; i < SC_ARRAY_SIZE(rows); i++) {
		fix_feed_nd(f,
				&(struct fix_nd){.type = 135,
						.opt = 1,
						.src = FIX_OTHER,
						.dst = group,
						.sip = "fd00:9::77",
						.dip = "ff02::1:ff00:1",
						.target = "fd00:9::1",
						.len = rows[i].len});
		assert_int_equal(fix_flush(f), rows[i].answers);
	}
	fix_free(f);
}

static void
test_box_conflict(void **state)
{
	struct fix *f = resolved();

	(void)state;
	fix_warnings = 0;
	for (int i = 0; i < 2; i++)
		fix_feed_arp(f,
				&(struct fix_arp){.op = 1,
						.src = FIX_OTHER,
						.dst = FIX_ALL,
						.sip = "10.9.0.1",
						.tip = "10.9.0.1"});
	assert_int_equal(fix_warnings, 1);
	assert_non_null(strstr(fix_log, "address_conflict: 10.9.0.1"));
	fix_free(f);
}

static void
test_vlan(void **state)
{
	struct fix *f = fix_new();
	struct sent s;

	(void)state;
	f->cfg.vlan_tci = 0x6005; /* priority 3, VLAN 5 */
	fix_start(f);
	fix_tick(f, 0);
	assert_true(fix_sent(f, &s));
	assert_int_equal(s.vid, 0x6005);
	fix_assert_arp(&s, 1, FIX_ALL, "10.9.0.1", "10.9.0.2");
	feed_arp_reply(f, "10.9.0.2", FIX_TARGET); /* untagged: not of our network */
	assert_int_equal(state_of(f, HOP_V4), SC_NEIGH_NONE);
	fix_feed_arp(f,
			&(struct fix_arp){.op = 2,
					.src = FIX_TARGET,
					.dst = FIX_BOX,
					.sip = "10.9.0.2",
					.tip = "10.9.0.1",
					.vid = 5});
	assert_int_equal(state_of(f, HOP_V4), SC_NEIGH_REACHABLE);
	fix_free(f);
}

static void
test_static_hops(void **state)
{
	struct fix *f = fix_new();

	(void)state;
	f->ts.is_static = true;
	fix_start(f);
	fix_tick(f, 0);
	fix_tick(f, 60000);
	feed_arp_reply(f, "10.9.0.2", FIX_TARGET);
	fix_assert_silent(f);
	assert_int_equal(state_of(f, HOP_V4), SC_NEIGH_NONE); /* untouched */
	fix_free(f);
}

/* Without a free mbuf nothing is sent, and nothing counts as tried. */
static void
test_no_mbuf(void **state)
{
	struct fix *f = fix_new();
	struct rte_mbuf *all[2047];

	(void)state;
	fix_start(f);
	assert_int_equal(rte_pktmbuf_alloc_bulk(f->pool, all, 2047), 0);
	for (int i = 0; i < 10; i++)
		fix_tick(f, 1000);
	fix_assert_silent(f);
	rte_pktmbuf_free_bulk(all, 2047);
	fix_tick(f, 1);
	assert_int_equal(fix_flush(f), 3);
	assert_int_equal(state_of(f, HOP_V4), SC_NEIGH_NONE);
	fix_free(f);
}

/* Neighbour frames may arrive at an intercept that does no neighbour work. */
static void
test_hand_over(void **state)
{
	struct fix *f = fix_new();
	struct rte_ring *ring = rte_ring_create("neigh", 64, SOCKET_ID_ANY, RING_F_SC_DEQ);
	struct sc_intercept *worker;
	struct sc_err err;

	(void)state;
	f->cfg.neigh_ring = ring;
	fix_start(f);
	fix_tick(f, 0);
	fix_flush(f);
	worker = f->ic;
	f->cfg.do_neighbours = false;
	f->ic = sc_intercept_create(&f->cfg, &err);
	feed_arp_reply(f, "10.9.0.2", FIX_TARGET); /* to the one without neighbour work */
	assert_int_equal(f->stats.live.c[SC_C_RESP_NEIGHBOUR], 1);
	fix_tick(f, 1);
	assert_int_equal(state_of(f, HOP_V4), SC_NEIGH_NONE);
	sc_intercept_tick(worker, f->now);
	assert_int_equal(state_of(f, HOP_V4), SC_NEIGH_REACHABLE);
	assert_int_equal(f->stats.live.c[SC_C_RESP_NEIGHBOUR], 1); /* counted once */
	for (int i = 0; i < 100; i++)                              /* more than the ring holds */
		feed_arp_reply(f, "10.9.0.2", FIX_TARGET);
	sc_intercept_destroy(worker);
	rte_ring_free(ring);
	fix_free(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_resolution),
			cmocka_unit_test(test_no_answer),
			cmocka_unit_test(test_not_believed),
			cmocka_unit_test(test_verification),
			cmocka_unit_test(test_silent_replacement),
			cmocka_unit_test(test_claim_refuted),
			cmocka_unit_test(test_claim_confirmed),
			cmocka_unit_test(test_claim_of_nobody),
			cmocka_unit_test(test_box_is_answered_for),
			cmocka_unit_test(test_box_is_answered_for_v6),
			cmocka_unit_test(test_nd_lengths),
			cmocka_unit_test(test_box_conflict),
			cmocka_unit_test(test_vlan),
			cmocka_unit_test(test_static_hops),
			cmocka_unit_test(test_no_mbuf),
			cmocka_unit_test(test_hand_over),
	};

	return cmocka_run_group_tests(tests, fix_group_setup, fix_group_teardown);
}
