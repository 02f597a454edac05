#!/usr/bin/env python3
"""A program that must not compile: it is refused, for the expected reason, and its twin is accepted.

The file's first line is `// expect-error: REGEX`, searched in the compiler's output (`|` for compilers that word
it differently). The same file with -DWSOLO_TWIN must compile: it is the nearest correct program, so that the refusal
can't come from a typo or a missing include.

    tools/check_compile_fail.py FILE -- COMPILER FLAGS...
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import List

from house import read_lines

EXPECTATION = re.compile(r"^// expect-error: (.+)$")


def compile_only(command: List[str], source: Path) -> subprocess.CompletedProcess:
    return subprocess.run([*command, "-fsyntax-only", str(source)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)


def problems_of(source: Path, command: List[str]) -> List[str]:
    lines = read_lines(source)
    match = EXPECTATION.match(lines[0]) if lines else None
    if not match:
        return [f"{source.name}:1: the first line must be '// expect-error: REGEX'"]
    if not any("WSOLO_TWIN" in line and line.lstrip().startswith("#if") for line in lines):
        return [f"{source.name}: no #ifdef WSOLO_TWIN: write the nearest program that is correct"]
    twin = compile_only([*command, "-DWSOLO_TWIN"], source)
    if twin.returncode != 0:
        return [f"{source.name}: the twin (-DWSOLO_TWIN) must compile\n{twin.stdout}"]
    wrong = compile_only(command, source)
    if wrong.returncode == 0:
        return [f"{source.name}: compiles, but must not"]
    if not re.search(match.group(1), wrong.stdout):
        return [f"{source.name}: refused for another reason than /{match.group(1)}/\n{wrong.stdout}"]
    return []


def main(arguments: List[str]) -> int:
    if len(arguments) < 3 or arguments[1] != "--":
        print(__doc__, file=sys.stderr)
        return 2
    source = Path(arguments[0])
    problems = problems_of(source, arguments[2:])
    for problem in problems:
        print(problem)
    if not problems:
        print(f"{source.name}: refused as expected")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
