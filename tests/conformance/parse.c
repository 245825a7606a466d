/* SPDX-License-Identifier: BSD-3-Clause */
/* parse: a line of a script becomes a step. */
#include <string.h>

#include "conform.h"

static const char *
parse_capture(struct step *st, char **save)
{
	const char *way = parse_word(save);

	if (way == NULL || (strcmp(way, ">") != 0 && strcmp(way, "<") != 0))
		return "capture needs > (client) or < (production)";
	st->half = *way == '>' ? SC_HALF_CLIENT : SC_HALF_PRODUCTION;
	return parse_segment(&st->seg, save);
}

static const char *
parse_none(struct step *st, char **save)
{
	const char *until = parse_word(save), *when = parse_word(save);

	st->kind = STEP_NONE;
	if (until == NULL || strcmp(until, "until") != 0 || when == NULL || *when != '+'
			|| !parse_time(when + 1, &st->high_us))
		return "expect none needs: until +TIME";
	return NULL;
}

static const char *
parse_within(struct step *st, char **save)
{
	char *range = parse_word(save), *dots = range == NULL ? NULL : strstr(range, "..");

	if (dots == NULL)
		return "within needs FROM..TO";
	*dots = '\0';
	if (!parse_time(range, &st->low_us) || !parse_time(dots + 2, &st->high_us)
			|| st->high_us < st->low_us)
		return "within needs FROM..TO, two times";
	st->is_within = true;
	return parse_segment(&st->seg, save);
}

static const char *
parse_expect(struct step *st, char **save)
{
	char *ahead = *save + strspn(*save, " \t");

	if (strncmp(ahead, "none", 4) == 0) {
		parse_word(save);
		return parse_none(st, save);
	}
	if (strncmp(ahead, "within", 6) == 0) {
		parse_word(save);
		return parse_within(st, save);
	}
	return parse_segment(&st->seg, save);
}

static int
find_reason(const char *name)
{
	for (int r = 1; name != NULL && r < SC_R_COUNT; r++)
		if (strcmp(name, sc_reason_name((enum sc_reason)r)) == 0)
			return r;
	return -1;
}

/* NAME VALUE, or MAP.REASON VALUE. */
static const char *
parse_ledger(struct step *st, char **save)
{
	char *name = parse_word(save), *dot = name == NULL ? NULL : strchr(name, '.');

	if (name == NULL)
		return "ledger needs a counter";
	st->counter = st->map = -1;
	if (dot != NULL) {
		*dot = '\0';
		st->reason = find_reason(dot + 1);
		for (int m = 0; m < SC_M_COUNT && st->reason > 0; m++)
			if (strcmp(name, sc_map_name((enum sc_map)m)) == 0)
				st->map = m;
	}
	for (int c = 0; c < SC_C_COUNT && dot == NULL; c++)
		if (strcmp(name, sc_counter_name((enum sc_counter)c)) == 0)
			st->counter = c;
	if (st->counter < 0 && st->map < 0)
		return "no such counter, map or reason";
	if (!parse_number(parse_word(save), &st->value))
		return "ledger needs a value";
	return NULL;
}

/* Short for the flow's ending: one flow of that name. */
static const char *
parse_outcome(struct step *st, char **save)
{
	st->kind = STEP_LEDGER;
	st->counter = -1;
	st->map = SC_M_FLOW_ENDED;
	st->reason = find_reason(parse_word(save));
	st->value = 1;
	return st->reason < 0 ? "outcome needs the name of a reason" : NULL;
}

static const char *
parse_run(struct step *st, char **save)
{
	return parse_time(parse_word(save), &st->high_us) ? NULL : "run needs a time";
}

static const char *
parse_end(struct step *st, char **save)
{
	return NULL;
}

struct verb {
	const char *name;
	enum step_kind kind;
	const char *(*parse)(struct step *st, char **save);
};

static const char *
parse_target(struct step *st, char **save)
{
	return parse_segment(&st->seg, save);
}

static const struct verb verbs[] = {
		{"capture", STEP_CAPTURE, parse_capture},
		{"target", STEP_TARGET, parse_target},
		{"expect", STEP_EXPECT, parse_expect},
		{"run", STEP_RUN, parse_run},
		{"ledger", STEP_LEDGER, parse_ledger},
		{"outcome", STEP_LEDGER, parse_outcome},
		{"end", STEP_END, parse_end},
};

/* VERB or VERB@CONNECTION. */
static const char *
parse_verb(struct step *st, char *word, char **save)
{
	char *at = strchr(word, '@');
	uint64_t conn = 0;

	if (at != NULL) {
		*at = '\0';
		if (!parse_number(at + 1, &conn) || conn >= CONNS_MAX)
			return "no such connection: 0 to 7";
	}
	st->conn = (unsigned int)conn;
	for (unsigned int i = 0; i < SC_ARRAY_SIZE(verbs); i++) {
		if (strcmp(word, verbs[i].name) != 0)
			continue;
		st->kind = verbs[i].kind;
		return verbs[i].parse(st, save);
	}
	return "no such verb: capture, target, expect, run, ledger, outcome, end";
}

/* Optional time first. */
const char *
parse_step(struct step *st, char *text)
{
	char *save, *word = strtok_r(text, " \t", &save);
	const char *wrong;

	if (*word == '+' || (*word >= '0' && *word <= '9')) {
		st->is_absolute = *word != '+';
		if (!parse_time(*word == '+' ? word + 1 : word, &st->at_us))
			return "no such time";
		word = parse_word(&save);
		if (word == NULL)
			return "a time and nothing to do";
	}
	wrong = parse_verb(st, word, &save);
	if (wrong == NULL && parse_word(&save) != NULL)
		wrong = "more words than the verb takes";
	return wrong;
}
