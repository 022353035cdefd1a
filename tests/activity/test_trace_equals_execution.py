"""What the trace answers is what the network does when it really skips and really exits."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
import torch
from torch import Tensor
from traced_network import trace, trained, workload

from aster_dse.policy import PolicyTable, skipped_blocks
from aster_dse.space import PolicyConfig
from aster_dse.training.trained import Feed


class _SpikeCount:
    def __init__(self) -> None:
        self.total: dict[str, int] = defaultdict(int)

    def spikes(self, name: str, values: Tensor) -> None:
        self.total[name] += int(values.sum())

    def synapse(self, name: str, inputs: Tensor) -> None:
        pass


def _metric(summed: Tensor, name: str) -> float:
    """Confidence or normalised certainty, straight from the definition."""
    p = torch.softmax(summed.double(), -1)
    if name == "confidence":
        return float(p.max())
    entropy = -(p * torch.log(p.clamp_min(1e-300))).sum() / np.log(len(p))
    return float(1.0 - entropy)


@torch.no_grad()
def _run(policy: PolicyConfig, static: bool) -> tuple[list[int], list[int], dict[str, float]]:
    """Run every validation sample by itself, step by step, and stop when it is sure."""
    network, data = trained(static), workload(static)
    skipped = frozenset(skipped_blocks(trace(static).block_activity, policy.skip_threshold))
    feed = Feed(data.validation, data, torch.device("cpu"))
    counter = _SpikeCount()
    steps, predictions = [], []
    for sample in range(len(feed)):
        frames = feed.frames(slice(sample, sample + 1))
        network.model.reset()
        summed = torch.zeros(network.geometry.classes, dtype=torch.float64)
        for step in range(policy.timesteps or len(frames)):
            logits = network.model(
                frames[step : step + 1], skipped=skipped, recorder=counter, keep_state=True
            )
            summed += logits[0, 0]
            if _metric(summed, policy.exit_metric) > policy.exit_threshold:
                break
        network.model.reset()
        steps.append(step + 1)
        predictions.append(int(summed.argmax()))
    return steps, predictions, {name: total / len(feed) for name, total in counter.total.items()}


def _between(values: np.ndarray) -> list[float]:
    ordered = np.sort(values)
    return [float(ordered[0]) / 2, *((ordered[1:] + ordered[:-1]) / 2).tolist(), float(ordered[-1]) * 1.2]


@pytest.mark.parametrize("static", [False, True], ids=["events", "images"])
@pytest.mark.parametrize(
    ("skips", "exit_threshold", "metric", "timesteps"),
    [
        (0, 1.0, "confidence", None),
        (0, 0.6, "confidence", None),
        (1, 0.9, "confidence", None),
        (2, 0.3, "entropy", 3),
        (3, 0.5, "entropy", None),
    ],
)
def test_policies(
    static: bool, skips: int, exit_threshold: float, metric: str, timesteps: int | None
) -> None:
    threshold = _between(trace(static).block_activity)[skips]
    policy = PolicyConfig(
        skip_threshold=threshold, exit_threshold=exit_threshold, exit_metric=metric, timesteps=timesteps
    )
    steps, predictions, spikes = _run(policy, static)
    outcome = PolicyTable(trace(static)).outcome(policy)
    assert len(outcome.skipped_blocks) == skips
    assert outcome.exit_steps.tolist() == steps
    assert outcome.predictions.tolist() == predictions
    assert outcome.mean_timesteps == pytest.approx(np.mean(steps))
    assert outcome.accuracy == np.mean(np.array(predictions) == trace(static).labels)
    counted = dict(
        zip([n.name for n in trace(static).geometry.neurons], outcome.activity.spikes[0], strict=True)
    )
    assert counted == pytest.approx({name: spikes.get(name, 0.0) for name in counted})
    assert sum(outcome.exit_histogram) == pytest.approx(1.0)


def test_this_network_is_lively_enough_to_prove_anything() -> None:
    steps = PolicyTable(trace()).outcome(PolicyConfig(exit_threshold=0.6)).exit_steps
    assert len(set(steps.tolist())) > 1
    assert trace().block_activity.max() > 0
