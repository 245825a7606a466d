# SPDX-License-Identifier: BSD-3-Clause
"""talk.py KIND ADDRESS SOURCES COUNT: that many client sessions, eight at a time."""
import os
import sys
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from kit.services import SESSIONS  # noqa: E402


def main(kind, address, sources, count):
    sources = sources.split(',')
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(SESSIONS[kind], address, sources[i % len(sources)], i)
                for i in range(int(count))]
        for job in jobs:
            job.result()


if __name__ == '__main__':
    main(*sys.argv[1:])
