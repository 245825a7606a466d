/* SPDX-License-Identifier: BSD-3-Clause */
#include <sc_stats.h>

static unsigned int
bucket_of(uint64_t value)
{
	unsigned int b = value == 0 ? 0 : 64 - (unsigned int)__builtin_clzll(value);

	return SC_MIN(b, (unsigned int)SC_HIST_BUCKETS - 1);
}

void
sc_hist_add(struct sc_hist *h, uint64_t value)
{
	h->n[bucket_of(value)]++;
	h->count++;
	h->sum += value;
	h->max = SC_MAX(h->max, value);
}

void
sc_hist_merge(struct sc_hist *dst, const struct sc_hist *src)
{
	for (unsigned int b = 0; b < SC_HIST_BUCKETS; b++)
		dst->n[b] += src->n[b];
	dst->count += src->count;
	dst->sum += src->sum;
	dst->max = SC_MAX(dst->max, src->max);
}

uint64_t
sc_hist_quantile(const struct sc_hist *h, double q)
{
	uint64_t rank, below = 0;
	unsigned int b = 0;

	if (h->count == 0)
		return 0;
	/* The rank is that of the smallest value with at least q of all values at or below it. */
	rank = (uint64_t)(q * (double)h->count);
	if ((double)rank < q * (double)h->count)
		rank++;
	rank = SC_CLAMP(rank, (uint64_t)1, h->count);
	while (b < SC_HIST_BUCKETS - 1 && below + h->n[b] < rank)
		below += h->n[b++];
	if (b == SC_HIST_BUCKETS - 1)
		return SC_MAX(h->max, 1ull << b);
	return b == 0 ? 0 : 1ull << b;
}
