#!/usr/bin/env python3
"""The site of docs/: stages the pages for Sphinx, runs it, puts what they link to beside them, and checks every link of it.

- docs/README.md is the first page, and its sections are the menu: a page that it does not name is an error.
- A link to a file or folder of the repository leads to a page that shows it, so that the site needs nothing but itself.

    tools/build_site.py --out build/docs [--reference FOLDER]
"""

from __future__ import annotations

import argparse
import html
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Dict, List, Set, Tuple
from urllib.parse import unquote

from check_links import ELSEWHERE, LINK
from house import repository_root

PAGE_STYLE = "body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}" \
             "pre{font:13px/1.45 ui-monospace,monospace;overflow-x:auto}"
REFERENCE = "# Reference\n\nEvery public name, with units, lifetimes, threads, errors and cost:\n\n" \
            '<p><a href="reference/index.html">wsolo, name by name</a></p>\n'


def staged_name(path: Path) -> Path:
    return path.with_name("index.md") if path == Path("README.md") else path


def shown_at(path: Path) -> str:
    return f"source/{path.as_posix()}.html"


def menu_of(index: str) -> str:
    """Toctrees, one for each section of the first page."""
    trees = []
    for section in re.split(r"^## ", index, flags=re.MULTILINE)[1:]:
        caption, _, body = section.partition("\n")
        pages = [link.group(1).partition("#")[0][:-3] for link in LINK.finditer(body)]
        trees.append("```{toctree}\n:hidden:\n:caption: " + caption + "\n\n" + "\n".join(pages) + "\n```\n")
    trees.append("```{toctree}\n:hidden:\n:caption: Reference\n\nreference_page\n```\n")
    return "\n" + "\n".join(trees)


class Stage:
    def __init__(self, root: Path, out: Path) -> None:
        self.root, self.docs = root, root / "docs"
        self.source, self.site = out / "source", out / "site"
        self.shown: Set[Path] = set()  # of the repository, outside of docs/

    def relink(self, page: Path, text: str) -> str:
        """`page` is relative to docs/."""
        up = "../" * (len(page.parts) - 1)

        def new_target(link: "re.Match[str]") -> str:
            target = link.group(1)
            if ELSEWHERE.match(target) or target.startswith("#"):
                return link.group()
            name, hash_, anchor = target.partition("#")
            path = (self.docs / page.parent / name).resolve()
            try:
                inside = path.relative_to(self.docs)
            except ValueError:
                leads_to = path.relative_to(self.root)
                self.shown.add(leads_to)
                # Raw HTML, because Sphinx knows nothing of these pages.
                label = link.group()[link.group().index("[") + 1 : link.group().rindex("](")]
                label = re.sub(r"`([^`]*)`", lambda code: f"<code>{html.escape(code.group(1))}</code>", label)
                return f'<a href="{up}{shown_at(leads_to)}">{label}</a>'
            if inside.is_dir() if not path.exists() else path.is_dir():
                return link.group().replace(target, f"{up}index.md")
            new = os.path.relpath(staged_name(inside), page.parent)
            return link.group().replace(f"({target})", f"({new}{hash_}{anchor})")

        parts = re.split(r"(^```.*?^```\s*?$)", text, flags=re.MULTILINE | re.DOTALL)
        return "".join(part if at % 2 else LINK.sub(new_target, part) for at, part in enumerate(parts))

    def pages(self) -> None:
        shutil.rmtree(self.source, ignore_errors=True)
        for path in sorted(self.docs.rglob("*")):
            if not path.is_file():
                continue
            inside = path.relative_to(self.docs)
            to = self.source / staged_name(inside)
            to.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix != ".md":
                shutil.copyfile(path, to)
                continue
            text = self.relink(inside, path.read_text(encoding="utf-8"))
            if inside == Path("README.md"):
                text += menu_of(path.read_text(encoding="utf-8"))
            to.write_text(text, encoding="utf-8")
        (self.source / "reference_page.md").write_text(REFERENCE, encoding="utf-8")

    def show(self, path: Path) -> None:
        to = self.site / shown_at(path)
        to.parent.mkdir(parents=True, exist_ok=True)
        whole = self.root / path
        up = "../" * len(path.parts)
        if whole.is_dir():
            names = sorted(each.name for each in whole.iterdir() if not each.name.startswith((".", "__")))
            body = "<ul>" + "".join(f"<li>{html.escape(name)}</li>" for name in names) + "</ul>"
        else:
            body = f"<pre>{html.escape(whole.read_text(encoding='utf-8', errors='replace'))}</pre>"
        to.write_text(f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
                      f"<title>{html.escape(str(path))}</title><style>{PAGE_STYLE}</style>"
                      f'<p><a href="{up}index.html">wsolo</a> / {html.escape(path.as_posix())}</p>{body}</html>\n',
                      encoding="utf-8")


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.targets: List[str] = []
        self.ids: Set[str] = set()

    def handle_starttag(self, tag: str, attributes: List[Tuple[str, object]]) -> None:
        for name, value in attributes:
            if name in ("href", "src") and isinstance(value, str) and tag != "base":
                self.targets.append(value)
            if name in ("id", "name") and isinstance(value, str):
                self.ids.add(value)


def broken_links(site: Path) -> List[str]:
    """Of the pages, and of what they show; the reference's own are Doxygen's."""
    parsed: Dict[Path, Links] = {}

    def parse(path: Path) -> Links:
        if path not in parsed:
            parsed[path] = Links()
            parsed[path].feed(path.read_text(encoding="utf-8", errors="replace"))
        return parsed[path]

    broken = []
    for page in sorted(site.rglob("*.html")):
        if "reference" in page.relative_to(site).parts[:1]:
            continue
        for target in parse(page).targets:
            if ELSEWHERE.match(target) or target.startswith("//"):
                continue
            name, _, anchor = unquote(target).partition("#")
            leads_to = (page.parent / name.partition("?")[0]).resolve() if name else page
            if not leads_to.exists():
                broken.append(f"{page.relative_to(site)}: {target}")
            elif anchor and leads_to.suffix == ".html" and anchor not in parse(leads_to).ids:
                broken.append(f"{page.relative_to(site)}: {target} (no such heading)")
    return broken


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--reference", type=Path, help="Doxygen's folder, moved into the site")
    options = parser.parse_args()
    stage = Stage(repository_root(), options.out.resolve())
    stage.pages()
    shutil.rmtree(stage.site, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-c", str(stage.root / "tools" / "site"),
                    "-d", str(options.out / "doctrees"), str(stage.source), str(stage.site)], check=True)
    for path in sorted(stage.shown):
        stage.show(path)
    if options.reference:
        shutil.move(str(options.reference), str(stage.site / "reference"))
    broken = broken_links(stage.site)
    for each in broken:
        print(f"broken: {each}")
    pages = [page for page in stage.source.rglob("*.md")]
    print(f"site: {len(pages)} pages, {len(stage.shown)} files and folders shown, {len(broken)} broken links")
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
