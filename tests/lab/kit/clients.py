# SPDX-License-Identifier: BSD-3-Clause
"""Start the clients in their namespace and judge how production treated them."""
import json
import os
import subprocess

from .result import Failed

TRAFFIC = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'traffic.py')

# The mix that every live set-up and every capture must bring over without one difference.
FULL = {'short': 2000, 'keepalive': 50, 'requests': 100, 'posts': 200, 'downloads': 20,
        'uploads': 1, 'upload_size': 50_000_000, 'pipelined': 10, 'curl': 21, 'wrk': 4}
# Enough to see whether a connection works.
SMALL = {'short': 40, 'keepalive': 4, 'requests': 25, 'posts': 5}


def traffic_argv(net, plan, mix, content, tag, server=None):
    argv = ['python3', TRAFFIC, '--server', server or plan.production,
            '--sources', ','.join(plan.clients), '--tag', tag, '--content', content]
    for word, value in mix.items():
        argv += ['--' + word.replace('_', '-'), str(value)]
    return net.argv('client', argv)


def drive(net, plan, mix, content, tag='c'):
    """Run a mix to its end; what the clients say. Failed if production failed one of them."""
    try:
        done = subprocess.run(traffic_argv(net, plan, mix, content, tag),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False, timeout=180)
    except subprocess.TimeoutExpired:
        raise Failed('the clients were not done after 180 s') from None
    try:
        said = json.loads(done.stdout)
    except ValueError:
        raise Failed(f'the clients broke: {done.stderr[-600:]}') from None
    if said['nb_failures']:
        raise Failed(f'{said["nb_failures"]} clients failed at production: {said["failures"][:3]}')
    return said
