/* SPDX-License-Identifier: BSD-3-Clause */
/* One direction of a captured connection: a sorted list of places. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "index.h"

static uint64_t
seg_end(const struct cap_seg *s)
{
	return s->off + s->len;
}

uint32_t
peer_dir_find(const struct cap_dir *d, uint64_t off)
{
	uint32_t lo = 0, hi = d->nb, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (seg_end(&d->seg[mid]) > off)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

static int
insert_at(struct peer_index *ix, struct cap_dir *d, uint32_t i, const struct cap_seg *piece)
{
	struct cap_seg *seg;
	uint32_t room;

	if (ix->nb_segs >= ix->max_segs)
		return -E2BIG;
	if (d->nb == d->room) {
		room = d->room == 0 ? 2 : d->room * 2;
		seg = realloc(d->seg, room * sizeof(*seg));
		if (seg == NULL)
			return -ENOMEM;
		d->seg = seg;
		d->room = room;
	}
	memmove(&d->seg[i + 1], &d->seg[i], (d->nb - i) * sizeof(*d->seg));
	d->seg[i] = *piece;
	d->nb++;
	ix->nb_segs++;
	return 0;
}

static void
cut_front(struct cap_seg *s, uint32_t len)
{
	s->pos += len;
	s->off += len;
	s->len -= len;
}

int
peer_dir_insert(struct peer_index *ix, struct cap_dir *d, struct cap_seg piece)
{
	struct cap_seg part;
	uint32_t i = d->nb;
	int rc = 0;

	if (d->nb > 0 && seg_end(&d->seg[d->nb - 1]) > piece.off)
		i = peer_dir_find(d, piece.off);
	while (rc == 0 && piece.len > 0) {
		if (i < d->nb && d->seg[i].off <= piece.off) {
			cut_front(&piece,
					(uint32_t)SC_MIN(piece.len,
							seg_end(&d->seg[i]) - piece.off));
			i++;
			continue;
		}
		part = piece;
		if (i < d->nb)
			part.len = (uint32_t)SC_MIN(part.len, d->seg[i].off - part.off);
		rc = insert_at(ix, d, i++, &part);
		cut_front(&piece, part.len);
	}
	return rc;
}

/* ---- packing ---- */

/* What of the stream before `off` is in the captures; sum[i]: bytes before segment i. */
static uint64_t
packed(const struct cap_dir *d, const uint64_t *sum, uint64_t off)
{
	uint32_t i = peer_dir_find(d, off);
	uint64_t n = sum[i];

	if (i < d->nb && d->seg[i].off < off)
		n += off - d->seg[i].off;
	return n + (d->has_fin && off > d->fin_off ? 1 : 0);
}

static uint64_t *
sums(const struct cap_dir *d)
{
	uint64_t *sum = malloc((d->nb + 1) * sizeof(*sum));

	if (sum == NULL)
		return NULL;
	sum[0] = 0;
	for (uint32_t i = 0; i < d->nb; i++)
		sum[i + 1] = sum[i] + d->seg[i].len;
	return sum;
}

/* Rewrite what d says of the other direction. */
static void
pack_deps(struct cap_dir *d, const struct cap_dir *other, const uint64_t *other_sum)
{
	for (uint32_t i = 0; i < d->nb; i++)
		d->seg[i].dep = packed(other, other_sum, d->seg[i].dep);
	d->fin_dep = packed(other, other_sum, d->fin_dep);
	d->rst_dep = packed(other, other_sum, d->rst_dep);
}

static void
pack_offs(struct cap_dir *d, const uint64_t *sum)
{
	uint64_t dep = 0;

	for (uint32_t i = 0; i < d->nb; i++) {
		dep = SC_MAX(dep, d->seg[i].dep);
		d->seg[i].off = sum[i];
		d->seg[i].is_turn_end = i + 1 == d->nb || d->seg[i + 1].dep > dep;
	}
	d->end = sum[d->nb];
	d->fin_off = d->end;
	d->rst_off = d->end;
}

int
peer_flow_pack(struct cap_flow *f)
{
	uint64_t *in = sums(&f->in), *out = sums(&f->out);
	int rc = in != NULL && out != NULL ? 0 : -ENOMEM;

	if (rc == 0) {
		pack_deps(&f->in, &f->out, out);
		pack_deps(&f->out, &f->in, in);
		pack_offs(&f->in, in);
		pack_offs(&f->out, out);
	}
	free(in);
	free(out);
	return rc;
}

/* ---- reading ---- */

int
peer_dir_read(const struct peer_index *ix, const struct cap_dir *d, uint64_t off, uint32_t len,
		uint8_t *buf)
{
	uint32_t i = peer_dir_find(d, off), n;
	int rc = 0;

	for (; len > 0 && rc == 0; i++) {
		assert(i < d->nb && d->seg[i].off <= off);
		n = (uint32_t)SC_MIN(len, seg_end(&d->seg[i]) - off);
		rc = peer_index_read(ix, d->seg[i].pos + (off - d->seg[i].off), n, buf);
		off += n;
		len -= n;
		buf += n;
	}
	return rc;
}
