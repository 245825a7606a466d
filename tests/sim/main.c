/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sim [--seeds N] [--from S] [--verbose] [--only NAME[,NAME...]]
 *
 * Runs N schedules; a schedule that fails is run again with its timeline printed. --only leaves the
 * disturbances drawn in place that are named (or "none").
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim.h"

#define PRINT_MAX 20
#define TIMELINE_MAX 1

struct options {
	uint64_t seeds, from, only;
	bool is_verbose;
};

static uint64_t
faults_named(const char *list)
{
	static const char *const names[SIM_FAULT_COUNT] = {
#define X(sym, text) [BIT_##sym] = #sym,
			SIM_FAULTS(X)
#undef X
	};
	uint64_t faults = 0;

	for (unsigned int i = 0; i < SIM_FAULT_COUNT; i++) {
		size_t len = strlen(names[i]);

		for (const char *at = list; (at = strstr(at, names[i])) != NULL; at += len)
			if ((at == list || at[-1] == ',') && (at[len] == ',' || at[len] == '\0'))
				faults |= 1ull << i;
	}
	return faults;
}

static int
parse(int argc, char **argv, struct options *o)
{
	static const struct option opts[] = {{"seeds", required_argument, NULL, 'n'},
			{"from", required_argument, NULL, 'f'},
			{"only", required_argument, NULL, 'o'}, {"verbose", no_argument, NULL, 'v'},
			{NULL, 0, NULL, 0}};
	int c;

	*o = (struct options){.seeds = 100, .from = 1, .only = UINT64_MAX};
	while ((c = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		if (c == 'n')
			o->seeds = strtoull(optarg, NULL, 0);
		else if (c == 'f')
			o->from = strtoull(optarg, NULL, 0);
		else if (c == 'o')
			o->only = faults_named(optarg);
		else if (c == 'v')
			o->is_verbose = true;
		else
			return -1;
	}
	return optind == argc ? 0 : -1;
}

static void
print_totals(const struct sim_totals *t)
{
	printf("disturbances:");
	for (unsigned int i = 0; i < SIM_FAULT_COUNT; i++)
		printf(" %s %" PRIu64 ";", sim_fault_names[i], t->fault[i]);
	printf("\ntraffic:");
	for (unsigned int i = 0; i < KIND_COUNT; i++)
		printf(" %s %" PRIu64 ";", sim_kind_names[i], t->kind[i]);
	for (unsigned int i = 0; i < ENDING_COUNT; i++)
		printf(" %s %" PRIu64 ";", sim_ending_names[i], t->ending[i]);
	printf("\nsessions:");
	for (unsigned int i = 0; i < SC_R_COUNT; i++)
		if (t->outcome[i] > 0)
			printf(" %s %" PRIu64 ";", sc_reason_name(i), t->outcome[i]);
	printf("\nflows refused:");
	for (unsigned int i = 0; i < SC_R_COUNT; i++)
		if (t->refused[i] > 0)
			printf(" %s %" PRIu64 ";", sc_reason_name(i), t->refused[i]);
	printf("\n%" PRIu64 " of %" PRIu64 " bytes delivered; %" PRIu64 " mirror frames, %" PRIu64
	       " frames sent\n",
			t->delivered, t->bytes, t->frames, t->sent);
	printf("turns that began early: %" PRIu64 " of %" PRIu64 " in all; %" PRIu64 " of %" PRIu64
	       " where the answer could be known\n",
			t->early, t->turns, t->early_exact, t->turns_exact);
}

static void
run_all(const struct options *o, struct sim_totals *t)
{
	struct sim_totals scrap = {0};
	char why[600];

	for (uint64_t seed = o->from; seed < o->from + o->seeds; seed++) {
		struct sim_cfg cfg;

		sim_cfg_draw(&cfg, seed, o->only);
		if (sim_schedule(&cfg, t, o->is_verbose ? stdout : NULL, why, sizeof(why)))
			continue;
		if (t->failed <= PRINT_MAX)
			printf("seed %" PRIu64 " FAILED: %s\n", seed, why);
		if (t->failed <= TIMELINE_MAX && !o->is_verbose && o->seeds > 1)
			sim_schedule(&cfg, &scrap, stdout, why, sizeof(why));
	}
}

int
main(int argc, char **argv)
{
	struct options o;
	struct sim_totals t = {0};
	struct timespec begin, end;

	if (parse(argc, argv, &o) < 0) {
		fprintf(stderr,
				"usage: sim [--seeds N] [--from SEED] [--only A,B,..|none] "
				"[--verbose]\n");
		return 2;
	}
	if (run_global() < 0) {
		fprintf(stderr, "EAL does not start\n");
		return 2;
	}
	clock_gettime(CLOCK_MONOTONIC, &begin);
	run_all(&o, &t);
	clock_gettime(CLOCK_MONOTONIC, &end);
	print_totals(&t);
	printf("%.1f s\n",
			(double)(end.tv_sec - begin.tv_sec)
					+ (double)(end.tv_nsec - begin.tv_nsec) / 1e9);
	printf("%" PRIu64 " schedules, %" PRIu64 " failed\n", t.schedules, t.failed);
	return t.failed > 0;
}
