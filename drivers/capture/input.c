/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reader.h"

/* One read: short, so that a poll that needs one is not held up for long. */
#define INPUT_READ ((size_t)65536)
#define INPUT_BUF (READER_BLOCK_MAX + INPUT_READ)
/* A path of up to 4,096 bytes would leave no room for the sentence. */
#define INPUT_PATH_SHOWN 200

int
input_init(struct input *in)
{
	*in = (struct input){.fd = -1};
	in->buf = malloc(INPUT_BUF);
	return in->buf == NULL ? -ENOMEM : 0;
}

void
input_free(struct input *in)
{
	input_close(in);
	free(in->buf);
	in->buf = NULL;
}

const char *
input_short_path(const char *path)
{
	size_t len = strlen(path);

	return len > INPUT_PATH_SHOWN ? path + len - INPUT_PATH_SHOWN : path;
}

int
input_damage(const struct input *in, uint64_t offset, struct sc_err *err, const char *fmt, ...)
{
	char what[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return sc_err_set(err, -EBADMSG, "capture %s, at byte %" PRIu64 ": %s",
			input_short_path(in->path), offset, what);
}

int
input_open(struct input *in, const char *path, struct sc_err *err)
{
	struct stat st;
	int fd, rc;

	/* Not to hang in the opening of a pipe that nobody writes to; regular files ignore it. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0) {
		rc = -errno;
		sc_err_set(err, rc, "cannot open capture %s: %s", input_short_path(path),
				strerror(errno));
		goto fail;
	}
	if (!S_ISREG(st.st_mode)) {
		rc = sc_err_set(err, -EINVAL,
				"capture %s is not a regular file; a capture is read more than "
				"once and at "
				"any place, so save it to a file first",
				input_short_path(path));
		goto fail;
	}
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL); /* a hint only */
	in->fd = fd;
	in->path = path;
	in->beg = in->end = 0;
	in->offset = 0;
	return 0;
fail:
	if (fd >= 0)
		close(fd);
	return rc;
}

void
input_close(struct input *in)
{
	if (in->fd >= 0)
		close(in->fd);
	in->fd = -1;
}

/* Read once behind what is there: bytes, 0 at the end of the file, -EIO. */
static ssize_t
input_fill(struct input *in, struct sc_err *err)
{
	ssize_t n;

	do {
		n = read(in->fd, in->buf + in->end, SC_MIN(INPUT_READ, INPUT_BUF - in->end));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return sc_err_set(err, -EIO, "capture %s, at byte %" PRIu64 ": cannot read: %s",
				input_short_path(in->path), in->offset + input_left(in),
				strerror(errno));
	in->end += (size_t)n;
	return n;
}

int
input_need(struct input *in, size_t n, struct sc_err *err)
{
	ssize_t got;

	if (input_left(in) >= n)
		return 1;
	memmove(in->buf, in->buf + in->beg, input_left(in));
	in->end = input_left(in);
	in->beg = 0;
	while (in->end < n) {
		got = input_fill(in, err);
		if (got <= 0)
			return (int)got;
	}
	return 1;
}

void
input_take(struct input *in, size_t n)
{
	in->beg += n;
	in->offset += n;
}

int
input_skip(struct input *in, uint64_t n, struct sc_err *err)
{
	uint64_t now = SC_MIN(n, (uint64_t)input_left(in));
	ssize_t got;

	input_take(in, now);
	for (n -= now; n > 0; n -= now) {
		in->beg = in->end = 0;
		got = input_fill(in, err);
		if (got <= 0)
			return (int)got;
		now = SC_MIN(n, (uint64_t)got);
		input_take(in, now);
	}
	return 1;
}
