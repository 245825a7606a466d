/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the capture reader share: buffered input with offsets, and one reader a format. */
#ifndef READER_H
#define READER_H

#include <sc_base.h>
#include <sc_capture.h>

/* The largest snap length that libpcap and Wireshark write: a record above it is damage. */
#define READER_CAPLEN_MAX 262144u
/* A packet block with its options; what is parsed at once never exceeds it. */
#define READER_BLOCK_MAX (READER_CAPLEN_MAX + 131072u)
#define READER_IFACES_MAX 65536u
/* Later times (year 2116) are cut to this, so that differences never overflow 63 bits. */
#define READER_TS_MAX (INT64_MAX / 2)
#define READER_NS_PER_S 1000000000ull

/* ---- input: a file read forward through one buffer that is never enlarged ---- */

struct input {
	int fd;
	const char *path;
	uint8_t *buf;
	size_t beg, end; /* what has been read and not yet taken */
	uint64_t offset; /* in the file, of buf[beg] */
};

int input_init(struct input *in); /* 0 or -ENOMEM */
void input_free(struct input *in);
/* Open a regular file; a sentence otherwise. path is kept by reference. */
int input_open(struct input *in, const char *path, struct sc_err *err);
void input_close(struct input *in);

static inline const uint8_t *
input_data(const struct input *in)
{
	return in->buf + in->beg;
}

static inline size_t
input_left(const struct input *in)
{
	return in->end - in->beg;
}

/*
 * Make n bytes (at most READER_BLOCK_MAX) stand at input_data(): 1; 0 when the file ends before the
 * n-th (input_left() are there); -EIO with a sentence. Invalidates earlier input_data().
 */
int input_need(struct input *in, size_t n, struct sc_err *err);
void input_take(struct input *in, size_t n);
/* Pass over n bytes: 1, 0 when the file ends before, -EIO. */
int input_skip(struct input *in, uint64_t n, struct sc_err *err);

/* Damage at `offset` of the file: fmt says what was found there. Returns -EBADMSG. */
int input_damage(const struct input *in, uint64_t offset, struct sc_err *err, const char *fmt, ...)
		__attribute__((format(printf, 4, 5)));

/* The end of a long path, for messages. */
const char *input_short_path(const char *path);

static inline uint16_t
get16(const uint8_t *p, bool is_big)
{
	return is_big ? (uint16_t)(p[0] << 8 | p[1]) : (uint16_t)(p[1] << 8 | p[0]);
}

static inline uint32_t
get32(const uint8_t *p, bool is_big)
{
	uint32_t a = get16(p, is_big), b = get16(p + 2, is_big);

	return is_big ? a << 16 | b : b << 16 | a;
}

static inline uint64_t
get64(const uint8_t *p, bool is_big)
{
	uint64_t a = get32(p, is_big), b = get32(p + 4, is_big);

	return is_big ? a << 32 | b : b << 32 | a;
}

/* ---- formats: `open` takes the file header; `next` as sc_capture_reader_next ---- */

struct classic_file {
	bool is_big, is_ns;
	uint32_t linktype;
};

int classic_open(struct classic_file *f, struct input *in, struct sc_err *err);
int classic_next(struct classic_file *f, struct input *in, struct sc_capture_pkt *pkt,
		struct sc_err *err);

struct ng_iface {
	uint32_t linktype, snaplen;
	uint8_t tsresol;
	int64_t tsoffset; /* seconds */
};

struct ng_file {
	bool is_big;
	uint32_t nb_ifaces, room; /* of the section */
	struct ng_iface *iface;
	uint64_t last_ns; /* for simple packet blocks, which have no time */
};

int ng_open(struct ng_file *f, struct input *in, struct sc_err *err);
int ng_next(struct ng_file *f, struct input *in, struct sc_capture_pkt *pkt, struct sc_err *err);
void ng_close(struct ng_file *f);

/* Fill pkt->linktype, link and is_known_link. */
void reader_set_link(struct sc_capture_pkt *pkt, uint32_t linktype);

#endif
