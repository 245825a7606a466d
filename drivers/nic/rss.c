/* SPDX-License-Identifier: BSD-3-Clause */
/* The owner table in the port's own redirection table, so that queue q is worker q. */
#include <string.h>

#include "nic_int.h"

#define GROUPS_MAX (RTE_ETH_RSS_RETA_SIZE_512 * 8 / RTE_ETH_RETA_GROUP_SIZE)

uint64_t
nic_rss_hf(const struct rte_eth_dev_info *info)
{
	return info->flow_type_rss_offloads
			& (RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV6_TCP);
}

uint8_t
nic_rss_key_len(const struct rte_eth_dev_info *info)
{
	return info->hash_key_size != 0 ? info->hash_key_size : 40;
}

/* Can this port hold the table at all? `why` completes "sharded in software: ...". */
static bool
can_hold(const struct sc_steer *steer, const struct sc_port *port, const char **why)
{
	if (port->nb_rxq != steer->nb_workers) {
		*why = "it has not one queue for each worker";
		return false;
	}
	if (port->reta_size == 0) {
		*why = "it has no redirection table for TCP";
		return false;
	}
	if (port->reta_size < 4u * steer->nb_workers || port->reta_size < steer->nb_virtual
			|| port->reta_size % steer->nb_virtual != 0
			|| port->reta_size > GROUPS_MAX * RTE_ETH_RETA_GROUP_SIZE) {
		*why = "its redirection table has another size than the owner table";
		return false;
	}
	return true;
}

static bool
key_program(const struct rte_eth_dev_info *info, uint16_t id)
{
	uint8_t want[UINT8_MAX], got[UINT8_MAX] = {0};
	struct rte_eth_rss_conf conf = {.rss_key = want,
			.rss_key_len = nic_rss_key_len(info),
			.rss_hf = nic_rss_hf(info)};
	uint64_t hf = conf.rss_hf;

	sc_steer_rss_key(want, conf.rss_key_len);
	/* Some drivers take the key only here, others only in configure: what it reads decides. */
	rte_eth_dev_rss_hash_update(id, &conf);
	conf.rss_key = got;
	conf.rss_hf = 0;
	return rte_eth_dev_rss_hash_conf_get(id, &conf) == 0 && (conf.rss_hf & hf) == hf
			&& memcmp(got, want, nic_rss_key_len(info)) == 0;
}

static bool
reta_program(const struct sc_steer *steer, const struct sc_port *port)
{
	struct rte_eth_rss_reta_entry64 want[GROUPS_MAX] = {0}, got[GROUPS_MAX] = {0};
	uint32_t i;

	for (i = 0; i < port->reta_size; i++) {
		uint32_t group = i / RTE_ETH_RETA_GROUP_SIZE, at = i % RTE_ETH_RETA_GROUP_SIZE;

		want[group].mask |= UINT64_C(1) << at;
		want[group].reta[at] = sc_steer_reta(steer, i);
		got[group].mask = want[group].mask;
	}
	if (rte_eth_dev_rss_reta_update(port->id, want, (uint16_t)port->reta_size) != 0)
		return false;
	if (rte_eth_dev_rss_reta_query(port->id, got, (uint16_t)port->reta_size) != 0)
		return false;
	for (i = 0; i < port->reta_size; i++) {
		uint32_t group = i / RTE_ETH_RETA_GROUP_SIZE, at = i % RTE_ETH_RETA_GROUP_SIZE;

		if (want[group].reta[at] != got[group].reta[at])
			return false;
	}
	return true;
}

void
nic_rss_program(const struct sc_steer *steer, const struct rte_eth_dev_info *info,
		const struct rte_eth_rxmode *rxmode, struct sc_port *port)
{
	bool is_hashing = rxmode->mq_mode == RTE_ETH_MQ_RX_RSS;
	bool has_key = is_hashing && key_program(info, port->id);
	const char *why = NULL;

	port->has_rss_hash = has_key && (rxmode->offloads & RTE_ETH_RX_OFFLOAD_RSS_HASH) != 0;
	port->is_hw_steered = steer->nb_workers == 1;
	if (port->is_hw_steered)
		return;
	if (can_hold(steer, port, &why)) {
		if (!has_key)
			why = "it did not take the hash key";
		else if (!reta_program(steer, port))
			why = "it did not take the redirection table";
	}
	port->is_hw_steered = why == NULL;
	/* A test port feeds an intercept lcore, which finds the owner anyway. */
	if (why != NULL)
		sc_log(port->role == SC_PORT_MIRROR ? SC_LOG_NOTICE : SC_LOG_DEBUG, NIC_AREA,
				"port %s is sharded in software: %s", port->name, why);
}
