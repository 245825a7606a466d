/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config: text of a configuration file or, behind a first line "$", the words of a command line, one
 * a line. What is taken prints, and reads back to the same; what is refused is explained.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_support.h"
#include "fuzz.h"

#define TEXT_MAX 16384
#define WORDS_MAX 64

static struct sc_config config;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_begin();
	return 0;
}

static void
check_taken(const struct sc_config *c)
{
	struct sc_err err;

	for (int cmd = SC_CMD_RUN; cmd <= SC_CMD_CHECK; cmd++) {
		err.text[0] = '\0';
		if (sc_config_check(c, (enum sc_command)cmd, &err) < 0)
			assert_true(err.text[0] != '\0');
	}
	expect_round_trip(c);
}

static void
run_file(const char *text, size_t len)
{
	struct cfg_source src = {.name = "t.yaml", .text = text, .len = len};
	struct sc_err err = {""};
	unsigned int line;

	if (cfg_load_text(&config, &src, &err) == 0)
		check_taken(&config);
	else if (sscanf(err.text, "t.yaml:%u: ", &line) != 1 || line == 0)
		fail_msg("the sentence is '%s'", err.text);
}

/* The words of `text`, cut at line ends; false: one would read a file of this machine. */
static bool
split(char *text, char *word[WORDS_MAX], int *nb)
{
	char *rest = text, *w;

	while (*nb < WORDS_MAX - 1 && (w = strsep(&rest, "\n")) != NULL) {
		if (strncmp(w, "--config", 8) == 0)
			return false;
		word[(*nb)++] = w;
	}
	word[*nb] = NULL;
	return true;
}

static void
run_words(char *text)
{
	char *word[WORDS_MAX] = {"spancopy"};
	enum sc_command cmd = SC_CMD_HELP;
	struct sc_err err = {""};
	int nb = 1;

	if (!split(text, word, &nb))
		return;
	if (sc_config_args(&config, nb, word, &cmd, &err) < 0)
		assert_true(err.text[0] != '\0');
	else if (cmd == SC_CMD_RUN || cmd == SC_CMD_REPLAY || cmd == SC_CMD_CHECK)
		check_taken(&config);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size > TEXT_MAX)
		return 0;
	text = malloc(size + 1);
	assert_non_null(text);
	memcpy(text, data, size);
	text[size] = '\0';
	sc_config_init(&config);
	if (strncmp(text, "$\n", 2) == 0)
		run_words(text + 2);
	else
		run_file(text, size);
	sc_config_free(&config);
	free(text);
	return 0;
}
