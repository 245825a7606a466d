/* SPDX-License-Identifier: BSD-3-Clause */
/* box: one worker and one intercept lcore between ring ports, made as the application makes them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include "bench.h"

#define POOL 16383
#define CACHE 256
#define SLOTS 8192
#define HELD_BYTES (256ull << 20)

static int
fail(const char *what)
{
	fprintf(stderr, "bench: %s\n", what);
	return -1;
}

static struct rte_mempool *
make_pool(const char *name, uint32_t n)
{
	return rte_pktmbuf_pool_create(
			name, n, CACHE, 0, 2048 + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
}

static struct rte_ring *
make_ring(const char *name, unsigned int elem, unsigned int slots)
{
	return rte_ring_create_elem(
			name, elem, slots, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

/* Live ports as far as the worker can tell: no metadata in the mbufs, and no back-pressure. */
static int
make_port(struct sc_port *p, const char *name, struct rte_ring **rx, uint16_t nb_rx,
		struct rte_ring **tx, uint16_t nb_tx)
{
	const struct rte_eth_conf conf = {0};
	int id = rte_eth_from_rings(name, rx, nb_rx, tx, nb_tx, 0);

	if (id < 0 || rte_eth_dev_configure((uint16_t)id, nb_rx, nb_tx, &conf) < 0)
		return fail("no ring port");
	snprintf(p->name, sizeof(p->name), "%s", name);
	p->id = (uint16_t)id;
	p->nb_rxq = nb_rx;
	p->nb_txq = nb_tx;
	p->mtu = 1500;
	for (uint16_t q = 0; q < nb_rx; q++)
		if (rte_eth_rx_queue_setup(p->id, q, 512, 0, NULL, rte_mempool_lookup("feed")) < 0)
			return fail("no receive queue");
	for (uint16_t q = 0; q < nb_tx; q++)
		if (rte_eth_tx_queue_setup(p->id, q, 512, 0, NULL) < 0)
			return fail("no transmit queue");
	return rte_eth_dev_start(p->id) < 0 ? fail("port does not start") : 0;
}

/* A ring for each queue, and for the records of an intercept lcore. */
static int
make_rings(struct bench_box *b)
{
	char name[32];

	for (uint16_t i = 0; i < b->nb_workers; i++) {
		snprintf(name, sizeof(name), "mirror%u", i);
		b->mirror[i] = make_ring(name, sizeof(void *), SLOTS);
		snprintf(name, sizeof(name), "rx%u", i);
		b->rx[i] = make_ring(name, sizeof(void *), SLOTS);
		if (b->mirror[i] == NULL || b->rx[i] == NULL)
			return fail("no memory for rings");
	}
	for (uint16_t i = 0; i <= b->nb_workers; i++) {
		snprintf(name, sizeof(name), "tx%u", i);
		b->tx[i] = make_ring(name, sizeof(void *), SLOTS);
		if (b->tx[i] == NULL)
			return fail("no memory for rings");
	}
	return 0;
}

/* Between workers, and from the intercept lcore or other workers that intercept. */
static int
make_box_rings(struct bench_box *b)
{
	char name[32];

	for (uint16_t i = 0; i < b->nb_workers; i++) {
		for (uint16_t k = 0; k < b->nb_workers; k++) {
			snprintf(name, sizeof(name), "records%u_%u", i, k);
			if (i == k && b->is_inline)
				continue;
			b->box.records[i][k] =
					make_ring(name, sizeof(struct sc_record), SC_RECORD_RING);
			snprintf(name, sizeof(name), "handover%u_%u", i, k);
			if (i != k)
				b->box.handover[i][k] =
						make_ring(name, sizeof(void *), SC_HANDOVER_RING);
			if (b->box.records[i][k] == NULL
					|| (i != k && b->box.handover[i][k] == NULL))
				return fail("no memory for rings");
		}
	}
	return 0;
}

static int
make_ports(struct bench_box *b)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 0x99};
	struct rte_ring *none = make_ring("none", sizeof(void *), 64);
	uint16_t n = b->nb_workers;

	if (none == NULL || make_rings(b) < 0 || make_box_rings(b) < 0)
		return -1;
	if (make_port(&b->box.mirror[0], "bench_mirror", b->mirror, n, &none, 1) < 0
			|| make_port(&b->box.test, "bench_test", b->rx, n, b->tx, n + 1) < 0)
		return -1;
	b->box.test.role = SC_PORT_TEST;
	b->floor_port = b->box.test.id;
	if (b->peer != NULL)
		b->box.test = *sc_peer_port(b->peer);
	memcpy(b->box.test.mac, mac, sizeof(mac));
	return 0;
}

static int
make_rules(struct bench_box *b, struct sc_err *err)
{
	if (b->capture == NULL)
		return sc_rules_parse(RULE, b->cfg.rule, &b->cfg.nb_rules, SC_RULES_MAX, err);
	return sc_peer_auto_rules(&b->capture, 1, b->cfg.rule, &b->cfg.nb_rules, SC_RULES_MAX, err);
}

static int
make_peer(struct bench_box *b, struct sc_err *err)
{
	struct sc_peer_cfg cfg = {
			.paths = &b->capture,
			.nb_paths = 1,
			.rules = b->cfg.rule,
			.nb_rules = b->cfg.nb_rules,
			.seed = 1,
			.pool = b->target_pool,
			.nb_rx_queues = 1,
			.nb_tx_queues = 2,
			.max_conns = 65536,
	};

	if (b->capture == NULL)
		return 0;
	b->peer = sc_peer_create(&cfg, err);
	return b->peer == NULL ? -1 : 0;
}

static int
make_targets(struct bench_box *b)
{
	static const uint8_t hop[6] = {2, 0, 0, 0, 1, 0};
	struct sc_prefix net;
	struct sc_err err;

	sc_config_init(&b->cfg);
	b->cfg.idle = SC_IDLE_BUSY;
	b->cfg.shed = false; /* the feed always has a whole burst; that is no overload */
	sc_prefix_parse("192.168.99.1/24", &net);
	if (make_rules(b, &err) < 0 || make_peer(b, &err) < 0
			|| sc_targets_build(&b->targets, b->cfg.rule, b->cfg.nb_rules, &net, 1,
					   NULL, 0, b->peer != NULL ? sc_peer_mac(b->peer) : hop,
					   &err)
					< 0
			|| sc_steer_init(&b->steer, b->nb_workers, 65536, &err) < 0)
		return fail(err.text);
	return 0;
}

static int
make_intercept(struct bench_box *b, uint16_t i)
{
	struct sc_intercept_cfg cfg = {
			.targets = &b->targets,
			.steer = &b->steer,
			.port = &b->box.test,
			.clock = &b->clock,
			.pool = b->tx_pool,
			.stats = &b->cell[b->is_inline ? i : LANES],
			.nb_workers = b->nb_workers,
			.neighbour_limit = 900,
	};
	struct sc_err err;

	memcpy(cfg.ring, b->box.records[i], sizeof(cfg.ring));
	b->ic[i] = sc_intercept_create(&cfg, &err);
	if (b->ic[i] == NULL)
		return fail(err.text);
	if (b->is_inline)
		return 0;
	b->il = sc_ilcore_create(&b->box, 0, b->ic[0], &b->cell[LANES], &err);
	return b->il == NULL ? fail(err.text) : 0;
}

int
box_start(struct bench_box *b, uint32_t max_flows)
{
	b->clock.base_us = BENCH_START_US;
	if (b->is_real_time)
		sc_clock_init(&b->clock);
	b->feed_pool = make_pool("feed", POOL);
	b->tx_pool = make_pool("tx", POOL);
	b->target_pool = make_pool("target", POOL);
	if (b->feed_pool == NULL || b->tx_pool == NULL || b->target_pool == NULL)
		return fail("no memory for mbufs");
	if (make_targets(b) < 0)
		return -1;
	b->box.cfg = &b->cfg;
	b->box.clock = &b->clock;
	b->box.steer = &b->steer;
	b->box.targets = &b->targets;
	b->box.nb_mirror = 1;
	b->box.nb_workers = b->nb_workers;
	b->box.is_inline = b->is_inline;
	b->box.nb_intercepts = b->is_inline ? 0 : 1;
	b->box.rx_pool = b->feed_pool;
	atomic_store(&b->box.phase, SC_PHASE_RUN);
	if (make_ports(b) < 0)
		return -1;
	for (uint16_t i = 0; i < b->nb_workers; i++)
		if (make_intercept(b, i) < 0)
			return -1;
	b->replay = (struct sc_replay_cfg){
			.steer = &b->steer,
			.rules = b->cfg.rule,
			.nb_rules = b->cfg.nb_rules,
			.test_nets = b->targets.box,
			.nb_test_nets = b->targets.nb_box,
			.clients = &b->cfg.clients,
			.pool = b->tx_pool,
			.max_flows = max_flows,
			.max_tombs = sc_replay_max_tombs(max_flows),
			.held_bytes = HELD_BYTES,
			.copy_below = b->cfg.copy_below,
			.copies = 1,
			.sample_pct = 100,
			.gate_quiet_min_us = b->cfg.gate_quiet_min_ms * (uint32_t)SC_US_PER_MS,
			.mtu = 1500,
			.max_lag_us = b->cfg.max_lag_s * (uint32_t)SC_US_PER_S,
			.session_timeout_s = b->cfg.session_timeout_s,
			.speed = 1,
	};
	return 0;
}

int
box_start_workers(struct bench_box *b)
{
	for (uint16_t i = 0; i < b->nb_workers; i++) {
		struct sc_worker_cfg cfg = {.box = &b->box,
				.index = i,
				.replay = b->replay,
				.inline_intercept = b->is_inline ? b->ic[i] : NULL,
				.stats = &b->cell[i]};
		struct sc_err err;

		b->w[i] = sc_worker_create(&cfg, &err);
		if (b->w[i] == NULL)
			return fail(err.text);
	}
	return 0;
}

static bool
is_pool_full(const struct rte_mempool *mp)
{
	unsigned int n = rte_mempool_avail_count(mp);

	if (n == mp->size)
		return true;
	fprintf(stderr, "bench: pool %s: %u of %u mbufs are back\n", mp->name, n, mp->size);
	return false;
}

static bool
says(const struct sc_ledger_result *res)
{
	for (unsigned int i = 0; i < res->nb_faults; i++)
		fprintf(stderr, "bench: ledger: %s: %llu is not %llu\n", res->fault[i].equation,
				(unsigned long long)res->fault[i].left,
				(unsigned long long)res->fault[i].right);
	return res->nb_faults == 0;
}

bool
box_check(struct bench_box *b)
{
	static struct sc_stats sum;
	struct sc_ledger_result res;
	struct sc_err err;
	bool ok = true;

	memset(&sum, 0, sizeof(sum));
	for (unsigned int i = 0; i < SC_ARRAY_SIZE(b->cell); i++) {
		sc_ledger_check_one(&b->cell[i].live, &res);
		ok &= says(&res);
		sc_stats_add(&sum, &b->cell[i].live);
	}
	sc_ledger_check_box(
			&sum, sc_box_handover_count(&b->box), sc_box_record_count(&b->box), &res);
	ok &= says(&res);
	for (uint16_t i = 0; i < b->nb_workers; i++) {
		if (sc_replay_audit(sc_worker_engine(b->w[i]), &err))
			continue;
		fprintf(stderr, "bench: %s\n", err.text);
		ok = false;
	}
	return ok;
}

static void
drop(struct rte_ring *ring)
{
	void *m;

	while (rte_ring_dequeue(ring, &m) == 0)
		rte_pktmbuf_free(m);
}

bool
box_stop(struct bench_box *b)
{
	bool ok;

	for (uint16_t i = 0; i < b->nb_workers; i++)
		sc_worker_stop(b->w[i]);
	ok = box_check(b);
	sc_ilcore_destroy(b->il);
	for (uint16_t i = 0; i < b->nb_workers; i++) {
		sc_worker_destroy(b->w[i]);
		sc_intercept_destroy(b->ic[i]);
		drop(b->mirror[i]);
		drop(b->rx[i]);
		drop(b->tx[i]);
	}
	drop(b->tx[b->nb_workers]);
	sc_peer_destroy(b->peer);
	ok &= is_pool_full(b->feed_pool);
	ok &= is_pool_full(b->tx_pool);
	ok &= is_pool_full(b->target_pool);
	sc_steer_free(&b->steer);
	sc_config_free(&b->cfg);
	return ok;
}
