/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_pci.h>

#include "nic_int.h"

#define DESC_DEFAULT 1024

/* The text before the arguments. */
static void
dev_word(const char *dev, char *word, size_t size)
{
	size_t len = strcspn(dev, ",");

	len = SC_MIN(len, size - 1);
	memcpy(word, dev, len);
	word[len] = '\0';
}

bool
nic_is_pci(const char *dev)
{
	struct rte_pci_addr addr;
	char word[64];

	dev_word(dev, word, sizeof(word));
	return rte_pci_addr_parse(word, &addr) == 0;
}

/* The name under which EAL knows the device: a PCI address is written with its domain. */
static void
eal_name(const char *dev, char *name, size_t size)
{
	struct rte_pci_addr addr;
	char word[64];

	dev_word(dev, word, sizeof(word));
	if (rte_pci_addr_parse(word, &addr) == 0)
		rte_pci_device_name(&addr, name, size);
	else
		snprintf(name, size, "%s", word);
}

static void
known_ports(char *buf, size_t size)
{
	char name[RTE_ETH_NAME_MAX_LEN];
	size_t len = 0;
	uint16_t id;

	snprintf(buf, size, "none");
	RTE_ETH_FOREACH_DEV (id) {
		int n;

		if (len >= size || rte_eth_dev_get_name_by_port(id, name) < 0)
			continue;
		n = snprintf(buf + len, size - len, "%s%s", len > 0 ? ", " : "", name);
		len += n > 0 ? (size_t)n : 0;
	}
}

static int
no_such_port(const char *dev, const char *name, struct sc_err *err)
{
	const char *why = nic_is_pci(dev)
			? "is it bound to vfio-pci or uio (dpdk-devbind.py -s), and allowed?"
			: "does its interface exist, and may this user open it?";
	char known[160];

	known_ports(known, sizeof(known));
	return sc_err_set(err, -ENODEV, "port %s: EAL made no such port: %s (ports there are: %s)",
			name, why, known);
}

/* Of the virtual drivers only these two tell what the kernel dropped for want of room. */
static bool
counts_missed(const char *dev, const struct rte_eth_dev_info *info)
{
	return nic_is_pci(dev) || strcmp(info->driver_name, "net_af_xdp") == 0
			|| strcmp(info->driver_name, "net_pcap") == 0;
}

/*
 * af_xdp unmaps its rings together with the mbufs that stand in them: per queue 2,048 to receive and
 * 2,048 to complete, and as many again of the fill ring.
 */
static uint32_t
kept_at_close(const struct rte_eth_dev_info *info, uint16_t nb_rxq)
{
	return strcmp(info->driver_name, "net_af_xdp") == 0 ? nb_rxq * 3u * 2048u : 0;
}

static void
warn_small_ring(const char *dev, const char *name)
{
	if (strncmp(dev, "net_af_packet", strlen("net_af_packet")) != 0)
		return;
	if (strstr(dev, "framesz=") != NULL && strstr(dev, "framecnt=") != NULL)
		return;
	sc_log(SC_LOG_WARN, NIC_AREA,
			"port %s: the driver's default ring of 512 frames loses bursts; add "
			"framesz=2048,blocksz=1048576,framecnt=16384 to its arguments",
			name);
}

const char *
sc_nic_eal_option(const char *dev, bool *is_pci)
{
	*is_pci = nic_is_pci(dev);
	return *is_pci ? "-a" : "--vdev";
}

int
sc_nic_probe(const struct sc_nic_cfg *cfg, struct sc_port *port, struct sc_err *err)
{
	const uint64_t csum = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
	struct rte_eth_dev_info info;
	struct rte_ether_addr mac;
	int rc;

	*port = (struct sc_port){.role = (uint8_t)cfg->role};
	eal_name(cfg->dev, port->name, sizeof(port->name));
	if (rte_eth_dev_get_port_by_name(port->name, &port->id) < 0)
		return no_such_port(cfg->dev, port->name, err);
	rc = rte_eth_dev_info_get(port->id, &info);
	if (rc == 0)
		rc = rte_eth_macaddr_get(port->id, &mac);
	if (rc < 0)
		return sc_err_set(err, rc, "port %s: its driver does not describe it: %s",
				port->name, strerror(-rc));
	if (info.max_rx_queues == 0)
		return sc_err_set(err, -ENOTSUP,
				"port %s: it has no receive queue; for pcap give rx_iface or "
				"rx_pcap",
				port->name);
	memcpy(port->mac, mac.addr_bytes, sizeof(port->mac));
	port->has_multi_segs = (info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) != 0;
	port->has_imissed = counts_missed(cfg->dev, &info);
	port->nb_rxq = SC_MIN(SC_MAX(cfg->nb_rxq, 1), info.max_rx_queues);
	if (cfg->role == SC_PORT_TEST)
		port->nb_txq = SC_MIN(SC_MAX(cfg->nb_txq, 1), info.max_tx_queues);
	port->rx_desc = cfg->rx_desc != 0 ? cfg->rx_desc : DESC_DEFAULT;
	port->nb_kept = kept_at_close(&info, port->nb_rxq);
	port->tx_desc = cfg->tx_desc != 0 ? cfg->tx_desc : DESC_DEFAULT;
	port->reta_size = nic_rss_hf(&info) != 0 ? info.reta_size : 0;
	port->rx_csum = info.rx_offload_capa & csum;
	rte_eth_dev_get_mtu(port->id, &port->mtu);
	warn_small_ring(cfg->dev, port->name);
	return 0;
}

void
sc_nic_close(struct sc_port *port)
{
	if (!rte_eth_dev_is_valid_port(port->id))
		return;
	rte_eth_dev_stop(port->id);
	rte_eth_dev_close(port->id);
	port->id = RTE_MAX_ETHPORTS; /* ethdev gives the number to the next port */
}
