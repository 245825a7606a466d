/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared by the sources of this room only. */
#ifndef CONTROL_INT_H
#define CONTROL_INT_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <sc_control.h>

/* ---- access.c: who may do what ---- */

enum control_role {
	CONTROL_NOBODY,
	CONTROL_READER, /* may look */
	CONTROL_OWNER   /* may change, too */
};

struct control_peer {
	struct ucred cred;
	gid_t group[1024]; /* supplementary groups; more are not looked at */
	size_t nb_groups;
};

/* Ask the kernel who is at the other end. 0 or a negative errno. */
int control_peer_get(int fd, struct control_peer *peer);
enum control_role control_peer_role(const struct control_peer *peer, uid_t own_uid, gid_t dir_gid);

/* ---- socket.c: the directory and the socket in it ---- */

struct control_socket {
	char path[108]; /* sizeof(sun_path) */
	char dir[108];
	int dir_fd; /* locked while we serve; -1: no socket */
	int fd;
	bool made_dir;
};

int control_socket_open(struct control_socket *s, const char *dir, struct sc_err *err);
void control_socket_close(struct control_socket *s);
/* The directory's group now: an operator may change it while we run. -1 when it cannot be told. */
gid_t control_socket_group(const struct control_socket *s);

/* ---- client.c: one client ---- */

struct control_client {
	int fd; /* -1: free */
	enum control_role role;
	uid_t uid;
	bool is_eof;     /* no more requests will come */
	bool is_closing; /* close once the answer is out */
	uint64_t deadline_ms;
	char *out; /* malloc'd answer, newline included */
	size_t nb_out, out_pos;
	size_t nb_in;
	char in[SC_CONTROL_LINE_MAX + 1];
};

void control_client_init(struct control_client *c, int fd);
void control_client_clear(struct control_client *c);
/* Take what the socket has. False: the client is gone. */
bool control_client_receive(struct control_client *c);
/* Is a whole request in the buffer? A last line without newline counts at the end of the stream. */
bool control_client_has_line(const struct control_client *c);
/* Take that request: NUL-terminated, to be dropped with control_client_drop(); NULL if none. */
char *control_client_line(struct control_client *c, size_t *len);
void control_client_drop(struct control_client *c, size_t len);
/* Make `answer` the answer (its reference is taken); NULL stands for "out of memory". */
void control_client_answer(struct control_client *c, json_t *answer);
/* Send what fits. False: the client is gone. */
bool control_client_send(struct control_client *c);

/* ---- command.c ---- */

struct control_context {
	struct sc_control_ops ops;
	void *arg;
	bool is_stopping;
};

/* The answer to a line of `len` bytes, which is taken apart. A new reference or NULL. */
json_t *control_command(struct control_context *ctx, const struct control_client *c, char *line,
		size_t len);
json_t *control_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
