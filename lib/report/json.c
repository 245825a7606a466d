/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sc_report.h>

/* The report is a table: where a figure stands, and which counter or map it is. */
struct row {
	const char *group; /* objects within objects, apart by dots */
	const char *key;
	bool is_map;
	unsigned int id;
};

#define C(group, key, sym)                    \
	{                                     \
		group, key, false, SC_C_##sym \
	}
#define M(group, key, sym)                   \
	{                                    \
		group, key, true, SC_M_##sym \
	}

/* clang-format off */
static const struct row rows[] = {
	C("flows", "seen", FLOWS_SEEN),
	C("flows", "midstream", FLOWS_MIDSTREAM),
	C("flows", "client_only", FLOWS_CLIENT_ONLY),
	C("flows", "production_only", FLOWS_PRODUCTION_ONLY),
	C("flows", "no_synack", FLOWS_NO_SYNACK),
	C("flows", "embryonic", FLOWS_EMBRYONIC_NOW),
	C("flows", "admitted", FLOWS_ADMITTED),
	M("flows", "refused", FLOW_REFUSED),
	M("flows", "ended", FLOW_ENDED),
	C("flows", "live", FLOWS_LIVE_NOW),

	C("sessions", "wanted", SESSIONS_WANTED),
	C("sessions", "started", SESSIONS_STARTED),
	M("sessions", "refused", SESSION_REFUSED),
	M("sessions", "ended", SESSION_ENDED),
	C("sessions", "live", SESSIONS_LIVE_NOW),

	C("connections", "opened", CONNS_OPENED),
	C("connections", "reopened", CONNS_REOPENED),
	C("connections", "established", CONNS_ESTABLISHED),
	M("connections", "closed", CONN_CLOSED),
	C("connections", "open", CONNS_OPEN_NOW),

	C("client_bytes", "seen", BYTES_SEEN),
	C("client_bytes", "accepted", BYTES_ACCEPTED),
	C("client_bytes", "accepted_copies", BYTES_ACCEPTED_COPIES),
	M("client_bytes", "duplicate", BYTES_DUPLICATE),
	M("client_bytes", "refused", BYTES_REFUSED),
	C("client_bytes", "missing", BYTES_MISSING),
	C("client_bytes", "delivered", BYTES_DELIVERED),
	C("client_bytes", "in_flight", BYTES_IN_FLIGHT_NOW),
	C("client_bytes", "waiting", BYTES_WAITING_NOW),
	C("client_bytes", "unconfirmed", BYTES_UNCONFIRMED),
	M("client_bytes", "skipped", BYTES_SKIPPED),
	M("client_bytes", "abandoned", BYTES_ABANDONED),
	C("client_bytes", "out_of_order", BYTES_OOO_NOW),
	C("client_bytes", "held", HELD_BYTES_NOW),

	C("turns", "seen", TURNS_SEEN),
	C("turns", "answered", TURNS_ANSWERED),
	C("turns.gate", "module", GATE_MODULE),
	C("turns.gate", "exact", GATE_EXACT),
	C("turns.gate", "longer", GATE_LONGER),
	C("turns.gate", "shorter", GATE_SHORTER),
	C("turns.gate", "duplex", GATE_DUPLEX),
	C("turns.gate", "timeout", GATE_TIMEOUT),
	C("turns.gate", "time", GATE_TIME),

	C("answer_bytes", "seen", ANSWER_BYTES),
	C("answer_bytes", "new", ANSWER_NEW),
	C("answer_bytes", "duplicate", ANSWER_DUPLICATE),
	C("answer_bytes", "out_of_window", ANSWER_OUT_OF_WINDOW),
	C("answer_bytes", "hole", ANSWER_HOLE),

	C("frames.mirror", "rx", MIRROR_POLLED),
	C("frames.mirror", "bytes", MIRROR_BYTES),
	M("frames.mirror", "refused", FRAME_REFUSED),
	C("frames.mirror", "client", FRAMES_CLIENT),
	C("frames.mirror", "production", FRAMES_PRODUCTION),
	C("frames.mirror", "duplicate", FRAMES_DUPLICATE),
	C("frames.mirror", "reordered", SEGMENTS_REORDERED),
	C("frames.mirror", "fragments_merged", FRAGMENTS_MERGED),
	C("frames.mirror", "fragments", FRAGMENTS_NOW),
	C("frames.mirror", "csum_partial", CSUM_PARTIAL),
	C("frames.mirror", "misrouted", MISROUTED),
	C("frames.mirror", "handed_in", HANDED_IN),
	C("frames.mirror", "handed_out", HANDED_OUT),
	C("frames.mirror", "handover_full", HANDOVER_FULL),

	C("frames.test", "built", TX_BUILT),
	M("frames.test", "guard_refused", GUARD_REFUSED),
	C("frames.test", "tx", TX_TAKEN),
	C("frames.test", "tx_bytes", TX_BYTES),
	C("frames.test", "tx_waiting", TX_WAITING_NOW),
	C("frames.test", "tx_abandoned", TX_ABANDONED),
	C("frames.test", "syn", TX_SYN),
	C("frames.test", "fin", TX_FIN),
	C("frames.test", "rst", TX_RST),
	C("frames.test", "ack", TX_ACK),
	C("frames.test", "payload", TX_PAYLOAD),
	C("frames.test", "payload_first", TX_PAYLOAD_FIRST),
	C("frames.test", "payload_again", TX_PAYLOAD_AGAIN),
	C("frames.test", "retransmit", TX_RETRANSMIT),
	C("frames.test", "rto_expired", RTO_EXPIRED),
	C("frames.test", "fast_retransmit", FAST_RETRANSMIT),
	C("frames.test", "persist_probes", PERSIST_PROBES),
	C("frames.test", "rx", RESP_POLLED),
	C("frames.test", "rx_bytes", RESP_BYTES),
	C("frames.test", "neighbour", RESP_NEIGHBOUR),
	C("frames.test", "neighbour_tx", NEIGH_TX),
	M("frames.test", "responses_refused", RESP_REFUSED),
	C("frames.test", "records", RESP_RECORDS),
	C("frames.test", "records_taken", REC_TAKEN),
	C("frames.test", "matched", REC_MATCHED),
	M("frames.test", "stray", RESP_STRAY),

	C("engine", "illegal_event", ILLEGAL_EVENT),
	C("engine", "ack_resync", ACK_RESYNC),
	C("engine", "admission_lowered", ADMISSION_LOWERED),
	C("engine", "syn_refused", SYN_REFUSED),
	C("engine", "stale_rst", STALE_RST),
	C("engine", "loops", LOOPS),
	C("engine", "loops_busy", LOOPS_BUSY),
};
/* clang-format on */

#undef C
#undef M

#define GROUP_MAX 32

/* The object at `path` inside root, made where it is missing. NULL when out of memory. */
static json_t *
group_get(json_t *root, const char *path)
{
	json_t *obj = root;

	while (obj != NULL && *path != '\0') {
		int n = (int)strcspn(path, ".");
		char name[GROUP_MAX];
		json_t *sub;

		snprintf(name, sizeof(name), "%.*s", n, path);
		sub = json_object_get(obj, name);
		if (sub == NULL && json_object_set_new(obj, name, json_object()) == 0)
			sub = json_object_get(obj, name);
		obj = sub;
		path += n;
		path += *path == '.';
	}
	return obj;
}

/* A file's or port's name need not be UTF-8, JSON must be: what is not ASCII becomes '?' then. */
static json_t *
text_new(const char *text)
{
	json_t *value = json_string(text);
	char *copy;

	if (value != NULL || (copy = strdup(text)) == NULL)
		return value;
	for (char *p = copy; *p != '\0'; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	value = json_string(copy);
	free(copy);
	return value;
}

static json_t *
map_object(const struct sc_stats *s, enum sc_map m)
{
	json_t *obj = json_object();

	for (unsigned int r = 0; obj != NULL && r < SC_R_COUNT; r++) {
		json_t *value;

		if (s->m[m][r] == 0)
			continue;
		value = json_integer((json_int_t)s->m[m][r]);
		if (json_object_set_new(obj, sc_reason_name((enum sc_reason)r), value) < 0) {
			json_decref(obj);
			return NULL;
		}
	}
	return obj;
}

static int
put_rows(json_t *root, const struct sc_stats *s)
{
	for (size_t i = 0; i < SC_ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		json_t *value = row->is_map ? map_object(s, (enum sc_map)row->id)
					    : json_integer((json_int_t)s->c[row->id]);

		/* Takes over value, also when it fails. */
		if (json_object_set_new(group_get(root, row->group), row->key, value) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* A new reference to an array of the faults; NULL when out of memory. */
static json_t *
faults_array(const struct sc_ledger_result *res)
{
	json_t *array = json_array();

	for (unsigned int i = 0; array != NULL && i < res->nb_faults; i++) {
		const struct sc_ledger_fault *f = &res->fault[i];
		json_t *obj = json_pack("{s:s, s:I, s:I}", "equation", f->equation, "left",
				(json_int_t)f->left, "right", (json_int_t)f->right);

		if (json_array_append_new(array, obj) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *
ports_array(const struct sc_report_in *in)
{
	json_t *array = json_array();

	for (unsigned int i = 0; array != NULL && i < in->nb_ports; i++) {
		const struct sc_report_port *p = &in->port[i];
		json_t *missed =
				p->has_imissed ? json_integer((json_int_t)p->imissed) : json_null();
		json_t *obj = json_pack("{s:o, s:s, s:I, s:I, s:o, s:I, s:I}", "name",
				text_new(p->name), "role", p->role, "rx", (json_int_t)p->rx, "tx",
				(json_int_t)p->tx, "imissed", missed, "ierrors",
				(json_int_t)p->ierrors, "rx_nombuf", (json_int_t)p->rx_nombuf);

		if (json_array_append_new(array, obj) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *
latency_object(const struct sc_hist *h)
{
	if (h == NULL)
		return json_object();
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "count", (json_int_t)h->count, "p50",
			(json_int_t)SC_MIN(sc_hist_quantile(h, 0.50), h->max), "p90",
			(json_int_t)SC_MIN(sc_hist_quantile(h, 0.90), h->max), "p99",
			(json_int_t)SC_MIN(sc_hist_quantile(h, 0.99), h->max), "max",
			(json_int_t)h->max);
}

static json_t *
warnings_array(const struct sc_report_in *in)
{
	json_t *array = json_array();

	for (unsigned int i = 0; array != NULL && i < in->nb_warnings; i++)
		if (json_array_append_new(array, text_new(in->warning[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

static json_t *
findings_array(const struct sc_report_health *h)
{
	json_t *array = json_array();

	for (unsigned int i = 0; array != NULL && i < h->nb_findings; i++) {
		const struct sc_health_finding *f = &h->finding[i];
		json_t *obj = json_pack("{s:s, s:s, s:s}", "name", f->name, "grade",
				sc_report_health_word(f->grade), "text", f->text);

		if (json_array_append_new(array, obj) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

/* Two decimals: enough for a share, and the same when read back. */
static double
rounded(double percent)
{
	return (double)(uint64_t)(percent * 100 + 0.5) / 100;
}

static json_t *
health_object(const struct sc_report_in *in)
{
	struct sc_report_health h;

	sc_report_health(in, &h);
	return json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:o}", "verdict",
			sc_report_health_word(h.verdict), "duplicate_percent",
			rounded(h.duplicate_pct), "reordered_percent", rounded(h.reordered_pct),
			"truncated_percent", rounded(h.truncated_pct), "bad_checksum_percent",
			rounded(h.bad_checksum_pct), "partial_checksum_percent",
			rounded(h.partial_checksum_pct), "one_sided_percent",
			rounded(h.one_sided_pct), "midstream_percent", rounded(h.midstream_pct),
			"missing_percent", rounded(h.missing_pct), "findings", findings_array(&h));
}

static json_t *
peer_object(const struct sc_report_in *in)
{
	json_t *obj = json_object();

	for (unsigned int i = 0; obj != NULL && i < in->nb_peer; i++)
		if (json_object_set_new(obj, in->peer[i].name,
				    json_integer((json_int_t)in->peer[i].value))
				< 0) {
			json_decref(obj);
			return NULL;
		}
	return obj;
}

/* What stands at the top of each answer. Refused flows and bytes are no part of the fidelity. */
static int
put_head(json_t *root, const struct sc_report_in *in)
{
	int rc = json_object_set_new(
			root, "command", json_string(in->command != NULL ? in->command : ""));

	rc |= json_object_set_new(root, "duration_s", json_real(in->duration_s));
	rc |= json_object_set_new(root, "balanced", json_boolean(in->ledger->nb_faults == 0));
	rc |= json_object_set_new(root, "fidelity", json_real(sc_ledger_fidelity(in->sum)));
	rc |= json_object_set_new(root, "left_out",
			json_pack("{s:I, s:I}", "flows",
					(json_int_t)sc_stats_map_sum(in->sum, SC_M_FLOW_REFUSED),
					"bytes",
					(json_int_t)sc_stats_map_sum(in->sum, SC_M_BYTES_REFUSED)));
	return rc;
}

json_t *
sc_report_object(const struct sc_report_in *in)
{
	json_t *root = json_object(), *latency;
	int rc;

	if (root == NULL)
		return NULL;
	latency = json_pack("{s:o, s:o}", "production", latency_object(in->production_us), "target",
			latency_object(in->target_us));
	rc = put_head(root, in);
	rc |= put_rows(root, in->sum);
	rc |= json_object_set_new(root, "latency_us", latency);
	rc |= json_object_set_new(root, "mirror_health", health_object(in));
	rc |= json_object_set_new(root, "ports", ports_array(in));
	rc |= json_object_set_new(root, "faults", faults_array(in->ledger));
	rc |= json_object_set_new(root, "warnings", warnings_array(in));
	rc |= json_object_set_new(root, "capture_damage",
			in->damage != NULL && in->damage[0] != '\0' ? text_new(in->damage)
								    : json_null());
	if (in->nb_peer > 0)
		rc |= json_object_set_new(root, "peer", peer_object(in));
	if (rc == 0)
		return root;
	json_decref(root);
	return NULL;
}

json_t *
sc_report_ledger(const struct sc_report_in *in)
{
	json_t *root = json_object(), *array = json_array();
	const char *text;
	bool is_box;
	int rc = root == NULL || array == NULL ? -1 : 0;

	for (unsigned int i = 0; rc == 0 && (text = sc_ledger_equation(i, &is_box)) != NULL; i++)
		rc = json_array_append_new(array,
				json_pack("{s:s, s:s}", "equation", text, "scope",
						is_box ? "box" : "lcore"));
	rc |= json_object_set_new(root, "equations", array);
	rc |= json_object_set_new(root, "balanced", json_boolean(in->ledger->nb_faults == 0));
	rc |= json_object_set_new(root, "faults", faults_array(in->ledger));
	if (rc == 0)
		return root;
	json_decref(root);
	return NULL;
}

json_t *
sc_report_status(const struct sc_report_in *in)
{
	static const struct {
		const char *key;
		enum sc_counter c;
	} figure[] = {
			{"flows_seen", SC_C_FLOWS_SEEN},
			{"flows_admitted", SC_C_FLOWS_ADMITTED},
			{"flows_live", SC_C_FLOWS_LIVE_NOW},
			{"sessions_live", SC_C_SESSIONS_LIVE_NOW},
			{"connections_open", SC_C_CONNS_OPEN_NOW},
			{"bytes_accepted", SC_C_BYTES_ACCEPTED},
			{"bytes_missing", SC_C_BYTES_MISSING},
			{"bytes_delivered", SC_C_BYTES_DELIVERED},
			{"turns_seen", SC_C_TURNS_SEEN},
			{"turns_answered", SC_C_TURNS_ANSWERED},
			{"held_bytes", SC_C_HELD_BYTES_NOW},
	};
	json_t *root = json_object();
	int rc;

	if (root == NULL)
		return NULL;
	rc = put_head(root, in);
	for (size_t i = 0; i < SC_ARRAY_SIZE(figure); i++)
		rc |= json_object_set_new(root, figure[i].key,
				json_integer((json_int_t)in->sum->c[figure[i].c]));
	rc |= json_object_set_new(root, "flows_refused",
			json_integer((json_int_t)sc_stats_map_sum(in->sum, SC_M_FLOW_REFUSED)));
	rc |= json_object_set_new(root, "warnings", warnings_array(in));
	if (rc == 0)
		return root;
	json_decref(root);
	return NULL;
}

int
sc_report_json(const struct sc_report_in *in, FILE *out)
{
	json_t *root = sc_report_object(in);
	int rc = 0;

	if (root == NULL)
		return -ENOMEM;
	if (json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) < 0
			|| fputc('\n', out) == EOF || fflush(out) != 0)
		rc = -EIO;
	json_decref(root);
	return rc;
}
