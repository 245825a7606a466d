/* SPDX-License-Identifier: BSD-3-Clause */
#include "oracle.h"

#include "target.h"

/* Which counters and reasons have ever been raised. */
static void
note_seen(struct sim *s)
{
	const uint64_t *from = (const uint64_t *)&s->run->stats;
	uint64_t *to = (uint64_t *)&s->totals->seen;

	for (size_t i = 0; i < sizeof(s->totals->seen) / sizeof(*to); i++)
		to[i] |= from[i];
}

static void
ledger(struct sim *s)
{
	struct sc_ledger_result res;

	note_seen(s);
	if (sc_ledger_check_one(&s->run->stats, &res))
		return;
	sim_fail(s, "the ledger does not balance: %s (%lu, %lu)", res.fault[0].equation,
			(unsigned long)res.fault[0].left, (unsigned long)res.fault[0].right);
}

void
oracle_now(struct sim *s)
{
	struct sc_err what;

	ledger(s);
	if (!sc_replay_audit(s->run->engine, &what))
		sim_fail(s, "audit: %s", what.text);
}

/* What targets read against what the ledger says was delivered. */
static void
delivery(struct sim *s)
{
	const struct sc_stats *st = &s->run->stats;
	uint64_t delivered = st->c[SC_C_BYTES_DELIVERED];
	uint64_t maybe = st->c[SC_C_BYTES_UNCONFIRMED];
	uint64_t got = 0, reads = 0, named;

	for (uint32_t i = 0; i < s->cfg.nb_flows; i++) {
		const struct sim_flow *f = &s->flow[i];

		got += f->nb_got;
		reads += f->nb_reads;
	}
	if (reads != s->target_read)
		sim_fail(s, "targets received %lu bytes, %lu were found in streams",
				(unsigned long)s->target_read, (unsigned long)reads);
	if (reads < delivered || reads > delivered + maybe)
		sim_fail(s,
				"targets read %lu bytes; the ledger says %lu delivered, %lu "
				"unconfirmed",
				(unsigned long)reads, (unsigned long)delivered,
				(unsigned long)maybe);
	named = sc_stats_map_sum(st, SC_M_BYTES_REFUSED) + st->c[SC_C_BYTES_MISSING];
	/* Resent from before the place where a flow was joined: they count as seen before. */
	if (st->c[SC_C_FLOWS_MIDSTREAM] > 0)
		named += sc_stats_map_sum(st, SC_M_BYTES_DUPLICATE);
	if (st->c[SC_C_BYTES_ACCEPTED] > got || got - st->c[SC_C_BYTES_ACCEPTED] > named)
		sim_fail(s, "%lu different bytes were offered, %lu accepted, %lu refused",
				(unsigned long)got, (unsigned long)st->c[SC_C_BYTES_ACCEPTED],
				(unsigned long)sc_stats_map_sum(st, SC_M_BYTES_REFUSED));
	s->totals->bytes += got * s->cfg.copies;
	s->totals->delivered += delivered;
}

static void
nothing_left(struct sim *s)
{
	static const enum sc_counter gauge[] = {SC_C_FLOWS_EMBRYONIC_NOW, SC_C_FLOWS_LIVE_NOW,
			SC_C_SESSIONS_LIVE_NOW, SC_C_CONNS_OPEN_NOW, SC_C_BYTES_OOO_NOW,
			SC_C_BYTES_IN_FLIGHT_NOW, SC_C_BYTES_WAITING_NOW, SC_C_HELD_BYTES_NOW,
			SC_C_SPAN_NOW, SC_C_ANSWER_SPAN_NOW, SC_C_TX_WAITING_NOW};

	for (unsigned int i = 0; i < SC_ARRAY_SIZE(gauge); i++)
		if (s->run->stats.c[gauge[i]] != 0)
			sim_fail(s, "%s is %lu at the end", sc_counter_name(gauge[i]),
					(unsigned long)s->run->stats.c[gauge[i]]);
}

#define HEAVY_LOSS 85

/* Outcomes that a schedule explains although no disturbance of it loses bytes by itself. */
static bool
is_explained(const struct sim *s, uint64_t offered)
{
	const struct sc_stats *st = &s->run->stats;
	const uint64_t *ended = st->m[SC_M_SESSION_ENDED];
	bool has_server_rst = false;

	for (uint32_t i = 0; i < s->cfg.nb_flows; i++)
		has_server_rst |= s->flow[i].ending == ENDING_SERVER_RST;
	/* More segments overtook one than the engine keeps beyond a hole. */
	if (has_fault(s, F(M_REORDER)) && st->m[SC_M_BYTES_REFUSED][SC_R_HELD_FULL] > 0)
		return true;
	/* A live source cannot be asked to wait. */
	if (!s->cfg.is_file && ended[SC_R_NO_MEMORY] > 0 && offered > HELD_BYTES / 2)
		return true;
	if (!s->cfg.is_file && ended[SC_R_SHED_LAG] > 0)
		return true;
	/* A server's RST says what had arrived; where it is late or lost nobody says so. */
	if (has_server_rst && ended[SC_R_TARGET_RESET] > 0
			&& has_fault(s, F(P_LOSS) | F(P_RING_FULL) | F(P_JITTER)))
		return true;
	if (has_fault(s, F(P_LOSS) | F(P_RING_FULL)) && ended[SC_R_TARGET_UNANSWERED] > 0)
		return true;
	/* So many losses that no resending helps. */
	if (has_fault(s, F(P_LOSS)) && s->cfg.loss > HEAVY_LOSS
			&& ended[SC_R_TARGET_TIMEOUT] + ended[SC_R_IDLE_TIMEOUT] > 0)
		return true;
	/* A kept address has nine or ten ports for one captured tuple. */
	return has_fault(s, F(M_REUSE)) && !s->cfg.is_pool && s->cfg.nb_flows * s->cfg.copies >= 9
			&& sc_stats_map_sum(st, SC_M_SESSION_REFUSED)
					+ st->m[SC_M_FLOW_REFUSED][SC_R_NO_TUPLE]
			> 0;
}

/* Nothing could lose bytes: then nothing may be lost. */
static void
complete(struct sim *s)
{
	const struct sc_stats *st = &s->run->stats;
	double fidelity = sc_ledger_fidelity(st);
	uint64_t got = 0;

	for (uint32_t i = 0; i < s->cfg.nb_flows; i++)
		got += s->flow[i].nb_got;
	if (is_explained(s, got))
		return;
	for (unsigned int r = 1; r < SC_R_COUNT; r++) {
		if (st->m[SC_M_FLOW_REFUSED][r] > 0 && r != SC_R_NEVER_OPENED)
			sim_fail(s, "a flow was refused: %s", sc_reason_name(r));
		if (st->m[SC_M_SESSION_ENDED][r] > 0 && r != SC_R_COMPLETE
				&& r != SC_R_COMPLETE_OPEN)
			sim_fail(s, "a session ended %s, but nothing could lose bytes",
					sc_reason_name(r));
	}
	if (fidelity < 1.0 || st->c[SC_C_BYTES_DELIVERED] != got * s->cfg.copies)
		sim_fail(s, "fidelity %.6f: %lu of %lu bytes delivered", fidelity,
				(unsigned long)st->c[SC_C_BYTES_DELIVERED],
				(unsigned long)(got * s->cfg.copies));
}

static struct sim_flow *
first_short(struct sim *s)
{
	for (uint32_t i = 0; i < s->cfg.nb_flows; i++)
		if (s->flow[i].nb_reads != s->flow[i].nb_got * s->cfg.copies)
			return &s->flow[i];
	return NULL;
}

/*
 * Nothing befell this flow that could lose a byte, whatever befell others: each copy of it has been
 * read to its end, and its FIN behind that, once.
 */
static void
flow_complete(struct sim *s, const struct sim_flow *f)
{
	uint64_t want = f->nb_got * s->cfg.copies;
	bool has_fin = f->ending == ENDING_CLIENT_FIN || f->ending == ENDING_SERVER_FIN;
	bool is_unknown;

	s->totals->checked++;
	if (f->nb_reads != want)
		sim_fail(s, "flow %ld: nothing could lose its bytes, and targets read %lu of %lu",
				(long)(f - s->flow), (unsigned long)f->nb_reads,
				(unsigned long)want);
	/* Only the number of its FIN tells that production had closed first, if all else is equal. */
	is_unknown = f->kind == KIND_LEFT && has_fault(s, F(M_CLIENT_ONLY))
			&& has_fault(s, (SIM_EARLY | SIM_EARLY_FAR) & ~F(M_CLIENT_ONLY));
	if (f->nb_early_fins > 0 && !is_unknown)
		sim_fail(s, "flow %ld: a FIN before the end of the stream", (long)(f - s->flow));
	if (has_fin && f->nb_got > 0 && f->nb_fins != s->cfg.copies)
		sim_fail(s, "flow %ld: %u FINs for %u copies", (long)(f - s->flow), f->nb_fins,
				s->cfg.copies);
}

static void
flows(struct sim *s)
{
	uint64_t got = 0;

	for (uint32_t i = 0; i < s->cfg.nb_flows; i++)
		got += s->flow[i].nb_got;
	s->totals->flows += s->cfg.nb_flows;
	if (s->is_touched)
		return;
	if (is_explained(s, got)) {
		s->totals->excused++;
		return;
	}
	for (uint32_t i = 0; i < s->cfg.nb_flows; i++) {
		s->subject = i;
		if (!s->flow[i].is_touched)
			flow_complete(s, &s->flow[i]);
	}
	s->subject = SIM_NONE;
}

/* Frames sent against what there was to send and to answer. */
static void
work(struct sim *s)
{
	uint64_t needed = s->returned + (uint64_t)s->nb_frames * s->cfg.copies;

	for (uint32_t i = 0; i < s->cfg.nb_flows; i++)
		needed += s->flow[i].script[CLIENT].bytes * s->cfg.copies / 256;
	if (s->sent > 3 * needed + 1000)
		sim_fail(s, "%lu frames sent where about %lu were needed", (unsigned long)s->sent,
				(unsigned long)needed);
}

/* The last ACK may be lost; then the FIN comes again, and is acknowledged again. */
static void
closed(struct sim *s)
{
	uint32_t stuck = target_stuck(s);

	if (stuck >= 2 && s->cfg.loss <= HEAVY_LOSS && !has_fault(s, SIM_LOSSY))
		sim_fail(s, "%u connections of the target wait for the ACK of their FIN", stuck);
}

static void
early(struct sim *s)
{
	uint64_t early = s->early;
	bool is_near = s->cfg.owd_us <= SIM_NEAR_US && s->cfg.jitter_us <= SIM_NEAR_US
			&& s->cfg.latency == SC_REPLAY_LATENCY_NONE;
	bool is_strict = !has_fault(s, SIM_EARLY) && (is_near || !has_fault(s, SIM_EARLY_FAR));

	if (s->cfg.gate != SC_REPLAY_GATE_ANSWER)
		return;
	s->totals->turns += s->turns;
	s->totals->early += s->early;
	for (unsigned int i = 0; i < SIM_FAULT_COUNT; i++) {
		s->totals->turns_by[i] += s->cfg.faults >> i & 1 ? s->turns : 0;
		s->totals->early_by[i] += s->cfg.faults >> i & 1 ? s->early : 0;
	}
	/* Answers of no byte at all are told by time alone, in the end. */
	if (has_fault(s, F(T_SHORTER)) && s->run->stats.c[SC_C_GATE_TIMEOUT] > 0)
		is_strict = false;
	/* A piece of a longer answer may be as long as all of production's: the rate is judged. */
	if (has_fault(s, F(T_LONGER)) && is_strict) {
		s->totals->turns_long += s->turns;
		s->totals->early_long += s->early;
		is_strict = false;
	}
	if (!is_strict)
		return;
	s->totals->turns_exact += s->turns;
	s->totals->early_exact += s->early;
	/*
	 * A target that answers pipelined requests sooner than production did seems to give longer
	 * answers; from then on the running difference of the gate is of no use.
	 */
	if (s->run->stats.c[SC_C_GATE_LONGER] > 0)
		early -= s->early_piped;
	if (early > 0)
		sim_fail(s, "%lu of %lu turns began early", (unsigned long)early,
				(unsigned long)s->turns);
}

static void
note_shown(struct sim *s)
{
	const struct sc_stats *st = &s->run->stats;

	if (st->c[SC_C_FLOWS_MIDSTREAM] > st->m[SC_M_FLOW_REFUSED][SC_R_NO_BOUNDARY])
		sim_show(s, SHOWN_JOINED);
	if (st->c[SC_C_CONNS_REOPENED] > 0)
		sim_show(s, SHOWN_REOPENED);
}

void
oracle_end(struct sim *s)
{
	const struct sc_stats *st = &s->run->stats;

	oracle_now(s);
	nothing_left(s);
	delivery(s);
	work(s);
	early(s);
	closed(s);
	flows(s);
	note_shown(s);
	if (!has_fault(s, SIM_LOSSY))
		complete(s);
	for (unsigned int r = 0; r < SC_R_COUNT; r++) {
		s->totals->outcome[r] += st->m[SC_M_SESSION_ENDED][r];
		s->totals->refused[r] += st->m[SC_M_FLOW_REFUSED][r];
	}
	s->totals->frames += s->nb_frames;
	s->totals->sent += s->sent;
	if (s->verdict.failure[0] != '\0' && s->verdict.flow == SIM_NONE && first_short(s) != NULL)
		s->verdict.flow = (uint32_t)(first_short(s) - s->flow);
}
