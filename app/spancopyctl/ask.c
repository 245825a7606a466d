/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <sc_control.h>

#include "ctl.h"

/* The main thread of spancopy answers within a second. */
#define TIMEOUT_S 10
#define ANSWER_MAX (16u << 20)

static void
connect_error(const char *dir, const char *path, struct sc_err *err)
{
	switch (errno) {
	case ENOENT:
	case ENOTDIR:
		sc_err_set(err, -errno,
				"there is no socket %s: is spancopy running, with --control-dir "
				"%s?",
				path, dir);
		break;
	case ECONNREFUSED:
		sc_err_set(err, -errno,
				"nobody listens at %s: the spancopy that made it has died; start "
				"it again",
				path);
		break;
	case EACCES:
		sc_err_set(err, -errno,
				"%s may not be used by this user: root, the user that runs "
				"spancopy, and "
				"members of the directory's group may",
				path);
		break;
	case EAGAIN:
		sc_err_set(err, -errno, "spancopy at %s does not answer: too many ask it", path);
		break;
	default:
		sc_err_set(err, -errno, "%s cannot be reached: %s", path, strerror(errno));
	}
}

/* A connected socket or -1 with a sentence. */
static int
ctl_connect(const char *dir, struct sc_err *err)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = TIMEOUT_S};
	int fd;

	if (snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/%s", dir, SC_CONTROL_SOCKET)
			>= (int)sizeof(sun.sun_path)) {
		sc_err_set(err, -ENAMETOOLONG,
				"--control-dir %.200s is too long: a socket's path has at most %zu "
				"characters",
				dir, sizeof(sun.sun_path) - 1);
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		sc_err_set(err, -errno, "no socket can be made: %s", strerror(errno));
		return -1;
	}
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0
			|| setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0
			|| connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0) {
		connect_error(dir, sun.sun_path, err);
		close(fd);
		return -1;
	}
	return fd;
}

/* One who is turned away finds the socket closed while sending; the answer says why. */
static void
send_line(int fd, const char *request)
{
	size_t left = strlen(request);

	while (left > 0) {
		ssize_t n = send(fd, request, left, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		request += n;
		left -= (size_t)n;
	}
	send(fd, "\n", 1, MSG_NOSIGNAL);
}

/* The answer without its newline, NUL-terminated, to be freed; NULL with a sentence. */
static char *
receive_line(int fd, struct sc_err *err)
{
	size_t size = 16384, n = 0;
	char *text = malloc(size), *bigger;
	ssize_t got = 0;

	while (text != NULL && size <= ANSWER_MAX) {
		got = recv(fd, text + n, size - n - 1, 0);
		if (got <= 0)
			break;
		n += (size_t)got;
		text[n] = '\0';
		if (text[n - 1] == '\n')
			return text;
		if (n < size - 1)
			continue;
		size *= 2;
		bigger = realloc(text, size);
		if (bigger == NULL)
			break;
		text = bigger;
	}
	if (got < 0 && errno == EAGAIN)
		sc_err_set(err, -errno, "spancopy did not answer within %d s", TIMEOUT_S);
	else if (got <= 0)
		sc_err_set(err, -EPIPE, "spancopy closed the connection without an answer");
	else
		sc_err_set(err, -ENOMEM, "the answer is too long");
	free(text);
	return NULL;
}

json_t *
ctl_ask(const char *dir, const char *request, struct sc_err *err)
{
	int fd = ctl_connect(dir, err);
	json_error_t why;
	json_t *answer;
	char *text;

	if (fd < 0)
		return NULL;
	send_line(fd, request);
	text = receive_line(fd, err);
	close(fd);
	if (text == NULL)
		return NULL;
	answer = json_loads(text, 0, &why);
	free(text);
	if (answer == NULL)
		sc_err_set(err, -EBADMSG, "the answer is no JSON (%s): is this spancopy's socket?",
				why.text);
	return answer;
}
