/* SPDX-License-Identifier: BSD-3-Clause */
/* layout: which lcore runs where, how much memory EAL gets, and from where. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>

#include <sc_nic.h>

#include "app.h"

#define ARGS_MAX (32 + SC_EAL_ARGS_MAX + 4 * SC_PORTS_MAX)
#define DESCRIPTORS 1024
#define CACHE 256
#define RING_PORT_SLOTS 4096 /* frames that a ring port and its driver may hold, per queue */
#define MBUF_BYTES 2560u     /* data room 2,048, headroom, struct and overhead */
#define SPARE_MIB 64u        /* rings, EAL itself */

struct args {
	char text[ARGS_MAX][SC_DEV_MAX + 32];
	char *argv[ARGS_MAX + 1];
	int argc;
};

static void
add_arg(struct args *x, const char *word)
{
	if (x->argc >= ARGS_MAX)
		return;
	snprintf(x->text[x->argc], sizeof(x->text[0]), "%s", word);
	x->argv[x->argc] = x->text[x->argc];
	x->argc++;
}

bool
app_has_pump(const struct app *a)
{
	return a->cfg.nb_captures > 0;
}

unsigned int
app_nb_lcores(const struct app *a)
{
	unsigned int n = a->cfg.workers + (app_has_pump(a) ? 1 : 0);

	return a->cfg.intercept_mode == SC_INTERCEPT_INLINE ? n : n + a->cfg.intercepts;
}

/* One data lcore a CPU where there are enough of them; otherwise all float. Main always floats. */
static void
lcores_arg(const struct app *a, char *buf, size_t size)
{
	unsigned int n = app_nb_lcores(a), cpu[CPU_SETSIZE], nb_cpus = 0, at;
	cpu_set_t set;
	char all[1024] = "";

	CPU_ZERO(&set);
	sched_getaffinity(0, sizeof(set), &set);
	for (unsigned int i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET(i, &set))
			continue;
		at = (unsigned int)strlen(all);
		if (at + 8 < sizeof(all))
			snprintf(all + at, sizeof(all) - at, "%s%u", nb_cpus == 0 ? "" : ",", i);
		cpu[nb_cpus++] = i;
	}
	at = (unsigned int)snprintf(buf, size, "--lcores=0@(%s)", all);
	for (unsigned int i = 1; i <= n && at + sizeof(all) < size; i++) {
		if (n <= nb_cpus)
			at += (unsigned int)snprintf(
					buf + at, size - at, ",%u@%u", i, cpu[nb_cpus - i]);
		else
			at += (unsigned int)snprintf(buf + at, size - at, ",%u@(%s)", i, all);
	}
}

static uint32_t
max_flows_of_worker(const struct app *a)
{
	return SC_MAX(a->cfg.max_flows / a->cfg.workers, 16u);
}

void
app_replay_cfg(const struct app *a, struct sc_replay_cfg *rc)
{
	const struct sc_config *c = &a->cfg;

	memset(rc, 0, sizeof(*rc));
	rc->steer = a->steer;
	rc->rules = c->rule;
	rc->nb_rules = c->nb_rules;
	rc->clients = &c->clients;
	rc->pool = a->tx_pool;
	rc->max_flows = max_flows_of_worker(a);
	rc->max_tombs = SC_MAX(rc->max_flows, 4096u);
	rc->held_bytes = c->held_bytes / c->workers;
	rc->copy_below = c->copy_below;
	rc->copies = c->copies;
	rc->sample_pct = c->sample_pct;
	rc->only_full = c->only_full;
	rc->open_on_syn = c->open == SC_OPEN_SYN;
	rc->is_file = c->nb_captures > 0;
	rc->pace_think = c->pace == SC_PACE_THINK;
	rc->latency = (enum sc_replay_latency)c->latency;
	rc->latency_us = c->latency_us;
	rc->gate = (enum sc_replay_gate)c->gate;
	rc->gate_quiet_min_us = c->gate_quiet_min_ms * (uint32_t)SC_US_PER_MS;
	rc->mtu = c->mtu;
	rc->max_lag_us = c->max_lag_s * (uint32_t)SC_US_PER_S;
	rc->session_timeout_s = c->session_timeout_s;
	rc->speed = c->pace == SC_PACE_IMMEDIATE ? 0 : c->speed;
	if (a->targets != NULL) {
		rc->test_nets = a->targets->box;
		rc->nb_test_nets = a->targets->nb_box;
	}
}

/*
 * Held frames must never starve the descriptors: both are in the receive pool. So are mirror frames
 * that are sent on.
 */
void
app_size_pools(struct app *a)
{
	uint32_t w = a->cfg.workers, lcores = app_nb_lcores(a) + 1;
	struct sc_replay_cfg rc;
	uint32_t nb_rx = a->cfg.intercept_mode == SC_INTERCEPT_INLINE ? w : a->cfg.intercepts;
	uint32_t queues = w * SC_MAX(a->cfg.nb_mirror, 1u) + nb_rx + 1;

	uint32_t tx = queues * DESCRIPTORS + w * (SC_TX_BACKLOG + SC_REPLAY_TX_MAX + 128);

	app_replay_cfg(a, &rc);
	if (a->cfg.peer == SC_PEER_CAPTURE) {
		tx += (w + 1) * RING_PORT_SLOTS;
		a->peer_pool_size = 4 * RING_PORT_SLOTS + lcores * CACHE * 2;
	}
	a->tx_pool_size = tx + lcores * CACHE * 2;
	a->rx_pool_size = queues * DESCRIPTORS + w * sc_replay_max_refs(&rc) + lcores * CACHE * 2
			+ APP_NEIGH_RING + w * SC_FRAGMENTS_MAX + tx
			+ (w > 1 ? w * w * SC_HANDOVER_RING + w * SC_HANDOVER_RING_SOFT : 0);
	if (a->cfg.nb_captures > 0)
		a->rx_pool_size += w * RING_PORT_SLOTS + SC_FRAGMENTS_MAX;
}

/* Kibibytes of a line of /proc/meminfo. */
static uint64_t
meminfo(const char *word)
{
	unsigned long long value = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "r");

	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, word, strlen(word)) == 0)
			sscanf(line + strlen(word), ": %llu", &value);
	fclose(f);
	return value;
}

static bool
has_own_arg(const struct app *a, const char *word)
{
	for (unsigned int i = 0; i < a->cfg.nb_eal; i++)
		if (strncmp(a->cfg.eal[i], word, strlen(word)) == 0)
			return true;
	return false;
}

/* Hugepages where they are free; otherwise ordinary pages, slower, and said so. */
static void
memory_args(struct app *a, struct args *x)
{
	uint64_t mbufs = (uint64_t)a->rx_pool_size + a->tx_pool_size + a->peer_pool_size;
	uint64_t mib = mbufs * (MBUF_BYTES + (a->cfg.mtu > 1600 ? a->cfg.mtu : 0)) / (1 << 20)
			+ SPARE_MIB;
	uint64_t free_mib = meminfo("HugePages_Free") * meminfo("Hugepagesize") / 1024;
	char word[64];

	if (has_own_arg(a, "--no-huge") || has_own_arg(a, "--in-memory")
			|| has_own_arg(a, "--huge-dir"))
		return;
	snprintf(word, sizeof(word), "%llu", (unsigned long long)mib);
	if (free_mib >= mib) {
		add_arg(x, "--in-memory");
	} else {
		sc_log(a->cmd == SC_CMD_RUN ? SC_LOG_WARN : SC_LOG_INFO, "memory",
				"%llu MiB of hugepages are free and %llu MiB wanted: running on "
				"ordinary pages, slower (echo %llu > /proc/sys/vm/nr_hugepages)",
				(unsigned long long)free_mib, (unsigned long long)mib,
				(unsigned long long)(mib / 2 + 16));
		add_arg(x, "--no-huge");
		add_arg(x, "--no-shconf");
	}
	if (!has_own_arg(a, "-m")) {
		add_arg(x, "-m");
		add_arg(x, word);
	}
}

static bool
device_args(const struct app *a, struct args *x)
{
	bool any_pci = false, is_pci;

	for (unsigned int i = 0; i < a->cfg.nb_mirror + a->cfg.nb_test; i++) {
		const char *dev = i < a->cfg.nb_mirror ? a->cfg.mirror[i]
						       : a->cfg.test[i - a->cfg.nb_mirror];

		add_arg(x, sc_nic_eal_option(dev, &is_pci));
		add_arg(x, dev);
		any_pci |= is_pci;
	}
	return any_pci;
}

/* Without --idle: NIC ports keep polling, everything else may sleep. */
static void
choose_idle(struct app *a, bool any_pci)
{
	if (a->cfg.idle == SC_IDLE_AUTO)
		a->cfg.idle = any_pci ? SC_IDLE_BUSY : SC_IDLE_SLEEP;
}

/* Tables of flows, sessions and held bytes come from ordinary memory: say so before it is gone. */
static bool
has_memory(struct app *a, struct sc_err *err)
{
	uint64_t free_mib = meminfo("MemAvailable") / 1024, mib;
	struct sc_replay_cfg rc;

	app_replay_cfg(a, &rc);
	mib = sc_replay_size(&rc) * a->cfg.workers >> 20;
	if (free_mib == 0 || mib < free_mib)
		return true;
	sc_err_set(err, -ENOMEM,
			"%u flows x %u copies with %llu MiB of held bytes need %llu MiB of memory, "
			"and %llu are available: lower --max-flows, --copies or --held-bytes",
			a->cfg.max_flows, a->cfg.copies,
			(unsigned long long)(a->cfg.held_bytes >> 20), (unsigned long long)mib,
			(unsigned long long)free_mib);
	return false;
}

int
app_eal_start(struct app *a, struct sc_err *err)
{
	struct args *x = calloc(1, sizeof(*x));
	char word[4096];
	bool any_pci;

	if (x == NULL)
		sc_err_set(err, -ENOMEM, "no memory for the arguments of DPDK");
	if (x == NULL || !has_memory(a, err)) {
		free(x);
		return APP_ENVIRONMENT;
	}
	app_size_pools(a);
	add_arg(x, "spancopy");
	if (!has_own_arg(a, "--lcores") && !has_own_arg(a, "-l")) {
		lcores_arg(a, word, sizeof(word));
		x->argv[x->argc++] = word;
	}
	memory_args(a, x);
	any_pci = device_args(a, x);
	if (!any_pci)
		add_arg(x, "--no-pci");
	if (!has_own_arg(a, "--file-prefix")) {
		add_arg(x, "--file-prefix");
		snprintf(x->text[ARGS_MAX - 1], sizeof(x->text[0]), "spancopy%d", (int)getpid());
		add_arg(x, x->text[ARGS_MAX - 1]);
	}
	if (!has_own_arg(a, "--log-level"))
		add_arg(x, "--log-level=*:error");
	for (unsigned int i = 0; i < a->cfg.nb_eal && x->argc < ARGS_MAX; i++)
		x->argv[x->argc++] = a->cfg.eal[i];
	x->argv[x->argc] = NULL;
	choose_idle(a, any_pci);
	if (rte_eal_init(x->argc, x->argv) < 0) {
		free(x);
		sc_err_set(err, -rte_errno,
				"DPDK could not start (%s): are the arguments after \"--\" right, "
				"is enough memory free, and for kernel ports, is this root?",
				rte_strerror(rte_errno));
		return APP_ENVIRONMENT;
	}
	free(x);
	if (rte_lcore_count() < app_nb_lcores(a) + 1) {
		sc_err_set(err, -EINVAL,
				"%u lcores are given and %u needed (main, %u workers, %u "
				"intercepts%s): extend --lcores after \"--\"",
				rte_lcore_count(), app_nb_lcores(a) + 1, a->cfg.workers,
				a->cfg.intercepts, app_has_pump(a) ? ", one for the capture" : "");
		return APP_ENVIRONMENT;
	}
	return APP_OK;
}
