/* SPDX-License-Identifier: BSD-3-Clause */
/* Pools of replay client addresses. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_byteorder.h>

#include <sc_filter.h>

#include "text.h"

#define POOL_FORM                                                                                  \
	"write addresses, ranges (10.0.0.1-99), prefixes (10.0.0.0/24) or 10.0.0.x, separated by " \
	"commas"
/* Slots of the index: at most half of them are taken. */
#define POOL_SLOTS (2 * SC_POOL_MAX)

/* The addresses from `first` on, counted up. */
struct span {
	struct sc_addr first;
	uint64_t nb;
};

static uint32_t *
find_slot(const struct sc_pool *pool, const struct sc_addr *a)
{
	uint32_t i = sc_hash(a, sizeof(*a), 0) % POOL_SLOTS;

	/* A slot holds the address's index + 1; 0 is free, and half of the slots always are. */
	while (pool->slot[i] != 0 && !sc_addr_eq(&pool->addr[pool->slot[i] - 1], a))
		i = (i + 1) % POOL_SLOTS;
	return &pool->slot[i];
}

static uint64_t
low_bits(const struct sc_addr *a)
{
	return rte_be_to_cpu_64(a->u64[1]);
}

/* The n-th address of the span. Spans never carry out of the low 64 bits. */
static struct sc_addr
span_addr(const struct span *s, uint32_t n)
{
	struct sc_addr a = s->first;

	a.u64[1] = rte_cpu_to_be_64(low_bits(&a) + n);
	return a;
}

static int
parse_range(const char *item, const char *low, const char *high, struct span *s, struct sc_err *err)
{
	struct sc_addr last;
	uint32_t octet;

	if (sc_addr_parse(low, &s->first) < 0)
		return sc_err_set(err, -EINVAL,
				"client addresses '%s': '%s' is not an address; " POOL_FORM, item,
				low);
	if (sc_addr_is_v4(&s->first) && filter_number(high, 0, 255, &octet)) {
		last = s->first;
		last.b[15] = (uint8_t)octet;
	} else if (sc_addr_parse(high, &last) < 0) {
		return sc_err_set(err, -EINVAL,
				"client addresses '%s': '%s' is neither an address nor the last "
				"octet of an IPv4 one (0 to 255)",
				item, high);
	}
	if (sc_addr_is_v4(&s->first) != sc_addr_is_v4(&last))
		return sc_err_set(err, -EINVAL,
				"client addresses '%s': a range is of one IP version", item);
	if (memcmp(s->first.b, last.b, sizeof(last.b)) > 0)
		return sc_err_set(err, -EINVAL,
				"client addresses '%s': the range ends before it begins; write the "
				"lower address first",
				item);
	s->nb = low_bits(&last) - low_bits(&s->first) + 1;
	if (s->first.u64[0] == last.u64[0] && s->nb - 1 < SC_POOL_MAX)
		return 0;
	return sc_err_set(err, -E2BIG,
			"client addresses '%s': the range has more than %u addresses", item,
			SC_POOL_MAX);
}

static int
parse_prefix(const char *item, struct span *s, struct sc_err *err)
{
	struct sc_prefix p;
	char addr[SC_ADDR_STRLEN];
	unsigned int host_bits;
	uint64_t mask, low;

	if (sc_prefix_parse(item, &p) < 0)
		return sc_err_set(err, -EINVAL,
				"client addresses '%s': not a prefix; write one like 10.0.0.0/24 "
				"or fd00::/120",
				item);
	host_bits = (sc_addr_is_v4(&p.addr) ? 32 : 128) - p.len;
	if (host_bits > 16)
		return sc_err_set(err, -E2BIG,
				"client addresses '%s': a prefix of more than %u addresses; the "
				"shortest are /16 for IPv4 and /112 for IPv6",
				item, SC_POOL_MAX);
	mask = (1u << host_bits) - 1;
	low = low_bits(&p.addr);
	s->first = p.addr;
	s->nb = mask + 1;
	if ((low & mask) != 0) {
		s->first.u64[1] = rte_cpu_to_be_64(low & ~mask);
		return sc_err_set(err, -EINVAL,
				"client addresses '%s': the address has bits behind the prefix; "
				"write %s/%u for the network, or the address alone",
				item, sc_addr_format(&s->first, addr), p.len);
	}
	if (sc_addr_is_v4(&p.addr) && host_bits > 1) {
		s->first.u64[1] = rte_cpu_to_be_64(low + 1);
		s->nb -= 2;
	}
	return 0;
}

/* TCPCopy's way to say a /24: the last octet is x, from .1 to .254. */
static int
parse_wildcard(const char *item, char *cut, struct span *s, struct sc_err *err)
{
	cut[strlen(cut) - 1] = '1';
	if (sc_addr_parse(cut, &s->first) < 0 || !sc_addr_is_v4(&s->first))
		return sc_err_set(err, -EINVAL,
				"client addresses '%s': not an IPv4 address whose last octet is x; "
				"write one like 62.135.200.x",
				item);
	s->nb = 254;
	return 0;
}

static int
parse_item(const char *item, struct span *s, struct sc_err *err)
{
	char cut[FILTER_ITEM_MAX];
	size_t len = strlen(item);
	char *dash;

	if (len == 0)
		return sc_err_set(err, -EINVAL,
				"client addresses: an element of the list is empty; " POOL_FORM);
	memcpy(cut, item, SC_MIN(len + 1, sizeof(cut)));
	cut[sizeof(cut) - 1] = '\0';
	if (strchr(cut, '/') != NULL)
		return parse_prefix(item, s, err);
	if (len > 2 && strcmp(cut + len - 2, ".x") == 0)
		return parse_wildcard(item, cut, s, err);
	dash = strchr(cut, '-');
	if (dash == NULL)
		return parse_range(item, cut, cut, s, err);
	*dash = '\0';
	return parse_range(item, cut, dash + 1, s, err);
}

/* Memory for nb addresses and for the index. */
static int
reserve(struct sc_pool *pool, uint64_t nb)
{
	struct sc_addr *addr;

	if (pool->slot == NULL)
		pool->slot = calloc(POOL_SLOTS, sizeof(*pool->slot));
	addr = realloc(pool->addr, SC_MIN(nb, SC_POOL_MAX) * sizeof(*addr));
	if (addr != NULL)
		pool->addr = addr;
	return pool->slot != NULL && addr != NULL ? 0 : -ENOMEM;
}

static int
append_addr(struct sc_pool *pool, const struct sc_addr *a, const char *item, struct sc_err *err)
{
	char text[SC_ADDR_STRLEN];
	uint32_t *slot = find_slot(pool, a);

	if (!filter_is_host(a))
		return sc_err_set(err, -EINVAL,
				"client addresses '%s': %s can be no client's address; take "
				"unicast addresses that the target routes to this box",
				item, sc_addr_format(a, text));
	if (*slot != 0)
		return 0;
	if (pool->nb == SC_POOL_MAX)
		return sc_err_set(err, -E2BIG,
				"client addresses '%s': the pool has more than %u addresses", item,
				SC_POOL_MAX);
	pool->addr[pool->nb++] = *a;
	*slot = pool->nb;
	if (sc_addr_is_v4(a))
		pool->nb_v4++;
	else
		pool->nb_v6++;
	return 0;
}

static int
append_item(struct sc_pool *pool, const char *item, struct sc_err *err)
{
	struct span s;
	int rc = parse_item(item, &s, err);

	if (rc < 0)
		return rc;
	if (reserve(pool, pool->nb + s.nb) < 0)
		return sc_err_set(err, -ENOMEM, "client addresses '%s': out of memory", item);
	for (uint32_t i = 0; i < s.nb && rc == 0; i++) {
		struct sc_addr a = span_addr(&s, i);

		rc = append_addr(pool, &a, item, err);
	}
	return rc;
}

/* Forget the addresses from `nb` on. */
static void
truncate_pool(struct sc_pool *pool, uint32_t nb)
{
	pool->nb = nb;
	pool->nb_v4 = 0;
	pool->nb_v6 = 0;
	if (pool->slot != NULL)
		memset(pool->slot, 0, POOL_SLOTS * sizeof(*pool->slot));
	for (uint32_t i = 0; i < nb; i++) {
		*find_slot(pool, &pool->addr[i]) = i + 1;
		if (sc_addr_is_v4(&pool->addr[i]))
			pool->nb_v4++;
		else
			pool->nb_v6++;
	}
}

int
sc_pool_parse(const char *text, struct sc_pool *pool, struct sc_err *err)
{
	uint32_t nb_before = pool->nb;
	char item[FILTER_ITEM_MAX];
	int rc = 0;

	while (text != NULL && rc == 0) {
		if (filter_next_item(&text, item))
			rc = append_item(pool, item, err);
		else
			rc = sc_err_set(err, -EINVAL,
					"client addresses '%.40s...': too long for one "
					"element; " POOL_FORM,
					item);
	}
	if (rc < 0)
		truncate_pool(pool, nb_before);
	return rc;
}

void
sc_pool_free(struct sc_pool *pool)
{
	free(pool->addr);
	free(pool->slot);
	*pool = (struct sc_pool){.addr = NULL};
}

bool
sc_pool_contains(const struct sc_pool *pool, const struct sc_addr *a)
{
	return pool->nb > 0 && *find_slot(pool, a) != 0;
}
