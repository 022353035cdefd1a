"""Space files as text: YAML read strictly, and the place inside a file that a message points at."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml

from aster_dse.errors import InputError, all_of, problems_of
from aster_dse.space.yaml_words import yaml_problem

__all__ = ["Place", "in_lines", "kind_of", "nearest_name", "parse_setting", "parse_yaml", "show"]


@dataclass(frozen=True)
class Place:
    """A path inside a file (or inside whatever the values came from)."""

    source: str
    path: str = ""

    def at(self, key: object) -> Place:
        return Place(self.source, f"{self.path}.{key}" if self.path else str(key))

    def error(self, problem: str, remedy: str = "") -> InputError:
        where = f"{self.source}: {self.path}" if self.source and self.path else self.source or self.path
        return InputError(where, problem, remedy)


def show(value: object) -> str:
    """The value as one would write it in the file, on one line and not too long."""
    if value is None or isinstance(value, bool | int | str):
        text = json.dumps(value, ensure_ascii=False)
    elif isinstance(value, float):
        text = repr(value)
    elif isinstance(value, list | tuple):
        # Three entries say enough; a file's aliases can make a list of any size.
        inside = ", ".join(show(item) for item in value[:3])
        text = f"[{inside}{', ...' if len(value) > 3 else ''}]"
    elif isinstance(value, dict):
        text = (
            "{" + ", ".join(str(key) for key in list(value)[:3]) + (", ..." if len(value) > 3 else "") + "}"
        )
    else:
        text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def kind_of(value: object) -> str:
    """What the value is, in words."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "a truth value"
    for kinds, words in (
        (int, "an integer"),
        (float, "a decimal number"),
        (str, "text"),
        (dict, "a mapping"),
        (list | tuple, "a list"),
    ):
        if isinstance(value, kinds):
            return words
    return f"a {type(value).__name__}"


def nearest_name(word: object, known: Iterable[str]) -> str:
    """A remedy: the known name that looks most like ``word``, else all of them."""
    names = list(known)
    close = difflib.get_close_matches(str(word), names, n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else f"one of {', '.join(names)}"


class _CoreLoader(yaml.SafeLoader):
    """YAML 1.2's core scalars: 1e-3 is a number, ``no`` and ``on`` are text, and 0101 is not octal."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  # PyYAML's own


_NULL, _BOOL, _INT, _FLOAT, _STR = (
    f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str")
)
_CoreLoader.add_implicit_resolver(_NULL, re.compile(r"^(~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_CoreLoader.add_implicit_resolver(_BOOL, re.compile(r"^(true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_CoreLoader.add_implicit_resolver(_INT, re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789"))
_CoreLoader.add_implicit_resolver(
    _FLOAT,
    re.compile(
        r"^([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$"
    ),
    list("-+.0123456789"),
)


def parse_yaml(text: str, place: Place) -> Any:
    """Python values of one YAML document; keys are text, and no key may come twice.

    Raises:
        InputError: bad syntax (with line and column), a repeated key, a tag that means nothing here.
    """
    try:
        node = yaml.compose(text, Loader=_CoreLoader)
        return None if node is None else _value(node, place, {})
    except yaml.YAMLError as error:
        raise place.error(*yaml_problem(error, text)) from None
    except RecursionError:
        raise place.error("nested too deeply", "a space file has three levels") from None


@contextmanager
def in_lines(text: str, source: str) -> Iterator[None]:
    """Let messages about paths in a file name the lines too.

    Args:
        text: of the file.
        source: what messages call it.
    """
    try:
        yield
    except InputError as error:
        lines = _lines(text)
        raise all_of([_with_line(problem, lines, source) for problem in problems_of(error)]) from None


def _with_line(error: InputError, lines: Mapping[str, int], source: str) -> InputError:
    path = error.where.removeprefix(f"{source}: ") if error.where.startswith(f"{source}: ") else ""
    known = path
    while known and known not in lines:
        known = known.rpartition(".")[0]
    if not known:
        return error
    return InputError(f"{source}: line {lines[known]}: {path}", error.problem, error.remedy)


def _lines(text: str) -> dict[str, int]:
    """Path of every key and entry of a document to its line, from 1; empty where it is no YAML."""
    found: dict[str, int] = {}

    def look(node: yaml.Node, path: str) -> None:
        if isinstance(node, yaml.MappingNode):
            entries = [(str(key.value), key, value) for key, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            entries = [(str(index), item, item) for index, item in enumerate(node.value)]
        else:
            return
        for name, at, inside in entries:
            here = f"{path}.{name}" if path else name
            if here not in found:
                found[here] = at.start_mark.line + 1
                look(inside, here)

    try:
        node = yaml.compose(text, Loader=_CoreLoader)
        if node is not None:
            look(node, "")
    except (yaml.YAMLError, RecursionError):
        return {}
    return found


def parse_setting(text: str, place: Place, *, is_text: bool) -> Any:
    """The value of ``path=value`` as it was typed.

    Args:
        is_text: the knob takes text: then only null, quotes and brackets are YAML, and anything else is taken
            as it stands, colons and leading zeros included.

    Raises:
        InputError: it should be YAML and is not.
    """
    typed = text.strip()
    if is_text and typed.lower() not in ("", "~", "null") and not typed.startswith(("{", "[", '"', "'")):
        return typed
    return parse_yaml(text, place)


def _value(node: yaml.Node, place: Place, seen: dict[int, Any]) -> Any:
    if id(node) in seen:
        if seen[id(node)] is seen:
            raise place.error("an alias that contains itself", "write the value out")
        return seen[id(node)]
    seen[id(node)] = seen  # marks a node whose value is under construction
    value = _construct(node, place, seen)
    seen[id(node)] = value
    return value


def _tag(node: yaml.Node) -> str:
    """A tag as one writes it."""
    short: str = node.tag.replace("tag:yaml.org,2002:", "!!")
    return short


def _construct(node: yaml.Node, place: Place, seen: dict[int, Any]) -> Any:
    if not node.tag.startswith("tag:yaml.org,2002:"):
        raise place.error(f"the tag {_tag(node)} means nothing here", "write a plain value")
    if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
        mapping: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise place.error(f"line {line}: a key is plain text", "see docs/spaces.md")
            key = str(key_node.value)
            if key in mapping:
                raise place.at(key).error(f"given twice, in lines {lines[key]} and {line}", "keep one")
            lines[key] = line
            mapping[key] = _value(value_node, place.at(key), seen)
        return mapping
    if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
        return [_value(item, place.at(index), seen) for index, item in enumerate(node.value)]
    text = str(node.value)
    try:
        if node.tag == _NULL:
            return None
        if node.tag == _BOOL:
            return {"true": True, "false": False}[text.lower()]
        if node.tag == _INT:
            return int(text)
        if node.tag == _FLOAT:
            return float(re.sub(r"\.(?=inf|nan)", "", text.lower()))
    except (ValueError, KeyError):
        raise place.error(f"{show(text)} is not {node.tag.rpartition(':')[2]}", "drop the tag") from None
    if node.tag == _STR:
        return text
    raise place.error(f"the tag {_tag(node)} means nothing here", "write a plain value")
