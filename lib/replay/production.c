/* SPDX-License-Identifier: BSD-3-Clause */
/* production: what the production half of a conversation tells about answers and boundaries. */
#include "engine.h"

/* Until the client has gone on the last SYN-ACK counts; with `open: syn` the flow may be live. */
static void
note_synack(struct sc_replay *e, uint32_t fi, const struct sc_seg *s)
{
	struct sc_flow *f = flow_at(e, fi);

	if (f->state != SC_FLOW_EMBRYONIC && (f->flags & (SC_FLOW_BASE | SC_FLOW_MIDSTREAM)))
		return;
	if (sc_seq_leq(s->ack, f->isn) || sc_seq_gt(s->ack, f->nxt))
		return;
	flow_set_base(e, fi, s->seq + 1);
	f->prod_nxt = s->seq + 1;
	f->prod_ack = f->prod_cack = s->ack;
	if (!f->has_data)
		f->prod_us = (uint32_t)s->cap_us;
	f->flags |= SC_FLOW_PROD_SEEN;
}

/* The newest client segment left before it could know of this one: a full-duplex turn. */
static void
note_duplex(struct sc_replay *e, struct sc_flow *f, const struct sc_seg *s, uint32_t end)
{
	struct sc_held *h;

	if (f->held_head == SC_NONE)
		return;
	h = held_last(e, f);
	if (h->kind == SC_HELD_DATA && sc_seq_gt(end, h->ack) && sc_seq_leq(s->ack, h->seq))
		h->flags |= SC_HELD_DUPLEX;
}

static void
note_data(struct sc_replay *e, struct sc_flow *f, const struct sc_seg *s)
{
	uint32_t end = s->seq + s->payload_len;
	uint32_t cap = SC_MAX((uint32_t)s->cap_us, 1u);

	if ((f->flags & SC_FLOW_PROD_FIN)
			|| ((f->flags & SC_FLOW_PROD_SEEN) && sc_seq_leq(end, f->prod_nxt))) {
		C(e, FRAMES_DUPLICATE)++;
		return;
	}
	if (f->first != 0)
		f->pause = SC_MAX(f->pause, sc_us16(elapsed_us(f->prod_us, cap)));
	else if (f->client_us != 0)
		f->first = sc_us16(SC_MAX(elapsed_us(f->client_us, cap), 1u));
	f->flags |= SC_FLOW_PROD_SEEN;
	f->prod_nxt = end;
	f->prod_ack = s->ack;
	f->prod_us = cap;
	f->has_data = true;
	if (s->ack == f->nxt)
		f->is_mid = false;
	note_duplex(e, f, s, end);
}

/* Where production's stream ends, whether the mirror has shown all of it or not. */
static void
note_fin(struct sc_flow *f, const struct sc_seg *s)
{
	uint32_t end = s->seq + s->payload_len;

	f->flags |= SC_FLOW_PROD_FIN;
	if (sc_seq_leq(end, f->prod_nxt))
		return;
	f->prod_nxt = end;
	f->prod_ack = s->ack;
}

/*
 * Production ended the connection by RST: the client has nothing more to say. Bytes that the RST
 * acknowledges and the mirror has not shown may just be late, as before a RST of the client.
 */
static void
note_reset(struct sc_replay *e, uint32_t fi)
{
	if (!flow_refuse_unopened(e, fi))
		hole_reset(e, fi);
}

static void
known_frame(struct sc_replay *e, uint32_t fi, const struct sc_seg *s)
{
	struct sc_flow *f = flow_at(e, fi);

	C(e, FRAMES_PRODUCTION)++;
	flow_touch(e, fi);
	if (s->flags & SC_TCP_SYN) {
		note_synack(e, fi, s);
		return;
	}
	if (sc_seq_gt(s->ack, f->nxt))
		hole_expect(e, fi);
	C(e, FLOWS_NO_SYNACK) += !(f->flags & (SC_FLOW_PROD_SEEN | SC_FLOW_MIDSTREAM));
	if (s->payload_len > 0)
		note_data(e, f, s);
	if ((s->flags & SC_TCP_ACK)
			&& (!(f->flags & SC_FLOW_PROD_SEEN) || sc_seq_gt(s->ack, f->prod_cack)))
		f->prod_cack = s->ack;
	if (!(f->flags & SC_FLOW_PROD_SEEN)) {
		f->prod_nxt = s->seq;
		f->prod_ack = s->ack;
		f->flags |= SC_FLOW_PROD_SEEN;
	}
	if ((s->flags & SC_TCP_FIN) && !(f->flags & SC_FLOW_PROD_FIN)) {
		note_fin(f, s);
	}
	if (s->flags & SC_TCP_RST)
		note_reset(e, fi);
}

/* The SYN-ACK of another connection, whose SYN the mirror lost, ends what its tuple stood for. */
static bool
is_over(struct sc_replay *e, uint32_t value, enum verdict v, const struct sc_seg *s)
{
	uint32_t tomb = value & ~SC_TOMB_BIT;

	if (value == SC_NONE)
		return false;
	if (value == tomb && v == VERDICT_NEW) {
		flow_supersede(e, value);
		return true;
	}
	if (value == tomb || !stranger_is_synack(s, e->t.tomb[tomb].isn + 1))
		return false;
	sc_tomb_remove(&e->t, tomb);
	return true;
}

void
production_frame(struct sc_replay *e, struct sc_mirror_seg *ms, uint32_t value)
{
	enum verdict v = VERDICT_OWN;

	if (!(value & SC_TOMB_BIT) && !is_near(ms->seg.ack, flow_at(e, value)->nxt))
		v = stranger_production(e, value, &ms->seg);
	if (is_over(e, value, v, &ms->seg))
		value = SC_NONE;
	if (value == SC_NONE && admit_is_after_shed(e, &ms->seg)) {
		M(e, FRAME_REFUSED, SC_R_SHED_ADMISSION)++;
	} else if (value == SC_NONE) {
		C(e, FLOWS_PRODUCTION_ONLY) += (ms->seg.flags & SC_TCP_SYN) != 0;
		M(e, FRAME_REFUSED, SC_R_NO_FLOW)++;
	} else if (value & SC_TOMB_BIT) {
		const struct sc_tomb *b = &e->t.tomb[value & ~SC_TOMB_BIT];

		if (b->was_admitted)
			C(e, FRAMES_PRODUCTION)++;
		else
			M(e, FRAME_REFUSED, b->reason)++;
	} else if (v == VERDICT_STRANGE) {
		C(e, FRAMES_PRODUCTION)++;
	} else {
		known_frame(e, value, &ms->seg);
	}
}
