/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stranger: frames that cannot be of the connection that is known under their tuple. A mirror that
 * loses frames loses SYNs, too. The next connection's frames seem to lie far ahead in the old one then,
 * since ISNs rise with the time (RFC 6528; with RFC 6191 by 64 KiB at least), and would make a hole
 * of megabytes in it. One such frame may be damaged or forged: it is left out, and remembered. A second
 * one beside it proves that the old connection is over, and what comes is another one in mid-stream.
 *
 * No window tells them apart from a hole: where the mirror lost all of a second, a client may well have
 * sent more than a window since. But it did not leave out 64 KiB and acknowledge 1 MiB that nobody saw.
 */
#include "engine.h"

#define ACK_NEAR \
	(1u << 20) /* of production's bytes: more in a row are not lost for a mirror's loss */

static uint32_t
distance(uint32_t a, uint32_t b)
{
	return sc_seq_gt(a, b) ? a - b : b - a;
}

/* How far is `seq` from what the mirror has shown of the client's stream, beyond a hole, too? */
static uint32_t
client_distance(struct sc_replay *e, const struct sc_flow *f, uint32_t seq)
{
	uint32_t least = distance(seq, f->nxt);

	if (least > SEQ_NEAR && (f->flags & SC_FLOW_PROD_SEEN))
		least = SC_MIN(least, distance(seq, f->prod_cack));
	for (uint32_t hi = ooo_head(e, f); least > SEQ_NEAR && hi != SC_NONE;
			hi = held_at(e, hi)->next)
		least = SC_MIN(least, distance(seq, held_at(e, hi)->seq + held_at(e, hi)->len));
	return least;
}

/* The same of production's stream; 0 while nothing is known of it. */
static uint32_t
production_distance(const struct sc_flow *f, uint32_t seq)
{
	uint32_t least = UINT32_MAX;

	if (f->flags & SC_FLOW_PROD_SEEN)
		least = distance(seq, f->prod_nxt);
	if (f->flags & SC_FLOW_BASE)
		least = SC_MIN(least, distance(seq, f->cack));
	return least == UINT32_MAX ? 0 : least;
}

/* Frames of a flow that was cut short are left out by its own reason; one that joins has no place yet. */
static bool
is_judged(const struct sc_flow *f)
{
	return f->state != SC_FLOW_JOINING && !(f->flags & SC_FLOW_ENDED);
}

/* seq, ack: a place in the client's stream, and one in production's if has_ack. */
static bool
is_far(struct sc_replay *e, const struct sc_flow *f, uint32_t seq, uint32_t ack, bool has_ack)
{
	uint32_t by = client_distance(e, f, seq);
	bool is_known = has_ack && (f->flags & (SC_FLOW_PROD_SEEN | SC_FLOW_BASE));

	if (by <= SEQ_NEAR)
		return false;
	if (by > JUMP_MAX)
		return true;
	return is_known ? production_distance(f, ack) > ACK_NEAR : by > ACK_NEAR;
}

static struct stranger *
entry_of(struct sc_replay *e, uint32_t fi)
{
	return &e->stranger[fi % STRANGERS];
}

/* Was another frame, but not this one again, seen near by? This one is remembered. */
static bool
is_second(struct sc_replay *e, uint32_t fi, uint32_t seq, uint32_t ack)
{
	struct stranger *x = entry_of(e, fi), now = {.flow = fi + 1, .seq = seq, .ack = ack};
	bool is_again = x->seq == seq && x->ack == ack;
	bool is_near = distance(x->seq, seq) <= SEQ_NEAR && distance(x->ack, ack) <= JUMP_MAX;
	bool is_of_flow = x->flow == now.flow;

	*x = now;
	return is_of_flow && is_near && !is_again;
}

enum verdict
stranger_client(struct sc_replay *e, uint32_t fi, const struct sc_seg *s)
{
	struct sc_flow *f = flow_at(e, fi);
	bool has_ack = (s->flags & SC_TCP_ACK) != 0;

	if ((s->flags & (SC_TCP_SYN | SC_TCP_ACK | SC_TCP_RST)) == SC_TCP_SYN)
		return s->seq == f->isn ? VERDICT_OWN : VERDICT_NEW;
	if (is_near(s->seq, f->nxt) || !is_judged(f) || !is_far(e, f, s->seq, s->ack, has_ack))
		return VERDICT_OWN;
	if (is_second(e, fi, s->seq + s->payload_len, has_ack ? s->ack : 0))
		return VERDICT_NEW;
	return VERDICT_STRANGE;
}

/* A SYN-ACK to an ISN beyond all that the client has said is of its next connection. */
bool
stranger_is_synack(const struct sc_seg *s, uint32_t nxt)
{
	return (s->flags & (SC_TCP_SYN | SC_TCP_ACK | SC_TCP_RST)) == (SC_TCP_SYN | SC_TCP_ACK)
			&& (int32_t)(s->ack - nxt) > (int32_t)SEQ_NEAR;
}

/* Production's frames do not end a flow; that takes the client's, which the next one is made of. */
enum verdict
stranger_production(struct sc_replay *e, uint32_t fi, const struct sc_seg *s)
{
	struct sc_flow *f = flow_at(e, fi);

	if (stranger_is_synack(s, f->nxt))
		return VERDICT_NEW;
	if (!(s->flags & SC_TCP_ACK) || (s->flags & SC_TCP_SYN) || !is_judged(f)
			|| !is_far(e, f, s->ack, s->seq, true))
		return VERDICT_OWN;
	is_second(e, fi, s->ack, s->seq);
	return VERDICT_STRANGE;
}
