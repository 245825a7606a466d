/* SPDX-License-Identifier: BSD-3-Clause */
/* app: everything one run owns. Thread: main, except where lcores got a part of it. */
#ifndef APP_H
#define APP_H

#include <rte_mempool.h>

#include <sc_capture.h>
#include <sc_config.h>
#include <sc_peer.h>
#include <sc_report.h>
#include <sc_worker.h>

/* Exit statuses: part of the command-line contract. */
enum app_exit {
	APP_OK = 0,
	APP_FIDELITY = 1,    /* below --expect-fidelity, or the ledger does not balance */
	APP_USAGE = 2,       /* usage or configuration */
	APP_ENVIRONMENT = 3, /* port, hugepages, privileges */
	APP_CAPTURE = 4,     /* capture unfit */
	APP_TARGET = 5,      /* target unreachable or refusing */
};

#define APP_MAX_FLOWS_DEFAULT 65536 /* of --max-flows */
#define APP_FLOWS_USEFUL 1024       /* a pool for fewer is refused */
#define APP_WARNINGS_MAX 8
#define APP_NEIGH_RING 256 /* neighbour frames on their way between intercepts */
#define APP_CELLS_MAX (SC_STEER_WORKERS_MAX + SC_INTERCEPTS_MAX + 1)

struct app_warning {
	char text[512];
};

struct app {
	struct sc_config cfg;
	enum sc_command cmd;
	struct sc_clock clock;
	struct sc_steer *steer;
	struct sc_targets *targets;
	struct sc_box *box;
	struct rte_mempool *rx_pool, *tx_pool, *peer_pool;
	uint32_t rx_pool_size, tx_pool_size, peer_pool_size;
	bool has_nic_mirror, has_nic_test;
	struct sc_capture *capture;
	struct sc_source *source;
	struct sc_peer *peer;
	struct sc_intercept *intercept[SC_STEER_WORKERS_MAX];
	unsigned int nb_intercepts;  /* of intercept[] */
	struct rte_ring *neigh_ring; /* NULL: one intercept, or a peer inside the process */
	struct sc_worker *worker[SC_STEER_WORKERS_MAX];
	struct sc_ilcore *ilcore[SC_INTERCEPTS_MAX];
	struct sc_stats_cell *cell; /* workers first, then intercept lcores, then the pump */
	unsigned int nb_cells;
	unsigned int nb_launched;
	/* figures */
	struct sc_stats sum, before;
	struct sc_ledger_result ledger; /* every fault of the run */
	struct sc_hist hist_production, hist_target;
	struct app_warning warning[APP_WARNINGS_MAX];
	unsigned int nb_warnings;
	uint64_t start_us, end_us;
	struct sc_capture_stats capture_stats;
	struct sc_peer_stats peer_stats;
	struct sc_report_port port[SC_PORTS_MAX + 1];
	char port_name[SC_PORTS_MAX + 1][64]; /* outlive the box: the report comes after it */
	unsigned int nb_ports;
};

/* A sentence for the report and the log; repeated ones are kept once. */
void app_warn(struct app *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* What a run takes, and what this machine has. */
struct app_memory {
	uint64_t nb_mbufs,
			frames_mib; /* mbufs, rings, DPDK itself: hugepages if there are enough */
	uint64_t nb_flows, tables_mib; /* ordinary memory, transparent hugepages if there are */
	uint64_t page_kib, pages, free_pages, total_pages; /* hugepages: size, needed, there */
	bool is_huge;                                      /* the frames are to be in hugepages */
	bool must_be_huge;                                 /* and nowhere else */
	bool is_given;      /* what stands behind "--" says which pages */
	bool is_size_given; /* or how much */
};

/* Bytes of a frame that a mbuf of a pool has room for. */
#define APP_RX_ROOM 2048
uint16_t app_tx_room(const struct app *a);

/* memory.c: sizes the pools, too. */
void app_memory_plan(struct app *a, struct app_memory *m);
/* 0 or -ENOMEM with what is missing and what would make it. */
int app_memory_check(const struct app *a, const struct app_memory *m, struct sc_err *err);
/* A sentence without a dot. */
void app_memory_text(const struct app *a, const struct app_memory *m, char *buf, size_t size);
/* To the log. */
void app_memory_say(const struct app *a, const struct app_memory *m);

/* layout.c: EAL arguments, lcores. APP_OK or APP_ENVIRONMENT. */
int app_eal_start(struct app *a, struct sc_err *err);
/* Does something behind "--" begin with the word? */
bool app_has_eal_word(const struct app *a, const char *word);
/* Data lcores wanted: workers, intercepts, and the pump of captures and peers. */
unsigned int app_nb_lcores(const struct app *a);
bool app_has_pump(const struct app *a);
void app_replay_cfg(const struct app *a, struct sc_replay_cfg *rc);

/* boot.c: everything between EAL and the loops, and back. Exit statuses. */
int app_boot(struct app *a, struct sc_err *err);
void app_shutdown(struct app *a);

/* loop.c: launch the lcores, wait for the end, stop them. Exit status. */
int app_loop(struct app *a, struct sc_err *err);

/* figures.c: snapshots, ledger, report. */
bool app_figures_read(struct app *a, const uint32_t *ticket);
void app_figures_ask(struct app *a, uint32_t *ticket);
bool app_knows_missed(const struct app *a); /* does any mirror port count what it loses? */
void app_tell_missed(struct app *a);
void app_figures_final(struct app *a);
void app_check_pools(struct app *a);
void app_report_in(struct app *a, struct sc_report_in *in);
/* Write what was asked for and decide the exit status of a run that went to its end. */
int app_verdict(struct app *a);

#endif
