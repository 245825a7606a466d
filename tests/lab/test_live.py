# SPDX-License-Identifier: BSD-3-Clause
"""Live: every request that production logged is in the target's log, alike and in order."""
import json
import os
import time
from collections import Counter

from kit import clients, pcap, web
from kit.box import CTL, Box, end_faults, mirror_words, report_faults, test_words
from kit.compare import differences, key_of
from kit.net import NO_OFFLOADS, PARTIAL_CHECKSUMS, InNet, run, wait_until
from kit.plan import Plan, whole_lab
from kit.result import Failed, check, check_equal

QUIET_SECONDS = 10


def wait_for_target(production, target, copies):
    """Until the target has logged all copies of what production did, or nothing new for a while."""
    want, last = copies * production.nb_logged(), -1
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


class Live(InNet):
    """Both servers, the box between them, and evidence of RSTs on both sides."""

    def __init__(self, folder, plan, words, directions=('ingress', 'egress'), route=None,
                 offloads=tuple(NO_OFFLOADS), is_late=False):
        self.folder, self.plan, self.words = folder, plan, words
        self.first_route, self.is_late = route, is_late
        self.status = None
        super().__init__(whole_lab(plan, directions, offloads))

    def build(self):
        if self.first_route:
            self.net.route('target', self.first_route, self.plan.box)
        self.content = web.make_content(os.path.join(self.folder, 'content'))
        self.production = self.nginx('production', self.plan.production)
        self.target = self.nginx('target', self.plan.target)
        self.rst_p = self.resets('production', 's0')
        self.rst_t = self.resets('target', 't1')
        if not self.is_late:
            self.start_box()

    def nginx(self, role, address):
        return web.Nginx(self.net, role, [address], self.content, os.path.join(self.folder, role))

    def resets(self, role, dev):
        return pcap.Recording(self.net, role, dev, os.path.join(self.folder, f'rst-{role}.pcap'),
                              pcap.RST_ONLY)

    def start_box(self):
        self.box = Box(self.net, self.folder, 'run', mirror_words() + test_words(self.plan) + [
            '--map', self.plan.map(80), '--idle', 'sleep'] + self.words, self.plan.production)
        self.box.wait_ready()

    def drive(self, mix, tag='c'):
        return clients.drive(self.net, self.plan, mix, self.content, tag)

    def finish(self, copies=1):
        """Stop spancopy; its report."""
        wait_for_target(self.production, self.target, copies)
        self.status = self.box.stop()
        self.rst_p.stop()
        self.rst_t.stop()
        return self.box.report()

    def lost_frames(self, report):
        """A sentence if frames of the mirror never got from the kernel to a worker."""
        came = self.net.received('box', 'm1')
        polled = report['frames']['mirror']['rx']
        lost = report['frames']['mirror']['handover_full']
        if polled >= came and not lost:
            return []
        return [f'{came} frames came in at m1, spancopy polled {polled}; '
                f'{lost} were lost between workers']

    def run_faults(self, report):
        out = end_faults(self.status, self.box.text()) + report_faults(report)
        return self.lost_frames(report) + out if out else []

    def faults(self, report, with_client):
        out = self.run_faults(report)
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


def partial_checksums(folder, shared):
    """The mirror's frames have no TCP checksums, as when it is taken on a host."""
    plan = Plan()
    return run_live(folder, plan, ['--workers', '1'], mix=clients.SMALL, route=plan.client_net,
                    offloads=PARTIAL_CHECKSUMS)


def copies(folder, shared, nb, words, pool, route):
    """Some replays of every connection, from a pool."""
    plan = Plan()
    live = Live(folder, plan, ['--clients', getattr(plan, pool), '--copies', str(nb), *words],
                route=plan.pool if route else None)
    try:
        live.drive(clients.SMALL)
        faults = live.run_faults(live.finish(nb))
        rows = live.production.requests()
        wanted = [r._replace(connection=f'{r.connection}/{n}') for n in range(nb) for r in rows]
        faults += differences(wanted, live.target.requests(), False)
        if faults:
            raise Failed('\n'.join(faults))
        return f'{nb} x {len(rows)} requests, all equal'
    finally:
        live.net.close()


def copies_routed(folder, shared):
    """A pool that the target routes to the box."""
    return copies(folder, shared, 3, ['--workers', '1'], 'pool', True)


def copies_on_link(folder, shared):
    """A pool inside the test network; workers poll the test port themselves."""
    return copies(folder, shared, 10, ['--workers', '2', '--intercept', 'inline', '--clients-on-link'],
                  'pool_on_link', False)


def client_resets(folder, shared):
    """Clients reset in the middle of an answer: the target gets these RSTs and no others."""
    plan = Plan()
    live = Live(folder, plan, ['--workers', '1'], route=plan.client_net)
    try:
        live.drive({'aborts': 30, 'short': 100})
        report = live.finish()
        # How much of an answer left before the RST came is chance, on both sides.
        rows = [[r._replace(completion='', bytes_sent='') if '=a' in r.uri else r
                 for r in server.requests()] for server in (live.production, live.target)]
        faults = live.run_faults(report) + differences(*rows, True)
        faults += extra_resets(live.rst_p.path, live.rst_t.path, plan, True)
        got = pcap.resets_to(live.rst_t.path, plan.target)
        if len(got) < 30:
            faults.append(f'{len(got)} RSTs reached the target, 30 clients sent one')
        if faults:
            raise Failed('\n'.join(faults))
        return f'{len(got)} RSTs at the target'
    finally:
        live.net.close()


def control(folder, shared):
    """spancopyctl asks a running spancopy, and stops it."""
    plan = Plan()
    live = Live(folder, plan, ['--workers', '1'], route=plan.client_net)
    try:
        live.drive(clients.SMALL)
        wait_until(lambda: live.target.nb_logged() == live.production.nb_logged(), 10)
        ctl = [CTL, '--control-dir', live.box.control_dir]
        time.sleep(2)  # its figures are a second old at most
        stats = json.loads(run(ctl + ['--json', 'stats']))
        check_equal(stats['flows']['seen'], len({r.connection for r in live.production.requests()}),
                    'flows seen, asked while it runs')
        check(run(ctl + ['status']).strip(), 'no status')
        check_equal(json.loads(run(ctl + ['--json', 'ledger'])).get('balanced'), True, 'balanced')
        run(ctl + ['stop'])
        check_equal(live.box.wait(30), 0, 'status after spancopyctl stop')
        faults = live.faults(live.finish(), True)
        if faults:
            raise Failed('\n'.join(faults))
        return f'{stats["flows"]["seen"]} flows seen'
    finally:
        live.net.close()


def lists(requests):
    """Each connection's requests by the first thing its URIs say: the connection's own name."""
    out = {}
    for r in requests:
        out.setdefault((r.uri.split('?')[1].split('&')[0], r.connection), []).append(key_of(r))
    return {name: rows for (name, _), rows in out.items()}


def mid_stream(folder, shared):
    """Started while connections are open: those are joined at a request, later ones are whole."""
    plan = Plan()
    live = Live(folder, plan, ['--workers', '1'], route=plan.client_net, is_late=True)
    try:
        clients_proc = live.net.start('client', clients.traffic_argv(
            live.net, plan, {'slow': 12}, live.content, 'old')[4:])
        wait_until(lambda: live.production.nb_logged() >= 100, 10)
        live.start_box()
        live.drive({'short': 50}, 'new')
        clients_proc.wait(60)
        report = live.finish()
        faults = live.run_faults(report)
        seen_p, seen_t = lists(live.production.requests()), lists(live.target.requests())
        for name, rows in seen_p.items():
            got = seen_t.get(name, [])
            if name.startswith('new') and got != rows:
                faults.append(f'{name}: {len(got)} of {len(rows)} requests')
            if name.startswith('old') and (not got or rows[-len(got):] != got):
                faults.append(f'{name}: {len(got)} requests, not the end of the {len(rows)}')
        if faults:
            raise Failed('\n'.join(faults[:12]))
        joined = [len(v) for k, v in seen_t.items() if k.startswith('old')]
        return f'{len(joined)} connections joined, {sum(joined)} of their requests replayed'
    finally:
        live.net.close()


CASES = [
    ('live/kept', kept, 180),
    ('live/pool-routed', pool_routed, 180),
    ('live/pool-on-link', pool_on_link, 180),
    ('live/ipv6', ipv6, 180),
    ('live/workers-4', workers_4, 180),
    ('live/one-direction', one_direction, 120),
    ('live/partial-checksums', partial_checksums, 120),
    ('live/copies', copies_routed, 120),
    ('live/copies-on-link', copies_on_link, 120),
    ('live/client-resets', client_resets, 120),
    ('live/mid-stream', mid_stream, 120),
    ('live/control', control, 120),
]
