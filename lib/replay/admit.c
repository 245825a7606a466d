/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * admit: what happens when more comes than can be replayed. Whole flows are left out, chosen by the
 * hash of their tuple, so that those that are admitted stay whole; the flows that lag most are ended
 * before held bytes run out. A file is never shed: it waits.
 */
#include "engine.h"

#define PERIOD_US (100 * SC_US_PER_MS)
#define CUT_US (50 * SC_US_PER_MS) /* until what has been cut off for losses shows */
#define LEAST 64u                  /* places that are always admitted */
#define RAISE_MAX (ADMIT_ALL / 10) /* at once */
#define LOAD_HIGH 800              /* of 1,000: fewer flows are admitted */
#define LOAD_LOW 600               /* more again */
#define LOAD_FAR 300               /* and soon */
#define LOAD_LOST 1000 /* beyond, frames are lost: so many came where 1,000 should have */
#define LOAD_MUCH 1500
#define HELD_LAST 950   /* of 1,000: flows that lag are ended */
#define BEFORE_FIRST 3  /* periods in a row: a burst is no overload */
#define JOIN_PAUSE_S 60 /* what was left out must not come back as a mid-stream join */
#define LAG_WALK 16384u /* flows compared with each other */
#define LAG_SLICE 128u  /* of them in a round */
#define LAG_ENDS_MAX 64

void
admit_init(struct sc_replay *e)
{
	e->admit.share = ADMIT_ALL;
	e->admit.next_us = e->now_us + PERIOD_US;
	e->admit.tokens = UINT64_MAX / 2;
}

void
admit_shed(struct sc_replay *e)
{
	struct admission *a = &e->admit;

	a->least = e->now_s < a->join_pause_s ? SC_MIN(a->least, a->share) : a->share;
	a->join_pause_s = e->now_s + JOIN_PAUSE_S;
}

uint32_t
admit_place(const struct sc_replay *e, const struct sc_flow *f)
{
	const struct sc_prod *p = &e->t.prod[f->prod];

	return place_of_fold(e, sc_fold_tuple(&f->client, &p->addr, f->cport, p->port));
}

void
admit_know(struct sc_replay *e, const struct sc_flow *f)
{
	uint32_t place = admit_place(e, f);
	uint16_t *known = &e->admit.known[place];

	e->admit.nb_known++;
	*known += *known < KNOWN_MAX;
	e->admit.known_bit[place / 64] |= UINT64_C(1) << place % 64;
}

void
admit_forget(struct sc_replay *e, const struct sc_flow *f)
{
	uint32_t place = admit_place(e, f);
	uint16_t *known = &e->admit.known[place];

	e->admit.nb_known--;
	*known -= *known < KNOWN_MAX;
	if (*known == 0)
		e->admit.known_bit[place / 64] &= ~(UINT64_C(1) << place % 64);
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

/* Held bytes run out: look for those that lag most, unless that is being done already. */
static void
shed_lag(struct sc_replay *e)
{
	struct admission *a = &e->admit;

	if (a->lag_left > 0)
		return;
	a->lag_left = 2 * SC_MIN(e->cfg.max_flows, LAG_WALK);
	a->lag_worst = a->lag_ended = 0;
}

/* End the flow if it lags at least half as much as the worst. */
static void
end_laggard(struct sc_replay *e, uint32_t fi)
{
	struct admission *a = &e->admit;

	if (a->lag_worst == 0 || lag_us(e, flow_at(e, fi)) < a->lag_worst - a->lag_worst / 2)
		return;
	flow_abort(e, fi, SC_R_SHED_LAG);
	a->lag_ended++;
}

/* A slice of two walks over the same flows: for the worst lag, and to end those that lag. */
void
admit_run(struct sc_replay *e)
{
	struct admission *a = &e->admit;
	uint32_t nb = SC_MIN(e->cfg.max_flows, LAG_WALK);

	for (uint32_t i = 0; i < LAG_SLICE && a->lag_left > 0 && a->lag_ended < LAG_ENDS_MAX; i++) {
		uint32_t fi = (a->cursor + (2 * nb - a->lag_left) % nb) % e->cfg.max_flows;

		if (a->lag_left > nb)
			a->lag_worst = SC_MAX(a->lag_worst, lag_us(e, flow_at(e, fi)));
		else
			end_laggard(e, fi);
		a->lag_left--;
	}
	if (a->lag_left > 0 && a->lag_ended < LAG_ENDS_MAX)
		return;
	a->lag_left = 0;
	a->cursor = (a->cursor + nb) % e->cfg.max_flows;
}

static void
set_share(struct sc_replay *e, uint32_t share)
{
	if (e->admit.share == ADMIT_ALL)
		sc_log(SC_LOG_WARN, "replay",
				"worker %u is overloaded: new flows are left out as "
				"shed_admission, chosen by their hash, until it is not; more "
				"workers, or --sample, would help",
				e->cfg.worker);
	e->admit.share = SC_MAX(share, LEAST);
	C(e, ADMISSION_LOWERED)++;
}

/*
 * Frames are lost, or will be: `load` came where 1,000 can be done. If that is much more, then less is
 * admitted than could be: what is left out costs, too, flows that miss frames cost most, and it is
 * easier to take more later than to end what has begun. Then let it work for a while.
 */
void
admit_cut(struct sc_replay *e, uint64_t load)
{
	uint64_t share = e->admit.share * 1000ull / load;

	if (load > LOAD_MUCH)
		share = share * 1000 / load;
	e->admit.nb_high = e->admit.nb_low = 0;
	e->admit.cut_us = e->now_us + CUT_US;
	set_share(e, (uint32_t)share);
}

/* By a 32nd, and by more if that was not enough: up to a quarter. */
static void
lower(struct sc_replay *e)
{
	uint32_t share = e->admit.share;

	e->admit.nb_low = 0;
	e->admit.nb_high++;
	if (share == ADMIT_ALL && e->admit.nb_high < BEFORE_FIRST)
		return;
	if (share == ADMIT_ALL)
		e->admit.nb_high = 1;
	set_share(e, share - (share >> (6 - SC_MIN(e->admit.nb_high, 4u))));
}

/* By a 32nd, and by a 16th while nothing speaks against it; by a half while there is much room. */
static void
raise(struct sc_replay *e, uint32_t load)
{
	uint32_t share = e->admit.share, step;

	e->admit.nb_high = 0;
	e->admit.nb_low++;
	step = load < LOAD_FAR ? share / 2 : share >> (6 - SC_MIN(e->admit.nb_low, 2u));
	e->admit.share = SC_MIN(share + SC_MIN(step + 1, RAISE_MAX), ADMIT_ALL);
}

void
sc_replay_load(struct sc_replay *e, const struct sc_replay_load *l, uint64_t now_us)
{
	uint32_t held = sc_held_fill(&e->t), load = l->load;

	if (e->cfg.is_file)
		return;
	surge_learn(e, l);
	if (now_us < (load <= LOAD_LOST ? e->admit.next_us : e->admit.cut_us))
		return;
	set_now(e, now_us);
	e->admit.next_us = now_us + PERIOD_US;
	load = SC_MAX(load, held);
	if (load > LOAD_LOST)
		admit_cut(e, load);
	else if (load >= LOAD_HIGH)
		lower(e);
	else if (load < LOAD_LOW)
		raise(e, load);
	else
		e->admit.nb_high = e->admit.nb_low = 0;
	if (held >= HELD_LAST)
		shed_lag(e);
}
