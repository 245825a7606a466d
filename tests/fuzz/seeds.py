#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""First inputs for the fuzzers, from our own recordings and examples: seeds.py FOLDER

Writes FOLDER/<target>/<name>. What is stored in tests/fuzz/corpus grew out of them:
scripts/fuzz --minimise.
"""
import glob
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
RAW = 101
SLL = 113
SLL2 = 276


def read_pcap(path):
    """-> [(s, us, frame)] of an Ethernet capture in little-endian microseconds"""
    with open(path, 'rb') as f:
        data = f.read()
    out, at = [], 24
    while at < len(data):
        s, us, cap, _ = struct.unpack_from('<IIII', data, at)
        out.append((s, us, data[at + 16:at + 16 + cap]))
        at += 16 + cap
    return out


def recordings():
    for path in sorted(glob.glob(f'{ROOT}/tests/golden/*.in.pcap')):
        yield os.path.basename(path).split('.')[0], read_pcap(path)


def pcap(frames, link=1, order='<', magic=0xa1b2c3d4, mode=0):
    out = struct.pack(order + 'IHHIIII', magic, 2, 4, mode, 0, 262144, link)
    for s, us, frame in frames:
        out += struct.pack(order + 'IIII', s, us, len(frame), len(frame)) + frame
    return out


def block(order, kind, body):
    body += b'\0' * (-len(body) % 4)
    return struct.pack(order + 'II', kind, len(body) + 12) + body + struct.pack(order + 'I', len(body) + 12)


def pcapng(frames, order='<', link=1, resolution=6):
    out = block(order, 0x0a0d0d0a, struct.pack(order + 'IHHq', 0x1a2b3c4d, 1, 0, -1))
    out += block(order, 1, struct.pack(order + 'HHI', link, 0, 262144)
                 + struct.pack(order + 'HHB3x', 9, 1, resolution)
                 + struct.pack(order + 'HHq', 14, 8, 3600) + struct.pack(order + 'HH', 0, 0))
    for n, (s, us, frame) in enumerate(frames):
        ts = s * 10 ** (resolution & 127) + us
        if n % 5 == 4:
            out += block(order, 3, struct.pack(order + 'I', len(frame)) + frame)
        else:
            out += block(order, 6, struct.pack(order + 'IIIII', 0, ts >> 32 & 0xffffffff, ts & 0xffffffff,
                                               len(frame), len(frame)) + frame)
    return out + block(order, 5, struct.pack(order + 'III', 0, 0, 0))


def cooked(frame, link):
    """an Ethernet frame without tags as another link type has it"""
    kind, rest = frame[12:14], frame[14:]
    return {RAW: rest, SLL: struct.pack('>HHH8s', 0, 1, 6, b'\2') + kind + rest,
            SLL2: kind + struct.pack('>HIHBB8s', 0, 1, 1, 0, 6, b'\2') + rest}[link]


def sum16(data):
    data += b'\0' * (len(data) % 2)
    n = sum(struct.unpack(f'>{len(data) // 2}H', data))
    while n >> 16:
        n = (n & 0xffff) + (n >> 16)
    return n


def fragments(frame, size=64):
    """the IPv4 packet of an Ethernet frame in pieces"""
    ip, payload = frame[14:34], frame[34:]
    for off in range(0, len(payload), size):
        piece = payload[off:off + size]
        more = 0x2000 if off + size < len(payload) else 0
        head = ip[:2] + struct.pack('>H', 20 + len(piece)) + ip[4:6] + struct.pack('>H', more | off // 8)
        head += ip[8:10] + b'\0\0' + ip[12:20]
        head = head[:10] + struct.pack('>H', ~sum16(head) & 0xffff) + head[12:]
        yield frame[:14] + head + piece


def parser():
    for name, frames in recordings():
        for n, (_, _, frame) in enumerate(frames[:12]):
            yield f'{name}-{n}', b'\0\0\0' + frame
    frame = dict(recordings())['v4_short'][0][2]
    frame6 = dict(recordings())['v6_short'][0][2]
    for n, link in enumerate((SLL, SLL2, RAW), 1):
        yield f'link-{n}', bytes([n, 16, 20]) + cooked(frame, link)
        yield f'link6-{n}', bytes([n, 30, 7]) + cooked(frame6, link)
    for n, piece in enumerate(fragments(frame, 8)):
        yield f'fragment-{n}', b'\0\0\0' + piece
    tags = frame[:12] + bytes.fromhex('88a8000181000002') + frame[12:]
    yield 'tags', b'\0\x0d\x04' + tags
    for kind in (0, 43, 44, 60):
        ext = bytes([6, 0, 1, 4, 0, 0, 0, 0])
        yield f'ext-{kind}', b'\0\0\0' + frame6[:18] + struct.pack('>H', len(frame6) - 54 + 8) + bytes(
            [kind]) + frame6[21:54] + ext + frame6[54:]


def options():
    lists = ['020405b40402080a0000000100000000010303070000', '020405b4', '020405b401030308', '0101080a00000001000000020000',
             '0101050a0000000100000002', '0204000004020303ff00', '080a00000001', '0200', '02ff05b4', '0303070303080402',
             '1e0c0081000000000000000001010101', '22020101', '01' * 40, '']
    for n, text in enumerate(lists):
        yield f'list-{n}', b'\x28\x02' + bytes.fromhex(text)


def capture():
    for name, frames in recordings():
        yield f'{name}.pcap', pcap(frames[:8])
    frames = dict(recordings())['v4_short'][:6]
    yield 'big.pcap', pcap(frames, order='>')
    yield 'ns.pcap', pcap(frames, magic=0xa1b23c4d)
    yield 'ng', pcapng(frames)
    yield 'ng-big', pcapng(frames, order='>')
    yield 'ng-ns', pcapng(frames, resolution=9)
    yield 'ng-binary', pcapng(frames, resolution=0x80 | 20)
    yield 'ng-two-sections', pcapng(frames) + pcapng(frames, order='>')
    for link in (RAW, SLL, SLL2):
        yield f'link-{link}.pcap', pcap([(s, us, cooked(f, link)) for s, us, f in frames], link)
    yield 'gzip', b'\x1f\x8b\x08\0'


COMMAND_LINES = [
    'run --mirror 0000:01:00.0 --test 0000:02:00.0 --test-address 10.0.0.1/24 -x 80-10.0.0.2:8080',
    'run --mirror net_af_packet0,iface=eth1 --test=net_tap0 --test-address=fd00::1/64 '
    '--map [2001:db8::1]:80-[fd00::2]:8080 --clients fd00:1::/120 --clients-on-link --workers 4 -- -m 64',
    'replay a.pcap b.pcap --map 80-127.0.0.1:8080 --speed max --report - --expect-fidelity 99.5',
    'replay a.pcap -x10.0.0.1:80-10.0.0.2:8080,443-10.0.0.2:8443 --impair loss=1,drop:fin:2 --seed 7',
    'check --capture a.pcap --gate time --latency 50ms --pace think --open syn --copies 3',
    'run --worker 3', 'replay', 'help', 'check', 'run --held-bytes 64M --max-flows=20 --sample 12.5%',
]


def config():
    for path in sorted(glob.glob(f'{ROOT}/conf/*.yaml')):
        with open(path, 'rb') as f:
            yield os.path.basename(path), f.read()
    with open(f'{ROOT}/tests/unit/config/test_fuzz.c', encoding='utf-8') as f:
        text = f.read()
    words = sorted(set(w for w in text.split('"') if w.endswith('\\n') and ':' in w and len(w) < 200))
    yield 'words', '\n'.join(w.replace('\\n', '\n') for w in words).encode()
    for n, line in enumerate(COMMAND_LINES):
        yield f'line-{n}', b'$\n' + '\n'.join(line.split()).encode()


class Program:
    """An input of the target `records`; the steps have the numbers that records.c gives them."""

    def __init__(self, *mode):
        self.code = bytes(mode) + b'\0' * (3 - len(mode))

    def add(self, *numbers):
        self.code += bytes(numbers)
        return self

    def conv(self, opts=7):
        return self.add(0, *([0] if len(self.code) > 3 else []), 0x40 | opts)

    def say(self, n=100, c=0):
        return self.add(1, c, n)

    def answer(self, n=100, c=0):
        return self.add(2, c, n)

    def closes(self, what, c=0):
        return self.add(4, c, what)

    def synack(self, p=0):
        return self.add(5, p)

    def target(self, n=0, p=0):
        return self.add(6, n, p)

    def target_fin(self, n=0, p=0):
        return self.add(7, n, p)

    def target_rst(self, p=0):
        return self.add(8, p)

    def near(self, flags, seq=0, ack=0, length=0, wnd=500, p=0):
        return self.add(9, p, 0, flags, *struct.pack('<HHBH', seq & 0xffff, ack & 0xffff, length, wnd))

    def time(self, ms):
        us, shift = ms * 1000, 0
        while us >= 16:
            us, shift = us // 2, shift + 1
        return self.add(14, shift << 3 | us & 7)


def turns(p, nb=3):
    p.conv().synack()
    for _ in range(nb):
        p.say().target().answer().target(100).time(30)
    return p


def records():
    modes = [(0,), (1,), (8,), (0x10,), (0x40,), (0x80,), (4,), (2,), (0, 1), (0, 4), (0, 8), (0, 16), (0, 32), (0, 0xc0),
             (1, 0xc2), (0, 0, 1), (0, 0, 2), (0, 0, 4), (0x20,), (0x18, 2, 2)]
    for n, mode in enumerate(modes):
        yield f'turns-{n}', turns(Program(*mode)).closes(0).target_fin().time(50).code
        yield f'two-{n}', turns(turns(Program(*mode))).closes(2, 1).closes(1).time(300).code
    yield 'reset', turns(Program()).target_rst().say().time(1000).synack().target().code
    yield 'fin', turns(Program()).target_fin(10).say().time(1000).synack(1).target().closes(0).code
    yield 'silent', Program().conv().say().time(60000).code
    yield 'retransmits', turns(Program()).say().time(9000).target().code
    yield 'duplicates', turns(Program()).say(200).near(16, 0, -200).near(16, 0, -200).near(16, 0, -200).near(16, 0, -200).code
    yield 'zero-window', turns(Program()).near(16, wnd=0).say().time(5000).near(16, wnd=800).time(100).code
    yield 'forged', turns(Program()).near(20, 5000).near(4, 1).near(16, 0, 9000).near(2).near(18, 1).code
    yield 'hole', turns(Program()).add(3, 0, 0x11, 0x18, 100, 0, 150, 0, 0).time(400).say().answer().code
    yield 'raves', turns(Program()).add(11, 0, 0, 0x30, 0x75, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 9, 9, 16, 1).code


def mirror():
    all_frames = []
    for name, frames in recordings():
        if sum(len(f) for _, _, f in frames) > 20000:
            frames = frames[:16]
        yield f'{name}.pcap', pcap(frames)
        yield f'{name}-file.pcap', pcap(frames, mode=1)
        all_frames += frames[:10]
    yield 'all.pcap', pcap(sorted(all_frames))
    frames = dict(recordings())['v4_short']
    pieces = [(s, us, p) for s, us, f in frames for p in fragments(f)]
    yield 'fragments.pcap', pcap(pieces, mode=2)
    yield 'ng', pcapng(frames)
    for link in (RAW, SLL, SLL2):
        yield f'link-{link}.pcap', pcap([(s, us, cooked(f, link)) for s, us, f in frames], link)


def main(folder):
    for target in (parser, options, capture, config, records, mirror):
        where = f'{folder}/{target.__name__}'
        os.makedirs(where, exist_ok=True)
        for name, data in target():
            with open(f'{where}/{name}', 'wb') as f:
                f.write(data)


if __name__ == '__main__':
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
