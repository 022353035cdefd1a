"""What passes share: a pass of the same ranges, and a run with exact read-out for all heights of arrays."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np
from small_networks import small_network, small_workload

from aster_dse.activity.record import record_trace
from aster_dse.numerics.arrays import LayerArrays, NetworkArrays
from aster_dse.numerics.calibration import calibrate, folded_layers
from aster_dse.numerics.cells import Chip
from aster_dse.numerics.column_sums import ExactInputs
from aster_dse.numerics.network_passes import NetworkPasses
from aster_dse.space.cell_conditions import CellConditions
from aster_dse.training import TrainedNetwork
from aster_dse.workload import Workload

IDEAL = CellConditions()


@functools.cache
def subject(train: int = 512) -> tuple[TrainedNetwork, Workload]:
    workload = small_workload("events", timesteps=2, train=train, validation=8)
    return small_network(workload), workload


def passes(folder: Path, conditions: CellConditions = IDEAL) -> NetworkPasses:
    trained, workload = subject()
    return NetworkPasses(trained, workload, folder, record_trace(trained, workload), conditions)


def uniform(own: NetworkPasses, calibration_set: int = 0, **knobs: object) -> NetworkArrays:
    arrays = replace(LayerArrays(rows=64, cell_bits=4, adc_levels=16, adc_range="mse2"), **knobs)  # type: ignore[arg-type]
    return NetworkArrays.uniform(len(own.plain.geometry.synaptic), arrays, calibration_set)


def test_calibration_sets_that_give_the_same_ranges_share_a_pass(tmp_path: Path) -> None:
    """Coarse steps mostly come out alike; the shared trace is what a pass of its own gives."""
    own = passes(tmp_path / "one")
    sets = [uniform(own, number, adc_range="unit") for number in (0, 1)]
    shared = [own.traces(arrays, [0])[0] for arrays in sets]
    assert shared[0] is shared[1]
    candidates = [uniform(own, number) for number in range(6)]
    ranges = [[layer.multipliers for layer in own.layers(arrays, 0)] for arrays in candidates]
    alike = next(n for n in range(1, 6) if ranges[n] == ranges[0])
    before = own.log.made
    first, second = (own.traces(candidates[n], [0])[0] for n in (0, alike))
    assert own.log.made == before + 1
    assert own.log.alike >= 1
    alone = passes(tmp_path / "other").traces(candidates[alike], [0])[0]
    for name in ("logits", "spikes", "driven_rows", "active_windows", "active_accesses"):
        np.testing.assert_array_equal(getattr(second, name), getattr(alone, name))
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_chips_and_rules_of_rounding_have_passes_of_their_own(tmp_path: Path) -> None:
    varied = passes(tmp_path / "varied", CellConditions(variation=0.1))
    varied.traces(uniform(varied), [0, 1])
    assert (varied.log.made, varied.log.alike) == (2, 0)
    own = passes(tmp_path / "ideal")
    for rule in ("max", "neurosim"):
        own.traces(uniform(own, adc_range=rule), [0])
    assert (own.log.made, own.log.alike) == (2, 0)


def test_a_calibration_from_kept_inputs_is_the_calibration(tmp_path: Path) -> None:
    own = passes(tmp_path)
    trained, workload = subject()
    folded, kept = folded_layers(trained, workload), ExactInputs(1 << 26)
    calibrate(trained, workload, folded, uniform(own), Chip(IDEAL), kept)
    assert kept.complete
    for rows in (16, 256):
        arrays = uniform(own, rows=rows)
        found = calibrate(trained, workload, folded, arrays, Chip(IDEAL), kept)
        wanted = calibrate(trained, workload, folded, arrays, Chip(IDEAL))
        assert found.fine == wanted.fine
        for one, other in zip(found.histograms, wanted.histograms, strict=True):
            np.testing.assert_array_equal(one, other)


def test_inputs_that_are_too_large_are_not_kept() -> None:
    trained, workload = subject()
    kept = ExactInputs(1_000)
    arrays = NetworkArrays.uniform(len(trained.geometry.synaptic), LayerArrays())
    calibrate(trained, workload, folded_layers(trained, workload), arrays, Chip(IDEAL), kept)
    assert not kept.complete
    assert not list(kept)
