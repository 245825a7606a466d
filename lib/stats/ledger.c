/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>
#include <stdio.h>

#include <sc_stats.h>

/*
 * An equation is data: its terms are summed to check it and printed to document it, so that what
 * is checked and what is said about it cannot differ.
 */

#define TERMS_MAX 8
#define TEXT_MAX 256

enum term_kind {
	T_END,
	T_COUNTER,
	T_MAP,
	T_RING /* elements on rings between lcores, told by the caller */
};

enum ring {
	RING_HANDOVER,
	RING_RECORDS,
	RING_COUNT
};

struct term {
	enum term_kind kind;
	unsigned int id;
};

struct equation {
	const char *subject;
	bool is_box;
	struct term left[TERMS_MAX], right[TERMS_MAX];
};

/* clang-format off */
#define C(sym) {T_COUNTER, SC_C_##sym}
#define M(sym) {T_MAP, SC_M_##sym}
#define R(sym) {T_RING, RING_##sym}

static const struct equation equations[] = {
	{"frames", false,
		{C(MIRROR_POLLED), C(HANDED_IN)},
		{C(HANDED_OUT), C(HANDOVER_FULL), M(FRAME_REFUSED), C(FRAMES_CLIENT),
			C(FRAMES_PRODUCTION), C(FRAGMENTS_MERGED), C(FRAGMENTS_NOW)}},
	{"flows", false,
		{C(FLOWS_SEEN)},
		{M(FLOW_REFUSED), C(FLOWS_EMBRYONIC_NOW), C(FLOWS_ADMITTED)}},
	{"admitted flows", false,
		{C(FLOWS_ADMITTED)},
		{M(FLOW_ENDED), C(FLOWS_LIVE_NOW)}},
	{"sessions", false,
		{C(SESSIONS_WANTED)},
		{M(SESSION_REFUSED), C(SESSIONS_STARTED)}},
	{"started sessions", false,
		{C(SESSIONS_STARTED)},
		{M(SESSION_ENDED), C(SESSIONS_LIVE_NOW)}},
	{"connections", false,
		{C(CONNS_OPENED), C(CONNS_REOPENED)},
		{M(CONN_CLOSED), C(CONNS_OPEN_NOW)}},
	{"client bytes", false,
		{C(BYTES_SEEN)},
		{M(BYTES_REFUSED), M(BYTES_DUPLICATE), C(BYTES_ACCEPTED)}},
	{"client bytes by sequence number", false,
		{C(BYTES_ACCEPTED), C(BYTES_MISSING)},
		{C(SPAN_BYTES), C(SPAN_NOW)}},
	{"delivery", false,
		{C(BYTES_ACCEPTED_COPIES)},
		{C(BYTES_DELIVERED), C(BYTES_IN_FLIGHT_NOW), C(BYTES_WAITING_NOW),
			C(BYTES_UNCONFIRMED), M(BYTES_SKIPPED), M(BYTES_ABANDONED)}},
	{"wire", false,
		{C(TX_BUILT)},
		{M(GUARD_REFUSED), C(TX_TAKEN), C(TX_WAITING_NOW), C(TX_ABANDONED)}},
	{"payload sent", false,
		{C(TX_PAYLOAD)},
		{C(TX_PAYLOAD_FIRST), C(TX_PAYLOAD_AGAIN)}},
	{"responses", false,
		{C(RESP_POLLED)},
		{C(RESP_NEIGHBOUR), M(RESP_REFUSED), C(RESP_RECORDS)}},
	{"records", false,
		{C(REC_TAKEN)},
		{C(REC_MATCHED), M(RESP_STRAY)}},
	{"answers", false,
		{C(ANSWER_BYTES)},
		{C(ANSWER_NEW), C(ANSWER_DUPLICATE), C(ANSWER_OUT_OF_WINDOW)}},
	{"answers by sequence number", false,
		{C(ANSWER_NEW), C(ANSWER_HOLE)},
		{C(ANSWER_SPAN), C(ANSWER_SPAN_NOW), C(ANSWER_SPAN_BACK)}},
	{"hand-over", true,
		{C(HANDED_OUT)},
		{C(HANDED_IN), R(HANDOVER)}},
	{"records on rings", true,
		{C(RESP_RECORDS)},
		{C(REC_TAKEN), R(RECORDS)}},
};

#undef C
#undef M
#undef R
/* clang-format on */

_Static_assert(SC_ARRAY_SIZE(equations) <= SC_LEDGER_FAULTS_MAX, "every fault has a place");

static const char *const ring_names[RING_COUNT] = {
		[RING_HANDOVER] = "rings_handover",
		[RING_RECORDS] = "rings_records",
};

static char texts[SC_ARRAY_SIZE(equations)][TEXT_MAX];
static pthread_once_t texts_once = PTHREAD_ONCE_INIT;

static size_t
print_terms(char *buf, size_t size, const struct term *t)
{
	size_t n = 0;

	for (unsigned int i = 0; i < TERMS_MAX && t[i].kind != T_END; i++) {
		const char *plus = i == 0 ? "" : " + ";

		if (t[i].kind == T_COUNTER)
			n += (size_t)snprintf(buf + n, size - n, "%s%s", plus,
					sc_counter_name((enum sc_counter)t[i].id));
		else if (t[i].kind == T_MAP)
			n += (size_t)snprintf(buf + n, size - n, "%ssum(%s)", plus,
					sc_map_name((enum sc_map)t[i].id));
		else
			n += (size_t)snprintf(buf + n, size - n, "%s%s", plus, ring_names[t[i].id]);
		n = SC_MIN(n, size - 1);
	}
	return n;
}

static void
print_texts(void)
{
	for (unsigned int i = 0; i < SC_ARRAY_SIZE(equations); i++) {
		const struct equation *e = &equations[i];
		char *text = texts[i];
		size_t n = (size_t)snprintf(text, TEXT_MAX, "%s: ", e->subject);

		n += print_terms(text + n, TEXT_MAX - n, e->left);
		n += (size_t)snprintf(text + n, TEXT_MAX - n, " = ");
		n = SC_MIN(n, (size_t)TEXT_MAX - 1);
		print_terms(text + n, TEXT_MAX - n, e->right);
	}
}

const char *
sc_ledger_equation(unsigned int i, bool *is_box)
{
	if (i >= SC_ARRAY_SIZE(equations))
		return NULL;
	pthread_once(&texts_once, print_texts);
	if (is_box != NULL)
		*is_box = equations[i].is_box;
	return texts[i];
}

static uint64_t
sum_terms(const struct term *t, const struct sc_stats *s, const uint64_t rings[RING_COUNT])
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < TERMS_MAX && t[i].kind != T_END; i++) {
		if (t[i].kind == T_COUNTER)
			sum += s->c[t[i].id];
		else if (t[i].kind == T_MAP)
			sum += sc_stats_map_sum(s, (enum sc_map)t[i].id);
		else
			sum += rings[t[i].id];
	}
	return sum;
}

static bool
check(const struct sc_stats *s, bool is_box, const uint64_t rings[RING_COUNT],
		struct sc_ledger_result *res)
{
	bool holds = true;

	if (res != NULL)
		res->nb_faults = 0;
	for (unsigned int i = 0; i < SC_ARRAY_SIZE(equations); i++) {
		const struct equation *e = &equations[i];
		uint64_t left, right;

		if (e->is_box != is_box)
			continue;
		left = sum_terms(e->left, s, rings);
		right = sum_terms(e->right, s, rings);
		if (left == right)
			continue;
		holds = false;
		if (res != NULL)
			res->fault[res->nb_faults++] = (struct sc_ledger_fault){
					sc_ledger_equation(i, NULL), left, right};
	}
	return holds;
}

bool
sc_ledger_check_one(const struct sc_stats *s, struct sc_ledger_result *res)
{
	static const uint64_t no_rings[RING_COUNT];

	return check(s, false, no_rings, res);
}

bool
sc_ledger_check_box(const struct sc_stats *sum, uint64_t rings_handover, uint64_t rings_records,
		struct sc_ledger_result *res)
{
	const uint64_t rings[RING_COUNT] = {
			[RING_HANDOVER] = rings_handover,
			[RING_RECORDS] = rings_records,
	};

	return check(sum, true, rings, res);
}

void
sc_ledger_merge(struct sc_ledger_result *dst, const struct sc_ledger_result *src)
{
	for (unsigned int i = 0; i < src->nb_faults && dst->nb_faults < SC_LEDGER_FAULTS_MAX; i++)
		dst->fault[dst->nb_faults++] = src->fault[i];
}

double
sc_ledger_fidelity(const struct sc_stats *sum)
{
	uint64_t wanted = sum->c[SC_C_BYTES_ACCEPTED_COPIES] + sum->c[SC_C_BYTES_MISSING];

	if (wanted == 0)
		return 1.0;
	return (double)sum->c[SC_C_BYTES_DELIVERED] / (double)wanted;
}
