/* SPDX-License-Identifier: BSD-3-Clause */
/* figures: snapshots of the lcores, the ledger, the report, and the verdict. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>

#include "app.h"

void
app_warn(struct app *a, const char *fmt, ...)
{
	struct app_warning w;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w.text, sizeof(w.text), fmt, ap);
	va_end(ap);
	for (unsigned int i = 0; i < a->nb_warnings; i++)
		if (strcmp(a->warning[i].text, w.text) == 0)
			return;
	sc_log(SC_LOG_WARN, "run", "%s", w.text);
	if (a->nb_warnings < APP_WARNINGS_MAX)
		a->warning[a->nb_warnings++] = w;
}

/* ---- while it runs ---- */

void
app_figures_ask(struct app *a, uint32_t *ticket)
{
	for (unsigned int i = 0; i < a->nb_cells; i++)
		ticket[i] = sc_stats_ask(&a->cell[i]);
}

static void
keep_faults(struct app *a, const struct sc_ledger_result *res)
{
	for (unsigned int i = 0; i < res->nb_faults && i < SC_LEDGER_FAULTS_MAX; i++)
		sc_log(SC_LOG_ERR, "ledger", "ledger_unbalanced: %s: %llu against %llu",
				res->fault[i].equation, (unsigned long long)res->fault[i].left,
				(unsigned long long)res->fault[i].right);
	sc_ledger_merge(&a->ledger, res);
}

bool
app_knows_missed(const struct app *a)
{
	for (unsigned int i = 0; i < a->box->nb_mirror; i++)
		if (a->box->mirror[i].has_imissed)
			return true;
	return false;
}

/* What mirror ports had no room for drives admission; af_packet and rings do not know. */
void
app_tell_missed(struct app *a)
{
	uint64_t missed = 0;

	for (unsigned int i = 0; i < a->box->nb_mirror; i++) {
		struct rte_eth_stats st;

		if (a->box->mirror[i].has_imissed
				&& rte_eth_stats_get(a->box->mirror[i].id, &st) == 0)
			missed += st.imissed;
	}
	atomic_store_explicit(&a->box->nb_missed, missed, memory_order_relaxed);
}

/* True once every lcore has answered: the sums are new, and each block was checked. */
bool
app_figures_read(struct app *a, const uint32_t *ticket)
{
	struct sc_stats sum, one;
	struct sc_ledger_result res;

	memset(&sum, 0, sizeof(sum));
	for (unsigned int i = 0; i < a->nb_cells; i++) {
		if (!sc_stats_read(&a->cell[i], ticket[i], &one))
			return false;
		sc_stats_add(&sum, &one);
		if (!sc_ledger_check_one(&one, &res))
			keep_faults(a, &res);
	}
	a->before = a->sum;
	a->sum = sum;
	return true;
}

/* ---- at the end ---- */

static void
read_port(struct app *a, const struct sc_port *p)
{
	char *name = a->port_name[a->nb_ports];
	struct sc_report_port *r = &a->port[a->nb_ports++];
	struct rte_eth_stats st;

	memset(&st, 0, sizeof(st));
	rte_eth_stats_get(p->id, &st);
	snprintf(name, sizeof(a->port_name[0]), "%s", p->name);
	r->name = name;
	r->role = p->role == SC_PORT_MIRROR ? "mirror" : "test";
	r->rx = st.ipackets;
	r->tx = st.opackets;
	r->imissed = st.imissed;
	r->ierrors = st.ierrors;
	r->rx_nombuf = st.rx_nombuf;
	r->has_imissed = p->has_imissed;
}

/* To the log; the report has a part of its own for it. */
static void
log_health(struct app *a)
{
	struct sc_report_in in;
	struct sc_report_health h;

	app_report_in(a, &in);
	sc_report_health(&in, &h);
	for (unsigned int i = 0; i < h.nb_findings; i++)
		sc_log(SC_LOG_WARN, "mirror", "%s", h.finding[i].text);
}

static void
audit(struct app *a)
{
	struct sc_err what;

	for (unsigned int i = 0; i < a->box->nb_workers; i++) {
		if (sc_replay_audit(sc_worker_engine(a->worker[i]), &what))
			continue;
		sc_log(SC_LOG_ERR, "ledger", "ledger_unbalanced: worker %u: %s", i, what.text);
		if (a->ledger.nb_faults < SC_LEDGER_FAULTS_MAX)
			a->ledger.fault[a->ledger.nb_faults++].equation =
					"gauges = walk of the tables";
	}
}

/* An answer of another length than production's costs the gate its best sign. */
static void
warn_of_target(struct app *a)
{
	const uint64_t *c = a->sum.c;
	uint64_t other = c[SC_C_GATE_LONGER] + c[SC_C_GATE_SHORTER] + c[SC_C_GATE_TIMEOUT];
	uint64_t all = other + c[SC_C_GATE_EXACT];

	if (all >= 20 && other * 2 > all)
		app_warn(a,
				"in %llu of %llu turns the target's answer had another length than "
				"production's, or none came: the target differs from production",
				(unsigned long long)other, (unsigned long long)all);
}

/* Records of a link type that nobody can read became no frames: they are refused all the same. */
static void
count_unread(struct app *a)
{
	struct sc_stats *st = &a->cell[a->nb_cells - 1].live;

	sc_capture_get_stats(a->capture, &a->capture_stats);
	st->c[SC_C_MIRROR_POLLED] += a->capture_stats.unknown_link;
	st->m[SC_M_FRAME_REFUSED][SC_R_UNKNOWN_LINK] += a->capture_stats.unknown_link;
}

void
app_figures_final(struct app *a)
{
	struct sc_ledger_result res;

	if (a->capture != NULL)
		count_unread(a);
	memset(&a->sum, 0, sizeof(a->sum));
	for (unsigned int i = 0; i < a->nb_cells; i++) {
		sc_stats_add(&a->sum, &a->cell[i].live);
		if (!sc_ledger_check_one(&a->cell[i].live, &res))
			keep_faults(a, &res);
	}
	if (!sc_ledger_check_box(&a->sum, sc_box_handover_count(a->box),
			    sc_box_record_count(a->box), &res))
		keep_faults(a, &res);
	audit(a);
	for (unsigned int i = 0; i < a->box->nb_workers; i++) {
		sc_hist_merge(&a->hist_production,
				sc_replay_hist_production(sc_worker_engine(a->worker[i])));
		sc_hist_merge(&a->hist_target,
				sc_replay_hist_target(sc_worker_engine(a->worker[i])));
	}
	for (unsigned int i = 0; i < a->box->nb_mirror; i++)
		read_port(a, &a->box->mirror[i]);
	read_port(a, &a->box->test);
	if (a->peer != NULL)
		sc_peer_get_stats(a->peer, &a->peer_stats);
	log_health(a);
	warn_of_target(a);
}

/* nb_kept: mbufs that drivers may keep for good. */
static void
check_pool(struct app *a, struct rte_mempool *mp, uint32_t size, uint32_t nb_kept)
{
	unsigned int avail = mp != NULL ? rte_mempool_avail_count(mp) : size;
	struct sc_ledger_fault *f;

	if (avail <= size && size - avail <= nb_kept)
		return;
	sc_log(SC_LOG_ERR, "ledger", "ledger_unbalanced: pool %s: %u of %u mbufs came back",
			mp->name, avail, size);
	if (a->ledger.nb_faults >= SC_LEDGER_FAULTS_MAX)
		return;
	f = &a->ledger.fault[a->ledger.nb_faults++];
	f->equation = "memory: free mbufs = pool size";
	f->left = avail;
	f->right = size;
}

/* After the ports have been closed: every mbuf must be back. */
void
app_check_pools(struct app *a)
{
	uint32_t nb_kept;

	if (a->rx_pool == NULL || a->end_us == 0)
		return;
	nb_kept = a->box->test.nb_kept;
	for (unsigned int i = 0; i < a->box->nb_mirror; i++)
		nb_kept += a->box->mirror[i].nb_kept;
	check_pool(a, a->rx_pool, a->rx_pool_size, nb_kept);
	check_pool(a, a->tx_pool, a->tx_pool_size, 0);
	check_pool(a, a->peer_pool, a->peer_pool_size, 0);
}

/* ---- the report ---- */

static unsigned int
peer_pairs(const struct sc_peer_stats *p, struct sc_report_pair *pair)
{
	const struct sc_report_pair all[] = {
			{"syn", p->syn},
			{"accepted", p->accepted},
			{"closed", p->closed},
			{"refused_unknown", p->refused_unknown},
			{"bytes_in", p->bytes_in},
			{"bytes_in_ok", p->bytes_in_ok},
			{"bytes_in_differ", p->bytes_in_differ},
			{"bytes_out", p->bytes_out},
			{"turns", p->turns},
			{"early", p->early},
			{"rst_in", p->rst_in},
			{"rst_out", p->rst_out},
			{"retransmitted", p->retransmitted},
			{"impaired", p->impaired},
	};

	memcpy(pair, all, sizeof(all));
	return SC_ARRAY_SIZE(all);
}

void
app_report_in(struct app *a, struct sc_report_in *in)
{
	static const char *warning[APP_WARNINGS_MAX];
	static struct sc_report_pair pair[16];
	uint64_t end_us = a->end_us != 0 ? a->end_us : sc_clock_us(&a->clock, rte_rdtsc());

	memset(in, 0, sizeof(*in));
	in->command = a->cmd == SC_CMD_RUN ? "run" : "replay";
	in->sum = &a->sum;
	in->ledger = &a->ledger;
	in->duration_s = (double)(end_us - a->start_us) / SC_US_PER_S;
	in->port = a->port;
	in->nb_ports = a->nb_ports;
	in->production_us = &a->hist_production;
	in->target_us = &a->hist_target;
	for (unsigned int i = 0; i < a->nb_warnings; i++)
		warning[i] = a->warning[i].text;
	in->warning = warning;
	in->nb_warnings = a->nb_warnings;
	in->damage = a->capture_stats.damage[0] != '\0' ? a->capture_stats.damage : NULL;
	if (a->cfg.peer == SC_PEER_CAPTURE) {
		in->peer = pair;
		in->nb_peer = peer_pairs(&a->peer_stats, pair);
	}
}

static int
target_status(const struct app *a)
{
	const struct sc_stats *s = &a->sum;

	if (s->c[SC_C_CONNS_ESTABLISHED] > 0)
		return APP_OK;
	if (s->m[SC_M_SESSION_ENDED][SC_R_TARGET_REFUSED] > 0) {
		fprintf(stderr,
				"spancopy: the target refused every connection (RST to SYN): is "
				"the service running on the address and port of --map?\n");
		return APP_TARGET;
	}
	if (s->m[SC_M_SESSION_ENDED][SC_R_TARGET_UNANSWERED]
					+ s->m[SC_M_FLOW_REFUSED][SC_R_RETURN_PATH_UNPROVEN]
			> 0) {
		fprintf(stderr,
				"spancopy: no SYN was answered on the test port: is the target up, "
				"and does it have a route for the client addresses through this "
				"box?\n");
		return APP_TARGET;
	}
	return APP_OK;
}

static int
capture_status(const struct app *a)
{
	const struct sc_capture_stats *c = &a->capture_stats;

	if (a->cfg.nb_captures == 0)
		return APP_OK;
	if (c->damage[0] != '\0') {
		fprintf(stderr, "spancopy: %s; everything before it was replayed\n", c->damage);
		return APP_CAPTURE;
	}
	if (a->sum.c[SC_C_FLOWS_SEEN] == 0) {
		fprintf(stderr,
				"spancopy: nothing in the capture could be replayed: %llu frames, "
				"none of a client towards a server of --map (spancopy check FILE "
				"says more)\n",
				(unsigned long long)c->frames);
		return APP_CAPTURE;
	}
	return APP_OK;
}

int
app_verdict(struct app *a)
{
	double fidelity = sc_ledger_fidelity(&a->sum) * 100;
	struct sc_report_in in;
	struct sc_err err;
	int status;

	app_report_in(a, &in);
	if (strcmp(a->cfg.report, "-") != 0)
		sc_report_text(&in, stdout, false);
	if (a->cfg.report[0] != '\0' && sc_report_save(&in, a->cfg.report, stdout, &err) < 0) {
		fprintf(stderr, "spancopy: %s\n", err.text);
		return APP_ENVIRONMENT;
	}
	status = capture_status(a);
	if (status == APP_OK)
		status = target_status(a);
	if (status != APP_OK)
		return status;
	if (a->ledger.nb_faults > 0)
		return APP_FIDELITY;
	if (a->cfg.expect_fidelity >= 0 && fidelity < a->cfg.expect_fidelity) {
		fprintf(stderr,
				"spancopy: fidelity is %.3f %%, below the %.3f %% of "
				"--expect-fidelity\n",
				fidelity, a->cfg.expect_fidelity);
		return APP_FIDELITY;
	}
	return APP_OK;
}
