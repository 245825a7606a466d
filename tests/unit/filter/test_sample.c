/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <string.h>

#include <sc_filter.h>

#include "sc_test.h"

#define NB_TUPLES 100000

/* How real traffic looks: ports counted up, neighbouring addresses, few servers. */
static uint32_t
counted_tuple(uint32_t i)
{
	struct sc_addr client, server;

	sc_addr_from_v4(&client, htonl(0x0a000001 + i / 500));
	sc_addr_from_v4(&server, htonl(0xc0000201));
	return sc_hash_tuple(&client, (uint16_t)(32768 + i % 500), &server, 443);
}

static uint32_t
random_tuple(struct sc_rng *rng, bool v6)
{
	struct sc_addr client, server;

	if (v6) {
		for (int k = 0; k < 2; k++) {
			client.u64[k] = sc_rng_next(rng);
			server.u64[k] = sc_rng_next(rng);
		}
	} else {
		sc_addr_from_v4(&client, (uint32_t)sc_rng_next(rng));
		sc_addr_from_v4(&server, (uint32_t)sc_rng_next(rng));
	}
	return sc_hash_tuple(&client, (uint16_t)sc_rng_next(rng), &server, 80);
}

static void
test_every_field_counts(void **state)
{
	struct sc_addr a, b;
	uint32_t h;

	(void)state;
	sc_addr_parse("2001:db8::1", &a);
	sc_addr_parse("2001:db8::2", &b);
	h = sc_hash_tuple(&a, 1000, &b, 80);
	assert_int_equal(h, sc_hash_tuple(&a, 1000, &b, 80));
	assert_int_not_equal(h, sc_hash_tuple(&a, 1001, &b, 80));
	assert_int_not_equal(h, sc_hash_tuple(&a, 1000, &b, 81));
	assert_int_not_equal(h, sc_hash_tuple(&b, 1000, &a, 80));
	assert_int_not_equal(h, sc_hash_tuple(&a, 80, &b, 1000));
	for (int i = 0; i < 16; i++) {
		struct sc_addr c = a;

		c.b[i] ^= 1;
		assert_int_not_equal(h, sc_hash_tuple(&c, 1000, &b, 80));
		c = b;
		c.b[i] ^= 1;
		assert_int_not_equal(h, sc_hash_tuple(&a, 1000, &c, 80));
	}
}

/* CRC32C of the 36 bytes, bit by bit: the hash must not depend on the CPU's instructions. */
static void
test_is_crc32c_of_the_whole_tuple(void **state)
{
	struct sc_addr a, b;
	uint8_t bytes[36];
	uint32_t crc = 0, ports = (uint32_t)40000 << 16 | 443;

	(void)state;
	sc_addr_parse("192.0.2.99", &a);
	sc_addr_parse("2001:db8::77", &b);
	memcpy(bytes, a.b, 16);
	memcpy(bytes + 16, b.b, 16);
	for (int i = 0; i < 4; i++)
		bytes[32 + i] = (uint8_t)(ports >> (8 * i));
	for (size_t i = 0; i < sizeof(bytes); i++) {
		crc ^= bytes[i];
		for (int k = 0; k < 8; k++)
			crc = crc >> 1 ^ (0x82f63b78u & (0u - (crc & 1)));
	}
	assert_int_equal(crc, sc_hash_tuple(&a, 40000, &b, 443));
}

static double
share(double pct, int kind)
{
	struct sc_rng rng;
	unsigned int taken = 0;

	sc_rng_seed(&rng, 7);
	for (uint32_t i = 0; i < NB_TUPLES; i++) {
		uint32_t h = kind == 0 ? counted_tuple(i) : random_tuple(&rng, kind == 2);

		taken += sc_sample_take(h, pct);
	}
	return 100.0 * taken / NB_TUPLES;
}

static void
test_sampling_is_uniform(void **state)
{
	static const double pcts[] = {0.5, 1, 5, 10, 25, 33.3, 50, 75, 90, 99, 99.9};

	(void)state;
	for (int kind = 0; kind < 3; kind++) {
		for (size_t i = 0; i < SC_ARRAY_SIZE(pcts); i++) {
			double got = share(pcts[i], kind);
			/* within 1 percentage point, and within 5 deviations of a coin */
			double off = got - pcts[i], p = pcts[i] / 100;

			if (off > 1 || off < -1 || off * off > 25 * 1e4 * p * (1 - p) / NB_TUPLES)
				fail_msg("kind %d: %.2f %% asked, %.3f %% taken", kind, pcts[i],
						got);
		}
	}
}

static void
test_edges(void **state)
{
	(void)state;
	assert_true(share(100, 0) == 100.0);
	assert_true(share(100, 2) == 100.0);
	assert_true(sc_sample_take(0, 100));
	assert_true(sc_sample_take(UINT32_MAX, 100));
	assert_true(share(1e-9, 1) == 0.0);
}

static void
test_larger_sample_holds_smaller(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < NB_TUPLES; i++) {
		uint32_t h = counted_tuple(i);

		if (sc_sample_take(h, 10))
			assert_true(sc_sample_take(h, 20));
	}
}

/* Admission takes a range of the hash: within the sample, too, it must take its share. */
static void
test_sample_is_independent_of_hash_ranges(void **state)
{
	unsigned int in_sample = 0, in_both = 0;
	double got;

	(void)state;
	for (uint32_t i = 0; i < NB_TUPLES; i++) {
		uint32_t h = counted_tuple(i);

		if (!sc_sample_take(h, 20))
			continue;
		in_sample++;
		in_both += h < UINT32_MAX / 2;
	}
	got = 100.0 * in_both / in_sample;
	assert_true(got > 48 && got < 52);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_every_field_counts),
			cmocka_unit_test(test_is_crc32c_of_the_whole_tuple),
			cmocka_unit_test(test_sampling_is_uniform),
			cmocka_unit_test(test_edges),
			cmocka_unit_test(test_larger_sample_holds_smaller),
			cmocka_unit_test(test_sample_is_independent_of_hash_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
