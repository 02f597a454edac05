#!/usr/bin/env python3
"""The C++ in README.md and docs/ compiles.

A ```cpp block is preceded by a comment that says what to do with it:

    <!-- compile: NAME -->            as tests/readme/NAME.cpp frames it, or alone when there is no such file
    <!-- not compiled: REASON -->     another project's code, or a sketch

A frame holds one line `@BLOCK@`, which the block replaces; the block's #include lines move to the frame's top. With `@WHOLE@`
they stay where they are: in an `#if` that asks for their library.

    tools/check_readme.py --work FOLDER -- COMPILER FLAGS...
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path
from typing import List, NamedTuple, Optional

from house import INCLUDE, read_lines, report, repository_root

MARK = re.compile(r"^\s*<!-- (compile|not compiled): (.+?) -->\s*$")


class Block(NamedTuple):
    place: str  # file:line, for messages
    name: Optional[str]  # None when it is not compiled
    lines: List[str]


def blocks_of(root: Path, path: Path, problems: List[str]) -> List[Block]:
    blocks: List[Block] = []
    mark = None
    inside: Optional[Block] = None
    for number, line in enumerate(read_lines(path), start=1):
        place = f"{path.relative_to(root).as_posix()}:{number}"
        if inside is not None:
            if line.strip() == "```":
                blocks.append(inside)
                inside = None
            else:
                inside.lines.append(line)
        elif re.match(r"^\s*```(cpp|c\+\+)\b", line):
            if mark is None:
                problems.append(f"{place}: put <!-- compile: NAME --> or <!-- not compiled: REASON --> above this block")
            inside = Block(place, mark.group(2) if mark and mark.group(1) == "compile" else None, [])
        if line.strip():
            mark = MARK.match(line)
    return blocks


def frame(root: Path, block: Block) -> List[str]:
    path = root / "tests" / "readme" / f"{block.name}.cpp"
    if not path.is_file():
        return block.lines
    lines = read_lines(path)
    if any(line.strip() == "@WHOLE@" for line in lines):
        return [each for line in lines for each in (block.lines if line.strip() == "@WHOLE@" else [line])]
    includes = [line for line in block.lines if INCLUDE.match(line)]
    rest = [line for line in block.lines if not INCLUDE.match(line)]
    text: List[str] = list(includes)
    for line in lines:
        text += rest if line.strip() == "@BLOCK@" else [line]
    return text


def compile_block(root: Path, block: Block, work: Path, command: List[str]) -> List[str]:
    source = work / f"{block.name}.cpp"
    source.write_text("\n".join(frame(root, block)) + "\n", encoding="utf-8")
    result = subprocess.run([*command, "-fsyntax-only", str(source)], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, check=False)
    return [] if result.returncode == 0 else [f"{block.place}: does not compile\n{result.stdout}"]


def problems_of(root: Path, work: Path, command: List[str]) -> tuple:
    """(problems, number of files looked at)"""
    problems: List[str] = []
    paths = [path for path in [root / "README.md", *sorted((root / "docs").rglob("*.md"))] if path.is_file()]
    work.mkdir(parents=True, exist_ok=True)
    used = set()
    for path in paths:
        for block in blocks_of(root, path, problems):
            if block.name is not None:
                if block.name in used:
                    problems.append(f"{block.place}: a second block is called {block.name}")
                used.add(block.name)
                problems += compile_block(root, block, work, command)
    for path in sorted((root / "tests" / "readme").glob("*.cpp")):
        if path.stem not in used:
            problems.append(f"tests/readme/{path.name}: no block of that name")
    return problems, len(paths)


def main() -> int:
    arguments = sys.argv[1:]
    if "--" not in arguments:
        print(__doc__, file=sys.stderr)
        return 2
    split = arguments.index("--")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=repository_root())
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args(arguments[:split])
    problems, count = problems_of(options.root, options.work, arguments[split + 1:])
    return report("readme", problems, count, "documents")


if __name__ == "__main__":
    raise SystemExit(main())
