/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * packet: a captured or received frame becomes a struct sc_seg; a replayed segment becomes a frame.
 *
 * Thread: pure functions on the caller's data, any lcore.
 * Ownership: parsing never frees or changes the mbuf. sc_packet_build() writes headers in front of
 * the payload that stands in the mbuf; the mbuf stays the caller's.
 */
#ifndef SC_PACKET_H
#define SC_PACKET_H

#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>

#include <sc_base.h>
#include <sc_stats.h>

/* TCP flags as in the header (RFC 9293 section 3.1). */
#define SC_TCP_FIN 0x01
#define SC_TCP_SYN 0x02
#define SC_TCP_RST 0x04
#define SC_TCP_PSH 0x08
#define SC_TCP_ACK 0x10
#define SC_TCP_URG 0x20
#define SC_TCP_ECE 0x40
#define SC_TCP_CWR 0x80

/* How the frame starts. Ring ports carry it in the mbuf's dynamic field (sc_mbuf_link). */
enum sc_link {
	SC_LINK_ETHER, /* also 802.1Q and QinQ, up to 4 tags */
	SC_LINK_SLL,   /* Linux cooked v1 */
	SC_LINK_SLL2,  /* Linux cooked v2 */
	SC_LINK_RAW,   /* starts with the IP header */
};

/* What the L4 checksum of a captured frame says. */
enum sc_csum {
	SC_CSUM_GOOD,
	SC_CSUM_PARTIAL, /* the field holds the folded pseudo-header sum: kernel mirror with TX offload */
	SC_CSUM_BAD, /* production dropped it, too */
};

/* Bits of sc_seg.opts: which TCP options were present and well formed. */
#define SC_OPT_MSS 0x01
#define SC_OPT_WSCALE 0x02
#define SC_OPT_TS 0x04
#define SC_OPT_SACK_OK 0x08

/*
 * A parsed TCP segment. All numbers in host order, addresses in network order. Neighbours in the TCP
 * header are neighbours here, too, in words of eight bytes that are taken over whole.
 */
struct sc_seg {
	struct rte_mbuf *mbuf;
	struct sc_addr src, dst;
	union {
		uint64_t ports_seq;
		struct {
			uint32_t seq;
			uint16_t dport, sport;
		};
	};
	union {
		uint64_t ack_wnd;
		struct {
			uint16_t wnd;  /* as in the header, not scaled */
			uint8_t flags; /* SC_TCP_* */
			uint8_t tcp_off; /* the byte before the flags; the upper half: length in words */
			uint32_t ack;
		};
	};
	union {
		uint64_t ts;
		struct {
			uint32_t tsecr, tsval; /* valid with SC_OPT_TS */
		};
	};
	uint32_t payload_len; /* bytes of TCP payload by the IP length (padding cut), up to 65,515 */
	uint32_t payload_off; /* from the start of the frame (the chain, if it has several segments) */
	uint16_t urg;
	uint16_t ip_id;       /* IPv4 identification, 0 for IPv6 */
	uint8_t opts;         /* SC_OPT_* */
	uint8_t wscale;       /* valid with SC_OPT_WSCALE; capped at 14 (RFC 7323 section 2.3) */
	uint8_t csum;         /* enum sc_csum */
	uint8_t nb_vlan;      /* tags that stood in the frame */
	uint16_t mss;         /* valid with SC_OPT_MSS */
	uint16_t payload_sum; /* folded ones' complement sum of the payload, not inverted, as if the
				* payload began at an even offset (RFC 1071); 0 and 0xffff are
				* one value */
	uint64_t cap_us;      /* capture time, us; for a live port the time it was received */
};

/*
 * Parse one frame. Returns SC_R_NONE and fills *seg (all fields but cap_us), or the reason the
 * frame is refused for: short_frame, not_ip, bad_ip_header, ip_fragment, not_tcp, bad_tcp_header,
 * truncated_frame (the IP length goes beyond the captured bytes), bad_ip_checksum, bad_l4_checksum.
 * A frame with a bad L4 checksum is filled in completely before it is refused.
 * IPv6 extension headers are walked (RFC 8200 section 4): hop-by-hop, routing, destination options,
 * at most 8; ESP, fragments and unknown ones refuse. IPv4 total length 0 (TSO super frame) and IPv6
 * payload length 0 take the frame's length. IPv4-mapped addresses in an IPv6 header are a
 * bad_ip_header: they would pass for IPv4 ones.
 * Checksum flags of the NIC are trusted where they say good; software checks otherwise. Whoever
 * takes off an outer header or changes the frame clears them first.
 * Of any other refused frame only mbuf and nb_vlan are sure.
 */
enum sc_reason sc_packet_parse(struct rte_mbuf *m, enum sc_link link, struct sc_seg *seg);

/*
 * Where the IP header begins: *off bytes from the start of the frame, behind link header and tags.
 * Returns its version, 4 or 6, by the link layer's word; 0: no IP, or no whole fixed header.
 */
unsigned int sc_packet_find_ip(struct rte_mbuf *m, enum sc_link link, uint32_t *off);

/* Copy `len` payload bytes from payload offset `off` of the segment to dst; all must lie inside. */
void sc_packet_copy_payload(const struct sc_seg *seg, uint32_t off, uint32_t len, void *dst);

/* Folded ones' complement sum of memory (RFC 1071), not inverted. */
uint16_t sc_packet_sum(const void *data, size_t len);
/* The folded sum of a + b where b follows a bytes of length len_a. */
uint16_t sc_packet_sum_add(uint16_t a, size_t len_a, uint16_t b);

/* ---- building ---- */

/* The headers of one target that do not change: Ethernet and up to two VLAN tags. */
struct sc_l2_tmpl {
	struct rte_ether_addr dst, src;
	uint16_t vlan_tci[2]; /* outer first */
	uint8_t nb_vlan;      /* 0..2; with 2 the outer tag is 0x88a8 */
};

/*
 * Everything a replayed segment says in its headers. Host order; addresses as sc_addr. Whoever sends
 * many fills in the words: sc_packet_build() reads them whole.
 */
struct sc_tx_hdr {
	const struct sc_l2_tmpl *l2;
	struct sc_addr src, dst; /* both of one family */
	union {
		uint64_t ports_seq; /* sport << 48 | dport << 32 | seq */
		struct {
			uint32_t seq;
			uint16_t dport, sport;
		};
	};
	union {
		uint64_t ack_wnd; /* ack << 32 | flags << 16 | wnd */
		struct {
			uint16_t wnd;  /* already scaled down */
			uint8_t flags; /* ECE and CWR are never sent */
			uint8_t pad;
			uint32_t ack;
		};
	};
	union {
		uint64_t ts; /* tsval << 32 | tsecr */
		struct {
			uint32_t tsecr, tsval;
		};
	};
	uint8_t opts; /* SC_OPT_*: MSS, WSCALE, SACK_OK only with SYN; TS anywhere */
	uint8_t wscale;
	uint16_t mss;
	uint16_t urg;
	uint16_t payload_sum; /* of the payload that stands in the mbuf */
};

/* What the headers above will take, in bytes (Ethernet included). At most SC_TX_HDR_MAX. */
#define SC_TX_HDR_MAX (14 + 8 + 40 + 60)
uint16_t sc_packet_hdr_len(const struct sc_tx_hdr *h);
/*
 * Length of the TCP header alone with these options, all of them: for a segment without SYN pass
 * no others than SC_OPT_TS.
 */
uint16_t sc_packet_tcp_len(uint8_t opts);

/*
 * Write the headers in front of the payload of m (pkt_len payload bytes from data_off on; headroom
 * of sc_packet_hdr_len() at least). IPv4: id 0, DF, TTL 64, checksum in software; IPv6: hop limit
 * 64, flow label 0. The TCP checksum is complete, computed from the headers and payload_sum.
 * Options in Linux's order: MSS, SACK-permitted and timestamps, window scale. MSS, SACK-permitted
 * and window scale are left out of a segment without SYN, the urgent pointer of one without URG.
 * Sets data_off, lengths, l2_len, l3_len, l4_len; clears ol_flags (but for what says whose memory
 * the mbuf is) and vlan_tci.
 * Returns 0, -ENOSPC when the headroom is too small, or -EMSGSIZE when the payload is more than an
 * IP length can say (m is unchanged by both).
 */
int sc_packet_build(struct rte_mbuf *m, const struct sc_tx_hdr *h);

/* ---- response records ---- */

/* Bits of sc_record.syn_bits: options of a SYN-ACK. */
#define SC_REC_WSCALE 0x01
#define SC_REC_SACK_OK 0x02
#define SC_REC_MSS 0x04
/* Bit of sc_record.segs: the segment carried a timestamp option; the low 7 bits count segments. */
#define SC_REC_TS 0x80

/*
 * What the intercept lcore tells the owning worker of one response segment: by value, 64 bytes.
 * Host order but for the address. mbuf is NULL unless want_payload[fold] was set; whoever takes
 * the record then owns the mbuf.
 */
struct sc_record {
	uint64_t rx_us;
	struct rte_mbuf *mbuf;
	struct sc_addr client; /* the replay client: the response's destination */
	uint16_t port;         /* its port */
	uint16_t target; /* index into the target table: with the client's end, the session's key */
	uint32_t seq;
	union {
		uint64_t ts;
		struct {
			uint32_t tsecr, tsval;
		};
	};
	uint32_t ack;
	uint16_t len;  /* payload bytes */
	uint16_t wnd;  /* as in the header, not scaled */
	uint16_t fold; /* fold of the response's tuple */
	uint8_t flags; /* SC_TCP_* */
	uint8_t segs;  /* SC_REC_TS | number of segments */
	uint16_t mss;  /* SYN-ACK only */
	uint8_t wscale;
	uint8_t syn_bits; /* SC_REC_* */
};
_Static_assert(sizeof(struct sc_record) == 64, "a record is one cache line");

/* ---- mbufs ---- */

/*
 * Free n frames of any kind, none NULL, as rte_pktmbuf_free_bulk() does; quicker where they are of one segment
 * and pool. m is used to collect them.
 */
void sc_mbuf_free_burst(struct rte_mbuf **m, unsigned int n);

/* ---- per-mbuf metadata, in registered dynamic fields ---- */

/* Register the fields; once per process, after rte_eal_init(). 0 or negative errno. */
int sc_mbuf_init(void);

struct sc_mbuf_meta {
	uint64_t cap_us; /* capture time; 0: unknown, take the time of reception */
	uint8_t link;    /* enum sc_link */
	uint8_t pad[7];
};

/* Byte offset of struct sc_mbuf_meta inside the mbuf; -1 before sc_mbuf_init(). */
extern int sc_mbuf_meta_offset;

static inline struct sc_mbuf_meta *
sc_mbuf_meta(struct rte_mbuf *m)
{
	return RTE_MBUF_DYNFIELD(m, sc_mbuf_meta_offset, struct sc_mbuf_meta *);
}

#endif
