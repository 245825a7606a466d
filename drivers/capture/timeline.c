/* SPDX-License-Identifier: BSD-3-Clause */
#include "timeline.h"

#include "reader.h"

#define BACK_MAX_NS ((int64_t)READER_NS_PER_S)
#define GAP_MAX_NS (24 * 3600 * (int64_t)READER_NS_PER_S)

uint64_t
timeline_map(struct timeline *t, uint64_t ts_ns, unsigned int file)
{
	int64_t ts = (int64_t)ts_ns, step, pos;
	bool is_next_file = t->is_started && file != t->file;

	if (!t->is_started) {
		t->is_started = true;
		t->prev_ns = ts;
	}
	step = ts - t->prev_ns;
	t->prev_ns = ts;
	t->file = file;
	/* pos_ns stays below READER_TS_MAX, so that no step can overflow the sum. */
	pos = t->pos_ns + step;
	if (step > GAP_MAX_NS || pos > READER_TS_MAX)
		pos = t->last_ns;
	else if (pos < t->last_ns && (is_next_file || t->last_ns - pos > BACK_MAX_NS))
		pos = t->last_ns;
	t->pos_ns = pos;
	t->last_ns = SC_MAX(t->last_ns, pos);
	return (uint64_t)t->last_ns;
}
