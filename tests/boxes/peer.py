"""The other end of the wire: the handshake and the frames are those of the Python library `websockets`, and the order of
things is the row's own, which no library would let it have: what comes between a Close and its answer, when to read, when
to end the stream.
"""

import socket
import struct
import time

from websockets import frames
from websockets.client import ClientProtocol
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

LIMIT = 20.0  # seconds for whatever the other side has to do
HESITATION = 0.3  # seconds; what ends too early may do it meanwhile, what is right is right at any time

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Wrong(Exception):
    """What the row says must not be."""


class Peer:
    """Precondition: the handshake is over. `is_client`: this end is."""

    def __init__(self, connected, is_client, pending=b""):
        self.socket = connected
        self.socket.settimeout(LIMIT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.is_client = is_client
        self.pending = bytearray(pending)
        self.is_over = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def serialized(self, opcode, payload=b""):
        return frames.Frame(frames.Opcode(opcode), payload).serialize(mask=self.is_client)

    def send(self, *serialized):
        try:
            self.socket.sendall(b"".join(serialized))
        except OSError as error:
            raise Wrong(f"what we said last was refused: {error.strerror}") from None

    def try_send(self, serialized):
        """False: the other side takes no more, which is its right after a Close."""
        try:
            self.socket.sendall(serialized)
        except OSError:
            return False
        return True

    def close_frame(self, code, reason=""):
        return self.serialized(CLOSE, struct.pack(">H", code) + reason.encode())

    def hesitate(self):
        """Reads on for a moment: the stream must not end in it."""
        self.socket.settimeout(HESITATION)
        try:
            while self._fill():
                pass
            raise Wrong("the stream ended too early")
        except TimeoutError:
            pass
        finally:
            self.socket.settimeout(LIMIT)

    def wait_without_reading(self):
        """So that what the other side wrote lies in some buffer while it goes on."""
        time.sleep(HESITATION)

    def peek(self):
        """Until something comes, which stays to be read."""
        if not self._fill():
            raise Wrong("the stream ended too early")

    def read_frame(self):
        """(opcode, payload)."""
        head = self._take(2)
        if head[0] & 0x70 or not head[0] & 0x80 or bool(head[1] & 0x80) == self.is_client:
            raise Wrong(f"a frame begins with {head.hex()}")
        size = head[1] & 0x7F
        if size > 125:
            size = int.from_bytes(self._take(2 if size == 126 else 8), "big")
        key = b"" if self.is_client else self._take(4)
        payload = self._take(size)
        if key:
            mask = (key * (size // 4 + 1))[:size]
            payload = (int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")).to_bytes(size, "big")
        return head[0] & 0x0F, payload

    def expect(self, opcode, payload):
        got = self.read_frame()
        if got != (opcode, payload):
            raise Wrong(f"frame {got[0]} of {len(got[1])} bytes instead of {opcode} of {len(payload)}")

    def expect_close(self, code):
        opcode, payload = self.read_frame()
        if opcode != CLOSE or struct.unpack(">H", payload[:2])[0] != code:
            raise Wrong(f"frame {opcode} ({payload[:60]!r}) instead of Close {code}")

    def expect_end(self):
        """The stream's own end, after the last frame: no byte more, no reset."""
        while self._fill():
            pass
        if self.pending:
            raise Wrong(f"{len(self.pending)} bytes after the Close")

    def end_stream(self):
        self.socket.shutdown(socket.SHUT_WR)

    def _take(self, count):
        while len(self.pending) < count:
            if not self._fill():
                raise Wrong(f"the stream ended with {count - len(self.pending)} bytes of a frame missing")
        taken = bytes(self.pending[:count])
        del self.pending[:count]
        return taken

    def _fill(self):
        try:
            more = self.socket.recv(1 << 18)
        except ConnectionResetError:
            raise Wrong(f"the connection was reset, after {len(self.pending)} bytes that were not asked for yet") from None
        self.pending += more
        return bool(more)


def _shake(connected, protocol):
    """Until the library says that the connection is open; what came after the handshake."""
    connected.settimeout(LIMIT)
    while protocol.state.name == "CONNECTING":
        more = connected.recv(1 << 16)
        if not more:
            raise Wrong("the handshake was not answered")
        head, found, rest = more.partition(b"\r\n\r\n")
        protocol.receive_data(head + found)
        for event in protocol.events_received():
            if isinstance(event, Request):
                protocol.send_response(protocol.accept(event))
        for data in protocol.data_to_send():
            connected.sendall(data)
        if found:
            if protocol.handshake_exc:
                raise Wrong(f"the handshake failed: {protocol.handshake_exc}")
            return rest
    return b""


def dial(port):
    """A client, through whatever listens there."""
    connected = socket.create_connection(("127.0.0.1", port), LIMIT)
    protocol = ClientProtocol(parse_uri(f"ws://127.0.0.1:{port}/"))
    protocol.send_request(protocol.connect())
    for data in protocol.data_to_send():
        connected.sendall(data)
    return Peer(connected, True, _shake(connected, protocol))


class Listener:
    """A server for one client."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.settimeout(LIMIT)
        self.port = self.socket.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def accept(self):
        connected, _ = self.socket.accept()
        return Peer(connected, False, _shake(connected, ServerProtocol()))
