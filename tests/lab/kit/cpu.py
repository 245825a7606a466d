# SPDX-License-Identifier: BSD-3-Clause
"""CPU time of a process, thread by thread, and of what it consists."""
import os
import re
import shutil
import subprocess
import time
from collections import Counter, namedtuple

from .net import run
from .result import Failed

Used = namedtuple('Used', 'seconds user system waited')  # of CPU; user and system are sampled, the others exact


def tsc_hz():
    """The TSC's frequency, as the kernel tells it."""
    with open('/proc/cpuinfo', encoding='utf-8') as f:
        found = re.search(r'^cpu MHz\s*:\s*([\d.]+)', f.read(), re.M)
    if not found:
        raise Failed('/proc/cpuinfo does not tell the frequency of this CPU')
    return float(found[1]) * 1e6


def threads(pid):
    """tid -> (name, Used) of every thread."""
    out = {}
    tick = os.sysconf('SC_CLK_TCK')
    for tid in os.listdir(f'/proc/{pid}/task'):
        folder = f'/proc/{pid}/task/{tid}/'
        with open(folder + 'schedstat', encoding='ascii') as f:
            seconds, waited = (int(w) / 1e9 for w in f.read().split()[:2])
        with open(folder + 'stat', encoding='utf-8') as f:
            head, tail = f.read().rsplit(')', 1)
        words = tail.split()
        out[int(tid)] = (head.split('(', 1)[1],
                         Used(seconds, int(words[11]) / tick, int(words[12]) / tick, waited))
    return out


def used(before, after):
    """name -> Used between two readings, with a sum over all threads as 'all'."""
    out = {}
    for tid, (name, now) in after.items():
        then = before.get(tid, (name, Used(0, 0, 0, 0)))[1]
        key = name if name not in out else f'{name}/{tid}'
        out[key] = Used(*(b - a for a, b in zip(then, now)))
    out['all'] = Used(*(sum(u[i] for u in out.values()) for i in range(4)))
    return out


class Others:
    """How much of the machine processes outside the lab use: a busy machine makes every figure worse."""

    def __init__(self, net):
        self.net = net
        self.before = self.read()

    def read(self):
        """Seconds that all CPUs were busy, and those of the lab: its processes, and wrk when it is over."""
        tick = os.sysconf('SC_CLK_TCK')
        with open('/proc/stat', encoding='ascii') as f:
            words = [int(w) for w in f.readline().split()[1:9]]
        mine = sum(os.times()[:4])
        for role in self.net.roles:
            for pid in run(['ip', 'netns', 'pids', self.net.name(role)]).split():
                try:
                    mine += sum(u.seconds for _, u in threads(pid).values())
                except FileNotFoundError:
                    pass
        return (sum(words) - words[3] - words[4]) / tick, mine, time.monotonic()

    def share(self):
        busy, mine, wall = (b - a for a, b in zip(self.before, self.read()))
        return round(max(busy - mine, 0) / (wall * os.cpu_count()), 2)


def rss_bytes(pid):
    with open(f'/proc/{pid}/statm', encoding='ascii') as f:
        return int(f.read().split()[1]) * os.sysconf('SC_PAGESIZE')


# What a sample belongs to: the innermost function that is in one of these lists decides.
PLACES = (
    ('frames of the target into the ring', ('tpacket_rcv', 'packet_rcv', 'xsk_rcv', '__xsk_map_redirect',
                                            'veth_xdp_rcv', 'veth_poll')),
    ("the target's TCP/IP", ('ip_rcv', 'ip_rcv_core', 'ip_local_deliver', 'tcp_v4_rcv', 'ip_list_rcv')),
    ('sending', ('tpacket_snd', 'packet_sendmsg', 'xsk_sendmsg', '__x64_sys_sendto', '__sys_sendto')),
    ('sleeping and waking', ('__x64_sys_clock_nanosleep', '__x64_sys_nanosleep', 'schedule',
                             '__x64_sys_epoll_wait', '__x64_sys_ppoll', '__x64_sys_poll')),
)


def place_of(stack):
    """The place of a call chain, innermost function first; each is (symbol, whether in the kernel)."""
    kernel = [symbol for symbol, is_kernel in stack if is_kernel]
    if not kernel:
        return 'user space'
    for symbol in kernel:
        for name, functions in PLACES:
            if symbol in functions:
                return name
    return 'the rest of the kernel'


class Sampler:
    """
    perf on a running process, where perf is there: shares of its CPU time by place. All CPUs are sampled:
    sampling one process would make each of its many sleeps dearer.
    """

    def __init__(self, pid, seconds, path):
        self.pid, self.path, self.proc = pid, path, None
        if shutil.which('perf'):
            self.proc = subprocess.Popen(
                ['perf', 'record', '-q', '-e', 'cpu-clock', '-F', '1999', '-g', '-a', '-o', path,
                 '--', 'sleep', str(seconds)],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def shares(self):
        """place -> share, and the most frequent functions; None where perf could not do it."""
        if self.proc is None or self.proc.wait(60) != 0:
            return None
        text = subprocess.run(['perf', 'script', '-i', self.path, '--pid', str(self.pid), '-F', 'comm,tid,ip,sym,dso'],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              errors='replace', check=False).stdout
        places, leaves = Counter(), Counter()
        for sample in text.split('\n\n'):
            stack = []
            for line in sample.split('\n')[1:]:
                found = re.match(r'\s+([0-9a-f]+) (.*) \((.*)\)$', line)
                if found:
                    stack.append((found[2], found[1].startswith('ffff')))
            if stack:
                place = place_of(stack)
                places[place] += 1
                leaves[place, stack[0][0]] += 1
        total = sum(places.values())
        if not total:
            return None
        return ({k: v / total for k, v in places.most_common()},
                {f'{p}: {f}': v / total for (p, f), v in leaves.most_common(40)})
