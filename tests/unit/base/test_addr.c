/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include <sc_base.h>

#include "sc_test.h"

static struct sc_addr
addr(const char *text)
{
	struct sc_addr a;

	assert_int_equal(sc_addr_parse(text, &a), 0);
	return a;
}

static struct sc_prefix
prefix(const char *text)
{
	struct sc_prefix p;

	assert_int_equal(sc_prefix_parse(text, &p), 0);
	return p;
}

static void
test_v4_is_mapped(void **state)
{
	static const uint8_t want[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 33};
	struct sc_addr a, b = addr("192.0.2.33"), c = addr("::ffff:192.0.2.33");

	(void)state;
	memset(&a, 0xee, sizeof(a));
	sc_addr_from_v4(&a, htonl(0xc0000221));
	assert_memory_equal(a.b, want, sizeof(want));
	assert_true(sc_addr_eq(&a, &b));
	assert_true(sc_addr_eq(&a, &c));
	assert_true(sc_addr_is_v4(&a));
	assert_int_equal(sc_addr_v4_be(&a), htonl(0xc0000221));
}

static void
test_family(void **state)
{
	static const char *const v6[] = {"::", "::1", "fd00::1", "::1.2.3.4", "::fffe:1.2.3.4",
			"1::ffff:1.2.3.4", "0:0:0:0:1:ffff:102:304", "64:ff9b::1.2.3.4"};

	(void)state;
	for (size_t i = 0; i < SC_ARRAY_SIZE(v6); i++) {
		struct sc_addr a = addr(v6[i]);

		assert_false(sc_addr_is_v4(&a));
	}
}

static void
test_eq_sees_every_byte(void **state)
{
	struct sc_addr a = addr("2001:db8::1");

	(void)state;
	for (int i = 0; i < 16; i++) {
		struct sc_addr b = a;

		assert_true(sc_addr_eq(&a, &b));
		b.b[i] ^= 0x80;
		assert_false(sc_addr_eq(&a, &b));
	}
}

static void
test_kinds(void **state)
{
	static const struct {
		const char *text;
		bool zero, multicast, loopback;
	} cases[] = {
			{"0.0.0.0", true, false, false},
			{"::", true, false, false},
			{"0.0.0.1", false, false, false},
			{"::2", false, false, false},
			{"::1", false, false, true},
			{"127.0.0.1", false, false, true},
			{"127.255.255.255", false, false, true},
			{"126.0.0.1", false, false, false},
			{"128.0.0.1", false, false, false},
			{"223.255.255.255", false, false, false},
			{"224.0.0.1", false, true, false},
			{"239.255.255.255", false, true, false},
			{"240.0.0.1", false, false, false},
			{"255.255.255.255", false, false, false},
			{"ff02::1", false, true, false},
			{"fe80::1", false, false, false},
			{"e000::1", false, false, false},
			{"7f00::1", false, false, false},
			{"1::", false, false, false},
			{"::ffff:0.0.0.0", true, false, false},
	};

	(void)state;
	for (size_t i = 0; i < SC_ARRAY_SIZE(cases); i++) {
		struct sc_addr a = addr(cases[i].text);

		assert_int_equal(sc_addr_is_zero(&a), cases[i].zero);
		assert_int_equal(sc_addr_is_multicast(&a), cases[i].multicast);
		assert_int_equal(sc_addr_is_loopback(&a), cases[i].loopback);
	}
}

static void
test_parse_refusals(void **state)
{
	static const char *const bad[] = {"", "[]", "[", "]", "1.2.3", "1.2.3.4.5", "1.2.3.256",
			"01.2.3.4x", " 1.2.3.4", "1.2.3.4 ", "fd00::1::2", "fd00:::1", "[fd00::1",
			"fd00::1]", "[fd00::1]:80", "1.2.3.4:80", "1.2.3.4/24", "host",
			"fe80::1%eth0", "1111:2222:3333:4444:5555:6666:7777:8888:9999",
			"1111:2222:3333:4444:5555:6666:255.255.255.2551111"};
	struct sc_addr a;

	(void)state;
	for (size_t i = 0; i < SC_ARRAY_SIZE(bad); i++)
		assert_int_equal(sc_addr_parse(bad[i], &a), -EINVAL);
}

static void
test_format(void **state)
{
	static const struct {
		const char *text, *addr, *endpoint;
	} cases[] = {
			{"10.0.0.1", "10.0.0.1", "10.0.0.1:443"},
			{"::ffff:10.0.0.1", "10.0.0.1", "10.0.0.1:443"},
			{"[2001:DB8:0:0::1]", "2001:db8::1", "[2001:db8::1]:443"},
			{"::", "::", "[::]:443"},
			{"255.255.255.255", "255.255.255.255", "255.255.255.255:443"},
			{"1111:2222:3333:4444:5555:6666:7777:8888",
					"1111:2222:3333:4444:5555:6666:7777:8888",
					"[1111:2222:3333:4444:5555:6666:7777:8888]:443"},
	};
	char text[SC_ADDR_STRLEN], endpoint[SC_ENDPOINT_STRLEN];

	(void)state;
	for (size_t i = 0; i < SC_ARRAY_SIZE(cases); i++) {
		struct sc_addr a = addr(cases[i].text), back;

		assert_ptr_equal(sc_addr_format(&a, text), text);
		assert_string_equal(text, cases[i].addr);
		assert_ptr_equal(sc_endpoint_format(&a, 443, endpoint), endpoint);
		assert_string_equal(endpoint, cases[i].endpoint);
		back = addr(text);
		assert_true(sc_addr_eq(&a, &back));
	}
}

/* The longest text of an endpoint fits, its NUL included. */
static void
test_longest_endpoint(void **state)
{
	struct sc_addr a = addr("1111:2222:3333:4444:5555:6666:7777:8888");
	char endpoint[SC_ENDPOINT_STRLEN];

	(void)state;
	sc_endpoint_format(&a, 65535, endpoint);
	assert_string_equal(endpoint, "[1111:2222:3333:4444:5555:6666:7777:8888]:65535");
}

static void
test_prefix_parse(void **state)
{
	struct sc_prefix p = prefix("10.1.2.3/24");
	struct sc_addr host = addr("10.1.2.3");

	(void)state;
	assert_int_equal(p.len, 24);
	assert_true(sc_addr_eq(&p.addr, &host)); /* host bits are kept */
	assert_int_equal(prefix("10.0.0.1").len, 32);
	assert_int_equal(prefix("10.0.0.1/0").len, 0);
	assert_int_equal(prefix("10.0.0.1/32").len, 32);
	assert_int_equal(prefix("fd00::1").len, 128);
	assert_int_equal(prefix("fd00::/0").len, 0);
	assert_int_equal(prefix("[fd00::]/64").len, 64);
	assert_int_equal(prefix("fd00::/128").len, 128);
}

static void
test_prefix_refusals(void **state)
{
	static const char *const bad[] = {"", "/", "/24", "10.0.0.0/", "10.0.0.0/33", "fd00::/129",
			"10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/ 8", "10.0.0.0/8 ", "10.0.0.0/8/8",
			"10.0.0.0/x", "10.0.0/8", "10.0.0.0/99999999999999999999",
			"1111:2222:3333:4444:5555:6666:7777:8888:9999:1111/64"};
	struct sc_prefix p;

	(void)state;
	for (size_t i = 0; i < SC_ARRAY_SIZE(bad); i++)
		assert_int_equal(sc_prefix_parse(bad[i], &p), -EINVAL);
}

static void
test_prefix_contains(void **state)
{
	static const struct {
		const char *prefix, *addr;
		bool inside;
	} cases[] = {
			{"10.0.0.0/8", "10.255.255.255", true},
			{"10.0.0.0/8", "11.0.0.0", false},
			{"10.0.0.0/8", "9.255.255.255", false},
			{"10.1.2.3/24", "10.1.2.200", true},
			{"10.1.2.3/24", "10.1.3.3", false},
			{"10.0.0.128/25", "10.0.0.127", false},
			{"10.0.0.128/25", "10.0.0.128", true},
			{"10.0.0.6/31", "10.0.0.7", true},
			{"10.0.0.6/31", "10.0.0.5", false},
			{"10.0.0.6", "10.0.0.6", true},
			{"10.0.0.6", "10.0.0.7", false},
			{"0.0.0.0/0", "255.1.2.3", true},
			{"0.0.0.0/0", "fd00::1", false},
			{"::/0", "fd00::1", true},
			{"::/0", "10.0.0.1", false},
			{"::/0", "::", true},
			{"fd00::/8", "fdff::1", true},
			{"fd00::/8", "fe00::1", false},
			{"2001:db8::/33", "2001:db8:7fff::1", true},
			{"2001:db8::/33", "2001:db8:8000::1", false},
			{"fd00::1", "fd00::1", true},
			{"fd00::1", "fd00::2", false},
			{"fd00::/127", "fd00::1", true},
			{"fd00::/127", "fd00::2", false},
	};

	(void)state;
	for (size_t i = 0; i < SC_ARRAY_SIZE(cases); i++) {
		struct sc_prefix p = prefix(cases[i].prefix);
		struct sc_addr a = addr(cases[i].addr);

		if (sc_prefix_contains(&p, &a) != cases[i].inside)
			fail_msg("%s in %s", cases[i].addr, cases[i].prefix);
	}
}

/* Against bits counted one by one, for every length. */
static void
test_prefix_every_length(void **state)
{
	struct sc_prefix p = {.addr = {.b = {0x20, 1, 0xd, 0xb8, 0xa5, 0x5a, 0xff, 0, 1, 2, 3, 4, 5,
						       6, 7, 8}}};

	(void)state;
	for (unsigned int len = 0; len <= 128; len++) {
		p.len = (uint8_t)len;
		for (unsigned int bit = 0; bit < 128; bit++) {
			struct sc_addr a = p.addr;

			a.b[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
			assert_int_equal(sc_prefix_contains(&p, &a), bit >= len);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_v4_is_mapped),
			cmocka_unit_test(test_family),
			cmocka_unit_test(test_eq_sees_every_byte),
			cmocka_unit_test(test_kinds),
			cmocka_unit_test(test_parse_refusals),
			cmocka_unit_test(test_format),
			cmocka_unit_test(test_longest_endpoint),
			cmocka_unit_test(test_prefix_parse),
			cmocka_unit_test(test_prefix_refusals),
			cmocka_unit_test(test_prefix_contains),
			cmocka_unit_test(test_prefix_every_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
