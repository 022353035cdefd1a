"""What hardware estimate prints and what its words mean."""

from __future__ import annotations

import pytest
from command_line import aster

KINDS = ("with_spikes", "with_accesses", "with_steps", "with_time")


def test_parts_of_the_energy_are_not_called_costs_of_one_spike() -> None:
    """A total of an inference is named by what it grows with, in text and in JSON."""
    ran = aster("hardware", "estimate")
    (line,) = [line for line in ran.out.splitlines() if "with spikes" in line]
    assert line.startswith("of the energy of this inference grow ")
    assert "per spike" not in ran.out
    document = aster("hardware", "estimate", "--json").document
    split = document["energy_pj_by_kind"]
    assert tuple(split) == KINDS
    assert not any(name.startswith("per_") for name in split)
    assert sum(split.values()) == pytest.approx(document["energy_uj"] * 1e6)


def test_what_grows_with_spikes_does() -> None:
    rare, often = (
        aster("hardware", "estimate", "--firing-rate", rate, "--json").document["energy_pj_by_kind"]
        for rate in (0.1, 0.2)
    )
    growth = {name: often[name] / rare[name] for name in KINDS}
    assert growth["with_steps"] == pytest.approx(1.0, rel=0.05)
    assert max(growth, key=lambda name: growth[name]) == "with_spikes"
    assert growth["with_spikes"] > 1.4  # pooled maps saturate


def test_a_clock_that_no_neuron_keeps_up_with_is_refused() -> None:
    ran = aster("hardware", "estimate", "--set", "hardware.node_nm=65", "--set", "hardware.clock_mhz=5000")
    assert ran.code == 2
    assert "hardware.clock_mhz: 5000 MHz, but at 65 nm" in ran.complaint
    assert "at most 653" in ran.complaint
