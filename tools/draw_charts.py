#!/usr/bin/env python3
"""Draws what scripts/bench wrote with --json: one SVG per case, bars with their spread; and Markdown tables.

    tools/draw_charts.py --out docs/charts --prefix codec- codec.json
    tools/draw_charts.py --into docs/benchmarks.md --prefix codec- codec.json

--into replaces what stands between the lines "<!-- table PREFIXcase -->" and "<!-- end -->" of a Markdown file. Several
cases, with spaces between them, give one table. --medians leaves the spread to the charts.

Bars stand on a linear axis per group (size and threads), because the groups differ by orders of magnitude and only the
ratios within a group mean anything. Where shorter is better, the axis ends at 12 times the shortest bar, and what goes on
is cut. A whisker spans the fastest and the slowest run.
"""

from __future__ import annotations

import argparse
import html
import json
import re
from pathlib import Path
from typing import Dict, List, Optional, Tuple

Row = Dict[str, object]
Group = Tuple[int, int]

COLOURS = ["#1b6ca8", "#3fa7d6", "#8fd0ee", "#b0413e", "#d98032", "#e3b23c", "#6a994e", "#8d6a9f"]
BAR, GAP, LEFT, WIDTH, RIGHT, TOP = 15, 14, 130, 440, 150, 46
HIGHER_IS_BETTER = "frames/s"
CUT = 12


def read_rows(paths: List[Path]) -> List[Row]:
    return [row for path in paths for row in json.loads(path.read_text(encoding="utf-8"))]


def by_case(rows: List[Row]) -> Dict[str, List[Row]]:
    cases: Dict[str, List[Row]] = {}
    for row in rows:
        cases.setdefault(str(row["case"]), []).append(row)
    return cases


def by_group(rows: List[Row]) -> Dict[Group, List[Row]]:
    groups: Dict[Group, List[Row]] = {}
    for row in rows:
        groups.setdefault((int(row["size"]), int(row["threads"])), []).append(row)
    return groups


def impls_of(rows: List[Row]) -> List[str]:
    return list(dict.fromkeys(str(row["impl"]) for row in rows))


def short(value: float) -> str:
    for limit, divisor, suffix in ((1e6, 1e6, "M"), (1e3, 1e3, "k")):
        if abs(value) >= limit:
            return f"{value / divisor:.3g}{suffix}"
    return f"{value:.3g}"


def size_text(size: int) -> str:
    for unit, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= unit and size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} B"


def group_text(group: Group, with_threads: bool) -> str:
    size, threads = group
    return f"{size_text(size)}, N = {threads}" if with_threads else size_text(size)


def text_at(x: float, y: float, words: str, anchor: str = "start", weight: str = "normal") -> str:
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}">'
            f"{html.escape(words)}</text>")


def draw_group(rows: List[Row], impls: List[str], label: str, top: float) -> List[str]:
    """The bars of one group, its label on the left."""
    longest = max(float(row["max"]) for row in rows) or 1.0
    shortest = min(float(row["median"]) for row in rows)
    if rows[0]["unit"] != HIGHER_IS_BETTER and shortest > 0:
        longest = min(longest, CUT * shortest)
    parts = [text_at(8, top + 12, label, weight="bold")]
    for line, row in enumerate(rows):
        y = top + line * BAR
        low, middle, high = (LEFT + WIDTH * min(float(row[key]) / longest, 1.0) for key in ("min", "median", "max"))
        colour = COLOURS[impls.index(str(row["impl"])) % len(COLOURS)]
        parts.append(f'<rect x="{LEFT}" y="{y + 2:.1f}" width="{max(middle - LEFT, 0.5):.1f}" '
                     f'height="{BAR - 4}" fill="{colour}"/>')
        parts.append(f'<path d="M{low:.1f} {y + BAR / 2:.1f}H{high:.1f}" stroke="#222" stroke-width="1"/>')
        parts.append(text_at(LEFT + WIDTH + 8, y + 11, f"{short(float(row['median']))} {row['impl']}"))
    return parts


def draw_case(name: str, rows: List[Row], title: str) -> str:
    groups, impls = by_group(rows), impls_of(rows)
    with_threads = any(threads != 1 for _, threads in groups)
    parts: List[str] = []
    top = float(TOP)
    for group, members in groups.items():
        parts += draw_group(members, impls, group_text(group, with_threads), top)
        top += len(members) * BAR + GAP
    unit = str(rows[0]["unit"])
    better = "longer is better" if unit == HIGHER_IS_BETTER else f"shorter is better, cut at {CUT} times the shortest"
    heading = f"{title}{name}: {unit}, {better}; medians, whiskers: fastest and slowest run"
    width, height = LEFT + WIDTH + RIGHT, int(top)
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11" fill="#222">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        text_at(8, 22, heading), *parts, "</svg>", ""])


def cell_of(row: Optional[Row], medians: bool) -> str:
    if row is None:
        return "-"
    middle, low, high = (short(float(row[key])) for key in ("median", "min", "max"))
    return middle if medians or low == high else f"{middle} ({low}-{high})"


def lines_of(rows: List[Row], impls: List[str], label: str, medians: bool) -> List[str]:
    """A line per group. `label` stands before it where one table holds several cases; alone, if that is all it has."""
    groups = by_group(rows)
    with_threads = any(threads != 1 for _, threads in groups)
    lines = []
    for group, members in groups.items():
        row_of = {str(row["impl"]): row for row in members}
        cells = " | ".join(cell_of(row_of.get(impl), medians) for impl in impls)
        parts = [label] if label and len(groups) == 1 else [label, group_text(group, with_threads)]
        lines.append(f"| {', '.join(part for part in parts if part)} | {cells} |")
    return lines


def table_of(names: List[str], cases: Dict[str, List[Row]], medians: bool) -> str:
    """Medians, and the fastest and the slowest run."""
    first = cases[names[0]]
    impls = impls_of([row for name in names for row in cases[name]])
    several = len(names) > 1
    head = first[0]["unit"] if several else f"{names[0]} ({first[0]['unit']})"
    lines = [f"| {head} | {' | '.join(impls)} |", "|---|" + "---:|" * len(impls)]
    for name in names:
        lines += lines_of(cases[name], impls, name if several else "", medians)
    return "\n".join(lines) + "\n"


def fill(document: Path, prefix: str, cases: Dict[str, List[Row]], medians: bool) -> None:
    """Puts the tables where the document has places for them."""

    def filled(place: "re.Match[str]") -> str:
        names = place[2].split()
        if any(name not in cases for name in names):
            return place[0]
        return f"{place[1]}\n{table_of(names, cases, medians)}\n"

    text = document.read_text(encoding="utf-8")
    text = re.sub(rf"(<!-- table {re.escape(prefix)}([^>]*) -->\n).*?(?=<!-- end -->)", filled, text, flags=re.S)
    document.write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+", help="what scripts/bench wrote with --json")
    parser.add_argument("--out", type=Path, help="the folder for the charts")
    parser.add_argument("--prefix", default="", help="put before the charts' file names")
    parser.add_argument("--title", default="", help="put before the charts' titles")
    parser.add_argument("--case", action="append", default=[], help="only these; may repeat")
    parser.add_argument("--into", type=Path, help="the Markdown file whose tables are to be filled")
    parser.add_argument("--medians", action="store_true", help="tables without the fastest and the slowest run")
    options = parser.parse_args()
    cases = {name: rows for name, rows in by_case(read_rows(options.files)).items()
             if not options.case or name in options.case}
    if options.into is not None:
        fill(options.into, options.prefix, cases, options.medians)
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        for name, rows in cases.items():
            chart = draw_case(name, rows, options.title)
            (options.out / f"{options.prefix}{name}.svg").write_text(chart, encoding="utf-8")


if __name__ == "__main__":
    main()
