# SPDX-License-Identifier: BSD-3-Clause
"""nginx as production and as target, with a log that says all that is compared."""
import hashlib
import os
import random
from collections import namedtuple

from .net import wait_until
from .result import Failed

SIZES = {'100': 100, '1k': 1000, '10k': 10_000, '100k': 100_000, '1m': 1_000_000, '5m': 5_000_000}

Request = namedtuple('Request', 'connection number client port method uri body status completion '
                     'bytes_sent seconds length')

# /up reads the whole body into a file and answers from the second server, which gets no body.
CONFIG = '''
worker_processes 2;
daemon off;
pid {dir}/nginx.pid;
error_log {dir}/error.log warn;
events {{ worker_connections 8192; multi_accept on; }}
http {{
	log_format lab '$connection\\t$connection_requests\\t$remote_addr\\t$remote_port\\t'
		'$request_method\\t$request_uri\\t$request_body_file\\t$status\\t'
		'$request_completion\\t$bytes_sent\\t$request_time\\t$request_length';
	client_body_temp_path {dir}/body;
	proxy_temp_path {dir}/proxy;
	fastcgi_temp_path {dir}/fastcgi;
	uwsgi_temp_path {dir}/uwsgi;
	scgi_temp_path {dir}/scgi;
	default_type application/octet-stream;
	client_max_body_size 0;
	keepalive_requests {keepalive};
	keepalive_timeout 120s;
	sendfile on;
	access_log off;
	server {{
		{listen}
		root {root};
		access_log {dir}/access.log lab;
		location /up {{
			client_body_in_file_only on;
			proxy_pass_request_body off;
			proxy_set_header Content-Length "";
			proxy_pass http://127.0.0.1:8081;
		}}
	}}
	server {{
		listen 127.0.0.1:8081;
		return 200 "taken\\n";
	}}
}}
'''


def make_content(folder):
    """The files that both servers serve, with one modification time."""
    os.makedirs(folder, exist_ok=True)
    rng = random.Random(1)
    for name, size in SIZES.items():
        path = os.path.join(folder, name)
        with open(path, 'wb') as f:
            f.write(rng.randbytes(size))
        os.utime(path, (1_700_000_000, 1_700_000_000))
    return folder


def file_hash(path):
    h = hashlib.sha256()
    with open(path, 'rb') as f:
        for block in iter(lambda: f.read(1 << 20), b''):
            h.update(block)
    return h.hexdigest()


class Nginx:
    """One server in the namespace of a role."""

    def __init__(self, net, role, addresses, content, folder, port=80, keepalive=1_000_000,
                 backlog=4096):
        self.net, self.role, self.port = net, role, port
        self.dir = folder
        self.log = os.path.join(folder, 'access.log')
        self.proc = None
        os.makedirs(os.path.join(folder, 'body'), mode=0o777, exist_ok=True)
        listen = ' '.join(f'listen {"[" + a + "]" if ":" in a else a}:{port} backlog={backlog};'
                          for a in addresses)
        for path in (folder, os.path.dirname(folder), os.path.join(folder, 'body')):
            os.chmod(path, 0o755 if not path.endswith('body') else 0o777)
        with open(os.path.join(folder, 'nginx.conf'), 'w', encoding='utf-8') as f:
            f.write(CONFIG.format(dir=folder, root=content, listen=listen, keepalive=keepalive))
        self.start()

    def start(self):
        self.proc = self.net.start(self.role, ['nginx', '-e', f'{self.dir}/error.log',
                                               '-c', f'{self.dir}/nginx.conf'])
        if not wait_until(self.is_listening, 10):
            raise Failed(f'nginx ({self.role}) does not listen: {self.errors()}')

    def is_listening(self):
        out = self.net.run(self.role, ['ss', '-Hltn', f'sport = :{self.port}'])
        return self.proc.poll() is None and bool(out.strip())

    def errors(self):
        try:
            with open(f'{self.dir}/error.log', encoding='utf-8') as f:
                return f.read()[-1000:]
        except FileNotFoundError:
            return 'no error log'

    def nb_logged(self):
        try:
            with open(self.log, 'rb') as f:
                return sum(block.count(b'\n') for block in iter(lambda: f.read(1 << 20), b''))
        except FileNotFoundError:
            return 0

    def requests(self):
        """Every request of the access log; the body is its SHA-256, or '-'."""
        rows = []
        with open(self.log, encoding='utf-8') as log:
            for line in log:
                f = line.rstrip('\n').split('\t')
                if len(f) != len(Request._fields):
                    raise Failed(f'{self.log}: a line with {len(f)} fields: {line!r}')
                row = Request(*f)
                if row.body not in ('-', ''):
                    row = row._replace(body=file_hash(row.body))
                rows.append(row)
        return rows
