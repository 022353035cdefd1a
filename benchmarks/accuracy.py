"""Accuracy and CPU time of the reference networks on digits-dvs, with the default recipe.

    python benchmarks/accuracy.py [--seeds 3] [--json]

Recipe and networks were chosen on validation samples. This is the one place that looks at the test samples,
so it is run to report, not to choose.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aster_dse.evaluation.interval import wilson_interval
from aster_dse.space import NetworkConfig, TrainingConfig, WorkloadConfig
from aster_dse.training import predict_logits, train
from aster_dse.training.trained import Feed
from aster_dse.workload import load_workload

CASES = {
    "A (32 px)": (
        WorkloadConfig(name="digits-dvs", resolution=32, timesteps=4),
        NetworkConfig(width=32, depth=2, stem="4-2-1-1", pooling="1101"),
        TrainingConfig(epochs=20),
        (0.966, 34.0),
    ),
    "B (16 px)": (
        WorkloadConfig(name="digits-dvs", resolution=16, timesteps=4),
        NetworkConfig(width=32, depth=2, stem="4-2-1-1", pooling="1010"),
        TrainingConfig(epochs=24),
        (0.942, 25.0),
    ),
}
"""Workload, network, recipe, and the figures to reach: test accuracy and CPU seconds of one training."""


def measure(seeds: int) -> dict[str, Any]:
    """The document that ``--json`` prints."""
    goals: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    for name, (frames, network, recipe, (accuracy_goal, cpu_goal)) in CASES.items():
        workload = load_workload(frames)
        test = Feed(workload.test, workload, torch.device("cpu"))
        labels = np.asarray(workload.test.labels)
        found, validated, spent, parameters = [], [], [], 0
        for seed in range(seeds):
            with tempfile.TemporaryDirectory() as folder:
                seeded = recipe.model_copy(update={"seed": seed})
                trained = train(workload, network, seeded, folder=Path(folder), device="cpu")
            logits = predict_logits(trained.model, test)
            found.append(float((logits.sum(1).argmax(-1) == labels).mean()))
            validated.append(trained.accuracy)
            spent.append(trained.cpu_s)
            parameters = trained.parameters
        mean = statistics.fmean(found)
        low, high = wilson_interval(mean, len(labels))
        rows.append(
            {
                "network": name,
                "parameters": parameters,
                "seeds": seeds,
                "validation": statistics.fmean(validated),
                "test": mean,
                "test_per_seed": found,
                "test_samples": len(labels),
                "interval_95": [low, high],
                "cpu_s": statistics.fmean(spent),
            }
        )
        cpu = rows[-1]["cpu_s"]
        goals += [
            {
                "name": f"{name} test accuracy",
                "value": mean,
                "op": ">=",
                "goal": accuracy_goal,
                "met": mean >= accuracy_goal,
                "peer": None,
            },
            {
                "name": f"{name} CPU s",
                "value": cpu,
                "op": "<=",
                "goal": cpu_goal,
                "met": cpu <= cpu_goal,
                "peer": None,
            },
        ]
    machine = {"cpus": os.cpu_count(), "platform": platform.platform(), "torch": torch.__version__}
    return {"benchmark": "accuracy", "machine": machine, "goals": goals, "networks": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    document = measure(options.seeds)
    if options.json:
        print(json.dumps(document, indent=2))
        return
    for row in document["networks"]:
        low, high = row["interval_95"]
        print(
            f"{row['network']}: {row['parameters']} parameters, {row['cpu_s']:.1f} CPU s, "
            f"validation {row['validation']:.1%}, test {row['test']:.1%} "
            f"({', '.join(f'{value:.1%}' for value in row['test_per_seed'])}; "
            f"95 % interval of {row['test_samples']} samples {low:.1%} to {high:.1%})"
        )
    for line in document["goals"]:
        print(
            f"{'met' if line['met'] else 'NOT MET'}: {line['name']} "
            f"{line['value']:.3g} {line['op']} {line['goal']:g}"
        )


if __name__ == "__main__":
    main()
