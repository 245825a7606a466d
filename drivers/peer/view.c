/* SPDX-License-Identifier: BSD-3-Clause */
/* A record of a capture, parsed in place: mbufs of no pool around its bytes. */
#include <string.h>

#include "index.h"

#define VIEW_SEG 61440u /* data_len has 16 bits; records may be longer */
#define VIEW_SEGS 8u

static void
view_init(struct rte_mbuf view[VIEW_SEGS], const struct sc_capture_pkt *pkt)
{
	uint32_t off = 0, i = 0, len;

	memset(&view[0], 0, sizeof(view[0]));
	do {
		len = SC_MIN(pkt->caplen - off, VIEW_SEG);
		if (i > 0) {
			memset(&view[i], 0, sizeof(view[i]));
			view[i - 1].next = &view[i];
		}
		view[i].buf_addr = (void *)(uintptr_t)(pkt->data + off);
		view[i].buf_len = (uint16_t)len;
		view[i].data_len = (uint16_t)len;
		view[i].refcnt = 1;
		off += len;
		i++;
	} while (off < pkt->caplen && i < VIEW_SEGS);
	view[0].pkt_len = off;
	view[0].nb_segs = (uint16_t)i;
}

enum sc_reason
peer_view_parse(const struct sc_capture_pkt *pkt, struct sc_seg *seg)
{
	struct rte_mbuf view[VIEW_SEGS];
	enum sc_reason r;

	if (!pkt->is_known_link)
		return SC_R_UNKNOWN_LINK;
	view_init(view, pkt);
	r = sc_packet_parse(&view[0], pkt->link, seg);
	seg->mbuf = NULL;
	return r;
}

unsigned int
peer_view_ip(const struct sc_capture_pkt *pkt, uint32_t *off)
{
	struct rte_mbuf view[VIEW_SEGS];

	if (!pkt->is_known_link)
		return 0;
	view_init(view, pkt);
	return sc_packet_find_ip(&view[0], pkt->link, off);
}
