"""What the tools share: the rooms of include/wsolo, and how to read a header's include lines."""

from __future__ import annotations

import itertools
import re
import sys
from pathlib import Path
from typing import Iterator, List, NamedTuple, Optional

# In the order in which the umbrella names them: a room follows everything that it sees.
ROOMS = ["core", "text", "frame", "handshake", "session", "sync", "write", "endpoint"]
# Not in the umbrella: a program that wants one of their headers includes it.
OPT_IN = ["deflate", "adapt", "testing"]
# The same for a header of another room whose head says so.
OPT_IN_MARK = "Not part of wsolo.hpp"

SPDX = "// SPDX-License-Identifier: MIT"
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
OPENS_CONDITION = re.compile(r"^\s*#\s*if(def|ndef)?\b")
CLOSES_CONDITION = re.compile(r"^\s*#\s*endif\b")


class Include(NamedTuple):
    line: int  # counted from 1
    target: str
    system: bool  # <...>
    conditional: bool  # inside an #if
    completes: bool  # stands after code: it brings the rest of what the header began


def repository_root() -> Path:
    return Path(__file__).resolve().parent.parent


def library_of(root: Path) -> Path:
    return root / "include" / "wsolo"


def headers_of(root: Path) -> List[Path]:
    return sorted(library_of(root).rglob("*.hpp"))


def room_of(root: Path, header: Path) -> Optional[str]:
    """The room's name; None for what lies directly in include/wsolo."""
    parts = header.relative_to(library_of(root)).parts
    return parts[0] if len(parts) > 1 else None


def is_opt_in(root: Path, header: Path) -> bool:
    if room_of(root, header) in OPT_IN:
        return True
    lines = read_lines(header) if header.is_file() else []
    head = itertools.takewhile(lambda line: line.startswith(("#pragma once", "//")), lines)
    return OPT_IN_MARK in " ".join(line.lstrip("/ ") for line in head)


def read_lines(path: Path) -> List[str]:
    return path.read_text(encoding="utf-8").splitlines()


def with_depth(lines: List[str]) -> Iterator[tuple]:
    """(line number, line, how many #if it is inside of); an #if and its #endif count as inside."""
    depth = 0
    for number, line in enumerate(lines, start=1):
        if OPENS_CONDITION.match(line):
            depth += 1
        yield number, line, depth
        if CLOSES_CONDITION.match(line):
            depth -= 1


def is_code(line: str) -> bool:
    text = line.strip()
    return bool(text) and not text.startswith(("//", "#"))


def includes_of(path: Path) -> List[Include]:
    found = []
    after_code = False
    for number, line, depth in with_depth(read_lines(path)):
        after_code = after_code or is_code(line)
        match = INCLUDE.match(line)
        if match:
            found.append(Include(number, match.group(2), match.group(1) == "<", depth > 0, after_code))
    return found


def is_includes_only(path: Path) -> bool:
    """True for an umbrella: nothing but comments, #pragma once and #include."""
    for line in read_lines(path):
        text = line.strip()
        if text and not text.startswith("//") and text != "#pragma once" and not INCLUDE.match(line):
            return False
    return True


def version_of(root: Path) -> str:
    text = (library_of(root) / "version.hpp").read_text(encoding="utf-8")
    parts = []
    for part in ("MAJOR", "MINOR", "PATCH"):
        match = re.search(rf"^#define WSOLO_VERSION_{part} (\d+)$", text, re.MULTILINE)
        if not match:
            raise SystemExit(f"version.hpp: WSOLO_VERSION_{part} is missing")
        parts.append(match.group(1))
    return ".".join(parts)


def report(name: str, problems: List[str], checked: int, what: str) -> int:
    """Prints the verdict of a check and returns its exit code. Having looked at nothing is a failure too."""
    if checked == 0:
        problems = problems + [f"no {what} found: the check looked at nothing"]
    for problem in problems:
        print(problem)
    verdict = f"{len(problems)} problem(s)" if problems else "ok"
    print(f"{name}: {checked} {what}, {verdict}", file=sys.stderr if problems else sys.stdout)
    return 1 if problems else 0
