/* SPDX-License-Identifier: BSD-3-Clause */
/* target_app: the application: reads at its own pace, and says what production said, more or less. */
#include "target.h"

/* Where in the script a connection begins that starts at captured position `pos`. */
static uint32_t
first_step(const struct sim_flow *f, uint64_t pos)
{
	const struct sim_script *p = &f->script[SERVER];
	uint32_t i = 0;

	if (pos == 0)
		return 0;
	while (i < p->nb && p->step[i].act == ACT_DATA && p->step[i].need <= pos)
		i++;
	return i;
}

static uint32_t
first_watch(const struct sim_flow *f, uint64_t pos)
{
	const struct sim_script *p = &f->script[CLIENT];
	uint32_t i = 0;

	while (i < p->nb && p->step[i].begin < pos)
		i++;
	return i;
}

void
app_open(struct sim *s, struct tconn *c)
{
	if (c->flow == NULL)
		return;
	c->step = first_step(c->flow, c->pos);
	c->watch_step = first_watch(c->flow, c->pos);
	c->stop_pos = c->pos
			+ (c->flow->script[CLIENT].bytes > 0 ? sc_rng_next(&s->rng)
									% c->flow->script[CLIENT]
											  .bytes
							     : 0);
	if (!sim_draw(s, 600))
		c->stop_pos = UINT64_MAX;
}

/* ---- reading ---- */

static bool
is_paused(struct sim *s, struct tconn *c)
{
	if (!has_fault(s, F(T_ZERO_WINDOW)) || c->has_paused || c->pos < c->stop_pos)
		return false;
	c->has_paused = true;
	c->read_us = s->now_us + sim_between(s, 100000, 15000000);
	sim_hit(s, F(T_ZERO_WINDOW));
	/* Some take back what they have offered (RFC 9293 section 3.8.6: be robust against it). */
	if (!sim_draw(s, 300))
		return true;
	c->is_shut = true;
	c->unacked = 2;
	return true;
}

/* The update of the window after a long pause is lost, sometimes: then only a probe finds out. */
static void
say_open(struct sim *s, struct tconn *c)
{
	if (!has_fault(s, F(T_ZERO_WINDOW)) || !sim_draw(s, 500)) {
		conn_ack(s, c);
		return;
	}
	sim_show(s, SHOWN_ZERO_UNTOLD);
	sim_trace(s, "          its window update is lost");
}

void
app_read(struct sim *s, struct tconn *c)
{
	uint32_t left = c->got - c->read, before = c->edge;
	bool was_due = c->read_us <= s->now_us;

	if (c->read_us != NEVER && !was_due)
		return;
	c->read_us = NEVER;
	c->is_shut &= !was_due;
	if (left == 0 || is_paused(s, c))
		return;
	if (has_fault(s, F(T_SLOW_READER))) {
		if (left > SC_MAX(s->cfg.target_buf / 4, 500u))
			sim_hit(s, F(T_SLOW_READER));
		left = SC_MIN(left, SC_MAX(s->cfg.target_buf / 4, 500u));
		c->read_us = s->now_us + sim_between(s, 2000, 60000);
	}
	c->read += left;
	/* A window that was (nearly) shut is said to be open again. */
	if (was_due && conn_window(s, c) > before - c->rcv_nxt && c->state >= T_ESTABLISHED)
		say_open(s, c);
	if (was_due)
		app_run(s, c);
	conn_arm(s, c);
}

/* ---- acting ---- */

/* How much of the client's stream the application has read; the FIN is one more. */
static uint64_t
has_read(const struct tconn *c)
{
	if (c->fin_seen && c->read == c->fin_off && c->got == c->fin_off)
		return UINT64_MAX; /* at EOF it waits for nothing any more */
	return c->pos - (c->got - c->read);
}

static uint32_t
length_of(struct sim *s, const struct sim_step *step)
{
	uint32_t len = step->len;

	if (has_fault(s, F(T_SILENT_APP))) {
		sim_hit(s, F(T_SILENT_APP));
		return 0;
	}
	if (has_fault(s, F(T_SHORTER)) && sim_draw(s, 500)) {
		len = sim_between(s, sim_draw(s, 300) ? 0 : 1, len);
		sim_hit(s, len < step->len ? F(T_SHORTER) : 0);
	}
	if (has_fault(s, F(T_LONGER)) && sim_draw(s, 500)) {
		len += sim_between(s, 1, len + 20);
		sim_hit(s, len > step->len ? F(T_LONGER) : 0);
	}
	return len;
}

/* Early ends; true when the connection is over for the application. */
static bool
strike(struct sim *s, struct tconn *c)
{
	if (c->pos < c->stop_pos)
		return false;
	if (has_fault(s, F(T_EARLY_RST))) {
		sim_touch(s, F(T_EARLY_RST), c->flow);
		conn_reset(s, c);
		return true;
	}
	if (has_fault(s, F(T_EARLY_FIN)) && !c->has_ended) {
		sim_touch(s, F(T_EARLY_FIN), c->flow);
		c->fin_queued = c->has_ended = true;
		conn_output(s, c);
		return true;
	}
	if (has_fault(s, F(T_SILENT)) && sim_draw(s, 200)) {
		c->is_silent = true;
		sim_touch(s, F(T_SILENT), c->flow);
		conn_arm(s, c);
		return true;
	}
	return false;
}

static void
act(struct sim *s, struct tconn *c, const struct sim_step *step)
{
	uint32_t len = step->act == ACT_DATA ? length_of(s, step) : 0;

	if (step->act == ACT_RST) {
		conn_reset(s, c);
		return;
	}
	if (c->burst_left > 0)
		len = c->burst_left;
	c->burst_left = 0;
	if (has_fault(s, F(T_BURSTS)) && len > 10 && sim_draw(s, 500)) {
		c->burst_left = sim_between(s, 1, len - 1);
		len -= c->burst_left;
		sim_hit(s, F(T_BURSTS));
		c->ready_us = s->now_us + sim_between(s, 1000, 900000);
	}
	c->app_end += len;
	if (c->burst_left == 0)
		c->step++;
	if (step->act == ACT_FIN)
		c->fin_queued = c->has_ended = true;
}

void
app_run(struct sim *s, struct tconn *c)
{
	if (c->flow == NULL || c->state < T_ESTABLISHED || c->is_silent || c->has_ended
			|| strike(s, c)) {
		c->ready_us = NEVER;
		return;
	}
	while (c->state >= T_ESTABLISHED && !c->has_ended) {
		const struct sim_script *p = &c->flow->script[SERVER];

		if (c->step >= p->nb) {
			c->ready_us = NEVER;
			if (has_read(c) == UINT64_MAX)
				c->fin_queued = c->has_ended = true;
			break;
		}
		if (has_read(c) < p->step[c->step].need) {
			c->ready_us = NEVER;
			break;
		}
		if (c->ready_us == NEVER)
			c->ready_us = s->now_us + p->step[c->step].delay_us;
		if (c->ready_us > s->now_us)
			break;
		c->ready_us = NEVER;
		act(s, c, &p->step[c->step]);
	}
	conn_output(s, c);
	conn_arm(s, c);
}

/* Has it sent what corresponds to what the client had seen before this step? */
bool
app_has_sent(const struct tconn *c, const struct sim_step *step)
{
	const struct sim_script *p = &c->flow->script[SERVER];
	uint64_t bytes = SC_MIN(step->need, p->bytes);

	if (c->flow->kind == KIND_DUPLEX)
		return c->max - c->iss - 1 >= step->acked;

	if (c->step < p->nb && p->step[c->step].act == ACT_DATA && p->step[c->step].begin < bytes)
		return false;
	/* Pieces written already may still wait for a window; some answer later requests. */
	if (c->flow->kind != KIND_PIPELINED && bytes > 0)
		bytes = c->app_end;
	return c->max - c->iss - 1 >= SC_MIN((uint64_t)c->app_end, bytes);
}
