#!/usr/bin/env python3
"""Length is a smell, not a knife: question a file at 400 lines (is it one noun, one state machine?), split it at 800.
Generated files do not count."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import List, Tuple

from house import SPDX, read_lines, report, repository_root

QUESTION = 400
SPLIT = 800
FOLDERS = ["include", "tests", "bench", "examples", "tools", "scripts", "cmake", "test_package"]
ENDINGS = {".hpp", ".cpp", ".h", ".c", ".py", ".js", ".cmake", ".sh", ".txt"}


def files_of(root: Path) -> List[Path]:
    return sorted(path for folder in FOLDERS for path in (root / folder).rglob("*")
                  if path.is_file() and (path.suffix in ENDINGS or path.parent == root / "scripts"))


def judge(root: Path) -> Tuple[List[str], List[str]]:
    """(errors, warnings)"""
    errors, warnings = [], []
    for path in files_of(root):
        count = sum(line != SPDX for line in read_lines(path))
        if count > SPLIT:
            errors.append(f"{path.relative_to(root)}: {count} lines, split it (at most {SPLIT})")
        elif count > QUESTION:
            warnings.append(f"{path.relative_to(root)}: {count} lines (warning: more than {QUESTION})")
    return errors, warnings


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=repository_root())
    root = parser.parse_args().root
    errors, warnings = judge(root)
    for warning in warnings:
        print(warning)
    return report("length", errors, len(files_of(root)), "files")


if __name__ == "__main__":
    raise SystemExit(main())
