# SPDX-License-Identifier: BSD-3-Clause
"""spancopy in the box's namespace: its command line, its end, its report."""
import json
import os
import signal
import socket
import subprocess

from .net import end_process, wait_until
from .result import Failed, Skipped

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BINARY = os.environ.get('SPANCOPY') or os.path.join(ROOT, 'build/app/spancopy/spancopy')
CTL = os.path.join(os.path.dirname(BINARY), '../spancopyctl/spancopyctl')
HUGEPAGES = 1024
PAGES = '/sys/kernel/mm/hugepages/hugepages-2048kB/'


def read_number(path):
    with open(path, encoding='ascii') as f:
        return int(f.read())


def need_hugepages(want=HUGEPAGES):
    """See to it that so many 2 MiB pages are free; Skipped if the machine has not got them."""
    try:
        free = read_number(PAGES + 'free_hugepages')
        if free < want:
            total = read_number(PAGES + 'nr_hugepages')
            with open(PAGES + 'nr_hugepages', 'w', encoding='ascii') as f:
                f.write(str(total + want - free))
            free = read_number(PAGES + 'free_hugepages')
    except OSError as e:
        raise Skipped(f'no hugepages: {e}') from None
    if free < want:
        raise Skipped(f'{free} hugepages of 2 MiB are free, {want} are needed')


def need_binary():
    if not os.access(BINARY, os.X_OK):
        raise Failed(f'{BINARY} is not there: run scripts/build')


def device(number, name, frames=16384):
    return f'net_af_packet{number},iface={name},framesz=2048,blocksz=1048576,framecnt={frames}'


def mirror_words():
    """The kernel keeps a second of the mirror while the machine's two cores do something else."""
    return ['--mirror', device(0, 'm1', 65536)]


def test_words(plan):
    return ['--test', device(1, 't0'), '--test-address', f'{plan.box}/{plan.bits}']


class Box:
    """One run of spancopy."""

    def __init__(self, net, folder, command, words, production=None):
        need_binary()
        need_hugepages()
        self.net, self.production = net, production
        self.report_path = os.path.join(folder, 'report.json')
        self.out_path = os.path.join(folder, 'spancopy.out')
        self.err_path = os.path.join(folder, 'spancopy.err')
        argv = [BINARY, command] + words + ['--report', self.report_path]
        self.control_dir = os.path.join(folder, 'control')
        if production:
            argv += ['--control-dir', self.control_dir]
        with open(os.path.join(folder, 'spancopy.cmd'), 'w', encoding='utf-8') as f:
            f.write(' '.join(argv) + '\n')
        with open(self.out_path, 'wb') as out, open(self.err_path, 'wb') as err:
            if net is None:
                self.proc = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
            else:
                self.proc = net.start('box', argv, stdout=out, stderr=err)

    def text(self):
        """What it printed."""
        out = ''
        for path in (self.out_path, self.err_path):
            with open(path, encoding='utf-8', errors='replace') as f:
                out += f.read()
        return out

    def errors(self):
        with open(self.err_path, encoding='utf-8', errors='replace') as f:
            return f.read()

    def ask(self, request):
        """One answer of the control socket, or None while there is none."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
                s.settimeout(5)
                s.connect(os.path.join(self.control_dir, 'control.sock'))
                s.sendall(request.encode() + b'\n')
                with s.makefile('rb') as answer:
                    return json.loads(answer.readline())
        except (OSError, ValueError):
            return None

    def wait_ready(self, seconds=30):
        """Until it takes what the mirror shows: frames from a client to production are counted."""
        def is_ready():
            if self.proc.poll() is not None:
                raise Failed(f'spancopy ended at once, status {self.proc.returncode}: '
                             f'{self.text()[-800:]}')
            self.net.run('client', ['bash', '-c', f'echo >/dev/udp/{self.production}/9'])
            stats = self.ask('stats') or {}
            return stats.get('frames', {}).get('mirror', {}).get('rx', 0) > 0
        if not wait_until(is_ready, seconds, 0.2):
            raise Failed(f'spancopy takes nothing from the mirror after {seconds} s: '
                         f'{self.text()[-800:]}')

    def stop(self, seconds=60):
        """Stop it as an operator does; its exit status."""
        return end_process(self.proc, signal.SIGINT, seconds)

    def wait(self, seconds):
        """Wait for its own end; Failed if that takes too long."""
        try:
            return self.proc.wait(seconds)
        except subprocess.TimeoutExpired:
            end_process(self.proc, signal.SIGKILL)
            raise Failed(f'spancopy did not end within {seconds} s: {self.text()[-800:]}') from None

    def report(self):
        try:
            with open(self.report_path, encoding='utf-8') as f:
                return json.load(f)
        except (OSError, ValueError) as e:
            raise Failed(f'no report: {e}; it said: {self.text()[-800:]}') from None


def end_faults(status, text):
    """A sentence if a run that should have been perfect ended with another status than 0."""
    if status == 0:
        return []
    rows = [r for r in text.splitlines() if r.startswith('spancopy: ') and 'notice' not in r]
    return [f'spancopy ended with status {status}: ' + ' | '.join(rows)[-700:]]


def report_faults(report):
    """What is wrong with a run that should have been perfect, as sentences."""
    out = []
    if report.get('balanced') is not True:
        out.append(f'the ledger does not balance: {json.dumps(report.get("faults"))[:600]}')
    if report.get('fidelity') != 1.0:
        bytes_ = {k: v for k, v in report.get('client_bytes', {}).items() if v}
        ended = report.get('flows', {}).get('ended')
        out.append(f'fidelity {report.get("fidelity")}: flows ended {json.dumps(ended)}, '
                   f'client bytes {json.dumps(bytes_)}')
    return out
