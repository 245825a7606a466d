/* SPDX-License-Identifier: BSD-3-Clause */
/* segment: words, numbers, times, and a segment as a script writes it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conform.h"

char *
parse_word(char **save)
{
	return strtok_r(NULL, " \t", save);
}

bool
parse_number(const char *word, uint64_t *value)
{
	char *end;

	if (word == NULL || *word < '0' || *word > '9')
		return false;
	errno = 0;
	*value = strtoull(word, &end, 10);
	return *end == '\0' && errno == 0;
}

bool
parse_time(const char *word, uint64_t *us)
{
	double value;
	char *end;

	if (word == NULL || ((*word < '0' || *word > '9') && *word != '.'))
		return false;
	value = strtod(word, &end);
	if (strcmp(end, "ms") == 0)
		value /= 1000;
	else if (*end != '\0' && strcmp(end, "s") != 0)
		return false;
	*us = (uint64_t)(value * 1e6 + 0.5);
	return true;
}

static bool
parse_flags(const char *word, uint8_t *flags)
{
	static const char letters[] = "FSRP.UEW"; /* bit by bit */

	*flags = 0;
	if (word == NULL)
		return false;
	if (strcmp(word, "-") == 0)
		return true;
	for (; *word != '\0'; word++) {
		const char *at = strchr(letters, *word);

		if (at == NULL || (*flags & (1 << (at - letters))))
			return false;
		*flags |= (uint8_t)(1 << (at - letters));
	}
	return true;
}

static const char *
parse_seq(struct seg_spec *seg, char *word)
{
	char *colon = word == NULL ? NULL : strchr(word, ':');
	uint64_t begin, end;

	if (colon != NULL)
		*colon = '\0';
	if (!parse_number(word, &begin) || begin > UINT32_MAX)
		return "seq needs a number, or FIRST:BEHIND";
	seg->seq = (uint32_t)begin;
	seg->has |= HAS_SEQ;
	if (colon == NULL)
		return NULL;
	if (!parse_number(colon + 1, &end) || (uint32_t)(end - begin) > 65535)
		return "seq FIRST:BEHIND needs two numbers at most 65535 apart";
	seg->len = (uint32_t)(end - begin);
	return NULL;
}

static const char *
parse_ts(struct seg_spec *seg, const char *word)
{
	uint64_t n;

	seg->opts |= SC_OPT_TS;
	if (word == NULL)
		return "ts needs a number, now or any";
	if (strcmp(word, "now") == 0)
		seg->ts = TS_NOW;
	else if (strcmp(word, "any") == 0)
		seg->ts = TS_ANY;
	else if (parse_number(word, &n))
		seg->ts = TS_VALUE, seg->tsval = (uint32_t)n;
	else
		return "ts needs a number, now or any";
	return NULL;
}

static const char *
parse_port(struct seg_spec *seg, const char *word)
{
	static const char *const names[] = {"learned", "own", "other", "old"};

	for (int i = 0; word != NULL && i < 4; i++) {
		if (strcmp(word, names[i]) != 0)
			continue;
		seg->port = (enum port_kind)i;
		return NULL;
	}
	return "port needs own, other or old";
}

/* Fields whose value is a number: where it goes is said by offset and size. */
struct field {
	const char *name;
	uint64_t max;
	uint8_t has, opt;
};

static const struct field fields[] = {
		{"ack", UINT32_MAX, HAS_ACK, 0},
		{"win", UINT16_MAX, 0, 0},
		{"mss", UINT16_MAX, HAS_MSS, SC_OPT_MSS},
		{"wscale", 14, HAS_WSCALE, SC_OPT_WSCALE},
		{"ecr", UINT32_MAX, HAS_ECR, 0},
		{"urg", UINT16_MAX, 0, 0},
		{"from", UINT32_MAX, HAS_FROM, 0},
		{"segs", 127, 0, 0},
};

static void
set_field(struct seg_spec *seg, unsigned int i, uint64_t n)
{
	switch (i) {
	case 0:
		seg->ack = (uint32_t)n;
		break;
	case 1:
		seg->win = (uint16_t)n;
		break;
	case 2:
		seg->mss = (uint16_t)n;
		break;
	case 3:
		seg->wscale = (uint8_t)n;
		break;
	case 4:
		seg->tsecr = (uint32_t)n;
		break;
	case 5:
		seg->urg = (uint16_t)n;
		break;
	case 6:
		seg->from = (uint32_t)n;
		break;
	default:
		seg->segs = (uint8_t)n;
		break;
	}
	seg->has |= fields[i].has;
	seg->opts |= fields[i].opt;
}

static const char *
parse_field(struct seg_spec *seg, const char *name, char **save)
{
	uint64_t n;

	if (strcmp(name, "seq") == 0)
		return parse_seq(seg, parse_word(save));
	if (strcmp(name, "ts") == 0)
		return parse_ts(seg, parse_word(save));
	if (strcmp(name, "port") == 0)
		return parse_port(seg, parse_word(save));
	if (strcmp(name, "sack") == 0) {
		seg->opts |= SC_OPT_SACK_OK;
		return NULL;
	}
	if (strcmp(name, "badsum") == 0) {
		seg->is_csum_bad = true;
		return NULL;
	}
	for (unsigned int i = 0; i < SC_ARRAY_SIZE(fields); i++) {
		if (strcmp(name, fields[i].name) != 0)
			continue;
		if (!parse_number(parse_word(save), &n) || n > fields[i].max)
			return "the field's number is missing or too large";
		set_field(seg, i, n);
		return NULL;
	}
	return "no such field of a segment";
}

const char *
parse_segment(struct seg_spec *seg, char **save)
{
	const char *wrong;
	char *word;

	*seg = (struct seg_spec){.win = 65535, .segs = 1};
	if (!parse_flags(parse_word(save), &seg->flags))
		return "flags are letters of FSRPUEW and a dot for ACK, or a dash for none";
	while ((word = parse_word(save)) != NULL) {
		wrong = parse_field(seg, word, save);
		if (wrong != NULL)
			return wrong;
	}
	return NULL;
}
