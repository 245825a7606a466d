/* SPDX-License-Identifier: BSD-3-Clause */
/* The guard of sc_tx and what waits behind it. */
#include <netinet/in.h>
#include <reached.h>
#include <string.h>
#include <test_eal.h>

#include "bed.h"

#define BUILT(b) ((b)->cell[0].live.c[SC_C_TX_BUILT])
#define COUNT(b, name) ((b)->cell[0].live.c[SC_C_##name])
#define REFUSED(b, reason) ((b)->cell[0].live.m[SC_M_GUARD_REFUSED][SC_R_##reason])

/* What a frame says; all zero is one that may go: 10.1.0.5:40000 to 10.9.0.2:8080 by its MAC. */
struct says {
	const char *what;
	const char *src, *dst;
	uint16_t dport;
	const uint8_t *mac;
	uint8_t nb_vlan;
};

static struct rte_mbuf *
frame(struct bed *b, const struct says *f)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(b->pool);
	struct sc_l2_tmpl l2 = {.nb_vlan = f->nb_vlan, .vlan_tci = {100, 200}};
	struct sc_tx_hdr h = {.l2 = &l2,
			.sport = 40000,
			.dport = f->dport != 0 ? f->dport : 8080,
			.seq = 1,
			.ack = 1,
			.flags = SC_TCP_ACK};

	assert_non_null(m);
	memcpy(&l2.dst, f->mac != NULL ? f->mac : bed_hop_mac(0), 6);
	memcpy(&l2.src, BED_MAC, 6);
	assert_int_equal(sc_addr_parse(f->src != NULL ? f->src : "10.1.0.5", &h.src), 0);
	assert_int_equal(sc_addr_parse(f->dst != NULL ? f->dst : "10.9.0.2", &h.dst), 0);
	assert_int_equal(sc_packet_build(m, &h), 0);
	return m;
}

static struct bed *
ports(unsigned int slots, uint16_t nb_txq)
{
	struct bed *b = bed_new();

	b->tx_slots = slots;
	b->nb_txq = nb_txq;
	bed_start_ports(b);
	return b;
}

/* frames built = guard_refused + taken + waiting + abandoned (DESIGN: wire). */
static void
check_wire(struct bed *b, const struct sc_tx *tx)
{
	uint64_t sum = sc_stats_map_sum(&b->cell[0].live, SC_M_GUARD_REFUSED);

	test_reached(&b->cell[0].live);
	sum += COUNT(b, TX_TAKEN) + COUNT(b, TX_ABANDONED) + tx->nb_backlog;
	assert_int_equal(sum, BUILT(b));
}

static void
send_one(struct bed *b, struct sc_tx *tx, struct rte_mbuf *m)
{
	BUILT(b)++;
	sc_tx_send(tx, &m, 1);
	check_wire(b, tx);
}

/* Send one frame; was it let through? */
static bool
passes(struct bed *b, struct sc_tx *tx, struct rte_mbuf *m)
{
	struct rte_mbuf *out;

	send_one(b, tx, m);
	out = bed_take(b, tx->queue);
	rte_pktmbuf_free(out);
	return out != NULL;
}

static void
goes(struct bed *b, struct sc_tx *tx, const struct says *list, unsigned int nb)
{
	for (unsigned int i = 0; i < nb; i++)
		if (!passes(b, tx, frame(b, &list[i])))
			fail_msg("refused: %s", list[i].what);
	assert_int_equal(COUNT(b, TX_TAKEN), nb);
	assert_int_equal(sc_stats_map_sum(&b->cell[0].live, SC_M_GUARD_REFUSED), 0);
}

static void
refused(struct bed *b, struct sc_tx *tx, const struct says *f, enum sc_reason r)
{
	uint64_t before = b->cell[0].live.m[SC_M_GUARD_REFUSED][r];

	if (passes(b, tx, frame(b, f)))
		fail_msg("let through: %s", f->what);
	if (b->cell[0].live.m[SC_M_GUARD_REFUSED][r] != before + 1)
		fail_msg("not refused as %s: %s", sc_reason_name(r), f->what);
}

static void
test_passes(void **state)
{
	const struct says list[] = {
			{"v4", NULL, NULL, 0, NULL, 0},
			{"v6", "fd01::5", "fd09::2", 0, bed_hop_mac(1), 0},
			{"by gateway", NULL, "10.50.0.5", 8081, bed_hop_mac(2), 0},
			{"one tag", NULL, NULL, 0, NULL, 1},
			{"two tags", NULL, NULL, 0, NULL, 2},
			{"two tags v6", "fd01::5", "fd09::2", 0, bed_hop_mac(1), 2},
			{"a host of production's network", "10.2.0.2", NULL, 0, NULL, 0},
	};
	struct bed *b = ports(64, 0);
	struct sc_tx tx;

	sc_tx_init(&tx, &b->box, &b->cell[0].live, 0, 2, SC_TX_REPLAY);
	assert_null(tx.lock);
	goes(b, &tx, list, SC_ARRAY_SIZE(list));
	bed_end(b);
}

static void
test_refuses_target(void **state)
{
	const struct says list[] = {
			{"production itself", NULL, "10.2.0.1", 80, NULL, 0},
			{"a neighbour of the target", NULL, "10.9.0.3", 0, NULL, 0},
			{"the target's other port", NULL, NULL, 8081, NULL, 0},
			{"the other target's port", NULL, "10.50.0.5", 8080, bed_hop_mac(2), 0},
			{"the next hop", NULL, "10.9.0.254", 8081, bed_hop_mac(2), 0},
			{"the box", NULL, "10.9.0.1", 0, NULL, 0},
			{"v6 production", "fd01::5", "fd02::1", 80, bed_hop_mac(1), 0},
			{"v6 neighbour", "fd01::5", "fd09::3", 0, bed_hop_mac(1), 0},
			{"tagged, another port", NULL, NULL, 8081, NULL, 2},
	};
	struct bed *b = ports(64, 0);
	struct sc_tx tx;

	sc_tx_init(&tx, &b->box, &b->cell[0].live, 0, 2, SC_TX_REPLAY);
	for (unsigned int i = 0; i < SC_ARRAY_SIZE(list); i++)
		refused(b, &tx, &list[i], SC_R_GUARD_TARGET);
	assert_int_equal(COUNT(b, TX_TAKEN), 0);
	bed_end(b);
}

static void
test_refuses_next_hop(void **state)
{
	const uint8_t near[6] = {2, 0, 0, 0, 1, 0x80}, none[6] = {0};
	const uint8_t all[6] = {255, 255, 255, 255, 255, 255};
	const struct says list[] = {
			{"another MAC", NULL, NULL, 0, near, 0},
			{"the MAC of another target", NULL, NULL, 0, bed_hop_mac(1), 0},
			{"broadcast", NULL, NULL, 0, all, 0},
			{"zero", NULL, NULL, 0, none, 0},
			{"the box's own", NULL, NULL, 0, BED_MAC, 0},
			{"v6", "fd01::5", "fd09::2", 0, bed_hop_mac(0), 0},
			{"tagged", NULL, NULL, 0, near, 1},
	};
	struct bed *b = ports(64, 0);
	struct sc_tx tx;

	sc_tx_init(&tx, &b->box, &b->cell[0].live, 0, 2, SC_TX_REPLAY);
	for (unsigned int i = 0; i < SC_ARRAY_SIZE(list); i++)
		refused(b, &tx, &list[i], SC_R_GUARD_NEXT_HOP);
	atomic_store(&b->targets.nexthop[0].word, 0); /* not resolved: not even at MAC zero */
	refused(b, &tx, &(struct says){"not resolved", NULL, NULL, 0, none, 0},
			SC_R_GUARD_NEXT_HOP);
	/* never answered: there is no MAC to send to */
	atomic_store(&b->targets.nexthop[0].word, (uint64_t)SC_NEIGH_FAILED << 56);
	refused(b, &tx, &(struct says){"failed", NULL, NULL, 0, none, 0}, SC_R_GUARD_NEXT_HOP);
	refused(b, &tx, &(struct says){"failed, tagged", NULL, NULL, 0, none, 1},
			SC_R_GUARD_NEXT_HOP);
	bed_end(b);
}

static void
test_refuses_source(void **state)
{
	static const char *const v4[] = {"10.9.0.2", "10.50.0.5", "10.9.0.254", "10.9.0.1",
			"10.2.0.1", "224.0.0.1", "239.255.255.255", "127.0.0.1", "0.0.0.0",
			"255.255.255.255"};
	static const char *const v6[] = {"fd09::2", "fd09::1", "fd02::1", "ff02::1", "::1", "::"};
	struct bed *b = ports(64, 0);
	struct sc_tx tx;

	sc_tx_init(&tx, &b->box, &b->cell[0].live, 0, 2, SC_TX_REPLAY);
	for (unsigned int i = 0; i < SC_ARRAY_SIZE(v4); i++)
		refused(b, &tx, &(struct says){v4[i], v4[i], NULL, 0, NULL, i % 3},
				SC_R_GUARD_SOURCE);
	for (unsigned int i = 0; i < SC_ARRAY_SIZE(v6); i++)
		refused(b, &tx, &(struct says){v6[i], v6[i], "fd09::2", 0, bed_hop_mac(1), i % 3},
				SC_R_GUARD_SOURCE);
	bed_end(b);
}

/* A good frame with one byte changed. */
static struct rte_mbuf *
with_byte(struct bed *b, bool is_v6, unsigned int at, uint8_t value)
{
	struct says v6 = {"v6", "fd01::5", "fd09::2", 0, bed_hop_mac(1), 0}, v4 = {0};
	struct rte_mbuf *m = frame(b, is_v6 ? &v6 : &v4);

	*rte_pktmbuf_mtod_offset(m, uint8_t *, at) = value;
	return m;
}

static void
test_refuses_others(void **state)
{
	struct bed *b = ports(64, 0);
	struct sc_tx tx;

	sc_tx_init(&tx, &b->box, &b->cell[0].live, 0, 2, SC_TX_REPLAY);
	assert_false(passes(b, &tx, with_byte(b, false, 14 + 9, IPPROTO_UDP)));
	assert_false(passes(b, &tx, with_byte(b, false, 14 + 9, IPPROTO_ICMP)));
	assert_false(passes(b, &tx, with_byte(b, true, 14 + 6, IPPROTO_UDP)));
	assert_false(passes(b, &tx, with_byte(b, true, 14 + 6, 0))); /* hop-by-hop before TCP */
	assert_false(passes(b, &tx, with_byte(b, false, 12, 0x88))); /* an unknown ether type */
	assert_false(passes(b, &tx, with_byte(b, false, 13, 0x06))); /* ARP is not ours to send */
	assert_int_equal(REFUSED(b, GUARD_TARGET), 6);
	/* IP options move the ports: such a header is not ours */
	assert_false(passes(b, &tx, with_byte(b, false, 14, 0x46)));
	assert_false(passes(b, &tx, with_byte(b, false, 14, 0x65)));
	assert_false(passes(b, &tx, with_byte(b, true, 14, 0x45)));
	assert_int_equal(REFUSED(b, GUARD_TARGET), 9);
	bed_end(b);
}

static void
test_refuses_short(void **state)
{
	const struct says v6 = {"v6", "fd01::5", "fd09::2", 0, bed_hop_mac(1), 0};
	const struct says tagged = {"tagged", NULL, NULL, 0, NULL, 2}, v4 = {0};
	const struct {
		const struct says *says;
		uint16_t headers;
	} list[] = {{&v4, 14 + 20}, {&v6, 14 + 40}, {&tagged, 22 + 20}};
	struct bed *b = ports(64, 0);
	uint64_t nb = 0;
	struct sc_tx tx;

	sc_tx_init(&tx, &b->box, &b->cell[0].live, 0, 2, SC_TX_REPLAY);
	for (unsigned int i = 0; i < SC_ARRAY_SIZE(list); i++) {
		for (uint16_t len = 0; len < list[i].headers + 4; len++, nb++) {
			struct rte_mbuf *m = frame(b, list[i].says);

			m->data_len = len;
			m->pkt_len = len;
			assert_false(passes(b, &tx, m));
		}
	}
	assert_int_equal(REFUSED(b, GUARD_TARGET), nb);
	bed_end(b);
}

/* ---- neighbour frames ---- */

static struct rte_mbuf *
plain(struct bed *b, uint16_t ether_type, uint8_t proto, uint8_t type)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(b->pool);
	uint8_t *p = (uint8_t *)rte_pktmbuf_append(m, 80);

	memset(p, 0, 80);
	p[12] = (uint8_t)(ether_type >> 8);
	p[13] = (uint8_t)ether_type;
	p[14] = ether_type == RTE_ETHER_TYPE_IPV4 ? 0x45 : 0x60;
	p[14 + (ether_type == RTE_ETHER_TYPE_IPV4 ? 9 : 6)] = proto;
	p[14 + (ether_type == RTE_ETHER_TYPE_IPV4 ? 20 : 40)] = type;
	return m;
}

static void
test_neighbour(void **state)
{
	static const struct {
		uint16_t ether_type;
		uint8_t proto, type;
		bool passes;
	} list[] = {
			{RTE_ETHER_TYPE_ARP, 0, 0, true},
			{RTE_ETHER_TYPE_IPV4, IPPROTO_ICMP, 0, true},  /* echo reply */
			{RTE_ETHER_TYPE_IPV4, IPPROTO_ICMP, 8, false}, /* echo request */
			{RTE_ETHER_TYPE_IPV4, IPPROTO_ICMP, 3, false}, /* unreachable */
			{RTE_ETHER_TYPE_IPV4, IPPROTO_ICMP, 5, false}, /* redirect */
			{RTE_ETHER_TYPE_IPV4, IPPROTO_TCP, 0, false},
			{RTE_ETHER_TYPE_IPV4, IPPROTO_UDP, 0, false},
			{RTE_ETHER_TYPE_IPV6, IPPROTO_ICMPV6, 129, true},
			{RTE_ETHER_TYPE_IPV6, IPPROTO_ICMPV6, 135, true},
			{RTE_ETHER_TYPE_IPV6, IPPROTO_ICMPV6, 136, true},
			{RTE_ETHER_TYPE_IPV6, IPPROTO_ICMPV6, 128, false},
			{RTE_ETHER_TYPE_IPV6, IPPROTO_ICMPV6, 134, false}, /* advertises a router */
			{RTE_ETHER_TYPE_IPV6, IPPROTO_ICMPV6, 137, false},
			{RTE_ETHER_TYPE_IPV6, IPPROTO_TCP, 136, false},
			{0x88cc, 0, 0, false},
	};
	struct bed *b = ports(64, 0);
	uint64_t nb = 0;
	struct sc_tx tx;

	sc_tx_init(&tx, &b->box, &b->cell[0].live, 1, 2, SC_TX_NEIGHBOUR);
	assert_int_equal(tx.queue, 1);
	for (unsigned int i = 0; i < SC_ARRAY_SIZE(list); i++) {
		struct rte_mbuf *m = plain(b, list[i].ether_type, list[i].proto, list[i].type);
		struct rte_mbuf *out;

		sc_tx_send(&tx, &m, 1);
		out = bed_take(b, 1);
		if ((out != NULL) != list[i].passes)
			fail_msg("row %u", i);
		nb += out != NULL;
		rte_pktmbuf_free(out);
	}
	assert_int_equal(COUNT(b, NEIGH_TX), nb);
	assert_int_equal(COUNT(b, TX_TAKEN), 0); /* they are no part of the wire equation */
	assert_int_equal(sc_stats_map_sum(&b->cell[0].live, SC_M_GUARD_REFUSED), 0);
	bed_end(b);
}

/* ---- the backlog ---- */

static void
send_many(struct bed *b, struct sc_tx *tx, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		send_one(b, tx, frame(b, &(struct says){0}));
}

static void
test_backlog(void **state)
{
	struct bed *b = ports(64, 0);
	struct sc_tx tx;

	sc_tx_init(&tx, &b->box, &b->cell[0].live, 0, 2, SC_TX_REPLAY);
	assert_true(sc_tx_flush(&tx));
	send_many(b, &tx, 100);
	assert_int_equal(COUNT(b, TX_TAKEN), 63);
	assert_int_equal(COUNT(b, TX_BYTES), 63 * 54);
	assert_int_equal(tx.nb_backlog, 37);
	assert_false(sc_tx_flush(&tx));
	for (unsigned int i = 0; i < 10; i++)
		rte_pktmbuf_free(bed_take(b, 0));
	assert_false(sc_tx_flush(&tx));
	assert_int_equal(tx.nb_backlog, 27);
	check_wire(b, &tx);
	for (unsigned int i = 0; i < 63; i++)
		rte_pktmbuf_free(bed_take(b, 0));
	assert_true(sc_tx_flush(&tx));
	assert_int_equal(COUNT(b, TX_TAKEN), 100);
	assert_int_equal(COUNT(b, TX_BYTES), 100 * 54);
	assert_int_equal(COUNT(b, TX_ABANDONED), 0);
	bed_end(b);
}

static void
test_backlog_order(void **state)
{
	struct bed *b = ports(64, 0);
	struct rte_mbuf *sent[80], *m;
	struct sc_tx tx;

	sc_tx_init(&tx, &b->box, &b->cell[0].live, 0, 2, SC_TX_REPLAY);
	for (unsigned int i = 0; i < 80; i++) {
		m = sent[i] = frame(b, &(struct says){0});
		send_one(b, &tx, m);
	}
	for (unsigned int i = 0; i < 80; i++) {
		m = bed_take(b, 0);
		assert_ptr_equal(m, sent[i]);
		rte_pktmbuf_free(m);
		sc_tx_flush(&tx);
	}
	bed_end(b);
}

/* More than the backlog holds is dropped and counted; the rest is abandoned on demand. */
static void
test_backlog_full(void **state)
{
	const unsigned int room = SC_ARRAY_SIZE(((struct sc_tx *)NULL)->backlog);
	struct bed *b = ports(64, 0);
	struct sc_tx tx;

	sc_tx_init(&tx, &b->box, &b->cell[0].live, 0, 2, SC_TX_REPLAY);
	send_many(b, &tx, 63 + room);
	assert_int_equal(tx.nb_backlog, room);
	assert_int_equal(COUNT(b, TX_ABANDONED), 0);
	send_many(b, &tx, 5);
	assert_int_equal(COUNT(b, TX_ABANDONED), 5);
	sc_tx_abandon(&tx);
	assert_int_equal(tx.nb_backlog, 0);
	assert_int_equal(COUNT(b, TX_ABANDONED), 5 + room);
	assert_int_equal(COUNT(b, TX_TAKEN), 63);
	check_wire(b, &tx);
	sc_tx_abandon(&tx);
	assert_int_equal(COUNT(b, TX_ABANDONED), 5 + room);
	bed_end(b);
}

/* A burst of good and bad frames: the bad are refused where they stand, the good keep their order. */
static void
test_mixed_burst(void **state)
{
	struct bed *b = ports(128, 0);
	struct rte_mbuf *m[64], *good[32], *out;
	struct sc_tx tx;

	sc_tx_init(&tx, &b->box, &b->cell[0].live, 0, 2, SC_TX_REPLAY);
	for (unsigned int i = 0; i < 64; i++) {
		m[i] = frame(b, &(struct says){.dport = i % 2 == 0 ? 8080 : 9});
		if (i % 2 == 0)
			good[i / 2] = m[i];
	}
	BUILT(b) += 64;
	sc_tx_send(&tx, m, 64);
	check_wire(b, &tx);
	assert_int_equal(REFUSED(b, GUARD_TARGET), 32);
	for (unsigned int i = 0; i < 32; i++) {
		out = bed_take(b, 0);
		assert_ptr_equal(out, good[i]);
		rte_pktmbuf_free(out);
	}
	assert_null(bed_take(b, 0));
	bed_end(b);
}

/* A port with fewer queues than users: they share by lock, and the lock is given back. */
static void
test_shared_queue(void **state)
{
	struct bed *b = ports(64, 1);
	struct sc_tx tx[3];

	for (uint16_t i = 0; i < 3; i++) {
		sc_tx_init(&tx[i], &b->box, &b->cell[0].live, i, 3, SC_TX_REPLAY);
		assert_int_equal(tx[i].queue, 0);
		assert_ptr_equal(tx[i].lock, &b->box.tx_lock[0]);
	}
	for (unsigned int i = 0; i < 30; i++) {
		send_one(b, &tx[i % 3], frame(b, &(struct says){0}));
		assert_false(rte_spinlock_is_locked(tx[0].lock));
	}
	assert_int_equal(COUNT(b, TX_TAKEN), 30);
	bed_end(b);
}

/* Some queues have two users and some one: all users of one queue have its lock. */
static void
test_queues_and_locks(void **state)
{
	struct bed *b = ports(64, 2);
	struct sc_tx tx[3];

	for (uint16_t i = 0; i < 3; i++)
		sc_tx_init(&tx[i], &b->box, &b->cell[0].live, i, 3, SC_TX_REPLAY);
	assert_int_equal(tx[0].queue, 0);
	assert_int_equal(tx[1].queue, 1);
	assert_int_equal(tx[2].queue, 0);
	assert_non_null(tx[0].lock);
	assert_ptr_equal(tx[0].lock, tx[2].lock);
	assert_ptr_not_equal(tx[0].lock, tx[1].lock);
	bed_end(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_passes),
			cmocka_unit_test(test_refuses_target),
			cmocka_unit_test(test_refuses_next_hop),
			cmocka_unit_test(test_refuses_source),
			cmocka_unit_test(test_refuses_others),
			cmocka_unit_test(test_refuses_short),
			cmocka_unit_test(test_neighbour),
			cmocka_unit_test(test_backlog),
			cmocka_unit_test(test_backlog_order),
			cmocka_unit_test(test_backlog_full),
			cmocka_unit_test(test_mixed_burst),
			cmocka_unit_test(test_shared_queue),
			cmocka_unit_test(test_queues_and_locks),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
