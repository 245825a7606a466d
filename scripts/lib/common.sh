# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034
# Shared by the scripts: messages, packages, builds, hugepages, temporary folders, ending what was
# started. Source it; it runs nothing by itself.

root_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# What each part needs of Debian 12.
packages_build=(build-essential meson ninja-build pkg-config libdpdk-dev dpdk libhyperscan-dev
	libjemalloc-dev libpcap-dev libcmocka-dev libyaml-dev libjansson-dev python3)
packages_check=(clang-format universal-ctags shellcheck git python3 valgrind)
packages_lab=(iproute2 ethtool nftables tcpdump procps curl wrk nginx-light redis-server redis-tools
	memcached mariadb-server python3)
packages_fuzz=(clang libclang-rt-14-dev)

# 2 MiB pages that the largest lab run wants at once.
lab_hugepages=1024

note()
{
	printf '== %s\n' "$*"
}

warn()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

die()
{
	warn "$@"
	exit 1
}

is_root()
{
	[ "$(id -u)" -eq 0 ]
}

need_root()
{
	is_root || die "$1 needs root: run it with sudo"
}

missing_packages()
{
	local p

	for p in "$@"; do
		dpkg-query -W -f='${Status}\n' "$p" 2>/dev/null | grep -q '^install ok installed' ||
			printf '%s\n' "$p"
	done
}

# Servers among the packages must not be started by their installation.
apt_install()
{
	local policy=/usr/sbin/policy-rc.d own_policy=false rc=0

	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" && own_policy=true
	fi
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" \
		</dev/null >"$apt_log" 2>&1 || rc=$?
	if $own_policy; then
		rm -f "$policy"
	fi
	return "$rc"
}

# Install what is missing of the packages named. The package lists are fetched only if that fails.
need_packages()
{
	local missing apt_log

	command -v dpkg-query >/dev/null ||
		{ warn "not a Debian system: cannot check for: $*"; return 0; }
	mapfile -t missing < <(missing_packages "$@")
	[ ${#missing[@]} -gt 0 ] || return 0
	is_root || die "packages are missing; install them as root: apt-get install ${missing[*]}"
	note "installing ${missing[*]}"
	apt_log=$(mktemp "${TMPDIR:-/tmp}/spancopy-apt.XXXXXX")
	if ! apt_install "${missing[@]}"; then
		apt-get update -q </dev/null >"$apt_log" 2>&1 &&
			apt_install "${missing[@]}" ||
			{ tail -n 20 "$apt_log" >&2; die "apt-get failed, see $apt_log"; }
	fi
	rm -f "$apt_log"
}

# See to it that at least $1 hugepages of 2 MiB are free; other users keep theirs.
need_hugepages()
{
	local want=$1 total free now
	local file=/sys/kernel/mm/hugepages/hugepages-2048kB

	[ -d "$file" ] || { warn "this kernel has no 2 MiB hugepages"; return 1; }
	total=$(<"$file/nr_hugepages")
	free=$(<"$file/free_hugepages")
	[ "$free" -lt "$want" ] || return 0
	printf '%d\n' $((total + want - free)) >"$file/nr_hugepages" 2>/dev/null || true
	now=$(<"$file/free_hugepages")
	[ "$now" -ge "$want" ] && return 0
	warn "$now hugepages of 2 MiB are free, $want are wanted: set vm.nr_hugepages=$((total + want - free)) at boot"
	return 1
}

# meson set-up (again if the folder is there already) and ninja: build_into DIR [meson option...]
build_into()
{
	local dir=$1
	shift
	if [ -f "$dir/build.ninja" ]; then
		meson setup --reconfigure "$dir" "$root_dir" "$@" </dev/null || return
	else
		meson setup "$dir" "$root_dir" "$@" </dev/null || return
	fi
	ninja -C "$dir" </dev/null
}

# ---- clean-up: called in reverse order of at_exit, also on a signal ----

exit_actions=()

run_exit_actions()
{
	local status=$? i

	trap - EXIT INT TERM
	for ((i = ${#exit_actions[@]} - 1; i >= 0; i--)); do
		eval "${exit_actions[i]}" || true
	done
	exit "$status"
}

at_exit()
{
	if [ ${#exit_actions[@]} -eq 0 ]; then
		trap run_exit_actions EXIT
		trap 'exit 130' INT
		trap 'exit 143' TERM
	fi
	exit_actions+=("$1")
}

# A folder of our own that goes away at the end; its name is left in $temp_dir.
make_temp_dir()
{
	temp_dir=$(mktemp -d "${TMPDIR:-/tmp}/spancopy.XXXXXX")
	at_exit "rm -rf '$temp_dir'"
}
