/* SPDX-License-Identifier: BSD-3-Clause */
/* spancopyctl against a control socket that a thread of the test serves. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include "control_fixture.h"
#include "ctl.h"
#include "sc_test.h"

static struct fixture f;
static pthread_t server;
static int end_fd;
static _Atomic bool is_ending;
static char out_text[65536], err_text[4096];

static void
end_seen(int fd, void *arg)
{
	atomic_store(&is_ending, true);
}

static void *
serve(void *arg)
{
	while (!atomic_load(&is_ending))
		sc_control_run(f.ctl, -1);
	return NULL;
}

static int
setup(void **state)
{
	fixture_open(&f);
	atomic_store(&is_ending, false);
	end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_true(end_fd >= 0);
	assert_int_equal(sc_control_add_fd(f.ctl, end_fd, end_seen, NULL), 0);
	return pthread_create(&server, NULL, serve, NULL);
}

static void
server_end(void)
{
	assert_int_equal(eventfd_write(end_fd, 1), 0);
	pthread_join(server, NULL);
	close(end_fd);
	sc_control_close(f.ctl);
}

static int
teardown(void **state)
{
	server_end();
	return 0;
}

/* Run the program with these words behind --control-dir. */
static int
run(const char *dir, char *a, char *b, char *c)
{
	char name[] = "spancopyctl", option[] = "--control-dir", where[256];
	char *argv[] = {name, option, where, a, b, c, NULL};
	int argc = 3 + (a != NULL) + (b != NULL) + (c != NULL), rc;
	FILE *out, *errs;

	snprintf(where, sizeof(where), "%s", dir);
	memset(out_text, 0, sizeof(out_text));
	memset(err_text, 0, sizeof(err_text));
	out = fmemopen(out_text, sizeof(out_text), "w");
	errs = fmemopen(err_text, sizeof(err_text), "w");
	assert_non_null(out);
	assert_non_null(errs);
	rc = ctl_run(argc, argv, out, errs);
	fclose(out);
	fclose(errs);
	return rc;
}

static void
check_text(const char *text, const char *part)
{
	if (strstr(text, part) != NULL)
		return;
	fputs(text, stderr);
	fputs(part, stderr);
	fail_msg("the last line is not in the text above");
}

#define RUN(...) RUN_(__VA_ARGS__, NULL, NULL, NULL)
#define RUN_(a, b, c, ...) run(f.dir, a, b, c)

static void
test_status_table(void **state)
{
	static const char *const warnings[] = {"the mirror is quiet"};

	f.sum.c[SC_C_BYTES_ACCEPTED_COPIES] = 100000;
	f.sum.c[SC_C_BYTES_DELIVERED] = 99999;
	f.in.duration_s = 61.25;
	f.in.warning = warnings;
	f.in.nb_warnings = 1;
	assert_int_equal(RUN((char[]){"status"}), CTL_OK);
	check_text(out_text, "state                 running\n");
	check_text(out_text, "flows seen            4,711\n");
	check_text(out_text, "fidelity              99.99 %\n");
	check_text(out_text, "duration              61.2 s\n");
	check_text(out_text, "balanced              yes\n");
	check_text(out_text, "warning               the mirror is quiet\n");
	assert_string_equal(err_text, "");
}

static void
test_json_answers(void **state)
{
	static char *const requests[] = {"stats", "ledger", "reasons", "help"};
	json_t *root;

	for (size_t i = 0; i < SC_ARRAY_SIZE(requests); i++) {
		assert_int_equal(RUN(requests[i]), CTL_OK);
		root = json_loads(out_text, 0, NULL);
		assert_non_null(root);
		assert_true(json_object_size(root) > 2);
		json_decref(root);
		check_text(out_text, "\n  \""); /* indented */
	}
	assert_int_equal(RUN((char[]){"--json"}, (char[]){"status"}), CTL_OK);
	root = json_loads(out_text, 0, NULL);
	assert_int_equal(json_integer_value(json_object_get(root, "flows_seen")), 4711);
	json_decref(root);
}

static void
test_changes(void **state)
{
	assert_int_equal(RUN((char[]){"log"}, (char[]){"warn"}), CTL_OK);
	assert_int_equal(sc_log_get_level(), SC_LOG_WARN);
	check_text(out_text, "\"log_level\": \"warn\"");
	assert_int_equal(RUN((char[]){"stop"}), CTL_OK);
	check_text(out_text, "stopping");
	assert_int_equal(f.nb_stops, 1);
}

static void
test_refusals(void **state)
{
	assert_int_equal(RUN((char[]){"nonsense"}), CTL_REFUSED);
	assert_string_equal(out_text, "");
	check_text(err_text, "spancopyctl: request 'nonsense' is not known");
	assert_int_equal(RUN((char[]){"status"}, (char[]){"now"}), CTL_REFUSED);
	check_text(err_text, "'now' is too much");
	assert_int_equal(RUN((char[]){"nonsense"}, (char[]){"--json"}), CTL_REFUSED);
	check_text(out_text, "\"error\": \"request 'nonsense'");
	f.has_figures = false;
	assert_int_equal(RUN((char[]){"status"}), CTL_REFUSED);
	check_text(err_text, "still starting");
}

static void
test_unbalanced_ledger(void **state)
{
	f.ledger.nb_faults = 1;
	f.ledger.fault[0] = (struct sc_ledger_fault){sc_ledger_equation(0, NULL), 1, 2};
	assert_int_equal(RUN((char[]){"ledger"}), CTL_REFUSED);
	check_text(out_text, "\"balanced\": false");
	assert_int_equal(RUN((char[]){"status"}), CTL_OK);
	check_text(out_text, "balanced              NO: see spancopyctl ledger\n");
}

static void
test_wrong_command_lines(void **state)
{
	static char longest[SC_CONTROL_LINE_MAX];

	assert_int_equal(run(f.dir, NULL, NULL, NULL), CTL_FAILED);
	check_text(err_text, "what to ask is missing");
	assert_int_equal(RUN((char[]){"--jsno"}, (char[]){"status"}), CTL_FAILED);
	check_text(err_text, "option --jsno is not known");
	assert_int_equal(RUN((char[]){"status"}, (char[]){"--control-dir"}), CTL_FAILED);
	check_text(err_text, "--control-dir needs a directory");
	assert_int_equal(RUN((char[]){"log\nstop"}), CTL_FAILED);
	check_text(err_text, "word 1 has a newline");
	memset(longest, 'x', sizeof(longest) - 1);
	assert_int_equal(RUN(longest), CTL_FAILED);
	check_text(err_text, "longer than 65536 bytes");
	assert_int_equal(f.nb_stops, 0);
	/* The longest that fits is sent and refused by the other side. */
	longest[SC_CONTROL_LINE_MAX - 2] = '\0';
	assert_int_equal(RUN(longest), CTL_REFUSED);
	check_text(err_text, "is not known");
}

static void
test_help_and_version(void **state)
{
	assert_int_equal(RUN((char[]){"--help"}), CTL_OK);
	check_text(out_text, "usage: spancopyctl");
	assert_int_equal(RUN((char[]){"--version"}), CTL_OK);
	check_text(out_text, "spancopyctl ");
}

static void
test_nobody_there(void **state)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	char name[200];
	int fd;

	fixture_dir(&f);
	assert_int_equal(RUN((char[]){"status"}), CTL_FAILED);
	check_text(err_text, "there is no socket /tmp/sc_ctl_");
	check_text(err_text, "is spancopy running, with --control-dir /tmp/sc_ctl_");
	memset(name, 'd', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(run(name, (char[]){"status"}, NULL, NULL), CTL_FAILED);
	check_text(err_text, "too long");
	/* A socket that nobody listens at. */
	assert_int_equal(mkdir(f.dir, 0750), 0);
	memcpy(sun.sun_path, f.path, sizeof(sun.sun_path));
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(RUN((char[]){"status"}), CTL_FAILED);
	check_text(err_text, "nobody listens at");
	close(fd);
	unlink(f.path);
	assert_int_equal(rmdir(f.dir), 0);
}

/* A peer that answers with these bytes and closes. */
static void *
answer_once(void *arg)
{
	int fd = accept(end_fd, NULL, NULL);
	char request[64];

	if (fd < 0)
		return NULL;
	if (recv(fd, request, sizeof(request), 0) > 0 && strlen(arg) > 0)
		send(fd, arg, strlen(arg), MSG_NOSIGNAL);
	close(fd);
	return NULL;
}

static void
check_strange_answer(char *bytes, const char *part)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	pthread_t peer;

	fixture_dir(&f);
	assert_int_equal(mkdir(f.dir, 0750), 0);
	memcpy(sun.sun_path, f.path, sizeof(sun.sun_path));
	end_fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(end_fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(end_fd, 1), 0);
	assert_int_equal(pthread_create(&peer, NULL, answer_once, bytes), 0);
	assert_int_equal(RUN((char[]){"status"}), CTL_FAILED);
	check_text(err_text, part);
	pthread_join(peer, NULL);
	close(end_fd);
	unlink(f.path);
	assert_int_equal(rmdir(f.dir), 0);
}

static void
test_strange_answers(void **state)
{
	check_strange_answer((char[]){""}, "closed the connection without an answer");
	check_strange_answer((char[]){"{\"half\":"}, "closed the connection without an answer");
	check_strange_answer((char[]){"220 mail.example ready\n"}, "the answer is no JSON");
}

static void
test_full_disk(void **state)
{
	FILE *out = fopen("/dev/full", "w"), *errs;
	char name[] = "spancopyctl", option[] = "-d", word[] = "stats";
	char *argv[] = {name, option, f.dir, word, NULL};

	memset(err_text, 0, sizeof(err_text));
	errs = fmemopen(err_text, sizeof(err_text), "w");
	assert_non_null(out);
	assert_non_null(errs);
	assert_int_equal(ctl_run(4, argv, out, errs), CTL_FAILED);
	fclose(out);
	fclose(errs);
	check_text(err_text, "the answer could not be written");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			T(test_status_table),
			T(test_json_answers),
			T(test_changes),
			T(test_refusals),
			T(test_unbalanced_ledger),
			T(test_wrong_command_lines),
			T(test_help_and_version),
			T(test_full_disk),
			cmocka_unit_test(test_nobody_there),
			cmocka_unit_test(test_strange_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
