/* SPDX-License-Identifier: BSD-3-Clause */
/* load: how near a worker is to losing frames. Thread: the worker. */
#ifndef SC_WORKER_LOAD_H
#define SC_WORKER_LOAD_H

#include <sc_worker.h>

struct load {
	uint64_t since_us;
	uint64_t nb_missed; /* the box's, when the period began */
	uint64_t frames;    /* of the mirror in this period */
	uint64_t busy;      /* TSC cycles of its rounds that found something to do */
	uint64_t stood;     /* and of those that took so long that the machine had others to run */
	uint32_t rounds, full; /* that found something; that left frames of the mirror behind */
	/* Of a round that finds nothing, and of one that does, lately. */
	uint64_t empty_cycles, busy_cycles;
};

/* What a round did. */
struct load_round {
	uint64_t start;        /* TSC value */
	uint32_t frames, done; /* of the mirror; of all things */
	bool has_more;         /* it left frames of the mirror behind */
};

void load_round(struct load *l, const struct load_round *r);

/*
 * Every 100 ms true, 10 ms after frames begin to be lost, and load->load the worst of the period in
 * parts per thousand. How full the rings to this worker are. Or how much of the time work took, without
 * what polling costs anyway: 970 parts of it are a load of 600, or 300 while next to no round leaves frames
 * behind. Beyond, work takes less time in larger
 * bursts, and how many rounds left frames behind says what is possible: 200 of 1,000 are a load of 600,
 * 500 are one of 800. Beyond 1,000: the mirror ports had no room for some frames, and of what came the
 * share 1,000 / load would keep the worker as busy as it should be. (Frames that are lost while it is
 * not, or while most rounds empty the port, are lost to pauses of the machine, and taking fewer flows
 * would not help.)
 */
bool load_read(struct load *l, const struct sc_box *box, uint16_t worker, uint64_t now_us,
		struct sc_replay_load *load);

#endif
