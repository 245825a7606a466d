/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <sc_intercept.h>

#include "sc_test.h"

static struct sc_targets ts;

/* Build from texts: rules, box prefixes and gateways, separated by commas; "" for none. */
static int
build(const char *rules_text, const char *box_text, const char *gw_text, const uint8_t *mac,
		struct sc_err *err)
{
	static struct sc_rule rules[SC_RULES_MAX];
	struct sc_prefix box[4];
	struct sc_addr gw[4];
	char text[256], *word, *rest;
	unsigned int nb_rules = 0, nb_box = 0, nb_gw = 0;

	assert_int_equal(sc_rules_parse(rules_text, rules, &nb_rules, SC_RULES_MAX, err), 0);
	snprintf(text, sizeof(text), "%s", box_text);
	for (rest = text; (word = strsep(&rest, ",")) != NULL && *word != '\0';)
		assert_int_equal(sc_prefix_parse(word, &box[nb_box++]), 0);
	snprintf(text, sizeof(text), "%s", gw_text);
	for (rest = text; (word = strsep(&rest, ",")) != NULL && *word != '\0';)
		assert_int_equal(sc_addr_parse(word, &gw[nb_gw++]), 0);
	return sc_targets_build(&ts, rules, nb_rules, box, nb_box, gw, nb_gw, mac, err);
}

static int
find(const char *addr, uint16_t port)
{
	struct sc_addr a;

	assert_int_equal(sc_addr_parse(addr, &a), 0);
	return sc_targets_find(&ts, &a, port);
}

static void
assert_hop(int target, const char *hop)
{
	struct sc_addr a;

	assert_int_equal(sc_addr_parse(hop, &a), 0);
	assert_true(target >= 0);
	assert_true(sc_addr_eq(&ts.nexthop[ts.t[target].nexthop].addr, &a));
}

static void
test_build(void **state)
{
	struct sc_err err;
	uint8_t mac[6];

	(void)state;
	assert_int_equal(
			build("80-10.0.0.2:80,81-10.0.0.2:80,443-10.0.0.2:443,"
			      "82-192.0.2.5:80,83-192.0.2.6:80,84-[fd00::2]:80,85-[2001:db8::5]:80",
					"10.0.0.1/24,fd00::1/64", "10.0.0.254,fe80::1", NULL, &err),
			0);
	assert_int_equal(ts.nb, 6); /* one of the rules has the target of another */
	assert_int_equal(find("10.0.0.2", 80), 0);
	assert_int_equal(find("10.0.0.2", 443), 1);
	assert_int_equal(find("192.0.2.6", 80), 3);
	assert_int_equal(find("fd00::2", 80), 4);
	assert_int_equal(find("10.0.0.2", 81), -1);
	assert_int_equal(find("10.0.0.3", 80), -1);
	assert_int_equal(find("::10.0.0.2", 80), -1);
	assert_hop(0, "10.0.0.2");
	assert_hop(1, "10.0.0.2");
	assert_hop(2, "10.0.0.254");
	assert_hop(3, "10.0.0.254");
	assert_hop(4, "fd00::2");
	assert_hop(5, "fe80::1"); /* link-local is on-link in every network */
	assert_int_equal(ts.nb_nexthops, 4);
	assert_false(ts.is_static);
	assert_int_equal(sc_nexthop_get(&ts.nexthop[0], mac), SC_NEIGH_NONE);
}

static void
test_refusals(void **state)
{
	static const struct {
		const char *rules, *box, *gateways, *says;
	} rows[] = {
			{"80-10.0.0.2:80", "fd00::1/64", "", "no IPv4 address"},
			{"80-[fd00::2]:80", "10.0.0.1/24", "", "no IPv6 address"},
			{"80-10.1.0.2:80", "10.0.0.1/24", "", "no IPv4 gateway"},
			{"80-10.1.0.2:80", "10.0.0.1/24", "fd00::1", "no IPv4 gateway"},
			{"80-10.1.0.2:80", "10.0.0.1/24", "10.2.0.254", "no IPv4 gateway"},
			{"80-10.0.0.1:80", "10.0.0.1/24", "", "own address"},
	};
	struct sc_err err;

	(void)state;
	for (size_t i = 0; i < SC_ARRAY_SIZE(rows); i++) {
		assert_int_equal(build(rows[i].rules, rows[i].box, rows[i].gateways, NULL, &err),
				-EINVAL);
		assert_non_null(strstr(err.text, rows[i].says));
		assert_non_null(strstr(err.text, ":80"));
	}
}

static void
test_static_mac(void **state)
{
	static const uint8_t peer[6] = {2, 0xfe, 0xdc, 0xba, 0x98, 0x76};
	struct sc_err err;
	uint8_t mac[6];

	(void)state;
	assert_int_equal(build("80-198.18.0.1:80,81-[2001:2::1]:80", "", "", peer, &err), 0);
	assert_true(ts.is_static);
	assert_int_equal(ts.nb_nexthops, 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(sc_nexthop_get(&ts.nexthop[i], mac), SC_NEIGH_REACHABLE);
		assert_memory_equal(mac, peer, 6);
		assert_int_equal(ts.nexthop[i].version, 1);
	}
}

static void
test_full_table(void **state)
{
	static struct sc_rule rules[SC_TARGETS_MAX];
	struct sc_prefix box;
	struct sc_err err;

	(void)state;
	assert_int_equal(sc_prefix_parse("10.0.255.1/16", &box), 0);
	for (uint32_t i = 0; i < SC_TARGETS_MAX; i++) {
		uint8_t a[4] = {10, 0, (uint8_t)(i / 16), (uint8_t)(i % 16 + 1)};
		uint32_t be;

		memcpy(&be, a, sizeof(be));
		sc_addr_from_v4(&rules[i].target, be);
		rules[i].target_port = (uint16_t)(80 + i % 3);
	}
	assert_int_equal(sc_targets_build(&ts, rules, SC_TARGETS_MAX, &box, 1, NULL, 0, NULL, &err),
			0);
	assert_int_equal(ts.nb, SC_TARGETS_MAX);
	for (int i = 0; i < SC_TARGETS_MAX; i++)
		assert_int_equal(sc_targets_find(&ts, &rules[i].target, rules[i].target_port), i);
	assert_int_equal(sc_targets_find(&ts, &rules[0].target, 90), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_build),
			cmocka_unit_test(test_refusals),
			cmocka_unit_test(test_static_mac),
			cmocka_unit_test(test_full_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
