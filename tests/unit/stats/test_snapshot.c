/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <sc_stats.h>

#include "sc_test.h"

#define NB_READERS 3
#define READS 300
#define WORDS (sizeof(struct sc_stats) / sizeof(uint64_t))

static struct sc_stats_cell *
cell_new(void)
{
	struct sc_stats_cell *cell = calloc(1, sizeof(*cell));

	assert_non_null(cell);
	return cell;
}

static void
test_nothing_without_asking(void **state)
{
	struct sc_stats_cell *cell = cell_new();
	static struct sc_stats out;

	cell->live.c[SC_C_LOOPS] = 5;
	sc_stats_publish(cell);
	assert_int_equal(cell->copy.c[SC_C_LOOPS], 0);
	assert_false(sc_stats_read(cell, 1, &out));
	free(cell);
}

static void
test_ask_publish_read(void **state)
{
	struct sc_stats_cell *cell = cell_new();
	static struct sc_stats out;
	uint32_t ticket = sc_stats_ask(cell);

	cell->live.c[SC_C_LOOPS] = 5;
	cell->live.m[SC_M_RESP_STRAY][SC_R_COUNT - 1] = 6;
	assert_false(sc_stats_read(cell, ticket, &out));
	sc_stats_publish(cell);
	cell->live.c[SC_C_LOOPS] = 50;
	sc_stats_publish(cell); /* nobody asked again */
	assert_true(sc_stats_read(cell, ticket, &out));
	assert_int_equal(out.c[SC_C_LOOPS], 5);
	assert_int_equal(out.m[SC_M_RESP_STRAY][SC_R_COUNT - 1], 6);
	ticket = sc_stats_ask(cell);
	assert_false(sc_stats_read(cell, ticket, &out));
	sc_stats_publish(cell);
	assert_true(sc_stats_read(cell, ticket, &out));
	assert_int_equal(out.c[SC_C_LOOPS], 50);
	free(cell);
}

/* Two who ask get one copy that serves both; an older ticket is served by a newer copy. */
static void
test_two_tickets(void **state)
{
	struct sc_stats_cell *cell = cell_new();
	static struct sc_stats out;
	uint32_t first = sc_stats_ask(cell), second = sc_stats_ask(cell);

	sc_stats_publish(cell);
	assert_true(sc_stats_read(cell, first, &out));
	assert_true(sc_stats_read(cell, second, &out));
	free(cell);
}

static void
test_tickets_wrap(void **state)
{
	struct sc_stats_cell *cell = cell_new();
	static struct sc_stats out;
	uint32_t ticket;

	atomic_store(&cell->asked, UINT32_MAX);
	atomic_store(&cell->given, UINT32_MAX);
	ticket = sc_stats_ask(cell);
	assert_int_equal(ticket, 0);
	assert_false(sc_stats_read(cell, ticket, &out));
	sc_stats_publish(cell);
	assert_true(sc_stats_read(cell, ticket, &out));
	free(cell);
}

static void
test_torn_copy_is_refused(void **state)
{
	struct sc_stats_cell *cell = cell_new();
	static struct sc_stats out;
	uint32_t ticket = sc_stats_ask(cell);

	sc_stats_publish(cell);
	atomic_fetch_add(&cell->seq, 1); /* a writer in the middle */
	assert_false(sc_stats_read(cell, ticket, &out));
	atomic_fetch_add(&cell->seq, 1);
	assert_true(sc_stats_read(cell, ticket, &out));
	free(cell);
}

struct race {
	struct sc_stats_cell *cell;
	_Atomic bool stop;
	_Atomic unsigned int torn, old, reads;
};

/* All words of the live block are equal whenever it publishes. */
static void *
race_writer(void *arg)
{
	struct race *race = arg;
	uint64_t *live = (uint64_t *)&race->cell->live;

	for (uint64_t round = 1; !atomic_load(&race->stop); round++) {
		for (size_t i = 0; i < WORDS; i++)
			live[i] = round;
		sc_stats_publish(race->cell);
		if (round % 8 == 0)
			sched_yield();
	}
	return NULL;
}

static void *
race_reader(void *arg)
{
	struct race *race = arg;
	struct sc_stats *out = malloc(sizeof(*out));
	const uint64_t *w = (const uint64_t *)out;
	uint64_t last = 0;

	for (unsigned int n = 0; out != NULL && n < READS; n++) {
		uint32_t ticket = sc_stats_ask(race->cell);

		while (!sc_stats_read(race->cell, ticket, out))
			sched_yield();
		for (size_t i = 1; i < WORDS; i++)
			if (w[i] != w[0]) {
				atomic_fetch_add(&race->torn, 1);
				break;
			}
		/* A copy asked for later is never an older one. */
		if (w[0] < last)
			atomic_fetch_add(&race->old, 1);
		last = w[0];
		atomic_fetch_add(&race->reads, 1);
	}
	free(out);
	return NULL;
}

static void
test_threads(void **state)
{
	struct race race = {.cell = cell_new()};
	pthread_t writer, reader[NB_READERS];

	assert_int_equal(pthread_create(&writer, NULL, race_writer, &race), 0);
	for (int i = 0; i < NB_READERS; i++)
		assert_int_equal(pthread_create(&reader[i], NULL, race_reader, &race), 0);
	for (int i = 0; i < NB_READERS; i++)
		pthread_join(reader[i], NULL);
	atomic_store(&race.stop, true);
	pthread_join(writer, NULL);
	assert_int_equal(atomic_load(&race.reads), NB_READERS * READS);
	assert_int_equal(atomic_load(&race.torn), 0);
	assert_int_equal(atomic_load(&race.old), 0);
	free(race.cell);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_nothing_without_asking),
			cmocka_unit_test(test_ask_publish_read),
			cmocka_unit_test(test_two_tickets),
			cmocka_unit_test(test_tickets_wrap),
			cmocka_unit_test(test_torn_copy_is_refused),
			cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
