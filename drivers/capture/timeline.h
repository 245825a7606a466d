/* SPDX-License-Identifier: BSD-3-Clause */
/* The time of records since the first of them, over several files, and never backwards. */
#ifndef TIMELINE_H
#define TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

struct timeline {
	bool is_started;
	unsigned int file;
	int64_t prev_ns; /* time stamp of the record before */
	int64_t pos_ns;  /* where that stands on the line; may be behind last_ns */
	int64_t last_ns; /* the latest time given out */
};

/*
 * Nanoseconds since the first record, at least those of the record before. Time stamps (at most
 * READER_TS_MAX) keep their distances, except that
 * - one that is a little earlier than its predecessor (up to 1 s: several queues were captured) gets
 *   the predecessor's time;
 * - a greater step back, or a file that begins before the one before it ended, goes on right after;
 * - a gap above 24 hours is left out: a damaged time stamp or two captures of different days.
 */
uint64_t timeline_map(struct timeline *t, uint64_t ts_ns, unsigned int file);

#endif
