/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sc_base.h>

int
sc_addr_parse(const char *text, struct sc_addr *a)
{
	char buf[SC_ADDR_STRLEN];
	uint32_t v4;
	size_t len = strlen(text);

	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len == 0 || len >= sizeof(buf))
		return -EINVAL;
	memcpy(buf, text, len);
	buf[len] = '\0';
	if (inet_pton(AF_INET, buf, &v4) == 1) {
		sc_addr_from_v4(a, v4);
		return 0;
	}
	return inet_pton(AF_INET6, buf, a->b) == 1 ? 0 : -EINVAL;
}

const char *
sc_addr_format(const struct sc_addr *a, char buf[SC_ADDR_STRLEN])
{
	const char *p;

	if (sc_addr_is_v4(a))
		p = inet_ntop(AF_INET, &a->u32[3], buf, SC_ADDR_STRLEN);
	else
		p = inet_ntop(AF_INET6, a->b, buf, SC_ADDR_STRLEN);
	return p != NULL ? p : "?";
}

const char *
sc_endpoint_format(const struct sc_addr *a, uint16_t port, char buf[SC_ENDPOINT_STRLEN])
{
	char addr[SC_ADDR_STRLEN];
	const char *fmt = sc_addr_is_v4(a) ? "%s:%u" : "[%s]:%u";

	snprintf(buf, SC_ENDPOINT_STRLEN, fmt, sc_addr_format(a, addr), port);
	return buf;
}

int
sc_prefix_parse(const char *text, struct sc_prefix *p)
{
	char buf[SC_ADDR_STRLEN + 2];
	const char *slash = strchr(text, '/');
	size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
	unsigned long bits, max;
	char *end;

	if (len >= sizeof(buf))
		return -EINVAL;
	memcpy(buf, text, len);
	buf[len] = '\0';
	if (sc_addr_parse(buf, &p->addr) < 0)
		return -EINVAL;
	max = sc_addr_is_v4(&p->addr) ? 32 : 128;
	p->len = max;
	if (slash == NULL)
		return 0;
	if (slash[1] < '0' || slash[1] > '9')
		return -EINVAL;
	bits = strtoul(slash + 1, &end, 10);
	if (*end != '\0' || bits > max)
		return -EINVAL;
	p->len = bits;
	return 0;
}

bool
sc_prefix_contains(const struct sc_prefix *p, const struct sc_addr *a)
{
	bool v4 = sc_addr_is_v4(&p->addr);
	unsigned int bits = v4 ? p->len + 96u : p->len;
	unsigned int bytes = bits / 8;
	uint8_t mask;

	if (v4 != sc_addr_is_v4(a) || memcmp(p->addr.b, a->b, bytes) != 0)
		return false;
	if (bits % 8 == 0)
		return true;
	mask = 0xff << (8 - bits % 8);
	return (p->addr.b[bytes] & mask) == (a->b[bytes] & mask);
}
