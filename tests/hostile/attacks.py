"""What a hostile peer can do to a server: each attack takes a port and leaves how many connections it made.

An attack raises Broken when the server answers what it should not. Everything goes over real sockets, and every loop has
an end.
"""

import contextlib
import re
import select
import socket
import struct
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples" / "relay" / "clients"))
from raw_client import RawClient, frame, request  # noqa: E402

MILLION = 1_000_000
CLOSE = frame(8, b"\x03\xe8")
GONE = (BrokenPipeError, ConnectionResetError)


class Broken(Exception):
    pass


def expect(holds, otherwise):
    if not holds:
        raise Broken(otherwise)


def crowd(stack, port, count, **how):
    """So many connections, past their handshakes."""
    clients = [stack.enter_context(RawClient(port, **how)) for _ in range(count)]
    for client in clients:
        client.send(request(port))
    for client in clients:
        expect(client.read_status() == 101, "a handshake was refused")
    return clients


def pump(client, data, enough, seconds=60.0):
    """Sends data while it reads, until `enough` says so of what came, or the stream ends. Returns all that came."""
    client.socket.setblocking(False)
    came = bytearray(client.pending)
    left = memoryview(data)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        readable, writable, _ = select.select([client.socket], [client.socket] if left else [], [], 1)
        try:
            if readable:
                more = client.socket.recv(1 << 18)
                if not more:
                    break
                came += more
            if writable:
                left = left[client.socket.send(left[: 1 << 18]) :]
        except BlockingIOError:
            pass
        except GONE:
            break
        if not left and enough(came):
            break
    client.socket.settimeout(5)
    client.pending = b""
    return bytes(came)


def push(client, data, seconds=10.0):
    """Sends data without reading anything, until the server ends the connection. Whether it did."""
    client.socket.setblocking(False)
    left = memoryview(data)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        readable, writable, broken = select.select([], [client.socket] if left else [], [client.socket], 0.1)
        try:
            if writable:
                left = left[client.socket.send(left[: 1 << 18]) :]
            client.socket.send(b"")
            if client.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or is_over(client):
                return True
        except BlockingIOError:
            pass
        except GONE:
            return True
    return False


def is_over(client):
    """Whether the server has closed or reset this connection (state of TCP_INFO: only ESTABLISHED is 1)."""
    return client.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) != b"\x01"


def answered_close(came):
    """The stream is the frames so far and an answering Close with 1000."""
    return came.endswith(b"\x88\x02\x03\xe8")


# ---- floods that are read


def ping_flood(port):
    """The newest PING is always answered; of those before it, as many as the reserve for PONGs has room for."""
    with contextlib.ExitStack() as stack:
        (client,) = crowd(stack, port, 1)
        came = pump(client, frame(9, b"ping") * (MILLION - 1) + frame(9, b"last") + CLOSE, answered_close)
        expect(re.fullmatch(rb"(\x8a\x04ping)*\x8a\x04last\x88\x02\x03\xe8", came), "PONGs of another PING")
    return 1


def one_byte_fragments(port):
    with contextlib.ExitStack() as stack:
        (client,) = crowd(stack, port, 1)
        message = frame(1, b"a", fin=False) + frame(0, b"b", fin=False) * 3998 + frame(0, b"c")
        came = pump(client, message * 250 + CLOSE, answered_close)
        echo = b"\x81\x7e" + struct.pack(">H", 4000) + b"a" + b"b" * 3998 + b"c"
        expect(came == echo * 250 + b"\x88\x02\x03\xe8", "another message than was sent")
    return 1


def empty_fragments(port):
    with contextlib.ExitStack() as stack:
        (client,) = crowd(stack, port, 1)
        message = frame(1, fin=False) + frame(0, fin=False) * 3998 + frame(0)
        came = pump(client, message * 250 + CLOSE, answered_close)
        expect(came == b"\x81\x00" * 250 + b"\x88\x02\x03\xe8", "another message than was sent")
    return 1


def endless_fragments(port):
    """One message of a million fragments: refused with 1008 at the limit."""
    with contextlib.ExitStack() as stack:
        (client,) = crowd(stack, port, 1)
        came = pump(client, frame(1, fin=False) + frame(0, b"x", fin=False) * MILLION, lambda _: False)
        expect(came[:1] == b"\x88" and came[2:4] == struct.pack(">H", 1008), f"not refused with 1008: {came[:40]}")
    return 1


def tiny_messages(port):
    with contextlib.ExitStack() as stack:
        (client,) = crowd(stack, port, 1)
        came = pump(client, frame(1, b"x") * MILLION + CLOSE, answered_close)
        expect(came == b"\x81\x01x" * MILLION + b"\x88\x02\x03\xe8", "another message than was sent")
    return 1


# ---- floods whose answers are not read


def ping_flood_unread(port):
    with contextlib.ExitStack() as stack:
        (client,) = crowd(stack, port, 1, receive_buffer=4096)
        expect(push(client, frame(9, bytes(125)) * MILLION), "it was not ended")
    return 1


def tiny_messages_unread(port):
    with contextlib.ExitStack() as stack:
        (client,) = crowd(stack, port, 1, receive_buffer=4096)
        expect(push(client, frame(2, bytes(100)) * MILLION), "it was not ended")
    return 1


def never_read_never_stop(port, count=20):
    """Each sends 64 KiB messages as fast as it can and takes nothing."""
    message = frame(2, bytes(65536)) * 4
    with contextlib.ExitStack() as stack:
        clients = {client.socket: client for client in crowd(stack, port, count, receive_buffer=4096)}
        left = dict.fromkeys(clients, b"")
        for one in clients:
            one.setblocking(False)
        end = time.monotonic() + 15
        while clients and time.monotonic() < end:
            for one in select.select([], list(clients), [], 0.05)[1]:
                try:
                    left[one] = left[one] or message
                    left[one] = left[one][one.send(left[one]) :]
                except BlockingIOError:
                    pass
                except GONE:
                    del clients[one]
            for one in [one for one, client in clients.items() if is_over(client)]:
                del clients[one]
        expect(not clients, f"{len(clients)} of {count} were not ended")
    return count


def drip_readers(port, count=50):
    """Each asks for 8 MiB and takes a byte every 50 ms."""
    asked = frame(2, bytes(1 << 20)) * 8
    with contextlib.ExitStack() as stack:
        clients = crowd(stack, port, count, receive_buffer=4096)
        left = {client: memoryview(asked) for client in clients}
        for client in clients:
            client.socket.setblocking(False)
        end = time.monotonic() + 20
        while left and time.monotonic() < end:
            for client in list(left):
                with contextlib.suppress(BlockingIOError):
                    try:
                        if left[client]:
                            left[client] = left[client][client.socket.send(left[client][: 1 << 16]) :]
                        client.socket.recv(1)
                    except GONE:
                        del left[client]
                        continue
                if is_over(client):
                    del left[client]
            time.sleep(0.05)
        expect(not left, f"{len(left)} of {count} were not ended")
    return count


# ---- slow and half ones


def drip_writers(port, count=200):
    """All at once, a byte each in turn: a request, and a message of 300 bytes. All of it is served."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(RawClient(port)) for _ in range(count)]
        for client in clients:
            client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        payload = b"drip" * 75
        said = [request(port) + frame(2, payload) for _ in clients]
        for at in range(len(said[0])):
            for client, what in zip(clients, said):
                client.send(what[at : at + 1])
        for client in clients:
            expect(client.read_status() == 101, "a handshake was refused")
            expect(client.read_frame() == (2, payload), "another message than was sent")
            client.send(CLOSE)
            expect(client.read_close() == 1000, "its Close was not answered")
    return count


def half_handshakes(port, count=2000):
    """Then silence: each is told 408."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(RawClient(port)) for _ in range(count)]
        for number, client in enumerate(clients):
            client.send(request(port)[: number % 150])
        for client in clients:
            expect(client.read_status() == 408, "not told that it timed out")
    return count


def oversized_headers(port, count=200):
    for number in range(count):
        with RawClient(port) as client:
            if number % 2:
                client.send(request(port, X_Long="x" * (1 << 20)))
            else:
                client.send(request(port, **{f"X_{at}": "x" for at in range(5000)}))
            expect(client.read_status() == 431, "not told that it was too large")
    return count


def announced_lengths(port, count=500):
    """2^63-1 bytes announced: refused with 1009 for the header alone."""
    with contextlib.ExitStack() as stack:
        for client in crowd(stack, port, count):
            client.send(frame(2, length=b"\x7f\x7f" + b"\xff" * 7) + bytes(1000))
            expect(client.read_close() == 1009, "not told that it was too big")
    return count


def announced_and_begun(port, count=500):
    """As much as is allowed announced, a thousand bytes of it sent: memory follows the bytes."""
    with contextlib.ExitStack() as stack:
        clients = crowd(stack, port, count)
        for client in clients:
            client.send(frame(2, bytes(1000), length=b"\x7f" + struct.pack(">Q", 1 << 20)))
        time.sleep(0.5)
        for client in clients:
            client.socket.shutdown(socket.SHUT_WR)
        for client in clients:
            client.read_close()
    return count


# ---- ends


def cuts(port, end):
    """The connection ends behind each byte of a handshake and some frames."""
    said = (
        request(port)
        + frame(1, b"be", fin=False)
        + frame(9, b"between")
        + frame(0, b"gun")
        + frame(2, bytes(200))
        + frame(2, bytes(20), length=b"\x7f" + struct.pack(">Q", 70000))
    )
    closing = request(port) + frame(1, b"one") + CLOSE
    streams = [said[:at] for at in range(len(said))] + [closing[:at] for at in range(len(closing) - 12, len(closing) + 1)]
    for stream in streams:
        with RawClient(port) as client:
            client.send(stream)
            if len(stream) % 3 == 0:
                client.socket.settimeout(0.02)
                with contextlib.suppress(OSError):
                    client.socket.recv(100)  # so that the server has seen it
            end(client)
    return len(streams)


def resets(port):
    return cuts(port, RawClient.reset)


def half_closes(port):
    def end(client):
        client.socket.settimeout(5)
        with contextlib.suppress(OSError):
            client.socket.shutdown(socket.SHUT_WR)
            while client.socket.recv(65536):
                pass

    return cuts(port, end)


def vanishings(port):
    return cuts(port, lambda client: client.socket.close())


def close_storm(port, count=2000):
    """Handshake and Close in one packet; then 20 that say Close 20,000 times; then 500 that reset at once."""
    for _ in range(count):
        with RawClient(port) as client:
            client.send(request(port) + CLOSE)
            expect(client.read_status() == 101 and client.read_close() == 1000, "its Close was not answered")
    with contextlib.ExitStack() as stack:
        for client in crowd(stack, port, 20):
            client.send(CLOSE * 20_000)
            expect(client.read_close() == 1000, "its Close was not answered")
        for client in crowd(stack, port, 500):
            client.reset()
    return count + 520


def idle(port, count=10_000):
    with contextlib.ExitStack() as stack:
        made = 0
        clients = []
        while made < count:
            clients += crowd(stack, port, min(500, count - made))
            made = len(clients)
        time.sleep(1)
        for client in clients[:: max(1, count // 100)]:
            client.send(frame(1, b"still there?"))
            expect(client.read_frame() == (1, b"still there?"), "an idle connection is dead")
    return count
