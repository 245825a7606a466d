/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pieces: IP fragments of a capture become whole packets again, for the index: it wants to know at
 * which places of the file the payload stands. The engine has its own table (lib/worker): this one
 * is built of records, before there is any worker.
 */
#ifndef PEER_PIECES_H
#define PEER_PIECES_H

#include <sc_capture.h>
#include <sc_packet.h>

#define PIECES_MAX 8u /* of one packet: the engine puts no more together, either */

/* Some payload of a segment: `len` bytes from payload offset `off` on stand at `pos`. */
struct part {
	uint64_t pos; /* file and offset, as in cap_seg */
	uint32_t off, len;
};

/* A packet that has become whole. */
struct whole {
	struct sc_seg seg;
	struct part part[PIECES_MAX]; /* by off, without overlap */
	unsigned int nb;
};

struct pieces;

/* NULL without memory (about 0.5 MiB). */
struct pieces *pieces_new(void);
void pieces_free(struct pieces *p);
/*
 * Take a record that was refused as ip_fragment. True: its packet is whole now, and a good TCP
 * segment: *w is filled. False: it waits for others, is a repeated one, or cannot be used.
 */
bool pieces_take(struct pieces *p, const struct sc_capture_pkt *pkt, struct whole *w);

#endif
