#!/usr/bin/env python3
"""Every public name of the library is documented, by what Doxygen makes of it.

- A name has a comment. One comment covers the declarations that follow it without an empty line (tools/doxygen_filter.py). What
  needs none of its own, because its class says it or the language does: constructors, operators, aliases, what iterators and
  awaiters have, and the functions by which a class models one of the library's concepts (a transport's write(), ...).
- A class says which threads may use it, and what it owns or refers to. Values and views say that they are such.
- A struct or a function that has views in it or returns them says how long they live, unless its class does.
- A function that returns an error names the errors, or the function whose errors they are. An error that is named exists.

    tools/check_documented.py [--html FOLDER]      exits with 77 where there is no Doxygen; FOLDER gets the reference
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import List, Set, Tuple

import doxygen_filter
from house import headers_of, report, repository_root, version_of

WARNING = re.compile(r"^(?P<place>\S+?:\d+): warning: (?P<kind>Compound|Member) (?P<what>.*) is not documented\.$")
MEMBER = re.compile(r"^(?P<signature>.*) \((?P<kind>[\w ]+)\) of \w+ (?P<scope>.*)$")
LANGUAGES = set("begin end swap await_ready await_suspend await_resume period is_steady now notify_one notify_all wait_until lock try_lock "
                "unlock native_handle mutex empty view".split())
CONCEPTS = set("write start_write cancel_write finish end_output disconnect read writing_end read_needs write_needs has_read_ahead "
               "has_unwritten flush open reset set_dictionary compress decompress".split())
# Doxygen's own: it does not know what it was told.
NOISE = re.compile(r"scope for class std::|has no matching|documented symbol '.*detail|no uniquely matching|no matching class member")

THREADS = re.compile(r"thread|\bvalues?\b|\bviews?\b|\block\b|loop's|constexpr|Empty\.", re.IGNORECASE)
LIFETIME = re.compile(r"\bown(?:s|ed|ing)?\b|outlive|\bliv(?:e|es|ing)\b|\blife\b|\bviews?\b|\bvalues?\b|refer|Mov(?:able|ed)|Move-only|"
                      r"[Cc]op(?:y|ies|ied|yable)|reference|destr|literal|during the call|until|valid", re.IGNORECASE)
VIEW = re.compile(r"string_view|\bspan\b|const_bytes|mutable_bytes|\bmasked_bytes|\bheader_list|element_list|extension_list|\*$")
FAILS = re.compile(r"\berrc\b|\bresult\s*<")
NOT_ANSWERED = {"none", "conflated", "dropped_oldest"}  # what a queued item comes to: no call answers with it
ERRORS = re.compile(r"[Ee]rrors?\b|refus|\bwhy\b|\breason\b")


def is_covered(signature: str, kind: str, scope: str) -> bool:
    """By the class's own comment, or the language."""
    if "operator" in signature or kind in ("typedef", "macro definition") or ") ->" in signature:
        return True
    words = re.findall(r"~?\w+", re.sub(r"[\[(=].*", "", signature))
    name = words[-1] if words else signature
    of_class = re.sub(r"<.*>", "", scope).split("::")[-1].strip()
    return name.lstrip("~") == of_class or name in LANGUAGES | CONCEPTS or (name.endswith("_") and kind == "variable")


def unnamed_problems(log: str) -> List[str]:
    """Of Doxygen's log: what has no comment, and comments that it could not read."""
    problems = []
    for line in log.splitlines():
        warning = WARNING.match(line)
        if warning is None:
            if re.match(r"^\S+:\d+: (?:warning|error)", line) and not NOISE.search(line):
                problems.append(line)
            continue
        place, what = warning["place"], warning["what"]
        if warning["kind"] == "Compound":
            if not what.endswith(("::iterator", "::sentinel")):
                problems.append(f"{place}: {what} is not documented")
            continue
        member = MEMBER.match(what)
        if member is None:
            problems.append(f"{place}: {what} is not documented")
        elif not is_covered(member["signature"], member["kind"], member["scope"]):
            problems.append(f"{place}: {member['signature']} of {member['scope']} is not documented")
    return problems


def text_of(element: "ElementTree.Element | None") -> str:
    return "" if element is None else " ".join("".join(element.itertext()).split())


def comment_of(element: ElementTree.Element) -> str:
    return " ".join(text_of(element.find(part)) for part in ("briefdescription", "detaileddescription")).strip()


def place_of(element: ElementTree.Element) -> str:
    location = element.find("location")
    return f"include/{location.get('file')}:{location.get('line')}" if location is not None else "?"


class Judge:
    def __init__(self, errors: Set[str]) -> None:
        self.errors, self.problems, self.checked = errors, [], 0

    def type(self, compound: ElementTree.Element) -> None:
        name, comment = compound.findtext("compoundname", ""), comment_of(compound)
        if name.endswith(("::iterator", "::sentinel")) or not name.startswith("wsolo::"):
            return
        self.checked += 1
        place = place_of(compound)
        if compound.get("kind") == "class":
            if not THREADS.search(comment):
                self.problems.append(f"{place}: {name} does not say which threads may use it, nor that it is a value")
            if not LIFETIME.search(comment):
                self.problems.append(f"{place}: {name} does not say what it owns or refers to, nor whether it is moved or copied")
        members = [each for each in compound.iter("memberdef") if each.get("prot") == "public"]
        for member in members:
            if member.get("kind") == "variable" and VIEW.search(text_of(member.find("type"))) and member.get("static") == "no" and \
                    not LIFETIME.search(comment + comment_of(member)):
                self.problems.append(f"{place_of(member)}: {name}::{member.findtext('name')} is a view, and nothing says how long it lives")
            if member.get("kind") == "function":
                self.function(member, name, comment)

    def function(self, member: ElementTree.Element, scope: str, of_scope: str) -> None:
        name, comment, returned = member.findtext("name", ""), comment_of(member), text_of(member.find("type"))
        self.checked += 1
        full = f"{place_of(member)}: {scope}::{name}()"
        if not comment and is_covered(name, "function", scope):
            return
        if FAILS.search(returned) and name != "error" and not self.names_errors(comment):
            self.problems.append(f"{full} returns {returned}, and its comment names no error")
        if VIEW.search(returned) and not LIFETIME.search(comment + of_scope):
            self.problems.append(f"{full} returns a view, and nothing says how long it lives")

    def names_errors(self, comment: str) -> bool:
        return bool(ERRORS.search(comment)) or not (self.errors - NOT_ANSWERED).isdisjoint(re.findall(r"\w+", comment))

    def namespace(self, compound: ElementTree.Element) -> None:
        for member in compound.iter("memberdef"):
            if member.get("kind") == "function":
                self.function(member, compound.findtext("compoundname", ""), "")


def judge(xml: Path, errors: Set[str]) -> Judge:
    verdicts = Judge(errors)
    for path in sorted(xml.glob("*.xml")):
        for compound in ElementTree.parse(path).getroot().findall("compounddef"):
            if compound.get("kind") == "namespace":
                verdicts.namespace(compound)
            elif compound.get("kind") in ("class", "struct", "union") and compound.get("prot") == "public":
                verdicts.type(compound)
    return verdicts


def errors_of(root: Path) -> Set[str]:
    """The enumerators of errc."""
    table = root / "include" / "wsolo" / "core" / "error.hpp"
    found = re.search(r"enum class errc[^{]*\{(.*?)\};", table.read_text(encoding="utf-8"), re.DOTALL)
    return set(re.findall(r"^\s*(\w+)", re.sub(r"//.*", "", found.group(1)), re.MULTILINE)) if found else set()


def unknown_errors(root: Path, errors: Set[str]) -> List[str]:
    """Comments that name an error which does not exist."""
    problems = []
    for header in headers_of(root):
        for number, line in enumerate(header.read_text(encoding="utf-8").splitlines(), start=1):
            for name in re.findall(r"\berrc::(\w+)", line[line.find("//") :] if "//" in line else ""):
                if name not in errors:
                    problems.append(f"{header.relative_to(root)}:{number}: there is no errc::{name}")
    return problems


def stage(root: Path, work: Path, html: bool) -> None:
    for header in headers_of(root):
        name = header.relative_to(root / "include")
        if "detail" in name.parts:
            continue
        (work / "include" / name).parent.mkdir(parents=True, exist_ok=True)
        text = doxygen_filter.filtered(header.read_text(encoding="utf-8"), name.as_posix())
        (work / "include" / name).write_text(text, encoding="utf-8")
    for page in sorted((root / "tools" / "site").glob("*")):
        shutil.copyfile(page, work / page.name)
    settings = (Path(__file__).resolve().parent / "site" / "Doxyfile").read_text(encoding="utf-8")
    settings = settings.replace("@HTML@", "YES" if html else "NO").replace("@VERSION@", version_of(root))
    (work / "Doxyfile").write_text(settings, encoding="utf-8")


def problems_of(root: Path, html: "Path | None" = None) -> Tuple[List[str], int]:
    """And how many names were looked at."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        stage(root, work, html is not None)
        subprocess.run(["doxygen"], cwd=work, check=True)
        errors = errors_of(root)
        verdicts = judge(work / "xml", errors)
        problems = unnamed_problems((work / "doxygen.log").read_text(encoding="utf-8").replace(f"{work.resolve()}/", ""))
        problems += verdicts.problems + unknown_errors(root, errors)
        if html is not None:
            shutil.rmtree(html, ignore_errors=True)
            shutil.move(str(work / "reference"), str(html))
    return sorted(set(problems)), verdicts.checked


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--html", type=Path, help="a folder for the reference; one that is there is replaced")
    options = parser.parse_args()
    if shutil.which("doxygen") is None:
        print("documented: no Doxygen is here")
        return 77
    return report("documented", *problems_of(repository_root(), options.html), "types and functions")


if __name__ == "__main__":
    raise SystemExit(main())
