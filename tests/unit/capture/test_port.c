/* SPDX-License-Identifier: BSD-3-Clause */
/* The ring port: what stands in the file is received, in order, at its time, and nothing is lost. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_ethdev.h>
#include <rte_mempool.h>

#include <sc_capture.h>

#include "pcapfile.h"
#include "sc_test.h"
#include "test_eal.h"

#define T0 1700000000000000000ull
#define NOW 5000000ull
#define LEN_MAX 262144

static struct rte_mempool *pool;
static uint8_t data[LEN_MAX];
static char path[64];

static int
setup(void **state)
{
	if (test_eal_setup(state) < 0)
		return -1;
	pool = test_pool("capture", 6143, 2048);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 31 + (i >> 8));
	pcapfile_temp(path);
	return 0;
}

static int
teardown(void **state)
{
	unlink(path);
	rte_mempool_free(pool);
	return test_eal_teardown(state);
}

/* nb frames of 60 bytes, every step_ns; the first 4 bytes are the number. */
static void
write_frames(const char *name, uint64_t ts_ns, uint32_t nb, uint64_t step_ns)
{
	struct pcapfile *f = pcapfile_open(name, PCAPFILE_NS, false, PCAPFILE_ETHER);
	uint8_t frame[60] = {0};

	for (uint32_t i = 0; i < nb; i++) {
		memcpy(frame, &i, sizeof(i));
		pcapfile_packet(f, ts_ns + i * step_ns, frame, sizeof(frame), sizeof(frame));
	}
	pcapfile_close(f);
}

static struct sc_capture *
create(const char *const *paths, unsigned int nb, double speed, struct rte_mempool *mp)
{
	struct sc_capture_cfg cfg = {
			.paths = paths, .nb_paths = nb, .speed = speed, .pool = mp, .nb_queues = 1};
	struct sc_err err;
	struct sc_capture *c = sc_capture_create(&cfg, &err);

	if (c == NULL)
		fail_msg("%s", err.text);
	return c;
}

static struct sc_capture *
create_one(double speed, struct rte_mempool *mp)
{
	const char *p = path;

	return create(&p, 1, speed, mp);
}

static struct sc_capture_stats
stats(const struct sc_capture *c)
{
	struct sc_capture_stats st;

	sc_capture_get_stats(c, &st);
	return st;
}

/* Receive all of queue q; every frame must be number *next, which counts on. */
static unsigned int
receive(const struct sc_capture *c, uint16_t q, uint32_t *next)
{
	struct rte_mbuf *m[32];
	unsigned int nb = 0;
	uint16_t n;

	while ((n = rte_eth_rx_burst(sc_capture_port(c)->id, q, m, 32)) > 0) {
		for (uint16_t i = 0; i < n; i++) {
			assert_int_equal(*rte_pktmbuf_mtod(m[i], uint32_t *), (*next)++);
			assert_int_equal(m[i]->pkt_len, 60);
			assert_int_equal(m[i]->port, sc_capture_port(c)->id);
			rte_pktmbuf_free(m[i]);
		}
		nb += n;
	}
	return nb;
}

static void
pool_is_full(struct rte_mempool *mp)
{
	assert_int_equal(rte_mempool_avail_count(mp), mp->size);
}

static void
test_port(void **state)
{
	const struct sc_port *p;
	struct sc_capture *c, *c2;

	write_frames(path, T0, 3, 1);
	c = create_one(1, pool);
	c2 = create_one(1, pool); /* names are unique */
	p = sc_capture_port(c);
	assert_int_not_equal(p->id, sc_capture_port(c2)->id);
	assert_string_not_equal(p->name, sc_capture_port(c2)->name);
	assert_int_equal(p->role, SC_PORT_MIRROR);
	assert_true(p->is_ring && p->is_file && !p->is_hw_steered);
	assert_int_equal(p->nb_rxq, 1);
	assert_int_equal(p->nb_txq, 0);
	assert_true(rte_eth_dev_is_valid_port(p->id));
	sc_capture_destroy(c);
	sc_capture_destroy(c2);
	assert_int_equal(rte_eth_dev_count_avail(), 0);
}

static void
test_pacing(void **state)
{
	/* 10 frames, 1 ms apart; virtual time at speed 1, then at speed 4. */
	struct sc_capture *c;
	uint32_t next = 0;

	write_frames(path, T0, 10, 1000000);
	c = create_one(1, pool);
	assert_int_equal(sc_capture_poll(c, NOW), 1);
	assert_int_equal(sc_capture_poll(c, NOW + 999), 0);
	assert_int_equal(sc_capture_poll(c, NOW + 1000), 1);
	assert_int_equal(sc_capture_poll(c, NOW + 3500), 2);
	assert_int_equal(sc_capture_poll(c, NOW - 100), 0); /* an earlier now is harmless */
	assert_int_equal(sc_capture_poll(c, NOW + 8999), 5);
	assert_false(stats(c).is_done);
	assert_int_equal(sc_capture_poll(c, NOW + 9000), 1);
	assert_int_equal(sc_capture_poll(c, NOW + 9000), 0);
	assert_true(stats(c).is_done);
	assert_int_equal(receive(c, 0, &next), 10);
	assert_int_equal(stats(c).first_ns, T0);
	assert_int_equal(stats(c).last_ns, T0 + 9000000);
	assert_int_equal(stats(c).frames, 10);
	assert_int_equal(stats(c).bytes, 600);
	sc_capture_destroy(c);

	c = create_one(4, pool);
	assert_int_equal(sc_capture_poll(c, NOW), 1);
	assert_int_equal(sc_capture_poll(c, NOW + 249), 0);
	assert_int_equal(sc_capture_poll(c, NOW + 250), 1);
	assert_int_equal(sc_capture_poll(c, NOW + 2249), 7);
	assert_int_equal(sc_capture_poll(c, NOW + 2250), 1);
	sc_capture_destroy(c);
	pool_is_full(pool);
}

static void
test_capture_time(void **state)
{
	/* cap_us is the original distance whatever the speed; a later file goes on after. */
	char second[64];
	const char *paths[2] = {path, second};
	static const uint64_t want[] = {0, 1000, 2000, 2000, 3000, 4000};
	struct rte_mbuf *m[16];
	struct sc_capture *c;

	pcapfile_temp(second);
	write_frames(path, T0, 3, 1000000);
	write_frames(second, T0 - 5000000000, 3, 1000000);
	c = create(paths, 2, 10, pool);
	assert_int_equal(sc_capture_poll(c, NOW), 1);
	assert_int_equal(sc_capture_poll(c, NOW + 399), 4);
	assert_int_equal(sc_capture_poll(c, NOW + 400), 1);
	assert_int_equal(rte_eth_rx_burst(sc_capture_port(c)->id, 0, m, 16), 6);
	for (unsigned int i = 0; i < 6; i++) {
		assert_int_equal(sc_mbuf_meta(m[i])->cap_us, NOW + want[i]);
		assert_int_equal(sc_mbuf_meta(m[i])->link, SC_LINK_ETHER);
		rte_pktmbuf_free(m[i]);
	}
	sc_capture_destroy(c);
	unlink(second);
}

static void
test_flat_out_waits_for_room(void **state)
{
	/* 5,000 frames into a ring of 1,024 that is emptied now and then. */
	struct sc_capture *c;
	uint32_t next = 0;
	unsigned int got = 0, n;

	write_frames(path, T0, 5000, 3600ull * 1000000000);
	c = create_one(0, pool);
	for (n = 0; n < 1024; n += 64)
		assert_int_equal(sc_capture_poll(c, NOW), 64);
	assert_int_equal(sc_capture_poll(c, NOW), 0);
	assert_int_equal(sc_capture_poll(c, NOW), 0);
	assert_int_equal(stats(c).frames, 1024);
	for (n = 0; n < 200 && !stats(c).is_done; n++) {
		if (n % 3 == 0)
			got += receive(c, 0, &next);
		assert_true(sc_capture_poll(c, NOW) <= 64);
	}
	got += receive(c, 0, &next);
	assert_int_equal(got, 5000);
	assert_int_equal(stats(c).frames, 5000);
	sc_capture_destroy(c);
	pool_is_full(pool);
}

static void
test_empty_pool_waits(void **state)
{
	struct rte_mempool *mp = test_pool("capture_small", 127, 4096);
	struct rte_mbuf *taken[127];
	struct sc_capture *c;
	uint32_t next = 0;
	unsigned int got = 0;

	write_frames(path, T0, 300, 0);
	c = create_one(0, mp);
	assert_int_equal(rte_pktmbuf_alloc_bulk(mp, taken, 120), 0);
	assert_int_equal(sc_capture_poll(c, NOW), 7);
	assert_int_equal(sc_capture_poll(c, NOW), 0);
	rte_pktmbuf_free_bulk(taken, 120);
	while (!stats(c).is_done) {
		sc_capture_poll(c, NOW);
		got += receive(c, 0, &next);
	}
	assert_int_equal(got, 300);
	sc_capture_destroy(c);
	pool_is_full(mp);
	rte_mempool_free(mp);
}

struct spread {
	uint16_t nb;
	uint32_t called;
};

static struct rte_mbuf *
by_number(void *arg, struct rte_mbuf *m, uint16_t *queue)
{
	struct spread *s = arg;

	s->called++;
	*queue = (uint16_t)(*rte_pktmbuf_mtod(m, uint32_t *) % s->nb);
	return m;
}

static void
test_queues(void **state)
{
	struct spread s = {.nb = 4};
	const char *p = path;
	struct sc_capture_cfg cfg = {.paths = &p,
			.nb_paths = 1,
			.pool = pool,
			.nb_queues = 4,
			.route = by_number,
			.arg = &s};
	uint32_t got = 0, next[4] = {0, 1, 2, 3};
	struct sc_capture *c;
	struct rte_mbuf *m[8];
	struct sc_err err;
	uint16_t n;

	write_frames(path, T0, 6000, 100);
	c = sc_capture_create(&cfg, &err);
	assert_non_null(c);
	while (sc_capture_poll(c, NOW) > 0)
		;
	/* Every ring is filled; the first that had no room holds the others back. */
	assert_int_equal(stats(c).frames, 4096);
	for (unsigned int round = 0; got < 6000; round++) {
		n = rte_eth_rx_burst(sc_capture_port(c)->id, round % 4, m, 8);
		for (uint16_t i = 0; i < n; i++) {
			assert_int_equal(*rte_pktmbuf_mtod(m[i], uint32_t *), next[round % 4]);
			next[round % 4] += 4;
			rte_pktmbuf_free(m[i]);
		}
		got += n;
		sc_capture_poll(c, NOW);
		assert_true(round < 100000);
	}
	assert_int_equal(s.called, 6000); /* once a frame, also for those that waited */
	assert_true(stats(c).is_done);
	sc_capture_destroy(c);
	pool_is_full(pool);
}

/* Takes two of three frames for good. */
static struct rte_mbuf *
keep_some(void *arg, struct rte_mbuf *m, uint16_t *queue)
{
	uint32_t number = *rte_pktmbuf_mtod(m, uint32_t *);

	*queue = (uint16_t)(number % 2);
	if (number % 3 == 0)
		return m;
	rte_pktmbuf_free(m);
	return NULL;
}

static void
test_taken(void **state)
{
	const char *p = path;
	struct sc_capture_cfg cfg = {.paths = &p,
			.nb_paths = 1,
			.pool = pool,
			.nb_queues = 2,
			.route = keep_some};
	uint32_t got = 0, next[2] = {0, 3};
	struct sc_capture *c;
	struct rte_mbuf *m[8];
	struct sc_err err;
	uint16_t n;

	write_frames(path, T0, 3000, 100);
	c = sc_capture_create(&cfg, &err);
	assert_non_null(c);
	for (unsigned int round = 0; !stats(c).is_done || got < 1000; round++) {
		sc_capture_poll(c, NOW);
		n = rte_eth_rx_burst(sc_capture_port(c)->id, round % 2, m, 8);
		for (uint16_t i = 0; i < n; i++) {
			assert_int_equal(*rte_pktmbuf_mtod(m[i], uint32_t *), next[round % 2]);
			next[round % 2] += 6;
			rte_pktmbuf_free(m[i]);
		}
		got += n;
		assert_true(round < 100000);
	}
	assert_int_equal(got, 1000);
	assert_int_equal(stats(c).frames, 3000);
	assert_int_equal(stats(c).bytes, 3000 * 60);
	sc_capture_destroy(c);
	pool_is_full(pool);
}

static void
check_chain(const struct rte_mbuf *m, uint32_t len)
{
	uint32_t off = 0;
	uint16_t nb = m->nb_segs;

	assert_int_equal(m->pkt_len, len);
	assert_int_equal(nb, SC_MAX(1u, (len + 2047) / 2048));
	for (const struct rte_mbuf *s = m; s != NULL; s = s->next, nb--) {
		assert_memory_equal(rte_pktmbuf_mtod(s, uint8_t *), data + off, s->data_len);
		off += s->data_len;
	}
	assert_int_equal(nb, 0);
	assert_int_equal(off, len);
}

static void
test_long_frames(void **state)
{
	static const uint32_t lens[] = {60000, 0, 2048, 2049, 1, 65549, LEN_MAX};
	struct pcapfile *f = pcapfile_open(path, PCAPFILE_NG, false, PCAPFILE_SLL2);
	struct sc_capture *c;
	struct rte_mbuf *m[8];

	for (unsigned int i = 0; i < SC_ARRAY_SIZE(lens); i++)
		pcapfile_packet(f, T0, data, lens[i], lens[i] + (i == 2));
	pcapfile_close(f);
	c = create_one(0, pool);
	assert_int_equal(sc_capture_poll(c, NOW), 7);
	assert_int_equal(rte_eth_rx_burst(sc_capture_port(c)->id, 0, m, 8), 7);
	for (unsigned int i = 0; i < SC_ARRAY_SIZE(lens); i++) {
		check_chain(m[i], lens[i]);
		assert_int_equal(sc_mbuf_meta(m[i])->link, SC_LINK_SLL2);
		rte_pktmbuf_free(m[i]);
	}
	assert_int_equal(stats(c).snapped, 1);
	sc_capture_destroy(c);
	pool_is_full(pool);
}

static void
test_unknown_link(void **state)
{
	/* Records of a foreign interface are counted; many of them don't keep a poll for long. */
	struct pcapfile *f = pcapfile_open(path, PCAPFILE_NG, false, 127);
	struct sc_capture *c;
	unsigned int polls = 0;
	uint8_t frame[60] = {0};
	uint32_t next = 0;

	for (unsigned int i = 0; i < 1000; i++)
		pcapfile_packet(f, T0, frame, 60, 60);
	pcapfile_interface(f, PCAPFILE_RAW, 6, 0);
	pcapfile_packet(f, T0 + 7000, frame, 60, 60);
	pcapfile_close(f);
	c = create_one(1, pool);
	for (; !stats(c).is_done && polls < 100; polls++)
		sc_capture_poll(c, NOW + polls * 10);
	assert_in_range(polls, 4, 8);
	assert_int_equal(stats(c).unknown_link, 1000);
	assert_int_equal(receive(c, 0, &next), 1);
	assert_int_equal(stats(c).first_ns, T0);
	sc_capture_destroy(c);
}

static void
test_damage(void **state)
{
	char second[64];
	const char *paths[3] = {path, second, path};
	struct sc_capture *c;
	struct sc_capture_stats st;
	unsigned int got = 0;
	uint32_t next;

	pcapfile_temp(second);
	write_frames(path, T0, 3, 0);
	assert_int_equal(truncate(path, 24 + 2 * 76 + 40), 0);
	write_frames(second, T0, 2, 0);
	c = create(paths, 3, 0, pool);
	for (unsigned int i = 0; i < 10 && !stats(c).is_done; i++)
		sc_capture_poll(c, NOW);
	for (unsigned int i = 0; i < 3; i++) {
		struct rte_mbuf *m[2];

		assert_int_equal(rte_eth_rx_burst(sc_capture_port(c)->id, 0, m, 2), 2);
		rte_pktmbuf_free_bulk(m, 2);
		got += 2;
	}
	st = stats(c);
	assert_int_equal(got, 6);
	assert_int_equal(st.frames, 6);
	assert_int_equal(st.damaged_files, 2);
	assert_non_null(strstr(st.damage, path));
	assert_non_null(strstr(st.damage, "at byte 176"));
	assert_true(st.is_done);
	next = 0;
	assert_int_equal(receive(c, 0, &next), 0);
	sc_capture_destroy(c);
	unlink(second);
}

static void
test_destroy_frees_what_waits(void **state)
{
	struct sc_capture *c;

	write_frames(path, T0, 2000, 0);
	c = create_one(0, pool);
	while (sc_capture_poll(c, NOW) > 0)
		;
	assert_int_not_equal(rte_mempool_avail_count(pool), pool->size);
	sc_capture_destroy(c);
	pool_is_full(pool);
	sc_capture_destroy(NULL);
}

static void
refused(struct sc_capture_cfg cfg, const char *word)
{
	struct sc_err err = {0};

	assert_null(sc_capture_create(&cfg, &err));
	if (strstr(err.text, word) == NULL)
		fail_msg("'%s' does not say '%s'", err.text, word);
	assert_int_equal(rte_eth_dev_count_avail(), 0);
}

static void
test_refused(void **state)
{
	struct rte_mempool *tiny = test_pool("capture_tiny", 63, 2048);
	const char *p = path, *missing = "/nowhere/at.pcap";
	struct sc_capture_cfg cfg = {
			.paths = &p, .nb_paths = 1, .pool = pool, .nb_queues = 1, .speed = 1};
	struct sc_capture_cfg bad = cfg;

	write_frames(path, T0, 1, 0);
	bad.nb_queues = 0;
	refused(bad, "0 queues");
	bad.nb_queues = 17;
	refused(bad, "1 to 16");
	bad = cfg;
	bad.speed = -1;
	refused(bad, "speed -1");
	bad.speed = 0.0 / 0.0;
	refused(bad, "speed");
	bad = cfg;
	bad.pool = tiny;
	refused(bad, "one frame may need 262144");
	bad = cfg;
	bad.paths = &missing;
	refused(bad, "/nowhere/at.pcap");
	bad.nb_paths = 0;
	refused(bad, "at least one");
	rte_mempool_free(tiny);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_port),
			cmocka_unit_test(test_pacing),
			cmocka_unit_test(test_capture_time),
			cmocka_unit_test(test_flat_out_waits_for_room),
			cmocka_unit_test(test_empty_pool_waits),
			cmocka_unit_test(test_queues),
			cmocka_unit_test(test_taken),
			cmocka_unit_test(test_long_frames),
			cmocka_unit_test(test_unknown_link),
			cmocka_unit_test(test_damage),
			cmocka_unit_test(test_destroy_frees_what_waits),
			cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
