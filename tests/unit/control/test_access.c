/* SPDX-License-Identifier: BSD-3-Clause */
#include <sys/socket.h>
#include <unistd.h>

#include "control_int.h"
#include "sc_test.h"

static void
test_roles(void **state)
{
	static const struct {
		uid_t uid;
		gid_t gid, extra;
		enum control_role role;
	} row[] = {
			{0, 0, 0, CONTROL_OWNER},          /* root */
			{1000, 1000, 1000, CONTROL_OWNER}, /* our own user */
			{1001, 50, 1001, CONTROL_READER},  /* the directory's group */
			{1001, 1001, 50, CONTROL_READER},  /* the same by a further group */
			{1001, 1001, 1001, CONTROL_NOBODY},
			{1001, 0, 0, CONTROL_NOBODY}, /* root's group is not root */
	};

	for (size_t i = 0; i < SC_ARRAY_SIZE(row); i++) {
		static struct control_peer peer;

		peer.cred.uid = row[i].uid;
		peer.cred.gid = row[i].gid;
		peer.group[0] = 7;
		peer.group[1] = row[i].extra;
		peer.nb_groups = 2;
		assert_int_equal(control_peer_role(&peer, 1000, 50), row[i].role);
	}
}

/* What lies behind nb_groups does not count, and an unknown group opens nothing. */
static void
test_no_groups(void **state)
{
	static struct control_peer peer;

	peer.cred.uid = 1001;
	peer.cred.gid = (gid_t)-1;
	peer.group[0] = 50;
	peer.nb_groups = 0;
	assert_int_equal(control_peer_role(&peer, 1000, 50), CONTROL_NOBODY);
	assert_int_equal(control_peer_role(&peer, 1000, (gid_t)-1), CONTROL_NOBODY);
}

static void
test_peer_of_a_socket(void **state)
{
	static struct control_peer peer;
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	assert_int_equal(control_peer_get(fd[0], &peer), 0);
	assert_int_equal(peer.cred.uid, geteuid());
	assert_int_equal(peer.cred.gid, getegid());
	assert_int_equal(peer.cred.pid, getpid());
	assert_int_equal(peer.nb_groups, SC_MAX(getgroups(0, NULL), 0));
	close(fd[0]);
	close(fd[1]);
	assert_true(control_peer_get(fd[0], &peer) < 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_roles),
			cmocka_unit_test(test_no_groups),
			cmocka_unit_test(test_peer_of_a_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
