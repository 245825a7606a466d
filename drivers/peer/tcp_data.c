/* SPDX-License-Identifier: BSD-3-Clause */
/* Client bytes: in order to the application, out of order into a bounded list. */
#include <stdlib.h>
#include <string.h>

#include "conn.h"

#define DELACK_US 40000u

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

/*
 * A zero-window rule: its time runs once the room left is too small for a segment, since a client
 * may wait rather than fill it (RFC 9293 section 3.8.6.2.1).
 */
void
tcp_zero_start(struct sc_peer *p, struct conn *c, uint64_t now)
{
	const struct wire_zero *z = &p->rules.zero[c->zero_idx];
	uint32_t few = SC_MIN(c->rcv_wnd, PEER_MSS_V4);

	if (c->zero_idx >= p->rules.nb_zero || c->zero_us != 0)
		return;
	if (c->rcv_nxt - (c->irs + 1) + few > z->bytes)
		c->zero_us = now + z->us;
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
	/* It said all it had to say, and is none that was captured. */
	if (rc == 0 && c->state == CONN_CLOSE_WAIT && c->flow == PEER_NONE)
		rc = -ENOENT;
	return rc;
}

/* Data and FIN, cut to the window. */
void
tcp_receive(struct sc_peer *p, struct conn *c, const struct sc_seg *seg, uint64_t now)
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
		tcp_ack_now(p, c);
		return;
	}
	if (receive_in_order(p, c, len - skip, has_fin, now) < 0) {
		tcp_abort(p, c, now);
		return;
	}
	tcp_zero_start(p, c, now);
	conn_rearm(p, c);
	app_release(p, c);
	conn_ready(p, c);
}
