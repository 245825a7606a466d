/* SPDX-License-Identifier: BSD-3-Clause */
/* How near a worker is to losing frames. */
#include <load.h>

#include <rte_cycles.h>

#include "sc_test.h"

#define MS SC_US_PER_MS
#define START (1700000000ull * SC_US_PER_S)
#define HZ (1000 * 1000 * 1000ull) /* a cycle is a ns */
#define PERIOD_CYCLES (HZ / 10)

static struct sc_clock box_clock = {.tsc_hz = HZ};
static struct sc_box box;

static void
begin(struct load *l)
{
	box = (struct sc_box){.nb_workers = 1, .clock = &box_clock};
	*l = (struct load){.since_us = START};
}

/* A period's work, as rounds would have left it. */
static void
worked(struct load *l, uint32_t permille)
{
	l->busy = PERIOD_CYCLES / 1000 * permille;
	l->frames = 1000;
	l->rounds = 1000;
}

static uint32_t
read_at(struct load *l, uint64_t ms)
{
	struct sc_replay_load load = {0};

	assert_true(load_read(l, &box, 0, START + ms * MS, &load));
	return load.load;
}

static bool
is_read_at(struct load *l, uint64_t ms)
{
	struct sc_replay_load load;

	return load_read(l, &box, 0, START + ms * MS, &load);
}

/* Each 100 ms; what it was is told, too. */
static void
periods(void **state)
{
	struct sc_replay_load load = {0};
	struct load l;

	begin(&l);
	worked(&l, 485);
	assert_false(is_read_at(&l, 99));
	assert_true(load_read(&l, &box, 0, START + 100 * MS, &load));
	assert_int_equal(load.us, 100 * MS);
	assert_int_equal(load.used, 485);
	assert_int_equal(load.load, 145);
	assert_false(is_read_at(&l, 199));
	assert_int_equal(read_at(&l, 200), 0);
}

/* While work takes nearly all of the time, rounds that leave frames behind say how much it is. */
static void
marks(void **state)
{
	static const struct {
		uint32_t used, full, load;
	} c[] = {{0, 0, 0}, {969, 19, 290}, {969, 20, 581}, {969, 1000, 581}, {970, 0, 467},
			{970, 200, 600}, {1000, 500, 800}, {1000, 799, 999}, {1500, 1000, 1000}};
	struct load l;

	for (unsigned int i = 0; i < SC_ARRAY_SIZE(c); i++) {
		begin(&l);
		worked(&l, c[i].used);
		l.full = c[i].full;
		assert_int_equal(read_at(&l, 100), c[i].load);
	}
}

/* 0.5 % of the frames lost are looked at after 10 ms, and say how much more came than should. */
static void
losses(void **state)
{
	struct load l;

	begin(&l);
	worked(&l, 970);
	l.full = 300;
	atomic_store(&box.nb_missed, 4);
	assert_false(is_read_at(&l, 99));
	assert_int_equal(read_at(&l, 100), 667);
	worked(&l, 100); /* of 100 ms: all of 10 */
	l.full = 300;
	atomic_store(&box.nb_missed, 4 + 5);
	assert_false(is_read_at(&l, 109));
	assert_int_equal(read_at(&l, 110), 1005 * 1000 / 940);
	worked(&l, 100);
	l.full = 1000;
	atomic_store(&box.nb_missed, 9 + 4000);
	assert_int_equal(read_at(&l, 120), 5000 * 1000 / 940);
}

/* Lost while there was nothing to do: the machine stood still, fewer flows would not help. */
static void
idle_losses(void **state)
{
	struct load l;

	begin(&l);
	worked(&l, 949);
	atomic_store(&box.nb_missed, 4000);
	assert_int_equal(read_at(&l, 100), 949 * 600 / 2000);
	worked(&l, 1000); /* or it is the rest of a pause, which most rounds have caught up with */
	l.full = 299;
	atomic_store(&box.nb_missed, 8000);
	assert_int_equal(read_at(&l, 200), 467 + 299 * 2 / 3);
}

/* Of two workers each has half of the loss. */
static void
shared_loss(void **state)
{
	struct load l;

	begin(&l);
	box.nb_workers = 2;
	worked(&l, 1000);
	l.full = 1000;
	atomic_store(&box.nb_missed, 4000);
	assert_int_equal(read_at(&l, 100), 3000 * 1000 / 940);
}

/* Nothing taken, all lost: nothing is divided by 0, and the sum fits. */
static void
nothing_taken(void **state)
{
	struct load l;

	begin(&l);
	l.busy = PERIOD_CYCLES;
	atomic_store(&box.nb_missed, UINT64_MAX / 2);
	assert_in_range(read_at(&l, 100), 100000, 1000000);
}

static void
round_of(struct load *l, uint64_t cycles, uint32_t frames, uint32_t done)
{
	load_round(l,
			&(struct load_round){.start = rte_rdtsc() - cycles,
					.frames = frames,
					.done = done,
					.has_more = frames == 32});
}

#define LONG (1ull << 40) /* what this machine adds is nothing to it */

/* What a round counts for: its work; not what polling costs, nor when the machine ran others. */
static void
rounds(void **state)
{
	struct load l;

	begin(&l);
	for (int i = 0; i < 200; i++)
		round_of(&l, LONG, 0, 0);
	assert_int_equal(l.busy, 0);
	assert_in_range(l.empty_cycles / (LONG / 100), 99, 101);
	round_of(&l, LONG / 2, 0, 5);
	assert_int_equal(l.busy, 0);
	round_of(&l, LONG * 2, 16, 40); /* half of the polling was for want of work */
	assert_in_range(l.busy / (LONG / 100), 149, 151);
	round_of(&l, LONG, 32, 40);
	assert_in_range(l.busy / (LONG / 100), 249, 251);
	assert_int_equal(l.frames, 48);
	assert_int_equal(l.rounds, 3);
	assert_int_equal(l.full, 1);
	assert_int_equal(l.stood, 0);
	for (int i = 0; i < 1000; i++)
		round_of(&l, LONG, 32, 40);
	l.busy = 0;
	round_of(&l, 65 * LONG, 32, 40);
	assert_int_equal(l.busy, 0);
	assert_true(l.stood >= 65 * LONG);
	assert_int_equal(read_at(&l, 100), 0); /* there was no time at all */
	assert_true(l.busy_cycles > 0 && l.empty_cycles > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(periods),
			cmocka_unit_test(marks),
			cmocka_unit_test(losses),
			cmocka_unit_test(idle_losses),
			cmocka_unit_test(shared_loss),
			cmocka_unit_test(nothing_taken),
			cmocka_unit_test(rounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
