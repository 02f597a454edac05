#!/usr/bin/env python3
"""Prints how many lines and branches of each header of a room its own tests reached: scripts/coverage builds and runs them.

    tools/coverage.py [--gcov GCOV] [--missed] FOLDER ROOM...

FOLDER holds CMakeFiles/test_ROOM.dir with what g++ --coverage left. A line counts as reached when any instantiation of its
template, in any test file, ran it. So does a branch, where instantiations are told apart only by how many branches the
line has in them. Branches that an exception would take are left out, and what the compiler itself wrote.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, NamedTuple, Tuple

from house import headers_of, repository_root


class Header:
    """What the tests reached of one header."""

    def __init__(self) -> None:
        self.lines: Dict[int, bool] = {}
        self.branches: Dict[Tuple[int, int, int], bool] = {}  # line, how many there are, which one

    def add(self, line: dict, instantiations: int) -> None:
        number = line["line_number"]
        self.lines[number] = self.lines.get(number, False) or line["count"] > 0
        arcs = [arc for arc in line["branches"] if not arc["throw"]]
        # gcov puts the branches of all instantiations of a lambda into one row, in turn.
        alone = len(arcs) // instantiations if len(arcs) % instantiations == 0 else len(arcs)
        if alone < 2:
            return
        for which, arc in enumerate(arcs):
            key = (number, alone, which % alone)
            self.branches[key] = self.branches.get(key, False) or arc["count"] > 0


class Share(NamedTuple):
    reached: int
    all: int

    def __str__(self) -> str:
        percent = 100.0 * self.reached / self.all if self.all else 100.0
        return f"{self.reached:5d} of {self.all:4d} {percent:6.1f} %"


def share_of(marks: Dict) -> Share:
    return Share(sum(marks.values()), len(marks))


def reports_of(gcov: str, objects: Path) -> List[dict]:
    """gcov's JSON for each object file below a folder."""
    data = sorted(objects.rglob("*.gcda"))
    if not data:
        raise SystemExit(f"coverage: {objects} has no *.gcda; was the test built with --coverage, and run?")
    command = [gcov, "--json-format", "--stdout", "--branch-probabilities", *map(str, data)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line) for line in output.splitlines() if line.strip()]


def instantiations_at(line: dict, functions: List[dict]) -> int:
    """Of how many functions gcov added up this line: the innermost ones that it lies in, or the one that it names."""
    if line.get("function_name"):
        return 1
    around = [each for each in functions if each["start_line"] <= line["line_number"] <= each["end_line"]]
    innermost = max((each["start_line"] for each in around), default=0)
    return max(sum(each["start_line"] == innermost for each in around), 1)


def covered(gcov: str, objects: Path, headers: List[Path]) -> Dict[Path, Header]:
    wanted = {str(header): header for header in headers}
    found: Dict[Path, Header] = {}
    for report in reports_of(gcov, objects):
        folder = Path(report["current_working_directory"])
        for entry in report["files"]:
            header = wanted.get(str((folder / entry["file"]).resolve()))
            if header is None:
                continue
            for line in entry["lines"]:
                found.setdefault(header, Header()).add(line, instantiations_at(line, entry["functions"]))
    return found


def print_missed(name: str, header: Header) -> None:
    for number in sorted(line for line, reached in header.lines.items() if not reached):
        print(f"    {name}:{number}: line not reached")
    for number, count, which in sorted(key for key, taken in header.branches.items() if not taken):
        if header.lines[number]:
            print(f"    {name}:{number}: branch {which + 1} of {count} not taken")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the tests' folder in the build tree")
    parser.add_argument("rooms", nargs="+", metavar="ROOM")
    parser.add_argument("--gcov", default="gcov")
    parser.add_argument("--missed", action="store_true", help="also list what was not reached")
    options = parser.parse_args()

    root = repository_root()
    library = root / "include" / "wsolo"
    print(f"{'':32s} {'lines':>21s} {'branches':>21s}")
    for room in options.rooms:
        headers = [header for header in headers_of(root) if library / room in header.parents]
        if not headers:
            raise SystemExit(f"coverage: there is no room {room}")
        found = covered(options.gcov, options.folder / "CMakeFiles" / f"test_{room}.dir", headers)
        sums = [Share(0, 0), Share(0, 0)]
        for path in headers:
            header = found.get(path)
            name = str(path.relative_to(library))
            if header is None:
                continue  # nothing but declarations and constants
            shares = [share_of(header.lines), share_of(header.branches)]
            sums = [Share(*(a + b for a, b in zip(total, share))) for total, share in zip(sums, shares)]
            print(f"{name:32s} {shares[0]} {shares[1]}")
            if options.missed:
                print_missed(name, header)
        print(f"{room + ' in all':32s} {sums[0]} {sums[1]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
