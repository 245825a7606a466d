# SPDX-License-Identifier: BSD-3-Clause
"""The main job on real input, shown: clients at production, the mirror, spancopy, the target.

python3 tests/lab/demo.py (scripts/demo sets everything up first). Exit status 1 if the target saw
anything else than production did.
"""
import os
import resource
import shutil
import signal
import sys
import tempfile
import time

sys.dont_write_bytecode = True

from kit import clients  # noqa: E402
from kit.net import remove_namespaces  # noqa: E402
from kit.plan import Plan  # noqa: E402
from kit.result import Failed, Skipped  # noqa: E402
from test_live import Live  # noqa: E402

PICTURE = '''
  20 clients ────► production   nginx {production}
                       │
                  kernel mirror (the switch's SPAN session)
                       ▼
                   spancopy ────► target   nginx {target}
                   {box}, client addresses kept
'''


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))] if values else 0.0


def milliseconds(seconds):
    return '< 1 ms' if seconds < 0.001 else f'{seconds * 1000:,.0f} ms'


def figures(rows):
    """What one server's log says, by name."""
    seconds = [float(r.seconds) for r in rows]
    return {
        'connections': f'{len({r.connection for r in rows}):,}',
        'requests': f'{len(rows):,}',
        'of them complete': f'{sum(r.completion == "OK" for r in rows):,}',
        'uploads (SHA-256 compared)': f'{sum(len(r.body) > 1 for r in rows):,}',
        'bytes from clients': f'{sum(int(r.length) for r in rows):,}',
        'bytes to clients': f'{sum(int(r.bytes_sent) for r in rows):,}',
        'request time, median': milliseconds(quantile(seconds, 0.5)),
        'request time, 99 %': milliseconds(quantile(seconds, 0.99)),
    }


def first_byte(report):
    """The same latency at both, as spancopy measured it on its ports, in steps of two."""
    latency = report.get('latency_us', {})
    out = {}
    for q, text in (('p50', 'median'), ('p99', '99 %')):
        pair = [latency.get(side, {}).get(q) for side in ('production', 'target')]
        if None not in pair:
            out[f'time to first byte, {text}'] = [f'<= {v:,} us' for v in pair]
    return out


def show_table(production, target, report):
    at_p, at_t = figures(production), figures(target)
    rows = [(name, at_p[name], at_t[name]) for name in at_p]
    rows += [(name, *pair) for name, pair in first_byte(report).items()]
    print(f'  {"":<28}{"production":>16}{"target":>16}')
    for name, p, t in rows:
        print(f'  {name:<28}{p:>16}{t:>16}')


def run_demo(folder):
    plan = Plan()
    start = time.monotonic()
    print(PICTURE.format(production=plan.production, target=plan.target, box=plan.box), flush=True)
    live = Live(folder, plan, ['--workers', '1'], route=plan.client_net)
    try:
        print('clients: short and keep-alive connections, pipelines, uploads, downloads, curl, wrk',
              flush=True)
        said = live.drive(clients.FULL)
        print(f'clients are done after {said["seconds"]:.1f} s; stopping spancopy\n', flush=True)
        report = live.finish()
        faults = live.faults(report, True)
        show_table(live.production.requests(), live.target.requests(), report)
        print('\nthe ledger, as spancopy printed it:\n')
        with open(live.box.out_path, encoding='utf-8', errors='replace') as f:
            print('\n'.join('  ' + row for row in f.read().rstrip().split('\n')))
    finally:
        live.net.close()
    print()
    if faults:
        print('DIFFERENT:')
        print('\n'.join('  ' + fault for fault in faults))
        return 1
    print('EQUAL: on every connection the target saw the requests that production saw, in their')
    print('order, with the same bodies, and answered with the same status and number of bytes; no')
    print(f'RST reached it that no client sent; the ledger balances. {time.monotonic() - start:.0f} s')
    return 0


def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
    folder = tempfile.mkdtemp(prefix='spancopy-demo.')
    os.chmod(folder, 0o755)
    try:
        return run_demo(folder)
    except (Failed, Skipped) as e:
        print(f'the demo could not be run to its end: {e}', file=sys.stderr)
        return 1
    finally:
        remove_namespaces(os.getpid())
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == '__main__':
    sys.exit(main())
