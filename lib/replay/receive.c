/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * receive: segments of the target (RFC 9293 section 3.10.7, RFC 5961). Nobody reads the payload, so
 * what lies inside our window is acknowledged to its end, holes included.
 */
#include "engine.h"

#define CHALLENGE_TICKS ((500 * SC_US_PER_MS) >> SC_CHALLENGE_SHIFT)
#define ACK_DELAY_MAX_US (500 * SC_US_PER_MS) /* RFC 5681 section 4.2 */
#define MSS_DEFAULT_V6 1220

static uint32_t
our_window(const struct sc_session *s)
{
	return 65535u << s->rcv_wscale;
}

/* ---- opening ---- */

static void
learn_options(const struct sc_replay *e, struct sc_session *s, const struct sc_record *rec)
{
	const struct sc_flow *f = flow_of(e, s);
	bool is_v4 = sc_addr_is_v4(&target_of(e, s)->addr);
	uint16_t mss = is_v4 ? MSS_DEFAULT_V4 : MSS_DEFAULT_V6;
	uint16_t fits = e->cfg.mtu - (is_v4 ? 40 : 60);

	if (rec->syn_bits & SC_REC_MSS)
		mss = SC_MAX(rec->mss, (uint16_t)64);
	s->snd_wscale = 0;
	if ((rec->syn_bits & SC_REC_WSCALE) && (f->opts & SC_OPT_WSCALE))
		s->snd_wscale = rec->wscale;
	else
		s->rcv_wscale = 0;
	if ((rec->segs & SC_REC_TS) && (f->opts & SC_OPT_TS)) {
		s->flags |= SC_SESS_TS;
		s->ts_recent = rec->tsval;
	}
	s->mss = SC_MIN(mss, fits) - (has_flag(s, SC_SESS_TS) ? 12 : 0);
}

/* Acknowledge now, later (RFC 5681 section 4.2), or after the client's own RTT. */
void
owe_ack(struct sc_replay *e, uint32_t si, bool at_once)
{
	struct sc_session *s = session_at(e, si);
	uint32_t delay = latency_us(e, s);

	if (delay == 0 && at_once && send_ack(e, si))
		return;
	if (has_flag(s, SC_SESS_ACK))
		return;
	if (delay != 0)
		s->ack_us = e->now + SC_MIN(delay, (uint32_t)ACK_DELAY_MAX_US);
	else
		s->ack_us = e->now + (at_once ? RETRY_US : (uint32_t)DELACK_US);
	s->flags |= SC_SESS_ACK;
}

/* SYN-ACK: the connection is open (RFC 9293 section 3.10.7.3). */
void
on_established(struct sc_replay *e, uint32_t si, const struct sc_record *rec)
{
	struct sc_session *s = session_at(e, si);
	uint32_t delay = latency_us(e, s);

	if (!(rec->flags & SC_TCP_ACK) || rec->ack != s->una + 1) {
		if (rec->flags & SC_TCP_ACK)
			send_rst(e, si, rec->ack);
		return;
	}
	path_answered(e, s);
	C(e, CONNS_ESTABLISHED)++;
	learn_options(e, s, rec);
	if (s->retries == 0)
		rtt_sample(s, e->now - s->sent_us);
	s->state = SC_CONN_OPEN;
	s->irs = rec->seq;
	s->rcv_nxt = rec->seq + 1;
	s->acked = rec->seq;
	s->nxt = s->max = ++s->una;
	s->wnd = rec->wnd; /* never scaled in a SYN (RFC 7323 section 2.2) */
	s->max_wnd = (uint16_t)((rec->wnd + (1u << s->snd_wscale) - 1) >> s->snd_wscale);
	/* RFC 6928 section 2: more than one SYN was lost, so the path may be crowded. */
	s->cwnd = (s->retries > 1 ? 1 : IW_SEGMENTS) * (uint32_t)s->mss;
	s->ssthresh = UINT32_MAX;
	s->retries = s->strikes = 0;
	s->was_open = true;
	s->flags &= ~(SC_SESS_RTO | SC_SESS_GATE | SC_SESS_BEGUN | SC_SESS_LOST);
	s->quiet_us = s->resp_us = e->now;
	if (delay != 0) { /* the client's ACK took its RTT, too */
		s->ack_us = e->now + SC_MIN(delay, (uint32_t)ACK_DELAY_MAX_US);
		s->flags |= SC_SESS_ACK;
		timer_rearm(e, si);
		return;
	}
	session_send(e, si);
	if (s->state != SC_CONN_FREE && s->acked != s->rcv_nxt)
		owe_ack(e, si, true);
	if (s->state != SC_CONN_FREE)
		timer_rearm(e, si);
}

/*
 * RST to our SYN: the service is not there. If it was there before, it may be starting anew: the SYN
 * goes again after 250 ms, 500 ms and so on, 7.75 s in all, and what the client said waits for it.
 */
void
on_refused(struct sc_replay *e, uint32_t si, const struct sc_record *rec)
{
	struct sc_session *s = session_at(e, si);

	if (!(rec->flags & SC_TCP_ACK) || rec->ack != s->una + 1) {
		C(e, ILLEGAL_EVENT)++;
		return;
	}
	path_answered(e, s);
	if (s->was_open && s->strikes < REFUSED_MAX) {
		C(e, SYN_REFUSED)++;
		s->retries = 0;
		s->sent_us = 0; /* the next SYN is a new one */
		s->rto_us = e->now + ((uint32_t)REFUSED_US << s->strikes++);
		s->flags |= SC_SESS_RTO;
		timer_rearm(e, si);
		return;
	}
	session_end(e, si, SC_R_TARGET_REFUSED, SC_R_CLOSED_UNOPENED);
}

/*
 * A bare ACK in SYN-SENT: the target still has an older connection on this tuple. RST at the number
 * it expects, then SYN again after at least 1 ms; three times, then another tuple.
 */
void
on_stale(struct sc_replay *e, uint32_t si, const struct sc_record *rec)
{
	struct sc_session *s = session_at(e, si);

	if (rec->ack == s->una + 1)
		return;
	path_heard(e, s);
	C(e, STALE_RST)++;
	send_rst(e, si, rec->ack);
	if (++s->stale % (STALE_MAX + 1) == 0) {
		session_retuple(e, si);
		return;
	}
	s->retries = 0; /* a new SYN, with tries of its own */
	s->rto_us = e->now + 1000 + (uint32_t)(s->stale % (STALE_MAX + 1) - 1) * 200000;
	s->sent_us = 0; /* the next SYN is not one sent again */
	s->flags |= SC_SESS_RTO;
	timer_rearm(e, si);
}

/* A SYN-ACK again: our ACK was lost. */
void
on_synack_again(struct sc_replay *e, uint32_t si, const struct sc_record *rec)
{
	C(e, ANSWER_DUPLICATE) += rec->len;
	send_ack(e, si);
	session_push(e, si); /* the ACK that latency held back has gone; what waited for it may go */
}

/* ---- an open connection ---- */

/* Outside the window: an ACK, at most one per 500 ms (RFC 5961 section 7). */
static void
challenge(struct sc_replay *e, uint32_t si)
{
	struct sc_session *s = session_at(e, si);
	uint16_t now = (uint16_t)(e->now >> SC_CHALLENGE_SHIFT);

	if (s->challenge != 0 && (uint16_t)(now - s->challenge) <= CHALLENGE_TICKS)
		return;
	if (send_ack(e, si))
		s->challenge = SC_MAX(now, (uint16_t)1);
}

static bool
is_ack_acceptable(const struct sc_session *s, const struct sc_record *rec)
{
	if (!(rec->flags & SC_TCP_ACK))
		return false;
	return sc_seq_geq(rec->ack, s->una - ((uint32_t)s->max_wnd << s->snd_wscale))
			&& sc_seq_leq(rec->ack, s->max);
}

/* RFC 7323 section 4.3. */
void
keep_timestamp(struct sc_session *s, const struct sc_record *rec)
{
	if (!has_flag(s, SC_SESS_TS) || !(rec->segs & SC_REC_TS))
		return;
	if (sc_seq_leq(rec->seq, s->acked) && sc_seq_geq(rec->tsval, s->ts_recent))
		s->ts_recent = rec->tsval;
}

/* Set RCV.NXT back to where the target really stands: a segment from nowhere had raised it. */
static void
resync(struct sc_replay *e, struct sc_session *s, uint32_t seq)
{
	uint32_t back = s->rcv_nxt - seq;

	C(e, ACK_RESYNC)++;
	C(e, ANSWER_SPAN_BACK) += back;
	C(e, ANSWER_SPAN_NOW) -= back;
	s->rcv_nxt = seq;
	s->flags &= ~SC_SESS_TARGET_FIN;
}

/* A segment that brings nothing new: a retransmission, a keepalive, a window probe, a late ACK. */
static void
old_segment(struct sc_replay *e, uint32_t si, const struct sc_record *rec)
{
	struct sc_session *s = session_at(e, si);

	C(e, ANSWER_DUPLICATE) += rec->len;
	if (rec->len == 0 && !(rec->flags & SC_TCP_FIN) && sc_seq_lt(rec->seq, s->rcv_nxt - 1)
			&& sc_seq_gt(rec->seq, s->irs) && sc_seq_gt(rec->ack, s->una)
			&& !has_flag(s, SC_SESS_TARGET_FIN))
		resync(e, s, rec->seq);
	else
		send_ack(e, si);
	ack_process(e, si, rec);
}

/* RCV.NXT goes n bytes on. What a connection has counts modulo 4 GB; each lap is accounted as ended. */
static void
span_grow(struct sc_replay *e, struct sc_session *s, uint32_t n)
{
	s->rcv_nxt += n;
	C(e, ANSWER_SPAN_NOW) += n;
	if (answer_bytes(s) < n) {
		C(e, ANSWER_SPAN) += 1ull << 32;
		C(e, ANSWER_SPAN_NOW) -= 1ull << 32;
	}
}

/*
 * New bytes, perhaps behind a hole, perhaps with a FIN. Returns whether to acknowledge at once. A FIN is
 * not: the client's own, which nearly always follows, acknowledges it; unless that has gone before.
 */
static bool
new_segment(struct sc_replay *e, struct sc_session *s, const struct sc_record *rec)
{
	uint32_t end = rec->seq + rec->len;
	uint32_t hole = sc_seq_gt(rec->seq, s->rcv_nxt) ? rec->seq - s->rcv_nxt : 0;
	uint32_t fresh = sc_seq_gt(end, s->rcv_nxt) ? end - s->rcv_nxt - hole : 0;

	/* A bare ACK beyond RCV.NXT: what is missing may be a FIN; only its resending can tell. */
	if (hole > 0 && rec->len == 0 && !(rec->flags & SC_TCP_FIN))
		return false;
	C(e, ANSWER_HOLE) += hole;
	C(e, ANSWER_NEW) += fresh;
	C(e, ANSWER_DUPLICATE) += rec->len - fresh;
	span_grow(e, s, hole + fresh);
	gate_answer(e, s, fresh);
	if (fresh > 0)
		s->quiet_us = e->now;
	if (fresh > 0)
		s->reopens = 0;
	s->unacked_segs += fresh > 0 ? SC_MAX(rec->segs & 0x7f, 1) : 0;
	if ((rec->flags & SC_TCP_FIN) && !has_flag(s, SC_SESS_TARGET_FIN)) {
		s->rcv_nxt++;
		s->flags |= SC_SESS_TARGET_FIN;
		if (s->state != SC_CONN_OPEN)
			return true;
	}
	return hole > 0 || is_ack_due(s);
}

/* Our FIN acknowledged, the target's received: what is left to wait for? */
static void
closing(struct sc_replay *e, uint32_t si)
{
	struct sc_session *s = session_at(e, si);

	if (s->state == SC_CONN_FIN_SENT && s->una == s->max) {
		s->state = SC_CONN_FIN_ACKED;
		gate_turn_over(e, s);
	}
	if (s->state != SC_CONN_FIN_ACKED)
		return;
	if (has_flag(s, SC_SESS_TARGET_FIN)) {
		if (s->acked != s->rcv_nxt)
			send_ack(e, si);
		session_complete(e, si, SC_R_CLOSED_FIN);
		return;
	}
	s->rto_us = e->now + (uint32_t)FIN_LINGER_US;
	s->flags |= SC_SESS_PERSIST;
}

void
on_segment(struct sc_replay *e, uint32_t si, const struct sc_record *rec)
{
	struct sc_session *s = session_at(e, si);
	uint32_t end = rec->seq + rec->len + (rec->flags & SC_TCP_FIN ? 1 : 0);
	bool at_once;

	if (!(rec->flags & SC_TCP_ACK)) { /* RFC 9293 section 3.10.7.4, fifth step */
		C(e, ANSWER_OUT_OF_WINDOW) += rec->len;
		return;
	}
	if (!is_ack_acceptable(s, rec) || sc_seq_geq(rec->seq, s->rcv_nxt + our_window(s))
			|| (has_flag(s, SC_SESS_TARGET_FIN) && sc_seq_gt(end, s->rcv_nxt))) {
		C(e, ANSWER_OUT_OF_WINDOW) += rec->len;
		challenge(e, si);
		timer_rearm(e, si);
		return;
	}
	keep_timestamp(s, rec);
	if (sc_seq_lt(rec->seq, s->rcv_nxt) && sc_seq_leq(end, s->rcv_nxt)) {
		old_segment(e, si, rec);
		at_once = false;
	} else {
		at_once = new_segment(e, s, rec);
		ack_process(e, si, rec);
	}
	if (s->state == SC_CONN_FIN_SENT || s->state == SC_CONN_FIN_ACKED)
		closing(e, si);
	if (s->state == SC_CONN_FREE)
		return;
	if (s->cur_nxt != SC_NONE) {
		session_send(e, si);
		if (s->state == SC_CONN_FREE || s->state == SC_CONN_SYN_SENT
				|| s->state == SC_CONN_BETWEEN)
			return;
	}
	if (s->acked != s->rcv_nxt)
		owe_ack(e, si, at_once);
	timer_rearm(e, si);
}

/* RST only at exactly RCV.NXT (RFC 5961 section 3.2). */
void
on_reset(struct sc_replay *e, uint32_t si, const struct sc_record *rec)
{
	struct sc_session *s = session_at(e, si);
	bool is_delivered;

	C(e, ANSWER_DUPLICATE) += rec->len;
	if (rec->seq != s->rcv_nxt) {
		challenge(e, si);
		timer_rearm(e, si);
		return;
	}
	/* A server that aborts says with its RST what it had received until then. */
	if (is_ack_acceptable(s, rec))
		ack_process(e, si, rec);
	is_delivered = s->una == s->max;
	/* A FIN that the RST crossed or answered: all data had been acknowledged before. */
	if (s->state == SC_CONN_FIN_ACKED || (s->state == SC_CONN_FIN_SENT && s->una == s->max - 1))
		is_delivered = true;
	if (s->state != SC_CONN_OPEN && is_delivered)
		session_complete(e, si, SC_R_CLOSED_RST_RECEIVED);
	else
		session_lost(e, si, SC_R_TARGET_RESET, SC_R_CLOSED_RST_RECEIVED);
}
