/* SPDX-License-Identifier: BSD-3-Clause */
/* The TCP header and its options (RFC 9293 section 3.1). */
#include "internal.h"

/* One option of known kind; a length that is not the kind's own makes it count as absent. */
static void
take_option(const uint8_t *opt, struct sc_seg *seg)
{
	uint8_t len = opt[1];

	switch (opt[0]) {
	case TCP_OPT_MSS:
		/* A receiver that could take no byte says nothing: RFC 9293 section 3.7.1 then applies. */
		if (len != TCP_OPT_MSS_LEN || get_be16(opt + 2) == 0)
			return;
		seg->mss = get_be16(opt + 2);
		seg->opts |= SC_OPT_MSS;
		return;
	case TCP_OPT_WSCALE:
		if (len != TCP_OPT_WSCALE_LEN)
			return;
		seg->wscale = SC_MIN(opt[2], WSCALE_MAX);
		seg->opts |= SC_OPT_WSCALE;
		return;
	case TCP_OPT_SACK_OK:
		if (len == TCP_OPT_SACK_OK_LEN)
			seg->opts |= SC_OPT_SACK_OK;
		return;
	case TCP_OPT_TS:
		if (len != TCP_OPT_TS_LEN)
			return;
		seg->ts = get_be64(opt + 2);
		seg->opts |= SC_OPT_TS;
		return;
	default:
		return;
	}
}

/*
 * Options as nearly all stacks lay them out, by fours of bytes: MSS, or another one behind the NOP or
 * SACK-permitted that fills its word. Returns how many bytes were taken; 0: look closer.
 */
static inline uint32_t
take_words(const uint8_t *opt, uint32_t len, struct sc_seg *seg)
{
	uint32_t word = len < 4 ? 0 : get_be32(opt);

	if (word >> 16 == (TCP_OPT_MSS << 8 | TCP_OPT_MSS_LEN) && (word & 0xffff) != 0) {
		seg->mss = (uint16_t)word;
		seg->opts |= SC_OPT_MSS;
		return 4;
	}
	if (word >> 8 == (TCP_OPT_NOP << 16 | TCP_OPT_WSCALE << 8 | TCP_OPT_WSCALE_LEN)) {
		seg->wscale = SC_MIN(opt[3], WSCALE_MAX);
		seg->opts |= SC_OPT_WSCALE;
		return 4;
	}
	if ((word == TCP_TS_ALIGNED || word == TCP_SACK_TS_ALIGNED) && len >= 2 + TCP_OPT_TS_LEN) {
		seg->ts = get_be64(opt + 4);
		seg->opts |= word == TCP_TS_ALIGNED ? SC_OPT_TS : SC_OPT_TS | SC_OPT_SACK_OK;
		return 2 + TCP_OPT_TS_LEN;
	}
	return 0;
}

/*
 * A length that is impossible ends the list: where the next option would begin is unknown. What
 * came before it stands (RFC 9293 MUST-7: an illegal length must do no harm).
 */
void
packet_parse_options(const uint8_t *opt, uint32_t len, struct sc_seg *seg)
{
	seg->opts = 0;
	seg->mss = 0;
	seg->wscale = 0;
	seg->ts = 0;
	while (len > 0 && opt[0] != TCP_OPT_END) {
		uint32_t step = take_words(opt, len, seg);

		if (step == 0 && opt[0] == TCP_OPT_NOP) {
			step = 1;
		} else if (step == 0) {
			if (len < 2 || opt[1] < 2 || opt[1] > len)
				return;
			take_option(opt, seg);
			step = opt[1];
		}
		opt += step;
		len -= step;
	}
}

enum sc_reason
packet_parse_tcp(struct rte_mbuf *m, const struct l4_span *l4, struct sc_seg *seg)
{
	uint8_t buf[TCP_HDR_MAX];
	const uint8_t *tcp;
	uint32_t hdr_len;

	if (l4->len < TCP_HDR_MIN)
		return SC_R_BAD_TCP_HEADER;
	tcp = rte_pktmbuf_read(m, l4->off, TCP_HDR_MIN, buf);
	hdr_len = (tcp[12] >> 4) * 4u;
	if (hdr_len < TCP_HDR_MIN || hdr_len > l4->len)
		return SC_R_BAD_TCP_HEADER;
	if (hdr_len > TCP_HDR_MIN)
		tcp = rte_pktmbuf_read(m, l4->off, hdr_len, buf);
	take_fixed(tcp, l4, hdr_len, seg);
	packet_parse_options(tcp + TCP_HDR_MIN, hdr_len - TCP_HDR_MIN, seg);
	return packet_judge(m, l4, tcp, seg) ? SC_R_NONE : SC_R_BAD_L4_CHECKSUM;
}
