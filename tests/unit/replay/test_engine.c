/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine as its caller sees it: creation, deadlines, frames in portions, back-pressure. */
#include <arpa/inet.h>
#include <engine.h>
#include <string.h>
#include <test_eal.h>

#include "bed.h"

static void
create_refused(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct sc_replay_cfg cfg = b->cfg;
	struct sc_err err;

	cfg.copies = 0;
	assert_null(sc_replay_create(&cfg, &err));
	assert_true(strlen(err.text) > 10);
	sc_replay_destroy(NULL);
	bed_end(b);
}

static void
size(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct sc_replay_cfg cfg = b->cfg;
	uint64_t before = sc_replay_size(&cfg, 1);

	cfg.max_flows *= 1000;
	assert_true(sc_replay_size(&cfg, 1) > before + 32 * 999 * 200);
	cfg.held_bytes = 1ull << 40;
	assert_int_equal(sc_replay_max_refs(&cfg), 1u << 20);
	cfg.held_bytes = 0;
	assert_int_equal(sc_replay_max_refs(&cfg), 16);
	bed_end(b);
}

/* A rule that names a port alone meets more servers than have a number. */
static void
too_many_servers(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);
	struct sc_mirror_seg ms = {.seg = {.flags = SC_TCP_SYN, .sport = 40000, .dport = 81}};

	sc_addr_from_v4(&ms.seg.src, htonl(0x0a010005));
	for (uint32_t i = 0; i < 65534; i++) {
		sc_addr_from_v4(&ms.seg.dst, htonl(0x0b000000 + i));
		assert_int_equal(sc_replay_classify(b->e, &ms), SC_R_NONE);
	}
	snprintf(c->server, sizeof(c->server), "%s", b->v6 ? "fd02::99" : "10.2.0.99");
	c->sport = b->v6 ? 82 : 81;
	assert_int_equal(conv_frame(c, SC_HALF_CLIENT, SC_TCP_SYN, c->cisn, 0, 0),
			SC_R_PRODUCTION_TABLE_FULL);
	assert_int_equal(COUNT_BY(b, FRAME_REFUSED, PRODUCTION_TABLE_FULL), 1);
	bed_end(b);
}

/* The next deadline is never later than what is armed, and never beyond a second. */
static void
next_deadline(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	assert_true(sc_replay_next(b->e, b->now_us) <= BED_S);
	conv_open_said(c, 10);
	sc_replay_timers(b->e, b->now_us);
	conv_target_answer(c, 10); /* an ACK is owed in 40 ms */
	for (int i = 0; i < 200 && b->nb_sent == 0; i++) {
		uint64_t us = sc_replay_next(b->e, b->now_us);

		assert_true(us <= 41 * BED_MS);
		b->now_us += us;
		sc_replay_timers(b->e, b->now_us);
		bed_collect(b);
	}
	conv_expect(c, SC_TCP_ACK, 0);
	sc_replay_drain(b->e, b->now_us);
	assert_int_equal(sc_replay_next(b->e, b->now_us), 0);
	bed_end(b);
}

/* Frames come out in order, as many as asked for. */
static void
portions(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);
	struct rte_mbuf *m[8];
	uint32_t seq = 0;

	conv_open(c);
	b->is_batched = true;
	for (int i = 0; i < 5; i++)
		conv_say(c, 100);
	sc_replay_mirror(b->e, b->batch, b->nb_batch, b->now_us);
	b->nb_batch = 0;
	assert_int_equal(sc_replay_tx_waiting(b->e), 5);
	for (int i = 0; i < 5; i++) {
		struct sc_seg seg;

		assert_int_equal(sc_replay_tx(b->e, m, 1), 1);
		b->st.c[SC_C_TX_TAKEN]++;
		assert_int_equal(sc_packet_parse(m[0], SC_LINK_ETHER, &seg), SC_R_NONE);
		if (i > 0)
			assert_int_equal(seg.seq, seq + 100);
		seq = seg.seq;
		rte_pktmbuf_free(m[0]);
		assert_int_equal(sc_replay_tx_waiting(b->e), 4 - i);
	}
	assert_int_equal(sc_replay_tx(b->e, m, 8), 0);
	bed_end(b);
}

static void
tune_sixteen(struct bed *b)
{
	b->cfg.max_flows = 16;
	b->cfg.held_bytes = 64 << 10; /* 192 chunks */
}

/* A file waits before flows, sessions or held bytes run out. */
static void
back_pressure(void **state)
{
	struct bed *b = bed_new(*state, tune_sixteen);
	struct conv *c = NULL;
	unsigned int n = 0;

	for (; n < 13; n++) {
		c = bed_conv(b);
		conv_open_said(c, 10);
	}
	assert_false(sc_replay_should_wait(b->e)); /* none would end meanwhile */
	conv_fin(c);
	assert_true(sc_replay_should_wait(b->e));
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	conv_target_fin(c);
	conv_expect(c, SC_TCP_ACK, 0);
	assert_false(sc_replay_should_wait(b->e));
	c = &b->conv[0];
	c->twnd = 0;
	conv_target_ack(c);
	for (n = 0; !sc_replay_should_wait(b->e); n++)
		conv_say(c, 500);
	assert_int_equal(n, 87); /* over nine tenths of 192, two at a time */
	assert_int_equal(COUNT_BY(b, BYTES_REFUSED, HELD_FULL), 0);
	bed_end(b);
}

/* What is open at the destruction ends as stopped, and no mbuf is lost. */
static void
destroyed_while_busy(void **state)
{
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b);

	conv_open(c);
	b->is_batched = true;
	conv_say(c, 1000);
	sc_replay_mirror(b->e, b->batch, b->nb_batch, b->now_us);
	b->nb_batch = 0;
	assert_int_equal(sc_replay_tx_waiting(b->e), 1);
	sc_replay_destroy(b->e);
	assert_int_equal(COUNT_BY(b, FLOW_ENDED, STOPPED), 1);
	assert_int_equal(rte_mempool_avail_count(b->cfg.pool), b->pool_free);
	b->e = sc_replay_create(&b->cfg, NULL);
	b->st.c[SC_C_TX_TAKEN] = b->st.c[SC_C_TX_BUILT];
	bed_end(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			BOTH(create_refused),
			BOTH(size),
			BOTH(too_many_servers),
			BOTH(next_deadline),
			BOTH(portions),
			BOTH(back_pressure),
			BOTH(destroyed_while_busy),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
