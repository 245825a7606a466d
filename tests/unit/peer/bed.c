/* SPDX-License-Identifier: BSD-3-Clause */
#include "bed.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sc_test.h"
#include "test_eal.h"

#define POOL_SIZE 4095u

/* ---- tape ---- */

struct tape
tape_new(struct pcapfile *f, unsigned int n)
{
	return (struct tape){.f = f,
			.ts_ns = 1600000000000000000ull,
			.client = BED_CLIENT,
			.prod = BED_PROD,
			.cport = (uint16_t)(40000 + n),
			.pport = 80,
			.cseq = BED_ISN + n * 1000000,
			.pseq = BED_PROD_ISN + n * 1000000};
}

struct tape
tape_new6(struct pcapfile *f, unsigned int n)
{
	struct tape t = tape_new(f, n);

	t.client = BED_CLIENT6;
	t.prod = BED_PROD6;
	return t;
}

void
tape_raw(struct tape *t, bool is_client, const struct test_frame *frame)
{
	static uint8_t buf[TEST_FRAME_MAX];
	struct test_frame f = *frame;
	uint32_t len;

	f.src = is_client ? t->client : t->prod;
	f.dst = is_client ? t->prod : t->client;
	f.sport = is_client ? t->cport : t->pport;
	f.dport = is_client ? t->pport : t->cport;
	f.wnd = 60000;
	len = (uint32_t)test_frame_bytes(&f, buf, sizeof(buf));
	pcapfile_packet(t->f, t->ts_ns, buf, len, len);
	t->ts_ns += 1000000;
}

static uint32_t
seq_len(uint8_t flags, const char *text)
{
	return (uint32_t)strlen(text) + ((flags & SC_TCP_SYN) != 0) + ((flags & SC_TCP_FIN) != 0);
}

void
tape_client(struct tape *t, uint8_t flags, const char *text)
{
	tape_raw(t, true,
			&(struct test_frame){.flags = flags,
					.seq = t->cseq,
					.ack = (flags & SC_TCP_ACK) != 0 ? t->pseq : 0,
					.payload = text,
					.len = strlen(text)});
	t->cseq += seq_len(flags, text);
}

void
tape_prod(struct tape *t, uint8_t flags, const char *text)
{
	tape_raw(t, false,
			&(struct test_frame){.flags = flags,
					.seq = t->pseq,
					.ack = (flags & SC_TCP_ACK) != 0 ? t->cseq : 0,
					.payload = text,
					.len = strlen(text)});
	t->pseq += seq_len(flags, text);
}

void
tape_handshake(struct tape *t)
{
	tape_client(t, SC_TCP_SYN, "");
	tape_prod(t, SC_TCP_SYN | SC_TCP_ACK, "");
	tape_client(t, SC_TCP_ACK, "");
}

/* ---- bed ---- */

static struct sc_rule
rule(const char *prod, const char *target)
{
	struct sc_rule r = {.has_prod = true, .prod_port = 80, .target_port = 8080};

	assert_int_equal(sc_addr_parse(prod, &r.prod), 0);
	assert_int_equal(sc_addr_parse(target, &r.target), 0);
	return r;
}

void
bed_open(struct bed *b)
{
	static unsigned int serial; /* a test that failed leaves its pool behind */
	char name[16];

	memset(b, 0, sizeof(*b));
	pcapfile_temp(b->path);
	b->f = pcapfile_open(b->path, PCAPFILE_US, false, PCAPFILE_ETHER);
	snprintf(name, sizeof(name), "bed%u", serial++);
	b->pool = test_pool(name, POOL_SIZE, 2048);
	b->paths[0] = b->path;
	b->rules[0] = rule(BED_PROD, BED_TARGET);
	b->rules[1] = rule(BED_PROD6, BED_TARGET6);
	b->now = 1000000000;
	b->cfg = (struct sc_peer_cfg){.paths = b->paths,
			.nb_paths = 1,
			.rules = b->rules,
			.nb_rules = 2,
			.seed = 7,
			.pool = b->pool,
			.nb_rx_queues = 1,
			.nb_tx_queues = 2,
			.max_conns = 64};
}

void
bed_start(struct bed *b, const char *impair)
{
	struct sc_err err = {""};

	pcapfile_close(b->f);
	if (impair != NULL)
		assert_int_equal(sc_impair_parse(impair, &b->cfg.impair, &err), 0);
	b->peer = sc_peer_create(&b->cfg, &err);
	if (b->peer == NULL)
		fail_msg("%s", err.text);
}

void
bed_close(struct bed *b)
{
	sc_peer_destroy(b->peer);
	assert_int_equal(rte_mempool_avail_count(b->pool), POOL_SIZE);
	rte_mempool_free(b->pool);
	unlink(b->path);
}

void
bed_wait(struct bed *b, uint64_t us)
{
	for (uint64_t end = b->now + us; b->now < end;) {
		b->now += SC_MIN(1000u, end - b->now);
		sc_peer_poll(b->peer, b->now);
	}
}

bool
bed_get(struct bed *b, struct got *g)
{
	uint16_t port = sc_peer_port(b->peer)->id;
	struct rte_mbuf *m;

	memset(g, 0, sizeof(*g));
	if (rte_eth_rx_burst(port, 0, &m, 1) == 0) {
		sc_peer_poll(b->peer, b->now);
		if (rte_eth_rx_burst(port, 0, &m, 1) == 0)
			return false;
	}
	assert_int_equal(sc_packet_parse(m, SC_LINK_ETHER, &g->seg), SC_R_NONE);
	assert_int_equal(g->seg.csum, SC_CSUM_GOOD);
	assert_int_equal(sc_mbuf_meta(m)->link, SC_LINK_ETHER);
	sc_packet_copy_payload(&g->seg, 0, SC_MIN(g->seg.payload_len, 2048u), g->data);
	rte_pktmbuf_free(m);
	return true;
}

const struct sc_peer_stats *
bed_stats(struct bed *b)
{
	sc_peer_get_stats(b->peer, &b->st);
	return &b->st;
}

/* ---- client ---- */

struct client
client_new(struct bed *b, unsigned int n)
{
	return (struct client){.b = b,
			.src = "10.77.0.1",
			.dst = BED_TARGET,
			.sport = (uint16_t)(50000 + n),
			.dport = 8080,
			.seq = BED_ISN + n * 1000000,
			.wnd = 60000};
}

struct client
client_new6(struct bed *b, unsigned int n)
{
	struct client c = client_new(b, n);

	c.src = "2001:db8:77::1";
	c.dst = BED_TARGET6;
	return c;
}

static void
send_frame(struct client *c, uint32_t seq, uint8_t flags, const void *data, size_t len)
{
	struct test_frame f = {.src = c->src,
			.dst = c->dst,
			.sport = c->sport,
			.dport = c->dport,
			.seq = seq,
			.flags = flags,
			.wnd = c->wnd,
			.payload = data,
			.len = len};
	uint8_t opts[40];
	struct rte_mbuf *m;

	if ((flags & SC_TCP_ACK) != 0)
		f.ack = c->ack;
	if ((flags & SC_TCP_SYN) != 0) {
		test_opt(opts, &f.opts_len, 2, 4, 1460);
		if (c->has_ws)
			test_opt(opts, &f.opts_len, 3, 3, 4);
	}
	if (c->has_ts)
		test_opt(opts, &f.opts_len, 8, 10, (uint64_t)c->tsval << 32 | c->tsecr);
	f.opts = opts;
	memcpy(f.dst_mac, sc_peer_mac(c->b->peer), sizeof(f.dst_mac));
	memcpy(f.src_mac, sc_peer_port(c->b->peer)->mac, sizeof(f.src_mac));
	m = test_frame_mbuf(c->b->pool, &f);
	assert_int_equal(rte_eth_tx_burst(sc_peer_port(c->b->peer)->id, 1, &m, 1), 1);
}

void
client_send_bytes(struct client *c, uint8_t flags, const void *data, size_t len)
{
	send_frame(c, c->seq, flags, data, len);
	c->seq += (uint32_t)len + ((flags & SC_TCP_SYN) != 0) + ((flags & SC_TCP_FIN) != 0);
}

void
client_send(struct client *c, uint8_t flags, const char *text)
{
	client_send_bytes(c, flags, text, strlen(text));
}

void
client_send_at(struct client *c, uint32_t seq, uint8_t flags, const char *text)
{
	send_frame(c, seq, flags, text, strlen(text));
}

void
client_connect(struct client *c)
{
	struct got g;

	client_send(c, SC_TCP_SYN, "");
	assert_true(bed_get(c->b, &g));
	assert_int_equal(g.seg.flags, SC_TCP_SYN | SC_TCP_ACK);
	assert_int_equal(g.seg.ack, c->seq);
	c->ack = g.seg.seq + 1;
	c->tsecr = g.seg.tsval;
	client_send(c, SC_TCP_ACK, "");
}

void
client_expect(struct client *c, uint8_t flags, const char *text)
{
	struct got g;

	if (!bed_get(c->b, &g))
		fail_msg("nothing came, flags 0x%02x and \"%s\" expected", flags, text);
	assert_string_equal(g.data, text);
	assert_int_equal(g.seg.flags & ~SC_TCP_PSH, flags);
	assert_int_equal(g.seg.dport, c->sport);
	if ((flags & SC_TCP_RST) == 0 || (flags & SC_TCP_ACK) == 0)
		assert_int_equal(g.seg.seq, c->ack);
	if ((flags & SC_TCP_RST) == 0)
		assert_int_equal(g.seg.ack, c->seq);
	c->ack += g.seg.payload_len + ((g.seg.flags & SC_TCP_FIN) != 0);
	c->tsecr = g.seg.tsval;
}

void
client_expect_none(struct client *c)
{
	struct got g;

	if (bed_get(c->b, &g))
		fail_msg("flags 0x%02x and \"%s\" came, nothing expected", g.seg.flags, g.data);
}

void
bed_start_long(struct bed *b, unsigned int nb, const char *impair)
{
	static char text[1001];
	struct tape t;

	bed_open(b);
	t = tape_new(b->f, 0);
	tape_handshake(&t);
	tape_client(&t, SC_TCP_ACK, "q");
	for (unsigned int i = 0; i < nb / 1000; i++) {
		memset(text, 'a' + (int)(i % 26), 1000);
		tape_prod(&t, SC_TCP_ACK, text);
	}
	tape_prod(&t, SC_TCP_FIN | SC_TCP_ACK, "");
	bed_start(b, impair);
}

void
bed_start_text(struct bed *b, const char *text, const char *impair)
{
	struct tape t;

	bed_open(b);
	t = tape_new(b->f, 0);
	tape_handshake(&t);
	tape_client(&t, SC_TCP_ACK, text);
	tape_prod(&t, SC_TCP_ACK, "a");
	bed_start(b, impair);
}

uint32_t
client_take_all(struct client *c, struct got *g, unsigned int *nb)
{
	uint32_t bytes = 0;
	struct got one;

	memset(g, 0, sizeof(*g));
	for (*nb = 0; bed_get(c->b, &one); (*nb)++) {
		bytes += one.seg.payload_len;
		*g = one;
	}
	return bytes;
}
