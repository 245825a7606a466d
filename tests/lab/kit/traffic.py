# SPDX-License-Identifier: BSD-3-Clause
"""The lab's clients: run in the client namespace, it talks to production and says how that went.

python3 traffic.py --server 10.10.0.2 --sources a,b,c --tag T [--short N] [--keepalive N] ...

Every request carries the connection and its number in the URI, so that no two requests are equal.
Prints one JSON object: requests, connections, bytes, and the failures seen by the clients.
"""
import argparse
import asyncio
import json
import os
import random
import socket
import struct
import sys
import time

SIZES = {'100': 100, '1k': 1000, '10k': 10_000, '100k': 100_000, '1m': 1_000_000, '5m': 5_000_000}
POST_SIZE = 64 * 1024
UPLOAD_PIECE = 256 * 1024


class Connection:
    """One client connection; counts what it did."""

    def __init__(self, crew, name):
        self.crew, self.name = crew, name
        self.nb = 0
        self.reader = self.writer = None

    async def __aenter__(self):
        self.reader, self.writer = await asyncio.open_connection(
            self.crew.server, self.crew.port, local_addr=(self.crew.next_source(), 0),
            limit=1 << 20)
        self.crew.nb_connections += 1
        return self

    async def __aexit__(self, *exc):
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except OSError:
            pass

    def head(self, method, path, lines=(), version='1.1'):
        self.nb += 1
        uri = f'{path}?{self.crew.tag}={self.name}&n={self.nb}'
        rows = [f'{method} {uri} HTTP/{version}', 'Host: lab', *lines, '', '']
        return '\r\n'.join(rows).encode()

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, method, size=None, status=200):
        """Read one answer to its end and check it."""
        head = await self.reader.readuntil(b'\r\n\r\n')
        found = int(head.split(b' ', 2)[1])
        if found == 100:
            return await self.answer(method, size, status)
        if found != status:
            raise ValueError(f'{self.name}/{self.nb}: status {found}, expected {status}')
        length = None
        for line in head.split(b'\r\n'):
            if line.lower().startswith(b'content-length:'):
                length = int(line.split(b':')[1])
        if method == 'HEAD' or status == 304:
            length = 0
        nb = 0
        while length is None or nb < length:
            block = await self.reader.read(65536 if length is None else min(65536, length - nb))
            if not block:
                break
            nb += len(block)
        if length is not None and nb != length or size is not None and nb != size:
            raise ValueError(f'{self.name}/{self.nb}: {nb} bytes, expected {length or size}')
        self.crew.nb_requests += 1
        self.crew.nb_bytes += nb
        return None

    async def get(self, what, lines=(), version='1.1', method='GET', status=200, pause=0.0):
        data = self.head(method, '/' + what, lines, version)
        if pause:
            cut = len(data) // 2
            await self.send(data[:cut])
            await asyncio.sleep(pause)
            data = data[cut:]
        await self.send(data)
        size = SIZES.get(what) if method == 'GET' and status == 200 else None
        await self.answer(method, size, status)

    async def post(self, size, rng, rate=None, chunked=False):
        """Upload random bytes; `rate` in bytes a second."""
        length = 'Transfer-Encoding: chunked' if chunked else f'Content-Length: {size}'
        await self.send(self.head('POST', '/up', [length]))
        start, done = time.monotonic(), 0
        while done < size:
            piece = rng.randbytes(min(UPLOAD_PIECE, size - done))
            done += len(piece)
            if chunked:
                piece = b'%x\r\n%s\r\n' % (len(piece), piece)
            await self.send(piece)
            if rate:
                await asyncio.sleep(max(0, start + done / rate - time.monotonic()))
        if chunked:
            await self.send(b'0\r\n\r\n')
        await self.answer('POST')


class Crew:
    def __init__(self, args):
        self.args = args
        self.server, self.port = args.server, args.port
        self.sources = args.sources.split(',')
        self.tag = args.tag
        self.turn = 0
        self.nb_connections = self.nb_requests = self.nb_bytes = 0
        self.failures = []

    def next_source(self):
        self.turn += 1
        return self.sources[self.turn % len(self.sources)]

    async def guarded(self, job, gate):
        async with gate:
            try:
                await asyncio.wait_for(job, 120)
            except (OSError, ValueError, EOFError, asyncio.TimeoutError) as e:
                self.failures.append(f'{type(e).__name__}: {e}')

    async def short(self, i):
        rng = random.Random(i)
        what = rng.choice(['100', '1k', '10k'])
        async with Connection(self, f's{i}') as c:
            if i % 4 == 0:
                await c.get(what, ['Connection: close'])
            elif i % 4 == 1:
                await c.get(what)
            elif i % 4 == 2:
                await c.get(what, version='1.0')
            else:
                await c.get(what, ['Connection: close'], method='HEAD')

    async def keepalive(self, i):
        rng = random.Random(1000 + i)
        async with Connection(self, f'k{i}') as c:
            for n in range(self.args.requests):
                if n % 25 == 24:
                    await c.get('no-such-file', status=404)
                elif n % 25 == 12:
                    await c.get('10k', ['Range: bytes=100-299'], status=206)
                else:
                    await c.get(rng.choice(['100', '1k', '10k']),
                                pause=0.003 if n % 20 == 7 else 0)

    async def slow(self, i):
        """A request every 100 ms, on a connection that outlives most others."""
        async with Connection(self, f'l{i}') as c:
            for n in range(40):
                await c.get('1k' if n % 2 else '100')
                await asyncio.sleep(0.1)

    async def abort(self, i):
        """Read a part of a long answer and reset the connection."""
        async with Connection(self, f'a{i}') as c:
            await c.send(c.head('GET', '/5m'))
            await c.reader.readexactly(20_000)
            c.writer.transport.get_extra_info('socket').setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            c.writer.transport.abort()
        self.nb_requests += 1

    async def pipelined(self, i):
        async with Connection(self, f'p{i}') as c:
            for _ in range(5):
                await c.send(b''.join(c.head('GET', '/1k') for _ in range(8)))
                for _ in range(8):
                    await c.answer('GET', 1000)

    async def posts(self, i, nb):
        rng = random.Random(2000 + i)
        async with Connection(self, f'u{i}') as c:
            for n in range(nb):
                await c.post(POST_SIZE, rng, chunked=(i + n) % 8 == 7)

    async def downloads(self, i, nb):
        async with Connection(self, f'd{i}') as c:
            for _ in range(nb):
                await c.get('5m')

    async def upload(self, i):
        async with Connection(self, f'U{i}') as c:
            await c.post(self.args.upload_size, random.Random(3000 + i), rate=20e6)

    async def tool(self, argv):
        """A client that others wrote; its requests are not counted here."""
        proc = await asyncio.create_subprocess_exec(
            *argv, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT)
        out, _ = await proc.communicate()
        if proc.returncode:
            raise ValueError(f'{argv[0]}: status {proc.returncode}: {out.decode()[-300:]}')

    def host(self):
        host = f'[{self.server}]' if ':' in self.server else self.server
        return f'http://{host}:{self.port}' if self.port != 80 else f'http://{host}'

    async def curl(self, i):
        base = ['curl', '-sS', '-g', '--fail', '--max-time', '60',
                '--interface', self.next_source()]
        uri = f'{self.tag}=c{i}&n='
        if i % 3 == 2:
            body = os.path.join(self.args.content, '100k')
            await self.tool(base + ['--data-binary', '@' + body, '-H', 'Expect: 100-continue',
                                    '-o', '/dev/null', f'{self.host()}/up?{uri}1'])
            return
        argv = base + (['--http1.0'] if i % 3 == 1 else [])
        for n, what in enumerate(('100', '1k', '100k', '10k', '1m')):
            argv += ['-o', '/dev/null', f'{self.host()}/{what}?{uri}{n}']
        await self.tool(argv)

    async def wrk(self, seconds):
        here = os.path.dirname(os.path.abspath(__file__))
        await self.tool(['wrk', '-t', '2', '-c', '20', '-d', f'{seconds}s', '-s',
                         os.path.join(here, 'wrk.lua'), self.host() + '/', '--',
                         f'{self.tag}w'])

    async def everything(self):
        a = self.args
        gates = {'short': asyncio.Semaphore(50), 'post': asyncio.Semaphore(8),
                 'big': asyncio.Semaphore(3), 'curl': asyncio.Semaphore(3),
                 'other': asyncio.Semaphore(1000)}
        jobs = [self.guarded(self.short(i), gates['short']) for i in range(a.short)]
        jobs += [self.guarded(self.keepalive(i), gates['other']) for i in range(a.keepalive)]
        jobs += [self.guarded(self.pipelined(i), gates['other']) for i in range(a.pipelined)]
        jobs += [self.guarded(self.slow(i), gates['other']) for i in range(a.slow)]
        jobs += [self.guarded(self.abort(i), gates['big']) for i in range(a.aborts)]
        single = a.posts // 2
        jobs += [self.guarded(self.posts(i, 1), gates['post']) for i in range(single)]
        jobs += [self.guarded(self.posts(single + i, min(5, a.posts - single - 5 * i)),
                              gates['post']) for i in range((a.posts - single + 4) // 5)]
        jobs += [self.guarded(self.downloads(i, min(2, a.downloads - 2 * i)), gates['big'])
                 for i in range((a.downloads + 1) // 2)]
        jobs += [self.guarded(self.upload(i), gates['big']) for i in range(a.uploads)]
        jobs += [self.guarded(self.curl(i), gates['curl']) for i in range(a.curl)]
        if a.wrk:
            jobs.append(self.guarded(self.wrk(a.wrk), gates['other']))
        await asyncio.gather(*jobs)


def parse(argv):
    p = argparse.ArgumentParser()
    p.add_argument('--server', required=True)
    p.add_argument('--port', type=int, default=80)
    p.add_argument('--sources', required=True)
    p.add_argument('--tag', default='c')
    p.add_argument('--content', default='')
    p.add_argument('--upload-size', type=int, default=50_000_000)
    p.add_argument('--requests', type=int, default=100)
    for what in ('short', 'keepalive', 'pipelined', 'slow', 'aborts', 'posts', 'downloads', 'uploads',
                 'curl', 'wrk'):
        p.add_argument('--' + what, type=int, default=0)
    return p.parse_args(argv)


def main(argv):
    crew = Crew(parse(argv))
    start = time.monotonic()
    asyncio.run(crew.everything())
    print(json.dumps({'connections': crew.nb_connections, 'requests': crew.nb_requests,
                      'bytes': crew.nb_bytes, 'seconds': time.monotonic() - start,
                      'nb_failures': len(crew.failures), 'failures': crew.failures[:10]}))
    return 1 if crew.failures else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
