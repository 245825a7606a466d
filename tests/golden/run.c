/* SPDX-License-Identifier: BSD-3-Clause */
/* One engine between a capture and the scripted target, in ticks of virtual time. */
#include <frame.h>
#include <pcapfile.h>
#include <reached.h>
#include <stdlib.h>
#include <string.h>
#include <test_eal.h>

#include <sc_capture.h>

#include "golden.h"
#include "sc_test.h"

#define START_US (1000000 * SC_US_PER_S)
#define TICKS_MAX 120000
#define BURST_MAX 32

struct run {
	struct sc_replay *e;
	struct sc_stats st;
	struct sc_steer steer;
	struct sc_path path[2];
	struct sc_replay_target target[2];
	struct sc_pool clients;
	struct target *t;
	struct sc_capture_reader *reader;
	struct sc_capture_pkt pkt; /* the next one, while has_pkt */
	bool has_pkt;
	uint64_t first_ns, now_us;
	struct pcapfile *out;
	uint16_t burst;
	struct rte_mempool *pool;
};

static const struct sc_l2_tmpl l2 = {
		.dst.addr_bytes = {2, 0, 0, 0, 0, 0x99},
		.src.addr_bytes = {2, 0, 0, 0, 0, 0x11},
};

static void
next_packet(struct run *r)
{
	struct sc_err err;
	int ret = sc_capture_reader_next(r->reader, &r->pkt, &err);

	if (ret < 0)
		fail_msg("%s", err.text);
	r->has_pkt = ret > 0;
}

/* The target reads the capture to its end before anything is sent. */
static void
learn(struct run *r, const char *in)
{
	struct sc_err err;

	r->reader = sc_capture_reader_open(&in, 1, &err);
	if (r->reader == NULL)
		fail_msg("%s", err.text);
	for (next_packet(r); r->has_pkt; next_packet(r)) {
		struct rte_mbuf *m = test_mbuf_from(r->pool, r->pkt.data, r->pkt.caplen, 0);
		struct sc_seg seg;

		assert_int_equal(sc_packet_parse(m, r->pkt.link, &seg), SC_R_NONE);
		target_learn(r->t, &seg, seg.dport == 80);
		rte_pktmbuf_free(m);
	}
	sc_capture_reader_close(r->reader);
}

static void
start(struct run *r, const struct golden_case *c)
{
	static struct sc_rule rules[4];
	unsigned int nb = 0;
	struct sc_err err;
	struct sc_replay_cfg cfg = {
			.steer = &r->steer,
			.rules = rules,
			.targets = r->target,
			.nb_targets = 2,
			.stats = &r->st,
			.max_flows = 64,
			.max_tombs = 64,
			.held_bytes = 1 << 20,
			.copy_below = 512,
			.copies = c->copies,
			.sample_pct = 100,
			.is_file = true,
			.gate_quiet_min_us = 200000,
			.mtu = 1500,
			.session_timeout_s = 600,
			.speed = 1,
			.now_us = START_US,
	};

	assert_int_equal(sc_rules_parse("10.2.0.1:80-10.9.0.2:8080,[fd02::1]:80-[fd09::2]:8080",
					 rules, &nb, 4, &err),
			0);
	cfg.nb_rules = nb;
	cfg.pool = r->pool;
	assert_int_equal(sc_steer_init(&r->steer, 1, 1, &err), 0);
	for (unsigned int i = 0; i < 2; i++) {
		r->target[i] = (struct sc_replay_target){
				.addr = rules[i].target, .port = 8080, .l2 = &l2};
		r->target[i].path = &r->path[i];
	}
	if (c->has_pool) {
		assert_int_equal(sc_pool_parse("10.50.0.1-3,fd50::1", &r->clients, &err), 0);
		cfg.clients = &r->clients;
	}
	r->e = sc_replay_create(&cfg, &err);
	assert_non_null(r->e);
}

/* Captured frames that are due. */
static void
mirror(struct run *r)
{
	struct sc_mirror_seg ms[BURST_MAX];
	uint16_t n = 0;

	for (; r->has_pkt; next_packet(r)) {
		uint64_t cap_us = START_US + (r->pkt.ts_ns - r->first_ns) / 1000;
		struct rte_mbuf *m;

		if (cap_us > r->now_us)
			break;
		m = test_mbuf_from(r->pool, r->pkt.data, r->pkt.caplen, 0);
		r->st.c[SC_C_MIRROR_POLLED]++;
		assert_int_equal(sc_packet_parse(m, r->pkt.link, &ms[n].seg), SC_R_NONE);
		assert_int_equal(sc_replay_classify(r->e, &ms[n]), SC_R_NONE);
		ms[n].seg.cap_us = cap_us;
		if (++n == r->burst) {
			sc_replay_mirror(r->e, ms, n, r->now_us);
			n = 0;
		}
	}
	sc_replay_mirror(r->e, ms, n, r->now_us);
}

static void
records(struct run *r)
{
	struct sc_record rec[BURST_MAX];
	uint16_t n = 0;

	while (target_respond(r->t, r->now_us, &rec[n])) {
		if (++n == r->burst) {
			sc_replay_records(r->e, rec, n, r->now_us);
			n = 0;
		}
	}
	sc_replay_records(r->e, rec, n, r->now_us);
}

static void
transmit(struct run *r)
{
	struct rte_mbuf *m[BURST_MAX];
	uint16_t n;

	test_reached(&r->st);
	while ((n = sc_replay_tx(r->e, m, r->burst)) > 0) {
		r->st.c[SC_C_TX_TAKEN] += n;
		for (uint16_t i = 0; i < n; i++) {
			struct sc_seg seg;

			assert_int_equal(m[i]->nb_segs, 1);
			pcapfile_packet(r->out, r->now_us * 1000,
					rte_pktmbuf_mtod(m[i], const void *), m[i]->pkt_len,
					m[i]->pkt_len);
			assert_int_equal(sc_packet_parse(m[i], SC_LINK_ETHER, &seg), SC_R_NONE);
			target_take(r->t, &seg);
		}
		rte_pktmbuf_free_bulk(m, n);
	}
}

static void
check(struct run *r, const struct golden_case *c)
{
	struct sc_ledger_result res;
	struct sc_err what;

	if (!sc_ledger_check_one(&r->st, &res))
		fail_msg("%s: %llu is not %llu", res.fault[0].equation,
				(unsigned long long)res.fault[0].left,
				(unsigned long long)res.fault[0].right);
	if (!sc_replay_audit(r->e, &what))
		fail_msg("%s", what.text);
	assert_true(r->st.c[SC_C_BYTES_DELIVERED] > 0);
	assert_int_equal(r->st.c[SC_C_TX_RETRANSMIT], 0);
	if (c->is_partial)
		assert_true(sc_ledger_fidelity(&r->st) < 1);
	else
		assert_true(sc_ledger_fidelity(&r->st) == 1);
}

void
golden_run(const struct golden_case *c, const char *in, const char *out, uint16_t burst)
{
	static struct rte_mempool *pool;
	struct run *r = calloc(1, sizeof(*r));
	struct sc_err err;
	unsigned int ticks = 0;

	assert_non_null(r);
	if (pool == NULL)
		pool = test_pool("golden", 1023, 2048);
	r->pool = pool;
	r->burst = burst;
	r->now_us = START_US;
	r->t = target_new(c->target_mss);
	learn(r, in);
	r->reader = sc_capture_reader_open(&in, 1, &err);
	if (r->reader == NULL)
		fail_msg("%s", err.text);
	next_packet(r);
	r->first_ns = r->pkt.ts_ns;
	r->out = pcapfile_open(out, PCAPFILE_US, false, PCAPFILE_ETHER);
	start(r, c);
	do {
		records(r);
		mirror(r);
		if (!r->has_pkt)
			sc_replay_drain(r->e, r->now_us);
		sc_replay_timers(r->e, r->now_us);
		transmit(r);
		r->now_us += GOLDEN_TICK_US;
		assert_true(ticks++ < TICKS_MAX);
	} while (r->has_pkt || !sc_replay_is_idle(r->e));
	check(r, c);
	pcapfile_close(r->out);
	sc_capture_reader_close(r->reader);
	sc_replay_destroy(r->e);
	target_free(r->t);
	sc_pool_free(&r->clients);
	sc_steer_free(&r->steer);
	free(r);
	assert_int_equal(rte_mempool_avail_count(pool), 1023);
}
