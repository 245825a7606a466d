/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * 100,000 seeded mutations and truncations of valid frames. Each stands at the very end of exactly
 * sized memory, so that under ASan one byte too far ends the test.
 */
#include <stdlib.h>
#include <string.h>

#include <sc_packet.h>

#include "frame.h"
#include "sc_test.h"
#include "test_eal.h"

#define NB_ROUNDS 100000
#define SEGS_MAX 4

static uint8_t base[TEST_FRAME_MAX];

/* A chain over memory of its own; no pool behind it. */
struct chain {
	struct rte_mbuf m[SEGS_MAX];
	uint8_t *mem[SEGS_MAX];
	unsigned int nb;
};

static void
chain_make(struct chain *c, const uint8_t *bytes, size_t len, struct sc_rng *rng)
{
	size_t done = 0;

	memset(c, 0, sizeof(*c));
	c->nb = 1 + sc_rng_below(rng, SEGS_MAX);
	for (unsigned int i = 0; i < c->nb; i++) {
		size_t n = i + 1 == c->nb ? len - done
					  : sc_rng_below(rng, (uint32_t)(len - done) + 1);
		struct rte_mbuf *m = &c->m[i];

		c->mem[i] = malloc(n > 0 ? n : 1);
		assert_non_null(c->mem[i]);
		memcpy(c->mem[i], bytes + done, n);
		m->buf_addr = c->mem[i];
		m->buf_len = (uint16_t)n;
		m->data_len = (uint16_t)n;
		m->next = i + 1 < c->nb ? &c->m[i + 1] : NULL;
		done += n;
	}
	c->m[0].nb_segs = (uint16_t)c->nb;
	c->m[0].pkt_len = (uint32_t)len;
}

static void
chain_free(struct chain *c)
{
	for (unsigned int i = 0; i < c->nb; i++)
		free(c->mem[i]);
}

static uint8_t rand_opts[40];

/* A valid frame of any kind. */
static size_t
valid_frame(struct sc_rng *rng, struct test_frame *f)
{
	static const uint8_t types[] = {60, 43, 60, 60};
	bool v6 = sc_rng_below(rng, 2) != 0;

	*f = (struct test_frame){
			.link = sc_rng_below(rng, 4),
			.src = v6 ? "2001:db8::1" : "192.0.2.1",
			.dst = v6 ? "2001:db8::2" : "192.0.2.2",
			.seq = (uint32_t)sc_rng_next(rng),
			.flags = (uint8_t)sc_rng_next(rng),
			.csum = sc_rng_below(rng, 2), /* good or partial */
			.payload = base + sizeof(base) / 2,
			.len = sc_rng_below(rng, 120),
			.trailer = sc_rng_below(rng, 8),
			.opts = rand_opts,
			.opts_len = sc_rng_below(rng, 41),
			.ip_opts = rand_opts,
			.ip_opts_len = v6 ? 0 : 4 * sc_rng_below(rng, 11),
			.nb_ext = v6 ? sc_rng_below(rng, 5) : 0,
	};
	if (f->link != SC_LINK_RAW)
		f->nb_vlan = sc_rng_below(rng, 5);
	for (size_t i = 0; i < sizeof(rand_opts); i++)
		rand_opts[i] = (uint8_t)(sc_rng_below(rng, 3) == 0 ? sc_rng_next(rng)
								   : sc_rng_below(rng, 11));
	for (unsigned int i = 0; i < f->nb_ext; i++) {
		f->ext[i].type = i == 0 && sc_rng_below(rng, 2) ? 0 : types[i % 4];
		f->ext[i].units = (uint8_t)sc_rng_below(rng, 3);
	}
	return test_frame_bytes(f, base, sizeof(base) / 2);
}

/* What must hold of every frame that is taken, however it came about. */
static void
assert_sane(const struct chain *c, const struct sc_seg *seg)
{
	uint8_t *out;

	assert_true(seg->payload_off + seg->payload_len <= c->m[0].pkt_len);
	assert_true(seg->wscale <= 14);
	assert_true(seg->nb_vlan <= 4);
	assert_true(sc_addr_is_v4(&seg->src) == sc_addr_is_v4(&seg->dst));
	assert_true(seg->csum != SC_CSUM_BAD);
	out = malloc(seg->payload_len + 1u);
	assert_non_null(out);
	sc_packet_copy_payload(seg, 0, seg->payload_len, out);
	assert_int_equal(test_sum16(out, seg->payload_len, 0), seg->payload_sum);
	free(out);
}

static enum sc_reason
parse_chain(const uint8_t *bytes, size_t len, enum sc_link link, struct sc_rng *rng)
{
	struct chain c;
	struct sc_seg seg;
	enum sc_reason r;

	chain_make(&c, bytes, len, rng);
	/* without the checks that stop most mutants early, half of the time */
	if (sc_rng_below(rng, 2) != 0)
		c.m[0].ol_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD;
	r = sc_packet_parse(&c.m[0], link, &seg);
	if (r == SC_R_NONE)
		assert_sane(&c, &seg);
	chain_free(&c);
	return r;
}

static size_t
mutate(uint8_t *bytes, size_t len, struct sc_rng *rng)
{
	unsigned int nb = sc_rng_below(rng, 5);
	/* mostly the headers: the payload decides nothing */
	size_t front = SC_MIN(len, 140u);

	for (unsigned int i = 0; i < nb; i++) {
		size_t at = sc_rng_below(rng, (uint32_t)front);

		if (sc_rng_below(rng, 2) != 0)
			bytes[at] ^= (uint8_t)(1u << sc_rng_below(rng, 8));
		else
			bytes[at] = (uint8_t)sc_rng_next(rng);
	}
	return sc_rng_below(rng, 3) == 0 ? sc_rng_below(rng, (uint32_t)len + 1) : len;
}

static void
test_valid_frames_are_taken(void **state)
{
	struct test_frame f;
	struct sc_rng rng;

	(void)state;
	sc_rng_seed(&rng, 1);
	for (unsigned int i = 0; i < 5000; i++) {
		size_t len = valid_frame(&rng, &f);

		assert_int_equal(parse_chain(base, len, f.link, &rng), SC_R_NONE);
	}
}

static void
test_mutants(void **state)
{
	static const enum sc_reason reasons[] = {SC_R_NONE, SC_R_SHORT_FRAME, SC_R_NOT_IP,
			SC_R_BAD_IP_HEADER, SC_R_IP_FRAGMENT, SC_R_NOT_TCP, SC_R_BAD_TCP_HEADER,
			SC_R_TRUNCATED_FRAME, SC_R_BAD_IP_CHECKSUM, SC_R_BAD_L4_CHECKSUM};
	unsigned int seen[SC_R_COUNT] = {0}, sum = 0;
	struct test_frame f;
	struct sc_rng rng;

	(void)state;
	sc_rng_seed(&rng, 2);
	for (unsigned int i = 0; i < NB_ROUNDS; i++) {
		size_t len = valid_frame(&rng, &f);

		len = mutate(base, len, &rng);
		seen[parse_chain(base, len, f.link, &rng)]++;
	}
	/* every reason is reached, and no other */
	for (size_t i = 0; i < SC_ARRAY_SIZE(reasons); i++) {
		assert_true(seen[reasons[i]] > 100);
		sum += seen[reasons[i]];
	}
	assert_int_equal(sum, NB_ROUNDS);
}

/* Bytes that were never a frame. */
static void
test_noise(void **state)
{
	uint8_t noise[200];
	struct sc_rng rng;

	(void)state;
	sc_rng_seed(&rng, 3);
	for (unsigned int i = 0; i < 20000; i++) {
		size_t len = sc_rng_below(&rng, sizeof(noise) + 1);

		for (size_t k = 0; k < len; k++)
			noise[k] = (uint8_t)sc_rng_next(&rng);
		parse_chain(noise, len, (enum sc_link)sc_rng_below(&rng, 6), &rng);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_valid_frames_are_taken),
			cmocka_unit_test(test_mutants),
			cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
