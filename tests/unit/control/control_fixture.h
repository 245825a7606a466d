/* SPDX-License-Identifier: BSD-3-Clause */
/* A control socket in a directory of its own, with a clock that the test sets, and its clients. */
#ifndef CONTROL_FIXTURE_H
#define CONTROL_FIXTURE_H

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <sc_control.h>

#include "sc_test.h"

struct fixture {
	char dir[80], path[108];
	struct sc_control *ctl;
	struct sc_stats sum;
	struct sc_ledger_result ledger;
	struct sc_report_in in;
	bool has_figures;
	unsigned int nb_stops;
	uint64_t now_ms;
};

static const struct sc_report_in *
fixture_report(void *arg)
{
	struct fixture *f = arg;

	return f->has_figures ? &f->in : NULL;
}

static void
fixture_stop(void *arg)
{
	struct fixture *f = arg;

	f->nb_stops++;
}

static uint64_t
fixture_now(void *arg)
{
	struct fixture *f = arg;

	return f->now_ms;
}

static const struct sc_control_ops fixture_ops = {fixture_report, fixture_stop, fixture_now};

/* The name of a directory that does not exist yet. */
static inline void
fixture_dir(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	snprintf(f->dir, sizeof(f->dir), "/tmp/sc_ctl_XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(rmdir(f->dir), 0);
	snprintf(f->path, sizeof(f->path), "%s/%s", f->dir, SC_CONTROL_SOCKET);
	f->now_ms = 1000;
	f->has_figures = true;
	f->in = (struct sc_report_in){.command = "run", .sum = &f->sum, .ledger = &f->ledger};
	f->sum.c[SC_C_FLOWS_SEEN] = 4711;
}

static inline void
fixture_open(struct fixture *f)
{
	struct sc_err err = {""};

	fixture_dir(f);
	f->ctl = sc_control_open(f->dir, &fixture_ops, f, &err);
	if (f->ctl == NULL)
		fail_msg("%s", err.text);
}

static inline int
fixture_connect(const struct fixture *f)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	memcpy(sun.sun_path, f->path, sizeof(sun.sun_path));
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

static inline void
fixture_send(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Serve until nothing more happens; it must come to rest. */
static inline void
fixture_serve(struct fixture *f)
{
	for (int i = 0; i < 1000; i++)
		if (sc_control_run(f->ctl, 0) == 0)
			return;
	fail_msg("the loop never comes to rest");
}

/* The next answer line, parsed; NULL at the end of the stream. */
static inline json_t *
fixture_answer(struct fixture *f, int fd)
{
	static char line[1 << 20];
	size_t n = 0;
	ssize_t got;
	json_t *root;

	for (;;) {
		got = recv(fd, line + n, 1, 0);
		if (got == 0 || (got < 0 && errno == ECONNRESET))
			return NULL;
		if (got < 0) {
			assert_int_equal(errno, EAGAIN);
			assert_true(sc_control_run(f->ctl, 0) > 0); /* an answer must be coming */
			continue;
		}
		if (line[n] == '\n')
			break;
		assert_true(++n < sizeof(line) - 1);
	}
	line[n] = '\0';
	root = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	return root;
}

static inline const char *
error_of(const json_t *root)
{
	const char *text = json_string_value(json_object_get(root, "error"));

	return text != NULL ? text : "";
}

#endif
