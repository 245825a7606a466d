/* SPDX-License-Identifier: BSD-3-Clause */
/* A SYN becomes a connection: LISTEN and SYN-RECEIVED of RFC 9293 section 3.10.7. */
#include "conn.h"

#define RTO_START_US 1000000u
#define RTO_AFTER_SYN_US 3000000u
#define IW_SEGMENTS 10u /* RFC 6928 */
#define MSS_DEFAULT_V4 536u
#define MSS_DEFAULT_V6 1220u /* RFC 9293 section 3.7.1 */
#define MSS_MIN 64u
#define TS_OPTION 12u

/* ---- LISTEN ---- */

static uint64_t
secret_hash(const struct sc_peer *p, const struct conn *c, uint64_t salt)
{
	struct sc_rng r;

	sc_rng_seed(&r, p->cfg.seed ^ c->hash ^ ((uint64_t)c->irs << 17) ^ salt);
	(void)sc_rng_next(&r);
	return sc_rng_next(&r);
}

/* RFC 9293 section 3.7.1, RFC 6691: the options of a data segment come out of the MSS. */
static uint32_t
payload_mss(const struct sc_peer *p, const struct conn *c, const struct sc_seg *seg)
{
	bool is_v4 = sc_addr_is_v4(&c->client);
	uint32_t mss = is_v4 ? MSS_DEFAULT_V4 : MSS_DEFAULT_V6;

	if ((seg->opts & SC_OPT_MSS) != 0)
		mss = SC_MAX(seg->mss, MSS_MIN);
	mss = SC_MIN(mss, is_v4 ? PEER_MSS_V4 : PEER_MSS_V6);
	if (c->has_ts)
		mss -= TS_OPTION;
	return SC_MIN(mss, p->mss_max);
}

/*
 * A scale of 7, unless the window is so small that it could not be told exactly; then all that is
 * advertised is a multiple of the scale, so that the right edge never has to move left.
 */
static void
choose_window(const struct sc_peer *p, struct conn *c)
{
	uint32_t wnd = p->cfg.impair.window != 0 ? p->cfg.impair.window : 65535;

	c->rcv_ws = c->has_ws && wnd >= 4096 ? 7 : 0;
	c->rcv_wnd = SC_MIN(wnd >> c->rcv_ws, 65535u) << c->rcv_ws;
}

static void
open_conn(struct sc_peer *p, struct conn *c, const struct sc_seg *seg, uint64_t now)
{
	tcp_l2_of(p, seg->mbuf, &c->l2);
	c->irs = seg->seq;
	c->rcv_nxt = c->rcv_edge = c->last_ack_sent = seg->seq + 1;
	c->has_ts = (seg->opts & SC_OPT_TS) != 0;
	c->has_ws = (seg->opts & SC_OPT_WSCALE) != 0;
	c->snd_ws = c->has_ws ? seg->wscale : 0;
	c->ts_recent = seg->tsval;
	c->ts_off = (uint32_t)secret_hash(p, c, 1);
	c->iss = (uint32_t)secret_hash(p, c, 0);
	c->mss = payload_mss(p, c, seg);
	c->snd_wnd = c->max_wnd = seg->wnd; /* RFC 7323 section 2.2: not scaled in a SYN */
	c->cwnd = IW_SEGMENTS * c->mss;
	c->ssthresh = UINT32_MAX;
	c->rto_us = RTO_START_US;
	choose_window(p, c);
	c->want_syn_ack = true;
	c->timed_us = now;
	tcp_arm_rtx(p, c, now);
	conn_ready(p, c);
}

void
tcp_listen(struct sc_peer *p, const struct sc_seg *seg, uint64_t hash, uint64_t now)
{
	int target = peer_index_target(&p->index, &seg->dst, seg->dport);
	struct conn *c;

	if ((seg->flags & SC_TCP_RST) != 0)
		return;
	if ((seg->flags & SC_TCP_ACK) != 0 || (seg->flags & SC_TCP_SYN) == 0) {
		tcp_refuse(p, seg, now);
		return;
	}
	p->stats.syn++;
	if (target < 0)
		p->stats.refused_unknown++;
	c = target < 0 ? NULL : conn_new(p, seg, hash);
	if (c == NULL) {
		tcp_refuse(p, seg, now);
		return;
	}
	c->target = (uint16_t)target;
	c->irs = seg->seq;
	if (!app_open(p, c)) {
		conn_free(p, c);
		tcp_refuse(p, seg, now);
		return;
	}
	open_conn(p, c, seg, now);
}

/* ---- SYN-RECEIVED ---- */

bool
tcp_establish(struct sc_peer *p, struct conn *c, const struct sc_seg *seg, uint64_t now)
{
	bool was_resent = c->nb_retries > 0;

	if (seg->ack != c->iss + 1) {
		tcp_refuse(p, seg, now);
		return false;
	}
	c->want_syn_ack = false;
	c->nb_retries = 0;
	c->rto_us = was_resent ? RTO_AFTER_SYN_US : RTO_START_US; /* RFC 6298 section 5.7 */
	if (c->has_ts || !was_resent)
		tcp_measure(c, seg, now);
	c->timed_us = 0;
	c->snd_wnd = (uint32_t)seg->wnd << c->snd_ws;
	c->max_wnd = SC_MAX(c->max_wnd, c->snd_wnd);
	c->snd_wl1 = seg->seq;
	c->snd_wl2 = seg->ack;
	conn_event(p, c, CONN_EV_SYN_ACKED, now);
	app_release(p, c);
	tcp_zero_start(p, c, now);
	c->rtx_us = 0;
	tcp_arm_rtx(p, c, now);
	conn_ready(p, c);
	return true;
}
