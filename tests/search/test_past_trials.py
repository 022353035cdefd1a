"""Trials that an older version recorded."""

from __future__ import annotations

from types import SimpleNamespace

from analytic_jobs import space

from aster_dse.search.history import _assignment


def test_a_knob_that_came_later_has_its_default_in_an_old_trial() -> None:
    searched = space("hardware.column_kind={choices: [null, pair, offset]}")
    candidate = searched.candidate({p.path: p.from_unit(0.9) for p in searched.parameters}).model_dump()
    for name in ("adc_range", "adc_range_per", "column_kind", "arrays", "conditions", "chips"):
        del candidate["hardware"][name]
    row = SimpleNamespace(assignment={}, candidate=candidate)
    found = _assignment(row, searched)  # type: ignore[arg-type]
    assert found["hardware.column_kind"] is None
    assert found["hardware.adc_levels"] == candidate["hardware"]["adc_levels"]
