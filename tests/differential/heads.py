"""Heads of handshakes, valid and nearly valid, from a seed: who judges, the bytes, and the name of what was done to them.
A client is asked to judge answers to its own key: `{accept}` in an answer stands for what that key calls for."""

from __future__ import annotations

import random
from typing import Callable, List, NamedTuple, Tuple

Fields = List[Tuple[str, str]]


class Head(NamedTuple):
    start: str
    fields: Fields
    line_end: str = "\r\n"


class HeadCase(NamedTuple):
    receiver: str
    what: str
    wire: bytes


REQUEST = Head("GET /chat HTTP/1.1", [
    ("Host", "server.example.com"), ("Upgrade", "websocket"), ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Sec-WebSocket-Protocol", "chat, superchat"),
    ("Sec-WebSocket-Version", "13")])
ANSWER = Head("HTTP/1.1 101 Switching Protocols", [
    ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", "{accept}"), ("Sec-WebSocket-Protocol", "chat")])

GOOD_HOSTS = ["a", "example.com:80", "example.com:", "127.0.0.1", "[::1]", "[::1]:80", "[2001:db8::1]", "%41", "a_b", "a!b", "[v1.fe]"]
BAD_HOSTS = ["%zz", "a%4", "[.]", "[1]", "[::::]", "[12345::]", "[1:2:3:4:5:6:7:8:9]", "[::1", "[]", "a b", "a,b", "u@a", "a/b", "a?b",
             "a:b", "a:80:80", ":80", "", "::1", "\"a\"", "b\u00fccher"]
GOOD_TARGETS = ["/", "/chat?x=1", "//chat", "/a|b", "/a%20b", "http://h/chat", "http://h?x=1", "https://h", "ws://h/chat", "wss://h:444/"]
BAD_TARGETS = ["*", "chat", "h:80", "ftp://h/chat", "http://u@h/", "http://%zz/", "http:///chat", "/a#b", "/a b", "/caf\u00e9", "http:/h"]
GOOD_KEYS = ["AQIDBAUGBwgJCgsMDQ4PEC==", "x3JJHMbDL1EzLkh9GBhXDw==", "dGhlIHNhbXBsZSBub25jZf=="]
BAD_KEYS = ["", "dGhlIHNhbXBsZSBub25j", "dGhlIHNhbXBsZSBub25jZWU=", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25j*Q==", "dGhlIHNhbXBsZSBub25-_Q==",
            "dGhl IHNhbXBsZSBub25jQ==", "x"]
GOOD_LISTS = ["{0}", "{0}, {1}", "{1}, {0}", ",{0}", "{0},,", "{1} ,\t{0}", "{1},{0}"]
BAD_LISTS = ["{0}; x", "\"{0}\"", "{0} {1}", "({0})", "", "{1}", "{0}x", "{0}={1}"]
EXTENSIONS = ["x-a", "x-a; p", "x-a; p=1", "x-a; p=\"1\"", "x-a, x-b; q", "", "x-a;", "x-a;;p", "x-a; p=", "x-a; p=\"1 2\"", "x-a; p=\"1", "x a", ";p", "x-a; =1"]
SUBPROTOCOLS = ["chat", "superchat, chat", "other", "", "a b", "a/b", "\"chat\"", ",chat", "chat;q=1", "caf\u00e9", "Chat"]
NAMES = {"server": ["Host", "Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version"],
         "client": ["Upgrade", "Connection", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol"]}


def without(head: Head, name: str) -> Head:
    return head._replace(fields=[field for field in head.fields if field[0] != name])


def put(head: Head, name: str, value: str) -> Head:
    """In the place of the fields of this name."""
    at = next((i for i, field in enumerate(head.fields) if field[0] == name), len(head.fields))
    fields = without(head, name).fields
    return head._replace(fields=fields[:at] + [(name, value)] + fields[at:])


def add(draw: random.Random, head: Head, name: str, value: str) -> Head:
    at = draw.randrange(len(head.fields) + 1)
    return head._replace(fields=head.fields[:at] + [(name, value)] + head.fields[at:])


def value_of(head: Head, name: str) -> str:
    return next((field[1] for field in head.fields if field[0] == name), "x")


def some_name(draw: random.Random, receiver: str) -> str:
    return draw.choice(NAMES[receiver])


def padded(draw: random.Random, head: Head, receiver: str) -> Head:
    name = some_name(draw, receiver)
    return put(head, name, draw.choice([" ", "\t", "  \t"]) + value_of(head, name) + draw.choice(["", " ", "\t"]))


def cased(draw: random.Random, head: Head, receiver: str) -> Head:
    name = some_name(draw, receiver)
    return head._replace(fields=[(draw.choice([f[0].lower(), f[0].upper()]) if f[0] == name else f[0], f[1]) for f in head.fields])


def folded(draw: random.Random, head: Head, receiver: str) -> Head:
    name = draw.choice([some_name(draw, receiver), "X-Other"])
    value = value_of(head, name)
    return put(head, name, draw.choice(["\r\n " + value, value + "\r\n ", value + "\r\n\t"]))


def broken_line(draw: random.Random, head: Head, receiver: str) -> Head:
    del receiver
    line = draw.choice(["no colon", ": no name", "A B: c", "A : b", "A\t: b", " A: b", "A(b): c", "A: \x00", "A: \x01b", "A: b\x7f", "A: b\rc", "caf\u00e9: a", "A:"])
    return add(draw, head, "\n", line)  # written as it is


def one_of(draw: random.Random, good: List[str], bad: List[str]) -> Tuple[str, str]:
    if draw.random() < 0.4:
        return "good", draw.choice(good)
    return "bad", draw.choice(bad)


Change = Callable[[random.Random, Head, str], Head]


def listed(name: str, word: str, other: str) -> Change:
    return lambda d, h, r: put(h, name, d.choice(GOOD_LISTS if d.random() < 0.5 else BAD_LISTS).format(word, other))


def started(line: Callable[[random.Random], str]) -> Change:
    return lambda d, h, r: h._replace(start=line(d))


BOTH: List[Tuple[str, Change]] = [
    ("valid", lambda d, h, r: h),
    ("padded value", padded),
    ("case of a name", cased),
    ("field missing", lambda d, h, r: without(h, some_name(d, r))),
    ("field twice", lambda d, h, r: (lambda n: add(d, h, n, value_of(h, n)))(some_name(d, r))),
    ("folded", folded),
    ("broken line", broken_line),
    ("line end", lambda d, h, r: h._replace(line_end=d.choice(["\n", "\r", "\r\r\n", "\n\r"]))),
    ("connection list", listed("Connection", "Upgrade", "keep-alive")),
    ("upgrade list", listed("Upgrade", "websocket", "h2c")),
    ("upgrade case", lambda d, h, r: put(h, "Upgrade", d.choice(["WebSocket", "WEBSOCKET", "websocket/13", "websockets"]))),
    ("extensions", lambda d, h, r: put(h, "Sec-WebSocket-Extensions", d.choice(EXTENSIONS))),
    ("subprotocols", lambda d, h, r: put(h, "Sec-WebSocket-Protocol", d.choice(SUBPROTOCOLS))),
    ("value beyond ASCII", lambda d, h, r: add(d, h, "X-Other", "caf\u00e9")),
    ("body", lambda d, h, r: add(d, h, *d.choice([("Content-Length", "0"), ("Content-Length", "5"), ("Content-Length", "x"), ("Transfer-Encoding", "chunked")]))),
]
CHANGES = {
    "server": BOTH + [
        ("method", started(lambda d: d.choice(["POST", "HEAD", "get", "OPTIONS", "G(T"]) + " /chat HTTP/1.1")),
        ("version", started(lambda d: "GET /chat HTTP/" + d.choice(["1.0", "1.2", "0.9", "2.0", "1.10", "11", "1"]))),
        ("request line", started(lambda d: d.choice(["GET  /chat HTTP/1.1", "GET /chat  HTTP/1.1", " GET /chat HTTP/1.1", "GET /chat", "GET /chat http/1.1", "GET\t/chat\tHTTP/1.1", "GET /chat HTTP/1.1 "]))),
        ("good target", started(lambda d: f"GET {d.choice(GOOD_TARGETS)} HTTP/1.1")),
        ("bad target", started(lambda d: f"GET {d.choice(BAD_TARGETS)} HTTP/1.1")),
        ("good host", lambda d, h, r: put(h, "Host", d.choice(GOOD_HOSTS))),
        ("bad host", lambda d, h, r: put(h, "Host", d.choice(BAD_HOSTS))),
        ("good key", lambda d, h, r: put(h, "Sec-WebSocket-Key", d.choice(GOOD_KEYS))),
        ("bad key", lambda d, h, r: put(h, "Sec-WebSocket-Key", d.choice(BAD_KEYS))),
        ("websocket version", lambda d, h, r: put(h, "Sec-WebSocket-Version", d.choice(["8", "14", "013", "", "13, 8", "+13"]))),
        ("empty line first", lambda d, h, r: h._replace(start="\r\n" * d.randrange(1, 3) + h.start)),
    ],
    "client": BOTH + [
        ("status", started(lambda d: "HTTP/1.1 " + d.choice(["200 OK", "301 Moved", "403 No", "426 Upgrade Required", "503 Busy"]))),
        ("status line", started(lambda d: d.choice(["HTTP/1.1 101", "HTTP/1.1 101 ", "HTTP/1.1 101 caf\u00e9"]))),
        ("broken status line", started(lambda d: d.choice(["HTTP/1.1 1010 x", "HTTP/1.1 10 x", "HTTP/1.1 101x", "http/1.1 101 x", "HTTP/1.1  101 x", "101 x", "GET / HTTP/1.1"]))),
        ("version", started(lambda d: "HTTP/" + d.choice(["1.0", "1.2", "2.0", "0.9", "1.10"]) + " 101 Switching Protocols")),
        ("interim", lambda d, h, r: h._replace(start=d.choice(["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"]) + h.start)),
        ("accept", lambda d, h, r: put(h, "Sec-WebSocket-Accept", d.choice(["", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "\"{accept}\"", "{accept}x", "x{accept}"]))),
    ],
}


def wire_of(head: Head) -> bytes:
    lines = [head.start] + [value if name == "\n" else f"{name}: {value}" for name, value in head.fields] + ["", ""]
    return head.line_end.join(lines).encode()


def make(seed: int) -> HeadCase:
    draw = random.Random(seed)
    receiver = "server" if seed % 2 == 0 else "client"
    changes = CHANGES[receiver]
    what, change = changes[seed // 2 % len(changes)]
    head = change(draw, REQUEST if receiver == "server" else ANSWER, receiver)
    return HeadCase(receiver, what, wire_of(head))
