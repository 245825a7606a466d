/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <sc_base.h>

#include "sc_test.h"

struct seen {
	unsigned int nb;
	enum sc_log_level level;
	char area[32];
	char text[2048];
};

static void
collect(enum sc_log_level level, const char *area, const char *text, void *arg)
{
	struct seen *s = arg;

	s->nb++;
	s->level = level;
	snprintf(s->area, sizeof(s->area), "%s", area);
	snprintf(s->text, sizeof(s->text), "%s", text);
}

static int
teardown(void **state)
{
	(void)state;
	sc_log_set_sink(NULL, NULL);
	sc_log_set_level(SC_LOG_NOTICE);
	return 0;
}

static void
test_default_level(void **state)
{
	(void)state;
	assert_int_equal(sc_log_get_level(), SC_LOG_NOTICE);
}

static void
test_sink_gets_message(void **state)
{
	struct seen s = {.nb = 0};

	(void)state;
	sc_log_set_sink(collect, &s);
	sc_log(SC_LOG_WARN, "nic", "port %s has %d queues", "eth0", 4);
	assert_int_equal(s.nb, 1);
	assert_int_equal(s.level, SC_LOG_WARN);
	assert_string_equal(s.area, "nic");
	assert_string_equal(s.text, "port eth0 has 4 queues");
}

static void
test_level_filters(void **state)
{
	struct seen s = {.nb = 0};

	(void)state;
	sc_log_set_sink(collect, &s);
	for (enum sc_log_level max = SC_LOG_ERR; max <= SC_LOG_DEBUG; max++) {
		sc_log_set_level(max);
		assert_int_equal(sc_log_get_level(), max);
		s.nb = 0;
		for (enum sc_log_level level = SC_LOG_ERR; level <= SC_LOG_DEBUG; level++)
			sc_log(level, "t", "x");
		assert_int_equal(s.nb, max + 1);
	}
}

static void
test_no_sink(void **state)
{
	(void)state;
	sc_log(SC_LOG_ERR, "t", "nobody %s", "listens");
}

static void
test_long_message_is_cut(void **state)
{
	struct seen s = {.nb = 0};
	char text[3000];

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	sc_log_set_sink(collect, &s);
	sc_log(SC_LOG_ERR, "t", "%s", text);
	assert_int_equal(s.nb, 1);
	assert_int_equal(strlen(s.text), 1023);
}

static void
test_err_set(void **state)
{
	struct sc_err err;
	char text[1000];

	(void)state;
	assert_int_equal(sc_err_set(&err, -EINVAL, "line %d: %s", 3, "oops"), -EINVAL);
	assert_string_equal(err.text, "line 3: oops");
	assert_int_equal(sc_err_set(NULL, -ENOMEM, "nobody asked"), -ENOMEM);
	memset(text, 'b', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(sc_err_set(&err, -E2BIG, "%s", text), -E2BIG);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_default_level),
			cmocka_unit_test_teardown(test_sink_gets_message, teardown),
			cmocka_unit_test_teardown(test_level_filters, teardown),
			cmocka_unit_test_teardown(test_no_sink, teardown),
			cmocka_unit_test_teardown(test_long_message_is_cut, teardown),
			cmocka_unit_test(test_err_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
