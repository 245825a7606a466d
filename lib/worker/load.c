/* SPDX-License-Identifier: BSD-3-Clause */
#include "load.h"

#include <rte_cycles.h>

#define PERIOD_US (100 * SC_US_PER_MS)
#define PERIOD_MIN_US (10 * SC_US_PER_MS)
#define FULL 1000ul
#define BURST 32
#define EMPTY_WEIGHT 16
#define BUSY_WEIGHT 64
#define STOOD_TIMES 64 /* a round that much longer was the machine's, which had others to run */
#define USE_LOW 970    /* of 1,000: below, there is room for more */
#define USE_LOST 950   /* below either, frames that are lost are no overload's */
#define FULL_LOST 300  /* of 1,000 rounds */
#define FULL_FEW 20    /* less: it is many small rounds that take the time */
#define USE_GOAL 940   /* where losses are to bring it */
#define LOSS_MIN 5     /* for each 1,000 frames: not to be looked at for long */
#define LOSS_MAX 100000ul

static uint32_t
ring_fill(const struct rte_ring *r)
{
	if (r == NULL)
		return 0;
	return (uint32_t)((uint64_t)rte_ring_count(r) * FULL / rte_ring_get_capacity(r));
}

/* A full round needs its polls; one that finds little polls for want of work. */
void
load_round(struct load *l, const struct load_round *r)
{
	uint64_t cycles = rte_rdtsc() - r->start, polling, most;

	l->frames += r->frames;
	if (r->done == 0) {
		l->empty_cycles += ((int64_t)cycles - (int64_t)l->empty_cycles) / EMPTY_WEIGHT;
		return;
	}
	l->rounds++;
	l->full += r->has_more;
	if (l->busy_cycles == 0)
		l->busy_cycles = cycles;
	most = l->busy_cycles * STOOD_TIMES;
	l->busy_cycles += ((int64_t)SC_MIN(cycles, most) - (int64_t)l->busy_cycles) / BUSY_WEIGHT;
	if (cycles > most) {
		l->stood += cycles;
		return;
	}
	polling = l->empty_cycles * (BURST - SC_MIN(r->frames, (uint32_t)BURST)) / BURST;
	l->busy += cycles - SC_MIN(cycles, polling);
}

/* Of 1,000 parts of the time that there was for it, what the work took. */
static uint32_t
use(const struct load *l, uint64_t hz, uint64_t us)
{
	uint64_t all = hz / SC_US_PER_S * us;

	return all <= l->stood ? 0 : (uint32_t)SC_MIN(l->busy * FULL / (all - l->stood), FULL);
}

static uint32_t
load_of(const struct load *l, uint32_t used)
{
	if (used < USE_LOW || l->rounds == 0)
		return used * 600 / (l->full * FULL < FULL_FEW * l->rounds ? 2000 : 1000);
	return (uint32_t)SC_MIN(467 + l->full * FULL * 2 / 3 / l->rounds, FULL);
}

/* Frames lost for each 1,000 that were taken, if the loss is spread over all workers alike. */
static uint32_t
loss(const struct load *l, const struct sc_box *box, uint64_t missed)
{
	uint64_t lost = (missed - l->nb_missed) / box->nb_workers;

	return (uint32_t)SC_MIN(lost * FULL / SC_MAX(l->frames, (uint64_t)1), LOSS_MAX);
}

bool
load_read(struct load *l, const struct sc_box *box, uint16_t worker, uint64_t now_us,
		struct sc_replay_load *load)
{
	uint64_t missed, us = now_us - l->since_us;
	uint32_t lost;

	missed = atomic_load_explicit(&box->nb_missed, memory_order_relaxed);
	lost = loss(l, box, missed);
	if (us < (lost < LOSS_MIN ? PERIOD_US : PERIOD_MIN_US))
		return false;
	load->us = (uint32_t)SC_MIN(us, (uint64_t)UINT32_MAX);
	load->used = use(l, box->clock->tsc_hz, us);
	load->load = load_of(l, load->used);
	for (uint16_t i = 0; i < SC_STEER_WORKERS_MAX; i++) {
		load->load = SC_MAX(load->load, ring_fill(box->records[i][worker]));
		load->load = SC_MAX(load->load, ring_fill(box->handover[i][worker]));
	}
	if (lost >= LOSS_MIN && load->used >= USE_LOST && l->full * FULL >= FULL_LOST * l->rounds)
		load->load = (uint32_t)((FULL + lost) * FULL / USE_GOAL);
	*l = (struct load){
			.since_us = now_us,
			.nb_missed = missed,
			.empty_cycles = l->empty_cycles,
			.busy_cycles = l->busy_cycles,
	};
	return true;
}
