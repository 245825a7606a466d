/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz: what the targets share. A target is one source with LLVMFuzzerInitialize() and
 * LLVMFuzzerTestOneInput(); it is linked with libFuzzer to search, and with replay.c to run the
 * inputs that are stored. What must hold is said by cmocka's assertions, which abort here.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "sc_test.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* For LLVMFuzzerInitialize(): failed assertions abort; tables in small pages. */
void fuzz_begin(void);
/* The same with EAL. */
void fuzz_begin_eal(void);

/* ---- an input read as a program: numbers one after the other, 0 behind its end ---- */

struct fuzz_in {
	const uint8_t *p;
	size_t left;
};

uint8_t fuzz_u8(struct fuzz_in *in);
uint16_t fuzz_u16(struct fuzz_in *in);
uint32_t fuzz_u32(struct fuzz_in *in);
/* A small number, mostly: one byte, and only if that is 255, 32 bits more. */
uint32_t fuzz_small(struct fuzz_in *in);

/* The path of a file with these bytes, until the next call. */
const char *fuzz_file(const uint8_t *data, size_t size);

/* ---- frames over memory of exactly their size ---- */

#define FUZZ_CUTS 2

struct fuzz_chain {
	struct rte_mbuf m[FUZZ_CUTS + 1];
	uint8_t *mem[FUZZ_CUTS + 1];
};

/* The first segments have the lengths in `cuts`, as far as there are bytes; the last has the rest. */
void fuzz_chain_make(struct fuzz_chain *c, const uint8_t *bytes, size_t len,
		const uint8_t cuts[FUZZ_CUTS]);
void fuzz_chain_free(struct fuzz_chain *c);

#endif
