#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What spancopy does when something is not to be had: the n-th call fails, n = 1, 2, ...

FAULT_SPANCOPY=... python3 sweep.py [CLASS]; meson test --suite fault does it. Each run must end by
itself, soon, without a crash or a leak (with sanitizers), and either say on standard error what it
lacked and exit with one of its statuses, or have got on without it, with the right result.
"""
import json
import os
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CAPTURE = os.path.join(ROOT, 'tests/golden/several.in.pcap')
LIMIT_S = 60
AT_MOST = 600  # calls; more would be a loop
OK, USAGE, ENVIRONMENT, CAPTURE_UNFIT, TARGET = 0, 2, 3, 4, 5
CONFIG = """
capture: {capture}
map: [ "10.2.0.1:80-10.9.0.2:8080" ]
max-flows: 64
held-bytes: 1M
speed: max
"""


class Sweep(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix='spancopy-fault-')
        self.addCleanup(directory.cleanup)
        self.dir = directory.name

    def path(self, name):
        return os.path.join(self.dir, name)

    def run_failing(self, n, words):
        """-> the run, and the name of the call that failed; None: there was no n-th call"""
        told = self.path('told')
        for name in (told, self.path('report.json')):
            if os.path.exists(name):
                os.unlink(name)
        done = subprocess.run([os.environ['FAULT_SPANCOPY'], *words], cwd=self.dir, text=True,
                              env={**os.environ, 'SC_FAULT_AT': str(n), 'SC_FAULT_FILE': told},
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_S,
                              check=False)
        if not os.path.exists(told):
            return done, None
        with open(told, encoding='utf-8') as file:
            return done, file.read()

    def check_explained(self, done, where):
        self.assertIn(done.returncode, (USAGE, ENVIRONMENT, CAPTURE_UNFIT, TARGET), where)
        sentences = [line for line in done.stderr.splitlines() if line.startswith('spancopy: ')]
        sentences += self.findings(done)
        self.assertTrue(sentences and all(len(s) > len('spancopy: ') + 10 for s in sentences), where)

    def findings(self, done):
        """What the result itself says of what was lacking."""
        return []

    def check_result(self, done, where):
        """It got on without: then with everything done."""

    def check_run(self, done, call, where):
        for word in ('AddressSanitizer', 'LeakSanitizer', 'runtime error'):
            self.assertNotIn(word, done.stderr, where)
        self.assertGreaterEqual(done.returncode, 0, where)
        if done.returncode == OK or call is None:
            self.assertEqual(done.returncode, OK, where)
            self.check_result(done, where)
        else:
            self.check_explained(done, where)

    def sweep(self, *words):
        failed = []
        for n in range(1, AT_MOST):
            done, call = self.run_failing(n, words)
            with self.subTest(n=n, call=call):
                self.check_run(done, call, f'{words}: {done.returncode}\n{done.stdout}{done.stderr}')
            if call is None:
                return failed
            failed.append(call)
        self.fail(f'{words}: still failing at call {AT_MOST}')


class Reported(Sweep):
    def check_result(self, done, where):
        with open(self.path('report.json'), encoding='utf-8') as file:
            report = json.load(file)
        self.assertTrue(report['balanced'], where)
        self.assertGreater(report['client_bytes']['delivered'], 0, where)

    def replay(self, *words):
        return self.sweep('replay', CAPTURE, '--speed', 'max', '--max-flows', '64', '--held-bytes',
                          '1M', '--report', 'report.json', *words)


class Replay(Reported):
    def test_replay(self):
        failed = self.replay('--control-dir', 'control')
        for call in ('malloc', 'calloc', 'mmap64', 'signalfd', 'epoll_create1', 'socket', 'open64',
                     'rte_pktmbuf_pool_create', 'rte_ring_create_elem', 'rte_eal_remote_launch'):
            self.assertIn(call, failed)


class Pool(Reported):
    def test_pool(self):
        self.replay('--clients', '10.7.0.1-2,fd07::1', '--copies', '2', '--intercept', 'inline',
                    '--workers', '2')


class Check(Sweep):
    def findings(self, done):
        return [line for line in done.stdout.splitlines() if 'cannot open' in line]

    def test_check(self):
        failed = self.sweep('check', CAPTURE)
        self.assertIn('calloc', failed)


class Config(Check):
    test_check = None

    def test_config(self):
        with open(self.path('a.yaml'), 'w', encoding='utf-8') as file:
            file.write(CONFIG.format(capture=CAPTURE))
        failed = self.sweep('check', '--config', 'a.yaml')
        self.assertIn('yaml_parser_initialize', failed)


if __name__ == '__main__':
    unittest.main()
