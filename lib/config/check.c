/* SPDX-License-Identifier: BSD-3-Clause */
/* check: rules across values. Each part judges one subject and says what would be right. */
#include <errno.h>
#include <string.h>

#include "config_int.h"

/* Which command's rules hold: `check` has the rules of the command its input is for. */
static enum sc_command
kind_of(const struct sc_config *c, enum sc_command cmd)
{
	if (cmd != SC_CMD_CHECK)
		return cmd;
	if (c->nb_mirror == 0 && (c->nb_captures > 0 || c->peer == SC_PEER_CAPTURE))
		return SC_CMD_REPLAY;
	return SC_CMD_RUN;
}

static int
check_run(const struct sc_config *c, enum sc_command cmd, struct sc_err *err)
{
	if (c->nb_mirror == 0)
		return sc_err_set(err, -EINVAL,
				"mirror: run has no mirror port; give the device that receives the "
				"switch's mirror, such as 0000:01:00.0");
	if (c->peer == SC_PEER_CAPTURE)
		return sc_err_set(err, -EINVAL,
				"peer: the embedded peer answers from a capture file and run has "
				"none; "
				"give a test port, or replay the file");
	if (cmd == SC_CMD_RUN && c->nb_captures > 0)
		return sc_err_set(err, -EINVAL,
				"capture: run reads the mirror port, not files; use replay for "
				"them");
	return 0;
}

static int
check_replay(const struct sc_config *c, enum sc_command cmd, struct sc_err *err)
{
	if (cmd == SC_CMD_REPLAY && c->nb_captures == 0)
		return sc_err_set(err, -EINVAL,
				"capture: replay has no file; give one or more capture files");
	if (c->peer == SC_PEER_CAPTURE && c->nb_test > 0)
		return sc_err_set(err, -EINVAL,
				"peer: the embedded peer is the target, yet the test port %.80s is "
				"given too; give peer none, or no test port",
				c->test[0]);
	return 0;
}

/* What both need when a real port leads to the target. */
static int
check_test_port(const struct sc_config *c, struct sc_err *err)
{
	if (c->nb_test == 0)
		return sc_err_set(err, -EINVAL,
				"test: there is no test port; give the device that leads to the "
				"target, such as 0000:02:00.0");
	if (c->nb_test_address == 0)
		return sc_err_set(err, -EINVAL,
				"test-address: the box has no address on the test port; give one "
				"with "
				"its prefix length, such as 10.0.0.1/24");
	if (c->nb_rules == 0)
		return sc_err_set(err, -EINVAL,
				"map: there is no rule; give "
				"[PROD_IP:]PROD_PORT-TARGET_IP:TARGET_PORT, "
				"such as 80-10.0.0.2:8080");
	return 0;
}

/* ---- devices ---- */

/* The device's own name: without arguments, a PCI address without its domain 0000. */
static size_t
device_name(const char *dev, const char **name)
{
	*name = strncmp(dev, "0000:", 5) == 0 ? dev + 5 : dev;
	return strcspn(*name, ",");
}

/* The kernel interface that a device's arguments name; 0: none. */
static size_t
device_iface(const char *dev, const char **name)
{
	const char *p = strstr(dev, ",iface=");

	if (p == NULL)
		return 0;
	*name = p + strlen(",iface=");
	return strcspn(*name, ",");
}

static bool
is_same(const char *a, size_t la, const char *b, size_t lb)
{
	return la != 0 && la == lb && memcmp(a, b, la) == 0;
}

static int
check_device_pair(const char *a, const char *b, struct sc_err *err)
{
	const char *na, *nb, *ia = "", *ib = "";
	size_t la = device_name(a, &na), lb = device_name(b, &nb);
	size_t lia, lib;

	if (is_same(na, la, nb, lb))
		return sc_err_set(err, -EINVAL,
				"mirror and test: the device %.*s is given twice; each port needs "
				"a "
				"device of its own",
				(int)SC_MIN(la, 80u), na);
	lia = device_iface(a, &ia);
	lib = device_iface(b, &ib);
	if (is_same(ia, lia, ib, lib))
		return sc_err_set(err, -EINVAL,
				"mirror and test: %.60s and %.60s use one interface; each port "
				"needs "
				"an interface of its own",
				a, b);
	return 0;
}

static const char *
device_at(const struct sc_config *c, unsigned int i)
{
	return i < c->nb_mirror ? c->mirror[i] : c->test[i - c->nb_mirror];
}

static int
check_devices(const struct sc_config *c, struct sc_err *err)
{
	unsigned int i, j, nb = c->nb_mirror + c->nb_test;
	int rc;

	for (i = 0; i < nb; i++) {
		for (j = i + 1; j < nb; j++) {
			rc = check_device_pair(device_at(c, i), device_at(c, j), err);
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

/* ---- the engine and the lcores ---- */

static int
check_engine(const struct sc_config *c, struct sc_err *err)
{
	if (c->latency == SC_LATENCY_FIXED && c->latency_us == 0)
		return sc_err_set(err, -EINVAL,
				"latency: a fixed latency of 0 is none; give 1us to 10s, or none");
	if (c->intercept_mode == SC_INTERCEPT_INLINE && c->intercepts != 1)
		return sc_err_set(err, -EINVAL,
				"intercepts: %u intercept lcores with intercept inline, where "
				"workers "
				"receive the responses; give one of the two",
				c->intercepts);
	if ((uint64_t)c->max_flows * c->copies > UINT32_MAX)
		return sc_err_set(err, -EINVAL,
				"copies: max-flows %u times copies %u is more sessions than can be "
				"numbered; make the product less than 4,294,967,296",
				c->max_flows, c->copies);
	if (c->expect_fidelity > 100)
		return sc_err_set(err, -EINVAL,
				"expect-fidelity: %.1f is not a percentage; give 0 to 100",
				c->expect_fidelity);
	if (c->impair[0] != '\0' && c->peer != SC_PEER_CAPTURE)
		return sc_err_set(err, -EINVAL,
				"impair: only the path to the embedded peer can be impaired; give "
				"peer capture, or leave impair out");
	return 0;
}

int
sc_config_check(const struct sc_config *c, enum sc_command cmd, struct sc_err *err)
{
	enum sc_command kind = kind_of(c, cmd);
	bool with_port = kind == SC_CMD_RUN || c->peer == SC_PEER_NONE;
	int rc;

	if (cmd == SC_CMD_HELP || cmd == SC_CMD_VERSION)
		return 0;
	rc = kind == SC_CMD_RUN ? check_run(c, cmd, err) : check_replay(c, cmd, err);
	if (rc == 0 && with_port)
		rc = check_test_port(c, err);
	if (rc == 0)
		rc = check_devices(c, err);
	if (rc == 0)
		rc = cfg_check_box(c, err);
	if (rc == 0)
		rc = cfg_check_gateways(c, err);
	if (rc == 0)
		rc = cfg_check_rules(c, with_port, err);
	if (rc == 0)
		rc = cfg_check_clients(c, err);
	if (rc == 0)
		rc = check_engine(c, err);
	return rc;
}
