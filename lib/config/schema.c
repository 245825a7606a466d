/* SPDX-License-Identifier: BSD-3-Clause */
/* schema: one row a word; everything else in this room follows from the rows. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "config_int.h"

#define RUN CFG_CMD(SC_CMD_RUN)
#define REPLAY CFG_CMD(SC_CMD_REPLAY)
#define CHECK CFG_CMD(SC_CMD_CHECK)

#define FIELD(f) .off = offsetof(struct sc_config, f), .size = sizeof(((struct sc_config *)0)->f)
#define LIST(f, n, max)                                                                      \
	.off = offsetof(struct sc_config, f), .size = sizeof(((struct sc_config *)0)->f[0]), \
	.off_nb = offsetof(struct sc_config, n), .hi = (max)

const char *const cfg_group_title[CFG_NB_GROUPS] = {
		[CFG_PORTS] = "Ports",
		[CFG_SELECT] = "Selection and mapping",
		[CFG_ENGINE] = "Replay",
		[CFG_LCORES] = "Lcores and memory",
		[CFG_CAPTURES] = "Captures and the embedded peer",
		[CFG_RUN] = "The run",
};

static const char *const latency_names[] = {"none", "original", NULL};
static const char *const gate_names[] = {"answer", "off", "time", NULL};
static const char *const pace_names[] = {"capture", "think", "immediate", NULL};
static const char *const pages_names[] = {"auto", "huge", "small", NULL};
static const char *const idle_names[] = {"auto", "busy", "yield", "sleep", NULL};
static const char *const open_names[] = {"established", "syn", NULL};
static const char *const intercept_names[] = {"lcore", "inline", NULL};
static const char *const peer_names[] = {"none", "capture", NULL};
static const char *const level_names[] = {"error", "warn", "notice", "info", "debug", NULL};

const struct cfg_row cfg_rows[] = {
		/* ---- ports ---- */
		{.word = "mirror",
				.arg = "DEV",
				.help = "mirror port, only received from; repeat for more",
				.more = "It takes the switch's SPAN traffic. Nothing is ever sent "
					"on it.",
				.type = &cfg_devices,
				LIST(mirror, nb_mirror, SC_PORTS_MAX),
				.group = CFG_PORTS,
				.cmds = RUN | CHECK},
		{.word = "test",
				.arg = "DEV",
				.help = "test port, towards the target; repeat for more",
				.type = &cfg_devices,
				LIST(test, nb_test, SC_PORTS_MAX),
				.group = CFG_PORTS},
		{.word = "test-address",
				.arg = "ADDR/LEN",
				.help = "the box's own address on the test port; comma list",
				.more = "One a family is needed for the targets of that family. "
					"Targets in "
					"the prefix are reached directly, others through the "
					"gateway.",
				.type = &cfg_prefixes,
				LIST(test_address, nb_test_address, SC_BOX_ADDRS_MAX),
				.group = CFG_PORTS},
		{.word = "gateway",
				.arg = "ADDR",
				.help = "next hop for targets outside the test prefixes, one a "
					"family",
				.type = &cfg_gateways,
				LIST(gateway, nb_gateway, 2),
				.group = CFG_PORTS},
		{.word = "test-vlan",
				.arg = "ID",
				.def = "0",
				.help = "VLAN tag of frames on the test port, 0: untagged",
				.type = &cfg_number,
				FIELD(test_vlan),
				.hi = 4094,
				.group = CFG_PORTS},
		{.word = "link-wait",
				.arg = "TIME",
				.def = "10s",
				.help = "how long to wait for the ports' links at start",
				.type = &cfg_duration,
				FIELD(link_wait_s),
				.lo = 1,
				.hi = 300,
				.unit_us = SC_US_PER_S,
				.group = CFG_PORTS},

		/* ---- selection and mapping ---- */
		{.word = "map",
				.arg = "RULE",
				.help = "production endpoint and its target; comma list; -x is the "
					"same",
				.more = "The first rule that matches counts. Without PROD_IP the "
					"rule is for "
					"the port at any address. With the embedded peer it may be "
					"left "
					"out: every server in the capture then gets a target.",
				.type = &cfg_map,
				LIST(rule, nb_rules, SC_RULES_MAX),
				.group = CFG_SELECT},
		{.word = "clients",
				.arg = "POOL",
				.help = "source addresses of the replay; comma list; without: kept",
				.more = "The target must route these addresses back to the box, or "
					"see "
					"`clients-on-link`. A prefix leaves out its network and "
					"broadcast "
					"address. At most 65,536 addresses.",
				.type = &cfg_pool,
				FIELD(clients),
				.group = CFG_SELECT},
		{.word = "clients-on-link",
				.help = "the box answers ARP and ND for the addresses of clients",
				.more = "The target then needs no route. Each address is probed "
					"first and "
					"given up if another host has it.",
				.def = "no",
				.type = &cfg_flag,
				FIELD(clients_on_link),
				.group = CFG_SELECT},
		{.word = "neighbour-limit",
				.arg = "N",
				.def = "900",
				.help = "most addresses that the box answers ARP and ND for",
				.more = "A Linux target with default settings keeps about 1,000 "
					"neighbours; "
					"raise `net.ipv4.neigh.default.gc_thresh*` on it before "
					"this.",
				.type = &cfg_number,
				FIELD(neighbour_limit),
				.lo = 1,
				.hi = SC_POOL_MAX,
				.group = CFG_SELECT},
		{.word = "sample",
				.arg = "PCT",
				.def = "100",
				.help = "share of the connections to replay",
				.more = "Chosen by a hash of the connection, so a client's "
					"connection is in or "
					"out as a whole, and the same ones every time.",
				.type = &cfg_percent,
				FIELD(sample_pct),
				.is_lo_open = true,
				.hi = 100,
				.group = CFG_SELECT},
		{.word = "copies",
				.arg = "N",
				.def = "1",
				.help = "replays of each connection, at the same time",
				.type = &cfg_number,
				FIELD(copies),
				.lo = 1,
				.hi = 1023,
				.group = CFG_SELECT},
		{.word = "only-full",
				.def = "no",
				.help = "only connections whose SYN was seen",
				.more = "Otherwise a connection that was open before the start is "
					"joined where "
					"a request begins.",
				.type = &cfg_flag,
				FIELD(only_full),
				.group = CFG_SELECT},

		/* ---- replay ---- */
		{.word = "latency",
				.arg = "TIME",
				.def = "none",
				.help = "the client's distance, applied to ACKs and next requests",
				.more = "`original` takes each client's own round-trip time from "
					"the capture. A bare "
					"number is microseconds.",
				.type = &cfg_latency,
				FIELD(latency),
				.lo = 1,
				.hi = 10 * SC_US_PER_S,
				.unit_us = 1,
				.names = latency_names,
				.group = CFG_ENGINE},
		{.word = "gate",
				.arg = "MODE",
				.def = "answer",
				.help = "what the next request waits for",
				.more = "`answer`: for the target's answer to the one before. "
					"`time`: for the "
					"captured spacing. `off`: for nothing.",
				.type = &cfg_choice,
				FIELD(gate),
				.names = gate_names,
				.group = CFG_ENGINE},
		{.word = "gate-quiet-min",
				.arg = "TIME",
				.def = "200ms",
				.help = "least silence that ends an answer shorter than "
					"production's",
				.type = &cfg_duration,
				FIELD(gate_quiet_min_ms),
				.lo = 1,
				.hi = 60000,
				.unit_us = SC_US_PER_MS,
				.group = CFG_ENGINE},
		{.word = "pace",
				.arg = "MODE",
				.def = "capture",
				.help = "when a request goes, once the gate is open",
				.more = "`capture`: not before its captured time. `think`: the "
					"client's think "
					"time after the answer. `immediate`: at once, to load the "
					"target.",
				.type = &cfg_choice,
				FIELD(pace),
				.names = pace_names,
				.group = CFG_ENGINE},
		{.word = "open",
				.arg = "WHEN",
				.def = "established",
				.help = "when a connection to the target is opened",
				.more = "`established`: when the client has answered production's "
					"SYN-ACK, so "
					"that scans and floods are not replayed. `syn`: at its "
					"SYN.",
				.type = &cfg_choice,
				FIELD(open),
				.names = open_names,
				.group = CFG_ENGINE},
		{.word = "mtu",
				.arg = "BYTES",
				.def = "1500",
				.help = "MTU of the test port",
				.type = &cfg_number,
				FIELD(mtu),
				.lo = 576,
				.hi = 9216,
				.group = CFG_ENGINE},
		{.word = "max-lag",
				.arg = "TIME",
				.def = "30s",
				.help = "a connection that falls further behind production is "
					"ended",
				.type = &cfg_duration,
				FIELD(max_lag_s),
				.lo = 1,
				.hi = 3600,
				.unit_us = SC_US_PER_S,
				.group = CFG_ENGINE},
		{.word = "shed",
				.def = "yes",
				.help = "leave whole connections out when more comes than can be "
					"replayed",
				.more = "They are chosen by hash, and reported as shed_admission. "
					"Otherwise frames are lost where they do not fit. A "
					"capture "
					"file waits instead.",
				.type = &cfg_flag,
				FIELD(shed),
				.group = CFG_ENGINE},
		{.word = "session-timeout",
				.arg = "TIME",
				.def = "600s",
				.help = "a connection without any packet for so long is ended",
				.type = &cfg_duration,
				FIELD(session_timeout_s),
				.lo = 1,
				.hi = 86400,
				.unit_us = SC_US_PER_S,
				.group = CFG_ENGINE},

		/* ---- lcores and memory ---- */
		{.word = "workers",
				.arg = "N",
				.def = "1",
				.help = "worker lcores",
				.type = &cfg_number,
				FIELD(workers),
				.lo = 1,
				.hi = SC_STEER_WORKERS_MAX,
				.group = CFG_LCORES},
		{.word = "intercepts",
				.arg = "N",
				.def = "1",
				.help = "lcores that receive the target's responses",
				.type = &cfg_number,
				FIELD(intercepts),
				.lo = 1,
				.hi = SC_INTERCEPTS_MAX,
				.group = CFG_LCORES},
		{.word = "intercept",
				.arg = "MODE",
				.def = "lcore",
				.help = "who receives responses: lcores of their own, or each "
					"worker",
				.more = "`inline` is for a box with a single data core.",
				.type = &cfg_choice,
				FIELD(intercept_mode),
				.names = intercept_names,
				.group = CFG_LCORES},
		{.word = "idle",
				.arg = "MODE",
				.def = "auto",
				.help = "what an lcore without work does",
				.more = "`auto`: NIC ports are polled without rest, virtual ports "
					"sleep. `busy`: "
					"never rests. `yield`: gives the CPU away, for lcores that "
					"share "
					"one. `sleep`: sleeps shortly.",
				.type = &cfg_choice,
				FIELD(idle),
				.names = idle_names,
				.group = CFG_LCORES},
		{.word = "max-flows",
				.arg = "N",
				.def = "65536",
				.help = "captured connections open at once, all workers together",
				.type = &cfg_number,
				FIELD(max_flows),
				.lo = 16,
				.hi = 50000000,
				.group = CFG_LCORES},
		{.word = "held-bytes",
				.arg = "SIZE",
				.def = "256M",
				.help = "client bytes held until they can be sent, all workers "
					"together",
				.type = &cfg_size,
				FIELD(held_bytes),
				.lo = 1ull << 20,
				.hi = 1ull << 40,
				.group = CFG_LCORES},
		{.word = "copy-below",
				.arg = "BYTES",
				.def = "512",
				.help = "payload up to this is copied, longer is held in its frame",
				.type = &cfg_number,
				FIELD(copy_below),
				.hi = 65535,
				.group = CFG_LCORES},

		{.word = "pages",
				.arg = "MODE",
				.def = "auto",
				.help = "memory pages of frames",
				.more = "`huge`: hugepages, or no start. `small`: ordinary pages, "
					"slower. `auto`: hugepages where enough are free; without "
					"them, a PCI port is refused and others are slower. Tables "
					"are in ordinary memory, in transparent hugepages where "
					"the "
					"kernel gives them.",
				.type = &cfg_choice,
				FIELD(pages),
				.names = pages_names,
				.group = CFG_LCORES},

		/* ---- captures ---- */
		{.word = "capture",
				.arg = "FILE",
				.help = "capture files, read in this order",
				.more = "On the command line they stand behind the command without "
					"a word.",
				.type = &cfg_captures,
				LIST(capture, nb_captures, SC_CAPTURES_MAX),
				.group = CFG_CAPTURES,
				.where = CFG_ONLY_FILE,
				.cmds = REPLAY | CHECK},
		{.word = "speed",
				.arg = "F",
				.def = "1",
				.help = "replay F times as fast as captured",
				.more = "`max` reads as fast as the replay takes it.",
				.type = &cfg_speed,
				FIELD(speed),
				.group = CFG_CAPTURES,
				.cmds = REPLAY | CHECK},
		{.word = "peer",
				.arg = "MODE",
				.def = "none",
				.help = "capture: a target inside the process answers, no port is "
					"needed",
				.more = "It answers with production's bytes from the capture. "
					"Without `test` "
					"and `peer`, replay takes `capture`.",
				.type = &cfg_choice,
				FIELD(peer),
				.names = peer_names,
				.group = CFG_CAPTURES,
				.cmds = REPLAY | CHECK},
		{.word = "impair",
				.arg = "LIST",
				.help = "impairments on the path to the embedded peer",
				.more = "For example "
					"`loss=1,dup=0.5,reorder=2,delay=2ms,jitter=1ms,drop:fin:2`"
					".",
				.type = &cfg_text,
				FIELD(impair),
				.group = CFG_CAPTURES,
				.cmds = REPLAY | CHECK},
		{.word = "seed",
				.arg = "N",
				.def = "1",
				.help = "seed of everything that is chosen at random",
				.type = &cfg_number,
				FIELD(seed),
				.hi = UINT64_MAX,
				.group = CFG_CAPTURES},

		/* ---- the run ---- */
		{.word = "duration",
				.arg = "TIME",
				.def = "0s",
				.help = "stop after so long; 0: at the end of the source or a "
					"signal",
				.type = &cfg_duration,
				FIELD(duration_s),
				.hi = 365 * 86400,
				.unit_us = SC_US_PER_S,
				.group = CFG_RUN},
		{.word = "drain",
				.arg = "TIME",
				.def = "10s",
				.help = "at the stop, how long open connections may go on",
				.type = &cfg_duration,
				FIELD(drain_s),
				.hi = 3600,
				.unit_us = SC_US_PER_S,
				.group = CFG_RUN},
		{.word = "report",
				.arg = "FILE",
				.help = "write the run's report as JSON; - is standard output",
				.type = &cfg_text,
				FIELD(report),
				.group = CFG_RUN},
		{.word = "expect-fidelity",
				.arg = "PCT",
				.help = "fail unless this share of the connections came out whole",
				.type = &cfg_percent,
				FIELD(expect_fidelity),
				.hi = 100,
				.group = CFG_RUN},
		{.word = "control-dir",
				.arg = "DIR",
				.help = "directory of the control socket",
				.type = &cfg_text,
				FIELD(control_dir),
				.group = CFG_RUN},
		{.word = "log-level",
				.arg = "LEVEL",
				.def = "info",
				.help = "least important messages to write",
				.type = &cfg_choice_text,
				FIELD(log_level),
				.names = level_names,
				.group = CFG_RUN},
		{.word = "print-config",
				.def = "no",
				.help = "print the effective configuration and stop",
				.type = &cfg_flag,
				FIELD(print_config),
				.group = CFG_RUN,
				.where = CFG_ONLY_ARGS},
		{.word = "eal",
				.arg = "ARG",
				.help = "arguments for DPDK's EAL",
				.more = "On the command line they stand behind `--`.",
				.type = &cfg_eal,
				LIST(eal, nb_eal, SC_EAL_ARGS_MAX),
				.group = CFG_RUN,
				.where = CFG_ONLY_FILE},
};

const unsigned int cfg_nb_rows = SC_ARRAY_SIZE(cfg_rows);

static_assert(SC_ARRAY_SIZE(cfg_rows) <= CFG_ROWS_MAX, "struct cfg_source has a line for each row");

const struct cfg_row *
cfg_find(const char *word, size_t len)
{
	unsigned int i;

	for (i = 0; i < cfg_nb_rows; i++)
		if (strlen(cfg_rows[i].word) == len && memcmp(cfg_rows[i].word, word, len) == 0)
			return &cfg_rows[i];
	return NULL;
}

const char *
cfg_suggest(const char *word, size_t len, const char *dash, char buf[CFG_WANT_LEN])
{
	const struct cfg_row *row, *best = NULL;
	unsigned int d, least = (unsigned int)(len / 3) + 1;
	size_t i, lw;

	buf[0] = '\0';
	for (i = 0; i < cfg_nb_rows; i++) {
		row = &cfg_rows[i];
		lw = strlen(row->word);
		d = cfg_distance(word, len, row->word, lw);
		/* The start of a longer word is a guess as good as one slip. */
		if (len >= 3 && lw > len && memcmp(word, row->word, len) == 0)
			d = SC_MIN(d, 1u);
		if (d < least || (d == least && best == NULL)) {
			least = d;
			best = row;
		}
	}
	if (best != NULL)
		snprintf(buf, CFG_WANT_LEN, ": did you mean %s%s?", dash, best->word);
	return buf;
}

int
cfg_refuse(const struct cfg_row *row, const char *text, int code, const char *what,
		struct sc_err *err)
{
	char show[CFG_SHOW_LEN], want[CFG_WANT_LEN];

	row->type->want(row, want, sizeof(want));
	return sc_err_set(err, code, "%s is %s; give %s", cfg_show(text, show), what, want);
}

void
cfg_reset(const struct cfg_row *row, struct sc_config *c)
{
	int rc = 0;

	if (row->type->clear != NULL)
		row->type->clear(row, c);
	else if (row->def != NULL)
		rc = row->type->set(row, c, row->def, NULL);
	else if (row->type == &cfg_percent)
		*(double *)cfg_field(row, c) = -1;
	else
		memset(cfg_field(row, c), 0, row->size);
	assert(rc == 0);
	(void)rc;
}

void
sc_config_init(struct sc_config *c)
{
	unsigned int i;

	memset(c, 0, sizeof(*c));
	for (i = 0; i < cfg_nb_rows; i++)
		cfg_reset(&cfg_rows[i], c);
}

void
sc_config_free(struct sc_config *c)
{
	unsigned int i;

	for (i = 0; i < cfg_nb_rows; i++)
		if (cfg_rows[i].type->clear != NULL)
			cfg_rows[i].type->clear(&cfg_rows[i], c);
}

int
sc_config_set(struct sc_config *c, const char *word, const char *value, struct sc_err *err)
{
	const struct cfg_row *row = cfg_find(word, strlen(word));
	char show[CFG_SHOW_LEN], guess[CFG_WANT_LEN];
	struct sc_err cause;
	int rc;

	if (row == NULL)
		return sc_err_set(err, -ENOENT, "unknown word %s%s", cfg_show(word, show),
				cfg_suggest(word, strlen(word), "", guess));
	rc = row->type->set(row, c, value, &cause);
	return rc < 0 ? sc_err_set(err, rc, "%s: %s", row->word, cause.text) : 0;
}
