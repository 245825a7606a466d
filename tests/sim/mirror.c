/* SPDX-License-Identifier: BSD-3-Clause */
/* mirror: captured segments become the frames that a dirty mirror shows. */
#include <stdlib.h>
#include <string.h>

#include <rte_byteorder.h>

#include "sim.h"

#define SUPER_MAX 65000u
#define LINK_MAX 1600

static void
put_frame(struct sim *s, const struct sim_seg *seg, uint64_t t_us, uint8_t how)
{
	struct sim_frame *fr;

	s->frame = sim_grow(s->frame, &s->room_frames, s->nb_frames + 1, sizeof(*s->frame));
	fr = &s->frame[s->nb_frames];
	*fr = (struct sim_frame){.t_us = t_us, .order = s->nb_frames, .seg = *seg, .how = how};
	s->nb_frames++;
}

/* As the kernel's GRO: the same half, contiguous, same ACK number, no flag but PSH. */
static bool
can_merge(const struct sim_seg *a, const struct sim_seg *b)
{
	return a->half == b->half && a->len > 0 && b->len > 0 && a->seq + a->len == b->seq
			&& a->ack == b->ack && a->flags == SC_TCP_ACK
			&& (b->flags & ~SC_TCP_PSH) == SC_TCP_ACK && a->len + b->len < SUPER_MAX
			&& b->t_us - a->t_us < 300;
}

/* The client sends a part of what it has just sent again, cut elsewhere, perhaps with other bytes. */
static void
retransmit(struct sim *s, const struct sim_seg *seg)
{
	struct sim_seg again = *seg;
	uint32_t front, back;

	if (seg->len == 0 || (seg->flags & SC_TCP_SYN))
		return;
	front = sim_draw(s, 500) ? sim_between(s, 0, seg->len - 1) : 0;
	back = sim_draw(s, 500) ? sim_between(s, 0, (uint32_t)SC_MIN(seg->pos, 500ull)) : 0;
	if (front == 0 && back > 0) {
		again.pos -= back;
		again.seq -= back;
		again.len += back;
		sim_show(s, SHOWN_OVERLAP);
	} else {
		again.pos += front;
		again.seq += front;
		again.len -= front;
	}
	again.other = has_fault(s, F(M_CONFLICT)) && sim_draw(s, 500);
	sim_hit(s, again.other ? F(M_CONFLICT) : F(M_RETRANS) & s->cfg.faults);
	put_frame(s, &again, seg->t_us + sim_between(s, 300, 200000), 0);
}

static void
show(struct sim *s, const struct sim_seg *seg)
{
	struct sim_flow *f = &s->flow[seg->flow];
	uint32_t rate = s->cfg.rate;
	uint64_t t = seg->t_us;
	uint8_t how = 0;

	if (has_fault(s, seg->half == SERVER ? F(M_CLIENT_ONLY) : F(M_SERVER_ONLY))) {
		sim_hit(s, s->cfg.faults & (F(M_CLIENT_ONLY) | F(M_SERVER_ONLY)));
		return;
	}
	if (has_fault(s, F(M_RETRANS) | F(M_CONFLICT)) && seg->half == CLIENT && sim_draw(s, rate))
		retransmit(s, seg);
	if (has_fault(s, F(M_LOSS)) && sim_draw(s, rate / 2)) {
		sim_touch(s, F(M_LOSS), f);
		return;
	}
	if (has_fault(s, F(M_TRUNCATE)) && sim_draw(s, rate / 2))
		how |= SIM_FRAME_TRUNCATE;
	if (has_fault(s, F(M_CSUM)) && sim_draw(s, rate / 2))
		how |= SIM_FRAME_BAD_CSUM;
	if (how & SIM_FRAME_TRUNCATE)
		sim_touch(s, F(M_TRUNCATE), f);
	if (how & SIM_FRAME_BAD_CSUM)
		sim_touch(s, F(M_CSUM), f);
	if (has_fault(s, F(M_VLAN)) && seg->half == CLIENT) {
		how |= SIM_FRAME_VLAN;
		sim_hit(s, F(M_VLAN));
	}
	/* A SYN behind the first data would make it a mid-stream flow, which may lose bytes. */
	if (has_fault(s, F(M_REORDER)) && !(seg->flags & SC_TCP_SYN) && sim_draw(s, rate))
		t += sim_draw(s, 700) ? sim_between(s, 1, 300) : sim_between(s, 1, 15000);
	put_frame(s, seg, t, how);
	if (has_fault(s, F(M_DUP))) {
		sim_hit(s, F(M_DUP));
		put_frame(s, seg, t + sim_between(s, 0, 2000), how);
	}
}

static void
flow_frames(struct sim *s, struct sim_flow *f, uint64_t from_us)
{
	for (uint32_t i = 0; i < f->nb_seg; i++) {
		struct sim_seg seg = f->seg[i];

		if (seg.t_us < from_us) {
			sim_touch(s, F(M_MIDSTREAM), f);
			continue;
		}
		while (has_fault(s, F(M_SUPER)) && i + 1 < f->nb_seg
				&& can_merge(&seg, &f->seg[i + 1])) {
			i++;
			seg.len += f->seg[i].len;
			seg.flags |= f->seg[i].flags;
			sim_hit(s, F(M_SUPER));
		}
		if (seg.len > 32768)
			sim_show(s, SHOWN_SUPER_BIG);
		show(s, &seg);
	}
}

static int
by_time(const void *a, const void *b)
{
	const struct sim_frame *x = a, *y = b;

	if (x->t_us != y->t_us)
		return x->t_us < y->t_us ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Which frames have overtaken others of their flow? */
static void
note_order(struct sim *s)
{
	uint32_t newest[SIM_FLOWS_MAX][2] = {{0}};

	for (uint32_t i = 0; i < s->nb_frames; i++) {
		const struct sim_seg *g = &s->frame[i].seg;
		uint32_t *own = &newest[g->flow][g->half], other = newest[g->flow][!g->half];

		if (g->order < *own)
			sim_show(s, SHOWN_ORDER_ONE);
		if (g->order < other)
			sim_show(s, SHOWN_ORDER_BOTH);
		*own = SC_MAX(*own, g->order);
	}
	if (s->shown & (1ull << SHOWN_ORDER_ONE | 1ull << SHOWN_ORDER_BOTH))
		sim_hit(s, F(M_REORDER));
}

void
mirror_make(struct sim *s)
{
	uint64_t from_us = 0;

	if (has_fault(s, F(M_MIDSTREAM)))
		from_us = s->flow[0].start_us
				+ sc_rng_next(&s->rng)
						% (s->flow[0].end_us - s->flow[0].start_us + 1);
	for (uint32_t i = 0; i < s->cfg.nb_flows; i++)
		flow_frames(s, &s->flow[i], from_us);
	if (s->nb_frames > 0)
		qsort(s->frame, s->nb_frames, sizeof(*s->frame), by_time);
	if (has_fault(s, F(M_REORDER)))
		note_order(s);
}

/* ---- bytes ---- */

struct out {
	uint8_t b[LINK_MAX];
	size_t len;
	uint16_t pseudo; /* sum of the pseudo-header */
};

static void
put(struct out *o, uint64_t value, unsigned int bytes)
{
	while (bytes-- > 0)
		o->b[o->len++] = (uint8_t)(value >> (8 * bytes));
}

static uint64_t
fold16(uint64_t wide)
{
	while (wide > 0xffff)
		wide = (wide & 0xffff) + (wide >> 16);
	return wide;
}

static uint32_t
sum16(uint32_t sum, const uint8_t *p, size_t len)
{
	uint64_t wide = 0;
	uint32_t word;

	/* In the machine's own order: only the result is turned (RFC 1071 section 2 (B)). */
	for (; len >= sizeof(word); p += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		wide += word;
	}
	word = 0;
	memcpy(&word, p, len);
	wide = fold16(wide + word);
	return (uint32_t)fold16(sum + (uint64_t)rte_be_to_cpu_16((uint16_t)wide));
}

static void
set16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void
put_addr(struct out *o, const struct sc_addr *a)
{
	unsigned int from = sc_addr_is_v4(a) ? 12 : 0;

	memcpy(o->b + o->len, a->b + from, 16 - from);
	o->len += 16 - from;
}

static uint8_t
put_options(struct out *o, const struct sim_flow *f, const struct sim_seg *seg)
{
	size_t from = o->len;

	if ((seg->flags & SC_TCP_SYN) && f->has_mss)
		put(o, 0x02040000ull | f->mss, 4);
	if (f->has_ts && !(seg->flags & SC_TCP_RST)) {
		put(o, 0x0101080a, 4);
		put(o, seg->tsval, 4);
		put(o, seg->tsecr, 4);
	}
	if ((seg->flags & SC_TCP_SYN) && f->has_ws)
		put(o, 0x01030300ull | f->wscale, 4);
	return (uint8_t)(o->len - from);
}

/* Ethernet, IP and TCP headers; returns where TCP's begins. */
static size_t
headers(const struct sim *s, const struct sim_frame *fr, struct out *o)
{
	const struct sim_seg *seg = &fr->seg;
	const struct sim_flow *f = &s->flow[seg->flow];
	bool is_client = seg->half == CLIENT, is_v4 = sc_addr_is_v4(&f->client);
	const struct sc_addr *src = is_client ? &f->client : &f->server;
	const struct sc_addr *dst = is_client ? &f->server : &f->client;
	struct out opt = {.len = 0};
	uint32_t tcp_len = 20u + put_options(&opt, f, seg) + seg->len;
	size_t ip, tcp;

	put(o, 0x02aa00000001ull, 6);
	put(o, 0x02aa00000002ull, 6);
	if (fr->how & SIM_FRAME_VLAN)
		put(o, 0x8100000a, 4);
	put(o, is_v4 ? 0x0800 : 0x86dd, 2);
	ip = o->len;
	if (is_v4) {
		put(o, 0x45000000ull | (20 + tcp_len), 4);
		/* The same number for the same packet only: so a mirror's duplicate is known. */
		put(o, (uint64_t)((seg->order * 2 + is_client) & 0xffff) << 16 | 0x4000, 4);
		put(o, 0x40060000, 4);
	} else {
		put(o, 0x60000000, 4);
		put(o, (uint64_t)tcp_len << 16 | 0x0640, 4);
	}
	put_addr(o, src);
	put_addr(o, dst);
	if (is_v4)
		set16(o->b + ip + 10, ~sum16(0, o->b + ip, 20));
	tcp = o->len;
	put(o, is_client ? f->cport : f->sport, 2);
	put(o, is_client ? f->sport : f->cport, 2);
	put(o, seg->seq, 4);
	put(o, seg->ack, 4);
	put(o, (20 + opt.len) / 4 << 4, 1);
	put(o, seg->flags, 1);
	put(o, 0xfaf0, 2);
	put(o, 0, 4);
	memcpy(o->b + o->len, opt.b, opt.len);
	o->len += opt.len;
	o->pseudo = (uint16_t)sum16(6 + tcp_len, o->b + ip + (is_v4 ? 12 : 8), is_v4 ? 8 : 32);
	set16(o->b + tcp + 16, sum16(o->pseudo, o->b + tcp, o->len - tcp));
	return tcp;
}

/* Append to the chain; false: no mbuf. */
static bool
append(struct rte_mbuf *head, struct rte_mempool *mp, const uint8_t *data, uint32_t len, bool other)
{
	while (len > 0) {
		struct rte_mbuf *last = rte_pktmbuf_lastseg(head);
		uint32_t n = SC_MIN(len, (uint32_t)rte_pktmbuf_tailroom(last));
		uint8_t *to = rte_pktmbuf_mtod_offset(last, uint8_t *, last->data_len);

		if (n == 0) {
			struct rte_mbuf *m = rte_pktmbuf_alloc(mp);

			if (m == NULL)
				return false;
			rte_pktmbuf_chain(head, m);
			continue;
		}
		memcpy(to, data, n);
		for (uint32_t i = 0; other && i < n; i++)
			to[i] ^= 0x80;
		last->data_len += (uint16_t)n;
		head->pkt_len += n;
		data += n;
		len -= n;
	}
	return true;
}

static uint32_t
payload_sum(const struct rte_mbuf *head, uint32_t skip, uint32_t sum)
{
	bool odd = false;

	for (const struct rte_mbuf *m = head; m != NULL; m = m->next) {
		const uint8_t *p = rte_pktmbuf_mtod_offset(m, const uint8_t *, skip);
		size_t n = m->data_len - skip;

		if (odd && n > 0) {
			sum = sum16(sum + p[0], p, 0);
			p++;
			n--;
			odd = false;
		}
		sum = sum16(sum, p, n);
		odd ^= n % 2 == 1;
		skip = 0;
	}
	return sum;
}

/* One bit falls: in the payload, so that whoever takes it is found out, or in the sum itself. */
static void
spoil(struct rte_mbuf *head, uint32_t len, uint32_t *sum)
{
	struct rte_mbuf *last = rte_pktmbuf_lastseg(head);

	if (len > 0)
		*rte_pktmbuf_mtod_offset(last, uint8_t *, last->data_len - 1) ^= 0x80;
	else
		*sum ^= 0x0101;
}

/* The frame in an mbuf; NULL when the pool is empty. */
struct rte_mbuf *
mirror_frame(struct sim *s, const struct sim_frame *fr, struct rte_mempool *mp)
{
	const struct sim_seg *seg = &fr->seg;
	struct rte_mbuf *m = rte_pktmbuf_alloc(mp);
	struct out o = {.len = 0};
	uint32_t sum;
	size_t tcp;

	if (m == NULL)
		return NULL;
	tcp = headers(s, fr, &o);
	memcpy(rte_pktmbuf_append(m, (uint16_t)o.len), o.b, o.len);
	if (!append(m, mp, sim_content(&s->flow[seg->flow], seg->pos), seg->len, seg->other)) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	sum = (uint32_t)o.b[tcp + 16] << 8 | o.b[tcp + 17];
	sum = payload_sum(m, (uint32_t)o.len, sum);
	if (fr->how & SIM_FRAME_BAD_CSUM)
		spoil(m, seg->len, &sum);
	/* One in 65,536 would pass for a frame whose sum the sender left to its NIC: nobody can tell. */
	if ((fr->how & SIM_FRAME_BAD_CSUM) && (uint16_t)~sum == o.pseudo)
		sum ^= 0x0101;
	set16(rte_pktmbuf_mtod_offset(m, uint8_t *, tcp + 16), ~sum);
	if ((fr->how & SIM_FRAME_TRUNCATE) && m->pkt_len > 60)
		rte_pktmbuf_trim(m, m->next == NULL ? SC_MIN(m->data_len - 40u, 20u) : 1);
	sc_mbuf_meta(m)->cap_us = fr->t_us;
	sc_mbuf_meta(m)->link = SC_LINK_ETHER;
	return m;
}
