"""A table of configurations as text: for a terminal, as CSV, Markdown or LaTeX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from aster_dse.cli.output import console, heading, number, table

if TYPE_CHECKING:
    from aster_dse.export.front_table import Column

__all__ = ["TableFormat", "as_csv", "as_latex", "as_markdown", "print_text"]

_PADDING = 3
"""Blanks between two columns of a table."""
_LATEX = {
    "\\": r"\textbackslash{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "²": r"\textsuperscript{2}",
    "±": r"$\pm$",
}


class TableFormat(StrEnum):
    """What ``pareto --format`` takes."""

    TEXT = "text"
    CSV = "csv"
    MARKDOWN = "markdown"
    LATEX = "latex"


def print_text(columns: Sequence[Column], *, choose: bool) -> list[str]:
    """Print a table as wide as the window, or as wide as it is where there is none.

    Args:
        choose: leave out columns, the last knob first, until the rest fits; else long cells are folded.

    Returns:
        The columns that were left out.
    """
    wide = {column.key: _width(column) + _PADDING for column in columns}
    shown, hidden = list(columns), []
    window = console(at_least=sum(wide.values()))
    for column in _dispensable(columns) if choose else ():
        if sum(wide[one.key] for one in shown) > window.width:
            shown.remove(column)
            hidden.append(column.key)
    heads = [_head(column) for column in shown]
    right = [head for head, column in zip(heads, shown, strict=True) if column.kind not in ("knob", "mark")]
    rows = table(heads, right=right)
    for cells in zip(*map(_cells, shown), strict=True):
        rows.add_row(*cells)
    window.print(rows)
    return [column.key for column in columns if column.key in hidden]


def _dispensable(columns: Sequence[Column]) -> list[Column]:
    """What may be left out, the first thing first; the knob that tells most rows apart goes last."""
    knobs = [column for column in columns if column.kind == "knob"]
    others = [column for kind in ("interval", "mark") for column in columns if column.kind == kind]
    return [*knobs[:0:-1], *others, *knobs[:1]]


def as_csv(columns: Sequence[Column]) -> str:
    """Every figure with all its digits; an interval is two columns."""
    cells: dict[str, list[Any]] = {}
    for column in columns:
        if column.kind == "interval":
            for position, end in enumerate(("accuracy_low", "accuracy_high")):
                cells[end] = [None if value is None else value[position] for value in column.values]
        else:
            cells[column.key] = [
                str(value).lower() if isinstance(value, bool) else value for value in column.values
            ]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(cells)
    writer.writerows(zip(*cells.values(), strict=True))
    return stream.getvalue()


def as_markdown(columns: Sequence[Column]) -> str:
    """A table of GitHub's Markdown, its numbers on the right."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("\\", "\\\\").replace("|", "\\|") for cell in cells) + " |\n"

    rule = ["---" if column.kind in ("knob", "mark") else "---:" for column in columns]
    rows = zip(*map(_cells, columns), strict=True)
    return line([_title(column) for column in columns]) + line(rule) + "".join(map(line, rows))


def as_latex(columns: Sequence[Column], *, about: str) -> str:
    """A ``tabular`` with the rules of the package booktabs.

    Args:
        about: what the figures are, as a comment above it.
    """
    align = "".join("l" if column.kind in ("knob", "mark") else "r" for column in columns)

    def line(cells: Sequence[str]) -> str:
        return "  " + " & ".join(map(_escaped, cells)) + r" \\" + "\n"

    rows = "".join(line(row) for row in zip(*map(_cells, columns), strict=True))
    head = line([_title(column) for column in columns])
    return (
        f"% {about}\n% needs \\usepackage{{booktabs}}\n\\begin{{tabular}}{{{align}}}\n"
        f"  \\toprule\n{head}  \\midrule\n{rows}  \\bottomrule\n\\end{{tabular}}\n"
    )


def _escaped(text: str) -> str:
    return re.sub("[" + re.escape("".join(_LATEX)) + "]", lambda found: _LATEX[found.group()], text)


def _head(column: Column) -> str:
    if column.kind == "metric":
        return heading(column.key)
    if column.kind == "knob":
        return column.key.replace(".", "\n", 1)
    return {
        "interval": "95 %\ninterval",
        "off_by": "off by",
        "mark": "best",
        "trial": "trial",
        "index": "index",
    }[column.key]


def _title(column: Column) -> str:
    """The head on one line, as in a paper: the unit in brackets."""
    if column.kind == "knob":
        return column.key
    words, _, below = _head(column).partition("\n")
    if column.kind == "metric":
        return f"{words} ({below})" if below else words
    return f"{words} {below}".strip()


def _cells(column: Column) -> list[str]:
    if column.kind == "interval":
        return ["-" if value is None else "{:.3f}-{:.3f}".format(*value) for value in column.values]
    if column.kind == "mark":
        return [str(value) for value in column.values]
    return _told_apart(column.values) if column.kind == "knob" else [number(value) for value in column.values]


def _told_apart(values: Sequence[Any]) -> list[str]:
    """Values with as few digits, but four, as show that they differ: thresholds lie close below 1."""
    words = [number(value) for value in values]
    digits = 4
    while len(set(words)) < len(set(map(str, values))) and digits < 17:
        digits += 1
        words = [f"{value:.{digits}g}" if isinstance(value, float) else number(value) for value in values]
    return words


def _width(column: Column) -> int:
    return max(len(text) for text in [*_head(column).splitlines(), *_cells(column)] or [""])
