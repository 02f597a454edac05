#!/usr/bin/env python3
"""Whether the tree may be released under a tag, and the release's archive with its packages.

    tools/release.py TAG --check     names what stands in the way
    tools/release.py TAG             the same, then build/release/wsolo-VERSION.tar.gz and the filled packages

The tag is vVERSION, of include/wsolo/version.hpp; CHANGELOG.md's newest heading is that version with a date;
packaging/HOMEPAGE is a real address; what is generated is fresh; nothing is uncommitted.
"""

from __future__ import annotations

import argparse
import re
import subprocess
from pathlib import Path
from typing import List

import amalgamate
import check_version
import make_packages
from house import repository_root, version_of

DATED = re.compile(r"^## \[?(\d+\.\d+\.\d+)\]? - (\d{4}-\d\d-\d\d)$", re.MULTILINE)


def problems_of(root: Path, tag: str) -> List[str]:
    version = version_of(root)
    problems = [] if tag == f"v{version}" else [f"the tag is {tag}, version.hpp says v{version}"]
    problems += check_version.problems_of(root)
    dated = DATED.search((root / "CHANGELOG.md").read_text(encoding="utf-8"))
    if not dated or dated.group(1) != version:
        problems.append(f"CHANGELOG.md: `## {version} - YYYY-MM-DD` is not its newest dated heading")
    home = make_packages.homepage_of(root)
    if not re.fullmatch(r"https://\S+", home) or home.split("/")[2].endswith(".invalid"):
        problems.append(f"packaging/HOMEPAGE: {home} is no address of the project")
    problems += amalgamate.stale_files(root, amalgamate.generate(root))
    return problems


def uncommitted(root: Path) -> List[str]:
    said = subprocess.run(["git", "status", "--porcelain"], cwd=root, capture_output=True, text=True)
    if said.returncode != 0:
        return ["this is no git tree"]
    return ["not committed: " + line[3:] for line in said.stdout.splitlines()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tag")
    parser.add_argument("--check", action="store_true", help="make nothing")
    arguments = parser.parse_args()
    root = repository_root()
    problems = problems_of(root, arguments.tag) + uncommitted(root)
    for problem in problems:
        print(problem)
    if problems:
        print(f"release: {len(problems)} problem(s), nothing was made")
        return 1
    if arguments.check:
        print(f"release: {arguments.tag} is ready")
        return 0
    version = version_of(root)
    archive = root / "build" / "release" / f"wsolo-{version}.tar.gz"
    make_packages.pack(root, archive)
    url = f"{make_packages.homepage_of(root)}/releases/download/{arguments.tag}/{archive.name}"
    written = make_packages.fill(root, make_packages.values_for(root, archive, url), archive.parent / "packages")
    print(f"release: {archive.relative_to(root)}, to lie at {url}; {len(written)} files of packages beside it")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
