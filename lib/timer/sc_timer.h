/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * timer: short deadlines in a small single-level wheel; life times by a sweep over last_seen[].
 * Nodes are indices into arrays the caller owns; functions take now; nothing reads a clock.
 *
 * Thread: the owning worker.
 */
#ifndef SC_TIMER_H
#define SC_TIMER_H

#include <sc_base.h>

#define SC_TIMER_NONE UINT32_MAX
#define SC_WHEEL_TICK_SHIFT 8         /* one tick is 256 us */
#define SC_WHEEL_SLOTS 4096           /* horizon: 1.05 s; later deadlines lap */
#define SC_WHEEL_TICKS_MAX (1u << 30) /* 3.2 days: ticks compare modulo 2^32 */

/* A node. They stand in a dense array of the caller's, apart from what they stand for. */
struct sc_wheel_node {
	uint32_t next;      /* index, SC_TIMER_NONE at the end, SC_WHEEL_IDLE out of the wheel */
	uint32_t prev;      /* index; the first of a list has the list's number and bit 31 */
	uint32_t due_tick;  /* tick of the deadline, modulo 2^32 */
	uint32_t slot_tick; /* tick at which the wheel comes to it: never after due_tick */
};

/* next of a node that is not in the wheel. */
#define SC_WHEEL_IDLE (UINT32_MAX - 1)

struct sc_wheel {
	struct sc_wheel_node *nodes;
	uint32_t nb_nodes; /* below 2^31 */
	uint32_t nb_queued;
	uint64_t tick;                     /* the tick up to which the wheel has run */
	uint64_t run_to;                   /* the tick that the last run was asked for */
	uint32_t head[SC_WHEEL_SLOTS + 1]; /* the last: slots passed, not yet looked through */
};

static inline uint32_t
sc_wheel_tick(uint64_t now_us)
{
	return (uint32_t)(now_us >> SC_WHEEL_TICK_SHIFT);
}

/* Nodes must stay where they are; sets every node idle. */
void sc_wheel_init(struct sc_wheel *w, struct sc_wheel_node *nodes, uint32_t nb_nodes,
		uint64_t now_us);
/* Queue node i, which is idle or stands in a slot behind that of due_us. */
void sc_wheel_move(struct sc_wheel *w, uint32_t i, uint64_t due_us);
/*
 * Make node i fire at due_us or at most one tick after. Lazy: a node in an earlier slot stays where
 * it is and is queued again when the wheel comes to it; so a deadline that every packet moves to and
 * fro costs a comparison. A deadline in the past fires at the next run; one more than three days
 * ahead fires after three days.
 */
static inline void
sc_wheel_arm(struct sc_wheel *w, uint32_t i, uint64_t due_us)
{
	struct sc_wheel_node *n = &w->nodes[i];
	uint64_t due = (due_us + (1u << SC_WHEEL_TICK_SHIFT) - 1) >> SC_WHEEL_TICK_SHIFT;

	if (n->next != SC_WHEEL_IDLE && (int32_t)((uint32_t)due - n->slot_tick) >= 0
			&& due - w->tick <= SC_WHEEL_TICKS_MAX)
		n->due_tick = (uint32_t)due;
	else
		sc_wheel_move(w, i, due_us);
}

void sc_wheel_cancel(struct sc_wheel *w, uint32_t i); /* idle nodes are fine */
bool sc_wheel_is_armed(const struct sc_wheel *w, uint32_t i);
/*
 * Take at most `max` nodes that are due at now_us; they are idle on return. Returns their number.
 * Work is bounded: max nodes looked at, those that are only queued again included, plus the slots
 * passed. A run that stops early, at any number returned, goes on there in the next round;
 * sc_wheel_next() is 0 then. While nodes are queued, call it at least every three days of time.
 */
uint32_t sc_wheel_expire(struct sc_wheel *w, uint64_t now_us, uint32_t *due, uint32_t max);
/* Microseconds from now_us until the next slot with a node, at most the horizon; 0 if due. */
uint64_t sc_wheel_next(const struct sc_wheel *w, uint64_t now_us);
/* The same, at most within_us: slots beyond are not looked at. */
uint64_t sc_wheel_next_within(const struct sc_wheel *w, uint64_t now_us, uint64_t within_us);
/* Is every node in the slot that its position says, and are the lists sound? For tests. */
bool sc_wheel_validate(const struct sc_wheel *w);

/* ---- life time: a dense array of seconds, swept in bounded slices ---- */

#define SC_SWEEP_LONG 0x80000000u /* in last_seen: an entry with the longer life time */

struct sc_sweep {
	uint32_t *last_seen; /* seconds; 0: entry not in use */
	uint32_t nb;
	uint32_t cursor;
	uint32_t ttl_s, long_s; /* life times, which the caller sets */
};

/* Near NUMA node `socket` (-1: anywhere). 0 or -ENOMEM. */
int sc_sweep_init(struct sc_sweep *s, uint32_t nb, int socket);
void sc_sweep_free(struct sc_sweep *s);

static inline void
sc_sweep_touch(struct sc_sweep *s, uint32_t i, uint32_t now_s)
{
	/* Virtual time may begin at 0. */
	s->last_seen[i] = (s->last_seen[i] & SC_SWEEP_LONG) | (now_s + (now_s == 0));
}

/* Until it is forgotten the entry, which is in use, has the longer life time. */
static inline void
sc_sweep_lengthen(struct sc_sweep *s, uint32_t i)
{
	s->last_seen[i] |= SC_SWEEP_LONG;
}

static inline void
sc_sweep_forget(struct sc_sweep *s, uint32_t i)
{
	s->last_seen[i] = 0;
}

/* When the entry was touched last. */
static inline uint32_t
sc_sweep_seen_s(const struct sc_sweep *s, uint32_t i)
{
	return s->last_seen[i] & ~SC_SWEEP_LONG;
}

/*
 * Look at the next `slice` entries; put those not seen for more than their life time into out (at
 * most max; the sweep then stops early and goes on there next time). They stay in use until the
 * caller touches or forgets them. Returns their number.
 */
uint32_t sc_sweep_run(
		struct sc_sweep *s, uint64_t now_us, uint32_t slice, uint32_t *out, uint32_t max);

#endif
