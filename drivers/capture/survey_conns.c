/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Connections of a capture: who is the server, which directions are there, how many bytes by
 * sequence number and how many of them are missing.
 */
#include <stdlib.h>
#include <string.h>

#include "survey.h"

#define SLOTS (2 * SC_SURVEY_CONNS_MAX) /* of the hash: a power of two */
#define NO_SERVER UINT32_MAX
/* Servers that no rule names get half of the list, so that a scan does not crowd out the others. */
#define UNMAPPED_MAX (SC_SURVEY_SERVERS_MAX / 2)
/* A segment further ahead than this is foreign or follows a long hole: counting begins anew. */
#define JUMP_MAX (16u << 20)

/* One direction. Sequence space, a FIN is 1. */
struct side {
	bool is_seen; /* any frame */
	bool has_next;
	bool has_fin;
	uint32_t next;       /* behind the highest byte */
	uint64_t span, seen; /* from the first byte to next; in frames, retransmissions included */
};

struct conn {
	struct sc_addr client, server;
	uint16_t cport, sport;
	bool has_syn, is_mapped;
	uint32_t isn;     /* valid with has_syn */
	uint32_t in_list; /* index of the server, or NO_SERVER */
	struct side from_client, from_server;
};

struct survey_conns {
	const struct sc_rule *rules;
	unsigned int nb_rules, nb_unmapped;
	uint32_t nb;
	uint32_t slot[SLOTS]; /* index + 1 into conn; 0: free */
	struct conn conn[SC_SURVEY_CONNS_MAX];
};

struct survey_conns *
survey_conns_create(const struct sc_rule *rules, unsigned int nb_rules)
{
	struct survey_conns *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->rules = rules;
	t->nb_rules = nb_rules;
	return t;
}

void
survey_conns_destroy(struct survey_conns *t)
{
	free(t);
}

/* ---- whose server is it ---- */

static uint32_t
server_find(const struct sc_survey *s, const struct sc_addr *addr, uint16_t port)
{
	for (uint32_t i = 0; i < s->nb_servers; i++)
		if (s->server[i].port == port && sc_addr_eq(&s->server[i].addr, addr))
			return i;
	return NO_SERVER;
}

static uint32_t
server_add(struct survey_conns *t, struct sc_survey *s, const struct conn *c, int rule)
{
	uint32_t i = server_find(s, &c->server, c->sport);
	struct sc_survey_server *v;

	if (i != NO_SERVER)
		return i;
	if (s->nb_servers == SC_SURVEY_SERVERS_MAX || (rule < 0 && t->nb_unmapped == UNMAPPED_MAX))
		return NO_SERVER;
	v = &s->server[s->nb_servers];
	*v = (struct sc_survey_server){.addr = c->server, .port = c->sport, .is_mapped = rule >= 0};
	if (rule >= 0) {
		v->target = t->rules[rule].target;
		v->target_port = t->rules[rule].target_port;
	} else {
		t->nb_unmapped++;
	}
	return s->nb_servers++;
}

static bool
is_from_server(const struct survey_conns *t, const struct sc_survey *s, const struct sc_seg *seg)
{
	bool src, dst;

	if (seg->flags & SC_TCP_SYN)
		return (seg->flags & SC_TCP_ACK) != 0;
	src = sc_rules_match(t->rules, t->nb_rules, &seg->src, seg->sport) >= 0;
	dst = sc_rules_match(t->rules, t->nb_rules, &seg->dst, seg->dport) >= 0;
	if (src != dst)
		return src;
	src = server_find(s, &seg->src, seg->sport) != NO_SERVER;
	dst = server_find(s, &seg->dst, seg->dport) != NO_SERVER;
	if (src != dst)
		return src;
	return seg->sport < seg->dport;
}

/* ---- the table ---- */

static uint32_t
slot_first(const struct sc_seg *seg)
{
	/* Of both directions the same. */
	bool swap = memcmp(seg->src.b, seg->dst.b, sizeof(seg->src.b)) < 0
			|| (sc_addr_eq(&seg->src, &seg->dst) && seg->sport < seg->dport);

	return (swap ? sc_hash_tuple(&seg->dst, seg->dport, &seg->src, seg->sport)
		     : sc_hash_tuple(&seg->src, seg->sport, &seg->dst, seg->dport))
			% SLOTS;
}

static bool
is_of(const struct conn *c, const struct sc_seg *seg)
{
	if (c->cport == seg->sport && c->sport == seg->dport && sc_addr_eq(&c->client, &seg->src)
			&& sc_addr_eq(&c->server, &seg->dst))
		return true;
	return c->cport == seg->dport && c->sport == seg->sport && sc_addr_eq(&c->client, &seg->dst)
			&& sc_addr_eq(&c->server, &seg->src);
}

/* The slot of the segment's connection, or the free one where it belongs. */
static uint32_t *
slot_find(struct survey_conns *t, const struct sc_seg *seg)
{
	uint32_t i = slot_first(seg);

	while (t->slot[i] != 0 && !is_of(&t->conn[t->slot[i] - 1], seg))
		i = (i + 1) % SLOTS;
	return &t->slot[i];
}

static struct conn *
conn_add(struct survey_conns *t, struct sc_survey *s, uint32_t *slot, const struct sc_seg *seg)
{
	bool from_server = is_from_server(t, s, seg);
	struct conn *c;
	int rule;

	if (t->nb == SC_SURVEY_CONNS_MAX)
		return NULL;
	c = &t->conn[t->nb++];
	*slot = t->nb;
	c->client = from_server ? seg->dst : seg->src;
	c->cport = from_server ? seg->dport : seg->sport;
	c->server = from_server ? seg->src : seg->dst;
	c->sport = from_server ? seg->sport : seg->dport;
	rule = sc_rules_match(t->rules, t->nb_rules, &c->server, c->sport);
	c->is_mapped = rule >= 0 || t->nb_rules == 0;
	c->in_list = server_add(t, s, c, rule);
	return c;
}

/*
 * Does a SYN begin another connection than the one known on its tuple? Not if it is sent again, and
 * not if nothing but a SYN-ACK that overtook it has been seen.
 */
static bool
is_new(const struct conn *c, const struct sc_seg *seg)
{
	if ((seg->flags & (SC_TCP_SYN | SC_TCP_ACK)) != SC_TCP_SYN)
		return false;
	return c->has_syn ? c->isn != seg->seq : c->from_client.is_seen;
}

static void
side_add(struct side *d, const struct sc_seg *seg)
{
	uint32_t seq = seg->seq + ((seg->flags & SC_TCP_SYN) != 0);
	uint32_t len = seg->payload_len + ((seg->flags & SC_TCP_FIN) != 0);
	uint32_t end = seq + len;

	d->is_seen = true;
	if (seg->flags & SC_TCP_RST)
		return; /* its number may be far from what was sent */
	d->has_fin |= (seg->flags & SC_TCP_FIN) != 0;
	if (!d->has_next || (sc_seq_gt(end, d->next) && end - d->next > JUMP_MAX))
		d->next = seq;
	d->has_next = true;
	d->seen += len;
	if (sc_seq_gt(end, d->next)) {
		d->span += end - d->next;
		d->next = end;
	}
}

bool
survey_conns_add(struct survey_conns *t, struct sc_survey *s, const struct sc_seg *seg)
{
	uint32_t *slot = slot_find(t, seg);
	struct conn *c = *slot == 0 ? NULL : &t->conn[*slot - 1];
	bool from_client;

	if (c == NULL || is_new(c, seg))
		c = conn_add(t, s, slot, seg);
	if (c == NULL)
		return false;
	from_client = c->cport == seg->sport && sc_addr_eq(&c->client, &seg->src);
	if (from_client && (seg->flags & SC_TCP_SYN) != 0) {
		c->has_syn = true;
		c->isn = seg->seq;
	}
	side_add(from_client ? &c->from_client : &c->from_server, seg);
	return true;
}

/* ---- sums ---- */

static uint64_t
side_bytes(const struct side *d)
{
	uint64_t units = SC_MIN(d->span, d->seen);

	return units - SC_MIN(units, (uint64_t)d->has_fin);
}

static uint64_t
side_lost(const struct side *d)
{
	return d->span > d->seen ? d->span - d->seen : 0;
}

static void
conn_sum(const struct conn *c, struct sc_survey_conns *sum)
{
	uint64_t client = side_bytes(&c->from_client), server = side_bytes(&c->from_server);

	sum->nb++;
	sum->with_syn += c->has_syn;
	sum->mid_stream += !c->has_syn;
	if (client == 0 && server == 0)
		sum->silent++;
	else if (c->from_client.is_seen && c->from_server.is_seen)
		sum->both++;
	else if (c->from_client.is_seen)
		sum->client_only++;
	else
		sum->server_only++;
	sum->client_bytes += client;
	sum->server_bytes += server;
	sum->client_lost += side_lost(&c->from_client);
	sum->server_lost += side_lost(&c->from_server);
}

static int
server_cmp(const void *pa, const void *pb)
{
	const struct sc_survey_server *a = pa, *b = pb;

	if (a->is_mapped != b->is_mapped)
		return a->is_mapped ? -1 : 1;
	if (a->conns.client_bytes != b->conns.client_bytes)
		return a->conns.client_bytes > b->conns.client_bytes ? -1 : 1;
	if (a->conns.nb != b->conns.nb)
		return a->conns.nb > b->conns.nb ? -1 : 1;
	return memcmp(&a->addr, &b->addr, sizeof(a->addr));
}

void
survey_conns_finish(const struct survey_conns *t, struct sc_survey *s)
{
	const struct conn *c;

	for (uint32_t i = 0; i < t->nb; i++) {
		c = &t->conn[i];
		conn_sum(c, &s->all);
		if (c->is_mapped)
			conn_sum(c, &s->mapped);
		if (c->in_list == NO_SERVER)
			s->conns_unlisted++;
		else
			conn_sum(c, &s->server[c->in_list].conns);
	}
	qsort(s->server, s->nb_servers, sizeof(s->server[0]), server_cmp);
}
