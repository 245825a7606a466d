/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fast: what nearly every data packet is, straight through. From the mirror: the next request of a
 * client whose session is open, has nothing in flight, and whose answer has come to the byte. From
 * the target: the next bytes of an answer, which acknowledge the request or nothing new. Everything
 * else goes the general way (client.c, accept.c, gate.c, send.c; receive.c, recover.c), and this does
 * what that does, to the same frames and the same counters: tests/sim compares.
 */
#include "engine.h"

#define SPAN_MAX (UINT32_MAX - UINT16_MAX) /* what a connection has counts modulo 4 GB */

/* Queue the session for this deadline, the only one that it has. */
static void
wake_at(struct sc_replay *e, uint32_t si, uint32_t due)
{
	sc_wheel_arm(&e->t.wheel, si, e->now_us + (uint32_t)SC_MAX((int32_t)(due - e->now), 0));
}

/* Configurations in which a request goes as soon as its answer is exact. */
bool
fast_suits(const struct sc_replay_cfg *cfg)
{
	return cfg->copies == 1 && cfg->gate == SC_REPLAY_GATE_ANSWER
			&& cfg->latency == SC_REPLAY_LATENCY_NONE && !cfg->pace_think
			&& !cfg->is_general;
}

/* What comes next to a live flow that holds nothing; of flags that are not data's it has `wanted`. */
static inline bool
is_next(const struct sc_flow *f, const struct sc_seg *s, uint8_t wanted)
{
	const uint8_t all = SC_TCP_ACK | SC_TCP_SYN | SC_TCP_FIN | SC_TCP_RST | SC_TCP_URG;

	return f->state == SC_FLOW_LIVE && s->seq == f->nxt && s->seq - f->isn <= SPAN_MAX
			&& f->held_head == SC_NONE && f->hole == SC_HOLE_NONE
			&& (s->flags & all) == wanted
			&& (f->flags & (SC_FLOW_BASE | SC_FLOW_PROD_FIN | FLOW_CLOSED))
			== SC_FLOW_BASE;
}

/* Small enough for a chunk, too many for a probe. */
static inline bool
is_plain_size(const struct sc_replay *e, uint32_t n)
{
	return n > PADDING_MAX && n <= SC_CHUNK_SIZE && n <= e->cfg.copy_below;
}

/* All acknowledged, nothing waits, and the window is open for n bytes in one segment. */
static bool
is_quiet(const struct sc_replay *e, const struct sc_session *s, uint32_t n)
{
	const uint16_t busy = SC_SESS_TARGET_FIN | SC_SESS_RECOVERY | SC_SESS_RTO | SC_SESS_GATE
			| SC_SESS_PERSIST | SC_SESS_AT_ZERO;

	return s->state == SC_CONN_OPEN && s->cur_una == SC_NONE && s->una == s->max
			&& s->nxt == s->max && (s->flags & busy) == 0 && n <= s->mss && n <= s->wnd
			&& n <= s->cwnd && e->now - s->resp_us <= UINT32_MAX / 2;
}

/* The turn before is answered to the byte, or this is still the same turn. */
static bool
is_answered(const struct sc_flow *f, const struct sc_session *s, const struct sc_seg *seg)
{
	if (sc_seq_leq(seg->ack, s->base))
		return true;
	if ((f->flags & SC_FLOW_PROD_SEEN) && sc_seq_gt(f->prod_nxt, seg->ack))
		return false; /* perhaps a full-duplex turn */
	return answer_bytes(s) == seg->ack - f->prod_base + s->delta;
}

/* The counters that accept.c and send.c count, together. */
static void
count(struct sc_replay *e, uint32_t n)
{
	C(e, BYTES_SEEN) += n;
	C(e, BYTES_ACCEPTED) += n;
	C(e, SPAN_NOW) += n;
	C(e, BYTES_ACCEPTED_COPIES) += n;
	C(e, HELD_BYTES_NOW) += n;
	C(e, TX_PAYLOAD_FIRST) += n;
	C(e, BYTES_IN_FLIGHT_NOW) += n;
}

/* The flow after this segment: accept_segment() and accept_in_order(). */
static void
note_flow(struct sc_replay *e, struct sc_flow *f, const struct sc_seg *seg, uint32_t hi)
{
	f->held_head = hi;
	f->nxt += held_span(held_at(e, hi));
	f->turn_ack = sc_seq_max(f->turn_ack, seg->ack);
	f->cack = sc_seq_max(f->cack, seg->ack);
}

/* The session after they were sent: push_data(). */
static void
note_session(struct sc_replay *e, struct sc_session *s, const struct sc_held *h, uint32_t hi)
{
	note_first_send(e, s, h);
	s->cur_una = hi;
	s->nxt += h->len;
	s->max = s->nxt;
	rto_arm(e, s);
}

/*
 * A client frame of the live flow fi. False: it is not plain, and nothing has been done with it;
 * otherwise its mbuf has been sent, or freed.
 */
bool
fast_client(struct sc_replay *e, uint32_t fi, const struct sc_seg *seg)
{
	struct sc_flow *f = flow_at(e, fi);
	struct sc_session *s = session_at(e, fi); /* the only copy */
	uint32_t hi;

	if (!e->is_fast || !is_next(f, seg, SC_TCP_ACK) || !is_plain_size(e, seg->payload_len)
			|| !is_quiet(e, s, seg->payload_len) || !is_answered(f, s, seg)
			|| !is_reusable(seg->mbuf, seg) || e->nb_tx >= SC_REPLAY_TX_MAX)
		return false;
	hi = sc_held_take_chunk(&e->t, seg);
	if (hi == SC_NONE)
		return false;
	C(e, FRAMES_CLIENT)++;
	flow_touch(e, fi);
	C(e, FRAMES_DUPLICATE) += is_mirror_duplicate(e, fi, seg);
	annotate(e, f, seg, held_at(e, hi));
	note_flow(e, f, seg, hi);
	f->is_mid = true;
	f->client_us = SC_MAX((uint32_t)seg->cap_us, 1u);
	count(e, seg->payload_len);
	if (sc_seq_gt(seg->ack, s->base))
		gate_release(e, s, seg->ack, GATE_EXACT);
	cwnd_restart(e, s);
	send_reused(e, s, held_at(e, hi), seg);
	note_session(e, s, held_at(e, hi), hi);
	wake_at(e, fi, s->rto_us); /* is_quiet(): no other deadline but that of an ACK, sent with this */
	return true;
}

/*
 * The client's FIN, of which fast_client() says the same: accept.c's take_fin() and send.c's
 * push_fin().
 */
bool
fast_fin(struct sc_replay *e, uint32_t fi, const struct sc_seg *seg)
{
	struct sc_flow *f = flow_at(e, fi);
	struct sc_session *s = session_at(e, fi); /* the only copy */
	uint32_t hi;

	if (!e->is_fast || !is_next(f, seg, SC_TCP_ACK | SC_TCP_FIN) || !is_quiet(e, s, 0)
			|| !is_answered(f, s, seg) || !is_reusable(seg->mbuf, seg)
			|| e->nb_tx >= SC_REPLAY_TX_MAX)
		return false;
	hi = accept_end(e, f, seg, SC_HELD_FIN, f->nxt);
	if (hi == SC_NONE)
		return false;
	C(e, FRAMES_CLIENT)++;
	flow_touch(e, fi);
	flow_close(e, f, SC_FLOW_FIN);
	note_flow(e, f, seg, hi);
	if (sc_seq_gt(seg->ack, s->base))
		gate_release(e, s, seg->ack, GATE_EXACT);
	e->bare = seg;
	send_bare(e, fi, SC_TCP_FIN | SC_TCP_ACK, s->nxt);
	s->cur_una = hi;
	s->max = ++s->nxt;
	s->state = SC_CONN_FIN_SENT;
	rto_arm(e, s);
	wake_at(e, fi, s->rto_us);
	return true;
}

/* ---- answers ---- */

static bool
is_plain_answer(const struct sc_replay *e, const struct sc_session *s, const struct sc_record *rec)
{
	const uint8_t wanted = SC_TCP_ACK, others = SC_TCP_SYN | SC_TCP_FIN | SC_TCP_RST;
	const uint16_t busy = SC_SESS_TARGET_FIN | SC_SESS_LOST | SC_SESS_GATE | SC_SESS_PERSIST;

	return e->is_fast && s->state == SC_CONN_OPEN && s->cur_nxt == SC_NONE
			&& rec->seq == s->rcv_nxt && rec->len > 0 && rec->seq - s->irs <= SPAN_MAX
			&& rec->wnd > 0 && s->wnd > 0 && (rec->flags & (wanted | others)) == wanted
			&& (s->flags & busy) == 0 && s->nxt == s->max && rec->ack == s->max;
}

/* All that is in flight is one held segment, and the flow holds nothing else. */
static bool
is_one_in_flight(struct sc_replay *e, const struct sc_flow *f, const struct sc_session *s)
{
	const struct sc_held *h;

	if (f->held_head != s->cur_una)
		return false;
	h = held_at(e, s->cur_una);
	return h->next == SC_NONE && h->kind == SC_HELD_DATA && h->refs == 1
			&& h->seq + s->offset + h->len == s->max;
}

/* The request has arrived: new_ack(), deliver() and held_release(). */
static void
note_delivered(struct sc_replay *e, struct sc_flow *f, struct sc_session *s)
{
	uint32_t n = s->max - s->una, hi = s->cur_una;

	C(e, BYTES_DELIVERED) += n;
	C(e, BYTES_IN_FLIGHT_NOW) -= n;
	C(e, HELD_BYTES_NOW) -= held_at(e, hi)->len;
	f->held_head = s->cur_una = SC_NONE;
	sc_held_give(&e->t, hi);
	if (has_flag(s, SC_SESS_TIMED) && sc_seq_gt(s->max, s->mark))
		rtt_sample(s, e->now - s->rtt_us);
	s->una = s->max;
	s->retries = s->dup_acks = 0;
	cwnd_grow(s, n);
	s->flags |= SC_SESS_BEGUN;
	s->flags &= ~(SC_SESS_RTO | SC_SESS_TIMED);
}

/* A record of session si. False: it is not plain, and nothing has been done with it. */
bool
fast_record(struct sc_replay *e, uint32_t si, const struct sc_record *rec)
{
	struct sc_session *s = session_at(e, si);
	struct sc_flow *f = flow_at(e, si); /* the only copy */
	uint32_t wnd = (uint32_t)rec->wnd << s->snd_wscale;

	if (!is_plain_answer(e, s, rec) || (s->una != s->max && !is_one_in_flight(e, f, s)))
		return false;
	keep_timestamp(s, rec);
	C(e, ANSWER_NEW) += rec->len;
	C(e, ANSWER_SPAN_NOW) += rec->len;
	s->rcv_nxt += rec->len;
	gate_answer(e, s, rec->len);
	s->quiet_us = e->now;
	s->reopens = 0;
	s->unacked_segs += SC_MAX(rec->segs & 0x7f, 1);
	if (s->una != s->max)
		note_delivered(e, f, s);
	s->wnd = wnd;
	s->max_wnd = SC_MAX(s->max_wnd, rec->wnd);
	owe_ack(e, si, is_ack_due(s));
	if (has_flag(s, SC_SESS_ACK))
		wake_at(e, si, s->ack_us);
	return true;
}
