#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What a replayed connection costs in the live lab: scripts/bench --live [--seconds N] [--json FILE]

nginx as production and as target in namespaces, wrk as client, a tc mirror, veth. All CPU time of all
threads of spancopy counts, in TSC cycles; on veth that is the sender's half and the receiver's: the
target's TCP runs inside our system calls. Each set-up is run at a moderate rate and at the highest at
which every request still arrives, found by steps. With perf installed the time is split by place.
Exit status: 0; 1 when a request or frame was lost, or the ledger does not balance; 3 no lab here.
"""
import argparse
import json
import os
import resource
import shutil
import signal
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

from kit import cpu, load  # noqa: E402
from kit.plan import Plan  # noqa: E402
from kit.result import Failed, Skipped  # noqa: E402

# What a kernel-based tool took on the same machine in the same lab, and the part of it to stay below.
OTHERS = {'short': (193_000, 4), 'keepalive': (43_000, 4), 'client packet': (14_000, 20)}
UNITS = {'short': 'connection', 'keepalive': 'request'}
MODERATE = {'short': 2000, 'keepalive': 6000}  # a second
STEP = 1.5
STEP_SECONDS = 2
STEPS_MAX = 8
PERF_SECONDS = 3


def number(row):
    """How many of what is counted."""
    return max(row['connections'] if row['workload'] == 'short' else row['requests'], 1)


def rate(row):
    return number(row) / row['seconds']


def find_peak(lab, setup, workload):
    """The step with the highest rate and no fault, or None. A machine in use may spoil one step."""
    best, offered, failed, steps = None, MODERATE[workload] * STEP, 0, []
    while failed < 2 and len(steps) < STEPS_MAX:
        row = load.run(lab, setup, workload, offered, STEP_SECONDS)
        steps.append(f'{rate(row):,.0f}' + (' (not all)' if row['faults'] else ''))
        if row['faults'] or (best and rate(row) < rate(best)):
            failed += 1
        else:
            best, failed = row, 0
        offered *= STEP
    print(f'{setup}, {workload}, steps to the peak: ' + ', '.join(steps))
    return best


def own_share(row):
    """The share of user space: sampled by perf, or by the kernel's ticks."""
    if row['places']:
        return row['places'].get('user space', 0)
    return row['cycles']['all']['user'] / max(row['cycles']['all']['all'], 1)


def evaluate(row):
    """Add the figures that the goals are about."""
    whole = row['cycles']['all']['all']
    row['each'] = round(whole / number(row))
    row['user_client_packet'] = round(whole * own_share(row) / max(row['client_packets'], 1))
    row['rate'] = round(rate(row))
    if row['places']:
        row['each_by_place'] = {k: round(v * row['each']) for k, v in row['places'].items()}
        target = row['each_by_place'].get("the target's TCP/IP", 0)
        row['without_target'] = row['each'] - target
    return row


def against(value, what):
    """A figure beside its goal."""
    other, part = OTHERS[what]
    goal = other / part
    verdict = 'ok' if value <= goal else f'over by {100 * (value / goal - 1):.0f} %'
    return f'{value:9,} cycles   goal {goal:7,.0f} (1/{part} of {other:,})  {verdict}; ' \
           f'{other / max(value, 1):.1f} times less than that'


def show(row, text):
    unit = UNITS[row['workload']]
    print(f'{row["setup"]}, {row["workload"]}, {text}: {row["rate"]:,} {unit}s/s, '
          f'{100 * row["cpu_share"]:.0f} % of a CPU; processes outside the lab had '
          f'{100 * row["others_share"]:.0f} % of the machine, and spancopy waited for a CPU for '
          f'{100 * row["waited_share"]:.0f} % of the time')
    print(f'    {"a " + unit + ", all threads":30}{against(row["each"], row["workload"])}')
    print(f'    {"user space, a client packet":30}{against(row["user_client_packet"], "client packet")}')
    n = number(row)
    if 'all_runs' in row:
        print(f'    runs: {", ".join(f"{v:,}" for v in row["all_runs"])}')
    print(f'    a {unit}: {row["mirror_packets"] / n:.1f} mirror packets, {row["client_packets"] / n:.1f} '
          f'of the client, {row["frames_sent"] / n:.1f} frames sent, {row["responses"] / n:.1f} responses, '
          f'{row["rounds"][0] / n:.1f} rounds ({row["rounds"][1] / n:.1f} with work)')
    print('    by thread, all and user space: ' + ', '.join(
        f'{name} {c["all"] / n:,.0f} {c["user"] / n:,.0f}' for name, c in row['cycles'].items()
        if name != 'all'))
    if row['places']:
        print('    by place: ' + ', '.join(f'{k} {v:,}' for k, v in row['each_by_place'].items()))
        print(f'    without the target\'s TCP/IP: {row["without_target"]:,}')
    for fault in row['faults'][:6]:
        print(f'    LOST OR WRONG: {fault}')
    sys.stdout.flush()


def median_run(lab, args, setup, workload, offered):
    """The median of some runs, with the faults of all."""
    runs = [load.run(lab, setup, workload, offered, args.seconds) for _ in range(args.runs)]
    runs.sort(key=lambda r: r['cycles']['all']['all'] / number(r))
    row = runs[len(runs) // 2]
    row['faults'] = [f for r in runs for f in r['faults']]
    row['all_runs'] = [round(r['cycles']['all']['all'] / number(r)) for r in runs]
    return row


def measure(lab, args, setup, workload):
    """Both rates of a set-up; the rows."""
    rows = []
    for text in ('moderate', 'peak'):
        offered = MODERATE[workload]
        if text == 'peak':
            best = find_peak(lab, setup, workload)
            offered = best['offered'] if best else offered
        row = median_run(lab, args, setup, workload, offered)
        if row['faults'] and text == 'peak':  # the step to it was luck
            offered /= STEP
            row = median_run(lab, args, setup, workload, offered)
        if shutil.which('perf'):
            sampled = load.run(lab, setup, workload, offered, PERF_SECONDS,
                               os.path.join(lab.folder, 'perf.data'))
            row['places'], row['functions'] = sampled['places'], sampled['functions']
        row['which'] = text
        show(evaluate(row), text)
        rows.append(row)
    return rows


def parse(argv):
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--seconds', type=int, default=5, help='of each measured run (default 5)')
    p.add_argument('--runs', type=int, default=3, help='of each, the median counts (default 3)')
    p.add_argument('--json', metavar='FILE', help='write the figures there, too')
    p.add_argument('--setup', action='append', choices=sorted(load.SETUPS),
                   help='default af_packet, af_packet-inline, af_xdp-inline')
    p.add_argument('--workload', action='append', choices=sorted(UNITS))
    return p.parse_args(argv)


def in_lab(job):
    """job(lab) in a lab of its own; its status, or 3 where there can be none."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    folder = tempfile.mkdtemp(prefix='spancopy-live.')
    os.chmod(folder, 0o755)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        if os.getuid() != 0:
            raise Skipped('needs root for network namespaces')
        with load.LoadLab(folder, Plan()) as lab:
            return job(lab)
    except (Failed, Skipped) as e:
        print(f'live: {e}', file=sys.stderr)
        return 3
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_json(path, doc):
    if path:
        with open(path, 'w', encoding='utf-8') as f:
            json.dump(doc, f, indent=1)
            f.write('\n')


def main(argv):
    args = parse(argv)

    def job(lab):
        rows = []
        for setup in args.setup or ['af_packet', 'af_packet-inline', 'af_xdp-inline']:
            for workload in args.workload or list(UNITS):
                rows += measure(lab, args, setup, workload)
        write_json(args.json, {'tsc_hz': cpu.tsc_hz(), 'cpus': os.cpu_count(), 'live': rows})
        return 1 if any(r['faults'] or not r['balanced'] for r in rows) else 0
    return in_lab(job)


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
