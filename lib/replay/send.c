/* SPDX-License-Identifier: BSD-3-Clause */
/* send: what gate and windows let a session send of what its flow holds. */
#include "engine.h"

/*
 * Data frames of a session in one round, whatever calls for them: ACKs, the mirror, timers. The rest
 * goes RETRY_US later, or by an ACK of a later round.
 */
#define SESSION_BURST 64

static void
retry_soon(struct sc_replay *e, struct sc_session *s)
{
	s->gate_us = e->now + RETRY_US;
	s->flags |= SC_SESS_GATE;
}

/* May the session send another frame at this moment? The caller does. */
static bool
burst_take(struct sc_replay *e, uint32_t si)
{
	struct burst *b = &e->burst[si % BURSTS];

	if (b->si != si || b->us != e->now)
		*b = (struct burst){.si = si, .us = e->now};
	return b->n++ < SESSION_BURST;
}

/* How much of a held segment that begins at wire number nxt may go now: 0 waits for the window. */
static uint32_t
sendable(const struct sc_session *s, uint32_t rest)
{
	uint32_t flight = s->nxt - s->una;
	uint32_t window = SC_MIN(s->wnd, s->cwnd);
	uint32_t usable = window > flight ? window - flight : 0;
	uint32_t n = SC_MIN(SC_MIN(rest, (uint32_t)s->mss), usable);

	/* RFC 9293 section 3.8.6.2.1: no small segment because of the window while data is out. */
	if (n < SC_MIN(rest, (uint32_t)s->mss) && flight > 0)
		return 0;
	return n;
}

static void
count_sent(struct sc_replay *e, struct sc_session *s, uint32_t seq, uint32_t n)
{
	uint32_t again = 0;

	if (sc_seq_lt(seq, s->max)) {
		again = SC_MIN(n, s->max - seq);
		C(e, TX_PAYLOAD_AGAIN) += again;
		C(e, TX_RETRANSMIT)++;
	}
	C(e, TX_PAYLOAD_FIRST) += n - again;
	C(e, BYTES_IN_FLIGHT_NOW) += n - again;
	C(e, BYTES_WAITING_NOW) -= n - again;
}

/* First data of a turn: what is measured from here on belongs to it. */
void
note_first_send(struct sc_replay *e, struct sc_session *s, const struct sc_held *h)
{
	if (!has_flag(s, SC_SESS_TURN)) {
		s->flags |= SC_SESS_TURN;
		C(e, TURNS_SEEN)++;
	}
	s->sent_us = e->now;
	s->last_cap_us = h->cap_us;
	if (!has_flag(s, SC_SESS_TIMED | SC_SESS_LOST)) {
		s->flags |= SC_SESS_TIMED;
		s->mark = s->nxt;
		s->rtt_us = e->now;
	}
}

/* Zero window: ask for it, unless something is sent again by and by, which asks, too. */
static void
persist_arm(struct sc_replay *e, struct sc_session *s)
{
	if (has_flag(s, SC_SESS_PERSIST | SC_SESS_RTO))
		return;
	s->rto_us = e->now + (uint32_t)RTO_MIN_US;
	s->flags |= SC_SESS_PERSIST;
}

/* Send what the window allows of the data at the cursor. True when the cursor has moved on. */
static bool
push_data(struct sc_replay *e, uint32_t si)
{
	struct sc_session *s = session_at(e, si);
	uint32_t hi = s->cur_nxt;
	struct sc_held *h = held_at(e, hi);

	cwnd_restart(e, s);
	for (;;) {
		uint32_t off = s->nxt - s->offset - h->seq;
		uint32_t n = sendable(s, h->len - off);

		if (n == 0) {
			if (s->wnd == 0 && s->nxt == s->una)
				persist_arm(e, s);
			return false;
		}
		if (!burst_take(e, si) || !send_segment(e, si, hi, off, n)) {
			retry_soon(e, s);
			return false;
		}
		if (sc_seq_geq(s->nxt, s->max))
			note_first_send(e, s, h);
		count_sent(e, s, s->nxt, n);
		s->nxt += n;
		s->max = sc_seq_max(s->max, s->nxt);
		s->flags &= ~SC_SESS_PERSIST;
		if (!has_flag(s, SC_SESS_RTO))
			rto_arm(e, s);
		if (off + n == h->len)
			break;
	}
	s->cur_nxt = h->next;
	return true;
}

static bool
push_fin(struct sc_replay *e, uint32_t si)
{
	struct sc_session *s = session_at(e, si);
	struct sc_held *h = held_at(e, s->cur_nxt);

	if (!send_bare(e, si, SC_TCP_FIN | SC_TCP_ACK, s->nxt)) {
		retry_soon(e, s);
		return false;
	}
	s->nxt++;
	s->max = sc_seq_max(s->max, s->nxt);
	s->state = SC_CONN_FIN_SENT;
	if (!has_flag(s, SC_SESS_RTO))
		rto_arm(e, s);
	s->cur_nxt = h->next;
	return true;
}

/* The client's RST, at the same point of the answer and behind all of its data. False: not yet. */
static bool
push_rst(struct sc_replay *e, uint32_t si)
{
	struct sc_session *s = session_at(e, si);

	if (s->una != s->max)
		return false;
	if (!send_rst(e, si, s->max)) {
		retry_soon(e, s);
		return false;
	}
	session_complete(e, si, SC_R_CLOSED_RST_SENT);
	return false;
}

/* A declared hole before the segment: everything sent must have been acknowledged first. */
static bool
push_gap(struct sc_session *s, const struct sc_held *h)
{
	if (h->gap == 0 || sc_seq_leq(h->seq + s->offset, s->nxt)) /* closed already */
		return true;
	if (s->una != s->max)
		return false;
	s->offset -= h->gap;
	s->delta -= h->ack - h->gap_ack; /* answers to what is missing will not come */
	s->loss = SC_R_CAPTURE_GAP;
	return true;
}

/*
 * Production had closed its half, too, when the client sent this: it goes on, on the same connection.
 * Where the mirror has not shown that FIN (yet), it is the one number more that the client acknowledges.
 */
static bool
is_half_closed(struct sc_replay *e, const struct sc_session *s, const struct sc_held *h)
{
	const struct sc_flow *f = flow_of(e, s);

	if (f->flags & SC_FLOW_PROD_FIN)
		return h->ack == f->prod_nxt || h->ack == f->prod_nxt + 1;
	return h->ack - f->prod_base == answer_bytes(s) + 1
			|| h->ack - f->prod_base + s->delta == answer_bytes(s) + 1;
}

/*
 * Would the target take the segment for the end of a message that a hole has cut off? Not if it is the
 * first of its connection.
 */
static bool
is_torn(const struct sc_session *s, const struct sc_held *h)
{
	return (h->flags & SC_HELD_TORN) && s->nxt == h->seq + s->offset
			&& (s->nxt != s->una || has_flag(s, SC_SESS_BEGUN));
}

static bool
push_one(struct sc_replay *e, uint32_t si)
{
	struct sc_session *s = session_at(e, si);
	struct sc_held *h = held_at(e, s->cur_nxt);
	bool is_new_turn = h->kind == SC_HELD_DATA && sc_seq_gt(h->ack, s->base);

	if (is_new_turn && has_flag(s, SC_SESS_TARGET_FIN) && !is_half_closed(e, s, h)) {
		if (s->una == s->max) {
			gate_closed(e, s, h);
			session_reopen(e, si);
		}
		return false;
	}
	if (!push_gap(s, h))
		return false;
	if (is_torn(s, h) && h->kind == SC_HELD_FIN) /* ours: nothing will come behind it */
		return (gate_pass(e, si, h) || gate_torn(e, s)) && push_fin(e, si);
	if (is_torn(s, h)) {
		if (gate_torn(e, s))
			session_tear(e, si);
		return false;
	}
	if (!gate_pass(e, si, h))
		return false;
	switch (h->kind) {
	case SC_HELD_DATA:
		return push_data(e, si);
	case SC_HELD_FIN:
		return push_fin(e, si);
	default:
		return push_rst(e, si);
	}
}

/*
 * Send everything that gate and windows allow now, but leave room to others. The session may be over
 * on return; if it is not, the caller rearms its timer.
 */
void
session_send(struct sc_replay *e, uint32_t si)
{
	struct sc_session *s = session_at(e, si);

	if (s->state == SC_CONN_BETWEEN) {
		session_skip_turn(e, si, SC_R_TARGET_RESET);
		if (s->cur_nxt != SC_NONE)
			session_reopen(e, si);
		return;
	}
	if (s->state == SC_CONN_SYN_SENT)
		return;
	while (s->state != SC_CONN_FREE && s->cur_nxt != SC_NONE && push_one(e, si))
		;
}

/* The same, timer and all. */
void
session_push(struct sc_replay *e, uint32_t si)
{
	session_send(e, si);
	if (session_at(e, si)->state != SC_CONN_FREE)
		timer_rearm(e, si);
}
