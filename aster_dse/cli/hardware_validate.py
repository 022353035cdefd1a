"""``aster-dse hardware validate``: our figures beside those of other tools and papers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aster_dse.cli.options import Json
from aster_dse.cli.output import number, print_json, print_table, table

if TYPE_CHECKING:
    from aster_dse.hardware.layer_validation import NotComputed
    from aster_dse.hardware.validation import Agreement

__all__ = ["validate"]


def validate(json: Json = False) -> None:
    """Compute what other tools and papers print, and show both figures with their difference."""
    from aster_dse.hardware.component_validation import component_validation
    from aster_dse.hardware.layer_validation import NotComputed, layer_validation
    from aster_dse.hardware.validation import validation

    found = [*validation(), *component_validation(), *layer_validation()]
    if json:
        print_json([_document(row) for row in found])
        return
    rows = table(["", "what", "unit", "theirs", "ours", "difference"], right=["theirs", "ours", "difference"])
    source = ""
    for row in found:
        if row.source != source:
            source = row.source
            rows.add_section()
            rows.add_row("", source, "", "", "", "")
        if isinstance(row, NotComputed):
            rows.add_row("--", f"{row.what}, {row.reason}", "", "", "", "")
            continue
        mark = "ok" if row.agrees else "!!"
        rows.add_row(mark, row.what, row.unit, number(row.theirs), number(row.ours), f"{row.difference:+.2%}")
    print_table(rows)
    computed = [row for row in found if not isinstance(row, NotComputed)]
    outside = sum(not row.agrees for row in computed)
    print(f"{len(computed) - outside} of {len(computed)} figures agree within their tolerance")


def _document(row: Agreement | NotComputed) -> dict[str, object]:
    """Of figures that were not computed all but the names are null, and ``note`` says why."""
    from aster_dse.hardware.validation import Agreement

    agreement = row if isinstance(row, Agreement) else None
    figures = ("unit", "theirs", "ours", "difference", "tolerance", "agrees")
    return {
        "what": row.what,
        **{name: None if agreement is None else getattr(agreement, name) for name in figures},
        "source": row.source,
        "note": None if isinstance(row, Agreement) else row.reason,
    }
