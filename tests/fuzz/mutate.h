/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mutate: changes a pcap record by record, for a fuzzer: its headers, order, number and times. Most
 * of the time the checksums are put right afterwards; otherwise hardly a frame would get past them.
 */
#ifndef MUTATE_H
#define MUTATE_H

#include <stddef.h>
#include <stdint.h>

/* libFuzzer's entry and its mutation of plain bytes; replay.c stands in for the latter. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* As LLVMFuzzerCustomMutator(): the new size. What is no pcap in this machine's order gets bytes changed. */
size_t mutate_pcap(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

#endif
