/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * traffic: a production conversation as a mirror near production would see it: two ends with
 * windows, delayed and piggybacked ACKs, and a path without loss between them.
 */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define DELACK_US 40000
#define WINDOW_FIRST 14600u
#define WINDOW_MAX 300000u
#define NEVER UINT64_MAX
#define SEGMENT_US 12 /* on a wire of 1 Gbit/s */

/* A segment on its way. */
struct transit {
	uint64_t t_us;
	uint64_t end; /* position behind its payload; one more with FIN */
	uint64_t ack; /* positions of the other half read */
	uint32_t tsval;
	bool is_data, is_reset;
};

struct end {
	uint64_t written, sent, acked; /* positions of its own half */
	uint64_t read;                 /* positions of the other half */
	uint64_t ready_us;             /* when its next step acts; NEVER: not yet known */
	uint64_t ack_us;               /* delayed ACK */
	uint64_t wire_us;              /* when its last segment has left */
	uint32_t window, unacked;
	uint32_t step, ts_recent;
	bool fin_written, fin_sent, is_dead;
	struct transit *queue; /* towards it */
	uint32_t head, tail, room;
};

struct talk {
	struct sim *s;
	struct sim_flow *f;
	struct end end[2];
	uint64_t now_us;
	bool is_over;
};

static uint32_t
tsval(uint64_t us)
{
	return (uint32_t)(us / 1000) ^ 0x5a000000;
}

static void
capture(struct talk *t, unsigned int half, uint8_t flags, uint32_t seq, uint32_t len, uint64_t pos)
{
	struct sim_flow *f = t->f;
	struct end *e = &t->end[half];
	struct sim_seg *seg;

	e->wire_us = SC_MAX(t->now_us, e->wire_us + (len > 0 ? SEGMENT_US : 0));
	f->seg = sim_grow(f->seg, &f->room_seg, f->nb_seg + 1, sizeof(*f->seg));
	seg = &f->seg[f->nb_seg++];
	*seg = (struct sim_seg){
			/* The mirror stands at the server. */
			.t_us = e->wire_us + (half == CLIENT ? f->owd_us : 0),
			.len = len,
			.seq = seq,
			.ack = flags & SC_TCP_ACK ? f->isn[!half] + 1 + (uint32_t)e->read : 0,
			.tsval = tsval(t->now_us),
			.tsecr = e->ts_recent,
			.pos = pos,
			.order = f->nb_seg,
			.flow = (uint16_t)(f - t->s->flow),
			.half = (uint8_t)half,
			.flags = flags,
	};
}

static void
transmit(struct talk *t, unsigned int half, uint8_t flags, uint32_t len)
{
	struct end *e = &t->end[half], *peer = &t->end[!half];
	uint64_t pos = e->sent;

	if (e->is_dead) /* it has sent a RST */
		return;
	capture(t, half, flags, t->f->isn[half] + 1 + (uint32_t)pos, len, pos);
	e->sent += len + (flags & SC_TCP_FIN ? 1 : 0);
	e->unacked = 0;
	e->ack_us = NEVER;
	peer->queue = sim_grow(peer->queue, &peer->room, peer->tail + 1, sizeof(*peer->queue));
	peer->queue[peer->tail++] = (struct transit){
			.t_us = e->wire_us + t->f->owd_us,
			.end = e->sent,
			.ack = e->read,
			.tsval = tsval(t->now_us),
			.is_data = len > 0 || (flags & SC_TCP_FIN),
			.is_reset = (flags & SC_TCP_RST) != 0,
	};
}

static void
acknowledge(struct talk *t, unsigned int half)
{
	t->end[half].ack_us = NEVER;
	transmit(t, half, SC_TCP_ACK, 0);
}

/* Send what the window allows; FIN goes with the last data if it is known by then. */
static void
output(struct talk *t, unsigned int half)
{
	struct end *e = &t->end[half];

	while (!e->is_dead && e->sent < e->written && e->sent - e->acked < e->window) {
		uint32_t len = (uint32_t)SC_MIN(e->written - e->sent, (uint64_t)t->f->mss);
		bool is_last = e->sent + len == e->written;
		uint8_t flags = SC_TCP_ACK | (is_last ? SC_TCP_PSH : 0);

		if (is_last && e->fin_written) {
			flags |= SC_TCP_FIN;
			e->fin_sent = true;
		}
		transmit(t, half, flags, len);
	}
	if (e->fin_written && !e->fin_sent && e->sent == e->written) {
		e->fin_sent = true;
		transmit(t, half, SC_TCP_FIN | SC_TCP_ACK, 0);
	}
}

static void
plan_step(struct talk *t, unsigned int half)
{
	struct end *e = &t->end[half];
	const struct sim_script *p = &t->f->script[half];

	if (e->ready_us == NEVER && e->step < p->nb && e->read >= p->step[e->step].need)
		e->ready_us = t->now_us + p->step[e->step].delay_us;
}

static void
act(struct talk *t, unsigned int half)
{
	struct end *e = &t->end[half];
	const struct sim_step *step = &t->f->script[half].step[e->step++];

	e->ready_us = NEVER;
	if (step->act == ACT_RST) {
		transmit(t, half, SC_TCP_RST | SC_TCP_ACK, 0);
		e->is_dead = true;
		return;
	}
	if (step->act == ACT_FIN)
		e->fin_written = true;
	e->written += step->len;
	plan_step(t, half);
	/* FIN written in the same breath rides on the data. */
	if (e->ready_us == t->now_us)
		return;
	output(t, half);
}

static void
deliver(struct talk *t, unsigned int half)
{
	struct end *e = &t->end[half];
	const struct transit q = e->queue[e->head++];

	if (q.is_reset) {
		t->is_over = true;
		return;
	}
	e->ts_recent = q.tsval;
	if (q.ack > e->acked) {
		e->window = (uint32_t)SC_MIN(e->window + (q.ack - e->acked), (uint64_t)WINDOW_MAX);
		e->acked = q.ack;
	}
	if (q.is_data) {
		e->read = q.end;
		e->unacked++;
		if (e->ack_us == NEVER)
			e->ack_us = t->now_us + DELACK_US;
	}
	plan_step(t, half);
	output(t, half);
	if (e->unacked >= 2)
		acknowledge(t, half);
}

/* The next thing that happens, if any. */
static bool
advance(struct talk *t)
{
	uint64_t at = NEVER;
	unsigned int half = 0, what = 0;

	for (unsigned int h = 0; h < 2; h++) {
		struct end *e = &t->end[h];
		uint64_t due[3] = {e->head < e->tail ? e->queue[e->head].t_us : NEVER, e->ready_us,
				e->ack_us};

		for (unsigned int k = 0; k < 3; k++) {
			if (due[k] >= at)
				continue;
			at = due[k];
			half = h;
			what = k;
		}
	}
	if (at == NEVER || t->is_over)
		return false;
	t->now_us = at;
	if (what == 0)
		deliver(t, half);
	else if (what == 1)
		act(t, half);
	else
		acknowledge(t, half);
	return true;
}

static int
by_time(const void *a, const void *b)
{
	const struct sim_seg *x = a, *y = b;

	if (x->t_us != y->t_us)
		return x->t_us < y->t_us ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

/* SYN, SYN-ACK, ACK. */
static void
handshake(struct talk *t)
{
	struct sim_flow *f = t->f;

	t->now_us = f->start_us;
	capture(t, CLIENT, SC_TCP_SYN, f->isn[CLIENT], 0, 0);
	t->now_us += f->owd_us;
	t->end[SERVER].ts_recent = tsval(f->start_us);
	capture(t, SERVER, SC_TCP_SYN | SC_TCP_ACK, f->isn[SERVER], 0, 0);
	f->seg[f->nb_seg - 1].ack = f->isn[CLIENT] + 1;
	t->end[CLIENT].ts_recent = tsval(t->now_us);
	t->now_us += f->owd_us;
	transmit(t, CLIENT, SC_TCP_ACK, 0);
	plan_step(t, CLIENT);
}

/* What the client had seen when it began to say this. */
static void
note_acked(struct sim_flow *f, const struct sim_seg *seg, uint32_t *at)
{
	struct sim_script *p = &f->script[CLIENT];

	for (; *at < p->nb && p->step[*at].begin < seg->pos + SC_MAX(seg->len, 1u); ++*at)
		p->step[*at].acked = SC_MIN(
				(uint64_t)(seg->ack - f->isn[SERVER] - 1), f->script[SERVER].bytes);
}

static void
note_starts(struct sim_flow *f)
{
	uint32_t room = 0, at = 0;

	for (uint32_t i = 0; i < f->nb_seg; i++) {
		const struct sim_seg *seg = &f->seg[i];

		if (seg->half != CLIENT || seg->len == 0)
			continue;
		f->start = sim_grow(f->start, &room, f->nb_start + 1, sizeof(*f->start));
		f->start[f->nb_start++] = seg->pos;
		note_acked(f, seg, &at);
	}
}

static void
conversation(struct sim *s, struct sim_flow *f)
{
	struct talk t = {.s = s, .f = f};
	uint64_t bytes;

	script_make(s, f);
	for (unsigned int h = 0; h < 2; h++) {
		t.end[h].ready_us = t.end[h].ack_us = NEVER;
		t.end[h].window = WINDOW_FIRST;
	}
	handshake(&t);
	/* The server's steps begin when the handshake is over. */
	while (advance(&t))
		plan_step(&t, SERVER);
	qsort(f->seg, f->nb_seg, sizeof(*f->seg), by_time);
	for (uint32_t i = 0; i < f->nb_seg; i++)
		f->seg[i].order = i;
	f->end_us = f->seg[f->nb_seg - 1].t_us;
	note_starts(f);
	bytes = f->script[CLIENT].bytes + 8;
	f->got = calloc(bytes, 1);
	f->reads = calloc(bytes, sizeof(*f->reads));
	for (unsigned int h = 0; h < 2; h++)
		free(t.end[h].queue);
}

/* ---- flows ---- */

static void
make_addr(struct sc_addr *a, bool is_v6, uint32_t net, uint32_t host)
{
	memset(a, 0, sizeof(*a));
	if (!is_v6)
		a->b[10] = a->b[11] = 0xff;
	else
		a->b[0] = 0x20;
	a->b[1] = is_v6 ? (uint8_t)net : 0;
	a->b[12] = is_v6 ? 0 : (uint8_t)net;
	a->b[13] = 1;
	a->b[14] = (uint8_t)(host >> 8);
	a->b[15] = (uint8_t)host;
}

static void
flow_options(struct sim *s, struct sim_flow *f)
{
	f->has_ts = sim_draw(s, 800);
	f->has_ws = sim_draw(s, 850);
	f->has_mss = sim_draw(s, 950);
	f->wscale = (uint8_t)sim_between(s, 0, 14);
	f->mss = (uint16_t)(sim_draw(s, 800) ? (s->cfg.is_v6 ? 1440 : 1460)
					     : sim_between(s, 200, 1400));
	if (f->has_ts)
		f->mss -= 12;
	f->owd_us = sim_between(s, 0, 9) < 8 ? sim_between(s, 20, 5000)
					     : sim_between(s, 5000, 80000);
}

static void
flow_make(struct sim *s, uint32_t i)
{
	struct sim_flow *f = &s->flow[i];
	const struct sim_flow *before = i > 0 ? f - 1 : NULL;

	f->kind = s->cfg.kind == KIND_COUNT ? (enum sim_kind)sim_between(s, 0, KIND_COUNT - 1)
					    : s->cfg.kind;
	f->ending = (enum sim_ending)(sim_draw(s, 600) ? sim_between(s, 0, 1)
						       : sim_between(s, 0, ENDING_COUNT - 1));
	f->is_reuse = before != NULL && has_fault(s, F(M_REUSE)) && sim_draw(s, 700);
	f->content = sim_between(s, 0, SIM_BYTES - 1);
	/* Far apart, so that a connection's ISN tells its flow (offsets of gaps are small). */
	f->isn[CLIENT] = (i << 27) + 0xf8000000u + sim_between(s, 1u << 25, 1u << 26);
	f->isn[SERVER] = (uint32_t)sc_rng_next(&s->rng);
	f->start_us = SIM_T0_US + sim_between(s, 1000, 2000000);
	make_addr(&f->client, s->cfg.is_v6, 10, 256 + i);
	make_addr(&f->server, s->cfg.is_v6, 11, 1);
	f->cport = (uint16_t)sim_between(s, 1024, 65535);
	f->sport = 80;
	flow_options(s, f);
	if (f->is_reuse) {
		sim_hit(s, F(M_REUSE));
		sim_show(s,
				before->script[CLIENT].has_fin                  ? SHOWN_REUSE_FIN
						: before->ending == ENDING_OPEN ? SHOWN_REUSE_OPEN
										: SHOWN_REUSE_RST);
		f->client = before->client;
		f->cport = before->cport;
		f->start_us = before->end_us + sim_between(s, 1000, 3000000);
	}
	conversation(s, f);
	s->totals->kind[f->kind]++;
	s->totals->ending[f->ending]++;
}

void
traffic_make(struct sim *s)
{
	make_addr(&s->target_addr, s->cfg.is_v6, 12, 1);
	make_addr(&s->pool_addr[0], false, 13, 1);
	make_addr(&s->pool_addr[1], true, 13, 1);
	s->target_port = 8080;
	for (uint32_t i = 0; i < s->cfg.nb_flows; i++)
		flow_make(s, i);
}

void
traffic_free(struct sim *s)
{
	for (uint32_t i = 0; i < s->cfg.nb_flows; i++) {
		struct sim_flow *f = &s->flow[i];

		free(f->script[CLIENT].step);
		free(f->script[SERVER].step);
		free(f->seg);
		free(f->start);
		free(f->got);
		free(f->reads);
	}
	free(s->frame);
}
