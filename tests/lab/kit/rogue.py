# SPDX-License-Identifier: BSD-3-Clause
"""rogue.py ADDRESS PORT: a server that is no server: random bytes, cut answers, resets, silence."""
import random
import socket
import struct
import sys
import threading


def treat(conn, number):
    rng = random.Random(number)
    conn.settimeout(5)
    try:
        if number % 5 == 0:  # a reset at once
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        elif number % 5 == 1:  # speaks before it was asked, and too much
            conn.sendall(rng.randbytes(20_000))
            conn.recv(65536)
        elif number % 5 == 2:  # a short answer, then the end
            conn.recv(65536)
            conn.sendall(rng.randbytes(7))
        elif number % 5 == 3:  # takes everything, says nothing
            while conn.recv(65536):
                pass
        else:  # the end at once, without an answer
            conn.shutdown(socket.SHUT_WR)
            while conn.recv(65536):
                pass
    except OSError:
        pass
    finally:
        conn.close()


def main(address, port):
    listener = socket.create_server((address, int(port)), backlog=1024)
    number = 0
    while True:
        conn, _ = listener.accept()
        threading.Thread(target=treat, args=(conn, number), daemon=True).start()
        number += 1


if __name__ == '__main__':
    main(*sys.argv[1:])
