"""What one connection of the soak will do: made from the seed and the connection's number alone, before it begins.

Only what does not matter is left to chance: masking keys, the handshake's key, and the clock.
"""

import random
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples" / "relay" / "clients"))
from raw_client import frame, request  # noqa: E402

MIB = 1 << 20
TEXT = "plain, größer, κόσμε, 漢字, 🙂 and back. ".encode()
EDGES = [0, 1, 124, 125, 126, 127, 65535, 65536, MIB]
TO_EVERYONE = b"to everyone: "  # how a broadcast of the server's begins; no message of ours does
MOST_PINGS = 250  # that wait for their PONGs: the server's reserve is 256

# What ends a connection, and how many of a thousand do.
KINDS = {
    "orderly": 400,  # all of it is echoed, then we close
    "wrong": 130,  # all of it is echoed, then we break a rule
    "refused": 100,  # a handshake that is answered with an error
    "killed": 120,  # closed without a Close, wherever it stands
    "reset": 130,  # the same with an RST
    "half-closed": 50,  # our direction ends, wherever it stands
    "deaf": 20,  # sends and never reads until the server has had enough
    "staying": 50,  # open until the server is told to end
}


@dataclass
class Step:
    """Bytes to send, and what they are to bring."""

    what: str
    data: bytes
    echoes: list = field(default_factory=list)  # (opcode, payload)
    pings: list = field(default_factory=list)  # payloads
    before: float = 0.0  # seconds to wait first
    deaf_for: float = 0.0  # seconds without reading from its beginning on
    piece: int = 0  # bytes per write; 0: as many as the system takes
    then_wait: bool = True  # for all echoes before the next step


@dataclass
class Plan:
    number: int
    kind: str
    steps: list
    code: int = 1000  # of the Close that ends it
    status: int = 101
    receive_buffer: int = 0
    lingers: float = 0.0  # seconds from the last byte to the end, for one that just goes

    def messages(self):
        return sum(len(step.echoes) for step in self.steps)

    def describe(self):
        steps = ", ".join(
            step.what
            + (f" after {1000 * step.before:.0f} ms" if step.before else "")
            + (f" deaf for {1000 * step.deaf_for:.0f} ms" if step.deaf_for else "")
            + (f" by {step.piece} bytes" if step.piece else "")
            for step in self.steps
        )
        return f"{self.number} {self.kind}: {steps}"


def size_of_message(dice, left):
    size = dice.choice(
        [dice.choice(EDGES), dice.randrange(126), dice.randrange(126), int(2 ** dice.uniform(7, 17)), dice.randrange(4096)]
    )
    if dice.random() < 0.03:
        size = dice.randrange(MIB + 1)
    return min(size, left)


def make_payload(dice, name, is_text, size):
    if not is_text:
        return (name + dice.randbytes(max(0, size - len(name))))[:size]
    text = (name + TEXT * (size // len(TEXT) + 1))[:size]
    return text.decode(errors="ignore").encode()  # no half character at the end


def cut_up(dice, payload):
    """Its fragments, empty ones too."""
    ends = sorted(dice.randrange(len(payload) + 1) for _ in range(dice.choice([1, 2, 5, 40])))
    return [payload[begin:end] for begin, end in zip([0, *ends], [*ends, len(payload)])]


def say(dice, number, at, count, budget):
    """Some messages in one go."""
    step = Step("", b"")
    parts = []
    bytes_said = 0
    for index in range(count):
        is_text = dice.random() < 0.5
        payload = make_payload(dice, b"%d.%d.%d:" % (number, at, index), is_text, size_of_message(dice, budget - bytes_said))
        bytes_said += len(payload)
        opcode = 1 if is_text else 2
        step.echoes.append((opcode, payload))
        if dice.random() < 0.7:
            parts.append(frame(opcode, payload))
            continue
        pieces = cut_up(dice, payload)
        for piece_at, piece in enumerate(pieces):
            parts.append(frame(opcode if piece_at == 0 else 0, piece, fin=piece_at == len(pieces) - 1))
            if dice.random() < 0.2 and len(step.pings) < 100:
                step.pings.append(b"between %d.%d" % (at, len(step.pings)))
                parts.append(frame(9, step.pings[-1]))
    step.data = b"".join(parts)
    step.what = f"{count} messages of {bytes_said} bytes"
    return step


def ping(dice, at):
    """Each another one: where the newest PONG replaces others, it must be told from them."""
    count = dice.choice([1, 3, MOST_PINGS])
    pings = [b"%d.%d" % (at, index) + dice.randbytes(dice.choice([0, 4, 100])) for index in range(count)]
    return Step(f"{len(pings)} PINGs", b"".join(frame(9, payload) for payload in pings), pings=pings)


def talk(dice, number):
    """The middle of a connection: messages, PINGs, pauses."""
    steps = []
    budget = dice.choice([10_000, 100_000, 3 * MIB])
    for at in range(dice.choice([1, 1, 2, 4, 8])):
        if dice.random() < 0.2:
            step = ping(dice, at)
        else:
            step = say(dice, number, at, dice.choice([1, 1, 3, 10, 60]), budget // 2)
            budget -= sum(len(payload) for _, payload in step.echoes)
        if dice.random() < 0.2:
            step.before = dice.uniform(0, 0.3)
        if dice.random() < 0.15:
            step.deaf_for = dice.uniform(0, 0.5)
        if dice.random() < 0.1:
            step.piece = dice.choice([1, 7, 1000]) if len(step.data) < 1000 else len(step.data) // 50
        step.then_wait = dice.random() < 0.5 or (bool(step.pings) and len(step.pings) > 100)
        steps.append(step)
    return steps


def shake_hands(dice, port):
    said = request(port)
    step = Step("handshake", said, then_wait=dice.random() < 0.7)
    if dice.random() < 0.15:
        step.piece = dice.choice([10, 50])
    return step


def break_handshake(dice, port):
    """(bytes, status)."""
    half = request(port)
    return dice.choice(
        [
            (request(port, Sec_WebSocket_Version="8"), 426),
            (request(port, Upgrade=None), 426),
            (request(port, Sec_WebSocket_Key=None), 400),
            (request(port, Sec_WebSocket_Key="c2hvcnQ="), 400),
            (request(port, Host=None), 400),
            (request(port, method="POST"), 405),
            (request(port, version="HTTP/1.0"), 426),  # a plain request: RFC 9110 §7.8
            (request(port, line_end="\n"), 400),
            (request(port, X_Long="x" * 20_000), 431),
            (request(port, **{f"X_{at}": "x" for at in range(1000)}), 431),
            (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
            (half[: dice.randrange(len(half))], 408),
        ]
    )


def break_rule(dice):
    """(what, bytes, the code with which the server fails the connection)."""
    return dice.choice(
        [
            ("RSV1", frame(1, b"x", rsv=4), 1002),
            ("opcode 3", frame(3, b"x"), 1002),
            ("opcode 11", frame(11), 1002),
            ("no mask", frame(1, b"x", masked=False), 1002),
            ("a fragmented PING", frame(9, b"x", fin=False), 1002),
            ("a PING of 126 bytes", frame(9, bytes(126)), 1002),
            ("a length that is not minimal", frame(2, bytes(5), length=b"\x7e\x00\x05"), 1002),
            ("a length of 2^63", frame(2, length=b"\x7f\x80" + bytes(7)), 1002),
            ("a length of 2^40", frame(2, length=b"\x7f" + struct.pack(">Q", 1 << 40)), 1009),
            ("a continuation of nothing", frame(0, b"x"), 1002),
            ("a message inside another", frame(1, b"x", fin=False) + frame(2, b"y"), 1002),
            ("text that is not UTF-8", frame(1, b"ok\xff"), 1007),
            ("half a character", frame(1, b"\xe2\x82"), 1007),
            ("a message too big", (frame(2, bytes(MIB), fin=False) + frame(0, b"x")), 1009),
            ("4097 fragments", frame(2, fin=False) + frame(0, fin=False) * 4096, 1008),
            ("a Close of one byte", frame(8, b"\x03"), 1002),
            ("a Close with 1005", frame(8, struct.pack(">H", 1005)), 1002),
            ("a Close that is not UTF-8", frame(8, b"\x03\xe8\xff"), 1007),
        ]
    )


def cut_off(dice, steps):
    """The same up to some byte: in the handshake, in a frame, after one."""
    steps = steps[: dice.randrange(1, len(steps) + 1)]
    last = steps[-1]
    if dice.random() < 0.6 and last.data:
        at = dice.randrange(len(last.data))
        last.data = last.data[:at]
        last.what += f" up to byte {at}"
    last.then_wait = False
    if dice.random() < 0.5:
        for step in steps[1:]:
            step.then_wait = False
    return steps


def make_plan(seed, number, port):
    dice = random.Random(f"{seed}:{number}")
    kind = dice.choices(list(KINDS), list(KINDS.values()))[0]
    receive_buffer = dice.choice([0, 0, 0, 0, 4096])
    if kind == "refused":
        data, status = break_handshake(dice, port)
        step = Step(f"handshake for {status}", data, then_wait=False)
        return Plan(number, kind, [step], status=status)
    steps = [shake_hands(dice, port), *talk(dice, number)]
    plan = Plan(number, kind, steps, receive_buffer=receive_buffer)
    if kind == "orderly":
        plan.code = dice.choice([1000, 1003, 3000, 4999])  # not one that the server closes with by itself
        steps.append(Step(f"Close {plan.code}", frame(8, struct.pack(">H", plan.code))))
    elif kind == "wrong":
        what, data, plan.code = break_rule(dice)
        steps.append(Step(what, data))
    elif kind == "deaf":
        plan.receive_buffer = 4096
        messages = [say(dice, number, at, 20, MIB) for at in range(3)]
        plan.steps = [steps[0], *messages]
    elif kind in ("killed", "reset", "half-closed"):
        plan.steps = cut_off(dice, steps)
        plan.lingers = dice.choice([0.0, 0.0, 0.02, 0.2])
    return plan
