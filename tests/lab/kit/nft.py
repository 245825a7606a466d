# SPDX-License-Identifier: BSD-3-Clause
"""The lab's unreliable wire: between box and target, nftables loses and counts packets."""
import json
import shutil

from .result import Failed, Skipped, check_equal


class Wire:
    """
    A namespace that forwards frames between its devices w0 (box) and w1 (target). `to` rules see what
    goes to the target, `back` rules what it answers. The sender learns nothing of a loss here; a packet
    that nftables drops in the sender's own namespace is an error that its TCP acts on.
    """

    ROLE = 'wire'
    HOOKS = {'to': ('w0', 'w1'), 'back': ('w1', 'w0')}

    def __init__(self, net):
        if not shutil.which('nft'):
            raise Skipped('nft is not installed (package nftables)')
        self.net = net
        self.rules = {'to': [], 'back': []}
        self.count('to', 'rst', 'tcp flags & rst == rst')
        self.count('to', 'fin', 'tcp flags & (fin | rst) == fin')
        self.count('to', 'syn', 'tcp flags & (syn | ack) == syn')
        self.up()

    def count(self, way, name, match):
        self.rules[way].append(f'{match} counter comment "{name}"')

    def lose(self, way, name, match):
        """Lose what matches: `tcp dport 80 numgen random mod 100 < 5` is one of twenty."""
        self.rules[way].append(f'{match} counter drop comment "{name}"')

    def double(self, way, match):
        """What matches arrives twice."""
        self.rules[way].append(f'{match} counter dup to "{self.HOOKS[way][1]}" comment "twice {way}"')

    def lose_numbers(self, way, name, match, numbers):
        """Of what matches, lose the packets with these numbers; the first has number 0."""
        which = ', '.join(str(n) for n in numbers)
        self.lose(way, name, f'{match} numgen inc mod 1000000000 {{ {which} }}')

    def up(self):
        """Forward by the rules that there are; the counters begin anew."""
        text = 'table netdev lab\nflush ruleset\ntable netdev lab {\n'
        for way, (dev, out) in self.HOOKS.items():
            text += f'chain {way} {{ type filter hook ingress device {dev} priority 0;\n'
            rules = sorted(self.rules[way], key=lambda r: ' drop ' in r)
            text += '\n'.join(rules) + f'\nfwd to "{out}"\n}}\n'
        self.net.run(self.ROLE, ['sh', '-c', 'nft -f - <<"EOF"\n' + text + '}\nEOF'])

    def counts(self):
        """Packets by rule."""
        out = {}
        listed = json.loads(self.net.run(self.ROLE, ['nft', '-j', 'list', 'ruleset']))
        for item in listed['nftables']:
            rule = item.get('rule', {})
            for part in rule.get('expr', []):
                if 'counter' in part:
                    out[rule['comment']] = part['counter']['packets']
        return out

    def lost(self, *names):
        counts = self.counts()
        nb = sum(counts[n] for n in names)
        if not nb:
            raise Failed(f'the wire lost nothing: {counts}')
        return nb

    def check_no_rst(self):
        check_equal(self.counts()['rst'], 0, 'RSTs that came to the target')
