/* SPDX-License-Identifier: BSD-3-Clause */
/* oracle: what must be true at any time and at the end of a schedule. */
#ifndef SIM_ORACLE_H
#define SIM_ORACLE_H

#include <sc_replay.h>

#include "sim.h"

#define HELD_BYTES (4u << 20)

struct sim_run {
	struct sc_replay *engine;
	struct sc_rule rule;
	struct sc_replay_target target;
	struct sc_path path;
	struct sc_pool pool;
	struct sc_stats stats;
	struct sc_rng audit_rng;
	uint64_t engine_us;            /* its next deadline */
	uint64_t busy_us;              /* when something last came in or went out */
	uint64_t wait_us;              /* the source waits until then */
	uint64_t tx_us;                /* when the transmit ring has room again */
	uint64_t drain_us, drained_us; /* when it will be, and was, told of the end */
	uint64_t idle_us;              /* when everything had ended */
};

void oracle_now(struct sim *s);
void oracle_end(struct sim *s);

#endif
