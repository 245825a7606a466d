/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * 100,000 mutated frames: each ends in exactly one bucket, and no mbuf is lost. Frames of one segment
 * stand in memory that ends where they end, so that ASan sees what is read beyond.
 */
#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "ic_fix.h"
#include "sc_test.h"

#define FRAMES 100000
#define SEEDS_MAX 16

struct seed {
	uint8_t b[256];
	size_t len;
};

static struct seed seeds[SEEDS_MAX];
static unsigned int nb_seeds;

static void
add_seed(const uint8_t *b, size_t len)
{
	assert_true(nb_seeds < SEEDS_MAX && len <= sizeof(seeds[0].b));
	memcpy(seeds[nb_seeds].b, b, len);
	seeds[nb_seeds++].len = len;
}

static void
add_tcp(const char *src, const char *dst, unsigned int nb_vlan)
{
	struct test_frame t = {.src = src,
			.dst = dst,
			.sport = 80,
			.dport = 40000,
			.flags = SC_TCP_ACK,
			.nb_vlan = nb_vlan,
			.payload = "0123456789",
			.len = 10};
	static uint8_t b[TEST_FRAME_MAX];

	add_seed(b, test_frame_bytes(&t, b, sizeof(b)));
}

/* ARP and ND requests for an address of ours, from raw bytes; their sums may be anything. */
static void
add_neighbours(void)
{
	static const uint8_t arp[42] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 2, 8, 6,
			0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 2, 10, 9, 0, 2, 0, 0, 0, 0, 0, 0, 10,
			9, 0, 1};
	uint8_t nd[86] = {0x33, 0x33, 0xff, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd, 0x60};
	uint8_t echo[60] = {2, 0, 0, 0, 0, 0x99, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 28, 0, 0, 0, 0,
			64, 1, 0, 0, 10, 9, 0, 2, 10, 9, 0, 1, 8, 0, 0xf7, 0xff};
	struct sc_addr src = fix_addr("fd00:9::2"), dst = fix_addr("fd00:9::1");
	uint8_t *ip = nd + 14;
	uint16_t sum;

	add_seed(arp, sizeof(arp));
	ip[5] = 32;
	ip[6] = 58;
	ip[7] = 255;
	memcpy(ip + 8, src.b, 16);
	memcpy(ip + 24, dst.b, 16);
	ip[40] = 135;
	memcpy(ip + 48, dst.b, 16);
	ip[64] = 1;
	ip[65] = 1;
	memcpy(ip + 66, FIX_TARGET, 6);
	sum = (uint16_t)~test_sum16(ip + 8, 64, 32 + 58);
	ip[42] = (uint8_t)(sum >> 8);
	ip[43] = (uint8_t)sum;
	add_seed(nd, sizeof(nd));
	sum = (uint16_t)~test_sum16(echo + 14, 20, 0);
	echo[24] = (uint8_t)(sum >> 8);
	echo[25] = (uint8_t)sum;
	add_seed(echo, sizeof(echo));
}

static void
free_exact(void *addr, void *shinfo)
{
	free(addr);
	free(shinfo);
}

static struct rte_mbuf *
exact_mbuf(struct rte_mempool *mp, const uint8_t *b, uint16_t len)
{
	struct rte_mbuf_ext_shared_info *shinfo = calloc(1, sizeof(*shinfo));
	struct rte_mbuf *m = rte_pktmbuf_alloc(mp);
	uint8_t *exact = malloc(len);

	assert_true(shinfo != NULL && m != NULL && exact != NULL);
	memcpy(exact, b, len);
	shinfo->free_cb = free_exact;
	shinfo->fcb_opaque = shinfo;
	rte_mbuf_ext_refcnt_set(shinfo, 1);
	rte_pktmbuf_attach_extbuf(m, exact, 0, len, shinfo);
	assert_non_null(rte_pktmbuf_append(m, len));
	return m;
}

static struct rte_mbuf *
mutant(struct fix *f, struct sc_rng *rng)
{
	const struct seed *s = &seeds[sc_rng_below(rng, nb_seeds)];
	size_t len = s->len;
	uint8_t b[sizeof(s->b)];
	struct rte_mbuf *m;

	memcpy(b, s->b, len);
	for (uint32_t n = sc_rng_below(rng, 4); n > 0; n--)
		b[sc_rng_below(rng, (uint32_t)len)] ^= (uint8_t)(1u << sc_rng_below(rng, 8));
	if (sc_rng_below(rng, 8) == 0)
		b[sc_rng_below(rng, (uint32_t)len)] = (uint8_t)sc_rng_next(rng);
	if (sc_rng_below(rng, 4) == 0)
		len = 1 + sc_rng_below(rng, (uint32_t)len);
	if (sc_rng_below(rng, 4) == 0)
		m = test_mbuf_from(f->pool, b, len, 1 + sc_rng_below(rng, 60)); /* a chain */
	else
		m = exact_mbuf(f->pool, b, (uint16_t)len);
	if (sc_rng_below(rng, 4) == 0) /* a NIC that has judged the sums */
		m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	return m;
}

/* Returns the frames that wanted to be sent. */
static unsigned int
drain(struct fix *f, struct sc_rng *rng)
{
	unsigned int sent = fix_flush(f), n;
	struct sc_record rec[64];

	for (unsigned int w = 0; w < FIX_WORKERS; w++) {
		n = rte_ring_dequeue_burst_elem(f->ring[w], rec, sizeof(rec[0]), 64, NULL);
		for (unsigned int i = 0; i < n; i++) {
			assert_in_range(rec[i].target, 0, f->ts.nb - 1);
			rte_pktmbuf_free(rec[i].mbuf);
		}
	}
	for (int i = 0; i < 64; i++)
		f->want[sc_rng_next(rng) & 0xffff] ^= 1;
	return sent;
}

static void
test_storm(void **state)
{
	struct fix *f = fix_new();
	const struct sc_stats *st = &f->stats.live;
	struct rte_mbuf *m[64];
	struct sc_rng rng;
	uint32_t done = 0, sent = 0;

	(void)state;
	sc_rng_seed(&rng, 20240917);
	add_tcp("10.9.0.2", "192.0.2.7", 0);
	add_tcp("10.9.0.2", "192.0.2.8", 2);
	add_tcp("fd00:9::2", "2001:db8::7", 0);
	add_neighbours();
	memset(f->want, 1, sizeof(f->want));
	fix_start_pool(f, "10.9.0.100-120,fd00:9::100");
	while (done < FRAMES) {
		uint16_t n = (uint16_t)(1 + sc_rng_below(&rng, 64));

		for (uint16_t i = 0; i < n; i++)
			m[i] = mutant(f, &rng);
		sc_intercept_burst(f->ic, m, n, f->now);
		done += n;
		assert_int_equal(st->c[SC_C_RESP_POLLED], done);
		fix_check(f);
		fix_tick(f, sc_rng_below(&rng, 20));
		if (sc_rng_below(&rng, 3) == 0)
			sent += drain(f, &rng);
	}
	/* The storm reached all that it is to reach. */
	assert_true(st->c[SC_C_RESP_RECORDS] > 5000);
	assert_true(st->c[SC_C_RESP_NEIGHBOUR] > 5000);
	assert_true(sent > 1000);
	assert_true(fix_refused(f, SC_R_SHORT_FRAME) > 0);
	assert_true(fix_refused(f, SC_R_NOT_FROM_TARGET) > 0);
	assert_true(fix_refused(f, SC_R_BAD_L4_CHECKSUM) > 0);
	assert_true(fix_refused(f, SC_R_NOT_TCP) > 0);
	assert_true(fix_refused(f, SC_R_TRUNCATED_FRAME) > 0);
	for (int i = 0; i < 100; i++)
		drain(f, &rng);
	fix_free(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_storm)};

	return cmocka_run_group_tests(tests, fix_group_setup, fix_group_teardown);
}
