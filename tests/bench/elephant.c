/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * elephant: one upload as fast as the worker takes it, beside sessions with a request now and then at
 * a fixed rate: what each waits for, from the mirror port to the target port, without it and with it.
 * See pace.h for the clock.
 */
#include <stdlib.h>

#include <rte_ethdev.h>

#include "pace.h"

#define PHASE_MS 400
#define QUEUE (2 * BURST) /* frames that wait for the worker while the elephant is there */
#define WINDOW (4u << 20) /* bytes that production would have on their way */
#define WAIT_ROUNDS 2000  /* of 1 ms: everything is delivered by then */

struct zoo {
	struct pace p;
	struct feed feed;
	struct reflector reflector;
	struct script script;
	uint32_t elephant;    /* its tuple; those below are the sessions */
	uint32_t said, acked; /* bytes of the elephant */
	uint32_t rate;        /* requests a second */
	uint64_t *arrival;    /* cycles, by tuple */
	double *delay_us;
	uint64_t nb_delays, max_delays;
	uint32_t nb_sent, most_sent; /* frames of a round */
	uint64_t left;               /* when the last frame of a round did */
};

static uint32_t
tuple_of_frame(const struct frame *f)
{
	return tuple_of(&(struct ends){f->src, f->sport});
}

/* ---- the target ---- */

/* An ACK for each segment of the elephant; it says nothing before all has come, which is never. */
static uint16_t
answer(void *arg, const struct rte_mbuf *m, struct rte_mbuf **out, uint16_t max, uint64_t now_us)
{
	struct zoo *z = arg;
	struct conn c = {.tuple = z->elephant};
	struct frame f, ack;

	frame_get(m, &f);
	if (tuple_of_frame(&f) != z->elephant || f.len == 0)
		return reflect(&z->reflector, m, out, max, now_us);
	z->acked = f.seq + f.len - client_isn(c) - 1;
	ack = (struct frame){.src = f.dst,
			.dst = f.src,
			.sport = f.dport,
			.dport = f.sport,
			.seq = target_isn(c) + 1,
			.ack = f.seq + f.len,
			.tsval = (uint32_t)(now_us / SC_US_PER_MS),
			.tsecr = f.tsval,
			.flags = SC_TCP_ACK};
	out[0] = rte_pktmbuf_alloc(z->reflector.pool);
	if (out[0] == NULL)
		rte_panic("the target's pool is empty\n");
	frame_put(out[0], &ack);
	return 1;
}

/* Transmit callback of the test port. */
static uint16_t
leave(uint16_t port, uint16_t queue, struct rte_mbuf **m, uint16_t n, void *arg)
{
	struct zoo *z = arg;
	uint64_t now = pace_now(&z->p);
	struct frame f;

	z->nb_sent += n;
	z->left = now;
	for (uint16_t i = 0; i < n; i++) {
		uint32_t tuple;

		frame_get(m[i], &f);
		tuple = tuple_of_frame(&f);
		if (f.len == 0 || tuple >= z->elephant || z->nb_delays == z->max_delays)
			continue;
		z->delay_us[z->nb_delays++] =
				(double)(now - z->arrival[tuple]) * SC_US_PER_S / (double)z->p.hz;
	}
	return n;
}

/* ---- the mirror ---- */

static void
put(struct zoo *z, struct rte_mbuf *m)
{
	z->feed.frames++;
	if (rte_ring_enqueue(z->p.b->mirror[0], m) < 0)
		rte_panic("the mirror's ring is full\n");
}

static void
put_elephant(struct zoo *z, uint8_t flags, uint32_t seq, uint16_t len)
{
	struct conn c = {.tuple = z->elephant};
	struct rte_mbuf *m = rte_pktmbuf_alloc(z->feed.pool);
	struct ends e;
	struct frame f;

	if (m == NULL) /* the worker holds them */
		return;
	ends_of(z->elephant, &e);
	f = (struct frame){.src = e.addr,
			.dst = rte_cpu_to_be_32(PRODUCTION),
			.sport = e.port,
			.dport = PRODUCTION_PORT,
			.seq = client_isn(c) + seq,
			.ack = flags & SC_TCP_ACK ? production_isn(c) + 1 : 0,
			.tsval = (uint32_t)(z->p.b->clock.base_us / SC_US_PER_MS),
			.len = len,
			.flags = flags};
	frame_put(m, &f);
	put(z, m);
	z->said += len;
	z->feed.client_bytes += len;
}

/* Requests that are due; each notes when it came. */
static void
put_requests(struct zoo *z, uint64_t n, uint64_t due, uint64_t interval)
{
	struct rte_mbuf *m;
	struct frame f;

	for (; n > 0 && feed_make(&z->feed, &m, 1, z->p.b->clock.base_us) == 1; n--) {
		z->feed.frames--; /* put() counts it */
		frame_get(m, &f);
		z->arrival[tuple_of_frame(&f)] = due;
		due += interval;
		put(z, m);
	}
}

/* A round during which the machine took the CPU: frames behind that left so much too late. */
static void
mend_delays(struct zoo *z, uint64_t from)
{
	double by_us = (double)(z->left - z->p.time) * SC_US_PER_S / (double)z->p.hz;

	for (; from < z->nb_delays; from++)
		if (z->delay_us[from] > by_us)
			z->delay_us[from] -= by_us;
}

static void
one_round(struct zoo *z)
{
	uint64_t disturbed = z->p.disturbed, from = z->nb_delays;

	z->nb_sent = 0;
	pace_round(&z->p);
	if (z->p.disturbed != disturbed && z->left > z->p.time)
		mend_delays(z, from);
	z->most_sent = SC_MAX(z->most_sent, z->nb_sent);
}

/* ---- what is measured ---- */

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double
quantile(const struct zoo *z, double q)
{
	return z->nb_delays == 0 ? 0 : z->delay_us[(uint64_t)((double)(z->nb_delays - 1) * q)];
}

static void
phase(struct zoo *z, bool is_there)
{
	uint64_t start = z->p.time, length = z->p.hz / 1000 * PHASE_MS,
		 interval = z->p.hz / z->rate;
	uint64_t made = 0, from = z->said;
	double seconds;

	z->nb_delays = 0;
	z->most_sent = 0;
	z->p.longest = 0;
	z->feed.last = UINT64_MAX / 2;
	while (z->p.time < start + length) {
		uint64_t due = (z->p.time - start) / interval;

		put_requests(z, due - made, start + (made + 1) * interval, interval);
		made = due;
		while (is_there && rte_ring_count(z->p.b->mirror[0]) < QUEUE
				&& z->said - z->acked < WINDOW)
			put_elephant(z, SC_TCP_ACK, 1 + z->said, MSS);
		one_round(z);
	}
	seconds = (double)(z->p.time - start) / (double)z->p.hz;
	pace_settle(&z->p, WAIT_ROUNDS, SC_US_PER_MS);
	qsort(z->delay_us, z->nb_delays, sizeof(*z->delay_us), by_value);
	printf("{\"elephant\":%s,\"requests\":%llu,\"sent\":%llu,\"p50\":%.2f,\"p99\":%.2f,"
	       "\"max\":%.2f,\"gbit_per_s\":%.2f,\"most_sent\":%u,\"longest_round_us\":%.1f}",
			is_there ? "true" : "false", (unsigned long long)made,
			(unsigned long long)z->nb_delays, quantile(z, 0.5), quantile(z, 0.99),
			quantile(z, 1), (double)(uint32_t)(z->said - from) * 8 / 1e9 / seconds,
			z->most_sent, (double)z->p.longest * SC_US_PER_S / (double)z->p.hz);
}

static bool
is_right(const struct zoo *z)
{
	const struct sc_stats *st = &z->p.b->cell[0].live;
	bool ok = box_check(z->p.b);

	if (st->c[SC_C_BYTES_DELIVERED] == z->feed.client_bytes
			&& st->c[SC_C_SESSIONS_LIVE_NOW] == z->elephant + 1)
		return ok;
	fprintf(stderr, "bench: %llu of %llu bytes delivered, %llu of %u sessions\n",
			(unsigned long long)st->c[SC_C_BYTES_DELIVERED],
			(unsigned long long)z->feed.client_bytes,
			(unsigned long long)st->c[SC_C_SESSIONS_LIVE_NOW], z->elephant + 1);
	return false;
}

/* The sessions, and the elephant's handshake. */
static bool
open_all(struct zoo *z, struct bench_box *b)
{
	static struct loop l;

	l = (struct loop){.b = b, .feed = z->feed, .reflector = z->reflector, .step_ns = 10000};
	l.start_us = b->clock.base_us;
	loop_open(&l, z->elephant);
	z->feed = l.feed;
	z->reflector = l.reflector;
	z->p.time = (b->clock.base_us - BENCH_START_US) * (z->p.hz / SC_US_PER_S);
	put_elephant(z, SC_TCP_SYN, 0, 0);
	pace_settle(&z->p, 4, SC_US_PER_MS);
	put_elephant(z, SC_TCP_ACK, 1, 0);
	pace_settle(&z->p, 10, SC_US_PER_MS);
	script_turn(&z->script, z->feed.t);
	z->feed.script = &z->script;
	z->feed.at = z->feed.first = 0;
	z->feed.step = 0;
	z->feed.lag = 1;
	return b->cell[0].live.c[SC_C_SESSIONS_LIVE_NOW] == z->elephant + 1;
}

bool
elephant_measure(struct bench_box *b, const struct traffic *t, uint32_t sessions, uint32_t rate)
{
	static struct zoo z;
	bool ok;

	b->nb_workers = 1;
	if (box_start(b, sessions + 1) < 0 || box_start_workers(b) < 0 || !pace_init(&z.p, b))
		return false;
	z.elephant = sessions;
	z.rate = rate;
	z.max_delays = rate;
	z.arrival = calloc(sessions, sizeof(*z.arrival));
	z.delay_us = calloc(z.max_delays, sizeof(*z.delay_us));
	z.feed = (struct feed){.t = t,
			.order = feed_order(&b->steer, 0, sessions),
			.nb = sessions,
			.lag = 1,
			.pool = b->feed_pool};
	z.reflector = (struct reflector){.t = t, .pool = b->target_pool};
	z.p.reflect = answer;
	z.p.arg = &z;
	if (z.arrival == NULL || z.delay_us == NULL || z.feed.order == NULL || !open_all(&z, b))
		return false;
	rte_eth_add_tx_callback(b->box.test.id, 0, leave, &z);
	b->cfg.shed = true;
	rt_begin();
	printf("\"elephant\":[\n");
	phase(&z, true); /* memory is touched for the first time: not to be looked at */
	printf(",\n");
	phase(&z, false);
	printf(",\n");
	phase(&z, true);
	printf("],\n\"lowered\":%llu,\"bytes_again\":%llu,\"disturbed\":%llu,\n",
			(unsigned long long)b->cell[0].live.c[SC_C_ADMISSION_LOWERED],
			(unsigned long long)b->cell[0].live.c[SC_C_TX_PAYLOAD_AGAIN],
			(unsigned long long)z.p.disturbed);
	rt_end();
	ok = is_right(&z);
	pace_fini(&z.p);
	return box_stop(b) && ok;
}
