/* SPDX-License-Identifier: BSD-3-Clause */
/* load: how near a worker is to losing frames. Thread: the worker. */
#ifndef SC_WORKER_LOAD_H
#define SC_WORKER_LOAD_H

#include <sc_worker.h>

#define LOAD_POLLS_PER_US 4 /* empty ones; at least */

struct load {
	uint64_t since_us;
	uint64_t nb_missed;   /* the box's, when the period began */
	uint64_t frames;      /* of the mirror in this period */
	uint32_t polls, full; /* all, and those that left more behind */
};

/* A round's polls of a mirror queue; is_full: the last one got all that it had asked for. */
static inline void
load_note(struct load *l, uint32_t frames, bool is_full)
{
	l->polls++;
	l->full += is_full;
	l->frames += frames;
}

/* The worker found nothing and slept; awake it would have polled in vain. */
static inline void
load_rest(struct load *l, uint32_t us)
{
	l->polls += us * LOAD_POLLS_PER_US;
}

/*
 * Every 100 ms true, sooner if much is lost, and *load the worst of the period in parts per thousand:
 * polls that left more behind, or how full the rings to this worker are; 20 more for each 1,000th of
 * the frames that a mirror port had no room for. From 5 % lost on, beyond 1,000: what came, where
 * 1,000 is what was taken.
 */
bool load_read(struct load *l, const struct sc_box *box, uint16_t worker, uint64_t now_us,
		uint32_t *load);

#endif
