/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * open: admission, the return path, SYN. A target without a route back would answer real clients,
 * so one session per target is opened alone until its SYN-ACK has come to the test port.
 */
#include <errno.h>

#include "engine.h"

#define WINDOW_US (5 * SC_US_PER_S)
#define WINDOW_MIN_SYNS 20
#define CLOSED_US (5 * SC_US_PER_S)

/* ---- the return path ---- */

static struct sc_path *
path_of(const struct sc_replay *e, const struct sc_flow *f)
{
	return e->cfg.targets[e->t.prod[f->prod].target].path;
}

/* Tell the other workers what was counted here. */
void
path_publish(struct sc_replay *e)
{
	for (unsigned int i = 0; i < e->cfg.nb_targets; i++) {
		struct path_tally *t = &e->path_tally[i];

		if (t->syns + t->answers == 0)
			continue;
		atomic_fetch_add(&e->cfg.targets[i].path->syns, t->syns);
		atomic_fetch_add(&e->cfg.targets[i].path->answers, t->answers);
		*t = (struct path_tally){0};
	}
}

/* The circuit breaker: under half of at least 20 SYNs in 5 s answered, and it must be proven anew. */
static void
path_count_syn(struct sc_replay *e, uint16_t target)
{
	struct sc_path *p = e->cfg.targets[target].path;
	uint64_t start = atomic_load_explicit(&p->window_us, memory_order_relaxed);
	uint32_t syns, answers, open = SC_PATH_OPEN;

	e->path_tally[target].syns++;
	if (e->now_us - start < WINDOW_US
			|| !atomic_compare_exchange_strong(&p->window_us, &start, e->now_us))
		return;
	path_publish(e);
	syns = atomic_exchange(&p->syns, 0);
	answers = atomic_exchange(&p->answers, 0);
	if (start != 0 && syns >= WINDOW_MIN_SYNS && answers * 2 < syns
			&& atomic_compare_exchange_strong(&p->state, &open, SC_PATH_UNPROVEN))
		sc_log(SC_LOG_WARN, "replay",
				"only %u of %u SYNs in 5 s were answered: admission stops until "
				"one session has been answered",
				answers, syns);
}

static void
path_prove(struct sc_path *p, struct sc_session *s)
{
	if (!has_flag(s, SC_SESS_PROBER))
		return;
	atomic_store(&p->state, SC_PATH_OPEN);
	s->flags &= ~SC_SESS_PROBER;
}

/* A SYN-ACK or RST to our SYN came to the test port: there is a way back. */
void
path_answered(struct sc_replay *e, struct sc_session *s)
{
	e->path_tally[s->target].answers++;
	path_prove(target_of(e, s)->path, s);
}

/* So there is when the target speaks of an older connection on our tuple. */
void
path_heard(struct sc_replay *e, struct sc_session *s)
{
	path_prove(target_of(e, s)->path, s);
}

void
path_unanswered(struct sc_replay *e, struct sc_session *s)
{
	const struct sc_replay_target *t = target_of(e, s);
	char where[SC_ENDPOINT_STRLEN];

	s->flags &= ~SC_SESS_PROBER;
	atomic_store(&t->path->closed_us, e->now_us);
	atomic_fetch_add(&t->path->nb_closed, 1);
	atomic_store(&t->path->state, SC_PATH_CLOSED);
	sc_log(SC_LOG_ERR, "replay",
			"target %s: three SYNs were not answered on the test port. Is the server "
			"up, and does it route the client addresses through this box (e.g. ip "
			"route add CLIENTS via TEST-ADDRESS)?",
			sc_endpoint_format(&t->addr, t->port, where));
}

/* ---- sessions ---- */

static bool
is_prober_allowed(struct sc_replay *e, struct sc_path *p)
{
	uint32_t from = SC_PATH_UNPROVEN;

	if (atomic_compare_exchange_strong(&p->state, &from, SC_PATH_PROBING))
		return true;
	if (from != SC_PATH_CLOSED || e->now_us - atomic_load(&p->closed_us) < CLOSED_US)
		return false;
	return atomic_compare_exchange_strong(&p->state, &from, SC_PATH_PROBING);
}

/* SYN options are rebuilt from four; SACK is not offered. */
static void
syn_options(const struct sc_replay *e, struct sc_session *s, const struct sc_flow *f)
{
	s->flags &= ~SC_SESS_TS;
	s->rcv_wscale = f->opts & SC_OPT_WSCALE ? f->wscale : 0;
	s->mss = f->opts & SC_OPT_MSS ? SC_MIN(f->mss,
				 (uint16_t)(e->cfg.mtu
						 - (sc_addr_is_v4(&target_of(e, s)->addr) ? 40
											  : 60)))
				      : 0;
}

/* Send the SYN of a session that has its tuple, or send it again. */
void
syn_send(struct sc_replay *e, uint32_t si)
{
	struct sc_session *s = session_at(e, si);

	if (!send_syn(e, si)) {
		s->retries -= s->retries > 0; /* that try was none */
		s->rto_us = e->now + RETRY_US;
		s->flags |= SC_SESS_RTO;
		return;
	}
	if (s->retries == 0 && s->stale == 0)
		path_count_syn(e, s->target);
	s->nxt = s->max = s->una + 1;
	s->sent_us = e->now;
	s->rto_us = e->now
			+ (uint32_t)(has_flag(s, SC_SESS_PROBER)
							? RTO_FIRST_US
							: RTO_FIRST_US << SC_MIN(s->retries, 5));
	s->flags |= SC_SESS_RTO;
}

/*
 * Open a connection for the session whose cursor stands at its first byte: una is the ISN, offset is
 * set.
 * 0, or -EAGAIN without a tuple.
 */
int
session_connect(struct sc_replay *e, uint32_t si)
{
	struct sc_session *s = session_at(e, si);
	int ret;

	syn_options(e, s, flow_of(e, s));
	ret = tuple_take(e, si);
	if (ret < 0)
		return ret;
	s->state = SC_CONN_SYN_SENT;
	s->nxt = s->max = s->una;
	s->retries = s->dup_acks = 0;
	C(e, CONNS_OPEN_NOW)++;
	return 0;
}

/* One copy of a flow. SC_R_NONE, or why there is none. */
static enum sc_reason
session_start(struct sc_replay *e, uint32_t fi, uint32_t copy, bool is_prober)
{
	struct sc_flow *f = flow_at(e, fi);
	uint32_t si = sc_session_take(&e->t, fi, copy);
	struct sc_session *s = session_at(e, si);

	s->target = e->t.prod[f->prod].target;
	s->una = f->isn;
	s->cur_una = s->cur_nxt = f->held_head;
	s->base = f->prod_base;
	s->last_cap_us = f->prod_us; /* production's spacing begins with the handshake */
	if (is_prober && copy == 0)
		s->flags |= SC_SESS_PROBER;
	if (session_connect(e, si) < 0) {
		sc_session_give(&e->t, si);
		return SC_R_NO_TUPLE;
	}
	C(e, SESSIONS_STARTED)++;
	C(e, SESSIONS_LIVE_NOW)++;
	C(e, CONNS_OPENED)++;
	if (is_prober && copy != 0) {
		s->rto_us = e->now + 20 * SC_US_PER_MS;
		s->flags |= SC_SESS_RTO;
	} else {
		syn_send(e, si);
	}
	timer_rearm(e, si);
	return SC_R_NONE;
}

/* A copy that could not start: its share of the bytes is abandoned. */
static void
copy_refused(struct sc_replay *e, struct sc_flow *f, enum sc_reason r)
{
	uint64_t bytes = flow_held_bytes(e, f);

	M(e, SESSION_REFUSED, r)++;
	C(e, BYTES_WAITING_NOW) -= bytes;
	M(e, BYTES_ABANDONED, r) += bytes;
	for (uint32_t hi = f->held_head; hi != SC_NONE; hi = held_at(e, hi)->next)
		held_at(e, hi)->refs--;
	if (f->outcome == SC_R_NONE)
		f->outcome = r;
}

static void
flow_admit(struct sc_replay *e, uint32_t fi, bool is_prober)
{
	struct sc_flow *f = flow_at(e, fi);

	C(e, FLOWS_EMBRYONIC_NOW)--;
	C(e, FLOWS_ADMITTED)++;
	C(e, FLOWS_LIVE_NOW)++;
	C(e, SESSIONS_WANTED) += e->cfg.copies;
	f->state = SC_FLOW_LIVE;
	sc_sweep_lengthen(&e->t.sweep, fi);
	e->nb_ending += (f->flags & FLOW_CLOSED) != 0;
	for (uint32_t copy = 0; copy < e->cfg.copies; copy++) {
		enum sc_reason r = session_start(e, fi, copy, is_prober);

		if (r != SC_R_NONE)
			copy_refused(e, f, r);
	}
	if (sc_session_first(&e->t, fi) != SC_NONE)
		return;
	if (is_prober)
		atomic_store(&path_of(e, f)->state, SC_PATH_UNPROVEN);
	flow_over(e, fi);
}

/* The client has gone on after its SYN: replay the flow, or let it wait for path or tuple. */
void
flow_open(struct sc_replay *e, uint32_t fi)
{
	uint16_t target = e->t.prod[flow_at(e, fi)->prod].target;
	struct sc_path *p = e->cfg.targets[target].path;
	uint32_t state = atomic_load_explicit(&p->state, memory_order_relaxed);

	if (e->is_held || (state != SC_PATH_CLOSED && flow_waits_for_tuple(e, target)))
		waiting_add(e, fi);
	else if (state == SC_PATH_OPEN)
		flow_admit(e, fi, false);
	else if (is_prober_allowed(e, p))
		flow_admit(e, fi, true);
	else if (atomic_load(&p->state) == SC_PATH_CLOSED)
		flow_refuse(e, fi, SC_R_RETURN_PATH_UNPROVEN);
	else
		waiting_add(e, fi);
}
