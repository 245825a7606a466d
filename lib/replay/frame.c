/* SPDX-License-Identifier: BSD-3-Clause */
/* frame: held bytes and control segments become frames for the target. */
#include "engine.h"

#define OUR_WINDOW 65535 /* constant: the right edge never moves left (RFC 9293 section 3.8.6) */

static struct rte_mbuf *
frame_alloc(struct sc_replay *e)
{
	if (e->nb_tx >= SC_REPLAY_TX_MAX)
		return NULL;
	return rte_pktmbuf_alloc(e->cfg.pool);
}

/* Headers that acknowledge all if flags say ACK; of TCP's, in the words that are read whole. */
static inline void
header_init(const struct sc_replay *e, const struct sc_session *s, uint8_t flags, uint32_t seq,
		struct sc_tx_hdr *h)
{
	const struct sc_replay_target *t = target_of(e, s);
	uint64_t ack = flags & SC_TCP_ACK ? s->rcv_nxt : 0;

	h->l2 = t->l2;
	h->src = *replay_addr(e, s);
	h->dst = t->addr;
	h->ports_seq = (uint64_t)s->port << 48 | (uint64_t)t->port << 32 | seq;
	h->ack_wnd = ack << 32 | (uint32_t)flags << 16 | OUR_WINDOW;
	h->ts = 0;
	h->opts = 0;
	h->wscale = 0;
	h->mss = 0;
	h->urg = 0;
	h->payload_sum = 0;
	if (has_flag(s, SC_SESS_TS)) {
		h->opts = SC_OPT_TS;
		h->ts = (uint64_t)e->tsval << 32 | s->ts_recent;
	}
}

/* Put a frame on the way out. */
static inline bool
frame_out(struct sc_replay *e, struct rte_mbuf *m, const struct sc_tx_hdr *h)
{
	if (sc_packet_build(m, h) < 0) {
		rte_pktmbuf_free(m);
		return false;
	}
	C(e, TX_BUILT)++;
	if (h->flags & (SC_TCP_SYN | SC_TCP_FIN | SC_TCP_RST)) {
		C(e, TX_SYN) += (h->flags & SC_TCP_SYN) != 0;
		C(e, TX_FIN) += (h->flags & SC_TCP_FIN) != 0;
		C(e, TX_RST) += (h->flags & SC_TCP_RST) != 0;
	}
	e->tx[e->nb_tx++] = m;
	return true;
}

/* Whatever carries an ACK settles what was owed. */
static void
ack_sent(struct sc_replay *e, struct sc_session *s)
{
	if (s->acked != s->rcv_nxt)
		s->quiet_us = e->now;
	s->acked = s->rcv_nxt;
	s->unacked_segs = 0;
	s->flags &= ~SC_SESS_ACK;
}

/* A mirror frame cut down to its payload, at `off`. */
static void
cut_to_payload(struct rte_mbuf *m, uint32_t off, uint32_t len)
{
	m->data_off += (uint16_t)off;
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
}

/* For headers alone: the mirror frame that is being handled, if it has none but these. */
static inline struct rte_mbuf *
bare_alloc(struct sc_replay *e)
{
	const struct sc_seg *seg = e->bare;

	if (seg == NULL || e->nb_tx >= SC_REPLAY_TX_MAX || !is_reusable(seg->mbuf, seg))
		return frame_alloc(e);
	e->bare = NULL;
	cut_to_payload(seg->mbuf, seg->payload_off, 0);
	return seg->mbuf;
}

/* A segment without payload at wire sequence number `seq`. False: no room, try again. */
bool
send_bare(struct sc_replay *e, uint32_t si, uint8_t flags, uint32_t seq)
{
	struct sc_session *s = session_at(e, si);
	struct rte_mbuf *m = bare_alloc(e);
	struct sc_tx_hdr h;

	if (m == NULL)
		return false;
	header_init(e, s, flags, seq, &h);
	if (!frame_out(e, m, &h))
		return false;
	if (flags & SC_TCP_ACK)
		ack_sent(e, s);
	return true;
}

bool
send_ack(struct sc_replay *e, uint32_t si)
{
	if (!send_bare(e, si, SC_TCP_ACK, session_at(e, si)->max))
		return false;
	C(e, TX_ACK)++;
	return true;
}

bool
send_rst(struct sc_replay *e, uint32_t si, uint32_t seq)
{
	struct sc_session *s = session_at(e, si);
	uint8_t flags = s->state == SC_CONN_SYN_SENT ? SC_TCP_RST : SC_TCP_RST | SC_TCP_ACK;

	return send_bare(e, si, flags, seq);
}

bool
send_syn(struct sc_replay *e, uint32_t si)
{
	struct sc_session *s = session_at(e, si);
	const struct sc_flow *f = flow_of(e, s);
	struct rte_mbuf *m = bare_alloc(e);
	struct sc_tx_hdr h;

	if (m == NULL)
		return false;
	header_init(e, s, SC_TCP_SYN, s->una, &h);
	h.opts = f->opts & (SC_OPT_MSS | SC_OPT_WSCALE);
	h.mss = s->mss;
	h.wscale = s->rcv_wscale;
	if (f->opts & SC_OPT_TS) {
		h.opts |= SC_OPT_TS;
		h.tsval = e->tsval;
	}
	return frame_out(e, m, &h);
}

/*
 * The FIN of a connection whose session is over was sent again: our last ACK was lost. Answered
 * from the record alone, so that the target can leave LAST-ACK.
 */
void
send_stray_ack(struct sc_replay *e, const struct sc_record *rec)
{
	const struct sc_replay_target *t = &e->cfg.targets[rec->target];
	struct rte_mbuf *m = frame_alloc(e);
	struct sc_tx_hdr h = {
			.l2 = t->l2,
			.src = rec->client,
			.dst = t->addr,
			.sport = rec->port,
			.dport = t->port,
			.seq = rec->ack,
			.ack = rec->seq + rec->len + 1,
			.wnd = OUR_WINDOW,
			.flags = SC_TCP_ACK,
	};

	if (m == NULL)
		return;
	if (rec->segs & SC_REC_TS) {
		h.opts = SC_OPT_TS;
		h.tsval = e->tsval;
		h.tsecr = rec->tsval;
	}
	if (frame_out(e, m, &h))
		C(e, TX_ACK)++;
}

/* The one that brought the held segment. */
static struct rte_mbuf *
spare_take(struct sc_replay *e, uint32_t len)
{
	struct rte_mbuf *m = e->spare;

	e->spare = NULL;
	cut_to_payload(m, e->spare_off, len);
	return m;
}

/* Payload [off, off + len) of a held segment, in a frame without headers. NULL: no room. */
static struct rte_mbuf *
payload_frame(struct sc_replay *e, const struct sc_held *held, uint32_t off, uint32_t len)
{
	struct rte_mbuf *m;
	char *p;

	if (e->spare != NULL && held == held_at(e, e->spare_held) && len == held->len
			&& e->nb_tx < SC_REPLAY_TX_MAX)
		return spare_take(e, len);
	m = frame_alloc(e);
	if (m == NULL)
		return NULL;
	p = rte_pktmbuf_append(m, (uint16_t)len);
	if (p == NULL) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	sc_held_copy(&e->t, held, off, len, p);
	return m;
}

/* Headers in front of m, which has payload [off, off + len) of a held segment, and on its way. */
static inline bool
send_payload(struct sc_replay *e, struct sc_session *s, struct rte_mbuf *m,
		const struct sc_held *held, uint32_t off)
{
	uint32_t len = m->pkt_len;
	bool is_whole = len == held->len;
	uint8_t flags = SC_TCP_ACK;
	struct sc_tx_hdr h;

	if ((held->flags & SC_HELD_PSH) && off + len == held->len)
		flags |= SC_TCP_PSH;
	if ((held->flags & SC_HELD_URG) && is_whole)
		flags |= SC_TCP_URG;
	header_init(e, s, flags, held->seq + off + s->offset, &h);
	h.payload_sum = is_whole ? held->sum
				 : sc_packet_sum(rte_pktmbuf_mtod(m, const void *), len);
	if (flags & SC_TCP_URG)
		h.urg = held->urg;
	if (!frame_out(e, m, &h))
		return false;
	ack_sent(e, s);
	C(e, TX_PAYLOAD) += len;
	return true;
}

/* Payload [off, off + len) of a held segment. False: no room, try again. */
bool
send_segment(struct sc_replay *e, uint32_t si, uint32_t hi, uint32_t off, uint32_t len)
{
	const struct sc_held *held = held_at(e, hi);
	struct rte_mbuf *m = payload_frame(e, held, off, len);

	return m != NULL && send_payload(e, session_at(e, si), m, held, off);
}

/* All of a held segment, in the frame that brought it; there is room for both frame and headers. */
void
send_reused(struct sc_replay *e, struct sc_session *s, const struct sc_held *h,
		const struct sc_seg *seg)
{
	cut_to_payload(seg->mbuf, seg->payload_off, h->len);
	send_payload(e, s, seg->mbuf, h, 0);
}
