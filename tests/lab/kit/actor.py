# SPDX-License-Identifier: BSD-3-Clause
"""actor.py ADDRESS PORT RCVBUF LOG STEP...: a server that does what a case's script says.

Each connection runs the steps: sleep=S | send=TEXT | lines=N:TEXT (read N lines, answer each with
TEXT) | take=N (read N bytes) | rest (read to the end) | close. LOG gets a JSON row for each
connection: what was read, how it ended, and how much had come before each send.
"""
import array
import fcntl
import hashlib
import json
import socket
import sys
import termios
import threading
import time


class Conversation:
    def __init__(self, conn, peer):
        self.conn = conn
        self.hash = hashlib.sha256()
        self.row = {'client': peer[0], 'port': peer[1], 'nb': 0, 'waiting': [], 'end': 'open'}
        self.buffer = b''

    def read(self, most):
        block = self.conn.recv(most)
        if not block:
            raise EOFError
        self.hash.update(block)
        self.row['nb'] += len(block)
        return block

    def pending(self):
        nb = array.array('i', [0])
        fcntl.ioctl(self.conn.fileno(), termios.FIONREAD, nb)
        return nb[0]

    def sleep(self, seconds):
        time.sleep(float(seconds))

    def send(self, text):
        self.row['waiting'].append(self.pending())
        self.conn.sendall(text.encode() + b'\r\n')

    def lines(self, words):
        nb, text = words.split(':', 1)
        for _ in range(int(nb)):
            while b'\n' not in self.buffer:
                self.buffer += self.read(65536)
            self.buffer = self.buffer.split(b'\n', 1)[1]
            self.conn.sendall(text.encode() + b'\r\n')

    def take(self, nb):
        left = int(nb)
        while left:
            left -= len(self.read(min(left, 65536)))

    def rest(self, _):
        while True:
            self.read(1 << 20)

    def close(self, _):
        self.conn.shutdown(socket.SHUT_WR)

    def play(self, steps):
        try:
            for step in steps:
                verb, _, words = step.partition('=')
                getattr(self, verb)(words)
            self.row['end'] = 'script'
        except EOFError:
            self.row['end'] = 'fin'
        except ConnectionError as e:
            self.row['end'] = type(e).__name__
        self.row['sha256'] = self.hash.hexdigest()
        self.conn.close()


def serve(conn, peer, steps, log, lock):
    talk = Conversation(conn, peer)
    talk.play(steps)
    with lock, open(log, 'a', encoding='utf-8') as f:
        f.write(json.dumps(talk.row) + '\n')


def main(address, port, rcvbuf, log, *steps):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if int(rcvbuf):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, int(rcvbuf))
    listener.bind((address, int(port)))
    listener.listen(4096)
    lock = threading.Lock()
    while True:
        conn, peer = listener.accept()
        threading.Thread(target=serve, args=(conn, peer, steps, log, lock), daemon=True).start()


if __name__ == '__main__':
    main(*sys.argv[1:])
