/* SPDX-License-Identifier: BSD-3-Clause */
/* match: is a frame what the script expects, and what every frame must be? */
#include <string.h>

#include "conform.h"

/* ---- printing ---- */

struct text {
	char *to;
	size_t room;
};

static void __attribute__((format(printf, 2, 3))) add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->to, t->room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= t->room)
		n = (int)t->room - 1;
	t->to += n;
	t->room -= (size_t)n;
}

static void
add_flags(struct text *t, uint8_t flags)
{
	static const char letters[] = "FSRP.UEW";
	static const uint8_t order[] = {
			1, 0, 2, 3, 5, 6, 7, 4}; /* S before the dot, as people do */

	for (unsigned int i = 0; i < sizeof(order); i++)
		if (flags & (1 << order[i]))
			add(t, "%c", letters[order[i]]);
	if (flags == 0)
		add(t, "-");
}

/* Without ACK there is nothing to echo (RFC 7323 section 3.2). */
static uint32_t
ecr_base(const struct bed *b, const struct sc_seg *s)
{
	return s->flags & SC_TCP_ACK ? b->var->ts : 0;
}

static void
add_seq(struct text *t, uint32_t seq, uint32_t len)
{
	add(t, " seq %u", seq);
	if (len > 0)
		add(t, ":%u", seq + len);
}

void
match_print(const struct bed *b, const struct sc_seg *s, char *text, size_t room)
{
	struct text t = {text, room};

	add_flags(&t, s->flags);
	add_seq(&t, s->seq - b->var->client, s->payload_len);
	if (s->flags & SC_TCP_ACK)
		add(&t, " ack %u", s->ack - b->var->target);
	if (s->opts & SC_OPT_MSS)
		add(&t, " mss %u", s->mss);
	if (s->opts & SC_OPT_SACK_OK)
		add(&t, " sack");
	if (s->opts & SC_OPT_TS)
		add(&t, " ts %u ecr %u", s->tsval, s->tsecr - ecr_base(b, s));
	if (s->opts & SC_OPT_WSCALE)
		add(&t, " wscale %u", s->wscale);
	if (s->flags & SC_TCP_URG)
		add(&t, " urg %u", s->urg);
	add(&t, " port %u", s->sport);
}

static void
print_spec(const struct seg_spec *seg, char *text, size_t room)
{
	struct text t = {text, room};

	add_flags(&t, seg->flags);
	if (seg->has & HAS_SEQ)
		add_seq(&t, seg->seq, seg->len);
	if (seg->has & HAS_ACK)
		add(&t, " ack %u", seg->ack);
	if (seg->opts & SC_OPT_MSS)
		add(&t, " mss %u", seg->mss);
	if (seg->ts == TS_VALUE)
		add(&t, " ts %u", seg->tsval);
	else if (seg->ts != TS_NONE)
		add(&t, " ts %s", seg->ts == TS_NOW ? "now" : "any");
	if (seg->has & HAS_ECR)
		add(&t, " ecr %u", seg->tsecr);
	if (seg->opts & SC_OPT_WSCALE)
		add(&t, " wscale %u", seg->wscale);
	if (seg->flags & SC_TCP_URG)
		add(&t, " urg %u", seg->urg);
}

/* ---- every frame ---- */

/* NULL, or what no frame may be. */
static const char *
broken_ip(const struct bed *b, const uint8_t *p)
{
	if (memcmp(p, b->l2.dst.addr_bytes, 6) != 0 || memcmp(p + 6, b->l2.src.addr_bytes, 6) != 0)
		return "Ethernet addresses are not the next hop's and ours";
	if (b->var->v6) {
		if ((p[14] & 0x0f) != 0 || (p[15] & 0xf0) != 0)
			return "the traffic class is not 0 (RFC 3168 section 5)";
		return p[21] == 64 ? NULL : "the hop limit is not 64";
	}
	if (p[15] != 0)
		return "the type of service is not 0 (RFC 3168 section 5)";
	if (p[18] != 0 || p[19] != 0 || p[20] != 0x40 || p[21] != 0)
		return "not identification 0 with DF (RFC 6864 section 4.1)";
	return p[22] == 64 ? NULL : "the time to live is not 64";
}

static const char *
broken_tcp(const struct bed *b, const struct sc_seg *s)
{
	if (s->csum != SC_CSUM_GOOD)
		return "the TCP checksum is wrong (RFC 9293 section 3.1)";
	if (!sc_addr_eq(&s->dst, &b->target.addr) || s->dport != b->target.port)
		return "it does not go to the target";
	if (s->flags & (SC_TCP_ECE | SC_TCP_CWR))
		return "it carries ECE or CWR (RFC 3168 section 6.1.1)";
	if (s->opts & SC_OPT_SACK_OK)
		return "it offers SACK, which is not done (RFC 2018 section 2)";
	if (s->wnd != 65535)
		return "the window is not 65535: its right edge would move (RFC 9293 section "
		       "3.8.6)";
	if ((s->flags & SC_TCP_URG) == 0 && s->urg != 0)
		return "an urgent pointer without URG";
	return NULL;
}

void
match_invariants(struct bed *b, const struct rte_mbuf *m, const struct sc_seg *s)
{
	const char *broken = broken_ip(b, rte_pktmbuf_mtod(m, const uint8_t *));
	char text[200];

	if (broken == NULL)
		broken = broken_tcp(b, s);
	if (broken == NULL && m->pkt_len > b->cfg.mtu + 14u)
		broken = "it is longer than the MTU";
	if (broken == NULL)
		return;
	match_print(b, s, text, sizeof(text));
	verdict_fail(b->v, b->script, b->line, "of every frame, also of %s: %s", text, broken);
}

/* ---- what the script expects ---- */

static bool
is_numbers_equal(const struct bed *b, const struct seg_spec *want, const struct sc_seg *s)
{
	if (want->has & HAS_SEQ) {
		if (s->seq != want->seq + b->var->client || s->payload_len != want->len)
			return false;
	}
	if ((want->has & HAS_ACK) && s->ack != want->ack + b->var->target)
		return false;
	if (!(s->flags & SC_TCP_ACK) && s->ack != 0)
		return false;
	return s->urg == want->urg;
}

static bool
is_options_equal(const struct bed *b, const struct seg_spec *want, const struct frame *f)
{
	const struct sc_seg *s = &f->seg;

	if (s->opts != want->opts)
		return false;
	if ((s->opts & SC_OPT_MSS) && s->mss != want->mss)
		return false;
	if ((s->opts & SC_OPT_WSCALE) && s->wscale != want->wscale)
		return false;
	if ((want->has & HAS_ECR) && s->tsecr != want->tsecr + ecr_base(b, s))
		return false;
	if (want->ts == TS_NOW)
		return s->tsval == sc_clock_tsval(f->at_us);
	return want->ts != TS_VALUE || s->tsval == want->tsval;
}

/* The port of a SYN is learned; that of any other segment is the connection's. */
static bool
is_port_right(struct bed *b, const struct step *st, const struct sc_seg *s)
{
	struct conn *c = &b->conn[st->conn];

	switch (st->seg.port) {
	case PORT_OLD:
		return s->sport == c->old_port;
	case PORT_OTHER:
		if (s->sport == c->rport)
			return false;
		break;
	case PORT_OWN:
		if (s->sport != CLIENT_PORT + st->conn)
			return false;
		break;
	default:
		break;
	}
	if (!(s->flags & SC_TCP_SYN))
		return s->sport == c->rport && sc_addr_eq(&s->src, &c->raddr);
	for (unsigned int i = 0; i < CONNS_MAX; i++)
		if (i != st->conn && b->conn[i].rport == s->sport
				&& sc_addr_eq(&b->conn[i].raddr, &s->src))
			return false;
	if (s->sport != c->rport)
		c->old_port = c->rport;
	c->rport = s->sport;
	c->raddr = s->src;
	return true;
}

static bool
is_payload_right(const struct seg_spec *want, const struct frame *f)
{
	uint32_t from = want->has & HAS_FROM ? want->from : want->seq;

	for (uint32_t i = 0; i < f->seg.payload_len; i++)
		if (f->payload[i] != bed_byte(from + i))
			return false;
	return true;
}

void
match_frame(struct bed *b, const struct step *st, const struct frame *f)
{
	const struct seg_spec *want = &st->seg;
	const char *what = NULL;
	char wanted[200], got[200];

	if (f->seg.flags != want->flags)
		what = "flags";
	else if (!is_numbers_equal(b, want, &f->seg))
		what = "numbers";
	else if (!is_options_equal(b, want, f))
		what = "options";
	else if (!is_port_right(b, st, &f->seg))
		what = "port";
	else if ((want->has & HAS_SEQ) && !is_payload_right(want, f))
		what = "payload";
	if (what == NULL)
		return;
	print_spec(want, wanted, sizeof(wanted));
	match_print(b, &f->seg, got, sizeof(got));
	verdict_fail(b->v, b->script, st->line, "%s: expected %s, got %s (at %.6f, %s)", what,
			wanted, got, (double)(f->at_us - b->var->start_us) / 1e6, b->var->name);
}
