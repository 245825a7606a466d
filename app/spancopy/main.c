/* SPDX-License-Identifier: BSD-3-Clause */
/* spancopy: a table of contents. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <rte_eal.h>

#include "app.h"
#include "options.h"

static void
log_to_stderr(enum sc_log_level level, const char *area, const char *text, void *arg)
{
	static const char *const word[] = {"error", "warning", "notice", "info", "debug"};

	fprintf(stderr, "spancopy: %s: %s: %s\n", word[level], area, text);
}

static void
set_log_level(const char *word)
{
	static const char *const words[] = {"error", "warn", "notice", "info", "debug"};

	for (unsigned int i = 0; i < SC_ARRAY_SIZE(words); i++)
		if (strcmp(word, words[i]) == 0)
			sc_log_set_level((enum sc_log_level)i);
}

/* Memory holds production data: no core dumps. */
static void
no_core_dumps(void)
{
	struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
}

/* Before EAL makes its threads, which inherit the mask: only main, by its signalfd, takes these. */
static void
block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int
fail(const struct sc_err *err, int status)
{
	fprintf(stderr, "spancopy: %s\n", err->text);
	return status;
}

static int
replay(struct app *a)
{
	struct sc_err err = {""};
	int status;

	set_log_level(a->cfg.log_level);
	block_signals();
	status = app_eal_start(a, &err);
	if (status != APP_OK)
		return fail(&err, status);
	status = app_boot(a, &err);
	if (status == APP_OK)
		status = app_loop(a, &err);
	app_shutdown(a);
	rte_eal_cleanup();
	return status == APP_OK ? app_verdict(a) : fail(&err, status);
}

/* What a run would take; here it may be missing, as the check need not be on the box. */
static void
print_memory(struct app *a)
{
	struct app_memory m;
	struct sc_err err;
	char text[256];

	app_memory_plan(a, &m);
	app_memory_text(a, &m, text, sizeof(text));
	printf("Memory: %s.\n", text);
	if (app_memory_check(a, &m, &err) < 0)
		printf("This machine would refuse it: %s\n", err.text);
}

static int
check(struct app *a)
{
	struct sc_survey *survey;
	struct sc_err err = {""};
	int status = APP_OK;

	if (a->cfg.nb_captures == 0) {
		print_memory(a);
		printf("The configuration is fit to run.\n");
		return APP_OK;
	}
	survey = calloc(1, sizeof(*survey));
	if (survey == NULL) {
		sc_err_set(&err, -ENOMEM, "no memory for the survey of a capture");
		return fail(&err, APP_ENVIRONMENT);
	}
	if (sc_survey_run(a->cfg.capture, a->cfg.nb_captures, a->cfg.rule, a->cfg.nb_rules, survey,
			    &err)
			< 0) {
		free(survey);
		return fail(&err, APP_CAPTURE);
	}
	sc_survey_print(survey, stdout);
	print_memory(a);
	if (!sc_survey_is_fit(survey))
		status = APP_CAPTURE;
	free(survey);
	return status;
}

int
main(int argc, char **argv)
{
	struct app *a = calloc(1, sizeof(*a));
	int status;

	if (a == NULL) {
		fprintf(stderr, "spancopy: no memory to start\n");
		return APP_ENVIRONMENT;
	}
	no_core_dumps();
	sc_log_set_sink(log_to_stderr, NULL);
	sc_config_init(&a->cfg);
	status = app_options(argc, argv, &a->cfg, &a->cmd);
	if (status == APP_OK && !app_options_is_done(&a->cfg, a->cmd))
		status = a->cmd == SC_CMD_CHECK ? check(a) : replay(a);
	sc_config_free(&a->cfg);
	free(a);
	return status;
}
