/* SPDX-License-Identifier: BSD-3-Clause */
/* What leaves, how much of it, and in which frames. */
#include <engine.h>
#include <string.h>
#include <test_eal.h>

#include "bed.h"

/* The target's MSS less the timestamp option cuts; PSH and URG stay where they belong. */
static void
cut_to_mss(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	c->tmss = 500;
	conv_open(c);
	conv_say(c, 1000);
	assert_false(conv_expect(c, SC_TCP_ACK, 488)->seg.flags & SC_TCP_PSH);
	assert_false(conv_expect(c, SC_TCP_ACK, 488)->seg.flags & SC_TCP_PSH);
	assert_true(conv_expect(c, SC_TCP_ACK, 24)->seg.flags & SC_TCP_PSH);
	bed_silent(b);
	bed_end(b);
}

/* Never more than the test network's MTU, whatever the target offers (bed.c looks at each). */
static void
mtu_limits(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	c->tmss = 8960;
	conv_open(c);
	conv_say(c, 3000);
	conv_expect(c, SC_TCP_ACK, b->v6 ? 1428 : 1448);
	bed_end(b);
}

static void
tiny_mss(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	c->tmss = 1; /* nobody means that: 64 is the least */
	conv_open(c);
	conv_say(c, 100);
	conv_expect(c, SC_TCP_ACK, 52);
	conv_expect(c, SC_TCP_ACK, 48);
	bed_end(b);
}

static void
urgent(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);
	struct sent *s;

	conv_open(c);
	c->urg = 17;
	conv_frame(c, SC_HALF_CLIENT, SC_TCP_ACK | SC_TCP_URG, c->cnxt, c->pnxt, 40);
	c->cnxt += 40;
	s = conv_expect(c, SC_TCP_ACK | SC_TCP_URG, 40);
	assert_int_equal(s->seg.urg, 17);
	bed_end(b);
}

/* Ten segments at first; each ACK lets more go. */
static void
congestion_window(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	conv_say(c, 1388 * 14);
	for (int i = 0; i < 10; i++)
		conv_expect(c, SC_TCP_ACK, 1388);
	bed_silent(b);
	conv_record(c, SC_TCP_ACK, c->tnxt, c->tack - 9 * 1388, 0);
	conv_expect(c, SC_TCP_ACK, 1388);
	conv_expect(c, SC_TCP_ACK, 1388);
	bed_silent(b);
	bed_end(b);
}

/* The target's window limits, also below one segment, and opens again. */
static void
receive_window(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	c->twnd = 10; /* 1,280 bytes */
	conv_target_ack(c);
	conv_say(c, 2000);
	conv_expect(c, SC_TCP_ACK, 1280);
	bed_silent(b);
	conv_target_ack(c);
	conv_expect(c, SC_TCP_ACK, 720);
	bed_end(b);
}

/* RFC 9293 3.8.6.2.1: no small segment only because the window is nearly used up. */
static void
no_silly_window(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	c->twnd = 11; /* 1,408 bytes: 20 more than a segment */
	conv_target_ack(c);
	conv_say(c, 2000);
	conv_expect(c, SC_TCP_ACK, 1388);
	bed_silent(b);
	conv_target_ack(c);
	conv_expect(c, SC_TCP_ACK, 612);
	bed_end(b);
}

/* Zero window: asked with an old number, 200 ms and doubling, until it opens. */
static void
zero_window(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);
	uint64_t at = 0, gap = 0;

	conv_open(c);
	c->twnd = 0;
	conv_target_ack(c);
	conv_say(c, 500);
	bed_silent(b);
	bed_run(b, 199 * BED_MS);
	bed_silent(b);
	for (int i = 0; i < 6; i++) {
		struct sent *s;

		while (b->nb_sent == 0)
			bed_run(b, 10 * BED_MS);
		s = conv_expect_at(c, SC_TCP_ACK, c->tack - 1, 0);
		if (i > 1)
			assert_in_range(s->at_us - at, 2 * gap - 20 * BED_MS,
					2 * gap + 20 * BED_MS);
		gap = s->at_us - at;
		at = s->at_us;
		conv_target_ack(c);
	}
	assert_int_equal(COUNT(b, PERSIST_PROBES), 6);
	c->twnd = 512;
	conv_target_ack(c);
	conv_expect(c, SC_TCP_ACK, 500);
	bed_silent(b);
	bed_end(b);
}

/* No room in the array of frames: later, and complete. */
static void
array_full(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	c->twnd = 0;
	conv_target_ack(c);
	conv_say(c, 5000);
	conv_fin(c);
	c->twnd = 512;
	b->e->nb_tx = SC_REPLAY_TX_MAX; /* as if nobody had taken the frames */
	{
		struct sc_record rec = {.client = c->raddr,
				.port = c->rport,
				.target = c->target,
				.seq = c->tnxt,
				.ack = c->tack,
				.wnd = 512,
				.flags = SC_TCP_ACK,
				.segs = 1};

		sc_replay_records(b->e, &rec, 1, b->now_us);
	}
	assert_true(sc_replay_is_tx_full(b->e));
	b->e->nb_tx = 0;
	bed_silent(b);
	bed_run(b, 2 * BED_MS);
	for (int i = 0; i < 3; i++)
		conv_expect(c, SC_TCP_ACK, 1388);
	conv_expect(c, SC_TCP_ACK, 5000 - 3 * 1388);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	bed_silent(b);
	bed_end(b);
}

/* No mbuf for a SYN, or for data: later as well. */
static void
pool_empty(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct rte_mbuf *all[4096], *ack;
	struct conv *c = bed_conv(b);
	unsigned int n;

	conv_syn(c);
	conv_synack(c);
	b->is_batched = true;
	conv_ack(c);
	n = rte_mempool_avail_count(b->cfg.pool);
	assert_int_equal(rte_pktmbuf_alloc_bulk(b->cfg.pool, all, n), 0);
	/* nor may the ACK's own frame be used: others have it, too */
	ack = b->batch[0].seg.mbuf;
	rte_mbuf_refcnt_update(ack, 1);
	bed_flush(b);
	b->is_batched = false;
	bed_silent(b);
	rte_pktmbuf_free(ack);
	rte_pktmbuf_free_bulk(all, n);
	bed_run(b, 2 * BED_MS);
	conv_take_syn(c);
	conv_target_synack(c);
	conv_expect(c, SC_TCP_ACK, 0);
	bed_silent(b);
	bed_end(b);
}

/* Two copies at different speeds: bytes stay until the slower one has them. */
static void
tune_copies(struct bed *b)
{
	b->cfg.copies = 2;
}

static void
copies_at_two_speeds(void **state)
{
	struct bed *b = bed_new(*state, tune_copies);
	struct conv *c = bed_conv(b), d;

	conv_shake(c);
	d = *c;
	conv_take_syn(c);
	conv_take_syn(&d);
	conv_target_synack(c);
	conv_expect(c, SC_TCP_ACK, 0);
	for (int i = 0; i < 5; i++) {
		conv_say(c, 100);
		conv_expect(c, SC_TCP_ACK, 100);
		conv_target_ack(c);
	}
	assert_int_equal(COUNT(b, HELD_BYTES_NOW), 500);
	assert_int_equal(COUNT(b, BYTES_WAITING_NOW), 500);
	conv_target_synack(&d);
	for (int i = 0; i < 5; i++)
		conv_expect(&d, SC_TCP_ACK, 100);
	conv_target_ack(&d);
	assert_int_equal(COUNT(b, HELD_BYTES_NOW), 0);
	assert_int_equal(COUNT(b, BYTES_DELIVERED), 1000);
	bed_end(b);
}

/* ---- the mirror's frame goes on to the target itself ---- */

/* An answered request, and what comes now waits on the mirror. */
static void
answered(struct bed *b, struct conv *c)
{
	conv_open_said(c, 50);
	conv_target_answer(c, 10);
	c->pnxt += 10; /* the mirror shows the client's half only */
	bed_run(b, 50 * BED_MS);
	bed_forget(b);
	b->is_batched = true;
}

/* A request of 100 bytes stands on the mirror and was not taken yet: its frame. */
static struct rte_mbuf *
waiting_frame(struct bed *b, struct conv *c)
{
	answered(b, c);
	conv_say(c, 100);
	return b->batch[0].seg.mbuf;
}

/* Into the engine with it; what comes out instead of bed_collect()'s sent frames. */
static struct rte_mbuf *
sent_frame(struct bed *b)
{
	struct rte_mbuf *m;

	sc_replay_mirror(b->e, b->batch, 1, b->now_us);
	b->nb_batch = 0;
	b->is_batched = false;
	assert_int_equal(sc_replay_tx(b->e, &m, 1), 1);
	b->st.c[SC_C_TX_TAKEN]++;
	return m;
}

/* It is whole and right, whatever it was made of. */
static void
assert_request(struct rte_mbuf *m, uint32_t seq)
{
	uint8_t bytes[100];
	struct sc_seg seg;

	assert_int_equal(sc_packet_parse(m, SC_LINK_ETHER, &seg), SC_R_NONE);
	assert_int_equal(seg.csum, SC_CSUM_GOOD);
	assert_int_equal(seg.payload_len, 100);
	assert_int_equal(seg.payload_off + 100, m->pkt_len);
	sc_packet_copy_payload(&seg, 0, 100, bytes);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(bytes[i], conv_byte(seq + i));
}

/* The driver scribbles on what it was given; what is sent again comes from what is held. */
static void
frame_reused(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);
	struct rte_mbuf *in = waiting_frame(b, c), *out;

	memset(rte_pktmbuf_append(in, 6), 0xee, 6); /* padding of the link */
	out = sent_frame(b);
	assert_ptr_equal(out, in);
	assert_request(out, c->cnxt - 100);
	memset(rte_pktmbuf_mtod(out, void *), 0xff, out->data_len);
	rte_pktmbuf_free(out);
	bed_check(b);
	bed_run(b, 1500 * BED_MS); /* the retransmission timer */
	conv_expect(c, SC_TCP_ACK, 100);
	bed_end(b);
}

/* So does a FIN without payload; but not when others have its frame, too. */
static void
bare_frame_reused(void **state)
{
	for (uint16_t others = 0; others < 2; others++) {
		struct bed *b = bed_new(*state, NULL);
		struct conv *c = bed_conv(b);
		struct rte_mbuf *in, *out;
		struct sc_seg seg;

		answered(b, c);
		conv_fin(c);
		in = b->batch[0].seg.mbuf;
		rte_mbuf_refcnt_update(in, (int16_t)others);
		out = sent_frame(b);
		assert_int_equal(out == in, others == 0);
		assert_int_equal(sc_packet_parse(out, SC_LINK_ETHER, &seg), SC_R_NONE);
		assert_int_equal(seg.flags, SC_TCP_FIN | SC_TCP_ACK);
		assert_int_equal(seg.payload_len, 0);
		assert_int_equal(seg.payload_off, out->pkt_len);
		rte_pktmbuf_free(out);
		if (others > 0)
			rte_pktmbuf_free(in);
		bed_check(b);
		bed_run(b, 1500 * BED_MS); /* the retransmission timer */
		conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
		bed_end(b);
	}
}

static void
frame_of_others_copied(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);
	struct rte_mbuf *in = waiting_frame(b, c), *out;
	uint8_t before[256];
	uint32_t len = in->data_len;

	memcpy(before, rte_pktmbuf_mtod(in, void *), len);
	rte_mbuf_refcnt_update(in, 1); /* a driver may keep what it passed on */
	out = sent_frame(b);
	assert_ptr_not_equal(out, in);
	assert_request(out, c->cnxt - 100);
	assert_memory_equal(rte_pktmbuf_mtod(in, void *), before, len);
	rte_pktmbuf_free(out);
	rte_pktmbuf_free(in);
	bed_check(b);
	bed_end(b);
}

static void
frame_without_headroom_copied(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);
	struct rte_mbuf *in = waiting_frame(b, c), *out;

	memmove(in->buf_addr, rte_pktmbuf_mtod(in, void *), in->data_len);
	in->data_off = 0;
	out = sent_frame(b);
	assert_ptr_not_equal(out, in);
	assert_request(out, c->cnxt - 100);
	rte_pktmbuf_free(out);
	bed_check(b);
	bed_end(b);
}

/*
 * However wide the window, one session leaves room to others in a round, whatever came for it: the
 * rest follows a quarter of 1 ms later.
 */
static void
a_session_shares(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	c->twnd = 0;
	conv_target_ack(c);
	for (int i = 0; i < 100; i++)
		conv_say(c, 400);
	bed_forget(b);
	b->e->t.session[0].cwnd = 1 << 20;
	c->twnd = 512;
	conv_target_ack(c);
	assert_int_equal(b->nb_sent, 64);
	conv_target_ack(c);
	conv_say(c, 400);
	assert_int_equal(b->nb_sent, 64);
	bed_run(b, 255);
	assert_int_equal(b->nb_sent, 64);
	bed_run(b, 300);
	assert_int_equal(b->nb_sent, 101);
	bed_forget(b);
	bed_end(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			BOTH(cut_to_mss),
			BOTH(mtu_limits),
			BOTH(tiny_mss),
			BOTH(urgent),
			BOTH(congestion_window),
			BOTH(receive_window),
			BOTH(no_silly_window),
			BOTH(zero_window),
			BOTH(array_full),
			BOTH(pool_empty),
			BOTH(copies_at_two_speeds),
			BOTH(frame_reused),
			BOTH(bare_frame_reused),
			BOTH(frame_of_others_copied),
			BOTH(frame_without_headroom_copied),
			BOTH(a_session_shares),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
