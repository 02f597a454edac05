#!/usr/bin/env python3
"""Prints where the bytes of an idle connection are: each type's size, and that of its members, as clang lays them out.

    tools/sizes.py [--depth N] [--include DIR] [NAME...]

NAME: one of endpoint, connection, writer, reader, group_seat; all of them without one. --depth 2 (the default is 1) shows members of
members too. --include: another tree's headers, to compare. A member's bytes include the padding after it. Heap that an object
takes later is not in it: `scripts/bench memory` measures that. clang++ is looked for under the names clang++ and clang++-NN.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import List, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = """
#include <wsolo/wsolo.hpp>
#include <wsolo/adapt/posix.hpp>
struct hook { void* self; bool operator()() const { return true; } };
struct handler { wsolo::errc on_message(auto& ws, const wsolo::message& got) { return ws.send(got); } };
using endpoint = wsolo::endpoint<wsolo::adapt::posix_socket, hook, handler>;
using connection = wsolo::server_connection<wsolo::adapt::posix_socket, hook, handler>;
using writer = wsolo::single_writer<wsolo::adapt::posix_socket, hook>;
using reader = wsolo::server_reader;
using group_seat = wsolo::connection_group::seat;
"""
NAMES = ("endpoint", "connection", "writer", "reader", "group_seat")


class Member(NamedTuple):
    offset: int
    depth: int
    what: str


class Layout(NamedTuple):
    members: List[Member]
    size: int


def find_clang() -> str:
    for name in ["clang++"] + [f"clang++-{version}" for version in range(25, 13, -1)]:
        if shutil.which(name):
            return name
    sys.exit("there is no clang++")


def lay_out(name: str, include: Path) -> Layout:
    command = [find_clang(), "-std=c++20", "-DNDEBUG", f"-I{include}", "-fsyntax-only", "-Xclang", "-fdump-record-layouts", "-xc++", "-"]
    probe = f"{PROGRAM}\nconst void* probe({name}& it) {{ return &it; }}\nstatic_assert(sizeof({name}) > 0);"
    marker = f"\nstruct wanted_layout {{ {name} it; }};\nstatic_assert(sizeof(wanted_layout) > 0);"
    run = subprocess.run(command, input=probe + marker, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        sys.exit(run.stderr)
    for record in run.stdout.split("*** Dumping AST Record Layout")[1:]:
        lines = [line for line in record.splitlines() if "|" in line]
        if "struct wanted_layout" in lines[0]:
            return parse(lines)
    sys.exit(f"clang says nothing of {name}")


def parse(lines: List[str]) -> Layout:
    members = []
    size = 0
    for line in lines[2:]: # the wrapper, and its only member
        total = re.search(r"\[sizeof=(\d+)", line)
        if total:
            size = int(total[1])
            break
        offset, what = line.split("|", 1)
        place = re.match(r"\s*(\d+)", offset)
        if place is None:
            continue
        depth = (len(what) - len(what.lstrip())) // 2
        members.append(Member(int(place[1]), depth, what.strip()))
    return Layout(members, size)


def short(what: str) -> str:
    """The member's name first, then its type without namespaces and arguments."""
    is_base = "(base)" in what or "(primary base)" in what
    what = re.sub(r"\((?:empty|base|primary base)\)", "", what).strip()
    if "(anonymous" in what:
        return "(a union)" if what.startswith("union") else "(a struct)"
    kind, _, name = (what, "", "(its base)") if is_base else what.rpartition(" ")
    while "<" in kind:
        fewer = re.sub(r"<[^<>]*>", "", kind)
        if fewer == kind:
            break
        kind = fewer
    kind = re.sub(r"(?:\w+::)+", "", kind)
    kind = re.sub(r"^(?:class|struct|enum) ", "", kind)
    return f"{name:28} {kind}" if name.endswith("_") or kind else f"{name}"


def show(name: str, layout: Layout, depth: int) -> None:
    print(f"{name}: {layout.size} bytes")
    members = [member for member in layout.members if "(empty)" not in member.what]
    top = min((member.depth for member in members), default=0)
    for at, member in enumerate(members):
        level = member.depth - top
        if level >= depth:
            continue
        following = (later.offset for later in members[at + 1:] if later.depth <= member.depth)
        bytes_ = next(following, layout.size) - member.offset
        print(f"  {'    ' * level}{bytes_:5} at {member.offset:4}  {short(member.what)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--depth", type=int, default=1)
    parser.add_argument("--include", type=Path, default=ROOT / "include")
    parser.add_argument("names", nargs="*", metavar="NAME")
    given = parser.parse_args()
    for name in given.names or NAMES:
        if name not in NAMES:
            parser.error(f"{name} is not one of {', '.join(NAMES)}")
        show(name, lay_out(name, given.include), given.depth)
    return 0


if __name__ == "__main__":
    sys.exit(main())
