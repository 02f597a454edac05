#!/usr/bin/env python3
"""Python websockets' sans-I/O handshakes."""

import logging
import sys

from websockets.client import ClientProtocol
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri
from websockets.utils import accept_key

QUIET = logging.getLogger("quiet")
QUIET.disabled = True


def judged_by_server(head: bytes) -> str:
    server = ServerProtocol(subprotocols=["chat", "superchat"], select_subprotocol=lambda _, offered: offered[0] if offered else None, logger=QUIET)
    server.receive_data(head)
    for request in server.events_received():
        status = server.accept(request).status_code
        return "open" if status == 101 else f"refused:{status}"
    return "refused:" + type(server.handshake_exc).__name__


def judged_by_client(head: bytes) -> str:
    client = ClientProtocol(parse_uri("ws://server.example.com/chat"), subprotocols=["chat", "superchat"], logger=QUIET)
    client.send_request(client.connect())
    client.receive_data(head.replace(b"{accept}", accept_key(client.key).encode()))
    return "open" if client.state is State.OPEN else "refused:" + type(client.handshake_exc).__name__


for line in sys.stdin:
    number, receiver, wire = line.split()
    judge = judged_by_server if receiver == "server" else judged_by_client
    print(number, judge(bytes.fromhex(wire)))
