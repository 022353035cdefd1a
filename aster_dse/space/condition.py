"""Conditions between knobs (``when: "depth >= 2"``), read from their syntax tree and never run as Python."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aster_dse.space.document import Place, nearest_name, show
from aster_dse.space.knobs import Knob, knobs

__all__ = ["Condition", "parse_condition"]

_MAX_LENGTH = 500
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_ORDER: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_EXAMPLE = 'write it like "depth >= 2" or "neuron in [\'lif\'] and network.depth < 4"'


@dataclass(frozen=True)
class Condition:
    """A truth value that depends on other knobs."""

    text: str
    """With every knob by its full path."""
    paths: tuple[str, ...]
    """The knobs it reads."""
    _tree: ast.expr = field(repr=False, compare=False)

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether it is true for ``values``, by path; a comparison of size with None is false."""
        return bool(_evaluate(self._tree, values))


def parse_condition(text: object, group: str, place: Place) -> Condition:
    """The condition written in ``text``; a bare name is a knob of ``group``, else the only one of that name.

    Raises:
        InputError: it is no comparison of knobs and values, a knob does not exist or never has the value.
    """
    if not isinstance(text, str):
        raise place.error(f"{show(text)} is not a condition", _EXAMPLE)
    if len(text) > _MAX_LENGTH:
        raise place.error(f"a condition of {len(text)} characters", f"at most {_MAX_LENGTH}")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise place.error(f"{show(text)} is not a condition", _EXAMPLE) from None
    reader = _Reader(group, text, place)
    resolved = reader.truth(tree)
    return Condition(ast.unparse(resolved), tuple(sorted(reader.paths)), resolved)


class _Reader:
    """Checks a syntax tree and writes every knob in it as ``group.name``."""

    def __init__(self, group: str, text: str, place: Place) -> None:
        self.group, self.text, self.place = group, text, place
        self.paths: set[str] = set()

    def truth(self, node: ast.expr) -> ast.expr:
        if isinstance(node, ast.BoolOp):
            return ast.BoolOp(node.op, [self.truth(part) for part in node.values])
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return ast.UnaryOp(node.op, self.truth(node.operand))
        if isinstance(node, ast.Compare):
            return self._comparison(node)
        if isinstance(node, ast.Name | ast.Attribute):
            resolved, knob = self._knob(node)
            if knob.kind == "boolean":
                return resolved
            raise self.place.error(f"{knob.path} alone is neither true nor false", _EXAMPLE)
        raise self.place.error(f"{show(self.text)} is not a condition", _EXAMPLE)

    def _comparison(self, node: ast.Compare) -> ast.expr:
        sides = [self._operand(side) for side in (node.left, *node.comparators)]
        for symbol, left, right in zip(node.ops, sides, sides[1:], strict=False):
            if isinstance(symbol, ast.Is | ast.IsNot):
                raise self.place.error(f"{show(self.text)} compares with 'is'", "write == or !=")
            self._agree(symbol, left, right)
        return ast.Compare(sides[0][0], node.ops, [side for side, _ in sides[1:]])

    def _agree(
        self, symbol: ast.cmpop, left: tuple[ast.expr, Knob | None], right: tuple[ast.expr, Knob | None]
    ) -> None:
        """Refuse a comparison that cannot come out true and false."""
        (left_node, left_knob), (right_node, right_knob) = left, right
        if left_knob is None and right_knob is None:
            raise self.place.error(f"{show(self.text)} compares two constants", _EXAMPLE)
        listed = isinstance(symbol, ast.In | ast.NotIn)
        if listed != isinstance(right_node, ast.List) or isinstance(left_node, ast.List):
            raise self.place.error(f"{show(self.text)}: a list stands to the right of 'in'", _EXAMPLE)
        for knob, other in ((left_knob, right_node), (right_knob, left_node)):
            if knob is None:
                continue
            if type(symbol) in _ORDER:
                if knob.kind not in ("integer", "number"):
                    raise self.place.error(f"{knob.path} has no order", "compare it with ==, != or in")
                if isinstance(other, ast.Constant) and not _is_number(other.value):
                    raise self.place.error(
                        f"{knob.path} against {show(other.value)}", "compare it with a number"
                    )
            elif isinstance(other, ast.Constant | ast.List):
                for item in other.elts if isinstance(other, ast.List) else [other]:
                    knob.check(item.value if isinstance(item, ast.Constant) else None, self.place)

    def _operand(self, node: ast.expr) -> tuple[ast.expr, Knob | None]:
        if isinstance(node, ast.Name) and node.id in _WORDS:
            return ast.Constant(_WORDS[node.id]), None
        if isinstance(node, ast.Name | ast.Attribute):
            return self._knob(node)
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            items = [self._operand(item) for item in node.elts]
            if items and all(isinstance(item, ast.Constant) for item, _ in items):
                return ast.List([item for item, _ in items]), None
        if (
            isinstance(node, ast.UnaryOp)
            and isinstance(node.op, ast.USub)
            and isinstance(node.operand, ast.Constant)
        ):
            if _is_number(node.operand.value):
                return ast.Constant(-node.operand.value), None  # type: ignore[operator]
        elif isinstance(node, ast.Constant) and (
            node.value is None or isinstance(node.value, bool | int | float | str)
        ):
            return node, None
        raise self.place.error(f"{show(self.text)} is more than comparisons of knobs and values", _EXAMPLE)

    def _knob(self, node: ast.Name | ast.Attribute) -> tuple[ast.expr, Knob]:
        written = ast.unparse(node)
        known = knobs()
        matches = [written] if written in known else [f"{self.group}.{written}"]
        if matches[0] not in known:
            matches = [path for path in known if path.partition(".")[2] == written]
        if len(matches) != 1:
            if matches:
                raise self.place.error(
                    f"{written} is ambiguous in {show(self.text)}", f"write {' or '.join(matches)}"
                )
            names = [path.partition(".")[2] for path in known if path.startswith(f"{self.group}.")]
            raise self.place.error(
                f"there is no knob {written} in {show(self.text)}",
                nearest_name(written, known if "." in written else names) + "; put text values in quotes",
            )
        self.paths.add(matches[0])
        group, _, name = matches[0].partition(".")
        return ast.Attribute(ast.Name(group, ast.Load()), name, ast.Load()), known[matches[0]]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _evaluate(node: ast.expr, values: Mapping[str, Any]) -> Any:
    match node:
        case ast.BoolOp(op=ast.And(), values=parts):
            return all(_evaluate(part, values) for part in parts)
        case ast.BoolOp(values=parts):
            return any(_evaluate(part, values) for part in parts)
        case ast.UnaryOp(operand=operand):
            return not _evaluate(operand, values)
        case ast.Attribute(value=ast.Name(id=group), attr=name):
            return values[f"{group}.{name}"]
        case ast.List(elts=items):
            return [_evaluate(item, values) for item in items]
        case ast.Constant(value=value):
            return value
        case ast.Compare(left=left, ops=symbols, comparators=rest):
            sides = [_evaluate(side, values) for side in (left, *rest)]
            return all(map(_compare, symbols, sides, sides[1:]))
    raise TypeError(f"not part of a condition: {ast.dump(node)}")


def _compare(symbol: ast.cmpop, left: Any, right: Any) -> bool:
    match symbol:
        case ast.Eq():
            return bool(left == right)
        case ast.NotEq():
            return bool(left != right)
        case ast.In():
            return left in right
        case ast.NotIn():
            return left not in right
    return left is not None and right is not None and _ORDER[type(symbol)](left, right)
