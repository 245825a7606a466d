/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading the pieces of an operator's list. */
#ifndef SC_FILTER_TEXT_H
#define SC_FILTER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sc_base.h>

/* The longest element of a list, its NUL included: two IPv6 endpoints or a range, and some room. */
#define FILTER_ITEM_MAX 160

/*
 * Copy the next element of a comma-separated list to item, without the space around it, and move
 * *list behind it (to NULL after the last). False if the element is longer than fits; item then
 * holds its beginning.
 */
bool filter_next_item(const char **list, char item[FILTER_ITEM_MAX]);

/* Digits only, from lo to hi; false for anything else. */
bool filter_number(const char *text, uint32_t lo, uint32_t hi, uint32_t *value);

/*
 * Can the address be a host's on a wire? Not unspecified, loopback, multicast, 0.0.0.0/8 or
 * 240.0.0.0/4 (which has the broadcast address).
 */
bool filter_is_host(const struct sc_addr *a);

#endif
