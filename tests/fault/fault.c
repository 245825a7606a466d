/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fault: spancopy in which the n-th call that asks for memory, a descriptor or a thing of DPDK's
 * fails, n = $SC_FAULT_AT. The linker leads those calls of our own objects here (--wrap, see
 * meson.build); what libraries do among themselves is not touched. The name of the call that failed
 * goes to the file $SC_FAULT_FILE.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <yaml.h>

#include <rte_errno.h>
#include <rte_ip_frag.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>
#include <rte_ring.h>

static _Atomic unsigned long nb_calls;

static void
tell(const char *call)
{
	const char *path = getenv("SC_FAULT_FILE");
	int fd = path == NULL ? -1 : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, call, strlen(call)) < 0)
		abort();
	close(fd);
}

/* Is it this call's turn? */
static bool
fails(const char *call)
{
	static unsigned long at;
	unsigned long n = ++nb_calls;

	if (n == 1)
		at = strtoul(getenv("SC_FAULT_AT"), NULL, 10);
	if (n != at)
		return false;
	tell(call);
	return true;
}

/* WRAP(type, name, parameters, arguments, what it does when it fails) */
#define WRAP(type, name, params, args, failure) \
	type __real_##name params;              \
	type __wrap_##name params;              \
	type __wrap_##name params               \
	{                                       \
		if (fails(#name)) {             \
			failure;                \
		}                               \
		return __real_##name args;      \
	}

/* clang-format off */
#define NO_MEMORY errno = ENOMEM; return NULL
#define NO_DPDK_MEMORY rte_errno = ENOMEM; return NULL
#define NO_DESCRIPTOR errno = EMFILE; return -1

WRAP(void *, malloc, (size_t size), (size), NO_MEMORY)
WRAP(void *, calloc, (size_t nb, size_t size), (nb, size), NO_MEMORY)
WRAP(void *, realloc, (void *old, size_t size), (old, size), NO_MEMORY)
WRAP(void *, aligned_alloc, (size_t align, size_t size), (align, size), NO_MEMORY)
WRAP(char *, strdup, (const char *text), (text), NO_MEMORY)
WRAP(void *, mmap64, (void *at, size_t len, int prot, int flags, int fd, off_t off),
		(at, len, prot, flags, fd, off), errno = ENOMEM; return MAP_FAILED)
WRAP(FILE *, fdopen, (int fd, const char *mode), (fd, mode), NO_MEMORY)

WRAP(int, open64, (const char *path, int flags, mode_t mode), (path, flags, mode), NO_DESCRIPTOR)
WRAP(int, socket, (int domain, int type, int protocol), (domain, type, protocol), NO_DESCRIPTOR)
WRAP(int, epoll_create1, (int flags), (flags), NO_DESCRIPTOR)
WRAP(int, signalfd, (int fd, const sigset_t *set, int flags), (fd, set, flags), NO_DESCRIPTOR)
WRAP(int, mkdir, (const char *path, mode_t mode), (path, mode), errno = ENOSPC; return -1)

WRAP(json_t *, json_object, (void), (), return NULL)
WRAP(json_t *, json_array, (void), (), return NULL)
WRAP(int, yaml_parser_initialize, (yaml_parser_t *p), (p), return 0)

WRAP(struct rte_mempool *, rte_pktmbuf_pool_create,
		(const char *name, unsigned int n, unsigned int cache, uint16_t priv, uint16_t room, int socket),
		(name, n, cache, priv, room, socket), NO_DPDK_MEMORY)
WRAP(struct rte_ring *, rte_ring_create,
		(const char *name, unsigned int n, int socket, unsigned int flags),
		(name, n, socket, flags), NO_DPDK_MEMORY)
WRAP(struct rte_ring *, rte_ring_create_elem,
		(const char *name, unsigned int size, unsigned int n, int socket, unsigned int flags),
		(name, size, n, socket, flags), NO_DPDK_MEMORY)
WRAP(struct rte_ip_frag_tbl *, rte_ip_frag_table_create,
		(uint32_t buckets, uint32_t entries, uint32_t max, uint64_t cycles, int socket),
		(buckets, entries, max, cycles, socket), NO_DPDK_MEMORY)
WRAP(int, rte_mbuf_dynfield_register, (const struct rte_mbuf_dynfield *f), (f),
		rte_errno = ENOMEM; return -1)
WRAP(int, rte_eal_remote_launch, (lcore_function_t *f, void *arg, unsigned int lcore),
		(f, arg, lcore), return -EBUSY)
/* clang-format on */
