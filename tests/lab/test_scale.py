# SPDX-License-Identifier: BSD-3-Clause
"""Many connections at once, many on one address, many copies, and one big upload."""
import os

from kit.bench import Bench, finish, gates
from kit.craft import Capture, Connection, http_connection
from kit.plan import Plan
from kit.result import check, check_equal
from test_live import Live

ENDPOINT = ('10.10.0.2', 80)
ONE_ADDRESS = '10.77.0.1/32'


def connections(bench, folder, nb, starts, ports, nb_requests=1, think=0.0):
    """
    Captured connections: number i starts at starts(i) from the address and port of ports(i).
    (path, what production logged)
    """
    capture, rows = Capture(), []
    answer = bench.raw_answers([b'GET /100 HTTP/1.1\r\nHost: lab\r\n\r\n'])[0]
    for i in range(nb):
        made = Connection(capture, ports(i), ENDPOINT, at=starts(i))
        rows += http_connection(made, [('GET', f'/100?c={i}&n={n}', []) for n in range(nb_requests)],
                                [answer] * nb_requests, think, 'client')
    path = os.path.join(folder, 'made.pcap')
    capture.write(path)
    return path, rows


def multiplied(rows, copies):
    return [r._replace(connection=f'{r.connection}/{n}') for n in range(copies) for r in rows]


def copies_10(folder, shared):
    """500 overlapping connections of one client on consecutive ports, ten times: 5,000 of 5,000."""
    with Bench(folder, ONE_ADDRESS) as bench:
        bench.nginx()
        path, rows = connections(bench, folder, 500, lambda i: i * 0.001,
                                 lambda i: (bench.plan.clients[0], 40000 + i), think=0.2)
        report = bench.replay(path, ['--clients', ONE_ADDRESS, '--copies', '10'], speed=1)
        bench.check_equal_to(report, multiplied(rows, 10), False)
        return tell(bench, report, 5000)


def one_address(folder, shared):
    """2,000 connections of 20 clients, the same ports at each client, onto one address."""
    with Bench(folder, ONE_ADDRESS) as bench:
        bench.nginx()
        path, rows = connections(bench, folder, 2000, lambda i: i * 0.0005,
                                 lambda i: (bench.plan.clients[i % 20], 40000 + i // 20), 2, 0.3)
        report = bench.replay(path, ['--clients', ONE_ADDRESS], speed=1)
        bench.check_equal_to(report, rows, False)
        return tell(bench, report, 4000)


def at_once(folder, shared):
    """5,000 connections that start within one millisecond."""
    with Bench(folder) as bench:
        bench.nginx()
        path, rows = connections(bench, folder, 5000, lambda i: i * 0.2e-6,
                                 lambda i: (bench.plan.clients[i % 20], 30000 + i // 20), think=0.5)
        report = bench.replay(path, speed=1)
        bench.check_equal_to(report, rows)
        return tell(bench, report, 5000)


def small_backlog(folder, shared):
    """2,000 connections at once at a target that can queue 256: SYNs and ACKs are dropped there."""
    with Bench(folder) as bench:
        bench.nginx(backlog=256)
        bench.net.run('target', ['sysctl', '-qw', 'net.ipv4.tcp_syncookies=0'])
        path, rows = connections(bench, folder, 2000, lambda i: i * 0.2e-6,
                                 lambda i: (bench.plan.clients[i % 20], 30000 + i // 20))
        report = bench.replay(path, speed=1)
        bench.check_equal_to(report, rows)
        return (f'{bench.wire.counts()["syn"]} SYNs; ' + tell(bench, report, 2000))


def tell(bench, report, nb):
    check_equal(bench.server.nb_logged(), nb, 'requests at the target')
    return (f'{nb} of {nb} requests on {report["connections"]["established"]} connections, '
            f'{report["duration_s"]:.1f} s, {report["frames"]["test"]["retransmit"]} sent again; '
            f'gate {gates(report)}')


def cpu_seconds(pid):
    """Its own, and what the kernel did for it: on veth also the target's receive path."""
    with open(f'/proc/{pid}/stat', encoding='ascii') as f:
        words = f.read().rsplit(')', 1)[1].split()
    return [int(w) / os.sysconf('SC_CLK_TCK') for w in words[11:13]]


def upload(folder, shared):
    """100 MB in one request, live: the target's hash of the body is production's."""
    plan = Plan()
    live = Live(folder, plan, ['--workers', '1'], route=plan.client_net)
    try:
        live.drive({'uploads': 1, 'upload_size': 100_000_000, 'short': 20})
        used = cpu_seconds(live.box.proc.pid)
        report = live.finish()
        finish(live.faults(report, True))
        delivered = report['client_bytes']['delivered']
        check(delivered > 100_000_000, f'{delivered} client bytes delivered')
        return (f'{delivered:,} bytes, hash equal; CPU {used[0]:.1f} s user, '
                f'{used[1]:.1f} s system, '
                f'{report["frames"]["test"]["retransmit"]} segments sent again')
    finally:
        live.net.close()


CASES = [
    ('scale/copies-10', copies_10, 90),
    ('scale/one-address', one_address, 90),
    ('scale/at-once', at_once, 90),
    ('scale/small-backlog', small_backlog, 90),
    ('scale/upload', upload, 90),
]
