/* SPDX-License-Identifier: BSD-3-Clause */
/* What the client acknowledges: the congestion window, the send window, round trips. */
#include "conn.h"

#define DUP_ACKS 3u

/* RFC 5681 section 3.1, RFC 6582 section 3.2. */
static void
congestion_acked(struct conn *c, uint32_t acked)
{
	c->nb_dup = 0;
	if (c->is_recovering && c->una_off < c->recover) {
		c->want_rexmit = true; /* a partial ACK: the next hole */
		c->cwnd -= SC_MIN(c->cwnd - c->mss, acked);
		c->cwnd += acked >= c->mss ? c->mss : 0;
		return;
	}
	if (c->is_recovering) {
		c->is_recovering = false;
		c->cwnd = c->ssthresh;
		return;
	}
	if (c->cwnd < c->ssthresh)
		c->cwnd += SC_MIN(acked, c->mss);
	else
		c->cwnd += SC_MAX(c->mss * c->mss / c->cwnd, 1u);
	c->cwnd = SC_MIN(c->cwnd, PEER_CWND_MAX);
}

static void
duplicate_ack(struct sc_peer *p, struct conn *c)
{
	c->nb_dup++;
	if (c->is_recovering) {
		c->cwnd = SC_MIN(c->cwnd + c->mss, PEER_CWND_MAX);
	} else if (c->nb_dup == DUP_ACKS && c->una_off >= c->recover) {
		c->is_recovering = true;
		c->recover = c->max_off;
		c->ssthresh = SC_MAX((uint32_t)(c->max_off - c->una_off) / 2, 2 * c->mss);
		c->cwnd = c->ssthresh + DUP_ACKS * c->mss;
		c->want_rexmit = true;
	}
	conn_ready(p, c);
}

void
tcp_measure(struct conn *c, const struct sc_seg *seg, uint64_t now)
{
	uint32_t ms;

	if (c->has_ts && (seg->opts & SC_OPT_TS) != 0) {
		ms = tcp_tsval(c, now) - seg->tsecr;
		if (ms < 600000)
			tcp_rtt(c, (uint64_t)ms * SC_US_PER_MS);
	} else if (c->timed_us != 0 && c->una_off >= c->timed_off) {
		tcp_rtt(c, now - c->timed_us);
		c->timed_us = 0;
	}
}

/* SND.UNA moves. False: the connection is gone. */
static bool
ack_advances(struct sc_peer *p, struct conn *c, const struct sc_seg *seg, uint64_t now)
{
	uint32_t acked = seg->ack - tcp_seq_of(c, c->una_off);
	uint64_t end = c->end, old = c->una_off;

	c->una_off += acked;
	c->nxt_off = SC_MAX(c->nxt_off, c->una_off);
	p->stats.bytes_out += SC_MIN(c->una_off, end) - SC_MIN(old, end);
	c->nb_retries = 0;
	tcp_measure(c, seg, now);
	congestion_acked(c, acked);
	c->rtx_us = 0;
	tcp_arm_rtx(p, c, now);
	conn_ready(p, c);
	if (c->una_off <= end)
		return true;
	return conn_event(p, c, CONN_EV_FIN_ACKED, now) != CONN_CLOSED;
}

static void
update_window(struct sc_peer *p, struct conn *c, const struct sc_seg *seg, uint64_t now)
{
	uint32_t old = c->snd_wnd;

	if (!sc_seq_lt(c->snd_wl1, seg->seq)
			&& !(c->snd_wl1 == seg->seq && sc_seq_leq(c->snd_wl2, seg->ack)))
		return;
	c->snd_wnd = (uint32_t)seg->wnd << c->snd_ws;
	c->max_wnd = SC_MAX(c->max_wnd, c->snd_wnd);
	c->snd_wl1 = seg->seq;
	c->snd_wl2 = seg->ack;
	if (c->snd_wnd == old)
		return;
	if (c->is_persist && c->snd_wnd > 0) {
		c->is_persist = false;
		c->nxt_off = c->una_off; /* a probe's byte was not taken */
		c->rtx_us = 0;
		tcp_arm_rtx(p, c, now);
	}
	conn_ready(p, c);
}

/* False: drop the segment (or the connection is gone). */
bool
tcp_acks(struct sc_peer *p, struct conn *c, const struct sc_seg *seg, uint64_t now)
{
	int32_t ahead = (int32_t)(seg->ack - tcp_seq_of(c, c->una_off));
	bool is_dup;

	/* RFC 5961 section 5. */
	if (ahead > (int64_t)(c->max_off - c->una_off) || ahead < -(int64_t)c->max_wnd) {
		tcp_challenge(p, c, now);
		return false;
	}
	is_dup = ahead == 0 && c->max_off > c->una_off && tcp_seg_len(seg) == 0
			&& (uint32_t)seg->wnd << c->snd_ws == c->snd_wnd;
	if (ahead > 0 && !ack_advances(p, c, seg, now))
		return false;
	if (is_dup && !c->is_persist)
		duplicate_ack(p, c);
	if (ahead >= 0)
		update_window(p, c, seg, now);
	return true;
}
