/* SPDX-License-Identifier: BSD-3-Clause */
/* Records on their way to their owners: staged by worker, flushed once per burst. */
#include <string.h>

#include "ic.h"

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
	n = rte_ring_sp_enqueue_burst_elem(ic->cfg.ring[w], s->rec, sizeof(s->rec[0]), s->nb, NULL);
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

bool
ic_stage_put(struct sc_intercept *ic, uint16_t worker, const struct sc_record *rec)
{
	struct ic_stage *s = ic->stage[worker];

	if (s->nb == IC_STAGE_MAX)
		flush_one(ic, worker);
	if (s->nb == IC_STAGE_MAX)
		return false;
	s->rec[s->nb++] = *rec;
	return true;
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
