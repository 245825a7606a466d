/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * conform: runs conformance scripts.
 *
 *	conform FILE...               each script must pass, in each of its variants
 *	conform --must-fail FILE...   each must fail, with the words of its "# fails:"
 *	conform --markdown HEAD FILE...          print docs/tcp-conformance.md
 *	conform --compare PAGE HEAD FILE...      is it that? SC_REWRITE_DOCS=1: write it anew
 */
#include "conform.h"

#include <stdlib.h>
#include <string.h>
#include <test_eal.h>

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
		const char *path = s->path;

		if (script_read(s, path, &v))
			run_all(s, &v);
		if (must_fail && v.is_bad && s->fails[0] != '\0' && strstr(v.text, s->fails))
			passed++;
		else if (must_fail)
			printf("%s: must fail with \"%s\", but %s\n", path, s->fails,
					v.is_bad ? v.text : "passed");
		else if (v.is_bad)
			printf("%s\n", v.text);
		else
			passed++;
	}
	printf("%u passed, %u failed\n", passed, nb - passed);
	return passed == nb ? 0 : 1;
}

/* ---- the page ---- */

static bool
read_scripts(struct script *const *scripts, unsigned int nb)
{
	for (unsigned int i = 0; i < nb; i++) {
		struct verdict v = {0};

		if (script_read(scripts[i], scripts[i]->path, &v))
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
print_page(const char *head, struct script *const *scripts, unsigned int nb)
{
	return doc_print(stdout, head, scripts, nb) ? 0 : 1;
}

static int
usage(void)
{
	fputs("usage: conform [--must-fail | --markdown HEAD | --compare PAGE HEAD] FILE...\n",
			stderr);
	return 2;
}

int
main(int argc, char **argv)
{
	const char *mode = argc > 1 && argv[1][0] == '-' ? argv[1] : "";
	bool is_page = strcmp(mode, "--markdown") == 0, is_cmp = strcmp(mode, "--compare") == 0;
	int first = *mode == '\0' ? 1 : is_page ? 3 : is_cmp ? 4 : 2, ret;
	unsigned int nb = argc > first ? (unsigned int)(argc - first) : 0;
	struct script **scripts;

	if (nb == 0 || (*mode != '\0' && !is_page && !is_cmp && strcmp(mode, "--must-fail") != 0))
		return usage();
	scripts = calloc(nb, sizeof(*scripts));
	for (unsigned int i = 0; scripts != NULL && i < nb; i++) {
		scripts[i] = calloc(1, sizeof(**scripts));
		if (scripts[i] == NULL)
			return 1;
		scripts[i]->path = argv[first + (int)i];
	}
	if (scripts == NULL)
		return 1;
	if ((is_page || is_cmp) && !read_scripts(scripts, nb)) {
		ret = 1;
	} else if (is_page) {
		ret = print_page(argv[2], scripts, nb);
	} else if (is_cmp) {
		ret = compare_page(argv[2], argv[3], scripts, nb);
	} else if (test_eal_setup(NULL) < 0) {
		ret = 1;
	} else {
		bed_setup();
		ret = run_scripts(scripts, nb, *mode != '\0');
	}
	for (unsigned int i = 0; i < nb; i++)
		free(scripts[i]);
	free(scripts);
	return ret;
}
