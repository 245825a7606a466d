/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control_int.h"

void
control_client_init(struct control_client *c, int fd)
{
	c->fd = fd;
	c->role = CONTROL_NOBODY;
	c->uid = 0;
	c->is_eof = false;
	c->is_closing = false;
	c->out = NULL;
	c->nb_out = 0;
	c->out_pos = 0;
	c->nb_in = 0;
}

void
control_client_clear(struct control_client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	free(c->out);
	control_client_init(c, -1);
}

bool
control_client_receive(struct control_client *c)
{
	ssize_t n;

	if (c->is_eof || c->nb_in == SC_CONTROL_LINE_MAX)
		return true;
	n = recv(c->fd, c->in + c->nb_in, SC_CONTROL_LINE_MAX - c->nb_in, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		c->is_eof = true;
	c->nb_in += (size_t)n;
	return true;
}

bool
control_client_has_line(const struct control_client *c)
{
	return (c->is_eof && c->nb_in > 0) || memchr(c->in, '\n', c->nb_in) != NULL;
}

char *
control_client_line(struct control_client *c, size_t *len)
{
	char *end;

	if (!control_client_has_line(c))
		return NULL;
	end = memchr(c->in, '\n', c->nb_in);
	if (end == NULL)
		end = c->in + c->nb_in;
	*len = (size_t)(end - c->in);
	*end = '\0';
	return c->in;
}

void
control_client_drop(struct control_client *c, size_t len)
{
	/* The newline goes, too; a last line has none. */
	size_t n = SC_MIN(len + 1, c->nb_in);

	c->nb_in -= n;
	memmove(c->in, c->in + n, c->nb_in);
}

void
control_client_answer(struct control_client *c, json_t *answer)
{
	static const char no_memory[] = "{\"error\":\"spancopy is out of memory\"}";
	char *text = answer != NULL ? json_dumps(answer, JSON_COMPACT | JSON_REAL_PRECISION(15))
				    : NULL;

	json_decref(answer);
	if (text == NULL)
		text = strdup(no_memory);
	if (text == NULL) {
		c->is_closing = true;
		return;
	}
	c->out = text;
	c->out_pos = 0;
	c->nb_out = strlen(text) + 1;
	c->out[c->nb_out - 1] = '\n';
}

bool
control_client_send(struct control_client *c)
{
	while (c->out_pos < c->nb_out) {
		ssize_t n = send(c->fd, c->out + c->out_pos, c->nb_out - c->out_pos,
				MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		c->out_pos += (size_t)n;
	}
	free(c->out);
	c->out = NULL;
	c->nb_out = 0;
	c->out_pos = 0;
	return true;
}
