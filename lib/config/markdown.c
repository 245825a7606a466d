/* SPDX-License-Identifier: BSD-3-Clause */
/* markdown: docs/configuration.md, so that the manual cannot say other than the schema. */
#include "config_int.h"

static const char intro[] =
		"# Configuration\n"
		"\n"
		"This page is written by `spancopy help --markdown > docs/configuration.md`;\n"
		"a unit test fails when it differs from what the program accepts.\n"
		"\n"
		"Every word below is a long option of the command line and a key of the\n"
		"configuration file. `spancopy check --config FILE` judges a file without\n"
		"touching a port, and `--print-config` writes what a command line comes to,\n"
		"as a file that reads back to the same.\n"
		"\n"
		"## On the command line\n"
		"\n"
		"```\n"
		"spancopy run    --config FILE [options] [-- EAL ARGS]\n"
		"spancopy run    --mirror DEV --test DEV --test-address ADDR/LEN --map RULE...\n"
		"spancopy replay CAPTURE... [--config FILE] [options] [-- EAL ARGS]\n"
		"spancopy check  CAPTURE... | --config FILE\n"
		"```\n"
		"\n"
		"* `--word VALUE` and `--word=VALUE` are the same. A value that begins with\n"
		"  `--` needs the second form.\n"
		"* A word without a value (`--only-full`) says yes; `--only-full=no` takes it\n"
		"  back.\n"
		"* `-x RULE` is `--map RULE`. No other single letter is taken.\n"
		"* A list word may be repeated: `--mirror A --mirror B`.\n"
		"* Options override the file given with `--config`; the first `--map` on the\n"
		"  command line replaces all rules of the file, and so on for every list.\n"
		"* What follows `--` goes to DPDK's EAL.\n"
		"\n"
		"## In a file\n"
		"\n"
		"YAML: one flat mapping of words to values. A list is a sequence, or one\n"
		"plain value.\n"
		"\n"
		"```yaml\n"
		"mirror: 0000:01:00.0\n"
		"test: 0000:02:00.0\n"
		"test-address: 10.0.0.1/24\n"
		"map:\n"
		"  - 80-10.0.0.2:8080\n"
		"  - 443-10.0.0.2:8443\n"
		"workers: 4\n"
		"```\n"
		"\n"
		"A file is refused, with its line, for an unknown key, a key given twice, a\n"
		"value of the wrong kind or out of range, nested lists, anchors, aliases and\n"
		"tags. Ready-made files are in `conf/`. One file can serve several commands:\n"
		"what it says for others (`mirror`, in a replay) is left out.\n"
		"\n"
		"## Values\n"
		"\n"
		"* TIME: a number with `us`, `ms`, `s`, `min` or `h`, such as `50ms` or\n"
		"  `1.5s`. Without one it counts in the unit named in the table.\n"
		"* SIZE: a number of bytes, or with `K`, `M`, `G`, `T` (powers of 1,024).\n"
		"* PCT: a percentage, with or without `%`.\n"
		"* RULE: `[PROD_IP:]PROD_PORT-TARGET_IP:TARGET_PORT`, IPv6 addresses in\n"
		"  brackets: `[2001:db8::5]:80-[2001:db8:1::2]:8080`. Several, separated by\n"
		"  commas.\n"
		"* POOL: addresses, ranges (`10.1.0.1-10.1.3.254`, `10.1.0.1-99`), prefixes\n"
		"  (`10.1.0.0/22`) and `10.1.0.x` (.1 to .254). Several, separated by commas.\n"
		"* DEV: a PCI address, or a DPDK virtual device with its arguments such as\n"
		"  `net_af_packet0,iface=eth1`.\n";

static const char outro[] =
		"\n"
		"## What must fit together\n"
		"\n"
		"* `run` needs `mirror`, `test`, `test-address` and `map`. `replay` needs a\n"
		"  capture and either the embedded peer (`peer: capture`, the default without\n"
		"  `test`) or `test`, `test-address` and `map`.\n"
		"* Each port needs a device and an interface of its own.\n"
		"* A target needs a `test-address` of its family, and to lie in its prefix or\n"
		"  behind the `gateway` of its family. A gateway lies in a `test-address`\n"
		"  prefix.\n"
		"* A target is not a named production address, the box or a network's\n"
		"  broadcast address.\n"
		"* `clients` has addresses of every target's family, and none of the box, a\n"
		"  gateway, a target or a named production address. A rule between IPv4 and\n"
		"  IPv6 needs `clients`.\n"
		"* `clients-on-link` needs `clients`, at most `neighbour-limit` of them.\n"
		"* IPv6 targets need an `mtu` of at least 1280.\n"
		"* `intercept: inline` goes with `intercepts: 1`; `impair` with `peer:\n"
		"  capture`.\n"
		"* `max-flows` times `copies` is less than 4,294,967,296.\n";

static void
put_row(const struct cfg_row *row, FILE *out)
{
	char want[CFG_WANT_LEN];
	const char *def = row->def != NULL ? row->def : "";

	row->type->want(row, want, sizeof(want));
	fprintf(out, "| `%s` | %s | %s | %s.", row->word, want, def, row->help);
	if (row->more != NULL)
		fprintf(out, " %s", row->more);
	if (row->where == CFG_ONLY_FILE)
		fputs(" In a file only.", out);
	else if (row->where == CFG_ONLY_ARGS)
		fputs(" On the command line only.", out);
	else if (row->cmds != 0)
		fprintf(out, " For %s.", row->cmds & CFG_CMD(SC_CMD_RUN) ? "`run`" : "`replay`");
	fputs(" |\n", out);
}

void
sc_config_help_markdown(FILE *out)
{
	enum cfg_group group = CFG_NB_GROUPS;
	unsigned int i;

	fputs(intro, out);
	for (i = 0; i < cfg_nb_rows; i++) {
		if (cfg_rows[i].group != group)
			fprintf(out,
					"\n## %s\n\n| word | value | default | meaning "
					"|\n|---|---|---|---|\n",
					cfg_group_title[cfg_rows[i].group]);
		group = cfg_rows[i].group;
		put_row(&cfg_rows[i], out);
	}
	fputs(outro, out);
}
