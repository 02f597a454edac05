#!/usr/bin/env python3
"""Fills the templates of packaging/ for an archive of the sources: version, homepage, address, hashes.

    tools/make_packages.py ARCHIVE [--url URL] [--out FOLDER]
    tools/make_packages.py --pack ARCHIVE      makes the archive first, of what a consumer builds from

Afterwards each filled file is parsed, as far as a parser for its kind is here.
"""

from __future__ import annotations

import argparse
import ast
import base64
import gzip
import hashlib
import json
import re
import tarfile
from pathlib import Path
from typing import Dict, List

from house import repository_root, version_of

# What a consumer's build reads: not tests, benchmarks and documents.
SHIPPED = ["include", "single_include", "cmake", "packaging", "tools", "CMakeLists.txt", "meson.build", "MODULE.bazel",
           "BUILD.bazel", "conanfile.py", "LICENSE", "README.md", "CHANGELOG.md"]
PLACEHOLDER = re.compile(r"@[A-Z0-9]+@")
ADDRESS = re.compile(r"https?://[^\s\"']+")
OTHERS = {"https://github.com/conan-io/conan-center-index"}  # where a recipe lies, which is not the project's home


def homepage_of(root: Path) -> str:
    return (root / "packaging" / "HOMEPAGE").read_text(encoding="utf-8").strip()


def pack(root: Path, archive: Path) -> None:
    """Deterministic: the same tree makes the same bytes."""
    top = f"wsolo-{version_of(root)}"

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if "__pycache__" in entry.name:
            return None
        entry.mtime = entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
        return entry

    archive.parent.mkdir(parents=True, exist_ok=True)
    with open(archive, "wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as zipped, \
            tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as packed:
        for name in SHIPPED:
            packed.add(root / name, f"{top}/{name}", filter=plain)


def values_for(root: Path, archive: Path, url: str) -> Dict[str, str]:
    content = archive.read_bytes()
    return {
        "@VERSION@": version_of(root),
        "@HOMEPAGE@": homepage_of(root),
        "@ARCHIVE@": url,
        "@SHA256@": hashlib.sha256(content).hexdigest(),
        "@SHA512@": hashlib.sha512(content).hexdigest(),
        "@INTEGRITY@": "sha256-" + base64.b64encode(hashlib.sha256(content).digest()).decode(),
    }


def fixed_addresses(root: Path) -> List[str]:
    """The project's address stands in packaging/HOMEPAGE alone: what packages or is packaged reads it there."""
    files = [path for path in sorted((root / "packaging").rglob("*")) if path.is_file() and path.parent != root / "packaging"]
    files += [path for name in ("conanfile.py", "meson.build", "MODULE.bazel", "BUILD.bazel", "CMakeLists.txt", "CITATION.cff",
                                "cmake/install.cmake", "cmake/wsolo.pc.in", "cmake/wsolo.cps.in") if (path := root / name).is_file()]
    return [f"{path.relative_to(root).as_posix()}: take {address} from packaging/HOMEPAGE" for path in files
            for address in ADDRESS.findall(path.read_text(encoding="utf-8")) if address not in OTHERS]


def fill(root: Path, values: Dict[str, str], out: Path) -> List[Path]:
    written = []
    for template in sorted((root / "packaging").rglob("*")):
        name = template.relative_to(root / "packaging")
        if not template.is_file() or len(name.parts) == 1:
            continue
        text = template.read_text(encoding="utf-8")
        for placeholder, value in values.items():
            text = text.replace(placeholder, value)
            name = Path(str(name).replace(placeholder, value))
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(text, encoding="utf-8")
        written.append(out / name)
    return written + fill_bazel_module(root, values["@VERSION@"], out)


def fill_bazel_module(root: Path, version: str, out: Path) -> List[Path]:
    """A registry's MODULE.bazel: the root's with the version, without which Bazel refuses it."""
    ours = root / "MODULE.bazel"
    module = out / "bazel" / "modules" / "wsolo" / version / "MODULE.bazel"
    if not ours.is_file() or not module.parent.is_dir():
        return []
    nameless, named = 'module(name = "wsolo")', f'module(name = "wsolo", version = "{version}")'
    lines = [line for line in ours.read_text(encoding="utf-8").splitlines() if "registry's to set" not in line]
    if nameless not in lines:
        raise SystemExit(f"packages: MODULE.bazel has no line {nameless}")
    module.write_text("\n".join(lines).replace(nameless, named) + "\n", encoding="utf-8")
    return [module]


def problems_in(path: Path) -> List[str]:
    """What a parser finds wrong in a filled file. Lua and CMake have none here: their brackets are counted."""
    text = path.read_text(encoding="utf-8")
    problems = [f"{path.name}: {left} was not filled" for left in sorted(set(PLACEHOLDER.findall(text)))]
    try:
        if path.suffix == ".json":
            json.loads(text)
        elif path.suffix in (".py", ".bazel"):  # Starlark's grammar is a part of Python's
            ast.parse(text)
        elif path.suffix in (".lua", ".cmake"):
            for opening, closing in ("()", "{}", "[]"):
                if text.count(opening) != text.count(closing):
                    problems.append(f"{path.name}: {opening} and {closing} don't pair")
    except (ValueError, SyntaxError) as error:
        problems.append(f"{path.name}: {error}")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("--pack", action="store_true", help="make the archive first")
    parser.add_argument("--url", help="where it will lie (default: where it lies now)")
    parser.add_argument("--out", type=Path, help="default: `packages` beside the archive")
    parser.add_argument("--root", type=Path, default=repository_root())
    arguments = parser.parse_args()
    archive = arguments.archive.resolve()
    if arguments.pack:
        pack(arguments.root, archive)
    values = values_for(arguments.root, archive, arguments.url or archive.as_uri())
    written = fill(arguments.root, values, arguments.out or archive.parent / "packages")
    written += sorted(arguments.root.glob("*.bazel"))
    problems = [problem for path in written for problem in problems_in(path)]
    problems += fixed_addresses(arguments.root)
    for problem in problems:
        print(problem)
    print(f"packages: {len(written)} files for {values['@VERSION@']}, {len(problems)} problem(s)")
    return 1 if problems or not written else 0


if __name__ == "__main__":
    raise SystemExit(main())
