/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config_int: what the sources of this room share. A row describes one word; its type says how the
 * value is read, described and written.
 */
#ifndef CONFIG_INT_H
#define CONFIG_INT_H

#include <stdio.h>

#include "sc_config.h"

#define CFG_ROWS_MAX 64
#define CFG_WANT_LEN 160
#define CFG_SHOW_LEN 72
#define CFG_FILE_MAX (1u << 20) /* bytes of a configuration file */

enum cfg_group {
	CFG_PORTS,
	CFG_SELECT,
	CFG_ENGINE,
	CFG_LCORES,
	CFG_CAPTURES,
	CFG_RUN,
	CFG_NB_GROUPS
};

/* Where a word is taken. */
enum cfg_where {
	CFG_ANYWHERE,
	CFG_ONLY_FILE, /* the command line has another form for it */
	CFG_ONLY_ARGS
};

struct cfg_row;

struct cfg_type {
	/* Read one value; on error a negative errno and the cause without the word. */
	int (*set)(const struct cfg_row *row, struct sc_config *c, const char *text,
			struct sc_err *err);
	/* What a right value is, to follow "give ". */
	void (*want)(const struct cfg_row *row, char *buf, size_t len);
	/* The value behind "word:" in YAML, line end included. */
	void (*print)(const struct cfg_row *row, const struct sc_config *c, FILE *out);
	/* NULL: always has a value. */
	bool (*has_value)(const struct cfg_row *row, const struct sc_config *c);
	/* Lists only: make it empty and free what it owns. */
	void (*clear)(const struct cfg_row *row, struct sc_config *c);
	bool is_flag; /* on the command line the word alone says yes */
};

struct cfg_row {
	const char *word;
	const char *arg;  /* how help names the value */
	const char *def;  /* default as text; NULL: none */
	const char *help; /* one line */
	const char *more; /* further lines for the manual; NULL: none */
	const struct cfg_type *type;
	size_t off, size;         /* the field; of a list: one element */
	size_t off_nb;            /* lists: the count */
	uint64_t lo, hi;          /* range, in the field's unit; lists: hi is the capacity */
	uint32_t unit_us;         /* durations */
	bool is_lo_open;          /* lo itself is out of range */
	const char *const *names; /* choices, in the order of their enum, NULL at the end */
	enum cfg_group group;
	enum cfg_where where;
	unsigned int cmds; /* bit per command that knows the word; 0: all */
};

#define CFG_CMD(cmd) (1u << (cmd))

/* ---- schema.c ---- */

extern const struct cfg_row cfg_rows[];
extern const unsigned int cfg_nb_rows;
extern const char *const cfg_group_title[CFG_NB_GROUPS];

const struct cfg_row *cfg_find(const char *word, size_t len);
/* ": did you mean WORD?" or "" for a word that no row has; dash: the text before the word. */
const char *cfg_suggest(const char *word, size_t len, const char *dash, char buf[CFG_WANT_LEN]);
/* "'TEXT' is WHAT; give ..." and `code`. */
int cfg_refuse(const struct cfg_row *row, const char *text, int code, const char *what,
		struct sc_err *err);

/* Back to the default. */
void cfg_reset(const struct cfg_row *row, struct sc_config *c);

static inline void *
cfg_field(const struct cfg_row *row, const struct sc_config *c)
{
	return (char *)(uintptr_t)c + row->off;
}

/* ---- text.c ---- */

/* `text` in quotes, shortened, without control characters. Returns buf. */
const char *cfg_show(const char *text, char buf[CFG_SHOW_LEN]);
/* -EINVAL with the cause unless text is UTF-8 without control characters and line separators. */
int cfg_check_text(const char *text, struct sc_err *err);
/* Decimal digits; *end is what follows. -EINVAL without a digit, -ERANGE above 64 bits. */
int cfg_parse_u64(const char *text, uint64_t *v, const char **end);
/* Digits with an optional fraction, the whole text. -EINVAL on anything else. */
int cfg_parse_double(const char *text, double *v);
/* The shortest decimal that reads back as v. */
const char *cfg_format_double(double v, char buf[32]);
/* 50ms, 10s, 1500us: the largest unit that divides. Returns buf. */
const char *cfg_format_us(uint64_t us, char buf[32]);
/* 256M, 64K, 100: the largest unit that divides. Returns buf. */
const char *cfg_format_size(uint64_t bytes, char buf[32]);
/* Edits (insert, delete, replace, swap of neighbours) from a to b. */
unsigned int cfg_distance(const char *a, size_t la, const char *b, size_t lb);
/* Text as a double-quoted YAML scalar. */
void cfg_put_quoted(FILE *out, const char *text);

/* ---- number.c, word.c, list.c ---- */

/*
 * "1.5s" in microseconds. -EINVAL: not a duration; -ERANGE: beyond 10^15 us; -EDOM: finer than
 * `unit_us`, which is also the unit of a bare number.
 */
int cfg_parse_duration(const char *text, uint64_t unit_us, uint64_t *us);

extern const struct cfg_type cfg_number, cfg_duration, cfg_size, cfg_percent, cfg_speed, cfg_choice,
		cfg_choice_text, cfg_flag, cfg_text, cfg_latency;
extern const struct cfg_type cfg_devices, cfg_prefixes, cfg_gateways, cfg_map, cfg_pool,
		cfg_captures, cfg_eal;

/* ---- yaml.c ---- */

/* Text of a configuration file; first_line[row] is where its word stands, 0: not there. */
struct cfg_source {
	const char *name;
	const char *text;
	size_t len;
	unsigned int first_line[CFG_ROWS_MAX];
};

int cfg_load_text(struct sc_config *c, struct cfg_source *src, struct sc_err *err);
int cfg_load_file(struct sc_config *c, struct cfg_source *src, struct sc_err *err);

/* ---- check_addr.c ---- */

/* The rules of check.c about addresses; with_port: responses come by a test port, not a peer. */
int cfg_check_box(const struct sc_config *c, struct sc_err *err);
int cfg_check_gateways(const struct sc_config *c, struct sc_err *err);
int cfg_check_rules(const struct sc_config *c, bool with_port, struct sc_err *err);
int cfg_check_clients(const struct sc_config *c, struct sc_err *err);

#endif
