/* SPDX-License-Identifier: BSD-3-Clause */
/* options: from the command line to a checked configuration, or to a text for the operator. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <sc_config.h>

/*
 * Read and check the command line into an initialised config. Returns the exit status: 0 go on, 2
 * usage (the sentence went to stderr). Help, version and --print-config have been written to stdout;
 * app_options_is_done() then says that there is nothing left to do. Thread: main.
 */
int app_options(int argc, char **argv, struct sc_config *c, enum sc_command *cmd);
bool app_options_is_done(const struct sc_config *c, enum sc_command cmd);

#endif
