/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guard passes plain IPv4 frames at first sight, from tables made at sc_tx_init(). It must pass no
 * other than the long look would: one that takes a tag is looked at the long way.
 */
#include <netinet/in.h>
#include <string.h>
#include <test_eal.h>

#include "bed.h"

#define NB_ROUNDS 100000
#define FRAME_LEN 54

static struct bed *
ports(struct sc_tx *tx)
{
	struct bed *b = bed_new();

	b->tx_slots = 64;
	bed_start_ports(b);
	sc_tx_init(tx, &b->box, &b->cell[0].live, 0, 2, SC_TX_REPLAY);
	return b;
}

/* Headers of a replayed frame without options or payload, to be spoiled. */
static void
frame_bytes(uint8_t p[FRAME_LEN], const uint8_t mac[6], uint32_t src, uint32_t dst, uint16_t port)
{
	static const uint8_t ip[] = {0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, IPPROTO_TCP};

	memset(p, 0, FRAME_LEN);
	memcpy(p, mac, 6);
	memcpy(p + 6, BED_MAC, 6);
	p[12] = 0x08;
	memcpy(p + 14, ip, sizeof(ip));
	src = rte_cpu_to_be_32(src);
	dst = rte_cpu_to_be_32(dst);
	memcpy(p + 26, &src, 4);
	memcpy(p + 30, &dst, 4);
	p[34] = 0x9c;
	p[36] = (uint8_t)(port >> 8);
	p[37] = (uint8_t)port;
	p[46] = 0x50;
	p[47] = SC_TCP_ACK;
}

/* Send it, with a tag or without. SC_R_NONE: it left. */
static enum sc_reason
verdict(struct bed *b, struct sc_tx *tx, const uint8_t *bytes, uint16_t len, bool is_tagged)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(b->pool), *out;
	struct sc_stats *st = &b->cell[0].live;
	uint64_t before[SC_R_COUNT];
	unsigned int r;
	char *p;

	assert_non_null(m);
	p = rte_pktmbuf_append(m, len + (is_tagged ? 4 : 0));
	assert_non_null(p);
	if (is_tagged && len >= 12) {
		memcpy(p, bytes, 12);
		memcpy(p + 12, (const uint8_t[]){0x81, 0, 0, 100}, 4);
		memcpy(p + 16, bytes + 12, len - 12u);
	} else {
		memcpy(p, bytes, len);
	}
	memcpy(before, st->m[SC_M_GUARD_REFUSED], sizeof(before));
	sc_tx_send(tx, &m, 1);
	out = bed_take(b, 0);
	rte_pktmbuf_free(out);
	if (out != NULL)
		return SC_R_NONE;
	for (r = 0; r < SC_R_COUNT; r++)
		if (st->m[SC_M_GUARD_REFUSED][r] != before[r])
			break;
	assert_true(r < SC_R_COUNT);
	return (enum sc_reason)r;
}

static enum sc_reason
verdict_of(struct bed *b, struct sc_tx *tx, const uint8_t mac[6], uint32_t src, uint32_t dst,
		uint16_t port)
{
	uint8_t bytes[FRAME_LEN];
	enum sc_reason r;

	frame_bytes(bytes, mac, src, dst, port);
	r = verdict(b, tx, bytes, FRAME_LEN, false);
	assert_int_equal(verdict(b, tx, bytes, FRAME_LEN, true), r);
	return r;
}

static void
test_tag_makes_no_difference(void **state)
{
	static const uint32_t ips[] = {0x0a010005, 0x0a010006, 0x0a090002, 0x0a320005, 0x0a0900fe,
			0x0a090001, 0x0a020001, 0, 0x7f000001, 0xe0000001, 0xffffffff, 0x0a090002,
			0x0a320005};
	static const uint16_t dports[] = {8080, 8080, 8081, 80};
	unsigned int seen[SC_R_COUNT] = {0};
	uint8_t bytes[FRAME_LEN];
	struct sc_rng rng;
	struct sc_tx tx;
	struct bed *b = ports(&tx);

	(void)state;
	sc_rng_seed(&rng, 21);
	for (unsigned int i = 0; i < NB_ROUNDS; i++) {
		uint32_t src = ips[sc_rng_below(&rng, SC_ARRAY_SIZE(ips))];
		uint16_t len = FRAME_LEN;
		enum sc_reason r;

		if (sc_rng_below(&rng, 2))
			src = (uint32_t)sc_rng_next(&rng);
		frame_bytes(bytes, bed_hop_mac(sc_rng_below(&rng, 2) ? 0 : 2), src,
				ips[sc_rng_below(&rng, 4) + 2 * sc_rng_below(&rng, 2)],
				dports[sc_rng_below(&rng, 4)]);
		for (unsigned int k = sc_rng_below(&rng, 3); k > 0; k--) {
			size_t at = sc_rng_below(&rng, 40);

			bytes[at] = sc_rng_below(&rng, 2) ? (uint8_t)sc_rng_next(&rng)
							  : bytes[at] ^ 1 << sc_rng_below(&rng, 8);
		}
		if (sc_rng_below(&rng, 8) == 0)
			len = (uint16_t)sc_rng_below(&rng, FRAME_LEN);
		r = verdict(b, &tx, bytes, len, false);
		seen[r]++;
		assert_int_equal(verdict(b, &tx, bytes, len, true), r);
	}
	assert_true(seen[SC_R_NONE] > 1000);
	assert_true(seen[SC_R_GUARD_TARGET] > 1000);
	assert_true(seen[SC_R_GUARD_NEXT_HOP] > 1000);
	assert_true(seen[SC_R_GUARD_SOURCE] > 1000);
	bed_end(b);
}

/* Each bit of a frame that may go, and each length. */
static void
test_every_bit(void **state)
{
	uint8_t bytes[FRAME_LEN];
	struct sc_tx tx;
	struct bed *b = ports(&tx);

	(void)state;
	frame_bytes(bytes, bed_hop_mac(0), 0x0a010005, 0x0a090002, 8080);
	for (unsigned int bit = 0; bit < 8 * FRAME_LEN; bit++) {
		enum sc_reason r;

		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		r = verdict(b, &tx, bytes, FRAME_LEN, false);
		assert_int_equal(verdict(b, &tx, bytes, FRAME_LEN, true), r);
		/* destination MAC, type, version, protocol, destination address and port */
		if (bit < 48 || (bit >= 96 && bit < 120) || bit / 8 == 23
				|| (bit >= 240 && bit < 272) || (bit >= 288 && bit < 304))
			assert_int_not_equal(r, SC_R_NONE);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (uint16_t len = 0; len < FRAME_LEN; len++)
		assert_int_equal(verdict(b, &tx, bytes, len, false),
				verdict(b, &tx, bytes, len, true));
	bed_end(b);
}

/* A MAC that changes, or is no longer known, holds from the next frame on. */
static void
test_next_hop_moves(void **state)
{
	const uint8_t moved[6] = {2, 0, 0, 0, 7, 7};
	const uint8_t *old = bed_hop_mac(0);
	struct sc_tx tx;
	struct bed *b = ports(&tx);
	_Atomic uint64_t *word = &b->targets.nexthop[0].word;

	(void)state;
	assert_int_equal(verdict_of(b, &tx, old, 0x0a010005, 0x0a090002, 8080), SC_R_NONE);
	assert_int_equal(verdict_of(b, &tx, moved, 0x0a010005, 0x0a090002, 8080),
			SC_R_GUARD_NEXT_HOP);
	bed_set_hop(b, 0, moved);
	assert_int_equal(verdict_of(b, &tx, moved, 0x0a010005, 0x0a090002, 8080), SC_R_NONE);
	assert_int_equal(
			verdict_of(b, &tx, old, 0x0a010005, 0x0a090002, 8080), SC_R_GUARD_NEXT_HOP);
	/* in doubt it is still used; once it is unknown, nothing goes there */
	atomic_store(word, (uint64_t)SC_NEIGH_STALE << 56 | (atomic_load(word) & 0xffffffffffff));
	assert_int_equal(verdict_of(b, &tx, moved, 0x0a010005, 0x0a090002, 8080), SC_R_NONE);
	atomic_store(word, atomic_load(word) & 0xffffffffffff);
	assert_int_equal(verdict_of(b, &tx, moved, 0x0a010005, 0x0a090002, 8080),
			SC_R_GUARD_NEXT_HOP);
	bed_set_hop(b, 0, old);
	assert_int_equal(verdict_of(b, &tx, old, 0x0a010005, 0x0a090002, 8080), SC_R_NONE);
	bed_end(b);
}

/* Tables as full as they can be: 10.9.1.0 + i at port 8000 + i is target and next hop i. */
static void
fill(struct bed *b, struct sc_tx *tx)
{
	struct sc_prefix net;

	assert_int_equal(sc_prefix_parse("10.9.0.1/16", &net), 0);
	for (uint32_t i = 0; i < SC_RULES_MAX; i++) {
		struct sc_rule *r = &b->cfg.rule[i];

		*r = (struct sc_rule){.has_prod = true,
				.prod_port = 80,
				.target_port = (uint16_t)(8000 + i)};
		sc_addr_from_v4(&r->prod, rte_cpu_to_be_32(0x0a020000 + 7 * i));
		sc_addr_from_v4(&r->target, rte_cpu_to_be_32(0x0a090100 + i));
	}
	b->cfg.nb_rules = SC_RULES_MAX;
	assert_int_equal(sc_targets_build(&b->targets, b->cfg.rule, SC_RULES_MAX, &net, 1, NULL, 0,
					 NULL, NULL),
			0);
	assert_int_equal(b->targets.nb, SC_TARGETS_MAX);
	assert_int_equal(b->targets.nb_nexthops, SC_NEXTHOPS_MAX);
	for (uint32_t i = 0; i < SC_NEXTHOPS_MAX; i++)
		bed_set_hop(b, i, (const uint8_t[]){2, 0, 0, 1, 0, (uint8_t)i});
	sc_tx_init(tx, &b->box, &b->cell[0].live, 0, 2, SC_TX_REPLAY);
}

static void
test_full_tables(void **state)
{
	struct sc_tx tx;
	struct bed *b = ports(&tx);

	(void)state;
	fill(b, &tx);
	for (uint32_t i = 0; i < SC_TARGETS_MAX; i++) {
		const uint8_t mac[6] = {2, 0, 0, 1, 0, (uint8_t)i};
		const uint8_t next[6] = {2, 0, 0, 1, 0, (uint8_t)(i + 1)};
		uint32_t dst = 0x0a090100 + i;
		uint16_t port = (uint16_t)(8000 + i);

		assert_int_equal(verdict_of(b, &tx, mac, 0x0a010005 + i, dst, port), SC_R_NONE);
		assert_int_equal(verdict_of(b, &tx, next, 0x0a010005 + i, dst, port),
				SC_R_GUARD_NEXT_HOP);
		assert_int_equal(verdict_of(b, &tx, mac, 0x0a010005 + i, dst, port + 1),
				SC_R_GUARD_TARGET);
		/* all targets, next hops and productions, the box */
		assert_int_equal(verdict_of(b, &tx, mac, 0x0a090100 + (i * 37 & 255), dst, port),
				SC_R_GUARD_SOURCE);
		assert_int_equal(verdict_of(b, &tx, mac, 0x0a020000 + 7 * i, dst, port),
				SC_R_GUARD_SOURCE);
		assert_int_equal(verdict_of(b, &tx, mac, 0x0a020001 + 7 * i, dst, port), SC_R_NONE);
		assert_int_equal(verdict_of(b, &tx, mac, 0x0a090001, dst, port), SC_R_GUARD_SOURCE);
	}
	bed_end(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_tag_makes_no_difference),
			cmocka_unit_test(test_every_bit),
			cmocka_unit_test(test_next_hop_moves),
			cmocka_unit_test(test_full_tables),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
