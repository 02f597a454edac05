"""The hosts' test suite for one that speaks HTTP/2 (RFC 8441): the cases of cases.py that need no request of HTTP/1.1, and its own.

    http2.py [--slack N] [--jobs N] [--only CASE] NAME=PROGRAM

The frames inside a stream are what they are over TCP, so the same cases ask for the same things; a peer here is one stream of
an HTTP/2 connection, its end is END_STREAM, and what it has not read keeps the stream's window shut.
"""

import select
import socket
import sys
import threading
import time

import cases
import run
from cases import expect, letters
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, RemoteSettingsChanged, ResponseReceived, StreamEnded, StreamReset
from h2.settings import SettingCodes
from host import Failed
from peer import BINARY, CLOSE, LIMIT, TEXT, Peer, close_payload, frame


class Http2:
    """A TCP connection with its streams. Several threads may use it."""

    def __init__(self, port, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(LIMIT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect(("127.0.0.1", port))
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(1 << 30)  # each stream's own window is what holds it up
        self.lock = threading.RLock()
        self.streams = {}
        self.settings = None
        self.is_over = False
        self.flush()
        while self.settings is None:
            self.pump(LIMIT)

    def flush(self):
        if data := self.h2.data_to_send():
            self.socket.sendall(data)

    def pump(self, seconds):
        """Reads what has come, or comes within so long. False: nothing did."""
        with self.lock:
            if not select.select([self.socket], [], [], seconds)[0]:
                return False
            data = self.socket.recv(1 << 18)
            if not data:
                self.is_over = True
            for event in self.h2.receive_data(data) if data else ():
                if isinstance(event, RemoteSettingsChanged):
                    self.settings = {code: change.new_value for code, change in event.changed_settings.items()}
                elif (stream := self.streams.get(getattr(event, "stream_id", None))) is not None:
                    stream.on_event(event)
            self.flush()
            return True

    def ask(self, stream, **fields):
        """Extended CONNECT; fields replace or (None) remove those of a legal one, `_` for `:` and `-`."""
        legal = {
            "_method": "CONNECT", "_protocol": "websocket", "_scheme": "http", "_path": "/ws", "_authority": "localhost",
            "sec_websocket_version": "13",
        }  # fmt: skip
        chosen = {name: value for name, value in {**legal, **fields}.items() if value is not None}
        head = [(":" + name[1:] if name[0] == "_" else name.replace("_", "-"), value) for name, value in chosen.items()]
        with self.lock:
            stream.id = self.h2.get_next_available_stream_id()
            self.streams[stream.id] = stream
            self.h2.send_headers(stream.id, head)
            self.flush()


class StreamPeer(Peer):
    """Peer's words, in one stream."""

    def __init__(self, port, tls=None, receive_buffer=None, wire=None):
        self.port = port
        self.http2 = wire or Http2(port, receive_buffer)
        self.socket = self.http2.socket
        self.is_alone = wire is None
        self.wire = None
        self.id = None
        self.pending = bytearray()
        self.uncredited = 0
        self.answer = None
        self.is_ended = False
        self.reset_with = None

    def __exit__(self, *_):
        if self.is_alone:
            self.socket.close()

    def on_event(self, event):
        if isinstance(event, ResponseReceived):
            self.answer = dict(event.headers)
        elif isinstance(event, DataReceived):
            self.pending += event.data
            self.uncredited += event.flow_controlled_length
        elif isinstance(event, StreamEnded):
            self.is_ended = True
        elif isinstance(event, StreamReset):
            self.reset_with = event.error_code

    def _send(self, data):
        """As the windows allow; it reads what comes meanwhile, and gives no credit for it."""
        begin = 0
        end = time.monotonic() + self.socket.gettimeout()
        while begin < len(data):
            with self.http2.lock:
                if self.reset_with is not None or self.http2.is_over:
                    raise BrokenPipeError(32, "the stream was reset")
                room = min(self.http2.h2.local_flow_control_window(self.id), self.http2.h2.max_outbound_frame_size)
                if room > 0:
                    self.http2.h2.send_data(self.id, data[begin : begin + room])
                    self.http2.flush()
                    begin += room
                    end = time.monotonic() + self.socket.gettimeout()
                    continue
            if not self.http2.pump(0.01) and time.monotonic() > end:
                raise TimeoutError

    def _fill(self):
        end = time.monotonic() + LIMIT
        before = len(self.pending)
        while len(self.pending) == before:
            with self.http2.lock:
                if self.uncredited and not self.is_ended and self.reset_with is None:
                    self.http2.h2.acknowledge_received_data(self.uncredited, self.id)
                    self.uncredited = 0
                    self.http2.flush()
                if len(self.pending) != before:
                    break
                if self.is_ended:
                    return False
                if self.reset_with is not None or self.http2.is_over:
                    raise Failed(f"the stream was reset: {self.reset_with}, {len(self.pending)} bytes before that")
            if not self.http2.pump(0.01) and time.monotonic() > end:
                raise Failed(f"nothing came for {LIMIT:.0f} s")
        return True

    def end_output(self):
        with self.http2.lock:
            self.http2.h2.end_stream(self.id)
            self.http2.flush()

    def reset(self):
        with self.http2.lock:
            self.http2.h2.reset_stream(self.id, ErrorCodes.CANCEL)
            self.http2.flush()
        if self.is_alone:
            super().reset()

    def expect_end(self):
        """END_STREAM, and no reset before it."""
        if self.pending or self._fill():
            raise Failed(f"after the last frame came {bytes(self.pending[:40])!r}")
        if self.is_alone:
            self.socket.close()
        elif self.reset_with is None:
            self.end_output()

    def read_head(self, **fields):
        self.http2.ask(self, **fields)
        end = time.monotonic() + LIMIT
        while self.answer is None and self.reset_with is None:
            if not self.http2.pump(0.05) and time.monotonic() > end:
                raise Failed("the request was not answered")
        return int((self.answer or {}).get(":status", 0)), self.answer

    def shake_hands(self):
        self.expect_status(200)


class Stage(run.Stage):
    def connect(self, **how):
        return self._stack.enter_context(StreamPeer(self.host.port, **how))


# ---- its own cases


def answers(stage):
    """What it announces, and what it says to those who ask in another way."""
    wire = Http2(stage.host.port)
    expect(wire.settings.get(SettingCodes.ENABLE_CONNECT_PROTOCOL) == 1, "extended CONNECT is not announced")
    for fields, allowed in (
        ({"_path": "/", "_method": "GET", "_protocol": None, "sec_websocket_version": None}, range(200, 300)),
        ({"_method": "GET", "_protocol": None}, range(400, 500)),
        ({"sec_websocket_version": "12"}, range(400, 500)),
        ({"sec_websocket_version": None}, range(400, 500)),
        ({"sec_websocket_protocol": "a b"}, range(400, 500)),
        ({}, range(200, 201)),
    ):
        peer = StreamPeer(stage.host.port, wire=wire)
        status, head = peer.read_head(**fields)
        expect(status in allowed, f"{fields} was answered with {status}")
        expect("connection" not in head and "upgrade" not in head, f"{fields} was answered with {head}")
        if fields:
            while not peer.is_ended:
                peer._fill()
    peer.expect_echo(TEXT, b"still there")
    peer.close()
    wire.socket.close()


def many_streams(stage):
    """Twenty in one connection, each with its own words, each with its own end."""
    wire = Http2(stage.host.port)
    peers = [StreamPeer(stage.host.port, wire=wire) for _ in range(20)]
    for peer in peers:
        peer.shake_hands()
    for turn in range(5):
        for number, peer in enumerate(peers):
            peer.send(frame(TEXT, b"%d in turn %d" % (number, turn)), frame(BINARY, letters(20_000)))
        for number, peer in enumerate(peers):
            peer.expect(TEXT, b"%d in turn %d" % (number, turn))
            peer.expect(BINARY, letters(20_000))
    peers[3].reset()
    peers[4].send(frame(TEXT, b"bye"))
    peers[4].expect_close(1001, "bye")
    peers[4].send(frame(CLOSE, close_payload(1001)))
    peers[4].expect_end()
    for peer in peers[:3] + peers[5:]:
        peer.expect_echo(TEXT, b"still there")
        peer.close()
    wire.socket.close()


def stuck_stream(stage):
    """One that reads nothing is cut off in time; its neighbours in the same connection go on meanwhile, and after it."""
    wire = Http2(stage.host.port)
    stuck, other = (StreamPeer(stage.host.port, wire=wire) for _ in range(2))
    stuck.shake_hands()
    other.shake_hands()
    stuck.send(frame(TEXT, b"push 1000 16384"))
    end = time.monotonic() + cases.WRITE + cases.CLOSING + cases.PATIENCE
    while stuck.reset_with is None:
        other.expect_echo(TEXT, b"beside it")
        expect(time.monotonic() < end, "a stream that reads nothing is never cut off")
        time.sleep(0.02)
    other.expect_echo(TEXT, b"after it")
    other.close()
    wire.socket.close()


def half_close(stage):
    """END_STREAM without a Close: what was said is answered, and it is told what is wrong (1002). After a Close all is well."""
    for last, code in ((b"", 1002), (frame(CLOSE, close_payload(1000)), 1000)):
        peer = stage.open()
        peer.send(*(frame(TEXT, b"last %d" % i) for i in range(20)), last)
        peer.end_output()
        for i in range(20):
            peer.expect(TEXT, b"last %d" % i)
        peer.expect_close(code)
        peer.expect_end()


def resets(stage):
    """Of streams and of TCP, at every stage: nothing is left, and others go on."""
    base = stage.host.sockets()
    other = stage.open()
    for attempt in range(10):
        stage.open().reset()
        peer = stage.open()
        peer.send(*[frame(TEXT, letters(1000))] * 50, frame(TEXT, b"push 100 1000"), frame(TEXT, b"cut")[:3])
        peer.reset()
        peer = stage.open()
        peer.send(frame(TEXT, b"push 50 100000"))
        Peer.reset(peer)
        other.expect_echo(TEXT, b"round %d" % attempt)
    stage.host.expect_sockets(base + 1, cases.WRITE + cases.CLOSING + cases.PATIENCE)
    other.close()


def stop_when_idle(stage):
    """1001 to all streams, then the end; also for connections without any."""
    peers = [stage.open() for _ in range(5)]
    Http2(stage.host.port)
    for peer in peers:
        peer.expect_echo(TEXT, b"here")
    stage.host.terminate()
    for peer in peers:
        peer.expect_close(1001)
        peer.send(frame(CLOSE, close_payload(1001)))
        peer.expect_end()
    stage.host.expect_exit()


OTHER_ROADS = {"real_client", "glued_frames", "request_in_pieces", "plain_http", "endless_request"}  # HTTP/1.1's
OWN = [answers, many_streams, stuck_stream, half_close, resets, stop_when_idle]


if __name__ == "__main__":
    own = {case.__name__ for case in OWN}
    cases.CASES = [case for case in cases.CASES if case.__name__ not in OTHER_ROADS | own] + OWN
    run.Stage = Stage
    sys.exit(run.main())
