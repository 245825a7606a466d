/* SPDX-License-Identifier: BSD-3-Clause */
#include "ic_fix.h"

#include <arpa/inet.h>
#include <reached.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_arp.h>

#include "frame.h"
#include "sc_test.h"
#include "test_eal.h"

#define POOL_SIZE 2047

const uint8_t FIX_BOX[6] = {2, 0, 0, 0, 0, 0x99};
const uint8_t FIX_TARGET[6] = {2, 0, 0, 0, 0, 0x02};
const uint8_t FIX_OTHER[6] = {2, 0, 0, 0, 0, 0x77};
const uint8_t FIX_ALL[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
char fix_log[1024];
unsigned int fix_warnings;

static void
keep_log(enum sc_log_level level, const char *area, const char *text, void *arg)
{
	(void)area;
	(void)arg;
	if (level > SC_LOG_WARN)
		return;
	fix_warnings++;
	snprintf(fix_log, sizeof(fix_log), "%s", text);
}

int
fix_group_setup(void **state)
{
	sc_log_set_sink(keep_log, NULL);
	sc_log_set_level(SC_LOG_DEBUG);
	return test_eal_setup(state);
}

int
fix_group_teardown(void **state)
{
	return test_eal_teardown(state);
}

struct sc_addr
fix_addr(const char *text)
{
	struct sc_addr a;

	assert_int_equal(sc_addr_parse(text, &a), 0);
	return a;
}

static void
build_targets(struct fix *f)
{
	const struct sc_addr gateway = fix_addr("10.9.0.254");
	struct sc_rule rules[8];
	struct sc_prefix box[2];
	unsigned int nb = 0;
	struct sc_err err;

	assert_int_equal(sc_rules_parse("80-10.9.0.2:80,81-[fd00:9::2]:80,82-10.50.0.5:8080", rules,
					 &nb, 8, &err),
			0);
	assert_int_equal(sc_prefix_parse("10.9.0.1/24", &box[0]), 0);
	assert_int_equal(sc_prefix_parse("fd00:9::1/64", &box[1]), 0);
	assert_int_equal(sc_targets_build(&f->ts, rules, nb, box, 2, &gateway, 1, NULL, &err), 0);
}

struct fix *
fix_new(void)
{
	struct fix *f = calloc(1, sizeof(*f));
	struct sc_err err;

	assert_non_null(f);
	build_targets(f);
	assert_int_equal(sc_steer_init(&f->steer, FIX_WORKERS, 128, &err), 0);
	memcpy(f->port.mac, FIX_BOX, 6);
	snprintf(f->port.name, sizeof(f->port.name), "test0");
	f->pool = test_pool("fix", POOL_SIZE, 2048);
	f->cfg = (struct sc_intercept_cfg){.targets = &f->ts,
			.steer = &f->steer,
			.port = &f->port,
			.pool = f->pool,
			.want_payload = f->want,
			.stats = &f->stats,
			.nb_workers = FIX_WORKERS,
			.neighbour_limit = 900,
			.do_neighbours = true};
	for (unsigned int w = 0; w < FIX_WORKERS; w++) {
		char name[16];

		snprintf(name, sizeof(name), "rec%u", w);
		f->ring[w] = rte_ring_create_elem(name, sizeof(struct sc_record), 1024,
				SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
		assert_non_null(f->ring[w]);
		f->cfg.ring[w] = f->ring[w];
	}
	f->now = FIX_T0;
	fix_log[0] = '\0';
	fix_warnings = 0;
	return f;
}

void
fix_start(struct fix *f)
{
	struct sc_err err;

	f->ic = sc_intercept_create(&f->cfg, &err);
	assert_non_null(f->ic);
}

void
fix_start_pool(struct fix *f, const char *pool)
{
	struct sc_err err;

	assert_int_equal(sc_pool_parse(pool, &f->on_link, &err), 0);
	f->cfg.on_link = &f->on_link;
	fix_start(f);
}

void
fix_check(const struct fix *f)
{
	const struct sc_stats *s = &f->stats.live;

	test_reached(s);
	assert_int_equal(s->c[SC_C_RESP_POLLED],
			s->c[SC_C_RESP_NEIGHBOUR] + s->c[SC_C_RESP_RECORDS]
					+ sc_stats_map_sum(s, SC_M_RESP_REFUSED));
}

void
fix_free(struct fix *f)
{
	fix_check(f);
	sc_intercept_destroy(f->ic);
	for (unsigned int w = 0; w < FIX_WORKERS; w++)
		rte_ring_free(f->ring[w]);
	assert_int_equal(rte_mempool_avail_count(f->pool), POOL_SIZE);
	rte_mempool_free(f->pool);
	sc_steer_free(&f->steer);
	sc_pool_free(&f->on_link);
	free(f);
}

void
fix_feed_mbuf(struct fix *f, struct rte_mbuf *m)
{
	sc_intercept_burst(f->ic, &m, 1, f->now);
	fix_check(f);
}

void
fix_feed(struct fix *f, const uint8_t *bytes, size_t len)
{
	fix_feed_mbuf(f, test_mbuf_from(f->pool, bytes, len, 0));
}

void
fix_tick(struct fix *f, uint64_t ms)
{
	f->now += ms * SC_US_PER_MS;
	sc_intercept_tick(f->ic, f->now);
}

bool
fix_sent(struct fix *f, struct sent *s)
{
	struct rte_mbuf *m;

	if (sc_intercept_tx(f->ic, &m, 1) == 0)
		return false;
	s->len = rte_pktmbuf_pkt_len(m);
	assert_in_range(s->len, 60, sizeof(s->b));
	memcpy(s->b, rte_pktmbuf_mtod(m, const void *), s->len);
	rte_pktmbuf_free(m);
	assert_memory_equal(s->b + 6, FIX_BOX, 6);
	s->type = (uint16_t)(s->b[12] << 8 | s->b[13]);
	s->vid = 0;
	s->p = s->b + 14;
	if (s->type == RTE_ETHER_TYPE_VLAN) {
		s->vid = (uint16_t)(s->b[14] << 8 | s->b[15]);
		s->type = (uint16_t)(s->b[16] << 8 | s->b[17]);
		s->p = s->b + 18;
	}
	return true;
}

unsigned int
fix_flush(struct fix *f)
{
	struct rte_mbuf *m[64];
	unsigned int all = 0, n;

	while ((n = sc_intercept_tx(f->ic, m, 64)) > 0) {
		rte_pktmbuf_free_bulk(m, n);
		all += n;
	}
	return all;
}

void
fix_assert_silent(struct fix *f)
{
	assert_int_equal(fix_flush(f), 0);
}

uint64_t
fix_refused(const struct fix *f, enum sc_reason r)
{
	return f->stats.live.m[SC_M_RESP_REFUSED][r];
}

static void
put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static size_t
put_ether(uint8_t *b, const uint8_t *dst, const uint8_t *src, uint16_t vid, uint16_t type)
{
	size_t at = 12;

	memcpy(b, dst, 6);
	memcpy(b + 6, src, 6);
	if (vid != 0) {
		put16(b + 12, 0x8100);
		put16(b + 14, vid);
		at = 16;
	}
	put16(b + at, type);
	return at + 2;
}

void
fix_feed_arp(struct fix *f, const struct fix_arp *a)
{
	uint8_t b[64] = {0}, *p;

	p = b + put_ether(b, a->dst, a->src, a->vid, 0x0806);
	put16(p, 1);
	put16(p + 2, 0x0800);
	p[4] = 6;
	p[5] = 4;
	put16(p + 6, a->op);
	memcpy(p + 8, a->src, 6);
	assert_int_equal(inet_pton(AF_INET, a->sip, p + 14), 1);
	if (a->op == 2)
		memcpy(p + 18, a->dst, 6);
	assert_int_equal(inet_pton(AF_INET, a->tip, p + 24), 1);
	fix_feed(f, b, 60);
}

static void
put_ip6(uint8_t *ip, const char *src, const char *dst, uint16_t len, uint8_t hops)
{
	ip[0] = 0x60;
	put16(ip + 4, len);
	ip[6] = 58;
	ip[7] = hops;
	assert_int_equal(inet_pton(AF_INET6, src, ip + 8), 1);
	assert_int_equal(inet_pton(AF_INET6, dst, ip + 24), 1);
}

static void
put_icmp6_sum(uint8_t *ip, size_t len, bool is_broken)
{
	uint16_t sum;

	put16(ip + 42, 0);
	sum = (uint16_t)~test_sum16(ip + 8, 32 + len, (uint32_t)len + 58);
	put16(ip + 42, is_broken ? sum ^ 1 : sum);
}

void
fix_feed_nd(struct fix *f, const struct fix_nd *n)
{
	uint8_t b[512] = {0}, *ip;
	uint16_t need = n->opt != 0 ? 32 : 24, len = n->len != 0 ? n->len : need;

	ip = b + put_ether(b, n->dst, n->src, 0, 0x86dd);
	put_ip6(ip, n->sip, n->dip, len, n->hops != 0 ? n->hops : 255);
	ip[40] = n->type;
	ip[44] = n->flags;
	assert_int_equal(inet_pton(AF_INET6, n->target, ip + 48), 1);
	if (n->opt != 0) {
		ip[64] = n->opt;
		ip[65] = 1;
		memcpy(ip + 66, n->src, 6);
	}
	if (len > need) {
		ip[40 + need] = 200;
		ip[41 + need] = (uint8_t)((len - need) / 8);
	}
	put_icmp6_sum(ip, len, n->is_broken);
	fix_feed_mbuf(f, test_mbuf_from(f->pool, b, 14u + 40u + len, len > need ? 50 : 0));
}

static size_t
put_icmp4(uint8_t *ip, const struct fix_icmp *i, size_t len)
{
	uint16_t sum;

	ip[0] = 0x45;
	put16(ip + 2, (uint16_t)(20 + len));
	ip[8] = 64;
	ip[9] = 1;
	assert_int_equal(inet_pton(AF_INET, i->sip, ip + 12), 1);
	assert_int_equal(inet_pton(AF_INET, i->dip, ip + 16), 1);
	put16(ip + 10, (uint16_t)~test_sum16(ip, 20, 0));
	sum = (uint16_t)~test_sum16(ip + 20, len, 0);
	put16(ip + 22, i->is_broken ? sum ^ 1 : sum);
	return 20 + len;
}

void
fix_feed_icmp(struct fix *f, const struct fix_icmp *i)
{
	bool v6 = strchr(i->sip, ':') != NULL;
	size_t hdr = v6 ? 40 : 20, len = 8 + i->data;
	uint8_t b[FIX_FRAME_MAX] = {0}, *ip;

	ip = b + put_ether(b, i->dst, i->src, 0, v6 ? 0x86dd : 0x0800);
	ip[hdr] = i->type;
	ip[hdr + 1] = i->code;
	put16(ip + hdr + 4, 0x1234);
	put16(ip + hdr + 6, 7);
	for (size_t k = 0; k < i->data; k++)
		ip[hdr + 8 + k] = (uint8_t)(k * 7);
	if (v6) {
		put_ip6(ip, i->sip, i->dip, (uint16_t)len, 64);
		put_icmp6_sum(ip, len, i->is_broken);
	} else {
		put_icmp4(ip, i, len);
	}
	fix_feed_mbuf(f, test_mbuf_from(f->pool, b, 14 + hdr + len, i->cut));
}

void
fix_assert_arp(const struct sent *s, uint16_t op, const uint8_t *dst, const char *sip,
		const char *tip)
{
	static const uint8_t fixed[6] = {0, 1, 8, 0, 6, 4};
	uint8_t addr[4];

	assert_int_equal(s->type, 0x0806);
	assert_memory_equal(s->b, dst, 6);
	assert_memory_equal(s->p, fixed, sizeof(fixed));
	assert_int_equal(s->p[6] << 8 | s->p[7], op);
	assert_memory_equal(s->p + 8, FIX_BOX, 6);
	assert_int_equal(inet_pton(AF_INET, sip, addr), 1);
	assert_memory_equal(s->p + 14, addr, 4);
	assert_int_equal(inet_pton(AF_INET, tip, addr), 1);
	assert_memory_equal(s->p + 24, addr, 4);
}

void
fix_assert_nd(const struct sent *s, uint8_t type, const uint8_t *dst, const char *sip,
		const char *dip, const char *target)
{
	size_t len = (size_t)(s->p[4] << 8 | s->p[5]);
	uint8_t addr[16];

	assert_int_equal(s->type, 0x86dd);
	assert_memory_equal(s->b, dst, 6);
	assert_int_equal(s->p[6], 58);
	assert_int_equal(s->p[7], 255);
	assert_int_equal(inet_pton(AF_INET6, sip, addr), 1);
	assert_memory_equal(s->p + 8, addr, 16);
	assert_int_equal(inet_pton(AF_INET6, dip, addr), 1);
	assert_memory_equal(s->p + 24, addr, 16);
	assert_int_equal(s->p[40], type);
	assert_int_equal(inet_pton(AF_INET6, target, addr), 1);
	assert_memory_equal(s->p + 48, addr, 16);
	assert_int_equal(test_sum16(s->p + 8, 32 + len, (uint32_t)len + 58), 0xffff);
}
