/* SPDX-License-Identifier: BSD-3-Clause */
/* memory: how much a run needs, of which pages, and whether this machine has them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_mbuf.h>
#include <rte_ring.h>

#include <sc_nic.h>

#include "app.h"

#define DESCRIPTORS 1024
#define CACHE 256
#define RING_PORT_SLOTS 4096 /* frames that a ring port and its driver may hold, per queue */
#define MBUF_OVERHEAD 512u   /* headroom, struct, and what the pool adds */
#define SPARE_MIB 64u        /* EAL itself, ports, and pages that are not filled to their end */
#define MIB (1u << 20)
#define SMALL_PAGE 4096u
#define HUGE_KIB 2048u /* where the kernel does not say */
#define HUGE_FILE "/sys/kernel/mm/hugepages/hugepages-%llukB/%s"

/*
 * Held frames must never starve the descriptors: both are in the receive pool. So are mirror frames
 * that are sent on.
 */
static void
size_pools(struct app *a)
{
	uint32_t w = a->cfg.workers, lcores = app_nb_lcores(a) + 1;
	struct sc_replay_cfg rc;
	uint32_t nb_rx = a->cfg.intercept_mode == SC_INTERCEPT_INLINE ? w : a->cfg.intercepts;
	uint32_t queues = w * SC_MAX(a->cfg.nb_mirror, 1u) + nb_rx + 1;
	uint32_t tx = queues * DESCRIPTORS + w * (SC_TX_BACKLOG + SC_REPLAY_TX_MAX + 128);

	app_replay_cfg(a, &rc);
	if (a->cfg.peer == SC_PEER_CAPTURE) {
		tx += (w + 1) * RING_PORT_SLOTS;
		a->peer_pool_size = 4 * RING_PORT_SLOTS + lcores * CACHE * 2;
	}
	a->tx_pool_size = tx + lcores * CACHE * 2;
	a->rx_pool_size = queues * DESCRIPTORS + w * sc_replay_max_refs(&rc) + lcores * CACHE * 2
			+ APP_NEIGH_RING + w * SC_FRAGMENTS_MAX + tx
			+ (w > 1 ? w * w * SC_HANDOVER_RING + w * SC_HANDOVER_RING_SOFT : 0);
	if (a->cfg.nb_captures > 0)
		a->rx_pool_size += w * RING_PORT_SLOTS + SC_FRAGMENTS_MAX;
}

uint16_t
app_tx_room(const struct app *a)
{
	return (uint16_t)SC_MAX(2048, a->cfg.mtu + 128);
}

/* Kibibytes, or pages, of a line of /proc/meminfo. */
static uint64_t
meminfo(const char *word)
{
	unsigned long long value = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "r");

	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, word, strlen(word)) == 0)
			sscanf(line + strlen(word), ": %llu", &value);
	fclose(f);
	return value;
}

static uint64_t
huge_file(uint64_t kib, const char *name)
{
	unsigned long long value = 0;
	char path[96];
	FILE *f;

	snprintf(path, sizeof(path), HUGE_FILE, (unsigned long long)kib, name);
	f = fopen(path, "r");
	if (f == NULL)
		return 0;
	if (fscanf(f, "%llu", &value) != 1)
		value = 0;
	fclose(f);
	return value;
}

/* Rings between lcores, as boot.c makes them. */
static uint64_t
ring_bytes(const struct app *a)
{
	uint64_t w = a->cfg.workers;
	uint64_t nb_from = a->cfg.intercept_mode == SC_INTERCEPT_INLINE ? w : a->cfg.intercepts;

	return nb_from * w * SC_RECORD_RING * sizeof(struct sc_record)
			+ w * (w - 1) * SC_HANDOVER_RING_SOFT * sizeof(void *);
}

static bool
has_pci_port(const struct app *a)
{
	bool is_pci;

	for (unsigned int i = 0; i < a->cfg.nb_mirror + a->cfg.nb_test; i++) {
		sc_nic_eal_option(i < a->cfg.nb_mirror ? a->cfg.mirror[i]
						       : a->cfg.test[i - a->cfg.nb_mirror],
				&is_pci);
		if (is_pci)
			return true;
	}
	return false;
}

/* A mbuf does not go beyond the end of a page: in small ones each has pages of its own. */
static uint64_t
pool_bytes(uint64_t nb, uint64_t room, bool is_huge)
{
	uint64_t each = MBUF_OVERHEAD + room;

	return nb * (is_huge ? each : RTE_ALIGN_CEIL(each, SMALL_PAGE));
}

static uint64_t
frames_mib(const struct app *a, bool is_huge)
{
	uint64_t bytes = pool_bytes(a->rx_pool_size, APP_RX_ROOM, is_huge)
			+ pool_bytes((uint64_t)a->tx_pool_size + a->peer_pool_size, app_tx_room(a),
					is_huge);

	return (bytes + ring_bytes(a)) / MIB + SPARE_MIB;
}

void
app_memory_plan(struct app *a, struct app_memory *m)
{
	struct sc_replay_cfg rc;

	size_pools(a);
	app_replay_cfg(a, &rc);
	memset(m, 0, sizeof(*m));
	m->nb_mbufs = (uint64_t)a->rx_pool_size + a->tx_pool_size + a->peer_pool_size;
	m->tables_mib = sc_replay_size(&rc, a->cfg.workers) / MIB;
	m->nb_flows = (uint64_t)rc.max_flows * a->cfg.workers;
	m->page_kib = meminfo("Hugepagesize");
	if (m->page_kib == 0)
		m->page_kib = HUGE_KIB;
	m->pages = (frames_mib(a, true) * 1024 + m->page_kib - 1) / m->page_kib;
	m->free_pages = huge_file(m->page_kib, "free_hugepages");
	m->total_pages = huge_file(m->page_kib, "nr_hugepages");
	m->is_huge = a->cfg.pages != SC_PAGES_SMALL && m->free_pages >= m->pages;
	m->must_be_huge = a->cfg.pages == SC_PAGES_HUGE
			|| (a->cfg.pages == SC_PAGES_AUTO && has_pci_port(a));
	m->frames_mib = frames_mib(a, m->is_huge || m->must_be_huge);
	m->is_given = app_has_eal_word(a, "--no-huge") || app_has_eal_word(a, "--in-memory")
			|| app_has_eal_word(a, "--huge-dir");
	m->is_size_given = app_has_eal_word(a, "-m") || app_has_eal_word(a, "--socket-mem");
}

void
app_memory_text(const struct app *a, const struct app_memory *m, char *buf, size_t size)
{
	char pages[96] = "4 KiB pages";

	if (m->is_huge || m->must_be_huge)
		snprintf(pages, sizeof(pages), "%llu hugepages of %llu KiB, %llu are free",
				(unsigned long long)m->pages, (unsigned long long)m->page_kib,
				(unsigned long long)m->free_pages);
	snprintf(buf, size,
			"%llu MiB for %llu mbufs and rings (%s), %llu MiB for tables of %llu flows "
			"x %u copies and %llu MiB of held bytes",
			(unsigned long long)m->frames_mib, (unsigned long long)m->nb_mbufs, pages,
			(unsigned long long)m->tables_mib, (unsigned long long)m->nb_flows,
			a->cfg.copies, (unsigned long long)(a->cfg.held_bytes / MIB));
}

/* The shell's command that makes as many as are missing. */
static const char *
huge_command(const struct app_memory *m, char *buf, size_t size)
{
	int at = snprintf(buf, size, "echo %llu > ",
			(unsigned long long)(m->total_pages + m->pages - m->free_pages));

	snprintf(buf + at, size - (size_t)at, HUGE_FILE, (unsigned long long)m->page_kib,
			"nr_hugepages");
	return buf;
}

/* Tables, and frames that are not in hugepages, come from ordinary memory: before it is gone. */
static int
check_ordinary(const struct app *a, const struct app_memory *m, struct sc_err *err)
{
	uint64_t free_mib = meminfo("MemAvailable") / 1024, want = m->tables_mib;

	if (!m->is_huge && !m->is_given)
		want += m->frames_mib;
	if (free_mib == 0 || want < free_mib)
		return 0;
	return sc_err_set(err, -ENOMEM,
			"%u flows x %u copies with %llu MiB of held bytes need %llu MiB of memory, "
			"and %llu are available: lower --max-flows, --copies or --held-bytes",
			a->cfg.max_flows, a->cfg.copies,
			(unsigned long long)(a->cfg.held_bytes / MIB), (unsigned long long)want,
			(unsigned long long)free_mib);
}

int
app_memory_check(const struct app *a, const struct app_memory *m, struct sc_err *err)
{
	char command[128];

	if (!m->must_be_huge || m->is_huge || m->is_given)
		return check_ordinary(a, m, err);
	return sc_err_set(err, -ENOMEM,
			"%llu hugepages of %llu KiB are needed (%llu MiB for mbufs and rings) and "
			"%llu of %llu are free: %s, or lower --held-bytes or --workers%s",
			(unsigned long long)m->pages, (unsigned long long)m->page_kib,
			(unsigned long long)m->frames_mib, (unsigned long long)m->free_pages,
			(unsigned long long)m->total_pages,
			huge_command(m, command, sizeof(command)),
			a->cfg.pages == SC_PAGES_AUTO ? ", or take ordinary pages, slower: "
							"--pages small"
						      : "");
}

void
app_memory_say(const struct app *a, const struct app_memory *m)
{
	char text[256];

	app_memory_text(a, m, text, sizeof(text));
	sc_log(SC_LOG_INFO, "memory", "%s", text);
	if (m->is_huge || m->is_given)
		return;
	if (a->cfg.pages == SC_PAGES_SMALL) {
		sc_log(SC_LOG_NOTICE, "memory", "mbufs are in ordinary pages, slower: pages small");
		return;
	}
	sc_log(a->cmd == SC_CMD_RUN ? SC_LOG_WARN : SC_LOG_INFO, "memory",
			"mbufs are in ordinary pages, slower: %llu hugepages of %llu KiB are free "
			"and %llu are needed (%s)",
			(unsigned long long)m->free_pages, (unsigned long long)m->page_kib,
			(unsigned long long)m->pages, huge_command(m, text, sizeof(text)));
}
