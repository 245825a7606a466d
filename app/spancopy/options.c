/* SPDX-License-Identifier: BSD-3-Clause */
#include "options.h"

#include <stdio.h>
#include <string.h>

#include <sc_config.h>

#define EXIT_USAGE 2

/* A row per command that has a help text of its own. */
static const struct topic {
	const char *name;
	enum sc_command cmd;
	const char *text;
} topics[] = {
		{"run", SC_CMD_RUN,
				"usage: spancopy run --mirror DEV --test DEV --test-address "
				"ADDR/LEN --map "
				"RULE [options] [-- EAL ARGS]\n"
				"       spancopy run --config FILE [options] [-- EAL ARGS]\n"
				"\n"
				"Replay what the mirror port receives onto the targets, until a "
				"signal or "
				"--duration.\n"},
		{"replay", SC_CMD_REPLAY,
				"usage: spancopy replay CAPTURE... [options] [-- EAL ARGS]\n"
				"\n"
				"Replay capture files: with --test, --test-address and --map onto "
				"a real "
				"target,\n"
				"else onto the embedded peer, which answers as production did and "
				"needs no "
				"NIC.\n"},
		{"check", SC_CMD_CHECK,
				"usage: spancopy check CAPTURE...\n"
				"       spancopy check --config FILE [options]\n"
				"\n"
				"Say what a run would do with these files; no port is touched.\n"},
};

static const char overview[] =
		"usage: spancopy COMMAND [options] [-- EAL ARGS]\n"
		"\n"
		"Replays production TCP traffic, from a switch's mirror port or a capture, against "
		"a\n"
		"target server, and accounts for every connection and byte.\n"
		"\n"
		"  spancopy run    --mirror DEV --test DEV --test-address ADDR/LEN --map RULE\n"
		"  spancopy replay CAPTURE...\n"
		"  spancopy check  CAPTURE... | --config FILE\n"
		"  spancopy help   [run | replay | check | --markdown]\n"
		"  spancopy --version\n"
		"\n"
		"RULE is [PROD_IP:]PROD_PORT-TARGET_IP:TARGET_PORT, such as 80-10.0.0.2:8080. DEV "
		"is a\n"
		"PCI address or a DPDK virtual device such as net_af_packet0,iface=eth1.\n";

static const struct topic *
find_topic(const char *name)
{
	size_t i;

	for (i = 0; i < SC_ARRAY_SIZE(topics); i++)
		if (strcmp(topics[i].name, name) == 0)
			return &topics[i];
	return NULL;
}

static void
put_help(const struct topic *topic)
{
	if (topic != NULL) {
		fputs(topic->text, stdout);
		sc_config_help_command(topic->cmd, stdout);
		return;
	}
	fputs(overview, stdout);
	sc_config_help(stdout);
}

/* "help [TOPIC]", "--help", or "COMMAND ... --help". */
static int
help(int argc, char **argv)
{
	bool is_command = strcmp(argv[1], "help") == 0;
	const char *name = is_command && argc > 2 ? argv[2] : NULL;

	if (!is_command) {
		put_help(find_topic(argv[1]));
		return 0;
	}
	if (argc == 3 && strcmp(name, "--markdown") == 0) {
		sc_config_help_markdown(stdout);
		return 0;
	}
	if (argc > 3 || (name != NULL && find_topic(name) == NULL)) {
		fputs("spancopy: help takes one of run, replay, check and --markdown\n", stderr);
		return EXIT_USAGE;
	}
	put_help(name != NULL ? find_topic(name) : NULL);
	return 0;
}

int
app_options(int argc, char **argv, struct sc_config *c, enum sc_command *cmd)
{
	struct sc_err err;
	int rc = sc_config_args(c, argc, argv, cmd, &err);

	if (rc == 0 && *cmd == SC_CMD_HELP)
		return help(argc, argv);
	if (rc == 0 && *cmd == SC_CMD_VERSION) {
		puts("spancopy " SC_VERSION);
		return 0;
	}
	if (rc == 0)
		rc = sc_config_check(c, *cmd, &err);
	if (rc < 0) {
		fprintf(stderr, "spancopy: %s\n", err.text);
		if (argc < 2)
			fputs("Try: spancopy help\n", stderr);
		return EXIT_USAGE;
	}
	if (c->print_config)
		sc_config_print(c, stdout);
	return 0;
}

bool
app_options_is_done(const struct sc_config *c, enum sc_command cmd)
{
	return cmd == SC_CMD_HELP || cmd == SC_CMD_VERSION || c->print_config;
}
