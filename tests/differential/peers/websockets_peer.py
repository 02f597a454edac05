#!/usr/bin/env python3
"""Python websockets' sans-I/O protocol. It yields frames; messages are put together, and text decoded, as its
connections do."""

import logging
import sys

from websockets.frames import CloseCode, Opcode
from websockets.protocol import CLIENT, SERVER, Protocol

NAMES = {Opcode.TEXT: "text", Opcode.BINARY: "binary", Opcode.PING: "ping", Opcode.PONG: "pong"}
QUIET = logging.getLogger("quiet")
QUIET.disabled = True


class Listener:
    def __init__(self, receiver: str) -> None:
        self.protocol = Protocol(SERVER if receiver == "server" else CLIENT, max_size=16 << 20, logger=QUIET)
        self.log = []
        self.message = []

    def ended(self) -> bool:
        return bool(self.log) and self.log[-1].startswith(("close", "error"))

    def data(self, frame) -> None:
        self.message.append(frame)
        if not frame.fin:
            return
        opcode, payload = self.message[0].opcode, b"".join(bytes(each.data) for each in self.message)
        self.message = []
        try:
            if opcode is Opcode.TEXT:
                payload.decode()
        except UnicodeDecodeError:
            self.protocol.fail(CloseCode.INVALID_DATA)
            self.log.append("error:1007:text")
            return
        self.log.append(f"{NAMES[opcode]}:{payload.hex()}")

    def feed(self, part: bytes) -> None:
        self.protocol.receive_data(part)
        for frame in self.protocol.events_received():
            if self.ended():
                return
            if frame.opcode is Opcode.CLOSE:
                received = self.protocol.close_rcvd
                self.log.append(f"close:{int(received.code)}:{received.reason.encode().hex()}")
            elif frame.opcode in (Opcode.PING, Opcode.PONG):
                self.log.append(f"{NAMES[frame.opcode]}:{bytes(frame.data).hex()}")
            else:
                self.data(frame)
        if self.protocol.parser_exc is not None and not self.ended():
            sent = self.protocol.close_sent
            self.log.append(f"error:{int(sent.code) if sent else 0}:{type(self.protocol.parser_exc).__name__}")


for line in sys.stdin:
    number, receiver, *parts = line.split()
    listener = Listener(receiver)
    for part in parts:
        if not listener.ended():
            listener.feed(bytes.fromhex(part))
    print(" ".join([number, *listener.log]))
