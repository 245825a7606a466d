/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * join: a connection that began before the capture is replayed from the first proven boundary on:
 * a segment that acknowledges every production byte seen, the newest of which was sent with exactly
 * this segment's sequence number acknowledged.
 */
#include "engine.h"

static bool
is_boundary(const struct sc_flow *f, const struct sc_seg *s)
{
	return (f->flags & SC_FLOW_PROD_SEEN) && f->has_data && s->payload_len > 0
			&& s->ack == f->prod_nxt && f->prod_ack == s->seq
			&& (s->flags & (SC_TCP_ACK | SC_TCP_RST)) == SC_TCP_ACK;
}

void
join_client(struct sc_replay *e, uint32_t fi, struct sc_mirror_seg *ms, bool *took)
{
	struct sc_flow *f = flow_at(e, fi);
	struct sc_seg *s = &ms->seg;

	if (s->flags & (SC_TCP_RST | SC_TCP_FIN)) {
		C(e, BYTES_SEEN) += s->payload_len;
		M(e, BYTES_REFUSED, SC_R_BEFORE_JOIN) += s->payload_len;
		flow_refuse(e, fi, SC_R_NO_BOUNDARY);
		return;
	}
	if (!is_boundary(f, s)) {
		C(e, BYTES_SEEN) += s->payload_len;
		M(e, BYTES_REFUSED, SC_R_BEFORE_JOIN) += s->payload_len;
		f->client_us = SC_MAX((uint32_t)s->cap_us, 1u);
		return;
	}
	f->isn = s->seq - 1;
	f->nxt = s->seq;
	f->opts = (f->opts & ~SC_OPT_TS) | (s->opts & SC_OPT_TS);
	f->prod_base = f->cack = f->turn_ack = s->ack;
	f->flags |= SC_FLOW_BASE;
	f->state = SC_FLOW_EMBRYONIC;
	*took = accept_segment(e, fi, s);
	flow_open(e, fi);
}
