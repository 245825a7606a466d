/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * golden DIR            replay each DIR/NAME.in.pcap and compare with DIR/NAME.out.pcap
 * golden --update DIR   rewrite the expected files
 * golden --make DIR     rewrite the captures
 */
#include "golden.h"

#include <pcapfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <test_eal.h>
#include <unistd.h>

#include "sc_test.h"

#define FILE_MAX (1 << 20)
#define PCAP_HEADER 24
#define RECORD_HEADER 16

static const char *dir;
static bool is_update;

struct bytes {
	uint8_t *p;
	size_t len;
};

static void
path_of(char path[512], const char *name, const char *ext)
{
	assert_true(snprintf(path, 512, "%s/%s.%s.pcap", dir, name, ext) < 512);
}

static struct bytes
slurp(const char *path)
{
	struct bytes b = {.p = malloc(FILE_MAX)};
	FILE *f = fopen(path, "rb");

	assert_non_null(b.p);
	if (f == NULL)
		fail_msg("%s is missing: golden --update makes it", path);
	b.len = fread(b.p, 1, FILE_MAX, f);
	assert_true(b.len < FILE_MAX);
	fclose(f);
	return b;
}

/* Which frame, and which byte of it, stands at `at` of a capture? */
static void
report(const struct golden_case *c, const struct bytes *b, size_t at)
{
	size_t pos = PCAP_HEADER;
	unsigned int frame = 1;

	while (pos + RECORD_HEADER <= b->len) {
		uint32_t len;

		memcpy(&len, b->p + pos + 8, 4);
		if (at < pos + RECORD_HEADER + len)
			break;
		pos += RECORD_HEADER + len;
		frame++;
	}
	if (at < pos + RECORD_HEADER)
		fail_msg("%s: frame %u differs in time or length, or is missing", c->name, frame);
	fail_msg("%s: frame %u differs at byte %zu", c->name, frame, at - pos - RECORD_HEADER);
}

static void
compare(const struct golden_case *c, const char *expected, const char *got)
{
	struct bytes a = slurp(expected), b = slurp(got);
	size_t at = 0, len = SC_MIN(a.len, b.len);

	while (at < len && a.p[at] == b.p[at])
		at++;
	if (at < len || a.len != b.len)
		report(c, a.len >= b.len ? &a : &b, at);
	free(a.p);
	free(b.p);
}

/* Twice with bursts of 32, once frame by frame: the wire must be the same. */
static void
replay(void **state)
{
	static const uint16_t bursts[] = {32, 32, 1};
	const struct golden_case *c = *state;
	char in[512], expected[512], got[64];

	path_of(in, c->name, "in");
	path_of(expected, c->name, "out");
	if (is_update)
		golden_run(c, in, expected, 32);
	for (unsigned int i = 0; i < SC_ARRAY_SIZE(bursts); i++) {
		pcapfile_temp(got);
		golden_run(c, in, got, bursts[i]);
		compare(c, expected, got);
		unlink(got);
	}
}

static void
make(void)
{
	for (unsigned int i = 0; i < golden_nb_cases; i++) {
		char path[512];

		path_of(path, golden_cases[i].name, "in");
		golden_cases[i].make(path);
		printf("%s: %s\n", path, golden_cases[i].what);
	}
}

int
main(int argc, char **argv)
{
	struct CMUnitTest tests[32];
	unsigned int n = golden_nb_cases;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: golden [--update | --make] DIR\n");
		return 2;
	}
	dir = argv[argc - 1];
	is_update = argc == 3 && strcmp(argv[1], "--update") == 0;
	if (argc == 3 && strcmp(argv[1], "--make") == 0) {
		make();
		return 0;
	}
	for (unsigned int i = 0; i < n && i < SC_ARRAY_SIZE(tests); i++)
		tests[i] = (struct CMUnitTest){.name = golden_cases[i].name,
				.test_func = replay,
				.initial_state = (void *)(uintptr_t)&golden_cases[i]};
	return _cmocka_run_group_tests("golden", tests, n, test_eal_setup, test_eal_teardown);
}
