#!/usr/bin/env python3
"""A header as Doxygen is to read it: the house's way of commenting, in Doxygen's words.

- Inline namespaces are left out: the names are wsolo's.
- A comment above several declarations that follow each other without an empty line is the comment of all of them.
- The head of a file, its laws, is the file's comment. It is repeated where a comment says "See the file's laws."

Lines stay where they are.

    tools/doxygen_filter.py HEADER      prints it, to look at
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import List

INLINE = re.compile(r"::inline WSOLO_\w+")
LAWS = "See the file's laws."
TYPE = re.compile(r"\b(?:class|struct|enum|union|namespace|concept)\s")
ANGLES = re.compile(r"<[^<>]*>")
ENDS_RUN = re.compile(r"^\s*(?:}|public:|private:|protected:|#)")
TAG = re.compile(r"<([\w./]+)>")  # a header, not markup
TEXT = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)\'|//.*')


def depth_change(line: str) -> int:
    line = TEXT.sub("", line)
    return sum(line.count(c) for c in "{(") - sum(line.count(c) for c in "})")


def is_comment(line: str) -> bool:
    return re.match(r"^\s*///(?!<)", line) is not None


def is_type(lines: List[str], at: int) -> bool:
    """Whether what begins here declares a type or a concept, whose members are not its equals."""
    head = ""
    for line in lines[at : at + 16]:
        head += " " + TEXT.sub("", line)
        if re.search(r"[;{]", line):
            break
    while ANGLES.search(head):  # the innermost first
        head = ANGLES.sub(" ", head)
    return TYPE.search(head) is not None


def spread(lines: List[str], at: int, comment: str) -> int:
    """Puts the comment before each further declaration of the run that begins at `at`; one past its end."""
    depth, ended = 0, False
    while at < len(lines):
        line = lines[at]
        if depth == 0 and (not line.strip() or is_comment(line) or ENDS_RUN.match(line)):
            break
        if depth == 0 and ended and not line.lstrip().startswith("//"):
            lines[at] = f"/** {comment} */ {line}"
        depth += depth_change(line)
        code = TEXT.sub("", line).rstrip()
        ended = depth == 0 and (code.endswith((";", "}", ",")) or (ended and not code))
        at += 1
    return at


def tell_laws(lines: List[str], name: str) -> None:
    """The head becomes the file's comment; `name` is what Doxygen calls the file."""
    at = lines.index("#pragma once") if "#pragma once" in lines else -1
    if at < 0 or not lines[at + 1].startswith("// "):
        return
    lines[at] = f"/// @file {name}"
    for at in range(at + 1, len(lines)):
        if not lines[at].startswith("//"):
            break
        lines[at] = TAG.sub(r"&lt;\1&gt;", "/" + lines[at])
    refers = False
    for at, line in enumerate(lines):
        if is_comment(line):
            refers = refers or LAWS in line
            lines[at] = line.replace(LAWS, "@details")
        elif refers:  # after the type's own words
            lines[at] = f"/** @brief @copybrief {name} @details @copydetails {name} */ {line}"
            refers = False


def filtered(text: str, name: str = "") -> str:
    """`name` is the file's path in include/, if its head is wanted."""
    lines = INLINE.sub("", text).split("\n")
    at = 0
    while at < len(lines):
        if not is_comment(lines[at]):
            at += 1
            continue
        begin = at
        while at < len(lines) and is_comment(lines[at]):
            lines[at] = TAG.sub(r"&lt;\1&gt;", lines[at])
            at += 1
        if not is_type(lines, at):
            at = spread(lines, at, " ".join(line.strip(" /") for line in lines[begin:at]))
    if name:
        tell_laws(lines, name)
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(filtered(Path(sys.argv[1]).read_text(encoding="utf-8")))
