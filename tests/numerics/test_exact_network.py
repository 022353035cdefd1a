"""Arrays with fine weights and exact read-out are the plain network, whatever its options."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_networks import Kind, small_network, small_workload

from aster_dse.activity import ActivityTrace
from aster_dse.activity.record import record_trace
from aster_dse.numerics.arrays import LayerArrays, NetworkArrays
from aster_dse.numerics.calibration import array_layers, folded_layers
from aster_dse.numerics.cells import Chip
from aster_dse.numerics.passes import run_pass
from aster_dse.policy.exits import exits, log_doubt
from aster_dse.space import ROW_SIZES
from aster_dse.space.cell_conditions import CellConditions

IDEAL = Chip(CellConditions())
ROWS = 32
FINE = LayerArrays(rows=ROWS, cell_bits=4, weight_bits=24, adc_levels=0, adc_range="exact")
OPTIONS: dict[str, tuple[Kind, dict[str, Any]]] = {
    "plain": ("events", {}),
    "plif": ("events", {"neuron": "plif", "tau": 1.6}),
    "tau": ("events", {"tau": 3.0}),
    "events-4-heads": ("events", {"event_mode": True, "num_heads": 4}),
    "events-1-head-plif": ("events", {"event_mode": True, "num_heads": 1, "neuron": "plif"}),
    "depth-2": ("events", {"depth": 2, "pooling": "1011"}),
    "depth-3": ("events", {"depth": 3, "pooling": "0111"}),
    "depth-3-heads": ("events", {"depth": 3, "pooling": "1111", "event_mode": True, "num_heads": 2}),
    "inner-shortcut": ("events", {"mlp_ratio": 1, "depth": 2}),
    "mlp-ratio-2": ("events", {"mlp_ratio": 2}),
    "no-pooling": ("events", {"pooling": "0000"}),
    "last-pool-only": ("events", {"pooling": "0001"}),
    "first-pools-only": ("events", {"pooling": "1100"}),
    "stem-of-full-width": ("events", {"stem": "1-1-1-1"}),
    "images": ("images", {}),
    "images-plif-depth-2": ("images", {"neuron": "plif", "depth": 2}),
    "normalised-images": ("normalised", {}),
    "normalised-images-heads": ("normalised", {"event_mode": True, "num_heads": 2, "pooling": "0110"}),
}


def traces(kind: Kind, options: dict[str, Any], arrays: LayerArrays) -> tuple[ActivityTrace, ActivityTrace]:
    workload = small_workload(kind)
    trained = small_network(workload, **options)
    plain = record_trace(trained, workload)
    every = NetworkArrays.uniform(len(trained.geometry.synaptic), arrays)
    layers = array_layers(trained.geometry, folded_layers(trained, workload), every, IDEAL, None)
    return plain, run_pass(trained, workload, layers, plain)


@pytest.mark.parametrize("switch", ["", "off"], ids=["kernels", "reference"])
@pytest.mark.parametrize("name", OPTIONS)
def test_every_option(name: str, switch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASTER_DSE_KERNELS", switch)
    plain, found = traces(*OPTIONS[name], FINE)
    assert plain.logits.std() > 0.05
    assert (plain.firing_rate["head_lif"] > 0.0).any()
    # A membrane within 1e-6 of its threshold may fall on either side: a spike, in one sample.
    equal = np.isclose(found.logits, plain.logits, rtol=1e-4, atol=1e-4).all(axis=(2, 3))
    assert equal.mean(axis=1).min() >= 1 - 1 / plain.logits.shape[1], equal
    mean, expected = found.logits.mean(2), plain.logits.mean(2)
    np.testing.assert_array_equal(mean.argmax(-1)[equal], expected.argmax(-1)[equal])
    for logits, wanted, same in zip(found.logits, plain.logits, equal, strict=True):
        # Beside the median, since on it the last bits of one sample decide.
        threshold = float(np.exp(np.median(log_doubt(wanted, "confidence")) + 1e-3))
        ours_exit, theirs_exit = exits(logits, 1.0 - threshold), exits(wanted, 1.0 - threshold)
        np.testing.assert_array_equal(ours_exit.steps[same], theirs_exit.steps[same])
        np.testing.assert_array_equal(ours_exit.predictions[same], theirs_exit.predictions[same])
    rows = ROW_SIZES.index(ROWS)
    for ours, theirs in (
        (found.spikes, plain.spikes),
        (found.driven_rows, plain.driven_rows),
        (found.active_windows, plain.active_windows),
        (found.active_accesses[..., 0], plain.active_accesses[..., rows]),
    ):
        # Such a spike need not reach the logits.
        assert (ours[equal] != theirs[equal]).mean() < 2e-3
