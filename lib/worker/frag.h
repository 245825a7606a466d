/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * frag: IP fragments of the mirror become whole packets again, before they are parsed.
 *
 * Thread: the worker's own. Every mbuf given is the table's; every one counts at once as held, and
 * then as merged, as refused, or goes back inside a whole packet.
 */
#ifndef WORKER_FRAG_H
#define WORKER_FRAG_H

#include <sc_packet.h>
#include <sc_stats.h>

struct frags;

/* Counts in *stats. NULL without memory (about 600 KiB of EAL's). */
struct frags *frags_create(struct sc_stats *stats);
/* Only when nothing is held. */
void frags_destroy(struct frags *f);
/*
 * Take a frame that sc_packet_parse() refused as ip_fragment. Returns the whole packet if this was
 * the piece that it lacked: the caller's, a chain, with the checksums of all its headers to be
 * judged anew. Otherwise NULL: the frame is held, or refused, and counted. cap_us: when this
 * piece was captured, which may be long before now in a file; the whole packet has that time.
 */
struct rte_mbuf *frags_take(struct frags *f, struct rte_mbuf *m, enum sc_link link, uint64_t now_us,
		uint64_t cap_us);
/* Refuse what waits longer than a second. Costs nothing while nothing is held. */
void frags_expire(struct frags *f, uint64_t now_us);
/* Refuse all that is held. */
void frags_drop(struct frags *f);

#endif
