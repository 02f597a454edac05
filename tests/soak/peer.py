"""One connection of the soak: does what its plan says, and checks every byte that it gets.

Non-blocking, so that one thread drives many: turn() whenever the socket is ready or `next_turn` has come. When `over`, the
server's report about it is still to come; judge() compares.
"""

import collections
import socket
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples" / "relay" / "clients"))
from raw_client import frame  # noqa: E402

from plan import MOST_PINGS, TO_EVERYONE  # noqa: E402

GONE = (BrokenPipeError, ConnectionResetError)
CLOSED_BY_ADMIN = 1012
CLOSED_BY_STOP = 1001
CUT = ("killed", "reset", "half-closed")
SEND_AT_ONCE = 1 << 18
PIECE_PAUSE = 0.002
DEAF_FOR = 10.0


class Wrong(Exception):
    """The server did what it must not."""


class Peer:
    def __init__(self, plan, port, now):
        self.plan = plan
        self.left = list(plan.steps)
        self.outgoing = memoryview(b"")
        self.piece = 0
        self.deaf_until = now
        self.idle_until = now
        self.next_turn = now
        self.waits_for_echoes = False
        self.cut_at = None  # when it just goes
        self.stopping = False  # the server was told to end
        self.watched = 0  # the selector's events
        self.over = False
        self.went = ""  # how it ended: "in order", "cut by us", "cut by the server"
        self.expected = collections.deque()
        self.pings = collections.deque()
        self.most_pings = 0
        self.replies = b""  # PONGs, for between two steps
        self.pending = bytearray()
        self.status = 0
        self.code = None  # of the server's Close
        self.close_is_sent = False
        self.last_broadcast = -1
        self.counts = collections.Counter()
        self.socket = socket.socket()
        if plan.receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, plan.receive_buffer)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(10)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.port = self.socket.getsockname()[1]
        self.began = self.progress = now

    # ---- what it wants

    def wants_read(self, now):
        return self.plan.kind != "deaf" and now >= self.deaf_until

    def wants_write(self, now):
        return bool(self.outgoing) and now >= self.idle_until

    def is_at_rest(self):
        """It waits for the server's end, and for nothing else."""
        is_done = not (self.left or self.outgoing or self.expected or self.pings)
        return self.plan.kind == "staying" and is_done and not self.over

    def turn(self, now):
        """Everything that can be done now."""
        try:
            if self.wants_read(now):
                self.read(now)
            if not self.over:
                self.write(now)
            if not self.over:
                self.go_on(now)
        except GONE:
            self.lost(now)
        waits = [at for at in (self.deaf_until, self.idle_until) if at > now]
        self.next_turn = min(waits, default=now + 1.0)

    # ---- out

    def write(self, now):
        while self.outgoing and now >= self.idle_until:
            try:
                sent = self.socket.send(self.outgoing[: self.piece or SEND_AT_ONCE])
            except BlockingIOError:
                return
            self.progress = now
            self.outgoing = self.outgoing[sent:]
            if self.piece:
                self.idle_until = now + PIECE_PAUSE

    def go_on(self, now):
        """The next step, once this one is done."""
        if self.outgoing or now < self.idle_until:
            return
        if self.replies and not self.close_is_sent and (self.left or self.plan.kind not in CUT):
            self.outgoing, self.replies, self.piece = memoryview(self.replies), b"", 0
            return self.write(now)
        if self.code is not None:
            return self.answer_close(now)
        if self.waits_for_echoes:
            return None
        if self.left:
            return self.begin(self.left.pop(0), now)
        return self.finish(now)

    def begin(self, step, now):
        if step.before:
            step.before, self.idle_until = 0, now + step.before
            self.left.insert(0, step)
            return
        self.outgoing, self.piece = memoryview(step.data), step.piece
        self.expected.extend(step.echoes)
        self.pings.extend(step.pings)
        self.most_pings = max(self.most_pings, len(self.pings))
        self.deaf_until = now + step.deaf_for
        self.waits_for_echoes = step.then_wait and self.plan.kind != "deaf"
        self.close_is_sent = step.what.startswith("Close ")
        self.counts["flooded" if self.plan.kind == "deaf" else "said"] += len(step.echoes)
        self.counts["stalls"] += bool(step.deaf_for)
        self.progress = now
        self.unwait()
        self.write(now)

    def unwait(self):
        if not self.expected and not self.pings and self.status:
            self.waits_for_echoes = False

    def finish(self, now):
        """Nothing more to say."""
        kind = self.plan.kind
        if kind == "deaf":
            if now - self.began > DEAF_FOR:  # one that was told to go, and does not hear it
                return self.end(now, "cut by us", reset=True)
            self.outgoing = memoryview(self.plan.steps[-1].data)  # on and on
            self.counts["flooded"] += len(self.plan.steps[-1].echoes)
            return
        if kind not in CUT:
            return
        if self.cut_at is None:
            self.cut_at = self.idle_until = now + self.plan.lingers
        if now >= self.cut_at and self.went != "cut by us":
            self.went = "cut by us"
            self.cut(now)

    def cut(self, now):
        if self.plan.kind == "half-closed":
            self.socket.shutdown(socket.SHUT_WR)
            self.close_is_sent = True
        else:
            self.end(now, "cut by us", reset=self.plan.kind == "reset")

    def answer_close(self, now):
        if self.close_is_sent:
            return
        self.close_is_sent = True
        self.outgoing, self.piece = memoryview(frame(8, struct.pack(">H", self.code))), 0
        self.write(now)
        if not self.outgoing:
            self.socket.shutdown(socket.SHUT_WR)  # a server that failed the connection reads until here

    # ---- in

    def read(self, now):
        for _ in range(4):
            try:
                more = self.socket.recv(1 << 18)
            except BlockingIOError:
                return
            if not more:
                return self.at_end(now)
            self.progress = now
            self.pending += more
            self.parse()
        return None

    def at_end(self, now):
        if self.pending:
            raise Wrong("the stream ends inside a frame")
        if self.status == 101 and self.code is None and self.plan.kind != "half-closed":
            raise Wrong("the stream ends without a Close")
        self.end(now, "in order")

    def lost(self, now):
        """The server's end came before ours."""
        if self.plan.kind in ("deaf", "refused", *CUT) or (self.stopping and self.status != 101):
            return self.end(now, "cut by the server")
        raise Wrong("the connection was reset")

    def parse(self):
        at = 0
        if not self.status:
            end = self.pending.find(b"\r\n\r\n")
            if end < 0:
                return
            self.status = int(self.pending.split(b" ", 2)[1])
            if self.status != self.plan.status and not self.stopping and self.plan.kind != "half-closed":
                raise Wrong(f"the handshake was answered with {self.status}, not {self.plan.status}")
            at = end + 4
            if self.status != 101:
                at = len(self.pending)  # a body, or none
        head = at
        while (found := self.next_frame(at)) is not None:
            opcode, payload, at = found
            self.counts["frames in"] += 1
            self.meet(opcode, payload)
        self.counts["bytes in"] += at - head
        del self.pending[:at]
        self.unwait()

    def next_frame(self, at):
        """(opcode, payload, where it ends), or None while it is incomplete."""
        view = self.pending
        if len(view) - at < 2:
            return None
        if view[at] not in (0x81, 0x82, 0x88, 0x89, 0x8A) or view[at + 1] > 127:
            raise Wrong(f"a frame begins with {bytes(view[at:at + 2]).hex()}")
        size, begin = view[at + 1], at + 2
        if size > 125:
            begin += 2 if size == 126 else 8
            size = int.from_bytes(view[at + 2 : begin], "big")
        if len(view) < begin + size:
            return None
        return view[at] & 15, bytes(view[begin : begin + size]), begin + size

    def meet(self, opcode, payload):
        if self.code is not None:
            raise Wrong("a frame after the Close")
        if opcode == 8:
            self.code = int.from_bytes(payload[:2], "big")
        elif opcode == 9:
            self.counts["PINGs in"] += 1
            self.replies += frame(10, payload)
        elif opcode == 10:
            self.meet_pong(payload)
        elif payload.startswith(TO_EVERYONE):
            self.counts["broadcasts"] += 1
            number = int(payload.split(b" ")[2])
            if number <= self.last_broadcast:
                raise Wrong("broadcasts out of order")
            self.last_broadcast = number
        else:
            self.meet_echo(opcode, payload)

    def meet_pong(self, payload):
        if self.most_pings <= MOST_PINGS:
            wanted = self.pings.popleft() if self.pings else None
            if wanted != payload:
                raise Wrong(f"a PONG for {payload[:20]}, not for {wanted and wanted[:20]}")
        else:  # the newest may have replaced others
            while self.pings and self.pings.popleft() != payload:
                pass
        self.counts["PONGs"] += 1

    def meet_echo(self, opcode, payload):
        if self.plan.kind == "deaf":
            return
        if not self.expected or self.expected.popleft() != (opcode, payload):
            raise Wrong(f"an echo of {len(payload)} bytes that is not the next one: {payload[:20]}")
        self.counts["echoes"] += 1
        self.counts["echoed bytes"] += len(payload)

    # ---- the end

    def end(self, now, how, reset=False):
        """Who drives it closes the socket."""
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.over = True
        self.went = how
        self.progress = now

    def judge(self, report):
        """Raises Wrong when the server's report does not fit what happened here."""
        numbers = {name: int(value) for name, value in report.items() if value.isdigit()}
        if numbers["received"] != numbers["handled"] + numbers["unhandled"]:
            raise Wrong("received is not handled + unhandled")
        # What was sent to everyone is counted where it was sent, and only the server's total has it.
        to_everyone = numbers["written"] + numbers["dropped"] + numbers["replaced"] - numbers["accepted"]
        if to_everyone < self.counts["broadcasts"]:
            raise Wrong("accepted is not written + dropped")
        if numbers["received"] > self.counts["said"] + self.counts["flooded"]:
            raise Wrong("more messages received than were sent")
        if self.counts["bytes in"] > numbers["bytes"] or self.counts["frames in"] > numbers["written"]:
            raise Wrong("more came than was written")
        if self.went != "in order":
            return
        if self.counts["bytes in"] != numbers["bytes"] or self.counts["frames in"] != numbers["written"]:
            raise Wrong("less came than was written")
        if to_everyone != self.counts["broadcasts"]:
            raise Wrong("accepted is not written + dropped")
        if report["partial"] != "no":
            raise Wrong("it ended inside a frame")
        if self.status == 101 and self.plan.kind in ("orderly", "wrong", "staying"):
            self.judge_close(report, numbers)

    def judge_close(self, report, numbers):
        closed_by_other = {CLOSED_BY_ADMIN} | ({CLOSED_BY_STOP} if self.stopping else set())
        if self.plan.kind != "staying" and self.code == self.plan.code and not self.left:
            if self.expected or self.pings:
                raise Wrong(f"{len(self.expected)} echoes and {len(self.pings)} PONGs are missing")
            if numbers["received"] != self.plan.messages() or numbers["unhandled"]:
                raise Wrong("a message got lost")
            if (report["reason"] == "none") != (self.plan.kind == "orderly"):
                raise Wrong(f"its reason is {report['reason']}")
        elif self.code not in closed_by_other:
            raise Wrong(f"closed with {self.code}, not {self.plan.code}")
