"""Early exit: strictly greater, at the first step, of the summed logits, and always at the last."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aster_dse.policy import exits, log_doubt, skipped_blocks

PUBLISHED = Path(__file__).parent.parent / "network" / "data"

logits = arrays(
    np.float32,
    st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(2, 5)),
    elements=st.floats(-20, 20, width=32),
)
thresholds = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.5, 0.99, 1 - 1e-7, 1.0]))
metrics = st.sampled_from(["confidence", "entropy"])


@pytest.mark.parametrize("name", ["sdt_static_lif", "sdt_event_erode_lif", "sdt_event_plif"])
def test_exits_of_the_published_code(name: str) -> None:
    published = np.load(PUBLISHED / f"{name}.npz", allow_pickle=False)["logits"].transpose(1, 0, 2)
    answers = json.loads((PUBLISHED / f"{name}.json").read_text())["early_exit"]
    assert len(answers) == 12
    for case, answer in answers.items():
        metric, threshold = case.split(":")
        left = exits(published, float(threshold), metric=metric)
        assert left.steps.tolist() == answer["steps"], case
        assert left.predictions.tolist() == answer["predictions"], case


@settings(deadline=None)
@given(logits, metrics)
def test_doubt_is_the_distance_of_the_metric_to_one(values: np.ndarray, metric: str) -> None:
    summed = np.cumsum(values.astype(np.float64), axis=1)
    p = np.exp(summed - summed.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    if metric == "confidence":
        expected = 1.0 - p.max(-1)
    else:
        expected = -(p * np.log(np.maximum(p, 1e-300))).sum(-1) / np.log(p.shape[-1])
    assert np.exp(log_doubt(values, metric)) == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)
@given(logits, thresholds, metrics)
def test_everyone_leaves_at_the_first_sure_step_or_the_last(
    values: np.ndarray, threshold: float, metric: str
) -> None:
    left = exits(values, threshold, metric=metric)
    steps = values.shape[1]
    with np.errstate(divide="ignore"):
        sure = log_doubt(values, metric) < np.log1p(-threshold)
    for sample, step in enumerate(left.steps):
        assert not sure[sample, : step - 1].any()
        assert step == steps or sure[sample, step - 1]
    summed = np.cumsum(values.astype(np.float64), axis=1)[np.arange(len(values)), left.steps - 1]
    assert (left.predictions == summed.argmax(-1)).all()


@settings(deadline=None)
@given(logits, thresholds, thresholds, metrics)
def test_a_higher_threshold_never_leaves_earlier(
    values: np.ndarray, one: float, other: float, metric: str
) -> None:
    low, high = sorted((one, other))
    assert (exits(values, low, metric=metric).steps <= exits(values, high, metric=metric).steps).all()


@settings(deadline=None)
@given(logits, metrics)
def test_one_never_leaves_early(values: np.ndarray, metric: str) -> None:
    assert (exits(values, 1.0, metric=metric).steps == values.shape[1]).all()


def test_thresholds_beyond_float32_tell_steps_apart() -> None:
    # 1 - confidence is 3.4e-9, 1.1e-17, ... : a float32 softmax is 1 at every one of these steps.
    sure = np.zeros((1, 4, 2), dtype=np.float32)
    sure[..., 0] = 19.5
    assert exits(sure, 1 - 1e-8).steps == [1]
    assert exits(sure, 1 - 1e-9).steps == [2]


def test_equal_is_not_greater() -> None:
    undecided = np.zeros((1, 3, 2), dtype=np.float32)
    assert exits(undecided, 0.5).steps == [3]
    assert exits(undecided, 0.49).steps == [1]


def test_skipping_is_at_most_the_threshold_least_active_first() -> None:
    activity = np.array([0.02, 0.01, 0.02, 0.4])
    assert skipped_blocks(activity, None) == ()
    assert skipped_blocks(activity, 0.0) == ()
    assert skipped_blocks(activity, 0.01) == (1,)
    assert skipped_blocks(activity, 0.02) == (1, 0, 2)
    assert skipped_blocks(activity, 1.0) == (1, 0, 2, 3)
