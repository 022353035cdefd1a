"""Knobs on the command line: ``--set path=value``, and the YAML file of an accelerator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aster_dse.errors import NotFoundError, Problems

if TYPE_CHECKING:
    from aster_dse.space.document import Place

__all__ = ["group", "hardware_file", "settings"]


def settings(words: Iterable[str], allowed: Sequence[str]) -> dict[str, Any]:
    """The knobs that ``--set`` changes, by path, each checked.

    Args:
        words: as typed, ``network.width=32``.
        allowed: knobs by path, or whole groups with a dot at the end, as in ``network.``.

    Raises:
        InputError: no setting, no such knob here, or a value that it does not take.
    """
    from aster_dse.space.document import Place, nearest_name, parse_setting
    from aster_dse.space.knobs import knobs

    groups = tuple(entry for entry in allowed if entry.endswith("."))
    known = [path for path in knobs() if path in allowed or path.startswith(groups)]
    found = {}
    for word in words:
        place = Place(f"--set {word}")
        path, equals, text = word.partition("=")
        path = path.strip()
        if not equals:
            raise place.error("no setting", "write path=value, as in network.width=32")
        if path not in known:
            raise place.error(f"there is no knob {path}", nearest_name(path, known))
        knob = knobs()[path]
        found[path] = knob.check(parse_setting(text, place, is_text=knob.kind == "string"), place)
    return found


def group(knobs: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The knobs of one group by their short names."""
    prefix = f"{name}."
    return {path.removeprefix(prefix): value for path, value in knobs.items() if path.startswith(prefix)}


def hardware_file(file: Path) -> dict[str, Any]:
    """The knobs of an accelerator by path, from a YAML file: ``rows: 64``, or all of them in ``hardware:``.

    Relative paths of a library or preset in it are relative to the file.

    Raises:
        NotFoundError: there is no such file.
        InputError: it cannot be read, or knobs in it are none or take other values.
    """
    from aster_dse.space.document import Place, in_lines, parse_yaml

    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFoundError(f"{file}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Place(str(file)).error(
            f"cannot be read: {getattr(error, 'strerror', None) or 'not text'}"
        ) from None
    with in_lines(text, str(file)):
        return _hardware_knobs(parse_yaml(text, Place(str(file))), Place(str(file)), file)


def _hardware_knobs(content: Any, place: Place, file: Path) -> dict[str, Any]:
    from aster_dse.space.document import nearest_name
    from aster_dse.space.knobs import knobs

    if isinstance(content, dict) and list(content) == ["hardware"]:
        content, place = content["hardware"], place.at("hardware")
    if not isinstance(content, dict):
        raise place.error("no mapping", "write it like rows: 64")
    known = {path.removeprefix("hardware."): path for path in knobs() if path.startswith("hardware.")}
    problems = Problems()
    found = {}
    for name, value in content.items():
        with problems.noted():
            if name not in known:
                raise place.at(name).error("unknown knob", nearest_name(name, known))
            path = known[name]
            found[path] = _beside(file, path, knobs()[path].check(value, place.at(name)))
    problems.refuse()
    return found


def _beside(file: Path, path: str, value: Any) -> Any:
    """A value of a knob in ``file``, where it is a path, as seen from the working directory."""
    from aster_dse.space.file_knobs import FILE_KNOBS, is_user_file

    names_file = path.partition(".")[2] in FILE_KNOBS and is_user_file(value)
    return str(file.parent / value) if names_file else value
