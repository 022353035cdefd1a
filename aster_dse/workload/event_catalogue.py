"""The event data sets by name: where their folders are, what their classes are called, and their frames."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aster_dse.errors import InputError
from aster_dse.space import WorkloadConfig
from aster_dse.workload.dataset import Split, Workload, WorkloadShape
from aster_dse.workload.event_files import Sensor
from aster_dse.workload.event_origins import published_samples, whole_recordings
from aster_dse.workload.event_sets import event_frames, frame_shape, too_large
from aster_dse.workload.event_trees import EVENTS, READY, EventTree, Layout
from aster_dse.workload.identity import DataFiles, identified
from aster_dse.workload.partition import held_out
from aster_dse.workload.source import check_resolution
from aster_dse.workload.trees import TREES, data_root, find_tree, first_folder

__all__ = ["EVENT_SETS", "RECORDING", "UNFINISHED", "EventSet"]

RECORDING = "recording.json"
"""Beside ``events_np`` of a folder of one's own: ``{"sensor": [height, width]}``."""
UNFINISHED = "recording.unfinished"
"""Beside it as long as recordings are missing."""

_CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_DIGITS = tuple("0123456789")
_N_MNIST_SAMPLES = {
    "train": (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
    "test": (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009),
}
"""Those of MNIST."""
_CARS = ("background", "cars")
_NOT_READY = (0, "time")
"""Frames that are in no folder, so that the recordings are looked for."""
_GESTURES = (
    "hand clapping",
    "right hand wave",
    "left hand wave",
    "right arm clockwise",
    "right arm counter clockwise",
    "left arm clockwise",
    "left arm counter clockwise",
    "arm roll",
    "air drums",
    "air guitar",
    "other gestures",
)
"""Of the folders 0 to 10."""
_GESTURE_FOLDERS = tuple(sorted(str(number) for number in range(len(_GESTURES))))
"""Their order is that of the labels, as torchvision numbers folders: 0, 1, 10, 2, ..."""


@dataclass(frozen=True)
class EventSet:
    """One data set."""

    layout: Layout
    class_names: tuple[str, ...] = ()
    """Empty where the folders name the classes."""

    def shape(self, config: WorkloadConfig) -> WorkloadShape:
        """What the network reads; nothing is looked for.

        Raises:
            InputError: the resolution is above the sensor's, or a folder of one's own is not described.
        """
        if not self.class_names:
            for knob in ("folder", "classes"):
                if getattr(config, knob) is None:
                    raise InputError(f"workload.{knob}", f"is not given, {config.name} needs it", _OWN[knob])
        else:
            check_resolution(config, 8, _side(self.layout.sensor))
        classes = len(self.class_names) or config.classes or 0
        return WorkloadShape(in_channels=2, classes=classes, input_bits=8, static=False)

    def training_samples(self, config: WorkloadConfig, data: Path | None) -> int:
        """Count its recordings; see :class:`~aster_dse.workload.source.DataSet`."""
        self.shape(config)
        tree = self._tree(self._root(config, data), config)
        labels = np.array([sample.label for sample in tree.train], np.int64)
        return len(self._held_out(labels, tree, config)[0])

    def check_files(self, folder: Path) -> str:
        """See :class:`~aster_dse.workload.source.OnDisk`; ready frames and events alike."""
        ready = [name for path in sorted(folder.glob("*")) if (name := READY.fullmatch(path.name))]
        kinds = [(int(name[1]), name[2]) for name in ready]
        if not kinds or (folder / EVENTS).is_dir():
            kinds.append(_NOT_READY)
        whole = published_samples(self.layout)
        least = whole
        for timesteps, split_by in kinds:
            tree = whole_recordings(folder, self.layout, timesteps, split_by)
            least = min(least, len(tree.train) + len(tree.test))
        return f"{least} of {whole} samples" if least < whole else ""

    def files(self, config: WorkloadConfig, data: Path | None) -> DataFiles:
        """See :class:`~aster_dse.workload.source.DataSet`."""
        self.shape(config)
        root = self._root(config, data)
        return self._files(root, self._tree(root, config))

    def read_by_batch(self, config: WorkloadConfig, data: Path | None) -> bool:
        """Where its frames take more than 1 GiB."""
        tree = self._tree(self._root(config, data), config)
        return too_large(len(tree.train) + len(tree.test), frame_shape(config))

    def _files(self, root: Path, tree: EventTree) -> DataFiles:
        paths = tree.paths()
        own = root / RECORDING
        if not self.class_names and own.exists():
            paths.append(own)
        return DataFiles.of(root, [path.relative_to(root).as_posix() for path in paths])

    def load(self, config: WorkloadConfig, data: Path | None, cache: Path) -> Workload:
        """Its frames, made on first use.

        Raises:
            DataMismatchError: the folder holds other data than the configuration says.
            NotFoundError: its folder is not there.
            InputError: something is missing, mislabelled, empty or damaged; the file is named.
        """
        shape = self.shape(config)
        root = self._root(config, data)
        layout = self.layout if self.class_names else replace(self.layout, sensor=_own_sensor(root, config))
        tree = self._tree(root, config)
        if len(tree.classes) != shape.classes:
            problem = f"has {len(tree.classes)} classes, workload.classes is {shape.classes}"
            raise InputError(str(tree.folder), problem, "the number of its class folders")
        files = self._files(root, tree)
        config = identified(config, files, cache)
        frames = event_frames(
            tree, config, layout.sensor, cache, still_there=lambda: identified(config, files, cache)
        )
        labels = np.array([sample.label for sample in (*tree.train, *tree.test)], np.int64)
        ours = np.arange(len(tree.train))
        train, validation = self._held_out(labels[ours], tree, config)
        test = np.arange(len(tree.train), len(labels))

        def split(members: NDArray[np.int64]) -> Split:
            return Split(frames.part(members), labels[members])

        return Workload(
            config=config,
            train=split(train),
            validation=split(validation),
            test=split(test),
            classes=shape.classes,
            in_channels=shape.in_channels,
            input_bits=shape.input_bits,
            scale=(config.resolution / _side(layout.sensor)) ** 2,
            static=shape.static,
            class_names=self.class_names or tree.classes,
        )

    def _tree(self, root: Path, config: WorkloadConfig) -> EventTree:
        if (root / UNFINISHED).exists():
            problem = "has not all of its recordings: aster-dse record was interrupted"
            raise InputError(str(root), problem, "run it again, it keeps those that are complete")
        return whole_recordings(root, self.layout, config.timesteps, config.split_by)

    def _held_out(
        self, labels: NDArray[np.int64], tree: EventTree, config: WorkloadConfig
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        where = str(tree.folder)
        return held_out(labels, config.validation_share, config.seed, where=where, classes=tree.classes)

    def _root(self, config: WorkloadConfig, data: Path | None) -> Path:
        names = TREES[config.name] if config.folder is None else (config.folder,)
        folder = first_folder(data_root(data), names)
        if folder is not None:
            return folder
        ready = f"frames_number_{config.timesteps}_split_by_{config.split_by}"
        return find_tree(config.name, data, config.folder, ("events_np", ready))


_OWN = {"folder": "its folder below the data folder", "classes": "the number of its class folders"}


def _side(sensor: Sensor) -> int:
    return max(sensor.height, sensor.width)


def _own_sensor(root: Path, config: WorkloadConfig) -> Sensor:
    """As the folder says, else as many pixels as the frames shall have."""
    path = root / RECORDING
    if not path.exists():
        return Sensor(config.resolution, config.resolution)
    wanted = '{"sensor": [height, width]}'
    try:
        sides = json.loads(path.read_text(encoding="utf-8"))["sensor"]
        sensor = Sensor(*sides)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(str(path), "names no sensor", wanted) from error
    if not all(isinstance(side, int) and 1 <= side <= 1 << 14 for side in sides):
        raise InputError(str(path), f"has the sensor {sides}", wanted)
    if config.resolution > _side(sensor):
        problem = f"{config.resolution} is out of range, {path} names a sensor of {_side(sensor)} pixels"
        raise InputError("workload.resolution", problem, f"8 to {_side(sensor)}")
    return sensor


EVENT_SETS: Mapping[str, EventSet] = {
    "cifar10-dvs": EventSet(
        Layout(Sensor(128, 128), _CIFAR10, has_test_part=False, published={"": (1000,) * 10}), _CIFAR10
    ),
    "dvs-gesture": EventSet(
        Layout(
            Sensor(128, 128),
            _GESTURE_FOLDERS,
            has_test_part=True,
            gesture_trials=True,
            published={"train": (1176,), "test": (288,)},
        ),
        tuple(_GESTURES[int(folder)] for folder in _GESTURE_FOLDERS),
    ),
    "n-mnist": EventSet(
        Layout(Sensor(34, 34), _DIGITS, has_test_part=True, published=_N_MNIST_SAMPLES), _DIGITS
    ),
    "n-cars": EventSet(
        Layout(
            Sensor(100, 120),
            _CARS,
            has_test_part=True,
            published={"train": (7482, 7940), "test": (4211, 4396)},
        ),
        _CARS,
    ),
    "event-folder": EventSet(Layout(Sensor(1, 1), (), has_test_part=None)),
}
