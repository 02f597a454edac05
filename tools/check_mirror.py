#!/usr/bin/env python3
"""Tests mirror headers: include/wsolo/ROOM/NAME.hpp is tested by tests/unit/ROOM/NAME_test.cpp, and each test's
head says in a comment which bugs it would catch.

Exempt: umbrellas (includes only) and detail/ folders, which are tested through what uses them. The other way
round, a test whose header is gone is an error, outside of detail/ and of interleave/ (the checker's own tests, and
what it checks across headers); NAME_more_test.cpp is a second file for NAME.hpp.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import List

from house import headers_of, is_includes_only, library_of, read_lines, report, repository_root, room_of

NO_MIRRORS = {"detail", "interleave"}  # folders whose tests need not bear a header's name
SHORTEST_HEAD = 20  # characters: more than a repeated file name


def tests_of(root: Path) -> List[Path]:
    return sorted((root / "tests").glob("unit/**/*_test.cpp")) + sorted((root / "tests").glob("scenarios/*_test.cpp"))


def head_of(test: Path) -> str:
    head = []
    for line in read_lines(test):
        if not line.startswith("//"):
            break
        head.append(line.lstrip("/ "))
    return " ".join(head)


def has_header(root: Path, test: Path) -> bool:
    folder = library_of(root) / test.relative_to(root / "tests" / "unit").parent
    words = test.stem.split("_")[:-1]
    return any((folder / ("_".join(words[:count]) + ".hpp")).is_file() for count in range(1, len(words) + 1))


def problems_of(root: Path) -> List[str]:
    problems = []
    library = library_of(root)
    for header in headers_of(root):
        name = header.relative_to(library)
        if room_of(root, header) is None or "detail" in name.parts or is_includes_only(header):
            continue
        test = root / "tests" / "unit" / name.parent / f"{name.stem}_test.cpp"
        if not test.is_file():
            problems.append(f"include/wsolo/{name}: {test.relative_to(root)} is missing")
    for test in tests_of(root):
        name = test.relative_to(root)
        if len(head_of(test)) < SHORTEST_HEAD:
            problems.append(f"{name}:1: begin with a comment that says which bugs this test would catch")
        if name.parts[1] == "unit" and not NO_MIRRORS & set(name.parts) and not has_header(root, test):
            problems.append(f"{name}: no header in include/wsolo/{name.parts[2]} has that name")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=repository_root())
    root = parser.parse_args().root
    return report("mirror", problems_of(root), len(tests_of(root)), "tests")


if __name__ == "__main__":
    raise SystemExit(main())
