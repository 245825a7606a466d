/* SPDX-License-Identifier: BSD-3-Clause */
#include "bed.h"

#include <reached.h>
#include <stdio.h>
#include <string.h>
#include <test_eal.h>

#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#define POOL_SIZE 4095
#define START_US (1700000000ull * SC_US_PER_S)
#define RING_SLOTS 1024

const uint8_t BED_MAC[6] = {2, 0, 0, 0, 0, 0x99};

static const uint8_t hop_mac[BED_HOPS][6] = {
		{2, 0, 0, 0, 1, 0},
		{2, 0, 0, 0, 1, 1},
		{2, 0, 0, 0, 1, 2},
};
static struct rte_mempool *pool;
static struct bed bed;
static unsigned int serial;
static uint8_t pattern[2048];

const uint8_t *
bed_hop_mac(unsigned int hop)
{
	return hop_mac[hop];
}

void
bed_set_hop(struct bed *b, unsigned int hop, const uint8_t mac[6])
{
	uint64_t word = (uint64_t)SC_NEIGH_REACHABLE << 56;

	for (int i = 0; i < 6; i++)
		word |= (uint64_t)mac[i] << (40 - 8 * i);
	atomic_store(&b->targets.nexthop[hop].word, word);
	atomic_fetch_add(&b->targets.nexthop[hop].version, 1);
}

struct bed *
bed_new(void)
{
	struct bed *b = &bed;

	if (pool == NULL)
		pool = test_pool("bed", POOL_SIZE, 2048);
	memset(b, 0, sizeof(*b));
	for (unsigned int i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)('a' + i % 26);
	b->pool = pool;
	b->pool_free = rte_mempool_avail_count(pool);
	b->nb_workers = 1;
	b->tx_slots = b->hand_slots = b->record_slots = RING_SLOTS;
	b->is_ring_mirror = b->is_ring_test = true;
	b->clock.base_us = START_US;
	sc_config_init(&b->cfg);
	b->cfg.max_flows = 64;
	b->cfg.idle = SC_IDLE_BUSY;
	assert_int_equal(sc_rules_parse("10.2.0.1:80-10.9.0.2:8080,[fd02::1]:80-[fd09::2]:8080,"
					"81-10.50.0.5:8081",
					 b->cfg.rule, &b->cfg.nb_rules, SC_RULES_MAX, NULL),
			0);
	return b;
}

/* ---- ports and rings ---- */

static struct rte_ring *
ring_new(unsigned int elem, unsigned int slots)
{
	char name[RTE_RING_NAMESIZE];
	struct rte_ring *r;

	snprintf(name, sizeof(name), "bed%u", serial++);
	r = rte_ring_create_elem(name, elem, slots, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	assert_non_null(r);
	return r;
}

static void
rings_new(struct rte_ring **ring, uint16_t nb, unsigned int slots)
{
	for (uint16_t i = 0; i < nb; i++)
		ring[i] = ring_new(sizeof(void *), slots);
}

/* A port whose queues are these rings. */
static struct sc_port
port_new(struct bed *b, struct rte_ring **rx, uint16_t nb_rx, struct rte_ring **tx, uint16_t nb_tx)
{
	const struct rte_eth_conf conf = {0};
	struct sc_port p = {.nb_rxq = nb_rx, .nb_txq = nb_tx, .mtu = 1500};
	int id;

	snprintf(p.name, sizeof(p.name), "bedport%u", serial++);
	id = rte_eth_from_rings(p.name, rx, nb_rx, tx, nb_tx, 0);
	assert_true(id >= 0);
	p.id = (uint16_t)id;
	assert_int_equal(rte_eth_dev_configure(p.id, nb_rx, nb_tx, &conf), 0);
	for (uint16_t q = 0; q < nb_rx; q++)
		assert_int_equal(rte_eth_rx_queue_setup(p.id, q, 512, 0, NULL, b->pool), 0);
	for (uint16_t q = 0; q < nb_tx; q++)
		assert_int_equal(rte_eth_tx_queue_setup(p.id, q, 512, 0, NULL), 0);
	assert_int_equal(rte_eth_dev_start(p.id), 0);
	return p;
}

static void
build_targets(struct bed *b)
{
	struct sc_prefix *net = b->cfg.test_address;
	struct sc_addr *gateway = &b->cfg.gateway[0];
	struct sc_err err;

	assert_int_equal(sc_prefix_parse("10.9.0.1/24", &net[0]), 0);
	assert_int_equal(sc_prefix_parse("fd09::1/64", &net[1]), 0);
	assert_int_equal(sc_addr_parse("10.9.0.254", gateway), 0);
	if (sc_targets_build(&b->targets, b->cfg.rule, b->cfg.nb_rules, net, 2, gateway, 1, NULL,
			    &err)
			< 0)
		fail_msg("%s", err.text);
	assert_int_equal(b->targets.nb_nexthops, BED_HOPS);
	for (unsigned int i = 0; i < BED_HOPS && !b->is_unresolved; i++)
		bed_set_hop(b, i, hop_mac[i]);
}

void
bed_start_ports(struct bed *b)
{
	struct sc_box *box = &b->box;
	uint16_t nb_rxq = b->is_inline ? b->nb_workers : 1;

	if (b->nb_txq == 0)
		b->nb_txq = b->nb_workers + 1;
	build_targets(b);
	assert_int_equal(sc_steer_init(&b->steer, b->nb_workers, 65536, NULL), 0);
	rings_new(b->rx, nb_rxq, RING_SLOTS);
	rings_new(b->tx, b->nb_txq, b->tx_slots);
	*box = (struct sc_box){.cfg = &b->cfg,
			.clock = &b->clock,
			.steer = &b->steer,
			.targets = &b->targets,
			.nb_workers = b->nb_workers,
			.nb_intercepts = b->is_inline ? 0 : 1,
			.is_inline = b->is_inline,
			.rx_pool = b->pool};
	box->test = port_new(b, b->rx, nb_rxq, b->tx, b->nb_txq);
	box->test.role = SC_PORT_TEST;
	box->test.is_ring = b->is_ring_test;
	memcpy(box->test.mac, BED_MAC, 6);
	atomic_store(&box->phase, SC_PHASE_RUN);
}

static void
start_mirror(struct bed *b)
{
	struct rte_ring *none = ring_new(sizeof(void *), 64);

	if (b->nb_mirrorq == 0)
		b->nb_mirrorq = b->nb_workers;
	rings_new(b->mirror, b->nb_mirrorq, RING_SLOTS);
	b->box.mirror[0] = port_new(b, b->mirror, b->nb_mirrorq, &none, 1);
	b->box.mirror[0].is_ring = b->is_ring_mirror;
	b->box.mirror[0].is_file = b->is_file;
	b->box.nb_mirror = 1;
}

static void
start_rings(struct bed *b)
{
	uint16_t nb_from = b->is_inline ? b->nb_workers : 1;

	for (uint16_t i = 0; i < b->nb_workers; i++)
		for (uint16_t k = 0; k < b->nb_workers; k++)
			if (i != k)
				b->box.handover[i][k] = ring_new(sizeof(void *), b->hand_slots);
	for (uint16_t i = 0; i < nb_from; i++)
		for (uint16_t k = 0; k < b->nb_workers; k++)
			if (!b->is_inline || i != k)
				b->box.records[i][k] =
						ring_new(sizeof(struct sc_record), b->record_slots);
}

static void
start_intercepts(struct bed *b)
{
	for (uint16_t i = 0; i < (b->is_inline ? b->nb_workers : 1); i++) {
		struct sc_intercept_cfg ic = {
				.targets = &b->targets,
				.steer = &b->steer,
				.port = &b->box.test,
				.clock = &b->clock,
				.pool = b->pool,
				.stats = &b->cell[b->is_inline ? i : BED_WORKERS],
				.nb_workers = b->nb_workers,
				.neighbour_limit = 900,
				.do_neighbours = i == 0 && b->is_unresolved,
		};

		memcpy(ic.ring, b->box.records[i], sizeof(ic.ring));
		b->ic[i] = sc_intercept_create(&ic, NULL);
		assert_non_null(b->ic[i]);
	}
	if (b->is_inline)
		return;
	b->il = sc_ilcore_create(&b->box, 0, b->ic[0], &b->cell[BED_WORKERS], NULL);
	assert_non_null(b->il);
}

static void
start_workers(struct bed *b)
{
	for (uint16_t i = 0; i < b->nb_workers; i++) {
		struct sc_err err;
		struct sc_worker_cfg wc = {
				.box = &b->box,
				.index = i,
				.inline_intercept = b->is_inline ? b->ic[i] : NULL,
				.stats = &b->cell[i],
				.replay = {.steer = &b->steer,
						.rules = b->cfg.rule,
						.nb_rules = b->cfg.nb_rules,
						.test_nets = b->targets.box,
						.nb_test_nets = b->targets.nb_box,
						.clients = &b->cfg.clients,
						.pool = b->pool,
						.max_flows = 64,
						.max_tombs = 64,
						.held_bytes = 1 << 20,
						.copy_below = 512,
						.copies = 1,
						.sample_pct = 100,
						.is_file = b->is_file,
						.gate_quiet_min_us = 200 * BED_MS,
						.mtu = 1500,
						.max_lag_us = 30 * SC_US_PER_S,
						.session_timeout_s = 600,
						.speed = 1},
		};

		b->w[i] = sc_worker_create(&wc, &err);
		if (b->w[i] == NULL)
			fail_msg("%s", err.text);
	}
}

void
bed_start(struct bed *b)
{
	bed_start_ports(b);
	start_mirror(b);
	start_rings(b);
	start_intercepts(b);
	start_workers(b);
}

/* ---- the end ---- */

static void
drop_mbufs(struct rte_ring *ring)
{
	struct rte_mbuf *m;

	while (ring != NULL && rte_ring_dequeue(ring, (void **)&m) == 0)
		rte_pktmbuf_free(m);
}

static void
empty_rings(struct bed *b)
{
	for (unsigned int i = 0; i < BED_WORKERS; i++) {
		drop_mbufs(b->mirror[i]);
		drop_mbufs(b->rx[i]);
		for (unsigned int k = 0; k < BED_WORKERS; k++) {
			drop_mbufs(b->box.handover[i][k]);
			if (b->box.records[i][k] != NULL)
				rte_ring_reset(b->box.records[i][k]);
		}
	}
	for (unsigned int i = 0; i <= BED_WORKERS; i++)
		drop_mbufs(b->tx[i]);
}

void
bed_halt(struct bed *b)
{
	for (uint16_t i = 0; i < b->nb_workers && b->w[i] != NULL; i++)
		sc_worker_stop(b->w[i]);
	if (b->w[0] != NULL)
		bed_check(b);
	assert_int_equal(SUM(b, TX_WAITING_NOW), 0);
	assert_int_equal(SUM(b, FLOWS_LIVE_NOW), 0);
	assert_int_equal(SUM(b, CONNS_OPEN_NOW), 0);
	for (uint16_t i = 0; i < b->nb_workers; i++)
		sc_worker_destroy(b->w[i]);
	sc_ilcore_destroy(b->il);
	for (unsigned int i = 0; i < BED_WORKERS; i++)
		if (b->ic[i] != NULL)
			sc_intercept_destroy(b->ic[i]);
	empty_rings(b);
	assert_int_equal(rte_mempool_avail_count(b->pool), b->pool_free);
	memset(b->w, 0, sizeof(b->w));
	memset(b->ic, 0, sizeof(b->ic));
	b->il = NULL;
}

void
bed_again(struct bed *b)
{
	memset(b->cell, 0, sizeof(b->cell));
	memset(b->conn, 0, sizeof(b->conn));
	memset(b->box.path, 0, sizeof(b->box.path));
	b->nb_conns = b->nb_strange = 0;
	b->clock.base_us = START_US;
	atomic_store(&b->box.phase, SC_PHASE_RUN);
	b->box.mirror[0].is_file = b->is_file;
	start_intercepts(b);
	start_workers(b);
}

void
bed_end(struct bed *b)
{
	bed_halt(b);
	for (unsigned int i = 0; i < BED_WORKERS; i++) {
		for (unsigned int k = 0; k < BED_WORKERS; k++) {
			rte_ring_free(b->box.handover[i][k]);
			rte_ring_free(b->box.records[i][k]);
		}
	}
	rte_eth_dev_stop(b->box.test.id);
	rte_eth_dev_close(b->box.test.id);
	if (b->box.nb_mirror > 0) {
		rte_eth_dev_stop(b->box.mirror[0].id);
		rte_eth_dev_close(b->box.mirror[0].id);
	}
	sc_steer_free(&b->steer);
	sc_config_free(&b->cfg);
}

uint64_t
bed_sum(const struct bed *b, enum sc_counter c)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < SC_ARRAY_SIZE(b->cell); i++)
		n += b->cell[i].live.c[c];
	return n;
}

uint64_t
bed_sum_by(const struct bed *b, enum sc_map m, enum sc_reason r)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < SC_ARRAY_SIZE(b->cell); i++)
		n += b->cell[i].live.m[m][r];
	return n;
}

static void
fail_on(const struct sc_ledger_result *res, const char *where)
{
	if (res->nb_faults > 0)
		fail_msg("%s: %s: %llu is not %llu", where, res->fault[0].equation,
				(unsigned long long)res->fault[0].left,
				(unsigned long long)res->fault[0].right);
}

void
bed_check(struct bed *b)
{
	static struct sc_stats sum;
	struct sc_ledger_result res;
	struct sc_err what;

	memset(&sum, 0, sizeof(sum));
	for (unsigned int i = 0; i < SC_ARRAY_SIZE(b->cell); i++) {
		test_reached(&b->cell[i].live);
		sc_ledger_check_one(&b->cell[i].live, &res);
		fail_on(&res, i == BED_WORKERS ? "intercept" : "worker");
		sc_stats_add(&sum, &b->cell[i].live);
	}
	sc_ledger_check_box(
			&sum, sc_box_handover_count(&b->box), sc_box_record_count(&b->box), &res);
	fail_on(&res, "box");
	for (uint16_t i = 0; i < b->nb_workers; i++)
		if (!sc_replay_audit(sc_worker_engine(b->w[i]), &what))
			fail_msg("worker %u: %s", i, what.text);
}

/* ---- the target ---- */

struct rte_mbuf *
bed_take(struct bed *b, uint16_t queue)
{
	struct rte_mbuf *m = NULL;

	return rte_ring_dequeue(b->tx[queue], (void **)&m) == 0 ? m : NULL;
}

static struct peer_conn *
conn_of(struct bed *b, const struct sc_seg *s)
{
	struct peer_conn *c;

	for (unsigned int i = 0; i < b->nb_conns; i++)
		if (sc_addr_eq(&b->conn[i].src, &s->src) && b->conn[i].sport == s->sport)
			return &b->conn[i];
	assert_true(b->nb_conns < SC_ARRAY_SIZE(b->conn));
	c = &b->conn[b->nb_conns++];
	*c = (struct peer_conn){.src = s->src,
			.dst = s->dst,
			.sport = s->sport,
			.dport = s->dport,
			.snd = 70000,
			.rcv = s->seq};
	return c;
}

static void
answer(struct bed *b, struct peer_conn *c, uint8_t flags, size_t len)
{
	char src[SC_ADDR_STRLEN], dst[SC_ADDR_STRLEN];
	uint16_t owner = sc_steer_owner(
			&b->steer, sc_fold_tuple(&c->src, &c->dst, c->sport, c->dport));
	struct test_frame f = {.src = sc_addr_format(&c->dst, src),
			.dst = sc_addr_format(&c->src, dst),
			.sport = c->dport,
			.dport = c->sport,
			.seq = c->snd,
			.ack = c->rcv,
			.wnd = 60000,
			.flags = flags | SC_TCP_ACK,
			.payload = pattern,
			.len = len};

	memcpy(f.dst_mac, BED_MAC, 6);
	c->snd += (uint32_t)len + ((flags & (SC_TCP_SYN | SC_TCP_FIN)) != 0);
	assert_int_equal(rte_ring_enqueue(b->rx[b->is_inline ? owner : 0],
					 test_frame_mbuf(b->pool, &f)),
			0);
}

/* SYN: SYN-ACK. Data: BED_ANSWER bytes. FIN: FIN. Anything twice: an ACK. */
static void
target_in(struct bed *b, const struct sc_seg *s)
{
	struct peer_conn *c = conn_of(b, s);
	uint32_t len = s->payload_len + ((s->flags & (SC_TCP_SYN | SC_TCP_FIN)) != 0);

	if (s->flags & SC_TCP_RST || len == 0)
		return;
	if (s->seq != c->rcv) {
		answer(b, c, 0, 0);
		return;
	}
	c->rcv += len;
	c->bytes += s->payload_len;
	if (s->flags & SC_TCP_SYN)
		answer(b, c, SC_TCP_SYN, 0);
	else if (s->payload_len > 0)
		answer(b, c, SC_TCP_PSH, BED_ANSWER);
	if (s->flags & SC_TCP_FIN && !c->has_fin) {
		c->has_fin = true;
		answer(b, c, SC_TCP_FIN, 0);
	}
}

static void
count_hop(struct bed *b, const uint8_t *mac)
{
	for (unsigned int i = 0; i < BED_HOPS; i++) {
		if (memcmp(mac, hop_mac[i], 6) == 0) {
			b->nb_hops_seen[i]++;
			return;
		}
	}
	b->nb_strange++;
}

unsigned int
bed_target(struct bed *b)
{
	unsigned int n = 0;
	struct rte_mbuf *m;
	struct sc_seg seg;

	for (uint16_t q = 0; q < b->nb_txq; q++) {
		for (; (m = bed_take(b, q)) != NULL; n++) {
			assert_int_equal(sc_packet_parse(m, SC_LINK_ETHER, &seg), SC_R_NONE);
			count_hop(b, rte_pktmbuf_mtod(m, const uint8_t *));
			if (!b->is_v6_silent || sc_addr_is_v4(&seg.dst))
				target_in(b, &seg);
			rte_pktmbuf_free(m);
		}
	}
	return n;
}

void
bed_round(struct bed *b)
{
	for (uint16_t i = 0; i < b->nb_workers; i++)
		sc_worker_poll(b->w[i]);
	if (b->il != NULL)
		sc_ilcore_poll(b->il);
	bed_target(b);
	bed_check(b);
	b->clock.base_us += BED_MS;
}

void
bed_run(struct bed *b, unsigned int rounds)
{
	while (rounds-- > 0)
		bed_round(b);
}

const struct peer_conn *
bed_conn(const struct bed *b)
{
	const struct peer_conn *c = &b->conn[0];

	assert_true(b->nb_conns > 0);
	for (unsigned int i = 1; i < b->nb_conns; i++)
		if (b->conn[i].bytes > c->bytes)
			c = &b->conn[i];
	return c;
}

/* ---- the mirror ---- */

void
bed_feed(struct bed *b, uint16_t queue, const struct test_frame *f)
{
	struct rte_mbuf *m = test_frame_mbuf(b->pool, f);

	assert_int_equal(rte_ring_enqueue(b->mirror[queue], m), 0);
}

struct conv
conv_new(struct bed *b, uint16_t owner, bool is_v6)
{
	static uint16_t next = 40000;
	struct conv c = {.b = b,
			.client = is_v6 ? "fd01::5" : "10.1.0.5",
			.server = is_v6 ? "fd02::1" : "10.2.0.1",
			.cnxt = 5000,
			.pnxt = 90000,
			.queue = owner};
	struct sc_addr client, server;

	assert_int_equal(sc_addr_parse(c.client, &client), 0);
	assert_int_equal(sc_addr_parse(c.server, &server), 0);
	do
		c.cport = next++;
	while (sc_steer_owner(&b->steer, sc_fold_tuple(&client, &server, c.cport, 80)) != owner);
	return c;
}

static void
feed(struct conv *c, bool is_client, uint8_t flags, uint32_t len)
{
	static uint16_t id;
	uint32_t *nxt = is_client ? &c->cnxt : &c->pnxt;
	struct test_frame f = {.src = is_client ? c->client : c->server,
			.dst = is_client ? c->server : c->client,
			.sport = is_client ? c->cport : 80,
			.dport = is_client ? 80 : c->cport,
			.seq = *nxt,
			.ack = flags & SC_TCP_ACK ? (is_client ? c->pnxt : c->cnxt) : 0,
			.wnd = 501,
			.ip_id = ++id,
			.flags = flags,
			.payload = pattern,
			.len = len};

	*nxt += len + ((flags & (SC_TCP_SYN | SC_TCP_FIN)) != 0);
	bed_feed(c->b, c->queue, &f);
}

void
conv_open(struct conv *c)
{
	feed(c, true, SC_TCP_SYN, 0);
	feed(c, false, SC_TCP_SYN | SC_TCP_ACK, 0);
	feed(c, true, SC_TCP_ACK, 0);
}

void
conv_say(struct conv *c, uint32_t n)
{
	c->said += n;
	feed(c, true, SC_TCP_PSH | SC_TCP_ACK, n);
}

void
conv_answer(struct conv *c)
{
	feed(c, false, SC_TCP_PSH | SC_TCP_ACK, BED_ANSWER);
	feed(c, true, SC_TCP_ACK, 0);
}

void
conv_close(struct conv *c)
{
	feed(c, true, SC_TCP_FIN | SC_TCP_ACK, 0);
	feed(c, false, SC_TCP_FIN | SC_TCP_ACK, 0);
	feed(c, true, SC_TCP_ACK, 0);
}
