/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * conform: runs conformance scripts.
 *
 *	conform FILE...               each script must pass, in each of its variants; a folder is its
 *	                              *.tcp
 *	conform --must-fail FILE...   each must fail, with the words of its "# fails:"
 *	conform --markdown HEAD FILE...          print docs/tcp-conformance.md
 *	conform --compare PAGE HEAD FILE...      is it that? SC_REWRITE_DOCS=1: write it anew
 */
#include "conform.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <test_eal.h>

#define SCRIPTS_MAX 1024
#define CLOCK_US 1700000000000000ull
/* 60 ms later the clock's low 32 bits of microseconds and of milliseconds both begin anew. */
#define CLOCK_WRAP_US ((1000ull << 32) - 60000)

/*
 * Scripts count the client from 1000, production from 5000, the target from 7000 and its clock from
 * 700. The wrap variants put 2^32 right behind the first bytes of each.
 */
static const struct variant variants[] = {
		{"IPv4", false, 0, 0, 0, 0, CLOCK_US},
		{"IPv6", true, 0, 0, 0, 0, CLOCK_US},
		{"IPv4, numbers wrap", false, 0u - 1050, 0u - 5050, 0u - 7050, 0u - 710,
				CLOCK_WRAP_US},
		{"IPv6, numbers wrap", true, 0u - 1050, 0u - 5050, 0u - 7050, 0u - 710,
				CLOCK_WRAP_US},
};

/* The script in each variant that its settings allow. */
static void
run_all(const struct script *s, struct verdict *v)
{
	for (unsigned int i = 0; i < SC_ARRAY_SIZE(variants) && !v->is_bad; i++) {
		struct variant var = variants[i];

		if (!(var.v6 ? s->set.v6 : s->set.v4) || (s->set.is_plain && i >= 2))
			continue;
		var.client += s->set.base[0];
		var.production += s->set.base[1];
		var.target += s->set.base[2];
		script_run(s, &var, v);
	}
}

static int
run_scripts(struct script *const *scripts, unsigned int nb, bool must_fail)
{
	unsigned int passed = 0;

	for (unsigned int i = 0; i < nb; i++) {
		struct script *s = scripts[i];
		struct verdict v = {0};

		if (script_read(s, &v))
			run_all(s, &v);
		if (must_fail && v.is_bad && s->fails[0] != '\0' && strstr(v.text, s->fails))
			passed++;
		else if (must_fail)
			printf("%s: must fail with \"%s\", but %s\n", s->path, s->fails,
					v.is_bad ? v.text : "passed");
		else if (v.is_bad)
			printf("%s\n", v.text);
		else
			passed++;
	}
	printf("%u passed, %u failed\n", passed, nb - passed);
	return passed == nb ? 0 : 1;
}

static int
run_with_eal(struct script *const *scripts, unsigned int nb, bool must_fail)
{
	if (test_eal_setup(NULL) < 0)
		return 1;
	bed_setup();
	return run_scripts(scripts, nb, must_fail);
}

static int
mode_run(char **args, struct script *const *scripts, unsigned int nb)
{
	return run_with_eal(scripts, nb, false);
}

static int
mode_must_fail(char **args, struct script *const *scripts, unsigned int nb)
{
	return run_with_eal(scripts, nb, true);
}

/* ---- the page ---- */

static bool
read_scripts(struct script *const *scripts, unsigned int nb)
{
	for (unsigned int i = 0; i < nb; i++) {
		struct verdict v = {0};

		if (script_read(scripts[i], &v))
			continue;
		printf("%s\n", v.text);
		return false;
	}
	return true;
}

static bool
is_file_equal(const char *path, const char *text, size_t len)
{
	FILE *f = fopen(path, "r");
	char *got = malloc(len + 1);
	bool same = f != NULL && got != NULL && fread(got, 1, len + 1, f) == len
			&& memcmp(got, text, len) == 0;

	if (f != NULL)
		fclose(f);
	free(got);
	return same;
}

static int
compare_page(const char *page, const char *head, struct script *const *scripts, unsigned int nb)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	bool fine = f != NULL && doc_print(f, head, scripts, nb);

	if (f == NULL || fclose(f) != 0 || !fine) {
		printf("%s cannot be read\n", head);
		free(text);
		return 1;
	}
	if (getenv("SC_REWRITE_DOCS") != NULL && (f = fopen(page, "w")) != NULL) {
		fwrite(text, 1, len, f);
		fclose(f);
	}
	fine = is_file_equal(page, text, len);
	if (!fine)
		printf("%s is not what the scripts say: run this with SC_REWRITE_DOCS=1\n", page);
	free(text);
	return fine ? 0 : 1;
}

static int
mode_compare(char **args, struct script *const *scripts, unsigned int nb)
{
	return read_scripts(scripts, nb) ? compare_page(args[0], args[1], scripts, nb) : 1;
}

static int
mode_markdown(char **args, struct script *const *scripts, unsigned int nb)
{
	return read_scripts(scripts, nb) && doc_print(stdout, args[0], scripts, nb) ? 0 : 1;
}

/* ---- arguments ---- */

static int
is_script(const struct dirent *d)
{
	size_t len = strlen(d->d_name);

	return len > 4 && strcmp(d->d_name + len - 4, ".tcp") == 0;
}

static bool
add_script(struct script **scripts, unsigned int *nb, const char *folder, const char *name)
{
	struct script *s = *nb < SCRIPTS_MAX ? calloc(1, sizeof(*s)) : NULL;
	size_t room = strlen(folder) + strlen(name) + 2;

	if (s == NULL)
		return false;
	scripts[(*nb)++] = s;
	s->path = malloc(room);
	if (s->path != NULL)
		snprintf(s->path, room, "%s%s%s", folder, *folder == '\0' ? "" : "/", name);
	return s->path != NULL;
}

/* A file is a script; a folder is all that end in .tcp. */
static bool
add_argument(struct script **scripts, unsigned int *nb, const char *arg)
{
	struct dirent **entry;
	int n = scandir(arg, &entry, is_script, alphasort);
	bool fine = true;

	if (n < 0)
		return add_script(scripts, nb, "", arg);
	for (int i = 0; i < n; i++) {
		fine = fine && add_script(scripts, nb, arg, entry[i]->d_name);
		free(entry[i]);
	}
	free(entry);
	return fine;
}

/* A mode, and how many arguments it takes before the scripts. */
struct mode {
	const char *name;
	int nb_args;
	int (*run)(char **args, struct script *const *scripts, unsigned int nb);
};

static const struct mode modes[] = {
		{"--must-fail", 0, mode_must_fail},
		{"--markdown", 1, mode_markdown},
		{"--compare", 2, mode_compare},
		{"", 0, mode_run},
};

static int
usage(void)
{
	fputs("usage: conform [--must-fail | --markdown HEAD | --compare PAGE HEAD] "
	      "FILE|FOLDER...\n",
			stderr);
	return 2;
}

int
main(int argc, char **argv)
{
	static struct script *scripts[SCRIPTS_MAX];
	const struct mode *m = modes;
	unsigned int nb = 0;
	int first, ret;
	bool fine = true;

	while (*m->name != '\0' && (argc < 2 || strcmp(argv[1], m->name) != 0))
		m++;
	first = (*m->name != '\0' ? 2 : 1) + m->nb_args;
	for (int i = first; i < argc; i++)
		fine = fine && argv[i][0] != '-' && add_argument(scripts, &nb, argv[i]);
	ret = fine && nb > 0 ? m->run(argv + first - m->nb_args, scripts, nb) : usage();
	for (unsigned int i = 0; i < nb; i++) {
		free(scripts[i]->path);
		free(scripts[i]);
	}
	return ret;
}
