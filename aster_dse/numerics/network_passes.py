"""All passes of one trained network: made when they are asked for, kept beside it, found again by content."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from aster_dse.activity import ActivityTrace
from aster_dse.activity.files import load_trace, save_trace
from aster_dse.errors import PassError
from aster_dse.numerics.arrays import NetworkArrays
from aster_dse.numerics.calibration import array_layers, check_samples, folded_layers
from aster_dse.numerics.cells import Chip
from aster_dse.numerics.files import (
    found_or_made,
    network_digest,
    pass_file,
    split_digest,
)
from aster_dse.numerics.foreseen import ForeseenErrors
from aster_dse.numerics.kept_calibrations import KeptCalibrations
from aster_dse.numerics.layer import ArrayLayer
from aster_dse.numerics.norms import reestimated
from aster_dse.numerics.pass_log import PassLog
from aster_dse.numerics.passes import array_logits, run_pass
from aster_dse.numerics.weights import FoldedWeights
from aster_dse.space.cell_conditions import CellConditions
from aster_dse.training import TrainedNetwork
from aster_dse.training.trained import Feed, torch_threads
from aster_dse.workload import Split, Workload

__all__ = ["NetworkPasses", "PassLog"]


class NetworkPasses:
    """Passes of a network.

    Args:
        folder: of the trained network's files.
        plain: trace of the plain network on the same samples.
        conditions: of the cells.
        threads: of this process's linear algebra.
        on_pass: called before each pass that is made.
        split: the samples that the network runs over.
        network: what messages call it; None for the name of the folder.

    Raises:
        InputError: too few training samples to calibrate on.
    """

    def __init__(
        self,
        trained: TrainedNetwork,
        workload: Workload,
        folder: Path,
        plain: ActivityTrace,
        conditions: CellConditions = CellConditions(),  # noqa: B008 - frozen
        *,
        threads: int = 1,
        on_pass: Callable[[], None] | None = None,
        split: Literal["validation", "test"] = "validation",
        network: str | None = None,
    ) -> None:
        check_samples(workload)
        self.conditions = conditions
        self.plain = plain
        self.log = PassLog()
        self._siblings: dict[CellConditions, NetworkPasses] = {conditions: self}
        self._parts: dict[int, NetworkPasses] = {}
        self._trained, self._workload = trained, workload
        self._folder, self._threads, self._on_pass = folder, threads, on_pass
        self._split: Literal["validation", "test"] = split
        self._network = network or folder.name
        self._known: dict[str, ActivityTrace] = {}
        self._by_content: dict[Hashable, ActivityTrace] = {}

    def on_samples(self, samples: int | None) -> NetworkPasses:
        """Passes of the same network on some of the validation samples, evenly spaced over the split.

        Args:
            samples: their number; all of them for None, and where there are no more.
        """
        found = len(self.plain.labels)
        if samples is None or samples >= found:
            return self
        if samples not in self._parts:
            index = np.linspace(0, found - 1, samples).round().astype(np.int64)
            split = self._workload.validation
            part = Split(split.frames[index], split.labels[index])
            self._parts[samples] = self._like(
                replace(self._workload, validation=part), self.plain.of_samples(index), self.conditions
            )
        return self._parts[samples]

    def under(self, conditions: CellConditions) -> NetworkPasses:
        """Passes of the same network under other conditions of the cells."""
        if conditions not in self._siblings:
            other = self._like(self._workload, self.plain, conditions)
            other._siblings = self._siblings
            self._siblings[conditions] = other
        return self._siblings[conditions]

    def _like(self, workload: Workload, plain: ActivityTrace, conditions: CellConditions) -> NetworkPasses:
        other = NetworkPasses(
            self._trained,
            workload,
            self._folder,
            plain,
            conditions,
            threads=self._threads,
            on_pass=self._on_pass,
            split=self._split,
            network=self._network,
        )
        other.log = self.log
        return other

    @cached_property
    def foreseen(self) -> ForeseenErrors:
        """What arrays are expected to add to the layers' outputs."""
        started = time.perf_counter()
        with torch_threads(self._threads):
            errors = ForeseenErrors(self._trained, self._workload, self._folded, Chip(self.conditions))
        self.log.seconds += time.perf_counter() - started
        return errors

    def traces(
        self, arrays: NetworkArrays, chips: Sequence[int], *, event_gating: bool = True
    ) -> list[ActivityTrace]:
        """The trace of the network on each of some chips.

        Raises:
            PassError: a pass could not be made; it names network, layer and arrays.
        """
        # Chips without conditions are all alike.
        numbers = [0] * len(chips) if self.conditions.ideal else list(chips)
        return [self._trace(arrays.canonical(), number, event_gating) for number in numbers]

    def probe(self, arrays: NetworkArrays, samples: NDArray[np.intp]) -> NDArray[np.float32]:
        """Logits ``[S, n, T, classes]`` of a few validation samples for all skip sets: a foretaste of a pass.

        Ranges come from the few samples that :attr:`foreseen` looked at, cells are nominal.
        """
        layers = self.foreseen.layers(arrays)
        started = time.perf_counter()
        split = self._workload.validation
        few = Split(split.frames[samples], split.labels[samples])
        with torch_threads(self._threads):
            feed = Feed(few, self._workload, next(self._trained.model.parameters()).device)
            logits = array_logits(self._trained, self._workload, layers, feed, self.plain.skip_sets)
        self.log.probes += 1
        self.log.seconds += time.perf_counter() - started
        return logits

    def _trace(self, arrays: NetworkArrays, number: int, event_gating: bool) -> ActivityTrace:
        gated = event_gating or not self.conditions.read_noise
        key = arrays.key(f"{self._digest} {self.conditions.text} {number} {gated}{self._samples}")
        if key not in self._known:
            name = pass_file(key)
            trace, _ = found_or_made(
                self._folder / name,
                lambda path: load_trace(path, self._trained.geometry),
                lambda: self._made(arrays, number, gated),
                save_trace,
            )
            self.log.files.append(name)
            self._known[key] = trace
        return self._known[key]

    def _made(self, arrays: NetworkArrays, number: int, gated: bool) -> ActivityTrace:
        try:
            layers = self.layers(arrays, number, event_gating=gated)
            content = tuple(layer.content for layer in layers)
            if content in self._by_content:
                self.log.alike += 1
                return self._by_content[content]
            if self._on_pass is not None:
                self._on_pass()
            started = time.perf_counter()
            with torch_threads(self._threads):
                trace = run_pass(self._trained, self._workload, layers, self.plain, split=self._split)
        except (MemoryError, RuntimeError, ValueError) as error:
            raise PassError(self._network, arrays.text(self._trained.geometry), str(error)) from error
        self.log.seconds += time.perf_counter() - started
        self.log.made += 1
        self._by_content[content] = trace
        return trace

    def layers(
        self, arrays: NetworkArrays, number: int, *, event_gating: bool = True
    ) -> tuple[ArrayLayer, ...]:
        """The layers on the arrays of a chip, with their ranges, in the order of ``geometry.synaptic``."""
        calibration = self._calibrations.of(arrays) if arrays.calibrated else None
        layers = array_layers(
            self._trained.geometry,
            self._folded,
            arrays,
            Chip(self.conditions, number),
            calibration,
            event_gating=event_gating,
        )
        if not self.conditions.norm_reestimation or self.conditions.ideal:
            return layers
        started = time.perf_counter()
        with torch_threads(self._threads):
            layers = reestimated(self._trained, self._workload, self._folded, layers, arrays.calibration_set)
        self.log.seconds += time.perf_counter() - started
        return layers

    def logits(
        self, layers: Sequence[ArrayLayer], *, skipped: frozenset[int] = frozenset()
    ) -> NDArray[np.float32]:
        """``[N, T, classes]`` of the network on any arrays, over the samples of its passes; not kept."""
        device = next(self._trained.model.parameters()).device
        with torch_threads(self._threads):
            feed = Feed(self._workload.validation, self._workload, device)
            logits = array_logits(self._trained, self._workload, layers, feed, [skipped])
            return np.asarray(logits[0])

    @property
    def name(self) -> str:
        """What messages call the network."""
        return self._network

    @cached_property
    def _calibrations(self) -> KeptCalibrations:
        return KeptCalibrations(
            self._trained,
            self._workload,
            self._folded,
            Chip(self.conditions),
            folder=self._folder,
            digest=self._digest,
            threads=self._threads,
            log=self.log,
        )

    @cached_property
    def _folded(self) -> tuple[FoldedWeights, ...]:
        return folded_layers(self._trained, self._workload)

    @cached_property
    def _digest(self) -> str:
        return network_digest(self._trained, self._workload)

    @cached_property
    def _samples(self) -> str:
        """What the key says of the samples; the digest holds those that a search sees."""
        if self._split == "validation":
            return ""
        return f" {self._split} {split_digest(self._workload.test)}"
