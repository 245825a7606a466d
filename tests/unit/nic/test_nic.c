/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_ethdev.h>

#include <sc_nic.h>

#include "nic_int.h"
#include "sc_test.h"
#include "test_eal.h"

static struct rte_mempool *pool;
static struct sc_steer steer1, steer4;
static char last_log[1024];
static int nb_warnings;

static void
keep_log(enum sc_log_level level, const char *area, const char *text, void *arg)
{
	(void)area;
	(void)arg;
	if (level <= SC_LOG_WARN)
		nb_warnings++;
	snprintf(last_log, sizeof(last_log), "%s", text);
}

static int
setup(void **state)
{
	if (test_eal_setup(state) < 0)
		return -1;
	pool = test_pool("nic", 4095, 2048);
	if (sc_steer_init(&steer1, 1, 128, NULL) < 0 || sc_steer_init(&steer4, 4, 128, NULL) < 0)
		return -1;
	sc_log_set_sink(keep_log, NULL);
	return 0;
}

static int
teardown(void **state)
{
	sc_steer_free(&steer1);
	sc_steer_free(&steer4);
	rte_mempool_free(pool);
	return test_eal_teardown(state);
}

static struct sc_nic_cfg
cfg_of(const char *dev, enum sc_port_role role, uint16_t nb_rxq, uint16_t nb_txq)
{
	return (struct sc_nic_cfg){.dev = dev,
			.role = role,
			.nb_rxq = nb_rxq,
			.nb_txq = nb_txq,
			.rx_desc = 128,
			.tx_desc = 128,
			.mtu = 1500,
			.pool = pool};
}

static void
test_eal_option(void **state)
{
	static const struct {
		const char *dev, *option;
	} rows[] = {
			{"net_af_packet0,iface=m1", "--vdev"},
			{"net_null0", "--vdev"},
			{"0000:01:00.0", "-a"},
			{"01:00.0", "-a"},
			{"0000:01:00.0,max_queues=4", "-a"},
			{"net_tap0,iface=0000:01:00.0", "--vdev"},
	};

	(void)state;
	for (size_t i = 0; i < SC_ARRAY_SIZE(rows); i++) {
		bool is_pci;

		assert_string_equal(sc_nic_eal_option(rows[i].dev, &is_pci), rows[i].option);
		assert_int_equal(is_pci, strcmp(rows[i].option, "-a") == 0);
	}
}

static void
test_missing_device(void **state)
{
	struct sc_nic_cfg cfg = cfg_of("net_af_packet7,iface=gone", SC_PORT_MIRROR, 1, 0);
	struct sc_port port;
	struct sc_err err;

	(void)state;
	assert_int_equal(rte_dev_probe("net_null9"), 0);
	assert_int_equal(sc_nic_probe(&cfg, &port, &err), -ENODEV);
	assert_non_null(strstr(err.text, "net_af_packet7"));
	assert_null(strstr(err.text, "iface=gone"));
	assert_non_null(strstr(err.text, "net_null9")); /* what there is instead */
	cfg.dev = "7f:1e.6";
	assert_int_equal(sc_nic_probe(&cfg, &port, &err), -ENODEV);
	assert_non_null(strstr(err.text, "0000:7f:1e.6"));
}

static void
assert_reta(const struct sc_port *port, const struct sc_steer *steer)
{
	struct rte_eth_rss_reta_entry64 reta[8];

	memset(reta, 0xff, sizeof(reta));
	assert_int_equal(rte_eth_dev_rss_reta_query(port->id, reta, (uint16_t)port->reta_size), 0);
	for (uint32_t i = 0; i < port->reta_size; i++)
		assert_int_equal(reta[i / 64].reta[i % 64], sc_steer_reta(steer, i));
}

static void
test_reta_is_programmed(void **state)
{
	struct sc_nic_cfg cfg = cfg_of("net_null0,size=64", SC_PORT_MIRROR, 4, 0);
	uint8_t key[40], want[40];
	struct rte_eth_rss_conf conf = {.rss_key = key, .rss_key_len = sizeof(key)};
	struct sc_port port;
	struct sc_err err;

	(void)state;
	assert_int_equal(rte_dev_probe("net_null0"), 0);
	assert_int_equal(sc_nic_probe(&cfg, &port, &err), 0);
	assert_string_equal(port.name, "net_null0");
	assert_int_equal(port.reta_size, 128);
	assert_false(port.has_imissed);
	assert_false(port.is_hw_steered);
	assert_int_equal(sc_nic_open(&cfg, &steer4, &port, &err), 0);
	assert_true(port.is_hw_steered);
	assert_int_equal(port.nb_rxq, 4);
	assert_reta(&port, &steer4);
	assert_int_equal(rte_eth_dev_rss_hash_conf_get(port.id, &conf), 0);
	sc_steer_rss_key(want, sizeof(want));
	assert_memory_equal(key, want, sizeof(want));
	sc_nic_close(&port);
}

/* With fewer queues than workers the table would name queues that are not there. */
static void
test_fewer_queues(void **state)
{
	struct sc_nic_cfg cfg = cfg_of("net_null1", SC_PORT_MIRROR, 2, 0);
	struct sc_port port;
	struct sc_err err;

	(void)state;
	assert_int_equal(rte_dev_probe("net_null1"), 0);
	assert_int_equal(sc_nic_probe(&cfg, &port, &err), 0);
	assert_int_equal(sc_nic_open(&cfg, &steer4, &port, &err), 0);
	assert_int_equal(port.nb_rxq, 2);
	assert_false(port.is_hw_steered);
	sc_nic_close(&port);
}

static void
test_table_that_does_not_fit(void **state)
{
	struct sc_nic_cfg cfg = cfg_of("net_null2", SC_PORT_MIRROR, 4, 0);
	struct sc_steer wide;
	struct sc_port port;
	struct sc_err err;

	(void)state;
	assert_int_equal(sc_steer_init(&wide, 4, 65536, NULL), 0);
	assert_int_equal(rte_dev_probe("net_null2"), 0);
	assert_int_equal(sc_nic_probe(&cfg, &port, &err), 0);
	assert_int_equal(sc_nic_open(&cfg, &wide, &port, &err), 0);
	assert_int_equal(port.nb_rxq, 4);
	assert_false(port.is_hw_steered);
	sc_nic_close(&port);
	sc_steer_free(&wide);
}

static void
test_mirror_has_no_tx(void **state)
{
	struct sc_nic_cfg cfg = cfg_of("net_ring1", SC_PORT_MIRROR, 1, 5);
	struct rte_eth_dev_info info;
	struct sc_port port;
	struct sc_err err;

	(void)state;
	assert_int_equal(rte_dev_probe("net_ring1"), 0);
	assert_int_equal(sc_nic_probe(&cfg, &port, &err), 0);
	assert_int_equal(sc_nic_open(&cfg, &steer1, &port, &err), 0);
	assert_int_equal(rte_eth_dev_info_get(port.id, &info), 0);
	assert_int_equal(info.nb_tx_queues, 0);
	assert_int_equal(port.nb_txq, 0);
	assert_int_equal(rte_eth_promiscuous_get(port.id), 1);
	assert_int_equal(rte_eth_allmulticast_get(port.id), 1);
	assert_true(port.is_hw_steered); /* one worker owns everything */
	sc_nic_close(&port);
}

static void
test_test_port(void **state)
{
	struct sc_nic_cfg cfg = cfg_of("net_ring2", SC_PORT_TEST, 1, 5);
	struct rte_eth_dev_info info;
	struct sc_port port;
	struct sc_err err;

	(void)state;
	assert_int_equal(rte_dev_probe("net_ring2"), 0);
	assert_int_equal(sc_nic_probe(&cfg, &port, &err), 0);
	assert_int_equal(port.nb_txq, 5);
	assert_int_equal(sc_nic_open(&cfg, &steer4, &port, &err), 0);
	assert_int_equal(rte_eth_dev_info_get(port.id, &info), 0);
	assert_int_equal(info.nb_tx_queues, 5);
	assert_int_equal(port.nb_txq, 5);
	assert_int_equal(port.role, SC_PORT_TEST);
	assert_int_equal(port.mtu, 1500);
	assert_int_equal(rte_eth_promiscuous_get(port.id), 0);
	assert_int_equal(rte_eth_allmulticast_get(port.id), 1);
	assert_false(port.is_hw_steered);
	assert_true(port.has_multi_segs);
	sc_nic_close(&port);
	assert_int_equal(rte_eth_dev_is_valid_port(port.id), 0);
	sc_nic_close(&port); /* twice is harmless */
}

/* A ring port has 16 queues at most: fewer than asked for are used. */
static void
test_more_queues_than_there_are(void **state)
{
	struct sc_nic_cfg cfg = cfg_of("net_ring3", SC_PORT_TEST, 20, 21);
	struct sc_port port;
	struct sc_err err;

	(void)state;
	assert_int_equal(rte_dev_probe("net_ring3"), 0);
	assert_int_equal(sc_nic_probe(&cfg, &port, &err), 0);
	assert_int_equal(port.nb_rxq, 16);
	assert_int_equal(port.nb_txq, 16);
	assert_int_equal(port.reta_size, 0);
	sc_nic_close(&port);
}

static void
test_frame_length(void **state)
{
	struct sc_nic_cfg cfg = cfg_of("net_null3", SC_PORT_MIRROR, 1, 0);
	struct sc_port port;
	struct sc_err err;

	(void)state;
	assert_int_equal(rte_dev_probe("net_null3"), 0);
	assert_int_equal(sc_nic_probe(&cfg, &port, &err), 0);
	assert_int_equal(sc_nic_open(&cfg, &steer1, &port, &err), 0);
	assert_in_range(port.mtu, 1600, 2048); /* what a buffer holds, as null has no scatter */
	sc_nic_close(&port);
}

static void
test_link_wait(void **state)
{
	struct sc_nic_cfg cfg = cfg_of("net_ring4", SC_PORT_TEST, 1, 1);
	struct sc_port port;
	struct sc_err err;

	(void)state;
	assert_int_equal(rte_dev_probe("net_ring4"), 0);
	assert_int_equal(sc_nic_probe(&cfg, &port, &err), 0);
	assert_int_equal(sc_nic_open(&cfg, &steer1, &port, &err), 0);
	assert_int_equal(nic_link_wait(&port, 1, &err), 0);
	assert_int_equal(rte_eth_dev_set_link_down(port.id), 0);
	assert_int_equal(nic_link_wait(&port, 1, &err), -ENETDOWN);
	assert_non_null(strstr(err.text, "net_ring4: no link after 1 ms"));
	nb_warnings = 0;
	assert_int_equal(nic_link_wait(&port, 0, &err), 0); /* not waited for: said once */
	assert_int_equal(nb_warnings, 1);
	assert_non_null(strstr(last_log, "no link yet"));
	sc_nic_close(&port);
}

/* A refusal of the driver becomes a sentence: this pool has no room for a single frame. */
static void
test_start_fails(void **state)
{
	struct sc_nic_cfg cfg = cfg_of("net_null4", SC_PORT_TEST, 1, 1);
	struct rte_mempool *tiny = test_pool("tiny", 63, 32);
	struct sc_port port;
	struct sc_err err;

	(void)state;
	cfg.pool = tiny;
	assert_int_equal(rte_dev_probe("net_null4,size=1024"), 0);
	assert_int_equal(sc_nic_probe(&cfg, &port, &err), 0);
	assert_true(sc_nic_open(&cfg, &steer1, &port, &err) < 0);
	assert_non_null(strstr(err.text, "net_null4"));
	assert_non_null(strstr(err.text, "does not start"));
	sc_nic_close(&port);
	rte_mempool_free(tiny);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_eal_option),
			cmocka_unit_test(test_missing_device),
			cmocka_unit_test(test_reta_is_programmed),
			cmocka_unit_test(test_fewer_queues),
			cmocka_unit_test(test_table_that_does_not_fit),
			cmocka_unit_test(test_mirror_has_no_tx),
			cmocka_unit_test(test_test_port),
			cmocka_unit_test(test_more_queues_than_there_are),
			cmocka_unit_test(test_frame_length),
			cmocka_unit_test(test_link_wait),
			cmocka_unit_test(test_start_fails),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
