/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * admit: what happens when more comes than can be replayed. Whole flows are left out, chosen by the
 * hash of their tuple, so that those that are admitted stay whole; the flows that lag most are ended
 * before held bytes run out. A file is never shed: it waits.
 */
#include "engine.h"

#define PERIOD_US (100 * SC_US_PER_MS)
#define ALL 65536u /* of the hashes are admitted */
#define LEAST 64u
#define RAISE ((ALL + 19) / 20)
#define LOAD_HIGH 800  /* of 1,000: fewer flows are admitted */
#define LOAD_LOW 600   /* more again */
#define HELD_LAST 950  /* of 1,000: flows that lag are ended */
#define BEFORE_FIRST 3 /* periods in a row: a burst is no overload */
#define LAG_SLICE 16384
#define LAG_ENDS_MAX 64

void
admit_init(struct sc_replay *e)
{
	e->admit.share = ALL;
	e->admit.next_us = e->now_us + PERIOD_US;
}

bool
is_admitted(const struct sc_replay *e, uint32_t hash)
{
	return hash >> 16 < e->admit.share;
}

/* Since when does the flow's client wait for what it said to leave? 0: it does not. */
static uint32_t
lag_us(const struct sc_replay *e, const struct sc_flow *f)
{
	int32_t lag;

	if (f->state != SC_FLOW_LIVE || f->held_head == SC_NONE)
		return 0;
	lag = (int32_t)(e->now - e->t.held[f->held_head].cap_us);
	return lag > 0 ? (uint32_t)lag : 0;
}

/* Of a slice of the flows, end those that lag at least half as much as the worst. */
static void
shed_lag(struct sc_replay *e)
{
	uint32_t nb = SC_MIN(e->cfg.max_flows, (uint32_t)LAG_SLICE), worst = 0, ended = 0;
	uint32_t from = e->admit.cursor;

	for (uint32_t i = 0; i < nb; i++)
		worst = SC_MAX(worst, lag_us(e, flow_at(e, (from + i) % e->cfg.max_flows)));
	for (uint32_t i = 0; i < nb && worst > 0; i++) {
		uint32_t fi = (from + i) % e->cfg.max_flows;

		if (lag_us(e, flow_at(e, fi)) < worst - worst / 2)
			continue;
		flow_abort(e, fi, SC_R_SHED_LAG);
		if (++ended == LAG_ENDS_MAX || sc_replay_is_tx_full(e))
			break;
	}
	e->admit.cursor = (from + nb) % e->cfg.max_flows;
}

static void
lower(struct sc_replay *e)
{
	if (++e->admit.nb_high < BEFORE_FIRST && e->admit.share == ALL)
		return;
	if (e->admit.share == ALL)
		sc_log(SC_LOG_WARN, "replay",
				"worker %u is overloaded: new flows are left out as "
				"shed_admission, chosen by their hash, until it is not; more "
				"workers, or --sample, would help",
				e->cfg.worker);
	e->admit.share = SC_MAX(e->admit.share / 2, LEAST);
	C(e, ADMISSION_LOWERED)++;
}

void
sc_replay_load(struct sc_replay *e, uint32_t load, uint64_t now_us)
{
	uint32_t held = sc_held_fill(&e->t);

	if (e->cfg.is_file || now_us < e->admit.next_us)
		return;
	set_now(e, now_us);
	e->admit.next_us = now_us + PERIOD_US;
	load = SC_MAX(load, held);
	if (load >= LOAD_HIGH) {
		lower(e);
	} else {
		e->admit.nb_high = 0;
		if (load < LOAD_LOW)
			e->admit.share = SC_MIN(e->admit.share + RAISE, ALL);
	}
	if (held >= HELD_LAST)
		shed_lag(e);
}
