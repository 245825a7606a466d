/* SPDX-License-Identifier: BSD-3-Clause */
/* doc: docs/tcp-conformance.md: the language from a file, then a row per clause and script. */
#include <stdlib.h>
#include <string.h>

#include "conform.h"

struct row {
	const char *clause;
	const struct script *script;
};

/* Numbers inside the text count as numbers: 3.10 comes behind 3.9. */
static int
compare_natural(const char *a, const char *b)
{
	while (*a != '\0' && *b != '\0') {
		if (*a >= '0' && *a <= '9' && *b >= '0' && *b <= '9') {
			char *a_end, *b_end;
			unsigned long x = strtoul(a, &a_end, 10), y = strtoul(b, &b_end, 10);

			if (x != y)
				return x < y ? -1 : 1;
			a = a_end;
			b = b_end;
			continue;
		}
		if (*a != *b)
			return *a < *b ? -1 : 1;
		a++;
		b++;
	}
	return (*a != '\0') - (*b != '\0');
}

static int
compare_rows(const void *x, const void *y)
{
	const struct row *a = x, *b = y;
	int order = compare_natural(a->clause, b->clause);

	return order != 0 ? order : strcmp(a->script->path, b->script->path);
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

static bool
print_file(FILE *out, const char *path)
{
	FILE *f = fopen(path, "r");
	char text[512];

	if (f == NULL)
		return false;
	while (fgets(text, sizeof(text), f) != NULL)
		fputs(text, out);
	fclose(f);
	return true;
}

static const char *
families(const struct script *s)
{
	if (s->set.v4 && s->set.v6)
		return "4, 6";
	return s->set.v4 ? "4" : "6";
}

bool
doc_print(FILE *out, const char *head, struct script *const *scripts, unsigned int nb)
{
	struct row *rows = calloc((size_t)nb * CLAUSES_MAX, sizeof(*rows));
	unsigned int n = 0;

	if (rows == NULL || !print_file(out, head)) {
		free(rows);
		return false;
	}
	for (unsigned int i = 0; i < nb; i++)
		for (unsigned int c = 0; c < scripts[i]->nb_clauses; c++)
			rows[n++] = (struct row){scripts[i]->clause[c], scripts[i]};
	qsort(rows, n, sizeof(*rows), compare_rows);
	fprintf(out,
			"\n## The clauses\n\n%u scripts, %u rows.\n\n"
			"| clause | script | about | IP | result |\n|---|---|---|---|---|\n",
			nb, n);
	for (unsigned int i = 0; i < n; i++)
		fprintf(out, "| %s | `%s` | %s: %s | %s | tested |\n", rows[i].clause,
				base_name(rows[i].script->path), rows[i].script->name,
				rows[i].script->about, families(rows[i].script));
	free(rows);
	return true;
}
