/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whole conversations over a bad path, for many seeds: a client that retransmits gets every byte of
 * production's answers in order, the peer reads exactly the captured client bytes, and both ends
 * close. The client below shares nothing with the peer.
 */
#include <stdio.h>
#include <string.h>

#include "bed.h"
#include "sc_test.h"
#include "test_eal.h"

#define NB_SEEDS 60u
#define NB_CONNS 6u
#define TURNS 4u
#define STREAM_MAX 40000u
#define SEGMENT 700u
#define RTO_US 250000u
#define LIMIT_S 400u

/* The captured conversation, as both sides' whole streams. */
struct script {
	char up[STREAM_MAX], down[STREAM_MAX];
	uint32_t nb_up, nb_down;
	uint32_t up_at[TURNS + 1], down_at[TURNS + 1]; /* where turns begin */
	bool client_closes_first;
};

enum talk {
	TALK_SYN,
	TALK_OPEN,
	TALK_DONE
};

struct talker {
	struct client c;
	const struct script *s;
	enum talk state;
	uint32_t isn, irs;
	uint32_t una, nxt; /* client stream, FIN included */
	uint32_t got;      /* production stream, FIN included */
	uint32_t wnd;      /* peer's, from una */
	uint8_t ws;
	uint64_t resend_us;
};

static void
script_make(struct script *s, unsigned int conn, struct sc_rng *r)
{
	uint32_t n;

	memset(s, 0, sizeof(*s));
	for (unsigned int t = 0; t < TURNS; t++) {
		s->up_at[t] = s->nb_up;
		n = 1 + sc_rng_below(r, t == 1 ? 6000 : 300);
		for (uint32_t i = 0; i < n; i++)
			s->up[s->nb_up++] = (char)('a' + (i * 7 + t + conn) % 26);
		s->down_at[t] = s->nb_down;
		n = sc_rng_below(r, t == 2 ? 25000 : 900);
		for (uint32_t i = 0; i < n; i++)
			s->down[s->nb_down++] = (char)('A' + (i * 5 + t + conn) % 26);
	}
	s->up_at[TURNS] = s->nb_up;
	s->down_at[TURNS] = s->nb_down;
	s->client_closes_first = conn % 2 == 1;
}

static void
tape_bytes(struct tape *t, bool is_client, const char *data, uint32_t len)
{
	uint32_t n;

	for (uint32_t off = 0; off < len; off += n) {
		n = SC_MIN(len - off, 1448u);
		tape_raw(t, is_client,
				&(struct test_frame){.flags = SC_TCP_ACK,
						.seq = is_client ? t->cseq : t->pseq,
						.ack = is_client ? t->pseq : t->cseq,
						.payload = data + off,
						.len = n});
		*(is_client ? &t->cseq : &t->pseq) += n;
	}
}

static void
script_write(const struct script *s, struct tape *t)
{
	tape_handshake(t);
	for (unsigned int i = 0; i < TURNS; i++) {
		tape_bytes(t, true, s->up + s->up_at[i], s->up_at[i + 1] - s->up_at[i]);
		tape_bytes(t, false, s->down + s->down_at[i], s->down_at[i + 1] - s->down_at[i]);
	}
	if (s->client_closes_first)
		tape_client(t, SC_TCP_FIN | SC_TCP_ACK, "");
	tape_prod(t, SC_TCP_FIN | SC_TCP_ACK, "");
	if (!s->client_closes_first)
		tape_client(t, SC_TCP_FIN | SC_TCP_ACK, "");
}

/* How far the client may speak: the answers before are complete. FIN is one byte more. */
static uint32_t
allowed(const struct talker *t)
{
	const struct script *s = t->s;
	uint32_t n = 0;

	for (unsigned int i = 0; i < TURNS && t->got >= s->down_at[i]; i++)
		n = s->up_at[i + 1];
	if (n == s->nb_up && t->got >= s->nb_down + (s->client_closes_first ? 0 : 1))
		n++;
	return n;
}

static void
talk_segment(struct talker *t, uint32_t off, uint32_t len)
{
	uint8_t flags = SC_TCP_ACK;

	t->c.seq = t->isn + 1 + off;
	t->c.ack = t->irs + 1 + t->got;
	if (len > 0 && off + len > t->s->nb_up) {
		flags |= SC_TCP_FIN;
		len--;
	}
	t->c.tsval = (uint32_t)(t->c.b->now / 1000);
	client_send_bytes(&t->c, flags, t->s->up + off, len);
}

static void
talk_send(struct talker *t)
{
	uint32_t end = allowed(t), n;
	uint64_t now = t->c.b->now;

	if (t->resend_us != 0 && t->resend_us <= now) {
		t->nxt = t->una;
		t->resend_us = 0;
		if (t->wnd == 0 && t->una < end) { /* probe */
			talk_segment(t, t->una, 1);
			t->nxt++;
		}
	}
	end = SC_MIN(end, t->una + t->wnd);
	for (; t->nxt < end; t->nxt += n) {
		n = SC_MIN(end - t->nxt, SEGMENT);
		talk_segment(t, t->nxt, n);
	}
	if (t->resend_us == 0 && t->una < allowed(t))
		t->resend_us = now + RTO_US;
}

static void
talk_input(struct talker *t, const struct got *g)
{
	uint32_t off = g->seg.seq - (t->irs + 1), acked = g->seg.ack - (t->isn + 1) - t->una;
	bool is_fin = (g->seg.flags & SC_TCP_FIN) != 0;

	/* Only to a late copy of what the peer had and closed on. */
	if ((g->seg.flags & SC_TCP_RST) != 0) {
		assert_int_equal(t->got, t->s->nb_down + 1);
		assert_int_equal(t->una, t->s->nb_up + 1);
		return;
	}
	if (acked > 0 && acked <= 1u << 20) {
		t->una += acked;
		t->nxt = SC_MAX(t->nxt, t->una);
		t->resend_us = 0;
		assert_true(t->una <= allowed(t));
	}
	if (acked <= 1u << 20)
		t->wnd = (uint32_t)g->seg.wnd << t->ws;
	if (g->seg.payload_len == 0 && !is_fin)
		return;
	if (off == t->got) {
		assert_true(off + g->seg.payload_len <= t->s->nb_down);
		assert_memory_equal(g->data, t->s->down + off, g->seg.payload_len);
		t->got += g->seg.payload_len + is_fin;
		if (is_fin)
			assert_int_equal(t->got, t->s->nb_down + 1);
	}
	talk_segment(t, t->nxt, 0); /* an ACK, duplicate or not */
}

static void
talk_syn(struct talker *t, const struct got *g)
{
	if (g != NULL && g->seg.flags == (SC_TCP_SYN | SC_TCP_ACK)) {
		t->irs = g->seg.seq;
		t->ws = (g->seg.opts & SC_OPT_WSCALE) != 0 ? g->seg.wscale : 0;
		t->wnd = g->seg.wnd;
		t->state = TALK_OPEN;
		t->resend_us = 0;
		talk_segment(t, 0, 0);
		return;
	}
	if (t->resend_us > t->c.b->now)
		return;
	t->c.seq = t->isn;
	t->c.tsval = (uint32_t)(t->c.b->now / 1000);
	client_send(&t->c, SC_TCP_SYN, "");
	t->resend_us = t->c.b->now + RTO_US;
}

static void
talk_step(struct talker *t)
{
	if (t->state == TALK_SYN) {
		talk_syn(t, NULL);
		return;
	}
	if (t->state == TALK_OPEN)
		talk_send(t);
	if (t->got == t->s->nb_down + 1 && t->una == t->s->nb_up + 1)
		t->state = TALK_DONE;
}

/* All that the peer sent, to whom it belongs. */
static void
dispatch(struct bed *b, struct talker *talkers)
{
	struct talker *t;
	struct got g;

	while (bed_get(b, &g)) {
		t = &talkers[g.seg.dport - 50000];
		t->c.tsecr = g.seg.tsval;
		if (t->state == TALK_SYN)
			talk_syn(t, &g);
		else if ((g.seg.flags & SC_TCP_SYN) != 0)
			talk_segment(t, t->nxt, 0); /* our ACK of it was lost */
		else
			talk_input(t, &g);
	}
}

static unsigned int
run(struct bed *b, struct talker *talkers)
{
	unsigned int nb_done = 0;

	for (uint64_t ms = 0; ms < LIMIT_S * 1000; ms++) {
		nb_done = 0;
		for (unsigned int i = 0; i < NB_CONNS; i++) {
			talk_step(&talkers[i]);
			nb_done += talkers[i].state == TALK_DONE;
		}
		bed_wait(b, 1000);
		dispatch(b, talkers);
		sc_peer_get_stats(b->peer, &b->st);
		if (nb_done == NB_CONNS && b->st.closed == NB_CONNS)
			break;
	}
	return nb_done;
}

static void
storm(uint64_t seed, const char *impair)
{
	static struct script scripts[NB_CONNS];
	struct talker talkers[NB_CONNS];
	uint64_t up = 0, down = 0;
	struct sc_rng r;
	struct tape t;
	struct bed b;

	sc_rng_seed(&r, seed);
	bed_open(&b);
	b.cfg.seed = seed;
	memset(talkers, 0, sizeof(talkers));
	for (unsigned int i = 0; i < NB_CONNS; i++) {
		script_make(&scripts[i], i, &r);
		t = tape_new(b.f, i);
		script_write(&scripts[i], &t);
		talkers[i].c = client_new(&b, i);
		talkers[i].c.has_ts = (seed + i) % 3 == 0;
		talkers[i].c.has_ws = (seed + i) % 2 == 0;
		talkers[i].c.wnd = 8000;
		talkers[i].isn = talkers[i].c.seq;
		talkers[i].s = &scripts[i];
		up += scripts[i].nb_up;
		down += scripts[i].nb_down;
	}
	bed_start(&b, impair);
	if (run(&b, talkers) != NB_CONNS || b.st.closed != NB_CONNS)
		fail_msg("seed %u, \"%s\": %u of %u closed", (unsigned int)seed, impair,
				(unsigned int)b.st.closed, NB_CONNS);
	assert_int_equal(b.st.accepted, NB_CONNS);
	assert_int_equal(b.st.syn, NB_CONNS);
	assert_int_equal(b.st.bytes_in, up);
	assert_int_equal(b.st.bytes_in_ok, up);
	assert_int_equal(b.st.bytes_out, down);
	assert_int_equal(b.st.early, 0);
	assert_int_equal(b.st.refused_unknown, 0);
	bed_close(&b);
}

static void
test_clean_path(void **state)
{
	for (uint64_t seed = 1; seed <= 5; seed++)
		storm(seed, NULL);
}

static void
test_bad_paths(void **state)
{
	static const char *const paths[] = {"loss=2", "loss=10", "dup=10", "reorder=20",
			"delay=3ms,jitter=4ms", "loss=3,dup=3,reorder=5,delay=1ms",
			"window=2000,loss=1", "zerowin:500:700,zerowin:3000:400,loss=2",
			"drop:syn:1,drop:synack:1,drop:data:1,drop:answer:1,drop:fin:1,drop:fin:2",
			"drop:answer:3,drop:ack:1,drop:ack:2,drop:data:5,drop:fin:3"};

	for (uint64_t seed = 1; seed <= NB_SEEDS; seed++)
		storm(seed, paths[seed % SC_ARRAY_SIZE(paths)]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_clean_path),
			cmocka_unit_test(test_bad_paths),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
