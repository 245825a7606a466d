/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * timeline: what the engine thinks of one flow, for the timeline of a schedule that failed. It alone
 * looks inside; no verdict depends on it.
 */
#include <engine.h>
#include <stdlib.h>

#include "oracle.h"

struct seen {
	uint16_t flags;
	uint8_t state;
	uint32_t base;
};

struct sim_timeline {
	struct seen session[4];
	struct sc_stats stats;
};

static const char *const state_names[SC_CONN_COUNT] = {
		[SC_CONN_FREE] = "over",
		[SC_CONN_SYN_SENT] = "SYN-SENT",
		[SC_CONN_OPEN] = "OPEN",
		[SC_CONN_FIN_SENT] = "FIN-SENT",
		[SC_CONN_FIN_ACKED] = "FIN-ACKED",
		[SC_CONN_BETWEEN] = "BETWEEN",
};

static const struct {
	uint16_t flag;
	const char *name;
} timers[] = {
		{SC_SESS_RTO, "retransmission"},
		{SC_SESS_ACK, "ACK"},
		{SC_SESS_GATE, "gate"},
		{SC_SESS_PERSIST, "persist"},
};

static uint32_t
find_flow(const struct sc_replay *e, const struct sim_flow *f)
{
	for (uint32_t i = 0; i < e->cfg.max_flows; i++) {
		const struct sc_flow *x = &e->t.flow[i];

		if (x->state != SC_FLOW_FREE && x->cport == f->cport && x->isn == f->isn[CLIENT]
				&& sc_addr_eq(&x->client, &f->client))
			return i;
	}
	return SC_NONE;
}

static void
session_changes(struct sim *s, const struct sc_session *x, uint32_t copy)
{
	struct seen *old = &s->timeline->session[copy];
	uint16_t went = old->flags & ~x->flags, came = x->flags & ~old->flags;

	if (x->state != old->state)
		sim_trace(s, "  engine: copy %u is %s: una %u, next %u, window %u", copy,
				state_names[x->state], x->una, x->nxt, x->wnd);
	for (unsigned int i = 0; i < SC_ARRAY_SIZE(timers); i++) {
		if (came & timers[i].flag)
			sim_trace(s, "  engine: copy %u arms its %s deadline", copy,
					timers[i].name);
		if (went & timers[i].flag)
			sim_trace(s, "  engine: copy %u: the %s deadline has fired or is off", copy,
					timers[i].name);
	}
	if (came & SC_SESS_TARGET_FIN)
		sim_trace(s, "  engine: copy %u has the target's FIN", copy);
	if (x->base != old->base)
		sim_trace(s, "  gate: copy %u begins the turn that acknowledges up to %u", copy,
				x->base);
	*old = (struct seen){.flags = x->flags, .state = x->state, .base = x->base};
}

/* Counters that tell what the engine decided. */
static void
counter_changes(struct sim *s)
{
	static const enum sc_counter shown[] = {SC_C_GATE_EXACT, SC_C_GATE_LONGER,
			SC_C_GATE_SHORTER, SC_C_GATE_DUPLEX, SC_C_GATE_TIMEOUT, SC_C_GATE_TIME,
			SC_C_RTO_EXPIRED, SC_C_FAST_RETRANSMIT, SC_C_PERSIST_PROBES,
			SC_C_ACK_RESYNC, SC_C_STALE_RST, SC_C_CONNS_REOPENED, SC_C_BYTES_MISSING,
			SC_C_ILLEGAL_EVENT};
	static const enum sc_map map[] = {SC_M_FRAME_REFUSED, SC_M_FLOW_REFUSED,
			SC_M_SESSION_REFUSED, SC_M_SESSION_ENDED, SC_M_CONN_CLOSED,
			SC_M_BYTES_REFUSED, SC_M_BYTES_SKIPPED, SC_M_BYTES_ABANDONED};
	const struct sc_stats *now = &s->run->stats, *old = &s->timeline->stats;

	for (unsigned int i = 0; i < SC_ARRAY_SIZE(shown); i++)
		if (now->c[shown[i]] != old->c[shown[i]])
			sim_trace(s, "  ledger: %s + %lu", sc_counter_name(shown[i]),
					(unsigned long)(now->c[shown[i]] - old->c[shown[i]]));
	for (unsigned int k = 0; k < SC_ARRAY_SIZE(map); k++)
		for (unsigned int r = 0; r < SC_R_COUNT; r++)
			if (now->m[map[k]][r] != old->m[map[k]][r])
				sim_trace(s, "  ledger: %s %s + %lu", sc_map_name(map[k]),
						sc_reason_name((enum sc_reason)r),
						(unsigned long)(now->m[map[k]][r]
								- old->m[map[k]][r]));
}

void
timeline_note(struct sim *s)
{
	const struct sc_replay *e = s->run->engine;
	uint32_t fi;

	if (s->trace == NULL)
		return;
	if (s->timeline == NULL)
		s->timeline = calloc(1, sizeof(*s->timeline));
	if (s->timeline == NULL)
		return;
	counter_changes(s);
	s->timeline->stats = s->run->stats;
	fi = s->only_flow == SIM_NONE ? SC_NONE : find_flow(e, &s->flow[s->only_flow]);
	if (fi == SC_NONE || e->t.flow[fi].state != SC_FLOW_LIVE)
		return;
	s->subject = s->only_flow;
	for (uint32_t si = sc_session_first(&e->t, fi); si != SC_NONE;
			si = sc_session_next(&e->t, si))
		session_changes(s, &e->t.session[si],
				(si - sc_session_of(&e->t, fi, 0))
						% SC_ARRAY_SIZE(s->timeline->session));
}
