/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz: mutated files and command lines. Each is taken, and then prints and reads back to the same,
 * or is refused with a sentence that begins with file and line. Meant for a sanitizer build too.
 */
#include <stdlib.h>
#include <string.h>

#include "config_support.h"
#include "sc_test.h"

#define ROUNDS 20000

static const char *const seeds[] = {
		"# a box\nmirror: 0000:01:00.0\ntest:\n  - net_null1,size=64\ntest-address: "
		"[10.0.0.1/24, "
		"\"2001:db8::1/64\"]\ngateway: 10.0.0.254\nmap:\n  - 80-10.0.0.2:8080\n  - "
		"\"[2001:db8::5]:443-[2001:db8::2]:8443\"\nworkers: 4\n",
		"clients: 10.1.0.1-20,10.2.0.x\nclients-on-link: yes\nneighbour-limit: "
		"900\nsample: "
		"12.5%\ncopies: 3\nlatency: 50ms\ngate: off\npace: think\nheld-bytes: 64M\n",
		"capture: ['a.pcap', \"b c.pcap\"]\nspeed: max\npeer: capture\nimpair: "
		"loss=1,drop:fin:2\nseed: 7\nreport: \"-\"\nexpect-fidelity: 99.9\neal: [--no-pci, "
		"-m, "
		"'64']\n",
		"--- # doc\nlog-level: debug\nduration: 1.5min\ndrain: 10\nmtu: 1400\nopen: "
		"syn\nidle: "
		"sleep\nintercept: inline\nmax-lag: 30s\nsession-timeout: 1h\ncontrol-dir: >-\n  "
		"/run/x\n"
		"...\n",
};

static const char *const pieces[] = {": ", "\n", "  - ", "[", "]", "{", "}", "&a ", "*a", "!!int ",
		"\"", "'", "|\n", ">\n", "---\n", "...\n", "%YAML 1.1\n", "#", "\t", "? ", "~",
		"null", "workers: 3\n", "map: ", "-", ",", "0", "99999999999999999999", "\xff",
		"\xc3\xbc", "\\x00", "\\u2028", "\xef\xbb\xbf", "<<: *a\n", "10.0.0.0/8", "1e9",
		"\r\n", "\x7f"};

/* Another digit for the first one from `at` on: mostly another right value. */
static void
change_digit(struct sc_rng *rng, char *text, size_t len, size_t at)
{
	while (at < len && (text[at] < '0' || text[at] > '9'))
		at++;
	if (at < len)
		text[at] = (char)('0' + sc_rng_below(rng, 10));
}

/* Cut, double, overwrite, insert or change a digit; the new length. */
static size_t
mutate(struct sc_rng *rng, char *text, size_t len, size_t max)
{
	const char *piece = pieces[sc_rng_below(rng, SC_ARRAY_SIZE(pieces))];
	size_t at = sc_rng_below(rng, (uint32_t)len + 1);
	size_t n = sc_rng_below(rng, 24), lp = strlen(piece);

	n = SC_MIN(n, len - at);
	switch (sc_rng_below(rng, 8)) {
	case 0:
		memmove(text + at, text + at + n, len - at - n);
		return len - n;
	case 1:
		if (len + n > max)
			return len;
		memmove(text + at + n, text + at, len - at);
		return len + n;
	case 2:
		if (at < len)
			text[at] = (char)sc_rng_next(rng);
		return len;
	case 3:
		if (at < len)
			text[at] ^= (char)(1 << sc_rng_below(rng, 8));
		return len;
	case 4:
		if (len + lp > max)
			return len;
		memmove(text + at + lp, text + at, len - at);
		memcpy(text + at, piece, lp);
		return len + lp;
	default:
		change_digit(rng, text, len, at);
		return len;
	}
}

static size_t
make_text(struct sc_rng *rng, char *text, size_t max)
{
	const char *seed = seeds[sc_rng_below(rng, SC_ARRAY_SIZE(seeds))];
	unsigned int n = 1 + sc_rng_below(rng, 3);
	size_t len = strlen(seed);

	memcpy(text, seed, len);
	while (n-- > 0)
		len = mutate(rng, text, len, max);
	return len;
}

static void
check_all_commands(const struct sc_config *c)
{
	struct sc_err err;
	int cmd;

	for (cmd = SC_CMD_RUN; cmd <= SC_CMD_CHECK; cmd++) {
		err.text[0] = '\0';
		if (sc_config_check(c, (enum sc_command)cmd, &err) < 0)
			assert_true(err.text[0] != '\0');
	}
}

static void
mutated_files(void **state)
{
	static struct sc_config c;
	unsigned int i, nb_taken = 0, line;
	struct sc_rng rng;
	struct sc_err err;

	sc_rng_seed(&rng, 11);
	for (i = 0; i < ROUNDS; i++) {
		/* Allocated to its exact size, so that a sanitizer sees every step beyond. */
		char buf[2048], *text;
		struct cfg_source src = {
				.name = "t.yaml", .len = make_text(&rng, buf, sizeof(buf))};

		text = malloc(src.len + 1);
		src.text = memcpy(text, buf, src.len);
		sc_config_init(&c);
		err.text[0] = '\0';
		if (cfg_load_text(&c, &src, &err) == 0) {
			nb_taken++;
			check_all_commands(&c);
			expect_round_trip(&c);
		} else if (sscanf(err.text, "t.yaml:%u: ", &line) != 1 || line == 0) {
			fail_msg("round %u: the sentence is '%s'", i, err.text);
		}
		sc_config_free(&c);
		free(text);
	}
	/* Both ways were gone. */
	assert_in_range(nb_taken, ROUNDS / 8, ROUNDS - ROUNDS / 8);
}

static void
mutated_command_lines(void **state)
{
	static const char *const words[] = {"--mirror", "m", "--test=t", "--test-address",
			"10.0.0.1/24", "-x", "80-10.0.0.2:8080", "--workers", "3", "--worker",
			"--only-full", "--clients=10.1.0.x", "--speed", "max", "f.pcap", "--", "-",
			"--peer", "capture", "-c", "--sample=", "--map", "--latency=5ms",
			"--config", "/nonexistent", "--report", "--=", "-xx", "--held-bytes"};
	static const char *const commands[] = {"run", "replay", "check"};
	static struct sc_config c;
	unsigned int i, nb_taken = 0;
	enum sc_command cmd;
	struct sc_rng rng;
	struct sc_err err;

	sc_rng_seed(&rng, 12);
	for (i = 0; i < ROUNDS; i++) {
		char text[8][64], *argv[11] = {"spancopy"};
		int argc = 2, n = 1 + (int)sc_rng_below(&rng, 8), j;
		size_t len;

		argv[1] = (char *)(uintptr_t)commands[sc_rng_below(&rng, SC_ARRAY_SIZE(commands))];
		for (j = 0; j < n; j++) {
			strcpy(text[j], words[sc_rng_below(&rng, SC_ARRAY_SIZE(words))]);
			len = strlen(text[j]);
			if (sc_rng_below(&rng, 8) == 0)
				len = mutate(&rng, text[j], len, sizeof(text[j]) - 1);
			text[j][len] = '\0';
			argv[argc++] = text[j];
		}
		sc_config_init(&c);
		err.text[0] = '\0';
		if (sc_config_args(&c, argc, argv, &cmd, &err) == 0) {
			nb_taken++;
			check_all_commands(&c);
			expect_round_trip(&c);
		} else {
			assert_true(err.text[0] != '\0');
		}
		sc_config_free(&c);
	}
	assert_true(nb_taken > ROUNDS / 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(mutated_files),
			cmocka_unit_test(mutated_command_lines),
	};

	return cmocka_run_group_tests_name("config/fuzz", tests, NULL, NULL);
}
