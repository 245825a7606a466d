/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
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

static bool
contains(const struct sc_pool *pool, const char *text)
{
	struct sc_addr a = addr(text);

	return sc_pool_contains(pool, &a);
}

/* The pool that text gives must have nb addresses, the first and last of which are given. */
static void
assert_pool(const char *text, uint32_t nb, const char *first, const char *last)
{
	struct sc_pool pool = {.nb = 0};
	struct sc_err err = {.text = ""};
	struct sc_addr a = addr(first), b = addr(last);

	if (sc_pool_parse(text, &pool, &err) != 0)
		fail_msg("'%s': %s", text, err.text);
	assert_int_equal(pool.nb, nb);
	assert_int_equal(pool.nb, pool.nb_v4 + pool.nb_v6);
	assert_true(sc_addr_eq(&pool.addr[0], &a));
	assert_true(sc_addr_eq(&pool.addr[nb - 1], &b));
	for (uint32_t i = 0; i < nb; i++)
		assert_true(sc_pool_contains(&pool, &pool.addr[i]));
	sc_pool_free(&pool);
	assert_null(pool.addr);
	assert_int_equal(pool.nb, 0);
}

static void
test_forms_v4(void **state)
{
	(void)state;
	assert_pool("10.0.0.1", 1, "10.0.0.1", "10.0.0.1");
	assert_pool("10.0.0.1-99", 99, "10.0.0.1", "10.0.0.99");
	assert_pool("10.0.0.7-7", 1, "10.0.0.7", "10.0.0.7");
	assert_pool("10.0.0.250-10.0.1.5", 12, "10.0.0.250", "10.0.1.5");
	assert_pool("10.0.0.0/24", 254, "10.0.0.1", "10.0.0.254");
	assert_pool("10.0.0.4/30", 2, "10.0.0.5", "10.0.0.6");
	assert_pool("10.0.0.4/31", 2, "10.0.0.4", "10.0.0.5");
	assert_pool("10.0.0.4/32", 1, "10.0.0.4", "10.0.0.4");
	assert_pool("10.1.0.0/16", 65534, "10.1.0.1", "10.1.255.254");
	assert_pool("62.135.200.x", 254, "62.135.200.1", "62.135.200.254");
	assert_pool("10.0.0.0-10.0.255.255", 65536, "10.0.0.0", "10.0.255.255");
}

static void
test_forms_v6(void **state)
{
	(void)state;
	assert_pool("fd00::1", 1, "fd00::1", "fd00::1");
	assert_pool("[fd00::1]", 1, "fd00::1", "fd00::1");
	assert_pool("fd00::1-fd00::ff", 255, "fd00::1", "fd00::ff");
	assert_pool("fd00::/120", 256, "fd00::", "fd00::ff");
	assert_pool("fd00::8/127", 2, "fd00::8", "fd00::9");
	assert_pool("fd00::/112", 65536, "fd00::", "fd00::ffff");
	/* a carry out of the last 32 bits */
	assert_pool("fd00::ffff:fffe-fd00::1:0:1", 4, "fd00::ffff:fffe", "fd00::1:0:1");
}

static void
test_lists_keep_order(void **state)
{
	(void)state;
	assert_pool("10.0.0.9, 10.0.0.1-3 ,fd00::1", 5, "10.0.0.9", "fd00::1");
	assert_pool("fd00::1,10.0.0.1", 2, "fd00::1", "10.0.0.1");
}

static void
test_duplicates_are_dropped(void **state)
{
	(void)state;
	assert_pool("10.0.0.1,10.0.0.1,10.0.0.1-3", 3, "10.0.0.1", "10.0.0.3");
	assert_pool("10.0.0.x,10.0.0.0/24,10.0.0.1-254", 254, "10.0.0.1", "10.0.0.254");
	assert_pool("fd00::/112,fd00::/112", 65536, "fd00::", "fd00::ffff");
}

static void
test_counts_by_family_and_appends(void **state)
{
	struct sc_pool pool = {.nb = 0};

	(void)state;
	assert_int_equal(sc_pool_parse("10.0.0.1-10", &pool, NULL), 0);
	assert_int_equal(sc_pool_parse("fd00::1-fd00::5,10.0.0.5-12", &pool, NULL), 0);
	assert_int_equal(pool.nb, 17);
	assert_int_equal(pool.nb_v4, 12);
	assert_int_equal(pool.nb_v6, 5);
	assert_true(contains(&pool, "10.0.0.12"));
	assert_true(contains(&pool, "fd00::5"));
	assert_false(contains(&pool, "fd00::6"));
	assert_false(contains(&pool, "10.0.0.13"));
	assert_false(contains(&pool, "10.0.0.0"));
	sc_pool_free(&pool);
	assert_false(contains(&pool, "10.0.0.12"));
}

static void
test_refusals_teach(void **state)
{
	static const struct {
		const char *text;
		int code;
		const char *found, *right;
	} cases[] = {
			{"", -EINVAL, "empty", "10.0.0.1-99"},
			{"10.0.0.1,", -EINVAL, "empty", "10.0.0.1-99"},
			{",10.0.0.1", -EINVAL, "empty", "10.0.0.1-99"},
			{"client1", -EINVAL, "'client1' is not an address", "prefixes"},
			{"10.0.0.300", -EINVAL, "'10.0.0.300'", "prefixes"},
			{"10.0.0.9-3", -EINVAL, "'10.0.0.9-3'", "lower address first"},
			{"10.0.0.9-10.0.0.3", -EINVAL, "before it begins", "lower address first"},
			{"10.0.0.9-256", -EINVAL, "'256'", "0 to 255"},
			{"10.0.0.9-", -EINVAL, "''", "0 to 255"},
			{"-10.0.0.9", -EINVAL, "''", "prefixes"},
			{"10.0.0.1-9-12", -EINVAL, "'9-12'", "0 to 255"},
			{"fd00::1-9", -EINVAL, "'9'", "address"},
			{"10.0.0.1-fd00::1", -EINVAL, "'10.0.0.1-fd00::1'", "one IP version"},
			{"10.0.0.0-10.1.0.0", -E2BIG, "'10.0.0.0-10.1.0.0'", "65536"},
			{"fd00::-fd00::1:0", -E2BIG, "'fd00::-fd00::1:0'", "65536"},
			{"fd00::-fd01::", -E2BIG, "'fd00::-fd01::'", "65536"},
			{"::1:0:0:0:0-::2:0:0:0:0", -E2BIG, "more than", "65536"},
			{"10.0.0.0/33", -EINVAL, "'10.0.0.0/33'", "10.0.0.0/24"},
			{"10.0.0.0/", -EINVAL, "'10.0.0.0/'", "10.0.0.0/24"},
			{"10.0.0.0/8", -E2BIG, "'10.0.0.0/8'", "/16"},
			{"10.0.0.0/15", -E2BIG, "'10.0.0.0/15'", "/16"},
			{"fd00::/111", -E2BIG, "'fd00::/111'", "/112"},
			{"fd00::/0", -E2BIG, "'fd00::/0'", "/112"},
			{"10.0.0.5/24", -EINVAL, "bits behind", "10.0.0.0/24"},
			{"fd00::5/120", -EINVAL, "bits behind", "fd00::/120"},
			{"10.0.x.x", -EINVAL, "'10.0.x.x'", "62.135.200.x"},
			{"fd00::.x", -EINVAL, "'fd00::.x'", "62.135.200.x"},
			{"0.0.0.0", -EINVAL, "0.0.0.0", "unicast"},
			{"127.0.0.1-9", -EINVAL, "127.0.0.1", "unicast"},
			{"223.255.255.250-224.0.0.3", -EINVAL, "224.0.0.0", "unicast"},
			{"255.255.255.255", -EINVAL, "255.255.255.255", "unicast"},
			{"::/127", -EINVAL, "::", "unicast"},
			{"ff02::1", -EINVAL, "ff02::1", "unicast"},
	};
	struct sc_pool pool = {.nb = 0};
	struct sc_err err;

	(void)state;
	assert_int_equal(sc_pool_parse("10.9.9.1-3,fd99::1", &pool, &err), 0);
	for (size_t i = 0; i < SC_ARRAY_SIZE(cases); i++) {
		err.text[0] = '\0';
		assert_int_equal(sc_pool_parse(cases[i].text, &pool, &err), cases[i].code);
		if (strstr(err.text, cases[i].found) == NULL
				|| strstr(err.text, cases[i].right) == NULL)
			fail_msg("'%s' gave: %s", cases[i].text, err.text);
		/* nothing of a refused list stays */
		assert_int_equal(pool.nb, 4);
		assert_int_equal(pool.nb_v4, 3);
		assert_int_equal(pool.nb_v6, 1);
		assert_true(contains(&pool, "10.9.9.3"));
		assert_false(contains(&pool, "10.0.0.1"));
		assert_false(contains(&pool, "223.255.255.250"));
	}
	sc_pool_free(&pool);
}

static void
test_pool_is_full(void **state)
{
	struct sc_pool pool = {.nb = 0};
	struct sc_err err;

	(void)state;
	assert_int_equal(sc_pool_parse("10.0.0.0/16,10.1.0.1,10.1.0.2", &pool, &err), 0);
	assert_int_equal(pool.nb, SC_POOL_MAX);
	assert_int_equal(sc_pool_parse("10.0.0.1-99", &pool, &err), 0); /* all known */
	assert_int_equal(sc_pool_parse("10.1.0.3", &pool, &err), -E2BIG);
	assert_non_null(strstr(err.text, "more than 65536"));
	assert_int_equal(pool.nb, SC_POOL_MAX);
	assert_true(contains(&pool, "10.1.0.2"));
	assert_false(contains(&pool, "10.1.0.3"));
	sc_pool_free(&pool);
}

/* Addresses without order fill the index unevenly, to its very end. */
static void
test_random_addresses(void **state)
{
	enum {
		NB = 60000
	};
	struct sc_pool pool = {.nb = 0};
	char *text = malloc(NB * 16), *p = text;
	struct sc_addr a;
	struct sc_rng rng;

	(void)state;
	assert_non_null(text);
	sc_rng_seed(&rng, 1);
	for (unsigned int i = 0; i < NB; i++) {
		uint32_t v = (uint32_t)sc_rng_next(&rng) & 0x00ffffff;

		p += sprintf(p, "%s10.%u.%u.%u", i > 0 ? "," : "", v >> 16, v >> 8 & 255, v & 255);
	}
	assert_int_equal(sc_pool_parse(text, &pool, NULL), 0);
	assert_in_range(pool.nb, NB - 300, NB); /* 107 are expected to come twice */
	for (uint32_t i = 0; i < pool.nb; i++)
		assert_true(sc_pool_contains(&pool, &pool.addr[i]));
	for (unsigned int i = 0; i < NB; i++) {
		sc_addr_from_v4(&a, (uint32_t)sc_rng_next(&rng) | 0x0b); /* 11.x, 15.x, ... */
		assert_false(sc_pool_contains(&pool, &a));
	}
	sc_pool_free(&pool);
	free(text);
}

static void
test_refused_first_list(void **state)
{
	struct sc_pool pool = {.nb = 0};
	char text[600];
	struct sc_err err;

	(void)state;
	assert_int_equal(sc_pool_parse("10.0.0.1,oops", &pool, &err), -EINVAL);
	assert_int_equal(pool.nb, 0);
	assert_false(contains(&pool, "10.0.0.1"));
	memset(text, '1', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(sc_pool_parse(text, &pool, &err), -EINVAL);
	assert_non_null(strstr(err.text, "too long"));
	sc_pool_free(&pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_forms_v4),
			cmocka_unit_test(test_forms_v6),
			cmocka_unit_test(test_lists_keep_order),
			cmocka_unit_test(test_duplicates_are_dropped),
			cmocka_unit_test(test_counts_by_family_and_appends),
			cmocka_unit_test(test_refusals_teach),
			cmocka_unit_test(test_pool_is_full),
			cmocka_unit_test(test_random_addresses),
			cmocka_unit_test(test_refused_first_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
