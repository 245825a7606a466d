/* SPDX-License-Identifier: BSD-3-Clause */
/* nic_int: what the files of this driver share, and tests may look at. */
#ifndef NIC_INT_H
#define NIC_INT_H

#include <rte_ethdev.h>

#include <sc_base.h>
#include <sc_steer.h>

#include "sc_nic.h"

#define NIC_AREA "nic"

/* Is this the text of a PCI address ("0000:01:00.0" or "01:00.0", arguments may follow)? */
bool nic_is_pci(const char *dev);

/* The TCP hash types that we ask for, as far as the port has them. */
uint64_t nic_rss_hf(const struct rte_eth_dev_info *info);
/* Key length that the port wants; ethdev's rule is 40 where a driver says 0. */
uint8_t nic_rss_key_len(const struct rte_eth_dev_info *info);

/*
 * Program the owner table into a started port and set port->is_hw_steered if it reads back equal.
 * A port that cannot hold it is no error: its packets are handed to their owners in software. And
 * port->has_rss_hash, if mbufs bring hashes under the box's key. rxmode: as the port was configured.
 */
void nic_rss_program(const struct sc_steer *steer, const struct rte_eth_dev_info *info,
		const struct rte_eth_rxmode *rxmode, struct sc_port *port);

/* The port's modes: promiscuous, all-multicast, flow control. A mirror that cannot be promiscuous
 * is an error, the rest is logged. */
int nic_modes_set(const struct sc_nic_cfg *cfg, const struct sc_port *port, struct sc_err *err);

/* -ENETDOWN and a sentence when there is no link after limit_ms; 0 ms: a warning instead. */
int nic_link_wait(const struct sc_port *port, uint32_t limit_ms, struct sc_err *err);

#endif
