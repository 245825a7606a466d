/* SPDX-License-Identifier: BSD-3-Clause */
/* Each finding about the mirror: from which share on, with which grade, and that it stands alone. */
#include <math.h>

#include "report_fixture.h"
#include "sc_test.h"

static struct sc_stats sum;
static struct sc_ledger_result ledger;
static struct sc_report_port port;
static struct sc_report_in in;
static struct sc_report_health health;

/* A mirror without fault: 10,000 frames each way, 1,000 flows, 1,000,000 bytes. */
static int
setup(void **state)
{
	memset(&sum, 0, sizeof(sum));
	port = (struct sc_report_port){.name = "m", .role = "mirror", .has_imissed = true};
	in = (struct sc_report_in){.sum = &sum, .ledger = &ledger, .port = &port, .nb_ports = 1};
	sum.c[SC_C_MIRROR_POLLED] = 21000;
	sum.c[SC_C_FRAMES_CLIENT] = 10000;
	sum.c[SC_C_FRAMES_PRODUCTION] = 10000;
	sum.m[SC_M_FRAME_REFUSED][SC_R_NOT_TCP] = 1000;
	sum.c[SC_C_FLOWS_SEEN] = 1000;
	sum.m[SC_M_FLOW_ENDED][SC_R_COMPLETE] = 1000;
	sum.c[SC_C_BYTES_SEEN] = 1000000;
	sum.c[SC_C_BYTES_ACCEPTED] = 1000000;
	return 0;
}

static void
check_good(void)
{
	sc_report_health(&in, &health);
	if (health.nb_findings > 0)
		fail_msg("%s: %s", health.finding[0].name, health.finding[0].text);
	assert_int_equal(health.verdict, SC_HEALTH_GOOD);
}

/* This finding and no other. */
static void
check_one(const char *name, enum sc_health_grade grade, const char *part)
{
	sc_report_health(&in, &health);
	assert_int_equal(health.nb_findings, 1);
	assert_string_equal(health.finding[0].name, name);
	assert_int_equal(health.finding[0].grade, grade);
	assert_int_equal(health.verdict, grade);
	if (strstr(health.finding[0].text, part) == NULL)
		fail_msg("\"%s\" is not in: %s", part, health.finding[0].text);
	/* Whole sentences: nothing was cut off. */
	assert_true(strlen(health.finding[0].text) < sizeof(health.finding[0].text) - 1);
}

static void
check_share(double got, double want)
{
	if (fabs(got - want) > 1e-9)
		fail_msg("%f is not %f", got, want);
}

static void
test_good(void **state)
{
	check_good();
	check_share(health.duplicate_pct + health.reordered_pct + health.truncated_pct
					+ health.bad_checksum_pct + health.partial_checksum_pct
					+ health.one_sided_pct + health.midstream_pct
					+ health.missing_pct,
			0);
}

static void
test_no_frames(void **state)
{
	memset(&sum, 0, sizeof(sum));
	check_one("no_frames", SC_HEALTH_UNFIT, "no frame came from the mirror port");
}

static void
test_no_client(void **state)
{
	sum.c[SC_C_FRAMES_CLIENT] = 0;
	check_one("no_client", SC_HEALTH_UNFIT, "--map");
}

static void
test_truncated(void **state)
{
	sum.m[SC_M_FRAME_REFUSED][SC_R_TRUNCATED_FRAME] = 1;
	check_one("truncated", SC_HEALTH_WARNING, "snap length");
	sum.m[SC_M_FRAME_REFUSED][SC_R_TRUNCATED_FRAME] = 1000; /* of 21,000 */
	check_one("truncated", SC_HEALTH_WARNING, "4.8 %");
	sum.m[SC_M_FRAME_REFUSED][SC_R_TRUNCATED_FRAME] = 5000;
	check_one("truncated", SC_HEALTH_UNFIT, "5000 frames, 20.0 %");
	check_share(health.truncated_pct, 20);
}

static void
test_bad_checksum(void **state)
{
	sum.m[SC_M_FRAME_REFUSED][SC_R_BAD_L4_CHECKSUM] = 200; /* of 20,200 */
	check_good();
	sum.m[SC_M_FRAME_REFUSED][SC_R_BAD_L4_CHECKSUM] = 210;
	check_one("bad_checksum", SC_HEALTH_WARNING, "production dropped them");
	sum.m[SC_M_FRAME_REFUSED][SC_R_BAD_L4_CHECKSUM] = 20000;
	check_one("bad_checksum", SC_HEALTH_UNFIT, "50.0 %");
}

/* Frames of other servers are TCP, too; their share counts. */
static void
test_shares_are_of_tcp(void **state)
{
	sum.m[SC_M_FRAME_REFUSED][SC_R_NOT_MAPPED] = 980000;
	sum.m[SC_M_FRAME_REFUSED][SC_R_BAD_L4_CHECKSUM] = 5000;
	check_good();
	sum.c[SC_C_CSUM_PARTIAL] = 1005000 / 2;
	check_good();
	check_share(health.partial_checksum_pct, 50);
}

static void
test_client_half(void **state)
{
	sum.c[SC_C_FRAMES_PRODUCTION] = 0;
	sum.c[SC_C_FLOWS_CLIENT_ONLY] = 1000;
	check_one("client_half", SC_HEALTH_WARNING, "only the client half");
	check_share(health.one_sided_pct, 100);
}

static void
test_one_sided(void **state)
{
	sum.c[SC_C_FLOWS_CLIENT_ONLY] = 49;
	check_good();
	sum.c[SC_C_FLOWS_CLIENT_ONLY] = 50;
	check_one("one_sided", SC_HEALTH_WARNING, "50 connections show only the client");
	sum.c[SC_C_FLOWS_CLIENT_ONLY] = 0;
	sum.c[SC_C_FLOWS_PRODUCTION_ONLY] = 250;
	check_one("one_sided", SC_HEALTH_WARNING, "250 only the server");
	check_share(health.one_sided_pct, 20);
	sum.c[SC_C_FLOWS_NO_SYNACK] = 250; /* they came, before their SYNs */
	check_good();
	sum.c[SC_C_FLOWS_NO_SYNACK] = 0;
	sum.m[SC_M_FLOW_ENDED][SC_R_COMPLETE] = 10;
	sum.c[SC_C_FLOWS_PRODUCTION_ONLY] = 3;
	check_good();
	sum.c[SC_C_FLOWS_PRODUCTION_ONLY] = 4;
	check_one("one_sided", SC_HEALTH_WARNING, "4 only the server");
}

static void
test_midstream(void **state)
{
	sum.c[SC_C_FLOWS_MIDSTREAM] = 999;
	check_good();
	check_share(health.midstream_pct, 99.9);
	sum.c[SC_C_FLOWS_MIDSTREAM] = 1000;
	check_one("midstream", SC_HEALTH_WARNING, "not one of 1000 connections");
}

static void
test_missing(void **state)
{
	sum.c[SC_C_BYTES_MISSING] = 250000;
	check_one("missing", SC_HEALTH_WARNING, "250000 bytes of clients (20.00 %)");
	check_share(health.missing_pct, 20);
}

/* The box's own loss and cut frames leave holes, too: the mirror is not blamed for them. */
static void
test_box_lost(void **state)
{
	sum.c[SC_C_BYTES_MISSING] = 250000;
	port.imissed = 7;
	check_one("box_lost", SC_HEALTH_WARNING, "7 frames reached the mirror port");
	port.has_imissed = false;
	check_one("missing", SC_HEALTH_WARNING, "never came");
	port.rx_nombuf = 3;
	sum.c[SC_C_HANDOVER_FULL] = 2;
	check_one("box_lost", SC_HEALTH_WARNING, "5 frames");
	port.role = "test";
	check_one("box_lost", SC_HEALTH_WARNING, "2 frames");
	sum.c[SC_C_HANDOVER_FULL] = 0;
	sum.m[SC_M_FRAME_REFUSED][SC_R_TRUNCATED_FRAME] = 1;
	check_one("truncated", SC_HEALTH_WARNING, "snap length");
}

static void
test_fragments(void **state)
{
	sum.c[SC_C_FRAGMENTS_MERGED] = 500;
	check_good();
	sum.m[SC_M_FRAME_REFUSED][SC_R_IP_FRAGMENT] = 1;
	check_one("fragments", SC_HEALTH_WARNING, "1 IP fragments");
}

static void
test_duplicates(void **state)
{
	sum.m[SC_M_BYTES_DUPLICATE][SC_R_DUP_RETRANSMIT] = 900000;
	sum.m[SC_M_BYTES_DUPLICATE][SC_R_DUP_MIRROR] = 49999;
	check_good();
	sum.m[SC_M_BYTES_DUPLICATE][SC_R_DUP_MIRROR] = 50000;
	check_one("duplicates", SC_HEALTH_WARNING, "5.0 %");
}

static void
test_reordered(void **state)
{
	sum.c[SC_C_SEGMENTS_REORDERED] = 99;
	check_good();
	sum.c[SC_C_SEGMENTS_REORDERED] = 100;
	check_one("reordered", SC_HEALTH_WARNING, "1.0 %");
}

static void
test_mirror_loop(void **state)
{
	sum.m[SC_M_FRAME_REFUSED][SC_R_MIRROR_LOOP] = 210;
	check_good();
	sum.m[SC_M_FRAME_REFUSED][SC_R_MIRROR_LOOP] = 211;
	check_one("mirror_loop", SC_HEALTH_WARNING, "211 of 21000");
}

/* The gravest decides. */
static void
test_verdict(void **state)
{
	sum.c[SC_C_SEGMENTS_REORDERED] = 100;
	sum.m[SC_M_FRAME_REFUSED][SC_R_TRUNCATED_FRAME] = 5000;
	sum.m[SC_M_FRAME_REFUSED][SC_R_IP_FRAGMENT] = 5;
	sc_report_health(&in, &health);
	assert_int_equal(health.nb_findings, 3);
	assert_int_equal(health.verdict, SC_HEALTH_UNFIT);
	assert_string_equal(sc_report_health_word(SC_HEALTH_GOOD), "good");
	assert_string_equal(sc_report_health_word(SC_HEALTH_WARNING), "usable");
	assert_string_equal(sc_report_health_word(SC_HEALTH_UNFIT), "unfit");
}

static void
test_in_reports(void **state)
{
	static char text[65536];
	FILE *out = fmemopen(text, sizeof(text), "w");
	json_t *root, *obj;

	sum.c[SC_C_SEGMENTS_REORDERED] = 250;
	assert_int_equal(sc_report_text(&in, out, false), 0);
	fclose(out);
	assert_non_null(strstr(text, "\nmirror usable: twice 0.0 %, out of order 2.5 %,"));
	assert_non_null(strstr(text, "\n  2.5 % of the clients' segments overtook"));
	root = sc_report_object(&in);
	obj = json_object_get(root, "mirror_health");
	assert_string_equal(json_string_value(json_object_get(obj, "verdict")), "usable");
	check_share(json_real_value(json_object_get(obj, "reordered_percent")), 2.5);
	assert_int_equal(json_object_size(obj), 10);
	obj = json_object_get(obj, "findings");
	assert_int_equal(json_array_size(obj), 1);
	obj = json_array_get(obj, 0);
	assert_string_equal(json_string_value(json_object_get(obj, "name")), "reordered");
	assert_string_equal(json_string_value(json_object_get(obj, "grade")), "usable");
	assert_non_null(json_string_value(json_object_get(obj, "text")));
	json_decref(root);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup(test_good, setup),
			cmocka_unit_test_setup(test_no_frames, setup),
			cmocka_unit_test_setup(test_no_client, setup),
			cmocka_unit_test_setup(test_truncated, setup),
			cmocka_unit_test_setup(test_bad_checksum, setup),
			cmocka_unit_test_setup(test_shares_are_of_tcp, setup),
			cmocka_unit_test_setup(test_client_half, setup),
			cmocka_unit_test_setup(test_one_sided, setup),
			cmocka_unit_test_setup(test_midstream, setup),
			cmocka_unit_test_setup(test_missing, setup),
			cmocka_unit_test_setup(test_box_lost, setup),
			cmocka_unit_test_setup(test_fragments, setup),
			cmocka_unit_test_setup(test_duplicates, setup),
			cmocka_unit_test_setup(test_reordered, setup),
			cmocka_unit_test_setup(test_mirror_loop, setup),
			cmocka_unit_test_setup(test_verdict, setup),
			cmocka_unit_test_setup(test_in_reports, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
