"""Generated parts of documents: what stands between `<!-- NAME -->` and `<!-- end of NAME -->`."""

import re
from pathlib import Path


def write_into(document, name, text):
    """Replaces one such part."""
    document = Path(document)
    old = document.read_text(encoding="utf-8")
    block = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
    if not block.search(old):
        raise SystemExit(f"{document} has no part {name}")
    document.write_text(block.sub(lambda found: f"{found[1]}{text}\n{found[2]}", old), encoding="utf-8")


def markdown_table(head, rows):
    """The first column to the left, the others to the right."""
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells)]
    rule = ["-" * widths[0]] + ["-" * (width - 1) + ":" for width in widths[1:]]
    lines = [[cell.ljust(widths[0]) if at == 0 else cell.rjust(widths[at]) for at, cell in enumerate(row)]
             for row in (cells[0], rule, *cells[1:])]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
