/* SPDX-License-Identifier: BSD-3-Clause */
/* parsed: what the tests of parse.c share: craft a frame, spoil it, parse it, compare. */
#ifndef PARSED_H
#define PARSED_H

#include <sc_packet.h>

#include "frame.h"

/* cmocka group set-up and teardown: EAL, and a pool that must be whole at the end. */
int parsed_setup(void **state);
int parsed_teardown(void **state);

extern struct rte_mempool *parsed_pool;
extern uint8_t parsed_bytes[TEST_FRAME_MAX]; /* the frame crafted last */

/* The first len bytes of parsed_bytes, in segments of `cut` (0: as few as may be). */
enum sc_reason parse_bytes(enum sc_link link, size_t len, size_t cut, struct sc_seg *seg);
enum sc_reason parse(const struct test_frame *f, struct sc_seg *seg);
/* The frame of f, cut to len bytes. */
enum sc_reason parse_first(const struct test_frame *f, size_t len);
/* The frame of f with one byte set. */
enum sc_reason parse_poked(const struct test_frame *f, size_t at, uint8_t value);

/* A frame whose fields all differ, and the check that seg holds them. */
struct test_frame full_frame(bool v6);
void assert_full(const struct test_frame *f, const struct sc_seg *seg);

#endif
