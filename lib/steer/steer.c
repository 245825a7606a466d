/* SPDX-License-Identifier: BSD-3-Clause */
/* The owner table of the box, and ports for sessions that keep their client's address. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sc_steer.h"

#define NB_FOLDS 65536u
#define KEY_WORD 0x6d5au
#define NB_KEPT_MORE 8 /* candidates after the own port and the one that keeps the fold */

void
sc_steer_rss_key(uint8_t *key, uint8_t len)
{
	for (unsigned int i = 0; i < len; i++)
		key[i] = i % 2 == 0 ? KEY_WORD >> 8 : KEY_WORD & 0xff;
}

/*
 * The Toeplitz hash of the one word `fold`: bit i, from the left, adds the key's window at i. The
 * key repeats every 16 bits, so that is the word turned left by i, twice, and a word's place in
 * the tuple does not matter. T of a whole fold is then the sum of T of its bits.
 */
static void
fill_toeplitz(struct sc_steer *s)
{
	for (unsigned int i = 0; i < 16; i++)
		s->toeplitz[0x8000u >> i] = (uint16_t)(KEY_WORD << i | KEY_WORD >> (16 - i));
	for (uint32_t f = 1; f < NB_FOLDS; f++) {
		uint32_t lowest = f & -f;

		s->toeplitz[f] = s->toeplitz[lowest] ^ s->toeplitz[f ^ lowest];
	}
}

uint16_t
sc_steer_reta(const struct sc_steer *s, uint32_t i)
{
	return (uint16_t)((i & (s->nb_virtual - 1)) % s->nb_workers);
}

static void
fill_owners(struct sc_steer *s)
{
	for (uint32_t f = 0; f < NB_FOLDS; f++) {
		uint8_t w = (uint8_t)sc_steer_reta(s, s->toeplitz[f]);

		s->owner[f] = w;
		s->rank[f] = (uint16_t)s->nb_folds[w]++;
	}
}

static void
fill_folds(struct sc_steer *s, uint16_t *mem)
{
	for (uint16_t w = 0; w < s->nb_workers; w++) {
		s->folds[w] = mem;
		mem += s->nb_folds[w];
	}
	for (uint32_t f = 0; f < NB_FOLDS; f++)
		s->folds[s->owner[f]][s->rank[f]] = (uint16_t)f;
}

static bool
is_virtual_size(uint32_t v)
{
	return v == NB_FOLDS || (v >= 1 && v <= SC_STEER_RETA_MAX && (v & (v - 1)) == 0);
}

int
sc_steer_init(struct sc_steer *s, uint16_t nb_workers, uint32_t nb_virtual, struct sc_err *err)
{
	uint16_t *mem;

	memset(s, 0, sizeof(*s));
	if (nb_workers < 1 || nb_workers > SC_STEER_WORKERS_MAX)
		return sc_err_set(err, -EINVAL, "%u workers: there can be 1 to %u", nb_workers,
				SC_STEER_WORKERS_MAX);
	if (!is_virtual_size(nb_virtual))
		return sc_err_set(err, -EINVAL,
				"an owner table over %u RETA entries: it must be a power of two up "
				"to %u, "
				"or %u when no port steers in hardware",
				nb_virtual, SC_STEER_RETA_MAX, NB_FOLDS);
	mem = malloc(NB_FOLDS * sizeof(*mem));
	if (mem == NULL)
		return sc_err_set(err, -ENOMEM, "no memory for the owner table (%zu bytes)",
				NB_FOLDS * sizeof(*mem));
	s->nb_workers = nb_workers;
	s->nb_virtual = nb_virtual;
	fill_toeplitz(s);
	fill_owners(s);
	fill_folds(s, mem);
	return 0;
}

void
sc_steer_free(struct sc_steer *s)
{
	free(s->folds[0]); /* one block for all workers */
	memset(s, 0, sizeof(*s));
}

/* The n-th candidate before any is skipped, or 0. `key` ^ port is the fold of the response. */
static uint16_t
kept_candidate(const struct sc_steer *s, uint8_t w, uint16_t key, uint16_t flow_fold,
		unsigned int n)
{
	uint32_t nb = s->nb_folds[w];
	uint32_t step = nb / (NB_KEPT_MORE + 1);

	if (s->owner[flow_fold] != w)
		return 0;
	/* Steps of a ninth of F_w: nine different folds. */
	return s->folds[w][(s->rank[flow_fold] + (n - 1) * step) % nb] ^ key;
}

uint16_t
sc_steer_kept_port(const struct sc_steer *s, uint8_t w, const struct sc_addr *src,
		const struct sc_addr *target, uint16_t tport, uint16_t port, uint16_t flow_fold,
		unsigned int *n)
{
	uint16_t key = sc_fold_tuple(src, target, 0, tport);

	assert(w < s->nb_workers);
	while (*n < 2 + NB_KEPT_MORE) {
		unsigned int i = (*n)++;
		uint16_t p = port;

		if (i == 0 && s->owner[key ^ port] != w)
			continue;
		if (i > 0)
			p = kept_candidate(s, w, key, flow_fold, i);
		/* A later candidate that is the client's port was the first one already. */
		if (p >= SC_STEER_PORT_MIN && (i == 0 || p != port))
			return p;
	}
	return 0;
}

/*
 * For an address, ports below 1024 are the folds of one aligned block of 1,024; which block
 * depends on the address, so the fullest block counts.
 */
uint64_t
sc_steer_pool_capacity(const struct sc_steer *s, uint32_t nb_addrs)
{
	uint32_t least = NB_FOLDS;

	for (uint16_t w = 0; w < s->nb_workers; w++) {
		uint32_t in_block[NB_FOLDS / SC_STEER_PORT_MIN] = {0};

		for (uint32_t i = 0; i < s->nb_folds[w]; i++)
			in_block[s->folds[w][i] / SC_STEER_PORT_MIN]++;
		for (unsigned int b = 0; b < SC_ARRAY_SIZE(in_block); b++)
			least = SC_MIN(least, s->nb_folds[w] - in_block[b]);
	}
	return (uint64_t)least * nb_addrs;
}
