#!/usr/bin/env python3
"""A link of the documents leads somewhere: to a file or folder of this repository, and to a heading that it has.

Looked at: every *.md outside of build/. Links to other hosts are not followed.

    tools/check_links.py [--root FOLDER]
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Iterator, List, Set, Tuple

from house import read_lines, report, repository_root

LINK = re.compile(r"!?\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^)\s]+)\)")
ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:")
NOT_OURS = {"build", ".git", "node_modules", "target"}


def documents_of(root: Path) -> List[Path]:
    found = (path for path in root.rglob("*.md") if not NOT_OURS & set(path.relative_to(root).parts))
    return sorted(found)


def lines_outside_of_code(path: Path) -> Iterator[Tuple[int, str]]:
    fenced = False
    for number, line in enumerate(read_lines(path), start=1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            yield number, line


def text_outside_of_code(path: Path) -> str:
    """A link's text may go over two lines; places are counted by the newlines before them."""
    kept = dict(lines_outside_of_code(path))
    count = len(read_lines(path))
    text = "\n".join(kept.get(number, "") for number in range(1, count + 1))
    return re.sub(r"`[^`\n]*`", lambda code: "x" * len(code.group()), text)


def anchor_of(heading: str) -> str:
    """As the hosting sites and the site's builder make it: lower case, punctuation out, a dash for a space."""
    heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", heading).replace(" ", "-")


def anchors_of(path: Path) -> Set[str]:
    found: Set[str] = set()
    for _, line in lines_outside_of_code(path):
        heading = re.match(r"^#{1,6}\s+(.*?)\s*#*$", line)
        if heading is None:
            continue
        anchor, again = anchor_of(heading.group(1)), 0
        while anchor in found:
            again += 1
            anchor = f"{anchor_of(heading.group(1))}-{again}"
        found.add(anchor)
    return found


def problems_of(root: Path) -> Tuple[List[str], int]:
    """(problems, number of documents)"""
    problems = []
    documents = documents_of(root)
    for document in documents:
        text = text_outside_of_code(document)
        for link in LINK.finditer(text):
            target = link.group(1)
            if ELSEWHERE.match(target):
                continue
            place = f"{document.relative_to(root).as_posix()}:{text.count(chr(10), 0, link.start(1)) + 1}"
            name, _, anchor = target.partition("#")
            leads_to = (document.parent / name).resolve() if name else document
            if not leads_to.exists():
                problems.append(f"{place}: {target} leads nowhere")
            elif anchor and leads_to.suffix == ".md" and anchor not in anchors_of(leads_to):
                problems.append(f"{place}: {leads_to.name} has no heading #{anchor}")
    return problems, len(documents)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=repository_root())
    problems, count = problems_of(parser.parse_args().root)
    return report("links", problems, count, "documents")


if __name__ == "__main__":
    raise SystemExit(main())
