/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * target: a server's TCP, written from RFC 9293, 7323, 6298, 5681 and 5961, and its application,
 * which says what production said. Nothing of it is shared with the engine.
 */
#ifndef SIM_TARGET_H
#define SIM_TARGET_H

#include "sim.h"

#define CONNS_MAX 2048
#define OOO_MAX 64
#define NEVER UINT64_MAX

enum tstate {
	T_CLOSED,
	T_STALE, /* an older connection that nobody knows of any more */
	T_SYN_RCVD,
	T_ESTABLISHED,
	T_FIN_WAIT_1,
	T_FIN_WAIT_2,
	T_CLOSING,
	T_CLOSE_WAIT,
	T_LAST_ACK,
	T_TIME_WAIT
};

struct range {
	uint32_t from, to; /* offsets behind IRS + 1 */
};

struct tconn {
	struct sc_addr addr;
	uint16_t port;
	uint8_t state;
	struct sim_flow *flow; /* NULL until known */
	/* receiving */
	uint32_t irs, rcv_nxt, edge, ts_recent;
	uint8_t *buf; /* everything received, by offset behind IRS + 1 */
	uint32_t room, got;
	struct range ooo[OOO_MAX];
	uint32_t nb_ooo;
	bool has_ts, fin_seen;
	bool is_shut; /* the window is closed in front of bytes that were offered before */
	uint32_t fin_off;
	uint32_t edge_max; /* the rightmost edge ever offered */
	uint32_t sent_max; /* behind the highest number that the engine has used */
	uint8_t rcv_wscale, snd_wscale;
	uint16_t unacked;
	uint64_t ack_us;
	/* sending */
	uint32_t iss, una, nxt, max, app_end; /* app_end: offset behind ISS + 1 */
	uint32_t wnd, cwnd, ssthresh, recover;
	uint16_t mss;
	uint8_t retries, backoff, dup_acks; /* backoff: until an RTT has been measured (Karn) */
	bool fin_queued, fin_sent, in_recovery;
	uint64_t rto_at, srtt_us, rttvar_us, rto_us, timed_us;
	uint32_t timed_seq;
	bool is_timed;
	/* the application */
	uint32_t step, read; /* read: offset behind IRS + 1 */
	uint64_t ready_us, read_us;
	uint64_t pos;     /* captured position behind what is aligned */
	uint32_t aligned; /* bytes of buf that have been found in the stream */
	uint32_t burst_left;
	uint64_t stop_pos; /* where this connection's disturbance strikes */
	bool has_paused, is_located, is_silent, has_ended;
	/* what the engine has done on it */
	uint32_t watch_step, watch_max;
	bool was_reset;
	uint64_t wait_us; /* TIME-WAIT ends */
};

struct sim_target {
	struct tconn conn[CONNS_MAX];
	uint32_t nb;
	uint64_t next_us;
	bool has_restarted;
};

/* target.c */
/* Connections whose FIN was sent again and again, and never acknowledged. */
uint32_t target_stuck(const struct sim *s);
/* target_in.c */
void conn_segment(struct sim *s, struct tconn *c, const struct sc_seg *seg);
/* target_out.c */
void conn_answer(struct sim *s, struct tconn *c, uint8_t flags, uint32_t seq, uint32_t len);
void conn_ack(struct sim *s, struct tconn *c);
void conn_reset(struct sim *s, struct tconn *c);
void conn_output(struct sim *s, struct tconn *c);
void conn_acked(struct sim *s, struct tconn *c, const struct sc_seg *seg);
void conn_rto(struct sim *s, struct tconn *c);
void conn_arm(struct sim *s, struct tconn *c);
void conn_close(struct sim *s, struct tconn *c);
void answer_unknown(struct sim *s, const struct sc_seg *seg);
uint32_t conn_window(const struct sim *s, const struct tconn *c);
/* target_app.c */
void app_open(struct sim *s, struct tconn *c);
void app_run(struct sim *s, struct tconn *c);
void app_read(struct sim *s, struct tconn *c);
bool app_has_sent(const struct tconn *c, const struct sim_step *step);
/* align.c */
void align(struct sim *s, struct tconn *c);

#endif
