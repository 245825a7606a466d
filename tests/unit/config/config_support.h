/* SPDX-License-Identifier: BSD-3-Clause */
/* config_support: what the tests of this room share. */
#ifndef CONFIG_SUPPORT_H
#define CONFIG_SUPPORT_H

#include "config_int.h"

/* Load YAML text into an initialised config. */
int load_text(struct sc_config *c, const char *text, struct sc_err *err);
/* The effective configuration as text, to be freed. */
char *print_text(const struct sc_config *c);
/* NULL if a and b say the same, else the first word that differs. */
const char *first_difference(const struct sc_config *a, const struct sc_config *b);
/* Print c, load that into a fresh config and expect the same. */
void expect_round_trip(const struct sc_config *c);
/* Set one word of c and expect success. */
void must_set(struct sc_config *c, const char *word, const char *value);

#endif
