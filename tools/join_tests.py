#!/usr/bin/env python3
"""Joins test files, so that what they instantiate alike is compiled once: a third of the time that they take alone.

    tools/join_tests.py --out FOLDER [--lines COUNT] TEST...

Prints the sources to compile instead, one a line: FOLDER/joined_N.cpp, of at most COUNT lines (or one test), and the
tests that stay alone. In a joined source each test has a namespace of its own, which its #include lines leave, and #line
keeps its places, so that no name of one test meets another's and every message names the test's own file. What a test needs
but does not include is not noticed: that is seen where the tests are not joined.

A test that can't be joined says so in a line of its own: `// Compiled alone: REASON`.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import List

from house import INCLUDE, read_lines

ALONE = re.compile(r"^// Compiled alone: \S")
DEFINES = re.compile(r"^\s*#\s*define\s+(\w+)")
HEAD = "// Made by tools/join_tests.py.\n"


def part_of(test: Path, number: int) -> List[str]:
    """The test inside of its namespace, which an #include line closes and opens again. Its macros end with it."""
    opened = f"namespace test_{number} {{"
    part = [opened, f'#line 1 "{test.as_posix()}"']
    macros = []
    for place, line in enumerate(read_lines(test), start=1):
        part += ["}", line, opened, f"#line {place + 1}"] if INCLUDE.match(line) else [line]
        macros += DEFINES.findall(line)
    return part + ["}"] + [f"#undef {macro}" for macro in macros]


def is_alone(test: Path) -> bool:
    return any(ALONE.match(line) for line in read_lines(test))


def batches_of(tests: List[Path], most: int) -> List[List[Path]]:
    """Neighbours together, in batches of about the same length."""
    lengths = {test: len(read_lines(test)) for test in tests}
    count = -(-sum(lengths.values()) // most)
    batches: List[List[Path]] = [[] for _ in range(count)]
    before = 0
    for test in tests:
        batches[before * count // max(1, sum(lengths.values()))].append(test)
        before += lengths[test]
    return [batch for batch in batches if batch]


def join(tests: List[Path], out: Path, most: int) -> List[Path]:
    """The sources to compile. A joined one is written only if it changed, so that it is compiled only then."""
    sources = [test for test in tests if is_alone(test)]
    for number, batch in enumerate(batches_of([test for test in tests if test not in sources], most)):
        if len(batch) == 1:
            sources += batch
            continue
        lines = [line for place, test in enumerate(batch) for line in part_of(test, place)]
        text = HEAD + "\n".join(lines) + "\n"
        joined = out / f"joined_{number}.cpp"
        out.mkdir(parents=True, exist_ok=True)
        if not joined.is_file() or joined.read_text(encoding="utf-8") != text:
            joined.write_text(text, encoding="utf-8")
        sources.append(joined)
    return sources


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--lines", type=int, default=8000)
    parser.add_argument("tests", nargs="+", type=Path, metavar="TEST")
    arguments = parser.parse_args()
    for source in join(arguments.tests, arguments.out, arguments.lines):
        print(source.as_posix())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
