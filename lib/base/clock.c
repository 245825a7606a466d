/* SPDX-License-Identifier: BSD-3-Clause */
#include <time.h>

#include <rte_cycles.h>

#include <sc_base.h>

void
sc_clock_init(struct sc_clock *c)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	c->base_us = (uint64_t)ts.tv_sec * SC_US_PER_S + (uint64_t)ts.tv_nsec / 1000;
	c->base_tsc = rte_rdtsc();
	c->tsc_hz = rte_get_tsc_hz();
	c->mul = (SC_US_PER_S << 32) / c->tsc_hz;
}

uint64_t
sc_clock_us(const struct sc_clock *c, uint64_t tsc)
{
	return c->base_us + (uint64_t)(((unsigned __int128)(tsc - c->base_tsc) * c->mul) >> 32);
}
