/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * soak: a great many frames through one box. Of 64 frames 60 are bare ACKs, half of them clients',
 * three are a turn of a session that lives on, both halves mirrored, and one is of short flows. A
 * hundred times everything in flight is let come to its end, and memory, gauges and cycles are
 * looked at. Half-way the clock passes where its low 32 bits, those of its milliseconds (the
 * timestamps of RFC 7323) and those of the timer wheel's ticks begin again at 0.
 */
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "bench.h"

#define SLICES 100
#define OF 64 /* frames of the mixture */
#define ACKS_OF 60
#define TURN_FRAMES 3
#define FLOW_FRAMES 9
#define TURN_GROUP (GROUP / OF * TURN_FRAMES)
#define FLOW_GROUP (GROUP / OF)
#define ACK_GROUP (GROUP / OF * ACKS_OF)
#define LAG 2048     /* turns between two frames of a turn */
#define FLOW_LAG 64  /* flows between two frames of a flow */
#define TUPLES 65536 /* of short flows */
#define STEP_NS 20000
/* Milliseconds, microseconds and ticks of 256 us: a multiple of 2^32 of each. */
#define WRAP_US ((416ull << 32) * SC_US_PER_MS)
#define STORED 4096 /* ACKs made beforehand */
#define NEW_ACKS 4  /* of a group: made again, as the sessions go on */

struct stored {
	uint8_t byte[HDR_LEN];
};

struct soak {
	struct loop l; /* its feed: turns */
	struct feed flows;
	struct script turn_script, flow_script;
	struct stored *ack;
	uint32_t next_ack, next_new, session;
	uint64_t acks_left, acks, bytes;
	uint64_t turns_at, flows_at;
};

/* ---- bare ACKs ---- */

/* Turns of session number n that have been fed to their last frame. */
static uint32_t
turns_of(const struct soak *s, uint32_t n)
{
	uint64_t late = TURN_FRAMES * LAG + n;

	return s->l.feed.at <= late ? 0 : (uint32_t)((s->l.feed.at - late - 1) / s->l.feed.nb) + 1;
}

static struct frame
turned(const struct frame *f)
{
	struct frame back = *f;

	back.src = f->dst;
	back.dst = f->src;
	back.sport = f->dport;
	back.dport = f->sport;
	back.seq = f->ack;
	back.ack = f->seq;
	return back;
}

/* What a client or, for odd ones, production acknowledges now. */
static bool
store_ack(struct soak *s, uint32_t i)
{
	uint32_t n = s->session++ % s->l.feed.nb, turns = turns_of(s, n);
	const struct traffic *t = s->l.feed.t;
	struct conn c = {.tuple = s->l.feed.order[n]};
	struct rte_mbuf *m = rte_pktmbuf_alloc(s->l.feed.pool);
	struct frame f = {
			.flags = SC_TCP_ACK,
			.seq = client_isn(c) + 1 + turns * t->req,
			.ack = production_isn(c) + 1 + turns * t->ans,
			.dst = rte_cpu_to_be_32(PRODUCTION),
			.dport = PRODUCTION_PORT,
			.tsval = (uint32_t)(s->l.b->clock.base_us / SC_US_PER_MS),
	};
	struct ends e;

	if (m == NULL)
		return false;
	ends_of(c.tuple, &e);
	f.src = e.addr;
	f.sport = e.port;
	if (i % 2 == 1)
		f = turned(&f);
	frame_put(m, &f);
	memcpy(s->ack[i].byte, rte_pktmbuf_mtod(m, void *), HDR_LEN);
	rte_pktmbuf_free(m);
	return true;
}

/* n of them, in turn. */
static uint16_t
copy_acks(struct soak *s, struct rte_mbuf **m, uint16_t n)
{
	n = (uint16_t)SC_MIN((uint64_t)n, s->acks_left);
	if (n == 0 || rte_pktmbuf_alloc_bulk(s->l.feed.pool, m, n) < 0)
		return 0;
	for (uint16_t i = 0; i < n; i++) {
		memcpy(rte_pktmbuf_mtod(m[i], void *), s->ack[s->next_ack].byte, HDR_LEN);
		m[i]->data_len = HDR_LEN;
		m[i]->pkt_len = HDR_LEN;
		m[i]->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
		s->next_ack = (s->next_ack + 1) % STORED;
	}
	s->acks_left -= n;
	s->acks += n;
	for (unsigned int i = 0; i < NEW_ACKS && store_ack(s, s->next_new); i++)
		s->next_new = (s->next_new + 1) % STORED;
	return n;
}

/* ---- the mixture ---- */

static uint32_t
feed_mixture(void *soak)
{
	struct soak *s = soak;
	struct rte_mbuf *m[GROUP], *other[TURN_GROUP + FLOW_GROUP], *all[GROUP];
	uint64_t start = rte_rdtsc(), now_us = s->l.b->clock.base_us;
	uint16_t nb_acks, nb, at = 0;

	nb = feed_make(&s->l.feed, other, TURN_GROUP, now_us);
	nb += feed_make(&s->flows, other + nb, FLOW_GROUP, now_us);
	nb_acks = copy_acks(s, m, ACK_GROUP);
	for (uint16_t i = 0, k = 0; i < nb_acks || k < nb;) {
		if (k < nb && (i == nb_acks || at % (GROUP / (TURN_GROUP + FLOW_GROUP)) == 0))
			all[at++] = other[k++];
		else
			all[at++] = m[i++];
	}
	for (uint16_t i = 0; i < at; i++)
		s->bytes += all[i]->pkt_len;
	if (rte_ring_enqueue_bulk(s->l.b->mirror[0], (void **)all, at, NULL) != at)
		rte_panic("the mirror's ring is full\n");
	timed_add(&s->l.spent.feed, rte_rdtsc() - start);
	return at;
}

/* The next `frames` of the mixture, until nothing is in flight. */
static void
run_slice(struct soak *s, uint64_t frames)
{
	uint64_t turns = frames / OF, flows = frames / OF / FLOW_FRAMES;

	loop_begin(&s->l, &s->turn_script, s->turns_at, s->turns_at + turns);
	s->turns_at += turns;
	s->flows.script = &s->flow_script;
	s->flows.at = s->flows.first = s->flows_at;
	s->flows.last = s->flows_at += flows;
	s->flows.step = 0;
	s->acks_left = frames - turns * TURN_FRAMES - flows * FLOW_FRAMES;
	loop_run_by(&s->l, feed_mixture, s);
}

/* ---- what is looked at ---- */

static void
print_slice(const struct soak *s, const struct spent *before, uint64_t frames)
{
	const struct sc_stats *st = &s->l.b->cell[0].live;
	const struct spent *now = &s->l.spent;

	printf("{\"frames\":%llu,\"worker\":%.0f,\"intercept\":%.0f,\"feed\":%.0f,"
	       "\"rounds\":%llu,\"disturbed\":%llu,\"rss_kib\":%llu,"
	       "\"feed_free\":%u,\"tx_free\":%u,\"target_free\":%u,",
			(unsigned long long)frames, timed_cycles(&before->worker, &now->worker),
			timed_cycles(&before->intercept, &now->intercept),
			timed_cycles(&before->feed, &now->feed),
			(unsigned long long)(now->worker.nb - before->worker.nb),
			(unsigned long long)(now->worker.disturbed - before->worker.disturbed),
			(unsigned long long)meminfo("/proc/self/status", "VmRSS"),
			rte_mempool_avail_count(s->l.b->feed_pool),
			rte_mempool_avail_count(s->l.b->tx_pool),
			rte_mempool_avail_count(s->l.b->target_pool));
	printf("\"held_bytes\":%llu,\"flows_live\":%llu,\"flows_embryonic\":%llu,"
	       "\"sessions_live\":%llu}",
			(unsigned long long)st->c[SC_C_HELD_BYTES_NOW],
			(unsigned long long)st->c[SC_C_FLOWS_LIVE_NOW],
			(unsigned long long)st->c[SC_C_FLOWS_EMBRYONIC_NOW],
			(unsigned long long)st->c[SC_C_SESSIONS_LIVE_NOW]);
	fflush(stdout);
}

/* Counters beyond 2^32 against sums of the bench's own. */
static bool
check(struct soak *s, uint32_t sessions)
{
	const struct sc_stats *st = &s->l.b->cell[0].live;
	uint64_t polled = st->c[SC_C_MIRROR_POLLED], bytes = st->c[SC_C_MIRROR_BYTES];

	s->l.feed.frames += s->flows.frames + s->acks;
	s->l.feed.client_bytes += s->flows.client_bytes;
	printf("\"mirror_polled\":%llu,\"mirror_bytes\":%llu,\"bytes_delivered\":%llu,"
	       "\"turns\":%llu,\"flows\":%llu,\n",
			(unsigned long long)polled, (unsigned long long)bytes,
			(unsigned long long)st->c[SC_C_BYTES_DELIVERED],
			(unsigned long long)st->c[SC_C_TURNS_SEEN],
			(unsigned long long)st->m[SC_M_FLOW_ENDED][SC_R_COMPLETE]);
	if (bytes != s->bytes)
		fprintf(stderr, "bench: bytes polled: %llu, and not %llu\n",
				(unsigned long long)bytes, (unsigned long long)s->bytes);
	return loop_check(&s->l, sessions) && bytes == s->bytes;
}

/* Everything that is fed; the bytes of the sessions' first frames are not the mixture's. */
static bool
start(struct soak *s, struct bench_box *b, const struct traffic *t, uint32_t sessions)
{
	static const struct traffic short_flow = {
			.req = 200, .ans = 1000, .turns = 1, .has_production = true};

	s->l.feed = (struct feed){.t = t,
			.order = feed_order(&b->steer, 0, sessions),
			.nb = sessions,
			.lag = 1,
			.pool = b->feed_pool};
	s->flows = (struct feed){.t = &short_flow,
			.nb = TUPLES,
			.first_tuple = sessions,
			.lag = FLOW_LAG,
			.pool = b->feed_pool};
	s->l.reflector = (struct reflector){.t = t, .pool = b->target_pool};
	s->ack = calloc(STORED, sizeof(*s->ack));
	if (s->l.feed.order == NULL || s->ack == NULL)
		return false;
	loop_open(&s->l, sessions);
	s->bytes = b->cell[0].live.c[SC_C_MIRROR_BYTES];
	s->l.feed.lag = SC_MIN((uint32_t)LAG, sessions / (TURN_FRAMES + 1) + 1);
	script_turn(&s->turn_script, t);
	script_flow(&s->flow_script, &short_flow);
	for (uint32_t i = 0; i < STORED; i++)
		store_ack(s, i);
	return true;
}

bool
soak_measure(struct bench_box *b, const struct traffic *t, uint32_t sessions, uint64_t frames)
{
	static struct soak s;
	uint64_t slice = frames / SLICES;
	bool ok;

	b->nb_workers = 1;
	if (t->turns > 0 || !t->has_production || box_start(b, sessions + TUPLES) < 0)
		return false;
	s.l = (struct loop){.b = b, .step_ns = STEP_NS};
	s.l.start_us = WRAP_US - frames / BURST * STEP_NS / 1000 / 2;
	b->clock.base_us = s.l.start_us;
	if (box_start_workers(b) < 0 || !start(&s, b, t, sessions))
		return false;
	printf("\"soak\":[");
	for (unsigned int i = 0; i < SLICES; i++) {
		struct spent before = s.l.spent;

		printf("%s\n", i == 0 ? "" : ",");
		run_slice(&s, i + 1 < SLICES ? slice : frames - slice * (SLICES - 1));
		print_slice(&s, &before, slice);
	}
	printf("],\n");
	ok = check(&s, sessions);
	free((void *)(uintptr_t)s.l.feed.order);
	free(s.ack);
	return box_stop(b) && ok;
}
