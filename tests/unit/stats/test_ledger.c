/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The equations, written down a second time by hand: which counter and which map must break which
 * equation. Everything that a row does not name must break nothing.
 */
#include <math.h>
#include <string.h>

#include <sc_stats.h>

#include "sc_test.h"

struct row {
	int id;
	const char *breaks[3]; /* subjects of the equations */
};

static const struct row counter_rows[] = {
		{SC_C_MIRROR_POLLED, {"frames"}},
		{SC_C_HANDED_IN, {"frames", "hand-over"}},
		{SC_C_HANDED_OUT, {"frames", "hand-over"}},
		{SC_C_HANDOVER_FULL, {"frames"}},
		{SC_C_FRAMES_CLIENT, {"frames"}},
		{SC_C_FRAMES_PRODUCTION, {"frames"}},
		{SC_C_FRAGMENTS_MERGED, {"frames"}},
		{SC_C_FRAGMENTS_NOW, {"frames"}},
		{SC_C_FLOWS_SEEN, {"flows"}},
		{SC_C_FLOWS_EMBRYONIC_NOW, {"flows"}},
		{SC_C_FLOWS_ADMITTED, {"flows", "admitted flows"}},
		{SC_C_FLOWS_LIVE_NOW, {"admitted flows"}},
		{SC_C_SESSIONS_WANTED, {"sessions"}},
		{SC_C_SESSIONS_STARTED, {"sessions", "started sessions"}},
		{SC_C_SESSIONS_LIVE_NOW, {"started sessions"}},
		{SC_C_CONNS_OPENED, {"connections"}},
		{SC_C_CONNS_REOPENED, {"connections"}},
		{SC_C_CONNS_OPEN_NOW, {"connections"}},
		{SC_C_BYTES_SEEN, {"client bytes"}},
		{SC_C_BYTES_ACCEPTED, {"client bytes", "client bytes by sequence number"}},
		{SC_C_SPAN_BYTES, {"client bytes by sequence number"}},
		{SC_C_SPAN_NOW, {"client bytes by sequence number"}},
		{SC_C_BYTES_MISSING, {"client bytes by sequence number"}},
		{SC_C_BYTES_ACCEPTED_COPIES, {"delivery"}},
		{SC_C_BYTES_DELIVERED, {"delivery"}},
		{SC_C_BYTES_IN_FLIGHT_NOW, {"delivery"}},
		{SC_C_BYTES_WAITING_NOW, {"delivery"}},
		{SC_C_BYTES_UNCONFIRMED, {"delivery"}},
		{SC_C_TX_BUILT, {"wire"}},
		{SC_C_TX_TAKEN, {"wire"}},
		{SC_C_TX_WAITING_NOW, {"wire"}},
		{SC_C_TX_ABANDONED, {"wire"}},
		{SC_C_TX_PAYLOAD, {"payload sent"}},
		{SC_C_TX_PAYLOAD_FIRST, {"payload sent"}},
		{SC_C_TX_PAYLOAD_AGAIN, {"payload sent"}},
		{SC_C_RESP_POLLED, {"responses"}},
		{SC_C_RESP_NEIGHBOUR, {"responses"}},
		{SC_C_RESP_RECORDS, {"responses", "records on rings"}},
		{SC_C_REC_TAKEN, {"records", "records on rings"}},
		{SC_C_REC_MATCHED, {"records"}},
		{SC_C_ANSWER_BYTES, {"answers"}},
		{SC_C_ANSWER_NEW, {"answers", "answers by sequence number"}},
		{SC_C_ANSWER_DUPLICATE, {"answers"}},
		{SC_C_ANSWER_OUT_OF_WINDOW, {"answers"}},
		{SC_C_ANSWER_HOLE, {"answers by sequence number"}},
		{SC_C_ANSWER_SPAN, {"answers by sequence number"}},
		{SC_C_ANSWER_SPAN_NOW, {"answers by sequence number"}},
		{SC_C_ANSWER_SPAN_BACK, {"answers by sequence number"}},
};

static const struct row map_rows[] = {
		{SC_M_FRAME_REFUSED, {"frames"}},
		{SC_M_FLOW_REFUSED, {"flows"}},
		{SC_M_FLOW_ENDED, {"admitted flows"}},
		{SC_M_SESSION_REFUSED, {"sessions"}},
		{SC_M_SESSION_ENDED, {"started sessions"}},
		{SC_M_CONN_CLOSED, {"connections"}},
		{SC_M_BYTES_REFUSED, {"client bytes"}},
		{SC_M_BYTES_DUPLICATE, {"client bytes"}},
		{SC_M_BYTES_SKIPPED, {"delivery"}},
		{SC_M_BYTES_ABANDONED, {"delivery"}},
		{SC_M_GUARD_REFUSED, {"wire"}},
		{SC_M_RESP_REFUSED, {"responses"}},
		{SC_M_RESP_STRAY, {"records"}},
};

/* A box's sum with large, different terms that balance; 5 frames and 9 records are on rings. */
static void
fill_balanced(struct sc_stats *s)
{
	memset(s, 0, sizeof(*s));
	for (unsigned int c = 0; c < SC_C_COUNT; c++)
		s->c[c] = 1000 + 17 * c;
	for (unsigned int m = 0; m < SC_M_COUNT; m++)
		for (unsigned int r = 0; r < SC_R_COUNT; r++)
			s->m[m][r] = 3 * m + r;
	s->c[SC_C_HANDED_OUT] = s->c[SC_C_HANDED_IN] + 5;
	s->c[SC_C_MIRROR_POLLED] = s->c[SC_C_HANDED_OUT] + s->c[SC_C_HANDOVER_FULL]
			+ sc_stats_map_sum(s, SC_M_FRAME_REFUSED) + s->c[SC_C_FRAMES_CLIENT]
			+ s->c[SC_C_FRAMES_PRODUCTION] + s->c[SC_C_FRAGMENTS_MERGED]
			+ s->c[SC_C_FRAGMENTS_NOW] - s->c[SC_C_HANDED_IN];
	s->c[SC_C_FLOWS_ADMITTED] =
			sc_stats_map_sum(s, SC_M_FLOW_ENDED) + s->c[SC_C_FLOWS_LIVE_NOW];
	s->c[SC_C_FLOWS_SEEN] = sc_stats_map_sum(s, SC_M_FLOW_REFUSED)
			+ s->c[SC_C_FLOWS_EMBRYONIC_NOW] + s->c[SC_C_FLOWS_ADMITTED];
	s->c[SC_C_SESSIONS_STARTED] =
			sc_stats_map_sum(s, SC_M_SESSION_ENDED) + s->c[SC_C_SESSIONS_LIVE_NOW];
	s->c[SC_C_SESSIONS_WANTED] =
			sc_stats_map_sum(s, SC_M_SESSION_REFUSED) + s->c[SC_C_SESSIONS_STARTED];
	s->c[SC_C_CONNS_OPENED] = sc_stats_map_sum(s, SC_M_CONN_CLOSED) + s->c[SC_C_CONNS_OPEN_NOW]
			- s->c[SC_C_CONNS_REOPENED];
	s->c[SC_C_BYTES_SEEN] = sc_stats_map_sum(s, SC_M_BYTES_REFUSED)
			+ sc_stats_map_sum(s, SC_M_BYTES_DUPLICATE) + s->c[SC_C_BYTES_ACCEPTED];
	s->c[SC_C_SPAN_BYTES] =
			s->c[SC_C_BYTES_ACCEPTED] + s->c[SC_C_BYTES_MISSING] - s->c[SC_C_SPAN_NOW];
	s->c[SC_C_BYTES_ACCEPTED_COPIES] = s->c[SC_C_BYTES_DELIVERED]
			+ s->c[SC_C_BYTES_IN_FLIGHT_NOW] + s->c[SC_C_BYTES_WAITING_NOW]
			+ s->c[SC_C_BYTES_UNCONFIRMED] + sc_stats_map_sum(s, SC_M_BYTES_SKIPPED)
			+ sc_stats_map_sum(s, SC_M_BYTES_ABANDONED);
	s->c[SC_C_TX_BUILT] = sc_stats_map_sum(s, SC_M_GUARD_REFUSED) + s->c[SC_C_TX_TAKEN]
			+ s->c[SC_C_TX_WAITING_NOW] + s->c[SC_C_TX_ABANDONED];
	s->c[SC_C_TX_PAYLOAD] = s->c[SC_C_TX_PAYLOAD_FIRST] + s->c[SC_C_TX_PAYLOAD_AGAIN];
	s->c[SC_C_REC_TAKEN] = s->c[SC_C_REC_MATCHED] + sc_stats_map_sum(s, SC_M_RESP_STRAY);
	s->c[SC_C_RESP_RECORDS] = s->c[SC_C_REC_TAKEN] + 9;
	s->c[SC_C_RESP_POLLED] = s->c[SC_C_RESP_NEIGHBOUR] + sc_stats_map_sum(s, SC_M_RESP_REFUSED)
			+ s->c[SC_C_RESP_RECORDS];
	s->c[SC_C_ANSWER_BYTES] = s->c[SC_C_ANSWER_NEW] + s->c[SC_C_ANSWER_DUPLICATE]
			+ s->c[SC_C_ANSWER_OUT_OF_WINDOW];
	s->c[SC_C_ANSWER_SPAN] = s->c[SC_C_ANSWER_NEW] + s->c[SC_C_ANSWER_HOLE]
			- s->c[SC_C_ANSWER_SPAN_NOW] - s->c[SC_C_ANSWER_SPAN_BACK];
}

static bool
has_subject(const struct sc_ledger_result *res, const char *subject)
{
	size_t n = strlen(subject);

	for (unsigned int i = 0; i < res->nb_faults; i++)
		if (strncmp(res->fault[i].equation, subject, n) == 0
				&& res->fault[i].equation[n] == ':')
			return true;
	return false;
}

/* Exactly the equations of `row` (NULL: none) are broken, each by one. */
static void
check_broken(const struct sc_stats *s, const struct row *row, const char *what)
{
	struct sc_ledger_result res, box;
	unsigned int nb = 0;
	bool one = sc_ledger_check_one(s, &res), all = sc_ledger_check_box(s, 5, 9, &box);

	assert_int_equal(one, res.nb_faults == 0);
	assert_int_equal(all, box.nb_faults == 0);
	sc_ledger_merge(&res, &box);
	for (; row != NULL && nb < 3 && row->breaks[nb] != NULL; nb++)
		if (!has_subject(&res, row->breaks[nb]))
			fail_msg("%s + 1 does not break \"%s\"", what, row->breaks[nb]);
	if (res.nb_faults != nb)
		fail_msg("%s + 1 breaks %u equations instead of %u", what, res.nb_faults, nb);
	for (unsigned int i = 0; i < res.nb_faults; i++)
		assert_true(res.fault[i].left + 1 == res.fault[i].right
				|| res.fault[i].left == res.fault[i].right + 1);
}

static const struct row *
row_of(const struct row *rows, size_t nb, int id)
{
	for (size_t i = 0; i < nb; i++)
		if (rows[i].id == id)
			return &rows[i];
	return NULL;
}

static void
test_empty_balances(void **state)
{
	static struct sc_stats s;
	struct sc_ledger_result res;

	assert_true(sc_ledger_check_one(&s, &res));
	assert_int_equal(res.nb_faults, 0);
	assert_true(sc_ledger_check_box(&s, 0, 0, &res));
	assert_int_equal(res.nb_faults, 0);
	assert_true(sc_ledger_check_one(&s, NULL));
}

static void
test_balanced(void **state)
{
	static struct sc_stats s;

	fill_balanced(&s);
	check_broken(&s, NULL, "nothing");
}

static void
test_each_counter_breaks_its_equations(void **state)
{
	static struct sc_stats s;

	fill_balanced(&s);
	for (unsigned int c = 0; c < SC_C_COUNT; c++) {
		s.c[c]++;
		check_broken(&s, row_of(counter_rows, SC_ARRAY_SIZE(counter_rows), (int)c),
				sc_counter_name((enum sc_counter)c));
		s.c[c]--;
	}
}

static void
test_each_map_entry_breaks_its_equations(void **state)
{
	static struct sc_stats s;

	fill_balanced(&s);
	for (unsigned int m = 0; m < SC_M_COUNT; m++) {
		const struct row *row = row_of(map_rows, SC_ARRAY_SIZE(map_rows), (int)m);

		assert_non_null(row);
		for (unsigned int r = 0; r < SC_R_COUNT; r++) {
			s.m[m][r]++;
			check_broken(&s, row, sc_map_name((enum sc_map)m));
			s.m[m][r]--;
		}
	}
}

static void
test_rings_take_part(void **state)
{
	static struct sc_stats s;
	struct sc_ledger_result res;

	fill_balanced(&s);
	assert_true(sc_ledger_check_box(&s, 5, 9, NULL));
	assert_false(sc_ledger_check_box(&s, 6, 9, &res));
	assert_int_equal(res.nb_faults, 1);
	assert_true(has_subject(&res, "hand-over"));
	assert_false(sc_ledger_check_box(&s, 5, 8, &res));
	assert_int_equal(res.nb_faults, 1);
	assert_true(has_subject(&res, "records on rings"));
	assert_int_equal(res.fault[0].left, res.fault[0].right + 1);
}

/* A worker's block and an intercept's block balance alone and added up. */
static void
test_sum_of_blocks(void **state)
{
	static struct sc_stats worker, intercept;

	worker.c[SC_C_MIRROR_POLLED] = 4;
	worker.c[SC_C_FRAMES_CLIENT] = 3;
	worker.m[SC_M_FRAME_REFUSED][SC_R_NOT_TCP] = 1;
	worker.c[SC_C_REC_TAKEN] = 2;
	worker.c[SC_C_REC_MATCHED] = 2;
	intercept.c[SC_C_RESP_POLLED] = 5;
	intercept.c[SC_C_RESP_NEIGHBOUR] = 1;
	intercept.m[SC_M_RESP_REFUSED][SC_R_RECORD_RING_FULL] = 1;
	intercept.c[SC_C_RESP_RECORDS] = 3;
	assert_true(sc_ledger_check_one(&worker, NULL));
	assert_true(sc_ledger_check_one(&intercept, NULL));
	sc_stats_add(&worker, &intercept);
	assert_true(sc_ledger_check_one(&worker, NULL));
	assert_true(sc_ledger_check_box(&worker, 0, 1, NULL));
	assert_false(sc_ledger_check_box(&worker, 0, 0, NULL));
}

static void
test_equation_texts(void **state)
{
	unsigned int i, nb_box = 0;
	bool is_box;

	for (i = 0; sc_ledger_equation(i, &is_box) != NULL; i++) {
		const char *text = sc_ledger_equation(i, NULL);

		assert_non_null(strstr(text, ": "));
		assert_non_null(strstr(text, " = "));
		assert_null(strchr(text, '?'));
		nb_box += is_box;
		for (unsigned int k = 0; k < i; k++)
			assert_string_not_equal(text, sc_ledger_equation(k, NULL));
	}
	assert_int_equal(i, 17);
	assert_int_equal(nb_box, 2);
	assert_string_equal(sc_ledger_equation(1, NULL),
			"flows: flows_seen = sum(flows_refused) + flows_embryonic_now + "
			"flows_admitted");
	assert_null(sc_ledger_equation(UINT32_MAX, NULL));
}

static void
test_merge_is_bounded(void **state)
{
	struct sc_ledger_result all = {0}, one = {.nb_faults = 5};

	for (int i = 0; i < 20; i++)
		sc_ledger_merge(&all, &one);
	assert_int_equal(all.nb_faults, SC_LEDGER_FAULTS_MAX);
}

static void
test_fidelity(void **state)
{
	static struct sc_stats s;

	assert_true(sc_ledger_fidelity(&s) == 1.0);
	s.c[SC_C_BYTES_ACCEPTED] = 100;
	s.c[SC_C_BYTES_ACCEPTED_COPIES] = 200;
	s.c[SC_C_BYTES_DELIVERED] = 200;
	assert_true(sc_ledger_fidelity(&s) == 1.0);
	s.c[SC_C_BYTES_MISSING] = 200;
	assert_true(fabs(sc_ledger_fidelity(&s) - 0.5) < 1e-9);
	s.c[SC_C_BYTES_DELIVERED] = 0;
	assert_true(sc_ledger_fidelity(&s) == 0.0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_empty_balances),
			cmocka_unit_test(test_balanced),
			cmocka_unit_test(test_each_counter_breaks_its_equations),
			cmocka_unit_test(test_each_map_entry_breaks_its_equations),
			cmocka_unit_test(test_rings_take_part),
			cmocka_unit_test(test_sum_of_blocks),
			cmocka_unit_test(test_equation_texts),
			cmocka_unit_test(test_merge_is_bounded),
			cmocka_unit_test(test_fidelity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
