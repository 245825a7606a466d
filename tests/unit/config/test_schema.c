/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_support.h"
#include "sc_test.h"

#define LONG_64 "0123456789012345678901234567890123456789012345678901234567890123"
#define LONG_256 LONG_64 LONG_64 LONG_64 LONG_64

/*
 * For each word: a value at each end of its range with what it prints as, values outside, and values
 * of another kind.
 */
static const struct {
	const char *word;
	const char *good, *printed;
	const char *good2, *printed2;
	const char *low, *high; /* -ERANGE */
	const char *wrong[4];   /* -EINVAL */
} cases[] = {
		{"mirror", "net_null0,size=64,copy=0", "\n  - \"net_null0,size=64,copy=0\"\n", NULL,
				NULL, NULL, LONG_256, {"", "a b", "--x", "a\nb"}},
		{"test", "0000:01:00.0", "\n  - \"0000:01:00.0\"\n", NULL, NULL, NULL, LONG_256,
				{"", "\t", "-x", "\xff"}},
		{"test-address", "10.0.0.1/24,2001:db8::1/64",
				"\n  - \"10.0.0.1/24\"\n  - \"2001:db8::1/64\"\n", "10.0.0.1/32",
				"\n  - \"10.0.0.1/32\"\n", NULL, NULL,
				{"10.0.0.1", "10.0.0.1/33", "host/24", "10.0.0.1/24,"}},
		{"gateway", "10.0.0.254,2001:db8::fe",
				"\n  - \"10.0.0.254\"\n  - \"2001:db8::fe\"\n", "[2001:db8::fe]",
				"\n  - \"2001:db8::fe\"\n", NULL, NULL,
				{"10.0.0.256", "gw", "", "10.0.0.1/24"}},
		{"test-vlan", "0", " 0\n", "4094", " 4094\n", NULL, "4095", {"x", "", "1.5", "-1"}},
		{"link-wait", "1", " 1s\n", "300s", " 300s\n", "0", "301",
				{"x", "1500ms", "1x", "-1s"}},
		{"map", "80-10.0.0.2:8080", "\n  - \"80-10.0.0.2:8080\"\n",
				"[2001:db8::5]:80-[2001:db8::2]:8080,1.2.3.4:81-10.0.0.2:82",
				"\n  - \"[2001:db8::5]:80-[2001:db8::2]:8080\"\n  - "
				"\"1.2.3.4:81-10.0.0.2:82\"\n",
				NULL, NULL,
				{"80", "80-10.0.0.2", "0-10.0.0.2:80", "80-10.0.0.2:8080\n"}},
		{"clients", "10.1.0.250-10.1.1.5,10.2.0.1",
				"\n  - \"10.1.0.250-10.1.1.5\"\n  - \"10.2.0.1\"\n",
				"2001:db8::10,10.1.0.x,10.9.0.0/30",
				"\n  - \"2001:db8::10\"\n  - \"10.1.0.1-10.1.0.254\"\n  - "
				"\"10.9.0.1-10.9.0.2\"\n",
				NULL, NULL, {"10.1.0.300", "", "10.1.0.9-1", "\033"}},
		{"clients-on-link", "yes", " yes\n", "off", " no\n", NULL, NULL,
				{"1", "", "Yes", "maybe"}},
		{"neighbour-limit", "1", " 1\n", "65536", " 65536\n", "0", "65537",
				{"x", "", "1K", "-1"}},
		{"sample", "0.001", " 0.001\n", "100%", " 100\n", "0", "100.1",
				{"x", "", "-1", "%"}},
		{"copies", "1", " 1\n", "1023", " 1023\n", "0", "1024", {"x", "", "1.0", "0x2"}},
		{"only-full", "true", " yes\n", "false", " no\n", NULL, NULL,
				{"x", "", "0", "YES"}},
		{"latency", "1", " 1us\n", "10s", " 10s\n", "0", "10001ms",
				{"x", "", "0.5us", "50 ms"}},
		{"gate", "off", " \"off\"\n", "time", " \"time\"\n", NULL, NULL,
				{"x", "", "OFF", "no"}},
		{"gate-quiet-min", "1", " 1ms\n", "0.25s", " 250ms\n", "0", "60001",
				{"x", "", "1500us", "1m"}},
		{"pace", "think", " \"think\"\n", "immediate", " \"immediate\"\n", NULL, NULL,
				{"x", "", "Think", "0"}},
		{"open", "syn", " \"syn\"\n", "established", " \"established\"\n", NULL, NULL,
				{"x", "", "SYN", "1"}},
		{"mtu", "576", " 576\n", "9216", " 9216\n", "575", "9217", {"x", "", "1.5K", "-1"}},
		{"max-lag", "1s", " 1s\n", "1h", " 3600s\n", "0", "3601", {"x", "", "0.5s", "1d"}},
		{"shed", "true", " yes\n", "false", " no\n", NULL, NULL, {"x", "", "0", "YES"}},
		{"session-timeout", "1000ms", " 1s\n", "24h", " 86400s\n", "0", "86401",
				{"x", "", "1.5s", "s"}},
		{"workers", "1", " 1\n", "16", " 16\n", "0", "17", {"x", "", "4 ", "four"}},
		{"intercepts", "1", " 1\n", "4", " 4\n", "0", "5", {"x", "", "1,", "+1"}},
		{"intercept", "inline", " \"inline\"\n", "lcore", " \"lcore\"\n", NULL, NULL,
				{"x", "", "1", "Lcore"}},
		{"idle", "sleep", " \"sleep\"\n", "auto", " \"auto\"\n", NULL, NULL,
				{"x", "", "0", "AUTO"}},
		{"max-flows", "16", " 16\n", "50000000", " 50000000\n", "15", "50000001",
				{"x", "", "1M", "1e6"}},
		{"held-bytes", "1m", " 1M\n", "1T", " 1T\n", "1023K", "1025G",
				{"x", "", "1MB", "1.5M"}},
		{"copy-below", "0", " 0\n", "65535", " 65535\n", NULL, "65536",
				{"x", "", "1K", "-1"}},
		{"pages", "small", " \"small\"\n", "huge", " \"huge\"\n", NULL, NULL,
				{"x", "", "1", "Huge"}},
		{"capture", "a b.pcap", "\n  - \"a b.pcap\"\n", "-", "\n  - \"-\"\n", NULL, NULL,
				{"", "a\nb", "\xff", "\x7f"}},
		{"speed", "0.001", " 0.001\n", "max", " max\n", "0", "1001",
				{"x", "", "-1", "MAX"}},
		{"peer", "capture", " \"capture\"\n", "none", " \"none\"\n", NULL, NULL,
				{"x", "", "0", "yes"}},
		{"impair", "loss=1,drop:fin:2", " \"loss=1,drop:fin:2\"\n", NULL, NULL, NULL,
				LONG_256, {"", "\n", "\xff", "\x01"}},
		{"seed", "0", " 0\n", "18446744073709551615", " 18446744073709551615\n", NULL,
				"18446744073709551616", {"x", "", "-1", "1K"}},
		{"duration", "0", " 0s\n", "8760h", " 31536000s\n", NULL, "31536001",
				{"x", "", "0.5", "1s1"}},
		{"drain", "0", " 0s\n", "3600", " 3600s\n", NULL, "3601",
				{"x", "", "-1", "1.0000001s"}},
		{"report", "-", " \"-\"\n", "a \"b\".json", " \"a \\\"b\\\".json\"\n", NULL, NULL,
				{"", "a\nb", "\xff", "\x7f"}},
		{"expect-fidelity", "0", " 0\n", "99.95%", " 99.95\n", NULL, "100.01",
				{"x", "", "-1", "1e1"}},
		{"control-dir", "/run/spancopy", " \"/run/spancopy\"\n", NULL, NULL, NULL, NULL,
				{"", "a\nb", "\xff", "\x7f"}},
		{"log-level", "error", " \"error\"\n", "notice", " \"notice\"\n", NULL, NULL,
				{"x", "", "0", "err"}},
		{"print-config", "yes", " yes\n", "no", " no\n", NULL, NULL, {"x", "", "1", "y"}},
		{"eal", "--lcores=0-2", "\n  - \"--lcores=0-2\"\n", NULL, NULL, NULL, NULL,
				{"", "\n", "\xff", "\x7f"}},
};

static void
expect_good(const struct cfg_row *row, const char *value, const char *printed)
{
	static struct sc_config c;
	char *text = NULL;
	size_t len;
	FILE *f;

	sc_config_init(&c);
	must_set(&c, row->word, value);
	f = open_memstream(&text, &len);
	row->type->print(row, &c, f);
	fclose(f);
	assert_string_equal(text, printed);
	expect_round_trip(&c);
	free(text);
	sc_config_free(&c);
}

/* Refused with the word first, and nothing changed. */
static void
expect_bad(const struct cfg_row *row, const char *value, int code)
{
	static struct sc_config c, fresh;
	struct sc_err err = {""};

	sc_config_init(&c);
	sc_config_init(&fresh);
	if (sc_config_set(&c, row->word, value, &err) != code)
		fail_msg("%s '%s': expected %d, got '%s'", row->word, value, code, err.text);
	if (strncmp(err.text, row->word, strlen(row->word)) != 0)
		fail_msg("%s '%s': the sentence is '%s'", row->word, value, err.text);
	assert_null(first_difference(&c, &fresh));
	assert_int_equal(sc_config_set(&c, row->word, value, NULL), code);
	sc_config_free(&c);
}

static void
every_row_has_cases(void **state)
{
	unsigned int i;

	assert_int_equal(SC_ARRAY_SIZE(cases), cfg_nb_rows);
	for (i = 0; i < cfg_nb_rows; i++)
		assert_string_equal(cases[i].word, cfg_rows[i].word);
}

static void
good_values(void **state)
{
	unsigned int i;

	for (i = 0; i < cfg_nb_rows; i++) {
		expect_good(&cfg_rows[i], cases[i].good, cases[i].printed);
		if (cases[i].good2 != NULL)
			expect_good(&cfg_rows[i], cases[i].good2, cases[i].printed2);
	}
}

static void
bad_values(void **state)
{
	unsigned int i, j;

	for (i = 0; i < cfg_nb_rows; i++) {
		if (cases[i].low != NULL)
			expect_bad(&cfg_rows[i], cases[i].low, -ERANGE);
		if (cases[i].high != NULL)
			expect_bad(&cfg_rows[i], cases[i].high, -ERANGE);
		for (j = 0; j < SC_ARRAY_SIZE(cases[i].wrong); j++)
			expect_bad(&cfg_rows[i], cases[i].wrong[j], -EINVAL);
	}
}

static void
numbers_beyond_64_bits(void **state)
{
	static const char *const words[] = {
			"workers", "link-wait", "held-bytes", "latency", "seed"};
	struct sc_config c;
	struct sc_err err;
	size_t i;

	sc_config_init(&c);
	for (i = 0; i < SC_ARRAY_SIZE(words); i++)
		assert_int_equal(sc_config_set(&c, words[i], "99999999999999999999999", &err),
				-ERANGE);
	assert_int_equal(sc_config_set(&c, "held-bytes", "18446744073709551615T", &err), -ERANGE);
	assert_int_equal(sc_config_set(&c, "duration", "999999999999h", &err), -ERANGE);
	assert_int_equal(sc_config_set(&c, "duration", "999999999999.999999999h", &err), -EINVAL);
	/* 2^64 us and 4,096 more: the product must not wrap. */
	assert_int_equal(sc_config_set(&c, "latency", "5124095576h", &err), -ERANGE);
	sc_config_free(&c);
}

static void
defaults_of_the_contract(void **state)
{
	struct sc_config c;

	memset(&c, 0xa5, sizeof(c));
	sc_config_init(&c);
	assert_int_equal(c.nb_mirror + c.nb_test + c.nb_test_address + c.nb_gateway, 0);
	assert_int_equal(c.nb_rules + c.clients.nb + c.nb_captures + c.nb_eal, 0);
	assert_int_equal(c.test_vlan, 0);
	assert_int_equal(c.link_wait_s, 10);
	assert_false(c.clients_on_link);
	assert_int_equal(c.neighbour_limit, 900);
	assert_true(c.sample_pct == 100);
	assert_int_equal(c.copies, 1);
	assert_false(c.only_full);
	assert_int_equal(c.latency, SC_LATENCY_NONE);
	assert_int_equal(c.gate, SC_GATE_ANSWER);
	assert_int_equal(c.gate_quiet_min_ms, 200);
	assert_int_equal(c.pace, SC_PACE_CAPTURE);
	assert_int_equal(c.open, SC_OPEN_ESTABLISHED);
	assert_int_equal(c.mtu, 1500);
	assert_int_equal(c.max_lag_s, 30);
	assert_true(c.shed);
	assert_int_equal(c.session_timeout_s, 600);
	assert_int_equal(c.workers, 1);
	assert_int_equal(c.intercepts, 1);
	assert_int_equal(c.intercept_mode, SC_INTERCEPT_LCORE);
	assert_int_equal(c.idle, SC_IDLE_AUTO);
	assert_int_equal(c.pages, SC_PAGES_AUTO);
	assert_int_equal(c.max_flows, 65536);
	assert_int_equal(c.held_bytes, 256 << 20);
	assert_int_equal(c.copy_below, 512);
	assert_true(c.speed == 1);
	assert_int_equal(c.peer, SC_PEER_NONE);
	assert_string_equal(c.impair, "");
	assert_int_equal(c.seed, 1);
	assert_int_equal(c.duration_s, 0);
	assert_int_equal(c.drain_s, 10);
	assert_string_equal(c.report, "");
	assert_true(c.expect_fidelity < 0);
	assert_string_equal(c.control_dir, "");
	assert_string_equal(c.log_level, "info");
	assert_false(c.print_config);
	sc_config_free(&c);
}

static void
words_reach_their_fields(void **state)
{
	static const char *const set[][2] = {{"mirror", "m"}, {"test", "t"},
			{"test-address", "10.0.0.1/24"}, {"gateway", "10.0.0.9"},
			{"test-vlan", "7"}, {"link-wait", "11"}, {"map", "80-10.0.0.2:81"},
			{"clients", "10.3.0.1-9"}, {"clients-on-link", "yes"},
			{"neighbour-limit", "12"}, {"sample", "13.5"}, {"copies", "14"},
			{"only-full", "yes"}, {"latency", "15ms"}, {"gate", "time"},
			{"gate-quiet-min", "16"}, {"pace", "think"}, {"open", "syn"},
			{"mtu", "1400"}, {"max-lag", "17"}, {"shed", "no"},
			{"session-timeout", "18"}, {"workers", "3"}, {"intercepts", "2"},
			{"intercept", "inline"}, {"idle", "yield"}, {"pages", "small"},
			{"max-flows", "19"}, {"held-bytes", "2M"}, {"copy-below", "20"},
			{"capture", "f"}, {"speed", "2.5"}, {"peer", "capture"},
			{"impair", "loss=1"}, {"seed", "21"}, {"duration", "22"}, {"drain", "23"},
			{"report", "r"}, {"expect-fidelity", "99"}, {"control-dir", "d"},
			{"log-level", "debug"}, {"print-config", "yes"}, {"eal", "-v"}};
	struct sc_config c;
	struct sc_addr a;
	size_t i;

	sc_config_init(&c);
	for (i = 0; i < SC_ARRAY_SIZE(set); i++)
		must_set(&c, set[i][0], set[i][1]);
	assert_string_equal(c.mirror[0], "m");
	assert_string_equal(c.test[0], "t");
	assert_int_equal(c.test_address[0].len, 24);
	sc_addr_parse("10.0.0.9", &a);
	assert_true(sc_addr_eq(&c.gateway[0], &a));
	assert_int_equal(c.test_vlan, 7);
	assert_int_equal(c.link_wait_s, 11);
	assert_int_equal(c.rule[0].target_port, 81);
	assert_int_equal(c.clients.nb_v4, 9);
	assert_true(c.clients_on_link && c.only_full && c.print_config);
	assert_int_equal(c.neighbour_limit, 12);
	assert_true(c.sample_pct == 13.5 && c.speed == 2.5 && c.expect_fidelity == 99);
	assert_int_equal(c.copies, 14);
	assert_int_equal(c.latency, SC_LATENCY_FIXED);
	assert_int_equal(c.latency_us, 15000);
	assert_int_equal(c.gate, SC_GATE_TIME);
	assert_int_equal(c.gate_quiet_min_ms, 16);
	assert_int_equal(c.pace, SC_PACE_THINK);
	assert_int_equal(c.open, SC_OPEN_SYN);
	assert_int_equal(c.mtu, 1400);
	assert_int_equal(c.max_lag_s, 17);
	assert_int_equal(c.session_timeout_s, 18);
	assert_int_equal(c.workers, 3);
	assert_int_equal(c.intercepts, 2);
	assert_int_equal(c.intercept_mode, SC_INTERCEPT_INLINE);
	assert_int_equal(c.idle, SC_IDLE_YIELD);
	assert_int_equal(c.pages, SC_PAGES_SMALL);
	assert_int_equal(c.max_flows, 19);
	assert_int_equal(c.held_bytes, 2 << 20);
	assert_int_equal(c.copy_below, 20);
	assert_string_equal(c.capture[0], "f");
	assert_int_equal(c.peer, SC_PEER_CAPTURE);
	assert_string_equal(c.impair, "loss=1");
	assert_int_equal(c.seed, 21);
	assert_int_equal(c.duration_s, 22);
	assert_int_equal(c.drain_s, 23);
	assert_string_equal(c.report, "r");
	assert_string_equal(c.control_dir, "d");
	assert_string_equal(c.log_level, "debug");
	assert_string_equal(c.eal[0], "-v");
	must_set(&c, "latency", "original");
	assert_int_equal(c.latency, SC_LATENCY_ORIGINAL);
	assert_int_equal(c.latency_us, 0);
	sc_config_free(&c);
}

static void
expect_full(const char *word, const char *fmt, unsigned int max)
{
	static struct sc_config c;
	struct sc_err err;
	char value[64];
	unsigned int i;

	sc_config_init(&c);
	for (i = 0; i < max; i++) {
		snprintf(value, sizeof(value), fmt, i + 1);
		must_set(&c, word, value);
	}
	snprintf(value, sizeof(value), fmt, max + 1);
	assert_true(sc_config_set(&c, word, value, &err) < 0);
	assert_non_null(strstr(err.text, "more than"));
	expect_round_trip(&c);
	sc_config_free(&c);
}

static void
lists_have_an_end(void **state)
{
	expect_full("mirror", "net_null%u", SC_PORTS_MAX);
	expect_full("test", "net_null%u", SC_PORTS_MAX);
	expect_full("test-address", "10.0.%u.1/24", SC_BOX_ADDRS_MAX);
	expect_full("gateway", "10.0.0.%u", 2);
	expect_full("map", "%u-10.0.0.2:80", SC_RULES_MAX);
	expect_full("capture", "file%u", SC_CAPTURES_MAX);
	expect_full("eal", "-a%u", SC_EAL_ARGS_MAX);
}

static void
largest_pool(void **state)
{
	static struct sc_config c;
	struct sc_err err;

	sc_config_init(&c);
	must_set(&c, "clients", "10.1.0.0-10.1.255.255");
	assert_int_equal(c.clients.nb, SC_POOL_MAX);
	assert_int_equal(sc_config_set(&c, "clients", "10.2.0.1", &err), -E2BIG);
	expect_round_trip(&c);
	sc_config_free(&c);
	assert_int_equal(c.clients.nb, 0);
	sc_config_free(&c);
}

static void
longest_texts(void **state)
{
	static struct sc_config c;
	static char text[SC_PATH_MAX + 1];
	static const char *const words[] = {"report", "control-dir", "capture", "eal"};
	struct sc_err err;
	size_t i;

	sc_config_init(&c);
	memset(text, 'p', SC_PATH_MAX);
	for (i = 0; i < SC_ARRAY_SIZE(words); i++)
		assert_int_equal(sc_config_set(&c, words[i], text, &err), -ERANGE);
	text[SC_PATH_MAX - 1] = '\0';
	for (i = 0; i < SC_ARRAY_SIZE(words); i++)
		must_set(&c, words[i], text);
	expect_round_trip(&c);
	sc_config_free(&c);
}

static void
unknown_words(void **state)
{
	static const char *const said[][2] = {
			{"worker", "unknown word 'worker': did you mean workers?"},
			{"max_flows", "unknown word 'max_flows': did you mean max-flows?"},
			{"wrokers", "unknown word 'wrokers': did you mean workers?"},
			{"sess", "unknown word 'sess': did you mean session-timeout?"},
			{"neighbor-limit",
					"unknown word 'neighbor-limit': did you mean "
					"neighbour-limit?"},
			{"tes", "unknown word 'tes': did you mean test?"},
			{"zzzzzz", "unknown word 'zzzzzz'"},
			{"", "unknown word ''"},
			{"Workers", "unknown word 'Workers': did you mean workers?"},
	};
	struct sc_config c;
	struct sc_err err;
	size_t i;

	sc_config_init(&c);
	for (i = 0; i < SC_ARRAY_SIZE(said); i++) {
		assert_int_equal(sc_config_set(&c, said[i][0], "1", &err), -ENOENT);
		assert_string_equal(err.text, said[i][1]);
	}
	assert_int_equal(sc_config_set(&c, LONG_256, "1", &err), -ENOENT);
	sc_config_free(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(every_row_has_cases),
			cmocka_unit_test(good_values),
			cmocka_unit_test(bad_values),
			cmocka_unit_test(numbers_beyond_64_bits),
			cmocka_unit_test(defaults_of_the_contract),
			cmocka_unit_test(words_reach_their_fields),
			cmocka_unit_test(lists_have_an_end),
			cmocka_unit_test(largest_pool),
			cmocka_unit_test(longest_texts),
			cmocka_unit_test(unknown_words),
	};

	return cmocka_run_group_tests_name("config/schema", tests, NULL, NULL);
}
