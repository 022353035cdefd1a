"""Where data sets lie: folders with the names that people give them, under one root."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from aster_dse.errors import NotFoundError

__all__ = ["TREES", "data_root", "find_tree", "first_folder", "found_trees", "require_tree"]

TREES: Mapping[str, tuple[str, ...]] = {
    "cifar10": ("cifar-10-batches-py",),
    "cifar100": ("cifar-100-python",),
    "imagenet": ("imagenet", "ImageNet", "imagenet1k", "ILSVRC2012"),
    "imagenet100": ("imagenet100", "ImageNet100", "imagenet-100"),
    "imagenette": ("imagenette2", "imagenette2-320", "imagenette2-160", "imagenette"),
    "cifar10-dvs": ("cifar10-dvs", "CIFAR10DVS", "cifar10dvs"),
    "dvs-gesture": ("DVSGesturedataset", "DVS128Gesture", "dvs128_gesture", "dvs-gesture"),
    "n-mnist": ("N-MNIST", "NMNIST", "n-mnist", "nmnist"),
    "n-cars": ("N-CARS", "NCARS", "n-cars", "Prophesee_Dataset_n_cars"),
}
"""Names of the folder of each data set, the usual one first."""

VARIABLE = "ASTER_DSE_DATA"


def data_root(data: Path | None) -> Path:
    """``data``, else ``$ASTER_DSE_DATA``, else ``data`` in the working folder."""
    if data is not None:
        return data.expanduser()
    return Path(os.environ.get(VARIABLE) or "data").expanduser()


def find_tree(name: str, data: Path | None, folder: str | None, inside: Sequence[str]) -> Path:
    """The folder of a data set.

    Args:
        name: of the data set.
        folder: its folder under the root, where the configuration names one.
        inside: names of which one at least lies in it; so the root itself is known, too.

    Raises:
        NotFoundError: there is none.
    """
    root = data_root(data)
    names = (folder,) if folder is not None else TREES[name]
    for place in (*(root / known for known in names), *(() if folder is not None else (root,))):
        if any(Path(place, entry).exists() for entry in inside):
            return Path(place)
    looked = " or ".join(str(root / known) for known in names)
    raise NotFoundError(
        f"{name}: no {looked} with {' or '.join(inside)} in it "
        f"(--data FOLDER or {VARIABLE} names the folder that data sets lie in)"
    )


def first_folder(root: Path, names: Sequence[str]) -> Path | None:
    """The first of these folders with anything in it, else the first one that is there."""
    there = [root / name for name in names if (root / name).is_dir()]
    return next((folder for folder in there if any(folder.iterdir())), there[0] if there else None)


def require_tree(name: str, data: Path | None, folder: str | None) -> None:
    """Refuse a data set of which nothing is there: no folder of its name, and nothing in the root.

    Raises:
        NotFoundError: there is none, as where a disk is not mounted.
    """
    root = data_root(data)
    places = [root / known for known in ((folder,) if folder is not None else TREES.get(name, ()))]
    if any(place.is_dir() for place in places) or (folder is None and root.is_dir() and any(root.iterdir())):
        return
    raise NotFoundError(
        f"{name}: there is no {' or '.join(map(str, places)) or root} "
        f"(--data FOLDER or {VARIABLE} names the folder that data sets lie in)"
    )


def found_trees(data: Path | None = None) -> Iterator[tuple[str, Path]]:
    """Data sets whose folder is there, by name alone."""
    for name, folders in TREES.items():
        folder = first_folder(data_root(data), folders)
        if folder is not None:
            yield name, folder
