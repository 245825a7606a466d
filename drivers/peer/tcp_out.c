/* SPDX-License-Identifier: BSD-3-Clause */
/* Segments to the client: built anew each time, their payload read from the capture. */
#include <errno.h>
#include <string.h>

#include "conn.h"

#define VLAN_TAGS_MAX 2u

void
tcp_l2_of(const struct sc_peer *p, const struct rte_mbuf *m, struct sc_l2_tmpl *l2)
{
	uint8_t buf[RTE_ETHER_HDR_LEN + 4 * VLAN_TAGS_MAX] = {0};
	uint32_t len = SC_MIN(rte_pktmbuf_pkt_len(m), sizeof(buf)), off = 12;
	const uint8_t *eth = rte_pktmbuf_read(m, 0, len, buf);
	uint16_t type;

	memset(l2, 0, sizeof(*l2));
	memcpy(&l2->dst, eth + RTE_ETHER_ADDR_LEN, sizeof(l2->dst));
	memcpy(&l2->src, sc_peer_mac(p), sizeof(l2->src));
	for (; l2->nb_vlan < VLAN_TAGS_MAX && off + 4 < len; off += 4) {
		type = (uint16_t)(eth[off] << 8 | eth[off + 1]);
		if (type != RTE_ETHER_TYPE_VLAN && type != RTE_ETHER_TYPE_QINQ)
			break;
		l2->vlan_tci[l2->nb_vlan++] = (uint16_t)(eth[off + 2] << 8 | eth[off + 3]);
	}
}

static enum wire_kind
kind_of(uint8_t flags, uint32_t len)
{
	if ((flags & SC_TCP_RST) != 0)
		return WIRE_RST;
	if ((flags & SC_TCP_SYN) != 0)
		return WIRE_SYNACK;
	if ((flags & SC_TCP_FIN) != 0)
		return WIRE_FIN;
	return len > 0 ? WIRE_ANSWER : WIRE_ACK;
}

static struct rte_mbuf *
frame_new(struct sc_peer *p)
{
	if (p->budget == 0 || p->out.nb >= PATH_MAX_FRAMES / 2)
		return NULL;
	return rte_pktmbuf_alloc(p->cfg.pool);
}

/* Headers in front of the payload, and onto the path. Takes m. */
static void
frame_send(struct sc_peer *p, struct rte_mbuf *m, struct sc_tx_hdr *h, uint64_t now)
{
	uint32_t len = rte_pktmbuf_pkt_len(m);
	uint64_t hash;

	h->payload_sum = len > 0 ? sc_packet_sum(rte_pktmbuf_mtod(m, void *), len) : 0;
	if (sc_packet_build(m, h) < 0) {
		rte_pktmbuf_free(m); /* sc_peer_create() saw to the headroom */
		return;
	}
	p->budget--;
	hash = peer_tuple_hash(&h->dst, h->dport, &h->src, h->sport);
	if (p->track != NULL
			&& wire_track_drops(p->track, hash, kind_of(h->flags, len), h->seq, now)) {
		rte_pktmbuf_free(m);
		p->stats.impaired++;
		return;
	}
	path_put(&p->out, m, now);
}

/* ---- window ---- */

/*
 * What to write into the window field. The right edge never moves left (RFC 9293 section 3.8.6):
 * where the scale would cut it, it is rounded up.
 */
static uint16_t
advertise(const struct sc_peer *p, struct conn *c, uint8_t ws)
{
	uint32_t edge = c->rcv_nxt + c->rcv_wnd, wnd, cap;

	if (c->zero_idx < p->rules.nb_zero) {
		cap = c->irs + 1 + (uint32_t)p->rules.zero[c->zero_idx].bytes;
		if (sc_seq_gt(edge, cap))
			edge = sc_seq_max(cap, c->rcv_nxt);
	}
	edge = sc_seq_max(edge, c->rcv_edge);
	wnd = (edge - c->rcv_nxt) >> ws;
	if (sc_seq_lt(c->rcv_nxt + (wnd << ws), c->rcv_edge))
		wnd++;
	wnd = SC_MIN(wnd, UINT16_MAX);
	c->rcv_edge = sc_seq_max(c->rcv_edge, c->rcv_nxt + (wnd << ws));
	return (uint16_t)wnd;
}

static void
header(const struct sc_peer *p, struct conn *c, uint8_t flags, uint64_t now, struct sc_tx_hdr *h)
{
	bool is_syn = (flags & SC_TCP_SYN) != 0;

	*h = (struct sc_tx_hdr){.l2 = &c->l2,
			.src = c->server,
			.dst = c->client,
			.sport = c->sport,
			.dport = c->cport,
			.seq = tcp_seq_of(c, c->max_off),
			.ack = c->rcv_nxt,
			.flags = flags,
			.wnd = advertise(p, c, is_syn ? 0 : c->rcv_ws)};
	if (c->has_ts) {
		h->opts = SC_OPT_TS;
		h->tsval = tcp_tsval(c, now);
		h->tsecr = c->ts_recent;
	}
}

/* The segment carries our newest ACK. */
static void
acked(struct conn *c)
{
	c->want_ack = false;
	c->nb_unacked = 0;
	c->ack_us = 0;
	c->last_ack_sent = c->rcv_nxt;
}

static bool
send_bare(struct sc_peer *p, struct conn *c, uint8_t flags, uint64_t now)
{
	struct rte_mbuf *m = frame_new(p);
	struct sc_tx_hdr h;

	if (m == NULL)
		return false;
	header(p, c, flags, now, &h);
	frame_send(p, m, &h, now);
	acked(c);
	return true;
}

static bool
send_syn_ack(struct sc_peer *p, struct conn *c, uint64_t now)
{
	struct rte_mbuf *m = frame_new(p);
	struct sc_tx_hdr h;

	if (m == NULL)
		return false;
	header(p, c, SC_TCP_SYN | SC_TCP_ACK, now, &h);
	h.seq = c->iss;
	h.opts |= SC_OPT_MSS;
	h.mss = sc_addr_is_v4(&c->client) ? PEER_MSS_V4 : PEER_MSS_V6;
	if (c->has_ws) {
		h.opts |= SC_OPT_WSCALE;
		h.wscale = c->rcv_ws;
	}
	frame_send(p, m, &h, now);
	acked(c);
	p->stats.retransmitted += c->nb_retries > 0;
	c->want_syn_ack = false;
	return true;
}

/* ---- data and FIN ---- */

/* After a segment [off, end) went out, FIN included. */
static void
note_sent(struct sc_peer *p, struct conn *c, uint64_t off, uint64_t end, uint64_t now)
{
	uint64_t old = c->max_off;

	if (off < old) {
		p->stats.retransmitted++;
		c->timed_us = 0;
	} else if (c->timed_us == 0 && !c->has_ts) {
		c->timed_us = now;
		c->timed_off = end;
	}
	if (end > old) {
		app_sent(p, c, old, end);
		c->max_off = end;
		if (end > c->end)
			conn_event(p, c, CONN_EV_FIN_OUT, now);
	}
	c->nxt_off = SC_MAX(c->nxt_off, end);
	acked(c);
}

/* len bytes from off on, and the FIN if it follows. 0, -ENOBUFS or -EIO. */
static int
send_data(struct sc_peer *p, struct conn *c, uint64_t off, uint32_t len, uint64_t now)
{
	const struct cap_dir *out = &p->index.flow[c->flow].out;
	uint64_t end = off + len;
	uint8_t flags = SC_TCP_ACK;
	struct sc_tx_hdr h;
	struct rte_mbuf *m = frame_new(p);

	if (m == NULL)
		return -ENOBUFS;
	if (len > 0
			&& peer_dir_read(&p->index, out, off, len,
					   (uint8_t *)rte_pktmbuf_append(m, (uint16_t)len))
					< 0) {
		rte_pktmbuf_free(m);
		return -EIO;
	}
	if (len > 0 && end == SC_MIN(c->limit, c->end))
		flags |= SC_TCP_PSH;
	if (end == c->end && c->limit > end)
		flags |= SC_TCP_FIN;
	header(p, c, flags, now, &h);
	h.seq = tcp_seq_of(c, off);
	frame_send(p, m, &h, now);
	note_sent(p, c, off, end + ((flags & SC_TCP_FIN) != 0 ? 1 : 0), now);
	return 0;
}

/* Payload that may stand in a segment at off, by the answer alone. */
static uint32_t
data_at(const struct conn *c, uint64_t off)
{
	uint64_t end = SC_MIN(c->limit, c->end);

	return off < end ? (uint32_t)SC_MIN(end - off, UINT32_MAX) : 0;
}

/* The segment at SND.UNA again, or one byte into a closed window. */
static int
send_again(struct sc_peer *p, struct conn *c, uint64_t now)
{
	uint32_t most = c->want_probe ? 1 : c->mss, len;
	int rc = 0;

	len = SC_MIN(data_at(c, c->una_off), most);
	if (c->una_off < c->max_off || c->want_probe)
		rc = len > 0 || c->una_off < c->limit ? send_data(p, c, c->una_off, len, now) : 0;
	if (rc == 0)
		c->want_rexmit = c->want_probe = false;
	return rc;
}

/* What windows allow, from SND.NXT on. */
static int
send_new(struct sc_peer *p, struct conn *c, uint64_t now)
{
	uint64_t wnd_end = c->una_off + SC_MIN(c->cwnd, c->snd_wnd);
	uint32_t all, len;
	int rc = 0;

	while (rc == 0 && c->nxt_off < c->limit) {
		all = data_at(c, c->nxt_off);
		len = SC_MIN(all, c->mss);
		len = (uint32_t)SC_MIN(len, wnd_end > c->nxt_off ? wnd_end - c->nxt_off : 0);
		if (len == 0 && all > 0)
			break;
		/* RFC 9293 section 3.8.6.2.1: no small segment while others are under way */
		if (len < c->mss && len < all && c->nxt_off > c->una_off)
			break;
		rc = send_data(p, c, c->nxt_off, len, now);
	}
	return rc;
}

static int
send_all(struct sc_peer *p, struct conn *c, uint64_t now)
{
	int rc = 0;

	if (c->flow == PEER_NONE)
		return 0;
	if (c->want_rexmit || c->want_probe)
		rc = send_again(p, c, now);
	return rc == 0 ? send_new(p, c, now) : rc;
}

bool
tcp_output(struct sc_peer *p, struct conn *c, uint64_t now)
{
	int rc;

	if (c->want_syn_ack && !send_syn_ack(p, c, now))
		return false;
	rc = c->state == CONN_SYN_RCVD ? 0 : send_all(p, c, now);
	if (rc == 0 && c->want_ack && !send_bare(p, c, SC_TCP_ACK, now))
		rc = -ENOBUFS;
	if (rc == -EIO || (rc == 0 && c->was_open && app_resets(p, c))) {
		tcp_abort(p, c, now);
		return true;
	}
	tcp_arm_rtx(p, c, now);
	return rc == 0;
}

/* ---- RST ---- */

void
tcp_abort(struct sc_peer *p, struct conn *c, uint64_t now)
{
	if (send_bare(p, c, SC_TCP_RST | SC_TCP_ACK, now))
		p->stats.rst_out++;
	conn_free(p, c);
}

void
tcp_refuse(struct sc_peer *p, const struct sc_seg *seg, uint64_t now)
{
	struct sc_tx_hdr h = {.src = seg->dst,
			.dst = seg->src,
			.sport = seg->dport,
			.dport = seg->sport,
			.flags = SC_TCP_RST};
	struct rte_mbuf *m = frame_new(p);
	struct sc_l2_tmpl l2;

	if (m == NULL)
		return;
	tcp_l2_of(p, seg->mbuf, &l2);
	h.l2 = &l2;
	if ((seg->flags & SC_TCP_ACK) != 0) {
		h.seq = seg->ack;
	} else {
		h.flags |= SC_TCP_ACK;
		h.ack = seg->seq + seg->payload_len + ((seg->flags & SC_TCP_SYN) != 0)
				+ ((seg->flags & SC_TCP_FIN) != 0);
	}
	frame_send(p, m, &h, now);
	p->stats.rst_out++;
}
