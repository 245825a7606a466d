# SPDX-License-Identifier: BSD-3-Clause
"""meson_results.py BUILD_DIR PREFIX [NAME...]: one line, PASS|FAIL|SKIP <tab> name <tab> detail, for
each test in meson's log."""
import json
import sys

WORDS = {'OK': 'PASS', 'EXPECTEDFAIL': 'PASS', 'SKIP': 'SKIP'}


def main(build, prefix, *wanted):
    try:
        with open(f'{build}/meson-logs/testlog.json', encoding='utf-8') as log:
            rows = [json.loads(line) for line in log if line.strip()]
    except FileNotFoundError:
        return
    for row in sorted(rows, key=lambda r: r['name']):
        # "spancopy:unit / packet/parse" -> "unit/packet/parse"
        name = prefix + row['name'].split(':', 1)[-1].replace(' / ', '/')
        if wanted and not any(w in name or name.startswith(w) for w in wanted):
            continue
        word = WORDS.get(row['result'], 'FAIL')
        detail = '' if word == 'PASS' else f'{row["result"]}, {row["duration"]:.1f} s'
        if word == 'SKIP':
            detail = (row.get('stdout') or row.get('stderr') or 'skipped').strip().split('\n')[-1]
        print(f'{word}\t{name}\t{detail}')


if __name__ == '__main__':
    main(*sys.argv[1:])
