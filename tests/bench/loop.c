/* SPDX-License-Identifier: BSD-3-Clause */
/* loop: feed, worker, reflector and intercept in turn, each timed around whole bursts. */
#include <rte_ethdev.h>

#include "bench.h"

#define ANSWER_MAX 64 /* frames in answer to one */
#define QUIET_ROUNDS 4

void
timed_add(struct timed *t, uint64_t cycles)
{
	t->nb++;
	if (cycles > PAUSE_CYCLES)
		t->disturbed++;
	else
		t->cycles += cycles;
}

double
timed_cycles(const struct timed *before, const struct timed *after)
{
	uint64_t nb = after->nb - before->nb, good = nb - (after->disturbed - before->disturbed);

	if (good == 0)
		return 0;
	return (double)(after->cycles - before->cycles) * (double)nb / (double)good;
}

uint32_t
loop_feed(void *loop)
{
	struct loop *l = loop;
	struct rte_mbuf *m[GROUP_MAX];
	uint64_t start = rte_rdtsc();
	uint16_t n = feed_make(&l->feed, m, l->group == 0 ? GROUP : l->group,
			sc_clock_us(&l->b->clock, rte_rdtsc()));

	if (rte_ring_enqueue_bulk(l->b->mirror[l->lane], (void **)m, n, NULL) != n)
		rte_panic("the mirror's ring is full\n");
	timed_add(&l->spent.feed, rte_rdtsc() - start);
	return n;
}

uint32_t
loop_worker(struct loop *l)
{
	uint32_t done = 0;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint64_t start = rte_rdtsc(), cycles;
		uint32_t work = sc_worker_poll(l->b->w[l->lane]);

		cycles = rte_rdtsc() - start;
		if (work > 0)
			timed_add(&l->spent.worker, cycles);
		done += work;
		if (l->b->is_real_time)
			continue;
		l->time_ns += l->step_ns;
		l->b->clock.base_us = l->start_us + l->time_ns / 1000;
	}
	return done;
}

/* The target takes what was sent, and answers as long as its ring has room. */
static uint32_t
reflect_group(struct loop *l)
{
	struct rte_mbuf *in[BURST], *out[ANSWER_MAX];
	uint64_t start = rte_rdtsc();
	uint32_t done = 0;
	unsigned int n;

	while (rte_ring_free_count(l->b->rx[l->lane]) >= BURST * ANSWER_MAX
			&& (n = rte_ring_dequeue_burst(l->b->tx[l->lane], (void **)in, BURST, NULL))
					> 0) {
		for (unsigned int i = 0; i < n; i++) {
			uint16_t k = reflect(
					&l->reflector, in[i], out, ANSWER_MAX, l->b->clock.base_us);

			rte_ring_enqueue_bulk(l->b->rx[l->lane], (void **)out, k, NULL);
		}
		rte_pktmbuf_free_bulk(in, n);
		done += n;
	}
	timed_add(&l->spent.reflector, rte_rdtsc() - start);
	return done;
}

static uint32_t
intercept_group(struct loop *l)
{
	struct rte_ring *records = l->b->box.records[0][0];
	uint32_t done = 0;

	if (l->b->is_inline)
		return 0;
	while (rte_ring_count(l->b->rx[l->lane]) > 0 && rte_ring_free_count(records) >= 64) {
		uint64_t start = rte_rdtsc();

		done += sc_ilcore_poll(l->b->il);
		timed_add(&l->spent.intercept, rte_rdtsc() - start);
	}
	return done;
}

void
loop_begin(struct loop *l, const struct script *s, uint64_t first, uint64_t last)
{
	l->feed.script = s;
	l->feed.at = l->feed.first = first;
	l->feed.last = last;
	l->feed.step = 0;
}

/* That the worker has not seen. */
static unsigned int
waiting_responses(const struct loop *l)
{
	return rte_ring_count(l->b->is_inline ? l->b->rx[l->lane] : l->b->box.records[0][0]);
}

void
loop_run_by(struct loop *l, uint32_t (*feed)(void *arg), void *arg)
{
	unsigned int quiet = 0;

	while (quiet < QUIET_ROUNDS) {
		uint32_t done = 0;

		if (rte_ring_count(l->b->mirror[l->lane]) == 0 && waiting_responses(l) <= GROUP)
			done += feed(arg);
		done += loop_worker(l);
		done += reflect_group(l);
		done += intercept_group(l);
		quiet = done > 0 ? 0 : quiet + 1;
	}
}

void
loop_run(struct loop *l)
{
	loop_run_by(l, loop_feed, l);
}

void
loop_measured(struct loop *l)
{
	loop_run(l);
}

void
loop_open(struct loop *l, uint32_t n)
{
	static struct script s;

	s.nb = 0;
	s.turns = 1;
	script_open(&s, l->feed.t);
	loop_begin(l, &s, 0, 1);
	loop_run(l);
	loop_begin(l, &s, 1, n);
	loop_run(l);
}

static bool
is_equal(const char *what, uint64_t found, uint64_t right)
{
	if (found == right)
		return true;
	fprintf(stderr, "bench: %s: %llu, and not %llu\n", what, (unsigned long long)found,
			(unsigned long long)right);
	return false;
}

/* Nothing was refused; otherwise it says why. */
static bool
is_none_refused(const struct sc_stats *st, enum sc_map map, const char *what)
{
	for (unsigned int r = 0; r < SC_R_COUNT; r++)
		if (st->m[map][r] != 0)
			fprintf(stderr, "bench: %s: %llu as %s\n", what,
					(unsigned long long)st->m[map][r], sc_reason_name(r));
	return sc_stats_map_sum(st, map) == 0;
}

bool
loop_check(const struct loop *l, uint32_t sessions)
{
	const struct sc_stats *st = &l->b->cell[l->lane].live;
	const struct sc_stats *ic = l->b->is_inline ? st : &l->b->cell[LANES].live;
	uint64_t flows = sc_stats_map_sum(st, SC_M_FLOW_ENDED);
	bool ok = true;

	ok &= is_none_refused(st, SC_M_FRAME_REFUSED, "frames refused");
	ok &= is_none_refused(st, SC_M_FLOW_REFUSED, "flows refused");
	ok &= is_equal("flows that ended complete", st->m[SC_M_FLOW_ENDED][SC_R_COMPLETE], flows);
	ok &= is_equal("live sessions", st->c[SC_C_SESSIONS_LIVE_NOW], sessions);
	ok &= is_equal("frames polled", st->c[SC_C_MIRROR_POLLED], l->feed.frames);
	ok &= is_equal("bytes delivered", st->c[SC_C_BYTES_DELIVERED], l->feed.client_bytes);
	ok &= is_equal("strange frames at the target", l->reflector.strange, 0);
	if (l->b->is_real_time) /* an lcore that was interrupted loses responses, and sends again */
		return ok;
	ok &= is_equal("responses refused", sc_stats_map_sum(ic, SC_M_RESP_REFUSED), 0);
	ok &= is_equal("bytes at the target", l->reflector.bytes, l->feed.client_bytes);
	ok &= is_equal("bytes sent again", st->c[SC_C_TX_PAYLOAD_AGAIN], 0);
	return ok;
}

/* ---- the floor ---- */

static void
swap_addresses(struct rte_mbuf *m)
{
	struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	struct rte_ether_addr addr = eth->dst_addr;

	eth->dst_addr = eth->src_addr;
	eth->src_addr = addr;
	m->ol_flags = 0;
}

static uint16_t
forward(struct loop *l)
{
	struct rte_mbuf *m[BURST];
	uint16_t n = rte_eth_rx_burst(l->b->box.mirror[0].id, 0, m, BURST);

	for (uint16_t i = 0; i < n; i++) {
		if (i + 1 < n)
			rte_prefetch0(rte_pktmbuf_mtod(m[i + 1], void *));
		swap_addresses(m[i]);
	}
	return rte_eth_tx_burst(l->b->floor_port, 0, m, n);
}

double
floor_run(struct loop *l, uint32_t (*feed)(void *arg), void *arg)
{
	struct rte_mbuf *m[BURST];
	uint64_t frames = 0, cycles = 0;
	uint16_t n;

	while (feed(arg) > 0) {
		for (unsigned int i = 0; i < ROUNDS; i++) {
			uint64_t start = rte_rdtsc(), spent;
			uint16_t sent = forward(l);

			spent = rte_rdtsc() - start;
			if (spent > PAUSE_CYCLES)
				continue;
			frames += sent;
			cycles += spent;
		}
		while ((n = rte_ring_dequeue_burst(l->b->tx[l->lane], (void **)m, BURST, NULL)) > 0)
			rte_pktmbuf_free_bulk(m, n);
	}
	return frames == 0 ? 0 : (double)cycles / (double)frames;
}
