/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include <rte_errno.h>
#include <rte_mbuf_dyn.h>

#include <sc_packet.h>

int sc_mbuf_meta_offset = -1;

int
sc_mbuf_init(void)
{
	static const struct rte_mbuf_dynfield field = {
			.name = "spancopy_meta",
			.size = sizeof(struct sc_mbuf_meta),
			.align = __alignof__(struct sc_mbuf_meta),
	};

	sc_mbuf_meta_offset = rte_mbuf_dynfield_register(&field);
	return sc_mbuf_meta_offset < 0 ? -rte_errno : 0;
}

/* It can go back to its pool as it is. */
static inline bool
is_simple(const struct rte_mbuf *m)
{
	return m->next == NULL && m->nb_segs == 1 && rte_mbuf_refcnt_read(m) == 1
			&& RTE_MBUF_DIRECT(m);
}

static __rte_noinline void
free_any(struct rte_mbuf *m)
{
	rte_pktmbuf_free(m);
}

static __rte_noinline void
free_simple(struct rte_mbuf **m, unsigned int n)
{
	if (n > 0)
		rte_mempool_put_bulk(m[0]->pool, (void *const *)m, n);
}

void
sc_mbuf_free_burst(struct rte_mbuf **m, unsigned int n)
{
	unsigned int nb = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct rte_mbuf *f = m[i];

		if (!is_simple(f)) {
			free_any(f);
			continue;
		}
		if (nb > 0 && f->pool != m[0]->pool) {
			free_simple(m, nb);
			nb = 0;
		}
		m[nb++] = f;
	}
	free_simple(m, nb);
}
