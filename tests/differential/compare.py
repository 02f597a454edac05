#!/usr/bin/env python3
"""Feeds the same streams to wsolo and to independent codecs, and judges every disagreement.

    compare.py --drivers FOLDER [--node FOLDER] [--python PYTHON] [--cases N] [--seed N] [--need PEER...]

A disagreement that differences.py does not list fails, and so does one that a peer's driver makes by ending early. A
listed one that no longer occurs is reported. Peers whose driver was not built, or whose package is not installed, are
left out and named."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Dict, List, Optional

import streams
from differences import DIFFERENCES, Difference

HERE = Path(__file__).resolve().parent


def commands(options: argparse.Namespace) -> Dict[str, Optional[List[str]]]:
    """How each peer is started; None where it is not here."""
    found: Dict[str, Optional[List[str]]] = {}
    for name in ["wslay", "websocketpp", "beast"]:
        driver = Path(options.drivers) / f"differential_{name}"
        found[name] = [str(driver)] if driver.is_file() else None
    has_websockets = subprocess.run([options.python, "-c", "import websockets.protocol"], capture_output=True).returncode == 0
    found["websockets"] = [options.python, str(HERE / "peers" / "websockets_peer.py")] if has_websockets else None
    node = shutil.which("node")
    has_ws = node and options.node and (Path(options.node) / "node_modules" / "ws").is_dir()
    found["ws"] = [node, str(HERE / "peers" / "ws_peer.mjs"), options.node] if has_ws else None
    return found


def logs_of(command: List[str], stdin: str, count: int) -> List[List[str]]:
    run = subprocess.run(command, input=stdin, capture_output=True, text=True)
    lines = [line.split() for line in run.stdout.splitlines()]
    if run.returncode != 0 or [line[0] for line in lines] != [str(i) for i in range(count)]:
        sys.exit(f"{command[0]} ended with {run.returncode} after {len(lines)} of {count} cases\n{run.stderr[-2000:]}")
    return [line[1:] for line in lines]


def plain(event: str) -> str:
    """Without the name of a broken rule, which each codec has in words of its own."""
    return ":".join(event.split(":")[:2]) if event.startswith("error") else event


def first_difference(ours: List[str], theirs: List[str]) -> Optional[tuple]:
    for i in range(max(len(ours), len(theirs))):
        a = ours[i] if i < len(ours) else "nothing"
        b = theirs[i] if i < len(theirs) else "nothing"
        if plain(a) != plain(b):
            return a, b
    return None


def listed(peer: str, case: streams.Case, ours: str, theirs: str) -> Optional[Difference]:
    return next((each for each in DIFFERENCES if each.covers(peer, case, ours, theirs)), None)


def compare(peer: str, cases: List[streams.Case], ours: List[List[str]], theirs: List[List[str]], seen: Counter) -> List[str]:
    unlisted = []
    for number, case in enumerate(cases):
        difference = first_difference(ours[number], theirs[number])
        if difference is None:
            continue
        known = listed(peer, case, *difference)
        if known is not None:
            seen[known] += 1
            continue
        wire = b"".join(case.parts).hex()
        unlisted.append(f"case {number} ({case.what}, {case.receiver}, {len(case.parts)} reads): wsolo {difference[0][:70]}, "
                        f"{peer} {difference[1][:70]}; {wire[:200]}")
    return unlisted


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drivers", required=True)
    parser.add_argument("--node")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--cases", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=6455)
    parser.add_argument("--need", nargs="*", default=[], help="peers that must be here")
    options = parser.parse_args()

    cases = [streams.make(options.seed + i) for i in range(options.cases)]
    stdin = "".join(f"{i} {case.receiver} {' '.join(part.hex() for part in case.parts)}\n" for i, case in enumerate(cases))
    ours = logs_of([str(Path(options.drivers) / "differential_wsolo")], stdin, len(cases))
    # The oracle is not blind: most valid streams say something, and every kind of change is refused somewhere.
    refused = Counter(case.what for case, log in zip(cases, ours) if log and log[-1].startswith("error"))
    blind = {case.what for case in cases} - set(refused) - {"valid", "cut off"}
    if blind or refused["valid"]:
        sys.exit(f"wsolo never refused {sorted(blind)}, and refused {refused['valid']} valid streams")

    failed, seen, present = False, Counter(), []
    for peer, command in commands(options).items():
        if command is None:
            print(f"{peer:12} left out: not installed or not built")
            failed = failed or peer in options.need
            continue
        present.append(peer)
        unlisted = compare(peer, cases, ours, logs_of(command, stdin, len(cases)), seen)
        explained = sum(count for each, count in seen.items() if each.peer == peer)
        print(f"{peer:12} {len(cases)} cases, {explained} listed differences, {len(unlisted)} unlisted")
        for line in unlisted[:10]:
            print(f"  {line}")
        failed = failed or bool(unlisted)
    for each in DIFFERENCES:
        if each.peer in present:
            print(f"  {each.peer:12} {seen[each]:6} {each.why}" + ("" if seen[each] else "  (no longer occurs)"))
    return 1 if failed or not present else 0


if __name__ == "__main__":
    sys.exit(main())
