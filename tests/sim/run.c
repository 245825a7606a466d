/* SPDX-License-Identifier: BSD-3-Clause */
/* run: the engine between the models, driven as a worker drives it; the only file that knows it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include <rte_eal.h>
#include <rte_hash_crc.h>
#include <rte_mbuf.h>

#include <sc_replay.h>

#include "oracle.h"

#define HANG_US (600 * SC_US_PER_S)
#define QUIET_US (3 * SC_US_PER_S)
#define BUSY_US (200 * SC_US_PER_MS) /* with nothing to do for so long, the worker is idle */
#define NAP_US (100 * SC_US_PER_MS)  /* and looks only so often for what has no deadline */
#define MANY_WORKERS 16
#define MBUFS 16383
#define TX_MBUFS 4095
#define MBUF_CACHE 512 /* also makes the pools hand out what was freed last, which is warm */

static struct rte_mempool *mirror_pool, *tx_pool;
static struct sc_steer steer,
		steer_many; /* one worker; one of many, which has few tuples of a pool */

/* Once per process. */
int
run_global(void)
{
	char *argv[] = {"sim", "--no-huge", "--no-shconf", "--no-telemetry", "-m", "128",
			"--no-pci", "--lcores=0@(0-1)", "--log-level=lib.eal:error", NULL};

	/* An engine a schedule: huge pages would be cleared for the few bytes that each one uses. */
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	if (rte_eal_init((int)SC_ARRAY_SIZE(argv) - 1, argv) < 0 || sc_mbuf_init() < 0)
		return -1;
	mirror_pool = rte_pktmbuf_pool_create("mirror", MBUFS, MBUF_CACHE, 0, 2304, SOCKET_ID_ANY);
	tx_pool = rte_pktmbuf_pool_create("tx", TX_MBUFS, MBUF_CACHE, 0, 2304, SOCKET_ID_ANY);
	if (mirror_pool == NULL || tx_pool == NULL)
		return -1;
	if (sc_steer_init(&steer_many, MANY_WORKERS, 128, NULL) < 0)
		return -1;
	return sc_steer_init(&steer, 1, 128, NULL);
}

/* ---- set-up ---- */

static void
engine_cfg(struct sim *s, struct sim_run *r, struct sc_replay_cfg *rc)
{
	r->rule = (struct sc_rule){.has_prod = true,
			.prod = s->flow[0].server,
			.prod_port = 80,
			.target = s->target_addr,
			.target_port = s->target_port};
	r->target = (struct sc_replay_target){.addr = s->target_addr,
			.port = s->target_port,
			.l2 = &s->l2,
			.path = &r->path};
	r->pool = (struct sc_pool){
			.addr = &s->pool_addr[s->cfg.is_v6], .nb = s->cfg.is_pool ? 1 : 0};
	*rc = (struct sc_replay_cfg){
			.steer = s->cfg.is_pool ? &steer_many : &steer,
			.rules = &r->rule,
			.nb_rules = 1,
			.targets = &r->target,
			.nb_targets = 1,
			.clients = s->cfg.is_pool ? &r->pool : NULL,
			.pool = tx_pool,
			.stats = &r->stats,
			.max_flows = 128,
			.max_tombs = 128,
			.held_bytes = HELD_BYTES,
			.copy_below = 512,
			.copies = s->cfg.copies,
			.sample_pct = 100,
			.is_file = s->cfg.is_file,
			.pace_think = s->cfg.pace_think,
			.latency = s->cfg.latency,
			.latency_us = s->cfg.latency_us,
			.gate = s->cfg.gate,
			.gate_quiet_min_us = 200000,
			.mtu = 1500,
			.max_lag_us = 30 * SC_US_PER_S,
			.session_timeout_s = 120,
			.speed = 1,
			.now_us = SIM_T0_US,
			.is_general = s->cfg.is_general,
	};
}

int
run_open(struct sim *s)
{
	struct sc_replay_cfg rc;
	struct sim_run *r = calloc(1, sizeof(*r));
	struct sc_err err;

	s->run = r;
	if (r == NULL)
		return -ENOMEM;
	engine_cfg(s, r, &rc);
	r->engine = sc_replay_create(&rc, &err);
	if (r->engine == NULL)
		sim_fail(s, "no engine: %s", err.text);
	return r->engine == NULL ? -ENOMEM : 0;
}

static void
digest(struct sim *s, const void *data, size_t len)
{
	s->verdict.digest = rte_hash_crc(data, (uint32_t)len, s->verdict.digest);
}

void
run_close(struct sim *s)
{
	struct sim_run *r = s->run;

	if (r == NULL)
		return;
	digest(s, r->stats.c, sizeof(r->stats.c));
	digest(s, r->stats.m, sizeof(r->stats.m));
	sc_replay_destroy(r->engine);
	if (rte_mempool_avail_count(mirror_pool) != MBUFS
			|| rte_mempool_avail_count(tx_pool) != TX_MBUFS)
		sim_fail(s, "mbufs lost: %u of %u, %u of %u are back",
				rte_mempool_avail_count(mirror_pool), MBUFS,
				rte_mempool_avail_count(tx_pool), TX_MBUFS);
	free(r);
	s->run = NULL;
}

/* ---- the mirror ---- */

static void
note_offered(struct sim *s, const struct sim_seg *seg)
{
	struct sim_flow *f = &s->flow[seg->flow];
	uint8_t how = seg->other ? 2 : 1;

	if (seg->half != CLIENT)
		return;
	for (uint64_t pos = seg->pos, end = pos + seg->len; pos < end;) {
		uint32_t n = end - pos < 8 ? (uint32_t)(end - pos) : 8;
		uint64_t word = n == 8 ? sim_word(&f->got[pos]) : SIM_ONES * 3;

		if (word == 0) {
			memset(&f->got[pos], how, n);
			f->nb_got += n;
		}
		for (uint32_t i = 0; i < n && word != 0 && word != SIM_ONES; i++) {
			if (f->got[pos + i] != 0)
				continue;
			f->got[pos + i] = how;
			f->nb_got++;
		}
		pos += n;
	}
}

static void
trace_frame(struct sim *s, const struct sim_frame *fr)
{
	const struct sim_seg *g = &fr->seg;
	const struct sim_flow *f = &s->flow[g->flow];

	sim_trace(s, "mirror flow %u %s%s%s%s seq %u (%lu) ack %u (%d) len %u%s", g->flow,
			g->half == CLIENT ? "client" : "production",
			g->flags & SC_TCP_SYN ? " SYN" : "", g->flags & SC_TCP_FIN ? " FIN" : "",
			g->flags & SC_TCP_RST ? " RST" : "", g->seq, (unsigned long)g->pos, g->ack,
			(int)(g->ack - f->isn[!g->half] - 1), g->len,
			fr->how != 0 ? " damaged" : "");
}

/* One frame as a worker takes it. */
static void
offer(struct sim *s, const struct sim_frame *fr)
{
	struct sim_run *r = s->run;
	struct rte_mbuf *m = mirror_frame(s, fr, mirror_pool);
	struct sc_mirror_seg ms;
	uint64_t accepted = r->stats.c[SC_C_BYTES_ACCEPTED];
	enum sc_reason reason;

	s->subject = fr->seg.flow;
	trace_frame(s, fr);
	r->busy_us = s->now_us;
	if (m == NULL) {
		sim_fail(s, "the mirror ran out of mbufs");
		return;
	}
	r->stats.c[SC_C_MIRROR_POLLED]++;
	reason = sc_packet_parse(m, SC_LINK_ETHER, &ms.seg);
	if (reason == SC_R_NONE)
		reason = sc_replay_classify(r->engine, &ms);
	if (reason != SC_R_NONE) {
		r->stats.m[SC_M_FRAME_REFUSED][reason]++;
		rte_pktmbuf_free(m);
		return;
	}
	ms.seg.cap_us = fr->t_us;
	sc_replay_mirror(r->engine, &ms, 1, s->now_us);
	if (!has_fault(s, F(M_CONFLICT)) || r->stats.c[SC_C_BYTES_ACCEPTED] != accepted)
		note_offered(s, &fr->seg);
	timeline_note(s);
	s->subject = SIM_NONE;
}

static uint64_t
mirror_next(const struct sim *s)
{
	if (s->next_frame >= s->nb_frames)
		return UINT64_MAX;
	if (s->run->wait_us > s->now_us)
		return s->run->wait_us;
	return s->cfg.flat_out ? s->now_us : s->frame[s->next_frame].t_us;
}

static void
mirror_run(struct sim *s)
{
	struct sim_run *r = s->run;

	for (unsigned int n = 0; n < 32 && mirror_next(s) <= s->now_us; n++) {
		if (sc_replay_is_tx_full(r->engine)
				|| (s->cfg.is_file && sc_replay_should_wait(r->engine))) {
			r->wait_us = s->now_us + 1000;
			return;
		}
		offer(s, &s->frame[s->next_frame++]);
	}
	if (s->cfg.flat_out)
		r->wait_us = s->now_us + 50;
	if (s->next_frame >= s->nb_frames && r->drain_us == UINT64_MAX && r->drained_us == 0)
		r->drain_us = s->now_us + (s->cfg.is_file ? 0 : sim_between(s, 0, 2000000));
}

/* ---- responses, frames, time ---- */

static void
records_run(struct sim *s)
{
	struct sim_run *r = s->run;
	struct sc_record rec[32];
	uint16_t n = path_run(s, rec, 32), kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		r->stats.c[SC_C_RESP_POLLED]++;
		if (has_fault(s, F(P_RING_FULL)) && sim_draw(s, s->cfg.rate)) {
			r->stats.m[SC_M_RESP_REFUSED][SC_R_RECORD_RING_FULL]++;
			sim_trace(s, "          record ring full");
			sim_hit(s, F(P_RING_FULL));
			continue;
		}
		r->stats.c[SC_C_RESP_RECORDS]++;
		rec[kept++] = rec[i];
	}
	if (kept == 0)
		return;
	r->busy_us = s->now_us;
	for (uint16_t i = 0, by = s->trace == NULL ? kept : 1; i < kept; i += by) {
		sc_replay_records(r->engine, &rec[i], by, s->now_us);
		if (s->trace == NULL)
			continue;
		s->subject = target_flow(s, &rec[i].client, rec[i].port);
		timeline_note(s);
	}
	s->subject = SIM_NONE;
}

static void
transmit(struct sim *s, struct rte_mbuf *m)
{
	struct sc_seg seg;

	digest(s, &s->now_us, sizeof(s->now_us));
	digest(s, rte_pktmbuf_mtod(m, const void *), m->data_len);
	if (sc_packet_parse(m, SC_LINK_ETHER, &seg) != SC_R_NONE) {
		sim_fail(s, "the engine built a frame that does not parse");
		rte_pktmbuf_free(m);
		return;
	}
	s->subject = target_subject(s, &seg);
	if (!sc_addr_eq(&seg.dst, &s->target_addr) || seg.dport != s->target_port)
		sim_fail(s, "a frame to another address than the target's");
	sim_trace(s, "  engine sends :%u%s%s%s seq %u ack %u len %u", seg.sport,
			seg.flags & SC_TCP_SYN ? " SYN" : "", seg.flags & SC_TCP_FIN ? " FIN" : "",
			seg.flags & SC_TCP_RST ? " RST" : "", seg.seq, seg.ack, seg.payload_len);
	s->run->busy_us = s->now_us;
	s->sent++;
	s->payload_sent += seg.payload_len;
	if (s->run->idle_us != UINT64_MAX
			&& (seg.payload_len > 0 || (seg.flags & ~SC_TCP_ACK) != 0))
		sim_fail(s, "a frame after everything had ended");
	target_watch(s, &seg);
	path_to_target(s, m);
	s->subject = SIM_NONE;
}

static void
tx_run(struct sim *s)
{
	struct sim_run *r = s->run;
	struct rte_mbuf *m[64];
	bool is_slow = has_fault(s, F(P_TX_SLOW));
	uint16_t n, max = is_slow ? 4 : 64;

	r->stats.c[SC_C_TX_WAITING_NOW] = sc_replay_tx_waiting(r->engine);
	if (r->tx_us > s->now_us)
		return;
	while ((n = sc_replay_tx(r->engine, m, max)) > 0) {
		r->stats.c[SC_C_TX_TAKEN] += n;
		for (uint16_t i = 0; i < n; i++)
			transmit(s, m[i]);
		if (is_slow && sc_replay_tx_waiting(r->engine) > 0)
			sim_hit(s, F(P_TX_SLOW));
		if (is_slow)
			break;
	}
	r->stats.c[SC_C_TX_WAITING_NOW] = sc_replay_tx_waiting(r->engine);
	r->tx_us = r->stats.c[SC_C_TX_WAITING_NOW] > 0 ? s->now_us + 100 : 0;
}

static uint64_t
next_event(const struct sim *s)
{
	const struct sim_run *r = s->run;
	uint64_t at = SC_MIN(SC_MIN(mirror_next(s), path_next(s)), target_next(s));

	at = SC_MIN(SC_MIN(at, r->engine_us), r->drain_us);
	if (sc_replay_is_tx_full(r->engine)) /* nothing else may happen until then */
		at = r->tx_us;
	else if (r->tx_us > 0)
		at = SC_MIN(at, r->tx_us);
	return SC_MAX(at, s->now_us);
}

static void
engine_time(struct sim *s)
{
	struct sim_run *r = s->run;

	if (r->drain_us <= s->now_us) {
		r->drain_us = UINT64_MAX;
		r->drained_us = s->now_us;
		sim_trace(s, "drain");
		sc_replay_drain(r->engine, s->now_us);
	}
	if (r->engine_us <= s->now_us || r->drained_us == s->now_us)
		sc_replay_timers(r->engine, s->now_us);
	timeline_note(s);
}

/*
 * Its next deadline. Housekeeping wants to be run each 4 ms; where nothing has happened for a while
 * what it does is not urgent, and virtual time may pass faster.
 */
static uint64_t
engine_next(const struct sim *s)
{
	const struct sim_run *r = s->run;
	uint64_t at = s->now_us + SC_MAX(sc_replay_next(r->engine, s->now_us), 1ull);

	if (s->now_us < r->busy_us + BUSY_US)
		return at;
	at += SC_MIN(sc_replay_next(r->engine, at), NAP_US);
	/* What it said before stands, or a source that asks again and again would put it off. */
	return r->engine_us > s->now_us ? SC_MIN(at, r->engine_us) : at;
}

static void
round_of(struct sim *s)
{
	struct sim_run *r = s->run;
	uint64_t sent = r->stats.c[SC_C_TX_BUILT];

	if (!sc_replay_is_tx_full(r->engine)) {
		target_timers(s);
		records_run(s);
		mirror_run(s);
		engine_time(s);
	}
	if (r->stats.c[SC_C_TX_BUILT] - sent > 700)
		sim_fail(s, "%lu frames in one round",
				(unsigned long)(r->stats.c[SC_C_TX_BUILT] - sent));
	tx_run(s);
	r->engine_us = engine_next(s);
}

static bool
is_over(struct sim *s)
{
	struct sim_run *r = s->run;

	if (r->drained_us == 0)
		return false;
	if (r->idle_us == UINT64_MAX && sc_replay_is_idle(r->engine)) {
		r->idle_us = s->now_us;
		sim_trace(s, "all sessions have ended");
	}
	if (r->idle_us != UINT64_MAX)
		return s->now_us >= r->idle_us + QUIET_US;
	if (s->now_us < r->drained_us + HANG_US)
		return false;
	sim_fail(s, "hang: %lu sessions live 600 s after the end of the source",
			(unsigned long)r->stats.c[SC_C_SESSIONS_LIVE_NOW]);
	return true;
}

void
run_schedule(struct sim *s)
{
	struct sim_run *r = s->run;
	uint32_t stuck = 0;

	r->drain_us = r->idle_us = UINT64_MAX;
	if (s->nb_frames == 0)
		r->drain_us = s->now_us;
	while (!is_over(s) && s->verdict.failure[0] == '\0') {
		uint64_t at = next_event(s);

		stuck = at == s->now_us ? stuck + 1 : 0;
		if (stuck > 100000)
			sim_fail(s, "virtual time stands still");
		s->now_us = at;
		round_of(s);
		if (sc_rng_below(&r->audit_rng, 400) == 0)
			oracle_now(s);
	}
	if (s->verdict.failure[0] == '\0')
		oracle_end(s);
}
