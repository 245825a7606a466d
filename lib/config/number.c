/* SPDX-License-Identifier: BSD-3-Clause */
/* number: the types that hold a number, with or without a unit. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "config_int.h"

struct unit {
	const char *suffix;
	uint64_t factor;
};

static const struct unit time_unit[] = {
		{"us", 1},
		{"ms", SC_US_PER_MS},
		{"s", SC_US_PER_S},
		{"min", 60 * SC_US_PER_S},
		{"h", 3600 * SC_US_PER_S},
};

static const struct unit size_unit[] = {
		{"", 1},
		{"K", 1ull << 10},
		{"M", 1ull << 20},
		{"G", 1ull << 30},
		{"T", 1ull << 40},
};

/* ---- unsigned numbers of 2, 4 or 8 bytes ---- */

static void
store(const struct cfg_row *row, struct sc_config *c, uint64_t v)
{
	void *p = cfg_field(row, c);

	if (row->size == sizeof(uint16_t))
		*(uint16_t *)p = (uint16_t)v;
	else if (row->size == sizeof(uint32_t))
		*(uint32_t *)p = (uint32_t)v;
	else
		*(uint64_t *)p = v;
}

static uint64_t
fetch(const struct cfg_row *row, const struct sc_config *c)
{
	const void *p = cfg_field(row, c);

	if (row->size == sizeof(uint16_t))
		return *(const uint16_t *)p;
	if (row->size == sizeof(uint32_t))
		return *(const uint32_t *)p;
	return *(const uint64_t *)p;
}

/* Keep v if it is in the row's range. */
static int
store_in_range(const struct cfg_row *row, struct sc_config *c, uint64_t v, const char *text,
		struct sc_err *err)
{
	if (v < row->lo)
		return cfg_refuse(row, text, -ERANGE, "too small", err);
	if (v > row->hi)
		return cfg_refuse(row, text, -ERANGE, "too large", err);
	store(row, c, v);
	return 0;
}

static int
number_set(const struct cfg_row *row, struct sc_config *c, const char *text, struct sc_err *err)
{
	const char *end;
	uint64_t v = 0;
	int rc = cfg_parse_u64(text, &v, &end);

	if (rc == -ERANGE)
		return cfg_refuse(row, text, -ERANGE, "too large", err);
	if (rc < 0 || *end != '\0')
		return cfg_refuse(row, text, -EINVAL, "not a whole number", err);
	return store_in_range(row, c, v, text, err);
}

static void
number_want(const struct cfg_row *row, char *buf, size_t len)
{
	snprintf(buf, len, "a whole number from %" PRIu64 " to %" PRIu64, row->lo, row->hi);
}

static void
number_print(const struct cfg_row *row, const struct sc_config *c, FILE *out)
{
	fprintf(out, " %" PRIu64 "\n", fetch(row, c));
}

/* ---- numbers with a unit ---- */

static const struct unit *
find_unit(const struct unit *units, size_t nb, const char *suffix)
{
	size_t i;

	for (i = 0; i < nb; i++)
		if (strcasecmp(units[i].suffix, suffix) == 0)
			return &units[i];
	return NULL;
}

int
cfg_parse_duration(const char *text, uint64_t unit_us, uint64_t *us)
{
	const struct unit bare = {"", unit_us}, *unit;
	unsigned __int128 total;
	uint64_t v = 0, scale = 1;
	const char *p;
	int rc = cfg_parse_u64(text, &v, &p);

	if (rc < 0)
		return rc;
	if (v > 1000000000000ull)
		return -ERANGE;
	if (*p == '.' && (p[1] < '0' || p[1] > '9'))
		return -EINVAL;
	total = v;
	for (p += *p == '.'; *p >= '0' && *p <= '9' && scale < 1000000000ull; p++) {
		total = total * 10 + (unsigned int)(*p - '0');
		scale *= 10;
	}
	unit = *p == '\0' ? &bare : find_unit(time_unit, SC_ARRAY_SIZE(time_unit), p);
	if (unit == NULL)
		return -EINVAL;
	total *= unit->factor;
	if (total % ((unsigned __int128)scale * unit_us) != 0)
		return -EDOM;
	total /= scale;
	if (total > 1000000000000000ull)
		return -ERANGE;
	*us = (uint64_t)total;
	return 0;
}

static int
duration_set(const struct cfg_row *row, struct sc_config *c, const char *text, struct sc_err *err)
{
	uint64_t us = 0;
	int rc = cfg_parse_duration(text, row->unit_us, &us);

	if (rc == -ERANGE)
		return cfg_refuse(row, text, -ERANGE, "too large", err);
	if (rc == -EDOM)
		return cfg_refuse(row, text, -EINVAL, "too fine", err);
	if (rc < 0)
		return cfg_refuse(row, text, -EINVAL, "not a duration", err);
	return store_in_range(row, c, us / row->unit_us, text, err);
}

static const char *
unit_name(uint32_t unit_us)
{
	return unit_us == SC_US_PER_S             ? "seconds"
			: unit_us == SC_US_PER_MS ? "milliseconds"
						  : "microseconds";
}

static void
duration_want(const struct cfg_row *row, char *buf, size_t len)
{
	char lo[32], hi[32];

	snprintf(buf, len, "%s to %s, in whole %s", cfg_format_us(row->lo * row->unit_us, lo),
			cfg_format_us(row->hi * row->unit_us, hi), unit_name(row->unit_us));
}

static void
duration_print(const struct cfg_row *row, const struct sc_config *c, FILE *out)
{
	char buf[32];

	fprintf(out, " %s\n", cfg_format_us(fetch(row, c) * row->unit_us, buf));
}

static int
size_set(const struct cfg_row *row, struct sc_config *c, const char *text, struct sc_err *err)
{
	const struct unit *unit;
	const char *end;
	uint64_t v = 0;
	int rc = cfg_parse_u64(text, &v, &end);

	if (rc == -ERANGE)
		return cfg_refuse(row, text, -ERANGE, "too large", err);
	unit = rc < 0 ? NULL : find_unit(size_unit, SC_ARRAY_SIZE(size_unit), end);
	if (unit == NULL)
		return cfg_refuse(row, text, -EINVAL, "not a size", err);
	if (v > UINT64_MAX / unit->factor)
		return cfg_refuse(row, text, -ERANGE, "too large", err);
	return store_in_range(row, c, v * unit->factor, text, err);
}

static void
size_want(const struct cfg_row *row, char *buf, size_t len)
{
	char lo[32], hi[32];

	snprintf(buf, len, "%s to %s (a bare number: bytes; K, M, G, T of 1,024)",
			cfg_format_size(row->lo, lo), cfg_format_size(row->hi, hi));
}

static void
size_print(const struct cfg_row *row, const struct sc_config *c, FILE *out)
{
	char buf[32];

	fprintf(out, " %s\n", cfg_format_size(fetch(row, c), buf));
}

/* ---- percentages and the speed ---- */

static int
percent_set(const struct cfg_row *row, struct sc_config *c, const char *text, struct sc_err *err)
{
	char digits[32] = "";
	size_t len = strlen(text);
	double v;

	if (len > 1 && text[len - 1] == '%')
		len--;
	if (len < sizeof(digits))
		memcpy(digits, text, len);
	if (cfg_parse_double(digits, &v) < 0)
		return cfg_refuse(row, text, -EINVAL, "not a percentage", err);
	if (v < (double)row->lo || (row->is_lo_open && v == (double)row->lo))
		return cfg_refuse(row, text, -ERANGE, "too small", err);
	if (v > (double)row->hi)
		return cfg_refuse(row, text, -ERANGE, "too large", err);
	*(double *)cfg_field(row, c) = v;
	return 0;
}

static void
percent_want(const struct cfg_row *row, char *buf, size_t len)
{
	snprintf(buf, len, "%s%" PRIu64 " to %" PRIu64 " percent",
			row->is_lo_open ? "more than " : "", row->lo, row->hi);
}

static void
percent_print(const struct cfg_row *row, const struct sc_config *c, FILE *out)
{
	char buf[32];

	fprintf(out, " %s\n", cfg_format_double(*(const double *)cfg_field(row, c), buf));
}

static bool
percent_has_value(const struct cfg_row *row, const struct sc_config *c)
{
	return *(const double *)cfg_field(row, c) >= 0;
}

static int
speed_set(const struct cfg_row *row, struct sc_config *c, const char *text, struct sc_err *err)
{
	double v;

	if (strcmp(text, "max") == 0) {
		*(double *)cfg_field(row, c) = 0;
		return 0;
	}
	if (cfg_parse_double(text, &v) < 0)
		return cfg_refuse(row, text, -EINVAL, "not a factor", err);
	if (v < 0.001)
		return cfg_refuse(row, text, -ERANGE, "too small", err);
	if (v > 1000)
		return cfg_refuse(row, text, -ERANGE, "too large", err);
	*(double *)cfg_field(row, c) = v;
	return 0;
}

static void
speed_want(const struct cfg_row *row, char *buf, size_t len)
{
	snprintf(buf, len, "a factor from 0.001 to 1000, or max");
}

static void
speed_print(const struct cfg_row *row, const struct sc_config *c, FILE *out)
{
	double v = *(const double *)cfg_field(row, c);
	char buf[32];

	fprintf(out, " %s\n", v == 0 ? "max" : cfg_format_double(v, buf));
}

const struct cfg_type cfg_number = {.set = number_set, .want = number_want, .print = number_print};
const struct cfg_type cfg_duration = {
		.set = duration_set, .want = duration_want, .print = duration_print};
const struct cfg_type cfg_size = {.set = size_set, .want = size_want, .print = size_print};
const struct cfg_type cfg_percent = {.set = percent_set,
		.want = percent_want,
		.print = percent_print,
		.has_value = percent_has_value};
const struct cfg_type cfg_speed = {.set = speed_set, .want = speed_want, .print = speed_print};
