/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * golden: capture in, wire out, byte for byte. One engine in virtual time, a scripted target that
 * acknowledges everything and answers with production's own byte counts.
 */
#ifndef GOLDEN_H
#define GOLDEN_H

#include <sc_replay.h>

#define GOLDEN_TICK_US 1000ull

struct golden_case {
	const char *name;
	const char *what;
	uint32_t copies;
	bool has_pool;
	bool is_partial; /* the capture lacks bytes, so the replay does */
	uint16_t target_mss;
	void (*make)(const char *path); /* writes the capture */
};

extern const struct golden_case golden_cases[];
extern const unsigned int golden_nb_cases;

/* ---- the scripted target ---- */

struct target;

struct target *target_new(uint16_t mss);
void target_free(struct target *t);
/* Learn what production did: every frame of the capture, before the run. */
void target_learn(struct target *t, const struct sc_seg *s, bool is_client);
/* A frame that the engine sent. */
void target_take(struct target *t, const struct sc_seg *seg);
/* Its next response; false when there is none. Responses wait for the next tick. */
bool target_respond(struct target *t, uint64_t now_us, struct sc_record *rec);

/* ---- a run ---- */

/* Replay the capture `in` and write what was sent to `out`; mirror and records in bursts. */
void golden_run(const struct golden_case *c, const char *in, const char *out, uint16_t burst);

#endif
