#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Names each drop reason and counter that no test of a build folder has reached.

reached.py BUILD [-v]    after `meson test -C BUILD`; -v: who reached what. Exit status 1 if one is missing.

Test programs leave in BUILD/reached what their engines and workers counted (tests/support/reached.c);
tests of the command line leave what spancopy's own report says.
"""
import os
import re
import sys

# Nobody can reach these; why they are in a list all the same. One that is reached is an error.
NOT_YET = {
    ('counter', 'gate_module'): 'there are no protocol modules yet; the report promises the key',
}

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def read(path):
    with open(os.path.join(ROOT, path), encoding='utf-8') as file:
        return file.read()


def names(path, macro):
    """SYMBOL -> name, in the order of the list."""
    return dict(re.findall(r'^' + macro + r'\((\w+),\s*"(\w+)"', read(path), re.M))


def report_rows(counters):
    """Where a figure stands in the report -> 'counter NAME' or 'reason MAP'."""
    maps = dict(re.findall(r'\[SC_M_(\w+)\] = "(\w+)"', read('lib/stats/names.c')))
    rows = {}
    for kind, group, key, symbol in re.findall(r'^\t([CM])\("([\w.]+)", "(\w+)", (\w+)\),$',
                                               read('lib/report/json.c'), re.M):
        rows[f'{group}.{key}'] = ('counter ' + counters[symbol] if kind == 'C'
                                  else 'reason ' + maps[symbol])
    return rows


def lines_of(build):
    """(program, words) of all that was left behind."""
    folder = os.path.join(build, 'reached')
    for program in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        with open(os.path.join(folder, program), encoding='utf-8') as file:
            for line in file:
                yield program, line.split()


def collect(build, counters):
    """('counter', name) or ('reason', name) -> the programs that reached it"""
    rows, seen = report_rows(counters), {}
    for program, words in lines_of(build):
        if words[0] == 'report':
            group, _, key = words[1].rpartition('.')
            words = rows.get(words[1], '').split() or rows.get(group, '').split() + [key]
        if program == 'sim' and words[1] == 'responses_refused':
            continue  # the simulator's own doing
        seen.setdefault((words[0], words[-1]), set()).add(program)
    return seen


def main(build, is_verbose):
    counters = names('lib/stats/counters.def', 'SC_COUNTER')
    reasons = names('lib/stats/drop_reasons.def', 'SC_REASON')
    seen = collect(build, counters)
    wanted = ([('reason', n) for n in reasons.values()]
              + [('counter', n) for n in counters.values()])
    missing = [w for w in wanted if w not in seen and w not in NOT_YET]
    stale = [w for w in NOT_YET if w in seen or w not in wanted]
    if is_verbose:
        for what in wanted:
            print(*what, ':', ' '.join(sorted(seen.get(what, ['nobody']))))
    for kind, name in missing:
        print(f'{kind} {name}: reached by no test')
    for kind, name in stale:
        print(f'{kind} {name}: no exception any more, take it out of NOT_YET')
    print(f'{len(wanted) - len(missing) - len(NOT_YET)} of {len(wanted)} reached, '
          f'{len(NOT_YET)} cannot be')
    return 1 if missing or stale else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1], '-v' in sys.argv[2:]))
