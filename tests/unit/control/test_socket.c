/* SPDX-License-Identifier: BSD-3-Clause */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "control_fixture.h"
#include "sc_test.h"

static struct fixture f;

static struct sc_control *
try_open(const char *dir, struct sc_err *err)
{
	err->text[0] = '\0';
	errno = 0;
	return sc_control_open(dir, &fixture_ops, &f, err);
}

static void
test_directory_is_made_and_removed(void **state)
{
	struct stat st;
	mode_t before = umask(0077);

	fixture_open(&f);
	umask(before);
	assert_int_equal(stat(f.dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	assert_int_equal(lstat(f.path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0660);
	sc_control_close(f.ctl);
	assert_int_equal(stat(f.dir, &st), -1);
}

static void
test_directory_that_was_there_stays(void **state)
{
	struct sc_err err;
	struct stat st;

	fixture_dir(&f);
	assert_int_equal(mkdir(f.dir, 0700), 0);
	f.ctl = try_open(f.dir, &err);
	assert_non_null(f.ctl);
	assert_int_equal(stat(f.dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	sc_control_close(f.ctl);
	assert_int_equal(lstat(f.path, &st), -1);
	assert_int_equal(rmdir(f.dir), 0);
}

static void
test_second_process_is_refused(void **state)
{
	struct sc_err err;
	int fd;

	fixture_open(&f);
	assert_null(try_open(f.dir, &err));
	assert_int_equal(errno, EADDRINUSE);
	assert_non_null(strstr(err.text, "served by another spancopy"));
	/* The first goes on unharmed. */
	fd = fixture_connect(&f);
	fixture_send(fd, "status\n");
	json_decref(fixture_answer(&f, fd));
	close(fd);
	sc_control_close(f.ctl);
}

/* A process that died leaves its socket behind. */
static void
test_stale_socket_is_replaced(void **state)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct sc_err err;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	fixture_dir(&f);
	assert_int_equal(mkdir(f.dir, 0750), 0);
	memcpy(sun.sun_path, f.path, sizeof(sun.sun_path));
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	close(fd);
	f.ctl = try_open(f.dir, &err);
	assert_non_null(f.ctl);
	fd = fixture_connect(&f);
	close(fd);
	sc_control_close(f.ctl);
	assert_int_equal(rmdir(f.dir), 0);
}

/* What is no socket is somebody's file: it stays. */
static void
test_file_in_the_way(void **state)
{
	struct sc_err err;
	FILE *out;

	fixture_dir(&f);
	assert_int_equal(mkdir(f.dir, 0750), 0);
	out = fopen(f.path, "w");
	assert_non_null(out);
	fclose(out);
	assert_null(try_open(f.dir, &err));
	assert_int_equal(errno, EEXIST);
	assert_non_null(strstr(err.text, f.path));
	assert_int_equal(access(f.path, F_OK), 0);
	unlink(f.path);
	assert_int_equal(rmdir(f.dir), 0);
}

static void
test_bad_directories(void **state)
{
	char name[128];
	struct sc_err err;

	fixture_dir(&f);
	snprintf(name, sizeof(name), "%s/deeper", f.dir);
	assert_null(try_open(name, &err));
	assert_int_equal(errno, ENOENT);
	assert_non_null(strstr(err.text, name));
	assert_non_null(strstr(err.text, "parent"));
	assert_null(try_open("/dev/null", &err));
	assert_int_equal(errno, ENOTDIR);
	assert_non_null(strstr(err.text, "/dev/null"));
	memset(name, 'd', sizeof(name));
	name[0] = '/';
	name[sizeof(name) - 1] = '\0';
	assert_null(try_open(name, &err));
	assert_int_equal(errno, ENAMETOOLONG);
	assert_non_null(strstr(err.text, "too long"));
	/* Without a place for the sentence, too. */
	assert_null(sc_control_open("/dev/null", &fixture_ops, &f, NULL));
}

/* Without a directory there is a loop and no socket. */
static void
test_no_socket(void **state)
{
	struct sc_err err;

	fixture_dir(&f);
	f.ctl = try_open("", &err);
	assert_non_null(f.ctl);
	assert_int_equal(sc_control_run(f.ctl, 0), 0);
	sc_control_close(f.ctl);
	sc_control_close(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_directory_is_made_and_removed),
			cmocka_unit_test(test_directory_that_was_there_stays),
			cmocka_unit_test(test_second_process_is_refused),
			cmocka_unit_test(test_stale_socket_is_replaced),
			cmocka_unit_test(test_file_in_the_way),
			cmocka_unit_test(test_bad_directories),
			cmocka_unit_test(test_no_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
