/* SPDX-License-Identifier: BSD-3-Clause */
#include <options.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_support.h"
#include "sc_test.h"

/* What one call wrote, and what it left. */
static struct {
	char out[65536], err[4096];
	int rc;
	bool is_done;
	enum sc_command cmd;
} got;

static void
slurp(FILE *f, char *buf, size_t len)
{
	rewind(f);
	buf[fread(buf, 1, len - 1, f)] = '\0';
	fclose(f);
}

/* app_options() with both standard streams caught. */
static void
call(int argc, const char *const *args)
{
	FILE *out = tmpfile(), *err = tmpfile();
	int old_out = dup(STDOUT_FILENO), old_err = dup(STDERR_FILENO), i;
	static struct sc_config c;
	char *argv[8] = {"spancopy"};

	for (i = 0; i < argc; i++)
		argv[i + 1] = (char *)(uintptr_t)args[i];
	fflush(NULL);
	dup2(fileno(out), STDOUT_FILENO);
	dup2(fileno(err), STDERR_FILENO);
	sc_config_init(&c);
	got.rc = app_options(argc + 1, argv, &c, &got.cmd);
	got.is_done = got.rc == 0 && app_options_is_done(&c, got.cmd);
	sc_config_free(&c);
	fflush(NULL);
	dup2(old_out, STDOUT_FILENO);
	dup2(old_err, STDERR_FILENO);
	close(old_out);
	close(old_err);
	slurp(out, got.out, sizeof(got.out));
	slurp(err, got.err, sizeof(got.err));
}

#define CALL(...)                                         \
	do {                                              \
		const char *const args[] = {__VA_ARGS__}; \
		call((int)SC_ARRAY_SIZE(args), args);     \
	} while (0)

static void
expect_text(const char *start)
{
	assert_int_equal(got.rc, 0);
	assert_true(got.is_done);
	assert_string_equal(got.err, "");
	if (strncmp(got.out, start, strlen(start)) != 0)
		fail_msg("expected '%s', got '%.80s'", start, got.out);
}

static void
expect_usage_error(const char *sentence)
{
	assert_int_equal(got.rc, 2);
	assert_string_equal(got.out, "");
	if (strncmp(got.err, sentence, strlen(sentence)) != 0)
		fail_msg("expected '%s', got '%s'", sentence, got.err);
	assert_int_equal(got.err[strlen(got.err) - 1], '\n');
}

static void
help_goes_to_stdout(void **state)
{
	CALL("--help");
	expect_text("usage: spancopy COMMAND");
	assert_non_null(strstr(got.out, "--workers N"));
	CALL("help");
	expect_text("usage: spancopy COMMAND");
	CALL("help", "replay");
	expect_text("usage: spancopy replay");
	assert_null(strstr(got.out, "--mirror DEV"));
	CALL("run", "--bogus", "--help");
	expect_text("usage: spancopy run");
	assert_null(strstr(got.out, "--speed F"));
	CALL("check", "--help");
	expect_text("usage: spancopy check");
	CALL("help", "--markdown");
	expect_text("# Configuration\n");
}

static void
version_goes_to_stdout(void **state)
{
	CALL("--version");
	expect_text("spancopy " SC_VERSION "\n");
	CALL("run", "--version");
	expect_text("spancopy " SC_VERSION "\n");
}

static void
errors_go_to_stderr(void **state)
{
	call(0, NULL);
	expect_usage_error("spancopy: there is no command");
	assert_non_null(strstr(got.err, "spancopy help"));
	CALL("run", "--worker", "3");
	expect_usage_error("spancopy: unknown option '--worker': did you mean --workers?\n");
	CALL("run", "--mirror", "m");
	expect_usage_error("spancopy: test: there is no test port");
	CALL("help", "me");
	expect_usage_error("spancopy: help takes one of");
	CALL("help", "run", "replay");
	expect_usage_error("spancopy: help takes one of");
	/* A configuration that would be refused is not printed as if it were in effect. */
	CALL("replay", "--print-config");
	expect_usage_error("spancopy: capture: replay has no file");
}

static void
right_lines_go_on(void **state)
{
	CALL("replay", "f.pcap");
	assert_int_equal(got.rc, 0);
	assert_false(got.is_done);
	assert_int_equal(got.cmd, SC_CMD_REPLAY);
	assert_string_equal(got.out, "");
	assert_string_equal(got.err, "");
	CALL("check", "--config", SC_SOURCE_ROOT "/conf/live.yaml");
	assert_int_equal(got.rc, 0);
	assert_int_equal(got.cmd, SC_CMD_CHECK);
	assert_false(got.is_done);
}

static void
printed_configuration_reads_back(void **state)
{
	static struct sc_config c;
	struct sc_err err = {""};

	CALL("replay", "f.pcap", "--workers", "3", "--print-config");
	expect_text("# effective configuration");
	sc_config_init(&c);
	if (load_text(&c, got.out, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(c.workers, 3);
	assert_string_equal(c.capture[0], "f.pcap");
	assert_int_equal(c.peer, SC_PEER_CAPTURE);
	sc_config_free(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(help_goes_to_stdout),
			cmocka_unit_test(version_goes_to_stdout),
			cmocka_unit_test(errors_go_to_stderr),
			cmocka_unit_test(right_lines_go_on),
			cmocka_unit_test(printed_configuration_reads_back),
	};

	return cmocka_run_group_tests_name("app/options", tests, NULL, NULL);
}
