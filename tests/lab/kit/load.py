# SPDX-License-Identifier: BSD-3-Clause
"""The live lab at a rate: wrk, two nginx, and the box between them; what came through, and its price."""
import os
import subprocess
import time

from . import cpu, web
from .box import Box, device, end_faults, report_faults
from .compare import differences
from .net import InNet, wait_until
from .plan import whole_lab
from .result import Failed

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'wrk_rate.lua')
PRODUCTION = ['10.10.0.2', '10.10.0.11', '10.10.0.12', '10.10.0.13']  # each reached from another client
PAUSE_MS = 10
TAIL_SECONDS = 0.25  # for the last requests to be replayed
EARLY_FRAMES = 50  # at most, before the box had its port open
COMPARE_MAX = 300_000  # requests that are compared one by one; more are counted

# Set-up -> mirror port, test port, further words. "inline": one lcore does everything. The rings go round, so
# that each frame lies where the caches hold nothing: they are as long as 100 ms at these rates, no longer.
AF_PACKET = (device(0, 'm1', 16384), device(1, 't0', 2048))
AF_XDP = ('net_af_xdp0,iface=m1', 'net_af_xdp1,iface=t0')
INLINE = ['--intercept', 'inline']
SETUPS = {
    'af_packet': (*AF_PACKET, []),
    'af_packet-inline': (*AF_PACKET, INLINE),
    'af_xdp': (*AF_XDP, []),
    'af_xdp-inline': (*AF_XDP, INLINE),
}


class LoadLab(InNet):
    """Both servers, wired without a line's rate; the box comes and goes with each run."""

    def __init__(self, folder, plan):
        self.folder, self.plan = folder, plan
        super().__init__(whole_lab(plan))

    def build(self):
        self.prepare()
        content = web.make_content(os.path.join(self.folder, 'content'))
        self.production = web.Nginx(self.net, 'production', PRODUCTION, content,
                                    os.path.join(self.folder, 'production'))
        self.target = web.Nginx(self.net, 'target', [self.plan.target], content,
                                os.path.join(self.folder, 'target'))

    def prepare(self):
        """No rate limit, ports enough for tens of thousands of connections a second."""
        for role, dev in (('client', 'c0'), ('production', 's0')):
            self.net.run(role, ['tc', 'qdisc', 'del', 'dev', dev, 'root'])
        self.net.run('client', ['sh', '-c',
                                'echo 1024 65535 >/proc/sys/net/ipv4/ip_local_port_range'])
        for i, address in enumerate(PRODUCTION):
            if i > 0:
                self.net.address('production', 's0', f'{address}/{self.plan.bits}')
            self.net.ip('client', 'route', 'add', f'{address}/32', 'dev', 'c0', 'src',
                        self.plan.clients[i])
        self.net.route('target', self.plan.client_net, self.plan.box)

    def start_box(self, setup):
        for server in (self.production, self.target):
            if os.path.exists(server.log):
                os.truncate(server.log, 0)
        mirror, test, words = SETUPS[setup]
        self.came_before = self.net.received('box', 'm1')
        self.box = Box(self.net, self.folder, 'run', [
            '--mirror', mirror, '--test', test, '--test-address',
            f'{self.plan.box}/{self.plan.bits}', '--map', self.plan.map(80), '--idle', 'sleep',
            *words], self.plan.production)
        self.box.wait_ready()
        time.sleep(0.5)

    def start_wrk(self, workload, rate, seconds, tag):
        """wrk at about this rate, if the machine can do it."""
        nb = max(len(PRODUCTION), int(rate * PAUSE_MS / 1000))
        argv = ['wrk', '-t', str(len(PRODUCTION)), '-c', str(nb), '-d', f'{seconds + 1}s', '-s', SCRIPT,
                f'http://{PRODUCTION[0]}/', '--', tag, str(seconds), str(PAUSE_MS),
                'close' if workload == 'short' else 'keep']
        return self.net.start('client', argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, env=dict(os.environ, WRK_ADDRESSES=' '.join(PRODUCTION)))

    def wait_for_target(self, seconds=20):
        """Until the target has seen it all, and the box the ends of wrk's connections."""
        wait_until(lambda: self.target.nb_logged() == self.production.nb_logged(), seconds, 0.5)
        wait_until(lambda: self.polled() >= self.came(), 5, 0.2)

    def came(self):
        """Frames at the mirror port since the box was started."""
        return self.net.received('box', 'm1') - self.came_before - EARLY_FRAMES

    def polled(self):
        return ((self.box.ask('stats') or {}).get('frames', {}).get('mirror', {}).get('rx', 0))

    def drive(self, loads, seconds, at_end=None):
        """
        Loads of (workload, rate) at once, to their end; Failed if wrk was not served. at_end() is called
        when the last request has been sent. wrk knows whole seconds only: it starts with one.
        """
        time.sleep(-time.time() % 1)
        wrks = [self.start_wrk(workload, rate, seconds, f'r{i}')
                for i, (workload, rate) in enumerate(loads)]
        time.sleep(seconds + TAIL_SECONDS)
        if at_end:
            at_end()
        for wrk in wrks:
            try:
                said, _ = wrk.communicate(timeout=seconds + 30)
            except subprocess.TimeoutExpired:
                raise Failed('wrk did not end') from None
            if wrk.returncode or 'Non-2xx' in said:
                raise Failed(f'wrk: status {wrk.returncode}: {said[-600:]}')
        self.wait_for_target()

    def stop_box(self):
        """Stop it; its report, and what is wrong with it, as sentences."""
        status = self.box.stop()
        report = self.box.report()
        faults = end_faults(status, self.box.text()) + report_faults(report)
        came, polled = self.came(), report['frames']['mirror']['rx']
        if polled < came:
            faults.append(f'{came} frames came in at m1, spancopy polled {polled}')
        if not faults:
            faults = self.unlike()
        return report, faults

    def unlike(self):
        """How the target's log differs from production's, as sentences."""
        nb = self.production.nb_logged()
        if nb <= COMPARE_MAX:
            return differences(self.production.requests(), self.target.requests(), True)
        logs = [digest(server.log) for server in (self.production, self.target)]
        if logs[0] == logs[1]:
            return []
        return [f'production logged {logs[0][0]} requests and the target {logs[1][0]}, or not the same ones']


def digest(path):
    """Number and sum of the hashes of a log's lines, as far as both servers must agree on them."""
    nb = total = 0
    with open(path, 'rb') as f:
        for line in f:
            w = line.rstrip(b'\n').split(b'\t')
            nb, total = nb + 1, total + hash((w[2], w[4], w[5], *w[7:10], w[11]))
    return nb, total


def run(lab, setup, workload, rate, seconds, perf=None):
    """One run with a box of its own: what it was and what it cost, as a dict."""
    lab.start_box(setup)
    pid = lab.box.proc.pid
    others = cpu.Others(lab.net)
    sampler = cpu.Sampler(pid, seconds, perf) if perf else None
    after, before = {}, cpu.threads(pid)
    lab.drive([(workload, rate)], seconds, lambda: after.update(cpu.threads(pid)))
    cost = cpu.used(before, after)
    others_share = others.share()
    places = sampler.shares() if sampler else None
    report, faults = lab.stop_box()
    return dict(figures(report, cost), setup=setup, workload=workload, offered=rate, seconds=seconds,
                requests=lab.production.nb_logged(), places=places and places[0],
                functions=places and places[1], cpu_share=round(cost['all'].seconds / seconds, 3),
                waited_share=round(cost['all'].waited / seconds, 3),
                others_share=others_share, faults=faults)


def figures(report, cost):
    hz = cpu.tsc_hz()
    frames = report['frames']
    return {
        'connections': report['connections']['established'],
        'client_packets': frames['mirror']['client'],
        'mirror_packets': frames['mirror']['rx'],
        'frames_sent': frames['test']['tx'],
        'responses': frames['test']['rx'],
        'rounds': [report['engine']['loops'], report['engine']['loops_busy']],
        'balanced': report.get('balanced') is True,
        'cycles': {name: {'all': round(u.seconds * hz),
                          'user': round(u.seconds * hz * u.user / max(u.user + u.system, 0.01))}
                   for name, u in cost.items() if u.seconds > 0.001},
    }
