/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "config_support.h"
#include "sc_test.h"

/* What a run needs at least; a case's own words come after it. */
#define RUN "mirror: m\ntest: t\ntest-address: 10.0.0.1/24\nmap: 80-10.0.0.2:80\n"
#define BOX "mirror: m\ntest: t\ntest-address: 10.0.0.1/24\n"
#define REPLAY "capture: f\npeer: capture\n"

static const struct {
	enum sc_command cmd;
	const char *yaml;
	const char *said; /* NULL: accepted */
} cases[] = {
		{SC_CMD_RUN, RUN, NULL},
		{SC_CMD_CHECK, RUN, NULL},
		{SC_CMD_REPLAY, REPLAY, NULL},
		{SC_CMD_CHECK, REPLAY, NULL},
		{SC_CMD_HELP, "workers: 1\n", NULL},
		{SC_CMD_VERSION, "workers: 1\n", NULL},

		/* what a command needs */
		{SC_CMD_RUN, "test: t\n", "mirror: run has no mirror port"},
		{SC_CMD_CHECK, "test: t\n", "mirror: run has no mirror port"},
		{SC_CMD_RUN, "mirror: m\n", "test: there is no test port"},
		{SC_CMD_RUN, "mirror: m\ntest: t\n", "test-address: the box has no address"},
		{SC_CMD_RUN, BOX, "map: there is no rule"},
		{SC_CMD_RUN, RUN "peer: capture\n", "peer: the embedded peer answers from"},
		{SC_CMD_RUN, RUN "capture: f\n", "capture: run reads the mirror port"},
		{SC_CMD_CHECK, RUN "capture: f\n", NULL},
		{SC_CMD_REPLAY, "peer: capture\n", "capture: replay has no file"},
		{SC_CMD_CHECK, "peer: capture\n", NULL},
		{SC_CMD_REPLAY, REPLAY "test: t\n",
				"peer: the embedded peer is the target, yet the"},
		{SC_CMD_REPLAY, "capture: f\n", "test: there is no test port"},
		{SC_CMD_REPLAY, "capture: f\ntest: t\n", "test-address: the box has no address"},
		{SC_CMD_REPLAY, "capture: f\ntest: t\ntest-address: 10.0.0.1/24\n",
				"map: there is no rule"},
		{SC_CMD_REPLAY, RUN "capture: f\n", NULL},

		/* devices */
		{SC_CMD_RUN, RUN "peer: none\n", NULL},
		{SC_CMD_RUN,
				"mirror: [m, 'm,x=1']\ntest: t\ntest-address: 10.0.0.1/24\nmap: "
				"80-10.0.0.2:80\n",
				"mirror and test: the device m is given twice"},
		{SC_CMD_RUN,
				"mirror: 0000:01:00.0\ntest: '01:00.0'\ntest-address: "
				"10.0.0.1/24\nmap: "
				"80-10.0.0.2:80\n",
				"mirror and test: the device 01:00.0 is given twice"},
		{SC_CMD_RUN,
				"mirror: 'a0,iface=e1,x=1'\ntest: 'a1,x=1,iface=e1'\ntest-address: "
				"10.0.0.1/24\nmap: 80-10.0.0.2:80\n",
				"mirror and test: a0,iface=e1,x=1 and a1,x=1,iface=e1 use one "
				"interface"},
		{SC_CMD_RUN,
				"mirror: 'a0,iface=e1'\ntest: 'a1,iface=e10'\ntest-address: "
				"10.0.0.1/24\nmap: 80-10.0.0.2:80\n",
				NULL},
		{SC_CMD_RUN,
				"mirror: m\ntest: [t, u, t]\ntest-address: 10.0.0.1/24\nmap: "
				"80-10.0.0.2:80\n",
				"mirror and test: the device t is given twice"},

		/* the box */
		{SC_CMD_RUN, "mirror: m\ntest: t\ntest-address: 10.0.0.0/24\nmap: 80-10.0.0.2:80\n",
				"test-address: 10.0.0.0/24 is not the address of a host"},
		{SC_CMD_RUN,
				"mirror: m\ntest: t\ntest-address: 10.0.0.255/24\nmap: "
				"80-10.0.0.2:80\n",
				"test-address: 10.0.0.255/24 is not the address of a host"},
		{SC_CMD_RUN, "mirror: m\ntest: t\ntest-address: 10.0.0.0/31\nmap: 80-10.0.0.1:80\n",
				NULL},
		{SC_CMD_RUN, "mirror: m\ntest: t\ntest-address: 127.0.0.1/8\nmap: 80-10.0.0.1:80\n",
				"test-address: 127.0.0.1/8 is not the address of a host"},
		{SC_CMD_RUN,
				"mirror: m\ntest: t\ntest-address: 224.0.0.1/24\nmap: "
				"80-10.0.0.1:80\n",
				"test-address: 224.0.0.1/24 is not the address of a host"},
		{SC_CMD_RUN, "mirror: m\ntest: t\ntest-address: '::/64'\nmap: 80-10.0.0.1:80\n",
				"test-address: ::/64 is not the address of a host"},
		{SC_CMD_RUN,
				"mirror: m\ntest: t\ntest-address: 255.255.255.255/32\nmap: "
				"80-10.0.0.1:80\n",
				"test-address: 255.255.255.255/32 is not the address of a host"},
		{SC_CMD_RUN,
				"mirror: m\ntest: t\ntest-address: [10.0.0.1/24, "
				"10.0.0.1/16]\nmap: "
				"80-10.0.0.2:80\n",
				"test-address: 10.0.0.1 is given twice"},

		/* gateways */
		{SC_CMD_RUN, RUN "gateway: 10.0.0.254\n", NULL},
		{SC_CMD_RUN, RUN "gateway: [10.0.0.254, 10.0.0.253]\n",
				"gateway: 10.0.0.253 is the second one of IPv4"},
		{SC_CMD_RUN, RUN "gateway: 10.0.1.254\n",
				"gateway: 10.0.1.254 is in no test-address"},
		{SC_CMD_RUN, RUN "gateway: '2001:db8::1'\n",
				"gateway: 2001:db8::1 is in no test-addr"},
		{SC_CMD_RUN, RUN "gateway: 10.0.0.1\n", "gateway: 10.0.0.1 is the box's own"},

		/* rules */
		{SC_CMD_RUN, BOX "map: '80-[2001:db8::2]:80'\n",
				"map: the target [2001:db8::2]:80 is IPv6 and the box has no "
				"test-address"},
		{SC_CMD_RUN,
				"mirror: m\ntest: t\ntest-address: '2001:db8::1/64'\nmap: "
				"80-10.0.0.2:80\n",
				"map: the target 10.0.0.2:80 is IPv4 and the box has no "
				"test-address"},
		{SC_CMD_RUN,
				"mirror: m\ntest: t\ntest-address: [10.0.0.1/24, "
				"'2001:db8::1/64']\nmap: "
				"['80-[2001:db8::2]:80', 81-10.0.0.2:80]\n",
				NULL},
		{SC_CMD_REPLAY, REPLAY "map: '80-[2001:db8::2]:80'\n", NULL},
		{SC_CMD_RUN, BOX "map: 80-10.0.0.1:80\n",
				"map: the target 10.0.0.1:80 is the box's own"},
		{SC_CMD_RUN, BOX "map: 80-10.0.1.2:80\n",
				"map: the target 10.0.1.2:80 is in no test-address prefix and "
				"there is no "
				"IPv4 gateway"},
		{SC_CMD_RUN, BOX "map: 80-10.0.1.2:80\ngateway: 10.0.0.254\n", NULL},
		{SC_CMD_RUN,
				"mirror: m\ntest: t\ntest-address: [10.0.0.1/24, "
				"'2001:db8::1/64']\nmap: "
				"'80-[2001:db9::2]:80'\ngateway: 10.0.0.254\n",
				"map: the target [2001:db9::2]:80 is in no test-address prefix and "
				"there is "
				"no IPv6 gateway"},
		{SC_CMD_RUN, BOX "map: 80-10.0.0.255:80\n",
				"map: the target 10.0.0.255:80 is a network or broadcast address"},
		{SC_CMD_RUN, BOX "map: 10.0.0.1:80-10.0.0.2:80\n",
				"map: the production address of the rule to 10.0.0.2:80 is the "
				"box's own"},
		{SC_CMD_RUN, BOX "map: 10.0.0.2:80-10.0.0.2:80\n", "map: "},
		{SC_CMD_RUN, BOX "map: [80-10.0.0.2:80, 80-10.0.0.3:80]\n", "map: "},
		{SC_CMD_RUN, BOX "map: '[2001:db8::5]:80-10.0.0.2:80'\n",
				"map: production is IPv6 and the target 10.0.0.2:80 is IPv4, so "
				"client"},
		{SC_CMD_RUN, BOX "map: '[2001:db8::5]:80-10.0.0.2:80'\nclients: 10.1.0.1\n", NULL},
		{SC_CMD_RUN,
				"mirror: m\ntest: t\ntest-address: '2001:db8::1/64'\nmap: "
				"'80-[2001:db8::2]:80'\nmtu: 1279\n",
				"mtu: 1279 is too small for the IPv6 target [2001:db8::2]:80"},
		{SC_CMD_RUN,
				"mirror: m\ntest: t\ntest-address: '2001:db8::1/64'\nmap: "
				"'80-[2001:db8::2]:80'\nmtu: 1280\n",
				NULL},

		/* clients */
		{SC_CMD_RUN, RUN "clients: 10.1.0.1-9\n", NULL},
		{SC_CMD_RUN, RUN "clients: '2001:db8:1::/120'\n",
				"clients: the pool has no IPv4 address for the target 10.0.0.2:80"},
		{SC_CMD_REPLAY, REPLAY "map: '80-[2001:db8::2]:80'\nclients: 10.1.0.1\n",
				"clients: the pool has no IPv6 address for the target "
				"[2001:db8::2]:80"},
		{SC_CMD_RUN, RUN "clients-on-link: yes\n", "clients-on-link: there is no pool"},
		{SC_CMD_RUN, RUN "clients: 10.0.0.10-99\nclients-on-link: yes\n", NULL},
		{SC_CMD_RUN,
				RUN "clients: 10.0.0.10-99\nclients-on-link: yes\nneighbour-limit: "
				    "90\n",
				NULL},
		{SC_CMD_RUN,
				RUN "clients: 10.0.0.10-99\nclients-on-link: yes\nneighbour-limit: "
				    "89\n",
				"clients: 90 addresses on link are more than neighbour-limit 89"},
		{SC_CMD_RUN, RUN "clients: 10.0.0.10-99\nneighbour-limit: 89\n", NULL},
		{SC_CMD_RUN, RUN "clients: 10.0.0.1-9\n",
				"clients: the pool contains 10.0.0.1, which is the box's own"},
		{SC_CMD_RUN, RUN "clients: 10.0.0.2-9\n",
				"clients: the pool contains 10.0.0.2, which is a target"},
		{SC_CMD_RUN, RUN "clients: 10.0.0.200-254\ngateway: 10.0.0.254\n",
				"clients: the pool contains 10.0.0.254, which is a gateway"},
		{SC_CMD_RUN, BOX "map: 10.5.0.5:80-10.0.0.2:80\nclients: 10.5.0.0/24\n",
				"clients: the pool contains 10.5.0.5, which is a production "
				"address"},

		/* engine */
		{SC_CMD_RUN, RUN "intercept: inline\n", NULL},
		{SC_CMD_RUN, RUN "intercepts: 2\n", NULL},
		{SC_CMD_RUN, RUN "intercept: inline\nintercepts: 2\n",
				"intercepts: 2 intercept lcores with intercept inline"},
		{SC_CMD_RUN, RUN "max-flows: 4198404\ncopies: 1023\n", NULL},
		{SC_CMD_RUN, RUN "max-flows: 4198405\ncopies: 1023\n",
				"copies: max-flows 4198405 times copies 1023 is more sessions"},
		{SC_CMD_REPLAY, REPLAY "impair: loss=1\n", NULL},
		{SC_CMD_REPLAY, RUN "capture: f\nimpair: loss=1\n",
				"impair: only the path to the embedded peer"},
		{SC_CMD_RUN, RUN "expect-fidelity: 100\n", NULL},
};

static void
rules_across_values(void **state)
{
	static struct sc_config c;
	struct sc_err err;
	size_t i;
	int rc;

	for (i = 0; i < SC_ARRAY_SIZE(cases); i++) {
		sc_config_init(&c);
		err.text[0] = '\0';
		if (load_text(&c, cases[i].yaml, &err) < 0)
			fail_msg("case %zu does not load: %s", i, err.text);
		rc = sc_config_check(&c, cases[i].cmd, &err);
		if ((rc == 0) != (cases[i].said == NULL))
			fail_msg("case %zu: %d '%s' for\n%s", i, rc, err.text, cases[i].yaml);
		if (rc < 0 && strncmp(err.text, cases[i].said, strlen(cases[i].said)) != 0)
			fail_msg("case %zu: expected '%s', got '%s'", i, cases[i].said, err.text);
		assert_true(rc == 0 || rc == -EINVAL);
		assert_int_equal(sc_config_check(&c, cases[i].cmd, NULL), rc);
		sc_config_free(&c);
	}
}

/* What no word can set, but a caller can. */
static void
values_set_by_a_caller(void **state)
{
	static struct sc_config c;
	struct sc_err err;

	sc_config_init(&c);
	assert_int_equal(load_text(&c, RUN, &err), 0);
	c.latency = SC_LATENCY_FIXED;
	assert_int_equal(sc_config_check(&c, SC_CMD_RUN, &err), -EINVAL);
	assert_non_null(strstr(err.text, "latency"));
	c.latency_us = 1;
	c.expect_fidelity = 101;
	assert_int_equal(sc_config_check(&c, SC_CMD_RUN, &err), -EINVAL);
	assert_non_null(strstr(err.text, "expect-fidelity"));
	c.expect_fidelity = 100;
	assert_int_equal(sc_config_check(&c, SC_CMD_RUN, &err), 0);
	sc_config_free(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(rules_across_values),
			cmocka_unit_test(values_set_by_a_caller),
	};

	return cmocka_run_group_tests_name("config/check", tests, NULL, NULL);
}
