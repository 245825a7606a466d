/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "config_int.h"

#define WORD_MAX 64
#define FRACTION_MAX 9 /* decimals of a factor or percentage */

const char *
cfg_show(const char *text, char buf[CFG_SHOW_LEN])
{
	size_t max = CFG_SHOW_LEN - 6; /* quotes, dots, NUL */
	size_t n = 0;

	buf[n++] = '\'';
	for (; *text != '\0' && n <= max; text++)
		buf[n++] = isprint((unsigned char)*text) ? *text : '?';
	if (*text != '\0')
		n = (size_t)(stpcpy(buf + n, "...") - buf);
	buf[n++] = '\'';
	buf[n] = '\0';
	return buf;
}

/* One UTF-8 sequence (RFC 3629); returns its length or 0. */
static size_t
utf8_decode(const uint8_t *s, uint32_t *cp)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len, i;

	if (s[0] < 0x80) {
		*cp = s[0];
		return 1;
	}
	len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	*cp = s[0] & (0x7fu >> len);
	for (i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*cp = *cp << 6 | (s[i] & 0x3f);
	}
	if (*cp < smallest[len] || *cp > 0x10ffff || (*cp >= 0xd800 && *cp <= 0xdfff))
		return 0;
	return len;
}

/* What a quoted YAML scalar on one line cannot carry (YAML 1.1 sections 5.1 and 5.4). */
static bool
is_unprintable(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x2028 || cp == 0x2029
			|| cp == 0xfeff || cp == 0xfffe || cp == 0xffff;
}

int
cfg_check_text(const char *text, struct sc_err *err)
{
	const uint8_t *s = (const uint8_t *)text;
	char show[CFG_SHOW_LEN];
	uint32_t cp;
	size_t len;

	for (; *s != 0; s += len) {
		len = utf8_decode(s, &cp);
		if (len == 0)
			return sc_err_set(err, -EINVAL, "%s is not UTF-8", cfg_show(text, show));
		if (is_unprintable(cp))
			return sc_err_set(err, -EINVAL, "%s contains a control character",
					cfg_show(text, show));
	}
	return 0;
}

int
cfg_parse_u64(const char *text, uint64_t *v, const char **end)
{
	char *stop;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	*v = strtoull(text, &stop, 10);
	*end = stop;
	return errno == ERANGE ? -ERANGE : 0;
}

int
cfg_parse_double(const char *text, double *v)
{
	size_t whole = strspn(text, "0123456789");
	size_t dot = text[whole] == '.';
	size_t frac = dot ? strspn(text + whole + 1, "0123456789") : 0;

	if (whole == 0 || whole > 12 || frac > FRACTION_MAX || (dot && frac == 0)
			|| text[whole + dot + frac] != '\0')
		return -EINVAL;
	*v = strtod(text, NULL);
	return 0;
}

const char *
cfg_format_double(double v, char buf[32])
{
	double back;
	int digits;

	/* %f, not %g: cfg_parse_double() takes no exponent. */
	for (digits = 0; digits <= FRACTION_MAX; digits++) {
		snprintf(buf, 32, "%.*f", digits, v);
		if (cfg_parse_double(buf, &back) == 0 && back == v)
			break;
	}
	return buf;
}

const char *
cfg_format_us(uint64_t us, char buf[32])
{
	if (us % SC_US_PER_S == 0)
		snprintf(buf, 32, "%" PRIu64 "s", (uint64_t)(us / SC_US_PER_S));
	else if (us % SC_US_PER_MS == 0)
		snprintf(buf, 32, "%" PRIu64 "ms", (uint64_t)(us / SC_US_PER_MS));
	else
		snprintf(buf, 32, "%" PRIu64 "us", us);
	return buf;
}

const char *
cfg_format_size(uint64_t bytes, char buf[32])
{
	static const char unit[] = {'\0', 'K', 'M', 'G', 'T'};
	size_t i = 0;

	while (i + 1 < sizeof(unit) && bytes != 0 && bytes % 1024 == 0) {
		bytes /= 1024;
		i++;
	}
	snprintf(buf, 32, "%" PRIu64 "%.1s", bytes, &unit[i]);
	return buf;
}

/* Optimal string alignment: three rows of the classic table are enough. */
unsigned int
cfg_distance(const char *a, size_t la, const char *b, size_t lb)
{
	unsigned int row[3][WORD_MAX + 1];
	unsigned int *before = row[0], *last = row[1], *now = row[2], *spare;
	size_t i, j;

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
	for (j = 0; j <= lb; j++)
		last[j] = (unsigned int)j;
	for (i = 1; i <= la; i++) {
		now[0] = (unsigned int)i;
		for (j = 1; j <= lb; j++) {
			now[j] = SC_MIN(last[j], now[j - 1]) + 1;
			now[j] = SC_MIN(now[j], last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = SC_MIN(now[j], before[j - 2] + 1);
		}
		spare = before;
		before = last;
		last = now;
		now = spare;
	}
	return last[lb];
}

void
cfg_put_quoted(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc('"', out);
}
