/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sim: the engine against modelled traffic, a modelled mirror, a modelled path and modelled targets,
 * all in virtual time. A seed says everything about a schedule; the same seed gives the same run.
 *
 * The models know base and packet; of the engine only run.c knows.
 * Positions are those of the captured stream of one half: byte 0 is the first payload byte.
 */
#ifndef SIM_H
#define SIM_H

#include <stdio.h>
#include <string.h>

#include <rte_mempool.h>

#include <sc_base.h>
#include <sc_packet.h>
#include <sc_stats.h>

#define SIM_FLOWS_MAX 20
#define SIM_T0_US 1700000000000000ull /* virtual time at which every schedule begins */
#define SIM_NONE UINT32_MAX

/* ---- what a schedule draws ---- */

enum sim_kind {
	KIND_TURNS,
	KIND_PIPELINED,
	KIND_SERVER_FIRST,
	KIND_UPLOAD,
	KIND_DOWNLOAD,
	KIND_DUPLEX,
	KIND_SMALL, /* many small turns */
	KIND_EOF,   /* the server answers at the client's FIN */
	KIND_LEFT,  /* the server closes its half, and the client goes on */
	KIND_COUNT
};

enum sim_ending {
	ENDING_CLIENT_FIN,
	ENDING_SERVER_FIN,
	ENDING_CLIENT_RST,
	ENDING_SERVER_RST,
	ENDING_OPEN, /* the capture ends first */
	ENDING_COUNT
};

/* Disturbances: bits of sim_cfg.faults. */
#define SIM_FAULTS(X)                                           \
	X(M_LOSS, "mirror loss")                                \
	X(M_DUP, "mirror duplicates")                           \
	X(M_REORDER, "mirror reordering")                       \
	X(M_TRUNCATE, "truncated frames")                       \
	X(M_CSUM, "bad checksums")                              \
	X(M_CLIENT_ONLY, "client half only")                    \
	X(M_SERVER_ONLY, "production half only")                \
	X(M_SUPER, "super frames")                              \
	X(M_RETRANS, "client retransmissions")                  \
	X(M_CONFLICT, "retransmissions with other bytes")       \
	X(M_VLAN, "VLAN on one direction")                      \
	X(M_MIDSTREAM, "mid-stream start")                      \
	X(M_REUSE, "port reuse")                                \
	X(P_LOSS, "path loss")                                  \
	X(P_DUP, "path duplicates")                             \
	X(P_JITTER, "path jitter and reordering")               \
	X(P_RING_FULL, "record ring full")                      \
	X(P_TX_SLOW, "slow transmit ring")                      \
	X(T_MSS, "target with another MSS")                     \
	X(T_SMALL_WINDOW, "target with a small window")         \
	X(T_NO_TS, "target without timestamps")                 \
	X(T_ZERO_WINDOW, "target closes its window")            \
	X(T_SLOW_READER, "target reads slowly")                 \
	X(T_SHORTER, "shorter answers")                         \
	X(T_LONGER, "longer answers")                           \
	X(T_BURSTS, "answers in bursts")                        \
	X(T_SILENT_APP, "target never answers data")            \
	X(T_EARLY_FIN, "early FIN of the target")               \
	X(T_EARLY_RST, "early RST of the target")               \
	X(T_SYN_DROP, "SYN dropped")                            \
	X(T_SYN_REFUSE, "SYN refused")                          \
	X(T_STALE, "stale connection at the target")            \
	X(T_TIME_WAIT, "connection in TIME-WAIT at the target") \
	X(T_SILENT, "target falls silent for ever")             \
	X(T_RESTART, "target restarts")

enum sim_fault_bit {
#define X(sym, text) BIT_##sym,
	SIM_FAULTS(X)
#undef X
	SIM_FAULT_COUNT
};

#define F(sym) (1ull << BIT_##sym)

/* What a schedule shows besides: bits of sim.shown. */
#define SIM_SHOWN(X)                                             \
	X(BYTE, "turns of 1 byte")                               \
	X(LARGE, "turns above 1 MB")                             \
	X(HUGE, "turns above 8 MB")                              \
	X(REUSE_FIN, "port reuse after a FIN")                   \
	X(REUSE_RST, "port reuse after a RST")                   \
	X(REUSE_OPEN, "port reuse without an end")               \
	X(ORDER_ONE, "mirror reordering within a direction")     \
	X(ORDER_BOTH, "mirror reordering across directions")     \
	X(SUPER_BIG, "super frames above 32 KB")                 \
	X(OVERLAP, "retransmissions that overlap new bytes")     \
	X(PATH_ORDER, "path reordering")                         \
	X(ZERO_IDLE, "zero window with everything acknowledged") \
	X(ZERO_FLIGHT, "zero window with data in flight")        \
	X(ZERO_UNTOLD, "window opened without a word")           \
	X(JOINED, "mid-stream flows joined")                     \
	X(REOPENED, "connections reopened")                      \
	X(GAP_CROSSED, "gaps of the capture that a flow crossed")

enum sim_shown_bit {
#define X(sym, text) SHOWN_##sym,
	SIM_SHOWN(X)
#undef X
	SIM_SHOWN_COUNT
};

extern const char *const sim_fault_names[SIM_FAULT_COUNT];
extern const char *const sim_shown_names[SIM_SHOWN_COUNT];
extern const char *const sim_kind_names[KIND_COUNT];
extern const char *const sim_ending_names[ENDING_COUNT];

/* Those under which client bytes may be lost, and outcomes other than complete are right. */
#define SIM_LOSSY                                                                                 \
	(F(M_LOSS) | F(M_TRUNCATE) | F(M_CSUM) | F(M_MIDSTREAM) | F(T_EARLY_FIN) | F(T_EARLY_RST) \
			| F(T_SYN_DROP) | F(T_SYN_REFUSE) | F(T_STALE) | F(T_SILENT)              \
			| F(T_RESTART))
/* Those under which a turn may rightly begin before the target has sent its whole answer. */
#define SIM_EARLY                                                                    \
	(SIM_LOSSY | F(M_REORDER) | F(M_CLIENT_ONLY) | F(T_BURSTS) | F(T_SILENT_APP) \
			| F(T_ZERO_WINDOW) | F(T_TIME_WAIT) | F(P_LOSS) | F(P_RING_FULL))
/* And those that hide the end of an answer only where the way is long (the gate's least quiet). */
#define SIM_EARLY_FAR (F(T_SHORTER) | F(T_LONGER) | F(P_JITTER) | F(T_SLOW_READER))
#define SIM_NEAR_US 4000

struct sim_cfg {
	uint64_t seed;
	uint64_t faults;
	uint32_t nb_flows;
	enum sim_kind kind; /* of all flows; KIND_COUNT: each draws its own */
	uint32_t copies;
	bool is_v6, is_pool;
	bool is_file, flat_out, pace_think;
	bool is_general;       /* the engine takes no short cut */
	uint8_t latency, gate; /* enum sc_replay_latency, enum sc_replay_gate */
	uint32_t latency_us;
	uint32_t rate; /* how often a disturbance strikes, in 1/1000 */
	uint32_t loss; /* the same for losses of the path */
	uint32_t owd_us, jitter_us;
	uint16_t target_mss;
	uint32_t target_buf;
	uint8_t target_wscale;
	uint64_t event_us; /* when a disturbance of the whole target happens */
};

/* ---- the conversation ---- */

enum sim_act {
	ACT_DATA,
	ACT_FIN,
	ACT_RST
};

/* Once `need` bytes (its FIN is one more) of the peer have been read: wait, then act. */
struct sim_step {
	uint64_t need;
	uint64_t begin; /* position of the first byte it writes */
	uint64_t acked; /* of a client's step: bytes of the peer that its first segment acknowledged */
	uint32_t len;
	uint32_t delay_us;
	uint8_t act;
};

struct sim_script {
	struct sim_step *step;
	uint32_t nb, room;
	uint64_t bytes;
	bool has_fin;
};

enum sim_half {
	CLIENT,
	SERVER
};

/* One captured segment. */
struct sim_seg {
	uint64_t t_us;
	uint32_t len;
	uint32_t seq, ack, tsval, tsecr;
	uint64_t pos;
	uint32_t order;
	uint16_t flow;
	uint8_t half, flags;
	bool other; /* bytes that differ from the client's own */
};

struct sim_flow {
	struct sc_addr client, server;
	uint16_t cport, sport;
	uint32_t isn[2];
	uint32_t content; /* where in the table of bytes its stream begins */
	enum sim_kind kind;
	enum sim_ending ending;
	bool has_ts, has_ws, has_mss;
	uint16_t mss;
	uint8_t wscale;
	uint32_t owd_us;
	uint64_t start_us, end_us;
	struct sim_script script[2];
	struct sim_seg *seg; /* as captured, by time */
	uint32_t nb_seg, room_seg;
	uint64_t *start; /* positions at which a segment of the client begins, ascending */
	uint32_t nb_start;
	bool is_reuse; /* same tuple as the flow before it */
	uint8_t *got;  /* per client byte: 1 offered with its own content first, 2 with other */
	uint64_t nb_got;
	uint8_t *reads; /* per client byte: how often a target has read it */
	uint64_t nb_reads;
	uint32_t nb_fins,
			nb_early_fins; /* that targets read at the end of the stream, and before */
	bool is_touched;               /* something befell it that may lose bytes */
};

struct sim_frame {
	uint64_t t_us;
	uint64_t order;
	struct sim_seg seg;
	uint8_t how; /* SIM_FRAME_* */
};

#define SIM_FRAME_TRUNCATE 0x01
#define SIM_FRAME_BAD_CSUM 0x02
#define SIM_FRAME_VLAN 0x04

/* ---- counts over all schedules ---- */

struct sim_totals {
	uint64_t schedules, failed;
	uint64_t fault[SIM_FAULT_COUNT], hit[SIM_FAULT_COUNT]; /* drawn, and effective */
	uint64_t shown[SIM_SHOWN_COUNT], checked, flows, excused, kind[KIND_COUNT],
			ending[ENDING_COUNT];
	uint64_t outcome[SC_R_COUNT], refused[SC_R_COUNT];
	uint64_t turns, early, turns_exact, early_exact;
	uint64_t turns_by[SIM_FAULT_COUNT], early_by[SIM_FAULT_COUNT];
	uint64_t turns_long, early_long; /* longer answers, and no other reason to be early */
	uint64_t bytes, delivered, frames, sent;
	struct sc_stats seen; /* not 0: it was raised */
};

/* ---- one schedule ---- */

struct sim_verdict {
	char failure[600];
	uint32_t flow;   /* SIM_NONE: no one flow */
	uint32_t digest; /* of all frames that the engine sent, when, and of its counters */
};

struct sim_timeline; /* timeline.c */
struct sim_target;   /* target.c */
struct sim_path;     /* path.c */
struct sim_run;      /* run.c */

struct sim {
	struct sim_cfg cfg;
	struct sc_rng rng;
	struct sim_flow flow[SIM_FLOWS_MAX];
	struct sim_frame *frame;
	uint32_t nb_frames, room_frames, next_frame;
	struct sc_addr target_addr, pool_addr[2];
	uint16_t target_port;
	struct sc_l2_tmpl l2;
	struct sim_target *target;
	struct sim_path *path;
	struct sim_run *run;
	uint64_t now_us;
	struct sim_totals *totals;
	uint64_t sent, payload_sent, arrived, returned; /* frames and segments both ways */
	uint64_t target_read;                           /* bytes in order at all targets */
	uint64_t turns, early, early_piped; /* the last: of flows with pipelined requests */
	uint64_t hit, shown;                /* disturbances that struck; SHOWN_* */
	bool is_touched;                    /* something befell all flows that may lose bytes */
	FILE *trace;                        /* NULL: no timeline */
	uint32_t only_flow;                 /* of it; SIM_NONE: all */
	uint32_t subject; /* the flow that is being dealt with; SIM_NONE: not known */
	struct sim_timeline *timeline;
	struct sim_verdict verdict;
};

#define SIM_BYTES 1048573u
extern uint8_t sim_bytes[]; /* twice SIM_BYTES long: any window below that is contiguous */

static inline const uint8_t *
sim_content(const struct sim_flow *f, uint64_t pos)
{
	return sim_bytes + (f->content + pos) % SIM_BYTES;
}

/* Eight bytes at once, for what is kept per byte. */
#define SIM_ONES 0x0101010101010101ull

static inline uint64_t
sim_word(const uint8_t *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

bool sim_draw(struct sim *s, uint32_t per_mille);
uint32_t sim_between(struct sim *s, uint32_t lo, uint32_t hi);
/* Note the first failure. */
void sim_fail(struct sim *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sim_trace(struct sim *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void *sim_grow(void *p, uint32_t *room, uint32_t need, size_t size);

static inline bool
has_fault(const struct sim *s, uint64_t f)
{
	return (s->cfg.faults & f) != 0;
}

/* A disturbance strikes. */
static inline void
sim_hit(struct sim *s, uint64_t fault)
{
	s->hit |= fault;
}

static inline void
sim_show(struct sim *s, enum sim_shown_bit what)
{
	s->shown |= 1ull << what;
}

/* A disturbance strikes that may lose bytes of this flow; NULL: of any. */
static inline void
sim_touch(struct sim *s, uint64_t fault, struct sim_flow *f)
{
	s->hit |= fault;
	if (f != NULL)
		f->is_touched = true;
	else
		s->is_touched = true;
}

/* schedule.c */
void sim_cfg_draw(struct sim_cfg *cfg, uint64_t seed, uint64_t only);
bool sim_schedule(const struct sim_cfg *cfg, struct sim_totals *totals, FILE *trace,
		struct sim_verdict *v);

/* timeline.c */
void timeline_note(struct sim *s);

/* script.c */
void script_make(struct sim *s, struct sim_flow *f);

/* traffic.c */
void traffic_make(struct sim *s);
void traffic_free(struct sim *s);

/* mirror.c */
void mirror_make(struct sim *s);
struct rte_mbuf *mirror_frame(struct sim *s, const struct sim_frame *fr, struct rte_mempool *mp);

/* path.c */
int path_open(struct sim *s);
void path_close(struct sim *s);
uint64_t path_next(const struct sim *s);
void path_to_target(struct sim *s, struct rte_mbuf *m);
void path_to_engine(struct sim *s, const struct sc_record *rec);
/* What is due: segments go to the target; up to max records are returned. */
uint16_t path_run(struct sim *s, struct sc_record *rec, uint16_t max);

/* target.c */
int target_open(struct sim *s);
void target_close(struct sim *s);
uint64_t target_next(const struct sim *s);
void target_segment(struct sim *s, const struct sc_seg *seg);
/* The flow of a replay address and port, for the timeline; SIM_NONE: not known yet. */
uint32_t target_flow(struct sim *s, const struct sc_addr *client, uint16_t port);
uint32_t target_subject(struct sim *s, const struct sc_seg *seg);
void target_timers(struct sim *s);
/* A frame of the engine leaves: judge what can be judged at this moment. */
void target_watch(struct sim *s, const struct sc_seg *seg);

/* run.c */
int run_open(struct sim *s);
void run_schedule(struct sim *s);
void run_close(struct sim *s);
int run_global(void);

#endif
