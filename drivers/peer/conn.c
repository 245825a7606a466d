/* SPDX-License-Identifier: BSD-3-Clause */
/* The connection table, states, and who is due when. */
#include "conn.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- deadlines: a binary heap ---- */

#define HEAP_OUT UINT32_MAX

static void
heap_put(struct sc_peer *p, uint32_t i, struct conn *c)
{
	p->heap[i] = c;
	c->heap_pos = i;
}

static void
heap_up(struct sc_peer *p, uint32_t i, struct conn *c)
{
	for (; i > 0 && c->due < p->heap[(i - 1) / 2]->due; i = (i - 1) / 2)
		heap_put(p, i, p->heap[(i - 1) / 2]);
	heap_put(p, i, c);
}

static void
heap_down(struct sc_peer *p, uint32_t i, struct conn *c)
{
	uint32_t down;

	for (down = 2 * i + 1; down < p->nb_heap; down = 2 * i + 1) {
		if (down + 1 < p->nb_heap && p->heap[down + 1]->due < p->heap[down]->due)
			down++;
		if (p->heap[down]->due >= c->due)
			break;
		heap_put(p, i, p->heap[down]);
		i = down;
	}
	heap_put(p, i, c);
}

static void
heap_remove(struct sc_peer *p, struct conn *c)
{
	uint32_t i = c->heap_pos;
	struct conn *last;

	if (i == HEAP_OUT)
		return;
	c->heap_pos = HEAP_OUT;
	last = p->heap[--p->nb_heap];
	if (last == c)
		return;
	heap_up(p, i, last);
	heap_down(p, last->heap_pos, last);
}

static uint64_t
sooner(uint64_t a, uint64_t b)
{
	if (a == 0 || b == 0)
		return a | b;
	return SC_MIN(a, b);
}

void
conn_rearm(struct sc_peer *p, struct conn *c)
{
	uint64_t due = sooner(sooner(c->rtx_us, c->ack_us), sooner(c->life_us, c->zero_us));

	if (due == c->due)
		return;
	c->due = due;
	if (due == 0) {
		heap_remove(p, c);
	} else if (c->heap_pos == HEAP_OUT) {
		heap_up(p, p->nb_heap++, c);
	} else {
		heap_up(p, c->heap_pos, c);
		heap_down(p, c->heap_pos, c);
	}
}

/* ---- the table ---- */

int
conns_init(struct sc_peer *p)
{
	uint32_t size = 64;

	TAILQ_INIT(&p->free);
	TAILQ_INIT(&p->waiting);
	TAILQ_INIT(&p->ready);
	while (size < p->cfg.max_conns && size < 1u << 30)
		size *= 2;
	p->mask = size - 1;
	p->conn = calloc(p->cfg.max_conns, sizeof(*p->conn));
	p->heap = malloc(p->cfg.max_conns * sizeof(*p->heap));
	p->table = calloc(size, sizeof(*p->table));
	if (p->conn == NULL || p->heap == NULL || p->table == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->cfg.max_conns; i++)
		TAILQ_INSERT_TAIL(&p->free, &p->conn[i], link);
	return 0;
}

static void
ooo_free(struct conn *c)
{
	struct ooo *o;

	while ((o = c->ooo) != NULL) {
		c->ooo = o->next;
		free(o);
	}
}

void
conns_free(struct sc_peer *p)
{
	for (uint32_t i = 0; p->conn != NULL && i < p->cfg.max_conns; i++)
		ooo_free(&p->conn[i]);
	free(p->conn);
	free(p->heap);
	free(p->table);
}

struct conn *
conn_find(const struct sc_peer *p, const struct sc_seg *seg, uint64_t hash)
{
	struct conn *c;

	for (c = p->table[hash & p->mask]; c != NULL; c = c->next)
		if (c->hash == hash && c->cport == seg->sport && c->sport == seg->dport
				&& sc_addr_eq(&c->client, &seg->src)
				&& sc_addr_eq(&c->server, &seg->dst))
			return c;
	return NULL;
}

struct conn *
conn_new(struct sc_peer *p, const struct sc_seg *seg, uint64_t hash)
{
	struct conn *c;

	/* RFC 9293 section 3.10.7.4 lets a new connection end an old one's TIME-WAIT. */
	if (TAILQ_EMPTY(&p->free) && !TAILQ_EMPTY(&p->waiting))
		conn_free(p, TAILQ_FIRST(&p->waiting));
	c = TAILQ_FIRST(&p->free);
	if (c == NULL)
		return NULL;
	TAILQ_REMOVE(&p->free, c, link);
	memset(c, 0, sizeof(*c));
	c->hash = hash;
	c->client = seg->src;
	c->server = seg->dst;
	c->cport = seg->sport;
	c->sport = seg->dport;
	c->state = CONN_SYN_RCVD;
	c->heap_pos = HEAP_OUT;
	c->flow = PEER_NONE;
	c->next = p->table[hash & p->mask];
	p->table[hash & p->mask] = c;
	return c;
}

/* The connection is over, whether its state rests in TIME-WAIT or not. */
static void
count_closed(struct sc_peer *p, struct conn *c)
{
	if (!c->was_open || c->is_counted)
		return;
	c->is_counted = true;
	p->stats.closed++;
	/* It never said anything by which it could have been known. */
	if (c->flow == PEER_NONE)
		p->stats.refused_unknown++;
}

void
conn_free(struct sc_peer *p, struct conn *c)
{
	struct conn **link = &p->table[c->hash & p->mask];

	count_closed(p, c);
	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	heap_remove(p, c);
	if (c->is_ready)
		TAILQ_REMOVE(&p->ready, c, ready);
	if (c->is_waiting)
		TAILQ_REMOVE(&p->waiting, c, link);
	ooo_free(c);
	c->state = CONN_CLOSED;
	TAILQ_INSERT_HEAD(&p->free, c, link);
}

void
conn_ready(struct sc_peer *p, struct conn *c)
{
	if (c->is_ready)
		return;
	c->is_ready = true;
	TAILQ_INSERT_TAIL(&p->ready, c, ready);
}

/* ---- states (RFC 9293 section 3.3.2, the server's half) ---- */

#define TO(s) ((s) + 1) /* 0 is "never" */

static const uint8_t machine[CONN_STATES][CONN_EVENTS] = {
		[CONN_SYN_RCVD][CONN_EV_SYN_ACKED] = TO(CONN_ESTABLISHED),
		[CONN_ESTABLISHED][CONN_EV_FIN_IN] = TO(CONN_CLOSE_WAIT),
		[CONN_ESTABLISHED][CONN_EV_FIN_OUT] = TO(CONN_FIN_WAIT_1),
		[CONN_CLOSE_WAIT][CONN_EV_FIN_OUT] = TO(CONN_LAST_ACK),
		[CONN_FIN_WAIT_1][CONN_EV_FIN_IN] = TO(CONN_CLOSING),
		[CONN_FIN_WAIT_1][CONN_EV_FIN_ACKED] = TO(CONN_FIN_WAIT_2),
		[CONN_FIN_WAIT_2][CONN_EV_FIN_IN] = TO(CONN_TIME_WAIT),
		[CONN_CLOSING][CONN_EV_FIN_ACKED] = TO(CONN_TIME_WAIT),
		[CONN_LAST_ACK][CONN_EV_FIN_ACKED] = TO(CONN_CLOSED),
};

enum conn_state
conn_event(struct sc_peer *p, struct conn *c, enum conn_event ev, uint64_t now)
{
	uint8_t next = machine[c->state][ev];

	/* A FIN is taken once, sent once for the first time and acknowledged once. */
	assert(next != 0);
	c->state = next - 1;
	switch (c->state) {
	case CONN_ESTABLISHED:
		c->was_open = true;
		p->stats.accepted++;
		break;
	case CONN_FIN_WAIT_2:
		c->life_us = now + PEER_FIN_WAIT_2_US;
		conn_rearm(p, c);
		break;
	case CONN_TIME_WAIT:
		count_closed(p, c);
		c->life_us = now + PEER_TIME_WAIT_US;
		c->rtx_us = 0;
		c->is_waiting = true;
		TAILQ_INSERT_TAIL(&p->waiting, c, link);
		conn_rearm(p, c);
		break;
	case CONN_CLOSED:
		conn_free(p, c);
		return CONN_CLOSED;
	default:
		break;
	}
	return (enum conn_state)c->state;
}
