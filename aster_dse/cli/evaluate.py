"""``aster-dse evaluate``: what a trained network is worth under a policy, and what it costs."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

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
from aster_dse.cli.settings import group, hardware_file
from aster_dse.errors import AsterError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from aster_dse.evaluation.recorded import Agreement
    from aster_dse.evaluation.verdict import Verdict
    from aster_dse.hardware import Accelerator, HardwareCost

__all__ = ["accelerator_of", "activity_of", "cost_document", "evaluate"]

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
        float, typer.Option(min=0.0, max=1.0, metavar="Y", help="Leave at the first step that is surer.")
    ] = 1.0,
    exit_metric: ExitMetric = Metric.CONFIDENCE,
    timesteps: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Time steps at most; default all of the network's.")
    ] = None,
    hardware: HardwareFile = None,
    library: Library = None,
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

    policy = PolicyConfig(
        skip_threshold=skip_threshold,
        exit_threshold=exit_threshold,
        exit_metric=exit_metric.value,
        timesteps=timesteps,
    )
    wanted = wishes(workload, preset, set_, weights)
    accelerator = accelerator_of(hardware, library)
    with stdout_kept_clean():
        from aster_dse.evaluation.verdict import exits_at, verdict
        from aster_dse.policy import skipped_blocks

        found = opened(
            checkpoint,
            wanted,
            data=data,
            inputs=inputs,
            split=split,
            device=device,
            threads=threads,
        )
        subject = found.subject
        activity = None
        if skip_threshold is not None or accelerator is not None:
            activity = activity_of(found, firing_log)
        skipped = () if activity is None else skipped_blocks(activity, skip_threshold)
        cost = None
        if accelerator is not None and activity is not None:
            say("counting the events of every skip set ...")
            cost = subject.costs(activity, accelerator).of(policy)
        with samples_progress("evaluating", len(subject.feed)) as subject.on_samples:
            answers = subject.logits(frozenset(skipped))
        subject.on_samples = None
        (left,) = exits_at(answers, [exit_threshold], metric=policy.exit_metric, timesteps=policy.timesteps)
        judged = verdict(
            left,
            subject.labels,
            timesteps=subject.trained.geometry.timesteps,
            class_names=subject.class_names,
        )
        held = _agreement(found)
    if logits is not None:
        _keep(logits, answers, skipped, subject.labels)
    document = {
        **found.about,
        "accuracy": judged.accuracy,
        "interval": None if judged.interval is None else list(judged.interval),
        "policy": policy.model_dump(mode="json"),
        "skipped_blocks": sorted(skipped),
        "block_activity": None if activity is None else activity.tolist(),
        "mean_timesteps": judged.mean_timesteps,
        "exit_histogram": list(judged.exit_histogram),
        "per_class": [entry.as_dict() for entry in judged.per_class],
        **({} if cost is None else cost_document(cost)),
        **({} if held is None else {"agreement": held.as_dict()}),
    }
    if json:
        print_json(document)
    else:
        _print(found, judged, tuple(sorted(skipped)), cost, held)
    if held is not None and not held.agrees:
        raise AsterError(f"{checkpoint}: the answers differ from those recorded in {document['inputs']}")


def accelerator_of(hardware: Path | None, library: str | None) -> Accelerator | None:
    """The accelerator that ``--hardware`` and ``--library`` name; None where neither is given.

    Raises:
        NotFoundError: there is no such file.
        InputError: an accelerator that cannot exist.
    """
    if hardware is None and library is None:
        return None
    from aster_dse.hardware import resolve
    from aster_dse.space import HardwareConfig

    knobs = hardware_file(hardware) if hardware is not None else {}
    if library is not None:
        knobs["hardware.library"] = library
    return resolve(HardwareConfig(**group(knobs, "hardware")))


def activity_of(found: Opened, firing_log: Path | None) -> NDArray[np.float64]:
    """The blocks' activity: from a log, else recorded beside the inputs, else from training data."""
    from aster_dse.activity.firing_log import read_firing_log

    depth = found.subject.trained.geometry.depth
    if firing_log is not None:
        return read_firing_log(firing_log).block_activity(depth, str(firing_log))
    recorded = found.recorded
    if recorded is not None and recorded.log is not None:
        return recorded.log.block_activity(depth, str(recorded.path.with_suffix(".json")))
    if recorded is not None:
        say("the blocks' activity is measured on the recorded inputs; --firing-log FILE takes another")
    return found.subject.firing_log().block_activity(depth, "the network")


def cost_document(cost: HardwareCost) -> dict[str, Any]:
    """What an inference costs, for JSON."""
    return {
        "energy_uj": cost.energy_uj,
        "latency_us": cost.latency_us,
        "area_mm2": cost.area_mm2,
        "energy_pj_by_component": cost.energy_pj_by_component,
        "library": cost.library,
        "hardware": cost.knobs,
        "notes": list(cost.notes),
    }


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


def _print(
    found: Opened,
    judged: Verdict,
    skipped: tuple[int, ...],
    cost: HardwareCost | None,
    held: Agreement | None,
) -> None:
    geometry = found.subject.trained.geometry
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
    which = f" ({', '.join(map(str, skipped))})" if skipped else ""
    print(f"attention skipped: {len(skipped) or 'none'} of {geometry.depth} blocks{which}")
    shares = ", ".join(f"{step}: {share:.1%}" for step, share in enumerate(judged.exit_histogram, 1) if share)
    print(f"mean time steps: {judged.mean_timesteps:.3f} of {geometry.timesteps} (left after {shares})")
    if cost is not None:
        print(
            f"an inference: {number(cost.energy_uj)} uJ, {number(cost.latency_us)} us, "
            f"{number(cost.area_mm2)} mm² (library {cost.library})"
        )
    if judged.per_class:
        _print_classes(found.checkpoint.workload.name, judged)
    if held is not None:
        _print_agreement(held)


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
