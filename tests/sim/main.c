/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sim [--seeds N] [--from S] [--jobs J] [--verbose] [--only NAME[,NAME...]]
 *
 * Runs N schedules in J processes; the first that fails in each is run again with the timeline of the
 * flow it failed at. --only leaves the disturbances drawn in place that are named (or "none").
 */
#include <getopt.h>
#include <inttypes.h>
#include <reached.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sim.h"

#define PRINT_MAX 20
#define TIMELINE_MAX 1

#define JOBS_MAX 64

struct options {
	uint64_t seeds, from, only, jobs;
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
			{"only", required_argument, NULL, 'o'},
			{"jobs", required_argument, NULL, 'j'}, {"verbose", no_argument, NULL, 'v'},
			{NULL, 0, NULL, 0}};
	int c;

	*o = (struct options){.seeds = 100, .from = 1, .only = UINT64_MAX, .jobs = 1};
	while ((c = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		if (c == 'n')
			o->seeds = strtoull(optarg, NULL, 0);
		else if (c == 'f')
			o->from = strtoull(optarg, NULL, 0);
		else if (c == 'o')
			o->only = faults_named(optarg);
		else if (c == 'j')
			o->jobs = SC_CLAMP(strtoull(optarg, NULL, 0), 1ull, JOBS_MAX + 0ull);
		else if (c == 'v')
			o->is_verbose = true;
		else
			return -1;
	}
	return optind == argc ? 0 : -1;
}

/* With so many schedules everything must have been seen, and the gate be as good as its study. */
#define COVERAGE_MIN 20000
#define EARLY_MAX 0.019
#define EARLY_LONG_MAX 0.01

/* Early releases of targets that answer; the gate gives up waiting for those that never do. */
static double
early_rate(const struct sim_totals *t)
{
	uint64_t turns = t->turns - t->turns_by[BIT_T_SILENT_APP];

	return turns == 0 ? 0 : (double)(t->early - t->early_by[BIT_T_SILENT_APP]) / (double)turns;
}

static unsigned int
not_covered(const struct options *o, const struct sim_totals *t)
{
	unsigned int nb = 0;

	if (t->schedules < COVERAGE_MIN || o->only != UINT64_MAX)
		return 0;
	for (unsigned int i = 0; i < SIM_FAULT_COUNT; i++) {
		if (t->hit[i] > 0)
			continue;
		printf("NEVER: %s\n", sim_fault_names[i]);
		nb++;
	}
	for (unsigned int i = 0; i < SIM_SHOWN_COUNT; i++) {
		if (t->shown[i] > 0)
			continue;
		printf("NEVER: %s\n", sim_shown_names[i]);
		nb++;
	}
	if ((double)t->early_long > EARLY_LONG_MAX * (double)t->turns_long) {
		printf("EARLY: more than %.1f %% under longer answers\n", 100 * EARLY_LONG_MAX);
		nb++;
	}
	if (early_rate(t) > EARLY_MAX) {
		printf("EARLY: more than %.1f %%\n", 100 * EARLY_MAX);
		nb++;
	}
	return nb;
}

static void
print_totals(const struct sim_totals *t)
{
	printf("schedules in which a disturbance was drawn, and took effect; turns, and early "
	       "ones:\n");
	for (unsigned int i = 0; i < SIM_FAULT_COUNT; i++)
		printf("  %-38s %7" PRIu64 " %7" PRIu64 " %9" PRIu64 " %6" PRIu64 "\n",
				sim_fault_names[i], t->fault[i], t->hit[i], t->turns_by[i],
				t->early_by[i]);
	for (unsigned int i = 0; i < SIM_SHOWN_COUNT; i++)
		printf("  %-38s %15" PRIu64 "\n", sim_shown_names[i], t->shown[i]);
	printf("traffic:");
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
	printf("%" PRIu64 " of %" PRIu64 " flows were untouched and read to their end; %" PRIu64
	       " schedules excused\n",
			t->checked, t->flows, t->excused);
	printf("turns that began early: %" PRIu64 " of %" PRIu64 " in all; %" PRIu64 " of %" PRIu64
	       " where the answer could be known; %.2f %% of those whose target answers; %" PRIu64
	       " of %" PRIu64 " of longer answers\n",
			t->early, t->turns, t->early_exact, t->turns_exact, 100 * early_rate(t),
			t->early_long, t->turns_long);
}

/* Schedules that are run twice: one of so many. */
#define COMPARED 8

/*
 * Short cuts for plain packets must not show: without them the engine sends the same frames at the
 * same times and counts the same. False: it does not.
 */
static bool
is_same_in_general(const struct sim_cfg *cfg, const struct sim_verdict *v)
{
	static struct sim_totals scrap;
	struct sim_verdict general = {.flow = SIM_NONE};
	struct sim_cfg c = *cfg;

	if (cfg->seed % COMPARED != 0)
		return true;
	c.is_general = true;
	sim_schedule(&c, &scrap, NULL, &general);
	return general.digest == v->digest;
}

/* Every o->jobs-th seed from the first on. */
static void
run_some(const struct options *o, uint64_t first, struct sim_totals *t)
{
	static struct sim_totals scrap;

	for (uint64_t seed = o->from + first; seed < o->from + o->seeds; seed += o->jobs) {
		struct sim_verdict v = {.flow = SIM_NONE};
		struct sim_cfg cfg;

		sim_cfg_draw(&cfg, seed, o->only);
		if (sim_schedule(&cfg, t, o->is_verbose ? stdout : NULL, &v)) {
			if (is_same_in_general(&cfg, &v))
				continue;
			t->failed++;
			snprintf(v.failure, sizeof(v.failure),
					"the short cut of plain packets makes a difference");
		}
		if (t->failed <= PRINT_MAX)
			printf("seed %" PRIu64 " FAILED: %s\n", seed, v.failure);
		if (t->failed <= TIMELINE_MAX && !o->is_verbose)
			sim_schedule(&cfg, &scrap, stdout, &v);
		fflush(stdout);
	}
}

/* ---- several processes ---- */

struct job {
	pid_t pid;
	int fd; /* its totals come here when it is done */
};

static bool
write_all(int fd, const void *from, size_t len)
{
	for (const uint8_t *p = from; len > 0;) {
		ssize_t n = write(fd, p, len);

		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

static bool
read_all(int fd, void *to, size_t len)
{
	for (uint8_t *p = to; len > 0;) {
		ssize_t n = read(fd, p, len);

		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

static int
job_start(const struct options *o, uint64_t first, struct job *j)
{
	static struct sim_totals t;
	int fds[2];

	if (pipe(fds) < 0)
		return -1;
	fflush(stdout);
	j->fd = fds[0];
	j->pid = fork();
	if (j->pid != 0) {
		close(fds[1]);
		return j->pid < 0 ? -1 : 0;
	}
	if (run_global() < 0)
		_exit(2);
	run_some(o, first, &t);
	_exit(write_all(fds[1], &t, sizeof(t)) ? 0 : 2);
}

/* Totals are nothing but counters. */
static int
job_end(struct job *j, struct sim_totals *t)
{
	static struct sim_totals one;
	uint64_t *sum = (uint64_t *)t, *add = (uint64_t *)&one;
	int status = 0;
	bool is_good = read_all(j->fd, &one, sizeof(one));

	close(j->fd);
	if (waitpid(j->pid, &status, 0) < 0 || status != 0 || !is_good)
		return -1;
	for (size_t i = 0; i < sizeof(one) / sizeof(*add); i++)
		sum[i] += add[i];
	return 0;
}

static int
run_all(const struct options *o, struct sim_totals *t)
{
	struct job job[JOBS_MAX];
	int ret = 0;

	if (o->jobs == 1) {
		if (run_global() < 0)
			return -1;
		run_some(o, 0, t);
		return 0;
	}
	for (uint64_t i = 0; i < o->jobs; i++)
		if (job_start(o, i, &job[i]) < 0)
			return -1;
	for (uint64_t i = 0; i < o->jobs; i++)
		ret |= job_end(&job[i], t);
	return ret;
}

int
main(int argc, char **argv)
{
	static struct sim_totals t;
	struct options o;
	struct timespec begin, end;
	unsigned int missed;

	if (parse(argc, argv, &o) < 0) {
		fprintf(stderr,
				"usage: sim [--seeds N] [--from SEED] [--jobs J] "
				"[--only A,B,..|none] [--verbose]\n");
		return 2;
	}
	clock_gettime(CLOCK_MONOTONIC, &begin);
	if (run_all(&o, &t) < 0) {
		fprintf(stderr, "EAL does not start, or a process of the simulation died\n");
		return 2;
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	test_reached(&t.seen);
	print_totals(&t);
	missed = not_covered(&o, &t);
	printf("%.1f s\n",
			(double)(end.tv_sec - begin.tv_sec)
					+ (double)(end.tv_nsec - begin.tv_nsec) / 1e9);
	printf("%" PRIu64 " schedules, %" PRIu64 " failed\n", t.schedules, t.failed);
	return t.failed > 0 || missed > 0;
}
