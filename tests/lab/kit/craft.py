# SPDX-License-Identifier: BSD-3-Clause
"""Captures made by hand: connections whose ports, times, frame sizes and options a case chooses."""
import os
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from app.pcap import ACK, FIN, PSH, RST, START, SYN, Capture, frame  # noqa: E402

from .web import Request  # noqa: E402

__all__ = ['START', 'Capture', 'Connection', 'http_connection']

MSS, SCALE = 1460, 7


class Connection:
    """
    One captured connection, step by step. `at` is the time of the next frame in seconds; each frame
    takes `step`. `stamps`: milliseconds of the client's timestamp clock at time 0, or None for none.
    """

    def __init__(self, capture, client, server, at=0.0, step=0.0002, isn=None, stamps=None,
                 segment=MSS):
        self.capture, self.at, self.step = capture, at, step
        self.client, self.server = client, server
        isn = client[1] * 2_654_435_761 if isn is None else isn
        self.next = {True: isn & 0xffffffff, False: (isn >> 3) * 7 & 0xffffffff}
        self.stamps, self.segment = stamps, segment
        self.seen = {True: 0, False: 0}

    def options(self, is_client, flags):
        out = struct.pack('!BBHBBBB', 2, 4, MSS, 1, 3, 3, SCALE) if flags & SYN else b''
        if self.stamps is not None:
            now = int(self.stamps + self.at * 1000) & 0xffffffff
            out += struct.pack('!BBBBII', 1, 1, 8, 10, now, self.seen[not is_client])
            self.seen[is_client] = now
        return out

    def put(self, is_client, flags, payload=b''):
        """One frame, whatever its size."""
        ends = (self.client, self.server) if is_client else (self.server, self.client)
        options = self.options(is_client, flags)
        ack = self.next[not is_client] if flags & ACK else 0
        tcp = struct.pack('!HHIIBBHHH', ends[0][1], ends[1][1], self.next[is_client], ack,
                          (20 + len(options)) // 4 << 4, flags, 0xffff, 0, 0)
        self.capture.ident = (self.capture.ident + 1) & 0xffff
        self.capture.packets.append((self.at, frame(ends[0][0], ends[1][0], tcp + options + payload,
                                                    self.capture.ident)))
        length = len(payload) + (1 if flags & (SYN | FIN) else 0)
        self.next[is_client] = (self.next[is_client] + length) & 0xffffffff
        self.at += self.step

    def open(self):
        self.put(True, SYN)
        self.put(False, SYN | ACK)
        self.put(True, ACK)

    def say(self, is_client, data):
        """Data in frames of `segment` bytes, every second one acknowledged."""
        for nb, at in enumerate(range(0, len(data), self.segment)):
            self.put(is_client, ACK | PSH, data[at:at + self.segment])
            if nb % 2:
                self.put(not is_client, ACK)

    def turn(self, question, answer):
        self.say(True, question)
        self.put(False, ACK)
        self.say(False, answer)
        self.put(True, ACK)

    def close(self, is_client=True):
        """Closed by FIN, by the client first or by the server."""
        self.put(is_client, FIN | ACK)
        self.put(not is_client, FIN | ACK)
        self.put(is_client, ACK)

    def reset(self):
        self.put(True, RST | ACK)


def http_connection(made, requests, answers, think=0.0, close=None):
    """
    A connection `made` of HTTP requests: (method and URI, further head lines) each, and the raw answer
    of the server for each. `close`: None, 'client' or 'server'. What a server has to log for it.
    """
    rows, name = [], f'{made.client[0]}:{made.client[1]}@{made.at}'
    made.open()
    for nb, ((method, uri, lines), answer) in enumerate(zip(requests, answers)):
        question = '\r\n'.join([f'{method} {uri} HTTP/1.1', 'Host: lab', *lines, '', '']).encode()
        made.turn(question, answer)
        made.at += think
        rows.append(Request(name, str(nb + 1),
                            made.client[0], str(made.client[1]), method, uri, '-',
                            answer.split(b' ', 2)[1].decode(), 'OK', str(len(answer)), '0',
                            str(len(question))))
    if close:
        made.close(close == 'client')
    return rows
