/* SPDX-License-Identifier: BSD-3-Clause */
/* word: the types that hold one of several words, a flag or a text. */
#include <errno.h>
#include <string.h>

#include "config_int.h"

static int
find_name(const struct cfg_row *row, const char *text)
{
	int i;

	for (i = 0; row->names[i] != NULL; i++)
		if (strcmp(row->names[i], text) == 0)
			return i;
	return -1;
}

/* "a, b or c" */
static void
join_names(const struct cfg_row *row, char *buf, size_t len)
{
	size_t n = 0;
	int i;

	buf[0] = '\0';
	for (i = 0; row->names[i] != NULL && n < len; i++)
		n += (size_t)snprintf(buf + n, len - n, "%s%s",
				i == 0                                      ? ""
						: row->names[i + 1] == NULL ? " or "
									    : ", ",
				row->names[i]);
}

static int
choice_set(const struct cfg_row *row, struct sc_config *c, const char *text, struct sc_err *err)
{
	int i = find_name(row, text);

	if (i < 0)
		return cfg_refuse(row, text, -EINVAL, "unknown", err);
	*(unsigned int *)cfg_field(row, c) = (unsigned int)i;
	return 0;
}

static void
choice_print(const struct cfg_row *row, const struct sc_config *c, FILE *out)
{
	/* Quoted: YAML 1.1 readers take a plain off for a boolean. */
	fprintf(out, " \"%s\"\n", row->names[*(const unsigned int *)cfg_field(row, c)]);
}

static int
choice_text_set(const struct cfg_row *row, struct sc_config *c, const char *text,
		struct sc_err *err)
{
	if (find_name(row, text) < 0)
		return cfg_refuse(row, text, -EINVAL, "unknown", err);
	snprintf(cfg_field(row, c), row->size, "%s", text);
	return 0;
}

static int
flag_set(const struct cfg_row *row, struct sc_config *c, const char *text, struct sc_err *err)
{
	static const char *const words[] = {"no", "yes", "false", "true", "off", "on"};
	size_t i;

	for (i = 0; i < SC_ARRAY_SIZE(words); i++) {
		if (strcmp(words[i], text) != 0)
			continue;
		*(bool *)cfg_field(row, c) = i % 2 == 1;
		return 0;
	}
	return cfg_refuse(row, text, -EINVAL, "neither yes nor no", err);
}

static void
flag_want(const struct cfg_row *row, char *buf, size_t len)
{
	snprintf(buf, len, "yes or no");
}

static void
flag_print(const struct cfg_row *row, const struct sc_config *c, FILE *out)
{
	fprintf(out, " %s\n", *(const bool *)cfg_field(row, c) ? "yes" : "no");
}

/* ---- text ---- */

static int
text_set(const struct cfg_row *row, struct sc_config *c, const char *text, struct sc_err *err)
{
	int rc = cfg_check_text(text, err);

	if (rc < 0)
		return rc;
	if (text[0] == '\0')
		return cfg_refuse(row, text, -EINVAL, "empty", err);
	if (strlen(text) >= row->size)
		return cfg_refuse(row, text, -ERANGE, "too long", err);
	memcpy(cfg_field(row, c), text, strlen(text) + 1);
	return 0;
}

static void
text_want(const struct cfg_row *row, char *buf, size_t len)
{
	snprintf(buf, len, "a text of at most %zu bytes", row->size - 1);
}

static void
text_print(const struct cfg_row *row, const struct sc_config *c, FILE *out)
{
	fputc(' ', out);
	cfg_put_quoted(out, cfg_field(row, c));
	fputc('\n', out);
}

static bool
text_has_value(const struct cfg_row *row, const struct sc_config *c)
{
	return *(const char *)cfg_field(row, c) != '\0';
}

/* ---- latency: a word, or a duration that goes into its own field ---- */

static int
latency_set(const struct cfg_row *row, struct sc_config *c, const char *text, struct sc_err *err)
{
	int i = find_name(row, text);
	uint64_t us = 0;
	int rc;

	if (i >= 0) {
		c->latency = (enum sc_latency)i;
		c->latency_us = 0;
		return 0;
	}
	rc = cfg_parse_duration(text, row->unit_us, &us);
	if (rc == -ERANGE || (rc == 0 && us > row->hi))
		return cfg_refuse(row, text, -ERANGE, "too large", err);
	if (rc < 0)
		return cfg_refuse(row, text, -EINVAL, "neither a word nor a duration", err);
	if (us < row->lo)
		return cfg_refuse(row, text, -ERANGE, "too small", err);
	c->latency = SC_LATENCY_FIXED;
	c->latency_us = (uint32_t)us;
	return 0;
}

static void
latency_want(const struct cfg_row *row, char *buf, size_t len)
{
	char lo[32], hi[32];

	snprintf(buf, len, "%s, %s or %s to %s", row->names[0], row->names[1],
			cfg_format_us(row->lo, lo), cfg_format_us(row->hi, hi));
}

static void
latency_print(const struct cfg_row *row, const struct sc_config *c, FILE *out)
{
	char buf[32];

	fprintf(out, " %s\n",
			c->latency == SC_LATENCY_FIXED ? cfg_format_us(c->latency_us, buf)
						       : row->names[c->latency]);
}

const struct cfg_type cfg_choice = {.set = choice_set, .want = join_names, .print = choice_print};
const struct cfg_type cfg_choice_text = {
		.set = choice_text_set, .want = join_names, .print = text_print};
const struct cfg_type cfg_flag = {
		.set = flag_set, .want = flag_want, .print = flag_print, .is_flag = true};
const struct cfg_type cfg_text = {.set = text_set,
		.want = text_want,
		.print = text_print,
		.has_value = text_has_value};
const struct cfg_type cfg_latency = {
		.set = latency_set, .want = latency_want, .print = latency_print};
