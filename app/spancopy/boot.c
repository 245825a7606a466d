/* SPDX-License-Identifier: BSD-3-Clause */
/* boot: the ordered start, and the same backwards. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

#include <sc_nic.h>

#include "app.h"

#define CACHE 256
#define PEER_CONNS_MAX (1ull << 18)
#define RING_PORT_QUEUES_MAX 16u

/* ---- pools ---- */

static struct rte_mempool *
make_pool(const char *name, uint32_t n, uint16_t room)
{
	return rte_pktmbuf_pool_create(
			name, n, CACHE, 0, room + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
}

static int
boot_pools(struct app *a, struct sc_err *err)
{
	uint16_t tx_room = app_tx_room(a);

	if (sc_mbuf_init() < 0)
		return sc_err_set(err, -ENOMEM, "DPDK has no room for a dynamic mbuf field");
	a->rx_pool = make_pool("rx", a->rx_pool_size, APP_RX_ROOM);
	a->tx_pool = make_pool("tx", a->tx_pool_size, tx_room);
	if (a->peer_pool_size > 0)
		a->peer_pool = make_pool("peer", a->peer_pool_size, tx_room);
	if (a->rx_pool == NULL || a->tx_pool == NULL
			|| (a->peer_pool_size > 0 && a->peer_pool == NULL))
		return sc_err_set(err, -ENOMEM,
				"no memory for %u + %u + %u mbufs: free more hugepages, or lower "
				"held-bytes or workers",
				a->rx_pool_size, a->tx_pool_size, a->peer_pool_size);
	return 0;
}

/* ---- sources and peers inside the process ---- */

/* The owner of a frame, for ring ports that have a queue per worker. */
static uint16_t
response_owner(void *arg, struct rte_mbuf *m)
{
	const struct app *a = arg;
	struct sc_seg seg;

	if (sc_packet_parse(m, SC_LINK_ETHER, &seg) != SC_R_NONE)
		return 0;
	return sc_steer_owner(a->steer, sc_fold_tuple(&seg.src, &seg.dst, seg.sport, seg.dport));
}

static int
boot_rules(struct app *a, struct sc_err *err)
{
	struct sc_config *c = &a->cfg;
	int ret;

	if (c->nb_rules > 0)
		return APP_OK;
	ret = sc_peer_auto_rules(
			c->capture, c->nb_captures, c->rule, &c->nb_rules, SC_RULES_MAX, err);
	if (ret < 0)
		return APP_CAPTURE;
	if (c->nb_rules > 0)
		return APP_OK;
	sc_err_set(err, -ENODATA,
			"no TCP server was found in the capture: is it a capture of TCP traffic, "
			"and not cut? (spancopy check FILE says more)");
	return APP_CAPTURE;
}

/*
 * One a worker, and one for ARP, ND and echo. Where a ring port has no more they share, under a lock that
 * nobody waits for: the peer asks for no addresses.
 */
static uint16_t
peer_tx_queues(const struct app *a)
{
	return (uint16_t)SC_MIN(a->cfg.workers + 1, RING_PORT_QUEUES_MAX);
}

static int
boot_peer(struct app *a, struct sc_err *err)
{
	struct sc_peer_cfg pc = {
			.paths = a->cfg.capture,
			.nb_paths = a->cfg.nb_captures,
			.rules = a->cfg.rule,
			.nb_rules = a->cfg.nb_rules,
			.seed = a->cfg.seed,
			.pool = a->peer_pool,
			.nb_rx_queues = 1,
			.nb_tx_queues = peer_tx_queues(a),
			.max_conns = (uint32_t)SC_MIN(
					(uint64_t)a->cfg.max_flows * a->cfg.copies, PEER_CONNS_MAX),
			.arg = a,
	};

	if (sc_impair_parse(a->cfg.impair, &pc.impair, err) < 0)
		return APP_USAGE;
	if (a->cfg.intercept_mode == SC_INTERCEPT_INLINE) {
		pc.nb_rx_queues = (uint16_t)a->cfg.workers;
		pc.queue_of = response_owner;
	}
	a->peer = sc_peer_create(&pc, err);
	if (a->peer == NULL)
		return APP_CAPTURE;
	a->box->test = *sc_peer_port(a->peer);
	return APP_OK;
}

static int
boot_capture(struct app *a, struct sc_err *err)
{
	struct sc_capture_cfg cc = {
			.paths = a->cfg.capture,
			.nb_paths = a->cfg.nb_captures,
			.speed = a->cfg.pace == SC_PACE_IMMEDIATE ? 0 : a->cfg.speed,
			.pool = a->rx_pool,
			.nb_queues = (uint16_t)a->cfg.workers,
			.route = sc_source_route,
	};

	a->source = sc_source_create(a->steer, &a->cell[a->nb_cells - 1], err);
	if (a->source == NULL)
		return APP_ENVIRONMENT;
	cc.arg = a->source;
	a->capture = sc_capture_create(&cc, err);
	if (a->capture == NULL)
		return APP_CAPTURE;
	a->box->mirror[0] = *sc_capture_port(a->capture);
	a->box->nb_mirror = 1;
	return APP_OK;
}

/* ---- ports ---- */

static uint16_t
test_rx_queues(const struct app *a)
{
	return (uint16_t)(a->cfg.intercept_mode == SC_INTERCEPT_INLINE ? a->cfg.workers
								       : a->cfg.intercepts);
}

static void
nic_cfg(const struct app *a, unsigned int i, struct sc_nic_cfg *nc)
{
	bool is_mirror = i < a->cfg.nb_mirror;

	memset(nc, 0, sizeof(*nc));
	nc->dev = is_mirror ? a->cfg.mirror[i] : a->cfg.test[i - a->cfg.nb_mirror];
	nc->role = is_mirror ? SC_PORT_MIRROR : SC_PORT_TEST;
	nc->nb_rxq = is_mirror ? (uint16_t)a->cfg.workers : test_rx_queues(a);
	nc->nb_txq = is_mirror ? 0 : (uint16_t)(a->cfg.workers + 1);
	nc->mtu = a->cfg.mtu;
	nc->pool = a->rx_pool;
	nc->link_wait_s = a->cfg.link_wait_s;
}

static struct sc_port *
port_slot(struct app *a, unsigned int i)
{
	return i < a->cfg.nb_mirror ? &a->box->mirror[i] : &a->box->test;
}

/*
 * The owner table follows the smallest RETA in use; ports without one, or with one under four
 * entries a worker, are sharded in software by the same table.
 */
static int
boot_steer(struct app *a, struct sc_err *err)
{
	uint32_t nb_virtual = 65536;

	for (unsigned int i = 0; i < a->cfg.nb_mirror + a->cfg.nb_test; i++) {
		struct sc_nic_cfg nc;
		struct sc_port *p = port_slot(a, i);

		nic_cfg(a, i, &nc);
		if (sc_nic_probe(&nc, p, err) < 0)
			return APP_ENVIRONMENT;
		if (p->reta_size >= 4 * a->cfg.workers && p->reta_size <= SC_STEER_RETA_MAX)
			nb_virtual = SC_MIN(nb_virtual, p->reta_size);
	}
	if (sc_steer_init(a->steer, (uint16_t)a->cfg.workers, nb_virtual, err) < 0)
		return APP_ENVIRONMENT;
	return APP_OK;
}

/*
 * The pool must hold copies x flows towards one target. With the default of --max-flows a smaller
 * pool lowers that number; otherwise it is refused, with the smallest that would do.
 */
static int
boot_pool_size(struct app *a, struct sc_err *err)
{
	struct sc_config *c = &a->cfg;
	uint32_t nb = c->clients.nb_v4 == 0 ? c->clients.nb_v6 : c->clients.nb_v4;
	uint64_t each = sc_steer_pool_capacity(a->steer, 1) * c->workers;
	uint64_t have = each * nb, want = (uint64_t)c->max_flows * c->copies;

	if (c->clients.nb_v4 != 0 && c->clients.nb_v6 != 0)
		have = each * SC_MIN(c->clients.nb_v4, c->clients.nb_v6);
	if (c->clients.nb == 0 || want <= have)
		return APP_OK;
	if (c->max_flows == APP_MAX_FLOWS_DEFAULT && have / c->copies >= APP_FLOWS_USEFUL) {
		c->max_flows = (uint32_t)(have / c->copies);
		sc_log(SC_LOG_NOTICE, "boot",
				"the pool of --clients has %llu address and port pairs: at most %u "
				"flows at a time",
				(unsigned long long)have, c->max_flows);
		return APP_OK;
	}
	sc_err_set(err, -EINVAL,
			"the pool of --clients is too small: %u flows x %u copies need %llu "
			"addresses and %u are given (%llu pairs an address); enlarge the pool or "
			"lower --max-flows or --copies",
			c->max_flows, c->copies, (unsigned long long)((want + each - 1) / each), nb,
			(unsigned long long)each);
	return APP_USAGE;
}

static int
boot_nics(struct app *a, struct sc_err *err)
{
	for (unsigned int i = 0; i < a->cfg.nb_mirror + a->cfg.nb_test; i++) {
		struct sc_nic_cfg nc;

		nic_cfg(a, i, &nc);
		if (sc_nic_open(&nc, a->steer, port_slot(a, i), err) < 0)
			return APP_ENVIRONMENT;
		if (nc.role == SC_PORT_TEST)
			a->has_nic_test = true;
		else
			a->box->nb_mirror = i + 1;
		a->has_nic_mirror |= nc.role == SC_PORT_MIRROR;
	}
	return APP_OK;
}

static int
boot_ports(struct app *a, struct sc_err *err)
{
	int status = boot_nics(a, err);

	if (status == APP_OK && a->cfg.nb_captures > 0)
		status = boot_capture(a, err);
	if (status == APP_OK && a->cfg.peer == SC_PEER_CAPTURE)
		status = boot_peer(a, err);
	return status;
}

/* ---- targets, rings, lcores ---- */

static int
boot_targets(struct app *a, struct sc_err *err)
{
	const struct sc_config *c = &a->cfg;
	const uint8_t *mac = a->peer != NULL ? sc_peer_mac(a->peer) : NULL;

	if (sc_targets_build(a->targets, c->rule, c->nb_rules, c->test_address, c->nb_test_address,
			    c->gateway, c->nb_gateway, mac, err)
			< 0)
		return APP_USAGE;
	return APP_OK;
}

static struct rte_ring *
make_ring(const char *kind, unsigned int from, unsigned int to, unsigned int elem,
		unsigned int slots)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "%s_%u_%u", kind, from, to);
	return rte_ring_create_elem(
			name, elem, slots, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

static int
boot_rings(struct app *a, struct sc_err *err)
{
	struct sc_box *box = a->box;
	unsigned int nb_polled = box->nb_workers;
	unsigned int nb_from = box->is_inline ? box->nb_workers : box->nb_intercepts;

	for (unsigned int i = 0; i < box->nb_mirror; i++)
		nb_polled = SC_MIN(nb_polled, (unsigned int)box->mirror[i].nb_rxq);
	for (unsigned int i = 0; i < box->nb_workers; i++) {
		unsigned int slots = nb_polled < box->nb_workers && i < nb_polled
				? SC_HANDOVER_RING_SOFT
				: SC_HANDOVER_RING;

		for (unsigned int k = 0; k < box->nb_workers; k++) {
			if (i == k)
				continue;
			box->handover[i][k] = make_ring("handover", i, k, sizeof(void *), slots);
			if (box->handover[i][k] == NULL)
				return sc_err_set(err, -ENOMEM, "no memory for hand-over rings");
		}
	}
	for (unsigned int i = 0; i < nb_from; i++) {
		for (unsigned int k = 0; k < box->nb_workers; k++) {
			if (box->is_inline && i == k)
				continue;
			box->records[i][k] = make_ring(
					"records", i, k, sizeof(struct sc_record), SC_RECORD_RING);
			if (box->records[i][k] == NULL)
				return sc_err_set(err, -ENOMEM, "no memory for record rings");
		}
	}
	return 0;
}

/* ARP, ND and echo may come to any queue of the test port; one intercept answers them. */
static int
make_neigh_ring(struct app *a, unsigned int nb, struct sc_err *err)
{
	if (nb < 2 || a->peer != NULL)
		return 0;
	a->neigh_ring = rte_ring_create("neighbours", APP_NEIGH_RING, SOCKET_ID_ANY, RING_F_SC_DEQ);
	if (a->neigh_ring == NULL)
		return sc_err_set(err, -ENOMEM, "no memory for the ring of neighbour frames");
	return 0;
}

static int
boot_intercepts(struct app *a, struct sc_err *err)
{
	struct sc_box *box = a->box;
	unsigned int n = box->is_inline ? box->nb_workers : box->nb_intercepts;

	if (make_neigh_ring(a, n, err) < 0)
		return -ENOMEM;
	for (unsigned int i = 0; i < n; i++) {
		struct sc_intercept_cfg ic = {
				.targets = a->targets,
				.steer = a->steer,
				.port = &box->test,
				.clock = &a->clock,
				.pool = a->tx_pool,
				.on_link = a->cfg.clients_on_link ? &a->cfg.clients : NULL,
				.stats = &a->cell[box->is_inline ? i : box->nb_workers + i],
				.nb_workers = box->nb_workers,
				.vlan_tci = a->cfg.test_vlan,
				.neighbour_limit = a->cfg.neighbour_limit,
				.do_neighbours = i == 0 && a->peer == NULL,
				.neigh_ring = a->neigh_ring,
		};

		for (unsigned int w = 0; w < box->nb_workers; w++)
			ic.ring[w] = box->records[i][w];
		a->intercept[i] = sc_intercept_create(&ic, err);
		if (a->intercept[i] == NULL)
			return -EINVAL;
		a->nb_intercepts++;
	}
	for (unsigned int i = 0; !box->is_inline && i < n; i++) {
		a->ilcore[i] = sc_ilcore_create(box, (uint16_t)i, a->intercept[i],
				&a->cell[box->nb_workers + i], err);
		if (a->ilcore[i] == NULL)
			return -ENOMEM;
	}
	return 0;
}

static int
boot_workers(struct app *a, struct sc_err *err)
{
	unsigned int lcore = rte_get_next_lcore(-1, 1, 0); /* the order of the launch */

	for (unsigned int i = 0; i < a->box->nb_workers;
			i++, lcore = rte_get_next_lcore(lcore, 1, 0)) {
		struct sc_worker_cfg wc = {
				.box = a->box,
				.index = (uint16_t)i,
				.inline_intercept = a->box->is_inline ? a->intercept[i] : NULL,
				.stats = &a->cell[i],
		};

		app_replay_cfg(a, &wc.replay);
		wc.replay.socket = (int)rte_lcore_to_socket_id(lcore);
		a->worker[i] = sc_worker_create(&wc, err);
		if (a->worker[i] == NULL)
			return -ENOMEM;
	}
	return 0;
}

static void
init_box(struct app *a)
{
	struct sc_box *box = a->box;

	sc_clock_init(&a->clock);
	box->cfg = &a->cfg;
	box->clock = &a->clock;
	box->steer = a->steer;
	box->targets = a->targets;
	box->nb_workers = (uint16_t)a->cfg.workers;
	box->is_inline = a->cfg.intercept_mode == SC_INTERCEPT_INLINE;
	box->nb_intercepts = box->is_inline ? 0 : (uint16_t)a->cfg.intercepts;
	box->rx_pool = a->rx_pool;
	for (unsigned int i = 0; i < SC_ARRAY_SIZE(box->tx_lock); i++)
		rte_spinlock_init(&box->tx_lock[i]);
	atomic_store(&box->phase, SC_PHASE_HOLD);
	a->nb_cells = box->nb_workers + box->nb_intercepts + (app_has_pump(a) ? 1 : 0);
}

static int
boot_memory(struct app *a, struct sc_err *err)
{
	a->steer = calloc(1, sizeof(*a->steer));
	a->targets = calloc(1, sizeof(*a->targets));
	a->box = aligned_alloc(
			RTE_CACHE_LINE_SIZE, RTE_ALIGN_CEIL(sizeof(*a->box), RTE_CACHE_LINE_SIZE));
	if (a->box != NULL) /* also what is undone after a failure looks into it */
		memset(a->box, 0, sizeof(*a->box));
	a->cell = calloc(APP_CELLS_MAX, sizeof(*a->cell));
	if (a->steer == NULL || a->targets == NULL || a->box == NULL || a->cell == NULL)
		return sc_err_set(err, -ENOMEM, "no memory to start");
	return 0;
}

int
app_boot(struct app *a, struct sc_err *err)
{
	int status;

	if (boot_memory(a, err) < 0 || boot_pools(a, err) < 0)
		return APP_ENVIRONMENT;
	init_box(a);
	status = boot_rules(a, err);
	if (status == APP_OK)
		status = boot_steer(a, err);
	if (status == APP_OK)
		status = boot_pool_size(a, err);
	if (status == APP_OK)
		status = boot_ports(a, err);
	if (status == APP_OK)
		status = boot_targets(a, err);
	if (status != APP_OK)
		return status;
	if (boot_rings(a, err) < 0 || boot_intercepts(a, err) < 0 || boot_workers(a, err) < 0)
		return APP_ENVIRONMENT;
	return APP_OK;
}

/* Frames that nobody took before the stop are in no one's hands: back into their pool. */
static void
free_handover(struct rte_ring *ring)
{
	void *m;

	while (ring != NULL && rte_ring_dequeue(ring, &m) == 0)
		rte_pktmbuf_free(m);
	rte_ring_free(ring);
}

static void
free_rings(struct sc_box *box)
{
	for (unsigned int i = 0; i < SC_STEER_WORKERS_MAX; i++) {
		for (unsigned int k = 0; k < SC_STEER_WORKERS_MAX; k++) {
			free_handover(box->handover[i][k]);
			rte_ring_free(box->records[i][k]);
		}
	}
}

void
app_shutdown(struct app *a)
{
	for (unsigned int i = 0; i < SC_STEER_WORKERS_MAX; i++)
		sc_worker_destroy(a->worker[i]);
	for (unsigned int i = 0; i < SC_INTERCEPTS_MAX; i++)
		sc_ilcore_destroy(a->ilcore[i]);
	for (unsigned int i = 0; i < a->nb_intercepts; i++)
		sc_intercept_destroy(a->intercept[i]);
	rte_ring_free(a->neigh_ring);
	sc_capture_destroy(a->capture);
	sc_source_destroy(a->source);
	sc_peer_destroy(a->peer);
	if (a->box != NULL) {
		for (unsigned int i = 0; a->has_nic_mirror && i < a->cfg.nb_mirror; i++)
			sc_nic_close(&a->box->mirror[i]);
		if (a->has_nic_test)
			sc_nic_close(&a->box->test);
		free_rings(a->box);
	}
	app_check_pools(a);
	rte_mempool_free(a->rx_pool);
	rte_mempool_free(a->tx_pool);
	rte_mempool_free(a->peer_pool);
	if (a->steer != NULL)
		sc_steer_free(a->steer);
	free(a->steer);
	free(a->targets);
	free(a->box);
	free(a->cell);
	a->box = NULL;
	a->cell = NULL;
}
