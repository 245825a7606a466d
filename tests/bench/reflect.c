/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reflect: the target, reduced to what a turn needs. Its sequence numbers follow from those of the
 * client, so it keeps no state, and a segment sent again gets the same answer again.
 */
#include "bench.h"

struct reply {
	struct reflector *r;
	struct frame f;
	struct rte_mbuf **out;
	uint16_t nb, max;
	uint16_t len; /* of the client's segment */
};

static void
put(struct reply *re, uint8_t flags, uint32_t seq, uint16_t len)
{
	struct rte_mbuf *m;

	if (re->nb == re->max) {
		re->r->strange++;
		return;
	}
	m = rte_pktmbuf_alloc(re->r->pool);
	if (m == NULL)
		rte_panic("the reflector's pool is empty\n");
	re->f.flags = flags | SC_TCP_ACK;
	re->f.seq = seq;
	re->f.len = len;
	frame_put(m, &re->f);
	re->out[re->nb++] = m;
}

/* `at`: client bytes of the connection up to the end of this segment. */
static void
data(struct reply *re, uint32_t seq, uint32_t at)
{
	const struct traffic *t = re->r->t;
	uint32_t turns = at / t->req;

	re->r->bytes += re->len;
	if (at % t->req != 0) { /* without a timer for delayed ACKs each segment gets one */
		put(re, 0, seq + turns * t->ans, 0);
		return;
	}
	re->r->answers++;
	for (uint32_t i = 0; i < t->ans; i += MSS) {
		uint32_t len = SC_MIN(t->ans - i, (uint32_t)MSS);

		put(re, i + len == t->ans ? SC_TCP_PSH : 0, seq + (turns - 1) * t->ans + i,
				(uint16_t)len);
	}
	re->r->answer_bytes += t->ans;
}

uint16_t
reflect(struct reflector *r, const struct rte_mbuf *m, struct rte_mbuf **out, uint16_t max,
		uint64_t now_us)
{
	struct reply re = {.r = r, .out = out, .max = max};
	struct frame f;
	struct conn c = {0};
	uint32_t gone, at;

	frame_get(m, &f);
	c.tuple = tuple_of(&(struct ends){f.src, f.sport});
	gone = f.seq - client_isn(c);
	c.life = gone >> LIFE_SHIFT;
	gone &= (1u << LIFE_SHIFT) - 1;
	at = gone + f.len - 1; /* the SYN took one */
	r->frames++;
	re.len = f.len;
	re.f = (struct frame){
			.src = f.dst,
			.dst = f.src,
			.sport = f.dport,
			.dport = f.sport,
			.ack = f.seq + f.len + ((f.flags & (SC_TCP_SYN | SC_TCP_FIN)) != 0),
			.tsval = (uint32_t)(now_us / SC_US_PER_MS),
			.tsecr = f.tsval,
	};
	if (f.flags & SC_TCP_RST) {
		r->resets++;
	} else if (f.flags & SC_TCP_SYN) {
		r->syns++;
		put(&re, SC_TCP_SYN, target_isn(c), 0);
	} else if (f.len > 0) {
		data(&re, target_isn(c) + 1, at);
	}
	if (f.flags & SC_TCP_FIN) {
		r->fins++;
		put(&re, SC_TCP_FIN, target_isn(c) + 1 + at / r->t->req * r->t->ans, 0);
	}
	return re.nb;
}
