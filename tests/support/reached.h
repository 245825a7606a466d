/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reached: which counters and reasons this test program has seen above 0. At its end it writes them
 * to $SC_REACHED_DIR/<program>, if that is set; tests/support/reached.py names what no program saw.
 */
#ifndef TEST_REACHED_H
#define TEST_REACHED_H

#include <sc_stats.h>

/* What an engine, worker or intercept lcore has counted so far. Gauges fall: call it often. */
void test_reached(const struct sc_stats *st);

#endif
