/* SPDX-License-Identifier: BSD-3-Clause */
/* audit: gauges counted by walking the tables, against the counters that were kept on the way. */
#include <errno.h>

#include "engine.h"

struct gauge {
	enum sc_counter counter;
	uint64_t walked;
};

enum {
	G_EMBRYONIC,
	G_LIVE,
	G_SESSIONS,
	G_CONNS,
	G_IN_FLIGHT,
	G_WAITING,
	G_OOO,
	G_HELD,
	G_SPAN,
	G_ANSWERS,
	G_COUNT
};

static uint64_t
in_flight_of(const struct sc_replay *e, const struct sc_session *s, uint64_t *waiting)
{
	uint64_t flight = 0;

	for (uint32_t hi = s->cur_una; hi != SC_NONE; hi = e->t.held[hi].next) {
		const struct sc_held *h = &e->t.held[hi];
		int32_t sent = (int32_t)(s->max - (h->seq + s->offset));
		int32_t acked = (int32_t)(s->una - (h->seq + s->offset));
		bool has_conn = s->state != SC_CONN_BETWEEN;

		sent = has_conn ? SC_CLAMP(sent, 0, (int32_t)h->len) : 0;
		acked = has_conn ? SC_CLAMP(acked, 0, (int32_t)h->len) : 0;
		flight += (uint32_t)(sent - acked);
		*waiting += h->len - (uint32_t)sent;
	}
	return flight;
}

static void
walk_flow(const struct sc_replay *e, uint32_t fi, struct gauge *g)
{
	const struct sc_flow *f = &e->t.flow[fi];
	uint64_t held = 0;

	for (uint32_t hi = f->held_head; hi != SC_NONE; hi = e->t.held[hi].next)
		held += e->t.held[hi].len;
	for (uint32_t hi = ooo_head(e, f); hi != SC_NONE; hi = e->t.held[hi].next)
		g[G_OOO].walked += e->t.held[hi].len;
	g[G_HELD].walked += held + ooo_bytes(e, f);
	g[G_SPAN].walked += flow_span(e, f);
	if (f->state != SC_FLOW_LIVE) {
		g[G_EMBRYONIC].walked++;
		g[G_WAITING].walked += (held + ooo_bytes(e, f)) * e->cfg.copies;
		return;
	}
	g[G_LIVE].walked++;
	for (uint32_t si = sc_session_first(&e->t, fi); si != SC_NONE;
			si = sc_session_next(&e->t, si)) {
		const struct sc_session *s = &e->t.session[si];

		g[G_SESSIONS].walked++;
		g[G_CONNS].walked += s->state != SC_CONN_BETWEEN;
		if (s->state != SC_CONN_BETWEEN && s->state != SC_CONN_SYN_SENT)
			g[G_ANSWERS].walked += answer_bytes(s);
		g[G_WAITING].walked += ooo_bytes(e, f);
		g[G_IN_FLIGHT].walked += in_flight_of(e, s, &g[G_WAITING].walked);
	}
}

/* Does admission count the flows of the index, and know the place of each? */
static bool
are_places_right(const struct sc_replay *e, struct sc_err *what)
{
	uint64_t walked = 0, unknown = 0, left = 0;

	for (uint32_t fi = 0; fi < e->cfg.max_flows; fi++) {
		const struct sc_flow *f = &e->t.flow[fi];

		if (f->state == SC_FLOW_FREE || f->flags & SC_FLOW_DETACHED)
			continue;
		walked++;
		unknown += !is_place_known(e, admit_place(e, f));
	}
	for (uint32_t i = 0; i < SC_ARRAY_SIZE(e->admit.known_bit); i++)
		left |= e->admit.known_bit[i];
	if (e->admit.nb_known == walked && unknown == 0 && (walked > 0 || left == 0))
		return true;
	sc_err_set(what, -EINVAL,
			"admission counts %llu flows in the index, and a walk %llu; %llu of them "
			"at "
			"places that it takes for empty%s",
			(unsigned long long)e->admit.nb_known, (unsigned long long)walked,
			(unsigned long long)unknown,
			left != 0 ? "; there are places that it does not" : "");
	return false;
}

bool
sc_replay_audit(const struct sc_replay *e, struct sc_err *what)
{
	struct gauge g[G_COUNT] = {
			[G_EMBRYONIC] = {SC_C_FLOWS_EMBRYONIC_NOW, 0},
			[G_LIVE] = {SC_C_FLOWS_LIVE_NOW, 0},
			[G_SESSIONS] = {SC_C_SESSIONS_LIVE_NOW, 0},
			[G_CONNS] = {SC_C_CONNS_OPEN_NOW, 0},
			[G_IN_FLIGHT] = {SC_C_BYTES_IN_FLIGHT_NOW, 0},
			[G_WAITING] = {SC_C_BYTES_WAITING_NOW, 0},
			[G_OOO] = {SC_C_BYTES_OOO_NOW, 0},
			[G_HELD] = {SC_C_HELD_BYTES_NOW, 0},
			[G_SPAN] = {SC_C_SPAN_NOW, 0},
			[G_ANSWERS] = {SC_C_ANSWER_SPAN_NOW, 0},
	};

	for (uint32_t fi = 0; fi < e->cfg.max_flows; fi++)
		if (e->t.flow[fi].state != SC_FLOW_FREE)
			walk_flow(e, fi, g);
	for (unsigned int i = 0; i < G_COUNT; i++) {
		uint64_t kept = e->st->c[g[i].counter];

		if (kept == g[i].walked)
			continue;
		sc_err_set(what, -EINVAL,
				"%s is %llu by its counter and %llu by a walk of the tables",
				sc_counter_name(g[i].counter), (unsigned long long)kept,
				(unsigned long long)g[i].walked);
		return false;
	}
	return are_places_right(e, what);
}
