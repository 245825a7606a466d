/* SPDX-License-Identifier: BSD-3-Clause */
/* tables: memory of one worker's states, and their free lists. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sc_session.h>

/* All of 0..n-1 free; the lowest is taken first. */
static int
freelist_init(struct sc_freelist *f, uint32_t n, int socket)
{
	f->item = sc_mem_map(n, sizeof(*f->item), socket);
	if (f->item == NULL)
		return -ENOMEM;
	f->nb = n;
	f->total = n;
	for (uint32_t i = 0; i < n; i++)
		f->item[i] = n - 1 - i;
	return 0;
}

static uint32_t
freelist_take(struct sc_freelist *f)
{
	return f->nb == 0 ? SC_NONE : f->item[--f->nb];
}

static void
freelist_give(struct sc_freelist *f, uint32_t i)
{
	f->item[f->nb++] = i;
}

/* All free; the lowest is taken first. */
static void
flow_pool_init(struct sc_tables *t, uint32_t n)
{
	t->free_flow = (struct sc_flow_pool){.first = 0, .nb = n, .total = n};
	for (uint32_t i = 0; i < n; i++)
		t->flow[i].held_head = i + 1;
}

/* Wheel nodes keep one bit of an index for themselves. */
#define SESSIONS_MAX (1u << 31)

static uint64_t
nb_sessions(const struct sc_tables_cfg *cfg)
{
	return (uint64_t)cfg->max_flows * cfg->copies;
}

uint64_t
sc_tables_size(const struct sc_tables_cfg *cfg)
{
	uint64_t nb = nb_sessions(cfg), size = 0;

	size += sc_mem_size(cfg->max_flows, sizeof(struct sc_flow));
	size += sc_mem_size(nb, sizeof(struct sc_session));
	size += sc_mem_size(nb, sizeof(struct sc_wheel_node));
	size += sc_mem_size(cfg->max_tombs, sizeof(struct sc_tomb));
	size += sc_mem_size(cfg->max_held, sizeof(struct sc_held));
	size += sc_mem_size(cfg->max_holes, sizeof(struct sc_hole));
	size += sc_mem_size(cfg->max_chunks, SC_CHUNK_SIZE) + sc_mem_size(cfg->max_chunks, 4);
	size += sc_mem_size(cfg->max_held, 4) + sc_mem_size(cfg->max_chunks, 4);
	size += sc_mem_size(cfg->max_flows, 4); /* last seen */
	size += sc_index_size(cfg->max_flows + cfg->max_tombs) + sc_index_size(SC_PRODS_MAX);
	if (cfg->by_address)
		size += sc_index_size((uint32_t)nb);
	return size + sc_mem_size(SC_PRODS_MAX, sizeof(struct sc_prod));
}

/* False: no memory. Stops at the first that cannot be had: what follows may not be touched either. */
static bool
map_states(struct sc_tables *t, const struct sc_tables_cfg *cfg)
{
	int node = cfg->socket;

	t->copies = cfg->copies;
	t->nb_sessions = (uint32_t)nb_sessions(cfg);
	t->nb_tombs = cfg->max_tombs;
	t->max_refs = cfg->max_refs;
	t->max_holes = SC_MIN(cfg->max_holes, SC_HOLE_NONE);
	t->free_flow.total = cfg->max_flows; /* what is unmapped if the rest cannot be had */
	t->free_held.total = cfg->max_held;
	t->free_chunk.total = cfg->max_chunks;
	return (t->flow = sc_mem_map(cfg->max_flows, sizeof(*t->flow), node)) != NULL
			&& (t->session = sc_mem_map(t->nb_sessions, sizeof(*t->session), node))
			!= NULL
			&& (t->node = sc_mem_map(t->nb_sessions, sizeof(*t->node), node)) != NULL
			&& (t->tomb = sc_mem_map(cfg->max_tombs, sizeof(*t->tomb), node)) != NULL
			&& (t->held = sc_mem_map(cfg->max_held, sizeof(*t->held), node)) != NULL
			&& (t->hole = sc_mem_map(t->max_holes, sizeof(*t->hole), node)) != NULL
			&& (t->chunk = sc_mem_map(cfg->max_chunks, SC_CHUNK_SIZE, node)) != NULL
			&& (t->chunk_next = sc_mem_map(cfg->max_chunks, 4, node)) != NULL
			&& (t->prod = sc_mem_map(SC_PRODS_MAX, sizeof(*t->prod), node)) != NULL
			&& freelist_init(&t->free_held, cfg->max_held, node) == 0
			&& freelist_init(&t->free_chunk, cfg->max_chunks, node) == 0;
}

static int
make_indices(struct sc_tables *t, const struct sc_tables_cfg *cfg)
{
	int ret;

	ret = sc_index_init(&t->by_key, cfg->max_flows + cfg->max_tombs, cfg->socket);
	if (ret == 0)
		ret = sc_index_init(&t->by_endpoint, SC_PRODS_MAX, cfg->socket);
	if (ret == 0 && cfg->by_address)
		ret = sc_index_init(&t->by_tuple, t->nb_sessions, cfg->socket);
	if (ret == 0)
		ret = sc_sweep_init(&t->sweep, cfg->max_flows, cfg->socket);
	return ret;
}

int
sc_tables_init(struct sc_tables *t, const struct sc_tables_cfg *cfg, struct sc_err *err)
{
	int ret;

	memset(t, 0, sizeof(*t));
	if (cfg->max_flows == 0 || cfg->copies == 0 || cfg->max_tombs == 0 || cfg->max_held == 0)
		return sc_err_set(err, -EINVAL,
				"tables need at least one flow, copy, tombstone and held segment");
	if (nb_sessions(cfg) >= SESSIONS_MAX)
		return sc_err_set(err, -EINVAL,
				"%u flows with %u copies are %llu sessions: a worker's tables have "
				"at "
				"most %u; lower max-flows or copies, or use more workers",
				cfg->max_flows, cfg->copies, (unsigned long long)nb_sessions(cfg),
				SESSIONS_MAX - 1);
	ret = map_states(t, cfg) ? make_indices(t, cfg) : -ENOMEM;
	if (ret < 0) {
		sc_tables_fini(t);
		return sc_err_set(err, ret,
				"no memory for %u flows and %llu sessions: %llu MiB wanted; lower "
				"max-flows or held-bytes",
				cfg->max_flows, (unsigned long long)nb_sessions(cfg),
				(unsigned long long)(sc_tables_size(cfg) >> 20));
	}
	flow_pool_init(t, cfg->max_flows);
	sc_wheel_init(&t->wheel, t->node, t->nb_sessions, cfg->now_us);
	return 0;
}

static void
freelist_fini(struct sc_freelist *f)
{
	sc_mem_unmap(f->item, f->total, sizeof(*f->item));
}

void
sc_tables_fini(struct sc_tables *t)
{
	sc_mem_unmap(t->flow, t->free_flow.total, sizeof(*t->flow));
	sc_mem_unmap(t->session, t->nb_sessions, sizeof(*t->session));
	sc_mem_unmap(t->node, t->nb_sessions, sizeof(*t->node));
	sc_mem_unmap(t->tomb, t->nb_tombs, sizeof(*t->tomb));
	sc_mem_unmap(t->held, t->free_held.total, sizeof(*t->held));
	sc_mem_unmap(t->hole, t->max_holes, sizeof(*t->hole));
	sc_mem_unmap(t->chunk, t->free_chunk.total, SC_CHUNK_SIZE);
	sc_mem_unmap(t->chunk_next, t->free_chunk.total, sizeof(*t->chunk_next));
	sc_mem_unmap(t->prod, SC_PRODS_MAX, sizeof(*t->prod));
	freelist_fini(&t->free_held);
	freelist_fini(&t->free_chunk);
	sc_index_free(&t->by_key);
	sc_index_free(&t->by_endpoint);
	sc_index_free(&t->by_tuple);
	sc_sweep_free(&t->sweep);
	memset(t, 0, sizeof(*t));
}

uint32_t
sc_flow_take(struct sc_tables *t)
{
	uint32_t i = t->free_flow.first;
	struct sc_flow *f;

	if (t->free_flow.nb == 0)
		return SC_NONE;
	f = &t->flow[i];
	t->free_flow.first = f->held_head;
	t->free_flow.nb--;
	memset(f, 0, sizeof(*f));
	f->held_head = SC_NONE;
	f->hole = SC_HOLE_NONE;
	return i;
}

bool
sc_hole_take(struct sc_tables *t, uint32_t flow)
{
	if (t->nb_holes == t->max_holes)
		return false;
	t->flow[flow].hole = t->nb_holes & SC_HOLE_NONE;
	t->hole[t->nb_holes++] = (struct sc_hole){.flow = flow, .head = SC_NONE};
	return true;
}

void
sc_hole_give(struct sc_tables *t, uint32_t flow)
{
	uint32_t i = t->flow[flow].hole;

	t->hole[i] = t->hole[--t->nb_holes];
	t->flow[t->hole[i].flow].hole = i & SC_HOLE_NONE;
	t->flow[flow].hole = SC_HOLE_NONE;
}

void
sc_flow_give(struct sc_tables *t, uint32_t i)
{
	if (t->flow[i].hole != SC_HOLE_NONE)
		sc_hole_give(t, i);
	t->flow[i].state = SC_FLOW_FREE;
	t->flow[i].held_head = t->free_flow.first;
	t->free_flow.first = i;
	t->free_flow.nb++;
	sc_sweep_forget(&t->sweep, i);
}

uint32_t
sc_session_take(struct sc_tables *t, uint32_t flow, uint32_t copy)
{
	uint32_t i = sc_session_of(t, flow, copy);
	struct sc_session *s = &t->session[i];

	memset(s, 0, sizeof(*s));
	s->cur_una = s->cur_nxt = SC_NONE;
	return i;
}

void
sc_session_give(struct sc_tables *t, uint32_t i)
{
	sc_wheel_cancel(&t->wheel, i);
	t->session[i].state = SC_CONN_FREE;
}

uint32_t
sc_held_take_empty(struct sc_tables *t)
{
	uint32_t i = freelist_take(&t->free_held);

	if (i == SC_NONE)
		return SC_NONE;
	memset(&t->held[i], 0, sizeof(t->held[i]));
	t->held[i].next = SC_NONE;
	t->held[i].tail = i;
	t->held[i].off = SC_NONE;
	return i;
}

/* Copy payload into chunks; SC_NONE when there are too few. */
static uint32_t
fill_chunks(struct sc_tables *t, const struct sc_seg *seg, uint32_t off, uint32_t len)
{
	uint32_t nb = (len + SC_CHUNK_SIZE - 1) / SC_CHUNK_SIZE;
	uint32_t first = SC_NONE, last = SC_NONE, done = 0;

	if (nb > t->free_chunk.nb)
		return SC_NONE;
	while (done < len) {
		uint32_t n = SC_MIN(len - done, (uint32_t)SC_CHUNK_SIZE);
		uint32_t c = freelist_take(&t->free_chunk);

		sc_packet_copy_payload(seg, off + done, n, t->chunk[c]);
		t->chunk_next[c] = SC_NONE;
		if (first == SC_NONE)
			first = c;
		else
			t->chunk_next[last] = c;
		last = c;
		done += n;
	}
	return first;
}

uint32_t
sc_held_take_chunk(struct sc_tables *t, const struct sc_seg *seg)
{
	struct sc_held *h;
	uint32_t i, c;

	if (t->free_held.nb == 0 || t->free_chunk.nb == 0)
		return SC_NONE;
	i = freelist_take(&t->free_held);
	c = freelist_take(&t->free_chunk);
	memcpy(t->chunk[c], rte_pktmbuf_mtod_offset(seg->mbuf, void *, seg->payload_off),
			seg->payload_len);
	t->chunk_next[c] = SC_NONE;
	h = &t->held[i];
	*h = (struct sc_held){
			.next = SC_NONE,
			.seq = seg->seq,
			.len = seg->payload_len,
			.refs = 1,
			.sum = seg->payload_sum,
			.kind = SC_HELD_DATA,
			.off = c,
			.tail = i,
	};
	return i;
}

uint32_t
sc_held_take(struct sc_tables *t, const struct sc_seg *seg, uint32_t off, uint32_t len,
		uint32_t copy_below, bool *took_mbuf)
{
	uint32_t nb_segs = seg->mbuf->nb_segs;
	uint32_t i = sc_held_take_empty(t);
	struct sc_held *h;

	*took_mbuf = false;
	if (i == SC_NONE)
		return SC_NONE;
	h = &t->held[i];
	h->len = len;
	if (len > copy_below && t->nb_refs + nb_segs <= t->max_refs) {
		h->flags = SC_HELD_REF;
		h->mbuf = seg->mbuf;
		h->off = seg->payload_off + off;
		t->nb_refs += nb_segs;
		*took_mbuf = true;
	} else {
		h->off = fill_chunks(t, seg, off, len);
		if (h->off == SC_NONE && len > 0) {
			freelist_give(&t->free_held, i);
			return SC_NONE;
		}
	}
	h->sum = off == 0 && len == seg->payload_len ? seg->payload_sum : sc_held_sum(t, h, 0, len);
	return i;
}

void
sc_held_give(struct sc_tables *t, uint32_t i)
{
	struct sc_held *h = &t->held[i];

	if (h->flags & SC_HELD_REF) {
		t->nb_refs -= h->mbuf->nb_segs;
		rte_pktmbuf_free(h->mbuf);
	} else {
		for (uint32_t c = h->off; c != SC_NONE;) {
			uint32_t next = t->chunk_next[c];

			freelist_give(&t->free_chunk, c);
			c = next;
		}
	}
	freelist_give(&t->free_held, i);
}

uint32_t
sc_held_fill(const struct sc_tables *t)
{
	const struct sc_freelist *h = &t->free_held, *c = &t->free_chunk;
	uint64_t held = (uint64_t)(h->total - h->nb) * 1000 / h->total;
	uint64_t chunks = c->total == 0 ? 0 : (uint64_t)(c->total - c->nb) * 1000 / c->total;

	return SC_MAX(held, chunks);
}
