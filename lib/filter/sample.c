/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_hash_crc.h>

#include <sc_filter.h>

uint32_t
sc_hash_tuple(const struct sc_addr *client, uint16_t cport, const struct sc_addr *server,
		uint16_t sport)
{
	uint32_t h;

	h = rte_hash_crc_8byte(client->u64[0], 0);
	h = rte_hash_crc_8byte(client->u64[1], h);
	h = rte_hash_crc_8byte(server->u64[0], h);
	h = rte_hash_crc_8byte(server->u64[1], h);
	return rte_hash_crc_4byte((uint32_t)cport << 16 | sport, h);
}

/*
 * Tables and admission use the hash itself. Were the sample a range of it too, admission would
 * shed nothing until it came below the sample, and tables would use a part of their buckets: so
 * the sample is a range of a bijection of it (odd multipliers, shifted XOR).
 */
static uint32_t
stir(uint32_t h)
{
	h ^= h >> 15;
	h *= 0x9e3779b1u;
	h ^= h >> 14;
	h *= 0xc2b2ae35u;
	h ^= h >> 16;
	return h;
}

bool
sc_sample_take(uint32_t hash, double pct)
{
	return stir(hash) < (uint64_t)(pct / 100.0 * 4294967296.0);
}
