"""A client that may say anything: a socket, and just enough of RFC 6455 to read what a server answers."""

import base64
import os
import socket
import struct


class StreamBroken(Exception):
    """The server sent something that is not a frame of a server."""


def frame(opcode, payload=b"", *, fin=True, rsv=0, masked=True, length=None):
    """One frame as asked for, legal or not. `length`: the length bytes to announce instead of the right ones."""
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    if length is None:
        size = len(payload)
        if size < 126:
            length = bytes([size])
        elif size < 65536:
            length = b"\x7e" + struct.pack(">H", size)
        else:
            length = b"\x7f" + struct.pack(">Q", size)
    head = bytes([first, length[0] | (0x80 if masked else 0)]) + length[1:]
    if not masked:
        return head + payload
    key = os.urandom(4)
    mask = (key * (len(payload) // 4 + 1))[: len(payload)]
    masked_payload = int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")
    return head + key + masked_payload.to_bytes(len(payload), "big")


def request(port, *, method="GET", target="/feed", version="HTTP/1.1", line_end="\r\n", **fields):
    """An upgrade request; fields replace or (None) remove those of a legal one."""
    legal = {
        "Host": f"127.0.0.1:{port}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Version": "13",
    }
    legal.update({name.replace("_", "-"): value for name, value in fields.items()})
    lines = [f"{method} {target} {version}"]
    lines += [f"{name}: {value}" for name, value in legal.items() if value is not None]
    return (line_end.join(lines) + line_end * 2).encode("latin-1")


class RawClient:
    def __init__(self, port, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(20)
        self.socket.connect(("127.0.0.1", port))
        self.port = self.socket.getsockname()[1]
        self.pending = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """The peer may have given up already; what it says then is what counts."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def shake_hands(self):
        self.send(request(self.socket.getpeername()[1]))
        status = self.read_status()
        if status != 101:
            raise StreamBroken(f"the handshake was answered with {status}")

    def read_status(self):
        """The status of an HTTP answer; 0 when the connection ends without one."""
        while b"\r\n\r\n" not in self.pending:
            if not self._fill():
                return 0
        head, self.pending = self.pending.split(b"\r\n\r\n", 1)
        return int(head.split(b" ", 2)[1])

    def read_frame(self):
        """(opcode, payload), or None at the end of the stream."""
        head = self._take(2)
        if head is None:
            return None
        if head[0] & 0x70 or head[0] & 0x0F not in (1, 2, 8, 9, 10) or head[1] & 0x80:
            raise StreamBroken(f"a frame begins with {head.hex()}")
        size = head[1]
        if size > 125:
            extended = self._take(2 if size == 126 else 8)
            size = int.from_bytes(extended or b"", "big")
        payload = self._take(size)
        if payload is None:
            raise StreamBroken("the stream ends inside a frame")
        return head[0] & 0x0F, payload

    def read_close(self):
        """Everything up to the Close frame; its code, 1005 for an empty one, 1006 for none at all."""
        while (got := self.read_frame()) is not None:
            if got[0] == 8:
                return struct.unpack(">H", got[1][:2])[0] if got[1] else 1005
        return 1006

    def reset(self):
        """Ends the connection by a reset, not in order."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _take(self, count):
        while len(self.pending) < count:
            if not self._fill():
                return None
        taken, self.pending = self.pending[:count], self.pending[count:]
        return taken

    def _fill(self):
        try:
            more = self.socket.recv(65536)
        except ConnectionResetError:
            return False
        self.pending += more
        return bool(more)
