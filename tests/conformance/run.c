/* SPDX-License-Identifier: BSD-3-Clause */
/* run: the steps of a script in one variant. What is sent and not expected fails the script. */
#include <inttypes.h>
#include <string.h>

#include "conform.h"

static double
script_time(const struct bed *b, uint64_t at_us)
{
	return (double)(at_us - b->var->start_us) / 1e6;
}

/* Nothing may wait to be looked at when something new happens. */
static void
need_silence(struct bed *b, const struct step *st)
{
	char got[200];

	if (b->nb_queue == 0)
		return;
	match_print(b, &b->queue[0].seg, got, sizeof(got));
	verdict_fail(b->v, b->script, st->line,
			"expected nothing more, got %s (sent at %.6f; %u in all, %s)", got,
			script_time(b, b->queue[0].at_us), b->nb_queue, b->var->name);
}

static void
step_expect(struct bed *b, const struct step *st)
{
	uint64_t base = b->now_us, low = base, high = base;
	struct frame *f = &b->queue[0];
	char wanted[64] = "now";

	if (st->is_within) {
		low = base + st->low_us;
		high = base + st->high_us;
		snprintf(wanted, sizeof(wanted), "from %.6f to %.6f", script_time(b, low),
				script_time(b, high));
		bed_run(b, high, true);
	}
	if (b->nb_queue == 0) {
		verdict_fail(b->v, b->script, st->line,
				"expected a frame %s, got none by %.6f (%s)", wanted,
				script_time(b, b->now_us), b->var->name);
		return;
	}
	match_frame(b, st, f);
	if (f->at_us < low || f->at_us > high)
		verdict_fail(b->v, b->script, st->line, "expected it %s, got it at %.6f (%s)",
				wanted, script_time(b, f->at_us), b->var->name);
	memmove(f, f + 1, --b->nb_queue * sizeof(*f));
}

static void
step_ledger(struct bed *b, const struct step *st)
{
	uint64_t got = st->counter >= 0 ? b->st.c[st->counter] : b->st.m[st->map][st->reason];

	if (got == st->value)
		return;
	verdict_fail(b->v, b->script, st->line, "expected %s%s%s %" PRIu64 ", got %" PRIu64 " (%s)",
			st->counter >= 0 ? sc_counter_name((enum sc_counter)st->counter)
					 : sc_map_name((enum sc_map)st->map),
			st->counter >= 0 ? "" : ".",
			st->counter >= 0 ? "" : sc_reason_name((enum sc_reason)st->reason),
			st->value, got, b->var->name);
}

/* Go to the time of a step. False: the script has a frame there that nobody expected. */
static void
advance(struct bed *b, const struct step *st)
{
	uint64_t at = st->is_absolute ? b->var->start_us + st->at_us : b->now_us + st->at_us;

	if (st->kind != STEP_EXPECT && st->kind != STEP_LEDGER)
		need_silence(b, st);
	if (at < b->now_us)
		verdict_fail(b->v, b->script, st->line,
				"the time lies before that of the last step");
	if (at > b->now_us)
		need_silence(b, st);
	bed_run(b, at, false);
	if (st->kind != STEP_EXPECT)
		need_silence(b, st);
}

static void
do_step(struct bed *b, const struct step *st)
{
	switch (st->kind) {
	case STEP_CAPTURE:
		bed_capture(b, st);
		break;
	case STEP_TARGET:
		bed_target(b, st);
		break;
	case STEP_EXPECT:
		step_expect(b, st);
		break;
	case STEP_NONE:
		bed_run(b, b->now_us + st->high_us, false);
		need_silence(b, st);
		break;
	case STEP_RUN:
		bed_run(b, b->now_us + st->high_us, false);
		b->nb_queue = 0;
		break;
	case STEP_LEDGER:
		step_ledger(b, st);
		break;
	default:
		sc_replay_drain(b->e, b->now_us);
		bed_run(b, b->now_us + 1, false);
		break;
	}
}

void
script_run(const struct script *s, const struct variant *var, struct verdict *v)
{
	static struct bed bed; /* one at a time, large */
	struct bed *b = &bed;

	memset(b, 0, sizeof(*b));
	b->script = s;
	b->var = var;
	b->v = v;
	b->line = s->step[0].line;
	if (bed_open(b)) {
		for (unsigned int i = 0; i < s->nb_steps && !v->is_bad; i++) {
			b->line = s->step[i].line;
			advance(b, &s->step[i]);
			if (!v->is_bad)
				do_step(b, &s->step[i]);
			bed_check(b);
		}
		need_silence(b, &s->step[s->nb_steps - 1]);
		bed_finish(b);
	}
	bed_close(b);
}
