/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include <sc_report.h>

#include "report_int.h"

enum show {
	ALWAYS,
	IF_ANY,    /* left out when 0 */
	IF_VERBOSE /* and not 0 */
};

/* One line of the ledger: a counter, or a map with a line for each reason. */
struct line {
	unsigned int depth;
	const char *label;
	bool is_map;
	unsigned int id;
	enum show show;
};

#define C(depth, label, sym, show)                    \
	{                                             \
		depth, label, false, SC_C_##sym, show \
	}
#define M(depth, label, sym, show)                   \
	{                                            \
		depth, label, true, SC_M_##sym, show \
	}

/* clang-format off */
static const struct line lines[] = {
	C(0, "flows", FLOWS_SEEN, ALWAYS),
	C(1, "first seen in mid-stream", FLOWS_MIDSTREAM, IF_ANY),
	C(1, "without the production half", FLOWS_CLIENT_ONLY, IF_ANY),
	M(1, "refused", FLOW_REFUSED, IF_ANY),
	C(1, "embryonic", FLOWS_EMBRYONIC_NOW, IF_ANY),
	C(1, "admitted", FLOWS_ADMITTED, ALWAYS),
	M(2, "ended", FLOW_ENDED, ALWAYS),
	C(2, "live", FLOWS_LIVE_NOW, IF_ANY),
	C(0, "sessions", SESSIONS_WANTED, ALWAYS),
	M(1, "refused", SESSION_REFUSED, IF_ANY),
	C(1, "started", SESSIONS_STARTED, ALWAYS),
	M(2, "ended", SESSION_ENDED, ALWAYS),
	C(2, "live", SESSIONS_LIVE_NOW, IF_ANY),
	C(0, "connections", CONNS_OPENED, ALWAYS),
	C(1, "reopened", CONNS_REOPENED, IF_ANY),
	C(1, "established", CONNS_ESTABLISHED, ALWAYS),
	M(1, "closed", CONN_CLOSED, ALWAYS),
	C(1, "open", CONNS_OPEN_NOW, IF_ANY),
	C(0, "client bytes", BYTES_SEEN, ALWAYS),
	M(1, "refused", BYTES_REFUSED, IF_ANY),
	M(1, "duplicate", BYTES_DUPLICATE, IF_ANY),
	C(1, "missing from the capture", BYTES_MISSING, IF_ANY),
	C(1, "accepted", BYTES_ACCEPTED, ALWAYS),
	C(1, "accepted x copies", BYTES_ACCEPTED_COPIES, ALWAYS),
	C(2, "delivered", BYTES_DELIVERED, ALWAYS),
	C(2, "in flight", BYTES_IN_FLIGHT_NOW, IF_ANY),
	C(2, "waiting", BYTES_WAITING_NOW, IF_ANY),
	C(2, "unconfirmed", BYTES_UNCONFIRMED, IF_ANY),
	M(2, "skipped", BYTES_SKIPPED, IF_ANY),
	M(2, "abandoned", BYTES_ABANDONED, IF_ANY),
	C(0, "turns", TURNS_SEEN, ALWAYS),
	C(1, "answered", TURNS_ANSWERED, ALWAYS),
	C(1, "gate: module", GATE_MODULE, IF_ANY),
	C(1, "gate: exact", GATE_EXACT, ALWAYS),
	C(1, "gate: longer answer", GATE_LONGER, IF_ANY),
	C(1, "gate: shorter answer", GATE_SHORTER, IF_ANY),
	C(1, "gate: duplex", GATE_DUPLEX, IF_ANY),
	C(1, "gate: timeout", GATE_TIMEOUT, IF_ANY),
	C(1, "gate: production's time", GATE_TIME, IF_ANY),
	C(0, "answer bytes", ANSWER_BYTES, ALWAYS),
	C(1, "new", ANSWER_NEW, IF_ANY),
	C(1, "duplicate", ANSWER_DUPLICATE, IF_ANY),
	C(1, "out of window", ANSWER_OUT_OF_WINDOW, IF_ANY),
	C(1, "never seen, acknowledged", ANSWER_HOLE, IF_ANY),
	C(0, "mirror frames", MIRROR_POLLED, ALWAYS),
	M(1, "refused", FRAME_REFUSED, IF_ANY),
	C(1, "client", FRAMES_CLIENT, ALWAYS),
	C(1, "production", FRAMES_PRODUCTION, ALWAYS),
	C(1, "duplicate", FRAMES_DUPLICATE, IF_ANY),
	C(1, "out of order", SEGMENTS_REORDERED, IF_ANY),
	C(1, "fragments put together", FRAGMENTS_MERGED, IF_ANY),
	C(1, "fragments that wait", FRAGMENTS_NOW, IF_ANY),
	C(1, "partial checksum", CSUM_PARTIAL, IF_VERBOSE),
	C(1, "misrouted", MISROUTED, IF_ANY),
	C(1, "handed over", HANDED_OUT, IF_VERBOSE),
	C(1, "lost at a full hand-over", HANDOVER_FULL, IF_ANY),
	C(0, "frames to targets", TX_BUILT, ALWAYS),
	M(1, "refused by the guard", GUARD_REFUSED, IF_ANY),
	C(1, "sent", TX_TAKEN, ALWAYS),
	C(2, "SYN", TX_SYN, IF_VERBOSE),
	C(2, "FIN", TX_FIN, IF_VERBOSE),
	C(2, "RST", TX_RST, IF_VERBOSE),
	C(2, "pure ACK", TX_ACK, IF_VERBOSE),
	C(1, "waiting", TX_WAITING_NOW, IF_ANY),
	C(1, "abandoned", TX_ABANDONED, IF_ANY),
	C(1, "segments sent again", TX_RETRANSMIT, IF_ANY),
	C(2, "timeouts", RTO_EXPIRED, IF_VERBOSE),
	C(2, "fast retransmissions", FAST_RETRANSMIT, IF_VERBOSE),
	C(1, "zero window probes", PERSIST_PROBES, IF_VERBOSE),
	C(0, "frames of targets", RESP_POLLED, ALWAYS),
	C(1, "ARP, ND and echo", RESP_NEIGHBOUR, IF_VERBOSE),
	M(1, "refused", RESP_REFUSED, IF_ANY),
	C(1, "matched with a session", REC_MATCHED, ALWAYS),
	M(1, "stray", RESP_STRAY, IF_ANY),
	C(0, "illegal events", ILLEGAL_EVENT, IF_ANY),
};
/* clang-format on */

#undef C
#undef M

#define LABEL_WIDTH 30
#define NUMBER_WIDTH 18

static void
print_line(FILE *out, unsigned int depth, const char *label, uint64_t value, const char *note)
{
	char number[SC_REPORT_NUMBER_LEN];
	int indent = (int)depth * 2;

	sc_report_number(value, number);
	if (note != NULL)
		fprintf(out, "%*s%-*s%*s  %s\n", indent, "", LABEL_WIDTH - indent, label,
				NUMBER_WIDTH, number, note);
	else
		fprintf(out, "%*s%-*s%*s\n", indent, "", LABEL_WIDTH - indent, label, NUMBER_WIDTH,
				number);
}

/* Reasons that need no explaining in the short form. */
static bool
is_plain(enum sc_reason r)
{
	return r == SC_R_COMPLETE || r == SC_R_COMPLETE_OPEN || r == SC_R_CLOSED_FIN;
}

static void
print_map(const struct sc_report_in *in, FILE *out, const struct line *l, bool verbose)
{
	for (unsigned int r = 0; r < SC_R_COUNT; r++) {
		enum sc_reason reason = (enum sc_reason)r;
		bool has_note = verbose || !is_plain(reason);

		if (in->sum->m[l->id][r] != 0)
			print_line(out, l->depth + 1, sc_reason_name(reason), in->sum->m[l->id][r],
					has_note ? sc_reason_text(reason) : NULL);
	}
}

static void
print_lines(const struct sc_report_in *in, FILE *out, bool verbose)
{
	for (size_t i = 0; i < SC_ARRAY_SIZE(lines); i++) {
		const struct line *l = &lines[i];
		uint64_t value = l->is_map ? sc_stats_map_sum(in->sum, (enum sc_map)l->id)
					   : in->sum->c[l->id];

		if (l->show != ALWAYS && value == 0)
			continue;
		if (l->show == IF_VERBOSE && !verbose)
			continue;
		print_line(out, l->depth, l->label, value, NULL);
		if (l->is_map)
			print_map(in, out, l, verbose);
	}
}

static void
print_latency(FILE *out, const char *who, const struct sc_hist *h)
{
	static const double q[] = {0.50, 0.90, 0.99};
	char number[SC_REPORT_NUMBER_LEN];

	if (h == NULL || h->count == 0)
		return;
	fprintf(out, "  %-*s", LABEL_WIDTH - 2 - 14, who);
	for (size_t i = 0; i < SC_ARRAY_SIZE(q); i++)
		fprintf(out, "%*s", 14,
				sc_report_number(
						SC_MIN(sc_hist_quantile(h, q[i]), h->max), number));
	fprintf(out, "%*s\n", 14, sc_report_number(h->max, number));
}

static void
print_latencies(const struct sc_report_in *in, FILE *out)
{
	bool has_production = in->production_us != NULL && in->production_us->count > 0;
	bool has_target = in->target_us != NULL && in->target_us->count > 0;

	if (!has_production && !has_target)
		return;
	fprintf(out, "%-*s%14s%14s%14s%14s\n", LABEL_WIDTH - 14, "latency, us",
			"p50 <=", "p90 <=", "p99 <=", "max");
	print_latency(out, "production", in->production_us);
	print_latency(out, "target", in->target_us);
}

static void
print_ports(const struct sc_report_in *in, FILE *out)
{
	char rx[SC_REPORT_NUMBER_LEN], tx[SC_REPORT_NUMBER_LEN], missed[SC_REPORT_NUMBER_LEN];

	for (unsigned int i = 0; i < in->nb_ports; i++) {
		const struct sc_report_port *p = &in->port[i];

		fprintf(out, "port %s (%s): received %s, sent %s, missed %s", p->name, p->role,
				sc_report_number(p->rx, rx), sc_report_number(p->tx, tx),
				p->has_imissed ? sc_report_number(p->imissed, missed) : "unknown");
		if (p->ierrors != 0)
			fprintf(out, ", errors %s", sc_report_number(p->ierrors, rx));
		if (p->rx_nombuf != 0)
			fprintf(out, ", without a buffer %s", sc_report_number(p->rx_nombuf, rx));
		fputc('\n', out);
	}
}

static void
print_health(const struct sc_report_in *in, FILE *out)
{
	struct sc_report_health h;

	sc_report_health(in, &h);
	fprintf(out,
			"mirror %s: twice %.1f %%, out of order %.1f %%, cut %.1f %%, bad checksum "
			"%.1f %%, one-sided %.1f %%, mid-stream %.1f %%, missing %.2f %%\n",
			sc_report_health_word(h.verdict), h.duplicate_pct, h.reordered_pct,
			h.truncated_pct, h.bad_checksum_pct, h.one_sided_pct, h.midstream_pct,
			h.missing_pct);
	for (unsigned int i = 0; i < h.nb_findings; i++)
		fprintf(out, "  %s\n", h.finding[i].text);
}

static bool
is_fault(const struct sc_ledger_result *res, const char *equation)
{
	for (unsigned int i = 0; i < res->nb_faults; i++)
		if (strcmp(res->fault[i].equation, equation) == 0)
			return true;
	return false;
}

static void
print_verdict(const struct sc_report_in *in, FILE *out, bool verbose)
{
	char left[SC_REPORT_NUMBER_LEN], right[SC_REPORT_NUMBER_LEN];
	unsigned int nb = 0;

	while (sc_ledger_equation(nb, NULL) != NULL)
		nb++;
	if (in->ledger->nb_faults == 0)
		fprintf(out, "ledger balanced: all %u equations hold\n", nb);
	else
		fprintf(out,
				"ledger NOT balanced: a frame, flow or byte was counted wrongly; "
				"please "
				"report this with the figures above\n");
	for (unsigned int i = 0; i < in->ledger->nb_faults; i++) {
		const struct sc_ledger_fault *f = &in->ledger->fault[i];

		fprintf(out, "  %s\n    left %s, right %s\n", f->equation,
				sc_report_number(f->left, left), sc_report_number(f->right, right));
	}
	for (unsigned int i = 0; verbose && i < nb; i++)
		if (!is_fault(in->ledger, sc_ledger_equation(i, NULL)))
			fprintf(out, "  holds: %s\n", sc_ledger_equation(i, NULL));
}

/* Fidelity is about what was to be delivered: say at once what never was. */
static void
print_fidelity(const struct sc_report_in *in, FILE *out)
{
	uint64_t flows = sc_stats_map_sum(in->sum, SC_M_FLOW_REFUSED);
	uint64_t bytes = sc_stats_map_sum(in->sum, SC_M_BYTES_REFUSED);
	char a[SC_REPORT_NUMBER_LEN], b[SC_REPORT_NUMBER_LEN];

	fprintf(out, "spancopy %s: %.1f s, fidelity %.2f %%\n",
			in->command != NULL ? in->command : "report", in->duration_s,
			report_percent(sc_ledger_fidelity(in->sum)));
	if (flows + bytes > 0)
		fprintf(out, "left out of it: %s flows refused, %s client bytes refused\n",
				sc_report_number(flows, a), sc_report_number(bytes, b));
	fputc('\n', out);
}

int
sc_report_text(const struct sc_report_in *in, FILE *out, bool verbose)
{
	print_fidelity(in, out);
	print_lines(in, out, verbose);
	print_latencies(in, out);
	fputc('\n', out);
	print_ports(in, out);
	print_health(in, out);
	for (unsigned int i = 0; verbose && i < in->nb_peer; i++)
		print_line(out, 0, in->peer[i].name, in->peer[i].value, NULL);
	if (in->damage != NULL && in->damage[0] != '\0')
		fprintf(out, "capture damaged: %s\n", in->damage);
	for (unsigned int i = 0; i < in->nb_warnings; i++)
		fprintf(out, "warning: %s\n", in->warning[i]);
	print_verdict(in, out, verbose);
	return fflush(out) != 0 || ferror(out) ? -EIO : 0;
}
