/* SPDX-License-Identifier: BSD-3-Clause */
/* close: the end of connections and sessions, and reopening. Every byte gets its bucket. */
#include "engine.h"

/* Payload bytes of a held segment that were sent on this connection. */
static uint32_t
sent_of(const struct sc_session *s, const struct sc_held *h)
{
	int32_t sent = (int32_t)(s->max - (h->seq + s->offset));

	return sent <= 0 ? 0 : SC_MIN((uint32_t)sent, h->len);
}

/* Of these, the bytes acknowledged. */
static uint32_t
acked_of(const struct sc_session *s, const struct sc_held *h)
{
	int32_t acked = (int32_t)(s->una - (h->seq + s->offset));

	return acked <= 0 ? 0 : SC_MIN((uint32_t)acked, h->len);
}

/* The connection is over: what was in flight is unconfirmed now. */
static void
conn_close(struct sc_replay *e, uint32_t si, enum sc_reason how)
{
	struct sc_session *s = session_at(e, si);
	uint32_t lost = 0;

	if (s->state == SC_CONN_BETWEEN)
		return;
	for (uint32_t hi = s->cur_una; hi != SC_NONE && s->una != s->max;
			hi = held_at(e, hi)->next) {
		const struct sc_held *h = held_at(e, hi);

		if (sc_seq_geq(h->seq + s->offset, s->max))
			break;
		lost += sent_of(s, h) - acked_of(s, h);
	}
	C(e, BYTES_IN_FLIGHT_NOW) -= lost;
	C(e, BYTES_UNCONFIRMED) += lost;
	if (s->state != SC_CONN_SYN_SENT) {
		C(e, ANSWER_SPAN) += answer_bytes(s);
		C(e, ANSWER_SPAN_NOW) -= answer_bytes(s);
	}
	M(e, CONN_CLOSED, how)++;
	C(e, CONNS_OPEN_NOW)--;
	tuple_put(e, si);
}

/* The unsent rest of a held segment of a session that will never send it. */
static uint32_t
drop_unsent(struct sc_replay *e, struct sc_session *s, uint32_t hi)
{
	struct sc_held *h = held_at(e, hi);
	uint32_t unsent = h->len - sent_of(s, h);

	C(e, BYTES_WAITING_NOW) -= unsent;
	return unsent;
}

/* The session is over. Its flow, too, if it was the last. */
void
session_end(struct sc_replay *e, uint32_t si, enum sc_reason outcome, enum sc_reason how)
{
	struct sc_session *s = session_at(e, si);
	uint32_t fi = sc_session_flow(&e->t, si), next;
	struct sc_flow *f = flow_at(e, fi);
	uint32_t abandoned = ooo_bytes(e, f);

	if (has_flag(s, SC_SESS_PROBER))
		atomic_store(&target_of(e, s)->path->state, SC_PATH_UNPROVEN);
	conn_close(e, si, how);
	C(e, BYTES_WAITING_NOW) -= ooo_bytes(e, f);
	for (uint32_t hi = s->cur_una; hi != SC_NONE; hi = next) {
		next = held_at(e, hi)->next;
		abandoned += drop_unsent(e, s, hi);
		held_release(e, f, hi);
	}
	M(e, BYTES_ABANDONED, outcome) += abandoned;
	M(e, SESSION_ENDED, outcome)++;
	C(e, SESSIONS_LIVE_NOW)--;
	if (si == sc_session_of(&e->t, fi, 0) || f->outcome == SC_R_NONE)
		f->outcome = outcome;
	sc_session_give(&e->t, si);
	if (sc_session_first(&e->t, fi) == SC_NONE)
		flow_over(e, fi);
}

/* The connection ended as the client (or the end of the capture) ended it. */
void
session_complete(struct sc_replay *e, uint32_t si, enum sc_reason how)
{
	struct sc_session *s = session_at(e, si);
	const struct sc_flow *f = flow_of(e, s);
	enum sc_reason outcome = f->reason != SC_R_NONE ? f->reason : SC_R_COMPLETE;

	if (s->loss != SC_R_NONE)
		outcome = s->loss;
	gate_turn_over(e, s);
	session_end(e, si, outcome, how);
}

/* Give up: RST to the target where there is a connection. */
void
session_abort(struct sc_replay *e, uint32_t si, enum sc_reason outcome)
{
	struct sc_session *s = session_at(e, si);
	bool has_conn = s->state != SC_CONN_SYN_SENT && s->state != SC_CONN_BETWEEN;

	if (has_conn)
		send_rst(e, si, s->max);
	session_end(e, si, outcome, has_conn ? SC_R_CLOSED_ABORTED : SC_R_CLOSED_UNOPENED);
}

/* The target has all bytes and the FIN, and does not close its half: nothing is left to wait for. */
void
session_leave(struct sc_replay *e, uint32_t si)
{
	send_rst(e, si, session_at(e, si)->max);
	session_complete(e, si, SC_R_CLOSED_ABORTED);
}

/* A connection is lost: what is left of its turn, then and later, goes with it. */
void
session_skip_turn(struct sc_replay *e, uint32_t si, enum sc_reason why)
{
	struct sc_session *s = session_at(e, si);
	struct sc_flow *f = flow_of(e, s);
	uint32_t hi, next;

	for (hi = s->cur_una; hi != SC_NONE; hi = next) {
		struct sc_held *h = held_at(e, hi);
		uint32_t unsent;

		if (h->kind != SC_HELD_DATA || (sc_seq_gt(h->ack, s->base) && sent_of(s, h) == 0))
			break;
		next = h->next;
		unsent = drop_unsent(e, s, hi);
		M(e, BYTES_SKIPPED, why) += unsent;
		if (unsent > 0)
			s->loss = why;
		held_release(e, f, hi);
	}
	s->cur_una = s->cur_nxt = hi;
}

/*
 * The target ended the connection with client bytes left. The rest of this turn is skipped; the
 * session goes on with another connection at the first byte of the next turn, if one comes.
 */
void
session_lost(struct sc_replay *e, uint32_t si, enum sc_reason why, enum sc_reason how)
{
	struct sc_session *s = session_at(e, si);

	if (s->una != s->max)
		s->loss = why;
	conn_close(e, si, how);
	session_skip_turn(e, si, why);
	s->una = s->nxt = s->max;
	s->state = SC_CONN_BETWEEN;
	s->flags &= ~(SC_SESS_RTO | SC_SESS_ACK | SC_SESS_GATE | SC_SESS_PERSIST
			| SC_SESS_RECOVERY);
	gate_turn_over(e, s);
	sc_wheel_cancel(&e->t.wheel, si);
	if (s->cur_nxt != SC_NONE)
		session_reopen(e, si);
}

static void
reset_connection(struct sc_session *s)
{
	s->flags &= ~(SC_SESS_TARGET_FIN | SC_SESS_RECOVERY | SC_SESS_TIMED | SC_SESS_ANSWERED
			| SC_SESS_AT_ZERO | SC_SESS_TURN | SC_SESS_HEARD | SC_SESS_RTO | SC_SESS_ACK
			| SC_SESS_GATE | SC_SESS_PERSIST | SC_SESS_TS | SC_SESS_PROBER);
	s->retries = s->dup_acks = s->stale = s->strikes = s->unacked_segs = 0;
	s->srtt_us = s->rttvar_us = 0;
	s->ts_recent = 0;
	s->rcv_nxt = s->irs = s->acked = 0;
	s->sent_us = 0;
}

/* No tuple to open again with: over, or with a file as its source, when one has rested. */
static void
no_tuple(struct sc_replay *e, uint32_t si)
{
	struct sc_session *s = session_at(e, si);

	if (!session_waits_for_tuple(e, s)) {
		session_end(e, si, SC_R_NO_TUPLE, SC_R_CLOSED_UNOPENED);
		return;
	}
	s->reopens--;
	s->gate_us = e->now + TUPLE_RETRY_US;
	s->flags |= SC_SESS_GATE;
	timer_rearm(e, si);
}

/* Open another connection at the held segment the cursor stands at: the first of a new turn. */
void
session_reopen(struct sc_replay *e, uint32_t si)
{
	struct sc_session *s = session_at(e, si);
	const struct sc_flow *f = flow_of(e, s);
	const struct sc_held *h = held_at(e, s->cur_nxt);
	enum sc_reason why =
			has_flag(s, SC_SESS_TARGET_FIN) ? SC_R_TARGET_CLOSED : SC_R_TARGET_RESET;

	if (h->flags & SC_HELD_SYNTH)
		why = f->reason;
	if (h->kind != SC_HELD_DATA || s->reopens >= REOPEN_MAX) {
		if (s->state != SC_CONN_BETWEEN) /* the target's half is closed, ours is not */
			send_rst(e, si, s->max);
		session_end(e, si, s->loss != SC_R_NONE ? s->loss : why, SC_R_CLOSED_ABORTED);
		return;
	}
	if (s->state != SC_CONN_BETWEEN) { /* the target has closed its half: close ours */
		send_bare(e, si, SC_TCP_FIN | SC_TCP_ACK, s->max);
		s->max++;
		s->una = s->max;
		gate_turn_over(e, s);
		conn_close(e, si, SC_R_CLOSED_REOPENED);
	}
	reset_connection(s);
	s->reopens++;
	s->una = s->nxt = s->max = h->seq + s->offset - 1;
	s->state = SC_CONN_BETWEEN;
	if (session_connect(e, si) < 0) {
		no_tuple(e, si);
		return;
	}
	s->base = h->ack;
	s->delta = 0u - (h->ack - f->prod_base);
	if (h->gap != 0)
		s->loss = SC_R_CAPTURE_GAP;
	C(e, CONNS_REOPENED)++;
	syn_send(e, si);
	timer_rearm(e, si);
}

/*
 * What was sent last is a message without its end: the mirror lost that. It dies with its connection,
 * and the segment at the cursor, the first of a new turn, opens another one.
 */
void
session_tear(struct sc_replay *e, uint32_t si)
{
	struct sc_session *s = session_at(e, si);

	send_rst(e, si, s->max);
	gate_turn_over(e, s);
	conn_close(e, si, SC_R_CLOSED_REOPENED);
	s->state = SC_CONN_BETWEEN;
	s->base = held_at(e, s->cur_nxt)->ack - 1;
	session_reopen(e, si);
}

/* The target keeps an older connection on this tuple, whatever we say: try the next one. */
void
session_retuple(struct sc_replay *e, uint32_t si)
{
	struct sc_session *s = session_at(e, si);

	if (s->stale >= STALE_TUPLES * (STALE_MAX + 1)) {
		session_end(e, si, SC_R_STALE_TUPLE, SC_R_CLOSED_UNOPENED);
		return;
	}
	conn_close(e, si, SC_R_CLOSED_UNOPENED);
	s->state = SC_CONN_BETWEEN;
	if (session_connect(e, si) < 0) {
		session_end(e, si, SC_R_STALE_TUPLE, SC_R_CLOSED_UNOPENED);
		return;
	}
	C(e, CONNS_REOPENED)++;
	syn_send(e, si);
	timer_rearm(e, si);
}
