/* SPDX-License-Identifier: BSD-3-Clause */
/* path: between engine and target: delay, jitter, loss, duplicates; the ring of records, too. */
#include <errno.h>
#include <stdlib.h>

#include "sim.h"

struct item {
	uint64_t t_us, order;
	struct rte_mbuf *mbuf; /* towards the target; NULL: a record towards the engine */
	struct sc_record rec;
};

/* A binary heap by time. */
struct sim_path {
	struct item *item;
	uint32_t nb, room;
	uint64_t order;
	uint64_t newest[2]; /* order of the newest that arrived at either end */
};

int
path_open(struct sim *s)
{
	s->path = calloc(1, sizeof(*s->path));
	return s->path == NULL ? -ENOMEM : 0;
}

void
path_close(struct sim *s)
{
	for (uint32_t i = 0; i < s->path->nb; i++)
		rte_pktmbuf_free(s->path->item[i].mbuf);
	free(s->path->item);
	free(s->path);
}

static bool
is_before(const struct item *a, const struct item *b)
{
	return a->t_us != b->t_us ? a->t_us < b->t_us : a->order < b->order;
}

static void
insert(struct sim *s, const struct item *new)
{
	struct sim_path *p = s->path;
	uint32_t i = p->nb++;

	p->item = sim_grow(p->item, &p->room, p->nb, sizeof(*p->item));
	while (i > 0 && is_before(new, &p->item[(i - 1) / 2])) {
		p->item[i] = p->item[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	p->item[i] = *new;
}

static struct item
take_first(struct sim_path *p)
{
	struct item first = p->item[0], last = p->item[--p->nb];
	uint32_t i = 0;

	for (;;) {
		uint32_t k = 2 * i + 1;

		if (k >= p->nb)
			break;
		if (k + 1 < p->nb && is_before(&p->item[k + 1], &p->item[k]))
			k++;
		if (!is_before(&p->item[k], &last))
			break;
		p->item[i] = p->item[k];
		i = k;
	}
	p->item[i] = last;
	return first;
}

static void
send_one(struct sim *s, struct item *i)
{
	i->t_us = s->now_us + s->cfg.owd_us;
	if (has_fault(s, F(P_JITTER)))
		i->t_us += sim_between(s, 0, s->cfg.jitter_us);
	i->order = s->path->order++;
	insert(s, i);
}

static bool
is_lost(struct sim *s)
{
	if (!has_fault(s, F(P_LOSS)) || !sim_draw(s, s->cfg.loss))
		return false;
	sim_hit(s, F(P_LOSS));
	return true;
}

void
path_to_target(struct sim *s, struct rte_mbuf *m)
{
	struct item i = {.mbuf = m};

	if (is_lost(s)) {
		sim_trace(s, "          lost on the way to the target");
		rte_pktmbuf_free(m);
		return;
	}
	if (has_fault(s, F(P_DUP)) && sim_draw(s, s->cfg.rate)) {
		sim_hit(s, F(P_DUP));
		rte_mbuf_refcnt_update(m, 1);
		send_one(s, &i);
	}
	send_one(s, &i);
}

void
path_to_engine(struct sim *s, const struct sc_record *rec)
{
	struct item i = {.rec = *rec};

	if (is_lost(s)) {
		sim_trace(s, "          lost on the way from the target");
		return;
	}
	if (has_fault(s, F(P_DUP)) && sim_draw(s, s->cfg.rate)) {
		sim_hit(s, F(P_DUP));
		send_one(s, &i);
	}
	send_one(s, &i);
}

uint64_t
path_next(const struct sim *s)
{
	return s->path->nb > 0 ? s->path->item[0].t_us : UINT64_MAX;
}

uint16_t
path_run(struct sim *s, struct sc_record *rec, uint16_t max)
{
	uint16_t n = 0;

	while (s->path->nb > 0 && s->path->item[0].t_us <= s->now_us && n < max) {
		struct item i = take_first(s->path);
		uint64_t *newest = &s->path->newest[i.mbuf != NULL];
		struct sc_seg seg;

		if (i.order < *newest) {
			sim_hit(s, F(P_JITTER));
			sim_show(s, SHOWN_PATH_ORDER);
		}
		*newest = SC_MAX(*newest, i.order);
		if (i.mbuf == NULL) {
			rec[n] = i.rec;
			rec[n++].rx_us = s->now_us;
			continue;
		}
		if (sc_packet_parse(i.mbuf, SC_LINK_ETHER, &seg) == SC_R_NONE)
			target_segment(s, &seg);
		rte_pktmbuf_free(i.mbuf);
	}
	return n;
}
