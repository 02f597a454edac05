"""Real peers with permessage-deflate: clients of our server, and servers of our client, with a tap on the wire between.

    compressed.py --server SERVER --client CLIENT [--node FOLDER] [--go PROGRAM] [--write DOCUMENT] NAME...

NAME: websockets, ws, gorilla, coder, chromium. README.md says what a peer does. It judges that every echo is the same; the
tap judges that compression was agreed on, that RSV1 stood on every message of 125 bytes or more both ways, and from the
lengths whether each side's memory of earlier messages was kept, as it was agreed to be. Rust's tungstenite does not have
the extension.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

from run import HERE, Failure, Program, compare, markdown_table, version_of, write_into
from tap import Tap

SIZES = (0, 1, 125, 126, 65535, 65536, 1 << 20)
AGAIN = 1000  # bytes of the message that is sent three times
TRANSCRIPT = [
    *(f"{what} of {size} bytes: the same" for size in SIZES for what in ("text", "binary")),
    *[f"text of {AGAIN} bytes: the same"] * 3,
    "Close 1000: answered with 1000",
]
LONG = [size >= 125 for size in SIZES for _ in range(2)] + [True] * 3

# What each column of the table sets: what the peer is told, what our program is told, whether memories are kept.
SETTINGS = {
    "both keep": ("kept", ["--mode", "shared"], True),
    "both keep, our own stream": ("kept", ["--mode", "own"], True),
    "the peer asks for none": ("unkept", ["--mode", "shared"], False),
    "we ask for none": ("kept", ["--mode", "none"], False),
    "we ask for 12 bits": ("kept", ["--window", "12"], True),
}
# A server may decline any offer; then nothing is to be compressed.
DECLINES = {("coder", "as server", "we ask for 12 bits")}


def judge(wire, is_kept, wanted=True):
    """What the tap saw of one connection."""
    if wire.faults:
        raise Failure(f"on the wire: {wire.faults}")
    answer = wire.from_server.extensions()
    if not wanted:
        if answer or any(rsv1 for way in (wire.from_client, wire.from_server) for rsv1, *_ in way.messages):
            raise Failure(f"compressed, though it should not be: {answer}")
        return
    name, *parameters = re.split(r"\s*;\s*", answer)
    if name != "permessage-deflate":
        raise Failure(f"answer {answer!r} to the offer {wire.from_client.extensions()!r}")
    for side, way in (("server", wire.from_server), ("client", wire.from_client)):
        if len(way.messages) != len(LONG):
            raise Failure(f"{len(way.messages)} messages from the {side}, not {len(LONG)}")
        for at, ((rsv1, _, size), is_long) in enumerate(zip(way.messages, LONG)):
            if is_long and not rsv1:
                raise Failure(f"message {at} from the {side}, {size} bytes, came without RSV1")
        if (f"{side}_no_context_takeover" in parameters) == is_kept:
            raise Failure(f"the {side}'s memory: {answer}")
        first, *others = (size for _, _, size in way.messages[-3:])
        # The first of the three stands alone either way: nothing before it resembles it.
        if not all(size * 4 < first if is_kept else size * 10 > first * 9 for size in others):
            raise Failure(f"the {side}'s messages, three times the same, had {first}, {others} bytes")
    return answer


def as_client(options, command, setting):
    told, ours, is_kept = setting
    with Program(options.server, *ours) as server, Tap(server.address()) as tap:
        with Program(*command, "deflate-connect", told, f"ws://{tap.address}/") as peer:
            compare(peer.finish(), TRANSCRIPT)
        server.stop()
        server.finish()
        tap.settle()
        return judge(tap.wires[-1], is_kept)


def as_server(options, command, setting, wanted=True):
    told, ours, is_kept = setting
    with Program(*command, "deflate-serve", told) as peer, Tap(peer.address()) as tap:
        with Program(options.client, *ours, f"ws://{tap.address}/") as client:
            client.finish()
        compare(peer.finish(), TRANSCRIPT)
        tap.settle()
        return judge(tap.wires[-1], is_kept, wanted)


def commands(options):
    """What starts each peer, in which roles it can be, and under which settings."""
    node = [options.node or "build/node"]
    every = list(SETTINGS)
    return {
        "websockets": ([sys.executable, HERE / "websockets_peer.py"], [as_client, as_server], every),
        "ws": (["node", HERE / "ws_peer.mjs", *node], [as_client, as_server], every),
        "gorilla": ([options.go, "gorilla"], [as_client, as_server], ["the peer asks for none"]),  # it knows nothing else
        "coder": ([options.go, "coder"], [as_client, as_server], every),
        "chromium": (["node", HERE / "chromium_peer.mjs", *node], [as_client], [title for title in every if title != "the peer asks for none"]),
    }


def version(name, options):
    if name in ("gorilla", "coder"):
        found = re.search(rf"{name}/websocket v(\S+)", (HERE / "go" / "go.mod").read_text())
        return f"Go {name}/websocket {found[1]}"
    return version_of(name, options)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="examples/compressed")
    parser.add_argument("--client", required=True, help="examples/compressed, the client")
    parser.add_argument("--node", help="the directory into which npm put its packages")
    parser.add_argument("--go", help="the program built from go/")
    parser.add_argument("--write", help="a document whose table is replaced")
    parser.add_argument("--verbose", action="store_true", help="print what was agreed on")
    parser.add_argument("names", nargs="+", metavar="NAME")
    options = parser.parse_args()
    known = commands(options)
    rows = []
    runs = failures = 0

    def run(title, act, *how):
        nonlocal runs, failures
        runs += 1
        try:
            answer = act(options, *how)
            print(f"{title}: as it should be" + (f": {answer}" if options.verbose and answer else ""))
            return "yes"
        except (Failure, subprocess.TimeoutExpired) as failure:
            failures += 1
            print(f"{title}: FAILED: {failure}")
            return "FAILED"

    for name in options.names:
        command, roles, settings = known[name]
        for role in roles:
            where = role.__name__.replace("_", " ")
            cells = []
            for title, setting in SETTINGS.items():
                if title not in settings:
                    cells.append("-")
                elif (name, where, title) in DECLINES:
                    cell = run(f"{name} {where}, {title}, which it declines", role, command, setting, False)
                    cells.append("declined" if cell == "yes" else cell)
                else:
                    cells.append(run(f"{name} {where}, {title}", role, command, setting))
            rows.append((f"{version(name, options)}, {where}", *cells))
    if "websockets" in options.names:
        command = known["websockets"][0]
        run("a server that knows the bare offer alone, asked so", as_server, command, ("bare", ["--bare", "yes"], True))
        run("a server that knows the bare offer alone, asked for more", as_server, command, ("bare", [], True), False)
    if options.write:
        write_into(options.write, "compressed clients", markdown_table(("peer", *SETTINGS), rows))
    print(f"{runs} runs, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
