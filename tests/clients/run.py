"""Real clients against our echo server, our client against real servers, with a checked transcript.

    run.py --echo ECHO --client CLIENT [--node FOLDER] [--go PROGRAM] [--rust PROGRAM] [--write DOCUMENT] NAME...

NAME: websockets, ws, go, rust, chromium. Each runs twice: as client of ECHO, and as server for CLIENT (a browser only as
client). README.md says what a peer does. A transcript that differs in a line, a process that fails, and a report of ours
that does not add up are failures.
"""

import argparse
import difflib
import importlib.metadata
import json
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tools"))
from document import markdown_table, write_into  # noqa: E402

LIMIT = 40  # seconds for a whole act
READY = "text of 10 bytes: the same"  # now the other side is to close

EXCHANGE = """\
text of 15 bytes: the same
text of 0 bytes: the same
binary of 256 bytes: the same
text of 65536 bytes: the same
binary of 65536 bytes: the same
text of 1048576 bytes: the same
binary of 1048576 bytes: the same
text of 40000 bytes in 3 fragments: the same
PING between the fragments: answered
PING of 125 bytes: answered
Close 1000: answered with 1000
""".splitlines()
AS_CLIENT = [*EXCHANGE, READY, "closed with 1001"]
TYPED = ["still here", "€" * 20000]  # what our client is given to say
AS_SERVER = [*EXCHANGE, *(f"text of {len(line.encode())} bytes: sent back" for line in TYPED), "closed with 1000"]
NOT_IN_A_PAGE = ("in 3 fragments", "PING")


class Failure(Exception):
    pass


class Program:
    """A child whose lines are kept; it never outlives its `with`."""

    def __init__(self, *command, **how):
        self.name = " ".join(map(str, command))
        self.process = subprocess.Popen(
            list(map(str, command)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            **how,
        )
        self.end = time.monotonic() + LIMIT
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def line(self):
        """The next line, or None after the last one."""
        try:
            line = self.lines.get(timeout=max(0.0, self.end - time.monotonic()))
        except queue.Empty:
            raise Failure(f"{self.name}: no end within {LIMIT} s") from None
        if line is None:
            self.lines.put(None)
        return line

    def address(self):
        line = self.line() or ""
        if not line.startswith("listening on "):
            raise Failure(f"{self.name}: does not listen: {line}")
        return line.split()[-1]

    def take(self, count):
        """The next lines, as many as there are up to count."""
        lines = []
        while len(lines) < count and (line := self.line()) is not None:
            lines.append(line)
        return lines

    def stop(self):
        self.process.send_signal(signal.SIGTERM)

    def finish(self):
        """The remaining lines, once it has ended well."""
        rest = []
        while (line := self.line()) is not None:
            rest.append(line)
        if self.process.wait(max(0.1, self.end - time.monotonic())) != 0:
            raise Failure(f"{self.name}: ended with {self.process.returncode}: {' | '.join(rest[-5:])}")
        return rest


def compare(lines, wanted):
    if lines != wanted:
        raise Failure("\n".join(difflib.unified_diff(wanted, lines, "wanted", "transcript", lineterm="", n=1)))


def as_client(options, command, wanted):
    """The peer is the client: our server closes when it is told to end."""
    with Program(options.echo) as echo, Program(*command, "connect", f"ws://{echo.address()}/") as peer:
        lines = []
        while (line := peer.line()) is not None:
            lines.append(line)
            if line == READY:
                echo.stop()
        compare(lines, wanted)
        peer.finish()
        echo.finish()
    return lines


def as_server(options, command, wanted):
    """The peer is the server: our client echoes and answers its Close, then says what it is told and closes first."""
    with Program(*command, "serve") as peer:
        url = f"ws://{peer.address()}/"
        with Program(options.client, "--echo", url) as echoing:
            lines = peer.take(len(EXCHANGE))
            echoing.finish()
        with Program(options.client, url, stdin=subprocess.PIPE) as talking:
            talking.process.stdin.write("\n".join(TYPED) + "\n")
            talking.process.stdin.flush()
            compare(talking.take(len(TYPED)), TYPED)
            talking.process.stdin.close()
            lines += peer.finish()
            talking.finish()
        compare(lines, wanted)
    return lines


def commands(options):
    """What starts each peer, and in which roles it can be."""
    node = [options.node or "build/node"]
    return {
        "websockets": ([sys.executable, HERE / "websockets_peer.py"], [as_client, as_server]),
        "ws": (["node", HERE / "ws_peer.mjs", *node], [as_client, as_server]),
        "go": ([options.go], [as_client, as_server]),
        "rust": ([options.rust], [as_client, as_server]),
        "chromium": (["node", HERE / "chromium_peer.mjs", *node], [as_client]),
    }


def version_of(name, options):
    """What ran, in words."""
    if name == "websockets":
        return f"Python websockets {importlib.metadata.version('websockets')}"
    if name == "ws":
        package = Path(options.node) / "node_modules" / "ws" / "package.json"
        return f"npm ws {json.loads(package.read_text())['version']}"
    if name == "go":
        return "Go " + re.search(r"gorilla/websocket v(\S+)", (HERE / "go" / "go.mod").read_text())[0].replace(" v", " ")
    if name == "rust":
        lock = (HERE / "rust" / "Cargo.lock").read_text()
        return "Rust tungstenite " + re.search(r'name = "tungstenite"\nversion = "(.*)"', lock)[1]
    said = subprocess.run(["chromium", "--version"], capture_output=True, text=True).stdout
    return " ".join(said.split()[:2]) + ", headless"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--echo", required=True)
    parser.add_argument("--client", required=True)
    parser.add_argument("--node", help="the directory into which npm put its packages")
    parser.add_argument("--go", help="the program built from go/")
    parser.add_argument("--rust", help="the program built from rust/")
    parser.add_argument("--write", help="a document whose tables are replaced")
    parser.add_argument("--verbose", action="store_true", help="print the transcripts")
    parser.add_argument("names", nargs="+", metavar="NAME")
    options = parser.parse_args()
    known = commands(options)
    failures = 0
    runs = 0
    cells = {}
    for name in options.names:
        command, roles = known[name]
        for role in roles:
            wanted = AS_CLIENT if role is as_client else AS_SERVER
            if name == "chromium":
                wanted = [line for line in wanted if not any(word in line for word in NOT_IN_A_PAGE)]
            began = time.monotonic()
            runs += 1
            try:
                lines = role(options, command, wanted)
                verdict = f"{len(lines)} lines as they should be, {time.monotonic() - began:.1f} s"
                cells[name, role] = f"all {len(lines)}"
            except (Failure, subprocess.TimeoutExpired) as failure:
                lines = []
                failures += 1
                cells[name, role] = "failed"
                verdict = f"FAILED: {failure}"
            print(f"{name} {role.__name__.replace('_', ' ')}: {verdict}")
            if options.verbose:
                print("\n".join(f"    {line}" for line in lines))
    if options.write:
        rows = [
            (version_of(name, options), cells[name, as_client], cells.get((name, as_server), "a browser can't"))
            for name in options.names
        ]
        head = ("peer", "as client of our server", "as server of our client")
        write_into(options.write, "clients", markdown_table(head, rows))
        for title, wanted in (("as client", AS_CLIENT), ("as server", AS_SERVER)):
            write_into(options.write, f"transcript {title}", "\n".join(["```text", *wanted, "```"]))
    print(f"{runs} runs, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
