"""Verdicts and rows of a sweep: what a policy's answers are worth, and which skip sets there are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aster_dse.errors import InputError
from aster_dse.evaluation import verdict as module
from aster_dse.evaluation.sweep import rows_by_count, rows_by_threshold
from aster_dse.evaluation.verdict import exits_at, verdict
from aster_dse.policy import Exits, exits

THRESHOLDS = (0.3, 0.9, 0.999, 1.0)


@pytest.mark.parametrize("metric", ["confidence", "entropy"])
@pytest.mark.parametrize("timesteps", [None, 2])
def test_exits_do_not_depend_on_how_many_are_decided_at_once(
    metric: str, timesteps: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits = np.random.default_rng(0).normal(scale=3, size=(50, 4, 5)).astype(np.float32)
    whole = [exits(logits[:, :timesteps], t, metric=metric) for t in THRESHOLDS]  # type: ignore[arg-type]
    monkeypatch.setattr(module, "_CHUNK", 7)
    parts = exits_at(logits, THRESHOLDS, metric=metric, timesteps=timesteps)  # type: ignore[arg-type]
    for one, other in zip(whole, parts, strict=True):
        assert (one.steps == other.steps).all()
        assert (one.predictions == other.predictions).all()


def test_a_verdict_counts_by_hand() -> None:
    left = Exits(steps=np.array([1, 3, 3, 2]), predictions=np.array([0, 0, 2, 2]))
    found = verdict(left, np.array([0, 2, 2, 2]), timesteps=4, class_names=("a", "b", "c"))
    assert found.accuracy == 0.75
    assert found.mean_timesteps == 2.25
    assert found.exit_histogram == (0.25, 0.25, 0.5, 0.0)
    first, last = found.per_class
    assert first.as_dict() == {
        "class": "a", "samples": 1, "accuracy": 1.0, "mean_exit_step": 1.0, "std_exit_step": 0.0,
    }  # fmt: skip
    assert (last.name, last.samples, last.accuracy) == ("c", 3, 2 / 3)
    assert last.std_exit_step == pytest.approx(np.std([3, 3, 2]))


def test_without_labels_there_is_no_accuracy() -> None:
    left = Exits(steps=np.array([1, 2]), predictions=np.array([0, 0]))
    found = verdict(left, None, timesteps=2)
    assert (found.accuracy, found.interval, found.per_class) == (None, None, ())
    assert found.mean_timesteps == 1.5


@settings(max_examples=50)
@given(activity=st.lists(st.sampled_from([0.0, 0.01, 0.02, 0.5]), min_size=1, max_size=6))
def test_the_rows_are_the_skip_sets_that_thresholds_choose(activity: list[float]) -> None:
    array = np.array(activity)
    rows = rows_by_count(array)
    assert [row.asked for row in rows] == sorted({len(row.skipped) for row in rows})
    assert rows[0].skipped == ()
    assert len(rows[-1].skipped) == len(activity)
    for row in rows:
        threshold = -1.0 if row.threshold is None else row.threshold
        assert set(row.skipped) == {block for block, rate in enumerate(activity) if rate <= threshold}
    chosen = rows_by_threshold(array, [0.015])[0].skipped
    assert chosen in [row.skipped for row in rows]


def test_blocks_that_are_equally_active_are_skipped_together() -> None:
    activity = np.array([0.0, 0.2, 0.0])
    assert [row.skipped for row in rows_by_count(activity)] == [(), (0, 2), (0, 2, 1)]
    with pytest.raises(InputError, match=r"no threshold skips 1 of the 3 blocks \(one of 0, 2, 3\)"):
        rows_by_count(activity, [1])
    assert [row.skipped for row in rows_by_count(activity, [3, 0])] == [(0, 2, 1), ()]
