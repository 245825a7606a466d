/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report_fixture.h"
#include "sc_test.h"

static char dir[PATH_MAX - 64], path[PATH_MAX], tmp[PATH_MAX];
static struct fixture f;

static int
setup(void **state)
{
	const char *base = getenv("TMPDIR");

	fixture_init(&f);
	snprintf(dir, sizeof(dir), "%s/sc_save_XXXXXX", base != NULL ? base : "/tmp");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/report.json", dir);
	snprintf(tmp, sizeof(tmp), "%s/report.json.tmp", dir);
	return 0;
}

static int
teardown(void **state)
{
	unlink(path);
	unlink(tmp);
	return rmdir(dir);
}

static void
write_file(const char *name, const char *text)
{
	FILE *out = fopen(name, "w");

	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

static void
check_report(const char *name)
{
	json_t *root = json_load_file(name, 0, NULL);

	assert_non_null(root);
	assert_string_equal(json_string_value(json_object_get(root, "command")), "replay");
	json_decref(root);
}

static void
test_new_file(void **state)
{
	struct sc_err err;
	struct stat st;

	assert_int_equal(sc_report_save(&f.in, path, stdout, &err), 0);
	check_report(path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(access(tmp, F_OK), -1);
}

/* Neither an old report nor what a killed run left keeps its text or its mode. */
static void
test_old_files_are_replaced(void **state)
{
	struct sc_err err;
	struct stat st;

	write_file(path, "old");
	write_file(tmp, "half");
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(chmod(tmp, 0666), 0);
	assert_int_equal(sc_report_save(&f.in, path, stdout, &err), 0);
	check_report(path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

/* A link in the place of the temporary file is removed, not followed. */
static void
test_link_is_not_followed(void **state)
{
	char other[PATH_MAX];
	struct sc_err err;
	struct stat st;

	snprintf(other, sizeof(other), "%s/other", dir);
	write_file(other, "precious");
	assert_int_equal(symlink(other, tmp), 0);
	assert_int_equal(sc_report_save(&f.in, path, stdout, &err), 0);
	assert_int_equal(stat(other, &st), 0);
	assert_int_equal(st.st_size, 8);
	check_report(path);
	unlink(other);
}

static void
test_no_directory(void **state)
{
	char name[PATH_MAX];
	struct sc_err err;

	snprintf(name, sizeof(name), "%s/none/report.json", dir);
	assert_int_equal(sc_report_save(&f.in, name, stdout, &err), -ENOENT);
	assert_non_null(strstr(err.text, name));
	assert_non_null(strstr(err.text, "directory does not exist"));
	assert_int_equal(sc_report_save(&f.in, dir, stdout, &err), -EISDIR);
	assert_non_null(strstr(err.text, "is a directory"));
}

static void
test_name_too_long(void **state)
{
	char name[PATH_MAX + 10];
	struct sc_err err;

	memset(name, 'x', sizeof(name));
	name[0] = '/';
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(sc_report_save(&f.in, name, stdout, &err), -ENAMETOOLONG);
}

/* The file system refuses: the old report stays, no half one is left. */
static void
test_no_space(void **state)
{
	struct rlimit before, small;
	struct sc_err err;
	char text[8] = "";
	FILE *in;
	int rc;

	write_file(path, "old");
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 100;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	rc = sc_report_save(&f.in, path, stdout, &err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(rc, -EFBIG);
	assert_non_null(strstr(err.text, path));
	assert_int_equal(access(tmp, F_OK), -1);
	in = fopen(path, "r");
	assert_non_null(in);
	assert_non_null(fgets(text, sizeof(text), in));
	fclose(in);
	assert_string_equal(text, "old");
}

/* A device is written to, not replaced. */
static void
test_device(void **state)
{
	struct sc_err err;
	struct stat st;

	assert_int_equal(sc_report_save(&f.in, "/dev/full", stdout, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "free some space"));
	assert_int_equal(stat("/dev/full", &st), 0);
	assert_true(S_ISCHR(st.st_mode));
	assert_int_equal(sc_report_save(&f.in, "/dev/null", stdout, &err), 0);
	assert_int_equal(stat("/dev/null", &st), 0);
	assert_true(S_ISCHR(st.st_mode));
}

static void
test_standard_output(void **state)
{
	struct sc_err err;
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	assert_int_equal(sc_report_save(&f.in, "-", out, &err), 0);
	fclose(out);
	check_report(path);
	out = fopen("/dev/full", "w");
	assert_non_null(out);
	assert_int_equal(sc_report_save(&f.in, "-", out, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "standard output"));
	fclose(out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(test_new_file, setup, teardown),
			cmocka_unit_test_setup_teardown(
					test_old_files_are_replaced, setup, teardown),
			cmocka_unit_test_setup_teardown(test_link_is_not_followed, setup, teardown),
			cmocka_unit_test_setup_teardown(test_no_directory, setup, teardown),
			cmocka_unit_test_setup_teardown(test_name_too_long, setup, teardown),
			cmocka_unit_test_setup_teardown(test_no_space, setup, teardown),
			cmocka_unit_test_setup_teardown(test_device, setup, teardown),
			cmocka_unit_test_setup_teardown(test_standard_output, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
