# SPDX-License-Identifier: BSD-3-Clause
"""More than the box has room for, and one of two targets that stands still."""
import json
import os
import signal
import time

from kit.bench import ACTOR, Bench, finish, outcomes
from kit.craft import Capture, Connection, http_connection
from kit.net import wait_until
from kit.plan import Plan
from kit.result import check, check_equal
from test_live import Live
from test_scale import connections

SHED = {'shed_admission', 'flow_table_full', 'embryonic_full'}
ENDED = {'complete', 'complete_open', 'capture_gap', 'stopped', 'shed_lag'}
CONNECTIONS = 400


def figures(report):
    flows = report['flows']
    return (f'{flows["seen"]} connections seen, {flows["admitted"]} replayed: {outcomes(report)}; '
            'left out: ' + (', '.join(f'{k} {v}' for k, v in flows['refused'].items() if v) or 'none'))


def crowd(folder, shared, factor):
    """400 connections at once at a box with room for a part of them: the others are left out, named."""
    plan = Plan()
    live = Live(folder, plan, ['--workers', '1', '--max-flows', str(CONNECTIONS // factor)],
                route=plan.client_net)
    try:
        live.net.run('client', ['wrk', '-t2', f'-c{CONNECTIONS}', '-d1s',
                                f'http://{plan.production}/100?c=crowd'])
        wait_until(lambda: False, 1, 0.2)
        status = live.box.stop()
        report = live.box.report()
        live.rst_p.stop()
        live.rst_t.stop()
    finally:
        live.net.close()
    flows = report['flows']
    refused = {k: v for k, v in flows['refused'].items() if v}
    ended = {k: v for k, v in flows['ended'].items() if v}
    detail = figures(report)
    check_equal(report['balanced'], True, f'balanced ({detail})')
    check(status in (0, 1), f'status {status}; {detail}')
    check_equal(flows['admitted'] + sum(refused.values()), flows['seen'], 'admitted and refused')
    check_equal(sum(ended.values()), flows['admitted'], f'ended ({detail})')
    check(set(refused) <= SHED | {'never_opened', 'no_boundary'}, detail)
    check(set(ended) <= ENDED, detail)
    check(flows['admitted'] >= CONNECTIONS // factor // 2, detail)
    check(sum(v for k, v in refused.items() if k in SHED) >= CONNECTIONS // 4, detail)
    rows = live.target.requests()
    check(len({r.connection for r in rows}) <= flows['admitted'], detail)
    check(all(r.status == '200' for r in rows), 'a request that production did not get')
    return f'{len(rows)} requests at the target; {detail}'


def file_waits(folder, shared):
    """2,000 connections from a file as fast as it can be read, room for 100: it waits, all arrive."""
    with Bench(folder) as bench:
        bench.nginx()
        path, rows = connections(bench, folder, 2000, lambda i: i * 0.001,
                                 lambda i: (bench.plan.clients[i % 20], 30000 + i // 20))
        report = bench.replay(path, ['--max-flows', '100', '--held-bytes', '1M'])
        bench.check_equal_to(report, rows)
        check_equal(report['flows']['refused'].get('shed_admission', 0), 0, 'shed')
        return f'{len(rows)} of {len(rows)} requests; {figures(report)}'


# ---- one of two targets ----

STILL_S = 3
NB_GOOD, NB_STILL = 400, 40


def two_targets(bench, folder):
    """Connections to port 80 and, fewer, to port 81, over four seconds; what the first has to log."""
    capture, rows = Capture(), []
    server = bench.plan.production
    answer = bench.raw_answers([b'GET /100 HTTP/1.1\r\nHost: lab\r\n\r\n'])[0]
    for i in range(NB_GOOD):
        made = Connection(capture, (bench.plan.clients[i % 20], 30000 + i // 20), (server, 80),
                          at=i * 4.0 / NB_GOOD)
        rows += http_connection(made, [('GET', f'/100?c={i}', [])], [answer], 0.0, 'client')
    for i in range(NB_STILL):
        made = Connection(capture, (bench.plan.clients[i % 20], 40000 + i // 20), (server, 81),
                          at=i * 4.0 / NB_STILL)
        made.open()
        made.turn(b'one\n', b'ok\r\n')
        made.at += 0.2
        made.turn(b'two\n', b'ok\r\n')
        made.close(True)
    path = os.path.join(folder, 'two.pcap')
    capture.write(path)
    return path, rows


def one_stands_still(folder, shared):
    """One target stops for three seconds: the other's requests arrive meanwhile, its own afterwards."""
    with Bench(folder) as bench:
        bench.nginx()
        path, rows = two_targets(bench, folder)
        log = os.path.join(folder, 'still.log')
        still = bench.net.start('target', ['python3', ACTOR, bench.plan.target, '81', '0', log,
                                           'lines=2:ok', 'rest'])
        check(wait_until(lambda: bench.net.run('target', ['ss', '-Hltn', 'sport = :81']).strip(), 10),
              'the second target does not listen')
        bench.start(path, ['--map', bench.plan.map(81)], speed=1)
        check(wait_until(lambda: bench.server.nb_logged() > NB_GOOD // 20, 20, 0.05),
              'nothing arrives')
        still.send_signal(signal.SIGSTOP)
        begun = bench.server.nb_logged()
        time.sleep(STILL_S)
        meanwhile = bench.server.nb_logged() - begun
        still.send_signal(signal.SIGCONT)
        report = bench.end(60)
        bench.check_equal_to(report, rows)
        with open(log, encoding='utf-8') as f:
            seen = [json.loads(line) for line in f]
        check_equal(sorted((r['nb'], r['end']) for r in seen), [(8, 'fin')] * NB_STILL,
                    'what the target that stood still got')
        due = NB_GOOD * STILL_S // 4
        check(meanwhile >= due * 9 // 10, f'{meanwhile} of {due} requests at the other meanwhile')
        return f'{meanwhile} of {due} at the other in these {STILL_S} s; {figures(report)}'


CASES = [
    ('overload/crowd-2', lambda folder, shared: crowd(folder, shared, 2), 60),
    ('overload/crowd-5', lambda folder, shared: crowd(folder, shared, 5), 60),
    ('overload/file-waits', file_waits, 60),
    ('overload/one-target-still', one_stands_still, 60),
]
