"""Still-image data sets in folders, as workloads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aster_dse.errors import InputError
from aster_dse.space import WorkloadConfig
from aster_dse.workload.cifar import Cifar
from aster_dse.workload.dataset import Split, Workload, WorkloadShape
from aster_dse.workload.identity import DataFiles, identified
from aster_dse.workload.partition import held_out
from aster_dse.workload.resize import resized
from aster_dse.workload.source import check_resolution

__all__ = ["CifarImages"]

_TRAINING_SAMPLES = 50_000
"""Of both data sets, the same number of each class; validation is held out of them."""


@dataclass(frozen=True)
class CifarImages:
    """CIFAR-10 or CIFAR-100: all in memory, validation held out of the training part."""

    cifar: Cifar

    def shape(self, config: WorkloadConfig) -> WorkloadShape:
        """See :class:`~aster_dse.workload.source.DataSet`."""
        check_resolution(config, 16, 128)
        return WorkloadShape(in_channels=3, classes=self.cifar.classes, input_bits=8, static=True)

    def training_samples(self, config: WorkloadConfig, data: Path | None) -> int:  # noqa: ARG002
        """See :class:`~aster_dse.workload.source.DataSet`; nothing is looked for."""
        self.shape(config)
        labels = np.repeat(np.arange(self.cifar.classes), _TRAINING_SAMPLES // self.cifar.classes)
        return len(held_out(labels, config.validation_share, config.seed)[0])

    def files(self, config: WorkloadConfig, data: Path | None) -> DataFiles:
        """See :class:`~aster_dse.workload.source.DataSet`."""
        self.shape(config)
        return self.cifar.files(data, config.folder)

    def read_by_batch(self, config: WorkloadConfig, data: Path | None) -> bool:  # noqa: ARG002
        """No: it is read whole."""
        return False

    def check_files(self, folder: Path) -> str:
        """See :class:`~aster_dse.workload.source.OnDisk`; the files are not read."""
        needed = (*self.cifar.training_files, self.cifar.test_file)
        missing = [name for name in needed if not (folder / name).is_file()]
        empty = [name for name in needed if name not in missing and not (folder / name).stat().st_size]
        if missing or empty:
            problem = f"lacks {', '.join(missing)}" if missing else f"has nothing in {', '.join(empty)}"
            raise InputError(str(folder), problem, f"the files {', '.join(needed)}")
        return ""

    def load(self, config: WorkloadConfig, data: Path | None, cache: Path) -> Workload:
        """Read it whole; see :class:`~aster_dse.workload.source.DataSet`."""
        shape = self.shape(config)
        files = self.files(config, data)
        config = identified(config, files, cache)
        (images, labels), (test_images, test_labels) = self.cifar.read(data, config.folder)
        identified(config, files, cache)  # what was read is what was identified

        def split(chosen: NDArray[np.uint8], numbers: NDArray[np.int64]) -> Split:
            return Split(resized(chosen, config.resolution)[:, None], numbers)

        train, validation = held_out(labels, config.validation_share, config.seed)
        return Workload(
            config=config,
            train=split(images[train], labels[train]),
            validation=split(images[validation], labels[validation]),
            test=split(test_images, test_labels),
            classes=shape.classes,
            in_channels=shape.in_channels,
            input_bits=shape.input_bits,
            scale=1 / 255,
            static=True,
            class_names=self.cifar.class_names(data, config.folder),
            mean=self.cifar.mean,
            std=self.cifar.std,
        )
