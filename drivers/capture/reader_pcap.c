/* SPDX-License-Identifier: BSD-3-Clause */
/* The classic format: a file header of 24 bytes, then records with a header of 16. */
#include <errno.h>
#include <inttypes.h>

#include "reader.h"

#define PCAP_FILE_HDR 24u
#define PCAP_REC_HDR 16u
#define PCAP_MAGIC_US 0xa1b2c3d4u
#define PCAP_MAGIC_NS 0xa1b23c4du

int
classic_open(struct classic_file *f, struct input *in, struct sc_err *err)
{
	const uint8_t *p;
	uint32_t magic;
	int rc;

	rc = input_need(in, PCAP_FILE_HDR, err);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return input_damage(in, 0, err,
				"the file ends after %zu bytes, inside the pcap file header of %u: "
				"it "
				"was cut off, there is nothing to replay in it",
				input_left(in), PCAP_FILE_HDR);
	p = input_data(in);
	magic = get32(p, true);
	f->is_big = magic == PCAP_MAGIC_US || magic == PCAP_MAGIC_NS;
	f->is_ns = get32(p, f->is_big) == PCAP_MAGIC_NS;
	/* Before 2.4 the two lengths of a record could stand the other way round. */
	if (get16(p + 4, f->is_big) != 2 || get16(p + 6, f->is_big) < 4)
		return input_damage(in, 4, err,
				"pcap version %u.%u; 2.4 can be read, editcap -F pcap converts",
				get16(p + 4, f->is_big), get16(p + 6, f->is_big));
	/* The upper 6 bits say how long the frame check sequence is: it counts as link padding. */
	f->linktype = get32(p + 20, f->is_big) & 0x03ffffff;
	input_take(in, PCAP_FILE_HDR);
	return 0;
}

int
classic_next(struct classic_file *f, struct input *in, struct sc_capture_pkt *pkt,
		struct sc_err *err)
{
	uint64_t offset = in->offset;
	const uint8_t *p;
	int rc;

	rc = input_need(in, PCAP_REC_HDR, err);
	if (rc < 0 || (rc == 0 && input_left(in) == 0))
		return rc;
	if (rc == 0)
		return input_damage(in, offset, err,
				"the file ends after %zu of the %u bytes of a record header: it "
				"was cut "
				"off, what stands before is used",
				input_left(in), PCAP_REC_HDR);
	p = input_data(in);
	pkt->ts_ns = get32(p, f->is_big) * READER_NS_PER_S
			+ (uint64_t)get32(p + 4, f->is_big) * (f->is_ns ? 1 : 1000);
	pkt->caplen = get32(p + 8, f->is_big);
	pkt->len = get32(p + 12, f->is_big);
	if (pkt->caplen > READER_CAPLEN_MAX)
		return input_damage(in, offset, err,
				"a record says %" PRIu32
				" captured bytes, at most %u are possible: the "
				"file is damaged here, what stands before is used",
				pkt->caplen, READER_CAPLEN_MAX);
	input_take(in, PCAP_REC_HDR);
	rc = input_need(in, pkt->caplen, err);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return input_damage(in, offset, err,
				"the file ends after %zu of the %" PRIu32
				" bytes of a packet: it was cut off, what stands before is used",
				input_left(in), pkt->caplen);
	pkt->data = input_data(in);
	pkt->offset = in->offset;
	reader_set_link(pkt, f->linktype);
	input_take(in, pkt->caplen);
	return 1;
}
