/* SPDX-License-Identifier: BSD-3-Clause */
/* The index as a whole: targets, hash tables, files. */
#include "index.h"

#define FIRSTS_LOOKED 1000u /* reads of a few bytes that a poll can spare */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- hashes ---- */

static uint64_t
mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 32;
}

uint64_t
peer_tuple_hash(const struct sc_addr *client, uint16_t cport, const struct sc_addr *server,
		uint16_t sport)
{
	uint64_t h = mix(client->u64[0], client->u64[1]);

	h = mix(mix(h, server->u64[0]), server->u64[1]);
	return mix(h, (uint64_t)cport << 16 | sport);
}

static uint32_t
isn_chain(const struct peer_index *ix, uint16_t target, uint32_t isn)
{
	return (uint32_t)mix(target, isn) & ix->mask;
}

/* FNV-1a: the hash of every prefix comes out on the way. */
static uint32_t
prefix_step(uint32_t h, uint8_t byte)
{
	return (h ^ byte) * 16777619u;
}

#define PREFIX_START 2166136261u

static uint32_t
prefix_chain(const struct peer_index *ix, uint16_t target, uint32_t len, uint32_t hash)
{
	return (uint32_t)mix(mix(target, len), hash) & ix->mask;
}

/* ---- targets ---- */

int
peer_index_target(const struct peer_index *ix, const struct sc_addr *addr, uint16_t port)
{
	for (unsigned int i = 0; i < ix->nb_targets; i++)
		if (ix->target[i].port == port && sc_addr_eq(&ix->target[i].addr, addr))
			return (int)i;
	return -1;
}

static int
targets_init(struct peer_index *ix, const struct peer_index_cfg *cfg)
{
	const struct sc_rule *r;

	ix->target = calloc(cfg->nb_rules + 1, sizeof(*ix->target));
	if (ix->target == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; i < cfg->nb_rules; i++) {
		r = &cfg->rules[i];
		if (peer_index_target(ix, &r->target, r->target_port) >= 0)
			continue;
		ix->target[ix->nb_targets].addr = r->target;
		ix->target[ix->nb_targets++].port = r->target_port;
	}
	return 0;
}

/* ---- files ---- */

static int
files_open(struct peer_index *ix, const struct peer_index_cfg *cfg, struct sc_err *err)
{
	int rc;

	ix->fd = malloc((cfg->nb_paths + 1) * sizeof(*ix->fd));
	if (ix->fd == NULL)
		return sc_err_set(err, -ENOMEM, "peer: no memory for %u files", cfg->nb_paths);
	for (; ix->nb_fds < cfg->nb_paths; ix->nb_fds++) {
		ix->fd[ix->nb_fds] = open(cfg->paths[ix->nb_fds], O_RDONLY | O_CLOEXEC);
		if (ix->fd[ix->nb_fds] >= 0)
			continue;
		rc = -errno;
		return sc_err_set(err, rc, "peer: %s: cannot open: %s; name a readable capture",
				cfg->paths[ix->nb_fds], strerror(-rc));
	}
	return 0;
}

int
peer_index_read(const struct peer_index *ix, uint64_t pos, uint32_t len, uint8_t *buf)
{
	int fd = ix->fd[pos >> PEER_POS_BITS];
	off_t off = (off_t)(pos & ((1ull << PEER_POS_BITS) - 1));
	ssize_t n;

	while (len > 0) {
		n = pread(fd, buf, len, off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EIO;
		buf += n;
		off += n;
		len -= (uint32_t)n;
	}
	return 0;
}

/* ---- hash tables ---- */

static int
flow_link_prefix(struct peer_index *ix, uint32_t i)
{
	struct cap_flow *f = &ix->flow[i];
	uint8_t buf[PEER_PREFIX];
	uint32_t h;

	if (f->in.nb == 0)
		return 0;
	f->prefix_len = SC_MIN(f->in.seg[0].len, PEER_PREFIX);
	if (peer_index_read(ix, f->in.seg[0].pos, f->prefix_len, buf) < 0)
		return -EIO;
	f->prefix_hash = PREFIX_START;
	for (uint32_t k = 0; k < f->prefix_len; k++)
		f->prefix_hash = prefix_step(f->prefix_hash, buf[k]);
	ix->target[f->target].has_prefix[f->prefix_len] = true;
	h = prefix_chain(ix, f->target, f->prefix_len, f->prefix_hash);
	f->next_prefix = ix->by_prefix[h];
	ix->by_prefix[h] = i;
	return 0;
}

static int
tables_init(struct peer_index *ix)
{
	uint32_t size = 1024;

	while (size < ix->nb_flows && size < 1u << 30)
		size *= 2;
	ix->mask = size - 1;
	ix->by_isn = malloc(size * sizeof(*ix->by_isn));
	ix->by_prefix = malloc(size * sizeof(*ix->by_prefix));
	if (ix->by_isn == NULL || ix->by_prefix == NULL)
		return -ENOMEM;
	memset(ix->by_isn, 0xff, size * sizeof(*ix->by_isn));
	memset(ix->by_prefix, 0xff, size * sizeof(*ix->by_prefix));
	return 0;
}

static int
flow_finish(struct peer_index *ix, uint32_t i)
{
	struct cap_flow *f = &ix->flow[i];
	uint32_t h;

	/* RFC 9293 section 3.4: the SYN would have stood before the first byte. */
	if (!f->has_syn)
		f->isn = f->in.base + (f->in.nb > 0 ? (uint32_t)f->in.seg[0].off : 0) - 1;
	if (peer_flow_pack(f) < 0)
		return -ENOMEM;
	h = isn_chain(ix, f->target, f->isn);
	f->next_isn = ix->by_isn[h];
	ix->by_isn[h] = i;
	ix->target[f->target].nb_flows++;
	return flow_link_prefix(ix, i);
}

static int
finish(struct peer_index *ix, struct sc_err *err)
{
	int rc = tables_init(ix);

	/* Backwards: chains then list flows as they were captured. */
	for (uint32_t i = ix->nb_flows; rc == 0 && i-- > 0;)
		rc = flow_finish(ix, i);
	if (rc == 0)
		rc = peer_ranges_init(ix);
	if (rc == -EIO)
		return sc_err_set(err, rc,
				"peer: a capture became shorter while it was read; "
				"copy it to a place where nothing changes it");
	if (rc < 0)
		return sc_err_set(err, rc, "peer: no memory for the index of %u connections",
				ix->nb_flows);
	return 0;
}

int
peer_index_init(struct peer_index *ix, const struct peer_index_cfg *cfg, struct sc_err *err)
{
	int rc;

	memset(ix, 0, sizeof(*ix));
	ix->max_segs = cfg->max_segs != 0 ? cfg->max_segs : PEER_SEGS_MAX;
	if (cfg->nb_paths > UINT16_MAX)
		return sc_err_set(err, -E2BIG, "peer: %u captures, %u are possible", cfg->nb_paths,
				UINT16_MAX);
	rc = targets_init(ix, cfg);
	if (rc < 0)
		sc_err_set(err, rc, "peer: no memory for %u rules", cfg->nb_rules);
	if (rc == 0)
		rc = peer_scan(ix, cfg, err);
	if (rc == 0)
		rc = files_open(ix, cfg, err);
	if (rc == 0)
		rc = finish(ix, err);
	if (rc < 0)
		peer_index_free(ix);
	return rc;
}

void
peer_index_free(struct peer_index *ix)
{
	for (uint32_t i = 0; i < ix->nb_flows; i++) {
		free(ix->flow[i].in.seg);
		free(ix->flow[i].out.seg);
	}
	for (unsigned int i = 0; i < ix->nb_fds; i++)
		close(ix->fd[i]);
	free(ix->flow);
	free(ix->fd);
	free(ix->target);
	free(ix->by_isn);
	free(ix->by_prefix);
	free(ix->range);
	memset(ix, 0, sizeof(*ix));
}

/* ---- looking up ---- */

static uint32_t
less_used(const struct peer_index *ix, uint32_t best, uint32_t i)
{
	return best == PEER_NONE || ix->flow[i].uses < ix->flow[best].uses ? i : best;
}

uint32_t
peer_index_by_isn(const struct peer_index *ix, uint16_t target, uint32_t isn,
		const struct sc_addr *client, uint16_t cport)
{
	uint32_t i = ix->by_isn[isn_chain(ix, target, isn)], best = PEER_NONE;
	const struct cap_flow *f;

	for (; i != PEER_NONE; i = f->next_isn) {
		f = &ix->flow[i];
		if (f->target != target || f->isn != isn)
			continue;
		if (f->cport == cport && sc_addr_eq(&f->client, client))
			return i;
		best = less_used(ix, best, i);
	}
	return best;
}

static bool
is_first_segment(const struct peer_index *ix, const struct cap_flow *f, const uint8_t *data,
		uint32_t len)
{
	uint8_t buf[PEER_FIRST];
	uint32_t n = SC_MIN(SC_MIN(f->in.seg[0].len, len), PEER_FIRST);

	return peer_index_read(ix, f->in.seg[0].pos, n, buf) == 0 && memcmp(buf, data, n) == 0;
}

uint32_t
peer_index_by_bytes(const struct peer_index *ix, uint16_t target, const uint8_t *data, uint32_t len)
{
	uint32_t hash = PREFIX_START, best = PEER_NONE, i;
	const struct cap_flow *f;

	for (uint32_t n = 1; n <= SC_MIN(len, PEER_PREFIX); n++) {
		hash = prefix_step(hash, data[n - 1]);
		if (!ix->target[target].has_prefix[n])
			continue;
		i = ix->by_prefix[prefix_chain(ix, target, n, hash)];
		for (; i != PEER_NONE; i = f->next_prefix) {
			f = &ix->flow[i];
			if (f->target != target || f->prefix_len != n || f->prefix_hash != hash)
				continue;
			if (best != PEER_NONE && ix->flow[best].uses <= f->uses
					&& ix->flow[best].prefix_len >= n)
				continue;
			if (is_first_segment(ix, f, data, len))
				best = i;
		}
	}
	return best;
}

bool
peer_index_may_begin(
		const struct peer_index *ix, uint16_t target, const uint8_t *data, uint32_t len)
{
	uint32_t nb_looked = 0;
	const struct cap_flow *f;

	for (uint32_t i = 0; i < ix->nb_flows; i++) {
		f = &ix->flow[i];
		if (f->target != target || f->prefix_len <= len)
			continue;
		if (nb_looked++ == FIRSTS_LOOKED || is_first_segment(ix, f, data, len))
			return true;
	}
	return false;
}
