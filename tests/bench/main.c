/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench --workload NAME --sessions N [--runs N] [--turns N] [--capture FILE | --scale | --delay RATE |
 * --overload PERCENT | --elephant RATE | --soak FRAMES] [--small-pages] [--no-thp] [--far-frames]
 * [--rss]:
 * measures one workload, prints JSON.
 */
#include <getopt.h>
#include <gnu/libc-version.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_version.h>

#include "stages.h"

#define POOLS_MIB 256
#define STEP_NS 10000 /* of time between two rounds: 3.2 M frames/s */
#define LAG 2048      /* turns that begin between two frames of a flow */
#define CHURN 65536   /* flows beside the sessions that live on */
#define TUPLES 262144 /* of short flows */
#define WARM_TURNS 65536u

/*
 * 20 ms between two turns: the next request acknowledges the answer. 1 s: an ACK of ours does, when
 * its 40 ms are over.
 */
static const struct traffic traffics[] = {
		{.name = "keepalive", .req = 200, .ans = 1000, .turn_ms = 20},
		{.name = "keepalive-both",
				.req = 200,
				.ans = 1000,
				.turn_ms = 20,
				.has_production = true},
		{.name = "keepalive-slow", .req = 200, .ans = 1000, .turn_ms = 1000},
		{.name = "acks",
				.req = 200,
				.ans = 1000,
				.turn_ms = 20,
				.has_production = true,
				.is_acks = true},
		{.name = "short", .req = 200, .ans = 1000, .turns = 1, .has_production = true},
		{.name = "short-client", .req = 200, .ans = 1000, .turns = 1},
		{.name = "upload",
				.req = 65536,
				.ans = 200,
				.turn_ms = 1000,
				.has_production = true},
		{.name = "download",
				.req = 200,
				.ans = 65536,
				.turn_ms = 1000,
				.has_production = true},
};

struct options {
	const struct traffic *t;
	uint32_t sessions, runs;
	uint64_t turns;      /* of a run */
	bool is_huge;        /* mbufs in hugepages of hugetlbfs */
	bool is_far;         /* frames have left the near caches when the worker sees them */
	bool is_thp;         /* may tables be in transparent ones */
	const char *capture; /* recorded traffic instead */
	uint32_t rate;       /* frames/s */
	enum mode {
		COST,
		SCALE,
		DELAY,
		OVERLOAD,
		ELEPHANT,
		SOAK
	} mode;
};

static struct bench_box box;

/* ---- set-up ---- */

uint64_t
meminfo(const char *file, const char *word)
{
	unsigned long long value = 0;
	char line[128];
	FILE *f = fopen(file, "r");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, word, strlen(word)) == 0)
			sscanf(line + strlen(word), ": %llu", &value);
	if (f != NULL)
		fclose(f);
	return value;
}

/* The last two CPUs that this process may use; both lcores on one where there is one only. */
static void
lcores_arg(char *buf, size_t size)
{
	unsigned int first = 0, second = 0;
	cpu_set_t set;

	sched_getaffinity(0, sizeof(set), &set);
	for (unsigned int i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET(i, &set))
			continue;
		second = first;
		first = i;
	}
	snprintf(buf, size, "--lcores=0@%u,1@%u", first, CPU_COUNT(&set) > 1 ? second : first);
}

/* Does the kernel give this process transparent hugepages where it asks for them? */
static bool
is_thp_used(void)
{
	char line[64] = "";
	FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");
	bool is_used;

	is_used = f != NULL && fgets(line, sizeof(line), f) != NULL
			&& strstr(line, "[never]") == NULL;
	if (f != NULL)
		fclose(f);
	return is_used && prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 0;
}

/* is_huge: may huge pages be used (not under valgrind), and are they? */
static bool
start_eal(bool *is_huge)
{
	char prefix[32], mib[16], lcores[64];
	char *argv[16] = {"bench", "--no-pci", "--no-telemetry", "--log-level=*:error",
			"--file-prefix", prefix, "-m", mib, lcores};
	int argc = 9;

	*is_huge = *is_huge && meminfo("/proc/meminfo", "HugePages_Free") * 2 >= POOLS_MIB
			&& meminfo("/proc/meminfo", "Hugepagesize") == 2048;
	snprintf(prefix, sizeof(prefix), "bench%d", (int)getpid());
	snprintf(mib, sizeof(mib), "%d", POOLS_MIB);
	lcores_arg(lcores, sizeof(lcores));
	if (*is_huge) {
		argv[argc++] = "--in-memory";
	} else {
		argv[argc++] = "--no-huge";
		argv[argc++] = "--no-shconf";
	}
	return rte_eal_init(argc, argv) >= 0 && sc_mbuf_init() == 0;
}

/* ---- phases ---- */

/* Frames as a run feeds them, through the forwarder, and through single stages. */
static void
measure_alone(const struct loop *l, const struct script *s, uint64_t turns)
{
	struct loop copy = *l;

	copy.group = GROUP;
	loop_begin(&copy, s, 0, turns);
	stages_alone(&copy, loop_feed, &copy);
}

static double
measure_floor(const struct loop *l, const struct script *s, uint64_t turns)
{
	struct loop copy = *l;

	copy.group = GROUP;
	loop_begin(&copy, s, 0, turns);
	return floor_run(&copy, loop_feed, &copy);
}

static void
run_all(struct loop *l, const struct options *o)
{
	static struct script s;
	uint64_t at = 0, warm = SC_MAX(o->sessions, SC_MIN(o->turns, WARM_TURNS));

	if (o->t->turns > 0) {
		l->feed.order = NULL;
		l->feed.first_tuple = o->sessions;
		l->feed.nb = TUPLES;
		script_flow(&s, o->t);
	} else if (o->t->is_acks) {
		script_acks(&s);
	} else {
		script_turn(&s, o->t);
	}
	if (o->t->turn_ms > 0) {
		/* A session's next turn begins behind the end of this one. */
		l->feed.lag = SC_CLAMP(o->sessions / (s.nb + 1), 1u, (uint32_t)LAG);
		uint64_t rounds = (uint64_t)o->sessions * s.nb / BURST;

		l->step_ns = o->t->turn_ms * 1000000ull / SC_MAX(rounds, (uint64_t)1);
	}
	loop_begin(l, &s, at, at + warm);
	loop_run(l);
	at += warm;
	printf("\"runs\":[");
	for (uint32_t i = 0; i < o->runs; i++) {
		struct run before, after;

		run_look(&before, l);
		loop_begin(l, &s, at, at + o->turns);
		stages_clear();
		loop_measured(l);
		at += o->turns;
		run_look(&after, l);
		measure_alone(l, &s, SC_MIN(o->turns, 100000ull));
		printf("%s\n", i == 0 ? "" : ",");
		run_print(&before, &after, measure_floor(l, &s, SC_MIN(o->turns, 100000ull)));
	}
	printf("],\n");
}

static bool
measure(const struct options *o)
{
	struct loop l = {.b = &box, .step_ns = STEP_NS, .group = o->is_far ? GROUP_MAX : GROUP};
	struct sc_replay_cfg few;
	uint32_t *order;
	uint64_t rss_kib, grown;
	bool ok;

	box.nb_workers = 1;
	if (box_start(&box, o->sessions + (o->t->turns > 0 ? CHURN : 0)) < 0)
		return false;
	l.start_us = box.clock.base_us;
	order = feed_order(&box.steer, 0, o->sessions);
	l.feed = (struct feed){.t = o->t,
			.order = order,
			.nb = o->sessions,
			.lag = SC_MIN(o->sessions / 8 + 1, (uint32_t)LAG),
			.pool = box.feed_pool};
	l.reflector = (struct reflector){.t = o->t, .pool = box.target_pool};
	if (l.feed.order == NULL)
		return false;
	rss_kib = meminfo("/proc/self/status", "VmRSS");
	if (box_start_workers(&box) < 0)
		return false;
	few = box.replay;
	loop_open(&l, o->sessions);
	grown = meminfo("/proc/self/status", "VmRSS") - rss_kib;
	few.max_flows = few.max_tombs = 64;
	printf("\"rss_bytes\":%llu,\"configured_bytes\":%llu,\"fixed_bytes\":%llu,\n",
			(unsigned long long)grown * 1024,
			(unsigned long long)sc_replay_size(&box.replay, 1),
			(unsigned long long)sc_replay_size(&few, 1));
	run_all(&l, o);
	ok = loop_check(&l, o->sessions);
	free(order);
	return box_stop(&box) && ok;
}

/* ---- options ---- */

static const struct traffic *
find_traffic(const char *name)
{
	for (unsigned int i = 0; i < SC_ARRAY_SIZE(traffics); i++)
		if (strcmp(traffics[i].name, name) == 0)
			return &traffics[i];
	fprintf(stderr, "bench: no workload %s; there are:", name);
	for (unsigned int i = 0; i < SC_ARRAY_SIZE(traffics); i++)
		fprintf(stderr, " %s", traffics[i].name);
	fprintf(stderr, "\n");
	return NULL;
}

static bool
parse(int argc, char **argv, struct options *o)
{
	static const struct option words[] = {
			{"workload", required_argument, NULL, 'w'},
			{"sessions", required_argument, NULL, 's'},
			{"runs", required_argument, NULL, 'r'},
			{"turns", required_argument, NULL, 't'},
			{"small-pages", no_argument, NULL, 'p'},
			{"no-thp", no_argument, NULL, 'T'},
			{"far-frames", no_argument, NULL, 'F'},
			{"rss", no_argument, NULL, 'R'},
			{"scale", no_argument, NULL, 'S'},
			{"delay", required_argument, NULL, 'D'},
			{"overload", required_argument, NULL, 'O'},
			{"elephant", required_argument, NULL, 'E'},
			{"soak", required_argument, NULL, 'K'},
			{"capture", required_argument, NULL, 'C'},
			{NULL, 0, NULL, 0},
	};
	int c;

	*o = (struct options){.t = &traffics[0],
			.sessions = 10000,
			.runs = 5,
			.is_huge = true,
			.is_thp = true,
			.rate = 1};
	while ((c = getopt_long(argc, argv, "", words, NULL)) != -1) {
		unsigned long long n = optarg != NULL ? strtoull(optarg, NULL, 10) : 0;

		if (c == 'w')
			o->t = find_traffic(optarg);
		else if (c == 's')
			o->sessions = (uint32_t)n;
		else if (c == 'r')
			o->runs = (uint32_t)n;
		else if (c == 't')
			o->turns = n;
		else if (c == 'p')
			o->is_huge = false;
		else if (c == 'F')
			o->is_far = true;
		else if (c == 'R')
			box.is_hashed = true;
		else if (c == 'T')
			o->is_thp = false;
		else if (c == 'C')
			o->capture = optarg;
		else if (c == 'S')
			o->mode = SCALE;
		else if (c == 'K')
			o->mode = SOAK, o->turns = n;
		else if (c == 'D')
			o->mode = DELAY, o->rate = (uint32_t)n;
		else if (c == 'O')
			o->mode = OVERLOAD, o->rate = (uint32_t)n;
		else if (c == 'E')
			o->mode = ELEPHANT, o->rate = (uint32_t)n;
		else
			return false;
	}
	if (o->turns == 0)
		o->turns = SC_MAX(o->sessions, 500000u);
	return o->t != NULL && o->sessions > 0 && o->runs > 0 && o->rate > 0;
}

int
main(int argc, char **argv)
{
	struct options o;
	bool ok;

	if (!parse(argc, argv, &o))
		return 2;
	if (!o.is_thp && prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) < 0)
		fprintf(stderr, "bench: this kernel cannot keep transparent hugepages away\n");
	if (!start_eal(&o.is_huge)) {
		fprintf(stderr, "bench: DPDK does not start\n");
		return 3;
	}
	printf("{\"workload\":\"%s\",\"sessions\":%u,\n", o.t->name, o.sessions);
	printf("\"tsc_hz\":%llu,\"dpdk\":\"%s\",\"compiler\":\"%s\",\"libc\":\"%s\",\"build\":\"%"
	       "s\","
	       "\"hugepages\":%s,\"thp\":%s,\n",
			(unsigned long long)rte_get_tsc_hz(), rte_version(), __VERSION__,
			gnu_get_libc_version(), BENCH_BUILD, o.is_huge ? "true" : "false",
			is_thp_used() ? "true" : "false");
	if (o.capture != NULL)
		ok = recorded_measure(&box, o.capture, o.runs);
	else if (o.mode == SCALE)
		ok = scale_measure(&box, o.t, o.sessions, o.runs, o.turns);
	else if (o.mode == DELAY)
		ok = delay_measure(&box, o.t, o.sessions, o.runs, o.rate);
	else if (o.mode == OVERLOAD)
		ok = overload_measure(&box, o.t, o.sessions, o.rate);
	else if (o.mode == ELEPHANT)
		ok = elephant_measure(&box, o.t, o.sessions, o.rate);
	else if (o.mode == SOAK)
		ok = soak_measure(&box, o.t, o.sessions, o.turns);
	else
		ok = measure(&o);
	printf("\"balanced\":%s}\n", ok ? "true" : "false");
	return ok ? 0 : 1;
}
