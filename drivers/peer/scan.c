/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Captured frames become captured connections. Nothing here judges TCP beyond what is needed to
 * put bytes in order and to know what their sender had received.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "index.h"
#include "pieces.h"

#define SCAN_FAR (1 << 30) /* RFC 7323 section 2.3: no window is larger */

struct scan {
	struct peer_index *ix;
	const struct peer_index_cfg *cfg;
	uint32_t *head; /* newest flow of a tuple first; mask + 1 chains */
	uint32_t mask;
	uint64_t nb_cut; /* frames shorter than their IP length says */
	struct pieces *pieces;
	struct sc_err *err;
};

/* A segment, turned so that the client is the source or the destination as it was. */
struct frame {
	const struct sc_seg *seg;
	const struct part *part; /* its payload, in order */
	unsigned int nb_parts;
	bool is_in; /* from the client */
	int rule;
	const struct sc_addr *client, *prod;
	uint16_t cport, pport;
};

/* ---- flows by tuple ---- */

static uint64_t
flow_hash(const struct cap_flow *f)
{
	return peer_tuple_hash(&f->client, f->cport, &f->prod, f->pport);
}

static int
rehash(struct scan *s)
{
	uint32_t size = (s->mask + 1) * 2, h;
	uint32_t *head = malloc(size * sizeof(*head));

	if (head == NULL)
		return -ENOMEM;
	memset(head, 0xff, size * sizeof(*head));
	for (uint32_t i = 0; i < s->ix->nb_flows; i++) {
		h = (uint32_t)flow_hash(&s->ix->flow[i]) & (size - 1);
		s->ix->flow[i].next_tuple = head[h];
		head[h] = i;
	}
	free(s->head);
	s->head = head;
	s->mask = size - 1;
	return 0;
}

static struct cap_flow *
flow_find(const struct scan *s, const struct frame *fr)
{
	uint64_t h = peer_tuple_hash(fr->client, fr->cport, fr->prod, fr->pport);
	struct cap_flow *f;

	for (uint32_t i = s->head[h & s->mask]; i != PEER_NONE; i = f->next_tuple) {
		f = &s->ix->flow[i];
		if (f->cport == fr->cport && f->pport == fr->pport
				&& sc_addr_eq(&f->client, fr->client)
				&& sc_addr_eq(&f->prod, fr->prod))
			return f;
	}
	return NULL;
}

static uint16_t
target_of(const struct scan *s, int rule)
{
	const struct sc_rule *r = &s->cfg->rules[rule];

	return (uint16_t)peer_index_target(s->ix, &r->target, r->target_port);
}

static struct cap_flow *
flow_new(struct scan *s, const struct frame *fr)
{
	struct peer_index *ix = s->ix;
	struct cap_flow *f;
	uint32_t room, h;

	if (ix->nb_flows == ix->room_flows) {
		room = ix->room_flows == 0 ? 64 : ix->room_flows * 2;
		f = realloc(ix->flow, room * sizeof(*f));
		if (f == NULL)
			return NULL;
		ix->flow = f;
		ix->room_flows = room;
	}
	if (ix->nb_flows > s->mask && rehash(s) < 0)
		return NULL;
	f = &ix->flow[ix->nb_flows];
	memset(f, 0, sizeof(*f));
	f->client = *fr->client;
	f->prod = *fr->prod;
	f->cport = fr->cport;
	f->pport = fr->pport;
	f->target = target_of(s, fr->rule);
	h = (uint32_t)flow_hash(f) & s->mask;
	f->next_tuple = s->head[h];
	s->head[h] = ix->nb_flows++;
	return f;
}

/* ---- directions ---- */

static int
rule_of(const struct scan *s, const struct sc_addr *addr, uint16_t port)
{
	return sc_rules_match(s->cfg->rules, s->cfg->nb_rules, addr, port);
}

static void
frame_turn(struct frame *fr, bool is_in, int rule)
{
	const struct sc_seg *seg = fr->seg;

	fr->is_in = is_in;
	fr->rule = rule;
	fr->client = is_in ? &seg->src : &seg->dst;
	fr->cport = is_in ? seg->sport : seg->dport;
	fr->prod = is_in ? &seg->dst : &seg->src;
	fr->pport = is_in ? seg->dport : seg->sport;
}

/* Who is production? False: neither end is, by the rules. */
static bool
frame_direct(const struct scan *s, struct frame *fr)
{
	const struct sc_seg *seg = fr->seg;
	int to = rule_of(s, &seg->dst, seg->dport), from = rule_of(s, &seg->src, seg->sport);

	if (to < 0 && from < 0)
		return false;
	if (to < 0 || from < 0) {
		frame_turn(fr, to >= 0, to >= 0 ? to : from);
		return true;
	}
	/* A client that is production, too: SYNs tell, then what is known, then the lower port. */
	if ((seg->flags & SC_TCP_SYN) != 0) {
		frame_turn(fr, (seg->flags & SC_TCP_ACK) == 0, to);
	} else {
		frame_turn(fr, true, to);
		if (flow_find(s, fr) != NULL)
			return true;
		frame_turn(fr, false, from);
		if (flow_find(s, fr) != NULL)
			return true;
		frame_turn(fr, seg->dport <= seg->sport, to);
	}
	fr->rule = fr->is_in ? to : from;
	return true;
}

/* ---- streams ---- */

/* SEQ as an offset from the stream's start, by the highest one seen (RFC 9293 section 3.4). */
static int64_t
unwrap(const struct cap_dir *d, uint32_t seq)
{
	return (int64_t)d->end + (int32_t)(seq - (d->base + (uint32_t)d->end));
}

static void
set_base(struct cap_dir *d, uint32_t base)
{
	if (d->has_base)
		return;
	d->base = base;
	d->has_base = true;
}

/* What of `other` the sender had received by this segment. */
static uint64_t
dep_of(const struct sc_seg *seg, const struct cap_dir *other)
{
	int64_t off;

	/* A segment without ACK (a RST) says nothing: everything seen until then. */
	if ((seg->flags & SC_TCP_ACK) == 0)
		return other->end + (other->has_fin ? 1 : 0);
	off = other->has_base ? unwrap(other, seg->ack) : 0;
	return off < 0 ? 0 : (uint64_t)off;
}

static int
add_data(struct scan *s, struct cap_dir *d, struct cap_seg piece, int64_t off)
{
	if (off < 0) {
		if (-off >= (int64_t)piece.len)
			return 0;
		piece.pos += (uint64_t)-off;
		piece.len -= (uint32_t)-off;
		off = 0;
	}
	if ((uint64_t)off > d->end + SCAN_FAR || (d->has_fin && (uint64_t)off >= d->fin_off))
		return 0;
	piece.off = (uint64_t)off;
	d->end = SC_MAX(d->end, piece.off + piece.len);
	return peer_dir_insert(s->ix, d, piece);
}

/* Data and FIN of one segment into its direction. */
static int
add_segment(struct scan *s, const struct frame *fr, struct cap_dir *d, const struct cap_dir *other)
{
	const struct sc_seg *seg = fr->seg;
	uint32_t seq = seg->seq + ((seg->flags & SC_TCP_SYN) != 0 ? 1 : 0);
	uint64_t dep = dep_of(seg, other);
	int64_t off, fin_off;
	int rc = 0;

	set_base(d, seq);
	off = unwrap(d, seq);
	fin_off = off + seg->payload_len;
	for (unsigned int i = 0; i < fr->nb_parts && rc == 0; i++) {
		const struct part *part = &fr->part[i];

		rc = add_data(s, d,
				(struct cap_seg){.pos = part->pos, .len = part->len, .dep = dep},
				off + part->off);
	}
	if ((seg->flags & SC_TCP_FIN) != 0 && !d->has_fin && fin_off >= (int64_t)d->end) {
		d->has_fin = true;
		d->fin_off = (uint64_t)fin_off;
		d->fin_dep = dep;
		d->end = d->fin_off;
	}
	return rc;
}

/* The tuple's connection ended, and this segment is not of it: its SYN was not captured. */
static bool
is_successor(const struct cap_flow *f, const struct sc_seg *seg)
{
	int64_t off = unwrap(&f->in, seg->seq);

	return f->is_over && (off < 0 || (uint64_t)off > f->in.end + 1);
}

static struct cap_flow *
open_client(struct scan *s, const struct frame *fr, struct cap_flow *f)
{
	const struct sc_seg *seg = fr->seg;

	if (f != NULL && f->has_syn && f->isn == seg->seq)
		return f;
	f = flow_new(s, fr);
	if (f == NULL)
		return NULL;
	f->has_syn = true;
	f->isn = seg->seq;
	set_base(&f->in, seg->seq + 1);
	return f;
}

static int
scan_client(struct scan *s, const struct frame *fr)
{
	const struct sc_seg *seg = fr->seg;
	struct cap_flow *f = flow_find(s, fr);

	if ((seg->flags & (SC_TCP_SYN | SC_TCP_ACK)) == (SC_TCP_SYN | SC_TCP_ACK))
		return 0; /* production as a client: nothing of it is replayed */
	if ((seg->flags & SC_TCP_SYN) != 0) {
		f = open_client(s, fr, f);
	} else if (f == NULL || is_successor(f, seg)) {
		if (seg->payload_len == 0)
			return 0;
		f = flow_new(s, fr);
	}
	if (f == NULL)
		return -ENOMEM;
	if ((seg->flags & SC_TCP_ACK) != 0)
		set_base(&f->out, seg->ack);
	if ((seg->flags & SC_TCP_RST) != 0) {
		f->is_over = true;
		return 0;
	}
	return add_segment(s, fr, &f->in, &f->out);
}

static void
scan_reset(struct cap_flow *f, const struct sc_seg *seg)
{
	if (f->has_syn && !f->out.has_base)
		f->is_refused = true;
	/* Behind a client's RST or both FINs it closes nothing. */
	if (f->is_over || f->out.has_rst)
		return;
	f->is_over = true;
	f->out.has_rst = true;
	f->out.rst_dep = dep_of(seg, &f->in);
}

static int
scan_syn_ack(struct scan *s, const struct frame *fr, struct cap_flow *f)
{
	const struct sc_seg *seg = fr->seg;

	if (f == NULL || !f->has_syn || f->isn != seg->ack - 1)
		f = flow_new(s, fr);
	if (f == NULL)
		return -ENOMEM;
	f->has_syn = true;
	f->is_refused = false;
	f->isn = seg->ack - 1;
	set_base(&f->in, seg->ack);
	set_base(&f->out, seg->seq + 1);
	return 0;
}

static int
scan_production(struct scan *s, const struct frame *fr)
{
	const struct sc_seg *seg = fr->seg;
	struct cap_flow *f = flow_find(s, fr);
	int rc;

	if ((seg->flags & SC_TCP_SYN) != 0)
		return scan_syn_ack(s, fr, f);
	if (f == NULL && seg->payload_len > 0) {
		f = flow_new(s, fr);
		if (f == NULL)
			return -ENOMEM;
	}
	if (f == NULL)
		return 0;
	if ((seg->flags & SC_TCP_RST) != 0) {
		scan_reset(f, seg);
		return 0;
	}
	if ((seg->flags & SC_TCP_ACK) != 0)
		set_base(&f->in, seg->ack);
	rc = add_segment(s, fr, &f->out, &f->in);
	return rc;
}

static int
scan_frame(struct scan *s, const struct whole *w)
{
	struct frame fr = {.seg = &w->seg, .part = w->part, .nb_parts = w->nb};
	struct cap_flow *f;
	int rc;

	if (!frame_direct(s, &fr))
		return 0;
	rc = fr.is_in ? scan_client(s, &fr) : scan_production(s, &fr);
	f = flow_find(s, &fr);
	if (f != NULL && f->in.has_fin && f->out.has_fin)
		f->is_over = true;
	return rc;
}

/* ---- files ---- */

static int
scan_error(const struct scan *s, int rc, const struct sc_capture_pkt *pkt)
{
	if (rc == -E2BIG)
		return sc_err_set(s->err, rc,
				"peer: %s: more than %llu segments; use fewer or smaller captures",
				s->cfg->paths[pkt->file], (unsigned long long)s->ix->max_segs);
	return sc_err_set(s->err, rc,
			"peer: %s: no memory for the index of %u connections and %llu segments",
			s->cfg->paths[pkt->file], s->ix->nb_flows,
			(unsigned long long)s->ix->nb_segs);
}

/* A record, or the packet that it completes. False: neither is a good TCP segment. */
static bool
read_record(struct scan *s, const struct sc_capture_pkt *pkt, struct whole *w)
{
	enum sc_reason r = peer_view_parse(pkt, &w->seg);

	if (r == SC_R_IP_FRAGMENT)
		return pieces_take(s->pieces, pkt, w);
	s->nb_cut += r == SC_R_TRUNCATED_FRAME;
	w->nb = w->seg.payload_len > 0;
	w->part[0] = (struct part){.pos = (uint64_t)pkt->file << PEER_POS_BITS
					| (pkt->offset + w->seg.payload_off),
			.len = w->seg.payload_len};
	return r == SC_R_NONE;
}

static int
scan_files(struct scan *s, struct sc_capture_reader *r)
{
	struct sc_capture_pkt pkt;
	struct whole w;
	struct sc_err why;
	int rc;

	for (;;) {
		rc = sc_capture_reader_next(r, &pkt, &why);
		if (rc == 0)
			return 0;
		if (rc < 0) {
			sc_log(SC_LOG_WARN, "peer", "%s", why.text);
			continue;
		}
		if (!read_record(s, &pkt, &w))
			continue;
		rc = scan_frame(s, &w);
		if (rc < 0)
			return scan_error(s, rc, &pkt);
	}
}

int
peer_scan(struct peer_index *ix, const struct peer_index_cfg *cfg, struct sc_err *err)
{
	struct scan s = {.ix = ix, .cfg = cfg, .mask = 1023, .err = err};
	struct sc_capture_reader *r;
	int rc;

	s.head = malloc((s.mask + 1) * sizeof(*s.head));
	s.pieces = pieces_new();
	if (s.head == NULL || s.pieces == NULL) {
		free(s.head);
		pieces_free(s.pieces);
		return sc_err_set(err, -ENOMEM, "peer: no memory for the index");
	}
	memset(s.head, 0xff, (s.mask + 1) * sizeof(*s.head));
	r = sc_capture_reader_open(cfg->paths, cfg->nb_paths, err);
	rc = r != NULL ? scan_files(&s, r) : -errno;
	sc_capture_reader_close(r);
	free(s.head);
	pieces_free(s.pieces);
	if (s.nb_cut > 0)
		sc_log(SC_LOG_WARN, "peer",
				"%llu frames of the captures were cut off by a snap length: their "
				"bytes "
				"are neither replayed nor answered; capture whole frames (-s 0)",
				(unsigned long long)s.nb_cut);
	return rc;
}
