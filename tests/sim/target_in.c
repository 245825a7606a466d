/* SPDX-License-Identifier: BSD-3-Clause */
/* target_in: arriving segments (RFC 9293 section 3.10.7.4). */
#include <stdlib.h>
#include <string.h>

#include "target.h"

#define DELACK_US 40000

/* ---- reassembly ---- */

static void
keep(struct tconn *c, uint32_t off, const struct sc_seg *seg)
{
	uint32_t end = off + seg->payload_len;

	c->buf = sim_grow(c->buf, &c->room, end, 1);
	sc_packet_copy_payload(seg, 0, seg->payload_len, c->buf + off);
}

/* Note [from, to) as received; merges what touches. False: no place. */
static bool
note_range(struct tconn *c, uint32_t from, uint32_t to)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->nb_ooo; i++) {
		struct range r = c->ooo[i];

		if (r.to < from || r.from > to) {
			c->ooo[n++] = r;
			continue;
		}
		from = SC_MIN(from, r.from);
		to = SC_MAX(to, r.to);
	}
	c->nb_ooo = n;
	if (n == OOO_MAX)
		return false;
	c->ooo[c->nb_ooo++] = (struct range){from, to};
	return true;
}

/* Everything in order from `got` on. */
static void
advance(struct tconn *c)
{
	for (uint32_t i = 0; i < c->nb_ooo; i++) {
		if (c->ooo[i].from > c->got)
			continue;
		c->got = SC_MAX(c->got, c->ooo[i].to);
		c->ooo[i] = c->ooo[--c->nb_ooo];
		i = UINT32_MAX; /* from the start again */
	}
}

/* ---- checks of what the engine may send at all ---- */

static void
check_rules(struct sim *s, struct tconn *c, const struct sc_seg *seg)
{
	uint32_t most = s->cfg.target_mss - (c->has_ts ? 12 : 0);

	if (sc_seq_leq(seg->seq, c->irs)) /* late, of an older connection, or a probe */
		return;
	if (seg->payload_len > most)
		sim_fail(s, "a segment of %u bytes; the target's MSS leaves %u", seg->payload_len,
				most);
	if (c->has_ts != ((seg->opts & SC_OPT_TS) != 0) && !(seg->flags & SC_TCP_RST))
		sim_fail(s, "timestamps %s, and the segment has %s",
				c->has_ts ? "agreed" : "refused", c->has_ts ? "none" : "some");
	if (seg->payload_len > 0 && sc_seq_gt(seg->seq + seg->payload_len, c->edge_max))
		sim_fail(s, "data up to %u, but the window ended at %u",
				seg->seq + seg->payload_len, c->edge_max);
	/* After a restart, what it says may be meant for the life before. */
	if ((seg->flags & SC_TCP_ACK) && sc_seq_gt(seg->ack, c->max) && !s->target->has_restarted)
		sim_fail(s, "ACK %u of bytes that were never sent (%u)", seg->ack, c->max);
}

/* RFC 9293 section 3.10.7.4, first check. */
static bool
is_acceptable(const struct tconn *c, const struct sc_seg *seg)
{
	uint32_t len = seg->payload_len + ((seg->flags & SC_TCP_FIN) != 0);
	uint32_t wnd = c->edge - c->rcv_nxt;

	if (len == 0)
		return wnd == 0 ? seg->seq == c->rcv_nxt
				: sc_seq_geq(seg->seq, c->rcv_nxt) && sc_seq_lt(seg->seq, c->edge);
	if (wnd == 0)
		return false;
	return sc_seq_lt(seg->seq, c->edge) && sc_seq_gt(seg->seq + len, c->rcv_nxt);
}

/* ---- the rest of the segment ---- */

static void
take_fin(struct sim *s, struct tconn *c)
{
	c->rcv_nxt++;
	if (sc_seq_lt(c->edge, c->rcv_nxt))
		c->edge = c->rcv_nxt;
	if (c->flow != NULL) {
		bool is_end = c->pos == c->flow->script[CLIENT].bytes;

		c->flow->nb_fins += is_end;
		c->flow->nb_early_fins += !is_end;
	}
	switch (c->state) {
	case T_SYN_RCVD:
	case T_ESTABLISHED:
		c->state = T_CLOSE_WAIT;
		break;
	case T_FIN_WAIT_1:
		c->state = T_CLOSING;
		break;
	case T_FIN_WAIT_2:
		c->state = T_TIME_WAIT;
		c->rto_at = NEVER;
		c->wait_us = s->now_us + 60 * SC_US_PER_S;
		break;
	default:
		break;
	}
	c->unacked = 2;
}

static void
take_data(struct sim *s, struct tconn *c, const struct sc_seg *seg)
{
	uint32_t off = seg->seq - c->irs - 1, before = c->got;
	bool is_in_order = off <= c->got;

	if (sc_seq_lt(seg->seq, c->irs + 1)) /* begins in front of the stream: a probe */
		return;
	if (seg->payload_len > 0 && note_range(c, off, off + seg->payload_len))
		keep(c, off, seg);
	if ((seg->flags & SC_TCP_FIN) && !c->fin_seen) {
		c->fin_seen = true;
		c->fin_off = off + seg->payload_len;
	}
	advance(c);
	s->target_read += c->got - before;
	c->rcv_nxt = c->irs + 1 + c->got;
	if (c->got != before)
		align(s, c);
	if (c->fin_seen && c->got == c->fin_off)
		take_fin(s, c);
	if (!is_in_order || c->nb_ooo > 0 || c->got == before)
		c->unacked = 2;
	else
		c->unacked++;
	if (c->ack_us == NEVER)
		c->ack_us = s->now_us + DELACK_US;
}

static void
established(struct sim *s, struct tconn *c, const struct sc_seg *seg)
{
	if (!(seg->flags & SC_TCP_ACK) || seg->ack != c->iss + 1)
		return;
	c->state = T_ESTABLISHED;
	c->una = c->iss + 1;
	c->retries = 0;
	c->rto_at = NEVER;
	c->watch_max = c->irs + 1;
	c->wnd = (uint32_t)seg->wnd << c->snd_wscale;
}

static bool
on_reset(struct sim *s, struct tconn *c, const struct sc_seg *seg)
{
	if (!(seg->flags & SC_TCP_RST))
		return false;
	/* RFC 5961 section 3.2: exact, or a challenge. */
	if (seg->seq == c->rcv_nxt)
		conn_close(s, c);
	else if (sc_seq_gt(seg->seq, c->rcv_nxt) && sc_seq_lt(seg->seq, c->edge))
		conn_ack(s, c);
	return true;
}

static bool
is_old_timestamp(const struct tconn *c, const struct sc_seg *seg)
{
	return c->has_ts && (seg->opts & SC_OPT_TS) && sc_seq_lt(seg->tsval, c->ts_recent);
}

void
conn_segment(struct sim *s, struct tconn *c, const struct sc_seg *seg)
{
	if (c->is_silent || on_reset(s, c, seg))
		return;
	if (c->state == T_STALE || (seg->flags & SC_TCP_SYN)) {
		if (c->state == T_SYN_RCVD && seg->seq == c->irs)
			conn_answer(s, c, SC_TCP_SYN | SC_TCP_ACK, c->iss, 0);
		else
			conn_ack(s, c);
		return;
	}
	if (c->flow != NULL || c->state >= T_ESTABLISHED)
		check_rules(s, c, seg);
	if (!is_acceptable(c, seg) || is_old_timestamp(c, seg)) {
		bool is_ack = !is_old_timestamp(c, seg) && (seg->flags & SC_TCP_ACK)
				&& c->state >= T_ESTABLISHED && sc_seq_leq(seg->ack, c->max);

		conn_ack(s, c);
		/* With a closed window the ACK of a probe still counts (RFC 9293 3.10.7.4). */
		if (is_ack && c->edge == c->rcv_nxt)
			conn_acked(s, c, seg);
		return;
	}
	if (c->has_ts && sc_seq_leq(seg->seq, c->rcv_nxt))
		c->ts_recent = seg->tsval;
	if (c->state == T_SYN_RCVD)
		established(s, c, seg);
	if (c->state < T_ESTABLISHED || !(seg->flags & SC_TCP_ACK))
		return;
	conn_acked(s, c, seg);
	if (c->state == T_CLOSED)
		return;
	if (seg->payload_len > 0 || (seg->flags & SC_TCP_FIN))
		take_data(s, c, seg);
	app_read(s, c);
	app_run(s, c);
	conn_output(s, c);
	if (c->unacked >= 2)
		conn_ack(s, c);
}
