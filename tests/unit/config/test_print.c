/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "config_support.h"
#include "sc_test.h"

static void
defaults_read_back(void **state)
{
	static struct sc_config c;

	sc_config_init(&c);
	expect_round_trip(&c);
	sc_config_free(&c);
}

static void
unset_words_are_named(void **state)
{
	static struct sc_config c;
	char *text;

	sc_config_init(&c);
	text = print_text(&c);
	assert_non_null(strstr(text, "\n# mirror: not set\n"));
	assert_non_null(strstr(text, "\n# expect-fidelity: not set\n"));
	assert_non_null(strstr(text, "\nworkers: 1\n"));
	assert_null(strstr(text, "print-config"));
	free(text);
	sc_config_free(&c);
}

/* Texts that YAML would take for something else without quotes. */
static void
awkward_texts_read_back(void **state)
{
	static const char *const texts[] = {"-", "~", "null", "yes", "1", " lead and trail ",
			"a: b", "#x", "a #b", "&a", "*a", "!t", "%d", "@x", "`x", "[a]", "{a}", "|",
			">", "?", "\"", "'", "\\", "\\\"", "a\\", "gr\xc3\xbc\xc3\x9f",
			"\xf0\x9f\x98\x80", "---", "...", "a, b", "\\x41", "\xc2\xa0"};
	static struct sc_config c;
	size_t i;

	for (i = 0; i < SC_ARRAY_SIZE(texts); i++) {
		sc_config_init(&c);
		must_set(&c, "report", texts[i]);
		must_set(&c, "control-dir", texts[i]);
		must_set(&c, "capture", texts[i]);
		must_set(&c, "eal", texts[i]);
		expect_round_trip(&c);
		sc_config_free(&c);
	}
}

/* ---- seeded configurations ---- */

static const char *
random_value(struct sc_rng *rng, const struct cfg_row *row, char *buf, size_t len)
{
	static const char *const suffix[] = {"", "us", "ms", "s", "min", "h", "K", "M", "G", "%"};
	static const char *const pools[] = {"10.1.%u.0/25", "10.2.0.%u", "10.3.%u.5-10.4.0.1",
			"2001:db8::%x", "2001:db8:1::%x00/120", "10.5.%u.x"};
	unsigned int n = 0;

	if (row->names != NULL && sc_rng_below(rng, 4) != 0) {
		while (row->names[n] != NULL)
			n++;
		return row->names[sc_rng_below(rng, n)];
	}
	n = sc_rng_below(rng, 250);
	if (row->type == &cfg_flag)
		return n % 2 ? "yes" : "no";
	if (row->type == &cfg_pool)
		snprintf(buf, len, pools[sc_rng_below(rng, SC_ARRAY_SIZE(pools))], n);
	else if (row->type == &cfg_map)
		snprintf(buf, len,
				n % 2 ? "10.7.0.%u:%u-10.0.0.2:%u"
				      : "[2001:db8::%x]:%u-10.0.0.2:%u",
				n, n + 1, n + 2);
	else if (row->type == &cfg_prefixes)
		snprintf(buf, len, "10.0.%u.1/%u,2001:db8:%x::1/%u", n, n % 33, n, n % 129);
	else if (row->type == &cfg_gateways)
		snprintf(buf, len, "10.0.0.%u", n);
	else
		snprintf(buf, len, n % 3 ? "%u%s" : "%u.25%s", sc_rng_below(rng, 1u << n % 31),
				suffix[sc_rng_below(rng, SC_ARRAY_SIZE(suffix))]);
	return buf;
}

static void
seeded_configurations_read_back(void **state)
{
	static struct sc_config c;
	unsigned int i, j, nb_set = 0;
	struct sc_rng rng;
	char buf[128];

	sc_rng_seed(&rng, 4);
	for (i = 0; i < 400; i++) {
		sc_config_init(&c);
		for (j = 0; j < 60; j++) {
			const struct cfg_row *row = &cfg_rows[sc_rng_below(&rng, cfg_nb_rows)];

			nb_set += sc_config_set(&c, row->word,
						  random_value(&rng, row, buf, sizeof(buf)), NULL)
					== 0;
		}
		expect_round_trip(&c);
		sc_config_free(&c);
	}
	/* Enough of them were taken for the property to mean something. */
	assert_true(nb_set > 400 * 25);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(defaults_read_back),
			cmocka_unit_test(unset_words_are_named),
			cmocka_unit_test(awkward_texts_read_back),
			cmocka_unit_test(seeded_configurations_read_back),
	};

	return cmocka_run_group_tests_name("config/print", tests, NULL, NULL);
}
