# SPDX-License-Identifier: BSD-3-Clause
"""Packets lost on the way to the target and back, and packets that the mirror never showed."""
import os
import random
import shutil
from collections import Counter

from kit import pcap
from kit.bench import Bench, named, outcomes
from kit.craft import START, Capture, Connection, http_connection
from kit.recorded import record
from kit.result import check, check_equal

ENDPOINT = ('10.10.0.2', 80)
MIX = {'short': 600, 'keepalive': 20, 'requests': 25, 'posts': 20, 'downloads': 2}
DATA = 'tcp dport 80 ip length > 60'


def random_loss(folder, shared, percent):
    """Packets are lost at random both ways: every request arrives, whole and in order."""
    recorded = record(shared, 'mixed', MIX)
    with Bench(folder) as bench:
        bench.nginx(recorded.content)
        for way, match in (('to', 'tcp dport 80'), ('back', 'tcp sport 80')):
            bench.wire.lose(way, 'lost ' + way, f'{match} numgen random mod 100 < {percent}')
        report = bench.replay(recorded.path, seconds=100)
        bench.check_equal_to(report, recorded.requests)
        to, back = bench.wire.lost('lost to'), bench.wire.lost('lost back')
        return (f'{len(recorded.requests)} requests, all equal; {to} and {back} packets lost, '
                f'{report["frames"]["test"]["retransmit"]} sent again, '
                f'{report["duration_s"]:.1f} s')


def duplicates(folder, shared):
    """Every packet arrives twice, both ways."""
    recorded = record(shared, 'mixed', MIX)
    with Bench(folder) as bench:
        bench.nginx(recorded.content)
        bench.wire.double('to', 'tcp dport 80')
        bench.wire.double('back', 'tcp sport 80')
        report = bench.replay(recorded.path, speed=1, seconds=60)
        bench.check_equal_to(report, recorded.requests)
        counts = bench.wire.counts()
        return (f'{len(recorded.requests)} requests, all equal; {counts["twice to"]} and '
                f'{counts["twice back"]} packets came twice, {report["duration_s"]:.1f} s')


def one_connection(bench, folder, nb, segment=1460):
    """A connection of nb requests: (path, what production logged)."""
    bench.nginx()
    answer = bench.raw_answers([b'GET /1k HTTP/1.1\r\nHost: lab\r\n\r\n'])[0]
    made = Connection(Capture(), (bench.plan.clients[0], 40000), ENDPOINT, step=0.0005,
                      segment=segment)
    rows = http_connection(made, [('GET', f'/1k?c=1&n={i}', ['X-Pad: ' + 'p' * 700])
                                  for i in range(nb)], [answer] * nb, close='client')
    path = os.path.join(folder, 'made.pcap')
    made.capture.write(path)
    return path, rows


# Which packets are lost: of those with data, or of others, counted from 0.
ONE = {
    'first-request': ('to', DATA, [0]),
    'later-requests': ('to', DATA, [3, 4 + 1, 20 + 2, 39 + 3]),
    'syn': ('to', 'tcp dport 80 tcp flags & (syn | ack) == syn', [0]),
    'syn-ack': ('back', 'tcp sport 80 tcp flags & (syn | ack) == (syn | ack)', [0]),
    'fin': ('to', 'tcp dport 80 tcp flags & fin == fin', [0]),
    'target-fin': ('back', 'tcp sport 80 tcp flags & fin == fin', [0]),
    'answer': ('back', 'tcp sport 80 ip length > 60', [0, 10]),
}


def one_packet(folder, shared, which):
    """Certain packets of a connection of 40 requests are lost: all 40 arrive on it."""
    way, match, numbers = ONE[which]
    with Bench(folder) as bench:
        path, rows = one_connection(bench, folder, 40)
        bench.wire.lose_numbers(way, 'lost', match, numbers)
        report = bench.replay(path, seconds=30)
        bench.check_equal_to(report, rows)
        check_equal(bench.wire.counts()['lost'], len(numbers), 'packets lost')
        bench.wire.check_no_rst()
        again = report['frames']['test']['retransmit']
        return f'40 of 40 requests, {len(numbers)} lost, {again} sent again, {report["duration_s"]:.1f} s'


# ---- what the mirror never showed ----

# Which frames with data are lost: to the server or not, words in them, which of those frames; and the
# requests that cannot be whole then. Each request is two frames of 400 and 348 bytes.
HOLES = {
    'request': (True, (b'&n=10 ', b'&n=10 +'), [10]),
    'first-half': (True, (b'&n=10 ',), [10]),
    'second-half': (True, (b'&n=10 +',), [10]),
    'two-requests': (True, (b'&n=10 ', b'&n=10 +', b'&n=30 ', b'&n=30 +'), [10, 30]),
    'answer': (False, (b'&n=10 ',), []),
}


def without(path, is_gone):
    """Leave frames out of a capture: those for which is_gone(nb-th frame, its TCP part) holds."""
    kept, gone = Capture(), []
    for nb, (at, raw) in enumerate(pcap.packets(path)):
        tcp = pcap.tcp_of(raw)
        if is_gone(nb, tcp):
            gone.append(tcp)
        else:
            kept.packets.append((at / 1e6 - START, raw))
    kept.write(path)
    return gone


def numbered(path):
    """{frame number: words that name it}: to the server '&n=I ' and '&n=I +', back '&n=I '."""
    out, current, part = {}, None, 0
    for nb, (_, raw) in enumerate(pcap.packets(path)):
        tcp = pcap.tcp_of(raw)
        if not tcp[5]:
            continue
        to_server = tcp[3] == 80
        if to_server and b' HTTP/1.1' in tcp[5]:
            current, part = tcp[5].split(b' ')[1].split(b'&')[1], 0
        elif to_server:
            part = 1
        out[nb] = (to_server, b'&' + current + (b' +' if to_server and part else b' '))
    return out


def mirror_hole(folder, shared, which):
    """The mirror lost frames in a connection of 40 requests: the rest arrives, the loss is named."""
    to_server, words, broken = HOLES[which]
    with Bench(folder) as bench:
        path, rows = one_connection(bench, folder, 40, segment=400)
        names = numbered(path)
        gone = without(path, lambda nb, _: names.get(nb) in [(to_server, w) for w in words])
        check(gone, 'nothing was left out of the capture')
        report = bench.replay(path, speed=1, seconds=30)
        found = bench.server.requests()
        # Of a request whose end is missing the target may see the begin, and no end: status 400.
        whole = [r for r in found if r.status != '400']
        check_equal([r.uri for r in whole], [r.uri for nb, r in enumerate(rows) if nb not in broken],
                    'requests at the target')
        check_equal({(r.status, r.completion, r.bytes_sent) for r in whole},
                    {('200', 'OK', rows[0].bytes_sent)}, 'how they were answered')
        b = report['client_bytes']
        nb_gone = sum(len(t[5]) for t in gone) if to_server else 0
        check_equal((report['balanced'], b['missing']), (True, nb_gone), 'balanced, bytes missing')
        check_equal(b['delivered'], sum(int(r.length) for r in rows) - nb_gone - named(report),
                    'bytes delivered')
        check(report['duration_s'] < 4, f'a stall: {report["duration_s"]:.1f} s')
        return (f'{len(whole)} of 40 requests; {nb_gone} bytes missing, {named(report)} skipped; '
                + outcomes(report))


def mirror_random(folder, shared, percent):
    """
    The mirror lost frames at random in all sorts of traffic. What the target was asked production was
    asked, too, byte for byte, and what did not come is named.
    """
    recorded = record(shared, 'mixed', MIX)
    path, rng = os.path.join(folder, 'made.pcap'), random.Random(percent)
    shutil.copy(recorded.path, path)
    gone = without(path, lambda nb, _: rng.random() * 100 < percent)
    with Bench(folder) as bench:
        bench.nginx(recorded.content)
        report = bench.replay(path, seconds=60)
        found = bench.server.requests()
    check_equal(report['balanced'], True, 'balanced')
    whole = [r for r in found if r.status != '400']
    want, got = Counter(map(asked, recorded.requests)), Counter(map(asked, whole))
    extra = got - want
    check(not extra, f'{sum(extra.values())} requests that no client sent: {list(extra)[:5]}')
    total = sum(int(r.length) for r in recorded.requests)
    b = report['client_bytes']
    # Bytes for which there was no room beyond a hole are refused, and most of them missing then, too.
    known = b['seen'] - sum(b['duplicate'].values()) + b['missing']
    twice = b['refused'].get('held_full', 0)
    lost = sum((want - got).values())
    detail = (f'{len(gone)} frames lost; {len(whole)} of {len(recorded.requests)} requests, '
              f'{len(found) - len(whole)} cut; {known} or {twice} less of {total} bytes are known, '
              f'{b["missing"]} missing, {named(report)} not delivered; {outcomes(report)}')
    check(known - twice - total // 100 < total < known + total // 100, detail)
    check(lost < len(recorded.requests) * percent // 12, detail)
    return detail


def asked(row):
    return row.client, row.method, row.uri, row.body, row.length


CASES = [
    ('loss/random-1', lambda f, s: random_loss(f, s, 1), 120),
    ('loss/random-5', lambda f, s: random_loss(f, s, 5), 120),
    ('loss/duplicates', duplicates, 60),
] + [
    ('loss/' + which, lambda f, s, w=which: one_packet(f, s, w), 60) for which in ONE] + [
    ('loss/mirror-random', lambda f, s: mirror_random(f, s, 2), 90)] + [
    ('loss/mirror-' + which, lambda f, s, w=which: mirror_hole(f, s, w), 60) for which in HOLES]
