# SPDX-License-Identifier: BSD-3-Clause
"""Clients that use a port again soon: every connection reaches the target."""
import hashlib
import os
import random
from collections import Counter

from kit.bench import Bench, finish
from kit.craft import Capture, Connection, http_connection
from kit.net import wait_until
from kit.result import check, check_equal

ENDPOINT = ('10.10.0.2', 80)
NB_PORTS, NB_LIVES = 60, 5
CLOSE = {'client': [], 'server': ['Connection: close']}


def stamps_of(port, rng):
    """No timestamps, one clock for all connections of a host, or a random start for each of them."""
    return (None, 1000, rng.getrandbits(31))[port % 3]


def reuse(folder, shared, speed):
    """
    60 ports, each used by five connections a second apart, closed by client or server, with random
    initial sequence numbers as most hosts choose them, with and without timestamps.
    """
    with Bench(folder) as bench:
        bench.nginx()
        questions = ['\r\n'.join(['GET /1k HTTP/1.1', 'Host: lab', *lines, '', '']).encode()
                     for lines in CLOSE.values()]
        answer = dict(zip(CLOSE, bench.raw_answers(questions)))
        capture, rows, rng = Capture(), [], random.Random(7)
        for life in range(NB_LIVES):
            for i in range(NB_PORTS):
                close = 'client' if i % 2 else 'server'
                made = Connection(capture, (bench.plan.clients[i % 20], 40000 + i), ENDPOINT,
                                  at=life + i * 0.003, isn=rng.getrandbits(32),
                                  stamps=stamps_of(i, rng))
                rows += http_connection(made, [('GET', f'/1k?c={i}&n={life}', CLOSE[close])],
                                        [answer[close]], close=close)
        path = os.path.join(folder, 'made.pcap')
        capture.write(path)
        report = bench.replay(path, speed=speed, seconds=40)
        bench.check_equal_to(report, rows)
        stale = report['engine'].get('stale_rst', 0)
        check_equal(bench.wire.counts()['rst'], stale, 'RSTs that came to the target')
        # Flat out the SYN may come to the target's other CPU before the ACK that ends the old one.
        check(stale <= (3 if speed == 'max' else 0), f'{stale} SYNs met an old connection')
        return f'{len(rows)} of {len(rows)} connections, {report["duration_s"]:.1f} s'


def old_still_open(folder, shared):
    """The port is used again while the slower target has not answered the connection before."""
    with Bench(folder) as bench:
        bench.actor('sleep=1.5', 'lines=1:fine', 'rest')
        capture, expected, rng = Capture(), Counter(), random.Random(8)
        for life in range(NB_LIVES):
            for i in range(20):
                made = Connection(capture, (bench.plan.clients[i], 40000), ENDPOINT,
                                  at=life * 0.2 + i * 0.003, isn=rng.getrandbits(32),
                                  stamps=stamps_of(i, rng))
                line = b'line %d of %d\n' % (life, i)
                made.open()
                made.turn(line, b'fine\r\n')
                made.close()
                expected[hashlib.sha256(line).hexdigest()] += 1
        path = os.path.join(folder, 'made.pcap')
        capture.write(path)
        report = bench.replay(path, speed=1, seconds=40)
        nb = expected.total()
        wait_until(lambda: len(bench.rows()) == nb, 5)
        finish(bench.faults(report))
        check_equal(Counter(r['sha256'] for r in bench.rows()), expected, 'lines that were read')
        check_equal({r['end'] for r in bench.rows()}, {'fin'}, 'how connections ended')
        bench.wire.check_no_rst()
        return f'{nb} of {nb} connections, five at once of each port'


CASES = [
    ('reuse/1s', lambda f, s: reuse(f, s, 1), 60),
    ('reuse/max', lambda f, s: reuse(f, s, 'max'), 60),
    ('reuse/old-still-open', old_still_open, 60),
]
