/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stats: the names of everything that is counted, a block of counters per lcore, and the ledger.
 *
 * Threads: a block has one writer, its lcore. Others read it through a snapshot (seqlock), which
 * the writer takes between two rounds of its loop.
 */
#ifndef SC_STATS_H
#define SC_STATS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sc_base.h>

/* A reason or outcome: SC_R_NONE is "not refused". */
enum sc_reason {
	SC_R_NONE,
#define SC_REASON(sym, name, text) SC_R_##sym,
#include "drop_reasons.def"
#undef SC_REASON
	SC_R_COUNT
};

/* Scalar counters. */
enum sc_counter {
#define SC_COUNTER(sym, name, text) SC_C_##sym,
#include "counters.def"
#undef SC_COUNTER
	SC_C_COUNT
};

/* Maps reason -> count. */
enum sc_map {
	SC_M_FRAME_REFUSED, /* mirror frames */
	SC_M_FLOW_REFUSED,
	SC_M_FLOW_ENDED, /* outcome of admitted flows (that of session 0) */
	SC_M_SESSION_REFUSED,
	SC_M_SESSION_ENDED,
	SC_M_CONN_CLOSED,
	SC_M_BYTES_REFUSED,
	SC_M_BYTES_DUPLICATE,
	SC_M_BYTES_SKIPPED,
	SC_M_BYTES_ABANDONED,
	SC_M_GUARD_REFUSED,
	SC_M_RESP_REFUSED, /* frames of the test port */
	SC_M_RESP_STRAY,   /* records without a session */
	SC_M_COUNT
};

struct sc_stats {
	uint64_t c[SC_C_COUNT];
	uint64_t m[SC_M_COUNT][SC_R_COUNT];
};

const char *sc_reason_name(enum sc_reason r);
const char *sc_reason_text(enum sc_reason r);
const char *sc_counter_name(enum sc_counter c);
const char *sc_counter_help(enum sc_counter c);
const char *sc_map_name(enum sc_map m); /* "frames_refused", "flows_refused", ... */

/* Sum of one map, modulo 2^64. */
uint64_t sc_stats_map_sum(const struct sc_stats *s, enum sc_map m);
/* dst += src. */
void sc_stats_add(struct sc_stats *dst, const struct sc_stats *src);

/* ---- snapshot of another lcore's block ---- */

struct sc_stats_cell {
	struct sc_stats live;   /* writer: the owning lcore, without atomics */
	_Atomic uint32_t asked; /* any thread adds 1 to ask; the writer answers by publishing */
	_Atomic uint32_t given; /* writer: value of `asked` that `copy` answers */
	_Atomic uint32_t seq;   /* seqlock of `copy`: odd while it is written */
	struct sc_stats copy;   /* writer: the owning lcore; readers: any, under `seq` */
};

/*
 * A cell is all zero before its first use. Owning lcore, between two rounds: publish a copy if one
 * was asked for since the last; one load if not.
 */
void sc_stats_publish(struct sc_stats_cell *cell);
/* Any thread: ask for a copy taken after this call; returns the ticket for sc_stats_read(). */
uint32_t sc_stats_ask(struct sc_stats_cell *cell);
/*
 * Any thread, never blocks: true once a copy at least as new as `ticket` is in *out. False, with
 * *out undefined: not published yet, or overwritten while it was read; try again later.
 */
bool sc_stats_read(struct sc_stats_cell *cell, uint32_t ticket, struct sc_stats *out);

/* ---- ledger ---- */

/* One equation that does not hold. */
struct sc_ledger_fault {
	const char *equation; /* as sc_ledger_equation() gives it: static */
	uint64_t left, right;
};

#define SC_LEDGER_FAULTS_MAX 32

struct sc_ledger_result {
	unsigned int nb_faults;
	struct sc_ledger_fault fault[SC_LEDGER_FAULTS_MAX];
};

/*
 * The text of equation i, with the names of counters and maps as reports show them:
 * "flows: flows_seen = sum(flows_refused) + flows_embryonic_now + flows_admitted"; NULL behind the
 * last. *is_box (may be NULL) tells those of sc_ledger_check_box(). Any thread; static storage.
 */
const char *sc_ledger_equation(unsigned int i, bool *is_box);

/*
 * Check the equations of one worker's or intercept's own block (taken between rounds): frames,
 * flows, sessions, connections, client bytes, delivery, wire, answers. True if all hold. They are
 * linear, so they hold on any sum of blocks, too. *res is written anew; NULL if only the verdict
 * is wanted. Any thread.
 */
bool sc_ledger_check_one(const struct sc_stats *s, struct sc_ledger_result *res);
/*
 * Check the equations across lcores on the sum of all blocks. rings_handover and rings_records are
 * the elements on the rings at that moment; at the end of a run both are 0.
 */
bool sc_ledger_check_box(const struct sc_stats *sum, uint64_t rings_handover,
		uint64_t rings_records, struct sc_ledger_result *res);
/* Append the faults of src to dst; what does not fit is left out. */
void sc_ledger_merge(struct sc_ledger_result *dst, const struct sc_ledger_result *src);
/* delivered / (accepted x copies + missing); 1.0 when nothing was to be delivered. */
double sc_ledger_fidelity(const struct sc_stats *sum);

/* ---- histogram with log2 buckets ---- */

#define SC_HIST_BUCKETS 48

/*
 * Bucket b counts values in [2^(b-1), 2^b); bucket 0 counts 0; the last also counts what lies
 * above it. One writer.
 */
struct sc_hist {
	uint64_t n[SC_HIST_BUCKETS];
	uint64_t count, sum, max;
};

void sc_hist_add(struct sc_hist *h, uint64_t value);
void sc_hist_merge(struct sc_hist *dst, const struct sc_hist *src);
/* Upper edge of the bucket that holds quantile q (0..1); 0 when empty. */
uint64_t sc_hist_quantile(const struct sc_hist *h, double q);

#endif
