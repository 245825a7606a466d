/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gate: when may the next turn leave? C is the segment that waits, A its ACK number counted from
 * production's first byte, rx the target's bytes so far, delta the running difference between both.
 * d = rx - (A + delta): at 0 the target has answered exactly what the client had seen.
 */
#include "engine.h"

#define Q1_MIN_US (20 * SC_US_PER_MS)
#define Q1_MAX_US (1 * SC_US_PER_S)
#define LONGER_MAX_US (5 * SC_US_PER_S)
#define Q2_MAX_US (2 * SC_US_PER_S)
#define T0_MIN_US (5 * SC_US_PER_S)
#define T0_MAX_US (30 * SC_US_PER_S)
#define LEARN_MIN 20
#define LEARN_MAX 1024
#define STRIKES 2
#define AHEAD_MAX_US (64 * SC_US_PER_S)
#define SLEEP_MAX_US (1000 * SC_US_PER_S) /* then it is looked at again */

/* ---- what is learned of a target: the longest pause inside its answers ---- */

static void
learn_pause(struct learned *l, uint32_t ms)
{
	uint32_t sum = 0;
	unsigned int b = ms == 0 ? 0 : 32 - (unsigned int)__builtin_clz(ms);

	if (l->total >= LEARN_MAX) {
		l->total = 0;
		for (unsigned int i = 0; i < SC_ARRAY_SIZE(l->bucket); i++) {
			l->bucket[i] /= 2;
			l->total += l->bucket[i];
		}
	}
	l->bucket[SC_MIN(b, (unsigned int)SC_ARRAY_SIZE(l->bucket) - 1)]++;
	l->total++;
	if (l->total < LEARN_MIN)
		return;
	for (b = 0; b < SC_ARRAY_SIZE(l->bucket); b++) {
		sum += l->bucket[b];
		if (sum * 100 >= l->total * 95u)
			break;
	}
	l->g_us = b == 0 ? 0 : (uint32_t)(SC_US_PER_MS << b);
}

static void
note_pause(struct sc_session *s, uint32_t ms)
{
	s->pause_ms = SC_MAX(s->pause_ms, (uint16_t)SC_MIN(ms, (uint32_t)UINT16_MAX));
}

/* New answer bytes have come. */
void
gate_answer(struct sc_replay *e, struct sc_session *s, uint32_t len)
{
	if (len == 0)
		return;
	if (!has_flag(s, SC_SESS_ANSWERED)) {
		s->flags |= SC_SESS_ANSWERED | SC_SESS_HEARD;
		s->pause_ms = 0;
		s->strikes = 0;
		if (has_flag(s, SC_SESS_TURN)) {
			C(e, TURNS_ANSWERED)++;
			sc_hist_add(&e->hist_target, e->now - s->sent_us);
		}
	} else if (e->now - s->resp_us >= SC_US_PER_MS) {
		note_pause(s, (e->now - s->resp_us) / (uint32_t)SC_US_PER_MS);
	}
	s->resp_us = e->now;
}

/* The answer of the current turn is over. */
void
gate_turn_over(struct sc_replay *e, struct sc_session *s)
{
	if (has_flag(s, SC_SESS_ANSWERED))
		learn_pause(&e->learned[s->target], s->pause_ms);
	s->flags &= ~(SC_SESS_ANSWERED | SC_SESS_AT_ZERO | SC_SESS_TURN);
}

/* ---- the rule ---- */

/*
 * Has `wait` passed since then? `since` may be ahead by what an ACK is held back. A session may have
 * been idle for longer than a signed difference of 32 bits of microseconds can tell (35 minutes).
 */
static bool
is_over(const struct sc_replay *e, uint32_t since, uint32_t wait)
{
	uint32_t gone = e->now - since;

	return gone <= UINT32_MAX - AHEAD_MAX_US && gone >= wait;
}

static bool
wait_until(const struct sc_replay *e, struct sc_session *s, uint32_t due)
{
	s->gate_us = e->now + SC_MIN(due - e->now, (uint32_t)SLEEP_MAX_US);
	s->flags |= SC_SESS_GATE;
	return false;
}

/* Production's time of `us`, at the speed of the replay. */
static uint32_t
scaled(const struct sc_replay *e, uint32_t us)
{
	return e->cfg.speed == 0 ? 0 : (uint32_t)((double)us / e->cfg.speed);
}

/* d of what waits: answer bytes beyond what the client had seen when it sent h. */
static int32_t
surplus(const struct sc_replay *e, const struct sc_session *s, const struct sc_held *h)
{
	return (int32_t)(answer_bytes(s) - (h->ack - flow_of(e, s)->prod_base) - s->delta);
}

static void
count_release(struct sc_replay *e, enum gate_case why)
{
	static const uint16_t counters[] = {
			[GATE_EXACT] = SC_C_GATE_EXACT,
			[GATE_LONGER] = SC_C_GATE_LONGER,
			[GATE_SHORTER] = SC_C_GATE_SHORTER,
			[GATE_DUPLEX] = SC_C_GATE_DUPLEX,
			[GATE_TIMEOUT] = SC_C_GATE_TIMEOUT,
			[GATE_TIME] = SC_C_GATE_TIME,
	};

	if (why != GATE_NONE)
		e->st->c[counters[why]]++;
}

/* A turn that begins at `ack` goes; the one before is over. */
void
gate_release(struct sc_replay *e, struct sc_session *s, uint32_t ack, enum gate_case why)
{
	count_release(e, why);
	gate_turn_over(e, s);
	s->base = ack;
	s->flags &= ~(SC_SESS_GATE | SC_SESS_HEARD);
}

static bool
release(struct sc_replay *e, struct sc_session *s, const struct sc_held *h, enum gate_case why)
{
	if (why == GATE_LONGER || why == GATE_SHORTER || why == GATE_TIMEOUT)
		s->delta += (uint32_t)surplus(e, s, h);
	gate_release(e, s, h->ack, why);
	return true;
}

/* The answer is there; with latency or think time the client would still have waited. */
static bool
release_paced(struct sc_replay *e, struct sc_session *s, const struct sc_held *h,
		enum gate_case why)
{
	uint32_t wait = latency_us(e, s);

	if (e->cfg.pace_think && h->think_us != 0)
		wait += scaled(e, h->think_us);
	if (has_flag(s, SC_SESS_ANSWERED) && !is_over(e, s->resp_us, wait))
		return wait_until(e, s, s->resp_us + wait);
	return release(e, s, h, why);
}

/* Production's own spacing: for `gate: time`, and for a target that does not answer any more. */
static bool
pass_by_time(struct sc_replay *e, struct sc_session *s, const struct sc_held *h)
{
	/* Below 0: it was captured late, behind what it should have come before. */
	int32_t gap = (int32_t)(h->cap_us - s->last_cap_us);
	uint32_t wait = scaled(e, (uint32_t)SC_MAX(gap, 0));

	if (!is_over(e, s->sent_us, wait))
		return wait_until(e, s, s->sent_us + wait);
	return release(e, s, h, GATE_TIME);
}

/*
 * Since when is the target quiet? Not while bytes of ours are on their way: their answer may be to
 * come. Nor while we owe it an ACK that latency holds back: it may be waiting for just that.
 */
static uint32_t
quiet_since(const struct sc_replay *e, const struct sc_session *s)
{
	if (s->una != s->max)
		return e->now;
	if (latency_us(e, s) == 0 || s->acked == s->rcv_nxt)
		return s->quiet_us;
	return has_flag(s, SC_SESS_ACK) ? sc_us_later(s->ack_us, e->now) : e->now;
}

/* When did d first reach 0 or more in this turn? Now, if not before. To 256 us, and below. */
static uint32_t
zero_us(const struct sc_replay *e, struct sc_session *s)
{
	uint32_t now = e->now >> SC_ZERO_SHIFT;

	if (!has_flag(s, SC_SESS_AT_ZERO)) {
		s->flags |= SC_SESS_AT_ZERO;
		s->zero = (uint16_t)now;
	}
	return (now - (uint16_t)(now - s->zero)) << SC_ZERO_SHIFT;
}

static bool
pass_longer(struct sc_replay *e, struct sc_session *s, const struct sc_held *h)
{
	uint32_t g = e->learned[s->target].g_us;
	uint32_t q1 = SC_CLAMP(
			2 * SC_MAX(h->pause_us, g), (uint32_t)Q1_MIN_US, (uint32_t)Q1_MAX_US);
	uint32_t since = quiet_since(e, s), last = zero_us(e, s) + LONGER_MAX_US;

	if (is_over(e, since, q1) || is_over(e, last, 0))
		return release_paced(e, s, h, GATE_LONGER);
	if (sc_us_is_due(last, since + q1))
		return wait_until(e, s, last);
	return wait_until(e, s, since + q1);
}

static bool
pass_shorter(struct sc_replay *e, struct sc_session *s, const struct sc_held *h)
{
	uint32_t g = e->learned[s->target].g_us;
	uint32_t pause = SC_MIN(h->pause_us, (uint32_t)Q2_MAX_US);
	uint32_t q2 = SC_MAX(2 * pause, 4 * SC_MIN(g, (uint32_t)Q2_MAX_US));
	uint32_t since = quiet_since(e, s);

	q2 = SC_CLAMP(q2, e->cfg.gate_quiet_min_us,
			SC_MAX((uint32_t)Q2_MAX_US, e->cfg.gate_quiet_min_us));
	if (is_over(e, since, q2))
		return release_paced(e, s, h, GATE_SHORTER);
	return wait_until(e, s, since + q2);
}

static bool
pass_silent(struct sc_replay *e, struct sc_session *s, const struct sc_held *h)
{
	uint32_t l = SC_MIN(h->first_us, (uint32_t)T0_MAX_US / 10);
	uint32_t t0 = SC_CLAMP(10 * l, (uint32_t)T0_MIN_US, (uint32_t)T0_MAX_US);

	if (s->strikes >= STRIKES)
		return pass_by_time(e, s, h);
	if (s->una != s->max)
		return false;             /* the retransmission timer runs */
	if (!is_over(e, s->quiet_us, t0)) /* no byte came: since all of ours were acknowledged */
		return wait_until(e, s, s->quiet_us + t0);
	s->strikes++;
	return release(e, s, h, GATE_TIMEOUT);
}

/*
 * The target closed, and h opens the next connection. What came until then tells whether it answered
 * all it was asked: bytes behind its last answer were acknowledged, and nobody read them.
 */
void
gate_closed(struct sc_replay *e, const struct sc_session *s, const struct sc_held *h)
{
	int32_t d = surplus(e, s, h);

	count_release(e, d == 0 ? GATE_EXACT : d > 0 ? GATE_LONGER : GATE_SHORTER);
}

/*
 * A message that a hole has cut off is not answered. May its connection end now? Requests before it,
 * in the same turn, are answered until the target is quiet.
 */
bool
gate_torn(struct sc_replay *e, struct sc_session *s)
{
	uint32_t since = quiet_since(e, s);

	if (is_over(e, since, e->cfg.gate_quiet_min_us))
		return true;
	return wait_until(e, s, since + e->cfg.gate_quiet_min_us);
}

/*
 * May the held segment at the session's cursor leave now? If not, a gate deadline is armed where
 * time alone can change that.
 */
bool
gate_pass(struct sc_replay *e, uint32_t si, const struct sc_held *h)
{
	struct sc_session *s = session_at(e, si);
	int32_t d;

	if (sc_seq_leq(h->ack, s->base))
		return true;
	if (e->cfg.gate == SC_REPLAY_GATE_OFF)
		return release(e, s, h, GATE_NONE);
	if (e->cfg.gate == SC_REPLAY_GATE_TIME)
		return pass_by_time(e, s, h);
	d = surplus(e, s, h);
	if (d >= 0 && (h->flags & SC_HELD_DUPLEX))
		return release(e, s, h, GATE_DUPLEX);
	if (d == 0)
		return release_paced(e, s, h, GATE_EXACT);
	if (d > 0 && h->kind == SC_HELD_RST)
		return release(e, s, h, GATE_LONGER);
	if (has_flag(s, SC_SESS_TARGET_FIN)) /* no more will come */
		return release(e, s, h, d > 0 ? GATE_LONGER : GATE_SHORTER);
	if (d > 0)
		return pass_longer(e, s, h);
	/* In the turn, or in all: with pipelined requests a fast target answers ahead of production. */
	if (has_flag(s, SC_SESS_HEARD) || (int32_t)((uint32_t)d + s->delta) >= 0)
		return pass_shorter(e, s, h);
	return pass_silent(e, s, h);
}
