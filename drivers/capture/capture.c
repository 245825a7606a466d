/* SPDX-License-Identifier: BSD-3-Clause */
/* The ring port: records become mbufs, wait for their time, and go to the ring of their queue. */
#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ring.h>

#include "reader.h"
#include "timeline.h"

#define CAPTURE_QUEUES_MAX 16 /* of a ring port */
#define CAPTURE_RING 1024u
#define CAPTURE_BURST 64u
/* Records that a poll looks at: those of unknown link types give no frame, yet a poll must end. */
#define CAPTURE_LOOKED 256u

struct queue {
	struct rte_ring *ring;
	uint16_t nb;   /* in burst */
	uint16_t room; /* how many more the ring takes in this poll, at most CAPTURE_BURST */
	struct rte_mbuf *burst[CAPTURE_BURST];
};

struct sc_capture {
	struct sc_capture_cfg cfg; /* paths and nb_paths are not used after create */
	struct sc_capture_reader *reader;
	struct sc_port port;
	struct timeline time;
	uint64_t start_us; /* of the first poll; valid with is_started */
	bool is_started;
	bool has_pkt;           /* pkt waits for its time or for mbufs */
	struct rte_mbuf *waits; /* made of pkt, waits for room on queue `waits_queue` */
	uint16_t waits_queue;
	uint64_t pkt_us; /* of pkt since the first record */
	struct sc_capture_pkt pkt;
	struct sc_capture_stats stats;
	/* The ring driver makes no port without a TX ring. The port is configured without TX queues. */
	struct rte_ring *no_tx;
	struct queue queue[CAPTURE_QUEUES_MAX];
};

/* ---- the port ---- */

static struct rte_ring *
ring_create(const struct sc_capture *c, unsigned int serial, uint16_t no, unsigned int size)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "sc_cap%u_%u", serial, no);
	return rte_ring_create(name, size, c->cfg.pool->socket_id,
			RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
}

static int
rings_create(struct sc_capture *c, unsigned int serial, struct sc_err *err)
{
	uint16_t nb = c->cfg.nb_queues;
	bool is_made;

	c->no_tx = ring_create(c, serial, nb, 1);
	is_made = c->no_tx != NULL;
	for (uint16_t q = 0; is_made && q < nb; q++) {
		c->queue[q].ring = ring_create(c, serial, q, CAPTURE_RING);
		is_made = c->queue[q].ring != NULL;
	}
	if (!is_made)
		return sc_err_set(err, -rte_errno, "capture: cannot make %u rings of %u: %s", nb,
				CAPTURE_RING, rte_strerror(rte_errno));
	return 0;
}

static void
rings_free(struct sc_capture *c)
{
	struct rte_mbuf *m;

	for (uint16_t q = 0; q < c->cfg.nb_queues; q++) {
		while (c->queue[q].ring != NULL
				&& rte_ring_dequeue(c->queue[q].ring, (void **)&m) == 0)
			rte_pktmbuf_free(m);
		rte_ring_free(c->queue[q].ring);
	}
	rte_ring_free(c->no_tx);
}

static int
port_setup(struct sc_capture *c)
{
	const struct rte_eth_conf conf = {0};
	uint16_t id = c->port.id;
	int rc;

	rc = rte_eth_dev_configure(id, c->cfg.nb_queues, 0, &conf);
	for (uint16_t q = 0; rc == 0 && q < c->cfg.nb_queues; q++)
		rc = rte_eth_rx_queue_setup(
				id, q, CAPTURE_RING, c->cfg.pool->socket_id, NULL, c->cfg.pool);
	return rc == 0 ? rte_eth_dev_start(id) : rc;
}

static int
port_create(struct sc_capture *c, unsigned int serial, struct sc_err *err)
{
	struct rte_ring *rings[CAPTURE_QUEUES_MAX];
	struct sc_port *p = &c->port;
	char name[32];
	int rc;

	for (uint16_t q = 0; q < c->cfg.nb_queues; q++)
		rings[q] = c->queue[q].ring;
	snprintf(name, sizeof(name), "sc_cap%u", serial);
	rc = rte_eth_from_rings(name, rings, c->cfg.nb_queues, &c->no_tx, 1, 0);
	if (rc < 0)
		return sc_err_set(err, -ENODEV, "capture: cannot make a ring port: %s",
				rte_strerror(rte_errno));
	*p = (struct sc_port){.id = (uint16_t)rc,
			.role = SC_PORT_MIRROR,
			.is_ring = true,
			.is_file = true,
			.has_multi_segs = true,
			.nb_rxq = c->cfg.nb_queues,
			.rx_desc = CAPTURE_RING,
			.mtu = UINT16_MAX};
	rte_eth_dev_get_name_by_port(p->id, p->name);
	rc = port_setup(c);
	if (rc < 0)
		return sc_err_set(err, rc, "capture: cannot start ring port %s: %s", p->name,
				rte_strerror(-rc));
	return 0;
}

static void
port_remove(struct sc_port *p)
{
	struct rte_eth_dev_info info;

	if (p->name[0] == '\0')
		return;
	(void)rte_eth_dev_stop(p->id); /* it may not have been started */
	if (rte_eth_dev_info_get(p->id, &info) == 0)
		(void)rte_dev_remove(info.device);
}

static int
cfg_check(const struct sc_capture_cfg *cfg, struct sc_err *err)
{
	uint32_t room;
	uint64_t bytes;

	if (cfg->nb_queues < 1 || cfg->nb_queues > CAPTURE_QUEUES_MAX)
		return sc_err_set(err, -EINVAL,
				"capture: %u queues asked for, 1 to %u are possible",
				cfg->nb_queues, CAPTURE_QUEUES_MAX);
	if (!(cfg->speed >= 0) || cfg->speed > 1e9)
		return sc_err_set(err, -EINVAL,
				"capture: speed %g, a factor above 0 or 0 (flat out) is right",
				cfg->speed);
	room = rte_pktmbuf_data_room_size(cfg->pool);
	bytes = (uint64_t)cfg->pool->size * (room - SC_MIN(room, (uint32_t)RTE_PKTMBUF_HEADROOM));
	/* With less, a long frame would wait for ever. */
	if (bytes < READER_CAPLEN_MAX)
		return sc_err_set(err, -EINVAL,
				"capture: the pool has room for %llu bytes, one frame may need %u",
				(unsigned long long)bytes, READER_CAPLEN_MAX);
	return 0;
}

struct sc_capture *
sc_capture_create(const struct sc_capture_cfg *cfg, struct sc_err *err)
{
	static atomic_uint serial; /* port and ring names must be unique in the process */
	unsigned int no = atomic_fetch_add(&serial, 1);
	struct sc_capture *c;
	int rc;

	rc = cfg_check(cfg, err);
	if (rc < 0) {
		errno = -rc;
		return NULL;
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		errno = -sc_err_set(err, -ENOMEM, "capture: no memory");
		return NULL;
	}
	c->cfg = *cfg;
	c->reader = sc_capture_reader_open(cfg->paths, cfg->nb_paths, err);
	rc = c->reader == NULL ? -errno : rings_create(c, no, err);
	if (rc == 0)
		rc = port_create(c, no, err);
	if (rc < 0) {
		sc_capture_destroy(c);
		errno = -rc;
		return NULL;
	}
	return c;
}

void
sc_capture_destroy(struct sc_capture *c)
{
	if (c == NULL)
		return;
	port_remove(&c->port);
	rings_free(c);
	rte_pktmbuf_free(c->waits);
	sc_capture_reader_close(c->reader);
	free(c);
}

const struct sc_port *
sc_capture_port(const struct sc_capture *c)
{
	return &c->port;
}

void
sc_capture_get_stats(const struct sc_capture *c, struct sc_capture_stats *st)
{
	*st = c->stats;
}

/* ---- records ---- */

static void
note_damage(struct sc_capture *c, const struct sc_err *err)
{
	if (c->stats.damaged_files++ == 0)
		snprintf(c->stats.damage, sizeof(c->stats.damage), "%s", err->text);
	sc_log(SC_LOG_WARN, "capture", "%s", err->text);
}

/* Read the next record with a known link type into c->pkt; false: none within *budget records. */
static bool
pkt_read(struct sc_capture *c, unsigned int *budget)
{
	struct sc_err err;
	int rc;

	while (!c->stats.is_done && (*budget)-- > 0) {
		rc = sc_capture_reader_next(c->reader, &c->pkt, &err);
		if (rc < 0) {
			note_damage(c, &err);
			continue;
		}
		if (rc == 0) {
			c->stats.is_done = true;
			return false;
		}
		if (!c->time.is_started)
			c->stats.first_ns = c->pkt.ts_ns;
		c->stats.last_ns = c->pkt.ts_ns;
		c->pkt_us = timeline_map(&c->time, c->pkt.ts_ns, c->pkt.file) / 1000;
		if (c->pkt.is_known_link) {
			c->stats.snapped += c->pkt.caplen < c->pkt.len;
			return true;
		}
		c->stats.unknown_link++;
	}
	return false;
}

/* The record as a chain of mbufs; NULL when the pool is empty. */
static struct rte_mbuf *
pkt_to_mbuf(struct sc_capture *c)
{
	struct rte_mbuf *head = NULL, *last = NULL, *m;
	uint32_t done = 0;
	uint16_t n;

	do {
		m = rte_pktmbuf_alloc(c->cfg.pool);
		if (m == NULL) {
			rte_pktmbuf_free(head);
			return NULL;
		}
		n = (uint16_t)SC_MIN(c->pkt.caplen - done, (uint32_t)rte_pktmbuf_tailroom(m));
		memcpy(rte_pktmbuf_mtod(m, void *), c->pkt.data + done, n);
		m->data_len = n;
		done += n;
		if (head == NULL) {
			head = m;
		} else {
			last->next = m;
			head->nb_segs++;
		}
		last = m;
	} while (done < c->pkt.caplen);
	head->pkt_len = c->pkt.caplen;
	head->port = c->port.id;
	*sc_mbuf_meta(head) = (struct sc_mbuf_meta){
			.cap_us = c->start_us + c->pkt_us, .link = (uint8_t)c->pkt.link};
	return head;
}

static bool
is_due(const struct sc_capture *c, uint64_t now_us)
{
	if (c->cfg.speed == 0)
		return true;
	return now_us >= c->start_us
			&& (double)c->pkt_us <= (double)(now_us - c->start_us) * c->cfg.speed;
}

/* The frame and the queue to deliver it to, in c->waits; NULL there: it was taken for good. */
static void
route(struct sc_capture *c, struct rte_mbuf *m)
{
	uint32_t len = m->pkt_len;

	c->waits_queue = 0;
	c->waits = c->cfg.route == NULL ? m : c->cfg.route(c->cfg.arg, m, &c->waits_queue);
	assert(c->waits_queue < c->cfg.nb_queues);
	if (c->waits != NULL)
		return;
	c->stats.frames++;
	c->stats.bytes += len;
}

/* Make c->waits from the next due record; false: nothing due, nothing left or no mbuf. */
static bool
frame_ready(struct sc_capture *c, uint64_t now_us, unsigned int *budget)
{
	struct rte_mbuf *m;

	while (c->waits == NULL) {
		if (!c->has_pkt)
			c->has_pkt = pkt_read(c, budget);
		if (!c->has_pkt || !is_due(c, now_us))
			return false;
		m = pkt_to_mbuf(c);
		if (m == NULL)
			return false;
		c->has_pkt = false;
		route(c, m);
	}
	return true;
}

uint16_t
sc_capture_poll(struct sc_capture *c, uint64_t now_us)
{
	unsigned int budget = CAPTURE_LOOKED;
	struct queue *q;
	uint16_t nb = 0;

	if (!c->is_started) {
		c->is_started = true;
		c->start_us = now_us;
	}
	for (uint16_t i = 0; i < c->cfg.nb_queues; i++) {
		q = &c->queue[i];
		q->nb = 0;
		q->room = (uint16_t)SC_MIN(rte_ring_free_count(q->ring), CAPTURE_BURST);
	}
	while (nb < CAPTURE_BURST && frame_ready(c, now_us, &budget)) {
		q = &c->queue[c->waits_queue];
		if (q->nb == q->room)
			break; /* frames behind it wait, too: the order of the capture is kept */
		q->burst[q->nb++] = c->waits;
		c->stats.frames++;
		c->stats.bytes += c->waits->pkt_len;
		c->waits = NULL;
		nb++;
	}
	/* The room counted above can only have grown: the rings take all of it. */
	for (uint16_t i = 0; i < c->cfg.nb_queues; i++)
		if (c->queue[i].nb > 0)
			rte_ring_sp_enqueue_bulk(c->queue[i].ring, (void **)c->queue[i].burst,
					c->queue[i].nb, NULL);
	return nb;
}
