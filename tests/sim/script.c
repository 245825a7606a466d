/* SPDX-License-Identifier: BSD-3-Clause */
/* script: what the two applications of a conversation say, and when. */
#include "sim.h"

static struct sim_step *
add(struct sim_script *p, enum sim_act act, uint64_t need, uint32_t delay_us)
{
	struct sim_step *step;

	p->step = sim_grow(p->step, &p->room, p->nb + 1, sizeof(*p->step));
	step = &p->step[p->nb++];
	*step = (struct sim_step){
			.need = need, .begin = p->bytes, .delay_us = delay_us, .act = (uint8_t)act};
	return step;
}

static void
say(struct sim_script *p, uint64_t need, uint32_t delay_us, uint32_t len)
{
	add(p, ACT_DATA, need, delay_us)->len = len;
	p->bytes += len;
}

/*
 * Where there may be gaps (overtaking can leave some, too: only 64 segments are kept beyond a hole), a
 * place in the stream could not be told from another one below 8 bytes.
 */
static uint32_t
least_of_turn(const struct sim *s)
{
	return has_fault(s, SIM_LOSSY | F(M_REORDER)) ? 8 : 1;
}

/* Most turns are small; every now and then one is large. */
static uint32_t
size_of_turn(struct sim *s)
{
	uint32_t least = least_of_turn(s);
	uint32_t d = sim_between(s, 0, 999);

	if (d < 500)
		return sim_between(s, least, 400);
	if (d < 900)
		return sim_between(s, 400, 4000);
	if (d < 990)
		return sim_between(s, 4000, 40000);
	return sim_between(s, 40000, 300000);
}

static uint32_t
size_of_bulk(struct sim *s)
{
	uint32_t d = sim_between(s, 0, 9999);

	if (d < 9000)
		return sim_between(s, 1000, 100000);
	if (d < 9980)
		return sim_between(s, 100000, 500000);
	return sim_between(s, 1000000, 10000000);
}

static uint32_t
think(struct sim *s)
{
	uint32_t d = sim_between(s, 0, 99);

	if (d < 50)
		return sim_between(s, 0, 3000);
	if (d < 95)
		return sim_between(s, 3000, 150000);
	return sim_between(s, 150000, 3000000);
}

static uint32_t
work(struct sim *s)
{
	return sim_between(s, 0, 9) < 8 ? sim_between(s, 50, 5000) : sim_between(s, 5000, 100000);
}

/* An answer, sometimes in two or three pieces. */
static void
answer(struct sim *s, struct sim_flow *f, uint32_t len)
{
	uint32_t pieces = sim_draw(s, 150) ? sim_between(s, 2, 3) : 1;
	uint64_t need = f->script[CLIENT].bytes;

	say(&f->script[SERVER], need, work(s), SC_MAX(len / pieces, 1u));
	for (uint32_t i = 1; i < pieces; i++)
		say(&f->script[SERVER], need, sim_between(s, 100, 60000), SC_MAX(len / pieces, 1u));
}

static void
turns(struct sim *s, struct sim_flow *f, uint32_t n, bool is_small)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t least = least_of_turn(s);
		uint32_t ask = is_small ? sim_between(s, least, 30) : size_of_turn(s);
		uint32_t reply = is_small ? sim_between(s, 1, 40) : size_of_turn(s);

		say(&f->script[CLIENT], f->script[SERVER].bytes, is_small ? think(s) / 8 : think(s),
				ask);
		answer(s, f, reply);
	}
}

static void
pipelined(struct sim *s, struct sim_flow *f)
{
	uint32_t n = sim_between(s, 2, 12);
	uint64_t need = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (sim_draw(s, 250))
			need = f->script[SERVER].bytes;
		say(&f->script[CLIENT], need, sim_between(s, 0, 2000), size_of_turn(s));
		answer(s, f, size_of_turn(s));
	}
}

static void
duplex(struct sim *s, struct sim_flow *f)
{
	for (unsigned int half = 0; half < 2; half++) {
		uint32_t n = sim_between(s, 2, 20);

		for (uint32_t i = 0; i < n; i++)
			say(&f->script[half], 0, sim_between(s, 100, 100000),
					size_of_turn(s) / 4 + 8);
	}
}

/* Who speaks last, and how. */
static void
ending(struct sim *s, struct sim_flow *f)
{
	struct sim_script *c = &f->script[CLIENT], *v = &f->script[SERVER];

	switch (f->ending) {
	case ENDING_CLIENT_FIN:
		add(c, ACT_FIN, v->bytes, think(s));
		add(v, ACT_FIN, c->bytes + 1, work(s));
		c->has_fin = v->has_fin = true;
		break;
	case ENDING_SERVER_FIN:
		add(v, ACT_FIN, c->bytes, work(s));
		add(c, ACT_FIN, v->bytes + 1, think(s));
		c->has_fin = v->has_fin = true;
		break;
	case ENDING_CLIENT_RST:
		add(c, ACT_RST, sim_draw(s, 300) ? v->bytes / 2 : v->bytes, think(s));
		break;
	case ENDING_SERVER_RST:
		add(v, ACT_RST, c->bytes, work(s));
		break;
	default:
		break;
	}
}

static void
eof(struct sim *s, struct sim_flow *f)
{
	struct sim_script *c = &f->script[CLIENT], *v = &f->script[SERVER];

	turns(s, f, sim_between(s, 0, 3), false);
	say(c, v->bytes, think(s), size_of_bulk(s));
	add(c, ACT_FIN, v->bytes, sim_draw(s, 500) ? 0 : think(s));
	say(v, c->bytes + 1, work(s), size_of_turn(s));
	add(v, ACT_FIN, c->bytes + 1, work(s));
	c->has_fin = v->has_fin = true;
	f->ending = ENDING_CLIENT_FIN;
}

/* The server says what it has to say and closes its half; the client goes on for a while. */
static void
left(struct sim *s, struct sim_flow *f)
{
	struct sim_script *c = &f->script[CLIENT], *v = &f->script[SERVER];

	turns(s, f, sim_between(s, 1, 3), false);
	add(v, ACT_FIN, c->bytes, work(s));
	say(c, v->bytes + 1, think(s), size_of_turn(s));
	if (sim_draw(s, 500))
		say(c, v->bytes + 1, think(s), size_of_bulk(s));
	add(c, ACT_FIN, v->bytes + 1, sim_draw(s, 500) ? 0 : think(s));
	c->has_fin = v->has_fin = true;
	f->ending = ENDING_SERVER_FIN;
}

static void
note_shown(struct sim *s, const struct sim_flow *f)
{
	for (unsigned int half = 0; half < 2; half++) {
		for (uint32_t i = 0; i < f->script[half].nb; i++) {
			const struct sim_step *step = &f->script[half].step[i];

			if (step->act == ACT_DATA && step->len == 1)
				sim_show(s, SHOWN_BYTE);
			if (step->len > 1000000)
				sim_show(s, SHOWN_LARGE);
			if (step->len > 8000000)
				sim_show(s, SHOWN_HUGE);
		}
	}
}

static void
make(struct sim *s, struct sim_flow *f)
{
	switch (f->kind) {
	case KIND_PIPELINED:
		pipelined(s, f);
		break;
	case KIND_SERVER_FIRST:
		say(&f->script[SERVER], 0, work(s), sim_between(s, 1, 300));
		turns(s, f, sim_between(s, 1, 8), false);
		break;
	case KIND_UPLOAD:
		say(&f->script[CLIENT], 0, think(s), size_of_bulk(s));
		answer(s, f, sim_between(s, 1, 300));
		break;
	case KIND_DOWNLOAD:
		say(&f->script[CLIENT], 0, think(s), sim_between(s, 8, 500));
		answer(s, f, size_of_bulk(s));
		break;
	case KIND_DUPLEX:
		duplex(s, f);
		break;
	case KIND_SMALL:
		turns(s, f, sim_between(s, 20, 120), true);
		break;
	case KIND_EOF:
		eof(s, f);
		return;
	case KIND_LEFT:
		left(s, f);
		return;
	default:
		turns(s, f, sim_between(s, 1, 12), false);
		break;
	}
	ending(s, f);
}

void
script_make(struct sim *s, struct sim_flow *f)
{
	make(s, f);
	note_shown(s, f);
}
