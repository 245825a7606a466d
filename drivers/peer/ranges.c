/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which captured client used a sequence number? Streams are sorted by ISN within classes of length,
 * so that a look-up walks only over those which begin near enough to reach it.
 */
#include <errno.h>
#include <stdlib.h>

#include "index.h"

/* The least k with len <= 2^k. */
static unsigned int
class_of(uint64_t len)
{
	unsigned int k = 0;

	while (k < PEER_RANGE_CLASSES - 1 && len > 1ull << k)
		k++;
	return k;
}

static int
compare(const void *a, const void *b)
{
	const struct peer_range *x = a, *y = b;

	if (x->isn != y->isn)
		return x->isn < y->isn ? -1 : 1;
	return x->flow < y->flow ? -1 : 1;
}

int
peer_ranges_init(struct peer_index *ix)
{
	uint32_t nb[PEER_RANGE_CLASSES] = {0}, at = 0;
	const struct cap_flow *f;

	ix->range = malloc((ix->nb_flows + 1) * sizeof(*ix->range));
	if (ix->range == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < ix->nb_flows; i++)
		if (ix->flow[i].in.end > 0)
			nb[class_of(ix->flow[i].in.end)]++;
	for (unsigned int k = 0; k < PEER_RANGE_CLASSES; k++) {
		ix->range_at[k] = at;
		at += nb[k];
		nb[k] = ix->range_at[k];
	}
	ix->range_at[PEER_RANGE_CLASSES] = at;
	for (uint32_t i = 0; i < ix->nb_flows; i++) {
		f = &ix->flow[i];
		if (f->in.end > 0)
			ix->range[nb[class_of(f->in.end)]++] = (struct peer_range){f->isn, i};
	}
	for (unsigned int k = 0; k < PEER_RANGE_CLASSES; k++)
		qsort(&ix->range[ix->range_at[k]], ix->range_at[k + 1] - ix->range_at[k],
				sizeof(*ix->range), compare);
	return 0;
}

/* The first of nb ranges whose ISN is not below isn; nb if there is none. */
static uint32_t
lower_bound(const struct peer_range *r, uint32_t nb, uint32_t isn)
{
	uint32_t lo = 0, hi = nb, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (r[mid].isn < isn)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Does a client segment of the flow begin `off` bytes into the stream? */
static bool
has_segment_at(const struct cap_flow *f, uint32_t off, uint32_t *seg)
{
	if (off >= f->in.end)
		return false;
	*seg = peer_dir_find(&f->in, off);
	return f->in.seg[*seg].off == off;
}

static uint32_t
find_in_class(const struct peer_index *ix, unsigned int k, uint16_t target, uint32_t isn,
		uint32_t *seg)
{
	const struct peer_range *r = &ix->range[ix->range_at[k]];
	uint32_t nb = ix->range_at[k + 1] - ix->range_at[k];
	uint32_t reach = (uint32_t)((1ull << k) - 1);
	uint32_t i = lower_bound(r, nb, isn - reach);

	/* Modulo 2^32: behind the last the first follows. */
	for (uint32_t n = 0; n < nb; n++, i++) {
		if (i == nb)
			i = 0;
		if (isn - r[i].isn > reach)
			break;
		if (ix->flow[r[i].flow].target == target
				&& has_segment_at(&ix->flow[r[i].flow], isn - r[i].isn, seg))
			return r[i].flow;
	}
	return PEER_NONE;
}

uint32_t
peer_index_by_seq(const struct peer_index *ix, uint16_t target, uint32_t isn, uint32_t *seg)
{
	uint32_t flow = PEER_NONE;

	for (unsigned int k = 0; k < PEER_RANGE_CLASSES && flow == PEER_NONE; k++)
		flow = find_in_class(ix, k, target, isn, seg);
	return flow;
}
