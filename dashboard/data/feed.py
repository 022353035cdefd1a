"""What a page that is open needs to know next: the points stored since it last asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from aster_dse.dashboard.data.columns import encode_frame
from aster_dse.dashboard.data.labels import knob_label
from aster_dse.store import StudyReader, StudyRow

__all__ = ["Cursor", "points_since", "state_of"]

_LAYERS = "hardware.layers"
_NOT_SHOWN = ["index", "feasible", "told"]


@dataclass(frozen=True)
class Cursor:
    """How far a browser is; nothing but this decides what it is sent."""

    last: int = 0
    """Greatest evaluation id it has."""
    state: str = ""
    """What :func:`state_of` said when it was last sent anything."""

    @classmethod
    def from_browser(cls, value: object) -> Self:
        """Read what the browser sent; anything malformed is a browser that has nothing yet."""
        if not isinstance(value, dict):
            return cls()
        last, state = value.get("last"), value.get("state")
        if type(last) is not int or not 0 <= last < 2**63 or not isinstance(state, str):
            return cls()
        return cls(last, state)


def state_of(reader: StudyReader, study: StudyRow) -> str:
    """Changes whenever anything about the study does: its last write, and whether a driver is at work."""
    holder = reader.lease_holder(study.id)
    return f"{study.updated_at.isoformat()} {holder.label if holder else ''}"


def _one_of_a_kind(study: StudyRow) -> list[str]:
    """Knobs whose values are nearly all different words, which no axis can show: knobs of single layers that
    are searched. A point's own panel has them."""
    layers = study.space.get("hardware", {}).get("layers")
    return [_LAYERS] if isinstance(layers, dict) and "choices" not in layers else []


def points_since(reader: StudyReader, study: StudyRow, after: int) -> dict[str, Any]:
    """The points of a study whose id is greater than ``after``, as columns for the browser."""
    frame = reader.evaluations(study.id, since=after)
    last = int(frame["id"].max()) if len(frame) else after
    left_out = {*_NOT_SHOWN, *_one_of_a_kind(study)}
    frame = frame.drop(columns=[name for name in frame if name in left_out])
    return {
        "study": study.id,
        "after": after,
        "last": last,
        "rows": len(frame),
        "columns": encode_frame(frame, exact=set(study.objectives)),
        "knobs": [
            {"name": name, "label": knob_label(name)} for name in map(str, frame.columns) if "." in name
        ],
    }
