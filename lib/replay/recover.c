/* SPDX-License-Identifier: BSD-3-Clause */
/* recover: acknowledgements, congestion control, retransmission (RFC 5681, 6298, 6582). */
#include "engine.h"

#define RTO_AFTER_SYN_US (3000 * SC_US_PER_MS) /* RFC 6298 section 5.7 */
#define DUP_ACKS 3 /* RFC 5681 section 3.2; s->dup_acks goes no further */

/* ---- RTT and RTO (RFC 6298 section 2) ---- */

void
rtt_sample(struct sc_session *s, uint32_t us)
{
	us = SC_MAX(us, 1u);
	if (s->srtt_us == 0) {
		s->srtt_us = us;
		s->rttvar_us = us / 2;
		return;
	}
	s->rttvar_us += (int32_t)((us > s->srtt_us ? us - s->srtt_us : s->srtt_us - us)
					- s->rttvar_us)
			/ 4;
	s->srtt_us += (int32_t)(us - s->srtt_us) / 8;
}

/* Without a sample: the SYN was sent again, and 3 s are right for what follows (section 5.7). */
static uint32_t
rto_us(const struct sc_session *s)
{
	uint64_t us = s->srtt_us == 0 ? RTO_AFTER_SYN_US
				      : s->srtt_us + SC_MAX(4ull * s->rttvar_us, SC_US_PER_MS);

	us = SC_MAX(us, RTO_MIN_US) << SC_MIN(s->retries, 8);
	return (uint32_t)SC_MIN(us, RTO_MAX_US);
}

void
rto_arm(struct sc_replay *e, struct sc_session *s)
{
	s->rto_us = e->now + rto_us(s);
	s->flags |= SC_SESS_RTO;
}

/* ---- delivery ---- */

/* The session is done with the held segment; the flow frees what no session needs. */
void
held_release(struct sc_replay *e, struct sc_flow *f, uint32_t hi)
{
	held_at(e, hi)->refs--;
	while (f->held_head != SC_NONE && held_at(e, f->held_head)->refs == 0) {
		uint32_t head = f->held_head;

		f->held_head = held_at(e, head)->next;
		if (f->held_head != SC_NONE)
			held_at(e, f->held_head)->tail = held_at(e, head)->tail;
		C(e, HELD_BYTES_NOW) -= held_at(e, head)->len;
		sc_held_give(&e->t, head);
	}
}

/* Everything below `ack` has arrived: count it, and let go of what is complete. */
static void
deliver(struct sc_replay *e, struct sc_session *s, uint32_t ack)
{
	struct sc_flow *f = flow_of(e, s);

	while (s->cur_una != SC_NONE && s->una != ack) {
		uint32_t hi = s->cur_una;
		struct sc_held *h = held_at(e, hi);
		uint32_t begin = h->seq + s->offset;
		uint32_t data_end = begin + h->len;
		uint32_t to = sc_seq_lt(ack, data_end) ? ack : data_end;

		if (sc_seq_gt(to, s->una)) {
			C(e, BYTES_DELIVERED) += to - s->una;
			C(e, BYTES_IN_FLIGHT_NOW) -= to - s->una;
			s->una = to;
		}
		if (sc_seq_lt(ack, begin + held_span(h)))
			break;
		s->una = begin + held_span(h);
		s->cur_una = h->next;
		if (s->cur_nxt == hi)
			s->cur_nxt = h->next;
		held_release(e, f, hi);
	}
	s->una = ack;
}

/* ---- congestion control ---- */

void
cwnd_grow(struct sc_session *s, uint32_t acked)
{
	if (s->cwnd < s->ssthresh)
		s->cwnd += SC_MIN(acked, (uint32_t)s->mss);
	else
		s->cwnd += SC_MAX((uint32_t)((uint64_t)s->mss * s->mss / SC_MAX(s->cwnd, 1u)), 1u);
	s->cwnd = SC_MIN(s->cwnd, 1u << 30);
}

/* Before data goes: after a pause longer than the RTO the window begins anew (RFC 5681 section 4.1). */
void
cwnd_restart(const struct sc_replay *e, struct sc_session *s)
{
	uint32_t idle = e->now - s->sent_us;

	if (s->una == s->max && idle > RTO_MIN_US && idle > rto_us(s))
		s->cwnd = SC_MIN(s->cwnd, IW_SEGMENTS * (uint32_t)s->mss);
}

/* Send the first unacknowledged segment again without moving the cursor. */
static void
resend_first(struct sc_replay *e, uint32_t si)
{
	struct sc_session *s = session_at(e, si);
	struct sc_held *h;
	uint32_t off, n;

	if (s->cur_una == SC_NONE || s->una == s->max)
		return;
	h = held_at(e, s->cur_una);
	if (h->kind == SC_HELD_FIN) {
		send_bare(e, si, SC_TCP_FIN | SC_TCP_ACK, s->una);
		C(e, TX_RETRANSMIT)++;
		return;
	}
	off = s->una - s->offset - h->seq;
	n = SC_MIN(SC_MIN(h->len - off, (uint32_t)s->mss), s->max - s->una);
	if (h->kind != SC_HELD_DATA || n == 0 || !send_segment(e, si, s->cur_una, off, n))
		return;
	C(e, TX_RETRANSMIT)++;
	C(e, TX_PAYLOAD_AGAIN) += n;
	s->flags &= ~SC_SESS_TIMED; /* Karn */
}

static void
halve(struct sc_session *s)
{
	s->ssthresh = SC_MAX((s->max - s->una) / 2, 2u * s->mss);
}

/* What has been sent up to now is not timed (Karn), and lost once only (RFC 6582 section 3.2). */
static void
note_loss(struct sc_session *s)
{
	s->mark = s->max;
	s->flags |= SC_SESS_LOST;
	s->flags &= ~(SC_SESS_RECOVERY | SC_SESS_TIMED);
}

static void
duplicate_ack(struct sc_replay *e, uint32_t si)
{
	struct sc_session *s = session_at(e, si);

	bool is_third = s->dup_acks == DUP_ACKS - 1;

	if (s->dup_acks < DUP_ACKS)
		s->dup_acks++;
	if (has_flag(s, SC_SESS_RECOVERY)) {
		s->cwnd += s->mss;
	} else if (is_third && !has_flag(s, SC_SESS_LOST)) {
		halve(s);
		note_loss(s);
		s->flags |= SC_SESS_RECOVERY;
		C(e, FAST_RETRANSMIT)++;
		resend_first(e, si);
		s->cwnd = s->ssthresh + 3u * s->mss;
		rto_arm(e, s);
	}
}

static void
new_ack(struct sc_replay *e, uint32_t si, uint32_t ack)
{
	struct sc_session *s = session_at(e, si);
	uint32_t acked = ack - s->una;

	if (has_flag(s, SC_SESS_TIMED) && sc_seq_gt(ack, s->mark)) {
		rtt_sample(s, e->now - s->rtt_us);
		s->flags &= ~SC_SESS_TIMED;
	}
	deliver(e, s, ack);
	if (sc_seq_lt(s->nxt, s->una))
		s->nxt = s->una;
	s->retries = 0;
	s->dup_acks = 0;
	s->flags |= SC_SESS_BEGUN;
	if (has_flag(s, SC_SESS_RECOVERY) && sc_seq_lt(ack, s->mark)) {
		resend_first(e, si); /* partial acknowledgement (RFC 6582 section 3.2) */
		s->cwnd = SC_MAX(s->cwnd - SC_MIN(acked, s->cwnd) + s->mss, (uint32_t)s->mss);
	} else if (has_flag(s, SC_SESS_RECOVERY)) {
		s->flags &= ~SC_SESS_RECOVERY;
		s->cwnd = s->ssthresh;
	} else {
		cwnd_grow(s, acked);
	}
	if (has_flag(s, SC_SESS_LOST) && sc_seq_gt(ack, s->mark))
		s->flags &= ~SC_SESS_LOST;
	if (s->una == s->max) {
		s->flags &= ~SC_SESS_RTO;
		s->quiet_us = e->now;
	} else {
		rto_arm(e, s);
	}
}

/* The ACK field and window of an accepted segment. */
void
ack_process(struct sc_replay *e, uint32_t si, const struct sc_record *rec)
{
	struct sc_session *s = session_at(e, si);
	uint32_t wnd = (uint32_t)rec->wnd << s->snd_wscale;

	if (!(rec->flags & SC_TCP_ACK) || sc_seq_lt(rec->ack, s->una))
		return;
	if (rec->ack != s->una)
		new_ack(e, si, rec->ack);
	else if (s->una != s->max && rec->len == 0 && wnd == s->wnd && !(rec->flags & SC_TCP_FIN))
		duplicate_ack(e, si);
	if (wnd > 0 && s->wnd == 0)
		s->retries = 0; /* those were probes */
	s->wnd = wnd;
	s->max_wnd = SC_MAX(s->max_wnd, rec->wnd);
	if (wnd > 0)
		s->flags &= ~SC_SESS_PERSIST;
}

/* ---- timers ---- */

/* Retransmission timeout: go back to the first unacknowledged byte (RFC 6298 section 5). */
void
rto_expired(struct sc_replay *e, uint32_t si)
{
	struct sc_session *s = session_at(e, si);

	if (s->una == s->max) {
		s->flags &= ~SC_SESS_RTO;
		return;
	}
	C(e, RTO_EXPIRED)++;
	/* With its window shut a target that answers may do so for ever (RFC 9293 section 3.8.6.1). */
	if (s->retries >= DATA_RETRIES_MAX && s->wnd != 0) {
		session_abort(e, si, SC_R_TARGET_TIMEOUT);
		return;
	}
	if (s->retries == 0)
		halve(s);
	s->retries = (uint8_t)SC_MIN(s->retries + 1, DATA_RETRIES_MAX);
	s->cwnd = s->mss;
	note_loss(s);
	s->nxt = s->una;
	s->cur_nxt = s->cur_una;
	s->dup_acks = 0;
	rto_arm(e, s);
	if (s->wnd == 0) {
		resend_first(e, si);
		timer_rearm(e, si);
		return;
	}
	session_send(e, si);
}

/* Zero window (RFC 9293 section 3.8.6.1): ask with an old byte's number, which must be answered. */
void
persist_expired(struct sc_replay *e, uint32_t si)
{
	struct sc_session *s = session_at(e, si);

	s->flags &= ~SC_SESS_PERSIST;
	if (s->wnd != 0) {
		session_send(e, si);
		return;
	}
	C(e, PERSIST_PROBES)++;
	if (send_bare(e, si, SC_TCP_ACK, s->una - 1))
		s->retries = (uint8_t)SC_MIN(s->retries + 1, 8);
	s->rto_us = e->now + rto_us(s);
	s->flags |= SC_SESS_PERSIST;
}
