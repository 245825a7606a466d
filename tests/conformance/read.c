/* SPDX-License-Identifier: BSD-3-Clause */
/* read: a script's file: what it is about, its settings, its steps. Refused by line. */
#include <stdarg.h>
#include <string.h>

#include "conform.h"

void
verdict_fail(struct verdict *v, const struct script *s, int line, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (v->is_bad)
		return;
	v->is_bad = true;
	n = snprintf(v->text, sizeof(v->text), "%s:%d: ", s->path, line);
	if (n < 0 || (size_t)n >= sizeof(v->text))
		return;
	va_start(ap, fmt);
	vsnprintf(v->text + n, sizeof(v->text) - (size_t)n, fmt, ap);
	va_end(ap);
}

/* ---- settings ---- */

static bool
set_family(struct setting *set, const char *word)
{
	set->v4 = strcmp(word, "v6") != 0;
	set->v6 = strcmp(word, "v4") != 0;
	return strcmp(word, "v4") == 0 || strcmp(word, "v6") == 0 || strcmp(word, "both") == 0;
}

static bool
set_word(struct setting *set, const char *key, const char *word)
{
	if (strcmp(key, "family") == 0)
		return set_family(set, word);
	if (strcmp(key, "open") == 0)
		return (set->open_syn = strcmp(word, "syn") == 0);
	if (strcmp(key, "path") == 0)
		return (set->is_unproven = strcmp(word, "unproven") == 0);
	if (strcmp(key, "pace") == 0)
		return (set->pace_think = strcmp(word, "think") == 0);
	if (strcmp(key, "numbers") == 0)
		return (set->is_plain = strcmp(word, "plain") == 0);
	if (strcmp(key, "gate") == 0) {
		set->gate = strcmp(word, "off") == 0 ? SC_REPLAY_GATE_OFF : SC_REPLAY_GATE_TIME;
		return strcmp(word, "off") == 0 || strcmp(word, "time") == 0;
	}
	if (strcmp(key, "latency") == 0) {
		set->latency = SC_REPLAY_LATENCY_ORIGINAL;
		if (strcmp(word, "original") == 0)
			return true;
		set->latency = SC_REPLAY_LATENCY_FIXED;
		return parse_time(word, &set->latency_us);
	}
	if (strcmp(key, "clients") == 0)
		return snprintf(set->clients, sizeof(set->clients), "%s", word) < TEXT_MAX;
	return false;
}

static bool
set_number(struct setting *set, const char *key, uint64_t n)
{
	static const char *const bases[] = {"client_base", "production_base", "target_base"};

	if (strcmp(key, "copies") == 0) {
		set->copies = (uint32_t)n;
		return n >= 1 && n <= 8;
	}
	if (strcmp(key, "mtu") == 0) {
		set->mtu = (uint32_t)n;
		return n >= 576 && n <= PAYLOAD_MAX;
	}
	for (unsigned int i = 0; i < SC_ARRAY_SIZE(bases); i++) {
		if (strcmp(key, bases[i]) != 0)
			continue;
		set->base[i] = (uint32_t)n;
		set->is_plain = true;
		return n <= UINT32_MAX;
	}
	return false;
}

/* "set KEY VALUE" behind the set. */
static bool
read_setting(struct setting *set, char **save)
{
	const char *key = parse_word(save), *word = parse_word(save);
	uint64_t n;

	if (key == NULL || word == NULL || parse_word(save) != NULL)
		return false;
	if (strcmp(key, "quiet") == 0)
		return parse_time(word, &set->quiet_us);
	if (strcmp(key, "timeout") == 0)
		return parse_time(word, &set->timeout_us);
	if (set_word(set, key, word))
		return true;
	return parse_number(word, &n) && set_number(set, key, n);
}

/* ---- the file ---- */

/* "# word: text"; other comments are for readers only. */
static bool
read_comment(struct script *s, const char *text)
{
	const char *colon = strchr(text, ':');
	char *to = NULL;

	if (colon == NULL)
		return true;
	if (strncmp(text, "# name:", 7) == 0)
		to = s->name;
	else if (strncmp(text, "# about:", 8) == 0)
		to = s->about;
	else if (strncmp(text, "# fails:", 8) == 0)
		to = s->fails;
	else if (strncmp(text, "# clause:", 9) == 0 && s->nb_clauses < CLAUSES_MAX)
		to = s->clause[s->nb_clauses++];
	else
		return true;
	colon += 1 + strspn(colon + 1, " ");
	return *colon != '\0' && snprintf(to, TEXT_MAX, "%s", colon) < TEXT_MAX;
}

static void
read_step(struct script *s, char *text, int line, struct verdict *v)
{
	struct step *st = &s->step[s->nb_steps];
	const char *wrong;

	if (s->nb_steps == STEPS_MAX) {
		verdict_fail(v, s, line, "more than %d steps", STEPS_MAX);
		return;
	}
	memset(st, 0, sizeof(*st));
	st->line = line;
	wrong = parse_step(st, text);
	if (wrong != NULL)
		verdict_fail(v, s, line, "%s", wrong);
	s->nb_steps++;
}

/*
 * "use NAME": the steps of NAME.inc in the script's folder, with the number of this line. It holds
 * steps only.
 */
static void
read_include(struct script *s, const char *name, int line, struct verdict *v)
{
	const char *slash = strrchr(s->path, '/');
	int folder = slash == NULL ? 0 : (int)(slash - s->path) + 1;
	char path[512], text[512];
	FILE *f;

	snprintf(path, sizeof(path), "%.*s%s.inc", folder, s->path, name);
	f = fopen(path, "r");
	if (f == NULL) {
		verdict_fail(v, s, line, "no file %s to use", path);
		return;
	}
	while (fgets(text, sizeof(text), f) != NULL && !v->is_bad) {
		text[strcspn(text, "\r\n")] = '\0';
		if (*text != '\0' && *text != '#')
			read_step(s, text, line, v);
	}
	fclose(f);
}

static void
read_line(struct script *s, char *text, int line, struct verdict *v)
{
	char *save;

	text[strcspn(text, "\r\n")] = '\0';
	text += strspn(text, " \t");
	if (*text == '\0')
		return;
	if (*text == '#') {
		if (!read_comment(s, text))
			verdict_fail(v, s, line, "the comment is empty or too long");
		return;
	}
	if (strncmp(text, "set ", 4) != 0) {
		if (strstr(text, " #") != NULL)
			*strstr(text, " #") = '\0';
		if (strncmp(text, "use ", 4) == 0)
			read_include(s, text + 4, line, v);
		else
			read_step(s, text, line, v);
		return;
	}
	strtok_r(text, " \t", &save);
	if (s->nb_steps > 0)
		verdict_fail(v, s, line, "settings come before the first step");
	else if (!read_setting(&s->set, &save))
		verdict_fail(v, s, line, "no such setting, or not a value of it");
}

bool
script_read(struct script *s, struct verdict *v)
{
	FILE *f = fopen(s->path, "r");
	char text[512], *path = s->path;

	memset(s, 0, sizeof(*s));
	s->path = path;
	s->set = (struct setting){.v4 = true,
			.v6 = true,
			.copies = 1,
			.mtu = 1500,
			.quiet_us = 200 * SC_US_PER_MS,
			.timeout_us = 600 * SC_US_PER_S};
	if (f == NULL) {
		verdict_fail(v, s, 0, "the file cannot be opened");
		return false;
	}
	for (int line = 1; fgets(text, sizeof(text), f) != NULL && !v->is_bad; line++)
		read_line(s, text, line, v);
	fclose(f);
	if (s->name[0] == '\0' || s->about[0] == '\0' || s->nb_clauses == 0 || s->nb_steps == 0)
		verdict_fail(v, s, 1, "a script needs # name:, # clause:, # about: and steps");
	return !v->is_bad;
}
