/* SPDX-License-Identifier: BSD-3-Clause */
/* load: how near a worker is to losing frames. Thread: the worker. */
#ifndef SC_WORKER_LOAD_H
#define SC_WORKER_LOAD_H

#include <sc_worker.h>

#define LOAD_POLLS_PER_US 4 /* empty ones; at least */

struct load {
	uint64_t since_us;
	uint64_t nb_missed;   /* the box's, when the period began */
	uint32_t polls, full; /* of the mirror in this period: all, and those with a whole burst */
};

/* A poll of a mirror queue. */
static inline void
load_note(struct load *l, bool is_full)
{
	l->polls++;
	l->full += is_full;
}

/* The worker found nothing and slept; awake it would have polled in vain. */
static inline void
load_rest(struct load *l, uint32_t us)
{
	l->polls += us * LOAD_POLLS_PER_US;
}

/*
 * Every 100 ms true, and *load the worst of the period in parts per thousand: whole bursts only, a
 * ring to this worker that fills, or frames that a mirror port had no room for.
 */
bool load_read(struct load *l, const struct sc_box *box, uint16_t worker, uint64_t now_us,
		uint32_t *load);

#endif
