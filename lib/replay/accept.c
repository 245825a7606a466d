/* SPDX-License-Identifier: BSD-3-Clause */
/* accept: a client segment becomes held bytes, each byte of it once. */
#include "engine.h"

#define DUP_WINDOW_US 5000

/* ---- mirror duplicate or retransmission? ---- */

/* Has this very packet been seen within 5 ms? Remembers it in any case. */
bool
is_mirror_duplicate(struct sc_replay *e, uint32_t fi, const struct sc_seg *s)
{
	struct dup_entry *d = &e->dup[dup_slot(fi, s->seq)];
	struct dup_entry now = {
			.flow = fi,
			.seq = s->seq,
			.len = s->payload_len,
			.tsval = s->opts & SC_OPT_TS ? s->tsval : 0,
			.ack = s->ack,
			.us = (uint32_t)s->cap_us,
			.ip_id = s->ip_id,
			.wnd = s->wnd,
	};
	bool same = d->flow == fi && d->seq == now.seq && d->len == now.len && d->ack == now.ack
			&& d->wnd == now.wnd && d->tsval == now.tsval && d->ip_id == now.ip_id
			&& now.us - d->us <= DUP_WINDOW_US;

	*d = now;
	return same;
}

/* The held segment that carries exactly [seq, seq + len), among the first few. */
static const struct sc_held *
find_held(struct sc_replay *e, const struct sc_flow *f, uint32_t seq, uint32_t len)
{
	uint32_t hi = f->held_head;

	for (unsigned int n = 0; hi != SC_NONE && n < 16; n++, hi = held_at(e, hi)->next)
		if (held_at(e, hi)->seq == seq && held_at(e, hi)->len == len)
			return held_at(e, hi);
	return NULL;
}

/* All bytes of the segment are known already. */
static void
count_duplicate(struct sc_replay *e, const struct sc_flow *f, const struct sc_seg *s,
		bool is_mirror)
{
	const struct sc_held *h = find_held(e, f, s->seq, s->payload_len);

	if (h != NULL && h->sum != s->payload_sum)
		M(e, BYTES_REFUSED, SC_R_CLIENT_CONFLICT) += s->payload_len;
	else if (is_mirror)
		M(e, BYTES_DUPLICATE, SC_R_DUP_MIRROR) += s->payload_len;
	else
		M(e, BYTES_DUPLICATE, SC_R_DUP_RETRANSMIT) += s->payload_len;
}

/* A keepalive probe (one old byte), or link padding that stands inside the IP length. */
static bool
is_probe(const struct sc_flow *f, const struct sc_seg *s)
{
	uint8_t bytes[PADDING_MAX], any = 0;

	if (s->flags & SC_TCP_SYN)
		return false;
	if (s->payload_len == 1 && s->seq == f->nxt - 1)
		return true;
	if (s->payload_len > PADDING_MAX || (s->flags & (SC_TCP_PSH | SC_TCP_FIN)))
		return false;
	sc_packet_copy_payload(s, 0, s->payload_len, bytes);
	for (uint32_t i = 0; i < s->payload_len; i++)
		any |= bytes[i];
	return any == 0;
}

/* ---- bookkeeping ---- */

/* n more bytes of the flow are accepted, for each of its copies. */
static void
count_accepted(struct sc_replay *e, const struct sc_flow *f, uint32_t n)
{
	uint16_t alive = nb_receivers(e, f);

	C(e, BYTES_ACCEPTED) += n;
	C(e, SPAN_NOW) += n;
	C(e, BYTES_ACCEPTED_COPIES) += (uint64_t)n * e->cfg.copies;
	C(e, BYTES_WAITING_NOW) += (uint64_t)n * alive;
	if (alive != e->cfg.copies)
		M(e, BYTES_ABANDONED, f->outcome) += (uint64_t)n * (e->cfg.copies - alive);
	C(e, HELD_BYTES_NOW) += n;
}

/* An ACK number of the client as a count of production's bytes: its FIN takes none. */
static uint32_t
answer_ack(const struct sc_flow *f, const struct sc_seg *s)
{
	if (!(s->flags & SC_TCP_ACK))
		return f->cack;
	if ((f->flags & SC_FLOW_PROD_FIN) && sc_seq_gt(s->ack, f->prod_nxt))
		return f->prod_nxt;
	return s->ack;
}

/* What the gate and the hole logic want to know of a segment at the moment it was captured. */
void
annotate(struct sc_replay *e, struct sc_flow *f, const struct sc_seg *s, struct sc_held *h)
{
	h->ack = answer_ack(f, s);
	h->cap_us = (uint32_t)s->cap_us;
	if (s->flags & SC_TCP_PSH)
		h->flags |= SC_HELD_PSH;
	if ((s->flags & SC_TCP_URG) && h->len == s->payload_len) {
		h->flags |= SC_HELD_URG;
		h->urg = s->urg;
	}
	if (sc_seq_gt(h->ack, f->turn_ack))
		h->flags |= SC_HELD_TURN;
	if (!(f->flags & SC_FLOW_PROD_SEEN))
		return;
	if (sc_seq_gt(f->prod_nxt, h->ack) && sc_seq_leq(f->prod_ack, h->seq))
		h->flags |= SC_HELD_DUPLEX;
	if (h->ack == f->prod_nxt && f->prod_ack == h->seq && f->has_data)
		h->flags |= SC_HELD_BOUNDARY;
	h->think_us = f->has_data ? elapsed_us(f->prod_us, (uint32_t)s->cap_us) : 0;
	h->pause_us = sc_us16_us(f->pause);
	h->first_us = sc_us16_us(f->first);
	if (!(h->flags & SC_HELD_TURN))
		return;
	if (f->first != 0)
		sc_hist_add(&e->hist_production, h->first_us);
	f->pause = 0;
	f->first = 0;
}

/* Put a held segment at the end of the flow's stream; sessions that were at the end see it. */
void
accept_in_order(struct sc_replay *e, uint32_t fi, uint32_t hi)
{
	struct sc_flow *f = flow_at(e, fi);
	struct sc_held *h = held_at(e, hi);

	h->next = SC_NONE;
	h->refs = nb_receivers(e, f);
	if (f->held_head == SC_NONE)
		f->held_head = hi;
	else
		held_last(e, f)->next = hi;
	held_at(e, f->held_head)->tail = hi;
	if (!(h->flags & SC_HELD_SYNTH))
		flow_advance(e, f, h->seq + held_span(h));
	f->is_mid = f->is_mid || h->len > 0;
	if (sc_seq_gt(h->ack, f->turn_ack))
		f->turn_ack = h->ack;
	if (f->state != SC_FLOW_LIVE)
		return;
	for (uint32_t si = sc_session_first(&e->t, fi); si != SC_NONE;
			si = sc_session_next(&e->t, si)) {
		struct sc_session *s = session_at(e, si);

		if (s->cur_una == SC_NONE)
			s->cur_una = hi;
		if (s->cur_nxt == SC_NONE)
			s->cur_nxt = hi;
	}
}

/* Segments beyond a hole that has closed move into the stream. The next hole has only begun then. */
void
accept_merge(struct sc_replay *e, uint32_t fi)
{
	struct sc_flow *f = flow_at(e, fi);
	struct sc_hole *x = hole_of(e, f);
	uint32_t before = nb_ooo(e, f);

	while (x != NULL && x->head != SC_NONE && held_at(e, x->head)->seq == f->nxt) {
		uint32_t hi = x->head;
		struct sc_held *h = held_at(e, hi);

		x->head = h->next;
		x->nb--;
		x->bytes -= h->len;
		C(e, BYTES_OOO_NOW) -= h->len;
		if (h->kind != SC_HELD_DATA)
			flow_close(e, f, h->kind == SC_HELD_FIN ? SC_FLOW_FIN : SC_FLOW_RST);
		accept_in_order(e, fi, hi);
	}
	if (x == NULL || x->nb == 0 || x->nb == before)
		return;
	x->us = frame_clock(e);
	x->ack = held_last(e, f)->ack;
}

/* Where the list of what lies beyond the hole begins; *none if there is no hole. */
static uint32_t *
ooo_link(struct sc_replay *e, const struct sc_flow *f, uint32_t *none)
{
	struct sc_hole *x = hole_of(e, f);

	*none = SC_NONE;
	return x == NULL ? none : &x->head;
}

/* May another flow have a hole? This one may already. */
static bool
may_have_hole(const struct sc_replay *e, const struct sc_flow *f)
{
	return f->hole != SC_HOLE_NONE || e->t.nb_holes < e->t.max_holes;
}

/* Link a held segment in front of *link, among those beyond the hole, which there may be. */
static void
insert_ooo(struct sc_replay *e, uint32_t fi, uint32_t *link, uint32_t hi)
{
	struct sc_flow *f = flow_at(e, fi);
	struct sc_held *h = held_at(e, hi);
	struct sc_hole *x;

	if (nb_ooo(e, f) == 0) {
		hole_watch(e, fi);
		link = &hole_of(e, f)->head;
	}
	x = hole_of(e, f);
	h->next = *link;
	*link = hi;
	x->nb++;
	x->bytes += h->len;
	C(e, BYTES_OOO_NOW) += h->len;
}

/* The segment *s has moved the stream on: what had overtaken it follows. */
static void
merge_overtaken(struct sc_replay *e, uint32_t fi, const struct sc_seg *s)
{
	struct sc_flow *f = flow_at(e, fi);
	uint32_t before = nb_ooo(e, f);
	bool is_soon = before > 0
			&& elapsed_us(held_at(e, ooo_head(e, f))->cap_us, (uint32_t)s->cap_us)
					<= REORDER_US;

	accept_merge(e, fi);
	if (is_soon)
		C(e, SEGMENTS_REORDERED) += before - nb_ooo(e, f);
}

/* ---- payload ---- */

/* No memory for client bytes: the flow cannot be complete any more. */
static void
out_of_memory(struct sc_replay *e, uint32_t fi, uint32_t bytes)
{
	M(e, BYTES_REFUSED, SC_R_HELD_FULL) += bytes;
	if (flow_at(e, fi)->state == SC_FLOW_LIVE)
		hole_end(e, fi, SC_R_NO_MEMORY);
}

/* Of [at, end): where the stream ends, by a FIN that stands beyond a hole. What follows is refused. */
static uint32_t
end_at_fin(struct sc_replay *e, const struct sc_flow *f, uint32_t at, uint32_t end)
{
	for (uint32_t hi = ooo_head(e, f); hi != SC_NONE; hi = held_at(e, hi)->next) {
		uint32_t stop = sc_seq_max(held_at(e, hi)->seq, at);

		if (held_at(e, hi)->kind != SC_HELD_FIN || sc_seq_geq(stop, end))
			continue;
		M(e, BYTES_REFUSED, SC_R_AFTER_END) += end - stop;
		return stop;
	}
	return end;
}

/*
 * Hold the n bytes from payload offset `off` on. SC_NONE: no memory. *took: the frame is held, too.
 */
static uint32_t
hold_piece(struct sc_replay *e, uint32_t fi, const struct sc_seg *s, uint32_t off, uint32_t n,
		bool *took)
{
	uint32_t seq = s->seq + (s->flags & SC_TCP_SYN ? 1 : 0);
	struct sc_flow *f = flow_at(e, fi);
	bool took_now;
	uint32_t hi = sc_held_take(
			&e->t, s, off, n, *took ? UINT32_MAX : e->cfg.copy_below, &took_now);

	if (hi == SC_NONE)
		return SC_NONE;
	*took |= took_now;
	held_at(e, hi)->seq = seq + off;
	annotate(e, f, s, held_at(e, hi));
	count_accepted(e, f, n);
	return hi;
}

/* The bytes from payload offset `off` on: pieces that stand beyond a hole already are duplicates. */
static bool
accept_payload(struct sc_replay *e, uint32_t fi, const struct sc_seg *s, uint32_t seq, uint32_t off)
{
	struct sc_flow *f = flow_at(e, fi);
	uint32_t at = seq + off, end = end_at_fin(e, f, at, seq + s->payload_len);
	uint32_t none, *link = ooo_link(e, f, &none);
	bool took = false;

	while (sc_seq_lt(at, end)) {
		uint32_t piece_end = end, hi;

		while (*link != SC_NONE
				&& sc_seq_leq(held_at(e, *link)->seq + held_span(held_at(e, *link)),
						at))
			link = &held_at(e, *link)->next;
		if (*link != SC_NONE) {
			const struct sc_held *o = held_at(e, *link);

			if (sc_seq_leq(o->seq, at)) {
				piece_end = sc_seq_lt(o->seq + o->len, end) ? o->seq + o->len : end;
				M(e, BYTES_DUPLICATE, SC_R_DUP_OVERLAP) += piece_end - at;
				at = piece_end == at ? end : piece_end;
				continue;
			}
			if (sc_seq_lt(o->seq, end))
				piece_end = o->seq;
		}
		if (at != f->nxt && nb_ooo(e, f) >= OOO_MAX) {
			M(e, BYTES_REFUSED, SC_R_HELD_FULL) += end - at;
			return took;
		}
		hi = at == f->nxt || may_have_hole(e, f)
				? hold_piece(e, fi, s, at - seq, piece_end - at, &took)
				: SC_NONE;
		if (hi == SC_NONE) {
			out_of_memory(e, fi, end - at);
			return took;
		}
		if (at != f->nxt) {
			insert_ooo(e, fi, link, hi);
			link = &held_at(e, hi)->next;
			at = piece_end;
			continue;
		}
		accept_in_order(e, fi, hi);
		merge_overtaken(e, fi, s);
		link = ooo_link(e, f, &none);
		at = sc_seq_lt(f->nxt, end) ? f->nxt : end;
		M(e, BYTES_DUPLICATE, SC_R_DUP_OVERLAP) += at - piece_end;
	}
	return took;
}

/*
 * Of a segment sent again to a flow that was joined in mid-stream: the bytes from before that. Long
 * after the join nobody sends them any more, and their numbers may be others' again.
 */
static uint32_t
before_join(struct sc_replay *e, const struct sc_flow *f, const struct sc_seg *s, uint32_t seq)
{
	uint32_t join = f->isn + 1, n;

	if (!(f->flags & SC_FLOW_MIDSTREAM) || f->nxt - join > JUMP_MAX || sc_seq_geq(seq, join))
		return 0;
	n = SC_MIN(join - seq, s->payload_len);
	M(e, BYTES_REFUSED, SC_R_BEFORE_JOIN) += n;
	return n;
}

/* What nearly all data is: the next bytes, all of them new, and nothing is known beyond them. */
static bool
is_next(const struct sc_flow *f, const struct sc_seg *s, uint32_t seq)
{
	return seq == f->nxt && f->hole == SC_HOLE_NONE && !(f->flags & FLOW_CLOSED)
			&& s->payload_len > PADDING_MAX;
}

static bool
take_next(struct sc_replay *e, uint32_t fi, const struct sc_seg *s)
{
	bool took = false;
	uint32_t hi = hold_piece(e, fi, s, 0, s->payload_len, &took);

	if (hi == SC_NONE) {
		out_of_memory(e, fi, s->payload_len);
		return false;
	}
	if (!took && is_reusable(s->mbuf, s)) {
		e->spare = s->mbuf;
		e->spare_held = hi;
		e->spare_off = s->payload_off;
	}
	accept_in_order(e, fi, hi);
	return took;
}

static __rte_noinline bool
take_payload(struct sc_replay *e, uint32_t fi, const struct sc_seg *s, uint32_t seq)
{
	struct sc_flow *f = flow_at(e, fi);
	int32_t rel = (int32_t)(seq - f->nxt);
	uint32_t end = seq + s->payload_len;
	bool is_mirror = is_mirror_duplicate(e, fi, s);
	uint32_t off, old;

	if (is_mirror)
		C(e, FRAMES_DUPLICATE)++;
	if (is_next(f, s, seq))
		return take_next(e, fi, s);
	if (is_probe(f, s)) {
		M(e, BYTES_DUPLICATE, SC_R_DUP_PROBE) += s->payload_len;
		return false;
	}
	old = before_join(e, f, s, seq);
	if (old == 0 && sc_seq_leq(end, f->nxt)) {
		count_duplicate(e, f, s, is_mirror);
		return false;
	}
	off = rel < 0 ? SC_MIN((uint32_t)-rel, s->payload_len) : 0;
	M(e, BYTES_DUPLICATE, SC_R_DUP_OVERLAP) += off - old;
	if (off == s->payload_len)
		return false;
	if (f->flags & FLOW_CLOSED) {
		enum sc_reason r =
				f->flags & (SC_FLOW_FIN | SC_FLOW_RST) ? SC_R_AFTER_END : f->reason;

		M(e, BYTES_REFUSED, r) += s->payload_len - off;
		return false;
	}
	return accept_payload(e, fi, s, seq, off);
}

/* ---- FIN and RST ---- */

/* Hold the end of the stream, at seq. SC_NONE: no memory. */
uint32_t
accept_end(struct sc_replay *e, struct sc_flow *f, const struct sc_seg *s, enum sc_held_kind kind,
		uint32_t seq)
{
	uint32_t hi = sc_held_take_empty(&e->t);
	struct sc_held *h;

	if (hi == SC_NONE)
		return SC_NONE;
	h = held_at(e, hi);
	h->kind = (uint8_t)kind;
	h->seq = seq;
	annotate(e, f, s, h);
	return hi;
}

static __rte_noinline void
take_fin(struct sc_replay *e, uint32_t fi, const struct sc_seg *s, uint32_t seq)
{
	struct sc_flow *f = flow_at(e, fi);
	uint32_t none, *link = ooo_link(e, f, &none), hi;

	if (sc_seq_lt(seq, f->nxt) || (f->flags & FLOW_CLOSED))
		return;
	for (; *link != SC_NONE; link = &held_at(e, *link)->next) {
		const struct sc_held *o = held_at(e, *link);

		if (o->kind == SC_HELD_FIN || sc_seq_gt(o->seq + o->len, seq))
			return; /* again, or below bytes of the stream */
	}
	if (nb_ooo(e, f) >= OOO_MAX && seq != f->nxt)
		return;
	hi = seq == f->nxt || may_have_hole(e, f) ? accept_end(e, f, s, SC_HELD_FIN, seq) : SC_NONE;
	if (hi == SC_NONE) {
		out_of_memory(e, fi, 0);
		return;
	}
	if (seq == f->nxt) {
		flow_close(e, f, SC_FLOW_FIN);
		accept_in_order(e, fi, hi);
	} else {
		insert_ooo(e, fi, link, hi);
	}
}

/*
 * A RST ends the stream at the expected byte; with a hole open, behind the last byte beyond it, and
 * where its own number lies further on, there: the hole decides, and its bytes may just be late. One
 * number more may be that of a FIN.
 */
static __rte_noinline void
take_rst(struct sc_replay *e, uint32_t fi, const struct sc_seg *s)
{
	struct sc_flow *f = flow_at(e, fi);
	uint32_t none, *link = ooo_link(e, f, &none), end = f->nxt, hi;
	struct sc_held *h;

	if (f->flags & (SC_FLOW_RST | SC_FLOW_ENDED))
		return;
	for (; *link != SC_NONE; link = &h->next) {
		h = held_at(e, *link);
		if (h->kind != SC_HELD_DATA)
			return;
		end = h->seq + h->len;
	}
	if (nb_ooo(e, f) >= OOO_MAX) {
		hole_give_up(e, fi);
		return;
	}
	/* From f->nxt, which accept_segment() has compared it with: one far behind is not ahead of `end`. */
	if ((int32_t)(s->seq - f->nxt) > (int32_t)(end + 1 - f->nxt))
		end = s->seq;
	hi = end == f->nxt || may_have_hole(e, f) ? accept_end(e, f, s, SC_HELD_RST, end) : SC_NONE;
	if (hi == SC_NONE) {
		out_of_memory(e, fi, 0);
		return;
	}
	if (end != f->nxt) {
		insert_ooo(e, fi, link, hi);
		return;
	}
	flow_close(e, f, SC_FLOW_RST);
	accept_in_order(e, fi, hi);
}

static bool
is_beyond(const struct sc_flow *f, uint32_t seq)
{
	return (int32_t)(seq - f->nxt) > JUMP_MAX;
}

static inline void
note_ack(struct sc_flow *f, const struct sc_seg *s)
{
	if ((s->flags & SC_TCP_ACK) && sc_seq_gt(answer_ack(f, s), f->cack))
		f->cack = answer_ack(f, s);
}

/* What accept_segment() does with a segment that has neither payload nor SYN, FIN and RST. */
void
accept_ack(struct sc_flow *f, const struct sc_seg *s)
{
	if (!is_beyond(f, s->seq))
		note_ack(f, s);
}

/*
 * A client segment of an embryonic, waiting or live flow. True if its mbuf is held now; otherwise
 * it is still the caller's. The flow may be over on return when memory ran out.
 */
bool
accept_segment(struct sc_replay *e, uint32_t fi, const struct sc_seg *s)
{
	struct sc_flow *f = flow_at(e, fi);
	uint32_t seq = s->seq + (s->flags & SC_TCP_SYN ? 1 : 0);
	bool took = false;

	C(e, BYTES_SEEN) += s->payload_len;
	if (is_beyond(f, seq)) {
		M(e, BYTES_REFUSED, SC_R_BEYOND_WINDOW) += s->payload_len;
		return false;
	}
	if (s->payload_len > 0)
		took = take_payload(e, fi, s, seq);
	if (f->state == SC_FLOW_FREE)
		return took;
	note_ack(f, s);
	if (s->payload_len > 0)
		f->client_us = SC_MAX((uint32_t)s->cap_us, 1u);
	if (s->flags & SC_TCP_FIN)
		take_fin(e, fi, s, seq + s->payload_len);
	if (s->flags & SC_TCP_RST)
		take_rst(e, fi, s);
	return took;
}
