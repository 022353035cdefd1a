"""Calibrations of one trained network, kept beside it and found again by content."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from aster_dse.numerics.arrays import NetworkArrays
from aster_dse.numerics.calibration import Calibration, calibrate
from aster_dse.numerics.cells import Chip
from aster_dse.numerics.column_sums import ExactInputs
from aster_dse.numerics.files import calibration_file, found_or_made, load_calibration, save_calibration
from aster_dse.numerics.pass_log import PassLog
from aster_dse.numerics.weights import FoldedWeights
from aster_dse.training import TrainedNetwork
from aster_dse.training.trained import torch_threads
from aster_dse.workload import Workload

__all__ = ["KeptCalibrations"]

_KEPT_BYTES = 1 << 27
"""Memory for what layers read in a run with exact read-out: other heights of arrays then need none."""
_KEPT_RUNS = 2


class KeptCalibrations:
    """Calibrations of a network.

    Args:
        chip: whose conditions count; ranges come from nominal cells.
        folder: of the trained network's files.
        digest: of the network and its data.
        threads: of this process's linear algebra.
    """

    def __init__(
        self,
        trained: TrainedNetwork,
        workload: Workload,
        folded: Sequence[FoldedWeights],
        chip: Chip,
        *,
        folder: Path,
        digest: str,
        threads: int,
        log: PassLog,
    ) -> None:
        self._trained, self._workload, self._folded, self._chip = trained, workload, folded, chip
        self._folder, self._threads, self._log = folder, threads, log
        self._network = f"{digest} {chip.conditions.on_off}"
        self._known: dict[str, Calibration] = {}
        self._exact: dict[NetworkArrays, ExactInputs] = {}

    def of(self, arrays: NetworkArrays) -> Calibration:
        """What the ranges of these arrays come from."""
        key = arrays.calibration_key(self._network)
        if key not in self._known:
            started = time.perf_counter()
            name = calibration_file(key)
            with torch_threads(self._threads):
                calibration, made = found_or_made(
                    self._folder / name, load_calibration, lambda: self._made(arrays), save_calibration
                )
            self._log.calibrations_made += made
            self._log.files.append(name)
            self._log.seconds += time.perf_counter() - started
            self._known[key] = calibration
        return self._known[key]

    def _made(self, arrays: NetworkArrays) -> Calibration:
        kept = self._exact_inputs(arrays)
        return calibrate(self._trained, self._workload, self._folded, arrays, self._chip, kept)

    def _exact_inputs(self, arrays: NetworkArrays) -> ExactInputs:
        """What the last runs with exact read-out kept."""
        key = arrays.exact_of_any_height()
        kept = self._exact.pop(key, None) or ExactInputs(_KEPT_BYTES)
        self._exact[key] = kept
        while len(self._exact) > _KEPT_RUNS:
            del self._exact[next(iter(self._exact))]
        return kept
