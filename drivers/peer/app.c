/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The server behind the TCP connection: production, as far as the captures know it. A segment of
 * its answer may go out once the client bytes that production had when it sent it are here.
 */
#include <errno.h>
#include <string.h>

#include "conn.h"

static const struct cap_flow *
flow_of(const struct sc_peer *p, const struct conn *c)
{
	return c->flow == PEER_NONE ? NULL : &p->index.flow[c->flow];
}

/* Begin at a client segment, and at what its ACK says production had sent by then. */
static void
attach(struct sc_peer *p, struct conn *c, uint32_t flow, const struct cap_seg *at)
{
	struct cap_flow *f = &p->index.flow[flow];

	f->uses++;
	c->flow = flow;
	/* In mid-stream the answer to what went before is none of this connection's. */
	if (at == NULL && !f->has_syn && f->in.nb > 0)
		at = &f->in.seg[0];
	if (at != NULL) {
		c->start_in = c->rcv_pos = at->off;
		c->start_out = SC_MIN(at->dep, f->out.end);
	}
	c->una_off = c->nxt_off = c->max_off = c->limit = c->recover = c->start_out;
	c->limit_seg = peer_dir_find(&f->out, c->start_out);
	c->end = f->out.end;
}

bool
app_open(struct sc_peer *p, struct conn *c)
{
	uint32_t flow, seg;

	flow = peer_index_by_isn(&p->index, c->target, c->irs, &c->client, c->cport);
	if (flow != PEER_NONE) {
		attach(p, c, flow, NULL);
		return !p->index.flow[flow].is_refused;
	}
	flow = peer_index_by_seq(&p->index, c->target, c->irs, &seg);
	if (flow != PEER_NONE) {
		attach(p, c, flow, &p->index.flow[flow].in.seg[seg]);
		return true;
	}
	if (p->index.target[c->target].nb_flows > 0)
		return true; /* its first bytes will tell */
	p->stats.refused_unknown++;
	return false;
}

/* Compare data, at place `off` of the client's stream, with one captured segment's part of it. */
static int
verify_part(struct sc_peer *p, const struct cap_seg *s, uint64_t off, const uint8_t *data,
		uint32_t len)
{
	uint32_t nb_ok = 0;

	if (peer_index_read(&p->index, s->pos + (off - s->off), len, p->captured) < 0)
		return -EIO;
	if (memcmp(p->captured, data, len) == 0) {
		p->stats.bytes_in_ok += len;
		return 0;
	}
	for (uint32_t i = 0; i < len; i++)
		nb_ok += p->captured[i] == data[i];
	p->stats.bytes_in_ok += nb_ok;
	p->stats.bytes_in_differ += len - nb_ok;
	return 0;
}

static int
verify(struct sc_peer *p, const struct conn *c, const uint8_t *data, uint32_t len)
{
	const struct cap_dir *in = &flow_of(p, c)->in;
	uint32_t i = peer_dir_find(in, c->rcv_pos), n;
	uint64_t off = c->rcv_pos;
	int rc = 0;

	for (; rc == 0 && len > 0 && i < in->nb; i++) {
		n = (uint32_t)SC_MIN(len, in->seg[i].off + in->seg[i].len - off);
		if (in->seg[i].dep > c->max_off)
			p->stats.early += n;
		rc = verify_part(p, &in->seg[i], off, data, n);
		off += n;
		data += n;
		len -= n;
	}
	p->stats.bytes_in_differ += len; /* beyond all that was captured */
	return rc;
}

static int
consume(struct sc_peer *p, struct conn *c, const uint8_t *data, uint32_t len)
{
	int rc = verify(p, c, data, len);

	c->rcv_pos += len;
	p->stats.bytes_in += len;
	return rc;
}

/*
 * Which captured client is it? A small window can cut the first segment shorter than what tells one
 * from another: then its bytes wait in c->first for the next. -ENOENT: none.
 */
static int
identify(struct sc_peer *p, struct conn *c, const uint8_t *data, uint32_t len)
{
	uint32_t nb = SC_MIN(len, PEER_PREFIX - c->nb_first), flow;

	if (c->nb_first > 0) {
		memcpy(&c->first[c->nb_first], data, nb);
		flow = peer_index_by_bytes(&p->index, c->target, c->first, c->nb_first + nb);
	} else {
		flow = peer_index_by_bytes(&p->index, c->target, data, len);
	}
	if (flow != PEER_NONE) {
		attach(p, c, flow, NULL);
		return 0;
	}
	if (c->nb_first + len >= PEER_PREFIX)
		return -ENOENT;
	memcpy(&c->first[c->nb_first], data, nb);
	c->nb_first += (uint8_t)nb;
	return peer_index_may_begin(&p->index, c->target, c->first, c->nb_first) ? 0 : -ENOENT;
}

int
app_receive(struct sc_peer *p, struct conn *c, const uint8_t *data, uint32_t len)
{
	int rc = c->flow == PEER_NONE ? identify(p, c, data, len) : 0;

	c->rcv_nxt += len;
	if (rc < 0 || c->flow == PEER_NONE)
		return rc;
	if (c->nb_first > 0)
		rc = consume(p, c, c->first, c->nb_first);
	c->nb_first = 0;
	return rc == 0 ? consume(p, c, data, len) : rc;
}

static bool
closes_by_reset(const struct cap_dir *out, const struct conn *c)
{
	return out->has_rst && c->limit == out->end && out->rst_dep <= c->rcv_pos;
}

void
app_release(struct sc_peer *p, struct conn *c)
{
	const struct cap_flow *f = flow_of(p, c);
	const struct cap_dir *out;

	if (f == NULL)
		return;
	out = &f->out;
	while (c->limit_seg < out->nb && out->seg[c->limit_seg].dep <= c->rcv_pos) {
		c->limit = out->seg[c->limit_seg].off + out->seg[c->limit_seg].len;
		c->limit_seg++;
	}
	if (c->limit == out->end && out->has_fin && out->fin_dep <= c->rcv_pos)
		c->limit++;
	/* At the end of what it reads a server closes; more than now it will never be asked for. */
	if (c->state == CONN_CLOSE_WAIT && c->limit <= c->end && !closes_by_reset(out, c)) {
		c->end = c->limit;
		c->limit++;
	}
}

void
app_sent(struct sc_peer *p, const struct conn *c, uint64_t from, uint64_t to)
{
	const struct cap_dir *out = &flow_of(p, c)->out;

	for (uint32_t i = peer_dir_find(out, from);
			i < out->nb && out->seg[i].off + out->seg[i].len <= to; i++)
		p->stats.turns += out->seg[i].is_turn_end;
}

bool
app_resets(const struct sc_peer *p, const struct conn *c)
{
	const struct cap_flow *f = flow_of(p, c);

	return f != NULL && f->out.has_rst && c->una_off == c->max_off
			&& c->max_off == f->out.end + (f->out.has_fin ? 1 : 0)
			&& f->out.rst_dep <= c->rcv_pos;
}
