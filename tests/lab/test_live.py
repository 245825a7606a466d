# SPDX-License-Identifier: BSD-3-Clause
"""Live: every request that production logged is in the target's log, alike and in order."""
import os
from collections import Counter

from kit import clients, pcap, web
from kit.box import Box, mirror_words, report_faults, test_words
from kit.compare import differences
from kit.net import wait_until
from kit.plan import Plan, whole_lab
from kit.result import Failed

QUIET_SECONDS = 10


def wait_for_target(production, target):
    """Until the target has logged as much as production, or nothing new for a while."""
    want, last = production.nb_logged(), -1
    while target.nb_logged() not in (want, last):
        last = target.nb_logged()
        wait_until(lambda: target.nb_logged() not in (last,), QUIET_SECONDS, 0.2)


def extra_resets(at_production, at_target, plan, with_client):
    """A sentence if the target got a RST that no client sent."""
    sent = Counter(pcap.resets_to(at_production, plan.production))
    got = Counter(pcap.resets_to(at_target, plan.target))
    if with_client:
        extra = sum((got - sent).values())
    else:
        extra = max(0, sum(got.values()) - sum(sent.values()))
    if not extra:
        return []
    return [f'{extra} RSTs reached the target that no client sent '
            f'({sum(got.values())} there, {sum(sent.values())} at production)']


class Live:
    """Both servers, the box between them, and evidence of RSTs on both sides."""

    def __init__(self, folder, plan, words, directions=('ingress', 'egress'), route=None):
        self.folder, self.plan = folder, plan
        self.net = whole_lab(plan, directions)
        try:
            if route:
                self.net.route('target', route, plan.box)
            content = web.make_content(os.path.join(folder, 'content'))
            self.content = content
            self.production = web.Nginx(self.net, 'production', [plan.production], content,
                                        os.path.join(folder, 'production'))
            self.target = web.Nginx(self.net, 'target', [plan.target], content,
                                    os.path.join(folder, 'target'))
            self.rst_p = pcap.Recording(self.net, 'production', 's0',
                                        os.path.join(folder, 'rst-production.pcap'), pcap.RST_ONLY)
            self.rst_t = pcap.Recording(self.net, 'target', 't1',
                                        os.path.join(folder, 'rst-target.pcap'), pcap.RST_ONLY)
            self.box = Box(self.net, folder, 'run', mirror_words() + test_words(plan) + [
                '--map', plan.map(80), '--idle', 'sleep'] + words)
            self.box.wait_ready()
        except BaseException:
            self.net.close()
            raise

    def drive(self, mix, tag='c'):
        return clients.drive(self.net, self.plan, mix, self.content, tag)

    def finish(self):
        """Stop spancopy; its report."""
        wait_for_target(self.production, self.target)
        status = self.box.stop()
        self.rst_p.stop()
        self.rst_t.stop()
        if status != 0:
            raise Failed(f'spancopy ended with status {status}: {self.box.text()[-800:]}')
        return self.box.report()

    def faults(self, report, with_client):
        out = report_faults(report)
        out += differences(self.production.requests(), self.target.requests(), with_client)
        out += extra_resets(self.rst_p.path, self.rst_t.path, self.plan, with_client)
        return out


def run_live(folder, plan, words, mix=None, with_client=True, **kw):
    live = Live(folder, plan, words, **kw)
    try:
        live.drive(mix or clients.FULL)
        faults = live.faults(live.finish(), with_client)
        if faults:
            raise Failed('\n'.join(faults))
        rows = live.production.requests()
        return f'{len(rows)} requests on {len({r.connection for r in rows})} connections, all equal'
    finally:
        live.net.close()


def kept(folder, shared):
    """Client addresses are kept; the target routes them to the box."""
    plan = Plan()
    return run_live(folder, plan, ['--workers', '1'], route=plan.client_net)


def pool_routed(folder, shared):
    """A pool that the target routes to the box."""
    plan = Plan()
    return run_live(folder, plan, ['--workers', '1', '--clients', plan.pool], with_client=False,
                    route=plan.pool)


def pool_on_link(folder, shared):
    """A pool inside the test network: nothing is configured on the target."""
    plan = Plan()
    return run_live(folder, plan, ['--workers', '1', '--clients', plan.pool_on_link,
                                   '--clients-on-link'], with_client=False)


def ipv6(folder, shared):
    """The same over IPv6, addresses kept."""
    plan = Plan(v6=True)
    return run_live(folder, plan, ['--workers', '1'], route=plan.client_net)


def workers_4(folder, shared):
    """Four workers share a mirror port that has one queue."""
    plan = Plan()
    return run_live(folder, plan, ['--workers', '4'], route=plan.client_net)


def one_direction(folder, shared):
    """The mirror shows only what clients send."""
    plan = Plan()
    return run_live(folder, plan, ['--workers', '1'], mix=clients.SMALL, route=plan.client_net,
                    directions=('ingress',))


CASES = [
    ('live/kept', kept, 180),
    ('live/pool-routed', pool_routed, 180),
    ('live/pool-on-link', pool_on_link, 180),
    ('live/ipv6', ipv6, 180),
    ('live/workers-4', workers_4, 180),
    ('live/one-direction', one_direction, 120),
]
