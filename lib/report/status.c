/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>

#include <sc_report.h>

#include "report_int.h"

const char *
sc_report_number(uint64_t value, char buf[SC_REPORT_NUMBER_LEN])
{
	char digits[21];
	int n = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
	char *p = buf;

	for (int i = 0; i < n; i++) {
		if (i > 0 && (n - i) % 3 == 0)
			*p++ = ',';
		*p++ = digits[i];
	}
	*p = '\0';
	return buf;
}

double
report_percent(double fraction)
{
	return (double)(uint64_t)(fraction * 10000 + 1e-6) / 100;
}

static double
rate(const struct sc_report_tick *t, enum sc_counter c)
{
	uint64_t before = t->before->c[c], now = t->now->c[c];

	if (t->interval_s <= 0 || now < before)
		return 0;
	return (double)(now - before) / t->interval_s;
}

struct scaled {
	double value;
	const char *unit;
};

static struct scaled
bit_rate(double bytes_per_s)
{
	static const char *const units[] = {"bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"};
	double v = bytes_per_s * 8;
	unsigned int u = 0;

	/* From 999.95 on, one decimal would print 1000.0. */
	while (v >= 999.95 && u < SC_ARRAY_SIZE(units) - 1) {
		v /= 1000;
		u++;
	}
	return (struct scaled){v, units[u]};
}

const char *
sc_report_status_line(const struct sc_report_tick *t, char *buf, size_t size)
{
	struct scaled client = bit_rate(rate(t, SC_C_BYTES_DELIVERED));
	struct scaled answers = bit_rate(rate(t, SC_C_ANSWER_BYTES));
	char seen[SC_REPORT_NUMBER_LEN], live[SC_REPORT_NUMBER_LEN];
	char refused[SC_REPORT_NUMBER_LEN];

	snprintf(buf, size,
			"%5.0f s  flows %s (+%.0f/s, %s live, %s refused)  turns %.0f/s  "
			"client %.1f %s  answers %.1f %s  fidelity %.2f %%",
			t->elapsed_s, sc_report_number(t->now->c[SC_C_FLOWS_SEEN], seen),
			rate(t, SC_C_FLOWS_SEEN),
			sc_report_number(t->now->c[SC_C_FLOWS_LIVE_NOW], live),
			sc_report_number(sc_stats_map_sum(t->now, SC_M_FLOW_REFUSED), refused),
			rate(t, SC_C_TURNS_SEEN), client.value, client.unit, answers.value,
			answers.unit, report_percent(sc_ledger_fidelity(t->now)));
	return buf;
}
