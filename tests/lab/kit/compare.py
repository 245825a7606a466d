# SPDX-License-Identifier: BSD-3-Clause
"""Did the target see what production saw? Connection by connection, in order, byte for byte.

A replayed connection may have another client port, and with a pool another address; so a connection
is known by the list of its requests, each of which the traffic made unique. The two servers must
have the same multiset of such lists.
"""
from collections import Counter, defaultdict

FIELDS = ('method', 'uri', 'body', 'status', 'completion', 'bytes_sent', 'length')


def key_of(request):
    return tuple(getattr(request, f) for f in FIELDS)


def connections(requests, with_client):
    """A tuple for each connection: its client's address if that is kept, and its requests."""
    by_id = defaultdict(list)
    client = {}
    for r in requests:
        by_id[r.connection].append(r)
        client[r.connection] = r.client if with_client else ''
    out = []
    for ident, rows in by_id.items():
        out.append((client[ident],) + tuple(key_of(r) for r in rows))
    return out


def show(key):
    return ' '.join(f'{f}={v[:60] or "-"}' for f, v in zip(FIELDS, key))


def differences(production, target, with_client, limit=8):
    """Sentences that say how the target's requests differ from production's; empty if they do not."""
    out = []
    rows_p = Counter(map(key_of, production))
    rows_t = Counter(map(key_of, target))
    for text, rest in (('missing at the target', rows_p - rows_t),
                       ('at the target only', rows_t - rows_p)):
        if rest:
            out.append(f'{sum(rest.values())} requests {text}:')
            out += [f'  {n} x {show(k)}' for k, n in sorted(rest.items())[:limit]]
    conns_p = Counter(connections(production, with_client))
    conns_t = Counter(connections(target, with_client))
    if conns_p == conns_t:
        return out
    lost, extra = conns_p - conns_t, conns_t - conns_p
    out.append(f'{sum(lost.values())} of {sum(conns_p.values())} connections differ at the target')
    if not out[:-1]:
        for conn in sorted(lost)[:limit]:
            out.append(f'  production {conn[0]}: ' + '; '.join(show(k) for k in conn[1:4]))
        for conn in sorted(extra)[:limit]:
            out.append(f'  target     {conn[0]}: ' + '; '.join(show(k) for k in conn[1:4]))
    return out
