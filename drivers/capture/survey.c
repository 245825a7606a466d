/* SPDX-License-Identifier: BSD-3-Clause */
/* One pass over captures: frames by what becomes of them, then their connections. */
#include "survey.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "reader.h"

/* An mbuf's lengths have 16 bits: a long record is wrapped in several. */
#define WRAP_SEG 65024u
#define WRAP_SEGS ((READER_CAPLEN_MAX + WRAP_SEG - 1) / WRAP_SEG)

/* Segments seen lately, to find those that were mirrored twice. */
#define RECENT 8192u
#define TWICE_NS (5 * 1000 * 1000)
#define BACK_NS READER_NS_PER_S

struct recent {
	uint64_t sign; /* 0: free */
	uint64_t ts_ns;
};

struct run {
	struct sc_survey *s;
	struct survey_conns *conns;
	uint64_t nb_in_file; /* records of the file `file` */
	unsigned int file;
	uint64_t prev_ns;
	struct recent recent[RECENT];
	struct rte_mbuf wrap[WRAP_SEGS];
};

/* The record as an mbuf chain around its own bytes: nothing is copied, no pool is needed. */
static struct rte_mbuf *
wrap(struct run *r, const struct sc_capture_pkt *pkt)
{
	struct rte_mbuf *m = r->wrap;
	uint32_t done = 0, n;
	uint16_t nb = 0;

	do {
		n = SC_MIN(pkt->caplen - done, WRAP_SEG);
		m[nb] = (struct rte_mbuf){
				/* The parser only reads. */
				.buf_addr = (void *)(uintptr_t)(pkt->data + done),
				.buf_len = (uint16_t)n,
				.data_len = (uint16_t)n,
				.refcnt = 1,
		};
		if (nb > 0)
			m[nb - 1].next = &m[nb];
		nb++;
		done += n;
	} while (done < pkt->caplen);
	m->nb_segs = nb;
	m->pkt_len = pkt->caplen;
	return m;
}

static uint64_t
mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 29;
}

/*
 * Was the same segment there within 5 ms? Without an IP id (IPv6, or 0) only segments that take up
 * sequence space can be told from ones that were sent twice.
 */
static bool
is_duplicate(struct run *r, const struct sc_seg *seg, uint64_t ts_ns)
{
	struct recent *e;
	uint64_t h = 1, apart;

	if (seg->ip_id == 0 && seg->payload_len == 0
			&& (seg->flags & (SC_TCP_SYN | SC_TCP_FIN)) == 0)
		return false;
	for (unsigned int i = 0; i < 2; i++) {
		h = mix(h, seg->src.u64[i]);
		h = mix(h, seg->dst.u64[i]);
	}
	h = mix(h, (uint64_t)seg->sport << 48 | (uint64_t)seg->dport << 32 | seg->seq);
	h = mix(h, (uint64_t)seg->ack << 32 | seg->payload_len);
	h = mix(h,
			(uint64_t)seg->wnd << 48 | (uint64_t)seg->ip_id << 32
					| seg->payload_sum << 8 | seg->flags);
	if (seg->opts & SC_OPT_TS)
		h = mix(h, (uint64_t)seg->tsval << 32 | seg->tsecr);
	h |= 1; /* never 0 */
	e = &r->recent[(h >> 32) % RECENT];
	apart = ts_ns > e->ts_ns ? ts_ns - e->ts_ns : e->ts_ns - ts_ns;
	if (e->sign == h && apart <= TWICE_NS)
		return true;
	*e = (struct recent){.sign = h, .ts_ns = ts_ns};
	return false;
}

static void
take_frame(struct run *r, const struct sc_capture_pkt *pkt)
{
	struct sc_survey *s = r->s;
	struct sc_seg seg;
	enum sc_reason reason;

	if (!pkt->is_known_link) {
		if (s->refused[SC_R_UNKNOWN_LINK]++ == 0)
			s->unknown_linktype = pkt->linktype;
		return;
	}
	if (pkt->caplen < pkt->len) {
		s->snapped++;
		s->snap_len = SC_MAX(s->snap_len, pkt->caplen);
	}
	reason = sc_packet_parse(wrap(r, pkt), pkt->link, &seg);
	if (reason == SC_R_NONE || reason == SC_R_BAD_L4_CHECKSUM)
		s->tcp++;
	if (reason != SC_R_NONE) {
		s->refused[reason]++;
		return;
	}
	s->csum_partial += seg.csum == SC_CSUM_PARTIAL;
	if (is_duplicate(r, &seg, pkt->ts_ns))
		s->duplicates++;
	else if (!survey_conns_add(r->conns, s, &seg))
		s->frames_over++;
}

static void
take_record(struct run *r, const struct sc_capture_pkt *pkt)
{
	struct sc_survey *s = r->s;

	if (pkt->file != r->file) {
		s->nb_files_bare += pkt->file - r->file - (r->nb_in_file > 0);
		r->file = pkt->file;
		r->nb_in_file = 0;
	}
	s->steps_back += r->nb_in_file++ > 0 && pkt->ts_ns + BACK_NS < r->prev_ns;
	r->prev_ns = pkt->ts_ns;
	if (s->frames == 0 || pkt->ts_ns < s->first_ns)
		s->first_ns = pkt->ts_ns;
	s->last_ns = SC_MAX(s->last_ns, pkt->ts_ns);
	s->frames++;
	s->bytes += pkt->caplen;
	take_frame(r, pkt);
}

static void
take_all(struct run *r, struct sc_capture_reader *reader)
{
	struct sc_survey *s = r->s;
	struct sc_capture_pkt pkt;
	struct sc_err why;
	int rc;

	while ((rc = sc_capture_reader_next(reader, &pkt, &why)) != 0) {
		if (rc > 0)
			take_record(r, &pkt);
		else if (s->nb_files_damaged++ == 0)
			memcpy(s->damage, why.text, sizeof(s->damage));
	}
	s->nb_files_bare += s->nb_files - r->file - (r->nb_in_file > 0);
}

int
sc_survey_run(const char *const *paths, unsigned int nb, const struct sc_rule *rules,
		unsigned int nb_rules, struct sc_survey *out, struct sc_err *err)
{
	struct sc_capture_reader *reader;
	struct run *r = NULL;
	int rc = 0;

	_Static_assert(sizeof(out->damage) == sizeof(err->text), "a sentence fits");
	memset(out, 0, sizeof(*out));
	out->nb_files = nb;
	out->has_rules = nb_rules > 0;
	reader = sc_capture_reader_open(paths, nb, err);
	if (reader == NULL)
		return -errno;
	r = calloc(1, sizeof(*r));
	if (r != NULL)
		r->conns = survey_conns_create(rules, nb_rules);
	if (r == NULL || r->conns == NULL) {
		rc = sc_err_set(err, -ENOMEM, "no memory for the survey of captures (10 MiB)");
		goto out;
	}
	r->s = out;
	take_all(r, reader);
	survey_conns_finish(r->conns, out);
out:
	if (r != NULL)
		survey_conns_destroy(r->conns);
	free(r);
	sc_capture_reader_close(reader);
	return rc;
}
