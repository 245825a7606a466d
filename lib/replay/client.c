/* SPDX-License-Identifier: BSD-3-Clause */
/* client: what a frame of the client half means for its flow. */
#include "engine.h"

static bool
is_syn(const struct sc_seg *s)
{
	return (s->flags & (SC_TCP_SYN | SC_TCP_ACK | SC_TCP_RST)) == SC_TCP_SYN;
}

static void
refuse_frame(struct sc_replay *e, enum sc_reason reason)
{
	M(e, FRAME_REFUSED, reason)++;
}

/* A frame of a flow that was refused or is over: its bytes count under that reason. */
static void
tomb_frame(struct sc_replay *e, const struct sc_tomb *b, const struct sc_seg *s)
{
	bool is_complete = b->reason == SC_R_COMPLETE || b->reason == SC_R_COMPLETE_OPEN;
	enum sc_reason r = is_complete ? SC_R_AFTER_END : (enum sc_reason)b->reason;

	C(e, BYTES_SEEN) += s->payload_len;
	M(e, BYTES_REFUSED, r) += s->payload_len;
	if (b->was_admitted)
		C(e, FRAMES_CLIENT)++;
	else
		refuse_frame(e, r);
}

/* The first frame of an unknown tuple. */
static bool
unknown_frame(struct sc_replay *e, struct sc_mirror_seg *ms)
{
	bool took = false;
	uint32_t fi;

	if (!is_syn(&ms->seg) && admit_is_after_shed(e, &ms->seg)) {
		C(e, BYTES_SEEN) += ms->seg.payload_len;
		M(e, BYTES_REFUSED, SC_R_SHED_ADMISSION) += ms->seg.payload_len;
		refuse_frame(e, SC_R_SHED_ADMISSION);
		return false;
	}
	if (!is_syn(&ms->seg) && ms->seg.payload_len == 0) {
		refuse_frame(e, SC_R_NO_FLOW);
		return false;
	}
	if (e->is_draining) { /* the walk that ends flows may have passed its place */
		refuse_frame(e, SC_R_STOPPED);
		return false;
	}
	fi = flow_new(e, ms);
	if (fi == SC_NONE)
		return false;
	C(e, FRAMES_CLIENT)++;
	if (flow_at(e, fi)->state == SC_FLOW_JOINING)
		join_client(e, fi, ms, &took);
	else if (ms->seg.payload_len > 0)
		took = accept_segment(e, fi, &ms->seg);
	if (e->cfg.open_on_syn && flow_at(e, fi)->state == SC_FLOW_EMBRYONIC)
		flow_open(e, fi);
	return took;
}

/* The client's RTT: from the last SYN-ACK (or SYN), then the shortest data-to-ACK (gate study, 4). */
static void
measure_rtt(struct sc_flow *f, const struct sc_seg *s)
{
	uint16_t rtt;

	if (!f->has_data
			&& (f->state == SC_FLOW_EMBRYONIC
					|| (f->rtt == 0 && !(f->flags & SC_FLOW_MIDSTREAM)))) {
		f->rtt = sc_us16(SC_MAX(elapsed_us(f->prod_us, (uint32_t)s->cap_us), 1u));
		return;
	}
	if (!(f->flags & SC_FLOW_PROD_SEEN) || s->ack != f->prod_nxt || sc_seq_leq(s->ack, f->cack))
		return;
	rtt = sc_us16(SC_MAX(elapsed_us(f->prod_us, (uint32_t)s->cap_us), 1u));
	if (f->rtt == 0 || rtt < f->rtt)
		f->rtt = rtt;
}

/* Something after the SYN: production has accepted the connection. */
static bool
embryonic_frame(struct sc_replay *e, uint32_t fi, const struct sc_seg *s)
{
	struct sc_flow *f = flow_at(e, fi);
	bool took;

	if (s->flags & SC_TCP_RST) {
		flow_refuse(e, fi, SC_R_NEVER_OPENED);
		return false;
	}
	measure_rtt(f, s);
	if (!(f->flags & SC_FLOW_BASE) && (s->flags & SC_TCP_ACK))
		flow_set_base(e, fi, s->ack);
	f->cack = f->turn_ack = f->prod_base;
	took = accept_segment(e, fi, s);
	flow_open(e, fi);
	return took;
}

static bool
known_frame(struct sc_replay *e, uint32_t fi, struct sc_mirror_seg *ms)
{
	struct sc_flow *f = flow_at(e, fi);
	struct sc_seg *s = &ms->seg;
	bool took = false;

	C(e, FRAMES_CLIENT)++;
	flow_touch(e, fi);
	if (s->flags & SC_TCP_SYN) { /* sent again */
		C(e, BYTES_SEEN) += s->payload_len;
		M(e, BYTES_DUPLICATE, SC_R_DUP_RETRANSMIT) += s->payload_len;
		return false;
	}
	switch (f->state) {
	case SC_FLOW_EMBRYONIC:
		return embryonic_frame(e, fi, s);
	case SC_FLOW_JOINING:
		join_client(e, fi, ms, &took);
		return took;
	default:
		measure_rtt(f, s);
		if (!(f->flags & SC_FLOW_BASE) && (s->flags & SC_TCP_ACK))
			flow_set_base(e, fi, s->ack);
		if (s->payload_len == 0 && !(s->flags & (SC_TCP_FIN | SC_TCP_RST)))
			accept_ack(f, s);
		else
			took = accept_segment(e, fi, s);
		if (f->state == SC_FLOW_LIVE)
			flow_push(e, fi);
		return took;
	}
}

/* What cannot be of the flow is no hole of it, and no sign of life. */
static void
strange_frame(struct sc_replay *e, const struct sc_seg *s)
{
	C(e, FRAMES_CLIENT)++;
	C(e, BYTES_SEEN) += s->payload_len;
	M(e, BYTES_REFUSED, SC_R_BEYOND_WINDOW) += s->payload_len;
}

/* True if the mbuf was sent, or is held; otherwise it is still the caller's. */
bool
client_frame(struct sc_replay *e, struct sc_mirror_seg *ms, uint32_t value)
{
	bool is_bare = ms->seg.payload_len == 0;
	enum verdict v = VERDICT_OWN;
	bool took = false;

	if (!(value & SC_TOMB_BIT)
			&& (is_bare ? fast_fin(e, value, &ms->seg)
				    : fast_client(e, value, &ms->seg)))
		return true;
	if (value != SC_NONE && (value & SC_TOMB_BIT)) {
		struct sc_tomb *b = &e->t.tomb[value & ~SC_TOMB_BIT];

		if (!is_syn(&ms->seg) || ms->seg.seq == b->isn) {
			tomb_frame(e, b, &ms->seg);
			return false;
		}
		sc_tomb_remove(&e->t, value & ~SC_TOMB_BIT);
		value = SC_NONE;
	}
	e->spare = NULL;
	e->spare_held = SC_NONE;
	e->bare = is_bare ? &ms->seg : NULL;
	if (value != SC_NONE)
		v = stranger_client(e, value, &ms->seg);
	if (v == VERDICT_NEW) {
		flow_supersede(e, value);
		value = SC_NONE;
	}
	if (value == SC_NONE)
		took = unknown_frame(e, ms);
	else if (v == VERDICT_STRANGE)
		strange_frame(e, &ms->seg);
	else
		took = known_frame(e, value, ms);
	/* Sent: spare_held is still that of the frame, and the frame is not there any more. */
	took |= is_bare ? e->bare == NULL : e->spare_held != SC_NONE && e->spare == NULL;
	e->spare = NULL;
	e->bare = NULL;
	return took;
}
