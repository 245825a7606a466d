/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tuples of one worker over a pool of client addresses, towards one target.
 *
 * slot = address index x |F_w| + rank[fold]: a response finds its slot by arithmetic, and every
 * slot brings its response to this worker. Free slots are a FIFO through the slots themselves.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "sc_steer.h"

#define NO_SLOT UINT32_MAX
#define ADDRS_MAX 65536u /* sc_tuple.addr_idx */

/* stamp: freed_at_us << 2 | had_ts << 1 | was used; TAKEN while a session holds the tuple. */
#define STAMP_TAKEN UINT64_MAX
#define STAMP_USED 1u
#define STAMP_TS 2u
#define STAMP_SHIFT 2

struct slot {
	uint64_t stamp;
	uint32_t link;     /* taken: the session; free: the next free slot */
	uint32_t last_seq; /* free and used: where the predecessor ended */
};

static_assert(sizeof(struct slot) == 16, "16 bytes a tuple");

struct sc_tuples {
	const struct sc_steer *steer;
	struct slot *slots;
	uint16_t *keys; /* per address: response fold ^ client port */
	uint32_t nb_addrs;
	uint32_t nb_folds; /* |F_w| */
	uint32_t head, tail;
	uint32_t nb_taken;
	uint64_t count; /* tuples that can be handed out: slots less those of ports below 1024 */
	uint8_t worker;
};

static bool
is_one_family(const struct sc_addr *pool, uint32_t nb, const struct sc_addr *target)
{
	for (uint32_t i = 0; i < nb; i++)
		if (sc_addr_is_v4(&pool[i]) != sc_addr_is_v4(target))
			return false;
	return true;
}

static void
append(struct sc_tuples *t, uint32_t slot)
{
	t->slots[slot].link = NO_SLOT;
	if (t->head == NO_SLOT)
		t->head = slot;
	else
		t->slots[t->tail].link = slot;
	t->tail = slot;
}

static uint16_t
slot_port(const struct sc_tuples *t, uint32_t addr, uint32_t rank)
{
	return t->steer->folds[t->worker][rank] ^ t->keys[addr];
}

/* Address by address within a rank, so that a pool's addresses share the load from the start. */
static void
fill_fifo(struct sc_tuples *t)
{
	t->head = t->tail = NO_SLOT;
	for (uint32_t rank = 0; rank < t->nb_folds; rank++) {
		for (uint32_t a = 0; a < t->nb_addrs; a++) {
			uint32_t slot = a * t->nb_folds + rank;

			t->slots[slot] = (struct slot){.link = NO_SLOT};
			if (slot_port(t, a, rank) < SC_STEER_PORT_MIN)
				continue;
			append(t, slot);
			t->count++;
		}
	}
}

struct sc_tuples *
sc_tuples_create(const struct sc_steer *s, uint8_t w, const struct sc_addr *pool, uint32_t nb,
		const struct sc_addr *target, uint16_t tport)
{
	struct sc_tuples *t;
	uint64_t nb_slots;

	if (w >= s->nb_workers || s->nb_folds[w] == 0 || nb == 0 || nb > ADDRS_MAX || tport == 0
			|| !is_one_family(pool, nb, target)) {
		errno = EINVAL;
		return NULL;
	}
	nb_slots = (uint64_t)nb * s->nb_folds[w];
	if (nb_slots >= NO_SLOT) {
		errno = EINVAL;
		return NULL;
	}
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return NULL;
	*t = (struct sc_tuples){
			.steer = s, .worker = w, .nb_addrs = nb, .nb_folds = s->nb_folds[w]};
	t->keys = calloc(nb, sizeof(*t->keys));
	t->slots = sc_mem_map(nb_slots, sizeof(*t->slots), -1);
	if (t->keys == NULL || t->slots == NULL) {
		sc_tuples_destroy(t);
		errno = ENOMEM;
		return NULL;
	}
	for (uint32_t a = 0; a < nb; a++)
		t->keys[a] = sc_fold_tuple(&pool[a], target, 0, tport);
	fill_fifo(t);
	return t;
}

void
sc_tuples_destroy(struct sc_tuples *t)
{
	if (t == NULL)
		return;
	sc_mem_unmap(t->slots, (uint64_t)t->nb_addrs * t->nb_folds, sizeof(*t->slots));
	free(t->keys);
	free(t);
}

/* A worker owns its share of all folds, or with a small table of queues one queue's more. */
uint64_t
sc_tuples_size(uint32_t nb_addrs, unsigned int nb_workers)
{
	uint64_t nb_folds = (65536 + nb_workers - 1) / nb_workers;

	if (nb_addrs == 0)
		return 0;
	return sc_mem_size(nb_addrs * nb_folds, sizeof(struct slot)) + nb_addrs * sizeof(uint16_t);
}

uint64_t
sc_tuples_count(const struct sc_tuples *t)
{
	return t->count;
}

/* Oldest first: when this one has to rest, so have all behind it. */
static bool
has_to_rest(const struct slot *s, uint64_t now_us)
{
	return (s->stamp & STAMP_USED) != 0
			&& now_us < (s->stamp >> STAMP_SHIFT) + SC_TUPLE_REST_US;
}

int
sc_tuples_take(struct sc_tuples *t, uint32_t owner, uint64_t now_us, struct sc_tuple *out)
{
	uint32_t slot = t->head, addr, rank;
	struct slot *s;

	assert(owner != SC_TUPLE_FREE);
	if (slot == NO_SLOT)
		return -EAGAIN;
	s = &t->slots[slot];
	if (has_to_rest(s, now_us))
		return -EAGAIN;
	addr = slot / t->nb_folds;
	rank = slot - addr * t->nb_folds;
	*out = (struct sc_tuple){.slot = slot,
			.last_seq = s->last_seq,
			.addr_idx = (uint16_t)addr,
			.port = slot_port(t, addr, rank),
			.has_seq = (s->stamp & STAMP_USED) != 0,
			.had_ts = (s->stamp & STAMP_TS) != 0};
	t->head = s->link;
	*s = (struct slot){.stamp = STAMP_TAKEN, .link = owner};
	t->nb_taken++;
	return 0;
}

uint32_t
sc_tuples_slot(const struct sc_tuples *t, uint32_t addr_idx, uint16_t port)
{
	return addr_idx * t->nb_folds + t->steer->rank[(uint16_t)(t->keys[addr_idx] ^ port)];
}

void
sc_tuples_put(struct sc_tuples *t, uint32_t slot, uint64_t now_us, uint32_t last_seq, bool had_ts)
{
	struct slot *s = &t->slots[slot];

	assert(slot / t->nb_folds < t->nb_addrs && s->stamp == STAMP_TAKEN);
	s->stamp = now_us << STAMP_SHIFT | (had_ts ? STAMP_TS : 0) | STAMP_USED;
	s->last_seq = last_seq;
	t->nb_taken--;
	append(t, slot);
}

void
sc_tuples_look(const struct sc_tuples *t, uint32_t want, uint64_t now_us,
		struct sc_tuples_outlook *out)
{
	uint32_t slot = t->head;

	*out = (struct sc_tuples_outlook){.taken = t->nb_taken};
	while (slot != NO_SLOT && out->ready < want && !out->is_resting) {
		if (has_to_rest(&t->slots[slot], now_us))
			out->is_resting = true;
		else
			out->ready++;
		slot = t->slots[slot].link;
	}
}

uint32_t
sc_tuples_find(const struct sc_tuples *t, uint32_t addr_idx, uint16_t port)
{
	const struct slot *s;
	uint16_t fold;

	if (addr_idx >= t->nb_addrs)
		return SC_TUPLE_FREE;
	fold = t->keys[addr_idx] ^ port;
	if (sc_steer_owner(t->steer, fold) != t->worker)
		return SC_TUPLE_FREE;
	s = &t->slots[sc_tuples_slot(t, addr_idx, port)];
	return s->stamp == STAMP_TAKEN ? s->link : SC_TUPLE_FREE;
}
