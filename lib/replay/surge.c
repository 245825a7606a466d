/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * surge: more flows begin than can be afforded. That is known when they begin, long before most of
 * their frames come; when those are lost it is too late for all that were admitted. What a new flow
 * costs is learnt while there is no overload.
 */
#include "engine.h"

#define PERIOD_MIN_US (100 * SC_US_PER_MS)
#define USE_GOAL 940                 /* of 1,000 parts of the time; what new flows may take it to */
#define USE_KNOWN 300                /* below, other things than flows may be what takes time */
#define NEW_KNOWN 1000u              /* new flows a second; fewer say little */
#define RATE_WEIGHT 8                /* of older knowledge */
#define RATE_SPARE 2                 /* work takes less time in larger bursts */
#define SURGE_US (10 * SC_US_PER_MS) /* what can be afforded in so long may come at once */
#define SURGE_MIN 4096u              /* flows: some milliseconds of work, however they come */
#define SURGE_MOST 4                 /* times what can be afforded: more is not believed at once */
#define SURGE_LEAST_US (2 * SC_US_PER_MS) /* less says nothing about a rate */
#define SURGE_CUT 16                      /* at most, to a part of so many */

static void
fill_tokens(struct sc_replay *e)
{
	struct admission *a = &e->admit;
	uint64_t most = SC_MAX(a->rate * (uint64_t)SURGE_US, SURGE_MIN * SC_US_PER_S);

	a->tokens += SC_MIN(e->now_us - a->token_us, SC_US_PER_S) * a->rate;
	a->token_us = e->now_us;
	if (a->tokens < most)
		return;
	a->tokens = most;
	a->full_us = e->now_us;
	a->nb_full = a->nb_new;
}

/* As much fewer as came too many, and as much again: it takes a while to show what that does. */
static void
surge(struct sc_replay *e)
{
	struct admission *a = &e->admit;
	uint64_t us = SC_MAX(e->now_us - a->full_us, SURGE_LEAST_US);
	uint64_t came = (a->nb_new - a->nb_full) * SC_US_PER_S;

	a->tokens = UINT64_MAX / 2; /* anew */
	if (e->now_us < a->cut_us)
		return; /* the last cut has not shown yet */
	admit_cut(e, (uint32_t)(came * 1000 / SC_CLAMP(us * a->rate, came / SURGE_MOST, came)));
}

void
surge_note(struct sc_replay *e)
{
	struct admission *a = &e->admit;

	a->nb_new++;
	if (a->rate == 0)
		return;
	if (a->token_us != e->now_us)
		fill_tokens(e);
	if (a->tokens >= SC_US_PER_S)
		a->tokens -= SC_US_PER_S;
	else
		surge(e);
}

/* What this load came from affords so many flows. */
void
surge_learn(struct sc_replay *e, const struct sc_replay_load *l)
{
	struct admission *a = &e->admit;
	uint64_t nb = a->nb_new - a->new_before, rate;

	a->new_before = a->nb_new;
	if (a->share < ADMIT_ALL || l->us < PERIOD_MIN_US || l->used < USE_KNOWN
			|| nb * SC_US_PER_S < (uint64_t)NEW_KNOWN * l->us)
		return;
	rate = nb * SC_US_PER_S / l->us * RATE_SPARE * USE_GOAL / l->used;
	a->rate = (uint32_t)(a->rate == 0 ? rate
					  : (a->rate * (RATE_WEIGHT - 1ull) + rate) / RATE_WEIGHT);
}
