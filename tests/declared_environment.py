"""Virtual environments with the packages that a wheel declares, of those installed here, and no others."""

from __future__ import annotations

import venv
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def link_environment(folder: Path, wheel: Path, *extras: str) -> Path:
    """An environment with the wheel's contents and its dependencies, linked; returns its Python.

    Raises:
        PackageNotFoundError: something declared is not installed here.
    """
    venv.create(folder, with_pip=False)
    (packages,) = folder.glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        declared = message_from_bytes(archive.read(name)).get_all("Requires-Dist", [])
    for found in _closure(declared, extras):
        for top in {Path(file).parts[0] for file in found.files or () if ".." not in Path(file).parts}:
            source = Path(str(found.locate_file(top)))
            if source.exists() and not (packages / top).exists() and top != "__pycache__":
                (packages / top).symlink_to(source)
    return folder / "bin" / "python"


def _closure(declared: list[str], extras: tuple[str, ...]) -> Iterator[Distribution]:
    seen: set[tuple[str, str]] = set()
    left = list(_wanted(declared, extras))
    while left:
        requirement = left.pop()
        found = distribution(requirement.name)
        for extra in {"", *requirement.extras}:
            key = (canonicalize_name(requirement.name), extra)
            if key in seen:
                continue
            seen.add(key)
            yield found
            left += _wanted(found.requires or [], (extra,) if extra else ())


def _wanted(declared: list[str], extras: tuple[str, ...]) -> Iterator[Requirement]:
    for text in declared:
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield requirement
