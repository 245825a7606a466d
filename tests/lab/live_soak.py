#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Minutes of live replay at 80 % of the peak: scripts/bench --live-soak MINUTES [--json FILE]

Short connections and keep-alive requests at once, in the lab of live_cost.py. Memory and CPU time a
mirror packet are sampled every 10 s. Exit status: 0; 1 when memory grows by more than 1 % after the
warm-up, CPU time a packet drifts by more than 10 % (lower quartiles of the first and the last third),
a request was lost, or the ledger does not balance; 3 no lab here.
"""
import argparse
import os
import statistics
import sys
import threading
import time

import live_cost
from kit import cpu, load
from kit.result import Failed

WORKLOADS = ('short', 'keepalive')
PERIOD = 10
SHARE = 0.8
MEMORY_LIMIT = 1  # percent
DRIFT_LIMIT = 10  # percent


class Watch(threading.Thread):
    """Samples of the box while it runs."""

    def __init__(self, box):
        super().__init__(daemon=True)
        self.box, self.rows, self.is_over = box, [], threading.Event()

    def run(self):
        began = time.monotonic()
        cost, polled = cpu.threads(self.box.proc.pid), self.polled()
        while not self.is_over.wait(PERIOD):
            now, frames = cpu.threads(self.box.proc.pid), self.polled()
            used = cpu.used(cost, now)['all'].seconds
            if frames > polled:
                self.rows.append({'s': round(time.monotonic() - began),
                                  'rss': cpu.rss_bytes(self.box.proc.pid), 'packets': frames - polled,
                                  'load': os.getloadavg()[0], 'cycles': round(used * cpu.tsc_hz() / (frames - polled))})
                self.show(self.rows[-1])
            cost, polled = now, frames

    def polled(self):
        return (self.box.ask('stats') or {}).get('frames', {}).get('mirror', {}).get('rx', 0)

    def show(self, row):
        print(f'{row["s"]:5} s  {row["rss"] / 1e6:9.2f} MB  {row["packets"] / PERIOD:9,.0f} packets/s  '
              f'{row["cycles"]:6,} cycles a mirror packet  '
              f'(load of the machine {row["load"]:.1f})', flush=True)

    def end(self):
        self.is_over.set()
        self.join(2 * PERIOD)
        return self.rows


def judge(rows, warm, end):
    """What was not as flat as it should be between two times, as sentences; and the figures."""
    rows = [r for r in rows if warm < r['s'] <= end]
    if len(rows) < 3:
        return ['fewer than 3 samples after the warm-up'], {}
    third = max(len(rows) // 3, 1)
    # The lower quartile: what else runs on the machine adds to some samples, and takes from none.
    ends = [statistics.quantiles([r['cycles'] for r in part] * 2)[0]
            for part in (rows[:third], rows[-third:])]
    drift = 100 * (ends[1] / ends[0] - 1)
    growth = 100 * (max(r['rss'] for r in rows) / rows[0]['rss'] - 1)
    out = []
    if growth > MEMORY_LIMIT:
        out.append(f'memory grew by {growth:.2f} %')
    if abs(drift) > DRIFT_LIMIT:
        out.append(f'cycles a packet drifted by {drift:+.1f} %')
    return out, {'growth_pct': round(growth, 3), 'drift_pct': round(drift, 1),
                 'cycles_first': ends[0], 'cycles_last': ends[1]}


def half_of_peak(lab, setup, workload):
    row = live_cost.find_peak(lab, setup, workload)
    if row is None:
        raise Failed(f'{workload}: no rate at which all arrives')
    return live_cost.rate(row) / 2


def soak(lab, args):
    rates = args.rate or [half_of_peak(lab, args.setup, w) for w in WORKLOADS]
    loads = [(w, SHARE * r) for w, r in zip(WORKLOADS, rates)]
    print('offered: ' + ', '.join(f'{r:,.0f} {live_cost.UNITS[w]}s/s' for w, r in loads), flush=True)
    seconds = round(60 * args.minutes)
    lab.start_box(args.setup)
    watch = Watch(lab.box)
    watch.start()
    lab.drive(loads, seconds)
    rows = watch.end()
    report, faults = lab.stop_box()
    more, flat = judge(rows, min(60, seconds / 3), seconds)
    doc = dict(flat, seconds=seconds, setup=args.setup, offered=dict(loads), samples=rows,
               connections=report['connections']['established'], requests=lab.production.nb_logged(),
               mirror_packets=report['frames']['mirror']['rx'], balanced=report.get('balanced'),
               refused=report['flows']['refused'],
               faults=faults + more)
    print(f'{doc["connections"]:,} connections, {doc["requests"]:,} requests, '
          f'{doc["mirror_packets"]:,} mirror packets; the target logged the same: '
          f'{"no" if faults else "yes"}; ledger balanced: {doc["balanced"]}')
    print(f'after the warm-up: memory {flat.get("growth_pct")} %, limit {MEMORY_LIMIT}; cycles a mirror '
          f'packet {flat.get("cycles_first")} to {flat.get("cycles_last")}, {flat.get("drift_pct")} %, '
          f'limit {DRIFT_LIMIT}')
    if doc['refused']:
        print(f'    flows refused: {doc["refused"]}')
    for fault in doc['faults'][:10]:
        print(f'    LOST OR WRONG: {fault}')
    live_cost.write_json(args.json, {'live_soak': doc})
    return 1 if doc['faults'] else 0


def main(argv):
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('minutes', type=float)
    p.add_argument('--setup', default='af_packet-inline', choices=sorted(load.SETUPS))
    p.add_argument('--rate', type=float, nargs=2, metavar=('SHORT', 'KEEPALIVE'),
                   help='half the peaks, in connections and requests a second, instead of looking for them')
    p.add_argument('--json', metavar='FILE', help='write the figures there, too')
    args = p.parse_args(argv)
    return live_cost.in_lab(lambda lab: soak(lab, args))


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
