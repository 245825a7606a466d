# SPDX-License-Identifier: BSD-3-Clause
"""What meson knows about the tests of a build folder, as lines for scripts/test.

meson_results.py list BUILD PREFIX [NAME...]     meson's names of the tests that are wanted
meson_results.py results BUILD PREFIX            PASS|FAIL|SKIP <tab> name <tab> detail, by meson's log

A test is called PREFIX + suite/name: unit/packet/parse, asan/golden/short.
"""
import json
import os
import subprocess
import sys

WORDS = {'OK': 'PASS', 'EXPECTEDFAIL': 'PASS', 'SKIP': 'SKIP'}


def tests_of(build):
    """meson's name of each test -> suite/name"""
    out = subprocess.run(['meson', 'introspect', '--tests', build], stdin=subprocess.DEVNULL,
                         capture_output=True, check=True)
    return {t['name']: t['suite'][0].split(':')[-1] + '/' + t['name']
            for t in json.loads(out.stdout)}


def is_wanted(name, wanted):
    return not wanted or any(w in name or name.startswith(w) for w in wanted)


def list_tests(build, prefix, *wanted):
    for name, full in sorted(tests_of(build).items()):
        if is_wanted(prefix + full, wanted):
            print(name)


def results(build, prefix):
    full = tests_of(build)
    log = f'{build}/meson-logs/testlog.json'
    if not os.path.exists(log):
        return
    with open(log, encoding='utf-8') as lines:
        rows = [json.loads(line) for line in lines if line.strip()]
    for row in sorted(rows, key=lambda r: r['name']):
        name = row['name'].split(' / ')[-1]
        word = WORDS.get(row['result'], 'FAIL')
        detail = '' if word == 'PASS' else f'{row["result"]}, {row["duration"]:.1f} s'
        if word == 'SKIP':
            detail = (row.get('stdout') or row.get('stderr') or 'skipped').strip().split('\n')[-1]
        print(f'{word}\t{prefix}{full.get(name, name)}\t{detail}')


if __name__ == '__main__':
    {'list': list_tests, 'results': results}[sys.argv[1]](*sys.argv[2:])
