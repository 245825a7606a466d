/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stored inputs, without a fuzzer: TARGET FILE|FOLDER... runs each file once. An input that
 * does harm ends the program; one that was found and fixed stays here as a test.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"
#include "mutate.h"

#define INPUT_MAX (1 << 20)
#define PATH_ROOM 4096

static unsigned int nb_run;

/* Nothing is mutated here; libFuzzer has the function that targets name. */
size_t
LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
{
	(void)data;
	(void)max_size;
	return size;
}

static int
run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data;
	size_t len;

	if (f == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	data = malloc(INPUT_MAX);
	assert_non_null(data);
	len = fread(data, 1, INPUT_MAX, f);
	fclose(f);
	/* Of its exact size, so that a sanitizer sees a step beyond; its name, should that happen. */
	data = realloc(data, len > 0 ? len : 1);
	assert_non_null(data);
	fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(data, len);
	free(data);
	nb_run++;
	return 0;
}

static int
is_file(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static int
run_folder(const char *path)
{
	struct dirent **entry;
	int n = scandir(path, &entry, is_file, alphasort);
	char file[PATH_ROOM];
	int ret = n < 0 ? -1 : 0;

	for (int i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s/%s", path, entry[i]->d_name);
		if (run_file(file) < 0)
			ret = -1;
		free(entry[i]);
	}
	if (n < 0)
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
	else
		free(entry);
	return ret;
}

int
main(int argc, char **argv)
{
	struct stat st;
	int ret = 0;

	LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++) {
		bool is_folder = stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode);

		if ((is_folder ? run_folder(argv[i]) : run_file(argv[i])) < 0)
			ret = 1;
	}
	printf("%u inputs\n", nb_run);
	return nb_run == 0 ? 1 : ret;
}
