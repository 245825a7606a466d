/* SPDX-License-Identifier: BSD-3-Clause */
/* run: what one run of one worker counted, and its part of the JSON. */
#include "stages.h"

static uint64_t
counter(const struct loop *l, enum sc_counter c)
{
	return l->b->cell[0].live.c[c] + l->b->cell[LANES].live.c[c];
}

void
run_look(struct run *r, const struct loop *l)
{
	r->spent = l->spent;
	r->mirror = counter(l, SC_C_MIRROR_POLLED);
	r->sent = counter(l, SC_C_TX_TAKEN);
	r->responses = counter(l, SC_C_RESP_POLLED);
	r->turns = counter(l, SC_C_TURNS_SEEN);
	r->flows = sc_stats_map_sum(&l->b->cell[0].live, SC_M_FLOW_ENDED);
	r->bytes = counter(l, SC_C_MIRROR_BYTES);
}

void
run_print(const struct run *a, const struct run *b, double floor)
{
	const struct spent *from = &a->spent, *to = &b->spent;

	printf("{\"worker\":%.0f,\"intercept\":%.0f,\"feed\":%.0f,\"reflector\":%.0f,"
	       "\"rounds\":%llu,\"disturbed\":%llu,\"mirror\":%llu,\"sent\":%llu,"
	       "\"responses\":%llu,\"turns\":%llu,\"flows\":%llu,\"bytes\":%llu,\"floor\":%.2f",
			timed_cycles(&from->worker, &to->worker),
			timed_cycles(&from->intercept, &to->intercept),
			timed_cycles(&from->feed, &to->feed),
			timed_cycles(&from->reflector, &to->reflector),
			(unsigned long long)(to->worker.nb - from->worker.nb),
			(unsigned long long)(to->worker.disturbed - from->worker.disturbed),
			(unsigned long long)(b->mirror - a->mirror),
			(unsigned long long)(b->sent - a->sent),
			(unsigned long long)(b->responses - a->responses),
			(unsigned long long)(b->turns - a->turns),
			(unsigned long long)(b->flows - a->flows),
			(unsigned long long)(b->bytes - a->bytes), floor);
	stages_print();
	printf("}");
}
