/* SPDX-License-Identifier: BSD-3-Clause */
/* sc_test: cmocka with the headers it wants before it. Include this, never <cmocka.h>. */
#ifndef SC_TEST_H
#define SC_TEST_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#endif
