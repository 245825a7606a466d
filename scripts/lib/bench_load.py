# SPDX-License-Identifier: BSD-3-Clause
"""What scripts/bench shows of a worker that gets more than it can do, and of one flow that takes all."""

OVERLOAD = 'overload'
ELEPHANT = 'elephant'
TEXTS = {
    OVERLOAD: 'short flows at 1, 2 and 5 times the most that a worker completes, at a port that does '
              'not wait; half of it before; frames bring their RSS hash, the last row without',
    ELEPHANT: 'one upload as fast as the worker takes it, beside 2,000 sessions with 100,000 '
              'requests/s',
}
FLOWS = 262144  # room in the flow table
FACTORS = ((1, True), (2, True), (5, True), (5, False)) # of the peak; RSS hashes?
GOAL = 90       # percent of the peak, at five times the load
SESSIONS = 2000
RATE = 100000


def reasons(found):
    return ', '.join(f'{k} {v:,}' for k, v in sorted(found.items(), key=lambda i: -i[1])) or 'none'


def overload(run):
    """run(argv) -> what the program printed. Returns (document, balanced)."""
    rows, peaks, balanced = [], [], True
    print(f'{OVERLOAD}: {TEXTS[OVERLOAD]}')
    for factor, is_hashed in FACTORS:
        raw = run(['bench', '--workload', 'short', '--sessions', str(FLOWS), '--overload',
                   str(100 * factor)] + (['--rss'] if is_hashed else []))
        row = raw['overload'][0]
        row['is_hashed'] = is_hashed
        row['peak_per_s'] = raw['peak_per_s']
        row['delivered_pct'] = round(100 * row['delivered_per_s'] / raw['peak_per_s'], 1)
        rows.append(row)
        peaks.append(raw['peak_per_s'])
        balanced &= raw['balanced']
        goal = ''
        if factor == 5:
            is_met = row['delivered_pct'] >= GOAL
            goal = f', goal {GOAL} %' + ('  ok' if is_met else '  not met')
        name = f'{factor} x' + ('' if is_hashed else ', unhashed')
        print(f'    {name}: {row["offered_per_s"]:,.0f} flows/s offered, '
              f'{row["delivered_per_s"]:,.0f} complete: {row["delivered_pct"]} % of the peak of '
              f'{raw["peak_per_s"]:,.0f}{goal}')
        print(f'        of {row["flows_seen"]:,} seen {row["flows_admitted"]:,} admitted; ended: '
              f'{reasons(row["flows_ended"])}; refused: {reasons(row["flows_refused"])}')
        print(f'        port: {row["frames"]:,} frames taken, {row["missed"]:,} lost, of them '
              f'{row["missed_late"]:,} in the second that was measured')
    return {'peak_per_s': round(sum(peaks) / len(peaks)), 'goal_pct': GOAL, 'factors': rows}, balanced


def elephant(run):
    """As overload()."""
    raw = run(['bench', '--workload', 'keepalive', '--sessions', str(SESSIONS), '--elephant',
               str(RATE)])
    _, without, beside = raw['elephant']
    print(f'{ELEPHANT}: {TEXTS[ELEPHANT]}')
    for name, row in (('without', without), ('beside it', beside)):
        print(f'    {name:10} {row["requests"]:,} requests, all delivered; mirror to target port p50 '
              f'{row["p50"]} us, p99 {row["p99"]} us, max {row["max"]} us; at most '
              f'{row["most_sent"]} frames sent in a round')
    print(f'    the elephant: {beside["gbit_per_s"]} Gbit/s')
    return {'sessions': SESSIONS, 'rate': RATE, 'without': without, 'beside': beside,
            'bytes_again': raw['bytes_again']}, raw['balanced']


def measure(run, wanted):
    """All of `wanted`: the documents by name, and how many were not balanced."""
    doc, bad = {}, 0
    for name, function in ((OVERLOAD, overload), (ELEPHANT, elephant)):
        if name in wanted:
            doc[name], balanced = function(run)
            if not balanced:
                print('    NOT BALANCED: traffic was lost or the ledger does not hold')
                bad += 1
    return doc, bad
