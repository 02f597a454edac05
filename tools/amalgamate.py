#!/usr/bin/env python3
"""Writes what is generated from include/wsolo: both umbrellas, their single headers, and the opt-in headers beside them.

    tools/amalgamate.py            writes
    tools/amalgamate.py --check    writes nothing; exits 1 and names what is stale

wsolo.hpp is all but the opt-in headers; codec.hpp is the rooms text and frame
without shared frames, and what they include of core. A program
may include both single headers, in either order.

A single header is deterministic: rooms in the house's order, each header once and after what it includes,
unconditional standard includes hoisted and sorted, conditional ones left where they stand. Adapters, deflate/ and testing/ stay
files of their own: single_include/wsolo/adapt/NAME.hpp has "../wsolo.hpp" in place of its includes of rooms.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Dict, List, Set

from house import (INCLUDE, ROOMS, SPDX, headers_of, is_code, is_opt_in, library_of, read_lines, repository_root, room_of,
                   version_of, with_depth)

SINGLE = Path("single_include/wsolo")
UMBRELLA = Path("include/wsolo/wsolo.hpp")
CODEC = Path("include/wsolo/codec.hpp")
CODEC_ROOMS = ["text", "frame"]
CODEC_LACKS = ["frame/shared_frame.hpp"]  # for writers, and it brings <atomic>, as dear as all the rest

UMBRELLA_HEAD = f"""{SPDX}
#pragma once
// Everything but deflate/, adapt/ and testing/. Written by tools/amalgamate.py: includes only.
"""
MODULE = Path("single_include/wsolo.cppm")
NATVIS = Path("single_include/wsolo.natvis")
CODEC_HEAD = f"""{SPDX}
#pragma once
// The codec alone: frames and UTF-8, without state, threads or time. Written by tools/amalgamate.py: includes only.
"""

GUARD = """
#if (defined(_MSVC_LANG) ? _MSVC_LANG : __cplusplus) < 202002L
#error "wsolo needs C++20 (-std=c++20)"
#include <wsolo_needs_cxx20> // does not exist: compilers stop here, before hundreds of errors that say nothing
#endif
#if defined(WSOLO_VERSION_MAJOR) && !defined(WSOLO_SINGLE_HEADER) && !defined(WSOLO_SINGLE_CODEC)
#error "wsolo: this translation unit already has wsolo's separate headers; use those or the single header, not both"
#endif
#if (defined(WSOLO_SINGLE_HEADER) || defined(WSOLO_SINGLE_CODEC)) && \\
    (WSOLO_VERSION_MAJOR != {major} || WSOLO_VERSION_MINOR != {minor} || WSOLO_VERSION_PATCH != {patch})
#error "wsolo: two versions of the single header in one translation unit; remove the include of one of them"
#endif

{opening}
"""
OPENING = "#ifndef WSOLO_SINGLE_HEADER\n#define WSOLO_SINGLE_HEADER 1"
CODEC_OPENING = "#if !defined(WSOLO_SINGLE_HEADER) && !defined(WSOLO_SINGLE_CODEC)\n#define WSOLO_SINGLE_CODEC 1"


MODULE_HEAD = SPDX + """
// wsolo {version} as the C++20 module `wsolo`: what wsolo.hpp has, less its macros.
// Written by tools/amalgamate.py: change it there.
//
// Every standard header that wsolo.hpp includes comes first, so that it brings none into the module. A program that imports
// it includes <chrono> itself, and before the import: its operators are not the module's to give.
module;
"""
MODULE_TAIL = """
export module wsolo;

#if defined(__has_warning)
#if __has_warning("-Winclude-angled-in-module-purview") // not before clang 18
#pragma clang diagnostic ignored "-Winclude-angled-in-module-purview"
#endif
#endif
export extern "C++" {
#include "wsolo/wsolo.hpp"
}
"""


# What Visual Studio's debugger and those that read its files show. Names there are exact, so each is given for every
# configuration of the inline namespace (core/config.hpp, WSOLO_ABI).
VIEWS = {
    "turn": "<DisplayString>{{state_,en}}</DisplayString>",
    "frame_header": '<DisplayString Condition="masked">{{op,en}} masked, payload {{payload_size}}</DisplayString>'
                    "<DisplayString>{{op,en}}, payload {{payload_size}}</DisplayString>",
    "single_writer&lt;*&gt;": "<DisplayString>single_writer, turn: {{drive_.box.turn_}}</DisplayString>",
}
CONFIGURATIONS = [f"{asserts}_{exceptions}_{isa}" for asserts in ("checked", "unchecked") for exceptions in ("exc", "noexc")
                  for isa in ("avx512", "avx2", "sse2", "neon", "plain")]


def make_natvis(root: Path) -> str:
    text = '<?xml version="1.0" encoding="utf-8"?>\n'
    text += f"<!-- wsolo {version_of(root)}'s values. Written by tools/amalgamate.py: change it there. -->\n"
    text += '<AutoVisualizer xmlns="http://schemas.microsoft.com/vstudio/debugger/natvis/2010">\n'
    version = version_of(root).replace(".", "_")
    for name, view in VIEWS.items():
        first, *others = [f"wsolo::v{version}_{configuration}::{name}" for configuration in CONFIGURATIONS]
        text += f'  <Type Name="{first}">\n'
        text += "".join(f'    <AlternativeType Name="{other}"/>\n' for other in others)
        text += f"    {view.format()}\n  </Type>\n"
    return text + "</AutoVisualizer>\n"


def comment(text: str) -> str:
    return "".join(f"// {line}".rstrip() + "\n" for line in text.splitlines())


def make_umbrella(root: Path, head: str = UMBRELLA_HEAD, rooms: List[str] = ROOMS, lacks: List[str] = []) -> str:
    text = head
    library = library_of(root)
    for room in rooms:
        names = [header.relative_to(library).as_posix() for header in headers_of(root)
                 if room_of(root, header) == room and "detail" not in header.relative_to(library).parts
                 and not is_opt_in(root, header)]
        if names:
            text += "\n" + "".join(f'#include "{name}"\n' for name in sorted(set(names) - set(lacks)))
    return text


class SingleHeader:
    """Collects the headers as the preprocessor would: each once, where it is first included. What another single header
    has, `shared`, is left out where that one was included before."""

    def __init__(self, root: Path, umbrella: str, shared: Set[str] = frozenset()) -> None:
        self.root = root
        self.shared = shared
        self.names: Set[str] = set()
        self.standard: Set[str] = set()
        self.conditional: Set[str] = set()
        self.body: List[str] = []
        self.done: Set[Path] = set()
        self.is_shared = False
        for line in umbrella.splitlines():
            match = INCLUDE.match(line)
            if match:
                self.add(library_of(root) / match.group(2))
        self.share(False)

    def add(self, header: Path) -> None:
        header = header.resolve()
        if header in self.done:
            return
        self.done.add(header)
        name = header.relative_to(library_of(self.root).resolve()).as_posix()
        own: List[str] = []
        for number, line, depth in with_depth(read_lines(header)):
            match = INCLUDE.match(line)
            if line.strip() in ("#pragma once", SPDX):
                continue
            if not match or (match.group(1) == "<" and depth > 0):
                own.append(line)
                if match and not match.group(2).startswith("wsolo"):
                    self.conditional.add(match.group(2))
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
            self.names.add(name)
            self.share(name in self.shared)
            self.body += ["", f"// ---- wsolo/{name}", *without_double_blanks(own)]

    def share(self, is_shared: bool) -> None:
        if is_shared != self.is_shared:
            self.body += ["", "#ifndef WSOLO_SINGLE_CODEC" if is_shared else "#endif // WSOLO_SINGLE_CODEC"]
        self.is_shared = is_shared

    def text(self, what: str, opening: str) -> str:
        version = version_of(self.root)
        major, minor, patch = version.split(".")
        head = f"{SPDX}\n// wsolo {version}: {what}\n"
        head += "// Written by tools/amalgamate.py from include/wsolo: change it there.\n//\n"
        licence = comment((self.root / "LICENSE").read_text(encoding="utf-8"))
        lines = [head + licence + GUARD.format(major=major, minor=minor, patch=patch, opening=opening)]
        lines += [f"#include <{name}>" for name in sorted(self.standard)]
        return "\n".join([*lines, *self.body, "", "#endif // " + opening.split()[-2], ""])


    def module(self) -> str:
        text = MODULE_HEAD.format(version=version_of(self.root))
        text += "".join(f"#include <{name}>\n" for name in sorted(self.standard))
        for name in sorted(self.conditional - self.standard):
            needs = " && defined(__ARM_NEON)" if name == "arm_neon.h" else ""  # it is there for other targets too
            text += f"#if __has_include(<{name}>){needs}\n#include <{name}>\n#endif\n"
        return text + MODULE_TAIL


def without_double_blanks(lines: List[str]) -> List[str]:
    kept: List[str] = []
    for line in lines:
        if line.strip() or (kept and kept[-1].strip()):
            kept.append(line.rstrip())
    while kept and not kept[-1]:
        kept.pop()
    return kept


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
    codec_umbrella = make_umbrella(root, CODEC_HEAD, CODEC_ROOMS, CODEC_LACKS)
    codec = SingleHeader(root, codec_umbrella)
    whole = SingleHeader(root, umbrella, shared=codec.names)
    files = {
        UMBRELLA: umbrella,
        CODEC: codec_umbrella,
        SINGLE / "wsolo.hpp": whole.text("every room in one header; deflate/, adapt/ and testing/ lie beside it.", OPENING),
        MODULE: whole.module(),
        NATVIS: make_natvis(root),
        SINGLE / "codec.hpp": codec.text("the codec alone, frames and UTF-8; wsolo.hpp beside it has the rest.", CODEC_OPENING),
    }
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
