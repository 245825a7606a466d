# SPDX-License-Identifier: BSD-3-Clause
"""What scripts/bench shows besides the table: the soak, and what pages of other sizes cost."""
import statistics

GAUGES = ('feed_free', 'tx_free', 'target_free', 'held_bytes', 'flows_live', 'flows_embryonic',
          'sessions_live')
RSS_SLACK_KIB = 1024
CYCLES_LIMIT = 10  # percent that the best part of the last tenth may cost more than that of the first
CYCLES_FROM = 1 << 28  # frames: shorter soaks say nothing of cycles on a shared machine
SOAK_SESSIONS = 10000
PAGES_ROUNDS = 3
PAGES_TURNS = 500000
PAGES_FIGURES = (('request_path', 'worker', 'turns'), ('response', 'intercept', 'responses'))
PAGES = (('mbufs in hugepages, tables in transparent ones', []),
         ('mbufs in 4 KiB pages, tables in transparent hugepages', ['--small-pages']),
         ('all in 4 KiB pages', ['--small-pages', '--no-thp']),
         ('as the first, frames out of the L2 cache when they are polled', ['--far-frames']))


def cost(slices, of):
    """Cycles a frame: median and spread."""
    values = [s[of] / s['frames'] for s in slices if s['frames']]
    mid = statistics.median(values)
    return mid, 100 * (max(values) - min(values)) / mid if mid else 0


def not_flat(slices):
    """Sentences about what grew, leaked or became slower; the first tenth is what it is held against."""
    tenth = max(len(slices) // 10, 1)
    first, last = slices[:tenth], slices[-tenth:]
    out = []
    for name in GAUGES:
        values = {s[name] for s in slices}
        if len(values) > 1:
            out.append(f'{name} is between {min(values)} and {max(values)}')
    grown = last[-1]['rss_kib'] - first[-1]['rss_kib']
    if grown > RSS_SLACK_KIB:
        out.append(f'the process grew by {grown} KiB after its first tenth')
    for name in ('worker', 'intercept'):
        before, after = (min(s[name] / s['frames'] for s in part) for part in (first, last))
        is_long = sum(s['frames'] for s in slices) >= CYCLES_FROM
        if is_long and after > before * (1 + CYCLES_LIMIT / 100):
            out.append(f'{name}: {before:.1f} cycles a frame at best in the first tenth, {after:.1f} in the last')
    return out


def soak(run, frames):
    """run(argv) -> what the program printed. Returns (document, exit status)."""
    raw = run(['bench', '--workload', 'keepalive-both', '--sessions', str(SOAK_SESSIONS),
               '--soak', str(frames)])
    slices = raw['soak']
    faults = not_flat(slices)
    tenth = max(len(slices) // 10, 1)
    print(f'soak: {raw["mirror_polled"]:,} frames, '
          f'{raw["mirror_bytes"]:,} bytes, {raw["turns"]:,} turns, {raw["flows"]:,} short flows, '
          f'{SOAK_SESSIONS:,} sessions')
    for name in ('worker', 'intercept'):
        print(f'    {name:10} cycles a frame, first and last tenth, medians: '
              + ' '.join('%.1f +-%.0f %%' % (v, p / 2) for v, p in
                         (cost(slices[:tenth], name), cost(slices[-tenth:], name))))
    print(f'    process: {slices[0]["rss_kib"]:,} KiB after the first part, '
          f'{slices[-1]["rss_kib"]:,} KiB after the last; free mbufs at each end: '
          + ', '.join(f'{slices[-1][g]:,}' for g in GAUGES[:3]))
    rounds = sum(s['rounds'] for s in slices)
    print(f'    rounds left out because they were interrupted: '
          f'{100 * sum(s["disturbed"] for s in slices) / max(rounds, 1):.2f} %')
    for line in faults:
        print(f'    NOT FLAT: {line}')
    if not raw['balanced']:
        print('    NOT BALANCED: traffic was lost or the ledger does not hold')
    return raw, 0 if raw['balanced'] and not faults else 1


def pages(run, runs, sessions):
    """keepalive with each of PAGES, one after the other, three times over. (document, exit status)"""
    values, bad = [{} for _ in PAGES], 0
    for _ in range(PAGES_ROUNDS):
        for (text, args), seen in zip(PAGES, values):
            raw = run(['bench', '--workload', 'keepalive', '--sessions', str(sessions), '--turns',
                       str(PAGES_TURNS), '--runs', str(runs), *args])
            bad += not raw['balanced']
            seen['pages'], seen['hugepages'], seen['thp'] = text, raw['hugepages'], raw['thp']
            for name, of, what in PAGES_FIGURES:
                seen.setdefault(name, []).extend(r[of] / r[what] for r in raw['runs'])
    for (text, args), seen in zip(PAGES, values):
        for name, _, _ in PAGES_FIGURES:
            seen[name] = round(statistics.median(seen[name]), 1)
        print(f'{text}: request_path {seen["request_path"]}, response {seen["response"]} cycles at '
              f'{sessions:,} sessions, {seen["request_path"] / values[0]["request_path"]:.2f} times '
              'the first')
        if seen['hugepages'] != ('--small-pages' not in args):
            print('    (hugepages were asked for, and too few are free)')
        if seen['thp'] != ('--no-thp' not in args):
            print('    (the kernel gives no transparent hugepages: transparent_hugepage/enabled)')
    if bad:
        print('    NOT BALANCED: traffic was lost or the ledger does not hold')
    return values, 1 if bad else 0
