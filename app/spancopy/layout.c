/* SPDX-License-Identifier: BSD-3-Clause */
/* layout: which lcore runs where, and how DPDK is started. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include <sc_nic.h>

#include "app.h"

#define ARGS_MAX (32 + SC_EAL_ARGS_MAX + 4 * SC_PORTS_MAX)

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
	rc->max_tombs = sc_replay_max_tombs(rc->max_flows);
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

bool
app_has_eal_word(const struct app *a, const char *word)
{
	for (unsigned int i = 0; i < a->cfg.nb_eal; i++)
		if (strncmp(a->cfg.eal[i], word, strlen(word)) == 0)
			return true;
	return false;
}

/* Which pages the frames are in. What stands behind "--" is left as it is. */
static void
memory_args(const struct app_memory *m, struct args *x)
{
	char word[64];

	if (m->is_given)
		return;
	if (m->is_huge) {
		add_arg(x, "--in-memory");
	} else {
		add_arg(x, "--no-huge");
		add_arg(x, "--no-shconf");
	}
	if (m->is_size_given)
		return;
	snprintf(word, sizeof(word), "%llu", (unsigned long long)m->frames_mib);
	add_arg(x, "-m");
	add_arg(x, word);
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

int
app_eal_start(struct app *a, struct sc_err *err)
{
	struct args *x = calloc(1, sizeof(*x));
	struct app_memory memory;
	char word[4096];
	bool any_pci;

	app_memory_plan(a, &memory);
	if (x == NULL)
		sc_err_set(err, -ENOMEM, "no memory for the arguments of DPDK");
	if (x == NULL || app_memory_check(a, &memory, err) < 0) {
		free(x);
		return APP_ENVIRONMENT;
	}
	app_memory_say(a, &memory);
	add_arg(x, "spancopy");
	if (!app_has_eal_word(a, "--lcores") && !app_has_eal_word(a, "-l")) {
		lcores_arg(a, word, sizeof(word));
		x->argv[x->argc++] = word;
	}
	memory_args(&memory, x);
	any_pci = device_args(a, x);
	if (!any_pci)
		add_arg(x, "--no-pci");
	if (!app_has_eal_word(a, "--file-prefix")) {
		add_arg(x, "--file-prefix");
		snprintf(x->text[ARGS_MAX - 1], sizeof(x->text[0]), "spancopy%d", (int)getpid());
		add_arg(x, x->text[ARGS_MAX - 1]);
	}
	if (!app_has_eal_word(a, "--log-level"))
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
