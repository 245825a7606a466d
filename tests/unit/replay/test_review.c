/* SPDX-License-Identifier: BSD-3-Clause */
/* Corners: what flows, sources and limits do to each other. */
#include <string.h>
#include <test_eal.h>

#include "bed.h"

/* ---- the return path ---- */

static void
tune_unproven(struct bed *b)
{
	atomic_store(&b->path[0].state, SC_PATH_UNPROVEN);
	atomic_store(&b->path[1].state, SC_PATH_UNPROVEN);
}

/* Whatever a target says to our tuple came by the return path: it need not be a SYN-ACK. */
static void
stale_proves_path(void **state)
{
	struct bed *b = bed_new(*state, tune_unproven);
	struct conv *c = bed_conv(b);

	conv_shake(c);
	conv_take_syn(c);
	conv_record(c, SC_TCP_ACK, c->tisn, c->tack + 5000, 0);
	assert_int_equal(atomic_load(&b->path[b->v6].state), SC_PATH_OPEN);
	bed_end(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			BOTH(stale_proves_path),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
