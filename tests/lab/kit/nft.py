# SPDX-License-Identifier: BSD-3-Clause
"""What nftables loses and counts at the target's device: the lab's unreliable wire."""
import json

from .result import Failed, check_equal

DATA = 'ip length > 60 tcp dport {port} @th,100,4 != 0'


class Wire:
    """
    Rules at the target's device t1. `to` rules see what comes to the target, `back` rules what
    leaves it, as a wire would: neither host's TCP is told. Each rule has a name, to be counted by.
    """

    def __init__(self, net, dev='t1'):
        self.net, self.dev = net, dev
        self.rules = {'to': [], 'back': []}
        self.count('to', 'rst', 'tcp flags & rst == rst')
        self.count('to', 'fin', 'tcp flags & (fin | rst) == fin')
        self.count('to', 'syn', 'tcp flags & (syn | ack) == syn')

    def count(self, way, name, match):
        self.rules[way].append(f'{match} counter comment "{name}"')

    def lose(self, way, name, match):
        """Lose what matches: `tcp dport 80 numgen random mod 100 < 5` is one of twenty."""
        self.rules[way].append(f'{match} counter drop comment "{name}"')

    def lose_numbers(self, way, name, match, numbers):
        """Of what matches, lose the packets with these numbers; the first has number 0."""
        which = ', '.join(str(n) for n in numbers)
        self.lose(way, name, f'{match} numgen inc mod 1000000000 {{ {which} }}')

    def up(self):
        hooks = {'to': 'ingress', 'back': 'egress'}
        text = 'table netdev lab {\n'
        for way, rules in self.rules.items():
            text += f'chain {way} {{ type filter hook {hooks[way]} device {self.dev} priority 0;\n'
            text += ''.join(f'{r}\n' for r in sorted(rules, key=lambda r: ' drop ' in r)) + '}\n'
        self.net.run('target', ['sh', '-c', 'nft -f - <<"EOF"\n' + text + '}\nEOF'])
        return self

    def counts(self):
        """Packets by rule."""
        out = {}
        for item in json.loads(self.net.run('target', ['nft', '-j', 'list', 'ruleset']))['nftables']:
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
