/* SPDX-License-Identifier: BSD-3-Clause */
/* Segments from the client, in the order of RFC 9293 section 3.10.7. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"

#define CHALLENGE_US 50000u /* RFC 5961 section 10: how often a stray segment gets an ACK */
#define DELACK_US 40000u
#define RTO_START_US 1000000u
#define RTO_AFTER_SYN_US 3000000u
#define IW_SEGMENTS 10u /* RFC 6928 */
#define MSS_DEFAULT_V4 536u
#define MSS_DEFAULT_V6 1220u /* RFC 9293 section 3.7.1 */
#define MSS_MIN 64u
#define TS_OPTION 12u
#define DUP_ACKS 3u

/* ---- LISTEN ---- */

static uint64_t
secret_hash(const struct sc_peer *p, const struct conn *c, uint64_t salt)
{
	struct sc_rng r;

	sc_rng_seed(&r, p->cfg.seed ^ c->hash ^ ((uint64_t)c->irs << 17) ^ salt);
	(void)sc_rng_next(&r);
	return sc_rng_next(&r);
}

/* RFC 9293 section 3.7.1, RFC 6691: the options of a data segment come out of the MSS. */
static uint32_t
payload_mss(const struct sc_peer *p, const struct conn *c, const struct sc_seg *seg)
{
	bool is_v4 = sc_addr_is_v4(&c->client);
	uint32_t mss = is_v4 ? MSS_DEFAULT_V4 : MSS_DEFAULT_V6;

	if ((seg->opts & SC_OPT_MSS) != 0)
		mss = SC_MAX(seg->mss, MSS_MIN);
	mss = SC_MIN(mss, is_v4 ? PEER_MSS_V4 : PEER_MSS_V6);
	if (c->has_ts)
		mss -= TS_OPTION;
	return SC_MIN(mss, p->mss_max);
}

/*
 * A scale of 7, unless the window is so small that it could not be told exactly; then all that is
 * advertised is a multiple of the scale, so that the right edge never has to move left.
 */
static void
choose_window(const struct sc_peer *p, struct conn *c)
{
	uint32_t wnd = p->cfg.impair.window != 0 ? p->cfg.impair.window : 65535;

	c->rcv_ws = c->has_ws && wnd >= 4096 ? 7 : 0;
	c->rcv_wnd = SC_MIN(wnd >> c->rcv_ws, 65535u) << c->rcv_ws;
}

static void
open_conn(struct sc_peer *p, struct conn *c, const struct sc_seg *seg, uint64_t now)
{
	tcp_l2_of(p, seg->mbuf, &c->l2);
	c->irs = seg->seq;
	c->rcv_nxt = c->rcv_edge = c->last_ack_sent = seg->seq + 1;
	c->has_ts = (seg->opts & SC_OPT_TS) != 0;
	c->has_ws = (seg->opts & SC_OPT_WSCALE) != 0;
	c->snd_ws = c->has_ws ? seg->wscale : 0;
	c->ts_recent = seg->tsval;
	c->ts_off = (uint32_t)secret_hash(p, c, 1);
	c->iss = (uint32_t)secret_hash(p, c, 0);
	c->mss = payload_mss(p, c, seg);
	c->snd_wnd = c->max_wnd = seg->wnd; /* RFC 7323 section 2.2: not scaled in a SYN */
	c->cwnd = IW_SEGMENTS * c->mss;
	c->ssthresh = UINT32_MAX;
	c->rto_us = RTO_START_US;
	choose_window(p, c);
	c->want_syn_ack = true;
	c->timed_us = now;
	tcp_arm_rtx(p, c, now);
	conn_ready(p, c);
}

static void
listen_input(struct sc_peer *p, const struct sc_seg *seg, uint64_t hash, uint64_t now)
{
	int target = peer_index_target(&p->index, &seg->dst, seg->dport);
	struct conn *c;

	if ((seg->flags & SC_TCP_RST) != 0)
		return;
	if ((seg->flags & SC_TCP_ACK) != 0 || (seg->flags & SC_TCP_SYN) == 0) {
		tcp_refuse(p, seg, now);
		return;
	}
	p->stats.syn++;
	if (target < 0)
		p->stats.refused_unknown++;
	c = target < 0 ? NULL : conn_new(p, seg, hash);
	if (c == NULL) {
		tcp_refuse(p, seg, now);
		return;
	}
	c->target = (uint16_t)target;
	c->irs = seg->seq;
	if (!app_open(p, c)) {
		conn_free(p, c);
		tcp_refuse(p, seg, now);
		return;
	}
	open_conn(p, c, seg, now);
}

/* ---- acceptability ---- */

static void
ack_now(struct sc_peer *p, struct conn *c)
{
	c->want_ack = true;
	conn_ready(p, c);
}

/* An ACK in answer to a segment that brings nothing, at a bounded rate. */
static void
challenge(struct sc_peer *p, struct conn *c, uint64_t now)
{
	if (now < c->challenge_us)
		return;
	c->challenge_us = now + CHALLENGE_US;
	ack_now(p, c);
}

static uint32_t
seg_len(const struct sc_seg *seg)
{
	return seg->payload_len + ((seg->flags & SC_TCP_SYN) != 0)
			+ ((seg->flags & SC_TCP_FIN) != 0);
}

/* RFC 9293 section 3.10.7.4, the four cases. */
static bool
is_acceptable(const struct conn *c, const struct sc_seg *seg)
{
	uint32_t len = seg_len(seg), last = seg->seq + len - 1;
	bool is_open = c->rcv_edge != c->rcv_nxt;

	if (len == 0 && !is_open)
		return seg->seq == c->rcv_nxt;
	/* At the right edge, too: a client that filled the window must get its ACKs through. */
	if (len == 0)
		return sc_seq_geq(seg->seq, c->rcv_nxt) && sc_seq_leq(seg->seq, c->rcv_edge);
	if (!is_open)
		return false;
	return (sc_seq_geq(seg->seq, c->rcv_nxt) && sc_seq_lt(seg->seq, c->rcv_edge))
			|| (sc_seq_geq(last, c->rcv_nxt) && sc_seq_lt(last, c->rcv_edge));
}

/* RFC 7323 section 5.3: PAWS, and no segment without the option once it was agreed. */
static bool
is_stale(struct sc_peer *p, struct conn *c, const struct sc_seg *seg, uint64_t now)
{
	if (!c->has_ts || (seg->flags & SC_TCP_RST) != 0)
		return false;
	if ((seg->opts & SC_OPT_TS) == 0)
		return true;
	if (sc_seq_geq(seg->tsval, c->ts_recent))
		return false;
	if (seg->payload_len > 0)
		ack_now(p, c);
	else
		challenge(p, c, now);
	return true;
}

static void
reject(struct sc_peer *p, struct conn *c, const struct sc_seg *seg, uint64_t now)
{
	if ((seg->flags & SC_TCP_RST) != 0)
		return;
	/* Our ACK of its FIN was lost (RFC 9293 section 3.10.7.4, eighth step). */
	if (c->state == CONN_TIME_WAIT && (seg->flags & SC_TCP_FIN) != 0) {
		c->life_us = now + PEER_TIME_WAIT_US;
		conn_rearm(p, c);
	}
	if ((seg->flags & SC_TCP_SYN) == 0 && seg_len(seg) > 0)
		ack_now(p, c);
	else
		challenge(p, c, now);
}

/* ---- ACK ---- */

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

static void
measure(struct conn *c, const struct sc_seg *seg, uint64_t now)
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
	uint64_t end = app_end(p, c), old = c->una_off;

	c->una_off += acked;
	c->nxt_off = SC_MAX(c->nxt_off, c->una_off);
	p->stats.bytes_out += SC_MIN(c->una_off, end) - SC_MIN(old, end);
	c->nb_retries = 0;
	measure(c, seg, now);
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
static bool
process_ack(struct sc_peer *p, struct conn *c, const struct sc_seg *seg, uint64_t now)
{
	int32_t ahead = (int32_t)(seg->ack - tcp_seq_of(c, c->una_off));
	bool is_dup;

	/* RFC 5961 section 5. */
	if (ahead > (int64_t)(c->max_off - c->una_off) || ahead < -(int64_t)c->max_wnd) {
		challenge(p, c, now);
		return false;
	}
	is_dup = ahead == 0 && c->max_off > c->una_off && seg_len(seg) == 0
			&& (uint32_t)seg->wnd << c->snd_ws == c->snd_wnd;
	if (ahead > 0 && !ack_advances(p, c, seg, now))
		return false;
	if (is_dup && !c->is_persist)
		duplicate_ack(p, c);
	if (ahead >= 0)
		update_window(p, c, seg, now);
	return true;
}

/* ---- SYN-RECEIVED ---- */

/*
 * A zero-window rule: its time runs once the room left is too small for a segment, since a client
 * may wait rather than fill it (RFC 9293 section 3.8.6.2.1).
 */
static void
zero_start(struct sc_peer *p, struct conn *c, uint64_t now)
{
	const struct wire_zero *z = &p->rules.zero[c->zero_idx];
	uint32_t few = SC_MIN(c->rcv_wnd, PEER_MSS_V4);

	if (c->zero_idx >= p->rules.nb_zero || c->zero_us != 0)
		return;
	if (c->rcv_pos - c->start_in + few > z->bytes)
		c->zero_us = now + z->us;
}

static bool
establish(struct sc_peer *p, struct conn *c, const struct sc_seg *seg, uint64_t now)
{
	bool was_resent = c->nb_retries > 0;

	if (seg->ack != c->iss + 1) {
		tcp_refuse(p, seg, now);
		return false;
	}
	c->want_syn_ack = false;
	c->nb_retries = 0;
	c->rto_us = was_resent ? RTO_AFTER_SYN_US : RTO_START_US; /* RFC 6298 section 5.7 */
	if (c->has_ts || !was_resent)
		measure(c, seg, now);
	c->timed_us = 0;
	c->snd_wnd = (uint32_t)seg->wnd << c->snd_ws;
	c->max_wnd = SC_MAX(c->max_wnd, c->snd_wnd);
	c->snd_wl1 = seg->seq;
	c->snd_wl2 = seg->ack;
	conn_event(p, c, CONN_EV_SYN_ACKED, now);
	app_release(p, c);
	zero_start(p, c, now);
	c->rtx_us = 0;
	tcp_arm_rtx(p, c, now);
	conn_ready(p, c);
	return true;
}

/* ---- data ---- */

/* Data that arrived ahead; what is too much is dropped, the client sends it again. */
static void
ooo_insert(struct sc_peer *p, struct conn *c, const struct sc_seg *seg, uint32_t len, bool has_fin)
{
	struct ooo **link = &c->ooo, *o;

	while (*link != NULL && sc_seq_lt((*link)->seq, seg->seq))
		link = &(*link)->next;
	if (*link != NULL && (*link)->seq == seg->seq && (*link)->len >= len
			&& (*link)->has_fin >= has_fin)
		return;
	if (c->nb_ooo == PEER_OOO_MAX || c->ooo_bytes + len > 2 * c->rcv_wnd)
		return;
	o = malloc(sizeof(*o) + len);
	if (o == NULL)
		return;
	memcpy(o->data, p->payload, len);
	o->seq = seg->seq;
	o->len = len;
	o->has_fin = has_fin;
	o->next = *link;
	*link = o;
	c->nb_ooo++;
	c->ooo_bytes += len;
}

static void
fin_in(struct sc_peer *p, struct conn *c, uint64_t now)
{
	c->rcv_nxt++;
	c->rcv_pos++;
	c->want_ack = true;
	conn_event(p, c, CONN_EV_FIN_IN, now);
}

static bool
is_receiving(const struct conn *c)
{
	return c->state == CONN_ESTABLISHED || c->state == CONN_FIN_WAIT_1
			|| c->state == CONN_FIN_WAIT_2;
}

/* What waited out of order and follows now. 0 or the error of app_receive(). */
static int
ooo_drain(struct sc_peer *p, struct conn *c, uint64_t now)
{
	struct ooo *o;
	uint32_t skip;
	int rc = 0;

	while (rc == 0 && (o = c->ooo) != NULL && sc_seq_leq(o->seq, c->rcv_nxt)) {
		c->ooo = o->next;
		c->nb_ooo--;
		c->ooo_bytes -= o->len;
		c->want_ack = true; /* RFC 5681 section 4.2: at once when a hole is filled */
		skip = c->rcv_nxt - o->seq;
		if (is_receiving(c) && skip < o->len)
			rc = app_receive(p, c, o->data + skip, o->len - skip);
		if (rc == 0 && is_receiving(c) && o->has_fin && c->rcv_nxt == o->seq + o->len)
			fin_in(p, c, now);
		free(o);
	}
	return rc;
}

/* RFC 9293 section 3.8.6.3: every second segment, or after 40 ms. */
static void
ack_later(struct conn *c, uint64_t now)
{
	if (++c->nb_unacked >= 2 || c->ooo != NULL)
		c->want_ack = true;
	else if (c->ack_us == 0)
		c->ack_us = now + DELACK_US;
}

static int
receive_in_order(struct sc_peer *p, struct conn *c, uint32_t len, bool has_fin, uint64_t now)
{
	int rc = len > 0 ? app_receive(p, c, p->payload, len) : 0;

	ack_later(c, now);
	if (rc == 0 && has_fin)
		fin_in(p, c, now);
	if (rc == 0)
		rc = ooo_drain(p, c, now);
	return rc;
}

/* Data and FIN, cut to the window. */
static void
receive(struct sc_peer *p, struct conn *c, const struct sc_seg *seg, uint64_t now)
{
	bool has_fin = (seg->flags & SC_TCP_FIN) != 0;
	uint32_t skip = 0, len = seg->payload_len, room;

	if (!is_receiving(c) || (len == 0 && !has_fin))
		return;
	if (sc_seq_lt(seg->seq, c->rcv_nxt))
		skip = SC_MIN(c->rcv_nxt - seg->seq, len);
	room = c->rcv_edge - (seg->seq + skip);
	if (len - skip >= room) {
		len = skip + room;
		has_fin = false;
	}
	if (len > skip)
		sc_packet_copy_payload(seg, skip, len - skip, p->payload);
	if (sc_seq_gt(seg->seq, c->rcv_nxt)) {
		ooo_insert(p, c, seg, len, has_fin);
		ack_now(p, c);
		return;
	}
	if (receive_in_order(p, c, len - skip, has_fin, now) < 0) {
		tcp_abort(p, c, now);
		return;
	}
	zero_start(p, c, now);
	conn_rearm(p, c);
	app_release(p, c);
	conn_ready(p, c);
}

/* ---- segment arrives ---- */

/*
 * RFC 9293 section 3.10.7.4, RFC 6191 section 2: a SYN may end TIME-WAIT if it is newer than all
 * that its predecessor sent, by its timestamp or by its sequence number.
 */
static bool
can_reuse(const struct conn *c, const struct sc_seg *seg)
{
	if (c->state != CONN_TIME_WAIT || (seg->flags & (SC_TCP_SYN | SC_TCP_ACK)) != SC_TCP_SYN)
		return false;
	if (c->has_ts && (seg->opts & SC_OPT_TS) != 0 && sc_seq_gt(seg->tsval, c->ts_recent))
		return true;
	return sc_seq_gt(seg->seq, c->rcv_nxt);
}

static void
reset_in(struct sc_peer *p, struct conn *c, const struct sc_seg *seg, uint64_t now)
{
	/* RFC 5961 section 3.2 */
	if (seg->seq != c->rcv_nxt) {
		challenge(p, c, now);
		return;
	}
	p->stats.rst_in++;
	conn_free(p, c);
}

/* A closed window: data is refused, but what the segment acknowledges counts. */
static bool
is_window_probe(const struct conn *c, const struct sc_seg *seg)
{
	return c->rcv_edge == c->rcv_nxt && seg->seq == c->rcv_nxt && c->state != CONN_SYN_RCVD
			&& (seg->flags & (SC_TCP_ACK | SC_TCP_SYN | SC_TCP_RST)) == SC_TCP_ACK;
}

static void
conn_input(struct sc_peer *p, struct conn *c, const struct sc_seg *seg, uint64_t now)
{
	if (is_stale(p, c, seg, now))
		return;
	if (!is_acceptable(c, seg)) {
		reject(p, c, seg, now);
		if (is_window_probe(c, seg))
			(void)process_ack(p, c, seg, now);
		return;
	}
	/* RFC 7323 section 4.3 */
	if (c->has_ts && (seg->opts & SC_OPT_TS) != 0 && sc_seq_leq(seg->seq, c->last_ack_sent)
			&& sc_seq_geq(seg->tsval, c->ts_recent))
		c->ts_recent = seg->tsval;
	if ((seg->flags & SC_TCP_RST) != 0) {
		reset_in(p, c, seg, now);
		return;
	}
	if ((seg->flags & SC_TCP_SYN) != 0) {
		challenge(p, c, now); /* RFC 5961 section 4.2 */
		return;
	}
	if ((seg->flags & SC_TCP_ACK) == 0)
		return;
	if (c->state == CONN_SYN_RCVD && !establish(p, c, seg, now))
		return;
	if (!process_ack(p, c, seg, now))
		return;
	if (c->state == CONN_FIN_WAIT_2) {
		c->life_us = now + PEER_FIN_WAIT_2_US;
		conn_rearm(p, c);
	}
	receive(p, c, seg, now);
}

static void
segment_input(struct sc_peer *p, const struct sc_seg *seg, uint64_t now)
{
	uint64_t hash = peer_tuple_hash(&seg->src, seg->sport, &seg->dst, seg->dport);
	struct conn *c = conn_find(p, seg, hash);

	if (c != NULL && can_reuse(c, seg)) {
		conn_free(p, c);
		c = NULL;
	}
	if (c == NULL) {
		listen_input(p, seg, hash, now);
		return;
	}
	if (c->state == CONN_SYN_RCVD && seg->seq == c->irs
			&& (seg->flags & (SC_TCP_SYN | SC_TCP_ACK)) == SC_TCP_SYN) {
		c->want_syn_ack = true; /* ours was lost */
		conn_ready(p, c);
		return;
	}
	conn_input(p, c, seg, now);
}

void
tcp_input(struct sc_peer *p, struct rte_mbuf *m, uint64_t now)
{
	struct sc_seg seg;

	/* A partial checksum is no more than a bad one to a host behind a wire. */
	if (sc_packet_parse(m, SC_LINK_ETHER, &seg) == SC_R_NONE && seg.csum == SC_CSUM_GOOD)
		segment_input(p, &seg, now);
	rte_pktmbuf_free(m);
}
