/* SPDX-License-Identifier: BSD-3-Clause */
#include "pcapfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sc_test.h"

#define NS_PER_S 1000000000ull
#define SNAPLEN 262144
#define IFACES_MAX 16

struct iface {
	uint8_t tsresol;
	int64_t tsoffset;
};

struct pcapfile {
	FILE *f;
	enum pcapfile_format format;
	bool is_big;
	uint32_t nb_ifaces, cur;
	struct iface iface[IFACES_MAX];
};

void
pcapfile_temp(char path[64])
{
	int fd;

	snprintf(path, 64, "/tmp/spancopy-test-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
}

void
pcapfile_raw(struct pcapfile *f, const void *data, uint32_t len)
{
	if (len != 0)
		assert_int_equal(fwrite(data, 1, len, f->f), len);
}

/* The low n bytes of v in the file's byte order. */
static void
put(struct pcapfile *f, uint64_t v, unsigned int n)
{
	uint8_t b[8];
	unsigned int i;

	for (i = 0; i < n; i++)
		b[f->is_big ? n - 1 - i : i] = (uint8_t)(v >> (8 * i));
	pcapfile_raw(f, b, n);
}

static void
pad(struct pcapfile *f, uint32_t len)
{
	static const uint8_t zero[4];

	pcapfile_raw(f, zero, -len & 3);
}

static uint32_t
padded(uint32_t len)
{
	return (len + 3) & ~3u;
}

void
pcapfile_section(struct pcapfile *f, bool is_big)
{
	f->is_big = is_big;
	f->nb_ifaces = 0;
	put(f, 0x0a0d0d0a, 4);
	put(f, 28, 4);
	put(f, 0x1a2b3c4d, 4);
	put(f, 1, 2);
	put(f, 0, 2);
	put(f, UINT64_MAX, 8); /* length of the section: unknown */
	put(f, 28, 4);
}

uint32_t
pcapfile_interface(struct pcapfile *f, uint16_t linktype, uint8_t tsresol, int64_t tsoffset)
{
	const uint32_t total = 12 + 8 + 8 + 12 + 4;

	assert_true(f->nb_ifaces < IFACES_MAX);
	put(f, 1, 4);
	put(f, total, 4);
	put(f, linktype, 2);
	put(f, 0, 2);
	put(f, SNAPLEN, 4);
	put(f, 9, 2); /* if_tsresol */
	put(f, 1, 2);
	pcapfile_raw(f, &tsresol, 1);
	pad(f, 1);
	put(f, 14, 2); /* if_tsoffset */
	put(f, 8, 2);
	put(f, (uint64_t)tsoffset, 8);
	put(f, 0, 4); /* opt_endofopt */
	put(f, total, 4);
	f->cur = f->nb_ifaces++;
	f->iface[f->cur] = (struct iface){.tsresol = tsresol, .tsoffset = tsoffset};
	return f->cur;
}

void
pcapfile_select(struct pcapfile *f, uint32_t i)
{
	assert_true(i < f->nb_ifaces);
	f->cur = i;
}

struct pcapfile *
pcapfile_open(const char *path, enum pcapfile_format format, bool is_big, uint16_t linktype)
{
	struct pcapfile *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->f = fopen(path, "wb");
	assert_non_null(f->f);
	f->format = format;
	f->is_big = is_big;
	if (format == PCAPFILE_NG) {
		pcapfile_section(f, is_big);
		pcapfile_interface(f, linktype, 6, 0);
		return f;
	}
	put(f, format == PCAPFILE_NS ? 0xa1b23c4d : 0xa1b2c3d4, 4);
	put(f, 2, 2);
	put(f, 4, 2);
	put(f, 0, 8);
	put(f, SNAPLEN, 4);
	put(f, linktype, 4);
	return f;
}

/* Nanoseconds since the epoch in the units of an interface. */
static uint64_t
to_units(const struct iface *i, uint64_t ts_ns)
{
	uint64_t ns = ts_ns - (uint64_t)i->tsoffset * NS_PER_S, units = 1;
	unsigned int n = i->tsresol & 0x7f;

	if (i->tsresol & 0x80)
		return (uint64_t)(((unsigned __int128)ns << n) / NS_PER_S);
	while (n-- > 0)
		units *= 10;
	return (uint64_t)((unsigned __int128)ns * units / NS_PER_S);
}

static void
packet_ng(struct pcapfile *f, uint64_t ts_ns, const void *data, uint32_t caplen, uint32_t len)
{
	uint64_t ts = to_units(&f->iface[f->cur], ts_ns);
	uint32_t total = 32 + padded(caplen);

	assert_true(f->cur < f->nb_ifaces);
	put(f, 6, 4);
	put(f, total, 4);
	put(f, f->cur, 4);
	put(f, ts >> 32, 4);
	put(f, ts, 4);
	put(f, caplen, 4);
	put(f, len, 4);
	pcapfile_raw(f, data, caplen);
	pad(f, caplen);
	put(f, total, 4);
}

void
pcapfile_packet(struct pcapfile *f, uint64_t ts_ns, const void *data, uint32_t caplen, uint32_t len)
{
	if (f->format == PCAPFILE_NG) {
		packet_ng(f, ts_ns, data, caplen, len);
		return;
	}
	put(f, ts_ns / NS_PER_S, 4);
	put(f, ts_ns % NS_PER_S / (f->format == PCAPFILE_US ? 1000 : 1), 4);
	put(f, caplen, 4);
	put(f, len, 4);
	pcapfile_raw(f, data, caplen);
}

void
pcapfile_simple(struct pcapfile *f, const void *data, uint32_t caplen, uint32_t len)
{
	uint32_t total = 16 + padded(caplen);

	put(f, 3, 4);
	put(f, total, 4);
	put(f, len, 4);
	pcapfile_raw(f, data, caplen);
	pad(f, caplen);
	put(f, total, 4);
}

void
pcapfile_block(struct pcapfile *f, uint32_t type, const void *body, uint32_t len)
{
	uint32_t total = 12 + padded(len);

	put(f, type, 4);
	put(f, total, 4);
	pcapfile_raw(f, body, len);
	pad(f, len);
	put(f, total, 4);
}

uint64_t
pcapfile_size(const struct pcapfile *f)
{
	return (uint64_t)ftell(f->f);
}

void
pcapfile_close(struct pcapfile *f)
{
	assert_int_equal(fclose(f->f), 0);
	free(f);
}
