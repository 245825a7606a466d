/* SPDX-License-Identifier: BSD-3-Clause */
/* Rules for a capture about which nothing was said: every server endpoint in it gets a target. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sc_peer.h>

#include "index.h"

struct endpoint {
	struct sc_addr addr;
	uint16_t port;
};

/* Servers that the handshakes name, and the two ends of what began before the capture. */
struct survey {
	const struct sc_rule *rules; /* the operator's own: what they name needs no target */
	unsigned int nb_rules;
	struct endpoint *server;
	unsigned int nb_servers, max_servers;
	struct endpoint (*pair)[2]; /* the likelier server first */
	uint32_t nb_pairs, room_pairs;
	uint32_t *head, *next; /* pairs by hash; mask + 1 chains */
	uint32_t mask;
};

static bool
is_same(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && sc_addr_eq(&a->addr, &b->addr);
}

static bool
has_server(const struct survey *sv, const struct endpoint *e)
{
	if (sc_rules_match(sv->rules, sv->nb_rules, &e->addr, e->port) >= 0)
		return true;
	for (unsigned int i = 0; i < sv->nb_servers; i++)
		if (is_same(&sv->server[i], e))
			return true;
	return false;
}

static int
add_server(struct survey *sv, const struct endpoint *e)
{
	if (e->port == 0 || has_server(sv, e))
		return 0;
	if (sv->nb_servers == sv->max_servers)
		return -E2BIG;
	sv->server[sv->nb_servers++] = *e;
	return 0;
}

static uint32_t
pair_hash(const struct endpoint e[2])
{
	return (uint32_t)peer_tuple_hash(&e[1].addr, e[1].port, &e[0].addr, e[0].port);
}

static int
pairs_grow(struct survey *sv)
{
	uint32_t room = sv->room_pairs == 0 ? 1024 : sv->room_pairs * 2, h;
	void *pair = realloc(sv->pair, room * sizeof(*sv->pair));
	uint32_t *head, *next;

	if (pair == NULL)
		return -ENOMEM;
	sv->pair = pair;
	next = realloc(sv->next, room * sizeof(*next));
	if (next == NULL)
		return -ENOMEM;
	sv->next = next;
	head = realloc(sv->head, room * sizeof(*head));
	if (head == NULL)
		return -ENOMEM;
	sv->head = head;
	sv->room_pairs = room;
	sv->mask = room - 1;
	memset(head, 0xff, room * sizeof(*head));
	for (uint32_t i = 0; i < sv->nb_pairs; i++) {
		h = pair_hash(sv->pair[i]) & sv->mask;
		next[i] = head[h];
		head[h] = i;
	}
	return 0;
}

static int
add_pair(struct survey *sv, const struct endpoint e[2])
{
	uint32_t h;

	if (sv->nb_pairs == sv->room_pairs && pairs_grow(sv) < 0)
		return -ENOMEM;
	h = pair_hash(e) & sv->mask;
	for (uint32_t i = sv->head[h]; i != PEER_NONE; i = sv->next[i])
		if (is_same(&sv->pair[i][0], &e[0]) && is_same(&sv->pair[i][1], &e[1]))
			return 0;
	memcpy(sv->pair[sv->nb_pairs], e, sizeof(*sv->pair));
	sv->next[sv->nb_pairs] = sv->head[h];
	sv->head[h] = sv->nb_pairs++;
	return 0;
}

static int
survey_segment(struct survey *sv, const struct sc_seg *seg)
{
	struct endpoint to = {seg->dst, seg->dport}, from = {seg->src, seg->sport};
	struct endpoint pair[2] = {to, from};

	if ((seg->flags & SC_TCP_SYN) != 0)
		return add_server(sv, (seg->flags & SC_TCP_ACK) == 0 ? &to : &from);
	if (seg->payload_len == 0)
		return 0;
	if (from.port < to.port) {
		pair[0] = from;
		pair[1] = to;
	}
	return add_pair(sv, pair);
}

static int
survey_files(struct survey *sv, struct sc_capture_reader *r)
{
	struct sc_capture_pkt pkt;
	struct sc_seg seg;
	struct sc_err why;
	int rc;

	for (;;) {
		rc = sc_capture_reader_next(r, &pkt, &why);
		if (rc == 0)
			break;
		if (rc < 0) {
			sc_log(SC_LOG_WARN, "peer", "%s", why.text);
			continue;
		}
		if (peer_view_parse(&pkt, &seg) != SC_R_NONE)
			continue;
		rc = survey_segment(sv, &seg);
		if (rc < 0)
			return rc;
	}
	/* A SYN may come later than the data of an older connection: guess only now. */
	for (uint32_t i = 0; i < sv->nb_pairs; i++) {
		if (has_server(sv, &sv->pair[i][0]) || has_server(sv, &sv->pair[i][1]))
			continue;
		rc = add_server(sv, &sv->pair[i][0]);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- targets ---- */

/* 198.18.0.0/15 (RFC 2544) and 2001:2::/48 (RFC 5180) plus k. */
static void
bench_addr(bool is_v4, uint32_t k, struct sc_addr *a)
{
	if (is_v4) {
		memset(a, 0, sizeof(*a));
		a->b[10] = a->b[11] = 0xff;
		a->b[12] = 198;
		a->b[13] = (uint8_t)(18 + (k >> 16 & 1));
		a->b[14] = (uint8_t)(k >> 8);
		a->b[15] = (uint8_t)k;
		return;
	}
	memset(a, 0, sizeof(*a));
	a->b[0] = 0x20;
	a->b[1] = 0x01;
	a->b[3] = 0x02;
	a->b[13] = (uint8_t)(k >> 16);
	a->b[14] = (uint8_t)(k >> 8);
	a->b[15] = (uint8_t)k;
}

/* An address that stands for something already: production's own, or a target's. */
static bool
is_taken(const struct survey *sv, const struct sc_rule *rules, unsigned int nb,
		const struct sc_addr *a)
{
	for (unsigned int i = 0; i < sv->nb_servers; i++)
		if (sc_addr_eq(&sv->server[i].addr, a))
			return true;
	for (unsigned int i = 0; i < nb; i++)
		if (sc_addr_eq(&rules[i].target, a))
			return true;
	return false;
}

/* The address that a production address got in rules[first..nb), or a new one. */
static struct sc_addr
target_for(const struct survey *sv, const struct sc_rule *rules, unsigned int range[2],
		const struct sc_addr *prod)
{
	struct sc_addr a;
	uint32_t k = 1;

	for (unsigned int i = range[0]; i < range[1]; i++)
		if (sc_addr_eq(&rules[i].prod, prod))
			return rules[i].target;
	do
		bench_addr(sc_addr_is_v4(prod), k++, &a);
	while (is_taken(sv, rules, range[1], &a));
	return a;
}

static int
make_rules(const struct survey *sv, struct sc_rule *rules, unsigned int *nb, unsigned int max)
{
	unsigned int range[2] = {*nb, *nb};
	const struct endpoint *e;

	for (unsigned int i = 0; i < sv->nb_servers; i++) {
		e = &sv->server[i];
		if (range[1] == max)
			return -E2BIG;
		rules[range[1]] = (struct sc_rule){.prod = e->addr,
				.has_prod = true,
				.prod_port = e->port,
				.target = target_for(sv, rules, range, &e->addr),
				.target_port = e->port};
		range[1]++;
	}
	*nb = range[1];
	return 0;
}

int
sc_peer_auto_rules(const char *const *paths, unsigned int nb_paths, struct sc_rule *rules,
		unsigned int *nb, unsigned int max, struct sc_err *err)
{
	struct survey sv = {.rules = rules, .nb_rules = *nb, .max_servers = max};
	struct sc_capture_reader *r;
	int rc;

	sv.server = malloc((max + 1) * sizeof(*sv.server));
	if (sv.server == NULL)
		return sc_err_set(err, -ENOMEM, "peer: no memory for %u endpoints", max);
	r = sc_capture_reader_open(paths, nb_paths, err);
	rc = r == NULL ? -errno : survey_files(&sv, r);
	sc_capture_reader_close(r);
	if (rc == 0)
		rc = make_rules(&sv, rules, nb, max);
	if (r != NULL && rc == -E2BIG)
		sc_err_set(err, rc,
				"peer: the captures name more than %u server endpoints; give rules "
				"for "
				"those to replay (PROD_PORT-TARGET_IP:TARGET_PORT)",
				max);
	else if (r != NULL && rc == -ENOMEM)
		sc_err_set(err, rc, "peer: no memory for the endpoints of the captures");
	free(sv.server);
	free(sv.pair);
	free(sv.head);
	free(sv.next);
	return rc;
}
