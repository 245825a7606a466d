/* SPDX-License-Identifier: BSD-3-Clause */
/* Flows, tombstones, production endpoints and replay tuples, found by their keys. */
#include <string.h>

#include <sc_session.h>

#include "sc_test.h"

#define FLOWS 2000
#define TOMBS 500

static struct sc_tables t;

static int
setup(void **state)
{
	const struct sc_tables_cfg cfg = {
			.max_flows = FLOWS,
			.copies = 3,
			.max_tombs = TOMBS,
			.max_held = 1,
			.by_address = true,
	};

	return sc_tables_init(&t, &cfg, NULL);
}

static int
teardown(void **state)
{
	sc_tables_fini(&t);
	return 0;
}

/* The n-th key: families, addresses, ports and production take turns. */
static struct sc_flow_key
key(uint32_t n)
{
	struct sc_flow_key k = {.cport = (uint16_t)(1024 + n / 4), .prod = (uint16_t)(n % 2)};

	if (n % 4 < 2)
		sc_addr_from_v4(&k.client, 0x0100000a + (n << 16));
	else
		memcpy(k.client.b, (uint8_t[]){0xfd, 0, 0, (uint8_t)n, (uint8_t)(n >> 8)}, 5);
	return k;
}

static uint32_t
add_flow(uint32_t n)
{
	struct sc_flow_key k = key(n);
	uint32_t i = sc_flow_take(&t);

	t.flow[i].client = k.client;
	t.flow[i].cport = k.cport;
	t.flow[i].prod = k.prod;
	assert_int_equal(sc_flow_index(&t, i), 0);
	return i;
}

static void
add_tomb(uint32_t n, uint32_t seen_s, uint32_t *evicted_s)
{
	struct sc_flow_key k = key(n);
	struct sc_tomb b = {.client = k.client, .cport = k.cport, .prod = k.prod, .seen_s = seen_s};
	struct sc_tomb old;

	sc_tomb_add(&t, &b, &old);
	*evicted_s = old.in_use ? old.seen_s : 0;
}

static uint32_t
find_key(const struct sc_flow_key *k)
{
	return sc_flow_find(&t, &(struct sc_flow_ref){.key = *k, .hash = sc_flow_hash(k)});
}

static uint32_t
find(uint32_t n)
{
	struct sc_flow_key k = key(n);

	return find_key(&k);
}

/* A key that differs in one field is another flow's. */
static void
every_field_counts(void **state)
{
	uint32_t i = add_flow(3);
	struct sc_flow_key k = key(3), other;

	assert_int_equal(find_key(&k), i);
	other = k;
	other.cport++;
	assert_int_equal(find_key(&other), SC_NONE);
	other = k;
	other.prod++;
	assert_int_equal(find_key(&other), SC_NONE);
	for (int b = 0; b < 16; b++) {
		other = k;
		other.client.b[b] ^= 1;
		assert_int_equal(find_key(&other), SC_NONE);
	}
	sc_flow_unindex(&t, i);
	assert_int_equal(find_key(&k), SC_NONE);
}

/* Bulk and single look-ups agree, for any number of keys, of flows, tombstones and strangers. */
static void
bulk(void **state)
{
	uint32_t index[FLOWS], evicted;
	struct sc_rng rng;

	for (uint32_t n = 0; n < FLOWS; n++)
		index[n] = add_flow(n);
	for (uint32_t n = FLOWS; n < FLOWS + TOMBS; n++)
		add_tomb(n, 1, &evicted);
	sc_rng_seed(&rng, 5);
	for (uint32_t n = 0; n < FLOWS; n += 3) {
		sc_flow_unindex(&t, index[n]);
		sc_flow_give(&t, index[n]);
	}
	for (int round = 0; round < 2000; round++) {
		struct sc_flow_ref ref[SC_INDEX_BULK_MAX];
		uint32_t which[SC_INDEX_BULK_MAX], out[SC_INDEX_BULK_MAX];
		uint32_t nb = sc_rng_below(&rng, SC_INDEX_BULK_MAX + 1);

		for (uint32_t i = 0; i < nb; i++) {
			which[i] = sc_rng_below(&rng, FLOWS + TOMBS + 200);
			ref[i].key = key(which[i]);
			ref[i].hash = sc_flow_hash(&ref[i].key);
			sc_flow_expect(&t, &ref[i]);
		}
		sc_flow_find_bulk(&t, ref, sizeof(ref[0]), nb, out);
		for (uint32_t i = 0; i < nb; i++) {
			uint32_t n = which[i], want = SC_NONE;

			if (n < FLOWS && n % 3 != 0)
				want = index[n];
			else if (n >= FLOWS && n < FLOWS + TOMBS)
				want = (n - FLOWS) | SC_TOMB_BIT;
			assert_int_equal(out[i], want);
			assert_int_equal(find_key(&ref[i].key), want);
		}
	}
}

/* First in, first out; who asks learns how young the one was that had to go. */
static void
tombstones(void **state)
{
	uint32_t evicted;

	for (uint32_t n = 0; n < TOMBS; n++) {
		add_tomb(n, 100 + n, &evicted);
		assert_int_equal(evicted, 0);
		assert_int_equal(find(n), n | SC_TOMB_BIT);
	}
	for (uint32_t n = TOMBS; n < TOMBS + 10; n++) {
		add_tomb(n, 100 + n, &evicted);
		assert_int_equal(evicted, 100 + n - TOMBS);
		assert_int_equal(find(n - TOMBS), SC_NONE);
		assert_int_equal(find(n), (n - TOMBS) | SC_TOMB_BIT);
	}
	sc_tomb_remove(&t, 10);
	sc_tomb_remove(&t, 10);
	assert_int_equal(find(10), SC_NONE);
	assert_int_equal(find(11), 11 | SC_TOMB_BIT);
	add_tomb(9999, 1, &evicted); /* in the place of a removed one: none is evicted */
	assert_int_equal(evicted, 0);
	assert_int_equal(t.by_key.nb_used, TOMBS);
}

/* 65,534 production endpoints, and no more. */
static void
production_full(void **state)
{
	struct sc_addr a, b;

	sc_addr_from_v4(&a, 0x0100000a);
	sc_addr_from_v4(&b, 0x0200000a);
	for (uint32_t i = 0; i < SC_PRODS_MAX; i++) {
		const struct sc_addr *x = i % 2 == 0 ? &a : &b;

		assert_int_equal(sc_prod_find(&t, x, (uint16_t)(i / 2)), SC_NONE);
		assert_int_equal(sc_prod_add(&t, x, (uint16_t)(i / 2), (uint16_t)(i % 7)), i);
	}
	assert_int_equal(sc_prod_add(&t, &a, 60000, 0), SC_NONE);
	assert_int_equal(sc_prod_find(&t, &a, 60000), SC_NONE);
	for (uint32_t i = 0; i < SC_PRODS_MAX; i++) {
		assert_int_equal(sc_prod_find(&t, i % 2 == 0 ? &a : &b, (uint16_t)(i / 2)), i);
		assert_int_equal(t.prod[i].target, i % 7);
	}
}

/* Where a flow was, its tombstone is found, and nothing else has moved. */
static void
buried_flows(void **state)
{
	uint32_t index[FLOWS];

	for (uint32_t n = 0; n < FLOWS; n++)
		index[n] = add_flow(n);
	for (uint32_t n = 0; n < TOMBS + 10; n++) {
		struct sc_flow_key k = key(n);
		struct sc_tomb b = {.client = k.client,
					       .cport = k.cport,
					       .prod = k.prod,
					       .seen_s = 100 + n},
			       evicted;

		sc_flow_expect_end(&t, index[n]);
		sc_flow_bury(&t, index[n], &b, &evicted);
		sc_flow_give(&t, index[n]);
		assert_int_equal(evicted.in_use, n >= TOMBS);
		if (evicted.in_use)
			assert_int_equal(evicted.seen_s, 100 + n - TOMBS);
		assert_int_equal(find(n), n % TOMBS | SC_TOMB_BIT);
	}
	for (uint32_t n = 0; n < FLOWS; n++)
		if (n < 10)
			assert_int_equal(find(n), SC_NONE);
		else
			assert_int_equal(find(n),
					n < TOMBS + 10 ? n % TOMBS | SC_TOMB_BIT : index[n]);
	assert_int_equal(t.by_key.nb_used, FLOWS - 10);
}

static uint32_t
find_tuple(const struct sc_tuple_key *k)
{
	return sc_session_find(&t, k, sc_tuple_hash(k));
}

/* Sessions of one client: by port and target. */
static void
tuples(void **state)
{
	struct sc_tuple_key k = {.target = 4};
	uint32_t s[3], hash[3];

	add_flow(0);
	k.addr = key(0).client;
	for (int i = 0; i < 3; i++) {
		s[i] = sc_session_take(&t, 0, (uint32_t)i);
		k.port = (uint16_t)(2000 + i);
		t.session[s[i]].port = k.port;
		t.session[s[i]].target = 4;
		hash[i] = sc_tuple_hash(&k);
		assert_int_equal(sc_session_index(&t, s[i], hash[i]), 0);
	}
	for (int i = 0; i < 3; i++) {
		k.port = (uint16_t)(2000 + i);
		assert_int_equal(find_tuple(&k), s[i]);
	}
	sc_session_unindex(&t, s[1], hash[1]);
	k.port = 2001;
	assert_int_equal(find_tuple(&k), SC_NONE);
	k.port = 2000;
	k.target = 5;
	assert_int_equal(find_tuple(&k), SC_NONE);
	k.target = 4;
	k.addr = key(4).client;
	assert_int_equal(find_tuple(&k), SC_NONE);
	sc_session_unindex(&t, s[0], hash[0]);
	sc_session_unindex(&t, s[2], hash[2]);
	assert_int_equal(t.by_tuple.nb_used, 0);
}

/* Short times are compared in a circle. */
static void
short_times(void **state)
{
	assert_true(sc_us_is_due(5, 5));
	assert_true(sc_us_is_due(0xfffffff0, 5));
	assert_false(sc_us_is_due(5, 0xfffffff0));
	assert_int_equal(sc_us_later(0xfffffff0, 5), 5);
	assert_int_equal(sc_us_later(7, 5), 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(every_field_counts, setup, teardown),
			cmocka_unit_test_setup_teardown(bulk, setup, teardown),
			cmocka_unit_test_setup_teardown(tombstones, setup, teardown),
			cmocka_unit_test_setup_teardown(production_full, setup, teardown),
			cmocka_unit_test_setup_teardown(buried_flows, setup, teardown),
			cmocka_unit_test_setup_teardown(tuples, setup, teardown),
			cmocka_unit_test(short_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
