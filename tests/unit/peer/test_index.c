/* SPDX-License-Identifier: BSD-3-Clause */
/* The index of captures, and rules made from them. No EAL: it is files and memory. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bed.h"
#include "index.h"
#include "sc_test.h"

#define SYN SC_TCP_SYN
#define ACK SC_TCP_ACK
#define RST SC_TCP_RST
#define FIN_ACK (SC_TCP_FIN | SC_TCP_ACK)
#define SYN_ACK (SC_TCP_SYN | SC_TCP_ACK)

struct shelf {
	char path[64];
	const char *paths[1];
	struct pcapfile *f;
	struct sc_rule rule[4];
	struct peer_index_cfg cfg;
	struct peer_index ix;
};

static void
shelf_open(struct shelf *s)
{
	memset(s, 0, sizeof(*s));
	pcapfile_temp(s->path);
	s->f = pcapfile_open(s->path, PCAPFILE_NS, true, PCAPFILE_ETHER);
	s->paths[0] = s->path;
	s->rule[0] = (struct sc_rule){.prod_port = 80, .target_port = 8080};
	assert_int_equal(sc_addr_parse(BED_TARGET, &s->rule[0].target), 0);
	s->cfg = (struct peer_index_cfg){
			.paths = s->paths, .nb_paths = 1, .rules = s->rule, .nb_rules = 1};
}

static void
shelf_build(struct shelf *s)
{
	struct sc_err err = {""};

	pcapfile_close(s->f);
	if (peer_index_init(&s->ix, &s->cfg, &err) < 0)
		fail_msg("%s", err.text);
}

static void
shelf_close(struct shelf *s)
{
	peer_index_free(&s->ix);
	unlink(s->path);
}

static void
seg(struct tape *t, bool is_client, uint32_t off, const char *text)
{
	tape_raw(t, is_client,
			&(struct test_frame){.flags = ACK,
					.seq = (is_client ? t->cseq : t->pseq) + off,
					.ack = is_client ? t->pseq : t->cseq,
					.payload = text,
					.len = strlen(text)});
}

static void
assert_stream(const struct shelf *s, const struct cap_dir *d, const char *want)
{
	char got[256] = "";
	uint64_t off = 0;

	assert_int_equal(d->end, strlen(want));
	for (uint32_t i = 0; i < d->nb; i++) {
		assert_int_equal(d->seg[i].off, off);
		off += d->seg[i].len;
	}
	assert_int_equal(off, d->end);
	assert_int_equal(peer_dir_read(&s->ix, d, 0, (uint32_t)d->end, (uint8_t *)got), 0);
	assert_string_equal(got, want);
}

/* Disorder, repetition and overlap: every byte once, the first copy wins. */
static void
test_order(void **state)
{
	struct shelf s;
	struct tape t;

	shelf_open(&s);
	t = tape_new(s.f, 0);
	tape_handshake(&t);
	seg(&t, false, 4, "efgh");
	seg(&t, false, 0, "abcd");
	seg(&t, false, 12, "mn");
	seg(&t, false, 2, "CDEFGHijklMNop");
	seg(&t, false, 0, "abcd");
	seg(&t, true, 6, "7");
	seg(&t, true, 2, "3456");
	seg(&t, true, 0, "12");
	shelf_build(&s);
	assert_int_equal(s.ix.nb_flows, 1);
	assert_stream(&s, &s.ix.flow[0].out, "abcdefghijklmnop");
	assert_stream(&s, &s.ix.flow[0].in, "1234567");
	assert_int_equal(s.ix.flow[0].out.nb, 5);
	shelf_close(&s);
}

/* Sequence numbers that wrap. */
static void
test_wrap(void **state)
{
	uint32_t k = 0;
	struct shelf s;
	struct tape t;

	shelf_open(&s);
	t = tape_new(s.f, 0);
	t.cseq = UINT32_MAX - 3;
	t.pseq = UINT32_MAX;
	tape_handshake(&t);
	for (unsigned int i = 0; i < 4; i++) {
		tape_client(&t, ACK, "abc");
		tape_prod(&t, ACK, "wxyz");
	}
	t = tape_new(s.f, 1);
	t.cseq = 1000;
	tape_handshake(&t);
	tape_client(&t, ACK, "long");
	for (unsigned int i = 0; i < 300; i++)
		tape_client(&t, ACK, "0123456789");
	shelf_build(&s);
	assert_stream(&s, &s.ix.flow[0].in, "abcabcabcabc");
	assert_int_equal(peer_index_by_seq(&s.ix, 0, UINT32_MAX, &k), 0);
	assert_int_equal(k, 1);
	assert_int_equal(peer_index_by_seq(&s.ix, 0, 2, &k), 0);
	assert_int_equal(k, 2);
	assert_stream(&s, &s.ix.flow[0].out, "wxyzwxyzwxyzwxyz");
	assert_int_equal(s.ix.flow[0].out.seg[3].dep, 12);
	assert_int_equal(s.ix.flow[0].in.seg[3].dep, 12);
	assert_int_equal(s.ix.flow[0].isn, UINT32_MAX - 3);
	/* One that begins right behind the wrap. */
	assert_int_equal(peer_index_by_seq(&s.ix, 0, 1004, &k), 1);
	shelf_close(&s);
}

/* What the mirror lost takes no room, and the other side's numbers follow. */
static void
test_holes(void **state)
{
	struct shelf s;
	struct tape t;

	shelf_open(&s);
	t = tape_new(s.f, 0);
	tape_handshake(&t);
	tape_client(&t, ACK, "ask");
	t.cseq += 50;
	tape_client(&t, ACK, "more");
	tape_prod(&t, ACK, "one");
	t.pseq += 1000;
	tape_prod(&t, ACK, "two");
	tape_client(&t, FIN_ACK, "x");
	tape_prod(&t, FIN_ACK, "");
	shelf_build(&s);
	assert_stream(&s, &s.ix.flow[0].in, "askmorex");
	assert_stream(&s, &s.ix.flow[0].out, "onetwo");
	assert_int_equal(s.ix.flow[0].out.seg[1].dep, 7);
	assert_int_equal(s.ix.flow[0].in.seg[2].dep, 6);
	assert_true(s.ix.flow[0].out.has_fin);
	assert_int_equal(s.ix.flow[0].out.fin_dep, 9); /* the client's FIN included */
	shelf_close(&s);
}

static void
test_turn_ends(void **state)
{
	const struct cap_dir *out;
	struct shelf s;
	struct tape t;

	shelf_open(&s);
	t = tape_new(s.f, 0);
	tape_handshake(&t);
	tape_prod(&t, ACK, "banner");
	tape_client(&t, ACK, "q");
	tape_prod(&t, ACK, "1a");
	tape_prod(&t, ACK, "1b");
	tape_client(&t, ACK, "r");
	tape_prod(&t, ACK, "2");
	shelf_build(&s);
	out = &s.ix.flow[0].out;
	assert_int_equal(out->nb, 4);
	assert_int_equal(out->seg[0].is_turn_end, 1);
	assert_int_equal(out->seg[0].dep, 0);
	assert_int_equal(out->seg[1].is_turn_end, 0);
	assert_int_equal(out->seg[2].is_turn_end, 1);
	assert_int_equal(out->seg[3].is_turn_end, 1);
	assert_int_equal(out->seg[3].dep, 2);
	shelf_close(&s);
}

/* One tuple, three connections: by SYN, by SYN again, and one whose SYN was lost. */
static void
test_tuple_reused(void **state)
{
	struct shelf s;
	struct tape t;

	shelf_open(&s);
	t = tape_new(s.f, 0);
	tape_handshake(&t);
	tape_client(&t, ACK, "first");
	tape_client(&t, FIN_ACK, "");
	tape_prod(&t, FIN_ACK, "");
	t.cseq += 70000;
	t.pseq += 990000;
	tape_handshake(&t);
	t.cseq--;
	tape_client(&t, SYN, ""); /* repeated */
	tape_client(&t, ACK, "second");
	tape_client(&t, RST, "");
	tape_prod(&t, RST, ""); /* closes nothing any more */
	t.cseq += 80000;
	tape_client(&t, ACK, "third");
	tape_prod(&t, RST | ACK, "");
	shelf_build(&s);
	assert_int_equal(s.ix.nb_flows, 3);
	assert_stream(&s, &s.ix.flow[0].in, "first");
	assert_stream(&s, &s.ix.flow[1].in, "second");
	assert_stream(&s, &s.ix.flow[2].in, "third");
	assert_true(s.ix.flow[1].has_syn);
	assert_false(s.ix.flow[2].has_syn);
	assert_false(s.ix.flow[1].out.has_rst);
	assert_true(s.ix.flow[2].out.has_rst);
	assert_int_equal(s.ix.flow[2].out.rst_dep, 5);
	shelf_close(&s);
}

/* By ISN, by place inside, by bytes. */
static void
test_lookup(void **state)
{
	static const uint8_t text[] = "GET /b and more";
	struct sc_addr client;
	uint32_t k = 0;
	struct shelf s;
	struct tape t;

	shelf_open(&s);
	for (unsigned int i = 0; i < 4; i++) {
		t = tape_new(s.f, i);
		t.cseq = i < 2 ? 500 : 500 + i * 1000000; /* two with one ISN */
		tape_handshake(&t);
		tape_client(&t, ACK, i == 3 ? "GET /b" : "GET /a");
		tape_prod(&t, ACK, "answer");
		tape_client(&t, ACK, "again");
	}
	shelf_build(&s);
	assert_int_equal(sc_addr_parse(BED_CLIENT, &client), 0);
	assert_int_equal(peer_index_by_isn(&s.ix, 0, 500, &client, 40001), 1);
	assert_int_equal(peer_index_by_isn(&s.ix, 0, 500, &client, 9), 0);
	s.ix.flow[0].uses++;
	assert_int_equal(peer_index_by_isn(&s.ix, 0, 500, &client, 9), 1);
	assert_int_equal(peer_index_by_isn(&s.ix, 0, 501, &client, 9), PEER_NONE);

	assert_int_equal(peer_index_by_seq(&s.ix, 0, 2000500 + 6, &k), 2);
	assert_int_equal(k, 1);
	assert_int_equal(peer_index_by_seq(&s.ix, 0, 2000500 + 5, &k), PEER_NONE);
	assert_int_equal(peer_index_by_seq(&s.ix, 0, 2000500 + 11, &k), PEER_NONE);

	assert_int_equal(peer_index_by_bytes(&s.ix, 0, text, sizeof(text) - 1), 3);
	assert_int_equal(peer_index_by_bytes(&s.ix, 0, (const uint8_t *)"GET /a", 6), 1);
	assert_int_equal(peer_index_by_bytes(&s.ix, 0, (const uint8_t *)"PUT", 3), PEER_NONE);
	shelf_close(&s);
}

static void
test_long_first_segment(void **state)
{
	char text[2][1400];
	struct shelf s;
	struct tape t;

	shelf_open(&s);
	for (unsigned int i = 0; i < 2; i++) {
		memset(text[i], 'x', sizeof(text[i]));
		text[i][1300] = (char)('0' + i); /* far behind what the hash covers */
		text[i][1399] = '\0';
		t = tape_new(s.f, i);
		tape_handshake(&t);
		tape_client(&t, ACK, text[i]);
	}
	shelf_build(&s);
	assert_int_equal(peer_index_by_bytes(&s.ix, 0, (uint8_t *)text[1], 1399), 1);
	assert_int_equal(peer_index_by_bytes(&s.ix, 0, (uint8_t *)text[0], 1399), 0);
	/* Cut by the target's MSS: what there is must be equal. */
	assert_int_equal(peer_index_by_bytes(&s.ix, 0, (uint8_t *)text[1], 536), 0);
	text[1][500] = 'y';
	assert_int_equal(peer_index_by_bytes(&s.ix, 0, (uint8_t *)text[1], 536), PEER_NONE);
	shelf_close(&s);
}

/* Frames of others, and frames that say nothing. */
static void
test_ignored(void **state)
{
	struct shelf s;
	struct tape t;

	shelf_open(&s);
	t = tape_new(s.f, 0);
	t.pport = 443;
	tape_handshake(&t);
	tape_client(&t, ACK, "not ours");
	t = tape_new(s.f, 1);
	tape_client(&t, ACK, "");
	tape_client(&t, RST, "");
	tape_prod(&t, ACK, "");
	tape_prod(&t, RST, "");
	tape_client(&t, SYN_ACK, "");
	pcapfile_packet(s.f, 0, "garbage", 7, 7);
	shelf_build(&s);
	assert_int_equal(s.ix.nb_flows, 0);
	assert_int_equal(s.ix.nb_segs, 0);
	shelf_close(&s);
}

static void
test_too_many(void **state)
{
	struct sc_err err = {""};
	struct shelf s;
	struct tape t;

	shelf_open(&s);
	t = tape_new(s.f, 0);
	tape_handshake(&t);
	for (unsigned int i = 0; i < 11; i++)
		tape_client(&t, ACK, "x");
	pcapfile_close(s.f);
	s.cfg.max_segs = 10;
	assert_int_equal(peer_index_init(&s.ix, &s.cfg, &err), -E2BIG);
	assert_non_null(strstr(err.text, "more than 10 segments"));
	assert_non_null(strstr(err.text, s.path));
	unlink(s.path);
}

/* Enough connections for every table to grow. */
static void
test_many(void **state)
{
	struct sc_addr client;
	uint32_t isn, k;
	struct shelf s;
	struct tape t;
	char text[16];

	shelf_open(&s);
	for (unsigned int i = 0; i < 5000; i++) {
		t = tape_new(s.f, i);
		t.cport = (uint16_t)(1024 + i);
		snprintf(text, sizeof(text), "q%u", i);
		tape_handshake(&t);
		tape_client(&t, ACK, text);
		tape_client(&t, ACK, "second");
		tape_prod(&t, FIN_ACK, text + 1);
	}
	shelf_build(&s);
	assert_int_equal(s.ix.nb_flows, 5000);
	assert_int_equal(sc_addr_parse(BED_CLIENT, &client), 0);
	for (unsigned int i = 0; i < 5000; i++) {
		snprintf(text, sizeof(text), "q%u", i);
		assert_int_equal(peer_index_by_isn(&s.ix, 0, BED_ISN + i * 1000000, &client, 1), i);
		assert_stream(&s, &s.ix.flow[i].out, text + 1);
		/* Where "second" begins, one before and one behind. */
		isn = BED_ISN + i * 1000000 + (uint32_t)strlen(text);
		assert_int_equal(peer_index_by_seq(&s.ix, 0, isn, &k), i);
		assert_int_equal(k, 1);
		assert_int_equal(peer_index_by_seq(&s.ix, 0, isn - 1, &k), PEER_NONE);
		assert_int_equal(peer_index_by_seq(&s.ix, 0, isn + 1, &k), PEER_NONE);
	}
	shelf_close(&s);
}

/* ---- rules from captures ---- */

static void
assert_rule(const struct sc_rule *r, const char *prod, uint16_t port, const char *target)
{
	char buf[SC_ADDR_STRLEN];

	assert_true(r->has_prod);
	assert_string_equal(sc_addr_format(&r->prod, buf), prod);
	assert_string_equal(sc_addr_format(&r->target, buf), target);
	assert_int_equal(r->prod_port, port);
	assert_int_equal(r->target_port, port);
}

/* A few server endpoints, found by SYN, by SYN-ACK, and by data alone. */
static void
write_servers(struct shelf *s)
{
	struct tape t;

	t = tape_new(s->f, 5); /* mid-stream, of a server whose SYN-ACK comes later */
	t.pport = 50000;
	tape_client(&t, ACK, "x");
	t = tape_new(s->f, 0);
	tape_client(&t, SYN, "");
	t = tape_new(s->f, 1);
	t.pport = 50000;
	tape_prod(&t, SYN_ACK, "");
	t = tape_new6(s->f, 2);
	tape_handshake(&t);
	t = tape_new(s->f, 3);
	t.prod = "10.9.0.2";
	t.pport = 3306;
	tape_prod(&t, ACK, "mid-stream");
	tape_client(&t, ACK, "mid-stream");
	t = tape_new(s->f, 4);
	t.prod = "10.9.0.3";
	tape_client(&t, ACK, ""); /* says nothing */
	pcapfile_close(s->f);
}

static void
test_auto_rules(void **state)
{
	struct sc_rule r[8];
	unsigned int nb = 0;
	struct sc_err err;
	struct shelf s;

	shelf_open(&s);
	write_servers(&s);
	assert_int_equal(sc_peer_auto_rules(s.paths, 1, r, &nb, 8, &err), 0);
	assert_int_equal(nb, 4);
	assert_rule(&r[0], BED_PROD, 80, "198.18.0.1");
	assert_rule(&r[1], BED_PROD, 50000, "198.18.0.1");
	assert_rule(&r[2], BED_PROD6, 80, "2001:2::1");
	assert_rule(&r[3], "10.9.0.2", 3306, "198.18.0.2");
	assert_int_equal(sc_rules_check(r, nb, &err), 0);
	unlink(s.path);
}

/* Rules that are there already stay, what they cover needs no other, their targets are taken. */
static void
test_auto_rules_appended(void **state)
{
	struct sc_rule r[8];
	unsigned int nb = 1;
	struct sc_err err;
	struct shelf s;

	shelf_open(&s);
	write_servers(&s);
	r[0] = s.rule[0]; /* any address, port 80 */
	assert_int_equal(sc_peer_auto_rules(s.paths, 1, r, &nb, 8, &err), 0);
	assert_int_equal(nb, 3);
	assert_rule(&r[1], BED_PROD, 50000, "198.18.0.2");
	assert_rule(&r[2], "10.9.0.2", 3306, "198.18.0.3");
	unlink(s.path);
}

static void
test_auto_rules_refuses(void **state)
{
	const char *none[] = {"/nonexistent/a.pcap"};
	struct sc_rule r[3];
	unsigned int nb = 0;
	struct sc_err err = {""};
	struct shelf s;

	shelf_open(&s);
	write_servers(&s);
	assert_int_equal(sc_peer_auto_rules(s.paths, 1, r, &nb, 3, &err), -E2BIG);
	assert_non_null(strstr(err.text, "more than 3 server endpoints"));
	assert_int_equal(nb, 0);
	assert_true(sc_peer_auto_rules(none, 1, r, &nb, 3, &err) < 0);
	assert_non_null(strstr(err.text, none[0]));
	unlink(s.path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_order),
			cmocka_unit_test(test_wrap),
			cmocka_unit_test(test_holes),
			cmocka_unit_test(test_turn_ends),
			cmocka_unit_test(test_tuple_reused),
			cmocka_unit_test(test_lookup),
			cmocka_unit_test(test_long_first_segment),
			cmocka_unit_test(test_ignored),
			cmocka_unit_test(test_too_many),
			cmocka_unit_test(test_many),
			cmocka_unit_test(test_auto_rules),
			cmocka_unit_test(test_auto_rules_appended),
			cmocka_unit_test(test_auto_rules_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
