"""The version of the cost model stands for its figures: a change of one raises the other."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from aster_dse.activity.uniform import uniform_activity
from aster_dse.hardware import estimate, resolve
from aster_dse.hardware.documents import shipped_text, user_files
from aster_dse.hardware.sources import COST_MODEL_VERSION, digest_of
from aster_dse.network.on_workload import geometry_for
from aster_dse.space import HardwareConfig, NetworkConfig, WorkloadConfig

LIBRARIES = {"aster-mixed": shipped_text("libraries", "aster-mixed")}

# Energy (uJ), latency (us) and area (mm2) of a network of width 16 whose neurons fire with probability
# 0.2, by version 1 of the cost model. Where the model changes, raise COST_MODEL_VERSION and write the new
# figures here; where only a library or preset changes, its digest tells studies, and the figures here follow.
VERSION = 1
FIGURES: list[tuple[dict[str, Any], tuple[float, float, float]]] = [
    ({"base": "aster-rram-32nm"}, (0.023489368180761444, 27.017062171249947, 0.7312500057177043)),
    ({"base": "isaac-32nm"}, (0.3053881121494348, 63.82725260416667, 23.268931128060444)),
    ({"base": "zigzag-dimc-28nm"}, (0.03134780201044327, 6.7940000000000005, 13.806212505739916)),
    (
        {
            "base": "neurosim-rram-32nm",
            "pipelining": "steps",
            "area_budget_mm2": 20.0,
            "layers": "stem.*: adc_levels=64",
        },
        (0.02704952369324435, 3.1186821041568495, 19.692902594222016),
    ),
]


@pytest.mark.parametrize(("knobs", "figures"), FIGURES)
def test_a_version_has_its_figures(knobs: dict[str, Any], figures: tuple[float, float, float]) -> None:
    assert COST_MODEL_VERSION == VERSION
    workload = WorkloadConfig(name="digits-dvs", resolution=16, timesteps=2)
    geometry = geometry_for(workload, NetworkConfig(width=16, depth=1))
    (cost,) = estimate(geometry, uniform_activity(geometry, 0.2), resolve(HardwareConfig(**knobs)))
    assert (cost.energy_uj, cost.latency_us, cost.area_mm2) == pytest.approx(figures, rel=1e-9)


def test_every_figure_of_a_library_is_in_its_digest() -> None:
    content = yaml.safe_load(LIBRARIES["aster-mixed"])
    digests = {digest_of("library", "aster-mixed")}
    for name, entry in content.items():
        if isinstance(entry, dict) and isinstance(entry.get("at_nm"), dict):
            node = next(iter(entry["at_nm"]))
            changed = {
                **content,
                name: {**entry, "at_nm": {**entry["at_nm"], node: 1.25 * entry["at_nm"][node]}},
            }
            with user_files({"mine.yaml": yaml.safe_dump(changed, sort_keys=False)}):
                digests.add(digest_of("library", "mine.yaml"))
    assert len(digests) == 1 + sum(
        isinstance(e, dict) and isinstance(e.get("at_nm"), dict) for e in content.values()
    )
    with user_files({"mine.yaml": "# A remark.\n" + LIBRARIES["aster-mixed"]}):
        assert digest_of("library", "mine.yaml") == digest_of("library", "aster-mixed")
