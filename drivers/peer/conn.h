/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * conn: TCP connections of the peer: a server after RFC 9293, 5681, 6298, 6582, 7323 and 5961.
 * Everything here belongs to the polling thread. Times are microseconds of sc_peer_poll().
 */
#ifndef PEER_CONN_H
#define PEER_CONN_H

#include <sys/queue.h>

#include <rte_mempool.h>
#include <rte_ring.h>

#include <sc_packet.h>
#include <sc_peer.h>
#include <sc_steer.h>

#include "index.h"
#include "path.h"

#define PEER_QUEUES_MAX 16u /* of a ring port */
#define PEER_BURST 64u
#define PEER_FRAMES_OUT 256u /* frames made in one round */
#define PEER_MSS_V4 1460u
#define PEER_MSS_V6 1440u
#define PEER_OOO_MAX 64u /* segments kept out of order, per connection */
/* Short, yet longer than a tuple rests before we use it again: the rules of reuse are met. */
#define PEER_TIME_WAIT_US (5 * SC_US_PER_S)
#define PEER_FIN_WAIT_2_US (60 * SC_US_PER_S) /* of silence */
#define PEER_CWND_MAX (1u << 20)

enum conn_state {
	CONN_CLOSED,
	CONN_SYN_RCVD,
	CONN_ESTABLISHED,
	CONN_CLOSE_WAIT,
	CONN_FIN_WAIT_1,
	CONN_FIN_WAIT_2,
	CONN_CLOSING,
	CONN_LAST_ACK,
	CONN_TIME_WAIT,
	CONN_STATES
};

enum conn_event {
	CONN_EV_SYN_ACKED,
	CONN_EV_FIN_IN, /* the client's FIN, in order */
	CONN_EV_FIN_OUT,
	CONN_EV_FIN_ACKED,
	CONN_EVENTS
};

/* Client data that came before what precedes it. */
struct ooo {
	struct ooo *next; /* by seq */
	uint32_t seq, len;
	bool has_fin;
	uint8_t data[];
};

struct conn {
	TAILQ_ENTRY(conn) link; /* free or TIME_WAIT list */
	TAILQ_ENTRY(conn) ready;
	struct conn *next; /* chain of the tuple table */
	uint64_t hash;
	struct sc_addr client, server;
	uint16_t cport, sport;
	uint16_t target;
	uint8_t state;             /* enum conn_state */
	bool is_ready, is_waiting; /* on the ready, TIME_WAIT list */
	bool was_open, is_counted; /* was established; is in stats.closed */
	struct sc_l2_tmpl l2;

	/* timers; 0: off */
	uint64_t due; /* the earliest */
	uint32_t heap_pos;
	uint64_t rtx_us, ack_us, life_us, zero_us;

	/* answer: places in the captured streams, FIN included */
	uint32_t flow;                        /* PEER_NONE: not known yet */
	uint8_t nb_first, first[PEER_PREFIX]; /* read before that was known */
	uint64_t start_in, start_out;         /* where this connection begins in them */
	uint64_t rcv_pos;                     /* client stream received in order */
	uint64_t una_off, nxt_off, max_off;   /* SND.UNA, SND.NXT, highest sent + 1 */
	uint64_t limit;                       /* what may be sent by now */
	uint64_t end;                         /* of the answer's bytes: there its FIN stands */
	uint32_t limit_seg;                   /* first segment of production beyond it */

	/* sending */
	uint32_t iss;
	uint32_t snd_wnd, max_wnd, snd_wl1, snd_wl2;
	uint32_t mss; /* payload bytes of a full segment */
	uint32_t cwnd, ssthresh, nb_dup;
	uint64_t recover; /* RFC 6582 */
	bool is_recovering, want_rexmit, want_syn_ack, want_probe, is_persist;
	uint8_t snd_ws, nb_retries;
	uint32_t srtt_us, rttvar_us, rto_us;
	uint64_t timed_off, timed_us; /* the segment that is timed when there are no timestamps */

	/* receiving */
	uint32_t irs, rcv_nxt, rcv_edge; /* rcv_edge: what was advertised; never moves left */
	uint32_t rcv_wnd;
	uint8_t rcv_ws, nb_unacked;
	bool has_ts, has_ws, want_ack;
	uint32_t ts_recent, last_ack_sent, ts_off;
	uint64_t challenge_us; /* not before, for ACKs that nothing but a stray segment asks for */
	unsigned int zero_idx, nb_ooo;
	uint32_t ooo_bytes;
	struct ooo *ooo;
};

TAILQ_HEAD(conn_list, conn);

struct sc_peer {
	struct sc_peer_cfg cfg; /* paths and rules are not used after create */
	struct sc_port port;
	struct rte_ring *rx[PEER_QUEUES_MAX], *tx[PEER_QUEUES_MAX]; /* as the workers call them */
	struct peer_index index;
	struct wire_rules rules;
	struct wire_track *track; /* NULL: no drop rules */
	struct path in, out;
	struct sc_peer_stats stats;
	uint32_t mss_max;    /* what an mbuf of the pool holds */
	uint16_t next_tx;    /* ring to look at first */
	unsigned int budget; /* frames that this round may still make */

	struct conn *conn; /* max_conns of them */
	struct conn **table;
	uint32_t mask;
	struct conn **heap; /* by due */
	uint32_t nb_heap;
	struct conn_list free, waiting, ready; /* waiting: TIME_WAIT, the oldest first */

	uint8_t payload[65536];  /* of the segment in hand */
	uint8_t captured[65536]; /* what it is compared with */
};

/* ---- conn.c ---- */

int conns_init(struct sc_peer *p);
void conns_free(struct sc_peer *p);
struct conn *conn_find(const struct sc_peer *p, const struct sc_seg *seg, uint64_t hash);
/* A zeroed connection in the table, or NULL when all are in use. */
struct conn *conn_new(struct sc_peer *p, const struct sc_seg *seg, uint64_t hash);
void conn_free(struct sc_peer *p, struct conn *c);
/* The state that follows; CONN_CLOSED means that c was freed. */
enum conn_state conn_event(struct sc_peer *p, struct conn *c, enum conn_event ev, uint64_t now);
/* Have conn_output() called in this round or the next. */
void conn_ready(struct sc_peer *p, struct conn *c);
/* After a timer was changed. */
void conn_rearm(struct sc_peer *p, struct conn *c);

/* ---- app.c: what the server reads and answers ---- */

/* Which captured connection a SYN stands for. False: nothing can ever match. */
bool app_open(struct sc_peer *p, struct conn *c);
/* In-order client bytes. 0; -ENOENT: they fit no captured connection; -EIO. */
int app_receive(struct sc_peer *p, struct conn *c, const uint8_t *data, uint32_t len);
/* Move c->limit as far as what was received allows. */
void app_release(struct sc_peer *p, struct conn *c);
/* Bytes [from, to) of the answer went out for the first time. */
void app_sent(struct sc_peer *p, const struct conn *c, uint64_t from, uint64_t to);
/* Production closed by RST, and everything before it was acknowledged. */
bool app_resets(const struct sc_peer *p, const struct conn *c);

/* ---- tcp_in.c ---- */

/* Takes the frame. */
void tcp_input(struct sc_peer *p, struct rte_mbuf *m, uint64_t now);
/* Have an ACK sent in this round. */
void tcp_ack_now(struct sc_peer *p, struct conn *c);
/* An ACK in answer to a segment that brings nothing, at a bounded rate. */
void tcp_challenge(struct sc_peer *p, struct conn *c, uint64_t now);
/* SEG.LEN of RFC 9293: payload, SYN and FIN. */
uint32_t tcp_seg_len(const struct sc_seg *seg);

/* ---- tcp_listen.c ---- */

/* A segment without connection. */
void tcp_listen(struct sc_peer *p, const struct sc_seg *seg, uint64_t hash, uint64_t now);
/* The ACK of our SYN. False: it is not that. */
bool tcp_establish(struct sc_peer *p, struct conn *c, const struct sc_seg *seg, uint64_t now);

/* ---- tcp_ack.c ---- */

/* ACK and window. False: drop the segment, or the connection is gone. */
bool tcp_acks(struct sc_peer *p, struct conn *c, const struct sc_seg *seg, uint64_t now);
/* The round trip that this ACK ends, by timestamp or by the timed segment. */
void tcp_measure(struct conn *c, const struct sc_seg *seg, uint64_t now);

/* ---- tcp_data.c ---- */

/* Data and FIN of an acceptable segment. c may be freed. */
void tcp_receive(struct sc_peer *p, struct conn *c, const struct sc_seg *seg, uint64_t now);
/* Start the time of a zero-window rule whose place is reached. */
void tcp_zero_start(struct sc_peer *p, struct conn *c, uint64_t now);

/* ---- tcp_timer.c ---- */

void tcp_timers(struct sc_peer *p, struct conn *c, uint64_t now);
/* RFC 6298: a new measurement. */
void tcp_rtt(struct conn *c, uint64_t rtt_us);
/* Start, restart or stop the retransmission timer by what is outstanding. */
void tcp_arm_rtx(struct sc_peer *p, struct conn *c, uint64_t now);

/* ---- tcp_out.c ---- */

/* Send what is to be sent. False: no budget or mbuf, call again. c may be freed. */
bool tcp_output(struct sc_peer *p, struct conn *c, uint64_t now);
/* RST to the client, and the connection is gone. */
void tcp_abort(struct sc_peer *p, struct conn *c, uint64_t now);
/* The RST that answers a segment without connection (RFC 9293 section 3.10.7.1). */
void tcp_refuse(struct sc_peer *p, const struct sc_seg *seg, uint64_t now);
/* Ethernet header and VLAN tags of the answers to m. */
void tcp_l2_of(const struct sc_peer *p, const struct rte_mbuf *m, struct sc_l2_tmpl *l2);

static inline uint32_t
tcp_seq_of(const struct conn *c, uint64_t off)
{
	return c->iss + 1 + (uint32_t)(off - c->start_out);
}

static inline uint32_t
tcp_tsval(const struct conn *c, uint64_t now)
{
	return sc_clock_tsval(now) + c->ts_off;
}

#endif
