/* SPDX-License-Identifier: BSD-3-Clause */
/* worker: one round is records, hand-overs, a mirror burst, deadlines, transmit; each bounded. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_prefetch.h>

#include <sc_worker.h>

#include "frag.h"
#include "load.h"

#define BURST 32
#define MAC_MASK rte_cpu_to_be_64(0xffffffffffff0000)
#define RECORDS 64
#define RECORD_BURSTS 4 /* of a round and ring: ACKs of a burst that one flow was let send */
#define BURSTS_MAX 8    /* of a round */
#define L2_REFRESH_US 1000
#define BLOCKED_MAX_US (20 * SC_US_PER_MS)
#define GATHER_MAX 64   /* frames to send */
#define GATHER_ROUNDS 8 /* that frames wait for others at most */

struct sc_worker {
	struct sc_box *box;
	uint16_t index;
	struct sc_replay *engine;
	struct frags *frags;
	struct sc_intercept *inline_intercept;
	struct sc_tx tx, neigh_tx;
	struct sc_idler idler;
	struct sc_replay_target target[SC_TARGETS_MAX];
	struct sc_l2_tmpl l2[SC_TARGETS_MAX];
	uint32_t l2_version[SC_TARGETS_MAX];
	uint64_t l2_us, tick_us;
	struct load load;
	uint64_t blocked_us; /* since when a hand-over ring has been full; 0: none is */
	struct rte_mempool *pool;
	uint64_t mac;            /* of the test port, as it stands in a frame */
	bool has_file;           /* a mirror port waits instead of losing */
	bool has_more;           /* a port had a full burst in this round */
	uint8_t nb_gathered;     /* rounds since frames were sent */
	_Atomic bool is_drained; /* written by this lcore */
	struct sc_stats_cell *stats;
};

/* ---- set-up ---- */

static void
init_targets(struct sc_worker *w)
{
	struct sc_targets *ts = w->box->targets;

	for (unsigned int i = 0; i < ts->nb; i++) {
		struct sc_replay_target *t = &w->target[i];

		t->addr = ts->t[i].addr;
		t->port = ts->t[i].port;
		t->l2 = &w->l2[i];
		t->path = &w->box->path[i];
		memcpy(&w->l2[i].src, w->box->test.mac, 6);
		w->l2[i].nb_vlan = w->box->cfg->test_vlan != 0;
		w->l2[i].vlan_tci[0] = w->box->cfg->test_vlan;
		w->l2_version[i] = UINT32_MAX;
	}
}

struct sc_worker *
sc_worker_create(const struct sc_worker_cfg *cfg, struct sc_err *err)
{
	struct sc_box *box = cfg->box;
	struct sc_replay_cfg rc = cfg->replay;
	struct sc_worker *w = calloc(1, sizeof(*w));
	uint16_t users = box->nb_workers + (box->is_inline ? 1 : box->nb_intercepts);

	if (w == NULL) {
		sc_err_set(err, -ENOMEM, "no memory for worker %u", cfg->index);
		return NULL;
	}
	w->box = box;
	w->index = cfg->index;
	w->stats = cfg->stats;
	w->inline_intercept = cfg->inline_intercept;
	w->idler.mode = box->cfg->idle;
	memcpy(&w->mac, box->test.mac, 6);
	for (unsigned int i = 0; i < box->nb_mirror; i++)
		w->has_file |= box->mirror[i].is_file;
	init_targets(w);
	sc_tx_init(&w->tx, box, &w->stats->live, cfg->index, users, SC_TX_REPLAY);
	sc_tx_init(&w->neigh_tx, box, &w->stats->live, box->nb_workers, users, SC_TX_NEIGHBOUR);
	rc.worker = (uint8_t)cfg->index;
	rc.targets = w->target;
	rc.nb_targets = box->targets->nb;
	rc.stats = &w->stats->live;
	rc.now_us = sc_clock_us(box->clock, rte_rdtsc());
	w->frags = frags_create(rc.stats);
	if (w->frags == NULL)
		sc_err_set(err, -ENOMEM, "no memory for the table of IP fragments");
	else
		w->engine = sc_replay_create(&rc, err);
	if (w->engine != NULL)
		return w;
	frags_destroy(w->frags);
	free(w);
	return NULL;
}

void
sc_worker_destroy(struct sc_worker *w)
{
	if (w == NULL)
		return;
	sc_replay_destroy(w->engine);
	frags_destroy(w->frags);
	free(w);
}

struct sc_replay *
sc_worker_engine(struct sc_worker *w)
{
	return w->engine;
}

bool
sc_worker_is_drained(const struct sc_worker *w)
{
	return atomic_load(&w->is_drained);
}

/* ---- the mirror ---- */

/* Frames on their way into the engine: those of this worker, parsed and classified. */
struct batch {
	struct sc_mirror_seg ms[BURST];
	uint16_t n;
};

static void
refuse(struct sc_worker *w, struct rte_mbuf *m, enum sc_reason r)
{
	w->stats->live.m[SC_M_FRAME_REFUSED][r]++;
	rte_pktmbuf_free(m);
}

static bool
is_own_mac(const struct sc_worker *w, const struct rte_mbuf *m)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);

	if (m->data_len < 14)
		return false; /* too short for what the parser wants, too */
	return ((sc_mem64(p) ^ w->mac) & MAC_MASK) == 0
			|| ((sc_mem64(p + 6) ^ w->mac) & MAC_MASK) == 0;
}

/*
 * Parse and classify one frame; true when it belongs into the batch, as the mbuf in *ms: fragments
 * come back as one chain. Otherwise it is gone, or held as a fragment.
 */
static __rte_always_inline bool
take_frame(struct sc_worker *w, const struct sc_port *port, struct rte_mbuf *m,
		struct sc_mirror_seg *ms, uint64_t now_us)
{
	enum sc_link link = port->is_ring ? sc_mbuf_meta(m)->link : SC_LINK_ETHER;
	uint64_t cap_us = port->is_ring && sc_mbuf_meta(m)->cap_us != 0 ? sc_mbuf_meta(m)->cap_us
									: now_us;
	enum sc_reason r;

	if (!port->is_ring && is_own_mac(w, m)) {
		refuse(w, m, SC_R_MIRROR_LOOP);
		return false;
	}
	r = sc_packet_parse(m, link, &ms->seg);
	if (r == SC_R_IP_FRAGMENT) {
		m = frags_take(w->frags, m, link, now_us, cap_us);
		if (m == NULL)
			return false;
		r = sc_packet_parse(m, link, &ms->seg);
	}
	if (r == SC_R_NONE)
		r = sc_replay_classify(w->engine, ms);
	if (r != SC_R_NONE) {
		refuse(w, m, r);
		return false;
	}
	ms->seg.cap_us = cap_us;
	return true;
}

/* Give a stranger to its owner. */
static void
hand_over(struct sc_worker *w, struct rte_mbuf *m, uint8_t owner)
{
	struct rte_ring *ring = w->box->handover[w->index][owner];

	if (rte_ring_enqueue(ring, m) == 0) {
		w->stats->live.c[SC_C_HANDED_OUT]++;
		return;
	}
	w->stats->live.c[SC_C_HANDOVER_FULL]++;
	rte_pktmbuf_free(m);
}

static void
mirror_burst(struct sc_worker *w, const struct sc_port *port, struct rte_mbuf **m, uint16_t n,
		uint64_t now_us)
{
	struct batch b;

	b.n = 0;
	for (uint16_t i = 0; i < n; i++) {
		struct sc_mirror_seg *ms = &b.ms[b.n];
		uint8_t owner;

		if (!take_frame(w, port, m[i], ms, now_us))
			continue;
		if (ms->seg.csum == SC_CSUM_PARTIAL)
			w->stats->live.c[SC_C_CSUM_PARTIAL]++;
		owner = sc_steer_owner(w->box->steer,
				sc_fold_tuple(&ms->seg.src, &ms->seg.dst, ms->seg.sport,
						ms->seg.dport));
		if (owner == w->index) {
			b.n++;
			continue;
		}
		w->stats->live.c[SC_C_MISROUTED]++;
		hand_over(w, ms->seg.mbuf, owner);
	}
	sc_replay_mirror(w->engine, b.ms, b.n, now_us);
}

static const struct sc_port *
port_of(const struct sc_worker *w, uint16_t id)
{
	for (unsigned int i = 0; i < w->box->nb_mirror; i++)
		if (w->box->mirror[i].id == id)
			return &w->box->mirror[i];
	return &w->box->mirror[0];
}

/* Frames that other workers received and that are ours. */
static uint32_t
handovers(struct sc_worker *w, uint64_t now_us)
{
	struct rte_mbuf *m[BURST];
	uint32_t done = 0;

	if (w->has_file && sc_replay_should_wait(w->engine))
		return 0;
	for (uint16_t from = 0; from < w->box->nb_workers; from++) {
		struct batch b;
		unsigned int n;

		if (from == w->index)
			continue;
		n = rte_ring_dequeue_burst(
				w->box->handover[from][w->index], (void **)m, BURST, NULL);
		w->stats->live.c[SC_C_HANDED_IN] += n;
		done += n;
		n = sc_replay_sieve(w->engine, m, (uint16_t)n, false, now_us);
		b.n = 0;
		for (unsigned int i = 0; i < n; i++)
			if (take_frame(w, port_of(w, m[i]->port), m[i], &b.ms[b.n], now_us))
				b.n++;
		sc_replay_mirror(w->engine, b.ms, b.n, now_us);
	}
	return done;
}

static bool
are_rings_open(const struct sc_worker *w)
{
	for (uint16_t to = 0; to < w->box->nb_workers; to++)
		if (to != w->index && rte_ring_free_count(w->box->handover[w->index][to]) < BURST)
			return false;
	return true;
}

/*
 * A file must not lose a frame at a full ring: it waits until there is room everywhere. A live port
 * keeps frames in its own descriptors for a while; then the frames of the slow owner are lost, and
 * counted, so that others do not suffer for it.
 */
static bool
has_room(struct sc_worker *w, const struct sc_port *port, uint64_t now_us)
{
	if (port->is_file && sc_replay_should_wait(w->engine))
		return false;
	if (are_rings_open(w)) {
		w->blocked_us = 0;
		return true;
	}
	if (w->blocked_us == 0)
		w->blocked_us = now_us;
	return !port->is_file && now_us - w->blocked_us > BLOCKED_MAX_US;
}

/*
 * Take a burst. Under overload most of it may be gone at once: then more is taken, so that a round is
 * worth it. Returns how many frames are in m, less than two bursts; *polled: how many came.
 */
static uint16_t
receive(struct sc_worker *w, const struct sc_port *port, struct rte_mbuf **m, uint64_t now_us,
		uint32_t *polled)
{
	uint16_t kept = 0, n = 0;
	uint64_t bytes = 0;
	bool is_full = true;

	*polled = 0;
	for (unsigned int i = 0; i < BURSTS_MAX && is_full && kept < BURST; i++) {
		n = rte_eth_rx_burst(port->id, w->index, m + kept, BURST);
		for (uint16_t k = kept; k < kept + n; k++)
			rte_prefetch0(m[k]);
		is_full = n == BURST;
		*polled += n;
		if (port->has_rss_hash)
			n = sc_replay_sieve_unread(w->engine, m + kept, n, now_us);
		for (uint16_t k = kept; k < kept + n; k++) {
			bytes += m[k]->pkt_len;
			m[k]->port = port->id;
			/* The headers with their options; a NIC leaves them far from this CPU. */
			rte_prefetch0(rte_pktmbuf_mtod(m[k], void *));
			rte_prefetch0(rte_pktmbuf_mtod_offset(m[k], void *, RTE_CACHE_LINE_SIZE));
		}
		kept += port->is_ring ? n
				      : sc_replay_sieve(w->engine, m + kept, n, port->has_rss_hash,
						      now_us);
	}
	w->stats->live.c[SC_C_MIRROR_BYTES] += bytes;
	w->has_more |= is_full;
	return kept;
}

static uint32_t
mirrors(struct sc_worker *w, uint64_t now_us)
{
	struct rte_mbuf *m[2 * BURST];
	uint32_t done = 0;

	for (unsigned int i = 0; i < w->box->nb_mirror; i++) {
		const struct sc_port *port = &w->box->mirror[i];
		uint16_t n, first;
		uint32_t polled;

		if (w->index >= port->nb_rxq || !has_room(w, port, now_us))
			continue;
		n = receive(w, port, m, now_us, &polled);
		first = n > BURST ? n / 2 : n;
		if (first > 0)
			mirror_burst(w, port, m, first, now_us);
		if (n > first)
			mirror_burst(w, port, m + first, n - first, now_us);
		/* Last: main takes frames that are counted for handed over, too. */
		w->stats->live.c[SC_C_MIRROR_POLLED] += polled;
		done += polled;
	}
	return done;
}

/* ---- transmit ---- */

/* Next-hop addresses as they are now. */
static void
refresh_l2(struct sc_worker *w, uint64_t now_us)
{
	struct sc_targets *ts = w->box->targets;

	if (now_us < w->l2_us)
		return;
	w->l2_us = now_us + L2_REFRESH_US;
	for (unsigned int i = 0; i < ts->nb; i++) {
		const struct sc_nexthop *nh = &ts->nexthop[ts->t[i].nexthop];
		uint32_t version = atomic_load_explicit(&nh->version, memory_order_acquire);

		if (version == w->l2_version[i])
			continue;
		sc_nexthop_get(nh, w->l2[i].dst.addr_bytes);
		w->l2_version[i] = version;
	}
}

static uint32_t
transmit(struct sc_worker *w)
{
	struct rte_mbuf *m[64];
	uint32_t done = 0;
	uint16_t n;

	while (sc_tx_flush(&w->tx) && (n = sc_replay_tx(w->engine, m, 64)) > 0) {
		sc_tx_send(&w->tx, m, n);
		done += n;
	}
	return done;
}

/* ---- responses ---- */

/* They are looked at where they stand in the ring; their slots are given back behind the last. */
static unsigned int
records_of(struct sc_worker *w, struct rte_ring *ring, uint64_t now_us)
{
	struct rte_ring_zc_data at;
	unsigned int n = rte_ring_dequeue_zc_burst_elem_start(
			ring, sizeof(struct sc_record), RECORDS, &at, NULL);

	if (n == 0)
		return 0;
	sc_replay_records(w->engine, at.ptr1, (uint16_t)at.n1, now_us);
	if (at.n1 < n)
		sc_replay_records(w->engine, at.ptr2, (uint16_t)(n - at.n1), now_us);
	rte_ring_dequeue_zc_elem_finish(ring, n);
	return n;
}

static uint32_t
records(struct sc_worker *w, uint64_t now_us)
{
	uint32_t done = 0;

	for (uint16_t i = 0; i < SC_STEER_WORKERS_MAX; i++) {
		struct rte_ring *ring = w->box->records[i][w->index];

		for (unsigned int k = 0; ring != NULL && k < RECORD_BURSTS; k++) {
			unsigned int n = records_of(w, ring, now_us);

			done += n;
			if (n == 0 || transmit(w) == 0 || n < RECORDS)
				break;
		}
	}
	return done;
}

/* Inline shape: this worker polls its own test-port queue. */
static uint32_t
inline_responses(struct sc_worker *w, uint64_t now_us)
{
	struct sc_record rec[RECORDS];
	struct rte_mbuf *m[BURST];
	uint16_t n = 0, k;

	if (w->index < w->box->test.nb_rxq)
		n = rte_eth_rx_burst(w->box->test.id, w->index, m, BURST);
	w->has_more |= n == BURST;
	if (n > 0)
		sc_intercept_burst(w->inline_intercept, m, n, now_us);
	while ((k = sc_intercept_take(w->inline_intercept, w->index, rec, RECORDS)) > 0)
		sc_replay_records(w->engine, rec, k, now_us);
	if (now_us >= w->tick_us) {
		w->tick_us = now_us + SC_US_PER_MS;
		sc_intercept_tick(w->inline_intercept, now_us);
	}
	k = sc_intercept_tx(w->inline_intercept, m, BURST);
	if (k > 0)
		sc_tx_send(&w->neigh_tx, m, k);
	else
		sc_tx_flush(&w->neigh_tx);
	return n;
}

static void
count_waiting(struct sc_worker *w)
{
	w->stats->live.c[SC_C_TX_WAITING_NOW] = w->tx.nb_backlog + sc_replay_tx_waiting(w->engine);
}

/* Drop what the port does not take any more. */
static void
abandon(struct sc_worker *w)
{
	struct rte_mbuf *m[64];
	uint16_t n;

	sc_tx_abandon(&w->tx);
	while ((n = sc_replay_tx(w->engine, m, 64)) > 0) {
		w->stats->live.c[SC_C_TX_ABANDONED] += n;
		rte_pktmbuf_free_bulk(m, n);
	}
}

void
sc_worker_stop(struct sc_worker *w)
{
	bool is_over;

	frags_drop(w->frags);
	do {
		is_over = sc_replay_stop(w->engine, sc_clock_us(w->box->clock, rte_rdtsc()));
		transmit(w);
		if (is_over || w->tx.nb_backlog > 0)
			abandon(w);
	} while (!is_over);
	sc_tx_abandon(&w->neigh_tx);
	count_waiting(w);
}

/* ---- the loop ---- */

/*
 * May the frames that are ready wait for those of the next round? A loop that sleeps has let the mirror
 * wait anyway; what it found there goes together, for a kernel port takes a system call a burst, and
 * may wake the target in each.
 */
static bool
can_gather(struct sc_worker *w)
{
	if (w->idler.mode != SC_IDLE_SLEEP || !w->has_more || w->tx.nb_backlog > 0
			|| sc_replay_tx_waiting(w->engine) >= GATHER_MAX
			|| w->nb_gathered >= GATHER_ROUNDS) {
		w->nb_gathered = 0;
		return false;
	}
	w->nb_gathered++;
	return true;
}

static void
drain(struct sc_worker *w, uint64_t now_us)
{
	bool idle;

	sc_replay_drain(w->engine, now_us);
	idle = sc_replay_is_idle(w->engine) && w->tx.nb_backlog == 0;
	if (idle != atomic_load_explicit(&w->is_drained, memory_order_relaxed))
		atomic_store(&w->is_drained, idle);
}

uint32_t
sc_worker_poll(struct sc_worker *w)
{
	struct load_round round = {.start = rte_rdtsc()};
	uint64_t now_us = sc_clock_us(w->box->clock, round.start);
	uint32_t phase = atomic_load_explicit(&w->box->phase, memory_order_relaxed);
	bool is_last_taken = false;
	uint32_t done = 0, handed;
	struct sc_replay_load load;

	w->has_more = false;
	refresh_l2(w, now_us);
	frags_expire(w->frags, now_us);
	if (w->inline_intercept != NULL)
		done += inline_responses(w, now_us);
	if (w->tx.nb_backlog == 0 && !sc_replay_is_tx_full(w->engine)) {
		done += records(w, now_us);
		handed = handovers(w, now_us);
		is_last_taken = handed == 0;
		done += handed;
		sc_replay_hold(w->engine, phase == SC_PHASE_HOLD);
		if (phase == SC_PHASE_HOLD || phase == SC_PHASE_RUN)
			round.frames = mirrors(w, now_us);
		done += round.frames + sc_replay_timers(w->engine, now_us);
	}
	if (!can_gather(w))
		done += transmit(w);
	/* Not only when there is nothing to do: a busy target must not put the end off. */
	if (phase == SC_PHASE_DRAIN && is_last_taken)
		drain(w, now_us);
	count_waiting(w);
	w->stats->live.c[SC_C_LOOPS]++;
	w->stats->live.c[SC_C_LOOPS_BUSY] += done > 0;
	sc_stats_publish(w->stats);
	round.done = done;
	round.has_more = w->has_more;
	load_round(&w->load, &round);
	if (w->box->cfg->shed && !w->has_file
			&& load_read(&w->load, w->box, w->index, now_us, &load))
		sc_replay_load(w->engine, &load, now_us);
	return done;
}

/* Until the next deadline. */
static uint64_t
time_left(const struct sc_worker *w)
{
	return sc_replay_next(w->engine, sc_clock_us(w->box->clock, rte_rdtsc()));
}

int
sc_worker_run(void *worker)
{
	struct sc_worker *w = worker;

	while (atomic_load_explicit(&w->box->phase, memory_order_relaxed) != SC_PHASE_STOP) {
		uint32_t done = sc_worker_poll(w);

		sc_idle(&w->idler, done, done > 0 ? 0 : time_left(w));
	}
	return 0;
}

uint64_t
sc_box_handover_count(const struct sc_box *box)
{
	uint64_t n = 0;

	for (uint16_t i = 0; i < box->nb_workers; i++)
		for (uint16_t k = 0; k < box->nb_workers; k++)
			if (box->handover[i][k] != NULL)
				n += rte_ring_count(box->handover[i][k]);
	return n;
}

uint64_t
sc_box_record_count(const struct sc_box *box)
{
	uint64_t n = 0;

	for (uint16_t i = 0; i < SC_STEER_WORKERS_MAX; i++)
		for (uint16_t k = 0; k < box->nb_workers; k++)
			if (box->records[i][k] != NULL)
				n += rte_ring_count(box->records[i][k]);
	return n;
}
