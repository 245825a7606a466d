/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include <sc_report.h>

#include "ctl.h"

#define LABEL_WIDTH 20

int
ctl_show_json(const json_t *answer, FILE *out)
{
	if (json_dumpf(answer, out, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) < 0
			|| fputc('\n', out) == EOF || fflush(out) != 0)
		return -EIO;
	return 0;
}

static void
print_row(FILE *out, const char *key, const char *text)
{
	char label[LABEL_WIDTH + 1];

	snprintf(label, sizeof(label), "%s", key);
	for (char *p = label; *p != '\0'; p++)
		if (*p == '_')
			*p = ' ';
	fprintf(out, "%-*s  %s\n", LABEL_WIDTH, label, text);
}

/* What has a form of its own; false: not one of those. */
static bool
print_special(FILE *out, const char *key, const json_t *value)
{
	char text[64];

	if (strcmp(key, "fidelity") == 0)
		/* Cut, not rounded: 99.999 % is not shown as 100. */
		snprintf(text, sizeof(text), "%.2f %%",
				(double)(int)(json_number_value(value) * 10000 + 1e-6) / 100);
	else if (strcmp(key, "duration_s") == 0)
		snprintf(text, sizeof(text), "%.1f s", json_number_value(value));
	else if (strcmp(key, "balanced") == 0)
		snprintf(text, sizeof(text), "%s",
				json_is_true(value) ? "yes" : "NO: see spancopyctl ledger");
	else if (strcmp(key, "pid") == 0)
		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
	else
		return false;
	print_row(out, strcmp(key, "duration_s") == 0 ? "duration" : key, text);
	return true;
}

int
ctl_show_status(const json_t *answer, FILE *out)
{
	const json_t *warnings = json_object_get(answer, "warnings");
	char number[SC_REPORT_NUMBER_LEN];

	for (void *it = json_object_iter((json_t *)(uintptr_t)answer); it != NULL;
			it = json_object_iter_next((json_t *)(uintptr_t)answer, it)) {
		const char *key = json_object_iter_key(it);
		const json_t *value = json_object_iter_value(it);

		if (print_special(out, key, value))
			continue;
		if (json_is_integer(value))
			print_row(out, key,
					sc_report_number((uint64_t)json_integer_value(value),
							number));
		else if (json_is_string(value))
			print_row(out, key, json_string_value(value));
	}
	for (size_t i = 0; i < json_array_size(warnings); i++)
		print_row(out, "warning", json_string_value(json_array_get(warnings, i)));
	return fflush(out) != 0 || ferror(out) ? -EIO : 0;
}
