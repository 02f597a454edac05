"""A tap between a WebSocket client and its server: bytes pass unchanged, and what they were is noted.

    with Tap("127.0.0.1:4711") as tap:      # connect to tap.address instead
        ...
    tap.wires                               # one Wire for each connection, in the order of their beginning

Of each direction a Wire knows the handshake's head, and of each data message whether RSV1 stood on its first frame, how
many frames it had and how many bytes of payload. It reads frames by RFC 6455's section 5.2 alone and shares no code with
either side.
"""

import re
import socket
import threading


class Direction:
    """What passed in one direction."""

    def __init__(self):
        self.head = b""
        self.messages = []  # [RSV1, frames, bytes of payload], the last one perhaps unfinished
        self._bytes = bytearray()
        self._skip = 0
        self._is_past_head = False

    def take(self, data):
        self._bytes += data
        if not self._is_past_head:
            end = self._bytes.find(b"\r\n\r\n")
            if end < 0:
                return
            self.head = bytes(self._bytes[:end])
            del self._bytes[: end + 4]
            self._is_past_head = True
        while self._frame():
            pass

    def _frame(self):
        """Takes one frame's header, or payload; false: more must come."""
        if self._skip:
            gone = min(self._skip, len(self._bytes))
            del self._bytes[:gone]
            self._skip -= gone
            return gone != 0
        if len(self._bytes) < 2:
            return False
        first, second = self._bytes[0], self._bytes[1]
        length = second & 127
        extended = {126: 2, 127: 8}.get(length, 0)
        header = 2 + extended + (4 if second & 128 else 0)
        if len(self._bytes) < header:
            return False
        if extended:
            length = int.from_bytes(self._bytes[2 : 2 + extended], "big")
        del self._bytes[:header]
        self._skip = length
        if first & 15 in (1, 2):
            self.messages.append([bool(first & 64), 1, length])
        elif first & 15 == 0:
            if first & 64:
                raise ValueError("RSV1 on a continuation")
            self.messages[-1][1] += 1
            self.messages[-1][2] += length
        elif first & 64:
            raise ValueError("RSV1 on a control frame")
        return True

    def extensions(self):
        """The fields' values, joined; empty: there is none."""
        found = re.findall(rb"(?im)^sec-websocket-extensions:[ \t]*(.*?)[ \t]*\r?$", self.head)
        return ", ".join(value.decode("latin-1") for value in found)


class Wire:
    def __init__(self):
        self.from_client = Direction()
        self.from_server = Direction()
        self.faults = []


class Tap:
    def __init__(self, target):
        host, port = target.rsplit(":", 1)
        self._target = (host, int(port))
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._threads = []
        self.address = "{}:{}".format(*self._listening.getsockname())
        self.wires = []

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._listening.close()

    def settle(self, seconds=10):
        """Waits for the end of every connection."""
        for thread in self._threads:
            thread.join(seconds)

    def _accept(self):
        while True:
            try:
                client = self._listening.accept()[0]
            except OSError:
                return
            server = socket.create_connection(self._target)
            wire = Wire()
            self.wires.append(wire)
            for source, sink, direction in ((client, server, wire.from_client), (server, client, wire.from_server)):
                thread = threading.Thread(target=self._pass, args=(source, sink, direction, wire), daemon=True)
                self._threads.append(thread)
                thread.start()

    @staticmethod
    def _pass(source, sink, direction, wire):
        try:
            while data := source.recv(65536):
                try:
                    direction.take(data)
                except (ValueError, IndexError) as fault:
                    wire.faults.append(str(fault) or type(fault).__name__)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for end in (source, sink):  # a reset passes as an end
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
