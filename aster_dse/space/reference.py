"""The vocabulary as tables for people.

``python -m aster_dse.space.reference docs/spaces.md`` makes the tables of that page anew.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from aster_dse.space.configuration import Candidate
from aster_dse.space.document import show
from aster_dse.space.knobs import GROUPS, Knob, SearchSettings, TrainingResources, knobs, model_knobs
from aster_dse.space.metrics import METRICS

__all__ = ["knob_tables", "metric_table", "with_tables"]

_HEAD = "| knob | values | default | meaning |\n|---|---|---|---|"


def knob_tables() -> dict[str, str]:
    """A Markdown table of the knobs of every group, and of the search settings."""
    tables = {}
    for group in GROUPS:
        inside = [knob for knob in knobs().values() if knob.path.startswith(f"{group}.")]
        model = Candidate.model_fields[group].annotation
        tables[group] = _table(inside, _attribute_docstrings(model))
    for name, settings in (("search", SearchSettings), ("resources", TrainingResources)):
        tables[name] = _table(list(model_knobs(settings, name).values()), _attribute_docstrings(settings))
    return tables


def metric_table() -> str:
    """A Markdown table of what can be an objective or stand in a constraint."""
    rows = [
        f"| `{metric.name}` | {metric.unit} | {metric.direction} | {metric.meaning} |"
        for metric in METRICS.values()
    ]
    return "\n".join(["| metric | unit | better | meaning |\n|---|---|---|---|", *rows])


def with_tables(text: str) -> str:
    """``text`` with the tables between its ``<!-- table: NAME -->`` and ``<!-- end -->`` marks made anew."""
    tables = {**knob_tables(), "metrics": metric_table()}
    marks = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
    return marks.sub(lambda mark: f"{mark[1]}{tables[mark[2]]}\n{mark[3]}", text)


def _table(entries: list[Knob], meanings: dict[str, str]) -> str:
    rows = [_HEAD]
    for knob in entries:
        name = knob.path.partition(".")[2]
        values = knob.domain() + (", or `null`" if knob.optional else "")
        if knob.kind == "integer" and not knob.allowed:
            values = f"integer {values}"
        default = "required" if knob.required else f"`{show(knob.default)}`"
        rows.append(f"| `{name}` | {values} | {default} | {meanings.get(name, '')} |")
    return "\n".join(rows)


def _attribute_docstrings(model: type[BaseModel] | Any) -> dict[str, str]:
    """The string that follows each field in the model's source."""
    body = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    found = {}
    statements = body.body if isinstance(body, ast.ClassDef) else []
    for field, note in pairwise(statements):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(note, ast.Expr)
            and isinstance(note.value, ast.Constant)
            and isinstance(note.value.value, str)
        ):
            found[field.target.id] = " ".join(note.value.value.split()).replace("``", "`")
    return found


if __name__ == "__main__":
    import sys

    for name in sys.argv[1:]:
        page = Path(name)
        page.write_text(with_tables(page.read_text(encoding="utf-8")), encoding="utf-8")
