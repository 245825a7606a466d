/* SPDX-License-Identifier: BSD-3-Clause */
/* Life times: a cursor over last_seen[], a bounded slice at a time. */
#include <errno.h>
#include <string.h>

#include "sc_timer.h"

int
sc_sweep_init(struct sc_sweep *s, uint32_t nb, int socket)
{
	*s = (struct sc_sweep){.nb = nb};
	s->last_seen = sc_mem_map(nb, sizeof(*s->last_seen), socket);
	if (s->last_seen == NULL) {
		s->nb = 0;
		return -ENOMEM;
	}
	return 0;
}

void
sc_sweep_free(struct sc_sweep *s)
{
	sc_mem_unmap(s->last_seen, s->nb, sizeof(*s->last_seen));
	memset(s, 0, sizeof(*s));
}

uint32_t
sc_sweep_run(struct sc_sweep *s, uint64_t now_us, uint32_t slice, uint32_t *out, uint32_t max)
{
	uint64_t now_s = now_us / SC_US_PER_S;
	uint32_t left = SC_MIN(slice, s->nb), nb = 0;

	for (; left > 0 && nb < max; left--) {
		uint32_t i = s->cursor, seen = s->last_seen[i];
		uint32_t ttl_s = seen & SC_SWEEP_LONG ? s->long_s : s->ttl_s;

		s->cursor = i + 1 == s->nb ? 0 : i + 1;
		if (seen != 0 && now_s > (uint64_t)(seen & ~SC_SWEEP_LONG) + ttl_s)
			out[nb++] = i;
	}
	return nb;
}
