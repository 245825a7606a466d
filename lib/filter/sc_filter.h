/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * filter: address pools, mapping rules and sampling: what a flow's first client frame is judged by.
 * Thread: built at start, read-only after.
 */
#ifndef SC_FILTER_H
#define SC_FILTER_H

#include <sc_base.h>

/* ---- mapping rules: [PROD_IP:]PROD_PORT-TARGET_IP:TARGET_PORT ---- */

#define SC_RULES_MAX 256
#define SC_TARGETS_MAX 256

struct sc_rule {
	struct sc_addr prod; /* only with has_prod */
	bool has_prod;
	uint16_t prod_port; /* host order, 1..65535 */
	struct sc_addr target;
	uint16_t target_port;
};

/*
 * Parse one rule (IPv6 in brackets). On error -EINVAL and a sentence that quotes the rule and says
 * what would be right.
 */
int sc_rule_parse(const char *text, struct sc_rule *r, struct sc_err *err);
/* A comma-separated list appended to rules[*nb], at most max (-E2BIG). Errors leave *nb alone. */
int sc_rules_parse(const char *text, struct sc_rule *rules, unsigned int *nb, unsigned int max,
		struct sc_err *err);
/*
 * Cross-check: a target equal to a named production endpoint, the same source twice, or a rule that
 * an earlier one hides: refused.
 */
int sc_rules_check(const struct sc_rule *rules, unsigned int nb, struct sc_err *err);
/* First rule that matches the production endpoint, or -1. */
int sc_rules_match(const struct sc_rule *rules, unsigned int nb, const struct sc_addr *addr,
		uint16_t port);

/* ---- pools of replay client addresses ---- */

#define SC_POOL_MAX 65536

struct sc_pool {
	struct sc_addr *addr;
	uint32_t nb;
	uint32_t nb_v4, nb_v6;
	uint32_t *slot; /* hash index of addr, made by sc_pool_parse() */
};

/*
 * Append what text says: addresses, ranges (a-b, the last octet alone is enough: 10.0.0.1-99),
 * prefixes (10.0.0.0/24: network and broadcast address left out below /31), TCPCopy's 62.135.200.x
 * (.1 to .254); comma separated. Order is kept, duplicates are dropped. An IPv6 prefix may have
 * 65,536 addresses at most (/112). A prefix with host bits and addresses that no host can have are
 * refused. -EINVAL, -E2BIG above 65,536, -ENOMEM; the pool (zeroed before its first use) is then as
 * it was.
 */
int sc_pool_parse(const char *text, struct sc_pool *pool, struct sc_err *err);
void sc_pool_free(struct sc_pool *pool);
bool sc_pool_contains(const struct sc_pool *pool, const struct sc_addr *a);

/* ---- hash of a whole tuple: for tables, sampling and admission (never the fold) ---- */

uint32_t sc_hash_tuple(const struct sc_addr *client, uint16_t cport, const struct sc_addr *server,
		uint16_t sport);

/*
 * Is the flow with this hash in a sample of pct percent (0 < pct <= 100)? Independent of ranges of
 * the hash itself; a larger sample holds every smaller one.
 */
bool sc_sample_take(uint32_t hash, double pct);

#endif
