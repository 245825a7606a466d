/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report_fixture.h"
#include "sc_test.h"

/* The value at a path of keys apart by dots; NULL if there is none. */
static const json_t *
at(const json_t *obj, const char *path)
{
	char copy[128], *save = NULL;

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *key = strtok_r(copy, ".", &save); key != NULL; key = strtok_r(NULL, ".", &save))
		obj = json_object_get(obj, key);
	return obj;
}

static void
check_int(const json_t *root, const char *path, json_int_t want)
{
	const json_t *v = at(root, path);

	if (!json_is_integer(v) || json_integer_value(v) != want)
		fail_msg("%s is %lld, not %lld", path, (long long)json_integer_value(v),
				(long long)want);
}

static void
test_figures(void **state)
{
	static struct fixture f;
	json_t *root;

	fixture_init(&f);
	root = sc_report_object(&f.in);
	assert_non_null(root);
	check_int(root, "flows.seen", 1234567);
	check_int(root, "flows.embryonic", 2);
	check_int(root, "flows.admitted", 1234500);
	check_int(root, "flows.refused.never_opened", 65);
	check_int(root, "flows.ended.complete", 1234400);
	check_int(root, "flows.ended.target_reset", 100);
	check_int(root, "sessions.started", 11);
	check_int(root, "connections.closed.fin", 9);
	check_int(root, "client_bytes.seen", 5000);
	check_int(root, "client_bytes.duplicate.mirror", 100);
	check_int(root, "client_bytes.missing", 200);
	check_int(root, "client_bytes.delivered", 9500);
	check_int(root, "client_bytes.abandoned.target_reset", 300);
	check_int(root, "turns.answered", 39);
	check_int(root, "turns.gate.exact", 35);
	check_int(root, "frames.mirror.rx", 1200);
	check_int(root, "frames.mirror.refused.not_tcp", 10);
	check_int(root, "frames.test.tx", 80);
	check_int(root, "frames.test.rx", 90);
	check_int(root, "frames.test.guard_refused.guard_source", 1);
	check_int(root, "frames.test.stray.stray_unknown", 4);
	check_int(root, "peer.accepted", 12);
	assert_true(json_is_true(at(root, "balanced")));
	assert_int_equal(json_array_size(at(root, "faults")), 0);
	assert_true(fabs(json_real_value(at(root, "fidelity")) - 0.95) < 1e-9);
	check_int(root, "left_out.flows", 65);
	check_int(root, "left_out.bytes", 20);
	assert_true(json_real_value(at(root, "duration_s")) == 12.5);
	assert_true(json_is_null(at(root, "capture_damage")));
	json_decref(root);
}

/* Every key that readers rely on is there in an empty run, too; maps are empty. */
static void
test_keys_of_an_empty_run(void **state)
{
	static const char *const numbers[] = {"flows.seen", "flows.embryonic", "flows.admitted",
			"flows.live", "sessions.started", "sessions.live", "connections.opened",
			"connections.reopened", "connections.open", "client_bytes.seen",
			"client_bytes.accepted", "client_bytes.missing", "client_bytes.delivered",
			"client_bytes.in_flight", "client_bytes.waiting",
			"client_bytes.unconfirmed", "turns.seen", "turns.answered",
			"turns.gate.module", "turns.gate.exact", "turns.gate.longer",
			"turns.gate.shorter", "turns.gate.duplex", "turns.gate.timeout",
			"turns.gate.time", "frames.mirror.rx", "frames.mirror.client",
			"frames.mirror.production", "frames.mirror.misrouted",
			"frames.mirror.handover_full", "frames.test.tx", "frames.test.rx"};
	static const char *const maps[] = {"flows.refused", "flows.ended", "sessions.ended",
			"sessions.refused", "connections.closed", "client_bytes.duplicate",
			"client_bytes.refused", "client_bytes.skipped", "client_bytes.abandoned",
			"frames.mirror.refused", "frames.test.guard_refused",
			"frames.test.responses_refused", "frames.test.stray"};
	static struct sc_stats sum;
	static struct sc_ledger_result ledger;
	struct sc_report_in in = {.sum = &sum, .ledger = &ledger};
	json_t *root = sc_report_object(&in);

	assert_non_null(root);
	for (size_t i = 0; i < SC_ARRAY_SIZE(numbers); i++)
		check_int(root, numbers[i], 0);
	for (size_t i = 0; i < SC_ARRAY_SIZE(maps); i++) {
		if (!json_is_object(at(root, maps[i])))
			fail_msg("%s is no object", maps[i]);
		assert_int_equal(json_object_size(at(root, maps[i])), 0);
	}
	assert_true(json_is_object(at(root, "latency_us.production")));
	assert_true(json_is_object(at(root, "latency_us.target")));
	assert_int_equal(json_array_size(at(root, "ports")), 0);
	assert_true(json_real_value(at(root, "fidelity")) == 1.0);
	assert_null(at(root, "peer"));
	json_decref(root);
}

/* Sum of all integers below v. */
static uint64_t
total(const json_t *v)
{
	const char *key;
	json_t *sub;
	uint64_t sum = json_is_integer(v) ? (uint64_t)json_integer_value(v) : 0;

	json_object_foreach((json_t *)(uintptr_t)v, key, sub) sum += total(sub);
	return sum;
}

/* Each counter and map entry that the ledger speaks of, except flow spans, is shown once. */
static void
test_no_counter_is_forgotten(void **state)
{
	static struct sc_stats sum;
	static struct sc_ledger_result ledger;
	struct sc_report_in in = {.sum = &sum, .ledger = &ledger};

	for (unsigned int c = 0; c < SC_C_COUNT; c++) {
		bool is_span = strstr(sc_counter_name((enum sc_counter)c), "span") != NULL;
		json_t *root;

		sum.c[c] = 1;
		root = sc_report_object(&in);
		if (total(root) != (is_span ? 0 : 1))
			fail_msg("%s is shown %u times", sc_counter_name((enum sc_counter)c),
					(unsigned int)total(root));
		json_decref(root);
		sum.c[c] = 0;
	}
	for (unsigned int m = 0; m < SC_M_COUNT; m++) {
		json_t *root;

		sum.m[m][SC_R_STOPPED] = 1;
		root = sc_report_object(&in);
		json_object_del(root, "left_out"); /* sums of two maps, a second time */
		assert_int_equal(total(root), 1);
		json_decref(root);
		sum.m[m][SC_R_STOPPED] = 0;
	}
}

static void
test_faults(void **state)
{
	static struct fixture f;
	const json_t *fault;
	json_t *root;

	fixture_init(&f);
	fixture_unbalance(&f);
	root = sc_report_object(&f.in);
	assert_true(json_is_false(at(root, "balanced")));
	assert_int_equal(json_array_size(at(root, "faults")), 1);
	fault = json_array_get(at(root, "faults"), 0);
	assert_string_equal(json_string_value(at(fault, "equation")), sc_ledger_equation(1, NULL));
	check_int(fault, "left", 1500);
	check_int(fault, "right", 1501);
	json_decref(root);
}

static void
test_ports_and_latency(void **state)
{
	static struct fixture f;
	const json_t *port;
	json_t *root;

	fixture_init(&f);
	root = sc_report_object(&f.in);
	port = json_array_get(at(root, "ports"), 0);
	assert_string_equal(json_string_value(at(port, "name")), "net_ring0");
	assert_string_equal(json_string_value(at(port, "role")), "mirror");
	check_int(port, "rx", 1200);
	check_int(port, "imissed", 7);
	port = json_array_get(at(root, "ports"), 1);
	assert_true(json_is_null(at(port, "imissed")));
	check_int(port, "ierrors", 3);
	check_int(root, "latency_us.production.count", 100);
	check_int(root, "latency_us.production.p50", 199); /* the bucket's edge, 256, capped */
	check_int(root, "latency_us.production.p99", 199);
	check_int(root, "latency_us.target.p50", 1099);
	check_int(root, "latency_us.target.max", 1099);
	json_decref(root);
}

static void
test_text_that_is_not_utf8(void **state)
{
	static struct fixture f;
	const char *const warning[] = {"file \xff\xfe.pcap"};
	json_t *root;

	fixture_init(&f);
	f.in.warning = warning;
	f.in.damage = "cap\xe4: offset 7";
	root = sc_report_object(&f.in);
	assert_non_null(root);
	assert_string_equal(
			json_string_value(json_array_get(at(root, "warnings"), 0)), "file ??.pcap");
	assert_string_equal(json_string_value(at(root, "capture_damage")), "cap?: offset 7");
	json_decref(root);
}

static void
test_printed_json_is_read_back(void **state)
{
	static struct fixture f;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	json_t *root, *want;

	fixture_init(&f);
	assert_int_equal(sc_report_json(&f.in, out), 0);
	fclose(out);
	assert_int_equal(text[size - 1], '\n');
	root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	want = sc_report_object(&f.in);
	assert_non_null(root);
	assert_true(json_equal(root, want));
	json_decref(root);
	json_decref(want);
	free(text);
}

static void
test_ledger_and_status_answers(void **state)
{
	static struct fixture f;
	json_t *root;

	fixture_init(&f);
	fixture_unbalance(&f);
	root = sc_report_ledger(&f.in);
	assert_true(json_is_false(at(root, "balanced")));
	assert_int_equal(json_array_size(at(root, "equations")), 17);
	assert_int_equal(json_array_size(at(root, "faults")), 1);
	json_decref(root);
	root = sc_report_status(&f.in);
	check_int(root, "flows_seen", 1234567);
	check_int(root, "flows_refused", 65);
	check_int(root, "bytes_delivered", 9500);
	assert_string_equal(json_string_value(at(root, "command")), "replay");
	assert_int_equal(json_array_size(at(root, "warnings")), 1);
	json_decref(root);
}

/* jansson's allocator with a budget, to reach every failure. */
static unsigned int allocs_left;

static void *
short_malloc(size_t size)
{
	if (allocs_left == 0)
		return NULL;
	allocs_left--;
	return malloc(size);
}

/* Out of memory at each place in turn: NULL, never half a report, and no leak (ASan). */
static void
test_out_of_memory(void **state)
{
	static struct fixture f;
	json_t *(*const builder[])(const struct sc_report_in *) = {
			sc_report_object, sc_report_ledger, sc_report_status};

	fixture_init(&f);
	fixture_unbalance(&f);
	json_set_alloc_funcs(short_malloc, free);
	for (size_t b = 0; b < SC_ARRAY_SIZE(builder); b++) {
		json_t *root = NULL;
		unsigned int budget = 0;

		for (; root == NULL && budget < 5000; budget++) {
			allocs_left = budget;
			root = builder[b](&f.in);
		}
		assert_non_null(root);
		assert_true(budget > 20);
		json_decref(root);
	}
	allocs_left = 3;
	assert_int_equal(sc_report_json(&f.in, stderr), -ENOMEM);
	json_set_alloc_funcs(malloc, free);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_figures),
			cmocka_unit_test(test_keys_of_an_empty_run),
			cmocka_unit_test(test_no_counter_is_forgotten),
			cmocka_unit_test(test_faults),
			cmocka_unit_test(test_ports_and_latency),
			cmocka_unit_test(test_text_that_is_not_utf8),
			cmocka_unit_test(test_printed_json_is_read_back),
			cmocka_unit_test(test_ledger_and_status_answers),
			cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
