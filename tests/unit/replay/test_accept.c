/* SPDX-License-Identifier: BSD-3-Clause */
/* Every client byte is accepted once, and the others have a name. */
#include <engine.h>
#include <string.h>
#include <test_eal.h>

#include "bed.h"

#define DATA (SC_TCP_ACK | SC_TCP_PSH)

/* Client data at an offset from the next byte, without moving on. */
static void
say_at(struct conv *c, int32_t off, uint32_t len)
{
	conv_frame(c, SC_HALF_CLIENT, DATA, c->cnxt + (uint32_t)off, c->pnxt, len);
}

static void
retransmission(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 100);
	say_at(c, -100, 100);
	say_at(c, -60, 40);
	assert_int_equal(COUNT_BY(b, BYTES_DUPLICATE, DUP_RETRANSMIT), 140);
	assert_int_equal(COUNT_BY(b, BYTES_DUPLICATE, DUP_MIRROR), 0);
	bed_silent(b);
	bed_end(b);
}

static void
overlap(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 100);
	say_at(c, -30, 50);
	conv_expect(c, SC_TCP_ACK, 20);
	assert_int_equal(COUNT_BY(b, BYTES_DUPLICATE, DUP_OVERLAP), 30);
	bed_end(b);
}

/* The mirror shows a packet twice within 5 ms: same IP id, or (IPv6) same timestamp. */
static void
mirror_duplicate(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	conv_say(c, 100);
	c->ip_id--;
	c->tsval--;
	say_at(c, -100, 100);
	assert_int_equal(COUNT_BY(b, BYTES_DUPLICATE, DUP_MIRROR), 100);
	assert_int_equal(COUNT(b, FRAMES_DUPLICATE), 1);
	b->now_us += 6 * BED_MS; /* the same again, but too late for a mirror */
	c->ip_id--;
	c->tsval--;
	say_at(c, -100, 100);
	assert_int_equal(COUNT_BY(b, BYTES_DUPLICATE, DUP_MIRROR), 100);
	assert_int_equal(COUNT_BY(b, BYTES_DUPLICATE, DUP_RETRANSMIT), 100);
	bed_end(b);
}

static void
keepalive_probe(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 100);
	conv_frame(c, SC_HALF_CLIENT, SC_TCP_ACK, c->cnxt - 1, c->pnxt, 1);
	conv_frame(c, SC_HALF_CLIENT, SC_TCP_ACK, c->cnxt - 1, c->pnxt, 0);
	assert_int_equal(COUNT_BY(b, BYTES_DUPLICATE, DUP_PROBE), 1);
	bed_silent(b);
	conv_say(c, 10);
	conv_expect(c, SC_TCP_ACK, 10);
	bed_end(b);
}

/* Up to 6 zero bytes on a bare ACK are link padding; with PSH, or not zero, they are data. */
static void
padding(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);
	static const uint8_t zero[8];
	struct test_frame f = {.flags = SC_TCP_ACK, .payload = zero, .len = 6};
	struct sent *s;

	conv_open_said(c, 100);
	f.seq = c->cnxt;
	f.ack = c->pnxt;
	conv_frame_with(c, SC_HALF_CLIENT, &f);
	assert_int_equal(COUNT_BY(b, BYTES_DUPLICATE, DUP_PROBE), 6);
	bed_silent(b);
	f.len = 7;
	conv_frame_with(c, SC_HALF_CLIENT, &f);
	s = bed_take(b);
	assert_int_equal(s->seg.payload_len, 7);
	assert_memory_equal(s->payload, zero, 7);
	f.seq += 7;
	f.len = 2;
	f.flags = DATA;
	conv_frame_with(c, SC_HALF_CLIENT, &f);
	assert_int_equal(bed_take(b)->seg.payload_len, 2);
	bed_end(b);
}

/* The same numbers with other content: the first wins. */
static void
conflict(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	conv_say(c, 100);
	c->fill = 1;
	say_at(c, -100, 100);
	assert_int_equal(COUNT_BY(b, BYTES_REFUSED, CLIENT_CONFLICT), 100);
	conv_expect(c, SC_TCP_ACK, 100);
	bed_silent(b);
	bed_end(b);
}

static void
beyond_window(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 100);
	say_at(c, (1 << 30) + 1, 50);
	assert_int_equal(COUNT_BY(b, BYTES_REFUSED, BEYOND_WINDOW), 50);
	assert_int_equal(COUNT(b, BYTES_OOO_NOW), 0);
	bed_end(b);
}

static void
data_behind_fin(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open_said(c, 100);
	conv_fin(c);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	say_at(c, 0, 20);
	say_at(c, 5, 20);
	assert_int_equal(COUNT_BY(b, BYTES_REFUSED, AFTER_END), 40);
	bed_silent(b);
	bed_end(b);
}

/* Segments in any order, overlapping each other: the stream comes out in order, each byte once. */
static void
reordered(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	say_at(c, 300, 100);
	say_at(c, 100, 100);
	say_at(c, 50, 400); /* 50-100, 200-300 and 400-450 are new */
	bed_silent(b);
	assert_int_equal(COUNT(b, BYTES_OOO_NOW), 400);
	assert_int_equal(COUNT_BY(b, BYTES_DUPLICATE, DUP_OVERLAP), 200);
	say_at(c, 0, 50);
	assert_int_equal(COUNT(b, BYTES_OOO_NOW), 0);
	conv_expect(c, SC_TCP_ACK, 50);
	conv_expect(c, SC_TCP_ACK, 50);
	for (int i = 0; i < 3; i++)
		conv_expect(c, SC_TCP_ACK, 100);
	conv_expect(c, SC_TCP_ACK, 50);
	bed_silent(b);
	assert_int_equal(COUNT(b, BYTES_ACCEPTED), 450);
	bed_end(b);
}

/* A FIN may come before the bytes in front of it. */
static void
early_fin(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	conv_frame(c, SC_HALF_CLIENT, SC_TCP_FIN | SC_TCP_ACK, c->cnxt + 100, c->pnxt, 0);
	conv_frame(c, SC_HALF_CLIENT, SC_TCP_FIN | SC_TCP_ACK, c->cnxt + 100, c->pnxt, 0);
	bed_silent(b);
	say_at(c, 0, 100);
	conv_expect(c, SC_TCP_ACK, 100);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	bed_silent(b);
	bed_end(b);
}

/* Data at or behind a FIN that stands beyond a hole. */
static void
data_behind_early_fin(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	conv_frame(c, SC_HALF_CLIENT, SC_TCP_FIN | SC_TCP_ACK, c->cnxt + 100, c->pnxt, 0);
	say_at(c, 100, 10);
	say_at(c, 101, 10);
	say_at(c, 150, 10);
	say_at(c, 50, 80);
	assert_int_equal(COUNT_BY(b, BYTES_REFUSED, AFTER_END), 60);
	say_at(c, 0, 50);
	conv_expect(c, SC_TCP_ACK, 50);
	conv_expect(c, SC_TCP_ACK, 50);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	bed_silent(b);
	bed_end(b);
}

/* A FIN below bytes that are there already is none of this stream. */
static void
fin_below_data(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	say_at(c, 100, 50);
	conv_frame(c, SC_HALF_CLIENT, SC_TCP_FIN | SC_TCP_ACK, c->cnxt + 60, c->pnxt, 0);
	say_at(c, 0, 100);
	conv_expect(c, SC_TCP_ACK, 100);
	conv_expect(c, SC_TCP_ACK, 50);
	bed_silent(b);
	assert_int_equal(COUNT(b, FLOWS_LIVE_NOW), 1);
	bed_end(b);
}

/* At most 64 segments wait beyond a hole. */
static void
too_many_beyond(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	for (int i = 1; i <= 65; i++)
		say_at(c, 20 * i, 10);
	assert_int_equal(COUNT(b, BYTES_OOO_NOW), 640);
	assert_int_equal(COUNT_BY(b, BYTES_REFUSED, HELD_FULL), 10);
	say_at(c, 0, 20); /* in order there is always room */
	conv_expect(c, SC_TCP_ACK, 20);
	conv_expect(c, SC_TCP_ACK, 10);
	bed_end(b);
}

static void
tune_small(struct bed *b)
{
	b->cfg.held_bytes = 4096; /* 64 chunks, 16 references */
}

/* No room for client bytes: refused by name, and the flow ends as no_memory. */
static void
held_full(void **state)
{
	struct bed *b = bed_new(*state, tune_small);
	struct conv *c = bed_conv(b);
	unsigned int n = 0;

	conv_open(c);
	c->twnd = 0;
	conv_target_ack(c);
	for (; COUNT_BY(b, BYTES_REFUSED, HELD_FULL) == 0; n++) {
		assert_true(n < 100);
		conv_say(c, 400);
	}
	assert_int_equal(n, 33); /* two chunks each */
	conv_say(c, 10);
	assert_int_equal(COUNT_BY(b, BYTES_REFUSED, NO_MEMORY), 10);
	c->twnd = 512;
	conv_target_ack(c);
	for (int i = 0; i < 32; i++) {
		conv_expect(c, SC_TCP_ACK, 400);
		conv_target_ack(c);
	}
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	conv_target_fin(c);
	conv_expect(c, SC_TCP_ACK, 0);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, NO_MEMORY), 1);
	bed_end(b);
}

/* The end for want of memory ends the wait for a hole as well: nothing may follow our FIN. */
static void
held_full_beyond_hole(void **state)
{
	struct bed *b = bed_new(*state, tune_small);
	struct conv *c = bed_conv(b);

	conv_open(c);
	c->twnd = 0;
	conv_target_ack(c);
	conv_say(c, 400);
	c->cnxt += 10;
	conv_answer(c, 50); /* production has the lost bytes: what follows is a boundary */
	while (COUNT_BY(b, BYTES_REFUSED, HELD_FULL) == 0)
		conv_say(c, 400);
	bed_run(b, 30 * BED_MS);
	c->twnd = 512;
	conv_target_ack(c);
	conv_expect(c, SC_TCP_ACK, 400);
	conv_target_ack(c);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	conv_target_fin(c);
	conv_expect(c, SC_TCP_ACK, 0);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, CAPTURE_GAP), 1);
	assert_int_equal(COUNT(b, BYTES_MISSING), 10);
	assert_int_equal(COUNT(b, BYTES_DELIVERED), 400);
	bed_end(b);
}

/* Long payload stays in its frame until the budget for that is used up; then it is copied. */
static void
by_reference(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	b->e->t.max_refs = 2;
	conv_open(c);
	c->twnd = 0;
	conv_target_ack(c);
	conv_say(c, 512);
	assert_int_equal(b->e->t.nb_refs, 0);
	conv_say(c, 513);
	conv_say(c, 1000);
	assert_int_equal(b->e->t.nb_refs, 2);
	conv_say(c, 1000);
	assert_int_equal(b->e->t.nb_refs, 2);
	assert_int_equal(b->pool_free - rte_mempool_avail_count(b->cfg.pool), 2);
	c->twnd = 512;
	conv_target_ack(c);
	conv_expect(c, SC_TCP_ACK, 512);
	conv_expect(c, SC_TCP_ACK, 513);
	conv_expect(c, SC_TCP_ACK, 1000);
	conv_expect(c, SC_TCP_ACK, 1000);
	conv_target_ack(c);
	assert_int_equal(b->e->t.nb_refs, 0);
	bed_end(b);
}

/* One frame may bring pieces on both sides of what is there: only one of them can keep the frame. */
static void
one_frame_two_pieces(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	say_at(c, 600, 100);
	say_at(c, 0, 1300);
	conv_expect(c, SC_TCP_ACK, 600);
	conv_expect(c, SC_TCP_ACK, 100);
	conv_expect(c, SC_TCP_ACK, 600);
	conv_target_ack(c);
	bed_end(b);
}

/* A kernel mirror leaves the checksum to the NIC: the sum is ours, and what we send is right. */
static void
partial_checksum(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);
	struct test_frame f = {.flags = DATA, .payload = "partial", .len = 7};

	conv_open(c);
	f.seq = c->cnxt;
	f.ack = c->pnxt;
	f.csum = TEST_CSUM_PARTIAL;
	assert_int_equal(conv_frame_with(c, SC_HALF_CLIENT, &f), SC_R_NONE);
	assert_memory_equal(bed_take(b)->payload, "partial", 7);
	f.csum = TEST_CSUM_BAD;
	assert_int_equal(conv_frame_with(c, SC_HALF_CLIENT, &f), SC_R_BAD_L4_CHECKSUM);
	bed_silent(b);
	bed_end(b);
}

/* A super frame of a chain of mbufs is cut to the target's MSS. */
static void
super_frame(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	c->tmss = 1000;
	conv_open(c);
	conv_say(c, 20000);
	for (uint32_t left = 20000; left > 0;) {
		uint32_t n = SC_MIN(left, 988u);
		struct sent *s;

		if (b->nb_sent == 0)
			conv_target_ack(c);
		s = conv_expect(c, SC_TCP_ACK, n);
		left -= n;
		assert_int_equal((s->seg.flags & SC_TCP_PSH) != 0, left == 0);
	}
	conv_target_ack(c);
	assert_int_equal(COUNT(b, BYTES_DELIVERED), 20000);
	bed_end(b);
}

/* As far behind as a sequence number can be: it ends nothing, and tells of no bytes that are missing. */
static void
rst_from_far_behind(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	conv_say(c, 100);
	conv_expect(c, SC_TCP_ACK, 100);
	conv_target_ack(c);
	conv_frame(c, SC_HALF_CLIENT, SC_TCP_RST | SC_TCP_ACK, c->cnxt + 0x80000000u, c->pnxt, 0);
	bed_silent(b);
	conv_say(c, 100);
	conv_expect(c, SC_TCP_ACK, 100);
	assert_int_equal(COUNT(b, BYTES_MISSING), 0);
	bed_end(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			BOTH(retransmission),
			BOTH(overlap),
			BOTH(mirror_duplicate),
			BOTH(keepalive_probe),
			BOTH(padding),
			BOTH(conflict),
			BOTH(beyond_window),
			BOTH(data_behind_fin),
			BOTH(reordered),
			BOTH(early_fin),
			BOTH(data_behind_early_fin),
			BOTH(fin_below_data),
			BOTH(too_many_beyond),
			BOTH(held_full),
			BOTH(held_full_beyond_hole),
			BOTH(by_reference),
			BOTH(one_frame_two_pieces),
			BOTH(partial_checksum),
			BOTH(super_frame),
			BOTH(rst_from_far_behind),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
