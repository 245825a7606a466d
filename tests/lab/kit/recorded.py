# SPDX-License-Identifier: BSD-3-Clause
"""Recordings of production that several cases replay; each is made once in a run of the lab."""
import os
import pickle

from . import clients, pcap, web
from .net import Net
from .plan import Plan, wire_client_side


class Recorded:
    """The pcap file, what production logged, and the content it served."""

    def __init__(self, path, requests, content):
        self.path, self.requests, self.content = path, requests, content


def record(shared, name, mix):
    """The recording called `name`; made now if it is not there."""
    folder = os.path.join(shared, name)
    notes = os.path.join(folder, 'notes')
    if os.path.exists(notes):
        with open(notes, 'rb') as f:
            return pickle.load(f)
    os.makedirs(folder, exist_ok=True)
    plan, net = Plan(), Net()
    try:
        wire_client_side(net, plan)
        content = web.make_content(os.path.join(folder, 'content'))
        server = web.Nginx(net, 'production', [plan.production], content,
                           os.path.join(folder, 'production'))
        recording = pcap.Recording(net, 'production', 's0', os.path.join(folder, 'capture.pcap'),
                                   'tcp port 80')
        clients.drive(net, plan, mix, content)
        recording.stop()
        made = Recorded(recording.path, server.requests(), content)
    finally:
        net.close()
    with open(notes + '.new', 'wb') as f:
        pickle.dump(made, f)
    os.rename(notes + '.new', notes)
    return made
