/* SPDX-License-Identifier: BSD-3-Clause */
/* list: the types that hold several values; each value read is appended. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "config_int.h"

static unsigned int *
count(const struct cfg_row *row, const struct sc_config *c)
{
	return (unsigned int *)((char *)(uintptr_t)c + row->off_nb);
}

static void *
element(const struct cfg_row *row, const struct sc_config *c, unsigned int i)
{
	return (char *)cfg_field(row, c) + i * row->size;
}

static int
refuse_more(const struct cfg_row *row, struct sc_err *err)
{
	return sc_err_set(err, -ERANGE, "there are more than %" PRIu64 "; give at most %" PRIu64,
			row->hi, row->hi);
}

static bool
list_has_value(const struct cfg_row *row, const struct sc_config *c)
{
	return *count(row, c) != 0;
}

static void
list_clear(const struct cfg_row *row, struct sc_config *c)
{
	memset(cfg_field(row, c), 0, row->size * *count(row, c));
	*count(row, c) = 0;
}

static void
begin_item(FILE *out, unsigned int i)
{
	fputs(i == 0 ? "\n  - " : "  - ", out);
}

/* Append each part of a comma-separated list by `add`, or nothing. */
static int
each_part(const struct cfg_row *row, struct sc_config *c, const char *text, struct sc_err *err,
		int (*add)(const struct cfg_row *, struct sc_config *, const char *,
				struct sc_err *))
{
	unsigned int before = *count(row, c);
	char part[SC_ADDR_STRLEN + 8];
	size_t len;
	int rc;

	do {
		len = strcspn(text, ",");
		snprintf(part, sizeof(part), "%.*s", (int)SC_MIN(len, sizeof(part)), text);
		rc = *count(row, c) == row->hi ? refuse_more(row, err) : add(row, c, part, err);
		text += len;
	} while (rc == 0 && *text++ == ',');
	if (rc < 0)
		*count(row, c) = before;
	return rc;
}

/* ---- devices: their arguments hold commas, so one value is one device ---- */

static int
devices_set(const struct cfg_row *row, struct sc_config *c, const char *text, struct sc_err *err)
{
	int rc = cfg_check_text(text, err);

	if (rc < 0)
		return rc;
	if (text[0] == '\0' || text[0] == '-' || strpbrk(text, " \t") != NULL)
		return cfg_refuse(row, text, -EINVAL, "not a device", err);
	if (strlen(text) >= row->size)
		return cfg_refuse(row, text, -ERANGE, "too long", err);
	if (*count(row, c) == row->hi)
		return refuse_more(row, err);
	memcpy(element(row, c, (*count(row, c))++), text, strlen(text) + 1);
	return 0;
}

static void
devices_want(const struct cfg_row *row, char *buf, size_t len)
{
	snprintf(buf, len, "an EAL device such as 0000:01:00.0 or net_af_packet0,iface=eth1");
}

static void
devices_print(const struct cfg_row *row, const struct sc_config *c, FILE *out)
{
	unsigned int i;

	for (i = 0; i < *count(row, c); i++) {
		begin_item(out, i);
		cfg_put_quoted(out, element(row, c, i));
		fputc('\n', out);
	}
}

/* ---- the box's addresses ---- */

static int
add_prefix(const struct cfg_row *row, struct sc_config *c, const char *part, struct sc_err *err)
{
	struct sc_prefix *p = element(row, c, *count(row, c));

	/* Without a length every target would be off-link: it is never what was meant. */
	if (sc_prefix_parse(part, p) < 0 || strchr(part, '/') == NULL)
		return cfg_refuse(row, part, -EINVAL, "not an address with its prefix length", err);
	(*count(row, c))++;
	return 0;
}

static int
prefixes_set(const struct cfg_row *row, struct sc_config *c, const char *text, struct sc_err *err)
{
	return each_part(row, c, text, err, add_prefix);
}

static void
prefixes_want(const struct cfg_row *row, char *buf, size_t len)
{
	snprintf(buf, len, "ADDRESS/LENGTH such as 10.0.0.1/24 or 2001:db8::1/64");
}

static void
prefixes_print(const struct cfg_row *row, const struct sc_config *c, FILE *out)
{
	const struct sc_prefix *p;
	char buf[SC_ADDR_STRLEN];
	unsigned int i;

	for (i = 0; i < *count(row, c); i++) {
		p = element(row, c, i);
		begin_item(out, i);
		fprintf(out, "\"%s/%u\"\n", sc_addr_format(&p->addr, buf), p->len);
	}
}

static int
add_gateway(const struct cfg_row *row, struct sc_config *c, const char *part, struct sc_err *err)
{
	struct sc_addr *a = element(row, c, *count(row, c));

	if (sc_addr_parse(part, a) < 0)
		return cfg_refuse(row, part, -EINVAL, "not an address", err);
	(*count(row, c))++;
	return 0;
}

static int
gateways_set(const struct cfg_row *row, struct sc_config *c, const char *text, struct sc_err *err)
{
	return each_part(row, c, text, err, add_gateway);
}

static void
gateways_want(const struct cfg_row *row, char *buf, size_t len)
{
	snprintf(buf, len, "an address such as 10.0.0.254 or 2001:db8::fe");
}

static void
gateways_print(const struct cfg_row *row, const struct sc_config *c, FILE *out)
{
	char buf[SC_ADDR_STRLEN];
	unsigned int i;

	for (i = 0; i < *count(row, c); i++) {
		begin_item(out, i);
		fprintf(out, "\"%s\"\n", sc_addr_format(element(row, c, i), buf));
	}
}

/* ---- mapping rules ---- */

static int
map_set(const struct cfg_row *row, struct sc_config *c, const char *text, struct sc_err *err)
{
	int rc = cfg_check_text(text, err);

	return rc < 0 ? rc
		      : sc_rules_parse(text, c->rule, &c->nb_rules, (unsigned int)row->hi, err);
}

static void
map_want(const struct cfg_row *row, char *buf, size_t len)
{
	snprintf(buf, len, "[PROD_IP:]PROD_PORT-TARGET_IP:TARGET_PORT, IPv6 in brackets");
}

static void
map_print(const struct cfg_row *row, const struct sc_config *c, FILE *out)
{
	char prod[SC_ENDPOINT_STRLEN], target[SC_ENDPOINT_STRLEN];
	const struct sc_rule *r;
	unsigned int i;

	for (i = 0; i < c->nb_rules; i++) {
		r = &c->rule[i];
		if (r->has_prod)
			sc_endpoint_format(&r->prod, r->prod_port, prod);
		else
			snprintf(prod, sizeof(prod), "%u", r->prod_port);
		begin_item(out, i);
		fprintf(out, "\"%s-%s\"\n", prod,
				sc_endpoint_format(&r->target, r->target_port, target));
	}
}

/* ---- the client pool ---- */

static int
pool_set(const struct cfg_row *row, struct sc_config *c, const char *text, struct sc_err *err)
{
	int rc = cfg_check_text(text, err);

	return rc < 0 ? rc : sc_pool_parse(text, &c->clients, err);
}

static void
pool_want(const struct cfg_row *row, char *buf, size_t len)
{
	snprintf(buf, len, "addresses, ranges (10.0.0.1-99), prefixes (10.0.0.0/24) or 10.0.0.x");
}

/* Is b the address after a, in the same family? */
static bool
is_next_addr(const struct sc_addr *a, const struct sc_addr *b)
{
	struct sc_addr next = *a;
	int i;

	for (i = 15; i >= 0 && ++next.b[i] == 0; i--)
		;
	return i >= 0 && sc_addr_eq(&next, b) && sc_addr_is_v4(a) == sc_addr_is_v4(b);
}

static void
pool_print(const struct cfg_row *row, const struct sc_config *c, FILE *out)
{
	const struct sc_pool *p = &c->clients;
	char first[SC_ADDR_STRLEN], last[SC_ADDR_STRLEN];
	uint32_t i, end;

	for (i = 0; i < p->nb; i = end + 1) {
		for (end = i; end + 1 < p->nb && is_next_addr(&p->addr[end], &p->addr[end + 1]);)
			end++;
		begin_item(out, i);
		fprintf(out, "\"%s", sc_addr_format(&p->addr[i], first));
		if (end > i)
			fprintf(out, "-%s", sc_addr_format(&p->addr[end], last));
		fputs("\"\n", out);
	}
}

static bool
pool_has_value(const struct cfg_row *row, const struct sc_config *c)
{
	return c->clients.nb != 0;
}

static void
pool_clear(const struct cfg_row *row, struct sc_config *c)
{
	sc_pool_free(&c->clients);
	memset(&c->clients, 0, sizeof(c->clients));
}

/* ---- capture files and EAL arguments: copies that the config owns ---- */

static int
copy_text(const struct cfg_row *row, const struct sc_config *c, const char *text, char **copy,
		struct sc_err *err)
{
	int rc = cfg_check_text(text, err);

	if (rc < 0)
		return rc;
	if (text[0] == '\0')
		return cfg_refuse(row, text, -EINVAL, "empty", err);
	if (strlen(text) >= SC_PATH_MAX)
		return cfg_refuse(row, text, -ERANGE, "too long", err);
	if (*count(row, c) == row->hi)
		return refuse_more(row, err);
	*copy = strdup(text);
	return *copy != NULL ? 0 : sc_err_set(err, -ENOMEM, "no memory for another value");
}

static void
print_text_item(FILE *out, unsigned int i, const char *text)
{
	begin_item(out, i);
	cfg_put_quoted(out, text);
	fputc('\n', out);
}

static int
captures_set(const struct cfg_row *row, struct sc_config *c, const char *text, struct sc_err *err)
{
	char *copy;
	int rc = copy_text(row, c, text, &copy, err);

	if (rc == 0)
		c->capture[c->nb_captures++] = copy;
	return rc;
}

static void
captures_want(const struct cfg_row *row, char *buf, size_t len)
{
	snprintf(buf, len, "the path of a pcap or pcapng file");
}

static void
captures_print(const struct cfg_row *row, const struct sc_config *c, FILE *out)
{
	unsigned int i;

	for (i = 0; i < c->nb_captures; i++)
		print_text_item(out, i, c->capture[i]);
}

static void
captures_clear(const struct cfg_row *row, struct sc_config *c)
{
	unsigned int i;

	for (i = 0; i < c->nb_captures; i++)
		free((void *)(uintptr_t)c->capture[i]);
	list_clear(row, c);
}

static int
eal_set(const struct cfg_row *row, struct sc_config *c, const char *text, struct sc_err *err)
{
	char *copy;
	int rc = copy_text(row, c, text, &copy, err);

	if (rc == 0)
		c->eal[c->nb_eal++] = copy;
	return rc;
}

static void
eal_want(const struct cfg_row *row, char *buf, size_t len)
{
	snprintf(buf, len, "one EAL argument such as --lcores=0-2");
}

static void
eal_print(const struct cfg_row *row, const struct sc_config *c, FILE *out)
{
	unsigned int i;

	for (i = 0; i < c->nb_eal; i++)
		print_text_item(out, i, c->eal[i]);
}

static void
eal_clear(const struct cfg_row *row, struct sc_config *c)
{
	unsigned int i;

	for (i = 0; i < c->nb_eal; i++)
		free(c->eal[i]);
	list_clear(row, c);
}

const struct cfg_type cfg_devices = {.set = devices_set,
		.want = devices_want,
		.print = devices_print,
		.has_value = list_has_value,
		.clear = list_clear};
const struct cfg_type cfg_prefixes = {.set = prefixes_set,
		.want = prefixes_want,
		.print = prefixes_print,
		.has_value = list_has_value,
		.clear = list_clear};
const struct cfg_type cfg_gateways = {.set = gateways_set,
		.want = gateways_want,
		.print = gateways_print,
		.has_value = list_has_value,
		.clear = list_clear};
const struct cfg_type cfg_map = {.set = map_set,
		.want = map_want,
		.print = map_print,
		.has_value = list_has_value,
		.clear = list_clear};
const struct cfg_type cfg_pool = {.set = pool_set,
		.want = pool_want,
		.print = pool_print,
		.has_value = pool_has_value,
		.clear = pool_clear};
const struct cfg_type cfg_captures = {.set = captures_set,
		.want = captures_want,
		.print = captures_print,
		.has_value = list_has_value,
		.clear = captures_clear};
const struct cfg_type cfg_eal = {.set = eal_set,
		.want = eal_want,
		.print = eal_print,
		.has_value = list_has_value,
		.clear = eal_clear};
