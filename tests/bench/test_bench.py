# SPDX-License-Identifier: BSD-3-Clause
"""scripts/bench as a tool: the shape of what it writes, and that it can fail. Figures of such short
runs mean nothing."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'scripts', 'lib'))
sys.dont_write_bytecode = True

import bench_long  # noqa: E402

BUILD = os.environ['BENCH_BUILD_DIR']
FIGURES = ('mirror_packet', 'response', 'request_path', 'flow')
STAGES = ('rx', 'parse', 'steer', 'lookup', 'engine', 'gate', 'tx', 'timers', 'intercept')


def bench(*argv):
    return subprocess.run([sys.executable, '-B', os.path.join(ROOT, 'scripts', 'bench'), '--build',
                           BUILD, '--sessions', '2000', '--turns', '4000', '--runs', '3', *argv],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)


class Bench(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.TemporaryDirectory()
        cls.file = os.path.join(cls.tmp.name, 'a.json')
        cls.run_ = bench('--workload', 'keepalive', '--workload', 'short', '--json', cls.file)
        with open(cls.file, encoding='utf-8') as f:
            cls.doc = json.load(f)

    @classmethod
    def tearDownClass(cls):
        cls.tmp.cleanup()

    def test_all_was_replayed(self):
        self.assertEqual(self.run_.returncode, 0, self.run_.stdout)
        self.assertTrue(all(w['balanced'] for w in self.doc['workloads']))

    def test_shape(self):
        self.assertIn('cpu', self.doc['machine'])
        self.assertIn('idle_session_bytes', self.doc)
        for w in self.doc['workloads']:
            self.assertEqual(w['sessions'], 2000)
            for name in FIGURES:
                self.assertIn(name, w['cycles'])
            for name in STAGES:
                self.assertGreaterEqual(w['stages'][name], 0)
            for name in ('floor', 'ratio', 'turns_per_s', 'gbit_per_s'):
                self.assertGreater(w[name], 0)

    def test_each_workload_has_its_figure(self):
        keepalive, short = self.doc['workloads']
        self.assertGreater(keepalive['cycles']['request_path'], 0)
        self.assertGreater(short['cycles']['flow'], 0)
        self.assertGreater(short['flows_per_s'], 0)

    def test_baseline(self):
        half = json.loads(json.dumps(self.doc))
        for w in half['workloads']:
            w['cycles'] = {k: v and v / 100 for k, v in w['cycles'].items()}
        file = os.path.join(self.tmp.name, 'b.json')
        for factor, status in ((1, 1), (10000, 0)):
            for w in half['workloads']:
                w['cycles'] = {k: v and v * factor for k, v in w['cycles'].items()}
            with open(file, 'w', encoding='utf-8') as f:
                json.dump(half, f)
            out = bench('--workload', 'keepalive', '--baseline', file)
            self.assertEqual(out.returncode, status, out.stdout)

    def test_elephant(self):
        file = os.path.join(self.tmp.name, 'e.json')
        out = bench('--workload', 'elephant', '--json', file)
        self.assertEqual(out.returncode, 0, out.stdout)
        with open(file, encoding='utf-8') as f:
            doc = json.load(f)['elephant']
        self.assertGreater(doc['beside']['gbit_per_s'], 0)
        self.assertEqual(doc['without']['gbit_per_s'], 0)
        for row in (doc['without'], doc['beside']):
            self.assertGreaterEqual(row['sent'], row['requests'])
            self.assertGreaterEqual(row['p99'], row['p50'])

    def test_unknown_workload(self):
        self.assertEqual(bench('--workload', 'none').returncode, 2)

    def test_no_program(self):
        out = bench('--workload', 'short', '--build', self.tmp.name)
        self.assertEqual(out.returncode, 3, out.stdout)

    def test_soak(self):
        out = bench('--soak', '300000')
        self.assertEqual(out.returncode, 0, out.stdout)
        self.assertIn('soak: ', out.stdout)

    def test_a_soak_can_fail(self):
        good = [dict({g: 7 for g in bench_long.GAUGES}, frames=1 << 24, worker=1 << 30, intercept=1 << 25,
                     rss_kib=5000) for _ in range(100)]
        self.assertEqual(bench_long.not_flat(good), [])
        for change in ({'feed_free': 6}, {'rss_kib': 9000}, {'worker': 1.2 * (1 << 30)}, {'held_bytes': 8}):
            bad = good[:90] + [dict(s, **change) for s in good[90:]]
            self.assertEqual(len(bench_long.not_flat(bad)), 1, change)


if __name__ == '__main__':
    unittest.main()
