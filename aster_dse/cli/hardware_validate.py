"""``aster-dse hardware validate``: our figures beside those of other tools and papers."""

from __future__ import annotations

from aster_dse.cli.options import Json
from aster_dse.cli.output import number, print_json, print_table, table

__all__ = ["validate"]


def validate(json: Json = False) -> None:
    """Compute what other tools and papers print, and show both figures with their difference."""
    from aster_dse.hardware.validation import validation

    found = validation()
    if json:
        print_json(
            [
                {
                    "what": row.what,
                    "unit": row.unit,
                    "theirs": row.theirs,
                    "ours": row.ours,
                    "difference": row.difference,
                    "tolerance": row.tolerance,
                    "agrees": row.agrees,
                    "source": row.source,
                }
                for row in found
            ]
        )
        return
    rows = table(["", "what", "unit", "theirs", "ours", "difference"], right=["theirs", "ours", "difference"])
    source = ""
    for row in found:
        if row.source != source:
            source = row.source
            rows.add_section()
            rows.add_row("", source, "", "", "", "")
        mark = "ok" if row.agrees else "!!"
        rows.add_row(mark, row.what, row.unit, number(row.theirs), number(row.ours), f"{row.difference:+.2%}")
    print_table(rows)
    outside = sum(not row.agrees for row in found)
    print(f"{len(found) - outside} of {len(found)} figures agree within their tolerance")
