"""CIFAR-10 and CIFAR-100 in their original Python format (Krizhevsky, 2009).

A batch is a pickle of a dictionary: ``data`` ``[n, 3072]`` bytes, channel by channel and row by row, and the
labels. Pickles can run code when they are read; here only what such a file is made of is let through.
"""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aster_dse.errors import InputError, NotFoundError
from aster_dse.workload.identity import DataFiles
from aster_dse.workload.trees import find_tree

__all__ = ["CIFAR10", "CIFAR100", "Cifar", "read_batch"]

_SIDE, _CHANNELS = 32, 3
_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


@dataclass(frozen=True)
class Cifar:
    """One of the two data sets."""

    name: str
    training_files: tuple[str, ...]
    test_file: str
    names_file: str
    labels_key: bytes
    names_key: bytes
    classes: int
    mean: tuple[float, float, float]
    """By channel, of values from 0 to 1."""
    std: tuple[float, float, float]

    def read(
        self, data: Path | None, folder: str | None
    ) -> tuple[tuple[NDArray[np.uint8], NDArray[np.int64]], tuple[NDArray[np.uint8], NDArray[np.int64]]]:
        """Images ``[n, 3, 32, 32]`` and labels of the training and of the test part.

        Raises:
            NotFoundError: no such folder, or a file of it is missing.
            InputError: a file that is no batch, or a damaged one.
        """
        tree = self._tree(data, folder)
        parts = [self._batch(tree / name) for name in self.training_files]
        training = tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return (training[0], training[1]), self._batch(tree / self.test_file)

    def files(self, data: Path | None, folder: str | None) -> DataFiles:
        """The batches, and the names of the classes where they are there.

        Raises:
            NotFoundError: no such folder.
        """
        tree = self._tree(data, folder)
        names = [*self.training_files, self.test_file]
        return DataFiles.of(tree, names + [self.names_file] * (tree / self.names_file).is_file())

    def class_names(self, data: Path | None, folder: str | None) -> tuple[str, ...]:
        """Names of the classes, numbers where the file with the names is missing."""
        path = self._tree(data, folder) / self.names_file
        if not path.is_file():
            return tuple(str(number) for number in range(self.classes))
        names = read_batch(path).get(self.names_key)
        if not isinstance(names, list) or len(names) != self.classes:
            raise InputError(str(path), f"does not name {self.classes} classes", "the file of the data set")
        return tuple(name.decode() if isinstance(name, bytes) else str(name) for name in names)

    def _tree(self, data: Path | None, folder: str | None) -> Path:
        return find_tree(self.name, data, folder, (*self.training_files, self.test_file))

    def _batch(self, path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        content = read_batch(path)
        images, labels = content.get(b"data"), content.get(self.labels_key)
        size = _CHANNELS * _SIDE * _SIDE
        if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.shape[1:] != (size,):
            found = f"{images.dtype} {images.shape}" if isinstance(images, np.ndarray) else "nothing"
            raise InputError(str(path), f"holds {found} as data", f"bytes of shape (images, {size})")
        if not isinstance(labels, list) or not all(isinstance(label, int) for label in labels):
            raise InputError(
                str(path), f"has no list of {self.labels_key.decode()}", "a batch of this data set"
            )
        if len(labels) != len(images) or not labels:
            raise InputError(
                str(path), f"has {len(images)} images and {len(labels)} labels", "as many of both"
            )
        numbers = np.array(labels, dtype=np.int64)
        if numbers.min() < 0 or numbers.max() >= self.classes:
            wrong = int(numbers[(numbers < 0) | (numbers >= self.classes)][0])
            raise InputError(str(path), f"has the label {wrong}", f"0 to {self.classes - 1}")
        return images.reshape(-1, _CHANNELS, _SIDE, _SIDE), numbers


def read_batch(path: Path) -> dict[bytes, Any]:
    """The dictionary in a CIFAR file; nothing in it is run.

    Raises:
        NotFoundError: there is no such file.
        InputError: it is no such pickle, is cut short, or asks for more than arrays.
    """
    try:
        content = _Unpickler(io.BytesIO(path.read_bytes()), encoding="bytes").load()
    except FileNotFoundError:
        raise NotFoundError(f"{path}: there is no such file, and the data set needs it") from None
    except _ForbiddenError as error:
        raise InputError(str(path), f"asks for {error}, which no batch needs", "the original file") from None
    except (pickle.UnpicklingError, EOFError, ValueError, KeyError, IndexError, TypeError, OSError,
            AttributeError, UnicodeError, MemoryError, OverflowError) as error:  # fmt: skip
        text = " ".join(str(error).split()) or type(error).__name__
        raise InputError(str(path), f"cannot be read: {text}", "the original file, whole") from None
    if not isinstance(content, dict):
        raise InputError(str(path), f"holds a {type(content).__name__}", "a batch: a dictionary")
    return content


class _ForbiddenError(Exception):
    pass


class _Unpickler(pickle.Unpickler):
    """Builds arrays, dictionaries, lists, numbers and text, and refuses every other name."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise _ForbiddenError(f"{module}.{name}")
        if name == "_reconstruct":
            return np.ndarray.__reduce__(np.empty(0))[0]
        return super().find_class(module, name)


CIFAR10 = Cifar(
    name="cifar10",
    training_files=tuple(f"data_batch_{number}" for number in range(1, 6)),
    test_file="test_batch",
    names_file="batches.meta",
    labels_key=b"labels",
    names_key=b"label_names",
    classes=10,
    mean=(0.4914, 0.4822, 0.4465),
    std=(0.2470, 0.2435, 0.2616),
)
CIFAR100 = Cifar(
    name="cifar100",
    training_files=("train",),
    test_file="test",
    names_file="meta",
    labels_key=b"fine_labels",
    names_key=b"fine_label_names",
    classes=100,
    mean=(0.5071, 0.4867, 0.4408),
    std=(0.2675, 0.2565, 0.2761),
)
