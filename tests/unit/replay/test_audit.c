/* SPDX-License-Identifier: BSD-3-Clause */
/* The walk of the tables finds every gauge that does not agree with it, and names it. */
#include <string.h>
#include <test_eal.h>

#include "bed.h"

static void
finds_each(void **state)
{
	static const enum sc_counter gauges[] = {
			SC_C_FLOWS_EMBRYONIC_NOW,
			SC_C_FLOWS_LIVE_NOW,
			SC_C_SESSIONS_LIVE_NOW,
			SC_C_CONNS_OPEN_NOW,
			SC_C_BYTES_IN_FLIGHT_NOW,
			SC_C_BYTES_WAITING_NOW,
			SC_C_BYTES_OOO_NOW,
			SC_C_HELD_BYTES_NOW,
	};
	struct bed *b = bed_new(*state, NULL);
	struct conv *c = bed_conv(b), *d = bed_conv(b), *f = bed_conv(b);
	struct sc_err what;

	conv_open(c);
	conv_say(c, 100); /* in flight */
	c->cnxt += 10;
	conv_say(c, 50); /* beyond a hole */
	conv_shake(d);
	conv_say(d, 70); /* waiting */
	conv_syn(f);     /* embryonic */
	assert_true(sc_replay_audit(b->e, &what));
	assert_int_equal(COUNT(b, BYTES_IN_FLIGHT_NOW), 100);
	assert_int_equal(COUNT(b, BYTES_OOO_NOW), 50);
	assert_int_equal(COUNT(b, BYTES_WAITING_NOW), 120);
	assert_int_equal(COUNT(b, HELD_BYTES_NOW), 220);
	for (unsigned int i = 0; i < SC_ARRAY_SIZE(gauges); i++) {
		b->st.c[gauges[i]]++;
		assert_false(sc_replay_audit(b->e, &what));
		assert_non_null(strstr(what.text, sc_counter_name(gauges[i])));
		b->st.c[gauges[i]]--;
	}
	bed_end(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			BOTH(finds_each),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
