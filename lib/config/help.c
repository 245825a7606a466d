/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "config_int.h"

/* Column of the explanations. */
#define HELP_COLUMN 28

static void
put_row(const struct cfg_row *row, FILE *out)
{
	char want[CFG_WANT_LEN];
	int n = fprintf(out, "  --%s", row->word);

	if (!row->type->is_flag)
		n += fprintf(out, " %s", row->arg);
	fprintf(out, "%*s%s", HELP_COLUMN - n, "", row->help);
	if (row->names != NULL) {
		row->type->want(row, want, sizeof(want));
		fprintf(out, ": %s", want);
	}
	if (row->def != NULL && !row->type->is_flag)
		fprintf(out, " [%s]", row->def);
	fputc('\n', out);
}

/* The rows that any of the commands in `cmds` takes as an option. */
static void
put_rows(unsigned int cmds, FILE *out)
{
	enum cfg_group group = CFG_NB_GROUPS;
	const struct cfg_row *row;
	unsigned int i;

	for (i = 0; i < cfg_nb_rows; i++) {
		row = &cfg_rows[i];
		if (row->where == CFG_ONLY_FILE || (row->cmds != 0 && (row->cmds & cmds) == 0))
			continue;
		if (row->group != group)
			fprintf(out, "\n%s:\n", cfg_group_title[row->group]);
		group = row->group;
		put_row(row, out);
	}
	fprintf(out, "\n  %-*s%s\n", HELP_COLUMN - 2, "--config FILE",
			"read a YAML file first; options override it");
}

void
sc_config_help(FILE *out)
{
	put_rows(~0u, out);
}

void
sc_config_help_command(enum sc_command cmd, FILE *out)
{
	put_rows(CFG_CMD(cmd), out);
}
