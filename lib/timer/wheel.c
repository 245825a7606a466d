/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A single-level wheel. Lists are doubly linked by index. The `prev` of a list's first node says
 * which list it is, so that a node can leave a slot that its deadline no longer names.
 *
 * A slot is moved to the list CURRENT as a whole when its tick comes; what is not due yet goes
 * from there back to a slot. So a run that stops half-way goes on where it stopped.
 */
#include <assert.h>

#include "sc_timer.h"

#define CURRENT SC_WHEEL_SLOTS
#define FIRST_OF 0x80000000u /* prev of the first node: FIRST_OF | list */
#define SLOT_MASK (SC_WHEEL_SLOTS - 1u)
#define TICK_US (1u << SC_WHEEL_TICK_SHIFT)

static struct sc_wheel_node *
node_at(const struct sc_wheel *w, uint32_t i)
{
	return &w->nodes[i];
}

static void
link_first(struct sc_wheel *w, uint32_t list, uint32_t i)
{
	struct sc_wheel_node *n = node_at(w, i);

	n->next = w->head[list];
	n->prev = FIRST_OF | list;
	if (n->next != SC_TIMER_NONE)
		node_at(w, n->next)->prev = i;
	w->head[list] = i;
}

static void
unlink_node(struct sc_wheel *w, uint32_t i)
{
	struct sc_wheel_node *n = node_at(w, i);

	if (n->prev & FIRST_OF)
		w->head[n->prev & ~FIRST_OF] = n->next;
	else
		node_at(w, n->prev)->next = n->next;
	if (n->next != SC_TIMER_NONE)
		node_at(w, n->next)->prev = n->prev;
	n->next = SC_WHEEL_IDLE;
}

/* The list for a deadline: what the wheel has passed is current. */
static uint32_t
list_of(const struct sc_wheel *w, uint32_t due_tick)
{
	return (int32_t)(due_tick - (uint32_t)w->tick) <= 0 ? CURRENT : due_tick & SLOT_MASK;
}

static void
link_due(struct sc_wheel *w, uint32_t i, uint32_t due_tick)
{
	struct sc_wheel_node *n = node_at(w, i);

	n->due_tick = n->slot_tick = due_tick;
	link_first(w, list_of(w, due_tick), i);
}

void
sc_wheel_init(struct sc_wheel *w, struct sc_wheel_node *nodes, uint32_t nb_nodes, uint64_t now_us)
{
	assert(nb_nodes < FIRST_OF);
	w->nodes = nodes;
	w->nb_nodes = nb_nodes;
	w->tick = now_us >> SC_WHEEL_TICK_SHIFT;
	w->run_to = w->tick;
	w->nb_queued = 0;
	for (uint32_t list = 0; list < SC_ARRAY_SIZE(w->head); list++)
		w->head[list] = SC_TIMER_NONE;
	for (uint32_t i = 0; i < nb_nodes; i++)
		*node_at(w, i) = (struct sc_wheel_node){.next = SC_WHEEL_IDLE};
}

/* Rounded up, so that nothing fires early, and within what 32 bits can tell apart. */
static uint32_t
due_tick_of(const struct sc_wheel *w, uint64_t due_us)
{
	uint64_t due = (due_us >> SC_WHEEL_TICK_SHIFT) + (due_us % TICK_US != 0);

	return (uint32_t)SC_CLAMP(due, w->tick, w->tick + SC_WHEEL_TICKS_MAX);
}

void
sc_wheel_move(struct sc_wheel *w, uint32_t i, uint64_t due_us)
{
	struct sc_wheel_node *n = node_at(w, i);
	uint32_t due_tick = due_tick_of(w, due_us);

	assert(i < w->nb_nodes);
	if (n->next == SC_WHEEL_IDLE)
		w->nb_queued++;
	else
		unlink_node(w, i);
	link_due(w, i, due_tick);
}

void
sc_wheel_cancel(struct sc_wheel *w, uint32_t i)
{
	assert(i < w->nb_nodes);
	if (node_at(w, i)->next == SC_WHEEL_IDLE)
		return;
	unlink_node(w, i);
	w->nb_queued--;
}

bool
sc_wheel_is_armed(const struct sc_wheel *w, uint32_t i)
{
	assert(i < w->nb_nodes);
	return node_at(w, i)->next != SC_WHEEL_IDLE;
}

/* Go one tick on; the list CURRENT is empty. */
static void
step(struct sc_wheel *w)
{
	uint32_t slot = (uint32_t)++w->tick & SLOT_MASK, first = w->head[slot];

	if (first == SC_TIMER_NONE)
		return;
	w->head[slot] = SC_TIMER_NONE;
	w->head[CURRENT] = first;
	node_at(w, first)->prev = FIRST_OF | CURRENT;
}

uint32_t
sc_wheel_expire(struct sc_wheel *w, uint64_t now_us, uint32_t *due, uint32_t max)
{
	uint64_t now = SC_MAX(now_us >> SC_WHEEL_TICK_SHIFT, w->run_to);
	uint32_t nb = 0, nb_seen = 0;

	w->run_to = now;
	while (w->nb_queued > 0) {
		uint32_t i = w->head[CURRENT];

		if (i == SC_TIMER_NONE && w->tick == now)
			return nb;
		if (i == SC_TIMER_NONE) {
			/* One turn of the wheel passes every node, however long ago the last run was. */
			if (now - w->tick > SC_WHEEL_SLOTS)
				w->tick = now - SC_WHEEL_SLOTS;
			step(w);
			continue;
		}
		/* Nodes that only move on are work too: they count, or a run has no bound. */
		if (nb_seen++ == max)
			return nb;
		unlink_node(w, i);
		if ((int32_t)(node_at(w, i)->due_tick - (uint32_t)now) > 0) {
			link_due(w, i, node_at(w, i)->due_tick);
			continue;
		}
		w->nb_queued--;
		due[nb++] = i;
	}
	w->tick = now;
	return nb;
}

uint64_t
sc_wheel_next_within(const struct sc_wheel *w, uint64_t now_us, uint64_t within_us)
{
	uint64_t tick = w->tick + 1, end = ((now_us + within_us) >> SC_WHEEL_TICK_SHIFT) + 1;
	uint64_t at_us;

	if (w->nb_queued == 0)
		return within_us;
	if (w->head[CURRENT] != SC_TIMER_NONE)
		return 0;
	while (tick < end && w->head[tick & SLOT_MASK] == SC_TIMER_NONE)
		tick++;
	at_us = tick << SC_WHEEL_TICK_SHIFT;
	return at_us <= now_us ? 0 : SC_MIN(at_us - now_us, within_us);
}

uint64_t
sc_wheel_next(const struct sc_wheel *w, uint64_t now_us)
{
	return sc_wheel_next_within(w, now_us, (uint64_t)SC_WHEEL_SLOTS << SC_WHEEL_TICK_SHIFT);
}

/* May node n stand in a list that the wheel comes to at tick `visit`? */
static bool
is_in_time(const struct sc_wheel *w, const struct sc_wheel_node *n, uint64_t visit)
{
	/* A run that has fallen behind by a turn still comes here before it reaches its end. */
	return visit <= w->run_to || (int32_t)(n->due_tick - (uint32_t)visit) >= 0;
}

/* Number of nodes in a list that is sound, or -1. */
static int64_t
validate_list(const struct sc_wheel *w, uint32_t list)
{
	uint64_t visit = w->tick;
	uint32_t prev = FIRST_OF | list;
	int64_t nb = 0;

	if (list != CURRENT)
		visit += 1 + ((list - (uint32_t)w->tick - 1) & SLOT_MASK);
	for (uint32_t i = w->head[list]; i != SC_TIMER_NONE; i = node_at(w, i)->next) {
		if (i >= w->nb_nodes || ++nb > w->nb_queued)
			return -1;
		if (node_at(w, i)->prev != prev || !is_in_time(w, node_at(w, i), visit))
			return -1;
		prev = i;
	}
	return nb;
}

bool
sc_wheel_validate(const struct sc_wheel *w)
{
	uint32_t nb_linked = 0, nb_armed = 0;

	for (uint32_t list = 0; list < SC_ARRAY_SIZE(w->head); list++) {
		int64_t nb = validate_list(w, list);

		if (nb < 0)
			return false;
		nb_linked += (uint32_t)nb;
	}
	for (uint32_t i = 0; i < w->nb_nodes; i++)
		nb_armed += sc_wheel_is_armed(w, i);
	return nb_linked == w->nb_queued && nb_armed == w->nb_queued;
}
