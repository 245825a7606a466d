/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "config_support.h"
#include "sc_test.h"

typedef void (*writer_fn)(FILE *out);

static char *
written(writer_fn fn)
{
	static char *text; /* static: the compiler takes what is found in it for dangling otherwise */
	static size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	fn(f);
	fclose(f);
	return text;
}

static char *
file_text(const char *path)
{
	char *text = calloc(1, CFG_FILE_MAX);
	FILE *f = fopen(path, "r");

	if (f == NULL)
		fail_msg("cannot open %s", path);
	assert_true(fread(text, 1, CFG_FILE_MAX - 1, f) > 0);
	fclose(f);
	return text;
}

static void
run_help(FILE *out)
{
	sc_config_help_command(SC_CMD_RUN, out);
}

static void
replay_help(FILE *out)
{
	sc_config_help_command(SC_CMD_REPLAY, out);
}

static bool
has_line_of(const char *text, const char *word)
{
	char start[64];

	snprintf(start, sizeof(start), "\n  --%s ", word);
	return strstr(text, start) != NULL;
}

static void
each_option_has_one_line(void **state)
{
	char *text = written(sc_config_help);
	const char *line, *end;
	unsigned int i;

	for (i = 0; i < cfg_nb_rows; i++)
		assert_int_equal(has_line_of(text, cfg_rows[i].word),
				cfg_rows[i].where != CFG_ONLY_FILE);
	assert_true(has_line_of(text, "config"));
	for (line = text; *line != '\0'; line = end + 1) {
		end = strchr(line, '\n');
		assert_non_null(end);
		assert_true(end - line < 150);
	}
	assert_non_null(strstr(text, "answer, off or time [answer]"));
	free(text);
}

static void
help_of_a_command_has_its_options(void **state)
{
	char *run = written(run_help), *replay = written(replay_help);

	assert_true(has_line_of(run, "mirror"));
	assert_false(has_line_of(run, "speed"));
	assert_false(has_line_of(replay, "mirror"));
	assert_true(has_line_of(replay, "speed"));
	assert_true(has_line_of(run, "map") && has_line_of(replay, "map"));
	free(run);
	free(replay);
}

static void
manual_is_the_schema(void **state)
{
	char *is = file_text(SC_SOURCE_ROOT "/docs/configuration.md");
	char *should = written(sc_config_help_markdown);

	if (strcmp(is, should) != 0)
		fail_msg("docs/configuration.md is out of date: spancopy help --markdown > "
			 "docs/configuration.md");
	free(is);
	free(should);
}

static void
manual_has_every_word(void **state)
{
	char *text = written(sc_config_help_markdown);
	char cell[64];
	unsigned int i;

	for (i = 0; i < cfg_nb_rows; i++) {
		snprintf(cell, sizeof(cell), "\n| `%s` | ", cfg_rows[i].word);
		assert_non_null(strstr(text, cell));
	}
	free(text);
}

static void
manual_example_is_right(void **state)
{
	char *text = written(sc_config_help_markdown);
	char *start = strstr(text, "```yaml\n"), *end;
	static struct sc_config c;
	struct sc_err err = {""};

	assert_non_null(start);
	start += strlen("```yaml\n");
	end = strstr(start, "```");
	assert_non_null(end);
	*end = '\0';
	sc_config_init(&c);
	if (load_text(&c, start, &err) < 0 || sc_config_check(&c, SC_CMD_RUN, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(c.nb_rules, 2);
	sc_config_free(&c);
	free(text);
}

static void
expect_shipped(const char *name, enum sc_command cmd)
{
	static struct sc_config c;
	struct sc_err err = {""};
	char path[512];

	snprintf(path, sizeof(path), "%s/conf/%s", SC_SOURCE_ROOT, name);
	sc_config_init(&c);
	if (sc_config_load(&c, path, &err) < 0 || sc_config_check(&c, cmd, &err) < 0)
		fail_msg("%s", err.text);
	expect_round_trip(&c);
	sc_config_free(&c);
}

static void
shipped_files_are_right(void **state)
{
	expect_shipped("live.yaml", SC_CMD_RUN);
	expect_shipped("live-on-link.yaml", SC_CMD_RUN);
	expect_shipped("live-ipv6.yaml", SC_CMD_RUN);
	expect_shipped("replay-lab.yaml", SC_CMD_CHECK);
}

static void
replay_lab_needs_only_a_capture(void **state)
{
	static struct sc_config c;
	char *argv[] = {"spancopy", "replay", "f.pcap", "--config",
			SC_SOURCE_ROOT "/conf/replay-lab.yaml", NULL};
	enum sc_command cmd;
	struct sc_err err = {""};

	sc_config_init(&c);
	if (sc_config_args(&c, 5, argv, &cmd, &err) < 0 || sc_config_check(&c, cmd, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(c.peer, SC_PEER_CAPTURE);
	sc_config_free(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(each_option_has_one_line),
			cmocka_unit_test(help_of_a_command_has_its_options),
			cmocka_unit_test(manual_is_the_schema),
			cmocka_unit_test(manual_has_every_word),
			cmocka_unit_test(manual_example_is_right),
			cmocka_unit_test(shipped_files_are_right),
			cmocka_unit_test(replay_lab_needs_only_a_capture),
	};

	return cmocka_run_group_tests_name("config/help", tests, NULL, NULL);
}
