/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture: pcap and pcapng files behind a ring port, paced or flat out, streamed; and a survey of what
 * a replay of them would do.
 *
 * Threads: one thread polls (the pump lcore); open, survey and report are for main while it does not.
 * Ownership: mbufs come from the given pool; on the ring they belong to the receiving worker.
 */
#ifndef SC_CAPTURE_H
#define SC_CAPTURE_H

#include <stdio.h>

#include <rte_mempool.h>

#include <sc_base.h>
#include <sc_filter.h>
#include <sc_packet.h>
#include <sc_steer.h>

/* One record of a file. data is valid until the next call. */
struct sc_capture_pkt {
	const uint8_t *data;
	uint32_t caplen, len; /* captured and original length, bytes */
	uint64_t ts_ns;       /* since the epoch */
	enum sc_link link;
	bool is_known_link; /* false: link type that is not supported, link says nothing */
	uint32_t linktype;  /* LINKTYPE number of the file or interface */
	unsigned int file;  /* index of the file */
	uint64_t offset;    /* of data in the file, for pread() later */
};

struct sc_capture_reader; /* streams several files one after the other in the order given */

/*
 * Every file is looked at before the first is read: NULL with errno and a sentence when one cannot be
 * opened, is not a regular file, is empty, compressed or neither pcap nor pcapng. A file with a
 * header and no packets is fine. Memory: about 0.5 MiB, whatever the files hold.
 */
struct sc_capture_reader *sc_capture_reader_open(
		const char *const *paths, unsigned int nb, struct sc_err *err);
/*
 * 1: *pkt is filled; 0: end of all files; negative errno (-EBADMSG: damaged, -EIO, -EMSGSIZE ...) with
 * a sentence (file, offset, what was found): what was readable before has been delivered; the
 * next call goes on with the next file.
 */
int sc_capture_reader_next(
		struct sc_capture_reader *r, struct sc_capture_pkt *pkt, struct sc_err *err);
void sc_capture_reader_close(struct sc_capture_reader *r);

struct sc_capture_cfg {
	const char *const *paths;
	unsigned int nb_paths;
	double speed; /* factor on the original timing; 0: flat out with back-pressure */
	struct rte_mempool
			*pool; /* data room for whole frames is not needed: long ones are chained */
	uint16_t nb_queues;    /* 1..16 */
	/*
	 * The frame to deliver in place of m, which is taken over, and its queue; NULL: none. Same
	 * thread as the poll. Without it all frames go to queue 0.
	 */
	struct rte_mbuf *(*route)(void *arg, struct rte_mbuf *m, uint16_t *queue);
	void *arg;
};

struct sc_capture_stats {
	uint64_t frames, bytes; /* put on rings, or taken by cfg.route for good */
	uint64_t unknown_link;  /* records that were not delivered */
	uint64_t snapped;       /* records with caplen < len (delivered all the same) */
	uint64_t damaged_files;
	uint64_t first_ns, last_ns; /* capture time of the first and last record */
	bool is_done;               /* everything is on the rings */
	char damage[512];           /* the first damage found, as a sentence; "" none */
};

struct sc_capture;

/* NULL with errno and a sentence. The paths are not used after it. Needs EAL and sc_mbuf_init(). */
struct sc_capture *sc_capture_create(const struct sc_capture_cfg *cfg, struct sc_err *err);
/* The ethdev port (role mirror, is_ring, is_file) that the frames come out of; started. */
const struct sc_port *sc_capture_port(const struct sc_capture *c);
/*
 * Put what is due at now_us on the rings, at most 64 frames. Returns the number; a full ring or
 * empty pool leaves the frame, and those behind it, for the next call. sc_mbuf_meta() of each frame's
 * first mbuf is set: link, and cap_us, the capture time mapped to the box's clock: now of the first
 * call + (ts - first ts) (not divided by speed). cap_us never decreases: a record that is up to 1 s
 * earlier than the one before gets that one's time; after a greater step back, or when a file begins
 * before the one before it ended, time goes on from there; a gap above 24 hours is left out.
 */
uint16_t sc_capture_poll(struct sc_capture *c, uint64_t now_us);
void sc_capture_get_stats(const struct sc_capture *c, struct sc_capture_stats *st);
void sc_capture_destroy(struct sc_capture *c);

/* ---- survey: one pass over captures that says what a replay would find ---- */

#define SC_SURVEY_SERVERS_MAX 256
#define SC_SURVEY_CONNS_MAX 65536

struct sc_survey_conns {
	uint64_t nb;       /* = with_syn + mid_stream = both + client_only + server_only + silent */
	uint64_t with_syn; /* the client's SYN is in the capture */
	uint64_t mid_stream;
	uint64_t both, client_only, server_only; /* whose frames are there */
	uint64_t silent;                         /* no payload either way: a scan, a health check */
	/* Payload bytes by sequence numbers: each counts once. lost: bytes that are missing, at least. */
	uint64_t client_bytes, client_lost;
	uint64_t server_bytes, server_lost;
};

struct sc_survey_server {
	struct sc_addr addr;
	uint16_t port;
	bool is_mapped; /* a rule names it; target:target_port is where it is mapped to */
	struct sc_addr target;
	uint16_t target_port;
	struct sc_survey_conns conns;
};

struct sc_survey {
	unsigned int nb_files;
	unsigned int nb_files_bare;    /* without any packet */
	unsigned int nb_files_damaged; /* or not readable to the end */
	char damage[512];              /* the first, as a sentence */
	bool has_rules;

	uint64_t frames, bytes;       /* all records; captured bytes */
	uint64_t first_ns, last_ns;   /* the earliest and latest record */
	uint64_t steps_back;          /* records over 1 s earlier than the one before in the file */
	uint64_t refused[SC_R_COUNT]; /* frames by reason of the packet room; UNKNOWN_LINK, too */
	uint32_t unknown_linktype;    /* the first one met */
	uint64_t snapped;             /* records with fewer bytes than the frame had */
	uint32_t snap_len;            /* the longest of these */
	uint64_t tcp;                 /* frames with a whole TCP segment, checksum good or not */
	uint64_t csum_partial;
	uint64_t duplicates; /* the same segment within 5 ms: seen at two points of its way */

	struct sc_survey_conns all;    /* every connection counted */
	struct sc_survey_conns mapped; /* those a rule names; without rules all of them */
	uint64_t frames_over; /* of connections beyond SC_SURVEY_CONNS_MAX: in no count above */
	uint64_t conns_unlisted; /* of servers beyond SC_SURVEY_SERVERS_MAX (half of it if not mapped) */
	unsigned int nb_servers; /* mapped ones first, then by client bytes */
	struct sc_survey_server server[SC_SURVEY_SERVERS_MAX];
};

/*
 * Read all captures once. Without rules every server counts as one to be replayed. A connection whose
 * SYN or SYN-ACK was not seen has the server that a rule names, or that is known as one, or else the
 * side with the lower port. 0, or a negative errno with a sentence when the files cannot be opened or
 * memory (about 10 MiB) is missing; damage inside a file is part of the result.
 * Thread: main. Needs no EAL. *out is large: not for the stack of an lcore.
 */
int sc_survey_run(const char *const *paths, unsigned int nb, const struct sc_rule *rules,
		unsigned int nb_rules, struct sc_survey *out, struct sc_err *err);
/* A readable account that ends with the verdict, and with what to do where something is wrong. */
void sc_survey_print(const struct sc_survey *s, FILE *out);
/* Is a replay of it worth while? False with any finding that sc_survey_print() calls "unfit". */
bool sc_survey_is_fit(const struct sc_survey *s);

#endif
