/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * housekeep: what is done for flows without a frame of theirs: life times, holes, flows that wait, and
 * the end of all of them once the source has ended. Each in slices that hold no other flow up.
 */
#include "engine.h"

#define HOUSEKEEP_US (4 * SC_US_PER_MS)
#define SWEEP_RATE_MIN 16000ull /* entries a second, where it would take less to look at all */
#define SWEEP_SLICE 512u
#define SWEEP_SLICE_MAX 2048u /* a few microseconds; after a sleep */
#define SWEEP_ENDS 32         /* flows that a slice may end */
#define DRAIN_SLICE 1024u     /* entries */
#define RECLAIM_SLICE 64u
#define IDLE_MIN_S 10u /* a flow may be silent for so long, however many wait for its place */

/*
 * From a file, the SYN's next frame may be far away in time because the source waited: what counts
 * then is the time at which frames were captured.
 */
static bool
is_never_opened(const struct sc_replay *e, const struct sc_flow *f)
{
	return !e->cfg.is_file || (uint32_t)e->cap_us - f->prod_us > EMBRYONIC_TTL_S * SC_US_PER_S;
}

/*
 * Has a flow been silent for so long that nothing will come? From a file, its frames may wait with
 * their source: then the time at which others were captured counts.
 */
static bool
is_silent(const struct sc_replay *e, const struct sc_flow *f, uint32_t idle_s)
{
	uint32_t now = (uint32_t)e->cap_us, us = elapsed_us(f->prod_us, now);

	if (idle_s <= e->t.sweep.long_s)
		return false;
	if (!e->cfg.is_file || e->is_draining)
		return true;
	if (f->client_us != 0)
		us = SC_MIN(us, elapsed_us(f->client_us, now));
	return us / SC_US_PER_S > e->cfg.session_timeout_s;
}

/* False: it may be silent for longer. */
static bool
flow_expired(struct sc_replay *e, uint32_t fi)
{
	struct sc_flow *f = flow_at(e, fi);
	uint32_t idle_s = e->now_s - sc_sweep_seen_s(&e->t.sweep, fi);
	uint32_t join_ttl_s = SC_MIN((uint32_t)JOIN_TTL_S, e->t.sweep.long_s);
	bool is_timeout = idle_s > e->cfg.session_timeout_s;

	if (f->state == SC_FLOW_EMBRYONIC && is_never_opened(e, f)) {
		flow_refuse(e, fi, SC_R_NEVER_OPENED);
		return true;
	}
	if (f->state == SC_FLOW_JOINING
			&& (!(f->flags & SC_FLOW_PROD_SEEN) || idle_s > join_ttl_s)) {
		flow_refuse(e, fi, SC_R_NO_BOUNDARY);
		return true;
	}
	if (f->state != SC_FLOW_LIVE || !is_silent(e, f, idle_s))
		return false;
	flow_abort(e, fi, is_timeout ? SC_R_IDLE_TIMEOUT : SC_R_SHED_IDLE);
	return true;
}

/* From a file: of a slice of all flows, those that nothing came for in the time of the capture end. */
void
housekeep_reclaim(struct sc_replay *e)
{
	uint32_t n = SC_MIN(e->cfg.max_flows, RECLAIM_SLICE);

	for (; n > 0; n--) {
		uint32_t fi = e->reclaim_cursor;

		e->reclaim_cursor = fi + 1 == e->cfg.max_flows ? 0 : fi + 1;
		if (flow_at(e, fi)->state == SC_FLOW_EMBRYONIC
				&& is_never_opened(e, flow_at(e, fi)))
			flow_refuse(e, fi, SC_R_NEVER_OPENED);
	}
}

/* ---- the sweep: each flow once a second ---- */

/* Entries to be looked at in a second. */
static uint64_t
sweep_rate(const struct sc_replay *e)
{
	return SC_MAX(e->cfg.max_flows, SWEEP_RATE_MIN);
}

void
housekeep_init(struct sc_replay *e)
{
	e->t.sweep.ttl_s = EMBRYONIC_TTL_S;
	e->t.sweep.long_s = e->cfg.session_timeout_s;
	e->sweep_us = e->now_us;
	e->sweep_every_us =
			(uint32_t)SC_MIN(HOUSEKEEP_US, SWEEP_SLICE * SC_US_PER_S / sweep_rate(e));
}

/*
 * While new flows find no place, those that have been silent for longest make room: how long they may
 * is halved each second, and doubled again when nothing is short. Some of them have ended, and the
 * mirror did not show how.
 */
static void
adapt_idle(struct sc_replay *e)
{
	uint32_t most = e->cfg.session_timeout_s, *limit = &e->t.sweep.long_s;

	if (e->now_s == e->idle_s)
		return;
	e->idle_s = e->now_s;
	if (e->is_short)
		*limit = SC_MAX(*limit / 2, SC_MIN(IDLE_MIN_S, most));
	else
		*limit = *limit < most / 2 ? 2 * *limit : most;
	e->is_short = false;
}

/* What is due of it. While many are to end it goes on there in the next round. */
static void
sweep(struct sc_replay *e)
{
	uint64_t gone_us = e->now_us - e->sweep_us, rate = sweep_rate(e);
	uint32_t old[SWEEP_ENDS], slice, n, ended = 0;

	if (gone_us < e->sweep_every_us)
		return;
	adapt_idle(e);
	slice = (uint32_t)SC_MIN(SC_MIN(gone_us, SC_US_PER_S) * rate / SC_US_PER_S,
			SC_MIN((uint64_t)e->cfg.max_flows, (uint64_t)SWEEP_SLICE_MAX));
	n = sc_sweep_run(&e->t.sweep, e->now_us, slice, old, SWEEP_ENDS);
	for (uint32_t i = 0; i < n; i++)
		ended += flow_expired(e, old[i]);
	if (ended > SWEEP_ENDS / 2)
		return;
	e->sweep_us += SC_MAX(slice * SC_US_PER_S / rate, (uint64_t)e->sweep_every_us);
	if (e->now_us > e->sweep_us + SC_US_PER_S)
		e->sweep_us = e->now_us - SC_US_PER_S;
}

/* Returns how many flows went on by it. */
uint32_t
housekeep(struct sc_replay *e)
{
	sweep(e);
	if (e->now_us < e->housekeep_us)
		return 0;
	e->housekeep_us = e->now_us + HOUSEKEEP_US;
	path_publish(e);
	return hole_run(e) + waiting_run(e);
}

/* A slice of the walk that finishes open flows once the source has ended. */
uint32_t
housekeep_drain(struct sc_replay *e)
{
	uint32_t done = 0, end = SC_MIN(e->cfg.max_flows, e->drain_cursor + DRAIN_SLICE);

	for (; e->drain_cursor < end && done < 256 && !sc_replay_is_tx_full(e)
			&& e->t.free_held.nb > 0; /* each end needs one */
			e->drain_cursor++) {
		struct sc_flow *f = flow_at(e, e->drain_cursor);

		if (f->state == SC_FLOW_FREE)
			continue;
		done++;
		if (!flow_refuse_unopened(e, e->drain_cursor))
			hole_cut(e, e->drain_cursor);
	}
	return done;
}
