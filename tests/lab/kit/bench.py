# SPDX-License-Identifier: BSD-3-Clause
"""A capture onto a real target: the target's half of the lab, its server, its wire, one replay."""
import json
import os
import subprocess

from . import web
from .box import Box, end_faults, report_faults, test_words
from .compare import differences
from .net import InNet, Net, wait_until
from .nft import Wire
from .plan import Plan, wire_target_side
from .result import Failed

ACTOR = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'actor.py')
ASK = '''
import socket, sys
s = socket.create_connection((sys.argv[1], 80), 5)
s.sendall(sys.stdin.buffer.read())
s.settimeout(0.3)
data = b""
try:
    while block := s.recv(65536):
        data += block
except TimeoutError:
    pass
sys.stdout.buffer.write(data)
'''


class Bench(InNet):
    """Target and box, the target's route set. Use it as a context: everything ends with it."""

    def __init__(self, folder, route=None):
        self.folder, self.plan = folder, Plan()
        self.client_net = route or self.plan.client_net
        self.server = self.box = self.status = None
        super().__init__(Net())

    def build(self):
        wire_target_side(self.net, self.plan, Wire.ROLE)
        self.net.route('target', self.client_net, self.plan.box)
        self.wire = Wire(self.net)

    def nginx(self, content=None, **settings):
        content = content or web.make_content(os.path.join(self.folder, 'content'))
        self.server = web.Nginx(self.net, 'target', [self.plan.target], content,
                                os.path.join(self.folder, 'target'), **settings)
        return self.server

    def raw_answers(self, questions):
        """What the target's nginx answers to each of them, byte for byte; its log begins anew."""
        out = []
        for q in questions:
            out.append(run_bytes(self.net.argv('target', ['python3', '-c', ASK, self.plan.target]), q))
        os.truncate(self.server.log, 0)
        return out

    def actor(self, *steps, rcvbuf=0):
        """A server that plays these steps; its rows are read by rows()."""
        self.actor_log = os.path.join(self.folder, 'actor.log')
        self.net.start('target', ['python3', ACTOR, self.plan.target, '80', str(rcvbuf),
                                  self.actor_log, *steps])
        if not wait_until(lambda: self.net.run('target', ['ss', '-Hltn', 'sport = :80']).strip(),
                          10):
            raise Failed('the acting server does not listen')

    def rows(self):
        """What the acting server wrote, a row for each connection that is over."""
        try:
            with open(self.actor_log, encoding='utf-8') as f:
                return [json.loads(line) for line in f]
        except FileNotFoundError:
            return []

    def start(self, path, words=(), speed='max', test=None):
        """`test`: the test port, if it is not the usual af_packet."""
        self.wire.up()
        ports = test_words(self.plan)
        if test:
            ports[1] = test
        self.box = Box(self.net, self.folder, 'replay', [
            path, '--speed', str(speed), '--map', self.plan.map(80), '--peer', 'none', '--idle',
            'sleep', *ports, *words])

    def end(self, seconds):
        self.status = self.box.wait(seconds)
        return self.box.report()

    def replay(self, path, words=(), speed='max', seconds=60, test=None):
        """One replay to its own end; its report."""
        self.start(path, words, speed, test)
        return self.end(seconds)

    def faults(self, report):
        """What was wrong with a run that should have been perfect."""
        return end_faults(self.status, self.box.text()) + report_faults(report)

    def check_equal_to(self, report, requests, with_client=True):
        """The target saw exactly these requests, on exactly these connections."""
        finish(self.faults(report) + differences(requests, self.server.requests(), with_client))


def run_bytes(argv, data):
    return subprocess.run(argv, input=data, stdout=subprocess.PIPE, check=True, timeout=20).stdout


def finish(faults):
    if faults:
        raise Failed('\n'.join(faults))


def named(report):
    """Client bytes that the report says did not arrive, whatever the reason."""
    b = report['client_bytes']
    return sum(sum(b[w].values()) for w in ('refused', 'skipped', 'abandoned')) + b['unconfirmed']


def outcomes(report):
    return ', '.join(f'{k} {v}' for k, v in sorted(report['sessions']['ended'].items()))


def gates(report):
    return ' '.join(f'{k} {v}' for k, v in report['turns']['gate'].items() if v)
