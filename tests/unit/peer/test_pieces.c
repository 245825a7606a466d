/* SPDX-License-Identifier: BSD-3-Clause */
/* IP fragments in the index: every byte at its place in the file, whatever the pieces' order. */
#include <string.h>
#include <unistd.h>

#include "bed.h"
#include "index.h"
#include "sc_test.h"

#define ACK SC_TCP_ACK
#define L2 14u
#define SIZE 64u /* of a piece */
#define TEXT                                                                                    \
	"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-one-hundred-and-fifty-" \
	"nine-bytes-in-three-pieces-with-the-header-of-TCP-in-the-first-of-them.end"

struct shelf {
	char path[64];
	const char *paths[1];
	struct pcapfile *f;
	struct sc_rule rule[2];
	struct peer_index_cfg cfg;
	struct peer_index ix;
	struct tape t;
	bool is_v6;
	uint16_t id;
};

static void
put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void
shelf_open(struct shelf *s, bool is_v6)
{
	memset(s, 0, sizeof(*s));
	pcapfile_temp(s->path);
	s->f = pcapfile_open(s->path, PCAPFILE_NS, true, PCAPFILE_ETHER);
	s->paths[0] = s->path;
	for (unsigned int i = 0; i < 2; i++) {
		s->rule[i] = (struct sc_rule){
				.has_prod = true, .prod_port = 80, .target_port = 8080};
		assert_int_equal(sc_addr_parse(i == 0 ? BED_PROD : BED_PROD6, &s->rule[i].prod), 0);
		assert_int_equal(sc_addr_parse(i == 0 ? BED_TARGET : BED_TARGET6,
						 &s->rule[i].target),
				0);
	}
	s->cfg = (struct peer_index_cfg){
			.paths = s->paths, .nb_paths = 1, .rules = s->rule, .nb_rules = 2};
	s->is_v6 = is_v6;
	s->t = is_v6 ? tape_new6(s->f, 0) : tape_new(s->f, 0);
	tape_handshake(&s->t);
}

static void
shelf_check(struct shelf *s, const char *want)
{
	struct sc_err err = {""};
	const struct cap_dir *in;
	char got[512] = "";

	pcapfile_close(s->f);
	if (peer_index_init(&s->ix, &s->cfg, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(s->ix.nb_flows, 1);
	in = &s->ix.flow[0].in;
	assert_int_equal(in->end, strlen(want));
	assert_int_equal(peer_dir_read(&s->ix, in, 0, (uint32_t)in->end, (uint8_t *)got), 0);
	assert_string_equal(got, want);
	peer_index_free(&s->ix);
	unlink(s->path);
}

/* A frame of the client that says `text`; returns its length. */
static size_t
client_frame(struct shelf *s, const char *text, uint8_t *buf)
{
	struct tape *t = &s->t;
	struct test_frame f = {.src = t->client,
			.dst = t->prod,
			.sport = t->cport,
			.dport = t->pport,
			.seq = t->cseq,
			.ack = t->pseq,
			.flags = ACK,
			.wnd = 60000,
			.ip_id = ++s->id,
			.payload = text,
			.len = strlen(text)};

	t->cseq += (uint32_t)strlen(text);
	return test_frame_bytes(&f, buf, TEST_FRAME_MAX);
}

/* Piece number n of a whole frame, as a record. */
static void
put_piece(struct shelf *s, const uint8_t *whole, size_t len, unsigned int n)
{
	uint8_t out[256];
	size_t head = L2 + (s->is_v6 ? 40 : 20), off = n * SIZE;
	size_t part = SC_MIN(len - head - off, (size_t)SIZE);
	size_t more = head + off + part < len;

	memcpy(out, whole, head);
	if (s->is_v6) {
		put16(out + L2 + 4, 8 + part);
		out[L2 + 6] = 44;
		memset(out + head, 0, 8);
		out[head] = 6;
		put16(out + head + 2, off | more);
		put16(out + head + 6, s->id);
	} else {
		put16(out + L2 + 2, 20 + part);
		put16(out + L2 + 6, off / 8 | more << 13);
		put16(out + L2 + 10, 0);
		put16(out + L2 + 10, (uint16_t)~test_sum16(out + L2, 20, 0));
	}
	memcpy(out + head + (s->is_v6 ? 8 : 0), whole + head + off, part);
	pcapfile_packet(s->f, s->t.ts_ns, out, (uint32_t)(head + (s->is_v6 ? 8 : 0) + part),
			(uint32_t)(head + (s->is_v6 ? 8 : 0) + part));
	s->t.ts_ns += 1000;
}

/* The pieces of a packet in this order ("0213"); a piece may come twice or not at all. */
static void
put_pieces(struct shelf *s, const char *text, const char *order)
{
	static uint8_t whole[TEST_FRAME_MAX];
	size_t len = client_frame(s, text, whole);

	for (; *order != '\0'; order++)
		put_piece(s, whole, len, (unsigned int)(*order - '0'));
}

static void
run(const char *order, const char *after, const char *want)
{
	struct shelf s;

	for (unsigned int v6 = 0; v6 < 2; v6++) {
		shelf_open(&s, v6);
		put_pieces(&s, TEXT, order);
		tape_client(&s.t, ACK, after);
		shelf_check(&s, want);
	}
}

static void
test_orders(void **state)
{
	assert_in_range(strlen(TEXT) + 20, 2 * SIZE + 1, 3 * SIZE); /* three pieces */
	run("012", "!", TEXT "!");
	run("210", "!", TEXT "!");
	run("120", "!", TEXT "!");
}

/* Two points of the way are mirrored: copies change nothing, and wait for nothing. */
static void
test_twice(void **state)
{
	struct shelf s;

	run("001122", "!", TEXT "!");
	run("012012", "!", TEXT "!");
	for (unsigned int v6 = 0; v6 < 2; v6++) {
		shelf_open(&s, v6);
		put_pieces(&s, TEXT, "001122");
		s.t.ts_ns += 6 * 1000000;
		s.id--; /* the next packet has the identification of the last */
		put_pieces(&s, TEXT, "012");
		shelf_check(&s, TEXT TEXT);
	}
}

/* Without one piece nothing is known of the packet; what the capture lacks takes no room. */
static void
test_lost(void **state)
{
	run("01", "!", "!");
	run("12", "!", "!");
}

/* A second on, the same identification is another packet. */
static void
test_stale(void **state)
{
	struct shelf s;

	for (unsigned int v6 = 0; v6 < 2; v6++) {
		shelf_open(&s, v6);
		put_pieces(&s, TEXT, "02");
		s.t.ts_ns += 1100 * 1000000ull;
		s.id--;
		put_pieces(&s, TEXT, "1");
		tape_client(&s.t, ACK, "!");
		shelf_check(&s, "!");
	}
}

/* A segment whose checksum is wrong when it is whole: production dropped it. */
static void
test_bad_checksum(void **state)
{
	static uint8_t whole[TEST_FRAME_MAX];
	struct shelf s;
	size_t len;

	for (unsigned int v6 = 0; v6 < 2; v6++) {
		shelf_open(&s, v6);
		len = client_frame(&s, TEXT, whole);
		whole[len - 1] ^= 1;
		for (unsigned int n = 0; n < 3; n++)
			put_piece(&s, whole, len, n);
		tape_client(&s.t, ACK, "!");
		shelf_check(&s, "!");
	}
}

/* More packets wait than the table holds: the oldest make room, whole ones are not disturbed. */
static void
test_many(void **state)
{
	static uint8_t whole[TEST_FRAME_MAX];
	struct shelf s;
	size_t len;

	for (unsigned int v6 = 0; v6 < 2; v6++) {
		shelf_open(&s, v6);
		len = client_frame(&s, TEXT, whole);
		for (unsigned int i = 0; i < 5000; i++) {
			put16(whole + L2 + 4, ++s.id);
			if (v6)
				put16(whole + L2 + 4, len - L2 - 40);
			put_piece(&s, whole, len, 1);
			s.t.ts_ns -= 999;
		}
		s.t.cseq -= (uint32_t)strlen(TEXT);
		put_pieces(&s, TEXT, "012");
		shelf_check(&s, TEXT);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_orders),
			cmocka_unit_test(test_twice),
			cmocka_unit_test(test_lost),
			cmocka_unit_test(test_stale),
			cmocka_unit_test(test_bad_checksum),
			cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
