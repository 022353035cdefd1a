"""Images in folders by class, as ImageNet is kept: read and decoded when they are asked for.

``TREE/train/CLASS/*.JPEG`` and ``TREE/val/CLASS/*.JPEG``; the classes are numbered in the order of their
folders' names, as torchvision's ``ImageFolder`` numbers them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aster_dse.errors import InputError, NotFoundError
from aster_dse.space import WorkloadConfig
from aster_dse.workload.dataset import Split, Workload, WorkloadShape
from aster_dse.workload.identity import DataFiles, identified
from aster_dse.workload.image_file import is_sideways, opened, orientation, rgb, turned
from aster_dse.workload.partition import held_out
from aster_dse.workload.published import check_published
from aster_dse.workload.source import check_resolution
from aster_dse.workload.trees import find_tree

__all__ = ["IMAGE_FOLDERS", "ImageFolder", "ImagesOnDisk"]

_ENDINGS = (".jpeg", ".jpg", ".png")
_CROP_SHARE = 0.95
"""Of the shorter side, which the frame shows when a network is measured (the published code's crop_pct)."""
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet, by channel (He et al., "Deep Residual Learning", and every code since)."""
_DECODERS = 8
_EXPECTED = {
    "folder": "its folder below the data folder",
    "classes": "the number of its class folders",
}


@dataclass(frozen=True, eq=False)
class ImagesOnDisk:
    """Frames ``[samples, 1, 3, resolution, resolution]`` of files, which training can take parts of."""

    folder: str
    """Absolute, so that another process finds it from wherever it runs."""
    names: NDArray[np.bytes_]
    """Of the files below the folder, as the file system spells them."""
    resolution: int
    upright: bool = False
    """Turned as EXIF says, where it says so."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of all frames."""
        return (len(self.names), 1, 3, self.resolution, self.resolution)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: slice | NDArray[np.int64], /) -> NDArray[np.uint8]:
        """The middle of the images.

        Raises:
            NotFoundError: a file is gone.
            InputError: a file is no image, or damaged.
        """
        return self._frames(index, [self._middle] * len(self.names[index]))

    def aspects(self, index: NDArray[np.int64]) -> list[float]:
        """Width over height of the images."""

        def aspect(path: Path) -> float:
            with opened(path) as image:
                shape = image.width / image.height
                return 1 / shape if is_sideways(self._lies(image)) else shape

        return [aspect(self._path(name)) for name in self.names[index]]

    def crops(self, index: NDArray[np.int64], boxes: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Parts of the images: left, top, right and bottom as shares of width and height.

        Raises:
            NotFoundError: a file is gone.
            InputError: a file is no image, or damaged.
        """
        return self._frames(index, [self._cut(box) for box in boxes])

    def _path(self, name: bytes) -> Path:
        return Path(self.folder, os.fsdecode(name))

    def _frames(
        self, index: slice | NDArray[np.int64], reduce: list[Callable[[Image.Image], Image.Image]]
    ) -> NDArray[np.uint8]:
        paths = [self._path(name) for name in self.names[index]]
        out = np.empty((len(paths), *self.shape[1:]), dtype=np.uint8)

        def fill(place: int) -> None:
            with opened(paths[place]) as image:
                out[place, 0] = np.asarray(reduce[place](image), dtype=np.uint8).transpose(2, 0, 1)

        with ThreadPoolExecutor(min(_DECODERS, os.cpu_count() or 1)) as pool:
            for _ in pool.map(fill, range(len(paths))):
                pass
        return out

    def _lies(self, image: Image.Image) -> int:
        return orientation(image) if self.upright else 1

    def _middle(self, image: Image.Image) -> Image.Image:
        whole = turned(rgb(image), self._lies(image))
        shorter = int(self.resolution / _CROP_SHARE)
        share = shorter / min(whole.size)
        width, height = (max(shorter, int(side * share)) for side in whole.size)
        small = whole.resize((width, height), Image.Resampling.BICUBIC)
        left, top = round((width - self.resolution) / 2), round((height - self.resolution) / 2)
        return small.crop((left, top, left + self.resolution, top + self.resolution))

    def _cut(self, box: NDArray[np.float32]) -> Callable[[Image.Image], Image.Image]:
        def reduce(image: Image.Image) -> Image.Image:
            lies = self._lies(image)
            # JPEG decodes to an eighth, a quarter or a half for less: not below what the part needs.
            wide, high = float(box[2] - box[0]), float(box[3] - box[1])
            needed = (math.ceil(self.resolution / wide), math.ceil(self.resolution / high))
            image.draft("RGB", needed[::-1] if is_sideways(lies) else needed)
            whole = turned(rgb(image), lies)
            left, top, right, bottom = (float(edge) for edge in box * np.tile(whole.size, 2))
            return whole.resize(
                (self.resolution, self.resolution),
                Image.Resampling.BICUBIC,
                box=(left, top, min(right, whole.width), min(bottom, whole.height)),
            )

        return reduce


@dataclass(frozen=True)
class ImageFolder:
    """A data set of images in folders by class."""

    classes: int | None
    """None: as the configuration says, which also names the folder."""
    published: tuple[int, int] | None = None
    """Images in ``train`` and in ``val``."""

    def shape(self, config: WorkloadConfig) -> WorkloadShape:
        """See :class:`~aster_dse.workload.source.DataSet`."""
        check_resolution(config, 32, 512)
        if self.classes is None:
            for knob, wanted in _EXPECTED.items():
                if getattr(config, knob) is None:
                    raise InputError(f"workload.{knob}", f"is not given, {config.name} needs it", wanted)
        return WorkloadShape(
            in_channels=3, classes=self.classes or config.classes or 0, input_bits=8, static=True
        )

    def training_samples(self, config: WorkloadConfig, data: Path | None) -> int:
        """Count its files; see :class:`~aster_dse.workload.source.DataSet`."""
        self.shape(config)
        tree = find_tree(config.name, data, config.folder, ("train",)).absolute()
        classes = _class_folders(tree / "train")
        _, labels = _listed(tree, "train", classes)
        if (tree / "test").is_dir():
            return len(labels)
        return len(_held_out(labels, config, tree, classes)[0])

    def check_files(self, folder: Path) -> str:
        """See :class:`~aster_dse.workload.source.OnDisk`; files are looked for, not opened."""
        classes = _class_folders(folder / "train")
        self._check_classes(folder, classes, self.classes or len(classes), "")
        for part in ("train", "val", "test"):
            if part != "test" or (folder / part).is_dir():
                _check_parts(folder, part, classes)
                for name in classes:
                    if not any(_is_image(entry) for entry in _entries(folder / part / name)):
                        raise _no_image(folder / part / name)
        return ""

    def files(self, config: WorkloadConfig, data: Path | None) -> DataFiles:
        """See :class:`~aster_dse.workload.source.DataSet`."""
        self.shape(config)
        tree = find_tree(config.name, data, config.folder, ("train",)).absolute()
        classes = _class_folders(tree / "train")
        return _files(tree, [_listed(tree, part, classes)[0] for part in _parts(tree)])

    def read_by_batch(self, config: WorkloadConfig, data: Path | None) -> bool:  # noqa: ARG002
        """Yes: images are decoded when they are asked for."""
        return True

    def load(self, config: WorkloadConfig, data: Path | None, cache: Path) -> Workload:
        """List its files; see :class:`~aster_dse.workload.source.DataSet`."""
        tree, classes, shape = self._found(config, data)
        found = {part: _listed(tree, part, classes) for part in _parts(tree)}
        config = identified(config, _files(tree, [names for names, _ in found.values()]), cache)

        def split(names: NDArray[np.bytes_], labels: NDArray[np.int64]) -> Split:
            return Split(
                ImagesOnDisk(str(tree), names, config.resolution, upright=self.classes is None), labels
            )

        names, labels = found["train"]
        if "test" in found:
            train, validation = split(names, labels), split(*found["val"])
        else:
            ours, others = _held_out(labels, config, tree, classes)
            train = split(names[ours], labels[ours])
            validation = split(names[others], labels[others])
        tested = found["test" if "test" in found else "val"]
        if self.published is not None and "test" not in found:
            parts = zip(("train", "val"), (len(labels), len(tested[1])), self.published, strict=True)
            check_published(tree, list(parts), "the whole data set, or image-folder")
        return Workload(
            config=config,
            train=train,
            validation=validation,
            test=split(*tested),
            classes=shape.classes,
            in_channels=shape.in_channels,
            input_bits=shape.input_bits,
            scale=1 / 255,
            static=True,
            class_names=classes,
            mean=_MEAN,
            std=_STD,
        )

    def _found(
        self, config: WorkloadConfig, data: Path | None
    ) -> tuple[Path, tuple[str, ...], WorkloadShape]:
        """Where it lies, its classes, and its shape."""
        shape = self.shape(config)
        tree = find_tree(config.name, data, config.folder, ("train",)).absolute()
        classes = _class_folders(tree / "train")
        self._check_classes(tree, classes, shape.classes, config.name)
        return tree, classes, shape

    def _check_classes(self, tree: Path, classes: tuple[str, ...], wanted: int, name: str) -> None:
        if len(classes) != wanted:
            problem = f"has {len(classes)} class folders, {name or 'the data set'} has {wanted} classes"
            remedy = "set workload.classes" if self.classes is None else "the whole data set, or image-folder"
            raise InputError(str(tree / "train"), problem, remedy)


def _held_out(
    labels: NDArray[np.int64], config: WorkloadConfig, tree: Path, classes: tuple[str, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    where = str(tree / "train")
    return held_out(labels, config.validation_share, config.seed, where=where, classes=classes)


def _parts(tree: Path) -> tuple[str, ...]:
    return ("train", "val", "test") if (tree / "test").is_dir() else ("train", "val")


def _files(tree: Path, names: list[NDArray[np.bytes_]]) -> DataFiles:
    return DataFiles(tree, tuple(sorted(np.concatenate(names).tolist())))


def _class_folders(part: Path) -> tuple[str, ...]:
    return tuple(sorted(entry.name for entry in _entries(part) if entry.is_dir()))


def _listed(tree: Path, part: str, classes: tuple[str, ...]) -> tuple[NDArray[np.bytes_], NDArray[np.int64]]:
    """Files of a part, below the tree, and their labels."""
    _check_parts(tree, part, classes)
    names: list[bytes] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        folder = tree / part / name
        files = sorted(entry.name for entry in _entries(folder) if _is_image(entry))
        if not files:
            raise _no_image(folder)
        names += [os.fsencode(f"{part}/{name}/{file}") for file in files]
        labels += [label] * len(files)
    return np.array(names), np.array(labels, dtype=np.int64)


def _check_parts(tree: Path, part: str, classes: tuple[str, ...]) -> None:
    found = _class_folders(tree / part)
    if not found:
        raise InputError(str(tree / part), "has no class folders", "images in folders by class, as in train")
    strange = sorted(set(found) ^ set(classes))
    if strange:
        where = "train" if strange[0] in classes else part
        problem = f"has not the class folders of train: {strange[0]} is in {where} alone"
        raise InputError(str(tree / part), problem, "the same folders in both")


def _is_image(entry: os.DirEntry[str]) -> bool:
    return entry.name.lower().endswith(_ENDINGS)


def _no_image(folder: Path) -> InputError:
    return InputError(str(folder), "has no image", f"files that end in {', '.join(_ENDINGS)}")


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from (entry for entry in entries if not entry.name.startswith("."))
    except FileNotFoundError:
        raise NotFoundError(f"{folder}: there is no such folder, and the data set needs it") from None
    except OSError as error:
        raise InputError(str(folder), f"cannot be read: {error.strerror}", "a folder") from None


IMAGE_FOLDERS: Mapping[str, ImageFolder] = {
    "imagenet": ImageFolder(1000, published=(1_281_167, 50_000)),
    "imagenet100": ImageFolder(100),
    "imagenette": ImageFolder(10, published=(9_469, 3_925)),
    "image-folder": ImageFolder(None),
}
