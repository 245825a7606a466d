/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include <sc_stats.h>

#include "control_int.h"
#include "sc_test.h"

static struct sc_stats sum;
static struct sc_ledger_result ledger;
static struct sc_report_in in = {.command = "run", .sum = &sum, .ledger = &ledger};
static bool has_figures;
static unsigned int nb_stops;

static const struct sc_report_in *
report(void *arg)
{
	return has_figures ? &in : NULL;
}

static void
stop(void *arg)
{
	nb_stops++;
}

static struct control_context ctx;
static struct control_client client;

static int
setup(void **state)
{
	memset(&ctx, 0, sizeof(ctx));
	ctx.ops.report = report;
	ctx.ops.stop = stop;
	client.role = CONTROL_OWNER;
	client.uid = 1001;
	has_figures = true;
	nb_stops = 0;
	sum.c[SC_C_FLOWS_SEEN] = 4711;
	return 0;
}

static json_t *
ask(const char *text)
{
	char line[256];
	json_t *root;

	snprintf(line, sizeof(line), "%s", text);
	root = control_command(&ctx, &client, line, strlen(line));
	assert_non_null(root);
	return root;
}

/* The answer to `text` is an error with `part` in its sentence; "" stands for no error. */
static void
check_error(const char *text, const char *part)
{
	json_t *root = ask(text);
	const char *error = json_string_value(json_object_get(root, "error"));

	if (part[0] == '\0' && error != NULL)
		fail_msg("%s: %s", text, error);
	if (part[0] != '\0' && (error == NULL || strstr(error, part) == NULL))
		fail_msg("%s: \"%s\" is not in: %s", text, part,
				error != NULL ? error : "no error");
	json_decref(root);
}

static void
test_status(void **state)
{
	json_t *root = ask("status");

	assert_int_equal(json_integer_value(json_object_get(root, "flows_seen")), 4711);
	assert_string_equal(json_string_value(json_object_get(root, "state")), "running");
	assert_true(json_integer_value(json_object_get(root, "pid")) > 0);
	json_decref(root);
}

static void
test_stats_and_ledger(void **state)
{
	json_t *root = ask("  stats\t\r");

	assert_int_equal(
			json_integer_value(json_object_get(json_object_get(root, "flows"), "seen")),
			4711);
	json_decref(root);
	root = ask("ledger");
	assert_true(json_is_true(json_object_get(root, "balanced")));
	assert_int_equal(json_array_size(json_object_get(root, "equations")), 17);
	json_decref(root);
}

static void
test_reasons_and_help(void **state)
{
	json_t *root = ask("reasons");

	assert_int_equal(json_object_size(root), SC_R_COUNT - 1);
	assert_string_equal(json_string_value(json_object_get(root, "not_tcp")),
			sc_reason_text(SC_R_NOT_TCP));
	json_decref(root);
	root = ask("help");
	assert_int_equal(json_object_size(root), 7);
	json_decref(root);
}

static void
test_no_figures_yet(void **state)
{
	has_figures = false;
	check_error("status", "still starting");
	check_error("stats", "still starting");
	check_error("ledger", "still starting");
	check_error("help", "");
}

static void
test_log(void **state)
{
	json_t *root;

	sc_log_set_level(SC_LOG_NOTICE);
	check_error("log debug", "");
	assert_int_equal(sc_log_get_level(), SC_LOG_DEBUG);
	check_error("log error", "");
	assert_int_equal(sc_log_get_level(), SC_LOG_ERR);
	check_error("log loud", "'loud' is not known; use error, warn");
	assert_int_equal(sc_log_get_level(), SC_LOG_ERR);
	root = ask("log");
	assert_string_equal(json_string_value(json_object_get(root, "log_level")), "error");
	json_decref(root);
}

static void
test_stop(void **state)
{
	json_t *root;

	check_error("stop", "");
	check_error("stop", "");
	assert_int_equal(nb_stops, 2);
	root = ask("status");
	assert_string_equal(json_string_value(json_object_get(root, "state")), "stopping");
	json_decref(root);
}

static void
test_readers_may_not_change(void **state)
{
	client.role = CONTROL_READER;
	sc_log_set_level(SC_LOG_NOTICE);
	check_error("stop", "only root and the user that runs spancopy may, not uid 1001");
	check_error("log debug", "'log' changes the run");
	assert_int_equal(nb_stops, 0);
	assert_int_equal(sc_log_get_level(), SC_LOG_NOTICE);
	check_error("log", "");
	check_error("status", "");
	check_error("stats", "");
	check_error("reasons", "");
	client.role = CONTROL_NOBODY;
	check_error("status", "uid 1001");
}

static void
test_nonsense(void **state)
{
	char line[] = "sta\0tus";
	json_t *root = control_command(&ctx, &client, line, 7);

	assert_non_null(strstr(
			json_string_value(json_object_get(root, "error")), "byte 0x00 at 3"));
	json_decref(root);
	check_error("", "empty");
	check_error(" \t ", "empty");
	check_error("Status", "'Status' is not known; known are status");
	check_error("status now", "'now' is too much; the request is: status");
	check_error("log debug now", "'now' is too much; the request is: log [LEVEL]");
	check_error("stop it now please", "'now' is too much");
	check_error("\x1b[2J", "byte 0x1b at 0");
	check_error("caf\xc3\xa9", "byte 0xc3 at 3");
	check_error("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		    "aaaaaaaa",
			"is not known");
	assert_int_equal(nb_stops, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup(test_status, setup),
			cmocka_unit_test_setup(test_stats_and_ledger, setup),
			cmocka_unit_test_setup(test_reasons_and_help, setup),
			cmocka_unit_test_setup(test_no_figures_yet, setup),
			cmocka_unit_test_setup(test_log, setup),
			cmocka_unit_test_setup(test_stop, setup),
			cmocka_unit_test_setup(test_readers_may_not_change, setup),
			cmocka_unit_test_setup(test_nonsense, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
