/* SPDX-License-Identifier: BSD-3-Clause */
/* frame: Ethernet, IPv4 and TCP with timestamps, as a NIC would hand them over. */
#include <string.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>

#include "bench.h"

#define WINDOW 65535
#define WSCALE 7

static uint8_t payload[MSS];
static _Thread_local uint16_t ip_id;

/* Folded sums of the first n bytes of the payload, by n; filled when first asked for. */
static uint16_t payload_sum[MSS + 1];

static uint16_t
sum_of(uint16_t len)
{
	if (payload_sum[len] == 0 && len > 0) {
		for (unsigned int i = 0; i < sizeof(payload); i++)
			payload[i] = (uint8_t)('a' + i % 26);
		payload_sum[len] = rte_raw_cksum(payload, len);
	}
	return payload_sum[len];
}

static uint8_t *
put_options(uint8_t *p, const struct frame *f)
{
	static const uint8_t syn[] = {2, 4, MSS >> 8, MSS & 0xff, 1, 3, 3, WSCALE};
	uint32_t ts[2] = {rte_cpu_to_be_32(f->tsval), rte_cpu_to_be_32(f->tsecr)};

	if (f->flags & SC_TCP_SYN) {
		memcpy(p, syn, sizeof(syn));
		p += sizeof(syn);
	}
	memcpy(p, "\1\1\10\12", 4);
	memcpy(p + 4, ts, sizeof(ts));
	return p + 12;
}

void
frame_put(struct rte_mbuf *m, const struct frame *f)
{
	static const struct rte_ether_hdr ether = {
			.dst_addr.addr_bytes = {2, 0, 0, 0, 0, 1},
			.src_addr.addr_bytes = {2, 0, 0, 0, 0, 2},
			.ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4),
	};
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
	struct rte_ipv4_hdr *ip = (void *)(p + 14);
	struct rte_tcp_hdr *tcp = (void *)(p + 34);
	uint8_t *end = put_options(p + 54, f);
	uint16_t tcp_len = (uint16_t)(end - (p + 34));
	uint32_t sum;

	memcpy(p, &ether, sizeof(ether));
	*ip = (struct rte_ipv4_hdr){
			.version_ihl = RTE_IPV4_VHL_DEF,
			.total_length = rte_cpu_to_be_16(20 + tcp_len + f->len),
			.packet_id = rte_cpu_to_be_16(++ip_id),
			.time_to_live = 64,
			.next_proto_id = IPPROTO_TCP,
			.src_addr = f->src,
			.dst_addr = f->dst,
	};
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	*tcp = (struct rte_tcp_hdr){
			.src_port = rte_cpu_to_be_16(f->sport),
			.dst_port = rte_cpu_to_be_16(f->dport),
			.sent_seq = rte_cpu_to_be_32(f->seq),
			.recv_ack = rte_cpu_to_be_32(f->ack),
			.data_off = (uint8_t)(tcp_len / 4 << 4),
			.tcp_flags = f->flags,
			.rx_win = rte_cpu_to_be_16(WINDOW),
	};
	sum = rte_raw_cksum(tcp, tcp_len) + sum_of(f->len) + rte_ipv4_phdr_cksum(ip, 0);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	tcp->cksum = (uint16_t)~sum;
	if (!f->is_hollow)
		memcpy(end, payload, f->len);
	m->data_len = (uint16_t)(34 + tcp_len + f->len);
	m->pkt_len = m->data_len;
	m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
}

void
frame_get(const struct rte_mbuf *m, struct frame *f)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	const struct rte_ipv4_hdr *ip = (const void *)(p + 14);
	const struct rte_tcp_hdr *tcp = (const void *)(p + 34);
	uint16_t tcp_len = (tcp->data_off >> 4) * 4;
	rte_be32_t tsval = 0;

	if (tcp_len >= 32) /* behind the MSS of a SYN, or at the end */
		memcpy(&tsval, tcp->tcp_flags & SC_TCP_SYN ? p + 62 : p + 34 + tcp_len - 8,
				sizeof(tsval));
	f->src = ip->src_addr;
	f->dst = ip->dst_addr;
	f->sport = rte_be_to_cpu_16(tcp->src_port);
	f->dport = rte_be_to_cpu_16(tcp->dst_port);
	f->seq = rte_be_to_cpu_32(tcp->sent_seq);
	f->ack = rte_be_to_cpu_32(tcp->recv_ack);
	f->tsval = rte_be_to_cpu_32(tsval);
	f->flags = tcp->tcp_flags;
	f->len = rte_be_to_cpu_16(ip->total_length) - 20 - tcp_len;
}
