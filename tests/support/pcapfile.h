/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pcapfile: writes captures for tests: pcap (us or ns) and pcapng, of both byte orders.
 * Every function asserts that the write succeeded.
 */
#ifndef PCAPFILE_H
#define PCAPFILE_H

#include <stdbool.h>
#include <stdint.h>

#define PCAPFILE_ETHER 1
#define PCAPFILE_RAW 101
#define PCAPFILE_SLL 113
#define PCAPFILE_SLL2 276

enum pcapfile_format {
	PCAPFILE_US,
	PCAPFILE_NS,
	PCAPFILE_NG
};

struct pcapfile;

/* Make an empty temporary file; its name goes to path. The test unlinks it. */
void pcapfile_temp(char path[64]);

/*
 * Write the file header (pcapng: a section with one interface of microseconds); snap length 262,144.
 * linktype is the LINKTYPE number.
 */
struct pcapfile *pcapfile_open(
		const char *path, enum pcapfile_format format, bool is_big, uint16_t linktype);
/* One record (pcapng: of the interface added last); ts_ns since the epoch, cut to the resolution. */
void pcapfile_packet(struct pcapfile *f, uint64_t ts_ns, const void *data, uint32_t caplen,
		uint32_t len);
/* Bytes written so far. */
uint64_t pcapfile_size(const struct pcapfile *f);
/* Bytes as they are. */
void pcapfile_raw(struct pcapfile *f, const void *data, uint32_t len);
void pcapfile_close(struct pcapfile *f);

/* ---- pcapng only ---- */

/* A new section without interfaces, its byte order may differ. */
void pcapfile_section(struct pcapfile *f, bool is_big);
/*
 * One more interface of the section; later packets are its own. tsresol: as if_tsresol says (6: us,
 * 9: ns, 0x80 | n: 2^-n s); tsoffset in seconds. Returns its number in the section.
 */
uint32_t pcapfile_interface(
		struct pcapfile *f, uint16_t linktype, uint8_t tsresol, int64_t tsoffset);
/* Later packets are those of interface i (below 16) of the section. */
void pcapfile_select(struct pcapfile *f, uint32_t i);
/* A simple packet block: no time, interface 0. */
void pcapfile_simple(struct pcapfile *f, const void *data, uint32_t caplen, uint32_t len);
/* Any block; the body is padded to 32 bits. */
void pcapfile_block(struct pcapfile *f, uint32_t type, const void *body, uint32_t len);

#endif
