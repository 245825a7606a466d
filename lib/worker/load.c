/* SPDX-License-Identifier: BSD-3-Clause */
#include "load.h"

#define PERIOD_US (100 * SC_US_PER_MS)
#define POLLS_MIN 20 /* fewer say nothing */

static uint32_t
ring_fill(const struct rte_ring *r)
{
	if (r == NULL)
		return 0;
	return (uint32_t)((uint64_t)rte_ring_count(r) * 1000 / rte_ring_get_capacity(r));
}

bool
load_read(struct load *l, const struct sc_box *box, uint16_t worker, uint64_t now_us,
		uint32_t *load)
{
	uint64_t missed;

	if (now_us - l->since_us < PERIOD_US)
		return false;
	missed = atomic_load_explicit(&box->nb_missed, memory_order_relaxed);
	*load = l->polls >= POLLS_MIN ? (uint32_t)((uint64_t)l->full * 1000 / l->polls) : 0;
	for (uint16_t i = 0; i < SC_STEER_WORKERS_MAX; i++) {
		*load = SC_MAX(*load, ring_fill(box->records[i][worker]));
		*load = SC_MAX(*load, ring_fill(box->handover[i][worker]));
	}
	if (missed != l->nb_missed)
		*load = 1000;
	*l = (struct load){.since_us = now_us, .nb_missed = missed};
	return true;
}
