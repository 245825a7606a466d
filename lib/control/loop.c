/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "control_int.h"

#define EVENTS_MAX 32
/* Without a descriptor left for the next client, the listening socket rests. */
#define ACCEPT_REST_MS 1000
#define NEVER UINT64_MAX

struct watch {
	int fd; /* -1: free */
	sc_control_fd_fn fn;
	void *arg;
};

struct sc_control {
	struct control_context ctx;
	struct control_socket sock;
	int epoll_fd;
	uint64_t accept_again_ms; /* NEVER: it does not rest */
	struct watch watch[SC_CONTROL_FDS_MAX];
	struct control_client client[SC_CONTROL_CLIENTS_MAX];
};

/* What an event belongs to: its kind and its place in the array. */
enum source {
	SRC_LISTEN,
	SRC_CLIENT,
	SRC_WATCH
};

static uint64_t
tag(enum source src, size_t index)
{
	return (uint64_t)src << 32 | index;
}

static uint64_t
now_ms(const struct sc_control *ctl)
{
	struct timespec ts;

	if (ctl->ctx.ops.now_ms != NULL)
		return ctl->ctx.ops.now_ms(ctl->ctx.arg);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int
poll_set(const struct sc_control *ctl, int op, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event ev = {.events = events, .data.u64 = data};

	return epoll_ctl(ctl->epoll_fd, op, fd, &ev) < 0 ? -errno : 0;
}

static void
client_close(struct control_client *c)
{
	control_client_clear(c); /* closing takes it out of the epoll set */
}

/* Answer the next request, if one is there and the answer before it is out. */
static void
client_answer(struct sc_control *ctl, struct control_client *c)
{
	size_t len;
	char *line;

	if (c->out != NULL || c->is_closing)
		return;
	line = control_client_line(c, &len);
	if (line != NULL) {
		control_client_answer(c, control_command(&ctl->ctx, c, line, len));
		control_client_drop(c, len);
	} else if (c->nb_in == SC_CONTROL_LINE_MAX) {
		control_client_answer(c,
				control_error("the request has no newline in its first %u bytes",
						SC_CONTROL_LINE_MAX));
		c->is_closing = true;
	} else {
		return;
	}
	c->deadline_ms = now_ms(ctl) + SC_CONTROL_TIMEOUT_MS;
}

/* One request a round, so that a client with many does not keep the others waiting. */
static void
client_serve(struct sc_control *ctl, struct control_client *c, uint32_t events)
{
	uint32_t want = EPOLLIN;

	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && c->out == NULL
			&& !control_client_receive(c))
		goto gone;
	client_answer(ctl, c);
	if (!control_client_send(c))
		goto gone;
	if (c->out == NULL && (c->is_closing || (c->is_eof && c->nb_in == 0)))
		goto gone;
	if (c->out != NULL || control_client_has_line(c))
		want = EPOLLOUT;
	if (poll_set(ctl, EPOLL_CTL_MOD, c->fd, want, tag(SRC_CLIENT, (size_t)(c - ctl->client)))
			== 0)
		return;
gone:
	client_close(c);
}

static struct control_client *
client_free_slot(struct sc_control *ctl)
{
	for (size_t i = 0; i < SC_CONTROL_CLIENTS_MAX; i++)
		if (ctl->client[i].fd < 0)
			return &ctl->client[i];
	return NULL;
}

/* Say why and close. One attempt: a new socket's buffer is empty. */
static void
turn_away(int fd, json_t *why)
{
	struct control_client *c = malloc(sizeof(*c));

	if (c == NULL) {
		json_decref(why);
		close(fd);
		return;
	}
	control_client_init(c, fd);
	control_client_answer(c, why);
	control_client_send(c);
	control_client_clear(c);
	free(c);
}

static void
client_accept(struct sc_control *ctl, int fd)
{
	struct control_client *c = client_free_slot(ctl);
	struct control_peer peer;
	enum control_role role;

	if (control_peer_get(fd, &peer) < 0) {
		close(fd);
		return;
	}
	role = control_peer_role(&peer, geteuid(), control_socket_group(&ctl->sock));
	if (role == CONTROL_NOBODY) {
		turn_away(fd,
				control_error("uid %u may not use this socket: root, the user that "
					      "runs "
					      "spancopy, and members of the directory's group may",
						(unsigned int)peer.cred.uid));
		return;
	}
	if (c == NULL) {
		turn_away(fd,
				control_error("%u clients are connected already; try again later",
						SC_CONTROL_CLIENTS_MAX));
		return;
	}
	control_client_init(c, fd);
	c->role = role;
	c->uid = peer.cred.uid;
	c->deadline_ms = now_ms(ctl) + SC_CONTROL_TIMEOUT_MS;
	if (poll_set(ctl, EPOLL_CTL_ADD, fd, EPOLLIN, tag(SRC_CLIENT, (size_t)(c - ctl->client)))
			< 0)
		client_close(c);
}

static void
accept_all(struct sc_control *ctl)
{
	for (unsigned int i = 0; i < SC_CONTROL_CLIENTS_MAX; i++) {
		int fd = accept4(ctl->sock.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			client_accept(ctl, fd);
			continue;
		}
		if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM)
			return;
		sc_log(SC_LOG_WARN, "control", "a client cannot be taken: %s", strerror(errno));
		poll_set(ctl, EPOLL_CTL_MOD, ctl->sock.fd, 0, tag(SRC_LISTEN, 0));
		ctl->accept_again_ms = now_ms(ctl) + ACCEPT_REST_MS;
		return;
	}
}

static uint64_t
next_deadline(const struct sc_control *ctl)
{
	uint64_t next = ctl->accept_again_ms;

	for (size_t i = 0; i < SC_CONTROL_CLIENTS_MAX; i++)
		if (ctl->client[i].fd >= 0)
			next = SC_MIN(next, ctl->client[i].deadline_ms);
	return next;
}

/* Milliseconds to wait: the caller's limit or the next deadline, whichever comes first. */
static int
wait_limit(const struct sc_control *ctl, int timeout_ms)
{
	uint64_t next = next_deadline(ctl), now, left;

	if (next == NEVER)
		return timeout_ms;
	now = now_ms(ctl);
	left = next > now ? SC_MIN(next - now, (uint64_t)INT_MAX) : 0;
	return timeout_ms < 0 ? (int)left : (int)SC_MIN((uint64_t)timeout_ms, left);
}

static void
expire(struct sc_control *ctl)
{
	uint64_t now;

	if (next_deadline(ctl) == NEVER)
		return;
	now = now_ms(ctl);
	for (size_t i = 0; i < SC_CONTROL_CLIENTS_MAX; i++)
		if (ctl->client[i].fd >= 0 && ctl->client[i].deadline_ms <= now)
			client_close(&ctl->client[i]);
	if (ctl->accept_again_ms <= now) {
		ctl->accept_again_ms = NEVER;
		poll_set(ctl, EPOLL_CTL_MOD, ctl->sock.fd, EPOLLIN, tag(SRC_LISTEN, 0));
	}
}

static void
dispatch(struct sc_control *ctl, const struct epoll_event *ev)
{
	size_t index = (uint32_t)ev->data.u64;

	switch ((enum source)(ev->data.u64 >> 32)) {
	case SRC_LISTEN:
		accept_all(ctl);
		break;
	case SRC_CLIENT:
		if (ctl->client[index].fd >= 0)
			client_serve(ctl, &ctl->client[index], ev->events);
		break;
	case SRC_WATCH:
		/* An earlier event of this round may have taken it out. */
		if (ctl->watch[index].fd >= 0)
			ctl->watch[index].fn(ctl->watch[index].fd, ctl->watch[index].arg);
		break;
	}
}

struct sc_control *
sc_control_open(const char *dir, const struct sc_control_ops *ops, void *arg, struct sc_err *err)
{
	struct sc_control *ctl = calloc(1, sizeof(*ctl));
	int rc = -ENOMEM;

	if (ctl == NULL) {
		sc_err_set(err, rc, "no memory for the control socket");
		goto fail;
	}
	ctl->ctx.ops = *ops;
	ctl->ctx.arg = arg;
	ctl->accept_again_ms = NEVER;
	ctl->epoll_fd = -1;
	ctl->sock.fd = -1;
	ctl->sock.dir_fd = -1;
	for (size_t i = 0; i < SC_CONTROL_FDS_MAX; i++)
		ctl->watch[i].fd = -1;
	for (size_t i = 0; i < SC_CONTROL_CLIENTS_MAX; i++)
		ctl->client[i].fd = -1;
	ctl->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (ctl->epoll_fd < 0) {
		rc = sc_err_set(err, -errno, "epoll cannot be used: %s", strerror(errno));
		goto fail;
	}
	if (dir[0] == '\0')
		return ctl;
	rc = control_socket_open(&ctl->sock, dir, err);
	if (rc < 0)
		goto fail;
	rc = poll_set(ctl, EPOLL_CTL_ADD, ctl->sock.fd, EPOLLIN, tag(SRC_LISTEN, 0));
	if (rc == 0)
		return ctl;
	sc_err_set(err, rc, "control socket in %s cannot be polled: %s", dir, strerror(-rc));
fail:
	sc_control_close(ctl);
	errno = -rc;
	return NULL;
}

int
sc_control_fd(const struct sc_control *ctl)
{
	return ctl->epoll_fd;
}

int
sc_control_add_fd(struct sc_control *ctl, int fd, sc_control_fd_fn fn, void *arg)
{
	for (size_t i = 0; i < SC_CONTROL_FDS_MAX; i++) {
		int rc;

		if (ctl->watch[i].fd >= 0)
			continue;
		rc = poll_set(ctl, EPOLL_CTL_ADD, fd, EPOLLIN, tag(SRC_WATCH, i));
		if (rc == 0)
			ctl->watch[i] = (struct watch){fd, fn, arg};
		return rc;
	}
	return -ENOSPC;
}

void
sc_control_del_fd(struct sc_control *ctl, int fd)
{
	for (size_t i = 0; i < SC_CONTROL_FDS_MAX; i++)
		if (ctl->watch[i].fd == fd) {
			poll_set(ctl, EPOLL_CTL_DEL, fd, 0, 0);
			ctl->watch[i].fd = -1;
		}
}

int
sc_control_run(struct sc_control *ctl, int timeout_ms)
{
	struct epoll_event ev[EVENTS_MAX];
	int nb = epoll_wait(ctl->epoll_fd, ev, EVENTS_MAX, wait_limit(ctl, timeout_ms));

	if (nb < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < nb; i++)
		dispatch(ctl, &ev[i]);
	expire(ctl);
	return nb;
}

void
sc_control_close(struct sc_control *ctl)
{
	if (ctl == NULL)
		return;
	for (size_t i = 0; i < SC_CONTROL_CLIENTS_MAX; i++)
		client_close(&ctl->client[i]);
	control_socket_close(&ctl->sock);
	if (ctl->epoll_fd >= 0)
		close(ctl->epoll_fd);
	free(ctl);
}
