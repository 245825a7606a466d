/* SPDX-License-Identifier: BSD-3-Clause */
/* held: reading client bytes back out of chunks and frames. */
#include <string.h>

#include <sc_session.h>

/* The longest piece that sc_held_sum() copies at once; even, so that sums add up. */
#define SUM_PIECE 2048

static void
copy_from_frame(const struct sc_held *h, uint32_t off, uint32_t len, void *dst)
{
	const void *p = rte_pktmbuf_read(h->mbuf, h->off + off, len, dst);

	if (p != NULL && p != dst)
		memcpy(dst, p, len);
}

static void
copy_from_chunks(const struct sc_tables *t, const struct sc_held *h, uint32_t off, uint32_t len,
		uint8_t *dst)
{
	uint32_t c = h->off;

	for (; off >= SC_CHUNK_SIZE; off -= SC_CHUNK_SIZE)
		c = t->chunk_next[c];
	while (len > 0) {
		uint32_t n = SC_MIN(len, SC_CHUNK_SIZE - off);

		memcpy(dst, t->chunk[c] + off, n);
		dst += n;
		len -= n;
		off = 0;
		c = t->chunk_next[c];
	}
}

void
sc_held_copy(const struct sc_tables *t, const struct sc_held *h, uint32_t off, uint32_t len,
		void *dst)
{
	if (len == 0)
		return;
	if (h->flags & SC_HELD_REF)
		copy_from_frame(h, off, len, dst);
	else
		copy_from_chunks(t, h, off, len, dst);
}

uint16_t
sc_held_sum(const struct sc_tables *t, const struct sc_held *h, uint32_t off, uint32_t len)
{
	uint8_t piece[SUM_PIECE];
	uint16_t sum = 0;
	uint32_t done = 0;

	while (done < len) {
		uint32_t n = SC_MIN(len - done, (uint32_t)sizeof(piece));

		sc_held_copy(t, h, off + done, n, piece);
		sum = sc_packet_sum_add(sum, done, sc_packet_sum(piece, n));
		done += n;
	}
	return sum;
}
