/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_support.h"
#include "sc_test.h"

#define ARGS_MAX 40

static struct sc_config conf;
static enum sc_command cmd;
static struct sc_err error;

/* Split a line at blanks and parse it. The texts must live as long as the arguments are looked at. */
static int
parse(const char *line)
{
	static char copy[2048];
	char *argv[ARGS_MAX + 1] = {"spancopy"};
	int argc = 1;
	char *save, *word;

	snprintf(copy, sizeof(copy), "%s", line);
	for (word = strtok_r(copy, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
		assert_true(argc < ARGS_MAX);
		argv[argc++] = word;
	}
	sc_config_free(&conf);
	sc_config_init(&conf);
	error.text[0] = '\0';
	return sc_config_args(&conf, argc, argv, &cmd, &error);
}

static void
must_parse(const char *line)
{
	if (parse(line) != 0)
		fail_msg("%s: %s", line, error.text);
}

static int
start(void **state)
{
	sc_config_init(&conf);
	return 0;
}

static int
stop(void **state)
{
	sc_config_free(&conf);
	return 0;
}

static void
commands(void **state)
{
	must_parse("run");
	assert_int_equal(cmd, SC_CMD_RUN);
	must_parse("replay f");
	assert_int_equal(cmd, SC_CMD_REPLAY);
	must_parse("check f");
	assert_int_equal(cmd, SC_CMD_CHECK);
	must_parse("help");
	assert_int_equal(cmd, SC_CMD_HELP);
	must_parse("--help");
	assert_int_equal(cmd, SC_CMD_HELP);
	must_parse("version");
	assert_int_equal(cmd, SC_CMD_VERSION);
	must_parse("--version");
	assert_int_equal(cmd, SC_CMD_VERSION);
	must_parse("run --nonsense --help");
	assert_int_equal(cmd, SC_CMD_HELP);
	must_parse("replay f --version");
	assert_int_equal(cmd, SC_CMD_VERSION);
	/* Behind "--" it is EAL's. */
	must_parse("run -- --help");
	assert_int_equal(cmd, SC_CMD_RUN);
	assert_string_equal(conf.eal[0], "--help");
}

static void
both_forms_of_a_value(void **state)
{
	must_parse("run --workers 4 --copies=3 --only-full --clients-on-link=no --sample=12.5%");
	assert_int_equal(conf.workers, 4);
	assert_int_equal(conf.copies, 3);
	assert_true(conf.only_full);
	assert_false(conf.clients_on_link);
	assert_true(conf.sample_pct == 12.5);
	must_parse("run --workers 4 --workers 5 --only-full --only-full=no");
	assert_int_equal(conf.workers, 5);
	assert_false(conf.only_full);
	must_parse("run --report - --latency 50ms --gate off --pace think --held-bytes 1G");
	assert_string_equal(conf.report, "-");
	assert_int_equal(conf.latency_us, 50000);
	assert_int_equal(conf.held_bytes, 1 << 30);
	must_parse("run --control-dir=--odd --mirror=net_pcap0,rx_pcap=a=b.pcap");
	assert_string_equal(conf.control_dir, "--odd");
	assert_string_equal(conf.mirror[0], "net_pcap0,rx_pcap=a=b.pcap");
}

static void
the_whole_command_line(void **state)
{
	must_parse("run --mirror net_af_packet0,iface=m1 --test net_af_packet1,iface=t0 "
		   "--test-address 10.9.0.1/24 --map 80-10.9.0.2:8080,81-10.9.0.2:8081 -x "
		   "192.0.2.1:82-10.9.0.3:82 -x83-10.9.0.2:83 --clients 10.9.1.0/24,10.9.2.x "
		   "--workers 2 "
		   "--intercepts 1 --max-flows 1000 --duration 30s --report r.json "
		   "--expect-fidelity 99.5 -- --lcores 0-3 -m 256");
	assert_int_equal(conf.nb_rules, 4);
	assert_true(conf.rule[2].has_prod);
	assert_int_equal(conf.rule[3].prod_port, 83);
	assert_int_equal(conf.clients.nb, 254 + 254);
	assert_int_equal(conf.nb_eal, 4);
	assert_string_equal(conf.eal[3], "256");
	assert_true(conf.expect_fidelity == 99.5);
	assert_int_equal(sc_config_check(&conf, cmd, &error), 0);
	expect_round_trip(&conf);
}

static void
captures_are_words_without_option(void **state)
{
	must_parse("replay a.pcap --speed max b.pcap --peer capture -- -m 64");
	assert_int_equal(conf.nb_captures, 2);
	assert_string_equal(conf.capture[0], "a.pcap");
	assert_string_equal(conf.capture[1], "b.pcap");
	assert_true(conf.speed == 0);
	assert_int_equal(conf.nb_eal, 2);
	must_parse("replay a.pcap --speed 1000");
	assert_true(conf.speed == 1000);
}

static void
embedded_peer_is_the_default_of_replay(void **state)
{
	must_parse("replay f");
	assert_int_equal(conf.peer, SC_PEER_CAPTURE);
	assert_int_equal(sc_config_check(&conf, cmd, &error), 0);
	must_parse("check f");
	assert_int_equal(conf.peer, SC_PEER_CAPTURE);
	assert_int_equal(sc_config_check(&conf, cmd, &error), 0);
	must_parse("replay f --test t");
	assert_int_equal(conf.peer, SC_PEER_NONE);
	must_parse("replay f --peer none");
	assert_int_equal(conf.peer, SC_PEER_NONE);
	assert_int_equal(sc_config_check(&conf, cmd, &error), -EINVAL);
	must_parse("check --workers 3");
	assert_int_equal(conf.peer, SC_PEER_NONE);
	must_parse("check f --mirror m");
	assert_int_equal(conf.peer, SC_PEER_NONE);
	must_parse("run --mirror m");
	assert_int_equal(conf.peer, SC_PEER_NONE);
}

static void
refusals(void **state)
{
	static const char *const said[][2] = {
			{"", "there is no command; give run, replay, check or help"},
			{"reply f", "unknown command 'reply': did you mean replay?"},
			{"xyzzyx", "unknown command 'xyzzyx'; give run, replay, check or help"},
			{"--workers 3", "unknown command '--workers'"},
			{"run --worker 3", "unknown option '--worker': did you mean --workers?"},
			{"run --worker=3", "unknown option '--worker': did you mean --workers?"},
			{"run --xyzzyx", "unknown option '--xyzzyx'"},
			{"run --=3", "unknown option '--'"},
			{"run -workers 3", "unknown option '-workers': did you mean --workers?"},
			{"run -workers=3",
					"unknown option '-workers=3': did you mean --workers=3?"},
			{"run -c 10.0.0.1",
					"unknown option -c: the only single letter is -x; give "
					"--clients"},
			{"run -n 3",
					"unknown option -n: the only single letter is -x; give "
					"--copies"},
			{"run -r 3",
					"unknown option -r: the only single letter is -x; give "
					"--sample"},
			{"run -h", "unknown option -h: the only single letter is -x; give --help"},
			{"run -Z",
					"unknown option '-Z': the only single letter is -x; "
					"options are words"},
			{"run --workers",
					"--workers: there is no value; give a whole number from 1 "
					"to 16"},
			{"run --workers --copies 3", "--workers: there is no value"},
			{"run --workers -- 3", "--workers: there is no value"},
			{"run --workers=", "--workers: '' is not a whole number"},
			{"run --workers 99",
					"--workers: '99' is too large; give a whole number from 1 "
					"to 16"},
			{"run --workers -3", "--workers: '-3' is not a whole number"},
			{"run --only-full=perhaps", "--only-full: 'perhaps' is neither yes nor no"},
			{"run -x", "-x: there is no value; give [PROD_IP:]PROD_PORT-"},
			{"run -x 80", "-x: map rule '80'"},
			{"run -x80", "-x: map rule '80'"},
			{"run f.pcap", "run takes options only, found 'f.pcap'; to replay a file:"},
			{"run --only-full yes", "run takes options only, found 'yes'"},
			{"run --speed 2", "--speed is not for run; it is for replay"},
			{"run --peer none", "--peer is not for run; it is for replay"},
			{"run --impair loss=1", "--impair is not for run; it is for replay"},
			{"replay f --mirror m", "--mirror is not for replay; it is for run"},
			{"replay --capture f",
					"--capture is a key of the configuration file. On the"},
			{"run --eal -m", "--eal is a key of the configuration file. On the"},
			{"run --config", "--config: there is no value; give the path of a file"},
			{"run --config=", "--config: there is no value"},
			{"run --config --workers 3", "--config: there is no value"},
			{"run --config a --config b", "--config is given twice"},
			{"run --config /nonexistent/x.yaml",
					"/nonexistent/x.yaml: cannot open it: No such"},
			{"run --configs a", "unknown option '--configs'"},
			{"check",
					"check has nothing to look at; give capture files or "
					"--config FILE"},
			{"run -- \xff", "--: '?' is not UTF-8"},
	};
	size_t i;

	for (i = 0; i < SC_ARRAY_SIZE(said); i++) {
		if (parse(said[i][0]) >= 0)
			fail_msg("taken: %s", said[i][0]);
		if (strncmp(error.text, said[i][1], strlen(said[i][1])) != 0)
			fail_msg("%s: expected '%s', got '%s'", said[i][0], said[i][1], error.text);
	}
}

/* ---- with a file ---- */

static void
with_file(const char *yaml, const char *before, const char *after, int rc)
{
	char path[] = "/tmp/test_config_XXXXXX", line[1024];
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, yaml, strlen(yaml)), (ssize_t)strlen(yaml));
	close(fd);
	snprintf(line, sizeof(line), "%s --config %s %s", before, path, after);
	if ((parse(line) < 0) != (rc < 0))
		fail_msg("%s: %s", line, error.text);
	unlink(path);
}

static void
options_override_the_file(void **state)
{
	static const char yaml[] = "workers: 3\ncopies: 5\nmap: [80-10.0.0.2:80, 81-10.0.0.2:81]\n"
				   "clients: 10.1.0.1-9\nmirror: a\neal: [-m, '64']\n";

	with_file(yaml, "run --workers 4", "", 0);
	assert_int_equal(conf.workers, 4);
	assert_int_equal(conf.copies, 5);
	assert_int_equal(conf.nb_rules, 2);
	assert_int_equal(conf.nb_eal, 2);
	with_file(yaml, "run -x 90-10.0.0.2:90", "-x 91-10.0.0.2:91 --clients 10.2.0.1 -- -v", 0);
	assert_int_equal(conf.nb_rules, 2);
	assert_int_equal(conf.rule[0].prod_port, 90);
	assert_int_equal(conf.rule[1].prod_port, 91);
	assert_int_equal(conf.clients.nb, 1);
	assert_string_equal(conf.mirror[0], "a");
	assert_int_equal(conf.nb_eal, 1);
	assert_string_equal(conf.eal[0], "-v");
}

static void
file_may_name_the_captures_and_the_peer(void **state)
{
	with_file("capture: [a, b]\n", "replay", "", 0);
	assert_int_equal(conf.nb_captures, 2);
	assert_int_equal(conf.peer, SC_PEER_CAPTURE);
	with_file("capture: [a, b]\npeer: none\n", "replay", "c", 0);
	assert_int_equal(conf.nb_captures, 1);
	assert_string_equal(conf.capture[0], "c");
	assert_int_equal(conf.peer, SC_PEER_NONE);
	/* One file for run and replay: a replay onto the test port leaves the mirror alone. */
	with_file("mirror: m\ntest: t\ntest-address: 10.0.0.1/24\nmap: 80-10.0.0.2:80\n", "replay",
			"c", 0);
	assert_int_equal(conf.peer, SC_PEER_NONE);
	assert_int_equal(conf.nb_mirror, 0);
	assert_int_equal(sc_config_check(&conf, cmd, &error), 0);
}

static void
a_run_leaves_out_what_is_for_replays(void **state)
{
	with_file("mirror: m\ntest: t\ntest-address: 10.0.0.1/24\nmap: 80-10.0.0.2:80\n"
		  "capture: f\nspeed: 5\npeer: capture\nimpair: loss=1\nseed: 9\n",
			"run", "", 0);
	assert_int_equal(conf.nb_mirror, 1);
	assert_int_equal(conf.nb_captures, 0);
	assert_true(conf.speed == 1);
	assert_int_equal(conf.peer, SC_PEER_NONE);
	assert_string_equal(conf.impair, "");
	assert_int_equal(conf.seed, 9);
	assert_int_equal(sc_config_check(&conf, cmd, &error), 0);
}

static void
a_bad_file_is_refused_before_options(void **state)
{
	with_file("workers: 3\nworker: 3\n", "run --nonsense", "", -1);
	assert_non_null(strstr(error.text, ":2: unknown key 'worker'"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(commands, start, stop),
			cmocka_unit_test_setup_teardown(both_forms_of_a_value, start, stop),
			cmocka_unit_test_setup_teardown(the_whole_command_line, start, stop),
			cmocka_unit_test_setup_teardown(
					captures_are_words_without_option, start, stop),
			cmocka_unit_test_setup_teardown(
					embedded_peer_is_the_default_of_replay, start, stop),
			cmocka_unit_test_setup_teardown(refusals, start, stop),
			cmocka_unit_test_setup_teardown(options_override_the_file, start, stop),
			cmocka_unit_test_setup_teardown(
					file_may_name_the_captures_and_the_peer, start, stop),
			cmocka_unit_test_setup_teardown(
					a_run_leaves_out_what_is_for_replays, start, stop),
			cmocka_unit_test_setup_teardown(
					a_bad_file_is_refused_before_options, start, stop),
	};

	return cmocka_run_group_tests_name("config/args", tests, NULL, NULL);
}
