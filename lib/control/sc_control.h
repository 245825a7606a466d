/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control: the main thread's event loop, and the operator's UNIX socket in it.
 *
 * A client sends lines of words ("status", "stats", "ledger", "reasons", "log debug", "stop",
 * "help") and gets one line of JSON for each; {"error": "sentence"} when it was refused. Root and
 * the process's own user may do everything, members of the directory's group may read.
 *
 * Thread: all functions are for one thread, main. Nothing blocks but sc_control_run().
 */
#ifndef SC_CONTROL_H
#define SC_CONTROL_H

#include <stdint.h>

#include <sc_base.h>
#include <sc_report.h>

#define SC_CONTROL_SOCKET "control.sock"
#define SC_CONTROL_LINE_MAX 65536 /* bytes of a request, its newline included */
#define SC_CONTROL_CLIENTS_MAX 16
#define SC_CONTROL_TIMEOUT_MS 5000 /* for a whole request, and for reading a whole answer */
#define SC_CONTROL_FDS_MAX 16      /* of sc_control_add_fd() */

/* What the socket asks of the application; called from sc_control_run(). */
struct sc_control_ops {
	/*
	 * The figures of the run, about a second old at most; they stay the application's and are
	 * valid until the next call. NULL: there are none yet.
	 */
	const struct sc_report_in *(*report)(void *arg);
	/* Begin an orderly end and return at once; may come more than once. */
	void (*stop)(void *arg);
	/* A clock that never goes back, in milliseconds; NULL: CLOCK_MONOTONIC. */
	uint64_t (*now_ms)(void *arg);
};

struct sc_control;

/*
 * Make the loop and, unless dir is "", the socket DIR/control.sock; DIR is made with mode 0750 if
 * it is missing. ops is copied. NULL with errno and a sentence: another process serves DIR, it
 * cannot be made, its path is too long, ...
 */
struct sc_control *sc_control_open(
		const char *dir, const struct sc_control_ops *ops, void *arg, struct sc_err *err);

/* A descriptor that is readable when sc_control_run() has work, for an outer loop. */
int sc_control_fd(const struct sc_control *ctl);

typedef void (*sc_control_fd_fn)(int fd, void *arg);

/*
 * Call fn when fd (a timerfd, signalfd, ...; non-blocking) is readable or in error. fd stays the
 * caller's, who takes it out before closing it; fn may do so. 0, -ENOSPC when SC_CONTROL_FDS_MAX are there, or a
 * negative errno.
 */
int sc_control_add_fd(struct sc_control *ctl, int fd, sc_control_fd_fn fn, void *arg);
void sc_control_del_fd(struct sc_control *ctl, int fd);

/*
 * Wait up to timeout_ms (-1: without limit, 0: not at all) for events, serve them once and drop
 * clients that are late. Returns the number of events, 0 also after a signal, or a negative errno.
 */
int sc_control_run(struct sc_control *ctl, int timeout_ms);

/* Close clients and socket, remove the socket, and the directory if open made it. NULL is fine. */
void sc_control_close(struct sc_control *ctl);

#endif
