/* SPDX-License-Identifier: BSD-3-Clause */
/* Configure and start a port. */
#include <errno.h>
#include <string.h>

#include "nic_int.h"

#define FLUSH_BURST 32
#define FLUSH_MAX (1u << 18)  /* frames: no more than the largest ring */
#define MIRROR_FRAME_MIN 1600 /* a full frame with tags, or inside a tunnel */
#define MIRROR_FRAME_JUMBO 9728

struct opening {
	const struct sc_nic_cfg *cfg;
	struct sc_port *port;
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf;
	uint8_t key[UINT8_MAX];
};

/* Bytes of a frame beyond its MTU, as ethdev reckons them. */
static uint32_t
frame_overhead(const struct rte_eth_dev_info *info)
{
	if (info->max_mtu != UINT16_MAX && info->max_rx_pktlen > info->max_mtu)
		return info->max_rx_pktlen - info->max_mtu;
	return RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;
}

/* The longest frame that one buffer takes; a port without scatter must not get longer ones. */
static uint32_t
buffer_room(const struct rte_mempool *pool)
{
	return rte_pktmbuf_data_room_size((struct rte_mempool *)(uintptr_t)pool)
			- RTE_PKTMBUF_HEADROOM;
}

/* The MTU to ask for: what is wanted, cut to what the driver and the buffers can. */
static uint32_t
choose_mtu(const struct opening *o)
{
	uint32_t overhead = frame_overhead(&o->info), mtu = o->cfg->mtu;
	bool can_scatter = (o->conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_SCATTER) != 0;

	if (mtu == 0)
		mtu = RTE_ETHER_MTU;
	if (o->cfg->role == SC_PORT_MIRROR)
		mtu = SC_MAX(mtu,
				(can_scatter ? MIRROR_FRAME_JUMBO : buffer_room(o->cfg->pool))
						- overhead);
	if (o->info.max_rx_pktlen > overhead)
		mtu = SC_MIN(mtu, o->info.max_rx_pktlen - overhead);
	mtu = SC_MIN(mtu, o->info.max_mtu);
	if (!can_scatter)
		mtu = SC_MIN(mtu, buffer_room(o->cfg->pool) - overhead);
	return mtu;
}

static void
warn_short_frames(const struct opening *o, uint32_t mtu)
{
	if (o->cfg->role == SC_PORT_TEST && mtu < o->cfg->mtu)
		sc_log(SC_LOG_WARN, NIC_AREA, "port %s: MTU %u is not possible, %u is used",
				o->port->name, o->cfg->mtu, mtu);
	/* A kernel interface has its own MTU; what its driver says of frame lengths binds nobody. */
	if (o->cfg->role == SC_PORT_MIRROR && nic_is_pci(o->cfg->dev)
			&& mtu + frame_overhead(&o->info) < MIRROR_FRAME_MIN)
		sc_log(SC_LOG_WARN, NIC_AREA,
				"port %s: frames above %u bytes are lost: tagged or tunnelled "
				"mirrors "
				"need %u",
				o->port->name, mtu + frame_overhead(&o->info), MIRROR_FRAME_MIN);
}

static void
make_conf(struct opening *o)
{
	struct rte_eth_conf *conf = &o->conf;
	uint64_t hf = nic_rss_hf(&o->info);

	conf->rxmode.offloads = o->port->rx_csum;
	/* LRO is off because it is not asked for: it would glue segments of the mirror together. */
	conf->rxmode.offloads |= o->info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
	conf->txmode.offloads = o->info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	conf->rxmode.mtu = choose_mtu(o);
	warn_short_frames(o, conf->rxmode.mtu);
	/* Of a mirror the hash tells under overload what need not be read, with one queue, too. */
	if (o->cfg->role == SC_PORT_MIRROR && hf != 0)
		conf->rxmode.offloads |= o->info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_RSS_HASH;
	if (hf == 0
			|| (o->port->nb_rxq == 1
					&& (conf->rxmode.offloads & RTE_ETH_RX_OFFLOAD_RSS_HASH)
							== 0))
		return;
	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	conf->rx_adv_conf.rss_conf.rss_hf = hf;
	conf->rx_adv_conf.rss_conf.rss_key = o->key;
	conf->rx_adv_conf.rss_conf.rss_key_len = nic_rss_key_len(&o->info);
	sc_steer_rss_key(o->key, nic_rss_key_len(&o->info));
}

static int
setup_queues(const struct opening *o, uint16_t nb_txq)
{
	struct rte_eth_rxconf rx = o->info.default_rxconf;
	struct rte_eth_txconf tx = o->info.default_txconf;
	const struct sc_port *port = o->port;
	int rc = 0, socket = rte_eth_dev_socket_id(port->id);
	uint16_t q;

	rx.offloads = o->conf.rxmode.offloads;
	tx.offloads = o->conf.txmode.offloads;
	/* One slow worker must not stop the queues of the others. */
	rx.rx_drop_en = 1;
	for (q = 0; rc == 0 && q < port->nb_rxq; q++)
		rc = rte_eth_rx_queue_setup(port->id, q, port->rx_desc, (unsigned int)socket, &rx,
				o->cfg->pool);
	for (q = 0; rc == 0 && q < nb_txq; q++)
		rc = rte_eth_tx_queue_setup(port->id, q, port->tx_desc, (unsigned int)socket, &tx);
	return rc;
}

static int
start_with(struct opening *o, uint16_t nb_txq)
{
	struct sc_port *port = o->port;
	int rc = rte_eth_dev_configure(port->id, port->nb_rxq, nb_txq, &o->conf);

	if (rc == 0)
		rc = rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &port->rx_desc, &port->tx_desc);
	if (rc == 0)
		rc = setup_queues(o, nb_txq);
	return rc == 0 ? rte_eth_dev_start(port->id) : rc;
}

/*
 * A mirror port has no TX queue where its driver allows that; some insist on one (and tap and
 * af_xdp on as many as RX queues). It is never used: port->nb_txq stays 0.
 */
static int
start(struct opening *o, struct sc_err *err)
{
	struct sc_port *port = o->port;
	bool is_mirror = o->cfg->role == SC_PORT_MIRROR;
	const uint16_t want[] = {
			is_mirror ? 0 : port->nb_txq, is_mirror ? 1 : port->nb_rxq, port->nb_rxq};
	int rc = -EINVAL;

	for (unsigned int i = 0; i < SC_ARRAY_SIZE(want); i++) {
		if (i > 0 && want[i] == want[i - 1])
			continue;
		rc = start_with(o, want[i]);
		if (rc < 0)
			continue;
		port->nb_txq = is_mirror ? 0 : want[i];
		return 0;
	}
	return sc_err_set(err, rc,
			"port %s (%s): it does not start with %u RX and %u TX queues of %u and %u "
			"descriptors: %s; the log of EAL says more",
			port->name, o->info.driver_name, port->nb_rxq, want[0], port->rx_desc,
			port->tx_desc, strerror(rc < -1 ? -rc : EIO));
}

static void
log_opened(const struct sc_nic_cfg *cfg, const struct sc_port *port)
{
	sc_log(SC_LOG_INFO, NIC_AREA,
			"%s port %s: %u RX (%u asked) and %u TX queues, MTU %u, RETA %u, %s, "
			"checksums of RX %s%s",
			port->role == SC_PORT_MIRROR ? "mirror" : "test", port->name, port->nb_rxq,
			cfg->nb_rxq, port->nb_txq, port->mtu, port->reta_size,
			port->is_hw_steered ? "each queue is its worker's" : "sharded in software",
			port->rx_csum != 0 ? "by the NIC" : "in software",
			port->has_rss_hash ? ", RSS hashes in mbufs" : "");
}

/*
 * A packet socket has been filling since EAL made it, and what came while the port was being set up
 * may be missing: the first frames would begin connections that have holes. Begin anew.
 */
static void
forget_early_frames(const struct sc_nic_cfg *cfg, const struct sc_port *port)
{
	struct rte_mbuf *m[FLUSH_BURST];
	uint16_t n;

	if (cfg->role != SC_PORT_MIRROR || strncmp(cfg->dev, "net_af_packet", 13) != 0)
		return;
	for (uint16_t q = 0; q < port->nb_rxq; q++) {
		uint32_t left = FLUSH_MAX;

		do {
			n = rte_eth_rx_burst(port->id, q, m, FLUSH_BURST);
			rte_pktmbuf_free_bulk(m, n);
			left -= SC_MIN(left, (uint32_t)n);
		} while (n > 0 && left > 0);
	}
}

int
sc_nic_open(const struct sc_nic_cfg *cfg, const struct sc_steer *steer, struct sc_port *port,
		struct sc_err *err)
{
	struct opening o = {.cfg = cfg, .port = port};
	int rc = rte_eth_dev_info_get(port->id, &o.info);

	if (rc < 0)
		return sc_err_set(err, rc, "port %s: its driver does not describe it: %s",
				port->name, strerror(-rc));
	make_conf(&o);
	rc = start(&o, err);
	if (rc < 0)
		return rc;
	rte_eth_dev_get_mtu(port->id, &port->mtu);
	nic_rss_program(steer, &o.info, &o.conf.rxmode, port);
	rc = nic_modes_set(cfg, port, err);
	if (rc == 0)
		rc = nic_link_wait(port, cfg->link_wait_s * 1000, err);
	if (rc < 0) {
		rte_eth_dev_stop(port->id);
		return rc;
	}
	forget_early_frames(cfg, port);
	rte_eth_stats_reset(port->id);
	log_opened(cfg, port);
	return 0;
}
