/* SPDX-License-Identifier: BSD-3-Clause */
/* bed: one engine in virtual time. Port 80 of production is replayed to port 8080 of the target. */
#include <frame.h>
#include <reached.h>
#include <stdlib.h>
#include <string.h>
#include <test_eal.h>

#include "conform.h"

#define POOL_SIZE 2048
#define STEP_MIN_US 16

static struct rte_mempool *pool;
static struct sc_steer steer;
static struct frame queue[QUEUE_MAX];

void
bed_setup(void)
{
	pool = test_pool("conform", POOL_SIZE, PAYLOAD_MAX + 200);
	if (sc_steer_init(&steer, 1, 1, NULL) < 0)
		exit(1);
}

uint8_t
bed_byte(uint32_t seq)
{
	return (uint8_t)(seq * 31 + (seq >> 8) + 1);
}

static void
configure(struct bed *b)
{
	const struct setting *set = &b->script->set;

	b->target = (struct sc_replay_target){.addr = b->rule[0].target,
			.port = b->rule[0].target_port,
			.l2 = &b->l2,
			.path = &b->path};
	atomic_store(&b->path.state, set->is_unproven ? SC_PATH_UNPROVEN : SC_PATH_OPEN);
	memset(b->l2.dst.addr_bytes, 0x22, 6);
	memset(b->l2.src.addr_bytes, 0x44, 6);
	b->cfg = (struct sc_replay_cfg){
			.steer = &steer,
			.rules = b->rule,
			.nb_rules = 1,
			.targets = &b->target,
			.nb_targets = 1,
			.clients = b->clients.nb > 0 ? &b->clients : NULL,
			.pool = pool,
			.stats = &b->st,
			.max_flows = 32,
			.max_tombs = 64,
			.held_bytes = 4 << 20,
			.copy_below = 512,
			.copies = set->copies,
			.sample_pct = 100,
			.open_on_syn = set->open_syn,
			.pace_think = set->pace_think,
			.latency = set->latency,
			.latency_us = (uint32_t)set->latency_us,
			.gate = set->gate,
			.gate_quiet_min_us = (uint32_t)set->quiet_us,
			.mtu = (uint16_t)set->mtu,
			.session_timeout_s = (uint32_t)(set->timeout_us / SC_US_PER_S),
			.speed = 1,
			.now_us = b->var->start_us,
	};
}

bool
bed_open(struct bed *b)
{
	const char *rule = b->var->v6 ? "[fd02::1]:80-[fd09::2]:8080" : "10.2.0.1:80-10.9.0.2:8080";
	const char *clients = b->script->set.clients;
	struct sc_err err;
	unsigned int nb = 0;

	b->queue = queue;
	b->now_us = b->var->start_us;
	b->pool_free = rte_mempool_avail_count(pool);
	if (sc_rules_parse(rule, b->rule, &nb, SC_ARRAY_SIZE(b->rule), &err) < 0
			|| (clients[0] != '\0' && sc_pool_parse(clients, &b->clients, &err) < 0)) {
		verdict_fail(b->v, b->script, 1, "%s", err.text);
		return false;
	}
	configure(b);
	b->e = sc_replay_create(&b->cfg, &err);
	if (b->e == NULL)
		verdict_fail(b->v, b->script, 1, "%s", err.text);
	return b->e != NULL;
}

void
bed_close(struct bed *b)
{
	sc_replay_destroy(b->e);
	sc_pool_free(&b->clients);
	if (rte_mempool_avail_count(pool) != b->pool_free)
		verdict_fail(b->v, b->script, b->line, "%u of %u mbufs have not come back",
				b->pool_free - rte_mempool_avail_count(pool), b->pool_free);
}

/* ---- frames out ---- */

void
bed_check(struct bed *b)
{
	struct sc_ledger_result res;
	struct sc_err what;

	test_reached(&b->st);
	if (!sc_ledger_check_one(&b->st, &res))
		verdict_fail(b->v, b->script, b->line, "the ledger says of %s: %llu is not %llu",
				res.fault[0].equation, (unsigned long long)res.fault[0].left,
				(unsigned long long)res.fault[0].right);
	if (!sc_replay_audit(b->e, &what))
		verdict_fail(b->v, b->script, b->line, "%s", what.text);
}

static void
keep(struct bed *b, struct rte_mbuf *m)
{
	struct frame *f = &b->queue[b->nb_queue];

	if (b->nb_queue == QUEUE_MAX) {
		verdict_fail(b->v, b->script, b->line, "more than %d frames were sent", QUEUE_MAX);
		return;
	}
	if (sc_packet_parse(m, SC_LINK_ETHER, &f->seg) != SC_R_NONE) {
		verdict_fail(b->v, b->script, b->line, "a frame was sent that cannot be parsed");
		return;
	}
	match_invariants(b, m, &f->seg);
	f->at_us = b->now_us;
	sc_packet_copy_payload(
			&f->seg, 0, SC_MIN(f->seg.payload_len, (uint32_t)PAYLOAD_MAX), f->payload);
	f->seg.mbuf = NULL;
	b->nb_queue++;
}

static void
collect(struct bed *b)
{
	struct rte_mbuf *m[32];
	uint16_t n;

	while ((n = sc_replay_tx(b->e, m, 32)) > 0) {
		b->st.c[SC_C_TX_TAKEN] += n;
		for (uint16_t i = 0; i < n; i++)
			keep(b, m[i]);
		rte_pktmbuf_free_bulk(m, n);
	}
}

void
bed_run(struct bed *b, uint64_t until_us, bool is_first)
{
	while (b->now_us < until_us && !(is_first && b->nb_queue > 0) && !b->v->is_bad) {
		uint64_t step = SC_MAX(sc_replay_next(b->e, b->now_us), (uint64_t)STEP_MIN_US);

		b->now_us = SC_MIN(b->now_us + step, until_us);
		sc_replay_timers(b->e, b->now_us);
		collect(b);
	}
}

/* ---- mirror ---- */

/* What a captured segment says of its options. */
static size_t
options(const struct seg_spec *seg, uint8_t *opts)
{
	size_t len = 0;

	if (seg->opts & SC_OPT_MSS)
		test_opt(opts, &len, 2, 4, seg->mss);
	if (seg->opts & SC_OPT_SACK_OK)
		test_opt(opts, &len, 4, 2, 0);
	if (seg->opts & SC_OPT_TS)
		test_opt(opts, &len, 8, 10, (uint64_t)seg->tsval << 32 | seg->tsecr);
	if (seg->opts & SC_OPT_WSCALE)
		test_opt(opts, &len, 3, 3, seg->wscale);
	return len;
}

static void
give(struct bed *b, struct rte_mbuf *m)
{
	struct sc_mirror_seg ms;
	enum sc_reason r = sc_packet_parse(m, SC_LINK_ETHER, &ms.seg);

	b->st.c[SC_C_MIRROR_POLLED]++;
	if (r == SC_R_NONE)
		r = sc_replay_classify(b->e, &ms);
	if (r != SC_R_NONE) {
		b->st.m[SC_M_FRAME_REFUSED][r]++;
		rte_pktmbuf_free(m);
		return;
	}
	ms.seg.cap_us = b->now_us;
	sc_replay_mirror(b->e, &ms, 1, b->now_us);
	collect(b);
}

void
bed_capture(struct bed *b, const struct step *st)
{
	const struct seg_spec *seg = &st->seg;
	bool is_client = st->half == SC_HALF_CLIENT;
	const char *client = b->var->v6 ? "fd01::5" : "10.1.0.5";
	const char *server = b->var->v6 ? "fd02::1" : "10.2.0.1";
	uint16_t port = (uint16_t)(CLIENT_PORT + st->conn);
	static uint8_t bytes[65536];
	uint8_t opts[40];
	struct test_frame f = {
			.src = is_client ? client : server,
			.dst = is_client ? server : client,
			.sport = is_client ? port : 80,
			.dport = is_client ? 80 : port,
			.seq = seg->seq + (is_client ? b->var->client : b->var->production),
			.flags = seg->flags,
			.wnd = seg->win,
			.urg = seg->urg,
			.ip_id = b->var->v6 ? 0 : ++b->ip_id,
			.opts = opts,
			.opts_len = options(seg, opts),
			.csum = seg->is_csum_bad ? TEST_CSUM_BAD : TEST_CSUM_GOOD,
			.payload = bytes,
			.len = seg->len,
	};

	if (seg->flags & SC_TCP_ACK)
		f.ack = seg->ack + (is_client ? b->var->production : b->var->client);
	for (uint32_t i = 0; i < seg->len; i++)
		bytes[i] = bed_byte(seg->seq + i);
	give(b, test_frame_mbuf(pool, &f));
}

/* ---- target ---- */

void
bed_target(struct bed *b, const struct step *st)
{
	const struct seg_spec *seg = &st->seg;
	const struct conn *c = &b->conn[st->conn];
	struct sc_record rec = {
			.rx_us = b->now_us,
			.client = c->raddr,
			.port = seg->port == PORT_OLD ? c->old_port : c->rport,
			.seq = seg->seq + b->var->target,
			.len = (uint16_t)seg->len,
			.wnd = seg->win,
			.flags = seg->flags,
			.segs = seg->segs,
			.mss = seg->mss,
			.wscale = seg->wscale,
	};

	if (seg->flags & SC_TCP_ACK)
		rec.ack = seg->ack + b->var->client;
	if (seg->opts & SC_OPT_MSS)
		rec.syn_bits |= SC_REC_MSS;
	if (seg->opts & SC_OPT_WSCALE)
		rec.syn_bits |= SC_REC_WSCALE;
	if (seg->opts & SC_OPT_SACK_OK)
		rec.syn_bits |= SC_REC_SACK_OK;
	if (seg->opts & SC_OPT_TS) {
		rec.segs |= SC_REC_TS;
		rec.tsval = seg->tsval + b->var->ts;
		rec.tsecr = seg->tsecr;
	}
	sc_replay_records(b->e, &rec, 1, b->now_us);
	collect(b);
}

/* ---- the end ---- */

void
bed_finish(struct bed *b)
{
	static const enum sc_counter zero[] = {SC_C_FLOWS_EMBRYONIC_NOW, SC_C_FLOWS_LIVE_NOW,
			SC_C_SESSIONS_LIVE_NOW, SC_C_CONNS_OPEN_NOW, SC_C_BYTES_IN_FLIGHT_NOW,
			SC_C_BYTES_WAITING_NOW, SC_C_BYTES_OOO_NOW, SC_C_HELD_BYTES_NOW};

	sc_replay_stop(b->e, b->now_us);
	b->nb_queue = 0;
	collect(b);
	bed_check(b);
	for (unsigned int i = 0; i < SC_ARRAY_SIZE(zero); i++)
		if (b->st.c[zero[i]] != 0)
			verdict_fail(b->v, b->script, b->line, "%s is %llu after the stop",
					sc_counter_name(zero[i]),
					(unsigned long long)b->st.c[zero[i]]);
	if (!sc_replay_is_idle(b->e))
		verdict_fail(b->v, b->script, b->line, "the engine is not idle after the stop");
}
