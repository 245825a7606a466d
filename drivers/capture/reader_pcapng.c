/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pcapng (draft-ietf-opsawg-pcapng): blocks of type, length, body, length again. A section header
 * starts a new byte order and forgets the interfaces; every interface has its own link type and
 * unit of time. Blocks of other types are passed over.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "reader.h"

#define NG_SECTION 0x0a0d0d0au /* the same in both byte orders */
#define NG_INTERFACE 1u
#define NG_PACKET_OLD 2u
#define NG_PACKET_SIMPLE 3u
#define NG_PACKET 6u
#define NG_ORDER 0x1a2b3c4du
#define NG_BLOCK_MIN 12u
#define NG_SECTION_MIN 28u
#define NG_OPT_TSRESOL 9u
#define NG_OPT_TSOFFSET 14u
#define NG_TSRESOL_DEFAULT 6u

/* A block whose start and end have been checked; body stands in the buffer. */
struct block {
	uint32_t type, total;
	uint64_t offset;     /* of the block in the file */
	const uint8_t *body; /* NULL: passed over */
	uint32_t len;
};

void
ng_close(struct ng_file *f)
{
	free(f->iface);
	*f = (struct ng_file){0};
}

/* The section header at input_data(); is_big and the interfaces change with it. */
static int
section_start(struct ng_file *f, struct input *in, struct sc_err *err)
{
	const uint8_t *p;
	int rc;

	rc = input_need(in, NG_SECTION_MIN, err);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return input_damage(in, in->offset, err,
				"the file ends after %zu of the %u bytes of a section header: it "
				"was "
				"cut off",
				input_left(in), NG_SECTION_MIN);
	p = input_data(in);
	f->is_big = get32(p + 8, true) == NG_ORDER;
	if (get32(p + 8, f->is_big) != NG_ORDER)
		return input_damage(in, in->offset + 8, err,
				"byte order mark 0x%08" PRIx32
				" in a section header, 0x%08x is right: "
				"the file is damaged here",
				get32(p + 8, true), NG_ORDER);
	if (get16(p + 12, f->is_big) != 1)
		return input_damage(in, in->offset + 12, err,
				"pcapng version %u.%u; version 1 can be read",
				get16(p + 12, f->is_big), get16(p + 14, f->is_big));
	f->nb_ifaces = 0;
	return 0;
}

static bool
is_parsed(uint32_t type)
{
	return type == NG_INTERFACE || type == NG_PACKET || type == NG_PACKET_OLD
			|| type == NG_PACKET_SIMPLE;
}

static int
block_cut(const struct input *in, const struct block *b, struct sc_err *err)
{
	return input_damage(in, b->offset, err,
			"a block says %" PRIu32
			" bytes, and the file ends before: it was cut off or is "
			"damaged, what stands before is used",
			b->total);
}

/* The length once more at the end of a block. */
static int
block_end(const struct ng_file *f, const struct input *in, const struct block *b, uint32_t again,
		struct sc_err *err)
{
	if (again == b->total)
		return 1;
	return input_damage(in, b->offset, err,
			"a block begins with the length %" PRIu32 " and ends with %" PRIu32
			": the file is damaged here, what stands before is used",
			b->total, again);
}

/* The block's body stays in the buffer until the next input_need(). */
static int
block_take(const struct ng_file *f, struct input *in, struct block *b, struct sc_err *err)
{
	const uint8_t *p;
	int rc;

	if (b->total > READER_BLOCK_MAX)
		return input_damage(in, b->offset, err,
				"a block of type %" PRIu32 " says %" PRIu32
				" bytes, at most %u are possible: the file is damaged here, what "
				"stands "
				"before is used",
				b->type, b->total, READER_BLOCK_MAX);
	rc = input_need(in, b->total, err);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return block_cut(in, b, err);
	p = input_data(in);
	b->body = p + 8;
	b->len = b->total - NG_BLOCK_MIN;
	input_take(in, b->total);
	return block_end(f, in, b, get32(p + b->total - 4, f->is_big), err);
}

static int
block_pass(const struct ng_file *f, struct input *in, struct block *b, struct sc_err *err)
{
	int rc;

	b->body = NULL;
	b->len = 0;
	rc = input_skip(in, b->total - 4, err);
	if (rc > 0)
		rc = input_need(in, 4, err);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return block_cut(in, b, err);
	rc = block_end(f, in, b, get32(input_data(in), f->is_big), err);
	input_take(in, 4);
	return rc;
}

/* 1: *b is the next block, 0: end of the file. */
static int
block_next(struct ng_file *f, struct input *in, struct block *b, struct sc_err *err)
{
	int rc;

	b->offset = in->offset;
	rc = input_need(in, 8, err);
	if (rc < 0 || (rc == 0 && input_left(in) == 0))
		return rc;
	if (rc == 0)
		return input_damage(in, b->offset, err,
				"the file ends after %zu of the 8 bytes that a block begins with: "
				"it "
				"was cut off, what stands before is used",
				input_left(in));
	b->type = get32(input_data(in), f->is_big);
	if (b->type == NG_SECTION) {
		rc = section_start(f, in, err);
		if (rc < 0)
			return rc;
	}
	b->total = get32(input_data(in) + 4, f->is_big);
	if (b->total < (b->type == NG_SECTION ? NG_SECTION_MIN : NG_BLOCK_MIN) || b->total % 4 != 0)
		return input_damage(in, b->offset, err,
				"a block of type %" PRIu32 " says %" PRIu32
				" bytes, which no block can have: the file is damaged here, what "
				"stands "
				"before is used",
				b->type, b->total);
	return is_parsed(b->type) ? block_take(f, in, b, err) : block_pass(f, in, b, err);
}

static void
iface_options(struct ng_iface *i, const uint8_t *p, uint32_t len, bool is_big)
{
	uint32_t code, n;

	while (len >= 4) {
		code = get16(p, is_big);
		n = get16(p + 2, is_big);
		if (code == 0 || n > len - 4)
			return;
		if (code == NG_OPT_TSRESOL && n == 1)
			i->tsresol = p[4];
		if (code == NG_OPT_TSOFFSET && n == 8)
			i->tsoffset = (int64_t)get64(p + 4, is_big);
		n = SC_MIN((n + 3) & ~3u, len - 4);
		p += 4 + n;
		len -= 4 + n;
	}
}

static int
iface_add(struct ng_file *f, const struct input *in, const struct block *b, struct sc_err *err)
{
	struct ng_iface *grown, *i;

	if (b->len < 8)
		return input_damage(in, b->offset, err,
				"an interface block of %" PRIu32
				" bytes, 20 are the least: the file is "
				"damaged here",
				b->total);
	if (f->nb_ifaces == READER_IFACES_MAX)
		return input_damage(in, b->offset, err,
				"more than %u interfaces in a section: the file is damaged here",
				READER_IFACES_MAX);
	if (f->nb_ifaces == f->room) {
		grown = realloc(f->iface, (f->room * 2 + 8) * sizeof(*grown));
		if (grown == NULL)
			return sc_err_set(err, -ENOMEM,
					"capture %s: no memory for %" PRIu32 " interfaces",
					input_short_path(in->path), f->room * 2 + 8);
		f->iface = grown;
		f->room = f->room * 2 + 8;
	}
	i = &f->iface[f->nb_ifaces++];
	*i = (struct ng_iface){.linktype = get16(b->body, f->is_big),
			.snaplen = get32(b->body + 4, f->is_big),
			.tsresol = NG_TSRESOL_DEFAULT};
	iface_options(i, b->body + 8, b->len - 8, f->is_big);
	return 0;
}

/* ts in the interface's units to nanoseconds since the epoch, cut to [0, READER_TS_MAX]. */
static uint64_t
iface_time(const struct ng_iface *i, uint64_t ts)
{
	unsigned int n = i->tsresol & 0x7f;
	__int128 ns = ts;

	if (i->tsresol & 0x80) {
		ns = (__int128)(((unsigned __int128)ts * READER_NS_PER_S) >> n);
	} else {
		for (; n < 9; n++)
			ns *= 10;
		for (; n > 9 && ns != 0; n--)
			ns /= 10;
	}
	ns += (__int128)i->tsoffset * (int64_t)READER_NS_PER_S;
	return (uint64_t)SC_CLAMP(ns, 0, READER_TS_MAX);
}

/* Where a packet block has its fields. */
struct layout {
	uint32_t fixed; /* bytes before the data */
	uint32_t iface;
};

static int
packet_bad(const struct input *in, const struct block *b, uint32_t caplen, struct sc_err *err)
{
	return input_damage(in, b->offset, err,
			"a packet block of %" PRIu32 " bytes with %" PRIu32
			" captured bytes, which do not fit: the file is damaged here, what stands "
			"before "
			"is used",
			b->total, caplen);
}

static int
packet_iface(const struct ng_file *f, const struct input *in, const struct block *b, uint32_t i,
		struct sc_err *err)
{
	if (i < f->nb_ifaces)
		return 0;
	return input_damage(in, b->offset, err,
			"a packet of interface %" PRIu32 " in a section with %" PRIu32
			" interfaces: the file is damaged here, what stands before is used",
			i, f->nb_ifaces);
}

/* Enhanced packet block, and its predecessor, which has 16 bits for the interface. */
static int
packet_timed(struct ng_file *f, const struct input *in, const struct block *b,
		struct sc_capture_pkt *pkt, struct sc_err *err)
{
	const uint8_t *p = b->body;
	uint32_t i;
	int rc;

	if (b->len < 20)
		return packet_bad(in, b, 0, err);
	i = b->type == NG_PACKET ? get32(p, f->is_big) : get16(p, f->is_big);
	rc = packet_iface(f, in, b, i, err);
	if (rc < 0)
		return rc;
	pkt->caplen = get32(p + 12, f->is_big);
	pkt->len = get32(p + 16, f->is_big);
	if (pkt->caplen > b->len - 20 || pkt->caplen > READER_CAPLEN_MAX)
		return packet_bad(in, b, pkt->caplen, err);
	pkt->ts_ns = iface_time(&f->iface[i],
			(uint64_t)get32(p + 4, f->is_big) << 32 | get32(p + 8, f->is_big));
	f->last_ns = pkt->ts_ns;
	pkt->data = p + 20;
	pkt->offset = b->offset + 8 + 20;
	reader_set_link(pkt, f->iface[i].linktype);
	return 1;
}

/* Simple packet block: interface 0, no time (that of the packet before stands in), no length. */
static int
packet_simple(struct ng_file *f, const struct input *in, const struct block *b,
		struct sc_capture_pkt *pkt, struct sc_err *err)
{
	uint32_t snaplen;
	int rc;

	if (b->len < 4)
		return packet_bad(in, b, 0, err);
	rc = packet_iface(f, in, b, 0, err);
	if (rc < 0)
		return rc;
	snaplen = f->iface[0].snaplen;
	pkt->len = get32(b->body, f->is_big);
	pkt->caplen = snaplen == 0 ? pkt->len : SC_MIN(pkt->len, snaplen);
	if (pkt->caplen > b->len - 4 || pkt->caplen > READER_CAPLEN_MAX)
		return packet_bad(in, b, pkt->caplen, err);
	pkt->ts_ns = f->last_ns;
	pkt->data = b->body + 4;
	pkt->offset = b->offset + 8 + 4;
	reader_set_link(pkt, f->iface[0].linktype);
	return 1;
}

int
ng_open(struct ng_file *f, struct input *in, struct sc_err *err)
{
	/* Looked at, not taken: it is the first block that ng_next() passes. */
	return section_start(f, in, err);
}

int
ng_next(struct ng_file *f, struct input *in, struct sc_capture_pkt *pkt, struct sc_err *err)
{
	struct block b = {0};
	int rc;

	while ((rc = block_next(f, in, &b, err)) > 0) {
		if (b.type == NG_PACKET || b.type == NG_PACKET_OLD)
			return packet_timed(f, in, &b, pkt, err);
		if (b.type == NG_PACKET_SIMPLE)
			return packet_simple(f, in, &b, pkt, err);
		if (b.type == NG_INTERFACE)
			rc = iface_add(f, in, &b, err);
		if (rc < 0)
			return rc;
	}
	return rc;
}
