# SPDX-License-Identifier: BSD-3-Clause
"""Network namespaces, the wires between them, and the processes in them.

Everything has this process's pid in its name and is removed by close(); processes end by pid.
"""
import os
import signal
import subprocess
import time

from .result import Failed

NO_OFFLOADS = ['tx', 'off', 'rx', 'off', 'tso', 'off', 'gso', 'off', 'gro', 'off']
# Frames stay short, but the kernel leaves their TCP checksums to a device that never fills them in.
PARTIAL_CHECKSUMS = ['tx', 'on', 'rx', 'on', 'tso', 'off', 'gso', 'off', 'gro', 'off']
LINE_RATE = '250mbit'


def run(argv, **kw):
    """Run a command to its end; its output; Failed if it fails."""
    kw.setdefault('timeout', 60)
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False, **kw)
    except subprocess.TimeoutExpired:
        raise Failed(f'{" ".join(argv)}: not done after {kw["timeout"]} s') from None
    if done.returncode:
        raise Failed(f'{" ".join(argv)}: status {done.returncode}: {done.stdout.strip()[-600:]}')
    return done.stdout


def wait_until(condition, seconds, step=0.05):
    """Wait until condition() is true; whether it became so in time."""
    end = time.monotonic() + seconds
    while True:
        if condition():
            return True
        if time.monotonic() >= end:
            return False
        time.sleep(step)


def ns_prefix(pid):
    return f'sclab{pid}-'


def remove_namespaces(pid):
    """Remove what the lab of process `pid` left: its processes and namespaces."""
    names = [line.split()[0] for line in run(['ip', 'netns', 'list']).splitlines() if line]
    for name in names:
        if not name.startswith(ns_prefix(pid)):
            continue
        for p in run(['ip', 'netns', 'pids', name]).split():
            try:
                os.kill(int(p), signal.SIGKILL)
            except ProcessLookupError:
                pass
        subprocess.run(['ip', 'netns', 'del', name], stdin=subprocess.DEVNULL, check=False)


def end_process(proc, sig=signal.SIGTERM, seconds=10):
    """End a process that we started; its exit status. SIGKILL if it does not follow."""
    if proc.poll() is None:
        proc.send_signal(sig)
        try:
            proc.wait(seconds)
        except subprocess.TimeoutExpired:
            proc.kill()
            proc.wait()
    return proc.returncode


class Net:
    """A set of namespaces by role: client, production, target, box."""

    def __init__(self):
        self.prefix = ns_prefix(os.getpid())
        self.roles = []
        self.procs = []

    def name(self, role):
        return self.prefix + role

    def add(self, *roles):
        for role in roles:
            run(['ip', 'netns', 'add', self.name(role)])
            self.roles.append(role)
            self.run(role, ['sh', '-c',
                            'for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$f; done; '
                            'echo 4096 >/proc/sys/net/core/somaxconn; '
                            'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad; '
                            'echo 0 >/proc/sys/net/ipv6/conf/default/accept_ra'])
            self.ip(role, 'link', 'set', 'lo', 'up')

    def argv(self, role, argv):
        return ['ip', 'netns', 'exec', self.name(role)] + list(argv)

    def run(self, role, argv, **kw):
        return run(self.argv(role, argv), **kw)

    def ip(self, role, *words):
        return run(['ip', '-n', self.name(role)] + list(words))

    def start(self, role, argv, **kw):
        """Start a process in a namespace; close() ends it if nobody did before."""
        kw.setdefault('stdin', subprocess.DEVNULL)
        kw.setdefault('stdout', subprocess.DEVNULL)
        kw.setdefault('stderr', subprocess.DEVNULL)
        proc = subprocess.Popen(self.argv(role, argv), **kw)
        self.procs.append(proc)
        return proc

    def wire(self, role_a, dev_a, role_b, dev_b, offloads=tuple(NO_OFFLOADS)):
        """A veth pair, up at both ends, without offloads if nothing else is asked for."""
        self.ip(role_a, 'link', 'add', dev_a, 'type', 'veth', 'peer', 'name', dev_b,
                'netns', self.name(role_b))
        for role, dev in ((role_a, dev_a), (role_b, dev_b)):
            self.run(role, ['ethtool', '-K', dev] + list(offloads))
            self.run(role, ['sh', '-c', f'echo 0 >/proc/sys/net/ipv4/conf/{dev}/rp_filter'])
            self.ip(role, 'link', 'set', dev, 'up')

    def bare(self, role, dev):
        """A device for the box's own use: the kernel has no address on it and answers nothing."""
        self.run(role, ['sh', '-c', f'echo 1 >/proc/sys/net/ipv6/conf/{dev}/disable_ipv6; '
                                    f'echo 8 >/proc/sys/net/ipv4/conf/{dev}/arp_ignore'])

    def address(self, role, dev, *addresses):
        for a in addresses:
            words = ['addr', 'add', a, 'dev', dev]
            self.ip(role, *words, *(['nodad'] if ':' in a else []))

    def route(self, role, prefix, via):
        family = ['-6'] if ':' in prefix else []
        run(['ip', '-n', self.name(role)] + family + ['route', 'add', prefix, 'via', via])

    def received(self, role, dev):
        """Frames that came in at a device."""
        return int(self.run(role, ['cat', f'/sys/class/net/{dev}/statistics/rx_packets']))

    def line_rate(self, role, dev, rate=LINE_RATE):
        """Send at the rate of a line rather than of a CPU."""
        self.run(role, ['tc', 'qdisc', 'replace', 'dev', dev, 'root', 'tbf', 'rate', rate,
                        'burst', '32kb', 'limit', '16mb'])

    def mirror(self, role, dev, to_dev, directions=('ingress', 'egress')):
        """Copy what passes `dev` to `to_dev`, as a switch's mirror session does."""
        self.run(role, ['tc', 'qdisc', 'add', 'dev', dev, 'clsact'])
        for direction in directions:
            self.run(role, ['tc', 'filter', 'add', 'dev', dev, direction, 'protocol', 'all',
                            'u32', 'match', 'u32', '0', '0',
                            'action', 'mirred', 'egress', 'mirror', 'dev', to_dev])

    def close(self):
        for proc in reversed(self.procs):
            end_process(proc, seconds=5)
        remove_namespaces(os.getpid())


class InNet:
    """
    What lives in a Net of its own: build() makes it. A context; the net ends with it, and at once where
    build() fails half-way.
    """

    def __init__(self, net):
        self.net = net
        try:
            self.build()
        except BaseException:
            net.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.net.close()
