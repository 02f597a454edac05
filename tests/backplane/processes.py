"""What the tests of examples/backplane start: a Redis, the example's processes, and members of rooms.

All are children, ended by their own ids when the case's ExitStack closes.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

LIMIT = 20.0  # seconds for whatever has to come


class Failed(Exception):
    """What a case says must not be."""


def until(done, what):
    """Waits for done() to be true."""
    end = time.monotonic() + LIMIT
    while not done():
        if time.monotonic() > end:
            raise Failed(f"not within {LIMIT:.0f} s: {what() if callable(what) else what}")
        time.sleep(0.01)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Redis:
    """A server of its own, with its data in `folder`. Nothing is saved unless save() says so."""

    def __init__(self, folder, stack, *options):
        self.folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self.options = options
        self.process = None
        stack.callback(self.kill)
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.folder, "--save", "",
             "--appendonly", "no", *self.options],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until(lambda: self._pings(), "Redis answers")

    def _pings(self):
        if self.process.poll() is not None:
            raise Failed("Redis did not start")
        return self._run("PING").stdout.strip() == "PONG"

    def _run(self, *words):
        return subprocess.run(["redis-cli", "-p", str(self.port), *words], capture_output=True, text=True, check=False)

    def ask(self, *words):
        answer = self._run(*words)
        if answer.returncode != 0 or answer.stdout.startswith(("ERR", "NOSCRIPT", "WRONG")):
            raise Failed(f"Redis: {words[0]}: {answer.stdout}{answer.stderr}")
        return answer.stdout.strip()

    def forget(self):
        """After kill(): it has nothing when it starts again."""
        for name in os.listdir(self.folder):
            if name.endswith(".rdb"):
                os.remove(os.path.join(self.folder, name))

    def kill(self):
        """As if its machine had lost power."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


class Relay:
    """Before a Redis: connections may be made mute, in the order in which they came. Their ends stay open."""

    def __init__(self, port, stack):
        self._port = port
        self._muted = set()
        self._sockets = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}"
        stack.callback(self._end)
        threading.Thread(target=self._accept, daemon=True).start()

    def mute(self, number):
        """What Redis says on this connection is thrown away from now on."""
        self._muted.add(number)

    def _accept(self):
        number = 0
        while True:
            try:
                near = self._listener.accept()[0]
                far = socket.create_connection(("127.0.0.1", self._port))
            except OSError:
                return
            self._sockets += [near, far]
            for source, target, which in ((near, far, None), (far, near, number)):
                threading.Thread(target=self._carry, args=(source, target, which), daemon=True).start()
            number += 1

    def _carry(self, source, target, number):
        try:
            while data := source.recv(1 << 16):
                if number is None or number not in self._muted:
                    target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _end(self):
        for each in [self._listener, *self._sockets]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


class Process:
    """One of the example's."""

    def __init__(self, program, url, stack, wait=True):
        self.process = subprocess.Popen(
            [program, "0", url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        stack.callback(self._end)
        first = self.process.stdout.readline()
        if not first.startswith("listening on "):
            raise Failed(f"it does not listen: {first!r}")
        self.port = int(first.rsplit(":", 1)[1])
        self.lines = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        if wait:
            self.expect_health(200)

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line)

    def _end(self):
        self.signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.reader.join(LIMIT)
        self.process.stderr.close()

    def signal(self, which):
        if self.process.poll() is None:
            self.process.send_signal(which)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def expect_exit(self):
        """After SIGTERM: by itself, in order, and without a sanitizer's word."""
        try:
            status = self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            raise Failed("it does not end after SIGTERM") from None
        if status != 0:
            raise Failed(f"it ended with {status}: {''.join(self.lines)[-2000:]}")

    def health(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=LIMIT) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def expect_health(self, status):
        until(lambda: self.health() == status, f"its health is {status}")

    def resident(self):
        """KiB."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"^VmRSS:\s+(\d+) kB", status.read(), re.MULTILINE)[1])


BALANCER = """\
defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 60s
    timeout tunnel 60s
    retries 3
    option redispatch 1
frontend front
    bind 127.0.0.1:{port}
    default_backend back
backend back
    balance roundrobin
    option httpchk GET /health
    default-server check inter 100ms fall 1 rise 1
{servers}
"""


class Balancer:
    """haproxy before processes: each new connection goes to the next one."""

    def __init__(self, program, libraries, folder, processes, stack):
        self.port = free_port()
        servers = "".join(f"    server s{each.port} 127.0.0.1:{each.port}\n" for each in processes)
        config = os.path.join(folder, "haproxy.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write(BALANCER.format(port=self.port, servers=servers))
        self.process = subprocess.Popen(
            [program, "-db", "-q", "-f", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "LD_LIBRARY_PATH": libraries},
        )  # fmt: skip
        stack.callback(lambda: (self.process.kill(), self.process.wait()))
        until(self._is_there, "the balancer is there")

    def _is_there(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=LIMIT) as answer:
                return answer.status == 200
        except OSError:
            return False


def follows(last, number):
    """The client's half of message_id.hpp."""
    if last[0] == number[0]:
        return number[1] == last[1] + 1
    return last[1] == 0 and number[0] > last[0] and number[1] == 1


class Member:
    """Reads in a thread of its own. Every frame is judged as it comes: `problem` says what may never be."""

    def __init__(self, stack, where, room, after=None):
        self.room = room
        self.at = after
        self.said = []  # (number, text) in the order in which they came
        self.unsaid = []
        self.resyncs = []
        self.problem = None
        self.code = None  # of the Close, once the connection is over; 1006: there was none
        self.socket = None
        stack.callback(self.leave)
        self.come_to(where)

    def come_to(self, where):
        """To any process, or a balancer before them; with the last number, if it has one."""
        target = f"/room/{self.room}" + (f"?after={self.at[0]}-{self.at[1]}" if self.at else "")
        self.code = None
        self.socket = connect(
            f"ws://127.0.0.1:{getattr(where, 'port', where)}{target}", compression=None, max_size=None, open_timeout=LIMIT
        )
        self.thread = threading.Thread(target=self._read, args=(self.socket,), daemon=True)
        self.thread.start()

    def _read(self, connection):
        try:
            for frame in connection:
                self._take(frame)
        except ConnectionClosed:
            pass
        self.code = connection.close_code

    def _take(self, frame):
        word, _, rest = frame.partition(" ")
        if word == "unsaid":
            self.unsaid.append(rest)
        elif word == "resync":
            self.at = tuple(map(int, rest.split("-")))
            self.resyncs.append(self.at)
        else:
            number = tuple(map(int, word.split("-")))
            if self.at is None or not follows(self.at, number):
                self.problem = self.problem or f"after {self.at} came {number}: a gap, or again"
            self.at = number
            self.said.append((number, rest))

    def say(self, text):
        self.socket.send(text)

    def say_and_hear(self, texts):
        """More than may be on its way to Redis at once."""
        for count, text in enumerate(texts, 1):
            self.say(text)
            if count % 200 == 0 or count == len(texts):
                until(lambda: self.texts() and self.texts()[-1] == text, lambda: f"{text[:40]!r} comes back")

    def texts(self):
        return [text for _, text in self.said]

    def expect(self, count):
        """So many messages, in order."""
        until(
            lambda: len(self.said) >= count or self.problem,
            lambda: f"{count} messages ({len(self.said)} came, {len(self.unsaid)} unsaid, Close {self.code})",
        )
        self.expect_no_problem()

    def expect_no_problem(self):
        if self.problem:
            raise Failed(self.problem)

    def expect_resyncs(self, count):
        """That it was told so often. Once is normal: when it comes without a number."""
        until(lambda: len(self.resyncs) >= count, lambda: f"{count} times resync (so far: {self.resyncs})")
        if len(self.resyncs) > count:
            raise Failed(f"told to resync too often: {self.resyncs}")
        self.expect_no_problem()

    def wait_for_end(self):
        self.thread.join(LIMIT)
        if self.thread.is_alive():
            raise Failed("the connection does not end")
        return self.code

    def leave(self):
        """At once, without a Close; what has come by now has been read."""
        if self.socket is None:
            return
        try:
            self.socket.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.thread.join(LIMIT)


def raw_member(stack, where, room, receive_buffer):
    """One that shakes hands, and never reads again."""
    peer = socket.socket()
    stack.callback(peer.close)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    peer.settimeout(LIMIT)
    peer.connect(("127.0.0.1", where.port))
    peer.sendall(
        f"GET /room/{room} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    head = b""
    while b"\r\n\r\n" not in head:
        head += peer.recv(1)
    if b" 101 " not in head:
        raise Failed(f"the handshake: {head!r}")
    return peer


def sockets_of(process):
    folder = f"/proc/{process.process.pid}/fd"
    count = 0
    for name in os.listdir(folder):
        try:
            count += os.readlink(f"{folder}/{name}").startswith("socket:")
        except FileNotFoundError:
            pass
    return count
