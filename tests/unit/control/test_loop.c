/* SPDX-License-Identifier: BSD-3-Clause */
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/time.h>

#include "control_fixture.h"
#include "sc_test.h"

static struct fixture f;

static int
setup(void **state)
{
	fixture_open(&f);
	return 0;
}

static int
teardown(void **state)
{
	sc_control_close(f.ctl);
	return access(f.dir, F_OK) == 0 ? -1 : 0;
}

static void
check_flows(int fd, json_int_t want)
{
	json_t *root = fixture_answer(&f, fd);

	assert_non_null(root);
	assert_int_equal(json_integer_value(json_object_get(root, "flows_seen")), want);
	json_decref(root);
}

static void
check_closed(int fd)
{
	fixture_serve(&f);
	assert_null(fixture_answer(&f, fd));
	close(fd);
}

static void
test_one_request(void **state)
{
	int fd = fixture_connect(&f);

	fixture_send(fd, "status\n");
	check_flows(fd, 4711);
	/* The connection serves a second one with the figures of then. */
	f.sum.c[SC_C_FLOWS_SEEN] = 4712;
	fixture_send(fd, "status\r\n");
	check_flows(fd, 4712);
	close(fd);
	fixture_serve(&f);
}

static void
test_request_in_pieces(void **state)
{
	int fd = fixture_connect(&f);
	const char *text = "status\n";

	for (const char *p = text; *p != '\0'; p++) {
		fixture_serve(&f);
		assert_int_equal(recv(fd, (char[1]){0}, 1, 0), -1);
		assert_int_equal(send(fd, p, 1, MSG_NOSIGNAL), 1);
	}
	check_flows(fd, 4711);
	close(fd);
}

/* Many requests at once are answered in order; one a round, so that others are not kept waiting. */
static void
test_pipelined_requests(void **state)
{
	int fd = fixture_connect(&f), other = fixture_connect(&f);
	json_t *root;

	fixture_send(fd, "status\nhelp\nnonsense\nstatus\n");
	fixture_send(other, "status\n");
	assert_int_equal(sc_control_run(f.ctl, 0), 1); /* both are accepted */
	assert_int_equal(sc_control_run(f.ctl, 0), 2);
	check_flows(other, 4711);
	check_flows(fd, 4711);
	root = fixture_answer(&f, fd);
	assert_non_null(json_object_get(root, "ledger"));
	json_decref(root);
	root = fixture_answer(&f, fd);
	assert_non_null(strstr(error_of(root), "'nonsense'"));
	json_decref(root);
	check_flows(fd, 4711);
	fixture_serve(&f);
	close(fd);
	close(other);
}

/* `printf status | nc -U` sends no newline, and closes its sending side. */
static void
test_half_closed(void **state)
{
	int fd = fixture_connect(&f);

	fixture_send(fd, "help\nstatus");
	shutdown(fd, SHUT_WR);
	json_decref(fixture_answer(&f, fd));
	check_flows(fd, 4711);
	check_closed(fd);
}

static void
test_client_that_leaves(void **state)
{
	int fd = fixture_connect(&f);

	close(fd);
	fixture_serve(&f);
	fd = fixture_connect(&f);
	fixture_send(fd, "stats\nstats\nstats\n");
	close(fd);
	fixture_serve(&f);
	fd = fixture_connect(&f);
	fixture_send(fd, "sta");
	close(fd);
	fixture_serve(&f);
	fd = fixture_connect(&f);
	fixture_send(fd, "status\n");
	check_flows(fd, 4711);
	close(fd);
}

/* The longest request is taken, one byte more is refused and the client dropped. */
static void
test_long_requests(void **state)
{
	char *text = malloc(SC_CONTROL_LINE_MAX + 1);
	int fd = fixture_connect(&f);
	json_t *root;

	assert_non_null(text);
	memset(text, ' ', SC_CONTROL_LINE_MAX);
	memcpy(text + SC_CONTROL_LINE_MAX - 7, "status\n", 8);
	fixture_send(fd, text);
	check_flows(fd, 4711);
	memset(text, ' ', SC_CONTROL_LINE_MAX);
	text[SC_CONTROL_LINE_MAX] = '\0';
	fixture_send(fd, text);
	root = fixture_answer(&f, fd);
	assert_non_null(strstr(error_of(root), "no newline in its first 65536 bytes"));
	json_decref(root);
	check_closed(fd);
	free(text);
}

/* In one piece: small pieces are charged with the kernel's overhead, and the socket is soon full. */
static void
send_reasons(int fd, unsigned int nb)
{
	char text[8001] = "";

	assert_true(nb * 8 < sizeof(text));
	for (unsigned int i = 0; i < nb; i++)
		memcpy(text + (size_t)i * 8, "reasons\n", 9);
	fixture_send(fd, text);
}

/* A client that does not read: nobody waits for it, and it gets all of its answers once it reads. */
static void
test_slow_reader(void **state)
{
	int fd = fixture_connect(&f), other = fixture_connect(&f), small = 1;
	unsigned int sent = 1000;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	send_reasons(fd, sent);
	fixture_serve(&f);
	fixture_send(other, "status\n");
	check_flows(other, 4711);
	for (; sent > 0; sent--) {
		json_t *root = fixture_answer(&f, fd);

		assert_int_equal(json_object_size(root), SC_R_COUNT - 1);
		json_decref(root);
	}
	close(fd);
	close(other);
}

static void
test_seventeenth_client(void **state)
{
	int fd[SC_CONTROL_CLIENTS_MAX], more;
	json_t *root;

	for (int i = 0; i < SC_CONTROL_CLIENTS_MAX; i++)
		fd[i] = fixture_connect(&f);
	fixture_serve(&f);
	more = fixture_connect(&f);
	root = fixture_answer(&f, more);
	assert_non_null(strstr(error_of(root), "16 clients are connected"));
	json_decref(root);
	check_closed(more);
	for (int i = 0; i < SC_CONTROL_CLIENTS_MAX; i++) {
		fixture_send(fd[i], "status\n");
		check_flows(fd[i], 4711);
	}
	close(fd[3]);
	fixture_serve(&f);
	more = fixture_connect(&f);
	fixture_send(more, "status\n");
	check_flows(more, 4711);
	close(more);
	for (int i = 0; i < SC_CONTROL_CLIENTS_MAX; i++)
		if (i != 3)
			close(fd[i]);
}

static void
test_timeouts(void **state)
{
	int idle = fixture_connect(&f), half = fixture_connect(&f), busy = fixture_connect(&f);

	fixture_serve(&f);
	f.now_ms += SC_CONTROL_TIMEOUT_MS - 1;
	/* Single bytes of a request win no time; a whole request does. */
	fixture_send(half, "stat");
	fixture_send(busy, "status\n");
	check_flows(busy, 4711);
	fixture_serve(&f);
	assert_int_equal(recv(idle, (char[1]){0}, 1, 0), -1);
	f.now_ms += 1;
	check_closed(idle);
	check_closed(half);
	fixture_send(busy, "status\n");
	check_flows(busy, 4711);
	f.now_ms += SC_CONTROL_TIMEOUT_MS;
	check_closed(busy);
}

static void
test_timeout_of_a_reader(void **state)
{
	int fd = fixture_connect(&f);

	send_reasons(fd, 1000);
	fixture_serve(&f);
	f.now_ms += SC_CONTROL_TIMEOUT_MS;
	fixture_serve(&f);
	assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), -1);
	close(fd);
}

/* A deadline ends the wait, so that a late client does not stay until something happens. */
static void
test_wait_ends_at_a_deadline(void **state)
{
	int fd = fixture_connect(&f);

	fixture_serve(&f);
	f.now_ms += SC_CONTROL_TIMEOUT_MS;
	assert_int_equal(sc_control_run(f.ctl, -1), 0);
	assert_null(fixture_answer(&f, fd));
	close(fd);
}

static void
test_stop_and_errors(void **state)
{
	int fd = fixture_connect(&f);
	json_t *root;

	fixture_send(fd, "stop\n\n");
	root = fixture_answer(&f, fd);
	assert_string_equal(json_string_value(json_object_get(root, "state")), "stopping");
	assert_int_equal(f.nb_stops, 1);
	json_decref(root);
	root = fixture_answer(&f, fd);
	assert_non_null(strstr(error_of(root), "empty"));
	json_decref(root);
	close(fd);
}

/* Out of descriptors: the loop does not spin, and takes the client a second later. */
static void
test_out_of_descriptors(void **state)
{
	struct rlimit before, small;
	int fd = fixture_connect(&f), lowest = dup(fd), rounds = 0;

	assert_true(lowest >= 0);
	close(lowest);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	small = before;
	small.rlim_cur = (rlim_t)lowest;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &small), 0);
	while (sc_control_run(f.ctl, 0) > 0 && rounds < 5)
		rounds++;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(rounds, 1);
	fixture_send(fd, "status\n");
	assert_int_equal(sc_control_run(f.ctl, 0), 0);
	f.now_ms += 1000;
	sc_control_run(f.ctl, 0);
	check_flows(fd, 4711);
	close(fd);
}

struct watched {
	unsigned int calls;
	bool leaves;
};

static void
watched_read(int fd, void *arg)
{
	struct watched *w = arg;
	char byte;

	assert_int_equal(read(fd, &byte, 1), 1);
	w->calls++;
	if (w->leaves)
		sc_control_del_fd(f.ctl, fd);
}

static void
test_further_descriptors(void **state)
{
	struct watched w = {0, false};
	int fd[2];

	assert_int_equal(pipe(fd), 0);
	assert_int_equal(sc_control_add_fd(f.ctl, fd[0], watched_read, &w), 0);
	assert_int_equal(sc_control_add_fd(f.ctl, fd[0], watched_read, &w), -EEXIST);
	assert_int_equal(sc_control_add_fd(f.ctl, -1, watched_read, &w), -EBADF);
	assert_int_equal(sc_control_run(f.ctl, 0), 0);
	assert_int_equal(write(fd[1], "ab", 2), 2);
	assert_int_equal(sc_control_run(f.ctl, -1), 1);
	assert_int_equal(w.calls, 1);
	w.leaves = true;
	assert_int_equal(sc_control_run(f.ctl, -1), 1);
	assert_int_equal(w.calls, 2);
	assert_int_equal(write(fd[1], "c", 1), 1);
	assert_int_equal(sc_control_run(f.ctl, 0), 0);
	assert_int_equal(w.calls, 2);
	close(fd[0]);
	close(fd[1]);
}

static void
test_all_further_descriptors(void **state)
{
	struct watched w = {0, false};
	int fd[SC_CONTROL_FDS_MAX + 1][2];

	for (int i = 0; i <= SC_CONTROL_FDS_MAX; i++) {
		assert_int_equal(pipe(fd[i]), 0);
		assert_int_equal(sc_control_add_fd(f.ctl, fd[i][0], watched_read, &w),
				i < SC_CONTROL_FDS_MAX ? 0 : -ENOSPC);
	}
	for (int i = 0; i <= SC_CONTROL_FDS_MAX; i++) {
		sc_control_del_fd(f.ctl, fd[i][0]);
		close(fd[i][0]);
		close(fd[i][1]);
	}
	assert_int_equal(sc_control_run(f.ctl, 0), 0);
}

/* The loop's own descriptor wakes an outer loop. */
static void
test_outer_loop(void **state)
{
	struct epoll_event ev = {.events = EPOLLIN};
	int outer = epoll_create1(0), fd;

	assert_int_equal(epoll_ctl(outer, EPOLL_CTL_ADD, sc_control_fd(f.ctl), &ev), 0);
	assert_int_equal(epoll_wait(outer, &ev, 1, 0), 0);
	fd = fixture_connect(&f);
	assert_int_equal(epoll_wait(outer, &ev, 1, 0), 1);
	fixture_serve(&f);
	assert_int_equal(epoll_wait(outer, &ev, 1, 0), 0);
	close(fd);
	close(outer);
}

/* Half words, half noise, in pieces of any size: nothing of it may disturb the next client. */
static void
test_random_bytes(void **state)
{
	static const char *const words[] = {
			"status", "log ", "\n", "stats\n", " ", "help\n", "\r\n"};
	struct sc_rng rng;
	int fd;

	sc_rng_seed(&rng, 11);
	for (int client = 0; client < 300; client++) {
		uint32_t pieces = sc_rng_below(&rng, 20);

		fd = fixture_connect(&f);
		while (pieces-- > 0) {
			char text[64];
			uint32_t n = sc_rng_below(&rng, sizeof(text)) + 1;

			for (uint32_t i = 0; i < n; i++)
				text[i] = (char)sc_rng_next(&rng);
			if (sc_rng_below(&rng, 2) == 0)
				n = (uint32_t)snprintf(text, sizeof(text), "%s",
						words[sc_rng_below(&rng, SC_ARRAY_SIZE(words))]);
			assert_int_equal(send(fd, text, n, MSG_NOSIGNAL), n);
			fixture_serve(&f);
		}
		if (sc_rng_below(&rng, 2) == 0)
			shutdown(fd, SHUT_WR);
		fixture_serve(&f);
		close(fd);
		fixture_serve(&f);
	}
	fd = fixture_connect(&f);
	fixture_send(fd, "status\n");
	check_flows(fd, 4711);
	close(fd);
	assert_int_equal(f.nb_stops, 0);
}

static void
nothing(int sig)
{
}

/* A signal ends the wait and is no error. */
static void
test_signal(void **state)
{
	struct sigaction act = {.sa_handler = nothing}, before;
	struct itimerval soon = {.it_value.tv_usec = 1000, .it_interval.tv_usec = 1000};
	struct itimerval off = {0};

	assert_int_equal(sigaction(SIGALRM, &act, &before), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
	assert_int_equal(sc_control_run(f.ctl, -1), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &off, NULL), 0);
	sigaction(SIGALRM, &before, NULL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			T(test_one_request),
			T(test_request_in_pieces),
			T(test_pipelined_requests),
			T(test_half_closed),
			T(test_client_that_leaves),
			T(test_long_requests),
			T(test_slow_reader),
			T(test_seventeenth_client),
			T(test_timeouts),
			T(test_timeout_of_a_reader),
			T(test_wait_ends_at_a_deadline),
			T(test_stop_and_errors),
			T(test_out_of_descriptors),
			T(test_further_descriptors),
			T(test_all_further_descriptors),
			T(test_outer_loop),
			T(test_random_bytes),
			T(test_signal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
