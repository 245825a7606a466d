/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memory: instead of lib/base/mem.c, which touches all that it maps. A schedule has an engine of its
 * own and uses little of its tables: the kernel gives zeroed pages for what is really used.
 */
#include <sys/mman.h>

#include <sc_base.h>

void *
sc_mem_map(size_t nb, size_t size, int socket)
{
	void *mem = mmap(NULL, SC_MAX(nb * size, (size_t)1), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mem == MAP_FAILED ? NULL : mem;
}

void
sc_mem_unmap(void *mem, size_t nb, size_t size)
{
	if (mem != NULL)
		munmap(mem, SC_MAX(nb * size, (size_t)1));
}

uint64_t
sc_mem_size(uint64_t nb, uint64_t size)
{
	return nb * size;
}
