/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * recorded: frames of a capture, passed again and again with other client addresses, and answered by
 * the peer of drivers/peer with production's own bytes. The frames come as fast as the worker takes
 * them, so turns that were apart in the capture wait for their answers at the gate.
 */
#include <stdlib.h>
#include <string.h>

#include <rte_tcp.h>

#include <sc_capture.h>

#include "stages.h"

#define PASS_ADDRESSES 256 /* between the client addresses of two passes */
#define PATIENCE_US (120 * SC_US_PER_S)
#define FRAMES_OF_RUN 100000

struct frame_at {
	uint8_t *data;
	uint16_t len;
	bool is_client;
};

struct recorded {
	struct loop *l;
	struct frame_at *frame;
	uint32_t nb_frames, nb_flows;
	uint64_t client_bytes;
	uint32_t at, pass, last_pass; /* the next frame */
};

/* ---- loading ---- */

static void
note_frame(struct recorded *r, struct frame_at *f)
{
	const struct rte_ipv4_hdr *ip = (const void *)(f->data + 14);
	const struct rte_tcp_hdr *tcp = (const void *)(f->data + 34);
	bool is_syn = (tcp->tcp_flags & (SC_TCP_SYN | SC_TCP_ACK)) == SC_TCP_SYN;

	f->is_client = false;
	for (unsigned int i = 0; i < r->l->b->cfg.nb_rules; i++)
		f->is_client |= rte_be_to_cpu_16(tcp->dst_port) == r->l->b->cfg.rule[i].prod_port
				&& ip->dst_addr == sc_addr_v4_be(&r->l->b->cfg.rule[i].prod);
	r->nb_flows += is_syn;
}

static bool
load(struct recorded *r, const char *path)
{
	struct sc_capture_pkt pkt;
	struct sc_err err;
	struct sc_capture_reader *reader = sc_capture_reader_open(&path, 1, &err);
	int more = 0;

	while (reader != NULL && (more = sc_capture_reader_next(reader, &pkt, &err)) > 0) {
		struct frame_at *f;

		r->frame = realloc(r->frame, (r->nb_frames + 1) * sizeof(*r->frame));
		if (r->frame == NULL || pkt.link != SC_LINK_ETHER || pkt.caplen > 2048
				|| pkt.caplen < 54 || pkt.data[12] != 8)
			return false;
		f = &r->frame[r->nb_frames++];
		f->len = (uint16_t)pkt.caplen;
		f->data = malloc(f->len);
		if (f->data == NULL)
			return false;
		memcpy(f->data, pkt.data, f->len);
		note_frame(r, f);
	}
	if (reader == NULL || more < 0)
		fprintf(stderr, "bench: %s\n", err.text);
	sc_capture_reader_close(reader);
	return more == 0 && r->nb_frames > 0;
}

/* ---- feeding ---- */

/* Another client address, and the checksums that go with it. */
static void
readdress(struct rte_mbuf *m, bool is_client, uint32_t pass)
{
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, 14);
	struct rte_tcp_hdr *tcp = (void *)(ip + 1);
	uint32_t step = pass * PASS_ADDRESSES;

	if (is_client)
		ip->src_addr = rte_cpu_to_be_32(rte_be_to_cpu_32(ip->src_addr) + step);
	else
		ip->dst_addr = rte_cpu_to_be_32(rte_be_to_cpu_32(ip->dst_addr) + step);
	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	tcp->cksum = 0;
	tcp->cksum = rte_ipv4_udptcp_cksum(ip, tcp);
	m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
}

static uint32_t
feed(void *recorded)
{
	struct recorded *r = recorded;
	struct rte_ring *ring = r->l->b->mirror[0];
	uint64_t start = rte_rdtsc();
	uint32_t n = 0;

	if (rte_ring_count(ring) > 0)
		return 0;
	for (; n < GROUP && r->pass < r->last_pass; n++) {
		const struct frame_at *f = &r->frame[r->at];
		struct rte_mbuf *m = rte_pktmbuf_alloc(r->l->b->feed_pool);

		if (m == NULL)
			break; /* held by the worker */
		memcpy(rte_pktmbuf_append(m, f->len), f->data, f->len);
		readdress(m, f->is_client, r->pass);
		rte_ring_enqueue(ring, m);
		r->at++;
		r->pass += r->at == r->nb_frames;
		r->at %= r->nb_frames;
	}
	r->l->feed.frames += n;
	timed_add(&r->l->spent.feed, rte_rdtsc() - start);
	return n;
}

static uint32_t
target(struct recorded *r)
{
	uint64_t start = rte_rdtsc();
	uint32_t done = 0, n;

	while ((n = sc_peer_poll(r->l->b->peer, r->l->b->clock.base_us)) > 0 && done < 4 * GROUP)
		done += n;
	timed_add(&r->l->spent.reflector, rte_rdtsc() - start);
	return done;
}

static uint32_t
intercept(struct recorded *r)
{
	struct rte_ring *records = r->l->b->box.records[0][0];
	uint32_t done = 0, n = 1;

	while (n > 0 && rte_ring_free_count(records) >= 64) {
		uint64_t start = rte_rdtsc();

		n = sc_ilcore_poll(r->l->b->il);
		if (n > 0)
			timed_add(&r->l->spent.intercept, rte_rdtsc() - start);
		done += n;
	}
	return done;
}

/* Feed passes up to `last`, then poll until no flow is open any more. */
static void
recorded_run(struct recorded *r, uint32_t last)
{
	struct loop *l = r->l;
	const uint64_t *c = l->b->cell[0].live.c;
	uint64_t idle_us = 0;

	r->last_pass = last;
	while (idle_us < PATIENCE_US) {
		uint32_t done = feed(r);

		done += loop_worker(l);
		done += target(r);
		done += intercept(r);
		if (done > 0)
			continue;
		if (r->pass == r->last_pass && c[SC_C_FLOWS_LIVE_NOW] == 0)
			return;
		l->start_us += SC_US_PER_MS; /* nothing but time can bring it on */
		idle_us += SC_US_PER_MS;
	}
}

/* Some passes through the forwarder and through single stages; the worker never sees them. */
static double
measure_alone(const struct recorded *r)
{
	struct loop l = *r->l;
	struct recorded copy = *r;

	copy.l = &l;
	copy.last_pass = copy.pass + 1 + FRAMES_OF_RUN / r->nb_frames;
	stages_alone(&l, feed, &copy);
	copy.pass = r->pass;
	return floor_run(&l, feed, &copy);
}

/* ---- what came of it ---- */

static bool
check(const struct recorded *r)
{
	const struct sc_stats *st = &r->l->b->cell[0].live;
	struct sc_peer_stats peer;
	uint64_t flows = (uint64_t)r->nb_flows * r->pass;
	uint64_t ended = st->m[SC_M_FLOW_ENDED][SC_R_COMPLETE];

	sc_peer_get_stats(r->l->b->peer, &peer);
	if (ended == flows && sc_stats_map_sum(st, SC_M_FLOW_REFUSED) == 0
			&& st->c[SC_C_BYTES_DELIVERED] == st->c[SC_C_BYTES_ACCEPTED]
			&& peer.bytes_in_ok == st->c[SC_C_BYTES_DELIVERED]
			&& peer.bytes_in_differ == 0)
		return true;
	fprintf(stderr,
			"bench: %llu flows of %llu are complete, %llu refused; %llu bytes "
			"accepted, "
			"%llu delivered, %llu at the peer, %llu of them not as captured\n",
			(unsigned long long)ended, (unsigned long long)flows,
			(unsigned long long)sc_stats_map_sum(st, SC_M_FLOW_REFUSED),
			(unsigned long long)st->c[SC_C_BYTES_ACCEPTED],
			(unsigned long long)st->c[SC_C_BYTES_DELIVERED],
			(unsigned long long)peer.bytes_in_ok,
			(unsigned long long)peer.bytes_in_differ);
	return false;
}

bool
recorded_measure(struct bench_box *b, const char *path, uint32_t runs)
{
	static struct loop l;
	static struct recorded r;
	uint32_t passes;
	bool ok;

	b->nb_workers = 1;
	b->capture = path;
	if (box_start(b, 65536) < 0 || box_start_workers(b) < 0)
		return false;
	l = (struct loop){.b = b, .step_ns = 10000, .start_us = b->clock.base_us};
	r.l = &l;
	if (!load(&r, path)) {
		fprintf(stderr, "bench: %s: not only whole IPv4 frames\n", path);
		return false;
	}
	passes = FRAMES_OF_RUN / r.nb_frames + 1;
	printf("\"flows_of_pass\":%u,\"frames_of_pass\":%u,\n", r.nb_flows, r.nb_frames);
	recorded_run(&r, passes / 4 + 1);
	printf("\"runs\":[");
	for (uint32_t i = 0; i < runs; i++) {
		struct run before, after;
		double floor;

		run_look(&before, &l);
		stages_clear();
		recorded_run(&r, r.pass + passes);
		run_look(&after, &l);
		floor = measure_alone(&r);
		printf("%s\n", i == 0 ? "" : ",");
		run_print(&before, &after, floor);
	}
	printf("],\n");
	ok = check(&r);
	return box_stop(b) && ok;
}
