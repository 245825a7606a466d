/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_int.h"

struct args {
	int argc;
	char **argv;
	int i; /* the argument being read */
	struct sc_config *c;
	enum sc_command cmd;
	struct cfg_source file; /* what --config said; name NULL: no file */
	bool given[CFG_ROWS_MAX];
	struct sc_err *err;
};

static const struct {
	const char *name;
	enum sc_command cmd;
} commands[] = {
		{"run", SC_CMD_RUN},
		{"replay", SC_CMD_REPLAY},
		{"check", SC_CMD_CHECK},
		{"help", SC_CMD_HELP},
		{"--help", SC_CMD_HELP},
		{"version", SC_CMD_VERSION},
		{"--version", SC_CMD_VERSION},
};

/* Single letters of TCPCopy whose meaning has a word here. */
static const struct {
	char letter;
	const char *instead;
} letters[] = {
		{'a', "--speed"},
		{'c', "--clients"},
		{'h', "--help"},
		{'i', "replay FILE, or run --mirror DEV"},
		{'M', "--mtu"},
		{'n', "--copies"},
		{'O', "--only-full"},
		{'r', "--sample"},
		{'t', "--session-timeout"},
		{'v', "--version"},
		{'W', "--gate off"},
};

static int
find_command(int argc, char **argv, enum sc_command *cmd, struct sc_err *err)
{
	const char *best = NULL;
	char show[CFG_SHOW_LEN];
	unsigned int d, least = 3;
	size_t i;

	if (argc < 2)
		return sc_err_set(err, -EINVAL,
				"there is no command; give run, replay, check or help");
	for (i = 0; i < SC_ARRAY_SIZE(commands); i++) {
		if (strcmp(argv[1], commands[i].name) == 0) {
			*cmd = commands[i].cmd;
			return 0;
		}
		d = cfg_distance(argv[1], strlen(argv[1]), commands[i].name,
				strlen(commands[i].name));
		if (d < least) {
			least = d;
			best = commands[i].name;
		}
	}
	if (best != NULL)
		return sc_err_set(err, -EINVAL, "unknown command %s: did you mean %s?",
				cfg_show(argv[1], show), best);
	return sc_err_set(err, -EINVAL, "unknown command %s; give run, replay, check or help",
			cfg_show(argv[1], show));
}

/* Is `option` there before "--"? A value never begins with two dashes, so this is no value. */
static bool
has_option(const struct args *a, const char *option)
{
	int i;

	for (i = 2; i < a->argc && strcmp(a->argv[i], "--") != 0; i++)
		if (strcmp(a->argv[i], option) == 0)
			return true;
	return false;
}

/* The value of the option at a->i: behind '=', or the next argument. NULL: there is none. */
static const char *
option_value(struct args *a, const char *inline_value)
{
	if (inline_value != NULL)
		return inline_value;
	if (a->i + 1 == a->argc || strncmp(a->argv[a->i + 1], "--", 2) == 0)
		return NULL;
	return a->argv[++a->i];
}

/* --config wherever it stands, before all other options: they override it. */
static int
load_file(struct args *a)
{
	const char *arg, *value;

	for (a->i = 2; a->i < a->argc && strcmp(a->argv[a->i], "--") != 0; a->i++) {
		arg = a->argv[a->i];
		if (strncmp(arg, "--config", 8) != 0 || (arg[8] != '\0' && arg[8] != '='))
			continue;
		value = option_value(a, arg[8] == '=' ? arg + 9 : NULL);
		if (value == NULL || value[0] == '\0')
			return sc_err_set(a->err, -EINVAL,
					"--config: there is no value; give the path of a file");
		if (a->file.name != NULL)
			return sc_err_set(a->err, -EINVAL, "--config is given twice; give it once");
		a->file.name = value;
	}
	return a->file.name != NULL ? cfg_load_file(a->c, &a->file, a->err) : 0;
}

/* One value from the command line; the first of a list replaces what the file had. */
static int
set_row(struct args *a, const struct cfg_row *row, const char *shown, const char *value)
{
	char want[CFG_WANT_LEN];
	struct sc_err cause;
	int rc;

	if (value == NULL) {
		row->type->want(row, want, sizeof(want));
		return sc_err_set(a->err, -EINVAL, "%s: there is no value; give %s", shown, want);
	}
	if (!a->given[row - cfg_rows] && row->type->clear != NULL)
		row->type->clear(row, a->c);
	a->given[row - cfg_rows] = true;
	rc = row->type->set(row, a->c, value, &cause);
	return rc < 0 ? sc_err_set(a->err, rc, "%s: %s", shown, cause.text) : 0;
}

static int
refuse_for_command(const struct args *a, const struct cfg_row *row)
{
	return sc_err_set(a->err, -EINVAL, "--%s is not for %s; it is for %s", row->word,
			commands[a->cmd].name, row->cmds & CFG_CMD(SC_CMD_RUN) ? "run" : "replay");
}

/* --word VALUE, --word=VALUE, or --flag. */
static int
take_option(struct args *a)
{
	const char *word = a->argv[a->i] + 2;
	const char *equals = strchr(word, '=');
	const char *value = equals != NULL ? equals + 1 : NULL;
	size_t len = equals != NULL ? (size_t)(equals - word) : strlen(word);
	const struct cfg_row *row = cfg_find(word, len);
	char shown[CFG_SHOW_LEN - 8], show[CFG_SHOW_LEN], guess[CFG_WANT_LEN];

	if (len == strlen("config") && strncmp(word, "config", len) == 0) {
		option_value(a, value); /* load_file() has been there */
		return 0;
	}
	snprintf(shown, sizeof(shown), "--%.*s", (int)SC_MIN(len, sizeof(shown) - 3), word);
	if (row == NULL)
		return sc_err_set(a->err, -EINVAL, "unknown option %s%s", cfg_show(shown, show),
				cfg_suggest(word, len, "--", guess));
	if (row->where == CFG_ONLY_FILE)
		return sc_err_set(a->err, -EINVAL, "%s is a key of the configuration file. %s",
				shown, row->more);
	if (row->cmds != 0 && (row->cmds & CFG_CMD(a->cmd)) == 0)
		return refuse_for_command(a, row);
	if (row->type->is_flag)
		value = value != NULL ? value : "yes";
	else
		value = option_value(a, value);
	return set_row(a, row, shown, value);
}

/* -x RULE and -xRULE; every other letter is refused with its word, if it has one. */
static int
take_letter(struct args *a)
{
	const char *arg = a->argv[a->i];
	char show[CFG_SHOW_LEN];
	size_t i;

	if (arg[1] == 'x')
		return set_row(a, cfg_find("map", 3), "-x",
				option_value(a, arg[2] != '\0' ? arg + 2 : NULL));
	if (cfg_find(arg + 1, strcspn(arg + 1, "=")) != NULL)
		return sc_err_set(a->err, -EINVAL, "unknown option %s: did you mean -%s?",
				cfg_show(arg, show), arg);
	for (i = 0; i < SC_ARRAY_SIZE(letters); i++)
		if (letters[i].letter == arg[1])
			return sc_err_set(a->err, -EINVAL,
					"unknown option -%c: the only single letter is -x; give %s",
					arg[1], letters[i].instead);
	return sc_err_set(a->err, -EINVAL,
			"unknown option %s: the only single letter is -x; options are words (see "
			"spancopy help)",
			cfg_show(arg, show));
}

static int
take_capture(struct args *a)
{
	char show[CFG_SHOW_LEN];

	if (a->cmd == SC_CMD_RUN)
		return sc_err_set(a->err, -EINVAL,
				"run takes options only, found %s; to replay a file: spancopy "
				"replay "
				"FILE",
				cfg_show(a->argv[a->i], show));
	return set_row(a, cfg_find("capture", 7), "capture", a->argv[a->i]);
}

static int
take_all(struct args *a)
{
	const struct cfg_row *eal = cfg_find("eal", 3);
	const char *arg;
	int rc = 0;

	for (a->i = 2; a->i < a->argc && rc == 0; a->i++) {
		arg = a->argv[a->i];
		if (strcmp(arg, "--") == 0)
			break;
		if (strncmp(arg, "--", 2) == 0)
			rc = take_option(a);
		else if (arg[0] == '-' && arg[1] != '\0')
			rc = take_letter(a);
		else
			rc = take_capture(a);
	}
	for (a->i++; a->i < a->argc && rc == 0; a->i++)
		rc = set_row(a, eal, "--", a->argv[a->i]);
	return rc;
}

/* What a file that serves several commands says for the others is not for this one. */
static void
forget_unused(struct args *a)
{
	unsigned int i;

	for (i = 0; i < cfg_nb_rows; i++)
		if (cfg_rows[i].cmds != 0 && (cfg_rows[i].cmds & CFG_CMD(a->cmd)) == 0)
			cfg_reset(&cfg_rows[i], a->c);
}

/* A replay that names neither a peer nor a test port is answered by the embedded peer. */
static void
choose_peer(struct args *a)
{
	const struct cfg_row *row = cfg_find("peer", 4);
	bool is_said = a->given[row - cfg_rows] || a->file.first_line[row - cfg_rows] != 0;
	bool is_replay = a->cmd == SC_CMD_REPLAY
			|| (a->cmd == SC_CMD_CHECK && a->c->nb_captures > 0
					&& a->c->nb_mirror == 0);

	if (is_replay && !is_said && a->c->nb_test == 0)
		a->c->peer = SC_PEER_CAPTURE;
}

int
sc_config_args(struct sc_config *c, int argc, char **argv, enum sc_command *cmd, struct sc_err *err)
{
	struct args a = {.argc = argc, .argv = argv, .c = c, .err = err};
	int rc = find_command(argc, argv, cmd, err);

	if (rc < 0 || *cmd == SC_CMD_HELP || *cmd == SC_CMD_VERSION)
		return rc;
	if (has_option(&a, "--help") || has_option(&a, "--version")) {
		*cmd = has_option(&a, "--help") ? SC_CMD_HELP : SC_CMD_VERSION;
		return 0;
	}
	a.cmd = *cmd;
	if (a.cmd == SC_CMD_CHECK && argc == 2)
		return sc_err_set(err, -EINVAL,
				"check has nothing to look at; give capture files or --config "
				"FILE");
	rc = load_file(&a);
	if (rc == 0)
		forget_unused(&a);
	if (rc == 0)
		rc = take_all(&a);
	if (rc == 0)
		choose_peer(&a);
	return rc;
}
