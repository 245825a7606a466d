/* SPDX-License-Identifier: BSD-3-Clause */
/* idle: what a loop does when there is nothing to do. */
#include <sched.h>
#include <time.h>

#include <rte_pause.h>

#include <sc_worker.h>

#define EMPTY_ROUNDS 1000
#define SLEEP_US 50

void
sc_idle(struct sc_idler *i, bool worked, uint64_t max_us)
{
	struct timespec ts = {.tv_nsec = 1000 * (long)SC_MIN(max_us, (uint64_t)SLEEP_US)};

	if (worked) {
		i->empty = 0;
		return;
	}
	if (++i->empty < EMPTY_ROUNDS && i->mode != SC_IDLE_YIELD) {
		rte_pause();
		return;
	}
	if (i->mode == SC_IDLE_YIELD)
		sched_yield();
	else if (i->mode == SC_IDLE_SLEEP && max_us > 0)
		nanosleep(&ts, NULL);
	else
		rte_pause();
}
