"""``aster-dse evaluate``: what a trained network is worth under a policy, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aster_dse.cli.accelerator import (
    Arrays,
    activity_of,
    array_document,
    cost_document,
    hardware_of,
    measured_on_arrays,
    without_hardware,
)
from aster_dse.cli.network_progress import samples_progress
from aster_dse.cli.networks import (
    CheckpointPath,
    Data,
    Device,
    DeviceName,
    ExitMetric,
    HardwareFile,
    Inputs,
    Library,
    LogFile,
    Metric,
    Opened,
    PresetName,
    Settings,
    Split,
    Threads,
    Weights,
    WorkloadName,
    opened,
    wishes,
)
from aster_dse.cli.options import Json
from aster_dse.cli.output import number, print_json, print_table, say, stdout_kept_clean, table
from aster_dse.cli.written import checked_output
from aster_dse.errors import AsterError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from aster_dse.evaluation.recorded import Agreement
    from aster_dse.evaluation.verdict import Verdict
    from aster_dse.space import HardwareConfig, PolicyConfig

__all__ = ["evaluate"]

MOST_CLASSES = 30
"""Rows of the table of classes; ``--json`` has all."""


def evaluate(
    checkpoint: CheckpointPath,
    data: Data = None,
    workload: WorkloadName = None,
    preset: PresetName = None,
    set_: Settings = None,
    weights: Weights = None,
    inputs: Inputs = None,
    split: Split = None,
    skip_threshold: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, metavar="X", help="Skip attention of blocks at most this active."),
    ] = None,
    exit_threshold: Annotated[
        float, typer.Option(min=0.0, max=1.0, metavar="Y", help="Exit at the first step that exceeds it.")
    ] = 1.0,
    exit_metric: ExitMetric = Metric.CONFIDENCE,
    timesteps: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Time steps at most; default all of the network's.")
    ] = None,
    hardware: HardwareFile = None,
    library: Library = None,
    arrays: Arrays = None,
    firing_log: LogFile = None,
    logits: Annotated[
        Path | None, typer.Option(metavar="OUT.npz", help="Keep the logits of every step and sample.")
    ] = None,
    device: Device = DeviceName.AUTO,
    threads: Threads = 1,
    json: Json = False,
) -> None:
    """Measure accuracy, exits and cost of a network, ours or a published one."""
    from aster_dse.space import PolicyConfig

    checked_output(logits, [".npz"], option="--logits")
    policy = PolicyConfig(
        skip_threshold=skip_threshold,
        exit_threshold=exit_threshold,
        exit_metric=exit_metric.value,
        timesteps=timesteps,
    )
    wanted = wishes(workload, preset, without_hardware(set_), weights)
    design = hardware_of(hardware, library, set_, arrays)
    with stdout_kept_clean():
        found = opened(
            checkpoint, wanted, data=data, inputs=inputs, split=split, device=device, threads=threads
        )
        if design is not None and design.arrays == "real":
            measured = _on_arrays(found, policy, design, firing_log)
        else:
            measured = _plain(found, policy, design, firing_log)
        held = _agreement(found)
    if logits is not None:
        _keep(logits, measured.answers, measured.skipped, measured.labels)
    judged = measured.judged
    document = {
        **found.about,
        "samples": judged.samples,
        "accuracy": judged.accuracy,
        "interval": None if judged.interval is None else list(judged.interval),
        "policy": policy.model_dump(mode="json"),
        "skipped_blocks": sorted(measured.skipped),
        "block_activity": measured.block_activity,
        "mean_timesteps": judged.mean_timesteps,
        "exit_histogram": list(judged.exit_histogram),
        "per_class": [entry.as_dict() for entry in judged.per_class],
        **measured.cost,
        **({} if held is None else {"agreement": held.as_dict()}),
    }
    if json:
        print_json(document)
    else:
        _print(found, measured, held)
    if held is not None and not held.agrees:
        raise AsterError(f"{checkpoint}: the answers differ from those recorded in {document['inputs']}")


@dataclass(frozen=True, eq=False)
class _Measured:
    """A network under a policy."""

    judged: Verdict
    answers: NDArray[np.float32]
    """``[N, T, classes]``; of the first chip, where the arrays are real."""
    labels: NDArray[np.int64] | None
    skipped: tuple[int, ...]
    block_activity: list[float] | None
    cost: dict[str, Any]
    """For JSON; empty without an accelerator."""


def _plain(
    found: Opened, policy: PolicyConfig, design: HardwareConfig | None, firing_log: Path | None
) -> _Measured:
    from aster_dse.evaluation.verdict import exits_at, verdict
    from aster_dse.hardware import resolve
    from aster_dse.policy import skipped_blocks

    subject, activity, cost = found.subject, None, {}
    if policy.skip_threshold is not None or design is not None:
        activity = activity_of(found, firing_log)
    skipped = () if activity is None else skipped_blocks(activity, policy.skip_threshold)
    if design is not None and activity is not None:
        say("counting the events of every skip set ...")
        cost = cost_document(subject.costs(activity, resolve(design)).of(policy))
    with samples_progress("evaluating", len(subject.feed)) as subject.on_samples:
        answers = subject.logits(frozenset(skipped))
    subject.on_samples = None
    (left,) = exits_at(
        answers, [policy.exit_threshold], metric=policy.exit_metric, timesteps=policy.timesteps
    )
    judged = verdict(
        left,
        subject.labels,
        timesteps=subject.trained.geometry.timesteps,
        class_names=subject.class_names,
    )
    return _Measured(
        judged, answers, subject.labels, skipped, None if activity is None else activity.tolist(), cost
    )


def _on_arrays(
    found: Opened, policy: PolicyConfig, design: HardwareConfig, firing_log: Path | None
) -> _Measured:
    measured = measured_on_arrays(found, design, firing_log)
    (result,) = measured.evaluations([policy])
    judged = measured.verdict(policy, class_names=found.subject.class_names)
    return _Measured(
        judged,
        measured.logits(policy.skip_threshold)[0],
        measured.plain.labels,
        tuple(result.detail["skipped_blocks"]),
        measured.plain.block_activity.tolist(),
        array_document(measured, result),
    )


def _agreement(found: Opened) -> Agreement | None:
    if found.recorded is None:
        return None
    from aster_dse.evaluation.recorded import agreement

    rates = found.subject.firing_log().firing_rate
    return agreement(found.recorded, cache(found.subject.logits), rates)


def _keep(
    path: Path, answers: NDArray[np.float32], skipped: tuple[int, ...], labels: NDArray[np.int64] | None
) -> None:
    from aster_dse.evaluation.recorded import save_logits

    save_logits(path, answers, skipped=skipped, labels=labels)
    say(f"wrote the logits of {len(answers)} samples to {path}")


def _print(found: Opened, measured: _Measured, held: Agreement | None) -> None:
    geometry = found.subject.trained.geometry
    judged, skipped, cost = measured.judged, sorted(measured.skipped), measured.cost
    where = (
        f"{found.subject.split} samples of {found.checkpoint.workload.name}"
        if found.recorded is None
        else f"inputs of {found.recorded.path}"
    )
    print(f"{found.checkpoint.path} on {judged.samples} {where}")
    if judged.accuracy is None:
        print("accuracy: not known, the inputs have no labels")
    elif judged.interval is not None:
        low, high = judged.interval
        print(f"accuracy: {judged.accuracy:.2%} (95 % interval {low:.2%} to {high:.2%})")
    if "accuracy_ideal" in cost:
        _print_chips(cost)
    which = f" ({', '.join(map(str, skipped))})" if skipped else ""
    print(f"attention skipped: {len(skipped) or 'none'} of {geometry.depth} blocks{which}")
    shares = ", ".join(f"{step}: {share:.1%}" for step, share in enumerate(judged.exit_histogram, 1) if share)
    print(f"mean time steps: {judged.mean_timesteps:.3f} of {geometry.timesteps} (left after {shares})")
    if cost:
        print(
            f"an inference: {number(cost['energy_uj'])} uJ, {number(cost['latency_us'])} us, "
            f"{number(cost['area_mm2'])} mm² (library {cost['library']})"
        )
    if judged.per_class:
        _print_classes(found.checkpoint.workload.name, judged)
    if held is not None:
        _print_agreement(held)


def _print_chips(cost: dict[str, Any]) -> None:
    chips = "one chip"
    if cost["chips"] > 1:
        chips = (
            f"mean of {cost['chips']} chips (worst {cost['accuracy_min']:.2%}, standard deviation "
            f"{cost['accuracy_std']:.2%})"
        )
    print(f"that is on the arrays, {chips}; the plain network: {cost['accuracy_ideal']:.2%}")
    for note in cost["notes"]:
        print(f"note: {note}")


def _print_classes(workload: str, judged: Verdict) -> None:
    from aster_dse.export.published_curves import published_curves, reference_for

    reference = reference_for(workload)
    published = published_curves(reference).classes if reference else {}
    columns = ["accuracy", "mean exit step", "std", "samples"]
    others = ["ASTER: accuracy", "mean exit step "] if published else []
    rows = table(["class", *columns, *others], right=[*columns, *others])
    for entry in judged.per_class[:MOST_CLASSES]:
        theirs = published.get(entry.name)
        rows.add_row(
            entry.name,
            f"{entry.accuracy:.1%}",
            f"{entry.mean_exit_step:.2f}",
            f"{entry.std_exit_step:.2f}",
            str(entry.samples),
            *((f"{theirs[0]:.0%}", f"{theirs[1]:.2f}") if theirs else ["-"] * len(others)),
        )
    print_table(rows)
    if len(judged.per_class) > MOST_CLASSES:
        print(f"{len(judged.per_class) - MOST_CLASSES} more classes with --json")


def _print_agreement(held: Agreement) -> None:
    rows = table(["recorded", "compared", "ours"])
    for skipped, entry in held.logits.items():
        same = "equal" if entry["predictions_equal"] else "differ"
        difference = f"mean difference {entry['mean_absolute_difference']:.2g}, predictions {same}"
        rows.add_row(
            "logits" if skipped == "none" else f"logits, skipped {skipped}", "every step", difference
        )
    wrong = [name for name, entry in held.exits.items() if not all(entry.values())]
    if held.exits:
        said = "all equal" if not wrong else f"differ at {', '.join(wrong)}"
        rows.add_row("exits", f"steps and predictions at {len(held.exits)} thresholds", said)
    if held.firing_rate is not None:
        rows.add_row("firing rates", "every layer and step", f"largest difference {held.firing_rate:.2g}")
    print_table(rows)
    print("agrees with what was recorded" if held.agrees else "does NOT agree with what was recorded")
