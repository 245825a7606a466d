# SPDX-License-Identifier: BSD-3-Clause
"""Other protocols: what production's server counted, the target's counted too."""
import os
import time

from kit.box import Box, end_faults, mirror_words, report_faults, test_words
from kit.plan import Plan, whole_lab
from kit.result import Failed
from kit.services import Maria, Memcached, Redis

TALK = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'kit/talk.py')


def run_protocol(folder, kind, talk, words=()):
    """Start both servers and the box, let clients talk, compare what the servers saw."""
    plan = Plan()
    net = whole_lab(plan)
    try:
        net.route('target', plan.client_net, plan.box)
        production = kind(net, 'production', plan.production, os.path.join(folder, 'production'))
        target = kind(net, 'target', plan.target, os.path.join(folder, 'target'))
        box = Box(net, folder, 'run', mirror_words() + test_words(plan) + [
            '--map', plan.map(kind.port), '--workers', '1', '--idle', 'sleep', *words], plan.production)
        box.wait_ready()
        talk(net, plan)
        time.sleep(1)
        status = box.stop()
        faults = end_faults(status, box.text()) + report_faults(box.report())
        seen_p, seen_t = production.seen(), target.seen()
        for what in sorted(set(seen_p) | set(seen_t)):
            if seen_p.get(what) != seen_t.get(what):
                faults.append(f'{what}: production {seen_p.get(what)}, target {seen_t.get(what)}')
        if faults:
            raise Failed('\n'.join(faults))
        return ', '.join(f'{k} {v}' for k, v in list(seen_p.items())[:6] if isinstance(v, str))
    finally:
        net.close()


def benchmark(pipeline):
    def talk(net, plan):
        net.line_rate('client', 'c0', '20mbit')  # the benchmark knows no rate of its own
        net.run('client', ['redis-benchmark', '-h', plan.production, '-p', '6379', '-q',
                           '-c', '20', '-n', '4000', '-P', str(pipeline), '-r', '500',
                           '-t', 'ping_mbulk,set,get,incr,lpush,rpush,lpop,sadd,hset,mset'],
                timeout=90)
    return talk


def sessions(kind, count):
    def talk(net, plan):
        net.run('client', ['python3', TALK, kind, plan.production, ','.join(plan.clients),
                           str(count)], timeout=90)
    return talk


# What incr, lpush and rpush answer depends on the order among connections: a digit more or less, as
# soon as one connection runs a little later than it did. The gate then waits for quiet, turn by
# turn; in a lab without a protocol module 10 ms of it are enough.
COUNTING = ('--gate-quiet-min', '10ms', '--drain', '30s')


def redis(folder, shared):
    return run_protocol(folder, Redis, benchmark(1), COUNTING)


def redis_pipelined(folder, shared):
    return run_protocol(folder, Redis, benchmark(16), COUNTING)


def memcached(folder, shared):
    return run_protocol(folder, Memcached, sessions('memcached', 40))


def mariadb(folder, shared):
    return run_protocol(folder, Maria, sessions('maria', 60))


CASES = [
    ('protocols/redis', redis, 150),
    ('protocols/redis-pipelined', redis_pipelined, 150),
    ('protocols/memcached', memcached, 150),
    ('protocols/mariadb', mariadb, 240),
]
