/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_support.h"
#include "sc_test.h"

static void
show_is_short_and_harmless(void **state)
{
	char buf[CFG_SHOW_LEN], big[500];

	assert_string_equal(cfg_show("a b", buf), "'a b'");
	assert_string_equal(cfg_show("\033[2J\n", buf), "'?[2J?'");
	assert_string_equal(cfg_show("", buf), "''");
	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(strlen(cfg_show(big, buf)), CFG_SHOW_LEN - 1);
	assert_non_null(strstr(buf, "x...'"));
	/* The longest text that is not shortened. */
	big[CFG_SHOW_LEN - 6] = '\0';
	assert_null(strchr(cfg_show(big, buf), '.'));
	assert_int_equal(strlen(buf), CFG_SHOW_LEN - 4);
}

static void
text_must_be_printable_utf8(void **state)
{
	static const char *const good[] = {"", "eth0", "gr\xc3\xbc\xc3\x9f.pcap",
			"\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf", "\xe2\x82\xac", "\xc2\xa0"};
	static const char *const not_utf8[] = {"\xff", "\xc3", "\xc0\x80", "\xe0\x80\x80",
			"\xed\xa0\x80", "\xed\xbf\xbf", "\xc1\xbf", "\xf4\x90\x80\x80", "\x80",
			"a\xe2\x82", "\xf5\x80\x80\x80"};
	static const char *const control[] = {"a\nb", "\t", "\x7f", "\xc2\x85", "\xe2\x80\xa8",
			"\xe2\x80\xa9", "\xef\xbb\xbf", "\xef\xbf\xbe"};
	struct sc_err err;
	size_t i;

	for (i = 0; i < SC_ARRAY_SIZE(good); i++)
		assert_int_equal(cfg_check_text(good[i], &err), 0);
	for (i = 0; i < SC_ARRAY_SIZE(not_utf8); i++) {
		assert_int_equal(cfg_check_text(not_utf8[i], &err), -EINVAL);
		assert_non_null(strstr(err.text, "is not UTF-8"));
	}
	for (i = 0; i < SC_ARRAY_SIZE(control); i++) {
		assert_int_equal(cfg_check_text(control[i], &err), -EINVAL);
		assert_non_null(strstr(err.text, "control character"));
	}
}

static void
u64_is_digits_only(void **state)
{
	const char *end;
	uint64_t v;

	assert_int_equal(cfg_parse_u64("18446744073709551615K", &v, &end), 0);
	assert_true(v == UINT64_MAX);
	assert_string_equal(end, "K");
	assert_int_equal(cfg_parse_u64("18446744073709551616", &v, &end), -ERANGE);
	assert_int_equal(cfg_parse_u64("", &v, &end), -EINVAL);
	assert_int_equal(cfg_parse_u64("-1", &v, &end), -EINVAL);
	assert_int_equal(cfg_parse_u64("+1", &v, &end), -EINVAL);
	assert_int_equal(cfg_parse_u64(" 1", &v, &end), -EINVAL);
}

static void
double_is_plain_decimal(void **state)
{
	static const char *const bad[] = {"", ".", "1.", ".5", "-1", "+1", "1e3", "0x10", "nan",
			"inf", " 1", "1 ", "1.2.3", "0.1234567891", "1234567890123"};
	double v;
	size_t i;

	assert_int_equal(cfg_parse_double("0.001", &v), 0);
	assert_true(v == 0.001);
	assert_int_equal(cfg_parse_double("123456789012.123456789", &v), 0);
	for (i = 0; i < SC_ARRAY_SIZE(bad); i++)
		assert_int_equal(cfg_parse_double(bad[i], &v), -EINVAL);
}

static void
double_reads_back(void **state)
{
	struct sc_rng rng;
	char in[32], out[32];
	double v, back;
	int i;

	assert_string_equal(cfg_format_double(100, out), "100");
	assert_string_equal(cfg_format_double(0.1, out), "0.1");
	assert_string_equal(cfg_format_double(33.3, out), "33.3");
	sc_rng_seed(&rng, 1);
	for (i = 0; i < 20000; i++) {
		snprintf(in, sizeof(in), "%u.%0*u", sc_rng_below(&rng, 1001),
				1 + (int)sc_rng_below(&rng, 9), sc_rng_below(&rng, 10));
		assert_int_equal(cfg_parse_double(in, &v), 0);
		assert_int_equal(cfg_parse_double(cfg_format_double(v, out), &back), 0);
		assert_true(v == back);
	}
}

static void
units_take_the_largest_that_divides(void **state)
{
	char buf[32];

	assert_string_equal(cfg_format_us(50000, buf), "50ms");
	assert_string_equal(cfg_format_us(1500, buf), "1500us");
	assert_string_equal(cfg_format_us(86400000000ull, buf), "86400s");
	assert_string_equal(cfg_format_us(0, buf), "0s");
	assert_string_equal(cfg_format_size(268435456, buf), "256M");
	assert_string_equal(cfg_format_size(0, buf), "0");
	assert_string_equal(cfg_format_size(1025, buf), "1025");
	assert_string_equal(cfg_format_size(1ull << 50, buf), "1024T");
}

static void
distance_counts_edits(void **state)
{
	char longer[100];

	assert_int_equal(cfg_distance("workers", 7, "workers", 7), 0);
	assert_int_equal(cfg_distance("worker", 6, "workers", 7), 1);
	assert_int_equal(cfg_distance("wrokers", 7, "workers", 7), 1);
	assert_int_equal(cfg_distance("max_flows", 9, "max-flows", 9), 1);
	assert_int_equal(cfg_distance("", 0, "abc", 3), 3);
	assert_int_equal(cfg_distance("ca", 2, "abc", 3), 3);
	assert_int_equal(cfg_distance("abxb", 4, "cdxd", 4), 3);
	assert_int_equal(cfg_distance("kitten", 6, "sitting", 7), 3);
	memset(longer, 'a', sizeof(longer));
	assert_int_equal(cfg_distance(longer, 64, longer, 64), 0);
	assert_int_equal(cfg_distance(longer, sizeof(longer), "a", 1), 64);
}

static void
quoting_escapes(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	cfg_put_quoted(f, "a\"b\\c: #d");
	fclose(f);
	assert_string_equal(text, "\"a\\\"b\\\\c: #d\"");
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(show_is_short_and_harmless),
			cmocka_unit_test(text_must_be_printable_utf8),
			cmocka_unit_test(u64_is_digits_only),
			cmocka_unit_test(double_is_plain_decimal),
			cmocka_unit_test(double_reads_back),
			cmocka_unit_test(units_take_the_largest_that_divides),
			cmocka_unit_test(distance_counts_edits),
			cmocka_unit_test(quoting_escapes),
	};

	return cmocka_run_group_tests_name("config/text", tests, NULL, NULL);
}
