/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * align: where in the captured stream do the bytes stand that a target has read? Every byte must be
 * the client's own byte of its place; places may be skipped only where a captured segment begins,
 * and never go back.
 */
#include <string.h>

#include "target.h"

#define LOOK 64
#define BACK 3

static uint8_t
byte_at(const struct sim_flow *f, uint64_t pos)
{
	return (uint8_t)(*sim_content(f, pos) ^ (f->got[pos] == 2 ? 0x80 : 0));
}

/* How many bytes from buf[i] on stand at position pos of the flow, at most `most`. */
static uint32_t
match(const struct tconn *c, const struct sim_flow *f, uint32_t i, uint64_t pos, uint32_t most)
{
	uint32_t n = 0;

	most = SC_MIN(most, c->got - i);
	if (pos >= f->script[CLIENT].bytes)
		return 0;
	most = (uint32_t)SC_MIN((uint64_t)most, f->script[CLIENT].bytes - pos);
	while (n + 8 <= most && sim_word(&f->got[pos + n]) == SIM_ONES
			&& sim_word(&c->buf[i + n]) == sim_word(sim_content(f, pos + n)))
		n += 8;
	while (n < most && f->got[pos + n] != 0 && c->buf[i + n] == byte_at(f, pos + n))
		n++;
	return n;
}

/* Are all eight counts smaller than n (at most 100)? */
static bool
is_below(uint64_t word, uint32_t n)
{
	return ((word + SIM_ONES * (0x80 - n)) & SIM_ONES * 0x80) == 0;
}

static void
mark(struct sim *s, struct tconn *c, uint32_t n)
{
	struct sim_flow *f = c->flow;
	uint64_t pos = c->pos;
	uint32_t left = n;

	while (left >= 8 && is_below(sim_word(&f->reads[pos]), s->cfg.copies)) {
		uint64_t word = sim_word(&f->reads[pos]) + SIM_ONES;

		memcpy(&f->reads[pos], &word, sizeof(word));
		left -= 8;
		pos += 8;
	}
	for (; left > 0; left--, pos++)
		if (++f->reads[pos] > s->cfg.copies)
			sim_fail(s, "flow %ld: byte %lu was delivered %u times for %u copies",
					(long)(f - s->flow), (unsigned long)pos, f->reads[pos],
					s->cfg.copies);
	f->nb_reads += n;
	c->pos += n;
	c->aligned += n;
}

static void
unmark(struct tconn *c, uint32_t n)
{
	c->flow->nb_reads -= n;
	while (n-- > 0) {
		c->pos--;
		c->aligned--;
		c->flow->reads[c->pos]--;
	}
}

/* The first place at or behind pos where a captured segment begins and all bytes at hand stand. */
static bool
find_ahead(const struct tconn *c, const struct sim_flow *f, uint64_t *pos)
{
	uint32_t most = SC_MIN(c->got - c->aligned, (uint32_t)LOOK);

	for (uint32_t i = 0; i < f->nb_start; i++) {
		if (f->start[i] < *pos || match(c, f, c->aligned, f->start[i], most) < most)
			continue;
		*pos = f->start[i];
		return true;
	}
	return false;
}

/*
 * Behind a gap, in mid-stream and on another connection a session goes on where a turn begins. Where
 * requests are not answered one by one, only the captured ACK numbers could tell.
 */
static void
check_begin(struct sim *s, const struct tconn *c)
{
	const struct sim_flow *f = c->flow;

	if (c->pos == 0 || f->kind == KIND_PIPELINED || f->kind == KIND_DUPLEX)
		return;
	for (uint32_t i = 0; i < f->script[CLIENT].nb; i++)
		if (f->script[CLIENT].step[i].begin == c->pos)
			return;
	sim_fail(s, "flow %ld port %u: goes on at byte %lu, where no turn begins",
			(long)(f - s->flow), c->port, (unsigned long)c->pos);
}

/* A gap closed by the engine; the bytes before it may have matched by chance. */
static bool
jump(struct tconn *c)
{
	for (uint32_t back = 0; back <= SC_MIN((uint32_t)BACK, c->aligned); back++) {
		uint64_t pos;

		if (back > 0)
			unmark(c, 1);
		pos = c->pos + (back > 0 ? 1 : 0);
		if (!find_ahead(c, c->flow, &pos))
			continue;
		c->pos = pos;
		return true;
	}
	return false;
}

/* A connection whose ISN does not say what it carries. */
static bool
locate(struct sim *s, struct tconn *c)
{
	c->is_located = true;
	if (c->flow != NULL && match(c, c->flow, 0, c->pos, LOOK) == SC_MIN(c->got, (uint32_t)LOOK))
		return true;
	/* Behind a gap the ISN stands in front of it. */
	if (c->flow != NULL && find_ahead(c, c->flow, &c->pos)) {
		app_open(s, c);
		return true;
	}
	for (uint32_t i = s->cfg.nb_flows; i-- > 0;) {
		struct sim_flow *f = &s->flow[i];
		uint64_t pos = 0;

		if (!s->cfg.is_pool && !sc_addr_eq(&f->client, &c->addr))
			continue;
		if (!find_ahead(c, f, &pos))
			continue;
		c->flow = f;
		c->pos = pos;
		app_open(s, c);
		return true;
	}
	return false;
}

void
align(struct sim *s, struct tconn *c)
{
	if (!c->is_located && !locate(s, c)) {
		sim_fail(s, "port %u: the first bytes belong to no flow", c->port);
		c->flow = NULL;
		return;
	}
	if (c->flow == NULL)
		return;
	if (c->aligned == 0)
		check_begin(s, c);
	while (c->aligned < c->got) {
		uint32_t n = match(c, c->flow, c->aligned, c->pos, UINT32_MAX);

		mark(s, c, n);
		if (c->aligned == c->got)
			break;
		if (n > 0 && c->flow->script[CLIENT].bytes == c->pos) {
			sim_fail(s, "port %u: more bytes than the client sent", c->port);
			return;
		}
		if (jump(c)) {
			sim_show(s, SHOWN_GAP_CROSSED);
			check_begin(s, c);
			continue;
		}
		sim_fail(s,
				"flow %ld port %u: byte %u of the connection is not the client's "
				"byte %lu, nor any later one",
				(long)(c->flow - s->flow), c->port, c->aligned,
				(unsigned long)c->pos);
		c->flow = NULL;
		return;
	}
	sim_trace(s, "          flow %ld read up to %lu", (long)(c->flow - s->flow),
			(unsigned long)c->pos);
}
