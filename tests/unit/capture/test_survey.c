/* SPDX-License-Identifier: BSD-3-Clause */
/* What the survey counts in captures whose content is known, its verdicts, and what it prints. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sc_capture.h>

#include "frame.h"
#include "pcapfile.h"
#include "sc_test.h"

#define T0 1700000000000000000ull
#define MS 1000000ull
#define C_ISN 1000u
#define S_ISN 500000u

/* A capture in the making. The connection is that of `port` on the client towards `server`. */
struct cap {
	struct pcapfile *f;
	char path[64];
	uint64_t ts_ns;
	const char *client, *server; /* NULL: 10.0.0.1, 10.0.0.2 */
	uint16_t port, sport;
	uint32_t cut;        /* longest record */
	uint32_t cseq, sseq; /* next of each side */
	uint16_t ip_id;
	enum test_csum csum;
	bool hide_client, hide_server;
	unsigned int times; /* write each record so often */
};

static struct sc_survey s;
static struct sc_err err;
static uint8_t payload[65536];

static void
cap_start(struct cap *c)
{
	*c = (struct cap){.ts_ns = T0, .port = 40000, .sport = 80, .cut = 262144, .times = 1};
	pcapfile_temp(c->path);
	c->f = pcapfile_open(c->path, PCAPFILE_NS, false, PCAPFILE_ETHER);
}

static void
cap_put(struct cap *c, struct test_frame *t)
{
	uint8_t buf[TEST_FRAME_MAX];
	uint32_t len;

	t->ip_id = ++c->ip_id;
	t->csum = c->csum;
	len = (uint32_t)test_frame_bytes(t, buf, sizeof(buf));
	for (unsigned int i = 0; i < c->times; i++)
		pcapfile_packet(c->f, c->ts_ns + i, buf, SC_MIN(len, c->cut), len);
	c->ts_ns += MS;
}

static void
client_sends(struct cap *c, uint8_t flags, uint32_t len)
{
	struct test_frame t = {.src = c->client,
			.dst = c->server,
			.sport = c->port,
			.dport = c->sport,
			.flags = flags,
			.seq = c->cseq,
			.ack = flags & SC_TCP_ACK ? c->sseq : 0,
			.wnd = 1000,
			.payload = payload,
			.len = len};

	if (!c->hide_client)
		cap_put(c, &t);
	c->cseq += len + ((flags & (SC_TCP_SYN | SC_TCP_FIN)) != 0);
}

static void
server_sends(struct cap *c, uint8_t flags, uint32_t len)
{
	struct test_frame t = {.src = c->server == NULL ? "10.0.0.2" : c->server,
			.dst = c->client == NULL ? "10.0.0.1" : c->client,
			.sport = c->sport,
			.dport = c->port,
			.flags = flags,
			.seq = c->sseq,
			.ack = c->cseq,
			.wnd = 1000,
			.payload = payload,
			.len = len};

	if (!c->hide_server)
		cap_put(c, &t);
	c->sseq += len + ((flags & (SC_TCP_SYN | SC_TCP_FIN)) != 0);
}

static void
handshake(struct cap *c)
{
	c->cseq = C_ISN;
	c->sseq = S_ISN;
	client_sends(c, SC_TCP_SYN, 0);
	server_sends(c, SC_TCP_SYN | SC_TCP_ACK, 0);
	client_sends(c, SC_TCP_ACK, 0);
}

/* One request of 100 bytes, one answer of 3 x 1,000. */
static void
exchange(struct cap *c)
{
	client_sends(c, SC_TCP_ACK | SC_TCP_PSH, 100);
	for (unsigned int i = 0; i < 3; i++)
		server_sends(c, SC_TCP_ACK, 1000);
	client_sends(c, SC_TCP_ACK, 0);
}

static void
goodbye(struct cap *c)
{
	client_sends(c, SC_TCP_ACK | SC_TCP_FIN, 0);
	server_sends(c, SC_TCP_ACK | SC_TCP_FIN, 0);
	client_sends(c, SC_TCP_ACK, 0);
}

static void
connection(struct cap *c)
{
	handshake(c);
	exchange(c);
	exchange(c);
	goodbye(c);
	c->port++;
}

static void
survey(struct cap *c, const struct sc_rule *rules, unsigned int nb)
{
	const char *p = c->path;

	pcapfile_close(c->f);
	if (sc_survey_run(&p, 1, rules, nb, &s, &err) < 0)
		fail_msg("%s", err.text);
	unlink(c->path);
}

/* The account holds the word. */
static void
says(const char *word)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	sc_survey_print(&s, out);
	fclose(out);
	if (strstr(text, word) == NULL)
		fail_msg("no '%s' in:\n%s", word, text);
	free(text);
}

static void
test_plain(void **state)
{
	struct cap c;

	cap_start(&c);
	for (unsigned int i = 0; i < 10; i++)
		connection(&c);
	survey(&c, NULL, 0);
	assert_int_equal(s.frames, 160);
	assert_int_equal(s.tcp, 160);
	assert_int_equal(s.first_ns, T0);
	assert_int_equal(s.last_ns, T0 + 159 * MS);
	assert_int_equal(s.all.nb, 10);
	assert_int_equal(s.all.with_syn, 10);
	assert_int_equal(s.all.both, 10);
	assert_int_equal(s.all.mid_stream + s.all.silent + s.all.client_only, 0);
	assert_int_equal(s.all.client_bytes, 2000);
	assert_int_equal(s.all.server_bytes, 60000);
	assert_int_equal(s.all.client_lost + s.all.server_lost, 0);
	assert_memory_equal(&s.all, &s.mapped, sizeof(s.all));
	assert_int_equal(s.nb_servers, 1);
	assert_int_equal(s.server[0].port, 80);
	assert_memory_equal(&s.server[0].conns, &s.all, sizeof(s.all));
	assert_int_equal(s.duplicates + s.csum_partial + s.snapped + s.steps_back, 0);
	assert_true(sc_survey_is_fit(&s));
	says("the capture can be replayed");
	says("2023-11-14 22:13:20 UTC for 0.159 s");
	says("10.0.0.2:80");
}

static void
test_rules(void **state)
{
	struct sc_rule rules[2];
	struct cap c;

	assert_int_equal(sc_rule_parse("8080-192.0.2.1:80", &rules[0], &err), 0);
	assert_int_equal(sc_rule_parse("10.0.0.9:80-192.0.2.1:81", &rules[1], &err), 0);
	cap_start(&c);
	for (unsigned int i = 0; i < 6; i++) {
		c.sport = i < 4 ? 80 : 8080;
		connection(&c);
	}
	survey(&c, rules, 2);
	assert_int_equal(s.all.nb, 6);
	assert_int_equal(s.mapped.nb, 2);
	assert_int_equal(s.nb_servers, 2);
	assert_int_equal(s.server[0].port, 8080); /* fewer bytes, but mapped */
	assert_true(s.server[0].is_mapped && !s.server[1].is_mapped);
	assert_int_equal(s.server[0].target_port, 80);
	assert_true(sc_survey_is_fit(&s));
	says("goes to 192.0.2.1:80");
	says("no rule names it");

	cap_start(&c);
	connection(&c);
	survey(&c, rules, 2);
	assert_int_equal(s.mapped.nb, 0);
	assert_false(sc_survey_is_fit(&s));
	says("no rule of --map names a server of the capture; it has 10.0.0.2:80 (1 connections)");
}

static void
test_one_direction(void **state)
{
	struct cap c;

	cap_start(&c);
	c.hide_server = true;
	connection(&c);
	survey(&c, NULL, 0);
	assert_int_equal(s.all.client_only, 1);
	assert_int_equal(s.server[0].port, 80);
	assert_true(sc_survey_is_fit(&s));
	says("mirror both directions");

	cap_start(&c);
	c.hide_client = true;
	connection(&c);
	survey(&c, NULL, 0);
	assert_int_equal(s.all.server_only, 1);
	assert_int_equal(s.all.mid_stream, 1);
	assert_int_equal(s.server[0].port, 80);
	assert_false(sc_survey_is_fit(&s));
	says("only the servers' direction");

	cap_start(&c);
	connection(&c);
	c.hide_server = true;
	connection(&c);
	survey(&c, NULL, 0);
	assert_int_equal(s.all.both, 1);
	assert_int_equal(s.all.client_only, 1);
	says("1 connections show only the client and 0 only the server");
}

static void
test_mid_stream(void **state)
{
	/* Which side is the server: by rule, by what is known, by the lower port. */
	struct sc_rule rule;
	struct cap c;

	cap_start(&c);
	c.cseq = 77;
	c.sseq = 99;
	server_sends(&c, SC_TCP_ACK, 10);
	exchange(&c);
	survey(&c, NULL, 0);
	assert_int_equal(s.all.mid_stream, 1);
	assert_int_equal(s.all.client_bytes, 100);
	assert_int_equal(s.all.server_bytes, 3010);
	assert_int_equal(s.server[0].port, 80);
	assert_true(sc_survey_is_fit(&s));
	says("no connection begins in the capture");

	cap_start(&c);
	c.sport = 50000;
	exchange(&c);
	survey(&c, NULL, 0);
	assert_int_equal(s.server[0].port, 40000); /* the guess */

	assert_int_equal(sc_rule_parse("50000-192.0.2.1:80", &rule, &err), 0);
	cap_start(&c);
	c.sport = 50000;
	exchange(&c);
	survey(&c, &rule, 1);
	assert_int_equal(s.server[0].port, 50000);

	cap_start(&c);
	c.sport = 50000;
	connection(&c);
	exchange(&c);
	survey(&c, NULL, 0);
	assert_int_equal(s.nb_servers, 1);
	assert_int_equal(s.server[0].port, 50000);
	assert_int_equal(s.all.nb, 2);
}

static void
test_tuple_again(void **state)
{
	/* A retransmitted SYN is one connection, another ISN is another; a SYN-ACK may come first. */
	struct cap c;

	cap_start(&c);
	handshake(&c);
	c.cseq = C_ISN;
	client_sends(&c, SC_TCP_SYN, 0);
	exchange(&c);
	c.cseq = C_ISN + 1000000;
	client_sends(&c, SC_TCP_SYN, 0);
	client_sends(&c, SC_TCP_ACK, 7);
	survey(&c, NULL, 0);
	assert_int_equal(s.all.nb, 2);
	assert_int_equal(s.all.with_syn, 2);
	assert_int_equal(s.all.client_bytes, 107);

	cap_start(&c);
	c.cseq = C_ISN + 1;
	c.sseq = S_ISN;
	server_sends(&c, SC_TCP_SYN | SC_TCP_ACK, 0);
	c.cseq = C_ISN;
	client_sends(&c, SC_TCP_SYN, 0);
	exchange(&c);
	survey(&c, NULL, 0);
	assert_int_equal(s.all.nb, 1);
	assert_int_equal(s.all.with_syn, 1);
	assert_int_equal(s.all.both, 1);
}

static void
test_lost_and_again(void **state)
{
	struct cap c;

	cap_start(&c);
	handshake(&c);
	exchange(&c);
	c.hide_client = true; /* 250 bytes that the capture has lost */
	client_sends(&c, SC_TCP_ACK, 250);
	c.hide_client = false;
	client_sends(&c, SC_TCP_ACK, 50);
	c.cseq -= 100; /* sent again, out of order: no bytes of their own */
	client_sends(&c, SC_TCP_ACK, 60);
	c.cseq += 40;
	goodbye(&c);
	survey(&c, NULL, 0);
	/* 450 bytes and the FIN, of which 210 and the FIN were seen. */
	assert_int_equal(s.all.client_lost, 190);
	assert_int_equal(s.all.client_bytes, 210);
	assert_true(sc_survey_is_fit(&s));
	says("lost at least 190 bytes of clients");

	cap_start(&c);
	handshake(&c);
	exchange(&c);
	c.cseq += 1u << 30; /* foreign: no gigabyte is lost */
	client_sends(&c, SC_TCP_ACK, 10);
	c.cseq = 5;
	client_sends(&c, SC_TCP_ACK | SC_TCP_RST, 0);
	survey(&c, NULL, 0);
	assert_int_equal(s.all.client_lost, 0);
	assert_int_equal(s.all.client_bytes, 110);
}

static void
test_cut_frames(void **state)
{
	struct cap c;

	cap_start(&c);
	c.cut = 96;
	connection(&c);
	connection(&c);
	survey(&c, NULL, 0);
	/* Every frame with data is cut; the rest fits. */
	assert_int_equal(s.refused[SC_R_TRUNCATED_FRAME], 16);
	assert_int_equal(s.snapped, 16);
	assert_int_equal(s.snap_len, 96);
	assert_int_equal(s.tcp, 16);
	assert_false(sc_survey_is_fit(&s));
	says("frames are cut at 96 bytes");

	cap_start(&c);
	for (unsigned int i = 0; i < 20; i++)
		connection(&c);
	c.cut = 96;
	exchange(&c);
	survey(&c, NULL, 0);
	assert_true(sc_survey_is_fit(&s));
	says("4 TCP frames are cut (at 96 bytes)");
}

static void
test_checksums(void **state)
{
	struct cap c;

	cap_start(&c);
	c.csum = TEST_CSUM_BAD;
	connection(&c);
	survey(&c, NULL, 0);
	assert_int_equal(s.refused[SC_R_BAD_L4_CHECKSUM], 16);
	assert_int_equal(s.tcp, 16);
	assert_int_equal(s.all.nb, 0);
	assert_false(sc_survey_is_fit(&s));
	says("have a wrong checksum and would be left out");

	cap_start(&c);
	connection(&c);
	c.csum = TEST_CSUM_PARTIAL;
	connection(&c);
	survey(&c, NULL, 0);
	assert_int_equal(s.csum_partial, 16);
	assert_int_equal(s.all.nb, 2);
	assert_true(sc_survey_is_fit(&s));
	says("50.0 % of the TCP checksums are partial");
}

static void
test_duplicates(void **state)
{
	struct cap c;

	cap_start(&c);
	c.times = 2;
	connection(&c);
	survey(&c, NULL, 0);
	assert_int_equal(s.frames, 32);
	assert_int_equal(s.duplicates, 16);
	assert_int_equal(s.all.client_bytes, 200);
	assert_true(sc_survey_is_fit(&s));
	says("50.0 % of the TCP frames are there twice");

	/* Sent again by the client: another IP id, or later. */
	cap_start(&c);
	handshake(&c);
	exchange(&c);
	c.cseq -= 100;
	client_sends(&c, SC_TCP_ACK | SC_TCP_PSH, 100);
	c.cseq -= 100;
	c.ip_id--;
	c.ts_ns += 5 * MS;
	client_sends(&c, SC_TCP_ACK | SC_TCP_PSH, 100);
	survey(&c, NULL, 0);
	assert_int_equal(s.duplicates, 0);
	assert_int_equal(s.all.client_bytes, 100);

	/* IPv6 has no id: bare ACKs may repeat, data may not. */
	cap_start(&c);
	c.client = "2001:db8::1";
	c.server = "2001:db8::2";
	c.times = 2;
	connection(&c);
	survey(&c, NULL, 0);
	assert_int_equal(s.all.nb, 1);
	assert_int_equal(s.duplicates, 12);
	says("[2001:db8::2]:80");
}

static void
test_silent(void **state)
{
	struct cap c;

	cap_start(&c);
	for (unsigned int i = 0; i < 5; i++) {
		handshake(&c);
		goodbye(&c);
		c.port++;
	}
	survey(&c, NULL, 0);
	assert_int_equal(s.all.silent, 5);
	assert_false(sc_survey_is_fit(&s));
	says("no client sends a byte in 5 connections");
}

static void
test_other_frames(void **state)
{
	uint8_t junk[60] = {0};
	struct cap c;

	cap_start(&c);
	pcapfile_packet(c.f, T0, junk, 60, 60); /* Ethernet type 0 */
	pcapfile_packet(c.f, T0, junk, 10, 10);
	pcapfile_packet(c.f, T0, junk, 0, 60);
	survey(&c, NULL, 0);
	assert_int_equal(s.refused[SC_R_NOT_IP], 1);
	assert_int_equal(s.refused[SC_R_SHORT_FRAME], 2);
	assert_false(sc_survey_is_fit(&s));
	says("there is no TCP in the capture");
	says("not_ip");

	cap_start(&c);
	survey(&c, NULL, 0);
	assert_int_equal(s.nb_files_bare, 1);
	assert_false(sc_survey_is_fit(&s));
	says("not one packet in 1 file:");

	cap_start(&c);
	pcapfile_close(c.f);
	c.f = pcapfile_open(c.path, PCAPFILE_US, false, 105);
	connection(&c);
	survey(&c, NULL, 0);
	assert_int_equal(s.refused[SC_R_UNKNOWN_LINK], 16);
	assert_false(sc_survey_is_fit(&s));
	says("(105, IEEE802_11)");
}

static void
test_long_frame(void **state)
{
	/* A super frame of TSO, longer than an mbuf's 16 bits allow with its headers. */
	struct cap c;

	cap_start(&c);
	handshake(&c);
	client_sends(&c, SC_TCP_ACK, 65495);
	survey(&c, NULL, 0);
	assert_int_equal(s.tcp, 4);
	assert_int_equal(s.all.client_bytes, 65495);
	assert_int_equal(s.refused[SC_R_BAD_L4_CHECKSUM], 0);
}

static void
test_several_files(void **state)
{
	struct cap c[4];
	const char *paths[4] = {c[0].path, c[1].path, c[2].path, c[3].path};

	for (unsigned int i = 0; i < 4; i++) {
		cap_start(&c[i]);
		c[i].port += i;
		c[i].ts_ns -= i * 1000 * MS;
		if (i != 1)
			connection(&c[i]);
		if (i == 2) {
			c[i].ts_ns -= 1500 * MS;
			exchange(&c[i]);
		}
		pcapfile_close(c[i].f);
	}
	assert_int_equal(truncate(c[3].path, 24 + 50), 0);
	assert_int_equal(sc_survey_run(paths, 4, NULL, 0, &s, &err), 0);
	assert_int_equal(s.nb_files, 4);
	assert_int_equal(s.nb_files_bare, 2);
	assert_int_equal(s.nb_files_damaged, 1);
	assert_int_equal(s.steps_back, 1);
	assert_int_equal(s.all.nb, 3);
	assert_int_equal(s.first_ns, T0 - 2000 * MS + 16 * MS - 1500 * MS);
	assert_int_equal(s.last_ns, T0 + 15 * MS);
	assert_true(sc_survey_is_fit(&s));
	says("1 of 4 files cannot be read to the end; the first: capture /tmp");
	says("time goes back by more than 1 s at 1 places");
	says("2 of 4 files hold no packets");
	for (unsigned int i = 0; i < 4; i++)
		unlink(paths[i]);
}

static void
test_too_many(void **state)
{
	/* 70,000 SYNs to 400 servers: the tables are full, the mapped server still has its place. */
	struct sc_rule rule;
	struct cap c;

	assert_int_equal(sc_rule_parse("9999-192.0.2.1:80", &rule, &err), 0);
	cap_start(&c);
	for (uint32_t i = 0; i < 70000; i++) {
		c.port = (uint16_t)(1024 + i % 60000);
		c.sport = (uint16_t)(i == 60000 ? 9999 : 1 + i % 400);
		c.cseq = i;
		client_sends(&c, i == 69999 ? SC_TCP_ACK : SC_TCP_SYN, i == 60000 ? 8 : 0);
	}
	survey(&c, &rule, 1);
	assert_int_equal(s.all.nb, SC_SURVEY_CONNS_MAX);
	/* The last frame is of a connection that is known: a full table still counts these. */
	assert_int_equal(s.frames_over, 70000 - SC_SURVEY_CONNS_MAX - 1);
	assert_int_equal(s.nb_servers, SC_SURVEY_SERVERS_MAX / 2 + 1);
	assert_int_equal(s.server[0].port, 9999);
	assert_int_equal(s.mapped.nb, 1);
	assert_int_equal(s.mapped.client_bytes, 8);
	assert_true(s.conns_unlisted > 0);
	says("there are more than 65536 connections");
	says("servers that had no room in this list");
}

static void
test_refused(void **state)
{
	const char *p = "/nowhere/at.pcap";

	assert_int_equal(sc_survey_run(&p, 1, NULL, 0, &s, &err), -ENOENT);
	assert_non_null(strstr(err.text, p));
	assert_int_equal(sc_survey_run(NULL, 0, NULL, 0, &s, &err), -EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_plain),
			cmocka_unit_test(test_rules),
			cmocka_unit_test(test_one_direction),
			cmocka_unit_test(test_mid_stream),
			cmocka_unit_test(test_tuple_again),
			cmocka_unit_test(test_lost_and_again),
			cmocka_unit_test(test_cut_frames),
			cmocka_unit_test(test_checksums),
			cmocka_unit_test(test_duplicates),
			cmocka_unit_test(test_silent),
			cmocka_unit_test(test_other_frames),
			cmocka_unit_test(test_long_frame),
			cmocka_unit_test(test_several_files),
			cmocka_unit_test(test_too_many),
			cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
