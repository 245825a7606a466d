# SPDX-License-Identifier: BSD-3-Clause
"""Every shape of the box: workers, intercept lcores, inline intercept, kinds of kernel ports."""
from kit.bench import Bench
from kit.recorded import record
from kit.result import Skipped
from test_failures import ENVIRONMENT, last_sentence
from test_loss import MIX


def shape(folder, shared, words, test=None):
    """A recording of all sorts of requests, by a box of this shape."""
    recorded = record(shared, 'mixed', MIX)
    with Bench(folder) as bench:
        bench.nginx(recorded.content)
        bench.start(recorded.path, words, test=test)
        if bench.box.proc.wait(60) == ENVIRONMENT and test == AF_XDP:
            raise Skipped('no af_xdp port here: ' + last_sentence(bench.box.errors()))
        report = bench.end(60)
        bench.check_equal_to(report, recorded.requests)
        return f'{len(recorded.requests)} requests, all equal; {report["duration_s"]:.1f} s'


TWO_QUEUES = 'net_af_packet1,iface=t0,qpairs=2,framesz=2048,blocksz=1048576,framecnt=16384'
AF_XDP = 'net_af_xdp1,iface=t0'
SHAPES = {
    'workers-4': (['--workers', '4'], None),
    'intercepts-2': (['--workers', '2', '--intercepts', '2'], TWO_QUEUES),
    'inline': (['--intercept', 'inline'], None),
    'inline-2': (['--intercept', 'inline', '--workers', '2'], TWO_QUEUES),
    'af-xdp': ([], AF_XDP),
}

CASES = [('shapes/' + name, lambda f, s, w=words, t=test: shape(f, s, w, t), 90)
         for name, (words, test) in SHAPES.items()]
