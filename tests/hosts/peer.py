"""The other end of the wire, plain or over TLS: it may say anything, and reads frames exactly."""

import socket
import ssl
import struct
import sys
import threading
import time
from pathlib import Path

from host import Failed

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples" / "relay" / "clients"))
from raw_client import frame, request  # noqa: E402, F401

LIMIT = 20.0  # seconds for whatever the host has to do
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
GONE = (BrokenPipeError, ConnectionResetError)
NAMES = {TEXT: "text", BINARY: "binary", CLOSE: "Close", PING: "PING", PONG: "PONG"}


def close_payload(code, reason=""):
    return struct.pack(">H", code) + reason.encode()


class Peer:
    def __init__(self, port, tls=None, receive_buffer=None):
        self.port = port
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(LIMIT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect(("127.0.0.1", port))
        self.pending = bytearray()
        self.wire = None
        if tls:
            self._begin_tls(tls)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    # ---- the stream

    def _begin_tls(self, context):
        """A memory BIO, so that this end says exactly when what leaves, and may end its direction alone."""
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.session, self.sending = threading.Lock(), threading.Lock()  # a case may send and read in two threads
        self.wire = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        while True:
            try:
                self.wire.do_handshake()
                return self._flush()
            except ssl.SSLWantReadError:
                self._flush()
                data = self.socket.recv(1 << 16)
                if not data:
                    raise Failed("the TLS handshake was not answered") from None
                self.incoming.write(data)

    def _flush(self, wait=True):
        """Records leave in order, and so by one thread at a time. One that reads need not wait: the other one sends."""
        if not self.sending.acquire(blocking=wait):
            return
        try:
            with self.session:
                data = self.outgoing.read()
            if data:  # sending nothing fails, too, after the end of the output
                self.socket.sendall(data)
        finally:
            self.sending.release()

    def send(self, *pieces):
        """All of it, at once."""
        try:
            self._send(b"".join(pieces))
        except GONE as error:
            raise Failed(f"what was sent was refused: {error.strerror}") from None

    def try_send(self, *pieces):
        """False: the host takes no more."""
        try:
            self._send(b"".join(pieces))
        except (*GONE, TimeoutError, BlockingIOError):
            return False
        return True

    def _send(self, data):
        if self.wire is None:
            return self.socket.sendall(data)
        for start in range(0, len(data), 1 << 16):
            with self.session:
                self.wire.write(data[start : start + (1 << 16)])
            self._flush()

    def pour(self, data, most, seconds):
        """Sends data again and again without reading, `most` bytes at most, until the host takes nothing for `seconds`."""
        self.socket.settimeout(seconds)
        sent = 0
        while sent < most and self.try_send(data):
            sent += len(data)
        self.socket.settimeout(LIMIT)

    def end_output(self):
        """This side's end of the stream; the other direction stays open."""
        if self.wire is not None:
            try:
                self.wire.unwrap()
            except ssl.SSLError:
                pass  # it would like to read the other side's
            self._flush()
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _fill(self):
        """False: the stream ended."""
        if self.wire is not None:
            return self._fill_from_tls()
        try:
            more = self.socket.recv(1 << 18)
        except TimeoutError:
            raise Failed(f"nothing came for {self.socket.gettimeout():.0f} s") from None
        except ConnectionResetError:
            raise Failed(f"the connection was reset, {len(self.pending)} bytes before that") from None
        self.pending += more
        return bool(more)

    def _fill_from_tls(self):
        while True:
            try:
                with self.session:
                    more = self.wire.read(1 << 18)
                self.pending += more
                return bool(more)
            except ssl.SSLZeroReturnError:
                return False
            except ssl.SSLWantReadError:
                self._flush(wait=False)
            try:
                data = self.socket.recv(1 << 18)
            except TimeoutError:
                raise Failed(f"nothing came for {self.socket.gettimeout():.0f} s") from None
            except ConnectionResetError:
                raise Failed(f"the connection was reset, {len(self.pending)} bytes before that") from None
            if not data:
                raise Failed("TCP ended without TLS's close_notify")
            self.incoming.write(data)

    def _take(self, count):
        while len(self.pending) < count:
            if not self._fill():
                if self.pending:
                    raise Failed(f"the stream ended inside a frame: {bytes(self.pending[:40])!r}")
                return None
        taken = bytes(self.pending[:count])
        del self.pending[:count]
        return taken

    # ---- HTTP

    def read_head(self):
        """(status, fields in small letters) of an HTTP answer; (0, {}) when the connection ends without one."""
        while b"\r\n\r\n" not in self.pending:
            if not self._fill():
                if self.pending:
                    raise Failed(f"the stream ended inside an HTTP answer: {bytes(self.pending[:80])!r}")
                return 0, {}
        head, _, rest = bytes(self.pending).partition(b"\r\n\r\n")
        self.pending = bytearray(rest)
        status, *fields = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in fields)
        return int(status.split(" ", 2)[1]), {name.strip().lower(): value.strip() for name, _, value in pairs}

    def expect_status(self, status):
        got, _ = self.read_head()
        if got != status:
            raise Failed(f"the request was answered with {got}, not {status}")

    def shake_hands(self):
        self.send(request(self.port, target="/ws"))
        self.expect_status(101)

    # ---- frames

    def read_frame(self):
        """(opcode, payload), or None at the end of the stream."""
        head = self._take(2)
        if head is None:
            return None
        if head[0] & 0xF0 != 0x80 or head[0] & 0x0F not in NAMES or head[1] & 0x80:
            raise Failed(f"a frame begins with {head.hex()}")
        size = head[1]
        if size > 125:
            size = int.from_bytes(self._take(2 if size == 126 else 8) or b"", "big")
        payload = self._take(size)
        if payload is None:
            raise Failed("the stream ended inside a frame")
        return head[0] & 0x0F, payload

    def expect(self, opcode, payload):
        got = self.read_frame()
        if got != (opcode, payload):
            raise Failed(f"{describe(got)} instead of {describe((opcode, payload))}")

    def expect_echo(self, opcode, payload):
        self.send(frame(opcode, payload))
        self.expect(opcode, payload)

    def expect_close(self, code, reason=None):
        """The next frame. Code 1005: an empty Close."""
        got = self.read_frame()
        if got is None or got[0] != CLOSE:
            raise Failed(f"{describe(got)} instead of Close {code}")
        came = struct.unpack(">H", got[1][:2])[0] if got[1] else 1005
        if came != code or (reason is not None and got[1][2:].decode() != reason):
            raise Failed(f"{describe(got)} instead of Close {code} {reason or ''}")

    def expect_end(self):
        """The stream's own end, after the last frame: no byte more, no reset."""
        if self.pending or self._fill():
            raise Failed(f"after the last frame came {bytes(self.pending[:40])!r}")
        self.socket.close()  # a host waits for it

    def close(self, code=1000, reason=""):
        """From this side, in order."""
        self.send(frame(CLOSE, close_payload(code, reason)))
        self.expect_close(code)
        self.expect_end()

    def read_until_end(self):
        """Whatever comes, until the host ends the connection in whichever way."""
        end = time.monotonic() + LIMIT
        try:
            while self._fill():
                self.pending.clear()
                if time.monotonic() > end:
                    raise Failed(f"it was still sent to after {LIMIT:.0f} s")
        except Failed as how:
            if "reset" not in str(how) and "close_notify" not in str(how):
                raise


def describe(got):
    if got is None:
        return "the stream's end"
    opcode, payload = got
    if opcode == CLOSE and len(payload) > 1:
        return f"Close {struct.unpack('>H', payload[:2])[0]} {payload[2:]!r}"
    return f"{NAMES[opcode]} of {len(payload)} bytes ({payload[:30]!r})"
