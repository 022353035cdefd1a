"""What an earlier run of a training left in its folder, and whether it can be used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from aster_dse.errors import InputError
from aster_dse.stored_files import SetAside, set_aside
from aster_dse.training.checkpoint import EPOCH_FILE, NETWORK_FILE, read, trained_of
from aster_dse.training.trained import TrainedNetwork

__all__ = ["KeptTraining"]


@dataclass(frozen=True)
class KeptTraining:
    """What an earlier run left in the folder of a training."""

    folder: Path
    configuration: dict[str, Any]
    expected: Mapping[str, str]
    say: Callable[[SetAside], None]

    def finished(self) -> TrainedNetwork | None:
        """The trained network, where it is of this configuration and whole."""
        found = self._of_this(NETWORK_FILE)
        if found is None:
            return None
        try:
            return trained_of(*found, self.folder / NETWORK_FILE)
        except InputError as error:
            self.replace(NETWORK_FILE, error.problem)
            return None

    def interrupted(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The state after the last epoch, where it is of this configuration and whole."""
        return self._of_this(EPOCH_FILE)

    def replace(self, name: str, problem: str) -> None:
        """Set a file aside that no training can use, and say so."""
        self.say(set_aside(self.folder / name, " ".join(problem.split())))

    def _of_this(self, name: str) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        path = self.folder / name
        if not path.is_file():
            return None
        try:
            tensors, metadata = read(path, expected=self.expected.get(name))
        except InputError as error:
            if isinstance(error.__cause__, OSError):
                raise  # the file may be good: it is this machine that cannot read it
            self.replace(name, error.problem)
            return None
        if {key: metadata.get(key) for key in self.configuration} != self.configuration:
            self.replace(name, "belongs to another configuration")
            return None
        return tensors, metadata
