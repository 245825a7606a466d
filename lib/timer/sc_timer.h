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
#define SC_WHEEL_TICK_SHIFT 8 /* one tick is 256 us */
#define SC_WHEEL_SLOTS 4096   /* horizon: 1.05 s; later deadlines lap */

/*
 * A node; the owner embeds `nb_nodes` of them in an array of its own, `stride` bytes apart.
 * slot is SC_TIMER_NONE16 while the node is not queued.
 */
struct sc_wheel_node {
	uint32_t next, prev; /* indices, SC_TIMER_NONE at the ends */
	uint32_t due_tick;   /* tick of the deadline, modulo 2^32 */
};

/* next of a node that is not in the wheel. */
#define SC_WHEEL_IDLE (UINT32_MAX - 1)

struct sc_wheel {
	uint8_t *nodes; /* first node; node i is at nodes + i * stride */
	size_t stride;
	uint32_t nb_nodes;
	uint32_t tick; /* the tick up to which the wheel has run */
	uint32_t nb_queued;
	uint32_t head[SC_WHEEL_SLOTS];
};

static inline uint32_t
sc_wheel_tick(uint64_t now_us)
{
	return (uint32_t)(now_us >> SC_WHEEL_TICK_SHIFT);
}

/* Nodes must stay where they are; sets every node idle. */
void sc_wheel_init(struct sc_wheel *w, void *first_node, size_t stride, uint32_t nb_nodes,
		uint64_t now_us);
/*
 * Make node i fire at due_us or at most one tick after. Lazy: a node queued earlier stays where it
 * is and is queued again when it comes up; only an earlier deadline moves it. A deadline in the
 * past fires at the next run.
 */
void sc_wheel_arm(struct sc_wheel *w, uint32_t i, uint64_t due_us);
void sc_wheel_cancel(struct sc_wheel *w, uint32_t i); /* idle nodes are fine */
bool sc_wheel_is_armed(const struct sc_wheel *w, uint32_t i);
/*
 * Take at most `max` nodes that are due at now_us; they are idle on return. Returns their number.
 * Work is bounded by max plus the slots passed; a caller that gets max calls again next round.
 */
uint32_t sc_wheel_expire(struct sc_wheel *w, uint64_t now_us, uint32_t *due, uint32_t max);
/* Microseconds from now_us until the next slot with a node, at most the horizon; 0 if due. */
uint64_t sc_wheel_next(const struct sc_wheel *w, uint64_t now_us);
/* Is every node in the slot that its position says, and are the lists sound? For tests. */
bool sc_wheel_validate(const struct sc_wheel *w);

/* ---- life time: a dense array of seconds, swept in bounded slices ---- */

struct sc_sweep {
	uint32_t *last_seen; /* seconds; 0: entry not in use */
	uint32_t nb;
	uint32_t cursor;
};

int sc_sweep_init(struct sc_sweep *s, uint32_t nb); /* 0 or -ENOMEM */
void sc_sweep_free(struct sc_sweep *s);

static inline void
sc_sweep_touch(struct sc_sweep *s, uint32_t i, uint64_t now_us)
{
	s->last_seen[i] = (uint32_t)(now_us / SC_US_PER_S);
}

static inline void
sc_sweep_forget(struct sc_sweep *s, uint32_t i)
{
	s->last_seen[i] = 0;
}

/*
 * Look at the next `slice` entries; put those not seen for more than `ttl_s` seconds into out (at
 * most max; the sweep then stops early and goes on there next time). They stay in use until the
 * caller touches or forgets them. Returns their number.
 */
uint32_t sc_sweep_run(struct sc_sweep *s, uint64_t now_us, uint32_t ttl_s, uint32_t slice,
		uint32_t *out, uint32_t max);

#endif
