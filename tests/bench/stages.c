/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Clocks around calls, by the linker's --wrap: __wrap_f() is called for f(), __real_f() is f().
 * A stage's cycles are its own: those of wrapped calls below it, and of the clocks, are taken off.
 */
#include "stages.h"

#include <string.h>

#include <rte_ethdev.h>

#include <sc_session.h>

#define CALLS 10000 /* of a calibration */

enum stage {
	REST,
	PARSE,
	CLASSIFY,
	LOOKUP_FLOW,
	LOOKUP_SESSION,
	MIRROR,
	RECORDS,
	GATE,
	TIMERS,
	TX,
	NB_STAGES
};

static const char *const names[NB_STAGES] = {"rest", "parse", "classify", "lookup_flow",
		"lookup_session", "mirror", "records", "gate", "timers", "tx"};

static uint64_t cycles[NB_STAGES], calls[NB_STAGES];
static uint64_t rx_cycles, rx_frames, steer_cycles, steer_frames;
static bool is_worker;       /* the intercept parses, too */
static uint64_t below;       /* cycles of wrapped calls inside the one that runs */
static uint64_t inside, all; /* what a clock costs: what it sees of itself, and everything */

struct clock {
	uint64_t start, below;
};

static inline struct clock
begin(void)
{
	struct clock c = {.below = below};

	below = 0;
	c.start = rte_rdtsc();
	return c;
}

static inline void
end(const struct clock *c, enum stage s)
{
	uint64_t spent = rte_rdtsc() - c->start;
	int64_t own = (int64_t)(spent - below - inside);

	if (spent <= PAUSE_CYCLES)
		cycles[s] += (uint64_t)own;
	calls[s]++;
	below = c->below + spent + all - inside;
}

/* With an empty stage: many, so that what the CPU does meanwhile is in it as it is in service. */
static void
calibrate_once(uint64_t *own, uint64_t *whole)
{
	uint64_t start = rte_rdtsc(), before = cycles[REST];

	for (unsigned int i = 0; i < CALLS; i++) {
		struct clock c = begin();

		end(&c, REST);
		below = 0;
	}
	*whole = (rte_rdtsc() - start) / CALLS;
	*own = (cycles[REST] - before) / CALLS;
}

/* The least of several: an interrupted one is too long. */
static void
calibrate(void)
{
	uint64_t least_own = UINT64_MAX, least = UINT64_MAX, own, whole;

	inside = all = 0;
	for (unsigned int i = 0; i < 32; i++) {
		calibrate_once(&own, &whole);
		least_own = SC_MIN(least_own, own);
		least = SC_MIN(least, whole);
	}
	inside = least_own;
	all = least;
}

void
stages_clear(void)
{
	calibrate();
	for (unsigned int i = 0; i < NB_STAGES; i++)
		cycles[i] = calls[i] = 0;
	below = 0;
}

#define WRAP(stage, type, f, params, args)      \
	type __real_##f params;                 \
	type __wrap_##f params;                 \
	type __wrap_##f params                  \
	{                                       \
		struct clock c;                 \
		type ret;                       \
		if (!is_worker)                 \
			return __real_##f args; \
		c = begin();                    \
		ret = __real_##f args;          \
		end(&c, stage);                 \
		return ret;                     \
	}

#define WRAP_VOID(stage, f, params, args) \
	void __real_##f params;           \
	void __wrap_##f params;           \
	void __wrap_##f params            \
	{                                 \
		struct clock c;           \
		if (!is_worker) {         \
			__real_##f args;  \
			return;           \
		}                         \
		c = begin();              \
		__real_##f args;          \
		end(&c, stage);           \
	}

WRAP(PARSE, enum sc_reason, sc_packet_parse,
		(struct rte_mbuf * m, enum sc_link link, struct sc_seg *seg), (m, link, seg))
WRAP(CLASSIFY, enum sc_reason, sc_replay_classify, (struct sc_replay * e, struct sc_mirror_seg *ms),
		(e, ms))
WRAP_VOID(LOOKUP_FLOW, sc_flow_find_bulk,
		(const struct sc_tables *t, const struct sc_flow_ref *ref, size_t stride,
				uint32_t n, uint32_t *out),
		(t, ref, stride, n, out))
WRAP_VOID(LOOKUP_SESSION, sc_session_find_bulk,
		(const struct sc_tables *t, const struct sc_tuple_key *k, size_t stride, uint32_t n,
				uint32_t *out),
		(t, k, stride, n, out))
WRAP_VOID(MIRROR, sc_replay_mirror,
		(struct sc_replay * e, struct sc_mirror_seg *ms, uint16_t n, uint64_t now_us),
		(e, ms, n, now_us))
WRAP_VOID(RECORDS, sc_replay_records,
		(struct sc_replay * e, const struct sc_record *rec, uint16_t n, uint64_t now_us),
		(e, rec, n, now_us))
WRAP(GATE, bool, gate_pass, (struct sc_replay * e, uint32_t si, const struct sc_held *h),
		(e, si, h))
WRAP(TIMERS, uint32_t, sc_replay_timers, (struct sc_replay * e, uint64_t now_us), (e, now_us))
WRAP(TX, uint16_t, sc_replay_tx, (struct sc_replay * e, struct rte_mbuf **m, uint16_t max),
		(e, m, max))
WRAP_VOID(TX, sc_tx_send, (struct sc_tx * tx, struct rte_mbuf **m, uint16_t n), (tx, m, n))

uint32_t __real_sc_worker_poll(struct sc_worker *w);
uint32_t __wrap_sc_worker_poll(struct sc_worker *w);

/* All of a round; rounds without work are not counted, here as in the loop. */
uint32_t
__wrap_sc_worker_poll(struct sc_worker *w)
{
	uint64_t before[NB_STAGES];
	struct clock c;
	uint32_t done;

	memcpy(before, cycles, sizeof(before));
	is_worker = true;
	c = begin();
	done = __real_sc_worker_poll(w);
	end(&c, REST);
	is_worker = false;
	if (done == 0)
		memcpy(cycles, before, sizeof(before));
	return done;
}

/* ---- alone ---- */

static uint16_t
receive(struct loop *l, struct rte_mbuf **m)
{
	uint64_t start = rte_rdtsc(), spent;
	uint16_t n = rte_eth_rx_burst(l->b->box.mirror[0].id, 0, m, BURST);

	spent = rte_rdtsc() - start;
	if (n > 0 && spent <= PAUSE_CYCLES) {
		rx_cycles += SC_MAX(spent, inside) - inside;
		rx_frames += n;
	}
	return n;
}

static void
steer(struct loop *l, struct rte_mbuf **m, uint16_t n)
{
	struct sc_seg seg[BURST];
	uint64_t start, spent;
	unsigned int nb_ours = 0;

	for (uint16_t i = 0; i < n; i++)
		sc_packet_parse(m[i], SC_LINK_ETHER, &seg[i]);
	start = rte_rdtsc();
	for (uint16_t i = 0; i < n; i++)
		nb_ours += sc_steer_owner(&l->b->steer,
					   sc_fold_tuple(&seg[i].src, &seg[i].dst, seg[i].sport,
							   seg[i].dport))
				== l->lane;
	spent = rte_rdtsc() - start;
	if (nb_ours == n && spent <= PAUSE_CYCLES) {
		steer_cycles += SC_MAX(spent, inside) - inside;
		steer_frames += n;
	}
}

void
stages_alone(struct loop *l, uint32_t (*feed)(void *arg), void *arg)
{
	struct rte_mbuf *m[BURST];
	uint16_t n;

	rx_cycles = rx_frames = steer_cycles = steer_frames = 0;
	while (feed(arg) > 0) {
		while ((n = receive(l, m)) > 0) {
			steer(l, m, n);
			rte_pktmbuf_free_bulk(m, n);
		}
	}
}

void
stages_print(void)
{
	printf(",\"stages\":{\"rx_per_frame\":%.2f,\"steer_per_frame\":%.2f",
			(double)rx_cycles / (double)SC_MAX(rx_frames, 1ull),
			(double)steer_cycles / (double)SC_MAX(steer_frames, 1ull));
	for (unsigned int i = 0; i < NB_STAGES; i++)
		printf(",\"%s\":%lld", names[i], SC_MAX((long long)cycles[i], 0ll));
	printf("}");
}
