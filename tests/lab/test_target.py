# SPDX-License-Identifier: BSD-3-Clause
"""Targets that do not behave as production did: they close, restart, stall or speak late."""
import hashlib
import os
import random
import signal
import time
from collections import Counter, defaultdict

from kit.bench import Bench, finish, gates, named, outcomes
from kit.craft import Capture, Connection, http_connection
from kit.net import run, wait_until
from kit.recorded import record
from kit.result import check, check_equal
from test_failures import kill_nginx

# Connections that stay open for many requests, and some that do not.
TURNS = {'short': 100, 'keepalive': 20, 'requests': 100, 'posts': 20}
KEEPALIVE = 10


def request_of(row):
    return (row.method, row.uri, row.body, row.status, row.completion, row.length)


def once_each(expected, found):
    """Sentences unless each expected request came exactly once, whole, whatever the connection."""
    want, got = sorted(map(request_of, expected)), sorted(map(request_of, found))
    if want == got:
        return []
    lost = [r for r in want if r not in set(got)]
    return [f'{len(got)} of {len(want)} requests at the target; missing {lost[:5]}; '
            f'only there {[r for r in got if r not in set(want)][:5]}']


def keepalive_requests(folder, shared):
    """The target closes each connection after 10 requests, production after none: all arrive."""
    recorded = record(shared, 'turns', TURNS)
    with Bench(folder) as bench:
        bench.nginx(recorded.content, keepalive=KEEPALIVE)
        report = bench.replay(recorded.path)
        rows = bench.server.requests()
        faults = bench.faults(report) + once_each(recorded.requests, rows)
        longest = max(int(r.number) for r in rows)
        if longest != KEEPALIVE:
            faults.append(f'{longest} requests on one connection, expected {KEEPALIVE}')
        by_production = defaultdict(int)
        for r in recorded.requests:
            by_production[r.connection] += 1
        reopened = sum((nb - 1) // KEEPALIVE for nb in by_production.values())
        if report['connections']['reopened'] != reopened:
            faults.append(f'{report["connections"]["reopened"]} connections were reopened, '
                          f'expected {reopened}')
        finish(faults)
        return (f'{len(rows)} of {len(recorded.requests)} requests; {len(by_production)} '
                f'connections, {reopened} reopened; gate {gates(report)}')


# ---- restarts ----

SLOW = {'slow': 12, 'short': 60}


def lost_by_connection(expected, found):
    """For each of production's connections that lost requests, their number."""
    got = Counter(map(request_of, found))
    lost = Counter()
    for row in expected:
        if got[request_of(row)]:
            got[request_of(row)] -= 1
        else:
            lost[row.connection] += 1
    return lost


def restarted(folder, shared, restart):
    """The target restarts in mid-run. What is missing there, the report names."""
    recorded = record(shared, 'slow', SLOW)
    with Bench(folder) as bench:
        bench.nginx(recorded.content)
        bench.start(recorded.path, speed=1)
        nb = len(recorded.requests)
        check(wait_until(lambda: bench.server.nb_logged() > nb // 3, 30), 'nothing arrives')
        restart(bench.server)
        report = bench.end(60)
        rows = bench.server.requests()
    lost = lost_by_connection(recorded.requests, rows)
    check_equal(len(rows) + sum(lost.values()), nb, 'requests at the target and missing ones')
    total = sum(int(r.length) for r in recorded.requests)
    missing = total - sum(int(r.length) for r in rows)
    check_equal(report['balanced'], True, 'balanced')
    check_equal(report['client_bytes']['seen'], total, 'client bytes seen')
    # What the old server had read and not yet logged when it died was delivered and is in no log.
    unlogged = missing - named(report)
    most = sum(max(int(r.length) for r in recorded.requests) for _ in lost)
    check(0 <= unlogged <= most, f'{missing} bytes are missing at the target, the report names '
                                 f'{named(report)} on {len(lost)} connections')
    return lost, (f'{len(rows)} of {nb} requests, {sum(lost.values())} lost on {len(lost)} '
                  f'connections; {missing} bytes missing, {named(report)} named; '
                  f'{report["connections"]["reopened"]} reopened; ' + outcomes(report))


def reloaded(folder, shared):
    """nginx reloads: idle connections are closed; every request arrives on a new one."""
    lost, detail = restarted(folder, shared,
                             lambda server: server.proc.send_signal(signal.SIGHUP))
    # A request that is on its way when the target closes may be lost; twelve connections can have one.
    check(sum(lost.values()) <= 2, detail)
    return detail


def killed(folder, shared):
    """nginx is killed and started again 0.3 s later: its connections go on when it is back."""
    def restart(server):
        kill_nginx(server)
        time.sleep(0.3)
        server.start()
    lost, detail = restarted(folder, shared, restart)
    # What it had read and not answered when it died is lost: one request a connection at most.
    check(max(lost.values(), default=0) <= 1 and sum(lost.values()) <= 6, detail)
    return detail


def away(folder, shared):
    """Killed, and not back: connections that were open end, and each lost byte is named."""
    recorded = record(shared, 'slow', SLOW)
    with Bench(folder) as bench:
        bench.nginx(recorded.content)
        bench.start(recorded.path, speed=1)
        nb = len(recorded.requests)
        check(wait_until(lambda: bench.server.nb_logged() > nb // 3, 30), 'nothing arrives')
        kill_nginx(bench.server)
        report = bench.end(60)
        rows = bench.server.requests()
    total = sum(int(r.length) for r in recorded.requests)
    missing = total - sum(int(r.length) for r in rows)
    check_equal((report['balanced'], report['client_bytes']['seen']), (True, total),
                'balanced, client bytes seen')
    detail = (f'{len(rows)} of {nb} requests; {missing} bytes missing, {named(report)} named; '
              + outcomes(report))
    check(0 <= missing - named(report) <= 12 * 60, detail)
    check(report['sessions']['ended'].get('target_refused', 0) >= 6, detail)
    return detail


# ---- servers that act ----

ENDPOINT = ('10.10.0.2', 80)


def upload(capture, client, data, segment=1460):
    made = Connection(capture, client, ENDPOINT, segment=segment)
    made.open()
    made.say(True, data)
    made.put(False, 16)
    made.close()


def save(capture, folder):
    path = os.path.join(folder, 'made.pcap')
    capture.write(path)
    return path


def check_read(rows, expected):
    """The acting server read exactly these streams: {client: bytes}."""
    want = {c: (len(d), hashlib.sha256(d).hexdigest(), 'fin') for c, d in expected.items()}
    got = {r['client']: (r['nb'], r['sha256'], r['end']) for r in rows}
    check_equal(got, want, 'streams that the server read: length, SHA-256 and end')


def uploads(bench, folder, nb, size, segment=1460):
    """(path, {client: data}) of uploads by as many clients."""
    capture, expected = Capture(), {}
    for i in range(nb):
        client = bench.plan.clients[i]
        expected[client] = random.Random(i).randbytes(size)
        upload(capture, (client, 40000 + i), expected[client], segment)
    return save(capture, folder), expected


def zero_window(folder, shared, nb, loss):
    """The target stops reading, twice, and opens its window again."""
    with Bench(folder) as bench:
        bench.actor('sleep=2', 'take=200000', 'sleep=1', 'rest', rcvbuf=16384)
        path, expected = uploads(bench, folder, nb, 600_000)
        zero = 'tcp sport 80 tcp window 0'
        bench.wire.count('back', 'zero', zero)
        if loss:
            for way, match in (('to', 'tcp dport 80'), ('back', 'tcp sport 80')):
                bench.wire.lose(way, 'lost ' + way, f'{match} numgen random mod 100 < {loss}')
        report = bench.replay(path, seconds=50)
        wait_until(lambda: len(bench.rows()) == nb, 5)
        finish(bench.faults(report))
        check_read(bench.rows(), expected)
        bench.wire.check_no_rst()
        counts = bench.wire.counts()
        check(counts['zero'] >= nb, f'{counts["zero"]} zero windows, expected {nb} or more')
        lost = counts['lost to'] + counts['lost back'] if loss else 0
        return (f'{nb} x 600,000 bytes, hashes equal; {counts["zero"]} zero windows, '
                f'{report["frames"]["test"]["persist_probes"]} probes, {lost} packets lost, '
                f'{report["duration_s"]:.1f} s')


def late_greeting(folder, shared):
    """The target greets two seconds after production did: no client speaks before it."""
    words = [b'HELO lab\r\n', b'NOOP\r\n', b'QUIT\r\n']
    with Bench(folder) as bench:
        bench.actor('sleep=2', 'send=220 lab', 'lines=3:250 fine', 'close', 'rest')
        capture, expected = Capture(), {}
        for i, client in enumerate(bench.plan.clients):
            made = Connection(capture, (client, 40000), ENDPOINT, at=i * 0.01)
            made.open()
            made.say(False, b'220 lab\r\n')
            made.put(True, 16)
            for w in words:
                made.turn(w, b'250 fine\r\n')
            made.close(False)
            expected[client] = b''.join(words)
        report = bench.replay(save(capture, folder), seconds=30)
        wait_until(lambda: len(bench.rows()) == len(expected), 5)
        finish(bench.faults(report))
        check_read(bench.rows(), expected)
        check_equal({tuple(r['waiting']) for r in bench.rows()}, {(0,)},
                    'client bytes that came before the greeting')
        bench.wire.check_no_rst()
        return (f'{len(expected)} of {len(expected)} dialogues; gate {gates(report)}; '
                f'{report["duration_s"]:.1f} s')


def orderly_close(folder, shared):
    """Clients or servers close with FIN: the target gets one FIN a connection and no RST."""
    with Bench(folder) as bench:
        bench.nginx()
        head = {'client': [], 'server': ['Connection: close']}
        answer = dict(zip(head, bench.raw_answers(
            [('GET /1k HTTP/1.1\r\nHost: lab\r\n' + ''.join(f'{x}\r\n' for x in lines) + '\r\n')
             .encode() for lines in head.values()])))
        capture, expected, nb = Capture(), [], 200
        for i in range(nb):
            side = 'client' if i % 2 else 'server'
            made = Connection(capture, (bench.plan.clients[i % 20], 40000 + i), ENDPOINT, at=i * .002)
            expected += http_connection(made, [('GET', f'/1k?c={i}', head[side])], [answer[side]],
                                        close=side)
        report = bench.replay(save(capture, folder), seconds=30)
        bench.check_equal_to(report, expected)
        counts = bench.wire.counts()
        check_equal((counts['syn'], counts['fin'], counts['rst']), (nb, nb, 0),
                    'SYNs, FINs and RSTs that came to the target')
        check_equal(report['connections']['closed'], {'fin': nb}, 'how connections closed')
        states = Counter(row.split()[0] for row in bench.net.run(
            'target', ['ss', '-Htan', 'sport = :80']).splitlines())
        check_equal(set(states) - {'LISTEN', 'TIME-WAIT'}, set(), 'sockets left at the target')
        return f'{nb} connections, {counts["fin"]} FINs, no RST; {dict(states)}'


def super_frames(folder, shared, mtu_words):
    """Frames of 30,000 bytes in the capture, 1,400 on the way to the target."""
    with Bench(folder) as bench:
        for role, dev in (('target', 't1'), ('wire', 'w1'), ('wire', 'w0'), ('box', 't0')):
            bench.net.ip(role, 'link', 'set', dev, 'mtu', '1400')
        bench.actor('rest')
        path, expected = uploads(bench, folder, 8, 300_000, segment=30_000)
        bench.wire.count('to', 'long', 'ip length > 1400')
        bench.wire.count('to', 'full', 'ip length > 1300')
        report = bench.replay(path, mtu_words, seconds=30)
        wait_until(lambda: len(bench.rows()) == 8, 5)
        finish(bench.faults(report))
        check_read(bench.rows(), expected)
        counts = bench.wire.counts()
        check_equal((counts['long'], counts['rst']), (0, 0), 'packets over 1,400 bytes, and RSTs')
        return f'8 x 300,000 bytes, hashes equal; {counts["full"]} packets of up to 1,400 bytes'


def old_tcp(folder, shared):
    """A target without timestamps, window scaling and SACK, and with small buffers."""
    recorded = record(shared, 'turns', TURNS)
    with Bench(folder) as bench:
        for name, value in (('timestamps', 0), ('sack', 0), ('window_scaling', 0),
                            ('rmem', '4096 8192 8192'), ('wmem', '4096 8192 8192')):
            bench.net.run('target', ['sysctl', '-qw', f'net.ipv4.tcp_{name}={value}'])
        bench.nginx(recorded.content)
        report = bench.replay(recorded.path)
        bench.check_equal_to(report, recorded.requests)
        return f'{len(recorded.requests)} requests, all equal; {report["duration_s"]:.1f} s'


def pipelined(folder, shared):
    """
    The target closes after 10 requests while clients send eight at a time. Its kernel acknowledged
    those behind the tenth, and nginx never read them: the report says how often answers were short.
    """
    recorded = record(shared, 'pipelined', {'pipelined': 20})
    with Bench(folder) as bench:
        bench.nginx(recorded.content, keepalive=KEEPALIVE)
        report = bench.replay(recorded.path)
        rows = bench.server.requests()
    check_equal((report['balanced'], named(report)), (True, 0), 'balanced, bytes named')
    extra = set(map(request_of, rows)) - set(map(request_of, recorded.requests))
    check_equal(extra, set(), 'requests that no client sent')
    # 40 requests a connection: 10 of 16, 10 of 16, 8 of 8.
    check_equal((len(rows), report['connections']['reopened'], report['turns']['gate']['shorter']),
                (20 * 28, 20 * 2, 20 * 2), 'requests at the target, reopened, short answers')
    return f'{len(rows)} of {len(recorded.requests)} requests; gate {gates(report)}'


def case(function, *args):
    return lambda folder, shared: function(folder, shared, *args)


CASES = [
    ('target/keepalive-requests', keepalive_requests, 60),
    ('target/pipelined', pipelined, 60),
    ('target/old-tcp', old_tcp, 60),
    ('target/reloaded', reloaded, 90),
    ('target/killed', killed, 90),
    ('target/away', away, 90),
    ('target/zero-window', case(zero_window, 4, 0), 60),
    ('target/zero-window-loss', case(zero_window, 4, 5), 90),
    ('target/late-greeting', late_greeting, 60),
    ('target/orderly-close', orderly_close, 60),
    ('target/super-frames', case(super_frames, []), 60),
    ('target/super-frames-mtu', case(super_frames, ['--mtu', '1400']), 60),
]
