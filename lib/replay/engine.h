/* SPDX-License-Identifier: BSD-3-Clause */
/* engine: what the files of this room share. */
#ifndef SC_REPLAY_ENGINE_H
#define SC_REPLAY_ENGINE_H

#include <sc_replay.h>

#define C(e, name) ((e)->st->c[SC_C_##name])
#define M(e, map, reason) ((e)->st->m[SC_M_##map][reason])

#define EMBRYONIC_TTL_S 10
#define JOIN_TTL_S 60 /* both halves seen, and idle: the next request may be the boundary */
#define PADDING_MAX 6 /* bytes of zeroes that may be padding of the link */
#define OOO_MAX 64    /* segments beyond a hole that a flow keeps */
/*
 * A jump of more is no hole, whatever else the frame says. (A window may be 2^30 by RFC 7323, but
 * production would have to lose all of it unseen.)
 */
#define JUMP_MAX (1 << 26)
#define REORDER_US (20 * SC_US_PER_MS) /* a segment that comes later was lost, not overtaken */
#define REOPEN_MAX 3
#define REFUSED_MAX 5 /* SYNs that reopen, refused one after the other */
#define REFUSED_US (250 * SC_US_PER_MS)
#define STALE_MAX 3                        /* on one tuple */
#define STALE_TUPLES 3                     /* tuples tried */
#define RTO_FIRST_US (1000 * SC_US_PER_MS) /* RFC 6298 section 2.1 */
#define RTO_MIN_US (200 * SC_US_PER_MS)
#define RTO_MAX_US (60 * SC_US_PER_S)
#define DELACK_US (40 * SC_US_PER_MS)
#define SYN_RETRIES_MAX 5
#define PROBER_SYNS_MAX 3
#define DATA_RETRIES_MAX 8
#define FIN_LINGER_US (30 * SC_US_PER_S)
#define RETRY_US 256 /* a full TX array or an empty pool: try again */
#define TUPLE_RETRY_US (1 * SC_US_PER_MS)
#define MSS_DEFAULT_V4 536 /* RFC 9293 section 3.7.1 */
#define IW_SEGMENTS 10     /* RFC 6928 */

/* Releases by case, as counted. */
enum gate_case {
	GATE_NONE,
	GATE_EXACT,
	GATE_LONGER,
	GATE_SHORTER,
	GATE_DUPLEX,
	GATE_TIMEOUT,
	GATE_TIME
};

/* The longest pauses inside a target's last answers, log2 milliseconds (the gate's g). */
struct learned {
	uint16_t bucket[16];
	uint16_t total;
	uint32_t g_us;
};

/* The newest copy of a client segment, for telling mirror duplicates from retransmissions. */
struct dup_entry {
	uint32_t flow, seq, len, tsval, ack, us;
	uint16_t ip_id, wnd;
};
#define DUP_ENTRIES 4096

static inline uint32_t
dup_slot(uint32_t fi, uint32_t seq)
{
	return (seq * 0x9e3779b1u ^ fi) >> 20 & (DUP_ENTRIES - 1);
}
#define PROD_MEMOS 256

/* Data frames that a session has sent at this moment: of those that send many, one a place. */
struct burst {
	uint32_t si, us, n;
};
#define BURSTS 256

/* The newest frame of a flow that cannot be of its connection: places in both streams. */
struct stranger {
	uint32_t flow; /* + 1 */
	uint32_t seq, ack;
};
#define STRANGERS 256

/* What a flow's production and client had said when bytes turned out to be missing behind nxt. */
struct foreseen {
	uint32_t flow; /* + 1 */
	uint32_t nxt, ack;
};
#define FORESEEN 256

/* Whose is a frame that carries the tuple of a flow? */
enum verdict {
	VERDICT_OWN,
	VERDICT_STRANGE, /* not its, perhaps nobody's */
	VERDICT_NEW      /* of the next connection on the tuple */
};

/* A kept tuple that was used before (RFC 9293 3.10.7.4: its next ISN must be higher). */
struct rest_entry {
	uint32_t hash, seq;
	uint64_t us;
	bool had_ts;
};
#define REST_ENTRIES 8192

/*
 * Admission of new flows: those whose place among ADMIT_ALL is below the share. The place comes from
 * the fold of the tuple, and so does a NIC's RSS hash.
 */
#define ADMIT_ALL 65536u
#define KNOWN_MAX UINT16_MAX /* so many at a place are never counted down again */

struct admission {
	uint64_t next_us, cut_us; /* of the next decision; of one about frames that are lost */
	uint32_t share;
	uint32_t nb_high, nb_low; /* decisions in a row that found too much load, or little */
	uint32_t join_pause_s;    /* until then flows that were left out may send frames */
	uint32_t least;           /* share, since the first of them was */
	uint32_t cursor;
	uint32_t lag_left, lag_worst, lag_ended; /* of the walk for flows that lag; 0 left: none */
	uint64_t nb_new, new_before; /* flows that got a place; when the load was told last */
	uint32_t rate;               /* new flows a second that can be afforded; 0: unknown */
	uint64_t tokens;             /* millionths of those that may come beyond it now */
	uint64_t token_us, full_us;  /* as they stood then; and when there were most of them */
	uint64_t nb_full;            /* flows until then */
	uint64_t nb_known;           /* flows in the index */
	uint16_t known[ADMIT_ALL];   /* by place */
	uint64_t known_bit[ADMIT_ALL / 64]; /* is there any? */
};

/* SYNs of a target and answers to them that other workers do not know of yet. */
struct path_tally {
	uint32_t syns, answers;
};

struct sc_replay {
	struct sc_replay_cfg cfg;
	struct sc_tables t;
	struct sc_stats *st;
	uint64_t now_us;
	uint32_t now;              /* its low 32 bits */
	uint32_t now_s;            /* in seconds */
	uint32_t tsval;            /* of what is sent now */
	uint64_t cap_us;           /* of the newest mirror frame */
	uint32_t tuple_generation; /* rises when replay tuples do */
	uint32_t nb_tx;
	struct rte_mbuf *tx[SC_REPLAY_TX_MAX];
	/*
	 * The mirror frame being handled, if its whole payload has just been copied into the held segment
	 * spare_held: the first session that sends it may do so in this very frame.
	 */
	struct rte_mbuf *spare;
	uint32_t spare_held, spare_off; /* where its payload begins */
	const struct sc_seg *
			bare; /* the same, of a frame without payload: another such may be sent in it */
	uint8_t port_use[16384];                  /* PORT_*: four ports a byte */
	uint16_t prod_memo[PROD_MEMOS];           /* production endpoints found last */
	struct sc_tuples *tuples[SC_TARGETS_MAX]; /* with a pool */
	struct sc_addr *pool[2];                  /* the pool's addresses by family: IPv4, IPv6 */
	uint32_t nb_pool[2];
	struct sc_index by_pool;          /* pool address -> its index */
	uint32_t waiting[SC_TARGETS_MAX]; /* flows that wait for the return path or a tuple */
	uint32_t waiting_tail[SC_TARGETS_MAX];
	uint32_t nb_waiting;
	uint32_t nb_ending; /* live flows that end without another frame: FLOW_CLOSED */
	bool is_draining;
	bool is_fast;          /* fast.c may be tried */
	bool is_held;          /* nothing is opened yet */
	uint32_t join_pause_s; /* until then nothing joins in mid-stream */
	uint64_t housekeep_us;
	uint64_t sweep_us;       /* the sweep of life times has done its work up to then */
	uint32_t sweep_every_us; /* a slice */
	uint32_t idle_s;         /* when was it decided how long a flow may be silent? */
	bool is_short;           /* since then a flow has found no place in the tables */
	uint32_t drain_cursor, stop_cursor, reclaim_cursor;
	uint32_t hole_cursor;
	struct admission admit;
	struct learned learned[SC_TARGETS_MAX];
	struct path_tally path_tally[SC_TARGETS_MAX];
	struct dup_entry dup[DUP_ENTRIES];
	struct rest_entry rest[REST_ENTRIES];
	struct stranger stranger[STRANGERS];
	struct burst burst[BURSTS];
	struct foreseen foreseen[FORESEEN];
	struct sc_hist hist_production, hist_target;
};

static inline void
set_now(struct sc_replay *e, uint64_t now_us)
{
	e->now_us = now_us;
	e->now = (uint32_t)now_us;
	e->now_s = (uint32_t)(now_us / SC_US_PER_S);
	e->tsval = sc_clock_tsval(now_us);
}

/* A frame of this flow has come: its life time begins anew. */
static inline void
flow_touch(struct sc_replay *e, uint32_t fi)
{
	sc_sweep_touch(&e->t.sweep, fi, e->now_s);
}

static inline struct sc_flow *
flow_at(struct sc_replay *e, uint32_t i)
{
	return &e->t.flow[i];
}

static inline struct sc_session *
session_at(struct sc_replay *e, uint32_t i)
{
	return &e->t.session[i];
}

/* Where the answer of sc_prod_find() for this endpoint is remembered: few of them carry the load. */
static inline uint32_t
prod_memo_slot(const struct sc_addr *a, uint16_t port)
{
	return (a->b[15] ^ a->b[14] ^ port) & (PROD_MEMOS - 1);
}

/* The production endpoint, if frames came for it lately; SC_NONE: sc_prod_find() may know it. */
static inline uint32_t
prod_remembered(const struct sc_replay *e, const struct sc_addr *a, uint16_t port)
{
	uint32_t prod = e->prod_memo[prod_memo_slot(a, port)];

	if (prod < e->t.nb_prods && e->t.prod[prod].port == port
			&& sc_addr_eq(&e->t.prod[prod].addr, a))
		return prod;
	return SC_NONE;
}

/* The flow of a session. */
static inline struct sc_flow *
flow_of(const struct sc_replay *e, const struct sc_session *s)
{
	return &e->t.flow[sc_session_flow(&e->t, (uint32_t)(s - e->t.session))];
}

static inline struct sc_held *
held_at(struct sc_replay *e, uint32_t i)
{
	return &e->t.held[i];
}

/* The clock by which frames are late: a file's frames wait with their source. */
static inline uint32_t
frame_clock(const struct sc_replay *e)
{
	return e->cfg.is_file ? (uint32_t)e->cap_us : e->now;
}

/* Sequence numbers a held segment takes. */
static inline uint32_t
held_span(const struct sc_held *h)
{
	return h->len + (h->kind == SC_HELD_FIN ? 1 : 0);
}

static inline bool
has_flag(const struct sc_session *s, uint16_t flag)
{
	return (s->flags & flag) != 0;
}

/*
 * Microseconds between two captured times, up to 70 minutes; 0 when frames that came by two queues
 * swapped them.
 */
static inline uint32_t
elapsed_us(uint32_t from, uint32_t to)
{
	return from - to <= 60 * SC_US_PER_S ? 0 : to - from;
}

/* Answer bytes of this connection so far, by highest sequence number. */
static inline uint32_t
answer_bytes(const struct sc_session *s)
{
	return s->rcv_nxt - s->irs - 1 - (has_flag(s, SC_SESS_TARGET_FIN) ? 1 : 0);
}

static inline const struct sc_replay_target *
target_of(const struct sc_replay *e, const struct sc_session *s)
{
	return &e->cfg.targets[s->target];
}

/* Sessions that what the flow holds is for: those that are alive, or all that there will be. */
static inline uint16_t
nb_receivers(const struct sc_replay *e, const struct sc_flow *f)
{
	if (f->state != SC_FLOW_LIVE || e->cfg.copies == 1)
		return (uint16_t)e->cfg.copies;
	return sc_session_nb_alive(&e->t, (uint32_t)(f - e->t.flow));
}

/* What the client's own distance adds to an answer, and to our ACKs. */
static inline uint32_t
latency_us(const struct sc_replay *e, const struct sc_session *s)
{
	if (e->cfg.latency == SC_REPLAY_LATENCY_NONE)
		return 0;
	return e->cfg.latency == SC_REPLAY_LATENCY_FIXED ? e->cfg.latency_us
							 : sc_us16_us(flow_of(e, s)->rtt);
}

/* May the frame, whose payload was copied, be sent itself? Nobody else has it, and headers fit. */
static inline bool
is_reusable(const struct rte_mbuf *m, const struct sc_seg *s)
{
	return m->nb_segs == 1 && RTE_MBUF_DIRECT(m) && rte_mbuf_refcnt_read(m) == 1
			&& m->data_off + s->payload_off >= SC_TX_HDR_MAX;
}

/*
 * Acknowledge at once: every second full-sized segment (RFC 5681 section 4.2). Head and body of a
 * small answer, sent apart, are none; the next request acknowledges them.
 */
static inline bool
is_ack_due(const struct sc_session *s)
{
	return s->unacked_segs >= 2 && s->rcv_nxt - s->acked > MSS_DEFAULT_V4;
}

/* The flow's hole, or NULL. */
static inline struct sc_hole *
hole_of(const struct sc_replay *e, const struct sc_flow *f)
{
	return f->hole == SC_HOLE_NONE ? NULL : &e->t.hole[f->hole];
}

/* The first held segment beyond the flow's hole, or SC_NONE. */
static inline uint32_t
ooo_head(const struct sc_replay *e, const struct sc_flow *f)
{
	return f->hole == SC_HOLE_NONE ? SC_NONE : e->t.hole[f->hole].head;
}

/* Payload bytes beyond the flow's hole. */
static inline uint32_t
ooo_bytes(const struct sc_replay *e, const struct sc_flow *f)
{
	return f->hole == SC_HOLE_NONE ? 0 : e->t.hole[f->hole].bytes;
}

/* Segments beyond the flow's hole. */
static inline uint32_t
nb_ooo(const struct sc_replay *e, const struct sc_flow *f)
{
	return f->hole == SC_HOLE_NONE ? 0 : e->t.hole[f->hole].nb;
}

/* The newest held segment in order, of a flow that holds any. */
static inline struct sc_held *
held_last(const struct sc_replay *e, const struct sc_flow *f)
{
	return &e->t.held[e->t.held[f->held_head].tail];
}

/* Client bytes by sequence number: in order, less laps of 4 GB, and beyond a hole. */
static inline uint64_t
flow_span(const struct sc_replay *e, const struct sc_flow *f)
{
	return (uint64_t)(f->nxt - f->isn - 1) - (f->flags & SC_FLOW_FIN ? 1 : 0) + ooo_bytes(e, f);
}

/* The stream goes on to `nxt`. A lap of 4 GB is accounted as if it had ended. */
static inline void
flow_advance(struct sc_replay *e, struct sc_flow *f, uint32_t nxt)
{
	if (nxt - f->isn - 1 < f->nxt - f->isn - 1) {
		C(e, SPAN_BYTES) += 1ull << 32;
		C(e, SPAN_NOW) -= 1ull << 32;
	}
	f->nxt = nxt;
}

/* The end of the client's stream has been captured, or is of our making. */
#define FLOW_CLOSED (SC_FLOW_FIN | SC_FLOW_RST | SC_FLOW_ENDED)

static inline void
flow_close(struct sc_replay *e, struct sc_flow *f, uint8_t flag)
{
	e->nb_ending += f->state == SC_FLOW_LIVE && (f->flags & FLOW_CLOSED) == 0;
	f->flags |= flag;
}

/* flow.c */
uint32_t flow_new(struct sc_replay *e, const struct sc_mirror_seg *ms);
void flow_refuse(struct sc_replay *e, uint32_t fi, enum sc_reason reason);
bool flow_refuse_unopened(struct sc_replay *e, uint32_t fi);
void flow_supersede(struct sc_replay *e, uint32_t fi);
void flow_finish(struct sc_replay *e, uint32_t fi, enum sc_reason outcome, uint32_t gap);
void flow_over(struct sc_replay *e, uint32_t fi);
void flow_abort(struct sc_replay *e, uint32_t fi, enum sc_reason outcome);
uint64_t flow_held_bytes(struct sc_replay *e, const struct sc_flow *f);
void flow_push(struct sc_replay *e, uint32_t fi);
void flow_set_base(struct sc_replay *e, uint32_t fi, uint32_t base);
enum sc_reason flow_check(struct sc_replay *e, const struct sc_mirror_seg *ms);

/* admit.c */
void admit_init(struct sc_replay *e);
void admit_shed(struct sc_replay *e);
void admit_run(struct sc_replay *e);
uint32_t admit_place(const struct sc_replay *e, const struct sc_flow *f);
void admit_cut(struct sc_replay *e, uint64_t load);
/* A flow comes into the index, or leaves it. */
void admit_know(struct sc_replay *e, const struct sc_flow *f);
void admit_forget(struct sc_replay *e, const struct sc_flow *f);

/* surge.c */
void surge_note(struct sc_replay *e); /* a new flow got a place */
void surge_learn(struct sc_replay *e, const struct sc_replay_load *l);

/*
 * The place of a flow, from its Toeplitz hash: any of the 65,536 has one of its own. Mixed with shifts
 * around the product: a product alone is as linear as the index's own, and the flows that are admitted
 * would crowd in some of its buckets.
 */
static inline uint32_t
place_of_hash(uint32_t rss)
{
	uint32_t x = rss & 0xffff;

	x = (x ^ x >> 7) * 0x2c1b & 0xffff;
	x = (x ^ x >> 9) * 0x9e37 & 0xffff;
	return x ^ x >> 8;
}

static inline uint32_t
place_of_fold(const struct sc_replay *e, uint16_t fold)
{
	return place_of_hash(e->cfg.steer->toeplitz[fold]);
}

static inline uint32_t
place_of(const struct sc_replay *e, const struct sc_seg *s)
{
	return place_of_fold(e, sc_fold_tuple(&s->src, &s->dst, s->sport, s->dport));
}

static inline bool
is_place_known(const struct sc_replay *e, uint32_t place)
{
	return (e->admit.known_bit[place / 64] >> place % 64 & 1) != 0;
}

static inline bool
is_admitted(const struct sc_replay *e, uint32_t place)
{
	return place < e->admit.share;
}

/*
 * Flows that are left out get no tombstone: there are too many. For a while a frame that begins no
 * flow and belongs to none is taken for one of theirs, if it may be.
 */
static inline bool
admit_is_after_shed(const struct sc_replay *e, const struct sc_seg *s)
{
	return e->now_s < e->admit.join_pause_s && place_of(e, s) >= e->admit.least;
}

/* join.c */
void join_client(struct sc_replay *e, uint32_t fi, struct sc_mirror_seg *ms, bool *took);

/* client.c */
bool client_frame(struct sc_replay *e, struct sc_mirror_seg *ms, uint32_t value);

/* accept.c */
bool accept_segment(struct sc_replay *e, uint32_t fi, const struct sc_seg *seg);
uint32_t accept_end(struct sc_replay *e, struct sc_flow *f, const struct sc_seg *s,
		enum sc_held_kind kind, uint32_t seq);
void accept_ack(struct sc_flow *f, const struct sc_seg *s);
void accept_in_order(struct sc_replay *e, uint32_t fi, uint32_t hi);
void accept_merge(struct sc_replay *e, uint32_t fi);
bool is_mirror_duplicate(struct sc_replay *e, uint32_t fi, const struct sc_seg *s);
void annotate(struct sc_replay *e, struct sc_flow *f, const struct sc_seg *s, struct sc_held *h);

/* fast.c */
bool fast_suits(const struct sc_replay_cfg *cfg);
bool fast_client(struct sc_replay *e, uint32_t fi, const struct sc_seg *seg);
bool fast_fin(struct sc_replay *e, uint32_t fi, const struct sc_seg *seg);
bool fast_record(struct sc_replay *e, uint32_t si, const struct sc_record *rec);

/* hole.c */
bool hole_watch(struct sc_replay *e, uint32_t fi);
void hole_expect(struct sc_replay *e, uint32_t fi);
void hole_end(struct sc_replay *e, uint32_t fi, enum sc_reason outcome);
void hole_give_up(struct sc_replay *e, uint32_t fi);
void hole_reset(struct sc_replay *e, uint32_t fi);
void hole_cut(struct sc_replay *e, uint32_t fi);
uint32_t hole_run(struct sc_replay *e);

/* stranger.c */
#define SEQ_NEAR 65536u /* an ISN on a tuple that is used again is further ahead (RFC 6191) */
static inline bool
is_near(uint32_t seq, uint32_t nxt)
{
	return seq - nxt + SEQ_NEAR <= 2 * SEQ_NEAR;
}

enum verdict stranger_client(struct sc_replay *e, uint32_t fi, const struct sc_seg *s);
enum verdict stranger_production(struct sc_replay *e, uint32_t fi, const struct sc_seg *s);
bool stranger_is_synack(const struct sc_seg *s, uint32_t nxt);

/* housekeep.c */
void housekeep_init(struct sc_replay *e);
uint32_t housekeep(struct sc_replay *e);
void housekeep_reclaim(struct sc_replay *e);
uint32_t housekeep_drain(struct sc_replay *e);

/* production.c */
void production_frame(struct sc_replay *e, struct sc_mirror_seg *ms, uint32_t value);

/* open.c */
void flow_open(struct sc_replay *e, uint32_t fi);
int session_connect(struct sc_replay *e, uint32_t si);
void syn_send(struct sc_replay *e, uint32_t si);
void path_publish(struct sc_replay *e);
void path_answered(struct sc_replay *e, struct sc_session *s);
void path_heard(struct sc_replay *e, struct sc_session *s);
void path_unanswered(struct sc_replay *e, struct sc_session *s);

/* wait.c */
void waiting_add(struct sc_replay *e, uint32_t fi);
void waiting_drop(struct sc_replay *e, uint32_t fi);
uint32_t waiting_run(struct sc_replay *e);
bool flow_waits_for_tuple(const struct sc_replay *e, uint16_t target);
bool session_waits_for_tuple(const struct sc_replay *e, const struct sc_session *s);

/* tuple.c */
int tuples_init(struct sc_replay *e, struct sc_err *err);
uint64_t tuples_size(const struct sc_replay_cfg *cfg, unsigned int nb_workers);
void tuples_fini(struct sc_replay *e);
int tuple_take(struct sc_replay *e, uint32_t si);
void tuple_put(struct sc_replay *e, uint32_t si);
void tuple_expect(const struct sc_replay *e, uint32_t fi);
uint32_t tuple_find(struct sc_replay *e, const struct sc_record *rec);
bool tuple_is(const struct sc_replay *e, uint32_t si, const struct sc_record *rec);
void tuple_find_bulk(struct sc_replay *e, const struct sc_record *rec, uint32_t n, uint32_t *si);
const struct sc_addr *replay_addr(const struct sc_replay *e, const struct sc_session *s);

/* gate.c */
void gate_closed(struct sc_replay *e, const struct sc_session *s, const struct sc_held *h);
bool gate_torn(struct sc_replay *e, struct sc_session *s);
bool gate_pass(struct sc_replay *e, uint32_t si, const struct sc_held *h);
void gate_answer(struct sc_replay *e, struct sc_session *s, uint32_t len);
void gate_turn_over(struct sc_replay *e, struct sc_session *s);
void gate_release(struct sc_replay *e, struct sc_session *s, uint32_t ack, enum gate_case why);

/* frame.c */
bool send_ack(struct sc_replay *e, uint32_t si);
bool send_rst(struct sc_replay *e, uint32_t si, uint32_t seq);
bool send_segment(struct sc_replay *e, uint32_t si, uint32_t hi, uint32_t off, uint32_t len);
bool send_bare(struct sc_replay *e, uint32_t si, uint8_t flags, uint32_t seq);
bool send_syn(struct sc_replay *e, uint32_t si);
void send_reused(struct sc_replay *e, struct sc_session *s, const struct sc_held *h,
		const struct sc_seg *seg);
void send_stray_ack(struct sc_replay *e, const struct sc_record *rec);

/* send.c */
void session_send(struct sc_replay *e, uint32_t si);
void session_push(struct sc_replay *e, uint32_t si);
void note_first_send(struct sc_replay *e, struct sc_session *s, const struct sc_held *h);

/* recover.c */
void ack_process(struct sc_replay *e, uint32_t si, const struct sc_record *rec);
void rto_arm(struct sc_replay *e, struct sc_session *s);
void cwnd_restart(const struct sc_replay *e, struct sc_session *s);
void rto_expired(struct sc_replay *e, uint32_t si);
void persist_expired(struct sc_replay *e, uint32_t si);
void rtt_sample(struct sc_session *s, uint32_t us);
void cwnd_grow(struct sc_session *s, uint32_t acked);

/* receive.c */
void on_established(struct sc_replay *e, uint32_t si, const struct sc_record *rec);
void keep_timestamp(struct sc_session *s, const struct sc_record *rec);
void owe_ack(struct sc_replay *e, uint32_t si, bool at_once);
void on_segment(struct sc_replay *e, uint32_t si, const struct sc_record *rec);
void on_reset(struct sc_replay *e, uint32_t si, const struct sc_record *rec);
void on_refused(struct sc_replay *e, uint32_t si, const struct sc_record *rec);
void on_stale(struct sc_replay *e, uint32_t si, const struct sc_record *rec);
void on_synack_again(struct sc_replay *e, uint32_t si, const struct sc_record *rec);

/* close.c */
void session_end(struct sc_replay *e, uint32_t si, enum sc_reason outcome, enum sc_reason how);
void session_complete(struct sc_replay *e, uint32_t si, enum sc_reason how);
void session_reopen(struct sc_replay *e, uint32_t si);
void session_tear(struct sc_replay *e, uint32_t si);
void session_retuple(struct sc_replay *e, uint32_t si);
void session_lost(struct sc_replay *e, uint32_t si, enum sc_reason why, enum sc_reason how);
void session_skip_turn(struct sc_replay *e, uint32_t si, enum sc_reason why);
void session_leave(struct sc_replay *e, uint32_t si);
void session_abort(struct sc_replay *e, uint32_t si, enum sc_reason outcome);
void held_release(struct sc_replay *e, struct sc_flow *f, uint32_t hi);

/* machine.c */
void machine_record(struct sc_replay *e, uint32_t si, const struct sc_record *rec);
void machine_timer(struct sc_replay *e, uint32_t si);
void timer_rearm(struct sc_replay *e, uint32_t si);

#endif
