"""wsolo at both ends of real middle boxes: README.md says what the rows are and what must hold.

    run.py --echo ECHO --client CLIENT --work FOLDER [--nginx PROGRAM] [--haproxy PROGRAM] [--write DOCUMENT] [ROW...]

ROW: only the rows whose name contains one of these. Each row runs without a box as well: what fails there is not the box's.
"""

import argparse
import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "hostile"), str(HERE.parents[1] / "tools")]
from box import Box, BoxFailed  # noqa: E402
from document import markdown_table, write_into  # noqa: E402
from peer import BINARY, PING, TEXT, Listener, Wrong, dial  # noqa: E402
from server import EchoServer, adds_up  # noqa: E402
from websockets.exceptions import ConnectionClosed  # noqa: E402
from websockets.sync.client import connect  # noqa: E402
from websockets.sync.server import serve  # noqa: E402

LIMIT = 20.0
TALK = b"large and last, " * (3 * 1024 * 1024 // 16)
MORE_PINGS = 4000  # half a megabyte of them

SERVER_ROWS = {}
CLIENT_ROWS = {}
WITHOUT_A_BOX = set()  # rows that ask too much of a proxy


def row(where, name, through_boxes=True):
    """Registers the function below it."""

    def register(act):
        where[name] = act
        if not through_boxes:
            WITHOUT_A_BOX.add(act)
        return act

    return register


# ---- our server behind the box. Each says what the server must report: how many messages, and the peer's code.


def last_words(peer):
    """What a peer may still send that has not answered a Close yet."""
    peer.send(*(peer.serialized(PING, b"late %d" % i) for i in range(3)), peer.serialized(TEXT, TALK))


@row(SERVER_ROWS, "we close; the peer's last message comes before its answer")
def _(port, echo):
    with dial(port) as peer:
        peer.send(peer.serialized(TEXT, b"hello"))
        peer.expect(TEXT, b"hello")
        echo.end()
        peer.expect_close(1001)
        peer.hesitate()
        last_words(peer)
        peer.send(peer.close_frame(4001, "so be it"))
        peer.expect_end()
    return 2, 4001


@row(SERVER_ROWS, "we close after 3 MiB of echo that the peer reads late, and answers by 3 MiB")
def _(port, echo):
    with dial(port) as peer:
        peer.send(peer.serialized(TEXT, TALK))
        peer.expect(TEXT, TALK)
        peer.send(peer.serialized(BINARY, TALK))
        peer.peek()  # the echo is under way
        echo.end()
        peer.wait_without_reading()
        peer.expect(BINARY, TALK)
        peer.expect_close(1001)
        peer.hesitate()
        last_words(peer)
        peer.send(peer.close_frame(4002))
        peer.expect_end()
    return 3, 4002


@row(SERVER_ROWS, "the peer closes right after 3 MiB")
def _(port, _echo):
    with dial(port) as peer:
        peer.send(peer.serialized(TEXT, TALK), peer.close_frame(4003, "done"))
        peer.expect(TEXT, TALK)
        peer.expect_close(4003)
        peer.expect_end()
    return 1, 4003


# nginx and haproxy reset such a peer themselves, whatever is behind them: at the server's end, which comes first (RFC 6455
# §7.1.1), they close with the peer's PINGs unread.
@row(SERVER_ROWS, "the peer closes right after 3 MiB, goes on with PINGs, and reads late", through_boxes=False)
def _(port, _echo):
    with dial(port) as peer:
        peer.send(peer.serialized(TEXT, TALK), peer.close_frame(4004))
        for _ in range(MORE_PINGS):
            if not peer.try_send(peer.serialized(PING, b"p" * 125)):
                break
        peer.wait_without_reading()
        peer.expect(TEXT, TALK)
        peer.expect_close(4004)
        peer.expect_end()
    return 1, 4004


@row(SERVER_ROWS, "the library closes")
def _(port, _echo):
    with connect(f"ws://127.0.0.1:{port}/", max_size=None, ping_interval=None, close_timeout=LIMIT) as peer:
        peer.send(TALK.decode())
        if peer.recv(LIMIT) != TALK.decode():
            raise Wrong("another echo")
        peer.close(4005, "done")
        if peer.close_code != 4005:
            raise Wrong(f"our Close came as {peer.close_code}")
    return 1, 4005


@row(SERVER_ROWS, "we close, the library answers")
def _(port, echo):
    with connect(f"ws://127.0.0.1:{port}/", max_size=None, ping_interval=None, close_timeout=LIMIT) as peer:
        peer.send(TALK)
        echo.end_when_it_answers(peer)
    return 1, 1001


# ---- our client in front of the box. `start(mode)` gives the running client.


@row(CLIENT_ROWS, "we close; the server's last message comes before its answer")
def _(listener, start):
    with start("") as client:
        client.say(b"hello\n")
        with listener.accept() as peer:
            peer.expect(TEXT, b"hello")
            client.say_no_more()
            peer.expect_close(1000)
            peer.hesitate()
            last_words(peer)
            peer.send(peer.close_frame(4001, "so be it"))
            peer.hesitate()  # it is the server that ends the stream first (RFC 6455 §7.1.1)
            peer.end_stream()
            peer.expect_end()
        client.expect(TALK + b"\n")


@row(CLIENT_ROWS, "we close right after 3 MiB that the server reads late")
def _(listener, start):
    with start("") as client:
        client.say(TALK + b"\n")
        client.say_no_more()
        with listener.accept() as peer:
            peer.wait_without_reading()
            peer.expect(TEXT, TALK)
            peer.expect_close(1000)
            last_words(peer)
            peer.send(peer.close_frame(1000))
            peer.end_stream()
            peer.expect_end()
        client.expect(TALK + b"\n")


@row(CLIENT_ROWS, "the server closes right after 3 MiB, which come back")
def _(listener, start):
    with start("--echo") as client:
        with listener.accept() as peer:
            peer.send(peer.serialized(TEXT, TALK), peer.close_frame(4003, "done"))
            peer.expect(TEXT, TALK)
            peer.expect_close(4003)
            peer.hesitate()
            peer.end_stream()
            peer.expect_end()
        client.expect(b"")


@row(CLIENT_ROWS, "the server closes right after 3 MiB, goes on with PINGs, and reads late")
def _(listener, start):
    with start("--echo") as client:
        with listener.accept() as peer:
            peer.send(peer.serialized(TEXT, TALK), peer.close_frame(4004))
            for _ in range(MORE_PINGS):
                if not peer.try_send(peer.serialized(PING, b"p" * 125)):
                    break
            peer.wait_without_reading()
            peer.expect(TEXT, TALK)
            peer.expect_close(4004)
            peer.end_stream()
            peer.expect_end()
        client.expect(b"")


LIBRARY_ROWS = ("the library serves and closes", "we close, the library answers")


@row(CLIENT_ROWS, LIBRARY_ROWS[0])
def _(library, start):
    def act(peer):
        peer.send(TALK)
        if peer.recv(LIMIT) != TALK:
            raise Wrong("another echo")
        peer.close(4005, "done")
        if peer.close_code != 4005:
            raise Wrong(f"our Close came as {peer.close_code}")

    library.act = act
    with start("--echo") as client:
        client.expect(b"")
        library.finish()


@row(CLIENT_ROWS, LIBRARY_ROWS[1])
def _(library, start):
    def act(peer):
        if peer.recv(LIMIT) != TALK.decode():
            raise Wrong("another message")
        try:
            peer.recv(LIMIT)
            raise Wrong("more messages than one")
        except ConnectionClosed as closed:
            if closed.rcvd is None or closed.rcvd.code != 1000:
                raise Wrong(f"their Close came as {closed.rcvd}") from None

    library.act = act
    with start("") as client:
        client.say(TALK + b"\n")
        client.say_no_more()
        client.expect(b"")
        library.finish()


# ---- the two ends of ours


class Echo(EchoServer):
    def end(self):
        """SIGTERM: each connection gets a Close 1001."""
        self.process.terminate()

    def end_when_it_answers(self, peer):
        """The same as soon as the library has the echo."""
        if peer.recv(LIMIT) != TALK:
            raise Wrong("another echo")
        self.end()
        try:
            peer.recv(LIMIT)
            raise Wrong("more messages than one")
        except ConnectionClosed as closed:
            if closed.rcvd is None or closed.rcvd.code != 1001:
                raise Wrong(f"their Close came as {closed.rcvd}") from None


class Client:
    def __init__(self, command):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.out = self.error = b""
        self.said = queue.SimpleQueue()
        self.readers = [threading.Thread(target=self._read, args=(name,)) for name in ("out", "error")]
        self.writer = threading.Thread(target=self._write)
        for thread in (*self.readers, self.writer):
            thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.said.put(None)
        for thread in (*self.readers, self.writer):
            thread.join()
        self.process.stdout.close()
        self.process.stderr.close()

    def _read(self, name):
        pipe = self.process.stdout if name == "out" else self.process.stderr
        setattr(self, name, pipe.read())

    def _write(self):
        """It reads when it wants to: a row goes on meanwhile."""
        try:
            with self.process.stdin as pipe:
                while (line := self.said.get()) is not None:
                    pipe.write(line)
                    pipe.flush()
        except BrokenPipeError:
            pass  # it has ended, and how is what counts

    def say(self, line):
        self.said.put(line)

    def say_no_more(self):
        self.said.put(None)

    def expect(self, printed):
        """It ends well, and has printed this: it says nothing of an end in which both sides closed in order."""
        status = self.process.wait(LIMIT)
        for reader in self.readers:
            reader.join()
        if status != 0:
            raise Wrong(f"our client: {self.error.decode().strip()}")
        if self.out != printed:
            raise Wrong(f"our client printed {len(self.out)} bytes instead of {len(printed)}")


class Library:
    """A server of the library's own, for one client."""

    def __init__(self):
        self.act = None
        self.failure = None
        self.is_done = threading.Event()
        options = {"max_size": None, "ping_interval": None, "close_timeout": LIMIT}
        self.server = serve(self._handle, "127.0.0.1", 0, **options)
        self.port = self.server.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()

    def _handle(self, peer):
        try:
            self.act(peer)
        except (Wrong, ConnectionClosed, TimeoutError) as failure:
            self.failure = failure
        self.is_done.set()

    def finish(self):
        if not self.is_done.wait(LIMIT):
            raise Wrong("the library's server has not seen the end")
        if self.failure is not None:
            raise Wrong(str(self.failure))


def run_server_row(act, options, box):
    with Echo([options.echo, "--close-timeout-ms", "15000"]) as echo:
        with box(echo.port) as way:
            messages, code = act(way.port, echo)
            if not echo.wait_for_ends(1):
                raise Wrong("our server reports no end")
            end = echo.ends[0]
            got = end["reason"], int(end["received"]), int(end["handled"]), int(end["code"])
            if got != ("none", messages, messages, code):
                raise Wrong("our server: reason {}, {} received, {} handled, code {}".format(*got))
            if not adds_up(end):
                raise Wrong("our server's account does not add up")
            if echo.stop() != 0:
                raise Wrong("our server did not end well")


def run_client_row(name, act, options, box):
    with Library() if name in LIBRARY_ROWS else Listener() as peer, box(peer.port) as way:
        act(peer, lambda *mode: Client([options.client, *filter(None, mode), f"ws://127.0.0.1:{way.port}/"]))


def verdict_of(act):
    """Empty, or what was wrong."""
    try:
        act()
    except (Wrong, BoxFailed, ConnectionClosed, OSError, subprocess.TimeoutExpired) as failure:
        return f"{type(failure).__name__}: {failure}" if not isinstance(failure, Wrong) else str(failure)
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--echo", required=True)
    parser.add_argument("--client", required=True)
    parser.add_argument("--work", required=True, type=Path, help="where the boxes keep their files")
    parser.add_argument("--nginx", help="the program")
    parser.add_argument("--haproxy", help="the program")
    parser.add_argument("--libraries", help="put before LD_LIBRARY_PATH for the boxes")
    parser.add_argument("--write", help="a document whose table is replaced")
    parser.add_argument("rows", nargs="*", metavar="ROW")
    options = parser.parse_args()

    environment = dict(os.environ)
    if options.libraries:
        environment["LD_LIBRARY_PATH"] = options.libraries + ":" + environment.get("LD_LIBRARY_PATH", "")
    programs = {"none": None, "nginx": options.nginx, "haproxy": options.haproxy}
    kinds = [kind for kind, program in programs.items() if kind == "none" or program]
    table = []
    runs = failures = 0
    for side, rows in (("server", SERVER_ROWS), ("client", CLIENT_ROWS)):
        for name, act in rows.items():
            if options.rows and not any(word in name for word in options.rows):
                continue
            cells = [f"our {side}: {name}"]
            for kind in kinds:

                def box(upstream, kind=kind):
                    return Box(kind, programs[kind], options.work / kind, upstream, environment)

                if kind != "none" and act in WITHOUT_A_BOX:
                    cells.append("not tried")
                    continue
                began = time.monotonic()
                if side == "server":
                    wrong = verdict_of(lambda act=act, box=box: run_server_row(act, options, box))
                else:
                    wrong = verdict_of(lambda name=name, act=act, box=box: run_client_row(name, act, options, box))
                runs += 1
                failures += bool(wrong)
                cells.append("failed" if wrong else "whole")
                said = f"FAILED: {wrong}" if wrong else f"whole, {time.monotonic() - began:.1f} s"
                print(f"{kind}: our {side}: {name}: {said}", flush=True)
            table.append(cells)
    if options.write:
        write_into(options.write, "boxes", markdown_table(("what", *kinds), table))
    print(f"{runs} runs, {failures} failures")
    return 1 if failures or not runs else 0


if __name__ == "__main__":
    sys.exit(main())
