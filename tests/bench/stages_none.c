/* SPDX-License-Identifier: BSD-3-Clause */
#include "stages.h"

void
stages_clear(void)
{
}

void
stages_alone(struct loop *l, uint32_t (*feed)(void *arg), void *arg)
{
}

void
stages_print(void)
{
}
