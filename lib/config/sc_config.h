/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config: one struct says everything a run does; command line and YAML file fill it through the
 * same schema rows (word, type, range, default, help).
 *
 * Thread: main, before start; read-only after.
 */
#ifndef SC_CONFIG_H
#define SC_CONFIG_H

#include <stdio.h>

#include <sc_base.h>
#include <sc_filter.h>
#include <sc_intercept.h>

#define SC_PORTS_MAX 8
#define SC_CAPTURES_MAX 256
#define SC_PATH_MAX 4096
#define SC_DEV_MAX 256
#define SC_EAL_ARGS_MAX 64

enum sc_latency {
	SC_LATENCY_NONE,
	SC_LATENCY_ORIGINAL,
	SC_LATENCY_FIXED
};
enum sc_gate_mode {
	SC_GATE_ANSWER,
	SC_GATE_OFF,
	SC_GATE_TIME
};
enum sc_pace {
	SC_PACE_CAPTURE,
	SC_PACE_THINK,
	SC_PACE_IMMEDIATE
};
enum sc_pages {
	SC_PAGES_AUTO, /* huge where they are free; PCI ports want them */
	SC_PAGES_HUGE,
	SC_PAGES_SMALL
};

enum sc_idle {
	SC_IDLE_AUTO,
	SC_IDLE_BUSY,
	SC_IDLE_YIELD,
	SC_IDLE_SLEEP
};
enum sc_open {
	SC_OPEN_ESTABLISHED,
	SC_OPEN_SYN
};
enum sc_intercept_mode {
	SC_INTERCEPT_LCORE,
	SC_INTERCEPT_INLINE
};
enum sc_peer_mode {
	SC_PEER_NONE,
	SC_PEER_CAPTURE
};

struct sc_config {
	/* ports */
	char mirror[SC_PORTS_MAX][SC_DEV_MAX]; /* EAL device names with their arguments */
	unsigned int nb_mirror;
	char test[SC_PORTS_MAX][SC_DEV_MAX];
	unsigned int nb_test;
	struct sc_prefix test_address[SC_BOX_ADDRS_MAX];
	unsigned int nb_test_address;
	struct sc_addr gateway[2]; /* next hops for targets off-link, at most one a family */
	unsigned int nb_gateway;
	uint16_t test_vlan;   /* 0: untagged */
	uint32_t link_wait_s; /* 1..300, default 10 */

	/* selection and mapping */
	struct sc_rule rule[SC_RULES_MAX];
	unsigned int nb_rules;
	struct sc_pool clients;   /* empty: client addresses are kept */
	bool clients_on_link;     /* the box answers ARP/ND for the pool */
	uint32_t neighbour_limit; /* default 900 */
	double sample_pct;        /* 0 < pct <= 100, default 100 */
	uint32_t copies;          /* 1..1023, default 1 */
	bool only_full;

	/* engine */
	enum sc_latency latency;
	uint32_t latency_us; /* with SC_LATENCY_FIXED: 1..10,000,000 us */
	enum sc_gate_mode gate;
	uint32_t gate_quiet_min_ms; /* 1..60,000, default 200 */
	enum sc_pace pace;
	enum sc_open open;
	uint16_t mtu;               /* 576..9216, default 1500 */
	uint32_t max_lag_s;         /* 1..3600, default 30 */
	bool shed;                  /* default true */
	uint32_t session_timeout_s; /* 1..86,400, default 600 */

	/* lcores and memory */
	uint32_t workers;    /* 1..16, default 1 */
	uint32_t intercepts; /* 1..4, default 1 */
	enum sc_intercept_mode intercept_mode;
	enum sc_idle idle;
	enum sc_pages pages;
	uint32_t max_flows;  /* 16..50,000,000, default 65,536, for all workers together */
	uint64_t held_bytes; /* budget for client bytes, default 256 MiB for all workers */
	uint32_t copy_below; /* 0..65,535, default 512 */

	/* captures */
	const char *capture[SC_CAPTURES_MAX]; /* owned by the config */
	unsigned int nb_captures;
	double speed; /* 0.001..1000, default 1; 0 means max */
	enum sc_peer_mode peer;
	char impair[256]; /* impairments of the embedded peer, "" none: see drivers/peer */
	uint64_t seed;    /* default 1 */

	/* run */
	uint32_t duration_s;      /* 0: until the end of the source or a signal */
	uint32_t drain_s;         /* 0..3600, default 10: limit for open sessions at the stop */
	char report[SC_PATH_MAX]; /* "" none, "-" standard output */
	double expect_fidelity;   /* percent; < 0: not asked */
	char control_dir[SC_PATH_MAX]; /* directory of the control socket; "" none */
	char log_level[8];             /* error, warn, notice, info, debug */
	bool print_config;             /* print the effective configuration and stop */

	char *eal[SC_EAL_ARGS_MAX]; /* what follows "--", owned by the config */
	unsigned int nb_eal;
};

enum sc_command {
	SC_CMD_RUN,
	SC_CMD_REPLAY,
	SC_CMD_CHECK,
	SC_CMD_HELP,
	SC_CMD_VERSION
};

/* All defaults. */
void sc_config_init(struct sc_config *c);
/* Frees what the config owns and empties its lists; also after a call that failed. */
void sc_config_free(struct sc_config *c);

/*
 * Set one value by its word (the long option without dashes, the YAML key): "workers", "4".
 * -ENOENT for an unknown word, -EINVAL/-ERANGE with a sentence naming word, value and what would
 * be right. A list's value is appended.
 */
int sc_config_set(struct sc_config *c, const char *word, const char *value, struct sc_err *err);

/* Read a YAML file (libyaml). Unknown keys, wrong types and ranges: sentence with file, line, cause. */
int sc_config_load(struct sc_config *c, const char *path, struct sc_err *err);

/*
 * Parse a command line (argv[1] is the command) into an initialised config. --config is read first,
 * options override it: a list given as an option replaces the file's. What the file says for other
 * commands (mirror, in a replay) is left out. A replay that names neither peer nor test port gets
 * SC_PEER_CAPTURE. --help and --version anywhere become the command.
 */
int sc_config_args(struct sc_config *c, int argc, char **argv, enum sc_command *cmd,
		struct sc_err *err);

/* Rules across values for a command; 0 or -EINVAL with a sentence. */
int sc_config_check(const struct sc_config *c, enum sc_command cmd, struct sc_err *err);

/* The effective configuration as YAML that sc_config_load() reads back to the same values. */
void sc_config_print(const struct sc_config *c, FILE *out);
/* The option help: one line a row, from the schema. */
void sc_config_help(FILE *out);
/* The same, for one command: only the options that it takes. */
void sc_config_help_command(enum sc_command cmd, FILE *out);
/* docs/configuration.md */
void sc_config_help_markdown(FILE *out);

#endif
