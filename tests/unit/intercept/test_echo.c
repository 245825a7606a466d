/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "frame.h"
#include "ic_fix.h"
#include "sc_test.h"

static struct fix_icmp
ping4(void)
{
	return (struct fix_icmp){.src = FIX_OTHER,
			.dst = FIX_BOX,
			.sip = "10.9.0.77",
			.dip = "10.9.0.1",
			.type = 8,
			.data = 56};
}

static struct fix_icmp
ping6(void)
{
	return (struct fix_icmp){.src = FIX_OTHER,
			.dst = FIX_BOX,
			.sip = "fd00:9::77",
			.dip = "fd00:9::1",
			.type = 128,
			.data = 57};
}

static struct fix *
quiet(void)
{
	struct fix *f = fix_new();

	f->ts.is_static = true;
	fix_start(f);
	return f;
}

static void
assert_data(const uint8_t *icmp, size_t data)
{
	assert_int_equal(icmp[4] << 8 | icmp[5], 0x1234);
	assert_int_equal(icmp[6] << 8 | icmp[7], 7);
	for (size_t k = 0; k < data; k++)
		assert_int_equal(icmp[8 + k], (uint8_t)(k * 7));
}

static void
test_v4(void **state)
{
	struct fix *f = quiet();
	struct fix_icmp i = ping4();
	struct sent s;

	(void)state;
	for (size_t round = 0; round < 3; round++) {
		i.data = round == 0 ? 56 : 1400;
		i.cut = round == 2 ? 100 : 0; /* a chain */
		fix_feed_icmp(f, &i);
		assert_true(fix_sent(f, &s));
		assert_memory_equal(s.b, FIX_OTHER, 6);
		assert_int_equal(s.type, 0x0800);
		assert_int_equal(s.p[0], 0x45);
		assert_int_equal(s.p[2] << 8 | s.p[3], 28 + i.data);
		assert_int_equal(test_sum16(s.p, 20, 0), 0xffff);
		assert_memory_equal(s.p + 12, ((uint8_t[]){10, 9, 0, 1, 10, 9, 0, 77}), 8);
		assert_int_equal(s.p[20], 0);
		assert_int_equal(test_sum16(s.p + 20, 8 + i.data, 0), 0xffff);
		assert_data(s.p + 20, i.data);
	}
	assert_int_equal(f->stats.live.c[SC_C_RESP_NEIGHBOUR], 3);
	fix_free(f);
}

static void
test_v6(void **state)
{
	struct fix *f = quiet();
	struct fix_icmp i = ping6();
	struct sc_addr box = fix_addr("fd00:9::1"), other = fix_addr("fd00:9::77");
	struct sent s;

	(void)state;
	fix_feed_icmp(f, &i);
	assert_true(fix_sent(f, &s));
	assert_memory_equal(s.b, FIX_OTHER, 6);
	assert_int_equal(s.type, 0x86dd);
	assert_int_equal(s.p[4] << 8 | s.p[5], 8 + i.data);
	assert_memory_equal(s.p + 8, box.b, 16);
	assert_memory_equal(s.p + 24, other.b, 16);
	assert_int_equal(s.p[40], 129);
	assert_int_equal(test_sum16(s.p + 8, 32 + 8 + i.data, (uint32_t)(8 + i.data) + 58), 0xffff);
	assert_data(s.p + 40, i.data);
	fix_free(f);
}

static void
test_not_answered(void **state)
{
	struct fix *f = quiet();
	struct fix_icmp i = ping4();

	(void)state;
	i.dst = FIX_ALL;
	fix_feed_icmp(f, &i);
	i = ping4();
	i.dip = "10.9.0.100";
	fix_feed_icmp(f, &i);
	i = ping4();
	i.is_broken = true;
	fix_feed_icmp(f, &i);
	i = ping4();
	i.sip = "224.0.0.1";
	fix_feed_icmp(f, &i);
	i = ping4();
	i.sip = "10.9.0.1";
	fix_feed_icmp(f, &i);
	i = ping6();
	i.is_broken = true;
	fix_feed_icmp(f, &i);
	i = ping6();
	i.dip = "ff02::1";
	fix_feed_icmp(f, &i);
	fix_assert_silent(f);
	assert_int_equal(f->stats.live.c[SC_C_RESP_NEIGHBOUR], 7);
	fix_free(f);
}

/* ICMP errors and the like are no neighbour work: refused as what they are. */
static void
test_other_icmp(void **state)
{
	struct fix *f = quiet();
	struct fix_icmp i = ping4();

	(void)state;
	i.type = 3;
	i.code = 4;
	fix_feed_icmp(f, &i);
	i.type = 0;
	i.code = 0;
	fix_feed_icmp(f, &i);
	i = ping6();
	i.type = 2;
	fix_feed_icmp(f, &i);
	i.type = 143; /* MLD report */
	fix_feed_icmp(f, &i);
	fix_assert_silent(f);
	assert_int_equal(fix_refused(f, SC_R_NOT_TCP), 4);
	assert_int_equal(f->stats.live.c[SC_C_RESP_NEIGHBOUR], 0);
	fix_free(f);
}

/* A flood of echo leaves half of the queue to ARP and ND. */
static void
test_flood(void **state)
{
	struct fix *f = quiet();
	struct fix_icmp i = ping4();
	struct sent s;

	(void)state;
	for (int k = 0; k < 400; k++)
		fix_feed_icmp(f, &i);
	fix_feed_arp(f,
			&(struct fix_arp){.op = 1,
					.src = FIX_OTHER,
					.dst = FIX_ALL,
					.sip = "10.9.0.77",
					.tip = "10.9.0.1"});
	for (int k = 0; k < 128; k++) {
		assert_true(fix_sent(f, &s));
		assert_int_equal(s.type, 0x0800);
	}
	assert_true(fix_sent(f, &s));
	fix_assert_arp(&s, 2, FIX_OTHER, "10.9.0.1", "10.9.0.77");
	fix_assert_silent(f);
	fix_free(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_v4),
			cmocka_unit_test(test_v6),
			cmocka_unit_test(test_not_answered),
			cmocka_unit_test(test_other_icmp),
			cmocka_unit_test(test_flood),
	};

	return cmocka_run_group_tests(tests, fix_group_setup, fix_group_teardown);
}
