/* SPDX-License-Identifier: BSD-3-Clause */
/* mem: large zeroed memory, all of it touched, in huge pages where the kernel has them. */
#include <errno.h>
#include <linux/mempolicy.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sc_base.h"

#define HUGE_PAGE ((size_t)2 << 20)
#define PAGE ((size_t)4096)

static size_t
mapped_size(size_t bytes)
{
	size_t unit = bytes >= HUGE_PAGE ? HUGE_PAGE : PAGE;

	return bytes == 0 ? PAGE : (bytes + unit - 1) & ~(unit - 1);
}

static void *
map_pages(size_t bytes)
{
	void *mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mem == MAP_FAILED ? NULL : mem;
}

/* A huge page begins at a multiple of its size: map one more, and give back what is too much. */
static void *
map_aligned(size_t bytes)
{
	uint8_t *all = map_pages(bytes + HUGE_PAGE), *mem;

	if (all == NULL)
		return NULL;
	mem = (uint8_t *)(((uintptr_t)all + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
	if (mem != all)
		munmap(all, (size_t)(mem - all));
	if (mem != all + HUGE_PAGE)
		munmap(mem + bytes, (size_t)(all + HUGE_PAGE - mem));
	madvise(mem, bytes, MADV_HUGEPAGE);
	return mem;
}

/* A wrong node only costs time, so a kernel that refuses is no error. */
static void
prefer_node(void *mem, size_t bytes, int socket)
{
	unsigned long mask;

	if (socket < 0 || socket >= (int)sizeof(mask) * 8)
		return;
	mask = 1ul << socket;
	syscall(SYS_mbind, mem, bytes, MPOL_PREFERRED, &mask, sizeof(mask) * 8 + 1, 0);
}

void *
sc_mem_map(size_t nb, size_t size, int socket)
{
	size_t bytes;
	void *mem;

	if (__builtin_mul_overflow(nb, size, &bytes) || bytes > SIZE_MAX - 2 * HUGE_PAGE) {
		errno = ENOMEM;
		return NULL;
	}
	bytes = mapped_size(bytes);
	mem = bytes >= HUGE_PAGE ? map_aligned(bytes) : map_pages(bytes);
	if (mem == NULL)
		return NULL;
	prefer_node(mem, bytes, socket);
	memset(mem, 0, bytes);
	return mem;
}

void
sc_mem_unmap(void *mem, size_t nb, size_t size)
{
	if (mem != NULL)
		munmap(mem, mapped_size(nb * size));
}

uint64_t
sc_mem_size(uint64_t nb, uint64_t size)
{
	return mapped_size(nb * size);
}
