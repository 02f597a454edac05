"""What a hostile peer can do: each attack takes an EchoServer and returns how many connections it made.

An attack raises Broken when the server answers what it should not. Everything goes over real sockets, and every loop has
an end.
"""

import contextlib
import re
import resource
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
LIMIT = 40  # seconds
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


def push(client, data):
    """Sends data without reading anything, all of it or until the server has had enough."""
    client.socket.settimeout(5)
    with contextlib.suppress(*GONE, TimeoutError):
        client.socket.sendall(data)


def answered_close(came):
    """The stream is the frames so far and an answering Close with 1000."""
    return came.endswith(b"\x88\x02\x03\xe8")


# ---- floods that are read


def ping_flood(server):
    """The newest PING is always answered; of those before it, as many as the reserve for PONGs has room for."""
    with contextlib.ExitStack() as stack:
        (client,) = crowd(stack, server.port, 1)
        came = pump(client, frame(9, b"ping") * (MILLION - 1) + frame(9, b"last") + CLOSE, answered_close)
        expect(re.fullmatch(rb"(\x8a\x04ping)*\x8a\x04last\x88\x02\x03\xe8", came), "PONGs of another PING")
    return 1


def one_byte_fragments(server):
    with contextlib.ExitStack() as stack:
        (client,) = crowd(stack, server.port, 1)
        message = frame(1, b"a", fin=False) + frame(0, b"b", fin=False) * 3998 + frame(0, b"c")
        came = pump(client, message * 250 + CLOSE, answered_close)
        echo = b"\x81\x7e" + struct.pack(">H", 4000) + b"a" + b"b" * 3998 + b"c"
        expect(came == echo * 250 + b"\x88\x02\x03\xe8", "another message than was sent")
    return 1


def empty_fragments(server):
    with contextlib.ExitStack() as stack:
        (client,) = crowd(stack, server.port, 1)
        message = frame(1, fin=False) + frame(0, fin=False) * 3998 + frame(0)
        came = pump(client, message * 250 + CLOSE, answered_close)
        expect(came == b"\x81\x00" * 250 + b"\x88\x02\x03\xe8", "another message than was sent")
    return 1


def endless_fragments(server):
    """One message of a million fragments: refused with 1008 at the limit."""
    with contextlib.ExitStack() as stack:
        (client,) = crowd(stack, server.port, 1)
        came = pump(client, frame(1, fin=False) + frame(0, b"x", fin=False) * MILLION, lambda _: False)
        expect(came[:1] == b"\x88" and came[2:4] == struct.pack(">H", 1008), f"not refused with 1008: {came[:40]}")
    return 1


def tiny_messages(server):
    with contextlib.ExitStack() as stack:
        (client,) = crowd(stack, server.port, 1)
        came = pump(client, frame(1, b"x") * MILLION + CLOSE, answered_close)
        expect(came == b"\x81\x01x" * MILLION + b"\x88\x02\x03\xe8", "another message than was sent")
    return 1


# ---- floods whose answers are not read


def ping_flood_unread(server):
    with contextlib.ExitStack() as stack:
        (client,) = crowd(stack, server.port, 1, receive_buffer=4096)
        push(client, frame(9, bytes(125)) * MILLION)
        expect(server.wait_for_more_ends(1), "it was not ended")
    return 1


def tiny_messages_unread(server):
    with contextlib.ExitStack() as stack:
        (client,) = crowd(stack, server.port, 1, receive_buffer=4096)
        push(client, frame(2, bytes(100)) * MILLION)
        expect(server.wait_for_more_ends(1), "it was not ended")
    return 1


def empty_messages_unread(server):
    """Each costs more to account for than to send."""
    with contextlib.ExitStack() as stack:
        (client,) = crowd(stack, server.port, 1, receive_buffer=4096)
        push(client, frame(1) * (6 * MILLION))
        expect(server.wait_for_more_ends(1), "it was not ended")
    return 1


def never_read_never_stop(server, count=20):
    """Each sends 64 KiB messages as fast as it can and takes nothing."""
    message = frame(2, bytes(65536)) * 4
    with contextlib.ExitStack() as stack:
        left = {client.socket: b"" for client in crowd(stack, server.port, count, receive_buffer=4096)}
        for one in left:
            one.setblocking(False)
        end = time.monotonic() + LIMIT
        while not server.wait_for_more_ends(count, 0) and time.monotonic() < end:
            for one in select.select([], list(left), [], 0.05)[1]:
                try:
                    left[one] = left[one] or message
                    left[one] = left[one][one.send(left[one]) :]
                except BlockingIOError:
                    pass
                except GONE:
                    del left[one]
        expect(time.monotonic() < end, "they were not all ended")
    return count


def drip_readers(server, count=50):
    """Each asks for 8 MiB and takes a byte every 50 ms."""
    asked = frame(2, bytes(1 << 20)) * 8
    with contextlib.ExitStack() as stack:
        left = {client.socket: memoryview(asked) for client in crowd(stack, server.port, count, receive_buffer=4096)}
        for one in left:
            one.setblocking(False)
        end = time.monotonic() + LIMIT
        while not server.wait_for_more_ends(count, 0.05) and time.monotonic() < end:
            for one in list(left):
                try:
                    with contextlib.suppress(BlockingIOError):
                        left[one] = left[one][one.send(left[one][: 1 << 16]) :]
                    with contextlib.suppress(BlockingIOError):
                        one.recv(1)
                except GONE:
                    del left[one]
        expect(time.monotonic() < end, "they were not all ended")
    return count


# ---- slow and half ones


def drip_writers(server, count=100):
    """All at once, a byte each in turn: a request, and a message of 300 bytes. All of it is served."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(RawClient(server.port)) for _ in range(count)]
        for client in clients:
            client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        payload = b"drip" * 75
        said = [request(server.port) + frame(2, payload) for _ in clients]
        for at in range(len(said[0])):
            for client, what in zip(clients, said):
                client.send(what[at : at + 1])
        for client in clients:
            expect(client.read_status() == 101, "a handshake was refused")
            expect(client.read_frame() == (2, payload), "another message than was sent")
            client.send(CLOSE)
            expect(client.read_close() == 1000, "its Close was not answered")
    return count


def half_handshakes(server, count=2000):
    """Then silence: each is told 408."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(RawClient(server.port)) for _ in range(count)]
        for number, client in enumerate(clients):
            client.send(request(server.port)[: number % 150])
        for client in clients:
            expect(client.read_status() == 408, "not told that it timed out")
    return count


def oversized_headers(server, count=200):
    for number in range(count):
        with RawClient(server.port) as client:
            if number % 2:
                client.send(request(server.port, X_Long="x" * (1 << 20)))
            else:
                client.send(request(server.port, **{f"X_{at}": "x" for at in range(5000)}))
            expect(client.read_status() == 431, "not told that it was too large")
    return count


def announced_lengths(server, count=500):
    """2^63-1 bytes announced: refused with 1009 for the header alone."""
    with contextlib.ExitStack() as stack:
        for client in crowd(stack, server.port, count):
            client.send(frame(2, length=b"\x7f\x7f" + b"\xff" * 7) + bytes(1000))
            expect(client.read_close() == 1009, "not told that it was too big")
    return count


def announced_and_begun(server, count=500):
    """As much as is allowed announced, a thousand bytes of it sent: memory follows the bytes."""
    with contextlib.ExitStack() as stack:
        clients = crowd(stack, server.port, count)
        for client in clients:
            client.send(frame(2, bytes(1000), length=b"\x7f" + struct.pack(">Q", 1 << 20)))
        time.sleep(0.5)
        for client in clients:
            client.socket.shutdown(socket.SHUT_WR)
        for client in clients:
            client.read_close()
    return count


# ---- ends


def cuts(server, end):
    """The connection ends after each byte of a handshake and some frames."""
    said = (
        request(server.port)
        + frame(1, b"be", fin=False)
        + frame(9, b"between")
        + frame(0, b"gun")
        + frame(2, bytes(200))
        + frame(2, bytes(20), length=b"\x7f" + struct.pack(">Q", 70000))
    )
    closing = request(server.port) + frame(1, b"one") + CLOSE
    streams = [said[:at] for at in range(len(said))] + [closing[:at] for at in range(len(closing) - 12, len(closing) + 1)]
    for stream in streams:
        with RawClient(server.port) as client:
            client.send(stream)
            if len(stream) % 3 == 0:
                client.socket.settimeout(0.02)
                with contextlib.suppress(OSError):
                    client.socket.recv(100)  # so that the server has seen it
            end(client)
    return len(streams)


def resets(server):
    return cuts(server, RawClient.reset)


def half_closes(server):
    def end(client):
        client.socket.settimeout(5)
        with contextlib.suppress(OSError):
            client.socket.shutdown(socket.SHUT_WR)
            while client.socket.recv(65536):
                pass

    return cuts(server, end)


def vanishings(server):
    return cuts(server, lambda client: client.socket.close())


def close_storm(server, count=2000):
    """Handshake and Close in one packet; then 20 that say Close 20,000 times; then 500 that reset at once."""
    for _ in range(count):
        with RawClient(server.port) as client:
            client.send(request(server.port) + CLOSE)
            expect(client.read_status() == 101 and client.read_close() == 1000, "its Close was not answered")
    with contextlib.ExitStack() as stack:
        for client in crowd(stack, server.port, 20):
            client.send(CLOSE * 20_000)
            expect(client.read_close() == 1000, "its Close was not answered")
        for client in crowd(stack, server.port, 500):
            client.reset()
    return count + 520


def idle(server, count=10_000):
    count = min(count, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100)
    with contextlib.ExitStack() as stack:
        made = 0
        clients = []
        while made < count:
            clients += crowd(stack, server.port, min(500, count - made))
            made = len(clients)
        time.sleep(1)
        for client in clients[:: max(1, count // 100)]:
            client.send(frame(1, b"still there?"))
            expect(client.read_frame() == (1, b"still there?"), "an idle connection is dead")
    return count
