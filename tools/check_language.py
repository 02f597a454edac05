#!/usr/bin/env python3
"""Words that CONTRIBUTING.md's section Language refuses, in all that the repository says: a sentence names the thread, the peer or the
user that it means, and time is "before" and "after".

    tools/check_language.py
"""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path
from typing import Iterator, List, Tuple

from house import report, repository_root

REFUSED = re.compile(r"\b(?:nobody|whoever|whomever|everybody|somebody|anybody)\b|"
                     r"\bbehind (?:(?:a|an|the|its|our|their) )?(?:Close|close\(\)|head|frame|failure|error|upgrade|answer|end)\b", re.IGNORECASE)
ALLOWED = re.compile(r"\bblame::nobody\b|\bblame\b.*\{ nobody,")  # an enumerator's name
SUFFIXES = {".cpp", ".hpp", ".h", ".py", ".md", ".txt", ".cmake", ".pml", ".mutants", ".js", ".mjs", ".html", ".css", ".rs", ".go", ".yml", ".sh"}
NOT_READ = {"build", ".git", ".venv", "single_include", "node_modules", "target", "CONTRIBUTING.md", "check_language.py", "selftest.py"}


def texts(root: Path) -> Iterator[Path]:
    for folder, inside, names in os.walk(root):
        inside[:] = sorted(name for name in inside if name not in NOT_READ and not name.startswith("build-"))
        for name in sorted(names):
            path = Path(folder, name)
            if name not in NOT_READ and (path.suffix in SUFFIXES or (path.parent.name == "scripts" and not path.suffix)):
                yield path


def problems_of(root: Path) -> Tuple[List[str], int]:
    """And how many texts were read."""
    problems, count = [], 0
    for path in texts(root):
        count += 1
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
            for found in REFUSED.finditer(ALLOWED.sub("", line)):
                problems.append(f"{path.relative_to(root)}:{number}: name what is meant (CONTRIBUTING.md, Language): "
                                f"{found.group()}")
    return problems, count


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=repository_root())
    return report("language", *problems_of(parser.parse_args().root), "texts")


if __name__ == "__main__":
    raise SystemExit(main())
