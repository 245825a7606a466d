/* SPDX-License-Identifier: BSD-3-Clause */
/* How near a worker is to losing frames. */
#include <load.h>

#include "sc_test.h"

#define MS SC_US_PER_MS
#define START (1700000000ull * SC_US_PER_S)

static struct sc_box box;

static void
begin(struct load *l)
{
	box = (struct sc_box){.nb_workers = 1};
	*l = (struct load){.since_us = START};
}

static void
polls(struct load *l, unsigned int nb, unsigned int nb_full)
{
	for (unsigned int i = 0; i < nb; i++)
		load_note(l, 10, i < nb_full);
}

/* Polls that left more behind, of all; a few polls say nothing. */
static void
full_polls(void **state)
{
	uint32_t load = 0;
	struct load l;

	begin(&l);
	polls(&l, 100, 83);
	assert_false(load_read(&l, &box, 0, START + 99 * MS, &load));
	assert_true(load_read(&l, &box, 0, START + 100 * MS, &load));
	assert_int_equal(load, 830);
	polls(&l, 19, 19);
	assert_false(load_read(&l, &box, 0, START + 199 * MS, &load));
	assert_true(load_read(&l, &box, 0, START + 200 * MS, &load));
	assert_int_equal(load, 0);
}

/* A little loss adds to the load; 5 % is more than all there can be. */
static void
little_loss(void **state)
{
	uint32_t load = 0;
	struct load l;

	begin(&l);
	polls(&l, 100, 30);
	atomic_store(&box.nb_missed, 10); /* of 1,010 */
	assert_true(load_read(&l, &box, 0, START + 100 * MS, &load));
	assert_int_equal(load, 300 + 10 * 20);
	polls(&l, 100, 30);
	assert_true(load_read(&l, &box, 0, START + 200 * MS, &load));
	assert_int_equal(load, 300);
	polls(&l, 100, 30);
	atomic_store(&box.nb_missed, 10 + 49);
	assert_true(load_read(&l, &box, 0, START + 300 * MS, &load));
	assert_int_equal(load, 1000);
	polls(&l, 100, 30);
	atomic_store(&box.nb_missed, 10 + 49 + 60);
	assert_true(load_read(&l, &box, 0, START + 400 * MS, &load));
	assert_int_equal(load, 1060);
}

/* Much loss is not looked at for long, and says how much more came than was taken. */
static void
much_loss(void **state)
{
	uint32_t load = 0;
	struct load l;

	begin(&l);
	polls(&l, 100, 100);
	atomic_store(&box.nb_missed, 4000);
	assert_false(load_read(&l, &box, 0, START + 9 * MS, &load));
	assert_true(load_read(&l, &box, 0, START + 10 * MS, &load));
	assert_int_equal(load, 5000);
	assert_false(load_read(&l, &box, 0, START + 20 * MS, &load));
}

/* Of two workers each has half of the loss. */
static void
shared_loss(void **state)
{
	uint32_t load = 0;
	struct load l;

	begin(&l);
	box.nb_workers = 2;
	polls(&l, 100, 0);
	atomic_store(&box.nb_missed, 4000);
	assert_true(load_read(&l, &box, 0, START + 100 * MS, &load));
	assert_int_equal(load, 3000);
}

/* A worker that stood still: all was lost, and nothing is divided by 0. */
static void
nothing_taken(void **state)
{
	uint32_t load = 0;
	struct load l;

	begin(&l);
	atomic_store(&box.nb_missed, 4000000);
	assert_true(load_read(&l, &box, 0, START + 100 * MS, &load));
	assert_in_range(load, 100000, 1000000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(full_polls),
			cmocka_unit_test(little_loss),
			cmocka_unit_test(much_loss),
			cmocka_unit_test(shared_loss),
			cmocka_unit_test(nothing_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
