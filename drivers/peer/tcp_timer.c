/* SPDX-License-Identifier: BSD-3-Clause */
/* Round-trip time and deadlines: RFC 6298, and RFC 9293 section 3.8.6.1 for closed windows. */
#include "conn.h"

#define RTO_MIN_US 200000u
#define RTO_MAX_US 60000000u
#define SYN_ACK_TRIES 5u
#define DATA_TRIES 10u
#define PERSIST_SHIFT_MAX 6u

void
tcp_rtt(struct conn *c, uint64_t rtt_us)
{
	uint32_t r = (uint32_t)SC_MIN(rtt_us, RTO_MAX_US);
	uint32_t err = r > c->srtt_us ? r - c->srtt_us : c->srtt_us - r;

	if (c->srtt_us == 0) {
		c->srtt_us = SC_MAX(r, 1u);
		c->rttvar_us = r / 2;
	} else {
		c->rttvar_us = c->rttvar_us - c->rttvar_us / 4 + err / 4;
		c->srtt_us = SC_MAX(c->srtt_us - c->srtt_us / 8 + r / 8, 1u);
	}
	c->rto_us = SC_CLAMP(c->srtt_us + 4 * c->rttvar_us, RTO_MIN_US, RTO_MAX_US);
}

/* Something waits, nothing is under way, and the client lets nothing in. */
static bool
is_shut_out(const struct conn *c)
{
	return c->limit > c->max_off && c->snd_wnd == 0;
}

void
tcp_arm_rtx(struct sc_peer *p, struct conn *c, uint64_t now)
{
	uint64_t wait = c->rto_us;

	if (c->state != CONN_SYN_RCVD && c->una_off == c->max_off) {
		c->is_persist = is_shut_out(c);
		if (!c->is_persist)
			c->rtx_us = 0;
	}
	if (c->is_persist)
		wait = SC_MIN(wait << SC_MIN(c->nb_retries, PERSIST_SHIFT_MAX), RTO_MAX_US);
	if (c->rtx_us == 0
			&& (c->state == CONN_SYN_RCVD || c->una_off < c->max_off || c->is_persist))
		c->rtx_us = now + wait;
	conn_rearm(p, c);
}

static void
rtx_lost(struct conn *c)
{
	/* RFC 5681 section 3.1: only the first time. */
	if (c->nb_retries == 0)
		c->ssthresh = SC_MAX((uint32_t)(c->max_off - c->una_off) / 2, 2 * c->mss);
	c->cwnd = c->mss;
	c->nxt_off = c->una_off;
	c->recover = c->max_off;
	c->is_recovering = c->want_rexmit = false;
	c->nb_dup = 0;
}

/* False: the connection is gone. */
static bool
rtx_expired(struct sc_peer *p, struct conn *c, uint64_t now)
{
	c->rtx_us = 0;
	c->timed_us = 0; /* Karn: what was sent twice is not timed */
	if (c->state == CONN_SYN_RCVD) {
		if (c->nb_retries == SYN_ACK_TRIES) {
			conn_free(p, c);
			return false;
		}
		c->want_syn_ack = true;
	} else if (c->snd_wnd == 0) {
		c->is_persist = true;
		c->want_probe = true;
	} else if (c->nb_retries == DATA_TRIES) {
		tcp_abort(p, c, now);
		return false;
	} else {
		rtx_lost(c);
	}
	if (!c->is_persist)
		c->rto_us = SC_MIN(c->rto_us * 2, RTO_MAX_US);
	if (c->nb_retries < UINT8_MAX)
		c->nb_retries++;
	conn_ready(p, c);
	return true;
}

void
tcp_timers(struct sc_peer *p, struct conn *c, uint64_t now)
{
	if (c->life_us != 0 && c->life_us <= now) {
		conn_free(p, c);
		return;
	}
	if (c->ack_us != 0 && c->ack_us <= now) {
		c->ack_us = 0;
		c->want_ack = true;
		conn_ready(p, c);
	}
	if (c->zero_us != 0 && c->zero_us <= now) {
		c->zero_us = 0;
		c->zero_idx++;
		c->want_ack = true;
		conn_ready(p, c);
	}
	if (c->rtx_us != 0 && c->rtx_us <= now && !rtx_expired(p, c, now))
		return;
	conn_rearm(p, c);
}
