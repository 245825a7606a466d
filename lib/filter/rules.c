/* SPDX-License-Identifier: BSD-3-Clause */
/* Mapping rules: which production endpoint is replayed against which target. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <sc_filter.h>

#include "text.h"

#define RULE_FORM "write [PROD_IP:]PROD_PORT-TARGET_IP:TARGET_PORT, for example 80-10.0.0.2:8080"
/* Text of a rule: two endpoints and the dash. */
#define RULE_STRLEN (2 * SC_ENDPOINT_STRLEN)

static int
parse_port(const char *rule, const char *text, uint16_t *port, struct sc_err *err)
{
	uint32_t n;

	if (!filter_number(text, 1, 65535, &n))
		return sc_err_set(err, -EINVAL,
				"map rule '%s': port '%s' must be a number from 1 to 65535", rule,
				text);
	*port = (uint16_t)n;
	return 0;
}

static int
parse_addr(const char *rule, const char *text, struct sc_addr *addr, struct sc_err *err)
{
	if (sc_addr_parse(text, addr) == 0)
		return 0;
	return sc_err_set(err, -EINVAL,
			"map rule '%s': '%s' is not an address; write an IPv4 address or an IPv6 "
			"address in brackets (names are not looked up)",
			rule, text);
}

/*
 * Cut "address:port" or "port" at its last colon. *port is the text behind it; *addr is NULL when
 * there is no address. Writes NULs into text.
 */
static int
split_endpoint(const char *rule, char *text, char **addr, char **port, struct sc_err *err)
{
	char *colon = strrchr(text, ':');
	char *bracket = strrchr(text, ']');

	*addr = NULL;
	*port = text;
	if (colon == NULL && text[0] != '[')
		return 0;
	if (text[0] == '[' && (bracket == NULL || bracket[1] != ':'))
		return sc_err_set(err, -EINVAL,
				"map rule '%s': '%s' has no port; write [address]:port", rule,
				text);
	if (text[0] != '[' && strchr(text, ':') != colon)
		return sc_err_set(err, -EINVAL,
				"map rule '%s': '%s' has more than one colon; an IPv6 address "
				"stands in brackets, as in [fd00::1]:80",
				rule, text);
	*colon = '\0';
	*addr = text;
	*port = colon + 1;
	return 0;
}

static int
parse_production(const char *rule, char *text, struct sc_rule *r, struct sc_err *err)
{
	char *addr, *port;

	if (split_endpoint(rule, text, &addr, &port, err) < 0)
		return -EINVAL;
	r->has_prod = addr != NULL;
	if (r->has_prod && parse_addr(rule, addr, &r->prod, err) < 0)
		return -EINVAL;
	return parse_port(rule, port, &r->prod_port, err);
}

static int
parse_target(const char *rule, char *text, struct sc_rule *r, struct sc_err *err)
{
	char *addr, *port;

	if (split_endpoint(rule, text, &addr, &port, err) < 0)
		return -EINVAL;
	if (addr == NULL)
		return sc_err_set(err, -EINVAL,
				"map rule '%s': the target '%s' must be address:port; " RULE_FORM,
				rule, text);
	if (parse_addr(rule, addr, &r->target, err) < 0)
		return -EINVAL;
	if (!filter_is_host(&r->target))
		return sc_err_set(err, -EINVAL,
				"map rule '%s': the target %s is no host that a frame can be sent "
				"to; write the address of the server under test",
				rule, addr);
	return parse_port(rule, port, &r->target_port, err);
}

int
sc_rule_parse(const char *text, struct sc_rule *r, struct sc_err *err)
{
	const char *rest = text;
	char rule[FILTER_ITEM_MAX], cut[FILTER_ITEM_MAX];
	struct sc_rule out = {.has_prod = false};
	char *dash;

	if (!filter_next_item(&rest, rule))
		return sc_err_set(
				err, -EINVAL, "map rule '%.40s...' is too long; " RULE_FORM, rule);
	if (rest != NULL)
		return sc_err_set(err, -EINVAL, "map rule '%.80s' holds a comma; " RULE_FORM, text);
	if (rule[0] == '\0')
		return sc_err_set(err, -EINVAL, "map rule is empty; " RULE_FORM);
	snprintf(cut, sizeof(cut), "%s", rule);
	dash = strchr(cut, '-');
	if (dash == NULL)
		return sc_err_set(err, -EINVAL,
				"map rule '%s': no '-' between production and target; " RULE_FORM,
				rule);
	*dash = '\0';
	if (parse_production(rule, cut, &out, err) < 0
			|| parse_target(rule, dash + 1, &out, err) < 0)
		return -EINVAL;
	*r = out;
	return 0;
}

/* Room for one more rule, and the rule; the count goes up. */
static int
append_rule(const char *text, struct sc_rule *rules, unsigned int *nb, unsigned int max,
		struct sc_err *err)
{
	if (*nb >= max)
		return sc_err_set(err, -E2BIG,
				"more than %u map rules: '%s' is one too many; a rule without a "
				"production address covers all servers of its port",
				max, text);
	if (sc_rule_parse(text, &rules[*nb], err) < 0)
		return -EINVAL;
	(*nb)++;
	return 0;
}

int
sc_rules_parse(const char *text, struct sc_rule *rules, unsigned int *nb, unsigned int max,
		struct sc_err *err)
{
	unsigned int nb_before = *nb;
	char item[FILTER_ITEM_MAX];
	int rc = 0;

	while (text != NULL && rc == 0) {
		if (filter_next_item(&text, item))
			rc = append_rule(item, rules, nb, max, err);
		else
			rc = sc_err_set(err, -EINVAL, "map rule '%.40s...' is too long; " RULE_FORM,
					item);
	}
	if (rc < 0)
		*nb = nb_before;
	return rc;
}

static const char *
format_rule(const struct sc_rule *r, char buf[RULE_STRLEN])
{
	char prod[SC_ENDPOINT_STRLEN], target[SC_ENDPOINT_STRLEN];

	if (r->has_prod)
		sc_endpoint_format(&r->prod, r->prod_port, prod);
	else
		snprintf(prod, sizeof(prod), "%u", r->prod_port);
	sc_endpoint_format(&r->target, r->target_port, target);
	snprintf(buf, RULE_STRLEN, "%s-%s", prod, target);
	return buf;
}

/* Does rule a take everything that rule b would? */
static bool
is_covered(const struct sc_rule *a, const struct sc_rule *b)
{
	if (a->prod_port != b->prod_port)
		return false;
	return !a->has_prod || (b->has_prod && sc_addr_eq(&a->prod, &b->prod));
}

/* Rule b after rule a. */
static int
check_source(const struct sc_rule *a, const struct sc_rule *b, struct sc_err *err)
{
	char first[RULE_STRLEN], second[RULE_STRLEN];

	if (!is_covered(a, b))
		return 0;
	format_rule(a, first);
	format_rule(b, second);
	if (a->has_prod == b->has_prod)
		return sc_err_set(err, -EINVAL,
				"map rules '%s' and '%s' have the same source; a server is "
				"replayed "
				"against one target: leave one of them out",
				first, second);
	return sc_err_set(err, -EINVAL,
			"map rule '%s' never matches: '%s' before it takes port %u of every "
			"server; put the rule with the address first",
			second, first, b->prod_port);
}

/* A target that is production itself would get its own traffic a second time. */
static int
check_target(const struct sc_rule *a, const struct sc_rule *b, struct sc_err *err)
{
	char first[RULE_STRLEN], second[RULE_STRLEN], target[SC_ENDPOINT_STRLEN];

	if (!b->has_prod || !sc_addr_eq(&a->target, &b->prod) || a->target_port != b->prod_port)
		return 0;
	return sc_err_set(err, -EINVAL,
			"map rule '%s': its target %s is a production server by rule '%s'; the "
			"target must be another server than any in production",
			format_rule(a, first),
			sc_endpoint_format(&a->target, a->target_port, target),
			format_rule(b, second));
}

int
sc_rules_check(const struct sc_rule *rules, unsigned int nb, struct sc_err *err)
{
	for (unsigned int i = 0; i < nb; i++) {
		for (unsigned int k = 0; k < nb; k++) {
			if (check_target(&rules[i], &rules[k], err) < 0)
				return -EINVAL;
			if (k > i && check_source(&rules[i], &rules[k], err) < 0)
				return -EINVAL;
		}
	}
	return 0;
}

int
sc_rules_match(const struct sc_rule *rules, unsigned int nb, const struct sc_addr *addr,
		uint16_t port)
{
	for (unsigned int i = 0; i < nb; i++) {
		if (rules[i].prod_port != port)
			continue;
		if (!rules[i].has_prod || sc_addr_eq(&rules[i].prod, addr))
			return (int)i;
	}
	return -1;
}
