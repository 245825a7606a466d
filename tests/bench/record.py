#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Record the captures of the bench in the lab's namespaces: tests/bench/record.py (as root).

They are in the repository, so that figures can be compared; record them anew only for another mix.
"""
import os
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'lab'))
sys.dont_write_bytecode = True

from kit import clients, pcap, services, web  # noqa: E402
from kit.net import Net  # noqa: E402
from kit.plan import Plan, wire_client_side  # noqa: E402


def curl(net, plan, words):
    for source in plan.clients[:4]:
        net.run('client', ['curl', '-sS', '--fail', '--max-time', '30', '-o', '/dev/null',
                           '--interface', source] + words)


def redis(net, plan, _content):
    net.run('client', ['redis-benchmark', '-h', plan.production, '-c', '20', '-n', '500',
                       '-d', '64', '-t', 'set,get', '-q'])


MIXES = {
    'http-short': lambda net, plan, content: clients.drive(net, plan, {'short': 80}, content),
    'http-keepalive': lambda net, plan, content: clients.drive(
        net, plan, {'keepalive': 10, 'requests': 10}, content),
    'upload': lambda net, plan, content: curl(
        net, plan, ['--data-binary', '@' + os.path.join(content, '100k'), '-H', 'Expect:',
                    f'http://{plan.production}/up']),
    'download': lambda net, plan, content: curl(net, plan, [f'http://{plan.production}/100k']),
    'redis': redis,
}


def record(name, drive, folder):
    plan, net = Plan(), Net()
    try:
        wire_client_side(net, plan)
        content = web.make_content(os.path.join(folder, 'content'))
        where = os.path.join(folder, name)
        if name == 'redis':
            services.Redis(net, 'production', plan.production, where)
        else:
            web.Nginx(net, 'production', [plan.production], content, where)
        recording = pcap.Recording(net, 'production', 's0', os.path.join(folder, name + '.pcap'),
                                   'tcp')
        drive(net, plan, content)
        recording.stop()
    finally:
        net.close()
    shutil.copy(recording.path, os.path.join(HERE, 'captures', name + '.pcap'))


def main():
    with tempfile.TemporaryDirectory() as folder:
        for name, drive in MIXES.items():
            if not sys.argv[1:] or name in sys.argv[1:]:
                record(name, drive, folder)
                print(name)


if __name__ == '__main__':
    main()
