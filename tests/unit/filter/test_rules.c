/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <sc_filter.h>

#include "sc_test.h"

static struct sc_addr
addr(const char *text)
{
	struct sc_addr a;

	assert_int_equal(sc_addr_parse(text, &a), 0);
	return a;
}

static void
assert_addr(const struct sc_addr *a, const char *text)
{
	struct sc_addr want = addr(text);

	assert_true(sc_addr_eq(a, &want));
}

static void
test_port_only(void **state)
{
	struct sc_rule r;
	struct sc_err err;

	(void)state;
	assert_int_equal(sc_rule_parse("80-10.0.0.2:8080", &r, &err), 0);
	assert_false(r.has_prod);
	assert_int_equal(r.prod_port, 80);
	assert_addr(&r.target, "10.0.0.2");
	assert_int_equal(r.target_port, 8080);
}

static void
test_address_and_port(void **state)
{
	struct sc_rule r;

	(void)state;
	assert_int_equal(sc_rule_parse(" 192.0.2.7:1-10.0.0.2:65535 ", &r, NULL), 0);
	assert_true(r.has_prod);
	assert_addr(&r.prod, "192.0.2.7");
	assert_int_equal(r.prod_port, 1);
	assert_int_equal(r.target_port, 65535);
}

static void
test_v6(void **state)
{
	struct sc_rule r;

	(void)state;
	assert_int_equal(sc_rule_parse("[2001:db8::1]:443-[fd00::2]:8443", &r, NULL), 0);
	assert_true(r.has_prod);
	assert_addr(&r.prod, "2001:db8::1");
	assert_int_equal(r.prod_port, 443);
	assert_addr(&r.target, "fd00::2");
	assert_int_equal(r.target_port, 8443);
	/* the families may differ: a pool of the target's version then gives the clients */
	assert_int_equal(sc_rule_parse("10.0.0.1:443-[fd00::2]:8443", &r, NULL), 0);
}

/* Each message quotes what was found and says what would be right. */
static void
test_refusals_teach(void **state)
{
	static const struct {
		const char *rule, *found, *right;
	} cases[] = {
			{"", "empty", "for example 80-10.0.0.2:8080"},
			{"  ", "empty", "for example 80-10.0.0.2:8080"},
			{"80:10.0.0.2:8080", "'80:10.0.0.2:8080'", "no '-'"},
			{"80-10.0.0.2", "target '10.0.0.2'", "address:port"},
			{"80-8080", "target '8080'", "address:port"},
			{"80-", "target ''", "address:port"},
			{"-10.0.0.2:80", "port ''", "1 to 65535"},
			{"0-10.0.0.2:80", "port '0'", "1 to 65535"},
			{"65536-10.0.0.2:80", "port '65536'", "1 to 65535"},
			{"4294967376-10.0.0.2:80", "port '4294967376'", "1 to 65535"},
			{"http-10.0.0.2:80", "port 'http'", "1 to 65535"},
			{"80 -10.0.0.2:80", "port '80 '", "1 to 65535"},
			{"+80-10.0.0.2:80", "port '+80'", "1 to 65535"},
			{"80-10.0.0.2:", "port ''", "1 to 65535"},
			{"80-10.0.0.2:0", "port '0'", "1 to 65535"},
			{"80-10.0.0.2:80x", "port '80x'", "1 to 65535"},
			{"80-10.0.0.256:80", "'10.0.0.256'", "IPv4 address"},
			{"80-web:80", "'web'", "names are not looked up"},
			{"web:80-10.0.0.2:80", "'web'", "names are not looked up"},
			{":80-10.0.0.2:80", "''", "IPv4 address"},
			{"80-fd00::1:80", "'fd00::1:80'", "[fd00::1]:80"},
			{"fd00::1:80-10.0.0.2:80", "'fd00::1:80'", "[fd00::1]:80"},
			{"80-[fd00::1]", "'[fd00::1]'", "[address]:port"},
			{"80-[fd00::1", "'[fd00::1'", "[address]:port"},
			{"80-[fd00::1]80", "'[fd00::1]80'", "[address]:port"},
			{"80-[fd00::1]:80:90", "'[fd00::1]:80'", "IPv6 address"},
			{"80-[fd00::g]:80", "'[fd00::g]'", "IPv6 address"},
			{"80-10.0.0.2:80-90", "port '80-90'", "1 to 65535"},
			{"80-0.0.0.0:80", "0.0.0.0", "server under test"},
			{"80-[::]:80", "[::]", "server under test"},
			{"80-127.0.0.1:80", "127.0.0.1", "server under test"},
			{"80-[::1]:80", "[::1]", "server under test"},
			{"80-224.0.0.1:80", "224.0.0.1", "server under test"},
			{"80-[ff02::1]:80", "[ff02::1]", "server under test"},
			{"80-255.255.255.255:80", "255.255.255.255", "server under test"},
			{"80-10.0.0.2:80,81-10.0.0.2:81", "comma", "for example"},
	};
	struct sc_rule r, before;
	struct sc_err err;

	(void)state;
	memset(&before, 0x5a, sizeof(before));
	for (size_t i = 0; i < SC_ARRAY_SIZE(cases); i++) {
		r = before;
		err.text[0] = '\0';
		assert_int_equal(sc_rule_parse(cases[i].rule, &r, &err), -EINVAL);
		if (strstr(err.text, cases[i].found) == NULL
				|| strstr(err.text, cases[i].right) == NULL)
			fail_msg("'%s' gave: %s", cases[i].rule, err.text);
		assert_memory_equal(&r, &before, sizeof(r));
		assert_int_equal(sc_rule_parse(cases[i].rule, &r, NULL), -EINVAL);
	}
}

static void
test_very_long_rule(void **state)
{
	char text[5000];
	struct sc_rule r;
	struct sc_err err;
	unsigned int nb = 0;

	(void)state;
	memset(text, '8', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(sc_rule_parse(text, &r, &err), -EINVAL);
	assert_non_null(strstr(err.text, "too long"));
	assert_int_equal(sc_rules_parse(text, &r, &nb, 1, &err), -EINVAL);
	assert_non_null(strstr(err.text, "too long"));
}

static void
test_list(void **state)
{
	struct sc_rule rules[4];
	unsigned int nb = 0;

	(void)state;
	assert_int_equal(sc_rules_parse("80-10.0.0.2:80, 81-10.0.0.2:81", rules, &nb, 4, NULL), 0);
	assert_int_equal(nb, 2);
	assert_int_equal(sc_rules_parse("82-[fd00::1]:82", rules, &nb, 4, NULL), 0);
	assert_int_equal(nb, 3);
	assert_int_equal(rules[0].prod_port, 80);
	assert_int_equal(rules[1].prod_port, 81);
	assert_int_equal(rules[2].prod_port, 82);
}

static void
test_list_refusals(void **state)
{
	struct sc_rule rules[2];
	struct sc_err err;
	unsigned int nb = 0;

	(void)state;
	assert_int_equal(sc_rules_parse("80-10.0.0.2:80", rules, &nb, 2, &err), 0);
	assert_int_equal(sc_rules_parse("81-10.0.0.2:81,oops", rules, &nb, 2, &err), -E2BIG);
	assert_int_equal(nb, 1);
	assert_int_equal(sc_rules_parse("81-10.0.0.2:81,82-10.0.0.2:82", rules, &nb, 2, &err),
			-E2BIG);
	assert_int_equal(nb, 1);
	assert_non_null(strstr(err.text, "82-10.0.0.2:82"));
	assert_non_null(strstr(err.text, "more than 2"));
	assert_int_equal(sc_rules_parse("81-10.0.0.2:81,", rules, &nb, 3, &err), -EINVAL);
	assert_int_equal(nb, 1);
	assert_non_null(strstr(err.text, "empty"));
	assert_int_equal(sc_rules_parse("", rules, &nb, 2, &err), -EINVAL);
	assert_int_equal(nb, 1);
}

static int
check(const char *text, struct sc_err *err)
{
	struct sc_rule rules[8];
	unsigned int nb = 0;

	assert_int_equal(sc_rules_parse(text, rules, &nb, 8, err), 0);
	return sc_rules_check(rules, nb, err);
}

static void
test_check_passes(void **state)
{
	(void)state;
	assert_int_equal(check("80-10.0.0.2:80", NULL), 0);
	/* the same port of two servers; both against one target */
	assert_int_equal(check("10.0.0.1:80-10.0.0.9:80,10.0.0.2:80-10.0.0.9:80", NULL), 0);
	/* the named one first, then all others */
	assert_int_equal(check("10.0.0.1:80-10.0.0.8:80,80-10.0.0.9:80", NULL), 0);
	/* another port of a production host */
	assert_int_equal(check("10.0.0.1:80-10.0.0.1:8080", NULL), 0);
	assert_int_equal(sc_rules_check(NULL, 0, NULL), 0);
}

static void
test_check_target_is_production(void **state)
{
	struct sc_err err;

	(void)state;
	assert_int_equal(check("10.0.0.1:80-10.0.0.1:80", &err), -EINVAL);
	assert_non_null(strstr(err.text, "10.0.0.1:80 is a production server"));
	assert_int_equal(check("10.0.0.1:80-10.0.0.2:80,10.0.0.2:80-10.0.0.3:80", &err), -EINVAL);
	assert_non_null(strstr(err.text, "10.0.0.2:80 is a production server"));
	assert_non_null(strstr(err.text, "another server"));
	/* the other order: the later rule's target */
	assert_int_equal(check("[fd00::2]:80-[fd00::3]:80,81-[fd00::2]:80", &err), -EINVAL);
	assert_non_null(strstr(err.text, "[fd00::2]:80 is a production server"));
}

static void
test_check_same_source(void **state)
{
	struct sc_err err;

	(void)state;
	assert_int_equal(check("80-10.0.0.2:80,80-10.0.0.3:80", &err), -EINVAL);
	assert_non_null(strstr(err.text, "same source"));
	assert_non_null(strstr(err.text, "'80-10.0.0.3:80'"));
	assert_int_equal(check("10.0.0.1:80-10.0.0.2:80,10.0.0.1:80-10.0.0.2:80", &err), -EINVAL);
	assert_non_null(strstr(err.text, "same source"));
	assert_int_equal(check("80-10.0.0.2:80,10.0.0.1:80-10.0.0.3:80", &err), -EINVAL);
	assert_non_null(strstr(err.text, "never matches"));
	assert_non_null(strstr(err.text, "put the rule with the address first"));
}

static void
test_match(void **state)
{
	struct sc_rule rules[4];
	unsigned int nb = 0;
	struct sc_addr a = addr("10.0.0.1"), b = addr("10.0.0.2"), c = addr("fd00::1");

	(void)state;
	assert_int_equal(sc_rules_parse("10.0.0.1:80-10.0.0.8:80,80-10.0.0.9:80,"
					"[fd00::1]:443-10.0.0.9:443",
					 rules, &nb, 4, NULL),
			0);
	assert_int_equal(sc_rules_match(rules, nb, &a, 80), 0);
	assert_int_equal(sc_rules_match(rules, nb, &b, 80), 1);
	assert_int_equal(sc_rules_match(rules, nb, &c, 80), 1);
	assert_int_equal(sc_rules_match(rules, nb, &c, 443), 2);
	assert_int_equal(sc_rules_match(rules, nb, &a, 443), -1);
	assert_int_equal(sc_rules_match(rules, nb, &a, 81), -1);
	assert_int_equal(sc_rules_match(rules, 0, &a, 80), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_port_only),
			cmocka_unit_test(test_address_and_port),
			cmocka_unit_test(test_v6),
			cmocka_unit_test(test_refusals_teach),
			cmocka_unit_test(test_very_long_rule),
			cmocka_unit_test(test_list),
			cmocka_unit_test(test_list_refusals),
			cmocka_unit_test(test_check_passes),
			cmocka_unit_test(test_check_target_is_production),
			cmocka_unit_test(test_check_same_source),
			cmocka_unit_test(test_match),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
