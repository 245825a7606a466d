/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_support.h"
#include "sc_test.h"

static const struct {
	const char *text;
	const char *said; /* how the sentence begins */
} refused[] = {
		/* not a mapping */
		{"", "t.yaml:1: the file is empty"},
		{"# only\n# comments\n", "t.yaml:1: the file is empty"},
		{"---\n", "t.yaml:2: this is no mapping"},
		{"- a\n- b\n", "t.yaml:1: this is no mapping"},
		{"\n\nworkers\n", "t.yaml:3: this is no mapping"},
		{"[a, b]", "t.yaml:1: this is no mapping"},
		/* keys */
		{"copies: 2\nworker: 3\n", "t.yaml:2: unknown key 'worker': did you mean workers?"},
		{"# c\n\nmax_flows: 100\n",
				"t.yaml:3: unknown key 'max_flows': did you mean max-flows?"},
		{"xyzzy: 100\n", "t.yaml:1: unknown key 'xyzzy'"},
		{"workers: 2\ncopies: 2\nworkers: 3\n",
				"t.yaml:3: workers is given again, first on line 1; give it once"},
		{"map: 80-10.0.0.2:80\nmap: 81-10.0.0.2:80\n", "t.yaml:2: map is given again"},
		{"print-config: yes\n",
				"t.yaml:1: unknown key 'print-config': it is for the command line "
				"only"},
		{"config: other.yaml\n", "t.yaml:1: unknown key 'config'"},
		{"? [a, b]\n: 3\n", "t.yaml:1: a key is a list or a mapping"},
		{"<<: 3\n", "t.yaml:1: unknown key '<<'"},
		{"\"work\\0ers\": 3\n", "t.yaml:1: the value contains a NUL"},
		/* kinds */
		{"copies: 2\nworkers: [1, 2]\n", "t.yaml:2: workers: this is a list or a mapping"},
		{"workers:\n  n: 1\n", "t.yaml:2: workers: this is a list or a mapping"},
		{"map:\n  a: 80-10.0.0.2:80\n", "t.yaml:2: map: a value of the list is itself"},
		{"map:\n  - 80-10.0.0.2:80\n  - [x]\n",
				"t.yaml:3: map: a value of the list is itself"},
		{"map:\n  - 80-10.0.0.2:80\n  - x: y\n",
				"t.yaml:3: map: a value of the list is itself"},
		{"workers:\n",
				"t.yaml:1: workers: there is no value; give a whole number from 1 "
				"to 16"},
		{"copies: 1\nworkers: ~\n", "t.yaml:2: workers: there is no value"},
		{"report: null\n", "t.yaml:1: report: there is no value"},
		{"map:\n  - 80-10.0.0.2:80\n  -\n", "t.yaml:3: map: there is no value"},
		{"report: \"\"\n", "t.yaml:1: report: '' is empty"},
		/* values */
		{"copies: 1\nworkers: 17\n",
				"t.yaml:2: workers: '17' is too large; give a whole number from 1 "
				"to 16"},
		{"workers: 0x4\n", "t.yaml:1: workers: '0x4' is not a whole number"},
		{"workers: |\n  4\n", "t.yaml:1: workers: '4?' is not a whole number"},
		{"map:\n  - 80-10.0.0.2:80\n  - 81\n", "t.yaml:3: map: map rule '81'"},
		{"map: [80-10.0.0.2:80,\n  82-10.0.0.2:99999]\n", "t.yaml:2: map: map rule '82-"},
		{"report: \"a\\0b\"\n", "t.yaml:1: the value contains a NUL"},
		{"report: \"a\\nb\"\n", "t.yaml:1: report: 'a?b' contains a control character"},
		/* what a file does not need */
		{"workers: &a 2\ncopies: *a\n", "t.yaml:1: anchors and aliases"},
		{"workers: 2\ncopies: *a\n", "t.yaml:2: anchors and aliases"},
		{"map: &a [80-10.0.0.2:80]\n", "t.yaml:1: anchors and aliases"},
		{"&a workers: 2\n", "t.yaml:1: anchors and aliases"},
		{"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n", "t.yaml:1: unknown key 'a'"},
		{"workers: !!int 4\n", "t.yaml:1: tags are not taken"},
		{"workers: !!python/object 4\n", "t.yaml:1: tags are not taken"},
		{"map: !seq [80-10.0.0.2:80]\n", "t.yaml:1: tags are not taken"},
		{"workers: 2\n---\nworkers: 3\n", "t.yaml:2: a second document begins"},
		/* no YAML */
		{"workers: 2\n\tcopies: 3\n", "t.yaml:2: not valid YAML"},
		{"workers: 2\ncopies: \"3\n", "t.yaml:3: not valid YAML"},
		{"workers: 2\nmap: [80-10.0.0.2:80\n", "t.yaml:3: not valid YAML"},
		{"workers: 2\nreport: -\n", "t.yaml:2: not valid YAML: block sequence"},
		{"workers: 2\ncopies: \x01\n", "t.yaml:2: not valid YAML"},
		{"workers: 2\n# \xff\xfe\n", "t.yaml:2: not valid YAML"},
		{"\x7f\x45LF\x02\x01", "t.yaml:1: not valid YAML"},
		{"%YAML 9.9\n---\nworkers: 2\n", "t.yaml:1: not valid YAML"},
};

static void
refusals_name_line_and_cause(void **state)
{
	static struct sc_config c;
	struct sc_err err;
	size_t i;

	for (i = 0; i < SC_ARRAY_SIZE(refused); i++) {
		sc_config_init(&c);
		err.text[0] = '\0';
		if (load_text(&c, refused[i].text, &err) >= 0)
			fail_msg("taken:\n%s", refused[i].text);
		if (strncmp(err.text, refused[i].said, strlen(refused[i].said)) != 0)
			fail_msg("expected '%s', got '%s'", refused[i].said, err.text);
		assert_true(load_text(&c, refused[i].text, NULL) < 0);
		sc_config_free(&c);
	}
}

static void
every_form_of_a_value(void **state)
{
	static const char text[] = "%YAML 1.1\n"
				   "--- # comment\n"
				   "workers: 4\n"
				   "\"copies\": '2'\n"
				   "mirror: net_null0,size=64\n"
				   "test:\n"
				   "  - net_null1\n"
				   "  - 'net_null2,iface=a'\n"
				   "test-address: [10.0.0.1/24, \"2001:db8::1/64\"]\n"
				   "map: 80-10.0.0.2:80,81-10.0.0.2:81\n"
				   "clients: []\n"
				   "only-full: on\n"
				   "report: >-\n"
				   "  a\n"
				   "  b\n"
				   "gate: off\n"
				   "...\n";
	static struct sc_config c;
	struct sc_err err = {""};

	sc_config_init(&c);
	if (load_text(&c, text, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(c.workers, 4);
	assert_int_equal(c.copies, 2);
	assert_string_equal(c.mirror[0], "net_null0,size=64");
	assert_int_equal(c.nb_test, 2);
	assert_string_equal(c.test[1], "net_null2,iface=a");
	assert_int_equal(c.nb_test_address, 2);
	assert_int_equal(c.nb_rules, 2);
	assert_int_equal(c.clients.nb, 0);
	assert_true(c.only_full);
	assert_string_equal(c.report, "a b");
	assert_int_equal(c.gate, SC_GATE_OFF);
	sc_config_free(&c);
}

static void
utf16_is_yaml_too(void **state)
{
	static const char text[] = "\xff\xfew\0o\0r\0k\0e\0r\0s\0:\0 \0005\0\n";
	struct cfg_source src = {.name = "t.yaml", .text = text, .len = sizeof(text)};
	static struct sc_config c;
	struct sc_err err = {""};

	sc_config_init(&c);
	if (cfg_load_text(&c, &src, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(c.workers, 5);
	sc_config_free(&c);
}

static void
deep_nesting_ends_at_the_first_level(void **state)
{
	static char text[CFG_FILE_MAX];
	static struct sc_config c;
	struct sc_err err;

	sc_config_init(&c);
	memset(text, '[', sizeof(text) - 1);
	assert_int_equal(load_text(&c, text, &err), -EINVAL);
	memcpy(text, "map: ", 5);
	assert_int_equal(load_text(&c, text, &err), -EINVAL);
	assert_string_equal(err.text,
			"t.yaml:1: map: a value of the list is itself a list or a "
			"mapping; give plain values");
	sc_config_free(&c);
}

/* ---- files ---- */

static void
write_file(char *path, const char *text, size_t len)
{
	int fd;

	strcpy(path, "/tmp/test_config_XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), (ssize_t)len);
	close(fd);
}

static void
file_is_read(void **state)
{
	static struct sc_config c;
	char path[64];
	struct sc_err err = {""};

	write_file(path, "workers: 3\n", 11);
	sc_config_init(&c);
	assert_int_equal(sc_config_load(&c, path, &err), 0);
	assert_int_equal(c.workers, 3);
	unlink(path);
	assert_int_equal(sc_config_load(&c, path, &err), -ENOENT);
	assert_non_null(strstr(err.text, path));
	assert_non_null(strstr(err.text, "No such file"));
	assert_int_equal(sc_config_load(&c, "/", &err), -EISDIR);
	sc_config_free(&c);
}

static void
large_file_is_refused(void **state)
{
	static char text[CFG_FILE_MAX + 1];
	static struct sc_config c;
	char path[64];
	struct sc_err err;

	memset(text, '#', sizeof(text));
	memcpy(text, "workers: 3\n", 11);
	sc_config_init(&c);
	write_file(path, text, sizeof(text) - 1);
	assert_int_equal(sc_config_load(&c, path, &err), 0);
	unlink(path);
	write_file(path, text, sizeof(text));
	assert_int_equal(sc_config_load(&c, path, &err), -EFBIG);
	unlink(path);
	sc_config_free(&c);
}

static void
pipe_is_read(void **state)
{
	static struct sc_config c;
	char path[64];
	struct sc_err err = {""};
	int fd[2];

	assert_int_equal(pipe(fd), 0);
	assert_int_equal(write(fd[1], "workers: 3\n", 11), 11);
	close(fd[1]);
	snprintf(path, sizeof(path), "/dev/fd/%d", fd[0]);
	sc_config_init(&c);
	assert_int_equal(sc_config_load(&c, path, &err), 0);
	assert_int_equal(c.workers, 3);
	close(fd[0]);
	sc_config_free(&c);
}

static void
long_path_leaves_room_for_the_cause(void **state)
{
	static char path[SC_PATH_MAX];
	struct cfg_source src = {.name = path, .text = "workers: 99\n", .len = 12};
	static struct sc_config c;
	struct sc_err err;

	memset(path, 'd', sizeof(path) - 1);
	sc_config_init(&c);
	assert_int_equal(cfg_load_text(&c, &src, &err), -ERANGE);
	assert_non_null(strstr(err.text, "d:1: workers: '99' is too large; give a whole number"));
	sc_config_free(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(refusals_name_line_and_cause),
			cmocka_unit_test(every_form_of_a_value),
			cmocka_unit_test(utf16_is_yaml_too),
			cmocka_unit_test(deep_nesting_ends_at_the_first_level),
			cmocka_unit_test(file_is_read),
			cmocka_unit_test(large_file_is_refused),
			cmocka_unit_test(pipe_is_read),
			cmocka_unit_test(long_path_leaves_room_for_the_cause),
	};

	return cmocka_run_group_tests_name("config/yaml", tests, NULL, NULL);
}
