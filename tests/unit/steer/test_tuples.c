/* SPDX-License-Identifier: BSD-3-Clause */
/* Tuple slots: every tuple once, every response home, the rest of 2 s. */
#include <errno.h>
#include <string.h>

#include <sc_steer.h>

#include "sc_test.h"

#define NOW_US (1700000000 * SC_US_PER_S) /* a day in 2023 */
#define NB_POOL 3

static const uint32_t virtual_sizes[] = {64, 128, 512, 65536};
static struct sc_steer steer;

/* Three addresses whose low ports lie in different blocks of folds. */
static struct sc_addr pool[NB_POOL];
static struct sc_addr target;
static const uint16_t tport = 8080;

static int
group_setup(void **state)
{
	if (sc_addr_parse("10.20.30.40", &pool[0]) < 0 || sc_addr_parse("10.99.0.41", &pool[1]) < 0
			|| sc_addr_parse("192.0.2.255", &pool[2]) < 0)
		return -1;
	return sc_addr_parse("10.250.0.9", &target);
}

static struct sc_tuples *
create(uint16_t nb_workers, uint32_t v, uint8_t w, uint32_t nb_addrs)
{
	struct sc_tuples *t;

	assert_int_equal(sc_steer_init(&steer, nb_workers, v, NULL), 0);
	t = sc_tuples_create(&steer, w, pool, nb_addrs, &target, tport);
	assert_non_null(t);
	return t;
}

static void
destroy(struct sc_tuples *t)
{
	sc_tuples_destroy(t);
	sc_steer_free(&steer);
}

/* Take all tuples of worker w; each marks itself in `seen`, where no other may have been. */
static uint64_t
take_all(struct sc_tuples *t, uint8_t w, uint8_t seen[NB_POOL][65536])
{
	struct sc_tuple tuple;
	uint64_t nb = 0, nb_wrong = 0;
	uint16_t fold;

	while (sc_tuples_take(t, (uint32_t)nb, NOW_US, &tuple) == 0) {
		assert_in_range(tuple.addr_idx, 0, NB_POOL - 1);
		fold = sc_fold_tuple(&target, &pool[tuple.addr_idx], tport, tuple.port);
		nb_wrong += sc_steer_owner(&steer, fold) != w || tuple.port < SC_STEER_PORT_MIN
				|| tuple.has_seq || tuple.had_ts
				|| sc_tuples_find(t, tuple.addr_idx, tuple.port) != nb
				|| seen[tuple.addr_idx][tuple.port]++ != 0;
		nb++;
	}
	assert_int_equal(nb_wrong, 0);
	assert_int_equal(nb, sc_tuples_count(t));
	assert_int_equal(sc_tuples_take(t, 1, NOW_US + 100 * SC_US_PER_S, &tuple), -EAGAIN);
	return nb;
}

static void
check_box(uint16_t nb_workers, uint32_t v)
{
	static uint8_t seen[NB_POOL][65536];
	uint64_t total = 0, least = UINT64_MAX, most = 0;

	memset(seen, 0, sizeof(seen));
	for (uint8_t w = 0; w < nb_workers; w++) {
		struct sc_tuples *t = create(nb_workers, v, w, NB_POOL);
		uint64_t nb = take_all(t, w, seen);

		assert_true(nb >= sc_steer_pool_capacity(&steer, NB_POOL));
		total += nb;
		least = SC_MIN(least, nb);
		most = SC_MAX(most, nb);
		destroy(t);
	}
	/* Together the workers have every port from 1024 up of every address. */
	assert_int_equal(total, NB_POOL * (65536 - SC_STEER_PORT_MIN));
	/* Balance: one RETA entry more or less, and a few per cent for the block of low ports. */
	assert_true((double)most / (double)least <= (double)(v / nb_workers + (v % nb_workers != 0))
					/ (v / nb_workers) * 1.02);
}

static void
test_every_tuple_once_and_home(void **state)
{
	for (uint16_t w = 1; w <= SC_STEER_WORKERS_MAX; w++)
		for (unsigned int i = 0; i < SC_ARRAY_SIZE(virtual_sizes); i++)
			check_box(w, virtual_sizes[i]);
}

/* Both families, and an IPv6 pool of one. */
static void
test_ipv6_tuples_come_home(void **state)
{
	struct sc_addr client, server;
	struct sc_tuple tuple;
	struct sc_tuples *t;
	uint32_t nb = 0;

	assert_int_equal(sc_addr_parse("2001:db8:1:2:3:4:5:6", &client), 0);
	assert_int_equal(sc_addr_parse("2001:db8::99", &server), 0);
	assert_int_equal(sc_steer_init(&steer, 5, 128, NULL), 0);
	t = sc_tuples_create(&steer, 4, &client, 1, &server, 443);
	assert_non_null(t);
	for (; sc_tuples_take(t, nb, NOW_US, &tuple) == 0; nb++) {
		assert_int_equal(steer.owner[sc_fold_tuple(&server, &client, 443, tuple.port)], 4);
		assert_int_equal(sc_tuples_find(t, 0, tuple.port), nb);
	}
	assert_true(nb >= sc_steer_pool_capacity(&steer, 1));
	destroy(t);
}

static void
test_addresses_share_the_load_from_the_start(void **state)
{
	struct sc_tuples *t = create(4, 128, 2, NB_POOL);
	unsigned int per_addr[NB_POOL] = {0};
	struct sc_tuple tuple;

	for (uint32_t i = 0; i < 3000; i++) {
		assert_int_equal(sc_tuples_take(t, i, NOW_US, &tuple), 0);
		per_addr[tuple.addr_idx]++;
	}
	for (unsigned int a = 0; a < NB_POOL; a++)
		assert_in_range(per_addr[a], 800, 1200); /* 256 low ports of each are left out */
	destroy(t);
}

static void
test_rest_of_two_seconds(void **state)
{
	struct sc_tuples *t = create(16, 64, 3, 1);
	uint64_t nb = sc_tuples_count(t);
	struct sc_tuple first = {0}, tuple;

	/* Used tuples wait behind the ones that were never used; those need no rest. */
	assert_int_equal(sc_tuples_take(t, 7, NOW_US, &first), 0);
	sc_tuples_put(t, first.slot, NOW_US, 0xfffffff0, true);
	for (uint64_t i = 1; i < nb; i++) {
		assert_int_equal(sc_tuples_take(t, (uint32_t)i, NOW_US, &tuple), 0);
		assert_int_not_equal(tuple.slot, first.slot);
		assert_false(tuple.has_seq);
	}
	assert_int_equal(sc_tuples_take(t, 8, NOW_US, &tuple), -EAGAIN);
	assert_int_equal(sc_tuples_take(t, 8, NOW_US + SC_TUPLE_REST_US - 1, &tuple), -EAGAIN);
	assert_int_equal(sc_tuples_find(t, first.addr_idx, first.port), SC_TUPLE_FREE);
	assert_int_equal(sc_tuples_take(t, 8, NOW_US + SC_TUPLE_REST_US, &tuple), 0);
	assert_int_equal(tuple.slot, first.slot);
	assert_int_equal(tuple.port, first.port);
	assert_int_equal(tuple.addr_idx, first.addr_idx);
	assert_true(tuple.has_seq);
	assert_true(tuple.had_ts);
	assert_int_equal(tuple.last_seq, 0xfffffff0);
	assert_int_equal(sc_tuples_find(t, first.addr_idx, first.port), 8);
	destroy(t);
}

/* Virtual time may begin at 0, and last_seq may be 0: "used" is not told by either. */
static void
test_outlook(void **state)
{
	struct sc_tuples *t = create(16, 65536, 3, 1);
	uint32_t all = (uint32_t)sc_tuples_count(t);
	struct sc_tuples_outlook o;
	struct sc_tuple tuple;

	sc_tuples_look(t, 7, NOW_US, &o);
	assert_int_equal(o.ready, 7);
	assert_int_equal(o.taken, 0);
	assert_false(o.is_resting);
	for (uint32_t i = 0; i < all - 2; i++)
		assert_int_equal(sc_tuples_take(t, i, NOW_US, &tuple), 0);
	sc_tuples_look(t, 7, NOW_US, &o);
	assert_int_equal(o.ready, 2);
	assert_int_equal(o.taken, all - 2);
	assert_false(o.is_resting);
	sc_tuples_put(t, tuple.slot, NOW_US, 1, true);
	sc_tuples_look(t, 7, NOW_US, &o);
	assert_int_equal(o.ready, 2);
	assert_int_equal(o.taken, all - 3);
	assert_true(o.is_resting);
	sc_tuples_look(t, 2, NOW_US, &o);
	assert_false(o.is_resting);
	sc_tuples_look(t, 7, NOW_US + SC_TUPLE_REST_US, &o);
	assert_int_equal(o.ready, 3);
	assert_false(o.is_resting);
	destroy(t);
}

static void
test_rest_at_time_zero(void **state)
{
	struct sc_tuples *t = create(16, 64, 3, 1);
	struct sc_tuple tuple;

	for (uint64_t i = sc_tuples_count(t); i > 0; i--)
		assert_int_equal(sc_tuples_take(t, 1, 0, &tuple), 0);
	sc_tuples_put(t, tuple.slot, 0, 0, false);
	assert_int_equal(sc_tuples_take(t, 1, 1999999, &tuple), -EAGAIN);
	assert_int_equal(sc_tuples_take(t, 1, 2000000, &tuple), 0);
	assert_true(tuple.has_seq);
	assert_false(tuple.had_ts);
	assert_int_equal(tuple.last_seq, 0);
	destroy(t);
}

/* ---- a long random run against a model ---- */

struct held {
	uint64_t freed_us; /* 0: never used */
	uint32_t last_seq;
	bool is_taken, had_ts;
};

struct run {
	struct sc_tuples *t;
	struct sc_rng rng;
	uint64_t now_us;
	struct sc_tuple *taken;
	uint32_t nb_taken;
	struct held model[NB_POOL][65536];
};

static void
run_take(struct run *r)
{
	struct sc_tuple t;
	struct held *h;

	if (sc_tuples_take(r->t, r->nb_taken, r->now_us, &t) != 0)
		return;
	h = &r->model[t.addr_idx][t.port];
	assert_false(h->is_taken);
	assert_int_equal(t.has_seq, h->freed_us != 0);
	if (t.has_seq) {
		assert_true(r->now_us - h->freed_us >= SC_TUPLE_REST_US);
		assert_int_equal(t.last_seq, h->last_seq);
		assert_int_equal(t.had_ts, h->had_ts);
	}
	h->is_taken = true;
	r->taken[r->nb_taken++] = t;
}

static void
run_put(struct run *r)
{
	uint32_t k = sc_rng_below(&r->rng, r->nb_taken);
	struct sc_tuple t = r->taken[k];
	struct held *h = &r->model[t.addr_idx][t.port];

	r->taken[k] = r->taken[--r->nb_taken];
	*h = (struct held){.freed_us = r->now_us,
			.last_seq = (uint32_t)sc_rng_next(&r->rng),
			.had_ts = sc_rng_below(&r->rng, 2)};
	sc_tuples_put(r->t, t.slot, r->now_us, h->last_seq, h->had_ts);
	assert_int_equal(sc_tuples_find(r->t, t.addr_idx, t.port), SC_TUPLE_FREE);
}

static void
test_random_use_against_a_model(void **state)
{
	static struct run r;
	static struct sc_tuple taken[65536];
	uint64_t count, nb_eagain = 0;

	memset(&r, 0, sizeof(r));
	r.t = create(6, 128, 5, NB_POOL);
	r.taken = taken;
	r.now_us = NOW_US;
	sc_rng_seed(&r.rng, 6);
	count = sc_tuples_count(r.t);
	for (uint32_t i = 0; i < 1000000; i++) {
		uint32_t before = r.nb_taken;

		r.now_us += sc_rng_below(&r.rng, 100);
		if (r.nb_taken < count / 3 || sc_rng_below(&r.rng, 2) == 0) {
			run_take(&r);
			nb_eagain += r.nb_taken == before;
		} else {
			run_put(&r);
		}
	}
	assert_int_equal(sc_tuples_count(r.t), count);
	assert_true(nb_eagain > 0); /* at 10,000 a second 30,000 tuples do run out */
	destroy(r.t);
}

static void
test_find_of_strangers(void **state)
{
	struct sc_tuples *t = create(2, 128, 0, NB_POOL);
	struct sc_tuple tuple;
	uint32_t nb_found = 0;

	assert_int_equal(sc_tuples_take(t, 5, NOW_US, &tuple), 0);
	for (uint32_t a = 0; a < NB_POOL + 2; a++)
		for (uint32_t port = 0; port < 65536; port++)
			nb_found += sc_tuples_find(t, a, (uint16_t)port) != SC_TUPLE_FREE;
	assert_int_equal(nb_found, 1);
	assert_int_equal(sc_tuples_find(t, UINT32_MAX, tuple.port), SC_TUPLE_FREE);
	destroy(t);
}

/* The figure for the check at start is exact for the worst address there can be. */
static void
test_capacity_is_the_least_of_any_address(void **state)
{
	static const uint16_t workers[] = {1, 3, 8, 16};

	for (unsigned int i = 0; i < SC_ARRAY_SIZE(workers); i++) {
		uint64_t least = UINT64_MAX;

		assert_int_equal(sc_steer_init(&steer, workers[i], 65536, NULL), 0);
		for (uint32_t block = 0; block < 64; block++) {
			struct sc_addr a;

			sc_addr_from_v4(&a, (uint32_t)(block << 2 | 1)); /* 1.0.0.0, 5.0.0.0, ... */
			for (uint8_t w = 0; w < workers[i]; w++) {
				struct sc_tuples *t =
						sc_tuples_create(&steer, w, &a, 1, &target, tport);

				least = SC_MIN(least, sc_tuples_count(t));
				sc_tuples_destroy(t);
			}
		}
		assert_int_equal(sc_steer_pool_capacity(&steer, 1), least);
		assert_int_equal(sc_steer_pool_capacity(&steer, 70000), least * 70000);
		sc_steer_free(&steer);
	}
	assert_int_equal(sc_steer_init(&steer, 4, 128, NULL), 0);
	assert_int_equal(sc_steer_pool_capacity(&steer, 1), (65536 - 1024) / 4);
	assert_int_equal(sc_steer_pool_capacity(&steer, 0), 0);
	sc_steer_free(&steer);
	/* One worker without a RETA entry has no tuple at all. */
	assert_int_equal(sc_steer_init(&steer, 4, 2, NULL), 0);
	assert_int_equal(sc_steer_pool_capacity(&steer, 10), 0);
	sc_steer_free(&steer);
}

static void
assert_refused(uint8_t w, const struct sc_addr *addrs, uint32_t nb, uint16_t port)
{
	errno = 0;
	assert_null(sc_tuples_create(&steer, w, addrs, nb, &target, port));
	assert_int_equal(errno, EINVAL);
}

static void
test_create_refusals(void **state)
{
	struct sc_addr mixed[2] = {pool[0]};

	assert_int_equal(sc_addr_parse("2001:db8::1", &mixed[1]), 0);
	assert_int_equal(sc_steer_init(&steer, 4, 2, NULL), 0);
	assert_refused(4, pool, 1, tport);
	assert_refused(3, pool, 1, tport); /* owns nothing with a RETA of 2 */
	assert_refused(0, pool, 0, tport);
	assert_refused(0, pool, 1, 0);
	assert_refused(0, mixed, 2, tport);
	assert_refused(0, pool, 65537, tport);
	sc_steer_free(&steer);
	sc_tuples_destroy(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_every_tuple_once_and_home),
			cmocka_unit_test(test_ipv6_tuples_come_home),
			cmocka_unit_test(test_addresses_share_the_load_from_the_start),
			cmocka_unit_test(test_rest_of_two_seconds),
			cmocka_unit_test(test_outlook),
			cmocka_unit_test(test_rest_at_time_zero),
			cmocka_unit_test(test_random_use_against_a_model),
			cmocka_unit_test(test_find_of_strangers),
			cmocka_unit_test(test_capacity_is_the_least_of_any_address),
			cmocka_unit_test(test_create_refusals),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
