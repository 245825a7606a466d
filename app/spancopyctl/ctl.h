/* SPDX-License-Identifier: BSD-3-Clause */
/* spancopyctl: ask a running spancopy, and show what it says. */
#ifndef CTL_H
#define CTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include <sc_base.h>

#define CTL_DIR "/run/spancopy"

/* Exit status. */
enum ctl_exit {
	CTL_OK = 0,
	CTL_REFUSED = 1, /* the answer is an error, or a ledger that is not balanced */
	CTL_FAILED = 2   /* wrong words on the command line, or no answer */
};

/* The program, apart from the process: answers go to out, sentences to errs. Not reentrant. */
int ctl_run(int argc, char **argv, FILE *out, FILE *errs);

/*
 * Send one line of words to the socket in dir and read one answer. A new reference, or NULL with a
 * sentence.
 */
json_t *ctl_ask(const char *dir, const char *request, struct sc_err *err);

/* Indented JSON, or the short table of `status`. 0 or -EIO. */
int ctl_show_json(const json_t *answer, FILE *out);
int ctl_show_status(const json_t *answer, FILE *out);

#endif
