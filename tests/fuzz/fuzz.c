/* SPDX-License-Identifier: BSD-3-Clause */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <test_eal.h>
#include <unistd.h>

#include <rte_log.h>

void
fuzz_begin(void)
{
	assert_int_equal(setenv("CMOCKA_TEST_ABORT", "1", 1), 0);
	/* An engine's tables are made anew for each input: clearing huge pages would take its time. */
	assert_int_equal(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
}

void
fuzz_begin_eal(void)
{
	fuzz_begin();
	assert_int_equal(test_eal_setup(NULL), 0);
	rte_log_set_global_level(RTE_LOG_ERR);
}

uint8_t
fuzz_u8(struct fuzz_in *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->p++;
}

uint16_t
fuzz_u16(struct fuzz_in *in)
{
	uint16_t low = fuzz_u8(in);

	return (uint16_t)(low | fuzz_u8(in) << 8);
}

uint32_t
fuzz_u32(struct fuzz_in *in)
{
	uint32_t low = fuzz_u16(in);

	return low | (uint32_t)fuzz_u16(in) << 16;
}

uint32_t
fuzz_small(struct fuzz_in *in)
{
	uint8_t n = fuzz_u8(in);

	return n < 255 ? n : fuzz_u32(in);
}

const char *
fuzz_file(const uint8_t *data, size_t size)
{
	static char path[32];
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("input", MFD_CLOEXEC);
		assert_true(fd >= 0);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(pwrite(fd, data, size, 0), size);
	return path;
}

void
fuzz_chain_make(struct fuzz_chain *c, const uint8_t *bytes, size_t len,
		const uint8_t cuts[FUZZ_CUTS])
{
	size_t done = 0;

	memset(c, 0, sizeof(*c));
	for (unsigned int i = 0; i <= FUZZ_CUTS; i++) {
		size_t n = i < FUZZ_CUTS && cuts[i] < len - done ? cuts[i] : len - done;
		struct rte_mbuf *m = &c->m[i];

		if (i < FUZZ_CUTS && n == len - done)
			n = 0;
		c->mem[i] = malloc(n > 0 ? n : 1);
		assert_non_null(c->mem[i]);
		memcpy(c->mem[i], bytes + done, n);
		m->buf_addr = c->mem[i];
		m->buf_len = (uint16_t)n;
		m->data_len = (uint16_t)n;
		m->next = i < FUZZ_CUTS ? &c->m[i + 1] : NULL;
		done += n;
	}
	c->m[0].nb_segs = FUZZ_CUTS + 1;
	c->m[0].pkt_len = (uint32_t)len;
}

void
fuzz_chain_free(struct fuzz_chain *c)
{
	for (unsigned int i = 0; i <= FUZZ_CUTS; i++)
		free(c->mem[i]);
}
