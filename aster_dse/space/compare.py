"""Two versions of a space: what differs, and whether one only adds to the other."""

from __future__ import annotations

from aster_dse.space.document import show
from aster_dse.space.knobs import knobs
from aster_dse.space.layer_ranges import LayerRanges
from aster_dse.space.parameter import Parameter, Range
from aster_dse.space.space import SearchSpace

__all__ = ["difference", "extends"]

_ENUMERABLE = 100_000


def difference(old: SearchSpace, new: SearchSpace) -> list[str]:
    """What changed from ``old`` to ``new``, a line per path; empty exactly where their hashes are equal."""
    before, after = old.as_dict(), new.as_dict()
    lines = []
    for path in knobs():
        group, _, name = path.partition(".")
        lines += _change(path, before[group][name], after[group][name])
    for metric in dict.fromkeys([*old.objectives, *new.objectives]):
        lines += _change(f"objectives.{metric}", old.objectives.get(metric), new.objectives.get(metric))
    lines += _change("constraints", sorted(before["constraints"]), sorted(after["constraints"]))
    return lines


def extends(old: SearchSpace, new: SearchSpace) -> bool:
    """Whether ``new`` only adds to ``old``.

    Every configuration of ``old`` is then one of ``new``, judged by the same objectives and constraints.
    """
    if old.objectives != new.objectives or set(old.constraints) != set(new.constraints):
        return False
    was = {parameter.path: parameter for parameter in old.parameters}
    now = {parameter.path: parameter for parameter in new.parameters}
    for path in knobs():
        if path in was:
            if path not in now or was[path].when != now[path].when or not _covers(now[path], was[path]):
                return False
            if was[path].when is not None and old.fixed[path] != new.fixed[path]:
                return False
        elif path in now:
            if now[path].when is not None or old.fixed[path] not in now[path]:
                return False
        elif old.fixed[path] != new.fixed[path]:
            return False
    return True


def _covers(wide: Parameter, narrow: Parameter) -> bool:
    """Whether every value of ``narrow`` is one of ``wide``."""
    if isinstance(wide, Range) and wide.step is None and isinstance(narrow, Range):
        return wide.low <= narrow.low and narrow.high <= wide.high
    if isinstance(wide, LayerRanges) and isinstance(narrow, LayerRanges):
        return wide.covers(narrow)
    if narrow.cardinality is None or narrow.cardinality > _ENUMERABLE:
        return wide == narrow
    return all(value in wide for value in narrow.values() or ())


def _change(path: str, before: object, after: object) -> list[str]:
    if _comparable(before) == _comparable(after):
        return []
    return [f"{path}: {_words(before)} -> {_words(after)}"]


def _comparable(entry: object) -> object:
    if isinstance(entry, dict):
        return {
            key: sorted(value, key=show) if key == "choices" else _comparable(value)
            for key, value in entry.items()
        }
    return entry


def _words(entry: object) -> str:
    """An entry of a space as a file has it, in full."""
    if isinstance(entry, dict):
        return "{" + ", ".join(f"{key}: {_words(value)}" for key, value in entry.items()) + "}"
    if isinstance(entry, list):
        return "[" + ", ".join(_words(item) for item in entry) + "]"
    return entry if isinstance(entry, str) else show(entry)
