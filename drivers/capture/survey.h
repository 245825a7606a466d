/* SPDX-License-Identifier: BSD-3-Clause */
/* The survey's table of connections. */
#ifndef SURVEY_H
#define SURVEY_H

#include <sc_capture.h>

struct survey_conns;

struct survey_conns *survey_conns_create(const struct sc_rule *rules, unsigned int nb_rules);
void survey_conns_destroy(struct survey_conns *t);
/* Take a segment that is not a duplicate; false: the table is full and has no such connection. */
bool survey_conns_add(struct survey_conns *t, struct sc_survey *s, const struct sc_seg *seg);
/* Sum the connections up into s->all, s->mapped and the servers, and sort these. */
void survey_conns_finish(const struct survey_conns *t, struct sc_survey *s);

#endif
