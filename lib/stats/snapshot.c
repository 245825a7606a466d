/* SPDX-License-Identifier: BSD-3-Clause */
#include <sc_stats.h>

/* Torn reads in a row before the reader gives up for this time. */
#define READ_TRIES 4

#define WORDS (sizeof(struct sc_stats) / sizeof(uint64_t))

_Static_assert(sizeof(struct sc_stats) % sizeof(uint64_t) == 0, "a block is made of 64-bit words");

/*
 * The words of `copy` are written and read by different threads at one time, so each access is
 * atomic. Release on each store keeps it behind the odd `seq`, acquire on each load keeps it before
 * the second look at `seq`: the same as fences, and the thread sanitizer understands it.
 */
static void
words_store(struct sc_stats *dst, const struct sc_stats *src)
{
	uint64_t *d = (uint64_t *)dst;
	const uint64_t *s = (const uint64_t *)src;

	for (size_t i = 0; i < WORDS; i++)
		__atomic_store_n(&d[i], s[i], __ATOMIC_RELEASE);
}

static void
words_load(struct sc_stats *dst, const struct sc_stats *src)
{
	uint64_t *d = (uint64_t *)dst;
	const uint64_t *s = (const uint64_t *)src;

	for (size_t i = 0; i < WORDS; i++)
		d[i] = __atomic_load_n(&s[i], __ATOMIC_ACQUIRE);
}

void
sc_stats_publish(struct sc_stats_cell *cell)
{
	uint32_t asked = atomic_load_explicit(&cell->asked, memory_order_acquire);
	uint32_t seq;

	if (asked == atomic_load_explicit(&cell->given, memory_order_relaxed))
		return;
	seq = atomic_load_explicit(&cell->seq, memory_order_relaxed);
	atomic_store_explicit(&cell->seq, seq + 1, memory_order_relaxed);
	words_store(&cell->copy, &cell->live);
	atomic_store_explicit(&cell->seq, seq + 2, memory_order_release);
	atomic_store_explicit(&cell->given, asked, memory_order_release);
}

uint32_t
sc_stats_ask(struct sc_stats_cell *cell)
{
	return atomic_fetch_add_explicit(&cell->asked, 1, memory_order_acq_rel) + 1;
}

bool
sc_stats_read(struct sc_stats_cell *cell, uint32_t ticket, struct sc_stats *out)
{
	uint32_t given = atomic_load_explicit(&cell->given, memory_order_acquire);
	uint32_t seq;

	if (!sc_seq_geq(given, ticket))
		return false;
	for (unsigned int i = 0; i < READ_TRIES; i++) {
		seq = atomic_load_explicit(&cell->seq, memory_order_acquire);
		if (seq & 1)
			continue;
		words_load(out, &cell->copy);
		if (seq == atomic_load_explicit(&cell->seq, memory_order_relaxed))
			return true;
	}
	return false;
}
