/* SPDX-License-Identifier: BSD-3-Clause */
/* The ring port, and the round of the polling thread. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include "conn.h"

#define RING_SIZE 1024u
#define PAYLOAD_MIN 536u /* RFC 9293 section 3.7.1: the least MSS everyone must take */

static const uint8_t mac_peer[RTE_ETHER_ADDR_LEN] = {0x02, 0x73, 0x63, 0x70, 0x00, 0x02};
static const uint8_t mac_port[RTE_ETHER_ADDR_LEN] = {0x02, 0x73, 0x63, 0x70, 0x00, 0x01};

/* ---- the port ---- */

static struct rte_ring *
ring_make(unsigned int serial, char dir, uint16_t q)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "sc_peer%u%c%u", serial, dir, q);
	return rte_ring_create(name, RING_SIZE, SOCKET_ID_ANY,
			RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
}

static int
rings_make(struct sc_peer *p, unsigned int serial)
{
	for (uint16_t q = 0; q < p->cfg.nb_rx_queues; q++) {
		p->rx[q] = ring_make(serial, 'r', q);
		if (p->rx[q] == NULL)
			return -rte_errno;
	}
	for (uint16_t q = 0; q < p->cfg.nb_tx_queues; q++) {
		p->tx[q] = ring_make(serial, 't', q);
		if (p->tx[q] == NULL)
			return -rte_errno;
	}
	return 0;
}

static void
ring_drop(struct rte_ring *r)
{
	void *m;

	while (r != NULL && rte_ring_dequeue(r, &m) == 0)
		rte_pktmbuf_free(m);
	rte_ring_free(r);
}

static int
port_start(struct sc_peer *p)
{
	const struct rte_eth_conf conf = {0};
	uint16_t id = p->port.id;
	int rc;

	rc = rte_eth_dev_configure(id, p->cfg.nb_rx_queues, p->cfg.nb_tx_queues, &conf);
	for (uint16_t q = 0; rc == 0 && q < p->cfg.nb_rx_queues; q++)
		rc = rte_eth_rx_queue_setup(id, q, RING_SIZE, 0, NULL, p->cfg.pool);
	for (uint16_t q = 0; rc == 0 && q < p->cfg.nb_tx_queues; q++)
		rc = rte_eth_tx_queue_setup(id, q, RING_SIZE, 0, NULL);
	return rc == 0 ? rte_eth_dev_start(id) : rc;
}

static int
port_make(struct sc_peer *p, struct sc_err *err)
{
	static atomic_uint next; /* ring and port names are unique in the process */
	unsigned int serial = atomic_fetch_add(&next, 1);
	char name[32];
	int rc = rings_make(p, serial);

	if (rc < 0)
		return sc_err_set(err, rc, "peer: cannot make the rings of its port: %s",
				rte_strerror(-rc));
	snprintf(name, sizeof(name), "sc_peer%u", serial);
	rc = rte_eth_from_rings(name, p->rx, p->cfg.nb_rx_queues, p->tx, p->cfg.nb_tx_queues, 0);
	if (rc < 0)
		return sc_err_set(err, -ENODEV, "peer: cannot make its ring port: %s",
				rte_strerror(rte_errno));
	p->port = (struct sc_port){.id = (uint16_t)rc,
			.role = SC_PORT_TEST,
			.is_ring = true,
			.has_multi_segs = true,
			.nb_rxq = p->cfg.nb_rx_queues,
			.nb_txq = p->cfg.nb_tx_queues,
			.rx_desc = RING_SIZE,
			.tx_desc = RING_SIZE,
			.mtu = RTE_ETHER_MTU};
	memcpy(p->port.mac, mac_port, sizeof(p->port.mac));
	rte_eth_dev_get_name_by_port(p->port.id, p->port.name);
	rc = port_start(p);
	if (rc < 0)
		return sc_err_set(err, rc, "peer: cannot start its ring port %s: %s", p->port.name,
				rte_strerror(-rc));
	return 0;
}

static void
port_drop(struct sc_peer *p)
{
	struct rte_eth_dev_info info;

	if (p->port.name[0] != '\0') {
		(void)rte_eth_dev_stop(p->port.id); /* it may not have been started */
		if (rte_eth_dev_info_get(p->port.id, &info) == 0)
			(void)rte_dev_remove(info.device);
	}
	for (unsigned int q = 0; q < PEER_QUEUES_MAX; q++) {
		ring_drop(p->rx[q]);
		ring_drop(p->tx[q]);
	}
}

/* ---- life ---- */

static int
cfg_check(const struct sc_peer_cfg *cfg, struct sc_err *err)
{
	uint16_t room = rte_pktmbuf_data_room_size(cfg->pool);

	if (cfg->nb_rx_queues < 1 || cfg->nb_rx_queues > PEER_QUEUES_MAX || cfg->nb_tx_queues < 1
			|| cfg->nb_tx_queues > PEER_QUEUES_MAX)
		return sc_err_set(err, -EINVAL,
				"peer: %u RX and %u TX queues asked for, 1 to %u of each are "
				"possible",
				cfg->nb_rx_queues, cfg->nb_tx_queues, PEER_QUEUES_MAX);
	if (cfg->max_conns == 0)
		return sc_err_set(err, -EINVAL, "peer: 0 connections, at least 1 is right");
	if (room < RTE_PKTMBUF_HEADROOM + PAYLOAD_MIN)
		return sc_err_set(err, -EINVAL,
				"peer: mbufs have room for %u bytes, at least %u are right", room,
				RTE_PKTMBUF_HEADROOM + PAYLOAD_MIN);
	_Static_assert(RTE_PKTMBUF_HEADROOM >= SC_TX_HDR_MAX, "headers fit before the payload");
	return 0;
}

static int
paths_init(struct sc_peer *p, struct sc_err *err)
{
	struct path *both[] = {&p->in, &p->out};
	int rc = wire_rules_parse(p->cfg.impair.rules, &p->rules, err);

	if (rc < 0)
		return rc;
	for (unsigned int i = 0; i < SC_ARRAY_SIZE(both); i++) {
		both[i]->im = &p->cfg.impair;
		both[i]->pool = p->cfg.pool;
		both[i]->impaired = &p->stats.impaired;
		if (path_init(both[i], p->cfg.seed * 2 + i) < 0)
			return sc_err_set(err, -ENOMEM, "peer: no memory for the path");
	}
	if (p->rules.nb_drop == 0)
		return 0;
	p->track = wire_track_create(&p->rules, p->cfg.max_conns);
	if (p->track == NULL)
		return sc_err_set(err, -ENOMEM, "peer: no memory for the drop rules");
	return 0;
}

static int
setup(struct sc_peer *p, struct sc_err *err)
{
	const struct sc_peer_cfg *cfg = &p->cfg;
	struct peer_index_cfg ix = {.paths = cfg->paths,
			.nb_paths = cfg->nb_paths,
			.rules = cfg->rules,
			.nb_rules = cfg->nb_rules};
	int rc = cfg_check(cfg, err);

	if (rc == 0)
		rc = peer_index_init(&p->index, &ix, err);
	if (rc == 0)
		rc = paths_init(p, err);
	if (rc == 0 && conns_init(p) < 0)
		rc = sc_err_set(err, -ENOMEM, "peer: no memory for %u connections", cfg->max_conns);
	if (rc == 0)
		rc = port_make(p, err);
	return rc;
}

struct sc_peer *
sc_peer_create(const struct sc_peer_cfg *cfg, struct sc_err *err)
{
	struct sc_peer *p = calloc(1, sizeof(*p));
	int rc;

	if (p == NULL) {
		errno = -sc_err_set(err, -ENOMEM, "peer: no memory");
		return NULL;
	}
	p->cfg = *cfg;
	p->mss_max = rte_pktmbuf_data_room_size(cfg->pool) - RTE_PKTMBUF_HEADROOM;
	rc = setup(p, err);
	if (rc < 0) {
		sc_peer_destroy(p);
		errno = -rc;
		return NULL;
	}
	return p;
}

void
sc_peer_destroy(struct sc_peer *p)
{
	if (p == NULL)
		return;
	port_drop(p);
	conns_free(p);
	path_free(&p->in);
	path_free(&p->out);
	wire_track_free(p->track);
	peer_index_free(&p->index);
	free(p);
}

const struct sc_port *
sc_peer_port(const struct sc_peer *p)
{
	return &p->port;
}

const uint8_t *
sc_peer_mac(const struct sc_peer *p)
{
	(void)p;
	return mac_peer;
}

void
sc_peer_get_stats(const struct sc_peer *p, struct sc_peer_stats *st)
{
	*st = p->stats;
}

/* ---- one round ---- */

static enum wire_kind
kind_in(const struct sc_seg *seg)
{
	if ((seg->flags & SC_TCP_RST) != 0)
		return WIRE_RST;
	if ((seg->flags & SC_TCP_SYN) != 0)
		return WIRE_SYN;
	if ((seg->flags & SC_TCP_FIN) != 0)
		return WIRE_FIN;
	return seg->payload_len > 0 ? WIRE_DATA : WIRE_ACK;
}

static bool
is_dropped(struct sc_peer *p, struct rte_mbuf *m, uint64_t now)
{
	struct sc_seg seg;
	uint64_t hash;

	if (p->track == NULL || sc_packet_parse(m, SC_LINK_ETHER, &seg) != SC_R_NONE)
		return false;
	hash = peer_tuple_hash(&seg.src, seg.sport, &seg.dst, seg.dport);
	return wire_track_drops(p->track, hash, kind_in(&seg), seg.seq, now);
}

/* A frame off the wire: ours by its MAC, and not one that a rule drops. */
static void
frame_in(struct sc_peer *p, struct rte_mbuf *m, uint64_t now)
{
	uint8_t buf[RTE_ETHER_ADDR_LEN];
	const void *dst = rte_pktmbuf_read(m, 0, sizeof(buf), buf);

	if (dst == NULL || memcmp(dst, mac_peer, sizeof(mac_peer)) != 0) {
		rte_pktmbuf_free(m);
	} else if (is_dropped(p, m, now)) {
		rte_pktmbuf_free(m);
		p->stats.impaired++;
	} else {
		path_put(&p->in, m, now);
	}
}

static unsigned int
frames_in(struct sc_peer *p, uint64_t now)
{
	struct rte_mbuf *burst[PEER_BURST];
	unsigned int nb = 0, n;
	uint16_t q;

	if (p->in.nb >= PATH_MAX_FRAMES / 2)
		return 0;
	for (uint16_t i = 0; i < p->cfg.nb_tx_queues && nb < PEER_BURST; i++) {
		q = (uint16_t)((p->next_tx + i) % p->cfg.nb_tx_queues);
		n = rte_ring_dequeue_burst(p->tx[q], (void **)burst, PEER_BURST - nb, NULL);
		for (unsigned int k = 0; k < n; k++)
			frame_in(p, burst[k], now);
		nb += n;
	}
	p->next_tx = (uint16_t)((p->next_tx + 1) % p->cfg.nb_tx_queues);
	return nb;
}

static unsigned int
segments_in(struct sc_peer *p, uint64_t now)
{
	unsigned int nb = 0;

	for (; nb < 2 * PEER_BURST && path_head(&p->in, now) != NULL; nb++)
		tcp_input(p, path_take(&p->in), now);
	return nb;
}

static unsigned int
timers_due(struct sc_peer *p, uint64_t now)
{
	unsigned int nb = 0;

	for (; nb < PEER_BURST && p->nb_heap > 0 && p->heap[0]->due <= now; nb++)
		tcp_timers(p, p->heap[0], now);
	return nb;
}

static void
outputs(struct sc_peer *p, uint64_t now)
{
	struct conn *c;

	while ((c = TAILQ_FIRST(&p->ready)) != NULL) {
		TAILQ_REMOVE(&p->ready, c, ready);
		c->is_ready = false;
		if (tcp_output(p, c, now))
			continue;
		conn_ready(p, c); /* last in the queue */
		return;
	}
}

static unsigned int
frames_out(struct sc_peer *p, uint64_t now)
{
	unsigned int nb = 0;
	struct rte_mbuf *m;
	uint16_t q;

	for (; nb < PEER_FRAMES_OUT; nb++) {
		m = path_head(&p->out, now);
		if (m == NULL)
			break;
		q = p->cfg.queue_of != NULL ? p->cfg.queue_of(p->cfg.arg, m) : 0;
		if (q >= p->cfg.nb_rx_queues)
			q = 0;
		*sc_mbuf_meta(m) = (struct sc_mbuf_meta){.cap_us = now, .link = SC_LINK_ETHER};
		/* A full ring is back-pressure: the frame stays first in the path. */
		if (rte_ring_enqueue(p->rx[q], m) < 0)
			break;
		(void)path_take(&p->out);
	}
	return nb;
}

uint16_t
sc_peer_poll(struct sc_peer *p, uint64_t now_us)
{
	unsigned int nb;

	p->budget = PEER_FRAMES_OUT;
	nb = frames_in(p, now_us);
	nb += segments_in(p, now_us);
	nb += timers_due(p, now_us);
	outputs(p, now_us);
	return (uint16_t)(nb + frames_out(p, now_us));
}
