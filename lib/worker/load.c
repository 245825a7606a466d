/* SPDX-License-Identifier: BSD-3-Clause */
#include "load.h"

#define PERIOD_US (100 * SC_US_PER_MS)
#define POLLS_MIN 20 /* fewer say nothing */
#define FULL 1000
#define PERIOD_MIN_US (10 * SC_US_PER_MS)
#define LOSS_MUCH 100 /* for each 1,000 frames: not to be looked at for long */
#define LOSS_MAX 100000ul
#define LOSS_WEIGHT 20 /* a little loss is a sign, too */

static uint32_t
ring_fill(const struct rte_ring *r)
{
	if (r == NULL)
		return 0;
	return (uint32_t)((uint64_t)rte_ring_count(r) * FULL / rte_ring_get_capacity(r));
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
		uint32_t *load)
{
	uint64_t missed;
	uint32_t lost;

	missed = atomic_load_explicit(&box->nb_missed, memory_order_relaxed);
	lost = loss(l, box, missed);
	if (now_us - l->since_us < (lost < LOSS_MUCH ? PERIOD_US : PERIOD_MIN_US))
		return false;
	*load = 0;
	if (l->polls >= POLLS_MIN)
		*load = (uint32_t)((uint64_t)l->full * FULL / l->polls);
	for (uint16_t i = 0; i < SC_STEER_WORKERS_MAX; i++) {
		*load = SC_MAX(*load, ring_fill(box->records[i][worker]));
		*load = SC_MAX(*load, ring_fill(box->handover[i][worker]));
	}
	*load = SC_MIN(*load + lost * LOSS_WEIGHT, (uint32_t)FULL);
	if (lost * LOSS_WEIGHT >= FULL)
		*load = FULL + lost;
	*l = (struct load){.since_us = now_us, .nb_missed = missed};
	return true;
}
