/* SPDX-License-Identifier: BSD-3-Clause */
#include <sc_stats.h>

struct row {
	const char *name, *text;
};

static const struct row reasons[SC_R_COUNT] = {
		[SC_R_NONE] = {"none", "not refused"},
#define SC_REASON(sym, name, text) [SC_R_##sym] = {name, text},
#include "drop_reasons.def"
#undef SC_REASON
};

static const struct row counters[SC_C_COUNT] = {
#define SC_COUNTER(sym, name, text) [SC_C_##sym] = {name, text},
#include "counters.def"
#undef SC_COUNTER
};

static const char *const maps[SC_M_COUNT] = {
		[SC_M_FRAME_REFUSED] = "frames_refused",
		[SC_M_FLOW_REFUSED] = "flows_refused",
		[SC_M_FLOW_ENDED] = "flows_ended",
		[SC_M_SESSION_REFUSED] = "sessions_refused",
		[SC_M_SESSION_ENDED] = "sessions_ended",
		[SC_M_CONN_CLOSED] = "connections_closed",
		[SC_M_BYTES_REFUSED] = "bytes_refused",
		[SC_M_BYTES_DUPLICATE] = "bytes_duplicate",
		[SC_M_BYTES_SKIPPED] = "bytes_skipped",
		[SC_M_BYTES_ABANDONED] = "bytes_abandoned",
		[SC_M_GUARD_REFUSED] = "guard_refused",
		[SC_M_RESP_REFUSED] = "responses_refused",
		[SC_M_RESP_STRAY] = "responses_stray",
};

const char *
sc_reason_name(enum sc_reason r)
{
	return (unsigned int)r < SC_R_COUNT ? reasons[r].name : "?";
}

const char *
sc_reason_text(enum sc_reason r)
{
	return (unsigned int)r < SC_R_COUNT ? reasons[r].text : "?";
}

const char *
sc_counter_name(enum sc_counter c)
{
	return (unsigned int)c < SC_C_COUNT ? counters[c].name : "?";
}

const char *
sc_counter_help(enum sc_counter c)
{
	return (unsigned int)c < SC_C_COUNT ? counters[c].text : "?";
}

const char *
sc_map_name(enum sc_map m)
{
	return (unsigned int)m < SC_M_COUNT ? maps[m] : "?";
}
