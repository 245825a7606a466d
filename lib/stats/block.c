/* SPDX-License-Identifier: BSD-3-Clause */
#include <sc_stats.h>

uint64_t
sc_stats_map_sum(const struct sc_stats *s, enum sc_map m)
{
	uint64_t sum = 0;

	for (unsigned int r = 0; r < SC_R_COUNT; r++)
		sum += s->m[m][r];
	return sum;
}

void
sc_stats_add(struct sc_stats *dst, const struct sc_stats *src)
{
	for (unsigned int c = 0; c < SC_C_COUNT; c++)
		dst->c[c] += src->c[c];
	for (unsigned int m = 0; m < SC_M_COUNT; m++)
		for (unsigned int r = 0; r < SC_R_COUNT; r++)
			dst->m[m][r] += src->m[m][r];
}
