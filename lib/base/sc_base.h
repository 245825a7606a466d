/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * base: what every other room may use: messages, addresses, sequence numbers, the clock.
 *
 * Threads: all functions are safe from any thread; the log sink is set once at start, the level at
 * any time.
 * Errors: functions return 0 or a negative errno; what an operator must read goes into sc_err.
 */
#ifndef SC_BASE_H
#define SC_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_hash_crc.h>

#define SC_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define SC_MIN(a, b) ((a) < (b) ? (a) : (b))
#define SC_MAX(a, b) ((a) > (b) ? (a) : (b))
#define SC_CLAMP(v, lo, hi) (SC_MIN(SC_MAX((v), (lo)), (hi)))

/* ---- errors: a sentence for the operator: what was found, where, what would be right ---- */

struct sc_err {
	char text[512];
};

/* Write the sentence (err may be NULL) and return `code`, a negative errno. */
int sc_err_set(struct sc_err *err, int code, const char *fmt, ...)
		__attribute__((format(printf, 3, 4)));

/* ---- log: lib/ and drivers/ never print; the application installs the sink ---- */

enum sc_log_level {
	SC_LOG_ERR,
	SC_LOG_WARN,
	SC_LOG_NOTICE,
	SC_LOG_INFO,
	SC_LOG_DEBUG
};

typedef void (*sc_log_fn)(enum sc_log_level level, const char *area, const char *text, void *arg);

/* Install the sink; NULL drops everything. Call before threads start. */
void sc_log_set_sink(sc_log_fn fn, void *arg);
void sc_log_set_level(enum sc_log_level level);
enum sc_log_level sc_log_get_level(void);
void sc_log(enum sc_log_level level, const char *area, const char *fmt, ...)
		__attribute__((format(printf, 3, 4)));

/* ---- memory for tables ---- */

/*
 * Zeroed memory for nb things of `size` bytes, all of it touched now, so that nothing is taken from
 * the kernel later. From 2 MiB on it is aligned for huge pages and asks for them (transparent ones;
 * 4 KiB pages do, slower). socket: NUMA node it should be near, -1: anywhere; a preference. NULL
 * with errno ENOMEM. Not for the packet path.
 */
void *sc_mem_map(size_t nb, size_t size, int socket);
/* The same nb and size; NULL is fine. */
void sc_mem_unmap(void *mem, size_t nb, size_t size);
/* Bytes that sc_mem_map() takes. */
uint64_t sc_mem_size(uint64_t nb, uint64_t size);

/* ---- words as they lie in memory, at any address ---- */

static inline uint16_t
sc_mem16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t
sc_mem32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t
sc_mem64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* ---- hashing ---- */

/*
 * CRC32 of len bytes (a multiple of 4; constant, so that it unrolls) without padding among them.
 * Not rte_hash_crc(): that reads through uint64_t pointers what was stored as a struct, and the
 * compiler may take the read before the stores (C11 6.5 p7; seen with gcc 12 -O3).
 */
static inline uint32_t
sc_hash(const void *key, size_t len, uint32_t seed)
{
	const uint8_t *p = key;
	uint64_t word;
	uint32_t last;

	for (; len >= sizeof(word); len -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		seed = rte_hash_crc_8byte(word, seed);
	}
	if (len == 0)
		return seed;
	memcpy(&last, p, sizeof(last));
	return rte_hash_crc_4byte(last, seed);
}

/* ---- addresses: 16 bytes, network order, IPv4 as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2) ---- */

struct sc_addr {
	union {
		uint8_t b[16];
		uint32_t u32[4];
		uint64_t u64[2];
	};
};

/* The longest text of an address, its NUL included. */
#define SC_ADDR_STRLEN 46
/* [address]:port, its NUL included. */
#define SC_ENDPOINT_STRLEN 56

struct sc_prefix {
	struct sc_addr addr; /* as written: host bits are kept */
	uint8_t len;         /* 0..32 for IPv4, 0..128 for IPv6 */
};

static inline bool
sc_addr_is_v4(const struct sc_addr *a)
{
	return a->u64[0] == 0 && a->u32[2] == RTE_BE32(0xffff);
}

static inline bool
sc_addr_eq(const struct sc_addr *a, const struct sc_addr *b)
{
	return a->u64[0] == b->u64[0] && a->u64[1] == b->u64[1];
}

/* The IPv4 address in network order; only for sc_addr_is_v4(). */
static inline uint32_t
sc_addr_v4_be(const struct sc_addr *a)
{
	return a->u32[3];
}

static inline void
sc_addr_from_v4(struct sc_addr *a, uint32_t addr_be)
{
	a->u64[0] = 0;
	a->u32[2] = RTE_BE32(0xffff);
	a->u32[3] = addr_be;
}

static inline bool
sc_addr_is_zero(const struct sc_addr *a) /* 0.0.0.0 or :: */
{
	return sc_addr_is_v4(a) ? a->u32[3] == 0 : (a->u64[0] | a->u64[1]) == 0;
}

static inline bool
sc_addr_is_multicast(const struct sc_addr *a)
{
	return sc_addr_is_v4(a) ? (a->b[12] & 0xf0) == 0xe0 : a->b[0] == 0xff;
}

static inline bool
sc_addr_is_loopback(const struct sc_addr *a)
{
	return sc_addr_is_v4(a) ? a->b[12] == 127 : a->u64[0] == 0 && a->u64[1] == RTE_BE64(1);
}

/* No host's own address: nothing may be replayed from there. */
static inline bool
sc_addr_is_no_host(const struct sc_addr *a)
{
	if (sc_addr_is_v4(a))
		return a->u32[3] == 0 || (a->b[12] & 0xf0) == 0xe0 || a->b[12] == 127;
	return sc_addr_is_zero(a) || sc_addr_is_multicast(a) || sc_addr_is_loopback(a);
}

/* Text to address; IPv6 with or without brackets. -EINVAL if it is neither. */
int sc_addr_parse(const char *text, struct sc_addr *a);
/* Returns buf. */
const char *sc_addr_format(const struct sc_addr *a, char buf[SC_ADDR_STRLEN]);
/* a.b.c.d:port or [v6]:port; returns buf. */
const char *sc_endpoint_format(
		const struct sc_addr *a, uint16_t port, char buf[SC_ENDPOINT_STRLEN]);

/* "addr/len"; a missing "/len" is the full length. -EINVAL on anything else. */
int sc_prefix_parse(const char *text, struct sc_prefix *p);
/* Is a inside p? Different families never match. */
bool sc_prefix_contains(const struct sc_prefix *p, const struct sc_addr *a);

/* ---- TCP sequence numbers (RFC 9293 section 3.4): modulo 2^32 ---- */

static inline bool
sc_seq_lt(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static inline bool
sc_seq_leq(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) <= 0;
}

static inline bool
sc_seq_gt(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

static inline bool
sc_seq_geq(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) >= 0;
}

static inline uint32_t
sc_seq_max(uint32_t a, uint32_t b)
{
	return sc_seq_gt(a, b) ? a : b;
}

/* ---- the clock ---- */

#define SC_US_PER_S 1000000ull
#define SC_US_PER_MS 1000ull

/*
 * The one clock of the box: microseconds since the Unix epoch at start, then forward by the TSC,
 * never back. Timestamps towards a target come from it (sc_clock_tsval), so they are newer than
 * those of an earlier run. sc_clock_init() needs EAL (it asks for the TSC rate); call it once.
 */
struct sc_clock {
	uint64_t base_us;
	uint64_t base_tsc;
	uint64_t tsc_hz;
	uint64_t mul; /* us = (tsc - base_tsc) * mul >> 32 */
};

void sc_clock_init(struct sc_clock *c);
/* The time of TSC value `tsc`, in microseconds. */
uint64_t sc_clock_us(const struct sc_clock *c, uint64_t tsc);

/* RFC 7323 section 5.4: a timestamp clock of 1 ms, modulo 2^32. */
static inline uint32_t
sc_clock_tsval(uint64_t now_us)
{
	return (uint32_t)(now_us / SC_US_PER_MS);
}

/* ---- a small seeded generator (xorshift64*), the same on every machine ---- */

struct sc_rng {
	uint64_t s;
};

static inline void
sc_rng_seed(struct sc_rng *r, uint64_t seed)
{
	r->s = seed * 0x9e3779b97f4a7c15ull + 0x632be59bd9b4e019ull;
	if (r->s == 0)
		r->s = 1;
}

static inline uint64_t
sc_rng_next(struct sc_rng *r)
{
	r->s ^= r->s >> 12;
	r->s ^= r->s << 25;
	r->s ^= r->s >> 27;
	return r->s * 0x2545f4914f6cdd1dull;
}

/* 0 .. n-1; n > 0. */
static inline uint32_t
sc_rng_below(struct sc_rng *r, uint32_t n)
{
	return (uint32_t)(((sc_rng_next(r) >> 32) * n) >> 32);
}

#endif
