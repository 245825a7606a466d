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
