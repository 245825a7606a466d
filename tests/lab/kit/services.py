# SPDX-License-Identifier: BSD-3-Clause
"""redis, memcached and MariaDB as production and as target, and what each says it has seen."""
import os
import re
import shutil
import socket
import struct
from collections import Counter

from .net import run, wait_until
from .result import Failed, Skipped


def need_tool(tool):
    if not shutil.which(tool):
        raise Skipped(f'{tool} is not installed')


class Service:
    """One server in the namespace of a role."""

    port = 0

    def __init__(self, net, role, address, folder):
        self.net, self.role, self.address, self.dir = net, role, address, folder
        os.makedirs(folder, exist_ok=True)
        self.prepare()
        self.log = os.path.join(folder, 'log')
        with open(self.log, 'wb') as log:
            self.proc = net.start(role, self.argv(), stdout=log, stderr=log)
        if not wait_until(self.is_listening, 30, 0.1):
            with open(self.log, encoding='utf-8', errors='replace') as f:
                raise Failed(f'{self.argv()[0]} ({role}) does not listen: {f.read()[-600:]}')

    def prepare(self):
        pass

    def argv(self):
        raise NotImplementedError

    def is_listening(self):
        out = self.net.run(self.role, ['ss', '-Hltn', f'sport = :{self.port}'])
        return self.proc.poll() is None and bool(out.strip())


class Redis(Service):
    port = 6379

    def prepare(self):
        need_tool('redis-server')

    def argv(self):
        return ['redis-server', '--port', str(self.port), '--bind', self.address,
                '--unixsocket', f'{self.dir}/socket', '--save', '', '--appendonly', 'no',
                '--protected-mode', 'no', '--dir', self.dir]

    def ask(self, *words):
        return run(['redis-cli', '-s', f'{self.dir}/socket', *words])

    def seen(self):
        """
        Calls by command. No digest of what is stored: lpop on a list that another connection has not
        filled yet leaves another list, and the order among connections is not the replay's promise.
        """
        calls = dict(re.findall(r'cmdstat_([^:]+):calls=(\d+)', self.ask('INFO', 'commandstats')))
        calls.pop('info', None)
        return calls


class Memcached(Service):
    port = 11211
    FIGURES = ('cmd_get', 'cmd_set', 'cmd_touch', 'get_hits', 'get_misses', 'delete_hits',
               'incr_hits', 'curr_items', 'total_items', 'bytes', 'total_connections')

    def prepare(self):
        need_tool('memcached')

    def argv(self):
        return ['memcached', '-u', 'root', '-l', f'{self.address},127.0.0.1', '-p', str(self.port),
                '-U', '0', '-t', '2', '-m', '64']

    def seen(self):
        text = self.net.run(self.role, ['python3', '-c', STATS_CLIENT, str(self.port)])
        rows = dict(re.findall(r'STAT (\S+) (\S+)', text))
        return {f: rows.get(f) for f in self.FIGURES}


STATS_CLIENT = '''
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5)
s.sendall(b"stats\\r\\n")
text = b""
while b"END\\r\\n" not in text:
    text += s.recv(65536)
print(text.decode())
'''


class Maria(Service):
    port = 3306
    FIGURES = ('Aborted_connects', 'Aborted_connects_preauth', 'Connections',
               'Connection_errors_internal')

    def prepare(self):
        need_tool('mariadbd')
        data = os.path.join(self.dir, 'data')
        run(['mariadb-install-db', '--no-defaults', f'--datadir={data}', '--user=root',
             '--auth-root-authentication-method=normal', '--skip-test-db'], timeout=120)
        with open(f'{self.dir}/init', 'w', encoding='ascii') as f:
            f.write("CREATE USER IF NOT EXISTS somebody@'%' IDENTIFIED BY 'secret';\n")

    def argv(self):
        return ['mariadbd', '--no-defaults', f'--datadir={self.dir}/data', '--user=root',
                f'--socket={self.dir}/socket', f'--pid-file={self.dir}/pid',
                f'--bind-address={self.address}', f'--port={self.port}', '--skip-name-resolve',
                f'--init-file={self.dir}/init', '--log-warnings=2', '--max-connect-errors=1000000',
                '--innodb-buffer-pool-size=16M']

    def seen(self):
        """Its own counts, and for each user the number of refused logins."""
        text = run(['mariadb', '--no-defaults', '-uroot', '-S', f'{self.dir}/socket', '-BN', '-e',
                    'show global status'])
        rows = dict(line.split('\t')[:2] for line in text.splitlines() if '\t' in line)
        out = {f: rows.get(f) for f in self.FIGURES}
        with open(self.log, encoding='utf-8', errors='replace') as log:
            out['refused'] = Counter(re.findall(r"Access denied for user '([^']*)'", log.read()))
        return out


# ---- clients that speak to production; each is run in the client's namespace ----

def exactly(sock, nb):
    data = b''
    while len(data) < nb:
        block = sock.recv(nb - len(data))
        if not block:
            raise EOFError(f'closed after {len(data)} of {nb} bytes')
        data += block
    return data


def until(sock, end):
    data = b''
    while not data.endswith(end):
        block = sock.recv(65536)
        if not block:
            raise EOFError('closed in the middle of an answer')
        data += block
    return data


def memcached_session(address, source, number):
    """Sets, gets, increments and deletes on keys of its own."""
    with socket.create_connection((address, Memcached.port), 20, (source, 0)) as s:
        for n in range(40):
            key = b'k%d-%d' % (number, n)
            value = bytes([65 + n % 26]) * (10 + 97 * n * (n % 7))
            s.sendall(b'set %s 0 0 %d\r\n%s\r\n' % (key, len(value), value))
            until(s, b'STORED\r\n')
            s.sendall(b'get %s\r\n' % key)
            until(s, b'END\r\n')
            if n % 5 == 0:
                s.sendall(b'get none%d\r\n' % number)
                until(s, b'END\r\n')
            if n % 8 == 3:
                s.sendall(b'set c%d 0 0 1 noreply\r\n1\r\nincr c%d 5\r\n' % (number, number))
                until(s, b'6\r\n')
            if n % 10 == 9:
                s.sendall(b'delete %s\r\n' % key)
                until(s, b'DELETED\r\n')


def maria_packet(sock):
    head = exactly(sock, 4)
    return exactly(sock, int.from_bytes(head[:3], 'little'))


def maria_session(address, source, number):
    """Read the greeting, log in with a wrong password, read the refusal."""
    with socket.create_connection((address, Maria.port), 20, (source, 0)) as s:
        greeting = maria_packet(s)
        if greeting[0] != 10:
            raise ValueError(f'no greeting: {greeting[:40]!r}')
        flags = 0x00000200 | 0x00008000 | 0x00080000  # PROTOCOL_41, SECURE_CONNECTION, PLUGIN_AUTH
        body = struct.pack('<IIB23x', flags, 1 << 24, 33) + b'lab%d\0' % number
        body += b'\x14' + bytes(range(20)) + b'mysql_native_password\0'
        s.sendall(len(body).to_bytes(3, 'little') + b'\x01' + body)
        answer = maria_packet(s)
        if answer[0] == 0xfe:  # another way to log in is wanted
            s.sendall(b'\x14\0\0\x03' + bytes(range(20, 40)))
            answer = maria_packet(s)
        if answer[0] != 0xff:
            raise ValueError(f'a refusal was expected: {answer[:40]!r}')


SESSIONS = {'memcached': memcached_session, 'maria': maria_session}
