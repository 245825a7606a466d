/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sc_report.h>

static int
sentence(struct sc_err *err, int code, const char *path)
{
	switch (-code) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return sc_err_set(err, code,
				"report %s could not be written: %s; free some space or give "
				"--report "
				"another place",
				path, strerror(-code));
	case ENOENT:
	case ENOTDIR:
		return sc_err_set(err, code,
				"report %s could not be written: its directory does not exist; "
				"make it "
				"or give --report another place",
				path);
	default:
		return sc_err_set(err, code, "report %s could not be written: %s", path,
				strerror(-code));
	}
}

/* Write and close fd. `errno` of the first failure is kept: a full disk may show only at the end. */
static int
write_fd(const struct sc_report_in *in, int fd, bool is_file)
{
	FILE *f = fdopen(fd, "w");
	int rc;

	if (f == NULL) {
		rc = -errno;
		close(fd);
		return rc;
	}
	errno = 0;
	rc = sc_report_json(in, f);
	if (rc == -EIO && errno != 0)
		rc = -errno;
	if (rc == 0 && is_file && fsync(fd) < 0)
		rc = -errno;
	if (fclose(f) != 0 && rc == 0)
		rc = -errno;
	return rc;
}

static int
write_direct(const struct sc_report_in *in, const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? -errno : write_fd(in, fd, false);
}

static int
write_renamed(const struct sc_report_in *in, const char *path)
{
	char tmp[PATH_MAX];
	int fd, rc;

	if (snprintf(tmp, sizeof(tmp), "%s.tmp", path) >= (int)sizeof(tmp))
		return -ENAMETOOLONG;
	/* One left by a run that was killed would keep its mode, or be someone's link. */
	if (unlink(tmp) < 0 && errno != ENOENT)
		return -errno;
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	rc = write_fd(in, fd, true);
	if (rc == 0 && rename(tmp, path) < 0)
		rc = -errno;
	if (rc < 0)
		unlink(tmp);
	return rc;
}

int
sc_report_save(const struct sc_report_in *in, const char *path, FILE *std_out, struct sc_err *err)
{
	struct stat st;
	int rc;

	if (strcmp(path, "-") == 0) {
		errno = 0;
		rc = sc_report_json(in, std_out);
		if (rc == -EIO && errno != 0)
			rc = -errno;
		return rc < 0 ? sentence(err, rc, "on standard output") : 0;
	}
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return sc_err_set(err, -EISDIR,
				"report %s could not be written: it is a directory; --report takes "
				"the "
				"name of a file",
				path);
	/* A rename would put a file in the place of /dev/null or a named pipe. */
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		rc = write_direct(in, path);
	else
		rc = write_renamed(in, path);
	return rc < 0 ? sentence(err, rc, path) : 0;
}
