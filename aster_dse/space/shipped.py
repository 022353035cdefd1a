"""Finds space files: by path, or by the name of one that ships with the package."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from aster_dse.space.document import Place, in_lines, parse_yaml
from aster_dse.space.space import SearchSpace

__all__ = ["load_space", "shipped_spaces"]


def load_space(source: str | Path) -> SearchSpace:
    """The space in a YAML file; relative paths in it are relative to the file.

    Args:
        source: a path, or the name of a space that ships (``digits_dvs`` or ``digits-dvs``).

    Raises:
        InputError: there is no such file, or all that is wrong with it.
    """
    text = str(source)
    if isinstance(source, str) and "/" not in text and "\\" not in text:
        shipped = _shipped().get(text.replace("-", "_"))
        if shipped is not None:
            place = Place(f"search_spaces/{shipped.name}")
            return _read(shipped.read_text(encoding="utf-8"), place)
    place = Place(text)
    try:
        content = Path(source).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise place.error("no such file", f"a path, or one that ships: {', '.join(_shipped())}") from None
    except UnicodeDecodeError:
        raise place.error("not text", "a space is a YAML file in UTF-8") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise place.error(f"cannot be read: {reason}", "a space is a YAML file") from None
    parent = Path(source).parent
    return _read(content, place, "" if parent == Path() else str(parent))


def _read(text: str, place: Place, folder: str = "") -> SearchSpace:
    with in_lines(text, place.source):
        return SearchSpace.from_mapping(parse_yaml(text, place), place.source, folder=folder)


def shipped_spaces() -> list[tuple[str, str]]:
    """Name and description of every space that ships."""
    return [(name, load_space(name).description) for name in _shipped()]


def _shipped() -> dict[str, Traversable]:
    folder = files("aster_dse.search_spaces")
    found = {Path(item.name).stem: item for item in folder.iterdir() if item.name.endswith(".yaml")}
    return dict(sorted(found.items()))
