/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * peer: a target inside the process, behind a ring port. It speaks real TCP to us (its own ISN,
 * window scale, timestamps, retransmission) and answers with production's own bytes from the
 * capture, turn by turn. Written from the RFCs, apart from the replay engine; shares nothing with
 * it but base and packet.
 *
 * Threads: one thread polls (the pump lcore); create and report are for main while it does not.
 */
#ifndef SC_PEER_H
#define SC_PEER_H

#include <rte_mempool.h>

#include <sc_base.h>
#include <sc_filter.h>
#include <sc_packet.h>
#include <sc_steer.h>

/* Impairments on the path between us and the peer, both directions, seeded. */
struct sc_impair {
	double loss_pct, dup_pct, reorder_pct;
	uint32_t delay_us, jitter_us;
	uint32_t window; /* advertised receive window limit in bytes; 0: 65,535 */
	char rules[256]; /* one-shot rules: "drop:synack:1,drop:fin:2,zerowin:20000:300" */
};

/*
 * "loss=1,dup=0.5,reorder=2,delay=2ms,jitter=1ms,window=4096,drop:data:5,..." -> *im. -EINVAL and
 * a sentence naming the word and what would be right.
 *
 * One-shot rules apply to each connection once; up to 16 of a sort.
 * drop:KIND:N drops its N-th frame of a kind: rst, syn (the client's), synack, fin (with or without
 * payload), data (client payload), answer (our payload), ack (neither payload nor another flag). A
 * frame is of the first kind that fits; rst, fin and ack count both directions together, and what
 * is sent again counts again.
 * zerowin:BYTES:MS closes the peer's window behind BYTES client bytes for MS milliseconds. The
 * right edge never moves left, so what lies behind is not promised before either; the time runs
 * from where no full segment fits.
 */
int sc_impair_parse(const char *text, struct sc_impair *im, struct sc_err *err);

struct sc_peer_cfg {
	const char *const *paths; /* captures with production's answers */
	unsigned int nb_paths;
	const struct sc_rule *rules; /* which target stands for which production endpoint */
	unsigned int nb_rules;
	struct sc_impair impair;
	uint64_t seed;
	struct rte_mempool *pool;
	uint16_t nb_rx_queues; /* queues of the test port that responses are spread over (RX of us) */
	/* queue of a response frame; NULL: queue 0 */
	uint16_t (*queue_of)(void *arg, struct rte_mbuf *m);
	void *arg;
	uint16_t nb_tx_queues; /* TX queues of the test port (one per worker + 1) */
	uint32_t max_conns;
};

struct sc_peer_stats {
	uint64_t syn, accepted, closed, refused_unknown; /* connections */
	uint64_t bytes_in,
			bytes_in_ok; /* client bytes read in order; equal to the capture's at that place */
	uint64_t bytes_in_differ; /* client bytes that differ from the captured ones */
	uint64_t bytes_out;       /* answer bytes acknowledged */
	uint64_t turns;           /* answers given */
	uint64_t early; /* client bytes that came before the answer they depend on was sent */
	uint64_t rst_in, rst_out, retransmitted, impaired;
};

struct sc_peer;

/*
 * Reads the captures once, builds an index of production's answers (payload stays in the files and
 * is read with pread: they must not change), and makes the ring port. NULL with errno and a
 * sentence. cfg->paths and cfg->rules are not used after. Mbufs of the pool need room for a full
 * frame, or answers come in smaller segments.
 *
 * A SYN is matched with a captured connection by its target and ISN; else by a client segment that
 * begins at ISN + 1 (a connection joined in mid-stream, or reopened); else by the first payload.
 */
struct sc_peer *sc_peer_create(const struct sc_peer_cfg *cfg, struct sc_err *err);
/* The test port (role test, is_ring), started. */
const struct sc_port *sc_peer_port(const struct sc_peer *p);
/* MAC that next hops have (static, no ARP). */
const uint8_t *sc_peer_mac(const struct sc_peer *p);
/* One bounded round (64 frames in, due timers, due frames out). Returns the work done, 0: idle. */
uint16_t sc_peer_poll(struct sc_peer *p, uint64_t now_us);
void sc_peer_get_stats(const struct sc_peer *p, struct sc_peer_stats *st);
void sc_peer_destroy(struct sc_peer *p);

/* Every server endpoint (one that answered, or was the destination of a SYN) in the captures, as
 * rules onto the targets of an embedded peer (198.18.0.0/15 of RFC 2544, 2001:2::/48 of RFC 5180):
 * appended to rules[*nb]. */
int sc_peer_auto_rules(const char *const *paths, unsigned int nb_paths, struct sc_rule *rules,
		unsigned int *nb, unsigned int max, struct sc_err *err);

#endif
