/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stages: what of a worker's cycles is spent where. Two programs are made of the same sources:
 * `bench` is linked with stages_none.c, and measures the worker as it is; `bench-stages` with
 * stages.c, where the linker puts a clock around the calls from one room into another.
 */
#ifndef STAGES_H
#define STAGES_H

#include "bench.h"

/* Forget what was measured. */
void stages_clear(void);
/* Receiving and steering, which are inline in the worker, alone on what feed(arg) brings. */
void stages_alone(struct loop *l, uint32_t (*feed)(void *arg), void *arg);
/* ,"stages":{...} in cycles, or nothing. */
void stages_print(void);

#endif
