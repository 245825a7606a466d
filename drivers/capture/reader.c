/* SPDX-License-Identifier: BSD-3-Clause */
/* Several captures as one stream; the format of each is told by its first bytes. */
#include "reader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct sc_capture_reader {
	char **path;
	unsigned int nb, cur;
	bool is_open, is_ng;
	struct input in;
	struct classic_file classic;
	struct ng_file ng;
};

struct magic {
	uint8_t len;
	uint8_t bytes[8];
	const char *what;
};

static const struct magic pcap_magics[] = {
		{4, {0xa1, 0xb2, 0xc3, 0xd4}, "pcap, us"},
		{4, {0xd4, 0xc3, 0xb2, 0xa1}, "pcap, us"},
		{4, {0xa1, 0xb2, 0x3c, 0x4d}, "pcap, ns"},
		{4, {0x4d, 0x3c, 0xb2, 0xa1}, "pcap, ns"},
};

static const struct magic ng_magic = {4, {0x0a, 0x0d, 0x0d, 0x0a}, "pcapng"};

static const struct magic compressed[] = {
		{2, {0x1f, 0x8b}, "gzip"},
		{4, {0x28, 0xb5, 0x2f, 0xfd}, "zstd"},
		{6, {0xfd, '7', 'z', 'X', 'Z', 0}, "xz"},
		{3, {'B', 'Z', 'h'}, "bzip2"},
		{4, {0x04, 0x22, 0x4d, 0x18}, "lz4"},
		{4, {'P', 'K', 3, 4}, "zip"},
};

/* Other formats of packets, for which a tool exists. */
static const struct magic foreign[] = {
		{4, {0xa1, 0xb2, 0xcd, 0x34}, "modified pcap"},
		{4, {0x34, 0xcd, 0xb2, 0xa1}, "modified pcap"},
		{8, {'s', 'n', 'o', 'o', 'p', 0, 0, 0}, "snoop"},
		{4, {'G', 'M', 'B', 'U'}, "Network Monitor"},
};

static const struct magic *
magic_find(const struct magic *m, size_t nb, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < nb; i++)
		if (len >= m[i].len && memcmp(p, m[i].bytes, m[i].len) == 0)
			return &m[i];
	return NULL;
}

#define MAGIC_FIND(table, p, len) magic_find(table, SC_ARRAY_SIZE(table), p, len)

void
reader_set_link(struct sc_capture_pkt *pkt, uint32_t linktype)
{
	static const struct {
		uint16_t linktype;
		enum sc_link link;
	} known[] = {
			{1, SC_LINK_ETHER},
			{113, SC_LINK_SLL},
			{276, SC_LINK_SLL2},
			{101, SC_LINK_RAW},
			{12, SC_LINK_RAW}, /* DLT_RAW of most systems, that some tools write */
			{14, SC_LINK_RAW}, /* that of OpenBSD */
			{228, SC_LINK_RAW},
			{229, SC_LINK_RAW},
	};

	pkt->linktype = linktype;
	pkt->link = SC_LINK_ETHER;
	pkt->is_known_link = false;
	for (size_t i = 0; i < SC_ARRAY_SIZE(known); i++) {
		if (known[i].linktype != linktype)
			continue;
		pkt->link = known[i].link;
		pkt->is_known_link = true;
		return;
	}
}

static int
file_refuse(const struct input *in, const uint8_t *p, size_t len, struct sc_err *err)
{
	const char *path = input_short_path(in->path);
	const struct magic *m;

	if (len == 0)
		return sc_err_set(err, -EBADMSG,
				"capture %s is empty (0 bytes): even a capture without packets has "
				"a "
				"file header; did its writer fail?",
				path);
	m = MAGIC_FIND(compressed, p, len);
	if (m != NULL)
		return sc_err_set(err, -EBADMSG,
				"capture %s is compressed (%s): decompress it first", path,
				m->what);
	m = MAGIC_FIND(foreign, p, len);
	if (m != NULL)
		return sc_err_set(err, -EBADMSG,
				"capture %s is of the format %s: editcap -F pcapng converts it",
				path, m->what);
	if (len < 4)
		return sc_err_set(err, -EBADMSG,
				"%s is not a capture: %zu bytes, pcap or pcapng is expected", path,
				len);
	return sc_err_set(err, -EBADMSG,
			"%s is not a capture: it begins with %02x %02x %02x %02x, which is neither "
			"pcap "
			"nor pcapng",
			path, p[0], p[1], p[2], p[3]);
}

static void
file_close(struct sc_capture_reader *r)
{
	input_close(&r->in);
	ng_close(&r->ng);
	r->is_open = false;
}

static int
file_open(struct sc_capture_reader *r, const char *path, struct sc_err *err)
{
	const uint8_t *p;
	size_t len;
	int rc;

	rc = input_open(&r->in, path, err);
	if (rc < 0)
		return rc;
	r->is_open = true;
	rc = input_need(&r->in, sizeof(((struct magic *)0)->bytes), err);
	if (rc < 0)
		goto fail;
	p = input_data(&r->in);
	len = input_left(&r->in);
	r->is_ng = magic_find(&ng_magic, 1, p, len) != NULL;
	if (r->is_ng)
		rc = ng_open(&r->ng, &r->in, err);
	else if (MAGIC_FIND(pcap_magics, p, len) != NULL)
		rc = classic_open(&r->classic, &r->in, err);
	else
		rc = file_refuse(&r->in, p, len, err);
	if (rc == 0)
		return 0;
fail:
	file_close(r);
	return rc;
}

struct sc_capture_reader *
sc_capture_reader_open(const char *const *paths, unsigned int nb, struct sc_err *err)
{
	struct sc_capture_reader *r;
	int rc;

	if (nb == 0) {
		errno = -sc_err_set(err, -EINVAL, "no capture is named: at least one is needed");
		return NULL;
	}
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		goto no_memory;
	r->in.fd = -1;
	r->path = calloc(nb, sizeof(*r->path));
	if (r->path == NULL || input_init(&r->in) < 0)
		goto no_memory;
	for (; r->nb < nb; r->nb++) {
		r->path[r->nb] = strdup(paths[r->nb]);
		if (r->path[r->nb] == NULL)
			goto no_memory;
		/* A wrong name is found now, not after an hour of the file before it. */
		rc = file_open(r, r->path[r->nb], err);
		if (rc < 0) {
			r->nb++;
			sc_capture_reader_close(r);
			errno = -rc;
			return NULL;
		}
		file_close(r);
	}
	return r;
no_memory:
	sc_capture_reader_close(r);
	errno = -sc_err_set(err, -ENOMEM, "no memory to read captures");
	return NULL;
}

void
sc_capture_reader_close(struct sc_capture_reader *r)
{
	if (r == NULL)
		return;
	file_close(r);
	input_free(&r->in);
	for (unsigned int i = 0; r->path != NULL && i < r->nb; i++)
		free(r->path[i]);
	free(r->path);
	free(r);
}

int
sc_capture_reader_next(struct sc_capture_reader *r, struct sc_capture_pkt *pkt, struct sc_err *err)
{
	int rc;

	for (; r->cur < r->nb; r->cur++) {
		rc = r->is_open ? 0 : file_open(r, r->path[r->cur], err);
		if (rc == 0)
			rc = r->is_ng ? ng_next(&r->ng, &r->in, pkt, err)
				      : classic_next(&r->classic, &r->in, pkt, err);
		if (rc > 0) {
			pkt->file = r->cur;
			return 1;
		}
		file_close(r);
		if (rc < 0) {
			r->cur++;
			return rc;
		}
	}
	return 0;
}
