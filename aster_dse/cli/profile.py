"""``aster-dse profile``: how often every layer of a network fires, step by step."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aster_dse.cli.network_progress import samples_progress
from aster_dse.cli.networks import (
    CheckpointPath,
    Data,
    Device,
    DeviceName,
    Inputs,
    Opened,
    PresetName,
    Settings,
    Threads,
    Weights,
    WorkloadName,
    opened,
    wishes,
)
from aster_dse.cli.options import Json
from aster_dse.cli.output import print_json, print_table, say, stdout_kept_clean, table
from aster_dse.cli.written import checked_output

if TYPE_CHECKING:
    from aster_dse.activity.firing_log import FiringLog
    from aster_dse.evaluation.verdict import Verdict

__all__ = ["profile"]


class LogForm(StrEnum):
    """What ``--format`` takes."""

    OURS = "ours"
    ASTER = "aster"


def profile(
    checkpoint: CheckpointPath,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write the firing log here.")
    ] = None,
    format: Annotated[LogForm, typer.Option(help="Format of that file.")] = LogForm.OURS,
    samples: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Training samples to average over; default 256.")
    ] = None,
    data: Data = None,
    workload: WorkloadName = None,
    preset: PresetName = None,
    set_: Settings = None,
    weights: Weights = None,
    inputs: Inputs = None,
    device: Device = DeviceName.AUTO,
    threads: Threads = 1,
    json: Json = False,
) -> None:
    """Measure firing rates by layer and step on training data, and the accuracy."""
    checked_output(output)
    wanted = wishes(workload, preset, set_, weights)
    with stdout_kept_clean():
        from aster_dse.activity.firing_log import write_firing_log
        from aster_dse.evaluation.verdict import exits_at, verdict

        found = opened(
            checkpoint, wanted, data=data, inputs=inputs, samples=samples, device=device, threads=threads
        )
        subject = found.subject
        log = subject.firing_log(_network(found))
        if output is not None:
            write_firing_log(output, log, format.value)
            say(f"wrote {output}")
        with samples_progress("evaluating", len(subject.feed)) as subject.on_samples:
            (left,) = exits_at(subject.logits(frozenset()), [1.0])
        judged = verdict(left, subject.labels, timesteps=subject.trained.geometry.timesteps)
    if json:
        print_json(_document(found, log, judged))
    else:
        _print(found, log, judged)


def _network(found: Opened) -> dict[str, Any]:
    return {
        "network": found.checkpoint.network.model_dump(mode="json"),
        "workload": found.checkpoint.workload.model_dump(mode="json"),
    }


def _document(found: Opened, log: FiringLog, judged: Verdict) -> dict[str, Any]:
    from aster_dse.activity.firing_log import by_step

    return {
        **found.about,
        "accuracy": judged.accuracy,
        "interval": None if judged.interval is None else list(judged.interval),
        "calibration_samples": log.samples,
        "firing_rate": by_step(log.firing_rate),
        "non_zero": by_step(log.non_zero),
        "block_activity": log.block_activity(found.subject.trained.geometry.depth, "the network").tolist(),
    }


def _print(found: Opened, log: FiringLog, judged: Verdict) -> None:
    if judged.accuracy is not None and judged.interval is not None:
        low, high = judged.interval
        print(
            f"accuracy: {judged.accuracy:.2%} of {judged.samples} {found.subject.split} samples "
            f"(95 % interval {low:.2%} to {high:.2%})"
        )
    kind = "training" if found.recorded is None else "recorded"
    print(f"firing rates over {log.samples} {kind} samples:")
    steps = [f"t{step}" for step in range(log.timesteps)]
    rows = table(["layer", "mean", *steps], right=["mean", *steps])
    for name, rates in log.firing_rate.items():
        rows.add_row(name, f"{rates.mean():.4f}", *(f"{rate:.4f}" for rate in rates))
    print_table(rows)
    depth = found.subject.trained.geometry.depth
    activity = log.block_activity(depth, "the network")
    order = ", ".join(f"{block} ({activity[block]:.4g})" for block in activity.argsort(kind="stable"))
    print(f"blocks from the least active (the first to be skipped): {order}")
