# SPDX-License-Identifier: BSD-3-Clause
"""Small captures written from nothing: whole TCP conversations, IPv4 and IPv6."""
import socket
import struct

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
START = 1_700_000_000.0


def checksum(data):
    """RFC 1071."""
    if len(data) % 2:
        data += b'\0'
    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def frame(src, dst, segment, ident):
    """Ethernet and IP around a TCP segment whose checksum field is still 0."""
    family = socket.AF_INET6 if ':' in src else socket.AF_INET
    a, b = socket.inet_pton(family, src), socket.inet_pton(family, dst)
    pseudo = a + b + struct.pack('!II', len(segment), 6)
    segment = segment[:16] + struct.pack('!H', checksum(pseudo + segment)) + segment[18:]
    macs = bytes.fromhex('020000000002020000000001')
    if family == socket.AF_INET6:
        ip = struct.pack('!IHBB', 6 << 28, len(segment), 6, 64) + a + b
        return macs + b'\x86\xdd' + ip + segment
    ip = struct.pack('!BBHHHBBH', 0x45, 0, 20 + len(segment), ident, 0x4000, 64, 6, 0) + a + b
    ip = ip[:10] + struct.pack('!H', checksum(ip)) + ip[12:]
    return macs + b'\x08\x00' + ip + segment


class Capture:
    """A capture in time order: conversations may overlap."""

    def __init__(self):
        self.packets = []
        self.ident = 0

    def segment(self, at, ends, flags, numbers, payload=b''):
        """ends: (source, port, destination, port); numbers: (SEQ, ACK); at: seconds."""
        src, sport, dst, dport = ends
        options = struct.pack('!BBH', 2, 4, 1460) if flags & SYN else b''
        offset = (20 + len(options)) // 4 << 4
        tcp = struct.pack('!HHIIBBHHH', sport, dport, *numbers, offset, flags, 64000, 0, 0)
        self.ident = (self.ident + 1) & 0xffff
        self.packets.append((at, frame(src, dst, tcp + options + payload, self.ident)))

    def write(self, path, linktype=1):
        with open(path, 'wb') as out:
            out.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, linktype))
            for at, data in sorted(self.packets, key=lambda p: p[0]):
                us = round((START + at) * 1_000_000)
                out.write(struct.pack('<IIII', us // 1_000_000, us % 1_000_000, len(data),
                                      len(data)))
                out.write(data)


class Conversation:
    """One connection, step by step; time goes on by `step` with every segment."""

    def __init__(self, capture, client, server, at=0.0, step=0.001):
        self.capture, self.at, self.step = capture, at, step
        self.ends = (*client, *server)
        # Initial sequence numbers of their own, as hosts choose them (RFC 6528).
        isn = client[1] * 2_654_435_761
        self.next = {True: isn & 0x7fffffff, False: isn >> 3 & 0x7fffffff}
        self.said = 0

    def put(self, is_client, flags, payload=b''):
        ends = self.ends if is_client else self.ends[2:] + self.ends[:2]
        ack = self.next[not is_client] if flags & ACK else 0
        self.capture.segment(self.at, ends, flags, (self.next[is_client], ack), payload)
        self.next[is_client] += len(payload) + (1 if flags & (SYN | FIN) else 0)
        self.at += self.step
        if is_client:
            self.said += len(payload)

    def open(self):
        self.put(True, SYN)
        self.put(False, SYN | ACK)
        self.put(True, ACK)

    def turn(self, question, answer):
        self.put(True, PSH | ACK, question)
        self.put(False, ACK)
        self.put(False, PSH | ACK, answer)
        self.put(True, ACK)

    def close(self):
        self.put(True, FIN | ACK)
        self.put(False, FIN | ACK)
        self.put(True, ACK)


def conversations(path, nb=4, turns=3, think=0.0):
    """nb whole conversations, every second one IPv6, to one file. Returns the client bytes."""
    capture, said = Capture(), 0
    for i in range(nb):
        client = ('fd01::5' if i % 2 else '10.1.0.5', 40_000 + i)
        server = ('fd02::1' if i % 2 else '10.2.0.1', 80)
        c = Conversation(capture, client, server, at=i * 0.002)
        c.open()
        for k in range(turns):
            c.turn(b'question %d of %d\n' % (k, i), b'answer ' * (20 + k))
            c.at += think
        c.close()
        said += c.said
    capture.write(path)
    return said
