#!/usr/bin/env python3
"""Every header says its licence in its first lines, because it is copied alone; REUSE.toml says it for the other files.

    tools/check_spdx.py            names the headers that don't
    tools/check_spdx.py --write    adds the line to those of include/
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import List

from house import SPDX, read_lines, report, repository_root

FIRST_LINES = 3


def headers_of(root: Path) -> List[Path]:
    return sorted(path for folder in ("include", "single_include") for path in (root / folder).rglob("*.[hc]pp*"))


def problems_of(root: Path) -> List[str]:
    problems = [f"{path.relative_to(root)}: `{SPDX}` is missing in its first lines (tools/check_spdx.py --write)"
                for path in headers_of(root) if SPDX not in read_lines(path)[:FIRST_LINES]]
    reuse = root / "REUSE.toml"
    text = reuse.read_text(encoding="utf-8") if reuse.is_file() else ""
    if 'path = "**"' not in text or f'SPDX-License-Identifier = "{SPDX.split()[-1]}"' not in text:
        problems.append("REUSE.toml: it does not give every file the licence")
    return problems


def write(root: Path) -> None:
    for path in headers_of(root / "."):
        if "single_include" not in path.parts and SPDX not in read_lines(path)[:FIRST_LINES]:
            path.write_text(f"{SPDX}\n{path.read_text(encoding='utf-8')}", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=repository_root())
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    if arguments.write:
        write(arguments.root)
    return report("spdx", problems_of(arguments.root), len(headers_of(arguments.root)), "headers")


if __name__ == "__main__":
    raise SystemExit(main())
