/* SPDX-License-Identifier: BSD-3-Clause */
#include "pace.h"

#include <stdlib.h>

#define ANSWER_MAX 64
#define ROUND_MAX 100000           /* cycles: six times what 32 frames of short flows take */
#define TELL_US (5 * SC_US_PER_MS) /* as the application does */

bool
pace_init(struct pace *p, struct bench_box *b)
{
	*p = (struct pace){.b = b, .hz = rte_get_tsc_hz()};
	b->clock.tsc_hz = p->hz; /* and mul stays 0: time goes on by itself */
	p->answer = calloc(PACE_ANSWERS, sizeof(*p->answer));
	return p->answer != NULL;
}

void
pace_fini(struct pace *p)
{
	for (; p->head != p->tail; p->head++)
		rte_pktmbuf_free(p->answer[p->head % PACE_ANSWERS].m);
	free(p->answer);
}

uint64_t
pace_now(const struct pace *p)
{
	return p->time + (p->begun != 0 ? rte_rdtsc() - p->begun : 0);
}

uint32_t
pace_room(const struct pace *p)
{
	uint32_t used = rte_ring_count(p->b->mirror[0]);

	return used < PACE_DESCRIPTORS ? PACE_DESCRIPTORS - used : 0;
}

/* The target has its answers ready a while after it got the frames. */
static void
target_in(struct pace *p)
{
	uint64_t now_us = p->b->clock.base_us;
	struct rte_mbuf *in[BURST], *out[ANSWER_MAX];
	unsigned int n;

	while (p->tail - p->head < PACE_ANSWERS - BURST * ANSWER_MAX
			&& (n = rte_ring_dequeue_burst(p->b->tx[0], (void **)in, BURST, NULL))
					> 0) {
		for (unsigned int i = 0; i < n; i++) {
			uint16_t k = p->reflect(p->arg, in[i], out, ANSWER_MAX, now_us);

			for (uint16_t a = 0; a < k; a++)
				p->answer[p->tail++ % PACE_ANSWERS] = (struct pace_answer){
						p->time + p->hz / SC_US_PER_S * PACE_TARGET_US,
						out[a]};
		}
		rte_pktmbuf_free_bulk(in, n);
	}
}

static void
target_out(struct pace *p)
{
	while (p->head != p->tail) {
		struct pace_answer *a = &p->answer[p->head % PACE_ANSWERS];

		if (a->due > p->time || rte_ring_enqueue(p->b->rx[0], a->m) < 0)
			break;
		p->head++;
	}
	while (rte_ring_count(p->b->rx[0]) > 0)
		sc_ilcore_poll(p->b->il);
}

static void
set_clock(struct pace *p)
{
	p->b->clock.base_us = BENCH_START_US
			+ (uint64_t)((unsigned __int128)p->time * SC_US_PER_S / p->hz);
	if (p->b->clock.base_us < p->told_us + TELL_US)
		return;
	p->told_us = p->b->clock.base_us;
	atomic_store(&p->b->box.nb_missed, p->missed);
}

uint32_t
pace_round(struct pace *p)
{
	uint64_t spent;
	uint32_t done;

	p->begun = rte_rdtsc();
	done = sc_worker_poll(p->b->w[0]);
	spent = rte_rdtsc() - p->begun;
	p->begun = 0;
	p->rounds++;
	if (spent > ROUND_MAX) { /* the machine took the CPU: as long as other busy rounds, then */
		p->disturbed++;
		spent = p->usual;
	} else if (done > 0) {
		p->usual += ((int64_t)spent - (int64_t)p->usual) / 64;
	}
	p->time += spent;
	p->busy += done > 0 ? spent : 0;
	p->longest = SC_MAX(p->longest, spent);
	set_clock(p);
	target_in(p);
	target_out(p);
	return done;
}

void
pace_settle(struct pace *p, uint32_t rounds, uint32_t step_us)
{
	for (; rounds > 0; rounds--) {
		pace_round(p);
		p->time += p->hz / SC_US_PER_S * step_us;
	}
}
