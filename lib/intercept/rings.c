/* SPDX-License-Identifier: BSD-3-Clause */
/* Records on their way to their owners: staged by worker, flushed once per burst. */
#include <string.h>

#include "ic.h"

/* Copied into the ring's own memory, whole records at once. Returns how many it has room for. */
static unsigned int
put_on_ring(struct rte_ring *ring, const struct ic_stage *s)
{
	struct rte_ring_zc_data at;
	unsigned int n = rte_ring_enqueue_zc_burst_elem_start(
			ring, sizeof(s->rec[0]), s->nb, &at, NULL);

	if (n == 0)
		return 0;
	memcpy(at.ptr1, s->rec, at.n1 * sizeof(s->rec[0]));
	if (at.n1 < n)
		memcpy(at.ptr2, s->rec + at.n1, (n - at.n1) * sizeof(s->rec[0]));
	rte_ring_enqueue_zc_elem_finish(ring, n);
	return n;
}

static void
flush_one(struct sc_intercept *ic, uint16_t w)
{
	struct sc_stats *st = &ic->cfg.stats->live;
	struct ic_stage *s = ic->stage[w];
	unsigned int n, i;

	if (ic->cfg.ring[w] == NULL) {
		st->c[SC_C_RESP_RECORDS] += s->nb - s->nb_counted;
		s->nb_counted = s->nb;
		return;
	}
	n = put_on_ring(ic->cfg.ring[w], s);
	st->c[SC_C_RESP_RECORDS] += n;
	st->m[SC_M_RESP_REFUSED][SC_R_RECORD_RING_FULL] += s->nb - n;
	for (i = n; i < s->nb; i++)
		rte_pktmbuf_free(s->rec[i].mbuf);
	s->nb = 0;
}

void
ic_stage_flush(struct sc_intercept *ic)
{
	for (uint16_t w = 0; w < ic->cfg.nb_workers; w++)
		if (ic->stage[w]->nb != ic->stage[w]->nb_counted)
			flush_one(ic, w);
}

struct ic_stage *
ic_stage_drain(struct sc_intercept *ic, uint16_t worker)
{
	flush_one(ic, worker);
	return ic->stage[worker]->nb < IC_STAGE_MAX ? ic->stage[worker] : NULL;
}

uint16_t
sc_intercept_take(struct sc_intercept *ic, uint16_t w, struct sc_record *rec, uint16_t max)
{
	struct ic_stage *s = ic->stage[w];
	uint16_t n = SC_MIN(s->nb, max);

	memcpy(rec, s->rec, n * sizeof(*rec));
	s->nb -= n;
	s->nb_counted -= SC_MIN(s->nb_counted, n);
	memmove(s->rec, s->rec + n, s->nb * sizeof(*rec));
	return n;
}
