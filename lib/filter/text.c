/* SPDX-License-Identifier: BSD-3-Clause */
#include "text.h"

#include <ctype.h>
#include <string.h>

bool
filter_next_item(const char **list, char item[FILTER_ITEM_MAX])
{
	const char *p = *list;
	size_t len = strcspn(p, ",");
	bool fits;

	*list = p[len] == ',' ? p + len + 1 : NULL;
	while (len > 0 && isspace((unsigned char)*p)) {
		p++;
		len--;
	}
	while (len > 0 && isspace((unsigned char)p[len - 1]))
		len--;
	fits = len < FILTER_ITEM_MAX;
	if (!fits)
		len = FILTER_ITEM_MAX - 1;
	memcpy(item, p, len);
	item[len] = '\0';
	return fits;
}

bool
filter_number(const char *text, uint32_t lo, uint32_t hi, uint32_t *value)
{
	uint64_t n = 0;

	if (text[0] == '\0')
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		n = n * 10 + (uint64_t)(*text - '0');
		if (n > hi)
			return false;
	}
	*value = (uint32_t)n;
	return n >= lo;
}

bool
filter_is_host(const struct sc_addr *a)
{
	if (sc_addr_is_no_host(a))
		return false;
	return !sc_addr_is_v4(a) || (a->b[12] != 0 && a->b[12] < 240);
}
