/* SPDX-License-Identifier: BSD-3-Clause */
#include "config_support.h"

#include <stdlib.h>
#include <string.h>

#include "sc_test.h"

int
load_text(struct sc_config *c, const char *text, struct sc_err *err)
{
	struct cfg_source src = {.name = "t.yaml", .text = text, .len = strlen(text)};

	return cfg_load_text(c, &src, err);
}

char *
print_text(const struct sc_config *c)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	sc_config_print(c, f);
	fclose(f);
	return text;
}

static bool
is_same_rule(const struct sc_rule *a, const struct sc_rule *b)
{
	return a->has_prod == b->has_prod && (!a->has_prod || sc_addr_eq(&a->prod, &b->prod))
			&& a->prod_port == b->prod_port && sc_addr_eq(&a->target, &b->target)
			&& a->target_port == b->target_port;
}

static const char *
ports_difference(const struct sc_config *a, const struct sc_config *b)
{
	unsigned int i;

	if (a->nb_mirror != b->nb_mirror)
		return "mirror";
	for (i = 0; i < a->nb_mirror; i++)
		if (strcmp(a->mirror[i], b->mirror[i]) != 0)
			return "mirror";
	if (a->nb_test != b->nb_test)
		return "test";
	for (i = 0; i < a->nb_test; i++)
		if (strcmp(a->test[i], b->test[i]) != 0)
			return "test";
	if (a->nb_test_address != b->nb_test_address)
		return "test-address";
	for (i = 0; i < a->nb_test_address; i++)
		if (!sc_addr_eq(&a->test_address[i].addr, &b->test_address[i].addr)
				|| a->test_address[i].len != b->test_address[i].len)
			return "test-address";
	if (a->nb_gateway != b->nb_gateway)
		return "gateway";
	for (i = 0; i < a->nb_gateway; i++)
		if (!sc_addr_eq(&a->gateway[i], &b->gateway[i]))
			return "gateway";
	return NULL;
}

static const char *
lists_difference(const struct sc_config *a, const struct sc_config *b)
{
	unsigned int i;

	if (a->nb_rules != b->nb_rules)
		return "map";
	for (i = 0; i < a->nb_rules; i++)
		if (!is_same_rule(&a->rule[i], &b->rule[i]))
			return "map";
	if (a->clients.nb != b->clients.nb || a->clients.nb_v4 != b->clients.nb_v4
			|| a->clients.nb_v6 != b->clients.nb_v6)
		return "clients";
	for (i = 0; i < a->clients.nb; i++)
		if (!sc_addr_eq(&a->clients.addr[i], &b->clients.addr[i]))
			return "clients";
	if (a->nb_captures != b->nb_captures)
		return "capture";
	for (i = 0; i < a->nb_captures; i++)
		if (strcmp(a->capture[i], b->capture[i]) != 0)
			return "capture";
	if (a->nb_eal != b->nb_eal)
		return "eal";
	for (i = 0; i < a->nb_eal; i++)
		if (strcmp(a->eal[i], b->eal[i]) != 0)
			return "eal";
	return NULL;
}

#define RETURN_IF_DIFFERS(field)          \
	do {                              \
		if (a->field != b->field) \
			return #field;    \
	} while (0)

static const char *
values_difference(const struct sc_config *a, const struct sc_config *b)
{
	RETURN_IF_DIFFERS(test_vlan);
	RETURN_IF_DIFFERS(link_wait_s);
	RETURN_IF_DIFFERS(clients_on_link);
	RETURN_IF_DIFFERS(neighbour_limit);
	RETURN_IF_DIFFERS(sample_pct);
	RETURN_IF_DIFFERS(copies);
	RETURN_IF_DIFFERS(only_full);
	RETURN_IF_DIFFERS(shed);
	RETURN_IF_DIFFERS(latency);
	RETURN_IF_DIFFERS(latency_us);
	RETURN_IF_DIFFERS(gate);
	RETURN_IF_DIFFERS(gate_quiet_min_ms);
	RETURN_IF_DIFFERS(pace);
	RETURN_IF_DIFFERS(open);
	RETURN_IF_DIFFERS(mtu);
	RETURN_IF_DIFFERS(max_lag_s);
	RETURN_IF_DIFFERS(session_timeout_s);
	RETURN_IF_DIFFERS(workers);
	RETURN_IF_DIFFERS(intercepts);
	RETURN_IF_DIFFERS(intercept_mode);
	RETURN_IF_DIFFERS(idle);
	RETURN_IF_DIFFERS(pages);
	RETURN_IF_DIFFERS(max_flows);
	RETURN_IF_DIFFERS(held_bytes);
	RETURN_IF_DIFFERS(copy_below);
	RETURN_IF_DIFFERS(speed);
	RETURN_IF_DIFFERS(peer);
	RETURN_IF_DIFFERS(seed);
	RETURN_IF_DIFFERS(duration_s);
	RETURN_IF_DIFFERS(drain_s);
	RETURN_IF_DIFFERS(expect_fidelity);
	if (strcmp(a->impair, b->impair) != 0)
		return "impair";
	if (strcmp(a->report, b->report) != 0)
		return "report";
	if (strcmp(a->control_dir, b->control_dir) != 0)
		return "control_dir";
	if (strcmp(a->log_level, b->log_level) != 0)
		return "log_level";
	return NULL;
}

const char *
first_difference(const struct sc_config *a, const struct sc_config *b)
{
	const char *d = ports_difference(a, b);

	if (d == NULL)
		d = lists_difference(a, b);
	return d != NULL ? d : values_difference(a, b);
}

void
expect_round_trip(const struct sc_config *c)
{
	char *text = print_text(c);
	struct sc_config back;
	struct sc_err err = {""};
	const char *d;

	sc_config_init(&back);
	if (load_text(&back, text, &err) < 0)
		fail_msg("%s in:\n%s", err.text, text);
	d = first_difference(c, &back);
	if (d != NULL)
		fail_msg("%s differs after:\n%s", d, text);
	sc_config_free(&back);
	free(text);
}

void
must_set(struct sc_config *c, const char *word, const char *value)
{
	struct sc_err err = {""};

	if (sc_config_set(c, word, value, &err) != 0)
		fail_msg("%s %s: %s", word, value, err.text);
}
