# SPDX-License-Identifier: BSD-3-Clause
"""The command line of spancopy and spancopyctl: exit statuses, the report, signals, control.

SPANCOPY=... SPANCOPYCTL=... python3 test_cli.py [CLASS]; meson test --suite app does it.
"""
import atexit
import ctypes
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import unittest

import pcap

OK, FIDELITY, USAGE, ENVIRONMENT, CAPTURE, TARGET = 0, 1, 2, 3, 4, 5
LIMIT_S = 60  # of any run here; the machine may be busy

# Promised to who reads the report by program: these keys stay.
CONTRACT = {
    'flows': ['seen', 'embryonic', 'admitted', 'refused', 'ended', 'live'],
    'sessions': ['started', 'ended', 'live'],
    'connections': ['opened', 'reopened', 'closed', 'open'],
    'client_bytes': ['seen', 'accepted', 'duplicate', 'refused', 'missing', 'delivered',
                     'in_flight', 'waiting', 'unconfirmed', 'skipped', 'abandoned'],
    'turns': ['seen', 'answered', 'gate'],
    'frames': ['mirror', 'test'],
}
CONTRACT_BELOW = {
    ('turns', 'gate'): ['module', 'exact', 'longer', 'shorter', 'duplex', 'timeout', 'time'],
    ('frames', 'mirror'): ['rx', 'refused'],
    ('frames', 'test'): ['tx', 'rx', 'guard_refused'],
}
CONTRACT_MAPS = [('flows', 'refused'), ('flows', 'ended'), ('sessions', 'ended'),
                 ('connections', 'closed'), ('client_bytes', 'duplicate'),
                 ('client_bytes', 'refused'), ('client_bytes', 'skipped'),
                 ('client_bytes', 'abandoned'), ('frames', 'mirror', 'refused'),
                 ('frames', 'test', 'guard_refused')]


REACHED = set()


def figures(value, path=''):
    """The figures of a report that are not 0, as lines: report GROUP.KEY."""
    for key, below in value.items():
        if isinstance(below, dict):
            yield from figures(below, f'{path}{key}.')
        elif type(below) is int and below > 0:
            yield f'report {path}{key}'


def leave_reached():
    """For scripts/lib/reached.py, as tests/support/reached.c does."""
    folder = os.environ.get('SC_REACHED_DIR')
    if folder and REACHED:
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, '-'.join(['app', *sys.argv[1:]]).lower())
        with open(path, 'w', encoding='utf-8') as file:
            file.writelines(line + '\n' for line in sorted(REACHED))


atexit.register(leave_reached)


class Case(unittest.TestCase):
    """A directory of its own, and ways to run the programs in it."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix='spancopy-cli-')
        self.addCleanup(directory.cleanup)
        self.dir = directory.name

    def path(self, name):
        return os.path.join(self.dir, name)

    def run_program(self, variable, *words):
        return subprocess.run([os.environ[variable], *words], cwd=self.dir, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_S,
                              check=False)

    def spancopy(self, *words, status=OK):
        done = self.run_program('SPANCOPY', *words)
        self.assertEqual(done.returncode, status, f'{words}: {done.stdout}{done.stderr}')
        return done

    def replay(self, *words, status=OK):
        """A replay with a report: the report."""
        self.spancopy('replay', *words, '--report', 'report.json', status=status)
        return self.read_report()

    def read_report(self):
        with open(self.path('report.json'), encoding='utf-8') as file:
            report = json.load(file)
        REACHED.update(figures(report))
        return report

    def check_contract(self, report):
        for group, keys in CONTRACT.items():
            for key in keys:
                self.assertIn(key, report[group], group)
        for (group, sub), keys in CONTRACT_BELOW.items():
            for key in keys:
                self.assertIn(key, report[group][sub], f'{group}.{sub}')
        for path in CONTRACT_MAPS:
            value = report
            for key in path:
                value = value[key]
            self.assertIsInstance(value, dict, path)
        self.assertIs(type(report['balanced']), bool)
        self.assertIs(type(report['fidelity']), float)
        self.assertIs(type(report['duration_s']), float)

    def check_complete(self, report, nb, said):
        self.assertTrue(report['balanced'], report['faults'])
        self.assertEqual(report['fidelity'], 1.0)
        self.assertEqual(report['flows']['seen'], nb)
        self.assertEqual(report['flows']['ended'], {'complete': nb})
        self.assertEqual(report['client_bytes']['accepted'], said)
        self.assertEqual(report['client_bytes']['missing'], 0)
        self.assertEqual(report['frames']['test']['guard_refused'], {})


class Replay(Case):
    """Whole conversations onto the embedded peer."""

    def check_peer(self, report, said):
        self.assertEqual(report['peer']['bytes_in_ok'], said)
        self.assertEqual(report['peer']['bytes_in_differ'], 0)
        self.assertEqual(report['peer']['early'], 0)

    def test_both_families(self):
        said = pcap.conversations(self.path('a.pcap'))
        report = self.replay('a.pcap', '--peer', 'capture', '--expect-fidelity', '100')
        self.check_contract(report)
        self.check_complete(report, 4, said)
        self.check_peer(report, said)
        self.assertEqual(report['client_bytes']['delivered'], said)
        self.assertEqual(report['turns']['answered'], 12)
        self.assertGreater(report['duration_s'], 0)
        self.assertEqual(stat.S_IMODE(os.stat(self.path('report.json')).st_mode) & 0o077, 0)

    def test_many_workers(self):
        said = pcap.conversations(self.path('a.pcap'), nb=40)
        report = self.replay('a.pcap', '--workers', '2')
        self.check_complete(report, 40, said)
        self.check_peer(report, said)

    def test_inline(self):
        said = pcap.conversations(self.path('a.pcap'), nb=20)
        report = self.replay('a.pcap', '--workers', '2', '--intercept', 'inline')
        self.check_complete(report, 20, said)
        self.check_peer(report, said)

    def test_as_many_as_a_ring_port_has_queues(self):
        said = pcap.conversations(self.path('a.pcap'), nb=40)
        report = self.replay('a.pcap', '--workers', '16', '--intercept', 'inline', '--held-bytes',
                             '64M', '--max-flows', '4096')
        self.check_complete(report, 40, said)
        self.check_peer(report, said)

    def test_copies(self):
        said = pcap.conversations(self.path('a.pcap'))
        report = self.replay('a.pcap', '--copies', '3', '--clients', '10.7.0.1-20,fd07::10/124')
        self.check_complete(report, 4, said)
        self.check_peer(report, 3 * said)
        self.assertEqual(report['sessions']['started'], 12)
        self.assertEqual(report['client_bytes']['delivered'], 3 * said)

    def test_two_files(self):
        said = pcap.conversations(self.path('a.pcap'))
        capture = pcap.Capture()
        c = pcap.Conversation(capture, ('10.1.0.9', 41_000), ('10.2.0.1', 80), at=0.2)
        c.open()
        c.turn(b'hello', b'world')
        c.close()
        capture.write(self.path('b.pcap'))
        self.check_complete(self.replay('a.pcap', 'b.pcap'), 5, said + 5)

    def test_strange_link_type(self):
        """One of two captures is of a kind that nobody here can read: the report says so."""
        said = pcap.conversations(self.path('a.pcap'))
        capture = pcap.Capture()
        pcap.Conversation(capture, ('10.1.0.9', 41_000), ('10.2.0.1', 80), at=0.2).open()
        capture.write(self.path('b.pcap'), linktype=147)
        report = self.replay('a.pcap', 'b.pcap')
        self.check_complete(report, 4, said)
        self.assertEqual(report['frames']['mirror']['refused'], {'unknown_link': 3})

    def test_impaired(self):
        said = pcap.conversations(self.path('a.pcap'), nb=6)
        report = self.replay('a.pcap', '--impair', 'loss=5,dup=5,delay=1ms', '--seed', '7')
        self.check_complete(report, 6, said)
        self.check_peer(report, said)
        self.assertGreater(report['peer']['impaired'], 0)

    def test_report_on_stdout(self):
        pcap.conversations(self.path('a.pcap'))
        done = self.spancopy('replay', 'a.pcap', '--report', '-')
        self.check_contract(json.loads(done.stdout))
        done = self.spancopy('replay', 'a.pcap')
        self.assertIn('fidelity 100', done.stdout)
        self.assertIn('ledger balanced', done.stdout)


class Verdict(Case):
    """Exit statuses of runs that went to their end."""

    def test_everything_lost(self):
        pcap.conversations(self.path('a.pcap'))
        report = self.replay('a.pcap', '--impair', 'loss=100', '--expect-fidelity', '100',
                             '--drain', '2s', status=TARGET)
        self.check_contract(report)
        self.assertTrue(report['balanced'], report['faults'])
        self.assertEqual(report['fidelity'], 0.0)
        self.assertEqual(report['client_bytes']['delivered'], 0)
        self.assertEqual(report['connections']['opened'],
                         report['connections']['closed']['unopened'])

    def hole(self):
        """A question that the capture lost, and production answered."""
        capture = pcap.Capture()
        c = pcap.Conversation(capture, ('10.1.0.5', 40_000), ('10.2.0.1', 80))
        c.open()
        c.turn(b'first question', b'first answer')
        c.turn(b'second question', b'second answer')
        c.close()
        del capture.packets[7]
        capture.write(self.path('hole.pcap'))

    def test_below_expectation(self):
        self.hole()
        report = self.replay('hole.pcap', '--expect-fidelity', '100', status=FIDELITY)
        self.assertTrue(report['balanced'], report['faults'])
        self.assertEqual(report['client_bytes']['missing'], len('second question'))
        self.assertLess(report['fidelity'], 1.0)

    def test_above_expectation(self):
        self.hole()
        report = self.replay('hole.pcap', '--expect-fidelity', '40')
        self.assertLess(report['fidelity'], 1.0)
        self.replay('hole.pcap')

    def test_nothing_to_replay(self):
        pcap.conversations(self.path('a.pcap'))
        report = self.replay('a.pcap', '--map', '10.2.0.77:99-198.18.0.1:99', status=CAPTURE)
        self.assertEqual(report['flows']['seen'], 0)

    def test_cut_capture(self):
        pcap.conversations(self.path('a.pcap'))
        with open(self.path('a.pcap'), 'r+b') as file:
            file.truncate(os.path.getsize(self.path('a.pcap')) - 10)
        report = self.replay('a.pcap', status=CAPTURE)
        self.assertIn('a.pcap', report['capture_damage'])
        self.assertTrue(report['balanced'], report['faults'])


class Usage(Case):
    """What is refused, and how."""

    def refused(self, *words, says, status=USAGE):
        done = self.spancopy(*words, status=status)
        self.assertEqual(done.stdout, '')
        self.assertIn(says, done.stderr)

    def test_usage(self):
        pcap.conversations(self.path('a.pcap'))
        self.refused(says='spancopy help')
        self.refused('frob', says="'frob'")
        self.refused('replay', says='capture')
        self.refused('replay', 'a.pcap', '--bogus', says='--bogus')
        self.refused('replay', 'a.pcap', '--workers', '99', says='from 1 to 16')
        self.refused('replay', 'a.pcap', '--workers', 'two', says='two')
        self.refused('replay', 'a.pcap', '--map', '80', says='80')
        self.refused('replay', 'a.pcap', '--expect-fidelity', '101', says='101')
        self.refused('replay', 'a.pcap', '--impair', 'lose=1', says='lose=1')
        self.refused('replay', 'a.pcap', '--config', 'none.yaml', says='none.yaml')
        self.refused('run', says='mirror')
        self.refused('help', 'frob', says='help takes')

    def test_captures(self):
        with open(self.path('text.pcap'), 'w', encoding='ascii') as file:
            file.write('not a capture\n')
        for command in ('replay', 'check'):
            self.refused(command, 'none.pcap', says='none.pcap', status=CAPTURE)
            self.refused(command, 'text.pcap', says='not a capture', status=CAPTURE)

    def test_help(self):
        self.assertRegex(self.spancopy('--version').stdout, r'^spancopy \d+\.\d+\.\d+\n$')
        self.assertIn('--map', self.spancopy('help').stdout)
        self.assertIn('CAPTURE', self.spancopy('help', 'replay').stdout)
        self.assertEqual(self.spancopy('replay', '--help').stdout,
                         self.spancopy('help', 'replay').stdout)


class Check(Case):
    """spancopy check."""

    def test_fit(self):
        pcap.conversations(self.path('a.pcap'))
        out = self.spancopy('check', 'a.pcap').stdout
        self.assertIn('10.2.0.1:80', out)
        self.assertIn('[fd02::1]:80', out)
        self.assertIn('can be replayed', out)

    def test_unfit(self):
        pcap.Capture().write(self.path('empty.pcap'))
        self.spancopy('check', 'empty.pcap', status=CAPTURE)
        capture = pcap.Capture()
        c = pcap.Conversation(capture, ('10.1.0.5', 40_000), ('10.2.0.1', 80))
        for _ in range(5):
            c.put(False, pcap.ACK, b'only answers')
        capture.write(self.path('half.pcap'))
        self.spancopy('check', 'half.pcap', status=CAPTURE)

    def test_configuration(self):
        with open(self.path('c.yaml'), 'w', encoding='ascii') as file:
            file.write('workers: 400\n')
        done = self.spancopy('check', '--config', 'c.yaml', status=USAGE)
        self.assertIn('c.yaml:1', done.stderr)


class Memory(Case):
    """Pages of every kind; what a run needs is said before it is taken."""

    TOO_MUCH = ('--workers', '16', '--held-bytes', '1T')  # 16 million mbufs
    REFUSED = re.compile(r'(\d+) hugepages of \d+ KiB are needed \(\d+ MiB .*\) and (\d+) of (\d+) are '
                         r'free: echo (\d+) > /sys/kernel/mm/hugepages/hugepages-\d+kB/nr_hugepages')

    def setUp(self):
        super().setUp()
        self.said = pcap.conversations(self.path('a.pcap'))

    def complete(self, *words, before=None):
        done = subprocess.run([os.environ['SPANCOPY'], 'replay', 'a.pcap', '--report', 'report.json',
                               *words], cwd=self.dir, text=True, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=LIMIT_S, check=False, preexec_fn=before)
        if done.returncode == OK:
            self.check_complete(self.read_report(), 4, self.said)
        return done

    def check_refused(self, text):
        found = self.REFUSED.search(text)
        self.assertIsNotNone(found, text)
        need, free, there, command = (int(n) for n in found.groups())
        self.assertGreater(need, free)
        self.assertEqual(command, there + need - free)

    def test_small_pages(self):
        done = self.complete('--pages', 'small')
        self.assertEqual(done.returncode, OK, done.stderr)
        self.assertIn('ordinary pages, slower', done.stderr)
        self.assertRegex(done.stderr, r'\d+ MiB for \d+ mbufs and rings \(4 KiB pages\), \d+ MiB for tables')

    def test_jumbo_frames_in_small_pages(self):
        done = self.complete('--pages', 'small', '--mtu', '9000', '--workers', '2')
        self.assertEqual(done.returncode, OK, done.stderr)

    def test_no_transparent_hugepages(self):
        libc, pr_set_thp_disable = ctypes.CDLL(None), 41
        done = self.complete('--pages', 'small', before=lambda: libc.prctl(pr_set_thp_disable, 1, 0, 0, 0))
        self.assertEqual(done.returncode, OK, done.stderr)

    def test_hugepages(self):
        """Some machines have them."""
        done = self.complete('--pages', 'huge')
        if done.returncode == OK:
            self.assertRegex(done.stderr, r'mbufs and rings \(\d+ hugepages of \d+ KiB, \d+ are free\)')
            return
        self.assertEqual(done.returncode, ENVIRONMENT, done.stderr)
        self.check_refused(done.stderr)

    def test_too_few_hugepages(self):
        done = self.spancopy('replay', 'a.pcap', '--pages', 'huge', *self.TOO_MUCH, status=ENVIRONMENT)
        self.check_refused(done.stderr)

    def test_a_pci_port_wants_hugepages(self):
        words = ('run', '--mirror', '0000:ff:1f.0', '--test', '0000:ff:1f.1', '--test-address',
                 '10.0.0.1/24', '--map', '80-10.0.0.2:80', *self.TOO_MUCH)
        done = self.spancopy(*words, status=ENVIRONMENT)
        self.check_refused(done.stderr)
        self.assertIn('--pages small', done.stderr)
        done = self.spancopy(*words, '--pages', 'small', status=ENVIRONMENT)
        self.assertIn('MiB of memory', done.stderr)

    def test_check(self):
        """It need not run on the box, so it does not fail."""
        with open(self.path('c.yaml'), 'w', encoding='ascii') as file:
            file.write('capture: a.pcap\npages: huge\nworkers: 16\nheld-bytes: 1T\n')
        out = self.spancopy('check', '--config', 'c.yaml').stdout
        self.assertRegex(out, r'Memory: \d+ MiB for \d+ mbufs')
        self.check_refused(out)


class Config(Case):
    """--print-config."""

    def test_reads_back(self):
        pcap.conversations(self.path('a.pcap'))
        words = ['a.pcap', '--workers', '2', '--copies', '2', '--sample', '12.5', '--impair',
                 'loss=1,drop:fin:2', '--latency', '3ms', '--clients', '10.7.0.1-9,fd07::1', '--map',
                 '[fd02::1]:80-[2001:2::1]:80,10.2.0.1:80-198.18.0.1:80', '--report', 'r.json',
                 '--expect-fidelity', '99.5']
        first = self.spancopy('replay', *words, '--print-config').stdout
        self.assertIn('12.5', first)
        with open(self.path('c.yaml'), 'w', encoding='ascii') as file:
            file.write(first)
        second = self.spancopy('replay', '--config', 'c.yaml', '--print-config').stdout
        self.assertEqual(first, second)
        self.assertFalse(os.path.exists(self.path('r.json')))

    def test_runs_from_it(self):
        said = pcap.conversations(self.path('a.pcap'))
        out = self.spancopy('replay', 'a.pcap', '--report', 'report.json', '--print-config').stdout
        with open(self.path('c.yaml'), 'w', encoding='ascii') as file:
            file.write(out)
        self.spancopy('replay', '--config', 'c.yaml')
        self.check_complete(self.read_report(), 4, said)


class Running(Case):
    """A replay that takes a minute, unless somebody ends it."""

    def start(self, *words):
        pcap.conversations(self.path('slow.pcap'), turns=60, think=1.0)
        log = open(self.path('log'), 'w', encoding='utf-8')  # pylint: disable=consider-using-with
        self.addCleanup(log.close)
        process = subprocess.Popen(  # pylint: disable=consider-using-with
            [os.environ['SPANCOPY'], 'replay', 'slow.pcap', '--control-dir', 'ctl', '--report',
             'report.json', *words], cwd=self.dir, stdin=subprocess.DEVNULL, stdout=log,
            stderr=log)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.wait_for(lambda: self.ctl_status() is not None, process)
        self.wait_for(lambda: self.ctl_status()['client_bytes']['delivered'] > 0, process)
        return process

    def ctl_status(self):
        """The whole report so far, or None before there is an answer."""
        done = self.run_program('SPANCOPYCTL', '--control-dir', 'ctl', 'stats')
        return json.loads(done.stdout) if done.returncode == 0 else None

    def wait_for(self, is_done, process):
        end = time.monotonic() + LIMIT_S / 2
        while not is_done():
            self.assertIsNone(process.poll(), 'it ended by itself')
            self.assertLess(time.monotonic(), end, 'nothing happened')
            time.sleep(0.05)

    def check_ended(self, process, limit_s):
        """It must end within limit_s; what a loaded machine adds is given on top."""
        begin = time.monotonic()
        self.assertEqual(process.wait(LIMIT_S), OK)
        self.assertLess(time.monotonic() - begin, limit_s + 5)
        self.assertFalse(os.path.exists(self.path('ctl/control.sock')))
        report = self.read_report()
        self.check_contract(report)
        self.assertTrue(report['balanced'], report['faults'])
        self.assertEqual(report['flows']['live'] + report['flows']['embryonic'], 0)
        self.assertEqual(report['sessions']['live'] + report['connections']['open'], 0)
        self.assertEqual(report['client_bytes']['in_flight'], 0)
        self.assertGreater(report['client_bytes']['delivered'], 0)
        return report


class Stop(Running):
    """Signals and --duration."""

    def test_sigint(self):
        """The connections are closed in the middle, on both sides: nothing needs the minute."""
        process = self.start('--drain', '60s')
        process.send_signal(signal.SIGINT)
        report = self.check_ended(process, 2)
        self.assertEqual(report['flows']['ended'], {'complete_open': 4})
        self.assertEqual(report['connections']['closed'], {'fin': 4})
        self.assertLess(report['frames']['mirror']['rx'], 4 * 60 * 4)

    def test_sigterm_at_once(self):
        process = self.start('--drain', '0s')
        process.send_signal(signal.SIGTERM)
        self.check_ended(process, 0)

    def test_second_signal(self):
        process = self.start('--drain', '1h')
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        self.check_ended(process, 1)

    def test_duration(self):
        process = self.start('--drain', '0s', '--duration', '3s')
        report = self.check_ended(process, 3)
        self.assertGreaterEqual(report['duration_s'], 3.0)


class Control(Running):
    """spancopyctl against a running replay."""

    def ctl(self, *words, status=OK):
        done = self.run_program('SPANCOPYCTL', '--control-dir', 'ctl', *words)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout

    def test_course(self):
        process = self.start('--drain', '0s')
        self.assertEqual(stat.S_IMODE(os.stat(self.path('ctl')).st_mode), 0o750)
        self.assertRegex(self.ctl('status'), r'(?m)^balanced +yes$')
        self.assertTrue(json.loads(self.ctl('--json', 'status'))['balanced'])
        before = json.loads(self.ctl('stats'))
        self.check_contract(before)
        self.assertEqual(before['flows']['live'], 4)
        self.assertGreater(before['duration_s'], 0)
        ledger = json.loads(self.ctl('ledger'))
        self.assertGreater(len(ledger['equations']), 10)
        self.assertEqual(ledger['faults'], [])
        self.assertIn('mirror_loop', self.ctl('reasons'))
        self.ctl('frob', status=1)
        self.wait_for(lambda: self.ctl_status()['client_bytes']['delivered']
                      > before['client_bytes']['delivered'], process)
        self.ctl('stop')
        report = self.check_ended(process, 0)
        self.assertGreaterEqual(report['duration_s'], before['duration_s'])
        self.ctl('status', status=2)

    def test_garbage(self):
        """Whoever speaks nonsense to the socket does no harm."""
        process = self.start('--drain', '0s')
        for line in (b'\0\xff\n', b'{"request": \n', b'status\n' * 3, b'x' * 70_000):
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(self.path('ctl/control.sock'))
                try:
                    sock.sendall(line)
                except BrokenPipeError:
                    pass
        self.assertIn('balanced', self.ctl('status'))
        self.ctl('stop')
        self.check_ended(process, 0)


if __name__ == '__main__':
    unittest.main()
