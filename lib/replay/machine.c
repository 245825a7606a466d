/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * machine: what a connection does on each event in each state. An empty cell is a counted refusal,
 * never an accident (RFC 9293 section 3.3.2, client side).
 */
#include "engine.h"

enum event {
	EV_SYNACK,
	EV_RST,
	EV_SEGMENT, /* ACK without SYN and RST, with or without payload and FIN */
	EV_RTO,
	EV_ACK_DUE,
	EV_GATE_DUE,
	EV_PERSIST_DUE,
	EV_COUNT
};

typedef void (*action_fn)(struct sc_replay *e, uint32_t si, const struct sc_record *rec);

/* The SYN was not answered in time. */
static void
act_syn_again(struct sc_replay *e, uint32_t si, const struct sc_record *rec)
{
	struct sc_session *s = session_at(e, si);
	uint32_t path = atomic_load_explicit(&target_of(e, s)->path->state, memory_order_relaxed);

	if (s->sent_us == 0 && !has_flag(s, SC_SESS_PROBER) && path == SC_PATH_PROBING) {
		s->rto_us = e->now + 20 * SC_US_PER_MS; /* a copy that waits for the prober */
		s->flags |= SC_SESS_RTO;
		return;
	}
	if (s->sent_us != 0)
		s->retries++;
	if (has_flag(s, SC_SESS_PROBER) && s->retries >= PROBER_SYNS_MAX) {
		path_unanswered(e, s);
		session_end(e, si, SC_R_TARGET_UNANSWERED, SC_R_CLOSED_UNOPENED);
		return;
	}
	if (s->retries > SYN_RETRIES_MAX || (s->sent_us == 0 && path == SC_PATH_CLOSED)) {
		session_end(e, si, SC_R_TARGET_UNANSWERED, SC_R_CLOSED_UNOPENED);
		return;
	}
	if (s->retries > 0)
		C(e, RTO_EXPIRED)++;
	syn_send(e, si);
}

static void
act_rto(struct sc_replay *e, uint32_t si, const struct sc_record *rec)
{
	rto_expired(e, si);
}

static void
act_ack(struct sc_replay *e, uint32_t si, const struct sc_record *rec)
{
	struct sc_session *s = session_at(e, si);

	session_send(e, si); /* with latency the handshake's ACK may have held data back */
	if (s->state == SC_CONN_FREE || s->state == SC_CONN_SYN_SENT || s->acked == s->rcv_nxt)
		return;
	if (send_ack(e, si))
		return;
	s->ack_us = e->now + RETRY_US;
	s->flags |= SC_SESS_ACK;
}

static void
act_push(struct sc_replay *e, uint32_t si, const struct sc_record *rec)
{
	session_send(e, si);
}

static void
act_persist(struct sc_replay *e, uint32_t si, const struct sc_record *rec)
{
	persist_expired(e, si);
}

/* The target keeps its half open although the client has long gone. */
static void
act_linger_over(struct sc_replay *e, uint32_t si, const struct sc_record *rec)
{
	session_complete(e, si, SC_R_CLOSED_FIN);
}

static const action_fn table[SC_CONN_COUNT][EV_COUNT] = {
		[SC_CONN_SYN_SENT] =
				{
						[EV_SYNACK] = on_established,
						[EV_RST] = on_refused,
						[EV_SEGMENT] = on_stale,
						[EV_RTO] = act_syn_again,
				},
		[SC_CONN_OPEN] =
				{
						[EV_SYNACK] = on_synack_again,
						[EV_RST] = on_reset,
						[EV_SEGMENT] = on_segment,
						[EV_RTO] = act_rto,
						[EV_ACK_DUE] = act_ack,
						[EV_GATE_DUE] = act_push,
						[EV_PERSIST_DUE] = act_persist,
				},
		[SC_CONN_FIN_SENT] =
				{
						[EV_SYNACK] = on_synack_again,
						[EV_RST] = on_reset,
						[EV_SEGMENT] = on_segment,
						[EV_RTO] = act_rto,
						[EV_ACK_DUE] = act_ack,
						[EV_GATE_DUE] = act_push,
						[EV_PERSIST_DUE] = act_persist,
				},
		[SC_CONN_FIN_ACKED] =
				{
						[EV_SYNACK] = on_synack_again,
						[EV_RST] = on_reset,
						[EV_SEGMENT] = on_segment,
						[EV_ACK_DUE] = act_ack,
						[EV_GATE_DUE] = act_push,
						[EV_PERSIST_DUE] = act_linger_over,
				},
		[SC_CONN_BETWEEN] =
				{
						[EV_GATE_DUE] = act_push,
				},
};

static void
machine_event(struct sc_replay *e, uint32_t si, enum event ev, const struct sc_record *rec)
{
	action_fn act = table[session_at(e, si)->state][ev];

	if (act != NULL) {
		act(e, si, rec);
		return;
	}
	C(e, ILLEGAL_EVENT)++;
	if (rec != NULL)
		C(e, ANSWER_OUT_OF_WINDOW) += rec->len;
}

void
machine_record(struct sc_replay *e, uint32_t si, const struct sc_record *rec)
{
	enum event ev = EV_SEGMENT;

	if (rec->flags & SC_TCP_RST)
		ev = EV_RST;
	else if (rec->flags & SC_TCP_SYN)
		ev = EV_SYNACK;
	if (session_at(e, si)->state == SC_CONN_SYN_SENT)
		C(e, ANSWER_OUT_OF_WINDOW) += rec->len;
	machine_event(e, si, ev, rec);
}

struct deadline {
	uint16_t flag;
	uint8_t event;
};

static const struct deadline deadlines[] = {
		{SC_SESS_RTO, EV_RTO},
		{SC_SESS_ACK, EV_ACK_DUE},
		{SC_SESS_GATE, EV_GATE_DUE},
		{SC_SESS_PERSIST, EV_PERSIST_DUE},
};

static uint32_t
deadline_at(const struct sc_session *s, uint16_t flag)
{
	switch (flag) {
	case SC_SESS_ACK:
		return s->ack_us;
	case SC_SESS_GATE:
		return s->gate_us;
	default:
		return s->rto_us;
	}
}

#define LAG_MAX_US ((int64_t)1800 * SC_US_PER_S) /* 32 bits of microseconds tell 35 minutes apart */

/*
 * How long may the segment at the cursor still wait? A mirror does not stand still: a session that
 * lags for ever would hold ever more. False: it does not lag, or nothing is to be shed.
 */
static bool
lag_left(const struct sc_replay *e, const struct sc_session *s, int64_t *left)
{
	const struct sc_held *h;

	if (s->cur_nxt == SC_NONE || e->cfg.is_file || e->cfg.max_lag_us == 0
			|| s->state == SC_CONN_SYN_SENT)
		return false;
	h = &e->t.held[s->cur_nxt];
	if (h->flags & SC_HELD_SYNTH)
		return false;
	*left = SC_MIN((int64_t)e->cfg.max_lag_us, LAG_MAX_US) - (int32_t)(e->now - h->cap_us);
	return true;
}

/* Queue the session's one wheel node for the earliest of its deadlines. */
void
timer_rearm(struct sc_replay *e, uint32_t si)
{
	const struct sc_session *s = session_at(e, si);
	int64_t left = INT32_MAX, lag;

	if (has_flag(s, SC_SESS_RTO | SC_SESS_PERSIST))
		left = (int32_t)(s->rto_us - e->now);
	if (has_flag(s, SC_SESS_ACK))
		left = SC_MIN(left, (int32_t)(s->ack_us - e->now));
	if (has_flag(s, SC_SESS_GATE))
		left = SC_MIN(left, (int32_t)(s->gate_us - e->now));
	if (lag_left(e, s, &lag))
		left = SC_MIN(left, lag);
	if (left == INT32_MAX)
		return;
	sc_wheel_arm(&e->t.wheel, si, e->now_us + (uint64_t)SC_MAX(left, 0));
}

/* A session's node came up: run what is due, queue it again for the rest. */
void
machine_timer(struct sc_replay *e, uint32_t si)
{
	int64_t lag;

	if (session_at(e, si)->state != SC_CONN_FREE && lag_left(e, session_at(e, si), &lag)
			&& lag <= 0) {
		session_abort(e, si, SC_R_SHED_LAG);
		return;
	}
	for (unsigned int i = 0; i < SC_ARRAY_SIZE(deadlines); i++) {
		struct sc_session *s = session_at(e, si);
		uint16_t flag = deadlines[i].flag;

		if (s->state == SC_CONN_FREE)
			return;
		if (!has_flag(s, flag) || !sc_us_is_due(deadline_at(s, flag), e->now))
			continue;
		s->flags &= ~flag;
		machine_event(e, si, deadlines[i].event, NULL);
	}
	if (session_at(e, si)->state != SC_CONN_FREE)
		timer_rearm(e, si);
}
