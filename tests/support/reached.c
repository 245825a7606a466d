/* SPDX-License-Identifier: BSD-3-Clause */
#include "reached.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *dir;
static pid_t owner;
static bool has_counter[SC_C_COUNT], has_reason[SC_M_COUNT][SC_R_COUNT];

static void
write_all(FILE *out)
{
	for (unsigned int i = 0; i < SC_C_COUNT; i++)
		if (has_counter[i])
			fprintf(out, "counter %s\n", sc_counter_name((enum sc_counter)i));
	for (unsigned int m = 0; m < SC_M_COUNT; m++)
		for (unsigned int r = 0; r < SC_R_COUNT; r++)
			if (has_reason[m][r])
				fprintf(out, "reason %s %s\n", sc_map_name((enum sc_map)m),
						sc_reason_name((enum sc_reason)r));
}

/* A child of the program must not write its parent's file. */
static void
at_exit(void)
{
	char path[4096];
	FILE *out;

	if (getpid() != owner)
		return;
	snprintf(path, sizeof(path), "%s/%s", dir, program_invocation_short_name);
	if ((mkdir(dir, 0777) < 0 && errno != EEXIST) || (out = fopen(path, "w")) == NULL) {
		perror(path);
		_exit(1);
	}
	write_all(out);
	if (fclose(out) != 0)
		_exit(1);
}

void
test_reached(const struct sc_stats *st)
{
	static bool is_set_up;

	if (!is_set_up) {
		is_set_up = true;
		dir = getenv("SC_REACHED_DIR");
		owner = getpid();
		if (dir != NULL)
			atexit(at_exit);
	}
	if (dir == NULL)
		return;
	for (unsigned int i = 0; i < SC_C_COUNT; i++)
		has_counter[i] |= st->c[i] != 0;
	for (unsigned int m = 0; m < SC_M_COUNT; m++)
		for (unsigned int r = 0; r < SC_R_COUNT; r++)
			has_reason[m][r] |= st->m[m][r] != 0;
}
