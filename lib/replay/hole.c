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

/*
 * Production acknowledges client bytes that were not seen. What it says from here on may be the answer
 * to them, and what it said before was not; the client may acknowledge all of it before it says more.
 */
void
hole_expect(struct sc_replay *e, uint32_t fi)
{
	const struct sc_flow *f = flow_at(e, fi);

	if (sc_seq_gt(f->prod_cack, f->nxt) || !(f->flags & SC_FLOW_PROD_SEEN)
			|| f->hole != SC_HOLE_NONE)
		return;
	e->foreseen[fi % FORESEEN] = (struct foreseen){
			.flow = fi + 1, .nxt = f->nxt, .ack = sc_seq_max(f->prod_nxt, f->cack)};
}

/* The client's ACK number before the bytes that are missing. */
static uint32_t
ack_before(const struct sc_replay *e, const struct sc_flow *f, uint32_t fi)
{
	const struct foreseen *x = &e->foreseen[fi % FORESEEN];

	return x->flow == fi + 1 && x->nxt == f->nxt ? x->ack : f->cack;
}

/* A hole begins. False: too many flows have one. */
bool
hole_watch(struct sc_replay *e, uint32_t fi)
{
	struct sc_flow *f = flow_at(e, fi);

	if (f->hole == SC_HOLE_NONE && !sc_hole_take(&e->t, fi))
		return false;
	hole_of(e, f)->us = frame_clock(e);
	hole_of(e, f)->ack = ack_before(e, f, fi);
	return true;
}

static bool
has_turn(struct sc_replay *e, const struct sc_flow *f)
{
	for (uint32_t hi = ooo_head(e, f); hi != SC_NONE; hi = held_at(e, hi)->next)
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
	for (uint32_t hi = ooo_head(e, f); hi != SC_NONE; hi = held_at(e, hi)->next) {
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
	if (nb_ooo(e, f) >= OOO_MAX || waited_us >= BOUNDARY_WAIT_US || has_end(e, f))
		return true;
	if (f->flags & SC_FLOW_PROD_SEEN)
		return sc_seq_geq(f->prod_cack, held_at(e, ooo_head(e, f))->seq);
	return waited_us >= CLIENT_ONLY_US || ooo_bytes(e, f) >= CLIENT_ONLY_BYTES
			|| has_turn(e, f);
}

/* Drop the first segment beyond the hole: its bytes were accepted, and are skipped. */
static void
skip_first(struct sc_replay *e, const struct sc_flow *f)
{
	struct sc_hole *x = hole_of(e, f);
	uint32_t hi = x->head;
	struct sc_held *h = held_at(e, hi);
	uint16_t alive = nb_receivers(e, f);

	x->head = h->next;
	x->nb--;
	x->bytes -= h->len;
	C(e, BYTES_OOO_NOW) -= h->len;
	C(e, HELD_BYTES_NOW) -= h->len;
	C(e, BYTES_WAITING_NOW) -= (uint64_t)h->len * alive;
	M(e, BYTES_SKIPPED, SC_R_CAPTURE_GAP) += (uint64_t)h->len * alive;
	sc_held_give(&e->t, hi);
}

static void
count_missing(struct sc_replay *e, uint32_t bytes)
{
	C(e, BYTES_MISSING) += bytes;
	C(e, SPAN_NOW) += bytes;
}

/* Go on at the segment `to` beyond the hole; everything before it is missing or skipped. */
static void
resume_at(struct sc_replay *e, uint32_t fi, uint32_t to)
{
	struct sc_flow *f = flow_at(e, fi);
	uint32_t from = f->nxt, at = f->nxt;

	while (ooo_head(e, f) != to) {
		struct sc_held *h = held_at(e, ooo_head(e, f));

		count_missing(e, h->seq - at);
		at = h->seq + h->len;
		skip_first(e, f);
	}
	count_missing(e, held_at(e, to)->seq - at);
	held_at(e, to)->gap = held_at(e, to)->seq - from;
	held_at(e, to)->gap_ack = hole_of(e, f)->ack;
	if (f->is_mid)
		held_at(e, to)->flags |= SC_HELD_TORN;
	flow_advance(e, f, held_at(e, to)->seq);
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

	while (ooo_head(e, f) != SC_NONE) {
		struct sc_held *h = held_at(e, ooo_head(e, f));

		count_missing(e, h->seq - f->nxt);
		flow_advance(e, f, h->seq + h->len);
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
		count_missing(e, missing);
		flow_advance(e, f, f->nxt + missing);
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
	if (nb_ooo(e, f) > 0 || (tail_missing(f) > 0 && hole_watch(e, fi)))
		return;
	end_here(e, fi);
}

/* No frame of the flow will come any more. */
void
hole_cut(struct sc_replay *e, uint32_t fi)
{
	if (nb_ooo(e, flow_at(e, fi)) > 0)
		hole_give_up(e, fi);
	else
		end_here(e, fi);
}

/* True when the flow needs no more watching. */
static bool
check(struct sc_replay *e, uint32_t fi)
{
	struct sc_flow *f = flow_at(e, fi);
	uint32_t waited_us = frame_clock(e) - hole_of(e, f)->us;

	if (nb_ooo(e, f) == 0 && !is_reset(f))
		return true;
	if (nb_ooo(e, f) == 0) {
		if (waited_us >= REORDER_US || tail_missing(f) == 0)
			end_here(e, fi);
		return false;
	}
	if (!is_declared(e, f, waited_us))
		return false;
	for (uint32_t hi = ooo_head(e, f); hi != SC_NONE; hi = held_at(e, hi)->next) {
		if (held_at(e, hi)->kind == SC_HELD_DATA
				&& (held_at(e, hi)->flags & SC_HELD_BOUNDARY)) {
			resume_at(e, fi, hi);
			return false;
		}
	}
	if ((f->flags & SC_FLOW_PROD_SEEN) && waited_us < BOUNDARY_WAIT_US && nb_ooo(e, f) < OOO_MAX
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
	uint32_t todo = SC_MIN(e->t.nb_holes, 64u);

	for (uint32_t n = 0; n < todo; n++) {
		uint32_t fi;

		if (e->hole_cursor >= e->t.nb_holes)
			e->hole_cursor = 0;
		if (e->t.nb_holes == 0)
			break;
		fi = e->t.hole[e->hole_cursor].flow;
		if (check(e, fi))
			sc_hole_give(&e->t, fi);
		/* Is another's here now? This one's flow may have ended, too. */
		if (e->hole_cursor < e->t.nb_holes && e->t.hole[e->hole_cursor].flow == fi)
			e->hole_cursor++;
		else
			settled++;
	}
	return settled;
}
