# SPDX-License-Identifier: BSD-3-Clause
"""Captures: the same traffic from a file, at several speeds, against a real and an embedded target."""
import json
import os

from kit import clients, web
from kit.box import Box, end_faults, report_faults, test_words
from kit.compare import differences
from kit.net import Net
from kit.plan import Plan, wire_target_side
from kit.recorded import record
from kit.result import Failed

REPLAY_SECONDS = 120


def replay_words(path, speed):
    return [path, '--speed', str(speed)]


def target_only(folder, plan, content):
    """The target and the box, the target's route set."""
    net = Net()
    try:
        wire_target_side(net, plan)
        net.route('target', plan.client_net, plan.box)
        return net, web.Nginx(net, 'target', [plan.target], content,
                              os.path.join(folder, 'target'))
    except BaseException:
        net.close()
        raise


def replay_to(net, folder, plan, path, speed):
    """One replay to its own end; what was wrong with it."""
    box = Box(net, folder, 'replay', replay_words(path, speed) + test_words(plan) + [
        '--map', plan.map(80), '--peer', 'none', '--idle', 'sleep'])
    status = box.wait(REPLAY_SECONDS)
    return end_faults(status, box.text()) + report_faults(box.report())


def against_target(folder, shared, speed, times=1):
    recorded = record(shared, 'full', clients.FULL)
    plan = Plan()
    net, target = target_only(folder, plan, recorded.content)
    try:
        faults, done = [], 0
        for _ in range(times):
            faults += replay_to(net, folder, plan, recorded.path, speed)
            rows = target.requests()
            faults += differences(recorded.requests, rows[done:], True)
            done = len(rows)
        if faults:
            raise Failed('\n'.join(faults))
        return f'{done} requests, all equal'
    finally:
        net.close()


def against_peer(folder, shared, speed):
    recorded = record(shared, 'full', clients.FULL)
    box = Box(None, folder, 'replay', replay_words(recorded.path, speed) + [
        '--peer', 'capture', '--idle', 'sleep'])
    status = box.wait(REPLAY_SECONDS)
    report = box.report()
    faults = end_faults(status, box.text()) + report_faults(report)
    peer = report.get('peer', {})
    for figure in ('bytes_in_differ', 'early', 'refused_unknown'):
        if peer.get(figure) != 0:
            faults.append(f'the peer counted {figure} {peer.get(figure)}, expected 0')
    accepted = report['client_bytes']['accepted']
    if not accepted or peer.get('bytes_in_ok') != accepted:
        faults.append(f'the peer read {peer.get("bytes_in_ok")} of {accepted} client bytes alike: '
                      f'{json.dumps(peer)}')
    if faults:
        raise Failed('\n'.join(faults))
    return f'{accepted} client bytes, all equal'


def case(function, *args):
    return lambda folder, shared: function(folder, shared, *args)


CASES = [
    ('capture/target-x1', case(against_target, 1), 240),
    ('capture/target-x10', case(against_target, 10), 240),
    ('capture/target-max', case(against_target, 'max'), 240),
    ('capture/target-max-twice', case(against_target, 'max', 2), 240),
    ('capture/peer-x1', case(against_peer, 1), 240),
    ('capture/peer-x10', case(against_peer, 10), 240),
    ('capture/peer-max', case(against_peer, 'max'), 240),
]
