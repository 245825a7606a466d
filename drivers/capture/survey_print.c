/* SPDX-License-Identifier: BSD-3-Clause */
/* What a survey means: the findings, the verdict, and the account of it for the operator. */
#include <inttypes.h>
#include <pcap/pcap.h>
#include <time.h>

#include "reader.h"

#define SERVERS_SHOWN 20u

enum grade {
	GRADE_UNFIT,
	GRADE_WARNING,
	GRADE_NOTE
};

/* Says in one sentence what is wrong and what to do; false: nothing is. */
typedef bool (*finding_fn)(const struct sc_survey *s, char *text, size_t room);

static double
percent(uint64_t part, uint64_t whole)
{
	return whole == 0 ? 0 : 100.0 * (double)part / (double)whole;
}

/* Frames that hold TCP or would, had they not been cut. */
static uint64_t
nb_tcp_or_cut(const struct sc_survey *s)
{
	return s->tcp + s->refused[SC_R_TRUNCATED_FRAME];
}

static bool
has_tcp(const struct sc_survey *s)
{
	return nb_tcp_or_cut(s) > 0;
}

/* Enough is readable that missing connections or directions mean something. */
static bool
has_conns(const struct sc_survey *s)
{
	return s->mapped.nb > 0;
}

/* ---- unfit ---- */

static bool
no_packets(const struct sc_survey *s, char *text, size_t room)
{
	snprintf(text, room,
			"there is not one packet in %u file%s: were the right interface and filter "
			"given "
			"to the capture?",
			s->nb_files, s->nb_files == 1 ? "" : "s");
	return s->frames == 0;
}

static bool
link_unknown(const struct sc_survey *s, char *text, size_t room)
{
	const char *name = pcap_datalink_val_to_name((int)s->unknown_linktype);
	uint64_t nb = s->refused[SC_R_UNKNOWN_LINK];

	snprintf(text, room,
			"%.1f %% of the frames have a link type that is not supported (%" PRIu32
			", %s): capture on an Ethernet interface, or with -i any",
			percent(nb, s->frames), s->unknown_linktype,
			name == NULL ? "without a name" : name);
	return 2 * nb > s->frames;
}

static bool
no_tcp(const struct sc_survey *s, char *text, size_t room)
{
	snprintf(text, room,
			"there is no TCP in the capture: the list above says what is; a mirror "
			"that "
			"wraps its frames (GRE, VXLAN, ERSPAN) must be unwrapped first");
	return s->frames > 0 && s->refused[SC_R_UNKNOWN_LINK] < s->frames && !has_tcp(s);
}

static bool
frames_cut(const struct sc_survey *s, char *text, size_t room)
{
	uint64_t nb = s->refused[SC_R_TRUNCATED_FRAME];

	snprintf(text, room,
			"frames are cut at %" PRIu32
			" bytes, %.1f %% of the TCP ones: capture with -s 0",
			s->snap_len, percent(nb, nb_tcp_or_cut(s)));
	return nb > 0 && percent(nb, nb_tcp_or_cut(s)) >= 5;
}

static bool
sums_bad(const struct sc_survey *s, char *text, size_t room)
{
	uint64_t nb = s->refused[SC_R_BAD_L4_CHECKSUM];

	snprintf(text, room,
			"%.1f %% of the TCP frames have a wrong checksum and would be left out: "
			"something "
			"on the way changes frames; capture nearer to production, or without it",
			percent(nb, s->tcp));
	return percent(nb, s->tcp) >= 50;
}

static bool
no_server_mapped(const struct sc_survey *s, char *text, size_t room)
{
	char where[SC_ENDPOINT_STRLEN];
	size_t len;

	len = (size_t)snprintf(
			text, room, "no rule of --map names a server of the capture; it has");
	for (unsigned int i = 0; i < s->nb_servers && i < 3; i++)
		len += (size_t)snprintf(text + len, room - len, "%s %s (%" PRIu64 " connections)",
				i == 0 ? "" : ",",
				sc_endpoint_format(&s->server[i].addr, s->server[i].port, where),
				s->server[i].conns.nb);
	if (s->nb_servers > 3)
		snprintf(text + len, room - len, " and %u more", s->nb_servers - 3);
	return s->has_rules && s->all.nb > 0 && s->mapped.nb == 0;
}

static bool
servers_only(const struct sc_survey *s, char *text, size_t room)
{
	snprintf(text, room,
			"only the servers' direction is in the capture, and what clients send is "
			"what a "
			"replay needs: mirror both directions");
	return s->mapped.server_only > 0 && s->mapped.both + s->mapped.client_only == 0;
}

static bool
no_client_data(const struct sc_survey *s, char *text, size_t room)
{
	snprintf(text, room,
			"no client sends a byte in %" PRIu64
			" connections: nothing would be replayed",
			s->mapped.nb);
	return has_conns(s) && s->mapped.client_bytes == 0
			&& s->mapped.both + s->mapped.client_only + s->mapped.silent > 0;
}

/* ---- warnings ---- */

static bool
damaged(const struct sc_survey *s, char *text, size_t room)
{
	snprintf(text, room, "%u of %u files cannot be read to the end; the first: %s",
			s->nb_files_damaged, s->nb_files, s->damage);
	return s->nb_files_damaged > 0;
}

static bool
some_cut(const struct sc_survey *s, char *text, size_t room)
{
	uint64_t nb = s->refused[SC_R_TRUNCATED_FRAME];

	snprintf(text, room,
			"%" PRIu64 " TCP frames are cut (at %" PRIu32
			" bytes), their connections end at the hole: capture with -s 0",
			nb, s->snap_len);
	return nb > 0 && percent(nb, nb_tcp_or_cut(s)) < 5;
}

static bool
some_sums_bad(const struct sc_survey *s, char *text, size_t room)
{
	double pct = percent(s->refused[SC_R_BAD_L4_CHECKSUM], s->tcp);

	snprintf(text, room,
			"%.1f %% of the TCP frames have a wrong checksum: production dropped them, "
			"too, "
			"and they are left out",
			pct);
	return pct >= 1 && pct < 50;
}

static bool
clients_only(const struct sc_survey *s, char *text, size_t room)
{
	snprintf(text, room,
			"only one direction is in the capture, that of the clients: it can be "
			"replayed, "
			"but answers cannot be compared and holes heal late; mirror both "
			"directions");
	return s->mapped.client_only > 0 && s->mapped.both == 0;
}

static bool
some_one_way(const struct sc_survey *s, char *text, size_t room)
{
	uint64_t one = s->mapped.client_only + s->mapped.server_only;

	snprintf(text, room,
			"%" PRIu64 " connections show only the client and %" PRIu64
			" only the server: does the other direction take another way, past the "
			"mirror?",
			s->mapped.client_only, s->mapped.server_only);
	return s->mapped.both > 0 && percent(one, one + s->mapped.both) >= 5;
}

static bool
no_syn(const struct sc_survey *s, char *text, size_t room)
{
	snprintf(text, room,
			"no connection begins in the capture: each joins in at a later request, or "
			"is "
			"left out with --only-full; capture for longer, or from before the clients "
			"connect");
	return has_conns(s) && s->mapped.with_syn == 0;
}

static bool
bytes_lost(const struct sc_survey *s, char *text, size_t room)
{
	const struct sc_survey_conns *c = &s->mapped;

	snprintf(text, room,
			"the capture lost at least %" PRIu64
			" bytes of clients (%.2f %%) and %" PRIu64
			" of servers: a bigger buffer (-B) or a faster disk loses less",
			c->client_lost, percent(c->client_lost, c->client_lost + c->client_bytes),
			c->server_lost);
	/* Frames that were cut leave the same holes, and have their own finding. */
	return s->refused[SC_R_TRUNCATED_FRAME] == 0 && c->client_lost + c->server_lost > 0;
}

static bool
twice(const struct sc_survey *s, char *text, size_t room)
{
	double pct = percent(s->duplicates, s->tcp);

	snprintf(text, room,
			"%.1f %% of the TCP frames are there twice: the copies are left out, but "
			"mirror "
			"one point of the way only",
			pct);
	return pct >= 5;
}

/* ---- notes ---- */

static bool
fragments(const struct sc_survey *s, char *text, size_t room)
{
	uint64_t nb = s->refused[SC_R_IP_FRAGMENT];

	snprintf(text, room,
			"%" PRIu64 " frames are IP fragments of TCP: a replay puts them together, "
			"this survey does not and counts their bytes as lost",
			nb);
	return nb > 0;
}

static bool
sums_partial(const struct sc_survey *s, char *text, size_t room)
{
	double pct = percent(s->csum_partial, s->tcp);

	snprintf(text, room,
			"%.1f %% of the TCP checksums are partial, as a kernel leaves them to its "
			"NIC: "
			"they are made whole",
			pct);
	return pct >= 1;
}

static bool
some_links_unknown(const struct sc_survey *s, char *text, size_t room)
{
	uint64_t nb = s->refused[SC_R_UNKNOWN_LINK];

	snprintf(text, room,
			"%" PRIu64 " frames have an unsupported link type (%" PRIu32
			") and are left out",
			nb, s->unknown_linktype);
	return nb > 0 && 2 * nb <= s->frames;
}

static bool
files_bare(const struct sc_survey *s, char *text, size_t room)
{
	snprintf(text, room, "%u of %u files hold no packets", s->nb_files_bare, s->nb_files);
	return s->nb_files_bare > 0 && s->frames > 0;
}

static bool
time_back(const struct sc_survey *s, char *text, size_t room)
{
	snprintf(text, room,
			"time goes back by more than 1 s at %" PRIu64
			" places: the replay goes on there without a pause",
			s->steps_back);
	return s->steps_back > 0;
}

static bool
too_many(const struct sc_survey *s, char *text, size_t room)
{
	snprintf(text, room,
			"there are more than %u connections: the first %u are counted here, "
			"%" PRIu64 " frames of others are not",
			SC_SURVEY_CONNS_MAX, SC_SURVEY_CONNS_MAX, s->frames_over);
	return s->frames_over > 0;
}

static const struct {
	enum grade grade;
	finding_fn fn;
} findings[] = {
		{GRADE_UNFIT, no_packets},
		{GRADE_UNFIT, link_unknown},
		{GRADE_UNFIT, no_tcp},
		{GRADE_UNFIT, frames_cut},
		{GRADE_UNFIT, sums_bad},
		{GRADE_UNFIT, no_server_mapped},
		{GRADE_UNFIT, servers_only},
		{GRADE_UNFIT, no_client_data},
		{GRADE_WARNING, damaged},
		{GRADE_WARNING, some_cut},
		{GRADE_WARNING, some_sums_bad},
		{GRADE_WARNING, clients_only},
		{GRADE_WARNING, some_one_way},
		{GRADE_WARNING, no_syn},
		{GRADE_WARNING, bytes_lost},
		{GRADE_WARNING, twice},
		{GRADE_NOTE, fragments},
		{GRADE_NOTE, sums_partial},
		{GRADE_NOTE, some_links_unknown},
		{GRADE_NOTE, files_bare},
		{GRADE_NOTE, time_back},
		{GRADE_NOTE, too_many},
};

bool
sc_survey_is_fit(const struct sc_survey *s)
{
	char text[1024];

	for (size_t i = 0; i < SC_ARRAY_SIZE(findings); i++)
		if (findings[i].grade == GRADE_UNFIT && findings[i].fn(s, text, sizeof(text)))
			return false;
	return true;
}

/* ---- the account ---- */

static void
print_bytes(FILE *out, uint64_t n)
{
	static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB", "PB"};
	double v = (double)n;
	size_t u = 0;

	for (; v >= 9999.5 && u + 1 < SC_ARRAY_SIZE(units); u++)
		v /= 1000;
	fprintf(out, "%.*f %s", u > 0 && v < 100, v, units[u]);
}

static void
print_head(const struct sc_survey *s, FILE *out)
{
	time_t at = (time_t)(s->first_ns / READER_NS_PER_S);
	char text[32] = "";
	struct tm tm;

	fprintf(out, "capture: %u file%s, %" PRIu64 " frames, ", s->nb_files,
			s->nb_files == 1 ? "" : "s", s->frames);
	print_bytes(out, s->bytes);
	if (s->frames > 0 && gmtime_r(&at, &tm) != NULL)
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm);
	if (text[0] != '\0')
		fprintf(out, ", from %s for %.3f s", text,
				(double)(s->last_ns - s->first_ns) / READER_NS_PER_S);
	fputc('\n', out);
}

static void
print_row(FILE *out, uint64_t nb, uint64_t whole, const char *name, const char *text)
{
	if (nb > 0)
		fprintf(out, "  %12" PRIu64 " %5.1f %%  %s%s%s\n", nb, percent(nb, whole), name,
				text[0] == '\0' ? "" : ": ", text);
}

static void
print_frames(const struct sc_survey *s, FILE *out)
{
	fprintf(out, "\nframes, in percent of all:\n");
	print_row(out, s->tcp - s->refused[SC_R_BAD_L4_CHECKSUM], s->frames, "usable TCP", "");
	for (int r = SC_R_NONE + 1; r < SC_R_COUNT; r++)
		print_row(out, s->refused[r], s->frames, sc_reason_name(r), sc_reason_text(r));
	print_row(out, s->duplicates, s->frames, "duplicates", "of usable TCP, mirrored twice");
	print_row(out, s->csum_partial, s->frames, "partial checksum", "of usable TCP");
	print_row(out, s->snapped, s->frames, "snapped", "fewer bytes than the frame had");
}

static void
print_conns(const struct sc_survey_conns *c, const char *title, FILE *out)
{
	fprintf(out, "\n%s: %" PRIu64 "%s\n", title, c->nb, c->nb > 0 ? ", of these" : "");
	print_row(out, c->with_syn, c->nb, "begin in the capture", "");
	print_row(out, c->mid_stream, c->nb, "began before it", "");
	print_row(out, c->both, c->nb, "show both directions", "");
	print_row(out, c->client_only, c->nb, "show only the client", "");
	print_row(out, c->server_only, c->nb, "show only the server", "");
	print_row(out, c->silent, c->nb, "carry no data", "");
	if (c->nb == 0)
		return;
	fprintf(out, "  bytes of clients: ");
	print_bytes(out, c->client_bytes);
	fprintf(out, ", of servers: ");
	print_bytes(out, c->server_bytes);
	fputc('\n', out);
}

static void
print_server(const struct sc_survey *s, const struct sc_survey_server *v, FILE *out)
{
	char where[SC_ENDPOINT_STRLEN];

	fprintf(out, "  %-24s %8" PRIu64 " connections, ",
			sc_endpoint_format(&v->addr, v->port, where), v->conns.nb);
	print_bytes(out, v->conns.client_bytes);
	fprintf(out, " of clients, ");
	print_bytes(out, v->conns.server_bytes);
	fprintf(out, " of the server");
	if (v->is_mapped)
		fprintf(out, ", goes to %s", sc_endpoint_format(&v->target, v->target_port, where));
	else if (s->has_rules)
		fprintf(out, ", no rule names it");
	fputc('\n', out);
}

static void
print_servers(const struct sc_survey *s, FILE *out)
{
	unsigned int shown = SC_MIN(s->nb_servers, SERVERS_SHOWN);

	if (shown == 0)
		return;
	fprintf(out, "\nservers:\n");
	for (unsigned int i = 0; i < shown; i++)
		print_server(s, &s->server[i], out);
	if (shown < s->nb_servers)
		fprintf(out, "  and %u more\n", s->nb_servers - shown);
	if (s->conns_unlisted > 0)
		fprintf(out,
				"  and %" PRIu64
				" connections of servers that had no room in this list\n",
				s->conns_unlisted);
}

void
sc_survey_print(const struct sc_survey *s, FILE *out)
{
	static const char *const words[] = {"unfit", "warning", "note"};
	char text[1024];

	print_head(s, out);
	print_frames(s, out);
	print_conns(&s->all, "connections", out);
	if (s->has_rules)
		print_conns(&s->mapped, "connections that a rule names", out);
	print_servers(s, out);
	fprintf(out, "\nverdict: %s\n",
			sc_survey_is_fit(s) ? "the capture can be replayed"
					    : "the capture is not fit for a replay");
	for (size_t i = 0; i < SC_ARRAY_SIZE(findings); i++)
		if (findings[i].fn(s, text, sizeof(text)))
			fprintf(out, "  %s: %s\n", words[findings[i].grade], text);
}
