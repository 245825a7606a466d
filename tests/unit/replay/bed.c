/* SPDX-License-Identifier: BSD-3-Clause */
#include "bed.h"

#include <arpa/inet.h>
#include <reached.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <test_eal.h>

#define POOL_SIZE 4096
#define START_US (1700000000ull * BED_S)

const bool bed_v4 = false, bed_v6 = true;

static struct rte_mempool *pool;
static struct bed bed; /* one at a time */
static uint8_t bytes[70000];

/* ---- the engine ---- */

static void
set_defaults(struct bed *b)
{
	struct sc_replay_cfg *cfg = &b->cfg;
	unsigned int nb = 0;

	assert_int_equal(sc_rules_parse("10.2.0.1:80-10.9.0.2:8080,[fd02::1]:80-[fd09::2]:8080,"
					"81-10.9.0.2:8080,82-[fd09::2]:8080",
					 b->rule, &nb, 4, NULL),
			0);
	assert_int_equal(sc_steer_init(&b->steer, 1, 1, NULL), 0);
	for (int i = 0; i < 2; i++) {
		b->target[i].addr = b->rule[i].target;
		b->target[i].port = b->rule[i].target_port;
		b->target[i].l2 = &b->l2;
		b->target[i].path = &b->path[i];
		atomic_store(&b->path[i].state, SC_PATH_OPEN);
	}
	memset(b->l2.dst.addr_bytes, 0x22, 6);
	memset(b->l2.src.addr_bytes, 0x44, 6);
	*cfg = (struct sc_replay_cfg){
			.steer = &b->steer,
			.rules = b->rule,
			.nb_rules = nb,
			.targets = b->target,
			.nb_targets = 2,
			.pool = pool,
			.stats = &b->st,
			.max_flows = 32,
			.max_tombs = 64,
			.held_bytes = 1 << 20,
			.copy_below = 512,
			.copies = 1,
			.sample_pct = 100,
			.gate_quiet_min_us = 200 * BED_MS,
			.mtu = 1500,
			.session_timeout_s = 600,
			.speed = 1,
			.now_us = START_US,
	};
}

struct bed *
bed_new(const void *is_v6, bed_tune_fn tune)
{
	struct bed *b = &bed;
	struct sc_err err;

	if (pool == NULL)
		pool = test_pool("bed", POOL_SIZE, 2048);
	memset(b, 0, sizeof(*b));
	b->v6 = is_v6 != NULL && *(const bool *)is_v6;
	b->sent = calloc(BED_SENT_MAX, sizeof(*b->sent));
	assert_non_null(b->sent);
	set_defaults(b);
	if (tune != NULL)
		tune(b);
	b->now_us = b->cfg.now_us;
	b->pool_free = rte_mempool_avail_count(pool);
	b->e = sc_replay_create(&b->cfg, &err);
	if (b->e == NULL)
		fail_msg("%s", err.text);
	return b;
}

void
bed_end(struct bed *b)
{
	struct sc_stats *st = &b->st;

	while (!sc_replay_stop(b->e, b->now_us))
		bed_collect(b);
	bed_collect(b);
	bed_check(b);
	assert_true(sc_replay_is_idle(b->e));
	assert_int_equal(st->c[SC_C_FLOWS_EMBRYONIC_NOW], 0);
	assert_int_equal(st->c[SC_C_FLOWS_LIVE_NOW], 0);
	assert_int_equal(st->c[SC_C_SESSIONS_LIVE_NOW], 0);
	assert_int_equal(st->c[SC_C_CONNS_OPEN_NOW], 0);
	assert_int_equal(st->c[SC_C_BYTES_IN_FLIGHT_NOW], 0);
	assert_int_equal(st->c[SC_C_BYTES_WAITING_NOW], 0);
	assert_int_equal(st->c[SC_C_HELD_BYTES_NOW], 0);
	assert_int_equal(st->c[SC_C_ANSWER_SPAN_NOW], 0);
	assert_int_equal(st->c[SC_C_SPAN_NOW], 0);
	sc_replay_destroy(b->e);
	sc_steer_free(&b->steer);
	sc_pool_free(&b->clients);
	free(b->sent);
	assert_int_equal(rte_mempool_avail_count(pool), b->pool_free);
}

void
bed_check(struct bed *b)
{
	struct sc_ledger_result res;
	struct sc_err what;

	test_reached(&b->st);
	if (!sc_ledger_check_one(&b->st, &res))
		fail_msg("%s: %llu is not %llu", res.fault[0].equation,
				(unsigned long long)res.fault[0].left,
				(unsigned long long)res.fault[0].right);
	if (!sc_replay_audit(b->e, &what))
		fail_msg("%s", what.text);
}

uint64_t
bed_c(struct bed *b, enum sc_counter c)
{
	return b->st.c[c];
}

uint64_t
bed_m(struct bed *b, enum sc_map m, enum sc_reason r)
{
	return b->st.m[m][r];
}

/* ---- frames out ---- */

/* What every frame must be, whatever it says. */
static void
check_frame(struct bed *b, struct rte_mbuf *m, const struct sc_seg *s)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);

	assert_int_equal(m->nb_segs, 1);
	assert_memory_equal(p, b->l2.dst.addr_bytes, 6);
	assert_memory_equal(p + 6, b->l2.src.addr_bytes, 6);
	assert_int_equal(s->csum, SC_CSUM_GOOD);
	assert_int_equal(s->dport, 8080);
	assert_int_equal(s->wnd, 65535);
	assert_false(s->opts & SC_OPT_SACK_OK);
	assert_false(s->flags & (SC_TCP_ECE | SC_TCP_CWR));
	assert_true(m->pkt_len <= b->cfg.mtu + 14u);
	if (sc_addr_is_v4(&s->dst)) {
		assert_int_equal(s->ip_id, 0);
		assert_int_equal(p[20], 0x40); /* DF */
		assert_int_equal(p[22], 64);   /* TTL */
	} else {
		assert_int_equal(p[21], 64);
	}
}

static void
keep_sent(struct bed *b, struct rte_mbuf *m)
{
	struct sent *s = &b->sent[b->nb_sent];

	assert_true(b->nb_sent < BED_SENT_MAX);
	assert_int_equal(sc_packet_parse(m, SC_LINK_ETHER, &s->seg), SC_R_NONE);
	check_frame(b, m, &s->seg);
	s->at_us = b->now_us;
	assert_true(s->seg.payload_len <= BED_PAYLOAD_MAX);
	sc_packet_copy_payload(&s->seg, 0, s->seg.payload_len, s->payload);
	s->seg.mbuf = NULL;
	b->nb_sent++;
}

void
bed_collect(struct bed *b)
{
	struct rte_mbuf *m[32];
	uint16_t n;

	while ((n = sc_replay_tx(b->e, m, 32)) > 0) {
		b->st.c[SC_C_TX_TAKEN] += n;
		for (uint16_t i = 0; i < n; i++)
			keep_sent(b, m[i]);
		rte_pktmbuf_free_bulk(m, n);
	}
	bed_check(b);
}

struct sent *
bed_take_from(struct bed *b, int line)
{
	static struct sent taken;

	if (b->nb_sent == 0)
		fail_msg("line %d: nothing was sent", line);
	taken = b->sent[0];
	memmove(b->sent, b->sent + 1, --b->nb_sent * sizeof(*b->sent));
	return &taken;
}

void
bed_silent_at(struct bed *b, int line)
{
	if (b->nb_sent > 0)
		fail_msg("line %d: %u frames sent; the first has flags 0x%02x and %u bytes", line,
				b->nb_sent, b->sent[0].seg.flags, b->sent[0].seg.payload_len);
}

void
bed_forget(struct bed *b)
{
	b->nb_sent = 0;
}

void
bed_run(struct bed *b, uint64_t us)
{
	uint64_t end = b->now_us + us;

	for (;;) {
		uint64_t step = SC_MAX(sc_replay_next(b->e, b->now_us), 256u);

		b->now_us = SC_MIN(b->now_us + step, end);
		sc_replay_timers(b->e, b->now_us);
		bed_collect(b);
		if (b->now_us == end)
			return;
	}
}

/* ---- mirror ---- */

struct conv *
bed_conv(struct bed *b)
{
	struct conv *c = &b->conv[b->nb_convs];

	assert_true(b->nb_convs < BED_CONVS_MAX);
	*c = (struct conv){.b = b,
			.v6 = b->v6,
			.cport = (uint16_t)(30000 + b->nb_convs),
			.sport = 80,
			.cisn = 0xfffffff0u + b->nb_convs * 1000003u,
			.pnxt = 0x7ffffff0u + b->nb_convs * 7919u,
			.opts = SC_OPT_MSS | SC_OPT_WSCALE | SC_OPT_TS,
			.mss = 1400,
			.ip_id = 1,
			.tsval = 1000,
			.tisn = 0xffffff80u,
			.twnd = 512,
			.tmss = 1400,
			.twscale = 7,
			.target = b->v6};
	strcpy(c->client, b->v6 ? "fd01::5" : "10.1.0.5");
	strcpy(c->server, b->v6 ? "fd02::1" : "10.2.0.1");
	c->cnxt = c->cisn;
	c->tnxt = c->tisn;
	b->nb_convs++;
	return c;
}

uint8_t
conv_byte(uint32_t seq)
{
	return (uint8_t)(seq * 31 + (seq >> 8) + 1);
}

void
bed_flush(struct bed *b)
{
	uint16_t n = b->nb_batch;

	b->nb_batch = 0;
	sc_replay_mirror(b->e, b->batch, n, b->now_us);
	bed_collect(b);
}

static void
add_options(const struct conv *c, const struct test_frame *f, uint8_t *opts, size_t *len)
{
	*len = 0;
	if ((f->flags & SC_TCP_SYN) && (c->opts & SC_OPT_MSS))
		test_opt(opts, len, 2, 4, c->mss);
	if ((f->flags & SC_TCP_SYN) && (c->opts & SC_OPT_WSCALE))
		test_opt(opts, len, 3, 3, 7);
	if (f->flags & SC_TCP_SYN)
		test_opt(opts, len, 4, 2, 0); /* SACK-permitted: never passed on */
	if (c->opts & SC_OPT_TS)
		test_opt(opts, len, 8, 10, (uint64_t)c->tsval << 32);
}

/* As a NIC hashes a frame of TCP. */
void
bed_hash(const struct bed *b, struct rte_mbuf *m)
{
	struct sc_seg seg;

	assert_int_equal(sc_packet_parse(m, SC_LINK_ETHER, &seg), SC_R_NONE);
	m->hash.rss = 0x10001u
			* b->steer.toeplitz[sc_fold_tuple(
					&seg.src, &seg.dst, seg.sport, seg.dport)];
	m->ol_flags |= RTE_MBUF_F_RX_RSS_HASH;
	m->packet_type = RTE_PTYPE_L2_ETHER | RTE_PTYPE_L4_TCP;
}

static enum sc_reason
put_frame(struct conv *c, enum sc_half half, struct test_frame *f)
{
	struct bed *b = c->b;
	struct sc_mirror_seg *ms = &b->batch[b->nb_batch];
	bool is_client = half == SC_HALF_CLIENT;
	enum sc_reason r;
	uint8_t opts[40];
	struct rte_mbuf *m;

	f->src = is_client ? c->client : c->server;
	f->dst = is_client ? c->server : c->client;
	f->sport = is_client ? c->cport : c->sport;
	f->dport = is_client ? c->sport : c->cport;
	f->wnd = 501;
	f->urg = c->urg;
	f->ip_id = c->v6 ? 0 : c->ip_id;
	f->opts = opts;
	add_options(c, f, opts, &f->opts_len);
	m = test_frame_mbuf(pool, f);
	b->st.c[SC_C_MIRROR_POLLED]++;
	if (b->is_hashed) {
		bed_hash(b, m);
		if (sc_replay_sieve_unread(b->e, &m, 1, b->now_us) == 0) {
			bed_check(b);
			return SC_R_SHED_UNREAD;
		}
	}
	if (b->is_sieved && sc_replay_sieve(b->e, &m, 1, b->is_hashed, b->now_us) == 0) {
		bed_check(b);
		return SC_R_SHED_ADMISSION;
	}
	r = sc_packet_parse(m, SC_LINK_ETHER, &ms->seg);
	if (r == SC_R_NONE)
		r = sc_replay_classify(b->e, ms);
	if (r != SC_R_NONE) {
		b->st.m[SC_M_FRAME_REFUSED][r]++;
		rte_pktmbuf_free(m);
		return r;
	}
	assert_int_equal(ms->half, half);
	ms->seg.cap_us = b->cap_us != 0 ? b->cap_us : b->now_us;
	b->nb_batch++;
	if (!b->is_batched)
		bed_flush(b);
	return SC_R_NONE;
}

enum sc_reason
conv_frame_with(struct conv *c, enum sc_half half, struct test_frame *f)
{
	enum sc_reason r = put_frame(c, half, f);

	if (c->b->is_twice)
		assert_int_equal(put_frame(c, half, f), r);
	return r;
}

enum sc_reason
conv_frame(struct conv *c, enum sc_half half, uint8_t flags, uint32_t seq, uint32_t ack,
		uint32_t len)
{
	struct test_frame f = {
			.flags = flags, .seq = seq, .ack = ack, .payload = bytes, .len = len};

	for (uint32_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(conv_byte(seq + i) + c->fill);
	c->ip_id++;
	c->tsval++;
	return conv_frame_with(c, half, &f);
}

void
conv_syn(struct conv *c)
{
	conv_frame(c, SC_HALF_CLIENT, SC_TCP_SYN, c->cisn, 0, 0);
	c->cnxt = c->cisn + 1;
}

void
conv_synack(struct conv *c)
{
	conv_frame(c, SC_HALF_PRODUCTION, SC_TCP_SYN | SC_TCP_ACK, c->pnxt, c->cnxt, 0);
	c->pnxt++;
}

void
conv_ack(struct conv *c)
{
	conv_frame(c, SC_HALF_CLIENT, SC_TCP_ACK, c->cnxt, c->pnxt, 0);
}

void
conv_say(struct conv *c, uint32_t n)
{
	conv_frame(c, SC_HALF_CLIENT, SC_TCP_ACK | SC_TCP_PSH, c->cnxt, c->pnxt, n);
	c->cnxt += n;
}

void
conv_answer(struct conv *c, uint32_t n)
{
	conv_frame(c, SC_HALF_PRODUCTION, SC_TCP_ACK, c->pnxt, c->cnxt, n);
	c->pnxt += n;
}

void
conv_fin(struct conv *c)
{
	conv_frame(c, SC_HALF_CLIENT, SC_TCP_FIN | SC_TCP_ACK, c->cnxt, c->pnxt, 0);
	c->cnxt++;
}

void
conv_rst(struct conv *c)
{
	conv_frame(c, SC_HALF_CLIENT, SC_TCP_RST | SC_TCP_ACK, c->cnxt, c->pnxt, 0);
}

void
conv_prod_fin(struct conv *c)
{
	conv_frame(c, SC_HALF_PRODUCTION, SC_TCP_FIN | SC_TCP_ACK, c->pnxt, c->cnxt, 0);
	c->pnxt++;
}

void
conv_prod_ack(struct conv *c)
{
	conv_frame(c, SC_HALF_PRODUCTION, SC_TCP_ACK, c->pnxt, c->cnxt, 0);
}

/* ---- target ---- */

static void
add_syn_options(const struct conv *c, struct sc_record *rec)
{
	if (c->tmss != 0) {
		rec->mss = c->tmss;
		rec->syn_bits |= SC_REC_MSS;
	}
	if (c->opts & SC_OPT_WSCALE) {
		rec->wscale = c->twscale;
		rec->syn_bits |= SC_REC_WSCALE;
	}
}

void
conv_record(struct conv *c, uint8_t flags, uint32_t seq, uint32_t ack, uint16_t len)
{
	struct bed *b = c->b;
	struct sc_record rec = {
			.rx_us = b->now_us,
			.client = c->raddr,
			.port = c->rport,
			.target = c->target,
			.seq = seq,
			.ack = ack,
			.len = len,
			.wnd = flags & SC_TCP_SYN ? 64240 : c->twnd,
			.flags = flags,
			.segs = 1,
	};

	if (c->opts & SC_OPT_TS) {
		rec.segs |= SC_REC_TS;
		rec.tsval = sc_clock_tsval(b->now_us) + 77;
	}
	if (flags & SC_TCP_SYN)
		add_syn_options(c, &rec);
	sc_replay_records(b->e, &rec, 1, b->now_us);
	bed_collect(b);
}

struct sent *
conv_take_syn(struct conv *c)
{
	struct sent *s = bed_take(c->b);

	assert_int_equal(s->seg.flags, SC_TCP_SYN);
	assert_int_equal(s->seg.ack, 0);
	assert_int_equal(s->seg.payload_len, 0);
	c->raddr = s->seg.src;
	c->rport = s->seg.sport;
	c->tack = s->seg.seq + 1;
	c->tnxt = c->tisn;
	return s;
}

void
conv_target_synack(struct conv *c)
{
	conv_record(c, SC_TCP_SYN | SC_TCP_ACK, c->tisn, c->tack, 0);
	c->tnxt = c->tisn + 1;
}

void
conv_target_ack(struct conv *c)
{
	conv_record(c, SC_TCP_ACK, c->tnxt, c->tack, 0);
}

void
conv_target_answer(struct conv *c, uint16_t n)
{
	c->tnxt += n;
	conv_record(c, SC_TCP_ACK | SC_TCP_PSH, c->tnxt - n, c->tack, n);
}

void
conv_target_fin(struct conv *c)
{
	conv_record(c, SC_TCP_ACK | SC_TCP_FIN, c->tnxt++, c->tack, 0);
}

void
conv_target_rst(struct conv *c)
{
	conv_record(c, SC_TCP_RST | SC_TCP_ACK, c->tnxt, c->tack, 0);
}

struct sent *
conv_expect_one(struct conv *c, uint8_t flags, uint32_t seq, uint32_t len, int line)
{
	struct sent *s = bed_take_from(c->b, line);
	uint32_t ack = flags & SC_TCP_ACK ? c->tnxt : s->seg.ack;

	if ((s->seg.flags & ~SC_TCP_PSH) != flags || s->seg.payload_len != len || s->seg.seq != seq
			|| s->seg.ack != ack)
		fail_msg("line %d: sent flags 0x%02x, %u bytes, SEQ %x, ACK %x; wanted 0x%02x, %u "
			 "bytes, SEQ %x, ACK %x",
				line, s->seg.flags, s->seg.payload_len, s->seg.seq, s->seg.ack,
				flags, len, seq, ack);
	assert_true(sc_addr_eq(&s->seg.src, &c->raddr));
	assert_int_equal(s->seg.sport, c->rport);
	for (uint32_t i = 0; i < len; i++)
		assert_int_equal(s->payload[i], conv_byte(seq - c->shift + i));
	if (!(flags & SC_TCP_RST))
		assert_int_equal(s->seg.opts, c->opts & SC_OPT_TS);
	if (s->seg.opts & SC_OPT_TS)
		assert_int_equal(s->seg.tsval, sc_clock_tsval(s->at_us));
	return s;
}

struct sent *
conv_expect_next(struct conv *c, uint8_t flags, uint32_t len, int line)
{
	struct sent *s = conv_expect_one(c, flags, c->tack, len, line);

	c->tack += len + ((flags & SC_TCP_FIN) != 0);
	return s;
}

/* ---- common ways ---- */

void
conv_shake(struct conv *c)
{
	conv_syn(c);
	c->b->now_us += BED_MS;
	conv_synack(c);
	c->b->now_us += 10 * BED_MS;
	conv_ack(c);
}

void
conv_open(struct conv *c)
{
	conv_shake(c);
	conv_take_syn(c);
	conv_target_synack(c);
	conv_expect(c, SC_TCP_ACK, 0);
	bed_silent(c->b);
}

void
conv_open_said(struct conv *c, uint32_t n)
{
	conv_open(c);
	conv_say(c, n);
	conv_expect(c, SC_TCP_ACK, n);
	conv_target_ack(c);
	bed_silent(c->b);
}

void
conv_close(struct conv *c)
{
	conv_fin(c);
	conv_expect(c, SC_TCP_FIN | SC_TCP_ACK, 0);
	conv_record(c, SC_TCP_FIN | SC_TCP_ACK, c->tnxt, c->tack, 0);
	c->tnxt++;
	conv_expect(c, SC_TCP_ACK, 0);
	bed_silent(c->b);
}
