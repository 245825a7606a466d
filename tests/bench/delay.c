/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * delay: what the box adds. Requests come in pairs at a fixed rate, the second while the target, which
 * takes TARGET_US, is still busy with the first: the first is sent when it has come from the mirror, the
 * second when the response to the first has come. Both are timed from the one port to the other.
 */
#include <stdlib.h>

#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>

#include "bench.h"

#define TARGET_US 200
#define PAIR_LAG 16         /* pairs that begin between two requests of one */
#define FIFO 65536          /* answers on their way, a power of two */
#define PATIENCE_US 2000000 /* after the last request */
#define ANSWER_MAX 4

struct samples {
	uint64_t *tsc;
	uint64_t nb, max;
};

struct answer {
	uint64_t due;
	uint32_t tuple;
	struct rte_mbuf *m;
};

struct bench_delay {
	struct bench_box *b;
	struct feed *feed;
	struct reflector *reflector;
	uint64_t start, interval;   /* TSC; of the feed */
	uint64_t made;              /* frames */
	uint64_t *arrival;          /* of a tuple's two requests; worker's lcore */
	_Atomic uint64_t *response; /* of its first answer; written by the other lcore */
	struct samples mirror, released;
	struct answer *fifo;
	uint32_t head, tail;
	_Atomic bool is_over;
};

static void
sample(struct samples *s, uint64_t from, uint64_t to)
{
	if (s->nb < s->max)
		s->tsc[s->nb++] = to > from ? to - from : 0;
}

/* Receive callback of the mirror port: what is due by now. */
static uint16_t
bring(uint16_t port, uint16_t queue, struct rte_mbuf **m, uint16_t n, uint16_t max, void *arg)
{
	struct bench_delay *d = arg;
	uint64_t due = (rte_rdtsc() - d->start) / d->interval;
	uint16_t room = SC_MIN((uint16_t)(max - n), (uint16_t)BURST), k = 0;
	struct frame f;

	if (due > d->made)
		k = feed_make(d->feed, m + n, (uint16_t)SC_MIN(due - d->made, (uint64_t)room),
				sc_clock_us(&d->b->clock, rte_rdtsc()));
	for (uint16_t i = 0; i < k; i++, d->made++) {
		struct conn c = {0};
		uint32_t second;

		frame_get(m[n + i], &f);
		c.tuple = tuple_of(&(struct ends){f.src, f.sport});
		second = (f.seq - client_isn(c) - 1) / d->feed->t->req % 2;
		d->arrival[c.tuple * 2 + second] = d->start + d->made * d->interval;
	}
	return n + k;
}

/* Transmit callback of the test port. */
static uint16_t
leave(uint16_t port, uint16_t queue, struct rte_mbuf **m, uint16_t n, void *arg)
{
	struct bench_delay *d = arg;
	uint64_t now = rte_rdtsc();
	struct frame f;

	for (uint16_t i = 0; i < n; i++) {
		struct conn c = {0};

		frame_get(m[i], &f);
		if (f.len == 0)
			continue;
		c.tuple = tuple_of(&(struct ends){f.src, f.sport});
		if ((f.seq - client_isn(c) - 1) / d->feed->t->req % 2 == 0)
			sample(&d->mirror, d->arrival[c.tuple * 2], now);
		else
			sample(&d->released,
					atomic_load_explicit(&d->response[c.tuple],
							memory_order_relaxed),
					now);
	}
	return n;
}

/* ---- the other lcore: the target, and the intercept ---- */

static void
take_requests(struct bench_delay *d)
{
	uint64_t hz = d->b->clock.tsc_hz;
	struct rte_mbuf *in[BURST], *out[ANSWER_MAX];
	unsigned int n = rte_ring_dequeue_burst(d->b->tx[0], (void **)in, BURST, NULL);
	struct frame f;

	for (unsigned int i = 0; i < n; i++) {
		uint16_t k = reflect(d->reflector, in[i], out, ANSWER_MAX,
				sc_clock_us(&d->b->clock, rte_rdtsc()));

		frame_get(in[i], &f);
		for (uint16_t a = 0; a < k; a++)
			d->fifo[d->tail++ % FIFO] = (struct answer){
					.due = rte_rdtsc() + hz / SC_US_PER_S * TARGET_US,
					.tuple = tuple_of(&(struct ends){f.src, f.sport}),
					.m = out[a]};
	}
	rte_pktmbuf_free_bulk(in, n);
}

static void
give_answers(struct bench_delay *d)
{
	uint64_t now = rte_rdtsc();

	while (d->head != d->tail && d->fifo[d->head % FIFO].due <= now
			&& rte_ring_free_count(d->b->rx[0]) > 0) {
		struct answer *a = &d->fifo[d->head++ % FIFO];

		atomic_store_explicit(&d->response[a->tuple], rte_rdtsc(), memory_order_relaxed);
		rte_ring_enqueue(d->b->rx[0], a->m);
	}
}

static int
run_target(void *arg)
{
	struct bench_delay *d = arg;

	rt_begin();
	while (!atomic_load(&d->is_over) || d->head != d->tail) {
		take_requests(d);
		give_answers(d);
		sc_ilcore_poll(d->b->il);
	}
	rt_end();
	return 0;
}

/* ---- this lcore: the worker ---- */

static void
run_worker(struct bench_delay *d)
{
	const uint64_t *c = d->b->cell[0].live.c;
	uint64_t last;

	rt_begin();
	d->made = 0;
	d->start = last = rte_rdtsc();
	while (c[SC_C_BYTES_DELIVERED] < d->feed->client_bytes || d->feed->at < d->feed->last) {
		sc_worker_poll(d->b->w[0]);
		if (d->feed->at < d->feed->last)
			last = rte_rdtsc();
		else if (rte_rdtsc() - last > d->b->clock.tsc_hz / SC_US_PER_S * PATIENCE_US)
			break;
	}
	rt_end();
}

static int
by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void
print_samples(const char *name, struct samples *s, uint64_t hz)
{
	static const double q[] = {0.5, 0.99, 0.999, 1};
	static const char *const names[] = {"p50", "p99", "p99_9", "max"};

	qsort(s->tsc, s->nb, sizeof(*s->tsc), by_value);
	printf("\"%s\":{\"nb\":%llu", name, (unsigned long long)s->nb);
	for (unsigned int i = 0; i < SC_ARRAY_SIZE(q) && s->nb > 0; i++)
		printf(",\"%s\":%.2f", names[i],
				1e6 / (double)hz
						* (double)s->tsc[(uint64_t)((double)(s->nb - 1)
								* q[i])]);
	printf("}");
	s->nb = 0;
}

static bool
alloc(struct bench_delay *d, uint32_t sessions, uint64_t nb)
{
	d->arrival = calloc(2ull * sessions, sizeof(*d->arrival));
	d->response = calloc(sessions, sizeof(*d->response));
	d->fifo = calloc(FIFO, sizeof(*d->fifo));
	d->mirror.max = d->released.max = nb;
	d->mirror.tsc = calloc(nb, sizeof(uint64_t));
	d->released.tsc = calloc(nb, sizeof(uint64_t));
	return d->arrival != NULL && d->response != NULL && d->fifo != NULL && d->mirror.tsc != NULL
			&& d->released.tsc != NULL;
}

static void
measure_runs(struct bench_delay *d, struct loop *l, uint32_t runs, uint64_t pairs)
{
	static struct script s;
	unsigned int other = rte_get_next_lcore(-1, 1, 0);

	script_pair(&s, l->feed.t);
	l->feed.lag = PAIR_LAG;
	rte_eth_add_rx_callback(d->b->box.mirror[0].id, 0, bring, d);
	rte_eth_add_tx_callback(d->b->box.test.id, 0, leave, d);
	printf("\"delay\":[");
	for (uint32_t i = 0; i < runs; i++) {
		loop_begin(l, &s, i * pairs, (i + 1) * pairs);
		atomic_store(&d->is_over, false);
		rte_eal_remote_launch(run_target, d, other);
		run_worker(d);
		atomic_store(&d->is_over, true);
		rte_eal_wait_lcore(other);
		printf("%s\n{", i == 0 ? "" : ",");
		print_samples("mirror", &d->mirror, d->b->clock.tsc_hz);
		printf(",");
		print_samples("response", &d->released, d->b->clock.tsc_hz);
		printf("}");
	}
	printf("],\n");
}

bool
delay_measure(struct bench_box *b, const struct traffic *t, uint32_t sessions, uint32_t runs,
		uint32_t rate)
{
	static struct loop l;
	static struct bench_delay d;
	uint64_t pairs = rate / 10; /* 200 ms */
	bool ok;

	b->nb_workers = 1;
	b->is_real_time = true;
	if (box_start(b, sessions) < 0 || box_start_workers(b) < 0)
		return false;
	l = (struct loop){.b = b};
	l.feed = (struct feed){.t = t,
			.order = feed_order(&b->steer, 0, sessions),
			.nb = sessions,
			.lag = PAIR_LAG,
			.pool = b->feed_pool};
	l.reflector = (struct reflector){.t = t, .pool = b->target_pool};
	d = (struct bench_delay){.b = b,
			.feed = &l.feed,
			.reflector = &l.reflector,
			.interval = b->clock.tsc_hz / rate};
	if (l.feed.order == NULL || !alloc(&d, sessions, pairs * 2))
		return false;
	loop_open(&l, sessions);
	measure_runs(&d, &l, runs, pairs);
	ok = loop_check(&l, sessions);
	return box_stop(b) && ok;
}
