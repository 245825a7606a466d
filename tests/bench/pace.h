/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pace: a worker with a CPU of its own, and a mirror that does not wait for it, on one lcore. Time is
 * what the worker's rounds took; feed, intercept and target take none of it. A port of so many
 * descriptors stands before the worker: what comes while they are full is lost, and counted.
 */
#ifndef BENCH_PACE_H
#define BENCH_PACE_H

#include "bench.h"

#define PACE_DESCRIPTORS 1024 /* of the mirror port, as spancopy asks for by default */
#define PACE_TARGET_US 200    /* until the target has answered */
#define PACE_ANSWERS 65536    /* on their way, a power of two */

struct pace_answer {
	uint64_t due; /* TSC cycles of the worker */
	struct rte_mbuf *m;
};

struct pace {
	struct bench_box *b;
	/* What the target answers to a frame of ours, as reflect() does. */
	uint16_t (*reflect)(void *arg, const struct rte_mbuf *m, struct rte_mbuf **out,
			uint16_t max, uint64_t now_us);
	void *arg;
	uint64_t hz;
	uint64_t time;    /* cycles of the worker since the start, and those it waited */
	uint64_t busy;    /* cycles of rounds that found work */
	uint64_t begun;   /* TSC, of the round that runs; 0: none does */
	uint64_t missed;  /* frames that the port had no room for */
	uint64_t told_us; /* when the box was told of them */
	uint64_t usual;   /* cycles of a busy round, lately */
	uint64_t longest; /* round */
	uint64_t rounds, disturbed;
	struct pace_answer *answer;
	uint32_t head, tail;
};

/* False without memory. The worker's clock is at the bench's start. */
bool pace_init(struct pace *p, struct bench_box *b);
void pace_fini(struct pace *p);
/* Cycles since the start, also within a round. */
uint64_t pace_now(const struct pace *p);
/* Room in the port's descriptors. */
uint32_t pace_room(const struct pace *p);
/* One round of the worker, then target and intercept do what is due. Returns the worker's work. */
uint32_t pace_round(struct pace *p);
/* Nothing comes for so long, but what is on its way: rounds of step_us. */
void pace_settle(struct pace *p, uint32_t rounds, uint32_t step_us);

#endif
