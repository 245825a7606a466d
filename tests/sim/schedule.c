/* SPDX-License-Identifier: BSD-3-Clause */
/* schedule: a seed becomes a schedule, and a schedule becomes a verdict. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <sc_replay.h>

#include "oracle.h"

uint8_t sim_bytes[2 * SIM_BYTES];

const char *const sim_fault_names[SIM_FAULT_COUNT] = {
#define X(sym, text) [BIT_##sym] = text,
		SIM_FAULTS(X)
#undef X
};

const char *const sim_shown_names[SIM_SHOWN_COUNT] = {
#define X(sym, text) [SHOWN_##sym] = text,
		SIM_SHOWN(X)
#undef X
};

const char *const sim_kind_names[KIND_COUNT] = {
		[KIND_TURNS] = "turns",
		[KIND_PIPELINED] = "pipelined",
		[KIND_SERVER_FIRST] = "server first",
		[KIND_UPLOAD] = "upload",
		[KIND_DOWNLOAD] = "download",
		[KIND_DUPLEX] = "duplex",
		[KIND_SMALL] = "many small turns",
		[KIND_EOF] = "answer at EOF",
		[KIND_LEFT] = "server's half closed first",
};

const char *const sim_ending_names[ENDING_COUNT] = {
		[ENDING_CLIENT_FIN] = "client FIN",
		[ENDING_SERVER_FIN] = "server FIN",
		[ENDING_CLIENT_RST] = "client RST",
		[ENDING_SERVER_RST] = "server RST",
		[ENDING_OPEN] = "capture ends",
};

/* ---- small things ---- */

bool
sim_draw(struct sim *s, uint32_t per_mille)
{
	return sc_rng_below(&s->rng, 1000) < per_mille;
}

uint32_t
sim_between(struct sim *s, uint32_t lo, uint32_t hi)
{
	return hi <= lo ? lo : lo + sc_rng_below(&s->rng, hi - lo + 1);
}

void
sim_fail(struct sim *s, const char *fmt, ...)
{
	va_list ap;

	if (s->verdict.failure[0] != '\0')
		return;
	va_start(ap, fmt);
	vsnprintf(s->verdict.failure, sizeof(s->verdict.failure), fmt, ap);
	va_end(ap);
	s->verdict.flow = s->subject;
	sim_trace(s, "FAILED: %s", s->verdict.failure);
}

void
sim_trace(struct sim *s, const char *fmt, ...)
{
	va_list ap;

	if (s->trace == NULL)
		return;
	if (s->only_flow != SIM_NONE && s->subject != SIM_NONE && s->subject != s->only_flow)
		return;
	fprintf(s->trace, "%12.6f ", (double)(s->now_us - SIM_T0_US) / 1e6);
	va_start(ap, fmt);
	vfprintf(s->trace, fmt, ap);
	va_end(ap);
	fputc('\n', s->trace);
}

void *
sim_grow(void *p, uint32_t *room, uint32_t need, size_t size)
{
	if (need <= *room)
		return p;
	*room = SC_MAX(need, SC_MAX(2 * *room, 64u));
	p = realloc(p, *room * size);
	if (p == NULL)
		abort();
	return p;
}

/* ---- drawing ---- */

static uint64_t
draw_faults(struct sc_rng *g, uint64_t only)
{
	uint64_t faults = 0;
	uint32_t n = sc_rng_below(g, 100) < 15 ? 0 : 1 + sc_rng_below(g, 4);

	if (sc_rng_below(g, 20) == 0)
		n = 8;
	for (uint32_t i = 0; i < n; i++)
		faults |= 1ull << sc_rng_below(g, SIM_FAULT_COUNT);
	/* Most others show what they can do only where segments are lost, too. */
	if (n > 0 && sc_rng_below(g, 5) == 0)
		faults |= F(P_LOSS);
	if (n > 0 && sc_rng_below(g, 8) == 0)
		faults |= F(M_LOSS);
	if ((faults & (F(T_ZERO_WINDOW) | F(T_SLOW_READER))) && sc_rng_below(g, 3) == 0)
		faults |= F(P_LOSS);
	return faults & only;
}

static void
draw_target(struct sim_cfg *c, struct sc_rng *g)
{
	c->target_mss = c->is_v6 ? 1440 : 1460;
	c->target_buf = 65536 << sc_rng_below(g, 3);
	c->target_wscale = sc_rng_below(g, 8) == 0 ? 0xff : (uint8_t)sc_rng_below(g, 9);
	if (c->faults & F(T_MSS))
		c->target_mss = (uint16_t)(200 + sc_rng_below(g, 1240));
	if (c->faults & (F(T_SMALL_WINDOW) | F(T_ZERO_WINDOW)))
		c->target_buf = 1500 + sc_rng_below(g, 20000);
	if (c->target_wscale == 0xff || (c->target_buf >> c->target_wscale) < 1000)
		c->target_wscale = c->target_buf > 65535 ? 3 : 0;
}

void
sim_cfg_draw(struct sim_cfg *c, uint64_t seed, uint64_t only)
{
	struct sc_rng g;

	sc_rng_seed(&g, seed);
	sc_rng_next(&g);
	memset(c, 0, sizeof(*c));
	c->seed = seed;
	c->faults = draw_faults(&g, only);
	c->nb_flows = sc_rng_below(&g, 3) > 0 ? 1 + sc_rng_below(&g, 3)
					      : 1 + sc_rng_below(&g, SIM_FLOWS_MAX);
	c->kind = sc_rng_below(&g, 2) == 0 ? KIND_COUNT : sc_rng_below(&g, KIND_COUNT);
	c->copies = sc_rng_below(&g, 3) > 0 ? 1 : 1 + sc_rng_below(&g, 3);
	c->is_v6 = sc_rng_below(&g, 3) == 0;
	c->is_pool = sc_rng_below(&g, 3) == 0;
	c->is_file = sc_rng_below(&g, 3) == 0;
	c->flat_out = c->is_file && sc_rng_below(&g, 3) == 0;
	c->pace_think = sc_rng_below(&g, 4) == 0;
	c->latency = sc_rng_below(&g, 2) == 0 ? SC_REPLAY_LATENCY_NONE
					      : (uint8_t)sc_rng_below(&g, 3);
	c->latency_us = 1 + sc_rng_below(&g, 300000);
	c->gate = sc_rng_below(&g, 5) > 0 ? SC_REPLAY_GATE_ANSWER : (uint8_t)sc_rng_below(&g, 3);
	c->rate = 5 + sc_rng_below(&g, 80);
	c->loss = sc_rng_below(&g, 5) > 0 ? c->rate : 50 + sc_rng_below(&g, 150);
	c->owd_us = 20 + sc_rng_below(&g, sc_rng_below(&g, 4) == 0 ? 50000 : 1000);
	c->jitter_us = 1 + sc_rng_below(&g, sc_rng_below(&g, 4) == 0 ? 50000 : 3000);
	c->event_us = SIM_T0_US + sc_rng_below(&g, 6000000);
	draw_target(c, &g);
}

/* ---- running ---- */

static void
fill_bytes(void)
{
	struct sc_rng g;

	if (sim_bytes[0] != 0)
		return;
	sc_rng_seed(&g, 1);
	/* 1..127: a zero byte could pass for padding, and the high bit marks other content. */
	for (uint32_t i = 0; i < SIM_BYTES; i++)
		sim_bytes[i] = sim_bytes[i + SIM_BYTES] = (uint8_t)(1 + sc_rng_below(&g, 127));
}

static void
print_head(const struct sim *s)
{
	const struct sim_cfg *c = &s->cfg;

	fprintf(s->trace,
			"seed %" PRIu64 ": %u flows, %u copies, IPv%d, %s addresses, %s%s, "
			"latency %u (%u us), gate %u, pace %s, rate %u, one way %u us, target mss "
			"%u buffer %u scale %u event %.6f\ndisturbances:",
			c->seed, c->nb_flows, c->copies, c->is_v6 ? 6 : 4,
			c->is_pool ? "pool" : "kept", c->is_file ? "file" : "live",
			c->flat_out ? " flat out" : "", c->latency, c->latency_us, c->gate,
			c->pace_think ? "think" : "capture", c->rate, c->owd_us, c->target_mss,
			c->target_buf, c->target_wscale, (double)(c->event_us - SIM_T0_US) / 1e6);
	for (unsigned int i = 0; i < SIM_FAULT_COUNT; i++)
		if (c->faults >> i & 1)
			fprintf(s->trace, " %s;", sim_fault_names[i]);
	fputc('\n', s->trace);
	for (uint32_t i = 0; i < c->nb_flows; i++)
		fprintf(s->trace, "flow %u: %s, %s, %lu client bytes, %u segments\n", i,
				sim_kind_names[s->flow[i].kind],
				sim_ending_names[s->flow[i].ending],
				(unsigned long)s->flow[i].script[CLIENT].bytes, s->flow[i].nb_seg);
}

static void
play(struct sim *s)
{
	traffic_make(s);
	mirror_make(s);
	if (s->trace != NULL)
		print_head(s);
	if (path_open(s) == 0 && target_open(s) == 0 && run_open(s) == 0) {
		sc_rng_seed(&s->run->audit_rng, s->cfg.seed + 1);
		run_schedule(s);
	}
	if (s->path != NULL)
		path_close(s);
	if (s->target != NULL)
		target_close(s);
	run_close(s);
	traffic_free(s);
}

/*
 * True if every property held; otherwise *v says which did not, and for which flow. With a trace
 * v->flow on entry says whose timeline is wanted.
 */
bool
sim_schedule(const struct sim_cfg *cfg, struct sim_totals *totals, FILE *trace,
		struct sim_verdict *v)
{
	struct sim *s = calloc(1, sizeof(*s));
	bool is_good;

	if (s == NULL)
		return false;
	fill_bytes();
	s->cfg = *cfg;
	s->totals = totals;
	s->trace = trace;
	s->only_flow = v->flow;
	s->subject = s->verdict.flow = SIM_NONE;
	s->now_us = SIM_T0_US;
	sc_rng_seed(&s->rng, cfg->seed ^ 0x5eed);
	memcpy(s->l2.dst.addr_bytes, "\x02\0\0\0\0\1", 6);
	memcpy(s->l2.src.addr_bytes, "\x02\0\0\0\0\2", 6);
	play(s);
	is_good = s->verdict.failure[0] == '\0';
	*v = s->verdict;
	totals->schedules++;
	totals->failed += !is_good;
	for (unsigned int i = 0; i < SIM_FAULT_COUNT; i++) {
		totals->fault[i] += cfg->faults >> i & 1;
		totals->hit[i] += s->hit >> i & 1;
	}
	for (unsigned int i = 0; i < SIM_SHOWN_COUNT; i++)
		totals->shown[i] += s->shown >> i & 1;
	free(s->timeline);
	free(s);
	return is_good;
}
