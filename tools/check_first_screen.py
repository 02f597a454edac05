#!/usr/bin/env python3
"""README.md's first screen, and the programs of docs/start.md, do what the pages say: built from the single header and run.

Each server greets a peer, gives it back what it said, closes it with 1001 at a SIGTERM, ends with 0, and can be started again at
once. The client prints the answer. The snippet for Compiler Explorer needs nothing but codec.hpp.

    tools/check_first_screen.py --work FOLDER -- COMPILER FLAGS...
"""

from __future__ import annotations

import argparse
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import List

from check_readme import blocks_of
from house import report, repository_root

SERVERS = {"first_screen": "README.md", "start_server": "docs/start.md"}
CLIENT = "start_client"
PATIENCE = 60  # seconds: for a machine that is busy
REQUEST = (b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
KEY = b"\x01\x02\x03\x04"
GREETING = b"good morning"


class Failed(Exception):
    pass


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def run_compiler(root: Path, page: str, name: str, port: int, work: Path, command: List[str]) -> None:
    found = [block for block in blocks_of(root, root / page, []) if block.name == name]
    if len(found) != 1:
        raise Failed(f"{page} has no block {name}")
    source = work / f"{name}.cpp"
    source.write_text("\n".join(found[0].lines).replace("8080", str(port)) + "\n", encoding="utf-8")
    done = subprocess.run([*command, str(source)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"{page}, {name}: does not compile\n{done.stdout}")


def build(root: Path, page: str, name: str, port: int, work: Path, compiler: List[str]) -> Path:
    program = work / name
    run_compiler(root, page, name, port, work, [*compiler, "-pthread", f"-I{root / 'single_include'}", "-o", str(program)])
    return program


def build_snippet(root: Path, work: Path, compiler: List[str]) -> None:
    alone = work / "alone" / "wsolo"
    alone.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(root / "single_include" / "wsolo" / "codec.hpp", alone / "codec.hpp")
    run_compiler(root, "docs/debugging.md", "explorer", 0, work, [*compiler, "-fsyntax-only", f"-I{alone.parent}"])


def masked(first: int, payload: bytes) -> bytes:
    return bytes([first, 0x80 | len(payload)]) + KEY + bytes(byte ^ KEY[at % 4] for at, byte in enumerate(payload))


class Peer:
    def __init__(self, server: "subprocess.Popen[bytes]", port: int) -> None:
        patience = time.monotonic() + PATIENCE
        while True:
            try:
                self.wire = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
                break
            except ConnectionRefusedError:
                if server.poll() is not None:
                    raise Failed(f"it ended with {server.returncode} before a peer came") from None
                if time.monotonic() > patience:
                    raise Failed("it does not listen") from None
                time.sleep(0.02)
        self.wire.sendall(REQUEST)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.take(1)
        if not head.startswith(b"HTTP/1.1 101 "):
            raise Failed(f"the request was answered by {head!r}")

    def take(self, count: int) -> bytes:
        got = b""
        while len(got) < count:
            more = self.wire.recv(count - len(got))
            if not more:
                raise Failed(f"the stream ended where {count} bytes were expected, after {got!r}")
            got += more
        return got

    def expect(self, first: int, begins: bytes) -> bytes:
        head = self.take(2)
        payload = self.take(head[1])
        if head[0] != first or not payload.startswith(begins):
            raise Failed(f"expected a frame {first:#x} with {begins!r}, got {head[0]:#x} with {payload!r}")
        return payload


def start(program: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([str(program)], stdout=subprocess.DEVNULL)


def drive(program: Path, port: int, client: "Path | None") -> None:
    for turn in ("first", "second"):
        server = start(program)
        try:
            peer = Peer(server, port)
            peer.wire.sendall(masked(0x81, GREETING))
            peer.expect(0x81, GREETING)
            if client is not None:
                done = subprocess.run([str(client), GREETING.decode()], capture_output=True, timeout=PATIENCE, check=False)
                if done.returncode != 0 or done.stdout != GREETING + b"\n":
                    raise Failed(f"{CLIENT} ended with {done.returncode} and said {done.stdout!r}")
                peer.expect(0x81, GREETING)  # a chat: every peer gets it
            server.send_signal(signal.SIGTERM)
            peer.wire.sendall(masked(0x88, peer.expect(0x88, b"\x03\xe9")[:2]))
            if peer.wire.recv(1) != b"":
                raise Failed("bytes follow its Close")
            if server.wait(PATIENCE) != 0:
                raise Failed(f"it ended with {server.returncode}")
        except (Failed, OSError, subprocess.TimeoutExpired) as problem:
            raise Failed(f"started for the {turn} time: {problem}") from None
        finally:
            server.kill()
            server.wait()


def main() -> int:
    arguments = sys.argv[1:]
    if "--" not in arguments:
        print(__doc__, file=sys.stderr)
        return 2
    split = arguments.index("--")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args(arguments[:split])
    options.work.mkdir(parents=True, exist_ok=True)
    root, compiler, problems = repository_root(), arguments[split + 1:], []
    for name, page in SERVERS.items():
        port = free_port()
        try:
            program = build(root, page, name, port, options.work, compiler)
            client = build(root, page, CLIENT, port, options.work, compiler) if page == "docs/start.md" else None
            drive(program, port, client)
        except (Failed, OSError, subprocess.TimeoutExpired) as problem:
            problems.append(f"{page}, {name}: {problem}")
    try:
        build_snippet(root, options.work, compiler)
    except (Failed, OSError, subprocess.TimeoutExpired) as problem:
        problems.append(str(problem))
    return report("first_screen", problems, len(SERVERS) + 2, "programs")


if __name__ == "__main__":
    raise SystemExit(main())
