/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * source: which worker gets a captured frame. Pieces of IP packets do not say it, and put together
 * by the worker they happened to come to, a packet would reach its owner behind frames that were
 * captured after it. So they become whole before the owner is looked for, by captured time.
 */
#include <errno.h>
#include <stdlib.h>

#include <sc_worker.h>

#include "frag.h"

struct sc_source {
	const struct sc_steer *steer;
	struct sc_stats *stats;
	struct frags *frags;
};

struct sc_source *
sc_source_create(const struct sc_steer *steer, struct sc_stats_cell *cell, struct sc_err *err)
{
	struct sc_source *s = calloc(1, sizeof(*s));

	if (s != NULL) {
		s->steer = steer;
		s->stats = &cell->live;
		s->frags = frags_create(s->stats);
	}
	if (s != NULL && s->frags != NULL)
		return s;
	free(s);
	sc_err_set(err, -ENOMEM, "no memory for the capture's table of IP fragments");
	return NULL;
}

void
sc_source_destroy(struct sc_source *s)
{
	if (s == NULL)
		return;
	frags_destroy(s->frags);
	free(s);
}

void
sc_source_drop(struct sc_source *s)
{
	frags_drop(s->frags);
}

/* A piece counts as polled here; the whole packet is counted by the worker that polls it. */
static struct rte_mbuf *
merge(struct sc_source *s, struct rte_mbuf *m, enum sc_link link)
{
	uint64_t cap_us = sc_mbuf_meta(m)->cap_us;

	s->stats->c[SC_C_MIRROR_POLLED]++;
	s->stats->c[SC_C_MIRROR_BYTES] += m->pkt_len;
	frags_expire(s->frags, cap_us);
	m = frags_take(s->frags, m, link, cap_us, cap_us);
	if (m == NULL)
		return NULL;
	sc_mbuf_meta(m)->link = (uint8_t)link;
	s->stats->c[SC_C_MIRROR_POLLED]--;
	s->stats->c[SC_C_MIRROR_BYTES] -= m->pkt_len;
	return m;
}

struct rte_mbuf *
sc_source_route(void *source, struct rte_mbuf *m, uint16_t *queue)
{
	struct sc_source *s = source;
	enum sc_link link = (enum sc_link)sc_mbuf_meta(m)->link;
	struct sc_seg seg;
	enum sc_reason r = sc_packet_parse(m, link, &seg);

	*queue = 0;
	if (r == SC_R_IP_FRAGMENT) {
		m = merge(s, m, link);
		if (m == NULL)
			return NULL;
		r = sc_packet_parse(m, link, &seg);
	}
	if (r == SC_R_NONE || r == SC_R_BAD_L4_CHECKSUM)
		*queue = sc_steer_owner(
				s->steer, sc_fold_tuple(&seg.src, &seg.dst, seg.sport, seg.dport));
	return m;
}
