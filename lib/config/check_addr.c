/* SPDX-License-Identifier: BSD-3-Clause */
/* check_addr: who may have which address: the box, its gateways, targets and the client pool. */
#include <errno.h>
#include <string.h>

#include "config_int.h"

static const char *
family(const struct sc_addr *a)
{
	return sc_addr_is_v4(a) ? "IPv4" : "IPv6";
}

static bool
is_no_host(const struct sc_addr *a)
{
	static const struct sc_addr broadcast = {.b = {[10] = 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

	return sc_addr_is_no_host(a) || sc_addr_eq(a, &broadcast);
}

/* An IPv4 prefix's first and last address are no host's, from /30 down (RFC 3021 for /31). */
static bool
is_prefix_edge(const struct sc_prefix *p, const struct sc_addr *a)
{
	uint32_t host, bits;

	if (!sc_addr_is_v4(&p->addr) || p->len >= 31 || !sc_prefix_contains(p, a))
		return false;
	bits = p->len == 0 ? UINT32_MAX : (1u << (32 - p->len)) - 1;
	host = __builtin_bswap32(sc_addr_v4_be(a)) & bits;
	return host == 0 || host == bits;
}

static bool
is_box(const struct sc_config *c, const struct sc_addr *a)
{
	unsigned int i;

	for (i = 0; i < c->nb_test_address; i++)
		if (sc_addr_eq(&c->test_address[i].addr, a))
			return true;
	return false;
}

static bool
is_on_link(const struct sc_config *c, const struct sc_addr *a)
{
	unsigned int i;

	for (i = 0; i < c->nb_test_address; i++)
		if (sc_prefix_contains(&c->test_address[i], a))
			return true;
	return false;
}

static bool
has_box_of(const struct sc_config *c, const struct sc_addr *a)
{
	unsigned int i;

	for (i = 0; i < c->nb_test_address; i++)
		if (sc_addr_is_v4(&c->test_address[i].addr) == sc_addr_is_v4(a))
			return true;
	return false;
}

static bool
has_gateway_of(const struct sc_config *c, const struct sc_addr *a)
{
	unsigned int i;

	for (i = 0; i < c->nb_gateway; i++)
		if (sc_addr_is_v4(&c->gateway[i]) == sc_addr_is_v4(a))
			return true;
	return false;
}

int
cfg_check_box(const struct sc_config *c, struct sc_err *err)
{
	char buf[SC_ADDR_STRLEN];
	const struct sc_prefix *p;
	unsigned int i, j;

	for (i = 0; i < c->nb_test_address; i++) {
		p = &c->test_address[i];
		sc_addr_format(&p->addr, buf);
		if (is_no_host(&p->addr) || is_prefix_edge(p, &p->addr))
			return sc_err_set(err, -EINVAL,
					"test-address: %s/%u is not the address of a host; give an "
					"address of its own to the box",
					buf, p->len);
		for (j = 0; j < i; j++)
			if (sc_addr_eq(&p->addr, &c->test_address[j].addr))
				return sc_err_set(err, -EINVAL,
						"test-address: %s is given twice; give it once",
						buf);
	}
	return 0;
}

int
cfg_check_gateways(const struct sc_config *c, struct sc_err *err)
{
	char buf[SC_ADDR_STRLEN];
	const struct sc_addr *g;
	unsigned int i;

	for (i = 0; i < c->nb_gateway; i++) {
		g = &c->gateway[i];
		sc_addr_format(g, buf);
		if (i > 0 && sc_addr_is_v4(g) == sc_addr_is_v4(&c->gateway[0]))
			return sc_err_set(err, -EINVAL,
					"gateway: %s is the second one of %s; give one a family",
					buf, family(g));
		if (is_box(c, g))
			return sc_err_set(err, -EINVAL,
					"gateway: %s is the box's own test-address; give the "
					"router's",
					buf);
		if (is_no_host(g) || !is_on_link(c, g))
			return sc_err_set(err, -EINVAL,
					"gateway: %s is in no test-address prefix; give a router "
					"that the "
					"test port reaches directly",
					buf);
	}
	return 0;
}

/* Can responses of this rule's target come back by the test port? */
static int
check_target_path(const struct sc_config *c, const struct sc_rule *r, struct sc_err *err)
{
	char buf[SC_ENDPOINT_STRLEN];

	sc_endpoint_format(&r->target, r->target_port, buf);
	if (!has_box_of(c, &r->target))
		return sc_err_set(err, -EINVAL,
				"map: the target %s is %s and the box has no test-address of that "
				"family; give one",
				buf, family(&r->target));
	if (is_box(c, &r->target))
		return sc_err_set(err, -EINVAL,
				"map: the target %s is the box's own test-address; give the "
				"target's",
				buf);
	if (!is_on_link(c, &r->target) && !has_gateway_of(c, &r->target))
		return sc_err_set(err, -EINVAL,
				"map: the target %s is in no test-address prefix and there is no "
				"%s gateway; give one, or a test-address in its network",
				buf, family(&r->target));
	return 0;
}

static int
check_rule(const struct sc_config *c, const struct sc_rule *r, struct sc_err *err)
{
	char buf[SC_ENDPOINT_STRLEN];
	unsigned int i;

	sc_endpoint_format(&r->target, r->target_port, buf);
	for (i = 0; i < c->nb_test_address; i++)
		if (is_prefix_edge(&c->test_address[i], &r->target))
			return sc_err_set(err, -EINVAL,
					"map: the target %s is a network or broadcast address of "
					"the test "
					"network; give a host's",
					buf);
	if (r->has_prod && is_box(c, &r->prod))
		return sc_err_set(err, -EINVAL,
				"map: the production address of the rule to %s is the box's own "
				"test-address; the box needs an address that production does not "
				"have",
				buf);
	if (r->has_prod && c->clients.nb == 0
			&& sc_addr_is_v4(&r->prod) != sc_addr_is_v4(&r->target))
		return sc_err_set(err, -EINVAL,
				"map: production is %s and the target %s is %s, so client "
				"addresses "
				"cannot be kept; give clients",
				family(&r->prod), buf, family(&r->target));
	/* RFC 8200 section 5: every IPv6 link takes 1,280 bytes. */
	if (!sc_addr_is_v4(&r->target) && c->mtu < 1280)
		return sc_err_set(err, -EINVAL,
				"mtu: %u is too small for the IPv6 target %s; give 1280 or more",
				c->mtu, buf);
	return 0;
}

int
cfg_check_rules(const struct sc_config *c, bool with_port, struct sc_err *err)
{
	struct sc_err cause;
	unsigned int i;
	int rc = sc_rules_check(c->rule, c->nb_rules, &cause);

	if (rc < 0)
		return sc_err_set(err, -EINVAL, "map: %s", cause.text);
	for (i = 0; i < c->nb_rules; i++) {
		rc = check_rule(c, &c->rule[i], err);
		if (rc == 0 && with_port)
			rc = check_target_path(c, &c->rule[i], err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* The box speaks for the pool: no address may be another host's of the set-up. */
static int
check_pool_address(const struct sc_config *c, const struct sc_addr *a, const char *whose,
		struct sc_err *err)
{
	char buf[SC_ADDR_STRLEN];

	if (!sc_pool_contains(&c->clients, a))
		return 0;
	return sc_err_set(err, -EINVAL,
			"clients: the pool contains %s, which is %s; give addresses that nobody "
			"has",
			sc_addr_format(a, buf), whose);
}

static int
check_pool_strangers(const struct sc_config *c, struct sc_err *err)
{
	unsigned int i;
	int rc = 0;

	for (i = 0; i < c->nb_test_address && rc == 0; i++)
		rc = check_pool_address(
				c, &c->test_address[i].addr, "the box's own test-address", err);
	for (i = 0; i < c->nb_gateway && rc == 0; i++)
		rc = check_pool_address(c, &c->gateway[i], "a gateway", err);
	for (i = 0; i < c->nb_rules && rc == 0; i++) {
		rc = check_pool_address(c, &c->rule[i].target, "a target", err);
		if (rc == 0 && c->rule[i].has_prod)
			rc = check_pool_address(c, &c->rule[i].prod, "a production address", err);
	}
	return rc;
}

/* Each target needs clients of its family. */
static int
check_pool_families(const struct sc_config *c, struct sc_err *err)
{
	char buf[SC_ENDPOINT_STRLEN];
	const struct sc_rule *r;
	unsigned int i;

	for (i = 0; i < c->nb_rules; i++) {
		r = &c->rule[i];
		if ((sc_addr_is_v4(&r->target) ? c->clients.nb_v4 : c->clients.nb_v6) > 0)
			continue;
		return sc_err_set(err, -EINVAL,
				"clients: the pool has no %s address for the target %s; add some",
				family(&r->target),
				sc_endpoint_format(&r->target, r->target_port, buf));
	}
	return 0;
}

int
cfg_check_clients(const struct sc_config *c, struct sc_err *err)
{
	int rc;

	if (c->clients_on_link && c->clients.nb == 0)
		return sc_err_set(err, -EINVAL,
				"clients-on-link: there is no pool of clients to answer for; give "
				"clients");
	if (c->clients.nb == 0)
		return 0;
	if (c->clients_on_link && c->clients.nb > c->neighbour_limit)
		return sc_err_set(err, -EINVAL,
				"clients: %u addresses on link are more than neighbour-limit %u, "
				"and "
				"more than an untuned target keeps; give fewer, or route them to "
				"the box",
				c->clients.nb, c->neighbour_limit);
	rc = check_pool_strangers(c, err);
	if (rc == 0)
		rc = check_pool_families(c, err);
	return rc;
}
