/* SPDX-License-Identifier: BSD-3-Clause */
/* A small run with a figure in every part of a report, for the tests of this room. */
#ifndef REPORT_FIXTURE_H
#define REPORT_FIXTURE_H

#include <string.h>

#include <sc_report.h>

#include "sc_test.h"

struct fixture {
	struct sc_stats sum;
	struct sc_ledger_result ledger;
	struct sc_hist production, target;
	struct sc_report_in in;
};

static const struct sc_report_port fixture_ports[] = {
		{.name = "net_ring0",
				.role = "mirror",
				.rx = 1200,
				.has_imissed = true,
				.imissed = 7},
		{.name = "net_af_packet0", .role = "test", .rx = 90, .tx = 80, .ierrors = 3},
};
static const char *const fixture_warnings[] = {"the mirror port has no counter of missed frames"};
static const struct sc_report_pair fixture_peer[] = {{"accepted", 12}, {"bytes_in", 3456}};

static inline void
fixture_init(struct fixture *f)
{
	struct sc_stats *s = &f->sum;

	memset(f, 0, sizeof(*f));
	s->c[SC_C_MIRROR_POLLED] = 1200;
	s->c[SC_C_FRAMES_CLIENT] = 700;
	s->c[SC_C_FRAMES_PRODUCTION] = 490;
	s->m[SC_M_FRAME_REFUSED][SC_R_NOT_TCP] = 10;
	s->c[SC_C_FLOWS_SEEN] = 1234567;
	s->c[SC_C_FLOWS_EMBRYONIC_NOW] = 2;
	s->m[SC_M_FLOW_REFUSED][SC_R_NEVER_OPENED] = 65;
	s->m[SC_M_BYTES_REFUSED][SC_R_BEYOND_WINDOW] = 20;
	s->c[SC_C_FLOWS_ADMITTED] = 1234500;
	s->m[SC_M_FLOW_ENDED][SC_R_COMPLETE] = 1234400;
	s->m[SC_M_FLOW_ENDED][SC_R_TARGET_RESET] = 100;
	s->c[SC_C_SESSIONS_STARTED] = 11;
	s->m[SC_M_CONN_CLOSED][SC_R_CLOSED_FIN] = 9;
	s->c[SC_C_BYTES_SEEN] = 5000;
	s->c[SC_C_BYTES_ACCEPTED] = 4900;
	s->c[SC_C_BYTES_ACCEPTED_COPIES] = 9800;
	s->m[SC_M_BYTES_DUPLICATE][SC_R_DUP_MIRROR] = 100;
	s->c[SC_C_BYTES_MISSING] = 200;
	s->c[SC_C_BYTES_DELIVERED] = 9500;
	s->m[SC_M_BYTES_ABANDONED][SC_R_TARGET_RESET] = 300;
	s->c[SC_C_TURNS_SEEN] = 40;
	s->c[SC_C_TURNS_ANSWERED] = 39;
	s->c[SC_C_GATE_EXACT] = 35;
	s->c[SC_C_TX_TAKEN] = 80;
	s->c[SC_C_RESP_POLLED] = 90;
	s->m[SC_M_GUARD_REFUSED][SC_R_GUARD_SOURCE] = 1;
	s->m[SC_M_RESP_STRAY][SC_R_STRAY_UNKNOWN] = 4;
	for (uint64_t i = 0; i < 100; i++) {
		sc_hist_add(&f->production, 100 + i);
		sc_hist_add(&f->target, 1000 + i);
	}
	f->in = (struct sc_report_in){
			.command = "replay",
			.sum = &f->sum,
			.ledger = &f->ledger,
			.duration_s = 12.5,
			.port = fixture_ports,
			.nb_ports = SC_ARRAY_SIZE(fixture_ports),
			.production_us = &f->production,
			.target_us = &f->target,
			.warning = fixture_warnings,
			.nb_warnings = SC_ARRAY_SIZE(fixture_warnings),
			.peer = fixture_peer,
			.nb_peer = SC_ARRAY_SIZE(fixture_peer),
	};
}

static inline void
fixture_unbalance(struct fixture *f)
{
	f->ledger.nb_faults = 1;
	f->ledger.fault[0] = (struct sc_ledger_fault){sc_ledger_equation(1, NULL), 1500, 1501};
}

#endif
