/* SPDX-License-Identifier: BSD-3-Clause */
/* The captures: what each shows, and how it was made (golden --make). */
#include <frame.h>
#include <pcapfile.h>
#include <string.h>

#include "golden.h"
#include "sc_test.h"

#define CLIENT true
#define SERVER false
#define MS 1000000ull

/* A writer of one conversation. Times in milliseconds since the capture began. */
struct tape {
	struct pcapfile *f;
	struct test_frame link; /* VLAN tags */
	bool v6, no_opts;
	uint16_t cport;
	uint32_t cnxt, pnxt;
	uint16_t ip_id;
	uint64_t ns;
};

static void
rewind_to(struct tape *t, const char *path)
{
	memset(t, 0, sizeof(*t));
	t->f = pcapfile_open(path, PCAPFILE_NS, false, PCAPFILE_ETHER);
	t->cport = 33000;
	t->cnxt = 0xfffffe00u; /* wraps within the first requests */
	t->pnxt = 0x5000;
	t->ns = 1700000000ull * 1000 * MS;
}

/* Any segment: at `seq`, acknowledging all of the other side. */
static void
put(struct tape *t, bool is_client, uint8_t flags, uint32_t seq, uint32_t len)
{
	static uint8_t frame[TEST_FRAME_MAX], text[60000];
	struct test_frame f = t->link;
	uint8_t opts[40];
	size_t n;

	for (uint32_t i = 0; i < len; i++)
		text[i] = (uint8_t)('a' + (seq + i) % 23);
	f.src = is_client ? (t->v6 ? "fd01::5" : "10.1.0.5") : (t->v6 ? "fd02::1" : "10.2.0.1");
	f.dst = !is_client ? (t->v6 ? "fd01::5" : "10.1.0.5") : (t->v6 ? "fd02::1" : "10.2.0.1");
	f.sport = is_client ? t->cport : 80;
	f.dport = is_client ? 80 : t->cport;
	f.ip_id = t->v6 ? 0 : ++t->ip_id;
	f.seq = seq;
	f.ack = flags & SC_TCP_ACK ? (is_client ? t->pnxt : t->cnxt) : 0;
	f.wnd = 502;
	f.flags = flags;
	f.payload = text;
	f.len = len;
	f.opts = opts;
	if (!t->no_opts) {
		if (flags & SC_TCP_SYN) {
			test_opt(opts, &f.opts_len, 2, 4, 1460);
			test_opt(opts, &f.opts_len, 4, 2, 0);
			test_opt(opts, &f.opts_len, 3, 3, 7);
		}
		test_opt(opts, &f.opts_len, 8, 10, (t->ns / MS & 0xffffffff) << 32);
	}
	n = test_frame_bytes(&f, frame, sizeof(frame));
	pcapfile_packet(t->f, t->ns, frame, (uint32_t)n, (uint32_t)n);
}

static void
wait_ms(struct tape *t, unsigned int ms)
{
	t->ns += ms * MS;
}

static void
shake(struct tape *t)
{
	put(t, CLIENT, SC_TCP_SYN, t->cnxt++, 0);
	wait_ms(t, 1);
	put(t, SERVER, SC_TCP_SYN | SC_TCP_ACK, t->pnxt++, 0);
	wait_ms(t, 9);
	put(t, CLIENT, SC_TCP_ACK, t->cnxt, 0);
}

static void
say(struct tape *t, uint32_t n)
{
	t->cnxt += n;
	put(t, CLIENT, SC_TCP_ACK | SC_TCP_PSH, t->cnxt - n, n);
}

/* The answer, in segments of 1,448 bytes, and the client's ACK 9 ms later. */
static void
answer(struct tape *t, uint32_t n)
{
	while (n > 0) {
		uint32_t len = SC_MIN(n, 1448u);

		t->pnxt += len;
		put(t, SERVER, SC_TCP_ACK, t->pnxt - len, len);
		n -= len;
	}
	wait_ms(t, 9);
	put(t, CLIENT, SC_TCP_ACK, t->cnxt, 0);
}

static void
client_fin(struct tape *t)
{
	put(t, CLIENT, SC_TCP_FIN | SC_TCP_ACK, t->cnxt++, 0);
	wait_ms(t, 1);
	put(t, SERVER, SC_TCP_FIN | SC_TCP_ACK, t->pnxt++, 0);
	wait_ms(t, 9);
	put(t, CLIENT, SC_TCP_ACK, t->cnxt, 0);
}

/* One request, one answer, closed by the server. */
static void
short_turn(struct tape *t)
{
	shake(t);
	say(t, 120);
	wait_ms(t, 15);
	answer(t, 900);
	put(t, SERVER, SC_TCP_FIN | SC_TCP_ACK, t->pnxt++, 0);
	wait_ms(t, 10);
	put(t, CLIENT, SC_TCP_FIN | SC_TCP_ACK, t->cnxt++, 0);
	wait_ms(t, 1);
	put(t, SERVER, SC_TCP_ACK, t->pnxt, 0);
	pcapfile_close(t->f);
}

static void
make_short(const char *path)
{
	struct tape t;

	rewind_to(&t, path);
	short_turn(&t);
}

static void
make_v6(const char *path)
{
	struct tape t;

	rewind_to(&t, path);
	t.v6 = true;
	short_turn(&t);
}

static void
make_vlan(const char *path)
{
	struct tape t;

	rewind_to(&t, path);
	t.link.nb_vlan = 1;
	t.link.vlan_tci[0] = 100;
	shake(&t);
	say(&t, 50);
	wait_ms(&t, 5);
	t.link.nb_vlan = 2; /* the answer's direction goes through another trunk */
	t.link.vlan_tpid[0] = 0x88a8;
	t.link.vlan_tci[1] = 7;
	answer(&t, 200);
	client_fin(&t);
	pcapfile_close(t.f);
}

static void
make_keepalive(const char *path)
{
	struct tape t;

	rewind_to(&t, path);
	shake(&t);
	for (uint32_t i = 0; i < 5; i++) {
		say(&t, 100 + i);
		wait_ms(&t, 20);
		answer(&t, 1000 * i + 50);
		wait_ms(&t, 70);
	}
	client_fin(&t);
	pcapfile_close(t.f);
}

static void
make_server_first(const char *path)
{
	struct tape t;

	rewind_to(&t, path);
	shake(&t);
	wait_ms(&t, 12);
	answer(&t, 77);
	wait_ms(&t, 3);
	say(&t, 40);
	wait_ms(&t, 2);
	answer(&t, 20);
	client_fin(&t);
	pcapfile_close(t.f);
}

/* An upload of twelve segments; two change places, one comes twice, one comes again much later. */
static void
make_upload(const char *path)
{
	static const uint8_t order[] = {0, 1, 3, 2, 4, 4, 5, 6, 8, 9, 10, 7, 5, 11};
	struct tape t;
	uint32_t first;

	rewind_to(&t, path);
	shake(&t);
	first = t.cnxt;
	for (unsigned int i = 0; i < sizeof(order); i++) {
		put(&t, CLIENT, SC_TCP_ACK, first + 1400u * order[i], 1400);
		wait_ms(&t, i == 10 ? 8 : 1);
	}
	t.cnxt = first + 12 * 1400;
	wait_ms(&t, 9);
	answer(&t, 300);
	client_fin(&t);
	pcapfile_close(t.f);
}

static void
make_super(const char *path)
{
	struct tape t;

	rewind_to(&t, path);
	shake(&t);
	say(&t, 9000);
	wait_ms(&t, 9);
	answer(&t, 100);
	client_fin(&t);
	pcapfile_close(t.f);
}

static void
make_reset(const char *path)
{
	struct tape t;

	rewind_to(&t, path);
	shake(&t);
	say(&t, 60);
	wait_ms(&t, 9);
	answer(&t, 4000);
	put(&t, CLIENT, SC_TCP_RST | SC_TCP_ACK, t.cnxt, 0);
	pcapfile_close(t.f);
}

static void
make_bare(const char *path)
{
	struct tape t;

	rewind_to(&t, path);
	t.no_opts = true;
	shake(&t);
	say(&t, 1300);
	wait_ms(&t, 9);
	answer(&t, 700);
	client_fin(&t);
	pcapfile_close(t.f);
}

static void
make_copies(const char *path)
{
	struct tape t;

	rewind_to(&t, path);
	shake(&t);
	say(&t, 200);
	wait_ms(&t, 20);
	answer(&t, 2000);
	say(&t, 201);
	wait_ms(&t, 20);
	answer(&t, 30);
	client_fin(&t);
	pcapfile_close(t.f);
}

/* Three connections at once, the third on the first one's port. */
static void
make_several(const char *path)
{
	struct tape t, u;

	rewind_to(&t, path);
	u = t;
	u.cport++;
	u.cnxt = 0x1000;
	shake(&t);
	u.ns = t.ns;
	shake(&u);
	t.ns = u.ns;
	say(&t, 90);
	say(&u, 91);
	wait_ms(&t, 10);
	answer(&t, 500);
	client_fin(&t);
	u.ns = t.ns;
	answer(&u, 5000);
	t.ns = u.ns;
	wait_ms(&t, 2500);
	t.cnxt = 0x800000;
	t.pnxt = 0x900000;
	shake(&t);
	say(&t, 33);
	wait_ms(&t, 5);
	answer(&t, 44);
	client_fin(&t);
	u.ns = t.ns;
	client_fin(&u);
	pcapfile_close(t.f);
}

/* The mirror lost a request; the connection goes on at the next one. */
static void
make_gap(const char *path)
{
	struct tape t;

	rewind_to(&t, path);
	shake(&t);
	say(&t, 80);
	wait_ms(&t, 9);
	answer(&t, 400);
	t.cnxt += 500;
	wait_ms(&t, 30);
	answer(&t, 600);
	say(&t, 81);
	wait_ms(&t, 50);
	answer(&t, 100);
	client_fin(&t);
	pcapfile_close(t.f);
}

const struct golden_case golden_cases[] = {
		{"v4_short", "one request, one answer", 1, false, false, 1460, make_short},
		{"v6_short", "the same by IPv6", 1, false, false, 1440, make_v6},
		{"vlan_qinq", "802.1Q and QinQ", 1, false, false, 1460, make_vlan},
		{"keepalive", "five turns, closed by the client", 1, false, false, 1460,
				make_keepalive},
		{"server_first", "a greeting before the first request", 1, false, false, 1460,
				make_server_first},
		{"upload", "reordered and repeated segments", 1, false, false, 1460, make_upload},
		{"super_frame", "9,000 bytes in one frame", 1, false, false, 1000, make_super},
		{"client_reset", "closed by the client's RST", 1, false, false, 1460, make_reset},
		{"bare_options", "no TCP options at all", 1, false, false, 536, make_bare},
		{"copies_pool", "two copies from a pool", 2, true, false, 1460, make_copies},
		{"several", "three connections, a port used twice", 1, false, false, 1460,
				make_several},
		{"gap", "a request that the mirror lost", 1, false, true, 1460, make_gap},
};
const unsigned int golden_nb_cases = SC_ARRAY_SIZE(golden_cases);
