/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mirror: a whole capture as the mirror of two workers, with a target that answers. The reserved
 * byte 8 of the file header says whether the source waits (1), and whether the box holds flows back
 * at first (2); mutate.c keeps the records whole.
 */
#include <string.h>

#include <sc_capture.h>

#include "../unit/worker/bed.h"
#include "fuzz.h"
#include "mutate.h"
#include "timeline.h"

#define FRAMES_MAX 256
#define FRAME_MAX 65549
#define POOL_KEPT 1024 /* mbufs that the mirror leaves to answers and to what is sent */
#define FILE_MAX (1 << 20)
#define TOGETHER_US 50 /* frames closer than this come in one burst */
#define BURST 31
#define DRAIN_ROUNDS 64

static struct bed *bed;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_begin_eal();
	bed = bed_new();
	bed->nb_workers = 2;
	bed_start(bed);
	bed_halt(bed);
	return 0;
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	return mutate_pcap(data, size, max_size, seed);
}

/* A round of 1 ms; the target forgets old connections before its table is full. */
static void
run_round(struct bed *b)
{
	if (b->nb_conns > BED_CONNS / 2)
		b->nb_conns = 0;
	bed_round(b);
}

/* On to a frame's time: some rounds, the longer the pause the further apart. */
static void
go_to(struct bed *b, uint64_t us)
{
	for (int i = 0; i < 4 && b->clock.base_us < us; i++) {
		run_round(b);
		if (b->clock.base_us < us)
			b->clock.base_us += (us - b->clock.base_us) / 2;
	}
	b->clock.base_us = SC_MAX(b->clock.base_us, us);
}

static bool
feed(struct bed *b, const struct sc_capture_pkt *pkt, uint64_t cap_us, unsigned int queue)
{
	struct rte_mbuf *m;

	if (!pkt->is_known_link || pkt->caplen > FRAME_MAX || pkt->caplen == 0
			|| rte_mempool_avail_count(b->pool) < POOL_KEPT)
		return false;
	m = test_mbuf_from(b->pool, pkt->data, pkt->caplen, 0);
	sc_mbuf_meta(m)->link = (uint8_t)pkt->link;
	sc_mbuf_meta(m)->cap_us = cap_us;
	assert_int_equal(rte_ring_enqueue(b->mirror[queue], m), 0);
	return true;
}

static void
run_mirror(struct bed *b, struct sc_capture_reader *r)
{
	uint64_t start_us = b->clock.base_us, last_us = 0;
	struct timeline line = {0};
	struct sc_capture_pkt pkt;
	unsigned int nb, waiting = 0;
	struct sc_err err;

	for (nb = 0; nb < FRAMES_MAX && sc_capture_reader_next(r, &pkt, &err) > 0; nb++) {
		uint64_t us = timeline_map(&line, pkt.ts_ns, pkt.file) / 1000;

		if (nb > 0 && (us > last_us + TOGETHER_US || waiting == BURST)) {
			run_round(b);
			go_to(b, start_us + us);
			waiting = 0;
		}
		last_us = us;
		waiting += feed(b, &pkt, start_us + us, nb % 2);
		if (nb == 8)
			atomic_store(&b->box.phase, SC_PHASE_RUN);
	}
	atomic_store(&b->box.phase, SC_PHASE_RUN);
	for (unsigned int i = 0; i < 4; i++)
		run_round(b);
}

/* The source has ended: a while in which sessions may come to their end, then the stop. */
static void
finish(struct bed *b)
{
	atomic_store(&b->box.phase, SC_PHASE_DRAIN);
	for (unsigned int i = 0; i < DRAIN_ROUNDS; i++) {
		run_round(b);
		if (sc_worker_is_drained(b->w[0]) && sc_worker_is_drained(b->w[1]))
			break;
		b->clock.base_us += i * BED_MS * 4;
	}
	bed_halt(b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sc_capture_reader *r;
	const char *path;
	struct sc_err err;

	if (size > FILE_MAX)
		return 0;
	path = fuzz_file(data, size);
	r = sc_capture_reader_open(&path, 1, &err);
	if (r == NULL)
		return 0;
	bed->is_file = size > 8 && data[8] & 1;
	bed_again(bed);
	if (size > 8 && data[8] & 2)
		atomic_store(&bed->box.phase, SC_PHASE_HOLD);
	run_mirror(bed, r);
	sc_capture_reader_close(r);
	finish(bed);
	return 0;
}
