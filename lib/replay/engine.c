/* SPDX-License-Identifier: BSD-3-Clause */
/* engine: creation, the offer of a burst, the frames that come out, the end. */
#include "engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One in so many flows has an end (FIN, RST) that waits; payload has a chunk or a frame of its own. */
#define FLOWS_PER_END 32
#define FLOWS_PER_HOLE 32 /* one in so many has client bytes missing, for up to 10 s */

static void
tables_cfg(const struct sc_replay_cfg *cfg, struct sc_tables_cfg *t)
{
	uint64_t chunks = cfg->held_bytes * 3 / 4 / SC_CHUNK_SIZE;

	memset(t, 0, sizeof(*t));
	t->max_flows = cfg->max_flows;
	t->copies = cfg->copies;
	t->max_tombs = cfg->max_tombs;
	t->max_chunks = (uint32_t)SC_CLAMP(chunks, 64, UINT32_MAX / 2);
	t->max_refs = sc_replay_max_refs(cfg);
	t->max_held = (uint32_t)SC_MIN(
			(uint64_t)t->max_chunks + t->max_refs + cfg->max_flows / FLOWS_PER_END + 16,
			UINT32_MAX / 2);
	t->max_holes = SC_MIN(SC_MAX(cfg->max_flows / FLOWS_PER_HOLE, 4096u), cfg->max_flows);
	t->by_address = cfg->clients == NULL || cfg->clients->nb == 0;
	t->socket = cfg->socket;
	t->now_us = cfg->now_us;
}

uint64_t
sc_replay_size(const struct sc_replay_cfg *cfg, unsigned int nb_workers)
{
	struct sc_tables_cfg t;

	tables_cfg(cfg, &t);
	return nb_workers
			* (sc_tables_size(&t) + sizeof(struct sc_replay)
					+ tuples_size(cfg, nb_workers));
}

/* An eighth: at 100,000 flows/s, and 1 M at a time, an ended flow is known for a second longer. */
uint32_t
sc_replay_max_tombs(uint32_t max_flows)
{
	return SC_MAX(max_flows / 8, 4096u);
}

uint32_t
sc_replay_max_refs(const struct sc_replay_cfg *cfg)
{
	return (uint32_t)SC_CLAMP(cfg->held_bytes / 4 / 2048, 16, 1u << 20);
}

#define PORT_MAPPED 1 /* a rule names this production port */
#define PORT_TARGET 2 /* a target has it */

static void
port_add(struct sc_replay *e, uint16_t port, unsigned int use)
{
	e->port_use[port / 4] |= (uint8_t)(use << port % 4 * 2);
}

static inline unsigned int
port_use(const struct sc_replay *e, uint16_t port)
{
	return e->port_use[port / 4] >> port % 4 * 2;
}

struct sc_replay *
sc_replay_create(const struct sc_replay_cfg *cfg, struct sc_err *err)
{
	struct sc_tables_cfg tc;
	struct sc_replay *e = calloc(1, sizeof(*e));

	if (e == NULL) {
		sc_err_set(err, -ENOMEM, "no memory for a worker's engine");
		return NULL;
	}
	e->cfg = *cfg;
	e->st = cfg->stats;
	set_now(e, cfg->now_us);
	e->is_fast = fast_suits(cfg);
	memset(e->waiting, 0xff, sizeof(e->waiting));
	admit_init(e);
	for (unsigned int i = 0; i < cfg->nb_rules; i++)
		port_add(e, cfg->rules[i].prod_port, PORT_MAPPED);
	for (unsigned int i = 0; i < cfg->nb_targets; i++)
		port_add(e, cfg->targets[i].port, PORT_TARGET);
	tables_cfg(cfg, &tc);
	if (sc_tables_init(&e->t, &tc, err) < 0 || tuples_init(e, err) < 0) {
		sc_replay_destroy(e);
		return NULL;
	}
	housekeep_init(e);
	return e;
}

void
sc_replay_destroy(struct sc_replay *e)
{
	if (e == NULL)
		return;
	while (e->t.flow != NULL && !sc_replay_stop(e, e->now_us)) {
		rte_pktmbuf_free_bulk(e->tx, e->nb_tx);
		e->nb_tx = 0;
	}
	rte_pktmbuf_free_bulk(e->tx, e->nb_tx);
	tuples_fini(e);
	sc_tables_fini(&e->t);
	free(e);
}

/* ---- mirror ---- */

static bool
is_target(const struct sc_replay *e, const struct sc_addr *a, uint16_t port)
{
	if (!(port_use(e, port) & PORT_TARGET))
		return false;
	for (unsigned int i = 0; i < e->cfg.nb_targets; i++)
		if (e->cfg.targets[i].port == port && sc_addr_eq(&e->cfg.targets[i].addr, a))
			return true;
	return false;
}

/* The dictionary entry of a production endpoint that was not met before, if a rule names it. */
static enum sc_reason
prod_add(struct sc_replay *e, const struct sc_addr *a, uint16_t port, uint32_t *prod)
{
	int rule = sc_rules_match(e->cfg.rules, e->cfg.nb_rules, a, port);

	if (rule < 0)
		return SC_R_NOT_MAPPED;
	for (unsigned int i = 0; i < e->cfg.nb_targets; i++) {
		const struct sc_replay_target *t = &e->cfg.targets[i];

		if (t->port == e->cfg.rules[rule].target_port
				&& sc_addr_eq(&t->addr, &e->cfg.rules[rule].target))
			*prod = sc_prod_add(&e->t, a, port, (uint16_t)i);
	}
	return *prod == SC_NONE ? SC_R_PRODUCTION_TABLE_FULL : SC_R_NONE;
}

static enum sc_reason
prod_of(struct sc_replay *e, const struct sc_addr *a, uint16_t port, uint32_t *prod)
{
	if (!(port_use(e, port) & PORT_MAPPED))
		return SC_R_NOT_MAPPED;
	*prod = prod_remembered(e, a, port);
	if (*prod != SC_NONE)
		return SC_R_NONE;
	*prod = sc_prod_find(&e->t, a, port);
	if (*prod == SC_NONE)
		return prod_add(e, a, port, prod);
	e->prod_memo[prod_memo_slot(a, port)] = (uint16_t)*prod;
	return SC_R_NONE;
}

static inline bool
is_bad_client(const struct sc_addr *client, const struct sc_addr *server)
{
	return sc_addr_is_no_host(client) || sc_addr_eq(client, server);
}

/* The frame is of this half of a conversation with the production endpoint `prod`. */
static __rte_always_inline enum sc_reason
note_half(const struct sc_replay *e, struct sc_mirror_seg *ms, enum sc_half half, uint32_t prod)
{
	const struct sc_seg *s = &ms->seg;
	bool is_client = half == SC_HALF_CLIENT;
	const struct sc_addr *client = is_client ? &s->src : &s->dst;

	if (is_bad_client(client, is_client ? &s->dst : &s->src))
		return SC_R_BAD_CLIENT;
	ms->half = (uint8_t)half;
	ms->flow.key.client = *client;
	ms->flow.key.cport = is_client ? s->sport : s->dport;
	ms->flow.key.prod = (uint16_t)prod;
	ms->flow.hash = sc_flow_hash(&ms->flow.key);
	sc_flow_expect(&e->t, &ms->flow); /* it comes while the next frame is parsed */
	return SC_R_NONE;
}

static bool
is_synack(const struct sc_seg *s)
{
	return (s->flags & (SC_TCP_SYN | SC_TCP_ACK)) == (SC_TCP_SYN | SC_TCP_ACK);
}

/* An endpoint that is not remembered, a port that a target has, too, or both ports are mapped. */
static __rte_noinline enum sc_reason
classify_any(struct sc_replay *e, struct sc_mirror_seg *ms)
{
	const struct sc_seg *s = &ms->seg;
	enum sc_reason r = SC_R_NOT_MAPPED;
	enum sc_half half = SC_HALF_CLIENT;
	uint32_t prod = SC_NONE;

	if (is_target(e, &s->dst, s->dport) || is_target(e, &s->src, s->sport))
		return SC_R_MIRROR_LOOP;
	if (!is_synack(s) || !(port_use(e, s->sport) & PORT_MAPPED))
		r = prod_of(e, &s->dst, s->dport, &prod);
	if (r == SC_R_NOT_MAPPED) {
		r = prod_of(e, &s->src, s->sport, &prod);
		half = SC_HALF_PRODUCTION;
	}
	return r == SC_R_NONE ? note_half(e, ms, half, prod) : r;
}

enum sc_reason
sc_replay_classify(struct sc_replay *e, struct sc_mirror_seg *ms)
{
	const struct sc_seg *s = &ms->seg;
	unsigned int from = port_use(e, s->sport), to = port_use(e, s->dport);
	uint32_t prod;

	if (((from | to) & PORT_TARGET) || (from & to & PORT_MAPPED))
		return classify_any(e, ms);
	if (to & PORT_MAPPED) {
		prod = prod_remembered(e, &s->dst, s->dport);
		if (prod != SC_NONE)
			return note_half(e, ms, SC_HALF_CLIENT, prod);
	} else if (from & PORT_MAPPED) {
		prod = prod_remembered(e, &s->src, s->sport);
		if (prod != SC_NONE)
			return note_half(e, ms, SC_HALF_PRODUCTION, prod);
	}
	return classify_any(e, ms);
}

void
sc_replay_mirror(struct sc_replay *e, struct sc_mirror_seg *ms, uint16_t n, uint64_t now_us)
{
	struct rte_mbuf *over[SC_INDEX_BULK_MAX];
	uint32_t value[SC_INDEX_BULK_MAX];
	uint32_t nb_over = 0;

	set_now(e, now_us);
	if (n == 0)
		return;
	e->t.changed = 0;
	sc_flow_find_bulk(&e->t, &ms[0].flow, sizeof(ms[0]), n, value);
	for (uint16_t i = 0; i < n; i++)
		/* A client's frame is likely to go on to the target: its first session is wanted, too. */
		if (!(value[i] & SC_TOMB_BIT) && ms[i].half == SC_HALF_CLIENT) {
			if (flow_at(e, value[i])->state == SC_FLOW_EMBRYONIC)
				tuple_expect(e, value[i]);
			sc_session_prefetch(&e->t, sc_session_of(&e->t, value[i], 0));
			rte_prefetch0(&e->dup[dup_slot(value[i], ms[i].seg.seq)]);
		}
	for (uint16_t i = 0; i < n; i++) {
		bool is_taken = false;

		over[nb_over] = ms[i].seg.mbuf;
		e->cap_us = SC_MAX(e->cap_us, ms[i].seg.cap_us);
		if (sc_flow_has_changed(&e->t, &ms[i].flow))
			value[i] = sc_flow_find(&e->t, &ms[i].flow);
		if (ms[i].half == SC_HALF_CLIENT)
			is_taken = client_frame(e, &ms[i], value[i]);
		else
			production_frame(e, &ms[i], value[i]);
		nb_over += !is_taken;
	}
	sc_mbuf_free_burst(over, nb_over);
}

void
sc_replay_hold(struct sc_replay *e, bool is_held)
{
	e->is_held = is_held;
}

static void
stray_record(struct sc_replay *e, const struct sc_record *rec)
{
	M(e, RESP_STRAY, SC_R_STRAY_UNKNOWN)++;
	if ((rec->flags & (SC_TCP_FIN | SC_TCP_RST)) == SC_TCP_FIN
			&& rec->target < e->cfg.nb_targets)
		send_stray_ack(e, rec);
}

/* Up to 32 records, all of targets that we have. */
static void
records_of_sessions(struct sc_replay *e, const struct sc_record *rec, uint32_t n)
{
	uint32_t si[SC_INDEX_BULK_MAX], generation = e->tuple_generation;

	if (n == 0)
		return;
	tuple_find_bulk(e, rec, n, si);
	for (uint32_t i = 0; i < n; i++)
		if ((rec[i].flags & SC_TCP_FIN) && si[i] != SC_NONE)
			sc_flow_expect_end(&e->t, sc_session_flow(&e->t, si[i]));
	for (uint32_t i = 0; i < n; i++) {
		if (e->tuple_generation != generation && !tuple_is(e, si[i], &rec[i]))
			si[i] = tuple_find(e, &rec[i]);
		if (si[i] == SC_NONE) {
			stray_record(e, &rec[i]);
			continue;
		}
		C(e, REC_MATCHED)++;
		C(e, ANSWER_BYTES) += rec[i].len;
		flow_touch(e, sc_session_flow(&e->t, si[i]));
		if (!fast_record(e, si[i], &rec[i]))
			machine_record(e, si[i], &rec[i]);
	}
}

void
sc_replay_records(struct sc_replay *e, const struct sc_record *rec, uint16_t n, uint64_t now_us)
{
	uint32_t from = 0;

	set_now(e, now_us);
	C(e, REC_TAKEN) += n;
	for (uint32_t i = 0; i < n; i++) {
		bool is_ours = rec[i].target < e->cfg.nb_targets;

		if (is_ours && i - from < SC_INDEX_BULK_MAX)
			continue;
		records_of_sessions(e, rec + from, i - from);
		from = i;
		if (is_ours)
			continue;
		stray_record(e, &rec[i]);
		from = i + 1;
	}
	records_of_sessions(e, rec + from, n - from);
	for (uint32_t i = 0; i < n; i++)
		rte_pktmbuf_free(rec[i].mbuf);
}

/* ---- time ---- */

uint32_t
sc_replay_timers(struct sc_replay *e, uint64_t now_us)
{
	uint32_t due[64], n, done = 0;

	set_now(e, now_us);
	if (!sc_replay_is_tx_full(e)) {
		n = sc_wheel_expire(&e->t.wheel, now_us, due, 64);
		for (uint32_t i = 0; i < n; i++)
			machine_timer(e, due[i]);
		done += n;
	}
	done += housekeep(e);
	if (e->admit.lag_left > 0 && !sc_replay_is_tx_full(e))
		admit_run(e);
	if (e->is_draining)
		done += housekeep_drain(e);
	return done;
}

uint64_t
sc_replay_next(const struct sc_replay *e, uint64_t now_us)
{
	/* Asked for in every idle round: the wheel is searched no further than housekeeping. */
	uint64_t within = e->housekeep_us > now_us ? e->housekeep_us - now_us : SC_US_PER_S;

	if (e->admit.lag_left > 0 || (e->is_draining && e->drain_cursor < e->cfg.max_flows))
		return 0;
	return sc_wheel_next_within(&e->t.wheel, now_us, within);
}

/* ---- frames out ---- */

uint16_t
sc_replay_tx(struct sc_replay *e, struct rte_mbuf **m, uint16_t max)
{
	uint16_t n = (uint16_t)SC_MIN(e->nb_tx, (uint32_t)max);

	memcpy(m, e->tx, n * sizeof(*m));
	e->nb_tx -= n;
	memmove(e->tx, e->tx + n, e->nb_tx * sizeof(*m));
	return n;
}

uint32_t
sc_replay_tx_waiting(const struct sc_replay *e)
{
	return e->nb_tx;
}

bool
sc_replay_is_tx_full(const struct sc_replay *e)
{
	return e->nb_tx > SC_REPLAY_TX_MAX / 2;
}

/* ---- the end ---- */

void
sc_replay_drain(struct sc_replay *e, uint64_t now_us)
{
	set_now(e, now_us);
	if (!e->is_draining)
		e->drain_cursor = 0;
	e->is_draining = true;
}

bool
sc_replay_is_idle(const struct sc_replay *e)
{
	return e->t.free_flow.nb == e->t.free_flow.total && e->nb_tx == 0;
}

/* End the flow's sessions while there is room for their RSTs. */
static bool
flow_stop(struct sc_replay *e, uint32_t fi)
{
	for (uint32_t si = sc_session_first(&e->t, fi); si != SC_NONE;
			si = sc_session_next(&e->t, si)) {
		if (sc_replay_is_tx_full(e))
			return false;
		if (session_at(e, si)->state == SC_CONN_FIN_ACKED)
			session_leave(e, si);
		else
			session_abort(e, si, SC_R_STOPPED);
	}
	return true;
}

bool
sc_replay_stop(struct sc_replay *e, uint64_t now_us)
{
	set_now(e, now_us);
	for (unsigned int i = 0; i < e->cfg.nb_targets; i++)
		while (e->waiting[i] != SC_NONE)
			flow_refuse(e, e->waiting[i], SC_R_STOPPED);
	/* Goes on where there was no room: from the first flow each time would be a walk of its square. */
	for (; e->stop_cursor < e->cfg.max_flows; e->stop_cursor++) {
		uint32_t fi = e->stop_cursor;

		if (flow_at(e, fi)->state == SC_FLOW_LIVE && !flow_stop(e, fi))
			return false;
		flow_refuse_unopened(e, fi);
	}
	e->stop_cursor = 0;
	return true;
}

const struct sc_hist *
sc_replay_hist_production(const struct sc_replay *e)
{
	return &e->hist_production;
}

const struct sc_hist *
sc_replay_hist_target(const struct sc_replay *e)
{
	return &e->hist_target;
}
