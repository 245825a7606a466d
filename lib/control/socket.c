/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control_int.h"

#define DIR_MODE 0750
#define SOCKET_MODE 0660
#define BACKLOG 32

_Static_assert(sizeof(((struct control_socket *)0)->path)
				== sizeof(((struct sockaddr_un *)0)->sun_path),
		"a path that fits is a path that can be bound");

/* Make the directory if it is missing, and lock it: the lock says that somebody serves it. */
static int
dir_open(struct control_socket *s, struct sc_err *err)
{
	struct stat st;

	if (mkdir(s->dir, DIR_MODE) == 0)
		s->made_dir = true;
	else if (errno != EEXIST)
		return sc_err_set(err, -errno,
				"control directory %s cannot be made: %s; its parent must exist "
				"and be "
				"writable",
				s->dir, strerror(errno));
	s->dir_fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir_fd < 0)
		return sc_err_set(err, -errno,
				"control directory %s cannot be used: %s; --control-dir takes a "
				"directory",
				s->dir, strerror(errno));
	if (s->made_dir && fchmod(s->dir_fd, DIR_MODE) < 0)
		return sc_err_set(err, -errno, "control directory %s: mode 0750 is refused: %s",
				s->dir, strerror(errno));
	if (flock(s->dir_fd, LOCK_EX | LOCK_NB) < 0)
		return sc_err_set(err, -EADDRINUSE,
				"control directory %s is served by another spancopy; give each its "
				"own "
				"--control-dir",
				s->dir);
	if (fstat(s->dir_fd, &st) == 0 && (st.st_mode & 0022) != 0)
		sc_log(SC_LOG_WARN, "control",
				"directory %s has mode %04o: others may replace the socket; 0750 "
				"is "
				"right",
				s->dir, st.st_mode & 07777);
	return 0;
}

/* The lock is ours, so a socket that is there was left by a process that died. */
static int
remove_stale(const struct control_socket *s, struct sc_err *err)
{
	struct stat st;

	if (lstat(s->path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return sc_err_set(err, -EEXIST,
				"%s exists and is no socket; take it away or give another "
				"--control-dir",
				s->path);
	if (unlink(s->path) < 0)
		return sc_err_set(err, -errno, "old socket %s cannot be removed: %s", s->path,
				strerror(errno));
	return 0;
}

static int
socket_listen(struct control_socket *s, struct sc_err *err)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	gid_t gid = control_socket_group(s);
	int rc = 0;

	memcpy(sun.sun_path, s->path, sizeof(sun.sun_path));
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return sc_err_set(err, -errno, "control socket %s cannot be made: %s", s->path,
				strerror(errno));
	/* Connecting needs write permission; who may do what is decided by the peer's credentials. */
	if (chmod(s->path, SOCKET_MODE) < 0 || listen(s->fd, BACKLOG) < 0)
		rc = -errno;
	if (rc < 0) {
		unlink(s->path);
		return sc_err_set(err, rc, "control socket %s cannot be opened: %s", s->path,
				strerror(-rc));
	}
	if (gid != (gid_t)-1 && gid != getegid() && lchown(s->path, (uid_t)-1, gid) < 0)
		sc_log(SC_LOG_WARN, "control",
				"%s cannot be given to group %u (%s): only root and this user "
				"reach it",
				s->path, (unsigned int)gid, strerror(errno));
	return 0;
}

int
control_socket_open(struct control_socket *s, const char *dir, struct sc_err *err)
{
	int rc;

	memset(s, 0, sizeof(*s));
	s->dir_fd = -1;
	s->fd = -1;
	if (snprintf(s->path, sizeof(s->path), "%s/%s", dir, SC_CONTROL_SOCKET)
			>= (int)sizeof(s->path))
		return sc_err_set(err, -ENAMETOOLONG,
				"control directory %.200s is too long: a socket's path has at most "
				"%zu "
				"characters, /%s included",
				dir, sizeof(s->path) - 1, SC_CONTROL_SOCKET);
	snprintf(s->dir, sizeof(s->dir), "%s", dir);
	rc = dir_open(s, err);
	if (rc == 0)
		rc = remove_stale(s, err);
	if (rc == 0)
		rc = socket_listen(s, err);
	if (rc < 0) {
		/* What we did not bind is not ours to remove. */
		s->path[0] = '\0';
		control_socket_close(s);
	}
	return rc;
}

void
control_socket_close(struct control_socket *s)
{
	if (s->fd >= 0) {
		close(s->fd);
		if (s->path[0] != '\0')
			unlink(s->path);
	}
	if (s->made_dir)
		rmdir(s->dir);
	if (s->dir_fd >= 0)
		close(s->dir_fd);
	s->fd = -1;
	s->dir_fd = -1;
}

gid_t
control_socket_group(const struct control_socket *s)
{
	struct stat st;

	return fstat(s->dir_fd, &st) < 0 ? (gid_t)-1 : st.st_gid;
}
