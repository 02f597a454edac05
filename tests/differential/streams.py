"""Valid and nearly valid streams of frames, from a seed: each a list of reads, with the receiver's role and the name of
what was done to it."""

from __future__ import annotations

import random
import struct
from typing import List, NamedTuple, Optional

TEXTS = ["", "Hello", "K\u00f6ln", "\u65e5\u672c\u8a9e", "\U0001f600 smile", "\u03ba\u1f79\u03c3\u03bc\u03b5", "\ufeff", "\uffff\U0010ffff"]
BAD_TEXTS = [b"\x80", b"\xc0\xaf", b"\xc3", b"\xc3(", b"\xe0\x9f\xbf", b"\xe2\x82", b"\xed\xa0\x80", b"\xf0\x8f\xbf\xbf",
             b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xf0\x9f\x98", b"\xff", b"\xfe"]
GOOD_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
BAD_CODES = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 9999, 65535]


class Frame(NamedTuple):
    first: int  # FIN, reserved bits, opcode
    payload: bytes = b""
    masked: Optional[bool] = None  # None: as the role says
    field: Optional[int] = None  # the seven length bits, None: the shortest form
    announced: Optional[int] = None  # the length, None: the payload's


class Case(NamedTuple):
    receiver: str
    what: str
    parts: List[bytes]


def encode(frame: Frame, receiver: str, draw: random.Random) -> bytes:
    masked = receiver == "server" if frame.masked is None else frame.masked
    size = len(frame.payload) if frame.announced is None else frame.announced
    field = frame.field
    if field is None:
        field = size if size <= 125 else 126 if size <= 0xFFFF else 127
    out = bytes([frame.first, field | (0x80 if masked else 0)])
    if field == 126:
        out += struct.pack(">H", size)
    if field == 127:
        out += struct.pack(">Q", size)
    if not masked:
        return out + frame.payload
    key = bytes(draw.randrange(256) for _ in range(4))
    return out + key + bytes(byte ^ key[i % 4] for i, byte in enumerate(frame.payload))


def some_size(draw: random.Random) -> int:
    return draw.choice([0, 1, 3, 17, 124, 125, 126, 127, 300, 4096]) if draw.random() < 0.97 else draw.choice([65535, 65536, 70000])


def data_payload(draw: random.Random, text: bool) -> bytes:
    if text:
        return "".join(draw.choice(TEXTS) for _ in range(draw.randrange(1, 8))).encode() * draw.choice([1, 1, 1, 20])
    return bytes([draw.randrange(256)]) * some_size(draw)


def control(draw: random.Random) -> Frame:
    return Frame(draw.choice([0x89, 0x8A]), bytes(draw.randrange(256) for _ in range(draw.choice([0, 1, 4, 60, 125]))))


def message(draw: random.Random) -> List[Frame]:
    text = draw.random() < 0.6
    payload = data_payload(draw, text)
    cuts = sorted(draw.randrange(len(payload) + 1) for _ in range(draw.choice([0, 0, 0, 1, 2, 5])))
    pieces = [payload[a:b] for a, b in zip([0] + cuts, cuts + [len(payload)])]
    frames = []
    for i, piece in enumerate(pieces):
        opcode = 0 if i else 1 if text else 2
        frames.append(Frame(opcode | (0x80 if i == len(pieces) - 1 else 0), piece))
        if draw.random() < 0.15:
            frames.append(control(draw))
    return frames


def close(draw: random.Random) -> Frame:
    if draw.random() < 0.2:
        return Frame(0x88)
    reason = draw.choice(["", "bye", "K\u00f6ln \U0001f600", "r" * 123]).encode()
    return Frame(0x88, struct.pack(">H", draw.choice(GOOD_CODES)) + reason)


def valid(draw: random.Random) -> List[Frame]:
    frames: List[Frame] = []
    for _ in range(draw.randrange(1, 6)):
        frames += [control(draw)] if draw.random() < 0.3 else message(draw)
    if draw.random() < 0.5:
        frames.append(close(draw))
        if draw.random() < 0.3:
            frames += message(draw)
    return frames


def put(draw: random.Random, frames: List[Frame], *bad: Frame) -> List[Frame]:
    at = draw.randrange(len(frames) + 1)
    return frames[:at] + list(bad) + frames[at:]


def change(draw: random.Random, frames: List[Frame], **fields) -> List[Frame]:
    at = draw.randrange(len(frames))
    return frames[:at] + [frames[at]._replace(**fields)] + frames[at + 1:]


def non_minimal(draw: random.Random, frames: List[Frame]) -> List[Frame]:
    at = draw.randrange(len(frames))
    field = draw.choice([126, 127]) if len(frames[at].payload) <= 0xFFFF else 127
    return frames[:at] + [frames[at]._replace(field=field)] + frames[at + 1:]


# What is done to a valid stream: name, and how.
CHANGES = [
    ("valid", lambda d, f, r: f),
    ("valid", lambda d, f, r: f),
    ("valid", lambda d, f, r: f),
    ("reserved bits", lambda d, f, r: put(d, f, Frame(0x81 | d.choice([0x10, 0x20, 0x40, 0x70]), b"x"))),
    ("reserved bits", lambda d, f, r: put(d, f, Frame(0x89 | d.choice([0x10, 0x20, 0x40, 0x70]), b"x"))),
    ("reserved opcode", lambda d, f, r: put(d, f, Frame(d.choice([0x80, 0]) | d.choice([3, 4, 5, 6, 7, 11, 12, 13, 14, 15]), b"x"))),
    ("fragmented control", lambda d, f, r: put(d, f, Frame(d.choice([8, 9, 10])))),
    ("oversized control", lambda d, f, r: put(d, f, Frame(d.choice([0x88, 0x89, 0x8A]), b"\x03\xe8" + b"x" * d.choice([124, 200])))),
    ("wrong mask", lambda d, f, r: change(d, f, masked=r == "client")),
    ("length form", lambda d, f, r: non_minimal(d, f)),
    ("length high bit", lambda d, f, r: f + [Frame(0x82, field=127, announced=d.choice([1 << 63, (1 << 64) - 1]))]),
    ("length too big", lambda d, f, r: f + [Frame(0x82, field=127, announced=d.choice([(1 << 63) - 1, 1 << 40, 1 << 32]))]),
    ("continuation", lambda d, f, r: put(d, f, Frame(d.choice([0, 0x80]), b"c"))),
    ("new message inside", lambda d, f, r: put(d, f, Frame(d.choice([1, 2]), b"o"), Frame(d.choice([0x81, 0x82]), b"n"))),
    ("bad text", lambda d, f, r: put(d, f, Frame(0x81, b"ok" * d.randrange(3) + d.choice(BAD_TEXTS) + b"ok" * d.randrange(2)))),
    ("bad text in fragments", lambda d, f, r: put(d, f, Frame(1, b"ok"), Frame(d.choice([0, 0x80]), d.choice(BAD_TEXTS)))),
    ("bad close code", lambda d, f, r: put(d, f, Frame(0x88, struct.pack(">H", d.choice(BAD_CODES)) + d.choice([b"", b"why"])))),
    ("close of one byte", lambda d, f, r: put(d, f, Frame(0x88, b"\x03"))),
    ("bad close reason", lambda d, f, r: put(d, f, Frame(0x88, b"\x03\xe8" + d.choice(BAD_TEXTS)))),
    ("flipped bit", lambda d, f, r: f),
    ("cut off", lambda d, f, r: f),
]


def reads(draw: random.Random, wire: bytes) -> List[bytes]:
    longest = draw.choice([1, 7, 64, len(wire) or 1, len(wire) or 1])
    if len(wire) > 5000:
        longest = max(longest, 1500)
    parts, at = [], 0
    while at < len(wire):
        size = longest if longest == 1 else draw.randrange(1, longest + 1)
        if longest == len(wire):
            size = longest
        parts.append(wire[at:at + size])
        at += size
    return parts


def make(seed: int) -> Case:
    draw = random.Random(seed)
    receiver = draw.choice(["server", "client"])
    what, apply = CHANGES[seed % len(CHANGES)]
    frames = apply(draw, valid(draw), receiver)
    wire = b"".join(encode(frame, receiver, draw) for frame in frames)
    if what == "flipped bit":
        at = draw.randrange(min(len(wire), 40))
        wire = wire[:at] + bytes([wire[at] ^ 1 << draw.randrange(8)]) + wire[at + 1:]
    if what == "cut off":
        wire = wire[:draw.randrange(len(wire))]
    return Case(receiver, what, reads(draw, wire))
