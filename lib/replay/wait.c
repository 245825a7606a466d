/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wait: flows that wait for the return path or, from a file, for a tuple to have rested; and whether
 * a file source should wait. It must not where only its own next frames can help.
 */
#include "engine.h"

#define HELD_NEARLY_FULL 900 /* of 1,000 */

static uint16_t
target_index(const struct sc_replay *e, const struct sc_flow *f)
{
	return e->t.prod[f->prod].target;
}

/* The one behind a waiting flow: it stands in its first session, which there is not yet. */
static uint32_t *
next_of(struct sc_replay *e, uint32_t fi)
{
	return &session_at(e, sc_session_of(&e->t, fi, 0))->wait_next;
}

/* Oldest first: the flow goes to the end of its target's list. */
void
waiting_add(struct sc_replay *e, uint32_t fi)
{
	struct sc_flow *f = flow_at(e, fi);
	uint16_t target = target_index(e, f);

	f->state = SC_FLOW_WAITING;
	*next_of(e, fi) = SC_NONE;
	if (e->waiting[target] == SC_NONE)
		e->waiting[target] = fi;
	else
		*next_of(e, e->waiting_tail[target]) = fi;
	e->waiting_tail[target] = fi;
	e->nb_waiting++;
}

/* Take a waiting flow out of its list. */
void
waiting_drop(struct sc_replay *e, uint32_t fi)
{
	uint16_t target = target_index(e, flow_at(e, fi));
	uint32_t *link = &e->waiting[target], before = SC_NONE;

	while (*link != SC_NONE && *link != fi) {
		before = *link;
		link = next_of(e, *link);
	}
	if (*link == SC_NONE)
		return;
	*link = *next_of(e, fi);
	if (*link == SC_NONE)
		e->waiting_tail[target] = before;
	e->nb_waiting--;
}

/* ---- tuples ---- */

static void
look(const struct sc_replay *e, uint16_t target, uint32_t want, struct sc_tuples_outlook *o)
{
	sc_tuples_look(e->tuples[target], want, e->now_us, o);
}

/* Fewer tuples than wanted now, but not for ever: a file can wait, a mirror cannot. */
static bool
waits_for_tuples(const struct sc_replay *e, uint16_t target, uint32_t want, bool for_ends)
{
	struct sc_tuples_outlook o;

	if (!e->cfg.is_file || e->tuples[target] == NULL)
		return false;
	look(e, target, want, &o);
	return o.ready < want && (o.is_resting || (for_ends && o.taken > 0));
}

/* A flow may wait until other sessions have ended. */
bool
flow_waits_for_tuple(const struct sc_replay *e, uint16_t target)
{
	return waits_for_tuples(e, target, e->cfg.copies, true);
}

/* A session may not: it counts as one that will end by itself, and the source waits for it. */
bool
session_waits_for_tuple(const struct sc_replay *e, const struct sc_session *s)
{
	return waits_for_tuples(e, s->target, 1, false);
}

/* ---- the lists ---- */

static uint32_t
waiting_run_target(struct sc_replay *e, unsigned int target)
{
	uint32_t n;

	for (n = 0; n < 32 && e->waiting[target] != SC_NONE && !sc_replay_is_tx_full(e); n++) {
		uint32_t fi = e->waiting[target];
		uint32_t state = atomic_load(&e->cfg.targets[target].path->state);

		if (state == SC_PATH_PROBING)
			break;
		if (state != SC_PATH_CLOSED && flow_waits_for_tuple(e, (uint16_t)target))
			break;
		waiting_drop(e, fi);
		flow_at(e, fi)->state = SC_FLOW_EMBRYONIC;
		flow_open(e, fi);
		if (flow_at(e, fi)->state == SC_FLOW_WAITING)
			break;
	}
	return n;
}

/* Flows for which path or tuple has come meanwhile. Returns their number. */
uint32_t
waiting_run(struct sc_replay *e)
{
	uint32_t done = 0;

	if (e->nb_waiting == 0 || e->is_held)
		return 0;
	for (unsigned int i = 0; i < e->cfg.nb_targets; i++)
		done += waiting_run_target(e, i);
	return done;
}

/* ---- the source ---- */

/* Will flows that wait go on without another frame of the capture? */
static bool
is_wait_ending(const struct sc_replay *e, uint16_t target)
{
	uint32_t path = atomic_load_explicit(
			&e->cfg.targets[target].path->state, memory_order_relaxed);
	struct sc_tuples_outlook o;

	/* Neighbours and path are decided within seconds. */
	if (e->is_held || path == SC_PATH_PROBING || path == SC_PATH_CLOSED
			|| e->tuples[target] == NULL)
		return true;
	look(e, target, e->cfg.copies, &o);
	return o.ready >= e->cfg.copies || o.is_resting || e->nb_ending > 0;
}

static bool
is_any_wait_ending(const struct sc_replay *e)
{
	for (unsigned int i = 0; e->nb_waiting > 0 && i < e->cfg.nb_targets; i++)
		if (e->waiting[i] != SC_NONE && is_wait_ending(e, (uint16_t)i))
			return true;
	return false;
}

/* Are flows nearly used up, and will some come free by themselves? */
static bool
are_tables_short(const struct sc_replay *e)
{
	uint32_t spare = SC_MIN(64u, e->cfg.max_flows / 4);

	return e->nb_ending > 0 && e->t.free_flow.nb < spare;
}

/* Bytes of live sessions leave in time; those of flows that wait do not, nor those beyond a hole. */
static bool
are_held_short(const struct sc_replay *e)
{
	return sc_held_fill(&e->t) > HELD_NEARLY_FULL && C(e, HELD_BYTES_NOW) > C(e, BYTES_OOO_NOW)
			&& (e->nb_waiting == 0 || C(e, BYTES_IN_FLIGHT_NOW) > 0);
}

bool
sc_replay_should_wait(const struct sc_replay *e)
{
	return is_any_wait_ending(e) || are_tables_short(e) || are_held_short(e);
}
