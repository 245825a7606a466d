/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl.h"

#include <getopt.h>
#include <string.h>

#include <sc_control.h>

static const char usage[] =
		"usage: spancopyctl [--control-dir DIR] [--json] REQUEST\n"
		"\n"
		"Ask a running spancopy and print its answer as JSON (status: as a table).\n"
		"\n"
		"  status        the run in a dozen figures\n"
		"  stats         the whole report, as of now\n"
		"  ledger        the equations, and which do not hold\n"
		"  reasons       every reason for a refusal or end, in a sentence\n"
		"  log [LEVEL]   show or set the log level: error, warn, notice, info, debug\n"
		"  stop          end the run in good order, with its report\n"
		"  help          what the running spancopy understands\n"
		"\n"
		"  --control-dir DIR  directory of the socket, as given to spancopy (" CTL_DIR ")\n"
		"  --json             JSON for status, too\n"
		"  --help, --version\n"
		"\n"
		"Exit status: 0 answered; 1 refused, or the ledger is not balanced; 2 no answer.\n";

struct options {
	const char *dir;
	bool wants_json;
	bool wants_help;
	bool wants_version;
};

static const struct option long_options[] = {
		{"control-dir", required_argument, NULL, 'd'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
};

/* False with a sentence when an option is not right; optind stands at the request then. */
static bool
parse_options(int argc, char **argv, struct options *opt, FILE *errs)
{
	int c;

	*opt = (struct options){.dir = CTL_DIR};
	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":d:jhV", long_options, NULL)) != -1) {
		switch (c) {
		case 'd':
			opt->dir = optarg;
			break;
		case 'j':
			opt->wants_json = true;
			break;
		case 'h':
			opt->wants_help = true;
			break;
		case 'V':
			opt->wants_version = true;
			break;
		case ':':
			fprintf(errs, "spancopyctl: %s needs a directory\n", argv[optind - 1]);
			return false;
		default:
			fprintf(errs, "spancopyctl: option %s is not known; try --help\n",
					argv[optind - 1]);
			return false;
		}
	}
	return true;
}

/* The words of the command line as one line. False with a sentence if they make none. */
static bool
join_words(int nb, char **word, char *line, FILE *errs)
{
	size_t n = 0;

	if (nb == 0) {
		fprintf(errs, "spancopyctl: what to ask is missing; try --help\n");
		return false;
	}
	for (int i = 0; i < nb; i++) {
		if (strchr(word[i], '\n') != NULL) {
			fprintf(errs, "spancopyctl: a request is one line, word %d has a newline\n",
					i + 1);
			return false;
		}
		n += (size_t)snprintf(line + n, SC_CONTROL_LINE_MAX - n, "%s%s", i == 0 ? "" : " ",
				word[i]);
		/* Room for the newline. */
		if (n >= SC_CONTROL_LINE_MAX - 1) {
			fprintf(errs, "spancopyctl: the request is longer than %u bytes\n",
					SC_CONTROL_LINE_MAX);
			return false;
		}
	}
	return true;
}

static int
show(const json_t *answer, const char *request, bool wants_json, FILE *out, FILE *errs)
{
	const char *error = json_string_value(json_object_get(answer, "error"));
	int rc;

	if (error != NULL && !wants_json) {
		fprintf(errs, "spancopyctl: %s\n", error);
		return CTL_REFUSED;
	}
	if (strcmp(request, "status") == 0 && !wants_json)
		rc = ctl_show_status(answer, out);
	else
		rc = ctl_show_json(answer, out);
	if (rc < 0) {
		fprintf(errs, "spancopyctl: the answer could not be written\n");
		return CTL_FAILED;
	}
	if (error != NULL)
		return CTL_REFUSED;
	if (strcmp(request, "ledger") == 0 && !json_is_true(json_object_get(answer, "balanced")))
		return CTL_REFUSED;
	return CTL_OK;
}

int
ctl_run(int argc, char **argv, FILE *out, FILE *errs)
{
	static char line[SC_CONTROL_LINE_MAX];
	struct options opt;
	struct sc_err err;
	json_t *answer;
	int rc;

	if (!parse_options(argc, argv, &opt, errs))
		return CTL_FAILED;
	if (opt.wants_help || opt.wants_version) {
		fputs(opt.wants_help ? usage : "spancopyctl " SC_VERSION "\n", out);
		return fflush(out) == 0 ? CTL_OK : CTL_FAILED;
	}
	if (!join_words(argc - optind, argv + optind, line, errs))
		return CTL_FAILED;
	answer = ctl_ask(opt.dir, line, &err);
	if (answer == NULL) {
		fprintf(errs, "spancopyctl: %s\n", err.text);
		return CTL_FAILED;
	}
	rc = show(answer, line, opt.wants_json, out, errs);
	json_decref(answer);
	return rc;
}
