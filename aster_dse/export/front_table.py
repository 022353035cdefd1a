"""Configurations as the rows of a table: which columns, in which order, and which rows where not all fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from aster_dse.errors import InputError
from aster_dse.export.points import Point
from aster_dse.pareto import knee_point
from aster_dse.space import METRICS
from aster_dse.space.document import nearest_name

__all__ = [
    "Column",
    "chosen_columns",
    "chosen_rows",
    "differing_knobs",
    "knee_of",
    "marks_of",
    "sorted_points",
]

Kind = Literal["place", "mark", "metric", "interval", "violation", "knob"]
_KNOBS, _ALL = "knobs", "all"


@dataclass(frozen=True)
class Column:
    """One figure or knob of every row."""

    key: str
    """What ``--columns`` and ``--sort`` call it."""
    kind: Kind
    values: tuple[Any, ...]


def chosen_columns(
    points: Sequence[Point], wanted: Sequence[str], objectives: Mapping[str, str]
) -> list[Column]:
    """The columns that are asked for, after trial and index.

    Args:
        points: the rows.
        wanted: metrics, knobs by their path or their name alone where only one group has it, ``interval``,
            ``mark``, ``off_by``; ``knobs`` stands for all that differ, ``all`` for every one.
        objectives: what the marks are about.

    Raises:
        InputError: a word that is none of them.
    """
    knobs = _knobs(points)
    columns = {"trial": _place("trial", points), "index": _place("index", points)}
    for word in wanted:
        if word == _KNOBS:
            found = differing_knobs(points)
        elif word == _ALL:
            found = [Column(path, "knob", values) for path, values in knobs.items()]
        else:
            found = [_column(word, points, knobs, objectives)]
        columns |= {column.key: column for column in found}
    return list(columns.values())


def differing_knobs(points: Sequence[Point]) -> list[Column]:
    """The knobs in which the rows differ, those first that tell most rows apart."""
    left = {path: values for path, values in _knobs(points).items() if len(set(map(str, values))) > 1}
    told: list[tuple[str, ...]] = [()] * len(points)
    found = []
    while left:
        apart = {
            path: (len(set(zip(told, map(str, values), strict=True))), len(set(map(str, values))))
            for path, values in left.items()
        }
        path = max(apart, key=apart.__getitem__)  # the first of equals, in the order of the configuration
        values = left.pop(path)
        told = [(*row, str(value)) for row, value in zip(told, values, strict=True)]
        found.append(Column(path, "knob", values))
    return found


def sorted_points(points: Sequence[Point], word: str) -> list[Point]:
    """The rows by a metric, the best first, or by a knob, from the least; ``-`` before it turns it round.

    Raises:
        InputError: no such column.
    """
    column = _column(word.removeprefix("-"), points, _knobs(points), {})
    if column.kind not in ("metric", "knob", "place", "violation"):
        raise InputError("--sort", f"{word!r} has no order", "a metric or a knob")
    best_first = column.kind == "metric" and METRICS[column.key].direction == "max"
    # What sorts as nothing comes last either way; of equals the earlier row stays first.
    order = [place for place, value in enumerate(column.values) if value is not None]
    plain = all(isinstance(column.values[place], int | float) for place in order)

    def rank(place: int) -> Any:
        return column.values[place] if plain else str(column.values[place])

    order.sort(key=rank, reverse=best_first != word.startswith("-"))
    order += [place for place, value in enumerate(column.values) if value is None]
    return [points[place] for place in order]


def knee_of(points: Sequence[Point], objectives: Mapping[str, str]) -> int:
    """Where the trade-off of a front bends: the position of that point."""
    signs = {name: -1.0 if direction == "max" else 1.0 for name, direction in objectives.items()}
    return int(knee_point([[sign * p.metrics[name] for name, sign in signs.items()] for p in points]))


def marks_of(points: Sequence[Point], objectives: Mapping[str, str]) -> list[str]:
    """What is remarkable of each row: the knee, the best in an objective; empty elsewhere."""
    marks: list[list[str]] = [[] for _ in points]
    if len(points) > 1 and objectives:
        marks[knee_of(points, objectives)].append("knee")
        for name, direction in objectives.items():
            values = [point.metrics[name] for point in points]
            best = max(values) if direction == "max" else min(values)
            marks[values.index(best)].append(METRICS[name].word)
    return [", ".join(words) for words in marks]


def chosen_rows(points: Sequence[Point], objectives: Mapping[str, str], most: int) -> list[int]:
    """Positions of at most ``most`` rows: those with a mark, and others at equal distances, in order."""
    if len(points) <= most:
        return list(range(len(points)))
    kept = {place for place, mark in enumerate(marks_of(points, objectives)) if mark}
    others = [place for place in range(len(points)) if place not in kept]
    room = max(0, most - len(kept))
    kept |= {others[len(others) * step // room] for step in range(room)}
    return sorted(kept)


def _column(
    word: str, points: Sequence[Point], knobs: Mapping[str, tuple[Any, ...]], objectives: Mapping[str, str]
) -> Column:
    if word == "trial" or word == "index":
        return _place(word, points)
    if word in METRICS:
        return Column(word, "metric", tuple(point.metrics[word] for point in points))
    if word == "interval":
        return Column(word, "interval", tuple(point.accuracy_interval for point in points))
    if word == "mark":
        return Column(word, "mark", tuple(marks_of(points, objectives)))
    if word == "off_by":
        return Column(word, "violation", tuple(point.violation for point in points))
    paths = [path for path in knobs if word in (path, path.partition(".")[2])]
    if len(paths) == 1:
        return Column(paths[0], "knob", knobs[paths[0]])
    if paths:
        raise InputError("--columns, --sort", f"{word!r} may be {' or '.join(paths)}", "write it whole")
    known = [*METRICS, *knobs, *(path.partition(".")[2] for path in knobs)]
    remedy = nearest_name(word, [*known, "interval", "mark", "off_by", _KNOBS, _ALL])
    if not remedy.startswith("did you mean"):
        remedy = f"metrics are {', '.join(METRICS)}; a knob is named like network.width; 'knobs', 'all'"
    raise InputError("--columns, --sort", f"there is no metric or knob {word!r}", remedy)


def _place(key: str, points: Sequence[Point]) -> Column:
    return Column(key, "place", tuple(getattr(point, key) for point in points))


def _knobs(points: Sequence[Point]) -> dict[str, tuple[Any, ...]]:
    """Path to its value in every row, in the order of the configuration."""
    flat = [
        {
            f"{group}.{name}": value
            for group, knobs in point.candidate.model_dump(mode="json").items()
            for name, value in knobs.items()
        }
        for point in points
    ]
    paths = dict.fromkeys(path for row in flat for path in row)
    return {path: tuple(row.get(path) for row in flat) for path in paths}
