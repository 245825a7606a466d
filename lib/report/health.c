/* SPDX-License-Identifier: BSD-3-Clause */
/* health: what the figures say of the mirror, and what to change about it. */
#include <inttypes.h>
#include <string.h>

#include <sc_report.h>

/* Shares from which on a finding is one, percent: where `spancopy check` has the same, the same. */
#define PCT_CUT_UNFIT 5
#define PCT_SUMS_BAD 1
#define PCT_SUMS_UNFIT 50
#define PCT_ONE_SIDED 5
#define ONE_SIDED_MIN 4 /* connections; fewer are chance */
#define PCT_DUPLICATE 5
#define PCT_REORDERED 1
#define PCT_LOOP 1

/* What the findings look at. */
struct view {
	const struct sc_stats *s;
	const struct sc_report_health *h;
	uint64_t box_lost; /* frames that reached this box and no engine */
	uint64_t server_only, one_sided, flows;
};

/* Says in one sentence what is wrong and what to change; false: nothing is. */
typedef bool (*finding_fn)(const struct view *v, char *text, size_t room);

static double
percent(uint64_t part, uint64_t whole)
{
	return whole == 0 ? 0 : 100.0 * (double)part / (double)whole;
}

static uint64_t
refused(const struct sc_stats *s, enum sc_reason r)
{
	return s->m[SC_M_FRAME_REFUSED][r];
}

/* Frames with a whole TCP segment, its checksum good or not. */
static uint64_t
nb_tcp(const struct sc_stats *s)
{
	static const enum sc_reason other[] = {SC_R_SHORT_FRAME, SC_R_NOT_IP, SC_R_BAD_IP_HEADER,
			SC_R_BAD_IP_CHECKSUM, SC_R_IP_FRAGMENT, SC_R_NOT_TCP, SC_R_BAD_TCP_HEADER,
			SC_R_TRUNCATED_FRAME, SC_R_UNKNOWN_LINK, SC_R_MIRROR_LOOP};
	uint64_t n = sc_stats_map_sum(s, SC_M_FRAME_REFUSED);

	for (size_t i = 0; i < SC_ARRAY_SIZE(other); i++)
		n -= refused(s, other[i]);
	return n + s->c[SC_C_FRAMES_CLIENT] + s->c[SC_C_FRAMES_PRODUCTION];
}

/* ---- unfit ---- */

static bool
no_frames(const struct view *v, char *text, size_t room)
{
	snprintf(text, room,
			"no frame came from the mirror port: check the mirror session of the "
			"switch, and the cable");
	return v->s->c[SC_C_MIRROR_POLLED] == 0;
}

static bool
no_client(const struct view *v, char *text, size_t room)
{
	snprintf(text, room,
			"no frame of a client was seen: does --map name the production server, and "
			"does the mirror show frames towards it?");
	return v->s->c[SC_C_MIRROR_POLLED] > 0 && v->s->c[SC_C_FRAMES_CLIENT] == 0;
}

static bool
say_cut(const struct view *v, char *text, size_t room)
{
	snprintf(text, room,
			"%" PRIu64 " frames, %.1f %% of the TCP ones, were cut before the end of "
			"the packet: raise the snap length of the mirror or capture",
			refused(v->s, SC_R_TRUNCATED_FRAME), v->h->truncated_pct);
	return refused(v->s, SC_R_TRUNCATED_FRAME) > 0;
}

static bool
frames_cut(const struct view *v, char *text, size_t room)
{
	return say_cut(v, text, room) && v->h->truncated_pct >= PCT_CUT_UNFIT;
}

static bool
sums_bad(const struct view *v, char *text, size_t room)
{
	snprintf(text, room,
			"%.1f %% of the TCP frames have a wrong checksum and were left out: "
			"something on the way of the mirror changes frames; mirror nearer to "
			"production, or without it",
			v->h->bad_checksum_pct);
	return v->h->bad_checksum_pct >= PCT_SUMS_UNFIT;
}

/* ---- warnings ---- */

static bool
some_cut(const struct view *v, char *text, size_t room)
{
	return say_cut(v, text, room) && v->h->truncated_pct < PCT_CUT_UNFIT;
}

static bool
some_sums_bad(const struct view *v, char *text, size_t room)
{
	double pct = v->h->bad_checksum_pct;

	snprintf(text, room,
			"%.1f %% of the TCP frames have a wrong checksum: production dropped them, "
			"too; check cables and ports on production's way",
			pct);
	return pct >= PCT_SUMS_BAD && pct < PCT_SUMS_UNFIT;
}

static bool
client_half(const struct view *v, char *text, size_t room)
{
	snprintf(text, room,
			"the mirror shows only the client half: answers are paced by what clients "
			"acknowledged; mirror both directions for pauses, duplicates and lost "
			"bytes to be told");
	return v->s->c[SC_C_FRAMES_CLIENT] > 0 && v->s->c[SC_C_FRAMES_PRODUCTION] == 0;
}

static bool
one_sided(const struct view *v, char *text, size_t room)
{
	snprintf(text, room,
			"%" PRIu64 " connections show only the client and %" PRIu64
			" only the server: the other direction takes another way; mirror every "
			"link or member of the bundle that it may take",
			v->s->c[SC_C_FLOWS_CLIENT_ONLY], v->server_only);
	return v->one_sided >= ONE_SIDED_MIN && v->one_sided < v->flows
			&& v->h->one_sided_pct >= PCT_ONE_SIDED;
}

static bool
no_syn(const struct view *v, char *text, size_t room)
{
	uint64_t nb = v->s->c[SC_C_FLOWS_SEEN];

	snprintf(text, room,
			"not one of %" PRIu64 " connections began while the mirror was watched: "
			"each was joined at a later request; does a filter of the mirror session "
			"leave out SYNs? Otherwise run for longer",
			nb);
	return nb > 0 && v->s->c[SC_C_FLOWS_MIDSTREAM] == nb;
}

static bool
box_lost(const struct view *v, char *text, size_t room)
{
	snprintf(text, room,
			"%" PRIu64 " frames reached the mirror port and were lost in this box: it "
			"is too slow for the mirror; give it more --workers, or mirror less",
			v->box_lost);
	return v->box_lost > 0;
}

/* Cut frames and a slow box leave the same holes, and have their own findings. */
static bool
bytes_missing(const struct view *v, char *text, size_t room)
{
	uint64_t nb = v->s->c[SC_C_BYTES_MISSING];

	snprintf(text, room,
			"%" PRIu64 " bytes of clients (%.2f %%) never came, though production had "
			"them: the mirror loses frames; mirror fewer ports or VLANs, or to a "
			"faster port, and look for drops on the switch's mirror port",
			nb, v->h->missing_pct);
	return nb > 0 && v->box_lost == 0 && refused(v->s, SC_R_TRUNCATED_FRAME) == 0;
}

static bool
fragments(const struct view *v, char *text, size_t room)
{
	uint64_t nb = refused(v->s, SC_R_IP_FRAGMENT);

	snprintf(text, room,
			"%" PRIu64 " IP fragments of TCP were left out, since their packets never "
			"became whole: mirror every way that pieces may take, or lower the MSS on "
			"that way",
			nb);
	return nb > 0;
}

static bool
twice(const struct view *v, char *text, size_t room)
{
	snprintf(text, room,
			"%.1f %% of the clients' bytes were mirrored twice: the copies are left "
			"out, but the mirror and this box carry both; mirror one point of the way "
			"and, of a port, one direction only",
			v->h->duplicate_pct);
	return v->h->duplicate_pct >= PCT_DUPLICATE;
}

static bool
overtaken(const struct view *v, char *text, size_t room)
{
	snprintf(text, room,
			"%.1f %% of the clients' segments overtook an earlier one: they are put "
			"right, but later; bring the mirror over one link, not over a bundle or "
			"several sessions",
			v->h->reordered_pct);
	return v->h->reordered_pct >= PCT_REORDERED;
}

static bool
loops(const struct view *v, char *text, size_t room)
{
	uint64_t nb = refused(v->s, SC_R_MIRROR_LOOP), all = v->s->c[SC_C_MIRROR_POLLED];

	snprintf(text, room,
			"%" PRIu64 " of %" PRIu64 " mirrored frames are our own replay: take the "
			"test network out of the mirror session",
			nb, all);
	return percent(nb, all) > PCT_LOOP;
}

static const struct {
	const char *name;
	enum sc_health_grade grade;
	finding_fn fn;
} findings[] = {
		{"no_frames", SC_HEALTH_UNFIT, no_frames},
		{"no_client", SC_HEALTH_UNFIT, no_client},
		{"truncated", SC_HEALTH_UNFIT, frames_cut},
		{"bad_checksum", SC_HEALTH_UNFIT, sums_bad},
		{"truncated", SC_HEALTH_WARNING, some_cut},
		{"bad_checksum", SC_HEALTH_WARNING, some_sums_bad},
		{"client_half", SC_HEALTH_WARNING, client_half},
		{"one_sided", SC_HEALTH_WARNING, one_sided},
		{"midstream", SC_HEALTH_WARNING, no_syn},
		{"box_lost", SC_HEALTH_WARNING, box_lost},
		{"missing", SC_HEALTH_WARNING, bytes_missing},
		{"fragments", SC_HEALTH_WARNING, fragments},
		{"duplicates", SC_HEALTH_WARNING, twice},
		{"reordered", SC_HEALTH_WARNING, overtaken},
		{"mirror_loop", SC_HEALTH_WARNING, loops},
};

_Static_assert(SC_ARRAY_SIZE(findings) <= SC_HEALTH_FINDINGS_MAX, "every finding has a place");

static void
fill_shares(struct view *v, struct sc_report_health *h)
{
	const struct sc_stats *s = v->s;
	uint64_t tcp = nb_tcp(s), cut = refused(s, SC_R_TRUNCATED_FRAME);
	uint64_t missing = s->c[SC_C_BYTES_MISSING];

	h->duplicate_pct =
			percent(s->m[SC_M_BYTES_DUPLICATE][SC_R_DUP_MIRROR], s->c[SC_C_BYTES_SEEN]);
	h->reordered_pct = percent(s->c[SC_C_SEGMENTS_REORDERED], s->c[SC_C_FRAMES_CLIENT]);
	h->truncated_pct = percent(cut, tcp + cut);
	h->bad_checksum_pct = percent(refused(s, SC_R_BAD_L4_CHECKSUM), tcp);
	h->partial_checksum_pct = percent(s->c[SC_C_CSUM_PARTIAL], tcp);
	h->one_sided_pct = percent(v->one_sided, v->flows);
	h->midstream_pct = percent(s->c[SC_C_FLOWS_MIDSTREAM], s->c[SC_C_FLOWS_SEEN]);
	h->missing_pct = percent(missing, missing + s->c[SC_C_BYTES_ACCEPTED]);
}

static uint64_t
lost_in_box(const struct sc_report_in *in)
{
	uint64_t n = in->sum->c[SC_C_HANDOVER_FULL];

	for (unsigned int i = 0; i < in->nb_ports; i++) {
		const struct sc_report_port *p = &in->port[i];

		if (strcmp(p->role, "mirror") == 0)
			n += (p->has_imissed ? p->imissed : 0) + p->rx_nombuf;
	}
	return n;
}

void
sc_report_health(const struct sc_report_in *in, struct sc_report_health *h)
{
	const uint64_t *c = in->sum->c;
	/* A SYN-ACK that overtook its SYN is no connection without a client. */
	uint64_t server_only = c[SC_C_FLOWS_PRODUCTION_ONLY]
			- SC_MIN(c[SC_C_FLOWS_PRODUCTION_ONLY], c[SC_C_FLOWS_NO_SYNACK]);
	struct view v = {
			.s = in->sum,
			.h = h,
			.box_lost = lost_in_box(in),
			.server_only = server_only,
			.one_sided = c[SC_C_FLOWS_CLIENT_ONLY] + server_only,
			.flows = sc_stats_map_sum(in->sum, SC_M_FLOW_ENDED) + server_only,
	};

	memset(h, 0, sizeof(*h));
	fill_shares(&v, h);
	for (size_t i = 0; i < SC_ARRAY_SIZE(findings); i++) {
		struct sc_health_finding *f = &h->finding[h->nb_findings];

		if (!findings[i].fn(&v, f->text, sizeof(f->text)))
			continue;
		f->name = findings[i].name;
		f->grade = findings[i].grade;
		h->verdict = SC_MAX(h->verdict, f->grade);
		h->nb_findings++;
	}
}

const char *
sc_report_health_word(enum sc_health_grade grade)
{
	static const char *const words[] = {"good", "usable", "unfit"};

	return words[grade];
}
