/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hole: client bytes that production acknowledged and the mirror never showed. A flow goes on only
 * behind a proven boundary; otherwise it ends as capture_gap. Nothing waits silently. If the bytes
 * before the hole are no whole message either, it goes on with another connection (session_tear).
 */
#include "engine.h"

#define CLIENT_ONLY_US (3 * SC_US_PER_S)
#define CLIENT_ONLY_BYTES (64 * 1024)
#define BOUNDARY_WAIT_US (10 * SC_US_PER_S)

void
hole_watch(struct sc_replay *e, uint32_t fi)
{
	struct sc_flow *f = flow_at(e, fi);

	f->hole_us = frame_clock(e);
	f->hole_ack = f->cack;
	if (f->is_watched)
		return;
	f->is_watched = true;
	e->holes[e->nb_holes++] = fi;
}

static bool
has_turn(struct sc_replay *e, const struct sc_flow *f)
{
	for (uint32_t hi = f->ooo_head; hi != SC_NONE; hi = held_at(e, hi)->next)
		if (held_at(e, hi)->flags & SC_HELD_TURN)
			return true;
	return false;
}

/* Production has sent a RST, and it is not decided yet where the stream ends. */
static bool
is_reset(const struct sc_flow *f)
{
	return f->reason == SC_R_COMPLETE && (f->flags & FLOW_CLOSED) == 0;
}

/*
 * A RST stands beyond the hole, or was production's, or a FIN does that production acknowledged: nobody
 * will send the missing bytes any more, nor anything behind them.
 */
static bool
has_end(struct sc_replay *e, const struct sc_flow *f)
{
	if (is_reset(f))
		return true;
	for (uint32_t hi = f->ooo_head; hi != SC_NONE; hi = held_at(e, hi)->next) {
		const struct sc_held *h = held_at(e, hi);

		if (h->kind == SC_HELD_RST)
			return true;
		if (h->kind == SC_HELD_FIN && (f->flags & SC_FLOW_PROD_SEEN)
				&& sc_seq_gt(f->prod_cack, h->seq))
			return true;
	}
	return false;
}

/* Are the missing bytes known to be lost, not just late? */
static bool
is_declared(struct sc_replay *e, const struct sc_flow *f, uint32_t waited_us)
{
	if (waited_us < REORDER_US)
		return false;
	if (f->nb_ooo >= OOO_MAX || waited_us >= BOUNDARY_WAIT_US || has_end(e, f))
		return true;
	if (f->flags & SC_FLOW_PROD_SEEN)
		return sc_seq_geq(f->prod_cack, held_at(e, f->ooo_head)->seq);
	return waited_us >= CLIENT_ONLY_US || f->ooo_bytes >= CLIENT_ONLY_BYTES || has_turn(e, f);
}

/* Drop the first segment beyond the hole: its bytes were accepted, and are skipped. */
static void
skip_first(struct sc_replay *e, struct sc_flow *f)
{
	uint32_t hi = f->ooo_head;
	struct sc_held *h = held_at(e, hi);
	uint16_t alive = nb_receivers(e, f);

	f->ooo_head = h->next;
	f->nb_ooo--;
	f->ooo_bytes -= h->len;
	C(e, BYTES_OOO_NOW) -= h->len;
	C(e, HELD_BYTES_NOW) -= h->len;
	C(e, BYTES_WAITING_NOW) -= (uint64_t)h->len * alive;
	M(e, BYTES_SKIPPED, SC_R_CAPTURE_GAP) += (uint64_t)h->len * alive;
	sc_held_give(&e->t, hi);
}

static void
count_missing(struct sc_replay *e, struct sc_flow *f, uint32_t bytes)
{
	f->missing += bytes;
	C(e, BYTES_MISSING) += bytes;
}

/* Go on at the segment `to` beyond the hole; everything before it is missing or skipped. */
static void
resume_at(struct sc_replay *e, uint32_t fi, uint32_t to)
{
	struct sc_flow *f = flow_at(e, fi);
	uint32_t from = f->nxt, at = f->nxt;

	while (f->ooo_head != to) {
		struct sc_held *h = held_at(e, f->ooo_head);

		count_missing(e, f, h->seq - at);
		at = h->seq + h->len;
		skip_first(e, f);
	}
	count_missing(e, f, held_at(e, to)->seq - at);
	held_at(e, to)->gap = held_at(e, to)->seq - from;
	held_at(e, to)->gap_ack = f->hole_ack;
	if (f->is_mid)
		held_at(e, to)->flags |= SC_HELD_TORN;
	f->nxt = held_at(e, to)->seq;
	accept_merge(e, fi);
	if (f->state == SC_FLOW_LIVE)
		flow_push(e, fi);
}

/* What lies beyond the hole, if there is one, is skipped, and the flow ends as `outcome`. */
void
hole_end(struct sc_replay *e, uint32_t fi, enum sc_reason outcome)
{
	struct sc_flow *f = flow_at(e, fi);
	uint32_t from = f->nxt;

	while (f->ooo_head != SC_NONE) {
		struct sc_held *h = held_at(e, f->ooo_head);

		count_missing(e, f, h->seq - f->nxt);
		f->nxt = h->seq + h->len;
		skip_first(e, f);
	}
	flow_finish(e, fi, outcome, f->nxt - from);
}

/* No boundary will come. */
void
hole_give_up(struct sc_replay *e, uint32_t fi)
{
	hole_end(e, fi, SC_R_CAPTURE_GAP);
}

/* Bytes at the end that production acknowledged and the mirror has not shown; 1 may be a FIN. */
static uint32_t
tail_missing(const struct sc_flow *f)
{
	uint32_t n = f->flags & SC_FLOW_PROD_SEEN ? f->prod_cack - f->nxt : 0;

	return n > 1 && n <= JUMP_MAX ? n : 0;
}

/*
 * Nothing more will come, and nothing stands beyond a hole: the stream ends here, or with what production
 * has acknowledged and the mirror has not shown.
 */
static void
end_here(struct sc_replay *e, uint32_t fi)
{
	struct sc_flow *f = flow_at(e, fi);
	uint32_t missing = tail_missing(f);

	if (f->flags & FLOW_CLOSED)
		return;
	if (missing > 0) {
		count_missing(e, f, missing);
		f->nxt += missing;
		flow_finish(e, fi, SC_R_CAPTURE_GAP, missing);
		return;
	}
	flow_finish(e, fi, is_reset(f) ? SC_R_COMPLETE : SC_R_COMPLETE_OPEN, 0);
}

/* Production's RST: the flow ends, 20 ms later where client bytes are known to be missing. */
void
hole_reset(struct sc_replay *e, uint32_t fi)
{
	struct sc_flow *f = flow_at(e, fi);

	if ((f->flags & FLOW_CLOSED) || is_reset(f))
		return;
	f->reason = SC_R_COMPLETE;
	if (f->nb_ooo > 0)
		return;
	if (tail_missing(f) > 0)
		hole_watch(e, fi);
	else
		end_here(e, fi);
}

/* No frame of the flow will come any more. */
void
hole_cut(struct sc_replay *e, uint32_t fi)
{
	if (flow_at(e, fi)->nb_ooo > 0)
		hole_give_up(e, fi);
	else
		end_here(e, fi);
}

/* True when the flow needs no more watching. */
static bool
check(struct sc_replay *e, uint32_t fi)
{
	struct sc_flow *f = flow_at(e, fi);
	uint32_t waited_us = frame_clock(e) - f->hole_us;

	if (f->state == SC_FLOW_FREE || (f->nb_ooo == 0 && !is_reset(f))) {
		f->is_watched = false;
		return true;
	}
	if (f->nb_ooo == 0) {
		if (waited_us >= REORDER_US || tail_missing(f) == 0)
			end_here(e, fi);
		return false;
	}
	if (!is_declared(e, f, waited_us))
		return false;
	for (uint32_t hi = f->ooo_head; hi != SC_NONE; hi = held_at(e, hi)->next) {
		if (held_at(e, hi)->kind == SC_HELD_DATA
				&& (held_at(e, hi)->flags & SC_HELD_BOUNDARY)) {
			resume_at(e, fi, hi);
			return false;
		}
	}
	if ((f->flags & SC_FLOW_PROD_SEEN) && waited_us < BOUNDARY_WAIT_US && f->nb_ooo < OOO_MAX
			&& !has_end(e, f))
		return false;
	hole_give_up(e, fi);
	return false;
}

/* A bounded slice of the flows with open holes. Returns the number that were settled. */
uint32_t
hole_run(struct sc_replay *e)
{
	uint32_t settled = 0;
	uint32_t todo = SC_MIN(e->nb_holes, 64u);

	for (uint32_t n = 0; n < todo; n++) {
		if (e->hole_cursor >= e->nb_holes)
			e->hole_cursor = 0;
		if (e->nb_holes == 0)
			break;
		if (check(e, e->holes[e->hole_cursor])) {
			e->holes[e->hole_cursor] = e->holes[--e->nb_holes];
			settled++;
		} else {
			e->hole_cursor++;
		}
	}
	return settled;
}
