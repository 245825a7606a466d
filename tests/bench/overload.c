/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * overload: the most short flows a second that a worker replays, and what becomes of them when once,
 * twice and five times as many come, at a port that does not wait. See pace.h for the clock.
 */
#include <stdlib.h>
#include <string.h>

#include "pace.h"

#define TUPLES (4u << 20)  /* a client's port is not used again for a second */
#define STRIDE 2654435761u /* clients come in no order, as in life: their folds must not either */
#define STEP_US 4000       /* between two frames of a flow */
#define PEAK_MS 300        /* the feed waits for the worker */
#define LOAD_MS 1500       /* of each offer */
#define LATE_MS 500        /* of it, until what it is measured by begins */
#define CHUNK 256

struct offer {
	struct pace p;
	struct feed feed;
	struct reflector reflector;
	struct script script;
	uint64_t fed; /* positions of the list that were offered so far */
};

/* What had been counted at some moment. */
struct look {
	struct sc_stats st;
	uint64_t time, missed, frames, resets;
};

static uint16_t
answer(void *arg, const struct rte_mbuf *m, struct rte_mbuf **out, uint16_t max, uint64_t now_us)
{
	return reflect(arg, m, out, max, now_us);
}

static void
look(const struct offer *o, struct look *l)
{
	l->st = o->p.b->cell[0].live;
	l->time = o->p.time;
	l->missed = o->p.missed;
	l->frames = o->feed.frames;
}

/* ---- the feed ---- */

/* Put n frames on the port, or as many as there are descriptors for: the others are lost. */
static void
bring(struct offer *o, uint64_t n)
{
	struct rte_mbuf *m[CHUNK];

	while (n > 0) {
		uint16_t want = (uint16_t)SC_MIN(n, (uint64_t)CHUNK);
		uint16_t room = (uint16_t)SC_MIN(pace_room(&o->p), (uint32_t)want);
		uint16_t k = feed_make(&o->feed, m, room, o->p.b->clock.base_us);

		rte_ring_enqueue_bulk(o->p.b->mirror[0], (void **)m, k, NULL);
		o->p.missed += feed_skip(&o->feed, want - k);
		n -= want;
	}
}

static void
begin(struct offer *o, double flows_per_s)
{
	uint64_t lag = (uint64_t)(flows_per_s * STEP_US / SC_US_PER_S);

	o->feed.script = &o->script;
	o->feed.lag = SC_MAX(lag, (uint64_t)1);
	o->feed.at = o->feed.first = o->fed;
	o->feed.last = UINT64_MAX / 2;
	o->feed.step = 0;
}

/* No flow begins any more; those that have begun go on to their end, at the worker's own pace. */
static void
end(struct offer *o)
{
	uint64_t frames;

	o->fed = o->feed.last = o->feed.at;
	o->p.b->cfg.shed = false;
	do {
		frames = o->feed.frames;
		bring(o, SC_MIN(pace_room(&o->p), 1u * BURST));
		pace_round(&o->p);
	} while (o->feed.frames > frames || rte_ring_count(o->p.b->mirror[0]) > 0);
	pace_settle(&o->p, 3000, SC_US_PER_MS);
	o->p.b->cfg.shed = true;
}

static uint64_t
ms(const struct offer *o, uint64_t n)
{
	return o->p.hz / 1000 * n;
}

/* ---- what is measured ---- */

static double
rate_of(const struct offer *o, const struct look *a, const struct look *b)
{
	return (double)(b->st.m[SC_M_FLOW_ENDED][SC_R_COMPLETE]
			       - a->st.m[SC_M_FLOW_ENDED][SC_R_COMPLETE])
			* (double)o->p.hz / (double)(b->time - a->time);
}

/*
 * Flows complete a second while the port is kept full, and the feed waits: as under overload, frames
 * have left this CPU's near caches when the worker takes them.
 */
static double
peak(struct offer *o, double guess)
{
	static struct look from, to;
	uint64_t start = o->p.time;

	o->p.b->cfg.shed = false;
	begin(o, guess);
	while (o->p.time < start + ms(o, PEAK_MS)) {
		bring(o, pace_room(&o->p));
		pace_round(&o->p);
		if (o->p.time < start + ms(o, PEAK_MS / 3))
			look(o, &from);
	}
	look(o, &to);
	end(o);
	return rate_of(o, &from, &to);
}

/* What comes before: half of it, for as long as the box needs to know what a flow costs. */
static void
usual(struct offer *o, double capacity)
{
	uint64_t start = o->p.time, sent = 0;
	double per_s = capacity / 2 * o->script.nb;

	begin(o, capacity / 2);
	while (o->p.time < start + ms(o, LOAD_MS)) {
		uint64_t due = (uint64_t)((double)(o->p.time - start) / (double)o->p.hz * per_s);

		bring(o, due - sent);
		sent = due;
		pace_round(&o->p);
	}
	end(o);
}

static void
print_map(const char *name, const struct look *a, const struct look *b, enum sc_map map)
{
	const char *comma = "";

	printf(",\"%s\":{", name);
	for (unsigned int r = 0; r < SC_R_COUNT; r++) {
		uint64_t n = b->st.m[map][r] - a->st.m[map][r];

		if (n == 0)
			continue;
		printf("%s\"%s\":%llu", comma, sc_reason_name(r), (unsigned long long)n);
		comma = ",";
	}
	printf("}");
}

static void
print_counter(const char *name, const struct look *a, const struct look *b, enum sc_counter c)
{
	printf(",\"%s\":%llu", name, (unsigned long long)(b->st.c[c] - a->st.c[c]));
}

/* Offer that many flows a second, and print what became of them. */
static void
offer(struct offer *o, double factor, double capacity)
{
	static struct look before, from, to, after;
	uint64_t start = o->p.time, sent = 0;
	double per_s = factor * capacity * o->script.nb;

	look(o, &before);
	begin(o, factor * capacity);
	while (o->p.time < start + ms(o, LOAD_MS)) {
		double due = (double)(o->p.time - start) / (double)o->p.hz * per_s;

		bring(o, (uint64_t)due - sent);
		sent = (uint64_t)due;
		pace_round(&o->p);
		if (o->p.time < start + ms(o, LATE_MS))
			look(o, &from);
	}
	look(o, &to);
	end(o);
	look(o, &after);
	printf("\n{\"factor\":%.2f,\"offered_per_s\":%.0f,\"delivered_per_s\":%.0f,\"frames\":%llu,"
	       "\"missed\":%llu,\"missed_late\":%llu",
			factor, factor * capacity, rate_of(o, &from, &to),
			(unsigned long long)(after.frames - before.frames),
			(unsigned long long)(after.missed - before.missed),
			(unsigned long long)(to.missed - from.missed));
	print_counter("flows_seen", &before, &after, SC_C_FLOWS_SEEN);
	print_counter("flows_admitted", &before, &after, SC_C_FLOWS_ADMITTED);
	print_counter("lowered", &before, &after, SC_C_ADMISSION_LOWERED);
	print_map("flows_ended", &before, &after, SC_M_FLOW_ENDED);
	print_map("flows_refused", &before, &after, SC_M_FLOW_REFUSED);
	print_map("late_ended", &from, &to, SC_M_FLOW_ENDED);
	print_map("late_refused", &from, &to, SC_M_FLOW_REFUSED);
	printf("}");
}

static bool
is_right(const struct offer *o)
{
	const struct sc_stats *st = &o->p.b->cell[0].live;
	bool ok = box_check(o->p.b);

	if (o->reflector.strange != 0) {
		fprintf(stderr, "bench: %llu strange frames at the target\n",
				(unsigned long long)o->reflector.strange);
		ok = false;
	}
	if (st->c[SC_C_MIRROR_POLLED] == o->feed.frames)
		return ok;
	fprintf(stderr, "bench: %llu frames polled, %llu fed\n",
			(unsigned long long)st->c[SC_C_MIRROR_POLLED],
			(unsigned long long)o->feed.frames);
	return false;
}

bool
overload_measure(struct bench_box *b, const struct traffic *t, uint32_t flows, uint32_t percent)
{
	static struct offer o;
	double capacity;
	bool ok;

	b->nb_workers = 1;
	if (box_start(b, flows) < 0 || box_start_workers(b) < 0 || !pace_init(&o.p, b))
		return false;
	b->box.mirror[0].has_rss_hash = b->is_hashed;
	o.feed = (struct feed){
			.t = t,
			.nb = TUPLES,
			.stride = STRIDE,
			.pool = b->feed_pool,
			.has_hollow_answers = true,
			.rss = b->is_hashed ? &b->steer : NULL,
	};
	o.reflector = (struct reflector){.t = t, .pool = b->target_pool};
	o.p.reflect = answer;
	o.p.arg = &o.reflector;
	script_flow(&o.script, t);
	rt_begin();
	capacity = peak(&o, 100000); /* caches warm up, and the first rate */
	capacity = peak(&o, capacity);
	usual(&o, capacity);
	printf("\"peak_per_s\":%.0f,\"overload\":[", capacity);
	offer(&o, percent / 100.0, capacity);
	rt_end();
	printf("],\n\"disturbed\":%llu,\"rounds\":%llu,\n", (unsigned long long)o.p.disturbed,
			(unsigned long long)o.p.rounds);
	ok = is_right(&o);
	pace_fini(&o.p);
	return box_stop(b) && ok;
}
