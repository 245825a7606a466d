/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * On-link client addresses: each is probed before it is answered for (RFC 5227 section 2.1.1, RFC
 * 4862 section 5.4), and given up as soon as another station claims it. Probes are 200 ms apart,
 * not 1-2 s as in RFC 5227: hundreds of addresses on a test network should not hold up a start.
 */
#include <errno.h>
#include <stdlib.h>

#include "ic.h"

#define ROUNDS 3
#define ROUND_US (200 * SC_US_PER_MS)
#define PER_TICK 256
#define ROOM_FOR_OTHERS 32 /* frames of the queue that probes leave free */

static uint32_t
find(const struct ic_pool *p, const struct sc_addr *a)
{
	uint32_t at;

	if (p->pool == NULL)
		return UINT32_MAX;
	for (at = ic_hash(a, 0) & p->mask; p->slot[at] != 0; at = (at + 1) & p->mask)
		if (sc_addr_eq(&p->pool->addr[p->slot[at] - 1], a))
			return p->slot[at] - 1;
	return UINT32_MAX;
}

bool
ic_pool_is_ours(const struct ic_pool *p, const struct sc_addr *a)
{
	uint32_t i = find(p, a);

	return i != UINT32_MAX && p->state[i] == IC_OWN_OURS;
}

void
ic_pool_claimed(struct ic_pool *p, const struct sc_addr *a, const uint8_t mac[6], bool is_probe)
{
	uint32_t i = find(p, a);
	char text[SC_ADDR_STRLEN];

	if (i == UINT32_MAX || p->state[i] == IC_OWN_WITHDRAWN)
		return;
	/* A probe by another counts only while we probe, too; who is first may keep the address. */
	if (is_probe && p->state[i] != IC_OWN_PROBING)
		return;
	p->state[i] = IC_OWN_WITHDRAWN;
	atomic_fetch_add(&p->nb_withdrawn, 1);
	sc_log(SC_LOG_WARN, IC_AREA,
			"address_conflict: client address %s is used by "
			"%02x:%02x:%02x:%02x:%02x:%02x: it is not answered for any more; take it "
			"out "
			"of the on-link pool",
			sc_addr_format(a, text), mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

/* Is the address somebody's by our own configuration? */
static bool
is_taken(const struct sc_targets *ts, const struct sc_addr *a)
{
	for (unsigned int i = 0; i < ts->nb; i++)
		if (sc_addr_eq(&ts->t[i].addr, a))
			return true;
	for (unsigned int i = 0; i < ts->nb_nexthops; i++)
		if (sc_addr_eq(&ts->nexthop[i].addr, a))
			return true;
	return ic_is_box(ts, a);
}

int
ic_pool_init(struct sc_intercept *ic, struct sc_err *err)
{
	const struct sc_pool *pool = ic->cfg.on_link;
	struct ic_pool *p = &ic->pool;
	uint32_t nb_slots = 4;
	char text[SC_ADDR_STRLEN];

	while (nb_slots < 2 * pool->nb)
		nb_slots *= 2;
	p->slot = calloc(nb_slots, sizeof(*p->slot));
	p->state = calloc(SC_MAX(pool->nb, 1), sizeof(*p->state));
	if (p->slot == NULL || p->state == NULL)
		return sc_err_set(err, -ENOMEM, "no memory for %u on-link addresses", pool->nb);
	p->mask = nb_slots - 1;
	p->pool = pool;
	for (uint32_t i = 0; i < pool->nb; i++) {
		uint32_t at = ic_hash(&pool->addr[i], 0) & p->mask;

		if (is_taken(ic->cfg.targets, &pool->addr[i]))
			return sc_err_set(err, -EINVAL,
					"on-link client address %s is a target, gateway or test "
					"port "
					"address: take it out of the pool",
					sc_addr_format(&pool->addr[i], text));
		while (p->slot[at] != 0)
			at = (at + 1) & p->mask;
		p->slot[at] = i + 1;
	}
	return 0;
}

void
ic_pool_free(struct ic_pool *p)
{
	free(p->slot);
	free(p->state);
}

static void
finish(struct ic_pool *p)
{
	uint32_t nb_ours = 0;

	for (uint32_t i = 0; i < p->pool->nb; i++) {
		if (p->state[i] != IC_OWN_PROBING)
			continue;
		p->state[i] = IC_OWN_OURS;
		nb_ours++;
	}
	sc_log(SC_LOG_INFO, IC_AREA, "%u of %u on-link client addresses are free and answered for",
			nb_ours, p->pool->nb);
	atomic_store(&p->is_done, true);
}

void
ic_pool_tick(struct sc_intercept *ic, uint64_t now_us)
{
	struct ic_pool *p = &ic->pool;
	unsigned int nb = 0;

	if (p->pool == NULL || atomic_load_explicit(&p->is_done, memory_order_relaxed)
			|| now_us < p->due_us)
		return;
	if (p->round == ROUNDS) {
		finish(p);
		return;
	}
	for (; p->cursor < p->pool->nb && nb < PER_TICK; p->cursor++, nb++) {
		if (p->state[p->cursor] == IC_OWN_WITHDRAWN)
			continue;
		if (ic_frame_room(ic) <= ROOM_FOR_OTHERS)
			return;
		if (!ic_ask(ic, NULL, &p->pool->addr[p->cursor], NULL))
			return;
	}
	if (p->cursor < p->pool->nb)
		return;
	p->cursor = 0;
	p->round++;
	p->due_us = now_us + ROUND_US;
}
