/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scale: what a turn costs on one lcore alone, and on each of two at the same time. Each lcore has a
 * worker that intercepts inline, its own feed and its own reflector.
 */
#include <sched.h>

#include <rte_launch.h>
#include <rte_lcore.h>

#include "bench.h"

/* The kernel takes the CPU from such threads for 50 ms when they have had it for most of a second. */
#define REST_US 300000

bool
rt_begin(void)
{
	struct sched_param p = {.sched_priority = 1};

	return sched_setscheduler(0, SCHED_FIFO, &p) == 0;
}

void
rt_end(void)
{
	struct sched_param p = {0};

	sched_setscheduler(0, SCHED_OTHER, &p);
	rte_delay_us_sleep(REST_US);
}

static int
run_lane(void *arg)
{
	rt_begin();
	loop_measured(arg);
	rt_end();
	return 0;
}

static void
run(struct loop *lane, bool first, bool second)
{
	unsigned int other = rte_get_next_lcore(-1, 1, 0);

	if (second)
		rte_eal_remote_launch(run_lane, &lane[1], other);
	if (first)
		run_lane(&lane[0]);
	rte_eal_wait_lcore(other);
}

/* Worker cycles a turn. */
static double
cost(const struct loop *l, const struct timed *before, uint64_t turns)
{
	return timed_cycles(before, &l->spent.worker) / (double)turns;
}

static void
measure_once(struct loop *lane, const struct script *s, uint64_t *at, uint64_t turns)
{
	double alone[2], both[2];
	struct timed before[2];

	for (unsigned int i = 0; i < 2; i++) {
		before[i] = lane[i].spent.worker;
		loop_begin(&lane[i], s, *at, *at + turns);
		run(lane, i == 0, i == 1);
		alone[i] = cost(&lane[i], &before[i], turns);
	}
	*at += turns;
	for (unsigned int i = 0; i < 2; i++) {
		before[i] = lane[i].spent.worker;
		loop_begin(&lane[i], s, *at, *at + turns);
	}
	run(lane, true, true);
	for (unsigned int i = 0; i < 2; i++)
		both[i] = cost(&lane[i], &before[i], turns);
	*at += turns;
	printf("{\"alone\":[%.1f,%.1f],\"together\":[%.1f,%.1f]}", alone[0], alone[1], both[0],
			both[1]);
}

bool
scale_measure(struct bench_box *b, const struct traffic *t, uint32_t sessions, uint32_t runs,
		uint64_t turns)
{
	static struct loop lane[2];
	static struct script s;
	uint64_t at = 0;
	bool ok = true;

	b->nb_workers = 2;
	b->is_inline = b->is_real_time = true;
	if (box_start(b, sessions) < 0 || box_start_workers(b) < 0)
		return false;
	for (uint16_t i = 0; i < 2; i++) {
		lane[i] = (struct loop){.b = b, .lane = i};
		lane[i].feed = (struct feed){.t = t,
				.order = feed_order(&b->steer, i, sessions),
				.nb = sessions,
				.lag = 1,
				.pool = b->feed_pool};
		lane[i].reflector = (struct reflector){.t = t, .pool = b->target_pool};
		if (lane[i].feed.order == NULL)
			return false;
		loop_open(&lane[i], sessions);
	}
	script_turn(&s, t);
	printf("\"scale\":[");
	for (uint32_t i = 0; i < runs; i++) {
		printf("%s\n", i == 0 ? "" : ",");
		measure_once(lane, &s, &at, turns);
	}
	printf("],\n");
	for (uint16_t i = 0; i < 2; i++)
		ok &= loop_check(&lane[i], sessions);
	return box_stop(b) && ok;
}
