/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sc_stats.h>

#include "control_int.h"

#define WORDS_MAX 3

struct command {
	const char *name;
	const char *usage; /* of its argument, "" none */
	bool needs_owner;  /* with its argument, if it has one */
	json_t *(*run)(struct control_context *ctx, const char *arg);
	const char *help;
};

static const char *const levels[] = {
		[SC_LOG_ERR] = "error",
		[SC_LOG_WARN] = "warn",
		[SC_LOG_NOTICE] = "notice",
		[SC_LOG_INFO] = "info",
		[SC_LOG_DEBUG] = "debug",
};

json_t *
control_error(const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return json_pack("{s:s}", "error", text);
}

static json_t *
from_report(struct control_context *ctx, json_t *(*build)(const struct sc_report_in *))
{
	const struct sc_report_in *in = ctx->ops.report(ctx->arg);

	if (in == NULL)
		return control_error("there are no figures yet: spancopy is still starting");
	return build(in);
}

static json_t *
run_status(struct control_context *ctx, const char *arg)
{
	json_t *root = from_report(ctx, sc_report_status);

	if (root == NULL || json_object_get(root, "error") != NULL)
		return root;
	if (json_object_set_new(
			    root, "state", json_string(ctx->is_stopping ? "stopping" : "running"))
					< 0
			|| json_object_set_new(root, "pid", json_integer(getpid())) < 0) {
		json_decref(root);
		return NULL;
	}
	return root;
}

static json_t *
run_stats(struct control_context *ctx, const char *arg)
{
	return from_report(ctx, sc_report_object);
}

static json_t *
run_ledger(struct control_context *ctx, const char *arg)
{
	return from_report(ctx, sc_report_ledger);
}

static json_t *
run_reasons(struct control_context *ctx, const char *arg)
{
	json_t *root = json_object();

	for (unsigned int r = SC_R_NONE + 1; root != NULL && r < SC_R_COUNT; r++)
		if (json_object_set_new(root, sc_reason_name((enum sc_reason)r),
				    json_string(sc_reason_text((enum sc_reason)r)))
				< 0) {
			json_decref(root);
			return NULL;
		}
	return root;
}

static json_t *
run_log(struct control_context *ctx, const char *arg)
{
	for (unsigned int i = 0; arg != NULL && i < SC_ARRAY_SIZE(levels); i++)
		if (strcmp(arg, levels[i]) == 0) {
			sc_log_set_level((enum sc_log_level)i);
			arg = NULL;
		}
	if (arg != NULL)
		return control_error(
				"log level '%.40s' is not known; use error, warn, notice, info "
				"or debug",
				arg);
	return json_pack("{s:s}", "log_level", levels[sc_log_get_level()]);
}

static json_t *
run_stop(struct control_context *ctx, const char *arg)
{
	ctx->is_stopping = true;
	ctx->ops.stop(ctx->arg);
	return json_pack("{s:s}", "state", "stopping");
}

static json_t *run_help(struct control_context *ctx, const char *arg);

static const struct command commands[] = {
		{"status", "", false, run_status, "the run in a dozen figures"},
		{"stats", "", false, run_stats, "the whole report, as of now"},
		{"ledger", "", false, run_ledger, "the equations, and which do not hold"},
		{"reasons", "", false, run_reasons,
				"every reason for a refusal or end, in a sentence"},
		{"log", "[LEVEL]", true, run_log,
				"show or set the log level: error, warn, notice, info, debug"},
		{"stop", "", true, run_stop, "end the run in good order, with its report"},
		{"help", "", false, run_help, "this list"},
};

static json_t *
run_help(struct control_context *ctx, const char *arg)
{
	json_t *root = json_object();

	for (size_t i = 0; root != NULL && i < SC_ARRAY_SIZE(commands); i++)
		if (json_object_set_new(root, commands[i].name, json_string(commands[i].help))
				< 0) {
			json_decref(root);
			return NULL;
		}
	return root;
}

static unsigned int
split(char *line, char *word[WORDS_MAX])
{
	char *save = NULL, *w = strtok_r(line, " \t\r", &save);
	unsigned int nb = 0;

	for (; w != NULL && nb < WORDS_MAX; w = strtok_r(NULL, " \t\r", &save))
		word[nb++] = w;
	return nb;
}

/* `log` alone only looks. */
static bool
is_allowed(const struct command *cmd, const struct control_client *c, const char *arg)
{
	bool changes = cmd->needs_owner && (cmd->usage[0] == '\0' || arg != NULL);

	return c->role == CONTROL_OWNER || (c->role == CONTROL_READER && !changes);
}

json_t *
control_command(struct control_context *ctx, const struct control_client *c, char *line, size_t len)
{
	const struct command *cmd = NULL;
	char *word[WORDS_MAX] = {NULL};
	unsigned int nb;

	/* Only printable ASCII, so that a word can be quoted in an answer. */
	for (size_t i = 0; i < len; i++)
		if (!isprint((unsigned char)line[i]) && line[i] != '\t' && line[i] != '\r')
			return control_error(
					"the request has the byte 0x%02x at %zu; a request is a "
					"line of plain words",
					(unsigned char)line[i], i);
	nb = split(line, word);
	if (nb == 0)
		return control_error("the request is empty; try help");
	for (size_t i = 0; i < SC_ARRAY_SIZE(commands); i++)
		if (strcmp(word[0], commands[i].name) == 0)
			cmd = &commands[i];
	if (cmd == NULL)
		return control_error(
				"request '%.40s' is not known; known are status, stats, ledger, "
				"reasons, log, stop and help",
				word[0]);
	if (nb > (cmd->usage[0] == '\0' ? 1u : 2u))
		return control_error("'%.40s' is too much; the request is: %s%s%s", word[nb - 1],
				cmd->name, cmd->usage[0] == '\0' ? "" : " ", cmd->usage);
	if (!is_allowed(cmd, c, word[1]))
		return control_error("'%s' changes the run: only root and the user that runs "
				     "spancopy may, not uid %u",
				cmd->name, (unsigned int)c->uid);
	if (cmd->needs_owner && (cmd->usage[0] == '\0' || word[1] != NULL))
		sc_log(SC_LOG_NOTICE, "control", "uid %u asks: %s %s", (unsigned int)c->uid,
				cmd->name, word[1] != NULL ? word[1] : "");
	return cmd->run(ctx, word[1]);
}
