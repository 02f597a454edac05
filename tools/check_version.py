#!/usr/bin/env python3
"""include/wsolo/version.hpp is the one source of the version: every file that names a version agrees with it.

CHANGELOG.md's newest heading is that version; README and docs name no other in a package reference; CMake and Conan
read the header and hold no number of their own.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import List

from house import report, repository_root, version_of

NUMBER = r"\d+\.\d+\.\d+"
# wsolo/1.2.3 (Conan), GIT_TAG v1.2.3, find_package(wsolo 1.2.3), "wsolo 1.2.3"
REFERENCE = re.compile(rf"(?:wsolo[/ ]|GIT_TAG\s+|wsolo-)v?({NUMBER})")
OWN_NUMBER = {
    "conanfile.py": re.compile(rf"^\s*version\s*=\s*[\"']({NUMBER})", re.MULTILINE),
    "CMakeLists.txt": re.compile(rf"project\(\s*wsolo[^)]*VERSION\s+({NUMBER})"),
}


def newest_in_changelog(text: str) -> str:
    match = re.search(rf"^## \[?({NUMBER})\]?", text, re.MULTILINE)
    return match.group(1) if match else "none"


def problems_of(root: Path) -> List[str]:
    version = version_of(root)
    problems = []
    changelog = root / "CHANGELOG.md"
    newest = newest_in_changelog(changelog.read_text(encoding="utf-8")) if changelog.is_file() else "no file"
    if newest != version:
        problems.append(f"CHANGELOG.md: the newest heading is {newest}, version.hpp says {version}")
    for name, pattern in OWN_NUMBER.items():
        path = root / name
        if path.is_file() and pattern.search(path.read_text(encoding="utf-8")):
            problems.append(f"{name}: read the version from version.hpp instead of repeating it")
    for path in [root / "README.md", *sorted((root / "docs").rglob("*.md"))]:
        if not path.is_file():
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            for named in REFERENCE.findall(line):
                if named != version:
                    problems.append(f"{path.relative_to(root)}:{number}: names {named}, version.hpp says {version}")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=repository_root())
    root = parser.parse_args().root
    return report("version", problems_of(root), 1, f"version ({version_of(root)})")


if __name__ == "__main__":
    raise SystemExit(main())
