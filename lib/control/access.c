/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include "control_int.h"

int
control_peer_get(int fd, struct control_peer *peer)
{
	socklen_t len = sizeof(peer->cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer->cred, &len) < 0)
		return -errno;
	len = sizeof(peer->group);
	/* Without the list (an old kernel, more groups than fit) the primary group decides. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, peer->group, &len) < 0)
		len = 0;
	peer->nb_groups = len / sizeof(peer->group[0]);
	return 0;
}

enum control_role
control_peer_role(const struct control_peer *peer, uid_t own_uid, gid_t dir_gid)
{
	if (peer->cred.uid == 0 || peer->cred.uid == own_uid)
		return CONTROL_OWNER;
	if (dir_gid == (gid_t)-1)
		return CONTROL_NOBODY;
	if (peer->cred.gid == dir_gid)
		return CONTROL_READER;
	for (size_t i = 0; i < peer->nb_groups; i++)
		if (peer->group[i] == dir_gid)
			return CONTROL_READER;
	return CONTROL_NOBODY;
}
