/* SPDX-License-Identifier: BSD-3-Clause */
/* loop: the lcores run; main waits for signals, the clock and the operator. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>

#include <sc_control.h>

#include "app.h"

#define TICK_MS 20
#define TICK_LOSSES_MS 5 /* where ports count what they lose */
#define FILE_PATIENCE 4  /* the gate may wait 30 s for a first byte: more than one drain limit */
#define HOLD_MAX_US (5 * SC_US_PER_S)

/* What the main loop knows of the course of the run. */
struct course {
	struct app *a;
	struct sc_control *ctl;
	bool stop_asked;                /* a signal, the operator or the duration */
	bool abort_asked;               /* the second signal */
	uint64_t drain_us, progress_us; /* when draining began, when something last moved */
	uint64_t second_us;
	uint64_t moved; /* sum of what counts as progress */
	uint32_t ticket[APP_CELLS_MAX];
	bool has_ticket, has_figures;
	bool is_terminal;
	int signal_fd;
	struct sc_report_in in;
};

static uint64_t
now_us(const struct app *a)
{
	return sc_clock_us(&a->clock, rte_rdtsc());
}

/* ---- the pump: captures and peers poll on an lcore of their own ---- */

static int
pump_run(void *arg)
{
	struct app *a = arg;
	struct sc_idler idler = {.mode = a->cfg.idle};

	for (;;) {
		uint32_t phase = atomic_load_explicit(&a->box->phase, memory_order_relaxed);
		uint64_t now = now_us(a);
		uint32_t done = 0;

		if (phase == SC_PHASE_STOP)
			break;
		if (phase == SC_PHASE_RUN)
			done += sc_capture_poll(a->capture, now);
		if (a->peer != NULL)
			done += sc_peer_poll(a->peer, now);
		sc_stats_publish(&a->cell[a->nb_cells - 1]);
		sc_idle(&idler, done, SC_US_PER_MS);
	}
	sc_source_drop(a->source);
	return 0;
}

static int
launch(struct app *a, struct sc_err *err)
{
	unsigned int lcore = rte_get_next_lcore(-1, 1, 0);

	for (unsigned int i = 0; i < a->box->nb_workers;
			i++, lcore = rte_get_next_lcore(lcore, 1, 0))
		if (rte_eal_remote_launch(sc_worker_run, a->worker[i], lcore) < 0)
			return sc_err_set(err, -EBUSY, "lcore %u cannot run a worker", lcore);
	for (unsigned int i = 0; i < a->box->nb_intercepts;
			i++, lcore = rte_get_next_lcore(lcore, 1, 0))
		if (rte_eal_remote_launch(sc_ilcore_run, a->ilcore[i], lcore) < 0)
			return sc_err_set(err, -EBUSY, "lcore %u cannot run an intercept", lcore);
	if (app_has_pump(a) && rte_eal_remote_launch(pump_run, a, lcore) < 0)
		return sc_err_set(err, -EBUSY, "lcore %u cannot run the capture", lcore);
	return 0;
}

/* ---- signals and the operator ---- */

static void
ask_stop(void *arg)
{
	struct course *c = arg;

	c->abort_asked = c->stop_asked;
	c->stop_asked = true;
}

static void
operator_stop(void *arg)
{
	struct course *c = arg;

	c->stop_asked = true;
}

static const struct sc_report_in *
operator_report(void *arg)
{
	struct course *c = arg;

	if (!c->has_figures)
		return NULL;
	app_report_in(c->a, &c->in);
	return &c->in;
}

static void
on_signal(int fd, void *arg)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		ask_stop(arg);
}

static int
open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* ---- each second ---- */

static void
show_status(struct course *c, uint64_t now)
{
	struct sc_report_tick tick = {
			.before = &c->a->before,
			.now = &c->a->sum,
			.interval_s = 1.0,
			.elapsed_s = (double)(now - c->a->start_us) / SC_US_PER_S,
	};
	char line[256];

	if (c->is_terminal)
		fprintf(stderr, "\r\033[K%s", sc_report_status_line(&tick, line, sizeof(line)));
}

static void
each_second(struct course *c, uint64_t now)
{
	if (c->has_ticket && app_figures_read(c->a, c->ticket)) {
		c->has_ticket = false;
		c->has_figures = true;
		show_status(c, now);
	}
	if (c->has_ticket || now < c->second_us)
		return;
	c->second_us = now + SC_US_PER_S;
	app_figures_ask(c->a, c->ticket);
	c->has_ticket = true;
}

/* ---- the course of a run ---- */

static bool
are_neighbours_known(const struct app *a)
{
	uint8_t mac[6];

	if (!sc_intercept_is_ready(a->intercept[0]))
		return false;
	for (unsigned int i = 0; i < a->targets->nb_nexthops; i++)
		if (sc_nexthop_get(&a->targets->nexthop[i], mac) == SC_NEIGH_NONE)
			return false;
	return true;
}

/* Name the next hops that did not answer. */
static void
warn_neighbours(struct app *a)
{
	uint8_t mac[6];
	char text[SC_ADDR_STRLEN];

	for (unsigned int i = 0; i < a->targets->nb_nexthops; i++)
		if (sc_nexthop_get(&a->targets->nexthop[i], mac) < SC_NEIGH_REACHABLE
				|| sc_nexthop_get(&a->targets->nexthop[i], mac) == SC_NEIGH_FAILED)
			app_warn(a,
					"next hop %s does not answer ARP or neighbour solicitation "
					"on the test port: check the cable, --test-address and "
					"--gateway",
					sc_addr_format(&a->targets->nexthop[i].addr, text));
}

static bool
is_source_done(struct app *a)
{
	uint64_t queued = 0;

	if (a->capture == NULL)
		return false;
	sc_capture_get_stats(a->capture, &a->capture_stats);
	if (!a->capture_stats.is_done)
		return false;
	/* Once more: the last frames may have been counted while the first copy was taken. */
	sc_capture_get_stats(a->capture, &a->capture_stats);
	for (unsigned int i = 0; i < a->nb_cells; i++)
		queued += a->cell[i].live.c[SC_C_MIRROR_POLLED];
	return queued >= a->capture_stats.frames && sc_box_handover_count(a->box) == 0;
}

static bool
are_drained(const struct app *a)
{
	for (unsigned int i = 0; i < a->box->nb_workers; i++)
		if (!sc_worker_is_drained(a->worker[i]))
			return false;
	return true;
}

/* Whatever moves while draining: a file replay may take as long as its target needs. */
static uint64_t
progress(const struct app *a)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < a->box->nb_workers; i++) {
		const uint64_t *c = a->cell[i].live.c;

		n += c[SC_C_BYTES_DELIVERED] + c[SC_C_ANSWER_NEW] + c[SC_C_CONNS_ESTABLISHED]
				+ c[SC_C_FLOWS_ADMITTED] + c[SC_C_SESSIONS_STARTED]
				- c[SC_C_SESSIONS_LIVE_NOW];
	}
	return n;
}

static bool
is_drain_over(struct course *c, uint64_t now)
{
	uint64_t limit = c->a->cfg.drain_s * SC_US_PER_S;
	uint64_t moved = progress(c->a);

	if (moved != c->moved) {
		c->moved = moved;
		c->progress_us = now;
	}
	if (are_drained(c->a) || c->abort_asked)
		return true;
	if (c->a->capture != NULL && !c->stop_asked)
		return now - c->progress_us > FILE_PATIENCE * limit;
	return now - c->drain_us > limit;
}

/* The next phase, if it is time for one. */
static void
advance(struct course *c, uint64_t now)
{
	struct app *a = c->a;

	switch (atomic_load(&a->box->phase)) {
	case SC_PHASE_HOLD:
		if (!are_neighbours_known(a) && now - a->start_us < HOLD_MAX_US && !c->stop_asked)
			break;
		warn_neighbours(a);
		a->start_us = now;
		atomic_store(&a->box->phase, SC_PHASE_RUN);
		break;
	case SC_PHASE_RUN:
		if (a->cfg.duration_s != 0 && now - a->start_us >= a->cfg.duration_s * SC_US_PER_S)
			c->stop_asked = true;
		if (!c->stop_asked && !is_source_done(a))
			break;
		c->drain_us = c->progress_us = now;
		atomic_store(&a->box->phase, SC_PHASE_DRAIN);
		break;
	case SC_PHASE_DRAIN:
		if (is_drain_over(c, now))
			atomic_store(&a->box->phase, SC_PHASE_STOP);
		break;
	default:
		break;
	}
}

static void
close_course(struct course *c)
{
	sc_control_close(c->ctl);
	if (c->signal_fd >= 0)
		close(c->signal_fd);
}

/* What main waits for: the control socket and signals. */
static int
open_course(struct course *c, struct sc_err *err)
{
	static const struct sc_control_ops ops = {.report = operator_report, .stop = operator_stop};
	int rc = -1;

	c->signal_fd = -1;
	c->ctl = sc_control_open(c->a->cfg.control_dir, &ops, c, err);
	if (c->ctl == NULL)
		return rc;
	c->signal_fd = open_signals();
	if (c->signal_fd >= 0)
		rc = sc_control_add_fd(c->ctl, c->signal_fd, on_signal, c);
	else
		rc = -errno;
	if (rc == 0)
		return 0;
	close_course(c);
	return sc_err_set(err, rc, "signals cannot be waited for: %s", strerror(-rc));
}

int
app_loop(struct app *a, struct sc_err *err)
{
	struct course c = {.a = a, .is_terminal = isatty(STDERR_FILENO)};
	unsigned int tick_ms = app_knows_missed(a) ? TICK_LOSSES_MS : TICK_MS;
	int status = APP_OK;

	if (open_course(&c, err) < 0)
		return APP_ENVIRONMENT;
	a->start_us = now_us(a);
	if (launch(a, err) < 0) {
		status = APP_ENVIRONMENT;
		atomic_store(&a->box->phase, SC_PHASE_STOP);
	}
	while (atomic_load(&a->box->phase) != SC_PHASE_STOP) {
		sc_control_run(c.ctl, tick_ms);
		app_tell_missed(a);
		advance(&c, now_us(a));
		each_second(&c, now_us(a));
	}
	rte_eal_mp_wait_lcore();
	a->end_us = now_us(a);
	if (c.is_terminal)
		fprintf(stderr, "\r\033[K");
	close_course(&c);
	for (unsigned int i = 0; i < a->box->nb_workers; i++)
		sc_worker_stop(a->worker[i]);
	app_figures_final(a);
	return status;
}
