"""Bounds on the figures of a configuration (``area_mm2 <= 50``)."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass

from aster_dse.space.document import Place, nearest_name, show
from aster_dse.space.metrics import METRICS

__all__ = ["TINY", "Constraint", "check_together", "parse_constraint"]

TINY = 1e-12
"""Keeps the relative excess over a bound of 0 finite."""
_MAX_LENGTH = 200
_HUGE = 1e300
_EXAMPLE = 'write it like "area_mm2 <= 50"'
_MIRRORED = {"<=": ">=", ">=": "<="}


@dataclass(frozen=True)
class Constraint:
    """``metric operator bound``."""

    metric: str
    operator: str
    """``<=`` or ``>=``."""
    bound: float

    def __str__(self) -> str:
        bound = int(self.bound) if self.bound.is_integer() and abs(self.bound) < 1e15 else self.bound
        return f"{self.metric} {self.operator} {bound!r}"

    def violation(self, metrics: Mapping[str, float]) -> float:
        """0 where it holds, else by how much the metric exceeds the bound, relative to the bound.

        A metric that is NaN holds nothing: its violation is infinite.
        """
        value = metrics[self.metric]
        if math.isnan(value):
            return math.inf
        excess = value - self.bound if self.operator == "<=" else self.bound - value
        return 0.0 if excess <= 0.0 else excess / max(abs(self.bound), TINY)


def parse_constraint(text: object, place: Place | None = None) -> Constraint:
    """The constraint written in ``text``, on either side of ``<=`` or ``>=``.

    Raises:
        InputError: it is no comparison of one known metric with one number, or can never hold.
    """
    place = place or Place("", "constraint")
    if not isinstance(text, str) or not text.strip():
        raise place.error(f"{show(text)} is not a constraint", _EXAMPLE)
    if len(text) > _MAX_LENGTH:
        raise place.error(f"a constraint of {len(text)} characters", _EXAMPLE)
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise place.error(f"{show(text)} is not a constraint", _EXAMPLE) from None
    if not isinstance(tree, ast.Compare):
        raise place.error(f"{show(text)} is not a constraint", _EXAMPLE)
    if len(tree.ops) > 1:
        raise place.error(f"{show(text)} holds two comparisons", "write them as two constraints")
    left, right = tree.left, tree.comparators[0]
    symbol = {ast.LtE: "<=", ast.GtE: ">="}.get(type(tree.ops[0]))
    if symbol is None:
        raise place.error(f"{show(text)} compares by neither <= nor >=", _EXAMPLE)
    if isinstance(right, ast.Name) and not isinstance(left, ast.Name):
        left, right, symbol = right, left, _MIRRORED[symbol]
    bound = _number(right)
    if not isinstance(left, ast.Name) or bound is None:
        raise place.error(f"{show(text)} does not compare a metric with a number", _EXAMPLE)
    if left.id not in METRICS:
        raise place.error(f"unknown metric {left.id} in {show(text)}", nearest_name(left.id, METRICS))
    return _possible(Constraint(left.id, symbol, bound), place)


def _number(node: ast.expr) -> float | None:
    sign = 1.0
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node, sign = node.operand, -1.0
    if not isinstance(node, ast.Constant) or isinstance(node.value, bool):
        return None
    if not isinstance(node.value, int | float) or not -_HUGE <= node.value <= _HUGE:
        return None
    return sign * float(node.value)


def _possible(constraint: Constraint, place: Place) -> Constraint:
    upper = METRICS[constraint.metric].upper
    if constraint.operator == "<=" and constraint.bound < 0.0:
        raise place.error(f'"{constraint}" can never hold', f"{constraint.metric} is at least 0")
    if constraint.operator == ">=" and constraint.bound > upper:
        raise place.error(f'"{constraint}" can never hold', f"{constraint.metric} is at most {upper:g}")
    return constraint


def check_together(constraints: tuple[Constraint, ...], place: Place) -> None:
    """Refuse bounds of one metric that leave nothing between them."""
    for index, one in enumerate(constraints):
        for other in constraints[:index]:
            if one == other:
                raise place.at(index).error(f'"{one}" is given twice', "keep one")
            pair = {one.operator: one.bound, other.operator: other.bound}
            if one.metric == other.metric and len(pair) == 2 and pair["<="] < pair[">="]:
                raise place.at(index).error(f'"{one}" and "{other}" exclude each other', "loosen one")
