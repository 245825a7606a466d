/* SPDX-License-Identifier: BSD-3-Clause */
/* flow: a captured connection from its first frame to its tombstone. */
#include <string.h>

#include "engine.h"

static bool
is_kept(const struct sc_replay *e)
{
	return e->cfg.clients == NULL || e->cfg.clients->nb == 0;
}

/* Sources that the transmit guard refuses whoever they are: a server that is a client, too. */
static bool
is_never_sent_from(const struct sc_replay *e, const struct sc_addr *client)
{
	for (unsigned int i = 0; i < e->cfg.nb_rules; i++)
		if (e->cfg.rules[i].has_prod && sc_addr_eq(&e->cfg.rules[i].prod, client))
			return true;
	for (unsigned int i = 0; i < e->cfg.nb_targets; i++)
		if (sc_addr_eq(&e->cfg.targets[i].addr, client))
			return true;
	return false;
}

static bool
is_shed(const struct sc_replay *e, const struct sc_mirror_seg *ms)
{
	return e->admit.share != ADMIT_ALL && !is_admitted(e, place_of(e, &ms->seg));
}

/* What the first client frame of a flow is judged by. */
enum sc_reason
flow_check(struct sc_replay *e, const struct sc_mirror_seg *ms)
{
	const struct sc_prod *p = &e->t.prod[ms->flow.key.prod];
	const struct sc_replay_target *t = &e->cfg.targets[p->target];
	const struct sc_seg *s = &ms->seg;

	if (e->cfg.sample_pct < 100
			&& !sc_sample_take(sc_hash_tuple(&s->src, s->sport, &p->addr, p->port),
					e->cfg.sample_pct))
		return SC_R_SAMPLED_OUT;
	if (is_shed(e, ms))
		return SC_R_SHED_ADMISSION;
	if (!(s->flags & SC_TCP_SYN) && e->cfg.only_full)
		return SC_R_NOT_FULL;
	if (!(s->flags & SC_TCP_SYN) && e->now_us / SC_US_PER_S < e->join_pause_s)
		return SC_R_TOMBSTONES_FULL;
	if (!is_kept(e))
		return SC_R_NONE;
	if (sc_addr_is_v4(&s->src) != sc_addr_is_v4(&t->addr))
		return SC_R_FAMILY_MISMATCH;
	if (is_never_sent_from(e, &s->src))
		return SC_R_BAD_CLIENT;
	for (unsigned int i = 0; i < e->cfg.nb_test_nets; i++)
		if (sc_prefix_contains(&e->cfg.test_nets[i], &s->src))
			return SC_R_CLIENT_ON_LINK;
	return SC_R_NONE;
}

/*
 * For how long may client bytes come that a tombstone stands for? A connection that has come to its
 * end may send its last segment again; one that was refused, or was cut short, goes on.
 */
static uint32_t
tomb_ttl_s(const struct sc_tomb *b)
{
	return b->was_admitted && b->reason == SC_R_COMPLETE ? 10 : 60;
}

/*
 * There is a new tombstone in the place of another. What is pushed out too early must not come back as
 * a mid-stream join: for a while nothing joins.
 */
static void
note_tomb(struct sc_replay *e, const struct sc_tomb *evicted)
{
	if (evicted->in_use && e->now_s - evicted->seen_s < tomb_ttl_s(evicted))
		e->join_pause_s = SC_MAX(e->join_pause_s, e->now_s + tomb_ttl_s(evicted));
}

/* A flow that is in the index has a tombstone instead. */
static void
bury(struct sc_replay *e, uint32_t fi, enum sc_reason reason, bool was_admitted)
{
	const struct sc_flow *f = flow_at(e, fi);
	struct sc_tomb b = {
			.client = f->client,
			.cport = f->cport,
			.prod = f->prod,
			.isn = f->isn,
			.seen_s = e->now_s,
			.reason = reason,
			.was_admitted = was_admitted,
	};
	struct sc_tomb evicted;

	sc_flow_bury(&e->t, fi, &b, &evicted);
	note_tomb(e, &evicted);
}

/* A flow that never gets a place in the tables. */
static void
refuse_at_once(struct sc_replay *e, const struct sc_mirror_seg *ms, enum sc_reason reason)
{
	struct sc_tomb b = {
			.client = ms->seg.src,
			.cport = ms->seg.sport,
			.prod = ms->flow.key.prod,
			.isn = ms->seg.seq,
			.seen_s = e->now_s,
			.reason = reason,
	};
	struct sc_tomb evicted;

	M(e, FLOW_REFUSED, reason)++;
	M(e, FRAME_REFUSED, reason)++;
	C(e, BYTES_SEEN) += ms->seg.payload_len;
	M(e, BYTES_REFUSED, reason) += ms->seg.payload_len;
	if (reason == SC_R_SHED_ADMISSION) {
		admit_shed(e);
		return;
	}
	sc_tomb_add(&e->t, &b, &evicted);
	note_tomb(e, &evicted);
}

static void
fill_from_syn(struct sc_flow *f, const struct sc_seg *s)
{
	f->isn = s->seq;
	f->nxt = s->seq + 1;
	f->opts = s->opts & (SC_OPT_MSS | SC_OPT_WSCALE | SC_OPT_TS);
	f->mss = s->mss;
	f->wscale = s->wscale;
	f->prod_us = (uint32_t)s->cap_us;
	f->state = SC_FLOW_EMBRYONIC;
}

/* A SYN is built from what is seen: the scale is a guess that suits today's clients. */
static void
fill_from_midstream(struct sc_flow *f, const struct sc_seg *s)
{
	f->isn = s->seq - 1;
	f->nxt = s->seq;
	f->opts = SC_OPT_MSS | SC_OPT_WSCALE | (s->opts & SC_OPT_TS);
	f->mss = 1460;
	f->wscale = 7;
	f->state = SC_FLOW_JOINING;
	f->flags = SC_FLOW_MIDSTREAM;
}

/*
 * Half-open flows have half of the table, so that a flood of SYNs leaves room to others. In a file that
 * does not wait for anybody they have nearly all of it, and make room by the time of the capture.
 */
static bool
may_be_half_open(struct sc_replay *e)
{
	uint32_t max = e->cfg.max_flows, quota = e->cfg.is_file ? max - max / 8 : max / 2;

	quota = SC_MAX(quota, 1u);
	if (e->cfg.is_file && (C(e, FLOWS_EMBRYONIC_NOW) >= quota || e->t.free_flow.nb == 0))
		housekeep_reclaim(e);
	return C(e, FLOWS_EMBRYONIC_NOW) < quota;
}

/*
 * A new flow, embryonic or joining. SC_NONE: refused, and the frame is counted.
 */
uint32_t
flow_new(struct sc_replay *e, const struct sc_mirror_seg *ms)
{
	enum sc_reason r = flow_check(e, ms);
	bool is_mid = !(ms->seg.flags & SC_TCP_SYN);
	struct sc_flow *f;
	uint32_t fi;

	C(e, FLOWS_SEEN)++;
	C(e, FLOWS_MIDSTREAM) += is_mid;
	if (r == SC_R_NONE && !may_be_half_open(e))
		r = SC_R_EMBRYONIC_FULL;
	fi = r == SC_R_NONE ? sc_flow_take(&e->t) : SC_NONE;
	if (fi == SC_NONE) {
		e->is_short |= r == SC_R_NONE && !e->cfg.is_file;
		refuse_at_once(e, ms, r == SC_R_NONE ? SC_R_FLOW_TABLE_FULL : r);
		return SC_NONE;
	}
	f = flow_at(e, fi);
	f->client = ms->seg.src;
	f->cport = ms->seg.sport;
	f->prod = ms->flow.key.prod;
	if (is_mid)
		fill_from_midstream(f, &ms->seg);
	else
		fill_from_syn(f, &ms->seg);
	if (sc_flow_index(&e->t, fi) < 0) {
		sc_flow_give(&e->t, fi);
		refuse_at_once(e, ms, SC_R_FLOW_TABLE_FULL);
		return SC_NONE;
	}
	admit_know(e, f);
	surge_note(e);
	C(e, FLOWS_EMBRYONIC_NOW)++;
	flow_touch(e, fi);
	return fi;
}

static uint64_t
free_list(struct sc_replay *e, uint32_t hi)
{
	uint64_t bytes = 0;

	while (hi != SC_NONE) {
		uint32_t next = held_at(e, hi)->next;

		bytes += held_at(e, hi)->len;
		sc_held_give(&e->t, hi);
		hi = next;
	}
	return bytes;
}

/* Take a flow out of the tables; its tombstone answers for it from now on. */
static void
flow_remove(struct sc_replay *e, uint32_t fi, enum sc_reason reason, bool was_admitted)
{
	struct sc_flow *f = flow_at(e, fi);

	C(e, SPAN_BYTES) += flow_span(e, f);
	C(e, SPAN_NOW) -= flow_span(e, f);
	C(e, BYTES_OOO_NOW) -= ooo_bytes(e, f);
	C(e, HELD_BYTES_NOW) -= free_list(e, f->held_head) + free_list(e, ooo_head(e, f));
	if (!(f->flags & SC_FLOW_DETACHED)) {
		admit_forget(e, f);
		bury(e, fi, reason, was_admitted);
	}
	sc_flow_give(&e->t, fi);
}

/* Payload bytes that a flow holds, in order and beyond a hole. */
uint64_t
flow_held_bytes(struct sc_replay *e, const struct sc_flow *f)
{
	uint64_t bytes = 0;

	for (uint32_t hi = f->held_head; hi != SC_NONE; hi = held_at(e, hi)->next)
		bytes += held_at(e, hi)->len;
	for (uint32_t hi = ooo_head(e, f); hi != SC_NONE; hi = held_at(e, hi)->next)
		bytes += held_at(e, hi)->len;
	return bytes;
}

/* An embryonic, joining or waiting flow that is not admitted. */
void
flow_refuse(struct sc_replay *e, uint32_t fi, enum sc_reason reason)
{
	struct sc_flow *f = flow_at(e, fi);
	uint64_t bytes = flow_held_bytes(e, f) * e->cfg.copies;

	if (f->state == SC_FLOW_WAITING)
		waiting_drop(e, fi);
	C(e, FLOWS_EMBRYONIC_NOW)--;
	M(e, FLOW_REFUSED, reason)++;
	C(e, BYTES_WAITING_NOW) -= bytes;
	M(e, BYTES_ABANDONED, reason) += bytes;
	flow_remove(e, fi, reason, false);
}

/* Refuse a flow that nothing was opened for, by what it lacks. False: it is waiting, live or free. */
bool
flow_refuse_unopened(struct sc_replay *e, uint32_t fi)
{
	uint8_t state = flow_at(e, fi)->state;

	if (state != SC_FLOW_EMBRYONIC && state != SC_FLOW_JOINING)
		return false;
	flow_refuse(e, fi, state == SC_FLOW_JOINING ? SC_R_NO_BOUNDARY : SC_R_NEVER_OPENED);
	return true;
}

/* The last session of a flow has ended. */
void
flow_over(struct sc_replay *e, uint32_t fi)
{
	struct sc_flow *f = flow_at(e, fi);

	C(e, FLOWS_LIVE_NOW)--;
	C(e, FLOWS_CLIENT_ONLY) += !(f->flags & SC_FLOW_PROD_SEEN);
	e->nb_ending -= (f->flags & FLOW_CLOSED) != 0;
	M(e, FLOW_ENDED, f->outcome)++;
	flow_remove(e, fi, f->outcome, true);
}

/* End all sessions of a flow; the flow is over then. */
void
flow_abort(struct sc_replay *e, uint32_t fi, enum sc_reason outcome)
{
	for (uint32_t si = sc_session_first(&e->t, fi); si != SC_NONE;
			si = sc_session_next(&e->t, si))
		session_abort(e, si, outcome);
}

/*
 * Nothing more will come from the capture: what is held is sent, then the connections are closed
 * with a FIN of ours, and the sessions end with `outcome`. gap: captured bytes right before the end
 * that are missing or skipped.
 */
void
flow_finish(struct sc_replay *e, uint32_t fi, enum sc_reason outcome, uint32_t gap)
{
	struct sc_flow *f = flow_at(e, fi);
	struct sc_held *h;
	uint32_t hi;

	if (f->flags & FLOW_CLOSED)
		return;
	flow_close(e, f, SC_FLOW_ENDED);
	f->reason = outcome;
	hi = sc_held_take_empty(&e->t);
	if (hi == SC_NONE) {
		flow_abort(e, fi, SC_R_NO_MEMORY);
		return;
	}
	h = held_at(e, hi);
	h->kind = SC_HELD_FIN;
	h->flags = SC_HELD_SYNTH | (gap > 0 && f->is_mid ? SC_HELD_TORN : 0);
	h->seq = f->nxt;
	h->gap = gap;
	h->gap_ack = f->hole == SC_HOLE_NONE ? f->cack : hole_of(e, f)->ack;
	h->ack = f->cack;
	h->cap_us = f->client_us;
	accept_in_order(e, fi, hi);
	if (f->state == SC_FLOW_LIVE)
		flow_push(e, fi);
}

/* A new connection on the same tuple: the old one goes on to its end, unseen by the index. */
void
flow_supersede(struct sc_replay *e, uint32_t fi)
{
	sc_flow_unindex(&e->t, fi);
	admit_forget(e, flow_at(e, fi));
	flow_at(e, fi)->flags |= SC_FLOW_DETACHED;
	if (!flow_refuse_unopened(e, fi))
		hole_cut(e, fi);
}

/*
 * Production's first byte is known: ACK numbers and answers are counted from it. What is held came
 * in the SYN, before any answer; with `open: syn` there may be sessions already.
 */
void
flow_set_base(struct sc_replay *e, uint32_t fi, uint32_t base)
{
	struct sc_flow *f = flow_at(e, fi);

	f->prod_base = f->cack = f->turn_ack = base;
	f->flags |= SC_FLOW_BASE;
	for (uint32_t hi = f->held_head; hi != SC_NONE; hi = held_at(e, hi)->next)
		held_at(e, hi)->ack = base;
	if (f->state != SC_FLOW_LIVE)
		return;
	for (uint32_t si = sc_session_first(&e->t, fi); si != SC_NONE;
			si = sc_session_next(&e->t, si))
		session_at(e, si)->base = base;
}

/* Let every session go on that has something to send. */
void
flow_push(struct sc_replay *e, uint32_t fi)
{
	for (uint32_t si = sc_session_first(&e->t, fi); si != SC_NONE;
			si = sc_session_next(&e->t, si))
		if (session_at(e, si)->cur_nxt != SC_NONE)
			session_push(e, si);
}
