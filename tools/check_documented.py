#!/usr/bin/env python3
"""Every public name of the library is documented: judges what Doxygen warned of (tools/site/Doxyfile makes the log).

A comment covers the declarations that follow it without an empty line (tools/doxygen_filter.py). What needs none of its own,
because its class says it or the language does: constructors, operators, aliases, what iterators and awaiters have, and the
functions by which a class models one of the library's concepts (a transport's write(), a stream's read(), ...).

    tools/check_documented.py DOXYGEN_LOG
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import List

from house import report

WARNING = re.compile(r"^(?P<place>\S+?:\d+): warning: (?P<kind>Compound|Member) (?P<what>.*) is not documented\.$")
MEMBER = re.compile(r"^(?P<signature>.*) \((?P<kind>\w+)\) of \w+ (?P<scope>.*)$")
LANGUAGES = set("begin end swap await_ready await_suspend await_resume period is_steady now notify_one notify_all wait_until".split())
CONCEPTS = set("write start_write cancel_write finish end_output disconnect read writing_end read_needs write_needs has_read_ahead "
               "has_unwritten flush".split())
# Doxygen's own: it does not know what it was told.
NOISE = re.compile(r"scope for class std::|has no matching|documented symbol '.*detail|no uniquely matching|no matching class member")


def is_covered(signature: str, kind: str, scope: str) -> bool:
    """By the class's own comment, or the language."""
    if "operator" in signature or kind == "typedef":
        return True
    words = re.findall(r"~?\w+", re.sub(r"[\[(=].*", "", signature))
    name = words[-1] if words else signature
    of_class = re.sub(r"<.*>", "", scope).split("::")[-1].strip()
    return name.lstrip("~") == of_class or name in LANGUAGES | CONCEPTS or (name.endswith("_") and kind == "variable")


def problems_of(log: str) -> List[str]:
    problems = []
    for line in log.splitlines():
        warning = WARNING.match(line)
        if warning is None:
            if re.match(r"^\S+:\d+: (?:warning|error)", line) and not NOISE.search(line):
                problems.append(line)
            continue
        place, what = warning["place"], warning["what"]
        if warning["kind"] == "Compound":
            if not what.endswith("::iterator"):
                problems.append(f"{place}: {what} is not documented")
            continue
        member = MEMBER.match(what)
        if member is None:
            problems.append(f"{place}: {what} is not documented")
        elif not is_covered(member["signature"], member["kind"], member["scope"]):
            problems.append(f"{place}: {member['signature']} of {member['scope']} is not documented")
    return sorted(set(problems))


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    log = Path(sys.argv[1]).read_text(encoding="utf-8")
    return report("documented", problems_of(log), len(log.splitlines()), "lines of Doxygen's log")


if __name__ == "__main__":
    raise SystemExit(main())
