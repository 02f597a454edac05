#!/usr/bin/env python3
"""Gives the same heads of handshakes to wsolo and to other libraries, and judges every disagreement.

    compare_heads.py --drivers FOLDER [--node FOLDER] [--python PYTHON] [--go FOLDER] [--cases N] [--seed N] [--need PEER...]

A disagreement that head_differences.py does not list fails; a listed one that no longer occurs is reported. Peers whose
package is not installed are left out and named."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Dict, List, Optional

import heads
from compare import logs_of
from head_differences import DIFFERENCES, HeadDifference

HERE = Path(__file__).resolve().parent


def go_program(folder: Optional[str], out: str) -> Optional[str]:
    """Builds the Go libraries' driver; `folder` holds go.mod and main.go. None where there is no Go, or no network."""
    go = shutil.which("go")
    program = str(Path(out) / "heads")
    if not go or not folder or subprocess.run([go, "build", "-o", program, "."], cwd=folder).returncode != 0:
        return None
    return program


def commands(options: argparse.Namespace, out: str) -> Dict[str, Optional[List[str]]]:
    """How each peer is started; None where it is not here."""
    found: Dict[str, Optional[List[str]]] = {}
    has_websockets = subprocess.run([options.python, "-c", "import websockets.server"], capture_output=True).returncode == 0
    found["websockets"] = [options.python, str(HERE / "peers" / "websockets_heads.py")] if has_websockets else None
    node = shutil.which("node")
    has_ws = node and options.node and (Path(options.node) / "node_modules" / "ws").is_dir()
    found["ws"] = [node, str(HERE / "peers" / "ws_heads.mjs"), options.node] if has_ws else None
    program = go_program(options.go, out)
    for name in ["gorilla", "coder", "gobwas"]:
        found[name] = [program, name] if program else None
    return found


def listed(peer: str, case: heads.HeadCase, ours: str) -> Optional[HeadDifference]:
    return next((each for each in DIFFERENCES if each.covers(peer, case, ours)), None)


def is_open(verdict: str) -> bool:
    return verdict == "open"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--drivers", required=True)
    parser.add_argument("--node")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--go", default=str(HERE / "go"))
    parser.add_argument("--cases", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--need", nargs="*", default=[])
    options = parser.parse_args()

    cases = [heads.make(options.seed + i) for i in range(options.cases)]
    stdin = "".join(f"{i} {case.receiver} {case.wire.hex()}\n" for i, case in enumerate(cases))
    ours = [log[0] for log in logs_of([str(Path(options.drivers) / "differential_wsolo_heads")], stdin, len(cases))]
    seen: Counter = Counter()
    unlisted: List[str] = []
    with tempfile.TemporaryDirectory() as out:
        for peer, command in commands(options, out).items():
            if command is None:
                print(f"{peer}: not here")
                if peer in options.need:
                    return 1
                continue
            theirs = [log[0] for log in logs_of(command, stdin, len(cases))]
            different = 0
            for number, case in enumerate(cases):
                if is_open(ours[number]) == is_open(theirs[number]):
                    continue
                different += 1
                known = listed(peer, case, ours[number])
                if known is not None:
                    seen[known] += 1
                    continue
                unlisted.append(f"case {number} ({case.what}, {case.receiver}): wsolo {ours[number]}, {peer} {theirs[number]}; {case.wire!r}")
            print(f"{peer}: {len(cases)} heads, {different} judged otherwise")
    for difference in DIFFERENCES:
        count = f"{seen[difference]:6}" if seen[difference] else "  no longer"
        print(f"{count} {difference.receiver}, {difference.what}: {difference.why}")
    for line in unlisted[:40]:
        print(line)
    print(f"{len(unlisted)} unlisted disagreements")
    return 1 if unlisted else 0


if __name__ == "__main__":
    sys.exit(main())
