# SPDX-License-Identifier: BSD-3-Clause
"""The measuring of costs works: scripts/bench --live and --live-soak have something to stand on."""
from kit import load
from kit.plan import Plan
from kit.result import check, check_equal
from live_cost import evaluate, number
from live_soak import judge


def live(folder, shared):
    """A second of short connections: all of them arrive, and their price is plausible."""
    with load.LoadLab(folder, Plan()) as lab:
        row = evaluate(load.run(lab, 'af_packet-inline', 'short', 1000, 1))
    check_equal(row['faults'], [], 'faults')
    check(row['balanced'], 'the ledger does not balance')
    check(number(row) >= row['requests'] >= 100, f'{row["requests"]} requests in a second')
    check(row['client_packets'] >= 4 * row['requests'], f'{row["client_packets"]} client packets')
    check(row['user_client_packet'] * row['client_packets'] < row['cycles']['all']['all'],
          f'user space has more than all: {row}')
    check(1_000 < row['each'] < 10_000_000, f'{row["each"]} cycles a connection')
    return f'{row["requests"]} connections, {row["each"]:,} cycles each'


def samples(cycles, rss):
    return [{'s': 10 * i, 'cycles': c, 'rss': m} for i, (c, m) in enumerate(zip(cycles, rss))]


def judged(folder, shared):
    """A soak is refused for memory or cycles that grow behind the warm-up, and not for noise."""
    flat = [1000] * 30
    noise = [1000 + 300 * (i % 3) for i in range(30)]
    check_equal(judge(samples(noise, flat), 60, 290)[0], [], 'flat')
    check_equal(judge(samples([5000] * 6 + [1000] * 24, [500] * 6 + [1000] * 24), 60, 290)[0], [], 'warm-up')
    check_equal(len(judge(samples(flat, [1000 + i for i in range(30)]), 60, 290)[0]), 1, 'memory that grows')
    check_equal(len(judge(samples([1000 + 10 * i for i in range(30)], flat), 60, 290)[0]), 1, 'cycles that grow')
    check_equal(judge(samples(flat + [10 ** 6], flat + [1]), 60, 290)[0], [], 'behind the end')
    check_equal(len(judge(samples(flat[:3], flat), 60, 290)[0]), 1, 'too short')


judged.needs_network = False

CASES = [
    ('cost/live', live, 60),
    ('cost/judged', judged, 10),
]
