/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * records: response records fed to a live engine. The input is a program: 3 bytes of configuration,
 * then steps of one byte and what they need: the mirror shows a conversation, the target answers
 * what it was sent, rightly or wrongly, time goes by. tests/fuzz/seeds.py writes such programs.
 */
#include <string.h>

#include "../unit/replay/bed.h"
#include "fuzz.h"

#define STEPS_MAX 256
#define RUN_MAX_US (900 * BED_S)
#define PEERS 16
#define SEQ_NEAR 3000 /* a 16-bit distance stands for this many bytes and more to each side */

/* A connection as the target sees it. */
struct peer {
	struct sc_addr addr;
	uint16_t port, target;
	uint32_t rcv, snd; /* next sequence numbers */
	uint32_t tsval;    /* of the replay's newest segment */
};

struct run {
	struct bed *b;
	struct fuzz_in in;
	struct peer peer[PEERS];
	struct peer nobody; /* before anything was sent */
	unsigned int nb_peers, next_peer;
	uint64_t end_us;
	bool is_draining;
};

static uint8_t mode[3];
static struct sc_steer steer;

/* The table of owners is the same for every input, and read-only: made once. */
int __real_sc_steer_init(
		struct sc_steer *s, uint16_t nb_workers, uint32_t entries, struct sc_err *err);
int __wrap_sc_steer_init(
		struct sc_steer *s, uint16_t nb_workers, uint32_t entries, struct sc_err *err);
void __wrap_sc_steer_free(struct sc_steer *s);

int
__wrap_sc_steer_init(struct sc_steer *s, uint16_t nb_workers, uint32_t entries, struct sc_err *err)
{
	int ret = 0;

	if (steer.nb_workers == 0)
		ret = __real_sc_steer_init(&steer, nb_workers, entries, err);
	*s = steer;
	return ret;
}

void
__wrap_sc_steer_free(struct sc_steer *s)
{
	memset(s, 0, sizeof(*s));
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_begin_eal();
	return 0;
}

static void
tune(struct bed *b)
{
	struct sc_replay_cfg *cfg = &b->cfg;

	cfg->max_flows = 12;
	cfg->max_tombs = 8;
	cfg->held_bytes = mode[0] & 0x02 ? 8192 : 1 << 16;
	cfg->copy_below = mode[0] & 0x04 ? 0 : 512;
	cfg->open_on_syn = mode[0] & 0x08;
	cfg->is_file = mode[0] & 0x10;
	cfg->only_full = mode[0] & 0x20;
	cfg->pace_think = mode[0] & 0x40;
	cfg->speed = mode[0] & 0x80 ? 0 : 1;
	cfg->copies = 1 + (mode[1] & 3);
	cfg->gate = (mode[1] >> 2) % 3;
	cfg->latency = (mode[1] >> 4) % 3;
	cfg->latency_us = 30 * BED_MS;
	/* seldom: its slots take longer than all the rest */
	if ((mode[1] & 0xc0) == 0xc0) {
		assert_int_equal(sc_pool_parse("10.50.0.1,fd50::1", &b->clients, NULL), 0);
		cfg->clients = &b->clients;
	}
	cfg->max_lag_us = mode[2] & 4 ? 5 * BED_S : 0;
	cfg->mtu = mode[2] & 1 ? 576 : 1500;
	if (mode[2] & 2)
		for (int i = 0; i < 2; i++)
			atomic_store(&b->path[i].state, SC_PATH_UNPROVEN);
}

/* ---- what the target learns of the frames that were sent ---- */

static struct peer *
peer_of(struct run *r, const struct sc_seg *s)
{
	struct peer *p = r->peer;

	for (unsigned int i = 0; i < r->nb_peers; i++, p++)
		if (sc_addr_eq(&p->addr, &s->src) && p->port == s->sport
				&& p->target == !sc_addr_is_v4(&s->dst))
			return p;
	p = &r->peer[r->next_peer++ % PEERS];
	r->nb_peers += r->nb_peers < PEERS;
	*p = (struct peer){.addr = s->src,
			.port = s->sport,
			.target = !sc_addr_is_v4(&s->dst),
			.snd = s->seq ^ 0x80000000u,
			.rcv = s->seq};
	return p;
}

static void
learn(struct run *r)
{
	struct bed *b = r->b;

	for (unsigned int i = 0; i < b->nb_sent; i++) {
		const struct sc_seg *s = &b->sent[i].seg;
		struct peer *p = peer_of(r, s);

		p->rcv = s->seq + s->payload_len + ((s->flags & (SC_TCP_SYN | SC_TCP_FIN)) != 0);
		p->tsval = s->tsval;
	}
	bed_forget(b);
}

static void
give(struct run *r, struct sc_record *rec)
{
	rec->rx_us = r->b->now_us;
	sc_replay_records(r->b->e, rec, 1, r->b->now_us);
	bed_collect(r->b);
	learn(r);
}

static struct peer *
some_peer(struct run *r)
{
	if (r->nb_peers == 0)
		return &r->nobody;
	return &r->peer[fuzz_u8(&r->in) % r->nb_peers];
}

static struct sc_record
record_of(const struct peer *p, uint8_t flags, uint16_t len)
{
	return (struct sc_record){.client = p->addr,
			.port = p->port,
			.target = p->target,
			.seq = p->snd,
			.ack = p->rcv,
			.tsval = p->tsval + 5,
			.tsecr = p->tsval,
			.len = len,
			.wnd = 1000,
			.flags = flags,
			.segs = SC_REC_TS | 1};
}

/* As it should be: acknowledges all, says something, opens or closes. */
static void
target_says(struct run *r, uint8_t flags, uint16_t len)
{
	struct peer *p = some_peer(r);
	struct sc_record rec = record_of(p, flags | SC_TCP_ACK, len);

	if (flags & SC_TCP_SYN) {
		rec.mss = 1400;
		rec.wscale = 7;
		rec.syn_bits = SC_REC_MSS | SC_REC_WSCALE;
		rec.wnd = 64240;
	}
	p->snd += len + ((flags & (SC_TCP_SYN | SC_TCP_FIN)) != 0);
	give(r, &rec);
}

/* Near the truth. */
static void
target_errs(struct run *r)
{
	const struct peer *p = some_peer(r);
	uint8_t what = fuzz_u8(&r->in);
	struct sc_record rec = record_of(p, fuzz_u8(&r->in), 0);

	rec.seq += (uint32_t)(int16_t)fuzz_u16(&r->in) * (what & 1 ? SEQ_NEAR : 1);
	rec.ack += (uint32_t)(int16_t)fuzz_u16(&r->in) * (what & 2 ? SEQ_NEAR : 1);
	rec.len = what & 4 ? fuzz_u16(&r->in) : fuzz_u8(&r->in);
	rec.wnd = fuzz_u16(&r->in);
	if (what & 8)
		rec.segs = fuzz_u8(&r->in);
	if (what & 16) {
		rec.mss = fuzz_u16(&r->in);
		rec.wscale = fuzz_u8(&r->in) % 15; /* the parser's bound */
		rec.syn_bits = fuzz_u8(&r->in);
	}
	if (what & 32)
		rec.tsval = fuzz_u32(&r->in);
	give(r, &rec);
}

/* Nothing of it need be true but that one packet has addresses of one family. */
static void
target_raves(struct run *r)
{
	const struct peer *p = some_peer(r);
	uint8_t target = fuzz_u8(&r->in);
	struct sc_record rec = {.client = p->addr,
			.target = target < 2 ? p->target : target,
			.port = fuzz_u16(&r->in),
			.seq = fuzz_u32(&r->in),
			.ack = fuzz_u32(&r->in),
			.len = fuzz_u16(&r->in),
			.wnd = fuzz_u16(&r->in),
			.flags = fuzz_u8(&r->in),
			.segs = fuzz_u8(&r->in)};

	give(r, &rec);
}

/* ---- the mirror ---- */

static struct conv *
some_conv(struct run *r)
{
	struct bed *b = r->b;

	return b->nb_convs == 0 ? bed_conv(b) : &b->conv[fuzz_u8(&r->in) % b->nb_convs];
}

static void
new_conv(struct run *r)
{
	struct conv *c = some_conv(r);
	uint8_t how = fuzz_u8(&r->in);

	if (r->b->nb_convs < BED_CONVS_MAX / 2)
		c = bed_conv(r->b);
	c->opts = how & (SC_OPT_MSS | SC_OPT_WSCALE | SC_OPT_TS);
	c->sport = how & 0x08 ? 81 : 80;
	if (how & 0x10)
		c->mss = fuzz_u16(&r->in);
	if (how & 0x20) /* an old port: the same tuple again */
		c->cport = (uint16_t)(30000 + fuzz_u8(&r->in) % r->b->nb_convs);
	if (how & 0x40) {
		conv_syn(c);
		conv_synack(c);
		conv_ack(c);
	}
}

/* Any segment near what comes next; real ones go on from it, or not. */
static void
mirror_errs(struct run *r)
{
	struct conv *c = some_conv(r);
	uint8_t what = fuzz_u8(&r->in);
	uint8_t flags = fuzz_u8(&r->in);
	bool is_client = what & 1;
	uint32_t seq = is_client ? c->cnxt : c->pnxt;
	uint32_t ack = is_client ? c->pnxt : c->cnxt;
	uint32_t len = what & 2 ? fuzz_u16(&r->in) % 9000 : fuzz_u8(&r->in);

	seq += (uint32_t)(int16_t)fuzz_u16(&r->in) * (what & 4 ? SEQ_NEAR : 1);
	ack += (uint32_t)(int16_t)fuzz_u16(&r->in) * (what & 8 ? SEQ_NEAR : 1);
	c->urg = flags & SC_TCP_URG ? fuzz_u16(&r->in) : 0;
	c->fill = what & 0x20 ? 1 : 0;
	conv_frame(c, is_client ? SC_HALF_CLIENT : SC_HALF_PRODUCTION, flags, seq, ack, len);
	c->fill = 0;
	if (what & 0x10)
		*(is_client ? &c->cnxt : &c->pnxt) = seq + len;
	learn(r);
}

static void
mirror_closes(struct run *r)
{
	struct conv *c = some_conv(r);

	switch (fuzz_u8(&r->in) % 4) {
	case 0:
		conv_fin(c);
		return;
	case 1:
		conv_prod_fin(c);
		return;
	case 2:
		conv_rst(c);
		return;
	default:
		conv_prod_ack(c);
	}
}

/* ---- time ---- */

/* Deadlines run as they come at first, then ever later: a minute is not worth 15,000 rounds. */
static void
pass(struct run *r, uint64_t us)
{
	struct bed *b = r->b;
	uint64_t start = b->now_us, end = SC_MIN(start + us, r->end_us);

	while (b->now_us < end) {
		uint64_t due = SC_MAX(sc_replay_next(b->e, b->now_us), 256u);
		uint64_t late = SC_MAX(due, (b->now_us - start) / 8);

		b->now_us = SC_MIN(b->now_us + late, end);
		sc_replay_timers(b->e, b->now_us);
		bed_collect(b);
		learn(r);
	}
}

/* 1 us to 67 s. */
static void
some_time(struct run *r)
{
	uint8_t n = fuzz_u8(&r->in);

	pass(r, (8ull + (n & 7)) << (n >> 3) % 24);
}

static void
step(struct run *r)
{
	switch (fuzz_u8(&r->in) % 16) {
	case 0:
		new_conv(r);
		return;
	case 1:
		conv_say(some_conv(r), fuzz_small(&r->in) % 9000);
		return;
	case 2:
		conv_answer(some_conv(r), fuzz_small(&r->in) % 9000);
		return;
	case 3:
		mirror_errs(r);
		return;
	case 4:
		mirror_closes(r);
		return;
	case 5:
		target_says(r, SC_TCP_SYN, 0);
		return;
	case 6:
		target_says(r, SC_TCP_PSH, (uint16_t)fuzz_small(&r->in));
		return;
	case 7:
		target_says(r, SC_TCP_FIN, fuzz_u8(&r->in));
		return;
	case 8:
		target_says(r, SC_TCP_RST, 0);
		return;
	case 9:
	case 10:
		target_errs(r);
		return;
	case 11:
		target_raves(r);
		return;
	case 12:
		r->b->is_twice = fuzz_u8(&r->in) & 1;
		return;
	case 13:
		sc_replay_hold(r->b->e, fuzz_u8(&r->in) & 1);
		return;
	case 14:
		some_time(r);
		return;
	default:
		conv_ack(some_conv(r));
	}
}

/* The source has ended and the target says nothing any more. All must come to an end. */
static void
finish(struct run *r)
{
	struct bed *b = r->b;

	sc_replay_hold(b->e, false);
	sc_replay_drain(b->e, b->now_us);
	r->end_us = b->now_us + 8 * BED_S;
	pass(r, 8 * BED_S);
	bed_end(b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct run run;
	struct run *r = &run;

	memset(r, 0, sizeof(*r));
	r->in = (struct fuzz_in){.p = data, .left = size};
	for (size_t i = 0; i < sizeof(mode); i++)
		mode[i] = fuzz_u8(&r->in);
	r->b = bed_new(mode[0] & 1 ? &bed_v6 : &bed_v4, tune);
	r->end_us = r->b->now_us + RUN_MAX_US;
	r->nobody = (struct peer){.port = 30000};
	assert_int_equal(sc_addr_parse("10.1.0.5", &r->nobody.addr), 0);
	for (unsigned int n = 0; n < STEPS_MAX && r->in.left > 0; n++) {
		step(r);
		learn(r);
	}
	finish(r);
	return 0;
}
