/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * index: what the captures hold, as places in their files: per captured connection the client's and
 * production's bytes in sequence order, and what each side had received when it sent them.
 *
 * Built once by one thread, then read-only but for cap_flow.uses. Memory: 32 bytes a segment.
 */
#ifndef PEER_INDEX_H
#define PEER_INDEX_H

#include <sc_base.h>
#include <sc_capture.h>
#include <sc_filter.h>
#include <sc_packet.h>

#define PEER_NONE UINT32_MAX
#define PEER_SEGS_MAX (64u << 20)
#define PEER_PREFIX 64u   /* bytes of a client's first segment that its hash covers, at most */
#define PEER_FIRST 1460u  /* bytes of a client's first segment that are compared, at most */
#define PEER_POS_BITS 48u /* of cap_seg.pos: offset in the file; above: number of the file */

/*
 * Payload of one captured segment. While the captures are read, off and dep count from the
 * stream's first sequence number; after that, from its first byte that is in the captures: what
 * the mirror lost takes no room, neither here nor in the replay.
 */
struct cap_seg {
	uint64_t pos; /* file and offset of the payload */
	uint64_t off; /* place in the sender's stream */
	uint64_t dep; /* of the other side's stream, FIN included: what the sender had received */
	uint32_t len;
	uint32_t is_turn_end; /* production: the next segment waits for more client bytes */
};

/* One direction. A FIN takes one place after the last byte. */
struct cap_dir {
	struct cap_seg *seg; /* by off, without overlap */
	uint32_t nb, room;
	uint32_t base; /* sequence number of offset 0; only with has_base */
	bool has_base, has_fin, has_rst;
	uint64_t end; /* bytes; while reading: the highest offset seen */
	uint64_t fin_off, fin_dep;
	uint64_t rst_off, rst_dep;
};

struct cap_flow {
	struct sc_addr client, prod;
	uint16_t cport, pport;
	uint16_t target;        /* index into peer_index.target */
	bool has_syn;           /* false: the captures begin in mid-stream */
	bool is_refused;        /* production answered the SYN with RST */
	bool is_over;           /* both FINs or a RST were seen */
	uint32_t isn;           /* the client's; without has_syn: its first data SEQ - 1 */
	struct cap_dir in, out; /* the client's and production's bytes */
	uint32_t uses;          /* connections that replayed it */
	uint32_t next_isn, next_prefix, next_tuple; /* chains of the hash tables below */
	uint32_t prefix_hash;
	uint32_t prefix_len; /* 0: the client sent nothing */
};

struct peer_target {
	struct sc_addr addr;
	uint16_t port;
	uint32_t nb_flows;
	bool has_prefix[PEER_PREFIX + 1]; /* there is a flow with a prefix of this length */
};

/* Sequence numbers of a client: up to 2^class bytes from isn + 1 on. */
struct peer_range {
	uint32_t isn, flow;
};

#define PEER_RANGE_CLASSES 33u

struct peer_index {
	int *fd; /* of the captures, for pread() */
	unsigned int nb_fds;
	struct peer_target *target;
	unsigned int nb_targets;
	struct cap_flow *flow;
	uint32_t nb_flows, room_flows;
	uint64_t nb_segs, max_segs;
	uint32_t *by_isn, *by_prefix; /* heads of chains; mask + 1 of them */
	uint32_t mask;
	struct peer_range *range; /* by class, then isn */
	uint32_t range_at[PEER_RANGE_CLASSES + 1];
};

/* ---- building ---- */

struct peer_index_cfg {
	const char *const *paths;
	unsigned int nb_paths;
	const struct sc_rule *rules;
	unsigned int nb_rules;
	uint64_t max_segs; /* 0: PEER_SEGS_MAX */
};

/*
 * Read the captures into *ix. 0, or negative errno with a sentence and nothing to free. A damaged
 * file is used up to the damage, with a warning in the log.
 */
int peer_index_init(struct peer_index *ix, const struct peer_index_cfg *cfg, struct sc_err *err);
void peer_index_free(struct peer_index *ix);

/* scan.c: every record of every file into ix->flow, not yet packed. */
int peer_scan(struct peer_index *ix, const struct peer_index_cfg *cfg, struct sc_err *err);
/* Put a piece in its place, less what is there already: the first wins. 0 or -ENOMEM, -E2BIG. */
int peer_dir_insert(struct peer_index *ix, struct cap_dir *d, struct cap_seg piece);
/* Leave out what the captures lack, in offsets and deps of both directions. 0 or -ENOMEM. */
int peer_flow_pack(struct cap_flow *f);

/* ranges.c: for peer_index_by_seq(), after packing. 0 or -ENOMEM. */
int peer_ranges_init(struct peer_index *ix);

/* view.c: parse a record in place. */
enum sc_reason peer_view_parse(const struct sc_capture_pkt *pkt, struct sc_seg *seg);
/* Its IP version, and where the IP header begins; 0: none. */
unsigned int peer_view_ip(const struct sc_capture_pkt *pkt, uint32_t *off);

/* ---- looking up ---- */

uint64_t peer_tuple_hash(const struct sc_addr *client, uint16_t cport, const struct sc_addr *server,
		uint16_t sport);
/* The target with this endpoint, or -1. */
int peer_index_target(const struct peer_index *ix, const struct sc_addr *addr, uint16_t port);
/*
 * The captured connection whose client ISN it is, or PEER_NONE. Of several the one of the same
 * client, else the one replayed least.
 */
uint32_t peer_index_by_isn(const struct peer_index *ix, uint16_t target, uint32_t isn,
		const struct sc_addr *client, uint16_t cport);
/*
 * The connection in which a client segment begins at isn + 1, and where: a client that was joined
 * in mid-stream, or comes back for its next turn. PEER_NONE if there is none.
 */
uint32_t peer_index_by_seq(
		const struct peer_index *ix, uint16_t target, uint32_t isn, uint32_t *seg);
/*
 * The least replayed connection whose client began with these bytes (its first segment, or what
 * there is of it in data, at most PEER_FIRST), or PEER_NONE.
 */
uint32_t peer_index_by_bytes(
		const struct peer_index *ix, uint16_t target, const uint8_t *data, uint32_t len);
/*
 * Could a client's first segment begin with these few bytes (fewer than PEER_PREFIX)? Of very many
 * clients not all are looked at: then it could.
 */
bool peer_index_may_begin(
		const struct peer_index *ix, uint16_t target, const uint8_t *data, uint32_t len);
/* The first segment of d that ends behind `off`; d->nb if there is none. */
uint32_t peer_dir_find(const struct cap_dir *d, uint64_t off);
/* len bytes of the stream from off on (both inside). 0 or -EIO. */
int peer_dir_read(const struct peer_index *ix, const struct cap_dir *d, uint64_t off, uint32_t len,
		uint8_t *buf);
/* len bytes of a capture. 0 or -EIO. */
int peer_index_read(const struct peer_index *ix, uint64_t pos, uint32_t len, uint8_t *buf);

#endif
