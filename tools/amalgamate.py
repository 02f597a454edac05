#!/usr/bin/env python3
"""Writes what is generated from include/wsolo: the umbrella, the single header, and the opt-in headers beside it.

    tools/amalgamate.py            writes
    tools/amalgamate.py --check    writes nothing; exits 1 and names what is stale

The single header is deterministic: rooms in the house's order, each header once and after what it includes,
unconditional standard includes hoisted and sorted, conditional ones left where they stand. Adapters, deflate/ and testing/ stay
files of their own: single_include/wsolo/adapt/NAME.hpp has "../wsolo.hpp" in place of its includes of rooms.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Dict, List, Set

from house import (INCLUDE, ROOMS, headers_of, is_code, is_opt_in, library_of, read_lines, repository_root, room_of,
                   version_of, with_depth)

SINGLE = Path("single_include/wsolo")
UMBRELLA = Path("include/wsolo/wsolo.hpp")

UMBRELLA_HEAD = """#pragma once
// Everything but deflate/, adapt/ and testing/. Written by tools/amalgamate.py: includes only.
"""

GUARD = """
#if (defined(_MSVC_LANG) ? _MSVC_LANG : __cplusplus) < 202002L
#error "wsolo needs C++20 (-std=c++20)"
#include <wsolo_needs_cxx20> // does not exist: compilers stop here, before hundreds of errors that say nothing
#endif
#if defined(WSOLO_VERSION_MAJOR) && !defined(WSOLO_SINGLE_HEADER)
#error "wsolo: this translation unit already has wsolo's separate headers; use those or the single header, not both"
#endif
#if defined(WSOLO_SINGLE_HEADER) && \\
    (WSOLO_VERSION_MAJOR != {major} || WSOLO_VERSION_MINOR != {minor} || WSOLO_VERSION_PATCH != {patch})
#error "wsolo: two versions of the single header in one translation unit; remove the include of one of them"
#endif

#ifndef WSOLO_SINGLE_HEADER
#define WSOLO_SINGLE_HEADER 1
"""


def comment(text: str) -> str:
    return "".join(f"// {line}".rstrip() + "\n" for line in text.splitlines())


def make_umbrella(root: Path) -> str:
    text = UMBRELLA_HEAD
    library = library_of(root)
    for room in ROOMS:
        names = [header.relative_to(library).as_posix() for header in headers_of(root)
                 if room_of(root, header) == room and "detail" not in header.relative_to(library).parts
                 and not is_opt_in(root, header)]
        if names:
            text += "\n" + "".join(f'#include "{name}"\n' for name in sorted(names))
    return text


class SingleHeader:
    """Collects the headers as the preprocessor would: each once, where it is first included."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.standard: Set[str] = set()
        self.body: List[str] = []
        self.done: Set[Path] = set()

    def add(self, header: Path) -> None:
        header = header.resolve()
        if header in self.done:
            return
        self.done.add(header)
        name = header.relative_to(library_of(self.root).resolve()).as_posix()
        own: List[str] = []
        for number, line, depth in with_depth(read_lines(header)):
            match = INCLUDE.match(line)
            if line.strip() == "#pragma once":
                continue
            if not match or (match.group(1) == "<" and depth > 0):
                own.append(line)
            elif match.group(1) == "<":
                self.standard.add(match.group(2))
            elif depth > 0:
                raise SystemExit(f"{name}:{number}: a relative include may not stand inside an #if")
            else:
                if any(is_code(line) for line in own):  # an include at the bottom
                    self.flush(name, own)
                    own = []
                self.add(header.parent / match.group(2))
        self.flush(name, own)

    def flush(self, name: str, own: List[str]) -> None:
        if any(line.strip() for line in own):
            self.body += ["", f"// ---- wsolo/{name}", *without_double_blanks(own)]

    def text(self, version: str, licence: str) -> str:
        major, minor, patch = version.split(".")
        head = f"// wsolo {version}: every room in one header; deflate/, adapt/ and testing/ lie beside it.\n"
        head += "// Written by tools/amalgamate.py from include/wsolo: change it there.\n//\n"
        lines = [head + comment(licence) + GUARD.format(major=major, minor=minor, patch=patch)]
        lines += [f"#include <{name}>" for name in sorted(self.standard)]
        return "\n".join([*lines, *self.body, "", "#endif // WSOLO_SINGLE_HEADER", ""])


def without_double_blanks(lines: List[str]) -> List[str]:
    kept: List[str] = []
    for line in lines:
        if line.strip() or (kept and kept[-1].strip()):
            kept.append(line.rstrip())
    while kept and not kept[-1]:
        kept.pop()
    return kept


def make_single(root: Path, umbrella: str) -> str:
    single = SingleHeader(root)
    for line in umbrella.splitlines():
        match = INCLUDE.match(line)
        if match:
            single.add(library_of(root) / match.group(2))
    return single.text(version_of(root), (root / "LICENSE").read_text(encoding="utf-8"))


def make_opt_in(root: Path, header: Path) -> str:
    """Its text with the first include of a room replaced by the single header, and the others removed."""
    library = library_of(root).resolve()
    depth_below = len(header.relative_to(library_of(root)).parts) - 1
    replacement = f'#include "{"../" * depth_below}wsolo.hpp"'
    lines: List[str] = []
    for line in read_lines(header):
        match = INCLUDE.match(line)
        if match and match.group(1) == '"':
            target = (header.parent / match.group(2)).resolve()
            if not is_opt_in(root.resolve(), target):
                if replacement not in lines:
                    lines.append(replacement)
                continue
        lines.append(line)
    name = header.relative_to(library_of(root)).as_posix()
    return f"// Written by tools/amalgamate.py from include/wsolo/{name}: change it there.\n" + "\n".join(lines) + "\n"


def generate(root: Path) -> Dict[Path, str]:
    """Every generated file by its path below the root."""
    umbrella = make_umbrella(root)
    files = {UMBRELLA: umbrella, SINGLE / "wsolo.hpp": make_single(root, umbrella)}
    for header in headers_of(root):
        if is_opt_in(root, header):
            files[SINGLE / header.relative_to(library_of(root))] = make_opt_in(root, header)
    return files


def stale_files(root: Path, files: Dict[Path, str]) -> List[str]:
    problems = []
    for path, text in files.items():
        if not (root / path).is_file():
            problems.append(f"{path.as_posix()} is missing")
        elif (root / path).read_bytes() != text.encode("utf-8"):
            problems.append(f"{path.as_posix()} is stale")
    for path in sorted((root / SINGLE).rglob("*.hpp")):
        if path.relative_to(root) not in files:
            problems.append(f"{path.relative_to(root).as_posix()} has no source any more")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 when something is stale")
    parser.add_argument("--root", type=Path, default=repository_root())
    arguments = parser.parse_args()
    root = arguments.root.resolve()
    files = generate(root)
    problems = stale_files(root, files)
    if arguments.check:
        for problem in problems:
            print(f"{problem}: run tools/amalgamate.py", file=sys.stderr)
        print(f"amalgamate: {len(files)} generated files, {len(problems)} problem(s)")
        return 1 if problems else 0
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(text.encode("utf-8"))
    for path in sorted((root / SINGLE).rglob("*.hpp")):
        if path.relative_to(root) not in files:
            path.unlink()
    print(f"amalgamate: wrote {len(files)} files ({len(problems)} had changed)")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
