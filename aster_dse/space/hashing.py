"""The address of what a space searches."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from aster_dse.space.hardware_knobs import HARDWARE_KNOBS
from aster_dse.space.knobs import GROUPS, knobs

__all__ = ["content_hash"]


def content_hash(content: Mapping[str, Any]) -> str:
    """See :attr:`~aster_dse.space.SearchSpace.hash`.

    Args:
        content: the space, every knob written out.
    """
    groups = {group: dict(content[group]) for group in GROUPS}
    for name in _later_at_default(groups["hardware"]):
        del groups["hardware"][name]
    if groups["workload"].get("data") is None:
        groups["workload"].pop("data", None)
    for group in groups.values():
        for name, entry in group.items():
            group[name] = _sorted_choices(entry)
    counts = {**groups, "objectives": content["objectives"], "constraints": sorted(content["constraints"])}
    text = json.dumps(counts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _later_at_default(hardware: Mapping[str, Any]) -> list[str]:
    later = (name for name, knob in HARDWARE_KNOBS.items() if knob.later)
    return [name for name in later if hardware[name] == knobs()[f"hardware.{name}"].default]


def _sorted_choices(entry: Any) -> Any:
    if not isinstance(entry, dict):
        return entry
    return {
        key: sorted(value, key=json.dumps) if key == "choices" else _sorted_choices(value)
        for key, value in entry.items()
    }
