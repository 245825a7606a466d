/* SPDX-License-Identifier: BSD-3-Clause */
/* What can go wrong on the path, from the operator's words. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "path.h"

#define DELAY_MAX_US (10 * SC_US_PER_S)
#define WINDOW_MAX (65535u << 7)
#define ZERO_MAX_MS 600000u
#define WORD_MAX 64

#define WORDS                                                                                    \
	"loss=PCT, dup=PCT, reorder=PCT, delay=TIME, jitter=TIME, window=BYTES, drop:KIND:N or " \
	"zerowin:BYTES:MS"
#define KINDS "syn, synack, data, answer, ack, fin or rst"

/* The next word of a comma-separated list, blanks around it cut; false at the end. */
static bool
next_word(const char **text, char word[WORD_MAX], bool *is_long)
{
	const char *p = *text;
	size_t len;

	while (*p == ',' || isspace((unsigned char)*p))
		p++;
	if (*p == '\0')
		return false;
	len = strcspn(p, ",");
	*text = p + len;
	while (len > 0 && isspace((unsigned char)p[len - 1]))
		len--;
	*is_long = len >= WORD_MAX;
	snprintf(word, WORD_MAX, "%.*s", (int)len, p);
	return true;
}

static bool
parse_u64(const char *text, const char **end, uint64_t *v)
{
	char *e;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*v = strtoull(text, &e, 10);
	*end = e;
	return errno == 0;
}

static int
parse_pct(const char *word, const char *value, double *pct, struct sc_err *err)
{
	char *end;

	*pct = isdigit((unsigned char)value[0]) || value[0] == '.' ? strtod(value, &end) : -1;
	if (*pct < 0 || *pct > 100 || (*end != '\0' && strcmp(end, "%") != 0))
		return sc_err_set(err, -EINVAL,
				"impairment \"%s\": the value is a percentage from 0 to 100", word);
	return 0;
}

static int
parse_time(const char *word, const char *value, uint32_t *us, struct sc_err *err)
{
	static const struct {
		const char *name;
		uint32_t us;
	} units[] = {{"us", 1}, {"ms", 1000}, {"s", 1000000}};
	const char *unit = value;
	uint64_t v = 0;

	if (parse_u64(value, &unit, &v) && v <= DELAY_MAX_US)
		for (size_t i = 0; i < SC_ARRAY_SIZE(units); i++)
			if (strcmp(unit, units[i].name) == 0 && v * units[i].us <= DELAY_MAX_US) {
				*us = (uint32_t)(v * units[i].us);
				return 0;
			}
	return sc_err_set(err, -EINVAL,
			"impairment \"%s\": the value is a number with us, ms or s, at most 10s "
			"(\"2ms\")",
			word);
}

static int
parse_window(const char *word, const char *value, uint32_t *window, struct sc_err *err)
{
	const char *end = "?";
	uint64_t v = 0;

	if (!parse_u64(value, &end, &v) || *end != '\0' || v < 1 || v > WINDOW_MAX)
		return sc_err_set(err, -EINVAL, "impairment \"%s\": the window is 1 to %u bytes",
				word, WINDOW_MAX);
	*window = (uint32_t)v;
	return 0;
}

static int
parse_setting(const char *word, struct sc_impair *im, struct sc_err *err)
{
	const char *value = strchr(word, '=');
	size_t len = value == NULL ? 0 : (size_t)(value - word);

	if (len == 4 && memcmp(word, "loss", 4) == 0)
		return parse_pct(word, value + 1, &im->loss_pct, err);
	if (len == 3 && memcmp(word, "dup", 3) == 0)
		return parse_pct(word, value + 1, &im->dup_pct, err);
	if (len == 7 && memcmp(word, "reorder", 7) == 0)
		return parse_pct(word, value + 1, &im->reorder_pct, err);
	if (len == 5 && memcmp(word, "delay", 5) == 0)
		return parse_time(word, value + 1, &im->delay_us, err);
	if (len == 6 && memcmp(word, "jitter", 6) == 0)
		return parse_time(word, value + 1, &im->jitter_us, err);
	if (len == 6 && memcmp(word, "window", 6) == 0)
		return parse_window(word, value + 1, &im->window, err);
	return sc_err_set(err, -EINVAL, "impairment \"%s\" is not known; use " WORDS, word);
}

/* ---- one-shot rules ---- */

static int
parse_drop(const char *word, struct wire_rules *rules, struct sc_err *err)
{
	static const char *const kinds[WIRE_KINDS] = {[WIRE_RST] = "rst",
			[WIRE_SYN] = "syn",
			[WIRE_SYNACK] = "synack",
			[WIRE_FIN] = "fin",
			[WIRE_DATA] = "data",
			[WIRE_ANSWER] = "answer",
			[WIRE_ACK] = "ack"};
	const char *kind = word + strlen("drop:"), *end = "?";
	size_t len = strcspn(kind, ":");
	uint64_t nth = 0;
	unsigned int k;

	for (k = 0; k < WIRE_KINDS; k++)
		if (strlen(kinds[k]) == len && memcmp(kinds[k], kind, len) == 0)
			break;
	if (k == WIRE_KINDS)
		return sc_err_set(err, -EINVAL, "impairment \"%s\": KIND is " KINDS, word);
	if (kind[len] != ':' || !parse_u64(kind + len + 1, &end, &nth) || *end != '\0' || nth < 1
			|| nth > UINT16_MAX)
		return sc_err_set(err, -EINVAL,
				"impairment \"%s\": N is 1 to 65535, counted per connection "
				"(\"drop:data:5\")",
				word);
	rules->drop[rules->nb_drop].kind = (enum wire_kind)k;
	rules->drop[rules->nb_drop++].nth = (uint32_t)nth;
	return 0;
}

static int
parse_zero(const char *word, struct wire_rules *rules, struct sc_err *err)
{
	const char *end = word + strlen("zerowin:") - 1;
	uint64_t bytes = 0, ms = 0;
	struct wire_zero z;
	unsigned int i;

	if (!parse_u64(end + 1, &end, &bytes) || *end != ':' || !parse_u64(end + 1, &end, &ms)
			|| *end != '\0' || bytes > UINT32_MAX || ms < 1 || ms > ZERO_MAX_MS)
		return sc_err_set(err, -EINVAL,
				"impairment \"%s\": BYTES is below 4 GiB and MS is 1 to %u "
				"(\"zerowin:20000:300\")",
				word, ZERO_MAX_MS);
	z = (struct wire_zero){bytes, ms * SC_US_PER_MS};
	for (i = rules->nb_zero++; i > 0 && rules->zero[i - 1].bytes > bytes; i--)
		rules->zero[i] = rules->zero[i - 1];
	rules->zero[i] = z;
	return 0;
}

static bool
is_rule(const char *word)
{
	return strncmp(word, "drop:", 5) == 0 || strncmp(word, "zerowin:", 8) == 0;
}

static int
parse_rule(const char *word, struct wire_rules *rules, struct sc_err *err)
{
	if (rules->nb_drop == WIRE_RULES_MAX || rules->nb_zero == WIRE_RULES_MAX)
		return sc_err_set(err, -EINVAL,
				"impairment \"%s\": at most %u rules of a sort are possible", word,
				WIRE_RULES_MAX);
	if (word[0] == 'd')
		return parse_drop(word, rules, err);
	return parse_zero(word, rules, err);
}

int
wire_rules_parse(const char *text, struct wire_rules *rules, struct sc_err *err)
{
	char word[WORD_MAX];
	bool is_long;
	int rc = 0;

	memset(rules, 0, sizeof(*rules));
	while (rc == 0 && next_word(&text, word, &is_long)) {
		if (is_long || !is_rule(word))
			return sc_err_set(err, -EINVAL,
					"impairment rule \"%s\" is not known; use drop:KIND:N or "
					"zerowin:BYTES:MS",
					word);
		rc = parse_rule(word, rules, err);
	}
	return rc;
}

/* Is there room for the rule among the others of the text? */
static int
append_rule(const char *word, struct sc_impair *im, struct sc_err *err)
{
	size_t len = strlen(im->rules);

	if (len + 1 + strlen(word) >= sizeof(im->rules))
		return sc_err_set(err, -EINVAL,
				"impairment \"%s\": the rules are longer than %zu characters; use "
				"fewer",
				word, sizeof(im->rules) - 1);
	snprintf(im->rules + len, sizeof(im->rules) - len, "%s%s", len > 0 ? "," : "", word);
	return 0;
}

int
sc_impair_parse(const char *text, struct sc_impair *im, struct sc_err *err)
{
	struct wire_rules rules = {0};
	char word[WORD_MAX];
	bool is_long;
	int rc = 0;

	memset(im, 0, sizeof(*im));
	while (rc == 0 && next_word(&text, word, &is_long)) {
		if (is_long)
			return sc_err_set(err, -EINVAL,
					"impairment \"%s...\" is not known; use " WORDS, word);
		if (!is_rule(word)) {
			rc = parse_setting(word, im, err);
			continue;
		}
		rc = parse_rule(word, &rules, err);
		if (rc == 0)
			rc = append_rule(word, im, err);
	}
	return rc;
}
