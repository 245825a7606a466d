/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * idle: what a loop does when there is nothing to do. Falling asleep and waking cost 5,000 to 30,000
 * cycles, more than a request does; a longer sleep brings more work at once. So sleeps grow where
 * much is under way, or nothing; a single conversation gets short ones.
 */
#include <sched.h>
#include <unistd.h>

#include <rte_pause.h>

#include <sc_worker.h>

#define EMPTY_ROUNDS 4
#define SLEEP_MIN_US 50
#define SLEEP_IDLE_US 400 /* at most, for the first frame of somebody */
#define SLEEP_MAX_US 800
#define WORK_FEW 16    /* less in a sleep: somebody may be waiting for the next frame */
#define WORK_MANY 256u /* more in a sleep: rings may run full */

static uint32_t
choose_sleep(struct sc_idler *i, uint64_t max_us)
{
	uint32_t us = SLEEP_MIN_US, work = i->work;

	if (work == WORK_MANY)
		us = i->sleep_us / 2;
	else if (work == 0 || work >= WORK_FEW)
		us = 2 * i->sleep_us;
	i->sleep_us = SC_CLAMP(us, SLEEP_MIN_US, work == 0 ? SLEEP_IDLE_US : SLEEP_MAX_US);
	i->work = 0;
	/* With much under way some deadline is always near, and would make every sleep a short one. */
	return work >= WORK_FEW ? i->sleep_us : (uint32_t)SC_MIN(max_us, (uint64_t)i->sleep_us);
}

bool
sc_idle(struct sc_idler *i, uint32_t done, uint64_t max_us)
{
	if (done > 0) {
		i->empty = 0;
		i->work = SC_MIN(i->work + SC_MIN(done, WORK_MANY), WORK_MANY);
		return false;
	}
	i->empty++;
	if (i->mode == SC_IDLE_SLEEP && i->empty >= EMPTY_ROUNDS && max_us > 0) {
		usleep(choose_sleep(i, max_us));
		return true;
	}
	if (i->mode == SC_IDLE_YIELD)
		sched_yield();
	else
		rte_pause();
	return false;
}
