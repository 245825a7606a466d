/* SPDX-License-Identifier: BSD-3-Clause */
/* A target without a clock or a will of its own: production's byte counts, at once. */
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "sc_test.h"

#define FLOWS_MAX 16
#define STEPS_MAX 64
#define CONNS_MAX 64
#define REPLIES_MAX 512

/* Production had sent `sent` bytes (and its FIN) when it had received `received` of the client. */
struct step {
	uint32_t received, sent;
	bool has_fin;
};

struct flow {
	struct sc_addr client;
	uint16_t port;
	uint32_t isn;
	uint32_t prod_isn;
	struct step step[STEPS_MAX];
	unsigned int nb_steps;
};

struct conn {
	struct sc_addr addr;
	uint16_t port, target;
	uint32_t irs, iss;
	uint32_t rcv_nxt, snd_nxt;
	uint32_t ts_recent;
	bool has_ts, has_wscale;
	bool is_closed, has_sent_fin;
	const struct flow *flow;
};

struct target {
	uint16_t mss;
	struct flow flow[FLOWS_MAX];
	unsigned int nb_flows;
	struct conn conn[CONNS_MAX];
	unsigned int nb_conns;
	struct sc_record reply[REPLIES_MAX];
	unsigned int nb_replies;
};

struct target *
target_new(uint16_t mss)
{
	struct target *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->mss = mss;
	return t;
}

void
target_free(struct target *t)
{
	free(t);
}

/* ---- what production did ---- */

static struct flow *
flow_new(struct target *t, const struct sc_addr *client, uint16_t port, uint32_t isn)
{
	struct flow *f = &t->flow[t->nb_flows++];

	assert_true(t->nb_flows <= FLOWS_MAX);
	*f = (struct flow){.client = *client, .port = port, .isn = isn};
	return f;
}

/* The newest one of a client's port. */
static struct flow *
flow_of(struct target *t, const struct sc_addr *client, uint16_t port)
{
	for (unsigned int i = t->nb_flows; i > 0; i--) {
		struct flow *f = &t->flow[i - 1];

		if (f->port == port && sc_addr_eq(&f->client, client))
			return f;
	}
	return NULL;
}

void
target_learn(struct target *t, const struct sc_seg *s, bool is_client)
{
	struct flow *f = flow_of(t, is_client ? &s->src : &s->dst, is_client ? s->sport : s->dport);
	struct step *step;

	if (is_client) {
		if (s->flags & SC_TCP_SYN)
			flow_new(t, &s->src, s->sport, s->seq);
		return;
	}
	assert_non_null(f);
	if (s->flags & SC_TCP_SYN)
		f->prod_isn = s->seq;
	if (s->payload_len == 0 && !(s->flags & SC_TCP_FIN))
		return;
	assert_true(f->nb_steps < STEPS_MAX);
	step = &f->step[f->nb_steps++];
	step->received = s->ack - f->isn - 1;
	step->sent = s->seq + s->payload_len - f->prod_isn - 1;
	step->has_fin = (s->flags & SC_TCP_FIN) != 0;
}

/* ---- responses ---- */

static void
reply(struct target *t, struct conn *c, uint8_t flags, uint16_t len)
{
	struct sc_record *r = &t->reply[t->nb_replies++];

	assert_true(t->nb_replies <= REPLIES_MAX);
	*r = (struct sc_record){
			.client = c->addr,
			.port = c->port,
			.target = c->target,
			.seq = c->snd_nxt,
			.ack = c->rcv_nxt,
			.len = len,
			.wnd = 60000,
			.flags = flags,
			.segs = (uint8_t)(1 | (c->has_ts ? SC_REC_TS : 0)),
			.tsecr = c->ts_recent,
	};
	if (flags & SC_TCP_SYN) {
		r->syn_bits = SC_REC_MSS | (c->has_wscale ? SC_REC_WSCALE : 0);
		r->mss = t->mss;
		r->wscale = 5;
	}
	c->snd_nxt += len + ((flags & (SC_TCP_SYN | SC_TCP_FIN)) != 0);
}

/* Send what production had sent once it had received this much. */
static void
answer(struct target *t, struct conn *c)
{
	uint32_t received = c->rcv_nxt - c->irs - 1, sent = c->snd_nxt - c->iss - 1;
	bool has_fin = false;

	for (unsigned int i = 0; i < c->flow->nb_steps; i++) {
		const struct step *s = &c->flow->step[i];

		if (s->received > received)
			continue;
		for (; !has_fin && sent < s->sent; sent = c->snd_nxt - c->iss - 1)
			reply(t, c, SC_TCP_ACK | SC_TCP_PSH,
					(uint16_t)SC_MIN(s->sent - sent, (uint32_t)t->mss));
		has_fin |= s->has_fin;
	}
	if (has_fin && !c->has_sent_fin) {
		reply(t, c, SC_TCP_ACK | SC_TCP_FIN, 0);
		c->has_sent_fin = true;
	}
}

static void
accept_syn(struct target *t, const struct sc_seg *s)
{
	struct conn *c = &t->conn[t->nb_conns++];

	assert_true(t->nb_conns <= CONNS_MAX);
	*c = (struct conn){
			.addr = s->src,
			.port = s->sport,
			.target = !sc_addr_is_v4(&s->dst),
			.irs = s->seq,
			.iss = 0x10000000u * t->nb_conns,
			.rcv_nxt = s->seq + 1,
			.has_ts = (s->opts & SC_OPT_TS) != 0,
			.has_wscale = (s->opts & SC_OPT_WSCALE) != 0,
			.ts_recent = s->tsval,
	};
	c->snd_nxt = c->iss;
	for (unsigned int i = 0; i < t->nb_flows; i++)
		if (t->flow[i].isn == s->seq)
			c->flow = &t->flow[i];
	assert_non_null(c->flow);
	reply(t, c, SC_TCP_SYN | SC_TCP_ACK, 0);
}

void
target_take(struct target *t, const struct sc_seg *s)
{
	struct conn *c = NULL;

	if (s->flags & SC_TCP_SYN) {
		accept_syn(t, s);
		return;
	}
	for (unsigned int i = 0; i < t->nb_conns; i++)
		if (t->conn[i].port == s->sport && sc_addr_eq(&t->conn[i].addr, &s->src))
			c = &t->conn[i];
	assert_non_null(c);
	c->is_closed |= (s->flags & SC_TCP_RST) != 0;
	if (c->is_closed)
		return;
	assert_int_equal(s->seq, c->rcv_nxt); /* nothing is lost here: all is in order */
	c->ts_recent = s->tsval;
	c->rcv_nxt += s->payload_len + ((s->flags & SC_TCP_FIN) != 0);
	if (s->payload_len > 0 || (s->flags & SC_TCP_FIN))
		reply(t, c, SC_TCP_ACK, 0);
	answer(t, c);
}

bool
target_respond(struct target *t, uint64_t now_us, struct sc_record *rec)
{
	if (t->nb_replies == 0)
		return false;
	*rec = t->reply[0];
	rec->rx_us = now_us;
	rec->tsval = rec->segs & SC_REC_TS ? sc_clock_tsval(now_us) : 0;
	memmove(t->reply, t->reply + 1, --t->nb_replies * sizeof(*t->reply));
	return true;
}
