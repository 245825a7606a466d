/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nic: a real or kernel ethdev port, by its EAL device name.
 * Thread: main, before the lcores start and after they ended.
 */
#ifndef SC_NIC_H
#define SC_NIC_H

#include <rte_mempool.h>

#include <sc_base.h>
#include <sc_steer.h>

struct sc_nic_cfg {
	const char *dev; /* as given to EAL: "net_af_packet0,iface=m1" or "0000:01:00.0" */
	enum sc_port_role role;
	uint16_t nb_rxq; /* wanted; fewer are used where the port has fewer */
	uint16_t nb_txq; /* wanted on a test port; a mirror port gets none where its driver allows that */
	uint16_t rx_desc, tx_desc; /* 0: 1,024 */
	uint16_t mtu; /* test port; a mirror port takes frames of at least 1,600 bytes */
	struct rte_mempool *pool;
	uint32_t link_wait_s;
};

/*
 * The EAL arguments that make `dev` known: "-a" BDF for a PCI address, "--vdev" text otherwise.
 * Returns the option word; *is_pci says which.
 */
const char *sc_nic_eal_option(const char *dev, bool *is_pci);

/*
 * Ask what a port offers (RETA size, queues) before the owner table is built. Fills *port except for
 * what opening decides. -ENODEV with a sentence when EAL made no such port (a vdev that fails to
 * probe does not fail rte_eal_init).
 */
int sc_nic_probe(const struct sc_nic_cfg *cfg, struct sc_port *port, struct sc_err *err);

/*
 * Configure, program RSS key and RETA from the owner table and read them back, start, wait for link.
 * is_hw_steered is set only when the port holds exactly the owner table with one queue per worker.
 * Mirror: promiscuous, all-multicast, LRO off, flow control off (or a warning), scatter where
 * offered. Test: not promiscuous, all-multicast.
 */
int sc_nic_open(const struct sc_nic_cfg *cfg, const struct sc_steer *steer, struct sc_port *port,
		struct sc_err *err);
void sc_nic_close(struct sc_port *port);

#endif
