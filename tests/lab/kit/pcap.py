# SPDX-License-Identifier: BSD-3-Clause
"""Recording with tcpdump, and as much of the pcap format as the lab needs."""
import ipaddress
import re
import signal
import struct
import time

from .net import end_process, wait_until
from .result import Failed

RST = 4
RST_ONLY = '(ip and tcp[13] & 4 != 0) or (ip6 and ip6[6] == 6 and ip6[53] & 4 != 0)'


class Recording:
    """tcpdump on one device, from now until stop()."""

    def __init__(self, net, role, dev, path, what=''):
        self.path = path
        self.messages = open(path + '.err', 'w+', encoding='utf-8')
        self.proc = net.start(role, ['tcpdump', '-i', dev, '-n', '-s', '0', '-B', '65536', '-U',
                                     '-Z', 'root', '-w', path] + ([what] if what else []),
                              stderr=self.messages)
        if not wait_until(lambda: 'listening on' in self.text(), 10):
            raise Failed(f'tcpdump on {dev} did not start: {self.text()}')

    def text(self):
        with open(self.messages.name, encoding='utf-8') as f:
            return f.read()

    def stop(self):
        """End it; Failed if the kernel lost packets. It reads a block at least every second."""
        time.sleep(1.3)
        end_process(self.proc, signal.SIGINT)
        self.messages.close()
        lost = re.search(r'(\d+) packets? dropped by kernel', self.text())
        if lost and int(lost.group(1)):
            raise Failed(f'tcpdump lost {lost.group(1)} packets: the recording is no evidence')


def packets(path):
    """(time in us, frame) of each record of a little-endian pcap file."""
    with open(path, 'rb') as f:
        head = f.read(24)
        if len(head) < 24 or struct.unpack('<I', head[:4])[0] != 0xa1b2c3d4:
            raise Failed(f'{path}: not a pcap file')
        while True:
            rec = f.read(16)
            if len(rec) < 16:
                return
            sec, usec, caplen, _ = struct.unpack('<IIII', rec)
            yield sec * 1_000_000 + usec, f.read(caplen)


def tcp_of(frame):
    """(source, destination, source port, destination port, flags, payload, SEQ) or None."""
    kind = struct.unpack('!H', frame[12:14])[0]
    if kind == 0x0800 and frame[23] == 6:
        at = 14 + (frame[14] & 15) * 4
        end = 14 + struct.unpack('!H', frame[16:18])[0]
        src, dst = frame[26:30], frame[30:34]
    elif kind == 0x86dd and frame[20] == 6:
        at = 54
        end = 54 + struct.unpack('!H', frame[18:20])[0]
        src, dst = frame[22:38], frame[38:54]
    else:
        return None
    sport, dport = struct.unpack('!HH', frame[at:at + 4])
    data = frame[at + (frame[at + 12] >> 4) * 4:end]
    return (str(ipaddress.ip_address(src)), str(ipaddress.ip_address(dst)), sport, dport,
            frame[at + 13], data, struct.unpack('!I', frame[at + 4:at + 8])[0])


def resets_to(path, server):
    """Clients' addresses, one for each RST sent to `server`, sorted."""
    out = []
    for _, frame in packets(path):
        tcp = tcp_of(frame)
        if tcp and tcp[1] == server and tcp[4] & RST:
            out.append(tcp[0])
    return sorted(out)
