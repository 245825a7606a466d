/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * conform: scripts that say what is captured, what the target sends and what the engine must send,
 * run against one engine in virtual time. The language is described in head.md.
 *
 *	read.c    a file -> struct script; settings
 *	parse.c   a line -> struct step
 *	segment.c words -> struct seg_spec
 *	bed.c     one engine between a made-up mirror and a made-up target
 *	match.c   a frame against what the script expects, and against what every frame must be
 *	run.c     the steps of a script, in one variant
 *	doc.c     docs/tcp-conformance.md
 */
#ifndef CONFORM_H
#define CONFORM_H

#include <stdio.h>

#include <sc_replay.h>

#define TEXT_MAX 160
#define CLAUSES_MAX 4
#define STEPS_MAX 512
#define CONNS_MAX 8
#define PAYLOAD_MAX 9000
#define QUEUE_MAX 512
#define CLIENT_PORT 30000 /* of connection 0; the others count up */

/* ---- a script ---- */

enum step_kind {
	STEP_CAPTURE, /* a frame of the mirror */
	STEP_TARGET,  /* a segment of the target */
	STEP_EXPECT,  /* the next frame that the engine sends */
	STEP_NONE,    /* nothing is sent for a time */
	STEP_RUN,     /* time passes; what is sent is not looked at */
	STEP_LEDGER,  /* a counter's value */
	STEP_END,     /* the capture ends */
};

enum ts_kind {
	TS_NONE,
	TS_ANY,
	TS_NOW, /* the box's clock in milliseconds */
	TS_VALUE
};

enum port_kind {
	PORT_LEARNED, /* the connection's; a SYN that is expected may bring any, and is learned */
	PORT_OWN,     /* the captured client's own */
	PORT_OTHER,   /* not the one used before */
	PORT_OLD      /* the one used before the newest SYN */
};

#define HAS_SEQ 0x01
#define HAS_ACK 0x02
#define HAS_ECR 0x04
#define HAS_FROM 0x08
#define HAS_MSS 0x10 /* its value is to be compared */
#define HAS_WSCALE 0x20

/* A segment as a script writes it: numbers are the script's, before a variant's base is added. */
struct seg_spec {
	uint8_t flags; /* SC_TCP_* */
	uint8_t opts;  /* SC_OPT_* */
	uint8_t has;
	uint8_t wscale;
	uint8_t segs; /* coalesced by the receiver */
	enum ts_kind ts;
	enum port_kind port;
	uint32_t seq, len, ack;
	uint32_t tsval, tsecr;
	uint32_t from; /* the captured number of its first payload byte, if that is not seq */
	uint16_t win, mss, urg;
	bool is_csum_bad;
};

struct step {
	enum step_kind kind;
	int line;
	bool is_absolute; /* at_us counts from the script's start, not from the step before */
	uint64_t at_us;
	unsigned int conn;
	enum sc_half half;
	struct seg_spec seg;
	bool is_within; /* wait from low_us to high_us for it */
	uint64_t low_us, high_us;
	int counter, map, reason; /* one of counter and map is -1 */
	uint64_t value;
};

/* What `set` lines say. */
struct setting {
	bool v4, v6;
	bool is_plain; /* numbers stand for themselves: no variant with other bases */
	uint32_t base[3];
	bool open_syn, is_unproven, pace_think;
	enum sc_replay_gate gate;
	enum sc_replay_latency latency;
	uint64_t latency_us, quiet_us, timeout_us;
	uint32_t copies, mtu;
	char clients[TEXT_MAX];
};

struct script {
	char *path;
	char name[TEXT_MAX];
	char about[TEXT_MAX];
	char fails[TEXT_MAX]; /* of a script that must fail: a part of the message */
	char clause[CLAUSES_MAX][TEXT_MAX];
	unsigned int nb_clauses;
	struct setting set;
	struct step step[STEPS_MAX];
	unsigned int nb_steps;
};

/* Why a script failed: "file:line: ...". */
struct verdict {
	bool is_bad;
	char text[1024];
};

/* The first complaint stays. */
void verdict_fail(struct verdict *v, const struct script *s, int line, const char *fmt, ...)
		__attribute__((format(printf, 4, 5)));

/* Read the script at s->path anew; false with *v when it is none. s is large: not on the stack. */
bool script_read(struct script *s, struct verdict *v);
/* One line that is neither comment nor setting. Of these, NULL is fine; otherwise what is wrong. */
const char *parse_step(struct step *st, char *text);
const char *parse_segment(struct seg_spec *seg, char **save);
/* The next word of a line that strtok_r() has begun on; NULL behind the last. */
char *parse_word(char **save);
/* A decimal number and nothing behind it. */
bool parse_number(const char *word, uint64_t *value);
/* "0.25", "250ms", "10s", in microseconds; false when it is no time. */
bool parse_time(const char *word, uint64_t *us);

/* ---- one run ---- */

/* Where and with which numbers a script is run. */
struct variant {
	const char *name;
	bool v6;
	uint32_t client, production, target, ts; /* added to the script's numbers */
	uint64_t start_us;
};

/* A frame that the engine sent. */
struct frame {
	struct sc_seg seg; /* mbuf is not valid any more */
	uint64_t at_us;
	uint8_t payload[PAYLOAD_MAX];
};

struct conn {
	struct sc_addr raddr; /* replay client */
	uint16_t rport, old_port;
};

struct bed {
	const struct script *script;
	const struct variant *var;
	struct verdict *v;
	int line; /* the step at work */
	struct sc_replay *e;
	struct sc_replay_cfg cfg;
	struct sc_stats st;
	struct sc_path path;
	struct sc_l2_tmpl l2;
	struct sc_replay_target target;
	struct sc_rule rule[2];
	struct sc_pool clients;
	uint64_t now_us;
	uint16_t ip_id;
	struct conn conn[CONNS_MAX];
	struct frame *queue; /* sent, not looked at yet; the oldest first */
	unsigned int nb_queue;
	unsigned int pool_free; /* mbufs before the engine was made */
};

/* Once per process, after EAL. */
void bed_setup(void);
/* An engine for the script; false with a verdict. bed_close() in any case. */
bool bed_open(struct bed *b);
void bed_close(struct bed *b);
/* Deadlines run as they come, until `us` or, with is_first, until a frame was sent. */
void bed_run(struct bed *b, uint64_t until_us, bool is_first);
/* Ledger and audit. */
void bed_check(struct bed *b);
void bed_capture(struct bed *b, const struct step *st);
void bed_target(struct bed *b, const struct step *st);
/* Stop, and nothing may be left. */
void bed_finish(struct bed *b);
/* What the client's byte of a script's number holds. */
uint8_t bed_byte(uint32_t seq);

/* What every frame must be, whatever it says. m is still the frame's. */
void match_invariants(struct bed *b, const struct rte_mbuf *m, const struct sc_seg *s);
/* The frame against an expectation; learns a SYN's tuple. */
void match_frame(struct bed *b, const struct step *st, const struct frame *f);
/* A frame in the language of scripts. */
void match_print(const struct bed *b, const struct sc_seg *s, char *text, size_t room);

void script_run(const struct script *s, const struct variant *var, struct verdict *v);

/* ---- documentation ---- */

/* The page that describes these scripts, its head from the file `head`. False: no such file. */
bool doc_print(FILE *out, const char *head, struct script *const *scripts, unsigned int nb);

#endif
