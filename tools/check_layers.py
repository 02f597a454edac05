#!/usr/bin/env python3
"""Who may include whom. The table is the house's; CONTRIBUTING.md explains it.

Also refused: <wsolo/...> inside the library (its headers find each other relatively, wherever they are copied),
an include that does not exist, circles, expensive standard headers where every user would pay for them, and an
umbrella that holds anything but includes or misses a header. And each room brings those standard headers that this file
lists (BRINGS), no other: what a room costs to include is decided here.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Dict, List, Set

from house import (OPT_IN, ROOMS, headers_of, includes_of, is_includes_only, is_opt_in, library_of, report,
                   repository_root, room_of)

# session and write never see each other, so that a server can adopt the reader or the writer alone.
SEES: Dict[str, Set[str]] = {
    "core": set(),
    "text": {"core"},
    "frame": {"core", "text"},
    "handshake": {"core"},
    "session": {"core", "frame", "text"},
    "sync": {"core"},
    "write": {"core", "frame", "sync"},
    "endpoint": set(ROOMS) - {"endpoint"},
    "deflate": {"core", "text", "frame", "handshake"},
    "adapt": set(ROOMS) | {"deflate"},
    "testing": set(ROOMS) | {"deflate"},
}

# What a codec's user must not pay for (each costs 0.1 to 0.5 s per translation unit). An #if around the include
# is allowed: it is a fallback.
UMBRELLAS = {"wsolo.hpp", "codec.hpp"}
DEAR = {"algorithm", "condition_variable", "fstream", "functional", "future", "immintrin.h", "iomanip", "iostream",
        "istream", "map", "ostream", "random", "ranges", "regex", "sstream", "thread", "unordered_map"}
UMBRELLA_SHUNS = {"thread"}  # a header that needs one of these is opt-in ("Not part of wsolo.hpp" in its head)
# The standard headers of each room, opt-in headers aside. <chrono>, <memory>, <mutex>, <string> are not among them, and
# each alone costs more than a room: see core/time.hpp, core/detail/owned.hpp, sync/os_mutex.hpp, session/event.hpp.
BRINGS = {
    "core": "array bit concepts cstddef cstdint cstdio cstdlib cstring limits span string_view type_traits "
            "utility version",
    "text": "array cstdint cstring type_traits",
    "frame": "atomic concepts cstdint new string_view",
    "handshake": "array bit concepts cstddef cstdint cstring initializer_list optional span string_view "
            "type_traits",
    "session": "array cstddef cstdint cstdlib iosfwd optional utility",
    "sync": "atomic concepts coroutine cstddef cstdint new type_traits utility",
    "write": "concepts cstddef cstdint cstring new optional utility",
    "endpoint": "atomic concepts cstddef cstdint new optional string_view type_traits utility",
}
FRUGAL_ROOMS = {"core", "text", "frame", "handshake", "session"}


def check_header(root: Path, header: Path) -> List[str]:
    problems = []
    library = library_of(root)
    room = room_of(root, header)
    name = header.relative_to(root)
    if room is not None and room not in SEES:
        return [f"{name}: no room is called '{room}' (tools/check_layers.py, SEES)"]
    for include in includes_of(header):
        where = f"{name}:{include.line}"
        if include.system:
            if include.target.startswith("wsolo/"):
                problems.append(f"{where}: include \"{include.target}\" by a relative path")
            if room in FRUGAL_ROOMS and include.target in DEAR and not include.conditional:
                problems.append(f"{where}: <{include.target}> is too dear for {room}/")
            continue
        target = (header.parent / include.target).resolve()
        if not target.is_file():
            problems.append(f"{where}: {include.target} does not exist")
            continue
        if library.resolve() not in target.parents:
            problems.append(f"{where}: {include.target} lies outside of include/wsolo")
            continue
        seen = room_of(root, library / target.relative_to(library.resolve()))
        if room is None:
            if header.name in UMBRELLAS and seen not in OPT_IN:
                continue
            problems.append(f"{where}: {header.name} may not include {include.target}")
        elif seen is None:
            if not (room == "core" and target.name == "version.hpp"):
                problems.append(f"{where}: only core/ includes version.hpp, and no header includes the umbrella")
        elif seen != room and seen not in SEES[room]:
            problems.append(f"{where}: {room}/ may not see {seen}/ ({include.target})")
    return problems


def graph_of(headers: List[Path], completing: bool = True) -> Dict[Path, List[Path]]:
    graph = {}
    for header in headers:
        targets = [(header.parent / include.target).resolve() for include in includes_of(header)
                   if not include.system and (completing or not include.completes)]
        graph[header.resolve()] = [t for t in targets if t.is_file()]
    return graph


def find_circles(headers: List[Path]) -> List[str]:
    """Circles of includes at the headers' tops. One at the bottom, after code, completes what it stands below."""
    graph = graph_of(headers, completing=False)
    problems: List[str] = []
    done: Set[Path] = set()

    def visit(header: Path, path: List[Path]) -> None:
        if header in path:
            circle = path[path.index(header):] + [header]
            problems.append("headers include each other in a circle: " + " -> ".join(step.name for step in circle))
        elif header not in done:
            for target in graph.get(header, []):
                visit(target, path + [header])
            done.add(header)

    for header in graph:
        visit(header, [])
    return problems


def standard_headers_of(root: Path) -> Dict[str, Set[str]]:
    """By room: the standard headers that its headers, without opt-in ones, include where no #if stands around."""
    brings: Dict[str, Set[str]] = {}
    for header in headers_of(root):
        room = room_of(root, header)
        if room in SEES and not is_opt_in(root, header):
            brings.setdefault(room, set()).update(
                include.target for include in includes_of(header)
                if include.system and not include.conditional and not include.target.startswith("wsolo/"))
    return brings


def check_brings(root: Path) -> List[str]:
    problems = []
    for room, brought in sorted(standard_headers_of(root).items()):
        listed = set(BRINGS.get(room, "").split())
        problems += [f"{room}/ brings <{name}>, which tools/check_layers.py (BRINGS) doesn't list: is it worth its cost?"
                     for name in sorted(brought - listed)]
        problems += [f"{room}/ brings <{name}> no more: take it out of BRINGS" for name in sorted(listed - brought)]
    return problems


def check_umbrella(root: Path, graph: Dict[Path, List[Path]]) -> List[str]:
    umbrella = library_of(root) / "wsolo.hpp"
    if not umbrella.is_file():
        return ["include/wsolo/wsolo.hpp is missing (tools/amalgamate.py writes it)"]
    problems = []
    if not is_includes_only(umbrella):
        problems.append("include/wsolo/wsolo.hpp: the umbrella holds includes only")
    reached: Set[Path] = set()
    waiting = [umbrella.resolve()]
    while waiting:
        header = waiting.pop()
        if header not in reached:
            reached.add(header)
            waiting.extend(graph.get(header, []))
    for header in sorted(reached):
        name = header.relative_to(root.resolve())
        problems += [f"{name}:{include.line}: wsolo.hpp must not bring <{include.target}>" for include in includes_of(header)
                     if include.system and include.target in UMBRELLA_SHUNS and not include.conditional]
        if is_opt_in(root.resolve(), header):
            problems.append(f"{name}: it is opt-in, and wsolo.hpp reaches it")
    for header in headers_of(root):
        is_umbrella = room_of(root, header) is None and header.name in UMBRELLAS
        if not is_opt_in(root, header) and not is_umbrella and header.resolve() not in reached:
            problems.append(f"{header.relative_to(root)}: wsolo.hpp does not reach it (run tools/amalgamate.py)")
    return problems


def problems_of(root: Path) -> List[str]:
    headers = headers_of(root)
    problems = [problem for header in headers for problem in check_header(root, header)]
    graph = graph_of(headers)
    return problems + find_circles(headers) + check_umbrella(root, graph) + check_brings(root)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=repository_root())
    root = parser.parse_args().root
    return report("layers", problems_of(root), len(headers_of(root)), "headers")


if __name__ == "__main__":
    raise SystemExit(main())
