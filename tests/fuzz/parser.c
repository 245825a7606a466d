/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * parser: a frame of any link type. Input: link type and NIC flags (1 byte), lengths of the first two
 * segments (2 bytes), the frame.
 */
#include <frame.h>
#include <string.h>

#include <sc_packet.h>

#include "fuzz.h"

#define FRAME_MAX 65535
#define HEAD 3
#define IP_CKSUM_GOOD 0x08 /* in the first byte: the header's own sum is not looked at */
#define NO_FLAGS_SENT ((uint8_t) ~(SC_TCP_ECE | SC_TCP_CWR))

static uint8_t payload[FRAME_MAX];
static struct rte_mbuf out_mbuf, *const out = &out_mbuf;
static uint8_t out_mem[FRAME_MAX + SC_TX_HDR_MAX];

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_begin();
	return 0;
}

static void
check_reason(enum sc_reason r)
{
	switch (r) {
	case SC_R_NONE:
	case SC_R_UNKNOWN_LINK:
	case SC_R_SHORT_FRAME:
	case SC_R_NOT_IP:
	case SC_R_BAD_IP_HEADER:
	case SC_R_IP_FRAGMENT:
	case SC_R_NOT_TCP:
	case SC_R_BAD_TCP_HEADER:
	case SC_R_TRUNCATED_FRAME:
	case SC_R_BAD_IP_CHECKSUM:
	case SC_R_BAD_L4_CHECKSUM:
		return;
	default:
		fail_msg("refused by the name %s", sc_reason_name(r));
	}
}

static void
check_segment(struct rte_mbuf *m, enum sc_link link, const struct sc_seg *s)
{
	uint32_t off = 0;
	unsigned int version = sc_packet_find_ip(m, link, &off);

	assert_int_equal(version, sc_addr_is_v4(&s->src) ? 4 : 6);
	assert_true(off + (version == 4 ? 20u : 40u) + 20 <= s->payload_off);
	assert_true(s->payload_off + s->payload_len <= m->pkt_len);
	assert_true(s->wscale <= 14);
	assert_true(s->nb_vlan <= 4);
	assert_true(sc_addr_is_v4(&s->src) == sc_addr_is_v4(&s->dst));
	sc_packet_copy_payload(s, 0, s->payload_len, payload);
	assert_int_equal(test_sum16(payload, s->payload_len, 0), s->payload_sum);
}

/* Headers built from what was read say the same, and their sums are right. */
static void
check_rebuilt(const struct sc_seg *s)
{
	static const struct sc_l2_tmpl l2;
	struct sc_tx_hdr h = {.l2 = &l2,
			.src = s->src,
			.dst = s->dst,
			.sport = s->sport,
			.dport = s->dport,
			.seq = s->seq,
			.ack = s->ack,
			.wnd = s->wnd,
			.urg = s->urg,
			.flags = s->flags,
			.opts = s->flags & SC_TCP_SYN ? s->opts : s->opts & SC_OPT_TS,
			.wscale = s->wscale,
			.mss = s->mss,
			.payload_sum = s->payload_sum,
			.tsval = s->tsval,
			.tsecr = s->tsecr};
	struct sc_seg back;

	memset(out, 0, sizeof(*out));
	out->buf_addr = out_mem;
	out->buf_len = UINT16_MAX;
	out->data_off = SC_TX_HDR_MAX;
	out->nb_segs = 1;
	out->pkt_len = s->payload_len;
	out->data_len = (uint16_t)s->payload_len;
	memcpy(out_mem + SC_TX_HDR_MAX, payload, s->payload_len);
	if (s->payload_len > 60000 || sc_packet_build(out, &h) < 0)
		return;
	assert_int_equal(sc_packet_parse(out, SC_LINK_ETHER, &back), SC_R_NONE);
	assert_int_equal(back.csum, SC_CSUM_GOOD);
	assert_memory_equal(&back.src, &s->src, sizeof(back.src));
	assert_memory_equal(&back.dst, &s->dst, sizeof(back.dst));
	assert_int_equal(back.seq, s->seq);
	assert_int_equal(back.ack, s->ack);
	assert_int_equal(back.flags, s->flags & NO_FLAGS_SENT);
	assert_int_equal(back.opts, h.opts);
	assert_int_equal(back.payload_len, s->payload_len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t uncut[FUZZ_CUTS];
	struct fuzz_chain cut, flat;
	struct sc_seg a, b;
	enum sc_reason r, again;
	enum sc_link link;
	uint64_t flags;

	if (size < HEAD || size > FRAME_MAX)
		return 0;
	link = data[0] & 7;
	flags = data[0] & IP_CKSUM_GOOD ? RTE_MBUF_F_RX_IP_CKSUM_GOOD : 0;
	fuzz_chain_make(&cut, data + HEAD, size - HEAD, data + 1);
	fuzz_chain_make(&flat, data + HEAD, size - HEAD, uncut);
	cut.m[0].ol_flags = flat.m[0].ol_flags = flags;
	r = sc_packet_parse(cut.m, link, &a);
	check_reason(r);
	again = sc_packet_parse(flat.m, link, &b);
	assert_int_equal(again, r);
	if (r == SC_R_NONE) {
		test_seg_same(&a, &b); /* how the bytes are spread over segments does not matter */
		check_segment(cut.m, link, &a);
		check_rebuilt(&a);
	}
	fuzz_chain_free(&cut);
	fuzz_chain_free(&flat);
	return 0;
}
