/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture: pcap and pcapng files behind a ring port, paced or flat out, streamed.
 *
 * Threads: one thread polls (the pump lcore); open, scan and report are for main while it does not.
 * Ownership: mbufs come from the given pool; on the ring they belong to the receiving worker.
 */
#ifndef SC_CAPTURE_H
#define SC_CAPTURE_H

#include <rte_mempool.h>

#include <sc_base.h>
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
 * header and no packets is fine. Memory: about 1 MiB, whatever the files hold.
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
	/* queue of a frame; NULL: all on queue 0. Same thread as the poll. */
	uint16_t (*queue_of)(void *arg, struct rte_mbuf *m);
	void *arg;
};

struct sc_capture_stats {
	uint64_t frames, bytes; /* put on rings */
	uint64_t unknown_link;  /* records that were not delivered */
	uint64_t snapped;       /* records with caplen < len (delivered all the same) */
	uint64_t damaged_files;
	uint64_t first_ns, last_ns; /* capture time of the first and last record */
	bool is_done;               /* everything is on the rings */
	char damage[512];           /* the first damage found, as a sentence; "" none */
};

struct sc_capture;

struct sc_capture *sc_capture_create(const struct sc_capture_cfg *cfg, struct sc_err *err);
/* The ethdev port (role mirror, is_ring, is_file) that the frames come out of; started. */
const struct sc_port *sc_capture_port(const struct sc_capture *c);
/*
 * Put what is due at now_us on the rings, at most 64 frames. Returns the number; a full ring or
 * empty pool leaves the frame for the next call. sc_mbuf_meta() of each mbuf is set: link, and cap_us,
 * the capture time mapped to the box's clock: now + (ts - first ts) (not divided by speed).
 */
uint16_t sc_capture_poll(struct sc_capture *c, uint64_t now_us);
void sc_capture_get_stats(const struct sc_capture *c, struct sc_capture_stats *st);
void sc_capture_destroy(struct sc_capture *c);

#endif
