/* SPDX-License-Identifier: BSD-3-Clause */
#include "frame.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "sc_test.h"

/* A writer of big-endian fields. */
struct out {
	uint8_t *p;
	size_t len, room;
};

static void
put(struct out *o, uint64_t value, size_t bytes)
{
	assert_true(o->len + bytes <= o->room);
	for (size_t i = 0; i < bytes; i++)
		o->p[o->len + i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
	o->len += bytes;
}

static void
put_mem(struct out *o, const void *data, size_t len)
{
	assert_true(o->len + len <= o->room);
	if (len > 0)
		memcpy(o->p + o->len, data, len);
	o->len += len;
}

static void
set16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

uint16_t
test_sum16(const void *data, size_t len, uint32_t start)
{
	const uint8_t *p = data;
	uint64_t sum = start;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint64_t)p[i] << 8 : p[i];
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

void
test_opt(uint8_t *buf, size_t *len, uint8_t kind, uint8_t opt_len, uint64_t value)
{
	buf[(*len)++] = kind;
	if (kind < 2)
		return;
	buf[(*len)++] = opt_len;
	for (int i = opt_len - 3; i >= 0; i--)
		buf[(*len)++] = i < 8 ? (uint8_t)(value >> (8 * i)) : 0;
}

static bool
is_v6(const struct test_frame *f)
{
	return f->src != NULL && strchr(f->src, ':') != NULL;
}

static void
put_addr(struct out *o, const char *text, const char *text_default, bool v6)
{
	uint8_t addr[16];

	text = text != NULL ? text : text_default;
	assert_int_equal(inet_pton(v6 ? AF_INET6 : AF_INET, text, addr), 1);
	put_mem(o, addr, v6 ? 16 : 4);
}

static void
put_mac(struct out *o, const uint8_t mac[6], uint64_t mac_default)
{
	static const uint8_t zero[6];

	if (memcmp(mac, zero, 6) != 0)
		put_mem(o, mac, 6);
	else
		put(o, mac_default, 6);
}

static uint16_t
first_type(const struct test_frame *f)
{
	uint16_t ip = is_v6(f) ? 0x86dd : 0x0800;

	if (f->nb_vlan == 0)
		return ip;
	return f->vlan_tpid[0] != 0 ? f->vlan_tpid[0] : 0x8100;
}

static void
put_tags(struct out *o, const struct test_frame *f)
{
	assert_true(f->nb_vlan <= SC_ARRAY_SIZE(f->vlan_tci));
	for (unsigned int i = 0; i < f->nb_vlan; i++) {
		put(o, f->vlan_tci[i], 2);
		if (i + 1 == f->nb_vlan)
			put(o, is_v6(f) ? 0x86dd : 0x0800, 2);
		else
			put(o, f->vlan_tpid[i + 1] != 0 ? f->vlan_tpid[i + 1] : 0x8100, 2);
	}
}

static void
put_link(struct out *o, const struct test_frame *f)
{
	switch (f->link) {
	case SC_LINK_ETHER:
		put_mac(o, f->dst_mac, 0x020000000002);
		put_mac(o, f->src_mac, 0x020000000001);
		put(o, first_type(f), 2);
		break;
	case SC_LINK_SLL:
		put(o, 0, 2); /* packet type: to us */
		put(o, 1, 2); /* ARPHRD_ETHER */
		put(o, 6, 2); /* address length */
		put_mac(o, f->src_mac, 0x020000000001);
		put(o, 0, 2); /* padding of the address to 8 */
		put(o, first_type(f), 2);
		break;
	case SC_LINK_SLL2:
		put(o, first_type(f), 2);
		put(o, 0, 2); /* reserved */
		put(o, 3, 4); /* interface index */
		put(o, 1, 2); /* ARPHRD_ETHER */
		put(o, 0, 1); /* packet type */
		put(o, 6, 1); /* address length */
		put_mac(o, f->src_mac, 0x020000000001);
		put(o, 0, 2);
		break;
	case SC_LINK_RAW:
		return;
	}
	put_tags(o, f);
}

static size_t
ext_len(const struct test_frame *f)
{
	size_t len = 0;

	assert_true(f->nb_ext <= SC_ARRAY_SIZE(f->ext));
	for (unsigned int i = 0; i < f->nb_ext; i++)
		len += 8u * (f->ext[i].units + 1u);
	return len;
}

static void
put_exts(struct out *o, const struct test_frame *f, uint8_t proto)
{
	for (unsigned int i = 0; i < f->nb_ext; i++) {
		size_t body = 8u * (f->ext[i].units + 1u) - 2;

		put(o, i + 1 < f->nb_ext ? f->ext[i + 1].type : proto, 1);
		put(o, f->ext[i].units, 1);
		for (size_t k = 0; k < body; k++)
			put(o, 0, 1);
	}
}

size_t
test_frame_tcp_len(const struct test_frame *f)
{
	assert_true(f->opts_len <= 40);
	return 20 + (f->opts_len + 3) / 4 * 4;
}

size_t
test_frame_l3_off(const struct test_frame *f)
{
	static const size_t link_len[] = {
			[SC_LINK_ETHER] = 14, [SC_LINK_SLL] = 16, [SC_LINK_SLL2] = 20};

	return f->link == SC_LINK_RAW ? 0 : link_len[f->link] + 4u * f->nb_vlan;
}

size_t
test_frame_l4_off(const struct test_frame *f)
{
	return test_frame_l3_off(f) + (is_v6(f) ? 40 + ext_len(f) : 20 + f->ip_opts_len);
}

/* Returns the pseudo-header's sum of protocol and addresses. */
static uint16_t
put_ip(struct out *o, const struct test_frame *f, size_t l4_len)
{
	uint8_t proto = f->proto != 0 ? f->proto : 6;
	size_t at = o->len;
	uint16_t sum;

	if (is_v6(f)) {
		put(o, 0x60000000, 4);
		put(o, f->ip_len_zero ? 0 : ext_len(f) + l4_len, 2);
		put(o, f->nb_ext > 0 ? f->ext[0].type : proto, 1);
		put(o, 64, 1);
		put_addr(o, f->src, NULL, true);
		put_addr(o, f->dst, NULL, true);
		put_exts(o, f, proto);
		return test_sum16(o->p + at + 8, 32, proto);
	}
	put(o, 0x45 + f->ip_opts_len / 4, 1);
	put(o, 0, 1);
	put(o, f->ip_len_zero ? 0 : 20 + f->ip_opts_len + l4_len, 2);
	put(o, f->ip_id, 2);
	put(o, f->ip_frag, 2);
	put(o, 64, 1);
	put(o, proto, 1);
	put(o, 0, 2);
	put_addr(o, f->src, "10.0.0.1", false);
	put_addr(o, f->dst, "10.0.0.2", false);
	put_mem(o, f->ip_opts, f->ip_opts_len);
	sum = (uint16_t)~test_sum16(o->p + at, o->len - at, 0);
	set16(o->p + at + 10, (uint16_t)(f->ip_csum_bad ? sum + 1 : sum));
	return test_sum16(o->p + at + 12, 8, proto);
}

static void
put_tcp(struct out *o, const struct test_frame *f)
{
	size_t len = test_frame_tcp_len(f);

	put(o, f->sport != 0 ? f->sport : 40000, 2);
	put(o, f->dport != 0 ? f->dport : 80, 2);
	put(o, f->seq, 4);
	put(o, f->ack, 4);
	put(o, len / 4 << 4, 1);
	put(o, f->flags, 1);
	put(o, f->wnd, 2);
	put(o, 0, 2);
	put(o, f->urg, 2);
	put_mem(o, f->opts, f->opts_len);
	put(o, 0, len - 20 - f->opts_len);
}

size_t
test_frame_bytes(const struct test_frame *f, uint8_t *buf, size_t room)
{
	struct out o = {.p = buf, .room = room};
	size_t l4_len = test_frame_tcp_len(f) + f->len, l4;
	uint16_t pseudo, csum;

	put_link(&o, f);
	pseudo = put_ip(&o, f, l4_len);
	l4 = o.len;
	put_tcp(&o, f);
	put_mem(&o, f->payload, f->len);
	pseudo = test_sum16(NULL, 0, pseudo + (uint32_t)l4_len);
	csum = (uint16_t)~test_sum16(buf + l4, l4_len, pseudo);
	if (f->csum == TEST_CSUM_PARTIAL)
		csum = pseudo;
	else if (f->csum == TEST_CSUM_BAD)
		csum++;
	set16(buf + l4 + 16, csum);
	for (size_t i = 0; i < f->trailer; i++)
		put(&o, 0xee, 1);
	return o.len;
}

struct rte_mbuf *
test_mbuf_cut(struct rte_mempool *mp, const uint8_t *bytes, size_t len, const size_t *cuts,
		size_t nb_cuts)
{
	struct rte_mbuf *head = NULL;
	size_t done = 0, i = 0;

	do {
		struct rte_mbuf *m = rte_pktmbuf_alloc(mp);
		size_t n = len - done;

		assert_non_null(m);
		if (nb_cuts > 0)
			n = RTE_MIN(n, cuts[RTE_MIN(i++, nb_cuts - 1)]);
		n = RTE_MIN(n, (size_t)rte_pktmbuf_tailroom(m));
		memcpy(rte_pktmbuf_append(m, (uint16_t)n), bytes + done, n);
		done += n;
		if (head == NULL)
			head = m;
		else
			assert_int_equal(rte_pktmbuf_chain(head, m), 0);
	} while (done < len);
	sc_mbuf_meta(head)->cap_us = 0;
	sc_mbuf_meta(head)->link = SC_LINK_ETHER;
	return head;
}

struct rte_mbuf *
test_mbuf_from(struct rte_mempool *mp, const uint8_t *bytes, size_t len, size_t cut)
{
	return test_mbuf_cut(mp, bytes, len, &cut, cut == 0 ? 0 : 1);
}

struct rte_mbuf *
test_frame_mbuf(struct rte_mempool *mp, const struct test_frame *f)
{
	uint8_t *buf = malloc(TEST_FRAME_MAX);
	struct rte_mbuf *m;
	size_t len;

	assert_non_null(buf);
	len = test_frame_bytes(f, buf, TEST_FRAME_MAX);
	m = test_mbuf_from(mp, buf, len, 0);
	sc_mbuf_meta(m)->link = (uint8_t)f->link;
	free(buf);
	return m;
}

void
test_seg_same(const struct sc_seg *a, const struct sc_seg *b)
{
	assert_int_equal(a->nb_vlan, b->nb_vlan);
	assert_memory_equal(&a->src, &b->src, sizeof(a->src));
	assert_memory_equal(&a->dst, &b->dst, sizeof(a->dst));
	assert_int_equal(a->sport, b->sport);
	assert_int_equal(a->dport, b->dport);
	assert_int_equal(a->seq, b->seq);
	assert_int_equal(a->ack, b->ack);
	assert_int_equal(a->wnd, b->wnd);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->tcp_off, b->tcp_off);
	assert_int_equal(a->urg, b->urg);
	assert_int_equal(a->ip_id, b->ip_id);
	assert_int_equal(a->opts, b->opts);
	assert_int_equal(a->wscale, b->wscale);
	assert_int_equal(a->mss, b->mss);
	assert_int_equal(a->tsval, b->tsval);
	assert_int_equal(a->tsecr, b->tsecr);
	assert_int_equal(a->csum, b->csum);
	assert_int_equal(a->payload_off, b->payload_off);
	assert_int_equal(a->payload_len, b->payload_len);
	assert_int_equal(a->payload_sum % 0xffff, b->payload_sum % 0xffff);
}
