# SPDX-License-Identifier: BSD-3-Clause
"""How a case ends other than well."""


class Failed(Exception):
    """The case failed; the text says what was found and what was expected."""


class Skipped(Exception):
    """The case cannot run here; the text says why."""


def check(condition, text):
    if not condition:
        raise Failed(text)


def check_equal(found, expected, what):
    if found != expected:
        raise Failed(f'{what}: found {found!r}, expected {expected!r}')
