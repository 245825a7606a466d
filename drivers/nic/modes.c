/* SPDX-License-Identifier: BSD-3-Clause */
/* What a started port listens to, and whether it is connected. */
#include <errno.h>
#include <string.h>

#include <rte_cycles.h>

#include "nic_int.h"

#define LINK_POLL_MS 50

/* A mirror port must never slow the switch down (igb and em send PAUSE by default). */
static void
flow_control_off(const struct sc_nic_cfg *cfg, const struct sc_port *port)
{
	struct rte_eth_fc_conf fc = {0};
	int rc = rte_eth_dev_flow_ctrl_get(port->id, &fc);

	if (rc == 0 && fc.mode == RTE_ETH_FC_NONE)
		return;
	fc.mode = RTE_ETH_FC_NONE;
	if (rc == 0)
		rc = rte_eth_dev_flow_ctrl_set(port->id, &fc);
	if (rc == 0)
		return;
	sc_log(nic_is_pci(cfg->dev) ? SC_LOG_WARN : SC_LOG_DEBUG, NIC_AREA,
			"port %s: flow control cannot be turned off (%s): turn it off at the "
			"switch, "
			"or a full ring may send PAUSE frames",
			port->name, strerror(-rc));
}

static int
mirror_modes(const struct sc_nic_cfg *cfg, const struct sc_port *port, struct sc_err *err)
{
	int rc = rte_eth_promiscuous_enable(port->id);

	if (rc < 0 && rc != -ENOTSUP)
		return sc_err_set(err, rc,
				"port %s: it cannot be made promiscuous (%s), so it would not see "
				"the "
				"mirrored frames; a kernel interface needs CAP_NET_ADMIN for that",
				port->name, strerror(-rc));
	if (rc == -ENOTSUP)
		sc_log(SC_LOG_WARN, NIC_AREA,
				"port %s: its driver has no promiscuous mode; frames to other "
				"stations "
				"arrive only if the device passes them by itself",
				port->name);
	rte_eth_allmulticast_enable(port->id); /* promiscuous mode covers a driver without it */
	flow_control_off(cfg, port);
	return 0;
}

int
nic_modes_set(const struct sc_nic_cfg *cfg, const struct sc_port *port, struct sc_err *err)
{
	int rc;

	if (cfg->role == SC_PORT_MIRROR)
		return mirror_modes(cfg, port, err);
	rte_eth_promiscuous_disable(port->id);
	rc = rte_eth_allmulticast_enable(port->id);
	if (rc < 0)
		sc_log(SC_LOG_NOTICE, NIC_AREA,
				"port %s: its driver cannot receive all multicast (%s); an IPv6 "
				"target "
				"needs 'ip link set IFACE allmulticast on' for neighbour discovery",
				port->name, strerror(-rc));
	return 0;
}

int
nic_link_wait(const struct sc_port *port, uint32_t limit_ms, struct sc_err *err)
{
	struct rte_eth_link link = {0};
	uint32_t waited_ms = 0;

	for (;;) {
		uint32_t step = SC_MIN(limit_ms - waited_ms, LINK_POLL_MS);

		if (rte_eth_link_get_nowait(port->id, &link) == 0
				&& link.link_status == RTE_ETH_LINK_UP)
			return 0;
		if (step == 0)
			break;
		rte_delay_us_sleep(step * 1000);
		waited_ms += step;
	}
	if (limit_ms > 0)
		return sc_err_set(err, -ENETDOWN,
				"port %s: no link after %u ms: check cable and switch port, and "
				"for a "
				"kernel interface 'ip link set IFACE up' on both ends",
				port->name, limit_ms);
	sc_log(SC_LOG_WARN, NIC_AREA, "port %s: no link yet", port->name);
	return 0;
}
