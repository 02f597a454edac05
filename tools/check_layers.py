#!/usr/bin/env python3
"""Who may include whom. The table is the house's; CONTRIBUTING.md explains it.

Also refused: <wsolo/...> inside the library (its headers find each other relatively, wherever they are copied),
an include that does not exist, circles, expensive standard headers where every user would pay for them, and an
umbrella that holds anything but includes or misses a header.
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
# is allowed: it is somebody's fallback.
DEAR = {"algorithm", "condition_variable", "fstream", "functional", "future", "immintrin.h", "iomanip", "iostream",
        "istream", "map", "ostream", "random", "ranges", "regex", "sstream", "thread", "unordered_map"}
UMBRELLA_SHUNS = {"thread"}  # a header that needs one of these is opt-in ("Not part of wsolo.hpp" in its head)
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
            if header.name == "wsolo.hpp" and seen not in OPT_IN:
                continue
            problems.append(f"{where}: {header.name} may not include {include.target}")
        elif seen is None:
            if not (room == "core" and target.name == "version.hpp"):
                problems.append(f"{where}: only core/ includes version.hpp, and nobody the umbrella")
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
    """Circles of includes at the headers' tops. One at the bottom, behind code, completes what it stands below."""
    graph = graph_of(headers, completing=False)
    problems: List[str] = []
    done: Set[Path] = set()

    def visit(header: Path, path: List[Path]) -> None:
        if header in path:
            circle = path[path.index(header):] + [header]
            problems.append("circle: " + " -> ".join(step.name for step in circle))
        elif header not in done:
            for target in graph.get(header, []):
                visit(target, path + [header])
            done.add(header)

    for header in graph:
        visit(header, [])
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
    for header in headers_of(root):
        if not is_opt_in(root, header) and header.resolve() not in reached:
            problems.append(f"{header.relative_to(root)}: wsolo.hpp does not reach it (run tools/amalgamate.py)")
    return problems


def problems_of(root: Path) -> List[str]:
    headers = headers_of(root)
    problems = [problem for header in headers for problem in check_header(root, header)]
    graph = graph_of(headers)
    return problems + find_circles(headers) + check_umbrella(root, graph)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=repository_root())
    root = parser.parse_args().root
    return report("layers", problems_of(root), len(headers_of(root)), "headers")


if __name__ == "__main__":
    raise SystemExit(main())
