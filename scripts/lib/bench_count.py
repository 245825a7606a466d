# SPDX-License-Identifier: BSD-3-Clause
"""Instructions a packet, counted by callgrind: the same in every run, however busy the machine is.

Another compiler, libc or DPDK makes other code, so the baseline names those it was counted with, and
is not compared with others.
"""
import json
import os
import re
import shutil
import subprocess
import tempfile

SESSIONS = 4000
TURNS = 4000

# figure -> (workload, function, per what)
FIGURES = {
    'request_path': ('keepalive', 'sc_worker_poll', 'turns'),
    'response': ('keepalive', 'sc_ilcore_poll', 'responses'),
    'mirror_packet': ('acks', 'sc_worker_poll', 'mirror'),
    'flow': ('short', 'sc_worker_poll', 'flows'),
}


class CannotCount(Exception):
    """valgrind is missing, or cannot run the bench."""


def inclusive(path):
    """function -> (calls, instructions in it and below it)"""
    names, out, callee = {}, {}, None
    name = re.compile(r'c?fn=\((\d+)\)(?: (.*))?')
    with open(path, encoding='utf-8') as lines:
        for line in lines:
            if line.startswith(('cfn=', 'fn=')):
                m = name.match(line.rstrip('\n'))
                if m.group(2):
                    names[m.group(1)] = m.group(2)
                if line.startswith('cfn='):
                    callee = names[m.group(1)]
            elif line.startswith('calls='):
                calls, cost = int(line[6:].split()[0]), next(lines).split()
                nb, sum_ = out.get(callee, (0, 0))
                out[callee] = (nb + calls, sum_ + (int(cost[1]) if len(cost) > 1 else 0))
    return out


def count(build, workload):
    """One workload under callgrind: what bench printed, and the functions."""
    if shutil.which('valgrind') is None:
        raise CannotCount('valgrind is not installed')
    program = os.path.join(build, 'tests', 'bench', 'bench')
    with tempfile.TemporaryDirectory() as tmp:
        out = os.path.join(tmp, 'out')
        argv = ['valgrind', '--tool=callgrind', '--zero-before=loop_measured',
                '--dump-after=loop_measured', f'--callgrind-out-file={out}', program,
                '--small-pages', '--workload', workload, '--sessions', str(SESSIONS),
                '--runs', '1', '--turns', str(TURNS)]
        try:
            run = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                 timeout=600, check=False)
            raw = json.loads(run.stdout)
            functions = inclusive(out + '.1')
        except (OSError, ValueError, subprocess.TimeoutExpired) as e:
            raise CannotCount(f'{" ".join(argv)}: {e}') from e
    if not raw['balanced']:
        raise CannotCount(f'{workload}: not balanced under valgrind: {run.stderr[-500:]}')
    return raw, functions


def conditions(raw, functions):
    """What a comparison needs to be the same."""
    copies = sorted(f for f in functions if re.fullmatch(r'__mem(cpy|move)_\w+', f))
    return {'compiler': raw['compiler'], 'dpdk': raw['dpdk'], 'libc': raw['libc'],
            'build': raw['build'], 'memcpy': copies[0] if copies else ''}


def measure(build):
    """conditions, figure -> instructions, workload -> functions"""
    runs = {w: count(build, w) for w in sorted({f[0] for f in FIGURES.values()})}
    figures = {}
    for name, (workload, function, what) in FIGURES.items():
        raw, functions = runs[workload]
        figures[name] = round(functions[function][1] / raw['runs'][0][what], 1)
    return conditions(*runs['keepalive']), figures, runs


def show_functions(runs, nb):
    for workload, (raw, functions) in runs.items():
        print(f'{workload}: instructions a turn, in a function and below it; calls a turn')
        turns = max(raw['runs'][0]['turns'], raw['runs'][0]['mirror'] if workload == 'acks' else 0)
        rows = [(c[1] / turns, c[0] / turns, f) for f, c in functions.items() if c[0]]
        for cost, calls, f in sorted(rows, reverse=True)[:nb]:
            print(f'    {cost:10.1f} {calls:8.2f}  {f}')


def compare(here, figures, before, limit):
    """Sentences on what is not within limit percent; None if the two cannot be compared."""
    if here != before['conditions']:
        return None
    out = []
    for name, value in figures.items():
        ref = before['instructions'].get(name)
        if ref is None or abs(value - ref) * 100 > limit * ref:
            out.append(f'{name}: {value:.1f} instructions, and {ref} in the baseline')
    return out
