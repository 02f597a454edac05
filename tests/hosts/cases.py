"""What every host must do, case by case: README.md has the protocol. Each case gets a host of its own, and a time.

A case is a function of a Stage. After it the host is told to end, and must end well.
"""

import socket
import struct
import threading
import time

from host import Failed
from peer import BINARY, CLOSE, LIMIT, PING, PONG, TEXT, close_payload, describe, frame, request

MIB = 1 << 20
CONT = 0
WRITE, CLOSING, HANDSHAKE = 2.0, 2.0, 5.0  # the hosts' timeouts
PATIENCE = 15.0  # seconds beyond them, for a busy machine: what is not bounded would last for ever
LATE = "others were held up"
HELD = 24 << 10  # KiB that a connection may hold: what may be unsent (8 MiB), its slack, and what is read meanwhile


def every_byte(size):
    return (bytes(range(256)) * (size // 256 + 1))[:size]


def letters(size):
    return (b"abcdefghijklmnopqrstuvwxyz" * (size // 26 + 1))[:size]


# ---- messages


def echo(stage):
    """From nothing to 1 MiB, both kinds, at every length where the header changes."""
    peer = stage.open()
    for size in (0, 1, 125, 126, 127, 65535, 65536, 100_000, MIB):
        peer.expect_echo(TEXT, letters(size))
        peer.expect_echo(BINARY, every_byte(size))
    peer.close()


def echo_of_many(stage):
    """A thousand messages in one go come back in order."""
    peer = stage.open()
    payloads = [b"message %d" % i for i in range(1000)]
    peer.send(*(frame(TEXT, each) for each in payloads))
    for each in payloads:
        peer.expect(TEXT, each)
    peer.close()


def byte_by_byte(stage):
    peer = stage.open()
    for byte in frame(TEXT, b"slowly") + frame(BINARY, b"\x00\xff"):
        peer.send(bytes([byte]))
    peer.expect(TEXT, b"slowly")
    peer.expect(BINARY, b"\x00\xff")
    peer.close()


def fragments(stage):
    """A message in pieces, cut inside a character, with PINGs between them."""
    peer = stage.open()
    whole = "ä€🙂".encode() * 1000
    for size in (1, 2, 7, 4096):
        pieces = [whole[at : at + size] for at in range(0, min(len(whole), size * 500) // 9 * 9, size)]
        message = b"".join(pieces)
        message = message[: len(message) // 9 * 9]
        pieces = [message[at : at + size] for at in range(0, len(message), size)]
        for at, piece in enumerate(pieces):
            peer.send(frame(TEXT if at == 0 else CONT, piece, fin=at == len(pieces) - 1))
            if at == len(pieces) // 2 and at != len(pieces) - 1:
                peer.send(frame(PING, b"between"))
                peer.expect(PONG, b"between")
        peer.expect(TEXT, message)
    peer.send(frame(BINARY, fin=False), frame(CONT, fin=False), frame(CONT, b"", fin=True))
    peer.expect(BINARY, b"")
    peer.close()


def ping(stage):
    peer = stage.open()
    for payload in (b"", b"x", every_byte(125)):
        peer.send(frame(PING, payload))
        peer.expect(PONG, payload)
    peer.send(frame(PONG, b"unasked"))
    peer.expect_echo(TEXT, b"after an unasked PONG")
    peer.close()


def push_beside_echo(stage):
    """Pushes and echoes mingle; each kind keeps its order, and none is lost."""
    peer = stage.open()
    pushes, echoes = 300, 300
    peer.send(frame(TEXT, b"push %d 2000" % pushes))
    peer.send(*(frame(TEXT, b"echo %d " % i + letters(i * 7)) for i in range(echoes)))
    pushed = echoed = 0
    while pushed < pushes or echoed < echoes:
        got = peer.read_frame()
        if got == (TEXT, pushed_text(pushed, 2000)):
            pushed += 1
        elif got == (TEXT, b"echo %d " % echoed + letters(echoed * 7)):
            echoed += 1
        else:
            raise Failed(f"{describe(got)} after {pushed} pushes and {echoed} echoes")
    peer.close()


def push_of_many(stage):
    """Much more than may be unsent, to a peer that reads: the pusher waits for room, and nothing is lost."""
    peer = stage.open()
    peer.send(frame(TEXT, b"push 2000 16384"))
    for number in range(2000):
        peer.expect(TEXT, pushed_text(number, 16384))
    peer.close()


def pushed_text(number, size):
    return (b"push %d " % number).ljust(size, b".")


# ---- a real client


def real_client(stage):
    """The Python library websockets: everything once."""
    from websockets.sync.client import connect

    scheme, more = ("wss", {"ssl": stage.tls_context, "server_hostname": "localhost"}) if stage.tls else ("ws", {})
    with connect(
        f"{scheme}://127.0.0.1:{stage.host.port}/ws", ping_interval=None, max_size=None, compression=None, **more
    ) as client:
        for message in ("Grüße, 世界", "", bytes(range(256)), "é" * (MIB // 2), every_byte(MIB)):
            client.send(message)
            expect(client.recv(LIMIT) == message, "another message came back")
        client.send(("piece " + str(i) for i in range(20)))
        expect(client.recv(LIMIT) == "".join("piece " + str(i) for i in range(20)), "fragments came back otherwise")
        expect(client.ping(b"p" * 125).wait(LIMIT), "a PING was not answered")
        client.send("push 3 100")
        expect([client.recv(LIMIT)[:6] for _ in range(3)] == ["push 0", "push 1", "push 2"], "the pushes did not come")
        client.close(3456, "enough")
        expect(client.close_code == 3456, f"the Close was answered with {client.close_code}")


def expect(holds, otherwise):
    if not holds:
        raise Failed(otherwise)


# ---- closes


def close_by_peer(stage):
    """The code comes back, what was asked before is answered before, and the host ends the stream first."""
    for code, reason in ((1000, ""), (1001, "going"), (1011, "é" * 61), (3000, "three"), (4999, "last")):
        peer = stage.open()
        peer.send(frame(TEXT, b"before"), frame(CLOSE, close_payload(code, reason)))
        peer.expect(TEXT, b"before")
        peer.expect_close(code)
        peer.expect_end()
    peer = stage.open()
    peer.send(frame(CLOSE))
    peer.expect_close(1005)
    peer.expect_end()


def close_by_host(stage):
    peer = stage.open()
    peer.expect_echo(TEXT, b"first")
    peer.send(frame(TEXT, b"bye"))
    peer.expect_close(1001, "bye")
    peer.send(frame(CLOSE, close_payload(1001)))
    peer.expect_end()


def close_while_sending(stage):
    """The peer has megabytes on their way when the host closes: its Close arrives, and no reset."""
    peer = stage.open()
    megabytes = frame(BINARY, every_byte(MIB)) * 4
    taken = []
    sender = threading.Thread(target=lambda: taken.append(peer.try_send(megabytes)))
    peer.send(frame(TEXT, b"bye"))
    sender.start()
    while True:
        got = peer.read_frame()
        if got is None or got[0] == CLOSE:
            break
    sender.join()
    expect(taken == [True], "what was on its way was refused")
    expect(got == (CLOSE, close_payload(1001, "bye")), f"{describe(got)} instead of Close 1001")
    peer.send(frame(CLOSE, close_payload(1001)))
    peer.expect_end()


def close_unanswered(stage):
    """A peer that does not answer the host's Close is let go within its time."""
    base = stage.host.sockets()
    peer = stage.open()
    peer.send(frame(TEXT, b"bye"))
    peer.expect_close(1001, "bye")
    stage.host.expect_sockets(base, CLOSING * 2 + PATIENCE)


def data_after_close(stage):
    """What follows a Close is thrown away."""
    peer = stage.open()
    peer.send(frame(CLOSE, close_payload(1000)), frame(TEXT, b"late"), b"\xff" * 1000)
    peer.expect_close(1000)
    peer.expect_end()


# ---- the request


def glued_frames(stage):
    """What came in one piece with the request is read."""
    peer = stage.connect()
    peer.send(request(peer.port, target="/ws"), frame(TEXT, b"at once"), frame(PING, b"p"), frame(BINARY, every_byte(70_000)))
    peer.expect_status(101)
    got = [peer.read_frame() for _ in range(3)]  # a PONG may overtake an echo
    for wanted in ((TEXT, b"at once"), (PONG, b"p"), (BINARY, every_byte(70_000))):
        expect(wanted in got, f"{describe(wanted)} is missing among {', '.join(map(describe, got))}")
    peer.close()
    peer = stage.connect()
    peer.send(request(peer.port, target="/ws"), frame(TEXT, b"and a Close"), frame(CLOSE, close_payload(1000)))
    peer.expect_status(101)
    peer.expect(TEXT, b"and a Close")
    peer.expect_close(1000)
    peer.expect_end()


def request_in_pieces(stage):
    peer = stage.connect()
    whole = request(peer.port, target="/ws") + frame(TEXT, b"seven")
    for at in range(0, len(whole), 7):
        peer.send(whole[at : at + 7])
        time.sleep(0.001)
    peer.expect_status(101)
    peer.expect(TEXT, b"seven")
    peer.close()


def plain_http(stage):
    """Other paths are HTTP, an upgrade or not; and one who asks for the WebSocket badly is told so."""
    for target, fields, allowed in (
        ("/", {"Upgrade": None, "Connection": "close", "Sec-WebSocket-Key": None}, range(200, 500)),
        ("/ws", {"Upgrade": None, "Connection": "close", "Sec-WebSocket-Key": None}, range(400, 500)),
        ("/other", {}, range(200, 500)),
        ("/ws", {"Sec-WebSocket-Key": "short"}, range(400, 500)),
        ("/ws", {"Sec-WebSocket-Version": "12"}, range(400, 500)),
    ):
        peer = stage.connect()
        peer.send(request(peer.port, target=target, **fields))
        status, head = peer.read_head()
        expect(status in allowed and status != 101, f"{target} {fields} was answered with {status}")
        size = int(head.get("content-length", 0))
        while len(peer.pending) < size and peer._fill():
            pass
        expect(len(peer.pending) >= size, f"{target}: {len(peer.pending)} bytes of a body of {size}")
    peer = stage.open()
    peer.expect_echo(TEXT, b"still there")
    peer.close()


def endless_request(stage):
    """One that says nothing, one that never stops, one that has a megabyte of it: ended in time, others not held up."""
    base = stage.host.sockets()
    silent, dripping, large = stage.connect(), stage.connect(), stage.connect()
    silent.send(b"GET /ws HTTP/1.1\r\nHost: localhost\r\n")
    dripping.send(b"GET /ws HTTP/1.1\r\nHost: localhost\r\n")
    began = time.monotonic()
    for _ in range(64):
        if not large.try_send(b"X-Filler: ", letters(1 << 14), b"\r\n"):
            break
    other = stage.open()
    while dripping.try_send(b"X-More: and more\r\n") and stage.host.sockets() > base + 1:
        other.expect_echo(TEXT, b"beside it")
        expect(time.monotonic() - began < HANDSHAKE + PATIENCE, "a request that never ends is read for ever")
        time.sleep(0.1)
    stage.host.expect_sockets(base + 1, HANDSHAKE + PATIENCE)
    other.close()


# ---- broken rules

BROKEN = [
    ("a frame without a mask", frame(TEXT, b"x", masked=False), 1002),
    ("RSV1", frame(TEXT, b"x", rsv=4), 1002),
    ("RSV3 on a PING", frame(PING, rsv=1), 1002),
    ("opcode 3", frame(3, b"x"), 1002),
    ("opcode 11", frame(11), 1002),
    ("a PING in fragments", frame(PING, b"x", fin=False), 1002),
    ("a PING of 126 bytes", frame(PING, letters(126)), 1002),
    ("a continuation of nothing", frame(CONT, b"x"), 1002),
    ("a message inside another", frame(TEXT, b"x", fin=False) + frame(TEXT, b"y"), 1002),
    ("a length that is too long", frame(TEXT, b"x", length=b"\x7e\x00\x01"), 1002),
    ("a length of 2^63", frame(BINARY, b"", length=b"\x7f" + b"\x80" + bytes(7)), 1002),
    ("a Close of one byte", frame(CLOSE, b"\x03"), 1002),
    ("Close 1005", frame(CLOSE, close_payload(1005)), 1002),
    ("Close 1006", frame(CLOSE, close_payload(1006)), 1002),
    ("Close 2000", frame(CLOSE, close_payload(2000)), 1002),
    ("a reason that is no UTF-8", frame(CLOSE, close_payload(1000) + b"\xff"), 1007),
    ("a text that is no UTF-8", frame(TEXT, b"\xc0\x80"), 1007),
    ("half a character", frame(TEXT, "€".encode()[:2]), 1007),
    ("a surrogate in two fragments", frame(TEXT, b"\xed", fin=False) + frame(CONT, b"\xa0\x80"), 1007),
    ("16 MiB announced", frame(BINARY, b"", length=b"\x7f" + struct.pack(">Q", 16 * MIB)), 1009),
]


def broken_rules(stage):
    """Each ends the connection with its code, after what came before it was answered; and then the stream, in order."""
    for name, data, code in BROKEN:
        peer = stage.open()
        peer.send(frame(TEXT, b"before"), data)
        try:
            peer.expect(TEXT, b"before")
            peer.expect_close(code)
            peer.expect_end()
        except Failed as why:
            raise Failed(f"{name}: {why}") from None


# ---- ends of the stream


def half_close(stage):
    """The peer's stream ends without a Close: what it said is answered, and it is told what is wrong (1002)."""
    peer = stage.open()
    peer.send(*(frame(TEXT, b"last %d" % i) for i in range(20)))
    peer.end_output()
    for i in range(20):
        peer.expect(TEXT, b"last %d" % i)
    peer.expect_close(1002)
    peer.expect_end()
    peer = stage.open()  # after a Close it is in order
    peer.send(frame(TEXT, b"last"), frame(CLOSE, close_payload(1000)))
    peer.end_output()
    peer.expect(TEXT, b"last")
    peer.expect_close(1000)
    peer.expect_end()
    peer = stage.open(receive_buffer=4096)  # the answer fills the sockets, and the host knows that no more comes
    peer.send(frame(TEXT, letters(900_000)), frame(CLOSE, close_payload(1000)))
    peer.end_output()
    time.sleep(0.3)
    peer.expect(TEXT, letters(900_000))
    peer.expect_close(1000)
    peer.expect_end()
    peer = stage.connect()  # before there is a connection
    peer.send(b"GET /ws HTTP/1.1\r\nHo")
    peer.end_output()
    peer.read_until_end()


def resets(stage):
    """At every stage: nothing is left, and others go on."""
    base = stage.host.sockets()
    other = stage.open()
    for attempt in range(10):
        stage.connect().reset()
        peer = stage.connect()
        peer.send(b"GET /ws HTTP")
        peer.reset()
        stage.open().reset()
        peer = stage.open()
        peer.send(*[frame(TEXT, letters(1000))] * 50, frame(TEXT, b"push 100 1000"), frame(TEXT, b"cut")[:3])
        peer.reset()
        peer = stage.open()
        peer.send(frame(TEXT, b"push 50 100000"))
        peer.reset()
        other.expect_echo(TEXT, b"round %d" % attempt)
    stage.host.expect_sockets(base + 1, WRITE + CLOSING + PATIENCE)
    other.close()


# ---- many, and those that do not read


def no_descriptors(stage):
    """More connect than the process has descriptors for: the others are served meanwhile, and later ones after it."""
    peer = stage.open()
    peer.expect_echo(TEXT, b"before")
    stage.host.leave_descriptors(3)
    crowd = [socket.create_connection(("127.0.0.1", stage.host.port)) for _ in range(20)]
    for turn in range(20):  # while it is asked for more than it has
        peer.expect_echo(TEXT, b"meanwhile %d" % turn)
        time.sleep(0.01)
    for each in crowd:
        each.close()
    stage.host.give_descriptors()
    later = stage.open()
    for each in (peer, later):
        each.expect_echo(TEXT, b"after it")
        each.close()


def forty(stage):
    """At once, each with its own words."""
    base = stage.host.sockets()
    peers = [stage.open() for _ in range(40)]
    for turn in range(5):
        for number, peer in enumerate(peers):
            peer.send(frame(TEXT, b"%d in turn %d" % (number, turn)), frame(TEXT, b"push 2 20"))
        for number, peer in enumerate(peers):
            got = sorted(peer.read_frame() for _ in range(3))
            wanted = sorted([(TEXT, b"%d in turn %d" % (number, turn)), (TEXT, pushed_text(0, 20)), (TEXT, pushed_text(1, 20))])
            expect(got == wanted, f"connection {number} got {', '.join(map(describe, got))}")
    for peer in peers:
        peer.close()
    stage.host.expect_sockets(base, PATIENCE)


def ping_flood(stage):
    """16 MiB of them, none of whose PONGs is read: memory is bounded, others go on. It need not be cut off, because a PONG
    that waits may be replaced by the next one. Then one who reads gets the last PONG."""
    base = stage.host.sockets()
    before = stage.host.resident()
    stuck = stage.open(receive_buffer=1 << 12)
    stuck.pour(frame(PING, letters(125)) * 1000, 16 * MIB, 0.5)
    others_go_on(stage, stuck, base, before, is_cut_off=False)
    peer = stage.open()
    peer.send(*(frame(PING, b"%d" % i) for i in range(5000)), frame(TEXT, b"after them"))
    last = -1
    while (got := peer.read_frame()) is not None:
        if got[0] != PONG:
            break
        expect(int(got[1]) > last, "a PONG came out of order")
        last = int(got[1])
    if last != 4999:  # it may come after the echo
        expect(got == (TEXT, b"after them"), f"{describe(got)} instead of the echo")
        while last != 4999:
            again = peer.read_frame()
            expect(again is not None and again[0] == PONG and int(again[1]) > last, f"{describe(again)}, no PONG")
            last = int(again[1])
    expect(got == (TEXT, b"after them"), f"{describe(got)} instead of the echo")
    peer.close()


def never_reads_echoes(stage):
    base = stage.host.sockets()
    before = stage.host.resident()
    stuck = stage.open(receive_buffer=1 << 12)
    stuck.pour(frame(BINARY, every_byte(MIB)), 256 * MIB, 0.5)
    others_go_on(stage, stuck, base, before)


def never_reads_pushes(stage):
    base = stage.host.sockets()
    before = stage.host.resident()
    stuck = stage.open(receive_buffer=1 << 12)
    stuck.send(frame(TEXT, b"push 16384 16384"))
    others_go_on(stage, stuck, base, before)


def others_go_on(stage, stuck, base, before, is_cut_off=True):
    """Beside one that is stuck: until it is cut off, and that comes in time, or need not be. `base`: sockets without it."""
    began = time.monotonic()
    end = began + WRITE + (CLOSING + PATIENCE if is_cut_off else 0)
    other = stage.open()
    most = 0
    worst = 0.0
    while True:
        other.expect_echo(TEXT, b"beside it")
        worst = max(worst, time.monotonic() - began)
        most = max(most, stage.host.resident())
        if stage.host.sockets() <= base + 1:
            break
        if time.monotonic() > end:
            expect(not is_cut_off, "a peer that reads nothing is never cut off")
            break
        time.sleep(0.02)
        began = time.monotonic()
    # A host that waits for one that is stuck waits for as long as a write may take.
    expect(worst < 0.75 * WRITE, f"{LATE} for {worst:.1f} s")
    expect(most - before < HELD * stage.slack, f"memory grew by {most - before} KiB")
    other.send(frame(TEXT, b"push 10 100"))
    for number in range(10):
        other.expect(TEXT, pushed_text(number, 100))
    other.close()
    stuck.socket.close()


# ---- SIGTERM


def stop_when_idle(stage):
    """1001 to all, also to those that have not asked yet, or have half."""
    peers = [stage.open() for _ in range(5)]
    for peer in peers:
        peer.expect_echo(TEXT, b"here")
    stage.connect()
    stage.connect().send(b"GET /ws HTTP/1.1\r\n")
    stage.host.terminate()
    for peer in peers:
        peer.expect_close(1001)
        peer.send(frame(CLOSE, close_payload(1001)))
        peer.expect_end()
    stage.host.expect_exit()


def stop_amid_pushes(stage):
    """What was pushed arrives without a gap, and then 1001."""
    peers = [stage.open() for _ in range(4)]
    for peer in peers:
        peer.send(frame(TEXT, b"push 1000000 1000"))
    for peer in peers:
        for number in range(100):
            peer.expect(TEXT, pushed_text(number, 1000))
    stage.host.terminate()
    threads = stage.in_threads([lambda peer=peer: read_pushes_to_close(peer, 100, 1000) for peer in peers])
    threads()
    stage.host.expect_exit()


def read_pushes_to_close(peer, number, size):
    while (got := peer.read_frame()) == (TEXT, pushed_text(number, size)):
        number += 1
    expect(got is not None and got[:1] == (CLOSE,), f"{describe(got)} after {number} pushes")
    expect(got[1][:2] == close_payload(1001), f"{describe(got)} instead of Close 1001")
    peer.send(frame(CLOSE, close_payload(1001)))
    peer.expect_end()
    return number


def stop_with_unread_pushes(stage):
    """All that was accepted when the signal came arrives, although the peer had not read it by then."""
    peer, other = stage.open(receive_buffer=1 << 14), stage.open()
    peer.send(frame(TEXT, b"push 400 16384"))
    peer.expect(TEXT, pushed_text(0, 16384))  # the pusher has it
    other.send(frame(TEXT, b"push 1 10"))  # whose turn comes after the other's
    other.expect(TEXT, pushed_text(0, 10))
    stage.host.terminate()
    count = read_pushes_to_close(peer, 1, 16384)
    expect(count == 400, f"{count} of 400 pushes arrived")
    read_pushes_to_close(other, 0, 10)
    stage.host.expect_exit()


CASES = [
    echo, echo_of_many, byte_by_byte, fragments, ping, push_beside_echo, push_of_many, real_client,
    close_by_peer, close_by_host, close_while_sending, close_unanswered, data_after_close,
    glued_frames, request_in_pieces, plain_http, endless_request, broken_rules,
    half_close, resets, no_descriptors, forty, ping_flood, never_reads_echoes, never_reads_pushes,
    stop_when_idle, stop_amid_pushes, stop_with_unread_pushes,
]  # fmt: skip
