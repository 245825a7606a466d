/* SPDX-License-Identifier: BSD-3-Clause */
/* Segments from the client, in the order of RFC 9293 section 3.10.7. */
#include "conn.h"

#define CHALLENGE_US 50000u /* RFC 5961 section 10: how often a stray segment gets an ACK */

void
tcp_ack_now(struct sc_peer *p, struct conn *c)
{
	c->want_ack = true;
	conn_ready(p, c);
}

/* An ACK in answer to a segment that brings nothing, at a bounded rate. */
void
tcp_challenge(struct sc_peer *p, struct conn *c, uint64_t now)
{
	if (now < c->challenge_us)
		return;
	c->challenge_us = now + CHALLENGE_US;
	tcp_ack_now(p, c);
}

uint32_t
tcp_seg_len(const struct sc_seg *seg)
{
	return seg->payload_len + ((seg->flags & SC_TCP_SYN) != 0)
			+ ((seg->flags & SC_TCP_FIN) != 0);
}

/* ---- acceptability ---- */

/* RFC 9293 section 3.10.7.4, the four cases. */
static bool
is_acceptable(const struct conn *c, const struct sc_seg *seg)
{
	uint32_t len = tcp_seg_len(seg), last = seg->seq + len - 1;
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
		return (seg->flags & SC_TCP_SYN) == 0; /* another connection's: to be challenged */
	if (sc_seq_geq(seg->tsval, c->ts_recent))
		return false;
	if (seg->payload_len > 0)
		tcp_ack_now(p, c);
	else
		tcp_challenge(p, c, now);
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
	if ((seg->flags & SC_TCP_SYN) == 0 && tcp_seg_len(seg) > 0)
		tcp_ack_now(p, c);
	else
		tcp_challenge(p, c, now);
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
		tcp_challenge(p, c, now);
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
			(void)tcp_acks(p, c, seg, now);
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
		tcp_challenge(p, c, now); /* RFC 5961 section 4.2 */
		return;
	}
	if ((seg->flags & SC_TCP_ACK) == 0)
		return;
	if (c->state == CONN_SYN_RCVD && !tcp_establish(p, c, seg, now))
		return;
	if (!tcp_acks(p, c, seg, now))
		return;
	if (c->state == CONN_FIN_WAIT_2) {
		c->life_us = now + PEER_FIN_WAIT_2_US;
		conn_rearm(p, c);
	}
	tcp_receive(p, c, seg, now);
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
		tcp_listen(p, seg, hash, now);
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
