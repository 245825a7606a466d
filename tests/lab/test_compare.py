# SPDX-License-Identifier: BSD-3-Clause
"""The judge is judged first: the comparison finds what it must find, and the lab itself is sound."""
import os
from collections import defaultdict

from kit import clients, pcap, web
from kit.compare import differences
from kit.plan import Plan, whole_lab
from kit.result import check, check_equal


def requests(nb_connections=4, nb_requests=3):
    return [web.Request(str(c), str(n), f'10.10.0.{100 + c}', '40000', 'GET', f'/1k?c={c}&n={n}',
                        '-', '200', 'OK', '1234', '0.001', '60')
            for c in range(nb_connections) for n in range(nb_requests)]


def test_compare(folder, shared):
    """Equal lists are equal whatever the ports and numbers; each kind of damage is found."""
    rows = requests()
    check_equal(differences(rows, rows, True), [], 'equal lists')
    other = [r._replace(connection='9' + r.connection, port='1') for r in reversed(rows)]
    other.sort(key=lambda r: (r.connection, r.number))
    check_equal(differences(rows, other, True), [], 'other ports and numbers')
    moved = [r._replace(client='10.77.0.1') for r in rows]
    check_equal(differences(rows, moved, False), [], 'pool addresses')
    damage = {
        'a request is missing': rows[:-1],
        'a request came twice': rows + rows[-1:],
        'two changed places': [rows[1], rows[0]] + rows[2:],
        'a connection was cut in two': rows[:-1] + [rows[-1]._replace(connection='77')],
        'two connections became one': [r._replace(connection='0') if r.connection == '1' else r
                                       for r in rows],
        'another client': moved,
    }
    for field, value in (('body', 'ff'), ('status', '500'), ('completion', ''),
                         ('bytes_sent', '1233'), ('method', 'HEAD'), ('uri', '/'),
                         ('length', '59')):
        damage[f'another {field}'] = [rows[0]._replace(**{field: value})] + rows[1:]
    for what, bad in damage.items():
        check(differences(rows, bad, True), f'not found: {what}')
    return f'{len(damage)} kinds of damage found'


test_compare.needs_network = False


def in_streams(frames, server, to_server, words):
    """How often `words` are in the streams to or from a server; what was sent again counts once."""
    streams = defaultdict(bytearray)
    first = {}
    for tcp in filter(None, map(pcap.tcp_of, frames)):
        if tcp[1 if to_server else 0] != server or not tcp[5]:
            continue
        at = (tcp[6] - first.setdefault(tcp[:4], tcp[6])) & 0xffffffff
        stream = streams[tcp[:4]]
        if len(stream) < at < 1 << 28:
            stream.extend(bytes(at - len(stream)))
        if at <= len(stream):
            stream[at:at + len(tcp[5])] = tcp[5]
    return sum(s.count(words) for s in streams.values())


def test_wiring(folder, shared):
    """Clients reach production, and the mirror shows both directions with whole checksums."""
    plan = Plan()
    net = whole_lab(plan)
    try:
        content = web.make_content(os.path.join(folder, 'content'))
        server = web.Nginx(net, 'production', [plan.production], content,
                           os.path.join(folder, 'production'))
        recording = pcap.Recording(net, 'box', 'm1', os.path.join(folder, 'mirror.pcap'), 'tcp')
        said = clients.drive(net, plan, clients.SMALL, content)
        recording.stop()
        check_equal(server.nb_logged(), said['requests'], 'requests logged')
        frames = [f for _, f in pcap.packets(recording.path)]
        longest = max(map(len, frames))
        check(longest <= 1514, f'the mirror delivered a frame of {longest} bytes')
        check_equal(in_streams(frames, plan.production, True, b' HTTP/1.'), said['requests'],
                    'requests on the mirror')
        check_equal(in_streams(frames, plan.production, False, b'HTTP/1.1 '), said['requests'],
                    'answers on the mirror')
        return f'{len(frames)} frames on the mirror'
    finally:
        net.close()


CASES = [
    ('compare', test_compare, 10),
    ('wiring', test_wiring, 60),
]
