/* SPDX-License-Identifier: BSD-3-Clause */
/* target_out: what the target sends: answers, ACKs, windows, retransmissions (RFC 5681, 6298). */
#include <string.h>

#include "target.h"

#define RTO_MIN_US 200000ull
#define RETRIES_MAX 10

/* The window to offer: the right edge never moves left, and not by crumbs (RFC 9293 3.8.6.2.2). */
uint32_t
conn_window(const struct sim *s, const struct tconn *c)
{
	uint32_t unread = c->got - c->read;
	uint32_t free = s->cfg.target_buf > unread ? s->cfg.target_buf - unread : 0;
	uint32_t least = SC_MIN(s->cfg.target_buf / 2, (uint32_t)s->cfg.target_mss);
	uint32_t now = sc_seq_gt(c->edge, c->rcv_nxt) ? c->edge - c->rcv_nxt : 0;

	if (c->is_shut)
		return 0;
	if (free < now + least)
		free = now;
	return SC_MIN(free, 65535u << c->rcv_wscale);
}

static void
fill(struct sim *s, struct tconn *c, struct sc_record *rec)
{
	uint32_t shift = rec->flags & SC_TCP_SYN ? 0 : c->rcv_wscale;
	uint32_t wnd = rec->flags & SC_TCP_SYN ? SC_MIN(s->cfg.target_buf, 65535u)
					       : conn_window(s, c);

	/* Rounded up where rounding down would move the edge left. */
	rec->wnd = (uint16_t)SC_MIN((wnd + (1u << shift) - 1) >> shift, 65535u);
	if (c->state != T_STALE && sc_seq_gt(c->rcv_nxt + ((uint32_t)rec->wnd << shift), c->edge))
		c->edge = c->rcv_nxt + ((uint32_t)rec->wnd << shift);
	if (c->is_shut)
		c->edge = c->rcv_nxt;
	c->edge_max = rec->flags & SC_TCP_SYN ? c->edge : sc_seq_max(c->edge_max, c->edge);
	if (rec->wnd == 0 && c->state >= T_ESTABLISHED && (rec->flags & SC_TCP_ACK))
		sim_show(s,
				sc_seq_gt(c->sent_max, c->rcv_nxt) ? SHOWN_ZERO_FLIGHT
								   : SHOWN_ZERO_IDLE);
	if (c->has_ts) {
		rec->segs |= SC_REC_TS;
		rec->tsval = (uint32_t)(s->now_us / 1000) + 77777;
		rec->tsecr = c->ts_recent;
	}
	if (!(rec->flags & SC_TCP_SYN))
		return;
	rec->mss = s->cfg.target_mss;
	rec->syn_bits = SC_REC_MSS;
	if (s->cfg.target_wscale != 0xff && c->snd_wscale + c->rcv_wscale > 0) {
		rec->syn_bits |= SC_REC_WSCALE;
		rec->wscale = c->rcv_wscale;
	}
}

void
conn_answer(struct sim *s, struct tconn *c, uint8_t flags, uint32_t seq, uint32_t len)
{
	struct sc_record rec = {
			.client = c->addr,
			.port = c->port,
			.seq = seq,
			.ack = c->rcv_nxt,
			.len = (uint16_t)len,
			.flags = flags,
			.segs = 1,
	};

	if (has_fault(s, F(T_SILENT)) && s->now_us >= s->cfg.event_us)
		return;
	fill(s, c, &rec);
	c->unacked = 0;
	c->ack_us = NEVER;
	s->returned++;
	sim_trace(s, "    target says :%u%s%s%s seq %u ack %u len %u wnd %u", c->port,
			flags & SC_TCP_SYN ? " SYN" : "", flags & SC_TCP_FIN ? " FIN" : "",
			flags & SC_TCP_RST ? " RST" : "", seq, rec.ack, len, rec.wnd);
	path_to_engine(s, &rec);
}

void
conn_ack(struct sim *s, struct tconn *c)
{
	c->ack_us = NEVER;
	conn_answer(s, c, SC_TCP_ACK, c->max, 0);
}

void
conn_reset(struct sim *s, struct tconn *c)
{
	conn_answer(s, c, SC_TCP_RST | SC_TCP_ACK, c->nxt, 0);
	conn_close(s, c);
}

void
conn_close(struct sim *s, struct tconn *c)
{
	c->state = T_CLOSED;
	c->rto_at = c->ack_us = c->ready_us = c->read_us = c->wait_us = NEVER;
}

/* RFC 9293 section 3.10.7.1. */
void
answer_unknown(struct sim *s, const struct sc_seg *seg)
{
	struct sc_record rec = {
			.client = seg->src, .port = seg->sport, .flags = SC_TCP_RST, .segs = 1};

	if (seg->flags & SC_TCP_RST)
		return;
	if (seg->flags & SC_TCP_ACK) {
		rec.seq = seg->ack;
	} else {
		rec.flags |= SC_TCP_ACK;
		rec.ack = seg->seq + seg->payload_len + ((seg->flags & SC_TCP_SYN) != 0)
				+ ((seg->flags & SC_TCP_FIN) != 0);
	}
	s->returned++;
	sim_trace(s, "    target says :%u RST to a stranger", seg->sport);
	path_to_engine(s, &rec);
}

/* ---- data ---- */

static uint32_t
end_of_data(const struct tconn *c)
{
	return c->iss + 1 + c->app_end;
}

static void
arm_rto(struct sim *s, struct tconn *c)
{
	c->rto_at = c->una == c->max ? NEVER : s->now_us + (c->rto_us << SC_MIN(c->backoff, 8));
}

static void
send_fin(struct sim *s, struct tconn *c)
{
	conn_answer(s, c, SC_TCP_FIN | SC_TCP_ACK, c->nxt, 0);
	c->nxt++;
	c->max = sc_seq_max(c->max, c->nxt);
	c->fin_sent = true;
	if (c->state == T_ESTABLISHED)
		c->state = T_FIN_WAIT_1;
	else if (c->state == T_CLOSE_WAIT)
		c->state = T_LAST_ACK;
}

void
conn_output(struct sim *s, struct tconn *c)
{
	if (c->state < T_ESTABLISHED || c->state == T_TIME_WAIT || c->state == T_FIN_WAIT_2)
		return;
	while (sc_seq_lt(c->nxt, end_of_data(c))) {
		uint32_t flight = c->nxt - c->una, win = SC_MIN(c->wnd, c->cwnd);
		uint32_t n = SC_MIN(end_of_data(c) - c->nxt, (uint32_t)c->mss);

		if (flight + n > win && !(flight == 0 && win > 0))
			break;
		n = SC_MIN(n, SC_MAX(win, 1u));
		conn_answer(s, c, SC_TCP_ACK | SC_TCP_PSH, c->nxt, n);
		if (!c->is_timed && c->nxt == c->max) {
			c->is_timed = true;
			c->timed_seq = c->nxt;
			c->timed_us = s->now_us;
		}
		c->nxt += n;
		c->max = sc_seq_max(c->max, c->nxt);
	}
	if (c->fin_queued && c->nxt == end_of_data(c))
		send_fin(s, c);
	if (c->rto_at == NEVER)
		arm_rto(s, c);
	conn_arm(s, c);
}

/* ---- acknowledgements ---- */

static void
sample(struct sim *s, struct tconn *c)
{
	uint64_t r = s->now_us - c->timed_us;
	uint64_t dev = r > c->srtt_us ? r - c->srtt_us : c->srtt_us - r;

	c->is_timed = false;
	c->backoff = 0;
	if (c->srtt_us == 0) {
		c->srtt_us = r;
		c->rttvar_us = r / 2;
	} else {
		c->rttvar_us = (3 * c->rttvar_us + dev) / 4;
		c->srtt_us = (7 * c->srtt_us + r) / 8;
	}
	/* As Linux: an RTT that does not vary must not make the timeout just as long. */
	c->rto_us = c->srtt_us + SC_MAX(4 * c->rttvar_us, RTO_MIN_US);
}

static void
fin_acked(struct sim *s, struct tconn *c)
{
	if (c->state == T_FIN_WAIT_1) {
		c->state = T_FIN_WAIT_2;
	} else if (c->state == T_CLOSING) {
		c->state = T_TIME_WAIT;
		c->wait_us = s->now_us + 60 * SC_US_PER_S;
	} else if (c->state == T_LAST_ACK) {
		conn_close(s, c);
	}
}

static void
resend(struct sim *s, struct tconn *c)
{
	uint32_t rest = end_of_data(c) - c->una;

	c->is_timed = false;
	if (c->una == end_of_data(c) && c->fin_sent)
		conn_answer(s, c, SC_TCP_FIN | SC_TCP_ACK, c->una, 0);
	else if (rest > 0)
		conn_answer(s, c, SC_TCP_ACK, c->una,
				SC_MIN(SC_MIN(rest, (uint32_t)c->mss), c->max - c->una));
}

static void
grow(struct tconn *c, uint32_t acked)
{
	if (c->cwnd < c->ssthresh)
		c->cwnd += SC_MIN(acked, (uint32_t)c->mss);
	else
		c->cwnd += SC_MAX((uint32_t)c->mss * c->mss / c->cwnd, 1u);
}

static void
new_ack(struct sim *s, struct tconn *c, uint32_t ack)
{
	if (c->is_timed && sc_seq_gt(ack, c->timed_seq))
		sample(s, c);
	grow(c, ack - c->una);
	c->una = ack;
	if (sc_seq_lt(c->nxt, c->una))
		c->nxt = c->una;
	c->retries = 0;
	c->dup_acks = 0;
	if (c->in_recovery && sc_seq_lt(ack, c->recover)) {
		resend(s, c);
	} else if (c->in_recovery) {
		c->in_recovery = false;
		c->cwnd = c->ssthresh;
	}
	arm_rto(s, c);
	if (c->fin_sent && ack == end_of_data(c) + 1)
		fin_acked(s, c);
}

void
conn_acked(struct sim *s, struct tconn *c, const struct sc_seg *seg)
{
	uint32_t wnd = (uint32_t)seg->wnd << c->snd_wscale;

	if (sc_seq_gt(seg->ack, c->una)) {
		new_ack(s, c, seg->ack);
	} else if (seg->ack == c->una && c->una != c->max && seg->payload_len == 0 && wnd == c->wnd
			&& !(seg->flags & SC_TCP_FIN)) {
		if (++c->dup_acks == 3 && !c->in_recovery) {
			c->in_recovery = true;
			c->recover = c->max;
			c->ssthresh = SC_MAX((c->max - c->una) / 2, 2u * c->mss);
			c->cwnd = c->ssthresh;
			resend(s, c);
		}
	}
	c->wnd = wnd;
}

void
conn_rto(struct sim *s, struct tconn *c)
{
	c->rto_at = NEVER;
	c->backoff++;
	if (c->retries++ >= RETRIES_MAX) {
		conn_close(s, c);
		return;
	}
	if (c->state == T_SYN_RCVD) {
		conn_answer(s, c, SC_TCP_SYN | SC_TCP_ACK, c->iss, 0);
	} else if (c->una != c->max) {
		c->ssthresh = SC_MAX((c->max - c->una) / 2, 2u * c->mss);
		c->cwnd = c->mss;
		c->in_recovery = false;
		resend(s, c);
	}
	if (c->state != T_CLOSED)
		arm_rto(s, c);
}
