/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * report: the figures of a run for people (text, status line) and for programs (JSON).
 *
 * Thread: main. Nothing is kept: all functions read what they are given and return.
 */
#ifndef SC_REPORT_H
#define SC_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <sc_base.h>
#include <sc_stats.h>

/* What the port itself counted. */
struct sc_report_port {
	const char *name;
	const char *role; /* "mirror" or "test" */
	uint64_t rx, tx;  /* frames */
	uint64_t imissed, ierrors, rx_nombuf;
	bool has_imissed; /* false: the driver cannot count it; shown as unknown, not as 0 */
};

struct sc_report_pair {
	const char *name;
	uint64_t value;
};

/* Everything a report shows. All pointers stay the caller's; what is NULL or 0 is left out. */
struct sc_report_in {
	const char *command;                   /* "run", "replay" */
	const struct sc_stats *sum;            /* of all lcores; never NULL */
	const struct sc_ledger_result *ledger; /* of all checks; never NULL */
	double duration_s;
	const struct sc_report_port *port;
	unsigned int nb_ports;
	const struct sc_hist *production_us; /* time to first answer byte, microseconds */
	const struct sc_hist *target_us;
	const char *const *warning; /* sentences */
	unsigned int nb_warnings;
	const char *damage;                /* of the capture, a sentence */
	const struct sc_report_pair *peer; /* figures of an embedded peer */
	unsigned int nb_peer;
};

/* ---- the mirror's health ---- */

/* Of a finding, and of the whole: the gravest of its findings. */
enum sc_health_grade {
	SC_HEALTH_GOOD,
	SC_HEALTH_WARNING, /* "usable" */
	SC_HEALTH_UNFIT,   /* most of what clients send is not to be had from this mirror */
};

#define SC_HEALTH_FINDINGS_MAX 16

struct sc_health_finding {
	const char *name; /* "duplicates"; static */
	enum sc_health_grade grade;
	char text[320]; /* what was found, and what to change, in one sentence */
};

struct sc_report_health {
	enum sc_health_grade verdict;
	/* Percent: of client bytes, client frames, TCP frames (three), flows (two), client bytes. */
	double duplicate_pct, reordered_pct;
	double truncated_pct, bad_checksum_pct, partial_checksum_pct;
	double one_sided_pct, midstream_pct;
	double missing_pct;
	unsigned int nb_findings;
	struct sc_health_finding finding[SC_HEALTH_FINDINGS_MAX];
};

/* Judge the mirror by `sum` and the mirror ports of *in; nothing else of it is read. */
void sc_report_health(const struct sc_report_in *in, struct sc_report_health *h);
/* "good", "usable", "unfit". */
const char *sc_report_health_word(enum sc_health_grade grade);

/*
 * The whole report, what `ledger` answers (equations and faults), and what `status` answers (a dozen
 * figures). A new reference for the caller; NULL when out of memory.
 */
json_t *sc_report_object(const struct sc_report_in *in);
json_t *sc_report_ledger(const struct sc_report_in *in);
json_t *sc_report_status(const struct sc_report_in *in);

/* The whole report as indented JSON and a newline. 0, -ENOMEM or -EIO. */
int sc_report_json(const struct sc_report_in *in, FILE *out);

/*
 * The report as a ledger for people; rows of zeros are left out unless they matter. verbose adds
 * the frames by kind, the peer and every equation. 0 or -EIO.
 */
int sc_report_text(const struct sc_report_in *in, FILE *out, bool verbose);

/*
 * Write the JSON report to a file: into PATH.tmp with mode 0600, renamed when complete, so that
 * PATH is a whole report or what it was. "-" writes to std_out. A device or pipe is written
 * directly. 0 or a negative errno with a sentence.
 */
int sc_report_save(
		const struct sc_report_in *in, const char *path, FILE *std_out, struct sc_err *err);

/* Two looks at the sums, for rates. */
struct sc_report_tick {
	const struct sc_stats *before, *now;
	double interval_s; /* between the two */
	double elapsed_s;  /* since the start */
};

/* One line, without newline, at most size - 1 characters; returns buf. */
const char *sc_report_status_line(const struct sc_report_tick *tick, char *buf, size_t size);

/* 1234567 as "1,234,567". Returns buf. */
#define SC_REPORT_NUMBER_LEN 28
const char *sc_report_number(uint64_t value, char buf[SC_REPORT_NUMBER_LEN]);

#endif
