#!/usr/bin/env python3
"""Instructions of hot paths (paths.cpp) under callgrind, against the table of what each may take.

    run.py --program PATHS --table allowed.txt --compiler GNU-12 [--write]

One line of the table: COMPILER PATH INSTRUCTIONS. A path may take 2 % more; where one takes 2 % less, it is told that the table
can be tightened. --write puts what was counted into the table, for this compiler. Exit code 77: skipped, because the
table knows nothing of this compiler.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict

TOLERANCE = 1.02
SKIPPED = 77


def count(program: Path) -> Dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=counts", "--combine-dumps=yes", str(program.resolve())]
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            print(run.stderr, file=sys.stderr)
            sys.exit("the program failed")
        text = (Path(folder) / "counts").read_text(encoding="utf-8")
    calls = {name: int(times) for name, times in (line.split() for line in run.stdout.splitlines())}
    counted = {}
    for part in re.split(r"^part: ", text, flags=re.MULTILINE):
        name = re.search(r"^desc: Trigger: Client Request: (\S+)", part, re.MULTILINE)
        total = re.search(r"^(?:totals|summary): (\d+)", part, re.MULTILINE)
        if name and total:
            counted[name[1]] = int(total[1]) / calls[name[1]]
    if set(counted) != set(calls):
        sys.exit(f"callgrind did not say everything: {sorted(set(calls) - set(counted))}")
    return counted


def read(table: Path) -> Dict[str, Dict[str, float]]:
    known: Dict[str, Dict[str, float]] = {}
    for line in table.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            compiler, path, allowed = line.split()
            known.setdefault(compiler, {})[path] = float(allowed)
    return known


def write(table: Path, known: Dict[str, Dict[str, float]]) -> None:
    head = [line for line in table.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    body = [f"{compiler} {path} {allowed:.1f}" for compiler, paths in sorted(known.items()) for path, allowed in paths.items()]
    table.write_text("\n".join(head + body) + "\n", encoding="utf-8")


def judge(counted: Dict[str, float], allowed: Dict[str, float]) -> Dict[str, str]:
    """What is wrong, by path."""
    wrong = {path: "is in the table only" for path in allowed if path not in counted}
    for path, now in counted.items():
        if path not in allowed:
            wrong[path] = "is not in the table"
        elif now > allowed[path] * TOLERANCE:
            wrong[path] = f"takes more than {allowed[path]:.1f}"
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=Path, required=True)
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--compiler", required=True)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    known = read(given.table)
    allowed = known.get(given.compiler)
    if allowed is None and not given.write:
        print(f"skipped: {given.table.name} has no counts for {given.compiler}, only for {', '.join(sorted(known))}")
        return SKIPPED
    counted = count(given.program)
    if given.write:
        known[given.compiler] = counted
        write(given.table, known)
        return 0
    strict = {path: times / TOLERANCE / 1.01 for path, times in counted.items()}
    if set(judge(counted, strict)) != set(counted):
        sys.exit("a table that allows 3 % less than was counted is not found to be exceeded")
    wrong = judge(counted, allowed)
    for path in sorted(set(counted) | set(allowed)):
        now, before = counted.get(path, 0.0), allowed.get(path, 0.0)
        hint = f"ok, and less than {before:.1f}: --write" if now * TOLERANCE < before else "ok"
        print(f"{path:22} {now:10.1f}  {wrong.get(path, hint)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
