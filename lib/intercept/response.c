/* SPDX-License-Identifier: BSD-3-Clause */
/* A burst of the test port: responses become records, the rest is neighbour work or refused. */
#include <rte_prefetch.h>

#include "ic.h"

#define CHUNK 64
#define AHEAD 4 /* frames whose headers are fetched before they are looked at */

/* What one burst counts, in registers until its end. */
struct tally {
	uint64_t bytes, neighbour;
	struct rte_mbuf *dead[CHUNK];
	unsigned int nb_dead;
};

static int
find_target(struct sc_intercept *ic, const struct sc_seg *seg)
{
	const struct sc_target *t = &ic->cfg.targets->t[ic->last_target];
	int i;

	if (t->port == seg->sport && sc_addr_eq(&t->addr, &seg->src))
		return ic->last_target;
	i = sc_targets_find(ic->cfg.targets, &seg->src, seg->sport);
	if (i >= 0)
		ic->last_target = i;
	return i;
}

static uint8_t
nb_segments(const struct rte_mbuf *m, uint32_t payload)
{
	uint32_t n;

	if ((m->ol_flags & RTE_MBUF_F_RX_LRO) == 0 || m->tso_segsz == 0 || payload == 0)
		return 1;
	n = (payload + m->tso_segsz - 1) / m->tso_segsz;
	return (uint8_t)SC_MIN(n, SC_REC_TS - 1);
}

static void
fill_record(const struct sc_seg *seg, struct sc_record *rec)
{
	rec->mbuf = NULL;
	rec->client = seg->dst;
	rec->seq = seg->seq;
	rec->ack = seg->ack;
	rec->ts = seg->ts;
	rec->port = seg->dport;
	rec->len = (uint16_t)seg->payload_len;
	rec->wnd = seg->wnd;
	rec->flags = seg->flags;
	rec->segs = nb_segments(seg->mbuf, seg->payload_len)
			| ((seg->opts & SC_OPT_TS) != 0 ? SC_REC_TS : 0);
	rec->mss = 0;
	rec->wscale = 0;
	rec->syn_bits = 0;
}

/* What only a SYN-ACK says. */
static void
fill_syn(const struct sc_seg *seg, struct sc_record *rec)
{
	if ((seg->opts & SC_OPT_MSS) != 0) {
		rec->syn_bits |= SC_REC_MSS;
		rec->mss = seg->mss;
	}
	if ((seg->opts & SC_OPT_WSCALE) != 0) {
		rec->syn_bits |= SC_REC_WSCALE;
		rec->wscale = seg->wscale;
	}
	if ((seg->opts & SC_OPT_SACK_OK) != 0)
		rec->syn_bits |= SC_REC_SACK_OK;
}

static bool
is_payload_wanted(const struct sc_intercept *ic, uint16_t fold)
{
	return ic->cfg.want_payload != NULL
			&& atomic_load_explicit(&ic->cfg.want_payload[fold], memory_order_relaxed)
			!= 0;
}

/* The segment's record goes to its owner. *m is set to NULL if it travels along. */
static enum sc_reason
respond(struct sc_intercept *ic, const struct sc_seg *seg, uint64_t now_us, struct rte_mbuf **m)
{
	int target = find_target(ic, seg);
	struct sc_record *rec;
	struct ic_stage *s;
	uint16_t fold;

	if (target < 0)
		return SC_R_NOT_FROM_TARGET;
	fold = sc_fold_tuple(&seg->src, &seg->dst, seg->sport, seg->dport);
	s = ic_stage_for(ic, sc_steer_owner(ic->cfg.steer, fold));
	if (s == NULL)
		return SC_R_RECORD_RING_FULL;
	rec = &s->rec[s->nb++];
	rec->rx_us = now_us;
	rec->target = (uint16_t)target;
	rec->fold = fold;
	fill_record(seg, rec);
	if ((seg->flags & SC_TCP_SYN) != 0)
		fill_syn(seg, rec);
	if (seg->payload_len > 0 && is_payload_wanted(ic, fold)) {
		rec->mbuf = *m;
		*m = NULL;
	}
	return SC_R_NONE;
}

/* Not TCP: done here, or handed to the intercept that does neighbour work. */
static enum sc_reason
other(struct sc_intercept *ic, enum sc_reason why, uint64_t now_us, struct rte_mbuf **m)
{
	struct ic_view v;
	enum sc_reason r = ic_view_make(&v, *m, why);

	if (r != SC_R_NONE)
		return r;
	if (ic->cfg.do_neighbours)
		ic_view_handle(ic, &v, now_us);
	else if (ic->cfg.neigh_ring != NULL && rte_ring_mp_enqueue(ic->cfg.neigh_ring, *m) == 0)
		*m = NULL;
	return SC_R_NONE;
}

static void
one_frame(struct sc_intercept *ic, struct rte_mbuf *m, uint64_t now_us, struct tally *t)
{
	struct sc_seg seg;
	enum sc_reason r;

	t->bytes += rte_pktmbuf_pkt_len(m);
	r = sc_packet_parse(m, SC_LINK_ETHER, &seg);
	if (r == SC_R_NONE) {
		r = respond(ic, &seg, now_us, &m);
	} else if (r == SC_R_NOT_IP || r == SC_R_NOT_TCP) {
		r = other(ic, r, now_us, &m);
		t->neighbour += r == SC_R_NONE;
	}
	if (r != SC_R_NONE)
		ic->cfg.stats->live.m[SC_M_RESP_REFUSED][r]++;
	if (m != NULL)
		t->dead[t->nb_dead++] = m;
}

static void
fetch(struct rte_mbuf *m)
{
	rte_prefetch0(rte_pktmbuf_mtod(m, void *));
}

void
sc_intercept_burst(struct sc_intercept *ic, struct rte_mbuf **m, uint16_t n, uint64_t now_us)
{
	struct sc_stats *st = &ic->cfg.stats->live;

	for (uint16_t done = 0; done < n;) {
		uint16_t chunk = SC_MIN(n - done, CHUNK);
		struct tally t;

		t.bytes = t.neighbour = 0;
		t.nb_dead = 0;
		for (uint16_t i = 0; i < SC_MIN(chunk, AHEAD); i++)
			fetch(m[done + i]);
		for (uint16_t i = 0; i < chunk; i++) {
			if (i + AHEAD < chunk)
				fetch(m[done + i + AHEAD]);
			one_frame(ic, m[done + i], now_us, &t);
		}
		sc_mbuf_free_burst(t.dead, t.nb_dead);
		st->c[SC_C_RESP_BYTES] += t.bytes;
		st->c[SC_C_RESP_NEIGHBOUR] += t.neighbour;
		done += chunk;
	}
	st->c[SC_C_RESP_POLLED] += n;
	ic_stage_flush(ic);
}
