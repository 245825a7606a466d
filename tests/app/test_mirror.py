# SPDX-License-Identifier: BSD-3-Clause
"""What mirrors do to a capture - each packet twice, another order, fragments - changes no byte of it.

SPANCOPY=... SPANCOPYCTL=... python3 test_mirror.py [CLASS]; meson test --suite app does it.
"""
import random
import struct
import unittest

import pcap
from test_cli import Case

QUESTION = bytes(range(256)) * 9  # more than a segment


def conversations(nb=12, turns=4):
    """Both families; some questions take two segments. The capture and its client bytes."""
    capture, said = pcap.Capture(), 0
    for i in range(nb):
        client = ('fd01::5' if i % 2 else '10.1.0.5', 40_000 + i)
        server = ('fd02::1' if i % 2 else '10.2.0.1', 80)
        c = pcap.Conversation(capture, client, server, at=i * 0.004, step=0.0005)
        c.open()
        for k in range(turns):
            if k % 2:
                c.put(True, pcap.ACK, QUESTION[:1400])
            c.turn(b'question %d of %d\n' % (k, i), b'answer ' * (20 + k))
        c.close()
        said += c.said
    capture.packets.sort(key=lambda p: p[0])
    return capture, said


def twice(capture):
    """Two points of the way are mirrored."""
    capture.packets += [(at + 0.00002, data) for at, data in capture.packets]
    capture.packets.sort(key=lambda p: p[0])


def shuffled(capture, seed):
    """Up to two packets overtake one."""
    chance = random.Random(seed)
    times = [at for at, _ in capture.packets]
    frames = [data for _, data in capture.packets]
    for i in range(0, len(frames), 3):
        part = frames[i:i + 3]
        chance.shuffle(part)
        frames[i:i + 3] = part
    capture.packets = list(zip(times, frames))


def pieces(data, size):
    """An IPv4 frame as fragments of `size` bytes of payload; others as they are."""
    ip, body = data[14:34], data[34:]
    if data[12:14] != b'\x08\x00' or len(body) <= size:
        return [data]
    out = []
    for off in range(0, len(body), size):
        part = body[off:off + size]
        more = 0x2000 if off + size < len(body) else 0
        head = struct.pack('!BBHHHBBH', 0x45, 0, 20 + len(part), struct.unpack('!H', ip[4:6])[0],
                           more | off // 8, 64, 6, 0) + ip[12:]
        head = head[:10] + struct.pack('!H', pcap.checksum(head)) + head[12:]
        out.append(data[:14] + head + part)
    return out


def fragmented(capture):
    """A tunnel on the clients' way has a smaller MTU."""
    capture.packets = [(at + i * 0.000005, piece) for at, data in capture.packets
                       for i, piece in enumerate(pieces(data, 576))]


class Mirror(Case):
    """Fidelity 1.0 from every one of them."""

    def check(self, capture, said, *words):
        capture.write(self.path('a.pcap'))
        report = self.replay('a.pcap', '--peer', 'capture', '--expect-fidelity', '100', *words)
        self.assertTrue(report['balanced'], report['faults'])
        self.assertEqual(report['fidelity'], 1.0)
        self.assertEqual(report['flows']['ended'], {'complete': 12})
        self.assertEqual(report['client_bytes']['accepted'], said)
        self.assertEqual(report['peer']['bytes_in_ok'], said)
        self.assertEqual(report['peer']['bytes_in_differ'], 0)
        return report

    def findings(self, report):
        return [f['name'] for f in report['mirror_health']['findings']]

    def test_clean(self):
        report = self.check(*conversations())
        self.assertEqual(report['peer']['early'], 0)
        self.assertEqual(report['mirror_health']['verdict'], 'good')
        self.assertEqual(self.findings(report), [])

    def test_twice(self):
        capture, said = conversations()
        twice(capture)
        report = self.check(capture, said, '--workers', '2')
        self.assertEqual(report['client_bytes']['duplicate']['mirror'], said)
        self.assertEqual(report['mirror_health']['duplicate_percent'], 50.0)
        self.assertEqual(report['mirror_health']['verdict'], 'usable')
        self.assertEqual(self.findings(report), ['duplicates'])
        self.assertEqual(report['peer']['early'], 0)

    def test_shuffled(self):
        for seed in range(4):
            capture, said = conversations()
            shuffled(capture, seed)
            report = self.check(capture, said)
            self.assertNotIn('one_sided', self.findings(report))

    def test_twice_and_shuffled(self):
        for seed in range(3):
            capture, said = conversations()
            twice(capture)
            shuffled(capture, seed)
            self.assertEqual(self.findings(self.check(capture, said)), ['duplicates'])

    def test_overtaken(self):
        """The second segment of each long question comes before the first."""
        capture, said = conversations()
        long = [i for i, (_, data) in enumerate(capture.packets) if data.endswith(QUESTION[:1400])]
        for i in long:
            k = next(k for k in range(i + 1, len(capture.packets))
                     if b'question' in capture.packets[k][1]
                     and self.ports(capture.packets[k][1]) == self.ports(capture.packets[i][1]))
            (at, data), (late, other) = capture.packets[i], capture.packets[k]
            capture.packets[i], capture.packets[k] = (at, other), (late, data)
        report = self.check(capture, said)
        self.assertEqual(report['frames']['mirror']['reordered'], len(long))
        self.assertEqual(self.findings(report), ['reordered'])

    def test_fragments(self):
        """Each long question comes in pieces, and twice."""
        capture, said = conversations()
        nb = len(capture.packets)
        fragmented(capture)
        nb = len(capture.packets) - nb
        twice(capture)
        for words in ([], ['--workers', '2', '--pace', 'immediate'],
                      ['--workers', '4', '--pace', 'immediate']):
            self.check_fragments(self.check(capture, said, *words), nb)

    def check_fragments(self, report, nb):
        mirror = report['frames']['mirror']
        self.assertEqual(mirror['fragments_merged'], nb + nb * 3 // 2)
        self.assertEqual(mirror['fragments'], 0)
        self.assertNotIn('ip_fragment', mirror['refused'])
        self.assertEqual(mirror['misrouted'], 0)
        self.assertEqual(mirror['reordered'], 0)

    def test_fragment_lost(self):
        capture, _ = conversations()
        fragmented(capture)
        del capture.packets[next(i for i, (_, data) in enumerate(capture.packets)
                                 if data[20:22] == b'\x20\x00')]
        capture.write(self.path('a.pcap'))
        report = self.replay('a.pcap', '--peer', 'capture')
        self.assertTrue(report['balanced'], report['faults'])
        self.assertEqual(report['frames']['mirror']['refused']['ip_fragment'], 2)
        self.assertIn('fragments', self.findings(report))

    def test_client_half(self):
        capture, said = conversations()
        capture.packets = [p for p in capture.packets if self.ports(p[1])[1] == 80]
        report = self.check(capture, said)
        self.assertEqual(self.findings(report), ['client_half'])
        self.assertEqual(report['flows']['client_only'], 12)

    @staticmethod
    def ports(data):
        """Source and destination port."""
        off = 34 if data[12:14] == b'\x08\x00' else 54
        return struct.unpack('!HH', data[off:off + 4])


if __name__ == '__main__':
    unittest.main()
