/* SPDX-License-Identifier: BSD-3-Clause */
/* target: its connections, listening, what it makes of strangers, and its clock. */
#include "target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STUCK_RETRIES 4

int
target_open(struct sim *s)
{
	s->target = calloc(1, sizeof(*s->target));
	if (s->target == NULL)
		return -ENOMEM;
	s->target->next_us = NEVER;
	return 0;
}

void
target_close(struct sim *s)
{
	for (uint32_t i = 0; i < s->target->nb; i++)
		free(s->target->conn[i].buf);
	free(s->target);
}

static struct tconn *
find_at(struct sim *s, const struct sc_addr *addr, uint16_t port)
{
	for (uint32_t i = s->target->nb; i-- > 0;) {
		struct tconn *c = &s->target->conn[i];

		if (c->port == port && sc_addr_eq(&c->addr, addr))
			return c;
	}
	return NULL;
}

static struct tconn *
find(struct sim *s, const struct sc_seg *seg)
{
	return find_at(s, &seg->src, seg->sport);
}

uint32_t
target_flow(struct sim *s, const struct sc_addr *client, uint16_t port)
{
	const struct tconn *c = find_at(s, client, port);

	return c == NULL || c->flow == NULL ? SIM_NONE : (uint32_t)(c->flow - s->flow);
}

/* The flow whose numbers the ISN lies among; gaps and reopening move it within the stream. */
static struct sim_flow *
flow_of(struct sim *s, uint32_t isn, uint64_t *pos)
{
	for (uint32_t i = 0; i < s->cfg.nb_flows; i++) {
		struct sim_flow *f = &s->flow[i];
		int32_t off = (int32_t)(isn - f->isn[CLIENT]);

		if (off < -(1 << 24) || off > (1 << 25))
			continue;
		*pos = off < 0 ? 0 : (uint64_t)off;
		return f;
	}
	return NULL;
}

static void
options(struct sim *s, struct tconn *c, const struct sc_seg *syn)
{
	bool is_v4 = sc_addr_is_v4(&c->addr);

	c->has_ts = (syn->opts & SC_OPT_TS) && !has_fault(s, F(T_NO_TS));
	if ((syn->opts & SC_OPT_TS) && !c->has_ts)
		sim_hit(s, F(T_NO_TS));
	sim_hit(s, s->cfg.faults & (F(T_MSS) | F(T_SMALL_WINDOW)));
	c->mss = syn->opts & SC_OPT_MSS ? syn->mss : (is_v4 ? 536 : 1220);
	if (c->has_ts)
		c->mss -= 12;
	c->rcv_wscale = c->snd_wscale = 0;
	if ((syn->opts & SC_OPT_WSCALE) && s->cfg.target_wscale != 0xff) {
		c->rcv_wscale = s->cfg.target_wscale;
		c->snd_wscale = syn->wscale;
	}
	c->ts_recent = syn->tsval;
}

/* A SYN to a port that listens (RFC 9293 section 3.10.7.2). */
static void
listen(struct sim *s, struct tconn *c, const struct sc_seg *syn)
{
	uint8_t *buf = c->buf;
	uint32_t room = c->room;

	*c = (struct tconn){.addr = syn->src, .port = syn->sport, .buf = buf, .room = room};
	c->state = T_SYN_RCVD;
	c->irs = syn->seq;
	c->rcv_nxt = syn->seq + 1;
	c->iss = (uint32_t)sc_rng_next(&s->rng);
	c->una = c->nxt = c->max = c->iss;
	c->wnd = syn->wnd;
	c->cwnd = 14600;
	c->ssthresh = UINT32_MAX;
	c->rto_us = SC_US_PER_S;
	c->rto_at = c->ack_us = c->ready_us = c->read_us = c->wait_us = NEVER;
	c->flow = flow_of(s, syn->seq, &c->pos);
	options(s, c, syn);
	app_open(s, c);
	c->edge = c->rcv_nxt + SC_MIN(s->cfg.target_buf, 65535u);
	conn_answer(s, c, SC_TCP_SYN | SC_TCP_ACK, c->iss, 0);
	c->nxt = c->max = c->iss + 1;
	c->rto_at = s->now_us + c->rto_us;
	conn_arm(s, c);
}

static struct tconn *
conn_new(struct sim *s, const struct sc_seg *seg)
{
	struct tconn *c;

	if (s->target->nb == CONNS_MAX) {
		sim_fail(s, "the engine opened more than %d connections", CONNS_MAX);
		return NULL;
	}
	c = &s->target->conn[s->target->nb++];
	c->addr = seg->src;
	c->port = seg->sport;
	c->rto_at = c->ack_us = c->ready_us = c->read_us = c->wait_us = NEVER;
	return c;
}

/* What a SYN for a tuple without a connection meets. */
static void
on_syn(struct sim *s, struct tconn *c, const struct sc_seg *syn)
{
	if (has_fault(s, F(T_SYN_DROP)) && sim_draw(s, 500)) {
		sim_touch(s, F(T_SYN_DROP), NULL);
		return;
	}
	if (has_fault(s, F(T_SYN_REFUSE)) && sim_draw(s, 300)) {
		sim_touch(s, F(T_SYN_REFUSE), NULL);
		answer_unknown(s, syn);
		return;
	}
	if (c == NULL)
		c = conn_new(s, syn);
	if (c == NULL)
		return;
	if (c->state == T_CLOSED && c->irs == 0 && has_fault(s, F(T_STALE)) && sim_draw(s, 600)) {
		c->state = T_STALE;
		sim_touch(s, F(T_STALE), NULL);
		c->iss = c->nxt = c->max = (uint32_t)sc_rng_next(&s->rng);
		c->rcv_nxt = c->edge = c->edge_max = (uint32_t)sc_rng_next(&s->rng);
		conn_ack(s, c);
		return;
	}
	if (c->state == T_CLOSED && c->irs == 0 && has_fault(s, F(T_TIME_WAIT))
			&& sim_draw(s, 600)) {
		c->state = T_TIME_WAIT;
		sim_hit(s, F(T_TIME_WAIT));
		c->wait_us = s->now_us + 60 * SC_US_PER_S;
		c->iss = c->nxt = c->max = (uint32_t)sc_rng_next(&s->rng);
		c->rcv_nxt = syn->seq + 2 + sim_between(s, 0, 1000);
		c->irs = c->rcv_nxt - 1;
		c->edge = c->edge_max = c->rcv_nxt;
		c->has_ts = false;
		conn_ack(s, c);
		return;
	}
	listen(s, c, syn);
}

/* TIME-WAIT takes a SYN with a newer timestamp or a higher ISN (RFC 6191, RFC 9293 3.10.7.4). */
static bool
can_replace(const struct tconn *c, const struct sc_seg *syn)
{
	if (c->has_ts && (syn->opts & SC_OPT_TS) && sc_seq_gt(syn->tsval, c->ts_recent))
		return true;
	return sc_seq_geq(syn->seq, c->rcv_nxt);
}

static bool
is_plain_syn(const struct sc_seg *seg)
{
	return (seg->flags & (SC_TCP_SYN | SC_TCP_ACK | SC_TCP_RST)) == SC_TCP_SYN;
}

/* The same for a segment of the engine: a SYN tells by its number. */
uint32_t
target_subject(struct sim *s, const struct sc_seg *seg)
{
	const struct sim_flow *f = NULL;
	uint64_t pos;

	if (is_plain_syn(seg))
		f = flow_of(s, seg->seq, &pos);
	return f == NULL ? target_flow(s, &seg->src, seg->sport) : (uint32_t)(f - s->flow);
}

void
target_segment(struct sim *s, const struct sc_seg *seg)
{
	struct tconn *c = find(s, seg);

	s->arrived++;
	s->subject = target_subject(s, seg);
	sim_trace(s, "    target gets :%u %s seq %u ack %u len %u wnd %u", seg->sport,
			seg->flags & SC_TCP_SYN ? "SYN" : "", seg->seq, seg->ack, seg->payload_len,
			seg->wnd);
	if (has_fault(s, F(T_SILENT)) && s->now_us >= s->cfg.event_us) {
		sim_touch(s, F(T_SILENT), NULL);
		return;
	}
	if (has_fault(s, F(T_RESTART)) && !s->target->has_restarted
			&& s->now_us >= s->cfg.event_us) {
		s->target->has_restarted = true;
		sim_touch(s, F(T_RESTART), NULL);
		for (uint32_t i = 0; i < s->target->nb; i++)
			conn_close(s, &s->target->conn[i]);
	}
	if (is_plain_syn(seg)
			&& (c == NULL || c->state == T_CLOSED
					|| (c->state == T_TIME_WAIT && can_replace(c, seg)))) {
		if (c != NULL && c->state == T_TIME_WAIT)
			listen(s, c, seg);
		else
			on_syn(s, c, seg);
	} else if (c == NULL || c->state == T_CLOSED) {
		answer_unknown(s, seg);
	} else {
		conn_segment(s, c, seg);
	}
	if (c != NULL)
		conn_arm(s, c);
	s->subject = SIM_NONE;
}

uint32_t
target_stuck(const struct sim *s)
{
	uint32_t nb = 0;

	for (uint32_t i = 0; i < s->target->nb; i++) {
		const struct tconn *c = &s->target->conn[i];

		nb += c->fin_sent && c->una == c->max - 1 && c->retries >= STUCK_RETRIES
				&& (c->state == T_LAST_ACK || c->state == T_CLOSING);
	}
	return nb;
}

/* ---- time ---- */

static uint64_t
deadline(const struct tconn *c)
{
	uint64_t at = SC_MIN(SC_MIN(c->rto_at, c->ack_us), SC_MIN(c->ready_us, c->read_us));

	return SC_MIN(at, c->wait_us);
}

void
conn_arm(struct sim *s, struct tconn *c)
{
	s->target->next_us = SC_MIN(s->target->next_us, deadline(c));
}

uint64_t
target_next(const struct sim *s)
{
	return s->target->next_us;
}

static void
conn_due(struct sim *s, struct tconn *c)
{
	s->subject = c->flow == NULL ? SIM_NONE : (uint32_t)(c->flow - s->flow);
	if (c->wait_us <= s->now_us)
		conn_close(s, c);
	if (c->rto_at <= s->now_us)
		conn_rto(s, c);
	if (c->ack_us <= s->now_us)
		conn_ack(s, c);
	if (c->read_us <= s->now_us)
		app_read(s, c);
	if (c->ready_us <= s->now_us)
		app_run(s, c);
}

void
target_timers(struct sim *s)
{
	struct sim_target *t = s->target;

	if (t->next_us > s->now_us)
		return;
	for (uint32_t i = 0; i < t->nb; i++)
		if (deadline(&t->conn[i]) <= s->now_us)
			conn_due(s, &t->conn[i]);
	s->subject = SIM_NONE;
	t->next_us = NEVER;
	for (uint32_t i = 0; i < t->nb; i++)
		conn_arm(s, &t->conn[i]);
}

/* ---- what the engine does, judged when the frame leaves ---- */

/* Up to captured position `pos` the client has been replayed: has this step begun? */
static bool
is_begun(const struct sim_step *step, const struct sc_seg *seg, uint64_t pos)
{
	if (step->act == ACT_DATA)
		return step->begin < pos;
	return step->act == ACT_FIN && (seg->flags & SC_TCP_FIN) && step->begin <= pos;
}

/* Does this segment begin turns whose answers before are not sent yet? */
static void
watch_turns(struct sim *s, struct tconn *c, const struct sc_seg *seg)
{
	uint32_t end = seg->seq + seg->payload_len - c->irs - 1;
	uint64_t pos = c->pos + (uint64_t)(int64_t)(int32_t)(end - c->aligned);

	while (c->watch_step < c->flow->script[CLIENT].nb) {
		const struct sim_step *step = &c->flow->script[CLIENT].step[c->watch_step];

		if (!is_begun(step, seg, pos))
			break;
		c->watch_step++;
		if (c->flow->kind == KIND_DUPLEX ? step->acked == 0 : step->need == 0)
			continue;
		s->turns++;
		if (app_has_sent(c, step))
			continue;
		s->early++;
		s->early_piped += c->flow->kind == KIND_PIPELINED;
		sim_trace(s, "          early: step %u at %lu wants %lu answer bytes",
				c->watch_step - 1, (unsigned long)step->begin,
				(unsigned long)step->need);
	}
}

void
target_watch(struct sim *s, const struct sc_seg *seg)
{
	struct tconn *c = find(s, seg);
	bool is_syn = is_plain_syn(seg);

	if (c == NULL) {
		if (!is_syn && (seg->payload_len > 0 || (seg->flags & SC_TCP_FIN)))
			sim_fail(s, "data or FIN on port %u, where no connection ever was",
					seg->sport);
		return;
	}
	if (is_syn)
		c->sent_max = seg->seq + 1;
	else
		c->sent_max = sc_seq_max(c->sent_max, seg->seq + seg->payload_len);
	if (c->was_reset && !is_syn && (seg->payload_len > 0 || (seg->flags & SC_TCP_FIN)))
		sim_fail(s, "data or FIN on port %u after a RST", seg->sport);
	/* Without ACK it is meant for an older connection, met while this one is opened. */
	if ((seg->flags & (SC_TCP_RST | SC_TCP_ACK)) == (SC_TCP_RST | SC_TCP_ACK))
		c->was_reset = true;
	if (is_syn)
		c->was_reset = false;
	if (c->state < T_ESTABLISHED || c->flow == NULL || is_syn)
		return;
	if (has_fault(s, SIM_LOSSY) || sc_seq_lt(seg->seq, c->watch_max))
		return;
	/* In full duplex only the count of bytes tells, and theirs is another. */
	if (c->flow->kind == KIND_DUPLEX && has_fault(s, F(T_SHORTER) | F(T_LONGER)))
		return;
	if (seg->payload_len > 0 || (seg->flags & SC_TCP_FIN))
		watch_turns(s, c, seg);
	c->watch_max = sc_seq_max(c->watch_max, seg->seq + seg->payload_len);
}
