# SPDX-License-Identifier: BSD-3-Clause
"""The lab's address plan and its wiring.

    client c0 ---- s0 production          t1 target
                    |  mirror              |
                    m0 ---- m1 box t0 -----+

The box's namespace has no addresses: spancopy answers ARP and ND on t0 itself.
"""
from .net import NO_OFFLOADS, Net

NB_CLIENTS = 20


class Plan:
    """Addresses of one family."""

    def __init__(self, v6=False):
        self.v6 = v6
        if v6:
            self.client_net, self.bits = 'fd10::/64', 64
            self.clients = [f'fd10::1:{i:x}' for i in range(1, NB_CLIENTS + 1)]
            self.production, self.target = 'fd10::2', 'fd30::3'
            self.box = 'fd30::2'
            self.pool = 'fd77::/112'
            self.pool_on_link = 'fd30::1:0/122'
        else:
            self.client_net, self.bits = '10.10.0.0/24', 24
            self.clients = [f'10.10.0.{100 + i}' for i in range(1, NB_CLIENTS + 1)]
            self.production, self.target = '10.10.0.2', '10.30.0.3'
            self.box = '10.30.0.2'
            self.pool = '10.77.0.0/24'
            self.pool_on_link = '10.30.0.128/26'

    def endpoint(self, address, port):
        return f'[{address}]:{port}' if self.v6 else f'{address}:{port}'

    def map(self, port):
        return f'{port}-{self.endpoint(self.target, port)}'


def wire_client_side(net, plan, offloads=tuple(NO_OFFLOADS)):
    net.add('client', 'production')
    net.wire('client', 'c0', 'production', 's0', offloads)
    net.address('client', 'c0', *[f'{a}/{plan.bits}' for a in plan.clients])
    net.address('production', 's0', f'{plan.production}/{plan.bits}')
    net.line_rate('client', 'c0')
    net.line_rate('production', 's0')


def wire_target_side(net, plan, between=None):
    """Target and box; `between` them a namespace with the devices w0 and w1, if one is named."""
    net.add('target', 'box')
    if between:
        net.add(between)
        net.wire('box', 't0', between, 'w0')
        net.wire(between, 'w1', 'target', 't1')
        net.bare(between, 'w0')
        net.bare(between, 'w1')
    else:
        net.wire('box', 't0', 'target', 't1')
    net.bare('box', 't0')
    net.address('target', 't1', f'{plan.target}/{plan.bits}')


def wire_mirror(net, directions=('ingress', 'egress')):
    net.wire('production', 'm0', 'box', 'm1')
    net.bare('production', 'm0')
    net.bare('box', 'm1')
    net.mirror('production', 's0', 'm0', directions)


def whole_lab(plan, directions=('ingress', 'egress'), offloads=tuple(NO_OFFLOADS)):
    """All four namespaces, wired. The caller closes it."""
    net = Net()
    try:
        wire_client_side(net, plan, offloads)
        wire_target_side(net, plan)
        wire_mirror(net, directions)
    except BaseException:
        net.close()
        raise
    return net
