/* SPDX-License-Identifier: BSD-3-Clause */
#include "config_int.h"

void
sc_config_print(const struct sc_config *c, FILE *out)
{
	enum cfg_group group = CFG_NB_GROUPS;
	const struct cfg_row *row;
	unsigned int i;

	fputs("# effective configuration of spancopy\n", out);
	for (i = 0; i < cfg_nb_rows; i++) {
		row = &cfg_rows[i];
		if (row->where == CFG_ONLY_ARGS)
			continue;
		if (row->group != group)
			fprintf(out, "\n# %s\n", cfg_group_title[row->group]);
		group = row->group;
		if (row->type->has_value != NULL && !row->type->has_value(row, c)) {
			fprintf(out, "# %s: not set\n", row->word);
			continue;
		}
		fprintf(out, "%s:", row->word);
		row->type->print(row, c, out);
	}
}
