"""Reads the report that wstest leaves (index.json and one file per case), tells it as a table, and judges it.

A case is right when its behaviour is OK or INFORMATIONAL, and its closing too: NON-STRICT, UNIMPLEMENTED, FAILED and an
UNCLEAN close are all wrong here.
"""

import json
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from document import markdown_table  # noqa: E402

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
    12: "compression",
    13: "its negotiation",
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
        if seconds:
            return markdown_table([*head, "seconds"], [(*row[:-1], f"{row[-1]:.1f}") for row in self.rows()])
        return markdown_table(head, [row[:-1] for row in self.rows()])
