/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * feed: the mirror's frames, computed from their place in the list: no state per session, so that
 * the feed leaves the caches to the worker.
 */
#include <assert.h>
#include <stdlib.h>

#include "bench.h"

void
ends_of(uint32_t tuple, struct ends *e)
{
	e->addr = rte_cpu_to_be_32(CLIENTS + tuple / PORTS);
	e->port = (uint16_t)(20000 + tuple % PORTS);
}

uint32_t
tuple_of(const struct ends *e)
{
	return (rte_be_to_cpu_32(e->addr) - CLIENTS) * PORTS + (e->port - 20000u);
}

static void
shuffle(uint32_t *order, uint32_t n)
{
	struct sc_rng rng;

	sc_rng_seed(&rng, 1);
	for (uint32_t i = n - 1; i > 0; i--) {
		uint32_t k = sc_rng_below(&rng, i + 1), other = order[k];

		order[k] = order[i];
		order[i] = other;
	}
}

uint32_t *
feed_order(const struct sc_steer *steer, uint16_t lane, uint32_t n)
{
	uint32_t *order = malloc(n * sizeof(*order));
	struct sc_addr client, server;
	struct ends e;

	if (order == NULL)
		return NULL;
	sc_addr_from_v4(&server, rte_cpu_to_be_32(PRODUCTION));
	for (uint32_t tuple = 0, nb = 0; nb < n; tuple++) {
		ends_of(tuple, &e);
		sc_addr_from_v4(&client, e.addr);
		if (sc_steer_owner(steer, sc_fold_tuple(&client, &server, e.port, PRODUCTION_PORT))
				== lane)
			order[nb++] = tuple;
	}
	shuffle(order, n);
	return order;
}

/* ---- scripts ---- */

static void
add(struct script *s, bool is_production, uint8_t flags, uint32_t at, uint32_t peer_at,
		uint32_t len)
{
	assert(s->nb < STEPS_MAX);
	s->step[s->nb++] = (struct step){is_production, flags, (int32_t)at, (int32_t)peer_at, len};
}

void
script_open(struct script *s, const struct traffic *t)
{
	add(s, false, SC_TCP_SYN, -1, -1, 0);
	if (t->has_production)
		add(s, true, SC_TCP_SYN | SC_TCP_ACK, 0, -1, 0);
	add(s, false, SC_TCP_ACK, 0, 0, 0);
}

/* The request, then the answer; the receiver acknowledges every second segment and the end. */
static void
add_turn(struct script *s, const struct traffic *t, uint32_t turn)
{
	uint32_t at = turn * t->req, peer_at = turn * t->ans;

	for (uint32_t i = 0; i < t->req; i += MSS) {
		uint32_t len = SC_MIN(t->req - i, (uint32_t)MSS);
		bool is_last = i + len == t->req;

		add(s, false, SC_TCP_ACK | (is_last ? SC_TCP_PSH : 0), at + i, peer_at, len);
		if (t->has_production && !is_last && i / MSS % 2 == 1)
			add(s, true, SC_TCP_ACK, at + i + len, peer_at, 0);
	}
	for (uint32_t i = 0; i < t->ans; i += MSS) {
		uint32_t len = SC_MIN(t->ans - i, (uint32_t)MSS);
		bool is_last = i + len == t->ans;

		if (t->has_production)
			add(s, true, SC_TCP_ACK | (is_last ? SC_TCP_PSH : 0), at + t->req,
					peer_at + i, len);
		if ((is_last && t->has_production) || (!is_last && i / MSS % 2 == 1))
			add(s, false, SC_TCP_ACK, at + t->req, peer_at + i + len, 0);
	}
}

void
script_turn(struct script *s, const struct traffic *t)
{
	s->turns = 1;
	add_turn(s, t, 0);
}

/* Two turns of the client half: the second request is there before the first one's answer. */
void
script_pair(struct script *s, const struct traffic *t)
{
	s->turns = 2;
	add_turn(s, t, 0);
	add_turn(s, t, 1);
}

/* All of a short connection; the client closes it. */
void
script_flow(struct script *s, const struct traffic *t)
{
	uint32_t at = t->turns * t->req, peer_at = t->turns * t->ans;

	script_open(s, t);
	for (uint32_t i = 0; i < t->turns; i++)
		add_turn(s, t, i);
	add(s, false, SC_TCP_FIN | SC_TCP_ACK, at, peer_at, 0);
	if (t->has_production)
		add(s, true, SC_TCP_FIN | SC_TCP_ACK, at + 1, peer_at, 0);
	add(s, false, SC_TCP_ACK, at + 1, peer_at + 1, 0);
}

/* A frame that is parsed, steered and looked up, and then means nothing new. */
void
script_acks(struct script *s)
{
	add(s, true, SC_TCP_ACK, 0, 0, 0);
}

/* ---- frames ---- */

static void
make(struct feed *f, const struct step *s, uint64_t position, struct frame *out, uint64_t now_us)
{
	uint32_t n = (uint32_t)(position % f->nb), turn = 0;
	struct conn c = {.tuple = f->first_tuple + n};
	struct ends e;
	uint32_t seq, ack;

	if (f->order != NULL) {
		c.tuple = f->order[n];
		turn = (uint32_t)(position / f->nb) * f->script->turns;
	} else {
		c.life = (uint32_t)(position / f->nb);
		if (f->stride != 0)
			c.tuple = f->first_tuple + (uint32_t)((uint64_t)n * f->stride % f->nb);
	}
	ends_of(c.tuple, &e);
	seq = client_isn(c) + 1 + turn * f->t->req + (uint32_t)s->at;
	ack = production_isn(c) + 1 + turn * f->t->ans + (uint32_t)s->peer_at;
	*out = (struct frame){
			.flags = s->flags,
			.len = (uint16_t)s->len,
			.tsval = (uint32_t)(now_us / SC_US_PER_MS),
	};
	if (s->is_production) {
		out->is_hollow = f->has_hollow_answers;
		out->src = rte_cpu_to_be_32(PRODUCTION);
		out->dst = e.addr;
		out->sport = PRODUCTION_PORT;
		out->dport = e.port;
		out->seq = ack;
		out->ack = seq;
	} else {
		out->src = e.addr;
		out->dst = rte_cpu_to_be_32(PRODUCTION);
		out->sport = e.port;
		out->dport = PRODUCTION_PORT;
		out->seq = seq;
		out->ack = s->flags & SC_TCP_ACK ? ack : 0;
		f->client_bytes += s->len;
	}
}

/* The next frame's step and position; false when the list is over. Later steps come first. */
static bool
next(struct feed *f, const struct step **s, uint64_t *position)
{
	uint64_t end = f->last + (f->script->nb - 1) * f->lag;

	for (; f->at < end; f->at++, f->step = 0) {
		while (f->step < f->script->nb) {
			unsigned int k = f->script->nb - 1 - f->step++;
			uint64_t back = k * f->lag;

			if (f->at < f->first + back || f->at - back >= f->last)
				continue;
			*s = &f->script->step[k];
			*position = f->at - back;
			return true;
		}
	}
	return false;
}

/* What a NIC that hashes says of the frame. */
static void
put_hash(struct rte_mbuf *m, const struct frame *f, const struct sc_steer *steer)
{
	struct sc_addr src, dst;

	sc_addr_from_v4(&src, f->src);
	sc_addr_from_v4(&dst, f->dst);
	m->hash.rss = steer->toeplitz[sc_fold_tuple(&src, &dst, f->sport, f->dport)] * 0x10001u;
	m->ol_flags |= RTE_MBUF_F_RX_RSS_HASH;
	m->packet_type = RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV4 | RTE_PTYPE_L4_TCP;
}

uint16_t
feed_make(struct feed *f, struct rte_mbuf **m, uint16_t n, uint64_t now_us)
{
	const struct step *s;
	uint64_t position;
	struct frame frame;
	uint16_t done = 0;

	for (; done < n; done++) {
		m[done] = rte_pktmbuf_alloc(f->pool);
		if (m[done] == NULL)
			break; /* the worker holds them */
		if (!next(f, &s, &position)) {
			rte_pktmbuf_free(m[done]);
			break;
		}
		make(f, s, position, &frame, now_us);
		frame_put(m[done], &frame);
		if (f->rss != NULL)
			put_hash(m[done], &frame, f->rss);
	}
	f->frames += done;
	return done;
}

uint32_t
feed_skip(struct feed *f, uint32_t n)
{
	const struct step *s;
	uint64_t position;
	uint32_t done = 0;

	while (done < n && next(f, &s, &position))
		done++;
	return done;
}
