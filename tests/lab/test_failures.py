# SPDX-License-Identifier: BSD-3-Clause
"""When something is wrong: the right exit status, a sentence that helps, no crash, no endless run."""
import os
import re
import signal
import struct
import time

from kit import clients, web
from kit.box import BINARY, Box, device, need_binary, report_faults, test_words
from kit.compare import differences
from kit.net import Net, run, wait_until
from kit.plan import Plan, wire_target_side
from kit.recorded import record
from kit.result import Failed, check
from test_live import Live

ROGUE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'kit/rogue.py')
USAGE, ENVIRONMENT, CAPTURE, TARGET = 2, 3, 4, 5


def ended(box, seconds, status, words):
    """It ended in time with this status (one of them) and said what `words` matches."""
    found = box.wait(seconds)
    wanted = status if isinstance(status, tuple) else (status,)
    text = box.errors()
    if found not in wanted:
        raise Failed(f'status {found}, expected {wanted}; it said: {box.text()[-600:]}')
    if not re.search(words, text, re.I):
        raise Failed(f'status {found}, but no sentence with /{words}/ in: {text[-600:]}')
    return text


def last_sentence(text):
    rows = [r.strip() for r in text.splitlines() if r.strip()]
    return rows[-1][:150] if rows else ''


# ---- the command line ----

def usage(folder, shared):
    """Wrong words and values: status 2, and the sentence names the word."""
    plan = Plan()
    good = ['--mirror', device(0, 'm1')] + test_words(plan) + ['--map', plan.map(80)]
    tries = [
        (['run'], 'mirror|test'),
        (['run', '--no-such-word'], 'no-such-word'),
        (['run'] + good + ['--workers', '99'], 'workers'),
        (['run'] + good + ['--speed', '2'], 'speed'),
        (['run'] + good + ['--map', 'nonsense'], 'map'),
        (['run'] + good + ['--clients', '10.77.0.0/99'], 'clients'),
        (['run'] + good + ['--clients-on-link'], 'pool|clients'),
        (['run'] + good + ['--clients', '10.30.0.0/28'], '10\\.30\\.0\\.[23]'),
        (['run'] + good + ['--config', '/nonexistent.yaml'], 'nonexistent'),
        (['replay'], 'capture'),
        (['dance'], 'dance'),
    ]
    need_binary()
    for words, sentence in tries:
        box = Box(None, folder, words[0], words[1:])
        ended(box, 10, USAGE, sentence)
    return f'{len(tries)} refused'


def help_and_version(folder, shared):
    need_binary()
    text = run([BINARY, 'help'])
    for word in ('run', 'replay', 'check'):
        check(word in text, f'help does not name {word}')
    check(re.search(r'\d+\.\d+', run([BINARY, '--version'])), 'no version')


# ---- the environment ----

def missing_interface(folder, shared):
    plan, net = Plan(), Net()
    try:
        wire_target_side(net, plan)
        box = Box(net, folder, 'run', ['--mirror', device(0, 'nosuch0')] + test_words(plan) + [
            '--map', plan.map(80)])
        return last_sentence(ended(box, 30, ENVIRONMENT, 'net_af_packet0.*interface'))
    finally:
        net.close()


# ---- captures ----

def pcap_header(link=1):
    return struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, link)


def pcap_record(frame, second=1):
    return struct.pack('<IIII', second, 0, len(frame), len(frame)) + frame


def unfit_captures(folder, shared):
    """Files that hold nothing to replay: status 4."""
    arp = b'\xff' * 6 + b'\x02' + b'\0' * 5 + b'\x08\x06' + b'\0' * 46
    files = {
        'empty': (b'', 'empty'),
        'text': (b'GET / HTTP/1.1\r\nHost: lab\r\n\r\n' * 9, 'text'),
        'no-packets': (pcap_header(), 'no packet|no record|no TCP'),
        'only-arp': (pcap_header() + pcap_record(arp) * 20, 'no TCP|not IP'),
        'bluetooth': (pcap_header(201) + pcap_record(b'\x01\x02\x03\x04' * 9), 'link|no TCP'),
    }
    for name, (data, words) in files.items():
        path = os.path.join(folder, name)
        with open(path, 'wb') as f:
            f.write(data)
        try:
            ended(Box(None, folder, 'replay', [path, '--peer', 'capture']), 30, CAPTURE, words)
        except Failed as e:
            raise Failed(f'{name}: {e}') from None
    try:
        ended(Box(None, folder, 'replay', ['/nonexistent.pcap', '--peer', 'capture']), 30,
              (USAGE, CAPTURE), 'nonexistent')
    except Failed as e:
        raise Failed(f'a file that is not there: {e}') from None
    return f'{len(files) + 1} files refused'


def truncated_capture(folder, shared):
    """A file that ends in the middle of a packet: what is readable is replayed, then a sentence."""
    recorded = record(shared, 'small', clients.SMALL)
    path = os.path.join(folder, 'cut.pcap')
    with open(recorded.path, 'rb') as f:
        data = f.read()
    with open(path, 'wb') as f:
        f.write(data[:len(data) * 2 // 3 + 5])
    plan, net = Plan(), Net()
    try:
        wire_target_side(net, plan)
        net.route('target', plan.client_net, plan.box)
        target = web.Nginx(net, 'target', [plan.target], recorded.content,
                           os.path.join(folder, 'target'))
        box = Box(net, folder, 'replay', [path, '--speed', 'max', '--map', plan.map(80),
                                          '--drain', '3s'] + test_words(plan))
        text = ended(box, 60, (0, CAPTURE), 'cut.pcap|truncated|ends')
        report = box.report()
        check(report.get('balanced') is True, f'not balanced: {report.get("faults")}')
        nb, whole = target.nb_logged(), len(recorded.requests)
        check(whole // 4 < nb < whole, f'{nb} of {whole} requests reached the target')
        return f'{nb} requests; ' + last_sentence(text)
    finally:
        net.close()


# ---- pools and targets ----

def pool_too_small(folder, shared):
    """Copies times flows do not fit: refused at the start, with the pool that would do."""
    plan, net = Plan(), Net()
    try:
        wire_target_side(net, plan)
        net.wire('target', 'x0', 'box', 'm1')
        box = Box(net, folder, 'run', ['--mirror', device(0, 'm1')] + test_words(plan) + [
            '--map', plan.map(80), '--clients', '10.77.0.1/32', '--copies', '1000'])
        return last_sentence(ended(box, 30, USAGE, r'(addresses|pool).*\d|/\d\d'))
    finally:
        net.close()


def replay_at_bad_target(folder, shared, prepare, words, seconds=90):
    recorded = record(shared, 'small', clients.SMALL)
    plan, net = Plan(), Net()
    try:
        wire_target_side(net, plan)
        prepare(net, plan, recorded, folder)
        box = Box(net, folder, 'replay', [recorded.path, '--speed', '10', '--map', plan.map(80),
                                          '--drain', '5s'] + test_words(plan))
        text = ended(box, seconds, TARGET, words)
        if os.path.exists(box.report_path):
            report = box.report()
            check(report.get('balanced') is True, f'not balanced: {report.get("faults")}')
        return last_sentence(text)
    finally:
        net.close()


def target_absent(folder, shared):
    """Nobody has the target's address."""
    def prepare(net, plan, recorded, folder):
        net.ip('target', 'addr', 'flush', 'dev', 't1')
    return replay_at_bad_target(folder, shared, prepare, r'10\.30\.0\.3')


def target_refuses(folder, shared):
    """The host is there, the service is not."""
    def prepare(net, plan, recorded, folder):
        net.route('target', plan.client_net, plan.box)
    return replay_at_bad_target(folder, shared, prepare, 'refus|RST|reset')


def target_without_route(folder, shared):
    """The target has no way back to the clients' addresses: the sentence names the route."""
    def prepare(net, plan, recorded, folder):
        web.Nginx(net, 'target', [plan.target], recorded.content, os.path.join(folder, 'target'))
    return replay_at_bad_target(folder, shared, prepare, 'route')


def target_silent(folder, shared):
    """The target takes our packets and never answers."""
    def prepare(net, plan, recorded, folder):
        net.ip('target', 'route', 'add', 'blackhole', plan.client_net)
        web.Nginx(net, 'target', [plan.target], recorded.content, os.path.join(folder, 'target'))
    return replay_at_bad_target(folder, shared, prepare, 'answer|route')


def target_rogue(folder, shared):
    """The target answers garbage, cuts, resets: every session ends with a reason."""
    recorded = record(shared, 'small', clients.SMALL)
    plan, net = Plan(), Net()
    try:
        wire_target_side(net, plan)
        net.route('target', plan.client_net, plan.box)
        net.start('target', ['python3', ROGUE, plan.target, '80'])
        check(wait_until(lambda: net.run('target', ['ss', '-Hltn', 'sport = :80']).strip(), 10),
              'the rogue server does not listen')
        box = Box(net, folder, 'replay', [recorded.path, '--speed', '10', '--map', plan.map(80),
                                          '--drain', '5s'] + test_words(plan))
        status = box.wait(120)
        check(status in (0, 1, TARGET), f'status {status}: {box.text()[-600:]}')
        report = box.report()
        check(report.get('balanced') is True, f'not balanced: {report.get("faults")}')
        reasons = report['sessions']['ended']
        check(sum(reasons.values()) == report['sessions']['started'],
              f'{report["sessions"]["started"]} sessions started, ended: {reasons}')
        check(set(reasons) - {'complete', 'complete_open'},
              f'no session says what the target did: {reasons}')
        return f'status {status}, ' + ', '.join(f'{k} {v}' for k, v in sorted(reasons.items()))
    finally:
        net.close()


def kill_nginx(server):
    """kill -9 of the master and its workers."""
    workers = run(['ps', '-o', 'pid=', '--ppid', str(server.proc.pid)]).split()
    for pid in [server.proc.pid] + [int(w) for w in workers]:
        os.kill(pid, signal.SIGKILL)
    server.proc.wait()


def target_killed(folder, shared):
    """nginx dies in mid-run and comes back: sessions end with reasons, new flows are whole again."""
    plan = Plan()
    live = Live(folder, plan, ['--workers', '1'], route=plan.client_net)
    try:
        live.drive(clients.SMALL, 'before')
        check(wait_until(lambda: live.target.nb_logged() == live.production.nb_logged(), 10),
              f'{live.target.nb_logged()} of {live.production.nb_logged()} before the kill')
        kill_nginx(live.target)
        live.drive(clients.SMALL, 'during')
        time.sleep(3)
        live.target.start()
        time.sleep(5)
        live.drive(clients.SMALL, 'after')
        report = live.finish()
        check(report.get('balanced') is True, f'not balanced: {report.get("faults")}')
        faults = []
        for tag in ('before', 'after'):
            rows = [[r for r in server.requests() if f'?{tag}=' in r.uri]
                    for server in (live.production, live.target)]
            faults += [f'{tag} the kill: {f}' for f in differences(*rows, True)]
        reasons = report['sessions']['ended']
        if not set(reasons) - {'complete', 'complete_open'} and not report['flows']['refused']:
            faults.append(f'no session ended with a reason: {reasons}')
        if faults:
            raise Failed('\n'.join(faults))
        return ', '.join(f'{k} {v}' for k, v in sorted(reasons.items()))
    finally:
        live.net.close()


def killed_then_again(folder, shared):
    """spancopy is killed in mid-run; the next run is whole, at the same target."""
    plan = Plan()
    live = Live(folder, plan, ['--workers', '1'], route=plan.client_net)
    try:
        live.drive(clients.SMALL, 'first')
        live.box.proc.kill()
        live.box.proc.wait()
        live.box = Box(live.net, folder, 'run', ['--mirror', device(0, 'm1')] + test_words(plan) + [
            '--map', plan.map(80), '--idle', 'sleep', '--workers', '1'], plan.production)
        live.box.wait_ready()
        live.drive(clients.SMALL, 'second')
        report = live.finish()
        rows = [[r for r in server.requests() if '?second=' in r.uri]
                for server in (live.production, live.target)]
        faults = report_faults(report) + differences(*rows, True)
        if faults:
            raise Failed('\n'.join(faults))
        return f'{len(rows[0])} requests of the second run, all equal'
    finally:
        live.net.close()


CASES = [
    ('failures/usage', usage, 60),
    ('failures/help', help_and_version, 20),
    ('failures/missing-interface', missing_interface, 60),
    ('failures/unfit-captures', unfit_captures, 120),
    ('failures/truncated-capture', truncated_capture, 120),
    ('failures/pool-too-small', pool_too_small, 60),
    ('failures/target-absent', target_absent, 150),
    ('failures/target-refuses', target_refuses, 150),
    ('failures/target-without-route', target_without_route, 150),
    ('failures/target-silent', target_silent, 150),
    ('failures/target-rogue', target_rogue, 180),
    ('failures/target-killed', target_killed, 180),
    ('failures/killed-then-again', killed_then_again, 180),
]
