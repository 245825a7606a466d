/* SPDX-License-Identifier: BSD-3-Clause */
/* Both formats, both byte orders, every unit of time, several files; and what is refused at open. */
#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sc_capture.h>

#include "pcapfile.h"
#include "sc_test.h"

#define T0 1700000000123456789ull

static uint8_t data[400000];

static void
fill_data(void)
{
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 31 + (i >> 8));
}

static struct sc_capture_reader *
open_one(const char *path)
{
	struct sc_err err;
	struct sc_capture_reader *r = sc_capture_reader_open(&path, 1, &err);

	if (r == NULL)
		fail_msg("%s", err.text);
	return r;
}

/* The record is as written, and its offset finds the same bytes in the file. */
static void
check_pkt(const struct sc_capture_pkt *p, const char *path, uint64_t ts_ns, uint32_t caplen,
		uint32_t len)
{
	uint8_t *again = malloc(caplen + 1);
	FILE *f = fopen(path, "rb");

	assert_non_null(f);
	assert_non_null(again);
	assert_int_equal(p->ts_ns, ts_ns);
	assert_int_equal(p->caplen, caplen);
	assert_int_equal(p->len, len);
	assert_memory_equal(p->data, data, caplen);
	assert_int_equal(fseek(f, (long)p->offset, SEEK_SET), 0);
	assert_int_equal(fread(again, 1, caplen, f), caplen);
	assert_memory_equal(again, data, caplen);
	fclose(f);
	free(again);
}

static void
one_variant(enum pcapfile_format format, bool is_big)
{
	static const uint32_t lens[] = {60, 1514, 0, 1, 2, 3, 65549, 262144, 4};
	const uint64_t unit = format == PCAPFILE_NS ? 1 : 1000;
	struct sc_capture_pkt pkt;
	struct sc_capture_reader *r;
	struct pcapfile *f;
	struct sc_err err;
	char path[64];
	unsigned int i;

	pcapfile_temp(path);
	f = pcapfile_open(path, format, is_big, PCAPFILE_ETHER);
	for (i = 0; i < SC_ARRAY_SIZE(lens); i++)
		pcapfile_packet(f, T0 + i * 1000001, data, lens[i], lens[i] + i);
	pcapfile_close(f);
	r = open_one(path);
	for (i = 0; i < SC_ARRAY_SIZE(lens); i++) {
		assert_int_equal(sc_capture_reader_next(r, &pkt, &err), 1);
		check_pkt(&pkt, path, (T0 + i * 1000001) / unit * unit, lens[i], lens[i] + i);
		assert_true(pkt.is_known_link);
		assert_int_equal(pkt.link, SC_LINK_ETHER);
		assert_int_equal(pkt.file, 0);
	}
	assert_int_equal(sc_capture_reader_next(r, &pkt, &err), 0);
	assert_int_equal(sc_capture_reader_next(r, &pkt, &err), 0);
	sc_capture_reader_close(r);
	unlink(path);
}

static void
test_variants(void **state)
{
	for (int big = 0; big <= 1; big++) {
		one_variant(PCAPFILE_US, big);
		one_variant(PCAPFILE_NS, big);
		one_variant(PCAPFILE_NG, big);
	}
}

static void
test_many_records(void **state)
{
	/* More than the reader's buffer, records of odd lengths across its edge. */
	struct sc_capture_pkt pkt;
	struct sc_capture_reader *r;
	struct pcapfile *f;
	struct sc_err err;
	char path[64];
	uint32_t i;

	pcapfile_temp(path);
	f = pcapfile_open(path, PCAPFILE_NG, false, PCAPFILE_ETHER);
	for (i = 0; i < 5000; i++)
		pcapfile_packet(f, T0 + i * 1000, data + i, 1 + i * 7 % 1600, 1 + i * 7 % 1600);
	pcapfile_close(f);
	r = open_one(path);
	for (i = 0; i < 5000; i++) {
		assert_int_equal(sc_capture_reader_next(r, &pkt, &err), 1);
		assert_int_equal(pkt.caplen, 1 + i * 7 % 1600);
		assert_memory_equal(pkt.data, data + i, pkt.caplen);
	}
	assert_int_equal(sc_capture_reader_next(r, &pkt, &err), 0);
	sc_capture_reader_close(r);
	unlink(path);
}

static void
test_links(void **state)
{
	static const struct {
		uint16_t linktype;
		bool is_known;
		enum sc_link link;
	} rows[] = {
			{1, true, SC_LINK_ETHER},
			{113, true, SC_LINK_SLL},
			{276, true, SC_LINK_SLL2},
			{101, true, SC_LINK_RAW},
			{12, true, SC_LINK_RAW},
			{14, true, SC_LINK_RAW},
			{228, true, SC_LINK_RAW},
			{229, true, SC_LINK_RAW},
			{0, false, 0},
			{105, false, 0},
			{127, false, 0},
	};
	struct sc_capture_pkt pkt;
	struct sc_capture_reader *r;
	struct pcapfile *f;
	struct sc_err err;
	char path[64];

	pcapfile_temp(path);
	for (size_t i = 0; i < SC_ARRAY_SIZE(rows); i++) {
		f = pcapfile_open(path, i % 2 ? PCAPFILE_NG : PCAPFILE_US, false, rows[i].linktype);
		pcapfile_packet(f, T0, data, 60, 60);
		pcapfile_close(f);
		r = open_one(path);
		assert_int_equal(sc_capture_reader_next(r, &pkt, &err), 1);
		assert_int_equal(pkt.is_known_link, rows[i].is_known);
		assert_int_equal(pkt.linktype, rows[i].linktype);
		if (rows[i].is_known)
			assert_int_equal(pkt.link, rows[i].link);
		sc_capture_reader_close(r);
	}
	unlink(path);
}

static void
next_is(struct sc_capture_reader *r, uint32_t caplen, uint64_t ts_ns, enum sc_link link)
{
	struct sc_capture_pkt pkt;
	struct sc_err err;
	int rc = sc_capture_reader_next(r, &pkt, &err);

	if (rc < 0)
		fail_msg("%s", err.text);
	assert_int_equal(rc, 1);
	assert_int_equal(pkt.caplen, caplen);
	assert_int_equal(pkt.ts_ns, ts_ns);
	assert_int_equal(pkt.link, link);
	assert_memory_equal(pkt.data, data, caplen);
}

static void
test_interfaces(void **state)
{
	/* Four interfaces with their own links and units, a second section of the other order. */
	static const uint8_t junk[100];
	struct sc_capture_pkt pkt;
	struct sc_capture_reader *r;
	struct pcapfile *f;
	struct sc_err err;
	char path[64];

	pcapfile_temp(path);
	f = pcapfile_open(path, PCAPFILE_NG, false, PCAPFILE_ETHER);
	pcapfile_interface(f, PCAPFILE_RAW, 9, 0);
	pcapfile_interface(f, PCAPFILE_SLL, 0x80 | 20, 0);
	pcapfile_interface(f, PCAPFILE_SLL2, 9, 1000000000);
	pcapfile_interface(f, PCAPFILE_RAW, 3, -5);
	pcapfile_select(f, 0);
	pcapfile_packet(f, T0, data, 10, 10);
	pcapfile_select(f, 1);
	pcapfile_packet(f, T0, data, 11, 11);
	pcapfile_block(f, 5, junk, 33); /* statistics: passed over */
	pcapfile_select(f, 2);
	pcapfile_packet(f, 1ull << 40, data, 12, 12);
	pcapfile_select(f, 3);
	pcapfile_packet(f, T0, data, 13, 13);
	pcapfile_select(f, 4);
	pcapfile_packet(f, T0, data, 14, 14);
	pcapfile_simple(f, data, 15, 99); /* cut: no snap length says so, so it must be damage */
	pcapfile_close(f);
	r = open_one(path);
	next_is(r, 10, T0 / 1000 * 1000, SC_LINK_ETHER);
	next_is(r, 11, T0, SC_LINK_RAW);
	/* 2^-20 s is 953.67 ns, cut twice. */
	assert_int_equal(sc_capture_reader_next(r, &pkt, &err), 1);
	assert_in_range(pkt.ts_ns, (1ull << 40) - 955, 1ull << 40);
	assert_int_equal(pkt.link, SC_LINK_SLL);
	next_is(r, 13, T0, SC_LINK_SLL2);
	next_is(r, 14, T0 / 1000000 * 1000000, SC_LINK_RAW);
	assert_int_equal(sc_capture_reader_next(r, &pkt, &err), -EBADMSG);
	sc_capture_reader_close(r);

	f = pcapfile_open(path, PCAPFILE_NG, true, PCAPFILE_SLL);
	pcapfile_packet(f, T0, data, 20, 20);
	pcapfile_section(f, false);
	pcapfile_interface(f, PCAPFILE_RAW, 9, 0);
	pcapfile_packet(f, T0 + 1, data, 21, 21);
	pcapfile_simple(f, data, 22, 22);
	pcapfile_close(f);
	r = open_one(path);
	next_is(r, 20, T0 / 1000 * 1000, SC_LINK_SLL);
	next_is(r, 21, T0 + 1, SC_LINK_RAW);
	next_is(r, 22, T0 + 1, SC_LINK_RAW); /* no time of its own: that of the one before */
	assert_int_equal(sc_capture_reader_next(r, &pkt, &err), 0);
	sc_capture_reader_close(r);
	unlink(path);
}

static void
test_old_packet_block(void **state)
{
	uint8_t body[20 + 8] = {0};
	struct sc_capture_reader *r;
	struct pcapfile *f;
	char path[64];

	pcapfile_temp(path);
	f = pcapfile_open(path, PCAPFILE_NG, true, PCAPFILE_ETHER);
	pcapfile_interface(f, PCAPFILE_RAW, 6, 0);
	body[1] = 1;    /* interface, 16 bits */
	body[2] = 0xff; /* drops */
	body[11] = 7;   /* time, low word: 7 us */
	body[15] = 8;   /* captured */
	body[19] = 9;   /* original */
	memcpy(body + 20, data, 8);
	pcapfile_block(f, 2, body, sizeof(body));
	pcapfile_close(f);
	r = open_one(path);
	next_is(r, 8, 7000, SC_LINK_RAW);
	sc_capture_reader_close(r);
	unlink(path);
}

static void
test_times_out_of_range(void **state)
{
	/* Before the epoch and beyond 2116: cut, never wrapped. */
	uint8_t idb[8 + 8 + 12] = {1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 0, 0, 0, 0, 0, 14, 0, 8, 0};
	uint8_t epb[20] = {0};
	struct sc_capture_reader *r;
	struct pcapfile *f;
	char path[64];

	pcapfile_temp(path);
	f = pcapfile_open(path, PCAPFILE_NG, false, PCAPFILE_ETHER);
	memset(idb + 20, 0xff, 7); /* if_tsoffset -2^56 + ... : far before the epoch */
	idb[27] = 0xff;
	idb[12] = 0; /* units of whole seconds */
	pcapfile_block(f, 1, idb, sizeof(idb));
	memset(idb + 20, 0x7f, 8);
	pcapfile_block(f, 1, idb, sizeof(idb));
	idb[12] = 0xff; /* 2^-127 s */
	memset(idb + 20, 0, 8);
	pcapfile_block(f, 1, idb, sizeof(idb));
	idb[12] = 0x7f; /* 10^-127 s */
	pcapfile_block(f, 1, idb, sizeof(idb));
	for (uint8_t i = 1; i <= 4; i++) {
		epb[0] = i;
		memset(epb + 4, i == 1 ? 0 : 0xff, 8);
		pcapfile_block(f, 6, epb, sizeof(epb));
	}
	pcapfile_close(f);
	r = open_one(path);
	next_is(r, 0, 0, SC_LINK_ETHER);
	next_is(r, 0, INT64_MAX / 2, SC_LINK_ETHER);
	next_is(r, 0, 0, SC_LINK_ETHER);
	next_is(r, 0, 0, SC_LINK_ETHER);
	sc_capture_reader_close(r);
	unlink(path);
}

static void
test_several_files(void **state)
{
	/* pcap, header only, pcapng: the file's index and the offsets are those of each. */
	char path[3][64];
	const char *paths[3] = {path[0], path[1], path[2]};
	struct sc_capture_reader *r;
	struct sc_capture_pkt pkt;
	struct pcapfile *f;
	struct sc_err err;

	for (unsigned int i = 0; i < 3; i++) {
		pcapfile_temp(path[i]);
		f = pcapfile_open(path[i], i == 2 ? PCAPFILE_NG : PCAPFILE_US, i == 2,
				PCAPFILE_ETHER);
		for (unsigned int k = 0; i != 1 && k < 3; k++)
			pcapfile_packet(f, T0 / 1000 * 1000, data, 100 + i, 100 + i);
		pcapfile_close(f);
	}
	r = sc_capture_reader_open(paths, 3, &err);
	assert_non_null(r);
	for (unsigned int k = 0; k < 6; k++) {
		assert_int_equal(sc_capture_reader_next(r, &pkt, &err), 1);
		assert_int_equal(pkt.file, k < 3 ? 0 : 2);
		check_pkt(&pkt, paths[pkt.file], T0 / 1000 * 1000, 100 + pkt.file, 100 + pkt.file);
	}
	assert_int_equal(sc_capture_reader_next(r, &pkt, &err), 0);
	sc_capture_reader_close(r);
	for (unsigned int i = 0; i < 3; i++)
		unlink(path[i]);
}

static void
refused(const char *path, int code, const char *word)
{
	struct sc_err err = {0};

	errno = 0;
	assert_null(sc_capture_reader_open(&path, 1, &err));
	assert_int_equal(errno, -code);
	if (strstr(err.text, word) == NULL || strstr(err.text, path) == NULL)
		fail_msg("'%s' says neither '%s' nor the file", err.text, word);
}

static void
refused_bytes(const char *path, const void *bytes, size_t len, const char *word)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	fclose(f);
	refused(path, -EBADMSG, word);
}

static void
test_refused_at_open(void **state)
{
	static const uint8_t old[24] = {0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 3};
	static const uint8_t ng2[28] = {
			0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 2};
	static const uint8_t ngmark[28] = {0x0a, 0x0d, 0x0d, 0x0a, 28};
	struct sc_err err;
	char path[64];

	pcapfile_temp(path);
	refused_bytes(path, "", 0, "empty (0 bytes)");
	refused_bytes(path, "ab", 2, "not a capture");
	refused_bytes(path, "GET / HTTP/1.1\r\n\r\n123456789", 27, "47 45 54 20");
	refused_bytes(path, "\x1f\x8b\x08\0\0\0\0\0", 8, "decompress it first");
	refused_bytes(path, "\x28\xb5\x2f\xfd\0\0\0\0", 8, "zstd");
	refused_bytes(path, "snoop\0\0\0", 8, "editcap");
	refused_bytes(path, old, 4, "after 4 bytes");
	refused_bytes(path, old, 23, "after 23 bytes");
	refused_bytes(path, old, 24, "pcap version 2.3");
	refused_bytes(path, ng2, 27, "after 27");
	refused_bytes(path, ng2, 28, "pcapng version 2.0");
	refused_bytes(path, ngmark, 28, "byte order mark");
	unlink(path);
	refused(path, -ENOENT, "No such file");
	refused("/tmp", -EINVAL, "not a regular file");
	assert_int_equal(mkfifo(path, 0600), 0);
	refused(path, -EINVAL, "not a regular file");
	unlink(path);
	assert_null(sc_capture_reader_open(NULL, 0, &err));
	assert_int_equal(errno, EINVAL);
	sc_capture_reader_close(NULL);
}

static void
test_second_file_refused_at_open(void **state)
{
	char path[64], missing[64];
	const char *paths[2] = {path, missing};
	struct sc_err err;

	pcapfile_temp(path);
	pcapfile_temp(missing);
	unlink(missing);
	pcapfile_close(pcapfile_open(path, PCAPFILE_US, false, 1));
	assert_null(sc_capture_reader_open(paths, 2, &err));
	assert_non_null(strstr(err.text, missing));
	unlink(path);
}

static void
test_long_path_leaves_the_sentence(void **state)
{
	char path[3000];
	struct sc_err err;
	const char *p = path;

	memset(path, 'x', sizeof(path) - 1);
	for (size_t i = 0; i < sizeof(path); i += 100)
		path[i] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_null(sc_capture_reader_open(&p, 1, &err));
	assert_non_null(strstr(err.text, "No such file"));
}

/* The same file read by libpcap. */
static void
libpcap_agrees(const char *path)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, why);
	struct sc_capture_reader *r = open_one(path);
	struct sc_capture_pkt pkt;
	struct pcap_pkthdr *h;
	const uint8_t *bytes;
	struct sc_err err;

	if (p == NULL)
		fail_msg("%s", why);
	while (pcap_next_ex(p, &h, &bytes) == 1) {
		assert_int_equal(sc_capture_reader_next(r, &pkt, &err), 1);
		assert_int_equal(pkt.ts_ns,
				(uint64_t)h->ts.tv_sec * 1000000000 + (uint64_t)h->ts.tv_usec);
		assert_int_equal(pkt.caplen, h->caplen);
		assert_int_equal(pkt.len, h->len);
		assert_memory_equal(pkt.data, bytes, h->caplen);
	}
	assert_int_equal(sc_capture_reader_next(r, &pkt, &err), 0);
	sc_capture_reader_close(r);
	pcap_close(p);
}

static void
test_agrees_with_libpcap(void **state)
{
	struct pcapfile *f;
	struct sc_rng rng;
	uint32_t len;
	char path[64];

	pcapfile_temp(path);
	sc_rng_seed(&rng, 11);
	for (unsigned int round = 0; round < 30; round++) {
		f = pcapfile_open(path, round % 3, round % 2, PCAPFILE_ETHER);
		if (round % 3 == PCAPFILE_NG) {
			pcapfile_interface(f, PCAPFILE_ETHER, (uint8_t)(round % 10), round);
			pcapfile_block(f, 5, data, sc_rng_below(&rng, 400000));
		}
		for (unsigned int i = 0; i < 40; i++) {
			len = sc_rng_below(&rng, i == 20 ? 262144 : 3000);
			pcapfile_packet(f, T0 + sc_rng_next(&rng) % 100000000000ull, data, len,
					len + i % 3);
		}
		pcapfile_close(f);
		libpcap_agrees(path);
	}
	unlink(path);
}

/* A file that libpcap has written. */
static void
test_reads_libpcap(void **state)
{
	struct pcap_pkthdr h = {.ts = {1700000000, 5}, .caplen = 70, .len = 80};
	pcap_t *p = pcap_open_dead(DLT_RAW, 65535);
	struct sc_capture_reader *r;
	pcap_dumper_t *d;
	char path[64];

	pcapfile_temp(path);
	assert_non_null(p);
	d = pcap_dump_open(p, path);
	assert_non_null(d);
	pcap_dump((uint8_t *)d, &h, data);
	pcap_dump_close(d);
	pcap_close(p);
	r = open_one(path);
	next_is(r, 70, 1700000000000005000ull, SC_LINK_RAW);
	sc_capture_reader_close(r);
	unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_variants),
			cmocka_unit_test(test_many_records),
			cmocka_unit_test(test_links),
			cmocka_unit_test(test_interfaces),
			cmocka_unit_test(test_old_packet_block),
			cmocka_unit_test(test_times_out_of_range),
			cmocka_unit_test(test_several_files),
			cmocka_unit_test(test_agrees_with_libpcap),
			cmocka_unit_test(test_reads_libpcap),
			cmocka_unit_test(test_refused_at_open),
			cmocka_unit_test(test_second_file_refused_at_open),
			cmocka_unit_test(test_long_path_leaves_the_sentence),
	};

	fill_data();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
