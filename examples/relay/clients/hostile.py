"""Bad input for the relay: each case ends its own connection, with the right word, and nothing else.

Every case looks at two things: what the peer sees (a close code, an HTTP status, or nothing) and the cause that
the server reports under its name. Needs only Python's own library.
"""

import argparse
import socket
import sys
import time

from raw_client import RawClient, StreamBroken, frame, request
from server_process import ServerProcess

# Short times, a small queue and few descriptors, so that every limit is met within seconds.
SERVER_OPTIONS = (
    "--pace-ms 20 --burst 2 --max-queue 262144 --handshake-timeout-ms 700"
    " --write-timeout-ms 800 --drain-timeout-ms 500 --linger-ms 300"
).split()
DESCRIPTORS = 64

# What is sent, the Close code that answers it, the cause that is reported.
FRAMES = [
    ("unmasked frame", frame(1, b"hello", masked=False), 1002, "mask_required"),
    ("reserved bit", frame(1, b"hello", rsv=4), 1002, "reserved_bits_set"),
    ("reserved opcode", frame(3, b"hello"), 1002, "reserved_opcode"),
    ("reserved control opcode", frame(11), 1002, "reserved_opcode"),
    ("fragmented PING", frame(9, b"hello", fin=False), 1002, "fragmented_control_frame"),
    ("PING of 126 bytes", frame(9, bytes(126)), 1002, "oversized_control_frame"),
    ("length not minimal", frame(2, b"hello", length=b"\x7e\x00\x05"), 1002, "non_minimal_length"),
    ("length with bit 63", frame(2, length=b"\x7f\x80" + bytes(7)), 1002, "length_high_bit_set"),
    ("2^63-1 announced", frame(2, length=b"\x7f\x7f" + b"\xff" * 7), 1009, "frame_too_big"),
    ("frame too big", frame(2, length=b"\x7f" + (1 << 20).to_bytes(8, "big")), 1009, "frame_too_big"),
    (
        "message too big in fragments",
        frame(2, bytes(100_000), fin=False) + frame(0, bytes(100_000)),
        1009,
        "message_too_big",
    ),
    ("endless empty fragments", frame(1, fin=False) + frame(0, fin=False) * 5000, 1008, "too_many_fragments"),
    ("continuation of nothing", frame(0, b"hello"), 1002, "unexpected_continuation"),
    ("message inside a message", frame(1, b"hel", fin=False) + frame(1, b"lo"), 1002, "expected_continuation"),
    ("text that is not UTF-8", frame(1, b"\xc0\xaf"), 1007, "invalid_utf8"),
    ("text cut inside a character", frame(1, b"\xe2\x82"), 1007, "invalid_utf8"),
    ("bad UTF-8 before the frame is whole", frame(1, b"\xff" + bytes(50))[:9], 1007, "invalid_utf8"),
    ("Close with one byte", frame(8, b"\x03"), 1002, "close_body_of_one_byte"),
    ("Close with 1005", frame(8, b"\x03\xed"), 1002, "invalid_close_code"),
    ("Close with 5000", frame(8, b"\x13\x88"), 1002, "invalid_close_code"),
    ("Close reason not UTF-8", frame(8, b"\x03\xe8\xff"), 1007, "invalid_close_reason"),
    ("empty Close", frame(8), 1005, "peer_close"),
    ("Close with 4321", frame(8, b"\x10\xe1bye"), 4321, "peer_close"),
    ("Close, then more", frame(8, b"\x03\xe8") + frame(1, b"late") + b"\xff" * 100, 1000, "peer_close"),
]


def handshakes(port):
    """What is sent, the HTTP status that answers it, the cause that is reported."""
    return [
        ("wrong version", request(port, Sec_WebSocket_Version="8"), 426, "handshake_unsupported_version"),
        ("no Upgrade", request(port, Upgrade=None), 426, "handshake_missing_upgrade"),
        ("no key", request(port, Sec_WebSocket_Key=None), 400, "handshake_missing_key"),
        ("key too short", request(port, Sec_WebSocket_Key="c2hvcnQ="), 400, "handshake_invalid_key"),
        ("no Host", request(port, Host=None), 400, "handshake_missing_host"),
        ("POST", request(port, method="POST"), 405, "handshake_method_not_get"),
        ("HTTP/1.0", request(port, version="HTTP/1.0"), 404, "none"),  # a plain request: RFC 9110 §7.8
        ("bare LF", request(port, line_end="\n"), 400, "handshake_invalid_line_end"),
        ("header line of 1 MiB", request(port, X_Long="x" * (1 << 20)), 431, "handshake_line_too_long"),
        ("1000 headers", request(port, **{f"X_{i}": "x" for i in range(1000)}), 431, "handshake_too_many_headers"),
        ("another site's page", request(port, Origin="https://example.org"), 403, "handshake_origin_refused"),
        ("another path", request(port, target="/elsewhere"), 404, "none"),
        ("not HTTP", b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400, "handshake_invalid_character"),
        ("half a handshake, then silence", request(port)[:60], 408, "handshake_timeout"),
    ]


class Round:
    """Runs the cases against a server and keeps what went wrong."""

    def __init__(self, server):
        self.server = server
        self.count = 0
        self.failures = []

    def check(self, name, *, port, cause, sees=None, wanted=None, word="end", reason=None):
        self.count += 1
        if sees != wanted:
            self.failures.append(f"{name}: the peer sees {sees}, not {wanted}")
        line = self.server.wait_for(word, peer=port)
        causes = (cause,) if isinstance(cause, str) else cause
        if line is None or line["cause"] not in causes:
            self.failures.append(f"{name}: reported as {line and line['cause']}, not {' or '.join(causes)}")
        if line and reason and line["reason"] != reason:
            self.failures.append(f"{name}: the drain report says {line['reason']}, not {reason}")
        if line and word == "end" and int(line["accepted"]) != sum(
                int(line[part]) for part in ("written", "dropped", "replaced")):
            self.failures.append(f"{name}: its drain report does not add up: {line}")

    def connect(self, **how):
        client = RawClient(self.server.port, **how)
        client.shake_hands()
        return client

    def run(self):
        for name, data, code, cause in FRAMES:
            with self.connect() as client:
                client.send(data)
                self.check(name, sees=client.read_close(), wanted=code, port=client.port, cause=cause)
        for name, data, status, cause in handshakes(self.server.port):
            with RawClient(self.server.port) as client:
                client.send(data)
                sees = client.read_status()
                client.socket.close()
                self.check(name, sees=sees, wanted=status, port=client.port, cause=cause, word="visitor")
        self.byte_by_byte()
        self.connection_ends()
        self.asks_and_never_reads()
        self.never_reads()
        self.ping_flood()
        self.out_of_descriptors()
        return self

    def byte_by_byte(self):
        """Each byte a packet of its own: the handshake, a PING, and a frame that is wrong in its last byte."""
        with RawClient(self.server.port) as client:
            client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in request(self.server.port) + frame(9, b"drip") + frame(1, b"ok\xff"):
                client.send(bytes([byte]))
            client.read_status()
            while (got := client.read_frame()) not in ((10, b"drip"), None):
                pass
            sees = client.read_close() if got else "no PONG"
            self.check("byte by byte", sees=sees, wanted=1007, port=client.port, cause="invalid_utf8")

    def connection_ends(self):
        begun = frame(1, bytes(1000))[:500]
        with self.connect() as client:
            client.send(begun)
            client.socket.shutdown(socket.SHUT_WR)
            sees = client.read_close()
            self.check("half-closed in a frame", sees=sees, wanted=1002, port=client.port, cause="connection_lost")
        with self.connect() as client:
            client.socket.shutdown(socket.SHUT_WR)
            sees = client.read_close()
            self.check("half-closed without Close", sees=sees, wanted=1002, port=client.port, cause="connection_lost")
        with self.connect() as client:
            client.send(begun)
            client.reset()
            # The workers write to it meanwhile: the read or a write meets the reset first.
            self.check("reset in a frame", port=client.port, cause=("connection_lost", "write_failed"))
        with RawClient(self.server.port) as client:
            client.send(request(self.server.port)[:60])
            client.reset()
            self.check("reset in the handshake", port=client.port, cause="connection_lost", word="visitor")

    def asks_and_never_reads(self):
        """What can't be queued for it ends it, with a Close and a drain that have a bound."""
        with self.connect(receive_buffer=4096) as client:
            for _ in range(60):
                client.send(frame(2, bytes(60_000)))
                if self.server.wait_for("end", 0.01, peer=client.port):
                    break
            self.check("asks and never reads", port=client.port, cause="queue_full", reason="drain_timed_out")

    def never_reads(self):
        """A write that stands too long ends it, while the workers go on offering it their messages."""
        fast = "--pace-ms 1 --burst 16 --max-queue 262144 --write-timeout-ms 500 --drain-timeout-ms 500".split()
        with ServerProcess(self.server.binary, *fast) as server:
            other = Round(server)
            with other.connect(receive_buffer=4096) as client:
                other.check("never reads", port=client.port, cause="write_timed_out", reason="write_timed_out")
                other.stops_in_time()
            self.failures += other.failures
            self.count += other.count

    def stops_in_time(self):
        """SIGTERM while a peer takes nothing: the drain has a bound, and what it could not write is counted."""
        self.count += 1
        with self.connect(receive_buffer=4096) as client:
            time.sleep(0.3)
            status = self.server.stop(8)
            line = self.server.wait_for("end", 1, peer=client.port) or {}
        if status != 0 or line.get("cause") not in ("server_close", "timed_out", "write_timed_out"):
            self.failures.append(f"stops in time: the server ended with {status}, {line}")

    def ping_flood(self):
        """Unread PONGs stop at their reserve; the connection lives, and its newest PING is answered."""
        with self.connect() as client:
            client.send(b"".join(frame(9, b"%06d" % i) for i in range(20_000)))
            last = None
            while last != b"019999":
                got = client.read_frame()
                if got is None:
                    break
                last = got[1] if got[0] == 10 else last
            client.send(frame(8, b"\x03\xe8"))
            sees = (last, client.read_close())
            self.check("20000 PINGs", sees=sees, wanted=(b"019999", 1000), port=client.port, cause="peer_close")

    def out_of_descriptors(self):
        """More peers than descriptors: the newest are turned away, and room that comes free is used."""
        self.count += 1
        crowd = [RawClient(self.server.port) for _ in range(2 * DESCRIPTORS)]
        refused = sum(client.read_status() == 0 for client in crowd)  # the others get their 408
        if not DESCRIPTORS <= refused < len(crowd):
            self.failures.append(f"out of descriptors: {refused} of {len(crowd)} were refused")
        for client in crowd:
            client.socket.close()
        for _ in range(50):
            try:
                with self.connect() as client:
                    client.send(frame(8, b"\x03\xe8"))
                    if client.read_close() == 1000:
                        return
            except (StreamBroken, OSError):
                time.sleep(0.05)
        self.failures.append("out of descriptors: no room again after they left")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", required=True)
    with ServerProcess(parser.parse_args().server, *SERVER_OPTIONS, descriptors=DESCRIPTORS) as server:
        hostile = Round(server).run()
        if (status := server.stop()) != 0:
            hostile.failures.append(f"the server ended with {status}: {server.all_of('total')}")
    for failure in hostile.failures:
        print(failure)
    print(f"{hostile.count} cases, {len(hostile.failures)} failures")
    return 1 if hostile.failures else 0


if __name__ == "__main__":
    sys.exit(main())
