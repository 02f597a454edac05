"""Reads the report that wstest leaves (index.json and one file per case), tells it as a table, and judges it.

A case is right when its behaviour is OK or INFORMATIONAL, and its closing too: NON-STRICT, UNIMPLEMENTED, FAILED and an
UNCLEAN close are all wrong here.
"""

import json
import re
from collections import Counter
from pathlib import Path

SECTIONS = {
    1: "framing",
    2: "PING and PONG",
    3: "reserved bits",
    4: "opcodes",
    5: "fragments",
    6: "UTF-8",
    7: "closing",
    9: "limits and speed",
    10: "fragmented on the way",
}
BEHAVIOURS = ["OK", "INFORMATIONAL", "NON-STRICT", "UNIMPLEMENTED", "FAILED"]
RIGHT = {"OK", "INFORMATIONAL"}


def order(name):
    return [int(part) for part in name.split(".")]


class Report:
    """The cases of the one agent in a folder of reports."""

    def __init__(self, folder):
        self.folder = Path(folder)
        index = json.loads((self.folder / "index.json").read_text(encoding="utf-8"))
        (self.agent, cases), = index.items()
        self.cases = {name: cases[name] for name in sorted(cases, key=order)}

    def wrong(self):
        """One line for each case that is not right."""
        lines = []
        for name, case in self.cases.items():
            if case["behavior"] in RIGHT and case["behaviorClose"] in RIGHT:
                continue
            told = json.loads((self.folder / case["reportfile"]).read_text(encoding="utf-8"))
            lines.append(
                f"{name}: {case['behavior']}, its close {case['behaviorClose']} with {case['remoteCloseCode']}:"
                f" {told['result']} {told['resultClose']}"
            )
        return lines

    def informational(self):
        return [name for name, case in self.cases.items() if case["behavior"] == "INFORMATIONAL"]

    def rows(self):
        """(section, cases, one count for each of BEHAVIOURS, unclean closes, seconds), a row for each section."""
        rows = []
        for section, title in SECTIONS.items():
            cases = [case for name, case in self.cases.items() if order(name)[0] == section]
            if cases:
                counts = Counter(case["behavior"] for case in cases)
                unclean = sum(case["behaviorClose"] not in RIGHT for case in cases)
                seconds = sum(case["duration"] for case in cases) / 1000
                rows.append((f"{section} {title}", len(cases), *map(counts.__getitem__, BEHAVIOURS), unclean, seconds))
        total = [sum(column) for column in zip(*(row[1:] for row in rows))]
        return [*rows, ("all", *total)]

    def table(self, *, seconds=True):
        """In Markdown. Without seconds it stays the same from run to run."""
        head = ["section", "cases", *(word.lower() if word != "OK" else word for word in BEHAVIOURS), "unclean close"]
        cells = [[str(cell) for cell in row[:-1]] + [f"{row[-1]:.1f}"] for row in self.rows()]
        if seconds:
            head.append("seconds")
        else:
            cells = [row[:-1] for row in cells]
        widths = [max(len(cell) for cell in column) for column in zip(head, *cells)]
        rule = ["-" * widths[0]] + ["-" * (width - 1) + ":" for width in widths[1:]]
        lines = [[cell.ljust(widths[0]) if at == 0 else cell.rjust(widths[at]) for at, cell in enumerate(row)]
                 for row in (head, rule, *cells)]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def write_into(document, name, text):
    """Replaces what stands between `<!-- NAME -->` and `<!-- end of NAME -->` in a document."""
    document = Path(document)
    old = document.read_text(encoding="utf-8")
    block = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
    if not block.search(old):
        raise SystemExit(f"{document} has no block {name}")
    document.write_text(block.sub(lambda found: f"{found[1]}{text}\n{found[2]}", old), encoding="utf-8")
